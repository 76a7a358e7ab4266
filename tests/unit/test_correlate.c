/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One failure is one failure: what several lines of one attempt, and several
 * attempts in one line, add up to.
 */
#include "plugin/correlate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define S INT64_C(1000000)

static const uint8_t hash_key[16] = {7};

static const struct rule attempt = {.name = "attempt",
	.class = CLASS_AUTH_FAILURE,
	.reports = REPORTS_ATTEMPT};
static const struct rule summary = {.name = "summary",
	.class = CLASS_AUTH_FAILURE,
	.reports = REPORTS_SESSION};
static const struct rule backend = {.name = "backend",
	.class = CLASS_AUTH_FAILURE,
	.reports = REPORTS_BACKEND};
static const struct rule worker = {.name = "worker",
	.class = CLASS_AUTH_FAILURE,
	.reports = REPORTS_WORKER};

static const struct rule doubled = {
	.name = "doubled", .class = CLASS_REJECTED, .doubled = true};

/* A line of a story: who wrote it, of which session, about whom, how many
 * attempts, when; and how many are new. */
struct line {
	const struct rule *rule;
	const char *tag, *session, *address;
	uint32_t count, repeat;
	int64_t time_s;
	uint32_t want;
};

struct story {
	const char *name;
	struct line lines[8];
};

static const struct story stories[] = {
	{"Postfix: three warnings, then the summary of three",
		{{&attempt, "smtpd[1]:", NULL, "192.0.2.1", 1, 1, 0, 1},
			{&attempt, "smtpd[1]:", NULL, "192.0.2.1", 1, 1, 1, 1},
			{&attempt, "smtpd[1]:", NULL, "192.0.2.1", 1, 1, 2, 1},
			{&summary, "smtpd[1]:", NULL, "192.0.2.1", 3, 1, 3,
				0}}},
	{"Postfix: only the summary",
		{{&summary, "smtpd[1]:", NULL, "192.0.2.1", 2, 1, 0, 2}}},
	{"Postfix: one warning was lost",
		{{&attempt, "smtpd[1]:", NULL, "192.0.2.1", 1, 1, 0, 1},
			{&summary, "smtpd[1]:", NULL, "192.0.2.1", 2, 1, 1,
				1}}},
	{"a process serves the same client again, without warnings",
		{{&attempt, "smtpd[1]:", NULL, "192.0.2.1", 1, 1, 0, 1},
			{&summary, "smtpd[1]:", NULL, "192.0.2.1", 1, 1, 1, 0},
			{&summary, "smtpd[1]:", NULL, "192.0.2.1", 1, 1, 2,
				1}}},
	{"two processes",
		{{&attempt, "smtpd[1]:", NULL, "192.0.2.1", 1, 1, 0, 1},
			{&summary, "smtpd[2]:", NULL, "192.0.2.1", 1, 1, 1,
				1}}},
	{"two clients of one process",
		{{&attempt, "smtpd[1]:", NULL, "192.0.2.1", 1, 1, 0, 1},
			{&summary, "smtpd[1]:", NULL, "192.0.2.2", 1, 1, 1,
				1}}},
	{"folded warnings",
		{{&attempt, "smtpd[1]:", NULL, "192.0.2.1", 1, 1, 0, 1},
			{&attempt, "smtpd[1]:", NULL, "192.0.2.1", 1, 2, 1, 2},
			{&summary, "smtpd[1]:", NULL, "192.0.2.1", 3, 1, 2,
				0}}},
	{"Dovecot: auth and auth-worker for each, then the login service",
		{{&worker, "dovecot:", "a", "192.0.2.1", 1, 1, 0, 1},
			{&backend, "dovecot:", "a", "192.0.2.1", 1, 1, 0, 0},
			{&worker, "dovecot:", "a", "192.0.2.1", 1, 1, 3, 1},
			{&backend, "dovecot:", "a", "192.0.2.1", 1, 1, 3, 0},
			{&summary, "dovecot:", "a", "192.0.2.1", 2, 1, 5, 0}}},
	{"SMTP with Dovecot behind it",
		{{&backend, "dovecot:", NULL, "192.0.2.1", 1, 1, 0, 1},
			{&attempt, "smtpd[1]:", NULL, "192.0.2.1", 1, 1, 2, 0},
			{&summary, "smtpd[1]:", NULL, "192.0.2.1", 1, 1, 4, 0},
			{&backend, "dovecot:", NULL, "192.0.2.1", 1, 1, 5, 1},
			{&attempt, "smtpd[2]:", NULL, "192.0.2.1", 1, 1, 6,
				0}}},
	{"Exim: each line twice, and an honest repetition later",
		{{&doubled, "exim[1]:", NULL, "192.0.2.1", 1, 1, 0, 1},
			{&doubled, "exim[1]:", NULL, "192.0.2.1", 1, 1, 0, 0},
			{&doubled, "exim[1]:", NULL, "192.0.2.1", 1, 1, 0, 1},
			{&doubled, "exim[1]:", NULL, "192.0.2.1", 1, 1, 9, 1}}},
	{"what lies far apart is apart",
		{{&backend, "dovecot:", NULL, "192.0.2.1", 1, 1, 0, 1},
			{&attempt, "smtpd[1]:", NULL, "192.0.2.1", 1, 1, 700,
				1}}},
};

