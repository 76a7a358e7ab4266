/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rule files as mailban.rules(5) describes them: read, checked for sense, and
 * compiled. Nothing in a file is skipped: what is not understood is an error.
 * How rules of several folders come together is the business of rules.c.
 */
#ifndef MAILBAN_RULEFILE_H
#define MAILBAN_RULEFILE_H

#include "plugin/pattern.h"

/* A `match` or `nomatch` line. */
struct example {
	char *text; /* the message */
	unsigned line;
	bool match;    /* else nomatch */
	bool has_addr; /* somebody is to be charged or logged in: addr */
	struct addr addr;
	uint32_t count;		       /* 0: the example does not say */
	char *user, *session, *digest; /* NULL: the example does not say */
};

/* A rule with all that its section says. rule comes first. */
struct ruledef {
	struct rule rule;
	char *name, *file; /* what rule.name and rule.file point to */
	bool enabled;
	bool class_given, source_given;
	enum rules_policy policy;
	char **programs; /* globs */
	size_t program_count;
	struct pattern *patterns; /* tried in this order */
	size_t pattern_count;
	struct example *examples;
	size_t example_count;
};

struct ruledefs {
	struct ruledef **items;
	size_t count;
};

/* Adds the rules of a file to *out, in the order of their sections. 0, or a
 * negative errno with *error "path:line: [rule] what is wrong", which the
 * caller frees; what *out then holds is only to be freed. */
int rulefile_read(const char *path, struct ruledefs *out, char **error);
/* The same from memory; name stands for the path. */
int rulefile_read_text(const char *name, const char *text, size_t len,
	struct ruledefs *out, char **error);

/* Every example of the rule against the rule itself. Returns NULL, or an
 * allocated text as above. */
char *ruledef_check(const struct ruledef *def, struct pattern_runner *runner);
/* Whether one of the rule's patterns, tried in order, matches. *out is set
 * only if so. */
bool ruledef_match(const struct ruledef *def, struct pattern_runner *runner,
	struct span msg, struct match *out);

/* Completes what pattern_match found by what the rule says. */
void ruledef_finish(const struct ruledef *def, struct match *match);

void ruledef_free(struct ruledef *def);
void ruledefs_free(struct ruledefs *defs);

#endif
