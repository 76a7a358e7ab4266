/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Numbers that look random and are the same for the same seed (splitmix64, by
 * Sebastiano Vigna, in the public domain): a failing case can be had again.
 */
#ifndef MAILBAN_INJECT_RANDOM_H
#define MAILBAN_INJECT_RANDOM_H

#include <stddef.h>
#include <stdint.h>

struct random {
	uint64_t state;
};

static inline uint64_t
random_next(struct random *random)
{
	uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* 0 to below - 1; below is 1 or more. */
static inline size_t
random_below(struct random *random, size_t below)
{
	return (size_t)(random_next(random) >> 16) % below;
}

static inline int
random_percent(struct random *random, size_t percent)
{
	return random_below(random, 100) < percent;
}

#endif
