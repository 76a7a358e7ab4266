/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules: which message is an offence, of which class, and whose. Loaded from
 * rule files (mailban.rules(5)), checked against their own examples, compiled
 * by PCRE2's JIT, and tried only against the messages of their program.
 *
 * The order of the shipped and the administrator's folders is given by the
 * caller.
 */
#ifndef MAILBAN_RULES_H
#define MAILBAN_RULES_H

#include "common/addr.h"
#include "plugin/class.h"
#include "plugin/message.h"

struct rules;

/* Of which part of a server a line comes that reports a failed login: what
 * one reports, others report again (plugin/correlate.h). */
enum rule_reports {
	REPORTS_ATTEMPT, /* one attempt, by the service in front */
	REPORTS_SESSION, /* all attempts of a session, at its end */
	REPORTS_BACKEND, /* one attempt, by the authentication behind it */
	REPORTS_WORKER,	 /* one attempt, by a process of that one's */
};

struct rule {
	const char *name; /* section name, unique */
	enum class class;
	const char *file;	 /* path it came from */
	unsigned line;		 /* that of the first value in its section */
	uint32_t weight_percent; /* 100 unless the rule says otherwise */
	enum rule_reports reports;
	bool accepts;	   /* the line says that the client's mail is taken */
	bool doubled;	   /* the server may write the line twice */
	bool unknown_user; /* the line says that there is no such user */
	uint64_t matched;  /* since load */
	int64_t last_us;   /* time of the last message it matched, or 0 */
};

/* What one message came to. Spans borrow from the message. */
struct match {
	const struct rule *rule; /* NULL: no rule matched */
	enum class class;	 /* CLASS_NONE when no rule matched, or none
				    is to be charged */
	bool has_addr;
	struct addr addr;    /* the client, when has_addr; with CLASS_NONE it
				is not charged, but may be that of a session */
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

/* Loads every *.rules file of the folders, in order, files by name; a folder
 * may also be a single file. The first must be there, the others (the
 * administrator's) need not. A rule replaces one of the same name in a folder
 * before its own and stands in its place; the new rules of a folder are tried
 * before those of the folders before it, so that an administrator can make
 * exceptions. On error NULL, and *error is a text "file:line: [rule] what is
 * wrong and what would be right" that the caller frees. Examples are checked:
 * every `match` must give the address it says by that very rule, every
 * `nomatch` must not be matched by that rule. */
struct rules *rules_load(const char *const *folders, size_t count,
	enum rules_policy policy, char **error);
void rules_free(struct rules *rules);

/* What rules_load does not check, because it takes time and concerns rules
 * together: that no example is caught by a rule tried before its own, and that
 * a user name can't be written that changes the address. 0, or -EBADMSG with
 * *error as above. */
int rules_check(struct rules *rules, char **error);

size_t rules_count(const struct rules *rules);
const struct rule *rules_at(const struct rules *rules, size_t index);
/* Matches given up since the load because they took too long. */
uint64_t rules_limit_hits(const struct rules *rules);

/* Whether there are rules for that program. */
bool rules_for(struct rules *rules, struct span program);
/* Whether any rule could match a message of that program whose msg, with
 * JSON's escapes still in it (message_peek), is this, or it smells of failure
 * (plugin/unknown.h). False only when surely none does, or only one that makes no difference: that charges nobody and
 * tells nothing of a session. */
bool rules_may_match(
	struct rules *rules, struct span program, struct span escaped);

/* The first rule, in the order of trying, whose program and pattern match.
 * Returns whether one did; *out is set either way. */
bool rules_match(
	struct rules *rules, const struct message *message, struct match *out);
/* The same from *cursor on, 0 at first, which is set behind the rule that
 * matched: for the daily-script policy, where one message may be charged for
 * two classes. */
bool rules_match_from(struct rules *rules, const struct message *message,
	size_t *cursor, struct match *out);

/* Tries all rules of the message's program and tells each what came of it, in
 * order; *match is that of rules_match when matched. Counts nothing. Returns
 * how many rules there are for that program. */
typedef void rules_explained(const struct rule *rule, bool matched,
	const struct match *match, void *arg);
size_t rules_explain(struct rules *rules, const struct message *message,
	rules_explained *each, void *arg);
/* How far a rule that does not match gets: it follows the message for so many
 * bytes; and where that is all of it, what of its pattern does not match, else
 * NULL. Of the pattern that gets farthest. Slow; borrowed from the rules. */
struct rules_reach {
	size_t bytes;
	const char *rest;
};
struct rules_reach rules_reach(struct rules *rules, const struct rule *rule,
	const struct message *message);

#endif
