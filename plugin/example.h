/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The examples inside a rule: "message  ->  address user=NAME count=N".
 * They are tests that every load runs.
 */
#ifndef MAILBAN_EXAMPLE_H
#define MAILBAN_EXAMPLE_H

#include "plugin/rulefile.h"

/* Reads the value of a match or nomatch key; out->match and out->line are
 * set by the caller. Returns NULL, or an allocated text of what is wrong. */
char *example_read(const char *value, struct example *out);
void example_clear(struct example *example);
/* What the example says that is not so, allocated, or NULL. */
char *example_check(const struct example *example, const struct ruledef *def,
	struct pattern_runner *runner);

#endif
