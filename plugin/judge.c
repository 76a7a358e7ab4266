/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The judge's settings, time and memory. What an offence comes to is in
 * judge_offence.c, bans are in judge_ban.c; the counting itself is in tally.c
 * and window.c.
 */
#include "plugin/judge.h"

#include "common/xalloc.h"
#include "plugin/judge_parts.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* So many in a row that are too late: the clock was wrong before. */
enum { LATE_RUN = 100 };
#define FAR_US (INT64_C(60) * 1000000)

static_assert((int)CLASS_OFFENCES <= (int)TALLY_KINDS, "a kind for a class");
static_assert(
	JUDGE_COUNT_MAX == MOMENT_COUNT_MAX / 100, "counts in hundredths fit");

struct network
judge_client(const struct judge *judge, const struct addr *addr)
{
	return network_of(addr, addr->family == ADDR_V6
					? judge->settings.prefix6
					: judge->settings.prefix4);
}

/* Without such a setting (zeroed), what trust needs: the usual ones. */
struct network
judge_network(const struct judge *judge, const struct addr *addr)
{
	const struct networks_settings *networks = &judge->settings.networks;
	struct network client = judge_client(judge, addr);
	uint8_t prefix = addr->family == ADDR_V6
				 ? (networks->prefix6 ? networks->prefix6 : 48)
				 : (networks->prefix4 ? networks->prefix4 : 24);

	return network_of(
		addr, prefix < client.prefix ? prefix : client.prefix);
}

bool
judge_exempts(const struct judge *judge, const struct addr *addr)
{
	struct network one = network_of(addr, addr_bits(addr));

	return netset_find(&judge->settings.exempt, &one) != NULL;
}

/* --- time --- */

/* Of what is asked for by its own window anyway: a minute late does no harm
 * and costs nothing. */
static void
set_far_horizons(struct judge *judge, int64_t oldest_us)
{
	const struct judge_settings *settings = &judge->settings;

	trust_horizon(
		judge->trust, time_before(oldest_us, settings->trust.time_us));
	crowd_horizon(judge->users, CROWD_USER,
		time_before(oldest_us, settings->users.findtime_us));
	crowd_horizon(judge->networks, CROWD_CHARGED,
		time_before(oldest_us, settings->networks.findtime_us));
	crowd_horizon(judge->networks, CROWD_BANNED,
		time_before(oldest_us, settings->networks.findtime_us));
	for (int i = 0; i < HISTORY_MEMORIES; i++)
		oldest_us = time_before(oldest_us, settings->growth.memory_us);
	history_horizon(judge->history, oldest_us);
}

static void
set_horizons(struct judge *judge, bool all)
{
	const struct judge_settings *settings = &judge->settings;
	int64_t oldest_us = time_before(judge->newest_us, JUDGE_LATE_US);

	for (uint8_t i = 0; i < CLASS_OFFENCES; i++)
		tallies_horizon(judge->tallies, i,
			time_before(
				oldest_us, settings->policy[i].findtime_us));
	if (!all && judge->newest_us >= judge->far_us &&
		time_before(judge->newest_us, FAR_US) < judge->far_us)
		return;
	judge->far_us = judge->newest_us;
	set_far_horizons(judge, oldest_us);
}

void
judge_follow_time(struct judge *judge, int64_t time_us)
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
		set_horizons(judge, false);
}

static int64_t
time_sum(int64_t a_us, int64_t b_us)
{
	int64_t out;

	return __builtin_add_overflow(a_us, b_us, &out) ? INT64_MAX : out;
}

