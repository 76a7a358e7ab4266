/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mailban status: what is happening and what is wrong; where ommailban does not
 * run, what was known last.
 */
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "command/command.h"
#include "command/past.h"
#include "command/selftest.h"
#include "command/show.h"

enum { SILENT_S = 3600 };

static void
print_rate(struct fjson_object *status, const char *span, const char *key)
{
	struct fjson_object *one = member(member(status, "rates"), span);
	int64_t seconds = member_number(one, "seconds");
	double rate =
		seconds ? (double)member_number(one, key) / (double)seconds : 0;

	if (rate > 0 && rate < 0.1)
		(void)printf("%.2f/min", rate * 60);
	else
		(void)printf("%.1f/s", rate);
}

static void
print_rates(struct fjson_object *status, const char *key)
{
	print_rate(status, "now", key);
	(void)printf(" now, ");
	print_rate(status, "hour", key);
	(void)printf(" in the last hour, ");
	print_rate(status, "day", key);
	(void)printf(" in the last day\n");
}

static void
print_counts(struct fjson_object *status)
{
	char ago[SHOW_AGO_LEN];

	(void)printf("messages   ");
	print_rates(status, "messages");
	(void)printf("           %" PRId64 " since the start, last one %s\n",
		member_number(status, "messages"),
		show_ago(member_number(status, "last_message"), ago));
	(void)printf("offences   ");
	print_rates(status, "offences");
	(void)printf("           %" PRId64 " counted, %" PRId64
		     " of banned clients, %" PRId64 " exempt, %" PRId64
		     " without an address, %" PRId64 " sent twice\n",
		member_number(status, "offences"),
		member_number(status, "offences_while_banned"),
		member_number(status, "offences_exempt"),
		member_number(status, "offences_without_address"),
		member_number(status, "duplicates"));
	(void)printf("ignored    %" PRId64 " malformed, %" PRId64 " too long\n",
		member_number(status, "malformed"),
		member_number(status, "too_long"));
}

static void
print_classes(struct fjson_object *status)
{
	static const char *const names[] = {"auth-failure", "unknown-client",
		"rejected", "protocol-abuse", "spam", "by-hand"};
	struct fjson_object *classes = member(status, "bans_by_class");
	const char *before = ": ";

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		int64_t count = member_number(classes, names[i]);

		if (!count)
			continue;
		(void)printf("%s%" PRId64 " %s", before, count, names[i]);
		before = ", ";
	}
}

static void
print_bans(struct fjson_object *status)
{
	struct fjson_object *rates = member(status, "rates");
	char bytes[SHOW_TIME_LEN];

	(void)printf("bans       %" PRId64 " in force",
		member_number(status, "bans"));
	print_classes(status);
	(void)printf("\n           %" PRId64 " made since the start, %" PRId64
		     " in the last hour, %" PRId64 " in the last day\n",
		member_number(status, "bans_made"),
		member_number(member(rates, "hour"), "bans"),
		member_number(member(rates, "day"), "bans"));
	(void)printf("kernel     %s", member_text(status, "kernel"));
	if (!member_is_null(status, "kernel_bans"))
		(void)printf(", %" PRId64 " bans, %" PRId64
			     " packets dropped (%s)",
			member_number(status, "kernel_bans"),
			member_number(status, "packets_dropped"),
			show_bytes(
				member_number(status, "bytes_dropped"), bytes));
	(void)printf(", %" PRId64 " pending, table mended %" PRId64 " times\n",
		member_number(status, "kernel_pending"),
		member_number(status, "table_healed"));
}

/* --- trouble --- */

static void
trouble(const char *what, const char *text, const char *hint)
{
	(void)printf("%strouble%s    %s: %s\n", show_style(SHOW_BAD),
		show_style(SHOW_PLAIN), what, text);
	if (hint)
		(void)printf("           %s\n", hint);
}

static const char *
hint_of(struct fjson_object *status, const char *key)
{
	const char *kernel = member_text(status, "kernel");

	if (strcmp(key, "kernel_trouble"))
		return NULL;
	if (!strcmp(kernel, "down"))
		return "no new ban is in force until mailban-nft runs again; "
		       "it is tried every few seconds";
	if (!strcmp(kernel, "syncing"))
		return "bans are being brought into the kernel";
	return NULL;
}

static void
print_silence(struct fjson_object *status)
{
	int64_t last = member_number(status, "last_message");
	char ago[SHOW_AGO_LEN], text[80];

	if (!last)
		last = member_number(status, "since");
	if ((int64_t)time(NULL) - last < SILENT_S)
		return;
	(void)snprintf(text, sizeof(text), "the last one came %s",
		show_ago(member_number(status, "last_message"), ago));
	trouble("no messages", text,
		"does mail logging reach rsyslog? postconf -h maillog_file "
		"must be empty; doveconf -h log_path must be syslog");
}

