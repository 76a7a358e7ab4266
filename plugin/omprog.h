/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The talk with rsyslog's omprog module: lines in on one descriptor, exactly
 * one line of answer for each on another. Knows marks and answers, nothing of
 * what a message means.
 */
#ifndef MAILBAN_OMPROG_H
#define MAILBAN_OMPROG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* beginTransactionMark and commitTransactionMark of rsyslog's omprog, their
 * defaults (plugins/omprog/omprog.c). */
#define OMPROG_BEGIN "BEGIN TRANSACTION"
#define OMPROG_COMMIT "COMMIT TRANSACTION"

/* A longer line is no message: rsyslog's maxMessageSize is 8 KiB, and JSON
 * makes at most six bytes of one. */
enum { OMPROG_LINE_MAX = 128 * 1024 };

/* An answer is at most 4,094 bytes and a LF (omprog.c's buffer); ours are
 * shorter. */
enum { OMPROG_ANSWER_MAX = 512 };

enum omprog_event {
	OMPROG_NOTHING,	 /* no whole line yet */
	OMPROG_LINE,	 /* a message */
	OMPROG_TOO_LONG, /* a line over OMPROG_LINE_MAX has ended */
	OMPROG_BEGIN_MARK,
	OMPROG_COMMIT_MARK,
	OMPROG_END, /* end of input; an unfinished line is no message: its
		       sender did not get an answer and sends it again */
};

struct omprog;

/* Borrows both descriptors. */
struct omprog *omprog_new(int in, int out);
void omprog_free(struct omprog *omprog);

/* The next event out of what has been read, without reading. *line borrows
 * until the next call of any of these. */
enum omprog_event omprog_next(
	struct omprog *omprog, const char **line, size_t *len);
/* Reads once; blocks when nothing is there, so poll first. After this
 * omprog_next again. */
void omprog_read(struct omprog *omprog);

/* The one function that writes answers: text must be without LF. Dies when
 * rsyslog has gone. "." keeps rsyslog waiting and gets no LF. */
void omprog_answer(struct omprog *omprog, const char *text);
void omprog_dot(struct omprog *omprog);

#endif
