/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the judge knows beyond counts: observed classes, networks and their
 * members, history; that all of it comes back from records as it was, does not
 * depend on the key of the hash, and stays within its bound of memory.
 */
#include "plugin/judge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define S INT64_C(1000000)
#define DAY (86400 * S)
#define BASE (20000 * DAY)

static const uint8_t key[16] = "sixteen bytes ok";

static struct judge_settings
settings_all(void)
{
	struct judge_settings settings = {.prefix4 = 32, .prefix6 = 64};

	for (int i = 0; i < CLASS_OFFENCES; i++)
		settings.policy[i] = (struct policy){.maxretry = 3,
			.findtime_us = 1000 * S,
			.bantime_us = 500 * S};
	settings.unknown_user_percent = 200;
	settings.growth = (struct growth){.on = true,
		.factor_percent = 200,
		.memory_us = 5000 * S,
		.max_us = 4000 * S};
	settings.trust = (struct trust_settings){.on = true,
		.time_us = 20000 * S,
		.factor = 2,
		.forgive = true,
		.stale_password = true,
		.accepted = true};
	settings.users = (struct users_settings){
		.clients = 4, .findtime_us = 2000 * S, .maxretry = 2};
	settings.networks = (struct networks_settings){.prefix4 = 24,
		.prefix6 = 48,
		.clients = 3,
		.findtime_us = 3000 * S,
		.bantime_us = 600 * S};
	return settings;
}

static struct network
net_from(const char *text)
{
	struct network net;
	const char *why;

	assert_int_equal(network_parse(text, strlen(text), &net, &why), 0);
	return net;
}

static struct judgement
charge(struct judge *judge, const char *address, enum class class,
	int64_t time_s, uint32_t count)
{
	struct offence offence = {.addr = net_from(address).addr,
		.class = class,
		.time_us = BASE + time_s * S,
		.count = count,
		.weight_percent = 100};
	struct judgement out;

	judge_offence(judge, &offence, &out);
	return out;
}

/* --- observe --- */

static void
test_observed_class(void **state)
{
	struct judge_settings settings = settings_all();
	struct judge *judge;
	struct judgement out;
	struct addr addr = net_from("192.0.2.1").addr;

	(void)state;
	settings.policy[CLASS_REJECTED].observe = true;
	judge = judge_new(&settings, key);
	out = charge(judge, "192.0.2.1", CLASS_REJECTED, 1, 3);
	assert_int_equal(out.verdict, VERDICT_BAN);
	assert_true(out.ban.observed);
	out = charge(judge, "192.0.2.1", CLASS_REJECTED, 2, 3);
	assert_int_equal(out.verdict, VERDICT_BANNED);
	/* It shields him from nothing. */
	assert_false(judge_is_banned(
		judge, &addr, CLASS_AUTH_FAILURE, BASE + 2 * S));
	out = charge(judge, "192.0.2.1", CLASS_AUTH_FAILURE, 3, 2);
	assert_int_equal(out.verdict, VERDICT_COUNTED);
	assert_true(judge_find_ban(judge, &out.client, BASE + 3 * S)->observed);
	out = charge(judge, "192.0.2.1", CLASS_AUTH_FAILURE, 4, 1);
	assert_int_equal(out.verdict, VERDICT_BAN);
	assert_false(out.ban.observed);
	/* One that was not enforced does not make the next one longer. */
	assert_int_equal(out.ban.level, 0);
	assert_int_equal(judge_ban_count(judge), 1);
	assert_true(
		judge_is_banned(judge, &addr, CLASS_REJECTED, BASE + 4 * S));
	judge_free(judge);
}

static void
test_observed_does_not_widen(void **state)
{
	struct judge_settings settings = settings_all();
	struct judge *judge;

	(void)state;
	settings.policy[CLASS_SPAM].observe = true;
	settings.networks.offenders = 3;
	judge = judge_new(&settings, key);
	assert_false(
		charge(judge, "192.0.2.1", CLASS_SPAM, 1, 3).network_banned);
	assert_false(
		charge(judge, "192.0.2.2", CLASS_SPAM, 2, 3).network_banned);
	assert_false(
		charge(judge, "192.0.2.3", CLASS_SPAM, 3, 3).network_banned);
	judge_free(judge);
}

/* --- networks --- */

