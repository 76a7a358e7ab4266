/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The figures of a running ommailban, and what is wrong with it.
 */
#include "plugin/control_status.h"

#include <string.h>
#include <unistd.h>

#include "common/log.h"

#define US INT64_C(1000000)

void
control_add_text(struct fjson_object *object, const char *key, const char *text)
{
	char safe[1024];

	/* It may be on its way to a terminal. */
	fjson_object_object_add(object, key,
		text ? fjson_object_new_string(text_escape(
			       text, strlen(text), safe, sizeof(safe)))
		     : NULL);
}

void
control_add_number(struct fjson_object *object, const char *key, int64_t number)
{
	fjson_object_object_add(object, key, fjson_object_new_int64(number));
}

void
control_add_count(struct fjson_object *object, const char *key, uint64_t number)
{
	control_add_number(object, key, (int64_t)number);
}

void
control_add_flag(struct fjson_object *object, const char *key, bool flag)
{
	fjson_object_object_add(object, key, fjson_object_new_boolean(flag));
}

void
control_add_time(struct fjson_object *object, const char *key, int64_t time_us)
{
	if (time_us == BAN_PERMANENT || time_us == 0)
		fjson_object_object_add(object, key, NULL);
	else
		control_add_number(object, key, time_us / US);
}

static void
put_counters(struct fjson_object *object, const struct engine *engine)
{
	const struct engine_counters *count = &engine->count;
	struct fjson_object *matched = fjson_object_new_object();

	control_add_count(object, "messages", count->lines);
	control_add_count(object, "malformed", count->bad);
	control_add_count(object, "too_long", count->too_long);
	for (int i = 0; i < CLASS_COUNT; i++)
		control_add_count(
			matched, class_name((enum class)i), count->matched[i]);
	fjson_object_object_add(object, "matched", matched);
	control_add_count(object, "offences", count->offences);
	control_add_count(object, "messages_untrusted", count->untrusted);
	control_add_count(object, "duplicates", count->duplicates);
	control_add_count(object, "offences_while_banned", count->banned);
	control_add_count(object, "offences_exempt", count->exempt);
	control_add_count(
		object, "offences_without_address", count->no_address);
	control_add_count(object, "users_attacked", count->users_attacked);
	control_add_count(
		object, "match_limit_hits", rules_limit_hits(engine->rules));
	control_add_count(object, "bans_made", count->bans);
	control_add_count(object, "commits", count->commits);
	control_add_count(object, "commits_refused", count->commit_errors);
	control_add_count(object, "log_lines_dropped", log_dropped());
}

const char *
control_kernel_word(const struct kernel *kernel)
{
	if (!kernel)
		return "observe";
	switch (kernel_state(kernel)) {
	case KERNEL_DOWN:
		return "down";
	case KERNEL_SYNCING:
		return "syncing";
	case KERNEL_OFF:
		return "off";
	case KERNEL_UP:
		break;
	}
	return kernel_pending(kernel) ? "busy" : "up";
}

static void
put_health(struct fjson_object *object, const struct engine *engine)
{
	const struct kernel *kernel = engine->kernel;
	int ledger = ledger_error(engine->ledger);
	int journal = journal_error(engine->journal);

	control_add_text(object, "kernel", control_kernel_word(kernel));
	control_add_text(object, "kernel_trouble",
		kernel ? kernel_trouble(kernel) : NULL);
	control_add_count(
		object, "kernel_pending", kernel ? kernel_pending(kernel) : 0);
	control_add_count(object, "helper_restarts",
		kernel ? kernel_restarts(kernel) : 0);
	control_add_count(
		object, "table_healed", kernel ? kernel_healed(kernel) : 0);
	control_add_count(
		object, "ledger_backlog", ledger_backlog(engine->ledger));
	control_add_text(
		object, "ledger_trouble", ledger ? strerror(-ledger) : NULL);
	control_add_text(
		object, "journal_trouble", journal ? strerror(-journal) : NULL);
	control_add_text(object, "reload_error",
		engine->reload_error[0] ? engine->reload_error : NULL);
}

