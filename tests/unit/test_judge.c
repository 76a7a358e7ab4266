/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Judgement: the rules one by one, and then random streams against a naive
 * model that keeps every offence in a list and looks at all windows each time.
 */
#include "plugin/judge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define S INT64_C(1000000)
#define DAY (86400 * S)

static const uint8_t key[16] = "sixteen bytes ok";

static struct addr
addr_from(const char *text)
{
	struct addr addr;

	assert_int_equal(addr_parse(text, strlen(text), &addr), 0);
	return addr;
}

static struct network
net_from(const char *text)
{
	struct network net;
	const char *why = "";

	assert_int_equal(network_parse(text, strlen(text), &net, &why), 0);
	return net;
}

static struct judge_settings
settings_with(uint32_t maxretry, int64_t findtime_s, int64_t bantime_s)
{
	struct judge_settings settings = {.prefix4 = 32, .prefix6 = 64};

	for (int i = 0; i < CLASS_OFFENCES; i++)
		settings.policy[i] = (struct policy){.maxretry = maxretry,
			.findtime_us = findtime_s * S,
			.bantime_us = bantime_s * S};
	return settings;
}

static struct judge *
judge_with(uint32_t maxretry, int64_t findtime_s, int64_t bantime_s)
{
	struct judge_settings settings =
		settings_with(maxretry, findtime_s, bantime_s);

	return judge_new(&settings, key);
}

static struct offence
offence_of(const struct addr *addr, enum class class, int64_t time_us,
	uint32_t count)
{
	return (struct offence){.addr = *addr,
		.class = class,
		.time_us = time_us,
		.count = count,
		.weight_percent = 100};
}

static void
spam(struct judge *judge, const struct addr *addr, int64_t time_us,
	uint32_t count, struct judgement *out)
{
	struct offence offence = offence_of(addr, CLASS_SPAM, time_us, count);

	judge_offence(judge, &offence, out);
}

static struct judgement
charge(struct judge *judge, const char *text, int64_t time_s, uint32_t count)
{
	struct addr addr = addr_from(text);
	struct offence offence =
		offence_of(&addr, CLASS_AUTH_FAILURE, time_s * S, count);
	struct judgement out;

	judge_offence(judge, &offence, &out);
	return out;
}

/* --- one rule a test --- */

struct step {
	const char *address;
	int64_t time_s;
	uint32_t count;
	enum verdict want;
	uint32_t want_count;
	int64_t want_from_s;
};

