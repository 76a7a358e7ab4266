/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who is never banned, from where that is known, and until when: the host
 * itself, the configuration, a file of networks, operators' sessions, relays
 * that rsyslog receives from, and what an operator exempted. The judge and the
 * kernel get the union; people are told the reason.
 *
 * Pure but for exempts_read_file: time and networks are handed in.
 */
#ifndef MAILBAN_EXEMPT_H
#define MAILBAN_EXEMPT_H

#include "common/netset.h"

/* In the order in which a reason is looked for. */
enum exempt_source {
	EXEMPT_HOST,	 /* host_networks() */
	EXEMPT_CONFIG,	 /* ignoreip */
	EXEMPT_FILE,	 /* ignoreip_file */
	EXEMPT_OPERATOR, /* mailban exempt add */
	EXEMPT_SESSION,	 /* sessions_networks() */
	EXEMPT_SENDER,	 /* exempts_note_sender() */
	EXEMPT_SOURCES
};

/* until_us of one that never ends. */
#define EXEMPT_PERMANENT INT64_MAX
/* A sender that was silent for so long is none any more; and so many at most
 * are kept: on an open UDP input anyone may pretend to be one. */
#define EXEMPT_SENDER_US (INT64_C(7) * 86400 * 1000000)
enum { EXEMPT_SENDERS_MAX = 1024, EXEMPT_FILE_MAX = 10000 };

struct exempt {
	struct network net;
	enum exempt_source source;
	int64_t since_us, until_us;
	const char *by, *reason; /* an operator's; or NULL */
};

struct exempts;

struct exempts *exempts_new(void);
void exempts_free(struct exempts *all);

/* All return whether the union is another now: then judge and kernel need
 * it. */

/* Replaces all of that source. */
bool exempts_replace(struct exempts *all, enum exempt_source source,
	const struct netset *nets);
/* Adds one (of any source), or replaces the one of the same source and
 * network. Copies. */
bool exempts_add(struct exempts *all, const struct exempt *one);
/* The operator's of exactly that network; *found says whether there was
 * one. */
bool exempts_remove(
	struct exempts *all, const struct network *net, bool *found);
/* A message came from there. Cheap for one that is known. Loopback is none. */
bool exempts_note_sender(
	struct exempts *all, const struct addr *addr, int64_t now_us);
/* Ends those that are over. */
bool exempts_expire(struct exempts *all, int64_t now_us);

/* The union; borrowed until the next change. */
const struct netset *exempts_union(const struct exempts *all);
/* Why net is never banned: the first that contains it, or NULL. */
const struct exempt *exempts_find(
	const struct exempts *all, const struct network *net);
/* All, in no order; *cursor starts as 0, NULL at the end. Borrowed until the
 * next change. */
const struct exempt *exempts_next(const struct exempts *all, size_t *cursor);
size_t exempts_count(const struct exempts *all);

/* "ignoreip in mailban.conf", "a login session of an operator", ... */
const char *exempt_source_text(enum exempt_source source);

/* To be told of every offence. When most of the last ones come from one exempt
 * address, real clients hide behind it: a proxy or gateway that does not pass
 * on who they are. */
void exempts_note_offence(
	struct exempts *all, const struct addr *addr, bool exempt);
/* Whether it is so: the address, and its offences since it became most. */
bool exempts_hidden(
	const struct exempts *all, struct addr *addr, uint64_t *offences);

/* Adds the networks of a file, one a line, with comments behind '#'. 0, or a
 * negative errno with *error "path:line: what is wrong" (caller frees), and
 * then *out is as it was. */
int exempts_read_file(const char *path, struct netset *out, char **error);

#endif
