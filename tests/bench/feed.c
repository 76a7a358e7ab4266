/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Plays omprog before one ommailban for each number of clients given, to see
 * whether a message costs the same however many clients are tracked:
 *
 *   feed CLIENTS... -- OMMAILBAN ARGUMENT...
 *
 * "@" in an argument becomes the number of clients. Each is given as many
 * offences as the largest has clients, so that all have seen as much. Then all
 * in turn, transaction by transaction, get more from clients chosen at random,
 * and of messages of which one in seven is an offence. Time passes so that a
 * client comes twice in a window on average (FINDTIME_S, which the
 * configuration must have): as many offences leave it as come, and nearly all
 * are tracked. What counts is the processor time that the main thread, which
 * waits for no other, takes for the median transaction, system calls and all.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	FINDTIME_S = 60,
	TRANSACTION = 1024,
	ROUNDS = 150,
	BENIGN_A_OFFENCE = 6,
	CHILDREN_MAX = 8,
	ARGS_MAX = 32,
	LINE_MAX_BYTES = 400,
	QUIET_S = 300,
	ANSWERS_MAX = 65536, /* what a pipe takes */
};

struct child {
	uint32_t clients;
	pid_t pid;
	int to, from;
	int64_t time_us;
	double fill_ns;
	double offences_ns[ROUNDS], mix_ns[ROUNDS];
};

static struct child children[CHILDREN_MAX];
static size_t child_count;
static char text[(TRANSACTION + 2) * LINE_MAX_BYTES];
static uint64_t seed = 1;

static _Noreturn void
die(const char *what)
{
	(void)fprintf(stderr, "feed: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint32_t
rnd(uint32_t below)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (uint32_t)((seed >> 32) * below >> 32);
}

/* ---- The children ---- */

/* A copy of the argument with the number in place of "@". */
static char *
fill_in(const char *arg, uint32_t clients)
{
	const char *at = strchr(arg, '@');
	char *out = NULL;

	if (!at)
		return strdup(arg);
	if (asprintf(&out, "%.*s%u%s", (int)(at - arg), arg, clients, at + 1) <
		0)
		die("memory");
	return out;
}

static void
start(struct child *child, char **args)
{
	char *argv[ARGS_MAX + 1] = {NULL};
	int in[2], out[2];

	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
		die("pipe");
	for (size_t i = 0; i < ARGS_MAX && args[i]; i++)
		argv[i] = fill_in(args[i], child->clients);
	child->pid = fork();
	if (child->pid == 0) {
		(void)dup2(in[0], STDIN_FILENO);
		(void)dup2(out[1], STDOUT_FILENO);
		(void)execv(argv[0], argv);
		die(argv[0]);
	}
	(void)close(in[0]);
	(void)close(out[1]);
	child->to = in[1];
	child->from = out[0];
	/* Room for a transaction. */
	(void)fcntl(child->to, F_SETPIPE_SZ, 1 << 20);
}

/* Reads what is there; whether it ends in OK, if any is wanted. */
static size_t
read_answers(const struct child *child, char last[3])
{
	char buf[ANSWERS_MAX];
	ssize_t got = read(child->from, buf, sizeof(buf));

	if (got < 3)
		die("no answer");
	(void)memcpy(last, buf + got - 3, 3);
	return (size_t)got;
}

static void
await_start(const struct child *child)
{
	char last[3] = "";

	while (memcmp(last, "OK\n", 3) != 0)
		(void)read_answers(child, last);
}

/* Waits until that many bytes of answers are there, without reading: nobody
 * is woken for each of them. */
static void
await_answers(const struct child *child, size_t len)
{
	static const struct timespec moment = {.tv_nsec = 50000};
	char last[3];
	int there = 0;

	for (int tries = 0; (size_t)there < len; tries++) {
		if (ioctl(child->from, FIONREAD, &there) < 0 || tries > 1000000)
			die("answers");
		(void)nanosleep(&moment, NULL);
	}
	if (read_answers(child, last) != len || memcmp(last, "OK\n", 3) != 0)
		die("not OK");
}

/* Nanoseconds that the main thread has run. */
static double
run_ns(const struct child *child)
{
	char path[64], buf[128];
	ssize_t got;
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/task/%d/schedstat",
		(int)child->pid, (int)child->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	got = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);
	if (got <= 0)
		die(path);
	(void)close(fd);
	buf[got] = '\0';
	return strtod(buf, NULL);
}

/* ---- What they are fed ---- */

