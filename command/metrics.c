/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mailban metrics: figures in Prometheus' text format, to be printed or to be
 * put where node_exporter's textfile collector finds them. Names and units
 * follow Prometheus' conventions; no label ever names an address, a user or
 * anything else that an attacker chooses.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command/command.h"
#include "common/xalloc.h"

static const char *const classes[] = {"auth-failure", "unknown-client",
	"rejected", "protocol-abuse", "spam", "login", "none", "by-hand"};
enum { CLASSES = sizeof(classes) / sizeof(classes[0]) };

struct metric {
	const char *name, *type, *help;
	const char *key;   /* of status */
	const char *label; /* key is an object by it; or NULL */
};

static const struct metric metrics[] = {
	{"mailban_start_time_seconds", "gauge",
		"When ommailban was started, since the epoch.", "since", NULL},
	{"mailban_last_message_time_seconds", "gauge",
		"When the last message came, since the epoch.", "last_message",
		NULL},
	{"mailban_messages_total", "counter", "Messages from rsyslog.",
		"messages", NULL},
	{"mailban_messages_malformed_total", "counter",
		"Messages that were no JSON object with msg.", "malformed",
		NULL},
	{"mailban_messages_too_long_total", "counter",
		"Messages that were too long.", "too_long", NULL},
	{"mailban_messages_matched_total", "counter",
		"Messages by the class that the rules gave them.", "matched",
		"class"},
	{"mailban_offences_total", "counter", "Offences that were counted.",
		"offences", NULL},
	{"mailban_offences_duplicate_total", "counter",
		"Offences that rsyslog sent again, not counted.", "duplicates",
		NULL},
	{"mailban_offences_banned_total", "counter",
		"Offences of clients that were banned already.",
		"offences_while_banned", NULL},
	{"mailban_offences_exempt_total", "counter",
		"Offences of networks that are never banned.",
		"offences_exempt", NULL},
	{"mailban_offences_without_address_total", "counter",
		"Offences without a literal address.",
		"offences_without_address", NULL},
	{"mailban_users_attacked_total", "counter",
		"Times that a user came under attack from many clients.",
		"users_attacked", NULL},
	{"mailban_bans_total", "counter", "Bans that were judged.", "bans_made",
		NULL},
	{"mailban_bans", "gauge", "Bans in force.", "bans_by_class", "class"},
	{"mailban_kernel_bans", "gauge", "Bans that the kernel has in force.",
		"kernel_bans", NULL},
	{"mailban_kernel_dropped_packets", "gauge",
		"Packets dropped, of the bans in force.", "packets_dropped",
		NULL},
	{"mailban_kernel_dropped_bytes", "gauge",
		"Bytes dropped, of the bans in force.", "bytes_dropped", NULL},
	{"mailban_kernel_pending_requests", "gauge",
		"Requests to mailban-nft that are not answered yet.",
		"kernel_pending", NULL},
	{"mailban_helper_restarts_total", "counter",
		"Times that mailban-nft was started again.", "helper_restarts",
		NULL},
	{"mailban_table_healed_total", "counter",
		"Times that the kernel table was damaged and mended.",
		"table_healed", NULL},
	{"mailban_ledger_backlog_segments", "gauge",
		"Journal segments that are not yet in the ledger.",
		"ledger_backlog", NULL},
	{"mailban_commits_total", "counter", "Transactions of rsyslog.",
		"commits", NULL},
	{"mailban_commits_refused_total", "counter",
		"Transactions that could not be made durable.",
		"commits_refused", NULL},
	{"mailban_tallies", "gauge", "Clients and classes that are counted.",
		"tallies", NULL},
	{"mailban_memory_bytes", "gauge", "Memory for counting and bans.",
		"memory_bytes", NULL},
	{"mailban_rules", "gauge", "Rules in use.", "rules", NULL},
	{"mailban_log_lines_dropped_total", "counter",
		"Own log lines that were not taken at once.",
		"log_lines_dropped", NULL},
};
enum { METRICS = sizeof(metrics) / sizeof(metrics[0]) };

