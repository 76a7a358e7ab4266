/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files are taken by name in byte order, whatever the locale, so that the
 * order of trying is the same on every machine.
 */
#include "plugin/rulefolder.h"

#include "common/xalloc.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int
is_rule_file(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return entry->d_name[0] != '.' && len > strlen(".rules") &&
	       strcmp(entry->d_name + len - strlen(".rules"), ".rules") == 0;
}

static int
by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int
read_files(const char *path, struct dirent **entries, int count,
	struct ruledefs *out, char **error)
{
	int result = 0;

	for (int i = 0; i < count; i++) {
		char *file = xasprintf("%s/%s", path, entries[i]->d_name);

		if (result == 0)
			result = rulefile_read(file, out, error);
		free(file);
		free(entries[i]);
	}
	free(entries);
	return result;
}

static int
read_folder(const char *path, bool needed, struct ruledefs *out, char **error)
{
	struct dirent **entries = NULL;
	int count = scandir(path, &entries, is_rule_file, by_bytes);
	int result = -errno;

	if (count >= 0)
		return read_files(path, entries, count, out, error);
	if (result == -ENOTDIR)
		return rulefile_read(path, out, error);
	if (result == -ENOENT && !needed)
		return 0;
	*error = xasprintf(
		"%s: the rules can't be read: %s", path, strerror(-result));
	return result;
}

static struct ruledef **
find_by_name(const struct ruledefs *defs, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(defs->items[i]->name, name) == 0)
			return &defs->items[i];
	return NULL;
}

static int
refuse_twins(const struct ruledefs *defs, char **error)
{
	for (size_t i = 1; i < defs->count; i++) {
		const struct ruledef *def = defs->items[i];
		struct ruledef **twin = find_by_name(defs, i, def->name);

		if (!twin)
			continue;
		*error = xasprintf("%s:%u: [%s] there is a rule of this name "
				   "in the same folder already, at %s:%u; give "
				   "this one a name of its own",
			def->file, def->rule.line, def->name, (*twin)->file,
			(*twin)->rule.line);
		return -EBADMSG;
	}
	return 0;
}

/* Moves the rules of fresh into all. */
static void
merge(struct ruledefs *all, struct ruledefs *fresh)
{
	struct ruledef **items =
		xcalloc(all->count + fresh->count + 1, sizeof(*items));
	size_t count = 0;

	for (size_t i = 0; i < fresh->count; i++) {
		struct ruledef *def = fresh->items[i];
		struct ruledef **old = find_by_name(all, all->count, def->name);

		if (!old) {
			items[count++] = def;
			continue;
		}
		ruledef_free(*old);
		*old = def;
	}
	if (all->count)
		memcpy(items + count, all->items, all->count * sizeof *items);
	free(all->items);
	free(fresh->items);
	all->items = items;
	all->count += count;
	*fresh = (struct ruledefs){0};
}

int
rulefolder_add(
	const char *path, bool needed, struct ruledefs *all, char **error)
{
	struct ruledefs fresh = {0};
	int result = read_folder(path, needed, &fresh, error);

	if (result == 0)
		result = refuse_twins(&fresh, error);
	if (result == 0)
		merge(all, &fresh);
	ruledefs_free(&fresh);
	return result;
}
