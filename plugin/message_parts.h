/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files that make a struct message share: message.c (JSON),
 * message_peek.c (JSON of the usual shape), message_syslog.c (lines of a log
 * file) and message_time.c. For nobody else.
 */
#ifndef MAILBAN_MESSAGE_PARTS_H
#define MAILBAN_MESSAGE_PARTS_H

#include "plugin/message.h"

#include <string.h>

/* An empty span; its text is not NULL. */
extern const struct span message_no_span;

/* Exactly count decimal digits as a number, or -1. */
int message_digits(const char *text, int count);

/* "Nov 25 10:00:00" or "Nov  5 10:00:00" (RFC 3164 section 4.1.2), exactly
 * MESSAGE_TIME_3164_LEN bytes, as message_parse_syslog says of the year. */
enum { MESSAGE_TIME_3164_LEN = sizeof "Nov 25 10:00:00" - 1 };
int message_time_3164(const char *text, int64_t now_us, int64_t *out_us);

/* From the raw tag and msg to everything that follows from them: program,
 * pid, msg without its lead and fold, repeat, own. */
void message_finish(struct message *message);

/* The values of our rsyslog template, in its order. */
enum message_key {
	MESSAGE_TIME,
	MESSAGE_REPORTED,
	MESSAGE_HOST,
	MESSAGE_FROM,
	MESSAGE_UID,	     /* $!uid of imuxsock */
	MESSAGE_JOURNAL_UID, /* $!_UID of imjournal */
	MESSAGE_TAG,
	MESSAGE_MSG,
	MESSAGE_KEYS
};

/* The values of a line that has the shape of that template, as a parser would
 * give them; they borrow from the line and from room, len bytes. False: a
 * parser must tell, values are anything. */
bool message_shape(const char *line, size_t len, char *room,
	struct span values[MESSAGE_KEYS]);

static inline struct span
span_from(const char *start, const char *end)
{
	return (struct span){start, (size_t)(end - start)};
}

static inline void
span_skip(struct span *span, size_t count)
{
	span->text += count;
	span->len -= count;
}

static inline bool
span_starts(const struct span *span, const char *text, size_t len)
{
	return span->len >= len && memcmp(span->text, text, len) == 0;
}

static inline bool
span_is(const struct span *span, const char *text)
{
	return span->len == strlen(text) &&
	       memcmp(span->text, text, span->len) == 0;
}

#endif
