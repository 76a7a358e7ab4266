/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small sorted set of networks, for those that are never banned. Look-up is
 * a binary search; networks inside a present one are folded into it. For tens
 * or thousands of networks that change rarely, not for the bans themselves.
 */
#ifndef MAILBAN_NETSET_H
#define MAILBAN_NETSET_H

#include "common/addr.h"

struct netset {
	struct network *items; /* sorted, none inside another */
	size_t count;
};

/* A zeroed struct is the empty set. */
void netset_add(struct netset *set, const struct network *net);
void netset_add_all(struct netset *set, const struct netset *other);
void netset_free(struct netset *set);
bool netset_equal(const struct netset *a, const struct netset *b);

/* The member that contains net, or NULL; borrowed until the next change. */
const struct network *netset_find(
	const struct netset *set, const struct network *net);
/* Whether any member lies within net, or contains it: a ban of net would hit
 * it. The member, or NULL. */
const struct network *netset_overlap(
	const struct netset *set, const struct network *net);

#endif
