/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages as rsyslog hands them over, and as they stand in log files: what
 * is in them, and what is no message. The JSON lines have the shape that
 * rsyslogd 8.2302 writes.
 */
#include "plugin/message.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* 2026-11-25T10:00:00Z */
#define NOW_US (INT64_C(1795600800) * 1000000)

static void
assert_span(struct span span, const char *want)
{
	assert_non_null(span.text);
	if (span.len != strlen(want) || memcmp(span.text, want, span.len) != 0)
		print_error("got '%.*s', want '%s'\n", (int)span.len, span.text,
			want);
	assert_int_equal(span.len, strlen(want));
	assert_memory_equal(span.text, want, span.len);
}

static const struct {
	const char *in;
	int64_t want_us; /* -1: none */
	bool fraction;
} times[] = {
	{"1970-01-01T00:00:00Z", 0, false},
	{"2026-11-25T10:00:00Z", NOW_US, false},
	{"2026-11-25T10:00:00.123456+00:00", NOW_US + 123456, true},
	{"2026-11-25T10:00:00.5Z", NOW_US + 500000, true},
	{"2026-11-25T10:00:00.000000Z", NOW_US, true},
	{"2026-11-25T11:30:00+01:30", NOW_US, false},
	{"2026-11-25T04:00:00-06:00", NOW_US, false},
	{"2026-11-25t10:00:00z", NOW_US, false},
	{"2026-11-25T09:59:60Z", NOW_US, false},
	{"2000-02-29T00:00:00Z", INT64_C(951782400) * 1000000, false},
	{"2024-02-29T00:00:00Z", INT64_C(1709164800) * 1000000, false},
	{"2100-03-01T00:00:00Z", INT64_C(4107542400) * 1000000, false},
	{"9999-12-31T23:59:59Z", INT64_C(253402300799) * 1000000, false},
	{"2100-02-29T00:00:00Z", -1, false},
	{"2025-02-29T00:00:00Z", -1, false},
	{"2026-11-31T10:00:00Z", -1, false},
	{"2026-00-25T10:00:00Z", -1, false},
	{"2026-13-25T10:00:00Z", -1, false},
	{"2026-11-00T10:00:00Z", -1, false},
	{"2026-11-25T24:00:00Z", -1, false},
	{"2026-11-25T10:60:00Z", -1, false},
	{"2026-11-25T10:00:61Z", -1, false},
	{"1969-12-31T23:59:59Z", -1, false},
	{"2026-11-25T10:00:00", -1, false},
	{"2026-11-25T10:00:00.Z", -1, false},
	{"2026-11-25T10:00:00.1234567Z", -1, false},
	{"2026-11-25T10:00:00.12345x", -1, false},
	{"2026-11-25T10:00:00+1:00", -1, false},
	{"2026-11-25T10:00:00+01:60", -1, false},
	{"2026-11-25T10:00:00+24:00", -1, false},
	{"2026-11-25T10:00:00+0100", -1, false},
	{"2026-11-25T10:00:00Zx", -1, false},
	{"2026-11-25 10:00:00Z", -1, false},
	{"2026-11-25T10:00:0 Z", -1, false},
	{"+026-11-25T10:00:00Z", -1, false},
	{"", -1, false},
	{"-", -1, false},
};

static void
test_times(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
		int64_t us = -7;
		bool fraction = false;
		int result = message_parse_time(
			times[i].in, strlen(times[i].in), &us, &fraction);
		print_message("'%s'\n", times[i].in);
		assert_int_equal(result, times[i].want_us < 0 ? -EBADMSG : 0);
		assert_int_equal(
			us, times[i].want_us < 0 ? -7 : times[i].want_us);
		assert_int_equal(fraction, times[i].fraction);
	}
}

/* Cut anywhere, the time is refused and nothing behind the cut is read. */
static void
test_truncated_time(void **state)
{
	static const char text[] = "2026-11-25T10:00:00.123456+01:00";

	(void)state;
	for (size_t len = 0; len < sizeof text - 1; len++) {
		char *cut = malloc(len ? len : 1);
		int64_t us;
		bool fraction;
		assert_non_null(cut);
		memcpy(cut, text, len);
		assert_int_equal(
			message_parse_time(cut, len, &us, &fraction), -EBADMSG);
		free(cut);
	}
}

