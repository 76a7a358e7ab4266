/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who is never banned and why: sources that come and go apart, ends, senders,
 * the hidden gateway, the file; and the sessions of utmp and logind.
 */
#include "plugin/exempt.h"
#include "plugin/sessions.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utmpx.h>

#include <cmocka.h>

static struct network
net_from(const char *text)
{
	struct network net;
	const char *why;

	assert_int_equal(network_parse(text, strlen(text), &net, &why), 0);
	return net;
}

static const struct exempt *
find(const struct exempts *all, const char *text)
{
	struct network net = net_from(text);

	return exempts_find(all, &net);
}

static bool
replace(struct exempts *all, enum exempt_source source, const char *text)
{
	struct netset set = {0};
	struct network net;
	bool changed;

	if (text) {
		net = net_from(text);
		netset_add(&set, &net);
	}
	changed = exempts_replace(all, source, &set);
	netset_free(&set);
	return changed;
}

static void
test_sources(void **state)
{
	struct exempts *all = exempts_new();
	struct exempt one = {.net = net_from("192.0.2.7"),
		.source = EXEMPT_OPERATOR,
		.since_us = 1,
		.until_us = 100,
		.by = "uid 0",
		.reason = "until the new phone is there"};
	bool found = true;

	(void)state;
	assert_null(find(all, "192.0.2.7"));
	assert_true(exempts_add(all, &one));
	assert_string_equal(find(all, "192.0.2.7")->reason, one.reason);
	assert_string_equal(find(all, "192.0.2.7")->by, "uid 0");
	/* Within another one: no change for anybody but people. */
	assert_true(replace(all, EXEMPT_CONFIG, "192.0.2.0/24"));
	assert_int_equal(find(all, "192.0.2.7")->source, EXEMPT_CONFIG);
	assert_false(replace(all, EXEMPT_CONFIG, "192.0.2.0/24"));
	assert_true(replace(all, EXEMPT_CONFIG, NULL));
	assert_int_equal(find(all, "192.0.2.7")->source, EXEMPT_OPERATOR);
	assert_null(find(all, "192.0.2.8"));
	assert_null(find(all, "192.0.2.0/24"));
	/* Prolonged, and over. */
	one.until_us = 200;
	one.reason = NULL;
	assert_false(exempts_add(all, &one));
	assert_int_equal(exempts_count(all), 1);
	assert_null(find(all, "192.0.2.7")->reason);
	assert_false(exempts_expire(all, 199));
	assert_true(exempts_expire(all, 200));
	assert_null(find(all, "192.0.2.7"));
	assert_false(exempts_remove(all, &one.net, &found));
	assert_false(found);
	one.until_us = EXEMPT_PERMANENT;
	assert_true(exempts_add(all, &one));
	assert_false(exempts_expire(all, INT64_MAX - 1));
	assert_true(exempts_remove(all, &one.net, &found));
	assert_true(found);
	assert_int_equal(exempts_union(all)->count, 0);
	exempts_free(all);
}

/* Only what an operator added is removed as such. */
static void
test_remove_other(void **state)
{
	struct exempts *all = exempts_new();
	struct network net = net_from("192.0.2.0/24");
	bool found;

	(void)state;
	(void)replace(all, EXEMPT_CONFIG, "192.0.2.0/24");
	assert_false(exempts_remove(all, &net, &found));
	assert_false(found);
	assert_non_null(find(all, "192.0.2.1"));
	exempts_free(all);
}

static bool
note(struct exempts *all, const char *text, int64_t now_us)
{
	struct network net = net_from(text);

	return exempts_note_sender(all, &net.addr, now_us);
}

static void
test_senders(void **state)
{
	struct exempts *all = exempts_new();
	const int64_t half = EXEMPT_SENDER_US / 2;

	(void)state;
	assert_false(note(all, "127.0.0.1", 5));
	assert_false(note(all, "::1", 5));
	assert_true(note(all, "192.0.2.1", 5));
	assert_true(note(all, "2001:db8::1", 6));
	assert_false(note(all, "192.0.2.1", 7));
	assert_int_equal(find(all, "192.0.2.1")->source, EXEMPT_SENDER);
	assert_false(note(all, "192.0.2.1", 5 + half));
	assert_true(exempts_expire(all, 5 + EXEMPT_SENDER_US + 1));
	assert_null(find(all, "2001:db8::1"));
	assert_non_null(find(all, "192.0.2.1"));
	assert_true(exempts_expire(all, 5 + half + EXEMPT_SENDER_US));
	assert_int_equal(exempts_count(all), 0);
	/* Anybody may pretend to be one, but not without end. */
	for (uint32_t i = 0; i < 3 * EXEMPT_SENDERS_MAX; i++) {
		struct addr addr = {.family = ADDR_V4,
			.bytes = {10, 0, (uint8_t)(i >> 8), (uint8_t)i}};

		(void)exempts_note_sender(all, &addr, EXEMPT_SENDER_US * 9);
	}
	assert_int_equal(exempts_count(all), EXEMPT_SENDERS_MAX);
	exempts_free(all);
}

