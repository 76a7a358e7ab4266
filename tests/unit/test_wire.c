/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The wire format: what is encoded comes back, its bytes are where they were
 * yesterday, and every field out of its bounds is refused.
 */
#include "common/wire.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct {
	const char *name;
	struct wire_header header;
	size_t body;
	int result;
} headers[] = {
	{"install", {WIRE_INSTALL, 0, 1, 0, 0}, WIRE_OPTIONS_LEN, 0},
	{"install, no body", {WIRE_INSTALL, 0, 1, 0, 0}, 0, -EBADMSG},
	{"install, count", {WIRE_INSTALL, 0, 1, 1, 0}, WIRE_OPTIONS_LEN,
		-EBADMSG},
	{"exempt", {WIRE_EXEMPT, WIRE_FIRST | WIRE_LAST, 2, 0, 0}, 0, 0},
	{"ban", {WIRE_BAN, 0, 3, 1, 0}, WIRE_ITEM_LEN, 0},
	{"ban, flagged", {WIRE_BAN, WIRE_LAST, 3, 1, 0}, WIRE_ITEM_LEN,
		-EBADMSG},
	{"ban, one short", {WIRE_BAN, 0, 3, 2, 0}, WIRE_ITEM_LEN, -EBADMSG},
	{"ban, one more", {WIRE_BAN, 0, 3, 1, 0}, 2 * WIRE_ITEM_LEN, -EBADMSG},
	{"ban, most", {WIRE_BAN, 0, 3, WIRE_ITEMS_MAX, 0},
		WIRE_ITEMS_MAX *WIRE_ITEM_LEN, 0},
	{"ban, too many", {WIRE_BAN, 0, 3, WIRE_ITEMS_MAX + 1, 0},
		(WIRE_ITEMS_MAX + 1) * WIRE_ITEM_LEN, -EBADMSG},
	{"ban, count that overflows", {WIRE_BAN, 0, 3, UINT32_MAX, 0}, 0,
		-EBADMSG},
	{"ban, status", {WIRE_BAN, 0, 3, 0, -1}, 0, -EBADMSG},
	{"lift", {WIRE_LIFT, 0, UINT32_MAX, 0, 0}, 0, 0},
	{"replace", {WIRE_REPLACE, WIRE_FIRST, 4, 2, 0}, 2 * WIRE_ITEM_LEN, 0},
	{"replace, flag", {WIRE_REPLACE, 4, 4, 0, 0}, 0, -EBADMSG},
	{"list", {WIRE_LIST, 0, 5, 0, 0}, 0, 0},
	{"list, count", {WIRE_LIST, 0, 5, 1, 0}, WIRE_ITEM_LEN, -EBADMSG},
	{"remove", {WIRE_REMOVE, 0, 6, 0, 0}, 0, 0},
	{"done", {WIRE_DONE, 0, 7, 0, 0}, 0, 0},
	{"done, refused", {WIRE_DONE, 0, 7, 1, -EPERM}, WIRE_ITEM_LEN, 0},
	{"done, no errno", {WIRE_DONE, 0, 7, 0, 1}, 0, -EBADMSG},
	{"done, no errno either", {WIRE_DONE, 0, 7, 0, INT32_MIN}, 0, -EBADMSG},
	{"items", {WIRE_ITEMS, WIRE_LAST, 8, 1, 0}, WIRE_ITEM_LEN, 0},
	{"healed", {WIRE_HEALED, 0, 0, 0, 0}, 0, 0},
	{"type 0", {0, 0, 1, 0, 0}, 0, -EBADMSG},
	{"type 8", {8, 0, 1, 0, 0}, 0, -EBADMSG},
	{"type 63", {63, 0, 1, 0, 0}, 0, -EBADMSG},
	{"type 67", {67, 0, 1, 0, 0}, 0, -EBADMSG},
};

