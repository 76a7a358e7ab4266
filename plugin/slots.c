/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finding, taking and giving back slots. A keyed hash chooses the shard by its
 * highest bits, the bucket by its low half, the tag by bits between.
 */
#include "plugin/slots.h"

#include <assert.h>
#include <endian.h>
#include <sodium/crypto_shorthash.h>
#include <stdlib.h>
#include <string.h>

enum {
	LOADED = 7, /* a shard grows beyond so many a bucket ... */
	/* ... to 5.6 a bucket, so that between 57 and 72 bytes are held for
	 * each: what is saved here is paid for by growing more often. */
	FRESH_TENTHS = 56,
};

static_assert(sizeof(struct slot) == 48, "a slot is to be small");

uint64_t
slots_hash(const struct slots *slots, const uint8_t *who)
{
	uint64_t hash;
	uint8_t out[sizeof hash];

	crypto_shorthash(out, who, SLOTS_WHO, slots->key);
	memcpy(&hash, out, sizeof hash);
	return hash;
}

struct shard *
slots_shard(struct slots *slots, uint64_t hash)
{
	return &slots->shards[hash >> (64 - SLOTS_SHARD_BITS)];
}

static struct bucket *
home_of(const struct shard *shard, uint64_t hash)
{
	return &shard->buckets[((hash & UINT32_MAX) * shard->room) >> 32];
}

static struct bucket *
next_of(const struct shard *shard, struct bucket *bucket)
{
	return bucket + 1 == shard->buckets + shard->room ? shard->buckets
							  : bucket + 1;
}

/* All its lines at once rather than one after the other: that halves what a
 * look-up among millions costs. */
static void
prefetch(const struct bucket *bucket)
{
	const char *bytes = (const char *)bucket;

	for (size_t i = 0; i < sizeof *bucket; i += 64)
		__builtin_prefetch(bytes + i, 1);
}

static uint8_t
tag_of(uint64_t hash)
{
	return (uint8_t)(0x80 | (hash >> 32 & 0x7f));
}

/* One bit set for each slot that has the tag. Above a right one there may be
 * wrong ones: a carry. The lowest is always right. */
static uint64_t
slots_with(const struct bucket *bucket, uint8_t tag)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);
	uint64_t word;

	memcpy(&word, bucket->tags, sizeof word);
	word = le64toh(word) ^ (ones * tag);
	return (word - ones) & ~word & (ones << 7);
}

static unsigned
first_slot(uint64_t slots)
{
	return (unsigned)__builtin_ctzll(slots) / 8;
}

static bool
slot_is(const struct slot *slot, const uint8_t who[SLOTS_WHO], uint8_t kind)
{
	return (kind == SLOTS_KIND_ANY || slot->kind == kind) &&
	       memcmp(slot->who, who, SLOTS_WHO) == 0;
}

static bool
find_in(const struct bucket *bucket, uint64_t hash, const uint8_t *who,
	uint8_t kind, unsigned *index)
{
	uint64_t slots = slots_with(bucket, tag_of(hash));

	for (; slots; slots &= slots - 1) {
		*index = first_slot(slots);
		if (bucket->tags[*index] == tag_of(hash) &&
			slot_is(&bucket->slots[*index], who, kind))
			return true;
	}
	return false;
}

void
slots_prefetch(const struct shard *shard, uint64_t hash)
{
	if (shard->room)
		prefetch(home_of(shard, hash));
}

bool
slots_find(const struct shard *shard, uint64_t hash, const uint8_t *who,
	uint8_t kind, struct place *out)
{
	struct bucket *bucket;

	if (shard->room == 0)
		return false;
	bucket = home_of(shard, hash);
	prefetch(bucket);
	for (uint32_t n = 0; n < shard->room; n++) {
		if (find_in(bucket, hash, who, kind, &out->index)) {
			out->bucket = bucket;
			return true;
		}
		if (bucket->passed == 0)
			break;
		bucket = next_of(shard, bucket);
	}
	return false;
}

static struct slot *
take_place(struct shard *shard, uint64_t hash)
{
	struct bucket *bucket = home_of(shard, hash);
	uint64_t free_slots;
	unsigned index;

	while (!(free_slots = slots_with(bucket, 0))) {
		bucket->passed++;
		bucket = next_of(shard, bucket);
	}
	index = first_slot(free_slots);
	bucket->tags[index] = tag_of(hash);
	shard->used++;
	return &bucket->slots[index];
}

struct slot *
slots_take(struct slots *slots, uint64_t hash, const uint8_t *who, uint8_t kind)
{
	struct slot *slot = take_place(slots_shard(slots, hash), hash);

	*slot = (struct slot){.kind = kind & 7U};
	memcpy(slot->who, who, SLOTS_WHO);
	slots->count++;
	return slot;
}

void
slots_remove(
	struct slots *slots, struct shard *shard, const struct place *place)
{
	const struct slot *slot = &place->bucket->slots[place->index];
	struct bucket *bucket = home_of(shard, slots_hash(slots, slot->who));

	for (; bucket != place->bucket; bucket = next_of(shard, bucket))
		bucket->passed--;
	place->bucket->tags[place->index] = 0;
	shard->used--;
	slots->count--;
}

bool
slots_loaded(const struct shard *shard)
{
	return shard->used >= (size_t)shard->room * LOADED;
}

bool
slots_sparse(const struct shard *shard)
{
	return shard->used < (size_t)shard->room * LOADED * 4 / 5;
}

uint32_t
slots_room(const struct shard *shard)
{
	return (uint32_t)(shard->used * 10 / FRESH_TENTHS) + 1;
}

bool
slots_rebuild(struct slots *slots, struct shard *shard, uint32_t room)
{
	struct shard new = {.room = room};

	new.buckets = calloc(room, sizeof *new.buckets);
	if (!new.buckets)
		return false;
	for (uint32_t i = 0; i < shard->room; i++) {
		const struct bucket *bucket = &shard->buckets[i];

		for (unsigned j = 0; j < SLOTS_IN_BUCKET; j++) {
			const struct slot *slot = &bucket->slots[j];
			if (bucket->tags[j])
				*take_place(&new,
					slots_hash(slots, slot->who)) = *slot;
		}
	}
	slots->bytes += room * sizeof *new.buckets;
	slots->bytes -= shard->room * sizeof *new.buckets;
	free(shard->buckets);
	*shard = new;
	return true;
}
