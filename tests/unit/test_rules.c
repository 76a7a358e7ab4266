/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules as a whole: what a file may say and how it is refused, how folders
 * come together, which rule a message finds, and the checks of rules against
 * each other. Patterns and the fast search have test_pattern.c.
 */
#include "plugin/rules.h"

#include "common/xalloc.h"
#include "plugin/program.h"
#include "plugin/rulecheck.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NAMED "[r]\nprogram = p\n"
#define RULE NAMED "class = spam\n"
#define PATTERN RULE "pattern = ^from <ADDR>$\n"
#define NOMATCH "nomatch = no\n"
#define MATCH "match = from 192.0.2.1  ->  192.0.2.1\n"

struct refused {
	const char *name, *text, *want; /* want: part of the error */
};

static const struct refused refused[] = {
	{"no program", "[r]\nclass = spam\npattern = ^x\n",
		"f:2: [r] has no program"},
	{"no class", NAMED "pattern = ^x\n", "f:2: [r] has no class"},
	{"no pattern", RULE, "f:2: [r] has no pattern"},
	{"no match", PATTERN NOMATCH, "f:2: [r] has no match example"},
	{"no nomatch", PATTERN MATCH, "f:2: [r] has no nomatch example"},
	{"unknown key", NAMED "clas = spam\n",
		"f:3: [r] there is no key \"clas\""},
	{"unknown class", NAMED "class = auth\n",
		"f:3: [r] class: there is no class \"auth\"; there are "
		"auth-failure"},
	{"two classes", RULE "class = spam\n", "f:4: [r] class: given twice"},
	{"bad glob", "[r]\nprogram = a b[0-9]\n",
		"f:2: [r] program: b[0-9]: there are only two wildcards"},
	{"no anchor", RULE "pattern = from <ADDR>\n",
		"f:4: [r] a pattern must begin with ^"},
	{"second has no anchor", RULE "pattern = ^x\n  y\n",
		"f:5: [r] a pattern must begin with ^"},
	{"no PCRE2", RULE "pattern = ^(x\n", "at its end"},
	{"no PCRE2 inside", RULE "pattern = ^a(?z)b\n", "before \""},
	{"unknown token", RULE "pattern = ^<HOST>\n",
		"f:4: [r] there is no token <HOST>"},
	{"unknown group", RULE "pattern = ^(?<ADR>x)\n",
		"no meaning is known of a group named ADR"},
	{"two addresses", RULE "pattern = ^<ADDR> <ADDR>\n", "same name"},
	{"weight", NAMED "weight = much\n", "f:3: [r] weight: \"much\""},
	{"weight zero", NAMED "weight = 0\n", "weight: \"0\" is no weight"},
	{"weight negative", NAMED "weight = -1\n", "is no weight"},
	{"weight huge", NAMED "weight = 101\n", "is no weight"},
	{"weight tail", NAMED "weight = 50%%\n", "is no weight"},
	{"weight long", NAMED "weight = 0.505\n", "is no weight"},
	{"policy", NAMED "policy = strict\n", "no policy \"strict\""},
	{"reports", NAMED "reports = all\n",
		"reports: \"all\" is none of attempt, session, backend"},
	{"unknown_user", NAMED "unknown_user = 1\n", "neither yes nor no"},
	{"enabled", NAMED "enabled = maybe\n", "neither yes nor no"},
	{"unmatched", PATTERN "match = to 192.0.2.1 -> 192.0.2.1\n" NOMATCH,
		"f:5: [r] the match example is not matched"},
	{"matched nomatch", PATTERN MATCH "nomatch = from 192.0.2.2\n",
		"f:6: [r] the nomatch example is matched"},
	{"other address",
		PATTERN "match = from 192.0.2.1 -> 192.0.2.2\n" NOMATCH,
		"f:5: [r] the match example gives 192.0.2.1 instead of "
		"192.0.2.2"},
	{"address not shown", PATTERN "match = from 192.0.2.1\n" NOMATCH,
		"write it behind the message, as \"  ->  192.0.2.1\""},
	{"no address",
		RULE "pattern = ^from\nmatch = from -> 192.0.2.1\n" NOMATCH,
		"gives no address instead of 192.0.2.1"},
	{"wrong user",
		RULE "pattern = ^u=<USER> <ADDR>\n"
		     "match = u=bob 192.0.2.1 -> 192.0.2.1 user=eve\n" NOMATCH,
		"gives the user \"bob\" instead of \"eve\""},
	{"no user", PATTERN "match = from 192.0.2.1 -> 192.0.2.1 user=x\n",
		"has no nomatch"},
	{"wrong count",
		RULE "pattern = ^n=<COUNT> <ADDR>\n"
		     "match = n=3 192.0.2.1 -> 192.0.2.1 count=4\n" NOMATCH,
		"gives the count 3 instead of 4"},
	{"bad count", PATTERN "match = from x -> 192.0.2.1 count=x\n",
		"count=x: a number"},
	{"bad word", PATTERN "match = from x -> 192.0.2.1 colour=red\n",
		"\"colour=red\" is not understood"},
	{"limit",
		RULE "pattern = ^(?:(?:a+)+)+b\nmatch = ab\n"
		     "nomatch = aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaacb\n",
		"match limit"},
};