static void
test_every_source_has_a_text(void **state)
{
	(void)state;
	for (int i = 0; i < EXEMPT_SOURCES; i++)
		assert_true(
			strlen(exempt_source_text((enum exempt_source)i)) > 5);
}

/* --- who hides behind a gateway --- */

static void
offend(struct exempts *all, const char *text, bool exempt, int times)
{
	struct network net = net_from(text);

	for (int i = 0; i < times; i++)
		exempts_note_offence(all, &net.addr, exempt);
}

static void
test_hidden(void **state)
{
	struct exempts *all = exempts_new();
	struct network gateway = net_from("192.0.2.1");
	struct addr addr;
	uint64_t count;

	(void)state;
	offend(all, "203.0.113.5", false, 500);
	assert_false(exempts_hidden(all, &addr, &count));
	offend(all, "192.0.2.1", true, 520);
	assert_false(exempts_hidden(all, &addr, &count)); /* not yet most */
	offend(all, "192.0.2.1", true, 50);
	assert_true(exempts_hidden(all, &addr, &count));
	assert_memory_equal(&addr, &gateway.addr, sizeof addr);
	assert_int_equal(count, 70);
	/* In a mixture, when it is most. */
	for (int i = 0; i < 1000; i++) {
		char text[16];

		(void)snprintf(text, sizeof text, "203.0.113.%d", i % 256);
		offend(all, i % 3 ? "192.0.2.1" : text, i % 3 != 0, 1);
	}
	assert_true(exempts_hidden(all, &addr, &count));
	/* And no longer, when it was mended. */
	for (int i = 0; i < 2000; i++) {
		char text[16];

		(void)snprintf(text, sizeof text, "203.0.113.%d", i % 256);
		offend(all, text, false, 1);
	}
	assert_false(exempts_hidden(all, &addr, &count));
	exempts_free(all);
}

/* --- the file --- */

static char *
write_file(const char *text)
{
	char *path = strdup("/tmp/mailban-exempt-XXXXXX");
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	(void)close(fd);
	return path;
}

static const struct {
	const char *text;
	size_t count;	  /* of networks */
	const char *want; /* the error behind "path:" */
} files[] = {
	{"", 0, NULL},
	{"# nothing\n\n  \t\n", 0, NULL},
	{"192.0.2.1\n 2001:db8::/32 # the office\r\n192.0.2.1", 2, NULL},
	{"192.0.2.1\nmail.example.org\n", 0,
		"2: 'mail.example.org': not an IPv4 or IPv6 address"},
	{"192.0.2.1 192.0.2.2\n", 0,
		"1: more than one word: one network a line"},
	{"\n\n192.0.2.1/24\n", 0, "3: '192.0.2.1/24': "},
	{"203.0.113.0/33\n", 0, "1: '203.0.113.0/33': "},
};

static void
test_file(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		char *path = write_file(files[i].text), *error = NULL, *want;
		struct netset set = {0};
		int rc = exempts_read_file(path, &set, &error);

		if ((rc < 0) != (files[i].want != NULL))
			fail_msg("file %zu: %d %s", i, rc, error);
		assert_int_equal(set.count, files[i].count);
		if (files[i].want) {
			assert_true(asprintf(&want, "%s:%s", path,
					    files[i].want) > 0);
			if (strncmp(error, want, strlen(want)) != 0)
				fail_msg("file %zu: %s", i, error);
			free(want);
		}
		netset_free(&set);
		(void)unlink(path);
		free(path);
		free(error);
	}
}