#define USUAL(tag, msg)                                                        \
	"{\"time\":\"2026-11-25T10:00:00.000001Z\", "                          \
	"\"reported\":\"2026-11-25T09:00:00Z\", \"host\":\"mx\", "             \
	"\"from\":\"192.0.2.5\", \"tag\":\"" tag "\", \"msg\":\"" msg "\"}"

static const struct {
	const char *name, *in;
	const char *tag, *program, *pid, *msg;
	uint32_t repeat;
} jsons[] = {
	{"usual", USUAL("postfix\\/smtpd[12]:", " connect from a[192.0.2.1]"),
		"postfix/smtpd[12]:", "postfix/smtpd", "12",
		"connect from a[192.0.2.1]", 1},
	{"no pid", USUAL("dovecot:", " imap-login: x"), "dovecot:", "dovecot",
		"", "imap-login: x", 1},
	{"RFC 5424", USUAL("dovecot[123]", "auth: x"), "dovecot[123]",
		"dovecot", "123", "auth: x", 1},
	{"RFC 5424 with BOM",
		USUAL("dovecot", "\xef\xbb\xbf"
				 "auth: x"),
		"dovecot", "dovecot", "", "auth: x", 1},
	{"one blank only", USUAL("a:", "  x "), "a:", "a", "", " x ", 1},
	{"half a BOM", USUAL("a:", "\xef\xbbx"), "a:", "a", "", "\xef\xbbx", 1},
	{"empty msg", USUAL("a:", ""), "a:", "a", "", "", 1},
	{"empty tag", USUAL("", "x"), "", "", "", "x", 1},
	{"tag of a colon", USUAL(":", "x"), ":", ":", "", "x", 1},
	{"two brackets", USUAL("a[1][2]:", " x"), "a[1][2]:", "a[1][2]", "",
		"x", 1},
	{"no digits", USUAL("a[b]:", " x"), "a[b]:", "a[b]", "", "x", 1},
	{"empty brackets", USUAL("a[]:", " x"), "a[]:", "a[]", "", "x", 1},
	{"brackets only", USUAL("[1]:", " x"), "[1]:", "[1]", "", "x", 1},
	{"open bracket", USUAL("blank[", " 12]: q"), "blank[", "blank[", "",
		"12]: q", 1},
	{"service with a colon",
		USUAL("postfix\\/10.0.0.1:submission\\/smtpd[2]:", " x"),
		"postfix/10.0.0.1:submission/smtpd[2]:",
		"postfix/10.0.0.1:submission/smtpd", "2", "x", 1},
	{"the same, cut at the colon",
		USUAL("postfix\\/10.0.0.1:", "submission\\/smtpd[2]: x"),
		"postfix/10.0.0.1:submission/smtpd[2]:",
		"postfix/10.0.0.1:submission/smtpd", "2", "x", 1},
	{"not cut: a blank", USUAL("postfix\\/smtpd:", " a[2]: x"),
		"postfix/smtpd:", "postfix/smtpd", "", "a[2]: x", 1},
	{"not cut: has a pid", USUAL("postfix\\/smtpd[1]:", "a[2]: x"),
		"postfix/smtpd[1]:", "postfix/smtpd", "1", "a[2]: x", 1},
	{"not cut: no colon", USUAL("postfix\\/smtpd", "a[2]: x"),
		"postfix/smtpd", "postfix/smtpd", "", "a[2]: x", 1},
	{"not cut: no path", USUAL("dovecot:", "a[2]: x"),
		"dovecot:", "dovecot", "", "a[2]: x", 1},
	{"not cut: no pid behind", USUAL("postfix\\/x:", "a[x]: x"),
		"postfix/x:", "postfix/x", "", "a[x]: x", 1},
	{"escapes",
		USUAL("a:", " \\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e4\\u20ac"
			    "\\ud83d\\ude00"),
		"a:", "a", "",
		"\"\\/\b\f\n\r\t\xc3\xa4\xe2\x82\xac"
		"\xf0\x9f\x98\x80",
		1},
	{"what rsyslog makes of controls", USUAL("a:", " #012#011x"), "a:", "a",
		"", "#012#011x", 1},
	{"bytes that are no UTF-8",
		USUAL("a:", " \xff\xfe\x80\xc0\xaf\xed\xa0"
			    "\x80\xf5 x"),
		"a:", "a", "", "\xff\xfe\x80\xc0\xaf\xed\xa0\x80\xf5 x", 1},
	{"U+2028, cut UTF-8 before the quote",
		USUAL("a:", " \xe2\x80\xa8\xe2\x80"), "a:", "a", "",
		"\xe2\x80\xa8\xe2\x80", 1},
	{"lone surrogate", USUAL("a:", " \\ud800x"), "a:", "a", "",
		"\xef\xbf\xbdx", 1},
	{"folded", USUAL("a:", " message repeated 3 times: [ x y]"), "a:", "a",
		"", "x y", 3},
	{"folded, no blank inside",
		USUAL("a:", " message repeated 3 times: [x]"), "a:", "a", "",
		"x", 3},
	{"folded, brackets inside",
		USUAL("a:", " message repeated 2 times: [ a[192.0.2.1]: x]"),
		"a:", "a", "", "a[192.0.2.1]: x", 2},
	{"folded, empty", USUAL("a:", " message repeated 2 times: []"),
		"a:", "a", "", "", 2},
	{"folded, most", USUAL("a:", " message repeated 1000000 times: [ x]"),
		"a:", "a", "", "x", 1000000},
	{"folded twice",
		USUAL("a:", " message repeated 2 times: [ message "
			    "repeated 3 times: [ x]]"),
		"a:", "a", "", "message repeated 3 times: [ x]", 2},
	{"not folded: too many",
		USUAL("a:", " message repeated 1000001 times: [ x]"), "a:", "a",
		"", "message repeated 1000001 times: [ x]", 1},
	{"not folded: far too many",
		USUAL("a:", " message repeated 99999999999999999999 times: "
			    "[ x]"),
		"a:", "a", "",
		"message repeated 99999999999999999999 times: [ x]", 1},
	{"not folded: zero", USUAL("a:", " message repeated 0 times: [ x]"),
		"a:", "a", "", "message repeated 0 times: [ x]", 1},
	{"not folded: no number", USUAL("a:", " message repeated times: [ x]"),
		"a:", "a", "", "message repeated times: [ x]", 1},
	{"not folded: sign", USUAL("a:", " message repeated -1 times: [ x]"),
		"a:", "a", "", "message repeated -1 times: [ x]", 1},
	{"not folded: not closed",
		USUAL("a:", " message repeated 2 times: [ x"), "a:", "a", "",
		"message repeated 2 times: [ x", 1},
	{"not folded: text behind",
		USUAL("a:", " message repeated 2 times: [ x] y"), "a:", "a", "",
		"message repeated 2 times: [ x] y", 1},
	{"not folded: the bracket closes nothing",
		USUAL("a:", " message repeated 2 times: ["), "a:", "a", "",
		"message repeated 2 times: [", 1},
	{"not folded: further in",
		USUAL("a:", " x message repeated 2 times: [ x]"), "a:", "a", "",
		"x message repeated 2 times: [ x]", 1},
	{"not folded: two blanks",
		USUAL("a:", "  message repeated 2 times: [ x]"), "a:", "a", "",
		" message repeated 2 times: [ x]", 1},
};

