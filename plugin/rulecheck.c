/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two questions that the examples of all rules together answer. Is a message
 * that a rule shows as its own taken by another one first? And does an address
 * change when the user name in the message is one that an attacker would make
 * up: the rest of the message again, with another address?
 */
#include "plugin/rulecheck.h"

#include "common/xalloc.h"
#include "plugin/program.h"

#include <stdlib.h>
#include <string.h>

static bool
share_program(const struct ruledef *a, const struct ruledef *b)
{
	for (size_t i = 0; i < a->program_count; i++)
		for (size_t j = 0; j < b->program_count; j++)
			if (glob_overlap(a->programs[i], b->programs[j]))
				return true;
	return false;
}

static bool
same_outcome(const struct match *a, const struct match *b)
{
	if (a->class == CLASS_NONE && b->class == CLASS_NONE)
		return true;
	return a->class == b->class && a->has_addr == b->has_addr &&
	       (!a->has_addr ||
		       memcmp(&a->addr, &b->addr, sizeof a->addr) == 0);
}

/* The first rule before def that takes the message to another end. */
static const struct ruledef *
taken_by(const struct ruledefs *defs, size_t index,
	struct pattern_runner *runner, struct span msg)
{
	const struct ruledef *def = defs->items[index];
	struct match own = {0}, other = {0};

	if (!ruledef_match(def, runner, msg, &own))
		return NULL;
	for (size_t i = 0; i < index; i++) {
		const struct ruledef *earlier = defs->items[i];

		/* There a message may count in two classes. */
		if (earlier->policy == RULES_DAILY_SCRIPT &&
			def->policy == RULES_DAILY_SCRIPT)
			continue;
		if (share_program(earlier, def) &&
			ruledef_match(earlier, runner, msg, &other))
			return same_outcome(&own, &other) ? NULL : earlier;
	}
	return NULL;
}

char *
rulecheck_order(const struct ruledefs *defs, struct pattern_runner *runner)
{
	for (size_t i = 0; i < defs->count; i++)
		for (size_t j = 0; j < defs->items[i]->example_count; j++) {
			const struct ruledef *def = defs->items[i];
			const struct example *example = &def->examples[j];
			struct span msg = {
				example->text, strlen(example->text)};
			const struct ruledef *earlier =
				example->match ? taken_by(defs, i, runner, msg)
					       : NULL;

			if (earlier)
				return xasprintf("%s:%u: [%s] the match "
						 "example is taken by [%s] of "
						 "%s:%u first, class %s",
					def->file, example->line, def->name,
					earlier->name, earlier->file,
					earlier->rule.line,
					class_name(earlier->rule.class));
		}
	return NULL;
}

/* An address that no example has any business with. */
static const char *
other_address(const struct addr *addr)
{
	return addr->family == ADDR_V4 ? "198.51.100.254" : "2001:db8:fe::fe";
}

/* text with each `from` in it replaced by `to`; NULL when there is none. */
static char *
replace(const char *text, const char *from, const char *to)
{
	char *result = NULL;
	const char *found = strstr(text, from);

	while (found) {
		char *longer = xasprintf("%s%.*s%s", result ? result : "",
			(int)(found - text), text, to);

		free(result);
		result = longer;
		text = found + strlen(from);
		found = strstr(text, from);
		if (!found) {
			longer = xasprintf("%s%s", result, text);
			free(result);
			result = longer;
		}
	}
	return result;
}

/* The rule to which the crafted message gives the other address. */
static const struct ruledef *
fooled_by(const struct ruledefs *defs, const struct ruledef *def,
	struct pattern_runner *runner, const char *crafted)
{
	struct span msg = {crafted, strlen(crafted)};
	struct match match = {0};
	char text[ADDR_STRLEN];

	for (size_t i = 0; i < defs->count; i++) {
		const struct ruledef *each = defs->items[i];

		if (!share_program(each, def) ||
			!ruledef_match(each, runner, msg, &match))
			continue;
		if (!match.has_addr)
			return NULL;
		(void)addr_format(&match.addr, text);
		return strcmp(text, other_address(&match.addr)) == 0 ? each
								     : NULL;
	}
	return NULL;
}

/* The message with `more` behind its user name. */
static char *
craft(const char *text, struct span user, const char *more)
{
	size_t before = (size_t)(user.text - text) + user.len;

	return xasprintf("%.*s%s%s", (int)before, text, more, text + before);
}

static const struct ruledef *
try_injection(const struct ruledefs *defs, const struct ruledef *def,
	struct pattern_runner *runner, const struct example *example)
{
	struct span msg = {example->text, strlen(example->text)};
	struct match match = {0};
	char literal[ADDR_STRLEN];
	char *whole, *crafted;
	const struct ruledef *fooled = NULL;

	if (!ruledef_match(def, runner, msg, &match) || !match.has_addr ||
		!match.user.text)
		return NULL;
	whole = replace(example->text, addr_format(&match.addr, literal),
		other_address(&match.addr));
	if (!whole)
		return NULL;
	/* The whole message again, and what followed the user name. */
	crafted = craft(example->text, match.user, whole);
	fooled = fooled_by(defs, def, runner, crafted);
	free(crafted);
	free(whole);
	whole = replace(match.user.text + match.user.len, literal,
		other_address(&match.addr));
	if (!fooled && whole) {
		crafted = craft(example->text, match.user, whole);
		fooled = fooled_by(defs, def, runner, crafted);
		free(crafted);
	}
	free(whole);
	return fooled;
}

char *
rulecheck_injection(const struct ruledefs *defs, struct pattern_runner *runner)
{
	for (size_t i = 0; i < defs->count; i++)
		for (size_t j = 0; j < defs->items[i]->example_count; j++) {
			const struct ruledef *def = defs->items[i];
			const struct example *example = &def->examples[j];
			const struct ruledef *fooled =
				example->match ? try_injection(defs, def,
							 runner, example)
					       : NULL;

			if (fooled)
				return xasprintf("%s:%u: [%s] a user name that "
						 "repeats the rest of this "
						 "example with another address "
						 "makes rule [%s] take that "
						 "address",
					def->file, example->line, def->name,
					fooled->name);
		}
	return NULL;
}
