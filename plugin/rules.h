/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules: which message is an offence, of which class, and whose. Loaded from
 * rule files (mailban.rules(5)), checked against their own examples, compiled
 * by PCRE2's JIT, and tried only against the messages of their program.
 *
 * The order of the shipped and the administrator's folders is given by the
 * caller; a rule of a later folder replaces one of the same name.
 */
#ifndef MAILBAN_RULES_H
#define MAILBAN_RULES_H

#include "common/addr.h"
#include "plugin/class.h"
#include "plugin/message.h"

struct rules;

struct rule {
	const char *name;   /* section name, unique */
	enum class class;
	const char *file;   /* path it came from, and the line of its section */
	unsigned line;
	uint32_t weight_percent; /* 100 unless the rule says otherwise */
	uint64_t matched;   /* since load */
	int64_t last_us;    /* time of the last message it matched, or 0 */
};

/* What one message came to. Spans borrow from the message. */
struct match {
	const struct rule *rule; /* NULL: no rule matched */
	enum class class;	 /* CLASS_NONE when no rule matched, or none
				    is to be charged */
	bool has_addr;
	struct addr addr;    /* the client, when has_addr */
	uint32_t count;	     /* attempts in this one line (<COUNT>), 1 or more,
				not yet times message.repeat */
	struct span user;    /* <USER>: attempted or real user name; text NULL
				where the line has none */
	struct span session; /* <SESSION>: session, queue or connection id */
	struct span digest;  /* <DIGEST>: of the attempted password */
};

enum rules_policy {
	RULES_BALANCED,	    /* all rules but those of another policy */
	RULES_DAILY_SCRIPT, /* only rules that say policy = daily-script */
};

/* Loads every *.rules file of the folders, in order, files by name. On error
 * NULL, and *error is a text "file:line: what is wrong and what would be
 * right" that the caller frees. Examples are checked: every `match` must give
 * the address (and class) it says by that very rule, every `nomatch` must not
 * be matched by that rule. */
struct rules *rules_load(const char *const *folders, size_t count,
	enum rules_policy policy, char **error);
void rules_free(struct rules *rules);

size_t rules_count(const struct rules *rules);
const struct rule *rules_at(const struct rules *rules, size_t index);

/* The first rule, in the order of files and sections, whose program and
 * pattern match. Returns whether one did; *out is set either way. */
bool rules_match(
	struct rules *rules, const struct message *message, struct match *out);

#endif
