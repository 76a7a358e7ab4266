/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Answers that are on their way: who asks, what he may, what still has to go
 * out, what is waited for. See control.h for the requests; what they do is in
 * control_change.c and control_show.c.
 */
#ifndef MAILBAN_CONTROL_ANSWER_H
#define MAILBAN_CONTROL_ANSWER_H

#include <json.h>
#include <libestr.h>
#include <sys/types.h>

#include "plugin/engine.h"
#include "plugin/snapshot.h"

enum answer_state {
	ANSWER_IDLE,
	ANSWER_SENDING,	 /* `out` is all there is to come */
	ANSWER_LISTING,	 /* more bans follow from `cursor` */
	ANSWER_KERNEL,	 /* waits until the kernel has taken what was asked */
	ANSWER_SNAPSHOT, /* waits for what the kernel has, then calls `then` */
};

enum answer_rights { RIGHTS_NONE, RIGHTS_READ, RIGHTS_CHANGE };

struct answer {
	/* The client's; left alone by answer_clear's caller. */
	uid_t uid; /* who asks */
	enum answer_rights rights;
	struct snapshot *snapshot; /* borrowed, one for all */

	enum answer_state state;
	es_str_t *out; /* to be sent; NULL: nothing */
	size_t sent;   /* of out */
	size_t cursor;
	int64_t asked_us;
	int64_t deadline_us; /* of ANSWER_KERNEL */
	int64_t since_us;    /* of ANSWER_SNAPSHOT: not older than that */
	uint64_t seq; /* of ANSWER_SNAPSHOT: the ledger should have this, too */
	struct network net;
	bool counters; /* LISTING: with the kernel's */
	void (*then)(struct answer *answer, struct engine *engine);
};

/* One line of request, without its LF. */
void answer_request(struct answer *answer, const char *line, size_t len,
	struct engine *engine);
/* Moves on: makes more, sends what the socket takes. Bytes sent, or a
 * negative errno when the client is gone. */
ssize_t answer_send(struct answer *answer, int fd, struct engine *engine);
/* Whether an answer is not finished, and whether sending is waited for. */
bool answer_busy(const struct answer *answer);
bool answer_has_output(const struct answer *answer);
void answer_clear(struct answer *answer);

/* --- between control_answer.c, control_change.c and control_show.c --- */

/* Puts it out on a line; takes it. */
void answer_put(struct answer *answer, struct fjson_object *object);
void answer_done(struct answer *answer, const char *result, const char *error);
/* "address" of a request. False: it is none, and that is the answer. */
bool answer_network(struct answer *answer, struct fjson_object *request,
	struct network *net);
/* The kernel's word is awaited before "done". */
void answer_await_kernel(struct answer *answer);
/* How soon it wants to be called, though nothing happens. */
enum { ANSWER_TICK_MS = 20 };
/* Calls then when there is a snapshot not older than since_us. */
void answer_await_snapshot(struct answer *answer, int64_t since_us,
	void (*then)(struct answer *answer, struct engine *engine));

/* One request each. */
typedef void answer_function(struct answer *answer,
	struct fjson_object *request, struct engine *engine);
answer_function answer_ban, answer_unban, answer_import, answer_exempt,
	answer_unexempt, answer_reload, answer_off, answer_on;
answer_function answer_status, answer_list, answer_rules, answer_exempts,
	answer_why;
/* LISTING: the next piece. */
void answer_list_more(struct answer *answer, struct engine *engine);
/* A ban as list shows it, with the kernel's counters where they are known. */
struct fjson_object *answer_ban_object(
	const struct answer *answer, const struct ban *ban);
struct fjson_object *answer_exempt_object(const struct exempt *exempt);

#endif
