/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The patterns of one program's rules in their order, and the index that says
 * which of them to try. What is rare is judged by the examples of all these
 * rules, which are the messages that this program writes.
 */
#include "plugin/match.h"

#include "common/xalloc.h"
#include "plugin/grams.h"
#include "plugin/unknown.h"

#include <stdlib.h>
#include <string.h>

/* Of a byte in an example, against one in a pattern: what is rare in the
 * messages counts first, then that not many patterns share a gram. */
enum { EXAMPLE_WEIGHT = 64 };

/* One pattern, in the order of trying. */
struct unit {
	struct ruledef *def;
	const struct pattern *pattern;
	size_t next_rule; /* index of the next rule's first unit */
	bool repeated;	  /* an earlier unit has the very same pattern */
};

struct matcher {
	struct pattern_runner *runner;
	struct ruledef **defs;
	size_t def_count;
	struct unit *units;
	size_t unit_count;
	struct grams *grams;
	uint64_t *silent; /* bit a unit: see is_silent */
	uint64_t *always; /* bit a unit: tried on every message */
	uint64_t *wanted; /* scratch: the candidates of this message */
	size_t words;	  /* of these two */
};

static bool
is_repeated(const struct matcher *matcher, const struct pattern *pattern)
{
	for (size_t i = 0; i < matcher->unit_count; i++)
		if (strcmp(matcher->units[i].pattern->text, pattern->text) == 0)
			return true;
	return false;
}

static void
add_units(struct matcher *matcher, struct ruledef *def)
{
	size_t next = matcher->unit_count + def->pattern_count;

	matcher->units =
		xreallocarray(matcher->units, next, sizeof *matcher->units);
	for (size_t i = 0; i < def->pattern_count; i++) {
		struct unit unit = {
			.def = def,
			.pattern = &def->patterns[i],
			.next_rule = next,
			.repeated = is_repeated(matcher, &def->patterns[i]),
		};

		matcher->units[matcher->unit_count++] = unit;
	}
}

static void
count_text(struct grams *grams, const struct ruledef *def)
{
	for (size_t i = 0; i < def->example_count; i++)
		grams_count(grams, def->examples[i].text, EXAMPLE_WEIGHT);
	for (size_t i = 0; i < def->pattern_count; i++)
		grams_count(grams, def->patterns[i].text, 1);
}

/* Whether it makes no difference if this one matches or none does: it charges
 * nobody, and tells nothing of who is there. */
static bool
is_silent(const struct unit *unit)
{
	return unit->def->rule.class == CLASS_NONE &&
	       !unit->def->rule.accepts &&
	       !strstr(unit->pattern->text, "SESSION");
}

static void
build_index(struct matcher *matcher)
{
	matcher->words = matcher->unit_count / 64 + 1;
	matcher->silent = xcalloc(matcher->words, sizeof(uint64_t));
	matcher->always = xcalloc(matcher->words, sizeof(uint64_t));
	matcher->wanted = xcalloc(matcher->words, sizeof(uint64_t));
	matcher->grams = grams_new();
	for (size_t i = 0; i < matcher->def_count; i++)
		count_text(matcher->grams, matcher->defs[i]);
	for (size_t i = 0; i < matcher->unit_count; i++)
		if (is_silent(&matcher->units[i]))
			matcher->silent[i / 64] |= UINT64_C(1) << i % 64;
	for (size_t i = 0; i < matcher->unit_count; i++)
		if (!grams_add(matcher->grams, matcher->units[i].pattern->text,
			    (uint32_t)i))
			matcher->always[i / 64] |= UINT64_C(1) << i % 64;
	/* What no rule knows and smells of failure is to be seen too. */
	for (size_t i = 0; unknown_word(i); i++)
		grams_add_word(matcher->grams, unknown_word(i));
	grams_build(matcher->grams);
}

struct matcher *
matcher_new(struct ruledef *const *defs, size_t count,
	struct pattern_runner *runner)
{
	struct matcher *matcher = xcalloc(1, sizeof *matcher);

	matcher->runner = runner;
	matcher->defs = xcalloc(count + 1, sizeof *matcher->defs);
	matcher->def_count = count;
	if (count)
		memcpy(matcher->defs, defs, count * sizeof *defs);
	for (size_t i = 0; i < count; i++)
		add_units(matcher, defs[i]);
	build_index(matcher);
	return matcher;
}

void
matcher_free(struct matcher *matcher)
{
	if (!matcher)
		return;
	grams_free(matcher->grams);
	free(matcher->defs);
	free(matcher->units);
	free(matcher->silent);
	free(matcher->always);
	free(matcher->wanted);
	free(matcher);
}

static bool
try_unit(const struct matcher *matcher, const struct unit *unit,
	struct span msg, struct match *out)
{
	if (!pattern_match(unit->pattern, matcher->runner, msg, out))
		return false;
	ruledef_finish(unit->def, out);
	return true;
}

struct ruledef *
matcher_run(const struct matcher *matcher, struct span msg, size_t *cursor,
	struct match *out)
{
	size_t start = *cursor;

	if (start >= matcher->unit_count)
		return NULL;
	memcpy(matcher->wanted, matcher->always,
		matcher->words * sizeof(uint64_t));
	grams_find(matcher->grams, msg, matcher->wanted);
	matcher->wanted[start / 64] &= UINT64_MAX << start % 64;
	for (size_t word = start / 64; word < matcher->words; word++)
		while (matcher->wanted[word]) {
			size_t index =
				word * 64 +
				(size_t)__builtin_ctzll(matcher->wanted[word]);
			const struct unit *unit = &matcher->units[index];

			matcher->wanted[word] &= matcher->wanted[word] - 1;
			if (start == 0 && unit->repeated)
				continue;
			if (!try_unit(matcher, unit, msg, out))
				continue;
			*cursor = unit->next_rule;
			return unit->def;
		}
	return NULL;
}

struct ruledef *
matcher_run_plain(const struct matcher *matcher, struct span msg,
	size_t *cursor, struct match *out)
{
	for (size_t i = *cursor; i < matcher->unit_count; i++) {
		const struct unit *unit = &matcher->units[i];

		if (!try_unit(matcher, unit, msg, out))
			continue;
		*cursor = unit->next_rule;
		return unit->def;
	}
	return NULL;
}

bool
matcher_may_match(const struct matcher *matcher, struct span escaped)
{
	return grams_may_find(matcher->grams, escaped, matcher->silent);
}

size_t
matcher_count(const struct matcher *matcher)
{
	return matcher->def_count;
}

struct ruledef *
matcher_at(const struct matcher *matcher, size_t index)
{
	return matcher->defs[index];
}

size_t
matcher_always(const struct matcher *matcher)
{
	size_t count = 0;

	for (size_t i = 0; i < matcher->words; i++)
		count += (size_t)__builtin_popcountll(matcher->always[i]);
	return count;
}
