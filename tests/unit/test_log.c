/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Log lines: their form, that nothing ever waits, and what of outside text
 * may be shown. connect() is replaced here, so that /dev/log is a socket of
 * the test's own.
 */
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct sockaddr_un here = {.sun_family = AF_UNIX};
static int connects;

/* Under another name, as libc declares connect() with a type of its own. */
int fake_connect(int fd, const struct sockaddr *to, socklen_t len) __asm__(
	"connect");

int
fake_connect(int fd, const struct sockaddr *to, socklen_t len)
{
	const char *path =
		((const struct sockaddr_un *)(const void *)to)->sun_path;

	connects++;
	assert_string_equal(path, "/dev/log");
	assert_int_equal(len, sizeof here);
	return (int)syscall(SYS_connect, fd, &here, sizeof here);
}

static int
listen_here(void)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	unlink(here.sun_path);
	assert_true(fd >= 0);
	assert_int_equal(
		bind(fd, (const struct sockaddr *)&here, sizeof here), 0);
	return fd;
}

/* Puts fd in the place of stderr; returns what was there. */
static int
swap_stderr(int fd)
{
	int old = dup(STDERR_FILENO);

	assert_true(old >= 0);
	assert_int_equal(dup2(fd, STDERR_FILENO), STDERR_FILENO);
	return old;
}

static void
restore_stderr(int old)
{
	dup2(old, STDERR_FILENO);
	close(old);
}

static int
make_pipe(int ends[2])
{
	return pipe2(ends, O_CLOEXEC);
}

static void
test_stderr(void **state)
{
	char got[256] = "";
	int ends[2], old;

	(void)state;
	assert_int_equal(make_pipe(ends), 0);
	old = swap_stderr(ends[1]);
	log_open("prog", LOG_LEVEL_INFO, false);
	errno = ERANGE;
	log_err("one %d", 1);
	log_warn("two\nthree\x7f\x01");
	log_info("%s", "four");
	log_debug("five");
	int after = errno;
	restore_stderr(old);
	assert_int_equal(after, ERANGE);
	assert_true(read(ends[0], got, sizeof got - 1) > 0);
	assert_string_equal(
		got, "prog: one 1\nprog: two?three??\nprog: four\n");
	close(ends[0]);
	close(ends[1]);
}

/* A line that is too long is cut, and still one line. */
static void
test_long_line(void **state)
{
	static char text[10000], got[20000];
	int ends[2], old;
	ssize_t len;

	(void)state;
	memset(text, 'x', sizeof text - 1);
	assert_int_equal(make_pipe(ends), 0);
	old = swap_stderr(ends[1]);
	log_open("prog", LOG_LEVEL_INFO, false);
	log_info("%s", text);
	log_info("end");
	restore_stderr(old);
	len = read(ends[0], got, sizeof got - 1);
	assert_true(len > 1000 && len < 5000);
	assert_non_null(strstr(got, "xxx\nprog: end\n"));
	close(ends[0]);
	close(ends[1]);
}

static void
test_blocked_stderr(void **state)
{
	static const char filler[4096];
	uint64_t dropped = log_dropped();
	int ends[2], old;

	(void)state;
	assert_int_equal(make_pipe(ends), 0);
	assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
	while (write(ends[1], filler, sizeof filler) > 0)
		;
	assert_int_equal(fcntl(ends[1], F_SETFL, 0), 0);
	old = swap_stderr(ends[1]);
	log_open("prog", LOG_LEVEL_INFO, false);
	alarm(20);
	log_info("into a full pipe");
	/* Nobody reads any more: no SIGPIPE either. */
	close(ends[0]);
	log_info("into a broken pipe");
	close(STDERR_FILENO);
	log_info("to nowhere");
	alarm(0);
	restore_stderr(old);
	close(ends[1]);
	assert_true(log_dropped() == dropped + 3);
}

static void
assert_line(int fd, const char *pri, const char *text)
{
	char got[8192] = "", want[8192];
	ssize_t len = recv(fd, got, sizeof got - 1, 0);

	assert_true(len > 0);
	snprintf(want, sizeof want, "<%s>prog[%ld]: %s", pri, (long)getpid(),
		text);
	assert_string_equal(got, want);
}

static int
silence(void)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC), old;

	assert_true(null >= 0);
	old = swap_stderr(null);
	close(null);
	return old;
}

