/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whatever a stranger writes, in whichever field of whichever message, the
 * client charged is the one that the server names, or nobody; and no pattern
 * takes long about it.
 *
 *   inject [CASES [SEED [RULES]]]   (default: 400000 1 rules under $srcdir)
 *
 * Prints TAP. The same numbers give the same cases.
 */
#include "common/xalloc.h"
#include "tests/inject/hostile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	CASES = 400000,
	WEAK_CASES = 60000,
	LONG_TIMES = 30,
	SHOWN_MAX = 40,
	SHOWN_BYTES = 700
};

/* Cases in which something went wrong, one sample for each place. */
struct finding {
	const struct target *target;
	const struct rule *rule; /* that charged another, or is slow */
	unsigned slow;		 /* line of its pattern, or 0 */
	enum field_kind kind;
	size_t count, len;
	char *sample;
};

struct totals {
	struct finding *findings;
	size_t finding_count;
	uint64_t cases, same, nobody, other, slow;
	uint64_t charged; /* cases of which the untouched message is charged */
};

static void
note(struct totals *totals, const struct target *target,
	const struct rule *rule, unsigned slow, enum field_kind kind,
	struct span line)
{
	struct finding *finding = NULL;

	for (size_t i = 0; i < totals->finding_count && !finding; i++) {
		struct finding *each = &totals->findings[i];

		if (each->target->def == target->def && each->rule == rule &&
			each->slow == slow && each->kind == kind)
			finding = each;
	}
	if (!finding) {
		totals->findings = xreallocarray(totals->findings,
			totals->finding_count + 1, sizeof *totals->findings);
		finding = &totals->findings[totals->finding_count++];
		*finding = (struct finding){.target = target,
			.rule = rule,
			.slow = slow,
			.kind = kind};
	}
	finding->count++;
	/* The shortest is the easiest to understand. */
	if (finding->sample && finding->len <= line.len)
		return;
	free(finding->sample);
	finding->sample = xstrndup(line.text, line.len);
	finding->len = line.len;
}

static void
try_line(struct totals *totals, const struct targets *targets,
	const struct target *target, enum field_kind kind, struct span line)
{
	uint64_t hits = pattern_limit_hits(targets->runner);
	struct match match;
	enum outcome outcome = target_judge(target, line, &match);

	totals->cases++;
	totals->charged += target->charged;
	totals->same += outcome == OUTCOME_SAME;
	totals->nobody += outcome == OUTCOME_NOBODY;
	if (outcome == OUTCOME_OTHER) {
		totals->other++;
		note(totals, target, match.rule, 0, kind, line);
	}
	if (pattern_limit_hits(targets->runner) != hits) {
		const struct rule *rule;
		const struct pattern *pattern =
			target_slow_pattern(targets, target, line, &rule);

		totals->slow++;
		note(totals, target, rule, pattern ? pattern->line : 1, kind,
			line);
	}
}

static void
try_patterns(struct totals *totals, const struct targets *targets,
	const struct target *target, enum field_kind kind, struct span line)
{
	for (size_t i = 0; i < target->def->pattern_count; i++) {
		const struct pattern *pattern = &target->def->patterns[i];
		uint64_t hits = pattern_limit_hits(targets->runner);
		struct match match;

		totals->cases++;
		if (pattern_match(pattern, targets->runner, line, &match))
			totals->same++;
		else
			totals->nobody++;
		if (pattern_limit_hits(targets->runner) == hits)
			continue;
		totals->slow++;
		note(totals, target, &target->def->rule, pattern->line, kind,
			line);
	}
}

static void
print_bytes(const char *text, size_t len)
{
	for (size_t i = 0; i < len && i < SHOWN_BYTES; i++)
		if (text[i] >= ' ' && text[i] <= '~')
			(void)putchar(text[i]);
		else
			(void)printf("\\x%02x", (unsigned char)text[i]);
	(void)printf("%s\n", len > SHOWN_BYTES ? "..." : "");
}

static void
clear_findings(struct totals *totals)
{
	for (size_t i = 0; i < totals->finding_count; i++)
		free(totals->findings[i].sample);
	free(totals->findings);
	*totals = (struct totals){0};
}

static void
print_findings(const struct totals *totals)
{
	for (size_t i = 0; i < totals->finding_count && i < SHOWN_MAX; i++) {
		const struct finding *finding = &totals->findings[i];

		(void)printf("# %s:%u: [%s] in %s, %zu times: [%s]",
			finding->target->def->file,
			finding->target->example->line,
			finding->target->def->name, field_names[finding->kind],
			finding->count, finding->rule->name);
		if (finding->slow)
			(void)printf("'s pattern of line %u reaches its match "
				     "limit\n",
				finding->slow);
		else
			(void)printf(" charges another\n");
		(void)printf("#   %s: (%zu) ", finding->target->program,
			finding->len);
		print_bytes(finding->sample, finding->len);
	}
}

static int
report(struct totals *totals, int number, const char *what, bool charges)
{
	bool bad = totals->other || totals->slow || !totals->cases;

	/* Where hardly anything is charged any more, nothing is shown. */
	if (charges && totals->same * 3 < totals->charged)
		bad = true;
	print_findings(totals);
	(void)printf("%s %d - %s: %llu cases, %llu charge the client, %llu "
		     "nobody, %llu another; %llu match limits\n",
		bad ? "not ok" : "ok", number, what,
		(unsigned long long)totals->cases,
		(unsigned long long)totals->same,
		(unsigned long long)totals->nobody,
		(unsigned long long)totals->other,
		(unsigned long long)totals->slow);
	clear_findings(totals);
	return bad;
}

