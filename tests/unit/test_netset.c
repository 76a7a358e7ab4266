/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The set of networks, by a few cases written out and by many random ones
 * against a search through a plain list.
 */
#include "common/netset.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct network
net_of(const char *text)
{
	struct network net;
	const char *why;

	assert_int_equal(network_parse(text, strlen(text), &net, &why), 0);
	return net;
}

static void
add(struct netset *set, const char *text)
{
	struct network net = net_of(text);

	netset_add(set, &net);
}

/* The members' texts with a blank behind each. */
static const char *
members(const struct netset *set)
{
	static char out[1024];
	char one[NETWORK_STRLEN];
	size_t len = 0;

	out[0] = '\0';
	for (size_t i = 0; i < set->count; i++)
		len += (size_t)snprintf(out + len, sizeof out - len, "%s ",
			network_format(&set->items[i], one));
	return out;
}

static void
test_add(void **state)
{
	struct netset set = {0};

	(void)state;
	add(&set, "192.0.2.9");
	add(&set, "2001:db8::1");
	add(&set, "192.0.2.1");
	add(&set, "198.51.100.0/24");
	add(&set, "192.0.2.1");
	assert_string_equal(members(&set),
		"192.0.2.1 192.0.2.9 198.51.100.0/24 2001:db8::1 ");
	add(&set, "198.51.100.7");
	add(&set, "192.0.2.0/24");
	assert_string_equal(
		members(&set), "192.0.2.0/24 198.51.100.0/24 2001:db8::1 ");
	add(&set, "0.0.0.0/0");
	assert_string_equal(members(&set), "0.0.0.0/0 2001:db8::1 ");
	netset_add(&set, &set.items[1]);
	assert_string_equal(members(&set), "0.0.0.0/0 2001:db8::1 ");
	netset_free(&set);
	assert_int_equal(set.count, 0);
	netset_free(&set);
}

static void
test_find(void **state)
{
	static const struct {
		const char *net, *found, *overlap;
	} cases[] = {
		{"192.0.2.1", "192.0.2.0/24", "192.0.2.0/24"},
		{"192.0.2.0/24", "192.0.2.0/24", "192.0.2.0/24"},
		{"192.0.2.128/25", "192.0.2.0/24", "192.0.2.0/24"},
		{"192.0.0.0/16", NULL, "192.0.2.0/24"},
		{"0.0.0.0/0", NULL, "10.0.0.1"},
		{"192.0.3.0", NULL, NULL},
		{"192.0.1.255", NULL, NULL},
		{"10.0.0.0", NULL, NULL},
		{"10.0.0.1", "10.0.0.1", "10.0.0.1"},
		{"255.255.255.255", NULL, NULL},
		{"::", NULL, NULL},
		{"::/0", NULL, "2001:db8::/64"},
		{"2001:db8::ffff", "2001:db8::/64", "2001:db8::/64"},
		{"2001:db8:0:1::", NULL, NULL},
	};
	struct netset set = {0}, none = {0};
	char out[NETWORK_STRLEN];

	(void)state;
	add(&set, "192.0.2.0/24");
	add(&set, "10.0.0.1");
	add(&set, "2001:db8::/64");
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct network net = net_of(cases[i].net);
		const struct network *found = netset_find(&set, &net);
		const struct network *overlap = netset_overlap(&set, &net);
		print_message("%s\n", cases[i].net);
		assert_int_equal(found != NULL, cases[i].found != NULL);
		if (found)
			assert_string_equal(
				network_format(found, out), cases[i].found);
		assert_int_equal(overlap != NULL, cases[i].overlap != NULL);
		if (overlap)
			assert_string_equal(
				network_format(overlap, out), cases[i].overlap);
		assert_null(netset_find(&none, &net));
		assert_null(netset_overlap(&none, &net));
	}
	netset_free(&set);
}

static void
test_sets(void **state)
{
	struct netset a = {0}, b = {0};

	(void)state;
	assert_true(netset_equal(&a, &b));
	add(&a, "192.0.2.1");
	add(&a, "10.0.0.0/8");
	assert_false(netset_equal(&a, &b));
	netset_add_all(&b, &a);
	assert_true(netset_equal(&a, &b));
	add(&b, "10.0.0.0/7");
	assert_false(netset_equal(&a, &b));
	netset_free(&a);
	netset_free(&b);
}

/* Networks of a small space, so that many touch. */
static struct network
random_net(void)
{
	struct addr addr = {ADDR_V4, {10, 0, 0, 0}};

	if (rand() % 4 == 0)
		addr.family = ADDR_V6;
	addr.bytes[3] = (uint8_t)(rand() % 256);
	return network_of(&addr, (uint8_t)(24 + rand() % 9));
}

enum { ROUNDS = 300, NETS = 12 };

static void
compare_once(void)
{
	struct network list[NETS], probe = random_net();
	struct netset set = {0};
	bool contained = false, overlaps = false;

	for (int i = 0; i < NETS; i++) {
		list[i] = random_net();
		netset_add(&set, &list[i]);
		contained |= network_contains(&list[i], &probe);
		overlaps |= network_contains(&list[i], &probe) ||
			    network_contains(&probe, &list[i]);
	}
	for (int i = 0; i < NETS; i++)
		assert_non_null(netset_find(&set, &list[i]));
	for (size_t i = 1; i < set.count; i++) {
		assert_true(
			network_compare(&set.items[i - 1], &set.items[i]) < 0);
		assert_false(
			network_contains(&set.items[i - 1], &set.items[i]));
	}
	assert_int_equal(netset_find(&set, &probe) != NULL, contained);
	assert_int_equal(netset_overlap(&set, &probe) != NULL, overlaps);
	netset_free(&set);
}

static void
test_random(void **state)
{
	(void)state;
	srand(7);
	for (int i = 0; i < ROUNDS; i++)
		compare_once();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_add),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_sets),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
