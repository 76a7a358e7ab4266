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

#define LEDGER_FILE "ledger.sqlite"

struct ledger;

struct ledger_limits {
	int64_t age_us;	    /* offences and ended bans older than this go */
	int64_t size_bytes; /* of the file; the oldest offences go first */
};

/* Opens or creates it, moves its schema forward, takes over what the journal
 * still holds. A corrupt one is moved aside (ledger.sqlite.corrupt-<time>)
 * with a clear log line, and *moved is set; so it is when the file has gone
 * though there was one: bans that the kernel has in force are not known here.
 * Makes the digest key at the first time and gives it out. tick is called now
 * and then on long work, in ledger_restore too (dots to rsyslog). NULL with
 * *error (caller frees) when it can't; one made by a newer mailban is refused
 * and not touched. When another process holds the ledger or its disk is full,
 * it opens all the same: what the journal holds then waits for the thread, and
 * ledger_restore reads it from there. */
struct ledger *ledger_open(const char *folder,
	const struct ledger_limits *limits, struct digest_key *key,
	void (*tick)(void *), void *tick_arg, bool *moved, char **error);
/* Takes over what was handed over, as far as that goes without an error and
 * within two seconds; stops the thread; closes. */
void ledger_close(struct ledger *ledger);
void ledger_limit(struct ledger *ledger, const struct ledger_limits *limits);

/* How far back to read, by the records' own times. */
struct ledger_since {
	int64_t offences_us, bans_us, logins_us;
};

/* Reads back what the judge needs to stand where it stood. First logins since
 * then, the newest of each client and user, and exempt networks that are not
 * over. Then, in order of seq, all bans in force now; bans that are over, and
 * lifts, since the earlier of bans_us and the first counted offence; and the
 * counted offences since offences_us.
 * Offences come without host, from, tag and msg. Those above
 * ledger_durable_seq are not yet known to ledger_has: their digests go into
 * the caller's digest_set. Records borrow until the callback returns. -EUCLEAN:
 * it is corrupt somewhere; it was moved aside and a new one begun, and
 * ledger_lost is set; what was handed out stays true. Call it once, before
 * ledger_start. */
int ledger_restore(struct ledger *ledger, const struct ledger_since *since,
	void (*each)(const struct record *, void *), void *arg);

/* Starts the thread. */
int ledger_start(struct ledger *ledger);
/* The segments up to this one are closed: they are taken in order and deleted
 * when they are durable in the ledger. */
void ledger_take_over(struct ledger *ledger, uint64_t segment);
/* Segments handed over and not yet taken, as last counted; and the last error,
 * a negative errno, 0 when the last try went well: -EBUSY, -ENOSPC, -EROFS,
 * -EIO, ... */
size_t ledger_backlog(const struct ledger *ledger);
int ledger_error(const struct ledger *ledger);
/* Whether the ledger had to be begun anew since the last call, so that it
 * lacks bans in force: the caller records them all again. */
bool ledger_lost(struct ledger *ledger);

/* Whether that offence is in the ledger: 1, 0, or a negative errno (-EAGAIN:
 * for a moment it can't be told). Never waits for the thread's work. */
int ledger_has(struct ledger *ledger, const struct digest *digest);
/* The highest seq in it and in the segments it knew at open: number on from
 * here. */
uint64_t ledger_last_seq(const struct ledger *ledger);
/* Records up to this seq are in the ledger itself: for digest_set_durable. */
uint64_t ledger_durable_seq(const struct ledger *ledger);
/* The newest stamp (see digest_stamp; by time and reported of any offence ever
 * in it, so rather later). INT64_MIN when there was none. */
int64_t ledger_horizon(const struct ledger *ledger);

#endif
