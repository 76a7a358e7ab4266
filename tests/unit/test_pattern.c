/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Patterns, the text they demand, and the fast search that rests on it. PCRE2
 * itself is the judge: on all shipped rules' examples, on those mutilated, and
 * on random patterns, the search must find what trying everything finds.
 */
#include "plugin/pattern.h"

#include "common/xalloc.h"
#include "plugin/literal.h"
#include "plugin/match.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint64_t seed = 20261125;

static uint32_t
rnd(uint32_t below)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (uint32_t)((seed >> 32) * below >> 32);
}

struct found {
	const char *name, *pattern, *msg;
	const char *want; /* "addr|user|count|session|digest", NULL: no match */
};

static const struct found founds[] = {
	{"address", "^a <ADDR>", "a 192.0.2.1", "192.0.2.1||1||"},
	{"address, then text", "^<ADDR>: x", "192.0.2.1: x", "192.0.2.1||1||"},
	{"address and port", "^<ADDR>:\\d+$", "192.0.2.1:25", "192.0.2.1||1||"},
	{"mapped", "^\\[<ADDR>\\]", "[::ffff:192.0.2.1]", "192.0.2.1||1||"},
	{"IPv6", "^\\[<ADDR>\\]", "[2001:DB8::1]", "2001:db8::1||1||"},
	{"zone", "^\\[<ADDR>\\]", "[fe80::1%eth0]", "fe80::1||1||"},
	{"zone behind a global address", "^\\[<ADDR>\\]", "[2001:db8::1%eth0]",
		NULL},
	{"behind IPv6:", "^\\[IPv6:<ADDR>\\]", "[IPv6:2001:db8::1]",
		"2001:db8::1||1||"},
	{"part of a word", "^.*<ADDR>", "x192.0.2.1", NULL},
	{"word behind", "^<ADDR>", "192.0.2.1x", NULL},
	{"no part of a longer one", "^\\d<ADDR>", "1192.0.2.1", NULL},
	{"out of range", "^<ADDR>$", "192.0.2.256", NULL},
	{"octal", "^<ADDR>$", "192.0.2.01", NULL},
	{"short", "^<ADDR>$", "192.0.2", NULL},
	{"number", "^<ADDR>$", "3221225985", NULL},
	{"name", "^<ADDR>$", "example.net", NULL},
	{"written out", "^a (?<ADDR>\\S+)", "a 192.0.2.1", "192.0.2.1||1||"},
	{"written out, no literal", "^a (?<ADDR>\\S+)", "a b", NULL},
	{"not taken part", "^a(?: <ADDR>)?$", "a", "-||1||"},
	{"user", "^u=<USER> ", "u=bob@example.org x", "-|bob@example.org|1||"},
	{"user with a blank", "^u=<USER>;", "u=a b;", NULL},
	{"user of any bytes", "^u=(?<USER>.*)$", "u=a\xff\n>",
		"-|a\xff\n>|1||"},
	{"count", "^<COUNT>/", "007/", "-||7||"},
	{"count zero", "^<COUNT>/", "0/", "-||1||"},
	{"count too long", "^<COUNT>/", "12345/", NULL},
	{"count written out", "^(?<COUNT>\\d+)", "99999999999", "-||9999||"},
	{"session", "^s=<<SESSION>>", "s=<a/B+1>", "-||1|a/B+1|"},
	{"digest", "^d=<DIGEST>", "d=275e5d*", "-||1||275e5d*"},
	{"behind an optional bracket", "^\\[?<ADDR>", "192.0.2.1",
		"192.0.2.1||1||"},
	{"reference to a group", "^<USER> \\k<USER>", "bob bob",
		"-|bob|1||"},
	{"escaped token", "^\\<ADDR>", "<ADDR>", "-||1||"},
	{"branch reset", "^(?|a (?<ADDR>\\S+)|b (?<ADDR>\\S+))", "b ::1",
		"::1||1||"},
	{"both branches anchored", "^a|b", "xb", NULL},
	{"second branch", "^a|b", "b", "-||1||"},
	{"end is the end", "^a$", "a\n", NULL},
};

static void
format_match(const struct match *match, char *out, size_t size)
{
	char addr[ADDR_STRLEN] = "-";

	if (match->has_addr)
		(void)addr_format(&match->addr, addr);
	(void)snprintf(out, size, "%s|%.*s|%u|%.*s|%.*s", addr,
		(int)match->user.len, match->user.text ? match->user.text : "",
		match->count, (int)match->session.len,
		match->session.text ? match->session.text : "",
		(int)match->digest.len,
		match->digest.text ? match->digest.text : "");
}

