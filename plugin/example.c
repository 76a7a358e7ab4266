/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages may hold " -> " themselves, so the expectation is what follows the
 * last arrow, and counts as one only if it reads like one.
 */
#include "plugin/example.h"

#include "common/xalloc.h"

#include <stdlib.h>
#include <string.h>

enum { COUNT_DIGITS_MAX = 4 };

/* Where the expectation begins, and in *len where the message ends. */
static const char *
find_arrow(const char *value, size_t *len)
{
	static const char *const arrows[] = {"  ->  ", " -> "};

	for (size_t i = 0; i < 2; i++) {
		const char *found = NULL;

		for (const char *at = strstr(value, arrows[i]); at;
			at = strstr(at + 1, arrows[i]))
			found = at;
		if (found) {
			*len = (size_t)(found - value);
			return found + strlen(arrows[i]);
		}
	}
	return NULL;
}

static bool
starts_with(const char *text, const char *start)
{
	return strncmp(text, start, strlen(start)) == 0;
}

static char *
read_count(const char *text, uint32_t *out)
{
	size_t digits = strspn(text, "0123456789");

	if (!digits || digits > COUNT_DIGITS_MAX || text[digits])
		return xasprintf(
			"count=%s: a number from 1 to 9999 is needed", text);
	*out = (uint32_t)strtoul(text, NULL, 10);
	return NULL;
}

/* One word at the end of the expectation. *known: it is one of ours. */
static char *
read_word(const char *word, struct example *out, bool *known)
{
	*known = true;
	if (starts_with(word, "count="))
		return read_count(word + strlen("count="), &out->count);
	if (starts_with(word, "session=") && !out->session)
		out->session = xstrdup(word + strlen("session="));
	else if (starts_with(word, "digest=") && !out->digest)
		out->digest = xstrdup(word + strlen("digest="));
	else
		*known = false;
	return NULL;
}

/* Takes the words off the end of text, then "user=" with the rest, since a
 * user name may hold blanks. */
static char *
read_words(char *text, struct example *out)
{
	bool known = true;
	char *error = NULL;

	while (known && !error) {
		size_t len = strlen(text);
		char *blank;

		while (len && text[len - 1] == ' ')
			text[--len] = '\0';
		blank = strrchr(text, ' ');
		error = read_word(blank ? blank + 1 : text, out, &known);
		if (known)
			*(blank ? blank : text) = '\0';
		known = known && blank;
	}
	if (!error && starts_with(text, "user=")) {
		out->user = xstrdup(text + strlen("user="));
		text[0] = '\0';
	}
	return error;
}

static bool
reads_like_one(const char *text)
{
	static const char *const starts[] = {
		"none", "nobody", "user=", "count=", "session=", "digest="};
	struct addr addr;

	for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++)
		if (starts_with(text, starts[i]))
			return true;
	return addr_parse(text, strcspn(text, " "), &addr) == 0;
}

static char *
read_expectation(const char *text, struct example *out)
{
	size_t first = strcspn(text, " =");
	char *rest, *error = NULL;

	if (text[first] == '=')
		first = 0; /* no address: a rule that has none */
	else if (strncmp(text, "none", first) == 0 && first == strlen("none"))
		out->has_addr = false;
	else if (strncmp(text, "nobody", first) == 0 &&
		 first == strlen("nobody"))
		out->has_addr = false;
	else if (addr_parse(text, first, &out->addr) == 0)
		out->has_addr = true;
	else
		return xasprintf("%.*s is no address; behind -> there must be "
				 "an address or \"nobody\"",
			(int)first, text);
	rest = xstrdup(text + first + strspn(text + first, " "));
	if (rest[0])
		error = read_words(rest, out);
	if (!error && rest[0])
		error = xasprintf("\"%s\" is not understood; behind the "
				  "address there may be user=, count=, "
				  "session= and digest=",
			rest);
	free(rest);
	return error;
}

char *
example_read(const char *value, struct example *out)
{
	size_t len = strlen(value);
	const char *expectation = find_arrow(value, &len);
	char *error = NULL;

	if (!out->match || (expectation && !reads_like_one(expectation))) {
		expectation = NULL;
		len = strlen(value);
	}
	if (!len)
		return xstrdup("an example needs a message");
	out->text = xstrndup(value, len);
	if (expectation)
		error = read_expectation(expectation, out);
	if (error)
		example_clear(out);
	return error;
}

void
example_clear(struct example *example)
{
	free(example->text);
	free(example->user);
	free(example->session);
	free(example->digest);
	*example = (struct example){0};
}

static char *
check_addr(const struct example *example, const struct match *match)
{
	char want[ADDR_STRLEN], got[ADDR_STRLEN];

	if (!match->has_addr && !example->has_addr)
		return NULL;
	/* It charges nobody, whoever it was. */
	if (!example->has_addr && match->class == CLASS_NONE)
		return NULL;
	if (!example->has_addr)
		return xasprintf("the match example gives %s; write it behind "
				 "the message, as \"  ->  %s\"",
			addr_format(&match->addr, got), got);
	if (!match->has_addr)
		return xasprintf("the match example gives no address instead "
				 "of %s",
			addr_format(&example->addr, want));
	if (memcmp(&match->addr, &example->addr, sizeof match->addr) != 0)
		return xasprintf("the match example gives %s instead of %s",
			addr_format(&match->addr, got),
			addr_format(&example->addr, want));
	return NULL;
}

static char *
check_span(const char *name, const char *want, struct span got)
{
	if (!want || (got.len == strlen(want) &&
			     memcmp(got.text, want, got.len) == 0))
		return NULL;
	if (!got.text)
		return xasprintf("the match example gives no %s instead of "
				 "\"%s\"",
			name, want);
	return xasprintf("the match example gives the %s \"%.*s\" instead of "
			 "\"%s\"",
		name, (int)got.len, got.text, want);
}

static char *
check_match(const struct example *example, const struct match *match)
{
	char *error = check_addr(example, match);

	if (!error && example->count && example->count != match->count)
		error = xasprintf("the match example gives the count %u "
				  "instead of %u",
			match->count, example->count);
	if (!error)
		error = check_span("user", example->user, match->user);
	if (!error)
		error = check_span("session", example->session, match->session);
	if (!error)
		error = check_span("digest", example->digest, match->digest);
	return error;
}

char *
example_check(const struct example *example, const struct ruledef *def,
	struct pattern_runner *runner)
{
	struct span msg = {example->text, strlen(example->text)};
	uint64_t limits = pattern_limit_hits(runner);
	struct match match = {0};
	bool matched = ruledef_match(def, runner, msg, &match);

	if (pattern_limit_hits(runner) != limits)
		return xstrdup("the example drives the pattern into its match "
			       "limit; avoid repeats within repeats");
	if (!example->match)
		return matched ? xstrdup("the nomatch example is matched by "
					 "the rule, but must not be")
			       : NULL;
	if (!matched)
		return xstrdup("the match example is not matched by the rule");
	return check_match(example, &match);
}
