/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which rules are for a message's program. Program names come with the
 * message, from whoever sent it, so what is remembered about them is bounded,
 * and a flood of new names costs a comparison with each glob, nothing more.
 */
#ifndef MAILBAN_PROGRAM_H
#define MAILBAN_PROGRAM_H

#include "plugin/match.h"

struct programs;

/* defs and runner must outlive it. */
struct programs *programs_new(
	const struct ruledefs *defs, struct pattern_runner *runner);
void programs_free(struct programs *programs);

/* The rules for that program, or NULL when there are none; borrowed until the
 * next call. */
const struct matcher *programs_find(
	struct programs *programs, struct span program);

/* '*' stands for any text, '/' included, '?' for one character. */
bool glob_match(const char *glob, struct span text);
/* Whether there is a text that both match. */
bool glob_overlap(const char *a, const char *b);

#endif