/* maxretry 3, findtime 100 s, bantime 1000 s. */
static const struct {
	const char *name;
	struct step steps[7]; /* the last has no address */
} stories[] = {
	{"the third within findtime",
		{{"192.0.2.1", 1, 1, VERDICT_COUNTED, 1, 0},
			{"192.0.2.1", 2, 1, VERDICT_COUNTED, 2, 0},
			{"192.0.2.1", 100, 1, VERDICT_BAN, 3, 100}}},
	{"exactly findtime apart is too far",
		{{"192.0.2.1", 1, 1, VERDICT_COUNTED, 1, 0},
			{"192.0.2.1", 2, 1, VERDICT_COUNTED, 2, 0},
			{"192.0.2.1", 101, 1, VERDICT_COUNTED, 2, 0},
			{"192.0.2.1", 102, 1, VERDICT_COUNTED, 2, 0},
			{"192.0.2.1", 103, 1, VERDICT_BAN, 3, 103}}},
	{"three at one time", {{"192.0.2.1", 5, 3, VERDICT_BAN, 3, 5}}},
	{"a folded line of more than enough",
		{{"192.0.2.1", 5, 1, VERDICT_COUNTED, 1, 0},
			{"192.0.2.1", 6, 20000, VERDICT_BAN, 20001, 6}}},
	{"the late one closes the window, the ban is where it belongs",
		{{"192.0.2.1", 10, 1, VERDICT_COUNTED, 1, 0},
			{"192.0.2.1", 60, 1, VERDICT_COUNTED, 2, 0},
			{"192.0.2.1", 20, 1, VERDICT_BAN, 3, 60}}},
	{"a late one, between windows",
		{{"192.0.2.1", 10, 1, VERDICT_COUNTED, 1, 0},
			{"192.0.2.1", 190, 1, VERDICT_COUNTED, 1, 0},
			{"192.0.2.1", 95, 1, VERDICT_COUNTED, 2, 0},
			{"192.0.2.1", 100, 1, VERDICT_BAN, 3, 100}}},
	{"banned: after, during and before its beginning, then anew",
		{{"192.0.2.1", 500, 3, VERDICT_BAN, 3, 500},
			{"192.0.2.1", 499, 9, VERDICT_BANNED, 0, 0},
			{"192.0.2.1", 500, 9, VERDICT_BANNED, 0, 0},
			{"192.0.2.1", 1499, 9, VERDICT_BANNED, 0, 0},
			{"192.0.2.1", 1500, 1, VERDICT_COUNTED, 1, 0},
			{"192.0.2.1", 1501, 2, VERDICT_BAN, 3, 1501}}},
	{"one /64 is one client, another is not",
		{{"2001:db8::1", 1, 1, VERDICT_COUNTED, 1, 0},
			{"2001:db8::2", 2, 1, VERDICT_COUNTED, 2, 0},
			{"2001:db8:0:1::1", 3, 1, VERDICT_COUNTED, 1, 0},
			{"2001:db8::ffff:0:0:3", 4, 1, VERDICT_BAN, 3, 4}}},
	{"IPv4-mapped is IPv4",
		{{"192.0.2.1", 1, 2, VERDICT_COUNTED, 2, 0},
			{"::ffff:192.0.2.1", 2, 1, VERDICT_BAN, 3, 2}}},
	{"no offence at all", {{"192.0.2.1", 1, 0, VERDICT_COUNTED, 0, 0}}},
};

static void
test_stories(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof stories / sizeof stories[0]; i++) {
		struct judge *judge = judge_with(3, 100, 1000);

		for (const struct step *step = stories[i].steps; step->address;
			step++) {
			struct judgement got = charge(judge, step->address,
				step->time_s, step->count);

			if (got.verdict != step->want ||
				got.count != step->want_count)
				fail_msg("%s: %s at %lld: verdict %d count %u",
					stories[i].name, step->address,
					(long long)step->time_s, got.verdict,
					got.count);
			if (got.verdict != VERDICT_BAN)
				continue;
			assert_int_equal(
				got.ban.from_us, step->want_from_s * S);
			assert_int_equal(got.ban.until_us,
				(step->want_from_s + 1000) * S);
			assert_int_equal(got.ban.count, step->want_count);
			assert_int_equal(got.ban.class, CLASS_AUTH_FAILURE);
			assert_true(network_equal(&got.ban.net, &got.client));
		}
		judge_free(judge);
	}
}

static void
test_permanent(void **state)
{
	struct judge_settings settings = settings_with(2, 86400, 1);
	struct judge *judge;
	struct judgement got;

	(void)state;
	settings.policy[CLASS_AUTH_FAILURE].bantime_us = BAN_PERMANENT;
	judge = judge_new(&settings, key);
	got = charge(judge, "192.0.2.1", 1, 2);
	assert_int_equal(got.verdict, VERDICT_BAN);
	assert_true(got.ban.until_us == BAN_PERMANENT);
	for (int i = 0; i < 1000; i++)
		judge_expire(judge, INT64_MAX - 1);
	got = charge(judge, "192.0.2.1", INT64_C(4000000000), 2);
	assert_int_equal(got.verdict, VERDICT_BANNED);
	judge_free(judge);
}

