/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The INI reader: what a file means, line by line, and what is refused with
 * which line number.
 */
#include "plugin/inifile.h"

#include "common/xalloc.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* All values seen, as "section|name|value|line\n". */
struct seen {
	char text[65536];
	size_t len;
};

static char *
note(const char *section, const char *name, const char *value, unsigned line,
	void *arg)
{
	struct seen *seen = arg;

	if (strcmp(value, "refuse me") == 0)
		return xstrdup("bad value");
	seen->len += (size_t)snprintf(seen->text + seen->len,
		sizeof seen->text - seen->len, "%s|%s|%s|%u\n", section, name,
		value, line);
	return NULL;
}

struct case_ok {
	const char *name, *in, *want;
	bool inline_comments;
};

static const struct case_ok good[] = {
	{"nothing", "", "", false},
	{"comments", "# a\n; b\n  # c\n\n   \n", "", false},
	{"one", "[s]\nk = v\n", "s|k|v|2\n", false},
	{"no newline at the end", "[s]\nk=v", "s|k|v|2\n", false},
	{"crlf", "[s]\r\nk = v\r\n", "s|k|v|2\n", false},
	{"bom", "\xef\xbb\xbf[s]\nk=v\n", "s|k|v|2\n", false},
	{"empty value", "[s]\nk =\n", "s|k||2\n", false},
	{"continuation", "[s]\nk = a\n  b\n\tc\n",
		"s|k|a|2\ns|k|b|3\ns|k|c|4\n", false},
	{"continuation that looks like a key", "[s]\nk = a\n  x = y\n",
		"s|k|a|2\ns|k|x = y|3\n", false},
	{"continuation that looks like a section", "[s]\nk = a\n  [t]\n",
		"s|k|a|2\ns|k|[t]|3\n", false},
	{"continuation behind a comment", "[s]\nk = a\n# x\n b\n",
		"s|k|a|2\ns|k|b|4\n", false},
	{"marks in values", "[s]\nk = ^a ;b #c \"d\" =e: [f] %41+.\n",
		"s|k|^a ;b #c \"d\" =e: [f] %41+.|2\n", false},
	{"value begins with a mark", "[s]\nk = #a\nl = ;b\n",
		"s|k|#a|2\ns|l|;b|3\n", false},
	{"inline comments",
		"[s] # x\nk = a ; b\nl = a;b#c # d\nm = # e\n"
		"n = a\t#f\n",
		"s|k|a|2\ns|l|a;b#c|3\ns|m||4\ns|n|a|5\n", true},
	{"inline comment in a continuation", "[s]\nk = a\n b # c\n",
		"s|k|a|2\ns|k|b|3\n", true},
	{"inner blanks stay", "[s]\nk =  a  b\t c \t \n", "s|k|a  b\t c|2\n",
		false},
	{"bytes", "[s]\nk = \xff\x01\xc3\xa4\x7f\x80\n",
		"s|k|\xff\x01\xc3\xa4\x7f\x80|2\n", false},
	{"repeated key", "[s]\nk=1\nk=2\n", "s|k|1|2\ns|k|2|3\n", false},
	{"several sections", "[a]\nk=1\n\n[b-2.c_D]\nk=2\n",
		"a|k|1|2\nb-2.c_D|k|2|5\n", false},
	{"49 characters",
		"[aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeee]\n"
		"aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeee=v",
		"aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeee|"
		"aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeee|v|2\n",
		false},
};

static void
test_good(void **state)
{
	static struct seen seen;

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		char *error = NULL;
		seen.len = 0;
		seen.text[0] = '\0';
		print_message("%s\n", good[i].name);
		assert_int_equal(
			inifile_read_text("f", good[i].in, strlen(good[i].in),
				good[i].inline_comments, note, &seen, &error),
			0);
		assert_null(error);
		assert_string_equal(seen.text, good[i].want);
	}
}