static struct span
span_of(const char *text)
{
	return (struct span){text, text ? strlen(text) : 0};
}

static uint32_t
run_line(struct correlate *correlate, const struct line *line)
{
	struct message message = {.time_us = line->time_s * S,
		.from = span_of("127.0.0.1"),
		.host = span_of("mx1"),
		.tag = span_of(line->tag),
		.program = span_of(line->tag),
		.repeat = line->repeat};
	struct match match = {.rule = line->rule,
		.class = line->rule->class,
		.has_addr = true,
		.count = line->count,
		.session = span_of(line->session)};

	assert_int_equal(0,
		addr_parse(line->address, strlen(line->address), &match.addr));
	return correlate_attempts(correlate, &message, &match);
}

static void
test_stories(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(stories) / sizeof(stories[0]); i++) {
		struct correlate *correlate = correlate_new(hash_key);
		const struct line *line = stories[i].lines;

		for (; line->rule; line++) {
			uint32_t got = run_line(correlate, line);

			if (got != line->want)
				fail_msg("%s: line %td: %u new attempts, not "
					 "%u",
					stories[i].name,
					line - stories[i].lines + 1, got,
					line->want);
		}
		correlate_free(correlate);
	}
}

static void
note(struct correlate *correlate, const char *host, const char *session,
	const char *address, struct match *match)
{
	struct message message = {.time_us = S,
		.from = span_of("127.0.0.1"),
		.host = span_of(host),
		.program = span_of("smtpd")};

	*match = (struct match){.session = span_of(session)};
	if (address)
		match->has_addr =
			addr_parse(address, strlen(address), &match->addr) == 0;
	correlate_session(correlate, &message, match);
}

static void
test_session_supplies_address(void **state)
{
	struct correlate *correlate = correlate_new(hash_key);
	struct match match;
	char text[ADDR_STRLEN];

	(void)state;
	note(correlate, "mx1", "abc", "192.0.2.7", &match);
	note(correlate, "mx1", "abc", NULL, &match);
	assert_true(match.has_addr);
	assert_string_equal("192.0.2.7", addr_format(&match.addr, text));
	/* Another session, and another host's of the same name: nobody. */
	note(correlate, "mx1", "abd", NULL, &match);
	assert_false(match.has_addr);
	note(correlate, "mx2", "abc", NULL, &match);
	assert_false(match.has_addr);
	correlate_free(correlate);
}

/* Whoever opens sessions without end makes others forgotten, never mixed
 * up. */
static void
test_bounded(void **state)
{
	struct correlate *correlate = correlate_new(hash_key);
	size_t before = correlate_memory(correlate);
	struct match match;
	char session[32];

	(void)state;
	for (int i = 0; i < 200000; i++) {
		(void)snprintf(session, sizeof(session), "s%d", i);
		note(correlate, "mx1", session, "192.0.2.66", &match);
	}
	note(correlate, "mx1", "unseen", NULL, &match);
	assert_false(match.has_addr);
	note(correlate, "mx1", "s199999", NULL, &match);
	assert_true(match.has_addr);
	assert_int_equal(before, correlate_memory(correlate));
	correlate_free(correlate);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stories),
		cmocka_unit_test(test_session_supplies_address),
		cmocka_unit_test(test_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
