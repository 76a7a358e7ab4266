/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The 128-bit keyed digest by which a message that rsyslog sends again is
 * recognised (libsodium's BLAKE2b with a secret key: nobody outside can make
 * two messages with one digest), and the set of digests seen lately.
 */
#ifndef MAILBAN_DIGEST_H
#define MAILBAN_DIGEST_H

#include "plugin/message.h"

struct digest_key {
	uint8_t bytes[32];
};

struct digest {
	uint8_t bytes[16];
};

/* Of from, host, tag, reported, msg when reported has a fraction of a second,
 * and of time too when it has not (a RELP resend has the same `reported` and a
 * new `time`). Each field goes in with its length. */
struct digest digest_of(
	const struct message *message, const struct digest_key *key);

/* The digests seen lately: a fixed number, the oldest forgotten first. */
struct digest_set;
struct digest_set *digest_set_new(size_t capacity, const struct digest_key *key);
void digest_set_free(struct digest_set *set);
bool digest_set_has(const struct digest_set *set, const struct digest *digest);
/* Adds one that is not there; stamp_us is when the message was made, see
 * below. */
void digest_set_add(struct digest_set *set, const struct digest *digest,
	int64_t stamp_us);
/* The newest stamp among those forgotten: a message stamped later than this
 * was never forgotten, so the set's answer is final; for an older one the
 * ledger must be asked. Starts as set by digest_set_forgotten. */
int64_t digest_set_horizon(const struct digest_set *set);
void digest_set_forgot(struct digest_set *set, int64_t stamp_us);

#endif