static void
test_class_never_bans(void **state)
{
	struct judge *judge = judge_with(0, 100, 100);
	struct judgement got = charge(judge, "192.0.2.1", 1, 1000000);

	(void)state;
	assert_int_equal(got.verdict, VERDICT_COUNTED);
	assert_int_equal(got.count, 0);
	assert_int_equal(judge_tally_count(judge), 0);
	judge_free(judge);
}

/* Classes count apart; a ban for one clears the other. */
static void
test_classes(void **state)
{
	struct judge *judge = judge_with(3, 100, 10);
	struct addr addr = addr_from("192.0.2.1");
	struct judgement got;

	(void)state;
	spam(judge, &addr, S, 2, &got);
	got = charge(judge, "192.0.2.1", 2, 2);
	assert_int_equal(got.count, 2);
	assert_int_equal(judge_tally_count(judge), 2);
	got = charge(judge, "192.0.2.1", 3, 1);
	assert_int_equal(got.verdict, VERDICT_BAN);
	assert_int_equal(judge_tally_count(judge), 0);
	spam(judge, &addr, 20 * S, 1, &got);
	assert_int_equal(got.verdict, VERDICT_COUNTED);
	assert_int_equal(got.count, 1);
	judge_free(judge);
}

static void
test_unban(void **state)
{
	struct judge *judge = judge_with(3, 100, 1000);
	struct network net = net_from("192.0.2.1");
	struct network wide = net_from("192.0.2.0/24");
	struct ban ban = {.net = wide, .until_us = BAN_PERMANENT};

	(void)state;
	ban.class = CLASS_NONE;
	assert_false(judge_unban(judge, &net));
	(void)charge(judge, "192.0.2.1", 1, 3);
	assert_int_equal(judge_ban_count(judge), 1);
	assert_true(judge_unban(judge, &net));
	assert_false(judge_unban(judge, &net));
	assert_int_equal(judge_ban_count(judge), 0);
	assert_int_equal(charge(judge, "192.0.2.1", 2, 1).count, 1);

	/* A wider one: the tallies within it go, the neighbour's stays. */
	(void)charge(judge, "192.0.2.1", 3, 1);
	(void)charge(judge, "192.0.3.1", 3, 2);
	judge_ban(judge, &ban);
	assert_int_equal(
		charge(judge, "192.0.2.1", 4, 9).verdict, VERDICT_BANNED);
	assert_true(judge_unban(judge, &wide));
	assert_int_equal(charge(judge, "192.0.2.1", 5, 1).count, 1);
	assert_int_equal(charge(judge, "192.0.3.1", 5, 1).verdict, VERDICT_BAN);
	judge_free(judge);
}

static void
test_find_widest(void **state)
{
	struct judge *judge = judge_with(3, 100, 1000);
	static const char *const nets[] = {
		"2001:db8::/32", "2001:db8::/48", "2001:db8::/64", "192.0.2.7"};
	struct network one = net_from("2001:db8::9");
	struct network other = net_from("2001:db9::9");
	struct network around = net_from("2001:db8::/40");
	const struct ban *found;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct ban ban = {.net = net_from(nets[i]),
			.until_us = (int64_t)(i + 1) * S,
			.class = CLASS_NONE};
		judge_ban(judge, &ban);
	}
	found = judge_find_ban(judge, &one, 0);
	assert_non_null(found);
	assert_int_equal(found->net.prefix, 32);
	found = judge_find_ban(judge, &one, S);
	assert_non_null(found);
	assert_int_equal(found->net.prefix, 48);
	found = judge_find_ban(judge, &around, 0);
	assert_non_null(found);
	assert_null(judge_find_ban(judge, &around, S));
	assert_null(judge_find_ban(judge, &one, 3 * S));
	assert_null(judge_find_ban(judge, &other, 0));
	judge_free(judge);
}