static size_t
put_stamp(char *out, int64_t time_us)
{
	time_t whole = (time_t)(time_us / 1000000);
	struct tm tm;
	size_t len;

	(void)gmtime_r(&whole, &tm);
	len = strftime(out, 32, "%Y-%m-%dT%H:%M:%S", &tm);
	return len + (size_t)snprintf(
			     out + len, 16, ".%06dZ", (int)(time_us % 1000000));
}

/* Half are IPv4, half IPv6. */
static void
put_address(char out[64], uint32_t client)
{
	uint32_t half = client / 2;

	if (client % 2)
		(void)snprintf(
			out, 64, "2a00:%x:%x::5", half >> 16, half & 0xffff);
	else
		(void)snprintf(out, 64, "%u.%u.%u.%u", 11 + (half >> 24),
			half >> 16 & 255, half >> 8 & 255, half & 255);
}

static size_t
put_line(char *out, int64_t time_us, const char *service, uint32_t pid,
	const char *msg)
{
	char stamp[48];

	stamp[put_stamp(stamp, time_us)] = '\0';
	return (size_t)snprintf(out, LINE_MAX_BYTES,
		"{\"time\":\"%s\", \"reported\":\"%s\", \"host\":\"mx1\", "
		"\"from\":\"127.0.0.1\", \"uid\":\"\", "
		"\"journal_uid\":\"\", "
		"\"tag\":\"postfix\\/%s[%u]:\", \"msg\":\" %s\"}\n",
		stamp, stamp, service, pid, msg);
}

static size_t
put_offence(char *out, int64_t time_us, uint32_t client)
{
	char address[64], msg[200];

	put_address(address, client);
	(void)snprintf(msg, sizeof(msg),
		"warning: unknown[%s]: SASL LOGIN authentication failed: "
		"UGFzc3dvcmQ6",
		address);
	return put_line(out, time_us, "smtpd", 1000 + client % 60000, msg);
}

static size_t
put_mark(char *out, const char *mark)
{
	size_t len = strlen(mark);

	(void)memcpy(out, mark, len);
	return len;
}

static size_t
put_benign(char *out, int64_t time_us, uint32_t number)
{
	static const char *const texts[][2] = {
		{"smtpd", "connect from mail7.example.com[198.51.100.7]"},
		{"cleanup", "83A7DF3D470: message-id=<anna.1@example.com>"},
		{"qmgr", "83A7DF3D470: from=<anna@example.com>, size=4711, "
			 "nrcpt=1 (queue active)"},
		{"smtp", "83A7DF3D470: to=<bob@example.net>, "
			 "relay=mx.example.net[192.0.2.25]:25, delay=1.2, "
			 "delays=0.1\\/0\\/0.4\\/0.6, dsn=2.0.0, status=sent "
			 "(250 2.0.0 Ok: queued as CD4B8B6D8FE)"},
		{"qmgr", "83A7DF3D470: removed"},
		{"smtpd", "disconnect from mail7.example.com[198.51.100.7] "
			  "ehlo=2 starttls=1 mail=1 rcpt=1 data=1 quit=1 "
			  "commands=7"},
	};
	const char *const *pair = texts[number % BENIGN_A_OFFENCE];

	return put_line(out, time_us, pair[0], 1000 + number % 60000, pair[1]);
}

/* What a transaction is made of. */
enum { IN_ORDER, AT_RANDOM, MIX };

/* One transaction; first: of the messages that this child gets in order. */
static double
feed(struct child *child, int kind, uint32_t first, uint32_t count)
{
	int64_t step_us = INT64_C(500000) * FINDTIME_S / child->clients;
	size_t len = 0, done = 0;
	double begun;

	len += put_mark(text, "BEGIN TRANSACTION\n");
	for (uint32_t i = 0; i < count; i++) {
		if (kind == MIX && i % (BENIGN_A_OFFENCE + 1)) {
			len += put_benign(text + len, child->time_us, i);
			continue;
		}
		child->time_us += step_us ? step_us : 1;
		len += put_offence(text + len, child->time_us,
			kind == IN_ORDER ? (first + i) % child->clients
					 : rnd(child->clients));
	}
	len += put_mark(text + len, "COMMIT TRANSACTION\n");
	begun = run_ns(child);
	while (done < len) {
		ssize_t put = write(child->to, text + done, len - done);

		if (put <= 0)
			die("write");
		done += (size_t)put;
	}
	await_answers(child, sizeof("OK\nOK\n") - 1 +
				     count * (sizeof("DEFER_COMMIT\n") - 1));
	return run_ns(child) - begun;
}

