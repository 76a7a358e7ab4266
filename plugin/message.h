/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One syslog message, out of the JSON line that rsyslog's omprog hands us, or
 * out of a plain syslog line (`mailban test`, `mailban replay`). What is in it
 * is bytes that strangers chose: nothing here trusts or unescapes them beyond
 * what JSON itself demands.
 */
#ifndef MAILBAN_MESSAGE_H
#define MAILBAN_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct span {
	const char *text; /* no NUL is promised; bytes may be no UTF-8 */
	size_t len;
};

struct message {
	int64_t time_us;	/* when rsyslog received it, since the epoch */
	int64_t reported_us;	/* what the sender's time stamp says */
	bool reported_fraction; /* it had a fraction of a second */
	struct span host; /* hostname of the header: what the sender claims */
	struct span from; /* fromhost-ip: who handed it to rsyslog */
	struct span uid;  /* of the local process that wrote it, as the kernel
			     says: decimal; empty where rsyslog was not told */
	struct span tag;  /* "postfix/smtpd[12]:" */
	struct span program; /* the tag without "[pid]" and ":"; within tag */
	struct span pid;     /* digits within the brackets, or empty */
	struct span msg; /* without the leading blank or BOM, and unfolded */
	uint32_t repeat; /* 1, or N of "message repeated N times: [...]" */
	bool own;	 /* rsyslogd's start message: only wakes us up */
};

struct message_reader;

/* Holds the JSON parser between lines. */
struct message_reader *message_reader_new(void);
void message_reader_free(struct message_reader *reader);

/* Parses one line of JSON (its LF gone). *out borrows from the reader and the
 * line until the next call. -EBADMSG: not one JSON object, or no string
 * "msg". A missing or bad time is now_us; a missing reported is time. */
int message_parse_json(struct message_reader *reader, const char *line,
	size_t len, int64_t now_us, struct message *out);

/* What can be said of a line of JSON without parsing it. */
struct message_peek {
	struct span program; /* as in struct message; borrows from tag */
	struct span msg;     /* JSON's escapes still in it; borrows from the
				line */
	char tag[128];
	size_t tag_len;
};

/* False: the line must be parsed to know anything. True: a message with that
 * program and that msg, if it is good JSON at all. */
bool message_peek(const char *line, size_t len, struct message_peek *out);

/* Parses one line of a log file: RFC 3164 ("Nov 25 10:00:00 host tag[1]: x"),
 * RFC 3339 or RFC 5424 time stamps, an optional "<PRI>". A time without a
 * year is taken in UTC, in the year that puts it nearest to now_us and not
 * more than a day after it.
 * *out borrows from line. -EBADMSG: no such form. */
int message_parse_syslog(
	const char *line, size_t len, int64_t now_us, struct message *out);

/* RFC 3339 with up to 6 digits of fraction, Z or a numeric offset. */
int message_parse_time(
	const char *text, size_t len, int64_t *out_us, bool *fraction);

#endif