static void
test_members_fold(void **state)
{
	struct judge_settings settings = settings_all();
	struct judge *judge = judge_new(&settings, key);
	struct ban longer = {.net = net_from("192.0.2.200"),
		.from_us = BASE,
		.until_us = BAN_PERMANENT,
		.class = CLASS_NONE};
	struct network wide = net_from("192.0.2.0/24");
	struct judgement out;
	const struct ban *folded;
	size_t count;

	(void)state;
	judge_ban(judge, &longer);
	longer.net = net_from("192.0.2.201");
	longer.class = CLASS_SPAM;
	judge_ban(judge, &longer); /* the first of three */
	(void)charge(judge, "192.0.3.1", CLASS_SPAM, 1, 3);
	out = charge(judge, "192.0.2.1", CLASS_SPAM, 2, 3);
	assert_false(out.network_banned);
	out = charge(judge, "192.0.2.2", CLASS_SPAM, 3, 3);
	assert_int_equal(out.verdict, VERDICT_BAN);
	assert_true(out.network_banned);
	assert_true(network_equal(&out.network.net, &wide));
	assert_int_equal(out.network.count, 3);
	assert_int_equal(out.network.from_us, BASE + 3 * S);
	assert_int_equal(out.network.until_us, BASE + 603 * S);
	folded = judge_folded(judge, &count);
	assert_int_equal(count, 2);
	assert_int_equal(folded[0].net.prefix, 32);
	/* The network, its two that last longer, the other network's one. */
	assert_int_equal(judge_ban_count(judge), 4);
	assert_int_equal(charge(judge, "192.0.2.77", CLASS_SPAM, 4, 1).verdict,
		VERDICT_BANNED);
	/* All of it is undone by one unban, and begins anew. */
	assert_true(judge_unban(judge, &wide));
	assert_int_equal(charge(judge, "192.0.2.1", CLASS_SPAM, 5, 3).verdict,
		VERDICT_BAN);
	assert_false(
		charge(judge, "192.0.2.2", CLASS_SPAM, 6, 3).network_banned);
	judge_free(judge);
}

/* Few bans are gone through, of many only the network's clients are looked
 * up: the same comes of it. */
static void
test_fold_among_many(void **state)
{
	for (int many = 0; many < 2; many++) {
		struct judge_settings settings = settings_all();
		struct judge *judge = judge_new(&settings, key);
		struct judgement out;
		size_t count;

		(void)state;
		for (int i = 0; many && i < 70000; i++) {
			struct ban ban = {
				.until_us = BAN_PERMANENT, .class = CLASS_NONE};

			ban.net.addr = (struct addr){.family = ADDR_V4,
				.bytes = {10, (uint8_t)(i >> 16),
					(uint8_t)(i >> 8), (uint8_t)i}};
			ban.net.prefix = 32;
			judge_ban(judge, &ban);
		}
		(void)charge(judge, "2001:db8:1:ffff::1", CLASS_SPAM, 1, 3);
		(void)charge(judge, "2001:db8:1::1", CLASS_SPAM, 2, 3);
		out = charge(judge, "2001:db8:1:8001::1", CLASS_SPAM, 3, 3);
		assert_true(out.network_banned);
		assert_int_equal(out.network.net.prefix, 48);
		(void)judge_folded(judge, &count);
		assert_int_equal(count, 3);
		judge_free(judge);
	}
}

static void
test_exempt_within(void **state)
{
	struct judge_settings settings = settings_all();
	struct network friend = net_from("192.0.2.66");
	struct judge *judge;

	(void)state;
	netset_add(&settings.exempt, &friend);
	judge = judge_new(&settings, key);
	netset_free(&settings.exempt);
	for (int i = 1; i < 4; i++) {
		char text[16];

		(void)snprintf(text, sizeof text, "192.0.2.%d", i);
		(void)charge(judge, text, CLASS_SPAM, i, 3);
	}
	assert_int_equal(charge(judge, "192.0.2.67", CLASS_SPAM, 5, 1).verdict,
		VERDICT_BANNED);
	assert_int_equal(charge(judge, "192.0.2.66", CLASS_SPAM, 5, 9).verdict,
		VERDICT_EXEMPT);
	judge_free(judge);
}

/* --- history --- */

