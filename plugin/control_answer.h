/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the operator's requests do, and the answers that are on their way. See
 * control.h for the requests.
 */
#ifndef MAILBAN_CONTROL_ANSWER_H
#define MAILBAN_CONTROL_ANSWER_H

#include <libestr.h>
#include <sys/types.h>

#include "plugin/engine.h"

enum answer_state {
	ANSWER_IDLE,
	ANSWER_SENDING, /* `out` is all there is to come */
	ANSWER_LISTING, /* more bans follow from `cursor` */
	ANSWER_KERNEL,	/* waits until the kernel has taken what was asked */
};

struct answer {
	uid_t uid; /* who asks */
	enum answer_state state;
	es_str_t *out; /* to be sent; NULL: nothing */
	size_t sent;   /* of out */
	size_t cursor;
	int64_t deadline_us; /* of ANSWER_KERNEL */
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

#endif
