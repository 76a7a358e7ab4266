/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bans: of clients, of the networks that they add up to, the history of both,
 * and the questions about them.
 */
#include "plugin/judge.h"

#include "common/xalloc.h"
#include "plugin/judge_parts.h"

#include <assert.h>

/* A ban of a network looks up so many clients one by one rather than going
 * through a longer list of bans. */
enum { FOLD_BITS = 16 };

/* For offences of a client, or of the clients of a network. */
static bool
is_judged(const struct ban *ban)
{
	return (int)ban->class < (int)CLASS_OFFENCES;
}

static bool
is_wide(const struct judge *judge, const struct network *net)
{
	return net->prefix < judge_client(judge, &net->addr).prefix;
}

static bool
who_is_in(const uint8_t who[WHO_LEN], const void *arg)
{
	struct addr addr = who_addr(who);

	return network_has(arg, &addr);
}

static void
clear_tallies(struct judge *judge, const struct network *net)
{
	struct network client = judge_client(judge, &net->addr);
	uint8_t who[WHO_LEN];

	if (is_wide(judge, net)) {
		tallies_clear_if(judge->tallies, who_is_in, net);
		return;
	}
	who_of(&client, who);
	tallies_clear(judge->tallies, who);
}

/* --- the crowd of a network --- */

static struct crowd_entry
entry_of(const struct judge *judge, const struct network *client,
	uint8_t who[WHO_LEN])
{
	struct network net = judge_network(judge, &client->addr);
	struct crowd_entry entry = {
		.kind = CROWD_BANNED,
		.who = who,
		.span_us = judge->settings.networks.findtime_us,
	};

	who_of(client, who);
	entry.client = who_tag(judge->key, who);
	who_of(&net, who);
	return entry;
}

static size_t
note_banned(struct judge *judge, const struct ban *ban)
{
	uint8_t who[WHO_LEN];
	struct crowd_entry entry = entry_of(judge, &ban->net, who);

	entry.time_us = ban->from_us;
	return crowd_add(
		judge->networks, &entry, judge->settings.networks.clients);
}

/* An administrator's fear: a network that one of the users is in. */
static bool
is_ours(struct judge *judge, const struct network *net, int64_t time_us)
{
	const struct trust_settings *trust = &judge->settings.trust;

	return trust->on &&
	       trust_knows_net(judge->trust, net, time_us, trust->time_us);
}

/* --- folding --- */

static void
keep_folded(struct judge *judge, const struct ban *ban)
{
	if (judge->folded_count == judge->folded_room) {
		judge->folded_room =
			judge->folded_room ? judge->folded_room * 2 : 16;
		judge->folded = xreallocarray(judge->folded, judge->folded_room,
			sizeof *judge->folded);
	}
	judge->folded[judge->folded_count++] = *ban;
}

static bool
folds(const struct ban *wide, const struct ban *ban)
{
	return is_judged(ban) && ban->until_us <= wide->until_us &&
	       ban->net.prefix > wide->net.prefix &&
	       network_contains(&wide->net, &ban->net);
}

static void
fold_each_client(struct judge *judge, const struct ban *wide, unsigned bits)
{
	uint8_t prefix = judge_client(judge, &wide->net.addr).prefix;

	for (uint32_t i = 0; i < UINT32_C(1) << bits; i++) {
		struct network client = {wide->net.addr, prefix};
		const struct ban *ban;

		for (unsigned bit = 0; bit < bits; bit++) {
			unsigned at = prefix - 1U - bit;

			if (i >> bit & 1)
				client.addr.bytes[at / 8] |=
					(uint8_t)(0x80 >> at % 8);
		}
		ban = banlist_get(judge->bans, &client);
		if (ban && folds(wide, ban))
			keep_folded(judge, ban);
	}
}

static void
fold_members(struct judge *judge, const struct ban *wide)
{
	struct network client = judge_client(judge, &wide->net.addr);
	unsigned bits = (unsigned)(client.prefix - wide->net.prefix);
	const struct ban *ban;
	size_t cursor = 0;

	if (bits <= FOLD_BITS &&
		UINT32_C(1) << bits < banlist_count(judge->bans))
		fold_each_client(judge, wide, bits);
	else
		while ((ban = banlist_next(judge->bans, &cursor)))
			if (folds(wide, ban))
				keep_folded(judge, ban);
	for (size_t i = 0; i < judge->folded_count; i++)
		banlist_remove(judge->bans, &judge->folded[i].net);
}

const struct ban *
judge_folded(const struct judge *judge, size_t *count)
{
	*count = judge->folded_count;
	return judge->folded;
}

/* --- making and taking away --- */

/* Returns how many of its network's clients were banned lately, with it; 0
 * where that is nothing to count. */
