/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who is never banned, kept up to date: looked up again every few seconds, at
 * a reload, and when an operator says so. What changes goes to judge and
 * kernel at once, and ends the bans of who has become exempt.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "common/host.h"
#include "common/log.h"
#include "plugin/engine.h"
#include "plugin/sessions.h"

#define US INT64_C(1000000)

/* Addresses, gateways and sessions change rarely: looked at so often. */
#define LOOK_US (5 * US)

static bool
replace(struct engine *engine, enum exempt_source source, struct netset *nets)
{
	bool changed = exempts_replace(engine->exempts, source, nets);

	netset_free(nets);
	return changed;
}

/* The file's networks, if it changed since the last look. A bad one leaves
 * what was, and is told of once. */
static bool
look_at_file(struct engine *engine)
{
	const char *path = engine->config->ignoreip_file;
	struct netset nets = {0};
	struct stat st = {0};
	char *error = NULL;

	if (!path) {
		engine->file_looked = false; /* one may be named again */
		return replace(engine, EXEMPT_FILE, &nets);
	}
	(void)stat(path, &st); /* reading it says what is wrong */
	if (engine->file_looked &&
		st.st_mtim.tv_sec == engine->file_time.tv_sec &&
		st.st_mtim.tv_nsec == engine->file_time.tv_nsec)
		return false;
	engine->file_looked = true;
	engine->file_time = st.st_mtim;
	if (exempts_read_file(path, &nets, &error) == 0)
		return replace(engine, EXEMPT_FILE, &nets);
	log_err("ignoreip_file kept=old error=\"%s\"", error);
	free(error);
	netset_free(&nets);
	return false;
}

/* Returns whether anything changed. */
bool
engine_gather_exempt(struct engine *engine)
{
	struct netset host = {0}, config = {0}, sessions = {0};
	bool changed;

	(void)host_networks(&host); /* mailban-nft knows the rest */
	netset_add_all(&config, &engine->config->judge.exempt);
	if (engine->config->protect_sessions)
		sessions_networks(&sessions, SESSIONS_UTMP, SESSIONS_LOGIND);
	changed = replace(engine, EXEMPT_HOST, &host);
	changed |= replace(engine, EXEMPT_CONFIG, &config);
	changed |= replace(engine, EXEMPT_SESSION, &sessions);
	changed |= look_at_file(engine);
	changed |= exempts_expire(engine->exempts, engine_now());
	engine->host_us = engine_now();
	return changed;
}

void
engine_apply_exempt(struct engine *engine)
{
	struct judge_settings settings = engine_judge_settings(engine);
	const struct ban *ban;
	size_t cursor = 0;

	judge_configure(engine->judge, &settings);
	while ((ban = judge_next_exempt_ban(engine->judge, &cursor))) {
		struct network net = ban->net;

		(void)engine_unban(engine, &net, "exempt");
	}
	if (engine->kernel)
		kernel_configure(engine->kernel, &engine->config->options,
			exempts_union(engine->exempts));
}

void
engine_look_exempt(struct engine *engine, int64_t now_us)
{
	int64_t age_us = now_us - engine->host_us;

	/* A clock that was set back must not stop this. */
	if (age_us >= 0 && age_us < LOOK_US)
		return;
	if (engine_gather_exempt(engine))
		engine_apply_exempt(engine);
}

void
engine_note_sender(
	struct engine *engine, const struct message *message, int64_t now_us)
{
	struct addr addr;

	if (!engine->config->protect_senders || !message->from.len)
		return;
	if (addr_parse(message->from.text, message->from.len, &addr) == 0 &&
		exempts_note_sender(engine->exempts, &addr, now_us))
		engine_apply_exempt(engine);
}

static void
record_exempt(struct engine *engine, enum record_type type,
	const struct exempt *exempt)
{
	struct record record = {.type = type,
		.seq = ++engine->seq,
		.time_us = exempt->since_us,
		.until_us = exempt->until_us,
		.net = exempt->net,
		.by = engine_span(exempt->by),
		.reason = engine_span(exempt->reason)};

	journal_add(engine->journal, &record);
}

void
engine_record_exempts(struct engine *engine)
{
	const struct exempt *exempt;
	size_t cursor = 0;

	while ((exempt = exempts_next(engine->exempts, &cursor)))
		if (exempt->source == EXEMPT_OPERATOR)
			record_exempt(engine, RECORD_EXEMPT, exempt);
}

void
engine_exempt(struct engine *engine, const struct exempt *exempt)
{
	char text[NETWORK_STRLEN];

	record_exempt(engine, RECORD_EXEMPT, exempt);
	log_info("exempt client=%s by=\"%s\"",
		network_format(&exempt->net, text), exempt->by);
	if (exempts_add(engine->exempts, exempt))
		engine_apply_exempt(engine);
}

int
engine_unexempt(
	struct engine *engine, const struct network *net, const char *by)
{
	struct exempt exempt = {
		.net = *net, .since_us = engine_now(), .by = by};
	char text[NETWORK_STRLEN];
	bool found, changed = exempts_remove(engine->exempts, net, &found);

	if (!found)
		return -ENOENT;
	record_exempt(engine, RECORD_UNEXEMPT, &exempt);
	log_info("unexempt client=%s by=\"%s\"", network_format(net, text), by);
	if (changed)
		engine_apply_exempt(engine);
	return 0;
}
