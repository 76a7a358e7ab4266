/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of the classes: they are on disk, and must stay what they are.
 */
#include "plugin/class.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
test_names(void **state)
{
	static const struct {
		enum class class;
		const char *name;
	} names[] = {
		{CLASS_AUTH_FAILURE, "auth-failure"},
		{CLASS_UNKNOWN_CLIENT, "unknown-client"},
		{CLASS_REJECTED, "rejected"},
		{CLASS_PROTOCOL_ABUSE, "protocol-abuse"},
		{CLASS_SPAM, "spam"},
		{CLASS_LOGIN, "login"},
		{CLASS_NONE, "none"},
	};
	size_t count = sizeof names / sizeof names[0];

	(void)state;
	assert_int_equal(count, CLASS_COUNT);
	for (size_t i = 0; i < count; i++) {
		assert_string_equal(class_name(names[i].class), names[i].name);
		assert_int_equal(class_by_name(names[i].name), names[i].class);
	}
}

static void
test_unknown(void **state)
{
	(void)state;
	assert_int_equal(class_by_name(""), CLASS_COUNT);
	assert_int_equal(class_by_name("auth"), CLASS_COUNT);
	assert_int_equal(class_by_name("auth-failures"), CLASS_COUNT);
	assert_int_equal(class_by_name("Spam"), CLASS_COUNT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
