/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A store of tallies with one moment each: when the last ban ended, and as
 * its count the level that the next one has.
 */
#include "plugin/history.h"

#include "common/xalloc.h"

#include <stdlib.h>
#include <string.h>

/* Far more than it takes to be for ever. */
enum { LEVEL_MAX = 1000 };

struct history {
	struct tallies *tallies;
};

struct history *
history_new(const uint8_t key[16])
{
	struct history *history = xcalloc(1, sizeof *history);

	history->tallies = tallies_new(key);
	return history;
}

void
history_free(struct history *history)
{
	if (!history)
		return;
	tallies_free(history->tallies);
	free(history);
}

void
history_limit(struct history *history, size_t bytes)
{
	tallies_limit(history->tallies, bytes);
}

void
history_horizon(struct history *history, int64_t upto_us)
{
	for (uint8_t kind = 0; kind < TALLY_KINDS; kind++)
		tallies_horizon(history->tallies, kind, upto_us);
}

/* A network and its first client have the same address. */
static struct tally_id
id_of(const struct network *net)
{
	struct tally_id id = {.kind = (uint8_t)(net->prefix / 8 % TALLY_KINDS)};

	who_of(net, id.who);
	return id;
}

uint32_t
history_level(struct history *history, const struct network *net,
	int64_t time_us, int64_t memory_us)
{
	struct tally_id id = id_of(net);
	struct tally_near near = {.time_us = time_us, .span_us = INT64_MAX};
	struct moment last;
	int64_t passed;

	if (!tallies_near(history->tallies, &id, &near, &last))
		return 0;
	if (last.time_us >= time_us)
		return last.count;
	passed = (time_us - last.time_us) / (memory_us > 0 ? memory_us : 1);
	return passed < HISTORY_MEMORIES ? last.count >> passed : 0;
}

void
history_note(struct history *history, const struct network *net, uint32_t level,
	int64_t until_us)
{
	struct tally_id id = id_of(net);
	uint32_t next = level < LEVEL_MAX ? level + 1 : LEVEL_MAX;
	struct tagged any = {0, 0};
	struct moment one = {
		.time_us = until_us, .count = next & MOMENT_COUNT_MAX};

	/* One that ends sooner replaces it too, as its ban does. */
	(void)tallies_forgive(history->tallies, &id, &any, INT64_MAX);
	tallies_put(history->tallies, &id, &one, 1);
}

static bool
who_is_in(const uint8_t who[WHO_LEN], const void *arg)
{
	struct addr addr = who_addr(who);

	return network_has(arg, &addr);
}

void
history_reset(
	struct history *history, const struct network *net, bool and_within)
{
	struct tally_id id = id_of(net);
	struct tagged any = {0, 0};

	if (and_within)
		tallies_clear_if(history->tallies, who_is_in, net);
	else
		(void)tallies_forgive(history->tallies, &id, &any, INT64_MAX);
}

int64_t
history_bantime(const struct growth *growth, int64_t bantime_us, uint32_t level)
{
	int64_t out_us = bantime_us;

	if (!growth->on || bantime_us == INT64_MAX)
		return bantime_us;
	if (growth->permanent_after && level >= growth->permanent_after)
		return INT64_MAX;
	for (uint32_t i = 0; i < level && out_us < growth->max_us; i++) {
		if (__builtin_mul_overflow(
			    out_us / 100, growth->factor_percent, &out_us) ||
			out_us > GROWTH_LONGEST_US)
			out_us = INT64_MAX;
	}
	/* A bantime that is longer than max_us already stays. */
	if (out_us > growth->max_us)
		out_us = growth->max_us > bantime_us ? growth->max_us
						     : bantime_us;
	return out_us;
}

void
history_step(struct history *history)
{
	tallies_step(history->tallies);
}

size_t
history_memory(const struct history *history)
{
	return sizeof *history + tallies_memory(history->tallies);
}
