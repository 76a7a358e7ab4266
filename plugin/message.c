/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From bytes to struct message. The JSON path runs once for every mail message
 * of the machine that a rule may match: a line of the usual shape is taken
 * apart without a parser; for others one is kept, its object is walked once,
 * and all spans point into it. Nothing here may decide anything; it only says
 * what stands where.
 *
 * The times that count: time_us, rsyslog's own reception, is what windows and
 * bans are reckoned by. reported_us is the sender's word, kept as evidence and
 * part of the digest; a wrong clock or a lie in it changes no ban.
 */
#include "plugin/message.h"

#include "common/xalloc.h"
#include "plugin/message_parts.h"

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
	char *text;		     /* or from this, without a parser */
	size_t room;
	char joined[JOINED_MAX]; /* and this, for its tag */
};

const struct span message_no_span = {"", 0};

/* "name[digits]:" to program and pid; the colon and the brackets may be
 * missing. A tag with brackets of another kind is all program. */
static void
split_tag(struct message *message)
{
	struct span name = message->tag;
	const char *open;
	size_t pid_len;

	message->pid = message_no_span;
	if (name.len > 1 && name.text[name.len - 1] == ':')
		name.len--;
	message->program = name;
	open = memchr(name.text, '[', name.len);
	if (!open || open == name.text || name.text[name.len - 1] != ']')
		return;
	pid_len = name.len - (size_t)(open + 1 - name.text) - 1;
	for (size_t i = 0; i < pid_len; i++)
		if (message_digits(open + 1 + i, 1) < 0)
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
	if (span_starts(msg, " ", 1))
		span_skip(msg, 1);
	else if (span_starts(msg, "\xef\xbb\xbf", 3))
		span_skip(msg, 3);
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
	if (!span_starts(&text, head, sizeof head - 1))
		return;
	span_skip(&text, sizeof head - 1);
	while (text.len > 0 && count <= 100000 &&
		(digit = message_digits(text.text, 1)) >= 0) {
		count = count * 10 + (uint32_t)digit;
		span_skip(&text, 1);
	}
	if (count < 1 || count > 1000000 ||
		!span_starts(&text, tail, sizeof tail - 1) ||
		text.text[text.len - 1] != ']')
		return;
	span_skip(&text, sizeof tail - 1);
	if (text.len == 0)
		return;
	text.len--;
	strip_lead(&text);
	message->msg = text;
	message->repeat = count;
}

void
message_finish(struct message *message)
{
	split_tag(message);
	strip_lead(&message->msg);
	unfold(message);
	message->own = span_is(&message->program, "rsyslogd");
}

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
	free(reader->text);
	free(reader);
}

static const char *const names[MESSAGE_KEYS] = {
	[MESSAGE_TIME] = "time",
	[MESSAGE_REPORTED] = "reported",
	[MESSAGE_HOST] = "host",
	[MESSAGE_FROM] = "from",
	[MESSAGE_UID] = "uid",
	[MESSAGE_JOURNAL_UID] = "journal_uid",
	[MESSAGE_TAG] = "tag",
	[MESSAGE_MSG] = "msg",
};

static struct span *
find_value(struct span values[MESSAGE_KEYS], const char *name)
{
	for (size_t key = 0; key < MESSAGE_KEYS; key++)
		if (strcmp(name, names[key]) == 0)
			return &values[key];
	return NULL;
}

/* One walk over the object. What is no string counts as not there. The parser
 * has already dropped all but the last of equal keys. False: no msg. */
static bool
collect_values(struct fjson_object *object, struct span values[MESSAGE_KEYS])
{
	struct fjson_object_iterator at = fjson_object_iter_begin(object);
	struct fjson_object_iterator end = fjson_object_iter_end(object);
	bool has_msg = false;

	for (size_t key = 0; key < MESSAGE_KEYS; key++)
		values[key] = message_no_span;
	for (; !fjson_object_iter_equal(&at, &end);
		fjson_object_iter_next(&at)) {
		struct fjson_object *item = fjson_object_iter_peek_value(&at);
		struct span *value =
			find_value(values, fjson_object_iter_peek_name(&at));

		if (!value || !fjson_object_is_type(item, fjson_type_string))
			continue;
		value->text = fjson_object_get_string(item);
		value->len = (size_t)fjson_object_get_string_len(item);
		has_msg |= value == &values[MESSAGE_MSG];
	}
	return has_msg;
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
	while (at < msg->len && message_digits(msg->text + at, 1) >= 0)
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
	span_skip(&message->msg, rest);
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

/* Without the parser where that can be; both say the same. */
static int
read_values(struct message_reader *reader, const char *line, size_t len,
	struct span values[MESSAGE_KEYS])
{
	if (len > reader->room) {
		reader->text = xreallocarray(reader->text, len, 1);
		reader->room = len;
	}
	if (message_shape(line, len, reader->text, values))
		return 0;
	if (read_object(reader, line, len) < 0 ||
		!collect_values(reader->object, values))
		return -EBADMSG;
	return 0;
}

int
message_parse_json(struct message_reader *reader, const char *line, size_t len,
	int64_t now_us, struct message *out)
{
	struct message message = {.time_us = now_us};
	struct span values[MESSAGE_KEYS], *time = &values[MESSAGE_TIME];
	struct span *reported = &values[MESSAGE_REPORTED];
	bool fraction;

	if (read_values(reader, line, len, values) < 0)
		return -EBADMSG;
	if (message_parse_time(
		    time->text, time->len, &message.time_us, &fraction) < 0)
		message.time_us = now_us;
	if (message_parse_time(reported->text, reported->len,
		    &message.reported_us, &message.reported_fraction) < 0) {
		message.reported_us = message.time_us;
		message.reported_fraction = false;
	}
	message.host = values[MESSAGE_HOST];
	message.from = values[MESSAGE_FROM];
	message.uid = values[values[MESSAGE_UID].len ? MESSAGE_UID
						     : MESSAGE_JOURNAL_UID];
	message.tag = values[MESSAGE_TAG];
	message.msg = values[MESSAGE_MSG];
	rejoin_tag(reader, &message);
	message_finish(&message);
	*out = message;
	return 0;
}