static void
test_headers(void **state)
{
	uint8_t buf[WIRE_HEADER_LEN];

	(void)state;
	for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
		struct wire_header back = {.seq = 99};
		print_message("%s\n", headers[i].name);
		wire_put_header(buf, &headers[i].header);
		assert_int_equal(
			wire_get_header(
				buf, WIRE_HEADER_LEN + headers[i].body, &back),
			headers[i].result);
		if (headers[i].result < 0) {
			assert_int_equal(back.seq, 99);
			continue;
		}
		assert_int_equal(back.type, headers[i].header.type);
		assert_int_equal(back.flags, headers[i].header.flags);
		assert_int_equal(back.seq, headers[i].header.seq);
		assert_int_equal(back.count, headers[i].header.count);
		assert_int_equal(back.status, headers[i].header.status);
	}
}

/* Any other length than the right one is refused, and nothing behind a cut
 * is read: each buffer is exactly that long. */
static void
test_truncated_header(void **state)
{
	const struct wire_header header = {WIRE_BAN, 0, 1, 1, 0};
	uint8_t whole[WIRE_HEADER_LEN + WIRE_ITEM_LEN + 1] = {0};
	struct wire_header back;

	(void)state;
	wire_put_header(whole, &header);
	for (size_t len = 0; len <= sizeof whole; len++) {
		uint8_t *cut = malloc(len ? len : 1);
		assert_non_null(cut);
		memcpy(cut, whole, len);
		assert_int_equal(wire_get_header(cut, len, &back),
			len == WIRE_HEADER_LEN + WIRE_ITEM_LEN ? 0 : -EBADMSG);
		free(cut);
	}
}

/* The bytes that both programs, maybe of different builds, agree on. */
static void
test_header_bytes(void **state)
{
	static const uint8_t want[WIRE_HEADER_LEN] = {'M', 'B', 'N', 'F', 1,
		WIRE_DONE, 0, 0, 4, 3, 2, 1, 1, 0, 0, 0, 0xff, 0xff, 0xff,
		0xff};
	const struct wire_header header = {WIRE_DONE, 0, 0x01020304, 1, -1};
	uint8_t buf[WIRE_HEADER_LEN];
	struct wire_header back;

	(void)state;
	wire_put_header(buf, &header);
	assert_memory_equal(buf, want, sizeof want);
	for (size_t i = 0; i < sizeof buf; i++) {
		/* magic, version, and what must be zero */
		if (i > 4 && i != 7 && i < 20)
			continue;
		memcpy(buf, want, sizeof buf);
		buf[i] ^= 0x80;
		assert_int_equal(
			wire_get_header(
				buf, WIRE_HEADER_LEN + WIRE_ITEM_LEN, &back),
			-EBADMSG);
	}
}

static struct wire_item
item_of(const char *text)
{
	struct wire_item item = {.timeout_ms = 0x0102030405060708,
		.packets = UINT64_MAX,
		.bytes = 1};
	const char *why;

	assert_int_equal(network_parse(text, strlen(text), &item.net, &why), 0);
	return item;
}

static void
test_items(void **state)
{
	static const char *const nets[] = {"192.0.2.1", "192.0.2.0/24",
		"0.0.0.0/0", "2001:db8::/64", "::/0", "ffff::", "::1"};
	uint8_t buf[WIRE_ITEM_LEN];

	(void)state;
	for (size_t i = 0; i < sizeof nets / sizeof nets[0]; i++) {
		struct wire_item item = item_of(nets[i]), back;
		memset(buf, 0xaa, sizeof buf);
		wire_put_item(buf, &item);
		assert_int_equal(wire_get_item(buf, &back), 0);
		assert_true(network_equal(&item.net, &back.net));
		assert_true(back.timeout_ms == item.timeout_ms);
		assert_true(back.packets == item.packets);
		assert_true(back.bytes == item.bytes);
	}
}

