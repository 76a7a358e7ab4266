/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Looks after the table: takes down what is wanted, has it written, and has it
 * mended when others are done with what they did.
 */
#include "helper/keeper.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/duration.h"
#include "common/host.h"
#include "common/log.h"

enum {
	/* Three times what mailban is made for: a bound, for a peer that has
	 * gone mad. */
	BANS_MAX = 3000000,
	/* A reload comes as many changes: mend when it is over, or has gone
	 * on for long enough. */
	QUIET_MS = 100,
	QUIET_MAX_MS = 500,
	/* Between two mendings of which nobody knows whether they are needed.
	 */
	DOUBT_MS = 60000,
	AGAIN_MS = 1000,
	HOST_MS = 10000,
	SWEEP_MS = 60000,
};

static const int64_t never = INT64_MAX;

/* ---- What is asked for ---- */

int
keeper_install(struct keeper *keeper, const struct wire_options *options)
{
	struct table *table = &keeper->table;
	bool remade = options->prefix6 != table->wants.prefix6;
	int result;

	table->options = *options;
	if (remade)
		want_reclassify(&table->wants, options->prefix6);
	remade = remade && table->installed;
	if (!table->installed)
		table->unknown = table_find(table);
	table->unknown = table->unknown || remade;
	result = table_install(table);
	if (result < 0)
		return result;
	return remade ? table_rewrite(table) : table_write(table);
}

/* Whether the union changed. */
static bool
renew_exempt(struct keeper *keeper)
{
	struct netset all = {0};
	int result = host_networks(&all);

	netset_add_all(&all, &keeper->asked);
	if (result < 0) {
		log_debug("host addresses error=\"%s\"", strerror(-result));
		netset_add_all(
			&all, &keeper->table.exempt); /* none forgotten */
	}
	keeper->host_ms = table_now_ms() + HOST_MS;
	if (netset_equal(&all, &keeper->table.exempt)) {
		netset_free(&all);
		return false;
	}
	netset_free(&keeper->table.exempt);
	keeper->table.exempt = all;
	return true;
}

int
keeper_exempt(struct keeper *keeper, const struct netset *asked)
{
	netset_free(&keeper->asked);
	netset_add_all(&keeper->asked, asked);
	(void)renew_exempt(keeper); /* written in any case */
	return table_write_exempt(&keeper->table);
}

int
keeper_ban(struct keeper *keeper, const struct network *net,
	uint64_t timeout_ms, void *by)
{
	const uint64_t longest_ms = (uint64_t)DURATION_MAX_S * 1000;
	uint8_t shortest = net->addr.family == ADDR_V4
				   ? keeper->table.options.prefix4_min
				   : keeper->table.options.prefix6_min;
	int64_t end_ms = WANT_PERMANENT;

	if (net->prefix < shortest)
		return -EINVAL;
	if (netset_find(&keeper->table.exempt, net))
		return -EPERM;
	if (keeper->table.wants.count >= BANS_MAX)
		return -ENOSPC;
	if (timeout_ms > longest_ms)
		timeout_ms = longest_ms;
	if (timeout_ms != 0)
		end_ms = table_now_ms() + (int64_t)timeout_ms;
	want_set(&keeper->table.wants, net, end_ms, keeper->table.unknown, by);
	return 0;
}

void
keeper_lift(struct keeper *keeper, const struct network *net, void *by)
{
	/* Perhaps somebody else added it: lifting means gone. */
	want_set(&keeper->table.wants, net, WANT_LIFTED, true, by);
}

void
keeper_forget_askers(struct keeper *keeper)
{
	want_compact(&keeper->table.wants);
}

int
keeper_write(struct keeper *keeper)
{
	int result;

	if (!keeper->table.installed)
		return -ENODEV;
	result = table_write(&keeper->table);
	/* Somebody deleted the table just now. */
	return result == -ENOENT ? table_mend(&keeper->table) : result;
}

void
keeper_replace_begin(struct keeper *keeper)
{
	keeper->table.wants.round++;
}

int
keeper_replace_end(struct keeper *keeper, void *by)
{
	int result;

	want_lift_others(&keeper->table.wants, by);
	if (!keeper->table.installed || !keeper->table.unknown)
		return keeper_write(keeper);
	result = table_rewrite(&keeper->table);
	return result == -ENOENT ? table_mend(&keeper->table) : result;
}

/* ---- What others do ---- */

static void
client_gone(const char *name, const uint8_t *key, size_t len, void *arg)
{
	struct keeper *keeper = arg;
	struct table *table = &keeper->table;
	struct network net = {0};

	for (size_t i = 0; i < COMMAND_SETS && !table->running; i++) {
		const struct command_set *set = &command_sets[i];

		if (set->kind != COMMAND_CLIENTS ||
			strcmp(set->name, name) != 0 ||
			len != (set->family == ADDR_V4 ? 4U : 16U))
			continue;
		net.addr.family = set->family;
		memcpy(net.addr.bytes, key, len);
		net.prefix = set->family == ADDR_V4 ? 32 : table->wants.prefix6;
		want_gone(&table->wants, &net);
		keeper->gone = true;
		return;
	}
	/* Of an interval set: all of it is written again. */
	table->watch.hit = true;
}

