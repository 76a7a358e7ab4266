/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rules of one program against one message, fast: one pass over the
 * message finds which patterns are possible at all, by text that they demand
 * (literal.h), and only those are tried. What comes out is always what trying
 * every pattern in order would give.
 */
#ifndef MAILBAN_MATCH_H
#define MAILBAN_MATCH_H

#include "plugin/rulefile.h"

struct matcher;

/* defs and runner must outlive it. Not for two threads at once. */
struct matcher *matcher_new(struct ruledef *const *defs, size_t count,
	struct pattern_runner *runner);
void matcher_free(struct matcher *matcher);

/* The first rule that matches, from *cursor on (0: the beginning), or NULL;
 * *cursor is then set behind that rule. *out is written only when one
 * matches. */
struct ruledef *matcher_run(const struct matcher *matcher, struct span msg,
	size_t *cursor, struct match *out);
/* Whether any pattern could match the text that this becomes when JSON's
 * backslashes are taken out. False only when surely none does. */
bool matcher_may_match(const struct matcher *matcher, struct span escaped);
/* The same by trying everything, for the tests. */
struct ruledef *matcher_run_plain(const struct matcher *matcher,
	struct span msg, size_t *cursor, struct match *out);

size_t matcher_count(const struct matcher *matcher);
struct ruledef *matcher_at(const struct matcher *matcher, size_t index);
/* Patterns that are tried on every message, since they demand no text. */
size_t matcher_always(const struct matcher *matcher);

#endif
