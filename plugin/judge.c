/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who is charged, whether that fills a window, and what follows. The counting
 * itself is in tally.c and window.c, the bans are in banlist.c.
 */
#include "plugin/judge.h"

#include "common/xalloc.h"
#include "plugin/banlist.h"
#include "plugin/tally.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* So many offences in a row that are too late: the clock was wrong before. */
enum { LATE_RUN = 100 };

static_assert((int)CLASS_OFFENCES <= (int)TALLY_KINDS, "a kind for a class");
static_assert(JUDGE_COUNT_MAX == TALLY_COUNT_MAX, "one bound");

struct judge {
	struct judge_settings settings;
	struct tallies *tallies;
	struct banlist *bans;
	int64_t newest_us; /* of all offences */
	int64_t now_us;	   /* of the last judge_expire */
	unsigned late_run;
};

/* IPv4 as IPv4-mapped IPv6, which no IPv6 client is. */
static void
who_of(const struct network *client, uint8_t who[TALLY_WHO])
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (client->addr.family == ADDR_V6) {
		memcpy(who, client->addr.bytes, TALLY_WHO);
		return;
	}
	memcpy(who, mapped, sizeof mapped);
	memcpy(who + sizeof mapped, client->addr.bytes, 4);
}

static struct addr
addr_of(const uint8_t who[TALLY_WHO])
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	struct addr addr = {.family = ADDR_V6};

	if (memcmp(who, mapped, sizeof mapped) != 0) {
		memcpy(addr.bytes, who, TALLY_WHO);
		return addr;
	}
	addr.family = ADDR_V4;
	memcpy(addr.bytes, who + sizeof mapped, 4);
	return addr;
}

static bool
who_is_in(const uint8_t who[TALLY_WHO], const void *arg)
{
	struct addr addr = addr_of(who);

	return network_has(arg, &addr);
}

static bool
who_is_family(const uint8_t who[TALLY_WHO], const void *arg)
{
	return addr_of(who).family == *(const uint8_t *)arg;
}

static struct network
client_of(const struct judge *judge, const struct addr *addr)
{
	return network_of(addr, addr->family == ADDR_V6
					? judge->settings.prefix6
					: judge->settings.prefix4);
}

static void
clear_tallies(struct judge *judge, const struct network *net)
{
	struct network client = client_of(judge, &net->addr);
	uint8_t who[TALLY_WHO];

	if (net->prefix < client.prefix) {
		tallies_clear_if(judge->tallies, who_is_in, net);
		return;
	}
	who_of(&client, who);
	tallies_clear(judge->tallies, who);
}

static void
set_horizons(struct judge *judge)
{
	int64_t oldest_us = time_before(judge->newest_us, JUDGE_LATE_US);

	for (uint8_t i = 0; i < CLASS_OFFENCES; i++)
		tallies_horizon(judge->tallies, i,
			time_before(oldest_us,
				judge->settings.policy[i].findtime_us));
}

/* The judge's own time is that of the offences, so that a queue that waited
 * for days is judged as it would have been then. */
static void
follow_time(struct judge *judge, int64_t time_us)
{
	int64_t newest_us = judge->newest_us;
	bool late = time_us < time_before(newest_us, JUDGE_LATE_US);

	judge->late_run = late ? judge->late_run + 1 : 0;
	if (judge->late_run >= LATE_RUN) {
		judge->late_run = 0;
		judge->newest_us = time_us;
	} else if (time_us > newest_us) {
		judge->newest_us = time_us;
	}
	if (judge->newest_us != newest_us)
		set_horizons(judge);
}

struct judge *
judge_new(const struct judge_settings *settings, const uint8_t key[16])
{
	struct judge *judge = xcalloc(1, sizeof *judge);

	judge->settings.prefix4 = settings->prefix4;
	judge->settings.prefix6 = settings->prefix6;
	judge->tallies = tallies_new(key);
	judge->bans = banlist_new(key);
	judge->newest_us = judge->now_us = INT64_MIN;
	judge_configure(judge, settings);
	return judge;
}

void
judge_free(struct judge *judge)
{
	if (!judge)
		return;
	netset_free(&judge->settings.exempt);
	tallies_free(judge->tallies);
	banlist_free(judge->bans);
	free(judge);
}

void
judge_configure(struct judge *judge, const struct judge_settings *settings)
{
	static const uint8_t v4 = ADDR_V4, v6 = ADDR_V6;
	struct judge_settings old = judge->settings;

	assert(settings->prefix4 <= 32 && settings->prefix6 <= 128);
	if (settings->prefix4 != old.prefix4)
		tallies_clear_if(judge->tallies, who_is_family, &v4);
	if (settings->prefix6 != old.prefix6)
		tallies_clear_if(judge->tallies, who_is_family, &v6);
	judge->settings = *settings;
	judge->settings.exempt = (struct netset){0};
	netset_add_all(&judge->settings.exempt, &settings->exempt);
	netset_free(&old.exempt);
	tallies_limit(judge->tallies, settings->memory_max);
	set_horizons(judge);
}

