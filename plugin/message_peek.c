/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A first look at a line of JSON without parsing it. Nearly all mail messages
 * are benign; to find out that no rule can match one costs a tenth of what
 * parsing it does. Only lines of the very shape that our rsyslog template
 * writes are looked at, for all others the answer is to parse.
 */
#include "plugin/message_parts.h"

/* A quote within a JSON string has a backslash in front, so these can't stand
 * in anything that a sender wrote. */
#define HEAD "{\"time\":\""
#define TAG "\"tag\":\""
#define MSG ", \"msg\":\""
#define TAIL "\"}"
/* No tag begins before this: two times, at least to the second, are in front
 * of it. */
enum { BEFORE_TAG = sizeof "{\"time\":\"2026-11-25T10:00:00Z\"" - 1 };

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

bool
message_peek(const char *line, size_t len, struct message_peek *out)
{
	static const char folded[] = "message repeated ";
	const char *end = line + len, *at;
	struct message parts = {0};

	if (len < BEFORE_TAG + sizeof TAIL ||
		memcmp(line, HEAD, sizeof HEAD - 1) != 0 ||
		memcmp(end - 2, TAIL, 2) != 0)
		return false;
	at = memmem(line + BEFORE_TAG, len - BEFORE_TAG, TAG, sizeof TAG - 1);
	if (!at)
		return false;
	at += sizeof TAG - 1;
	if (!read_tag(out, &at, end - 2) ||
		(size_t)(end - 2 - at) < sizeof MSG - 1 ||
		memcmp(at, MSG, sizeof MSG - 1) != 0)
		return false;
	at += sizeof MSG - 1;
	parts.tag = (struct span){out->tag, out->tag_len};
	parts.msg = span_from(at, end - 2);
	message_finish(&parts);
	out->program = parts.program;
	out->msg = parts.msg;
	/* \u may stand for any character. */
	return !parts.own && parts.repeat == 1 &&
	       !memmem(parts.msg.text, parts.msg.len, "\\u", 2) &&
	       !span_starts(&parts.msg, folded, sizeof folded - 1);
}
