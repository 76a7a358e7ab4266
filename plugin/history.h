/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Repeat offenders: how often a client or network was banned before. A ban
 * within `memory` after the end of the last one is one level higher. For each
 * whole `memory` that passed without one the level is halved, and after
 * HISTORY_MEMORIES of them all is forgotten.
 */
#ifndef MAILBAN_HISTORY_H
#define MAILBAN_HISTORY_H

#include "plugin/tally.h"
#include "plugin/who.h"

enum { HISTORY_MEMORIES = 4 };

struct growth {
	bool on;
	uint32_t factor_percent;  /* each level's bantime to that before it */
	int64_t memory_us;	  /* see above */
	int64_t max_us;		  /* INT64_MAX: no longest, see below */
	uint32_t permanent_after; /* from so many bans before on; 0: never */
};

/* What grows beyond this lasts for ever: duration.h's longest. */
#define GROWTH_LONGEST_US (INT64_C(3650) * 86400 * 1000000)

struct history;

struct history *history_new(const uint8_t key[16]);
void history_free(struct history *history);
void history_limit(struct history *history, size_t bytes);
/* Ended at or before upto_us: forgotten. */
void history_horizon(struct history *history, int64_t upto_us);

/* The level of a ban that begins at time_us: how many before it count. */
uint32_t history_level(struct history *history, const struct network *net,
	int64_t time_us, int64_t memory_us);
/* There was, or is, a ban of that level until until_us (INT64_MAX: for
 * ever). */
void history_note(struct history *history, const struct network *net,
	uint32_t level, int64_t until_us);
/* An operator's unban: it never happened. and_within: nor of what is in the
 * network, a look at all. */
void history_reset(
	struct history *history, const struct network *net, bool and_within);

/* How long a ban of that level is: INT64_MAX for ever. */
int64_t history_bantime(
	const struct growth *growth, int64_t bantime_us, uint32_t level);

void history_step(struct history *history);
size_t history_memory(const struct history *history);

#endif
