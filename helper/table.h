/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Our table in the kernel, and how it is made to hold what is wanted. Each
 * function that returns int: 0, or the negative errno for which nothing or not
 * all was written; what is wanted stays so, and comes with the next write.
 */
#ifndef MAILBAN_TABLE_H
#define MAILBAN_TABLE_H

#include "common/netset.h"
#include "common/wire.h"
#include "helper/nft.h"
#include "helper/want.h"
#include "helper/watch.h"

struct table {
	struct nft nft;
	struct watch watch;
	struct wants wants;
	struct wire_options options;
	struct netset exempt;
	bool installed;
	bool unknown;	 /* its sets may hold more than is wanted */
	bool spares;	 /* it may have the spare sets */
	bool spare;	 /* clients are written to those */
	bool running;	 /* a transaction */
	char *described; /* as we left it */
	/* A client that the kernel alone refused, and who asked for it last
	 * (NULL: nobody now). */
	void (*refused)(const struct network *net, int error, void *by);
};

/* CLOCK_BOOTTIME: what all ends and deadlines are in. */
int64_t table_now_ms(void);

/* Makes table, sets, chains and rules; what the sets hold stays. */
int table_install(struct table *table);
int table_write_exempt(struct table *table);
/* Writes what has changed. */
int table_write(struct table *table);
/* Replaces what is in the sets, while what stays banned is banned all the
 * time. Afterwards it is known what they hold. */
int table_rewrite(struct table *table);
/* Makes good all that somebody may have deleted. */
int table_mend(struct table *table);
/* Deletes it; nothing is wanted any more. */
int table_remove(struct table *table);

/* Whether there is one, made by an earlier mailban-nft perhaps. */
bool table_find(struct table *table);
/* Whether it is, but for elements, not as we left it. */
bool table_is_changed(struct table *table);
/* -E2BIG: too many for libnftables. */
int table_list(struct table *table,
	void (*item)(const struct wire_item *item, void *arg), void *arg);

#endif