static void
test_json(void **state)
{
	struct message_reader *reader = message_reader_new();

	(void)state;
	for (size_t i = 0; i < sizeof jsons / sizeof jsons[0]; i++) {
		struct message message;
		print_message("%s\n", jsons[i].name);
		assert_int_equal(message_parse_json(reader, jsons[i].in,
					 strlen(jsons[i].in), 1, &message),
			0);
		assert_span(message.tag, jsons[i].tag);
		assert_span(message.program, jsons[i].program);
		assert_span(message.pid, jsons[i].pid);
		assert_span(message.msg, jsons[i].msg);
		assert_span(message.host, "mx");
		assert_span(message.from, "192.0.2.5");
		assert_int_equal(message.repeat, jsons[i].repeat);
		assert_false(message.own);
		assert_int_equal(message.time_us, NOW_US + 1);
		assert_int_equal(
			message.reported_us, NOW_US - INT64_C(3600) * 1000000);
		assert_false(message.reported_fraction);
	}
	message_reader_free(reader);
}

static void
test_json_nul(void **state)
{
	struct message_reader *reader = message_reader_new();
	const char *line = "{\"tag\":\"a\\u0000b\",\"msg\":\"x\\u0000y\"}";
	struct message message;

	(void)state;
	assert_int_equal(
		message_parse_json(reader, line, strlen(line), 1, &message), 0);
	assert_int_equal(message.msg.len, 3);
	assert_memory_equal(message.msg.text, "x\0y", 3);
	assert_int_equal(message.tag.len, 3);
	assert_memory_equal(message.tag.text, "a\0b", 3);
	message_reader_free(reader);
}

