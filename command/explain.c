/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mailban test --explain: for one message, the rules of its program in their
 * order, how far into the message each could follow it, and which one won.
 */
#include <string.h>

#include "command/command.h"
#include "common/log.h"

enum { BEFORE = 28, BEHIND = 24, REST = 60, SAFE_MAX = 4 * BEFORE + 1 };

struct explaining {
	struct rules *rules;
	const struct message *message;
	const struct rule *winner;
};

/* Where it stopped: what it took last, and what it did not. */
static void
print_stop(const struct message *message, size_t reach)
{
	const char *at = message->msg.text + reach;
	size_t before = reach < BEFORE ? reach : BEFORE;
	size_t behind = message->msg.len - reach;
	char left[SAFE_MAX], right[SAFE_MAX];

	if (behind > BEHIND)
		behind = BEHIND;
	(void)printf("%zu of %zu bytes: \"%s\" then not \"%s\"\n", reach,
		message->msg.len,
		text_escape(at - before, before, left, sizeof left),
		text_escape(at, behind, right, sizeof right));
}

static void
print_rule(const struct rule *rule, bool matched, const struct match *match,
	void *arg)
{
	struct explaining *explaining = arg;
	struct rules_reach reach;

	(void)match;
	(void)printf("    %-32s ", rule->name);
	if (matched && !explaining->winner) {
		explaining->winner = rule;
		(void)printf("matches: it decides (%s:%u)\n", rule->file,
			rule->line);
		return;
	}
	if (matched) {
		(void)puts("would match, but comes later");
		return;
	}
	if (explaining->winner) {
		(void)puts("comes later");
		return;
	}
	reach = rules_reach(explaining->rules, rule, explaining->message);
	if (reach.rest)
		(void)printf("its pattern fails at: %.*s%s\n", REST, reach.rest,
			strlen(reach.rest) > REST ? "..." : "");
	else
		print_stop(explaining->message, reach.bytes);
}

void
explain_message(struct rules *rules, const struct message *message)
{
	struct explaining explaining = {.rules = rules, .message = message};
	char safe[256];

	if (rules_explain(rules, message, print_rule, &explaining) == 0)
		(void)printf("    no rule is for the program \"%s\"\n",
			text_escape(message->program.text, message->program.len,
				safe, sizeof safe));
}
