/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The requests that only look.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/control_answer.h"
#include "plugin/control_status.h"

#define US INT64_C(1000000)

enum {
	/* A list goes out in pieces of so many bans. */
	LIST_PIECE = 256,
	/* What the kernel has is listed only up to so many bans, unless it is
	 * insisted on: mailban-nft makes no ban meanwhile. */
	LIST_MAX = 20000,
	/* Up to so many it is done for each who asks; then an older one
	 * does. */
	LIST_CHEAP = 1000,
	LIST_AGE_US = 2000000,
};

/* --- list --- */

struct fjson_object *
answer_ban_object(const struct answer *answer, const struct ban *ban)
{
	struct fjson_object *object = fjson_object_new_object();
	const struct wire_item *item =
		answer->counters ? snapshot_find(answer->snapshot, &ban->net)
				 : NULL;
	char text[NETWORK_STRLEN];

	control_add_text(object, "address", network_format(&ban->net, text));
	control_add_text(object, "class",
		ban->class == CLASS_NONE ? NULL : class_name(ban->class));
	control_add_number(object, "count", ban->count);
	control_add_number(object, "level", ban->level);
	control_add_time(object, "from", ban->from_us);
	control_add_time(object, "until", ban->until_us);
	control_add_flag(object, "observed", ban->observed);
	if (item) {
		control_add_count(object, "packets", item->packets);
		control_add_count(object, "bytes", item->bytes);
	}
	return object;
}

void
answer_list_more(struct answer *answer, struct engine *engine)
{
	int64_t now_us = engine_now();

	for (int i = 0; i < LIST_PIECE; i++) {
		const struct ban *ban =
			judge_next_ban(engine->judge, &answer->cursor);

		if (!ban) {
			answer_done(answer, "ok", NULL);
			return;
		}
		if (ban->until_us > now_us)
			answer_put(answer, answer_ban_object(answer, ban));
	}
}

/* Not older than that. */
static int64_t
snapshot_since(const struct answer *answer, const struct engine *engine)
{
	return judge_ban_count(engine->judge) > LIST_CHEAP
		       ? answer->asked_us - LIST_AGE_US
		       : answer->asked_us;
}

static void
list_counted(struct answer *answer, struct engine *engine)
{
	(void)engine; /* answer_list_more has it */
	answer->counters = snapshot_status(answer->snapshot) == 0;
	answer->state = ANSWER_LISTING;
}

void
answer_list(struct answer *answer, struct fjson_object *request,
	struct engine *engine)
{
	struct fjson_object *value = NULL;
	bool wanted = fjson_object_object_get_ex(request, "counters", &value) &&
		      fjson_object_get_boolean(value);

	if (judge_ban_count(engine->judge) > LIST_MAX &&
		!(fjson_object_object_get_ex(request, "insist", &value) &&
			fjson_object_get_boolean(value)))
		wanted = false;
	if (engine->kernel && wanted)
		answer_await_snapshot(
			answer, snapshot_since(answer, engine), list_counted);
	else
		answer->state = ANSWER_LISTING;
}

/* --- rules, exempts --- */

void
answer_rules(struct answer *answer, struct fjson_object *request,
	struct engine *engine)
{
	(void)request; /* says no more */
	for (size_t i = 0; i < rules_count(engine->rules); i++) {
		const struct rule *rule = rules_at(engine->rules, i);
		struct fjson_object *object = fjson_object_new_object();

		control_add_text(object, "rule", rule->name);
		control_add_text(object, "class", class_name(rule->class));
		control_add_text(object, "file", rule->file);
		control_add_number(object, "line", rule->line);
		control_add_count(object, "matched", rule->matched);
		control_add_time(object, "last", rule->last_us);
		answer_put(answer, object);
	}
	answer_done(answer, "ok", NULL);
}

struct fjson_object *
answer_exempt_object(const struct exempt *exempt)
{
	struct fjson_object *object = fjson_object_new_object();
	char text[NETWORK_STRLEN];

	control_add_text(object, "address", network_format(&exempt->net, text));
	control_add_text(object, "source", exempt_source_text(exempt->source));
	control_add_text(object, "by", exempt->by);
	control_add_text(object, "reason", exempt->reason);
	control_add_time(object, "since", exempt->since_us);
	control_add_time(object, "until", exempt->until_us);
	return object;
}

void
answer_exempts(struct answer *answer, struct fjson_object *request,
	struct engine *engine)
{
	const struct exempt *exempt;
	size_t cursor = 0;

