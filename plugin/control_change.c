/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The requests that change something. What was changed is durable and, as a
 * rule, in the kernel before "done"; who did it stands in ledger and log.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/duration.h"
#include "common/log.h"
#include "plugin/control_answer.h"
#include "plugin/control_status.h"

#define US INT64_C(1000000)

enum { BAN_STANDARD_S = 86400 };

struct asker {
	char text[32];
};

static struct asker
asker(const struct answer *answer)
{
	struct asker who;

	(void)snprintf(
		who.text, sizeof(who.text), "uid %u", (unsigned)answer->uid);
	return who;
}

/* for_s of a request, as the time when it is over. False: it is none,
 * and that is the answer. */
static bool
get_span(struct answer *answer, struct fjson_object *request,
	int64_t standard_s, int64_t *until_us)
{
	struct fjson_object *value = NULL;
	int64_t for_s = standard_s;

	if (fjson_object_object_get_ex(request, "for_s", &value))
		for_s = fjson_object_get_int64(value);
	if (for_s == 0 || for_s < -1 || for_s > DURATION_MAX_S) {
		answer_done(answer, "error", "for_s is -1, or 1 to 315360000");
		return false;
	}
	*until_us = for_s < 0 ? BAN_PERMANENT : engine_now() + for_s * US;
	return true;
}

/* NULL where there is none. */
static const char *
get_text(struct fjson_object *request, const char *key)
{
	struct fjson_object *value = NULL;

	if (!fjson_object_object_get_ex(request, key, &value) ||
		!fjson_object_is_type(value, fjson_type_string))
		return NULL;
	return fjson_object_get_string(value);
}

/* Waits in engine_commit for the journal, and a little for the kernel. */
static void
finish_change(struct answer *answer, struct engine *engine)
{
	if (engine_commit(engine) < 0)
		answer_done(answer, "error",
			"done, but the journal can't be written: see mailban "
			"status");
	else
		answer_await_kernel(answer);
}

void
answer_ban(struct answer *answer, struct fjson_object *request,
	struct engine *engine)
{
	int64_t until_us;
	const char *why;
	struct network net;
	int rc;

	if (!answer_network(answer, request, &net) ||
		!get_span(answer, request, BAN_STANDARD_S, &until_us))
		return;
	rc = engine_ban(engine, &net, until_us, asker(answer).text, &why);
	if (rc < 0) {
		answer_done(answer, "refused", why);
		return;
	}
	answer_put(answer,
		answer_ban_object(answer,
			judge_find_ban(engine->judge, &net, engine_now())));
	finish_change(answer, engine);
}

void
answer_unban(struct answer *answer, struct fjson_object *request,
	struct engine *engine)
{
	struct fjson_object *all = NULL;
	struct network net;
	size_t count;

	if (fjson_object_object_get_ex(request, "all", &all) &&
		fjson_object_get_boolean(all)) {
		count = engine_unban_all(engine, asker(answer).text);
	} else {
		if (!answer_network(answer, request, &net))
			return;
		count = engine_unban(engine, &net, asker(answer).text) == 0;
	}
	if (!count)
		answer_done(answer, "not-found", "no such ban");
	else
		finish_change(answer, engine);
}

/* --- import --- */

struct importing {
	struct engine *engine;
	struct engine_import import;
	size_t banned, known, exempt, wide, bad;
};

/* "ADDRESS", or ["ADDRESS", for_s] where it has a time of its own. */
static struct fjson_object *
import_time(struct fjson_object *value, int64_t *until_us)
{
	int64_t for_s;

	if (!fjson_object_is_type(value, fjson_type_array) ||
		fjson_object_array_length(value) != 2)
		return value;
	for_s = fjson_object_get_int64(fjson_object_array_get_idx(value, 1));
	if (for_s == 0 || for_s < -1 || for_s > DURATION_MAX_S)
		return NULL;
	*until_us = for_s < 0 ? BAN_PERMANENT : engine_now() + for_s * US;
	return fjson_object_array_get_idx(value, 0);
}

