/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is in the slots, and when it goes: two times fit in a slot, a tally with
 * more has a block of its own; what is behind the horizon, or too much for the
 * bound, is removed.
 */
#include "plugin/tally.h"

#include "common/xalloc.h"
#include "plugin/slots.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
	INLINE = SLOTS_INLINE,
	IN_BLOCK = INLINE + 1, /* value of used: the times are in a block */
	BLOCK_FIRST = 4,
	MALLOC_OVERHEAD = 16,
	STEP_BUCKETS = 32,
	EVICT_LOOK = 12,     /* candidates looked at */
	EVICT_BUCKETS = 128, /* in so many buckets at most */
};

static_assert((int)TALLY_WHO == (int)SLOTS_WHO, "one size");

struct block {
	uint32_t len, room;
	struct moment moments[];
};

/* A tally's times, wherever they are; room for one more than fits inline. */
struct times {
	struct moment *moments;
	size_t len;
	struct moment local[INLINE + 1];
};

struct tallies {
	int64_t horizon_us[TALLY_KINDS];
	bool swept; /* nothing is behind the horizons */
	size_t limit, block_bytes;
	uint32_t step_shard, step_bucket;
	/* Of the last who: most questions come in twos and threes. */
	uint8_t last_who[TALLY_WHO];
	uint64_t last_hash;
	struct slots slots;
};

static uint64_t
hash_of(struct tallies *all, const uint8_t who[TALLY_WHO])
{
	if (memcmp(who, all->last_who, TALLY_WHO) != 0) {
		memcpy(all->last_who, who, TALLY_WHO);
		all->last_hash = slots_hash(&all->slots, who);
	}
	return all->last_hash;
}

/* --- the times of a slot --- */

static size_t
block_size(size_t room)
{
	return sizeof(struct block) + room * sizeof(struct moment);
}

static void
block_free(struct tallies *all, struct slot *slot)
{
	if (slot->used != IN_BLOCK)
		return;
	all->block_bytes -= block_size(slot->block->room) + MALLOC_OVERHEAD;
	free(slot->block);
	slot->used = 0;
}

static void
times_load(struct slot *slot, struct times *times)
{
	if (slot->used == IN_BLOCK) {
		times->moments = slot->block->moments;
		times->len = slot->block->len;
		return;
	}
	times->moments = times->local;
	times->len = slot->used;
	times->local[0] = (struct moment){.time_us = slot->time_us[0],
		.count = slot->count0,
		.tag = slot->tag0};
	times->local[1] = (struct moment){.time_us = slot->time_us[1],
		.count = slot->count1,
		.tag = slot->tag1};
}

/* The times are in their block already, or few enough for the slot. */
static void
times_store(struct tallies *all, struct slot *slot, const struct times *times)
{
	struct moment few[INLINE] = {{.time_us = 0}};

	if (times->len > INLINE) {
		slot->block->len = (uint32_t)times->len;
		return;
	}
	memcpy(few, times->moments, times->len * sizeof few[0]);
	block_free(all, slot);
	slot->used = times->len & 3;
	slot->time_us[0] = few[0].time_us;
	slot->time_us[1] = few[1].time_us;
	slot->count0 = few[0].count;
	slot->count1 = few[1].count;
	slot->tag0 = few[0].tag;
	slot->tag1 = few[1].tag;
}

/* --- removing --- */

static void
remove_at(struct tallies *all, struct shard *shard, const struct place *place)
{
	block_free(all, &place->bucket->slots[place->index]);
	slots_remove(&all->slots, shard, place);
}

/* Drops what is behind the horizon. */
static void
sweep_bucket(struct tallies *all, struct shard *shard, struct bucket *bucket)
{
	for (unsigned i = 0; i < SLOTS_IN_BUCKET; i++) {
		struct slot *slot = &bucket->slots[i];
		struct times times;
		size_t len;

		if (!bucket->tags[i])
			continue;
		times_load(slot, &times);
		len = window_drop(
			times.moments, times.len, all->horizon_us[slot->kind]);
		if (len == times.len)
			continue;
		times.len = len;
		times_store(all, slot, &times);
		if (len == 0)
			remove_at(all, shard, &(struct place){bucket, i});
	}
}

static void
sweep_shard(struct tallies *all, struct shard *shard)
{
	for (uint32_t i = 0; i < shard->room; i++)
		sweep_bucket(all, shard, &shard->buckets[i]);
}

/* --- the bound --- */

struct candidate {
	struct place place;
	uint64_t count;
	int64_t newest_us;
};