/* What loading this file would say; NULL when all is well. */
static char *
error_of(const char *text)
{
	struct pattern_runner *runner = pattern_runner_new();
	struct ruledefs defs = {0};
	char *error = NULL;

	assert_non_null(runner);
	if (rulefile_read_text("f", text, strlen(text), &defs, &error) == 0)
		for (size_t i = 0; !error && i < defs.count; i++)
			error = ruledef_check(defs.items[i], runner);
	ruledefs_free(&defs);
	pattern_runner_free(runner);
	return error;
}

static void
refuses(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		char *error = error_of(refused[i].text);

		if (!error || !strstr(error, refused[i].want))
			fail_msg("%s: got \"%s\", want \"%s\"", refused[i].name,
				error ? error : "no error", refused[i].want);
		free(error);
	}
}

static const struct {
	const char *text;
	uint32_t percent;
} weights[] = {{"50%", 50}, {"0.5", 50}, {"2", 200}, {"0.25", 25}, {"1", 100},
	{"100", 10000}, {"1%", 1}, {"1.5", 150}};

static void
reads_weights(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof weights / sizeof weights[0]; i++) {
		struct ruledefs defs = {0};
		char *error = NULL;
		char *text = xasprintf("[r]\nprogram = p\nclass = login\n"
				       "pattern = ^x\nweight = %s\n",
			weights[i].text);

		assert_int_equal(rulefile_read_text("f", text, strlen(text),
					 &defs, &error),
			0);
		assert_int_equal(
			defs.items[0]->rule.weight_percent, weights[i].percent);
		ruledefs_free(&defs);
		free(text);
	}
}

static struct rules *
load(const char *const *names, size_t count, enum rules_policy policy,
	char **error)
{
	const char *top = getenv("srcdir");
	char *folders[4] = {NULL};
	struct rules *rules;

	for (size_t i = 0; i < count; i++)
		folders[i] = xasprintf(
			"%s/tests/unit/rules/%s", top ? top : ".", names[i]);
	rules = rules_load((const char *const *)folders, count, policy, error);
	for (size_t i = 0; i < count; i++)
		free(folders[i]);
	return rules;
}

static struct rules *
load_well(const char *const *names, size_t count, enum rules_policy policy)
{
	char *error = NULL;
	struct rules *rules = load(names, count, policy, &error);

	if (!rules)
		fail_msg("%s", error);
	return rules;
}

static struct message
message_of(const char *program, const char *msg)
{
	return (struct message){.program = {program, strlen(program)},
		.msg = {msg, strlen(msg)},
		.time_us = 42,
		.repeat = 1};
}

static void
expect(struct rules *rules, const char *program, const char *msg,
	const char *want)
{
	struct message message = message_of(program, msg);
	struct match match;
	char text[ADDR_STRLEN] = "-", got[128];
	bool matched = rules_match(rules, &message, &match);

	if (match.has_addr)
		(void)addr_format(&match.addr, text);
	(void)snprintf(got, sizeof got, "%s %s %s",
		matched ? match.rule->name : "-", class_name(match.class),
		text);
	if (strcmp(got, want) != 0)
		fail_msg("%s: %s: got \"%s\", want \"%s\"", program, msg, got,
			want);
}

static const char *const shipped[] = {"shipped"};
static const char *const both[] = {"shipped", "local", "not-there"};

#define FAILED "warning: unknown[203.0.113.9]: SASL LOGIN authentication failed"

static void
matches_in_order(void **state)
{
	struct rules *rules = load_well(shipped, 1, RULES_BALANCED);

	(void)state;
	assert_int_equal(rules_count(rules), 5);
	expect(rules, "postfix/smtpd", FAILED ": x",
		"failure auth-failure 203.0.113.9");
	expect(rules, "postfix/smtpd", FAILED ": Connection lost",
		"trouble none 203.0.113.9");
	expect(rules, "other/smtpd", "disconnect from unknown[192.0.2.1]",
		"unknown unknown-client 192.0.2.1");
	expect(rules, "postfix/smtp", FAILED ": x", "- none -");
	expect(rules, "", FAILED ": x", "- none -");
	expect(rules, "postfix/smtpd", "", "- none -");
	expect(rules, "postfix/smtpd",
		"warning: x[203.0.113.999]: SASL LOGIN authentication failed",
		"- none -");
	assert_int_equal(rules_at(rules, 1)->matched, 1);
	assert_int_equal(rules_at(rules, 1)->last_us, 42);
	assert_int_equal(rules_at(rules, 1)->weight_percent, 50);
	assert_int_equal(rules_limit_hits(rules), 0);
	rules_free(rules);
}