static void
fill(struct child *child, uint32_t count)
{
	struct timespec now;
	double spans =
		(double)(count + 2U * ROUNDS * TRANSACTION) / child->clients;

	/* So that all that is said happened by now. */
	(void)clock_gettime(CLOCK_REALTIME, &now);
	child->time_us = now.tv_sec * INT64_C(1000000) -
			 (int64_t)(5e5 * FINDTIME_S * (spans + 1));
	for (uint32_t i = 0; i < count; i += TRANSACTION)
		child->fill_ns += feed(child, IN_ORDER, i,
			count - i < TRANSACTION ? count - i : TRANSACTION);
	child->fill_ns /= count;
}

/* ---- The machine ---- */

/* Clock ticks that a process has used, and its resident pages. */
static unsigned long
usage_of(const struct child *child, unsigned long *pages)
{
	char path[64], buf[1024], *at;
	unsigned long user, system;
	ssize_t got;
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)child->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	got = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);
	if (got <= 0)
		die(path);
	(void)close(fd);
	buf[got] = '\0';
	/* Fields 14, 15 and 24 of proc(5); the name may hold blanks. */
	at = strrchr(buf, ')');
	for (int i = 2; at && i < 14; i++)
		at = strchr(at + 1, ' ');
	if (!at)
		die(path);
	user = strtoul(at, &at, 10);
	system = strtoul(at, &at, 10);
	for (int i = 16; at && i < 24; i++)
		at = strchr(at + 1, ' ');
	*pages = at ? strtoul(at, NULL, 10) : 0;
	return user + system;
}

/* Their ledgers take over what the fill left in the journals. */
static void
await_quiet(void)
{
	unsigned long before = 0, pages;

	for (int waited = 0; waited < QUIET_S; waited++) {
		unsigned long now = 0;

		for (size_t i = 0; i < child_count; i++)
			now += usage_of(&children[i], &pages);
		if (now - before < 5)
			return;
		before = now;
		(void)sleep(1);
	}
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
median_ns(double *transactions)
{
	qsort(transactions, ROUNDS, sizeof(double), compare);
	return transactions[ROUNDS / 2] / TRANSACTION;
}

static void
report(struct child *child, double *first_offence, double *first_message)
{
	double offence = median_ns(child->offences_ns);
	double message = median_ns(child->mix_ns);
	unsigned long pages;

	if (*first_offence == 0) {
		*first_offence = offence;
		*first_message = message;
	}
	(void)usage_of(child, &pages);
	(void)printf("whole: clients=%u message_ns=%.0f message_ratio=%.2f "
		     "offence_ns=%.0f offence_ratio=%.2f fill_ns=%.0f "
		     "resident_mib=%lu\n",
		child->clients, message, message / *first_message, offence,
		offence / *first_offence, child->fill_ns,
		pages * (unsigned long)sysconf(_SC_PAGESIZE) >> 20);
}

static void
measure(void)
{
	for (size_t round = 0; round < ROUNDS; round++)
		for (size_t i = 0; i < child_count; i++) {
			struct child *child = &children[i];

			child->offences_ns[round] =
				feed(child, AT_RANDOM, 0, TRANSACTION);
			child->mix_ns[round] = feed(child, MIX, 0, TRANSACTION);
		}
}

int
main(int argc, char **argv)
{
	double first_offence = 0, first_message = 0;
	uint32_t most = 0;
	int at = 1;

	(void)signal(SIGPIPE, SIG_IGN);
	for (; at < argc && strcmp(argv[at], "--") != 0; at++) {
		uint32_t clients = (uint32_t)strtoul(argv[at], NULL, 10);

		if (clients < 1 || child_count == CHILDREN_MAX)
			die("usage");
		children[child_count++].clients = clients;
		most = clients > most ? clients : most;
	}
	if (at + 1 >= argc || !child_count)
		die("usage: feed CLIENTS... -- OMMAILBAN ARGUMENT...");
	for (size_t i = 0; i < child_count; i++) {
		start(&children[i], argv + at + 1);
		await_start(&children[i]);
		fill(&children[i], most);
	}
	await_quiet();
	measure();
	for (size_t i = 0; i < child_count; i++)
		report(&children[i], &first_offence, &first_message);
	for (size_t i = 0; i < child_count; i++) {
		(void)close(children[i].to);
		(void)waitpid(children[i].pid, NULL, 0);
	}
	return 0;
}
