/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One buffer, filled by read and emptied line by line. A line that outgrows it
 * is skipped to its end and reported once. Never writes two answers at once
 * and never one that was not asked for: omprog kills for either.
 */
#include "plugin/omprog.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/xalloc.h"

struct omprog {
	int in, out;
	bool ended;    /* read has seen the end */
	bool skipping; /* within a line that is too long */
	size_t head;   /* first byte not yet handed out */
	size_t fill;   /* end of what was read */
	size_t seen;   /* bytes up to here hold no LF */
	char buf[OMPROG_LINE_MAX];
};

struct omprog *
omprog_new(int in, int out)
{
	struct omprog *omprog = xcalloc(1, sizeof(*omprog));

	omprog->in = in;
	omprog->out = out;
	return omprog;
}

void
omprog_free(struct omprog *omprog)
{
	free(omprog);
}

static enum omprog_event
event_of(const char *line, size_t len)
{
	static const size_t begin_len = sizeof(OMPROG_BEGIN) - 1;
	static const size_t commit_len = sizeof(OMPROG_COMMIT) - 1;

	if (len == begin_len && !memcmp(line, OMPROG_BEGIN, len))
		return OMPROG_BEGIN_MARK;
	if (len == commit_len && !memcmp(line, OMPROG_COMMIT, len))
		return OMPROG_COMMIT_MARK;
	return OMPROG_LINE;
}

/* No LF in what is there: make room, or begin to skip. */
static enum omprog_event
need_more(struct omprog *omprog)
{
	if (omprog->ended)
		return OMPROG_END;
	if (omprog->head > 0) {
		(void)memmove(omprog->buf, omprog->buf + omprog->head,
			omprog->fill - omprog->head);
		omprog->fill -= omprog->head;
		omprog->head = 0;
	}
	if (omprog->fill == sizeof(omprog->buf)) {
		omprog->skipping = true;
		omprog->fill = 0;
	}
	omprog->seen = omprog->fill;
	return OMPROG_NOTHING;
}

enum omprog_event
omprog_next(struct omprog *omprog, const char **line, size_t *len)
{
	const char *start = omprog->buf + omprog->head;
	size_t from = omprog->seen > omprog->head ? omprog->seen : omprog->head;
	const char *end = memchr(omprog->buf + from, '\n', omprog->fill - from);

	if (!end)
		return need_more(omprog);
	*line = start;
	*len = (size_t)(end - start);
	omprog->head += *len + 1;
	omprog->seen = omprog->head;
	if (omprog->skipping) {
		omprog->skipping = false;
		return OMPROG_TOO_LONG;
	}
	return event_of(*line, *len);
}

void
omprog_read(struct omprog *omprog)
{
	ssize_t got = read(omprog->in, omprog->buf + omprog->fill,
		sizeof(omprog->buf) - omprog->fill);

	if (got > 0)
		omprog->fill += (size_t)got;
	else if (got == 0 || (errno != EINTR && errno != EAGAIN))
		omprog->ended = true;
}

static void
put(struct omprog *omprog, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t put = write(omprog->out, bytes, len);

		if (put < 0 && errno == EAGAIN) {
			struct pollfd poll_fd = {
				.fd = omprog->out, .events = POLLOUT};

			(void)poll(&poll_fd, 1, 1000);
		} else if (put < 0 && errno != EINTR) {
			/* rsyslog is gone, and sends again what it did not
			 * hear of. */
			fatal("answer error=\"%s\"", strerror(errno));
		} else if (put > 0) {
			bytes += put;
			len -= (size_t)put;
		}
	}
}

void
omprog_answer(struct omprog *omprog, const char *text)
{
	char line[OMPROG_ANSWER_MAX];
	size_t len = strnlen(text, sizeof(line) - 1);

	(void)memcpy(line, text, len);
	for (size_t i = 0; i < len; i++)
		if (line[i] == '\n' || line[i] == '\r')
			line[i] = ' ';
	line[len++] = '\n';
	put(omprog, line, len);
}

void
omprog_dot(struct omprog *omprog)
{
	put(omprog, ".", 1);
}