static const struct {
	const char *in;
	int64_t time_us, reported_us;
	bool fraction;
} json_times[] = {
	{"{\"msg\":\"x\"}", 5, 5, false},
	{"{\"msg\":\"x\",\"time\":\"yesterday\"}", 5, 5, false},
	{"{\"msg\":\"x\",\"time\":1795600800}", 5, 5, false},
	{"{\"msg\":\"x\",\"time\":\"2026-11-25T10:00:00.5Z\"}", NOW_US + 500000,
		NOW_US + 500000, false},
	{"{\"msg\":\"x\",\"time\":\"2026-11-25T10:00:00.5Z\","
	 "\"reported\":\"never\"}",
		NOW_US + 500000, NOW_US + 500000, false},
	{"{\"msg\":\"x\",\"time\":\"bad\","
	 "\"reported\":\"2026-11-25T10:00:00.5Z\"}",
		5, NOW_US + 500000, true},
	{"{\"msg\":\"x\",\"reported\":\"2026-11-25T10:00:00Z\"}", 5, NOW_US,
		false},
};

static void
test_json_times(void **state)
{
	struct message_reader *reader = message_reader_new();

	(void)state;
	for (size_t i = 0; i < sizeof json_times / sizeof json_times[0]; i++) {
		struct message message;
		print_message("%s\n", json_times[i].in);
		assert_int_equal(message_parse_json(reader, json_times[i].in,
					 strlen(json_times[i].in), 5, &message),
			0);
		assert_int_equal(message.time_us, json_times[i].time_us);
		assert_int_equal(
			message.reported_us, json_times[i].reported_us);
		assert_int_equal(
			message.reported_fraction, json_times[i].fraction);
		assert_span(message.tag, "");
		assert_span(message.host, "");
	}
	message_reader_free(reader);
}

/* Those that must be told apart from messages; and a good one after each. */
static void
test_json_bad(void **state)
{
	static const char *const lines[] = {"", " ", "x", "null", "[]", "\"x\"",
		"1", "{", "{}", "{\"msg\"}", "{\"msg\":}", "{\"msg\":1}",
		"{\"msg\":null}", "{\"msg\":[\"x\"]}", "{\"msg\":{\"a\":1}}",
		"{\"Msg\":\"x\"}", "{\"msg\":\"x\"", "{\"msg\":\"x",
		"{\"msg\":\"x\"} x", "{\"msg\":\"x\"}{\"msg\":\"y\"}",
		"{\"msg\":\"x\"}}", "{\"msg\":\"x\"},", "{\"msg\":\"x\",}",
		"{'msg':'x'}", "{msg:\"x\"}", "{\"msg\":\"\\x\"}",
		"{\"msg\":\"\\u12\"}", "{\"msg\":\"x\" \"a\":\"b\"}",
		"/* */ {\"msg\":\"x\"}", "BEGIN TRANSACTION",
		"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["};
	static const char after[] = "{\"msg\":\"x\"}";
	struct message_reader *reader = message_reader_new();

	(void)state;
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		struct message message = {.repeat = 77};
		print_message("%s\n", lines[i]);
		assert_int_equal(message_parse_json(reader, lines[i],
					 strlen(lines[i]), 1, &message),
			-EBADMSG);
		assert_int_equal(message.repeat, 77);
		assert_int_equal(message_parse_json(reader, after,
					 sizeof after - 1, 1, &message),
			0);
		assert_span(message.msg, "x");
	}
	assert_int_equal(message_parse_json(reader, "{\"msg\":\"x\"}\0", 12, 1,
				 &(struct message){0}),
		-EBADMSG);
	assert_int_equal(message_parse_json(reader, "{\"msg\":\"x\0y\"}", 13, 1,
				 &(struct message){0}),
		-EBADMSG);
	message_reader_free(reader);
}

