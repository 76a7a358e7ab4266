/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rules in force: loaded from their folders, checked, and asked about
 * messages. The work is done by rulefolder.c (which rules), rulefile.c (what a
 * section says), program.c (whose messages) and match.c (the search).
 */
#include "plugin/rules.h"

#include "common/xalloc.h"
#include "plugin/program.h"
#include "plugin/rulecheck.h"
#include "plugin/rulefolder.h"

#include <errno.h>
#include <stdlib.h>

struct rules {
	struct ruledefs defs;
	struct pattern_runner *runner;
	struct programs *programs;
};

/* Drops the rules that are switched off or of another policy. */
static void
keep_policy(struct ruledefs *defs, enum rules_policy policy)
{
	size_t kept = 0;

	for (size_t i = 0; i < defs->count; i++) {
		struct ruledef *def = defs->items[i];

		if (def->enabled && def->policy == policy)
			defs->items[kept++] = def;
		else
			ruledef_free(def);
	}
	defs->count = kept;
}

static int
check_examples(const struct rules *rules, char **error)
{
	for (size_t i = 0; i < rules->defs.count; i++) {
		const struct ruledef *def = rules->defs.items[i];

		if (!def->enabled)
			continue;
		*error = ruledef_check(def, rules->runner);
		if (*error)
			return -EBADMSG;
	}
	return 0;
}

static int
load(struct rules *rules, const char *const *folders, size_t count,
	char **error)
{
	for (size_t i = 0; i < count; i++) {
		int result =
			rulefolder_add(folders[i], i == 0, &rules->defs, error);

		if (result < 0)
			return result;
	}
	if (!rules->defs.count) {
		*error = xasprintf("%s: there are no rules here; rules are in "
				   "files named *.rules",
			count ? folders[0] : "no folder");
		return -ENOENT;
	}
	rules->runner = pattern_runner_new();
	if (!rules->runner) {
		*error = xstrdup("out of memory");
		return -ENOMEM;
	}
	return check_examples(rules, error);
}

struct rules *
rules_load(const char *const *folders, size_t count, enum rules_policy policy,
	char **error)
{
	struct rules *rules = xcalloc(1, sizeof *rules);

	if (load(rules, folders, count, error) < 0) {
		rules_free(rules);
		return NULL;
	}
	keep_policy(&rules->defs, policy);
	rules->programs = programs_new(&rules->defs, rules->runner);
	return rules;
}

void
rules_free(struct rules *rules)
{
	if (!rules)
		return;
	programs_free(rules->programs);
	ruledefs_free(&rules->defs);
	pattern_runner_free(rules->runner);
	free(rules);
}

int
rules_check(struct rules *rules, char **error)
{
	char *wrong = rulecheck_order(&rules->defs, rules->runner);

	if (!wrong)
		wrong = rulecheck_injection(&rules->defs, rules->runner);
	if (!wrong)
		return 0;
	*error = wrong;
	return -EBADMSG;
}

size_t
rules_count(const struct rules *rules)
{
	return rules->defs.count;
}

const struct rule *
rules_at(const struct rules *rules, size_t index)
{
	return &rules->defs.items[index]->rule;
}

uint64_t
rules_limit_hits(const struct rules *rules)
{
	return pattern_limit_hits(rules->runner);
}

bool
rules_match_from(struct rules *rules, const struct message *message,
	size_t *cursor, struct match *out)
{
	const struct matcher *matcher =
		programs_find(rules->programs, message->program);
	struct ruledef *def = NULL;

	if (matcher)
		def = matcher_run(matcher, message->msg, cursor, out);
	if (!def) {
		*out = (struct match){.class = CLASS_NONE, .count = 1};
		return false;
	}
	def->rule.matched++;
	def->rule.last_us = message->time_us;
	return true;
}

bool
rules_for(struct rules *rules, struct span program)
{
	return programs_find(rules->programs, program) != NULL;
}

bool
rules_may_match(struct rules *rules, struct span program, struct span escaped)
{
	const struct matcher *matcher = programs_find(rules->programs, program);

	return matcher && matcher_may_match(matcher, escaped);
}

bool
rules_match(
	struct rules *rules, const struct message *message, struct match *out)
{
	size_t cursor = 0;

	return rules_match_from(rules, message, &cursor, out);
}

size_t
rules_explain(struct rules *rules, const struct message *message,
	rules_explained *each, void *arg)
{
	const struct matcher *matcher =
		programs_find(rules->programs, message->program);
	size_t count = matcher ? matcher_count(matcher) : 0;

	for (size_t i = 0; i < count; i++) {
		const struct ruledef *def = matcher_at(matcher, i);
		struct match match = {.class = CLASS_NONE, .count = 1};
		bool matched =
			ruledef_match(def, rules->runner, message->msg, &match);

		each(&def->rule, matched, &match, arg);
	}
	return count;
}

struct rules_reach
rules_reach(struct rules *rules, const struct rule *rule,
	const struct message *message)
{
	/* It comes first in its definition. */
	const struct ruledef *def = (const void *)rule;
	struct rules_reach most = {0, NULL};

	for (size_t i = 0; i < def->pattern_count; i++) {
		const struct pattern *pattern = &def->patterns[i];
		size_t bytes = pattern_reach(
			pattern, rules->runner, message->msg);

		if (bytes < most.bytes)
			continue;
		most.bytes = bytes;
		most.rest = bytes < message->msg.len
				    ? NULL
				    : pattern_rest(pattern, rules->runner,
					      message->msg);
	}
	return most;
}
