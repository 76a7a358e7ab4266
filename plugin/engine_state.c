/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine's start, end, reload, and what it does between messages. Memory
 * is derived from ledger and journal here, and from nothing else.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "common/xalloc.h"
#include "plugin/engine.h"
#include "plugin/state.h"

#define US INT64_C(1000000)

enum {
	/* Digests held in memory: half a minute of offences at the highest
	 * rate that omprog allows, some 8 MiB. */
	SEEN_CAPACITY = 1 << 18,
	/* A segment of the journal goes to the ledger when it is that large,
	 * or that old. */
	ROTATE_BYTES = 1 << 20,
	ROTATE_US = 1000000,
	CLEAR_MS = 2000,
};

struct config *
engine_config(const struct engine_options *options, char **error)
{
	struct config *config =
		options->config_path ? config_load(options->config_path, error)
				     : config_new();

	if (!config)
		return NULL;
	if (options->rules_count) {
		for (size_t i = 0; i < config->rules_count; i++)
			free(config->rules[i]);
		config->rules_count = options->rules_count;
		for (size_t i = 0; i < options->rules_count; i++)
			config->rules[i] = xstrdup(options->rules[i]);
	}
	if (options->state) {
		free(config->state);
		config->state = xstrdup(options->state);
	}
	if (options->control) {
		free(config->control);
		config->control = xstrdup(options->control);
	}
	if (options->helper) {
		free(config->helper);
		config->helper = xstrdup(options->helper);
	}
	return config;
}

struct judge_settings
engine_judge_settings(const struct engine *engine)
{
	struct judge_settings settings = engine->config->judge;

	settings.exempt = *exempts_union(engine->exempts);
	return settings;
}

static void
refused(const struct network *net, int status, void *arg)
{
	struct engine *engine = arg;
	char text[NETWORK_STRLEN];

	log_warn("refused client=%s by=mailban-nft reason=\"%s\"",
		network_format(net, text),
		status == -EPERM ? "exempt" : strerror(-status));
	(void)engine_unban(engine, net, "mailban-nft");
}

static void
restore_exempt(struct engine *engine, const struct record *record)
{
	char *by = xstrndup(record->by.text, record->by.len);
	char *reason = xstrndup(record->reason.text, record->reason.len);
	struct exempt exempt = {.net = record->net,
		.source = EXEMPT_OPERATOR,
		.since_us = record->time_us,
		.until_us = record->until_us,
		.by = by,
		.reason = record->reason.len ? reason : NULL};
	bool found;

	if (record->type == RECORD_EXEMPT)
		(void)exempts_add(engine->exempts, &exempt);
	else
		(void)exempts_remove(engine->exempts, &record->net, &found);
	free(by);
	free(reason);
}

/* The last offence waits for what follows it. When nothing does, a crash may
 * have come between it and the ban that it led to: rsyslog sends the message
 * again, and it would be no more than seen before. */
struct restoring {
	struct engine *engine;
	bool waits;
	struct offence last;
	char user[RECORD_NAME_MAX], password[RECORD_NAME_MAX];
	char rule[RECORD_NAME_MAX + 1];
};

static struct span
keep_text(char *room, struct span text)
{
	size_t len = text.len < RECORD_NAME_MAX ? text.len : RECORD_NAME_MAX;

	if (len)
		(void)memcpy(room, text.text, len);
	return (struct span){room, len};
}

static void
recall_last(struct restoring *restoring)
{
	if (restoring->waits)
		judge_recall(restoring->engine->judge, &restoring->last);
	restoring->waits = false;
}

static void
restore_offence(struct restoring *restoring, const struct record *record)
{
	struct engine *engine = restoring->engine;
	struct span rule = keep_text(restoring->rule, record->rule);

	/* What could not be taken over yet the ledger does not know. */
	if (record->seq > ledger_durable_seq(engine->ledger))
		digest_set_add(engine->seen, &record->digest,
			record->time_us > record->reported_us
				? record->time_us
				: record->reported_us,
			record->seq);
	if (!record->counted)
		return;
	restoring->rule[rule.len] = '\0';
	restoring->waits = true;
	restoring->last = (struct offence){.addr = record->addr,
		.class = record->class,
		.time_us = record->time_us,
		.count = record->count,
		.weight_percent = record->weight_percent,
		.user = keep_text(restoring->user, record->user),
		.password = keep_text(restoring->password, record->password),
		.unknown_user = record->unknown_user};
}

static void
restore_ban(struct engine *engine, const struct record *record)
{
	struct ban ban = {.net = record->net,
		.from_us = record->time_us,
		.until_us = record->until_us,
		.class = record->class,
		.count = record->count,
		.level = record->level,
		.observed =
			record->class < CLASS_OFFENCES &&
			engine->config->judge.policy[record->class].observe};

	judge_ban(engine->judge, &ban);
}

