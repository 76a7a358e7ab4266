/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the ledger holds of a day, a week or a month, added up.
 */
#include "command/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "command/command.h"
#include "command/past.h"

static const struct period {
	const char *name;
	int64_t span_s, step_s;
} periods[] = {{"day", 86400, 3600}, {"week", 7 * 86400, 21600},
	{"month", 30 * 86400, 86400}};

/* Both bounds are seconds: ?1 from, ?2 to. */
#define WITHIN "time_us >= ?1 * 1000000 AND time_us < ?2 * 1000000"
#define BEGUN "begins_us >= ?1 * 1000000 AND begins_us < ?2 * 1000000"
#define PROGRAM                                                                \
	"rtrim(substr(tag, 1, CASE instr(tag, '[') WHEN 0 THEN length(tag)"    \
	" ELSE instr(tag, '[') - 1 END), ':')"

static const struct {
	const char *key, *sql;
} questions[] = {
	{"classes", "SELECT class AS name, sum(count) AS offences,"
		    " count(DISTINCT client_key) AS clients,"
		    " (SELECT count(*) FROM ban WHERE ban.class ="
		    " offence.class AND " BEGUN ") AS bans FROM offence"
		    " WHERE " WITHIN " GROUP BY class ORDER BY 2 DESC"},
	{"programs", "SELECT " PROGRAM " AS name, sum(count) AS offences,"
		     " count(DISTINCT client_key) AS clients FROM offence"
		     " WHERE " WITHIN " GROUP BY 1 ORDER BY 2 DESC LIMIT 12"},
	{"hosts", "SELECT host AS name, sum(count) AS offences,"
		  " count(DISTINCT client_key) AS clients FROM offence"
		  " WHERE " WITHIN " GROUP BY 1 ORDER BY 2 DESC LIMIT 12"},
	{"users", "SELECT user AS name, sum(count) AS offences,"
		  " count(DISTINCT client_key) AS clients FROM offence"
		  " WHERE " WITHIN " AND user IS NOT NULL AND user != ''"
		  " GROUP BY 1 ORDER BY 2 DESC LIMIT 15"},
	{"clients", "SELECT client AS name, sum(count) AS offences,"
		    " max(time_us) / 1000000 AS last FROM offence WHERE " WITHIN
		    " GROUP BY client_key ORDER BY 2 DESC LIMIT 15"},
	{"networks", "SELECT hex(CASE substr(client_key, 1, 1) WHEN x'04'"
		     " THEN substr(client_key, 1, 4)"
		     " ELSE substr(client_key, 1, 7) END) AS name,"
		     " sum(count) AS offences,"
		     " count(DISTINCT client_key) AS clients FROM offence"
		     " WHERE " WITHIN " GROUP BY 1 ORDER BY 2 DESC LIMIT 12"},
	{"repeaters", "SELECT network AS name, count(*) AS bans,"
		      " max(level) AS level, max(begins_us) / 1000000 AS last"
		      " FROM ban WHERE " BEGUN " AND class != 'none'"
		      " GROUP BY network_key HAVING count(*) > 1"
		      " OR max(level) > 0 ORDER BY 3 DESC, 2 DESC LIMIT 15"},
};
enum { QUESTIONS = sizeof(questions) / sizeof(questions[0]) };

static const struct report_table tables[] = {
	{"classes", "By class",
		{{"name", "class", false}, {"offences", "offences", true},
			{"clients", "clients", true}, {"bans", "bans", true}}},
	{"programs", "By software",
		{{"name", "program", false}, {"offences", "offences", true},
			{"clients", "clients", true}}},
	{"hosts", "By host",
		{{"name", "host", false}, {"offences", "offences", true},
			{"clients", "clients", true}}},
	{"users", "Users most attacked",
		{{"name", "user", false}, {"offences", "offences", true},
			{"clients", "from clients", true}}},
	{"clients", "Clients",
		{{"name", "client", false}, {"offences", "offences", true}}},
	{"networks", "Networks (/24, /48)",
		{{"name", "network", false}, {"offences", "offences", true},
			{"clients", "clients", true}}},
	{"repeaters", "Repeat offenders",
		{{"name", "client", false}, {"bans", "bans", true},
			{"level", "bans before", true}}},
};
enum { TABLES = sizeof(tables) / sizeof(tables[0]) };