static void
test_bad_items(void **state)
{
	static const struct {
		const char *net;
		size_t at;
		uint8_t value;
		int result;
	} cases[] = {
		{"192.0.2.0/24", 0, 0, -EBADMSG},
		{"192.0.2.0/24", 0, 5, -EBADMSG},
		{"192.0.2.0/24", 1, 33, -ERANGE},
		{"192.0.2.0/24", 1, 22, -ERANGE},
		{"192.0.2.0/24", 1, 23, 0},
		{"192.0.2.0/24", 1, 255, -ERANGE},
		{"192.0.2.0/24", 2, 1, -EBADMSG},
		{"192.0.2.0/24", 7, 1, -EBADMSG},
		{"192.0.2.0/24", 11, 1, -ERANGE},
		{"192.0.2.0/24", 12, 1, -EBADMSG},
		{"192.0.2.0/24", 23, 1, -EBADMSG},
		{"2001:db8::/64", 1, 129, -ERANGE},
		{"2001:db8::/64", 1, 28, -ERANGE},
		{"2001:db8::/64", 23, 1, -ERANGE},
		{"2001:db8::/64", 15, 1, 0},
		{"2001:db8::/64", 0, ADDR_V4, -ERANGE},
		{"2001:db8::1", 0, ADDR_V4, -EBADMSG},
		{"::1", 1, 127, -ERANGE},
	};
	uint8_t buf[WIRE_ITEM_LEN];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct wire_item item = item_of(cases[i].net), back = {0};
		print_message("%s, byte %zu is %u\n", cases[i].net, cases[i].at,
			cases[i].value);
		wire_put_item(buf, &item);
		buf[cases[i].at] = cases[i].value;
		assert_int_equal(wire_get_item(buf, &back), cases[i].result);
		if (cases[i].result < 0)
			assert_int_equal(back.net.addr.family, 0);
	}
}

static struct wire_options
usual_options(void)
{
	struct wire_options options = {.log = true,
		.log_per_minute = 30,
		.log_burst = 10,
		.log_prefix = "[mailban] ",
		.prefix6 = 64,
		.prefix4_min = 16,
		.prefix6_min = 32,
		.port_count = 3,
		.ports = {25, 465, 65535}};

	return options;
}

static void
test_options(void **state)
{
	struct wire_options options = usual_options(), back;
	uint8_t buf[WIRE_OPTIONS_LEN];

	(void)state;
	memset(buf, 0xaa, sizeof buf);
	wire_put_options(buf, &options);
	assert_int_equal(wire_get_options(buf, &back), 0);
	assert_true(back.log);
	assert_int_equal(back.log_per_minute, 30);
	assert_int_equal(back.log_burst, 10);
	assert_string_equal(back.log_prefix, "[mailban] ");
	assert_int_equal(back.prefix6, 64);
	assert_int_equal(back.prefix4_min, 16);
	assert_int_equal(back.prefix6_min, 32);
	assert_int_equal(back.port_count, 3);
	assert_memory_equal(back.ports, options.ports, sizeof options.ports);
	/* What lies behind the count and the prefix's NUL does not leak. */
	options.ports[3] = 1234;
	options.log_prefix[20] = 'x';
	wire_put_options(buf, &options);
	assert_int_equal(wire_get_options(buf, &back), 0);
	assert_int_equal(back.ports[3], 0);
	assert_int_equal(back.log_prefix[20], 0);
	options.log = false;
	options.log_per_minute = options.log_burst = 0;
	options.port_count = WIRE_PORTS_MAX;
	memset(options.ports, 1, sizeof options.ports);
	memset(options.log_prefix, '~', WIRE_LOG_PREFIX_MAX);
	options.log_prefix[WIRE_LOG_PREFIX_MAX] = '\0';
	wire_put_options(buf, &options);
	assert_int_equal(wire_get_options(buf, &back), 0);
	assert_int_equal(strlen(back.log_prefix), WIRE_LOG_PREFIX_MAX);
	assert_int_equal(back.ports[WIRE_PORTS_MAX - 1], 0x0101);
}