void
judge_reach(const struct judge_settings *settings, struct judge_reach *out)
{
	int64_t longest = settings->users.findtime_us;

	for (int i = 0; i < CLASS_OFFENCES; i++)
		if (settings->policy[i].findtime_us > longest)
			longest = settings->policy[i].findtime_us;
	if (settings->networks.findtime_us > longest)
		longest = settings->networks.findtime_us;
	out->offences_us = time_sum(longest, JUDGE_LATE_US);
	out->logins_us = time_sum(settings->trust.time_us, JUDGE_LATE_US);
	out->bans_us = out->offences_us;
	if (!settings->growth.on)
		return;
	longest = JUDGE_LATE_US;
	for (int i = 0; i < HISTORY_MEMORIES; i++)
		longest = time_sum(longest, settings->growth.memory_us);
	if (longest > out->bans_us)
		out->bans_us = longest;
}

/* --- settings and memory --- */

struct judge *
judge_new(const struct judge_settings *settings, const uint8_t key[16])
{
	struct judge *judge = xcalloc(1, sizeof *judge);

	memcpy(judge->key, key, sizeof judge->key);
	judge->settings.prefix4 = settings->prefix4;
	judge->settings.prefix6 = settings->prefix6;
	judge->tallies = tallies_new(key);
	judge->bans = banlist_new(key);
	judge->trust = trust_new(key);
	judge->users = crowd_new(key);
	judge->networks = crowd_new(key);
	judge->history = history_new(key);
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
	trust_free(judge->trust);
	crowd_free(judge->users);
	crowd_free(judge->networks);
	history_free(judge->history);
	free(judge->folded);
	free(judge);
}

static bool
who_is_family(const uint8_t who[WHO_LEN], const void *arg)
{
	return who_addr(who).family == *(const uint8_t *)arg;
}

static void
forget_family(struct judge *judge, uint8_t family)
{
	tallies_clear_if(judge->tallies, who_is_family, &family);
	trust_clear_if(judge->trust, who_is_family, &family);
}

/* Tallies get four fifths. So a flood of one kind can't push out what is known
 * of another, and what comes on top of a tally remains small. */
static void
share_memory(struct judge *judge)
{
	size_t part = judge->settings.memory_max / 96;

	tallies_limit(judge->tallies, part * 77);
	trust_limit(judge->trust, part * 12);
	crowd_limit(judge->users, part * 2);
	crowd_limit(judge->networks, part);
	history_limit(judge->history, part * 4);
}

void
judge_configure(struct judge *judge, const struct judge_settings *settings)
{
	struct judge_settings old = judge->settings;

	assert(settings->prefix4 <= 32 && settings->prefix6 <= 128);
	if (settings->prefix4 != old.prefix4)
		forget_family(judge, ADDR_V4);
	if (settings->prefix6 != old.prefix6)
		forget_family(judge, ADDR_V6);
	judge->settings = *settings;
	judge->settings.exempt = (struct netset){0};
	netset_add_all(&judge->settings.exempt, &settings->exempt);
	netset_free(&old.exempt);
	share_memory(judge);
	set_horizons(judge, true);
}

/* Both clocks must agree that a ban is past: a wrong time in a message must not
 * end one, nor the time at which an old queue is read. */
static int64_t
past_of(const struct judge *judge, int64_t now_us)
{
	int64_t late_us = time_before(judge->newest_us, JUDGE_LATE_US);

	return now_us < late_us ? now_us : late_us;
}

void
judge_restored(struct judge *judge, int64_t now_us)
{
	judge->now_us = now_us;
	banlist_sweep(judge->bans, now_us, past_of(judge, now_us));
}

void
judge_expire(struct judge *judge, int64_t now_us)
{
	judge->now_us = now_us;
	banlist_step(judge->bans, now_us, past_of(judge, now_us));
	tallies_step(judge->tallies);
	trust_step(judge->trust);
	crowd_step(judge->users);
	crowd_step(judge->networks);
	history_step(judge->history);
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
	return tallies_memory(judge->tallies) + banlist_memory(judge->bans) +
	       trust_memory(judge->trust) + crowd_memory(judge->users) +
	       crowd_memory(judge->networks) + history_memory(judge->history) +
	       judge->folded_room * sizeof *judge->folded;
}
