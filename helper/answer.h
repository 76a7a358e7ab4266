/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Answers the requests of one ommailban (common/wire.h; its other end is
 * plugin/kernel.c). Every packet is hostile until it has been checked.
 */
#ifndef MAILBAN_ANSWER_H
#define MAILBAN_ANSWER_H

#include "helper/keeper.h"

struct talk;

/* fd, a connected SOCK_SEQPACKET socket, belongs to the talk from then on. */
struct talk *talk_new(int fd, struct keeper *keeper);
/* Closes it; what was answered stays in force. */
void talk_free(struct talk *talk);
int talk_fd(const struct talk *talk);

/* Answers what waits, merging bans and lifts into few transactions. 0;
 * -ECONNRESET: the peer has gone; -EBADMSG: it sent what no ommailban sends;
 * another errno: it can't be answered. The talk is over then. */
int answer_waiting(struct talk *talk);
/* Tells the peer that the table had gone and is back. */
int answer_healed(struct talk *talk);

/* For struct keeper. */
void answer_refused(const struct network *net, int error, void *by);

#endif
