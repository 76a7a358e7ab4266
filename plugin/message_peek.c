/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A line of JSON of the very shape that our rsyslog template writes, taken
 * apart without a parser: a first look that tells whether any rule can match
 * it (nearly all mail messages are benign), and its values for those that are
 * worth more. A line of any other shape, or with an escape that jsonf writes
 * seldom, is for the parser: what is said here of a line must be what it says.
 */
#include "plugin/message_parts.h"

/* What stands before the value of each key, in the order of the template. A
 * quote within a JSON string has a backslash in front, so none of these can
 * stand in anything that a sender wrote. */
static const struct {
	const char *text;
	size_t len;
} before[MESSAGE_KEYS] = {
#define BEFORE(text)                                                           \
	{                                                                      \
		text, sizeof text - 1                                          \
	}
	[MESSAGE_TIME] = BEFORE("{\"time\":\""),
	[MESSAGE_REPORTED] = BEFORE(", \"reported\":\""),
	[MESSAGE_HOST] = BEFORE(", \"host\":\""),
	[MESSAGE_FROM] = BEFORE(", \"from\":\""),
	[MESSAGE_UID] = BEFORE(", \"uid\":\""),
	[MESSAGE_JOURNAL_UID] = BEFORE(", \"journal_uid\":\""),
	[MESSAGE_TAG] = BEFORE(", \"tag\":\""),
	[MESSAGE_MSG] = BEFORE(", \"msg\":\""),
#undef BEFORE
};

static bool
skip_key(const char **at, const char *end, size_t key)
{
	if ((size_t)(end - *at) < before[key].len ||
		memcmp(*at, before[key].text, before[key].len) != 0)
		return false;
	*at += before[key].len;
	return true;
}

/* The values as they stand between their quotes. A quote with a backslash in
 * front, and all that could follow it, is not for here; but in msg, the last,
 * which ends where the line does. */
static bool
read_shape(const char *line, size_t len, struct span values[MESSAGE_KEYS])
{
	const char *at = line, *end;

	if (len < 2 || memcmp(line + len - 2, "\"}", 2) != 0)
		return false;
	end = line + len - 2;
	for (size_t key = 0; key < MESSAGE_KEYS; key++) {
		const char *quote = end;

		if (!skip_key(&at, end, key))
			return false;
		if (key != MESSAGE_MSG)
			quote = memchr(at, '"', (size_t)(end - at));
		if (!quote || (key != MESSAGE_MSG && quote[-1] == '\\'))
			return false;
		values[key] = span_from(at, quote);
		at = quote + 1;
	}
	return true;
}

/* "\/" become "/" in the tag. Tags that hold any other escape, or that
 * message.c may have to put together, are not for here. */
static bool
read_tag(struct message_peek *peek, struct span tag)
{
	size_t len = 0;
	bool slash = false, pid = false;

	if (tag.len > sizeof peek->tag)
		return false;
	for (size_t i = 0; i < tag.len; i++) {
		if (tag.text[i] == '\\' &&
			(++i == tag.len || tag.text[i] != '/'))
			return false;
		slash |= tag.text[i] == '/';
		pid |= tag.text[i] == '[';
		peek->tag[len++] = tag.text[i];
	}
	peek->tag_len = len;
	return pid || !slash;
}

/* "\uNNNN" may stand for any character. */
static bool
has_unicode_escape(struct span text)
{
	const char *at = text.text, *end = at + text.len;

	while ((at = memchr(at, '\\', (size_t)(end - at)))) {
		if (end - at < 2 || at[1] == 'u')
			return true;
		at += 2;
	}
	return false;
}

bool
message_peek(const char *line, size_t len, struct message_peek *out)
{
	static const char folded[] = "message repeated ";
	struct span values[MESSAGE_KEYS];
	struct message parts = {0};

	if (!read_shape(line, len, values) ||
		!read_tag(out, values[MESSAGE_TAG]))
		return false;
	parts.tag = (struct span){out->tag, out->tag_len};
	parts.msg = values[MESSAGE_MSG];
	message_finish(&parts);
	out->program = parts.program;
	out->msg = parts.msg;
	return !parts.own && parts.repeat == 1 &&
	       !span_starts(&parts.msg, folded, sizeof folded - 1) &&
	       !has_unicode_escape(parts.msg);
}

static bool
is_plain(char c)
{
	return (unsigned char)c >= ' ' && c != '\\' && c != '"';
}

/* The value without its escapes: where it has any, in *room, which moves on. */
static bool
unescape(struct span *value, char **room)
{
	const char *from = value->text, *end = from + value->len;
	char *to = *room;

	while (from < end && is_plain(*from))
		from++;
	if (from == end)
		return true;
	for (from = value->text; from < end; from++) {
		if (*from == '\\' && end - from >= 2 &&
			(from[1] == '/' || from[1] == '"' || from[1] == '\\'))
			from++;
		else if (!is_plain(*from))
			return false;
		*to++ = *from;
	}
	*value = span_from(*room, to);
	*room = to;
	return true;
}

bool
message_shape(const char *line, size_t len, char *room,
	struct span values[MESSAGE_KEYS])
{
	if (!read_shape(line, len, values))
		return false;
	for (size_t key = 0; key < MESSAGE_KEYS; key++)
		if (!unescape(&values[key], &room))
			return false;
	return true;
}
