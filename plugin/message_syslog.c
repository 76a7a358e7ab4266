/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lines of a log file, for `mailban test` and `mailban replay`: the forms
 * that syslog daemons write by default. Exim's and Dovecot's own files are
 * none of them. Allocates nothing; everything points into the line.
 */
#include "plugin/message_parts.h"

#include <errno.h>

/* Takes what stands before the next blank, and the blank. */
static struct span
take_word(struct span *rest)
{
	const char *blank = memchr(rest->text, ' ', rest->len);
	struct span word = *rest;

	if (!blank) {
		span_skip(rest, rest->len);
		return word;
	}
	word = span_from(rest->text, blank);
	span_skip(rest, word.len + 1);
	return word;
}

/* "<22>" at the head, when it is there. */
static void
skip_priority(struct span *rest)
{
	size_t at = 1;

	if (!span_starts(rest, "<", 1))
		return;
	while (at < rest->len && at <= 3 &&
		message_digits(rest->text + at, 1) >= 0)
		at++;
	if (at > 1 && at < rest->len && rest->text[at] == '>')
		span_skip(rest, at + 1);
}

static int
take_time_3164(struct span *rest, int64_t now_us, struct message *message)
{
	enum { LEN = MESSAGE_TIME_3164_LEN };

	if (rest->len <= LEN || rest->text[LEN] != ' ' ||
		message_time_3164(rest->text, now_us, &message->time_us) < 0)
		return -EBADMSG;
	message->reported_fraction = false;
	span_skip(rest, LEN + 1);
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

	if (span_starts(rest, "-", 1))
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
	span_skip(rest, at < rest->len ? at + 1 : at);
	return 0;
}

static struct span
take_value(struct span *rest)
{
	struct span word = take_word(rest);

	return span_is(&word, "-") ? message_no_span : word;
}

/* What follows "<22>1 ". */
static int
parse_5424(struct span rest, int64_t now_us, struct message *message)
{
	struct span pid;

	if (span_starts(&rest, "- ", 2)) {
		message->time_us = now_us;
		span_skip(&rest, 2);
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
	message_finish(message);
	/* "app 123" can't be one span "app[123]": the tag is the name. */
	if (message->pid.len == 0)
		message->pid = pid;
	return 0;
}

static int
parse_line(struct span rest, int64_t now_us, struct message *message)
{
	skip_priority(&rest);
	if (span_starts(&rest, "1 ", 2)) {
		span_skip(&rest, 2);
		return parse_5424(rest, now_us, message);
	}
	if (take_time_3164(&rest, now_us, message) < 0 &&
		take_time_3339(&rest, message) < 0)
		return -EBADMSG;
	message->host = take_word(&rest);
	if (message->host.len == 0 || rest.len == 0)
		return -EBADMSG;
	split_tag_and_msg(rest, message);
	message_finish(message);
	return 0;
}

int
message_parse_syslog(
	const char *line, size_t len, int64_t now_us, struct message *out)
{
	struct message message = {
		.host = message_no_span, .from = message_no_span};
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