/* Somebody changed nftables while we wrote: was it our table? If it looks as
 * we left it, an element may still have gone. */
static void
resolve_doubt(struct keeper *keeper, int64_t now_ms)
{
	int64_t due_ms = keeper->mended_ms + DOUBT_MS;

	keeper->table.watch.doubt = false;
	log_debug("doubt: somebody changed nftables while we did");
	if (table_is_changed(&keeper->table)) {
		keeper->table.watch.hit = true;
	} else if (keeper->mend_ms == never) {
		keeper->mend_all = true;
		keeper->mend_ms = due_ms > now_ms ? due_ms : now_ms;
	}
}

static void
plan_mending(struct keeper *keeper, int64_t now_ms)
{
	if (keeper->hit_ms == never)
		keeper->hit_ms = now_ms;
	keeper->mend_all |= keeper->table.watch.hit;
	keeper->table.watch.hit = keeper->gone = false;
	keeper->mend_ms = now_ms + QUIET_MS;
	if (keeper->mend_ms > keeper->hit_ms + QUIET_MAX_MS)
		keeper->mend_ms = keeper->hit_ms + QUIET_MAX_MS;
}

static bool
mend_now(struct keeper *keeper, int64_t now_ms)
{
	int result = keeper->mend_all ? table_mend(&keeper->table)
				      : table_write(&keeper->table);
	bool was_hit = keeper->hit_ms != never;

	if (result == -ENOENT)
		result = table_mend(&keeper->table);
	if (result < 0) {
		keeper->mend_all = true;
		keeper->hit_ms = now_ms;
		keeper->mend_ms = now_ms + QUIET_MS;
		if (result == -ENOENT) /* deleted again at this moment */
			return false;
		keeper->mend_ms = now_ms + AGAIN_MS;
		log_err("mend table=%s error=\"%s\"", keeper->table.nft.table,
			strerror(-result));
		return false;
	}
	keeper->mend_all = false;
	keeper->mend_ms = keeper->hit_ms = never;
	keeper->mended_ms = table_now_ms();
	if (was_hit)
		log_warn("mended table=%s bans=%zu ms=%lld: somebody else "
			 "deleted it or a part of it",
			keeper->table.nft.table, keeper->table.wants.count,
			(long long)(keeper->mended_ms - now_ms));
	return was_hit;
}

static void
look_at_host(struct keeper *keeper, int64_t now_ms)
{
	if (keeper->table.watch.host && keeper->host_ms > now_ms + QUIET_MS)
		keeper->host_ms = now_ms + QUIET_MS;
	keeper->table.watch.host = false;
	if (keeper->host_ms > now_ms)
		return;
	if (renew_exempt(keeper) && table_write_exempt(&keeper->table) < 0)
		keeper->table.watch.hit = true; /* mending writes it */
}

bool
keeper_work(struct keeper *keeper)
{
	int64_t now_ms = table_now_ms();

	watch_read(&keeper->table.watch);
	look_at_host(keeper, now_ms);
	if (keeper->sweep_ms <= now_ms) {
		want_sweep(&keeper->table.wants, now_ms);
		keeper->sweep_ms = now_ms + SWEEP_MS;
	}
	if (!keeper->table.installed) {
		keeper->table.watch.hit = keeper->table.watch.doubt =
			keeper->gone = false;
		keeper->mend_ms = keeper->hit_ms = never;
		return false;
	}
	if (keeper->table.watch.doubt)
		resolve_doubt(keeper, now_ms);
	if (keeper->table.watch.hit || keeper->gone)
		plan_mending(keeper, now_ms);
	return keeper->mend_ms <= now_ms && mend_now(keeper, now_ms);
}

int
keeper_timeout_ms(const struct keeper *keeper)
{
	int64_t due_ms = keeper->host_ms, left_ms;

	if (keeper->mend_ms < due_ms)
		due_ms = keeper->mend_ms;
	if (keeper->table.watch.doubt || keeper->table.watch.hit ||
		keeper->gone)
		return 0;
	left_ms = due_ms - table_now_ms();
	return left_ms < 0 ? 0 : (int)left_ms;
}

void
keeper_open(struct keeper *keeper, const char *name, keeper_refused refused)
{
	*keeper = (struct keeper){.table.refused = refused};
	nft_open(&keeper->table.nft, name);
	watch_open(&keeper->table.watch, name);
	keeper->table.watch.gone = client_gone;
	keeper->table.watch.arg = keeper;
	keeper->table.wants.prefix6 = 64;
	keeper->table.options.prefix4_min = WIRE_PREFIX4_MIN;
	keeper->table.options.prefix6_min = WIRE_PREFIX6_MIN;
	keeper->hit_ms = keeper->mend_ms = never;
	keeper->mended_ms = -DOUBT_MS;
	keeper->sweep_ms = table_now_ms() + SWEEP_MS;
	(void)renew_exempt(keeper); /* nothing is installed yet */
}

void
keeper_close(struct keeper *keeper)
{
	nft_close(&keeper->table.nft);
	watch_close(&keeper->table.watch);
	want_free(&keeper->table.wants);
	free(keeper->table.described);
	netset_free(&keeper->asked);
	netset_free(&keeper->table.exempt);
}
