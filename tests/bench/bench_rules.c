/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What recognising a message costs, with the shipped rules for Postfix, with
 * ten times as many rules for its own program, and with a thousand rules for
 * other programs; beside what trying every pattern would cost. Figures are
 * nanoseconds a message, the best of several, all measured by turns; ratios
 * within one run are what counts.
 *
 *   bench_rules [FOLDER]    (default: rules under $srcdir)
 */
#include "common/xalloc.h"
#include "plugin/program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROUNDS = 50000, TURNS = 9, RELATIVES = 9, STRANGERS = 1000 };
enum { VARIANTS = 4 };

/* Nanoseconds a message: with the index, and trying every pattern. */
enum { BENIGN_NS, OFFENCE_NS, BENIGN_ALL_NS, OFFENCE_ALL_NS, COSTS };

static const char *const benign[] = {
	"connect from mail-a1.provider.example[198.51.100.40]",
	"disconnect from mail-a1.provider.example[198.51.100.40] ehlo=2 "
	"starttls=1 mail=1 rcpt=1 data=1 quit=1 commands=7",
	"4cXr5B0PJyz4w9F: client=mail-a1.provider.example[198.51.100.40]",
	"Anonymous TLS connection established from "
	"mail-a1.provider.example[198.51.100.40]: TLSv1.3 with cipher "
	"TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange X25519 "
	"server-signature RSA-PSS (2048 bits) server-digest SHA256",
	"connect from localhost[127.0.0.1]",
	"disconnect from localhost[127.0.0.1] ehlo=1 mail=1 rcpt=2 data=1 "
	"quit=1 commands=6",
};

static const char *const offences[] = {
	"warning: unknown[203.0.113.9]: SASL LOGIN authentication failed: "
	"UGFzc3dvcmQ6",
	"disconnect from unknown[203.0.113.9] ehlo=1 auth=0/1 rset=1 quit=1 "
	"commands=3/4",
	"NOQUEUE: reject: RCPT from unknown[203.0.113.9]: 554 5.7.1 "
	"<a@example.org>: Relay access denied; from=<b@example.net> "
	"to=<a@example.org> proto=ESMTP helo=<c>",
	"lost connection after AUTH from unknown[203.0.113.9]",
};

enum { BENIGN = sizeof benign / sizeof benign[0] };
enum { OFFENCES = sizeof offences / sizeof offences[0] };

static double
now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static double
measure(struct programs *programs, const char *const *texts, size_t count,
	bool plain)
{
	static const struct span program = {"postfix/smtpd", 13};
	size_t rounds = plain ? ROUNDS / 50 : ROUNDS, found = 0;
	double start = now_ns();

	for (size_t i = 0; i < rounds; i++) {
		const char *text = texts[i % count];
		struct span msg = {text, strlen(text)};
		const struct matcher *matcher =
			programs_find(programs, program);
		struct match match;
		size_t cursor = 0;

		if (plain)
			found += matcher_run_plain(
					 matcher, msg, &cursor, &match) != NULL;
		else
			found += matcher_run(matcher, msg, &cursor, &match) !=
				 NULL;
	}
	if (found > rounds)
		abort();
	return (now_ns() - start) / (double)rounds;
}

static void
add_rule(struct ruledefs *defs, const char *text)
{
	char *error = NULL;

	if (rulefile_read_text("bench", text, strlen(text), defs, &error) < 0) {
		(void)fprintf(stderr, "%s\n", error);
		exit(1);
	}
}

/* A rule like def for every pattern it has, with another word at the end: so
 * it shares all text but that word with the shipped one. */
static void
add_relatives(struct ruledefs *defs, size_t shipped)
{
	for (size_t i = 0; i < shipped; i++)
		for (int j = 0; j < RELATIVES; j++) {
			const struct ruledef *def = defs->items[i];
			char *text = xasprintf(
				"[v%d-%s]\nprogram = */smtpd\nclass = none\n"
				"pattern = %s.* marker%d%zu\n",
				j, def->name, def->patterns[0].text, j, i);

			add_rule(defs, text);
			free(text);
		}
}

