/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sliding windows over sorted moments. The common case, a moment newer than
 * all others, costs one step to insert.
 */
#include "plugin/window.h"

#include <string.h>

int64_t
time_before(int64_t a_us, int64_t span_us)
{
	int64_t out;

	return __builtin_sub_overflow(a_us, span_us, &out) ? INT64_MIN : out;
}

/* How many moments are at or before time_us. */
static size_t
count_upto(const struct moment *moments, size_t len, int64_t time_us)
{
	size_t low = 0, high = len;

	if (len == 0 || moments[len - 1].time_us <= time_us)
		return len;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (moments[middle].time_us <= time_us)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

size_t
window_drop(struct moment *moments, size_t len, int64_t upto_us)
{
	size_t gone = 0;

	while (gone < len && moments[gone].time_us <= upto_us)
		gone++;
	if (gone > 0 && gone < len)
		memmove(moments, moments + gone,
			(len - gone) * sizeof *moments);
	return len - gone;
}

bool
moment_is(const struct moment *moment, const struct tagged *of)
{
	return (moment->tag & of->mask) == of->bits;
}

size_t
window_forgive(struct moment *moments, size_t len, const struct tagged *of,
	int64_t upto_us)
{
	size_t kept = 0;

	for (size_t i = 0; i < len; i++)
		if (moments[i].time_us > upto_us || !moment_is(&moments[i], of))
			moments[kept++] = moments[i];
	return kept;
}

size_t
window_insert(struct moment *moments, size_t len, const struct moment *one)
{
	size_t at = count_upto(moments, len, one->time_us);

	for (size_t i = at; i > 0; i--) {
		struct moment *same = &moments[i - 1];
		uint64_t sum = (uint64_t)same->count + one->count;

		if (same->time_us != one->time_us)
			break;
		if (same->tag != one->tag)
			continue;
		same->count =
			(sum < MOMENT_COUNT_MAX ? sum : MOMENT_COUNT_MAX) &
			MOMENT_COUNT_MAX;
		return len;
	}
	if (at < len)
		memmove(moments + at + 1, moments + at,
			(len - at) * sizeof *moments);
	moments[at] = *one;
	return len + 1;
}

void
window_judge(const struct moment *moments, size_t len, int64_t time_us,
	const struct window *window, struct window_sum *out)
{
	const int64_t span = window->findtime_us;
	size_t first = count_upto(moments, len, time_before(time_us, span));
	uint64_t sum = 0, most = 0;

	*out = (struct window_sum){0};
	for (size_t end = first; end < len; end++) {
		int64_t before = time_before(moments[end].time_us, span);
		if (before >= time_us)
			break;
		if (moment_is(&moments[end], &window->of))
			sum += moments[end].count;
		for (; first <= end && moments[first].time_us <= before;
			first++)
			if (moment_is(&moments[first], &window->of))
				sum -= moments[first].count;
		/* Equal times are one end. */
		if (moments[end].time_us < time_us ||
			(end + 1 < len && moments[end + 1].time_us ==
						  moments[end].time_us))
			continue;
		if (sum > most)
			most = sum;
		if (sum >= window->maxretry) {
			out->full = true;
			out->newest_us = moments[end].time_us;
			break;
		}
	}
	out->count = most < UINT32_MAX ? (uint32_t)most : UINT32_MAX;
}