const struct report_table *
report_table_at(size_t index)
{
	return index < TABLES ? &tables[index] : NULL;
}

void
report_label(struct fjson_object *report, int bucket, char out[16])
{
	int64_t step_s = member_number(report, "step_s");
	time_t at = (time_t)(member_number(report, "from") + bucket * step_s);
	struct tm tm;

	out[0] = '\0';
	if (!localtime_r(&at, &tm))
		return;
	if (step_s < 21600)
		(void)strftime(out, 16, "%Hh", &tm);
	else if (step_s < 86400)
		(void)strftime(out, 16, "%a %d %Hh", &tm);
	else
		(void)strftime(out, 16, "%d %b", &tm);
}

int64_t
report_most(struct fjson_object *report, const char *key)
{
	struct fjson_object *buckets = member(report, "buckets");
	int64_t most = 1;

	for (int i = 0; i < fjson_object_array_length(buckets); i++) {
		int64_t one = member_number(
			fjson_object_array_get_idx(buckets, i), key);

		if (one > most)
			most = one;
	}
	return most;
}

/* --- finding out --- */

static void
fill_buckets(struct fjson_object *buckets, struct fjson_object *rows,
	const char *key)
{
	for (int i = 0; rows && i < fjson_object_array_length(rows); i++) {
		struct fjson_object *row = fjson_object_array_get_idx(rows, i);
		int64_t at = member_number(row, "bucket");

		if (at >= 0 && at < fjson_object_array_length(buckets))
			add_number(fjson_object_array_get_idx(buckets, (int)at),
				key, member_number(row, "count"));
	}
	fjson_object_put(rows);
}

static void
add_buckets(struct fjson_object *report, struct past *past,
	const struct period *period, const int64_t bounds[3])
{
	struct fjson_object *buckets = fjson_object_new_array();

	for (int64_t i = 0; i < period->span_s / period->step_s; i++) {
		struct fjson_object *bucket = fjson_object_new_object();

		add_number(bucket, "offences", 0);
		add_number(bucket, "bans", 0);
		fjson_object_array_add(buckets, bucket);
	}
	fill_buckets(buckets,
		past_rows(past,
			"SELECT (time_us / 1000000 - ?1) / ?3 AS bucket,"
			" sum(count) AS count FROM offence WHERE " WITHIN
			" GROUP BY 1",
			bounds, 3),
		"offences");
	fill_buckets(buckets,
		past_rows(past,
			"SELECT (begins_us / 1000000 - ?1) / ?3 AS bucket,"
			" count(*) AS count FROM ban WHERE " BEGUN
			" GROUP BY 1",
			bounds, 3),
		"bans");
	fjson_object_object_add(report, "buckets", buckets);
	add_number(report, "step_s", period->step_s);
}

static int
digit(char c)
{
	return c <= '9' ? c - '0' : c - 'A' + 10;
}

/* The leading bytes of a key, in hex, as the network that they are. */
static void
name_network(struct fjson_object *row)
{
	const char *hex = member_text(row, "name");
	struct addr addr = {.family = ADDR_V4};
	size_t len = strlen(hex) / 2;
	struct network net;
	char text[NETWORK_STRLEN];

	if (len != 4 && len != 7)
		return;
	addr.family = len == 4 ? ADDR_V4 : ADDR_V6;
	for (size_t i = 1; i < len; i++)
		addr.bytes[i - 1] = (uint8_t)(digit(hex[2 * i]) * 16 +
					      digit(hex[2 * i + 1]));
	net = network_of(&addr, len == 4 ? 24 : 48);
	add_text(row, "name", network_format(&net, text));
}

static struct fjson_object *
first_of(struct fjson_object *rows)
{
	struct fjson_object *row =
		rows && fjson_object_array_length(rows)
			? fjson_object_get(fjson_object_array_get_idx(rows, 0))
			: fjson_object_new_object();

	fjson_object_put(rows);
	return row;
}

struct fjson_object *
report_rows(struct past *past, const char *key, int64_t from_s, int64_t to_s)
{
	int64_t bounds[2] = {from_s, to_s};
	struct fjson_object *rows = NULL;

	for (size_t i = 0; i < QUESTIONS; i++)
		if (!strcmp(key, questions[i].key))
			rows = past_rows(past, questions[i].sql, bounds, 2);
	if (!rows)
		return fjson_object_new_array();
	for (int i = 0;
		!strcmp(key, "networks") && i < fjson_object_array_length(rows);
		i++)
		name_network(fjson_object_array_get_idx(rows, i));
	return rows;
}

