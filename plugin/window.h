/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sliding windows over the times of one tally: a sorted array of moments,
 * equal times as one with their count. Pure arithmetic on the caller's array.
 */
#ifndef MAILBAN_WINDOW_H
#define MAILBAN_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct moment {
	int64_t time_us;
	uint32_t count;
};

struct window {
	int64_t findtime_us; /* a window is (end - findtime_us, end] */
	uint32_t maxretry;   /* 1.. */
};

struct window_sum {
	bool full;	   /* a window around the time asked for is */
	uint32_t count;	   /* in the first full window, else the most in any */
	int64_t newest_us; /* when full: the end of that window */
};

/* a - span, but never below INT64_MIN. */
int64_t time_before(int64_t a_us, int64_t span_us);

/* Both return the new length. drop takes away what is at or before upto_us;
 * insert needs room for one more and never lets a count exceed max. */
size_t window_drop(struct moment *moments, size_t len, int64_t upto_us);
size_t window_insert(struct moment *moments, size_t len,
	const struct moment *one, uint32_t max);

/* Looks at every window that contains time_us, by its end: the first full one
 * is where a ban would have begun, had all come in order. */
void window_judge(const struct moment *moments, size_t len, int64_t time_us,
	const struct window *window, struct window_sum *out);

#endif
