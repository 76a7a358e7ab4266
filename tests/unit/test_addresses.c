/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lists of other programs: what each form holds, what it does not, and that
 * nothing in them harms.
 */
#include "command/addresses.h"

#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "command/list.h"

/* "ADDRESS" or "ADDRESS SECONDS" each. */
static const struct {
	const char *text, *kind, *want;
	size_t bad;
} cases[] = {
	{"", "plain list", "", 0},
	{"192.0.2.1\n", "plain list", "192.0.2.1;", 0},
	{"192.0.2.1", "plain list", "192.0.2.1;", 0},
	{"\n# a\n 192.0.2.1 # b\n2001:db8::/32\r\n", "plain list",
		"192.0.2.1;2001:db8::/32;", 0},
	{"192.0.2.1,2026-01-01\n192.0.2.2;x\n", "plain list",
		"192.0.2.1;192.0.2.2;", 0},
	{"example.org\n192.0.2.256\n010.0.0.1\n192.0.2.1\n", "plain list",
		"192.0.2.1;", 3},
	{"192.0.2.0-192.0.2.4\n", "plain list", "192.0.2.0/30;192.0.2.4;", 0},
	{"192.0.2.5-192.0.2.4\n", "plain list", "", 1},
	{"255.255.255.254-255.255.255.255", "plain list", "255.255.255.254/31;",
		0},
	{"0.0.0.0-255.255.255.255", "plain list", "0.0.0.0/0;", 0},
	{"2001:db8::-2001:db8::ffff", "plain list", "2001:db8::/112;", 0},
	{"create b hash:ip family inet\nadd b 192.0.2.1\n"
	 "add b 192.0.2.2 timeout 60 comment \"x\"\nadd b 192.0.2.3 timeout 0\n"
	 "add b 192.0.2.4,tcp:25\nadd\nadd b\n",
		"ipset save", "192.0.2.1;192.0.2.2 60;192.0.2.3;192.0.2.4;", 0},
	{"# rules\n-A INPUT -s 192.0.2.1/32 -j LOG --log-prefix \"x -j DROP\"\n"
	 "-A INPUT -s 192.0.2.2/32 -j DROP\n-A INPUT ! -s 192.0.2.3 -j DROP\n"
	 "-A INPUT -s 192.0.2.4 -j ACCEPT\n-A INPUT -s 192.0.2.5 -j REJECT\n"
	 "-A INPUT -s\n-A INPUT -j\n",
		"iptables rules", "192.0.2.2;192.0.2.5;", 0},
	{"table ip f {\n\tset s {\n\t\ttype ipv4_addr\n\t\telements = { "
	 "192.0.2.1, 192.0.2.2 timeout 1d expires 1h2m3s400ms,\n\t\t192.0.2.4-"
	 "192.0.2.5 counter packets 3 bytes 180 }\n\t}\n}\n",
		"nft list", "192.0.2.1;192.0.2.2 3723;192.0.2.4/31;", 0},
	{"table ip f {\n\tset s {\n\t\telements = { 192.0.2.1", "nft list",
		"192.0.2.1;", 0},
	{"{\"nftables\":[{\"metainfo\":{}},{\"set\":{\"elem\":[\"192.0.2.1\","
	 "{\"prefix\":{\"addr\":\"192.0.2.8\",\"len\":30}},{\"range\":["
	 "\"192.0.2.16\",\"192.0.2.17\"]},{\"elem\":{\"val\":\"192.0.2.2\","
	 "\"timeout\":900,\"expires\":60}},7,{}]}}]}",
		"nft list, JSON",
		"192.0.2.1;192.0.2.8/30;192.0.2.16/31;192.0.2.2 60;", 0},
	{"{\"nftables\":7}", "JSON", "", 0},
	{"{\"address\":\"192.0.2.1\",\"until\":null}\n{\"address\":3}\n{\n",
		"JSON", "192.0.2.1 -1;", 1},
};

static char *
text_of(const struct addresses *list)
{
	char *text = NULL, net[NETWORK_STRLEN];
	size_t len = 0;
	FILE *to = open_memstream(&text, &len);

	for (size_t i = 0; i < list->count; i++) {
		(void)fputs(network_format(&list->items[i].net, net), to);
		if (list->items[i].for_s)
			(void)fprintf(
				to, " %lld", (long long)list->items[i].for_s);
		(void)fputc(';', to);
	}
	(void)fclose(to);
	return text;
}