static void
test_bantimes(void **state)
{
	static const struct {
		struct growth growth;
		int64_t bantime_us;
		uint32_t level;
		int64_t want;
	} cases[] = {
		{{.on = false}, 10 * S, 9, 10 * S},
		{{.on = true, .factor_percent = 200, .max_us = INT64_MAX},
			10 * S, 0, 10 * S},
		{{.on = true, .factor_percent = 200, .max_us = INT64_MAX},
			10 * S, 3, 80 * S},
		{{.on = true, .factor_percent = 150, .max_us = INT64_MAX},
			10 * S, 2, 22500000},
		{{.on = true, .factor_percent = 200, .max_us = 50 * S}, 10 * S,
			3, 50 * S},
		{{.on = true, .factor_percent = 200, .max_us = 5 * S}, 10 * S,
			3, 10 * S},
		{{.on = true, .factor_percent = 200, .max_us = INT64_MAX}, DAY,
			12, INT64_MAX},
		{{.on = true, .factor_percent = 10000, .max_us = INT64_MAX},
			DAY, 1000, INT64_MAX},
		{{.on = true,
			 .factor_percent = 200,
			 .max_us = 50 * S,
			 .permanent_after = 3},
			10 * S, 2, 40 * S},
		{{.on = true,
			 .factor_percent = 200,
			 .max_us = 50 * S,
			 .permanent_after = 3},
			10 * S, 3, INT64_MAX},
		{{.on = true, .factor_percent = 200, .max_us = 50 * S},
			INT64_MAX, 0, INT64_MAX},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		int64_t got = history_bantime(
			&cases[i].growth, cases[i].bantime_us, cases[i].level);

		if (got != cases[i].want)
			fail_msg("case %zu: %lld", i, (long long)got);
	}
}

static void
test_levels(void **state)
{
	struct history *history = history_new(key);
	struct network net = net_from("192.0.2.0");
	struct network wide = net_from("192.0.2.0/24");

	(void)state;
	assert_int_equal(history_level(history, &net, 100, 10), 0);
	history_note(history, &net, 6, 100);
	history_note(history, &wide, 1, 100);
	assert_int_equal(history_level(history, &net, 50, 10), 7);
	assert_int_equal(history_level(history, &net, 109, 10), 7);
	assert_int_equal(history_level(history, &net, 110, 10), 3);
	assert_int_equal(history_level(history, &net, 120, 10), 1);
	assert_int_equal(history_level(history, &net, 140, 10), 0);
	assert_int_equal(history_level(history, &wide, 109, 10), 2);
	history_reset(history, &net, false);
	assert_int_equal(history_level(history, &net, 109, 10), 0);
	assert_int_equal(history_level(history, &wide, 109, 10), 2);
	history_note(history, &net, 6, INT64_MAX);
	assert_int_equal(history_level(history, &net, 109, 10), 7);
	history_reset(history, &wide, true);
	assert_int_equal(history_level(history, &net, 109, 10), 0);
	assert_int_equal(history_level(history, &wide, 109, 10), 0);
	history_free(history);
}

/* Hundreds of bans that are over come back with their history: they are not
 * counted as bans. */
static void
test_many_over(void **state)
{
	struct judge_settings settings = settings_all();
	struct judge *judge = judge_new(&settings, key);
	struct ban ban = {
		.net = net_from("10.0.0.0"), .class = CLASS_SPAM, .level = 1};
	struct judgement out;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		ban.net.addr.bytes[1] = (uint8_t)(i >> 8);
		ban.net.addr.bytes[2] = (uint8_t)i;
		ban.from_us = BASE + i * S;
		ban.until_us = ban.from_us + (i < 10 ? 3000 : 1000) * S;
		judge_ban(judge, &ban);
	}
	judge_restored(judge, BASE + 2500 * S);
	assert_int_equal(judge_ban_count(judge), 10);
	out = charge(judge, "10.0.100.0", CLASS_SPAM, 2500, 3);
	assert_int_equal(out.verdict, VERDICT_BAN);
	assert_int_equal(out.ban.level, 2);
	judge_free(judge);
}

static void
test_reach(void **state)
{
	struct judge_settings settings = settings_all();
	struct judge_reach reach;

	(void)state;
	judge_reach(&settings, &reach);
	assert_int_equal(reach.offences_us, 3000 * S + JUDGE_LATE_US);
	assert_int_equal(reach.logins_us, 20000 * S + JUDGE_LATE_US);
	assert_int_equal(reach.bans_us, 4 * 5000 * S + JUDGE_LATE_US);
	settings.growth.on = false;
	judge_reach(&settings, &reach);
	assert_int_equal(reach.bans_us, reach.offences_us);
}

/* --- random days --- */

enum { STEPS = 4000, CLIENTS = 48, USERS = 12 };

struct act {
	enum { ACT_OFFENCE, ACT_LOGIN, ACT_ACCEPTED, ACT_UNBAN } kind;
	struct offence offence;
	struct network net;
	char user[16], password[16];
};

