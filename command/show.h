/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How things are shown to a person: times, spans, colours on a terminal.
 */
#ifndef MAILBAN_COMMAND_SHOW_H
#define MAILBAN_COMMAND_SHOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SHOW_TIME_LEN = 32, SHOW_AGO_LEN = 48 };

/* "2026-11-25 03:14:07", local time; "for ever" and "never" are the caller's
 * to know. Return out. */
const char *show_time(int64_t time_s, char out[SHOW_TIME_LEN]);
/* "3h 2m ago"; "never" for 0. */
const char *show_ago(int64_t time_s, char out[SHOW_AGO_LEN]);
/* "3h 2m": from now until then, or that it is over. */
const char *show_left(int64_t time_s, char out[SHOW_AGO_LEN]);
/* "1.5 MiB" */
const char *show_bytes(int64_t bytes, char out[SHOW_TIME_LEN]);

enum show_style {
	SHOW_PLAIN,
	SHOW_BAD,
	SHOW_GOOD,
	SHOW_WARN,
	SHOW_BOLD,
	SHOW_DIM
};
/* What to print before and after; "" where standard output is no terminal, or
 * NO_COLOR is set, or TERM is dumb. */
const char *show_style(enum show_style style);

/* Columns of the terminal; 0 where there is none, so that nothing is cut. */
size_t show_width(void);
/* How many bytes of text are at most so many columns (of whole UTF-8
 * characters, each taken as one). */
size_t show_cut(const char *text, size_t columns);

#endif
