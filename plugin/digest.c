/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Digests of messages, and the set of those seen lately: a ring in order of
 * arrival, found through a hash table of ring positions with linear probing.
 * A digest is its own hash: under a secret key nobody can choose it.
 */
#include "plugin/digest.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/xalloc.h"

/* SipHash wants its input in one piece: fields are gathered here. When it is
 * full, its digest becomes the head of the next piece. */
struct gather {
	uint8_t buf[1024];
	size_t used;
	const uint8_t *key;
};

_Static_assert(sizeof(struct digest) == crypto_shorthash_siphashx24_BYTES &&
		       sizeof(struct digest_key) >=
			       crypto_shorthash_siphashx24_KEYBYTES,
	"SipHash-2-4-128 with half of the key");

static void
gather_fold(struct gather *gather, struct digest *out)
{
	(void)crypto_shorthash_siphashx24(
		out->bytes, gather->buf, gather->used, gather->key);
}

static void
gather_bytes(struct gather *gather, const void *data, size_t len)
{
	const uint8_t *from = data;

	while (len) {
		size_t room = sizeof(gather->buf) - gather->used;
		size_t part = len < room ? len : room;

		memcpy(gather->buf + gather->used, from, part);
		gather->used += part;
		from += part;
		len -= part;
		if (len) {
			struct digest head;

			gather_fold(gather, &head);
			memcpy(gather->buf, head.bytes, sizeof(head.bytes));
			gather->used = sizeof(head.bytes);
		}
	}
}

static void
gather_number(struct gather *gather, uint64_t value)
{
	uint8_t bytes[8];

	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(value >> 8 * i);
	gather_bytes(gather, bytes, sizeof(bytes));
}

static void
gather_span(struct gather *gather, const struct span *span)
{
	gather_number(gather, span->len);
	if (span->len)
		gather_bytes(gather, span->text, span->len);
}

struct digest
digest_of(const struct message *message, const struct digest_key *key)
{
	struct gather gather;
	struct digest out;

	gather.used = 0;
	gather.key = key->bytes;
	gather_number(&gather, message->reported_fraction);
	gather_number(&gather, (uint64_t)message->reported_us);
	if (!message->reported_fraction)
		gather_number(&gather, (uint64_t)message->time_us);
	gather_number(&gather, message->repeat);
	gather_span(&gather, &message->from);
	gather_span(&gather, &message->host);
	gather_span(&gather, &message->tag);
	gather_span(&gather, &message->msg);
	gather_fold(&gather, &out);
	return out;
}

int64_t
digest_stamp(const struct message *message)
{
	return message->reported_fraction ? message->reported_us
					  : message->time_us;
}

struct entry {
	struct digest digest;
	int64_t stamp_us;
	uint64_t seq;
};

#define EMPTY UINT32_MAX
/* Both sizes are powers of two; the table is at most half full. */
enum { FIRST_SIZE = 1024 };

struct digest_set {
	struct entry *ring;
	uint32_t *table; /* twice the ring's size */
	size_t size;	 /* of the ring */
	size_t first;	 /* ring position of the oldest */
	size_t count;
	size_t capacity;  /* beyond this the oldest is forgotten */
	uint64_t durable; /* entries up to this seq may be */
	int64_t horizon_us;
};

static size_t
home_of(const struct digest_set *set, const struct digest *digest)
{
	uint64_t hash;

	memcpy(&hash, digest->bytes, sizeof(hash));
	return (size_t)hash & (2 * set->size - 1);
}

/* The slot that holds it, or the empty one where it belongs. */
static size_t
find_slot(const struct digest_set *set, const struct digest *digest)
{
	size_t mask = 2 * set->size - 1, slot = home_of(set, digest);

	while (set->table[slot] != EMPTY &&
		memcmp(&set->ring[set->table[slot]].digest, digest,
			sizeof(*digest)) != 0)
		slot = (slot + 1) & mask;
	return slot;
}

static void
allocate(struct digest_set *set, size_t size)
{
	set->size = size;
	set->ring = xcalloc(size, sizeof(*set->ring));
	set->table = xcalloc(2 * size, sizeof(*set->table));
	memset(set->table, 0xff, 2 * size * sizeof(*set->table));
}

static void
append(struct digest_set *set, const struct entry *entry)
{
	size_t at = (set->first + set->count++) & (set->size - 1);

	set->ring[at] = *entry;
	set->table[find_slot(set, &entry->digest)] = (uint32_t)at;
}

static void
grow(struct digest_set *set)
{
	struct digest_set old = *set;

	assert(old.size < EMPTY / 2);
	allocate(set, old.size * 2);
	set->first = set->count = 0;
	for (size_t i = 0; i < old.count; i++)
		append(set, &old.ring[(old.first + i) & (old.size - 1)]);
	free(old.ring);
	free(old.table);
}

/* Empties a slot, and moves back what had to probe past it. */
static void
empty_slot(struct digest_set *set, size_t slot)
{
	size_t mask = 2 * set->size - 1, next = slot;

	for (;;) {
		size_t home;

		next = (next + 1) & mask;
		if (set->table[next] == EMPTY)
			break;
		home = home_of(set, &set->ring[set->table[next]].digest);
		if (((next - home) & mask) < ((next - slot) & mask))
			continue;
		set->table[slot] = set->table[next];
		slot = next;
	}
	set->table[slot] = EMPTY;
}

static bool
forget_oldest(struct digest_set *set)
{
	const struct entry *oldest = &set->ring[set->first];

	if (set->count == 0 || oldest->seq > set->durable)
		return false;
	digest_set_forgot(set, oldest->stamp_us);
	empty_slot(set, find_slot(set, &oldest->digest));
	set->first = (set->first + 1) & (set->size - 1);
	set->count--;
	return true;
}

struct digest_set *
digest_set_new(size_t capacity)
{
	struct digest_set *set = xcalloc(1, sizeof(*set));

	set->capacity = capacity ? capacity : 1;
	set->horizon_us = INT64_MIN;
	allocate(set, FIRST_SIZE);
	return set;
}

void
digest_set_free(struct digest_set *set)
{
	if (!set)
		return;
	free(set->ring);
	free(set->table);
	free(set);
}

bool
digest_set_has(const struct digest_set *set, const struct digest *digest)
{
	return set->table[find_slot(set, digest)] != EMPTY;
}

void
digest_set_add(struct digest_set *set, const struct digest *digest,
	int64_t stamp_us, uint64_t seq)
{
	struct entry entry = {*digest, stamp_us, seq};

	/* Two at a time, so that what a standstill of the ledger made grow
	 * comes down again without a pause. */
	for (int i = 0; i < 2 && set->count >= set->capacity; i++)
		if (!forget_oldest(set))
			break;
	if (set->count == set->size)
		grow(set);
	append(set, &entry);
}

void
digest_set_durable(struct digest_set *set, uint64_t seq)
{
	if (seq > set->durable)
		set->durable = seq;
}

int64_t
digest_set_horizon(const struct digest_set *set)
{
	return set->horizon_us;
}

void
digest_set_forgot(struct digest_set *set, int64_t stamp_us)
{
	if (stamp_us > set->horizon_us)
		set->horizon_us = stamp_us;
}

size_t
digest_set_count(const struct digest_set *set)
{
	return set->count;
}

size_t
digest_set_memory(const struct digest_set *set)
{
	return sizeof(*set) +
	       set->size * (sizeof(*set->ring) + 2 * sizeof(*set->table));
}
