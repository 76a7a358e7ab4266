/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fail2ban filters: how files come together, what becomes of an expression,
 * and that what comes of it does what the expression did.
 */
#include "command/import.h"

#include "common/xalloc.h"
#include "plugin/pattern.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define P "\001"

struct regex_case {
	const char *name, *prefix, *regex;
	const char *msg;
	const char *want; /* "addr|user|session", "-" for none; NULL: no match;
			     or "!" and part of why there is no pattern */
};

static const struct regex_case regexes[] = {
	{"plain", NULL, "^" P "failed from <HOST>$", "failed from 192.0.2.1",
		"192.0.2.1|-|-"},
	{"brackets of its own", NULL, "^" P "from \\[<HOST>\\]$",
		"from [2001:db8::1]", "2001:db8::1|-|-"},
	{"brackets around IPv6", NULL, "^" P "from <HOST>$",
		"from [2001:db8::1]", "2001:db8::1|-|-"},
	{"mapped", NULL, "^" P "from <HOST>$", "from ::ffff:192.0.2.1",
		"192.0.2.1|-|-"},
	{"a name is no address", NULL, "^" P "from <HOST>$",
		"from host.example.net", NULL},
	{"ADDR, port", NULL, "^" P "from <ADDR>:\\d+$", "from 192.0.2.1:25",
		"192.0.2.1|-|-"},
	{"full stop behind", NULL, "^" P "from <HOST>", "from 192.0.2.1.",
		"192.0.2.1|-|-"},
	{"subnet", NULL, "^" P "net <SUBNET>$", "net 192.0.2.1/24",
		"192.0.2.1|-|-"},
	{"families in branches", NULL, "^" P "\\[(?:IPv6:<IP6>|<IP4>)\\]$",
		"[192.0.2.1]", "192.0.2.1|-|-"},
	{"families in branches, IPv6", NULL,
		"^" P "\\[(?:IPv6:<IP6>|<IP4>)\\]$", "[IPv6:2001:db8::1]",
		"2001:db8::1|-|-"},
	{"user", NULL, "^" P "user=<F-USER>\\S+</F-USER> from <HOST>$",
		"user=bob from 192.0.2.1", "192.0.2.1|bob|-"},
	{"another user", NULL,
		"^" P "<F-ALT_USER>\\S+</F-ALT_USER> "
		"<F-USER>\\S+</F-USER> <HOST>",
		"a b 192.0.2.1", "192.0.2.1|b|-"},
	{"user of Python", NULL, "^" P "(?P<user>\\S+) (?P=user) <HOST>",
		"a a 192.0.2.1", "192.0.2.1|a|-"},
	{"user, referred to", NULL,
		"^" P "<F-USER>\\S+</F-USER> (?P=user) <HOST>", "a b 192.0.2.1",
		NULL},
	{"any group of Python", NULL,
		"^" P "(?P<mail><\\S+>) x (?P=mail) <HOST>",
		"<a@b> x <a@b> 192.0.2.1", "192.0.2.1|-|-"},
	{"reference by number", NULL, "^" P "(a|b)<HOST>\\1", "a192.0.2.1",
		NULL},
	{"reference by number, right", NULL, "^" P "(x|y) \\1 <HOST>",
		"y y 192.0.2.1", "192.0.2.1|-|-"},
	{"id", NULL, "^" P "from <F-ID>\\S+</F-ID>$", "from 192.0.2.1",
		"192.0.2.1|-|-"},
	{"quantifier of Python", NULL, "^" P "(\\d{,3}) <HOST>", "12 192.0.2.1",
		"192.0.2.1|-|-"},
	{"end of Python", NULL, "^" P "from <HOST>\\Z", "from 192.0.2.1",
		"192.0.2.1|-|-"},
	{"flags in front", NULL, "(?i)^" P "FROM <HOST>", "from 192.0.2.1",
		"192.0.2.1|-|-"},
	{"flags within", NULL, "^" P "a ((?i)LOGIN|X) <HOST>",
		"a login 192.0.2.1", "192.0.2.1|-|-"},
	{"comment", NULL, "^" P "a(?#b) <HOST>", "a 192.0.2.1",
		"192.0.2.1|-|-"},
	{"text that looks like a token", NULL, "^" P "x <USER> <HOST>",
		"x <USER> 192.0.2.1", "192.0.2.1|-|-"},
	{"the blank that was there", NULL, "^ Failed from <HOST>",
		"Failed from 192.0.2.1", "192.0.2.1|-|-"},
	{"the blank in a group", NULL, "^(?: \\[\\d+\\]| x)? Failed <HOST>",
		"[12] Failed 192.0.2.1", "192.0.2.1|-|-"},
	{"own time", NULL, "^ Failed from <HOST>",
		"2026-11-25 10:00:00 Failed from 192.0.2.1", "192.0.2.1|-|-"},
	{"own time in brackets", NULL, "^\\[\\]Failed from <HOST>",
		"[2026-11-25 10:00:00]Failed from 192.0.2.1", "192.0.2.1|-|-"},
	{"prefregex", "^" P "warning: <F-CONTENT>.+</F-CONTENT>$",
		"^from <HOST>$", "warning: from 192.0.2.1", "192.0.2.1|-|-"},
	{"prefregex, not it", "^" P "warning: <F-CONTENT>.+</F-CONTENT>$",
		"^from <HOST>$", "from 192.0.2.1", NULL},
	{"prefregex with an address",
		"^" P "relay=<HOST>,<F-CONTENT>.+</F-CONTENT>$", "^User.*$",
		"relay=192.0.2.1,User x", "192.0.2.1|-|-"},
	{"prefregex with an end", "^" P "<<F-CONTENT>[^<>]+</F-CONTENT>> end$",
		"^from <HOST>$", "<from 192.0.2.1> end", "192.0.2.1|-|-"},
	{"prefregex and branches", "^" P "a <F-CONTENT>.+</F-CONTENT>$",
		"^x <HOST>$|^y$", "a y", "-|-|-"},
	{"session",
		"^<F-MLFID>" P "(?:\\w{4}: )?</F-MLFID>"
		"<F-CONTENT>.+</F-CONTENT>$",
		"^User unknown$", "ab12: User unknown", "-|-|ab12: "},
	{"no session",
		"^<F-MLFID>" P "(?:\\w{4}: )?</F-MLFID>"
		"<F-CONTENT>.+</F-CONTENT>$",
		"^User unknown$", "User unknown", "-|-|-"},
	{"only the syslog prefix is no session",
		"^<F-MLFID>" P "</F-MLFID><F-CONTENT>.+</F-CONTENT>$",
		"^User unknown$", "User unknown", "-|-|-"},
	{"two addresses", NULL, "^" P "<HOST> to <ADDR>", "",
		"!more than one address"},
	{"a host name", NULL, "^" P "<DNS>$", "", "!no name"},
	{"several lines", NULL, "^" P "a<SKIPLINES>b <HOST>", "", "!several"},
	{"conditional", NULL, "^" P "(a)?(?(1)b|c) <HOST>", "", "!conditional"},
	{"verbose", NULL, "(?x)^" P "a <HOST>", "", "!the flag x"},
	{"reference to nothing", NULL, "^" P "(?P=x) <HOST>", "", "!not there"},
};

