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
	fjson_object_object_add(
		object, key, text ? fjson_object_new_string(text) : NULL);
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

static const char *
kernel_word(const struct kernel *kernel)
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

	control_add_text(object, "kernel", kernel_word(kernel));
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
	control_add_text(object, "reload_error",
		engine->reload_error[0] ? engine->reload_error : NULL);
}

struct fjson_object *
control_status(const struct engine *engine)
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
	put_counters(object, engine);
	put_health(object, engine);
	return object;
}
