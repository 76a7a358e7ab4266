/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ledger: the durable record, SQLite in WAL mode, "ledger.sqlite" in the
 * state folder. One thread of its own takes over closed journal segments, each
 * in one transaction, and trims by age and size in small steps; the main
 * thread only asks whether a digest is known. Everything in memory is derived
 * from it at start.
 */
#ifndef MAILBAN_LEDGER_H
#define MAILBAN_LEDGER_H

#include "plugin/journal.h"

struct ledger;

struct ledger_limits {
	int64_t age_us;	   /* offences and ended bans older than this go */
	int64_t size_bytes; /* of the file; the oldest offences go first */
};

/* Opens or creates it, moves its schema forward, takes over what the journal
 * still holds. A corrupt one is moved aside (ledger.sqlite.corrupt-<time>)
 * with a clear log line, and *moved is set. Makes the digest key at the first
 * time and gives it out. tick is called now and then on long work (dots to
 * rsyslog). NULL with *error (caller frees) when it can't. */
struct ledger *ledger_open(const char *folder,
	const struct ledger_limits *limits, struct digest_key *key,
	void (*tick)(void *), void *tick_arg, bool *moved, char **error);
/* Stops the thread after what it is at; closes. */
void ledger_close(struct ledger *ledger);
void ledger_limit(struct ledger *ledger, const struct ledger_limits *limits);

/* Starts the thread. Segments handed over are taken in order and deleted when
 * they are durable in the ledger. */
int ledger_start(struct ledger *ledger);
void ledger_take_over(struct ledger *ledger, uint64_t segment);
/* Segments handed over and not yet taken; and the last error, 0 when the last
 * try went well. */
size_t ledger_backlog(const struct ledger *ledger);
int ledger_error(const struct ledger *ledger);

/* Whether that offence is in the ledger: 1, 0, or a negative errno. */
int ledger_has(struct ledger *ledger, const struct digest *digest);
/* The highest seq in it. */
uint64_t ledger_last_seq(const struct ledger *ledger);
/* The newest stamp (see digest_set_horizon) of any offence in it. */
int64_t ledger_horizon(const struct ledger *ledger);

/* Reads back, in order of seq, bans and lifts and those offences since
 * since_us that were counted. Records borrow until the callback returns. */
int ledger_restore(struct ledger *ledger, int64_t since_us,
	void (*each)(const struct record *, void *), void *arg);

#endif