static void
test_syslog(void **state)
{
	int old, fd = listen_here();
	char more;

	(void)state;
	old = silence();
	log_open("prog", LOG_LEVEL_DEBUG, true);
	log_err("a");
	log_warn("b");
	log_info("c %s", "d\ne");
	log_debug("f");
	restore_stderr(old);
	assert_line(fd, "27", "a");
	assert_line(fd, "28", "b");
	assert_line(fd, "30", "c d?e");
	assert_line(fd, "31", "f");
	assert_int_equal(recv(fd, &more, 1, 0), -1);
	close(fd);
}

/* The listener goes, is away for a while, and comes back as a new socket. */
static void
test_reconnect(void **state)
{
	uint64_t dropped = log_dropped();
	int old = silence(), fd, tried;

	(void)state;
	log_open("prog", LOG_LEVEL_INFO, true);
	unlink(here.sun_path);
	connects = 0;
	for (int i = 0; i < 1000; i++)
		log_info("lost");
	tried = connects;
	fd = listen_here();
	for (int i = 0; i < 30 && log_dropped() == dropped + 1000; i++) {
		usleep(100000);
		log_info("back");
		if (recv(fd, &(char){0}, 1, MSG_PEEK) == 1)
			break;
		dropped++;
	}
	restore_stderr(old);
	assert_true(log_dropped() == dropped + 1000);
	/* One a second; the loop may have crossed into another. */
	assert_true(tried <= 3);
	assert_line(fd, "30", "back");
	close(fd);
}

/* A listener that does not read: what it can't take is dropped and counted. */
static void
test_full_queue(void **state)
{
	enum { LINES = 5000 };
	uint64_t dropped = log_dropped();
	int old = silence(), fd = listen_here(), got = 0;
	char buf[256];

	(void)state;
	/* The old connection is to the old socket. */
	log_open("prog", LOG_LEVEL_INFO, true);
	for (int i = 0; i < 30; i++) {
		log_info("first");
		if (recv(fd, buf, sizeof buf, 0) > 0)
			break;
		usleep(100000);
	}
	dropped = log_dropped();
	alarm(20);
	for (int i = 0; i < LINES; i++)
		log_info("line %d", i);
	alarm(0);
	restore_stderr(old);
	while (recv(fd, buf, sizeof buf, 0) > 0)
		got++;
	assert_true(got > 0 && got < LINES);
	assert_true(log_dropped() - dropped == (uint64_t)(LINES - got));
	close(fd);
}

static void *
log_many(void *arg)
{
	for (int i = 0; i < 500; i++)
		log_info("%s", (const char *)arg);
	return NULL;
}