static char *
outcome_of(const struct imported *imported, const char *msg)
{
	struct pattern pattern = {.line = 0};
	struct pattern_runner *runner = pattern_runner_new();
	struct match match = {.class = CLASS_NONE};
	char address[ADDR_STRLEN] = "-", *made = NULL;
	char *error = pattern_compile(imported->pattern, &pattern);

	if (error)
		return error;
	if (pattern_match(&pattern, runner, (struct span){msg, strlen(msg)},
		    &match)) {
		if (match.has_addr)
			(void)addr_format(&match.addr, address);
		made = xasprintf("%s|%.*s|%.*s", address,
			match.user.text ? (int)match.user.len : 1,
			match.user.text ? match.user.text : "-",
			match.session.text ? (int)match.session.len : 1,
			match.session.text ? match.session.text : "-");
	}
	pattern_clear(&pattern);
	pattern_runner_free(runner);
	return made;
}

static void
check_regex(const struct regex_case *test)
{
	struct imported imported;
	char *got;

	import_regex(test->prefix, test->regex, false, &imported);
	if (test->want && test->want[0] == '!') {
		if (imported.pattern || !imported.why_not ||
			!strstr(imported.why_not, test->want + 1))
			fail_msg("%s: %s, %s", test->name,
				imported.pattern ? imported.pattern
						 : "no pattern",
				imported.why_not ? imported.why_not
						 : "no reason");
		imported_clear(&imported);
		return;
	}
	if (!imported.pattern || imported.why_not)
		fail_msg("%s: %s", test->name, imported.why_not);
	got = outcome_of(&imported, test->msg);
	if (!got != !test->want || (got && strcmp(got, test->want) != 0))
		fail_msg("%s: %s\n  got  %s\n  want %s", test->name,
			imported.pattern, got ? got : "no match",
			test->want ? test->want : "no match");
	free(got);
	imported_clear(&imported);
}

static void
translates(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof regexes / sizeof regexes[0]; i++)
		check_regex(&regexes[i]);
}

