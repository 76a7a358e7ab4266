/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bans in force, as a list that can be sorted: from a running ommailban, or
 * else from the ledger.
 */
#ifndef MAILBAN_COMMAND_LIST_H
#define MAILBAN_COMMAND_LIST_H

#include "command/command.h"

struct listed {
	struct network net;
	enum class class; /* CLASS_NONE: by hand, imported */
	bool observed, counted;
	int64_t count, level, from_s, until_s; /* until_s 0: never ends */
	int64_t packets, bytes;		       /* where counted */
};

struct list {
	struct listed *items;
	size_t count, room;
	bool from_ledger;
};

/* counters: with those of the kernel. Returns the exit status; STATUS_DONE when
 * the ledger had to do, too, and says so. */
int list_load(
	struct list *list, const struct arguments *arguments, bool counters);
void list_free(struct list *list);
/* Leaves only those of the class by that name; false: there is no such. */
bool list_filter(struct list *list, const char *class);
/* address, from, until, count, packets; false: no such key. */
bool list_sort(struct list *list, const char *key);

/* As `sort -V` orders addresses: digits by their value, other bytes by theirs,
 * letters before other signs. */
int version_compare(const char *a, const char *b);

#endif
