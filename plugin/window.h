/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sliding windows over the times of one tally: an array of moments sorted by
 * time, those of equal time and tag as one with their count. A tag says what
 * else is known of a moment; what its bits mean is the caller's matter. Pure
 * arithmetic on the caller's array.
 */
#ifndef MAILBAN_WINDOW_H
#define MAILBAN_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As small as a time alone with its padding: there are millions. */
struct moment {
	int64_t time_us;
	uint64_t count : 21;
	uint64_t : 3;
	uint64_t tag : 40;
};
#define MOMENT_COUNT_MAX ((1U << 21) - 1)
#define MOMENT_TAG_MAX ((UINT64_C(1) << 40) - 1)

/* Those moments whose tag has these bits where the mask has ones; a zeroed one
 * is all. */
struct tagged {
	uint64_t mask, bits;
};

struct window {
	int64_t findtime_us; /* a window is (end - findtime_us, end] */
	uint32_t maxretry;   /* 1.. */
	struct tagged of;    /* counts only these */
};

struct window_sum {
	bool full;	   /* a window around the time asked for is */
	uint32_t count;	   /* in the first full window, else the most in any */
	int64_t newest_us; /* when full: the end of that window */
};

/* a - span, but never below INT64_MIN. */
int64_t time_before(int64_t a_us, int64_t span_us);

bool moment_is(const struct moment *moment, const struct tagged *of);

/* All return the new length. drop takes away what is at or before upto_us;
 * forgive does so with the tagged alone; insert needs room for one more, and
 * counts end at MOMENT_COUNT_MAX. */
size_t window_drop(struct moment *moments, size_t len, int64_t upto_us);
size_t window_forgive(struct moment *moments, size_t len,
	const struct tagged *of, int64_t upto_us);
size_t window_insert(
	struct moment *moments, size_t len, const struct moment *one);

/* Looks at every window that contains time_us, by its end: the first full one
 * is where a ban would have begun, had all come in order. */
void window_judge(const struct moment *moments, size_t len, int64_t time_us,
	const struct window *window, struct window_sum *out);

#endif
