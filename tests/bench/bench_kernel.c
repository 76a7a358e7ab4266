/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What one ban costs on its way into the kernel: a request to mailban-nft and
 * its answer, beside one "add element" by libnftables in this process, on a
 * set of the same kind. By turns, one at a time, the median counts: bans come
 * alone but in a flood. Needs a network namespace of its own.
 *
 *   bench_kernel MAILBAN_NFT [ROUNDS]
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <nftables/libnftables.h>

#include "common/log.h"
#include "common/wire.h"

enum { ROUNDS_MAX = 100000, WAIT_MS = 10000 };

static int peer = -1;
static uint8_t packet[WIRE_PACKET_MAX];
static double helper_us[ROUNDS_MAX], raw_us[ROUNDS_MAX];

static double
now_us(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static void
start_helper(const char *program)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) < 0)
		fatal("socketpair: %s", strerror(errno));
	if (fork() == 0) {
		char number[12];

		(void)close(pair[0]);
		(void)snprintf(number, sizeof(number), "%d", pair[1]);
		(void)execl(program, program, "--fd", number, (char *)NULL);
		fatal("%s: %s", program, strerror(errno));
	}
	(void)close(pair[1]);
	peer = pair[0];
}

static void
ask(enum wire_type type, uint32_t count, size_t body)
{
	static uint32_t seq;
	struct wire_header header = {
		.type = type, .count = count, .seq = ++seq};
	struct pollfd polled = {peer, POLLIN, 0};
	ssize_t got;

	wire_put_header(packet, &header);
	if (send(peer, packet, WIRE_HEADER_LEN + body, MSG_NOSIGNAL) < 0)
		fatal("send: %s", strerror(errno));
	do {
		if (poll(&polled, 1, WAIT_MS) != 1)
			fatal("mailban-nft does not answer");
		got = recv(peer, packet, sizeof(packet), 0);
		if (got <= 0 ||
			wire_get_header(packet, (size_t)got, &header) < 0)
			fatal("mailban-nft: no answer");
	} while (header.seq != seq);
	if (header.status)
		fatal("mailban-nft: %s", strerror(-header.status));
}

static void
install(void)
{
	struct wire_options options = {.prefix6 = 64,
		.prefix4_min = WIRE_PREFIX4_MIN,
		.prefix6_min = WIRE_PREFIX6_MIN};

	wire_put_options(packet + WIRE_HEADER_LEN, &options);
	ask(WIRE_INSTALL, 0, WIRE_OPTIONS_LEN);
}

static void
ban(uint32_t number)
{
	struct wire_item item = {
		.net = {{ADDR_V4, {11}}, 32}, .timeout_ms = UINT64_C(3600000)};

	for (int i = 3; i > 0; i--, number >>= 8)
		item.net.addr.bytes[i] = (uint8_t)number;
	wire_put_item(packet + WIRE_HEADER_LEN, &item);
	ask(WIRE_BAN, 1, WIRE_ITEM_LEN);
}

static void
run_nft(struct nft_ctx *nft, const char *text)
{
	if (nft_run_cmd_from_buffer(nft, text) != 0)
		fatal("libnftables: %s", text);
}

static void
ban_raw(struct nft_ctx *nft, uint32_t number)
{
	char text[128];

	(void)snprintf(text, sizeof(text),
		"add element inet raw ban4 { 11.%u.%u.%u timeout 3600s }",
		number >> 16 & 255, number >> 8 & 255, number & 255);
	run_nft(nft, text);
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
median(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), compare);
	return values[count / 2];
}

int
main(int argc, char **argv)
{
	struct nft_ctx *nft = nft_ctx_new(NFT_CTX_DEFAULT);
	size_t rounds = argc > 2 ? strtoul(argv[2], NULL, 10) : 2000;
	double ours, raw;

	log_open("bench_kernel", LOG_LEVEL_WARN, false);
	if (argc < 2 || !nft || rounds < 1 || rounds > ROUNDS_MAX)
		fatal("usage: bench_kernel MAILBAN_NFT [ROUNDS]");
	start_helper(argv[1]);
	install();
	run_nft(nft, "add table inet raw");
	run_nft(nft, "add set inet raw ban4 { type ipv4_addr; size 1048576; "
		     "flags timeout, dynamic; counter; }");
	for (uint32_t i = 0; i < rounds; i++) {
		double start = now_us(), middle;

		ban(i);
		middle = now_us();
		ban_raw(nft, i);
		helper_us[i] = middle - start;
		raw_us[i] = now_us() - middle;
	}
	ours = median(helper_us, rounds);
	raw = median(raw_us, rounds);
	(void)printf("ban: %.0f us through mailban-nft, libnftables alone "
		     "%.0f us, ratio %.2f\n",
		ours, raw, ours / raw);
	nft_ctx_free(nft);
	(void)close(peer);
	return 0;
}
