/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Each pattern is found by a set of literals, one of which must occur, and
 * each literal by one gram, four of its bytes. The pass over a message looks
 * each of its grams up in a bit map so sparse that hardly any hits by chance:
 * its cost depends on the message's length, not on the number of rules. A
 * gram that is there leads to its literals.
 *
 * Of what a pattern demands we take what is rarest in the text counted.
 */
#include "plugin/grams.h"

#include "common/xalloc.h"
#include "plugin/literal.h"

#include <stdlib.h>
#include <string.h>

enum {
	GRAM = 4,
	COUNTERS_LOG2 = 14,
	/* Bits of the map for each gram: one in 64 hits by chance. */
	BITS_A_GRAM = 64,
	BITS_LOG2_MIN = 10,
	BITS_LOG2_MAX = 22,
	NONE = -1,
};

_Static_assert((int)LITERAL_MIN >= (int)GRAM, "a literal has a gram");

/* One literal, and the patterns that it makes candidates. */
struct entry {
	struct literal literal;
	size_t gram_at; /* where its gram stands in it */
	uint32_t gram;
	int next; /* entry with a gram in the same slot, or NONE */
	uint32_t *patterns;
	size_t pattern_count;
	bool word; /* it is one of grams_add_word */
};

struct grams {
	uint32_t counters[1 << COUNTERS_LOG2]; /* by hash */
	struct entry *entries;
	size_t entry_count;
	struct literal_sets *demands; /* by pattern: all that it demands */
	size_t demand_count;
	bool blind;    /* a gram may look different in JSON, or none is
			  needed: grams_may_find can't tell */
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

struct grams *
grams_new(void)
{
	return xcalloc(1, sizeof(struct grams));
}

void
grams_free(struct grams *grams)
{
	if (!grams)
		return;
	for (size_t i = 0; i < grams->entry_count; i++)
		free(grams->entries[i].patterns);
	for (size_t i = 0; i < grams->demand_count; i++)
		literal_sets_free(&grams->demands[i]);
	free(grams->demands);
	free(grams->entries);
	free(grams->map);
	free(grams->slots);
	free(grams);
}

void
grams_count(struct grams *grams, const char *text, uint32_t weight)
{
	size_t len = strlen(text);

	for (size_t i = 0; i + GRAM <= len; i++)
		grams->counters[hash(gram_at(text + i), 32 - COUNTERS_LOG2)] +=
			weight;
}

/* Whether JSON, as rsyslog's jsonf writes it, writes any of these bytes with
 * a backslash. */
static bool
is_escaped(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] == '/' || text[i] == '"' || text[i] == '\\' ||
			(unsigned char)text[i] < ' ')
			return true;
	return false;
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

	/* Of equals the last: what a server says of the matter stands behind
	 * what it says of who. */
	for (size_t i = 0; i < sets->count; i++) {
		uint64_t sum = 0;

		for (size_t j = 0; j < sets->items[i].count; j++) {
			uint32_t count;

			(void)rarest(
				&sets->items[i].items[j], counters, &count);
			sum += count;
		}
		if (sum <= least) {
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
entry_for(struct grams *grams, const struct literal *literal)
{
	struct entry *entry;
	uint32_t count;

	for (size_t i = 0; i < grams->entry_count; i++)
		if (literal_equal(&grams->entries[i].literal, literal))
			return &grams->entries[i];
	grams->entries = xreallocarray(
		grams->entries, grams->entry_count + 1, sizeof *grams->entries);
	entry = &grams->entries[grams->entry_count++];
	*entry = (struct entry){.literal = *literal};
	entry->gram_at = rarest(literal, grams->counters, &count);
	entry->gram = gram_at(literal->text + entry->gram_at);
	grams->blind |= is_escaped(literal->text + entry->gram_at, GRAM);
	return entry;
}

static void
add_to_entry(struct entry *entry, uint32_t pattern)
{
	if (entry->pattern_count &&
		entry->patterns[entry->pattern_count - 1] == pattern)
		return;
	entry->patterns = xreallocarray(entry->patterns,
		entry->pattern_count + 1, sizeof *entry->patterns);
	entry->patterns[entry->pattern_count++] = pattern;
}

static struct literal_sets *
demands_of(struct grams *grams, uint32_t number)
{
	if (number >= grams->demand_count) {
		grams->demands = xreallocarray(grams->demands,
			(size_t)number + 1, sizeof *grams->demands);
		for (size_t i = grams->demand_count; i <= number; i++)
			grams->demands[i] = (struct literal_sets){0};
		grams->demand_count = (size_t)number + 1;
	}
	return &grams->demands[number];
}

bool
grams_add(struct grams *grams, const char *pattern, uint32_t number)
{
	struct literal_sets *sets = demands_of(grams, number);
	const struct literal_set *set;
	bool found;

	literal_find(pattern, sets);
	set = best_set(sets, grams->counters);
	found = set != NULL;
	for (size_t i = 0; set && i < set->count; i++)
		add_to_entry(entry_for(grams, &set->items[i]), number);
	grams->blind |= !found;
	return found;
}

/* Its first letters count; a longer word is found a little too often. */
static void
add_word(struct grams *grams, const char *word, size_t capitals)
{
	struct literal literal = {.len = strlen(word)};

	if (literal.len > LITERAL_MAX)
		literal.len = LITERAL_MAX;
	for (size_t i = 0; i < literal.len; i++)
		literal.text[i] =
			i < capitals && word[i] >= 'a' && word[i] <= 'z'
				? (char)(word[i] & ~32)
				: word[i];
	entry_for(grams, &literal)->word = true;
}

void
grams_add_word(struct grams *grams, const char *word)
{
	add_word(grams, word, 0);
	add_word(grams, word, 1);
	add_word(grams, word, LITERAL_MAX);
}

static unsigned
log2_of(size_t wanted)
{
	unsigned log2 = BITS_LOG2_MIN;

	while (log2 < BITS_LOG2_MAX && (size_t)1 << log2 < wanted)
		log2++;
	return log2;
}

void
grams_build(struct grams *grams)
{
	unsigned map_log2 = log2_of(grams->entry_count * BITS_A_GRAM);
	unsigned slots_log2 = log2_of(grams->entry_count * 2);

	grams->map_shift = 32 - map_log2;
	grams->slot_shift = 32 - slots_log2;
	grams->map = xcalloc((size_t)1 << (map_log2 - 6), sizeof(uint64_t));
	grams->slots = xcalloc((size_t)1 << slots_log2, sizeof(int));
	for (size_t i = 0; i < (size_t)1 << slots_log2; i++)
		grams->slots[i] = NONE;
	for (size_t i = 0; i < grams->entry_count; i++) {
		struct entry *entry = &grams->entries[i];
		int *slot = &grams->slots[hash(entry->gram, grams->slot_shift)];

		set_bit(grams->map, hash(entry->gram, grams->map_shift));
		entry->next = *slot;
		*slot = (int)i;
	}
}

/* ---- Searching ---- */

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
follow(const struct grams *grams, struct span msg, size_t at, uint64_t *found)
{
	uint32_t gram = gram_at(msg.text + at);
	int index = grams->slots[hash(gram, grams->slot_shift)];

	for (; index != NONE; index = grams->entries[index].next) {
		const struct entry *entry = &grams->entries[index];

		if (entry->gram != gram || !literal_stands(entry, msg, at))
			continue;
		for (size_t i = 0; i < entry->pattern_count; i++)
			set_bit(found, entry->patterns[i]);
	}
}

void
grams_find(const struct grams *grams, struct span msg, uint64_t *found)
{
	const uint64_t *map = grams->map;
	unsigned shift = grams->map_shift;

	for (size_t i = 0; i + GRAM <= msg.len; i++) {
		uint32_t bit = hash(gram_at(msg.text + i), shift);

		if (__builtin_expect(map[bit / 64] >> bit % 64 & 1, 0))
			follow(grams, msg, i, found);
	}
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

/* Whether one of these might stand there. */
static bool
set_may_stand(const struct literal_set *set, struct span escaped)
{
	for (size_t i = 0; i < set->count; i++) {
		const struct literal *literal = &set->items[i];

		if (is_escaped(literal->text, literal->len) ||
			memmem(escaped.text, escaped.len, literal->text,
				literal->len))
			return true;
	}
	return false;
}

/* Whether all that one of the entry's patterns demands might stand there: one
 * demand alone is often met by what the program writes all day. */
static bool
all_may_stand(const struct grams *grams, const struct entry *entry,
	struct span escaped, const uint64_t *ignored)
{
	for (size_t i = 0; i < entry->pattern_count; i++) {
		uint32_t number = entry->patterns[i];
		const struct literal_sets *sets = &grams->demands[number];
		size_t met = 0;

		if (ignored[number / 64] >> number % 64 & 1)
			continue;
		while (met < sets->count &&
			set_may_stand(&sets->items[met], escaped))
			met++;
		if (met == sets->count)
			return true;
	}
	return false;
}

bool
grams_may_find(
	const struct grams *grams, struct span escaped, const uint64_t *ignored)
{
	const uint64_t *map = grams->map;
	unsigned shift = grams->map_shift;

	if (grams->blind)
		return true;
	for (size_t i = 0; i + GRAM <= escaped.len; i++) {
		uint32_t gram = gram_at(escaped.text + i);
		uint32_t bit = hash(gram, shift);
		int index;

		if (__builtin_expect(!(map[bit / 64] >> bit % 64 & 1), 1))
			continue;
		for (index = grams->slots[hash(gram, grams->slot_shift)];
			index != NONE; index = grams->entries[index].next)
			if (grams->entries[index].gram == gram &&
				may_stand(&grams->entries[index], escaped, i) &&
				(grams->entries[index].word ||
					all_may_stand(grams,
						&grams->entries[index], escaped,
						ignored)))
				return true;
	}
	return false;
}
