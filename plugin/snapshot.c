/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A list under way is gathered beside the last complete one.
 */
#include "plugin/snapshot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/xalloc.h"

/* A list that takes longer is given up; 200,000 bans take two seconds. */
#define PATIENCE_US INT64_C(8000000)

struct items {
	struct wire_item *all;
	size_t count, room;
	int64_t begun_us;
};

struct snapshot {
	struct items last, coming;
	bool under_way;
	int status;
	uint64_t packets, bytes;
};

struct snapshot *
snapshot_new(void)
{
	struct snapshot *snapshot = xcalloc(1, sizeof(*snapshot));

	snapshot->status = -ENOTCONN;
	return snapshot;
}

void
snapshot_free(struct snapshot *snapshot)
{
	if (!snapshot)
		return;
	free(snapshot->last.all);
	free(snapshot->coming.all);
	free(snapshot);
}

static int
compare(const void *a, const void *b)
{
	const struct wire_item *one = a, *other = b;

	return network_compare(&one->net, &other->net);
}

static void
end(struct snapshot *snapshot, int status)
{
	struct items *coming = &snapshot->coming;

	snapshot->under_way = false;
	snapshot->status = status;
	free(snapshot->last.all);
	snapshot->last = *coming;
	*coming = (struct items){.all = NULL};
	if (status < 0)
		snapshot->last.count = 0;
	snapshot->packets = snapshot->bytes = 0;
	for (size_t i = 0; i < snapshot->last.count; i++) {
		snapshot->packets += snapshot->last.all[i].packets;
		snapshot->bytes += snapshot->last.all[i].bytes;
	}
	if (snapshot->last.count)
		qsort(snapshot->last.all, snapshot->last.count,
			sizeof(struct wire_item), compare);
}

static void
gather(const struct wire_item *item, int status, void *arg)
{
	struct snapshot *snapshot = arg;
	struct items *coming = &snapshot->coming;

	if (!snapshot->under_way)
		return; /* given up */
	if (!item) {
		end(snapshot, status);
		return;
	}
	if (coming->count == coming->room) {
		coming->room = coming->room ? coming->room * 2 : 256;
		coming->all =
			xreallocarray(coming->all, coming->room, sizeof(*item));
	}
	coming->all[coming->count++] = *item;
}

bool
snapshot_ask(struct snapshot *snapshot, struct kernel *kernel, int64_t since_us,
	int64_t now_us)
{
	int rc;

	if (snapshot->under_way) {
		if (now_us - snapshot->coming.begun_us < PATIENCE_US)
			return false;
		end(snapshot, -ETIMEDOUT);
		return true;
	}
	if (snapshot->last.begun_us >= since_us)
		return true;
	snapshot->coming = (struct items){.begun_us = now_us};
	snapshot->under_way = true;
	rc = kernel ? kernel_list(kernel, gather, snapshot) : -ENOTCONN;
	if (rc < 0)
		end(snapshot, rc);
	return !snapshot->under_way;
}

int
snapshot_status(const struct snapshot *snapshot)
{
	return snapshot->status;
}

size_t
snapshot_count(const struct snapshot *snapshot)
{
	return snapshot->last.count;
}

uint64_t
snapshot_packets(const struct snapshot *snapshot)
{
	return snapshot->packets;
}

uint64_t
snapshot_bytes(const struct snapshot *snapshot)
{
	return snapshot->bytes;
}

const struct wire_item *
snapshot_find(const struct snapshot *snapshot, const struct network *net)
{
	struct wire_item key = {.net = *net};

	if (!snapshot->last.count)
		return NULL;
	return bsearch(&key, snapshot->last.all, snapshot->last.count,
		sizeof(key), compare);
}