/* Blanks around are no harm; of equal keys the last one counts. */
static void
test_json_odd(void **state)
{
	struct message_reader *reader = message_reader_new();
	const char *twice = " {\"msg\":\"a\",\"x\":[1,{\"msg\":\"b\"}],"
			    "\"msg\":\"c\"} ";
	const char *number = "{\"msg\":\"a\",\"msg\":1}";
	struct message message;

	(void)state;
	assert_int_equal(
		message_parse_json(reader, twice, strlen(twice), 1, &message),
		0);
	assert_span(message.msg, "c");
	assert_int_equal(
		message_parse_json(reader, number, strlen(number), 1, &message),
		-EBADMSG);
	message_reader_free(reader);
	message_reader_free(NULL);
}

static void
test_json_truncated(void **state)
{
	static const char text[] = USUAL("a\\/b[1]:", " \\u00e4\xff x");
	struct message_reader *reader = message_reader_new();

	(void)state;
	for (size_t len = 0; len < sizeof text; len++) {
		char *cut = malloc(len ? len : 1);
		struct message message;
		assert_non_null(cut);
		memcpy(cut, text, len);
		assert_int_equal(
			message_parse_json(reader, cut, len, 1, &message),
			len == sizeof text - 1 ? 0 : -EBADMSG);
		free(cut);
	}
	message_reader_free(reader);
}

static void
test_own(void **state)
{
	static const struct {
		const char *in;
		bool own;
	} cases[] = {
		{USUAL("rsyslogd:",
			 " [origin software=\\\"rsyslogd\\\"] start"),
			true},
		{USUAL("rsyslogd[7]:", " x"), true},
		{USUAL("rsyslogd", "x"), true},
		{USUAL("rsyslogd-x:", " x"), false},
		{USUAL("xrsyslogd:", " x"), false},
		{USUAL("rsyslogd[x]:", " x"), false},
		{USUAL("a:", " rsyslogd: x"), false},
	};
	struct message_reader *reader = message_reader_new();
	struct message message;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		print_message("%s\n", cases[i].in);
		assert_int_equal(message_parse_json(reader, cases[i].in,
					 strlen(cases[i].in), 1, &message),
			0);
		assert_int_equal(message.own, cases[i].own);
	}
	message_reader_free(reader);
}