/* Rules that share no more than a beginning with any other: for the shipped
 * rules' program, or each for one of its own. */
static void
add_others(struct ruledefs *defs, size_t count, bool same_program)
{
	for (size_t i = 0; i < count; i++) {
		char *program = same_program ? xstrdup("*/smtpd")
					     : xasprintf("other%zu", i);
		char *text = xasprintf(
			"[%s%zu]\nprogram = %s\nclass = none\n"
			"pattern = ^warning: [^\\s\\[]+\\[<ADDR>\\]: thing "
			"%zu happened\n",
			same_program ? "more" : "other", i, program, i * 7919);

		add_rule(defs, text);
		free(text);
		free(program);
	}
}

/* One size of rule set, and the best of several measurements of each kind. */
struct variant {
	const char *name;
	struct ruledefs defs; /* its items are those of a larger one */
	struct programs *programs;
	double cost[COSTS];
};

static void
measure_all(struct variant *variant)
{
	for (int cost = 0; cost < COSTS; cost++) {
		bool benign_ones = cost == BENIGN_NS || cost == BENIGN_ALL_NS;
		double ns = measure(variant->programs,
			benign_ones ? benign : offences,
			benign_ones ? BENIGN : OFFENCES,
			cost == BENIGN_ALL_NS || cost == OFFENCE_ALL_NS);

		if (variant->cost[cost] == 0 || ns < variant->cost[cost])
			variant->cost[cost] = ns;
	}
}

static void
report(const struct variant *variant, const struct variant *first)
{
	const double *cost = variant->cost;

	(void)printf("%-34s %5zu rules  benign %4.0f  offence %4.0f  "
		     "(trying all: %6.0f, %6.0f)",
		variant->name, variant->defs.count, cost[BENIGN_NS],
		cost[OFFENCE_NS], cost[BENIGN_ALL_NS], cost[OFFENCE_ALL_NS]);
	if (variant != first)
		(void)printf("  benign ratio %.2f",
			cost[BENIGN_NS] / first->cost[BENIGN_NS]);
	(void)printf("\n");
}

static void
add_variant(struct variant *variant, const char *name,
	const struct ruledefs *defs, struct pattern_runner *runner)
{
	variant->name = name;
	variant->defs.items =
		xcalloc(defs->count, sizeof(*variant->defs.items));
	variant->defs.count = defs->count;
	(void)memcpy(variant->defs.items, defs->items,
		defs->count * sizeof(*defs->items));
	variant->programs = programs_new(&variant->defs, runner);
}

int
main(int argc, char **argv)
{
	const char *folder = getenv("srcdir");
	char *path = argc > 1 ? xstrdup(argv[1])
			      : xasprintf("%s/rules/postfix.rules",
					folder ? folder : ".");
	struct pattern_runner *runner = pattern_runner_new();
	struct variant variants[VARIANTS] = {{0}};
	struct ruledefs defs = {0};
	char *error = NULL;
	size_t shipped;

	if (!runner || rulefile_read(path, &defs, &error) < 0) {
		(void)fprintf(stderr, "%s\n", error ? error : "no memory");
		return 1;
	}
	shipped = defs.count;
	add_variant(&variants[0], "shipped", &defs, runner);
	add_others(&defs, STRANGERS, false);
	add_variant(&variants[1], "+ 1,000 for other programs", &defs, runner);
	add_relatives(&defs, shipped);
	add_variant(
		&variants[2], "+ 9 variants of each shipped", &defs, runner);
	add_others(&defs, 600, true);
	add_variant(&variants[3], "+ 600 more for this program", &defs, runner);
	for (int turn = 0; turn < TURNS; turn++)
		for (int i = 0; i < VARIANTS; i++)
			measure_all(&variants[i]);
	for (int i = 0; i < VARIANTS; i++) {
		report(&variants[i], &variants[0]);
		programs_free(variants[i].programs);
		free(variants[i].defs.items);
	}
	ruledefs_free(&defs);
	pattern_runner_free(runner);
	free(path);
	return 0;
}
