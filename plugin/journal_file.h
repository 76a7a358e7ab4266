/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The journal's segments as files: made by the journal, read and deleted by
 * the ledger. Any thread may call these.
 */
#ifndef MAILBAN_JOURNAL_FILE_H
#define MAILBAN_JOURNAL_FILE_H

#include "plugin/record.h"

/* Makes an empty segment for appending. A descriptor; -EEXIST: there is one of
 * that number. */
int journal_create(int folder_fd, uint64_t number);
/* The numbers of the segments in the folder, rising; *numbers is the caller's
 * to free. */
int journal_list(int folder_fd, uint64_t **numbers, size_t *count);
/* A whole segment; *data is the caller's to free. */
int journal_read(int folder_fd, uint64_t number, uint8_t **data, size_t *len);
int journal_unlink(int folder_fd, uint64_t number);
/* Gives it a name that is no segment's: "damaged.<number>". */
int journal_move_aside(int folder_fd, uint64_t number);

struct journal_cursor {
	const uint8_t *data;
	size_t len, offset;
	bool damaged; /* see journal_next */
};

/* The next whole record. 1, 0 at the end; -ENOTSUP as record_decode. Damage is
 * stepped over, and damaged is set when a whole record follows it; without one
 * it is the torn tail of a write that nobody was told about. */
int journal_next(struct journal_cursor *cursor, const struct digest_key *key,
	struct record *out);

#endif
