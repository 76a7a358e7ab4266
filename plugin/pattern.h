/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One pattern of a rule: PCRE2 with our tokens, compiled, and matched within
 * bounds of time and memory. The one file that knows PCRE2. What it is run on
 * are bytes that strangers chose; what it finds by <ADDR> is an address only
 * when addr_parse says so.
 */
#ifndef MAILBAN_PATTERN_H
#define MAILBAN_PATTERN_H

#include "plugin/rules.h"

/* The named groups that mean something, each with a token of the same name. */
enum capture {
	CAPTURE_ADDR,
	CAPTURE_USER,
	CAPTURE_COUNT,
	CAPTURE_SESSION,
	CAPTURE_DIGEST,
	CAPTURE_MAX,
};

struct pattern {
	char *text;		     /* with the tokens replaced */
	void *code;		     /* pcre2_code */
	bool jit;		     /* compiled to machine code */
	bool to_the_end;	     /* the address is one by what follows it
					up to the end of the message */
	unsigned line;		     /* where it stands in its file */
	unsigned group[CAPTURE_MAX]; /* number of each group, 0: has none */
};

/* What matching needs besides the pattern: memory, the limits, and a count of
 * the matches given up because of them. For one thread. */
struct pattern_runner;
struct pattern_runner *pattern_runner_new(void);
void pattern_runner_free(struct pattern_runner *runner);
uint64_t pattern_limit_hits(const struct pattern_runner *runner);

/* Compiles text, which must begin with '^'. Returns NULL, or an allocated text
 * of what is wrong and what would be right. */
char *pattern_compile(const char *text, struct pattern *out);
/* Frees what is in it. */
void pattern_clear(struct pattern *pattern);

/* Whether msg matches. If so, what the groups hold is in *out, and nothing
 * else of *out is changed. A group ADDR that took part and holds no address
 * literal means no match; so does a limit that was reached; so does a message
 * whose end may be missing where the pattern rests on it. */
bool pattern_match(const struct pattern *pattern, struct pattern_runner *runner,
	struct span msg, struct match *out);
/* How many bytes of msg the pattern can follow before it fails, as far as that
 * can be told; slow, for `mailban test --explain`. */
size_t pattern_reach(const struct pattern *pattern,
	struct pattern_runner *runner, struct span msg);
/* What is left of the pattern's text behind the longest part of it that
 * matches; slow too. */
const char *pattern_rest(const struct pattern *pattern,
	struct pattern_runner *runner, struct span msg);

#endif