static void
print_head(FILE *to, const char *name, const char *type, const char *help)
{
	(void)fprintf(
		to, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void
print_metric(FILE *to, const struct metric *metric, struct fjson_object *status)
{
	struct fjson_object *value = member(status, metric->key);

	if (!value)
		return; /* not known now: no sample */
	print_head(to, metric->name, metric->type, metric->help);
	if (!metric->label) {
		(void)fprintf(to, "%s %" PRId64 "\n", metric->name,
			fjson_object_get_int64(value));
		return;
	}
	for (int i = 0; i < CLASSES; i++)
		if (member(value, classes[i]))
			(void)fprintf(to, "%s{%s=\"%s\"} %" PRId64 "\n",
				metric->name, metric->label, classes[i],
				member_number(value, classes[i]));
}

static bool
is_word(struct fjson_object *status, const char *key, const char *word)
{
	return !strcmp(member_text(status, key), word);
}

static void
print_metrics(FILE *to, struct fjson_object *status)
{
	print_head(to, "mailban_up", "gauge",
		"Whether ommailban runs and answers.");
	(void)fprintf(to, "mailban_up %d\n", status != NULL);
	if (!status)
		return;
	print_head(to, "mailban_enforcing", "gauge",
		"Whether the kernel drops whom is banned: mode is enforce, and "
		"mailban-nft is well.");
	(void)fprintf(to, "mailban_enforcing %d\n",
		is_word(status, "mode", "enforce") &&
			(is_word(status, "kernel", "up") ||
				is_word(status, "kernel", "busy")));
	print_head(to, "mailban_degraded", "gauge",
		"Whether something is wrong: see mailban status.");
	(void)fprintf(to, "mailban_degraded{part=\"kernel\"} %d\n",
		!member_is_null(status, "kernel_trouble"));
	(void)fprintf(to, "mailban_degraded{part=\"ledger\"} %d\n",
		!member_is_null(status, "ledger_trouble"));
	(void)fprintf(to, "mailban_degraded{part=\"journal\"} %d\n",
		!member_is_null(status, "journal_trouble"));
	(void)fprintf(to, "mailban_degraded{part=\"reload\"} %d\n",
		!member_is_null(status, "reload_error"));
	for (int i = 0; i < METRICS; i++)
		print_metric(to, &metrics[i], status);
}

/* Under another name first, so that nobody ever reads half of it. The
 * collector takes only *.prom. */
static int
write_file(const char *path, struct fjson_object *status)
{
	char *new = xasprintf("%s.XXXXXX", path);
	int fd = mkostemp(new, O_CLOEXEC), rc = STATUS_DONE;
	FILE *to = fd < 0 ? NULL : fdopen(fd, "w");

	if (!to) {
		rc = complain(STATUS_USAGE, "%s: %s", path, strerror(errno));
		free(new);
		return rc;
	}
	print_metrics(to, status);
	if (fchmod(fd, 0644) < 0 || fflush(to) != 0 || fsync(fd) < 0 ||
		rename(new, path) < 0)
		rc = complain(STATUS_USAGE, "%s: %s", path, strerror(errno));
	(void)fclose(to);
	if (rc != STATUS_DONE)
		(void)unlink(new);
	free(new);
	return rc;
}

int
command_metrics(const struct arguments *arguments)
{
	struct fjson_object *status = NULL;
	int rc = ask_if_running(
		arguments, request_of("status"), keep_object, &status);

	/* That it does not run is a figure, too. */
	if (rc != STATUS_DONE && rc != STATUS_NOT_RUNNING)
		return rc;
	if (arguments->textfile)
		rc = write_file(arguments->textfile, status);
	else
		print_metrics(stdout, status);
	fjson_object_put(status);
	return rc;
}