static void
test_forms(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct addresses list = {.items = NULL};
		char *copy = strdup(cases[i].text), *got;

		addresses_parse(copy, strlen(copy), &list);
		got = text_of(&list);
		if (strcmp(got, cases[i].want))
			print_error("case %zu\n", i);
		assert_string_equal(got, cases[i].want);
		assert_string_equal(list.kind, cases[i].kind);
		assert_int_equal(list.bad, cases[i].bad);
		free(got);
		free(copy);
		addresses_free(&list);
	}
}

/* Each cut of each form: nothing worse than fewer addresses. */
static void
test_truncated(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (size_t len = 0; len < strlen(cases[i].text); len++) {
			struct addresses list = {.items = NULL};
			char *copy = strndup(cases[i].text, len);

			addresses_parse(copy, len, &list);
			/* A range is 62 networks at the most. */
			assert_true(list.count < 63);
			free(copy);
			addresses_free(&list);
		}
}

static void
test_first_bad(void **state)
{
	struct addresses list = {.items = NULL};
	char text[] = "192.0.2.1\n\n\033[31mx\nfoo\n";

	(void)state;
	addresses_parse(text, strlen(text), &list);
	assert_int_equal(list.bad, 2);
	assert_int_equal(list.bad_line, 3);
	assert_string_equal(list.bad_text, "\\x1b[31mx");
	addresses_free(&list);
}

static void
test_fail2ban(void **state)
{
	static const char *const made[] = {
		"CREATE TABLE bips(ip TEXT, jail TEXT, timeofban INTEGER,"
		" bantime INTEGER, bancount INTEGER, data JSON);"
		"INSERT INTO bips VALUES"
		" ('192.0.2.1', 'a', %lld - 100, 400, 1, '{}'),"
		" ('192.0.2.2', 'a', %lld - 500, 400, 1, '{}'),"
		" ('192.0.2.3', 'b', 5, -1, 1, '{}'),"
		" ('no address', 'b', 5, -1, 1, '{}');",
		"CREATE TABLE bans(jail TEXT, ip TEXT, timeofban INTEGER,"
		" bantime INTEGER, bancount INTEGER, data JSON);"
		"INSERT INTO bans VALUES"
		" ('a', '192.0.2.1', %lld - 100, 400, 1, '{}'),"
		" ('a', '192.0.2.2', %lld - 500, 400, 1, '{}'),"
		" ('b', '192.0.2.3', 5, -1, 1, '{}');",
		"CREATE TABLE other(x);"};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		char path[] = "/tmp/mailban-f2b-XXXXXX", sql[1024];
		struct addresses list = {.items = NULL};
		const char *why = NULL;
		sqlite3 *sqlite = NULL;
		long long now = (long long)time(NULL);

		assert_true(close(mkstemp(path)) == 0);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		(void)snprintf(sql, sizeof(sql), made[i], now, now);
#pragma GCC diagnostic pop
		assert_int_equal(sqlite3_open(path, &sqlite), SQLITE_OK);
		assert_int_equal(sqlite3_exec(sqlite, sql, 0, 0, 0), SQLITE_OK);
		(void)sqlite3_close(sqlite);
		if (i == 2) {
			assert_true(addresses_read(path, &list, &why) < 0);
			assert_non_null(why);
		} else {
			assert_int_equal(addresses_read(path, &list, &why), 0);
			assert_int_equal(list.count, 2);
			assert_int_equal(list.bad, i == 0);
			assert_in_range(list.items[0].for_s, 295, 300);
			assert_int_equal(list.items[1].for_s, -1);
		}
		addresses_free(&list);
		(void)unlink(path);
	}
}

/* In the order that sort -V of GNU coreutils 9.1 gives. */
static void
test_order(void **state)
{
	static const char *const sorted[] = {"2.0.0.0/8", "9.9.9.9", "10.0.0.1",
		"10.0.0.2", "10.0.0.10", "10.0.0.100", "100.0.0.1",
		"192.0.2.0/24", "192.0.2.1", "198.51.100.8/30",
		"2001:db8:a::/64", "2001:db8::", "2001:db8::1", "2001:db8::/64",
		"fe80::"};
	size_t count = sizeof(sorted) / sizeof(sorted[0]);

	(void)state;
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < count; j++) {
			int order = version_compare(sorted[i], sorted[j]);

			order = order < 0 ? -1 : order > 0;
			if (order != (i < j ? -1 : i > j))
				print_error("%s %s\n", sorted[i], sorted[j]);
			assert_int_equal(order, i < j ? -1 : i > j);
		}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_first_bad),
		cmocka_unit_test(test_fail2ban),
		cmocka_unit_test(test_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
