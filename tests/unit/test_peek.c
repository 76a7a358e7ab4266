/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The first look at a line must never pass over what a rule matches: checked
 * with every example of every shipped rule, as rsyslog would send it.
 */
#include "plugin/inifile.h"
#include "plugin/message.h"
#include "plugin/rules.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct rules *rules;
static char program[256];
static size_t tried, passed_over;

static const char *
tree(const char *path)
{
	static char full[512];
	const char *top = getenv("srcdir");

	(void)snprintf(full, sizeof full, "%s/%s", top ? top : ".", path);
	return full;
}

/* As jsonf escapes. */
static void
put_escaped(char *out, size_t size, const char *text, size_t len)
{
	size_t at = 0;

	for (size_t i = 0; i < len && at + 3 < size; i++) {
		if (text[i] == '"' || text[i] == '\\' || text[i] == '/')
			out[at++] = '\\';
		out[at++] = text[i];
	}
	out[at] = '\0';
}

static size_t
line_of(char *line, size_t size, const char *tag, const char *msg, size_t len)
{
	char safe_tag[512], safe_msg[16384];

	put_escaped(safe_tag, sizeof safe_tag, tag, strlen(tag));
	put_escaped(safe_msg, sizeof safe_msg, msg, len);
	return (size_t)snprintf(line, size,
		"{\"time\":\"2026-11-25T10:00:00.000001+00:00\", "
		"\"reported\":\"2026-11-25T10:00:00.000001+00:00\", "
		"\"host\":\"mx1\", \"from\":\"127.0.0.1\", \"uid\":\"\", \"journal_uid\":\"\", \"tag\":\"%s\", "
		"\"msg\":\" %s\"}",
		safe_tag, safe_msg);
}

static void
check_span(struct span want, struct span got)
{
	assert_int_equal(want.len, got.len);
	assert_memory_equal(want.text, got.text, want.len);
}

/* A line of the template's shape is taken apart without a parser; with a blank
 * in front it has that shape no more. Both ways must say the same. */
static void
check_same(const char *line, size_t len)
{
	static char spaced[20001];
	struct message_reader *readers[] = {
		message_reader_new(), message_reader_new()};
	struct message a, b;
	int rc = message_parse_json(readers[0], line, len, 1, &a);

	assert_true(len + 1 <= sizeof spaced);
	spaced[0] = ' ';
	memcpy(spaced + 1, line, len);
	assert_int_equal(
		message_parse_json(readers[1], spaced, len + 1, 1, &b), rc);
	if (rc == 0) {
		assert_true(a.time_us == b.time_us);
		assert_true(a.reported_us == b.reported_us);
		assert_true(a.reported_fraction == b.reported_fraction);
		assert_true(a.repeat == b.repeat && a.own == b.own);
		check_span(b.host, a.host);
		check_span(b.from, a.from);
		check_span(b.tag, a.tag);
		check_span(b.program, a.program);
		check_span(b.pid, a.pid);
		check_span(b.msg, a.msg);
	}
	message_reader_free(readers[0]);
	message_reader_free(readers[1]);
}

/* Whether the look says that nothing can match, and whether something does that
 * makes a difference. */
static void
look(const char *tag, const char *msg, size_t len, bool *pass, bool *matches)
{
	static char line[20000];
	struct message_reader *reader = message_reader_new();
	struct message_peek peek;
	struct message message;
	struct match match;
	size_t size = line_of(line, sizeof line, tag, msg, len);

	*pass = message_peek(line, size, &peek) &&
		!rules_may_match(rules, peek.program, peek.msg);
	assert_int_equal(
		0, message_parse_json(reader, line, size, 1, &message));
	*matches = rules_match(rules, &message, &match) &&
		(match.class != CLASS_NONE || match.rule->accepts ||
			match.session.text);
	message_reader_free(reader);
	check_same(line, size);
}

/* "a*b" becomes a program that it matches. */
static void
take_program(const char *globs)
{
	size_t len = strcspn(globs, " \t"), at = 0;

	for (size_t i = 0; i < len && at + 1 < sizeof program; i++)
		if (globs[i] != '*')
			program[at++] = globs[i];
	program[at] = '\0';
}

static char *
each(const char *section, const char *name, const char *value, unsigned line,
	void *arg)
{
	const char *arrow = value, *next;
	char tag[300];
	bool pass, matches;

	(void)line;
	(void)arg;
	if (!strcmp(name, "program"))
		take_program(value);
	if (strcmp(name, "match") != 0 && strcmp(name, "nomatch") != 0)
		return NULL;
	for (next = value; (next = strstr(next, " -> ")); next++)
		arrow = next;
	if (arrow == value)
		arrow = value + strlen(value);
	(void)snprintf(tag, sizeof tag, "%s[12]:", program);
	look(tag, value, (size_t)(arrow - value), &pass, &matches);
	tried++;
	passed_over += pass;
	if (pass && matches)
		fail_msg("[%s] passed over: %s", section, value);
	return NULL;
}

