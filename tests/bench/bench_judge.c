/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What judgement costs: bytes for each tracked client with one or two
 * offences, everything that is known of it included, and time for an offence
 * and for a whole message, as the number of tracked clients grows from a
 * thousand to a million (with --full: ten million). Ratios within one run are
 * what counts; absolute times are this machine's.
 *
 * usage: bench_judge [--full] [FOLDER-OF-RULES]
 */
#include "plugin/config.h"
#include "plugin/correlate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DAY (INT64_C(86400) * 1000000)
#define BASE (INT64_C(20000) * DAY)

enum { OFFENCES = 2000000, MESSAGES = 400000, BANS = 1000000, ROUNDS = 3 };

static const uint8_t key[16] = "a key of a bench";
static uint64_t seed = 1;

static uint32_t
rnd(uint32_t below)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (uint32_t)((seed >> 32) * below >> 32);
}

static double
clock_of(clockid_t clock)
{
	struct timespec now;

	(void)clock_gettime(clock, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Of this process alone: a bench must not measure its neighbours. */
static double
seconds(void)
{
	return clock_of(CLOCK_PROCESS_CPUTIME_ID);
}

/* Half are IPv4, half IPv6, in all networks. */
static struct addr
client(uint32_t number)
{
	struct addr addr = {.family = number % 2 ? ADDR_V6 : ADDR_V4};
	uint32_t mixed = number / 2 * UINT32_C(2654435761);

	if (addr.family == ADDR_V4) {
		for (int i = 3; i >= 0; i--, mixed >>= 8)
			addr.bytes[i] = (uint8_t)mixed;
		return addr;
	}
	addr.bytes[0] = 0x20;
	addr.bytes[1] = 0x01;
	for (int i = 7; i >= 4; i--, mixed >>= 8)
		addr.bytes[i] = (uint8_t)mixed;
	return addr;
}

/* As shipped, with networks counted too. */
static struct config *
new_config(void)
{
	struct config *config = config_new();

	config->judge.networks.clients = 8;
	config->judge.networks.offenders = 1000;
	return config;
}

/* A user name for every ten clients. */
static void
fail(struct judge *judge, uint32_t number, uint32_t clients, int64_t time_us,
	struct judgement *out)
{
	char user[32];
	struct offence offence = {.addr = client(number),
		.class = CLASS_AUTH_FAILURE,
		.time_us = BASE + time_us,
		.count = 1,
		.weight_percent = 100};
	int len = snprintf(user, sizeof user, "user%u@example.org",
		number % (clients / 10 + 1));

	offence.user = (struct span){user, (size_t)len};
	judge_offence(judge, &offence, out);
}

/* One or two offences each, and a login of every twentieth; the longest single
 * call is the longest pause. */
static double
fill(struct judge *judge, uint32_t clients, double *longest)
{
	double start = seconds();

	*longest = 0;
	for (uint32_t i = 0; i < clients; i++) {
		struct addr addr = client(i);
		struct span user = {"user", 4};
		struct judgement out;
		double before = clock_of(CLOCK_MONOTONIC), took;

		fail(judge, i, clients, i, &out);
		took = clock_of(CLOCK_MONOTONIC) - before;
		if (took > *longest)
			*longest = took;
		if (i % 2 == 0)
			fail(judge, i, clients, clients + i, &out);
		if (i % 20 == 0)
			(void)judge_login(judge, &addr, &user, BASE + i);
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
		struct judgement out;

		now_us += step_us;
		fail(judge, rnd(clients), clients, now_us, &out);
	}
	return (seconds() - start) / OFFENCES * 1e9;
}

/* --- a whole message --- */

static const struct {
	int percent;
	const char *tag, *msg;
	enum { NO_CLIENT, POSTFIX_CLIENT, DOVECOT_CLIENT } which;
} mix[] = {
	{20, "postfix/qmgr[811]",
		"4XyZ1a2b3cz5: from=<a@example.net>, size=4711, nrcpt=1 "
		"(queue active)",
		NO_CLIENT},
	{20, "postfix/smtp[812]",
		"4XyZ1a2b3cz5: to=<b@example.net>, relay=mx.example.net"
		"[192.0.2.25]:25, delay=1.2, delays=0.1/0/0.4/0.6, dsn=2.0.0, "
		"status=sent (250 2.0.0 Ok: queued as 4XyZ1a2b3cz6)",
		NO_CLIENT},
	{20, "postfix/smtpd[813]",
		"disconnect from mail.example.net[192.0.2.30] ehlo=2 "
		"starttls=1 mail=1 rcpt=1 data=1 quit=1 commands=7",
		NO_CLIENT},
	{15, "dovecot",
		"imap-login: Login: user=<u7@example.org>, method=PLAIN, "
		"rip=192.0.2.31, lip=192.0.2.1, mpid=4711, TLS, "
		"session=<8a3bc1d2e4f5>",
		NO_CLIENT},
	{10, "amavis[814]",
		"(814-01) Passed CLEAN {RelayedInbound}, [192.0.2.30]:4711 "
		"<a@example.net> -> <b@example.org>, Queue-ID: 4XyZ1a2b3cz5, "
		"Hits: -1.2, size: 4711, 812 ms",
		NO_CLIENT},
	{8, "postfix/smtpd[815]", NULL, POSTFIX_CLIENT},
	{7, "dovecot", NULL, DOVECOT_CLIENT},
};

static size_t
one_line(char *line, size_t size, uint32_t clients, int64_t time_us)
{
	char time[40], msg[600], address[ADDR_STRLEN];
	int percent = (int)rnd(100), len;
	time_t now = (time_t)(time_us / 1000000);
	struct addr addr = client(rnd(clients));
	struct tm tm;
	size_t at = 0;

	while (percent >= mix[at].percent)
		percent -= mix[at++].percent;
	(void)strftime(
		time, sizeof time, "%Y-%m-%dT%H:%M:%S", gmtime_r(&now, &tm));
	(void)addr_format(&addr, address);
	if (mix[at].which == NO_CLIENT)
		(void)snprintf(msg, sizeof msg, "%s", mix[at].msg);
	else if (mix[at].which == POSTFIX_CLIENT)
		(void)snprintf(msg, sizeof msg,
			"warning: unknown[%s]: SASL LOGIN authentication "
			"failed: UGFzc3dvcmQ6, sasl_username=u%u@example.org",
			address, rnd(clients));
	else
		(void)snprintf(msg, sizeof msg,
			"imap-login: Disconnected: Connection closed (auth "
			"failed, 1 attempts in 2 secs): user=<u%u@example.org>"
			", method=PLAIN, rip=%s, lip=192.0.2.1, TLS, "
			"session=<%x>",
			rnd(clients), address, rnd(UINT32_MAX));
	len = snprintf(line, size,
		"{\"time\":\"%s.%06d+00:00\",\"reported\":\"%s.%06d+00:00\","
		"\"host\":\"mx1\",\"from\":\"127.0.0.1\",\"tag\":\"%s:\","
		"\"msg\":\" %s\"}",
		time, (int)(time_us % 1000000), time, (int)(time_us % 1000000),
		mix[at].tag, msg);
	return (size_t)len;
}

struct path {
	struct message_reader *reader;
	struct rules *rules;
	struct correlate *correlate;
	struct judge *judge;
	size_t offences;
};

static void
judge_line(struct path *path, const char *line, size_t len)
{
	struct message message;
	struct match match;
	struct offence offence;
	struct judgement out;

	if (message_parse_json(path->reader, line, len, BASE, &message) < 0)
		abort();
	(void)rules_match(path->rules, &message, &match);
	correlate_session(path->correlate, &message, &match);
	if (match.class == CLASS_LOGIN && match.has_addr)
		(void)judge_login(
			path->judge, &match.addr, &match.user, message.time_us);
	if (match.class >= CLASS_OFFENCES || !match.has_addr)
		return;
	offence = (struct offence){.addr = match.addr,
		.class = match.class,
		.time_us = message.time_us,
		.count = correlate_attempts(path->correlate, &message, &match),
		.weight_percent = match.rule->weight_percent,
		.user = match.user,
		.password = match.digest,
		.unknown_user = match.rule->unknown_user};
	if (offence.count)
		judge_offence(path->judge, &offence, &out);
	path->offences++;
}

/* The lines are made beforehand; the best of some rounds, as other work on the
 * machine only ever adds. */
static double
whole_path(struct path *path, uint32_t clients)
{
	enum { SIZE = 1024 };
	static int64_t now_us = BASE;
	char *lines = malloc((size_t)MESSAGES * SIZE);
	size_t *len = calloc(MESSAGES, sizeof *len);
	double best = 0;

	if (!lines || !len)
		abort();
	now_us = BASE + 3 * DAY;
	for (int round = 0; round < ROUNDS; round++) {
		double start, took;

		for (size_t i = 0; i < MESSAGES; i++) {
			now_us += 100;
			len[i] = one_line(
				lines + i * SIZE, SIZE, clients, now_us);
		}
		start = seconds();
		for (size_t i = 0; i < MESSAGES; i++)
			judge_line(path, lines + i * SIZE, len[i]);
		took = (seconds() - start) / MESSAGES * 1e9;
		if (best == 0 || took < best)
			best = took;
	}
	free(lines);
	free(len);
	return best;
}

/* --- the runs --- */

struct first {
	double offence_ns, message_ns;
};

static double
bench_messages(struct rules *rules, struct judge *judge, uint32_t clients)
{
	struct path path = {.reader = message_reader_new(),
		.rules = rules,
		.correlate = correlate_new(key),
		.judge = judge};
	double ns = whole_path(&path, clients);

	if (path.offences < (size_t)MESSAGES * ROUNDS / 10)
		printf("only %zu offences: which rules are these?\n",
			path.offences);
	message_reader_free(path.reader);
	correlate_free(path.correlate);
	return ns;
}

static void
bench_tallies(uint32_t clients, struct rules *rules, struct first *first)
{
	struct config *config = new_config();
	struct judge *judge = judge_new(&config->judge, key);
	size_t empty = judge_memory(judge);
	double longest, fill_ns = fill(judge, clients, &longest);
	size_t kept = judge_tally_count(judge);
	double bytes = (double)(judge_memory(judge) - empty) / (double)kept;
	double offence_ns = steady(judge, clients), message_ns;

	judge_free(judge);
	judge = judge_new(&config->judge, key);
	(void)fill(judge, clients, &longest);
	message_ns = bench_messages(rules, judge, clients);
	if (first->offence_ns == 0)
		*first = (struct first){offence_ns, message_ns};
	printf("tracked=%zu bytes_each=%.1f offence_ns=%.0f ratio=%.2f "
	       "message_ns=%.0f message_ratio=%.2f new_ns=%.0f "
	       "longest_ms=%.2f\n",
		kept, bytes, offence_ns, offence_ns / first->offence_ns,
		message_ns, message_ns / first->message_ns, fill_ns,
		longest * 1e3);
	judge_free(judge);
	config_free(config);
}

static void
bench_bans(void)
{
	struct config *config = new_config();
	struct judge *judge = judge_new(&config->judge, key);
	size_t empty = judge_memory(judge);
	double start = seconds(), put_ns, find_ns;
	size_t found = 0;

	for (uint32_t i = 0; i < BANS; i++) {
		struct addr addr = client(i);
		struct ban ban = {.net = network_of(&addr,
					  addr.family == ADDR_V6 ? 64 : 32),
			.until_us = BASE + DAY,
			.class = CLASS_NONE};
		judge_ban(judge, &ban);
	}
	put_ns = (seconds() - start) / BANS * 1e9;
	start = seconds();
	for (uint32_t i = 0; i < OFFENCES; i++) {
		struct addr addr = client(rnd(BANS));

		found += judge_is_banned(
			judge, &addr, CLASS_AUTH_FAILURE, BASE + 1);
	}
	find_ns = (seconds() - start) / OFFENCES * 1e9;
	printf("bans=%d bytes_each=%.1f ban_ns=%.0f banned_ns=%.0f found=%s\n",
		BANS, (double)(judge_memory(judge) - empty) / BANS, put_ns,
		find_ns, found == OFFENCES ? "all" : "NOT ALL");
	judge_free(judge);
	config_free(config);
}

int
main(int argc, char **argv)
{
	bool full = argc > 1 && strcmp(argv[1], "--full") == 0;
	const char *folder = argc > 1 + full ? argv[1 + full] : "rules";
	uint32_t most = full ? 10000000 : 1000000;
	struct first first = {0, 0};
	char *error = NULL;
	struct rules *rules = rules_load(&folder, 1, RULES_BALANCED, &error);

	if (!rules) {
		(void)fprintf(stderr, "%s\n", error);
		free(error);
		return 1;
	}
	bench_tallies(1000, rules, &first);
	bench_tallies(100000, rules, &first);
	for (uint32_t clients = 1000000; clients <= most; clients *= 10)
		bench_tallies(clients, rules, &first);
	bench_bans();
	rules_free(rules);
	return 0;
}
