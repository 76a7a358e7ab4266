/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two tsearch trees (red-black in glibc) and the list of what has changed in
 * them. An interval set takes no overlaps, so nested wide bans are cut into
 * parts that do not overlap: halving the address space until a part is covered
 * by the same bans all over.
 */
#include "helper/want.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/xalloc.h"

static int
compare(const void *a, const void *b)
{
	return network_compare(
		&((const struct want *)a)->net, &((const struct want *)b)->net);
}

bool
want_is_client(const struct wants *wants, const struct network *net)
{
	return net->prefix ==
	       (net->addr.family == ADDR_V4 ? 32 : wants->prefix6);
}

static void **
tree_of(struct wants *wants, const struct network *net)
{
	return want_is_client(wants, net) ? &wants->clients : &wants->wide;
}

static struct want *
find(struct wants *wants, const struct network *net)
{
	struct want key = {.net = *net};
	void *found = tfind(&key, tree_of(wants, net), compare);

	return found ? *(struct want **)found : NULL;
}

static void
insert(struct wants *wants, struct want *want)
{
	if (!tsearch(want, tree_of(wants, &want->net), compare))
		fatal("out of memory");
	wants->count++;
}

static void
drop(struct wants *wants, struct want *want)
{
	(void)tdelete(want, tree_of(wants, &want->net), compare);
	wants->count--;
	free(want);
}

static void
change(struct wants *wants, struct want *want, enum want_change what)
{
	if (!want_is_client(wants, &want->net)) {
		wants->wide_changed = true;
		return;
	}
	if (want->change == WANT_SAME) {
		if (wants->changed_count == wants->changed_room) {
			wants->changed_room += wants->changed_room / 2 + 1024;
			wants->changed = xreallocarray(wants->changed,
				wants->changed_room, sizeof(struct want *));
		}
		wants->changed[wants->changed_count++] = want;
	}
	if (want->change < what)
		want->change = (uint8_t)what;
}

/* A list of all bans that is sent again has its ends anew, from now. */
static bool
same_end(int64_t a, int64_t b)
{
	enum { TOLERANCE_MS = 500 };

	return a == b || (a != WANT_PERMANENT && b != WANT_PERMANENT &&
				 llabs(a - b) <= TOLERANCE_MS);
}

void
want_set(struct wants *wants, const struct network *net, int64_t end_ms,
	bool present, void *by)
{
	struct want *want = find(wants, net);

	if (!want) {
		want = xcalloc(1, sizeof(*want));
		want->net = *net;
		want->present = present;
		insert(wants, want);
	}
	want->round = wants->round;
	if (want->present && want->change == WANT_SAME &&
		same_end(want->end_ms, end_ms))
		return;
	want->end_ms = end_ms;
	want->by = by;
	change(wants, want, WANT_NEW);
}

void
want_told(struct wants *wants, struct want *want)
{
	want->change = WANT_SAME;
	want->present = true;
	want->by = NULL;
	if (want->end_ms == WANT_LIFTED)
		drop(wants, want);
}

void
want_refused(struct wants *wants, struct want *want)
{
	drop(wants, want);
}

void
want_compact(struct wants *wants)
{
	size_t kept = 0;

	for (size_t i = 0; i < wants->changed_count; i++) {
		struct want *want = wants->changed[i];

		if (!want)
			continue;
		want->by = NULL;
		wants->changed[kept++] = want;
	}
	wants->changed_count = kept;
}

void
want_gone(struct wants *wants, const struct network *net)
{
	struct want *want = find(wants, net);

	if (!want)
		return;
	want->present = false;
	change(wants, want, WANT_MEND);
}

struct collection {
	struct want **items;
	size_t count;
};

static void
collect_one(const void *node, VISIT visit, void *arg)
{
	struct collection *all = arg;

	if (visit == postorder || visit == leaf)
		all->items[all->count++] = *(struct want *const *)node;
}

/* All wants of a tree, sorted; the caller frees .items. */
static struct collection
collect(const struct wants *wants, const void *tree)
{
	struct collection all = {
		xcalloc(wants->count + 1, sizeof(struct want *)), 0};

	twalk_r(tree, collect_one, &all);
	return all;
}

void
want_mend_all(struct wants *wants, bool absent)
{
	struct collection all = collect(wants, wants->clients);

	for (size_t i = 0; i < all.count; i++) {
		if (absent)
			all.items[i]->present = false;
		change(wants, all.items[i], WANT_MEND);
	}
	free(all.items);
	wants->wide_changed = true;
}

