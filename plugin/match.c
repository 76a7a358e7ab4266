/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Each pattern is found by a set of literals, one of which must occur, and
 * each literal by one gram, four of its bytes. The pass over a message looks
 * each of its grams up in a bit map so sparse that hardly any hits by chance:
 * its cost depends on the message's length, not on the number of rules. A
 * gram that is there leads to its literals; a literal that is there makes its
 * patterns candidates.
 *
 * Of what a pattern demands we take what is rarest in the examples of all the
 * program's rules, which are the messages that this program writes.
 */
#include "plugin/match.h"

#include "common/xalloc.h"
#include "plugin/literal.h"

#include <stdlib.h>
#include <string.h>

enum {
	GRAM = 4,
	COUNTERS_LOG2 = 14,
	EXAMPLE_WEIGHT = 64,
	/* Bits of the map for each gram: one in 64 hits by chance. */
	BITS_A_GRAM = 64,
	BITS_LOG2_MIN = 10,
	BITS_LOG2_MAX = 22,
	NONE = -1,
};

_Static_assert((int)LITERAL_MIN >= (int)GRAM, "a literal has a gram");

/* One pattern, in the order of trying. */
struct unit {
	struct ruledef *def;
	const struct pattern *pattern;
	size_t next_rule; /* index of the next rule's first unit */
	bool repeated;	  /* an earlier unit has the very same pattern */
};

/* One literal, and the patterns that it makes candidates. */
struct entry {
	struct literal literal;
	size_t gram_at; /* where its gram stands in it */
	uint32_t gram;
	int next; /* entry with a gram in the same slot, or NONE */
	uint32_t *units;
	size_t unit_count;
};

struct matcher {
	struct pattern_runner *runner;
	struct ruledef **defs;
	size_t def_count;
	struct unit *units;
	size_t unit_count;
	uint64_t *always; /* bit a unit: tried on every message */
	uint64_t *wanted; /* scratch: the candidates of this message */
	size_t words;	  /* of these two */
	struct entry *entries;
	size_t entry_count;
	bool blind;    /* a gram may look different in JSON, see below */
	uint64_t *map; /* bit a hashed gram */
	int *slots;    /* first entry by hashed gram, or NONE */
	unsigned map_shift, slot_shift;
};

static uint32_t
gram_at(const char *text)
{
	uint32_t gram;

	memcpy(&gram, text, sizeof gram);
	return gram;
}

/* Multiplicative hashing (Knuth, TAOCP 6.4), its upper bits. */
static uint32_t
hash(uint32_t gram, unsigned shift)
{
	return (gram * UINT32_C(2654435769)) >> shift;
}

static void
set_bit(uint64_t *bits, size_t index)
{
	bits[index / 64] |= UINT64_C(1) << index % 64;
}

/* ---- Building ---- */

static void
count_text(uint32_t *counters, const char *text, size_t len, uint32_t weight)
{
	for (size_t i = 0; i + GRAM <= len; i++)
		counters[hash(gram_at(text + i), 32 - COUNTERS_LOG2)] += weight;
}

/* How often a gram occurs, by its hash: first in the examples, then, so that
 * many patterns don't share one gram, in what patterns demand. */
static uint32_t *
count_grams(struct ruledef *const *defs, size_t count)
{
	uint32_t *counters = xcalloc(1 << COUNTERS_LOG2, sizeof *counters);

	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < defs[i]->example_count; j++)
			count_text(counters, defs[i]->examples[j].text,
				strlen(defs[i]->examples[j].text),
				EXAMPLE_WEIGHT);
		for (size_t j = 0; j < defs[i]->pattern_count; j++)
			count_text(counters, defs[i]->patterns[j].text,
				strlen(defs[i]->patterns[j].text), 1);
	}
	return counters;
}

/* Whether JSON, as rsyslog's jsonf writes it, puts a backslash before any of
 * these bytes. */
static bool
is_escaped(const char *text, size_t len)
{
	return memchr(text, '/', len) || memchr(text, '"', len) ||
	       memchr(text, '\\', len);
}

/* Where the rarest gram of a literal is, and how often it occurs. One that
 * JSON would escape is taken only where there is no other. */