static void
restore(const struct record *record, void *arg)
{
	struct restoring *restoring = arg;
	struct engine *engine = restoring->engine;

	recall_last(restoring);
	switch (record->type) {
	case RECORD_OFFENCE:
		restore_offence(restoring, record);
		break;
	case RECORD_BAN:
		restore_ban(engine, record);
		break;
	case RECORD_LIFT:
		(void)judge_unban(engine->judge, &record->net);
		break;
	case RECORD_LOGIN:
		(void)judge_login(engine->judge, &record->addr, &record->user,
			record->time_us);
		break;
	case RECORD_EXEMPT:
	case RECORD_UNEXEMPT:
		restore_exempt(engine, record);
		break;
	}
}

static int
lock_state(struct engine *engine, char **error)
{
	const char *folder = engine->config->state;
	pid_t holder = 0;
	int rc = state_lock(folder, &engine->lock_fd, &holder);

	if (rc == -EWOULDBLOCK)
		*error = xasprintf("%s: in use by another ommailban, process "
				   "%d",
			folder, (int)holder);
	else if (rc < 0)
		*error = xasprintf("%s: %s", folder, strerror(-rc));
	if (rc < 0)
		return rc;
	engine->state_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (engine->state_fd < 0)
		*error = xasprintf("%s: %s", folder, strerror(errno));
	return engine->state_fd < 0 ? -errno : 0;
}

static int
open_ledger(
	struct engine *engine, void (*tick)(void *), void *arg, char **error)
{
	struct ledger_limits limits = {.age_us = engine->config->ledger_age_us,
		.size_bytes = engine->config->ledger_size_bytes};

	if (lock_state(engine, error) < 0)
		return -1;
	engine->ledger = ledger_open(engine->config->state, &limits,
		&engine->key, tick, arg, &engine->ledger_moved, error);
	if (!engine->ledger)
		return -1;
	engine->journal = journal_open(engine->state_fd, &engine->key, error);
	if (!engine->journal)
		return -1;
	engine->seq = ledger_last_seq(engine->ledger);
	engine->seen = digest_set_new(SEEN_CAPACITY);
	digest_set_forgot(engine->seen, ledger_horizon(engine->ledger));
	return 0;
}

static int
restore_all(struct engine *engine, char **error)
{
	int64_t now_us = engine_now();
	struct restoring restoring = {.engine = engine};
	struct judge_settings settings;
	struct judge_reach reach;
	int rc;

	(void)engine_gather_exempt(engine);
	settings = engine_judge_settings(engine);
	engine->judge = judge_new(&settings, engine->key.bytes);
	engine->correlate = correlate_new(engine->key.bytes);
	judge_reach(&settings, &reach);
	rc = ledger_restore(engine->ledger,
		&(struct ledger_since){
			.offences_us = now_us - reach.offences_us,
			.bans_us = now_us - reach.bans_us,
			.logins_us = now_us - reach.logins_us},
		restore, &restoring);
	/* A corrupt one was moved aside, and said so: what could be read is
	 * true. */
	if (rc < 0 && rc != -EUCLEAN) {
		*error = xasprintf("%s: the ledger can't be read back: %s",
			engine->config->state, strerror(-rc));
		return rc;
	}
	if (restoring.waits)
		engine_judge_again(engine, &restoring.last, restoring.rule);
	judge_restored(engine->judge, now_us);
	engine_apply_exempt(engine);
	return ledger_start(engine->ledger);
}

void
engine_new_kernel(struct engine *engine)
{
	struct kernel_owner owner = {
		.judge = engine->judge, .refused = refused, .arg = engine};

	engine->kernel = kernel_new(
		engine->config->helper, engine->options->starter_fd, &owner);
}

struct engine *
engine_open(const struct engine_options *options, struct config *config,
	void (*tick)(void *), void *arg, char **error)
{
	struct engine *engine = xcalloc(1, sizeof(*engine));

	engine->options = options;
	engine->exempts = exempts_new();
	engine->loaded = engine_fingerprint(options, config);
	engine->lock_fd = engine->state_fd = -1;
	engine->config = config;
	engine->started_us = engine_now();
	engine->reader = message_reader_new();
	engine->rules = rules_load((const char *const *)config->rules,
		config->rules_count, config->policy, error);
	if (!engine->rules || open_ledger(engine, tick, arg, error) < 0 ||
		restore_all(engine, error) < 0) {
		engine_close(engine);
		return NULL;
	}
	if (!config->observe)
		engine_new_kernel(engine);
	return engine;
}

void
engine_hand_over(struct engine *engine)
{
	uint64_t segment = journal_rotate(engine->journal);

	if (segment)
		ledger_take_over(engine->ledger, segment);
}