static void
import_one(struct importing *importing, struct fjson_object *value)
{
	struct engine_import import = importing->import;
	struct network net;
	const char *why;
	int rc = -EBADMSG;

	value = import_time(value, &import.until_us);
	if (value && fjson_object_is_type(value, fjson_type_string) &&
		network_parse(fjson_object_get_string(value),
			(size_t)fjson_object_get_string_len(value), &net,
			&why) == 0)
		rc = engine_import(importing->engine, &net, &import);
	if (rc == 0)
		importing->banned++;
	else if (rc == -EALREADY)
		importing->known++;
	else if (rc == -EPERM)
		importing->exempt++;
	else if (rc == -ERANGE)
		importing->wide++;
	else
		importing->bad++;
}

static struct fjson_object *
import_object(const struct importing *importing)
{
	struct fjson_object *object = fjson_object_new_object();

	control_add_count(object, "banned", importing->banned);
	control_add_count(object, "already", importing->known);
	control_add_count(object, "exempt", importing->exempt);
	control_add_count(object, "too_wide", importing->wide);
	control_add_count(object, "bad", importing->bad);
	return object;
}

/* Many at once: journalled together, and the kernel is not waited for inside
 * the loop that answers rsyslog. */
void
answer_import(struct answer *answer, struct fjson_object *request,
	struct engine *engine)
{
	struct importing importing = {.engine = engine};
	struct asker who = asker(answer);
	struct fjson_object *list = NULL;
	char safe[256];

	if (!fjson_object_object_get_ex(request, "addresses", &list) ||
		!fjson_object_is_type(list, fjson_type_array)) {
		answer_done(answer, "error", "addresses: a list is needed");
		return;
	}
	if (!get_span(answer, request, -1, &importing.import.until_us))
		return;
	importing.import.by = who.text;
	importing.import.source = get_text(request, "source");
	if (!importing.import.source)
		importing.import.source = "list";
	for (int i = 0; i < fjson_object_array_length(list); i++)
		import_one(&importing, fjson_object_array_get_idx(list, i));
	if (importing.banned)
		log_info("import source=\"%s\" bans=%zu by=\"%s\"",
			text_escape(importing.import.source,
				strlen(importing.import.source), safe,
				sizeof(safe)),
			importing.banned, who.text);
	answer_put(answer, import_object(&importing));
	if (engine_flush(engine) < 0 || journal_sync(engine->journal) < 0)
		answer_done(answer, "error", "the journal can't be written");
	else
		answer_await_kernel(answer);
}

/* --- exempt --- */

void
answer_exempt(struct answer *answer, struct fjson_object *request,
	struct engine *engine)
{
	struct asker who = asker(answer);
	struct exempt exempt = {.source = EXEMPT_OPERATOR,
		.since_us = engine_now(),
		.by = who.text,
		.reason = get_text(request, "reason")};

	if (!answer_network(answer, request, &exempt.net) ||
		!get_span(answer, request, -1, &exempt.until_us))
		return;
	engine_exempt(engine, &exempt);
	answer_put(answer, answer_exempt_object(&exempt));
	finish_change(answer, engine);
}

void
answer_unexempt(struct answer *answer, struct fjson_object *request,
	struct engine *engine)
{
	struct network net;

	if (!answer_network(answer, request, &net))
		return;
	if (engine_unexempt(engine, &net, asker(answer).text) < 0)
		answer_done(answer, "not-found",
			"no operator exempted exactly that network");
	else
		finish_change(answer, engine);
}

/* --- reload, off, on --- */

void
answer_reload(struct answer *answer, struct fjson_object *request,
	struct engine *engine)
{
	const char *error = engine_reload(engine);

	(void)request; /* says no more */
	answer_done(answer, error ? "error" : "ok", error);
}

/* Takes our table out of the kernel, or puts it back with all bans. */
static void
answer_switch(struct answer *answer, struct engine *engine, bool on)
{
	if (!engine->kernel) {
		answer_done(
			answer, "refused", "in observe mode there is no table");
		return;
	}
	if (on)
		kernel_up(engine->kernel);
	else
		kernel_remove(engine->kernel);
	log_info("enforcement %s by=\"%s\"", on ? "on" : "off",
		asker(answer).text);
	answer_await_kernel(answer);
}

void
answer_off(struct answer *answer, struct fjson_object *request,
	struct engine *engine)
{
	(void)request; /* says no more */
	answer_switch(answer, engine, false);
}

void
answer_on(struct answer *answer, struct fjson_object *request,
	struct engine *engine)
{
	(void)request; /* says no more */
	answer_switch(answer, engine, true);
}