static void
test_examples(void **state)
{
	DIR *dir = opendir(tree("rules"));
	const struct dirent *entry;
	char path[1024], *error = NULL;

	(void)state;
	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		if (!strstr(entry->d_name, ".rules"))
			continue;
		(void)snprintf(path, sizeof path, "%s/%s", tree("rules"),
			entry->d_name);
		if (inifile_read(path, false, each, NULL, &error) < 0)
			fail_msg("%s", error);
	}
	(void)closedir(dir);
	assert_true(tried > 300);
	/* It is of use: lines that a program also writes are passed over. */
	assert_true(passed_over > 0);
}

#define FRONT                                                                  \
	"{\"time\":\"t\", \"reported\":\"r\", \"host\":\"h\", "                \
	"\"from\":\"f\", \"uid\":\"\", \"journal_uid\":\"\", "

static const struct {
	const char *line;
	bool want;
	const char *program, *msg;
} lines[] = {
	{FRONT "\"tag\":\"postfix\\/smtpd[1]:\", "
	       "\"msg\":\" a b\"}",
		true, "postfix/smtpd", "a b"},
	{FRONT "\"tag\":\"a\\/b\\/c[1]:\", "
	       "\"msg\":\" \\\"x\\/\\\\y\\\\\"}",
		true, "a/b/c", "\\\"x\\/\\\\y\\\\"},
	{FRONT "\"tag\":\"\", \"msg\":\"\"}", true, "", ""},
	{FRONT "\"tag\":\"dovecot:\", \"msg\":\" "
	       "a \\\" b\"}",
		true, "dovecot", "a \\\" b"},
	/* What message.c may have to put together. */
	{FRONT "\"tag\":\"postfix\\/10.0.0.1:\", "
	       "\"msg\":\"submission\\/smtpd[2]: a\"}",
		false, NULL, NULL},
	{FRONT "\"tag\":\"a:\", \"msg\":\" "
	       "message repeated 2 "
	       "times: [ a]\"}",
		false, NULL, NULL},
	{FRONT "\"tag\":\"rsyslogd:\", "
	       "\"msg\":\" a\"}",
		false, NULL, NULL},
	{FRONT "\"tag\":\"a\\u0041:\", "
	       "\"msg\":\" a\"}",
		false, NULL, NULL},
	{FRONT "\"tag\":\"a:\", \"msg\":\" "
	       "a\\u0062c\"}",
		false, NULL, NULL},
	{FRONT "\"msg\":\" a\", \"tag\":\"a:\"}", false, NULL, NULL},
	{FRONT "\"tag\":\"a:\", \"msg\":\" a\", "
	       "\"x\":1}",
		false, NULL, NULL},
	{"{\"time\":\"x\"}", false, NULL, NULL},
	{"", false, NULL, NULL},
	{"no JSON at all", false, NULL, NULL},
};

static void
test_shapes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		struct message_peek peek;
		bool got = message_peek(
			lines[i].line, strlen(lines[i].line), &peek);

		if (got != lines[i].want)
			fail_msg("%s: %d", lines[i].line, got);
		if (!got)
			continue;
		assert_int_equal(strlen(lines[i].program), peek.program.len);
		assert_memory_equal(
			lines[i].program, peek.program.text, peek.program.len);
		assert_int_equal(strlen(lines[i].msg), peek.msg.len);
		assert_memory_equal(lines[i].msg, peek.msg.text, peek.msg.len);
	}
}

/* Each byte of each line becomes something else, or goes. */
static void
test_mutations(void **state)
{
	static const char bytes[] = "\"\\/ub:,{}\x01\x1f\x7f\xff";
	char copy[300];

	(void)state;
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		size_t len = strlen(lines[i].line);

		assert_true(len < sizeof copy);
		check_same(lines[i].line, len);
		for (size_t at = 0; at < len; at++) {
			memcpy(copy, lines[i].line, len);
			for (size_t j = 0; j < sizeof bytes; j++) {
				copy[at] = bytes[j];
				check_same(copy, len);
			}
			memmove(copy + at, copy + at + 1, len - at - 1);
			check_same(copy, len - 1);
		}
	}
}

/* Every truncation, in memory that ends there. */
static void
test_truncated(void **state)
{
	const char *line = lines[0].line;

	(void)state;
	for (size_t len = 0; len < strlen(line); len++) {
		char *copy = malloc(len + 1);
		struct message_peek peek;

		assert_non_null(copy);
		memcpy(copy, line, len);
		assert_false(message_peek(copy, len, &peek));
		free(copy);
	}
}

static int
load(void **state)
{
	const char *folder = tree("rules");
	char *error = NULL;

	(void)state;
	rules = rules_load(&folder, 1, RULES_BALANCED, &error);
	if (!rules)
		(void)fprintf(stderr, "%s\n", error);
	return rules ? 0 : -1;
}

static int
unload(void **state)
{
	(void)state;
	rules_free(rules);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_examples),
		cmocka_unit_test(test_shapes),
		cmocka_unit_test(test_mutations),
		cmocka_unit_test(test_truncated),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
