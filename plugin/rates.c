/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two rings of samples; a place says itself for which time it stands.
 */
#include "plugin/rates.h"

#include <stdbool.h>
#include <stddef.h>

void
rates_note(
	struct rates *rates, const struct rates_counts *counts, int64_t now_s)
{
	struct rates_sample sample = {.time_s = now_s, .counts = *counts};
	struct rates_sample *minute =
		&rates->minutes[(now_s / 60) % RATES_MINUTES];

	rates->seconds[now_s % RATES_SECONDS] = sample;
	/* The first of each minute. */
	if (minute->time_s / 60 != now_s / 60 || !minute->time_s)
		*minute = sample;
}

/* The oldest within span_s. */
static const struct rates_sample *
oldest(const struct rates_sample *samples, size_t count, int64_t now_s,
	int64_t span_s)
{
	const struct rates_sample *found = NULL;

	for (size_t i = 0; i < count; i++) {
		const struct rates_sample *one = &samples[i];

		if (one->time_s && now_s - one->time_s <= span_s &&
			(!found || one->time_s < found->time_s))
			found = one;
	}
	return found;
}

struct rates_counts
rates_within(const struct rates *rates, const struct rates_counts *counts,
	int64_t now_s, int64_t span_s, int64_t *covered_s)
{
	bool short_span = span_s < RATES_SECONDS;
	const struct rates_sample *from =
		short_span
			? oldest(rates->seconds, RATES_SECONDS, now_s, span_s)
			: oldest(rates->minutes, RATES_MINUTES, now_s, span_s);
	struct rates_counts within = {0};

	*covered_s = 0;
	if (!from)
		return within;
	*covered_s = now_s - from->time_s;
	within.messages = counts->messages - from->counts.messages;
	within.offences = counts->offences - from->counts.offences;
	within.bans = counts->bans - from->counts.bans;
	return within;
}