static void
weigh(const struct tallies *all, struct slot *slot, struct candidate *out)
{
	struct times times;

	times_load(slot, &times);
	out->count = 0;
	out->newest_us = times.moments[times.len - 1].time_us;
	for (size_t i = 0; i < times.len; i++)
		if (times.moments[i].time_us > all->horizon_us[slot->kind])
			out->count += times.moments[i].count;
}

static bool
less_guilty(const struct candidate *a, const struct candidate *b)
{
	if (a->count != b->count)
		return a->count < b->count;
	return a->newest_us < b->newest_us;
}

/* Only those with a block when blocks_only; never keep. Returns how many were
 * looked at. */
static unsigned
look_in(const struct tallies *all, struct bucket *bucket,
	const struct slot *keep, bool blocks_only, struct candidate *least)
{
	unsigned looked = 0;

	for (unsigned i = 0; i < SLOTS_IN_BUCKET; i++) {
		struct slot *slot = &bucket->slots[i];
		struct candidate one = {.place = {bucket, i}};

		if (!bucket->tags[i] || slot == keep ||
			(blocks_only && slot->used != IN_BLOCK))
			continue;
		looked++;
		weigh(all, slot, &one);
		if (!least->place.bucket || less_guilty(&one, least))
			*least = one;
	}
	return looked;
}

static bool
evict(struct tallies *all, struct shard *shard, const struct slot *keep,
	bool blocks_only)
{
	struct candidate least = {.place = {NULL, 0}};
	unsigned looked = 0;

	for (uint32_t n = 0; n < shard->room && n < EVICT_BUCKETS; n++) {
		if (shard->hand >= shard->room)
			shard->hand = 0;
		looked += look_in(all, &shard->buckets[shard->hand++], keep,
			blocks_only, &least);
		if (looked >= EVICT_LOOK)
			break;
	}
	if (least.place.bucket)
		remove_at(all, shard, &least.place);
	return least.place.bucket != NULL;
}

/* A block of that room for the slot, with the times it has; false when there
 * can't be one: nothing has changed. */
static bool
block_resize(struct tallies *all, struct slot *slot, struct times *times,
	size_t room)
{
	struct shard *shard =
		slots_shard(&all->slots, slots_hash(&all->slots, slot->who));
	size_t had = 0;
	struct block *block = NULL;

	if (slot->used == IN_BLOCK) {
		block = slot->block;
		had = block_size(block->room) + MALLOC_OVERHEAD;
	}
	while (all->limit &&
		all->block_bytes - had + block_size(room) > all->limit / 4)
		if (!evict(all, shard, slot, true))
			return false;
	block = realloc(block, block_size(room));
	if (!block)
		return false;
	if (slot->used != IN_BLOCK)
		memcpy(block->moments, times->moments,
			times->len * sizeof times->moments[0]);
	block->room = (uint32_t)room;
	all->block_bytes += block_size(room) + MALLOC_OVERHEAD - had;
	slot->block = block;
	slot->used = IN_BLOCK;
	times->moments = block->moments;
	return true;
}

/* --- room --- */

/* So that one more fits. At the bound nobody is swept: the candidates for
 * eviction that are behind the horizon go first anyway. */
static bool
make_room(struct tallies *all, struct shard *shard)
{
	uint32_t room = slots_room(shard);
	size_t more = room > shard->room
			      ? (room - shard->room) * sizeof(struct bucket)
			      : 0;

	if (!slots_loaded(shard))
		return true;
	if (shard->room && all->limit &&
		all->slots.bytes + more > all->limit / 4 * 3)
		return evict(all, shard, NULL, false);
	sweep_shard(all, shard);
	if (slots_sparse(shard))
		return true;
	return slots_rebuild(&all->slots, shard, slots_room(shard)) ||
	       (shard->room && evict(all, shard, NULL, false));
}

static struct slot *
find_or_make(struct tallies *all, const struct tally_id *id)
{
	uint64_t hash = hash_of(all, id->who);
	struct shard *shard = slots_shard(&all->slots, hash);
	struct place place;

	if (slots_find(shard, hash, id->who, id->kind, &place))
		return &place.bucket->slots[place.index];
	if (!make_room(all, shard))
		return NULL;
	return slots_take(&all->slots, hash, id->who, id->kind);
}

/* --- what the header offers --- */

struct tallies *
tallies_new(const uint8_t key[16])
{
	struct tallies *all = xcalloc(1, sizeof *all);

	memcpy(all->slots.key, key, sizeof all->slots.key);
	all->last_hash = slots_hash(&all->slots, all->last_who);
	for (unsigned i = 0; i < TALLY_KINDS; i++)
		all->horizon_us[i] = INT64_MIN;
	all->swept = true;
	return all;
}