/* Two threads: lines come whole. */
static void
test_threads(void **state)
{
	static char a[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
	static char b[] = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
	static char got[65536];
	pthread_t threads[2];
	int ends[2], old, count = 0;
	ssize_t len;
	size_t have = 0;

	(void)state;
	assert_int_equal(make_pipe(ends), 0);
	fcntl(ends[1], F_SETPIPE_SZ, 1 << 20);
	old = swap_stderr(ends[1]);
	log_open("p", LOG_LEVEL_INFO, false);
	pthread_create(&threads[0], NULL, log_many, a);
	pthread_create(&threads[1], NULL, log_many, b);
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	restore_stderr(old);
	close(ends[1]);
	while ((len = read(ends[0], got + have, sizeof got - 1 - have)) > 0)
		have += (size_t)len;
	close(ends[0]);
	for (char *at = got; *at; at = strchr(at, '\n') + 1, count++)
		assert_true(strncmp(at, "p: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n",
				    36) == 0 ||
			    strncmp(at, "p: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\n",
				    36) == 0);
	assert_int_equal(count, 1000);
}

static void
test_fatal(void **state)
{
	char got[64] = "";
	int ends[2], status;
	pid_t child;

	(void)state;
	assert_int_equal(make_pipe(ends), 0);
	child = fork();
	if (child == 0) {
		dup2(ends[1], STDERR_FILENO);
		log_open("prog", LOG_LEVEL_ERR, false);
		fatal("no %s", "good");
	}
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	assert_true(read(ends[0], got, sizeof got - 1) > 0);
	assert_string_equal(got, "prog: no good\n");
	close(ends[0]);
	close(ends[1]);
}

static const struct {
	const char *name, *in, *want;
} escapes[] = {
	{"plain", "abc [192.0.2.1] \"x\" \\", "abc [192.0.2.1] \"x\" \\"},
	{"empty", "", ""},
	{"controls", "a\x1b[31m\n\r\t\x7f", "a\\x1b[31m\\x0a\\x0d\\x09\\x7f"},
	{"UTF-8", "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80",
		"\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80"},
	{"C1 controls", "\xc2\x80\xc2\x9b\xc2\x9f\xc2\xa0",
		"\\xc2\\x80\\xc2\\x9b\\xc2\\x9f\xc2\xa0"},
	{"line and paragraph", "\xe2\x80\xa8\xe2\x80\xa9",
		"\\xe2\\x80\\xa8\\xe2\\x80\\xa9"},
	{"direction",
		"\xe2\x80\xae"
		"a\xe2\x80\x8f\xe2\x81\xa6\xd8\x9c\xe2\x81\xaa",
		"\\xe2\\x80\\xaea\\xe2\\x80\\x8f\\xe2\\x81\\xa6\\xd8\\x9c"
		"\xe2\x81\xaa"},
	{"stray bytes", "\x80\xff\xfe x", "\\x80\\xff\\xfe x"},
	{"overlong", "\xc0\xaf\xe0\x80\xaf\xf0\x80\x80\xaf",
		"\\xc0\\xaf\\xe0\\x80\\xaf\\xf0\\x80\\x80\\xaf"},
	{"surrogate", "\xed\xa0\x80", "\\xed\\xa0\\x80"},
	{"beyond Unicode", "\xf4\x90\x80\x80\xf5\x80\x80\x80",
		"\\xf4\\x90\\x80\\x80\\xf5\\x80\\x80\\x80"},
	{"last of Unicode", "\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf"},
	{"cut sequence", "a\xe2\x82", "a\\xe2\\x82"},
	{"cut by a letter", "\xe2\x82z", "\\xe2\\x82z"},
};

static void
test_escape(void **state)
{
	char out[256];

	(void)state;
	for (size_t i = 0; i < sizeof escapes / sizeof escapes[0]; i++) {
		size_t len = strlen(escapes[i].in);
		char *exact = malloc(len ? len : 1);
		print_message("%s\n", escapes[i].name);
		assert_non_null(exact);
		memcpy(exact, escapes[i].in, len);
		assert_string_equal(text_escape(exact, len, out, sizeof out),
			escapes[i].want);
		free(exact);
	}
	assert_string_equal(text_escape("a\0b", 3, out, sizeof out), "a\\x00b");
}

/* Whatever the room: what is written fits, ends in dots when cut, and never
 * in half a character. */
static void
test_escape_cut(void **state)
{
	static const char text[] = "ab\xc3\xa4\x01z\xe2\x82\xac!";
	static const char *const want[] = {NULL, "", ".", "..", "...", "a...",
		"ab...", "ab...", "ab\xc3\xa4...", "ab\xc3\xa4...",
		"ab\xc3\xa4...", "ab\xc3\xa4...", "ab\xc3\xa4\\x01...",
		"ab\xc3\xa4\\x01z...", "ab\xc3\xa4\\x01z\xe2\x82\xac!"};

	(void)state;
	for (size_t size = 1; size < sizeof want / sizeof want[0]; size++) {
		char *out = malloc(size);
		assert_non_null(out);
		print_message("%zu\n", size);
		assert_string_equal(
			text_escape(text, sizeof text - 1, out, size),
			want[size]);
		free(out);
	}
}

static int
make_place(void **state)
{
	static char folder[] = "/tmp/test_log.XXXXXX";

	if (!mkdtemp(folder))
		return -1;
	snprintf(here.sun_path, sizeof here.sun_path, "%s/log", folder);
	*state = folder;
	return 0;
}

static int
remove_place(void **state)
{
	unlink(here.sun_path);
	return rmdir(*state);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stderr),
		cmocka_unit_test(test_long_line),
		cmocka_unit_test(test_blocked_stderr),
		cmocka_unit_test(test_syslog),
		cmocka_unit_test(test_reconnect),
		cmocka_unit_test(test_full_queue),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_fatal),
		cmocka_unit_test(test_escape),
		cmocka_unit_test(test_escape_cut),
	};

	return cmocka_run_group_tests(tests, make_place, remove_place);
}