static const struct {
	const char *in; /* without a time: that is NOW_US */
	const char *host, *tag, *program, *pid, *msg;
} lines[] = {
	{"Nov 25 10:00:00 mx postfix/smtpd[1]: x y", "mx",
		"postfix/smtpd[1]:", "postfix/smtpd", "1", "x y"},
	{"<22>Nov 25 10:00:00 mx postfix/smtpd[1]: x", "mx",
		"postfix/smtpd[1]:", "postfix/smtpd", "1", "x"},
	{"2026-11-25T11:00:00.000000+01:00 mx postfix/smtpd[1]: x", "mx",
		"postfix/smtpd[1]:", "postfix/smtpd", "1", "x"},
	{"<191>2026-11-25T10:00:00Z mx dovecot: auth: x", "mx",
		"dovecot:", "dovecot", "", "auth: x"},
	/* RFC 5424 messages as rsyslog's file format writes them */
	{"2026-11-25T10:00:00Z mx dovecot[123] auth: x", "mx", "dovecot[123]",
		"dovecot", "123", "auth: x"},
	{"2026-11-25T10:00:00Z mx dovecot auth: x", "mx", "dovecot", "dovecot",
		"", "auth: x"},
	{"Nov 25 10:00:00 mx a:x y", "mx", "a:", "a", "", "x y"},
	{"Nov 25 10:00:00 mx a[1]:x y", "mx", "a[1]:", "a", "1", "x y"},
	{"Nov 25 10:00:00 mx postfix/10.0.0.1:submission/smtpd[2]: x", "mx",
		"postfix/10.0.0.1:submission/smtpd[2]:",
		"postfix/10.0.0.1:submission/smtpd", "2", "x"},
	{"Nov 25 10:00:00 mx a", "mx", "a", "a", "", ""},
	{"Nov 25 10:00:00 mx a:", "mx", "a:", "a", "", ""},
	{"Nov 25 10:00:00 mx a: x\n", "mx", "a:", "a", "", "x"},
	{"Nov 25 10:00:00 mx a: x\r\n", "mx", "a:", "a", "", "x"},
	{"Nov 25 10:00:00 2001:db8::1 a: x", "2001:db8::1", "a:", "a", "", "x"},
	{"<22>1 2026-11-25T10:00:00Z mx dovecot 123 - - auth: x", "mx",
		"dovecot", "dovecot", "123", "auth: x"},
	{"1 2026-11-25T10:00:00Z mx dovecot 123 - - auth: x", "mx", "dovecot",
		"dovecot", "123", "auth: x"},
	{"<22>1 2026-11-25T10:00:00Z mx a - ID7 [x y=\"a]b\\\"c\\\\\"][z] "
	 "\xef\xbb\xbfq",
		"mx", "a", "a", "", "q"},
	{"<22>1 2026-11-25T10:00:00Z mx a 1 - [x y=\"b\"]", "mx", "a", "a", "1",
		""},
	{"<22>1 - - - - - -", "", "", "", "", ""},
	{"<22>1 - - a - - - x", "", "a", "a", "", "x"},
};

static void
test_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		struct message message;
		print_message("%s\n", lines[i].in);
		assert_int_equal(message_parse_syslog(lines[i].in,
					 strlen(lines[i].in), NOW_US, &message),
			0);
		assert_span(message.host, lines[i].host);
		assert_span(message.tag, lines[i].tag);
		assert_span(message.program, lines[i].program);
		assert_span(message.pid, lines[i].pid);
		assert_span(message.msg, lines[i].msg);
		assert_span(message.from, "");
		assert_int_equal(message.time_us, NOW_US);
		assert_int_equal(message.reported_us, NOW_US);
		assert_int_equal(message.repeat, 1);
	}
}

static void
test_line_folded(void **state)
{
	const char *line = "Nov 25 10:00:00 mx postfix/smtpd[1]: message "
			   "repeated 4 times: [ a[192.0.2.1]]";
	struct message message;

	(void)state;
	assert_int_equal(
		message_parse_syslog(line, strlen(line), NOW_US, &message), 0);
	assert_span(message.msg, "a[192.0.2.1]");
	assert_int_equal(message.repeat, 4);
}

