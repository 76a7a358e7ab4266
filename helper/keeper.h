/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keeps our table in the kernel as it is wanted: the one place that decides
 * what is written there, and that mends it when somebody else changed it.
 * Knows nothing of who asks.
 */
#ifndef MAILBAN_KEEPER_H
#define MAILBAN_KEEPER_H

#include "common/netset.h"
#include "common/wire.h"
#include "helper/nft.h"
#include "helper/want.h"
#include "helper/watch.h"

struct keeper {
	struct nft nft;
	struct watch watch;
	struct wants wants;
	struct wire_options options;
	bool installed;	 /* there is a table of ours, and it is mended */
	bool unknown;	 /* its sets may hold more than is wanted, and it has
			    the spare sets */
	bool spare;	 /* clients are written to those */
	char *described; /* the table as we left it */
	struct netset asked, exempt; /* asked: without the host's own */
	/* CLOCK_BOOTTIME; INT64_MAX: not due. */
	int64_t hit_ms, mend_ms, mended_ms, host_ms, sweep_ms;
	bool gone;     /* somebody deleted elements of clients */
	bool mend_all; /* not only those */
	/* A client that the kernel alone refused, and who asked for it last
	 * (NULL: nobody now). */
	void (*refused)(const struct network *net, int error, void *by);
};

/* For all deadlines and ends. */
int64_t keeper_now_ms(void);

void keeper_open(struct keeper *keeper, const char *table);
void keeper_close(struct keeper *keeper);

int keeper_install(struct keeper *keeper, const struct wire_options *options);
int keeper_exempt(struct keeper *keeper, const struct netset *asked);
/* Note what is wanted; keeper_write makes it so. -EPERM: exempt; -EINVAL:
 * wider than the options allow. timeout_ms as in struct wire_item. */
int keeper_ban(struct keeper *keeper, const struct network *net,
	uint64_t timeout_ms, void *by);
void keeper_lift(struct keeper *keeper, const struct network *net, void *by);
/* Those who asked are gone: none of them is told of refusals any more. */
void keeper_forget_askers(struct keeper *keeper);
/* 0, or the errno for which nothing or not all was written: what is wanted
 * stays so, and is tried again with the next write. */
int keeper_write(struct keeper *keeper);
/* Every ban since keeper_replace_begin is wanted and no other. Writes. */
void keeper_replace_begin(struct keeper *keeper);
int keeper_replace_end(struct keeper *keeper, void *by);
int keeper_list(struct keeper *keeper,
	void (*item)(const struct wire_item *item, void *arg), void *arg);
int keeper_remove(struct keeper *keeper);

/* Reads notifications and does what is due. Whether something was mended. */
bool keeper_work(struct keeper *keeper);
/* Milliseconds until keeper_work has something to do. */
int keeper_timeout_ms(const struct keeper *keeper);

#endif