void
tallies_free(struct tallies *all)
{
	if (!all)
		return;
	for (unsigned i = 0; i < SLOTS_SHARDS; i++) {
		struct shard *shard = &all->slots.shards[i];

		for (size_t j = 0; j < (size_t)shard->room * SLOTS_IN_BUCKET;
			j++)
			if (shard->buckets[j / SLOTS_IN_BUCKET]
					.tags[j % SLOTS_IN_BUCKET])
				block_free(all,
					&shard->buckets[j / SLOTS_IN_BUCKET]
						 .slots[j % SLOTS_IN_BUCKET]);
		free(shard->buckets);
	}
	free(all);
}

void
tallies_limit(struct tallies *all, size_t bytes)
{
	all->limit = bytes;
}

void
tallies_horizon(struct tallies *all, uint8_t kind, int64_t upto_us)
{
	if (upto_us < all->horizon_us[kind] && !all->swept) {
		for (unsigned i = 0; i < SLOTS_SHARDS; i++)
			sweep_shard(all, &all->slots.shards[i]);
		all->swept = true;
	}
	if (upto_us > all->horizon_us[kind])
		all->swept = false;
	all->horizon_us[kind] = upto_us;
}

void
tallies_prefetch(struct tallies *all, const uint8_t who[TALLY_WHO])
{
	uint64_t hash = hash_of(all, who);

	slots_prefetch(slots_shard(&all->slots, hash), hash);
}

/* One moment more, in its place. */
static void
insert(struct tallies *all, struct slot *slot, struct times *times,
	const struct moment *one)
{
	bool full = slot->used == IN_BLOCK && times->len == slot->block->room;

	if (full && !block_resize(all, slot, times, times->len * 3 / 2))
		times->len = window_drop(
			times->moments, times->len, times->moments[0].time_us);
	times->len = window_insert(times->moments, times->len, one);
}

static void
keep(struct tallies *all, struct slot *slot, struct times *times, size_t most)
{
	bool fits = times->len <= INLINE || slot->used == IN_BLOCK;

	if (most < TALLY_TIMES)
		most = TALLY_TIMES;
	if (times->len > most ||
		(!fits && !block_resize(all, slot, times, BLOCK_FIRST))) {
		memmove(times->moments, times->moments + 1,
			(times->len - 1) * sizeof times->moments[0]);
		times->len--;
	}
	times_store(all, slot, times);
}

static void
judge_windows(const struct times *times, int64_t time_us,
	const struct tally_question *question, struct window_sum *out)
{
	for (size_t i = 0; i < question->count; i++)
		window_judge(times->moments, times->len, time_us,
			&question->windows[i], &out[i]);
}

void
tallies_add(struct tallies *all, const struct tally_id *id,
	const struct moment *one, const struct tally_question *question,
	struct window_sum *out)
{
	int64_t horizon_us = all->horizon_us[id->kind];
	struct times times;
	struct slot *slot = NULL;

	if (one->time_us > horizon_us)
		slot = find_or_make(all, id);
	if (!slot) {
		times.moments = times.local;
		times.local[0] = *one;
		times.len = 1;
		judge_windows(&times, one->time_us, question, out);
		return;
	}
	times_load(slot, &times);
	times.len = window_drop(times.moments, times.len, horizon_us);
	insert(all, slot, &times, one);
	judge_windows(&times, one->time_us, question, out);
	keep(all, slot, &times, question->times);
}

/* Takes the one with that tag away; false when it is newer than time_us. */
static bool
replace(struct times *times, uint64_t tag, int64_t time_us)
{
	for (size_t i = 0; i < times->len; i++) {
		if (times->moments[i].tag != tag)
			continue;
		if (times->moments[i].time_us > time_us)
			return false;
		times->len--;
		memmove(times->moments + i, times->moments + i + 1,
			(times->len - i) * sizeof times->moments[0]);
		break;
	}
	return true;
}

void
tallies_put(struct tallies *all, const struct tally_id *id,
	const struct moment *one, size_t most)
{
	int64_t horizon_us = all->horizon_us[id->kind];
	struct times times;
	struct slot *slot = NULL;

	if (one->time_us > horizon_us)
		slot = find_or_make(all, id);
	if (!slot)
		return;
	times_load(slot, &times);
	times.len = window_drop(times.moments, times.len, horizon_us);
	if (replace(&times, one->tag, one->time_us))
		insert(all, slot, &times, one);
	keep(all, slot, &times, most);
}