/* --- how much, of late --- */

static void
put_rate(struct fjson_object *rates, const struct engine *engine,
	const char *key, int64_t span_s)
{
	const struct rates_counts counts = engine_rates_counts(engine);
	int64_t covered_s;
	struct rates_counts within = rates_within(&engine->rates, &counts,
		engine_monotonic_s(), span_s, &covered_s);
	struct fjson_object *one = fjson_object_new_object();

	control_add_number(one, "seconds", covered_s);
	control_add_count(one, "messages", within.messages);
	control_add_count(one, "offences", within.offences);
	control_add_count(one, "bans", within.bans);
	fjson_object_object_add(rates, key, one);
}

static void
put_rates(struct fjson_object *object, const struct engine *engine)
{
	struct fjson_object *rates = fjson_object_new_object();

	put_rate(rates, engine, "now", 10);
	put_rate(rates, engine, "hour", 3600);
	put_rate(rates, engine, "day", 86400);
	fjson_object_object_add(object, "rates", rates);
}

/* --- bans, as we and as the kernel counts them --- */

static void
put_bans(struct fjson_object *object, const struct engine *engine,
	const struct snapshot *snapshot)
{
	struct fjson_object *classes = fjson_object_new_object();
	uint64_t count[CLASS_COUNT] = {0};
	const struct ban *ban;
	size_t cursor = 0;

	while ((ban = judge_next_ban(engine->judge, &cursor)))
		count[ban->class]++;
	for (int i = 0; i < CLASS_COUNT; i++)
		if (i != CLASS_LOGIN)
			control_add_count(classes,
				i == CLASS_NONE ? "by-hand"
						: class_name((enum class)i),
				count[i]);
	fjson_object_object_add(object, "bans_by_class", classes);
	if (!snapshot || snapshot_status(snapshot) < 0) {
		control_add_text(object, "kernel_bans", NULL);
		control_add_text(object, "packets_dropped", NULL);
		control_add_text(object, "bytes_dropped", NULL);
		return;
	}
	control_add_count(object, "kernel_bans", snapshot_count(snapshot));
	control_add_count(
		object, "packets_dropped", snapshot_packets(snapshot));
	control_add_count(object, "bytes_dropped", snapshot_bytes(snapshot));
}

/* A proxy that does not say who its clients are. */
static void
put_hidden(struct fjson_object *object, const struct engine *engine)
{
	char text[ADDR_STRLEN];
	struct addr addr;
	uint64_t offences;
	bool hidden = exempts_hidden(engine->exempts, &addr, &offences);

	control_add_text(object, "hidden_behind",
		hidden ? addr_format(&addr, text) : NULL);
	control_add_count(object, "hidden_offences", hidden ? offences : 0);
}

struct fjson_object *
control_status(const struct engine *engine, const struct snapshot *snapshot)
{
	struct fjson_object *object = fjson_object_new_object();

	control_add_text(object, "version", MAILBAN_VERSION);
	control_add_number(object, "pid", getpid());
	control_add_time(object, "since", engine->started_us);
	control_add_time(object, "last_message", engine->last_message_us);
	control_add_text(object, "mode",
		engine->config->observe ? "observe" : "enforce");
	control_add_text(object, "policy",
		engine->config->policy == RULES_DAILY_SCRIPT ? "daily-script"
							     : "balanced");
	control_add_count(object, "bans", judge_ban_count(engine->judge));
	control_add_count(object, "tallies", judge_tally_count(engine->judge));
	control_add_count(object, "memory_bytes", judge_memory(engine->judge));
	control_add_count(object, "rules", rules_count(engine->rules));
	control_add_text(object, "state", engine->config->state);
	control_add_text(object, "helper", engine->config->helper);
	control_add_count(object, "exempts", exempts_count(engine->exempts));
	put_bans(object, engine, snapshot);
	put_rates(object, engine);
	put_hidden(object, engine);
	put_counters(object, engine);
	put_health(object, engine);
	return object;
}