static void
finds(void **state)
{
	struct pattern_runner *runner = pattern_runner_new();

	(void)state;
	for (size_t i = 0; i < sizeof founds / sizeof founds[0]; i++) {
		const struct found *found = &founds[i];
		struct pattern pattern = {0};
		char *error = pattern_compile(found->pattern, &pattern);
		struct span msg = {found->msg, strlen(found->msg)};
		struct match match = {0};
		char got[256] = "no match";

		if (error)
			fail_msg("%s: %s", found->name, error);
		if (pattern_match(&pattern, runner, msg, &match))
			format_match(&match, got, sizeof got);
		if (strcmp(got, found->want ? found->want : "no match") != 0)
			fail_msg("%s: got %s", found->name, got);
		pattern_clear(&pattern);
	}
	assert_int_equal(pattern_limit_hits(runner), 0);
	pattern_runner_free(runner);
}

static void
stops_at_the_limit(void **state)
{
	struct pattern_runner *runner = pattern_runner_new();
	struct pattern pattern = {0};
	char text[4096];
	struct match match;

	(void)state;
	assert_null(pattern_compile("^(?:(?:a+)+)+b", &pattern));
	memset(text, 'a', sizeof text);
	text[sizeof text - 2] = 'c';
	text[sizeof text - 1] = 'b';
	assert_false(pattern_match(
		&pattern, runner, (struct span){text, sizeof text}, &match));
	assert_int_equal(pattern_limit_hits(runner), 1);
	pattern_clear(&pattern);
	pattern_runner_free(runner);
}

static const struct {
	const char *pattern, *want;
} demands[] = {
	{"^warning: x", "^warning: x."},
	{"^abc", ""},
	{"^abcd?efgh", "efgh."},
	{"^abcde+fghi", "^abcde.fghi."},
	{"^abcde{2}fghi", "^abcde.fghi."},
	{"^abcde{0,2}fghi", "^abcd.fghi."},
	{"^abcde*?fghi", "^abcd.fghi."},
	{"^\\d+ from <x>", " from <x>."},
	{"^a[]bcde]fghi[^]]jklm", "fghi.jklm."},
	{"^[[:alpha:]]abcd", "abcd."},
	{"^[[.a.]]abcd", ""},
	{"^abcd|efgh", "^abcd/efgh."},
	{"^abcd|e", ""},
	{"^(?:abcd|efgh)ijkl", "abcd/efgh.ijkl."},
	{"^(?:abcd|efgh)?ijkl", "ijkl."},
	{"^(?:abcd(?:efgh|ijkl)|mnop)", "abcd/mnop."},
	{"^(?:(?:efgh|ijkl)|mnop)", "efgh/ijkl/mnop."},
	{"^(?<USER>abcd)(efgh)(?>ijkl)(?|mnop)", "abcd.efgh.ijkl.mnop."},
	{"^(?=abcd)(?!efgh)(?<=ijkl)(?<!mnop)qrst", "qrst."},
	{"^(?i:abcd)efgh", "efgh."},
	{"^(?i)abcd", ""},
	{"^(?x)ab cd", ""},
	{"^(?#abcd)efgh", ""},
	{"^(abcd)\\1", ""},
	{"^\\Qabcd\\E", ""},
	{"^\\x41\\x62cd\\.e", "^Abcd.e."},
	{"^\\x{41}bcd", ""},
	{"^ab\\bcdef", "cdef."},
	{"^abcd(*ACCEPT)efgh", ""},
	{"^(?:abcd(?R)?)", ""},
	{"^a{,3}bcdef", ""},
	{"^{abcdef", ""},
	{"^(?:abcd)", "abcd."},
	{"^abcd\\", ""},
};

