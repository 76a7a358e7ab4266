/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ommailban's end of the talk with mailban-nft (its other end: helper/). Bans
 * are handed over as they arise and wait for nobody; COMMIT waits for the
 * answers. A helper that is lost, stuck or refuses is started again and brought
 * up to date with all bans in force, with growing pauses, and nothing else
 * waits for it meanwhile.
 */
#ifndef MAILBAN_KERNEL_H
#define MAILBAN_KERNEL_H

#include "common/wire.h"
#include "plugin/judge.h"

struct kernel;

/* What the kernel asks of its owner. */
struct kernel_owner {
	/* The bans to bring the kernel up to date with. */
	const struct judge *judge;
	/* That network was refused (-EPERM: exempt; -EINVAL: out of bounds).
	 * It must not stay in the judge's list. */
	void (*refused)(const struct network *net, int status, void *arg);
	void *arg;
};

/* helper: a socket is connected to; a program is started through the starter
 * (starter_fd from starter_new; -1: none, and there is no program to start).
 * Nothing happens before kernel_up. */
struct kernel *kernel_new(
	const char *helper, int starter_fd, const struct kernel_owner *owner);
void kernel_free(struct kernel *kernel);

/* The table's options and the exempt networks; sent at once when up, and
 * again whenever the helper is new. Both are copied. */
void kernel_configure(struct kernel *kernel, const struct wire_options *options,
	const struct netset *exempt);

/* Starts or connects to the helper, where there is none yet, and hands it
 * everything. */
void kernel_up(struct kernel *kernel);

void kernel_ban(struct kernel *kernel, const struct ban *ban);
void kernel_lift(struct kernel *kernel, const struct network *net);
/* Asks the helper to delete the table; healing stops, and nothing more is sent
 * until kernel_up. For `mailban off`, and for what observes only. */
void kernel_remove(struct kernel *kernel);

/* What the kernel has in force: each is called for every ban, by kernel_work,
 * and once with NULL at the end, status being 0 or a negative errno (-E2BIG:
 * too many to list). One at a time: -EBUSY while another is under way,
 * -ENOTCONN without a helper. */
typedef void kernel_each(const struct wire_item *item, int status, void *arg);
int kernel_list(struct kernel *kernel, kernel_each *each, void *arg);
/* The same at the start, before kernel_up: returns when all have been listed
 * or deadline_ms have passed. */
int kernel_list_now(
	struct kernel *kernel, kernel_each *each, void *arg, int deadline_ms);

/* For the caller's poll: the helper's socket, -1 when there is none, and
 * whether writing is waited for. */
int kernel_fd(const struct kernel *kernel);
bool kernel_wants_write(const struct kernel *kernel);
/* Reads answers, writes what waits, starts the helper again when its time has
 * come. Never blocks for longer than it takes to start a program. */
void kernel_work(struct kernel *kernel);
/* kernel_work until all is answered or deadline_ms have passed, if there is a
 * helper at all. Whether all is in the kernel. */
bool kernel_settle(struct kernel *kernel, int deadline_ms);

/* Milliseconds until kernel_work wants to be called though nothing happens. */
int kernel_timeout_ms(const struct kernel *kernel);

enum kernel_state {
	KERNEL_DOWN,	/* no helper; tried again */
	KERNEL_SYNCING, /* being brought up to date, or late */
	KERNEL_UP,	/* all that was asked for is in force, or on its way */
	KERNEL_OFF,	/* switched off by the operator */
};
enum kernel_state kernel_state(const struct kernel *kernel);
/* Requests not yet answered. */
size_t kernel_pending(const struct kernel *kernel);
/* What went wrong last, or NULL when it is up; borrowed. */
const char *kernel_trouble(const struct kernel *kernel);
/* Times the helper had to be started again, and times it found our table
 * damaged and mended it. */
uint64_t kernel_restarts(const struct kernel *kernel);
uint64_t kernel_healed(const struct kernel *kernel);

#endif
