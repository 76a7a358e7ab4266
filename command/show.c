/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Times, spans, sizes and colours.
 */
#include "command/show.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "common/duration.h"

const char *
show_time(int64_t time_s, char out[SHOW_TIME_LEN])
{
	time_t seconds = (time_t)time_s;
	struct tm tm;

	if (!localtime_r(&seconds, &tm) ||
		!strftime(out, SHOW_TIME_LEN, "%Y-%m-%d %H:%M:%S", &tm))
		(void)snprintf(out, SHOW_TIME_LEN, "%" PRId64, time_s);
	return out;
}

const char *
show_ago(int64_t time_s, char out[SHOW_AGO_LEN])
{
	char span[DURATION_STRLEN];
	int64_t now_s = (int64_t)time(NULL);

	if (!time_s)
		return "never";
	if (time_s > now_s)
		time_s = now_s;
	(void)snprintf(out, SHOW_AGO_LEN, "%s ago",
		duration_format(now_s - time_s, span));
	return out;
}

const char *
show_left(int64_t time_s, char out[SHOW_AGO_LEN])
{
	char span[DURATION_STRLEN];
	int64_t left_s = time_s - (int64_t)time(NULL);

	if (left_s <= 0)
		return "over";
	(void)snprintf(out, SHOW_AGO_LEN, "%s", duration_format(left_s, span));
	return out;
}

const char *
show_bytes(int64_t bytes, char out[SHOW_TIME_LEN])
{
	static const char *const units[] = {"bytes", "KiB", "MiB", "GiB"};
	double size = (double)bytes;
	size_t unit = 0;

	while (size >= 1024 && unit + 1 < sizeof(units) / sizeof(units[0])) {
		size /= 1024;
		unit++;
	}
	(void)snprintf(out, SHOW_TIME_LEN,
		unit && size < 100 ? "%.1f %s" : "%.0f %s", size, units[unit]);
	return out;
}

static bool
coloured(void)
{
	const char *term = getenv("TERM");
	const char *no_color = getenv("NO_COLOR");

	return isatty(STDOUT_FILENO) && (!no_color || !*no_color) && term &&
	       strcmp(term, "dumb") != 0;
}

const char *
show_style(enum show_style style)
{
	static const char *const codes[] = {[SHOW_PLAIN] = "\033[0m",
		[SHOW_BAD] = "\033[1;31m",
		[SHOW_GOOD] = "\033[32m",
		[SHOW_WARN] = "\033[33m",
		[SHOW_BOLD] = "\033[1m",
		[SHOW_DIM] = "\033[2m"};

	return coloured() ? codes[style] : "";
}

size_t
show_width(void)
{
	struct winsize size;

	if (!isatty(STDOUT_FILENO) ||
		ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0)
		return 0;
	return size.ws_col;
}

size_t
show_cut(const char *text, size_t columns)
{
	size_t at = 0;

	for (; text[at] && columns > 0; columns--)
		do
			at++;
		while (((unsigned char)text[at] & 0xc0) == 0x80);
	return at;
}