static void
test_bad_lines(void **state)
{
	static const char *const bad[] = {"", " ", "\n", "x", "Nov 25 10:00:00",
		"Nov 25 10:00:00 ", "Nov 25 10:00:00 mx", "Nov 25 10:00:00 mx ",
		"Nov 25 10:00:00  a: x", "nov 25 10:00:00 mx a: x",
		"Foo 25 10:00:00 mx a: x", "Nov 31 10:00:00 mx a: x",
		"Nov  0 10:00:00 mx a: x", "Nov 25 10:00 mx a: x",
		"Nov 25 25:00:00 mx a: x", "2026-11-25 mx a: x",
		"2026-11-25 10:00:00 mx a: x", "<22>", "<22",
		"<>Nov 25 10:00:00 mx a: x", "<1234>Nov 25 10:00:00 mx a: x",
		"<22>1 ", "<22>1 2026-11-25T10:00:00Z mx a 1 -",
		"<22>1 2026-11-25T10:00:00Z mx a 1 - x",
		"<22>1 2026-11-25T10:00:00Z mx a 1 - [x",
		"<22>1 2026-11-25T10:00:00Z mx a 1 - [x y=\"]",
		"<22>1 2026-11-25T10:00:00Z mx a 1 - [x y=\"\\",
		"<22>1 2026-11-25T10:00:00Z mx a 1 - [x]y",
		"<22>1 yesterday mx a 1 - - x", "<22>2 - - - - - -"};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct message message = {.repeat = 77};
		print_message("'%s'\n", bad[i]);
		assert_int_equal(message_parse_syslog(bad[i], strlen(bad[i]),
					 NOW_US, &message),
			-EBADMSG);
		assert_int_equal(message.repeat, 77);
	}
}

/* Cut anywhere, from memory that ends there: accepted or not, nothing behind
 * is read. */
static void
test_truncated_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
		for (size_t len = 0; len <= strlen(lines[i].in); len++) {
			char *cut = malloc(len ? len : 1);
			struct message message = {0};
			assert_non_null(cut);
			memcpy(cut, lines[i].in, len);
			if (message_parse_syslog(cut, len, NOW_US, &message) ==
				0) {
				assert_true(message.msg.len <= len);
				assert_true(message.tag.len <= len);
			}
			free(cut);
		}
}

static void
test_year(void **state)
{
	static const struct {
		const char *now, *line, *want;
	} cases[] = {
		{"2026-11-25T10:00:00Z", "Nov 25 10:00:00 h a: x",
			"2026-11-25T10:00:00Z"},
		{"2026-11-25T10:00:00Z", "Nov 26 10:00:00 h a: x",
			"2026-11-26T10:00:00Z"},
		{"2026-11-25T10:00:00Z", "Nov 26 10:00:01 h a: x",
			"2025-11-26T10:00:01Z"},
		{"2026-11-25T10:00:00Z", "Jan  1 00:00:00 h a: x",
			"2026-01-01T00:00:00Z"},
		{"2027-01-01T00:00:10Z", "Dec 31 23:59:59 h a: x",
			"2026-12-31T23:59:59Z"},
		{"2026-12-31T23:59:50Z", "Jan  1 00:00:01 h a: x",
			"2027-01-01T00:00:01Z"},
		{"2026-11-25T10:00:00Z", "Feb 29 01:00:00 h a: x",
			"2024-02-29T01:00:00Z"},
		{"2104-01-01T00:00:00Z", "Feb 29 01:00:00 h a: x",
			"2096-02-29T01:00:00Z"},
		{"2028-02-28T12:00:00Z", "Feb 29 01:00:00 h a: x",
			"2028-02-29T01:00:00Z"},
		{"1970-01-01T00:00:00Z", "Jan 01 12:00:00 h a: x",
			"1970-01-01T12:00:00Z"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		int64_t now_us, want_us;
		bool fraction;
		struct message message;
		print_message("%s: %s\n", cases[i].now, cases[i].line);
		assert_int_equal(
			message_parse_time(cases[i].now, strlen(cases[i].now),
				&now_us, &fraction),
			0);
		assert_int_equal(
			message_parse_time(cases[i].want, strlen(cases[i].want),
				&want_us, &fraction),
			0);
		assert_int_equal(
			message_parse_syslog(cases[i].line,
				strlen(cases[i].line), now_us, &message),
			0);
		assert_int_equal(message.time_us, want_us);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_truncated_time),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_json_nul),
		cmocka_unit_test(test_json_times),
		cmocka_unit_test(test_json_bad),
		cmocka_unit_test(test_json_odd),
		cmocka_unit_test(test_json_truncated),
		cmocka_unit_test(test_own),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_line_folded),
		cmocka_unit_test(test_bad_lines),
		cmocka_unit_test(test_truncated_lines),
		cmocka_unit_test(test_year),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
