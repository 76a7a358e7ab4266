/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is wanted is written down first (want.h) and then written to the
 * kernel, in transactions of some thousand elements: measured, that is as fast
 * as one file given to nft, and five times faster than one element at a time.
 * Mending is writing all again that is wanted, which does no harm to what is
 * there.
 */
#include "helper/keeper.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/duration.h"
#include "common/host.h"
#include "common/log.h"

enum {
	SLICE = 5000,
	/* As many in one transaction take 250 MB. */
	REWRITE_MAX = 100000,
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
	/* nft needs 1.3 s to list 100,000 elements, 98 s for a million. */
	LIST_MAX = 200000,
};

static const int64_t never = INT64_MAX;

int64_t
keeper_now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_BOOTTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* ---- Transactions ---- */

/* Ours are not listened to. */
static int
run(struct keeper *keeper, struct command *command)
{
	uint32_t before = keeper->nft.commits;
	int result;

	watch_pause(&keeper->watch);
	result = nft_run(&keeper->nft, command);
	watch_resume(&keeper->watch, keeper->nft.commits - before);
	return result;
}

static void
clients_command(struct keeper *keeper, struct command *command,
	struct want *const *clients, size_t count)
{
	command_clients(command, &(struct command_clients){clients, count,
					 keeper_now_ms(), keeper->spare});
}

static int
write_clients(struct keeper *keeper, struct want *const *clients, size_t count)
{
	struct command command;

	command_begin(&command, keeper->nft.table);
	clients_command(keeper, &command, clients, count);
	if (!command_is_empty(&command))
		return run(keeper, &command);
	command_free(&command);
	return 0;
}

/* All of these; when some are refused, all but those. Those that are done with
 * become NULL. */
static int
write_slice(struct keeper *keeper, struct want **clients, size_t count)
{
	int result = write_clients(keeper, clients, count);

	if (result == 0) {
		for (size_t i = 0; i < count; i++) {
			want_told(&keeper->wants, clients[i]);
			clients[i] = NULL;
		}
		return 0;
	}
	if (nft_is_general(result))
		return result;
	if (count == 1) {
		keeper->refused(&clients[0]->net, result, clients[0]->by);
		want_refused(&keeper->wants, clients[0]);
		clients[0] = NULL;
		return 0;
	}
	result = write_slice(keeper, clients, count / 2);
	if (result < 0)
		return result;
	return write_slice(keeper, clients + count / 2, count - count / 2);
}

static int
write_wide(struct keeper *keeper)
{
	struct command command;
	int result;

	if (!keeper->wants.wide_changed)
		return 0;
	command_begin(&command, keeper->nft.table);
	command_wide(&command, &keeper->wants, keeper_now_ms());
	result = run(keeper, &command);
	if (result == 0)
		keeper->wants.wide_changed = false;
	return result;
}

static int
write_changes(struct keeper *keeper)
{
	struct wants *wants = &keeper->wants;
	int result = write_wide(keeper);
	size_t done = 0, count;

	while (result == 0 && done < wants->changed_count) {
		count = wants->changed_count - done;
		if (count > SLICE)
			count = SLICE;
		result = write_slice(keeper, wants->changed + done, count);
		done += count;
	}
	want_compact(wants);
	return result;
}

static int
run_install(struct keeper *keeper, bool anew)
{
	struct command command;

	command_begin(&command, keeper->nft.table);
	if (anew)
		command_remove(&command);
	command_install(&command, &keeper->options, keeper->unknown);
	command_exempt(&command, &keeper->exempt);
	return run(keeper, &command);
}

static int
install_table(struct keeper *keeper)
{
	int result = run_install(keeper, false);

	/* What is there is not what an earlier version or we made. */
	if (result == -EEXIST || result == -EBUSY || result == -EOPNOTSUPP ||
		result == -EINVAL) {
		log_warn("remake table=%s: what is there is not ours",
			keeper->nft.table);
		result = run_install(keeper, true);
		if (result == 0)
			want_mend_all(&keeper->wants, true);
	}
	if (result < 0)
		return result;
	free(keeper->described);
	keeper->described = nft_describe(&keeper->nft);
	return 0;
}

