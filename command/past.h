/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The past, from the ledger: read only, whether ommailban runs or not, and
 * never as root where the ledger is another user's. All text comes out made
 * safe for a terminal, as JSON objects.
 */
#ifndef MAILBAN_COMMAND_PAST_H
#define MAILBAN_COMMAND_PAST_H

#include <json.h>
#include <sqlite3.h>

#include "common/addr.h"

struct past;

/* folder: the state folder. Root becomes its owner, for good: open files and
 * ask ommailban before. NULL with *why (static or borrowed until the next): no
 * ledger there, or not to be read. */
struct past *past_open(const char *folder, const char **why);
void past_close(struct past *past);

/* Up to `most` of the newest offences charged to what lies in net, oldest of
 * them first: time, address, host, tag, user, class, rule, count, counted,
 * message. NULL when it can't be read. */
struct fjson_object *past_offences(
	struct past *past, const struct network *net, size_t most);
/* {"all": how many, "since": the oldest's time}. */
struct fjson_object *past_offence_total(
	struct past *past, const struct network *net);
/* What counts by class since since_s: an object, class: number. */
struct fjson_object *past_tallies(
	struct past *past, const struct network *net, int64_t since_s);
/* Users that were tried, by program: user, program, count, last. */
struct fjson_object *past_users(struct past *past, const struct network *net);
/* The newest 50 bans of what lies in net, or around it, newest first. */
struct fjson_object *past_bans(struct past *past, const struct network *net);
/* user, address, time, host, tag: the last of each client and user. */
struct fjson_object *past_logins(struct past *past, const struct network *net);
/* All bans in force at now_s, as `list` gives them. */
struct fjson_object *past_bans_in_force(struct past *past, int64_t now_s);

/* An SQL question of the program's own, with numbers bound in order: each row
 * an object of its columns' names, text made safe. NULL when it can't be
 * answered. */
struct fjson_object *past_rows(struct past *past, const char *sql,
	const int64_t *numbers, size_t count);

#endif
