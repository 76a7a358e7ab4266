/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages of programs that have rules, none of which knows them, and that
 * smell of failure: a sign that a program words its messages differently since
 * an upgrade, or that a rule is missing. Counted by program, with one sample
 * each. Nobody is ever charged for one. Bounded: what programs there are is
 * told by whoever sends messages.
 */
#ifndef MAILBAN_UNKNOWN_H
#define MAILBAN_UNKNOWN_H

#include "plugin/message.h"

enum {
	UNKNOWN_PROGRAMS = 64,
	UNKNOWN_PROGRAM_LEN = 48,
	UNKNOWN_SAMPLE_LEN = 240,
};

struct unknown_entry {
	uint64_t count; /* messages; 0: the place is free */
	int64_t first_us, last_us;
	char program[UNKNOWN_PROGRAM_LEN]; /* cut, as is the sample */
	size_t sample_len;
	char sample[UNKNOWN_SAMPLE_LEN]; /* the last one; any bytes, no NUL at
					    the end */
};

struct unknown;
struct unknown *unknown_new(void);
void unknown_free(struct unknown *unknown);

/* The words of failure, such as "fail" or "denied", in small letters; NULL at
 * the end. */
const char *unknown_word(size_t index);
/* Whether the text holds one, in letters of any case. */
bool unknown_smells(struct span text);

/* A message that no rule matched, of a program that has rules. Counts it if it
 * smells, and returns whether it does. */
bool unknown_note(struct unknown *unknown, const struct message *message);

/* Those of all programs, in no order, *cursor starting as 0; NULL at the end.
 * Borrowed until the next unknown_note. */
const struct unknown_entry *unknown_next(
	const struct unknown *unknown, size_t *cursor);
/* All of them, and those of programs for which there was no place. */
uint64_t unknown_total(const struct unknown *unknown);
uint64_t unknown_others(const struct unknown *unknown);
/* After a reload of the rules, which may know them now. */
void unknown_clear(struct unknown *unknown);

#endif