/* One of the same network is replaced, by a shorter one too. */
static void
test_replace(void **state)
{
	struct judge *judge = judge_with(3, 100, 1000);
	struct ban ban = {.net = net_from("192.0.2.1"),
		.until_us = 9 * S,
		.class = CLASS_NONE};
	size_t cursor = 0;

	(void)state;
	judge_ban(judge, &ban);
	ban.until_us = 5 * S;
	judge_ban(judge, &ban);
	assert_int_equal(judge_ban_count(judge), 1);
	assert_non_null(judge_next_ban(judge, &cursor));
	assert_null(judge_next_ban(judge, &cursor));
	assert_null(judge_find_ban(judge, &ban.net, 5 * S));
	judge_free(judge);
}

static void
test_exempt(void **state)
{
	struct judge_settings settings = settings_with(1, 100, 1000);
	struct network host = net_from("2001:db8::25");
	struct network office = net_from("192.0.2.0/24");
	struct judge *judge;

	(void)state;
	netset_add(&settings.exempt, &host);
	netset_add(&settings.exempt, &office);
	judge = judge_new(&settings, key);
	netset_free(&settings.exempt);
	assert_int_equal(
		charge(judge, "192.0.2.77", 1, 9).verdict, VERDICT_EXEMPT);
	/* Its /64 may be banned; the host itself stays exempt. */
	assert_int_equal(
		charge(judge, "2001:db8::26", 1, 1).verdict, VERDICT_BAN);
	assert_int_equal(
		charge(judge, "2001:db8::25", 2, 1).verdict, VERDICT_EXEMPT);
	assert_int_equal(
		charge(judge, "2001:db8::27", 2, 1).verdict, VERDICT_BANNED);
	assert_int_equal(
		charge(judge, "192.0.3.77", 1, 1).verdict, VERDICT_BAN);
	judge_free(judge);
}

static void
test_next_exempt(void **state)
{
	struct judge_settings settings = settings_with(1, 100, 1000);
	struct judge *judge = judge_new(&settings, key);
	struct network office = net_from("192.0.2.0/25");
	const struct ban *ban;
	size_t cursor = 0, lifted = 0;

	(void)state;
	for (int i = 0; i < 256; i++) {
		struct addr addr = {
			.family = ADDR_V4, .bytes = {192, 0, 2, (uint8_t)i}};
		struct judgement got;

		spam(judge, &addr, S, 1, &got);
		assert_int_equal(got.verdict, VERDICT_BAN);
	}
	assert_null(judge_next_exempt_ban(judge, &cursor));
	netset_add(&settings.exempt, &office);
	judge_configure(judge, &settings);
	netset_free(&settings.exempt);
	cursor = 0;
	while ((ban = judge_next_exempt_ban(judge, &cursor))) {
		assert_true(judge_unban(judge, &ban->net));
		lifted++;
	}
	assert_int_equal(lifted, 128);
	assert_int_equal(judge_ban_count(judge), 128);
	judge_free(judge);
}

/* A ban that is over is neither shown nor counted, and yet known to the
 * offences of its time; a day later it is gone. */
static void
test_expire(void **state)
{
	struct judge *judge = judge_with(1, 100, 1000);
	struct network net = net_from("192.0.2.1");
	size_t cursor = 0;

	(void)state;
	(void)charge(judge, "192.0.2.1", 1, 1);
	judge_expire(judge, 1000 * S);
	assert_int_equal(judge_ban_count(judge), 1);
	judge_expire(judge, 1001 * S);
	assert_int_equal(judge_ban_count(judge), 0);
	assert_null(judge_next_ban(judge, &cursor));
	assert_false(judge_unban(judge, &net));
	assert_int_equal(
		charge(judge, "192.0.2.1", 900, 1).verdict, VERDICT_BANNED);
	(void)charge(judge, "192.0.2.2", 1001 + 86400, 1);
	judge_expire(judge, 90000 * S);
	assert_int_equal(
		charge(judge, "192.0.2.1", 900, 1).verdict, VERDICT_BAN);
	for (int i = 0; i < 10; i++)
		judge_expire(judge, 1002 * S);
	assert_int_equal(judge_ban_count(judge), 2);
	judge_expire(judge, 90000 * S);
	assert_int_equal(judge_ban_count(judge), 0);
	judge_free(judge);
}

