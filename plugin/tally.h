/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tallies: for each of up to tens of millions of clients, and each kind of
 * thing counted of it, the times at which that happened. Made to be small (50
 * bytes a slot, so about 60 for a client seen once or twice) and even: a
 * look-up touches two or three cache lines however many there are, and it
 * grows one of a thousand shards at a time. Who logged in, whose name is tried
 * by whom, and who was banned before are kept in stores of the same make.
 *
 * What a kind is, and what the 16 bytes of who and the tags mean, is the
 * caller's matter.
 */
#ifndef MAILBAN_TALLY_H
#define MAILBAN_TALLY_H

#include "plugin/window.h"

enum {
	TALLY_WHO = 16,
	TALLY_KINDS = 8,
	/* A tally holds that many distinct times at least; then the oldest
	 * goes for the newest. */
	TALLY_TIMES = 256,
	TALLY_WINDOWS = 2,
};

struct tally_id {
	uint8_t who[TALLY_WHO];
	uint8_t kind; /* below TALLY_KINDS */
};

/* What is asked when something is added: windows of different size over
 * different moments. */
struct tally_question {
	struct window windows[TALLY_WINDOWS];
	size_t count; /* of windows: 1.. */
	size_t times; /* distinct times to be held, where more than
			 TALLY_TIMES are needed */
};

/* Moments less than span_us away from time_us, to both sides. */
struct tally_near {
	struct tagged of;
	int64_t time_us, span_us;
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

/* Who will be asked for soon: what that needs is fetched meanwhile, so that
 * several stores are waited for at once. */
void tallies_prefetch(struct tallies *all, const uint8_t who[TALLY_WHO]);
/* Adds one moment and judges the windows around it: out has as many. */
void tallies_add(struct tallies *all, const struct tally_id *id,
	const struct moment *one, const struct tally_question *question,
	struct window_sum *out);
/* Adds one moment to those of which there is one for a tag: the newer stays.
 * At most so many (TALLY_TIMES if that is more), the newest. */
void tallies_put(struct tallies *all, const struct tally_id *id,
	const struct moment *one, size_t most);
/* How many are near, each as one whatever its count; *newest (if not NULL) is
 * the newest of them. */
size_t tallies_near(struct tallies *all, const struct tally_id *id,
	const struct tally_near *near, struct moment *newest);
/* Takes away the tagged up to upto_us. Returns what they counted. */
uint64_t tallies_forgive(struct tallies *all, const struct tally_id *id,
	const struct tagged *of, int64_t upto_us);
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