	(void)request; /* says no more */
	while ((exempt = exempts_next(engine->exempts, &cursor)))
		answer_put(answer, answer_exempt_object(exempt));
	answer_done(answer, "ok", NULL);
}

/* --- status --- */

static void
status_counted(struct answer *answer, struct engine *engine)
{
	answer_put(answer, control_status(engine, answer->snapshot));
	answer_done(answer, "ok", NULL);
}

void
answer_status(struct answer *answer, struct fjson_object *request,
	struct engine *engine)
{
	(void)request; /* says no more */
	if (engine->kernel && kernel_state(engine->kernel) == KERNEL_UP &&
		judge_ban_count(engine->judge) <= LIST_MAX) {
		answer_await_snapshot(
			answer, snapshot_since(answer, engine), status_counted);
		return;
	}
	answer_put(answer, control_status(engine, NULL));
	answer_done(answer, "ok", NULL);
}

/* --- why --- */

static void
put_policies(struct fjson_object *object, const struct engine *engine)
{
	struct fjson_object *policies = fjson_object_new_object();

	for (int i = 0; i < CLASS_OFFENCES; i++) {
		const struct policy *policy = &engine->config->judge.policy[i];
		struct fjson_object *one = fjson_object_new_object();

		control_add_number(one, "maxretry", policy->maxretry);
		control_add_number(one, "findtime_s", policy->findtime_us / US);
		fjson_object_object_add(
			policies, class_name((enum class)i), one);
	}
	fjson_object_object_add(object, "policy", policies);
}

/* What the kernel itself says, which is what counts for who can't get in. */
static void
put_kernel(struct fjson_object *object, const struct answer *answer,
	const struct engine *engine, const struct ban *ban)
{
	int status = judge_ban_count(engine->judge) > LIST_MAX
			     ? -E2BIG
			     : snapshot_status(answer->snapshot);
	const struct wire_item *item =
		ban ? snapshot_find(answer->snapshot, &ban->net) : NULL;

	/* Without a ban of ours the kernel may still have one. */
	if (!item)
		item = snapshot_find(answer->snapshot, &answer->net);
	control_add_text(object, "kernel", control_kernel_word(engine->kernel));
	control_add_text(object, "kernel_trouble",
		engine->kernel ? kernel_trouble(engine->kernel) : NULL);
	if (!engine->kernel || status < 0) {
		control_add_text(object, "in_kernel", NULL);
		control_add_text(object, "kernel_unknown",
			engine->kernel ? strerror(-status) : NULL);
		return;
	}
	control_add_flag(object, "in_kernel", item != NULL);
	if (!item)
		return;
	control_add_count(object, "packets", item->packets);
	control_add_count(object, "bytes", item->bytes);
}

static void
why_counted(struct answer *answer, struct engine *engine)
{
	int64_t now_us = engine_now();
	struct network client = engine_client(engine, &answer->net);
	const struct exempt *exempt =
		exempts_find(engine->exempts, &answer->net);
	const struct ban *ban =
		judge_find_ban(engine->judge, &answer->net, now_us);
	struct fjson_object *object = fjson_object_new_object();
	char text[NETWORK_STRLEN];

	if (!ban)
		ban = judge_find_ban(engine->judge, &client, now_us);
	control_add_text(object, "address", network_format(&answer->net, text));
	control_add_text(object, "client", network_format(&client, text));
	fjson_object_object_add(
		object, "ban", ban ? answer_ban_object(answer, ban) : NULL);
	fjson_object_object_add(
		object, "exempt", exempt ? answer_exempt_object(exempt) : NULL);
	control_add_flag(object, "known",
		judge_knows(engine->judge, &answer->net.addr, now_us));
	control_add_text(object, "mode",
		engine->config->observe ? "observe" : "enforce");
	answer->net = client;
	put_kernel(object, answer, engine, ban);
	put_policies(object, engine);
	control_add_text(object, "state", engine->config->state);
	answer_put(answer, object);
	answer_done(answer, "ok", NULL);
}

/* The kernel is asked anew: who has just lifted a ban wants to see it gone. */
void
answer_why(struct answer *answer, struct fjson_object *request,
	struct engine *engine)
{
	if (!answer_network(answer, request, &answer->net))
		return;
	if (!ledger_backlog(engine->ledger))
		engine_hand_over(engine);
	answer->seq = engine->seq;
	/* Of too many, none that is new. */
	answer_await_snapshot(answer,
		judge_ban_count(engine->judge) > LIST_MAX ? INT64_MIN
							  : answer->asked_us,
		why_counted);
}
