/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state folder: one ommailban at a time may use it, and it keeps the secret
 * key of digests and checksums in a file of its own, so that the journal can be
 * read even when the ledger is lost.
 */
#ifndef MAILBAN_STATE_H
#define MAILBAN_STATE_H

#include <sys/types.h>

#include "plugin/digest.h"

/* Locks the folder for this process until *fd is closed or the process ends.
 * The lock is a POSIX one: nothing else in this process may open and close the
 * file "lock". -EWOULDBLOCK: another process has it, *holder is its id (0 when
 * it can't be told). Other negative errno: the folder is missing or not
 * writable. */
int state_lock(const char *folder, int *fd, pid_t *holder);

/* Reads the key from "digest.key". -ENOENT: there is none, or it is no key. */
int state_read_key(int folder_fd, struct digest_key *key);
/* Writes it, durably, mode 0600. */
int state_write_key(int folder_fd, const struct digest_key *key);
/* A new random one; fatal when there is no randomness. */
void state_make_key(struct digest_key *key);

#endif