static uint64_t seed;

static uint32_t
rnd(uint32_t below)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (uint32_t)((seed >> 33) % below);
}

static struct addr
random_client(uint32_t below)
{
	uint8_t number = (uint8_t)rnd(below);

	if (number % 4 == 0)
		return (struct addr){.family = ADDR_V6,
			.bytes = {0x20, 1, 0xd, 0xb8, [5] = number / 16,
				[7] = number, [15] = (uint8_t)rnd(9)}};
	return (struct addr){
		.family = ADDR_V4, .bytes = {192, 0, number / 8, number}};
}

static void
random_act(struct act *act, int64_t time_us)
{
	uint32_t what = rnd(40);

	*act = (struct act){.kind = what < 30	? ACT_OFFENCE
				    : what < 36 ? ACT_LOGIN
				    : what < 39 ? ACT_ACCEPTED
						: ACT_UNBAN};
	(void)snprintf(act->user, sizeof act->user, "user%u", rnd(USERS));
	(void)snprintf(
		act->password, sizeof act->password, "%u", rnd(6) * 7919);
	act->offence = (struct offence){/* Nobody logs in from some networks. */
		.addr = random_client(
			act->kind == ACT_LOGIN ? CLIENTS / 2 : CLIENTS),
		.class = rnd(3) ? CLASS_AUTH_FAILURE
				: (enum class)rnd(CLASS_OFFENCES),
		.time_us = time_us,
		.count = rnd(5) ? 1 : 2,
		.weight_percent = rnd(4) ? 100 : 50,
		.unknown_user = rnd(5) == 0};
	if (rnd(6))
		act->offence.user = (struct span){act->user, strlen(act->user)};
	if (act->offence.user.len && rnd(2))
		act->offence.password =
			(struct span){act->password, strlen(act->password)};
}

static void
do_act(struct judge *judge, const struct act *act, struct judgement *out)
{
	const struct offence *offence = &act->offence;

	*out = (struct judgement){.verdict = VERDICT_COUNTED};
	switch (act->kind) {
	case ACT_OFFENCE:
		judge_offence(judge, offence, out);
		break;
	case ACT_LOGIN:
		out->count = judge_login(judge, &offence->addr, &offence->user,
			offence->time_us);
		break;
	case ACT_ACCEPTED:
		judge_accepted(judge, &offence->addr, offence->time_us);
		break;
	case ACT_UNBAN:
		out->count = judge_unban(judge, &act->net);
		break;
	}
	judge_expire(judge, offence->time_us);
}

static bool
same_ban(const struct ban *a, const struct ban *b)
{
	return network_equal(&a->net, &b->net) && a->from_us == b->from_us &&
	       a->until_us == b->until_us && a->count == b->count &&
	       a->level == b->level && a->class == b->class &&
	       a->observed == b->observed;
}

static void
same(const struct judgement *a, const struct judgement *b, int step)
{
	if (a->verdict != b->verdict || a->excuse != b->excuse ||
		a->count != b->count ||
		a->network_banned != b->network_banned ||
		a->user_attacked != b->user_attacked ||
		a->user_clients != b->user_clients)
		fail_msg("seed %llu step %d: verdict %d, %d; excuse %d, %d; "
			 "count %u, %u; network %d, %d; attacked %d, %d",
			(unsigned long long)seed, step, a->verdict, b->verdict,
			a->excuse, b->excuse, a->count, b->count,
			a->network_banned, b->network_banned, a->user_attacked,
			b->user_attacked);
	if (a->verdict == VERDICT_BAN)
		assert_true(same_ban(&a->ban, &b->ban));
	if (a->network_banned)
		assert_true(same_ban(&a->network, &b->network));
}

static void
one_step(int64_t *now_us, struct act *act)
{
	*now_us += rnd(20) * S;
	random_act(act, *now_us - (rnd(4) ? 0 : rnd(30) * S));
	act->net = network_of(&act->offence.addr,
		act->offence.addr.family == ADDR_V4 ? (rnd(3) ? 32 : 24)
						    : (rnd(3) ? 64 : 48));
}

