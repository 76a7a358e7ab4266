/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How much happened of late, of counters that rise evenly and of a process that
 * slept.
 */
#include "plugin/rates.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct rates_counts
counts_at(int64_t now_s)
{
	return (struct rates_counts){.messages = (uint64_t)now_s * 10,
		.offences = (uint64_t)now_s * 2,
		.bans = (uint64_t)now_s};
}

static const struct {
	int64_t first_s, last_s; /* noted at each second of these */
	int64_t now_s, span_s;
	int64_t covered_s;
} cases[] = {
	/* None, one, two samples. */
	{100, 99, 100, 10, 0},
	{100, 100, 100, 10, 0},
	{100, 101, 101, 10, 1},
	/* Enough of them. */
	{1, 100, 100, 10, 10},
	{1, 100, 100, 60, 60},
	/* By the minute. */
	{1, 100, 100, 3600, 99},
	{1, 7200, 7200, 3600, 3600},
	{1, 7259, 7259, 3600, 3599},
	{30, 200000, 200000, 86400, 86360},
	/* Nothing was noted for long: what is there is too old. */
	{1, 100, 100000, 10, 0},
	{1, 100, 5000, 86400, 4999},
	{1, 100, 100000, 86400, 0},
};

static void
test_within(void **state)
{
	static struct rates rates;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rates_counts counts, got;
		int64_t covered_s = -1;

		rates = (struct rates){0};
		for (int64_t s = cases[i].first_s; s <= cases[i].last_s; s++) {
			counts = counts_at(s);
			rates_note(&rates, &counts, s);
		}
		counts = counts_at(cases[i].now_s);
		got = rates_within(&rates, &counts, cases[i].now_s,
			cases[i].span_s, &covered_s);
		if (covered_s != cases[i].covered_s)
			print_error("case %zu\n", i);
		assert_int_equal(covered_s, cases[i].covered_s);
		assert_int_equal(got.messages, covered_s * 10);
		assert_int_equal(got.offences, covered_s * 2);
		assert_int_equal(got.bans, covered_s);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_within),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
