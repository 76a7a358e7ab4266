/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Text that must occur in whatever a pattern matches, read from the pattern
 * itself, so that most patterns need not be tried at all. Wherever a pattern
 * says something that is not understood here, the answer is "nothing is
 * known": a pattern too many is tried, never one too few.
 */
#ifndef MAILBAN_LITERAL_H
#define MAILBAN_LITERAL_H

#include <stdbool.h>
#include <stddef.h>

enum {
	LITERAL_MIN = 4, /* shorter text is no help in finding it */
	LITERAL_MAX = 24,
	LITERAL_SET_MAX = 24,
};

struct literal {
	char text[LITERAL_MAX];
	size_t len;    /* LITERAL_MIN..LITERAL_MAX */
	bool anchored; /* it stands at the very start */
};

/* At least one of these occurs. */
struct literal_set {
	struct literal items[LITERAL_SET_MAX];
	size_t count;
};

struct literal_sets {
	struct literal_set *items;
	size_t count;
};

/* All the sets that the pattern (its tokens replaced) demands; none when
 * nothing is known. */
void literal_find(const char *pattern, struct literal_sets *out);
void literal_sets_free(struct literal_sets *sets);

#endif
