/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fail2ban's filter files (jail.conf(5), "FILTER FILES"): sections, values of
 * several lines, [INCLUDES] before and after, *.local over *.conf, %(name)s
 * with known/ and other sections, and <name> in which names may be built of
 * others.
 */
#include "command/import.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/xalloc.h"

enum { DEPTH_MAX = 8, ROUNDS_MAX = 200, VALUE_MAX = 64 * 1024 };

struct option {
	char *section, *name, *value;
	char *known; /* what it was before; or NULL */
};

struct options {
	struct option *items;
	size_t count;
};

struct filter {
	struct options options;
	char *name;
};

static struct option *
find(const struct options *options, const char *section, const char *name)
{
	for (size_t i = 0; i < options->count; i++)
		if (!strcmp(options->items[i].section, section) &&
			!strcmp(options->items[i].name, name))
			return &options->items[i];
	return NULL;
}

static void
set(struct options *options, const char *section, const char *name,
	const char *value)
{
	struct option *option = find(options, section, name);

	if (option) {
		free(option->known);
		option->known = option->value;
		option->value = xstrdup(value);
		return;
	}
	options->items = xreallocarray(
		options->items, options->count + 1, sizeof *options->items);
	options->items[options->count++] = (struct option){
		xstrdup(section), xstrdup(name), xstrdup(value), NULL};
}

static void
clear(struct options *options)
{
	for (size_t i = 0; i < options->count; i++) {
		free(options->items[i].section);
		free(options->items[i].name);
		free(options->items[i].value);
		free(options->items[i].known);
	}
	free(options->items);
}

static char *
trim(char *text)
{
	size_t len;

	text += strspn(text, " \t\r\n");
	len = strlen(text);
	while (len && strchr(" \t\r\n", text[len - 1]))
		text[--len] = '\0';
	return text;
}

/* One more line of the option before. */
static void
go_on(struct options *options, const char *more)
{
	struct option *option = &options->items[options->count - 1];
	char *value = xasprintf("%s\n%s", option->value, more);

	free(option->value);
	option->value = value;
}

static void
take_line(struct options *options, char **section, char *line)
{
	char *text = trim(line), *equals;

	if (!text[0] || text[0] == '#' || text[0] == ';')
		return;
	if (text != line && options->count &&
		!strcmp(options->items[options->count - 1].section, *section)) {
		go_on(options, text);
		return;
	}
	if (text[0] == '[' && text[strlen(text) - 1] == ']') {
		free(*section);
		*section = xstrndup(text + 1, strlen(text) - 2);
		return;
	}
	equals = text + strcspn(text, "=:");
	if (!*equals)
		return;
	*equals = '\0';
	/* Not by set(): a value must be the last, so that it can go on. */
	options->items = xreallocarray(
		options->items, options->count + 1, sizeof *options->items);
	options->items[options->count++] = (struct option){xstrdup(*section),
		xstrdup(trim(text)), xstrdup(trim(equals + 1)), NULL};
}

static int
read_options(const char *path, struct options *out)
{
	FILE *file = fopen(path, "re");
	char *line = NULL, *section = xstrdup("");
	size_t size = 0;
	int rc = 0;

	if (!file) {
		free(section);
		return -errno;
	}
	while (getline(&line, &size, file) >= 0)
		take_line(out, &section, line);
	if (ferror(file))
		rc = -EIO;
	(void)fclose(file);
	free(line);
	free(section);
	return rc;
}

static int read_file(
	struct filter *filter, const char *path, bool needed, int depth);

static void
read_includes(struct filter *filter, const char *path,
	const struct options *own, const char *which, int depth)
{
	const struct option *option = find(own, "INCLUDES", which);
	char *names, *rest, *copy, *name;

	if (!option)
		return;
	rest = names = xstrdup(option->value);
	copy = xstrdup(path);
	while ((name = strsep(&rest, " \t\n"))) {
		char *include = name[0] == '/' ? xstrdup(name)
					       : xasprintf("%s/%s",
							 dirname(copy), name);

		free(copy);
		copy = xstrdup(path);
		if (name[0])
			(void)read_file(filter, include, false, depth + 1);
		free(include);
	}
	free(copy);
	free(names);
}

/* The prefix that syslog puts before a message is not in the message here. */
static bool
is_syslog_prefix(const struct option *option)
{
	return !strcmp(option->name, "__prefix_line") &&
	       !strstr(option->value, "known/") &&
	       (strstr(option->value, "lt_") ||
		       strstr(option->value, "_daemon") ||
		       strstr(option->value, "__hostname"));
}

static int
read_file(struct filter *filter, const char *path, bool needed, int depth)
{
	static const char prefix[] = {FILTER_PREFIX, '\0'};
	struct options own = {NULL, 0};
	size_t len = strlen(path);
	int rc = depth > DEPTH_MAX ? -ELOOP : read_options(path, &own);

	if (rc < 0) {
		clear(&own);
		return needed ? rc : 0;
	}
	read_includes(filter, path, &own, "before", depth);
	for (size_t i = 0; i < own.count; i++) {
		const struct option *option = &own.items[i];

		if (strcmp(option->section, "INCLUDES") != 0)
			set(&filter->options, option->section, option->name,
				is_syslog_prefix(option) ? prefix
							 : option->value);
	}
	read_includes(filter, path, &own, "after", depth);
	clear(&own);
	if (len > 5 && !strcmp(path + len - 5, ".conf")) {
		char *local = xasprintf("%.*s.local", (int)(len - 5), path);

		rc = read_file(filter, local, false, depth + 1);
		free(local);
	}
	return rc;
}

