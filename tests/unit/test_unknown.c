/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What smells of failure, that the look at every message lets it through, and
 * that what is kept stays within bounds.
 */
#include "plugin/unknown.h"

#include "plugin/grams.h"
#include "plugin/rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct span
span_of(const char *text)
{
	return (struct span){text, strlen(text)};
}

static const struct {
	const char *text;
	bool want;
	bool mixed; /* as nobody writes it: the look does not find it */
} texts[] = {
	{"login failed", true, false},
	{"LOGIN FAILED", true, false},
	{"Failure", true, false},
	{"fail", true, false},
	{"fai", false, false},
	{"fa il", false, false},
	{"permission DENIED", true, false},
	{"x rejected", true, false},
	{"refusing this", true, false},
	{"Invalid", true, false},
	{"not allowed here", true, false},
	{"unknown user", true, false},
	{"Unknown  user", false, false},
	{"authentication", true, false},
	{"authenticate", false, false},
	{"connect from unknown[192.0.2.1]", false, false},
	{"disconnect from mail.example.net[192.0.2.1] ehlo=2 starttls=1 "
	 "mail=1 rcpt=1 data=1 quit=1 commands=7",
		false, false},
	{"4cXr5B0PJyz4w9F: client=mail.example.net[198.51.100.40]", false,
		false},
	{"imap-login: Login: user=<bob>, method=PLAIN, rip=192.0.2.1", false,
		false},
	{"", false, false},
	{"\xff\xfe\xff\xfe", false, false},
	{"a\\/failed", true, false},
	{"FaILed", true, true},
	{"Unknown User", true, true},
};

static void
smells(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		if (unknown_smells(span_of(texts[i].text)) != texts[i].want)
			fail_msg("%s", texts[i].text);
}

/* The index of a program's rules finds the words too, as they may be written;
 * and nothing where there is none. */
static void
passes_the_look(void **state)
{
	struct grams *grams = grams_new();
	const uint64_t ignored[1] = {0};

	(void)state;
	for (size_t i = 0; unknown_word(i); i++)
		grams_add_word(grams, unknown_word(i));
	grams_build(grams);
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		if (grams_may_find(grams, span_of(texts[i].text), ignored) !=
			(texts[i].want && !texts[i].mixed))
			fail_msg("%s", texts[i].text);
	grams_free(grams);
}

/* Through the rules that ship, as ommailban asks. */
static void
comes_through(void **state)
{
	const char *top = getenv("srcdir");
	char folder[512], *error = NULL;
	const char *folders[1] = {folder};
	struct rules *rules;

	(void)state;
	(void)snprintf(folder, sizeof folder, "%s/rules", top ? top : ".");
	rules = rules_load(folders, 1, RULES_BALANCED, &error);
	assert_non_null(rules);
	assert_true(rules_for(rules, span_of("postfix/smtpd")));
	assert_false(rules_for(rules, span_of("postfix/smtp")));
	assert_true(rules_may_match(rules, span_of("postfix/smtpd"),
		span_of("warning: login of x has failed in a new way")));
	assert_false(rules_may_match(rules, span_of("postfix/smtpd"),
		span_of("connect from unknown[192.0.2.1]")));
	assert_false(rules_may_match(
		rules, span_of("postfix/smtp"), span_of("delivery failed")));
	rules_free(rules);
}

static struct message
message_of(const char *program, const char *msg, int64_t time_us)
{
	return (struct message){.program = span_of(program),
		.msg = span_of(msg),
		.time_us = time_us,
		.repeat = 1};
}

static void
counts(void **state)
{
	struct unknown *unknown = unknown_new();
	struct message message = message_of("a/smtpd", "x failed", 5);
	const struct unknown_entry *entry;
	size_t cursor = 0;

	(void)state;
	assert_null(unknown_next(unknown, &cursor));
	assert_true(unknown_note(unknown, &message));
	message.repeat = 3;
	message.time_us = 9;
	message.msg = span_of("y denied");
	assert_true(unknown_note(unknown, &message));
	message.msg = span_of("all is well");
	assert_false(unknown_note(unknown, &message));
	message = message_of("a/smtp", "x failed", 7);
	assert_true(unknown_note(unknown, &message));
	entry = unknown_next(unknown, &cursor);
	assert_non_null(entry);
	assert_string_equal(entry->program, "a/smtpd");
	assert_int_equal(entry->count, 4);
	assert_int_equal(entry->first_us, 5);
	assert_int_equal(entry->last_us, 9);
	assert_int_equal(entry->sample_len, 8);
	assert_memory_equal(entry->sample, "y denied", 8);
	entry = unknown_next(unknown, &cursor);
	assert_string_equal(entry->program, "a/smtp");
	assert_null(unknown_next(unknown, &cursor));
	assert_int_equal(unknown_total(unknown), 5);
	unknown_clear(unknown);
	cursor = 0;
	assert_null(unknown_next(unknown, &cursor));
	assert_int_equal(unknown_total(unknown), 0);
	unknown_free(unknown);
}

static void
is_bounded(void **state)
{
	struct unknown *unknown = unknown_new();
	char program[100], msg[4000];
	size_t cursor = 0, count = 0;
	const struct unknown_entry *entry;

	(void)state;
	memset(msg, 'x', sizeof msg);
	memcpy(msg, "failed", 6);
	for (int i = 0; i < 1000; i++) {
		struct message message = {.repeat = 1,
			.msg = {msg, sizeof msg},
			.program = {program, sizeof program}};

		memset(program, 'p', sizeof program);
		(void)snprintf(program, sizeof program, "%d/", i);
		assert_true(unknown_note(unknown, &message));
	}
	while ((entry = unknown_next(unknown, &cursor))) {
		assert_int_equal(entry->sample_len, UNKNOWN_SAMPLE_LEN);
		assert_true(memchr(entry->program, '\0', UNKNOWN_PROGRAM_LEN) !=
			    NULL);
		count++;
	}
	assert_int_equal(count, UNKNOWN_PROGRAMS);
	assert_int_equal(unknown_total(unknown), 1000);
	assert_int_equal(unknown_others(unknown), 1000 - UNKNOWN_PROGRAMS);
	unknown_free(unknown);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(smells),
		cmocka_unit_test(passes_the_look),
		cmocka_unit_test(comes_through),
		cmocka_unit_test(counts),
		cmocka_unit_test(is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