static struct fjson_object *
find_out(struct past *past, const struct period *period)
{
	struct fjson_object *report = fjson_object_new_object();
	int64_t now_s = (int64_t)time(NULL);
	/* The last bucket is the one that is not over yet. */
	int64_t to_s = now_s - now_s % period->step_s + period->step_s;
	int64_t bounds[3] = {to_s - period->span_s, to_s, period->step_s};

	add_text(report, "period", period->name);
	add_number(report, "from", bounds[0]);
	add_number(report, "to", now_s);
	add_buckets(report, past, period, bounds);
	fjson_object_object_add(report, "totals",
		first_of(past_rows(past,
			"SELECT (SELECT ifnull(sum(count), 0) FROM offence"
			" WHERE " WITHIN ") AS offences,"
			" (SELECT count(DISTINCT client_key) FROM offence"
			" WHERE " WITHIN ") AS clients,"
			" (SELECT count(*) FROM ban WHERE " BEGUN ") AS bans,"
			" (SELECT count(*) FROM ban WHERE " BEGUN
			" AND origin != 'local') AS by_hand,"
			" (SELECT count(*) FROM lift WHERE " WITHIN
			") AS lifts",
			bounds, 2)));
	for (size_t i = 0; i < QUESTIONS; i++)
		fjson_object_object_add(report, questions[i].key,
			report_rows(
				past, questions[i].key, bounds[0], bounds[1]));
	return report;
}

/* --- the command --- */

static const struct period *
period_of(const struct arguments *arguments)
{
	const char *name = arguments->word_count ? arguments->words[0] : "day";

	for (size_t i = 0; i < sizeof(periods) / sizeof(periods[0]); i++)
		if (!strcmp(name, periods[i].name))
			return &periods[i];
	return NULL;
}

static int
tell(const struct arguments *arguments, struct fjson_object *report, FILE *html)
{
	if (html)
		report_html(html, report);
	else if (arguments->json)
		print_object(report);
	else
		report_text(stdout, report);
	if (html && fflush(html) != 0)
		return complain(STATUS_USAGE, "%s: %s", arguments->html,
			strerror(errno));
	return STATUS_DONE;
}

/* Where the ledger is: the running ommailban knows best. */
static struct past *
open_past(const struct arguments *arguments, struct fjson_object *status,
	const char **why)
{
	struct config *config;
	struct past *past;

	if (member_text(status, "state")[0])
		return past_open(member_text(status, "state"), why);
	config = offline_config(arguments);
	if (!config)
		config = config_new();
	past = past_open(config->state, why);
	config_free(config);
	return past;
}

static int
report_on(const struct arguments *arguments, const struct period *period,
	FILE *html)
{
	struct fjson_object *status = NULL, *report;
	const char *why = NULL;
	struct past *past;
	int rc = ask_if_running(
		arguments, request_of("status"), keep_object, &status);

	if (rc != STATUS_DONE && rc != STATUS_NOT_RUNNING)
		return rc;
	past = open_past(arguments, status, &why);
	if (!past) {
		fjson_object_put(status);
		return complain(
			STATUS_REFUSED, "the ledger can't be read: %s", why);
	}
	report = find_out(past, period);
	past_close(past);
	fjson_object_object_add(report, "status", status);
	rc = tell(arguments, report, html);
	fjson_object_put(report);
	return rc;
}

int
command_report(const struct arguments *arguments)
{
	const struct period *period = period_of(arguments);
	FILE *html = NULL;
	int rc;

	if (!period)
		return complain(STATUS_USAGE, "report: day, week or month");
	/* Before root is given up for the ledger. */
	if (arguments->html && !(html = fopen(arguments->html, "we")))
		return complain(STATUS_USAGE, "%s: %s", arguments->html,
			strerror(errno));
	rc = report_on(arguments, period, html);
	if (html && fclose(html) != 0 && rc == STATUS_DONE)
		rc = complain(STATUS_USAGE, "%s: %s", arguments->html,
			strerror(errno));
	return rc;
}