static void
finds_demands(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof demands / sizeof demands[0]; i++) {
		struct literal_sets sets;
		char got[256] = "";

		literal_find(demands[i].pattern, &sets);
		for (size_t j = 0; j < sets.count; j++)
			for (size_t k = 0; k < sets.items[j].count; k++) {
				const struct literal *literal =
					&sets.items[j].items[k];
				bool last = k + 1 == sets.items[j].count;
				size_t len = strlen(got);

				(void)snprintf(got + len, sizeof got - len,
					"%s%.*s%s",
					literal->anchored ? "^" : "",
					(int)literal->len, literal->text,
					last ? "." : "/");
			}
		if (strcmp(got, demands[i].want) != 0)
			fail_msg("%s: got %s, want %s", demands[i].pattern, got,
				demands[i].want);
		literal_sets_free(&sets);
	}
}

static bool
demand_met(const struct literal_set *set, struct span msg)
{
	for (size_t i = 0; i < set->count; i++) {
		const struct literal *literal = &set->items[i];
		const char *at =
			memmem(msg.text, msg.len, literal->text, literal->len);

		if (at && (at == msg.text || !literal->anchored))
			return true;
	}
	return false;
}

/* What matches has all that is demanded. */
static bool
check_demands(const struct pattern *pattern, struct pattern_runner *runner,
	struct span msg)
{
	struct literal_sets sets;
	struct match match;
	bool matched = pattern_match(pattern, runner, msg, &match);

	literal_find(pattern->text, &sets);
	for (size_t i = 0; matched && i < sets.count; i++)
		if (!demand_met(&sets.items[i], msg))
			fail_msg("%s matches \"%.*s\" without its set %zu",
				pattern->text, (int)msg.len, msg.text, i);
	literal_sets_free(&sets);
	return matched;
}

/* ---- Random patterns ---- */

struct text {
	char text[512];
	size_t len;
};

static void
add(struct text *out, const char *piece)
{
	size_t len = strlen(piece);

	if (out->len + len < sizeof out->text) {
		memcpy(out->text + out->len, piece, len + 1);
		out->len += len;
	}
}

static void
random_pattern(struct text *out, unsigned depth)
{
	static const char *const atoms[] = {"a", "b", "ab", "ba", "aab", "abb",
		"abab", "bbaa", ".", "[ab]", "[^b]", "\\w", "\\x61", "\\b", "$",
		"[]a]", "a-", "\\-"};
	static const char *const opens[] = {"(?:", "(", "(?>", "(?=", "(?!",
		"(?i:", "(?|", "(?<USER>", "(?<!a"};
	static const char *const quantifiers[] = {"", "", "", "", "?", "*", "+",
		"{2}", "{0,2}", "{1,}", "??", "*+", "+?", "{0}"};

	for (uint32_t i = 1 + rnd(4); i > 0; i--) {
		if (depth < 3 && rnd(3) == 0) {
			uint32_t open = rnd(9);

			add(out, opens[open]);
			if (open == 8) { /* a lookbehind of known length */
				add(out, ")");
				continue;
			}
			random_pattern(out, depth + 1);
			for (uint32_t j = rnd(3); j > 0; j--) {
				add(out, "|");
				random_pattern(out, depth + 1);
			}
			add(out, ")");
		} else {
			add(out, atoms[rnd(18)]);
		}
		add(out, quantifiers[rnd(14)]);
	}
}

static void
random_patterns(void **state)
{
	struct pattern_runner *runner = pattern_runner_new();
	unsigned compiled = 0, matched = 0;

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		struct pattern pattern = {0};
		struct text text = {.text = "^", .len = 1};
		char *error;

		random_pattern(&text, 0);
		error = pattern_compile(text.text, &pattern);
		free(error);
		if (error)
			continue;
		compiled++;
		for (unsigned j = 0; j < 30; j++) {
			char msg[24];
			size_t len = rnd(sizeof msg);

			for (size_t k = 0; k < len; k++)
				msg[k] = "aabbA-"[rnd(6)];
			matched += check_demands(
				&pattern, runner, (struct span){msg, len});
		}
		pattern_clear(&pattern);
	}
	/* Else this test would test nothing. */
	assert_true(compiled > 5000);
	assert_true(matched > 20000);
	pattern_runner_free(runner);
}

/* ---- The shipped rules ---- */

static void
read_folder(const char *folder, struct ruledefs *defs)
{
	const char *top = getenv("srcdir");
	char *path = xasprintf("%s/%s", top ? top : ".", folder);
	DIR *dir = opendir(path);
	struct dirent *entry;

	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		size_t len = strlen(entry->d_name);
		char *file, *error = NULL;

		if (len < 7 || strcmp(entry->d_name + len - 6, ".rules") != 0)
			continue;
		file = xasprintf("%s/%s", path, entry->d_name);
		if (rulefile_read(file, defs, &error) < 0)
			fail_msg("%s", error);
		free(file);
	}
	(void)closedir(dir);
	free(path);
}

