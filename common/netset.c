/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A sorted array of networks of which none lies within another. That makes
 * one binary search enough: only the last member that sorts before or at a
 * network can contain it, and only the next one can be the first inside it.
 */
#include "common/netset.h"

#include "common/xalloc.h"

#include <stdlib.h>
#include <string.h>

/* How many members sort before or at net. */
static size_t
count_upto(const struct netset *set, const struct network *net)
{
	size_t low = 0, high = set->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (network_compare(&set->items[middle], net) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct network *
netset_find(const struct netset *set, const struct network *net)
{
	size_t at = count_upto(set, net);

	if (at == 0 || !network_contains(&set->items[at - 1], net))
		return NULL;
	return &set->items[at - 1];
}

const struct network *
netset_overlap(const struct netset *set, const struct network *net)
{
	size_t at = count_upto(set, net);

	if (at > 0 && network_contains(&set->items[at - 1], net))
		return &set->items[at - 1];
	if (at < set->count && network_contains(net, &set->items[at]))
		return &set->items[at];
	return NULL;
}

void
netset_add(struct netset *set, const struct network *net)
{
	size_t at = count_upto(set, net), end = at;
	struct network copy = *net; /* it may be one of ours */

	if (at > 0 && network_contains(&set->items[at - 1], net))
		return;
	while (end < set->count && network_contains(net, &set->items[end]))
		end++;
	if (end == at)
		set->items = xreallocarray(
			set->items, set->count + 1, sizeof *set->items);
	if (end < set->count)
		memmove(&set->items[at + 1], &set->items[end],
			(set->count - end) * sizeof *set->items);
	set->items[at] = copy;
	set->count = set->count + 1 - (end - at);
}

void
netset_add_all(struct netset *set, const struct netset *other)
{
	for (size_t i = 0; i < other->count; i++)
		netset_add(set, &other->items[i]);
}

void
netset_free(struct netset *set)
{
	free(set->items);
	set->items = NULL;
	set->count = 0;
}

bool
netset_equal(const struct netset *a, const struct netset *b)
{
	if (a->count != b->count)
		return false;
	return a->count == 0 ||
	       memcmp(a->items, b->items, a->count * sizeof *a->items) == 0;
}
