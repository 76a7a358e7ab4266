/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Values as they stand in mailban.conf, one reader for each shape. All return
 * NULL, or an allocated text of what is wrong and what would be right, and
 * then have changed nothing.
 */
#ifndef MAILBAN_SETTING_H
#define MAILBAN_SETTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

char *setting_number(
	const char *value, uint32_t min, uint32_t max, uint32_t *out);
/* The same, or "off", which is 0. */
char *setting_number_or_off(
	const char *value, uint32_t min, uint32_t max, uint32_t *out);
/* The same for what is at most 255. */
char *setting_small(
	const char *value, uint32_t min, uint32_t max, uint8_t *out);
/* "2", "1.5": in hundredths, from min to max (whole numbers). */
char *setting_factor(
	const char *value, uint32_t min, uint32_t max, uint32_t *out_percent);
/* A time as in duration.h, in microseconds; INT64_MAX for "permanent", where
 * that is allowed. */
char *setting_span(const char *value, bool permanent, int64_t *out_us);
/* on or yes, off or no. */
char *setting_bool(const char *value, bool *out);
char *setting_choice(
	const char *value, const char *zero, const char *one, bool *out);
/* A full path, allocated; frees what was there. */
char *setting_path(const char *value, char **out);

/* Calls each for every word; blanks and commas part words. */
char *setting_words(const char *value,
	char *(*each)(const char *word, size_t len, void *arg), void *arg);

#endif
