/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the expression for a program's name, _daemon, to names with wildcards.
 * Branches and optional parts are written out, all that repeats becomes '*'.
 */
#include "command/import.h"

#include <stdlib.h>
#include <string.h>

#include "common/xalloc.h"

enum { NAMES_MAX = 64 };

/* All texts that a part of the expression stands for. */
struct names {
	char *items[NAMES_MAX];
	size_t count;
	bool too_many;
};

static void
add(struct names *names, char *text)
{
	if (names->count == NAMES_MAX) {
		names->too_many = true;
		free(text);
		return;
	}
	names->items[names->count++] = text;
}

static void
clear(struct names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->items[i]);
	names->count = 0;
}

/* *names becomes each of them followed by each of more, which is emptied. */
static void
append(struct names *names, struct names *more)
{
	struct names all = {.too_many = names->too_many || more->too_many};

	for (size_t i = 0; i < names->count; i++)
		for (size_t j = 0; j < more->count; j++)
			add(&all, xasprintf("%s%s", names->items[i],
					  more->items[j]));
	clear(names);
	clear(more);
	*names = all;
}

static struct names branches(const char **at);

/* "[ds]"; anything more is '*'. */
static struct names
class_of(const char **at)
{
	size_t len = strcspn(*at + 1, "]");
	const char *inner = *at + 1;
	struct names names = {.count = 0};
	bool plain = len && !memchr(inner, '-', len) &&
		     !memchr(inner, '\\', len) && inner[0] != '^';

	for (size_t i = 0; plain && i < len; i++)
		add(&names, xstrndup(inner + i, 1));
	if (!plain)
		add(&names, xstrdup("*"));
	*at = inner + len + (inner[len] == ']');
	return names;
}

static struct names
atom_of(const char **at)
{
	struct names names = {.count = 0};
	char c = *(*at)++;

	if (c == '(') {
		if ((*at)[0] == '?')
			*at += 1 + ((*at)[1] == ':');
		names = branches(at);
		if (**at == ')')
			(*at)++;
		return names;
	}
	if (c == '[') {
		(*at)--;
		return class_of(at);
	}
	if (c == '\\' && **at) {
		c = *(*at)++;
		add(&names,
			strchr("wWdDsSb", c) ? xstrdup("*") : xstrndup(&c, 1));
	} else {
		add(&names, c == '.' ? xstrdup("*") : xstrndup(&c, 1));
	}
	return names;
}

static struct names
sequence(const char **at)
{
	struct names names = {.count = 0};

	add(&names, xstrdup(""));
	while (**at && **at != '|' && **at != ')') {
		struct names one = atom_of(at);

		if (**at == '?') {
			add(&one, xstrdup(""));
			(*at)++;
		} else if (**at && strchr("*+{", **at)) {
			clear(&one);
			add(&one, xstrdup("*"));
			*at += **at == '{' ? strcspn(*at, "}") : 0;
			*at += **at != '\0';
			*at += **at == '?';
		}
		append(&names, &one);
	}
	return names;
}

static struct names
branches(const char **at)
{
	struct names names = sequence(at);

	while (**at == '|') {
		struct names more;

		(*at)++;
		more = sequence(at);
		for (size_t i = 0; i < more.count; i++)
			add(&names, more.items[i]);
		names.too_many |= more.too_many;
	}
	return names;
}

/* "**" is "*". Whether it names anything, and has nothing in it that a rule
 * file does not allow. */
static bool
tidy(char *name)
{
	char *to = name;

	for (const char *at = name; *at; at++)
		if (*at != '*' || to == name || to[-1] != '*')
			*to++ = *at;
	*to = '\0';
	return name[0] && strcmp(name, "*") != 0 &&
	       !name[strcspn(name, " \t,[]{}\\()^$")];
}

char *
import_programs(const char *daemon)
{
	const char *at = daemon;
	struct names names = branches(&at);
	char *list = NULL;
	bool good = !*at && !names.too_many && names.count;

	for (size_t i = 0; i < names.count; i++)
		good = tidy(names.items[i]) && good;
	for (size_t i = 0; good && i < names.count; i++) {
		bool again = false;
		char *longer;

		for (size_t j = 0; j < i; j++)
			again |= !strcmp(names.items[i], names.items[j]);
		if (again)
			continue;
		longer = list ? xasprintf("%s %s", list, names.items[i])
			      : xstrdup(names.items[i]);
		free(list);
		list = longer;
	}
	clear(&names);
	return list;
}