/* Three keys, one judgement; and all the kinds of it do come. */
static void
test_any_key(void **state)
{
	int seen[5] = {0}, networks = 0, attacked = 0, forgiven = 0;

	(void)state;
	for (uint64_t round = 1; round <= 20; round++) {
		struct judge_settings settings = settings_all();
		struct judge *judge[3];
		int64_t now_us = BASE;

		for (int i = 0; i < 3; i++) {
			uint8_t any_key[16] = {(uint8_t)(i + 1)};

			judge[i] = judge_new(&settings, any_key);
		}
		seed = round;
		for (int step = 0; step < STEPS; step++) {
			struct judgement out[3];
			struct act act;

			one_step(&now_us, &act);
			for (int i = 0; i < 3; i++)
				do_act(judge[i], &act, &out[i]);
			same(&out[0], &out[1], step);
			same(&out[0], &out[2], step);
			seen[out[0].verdict]++;
			networks += out[0].network_banned;
			attacked += out[0].user_attacked;
			forgiven += act.kind == ACT_LOGIN && out[0].count;
		}
		for (int i = 0; i < 3; i++)
			judge_free(judge[i]);
	}
	assert_true(seen[VERDICT_COUNTED] > 1000 && seen[VERDICT_BAN] > 100 &&
		    seen[VERDICT_BANNED] > 1000 &&
		    seen[VERDICT_EXCUSED] > 1000);
	assert_true(networks > 10 && attacked > 10 && forgiven > 100);
}

/* --- restored from records --- */

struct record_kept {
	enum { KEPT_OFFENCE, KEPT_BAN, KEPT_LIFT } kind;
	struct offence offence;
	char user[16], password[16];
	struct ban ban;
};

struct login_kept {
	struct addr addr;
	char user[16];
	int64_t time_us;
};

static struct record_kept kept[2 * STEPS];
static struct login_kept logins[STEPS];
static size_t kept_count, login_count;

static void
keep(const struct act *act, const struct judgement *out)
{
	struct record_kept one = {.kind = KEPT_OFFENCE};

	if (act->kind == ACT_LOGIN) {
		struct login_kept *login = &logins[login_count++];

		*login = (struct login_kept){.addr = act->offence.addr,
			.time_us = act->offence.time_us};
		memcpy(login->user, act->user, sizeof login->user);
		if (!act->offence.user.len)
			login->user[0] = '\0';
	} else if (act->kind == ACT_UNBAN && out->count) {
		one.kind = KEPT_LIFT;
		one.ban.net = act->net;
		kept[kept_count++] = one;
	}
	if (act->kind != ACT_OFFENCE)
		return;
	one.offence = act->offence;
	memcpy(one.user, act->user, sizeof one.user);
	memcpy(one.password, act->password, sizeof one.password);
	if (out->verdict == VERDICT_COUNTED || out->verdict == VERDICT_BAN)
		kept[kept_count++] = one;
	one.kind = KEPT_BAN;
	one.ban = out->ban;
	if (out->verdict == VERDICT_BAN)
		kept[kept_count++] = one;
	one.ban = out->network;
	if (out->network_banned)
		kept[kept_count++] = one;
}

static struct judge *
restored(const struct judge_settings *settings)
{
	struct judge *judge = judge_new(settings, key);

	for (size_t i = 0; i < login_count; i++) {
		struct span user = {logins[i].user, strlen(logins[i].user)};

		(void)judge_login(
			judge, &logins[i].addr, &user, logins[i].time_us);
	}
	for (size_t i = 0; i < kept_count; i++) {
		struct record_kept *one = &kept[i];

		if (one->kind == KEPT_BAN)
			judge_ban(judge, &one->ban);
		if (one->kind == KEPT_LIFT)
			(void)judge_unban(judge, &one->ban.net);
		if (one->kind != KEPT_OFFENCE)
			continue;
		if (one->offence.user.len)
			one->offence.user.text = one->user;
		if (one->offence.password.len)
			one->offence.password.text = one->password;
		judge_recall(judge, &one->offence);
	}
	return judge;
}

static size_t
bans_of(const struct judge *judge, const struct judge *other)
{
	const struct ban *ban, *twin;
	size_t cursor = 0, count = 0;

	while ((ban = judge_next_ban(judge, &cursor))) {
		twin = judge_find_ban(other, &ban->net, ban->from_us);
		if (!twin || !same_ban(ban, twin)) {
			/* A wider one may hide it. */
			assert_non_null(twin);
			assert_true(twin->net.prefix < ban->net.prefix);
		}
		count++;
	}
	return count;
}