static const struct example *
random_example(const struct ruledefs *defs)
{
	const struct ruledef *def;

	do
		def = defs->items[rnd((uint32_t)defs->count)];
	while (!def->example_count);
	return &def->examples[rnd((uint32_t)def->example_count)];
}

/* The example with bytes changed, removed, doubled, or the end of another. */
static size_t
mutilate(const struct ruledefs *defs, char *out, size_t size)
{
	const char *first = random_example(defs)->text;
	const char *second = random_example(defs)->text;
	size_t len = strlen(first), tail = strlen(second);
	size_t cut = rnd((uint32_t)len + 1), from = rnd((uint32_t)tail + 1);

	if (len >= size || len + tail >= size)
		return 0;
	memcpy(out, first, len);
	switch (rnd(5)) {
	case 0: /* as it is */
		return len;
	case 1:
		out[cut % len] = (char)rnd(256);
		return len;
	case 2:
		memmove(out + cut, out + cut + (cut < len),
			len - cut - (cut < len));
		return len - (cut < len);
	case 3:
		memcpy(out + cut, second + from, tail - from);
		return cut + tail - from;
	default:
		return cut;
	}
}

static void
same_as_plain(const struct matcher *matcher, struct span msg, size_t *found)
{
	size_t fast_cursor = 0, plain_cursor = 0;
	const struct ruledef *fast, *plain;

	do {
		struct match a = {0}, b = {0};

		fast = matcher_run(matcher, msg, &fast_cursor, &a);
		plain = matcher_run_plain(matcher, msg, &plain_cursor, &b);
		if (fast != plain || a.has_addr != b.has_addr ||
			memcmp(&a.addr, &b.addr, sizeof a.addr) != 0 ||
			a.user.text != b.user.text)
			fail_msg("\"%.*s\": %s instead of %s", (int)msg.len,
				msg.text, fast ? fast->name : "none",
				plain ? plain->name : "none");
		*found += fast != NULL;
	} while (fast);
}

static void
fast_is_plain(void **state)
{
	struct pattern_runner *runner = pattern_runner_new();
	struct ruledefs defs = {0};
	struct matcher *matcher;
	char text[8192];
	size_t found = 0, patterns = 0;

	(void)state;
	read_folder("rules", &defs);
	read_folder("tests/unit/rules/shipped", &defs);
	matcher = matcher_new(defs.items, defs.count, runner);
	for (unsigned i = 0; i < 4000; i++) {
		size_t len = mutilate(&defs, text, sizeof text);
		/* Its own allocation: a read beyond it is seen. */
		char *exact = xcalloc(1, len + 1);

		memcpy(exact, text, len);
		exact = xreallocarray(exact, len ? len : 1, 1);
		same_as_plain(matcher, (struct span){exact, len}, &found);
		free(exact);
	}
	assert_true(found > 1000);
	/* Else the search would be no help. */
	for (size_t i = 0; i < defs.count; i++)
		patterns += defs.items[i]->pattern_count;
	assert_true(matcher_always(matcher) * 8 < patterns);
	matcher_free(matcher);
	ruledefs_free(&defs);
	pattern_runner_free(runner);
}

static void
examples_meet_demands(void **state)
{
	struct pattern_runner *runner = pattern_runner_new();
	struct ruledefs defs = {0};
	unsigned matched = 0;

	(void)state;
	read_folder("rules", &defs);
	for (size_t i = 0; i < defs.count; i++)
		for (size_t j = 0; j < defs.items[i]->example_count; j++) {
			const char *text = defs.items[i]->examples[j].text;
			const struct ruledef *def = defs.items[i];

			for (size_t k = 0; k < def->pattern_count; k++)
				matched += check_demands(&def->patterns[k],
					runner,
					(struct span){text, strlen(text)});
		}
	assert_true(matched > 100);
	ruledefs_free(&defs);
	pattern_runner_free(runner);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds),
		cmocka_unit_test(stops_at_the_limit),
		cmocka_unit_test(finds_demands),
		cmocka_unit_test(random_patterns),
		cmocka_unit_test(fast_is_plain),
		cmocka_unit_test(examples_meet_demands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