/* They come over, but are not to be switched on. */
static void
warns(void **state)
{
	struct imported imported;

	(void)state;
	import_regex(NULL, "from <HOST>", false, &imported);
	assert_non_null(imported.pattern);
	assert_non_null(strstr(imported.why_not, "not anchored"));
	imported_clear(&imported);
	import_regex(NULL, "Connection refused", true, &imported);
	assert_null(imported.why_not);
	assert_non_null(strstr(imported.pattern, "^.*?Connection"));
	imported_clear(&imported);
	import_regex(NULL, "^<F-NOFAIL>x</F-NOFAIL> <HOST>$", false, &imported);
	assert_true(imported.charges_none);
	imported_clear(&imported);
}

static const struct {
	const char *daemon, *want;
} daemons[] = {
	{"solid-pop3d", "solid-pop3d"},
	{"(?:auth|dovecot(?:-auth)?)", "auth dovecot-auth dovecot"},
	{"imap[ds]?", "imapd imaps imap"},
	{"postfix(-\\w+)?/\\w+", "postfix-*/* postfix/*"},
	{"perdition.\\S+", "perdition*"},
	{"a\\.b", "a.b"},
	{"\\S*", NULL},
	{"x|\\S+", NULL},
	{"[^x]+a", "*a"},
	{"a b", NULL},
	{"(a|b)(c|d)(e|f)(g|h)(i|j)(k|l)(m|n)", NULL},
};

static void
names_programs(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof daemons / sizeof daemons[0]; i++) {
		char *got = import_programs(daemons[i].daemon);
		const char *want = daemons[i].want;

		if (!got != !want || (got && strcmp(got, want) != 0))
			fail_msg("%s: got %s, want %s", daemons[i].daemon,
				got ? got : "any", want ? want : "any");
		free(got);
	}
}

static void
write_file(const char *folder, const char *name, const char *text)
{
	char *path = xasprintf("%s/%s", folder, name);
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
	free(path);
}

static const char *const files[] = {
	"common.conf",
	"[INCLUDES]\nafter = common.local\n[DEFAULT]\n_daemon = \\S*\n"
	"__prefix_line = <lt_file/__prefix_line>\ncolour = red\n",
	"common.local",
	"[DEFAULT]\ncolour = green\n",
	"a.conf",
	"[INCLUDES]\nbefore = common.conf\n       missing.conf\n"
	"[Definition]\n_daemon = a\n"
	"# a comment\n"
	"__prefix_line = %(known/__prefix_line)s(?:x: )?\n"
	"one = 1%%(colour)s\n"
	"failregex = ^%(__prefix_line)sfailed <HOST>$\n"
	"   # a comment within\n"
	"            ^%(colour)s <shade> <mdre-<mode>>\n"
	"            <mdre-<mode>>\n"
	"mdre-normal = normal\nmdre-more = %(mdre-normal)s\n\tand more\n"
	"mode = normal\nignoreregex =\n"
	"[Init]\nshade = dark\n[other]\nx = other's\n",
	"a.local",
	"[Definition]\nshade = light %(other/x)s\n",
	"b.conf",
	"[Definition]\nx = y\n",
};

static void
check_value(const struct filter *filter, const char *name, const char *want)
{
	char *got = filter_value(filter, name);

	assert_non_null(got);
	assert_string_equal(got, want);
	free(got);
}

static void
reads_files(void **state)
{
	char folder[] = "/tmp/mailban-filters.XXXXXX", *path, *error = NULL;
	struct filter *filter;

	(void)state;
	assert_non_null(mkdtemp(folder));
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i += 2)
		write_file(folder, files[i], files[i + 1]);
	path = xasprintf("%s/a.conf", folder);
	filter = filter_read(path, &error);
	assert_non_null(filter);
	assert_string_equal(filter_name(filter), "a");
	check_value(filter, "_daemon", "a");
	check_value(filter, "one", "1%(colour)s");
	check_value(filter, "failregex",
		"^" P "(?:x: )?failed <HOST>$\n^green light other's normal\n"
		"normal");
	assert_null(filter_value(filter, "nothing"));
	filter_free(filter);
	free(path);
	path = xasprintf("%s/a.conf[mode=more, shade=\"none\"]", folder);
	filter = filter_read(path, &error);
	assert_non_null(filter);
	check_value(filter, "failregex",
		"^" P "(?:x: )?failed <HOST>$\n^green none normal\nand more\n"
		"normal\nand more");
	filter_free(filter);
	free(path);
	path = xasprintf("%s/b.conf", folder);
	assert_null(filter_read(path, &error));
	assert_non_null(strstr(error, "no filter of fail2ban"));
	free(error);
	free(path);
	path = xasprintf("%s/c.conf", folder);
	assert_null(filter_read(path, &error));
	assert_non_null(strstr(error, "No such file"));
	free(error);
	free(path);
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i += 2) {
		path = xasprintf("%s/%s", folder, files[i]);
		assert_int_equal(unlink(path), 0);
		free(path);
	}
	assert_int_equal(rmdir(folder), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(translates),
		cmocka_unit_test(warns),
		cmocka_unit_test(names_programs),
		cmocka_unit_test(reads_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