static size_t
rarest(const struct literal *literal, const uint32_t *counters, uint32_t *out)
{
	size_t best = 0;

	*out = UINT32_MAX;
	for (size_t i = 0; i + GRAM <= literal->len; i++) {
		uint32_t count = counters[hash(
			gram_at(literal->text + i), 32 - COUNTERS_LOG2)];

		if (is_escaped(literal->text + i, GRAM))
			count = UINT32_MAX / LITERAL_SET_MAX;
		if (count < *out) {
			*out = count;
			best = i;
		}
	}
	return best;
}

static const struct literal_set *
best_set(const struct literal_sets *sets, const uint32_t *counters)
{
	const struct literal_set *best = NULL;
	uint64_t least = UINT64_MAX;

	for (size_t i = 0; i < sets->count; i++) {
		uint64_t sum = 0;

		for (size_t j = 0; j < sets->items[i].count; j++) {
			uint32_t count;

			(void)rarest(
				&sets->items[i].items[j], counters, &count);
			sum += count;
		}
		if (sum < least) {
			least = sum;
			best = &sets->items[i];
		}
	}
	return best;
}

static bool
literal_equal(const struct literal *a, const struct literal *b)
{
	return a->len == b->len && a->anchored == b->anchored &&
	       memcmp(a->text, b->text, a->len) == 0;
}

static struct entry *
entry_for(struct matcher *matcher, const struct literal *literal,
	const uint32_t *counters)
{
	struct entry *entry;
	uint32_t count;

	for (size_t i = 0; i < matcher->entry_count; i++)
		if (literal_equal(&matcher->entries[i].literal, literal))
			return &matcher->entries[i];
	matcher->entries = xreallocarray(matcher->entries,
		matcher->entry_count + 1, sizeof *matcher->entries);
	entry = &matcher->entries[matcher->entry_count++];
	*entry = (struct entry){.literal = *literal};
	entry->gram_at = rarest(literal, counters, &count);
	entry->gram = gram_at(literal->text + entry->gram_at);
	matcher->blind |= is_escaped(literal->text + entry->gram_at, GRAM);
	return entry;
}

static void
add_to_entry(struct entry *entry, size_t unit)
{
	if (entry->unit_count && entry->units[entry->unit_count - 1] == unit)
		return;
	entry->units = xreallocarray(
		entry->units, entry->unit_count + 1, sizeof *entry->units);
	entry->units[entry->unit_count++] = (uint32_t)unit;
}

static void
index_unit(struct matcher *matcher, size_t unit, const uint32_t *counters)
{
	struct literal_sets sets = {0};
	const struct literal_set *set;

	literal_find(matcher->units[unit].pattern->text, &sets);
	set = best_set(&sets, counters);
	if (!set) {
		set_bit(matcher->always, unit);
		matcher->blind = true;
	}
	for (size_t i = 0; set && i < set->count; i++)
		add_to_entry(
			entry_for(matcher, &set->items[i], counters), unit);
	literal_sets_free(&sets);
}

static unsigned
log2_of(size_t wanted)
{
	unsigned log2 = BITS_LOG2_MIN;

	while (log2 < BITS_LOG2_MAX && (size_t)1 << log2 < wanted)
		log2++;
	return log2;
}

static void
build_index(struct matcher *matcher)
{
	unsigned map_log2 = log2_of(matcher->entry_count * BITS_A_GRAM);
	unsigned slots_log2 = log2_of(matcher->entry_count * 2);

	matcher->map_shift = 32 - map_log2;
	matcher->slot_shift = 32 - slots_log2;
	matcher->map = xcalloc((size_t)1 << (map_log2 - 6), sizeof(uint64_t));
	matcher->slots = xcalloc((size_t)1 << slots_log2, sizeof(int));
	for (size_t i = 0; i < (size_t)1 << slots_log2; i++)
		matcher->slots[i] = NONE;
	for (size_t i = 0; i < matcher->entry_count; i++) {
		struct entry *entry = &matcher->entries[i];
		int *slot =
			&matcher->slots[hash(entry->gram, matcher->slot_shift)];

		set_bit(matcher->map, hash(entry->gram, matcher->map_shift));
		entry->next = *slot;
		*slot = (int)i;
	}
}

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

struct matcher *
matcher_new(struct ruledef *const *defs, size_t count,
	struct pattern_runner *runner)
{
	struct matcher *matcher = xcalloc(1, sizeof *matcher);
	uint32_t *counters = count_grams(defs, count);