static void
test_file_limits(void **state)
{
	char *text = calloc(1, 2 * 1024 * 1024), *at = text, *path;
	char *error = NULL;
	struct netset set = {0};

	(void)state;
	for (int i = 0; i <= EXEMPT_FILE_MAX; i++)
		at += snprintf(at, 32, "10.%d.%d.1\n", i / 256, i % 256);
	path = write_file(text);
	assert_true(exempts_read_file(path, &set, &error) < 0);
	assert_non_null(strstr(error, "10001: more than 10000 networks"));
	(void)unlink(path);
	free(path);
	free(error);
	memset(text, ' ', 5000);
	text[5000] = '\0';
	path = write_file(text);
	assert_true(exempts_read_file(path, &set, &error) < 0);
	assert_non_null(strstr(error, ":1: the line is too long"));
	(void)unlink(path);
	free(path);
	free(error);
	assert_true(exempts_read_file("/nonexistent", &set, &error) < 0);
	assert_non_null(strstr(error, "/nonexistent: No such file"));
	free(error);
	assert_int_equal(set.count, 0);
	free(text);
}

/* --- sessions --- */

static void
put_entry(FILE *file, short type, pid_t pid, const char *host,
	const char *address)
{
	struct utmpx entry = {.ut_type = type, .ut_pid = pid};

	memcpy(entry.ut_host, host, strlen(host));
	if (address) {
		struct network net = net_from(address);

		memcpy(entry.ut_addr_v6, net.addr.bytes,
			net.addr.family == ADDR_V6 ? 16 : 4);
	}
	assert_int_equal(fwrite(&entry, sizeof entry, 1, file), 1);
}

/* A process that has ended, and so a number that nobody has (for now). */
static pid_t
gone(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	return pid;
}

static void
test_utmp(void **state)
{
	char path[] = "/tmp/mailban-utmp-XXXXXX";
	FILE *file = fdopen(mkstemp(path), "we");
	struct netset set = {0};

	(void)state;
	put_entry(file, USER_PROCESS, getpid(), "192.0.2.1", NULL);
	put_entry(file, USER_PROCESS, getpid(), "host.example", "2001:db8::1");
	put_entry(file, USER_PROCESS, getpid(), "host.example", "192.0.2.2");
	put_entry(file, USER_PROCESS, getpid(), "", NULL);
	put_entry(file, USER_PROCESS, getpid(), ":0", NULL);
	put_entry(file, DEAD_PROCESS, getpid(), "192.0.2.3", NULL);
	put_entry(file, USER_PROCESS, gone(), "192.0.2.4", NULL);
	(void)fclose(file);
	sessions_networks(&set, path, "/nonexistent");
	assert_int_equal(set.count, 3);
	netset_free(&set);
	sessions_networks(&set, "/nonexistent", NULL);
	assert_int_equal(set.count, 0);
	(void)unlink(path);
}

static void
put_session(const char *folder, const char *name, const char *text)
{
	char *path = NULL;
	FILE *file;

	assert_true(asprintf(&path, "%s/%s", folder, name) > 0);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	(void)fclose(file);
	free(path);
}

static void
take_away(const char *folder, const char *name)
{
	char *path = NULL;

	assert_true(asprintf(&path, "%s/%s", folder, name) > 0);
	assert_int_equal(unlink(path), 0);
	free(path);
}

static void
test_logind(void **state)
{
	char folder[] = "/tmp/mailban-logind-XXXXXX";
	struct netset set = {0};

	(void)state;
	assert_non_null(mkdtemp(folder));
	put_session(folder, "1",
		"# do not parse\nUID=0\nSTATE=active\nREMOTE=1\n"
		"REMOTE_HOST=192.0.2.1\nSERVICE=sshd\n");
	put_session(folder, "2", "STATE=closing\nREMOTE_HOST=192.0.2.2\n");
	put_session(folder, "3", "STATE=active\nREMOTE_HOST=host.example\n");
	put_session(folder, "4", "STATE=active\nREMOTE_HOST=2001:db8::1\n");
	put_session(folder, "4.ref", "REMOTE_HOST=192.0.2.3\n");
	sessions_networks(&set, NULL, folder);
	assert_int_equal(set.count, 2);
	netset_free(&set);
	for (int i = 1; i <= 4; i++) {
		char name[4];

		(void)snprintf(name, sizeof name, "%d", i);
		take_away(folder, name);
	}
	take_away(folder, "4.ref");
	assert_int_equal(rmdir(folder), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sources),
		cmocka_unit_test(test_remove_other),
		cmocka_unit_test(test_senders),
		cmocka_unit_test(test_every_source_has_a_text),
		cmocka_unit_test(test_hidden),
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_file_limits),
		cmocka_unit_test(test_utmp),
		cmocka_unit_test(test_logind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