/* What is behind every window and every delay leaves memory. */
static void
test_forget(void **state)
{
	struct judge *judge = judge_with(5, 100, 1000);
	size_t empty = judge_memory(judge), full;

	(void)state;
	for (int i = 0; i < 60000; i++) {
		struct addr addr = {.family = ADDR_V4,
			.bytes = {10, 0, (uint8_t)(i >> 8), (uint8_t)i}};
		struct judgement got;

		for (int j = 0; j < 1 + i % 4; j++)
			spam(judge, &addr, (i + j) * S, 1, &got);
	}
	full = judge_memory(judge);
	assert_int_equal(judge_tally_count(judge), 60000);
	(void)charge(judge, "192.0.2.1", 60004 + 100 + 86400, 1);
	for (int i = 0; i < 2000; i++)
		judge_expire(judge, 0);
	assert_int_equal(judge_tally_count(judge), 1);
	assert_true(judge_memory(judge) < empty + (full - empty) / 100);
	judge_free(judge);
}

/* One message from the far future, then the clock is right again. */
static void
test_wrong_clock(void **state)
{
	struct judge *judge = judge_with(3, 100, 1000);
	int first = 0;

	(void)state;
	(void)charge(judge, "192.0.2.9", INT64_C(3000000000), 1);
	while (charge(judge, "192.0.2.1", 1000 + first, 1).verdict !=
			VERDICT_BAN &&
		first < 200)
		first++;
	/* The hundredth that is late is the first that is not. */
	assert_int_equal(first, 99 + 2);
	judge_free(judge);
}

static void
test_configure(void **state)
{
	struct judge_settings settings = settings_with(10, 100, 1000);
	struct judge *judge = judge_new(&settings, key);

	(void)state;
	assert_int_equal(charge(judge, "192.0.2.1", 1, 4).count, 4);
	assert_int_equal(charge(judge, "2001:db8::1", 1, 4).count, 4);
	settings.policy[CLASS_AUTH_FAILURE].maxretry = 5;
	settings.prefix6 = 56;
	judge_configure(judge, &settings);
	assert_int_equal(charge(judge, "192.0.2.1", 2, 1).verdict, VERDICT_BAN);
	/* Another client now: it starts anew. */
	assert_int_equal(charge(judge, "2001:db8:0:3::1", 2, 1).count, 1);
	assert_int_equal(charge(judge, "2001:db8::1", 2, 1).count, 2);
	judge_free(judge);
}

static void
test_recall(void **state)
{
	struct judge *judge = judge_with(3, 100, 1000);
	struct addr addr = addr_from("192.0.2.1");
	struct offence five = offence_of(&addr, CLASS_AUTH_FAILURE, S, 5);
	struct offence two = offence_of(&addr, CLASS_AUTH_FAILURE, S, 2);

	(void)state;
	judge_recall(judge, &five);
	assert_int_equal(judge_ban_count(judge), 0);
	judge_free(judge);
	judge = judge_with(3, 100, 1000);
	judge_recall(judge, &two);
	assert_int_equal(charge(judge, "192.0.2.1", 2, 1).verdict, VERDICT_BAN);
	judge_free(judge);
}

/* A thousand retries: nothing is held until they come, and the last counts. */
static void
test_many_retries(void **state)
{
	struct judge *judge = judge_with(1000, 86400, 1000);
	size_t before;

	(void)state;
	(void)charge(judge, "192.0.2.1", 1, 1);
	before = judge_memory(judge);
	for (int i = 2; i < 1000; i++)
		assert_int_equal(charge(judge, "192.0.2.1", i, 1).count, i);
	assert_true(judge_memory(judge) < before + 1500 * 16);
	assert_int_equal(
		charge(judge, "192.0.2.1", 1000, 1).verdict, VERDICT_BAN);
	assert_true(judge_memory(judge) < before + 20000);
	judge_free(judge);
}