	matcher->runner = runner;
	matcher->defs = xcalloc(count + 1, sizeof *matcher->defs);
	matcher->def_count = count;
	if (count)
		memcpy(matcher->defs, defs, count * sizeof *defs);
	for (size_t i = 0; i < count; i++)
		add_units(matcher, defs[i]);
	matcher->words = matcher->unit_count / 64 + 1;
	matcher->always = xcalloc(matcher->words, sizeof(uint64_t));
	matcher->wanted = xcalloc(matcher->words, sizeof(uint64_t));
	for (size_t i = 0; i < matcher->unit_count; i++)
		index_unit(matcher, i, counters);
	build_index(matcher);
	free(counters);
	return matcher;
}

void
matcher_free(struct matcher *matcher)
{
	if (!matcher)
		return;
	for (size_t i = 0; i < matcher->entry_count; i++)
		free(matcher->entries[i].units);
	free(matcher->entries);
	free(matcher->defs);
	free(matcher->units);
	free(matcher->always);
	free(matcher->wanted);
	free(matcher->map);
	free(matcher->slots);
	free(matcher);
}

/* ---- Matching ---- */

static bool
literal_stands(const struct entry *entry, struct span msg, size_t at)
{
	const struct literal *literal = &entry->literal;
	size_t start = at - entry->gram_at;

	if (at < entry->gram_at || msg.len - start < literal->len)
		return false;
	if (literal->anchored && start != 0)
		return false;
	return memcmp(msg.text + start, literal->text, literal->len) == 0;
}

/* The gram at that place is in the map. */
static void
follow(const struct matcher *matcher, struct span msg, size_t at)
{
	uint32_t gram = gram_at(msg.text + at);
	int index = matcher->slots[hash(gram, matcher->slot_shift)];

	for (; index != NONE; index = matcher->entries[index].next) {
		const struct entry *entry = &matcher->entries[index];

		if (entry->gram != gram || !literal_stands(entry, msg, at))
			continue;
		for (size_t i = 0; i < entry->unit_count; i++)
			set_bit(matcher->wanted, entry->units[i]);
	}
}

static void
find_candidates(const struct matcher *matcher, struct span msg)
{
	const uint64_t *map = matcher->map;
	unsigned shift = matcher->map_shift;

	memcpy(matcher->wanted, matcher->always,
		matcher->words * sizeof(uint64_t));
	for (size_t i = 0; i + GRAM <= msg.len; i++) {
		uint32_t bit = hash(gram_at(msg.text + i), shift);

		if (__builtin_expect(map[bit / 64] >> bit % 64 & 1, 0))
			follow(matcher, msg, i);
	}
}

/* Tries one unit; first: nothing before it was skipped by a cursor. */
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
	find_candidates(matcher, msg);
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

/* Whether the literal stands in the escaped text, its gram being at that
 * place: from the gram on it is compared, a backslash being no byte. What is
 * in front of the gram is not looked at, but for how far the start is. */
static bool
may_stand(const struct entry *entry, struct span escaped, size_t at)
{
	const struct literal *literal = &entry->literal;

	if (literal->anchored && at != entry->gram_at &&
		!is_escaped(literal->text, entry->gram_at))
		return false;
	for (size_t i = entry->gram_at; i < literal->len; i++, at++) {
		if (at < escaped.len && escaped.text[at] == '\\')
			at++;
		if (at >= escaped.len || escaped.text[at] != literal->text[i])
			return false;
	}
	return true;
}

bool
matcher_may_match(const struct matcher *matcher, struct span escaped)
{
	const uint64_t *map = matcher->map;
	unsigned shift = matcher->map_shift;

	if (matcher->blind)
		return true;
	for (size_t i = 0; i + GRAM <= escaped.len; i++) {
		uint32_t gram = gram_at(escaped.text + i);
		uint32_t bit = hash(gram, shift);
		int index;

		if (__builtin_expect(!(map[bit / 64] >> bit % 64 & 1), 1))
			continue;
		for (index = matcher->slots[hash(gram, matcher->slot_shift)];
			index != NONE; index = matcher->entries[index].next)
			if (matcher->entries[index].gram == gram &&
				may_stand(&matcher->entries[index], escaped, i))
				return true;
	}
	return false;
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
