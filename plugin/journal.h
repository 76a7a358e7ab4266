/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The journal: a plain file that records are appended to before rsyslog gets
 * its answer, synced at COMMIT. Written, not synced, it survives the death of
 * any process; synced, a power cut. It comes in numbered segments,
 * journal.<number>: the last one is appended to, the earlier ones wait to be
 * taken over by the ledger and are then deleted.
 */
#ifndef MAILBAN_JOURNAL_H
#define MAILBAN_JOURNAL_H

#include "plugin/record.h"

struct journal;

/* Opens the state folder's journal for appending, in a new segment behind any
 * that are there. state_fd is borrowed until journal_close. To be called after
 * ledger_open, which takes over what is there. NULL with *error (caller frees)
 * when it can't. */
struct journal *journal_open(
	int state_fd, const struct digest_key *key, char **error);
/* Syncs and closes; an empty segment is deleted. */
void journal_close(struct journal *journal);

/* Appends with one write. What could not be written (a full disk) is kept in
 * memory and tried again by the next call of any of these. 0: it is in the
 * file and survives the death of this process; a negative errno: it is in
 * memory only, so rsyslog should get no answer (but dots) before
 * journal_flush returns 0. */
int journal_append(struct journal *journal, const struct record *record);
/* Keeps it in memory until the next append, flush or sync: one write then
 * carries both, so that an offence and the ban it caused survive together. */
void journal_add(struct journal *journal, const struct record *record);
/* Writes what is kept in memory, if anything, without syncing. */
int journal_flush(struct journal *journal);
/* Writes what is left and makes it all durable (fdatasync; the folder too
 * after a new segment). 0, or a negative errno: then nothing appended since
 * the last success is promised. Costs nothing when nothing was appended. */
int journal_sync(struct journal *journal);

/* What the last of these met: 0 or a negative errno. It is in the log, too. */
int journal_error(const struct journal *journal);

/* Bytes in the current segment. */
size_t journal_size(const struct journal *journal);
/* Syncs, closes the segment and begins the next: returns the number of the
 * closed one for the ledger to take over (with all before it), 0 when nothing
 * was closed: it was empty, or there was an error, and the old one goes on. */
uint64_t journal_rotate(struct journal *journal);

#endif
