/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Spans of time to and from text. Strict: each unit once, the largest first,
 * so that a slip of the finger ("1d12", "5m3h") is an error and not a ban of
 * some other length.
 */
#include "common/duration.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const struct unit {
	char letter;
	int64_t seconds;
} units[] = {{'w', 7 * 86400}, {'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1}};
enum { UNIT_COUNT = sizeof units / sizeof units[0] };

/* Digits at *text, which moves behind them. A value above the limit stays
 * there: it is out of range in any unit. */
static int
parse_number(const char **text, int64_t *out)
{
	const char *at = *text;
	int64_t value = 0;

	if (*at < '0' || *at > '9')
		return -EBADMSG;
	for (; *at >= '0' && *at <= '9'; at++)
		if (value <= DURATION_MAX_S)
			value = value * 10 + (*at - '0');
	*text = at;
	*out = value;
	return 0;
}

/* The index of the unit with that letter, from first on; UNIT_COUNT when
 * there is none. */
static size_t
find_unit(char letter, size_t first)
{
	while (first < UNIT_COUNT && units[first].letter != letter)
		first++;
	return first;
}

/* "1d12h": the sum is clamped just above the limit, so that bad shape is
 * found first whatever the numbers are. */
static int
parse_sum(const char *text, int64_t *out)
{
	int64_t total = 0, number;
	size_t next = 0;

	do {
		if (parse_number(&text, &number) < 0)
			return -EBADMSG;
		if (*text == '\0' && next == 0) {
			total = number;
			break;
		}
		next = find_unit(*text, next);
		if (next == UNIT_COUNT)
			return -EBADMSG;
		if (number > DURATION_MAX_S)
			number = DURATION_MAX_S + 1;
		total += number * units[next++].seconds;
		text++;
		if (text[0] == ' ' && text[1] != '\0')
			text++;
	} while (*text != '\0');
	*out = total;
	return 0;
}

int
duration_parse(const char *text, int64_t *seconds)
{
	bool negative = text[0] == '-';
	int64_t total;

	if (strcmp(text, "permanent") == 0 || strcmp(text, "-1") == 0) {
		*seconds = DURATION_PERMANENT;
		return 0;
	}
	if (parse_sum(text + negative, &total) < 0)
		return -EBADMSG;
	if (negative || total > DURATION_MAX_S)
		return -ERANGE;
	*seconds = total;
	return 0;
}

const char *
duration_format(int64_t seconds, char out[DURATION_STRLEN])
{
	/* Weeks are read but not written: "30d" says more than "4w 2d". */
	size_t i = 1;
	int64_t count, rest;

	if (seconds == DURATION_PERMANENT) {
		snprintf(out, DURATION_STRLEN, "permanent");
		return out;
	}
	if (seconds < 0)
		seconds = 0;
	while (i < UNIT_COUNT - 1 && seconds < units[i].seconds)
		i++;
	count = seconds / units[i].seconds;
	rest = seconds % units[i].seconds;
	if (i + 1 < UNIT_COUNT && rest >= units[i + 1].seconds)
		snprintf(out, DURATION_STRLEN, "%lld%c %u%c", (long long)count,
			units[i].letter,
			(uint8_t)(rest / units[i + 1].seconds), /* below 60 */
			units[i + 1].letter);
	else
		snprintf(out, DURATION_STRLEN, "%lld%c", (long long)count,
			units[i].letter);
	return out;
}
