/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Appending to the journal. What is not yet synced is kept in memory as well:
 * after a failed fdatasync the kernel may have dropped the pages and call the
 * next one a success, so all of it is written again, to a new segment. A write
 * that was cut short is continued where it ended, so a segment never holds
 * half a record but at its end.
 */
#include "plugin/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "common/xalloc.h"
#include "plugin/journal_file.h"

struct journal {
	int folder_fd; /* borrowed */
	int fd;
	uint64_t number;
	size_t size;   /* of the file */
	size_t synced; /* of it, what a sync that succeeded covers */
	struct digest_key key;
	uint8_t *unsynced; /* since the last sync that succeeded */
	size_t len, room;
	size_t written;	   /* of them, how many are in the file */
	bool folder_dirty; /* the segment's name is not yet durable */
	bool suspect;	   /* a sync failed: nothing unsynced is safe in it */
	uint64_t obsolete; /* a segment to delete when this one has its data */
	int error;	   /* of the last write or sync; 0: it went well */
};

/* Said when it changes, not each time. */
static int
set_error(struct journal *journal, int rc)
{
	if (rc < 0 && rc != journal->error)
		log_err("journal error=\"%s\": messages wait for their answer, "
			"and come again when it can be written",
			strerror(-rc));
	else if (rc == 0 && journal->error < 0)
		log_info("journal well again");
	journal->error = rc;
	return rc;
}

/* Goes over to a new segment. */
static int
begin_segment(struct journal *journal)
{
	uint64_t number = journal->number + 1;
	int fd;

	while ((fd = journal_create(journal->folder_fd, number)) == -EEXIST)
		number++;
	if (fd < 0)
		return fd;
	if (journal->fd >= 0)
		(void)close(journal->fd);
	journal->fd = fd;
	journal->number = number;
	journal->size = journal->synced = 0;
	journal->folder_dirty = true;
	return 0;
}

struct journal *
journal_open(int state_fd, const struct digest_key *key, char **error)
{
	struct journal *journal = xcalloc(1, sizeof(*journal));
	uint64_t *numbers = NULL;
	size_t count = 0;
	int rc = journal_list(state_fd, &numbers, &count);

	journal->folder_fd = state_fd;
	journal->fd = -1;
	journal->key = *key;
	journal->number = count ? numbers[count - 1] : 0;
	free(numbers);
	if (rc == 0)
		rc = begin_segment(journal);
	if (rc == 0)
		return journal;
	*error = xasprintf("journal: can't begin a segment in the state "
			   "folder: %s",
		strerror(-rc));
	free(journal);
	return NULL;
}

void
journal_close(struct journal *journal)
{
	int rc;

	if (!journal)
		return;
	rc = journal_sync(journal);
	if (rc < 0)
		log_err("journal lost_bytes=%zu error=\"%s\"",
			journal->len - journal->written, strerror(-rc));
	if (journal->size == 0)
		(void)journal_unlink(journal->folder_fd, journal->number);
	(void)close(journal->fd);
	free(journal->unsynced);
	free(journal);
}

static void
reserve(struct journal *journal, size_t len)
{
	if (journal->room - journal->len >= len)
		return;
	while (journal->room - journal->len < len)
		journal->room = journal->room ? journal->room * 2
					      : (size_t)16 * RECORD_MAX;
	journal->unsynced = xreallocarray(journal->unsynced, 1, journal->room);
}

void
journal_add(struct journal *journal, const struct record *record)
{
	reserve(journal, RECORD_MAX);
	journal->len += record_encode(
		record, &journal->key, journal->unsynced + journal->len);
}

int
journal_append(struct journal *journal, const struct record *record)
{
	journal_add(journal, record);
	return journal_flush(journal);
}

/* Into a new segment goes all that is not safe in this one, which is deleted
 * after that when it holds nothing else: a disk that fails for hours must not
 * collect copies. */
static int
write_again(struct journal *journal)
{
	uint64_t old = journal->number;
	bool needed = journal->synced > 0;
	int rc;

	if (journal->size > 0) {
		if ((rc = begin_segment(journal)) < 0)
			return rc;
		journal->written = 0;
		journal->obsolete = needed ? 0 : old;
	}
	journal->suspect = false;
	return 0;
}

static int
write_all(struct journal *journal)
{
	int rc;

	/* Nothing goes behind a gap: the order of records matters. */
	if (journal->suspect && (rc = write_again(journal)) < 0)
		return rc;
	while (journal->written < journal->len) {
		ssize_t done =
			write(journal->fd, journal->unsynced + journal->written,
				journal->len - journal->written);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return done < 0 ? -errno : -ENOSPC;
		journal->written += (size_t)done;
		journal->size += (size_t)done;
	}
	if (journal->obsolete)
		(void)journal_unlink(journal->folder_fd, journal->obsolete);
	journal->obsolete = 0;
	return 0;
}

int
journal_flush(struct journal *journal)
{
	int rc = write_all(journal);

	/* A write that goes well does not tell that a sync will. */
	return rc < 0 ? set_error(journal, rc) : 0;
}

/* Somebody deleted the segment: what it holds is still there behind our
 * descriptor, and goes into the next one. */
static void
rescue(struct journal *journal)
{
	size_t behind = journal->len - journal->written;
	size_t room = journal->size + behind + RECORD_MAX;
	uint8_t *all = xcalloc(1, room);

	journal->suspect = true;
	if (pread(journal->fd, all, journal->size, 0) !=
		(ssize_t)journal->size) {
		log_err("journal segment=%llu deleted, unreadable_bytes=%zu",
			(unsigned long long)journal->number, journal->size);
		free(all);
		return;
	}
	log_warn("journal segment=%llu deleted, written again",
		(unsigned long long)journal->number);
	if (behind)
		memcpy(all + journal->size,
			journal->unsynced + journal->written, behind);
	free(journal->unsynced);
	journal->unsynced = all;
	journal->room = room;
	journal->written = journal->size;
	journal->len = journal->size + behind;
	journal->synced = 0;
}

static bool
is_deleted(const struct journal *journal)
{
	struct stat st;

	return fstat(journal->fd, &st) == 0 && st.st_nlink == 0;
}

static int
sync_all(struct journal *journal)
{
	int rc;

	if (journal->size > 0 && is_deleted(journal))
		rescue(journal);
	if (journal->len == 0)
		return 0;
	if ((rc = write_all(journal)) < 0)
		return rc;
	if (fdatasync(journal->fd) < 0) {
		journal->suspect = true;
		return -errno;
	}
	if (journal->folder_dirty && fsync(journal->folder_fd) < 0)
		return -errno;
	journal->folder_dirty = false;
	journal->synced = journal->size;
	journal->len = journal->written = 0;
	return 0;
}

int
journal_sync(struct journal *journal)
{
	return set_error(journal, sync_all(journal));
}

int
journal_error(const struct journal *journal)
{
	return journal->error;
}

size_t
journal_size(const struct journal *journal)
{
	return journal->size;
}

uint64_t
journal_rotate(struct journal *journal)
{
	uint64_t closed;

	if (journal->size == 0 && journal->len == 0)
		return 0;
	if (journal_sync(journal) < 0)
		return 0;
	closed = journal->number;
	return begin_segment(journal) < 0 ? 0 : closed;
}
