/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How much happened in the last minute, hour and day: the counters, looked at
 * once a second, and kept as they stood at each second of the last minute and
 * each minute of the last day. Costs a message nothing.
 */
#ifndef MAILBAN_RATES_H
#define MAILBAN_RATES_H

#include <stdint.h>

enum { RATES_SECONDS = 61, RATES_MINUTES = 1441 };

struct rates_counts {
	uint64_t messages, offences, bans;
};

struct rates_sample {
	int64_t time_s; /* monotonic; 0: none yet */
	struct rates_counts counts;
};

/* Zeroed is new. */
struct rates {
	struct rates_sample seconds[RATES_SECONDS], minutes[RATES_MINUTES];
};

/* To be called about once a second. now_s: seconds that never go back. */
void rates_note(
	struct rates *rates, const struct rates_counts *counts, int64_t now_s);

/* What happened within the last span_s (up to a day), and in *covered_s how
 * long that really is: less where it has not been running for so long. */
struct rates_counts rates_within(const struct rates *rates,
	const struct rates_counts *counts, int64_t now_s, int64_t span_s,
	int64_t *covered_s);

#endif
