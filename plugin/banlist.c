/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bans sit in an array and stay where they are; an index of hash and
 * position finds them, with linear probing and removal by moving back.
 */
#include "plugin/banlist.h"

#include "common/xalloc.h"

#include <assert.h>
#include <sodium/crypto_shorthash.h>
#include <stdlib.h>
#include <string.h>

enum { FAMILIES = 2, PREFIXES = 129, FIRST_ROOM = 64, STEP_ENTRIES = 64 };

struct entry {
	struct ban ban;
	uint32_t next_free; /* position + 1, of an entry not used */
	bool used;
	bool over; /* and therefore not counted */
};

struct pointer {
	uint32_t hash;
	uint32_t position; /* + 1; 0: none */
};

struct banlist {
	uint8_t key[crypto_shorthash_KEYBYTES];
	struct entry *entries;
	uint32_t room, used, first_free; /* first_free: position + 1 */
	uint32_t step;
	size_t count, over;
	struct pointer *index;
	uint32_t mask; /* size of the index - 1 */
	/* How many bans have that prefix, and which prefixes there are. */
	uint32_t with_prefix[FAMILIES][PREFIXES];
	uint8_t prefixes[FAMILIES][PREFIXES];
	unsigned prefix_count[FAMILIES];
};

static unsigned
family_of(const struct network *net)
{
	return net->addr.family == ADDR_V6;
}

static uint32_t
hash_of(const struct banlist *list, const struct network *net)
{
	uint8_t in[18], out[crypto_shorthash_BYTES];
	uint32_t hash;

	in[0] = net->addr.family;
	in[1] = net->prefix;
	memcpy(in + 2, net->addr.bytes, 16);
	crypto_shorthash(out, in, sizeof in, list->key);
	memcpy(&hash, out, sizeof hash);
	return hash;
}

/* Where in the index net is, or would be. */
static uint32_t
seek(const struct banlist *list, const struct network *net, uint32_t hash)
{
	uint32_t at = hash & list->mask;

	for (;; at = (at + 1) & list->mask) {
		const struct pointer *pointer = &list->index[at];

		if (!pointer->position)
			return at;
		if (pointer->hash == hash &&
			network_equal(
				&list->entries[pointer->position - 1].ban.net,
				net))
			return at;
	}
}

static struct entry *
entry_get(const struct banlist *list, const struct network *net)
{
	uint32_t at = seek(list, net, hash_of(list, net));
	uint32_t position = list->index[at].position;

	return position ? &list->entries[position - 1] : NULL;
}

static void
index_grow(struct banlist *list)
{
	uint32_t mask = list->mask * 2 + 1;
	struct pointer *index = xcalloc((size_t)mask + 1, sizeof *index);

	for (size_t i = 0; i <= list->mask; i++) {
		uint32_t at = list->index[i].hash & mask;

		if (!list->index[i].position)
			continue;
		while (index[at].position)
			at = (at + 1) & mask;
		index[at] = list->index[i];
	}
	free(list->index);
	list->index = index;
	list->mask = mask;
}

/* Closes the gap: what was pushed on over this place moves back. */
static void
index_remove(struct banlist *list, uint32_t gap)
{
	uint32_t at = gap;

	for (;;) {
		uint32_t home;

		at = (at + 1) & list->mask;
		if (!list->index[at].position)
			break;
		home = list->index[at].hash & list->mask;
		if (((at - home) & list->mask) < ((at - gap) & list->mask))
			continue;
		list->index[gap] = list->index[at];
		gap = at;
	}
	list->index[gap] = (struct pointer){0, 0};
}

/* Keeps the prefixes that occur, widest first. */
static void
count_prefix(struct banlist *list, const struct network *net, int change)
{
	unsigned family = family_of(net), count = 0;
	uint32_t *with = &list->with_prefix[family][net->prefix];
	uint32_t before = *with;

	*with += (uint32_t)change;
	if (before && *with)
		return;
	for (unsigned i = 0; i < PREFIXES; i++)
		if (list->with_prefix[family][i])
			list->prefixes[family][count++] = (uint8_t)i;
	list->prefix_count[family] = count;
}