static void
print_trouble(struct fjson_object *status)
{
	static const struct {
		const char *key, *what, *hint;
	} troubles[] = {{"kernel_trouble", "kernel", NULL},
		{"ledger_trouble", "ledger",
			"bans go on; what happens is kept in the journal "
			"until the ledger can be written"},
		{"journal_trouble", "journal",
			"rsyslog is kept waiting until it can be written"},
		{"reload_error", "reload", "the old settings stay in force"}};
	char text[160];

	for (size_t i = 0; i < sizeof(troubles) / sizeof(troubles[0]); i++)
		if (!member_is_null(status, troubles[i].key))
			trouble(troubles[i].what,
				member_text(status, troubles[i].key),
				troubles[i].hint
					? troubles[i].hint
					: hint_of(status, troubles[i].key));
	if (!member_is_null(status, "hidden_behind")) {
		(void)snprintf(text, sizeof(text),
			"%s is exempt, and most offences come from it (%" PRId64
			")",
			member_text(status, "hidden_behind"),
			member_number(status, "hidden_offences"));
		trouble("proxy", text,
			"clients hide behind it: have it tell who they are "
			"(PROXY protocol, XCLIENT, login_trusted_networks)");
	}
	if (!strcmp(member_text(status, "kernel"), "off"))
		trouble("off", "nobody is dropped", "mailban on");
	if (member_number(status, "log_lines_dropped") > 0)
		(void)printf("           %" PRId64
			     " own log lines were dropped\n",
			member_number(status, "log_lines_dropped"));
	print_silence(status);
}

static void
print_status(struct fjson_object *status)
{
	const char *mode = member_text(status, "mode");
	char ago[SHOW_AGO_LEN], memory[SHOW_TIME_LEN];

	(void)printf("running    ommailban %s, process %" PRId64 ", since %s\n",
		member_text(status, "version"), member_number(status, "pid"),
		show_ago(member_number(status, "since"), ago));
	(void)printf("mode       %s%s, policy %s, %" PRId64 " rules\n", mode,
		strcmp(mode, "observe") ? ""
					: " (nobody is dropped by the kernel)",
		member_text(status, "policy"), member_number(status, "rules"));
	print_bans(status);
	print_counts(status);
	(void)printf("memory     %s for %" PRId64 " tallies; %" PRId64
		     " exempt networks\n",
		show_bytes(member_number(status, "memory_bytes"), memory),
		member_number(status, "tallies"),
		member_number(status, "exempts"));
	print_trouble(status);
}

/* --- not running --- */

static void
add_last_known(struct fjson_object *status, const char *state)
{
	const char *why = NULL;
	struct past *past = past_open(state, &why);
	int64_t now_s = (int64_t)time(NULL);
	struct fjson_object *rows;

	add_text(status, "ledger_trouble", why);
	if (!past)
		return;
	rows = past_rows(past,
		"SELECT ifnull(nullif(class, 'none'), 'by-hand') AS class,"
		" count(*) AS count FROM ban WHERE lifted_us IS NULL"
		" AND superseded_us IS NULL AND (ends_us IS NULL"
		" OR ends_us > ?1 * 1000000) GROUP BY 1",
		&now_s, 1);
	fjson_object_object_add(status, "bans_by_class", rows);
	rows = past_rows(past,
		"SELECT max((SELECT ifnull(max(time_us), 0) FROM offence),"
		" (SELECT ifnull(max(begins_us), 0) FROM ban)) / 1000000"
		" AS last, (SELECT count(*) FROM offence"
		" WHERE time_us > (?1 - 86400) * 1000000) AS offences_day",
		&now_s, 1);
	if (rows)
		fjson_object_object_add(status, "last_known",
			fjson_object_get(fjson_object_array_get_idx(rows, 0)));
	fjson_object_put(rows);
	past_close(past);
}

static void
print_last_known(struct fjson_object *status)
{
	struct fjson_object *classes = member(status, "bans_by_class");
	struct fjson_object *last = member(status, "last_known");
	char ago[SHOW_AGO_LEN];

	(void)printf("%snot running%s: systemctl restart rsyslog, then see "
		     "/var/log/ommailban.log\n",
		show_style(SHOW_BAD), show_style(SHOW_PLAIN));
	if (!member_is_null(status, "ledger_trouble")) {
		(void)printf("ledger     can't be read: %s\n",
			member_text(status, "ledger_trouble"));
		return;
	}
	(void)printf("last       %s was the last offence or ban; %" PRId64
		     " offences in the last day\n",
		show_ago(member_number(last, "last"), ago),
		member_number(last, "offences_day"));
	for (int i = 0; classes && i < fjson_object_array_length(classes);
		i++) {
		struct fjson_object *one =
			fjson_object_array_get_idx(classes, i);

		(void)printf("bans       %" PRId64
			     " %s in force by the ledger\n",
			member_number(one, "count"), member_text(one, "class"));
	}
	(void)puts("kernel     bans that it has stay in force until they are "
		   "over: nft list table inet mailban");
}

static int
status_not_running(const struct arguments *arguments)
{
	struct config *config = offline_config(arguments);
	struct fjson_object *status = fjson_object_new_object();

	if (!config)
		config = config_new();
	fjson_object_object_add(status, "running", fjson_object_new_boolean(0));
	fjson_object_object_add(
		status, "selftest", selftest(arguments, config, NULL));
	add_last_known(status, config->state);
	if (arguments->json) {
		print_object(status);
	} else {
		print_last_known(status);
		selftest_print(member(status, "selftest"));
	}
	fjson_object_put(status);
	config_free(config);
	return STATUS_NOT_RUNNING;
}

int
command_status(const struct arguments *arguments)
{
	struct fjson_object *status = NULL;
	struct config *config;
	int rc = ask_if_running(
		arguments, request_of("status"), keep_object, &status);

	if (rc == STATUS_NOT_RUNNING)
		return status_not_running(arguments);
	if (rc != STATUS_DONE || !status)
		return rc;
	config = config_new();
	fjson_object_object_add(status, "running", fjson_object_new_boolean(1));
	fjson_object_object_add(
		status, "selftest", selftest(arguments, config, status));
	if (arguments->json) {
		print_object(status);
	} else {
		print_status(status);
		selftest_print(member(status, "selftest"));
	}
	config_free(config);
	fjson_object_put(status);
	return rc;
}
