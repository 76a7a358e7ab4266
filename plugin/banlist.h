/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bans, by network: a hash look-up for each prefix length there is among
 * them, which is one or two as a rule. A ban keeps its place for as long as it
 * lives, so that the list can be gone through in pieces.
 */
#ifndef MAILBAN_BANLIST_H
#define MAILBAN_BANLIST_H

#include "plugin/judge.h"

struct banlist;

struct banlist *banlist_new(const uint8_t key[16]);
void banlist_free(struct banlist *list);

/* Adds it, or replaces the one of the same network. */
void banlist_put(struct banlist *list, const struct ban *ban);
/* NULL: there is none of exactly that network. */
const struct ban *banlist_get(
	const struct banlist *list, const struct network *net);
void banlist_remove(struct banlist *list, const struct network *net);
/* The widest that contains net and ends after time_us, or NULL. Those that are
 * only observed are left out but for observed_too. */
const struct ban *banlist_find(const struct banlist *list,
	const struct network *net, int64_t time_us, bool observed_too);
/* The next after *cursor, which starts as 0; NULL at the end. */
const struct ban *banlist_next(const struct banlist *list, size_t *cursor);

/* Looks at some further places: what ended by over_us is no longer counted,
 * what ended by forget_us is removed. */
void banlist_step(struct banlist *list, int64_t over_us, int64_t forget_us);
/* The same with all places. */
void banlist_sweep(struct banlist *list, int64_t over_us, int64_t forget_us);

size_t banlist_count(const struct banlist *list);
size_t banlist_memory(const struct banlist *list);

#endif
