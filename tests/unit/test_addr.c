/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Address literals: what is one, what is none, and how each is written. The
 * bad ones are those that other parsers took for addresses.
 */
#include "common/addr.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct {
	const char *in, *want; /* want NULL: no literal */
} addresses[] = {
	{"192.0.2.1", "192.0.2.1"},
	{"0.0.0.0", "0.0.0.0"},
	{"255.255.255.255", "255.255.255.255"},
	{"::", "::"},
	{"::1", "::1"},
	{"2001:db8::1", "2001:db8::1"},
	{"2001:0DB8:0000:0000:0000:0000:0000:0001", "2001:db8::1"},
	/* RFC 5952 section 4.2: the longest run, the first of equal ones, and
	 * never a single word. */
	{"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},
	{"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
	{"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
	{"0:0:1:1:1:1:0:0", "::1:1:1:1:0:0"},
	{"1:1:1:1:1:1:0:0", "1:1:1:1:1:1::"},
	{"::1:2", "::1:2"},
	{"::192.0.2.1", "::c000:201"},
	{"64:ff9b::192.0.2.1", "64:ff9b::c000:201"},
	{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
	/* IPv4-mapped is IPv4 (Courier logs it so). */
	{"::ffff:192.0.2.1", "192.0.2.1"},
	{"::FFFF:c000:0201", "192.0.2.1"},
	{"0:0:0:0:0:ffff:192.0.2.1", "192.0.2.1"},
	{"fe80::1%eth0", "fe80::1"},
	{"fe80::1%enp0s31f6.1234", "fe80::1"},
	{"febf::1%2", "febf::1"},
	{"", NULL},
	{" ", NULL},
	{"192.0.2", NULL},
	{"192.0.2.", NULL},
	{"192.0.2.1.", NULL},
	{".192.0.2.1", NULL},
	{"192.0.2.1.1", NULL},
	{"192.0..1", NULL},
	{"192.0.2.256", NULL},
	{"192.0.2.01", NULL},
	{"192.0.2.001", NULL},
	{"192.0.2.00", NULL},
	{"0300.0.2.1", NULL},
	{"0xc0.0.2.1", NULL},
	{"3221225985", NULL},
	{"192.513", NULL},
	{" 192.0.2.1", NULL},
	{"192.0.2.1 ", NULL},
	{"192.0.2.1\n", NULL},
	{"+192.0.2.1", NULL},
	{"192.0.2.-1", NULL},
	{"192.0.2.1%eth0", NULL},
	{"192.0.2.1/32", NULL},
	{"[192.0.2.1]", NULL},
	{"192.0.2.1:25", NULL},
	{"[::1]", NULL},
	{"IPv6:2001:db8::1", NULL},
	{":", NULL},
	{":::", NULL},
	{"1:2:3:4:5:6:7", NULL},
	{"1:2:3:4:5:6:7:8:9", NULL},
	{"1::2::3", NULL},
	{"1:2:3:4:5:6:7::8:9", NULL},
	{":1:2:3:4:5:6:7:8", NULL},
	{"1:2:3:4:5:6:7:8:", NULL},
	{"2001:db8::12345", NULL},
	{"2001:db8::g", NULL},
	{"::ffff:192.0.2", NULL},
	{"::ffff:192.0.2.01", NULL},
	{"::ffff:192.0.2.256", NULL},
	{"2001:db8::1%eth0", NULL},
	{"fe80::1%", NULL},
	{"fe80::1%a b", NULL},
	{"fe80::1%eth0%eth1", NULL},
	{"fe80::1%0123456789abcdef", NULL},
	{"fec0::1%eth0", NULL},
	{"%eth0", NULL},
	{"::ffff:192.0.2.1%eth0", NULL},
	{"localhost", NULL},
	{"unknown", NULL},
	{"1.2.3.4.example.org", NULL},
	{"\xd9\xa1.2.3.4", NULL},
	{"0000:0000:0000:0000:0000:0000:0000:0000:0000:0000", NULL},
};

static void
test_addresses(void **state)
{
	char out[ADDR_STRLEN];

	(void)state;
	for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
		struct addr addr = {.family = 99};
		int result = addr_parse(
			addresses[i].in, strlen(addresses[i].in), &addr);
		print_message("'%s'\n", addresses[i].in);
		assert_int_equal(result, addresses[i].want ? 0 : -EBADMSG);
		if (addresses[i].want)
			assert_string_equal(
				addr_format(&addr, out), addresses[i].want);
		else
			assert_int_equal(addr.family, 99);
	}
}

/* Exactly len bytes are read, from memory that has no more. */
static void
test_length(void **state)
{
	static const char text[] = "192.0.2.17";
	struct addr addr;
	char out[ADDR_STRLEN];

	(void)state;
	for (size_t len = 0; len <= strlen(text); len++) {
		char *exact = malloc(len ? len : 1);
		assert_non_null(exact);
		memcpy(exact, text, len);
		assert_int_equal(
			addr_parse(exact, len, &addr), len >= 9 ? 0 : -EBADMSG);
		free(exact);
	}
	assert_int_equal(addr_parse(text, 9, &addr), 0);
	assert_string_equal(addr_format(&addr, out), "192.0.2.1");
	assert_int_equal(addr_parse("1.2.3.4\0", 8, &addr), -EBADMSG);
	assert_int_equal(addr_parse("1.2\0.3.4", 8, &addr), -EBADMSG);
	assert_int_equal(addr_parse("fe80::1%e\0", 10, &addr), -EBADMSG);
}

static void
test_mapped_is_equal(void **state)
{
	struct addr a, b;

	(void)state;
	memset(&a, 0xff, sizeof a);
	assert_int_equal(addr_parse("192.0.2.1", 9, &a), 0);
	assert_int_equal(addr_parse("::ffff:192.0.2.1", 16, &b), 0);
	assert_memory_equal(&a, &b, sizeof a);
}

static const struct {
	const char *in, *want; /* want: the text, or part of *why */
	int result;
} networks[] = {
	{"192.0.2.1", "192.0.2.1", 0},
	{"192.0.2.1/32", "192.0.2.1", 0},
	{"192.0.2.0/24", "192.0.2.0/24", 0},
	{"0.0.0.0/0", "0.0.0.0/0", 0},
	{"128.0.0.0/1", "128.0.0.0/1", 0},
	{"::/0", "::/0", 0},
	{"2001:db8::/32", "2001:db8::/32", 0},
	{"2001:db8::1/128", "2001:db8::1", 0},
	{"2001:db8::1", "2001:db8::1", 0},
	{"2001:db8:0:0:8000::/65", "2001:db8:0:0:8000::/65", 0},
	{"::ffff:192.0.2.0/120", "192.0.2.0/24", 0},
	{"::ffff:192.0.2.1/128", "192.0.2.1", 0},
	{"::ffff:0:0/96", "0.0.0.0/0", 0},
	{"fe80::%eth0/10", "fe80::/10", 0},
	{"", "empty", -EBADMSG},
	{"192.0.2.1/33", "32 bits of an IPv4", -ERANGE},
	{"192.0.2.1/999", "32 bits of an IPv4", -ERANGE},
	{"2001:db8::/129", "128 bits of an IPv6", -ERANGE},
	{"192.0.2.1/24", "host bits are set", -ERANGE},
	{"192.0.2.128/24", "host bits are set", -ERANGE},
	{"2001:db8::1/64", "host bits are set", -ERANGE},
	{"0.0.0.1/0", "host bits are set", -ERANGE},
	{"::ffff:192.0.2.0/24", "96 to 128", -ERANGE},
	{"::ffff:192.0.2.1/120", "host bits are set", -ERANGE},
	{"192.0.2.0/", "must be a number", -EBADMSG},
	{"192.0.2.0/024", "must be a number", -EBADMSG},
	{"192.0.2.0/0024", "must be a number", -EBADMSG},
	{"192.0.2.0/+24", "must be a number", -EBADMSG},
	{"192.0.2.0/-1", "must be a number", -EBADMSG},
	{"192.0.2.0/24 ", "must be a number", -EBADMSG},
	{"192.0.2.0/24/24", "must be a number", -EBADMSG},
	{"192.0.2.0/255.255.255.0", "netmasks are not", -EBADMSG},
	{"192.0.2.0 192.0.2.1", "a blank inside", -EBADMSG},
	{"192.0.2.0 /24", "a blank inside", -EBADMSG},
	{"2001:db8::1%eth0", "link-local", -EBADMSG},
	{"/24", "not an IPv4 or IPv6", -EBADMSG},
	{"mail.example.org", "never resolved", -EBADMSG},
	{"192.0.2/24", "not an IPv4 or IPv6", -EBADMSG},
};

static void
test_networks(void **state)
{
	char out[NETWORK_STRLEN];

	(void)state;
	for (size_t i = 0; i < sizeof networks / sizeof networks[0]; i++) {
		struct network net = {.prefix = 99};
		const char *why = NULL;
		print_message("'%s'\n", networks[i].in);
		assert_int_equal(network_parse(networks[i].in,
					 strlen(networks[i].in), &net, &why),
			networks[i].result);
		if (networks[i].result == 0) {
			assert_string_equal(
				network_format(&net, out), networks[i].want);
		} else {
			assert_non_null(strstr(why, networks[i].want));
			assert_int_equal(net.prefix, 99);
		}
	}
}

static struct network
net_of(const char *text)
{
	struct network net;
	const char *why;

	assert_int_equal(network_parse(text, strlen(text), &net, &why), 0);
	return net;
}

static void
test_arithmetic(void **state)
{
	struct network net = net_of("192.0.2.129"), of;
	struct network v6 = net_of("2001:db8:ffff:ffff:ffff::1");
	char out[NETWORK_STRLEN];

	(void)state;
	assert_int_equal(addr_bits(&net.addr), 32);
	assert_int_equal(addr_bits(&v6.addr), 128);
	for (int prefix = 0; prefix <= 32; prefix++) {
		of = network_of(&net.addr, (uint8_t)prefix);
		assert_true(network_has(&of, &net.addr));
		assert_true(network_contains(&of, &net));
		assert_int_equal(network_contains(&net, &of), prefix == 32);
		assert_false(network_has(&of, &v6.addr));
	}
	for (int prefix = 0; prefix <= 128; prefix++) {
		of = network_of(&v6.addr, (uint8_t)prefix);
		assert_true(network_has(&of, &v6.addr));
		assert_false(network_has(&of, &net.addr));
	}
	of = network_of(&net.addr, 25);
	assert_string_equal(network_format(&of, out), "192.0.2.128/25");
	of = network_of(&v6.addr, 47);
	assert_string_equal(network_format(&of, out), "2001:db8:fffe::/47");
}

/* Each sorts before the next. */
static void
test_order(void **state)
{
	static const char *const sorted[] = {"0.0.0.0/0", "0.0.0.0/1",
		"0.0.0.0", "9.255.255.255", "10.0.0.0/8", "10.0.0.0/9",
		"10.0.0.0", "10.0.0.1", "10.128.0.0/9", "255.255.255.255",
		"::/0", "::", "::1", "2001:db8::/32", "2001:db8::/64",
		"ff00::/8"};
	enum { COUNT = sizeof sorted / sizeof sorted[0] };

	(void)state;
	for (int i = 0; i < COUNT; i++)
		for (int j = 0; j < COUNT; j++) {
			struct network a = net_of(sorted[i]);
			struct network b = net_of(sorted[j]);
			int order = network_compare(&a, &b);
			assert_int_equal(
				(order > 0) - (order < 0), (i > j) - (i < j));
			assert_int_equal(network_equal(&a, &b), i == j);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_length),
		cmocka_unit_test(test_mapped_is_equal),
		cmocka_unit_test(test_networks),
		cmocka_unit_test(test_arithmetic),
		cmocka_unit_test(test_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