/* The sets of clients are emptied and filled in one transaction. */
static int
rewrite_at_once(struct keeper *keeper)
{
	struct wants *wants = &keeper->wants;
	struct command command;
	int result;

	command_begin(&command, keeper->nft.table);
	command_forget(&command);
	clients_command(keeper, &command, wants->changed, wants->changed_count);
	result = run(keeper, &command);
	if (result < 0)
		return result;
	for (size_t i = 0; i < wants->changed_count; i++)
		want_told(wants, wants->changed[i]);
	wants->changed_count = 0;
	return 0;
}

/* The same by way of the spare sets, which takes longer but little memory,
 * and lets a bad element be found. */
static int
rewrite_slowly(struct keeper *keeper)
{
	struct command command;
	int result;

	keeper->spare = true;
	result = write_changes(keeper);
	keeper->spare = false;
	if (result < 0)
		return result;
	command_begin(&command, keeper->nft.table);
	command_forget(&command);
	result = run(keeper, &command);
	if (result < 0)
		return result;
	want_mend_all(&keeper->wants, true);
	return write_changes(keeper);
}

/* What is in the sets is replaced: what stays banned is banned all the while,
 * and what is not known here goes. The spare sets are there. */
static int
rewrite_all(struct keeper *keeper)
{
	int result = -EINVAL;

	want_mend_all(&keeper->wants, true);
	if (keeper->wants.changed_count <= REWRITE_MAX)
		result = rewrite_at_once(keeper);
	if (result < 0 && !nft_is_general(result))
		result = rewrite_slowly(keeper);
	if (result == 0)
		result = write_wide(keeper);
	if (result < 0)
		return result;
	keeper->unknown = false;
	return install_table(keeper); /* without the spare sets */
}

static int
mend(struct keeper *keeper)
{
	int result = install_table(keeper);

	if (result < 0)
		return result;
	want_mend_all(&keeper->wants, false);
	return write_changes(keeper);
}

/* ---- What is asked for ---- */

int
keeper_install(struct keeper *keeper, const struct wire_options *options)
{
	bool remade = options->prefix6 != keeper->wants.prefix6;
	int result;

	keeper->options = *options;
	if (!keeper->installed) {
		free(keeper->described);
		keeper->described = nft_describe(&keeper->nft);
		keeper->unknown = keeper->described != NULL;
	}
	if (remade)
		want_reclassify(&keeper->wants, options->prefix6);
	remade = remade && keeper->installed;
	keeper->unknown = keeper->unknown || remade;
	result = install_table(keeper);
	if (result < 0)
		return result;
	keeper->installed = true;
	return remade ? rewrite_all(keeper) : write_changes(keeper);
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
		netset_add_all(&all, &keeper->exempt); /* none forgotten */
	}
	keeper->host_ms = keeper_now_ms() + HOST_MS;
	if (netset_equal(&all, &keeper->exempt)) {
		netset_free(&all);
		return false;
	}
	netset_free(&keeper->exempt);
	keeper->exempt = all;
	return true;
}

static int
write_exempt(struct keeper *keeper)
{
	struct command command;

	if (!keeper->installed)
		return 0;
	command_begin(&command, keeper->nft.table);
	command_exempt(&command, &keeper->exempt);
	return run(keeper, &command);
}

int
keeper_exempt(struct keeper *keeper, const struct netset *asked)
{
	netset_free(&keeper->asked);
	netset_add_all(&keeper->asked, asked);
	(void)renew_exempt(keeper); /* written in any case */
	return write_exempt(keeper);
}

int
keeper_ban(struct keeper *keeper, const struct network *net,
	uint64_t timeout_ms, void *by)
{
	const uint64_t longest_ms = (uint64_t)DURATION_MAX_S * 1000;
	uint8_t shortest = net->addr.family == ADDR_V4
				   ? keeper->options.prefix4_min
				   : keeper->options.prefix6_min;
	int64_t end_ms = WANT_PERMANENT;

	if (net->prefix < shortest)
		return -EINVAL;
	if (netset_find(&keeper->exempt, net))
		return -EPERM;
	if (timeout_ms > longest_ms)
		timeout_ms = longest_ms;
	if (timeout_ms != 0)
		end_ms = keeper_now_ms() + (int64_t)timeout_ms;
	want_set(&keeper->wants, net, end_ms, keeper->unknown, by);
	return 0;
}

