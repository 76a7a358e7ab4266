/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The 128-bit keyed digest by which a message that rsyslog sends again is
 * recognised (libsodium's SipHash-2-4 with 128 bits of output and a secret
 * key: nobody outside can make two messages with one digest), and the set of
 * digests seen lately.
 */
#ifndef MAILBAN_DIGEST_H
#define MAILBAN_DIGEST_H

#include "plugin/message.h"

/* The first half keys the digests, the second the records' checksums. */
struct digest_key {
	uint8_t bytes[32];
};

struct digest {
	uint8_t bytes[16];
};

/* Of from, host, tag, reported, msg and repeat when reported has a fraction of
 * a second, and of time too when it has not (a RELP resend has the same
 * `reported` and a new `time`). Each field goes in with its length. */
struct digest digest_of(
	const struct message *message, const struct digest_key *key);

/* When the message was made, as far as a resend has the same stamp: `reported`
 * where that alone tells messages apart, else `time`. Never the earlier of
 * both: with a sender's clock ahead, `time` may have passed `reported` when
 * the message comes again, and the stamp would have moved. */
int64_t digest_stamp(const struct message *message);

/* The digests seen lately, oldest forgotten first, but none that is not yet
 * durable in the ledger: rather than that, the set grows. */
struct digest_set;
struct digest_set *digest_set_new(size_t capacity);
void digest_set_free(struct digest_set *set);
bool digest_set_has(const struct digest_set *set, const struct digest *digest);
/* Adds one that is not there. seq is that of its record, rising. */
void digest_set_add(struct digest_set *set, const struct digest *digest,
	int64_t stamp_us, uint64_t seq);
/* Records up to seq are in the ledger (ledger_durable_seq): their digests may
 * be forgotten. */
void digest_set_durable(struct digest_set *set, uint64_t seq);
/* The newest stamp among those forgotten, INT64_MIN when there are none: a
 * message with a later digest_stamp was never forgotten, so the set's answer
 * is final; for the others the ledger must be asked. A sender whose clock is a
 * year ahead makes that nearly all, which costs time, never a count. */
int64_t digest_set_horizon(const struct digest_set *set);
/* Digests stamped up to stamp_us are known elsewhere (at start:
 * ledger_horizon). */
void digest_set_forgot(struct digest_set *set, int64_t stamp_us);
size_t digest_set_count(const struct digest_set *set);
/* Bytes held. */
size_t digest_set_memory(const struct digest_set *set);

#endif