/* Times at both ends of what an int64_t holds. */
static void
test_extremes(void **state)
{
	struct judge *judge = judge_with(2, 100, 1000);
	struct addr addr = addr_from("192.0.2.1");
	struct judgement got;

	(void)state;
	spam(judge, &addr, INT64_MIN + 1, UINT32_MAX, &got);
	assert_int_equal(got.verdict, VERDICT_BAN);
	spam(judge, &addr, INT64_MAX, 1, &got);
	assert_int_equal(got.verdict, VERDICT_COUNTED);
	spam(judge, &addr, INT64_MAX, UINT32_MAX, &got);
	assert_int_equal(got.verdict, VERDICT_BAN);
	assert_true(got.ban.until_us == BAN_PERMANENT);
	judge_free(judge);
}

/* --- against the naive model --- */

enum { MODEL_CLIENTS = 12, MODEL_MAX = 20000, MODEL_STEPS = 3000 };

struct past {
	int client;
	int class;
	int64_t time;
	uint32_t units; /* hundredths: count by weight */
};

struct model {
	const struct judge_settings *settings;
	struct past past[MODEL_MAX];
	size_t len;
	int64_t until[MODEL_CLIENTS]; /* of its ban; 0: none */
	int64_t wide_until[2];	      /* of the operator's ban of half */
	int64_t newest;
	int late_run;
};

static void
model_forget(struct model *model, int64_t newest)
{
	size_t kept = 0;

	for (size_t i = 0; i < model->len; i++) {
		const struct past *past = &model->past[i];

		if (past->time > newest - JUDGE_LATE_US -
					 model->settings->policy[past->class]
						 .findtime_us)
			model->past[kept++] = *past;
	}
	model->len = kept;
}

static void
model_time(struct model *model, int64_t time)
{
	bool late = model->newest != INT64_MIN &&
		    time < model->newest - JUDGE_LATE_US;

	model->late_run = late ? model->late_run + 1 : 0;
	if (model->late_run == 100) {
		model->newest = time;
		model->late_run = 0;
	}
	if (time > model->newest)
		model->newest = time;
	model_forget(model, model->newest);
}

static void
model_clear(struct model *model, int client)
{
	size_t kept = 0;

	for (size_t i = 0; i < model->len; i++)
		if (model->past[i].client != client)
			model->past[kept++] = model->past[i];
	model->len = kept;
}

/* Of this client and class in (end - findtime, end]. */
static uint64_t
model_sum(const struct model *model, const struct past *one, int64_t end)
{
	int64_t span = model->settings->policy[one->class].findtime_us;
	uint64_t sum = 0;

	for (size_t i = 0; i < model->len; i++) {
		const struct past *past = &model->past[i];

		if (past->client == one->client && past->class == one->class &&
			past->time <= end && past->time > end - span)
			sum += past->units;
	}
	return sum;
}

/* Every offence is the end of a window; the first full one that contains one
 * bans. */
static void
model_windows(const struct model *model, const struct past *one,
	struct judgement *out)
{
	const struct policy *policy = &model->settings->policy[one->class];
	uint64_t most = 0;

	for (size_t i = 0; i < model->len; i++) {
		const struct past *past = &model->past[i];
		uint64_t sum;

		if (past->client != one->client || past->class != one->class ||
			past->time < one->time ||
			past->time - policy->findtime_us >= one->time)
			continue;
		sum = model_sum(model, one, past->time);
		if (sum > most && out->verdict != VERDICT_BAN)
			most = sum;
		if (sum < policy->maxretry * UINT64_C(100) ||
			(out->verdict == VERDICT_BAN &&
				past->time >= out->ban.from_us))
			continue;
		out->verdict = VERDICT_BAN;
		out->ban.from_us = past->time;
		most = sum;
	}
	out->count = (uint32_t)(most / 100);
}