static const struct {
	const char *name, *in, *where, *what;
} bad[] = {
	{"no section", "k = v\n", "f:1: ", "before the first"},
	{"no sign", "[s]\n\nhello\n", "f:3: ", "not understood"},
	{"colon", "[s]\nk: v\n", "f:2: ", "not understood"},
	{"indented first key", "[s]\n k = v\n", "f:2: ", "no key above"},
	{"key of an earlier section", "[s]\nk=1\n[t]\n v\n",
		"f:4: ", "no key above"},
	{"open section", "[s\nk=v\n", "f:1: ", "[name]"},
	{"empty section", "[]\n", "f:1: ", "a name may"},
	{"odd section", "[a b]\n", "f:1: ", "a name may"},
	{"behind a section", "[s] x\n", "f:1: ", "behind the"},
	{"section twice", "[s]\nk=1\n[t]\n[s]\n", "f:4: ", "at line 1"},
	{"odd key", "[s]\na b = c\n", "f:2: ", "a name may"},
	{"empty key", "[s]\n= c\n", "f:2: ", "a name may"},
	{"50 characters",
		"[s]\naaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeee=v",
		"f:2: ", "at most 49"},
	{"handler", "[s]\nk = a\n  refuse me\nl = b\n", "f:3: ", "bad value"},
};

static void
test_bad(void **state)
{
	static struct seen seen;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		char *error = NULL;
		seen.len = 0;
		print_message("%s\n", bad[i].name);
		assert_int_equal(
			inifile_read_text("f", bad[i].in, strlen(bad[i].in),
				true, note, &seen, &error),
			-EBADMSG);
		assert_non_null(error);
		assert_int_equal(
			strncmp(error, bad[i].where, strlen(bad[i].where)), 0);
		assert_non_null(strstr(error, bad[i].what));
		free(error);
	}
}

static void
test_nul(void **state)
{
	static const char text[] = "[s]\nk = a\0b\n";
	static struct seen seen;
	char *error = NULL;

	(void)state;
	assert_int_equal(inifile_read_text("f", text, sizeof text - 1, false,
				 note, &seen, &error),
		-EBADMSG);
	assert_string_equal(error, "f:2: a NUL byte: this is no text file");
	free(error);
}

static char longest[INIFILE_LINE_MAX + 16];

static char *
compare_longest(const char *section, const char *name, const char *value,
	unsigned line, void *arg)
{
	size_t *len = arg;

	(void)section;
	(void)name;
	(void)line;
	assert_int_equal(strlen(value), *len);
	assert_memory_equal(value, longest, *len);
	return NULL;
}

/* Values of every length up to the limit come through whole, whatever bytes
 * they are made of. */
static void
test_long(void **state)
{
	static char text[INIFILE_LINE_MAX + 16];
	static const char head[] = "[s]\nk=";

	(void)state;
	for (size_t i = 0; i < sizeof longest; i++)
		longest[i] = (char)(i * 7 % 255 + 1);
	for (size_t i = 0; i < sizeof longest; i++)
		if (strchr(" \t\r\n\v\f", longest[i]))
			longest[i] = ';';
	for (size_t len = 0; len <= INIFILE_LINE_MAX - 2;
		len += len < 700 ? 1 : 331) {
		char *error = NULL;
		memcpy(text, head, sizeof head - 1);
		memcpy(text + sizeof head - 1, longest, len);
		assert_int_equal(
			inifile_read_text("f", text, sizeof head - 1 + len,
				false, compare_longest, &len, &error),
			0);
	}
}

static void
test_too_long(void **state)
{
	static char text[INIFILE_LINE_MAX + 16];
	static struct seen seen;
	char *error = NULL;

	(void)state;
	memset(text, 'x', sizeof text);
	memcpy(text, "[s]\nk=", 6);
	assert_int_equal(inifile_read_text("f", text, 4 + INIFILE_LINE_MAX,
				 false, note, &seen, &error),
		0);
	assert_int_equal(inifile_read_text("f", text, 5 + INIFILE_LINE_MAX,
				 false, note, &seen, &error),
		-EBADMSG);
	assert_string_equal(error, "f:2: the line is longer than 8192 bytes");
	free(error);
}

static void
test_file(void **state)
{
	static struct seen seen;
	char path[] = "/tmp/test_inifile.XXXXXX", *error = NULL;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "[s]\nk=v\n", 8), 8);
	close(fd);
	assert_int_equal(inifile_read(path, true, note, &seen, &error), 0);
	assert_string_equal(seen.text, "s|k|v|2\n");
	unlink(path);
	assert_int_equal(
		inifile_read(path, true, note, &seen, &error), -ENOENT);
	assert_non_null(strstr(error, path));
	free(error);
	error = NULL;
	assert_int_equal(
		inifile_read("/tmp", true, note, &seen, &error), -EISDIR);
	assert_string_equal(error, "/tmp: Is a directory");
	free(error);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_nul),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