void
keeper_lift(struct keeper *keeper, const struct network *net, void *by)
{
	/* Perhaps somebody else added it: lifting means gone. */
	want_set(&keeper->wants, net, WANT_LIFTED, true, by);
}

void
keeper_forget_askers(struct keeper *keeper)
{
	want_compact(&keeper->wants);
}

int
keeper_write(struct keeper *keeper)
{
	int result;

	if (!keeper->installed)
		return -ENODEV;
	result = write_changes(keeper);
	/* Somebody deleted the table just now. */
	return result == -ENOENT ? mend(keeper) : result;
}

void
keeper_replace_begin(struct keeper *keeper)
{
	keeper->wants.round++;
}

int
keeper_replace_end(struct keeper *keeper, void *by)
{
	int result;

	want_lift_others(&keeper->wants, by);
	if (!keeper->installed)
		return -ENODEV;
	if (!keeper->unknown)
		return keeper_write(keeper);
	result = rewrite_all(keeper);
	return result == -ENOENT ? mend(keeper) : result;
}

int
keeper_list(struct keeper *keeper,
	void (*item)(const struct wire_item *item, void *arg), void *arg)
{
	int result = keeper->wants.count > LIST_MAX ? -E2BIG : 0;

	for (size_t i = 0; result == 0 && i < COMMAND_SETS; i++)
		if (command_sets[i].kind == COMMAND_CLIENTS ||
			command_sets[i].kind == COMMAND_WIDE)
			result = nft_list(&keeper->nft, &command_sets[i],
				keeper->wants.prefix6, item, arg);
	return result;
}

int
keeper_remove(struct keeper *keeper)
{
	struct command command;
	int result;

	command_begin(&command, keeper->nft.table);
	command_remove(&command);
	result = run(keeper, &command);
	if (result < 0)
		return result;
	want_free(&keeper->wants);
	free(keeper->described);
	keeper->described = NULL;
	keeper->installed = keeper->unknown = false;
	return 0;
}

/* ---- What others do ---- */

static void
client_gone(const char *name, const uint8_t *key, size_t len, void *arg)
{
	struct keeper *keeper = arg;
	struct network net = {0};

	for (size_t i = 0; i < COMMAND_SETS; i++) {
		const struct command_set *set = &command_sets[i];

		if (set->kind != COMMAND_CLIENTS ||
			strcmp(set->name, name) != 0 ||
			len != (set->family == ADDR_V4 ? 4U : 16U))
			continue;
		net.addr.family = set->family;
		memcpy(net.addr.bytes, key, len);
		net.prefix =
			set->family == ADDR_V4 ? 32 : keeper->wants.prefix6;
		want_gone(&keeper->wants, &net);
		keeper->gone = true;
		return;
	}
	/* Of an interval set: all of it is written again. */
	keeper->watch.hit = true;
}

/* Somebody changed nftables while we wrote: was it our table? If it looks as
 * we left it, an element may still have gone. */
static void
resolve_doubt(struct keeper *keeper, int64_t now_ms)
{
	char *now = nft_describe(&keeper->nft);
	int64_t due_ms = keeper->mended_ms + DOUBT_MS;

	keeper->watch.doubt = false;
	if (!now || !keeper->described || strcmp(now, keeper->described) != 0)
		keeper->watch.hit = true;
	else if (keeper->mend_ms == never) {
		keeper->mend_all = true;
		keeper->mend_ms = due_ms > now_ms ? due_ms : now_ms;
	}
	free(now);
}

