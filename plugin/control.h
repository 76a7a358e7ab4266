/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The operator's socket: mailban(1) asks, ommailban answers. JSON lines over a
 * Unix stream socket. A request is one object on one line:
 *
 *   {"request":"status"}   {"request":"list"}   {"request":"rules"}
 *   {"request":"reload"}   {"request":"off"}   {"request":"on"}
 *   {"request":"ban","address":"203.0.113.0/24","for_s":3600}  (-1: for ever)
 *   {"request":"list","counters":true}: with the packets that the kernel
 *   dropped; of more than 20,000 bans only with "insist":true, because no ban
 *   is made while the kernel lists them
 *   {"request":"why","address":"203.0.113.7"}
 *   {"request":"import","source":"blacklist","for_s":-1,"addresses":["..",..]}
 *   where an address with a time of its own is ["..",3600]
 *   {"request":"exempts"}
 *   {"request":"exempt","address":"192.0.2.0/24","for_s":-1,"reason":"office"}
 *   {"request":"unexempt","address":"192.0.2.0/24"}
 *   {"request":"unban","address":"203.0.113.7"}  or  {..., "all":true}
 *
 * The answer is any number of objects, one a line, then one with the key
 * "done": "ok", "pending" (done, but not yet in the kernel), "not-found",
 * "refused" or "error", and for all but the first an "error" that says why.
 * Root and the configuration's group may ask for everything, its read_group
 * only look; the socket's mode and the peer's credentials say who that is.
 *
 * Nobody here delays an answer to rsyslog: all reading and writing is
 * non-blocking, lists go out in pieces, the number of clients is bounded, and
 * who is silent or slow is cut off.
 */
#ifndef MAILBAN_CONTROL_H
#define MAILBAN_CONTROL_H

#include <poll.h>

#include "plugin/engine.h"

enum { CONTROL_CLIENTS = 16, CONTROL_REQUEST_MAX = 65536 };

struct control;

/* group: may change, read_group: may look; each may be NULL. */
struct control_groups {
	const char *change, *read;
};

/* Makes the socket (replacing one that nobody serves), mode 0660 for the one
 * group, or 0666 where there are two. To be called while still root; owner: the
 * uid that will serve it. NULL with *error. */
struct control *control_new(
	const char *path, const struct control_groups *groups, char **error);
void control_free(struct control *control);

/* For the caller's poll: fills at most CONTROL_CLIENTS + 1 entries, returns
 * how many. */
size_t control_poll(const struct control *control, struct pollfd *fds);
/* Milliseconds until control_work wants to be called though nothing happens. */
int control_timeout_ms(const struct control *control);
/* Serves what is ready; called after each poll. */
void control_work(struct control *control, struct engine *engine);

#endif
