/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel itself says is in force, with the packets it dropped: asked
 * for when an operator wants to know, shared by all who ask at about the same
 * time. Listing costs mailban-nft time in which no ban is made, so it is never
 * done unasked, and one at a time.
 */
#ifndef MAILBAN_SNAPSHOT_H
#define MAILBAN_SNAPSHOT_H

#include "plugin/kernel.h"

struct snapshot;

struct snapshot *snapshot_new(void);
void snapshot_free(struct snapshot *snapshot);

/* Whether there is one begun at since_us or later, or none is to be had; false:
 * it is under way, ask again when the kernel's socket was ready. kernel may be
 * NULL. */
bool snapshot_ask(struct snapshot *snapshot, struct kernel *kernel,
	int64_t since_us, int64_t now_us);

/* Of the last one: 0, or why there is none, a negative errno: -ENOTCONN no
 * mailban-nft, -E2BIG more bans than can be listed, -ETIMEDOUT. */
int snapshot_status(const struct snapshot *snapshot);
size_t snapshot_count(const struct snapshot *snapshot);
/* Of all bans that are still in force. */
uint64_t snapshot_packets(const struct snapshot *snapshot);
uint64_t snapshot_bytes(const struct snapshot *snapshot);
/* Exactly that network, or NULL; borrowed until the next snapshot_ask. */
const struct wire_item *snapshot_find(
	const struct snapshot *snapshot, const struct network *net);

#endif