/* Every field gets its share, in turn, so that CASES is what is tried. */
static void
try_all(const struct targets *targets, const struct hostile *hostile,
	uint64_t cases, uint64_t seed, struct totals *totals)
{
	static struct hostile_line line;
	struct random random = {seed};
	uint64_t done = 0;

	while (done < cases)
		for (size_t i = 0; i < targets->count; i++) {
			const struct target *target = &targets->items[i];

			for (size_t j = 0; j < target->field_count; j++) {
				hostile_craft(
					hostile, &random, target, j, &line);
				try_line(totals, targets, target,
					target->fields[j].kind,
					(struct span){line.text, line.len});
				done++;
			}
		}
}

static int
inject(const struct targets *targets, const struct hostile *hostile,
	uint64_t cases, uint64_t seed)
{
	struct totals totals = {0};

	try_all(targets, hostile, cases, seed, &totals);
	return report(&totals, 1, "hostile text in every field", true);
}

static bool
is_literal_byte(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ||
	       (c >= 'A' && c <= 'F') || c == '.' || c == ':';
}

static bool
is_known(const struct target *target, const struct addr *addr)
{
	for (size_t i = 0; i < target->known_count; i++)
		if (!memcmp(&target->known[i], addr, sizeof *addr))
			return true;
	return false;
}

/* No address comes to be by a cut. Nothing on the way cuts a message as short
 * as most examples are, so what a cut within an address leaves, or one behind
 * the hostile part of an example, counts for nothing. */
static int
cut_everywhere(const struct targets *targets)
{
	struct totals totals = {0};

	for (size_t i = 0; i < targets->count; i++) {
		const struct target *target = &targets->items[i];
		const char *text = target->text.text;

		for (size_t len = 1; len <= target->text.len; len++) {
			struct span line = {text, len};
			struct match match;

			if (is_literal_byte(text[len - 1]) &&
				is_literal_byte(text[len]))
				continue;
			if (target_judge(target, line, &match) ==
					OUTCOME_OTHER &&
				is_known(target, &match.addr))
				continue;
			try_line(&totals, targets, target, FIELD_TAIL, line);
		}
	}
	return report(&totals, 2, "every example cut at every length", false);
}

/* Every pattern by itself, also those that the search would not try, on long
 * hostile lines made of its rule's own examples. */
static int
run_long(const struct targets *targets, const struct hostile *hostile,
	uint64_t seed)
{
	static struct hostile_line line;
	struct random random = {seed + 1};
	struct totals totals = {0};

	for (size_t i = 0; i < targets->count; i++) {
		const struct target *target = &targets->items[i];

		for (size_t j = 0; j < target->field_count; j++)
			for (int times = 0; times < LONG_TIMES; times++) {
				hostile_craft_long(
					hostile, &random, target, j, &line);
				try_patterns(&totals, targets, target,
					target->fields[j].kind,
					(struct span){line.text, line.len});
			}
	}
	return report(&totals, 3, "every pattern on long hostile lines", false);
}

/* Each of the rules that are weak on purpose must be found out. */
static int
find_weak(const char *path, uint64_t seed)
{
	struct targets targets;
	struct hostile *hostile;
	struct totals totals = {0};
	size_t found = 0, rules;

	if (!targets_load(&targets, path))
		return 1;
	rules = targets.defs[0].count;
	hostile = hostile_new(&targets);
	try_all(&targets, hostile, WEAK_CASES, seed, &totals);
	for (size_t i = 0; i < rules; i++) {
		const struct rule *rule = &targets.defs[0].items[i]->rule;
		bool known = false;

		for (size_t j = 0; j < totals.finding_count; j++)
			known |= totals.findings[j].rule == rule;
		found += known;
		if (!known)
			(void)printf("# nothing found in [%s]\n", rule->name);
	}
	(void)printf("%s 4 - weak rules are found out: %zu of %zu\n",
		found == rules ? "ok" : "not ok", found, rules);
	clear_findings(&totals);
	hostile_free(hostile);
	targets_free(&targets);
	return found != rules;
}

int
main(int argc, char **argv)
{
	const char *top = getenv("srcdir");
	uint64_t cases = argc > 1 ? strtoull(argv[1], NULL, 10) : CASES;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
	char *folder = argc > 3 ? xstrdup(argv[3])
				: xasprintf("%s/rules", top ? top : ".");
	struct targets targets;
	struct hostile *hostile;
	size_t fields = 0;
	int failed;

	if (!targets_load(&targets, folder))
		return 1;
	for (size_t i = 0; i < targets.count; i++)
		fields += targets.items[i].field_count;
	hostile = hostile_new(&targets);
	(void)printf("1..%d\n# %zu examples, %zu fields, seed %llu\n",
		argc > 3 ? 3 : 4, targets.count, fields,
		(unsigned long long)seed);
	failed = inject(&targets, hostile, cases, seed);
	failed |= cut_everywhere(&targets);
	failed |= run_long(&targets, hostile, seed);
	hostile_free(hostile);
	targets_free(&targets);
	free(folder);
	if (argc > 3)
		return failed;
	folder = xasprintf("%s/tests/inject/weak.rules", top ? top : ".");
	failed |= find_weak(folder, seed);
	free(folder);
	return failed;
}
