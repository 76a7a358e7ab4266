/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tallies: for each of up to tens of millions of clients, and each kind of
 * thing counted of it, the times at which that happened. Made to be small (42
 * bytes a slot, so about 50 for a client seen once or twice) and even: a
 * look-up touches two or three cache lines however many there are, and it
 * grows one of a thousand shards at a time.
 *
 * What a kind is, and what the 16 bytes of who mean, is the caller's matter.
 */
#ifndef MAILBAN_TALLY_H
#define MAILBAN_TALLY_H

#include "plugin/window.h"

enum {
	TALLY_WHO = 16,
	TALLY_KINDS = 16,
	/* A tally holds that many distinct times, or maxretry if that is
	 * more; then the oldest goes for the newest. */
	TALLY_TIMES = 256,
};
/* Counts end here, so that a slot stays small. */
#define TALLY_COUNT_MAX UINT32_C(0xffffff)

struct tally_id {
	uint8_t who[TALLY_WHO];
	uint8_t kind; /* below TALLY_KINDS */
};

struct tallies;

/* key: of the hash. Running out of memory later is no error: it is treated as
 * reaching the bound of tallies_limit. */
struct tallies *tallies_new(const uint8_t key[16]);
void tallies_free(struct tallies *all);
/* Bytes, 0 for no bound. At the bound the least guilty of a few that are
 * looked at goes for each that comes. A quarter is for the times of those with
 * three and more, so that a flood of new ones can't hide them. */
void tallies_limit(struct tallies *all, size_t bytes);
/* From now on times at or before upto_us are as if they had never been. Going
 * back forgets first what was to be forgotten until then: a look at all. */
void tallies_horizon(struct tallies *all, uint8_t kind, int64_t upto_us);

/* Adds one moment and judges the windows around it. */
void tallies_add(struct tallies *all, const struct tally_id *id,
	const struct moment *one, const struct window *window,
	struct window_sum *out);
/* Forgets who, in all kinds. */
void tallies_clear(struct tallies *all, const uint8_t who[TALLY_WHO]);
/* Forgets all for whom the question is true: a look at all. */
void tallies_clear_if(struct tallies *all,
	bool (*question)(const uint8_t who[TALLY_WHO], const void *arg),
	const void *arg);

/* Looks at some hundred slots further on and drops what is behind the
 * horizon. */
void tallies_step(struct tallies *all);

size_t tallies_count(const struct tallies *all);
size_t tallies_memory(const struct tallies *all);

#endif
