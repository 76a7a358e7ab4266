/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Time stamps of messages to microseconds since the epoch, without libc's
 * time zones and locales: what a line says must not depend on where it is
 * read.
 */
#include "plugin/message_parts.h"

#include <errno.h>

int
message_digits(const char *text, int count)
{
	int value = 0;

	for (int i = 0; i < count; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -1;
		value = value * 10 + (text[i] - '0');
	}
	return value;
}

static bool
is_leap(int year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Days since 1970-01-01 of a date from 1970 on; -1 when there is no such
 * day. month is 1..12. */
static int64_t
days_since_epoch(int year, int month, int day)
{
	static const int before[] = {
		0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};
	int past = year - 1, leap = is_leap(year), in_month;

	if (year < 1970 || month < 1 || month > 12)
		return -1;
	in_month = before[month] - before[month - 1] + (month == 2 && leap);
	if (day < 1 || day > in_month)
		return -1;
	/* 477 leap years lie before 1970. */
	return (int64_t)(year - 1970) * 365 + past / 4 - past / 100 +
	       past / 400 - 477 + before[month - 1] + (month > 2 && leap) +
	       day - 1;
}

/* "hh:mm:ss" as seconds; -1 when it is none. A leap second (60) is the first
 * of the next minute. */
static int
clock_seconds(const char *text)
{
	int hour = message_digits(text, 2),
	    minute = message_digits(text + 3, 2);
	int second = message_digits(text + 6, 2);

	if (text[2] != ':' || text[5] != ':' || hour < 0 || hour > 23 ||
		minute < 0 || minute > 59 || second < 0 || second > 60)
		return -1;
	return (hour * 60 + minute) * 60 + second;
}

/* "Z", "+hh:mm" or "-hh:mm" as seconds east of UTC. */
static int
zone_seconds(const char *text, size_t len, int *out)
{
	int hour, minute;

	if (len == 1 && (*text == 'Z' || *text == 'z')) {
		*out = 0;
		return 0;
	}
	if (len != 6 || (*text != '+' && *text != '-') || text[3] != ':')
		return -EBADMSG;
	hour = message_digits(text + 1, 2);
	minute = message_digits(text + 4, 2);
	if (hour < 0 || hour > 23 || minute < 0 || minute > 59)
		return -EBADMSG;
	*out = (hour * 60 + minute) * 60 * (*text == '-' ? -1 : 1);
	return 0;
}

int
message_parse_time(
	const char *text, size_t len, int64_t *out_us, bool *fraction)
{
	enum { HEAD = sizeof "2026-11-25T10:00:00" - 1 };
	int64_t days, us = 0;
	int seconds, zone, scale = 100000;
	size_t at = HEAD;

	if (len <= HEAD || text[4] != '-' || text[7] != '-' ||
		(text[10] != 'T' && text[10] != 't'))
		return -EBADMSG;
	days = days_since_epoch(message_digits(text, 4),
		message_digits(text + 5, 2), message_digits(text + 8, 2));
	seconds = clock_seconds(text + 11);
	if (days < 0 || seconds < 0)
		return -EBADMSG;
	if (text[at] == '.')
		for (at++; at < len && scale > 0; at++, scale /= 10) {
			if (message_digits(text + at, 1) < 0)
				break;
			us += message_digits(text + at, 1) * scale;
		}
	if (at == HEAD + 1 || zone_seconds(text + at, len - at, &zone) < 0)
		return -EBADMSG;
	*out_us = (days * 86400 + seconds - zone) * 1000000 + us;
	*fraction = at > HEAD;
	return 0;
}

static int
month_by_name(const char *name)
{
	static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

	for (int i = 0; i < 12; i++)
		if (memcmp(names + 3 * i, name, 3) == 0)
			return i + 1;
	return -1;
}

/* The latest such day that is not more than a day after now: the year is not
 * in the text. A 29th of February may be eight years back. */
static int
guess_year(int month, int day, int64_t seconds, int64_t now_us, int64_t *out_us)
{
	const int64_t day_us = INT64_C(86400) * 1000000;
	int year = 1970 + (int)(now_us / day_us / 365) + 1;

	for (int tries = 0; tries < 12; tries++, year--) {
		int64_t days = days_since_epoch(year, month, day);
		int64_t us = days * day_us + seconds * 1000000;
		if (days >= 0 && us <= now_us + day_us) {
			*out_us = us;
			return 0;
		}
	}
	return -EBADMSG;
}

int
message_time_3164(const char *text, int64_t now_us, int64_t *out_us)
{
	int month, day, seconds;

	if (text[3] != ' ' || text[6] != ' ')
		return -EBADMSG;
	month = month_by_name(text);
	day = text[4] == ' ' ? message_digits(text + 5, 1)
			     : message_digits(text + 4, 2);
	seconds = clock_seconds(text + 7);
	if (month < 0 || day < 0 || seconds < 0)
		return -EBADMSG;
	return guess_year(month, day, seconds, now_us, out_us);
}
