/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loads the rules and tries each example untouched. Which of the addresses in
 * an example is the server's is found by experiment: the one that changes the
 * outcome when it changes.
 */
#include "tests/inject/target.h"

#include "common/xalloc.h"
#include "plugin/rulefolder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A name that a glob matches: "postfix/smtpd" for "*" "/smtpd". */
static void
name_program(const char *glob, char out[PROGRAM_LEN])
{
	size_t len = 0;

	if (glob[0] == '*' && glob[1])
		len = (size_t)snprintf(out, PROGRAM_LEN, "postfix");
	else if (glob[0] == '*')
		len = (size_t)snprintf(out, PROGRAM_LEN, "postfix/smtpd");
	for (; *glob && len < PROGRAM_LEN - 1; glob++)
		if (*glob != '*')
			out[len++] = *glob == '?' ? 'x' : *glob;
	out[len] = '\0';
}

static bool
run(const struct target *target, struct span line, struct match *match)
{
	struct span program = {target->program, strlen(target->program)};
	const struct matcher *matcher =
		programs_find(target->programs, program);
	size_t cursor = 0;

	*match = (struct match){.class = CLASS_NONE};
	return matcher && matcher_run(matcher, line, &cursor, match);
}

/* Whether it names a client: class none does so only for a session, or because
 * its mail was taken. */
static bool
is_charged(const struct match *match)
{
	return match->has_addr &&
	       (match->class != CLASS_NONE || match->session.text ||
		       match->rule->accepts);
}

/* Whether it is that of the untouched message, which may be one that the rule
 * is not for: then its id is among the rest. */
static bool
is_own_session(const struct target *target, struct span session)
{
	struct span text =
		target->session.text ? target->session : target->text;

	return memmem(text.text, text.len, session.text, session.len) != NULL;
}

enum outcome
target_judge(const struct target *target, struct span line, struct match *match)
{
	if (!run(target, line, match))
		return OUTCOME_NOBODY;
	if (!is_charged(match)) {
		/* Correlation would find the client of that session. */
		if (!match->has_addr && match->session.text &&
			match->class < CLASS_OFFENCES &&
			!is_own_session(target, match->session))
			return OUTCOME_OTHER;
		return OUTCOME_NOBODY;
	}
	if (target->charged &&
		!memcmp(&match->addr, &target->addr, sizeof match->addr))
		return OUTCOME_SAME;
	for (size_t i = 0; !target->charged && i < target->known_count; i++)
		if (!memcmp(&match->addr, &target->known[i],
			    sizeof match->addr))
			return OUTCOME_SAME;
	return OUTCOME_OTHER;
}

static bool
is_literal_byte(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ||
	       (c >= 'A' && c <= 'F') || c == '.' || c == ':';
}

const struct pattern *
target_slow_pattern(const struct targets *targets, const struct target *target,
	struct span line, const struct rule **rule)
{
	struct span program = {target->program, strlen(target->program)};
	const struct matcher *matcher =
		programs_find(target->programs, program);
	uint64_t hits = pattern_limit_hits(targets->runner);

	for (size_t i = 0; matcher && i < matcher_count(matcher); i++) {
		const struct ruledef *def = matcher_at(matcher, i);

		for (size_t j = 0; j < def->pattern_count; j++) {
			struct match match;

			(void)pattern_match(&def->patterns[j], targets->runner,
				line, &match);
			*rule = &def->rule;
			if (pattern_limit_hits(targets->runner) != hits)
				return &def->patterns[j];
		}
	}
	return NULL;
}

/* The next address literal in text from *at on. */
static bool
next_literal(const struct target *target, size_t *at, struct span *out,
	struct addr *addr)
{
	while (*at < target->text.len) {
		const char *start = target->text.text + *at;
		size_t len = 0;

		while (*at + len < target->text.len &&
			is_literal_byte(start[len]))
			len++;
		for (size_t n = len; n > 1; n--)
			if (addr_parse(start, n, addr) == 0) {
				*out = (struct span){start, n};
				*at += n;
				return true;
			}
		*at += 1;
	}
	return false;
}

static bool
is_place(const struct target *target, struct span literal)
{
	const char *probe =
		target->addr.family == ADDR_V4 ? "192.0.2.77" : "2001:db8::77";
	size_t before = (size_t)(literal.text - target->text.text);
	char *text = xasprintf("%.*s%s%s", (int)before, target->text.text,
		probe, literal.text + literal.len);
	struct match match;
	bool place = target_judge(target, (struct span){text, strlen(text)},
			     &match) != OUTCOME_SAME;

	free(text);
	return place;
}

static void
find_places(struct target *target)
{
	struct span literal;
	struct addr addr;
	size_t at = 0;

	while (next_literal(target, &at, &literal, &addr)) {
		if (target->known_count < PLACES_MAX)
			target->known[target->known_count++] = addr;
		if (target->charged && target->place_count < PLACES_MAX &&
			!memcmp(&addr, &target->addr, sizeof addr) &&
			is_place(target, literal))
			target->places[target->place_count++] = literal;
	}
}

static void
add_target(struct targets *targets, const struct ruledef *def,
	const struct example *example, struct programs *programs)
{
	struct target *target;
	struct match match;

	targets->items = xreallocarray(
		targets->items, targets->count + 1, sizeof *targets->items);
	target = &targets->items[targets->count++];
	*target = (struct target){.def = def,
		.example = example,
		.programs = programs,
		.text = {example->text, strlen(example->text)}};
	name_program(def->programs[0], target->program);
	(void)run(target, target->text, &match);
	target->charged = is_charged(&match);
	target->addr = match.addr;
	target->session = match.session;
	find_places(target);
	target_find_fields(target, match.user);
}

static void
take_policy(struct targets *targets, struct ruledefs *all)
{
	for (size_t i = 0; i < all->count; i++) {
		struct ruledefs *to = &targets->defs[all->items[i]->policy ==
						     RULES_DAILY_SCRIPT];

		to->items = xreallocarray(
			to->items, to->count + 1, sizeof *to->items);
		to->items[to->count++] = all->items[i];
	}
	free(all->items);
	*all = (struct ruledefs){0};
}

bool
targets_load(struct targets *targets, const char *folder)
{
	struct ruledefs all = {0};
	char *error = NULL;

	*targets = (struct targets){.runner = pattern_runner_new()};
	if (!targets->runner ||
		rulefolder_add(folder, true, &all, &error) < 0) {
		(void)fprintf(stderr, "%s\n", error ? error : "no memory");
		free(error);
		ruledefs_free(&all);
		return false;
	}
	take_policy(targets, &all);
	for (size_t i = 0; i < 2; i++) {
		const struct ruledefs *defs = &targets->defs[i];

		targets->programs[i] = programs_new(defs, targets->runner);
		for (size_t j = 0; j < defs->count; j++)
			for (size_t k = 0; k < defs->items[j]->example_count;
				k++)
				add_target(targets, defs->items[j],
					&defs->items[j]->examples[k],
					targets->programs[i]);
	}
	return true;
}

void
targets_free(struct targets *targets)
{
	for (size_t i = 0; i < 2; i++) {
		programs_free(targets->programs[i]);
		ruledefs_free(&targets->defs[i]);
	}
	pattern_runner_free(targets->runner);
	free(targets->items);
}