/* One byte of the usual options changed. */
static const struct {
	const char *name;
	size_t at;
	uint8_t value;
	int result;
} options_changed[] = {
	{"log", 0, 2, -EBADMSG},
	{"log off", 0, 0, 0},
	{"prefix6", 1, 47, -ERANGE},
	{"prefix6", 1, 48, 0},
	{"prefix6", 1, 128, 0},
	{"prefix6", 1, 129, -ERANGE},
	{"prefix4_min", 2, 7, -ERANGE},
	{"prefix4_min", 2, 8, 0},
	{"prefix4_min", 2, 33, -ERANGE},
	{"prefix6_min", 3, 18, -ERANGE},
	{"prefix6_min", 3, 19, 0},
	{"prefix6_min", 3, 129, -ERANGE},
	{"log_per_minute", 4, 0, -ERANGE},
	{"log_per_minute", 6, 1, -ERANGE},
	{"log_burst", 8, 0, -ERANGE},
	{"log_burst", 11, 0x80, -ERANGE},
	{"port_count", 12, 2, -EBADMSG},
	{"port_count", 12, 4, -ERANGE},
	{"port_count", 12, 65, -ERANGE},
	{"port_count", 13, 1, -ERANGE},
	{"zero", 14, 1, -EBADMSG},
	{"zero", 15, 1, -EBADMSG},
	{"prefix, LF", 16, '\n', -ERANGE},
	{"prefix, 0x7f", 16, 0x7f, -ERANGE},
	{"prefix, 0x80", 16, 0x80, -ERANGE},
	{"prefix, quote", 16, '"', 0},
	{"prefix, empty but not", 16, 0, -EBADMSG},
	{"prefix, behind its NUL", 79, 'x', -EBADMSG},
	{"port 0", 80, 0, -ERANGE},
	{"port behind the count", 86, 1, -EBADMSG},
	{"last port", 207, 1, -EBADMSG},
	{"tail", 208, 1, -EBADMSG},
	{"tail", 215, 1, -EBADMSG},
};

static void
test_bad_options(void **state)
{
	struct wire_options options = usual_options();
	uint8_t buf[WIRE_OPTIONS_LEN];

	(void)state;
	for (size_t i = 0;
		i < sizeof options_changed / sizeof options_changed[0]; i++) {
		struct wire_options back = {0};
		print_message("%s, byte %zu is %u\n", options_changed[i].name,
			options_changed[i].at, options_changed[i].value);
		wire_put_options(buf, &options);
		buf[options_changed[i].at] = options_changed[i].value;
		assert_int_equal(wire_get_options(buf, &back),
			options_changed[i].result);
		if (options_changed[i].result < 0)
			assert_int_equal(back.prefix6, 0);
	}
	wire_put_options(buf, &options);
	memset(buf + 16, 'x', WIRE_LOG_PREFIX_MAX + 1);
	struct wire_options back;
	assert_int_equal(wire_get_options(buf, &back), -ERANGE);
}

/* Whatever is accepted, encodes to what it was decoded from. */
static void
test_random(void **state)
{
	uint8_t in[WIRE_OPTIONS_LEN], out[WIRE_OPTIONS_LEN];
	struct wire_options options;
	struct wire_header header;
	struct wire_item item;
	const struct wire_options usual = usual_options();

	(void)state;
	srand(3);
	for (int i = 0; i < 20000; i++) {
		wire_put_options(in, &usual);
		in[rand() % WIRE_OPTIONS_LEN] = (uint8_t)rand();
		if (wire_get_options(in, &options) == 0) {
			wire_put_options(out, &options);
			assert_memory_equal(in, out, WIRE_OPTIONS_LEN);
		}
		item = item_of(i % 2 ? "192.0.2.0/24" : "2001:db8::/48");
		wire_put_item(in, &item);
		in[rand() % WIRE_ITEM_LEN] = (uint8_t)rand();
		if (wire_get_item(in, &item) == 0) {
			wire_put_item(out, &item);
			assert_memory_equal(in, out, WIRE_ITEM_LEN);
		}
		wire_put_header(
			in, &headers[(size_t)i %
				     (sizeof headers / sizeof headers[0])]
				     .header);
		in[rand() % WIRE_HEADER_LEN] = (uint8_t)rand();
		if (wire_get_header(in, WIRE_HEADER_LEN, &header) == 0) {
			wire_put_header(out, &header);
			assert_memory_equal(in, out, WIRE_HEADER_LEN);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_truncated_header),
		cmocka_unit_test(test_header_bytes),
		cmocka_unit_test(test_items),
		cmocka_unit_test(test_bad_items),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_bad_options),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
