/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What hostile text is put into: every example of every rule, with what comes
 * of it untouched, and where in it a stranger's text stands. And the judgement
 * of what comes of it afterwards: the same client, nobody, or another, which
 * must not be.
 */
#ifndef MAILBAN_INJECT_TARGET_H
#define MAILBAN_INJECT_TARGET_H

#include "plugin/program.h"

enum field_kind {
	FIELD_USER,  /* what the rule takes for the user name */
	FIELD_ANGLE, /* <...> */
	FIELD_QUOTE, /* "..." or '...' */
	FIELD_PAREN, /* (...) before a bracket: Exim's HELO */
	FIELD_NAME,  /* the host name before the address: from the DNS */
	FIELD_VALUE, /* behind a key or a word that announces it */
	FIELD_TAIL,  /* the end of a line that ends in a stranger's text */
	FIELD_KINDS,
};
extern const char *const field_names[FIELD_KINDS];

/* Bytes of the text that a stranger may replace; start == end: put between. */
struct field {
	size_t start, end;
	enum field_kind kind;
	/* What the server does not let through, from its sources. */
	const char *never; /* characters */
	size_t max;	   /* bytes; the rest is cut off */
};

enum { FIELDS_MAX = 32, PLACES_MAX = 8, PROGRAM_LEN = 128 };

struct target {
	const struct ruledef *def;
	const struct example *example;
	struct programs *programs; /* of its policy */
	char program[PROGRAM_LEN];
	struct span text;
	bool charged; /* the untouched message names a client */
	struct addr addr;
	struct span session;
	/* Every address in it, whoever wrote it there. */
	struct addr known[PLACES_MAX];
	size_t known_count;
	struct span places[PLACES_MAX]; /* where the server wrote it, in text */
	size_t place_count;
	struct field fields[FIELDS_MAX];
	size_t field_count;
};

struct targets {
	struct ruledefs defs[2]; /* by policy */
	struct programs *programs[2];
	struct pattern_runner *runner;
	struct target *items;
	size_t count;
};

/* The rules of that folder or file, or an error on stderr and false. */
bool targets_load(struct targets *targets, const char *folder);
void targets_free(struct targets *targets);

/* Of an untouched message that charges nobody, the addresses in it are no
 * others: hostile text may well take away what speaks for its client. */
enum outcome { OUTCOME_SAME, OUTCOME_NOBODY, OUTCOME_OTHER };

/* *match is what the rules made of the line; its rule is NULL when none
 * matched. */
enum outcome target_judge(
	const struct target *target, struct span line, struct match *match);

/* The pattern of the target's program that the line drives into its match
 * limit, or NULL; its rule is in *rule. */
const struct pattern *target_slow_pattern(const struct targets *targets,
	const struct target *target, struct span line,
	const struct rule **rule);

/* field.c: fills in fields; called when all else is there. */
void target_find_fields(struct target *target, struct span user);

#endif