static struct judgement
model_offence(struct model *model, const struct past *one)
{
	const struct policy *policy = &model->settings->policy[one->class];
	struct judgement out = {.verdict = VERDICT_COUNTED};
	bool alone;

	model_time(model, one->time);
	if (model->until[one->client] > one->time ||
		model->wide_until[one->client % 2] > one->time)
		out.verdict = VERDICT_BANNED;
	if (out.verdict == VERDICT_BANNED || policy->maxretry == 0)
		return out;
	assert_true(model->len < MODEL_MAX);
	alone = one->time <=
		model->newest - JUDGE_LATE_US - policy->findtime_us;
	if (alone) {
		struct model lonely = {
			.settings = model->settings, .past = {*one}, .len = 1};
		model_windows(&lonely, one, &out);
	} else {
		model->past[model->len++] = *one;
		model_windows(model, one, &out);
	}
	if (out.verdict == VERDICT_BAN) {
		model->until[one->client] =
			out.ban.from_us + policy->bantime_us;
		model_clear(model, one->client);
	}
	return out;
}

static uint64_t seed;

static uint32_t
rnd(uint32_t below)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (uint32_t)((seed >> 33) % below);
}

/* Even clients are IPv4, odd ones IPv6, so that an operator's ban of one
 * network hits half. The host part is not the client's. */
static struct addr
client_addr(int client)
{
	struct addr addr = {
		.family = ADDR_V4, .bytes = {198, 51, 100, (uint8_t)client}};

	if (client % 2 == 0)
		return addr;
	addr = (struct addr){.family = ADDR_V6,
		.bytes = {0x20, 1, 0xd, 0xb8, [7] = (uint8_t)client}};
	addr.bytes[15] = (uint8_t)rnd(256);
	return addr;
}

static struct network
client_net(int client)
{
	struct addr addr = client_addr(client);

	return network_of(&addr, client % 2 ? 64 : 32);
}

static const char *const halves[] = {"198.51.100.0/24", "2001:db8::/32"};

static void
operator_acts(struct judge *judge, struct model *model, int64_t time)
{
	int client = (int)rnd(MODEL_CLIENTS);
	struct network net = client_net(client);
	struct network half = net_from(halves[client % 2]);
	struct ban ban = {.net = half,
		.from_us = time,
		.until_us = time + rnd(50) * S + 1,
		.class = CLASS_NONE};
	bool had = model->until[client] != 0;

	switch (rnd(8)) {
	case 0:
		judge_ban(judge, &ban);
		model->wide_until[client % 2] = ban.until_us;
		break;
	case 1:
		had = model->wide_until[client % 2] != 0;
		assert_int_equal(judge_unban(judge, &half), had);
		model->wide_until[client % 2] = 0;
		for (int i = client % 2; had && i < MODEL_CLIENTS; i += 2)
			model_clear(model, i);
		break;
	default:
		assert_int_equal(judge_unban(judge, &net), had);
		model->until[client] = 0;
		if (had)
			model_clear(model, client);
	}
}

enum mode {
	IN_ORDER,
	WITHIN_WINDOWS, /* times jump about within some windows */
	OVER_DAYS,	/* further than what may be late */
	CLOCK_SET_BACK, /* by days, now and then */
	SMALL_NUMBERS,	/* many times that are equal or findtime apart */
	MODES
};

static struct judge_settings
random_settings(enum mode mode)
{
	struct judge_settings settings = settings_with(0, 0, 0);

	for (int i = 0; i < CLASS_OFFENCES; i++)
		settings.policy[i] = (struct policy){.maxretry = rnd(7),
			.findtime_us =
				mode == SMALL_NUMBERS
					? 1 + rnd(9)
					: 1 + rnd(200) * (rnd(2) ? S : 1),
			.bantime_us = mode == SMALL_NUMBERS ? 1 + rnd(20)
							    : 1 + rnd(300) * S};
	return settings;
}