static void
fills_the_match(void **state)
{
	struct rules *rules = load_well(shipped, 1, RULES_BALANCED);
	struct message message = message_of("dovecot",
		"imap-login: Disconnected (auth failed, 4 attempts): "
		"user=<a b>, rip=2001:db8::1, lip=::1, session=<s1>");
	struct match match;

	(void)state;
	assert_true(rules_match(rules, &message, &match));
	assert_int_equal(match.count, 4);
	assert_int_equal(match.user.len, 3);
	assert_memory_equal(match.user.text, "a b", 3);
	assert_int_equal(match.session.len, 2);
	assert_null(match.digest.text);
	assert_true(match.user.text > message.msg.text);
	message = message_of("dovecot", "nothing");
	assert_false(rules_match(rules, &message, &match));
	assert_null(match.rule);
	assert_int_equal(match.count, 1);
	assert_false(match.has_addr);
	rules_free(rules);
}

static void
later_folders_override(void **state)
{
	struct rules *rules = load_well(both, 3, RULES_BALANCED);

	(void)state;
	assert_int_equal(rules_count(rules), 5);
	assert_string_equal(rules_at(rules, 0)->name, "exception");
	/* replaced in its place, with the administrator's class */
	assert_string_equal(rules_at(rules, 3)->name, "unknown");
	expect(rules, "a/smtpd", "disconnect from unknown[192.0.2.1]",
		"exception none -");
	expect(rules, "a/smtpd", "disconnect from unknown[192.0.2.2]",
		"unknown rejected 192.0.2.2");
	/* switched off */
	expect(rules, "dovecot",
		"auth: passwd-file(bob,192.0.2.1): Password mismatch (given "
		"password: 275e5d)",
		"- none -");
	rules_free(rules);
}

static void
refuses_folders(void **state)
{
	static const char *const twins[] = {"twins"};
	static const char *const missing[] = {"not-there"};
	char *error = NULL;

	(void)state;
	assert_null(load(twins, 1, RULES_BALANCED, &error));
	assert_non_null(strstr(error, "b.rules:5: [twin] there is a rule of "
				      "this name"));
	free(error);
	assert_null(load(missing, 1, RULES_BALANCED, &error));
	assert_non_null(strstr(error, "not-there: the rules can't be read"));
	free(error);
	assert_null(load(NULL, 0, RULES_BALANCED, &error));
	free(error);
}

static void
daily_script_counts_twice(void **state)
{
	struct rules *rules = load_well(shipped, 1, RULES_DAILY_SCRIPT);
	struct message message = message_of("any/thing",
		"disconnect from unknown[192.0.2.1] authentication failed");
	struct match match;
	size_t cursor = 0;

	(void)state;
	assert_int_equal(rules_count(rules), 2);
	assert_true(rules_match_from(rules, &message, &cursor, &match));
	assert_int_equal(match.class, CLASS_UNKNOWN_CLIENT);
	assert_true(rules_match_from(rules, &message, &cursor, &match));
	assert_int_equal(match.class, CLASS_AUTH_FAILURE);
	assert_false(rules_match_from(rules, &message, &cursor, &match));
	assert_false(rules_match_from(rules, &message, &cursor, &match));
	rules_free(rules);
}

static void
note_matched(const struct rule *rule, bool matched, const struct match *match,
	void *arg)
{
	char *text = arg;
	size_t len = strlen(text);

	(void)snprintf(text + len, 128 - len, "%s%s%s ", rule->name,
		matched ? "+" : "-", match->has_addr ? "a" : "");
}

static void
explains(void **state)
{
	struct rules *rules = load_well(shipped, 1, RULES_BALANCED);
	struct message message = message_of(
		"a/smtpd", "disconnect from unknown[192.0.2.1] auth=0/2");
	char text[128] = "";

	(void)state;
	assert_int_equal(rules_explain(rules, &message, note_matched, text), 3);
	assert_string_equal(text, "trouble- failure+a unknown+a ");
	assert_int_equal(rules_at(rules, 1)->matched, 0);
	message.program.len = 1;
	assert_int_equal(rules_explain(rules, &message, note_matched, text), 0);
	rules_free(rules);
}

static char *
check_of(const char *text)
{
	struct pattern_runner *runner = pattern_runner_new();
	struct ruledefs defs = {0};
	char *error = NULL;

	assert_int_equal(
		rulefile_read_text("f", text, strlen(text), &defs, &error), 0);
	error = rulecheck_order(&defs, runner);
	if (!error)
		error = rulecheck_injection(&defs, runner);
	ruledefs_free(&defs);
	pattern_runner_free(runner);
	return error;
}

