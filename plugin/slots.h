/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memory of the tallies: a hash table in shards, each an open-addressing
 * table of buckets. A bucket has eight slots and counts the entries that found
 * it full and went on: a search ends where that is 0, and removing leaves
 * nothing behind. Only tally.c uses this.
 */
#ifndef MAILBAN_SLOTS_H
#define MAILBAN_SLOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	SLOTS_WHO = 16,
	SLOTS_INLINE = 2, /* times that fit in a slot */
	SLOTS_IN_BUCKET = 8,
	SLOTS_SHARD_BITS = 10,
	SLOTS_SHARDS = 1 << SLOTS_SHARD_BITS,
};
#define SLOTS_KIND_ANY UINT8_MAX

/* Two moments (see window.h), with kind and used in the bits they leave. */
struct slot {
	uint8_t who[SLOTS_WHO];
	union {
		int64_t time_us[SLOTS_INLINE];
		struct block *block; /* of tally.c: more times than that */
	};
	uint64_t count0 : 21, kind : 3, tag0 : 40;
	/* used: times inline, or in a block */
	uint64_t count1 : 21, used : 3, tag1 : 40;
};

struct bucket {
	uint8_t tags[SLOTS_IN_BUCKET]; /* bits of the hash; 0: free */
	uint32_t passed;
	struct slot slots[SLOTS_IN_BUCKET];
};

struct shard {
	struct bucket *buckets;
	uint32_t room; /* buckets */
	uint32_t hand; /* bucket that is looked at next for eviction */
	size_t used;   /* slots */
};

/* Valid until the shard is rebuilt. */
struct place {
	struct bucket *bucket;
	unsigned index;
};

struct slots {
	uint8_t key[16];
	size_t count, bytes;
	struct shard shards[SLOTS_SHARDS];
};

uint64_t slots_hash(const struct slots *slots, const uint8_t *who);
struct shard *slots_shard(struct slots *slots, uint64_t hash);
/* Has the memory that finding will need come nearer. */
void slots_prefetch(const struct shard *shard, uint64_t hash);
/* kind may be SLOTS_KIND_ANY. */
bool slots_find(const struct shard *shard, uint64_t hash, const uint8_t *who,
	uint8_t kind, struct place *out);

/* Beyond this, the shard is to be rebuilt before more is taken. */
bool slots_loaded(const struct shard *shard);
/* Whether a good many more fit. */
bool slots_sparse(const struct shard *shard);
/* Buckets that the shard is to have for what is in it now. */
uint32_t slots_room(const struct shard *shard);
/* False: no memory, nothing has changed. */
bool slots_rebuild(struct slots *slots, struct shard *shard, uint32_t room);

/* A zeroed slot with its who and kind; the shard is not loaded. */
struct slot *slots_take(
	struct slots *slots, uint64_t hash, const uint8_t *who, uint8_t kind);
void slots_remove(
	struct slots *slots, struct shard *shard, const struct place *place);

#endif