static struct slot *
find(struct tallies *all, const struct tally_id *id)
{
	uint64_t hash = hash_of(all, id->who);
	struct place place;

	if (!slots_find(slots_shard(&all->slots, hash), hash, id->who, id->kind,
		    &place))
		return NULL;
	return &place.bucket->slots[place.index];
}

size_t
tallies_near(struct tallies *all, const struct tally_id *id,
	const struct tally_near *near, struct moment *newest)
{
	int64_t after_us = time_before(near->time_us, near->span_us);
	struct slot *slot = find(all, id);
	struct times times;
	size_t count = 0;

	if (!slot)
		return 0;
	if (after_us < all->horizon_us[id->kind])
		after_us = all->horizon_us[id->kind];
	times_load(slot, &times);
	for (size_t i = times.len; i > 0; i--) {
		const struct moment *moment = &times.moments[i - 1];

		if (moment->time_us <= after_us)
			break;
		if (time_before(moment->time_us, near->span_us) >=
				near->time_us ||
			!moment_is(moment, &near->of))
			continue;
		if (count++ == 0 && newest)
			*newest = *moment;
	}
	return count;
}

uint64_t
tallies_forgive(struct tallies *all, const struct tally_id *id,
	const struct tagged *of, int64_t upto_us)
{
	uint64_t hash = hash_of(all, id->who), sum = 0;
	struct shard *shard = slots_shard(&all->slots, hash);
	struct place place;
	struct slot *slot;
	struct times times;
	size_t len;

	if (!slots_find(shard, hash, id->who, id->kind, &place))
		return 0;
	slot = &place.bucket->slots[place.index];
	times_load(slot, &times);
	for (size_t i = 0; i < times.len; i++)
		if (times.moments[i].time_us <= upto_us &&
			moment_is(&times.moments[i], of))
			sum += times.moments[i].count;
	len = window_forgive(times.moments, times.len, of, upto_us);
	if (len == times.len)
		return 0;
	times.len = len;
	times_store(all, slot, &times);
	if (len == 0)
		remove_at(all, shard, &place);
	return sum;
}

void
tallies_clear(struct tallies *all, const uint8_t who[TALLY_WHO])
{
	uint64_t hash = hash_of(all, who);
	struct shard *shard = slots_shard(&all->slots, hash);
	struct place place;

	while (slots_find(shard, hash, who, SLOTS_KIND_ANY, &place))
		remove_at(all, shard, &place);
}

void
tallies_clear_if(struct tallies *all,
	bool (*question)(const uint8_t who[TALLY_WHO], const void *arg),
	const void *arg)
{
	for (size_t i = 0; i < SLOTS_SHARDS; i++) {
		struct shard *shard = &all->slots.shards[i];

		for (size_t j = 0; j < (size_t)shard->room * SLOTS_IN_BUCKET;
			j++) {
			struct place place = {
				&shard->buckets[j / SLOTS_IN_BUCKET],
				(unsigned)(j % SLOTS_IN_BUCKET)};
			const struct slot *slot =
				&place.bucket->slots[place.index];

			if (place.bucket->tags[place.index] &&
				question(slot->who, arg))
				remove_at(all, shard, &place);
		}
	}
}

/* A shard that got too large for what is in it. */
static void
shrink(struct tallies *all, struct shard *shard)
{
	if (shard->room && shard->used == 0) {
		all->slots.bytes -= shard->room * sizeof(struct bucket);
		free(shard->buckets);
		*shard = (struct shard){0};
	} else if (slots_room(shard) < shard->room / 2) {
		/* No memory for the small one: the large one still serves. */
		(void)slots_rebuild(&all->slots, shard, slots_room(shard));
	}
}

void
tallies_step(struct tallies *all)
{
	for (unsigned n = 0; n < STEP_BUCKETS; n++) {
		struct shard *shard = &all->slots.shards[all->step_shard];

		if (all->step_bucket < shard->room) {
			sweep_bucket(all, shard,
				&shard->buckets[all->step_bucket++]);
			continue;
		}
		shrink(all, shard);
		all->step_bucket = 0;
		all->step_shard = (all->step_shard + 1) % SLOTS_SHARDS;
	}
}

size_t
tallies_count(const struct tallies *all)
{
	return all->slots.count;
}

size_t
tallies_memory(const struct tallies *all)
{
	return sizeof *all + all->slots.bytes + all->block_bytes;
}
