/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Text as somebody would write it who wants another one banned: the rest of the
 * line again with the victim's address, whole lines of other rules, what ends a
 * field, over-long text, bytes that are no text. Lines with it.
 */
#ifndef MAILBAN_INJECT_HOSTILE_H
#define MAILBAN_INJECT_HOSTILE_H

#include "tests/inject/random.h"
#include "tests/inject/target.h"

/* rsyslog's longest message, and something. */
enum { HOSTILE_LINE_MAX = 8400 };

struct hostile_line {
	char text[HOSTILE_LINE_MAX];
	size_t len;
};

/* The addresses that must never be charged are in 198.51.100.0/24 and
 * 2001:db8:bad::/48. */
struct hostile;
/* targets must outlive it. */
struct hostile *hostile_new(const struct targets *targets);
void hostile_free(struct hostile *hostile);

/* The target's message with hostile text in one of its fields, which must be
 * there; sometimes cut. */
void hostile_craft(const struct hostile *hostile, struct random *random,
	const struct target *target, size_t field, struct hostile_line *out);
/* The same, of 2,000 or 8,000 bytes and not cut. */
void hostile_craft_long(const struct hostile *hostile, struct random *random,
	const struct target *target, size_t field, struct hostile_line *out);
/* The target's message with that text in the field; what the server does not
 * let through becomes '?'. */
void hostile_place(const struct target *target, const struct field *field,
	struct span text, struct hostile_line *out);

#endif
