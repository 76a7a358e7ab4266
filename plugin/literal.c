/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A reader of the part of PCRE2's syntax that rules use. It walks a pattern
 * once; plain text in a row becomes a literal, a group without alternatives
 * adds its own, a group of alternatives adds one set with a literal of each.
 * What may be absent (?, *, {0,) adds nothing. Options, recursion, verbs,
 * comments, conditions and escapes not named here end it all: give_up.
 */
#include "plugin/literal.h"

#include "common/xalloc.h"

#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 32 };

struct reader {
	const char *at;
	bool give_up;
	unsigned depth;
};

enum atom {
	ATOM_BYTE, /* stands for exactly this byte */
	ATOM_OTHER /* anything else; ends a run */
};

static void read_alternatives(
	struct reader *reader, bool start, struct literal_sets *out);

static void
add_set(struct literal_sets *sets, const struct literal_set *set)
{
	sets->items = xreallocarray(
		sets->items, sets->count + 1, sizeof *sets->items);
	sets->items[sets->count++] = *set;
}

static void
add_all(struct literal_sets *to, const struct literal_sets *from)
{
	for (size_t i = 0; i < from->count; i++)
		add_set(to, &from->items[i]);
}

void
literal_sets_free(struct literal_sets *sets)
{
	free(sets->items);
	*sets = (struct literal_sets){0};
}

/* Ends a row of plain text; the next one is not at the start. */
static void
end_run(struct literal *run, struct literal_sets *out)
{
	if (run->len >= LITERAL_MIN) {
		struct literal_set set = {.count = 1};

		set.items[0] = *run;
		add_set(out, &set);
	}
	*run = (struct literal){.len = 0};
}

static void
add_byte(struct literal *run, char byte, struct literal_sets *out)
{
	if (run->len == LITERAL_MAX)
		end_run(run, out);
	run->text[run->len++] = byte;
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_letter(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static int
hex_value(char c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* "\xHH", exactly. */
static enum atom
read_hex(struct reader *reader, char *byte)
{
	int high = hex_value(reader->at[0]);
	int low = high < 0 ? -1 : hex_value(reader->at[1]);

	if (low < 0) {
		reader->give_up = true;
		return ATOM_OTHER;
	}
	*byte = (char)(high << 4 | low);
	reader->at += 2;
	return ATOM_BYTE;
}

static enum atom
read_escape(struct reader *reader, char *byte)
{
	char c = *reader->at;

	if (c == '\0') {
		reader->give_up = true;
		return ATOM_OTHER;
	}
	reader->at++;
	if (c == 'x')
		return read_hex(reader, byte);
	if (strchr("dDsSwWbBhHvVAzZ", c))
		return ATOM_OTHER;
	if (is_digit(c) || is_letter(c)) {
		reader->give_up = true;
		return ATOM_OTHER;
	}
	*byte = c;
	return ATOM_BYTE;
}

/* '[' inside a class: of "[:alpha:]", or itself. */
static void
skip_bracket(struct reader *reader)
{
	const char *at = reader->at + 1;

	if (*at == ':') {
		at += at[1] == '^' ? 2 : 1;
		while (is_letter(*at))
			at++;
		if (at[0] == ':' && at[1] == ']')
			reader->at = at + 2;
		else
			reader->give_up = true;
		return;
	}
	reader->give_up = *at == '.' || *at == '=';
	reader->at = at;
}

/* Behind '['. */
static void
skip_class(struct reader *reader)
{
	if (*reader->at == '^')
		reader->at++;
	if (*reader->at == ']')
		reader->at++;
	while (*reader->at && *reader->at != ']' && !reader->give_up) {
		if (*reader->at == '[') {
			skip_bracket(reader);
			continue;
		}
		if (*reader->at == '\\') {
			reader->at++;
			if (*reader->at == 'Q' || *reader->at == 'E' ||
				*reader->at == '\0')
				reader->give_up = true;
		}
		if (!reader->give_up)
			reader->at++;
	}
	if (*reader->at == ']')
		reader->at++;
	else
		reader->give_up = true;
}

/* Behind "(?": past the opening. Returns whether what is inside must occur. */
static bool
read_opening(struct reader *reader)
{
	const char *at = reader->at;
	char close = '>';

	if (*at == ':' || *at == '>' || *at == '|') {
		reader->at++;
		return true;
	}
	if (*at == '=' || *at == '!') {
		reader->at++;
		return false;
	}
	if (*at == '<' && (at[1] == '=' || at[1] == '!')) {
		reader->at += 2;
		return false;
	}
	/* "(?i:": what is inside is read, but not as literals. */
	if (at[strspn(at, "ims-")] == ':') {
		reader->at = strchr(at, ':') + 1;
		return false;
	}
	if (*at == 'P')
		at++;
	if (*at == '\'')
		close = '\'';
	else if (*at != '<')
		at = NULL;
	at = at ? strchr(at + 1, close) : NULL;
	if (!at)
		reader->give_up = true;
	else
		reader->at = at + 1;
	return true;
}

/* Behind '('. */
static void
read_group(struct reader *reader, struct literal_sets *out)
{
	struct literal_sets inner = {0};
	bool required = true;

	if (*reader->at == '*' || reader->depth >= DEPTH_MAX) {
		reader->give_up = true;
		return;
	}
	/* "(?P=NAME)", what that group matched: nothing is known of it. */
	if (strncmp(reader->at, "?P=", 3) == 0) {
		reader->at += strcspn(reader->at, ")");
	} else if (*reader->at == '?') {
		reader->at++;
		required = read_opening(reader);
	}
	if (!reader->give_up) {
		reader->depth++;
		read_alternatives(reader, false, &inner);
		reader->depth--;
	}
	if (*reader->at == ')')
		reader->at++;
	else
		reader->give_up = true;
	if (required)
		add_all(out, &inner);
	literal_sets_free(&inner);
}

/* One atom, without its quantifier. A group's literals go to inner. */
static enum atom
read_atom(struct reader *reader, char *byte, struct literal_sets *inner)
{
	*byte = *reader->at++;
	switch (*byte) {
	case '\\':
		return read_escape(reader, byte);
	case '[':
		skip_class(reader);
		return ATOM_OTHER;
	case '(':
		read_group(reader, inner);
		return ATOM_OTHER;
	case '.':
	case '^':
	case '$':
		return ATOM_OTHER;
	case '{': /* PCRE2 10.43 understands more here than 10.42 */
	case '*':
	case '+':
	case '?':
		reader->give_up = true;
		return ATOM_OTHER;
	default:
		return ATOM_BYTE;
	}
}

/* "{n}", "{n,}" and "{n,m}" behind '{'. Returns whether n is above 0. */
static bool
read_braces(struct reader *reader)
{
	bool some = false;

	if (!is_digit(*reader->at))
		reader->give_up = true;
	for (; is_digit(*reader->at); reader->at++)
		some = some || *reader->at != '0';
	if (*reader->at == ',')
		reader->at++;
	while (is_digit(*reader->at))
		reader->at++;
	if (*reader->at == '}')
		reader->at++;
	else
		reader->give_up = true;
	return some;
}

/* Whether there is a quantifier, and whether it lets the atom be absent. */
static bool
read_quantifier(struct reader *reader, bool *absent)
{
	char c = *reader->at;

	*absent = c == '?' || c == '*';
	if (c != '?' && c != '*' && c != '+' && c != '{')
		return false;
	reader->at++;
	if (c == '{')
		*absent = !read_braces(reader);
	if (*reader->at == '?' || *reader->at == '+')
		reader->at++;
	return true;
}

/* One branch, up to '|', ')' or the end. */
static void
read_branch(struct reader *reader, bool start, struct literal_sets *out)
{
	struct literal run = {.anchored = start};

	while (!reader->give_up && *reader->at && *reader->at != '|' &&
		*reader->at != ')') {
		struct literal_sets inner = {0};
		bool absent;
		char byte;
		enum atom atom = read_atom(reader, &byte, &inner);
		bool quantified =
			!reader->give_up && read_quantifier(reader, &absent);

		if (atom == ATOM_BYTE && !(quantified && absent))
			add_byte(&run, byte, out);
		if (atom == ATOM_OTHER || quantified)
			end_run(&run, out);
		if (!(quantified && absent))
			add_all(out, &inner);
		literal_sets_free(&inner);
	}
	end_run(&run, out);
}

static size_t
shortest(const struct literal_set *set)
{
	size_t len = LITERAL_MAX;

	for (size_t i = 0; i < set->count; i++)
		if (set->items[i].len < len)
			len = set->items[i].len;
	return len;
}

/* Adds the branch's best set to those of the branches before it. */
static void
join(struct literal_set *all, bool *known, const struct literal_sets *branch)
{
	const struct literal_set *best = NULL;

	for (size_t i = 0; i < branch->count; i++)
		if (!best || shortest(&branch->items[i]) > shortest(best))
			best = &branch->items[i];
	if (!best || all->count + best->count > LITERAL_SET_MAX) {
		*known = false;
		return;
	}
	memcpy(all->items + all->count, best->items,
		best->count * sizeof best->items[0]);
	all->count += best->count;
}

/* Up to ')' or the end. start: right behind the pattern's '^'. */
static void
read_alternatives(struct reader *reader, bool start, struct literal_sets *out)
{
	struct literal_sets branch = {0};
	struct literal_set all = {.count = 0};
	bool known = true;

	read_branch(reader, start, &branch);
	if (*reader->at != '|') {
		add_all(out, &branch);
		literal_sets_free(&branch);
		return;
	}
	join(&all, &known, &branch);
	literal_sets_free(&branch);
	while (!reader->give_up && *reader->at == '|') {
		reader->at++;
		read_branch(reader, false, &branch);
		join(&all, &known, &branch);
		literal_sets_free(&branch);
	}
	if (known && all.count)
		add_set(out, &all);
}

void
literal_find(const char *pattern, struct literal_sets *out)
{
	struct reader reader = {.at = pattern + (pattern[0] == '^')};
	struct literal_sets found = {0};

	read_alternatives(&reader, pattern[0] == '^', &found);
	if (reader.give_up || *reader.at != '\0')
		literal_sets_free(&found);
	*out = found;
}