/* "a=b, c=d" */
static void
take_overrides(struct filter *filter, char *list)
{
	char *one;

	while ((one = strsep(&list, ","))) {
		char *value = strchr(one, '=');

		if (!value)
			continue;
		*value++ = '\0';
		value = trim(value);
		if (value[0] == '"' && value[strlen(value) - 1] == '"') {
			value[strlen(value) - 1] = '\0';
			value++;
		}
		set(&filter->options, "Definition", trim(one), value);
	}
}

static char *
name_of(const char *path)
{
	char *copy = xstrdup(path), *name = xstrdup(basename(copy));
	char *dot = strrchr(name, '.');

	if (dot)
		*dot = '\0';
	free(copy);
	return name;
}

struct filter *
filter_read(const char *name, char **error)
{
	struct filter *filter = xcalloc(1, sizeof *filter);
	char *path = xstrdup(name), *overrides = NULL;
	size_t len = strlen(path);
	int rc;

	if (len && path[len - 1] == ']' && strchr(path, '[')) {
		path[len - 1] = '\0';
		overrides = strchr(path, '[');
		*overrides++ = '\0';
	}
	rc = read_file(filter, path, true, 0);
	if (overrides)
		take_overrides(filter, overrides);
	filter->name = name_of(path);
	if (rc == 0 && !find(&filter->options, "Definition", "failregex"))
		rc = -EBADMSG;
	if (rc < 0) {
		*error = rc == -EBADMSG
				 ? xasprintf("%s: no filter of fail2ban: it "
					     "has no failregex in [Definition]",
					   path)
				 : xasprintf("%s: %s", path, strerror(-rc));
		filter_free(filter);
		filter = NULL;
	}
	free(path);
	return filter;
}

void
filter_free(struct filter *filter)
{
	if (!filter)
		return;
	clear(&filter->options);
	free(filter->name);
	free(filter);
}

const char *
filter_name(const struct filter *filter)
{
	return filter->name;
}

/* As fail2ban looks for it; name may be "known/x" or "section/x". */
static const char *
look_up(const struct filter *filter, const char *name)
{
	static const char *const sections[] = {"Definition", "Init", "DEFAULT"};
	const char *slash = strchr(name, '/');
	bool known = slash && !strncmp(name, "known/", 6), found = false;
	const struct option *option;

	if (slash && !known) {
		char *section = xstrndup(name, (size_t)(slash - name));

		option = find(&filter->options, section, slash + 1);
		free(section);
		return option ? option->value : NULL;
	}
	if (known)
		name += 6;
	for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++) {
		option = find(&filter->options, sections[i], name);
		if (!option)
			continue;
		/* What is known is what it was before, in this section or in
		 * one that is looked at later. */
		if (!known || found)
			return option->value;
		if (option->known)
			return option->known;
		found = true;
	}
	return NULL;
}

static char *
replaced(const char *text, const char *from, const char *to, const char *by)
{
	return xasprintf("%.*s%s%s", (int)(from - text), text, by, to);
}

static bool
is_name(const char *text, size_t len)
{
	static const char good[] = "abcdefghijklmnopqrstuvwxyz"
				   "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-/";

	for (size_t i = 0; i < len; i++)
		if (!strchr(good, text[i]))
			return false;
	return len > 0;
}

/* The first "%(name)s" or innermost "<name>" that is one of ours. */
static const char *
next_reference(const struct filter *filter, const char *text,
	const char **start, const char **end)
{
	for (const char *at = text; *at; at++) {
		bool percent = at[0] == '%' && at[1] == '(';
		const char *name = at + (percent ? 2 : 1);
		size_t len = strcspn(name, percent ? ")" : "<>");
		const char *value;
		char *copy;

		if (at[0] == '%' && at[1] == '%') {
			at++;
			continue;
		}
		if ((!percent && *at != '<') || !is_name(name, len) ||
			(percent ? name[len] != ')' || name[len + 1] != 's'
				 : name[len] != '>'))
			continue;
		copy = xstrndup(name, len);
		value = look_up(filter, copy);
		free(copy);
		if (!value)
			continue;
		*start = at;
		*end = name + len + (percent ? 2 : 1);
		return value;
	}
	return NULL;
}

/* "%%" is "%". */
static void
unescape_percent(char *text)
{
	char *to = text;

	for (; *text; text++) {
		*to++ = *text;
		if (text[0] == '%' && text[1] == '%')
			text++;
	}
	*to = '\0';
}

char *
filter_value(const struct filter *filter, const char *option)
{
	const char *value = look_up(filter, option), *start, *end;
	char *text = value ? xstrdup(value) : NULL;

	for (int i = 0; text && i < ROUNDS_MAX && strlen(text) < VALUE_MAX;
		i++) {
		char *longer;

		value = next_reference(filter, text, &start, &end);
		if (!value)
			break;
		longer = replaced(text, start, end, value);
		free(text);
		text = longer;
	}
	if (text)
		unescape_percent(text);
	return text;
}
