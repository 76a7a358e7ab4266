/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Spans of time as administrators write them, and as they are shown.
 */
#include "common/duration.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct {
	const char *in;
	int64_t want;
	int result;
} parses[] = {
	{"0", 0, 0},
	{"90", 90, 0},
	{"90s", 90, 0},
	{"10m", 600, 0},
	{"12h", 43200, 0},
	{"7d", 604800, 0},
	{"4w", 2419200, 0},
	{"1d12h", 129600, 0},
	{"1d 12h", 129600, 0},
	{"1w2d3h4m5s", 604800 + 2 * 86400 + 3 * 3600 + 4 * 60 + 5, 0},
	{"007d", 604800, 0},
	{"3650d", DURATION_MAX_S, 0},
	{"permanent", DURATION_PERMANENT, 0},
	{"-1", DURATION_PERMANENT, 0},
	{"3651d", 0, -ERANGE},
	{"3650d1s", 0, -ERANGE},
	{"315360001", 0, -ERANGE},
	{"9223372036854775807", 0, -ERANGE},
	{"99999999999999999999999999d", 0, -ERANGE},
	{"99999999999999999999999999w9999999999999999999999d", 0, -ERANGE},
	{"-2", 0, -ERANGE},
	{"-1d", 0, -ERANGE},
	{"", 0, -EBADMSG},
	{"-", 0, -EBADMSG},
	{" 1", 0, -EBADMSG},
	{"1 ", 0, -EBADMSG},
	{"1d ", 0, -EBADMSG},
	{"1d  2h", 0, -EBADMSG},
	{"1 d", 0, -EBADMSG},
	{"d", 0, -EBADMSG},
	{"1d12", 0, -EBADMSG},
	{"12h1d", 0, -EBADMSG},
	{"1d1d", 0, -EBADMSG},
	{"1y", 0, -EBADMSG},
	{"1D", 0, -EBADMSG},
	{"1.5h", 0, -EBADMSG},
	{"+1", 0, -EBADMSG},
	{"--1", 0, -EBADMSG},
	{"1e3", 0, -EBADMSG},
	{"0x10", 0, -EBADMSG},
	{"forever", 0, -EBADMSG},
	{"Permanent", 0, -EBADMSG},
	{"permanently", 0, -EBADMSG},
};

static void
test_parse(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof parses / sizeof parses[0]; i++) {
		int64_t seconds = -77;
		print_message("'%s'\n", parses[i].in);
		assert_int_equal(duration_parse(parses[i].in, &seconds),
			parses[i].result);
		assert_int_equal(
			seconds, parses[i].result ? -77 : parses[i].want);
	}
}

static const struct {
	int64_t in;
	const char *want;
} formats[] = {
	{0, "0s"},
	{15, "15s"},
	{60, "1m"},
	{61, "1m 1s"},
	{3600, "1h"},
	{3659, "1h"},
	{3661, "1h 1m"},
	{86399, "23h 59m"},
	{86400, "1d"},
	{2 * 86400 + 3 * 3600 + 59, "2d 3h"},
	{30 * 86400, "30d"},
	{DURATION_MAX_S, "3650d"},
	{DURATION_PERMANENT, "permanent"},
	{DURATION_PERMANENT - 1, "106751991167300d 15h"},
	{-5, "0s"},
};

static void
test_format(void **state)
{
	char out[DURATION_STRLEN];

	(void)state;
	for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
		assert_string_equal(
			duration_format(formats[i].in, out), formats[i].want);
}

/* What is shown can be typed in again, and says the same to the second unit. */
static void
test_both_ways(void **state)
{
	char once[DURATION_STRLEN], twice[DURATION_STRLEN];

	(void)state;
	for (int64_t s = 0; s <= DURATION_MAX_S; s = s * 5 / 4 + 1) {
		int64_t back = -1;
		duration_format(s, once);
		assert_int_equal(duration_parse(once, &back), 0);
		assert_true(back <= s);
		assert_string_equal(duration_format(back, twice), once);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_both_ways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
