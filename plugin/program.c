/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names are looked up in a small cache. A name that is not in it is compared
 * with every different glob once; names for which the same globs match share
 * one matcher, so that there are few of these whatever names come.
 */
#include "plugin/program.h"

#include "common/xalloc.h"

#include <stdlib.h>
#include <string.h>

enum {
	NAME_MAX_LEN = 63, /* longer ones are not cached */
	PROGRAM_MAX = 255, /* no program has a longer name */
	CACHE_SETS = 64,   /* a power of two */
	CACHE_WAYS = 4,
	MATCHERS_MAX = 64,
};

struct cached {
	const struct matcher *matcher; /* NULL: no rules */
	uint8_t len;		       /* 0: not in use */
	char name[NAME_MAX_LEN];
};

struct cache_set {
	struct cached ways[CACHE_WAYS];
	unsigned next; /* the one to replace */
};

/* The matcher of all programs for which exactly these globs match. */
struct shared {
	uint64_t *globs; /* bit a glob */
	struct matcher *matcher;
};

struct programs {
	const struct ruledefs *defs;
	struct pattern_runner *runner;
	char **globs; /* each different one once */
	size_t glob_count, words;
	size_t **rule_globs; /* for each rule, the indexes of its globs */
	uint64_t *matched;   /* scratch */
	struct shared shared[MATCHERS_MAX];
	size_t shared_count;
	struct cache_set cache[CACHE_SETS];
};

bool
glob_match(const char *glob, struct span text)
{
	const char *star = NULL;
	size_t at = 0, retry = 0;

	/* When stuck, the last star takes one character more. */
	while (at < text.len) {
		if (*glob == '*') {
			star = glob++;
			retry = at;
		} else if (*glob && (*glob == '?' || *glob == text.text[at])) {
			glob++;
			at++;
		} else if (star) {
			glob = star + 1;
			at = ++retry;
		} else {
			return false;
		}
	}
	while (*glob == '*')
		glob++;
	return *glob == '\0';
}

bool
glob_overlap(const char *a, const char *b)
{
	if (*a == '*')
		return glob_overlap(a + 1, b) || (*b && glob_overlap(a, b + 1));
	if (*b == '*')
		return glob_overlap(b, a);
	if (!*a || !*b)
		return *a == *b;
	return (*a == *b || *a == '?' || *b == '?') &&
	       glob_overlap(a + 1, b + 1);
}

static size_t
glob_index(struct programs *programs, const char *glob)
{
	for (size_t i = 0; i < programs->glob_count; i++)
		if (strcmp(programs->globs[i], glob) == 0)
			return i;
	programs->globs = xreallocarray(programs->globs,
		programs->glob_count + 1, sizeof *programs->globs);
	programs->globs[programs->glob_count] = xstrdup(glob);
	return programs->glob_count++;
}

struct programs *
programs_new(const struct ruledefs *defs, struct pattern_runner *runner)
{
	struct programs *programs = xcalloc(1, sizeof *programs);

	programs->defs = defs;
	programs->runner = runner;
	programs->rule_globs =
		xcalloc(defs->count + 1, sizeof *programs->rule_globs);
	for (size_t i = 0; i < defs->count; i++) {
		const struct ruledef *def = defs->items[i];
		size_t *indexes =
			xcalloc(def->program_count + 1, sizeof *indexes);

		for (size_t j = 0; j < def->program_count; j++)
			indexes[j] = glob_index(programs, def->programs[j]);
		programs->rule_globs[i] = indexes;
	}
	programs->words = programs->glob_count / 64 + 1;
	programs->matched = xcalloc(programs->words, sizeof(uint64_t));
	return programs;
}

static void
forget_all(struct programs *programs)
{
	for (size_t i = 0; i < programs->shared_count; i++) {
		matcher_free(programs->shared[i].matcher);
		free(programs->shared[i].globs);
	}
	programs->shared_count = 0;
	memset(programs->cache, 0, sizeof programs->cache);
}

void
programs_free(struct programs *programs)
{
	if (!programs)
		return;
	forget_all(programs);
	for (size_t i = 0; i < programs->glob_count; i++)
		free(programs->globs[i]);
	for (size_t i = 0; i < programs->defs->count; i++)
		free(programs->rule_globs[i]);
	free(programs->globs);
	free(programs->rule_globs);
	free(programs->matched);
	free(programs);
}

static bool
has_glob(const struct programs *programs, size_t glob)
{
	return programs->matched[glob / 64] >> glob % 64 & 1;
}

static bool
rule_is_for(const struct programs *programs, size_t rule)
{
	for (size_t i = 0; i < programs->defs->items[rule]->program_count; i++)
		if (has_glob(programs, programs->rule_globs[rule][i]))
			return true;
	return false;
}

/* Makes the matcher for the globs in programs->matched. */
static struct matcher *
make_matcher(struct programs *programs)
{
	const struct ruledefs *defs = programs->defs;
	struct ruledef **mine = xcalloc(defs->count + 1, sizeof *mine);
	struct shared *shared;
	size_t count = 0;

	for (size_t i = 0; i < defs->count; i++)
		if (rule_is_for(programs, i))
			mine[count++] = defs->items[i];
	/* Only globs by the dozen that overlap in every way get here. */
	if (programs->shared_count == MATCHERS_MAX)
		forget_all(programs);
	shared = &programs->shared[programs->shared_count++];
	shared->globs = xcalloc(programs->words, sizeof(uint64_t));
	memcpy(shared->globs, programs->matched,
		programs->words * sizeof(uint64_t));
	shared->matcher = matcher_new(mine, count, programs->runner);
	free(mine);
	return shared->matcher;
}

static const struct matcher *
find_shared(struct programs *programs, struct span program)
{
	bool any = false;

	memset(programs->matched, 0, programs->words * sizeof(uint64_t));
	for (size_t i = 0; i < programs->glob_count; i++)
		if (glob_match(programs->globs[i], program)) {
			programs->matched[i / 64] |= UINT64_C(1) << i % 64;
			any = true;
		}
	if (!any)
		return NULL;
	for (size_t i = 0; i < programs->shared_count; i++)
		if (memcmp(programs->shared[i].globs, programs->matched,
			    programs->words * sizeof(uint64_t)) == 0)
			return programs->shared[i].matcher;
	return make_matcher(programs);
}

/* FNV-1a (Fowler, Noll, Vo), folded. Names that collide on purpose only cost
 * their sender's messages the look-up above. */
static uint32_t
hash_name(struct span name)
{
	uint32_t hash = UINT32_C(2166136261);

	for (size_t i = 0; i < name.len; i++)
		hash = (hash ^ (unsigned char)name.text[i]) * 16777619;
	return hash ^ hash >> 16;
}

const struct matcher *
programs_find(struct programs *programs, struct span program)
{
	struct cache_set *set;
	struct cached *cached;
	const struct matcher *matcher;

	if (program.len == 0 || program.len > PROGRAM_MAX)
		return NULL;
	if (program.len > NAME_MAX_LEN)
		return find_shared(programs, program);
	set = &programs->cache[hash_name(program) % CACHE_SETS];
	for (size_t i = 0; i < CACHE_WAYS; i++) {
		cached = &set->ways[i];
		if (cached->len == program.len &&
			memcmp(cached->name, program.text, program.len) == 0)
			return cached->matcher;
	}
	matcher = find_shared(programs, program);
	cached = &set->ways[set->next++ % CACHE_WAYS];
	cached->matcher = matcher;
	cached->len = (uint8_t)program.len;
	memcpy(cached->name, program.text, program.len);
	return matcher;
}