void
engine_close(struct engine *engine)
{
	if (!engine)
		return;
	if (engine->journal)
		engine_hand_over(engine);
	journal_close(engine->journal);
	ledger_close(engine->ledger);
	kernel_free(engine->kernel);
	judge_free(engine->judge);
	correlate_free(engine->correlate);
	digest_set_free(engine->seen);
	rules_free(engine->rules);
	message_reader_free(engine->reader);
	exempts_free(engine->exempts);
	config_free(engine->config);
	if (engine->state_fd >= 0)
		(void)close(engine->state_fd);
	if (engine->lock_fd >= 0)
		(void)close(engine->lock_fd);
	free(engine);
}

void
engine_clear_kernel(struct engine *engine)
{
	struct stat st;

	/* A program that may not be started from here made no table either. */
	if (engine->options->starter_fd < 0 &&
		stat(engine->config->helper, &st) == 0 && S_ISREG(st.st_mode))
		return;
	if (!engine->kernel)
		engine_new_kernel(engine);
	kernel_configure(engine->kernel, &engine->config->options,
		exempts_union(engine->exempts));
	kernel_up(engine->kernel);
	kernel_remove(engine->kernel);
	if (!kernel_settle(engine->kernel, CLEAR_MS))
		log_warn("mode=observe error=\"what was banned before may "
			 "still be dropped: nft delete table inet mailban\"");
	kernel_free(engine->kernel);
	engine->kernel = NULL;
}

/* The ledger is new, the kernel is not: what it drops is all that is left of
 * the bans, and is kept. */
static void
adopt(const struct wire_item *item, int status, void *arg)
{
	struct engine *engine = arg;
	struct ban ban = {.class = CLASS_NONE, .from_us = engine_now()};

	if (!item) {
		log_warn("ledger=new bans_from_kernel=%zu status=%d",
			judge_ban_count(engine->judge), status);
		return;
	}
	ban.net = item->net;
	ban.until_us = item->timeout_ms
			       ? ban.from_us + (int64_t)item->timeout_ms * 1000
			       : BAN_PERMANENT;
	judge_ban(engine->judge, &ban);
	engine_record_ban(engine, &ban, ORIGIN_LOCAL, NULL, "kernel");
}

void
engine_enforce(
	struct engine *engine, int wait_ms, void (*tick)(void *), void *arg)
{
	struct kernel *kernel = engine->kernel;

	if (!kernel) {
		engine_clear_kernel(engine);
		return;
	}
	kernel_configure(kernel, &engine->config->options,
		exempts_union(engine->exempts));
	if (engine->ledger_moved)
		(void)kernel_list_now(kernel, adopt, engine, wait_ms);
	engine->ledger_moved = false;
	kernel_up(kernel);
	for (int waited = 0; waited < wait_ms; waited += 500) {
		if (kernel_settle(kernel, 500))
			break;
		if (kernel_state(kernel) == KERNEL_DOWN)
			break;
		tick(arg);
	}
	log_info("start bans=%zu tallies=%zu rules=%zu mode=%s kernel=%s",
		judge_ban_count(engine->judge),
		judge_tally_count(engine->judge), rules_count(engine->rules),
		engine->config->observe ? "observe" : "enforce",
		kernel_state(kernel) == KERNEL_UP ? "up" : "pending");
}

static void
rotate_when_due(struct engine *engine, int64_t now_us)
{
	size_t size = journal_size(engine->journal);
	int64_t age_us = now_us - engine->rotated_us;

	/* A clock that was set back must not stop this. */
	if (!size || (size < ROTATE_BYTES && age_us >= 0 && age_us < ROTATE_US))
		return;
	engine->rotated_us = now_us;
	engine_hand_over(engine);
}

/* The ledger was lost and begun anew: it must hold what is in force. */
static void
record_all(struct engine *engine)
{
	const struct ban *ban;
	size_t cursor = 0;

	while ((ban = judge_next_ban(engine->judge, &cursor)))
		engine_record_ban(
			engine, ban, ORIGIN_LOCAL, NULL, "ledger begun anew");
	engine_record_exempts(engine);
}

void
engine_work(struct engine *engine)
{
	const struct rates_counts counts = engine_rates_counts(engine);
	int64_t now_us = engine_now();

	rates_note(&engine->rates, &counts, engine_monotonic_s());
	if (engine->kernel)
		kernel_work(engine->kernel);
	if (ledger_lost(engine->ledger))
		record_all(engine);
	rotate_when_due(engine, now_us);
	digest_set_durable(engine->seen, ledger_durable_seq(engine->ledger));
	judge_expire(engine->judge, now_us);
	engine_look_exempt(engine, now_us);
}
