/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What judgement costs: bytes for each tracked client with one or two
 * offences, and time for an offence, as the number of tracked clients grows
 * from a thousand to a million (with --full: ten million). Ratios within one
 * run are what counts; absolute times are this machine's.
 */
#include "plugin/judge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DAY (INT64_C(86400) * 1000000)

enum { OFFENCES = 2000000, BANS = 1000000 };

static const uint8_t key[16] = "a key of a bench";
static uint64_t seed = 1;

static uint32_t
rnd(uint32_t below)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (uint32_t)((seed >> 32) * below >> 32);
}

static double
seconds(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Half are IPv4, half IPv6. */
static struct addr
client(uint32_t number)
{
	struct addr addr = {.family = number % 2 ? ADDR_V6 : ADDR_V4};

	number /= 2;
	if (addr.family == ADDR_V4) {
		for (int i = 3; i >= 0; i--, number >>= 8)
			addr.bytes[i] = (uint8_t)number;
		return addr;
	}
	addr.bytes[0] = 0x20;
	addr.bytes[1] = 0x01;
	for (int i = 7; i >= 4; i--, number >>= 8)
		addr.bytes[i] = (uint8_t)number;
	return addr;
}

static void
fail(struct judge *judge, const struct addr *addr, int64_t time_us,
	struct judgement *out)
{
	struct offence offence = {.addr = *addr,
		.class = CLASS_AUTH_FAILURE,
		.time_us = time_us,
		.count = 1,
		.weight_percent = 100};

	judge_offence(judge, &offence, out);
}

static struct judge *
new_judge(void)
{
	struct judge_settings settings = {.prefix4 = 32, .prefix6 = 64};

	for (int i = 0; i < CLASS_OFFENCES; i++)
		settings.policy[i] = (struct policy){
			.maxretry = 20, .findtime_us = DAY, .bantime_us = DAY};
	return judge_new(&settings, key);
}

/* One or two offences each; the longest single call is the longest pause. */
static double
fill(struct judge *judge, uint32_t clients, double *longest)
{
	double start = seconds();

	*longest = 0;
	for (uint32_t i = 0; i < clients; i++) {
		struct addr addr = client(i);
		struct judgement out;
		double before = seconds(), took;

		fail(judge, &addr, i, &out);
		took = seconds() - before;
		if (took > *longest)
			*longest = took;
		if (i % 2 == 0)
			fail(judge, &addr, clients + i, &out);
	}
	return (seconds() - start) / (clients * 1.5) * 1e9;
}

/* Time passes so that each client comes once in two days on average: as many
 * are forgotten as come, and their number stays. */
static double
steady(struct judge *judge, uint32_t clients)
{
	int64_t step_us = 2 * DAY / clients;
	int64_t now_us = 2 * (int64_t)clients;
	double start = seconds();

	for (uint32_t i = 0; i < OFFENCES; i++) {
		struct addr addr = client(rnd(clients));
		struct judgement out;

		now_us += step_us;
		fail(judge, &addr, now_us, &out);
	}
	return (seconds() - start) / OFFENCES * 1e9;
}

static void
bench_tallies(uint32_t clients, double *first_ns)
{
	struct judge *judge = new_judge();
	size_t empty = judge_memory(judge);
	double longest, fill_ns = fill(judge, clients, &longest);
	double bytes = (double)(judge_memory(judge) - empty) / clients;
	double ns = steady(judge, clients);

	if (*first_ns == 0)
		*first_ns = ns;
	printf("tracked=%u bytes_each=%.1f offence_ns=%.0f ratio=%.2f "
	       "new_ns=%.0f longest_ms=%.2f\n",
		clients, bytes, ns, ns / *first_ns, fill_ns, longest * 1e3);
	judge_free(judge);
}

static void
bench_bans(void)
{
	struct judge *judge = new_judge();
	size_t empty = judge_memory(judge);
	double start = seconds(), put_ns, find_ns;
	size_t found = 0;

	for (uint32_t i = 0; i < BANS; i++) {
		struct addr addr = client(i);
		struct ban ban = {.net = network_of(&addr,
					  addr.family == ADDR_V6 ? 64 : 32),
			.until_us = DAY,
			.class = CLASS_NONE};
		judge_ban(judge, &ban);
	}
	put_ns = (seconds() - start) / BANS * 1e9;
	start = seconds();
	for (uint32_t i = 0; i < OFFENCES; i++) {
		struct addr addr = client(rnd(BANS));
		struct judgement out;

		fail(judge, &addr, 1, &out);
		found += out.verdict == VERDICT_BANNED;
	}
	find_ns = (seconds() - start) / OFFENCES * 1e9;
	printf("bans=%d bytes_each=%.1f ban_ns=%.0f banned_ns=%.0f found=%s\n",
		BANS, (double)(judge_memory(judge) - empty) / BANS, put_ns,
		find_ns, found == OFFENCES ? "all" : "NOT ALL");
	judge_free(judge);
}

int
main(int argc, char **argv)
{
	bool full = argc > 1 && strcmp(argv[1], "--full") == 0;
	uint32_t most = full ? 10000000 : 1000000;
	double first_ns = 0;

	bench_tallies(1000, &first_ns);
	bench_tallies(100000, &first_ns);
	for (uint32_t clients = 1000000; clients <= most; clients *= 10)
		bench_tallies(clients, &first_ns);
	bench_bans();
	return 0;
}
