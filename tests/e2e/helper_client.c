/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Speaks the wire protocol with mailban-nft from the command line, for tests
 * and measurements:
 *
 *   helper_client [--socket PATH | --helper PROGRAM [--table NAME]] REQUEST...
 *
 * The program is started over a socketpair, as ommailban does. Requests are
 * made in order, each answer prints one line or more:
 *   install [log=N/BURST:PREFIX] [ports=25,587] [prefix6=N] .   (ends at ".")
 *   exempt NETWORK... .        ban NETWORK[=SECONDS]... .
 *   lift NETWORK... .          replace NETWORK[=SECONDS]... .
 *   fill COUNT SECONDS         (replace by COUNT generated addresses)
 *   pour COUNT SECONDS         (a BAN packet for each of them, no waiting)
 *   list    remove    raw HEX    pause MILLISECONDS
 *   healed MILLISECONDS        (waits for WIRE_HEALED)
 *   shoot                      (kills the started helper with SIGKILL)
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "common/wire.h"

static int peer = -1;
static pid_t helper;
static uint32_t seq;
static uint8_t packet[WIRE_PACKET_MAX];

static double
now_s(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static uint8_t *
item_at(uint32_t i)
{
	return packet + WIRE_HEADER_LEN + (size_t)i * WIRE_ITEM_LEN;
}

static void
send_request(const struct wire_header *header, size_t body)
{
	wire_put_header(packet, header);
	if (send(peer, packet, WIRE_HEADER_LEN + body, MSG_NOSIGNAL) < 0)
		fatal("send: %s", strerror(errno));
}

static void
receive(struct wire_header *header, int timeout_ms)
{
	struct pollfd polled = {peer, POLLIN, 0};
	ssize_t got;

	if (poll(&polled, 1, timeout_ms) != 1)
		fatal("no answer within %d ms", timeout_ms);
	got = recv(peer, packet, sizeof(packet), 0);
	if (got == 0)
		fatal("mailban-nft closed the connection");
	if (got < 0 || wire_get_header(packet, (size_t)got, header) < 0)
		fatal("malformed answer");
}

static void
print_items(const struct wire_header *header, const char *word)
{
	struct wire_item item;
	char text[NETWORK_STRLEN];

	for (uint32_t i = 0; i < header->count; i++) {
		if (wire_get_item(item_at(i), &item) < 0)
			fatal("malformed item");
		printf("%s %s timeout_ms=%llu packets=%llu\n", word,
			network_format(&item.net, text),
			(unsigned long long)item.timeout_ms,
			(unsigned long long)item.packets);
	}
}

/* Waits for the answer to a request; says how it went. One that refused for
 * several reasons is answered by as many packets: the others come later. */
static void
print_answer(const char *request, double start)
{
	struct pollfd polled = {peer, POLLIN, 0};
	struct wire_header header;
	double took;
	int status;

	do {
		receive(&header, 120000);
		print_items(&header,
			header.type == WIRE_ITEMS ? "item" : "refused");
		if (header.type == WIRE_HEALED)
			printf("healed\n");
	} while (header.type == WIRE_HEALED ||
		 (header.type == WIRE_ITEMS && !(header.flags & WIRE_LAST)));
	if (header.seq != seq)
		fatal("answer to %u, not %u", header.seq, seq);
	took = (now_s() - start) * 1000;
	status = header.status;
	while (header.type == WIRE_DONE && header.count > 0 &&
		poll(&polled, 1, 50) == 1) {
		receive(&header, 0);
		print_items(&header, "refused");
	}
	printf("%s status=%s ms=%.1f\n", request,
		status ? strerror(-status) : "ok", took);
	(void)fflush(stdout);
}

static void
parse_item(const char *text, struct wire_item *item)
{
	const char *equals = strchr(text, '='), *why = "";
	size_t len = equals ? (size_t)(equals - text) : strlen(text);

	*item = (struct wire_item){0};
	if (network_parse(text, len, &item->net, &why) < 0)
		fatal("%s: %s", text, why);
	if (equals)
		item->timeout_ms = (uint64_t)(strtod(equals + 1, NULL) * 1000);
}

/* Sends arguments up to "." as one stream of one packet. */
static char **
request_items(enum wire_type type, uint8_t flags, char **args)
{
	const char *name = *args++;
	struct wire_header header = {
		.type = type, .flags = flags, .seq = ++seq};
	struct wire_item item;
	double start = now_s();

	for (; *args && strcmp(*args, ".") != 0; args++) {
		parse_item(*args, &item);
		if (header.count == WIRE_ITEMS_MAX)
			fatal("too many");
		wire_put_item(item_at(header.count++), &item);
	}
	send_request(&header, (size_t)header.count * WIRE_ITEM_LEN);
	print_answer(name, start);
	return *args ? args + 1 : args;
}

static void
parse_setting(const char *text, struct wire_options *options)
{
	char *end;

	if (!strncmp(text, "log=", 4)) {
		options->log = true;
		options->log_per_minute = (uint32_t)strtoul(text + 4, &end, 10);
		options->log_burst = (uint32_t)strtoul(end + 1, &end, 10);
		(void)snprintf(options->log_prefix, sizeof(options->log_prefix),
			"%s", end + 1);
	} else if (!strncmp(text, "ports=", 6)) {
		for (text += 5; *text && options->port_count < WIRE_PORTS_MAX;
			text = end)
			options->ports[options->port_count++] =
				(uint16_t)strtoul(text + 1, &end, 10);
	} else if (!strncmp(text, "prefix6=", 8)) {
		options->prefix6 = (uint8_t)strtoul(text + 8, &end, 10);
	} else {
		fatal("%s: no setting", text);
	}
}

static char **
request_install(char **args)
{
	struct wire_header header = {.type = WIRE_INSTALL, .seq = ++seq};
	struct wire_options options = {.prefix6 = 64,
		.prefix4_min = WIRE_PREFIX4_MIN,
		.prefix6_min = WIRE_PREFIX6_MIN};
	double start = now_s();

	for (args++; *args && strcmp(*args, ".") != 0; args++)
		parse_setting(*args, &options);
	wire_put_options(packet + WIRE_HEADER_LEN, &options);
	send_request(&header, WIRE_OPTIONS_LEN);
	print_answer("install", start);
	return *args ? args + 1 : args;
}

static struct wire_item
generated(uint32_t i, unsigned long seconds)
{
	struct wire_item item = {
		.net = {{ADDR_V4, {0}}, 32}, .timeout_ms = seconds * 1000};

	item.net.addr.bytes[0] = (uint8_t)(11 + (i >> 24));
	item.net.addr.bytes[1] = (uint8_t)(i >> 16);
	item.net.addr.bytes[2] = (uint8_t)(i >> 8);
	item.net.addr.bytes[3] = (uint8_t)i;
	return item;
}

static char **
request_fill(char **args)
{
	uint32_t count = (uint32_t)strtoul(args[1], NULL, 10);
	unsigned long seconds = strtoul(args[2], NULL, 10);
	struct wire_header header = {
		.type = WIRE_REPLACE, .flags = WIRE_FIRST, .seq = ++seq};
	double start = now_s();

	for (uint32_t i = 0; i < count; i++) {
		struct wire_item item = generated(i, seconds);

		if (header.count == WIRE_ITEMS_MAX) {
			send_request(
				&header, (size_t)header.count * WIRE_ITEM_LEN);
			header.flags = 0;
			header.count = 0;
		}
		wire_put_item(item_at(header.count++), &item);
	}
	header.flags |= WIRE_LAST;
	send_request(&header, (size_t)header.count * WIRE_ITEM_LEN);
	print_answer("fill", start);
	return args + 3;
}

static char **
request_pour(char **args)
{
	uint32_t count = (uint32_t)strtoul(args[1], NULL, 10), answered = 0;
	unsigned long seconds = strtoul(args[2], NULL, 10);
	double start = now_s();

	/* Neither end may wait for the other to read. */
	for (uint32_t i = 0; answered < count;) {
		struct pollfd polled = {peer, POLLIN, 0};
		struct wire_header header = {
			.type = WIRE_BAN, .seq = seq + 1, .count = 1};
		struct wire_item item = generated(i, seconds);

		if (i < count)
			polled.events |= POLLOUT;
		if (poll(&polled, 1, 10000) != 1)
			fatal("no answer within 10 s");
		if (polled.revents & POLLIN) {
			receive(&header, 0);
			answered += header.type == WIRE_DONE;
		} else if (polled.revents & POLLOUT) {
			wire_put_item(item_at(0), &item);
			send_request(&header, WIRE_ITEM_LEN);
			seq++;
			i++;
		}
	}
	printf("pour status=ok ms=%.1f\n", (now_s() - start) * 1000);
	return args + 3;
}

static char **
request_plain(enum wire_type type, char **args)
{
	struct wire_header header = {.type = type, .seq = ++seq};
	double start = now_s();

	send_request(&header, 0);
	print_answer(*args, start);
	return args + 1;
}

static char **
send_raw(char **args)
{
	size_t len = 0;
	const char *hex = args[1];

	while (hex[0] && hex[1]) {
		char two[3] = {hex[0], hex[1], 0};

		packet[len++] = (uint8_t)strtoul(two, NULL, 16);
		hex += 2;
	}
	(void)send(peer, packet, len, MSG_NOSIGNAL);
	return args + 2;
}

static char **
wait_healed(char **args)
{
	struct wire_header header;
	double start = now_s();

	receive(&header, (int)strtol(args[1], NULL, 10));
	if (header.type != WIRE_HEALED)
		fatal("not WIRE_HEALED");
	printf("healed ms=%.1f\n", (now_s() - start) * 1000);
	return args + 2;
}

static char **
do_request(char **args)
{
	const char *word = *args;

	if (!strcmp(word, "install"))
		return request_install(args);
	if (!strcmp(word, "exempt"))
		return request_items(WIRE_EXEMPT, WIRE_FIRST | WIRE_LAST, args);
	if (!strcmp(word, "replace"))
		return request_items(
			WIRE_REPLACE, WIRE_FIRST | WIRE_LAST, args);
	if (!strcmp(word, "ban"))
		return request_items(WIRE_BAN, 0, args);
	if (!strcmp(word, "lift"))
		return request_items(WIRE_LIFT, 0, args);
	if (!strcmp(word, "list"))
		return request_plain(WIRE_LIST, args);
	if (!strcmp(word, "remove"))
		return request_plain(WIRE_REMOVE, args);
	if (args[1] && !strcmp(word, "raw"))
		return send_raw(args);
	if (args[1] && !strcmp(word, "healed"))
		return wait_healed(args);
	if (args[1] && args[2] && !strcmp(word, "fill"))
		return request_fill(args);
	if (args[1] && args[2] && !strcmp(word, "pour"))
		return request_pour(args);
	if (args[1] && !strcmp(word, "pause")) {
		(void)poll(NULL, 0, (int)strtol(args[1], NULL, 10));
		return args + 2;
	}
	if (!strcmp(word, "shoot")) {
		(void)kill(helper, SIGKILL);
		return args + 1;
	}
	fatal("%s: no request", word);
}

static void
start_helper(const char *program, const char *table)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) < 0)
		fatal("socketpair: %s", strerror(errno));
	helper = fork();
	if (helper == 0) {
		char number[12];

		(void)close(pair[0]);
		(void)snprintf(number, sizeof(number), "%d", pair[1]);
		(void)execl(program, program, "--fd", number, "--table", table,
			getenv("HELPER_DEBUG") ? "--debug" : (char *)NULL,
			(char *)NULL);
		fatal("%s: %s", program, strerror(errno));
	}
	(void)close(pair[1]);
	peer = pair[0];
}

static void
connect_helper(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	peer = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	if (connect(peer, (struct sockaddr *)&address, sizeof(address)) < 0)
		fatal("%s: %s", path, strerror(errno));
}

int
main(int argc, char **argv)
{
	char **args = argv + 1;
	const char *table = "mailban", *program = NULL;
	int status = 0;

	log_open("helper_client", LOG_LEVEL_INFO, false);
	for (; args[0] && args[1] && !strncmp(args[0], "--", 2); args += 2) {
		if (!strcmp(args[0], "--socket"))
			connect_helper(args[1]);
		else if (!strcmp(args[0], "--helper"))
			program = args[1];
		else if (!strcmp(args[0], "--table"))
			table = args[1];
	}
	if (program)
		start_helper(program, table);
	if (argc < 2 || peer < 0)
		fatal("usage: helper_client --socket PATH | --helper PROGRAM "
		      "REQUEST...");
	while (*args)
		args = do_request(args);
	(void)close(peer);
	if (helper > 0)
		(void)waitpid(helper, &status, 0);
	return 0;
}
