/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A first look at a line of JSON without parsing it. Nearly all mail messages
 * are benign; to find out that no rule can match one costs a tenth of what
 * parsing it does. Only lines of the very shape that our rsyslog template
 * writes are looked at, for all others the answer is to parse.
 */
#include "plugin/message_parts.h"

/* What stands before the value of each key, in the order of the template. A
 * quote within a JSON string has a backslash in front, so none of these can
 * stand in anything that a sender wrote. */
static const struct {
	const char *text;
	size_t len;
} before[] = {
#define BEFORE(text)                                                           \
	{                                                                      \
		text, sizeof text - 1                                          \
	}
	BEFORE("{\"time\":\""),
	BEFORE(", \"reported\":\""),
	BEFORE(", \"host\":\""),
	BEFORE(", \"from\":\""),
	BEFORE(", \"tag\":\""),
	BEFORE(", \"msg\":\""),
#undef BEFORE
};
enum { TAG_KEY = 4, MSG_KEY = 5 };

static bool
skip_key(const char **at, const char *end, size_t key)
{
	if ((size_t)(end - *at) < before[key].len ||
		memcmp(*at, before[key].text, before[key].len) != 0)
		return false;
	*at += before[key].len;
	return true;
}

/* Past the value's closing quote; one with an escaped quote in it is not for
 * here. */
static bool
skip_value(const char **at, const char *end)
{
	const char *quote = memchr(*at, '"', (size_t)(end - *at));

	if (!quote || quote[-1] == '\\')
		return false;
	*at = quote + 1;
	return true;
}

/* The tag up to its closing quote, "\/" become "/". Tags that hold any other
 * escape, or that message.c may have to put together, are not for here. */
static bool
read_tag(struct message_peek *peek, const char **at, const char *end)
{
	const char *text = *at;
	size_t len = 0;
	bool slash = false, pid = false;

	for (; text < end && *text != '"'; text++) {
		if (*text == '\\' && (++text == end || *text != '/'))
			return false;
		slash |= *text == '/';
		pid |= *text == '[';
		if (len == sizeof peek->tag)
			return false;
		peek->tag[len++] = *text;
	}
	*at = text + 1;
	peek->tag_len = len;
	return text < end && (pid || !slash);
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
	const char *end = line + len - 2, *at = line;
	struct message parts = {0};

	if (len < 2 || memcmp(end, "\"}", 2) != 0)
		return false;
	for (size_t key = 0; key < TAG_KEY; key++)
		if (!skip_key(&at, end, key) || !skip_value(&at, end))
			return false;
	if (!skip_key(&at, end, TAG_KEY) || !read_tag(out, &at, end) ||
		!skip_key(&at, end, MSG_KEY))
		return false;
	parts.tag = (struct span){out->tag, out->tag_len};
	parts.msg = span_from(at, end);
	message_finish(&parts);
	out->program = parts.program;
	out->msg = parts.msg;
	return !parts.own && parts.repeat == 1 &&
	       !span_starts(&parts.msg, folded, sizeof folded - 1) &&
	       !has_unicode_escape(parts.msg);
}