static void
plan_mending(struct keeper *keeper, int64_t now_ms)
{
	if (keeper->hit_ms == never)
		keeper->hit_ms = now_ms;
	keeper->mend_all |= keeper->watch.hit;
	keeper->watch.hit = keeper->gone = false;
	keeper->mend_ms = now_ms + QUIET_MS;
	if (keeper->mend_ms > keeper->hit_ms + QUIET_MAX_MS)
		keeper->mend_ms = keeper->hit_ms + QUIET_MAX_MS;
}

static bool
mend_now(struct keeper *keeper, int64_t now_ms)
{
	int result = keeper->mend_all ? mend(keeper) : write_changes(keeper);
	bool was_hit = keeper->hit_ms != never;

	if (result == -ENOENT)
		result = mend(keeper);
	if (result < 0) {
		keeper->mend_all = true;
		keeper->hit_ms = now_ms;
		keeper->mend_ms = now_ms + QUIET_MS;
		if (result == -ENOENT) /* deleted again at this moment */
			return false;
		keeper->mend_ms = now_ms + AGAIN_MS;
		log_err("mend table=%s error=\"%s\"", keeper->nft.table,
			strerror(-result));
		return false;
	}
	keeper->mend_all = false;
	keeper->mend_ms = keeper->hit_ms = never;
	keeper->mended_ms = keeper_now_ms();
	if (was_hit)
		log_warn("mended table=%s bans=%zu ms=%lld: somebody else "
			 "deleted it or a part of it",
			keeper->nft.table, keeper->wants.count,
			(long long)(keeper->mended_ms - now_ms));
	return was_hit;
}

static void
look_at_host(struct keeper *keeper, int64_t now_ms)
{
	if (keeper->watch.host && keeper->host_ms > now_ms + QUIET_MS)
		keeper->host_ms = now_ms + QUIET_MS;
	keeper->watch.host = false;
	if (keeper->host_ms > now_ms)
		return;
	if (renew_exempt(keeper) && write_exempt(keeper) < 0)
		keeper->watch.hit = true; /* mending writes it */
}

bool
keeper_work(struct keeper *keeper)
{
	int64_t now_ms = keeper_now_ms();

	watch_read(&keeper->watch);
	look_at_host(keeper, now_ms);
	if (keeper->sweep_ms <= now_ms) {
		want_sweep(&keeper->wants, now_ms);
		keeper->sweep_ms = now_ms + SWEEP_MS;
	}
	if (!keeper->installed) {
		keeper->watch.hit = keeper->watch.doubt = keeper->gone = false;
		keeper->mend_ms = keeper->hit_ms = never;
		return false;
	}
	if (keeper->watch.doubt)
		resolve_doubt(keeper, now_ms);
	if (keeper->watch.hit || keeper->gone)
		plan_mending(keeper, now_ms);
	return keeper->mend_ms <= now_ms && mend_now(keeper, now_ms);
}

int
keeper_timeout_ms(const struct keeper *keeper)
{
	int64_t due_ms = keeper->host_ms, left_ms;

	if (keeper->mend_ms < due_ms)
		due_ms = keeper->mend_ms;
	if (keeper->watch.doubt || keeper->watch.hit || keeper->gone)
		return 0;
	left_ms = due_ms - keeper_now_ms();
	return left_ms < 0 ? 0 : (int)left_ms;
}

void
keeper_open(struct keeper *keeper, const char *table)
{
	nft_open(&keeper->nft, table);
	watch_open(&keeper->watch, table);
	keeper->watch.gone = client_gone;
	keeper->watch.arg = keeper;
	keeper->wants.prefix6 = 64;
	keeper->options.prefix4_min = WIRE_PREFIX4_MIN;
	keeper->options.prefix6_min = WIRE_PREFIX6_MIN;
	keeper->hit_ms = keeper->mend_ms = never;
	keeper->mended_ms = -DOUBT_MS;
	keeper->sweep_ms = keeper_now_ms() + SWEEP_MS;
	(void)renew_exempt(keeper); /* nothing is installed yet */
}

void
keeper_close(struct keeper *keeper)
{
	nft_close(&keeper->nft);
	watch_close(&keeper->watch);
	want_free(&keeper->wants);
	free(keeper->described);
	netset_free(&keeper->asked);
	netset_free(&keeper->exempt);
}
