/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Correlation: lines that belong together. A server may report one failed
 * attempt in several lines, or several attempts in one; what counts is how
 * many attempts were made. And an offence may stand in one line, its address
 * in an earlier one of the same session.
 *
 * Pure, like the judge: time is handed in. Bounded: what was forgotten under
 * pressure is counted as if it stood alone, and an unknown session charges
 * nobody.
 */
#ifndef MAILBAN_CORRELATE_H
#define MAILBAN_CORRELATE_H

#include "plugin/rules.h"

/* Lines further apart than this do not belong together: longer than any login
 * service waits (Dovecot's auth timeout is 3 minutes, smtpd_timeout 5). */
#define CORRELATE_US (INT64_C(600) * 1000000)

struct correlate;

/* key: 16 random bytes for the hash. */
struct correlate *correlate_new(const uint8_t key[16]);
void correlate_free(struct correlate *correlate);

/* For a match with a session: one with an address notes it; one without gets
 * that noted for the session, of the same sender, host and program. */
void correlate_session(struct correlate *correlate,
	const struct message *message, struct match *match);

/* How many of the attempts that this offence reports are new: all of them
 * (match->count times message->repeat), fewer, or none. By rule->reports:
 * attempts reported one by one are in the session's summary again; and what
 * the service in front reports, an authentication back end and its workers
 * report again, each for itself: for one client, the largest sum of the three
 * is what was attempted. */
uint32_t correlate_attempts(struct correlate *correlate,
	const struct message *message, const struct match *match);

/* Whether this login is worth writing down: none of the user's from that client
 * was, within CORRELATE_US. */
bool correlate_login(struct correlate *correlate, const struct message *message,
	const struct match *match);

/* Bytes held; fixed. */
size_t correlate_memory(const struct correlate *correlate);

#endif