static int64_t
random_time(int64_t *base, enum mode mode)
{
	if (mode == SMALL_NUMBERS)
		return (*base += rnd(3)) - rnd(25);
	*base += rnd(4) ? (int64_t)rnd(20) * S : 0;
	if (mode == IN_ORDER)
		return *base;
	if (mode == WITHIN_WINDOWS)
		return *base - (int64_t)rnd(500) * S + rnd(3);
	if (mode == OVER_DAYS)
		return *base - (rnd(3) ? 0 : (int64_t)rnd(3) * DAY) -
		       rnd(100) * S;
	if (rnd(300) == 0)
		*base -= (int64_t)rnd(5) * DAY;
	return *base - rnd(100) * S;
}

static void
compare(const struct judgement *got, const struct judgement *want, int client,
	uint64_t from_seed, int step)
{
	if (got->verdict != want->verdict || got->count != want->count ||
		(want->verdict == VERDICT_BAN &&
			got->ban.from_us != want->ban.from_us))
		fail_msg("seed %llu step %d client %d: verdict %d count %u, "
			 "the model says %d, %u",
			(unsigned long long)from_seed, step, client,
			got->verdict, got->count, want->verdict, want->count);
}

static const uint32_t weights[] = {1, 30, 50, 150, 400};

static void
run_stream(uint64_t from_seed, enum mode mode)
{
	static struct model model;
	uint8_t any_key[16] = {0};
	struct judge_settings settings;
	struct judge *judge;
	int64_t base = 1000 * DAY;

	seed = from_seed;
	settings = random_settings(mode);
	memset(&model, 0, sizeof model);
	model.settings = &settings;
	model.newest = INT64_MIN;
	any_key[0] = (uint8_t)rnd(256);
	judge = judge_new(&settings, any_key);
	for (int step = 0; step < MODEL_STEPS; step++) {
		struct past one = {(int)rnd(MODEL_CLIENTS),
			(int)rnd(CLASS_OFFENCES), 0, 1};
		struct addr addr = client_addr(one.client);
		struct judgement got, want;
		struct offence offence;

		one.time = random_time(&base, mode);
		offence = offence_of(&addr, (enum class)one.class, one.time,
			rnd(5) ? 1 : rnd(4) + 1);
		if (rnd(3) == 0)
			offence.weight_percent = weights[rnd(5)];
		one.units = offence.count * offence.weight_percent;
		judge_offence(judge, &offence, &got);
		want = model_offence(&model, &one);
		compare(&got, &want, one.client, from_seed, step);
		/* Nothing ends here: now is long ago. */
		judge_expire(judge, 0);
		if (rnd(40) == 0)
			operator_acts(judge, &model, base);
	}
	judge_free(judge);
}

static void
test_against_model(void **state)
{
	const char *more = getenv("MAILBAN_SEEDS");
	uint64_t seeds = more ? strtoull(more, NULL, 10) : 60;

	(void)state;
	for (uint64_t i = 1; i <= seeds; i++)
		run_stream(i, (enum mode)(i % MODES));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stories),
		cmocka_unit_test(test_permanent),
		cmocka_unit_test(test_class_never_bans),
		cmocka_unit_test(test_classes),
		cmocka_unit_test(test_unban),
		cmocka_unit_test(test_find_widest),
		cmocka_unit_test(test_replace),
		cmocka_unit_test(test_exempt),
		cmocka_unit_test(test_next_exempt),
		cmocka_unit_test(test_expire),
		cmocka_unit_test(test_forget),
		cmocka_unit_test(test_wrong_clock),
		cmocka_unit_test(test_configure),
		cmocka_unit_test(test_recall),
		cmocka_unit_test(test_many_retries),
		cmocka_unit_test(test_extremes),
		cmocka_unit_test(test_against_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
