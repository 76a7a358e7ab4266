/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What others do: to our table in the kernel, and to this host's addresses and
 * default routes. Netlink notifications; nothing is ever changed from here.
 */
#ifndef MAILBAN_WATCH_H
#define MAILBAN_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "common/addr.h"

struct watch {
	int table_fd, host_fd; /* for poll */
	const char *table;
	uint32_t port;	     /* netlink's address of table_fd */
	uint32_t generation; /* of all nftables, before we write */
	/* Seen since the owner set them to false: */
	bool hit;   /* somebody deleted or remade something in our table */
	bool doubt; /* somebody changed something while we wrote */
	bool host;  /* addresses or default routes changed */
	/* A client's element was deleted: called by watch_read. */
	void (*gone)(
		const char *set, const uint8_t *key, size_t len, void *arg);
	void *arg;
};

/* table is kept, not copied. Fatal when the kernel has no nftables. */
void watch_open(struct watch *watch, const char *table);
void watch_close(struct watch *watch);
/* Takes in all that waits on both sockets. Never blocks. */
void watch_read(struct watch *watch);

/* Around our own transactions: listening costs the kernel a message for each
 * element, a fifth of the time of a transaction. Others' changes meanwhile show
 * in nftables' generation, which every transaction counts up by one.
 * commits: how many were ours. */
void watch_pause(struct watch *watch);
void watch_resume(struct watch *watch, uint32_t commits);

#endif
