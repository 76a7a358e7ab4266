/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parts of `mailban import-filter`: a fail2ban filter is read as fail2ban
 * reads it (import_conf.c), its expressions become PCRE2 with our tokens
 * (import_regex.c), and rules are made of them (import_filter.c). What can't
 * be carried over is said, never guessed.
 */
#ifndef MAILBAN_IMPORT_H
#define MAILBAN_IMPORT_H

#include <stdbool.h>
#include <stddef.h>

/* --- import_conf.c --- */

struct filter;

/* Reads the file with its includes and .local files, and options as in
 * "postfix.conf[mode=aggressive]". NULL with *error, which the caller frees. */
struct filter *filter_read(const char *name, char **error);
void filter_free(struct filter *filter);
/* "postfix" of "/etc/fail2ban/filter.d/postfix.conf[mode=more]". */
const char *filter_name(const struct filter *filter);
/* An option of [Definition] with everything filled in, allocated; NULL: has
 * none. Where the syslog prefix of a line stood (__prefix_line of common.conf)
 * there is FILTER_PREFIX. */
char *filter_value(const struct filter *filter, const char *option);

#define FILTER_PREFIX '\001'

/* --- import_regex.c --- */

struct imported {
	char *pattern; /* NULL: can't be carried over */
	char *why_not; /* then; or why it should not be switched on */
	bool has_addr, has_session;
	bool charges_none; /* <F-NOFAIL> */
	bool had_prefix;   /* there was a syslog prefix */
	char *notes[8];	   /* smaller losses */
	size_t note_count;
};

/* From one line of failregex or ignoreregex, and prefregex or NULL. search:
 * what is not anchored matches anywhere, as ignoreregex does. */
void import_regex(const char *prefregex, const char *regex, bool search,
	struct imported *out);
void imported_clear(struct imported *imported);

/* Names of programs, with wildcards, that the expression for a program
 * (_daemon) matches, separated by blanks; allocated. NULL: any at all. */
char *import_programs(const char *daemon);

#endif