#define FIRST(program)                                                         \
	"[a]\nprogram = " program "\nclass = none\npattern = ^x\n"
#define SECOND                                                                 \
	"[b]\nprogram = */smtpd\nclass = spam\npattern = ^x <ADDR>\n"          \
	"match = x 192.0.2.1 -> 192.0.2.1\nnomatch = y\n"
#define USER_RULE(pattern)                                                     \
	"[u]\nprogram = p\nclass = spam\npattern = " pattern "\n"              \
	"match = u=<bob>, rip=192.0.2.1, lip=::1 -> 192.0.2.1 user=bob\n"      \
	"nomatch = y\n"

static const struct refused checks[] = {
	{"taken", FIRST("postfix/smtpd") SECOND,
		"f:9: [b] the match example is taken by [a] of f:2 first"},
	{"other program", FIRST("postfix/smtp") SECOND, NULL},
	{"name that changes the address",
		USER_RULE("^u=<(?<USER>.*?)>, rip=<ADDR>, lip="),
		"f:5: [u] a user name that repeats"},
	{"pinned to the end",
		USER_RULE("^u=<(?<USER>.*)>, rip=<ADDR>, lip=[0-9a-f:.]+$"),
		NULL},
	{"a name without brackets that goes on with them",
		USER_RULE("^u=\\<<USER>>, rip=<ADDR>, l"),
		"f:5: [u] a user name that repeats"},
};

static void
checks_rules(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
		char *error = check_of(checks[i].text);
		const char *want = checks[i].want;

		if (!error != !want || (want && !strstr(error, want)))
			fail_msg("%s: got \"%s\", want \"%s\"", checks[i].name,
				error ? error : "-", want ? want : "-");
		free(error);
	}
}

static const struct {
	const char *glob, *text;
	bool want;
} globs[] = {
	{"a", "a", true},
	{"a", "A", false},
	{"a", "ab", false},
	{"a", "", false},
	{"*", "", true},
	{"*", "a/b", true},
	{"*/smtpd", "postfix/smtpd", true},
	{"*/smtpd", "postfix/10.0.0.1:submission/smtpd", true},
	{"*/smtpd", "postfix/smtpd2", false},
	{"*/smtpd", "smtpd", false},
	{"postfix*/smtpd", "postfix-out/smtpd", true},
	{"a?c", "abc", true},
	{"a?c", "ac", false},
	{"a*b*c", "aXbXbXc", true},
	{"a*b*c", "aXbXbX", false},
	{"?*", "", false},
	{"**", "x", true},
};

static void
globs_match(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof globs / sizeof globs[0]; i++) {
		struct span text = {globs[i].text, strlen(globs[i].text)};

		if (glob_match(globs[i].glob, text) != globs[i].want)
			fail_msg("%s, %s", globs[i].glob, globs[i].text);
	}
	assert_true(glob_overlap("*/smtpd", "postfix*"));
	assert_true(glob_overlap("a?c", "ab?"));
	assert_false(glob_overlap("*/smtpd", "*/smtp"));
	assert_false(glob_overlap("a*", "b*"));
}

/* Names by the ten thousand, among them long ones, and those with rules. */
static void
survives_names(void **state)
{
	struct rules *rules = load_well(shipped, 1, RULES_BALANCED);
	char name[400];

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		(void)snprintf(name, sizeof name, "%x", i * 2654435769U);
		expect(rules, name, FAILED, "- none -");
		(void)snprintf(name, sizeof name, "%x/smtpd", i);
		expect(rules, name, FAILED, "failure auth-failure 203.0.113.9");
		expect(rules, "postfix/smtpd", FAILED,
			"failure auth-failure 203.0.113.9");
	}
	memset(name, 'x', sizeof name);
	(void)memcpy(name + 200, "/smtpd", sizeof "/smtpd");
	expect(rules, name, FAILED, "failure auth-failure 203.0.113.9");
	memset(name, 'x', sizeof name);
	(void)memcpy(name + 390, "/smtpd", sizeof "/smtpd");
	expect(rules, name, FAILED, "- none -");
	rules_free(rules);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses),
		cmocka_unit_test(reads_weights),
		cmocka_unit_test(matches_in_order),
		cmocka_unit_test(fills_the_match),
		cmocka_unit_test(later_folders_override),
		cmocka_unit_test(refuses_folders),
		cmocka_unit_test(daily_script_counts_twice),
		cmocka_unit_test(explains),
		cmocka_unit_test(checks_rules),
		cmocka_unit_test(globs_match),
		cmocka_unit_test(survives_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
