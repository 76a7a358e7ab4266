/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From bytes to struct message. The JSON path runs once for every mail message
 * of the machine, the offending and the countless others: one parser is kept,
 * its object is walked once, and all spans point into it. Nothing here may
 * decide anything; it only says what stands where.
 *
 * The times that count: time_us, rsyslog's own reception, is what windows and
 * bans are reckoned by. reported_us is the sender's word, kept as evidence and
 * part of the digest; a wrong clock or a lie in it changes no ban.
 */
#include "plugin/message.h"

#include "common/xalloc.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define FJSON_NATIVE_API_ONLY
#include <libfastjson/json.h>
#include <libfastjson/json_object_iterator.h>

/* Longest tag that is put together again, see rejoin_tag. */
enum { JOINED_MAX = 255 };

struct message_reader {
	struct fjson_tokener *tokener;
	struct fjson_object *object; /* what the last message borrows from */
	char joined[JOINED_MAX];     /* and this, for its tag */
};

static const struct span no_span = {"", 0};

/* ---- time ---- */

/* Exactly count digits, or -1. */
static int
digits(const char *text, int count)
{
	int value = 0;

	for (int i = 0; i < count; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -1;
		value = value * 10 + (text[i] - '0');
	}
	return value;
}

static bool
is_leap(int year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Days since 1970-01-01 of a date from 1970 on; -1 when there is no such
 * day. month is 1..12. */
static int64_t
days_since_epoch(int year, int month, int day)
{
	static const int before[] = {
		0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};
	int past = year - 1, leap = is_leap(year), in_month;

	if (year < 1970 || month < 1 || month > 12)
		return -1;
	in_month = before[month] - before[month - 1] + (month == 2 && leap);
	if (day < 1 || day > in_month)
		return -1;
	/* 477 leap years lie before 1970. */
	return (int64_t)(year - 1970) * 365 + past / 4 - past / 100 +
	       past / 400 - 477 + before[month - 1] + (month > 2 && leap) +
	       day - 1;
}

/* "hh:mm:ss" as seconds; -1 when it is none. A leap second (60) is the first
 * of the next minute. */
static int
clock_seconds(const char *text)
{
	int hour = digits(text, 2), minute = digits(text + 3, 2);
	int second = digits(text + 6, 2);

	if (text[2] != ':' || text[5] != ':' || hour < 0 || hour > 23 ||
		minute < 0 || minute > 59 || second < 0 || second > 60)
		return -1;
	return (hour * 60 + minute) * 60 + second;
}

/* "Z", "+hh:mm" or "-hh:mm" as seconds east of UTC. */
static int
zone_seconds(const char *text, size_t len, int *out)
{
	int hour, minute;

	if (len == 1 && (*text == 'Z' || *text == 'z')) {
		*out = 0;
		return 0;
	}
	if (len != 6 || (*text != '+' && *text != '-') || text[3] != ':')
		return -EBADMSG;
	hour = digits(text + 1, 2);
	minute = digits(text + 4, 2);
	if (hour < 0 || hour > 23 || minute < 0 || minute > 59)
		return -EBADMSG;
	*out = (hour * 60 + minute) * 60 * (*text == '-' ? -1 : 1);
	return 0;
}

int
message_parse_time(
	const char *text, size_t len, int64_t *out_us, bool *fraction)
{
	enum { HEAD = sizeof "2026-11-25T10:00:00" - 1 };
	int64_t days, us = 0;
	int seconds, zone, scale = 100000;
	size_t at = HEAD;

	if (len <= HEAD || text[4] != '-' || text[7] != '-' ||
		(text[10] != 'T' && text[10] != 't'))
		return -EBADMSG;
	days = days_since_epoch(
		digits(text, 4), digits(text + 5, 2), digits(text + 8, 2));
	seconds = clock_seconds(text + 11);
	if (days < 0 || seconds < 0)
		return -EBADMSG;
	if (text[at] == '.')
		for (at++; at < len && scale > 0; at++, scale /= 10) {
			if (digits(text + at, 1) < 0)
				break;
			us += digits(text + at, 1) * scale;
		}
	if (at == HEAD + 1 || zone_seconds(text + at, len - at, &zone) < 0)
		return -EBADMSG;
	*out_us = (days * 86400 + seconds - zone) * 1000000 + us;
	*fraction = at > HEAD;
	return 0;
}

static int
month_by_name(const char *name)
{
	static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

	for (int i = 0; i < 12; i++)
		if (memcmp(names + 3 * i, name, 3) == 0)
			return i + 1;
	return -1;
}

/* The latest such day that is not more than a day after now: the year is not
 * in the text. A 29th of February may be eight years back. */
static int
guess_year(int month, int day, int64_t seconds, int64_t now_us, int64_t *out_us)
{
	const int64_t day_us = INT64_C(86400) * 1000000;
	int year = 1970 + (int)(now_us / day_us / 365) + 1;

	for (int tries = 0; tries < 12; tries++, year--) {
		int64_t days = days_since_epoch(year, month, day);
		int64_t us = days * day_us + seconds * 1000000;
		if (days >= 0 && us <= now_us + day_us) {
			*out_us = us;
			return 0;
		}
	}
	return -EBADMSG;
}

/* ---- what all forms share ---- */

static struct span
span_from(const char *start, const char *end)
{
	return (struct span){start, (size_t)(end - start)};
}

static void
skip(struct span *span, size_t count)
{
	span->text += count;
	span->len -= count;
}

static bool
starts_with(const struct span *span, const char *text, size_t len)
{
	return span->len >= len && memcmp(span->text, text, len) == 0;
}

static bool
span_is(const struct span *span, const char *text)
{
	return span->len == strlen(text) &&
	       memcmp(span->text, text, span->len) == 0;
}

/* "name[digits]:" to program and pid; the colon and the brackets may be
 * missing. A tag with brackets of another kind is all program. */
static void
split_tag(struct message *message)
{
	struct span name = message->tag;
	const char *open;
	size_t pid_len;

	message->pid = no_span;
	if (name.len > 1 && name.text[name.len - 1] == ':')
		name.len--;
	message->program = name;
	open = memchr(name.text, '[', name.len);
	if (!open || open == name.text || name.text[name.len - 1] != ']')
		return;
	pid_len = name.len - (size_t)(open + 1 - name.text) - 1;
	for (size_t i = 0; i < pid_len; i++)
		if (digits(open + 1 + i, 1) < 0)
			return;
	if (pid_len == 0)
		return;
	message->program = span_from(name.text, open);
	message->pid = (struct span){open + 1, pid_len};
}

/* RFC 3164 messages keep the blank behind the tag, RFC 5424 ones may begin
 * with a byte order mark. */
static void
strip_lead(struct span *msg)
{
	if (starts_with(msg, " ", 1))
		skip(msg, 1);
	else if (starts_with(msg, "\xef\xbb\xbf", 3))
		skip(msg, 3);
}

/* rsyslog's fold of equal messages, "message repeated 3 times: [ text]"
 * (runtime: $RepeatedMsgReduction). One level only: what stands inside is
 * text. */
static void
unfold(struct message *message)
{
	static const char head[] = "message repeated ", tail[] = " times: [";
	struct span text = message->msg;
	uint32_t count = 0;
	int digit;

	message->repeat = 1;
	if (!starts_with(&text, head, sizeof head - 1))
		return;
	skip(&text, sizeof head - 1);
	while (text.len > 0 && count <= 100000 &&
		(digit = digits(text.text, 1)) >= 0) {
		count = count * 10 + (uint32_t)digit;
		skip(&text, 1);
	}
	if (count < 1 || count > 1000000 ||
		!starts_with(&text, tail, sizeof tail - 1) ||
		text.text[text.len - 1] != ']')
		return;
	skip(&text, sizeof tail - 1);
	if (text.len == 0)
		return;
	text.len--;
	strip_lead(&text);
	message->msg = text;
	message->repeat = count;
}

/* From the raw tag and msg to everything that follows from them. */
static void
finish(struct message *message)
{
	split_tag(message);
	strip_lead(&message->msg);
	unfold(message);
	message->own = span_is(&message->program, "rsyslogd");
}

/* ---- JSON ---- */

struct message_reader *
message_reader_new(void)
{
	struct message_reader *reader = xcalloc(1, sizeof *reader);

	reader->tokener = fjson_tokener_new();
	if (reader->tokener)
		fjson_tokener_set_flags(reader->tokener, FJSON_TOKENER_STRICT);
	return reader;
}

void
message_reader_free(struct message_reader *reader)
{
	if (!reader)
		return;
	fjson_object_put(reader->object);
	if (reader->tokener)
		fjson_tokener_free(reader->tokener);
	free(reader);
}

/* The fields as rsyslog's template names them. */
struct fields {
	struct span time, reported, host, from, tag, msg;
	bool has_msg;
};

static struct span *
find_field(struct fields *fields, const char *name)
{
	switch (name[0]) {
	case 't':
		if (strcmp(name, "time") == 0)
			return &fields->time;
		return strcmp(name, "tag") == 0 ? &fields->tag : NULL;
	case 'r':
		return strcmp(name, "reported") == 0 ? &fields->reported : NULL;
	case 'h':
		return strcmp(name, "host") == 0 ? &fields->host : NULL;
	case 'f':
		return strcmp(name, "from") == 0 ? &fields->from : NULL;
	case 'm':
		return strcmp(name, "msg") == 0 ? &fields->msg : NULL;
	default:
		return NULL;
	}
}

/* One walk over the object. What is no string counts as not there. The parser
 * has already dropped all but the last of equal keys. */
static void
collect_fields(struct fjson_object *object, struct fields *fields)
{
	struct fjson_object_iterator at = fjson_object_iter_begin(object);
	struct fjson_object_iterator end = fjson_object_iter_end(object);

	*fields = (struct fields){
		no_span, no_span, no_span, no_span, no_span, no_span, false};
	for (; !fjson_object_iter_equal(&at, &end);
		fjson_object_iter_next(&at)) {
		const char *name = fjson_object_iter_peek_name(&at);
		struct fjson_object *value = fjson_object_iter_peek_value(&at);
		struct span *field = find_field(fields, name);
		if (!field || !fjson_object_is_type(value, fjson_type_string))
			continue;
		field->text = fjson_object_get_string(value);
		field->len = (size_t)fjson_object_get_string_len(value);
		if (field == &fields->msg)
			fields->has_msg = true;
	}
}

/* How long the rest of a cut tag at the head of msg is: "name[digits]:", 0
 * when there is none. */
static size_t
tag_rest_len(const struct span *msg)
{
	static const char marks[] = "/.:-_";
	size_t at = 0, open;

	while (at < msg->len &&
		(isalnum((unsigned char)msg->text[at]) ||
			memchr(marks, msg->text[at], sizeof marks - 1)))
		at++;
	if (at == 0 || at == msg->len || msg->text[at] != '[')
		return 0;
	open = at++;
	while (at < msg->len && digits(msg->text + at, 1) >= 0)
		at++;
	if (at == open + 1 || msg->len - at < 2 ||
		memcmp(msg->text + at, "]:", 2) != 0)
		return 0;
	return at + 2;
}

/* rsyslog's parser for RFC 3164 messages from the network ends a tag at its
 * first colon (tested, 8.2302): "postfix/10.0.0.1:submission/smtpd[2]: x"
 * comes as the tag "postfix/10.0.0.1:" and a msg that begins, without the
 * blank, with "submission/smtpd[2]:". */
static void
rejoin_tag(struct message_reader *reader, struct message *message)
{
	struct span *tag = &message->tag;
	size_t rest = tag_rest_len(&message->msg);

	if (rest == 0 || tag->len + rest > sizeof reader->joined ||
		!memchr(tag->text, '/', tag->len) ||
		tag->text[tag->len - 1] != ':' ||
		memchr(tag->text, '[', tag->len))
		return;
	memcpy(reader->joined, tag->text, tag->len);
	memcpy(reader->joined + tag->len, message->msg.text, rest);
	*tag = (struct span){reader->joined, tag->len + rest};
	skip(&message->msg, rest);
}

/* The line as the reader's object; it replaces that of the last line. */
static int
read_object(struct message_reader *reader, const char *line, size_t len)
{
	struct fjson_object *object;

	/* A NUL would end the parser's loop early and look like success. */
	if (len == 0 || len > INT_MAX || memchr(line, '\0', len))
		return -EBADMSG;
	fjson_object_put(reader->object);
	reader->object = NULL;
	object = fjson_tokener_parse_ex(reader->tokener, line, (int)len);
	if (!object) {
		fjson_tokener_reset(reader->tokener);
		return -EBADMSG;
	}
	reader->object = object;
	/* Strict mode does not see what follows the object in all versions. */
	if ((size_t)reader->tokener->char_offset != len ||
		!fjson_object_is_type(object, fjson_type_object))
		return -EBADMSG;
	return 0;
}

int
message_parse_json(struct message_reader *reader, const char *line, size_t len,
	int64_t now_us, struct message *out)
{
	struct message message = {.time_us = now_us};
	struct fields fields;
	bool fraction;

	if (read_object(reader, line, len) < 0)
		return -EBADMSG;
	collect_fields(reader->object, &fields);
	if (!fields.has_msg)
		return -EBADMSG;
	if (message_parse_time(fields.time.text, fields.time.len,
		    &message.time_us, &fraction) < 0)
		message.time_us = now_us;
	if (message_parse_time(fields.reported.text, fields.reported.len,
		    &message.reported_us, &message.reported_fraction) < 0) {
		message.reported_us = message.time_us;
		message.reported_fraction = false;
	}
	message.host = fields.host;
	message.from = fields.from;
	message.tag = fields.tag;
	message.msg = fields.msg;
	rejoin_tag(reader, &message);
	finish(&message);
	*out = message;
	return 0;
}

/* ---- lines of a log file ---- */

/* Takes what stands before the next blank, and the blank. */
static struct span
take_word(struct span *rest)
{
	const char *blank = memchr(rest->text, ' ', rest->len);
	struct span word = *rest;

	if (!blank) {
		skip(rest, rest->len);
		return word;
	}
	word = span_from(rest->text, blank);
	skip(rest, word.len + 1);
	return word;
}

/* "<22>" at the head, when it is there. */
static void
skip_priority(struct span *rest)
{
	size_t at = 1;

	if (!starts_with(rest, "<", 1))
		return;
	while (at < rest->len && at <= 3 && digits(rest->text + at, 1) >= 0)
		at++;
	if (at > 1 && at < rest->len && rest->text[at] == '>')
		skip(rest, at + 1);
}

/* "Nov 25 10:00:00 ", "Nov  5 10:00:00 " (RFC 3164 section 4.1.2). */
static int
take_time_3164(struct span *rest, int64_t now_us, struct message *message)
{
	enum { LEN = sizeof "Nov 25 10:00:00" - 1 };
	const char *text = rest->text;
	int month, day, seconds;

	if (rest->len <= LEN || text[3] != ' ' || text[6] != ' ' ||
		text[LEN] != ' ')
		return -EBADMSG;
	month = month_by_name(text);
	day = text[4] == ' ' ? digits(text + 5, 1) : digits(text + 4, 2);
	seconds = clock_seconds(text + 7);
	if (month < 0 || day < 0 || seconds < 0)
		return -EBADMSG;
	if (guess_year(month, day, seconds, now_us, &message->time_us) < 0)
		return -EBADMSG;
	message->reported_fraction = false;
	skip(rest, LEN + 1);
	return 0;
}

static int
take_time_3339(struct span *rest, struct message *message)
{
	struct span after = *rest, word = take_word(&after);

	if (message_parse_time(word.text, word.len, &message->time_us,
		    &message->reported_fraction) < 0)
		return -EBADMSG;
	*rest = after;
	return 0;
}

/* The tag ends behind "]:", or at the first ':' or the blank. What follows is
 * msg, its blank included. */
static void
split_tag_and_msg(struct span rest, struct message *message)
{
	struct span after = rest, word = take_word(&after);
	const char *end = word.text + word.len;
	const char *mark = memmem(word.text, word.len, "]:", 2);

	if (mark)
		end = mark + 2;
	else if (word.len > 0 && end[-1] != ':' &&
		 (mark = memchr(word.text, ':', word.len)))
		end = mark + 1;
	message->tag = span_from(word.text, end);
	message->msg = span_from(end, rest.text + rest.len);
}

/* Skips "-" or "[id name="value" ...]..." and the blank behind it (RFC 5424
 * section 6.3): in a value ", \ and ] are written with a backslash. */
static int
skip_structured_data(struct span *rest)
{
	bool quoted = false;
	size_t at = 0;

	if (starts_with(rest, "-", 1))
		at = 1;
	while (at < rest->len && rest->text[at] == '[') {
		for (at++; at < rest->len; at++) {
			if (rest->text[at] == '"')
				quoted = !quoted;
			else if (quoted && rest->text[at] == '\\')
				at++;
			else if (!quoted && rest->text[at] == ']')
				break;
		}
		at++;
	}
	if (at == 0 || at > rest->len ||
		(at < rest->len && rest->text[at] != ' '))
		return -EBADMSG;
	skip(rest, at < rest->len ? at + 1 : at);
	return 0;
}

static struct span
take_value(struct span *rest)
{
	struct span word = take_word(rest);

	return span_is(&word, "-") ? no_span : word;
}

/* What follows "<22>1 ". */
static int
parse_5424(struct span rest, int64_t now_us, struct message *message)
{
	struct span pid;

	if (starts_with(&rest, "- ", 2)) {
		message->time_us = now_us;
		skip(&rest, 2);
	} else if (take_time_3339(&rest, message) < 0) {
		return -EBADMSG;
	}
	message->host = take_value(&rest);
	message->tag = take_value(&rest);
	pid = take_value(&rest);
	take_value(&rest); /* MSGID */
	if (skip_structured_data(&rest) < 0)
		return -EBADMSG;
	message->msg = rest;
	finish(message);
	/* "app 123" can't be one span "app[123]": the tag is the name. */
	if (message->pid.len == 0)
		message->pid = pid;
	return 0;
}

static int
parse_line(struct span rest, int64_t now_us, struct message *message)
{
	skip_priority(&rest);
	if (starts_with(&rest, "1 ", 2)) {
		skip(&rest, 2);
		return parse_5424(rest, now_us, message);
	}
	if (take_time_3164(&rest, now_us, message) < 0 &&
		take_time_3339(&rest, message) < 0)
		return -EBADMSG;
	message->host = take_word(&rest);
	if (message->host.len == 0 || rest.len == 0)
		return -EBADMSG;
	split_tag_and_msg(rest, message);
	finish(message);
	return 0;
}

int
message_parse_syslog(
	const char *line, size_t len, int64_t now_us, struct message *out)
{
	struct message message = {.host = no_span, .from = no_span};
	struct span rest = {line, len};

	while (rest.len > 0 &&
		(line[rest.len - 1] == '\n' || line[rest.len - 1] == '\r'))
		rest.len--;
	if (parse_line(rest, now_us, &message) < 0)
		return -EBADMSG;
	message.reported_us = message.time_us;
	*out = message;
	return 0;
}
