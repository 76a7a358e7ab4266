/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The commands for libnftables, as JSON (libnftables-json(5)), built from
 * binary addresses and checked options only. Pure: nothing is run here. A
 * command is one nftables transaction: all of it happens or nothing.
 */
#ifndef MAILBAN_COMMAND_H
#define MAILBAN_COMMAND_H

#include "common/netset.h"
#include "common/wire.h"
#include "helper/want.h"

struct fjson_object;

struct command {
	struct fjson_object *root, *list;
	const char *table; /* borrowed */
};

void command_begin(struct command *command, const char *table);
bool command_is_empty(const struct command *command);
/* Valid until the next call for this command. */
const char *command_text(struct command *command);
void command_free(struct command *command);

enum command_spare {
	COMMAND_NO_SPARE,
	COMMAND_WITH_SPARE,
	COMMAND_DROP_SPARE, /* delete the spare sets, if they are there */
};
/* Table, sets, chains and rules; what the sets hold stays. */
void command_install(struct command *command,
	const struct wire_options *options, enum command_spare spare);
/* The exempt sets hold these and nothing else. */
void command_exempt(struct command *command, const struct netset *exempt);
/* What is to be done about each of these clients. Those that may be present
 * are added, deleted and added: adding one that is there keeps its old timeout
 * on kernels before 6.12, deleting one that is not there refuses all. */
struct command_clients {
	struct want *const *items;
	size_t count;
	int64_t now_ms;
	bool spare; /* in the spare sets */
};
void command_clients(
	struct command *command, const struct command_clients *clients);
/* The sets of wide bans hold what is wanted and nothing else. */
void command_wide(
	struct command *command, const struct wants *wants, int64_t now_ms);
/* Empties the sets of clients. */
void command_forget(struct command *command);
/* Deletes the table, which need not be there. */
void command_remove(struct command *command);
/* Asks for one set, or (NULL) for all tables of the family: nftables 1.0.6
 * reads every element to list a single table, even tersely. */
void command_list(struct command *command, const char *set);

/* Spare sets hold clients while the sets proper are emptied and filled. */
enum command_kind {
	COMMAND_EXEMPT, /* networks never banned: an interval set */
	COMMAND_CLIENTS,
	COMMAND_WIDE, /* wider bans: an interval set */
	COMMAND_SPARE,
};
enum { COMMAND_SETS = 8 };
extern const struct command_set {
	const char *name;
	enum command_kind kind;
	uint8_t family;
} command_sets[COMMAND_SETS];

#endif
