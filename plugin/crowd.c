/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A store of tallies with one time for each client of a thing. When it was told
 * last is a tally of its own, or many clients would push that out.
 */
#include "plugin/crowd.h"

#include "common/xalloc.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Added to the kind of a crowd: when it was news. */
enum { NEWS = 4 };

static_assert(
	(int)CROWD_KINDS <= NEWS && NEWS + (int)CROWD_KINDS <= TALLY_KINDS,
	"a kind for each and its news");

struct crowd {
	struct tallies *tallies;
};

struct crowd *
crowd_new(const uint8_t key[16])
{
	struct crowd *crowd = xcalloc(1, sizeof *crowd);

	crowd->tallies = tallies_new(key);
	return crowd;
}

void
crowd_free(struct crowd *crowd)
{
	if (!crowd)
		return;
	tallies_free(crowd->tallies);
	free(crowd);
}

void
crowd_limit(struct crowd *crowd, size_t bytes)
{
	tallies_limit(crowd->tallies, bytes);
}

void
crowd_horizon(struct crowd *crowd, enum crowd_kind kind, int64_t upto_us)
{
	tallies_horizon(crowd->tallies, (uint8_t)kind, upto_us);
	tallies_horizon(crowd->tallies, (uint8_t)(kind + NEWS), upto_us);
}

void
crowd_prefetch(struct crowd *crowd, const uint8_t who[WHO_LEN])
{
	tallies_prefetch(crowd->tallies, who);
}

static struct tally_id
id_of(const struct crowd_entry *entry)
{
	struct tally_id id = {.kind = (uint8_t)entry->kind};

	memcpy(id.who, entry->who, sizeof id.who);
	return id;
}

static size_t
count_near(struct crowd *crowd, const struct crowd_entry *entry,
	const struct tally_id *id)
{
	struct tally_near near = {
		.time_us = entry->time_us, .span_us = entry->span_us};

	return tallies_near(crowd->tallies, id, &near, NULL);
}

size_t
crowd_size(struct crowd *crowd, const struct crowd_entry *entry)
{
	struct tally_id id = id_of(entry);

	return count_near(crowd, entry, &id);
}

size_t
crowd_add(struct crowd *crowd, const struct crowd_entry *entry, size_t most)
{
	struct tally_id id = id_of(entry);
	struct moment one = {.time_us = entry->time_us,
		.count = 1,
		.tag = entry->client & MOMENT_TAG_MAX};

	tallies_put(crowd->tallies, &id, &one, most);
	return count_near(crowd, entry, &id);
}

void
crowd_remove(struct crowd *crowd, const struct crowd_entry *entry)
{
	struct tally_id id = id_of(entry);
	struct tagged one = {MOMENT_TAG_MAX, entry->client};

	(void)tallies_forgive(crowd->tallies, &id, &one, INT64_MAX);
}

bool
crowd_is_news(struct crowd *crowd, const struct crowd_entry *entry)
{
	struct tally_id id = id_of(entry);
	/* Much, so that it is not forgotten before the crowd is. */
	struct moment one = {
		.time_us = entry->time_us, .count = MOMENT_COUNT_MAX};

	id.kind = (uint8_t)(id.kind + NEWS);
	if (count_near(crowd, entry, &id))
		return false;
	tallies_put(crowd->tallies, &id, &one, 1);
	return true;
}

void
crowd_clear(struct crowd *crowd, const uint8_t who[WHO_LEN])
{
	tallies_clear(crowd->tallies, who);
}

void
crowd_step(struct crowd *crowd)
{
	tallies_step(crowd->tallies);
}

size_t
crowd_memory(const struct crowd *crowd)
{
	return sizeof *crowd + tallies_memory(crowd->tallies);
}
