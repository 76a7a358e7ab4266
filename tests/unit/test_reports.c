/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What users of such programs reported, as they saw it in their logs: for each
 * line what the shipped rules make of it, how many attempts were made, and who
 * is banned in the end with the configuration as shipped. The cases are in
 * the .jsonl files of tests/unit/reports, one a line:
 *
 *   {"case": name, "config": text, "banned": [networks], "lines": [
 *     {"tag": t, "msg": m, "want": "class address count user",
 *      "attempts": a, "at": s, "every": s, "times": n, "host": h, "from": f},
 *     ...]}
 *
 * A line comes so many times, every so many seconds, from a second on; %d in
 * it stands for the number, from 1. "-" for no address; the user may be left
 * out. attempts: the sum over all times, after correlation; may be left out.
 */
#include "common/xalloc.h"
#include "plugin/config.h"
#include "plugin/correlate.h"

#include <json.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define S INT64_C(1000000)
#define BASE (INT64_C(1795600000) * S) /* November 2026 */

enum { CASES_MAX = 400, EVENTS_MAX = 4000 };

static const uint8_t key[16] = "sixteen bytes ok";
static struct rules *rules;

/* A line to come, of those of a case. */
struct event {
	struct fjson_object *line;
	size_t index; /* of the line in the case */
	int64_t at_us;
	int number; /* 1.. */
};

struct teller {
	const char *name;
	struct message_reader *reader;
	struct correlate *correlate;
	struct judge *judge;
	uint64_t attempts[64]; /* by line */
};

static const char *
text_of(struct fjson_object *object, const char *name, const char *otherwise)
{
	struct fjson_object *value;

	return fjson_object_object_get_ex(object, name, &value)
		       ? fjson_object_get_string(value)
		       : otherwise;
}

static int64_t
number_of(struct fjson_object *object, const char *name, int64_t otherwise)
{
	struct fjson_object *value;

	return fjson_object_object_get_ex(object, name, &value)
		       ? fjson_object_get_int64(value)
		       : otherwise;
}

static struct fjson_object *
array_of(struct fjson_object *object, const char *name)
{
	struct fjson_object *value;

	return fjson_object_object_get_ex(object, name, &value) ? value : NULL;
}

static size_t
length_of(struct fjson_object *array)
{
	return array ? (size_t)fjson_object_array_length(array) : 0;
}

static struct fjson_object *
item_of(struct fjson_object *array, size_t index)
{
	return fjson_object_array_get_idx(array, (int)index);
}

/* The text with %d filled in. */
static char *
numbered(const char *text, int number)
{
	const char *mark = strstr(text, "%d");

	if (!mark)
		return xstrdup(text);
	return xasprintf(
		"%.*s%d%s", (int)(mark - text), text, number, mark + 2);
}

/* As rsyslog's jsonf does. */
static char *
escaped(const char *text)
{
	char *out = xcalloc(strlen(text) * 4 + 1, 1), *to = out;

	for (; *text; text++)
		if (strchr("\"\\/", *text)) {
			*to++ = '\\';
			*to++ = *text;
		} else if ((unsigned char)*text < ' ') {
			to += snprintf(to, 5, "#%03o", (unsigned)*text);
		} else {
			*to++ = *text;
		}
	return out;
}

static char *
omprog_line(const struct event *event)
{
	char *msg = numbered(text_of(event->line, "msg", ""), event->number);
	char *safe = escaped(msg),
	     *tag = escaped(text_of(event->line, "tag", ""));
	char *line =
		xasprintf("{\"time\":\"\", \"reported\":\"\", \"host\":\"%s\", "
			  "\"from\":\"%s\", \"tag\":\"%s\", \"msg\":\" %s\"}",
			text_of(event->line, "host", "mx"),
			text_of(event->line, "from", "127.0.0.1"), tag, safe);

	free(msg);
	free(safe);
	free(tag);
	return line;
}

/* What came of it, in the words of "want"; as many as that has. */
static char *
outcome_of(const struct match *match, const struct message *message,
	const char *want)
{
	char address[ADDR_STRLEN] = "-";
	size_t blanks = 0;

	for (; *want; want++)
		blanks += *want == ' ';
	if (match->has_addr)
		(void)addr_format(&match->addr, address);
	if (blanks < 2)
		return xasprintf("%s %s", class_name(match->class), address);
	if (blanks < 3)
		return xasprintf("%s %s %u", class_name(match->class), address,
			match->count * message->repeat);
	return xasprintf("%s %s %u %.*s", class_name(match->class), address,
		match->count * message->repeat, (int)match->user.len,
		match->user.text ? match->user.text : "");
}

static void
check_outcome(const struct teller *teller, const struct event *event,
	const struct match *match, const struct message *message)
{
	char *want = numbered(text_of(event->line, "want", ""), event->number);
	char *got = outcome_of(match, message, want);

	if (strcmp(got, want) != 0)
		fail_msg("%s: %.*s\n  got  %s (%s)\n  want %s", teller->name,
			(int)message->msg.len, message->msg.text, got,
			match->rule ? match->rule->name : "no rule", want);
	free(want);
	free(got);
}

static void
judge(struct teller *teller, const struct event *event,
	const struct message *message, const struct match *match)
{
	struct offence offence = {.addr = match->addr,
		.class = match->class,
		.time_us = message->time_us,
		.user = match->user,
		.password = match->digest};
	struct judgement judgement;

	if (match->rule && match->rule->accepts && match->has_addr)
		judge_accepted(teller->judge, &match->addr, message->time_us);
	if (match->class == CLASS_LOGIN && match->has_addr)
		(void)judge_login(teller->judge, &match->addr, &match->user,
			message->time_us);
	if (match->class >= CLASS_OFFENCES || !match->has_addr)
		return;
	offence.count = correlate_attempts(teller->correlate, message, match);
	offence.weight_percent = match->rule->weight_percent;
	offence.unknown_user = match->rule->unknown_user;
	teller->attempts[event->index] += offence.count;
	if (offence.count)
		judge_offence(teller->judge, &offence, &judgement);
}