/* --- offences --- */

static void
add_to_tally(struct judge *judge, const struct network *client,
	enum class class, const struct moment *one, struct window_sum *out)
{
	const struct policy *policy = &judge->settings.policy[class];
	struct window window = {.findtime_us = policy->findtime_us,
		.maxretry = policy->maxretry};
	struct tally_id id = {.kind = (uint8_t) class};

	*out = (struct window_sum){0};
	if (policy->maxretry == 0 || one->count == 0)
		return;
	if (window.maxretry > JUDGE_COUNT_MAX)
		window.maxretry = JUDGE_COUNT_MAX;
	who_of(client, id.who);
	tallies_add(judge->tallies, &id, one, &window, out);
}

static void
make_ban(struct judge *judge, enum class class, const struct window_sum *sum,
	struct judgement *out)
{
	int64_t bantime_us = judge->settings.policy[class].bantime_us;

	out->verdict = VERDICT_BAN;
	out->ban = (struct ban){.net = out->client,
		.from_us = sum->newest_us,
		.class = class,
		.count = sum->count};
	if (bantime_us == BAN_PERMANENT ||
		__builtin_add_overflow(
			sum->newest_us, bantime_us, &out->ban.until_us))
		out->ban.until_us = BAN_PERMANENT;
	judge_ban(judge, &out->ban);
}

void
judge_offence(struct judge *judge, const struct addr *addr, enum class class,
	int64_t time_us, uint32_t count, struct judgement *out)
{
	struct network one = network_of(addr, addr_bits(addr));
	struct moment moment = {time_us, count};
	struct window_sum sum;

	assert((int)class < (int)CLASS_OFFENCES);
	*out = (struct judgement){.client = client_of(judge, addr)};
	follow_time(judge, time_us);
	if (netset_find(&judge->settings.exempt, &one)) {
		out->verdict = VERDICT_EXEMPT;
		return;
	}
	if (banlist_find(judge->bans, &one, time_us)) {
		out->verdict = VERDICT_BANNED;
		return;
	}
	out->verdict = VERDICT_COUNTED;
	add_to_tally(judge, &out->client, class, &moment, &sum);
	out->count = sum.count;
	if (sum.full)
		make_ban(judge, class, &sum, out);
}

void
judge_recall(struct judge *judge, const struct addr *addr, enum class class,
	int64_t time_us, uint32_t count)
{
	struct network one = network_of(addr, addr_bits(addr));
	struct network client = client_of(judge, addr);
	struct moment moment = {time_us, count};
	struct window_sum unused;

	assert((int)class < (int)CLASS_OFFENCES);
	follow_time(judge, time_us);
	if (!netset_find(&judge->settings.exempt, &one))
		add_to_tally(judge, &client, class, &moment, &unused);
}

/* --- bans --- */

void
judge_ban(struct judge *judge, const struct ban *ban)
{
	struct network client = client_of(judge, &ban->net.addr);

	banlist_put(judge->bans, ban);
	if (ban->net.prefix >= client.prefix)
		clear_tallies(judge, &ban->net);
}

bool
judge_unban(struct judge *judge, const struct network *net)
{
	const struct ban *ban = banlist_get(judge->bans, net);
	struct network copy = *net; /* it may be the ban's own */

	if (!ban || ban->until_us <= judge->now_us)
		return false;
	banlist_remove(judge->bans, &copy);
	clear_tallies(judge, &copy);
	return true;
}

const struct ban *
judge_find_ban(
	const struct judge *judge, const struct network *net, int64_t now_us)
{
	return banlist_find(judge->bans, net, now_us);
}

void
judge_expire(struct judge *judge, int64_t now_us)
{
	/* Both clocks must agree that a ban is past: a wrong time in a message
	 * must not end one, nor the time at which an old queue is read. */
	int64_t forget_us = time_before(judge->newest_us, JUDGE_LATE_US);

	if (now_us < forget_us)
		forget_us = now_us;
	judge->now_us = now_us;
	banlist_step(judge->bans, now_us, forget_us);
	tallies_step(judge->tallies);
}

const struct ban *
judge_next_ban(const struct judge *judge, size_t *cursor)
{
	const struct ban *ban;

	while ((ban = banlist_next(judge->bans, cursor)))
		if (ban->until_us > judge->now_us)
			return ban;
	return NULL;
}

const struct ban *
judge_next_exempt_ban(const struct judge *judge, size_t *cursor)
{
	const struct ban *ban;

	while ((ban = judge_next_ban(judge, cursor)))
		if (netset_find(&judge->settings.exempt, &ban->net))
			return ban;
	return NULL;
}

size_t
judge_ban_count(const struct judge *judge)
{
	return banlist_count(judge->bans);
}

size_t
judge_tally_count(const struct judge *judge)
{
	return tallies_count(judge->tallies);
}

size_t
judge_memory(const struct judge *judge)
{
	return tallies_memory(judge->tallies) + banlist_memory(judge->bans);
}
