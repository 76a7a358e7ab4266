/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keeps our table in the kernel as it is wanted, whoever asks and whatever
 * others do there: decides what may be banned, and when to mend.
 */
#ifndef MAILBAN_KEEPER_H
#define MAILBAN_KEEPER_H

#include "common/netset.h"
#include "common/wire.h"
#include "helper/table.h"

typedef void (*keeper_refused)(const struct network *net, int error, void *by);

struct keeper {
	struct table table;
	struct netset asked; /* never banned, besides the host's own */
	bool gone;	     /* somebody deleted elements of clients */
	bool mend_all;	     /* not only those */
	/* INT64_MAX: not due. */
	int64_t hit_ms, mend_ms, mended_ms, host_ms, sweep_ms;
};

/* name: the table's, kept and not copied. refused: see struct table. */
void keeper_open(
	struct keeper *keeper, const char *name, keeper_refused refused);
void keeper_close(struct keeper *keeper);

int keeper_install(struct keeper *keeper, const struct wire_options *options);
int keeper_exempt(struct keeper *keeper, const struct netset *asked);
/* Note what is wanted; keeper_write makes it so. -EPERM: exempt; -EINVAL:
 * wider than the options allow; -ENOSPC: too many. timeout_ms as in struct
 * wire_item. */
int keeper_ban(struct keeper *keeper, const struct network *net,
	uint64_t timeout_ms, void *by);
void keeper_lift(struct keeper *keeper, const struct network *net, void *by);
/* Those who asked are gone: none of them is told of refusals any more. */
void keeper_forget_askers(struct keeper *keeper);
/* -ENODEV: nothing is installed. */
int keeper_write(struct keeper *keeper);
/* Every ban since keeper_replace_begin is wanted and no other. Writes. */
void keeper_replace_begin(struct keeper *keeper);
int keeper_replace_end(struct keeper *keeper, void *by);
/* Reads notifications and does what is due. Whether something was mended. */
bool keeper_work(struct keeper *keeper);
/* Milliseconds until keeper_work has something to do. */
int keeper_timeout_ms(const struct keeper *keeper);

#endif