static size_t
enter_ban(struct judge *judge, const struct ban *ban)
{
	bool wide = is_wide(judge, &ban->net);
	uint8_t who[WHO_LEN];

	banlist_put(judge->bans, ban);
	if (!wide)
		clear_tallies(judge, &ban->net);
	if (!is_judged(ban))
		return 0;
	if (judge->settings.growth.on && !ban->observed)
		history_note(
			judge->history, &ban->net, ban->level, ban->until_us);
	if (wide) {
		who_of(&ban->net, who);
		crowd_clear(judge->networks, who);
		fold_members(judge, ban);
	} else if (judge->settings.networks.clients && !ban->observed) {
		return note_banned(judge, ban);
	}
	return 0;
}

void
judge_ban(struct judge *judge, const struct ban *ban)
{
	struct ban copy = *ban; /* it may be one that was folded */

	judge->folded_count = 0;
	(void)enter_ban(judge, &copy);
}

static void
set_end(struct judge *judge, struct ban *ban, int64_t bantime_us)
{
	const struct growth *growth = &judge->settings.growth;

	if (growth->on)
		ban->level = history_level(judge->history, &ban->net,
			ban->from_us, growth->memory_us);
	bantime_us = history_bantime(growth, bantime_us, ban->level);
	if (bantime_us == BAN_PERMANENT || __builtin_add_overflow(ban->from_us,
						   bantime_us, &ban->until_us))
		ban->until_us = BAN_PERMANENT;
}

static void
make_network_ban(struct judge *judge, const struct ban *cause, size_t count,
	struct judgement *out)
{
	out->network = *cause;
	out->network.net = judge_network(judge, &cause->net.addr);
	out->network.count = (uint32_t)count;
	out->network.level = 0;
	if (!is_wide(judge, &out->network.net) ||
		is_ours(judge, &out->network.net, cause->from_us))
		return;
	set_end(judge, &out->network, judge->settings.networks.bantime_us);
	out->network_banned = true;
	(void)enter_ban(judge, &out->network);
}

void
judge_make_ban(struct judge *judge, enum class class,
	const struct window_sum *sum, struct judgement *out)
{
	const struct policy *policy = &judge->settings.policy[class];
	uint32_t clients = judge->settings.networks.clients;
	size_t banned;

	out->verdict = VERDICT_BAN;
	out->ban = (struct ban){.net = out->client,
		.from_us = sum->newest_us,
		.class = class,
		.count = sum->count / 100,
		.observed = policy->observe};
	set_end(judge, &out->ban, policy->bantime_us);
	banned = enter_ban(judge, &out->ban);
	if (clients && banned >= clients)
		make_network_ban(judge, &out->ban, banned, out);
}

void
judge_note_offender(struct judge *judge, const struct offence *offence,
	struct judgement *out)
{
	struct ban cause = {.net = out->client,
		.from_us = offence->time_us,
		.class = offence->class};
	uint32_t offenders = judge->settings.networks.offenders;
	uint8_t who[WHO_LEN];
	struct crowd_entry entry = entry_of(judge, &out->client, who);
	size_t count;

	entry.kind = CROWD_CHARGED;
	entry.time_us = offence->time_us;
	count = crowd_add(judge->networks, &entry, offenders);
	if (count >= offenders && !out->network_banned)
		make_network_ban(judge, &cause, count, out);
}

bool
judge_unban(struct judge *judge, const struct network *net)
{
	const struct ban *ban = banlist_get(judge->bans, net);
	struct network copy = *net; /* it may be the ban's own */
	uint8_t who[WHO_LEN];
	struct crowd_entry entry;

	if (!ban || ban->until_us <= judge->now_us)
		return false;
	banlist_remove(judge->bans, &copy);
	clear_tallies(judge, &copy);
	history_reset(judge->history, &copy, is_wide(judge, &copy));
	if (is_wide(judge, &copy)) {
		who_of(&copy, who);
		crowd_clear(judge->networks, who);
	} else {
		entry = entry_of(judge, &copy, who);
		crowd_remove(judge->networks, &entry);
	}
	return true;
}

/* --- questions --- */

bool
judge_is_banned(const struct judge *judge, const struct addr *addr,
	enum class class, int64_t time_us)
{
	struct network one = network_of(addr, addr_bits(addr));

	assert((int)class < (int)CLASS_OFFENCES);
	return banlist_find(judge->bans, &one, time_us,
		       judge->settings.policy[class].observe) != NULL;
}

const struct ban *
judge_find_ban(
	const struct judge *judge, const struct network *net, int64_t now_us)
{
	const struct ban *ban = banlist_find(judge->bans, net, now_us, false);

	return ban ? ban : banlist_find(judge->bans, net, now_us, true);
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