static uint32_t
take_entry(struct banlist *list)
{
	uint32_t position = list->first_free;

	if (position) {
		list->first_free = list->entries[position - 1].next_free;
		return position;
	}
	if (list->used == list->room) {
		assert(list->room < UINT32_MAX / 2);
		list->room = list->room ? list->room * 2 : FIRST_ROOM;
		list->entries = xreallocarray(
			list->entries, list->room, sizeof *list->entries);
	}
	return ++list->used;
}

struct banlist *
banlist_new(const uint8_t key[16])
{
	struct banlist *list = xcalloc(1, sizeof *list);

	memcpy(list->key, key, sizeof list->key);
	list->mask = FIRST_ROOM - 1;
	list->index = xcalloc(FIRST_ROOM, sizeof *list->index);
	return list;
}

void
banlist_free(struct banlist *list)
{
	if (!list)
		return;
	free(list->entries);
	free(list->index);
	free(list);
}

void
banlist_put(struct banlist *list, const struct ban *ban)
{
	uint32_t hash = hash_of(list, &ban->net);
	uint32_t at = seek(list, &ban->net, hash);
	uint32_t position = list->index[at].position;

	if (position) {
		list->over -= list->entries[position - 1].over;
	} else {
		position = take_entry(list);
		list->index[at] = (struct pointer){hash, position};
		list->count++;
		count_prefix(list, &ban->net, 1);
	}
	list->entries[position - 1] = (struct entry){.ban = *ban, .used = true};
	if (list->count > (size_t)list->mask / 4 * 3)
		index_grow(list);
}

const struct ban *
banlist_get(const struct banlist *list, const struct network *net)
{
	const struct entry *entry = entry_get(list, net);

	return entry ? &entry->ban : NULL;
}

void
banlist_remove(struct banlist *list, const struct network *net)
{
	uint32_t at = seek(list, net, hash_of(list, net));
	uint32_t position = list->index[at].position;
	struct entry *entry;

	if (!position)
		return;
	entry = &list->entries[position - 1];
	index_remove(list, at);
	list->count--;
	list->over -= entry->over;
	/* net may be the entry's own: it is not used below. */
	count_prefix(list, net, -1);
	*entry = (struct entry){.next_free = list->first_free};
	list->first_free = position;
}

const struct ban *
banlist_find(const struct banlist *list, const struct network *net,
	int64_t time_us, bool observed_too)
{
	unsigned family = family_of(net);

	for (unsigned i = 0; i < list->prefix_count[family]; i++) {
		uint8_t prefix = list->prefixes[family][i];
		const struct entry *entry;
		struct network wide;

		if (prefix > net->prefix)
			break;
		wide = network_of(&net->addr, prefix);
		entry = entry_get(list, &wide);
		if (entry && entry->ban.until_us > time_us &&
			(observed_too || !entry->ban.observed))
			return &entry->ban;
	}
	return NULL;
}

const struct ban *
banlist_next(const struct banlist *list, size_t *cursor)
{
	while (*cursor < list->used) {
		const struct entry *entry = &list->entries[(*cursor)++];

		if (entry->used)
			return &entry->ban;
	}
	return NULL;
}

static void
step(struct banlist *list, int64_t over_us, int64_t forget_us)
{
	struct entry *entry;

	if (list->step >= list->used)
		list->step = 0;
	entry = &list->entries[list->step++];
	if (!entry->used)
		return;
	list->over -= entry->over;
	entry->over = entry->ban.until_us <= over_us;
	list->over += entry->over;
	if (entry->ban.until_us <= forget_us)
		banlist_remove(list, &entry->ban.net);
}

void
banlist_step(struct banlist *list, int64_t over_us, int64_t forget_us)
{
	for (unsigned n = 0; n < STEP_ENTRIES && n < list->used; n++)
		step(list, over_us, forget_us);
}

void
banlist_sweep(struct banlist *list, int64_t over_us, int64_t forget_us)
{
	for (uint32_t n = 0; n < list->used; n++)
		step(list, over_us, forget_us);
}

size_t
banlist_count(const struct banlist *list)
{
	return list->count - list->over;
}

size_t
banlist_memory(const struct banlist *list)
{
	return sizeof *list + list->room * sizeof *list->entries +
	       ((size_t)list->mask + 1) * sizeof *list->index;
}