static void
tell(struct teller *teller, const struct event *event)
{
	char *line = omprog_line(event);
	struct message message;
	struct match match;

	assert_int_equal(message_parse_json(teller->reader, line, strlen(line),
				 event->at_us, &message),
		0);
	assert_int_equal(message.time_us, event->at_us);
	(void)rules_match(rules, &message, &match);
	correlate_session(teller->correlate, &message, &match);
	check_outcome(teller, event, &match, &message);
	judge(teller, event, &message, &match);
	free(line);
}

static int
by_time(const void *a, const void *b)
{
	const struct event *one = a, *other = b;

	if (one->at_us != other->at_us)
		return one->at_us < other->at_us ? -1 : 1;
	return one->index < other->index ? -1 : one->index > other->index;
}

static size_t
plan(struct fjson_object *lines, struct event events[EVENTS_MAX])
{
	size_t count = 0;

	for (size_t i = 0; i < length_of(lines); i++) {
		struct fjson_object *line = item_of(lines, i);
		int64_t at = number_of(line, "at", (int64_t)i);
		int64_t every = number_of(line, "every", 1);

		assert_true(i < 64);
		for (int n = 0; n < number_of(line, "times", 1); n++) {
			assert_true(count < EVENTS_MAX);
			events[count++] = (struct event){
				line, i, BASE + (at + every * n) * S, n + 1};
		}
	}
	qsort(events, count, sizeof(*events), by_time);
	return count;
}

static void
check_banned(const struct teller *teller, struct fjson_object *want)
{
	const struct ban *ban;
	size_t cursor = 0, bans = 0;
	char text[NETWORK_STRLEN];

	while ((ban = judge_next_ban(teller->judge, &cursor))) {
		bool wanted = false;

		(void)network_format(&ban->net, text);
		for (size_t i = 0; i < length_of(want); i++)
			wanted |= !strcmp(text,
				fjson_object_get_string(item_of(want, i)));
		if (!wanted)
			fail_msg("%s: %s is banned", teller->name, text);
		bans++;
	}
	if (bans != length_of(want))
		fail_msg("%s: %zu bans instead of %zu", teller->name, bans,
			length_of(want));
}

static struct config *
config_of(const char *text)
{
	char path[] = "/tmp/mailban-reports.XXXXXX", *error = NULL;
	int fd = mkstemp(path);
	struct config *config;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	config = config_load(path, &error);
	(void)close(fd);
	(void)unlink(path);
	if (!config)
		fail_msg("%s", error);
	return config;
}

static void
tell_case(void **state)
{
	static struct event events[EVENTS_MAX];
	struct fjson_object *object = *state, *lines;
	struct config *config = config_of(text_of(object, "config", ""));
	struct teller teller = {.name = text_of(object, "case", "?"),
		.reader = message_reader_new(),
		.correlate = correlate_new(key),
		.judge = judge_new(&config->judge, key)};
	size_t count;

	lines = array_of(object, "lines");
	count = plan(lines, events);
	assert_true(count > 0);
	for (size_t i = 0; i < count; i++)
		tell(&teller, &events[i]);
	for (size_t i = 0; i < length_of(lines); i++) {
		int64_t want = number_of(item_of(lines, i), "attempts", -1);

		if (want >= 0 && (uint64_t)want != teller.attempts[i])
			fail_msg("%s: line %zu: %llu attempts instead of %lld",
				teller.name, i + 1,
				(unsigned long long)teller.attempts[i],
				(long long)want);
	}
	check_banned(&teller, array_of(object, "banned"));
	message_reader_free(teller.reader);
	correlate_free(teller.correlate);
	judge_free(teller.judge);
	config_free(config);
}

static size_t
read_cases(const char *name, struct CMUnitTest *tests, size_t count)
{
	const char *top = getenv("srcdir");
	char *path = xasprintf(
		"%s/tests/unit/reports/%s.jsonl", top ? top : ".", name);
	FILE *file = fopen(path, "re");
	char *line = NULL;
	size_t size = 0;

	if (!file) {
		perror(path);
		exit(1);
	}
	while (getline(&line, &size, file) > 1) {
		struct fjson_object *object = fjson_tokener_parse(line);

		if (!object || count == CASES_MAX) {
			(void)fprintf(stderr, "%s: no JSON: %s", path, line);
			exit(1);
		}
		tests[count++] = (struct CMUnitTest){
			.name = text_of(object, "case", NULL),
			.test_func = tell_case,
			.initial_state = object};
	}
	free(line);
	(void)fclose(file);
	free(path);
	return count;
}

static void
load_rules(void)
{
	const char *top = getenv("srcdir");
	char *folder = xasprintf("%s/rules", top ? top : "."), *error = NULL;
	const char *folders[1] = {folder};

	rules = rules_load(folders, 1, RULES_BALANCED, &error);
	if (!rules) {
		(void)fprintf(stderr, "%s\n", error);
		exit(1);
	}
	free(folder);
}

int
main(void)
{
	static const char *const files[] = {
		"innocent", "missed", "forged", "ranges", "rsyslog"};
	static struct CMUnitTest tests[CASES_MAX];
	size_t count = 0;
	int failed;

	load_rules();
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		count = read_cases(files[i], tests, count);
	failed = _cmocka_run_group_tests("reports", tests, count, NULL, NULL);
	for (size_t i = 0; i < count; i++)
		fjson_object_put(tests[i].initial_state);
	rules_free(rules);
	return failed;
}
