/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An index of patterns by text that they demand: one pass over a message tells
 * which of any number of patterns are possible.
 */
#ifndef MAILBAN_GRAMS_H
#define MAILBAN_GRAMS_H

#include "plugin/message.h"

struct grams;

struct grams *grams_new(void);
void grams_free(struct grams *grams);

/* First: the more often text is counted, the less is looked for what it
 * holds. */
void grams_count(struct grams *grams, const char *text, uint32_t weight);
/* Then: adds a pattern (its tokens replaced) with its number, in ascending
 * order. False when it demands nothing, so that it is always possible. */
bool grams_add(struct grams *grams, const char *pattern, uint32_t number);
/* Text of four characters or more, in small letters, that grams_may_find finds
 * as well, and with a capital or in capitals. It says of no pattern that it is
 * possible. */
void grams_add_word(struct grams *grams, const char *word);
/* At last, before any search. */
void grams_build(struct grams *grams);

/* Sets in *found, a bit a number, those patterns of which msg holds what they
 * demand. */
void grams_find(const struct grams *grams, struct span msg, uint64_t *found);
/* Whether grams_find, or a pattern that demands nothing, might find anything
 * in the text that this becomes when JSON's backslashes are taken out. False
 * only when surely not. ignored: a bit a number, patterns not asked for. */
bool grams_may_find(const struct grams *grams, struct span escaped,
	const uint64_t *ignored);

#endif