static void
lift_others_of(struct wants *wants, const void *tree, void *by)
{
	struct collection all = collect(wants, tree);

	for (size_t i = 0; i < all.count; i++)
		if (all.items[i]->round != wants->round) {
			all.items[i]->end_ms = WANT_LIFTED;
			all.items[i]->by = by;
			change(wants, all.items[i], WANT_NEW);
		}
	free(all.items);
}

void
want_lift_others(struct wants *wants, void *by)
{
	lift_others_of(wants, wants->clients, by);
	lift_others_of(wants, wants->wide, by);
}

static void
keep_node(void *node)
{
	(void)node;
}

void
want_reclassify(struct wants *wants, uint8_t prefix6)
{
	struct collection all[2] = {
		collect(wants, wants->clients), collect(wants, wants->wide)};

	tdestroy(wants->clients, keep_node);
	tdestroy(wants->wide, keep_node);
	wants->clients = wants->wide = NULL;
	wants->count = 0;
	wants->prefix6 = prefix6;
	wants->wide_changed = true;
	wants->changed_count = 0;
	for (size_t tree = 0; tree < 2; tree++) {
		for (size_t i = 0; i < all[tree].count; i++) {
			all[tree].items[i]->change = WANT_SAME;
			insert(wants, all[tree].items[i]);
		}
		free(all[tree].items);
	}
}

static void
sweep_tree(struct wants *wants, const void *tree, int64_t now_ms)
{
	struct collection all = collect(wants, tree);

	for (size_t i = 0; i < all.count; i++)
		if (all.items[i]->end_ms <= now_ms &&
			all.items[i]->change == WANT_SAME)
			drop(wants, all.items[i]);
	free(all.items);
}

void
want_sweep(struct wants *wants, int64_t now_ms)
{
	sweep_tree(wants, wants->clients, now_ms);
	/* Its lifted ones may still have to be told. */
	if (!wants->wide_changed)
		sweep_tree(wants, wants->wide, now_ms);
}

void
want_free(struct wants *wants)
{
	tdestroy(wants->clients, free);
	tdestroy(wants->wide, free);
	free(wants->changed);
	*wants = (struct wants){.prefix6 = wants->prefix6};
}

/* The wide bans left to be looked at, sorted, and the parts made so far. */
struct cutting {
	struct want **at, **end;
	struct want_part *parts;
	size_t count, room;
};

static void
add_part(struct cutting *cut, const struct network *net, int64_t end_ms)
{
	if (cut->count == cut->room) {
		cut->room += cut->room / 2 + 64;
		cut->parts = xreallocarray(
			cut->parts, cut->room, sizeof(struct want_part));
	}
	cut->parts[cut->count++] = (struct want_part){*net, end_ms};
}

static struct network
upper_half(const struct network *net)
{
	struct network half = *net;

	half.addr.bytes[net->prefix / 8] |= (uint8_t)(0x80 >> net->prefix % 8);
	half.prefix++;
	return half;
}

/* Cuts up net, all of which is banned until end_ms (0: is not) by the bans
 * around it. Depth is bounded by the bits of an address. */
static void
cut_network(struct cutting *cut, const struct network *net, int64_t end_ms)
{
	struct network half = {net->addr, (uint8_t)(net->prefix + 1)};

	while (cut->at < cut->end && network_contains(net, &(*cut->at)->net)) {
		if ((*cut->at)->end_ms > end_ms &&
			!network_equal(net, &(*cut->at)->net))
			break;
		/* net itself, or one that the bans around it outlast */
		if ((*cut->at)->end_ms > end_ms)
			end_ms = (*cut->at)->end_ms;
		cut->at++;
	}
	if (cut->at == cut->end || !network_contains(net, &(*cut->at)->net)) {
		if (end_ms != WANT_LIFTED)
			add_part(cut, net, end_ms);
		return;
	}
	cut_network(cut, &half, end_ms);
	half = upper_half(net);
	cut_network(cut, &half, end_ms);
}

size_t
want_parts(const struct wants *wants, uint8_t family, int64_t now_ms,
	struct want_part **out)
{
	struct collection all = collect(wants, wants->wide);
	struct network everything = {{.family = family}, 0};
	struct cutting cut = {0};
	size_t kept = 0;

	for (size_t i = 0; i < all.count; i++)
		if (all.items[i]->net.addr.family == family &&
			all.items[i]->end_ms > now_ms)
			all.items[kept++] = all.items[i];
	cut.at = all.items;
	cut.end = all.items + kept;
	cut_network(&cut, &everything, WANT_LIFTED);
	free(all.items);
	*out = cut.parts;
	return cut.count;
}