static void
test_restored(void **state)
{
	(void)state;
	for (uint64_t round = 1; round <= 30; round++) {
		struct judge_settings settings = settings_all();
		struct judge *judge, *again;
		int64_t now_us = BASE;
		struct judgement out, twin;
		struct act act;

		/* What the records of the ledger can't tell: whose mail was
		 * accepted. */
		settings.trust.accepted = false;
		judge = judge_new(&settings, key);
		seed = round;
		kept_count = login_count = 0;
		for (int step = 0; step < STEPS / 4; step++) {
			one_step(&now_us, &act);
			do_act(judge, &act, &out);
			keep(&act, &out);
		}
		again = restored(&settings);
		judge_expire(again, now_us);
		judge_expire(judge, now_us);
		assert_int_equal(bans_of(judge, again), bans_of(again, judge));
		for (int step = 0; step < STEPS / 4; step++) {
			one_step(&now_us, &act);
			do_act(judge, &act, &out);
			do_act(again, &act, &twin);
			same(&out, &twin, step);
		}
		judge_free(judge);
		judge_free(again);
	}
}

/* --- the bound --- */

/* From more clients of one network than fit, each once: they push one another
 * out, and their network is seen all the same. So is a user whom they try, and
 * who logged in before is still known. */
static void
test_flood(void **state)
{
	struct judge_settings settings = settings_all();
	struct span user = {"user1", 5}, mine = {"me", 2};
	struct addr home = net_from("192.0.2.9").addr;
	struct judge *judge;
	struct judgement out;
	size_t networks = 0, attacked = 0, most = 0;

	(void)state;
	settings.memory_max = 16 << 20;
	settings.networks.offenders = 900;
	settings.networks.findtime_us = 10 * DAY;
	settings.users.maxretry = 0;
	settings.users.clients = 900;
	settings.users.findtime_us = 10 * DAY;
	judge = judge_new(&settings, key);
	(void)judge_login(judge, &home, &mine, BASE);
	for (uint32_t i = 0; i < 600000; i++) {
		struct offence offence = {
			.addr = {.family = ADDR_V6,
				.bytes = {0x20, 1, 0xd, 0xb8,
					(uint8_t)(i >> 16), (uint8_t)(i >> 8),
					0, (uint8_t)i}},
			.class = CLASS_AUTH_FAILURE,
			.time_us = BASE + i * 1000,
			.count = 1,
			.weight_percent = 100,
			.user = user};

		judge_offence(judge, &offence, &out);
		networks += out.network_banned;
		attacked += out.user_attacked;
		if (judge_memory(judge) > most)
			most = judge_memory(judge);
	}
	assert_true(most < (size_t)17 << 20);
	assert_true(judge_knows(judge, &home, BASE + 10000 * S));
	assert_int_equal(attacked, 1);
	assert_true(networks == 0); /* 256 clients of each /48 */
	judge_free(judge);
}

static void
test_flood_of_a_network(void **state)
{
	struct judge_settings settings = settings_all();
	struct judge *judge;
	struct judgement out;
	size_t counted = 0;

	(void)state;
	settings.memory_max = 16 << 20;
	settings.networks.offenders = 1000;
	settings.networks.findtime_us = 10 * DAY;
	judge = judge_new(&settings, key);
	/* Strangers fill the memory over and over meanwhile. */
	for (uint32_t i = 0; i < 1000 * 500; i++) {
		struct offence offence = {
			.addr = {.family = ADDR_V4,
				.bytes = {(uint8_t)(i >> 16 | 16),
					(uint8_t)(i >> 8), (uint8_t)i,
					(uint8_t)(i >> 3)}},
			.class = CLASS_AUTH_FAILURE,
			.time_us = BASE + i * 1000,
			.count = 1,
			.weight_percent = 100};

		if (i % 500 == 0)
			offence.addr = (struct addr){.family = ADDR_V6,
				.bytes = {0x20, 1, 0xd,
					0xb8, [6] = (uint8_t)(i / 500 >> 8),
					[7] = (uint8_t)(i / 500)}};
		judge_offence(judge, &offence, &out);
		if (i % 500 == 0)
			counted++;
		if (out.network_banned)
			break;
	}
	assert_int_equal(counted, 1000);
	assert_true(out.network_banned);
	judge_free(judge);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_observed_class),
		cmocka_unit_test(test_observed_does_not_widen),
		cmocka_unit_test(test_members_fold),
		cmocka_unit_test(test_fold_among_many),
		cmocka_unit_test(test_exempt_within),
		cmocka_unit_test(test_bantimes),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_many_over),
		cmocka_unit_test(test_reach),
		cmocka_unit_test(test_any_key),
		cmocka_unit_test(test_restored),
		cmocka_unit_test(test_flood),
		cmocka_unit_test(test_flood_of_a_network),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
