/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The starter: a small process of ommailban's that is left with CAP_NET_ADMIN
 * when ommailban itself gives up everything. All it does is start mailban-nft,
 * one fixed program with fixed arguments, when it gets a byte, and hand back a
 * socket to it. So a mailban-nft that died can be had again without privileges
 * where attackers' text is read.
 */
#ifndef MAILBAN_STARTER_H
#define MAILBAN_STARTER_H

#include <stdbool.h>

/* Forks the starter. program: full path of mailban-nft. Returns the socket
 * to ask it by, or a negative errno. */
int starter_new(const char *program, bool debug);

/* Has it start a mailban-nft (one that still runs is ended first). Returns a
 * connected SEQPACKET socket; -EPIPE when the starter is gone; -EAGAIN when it
 * does not answer within a second, or could not start the program. */
int starter_ask(int fd);

#endif
