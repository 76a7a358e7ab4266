/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What becomes of a ledger that is damaged, deleted or replaced. A corrupt one
 * is moved aside and a new one begun. A deleted one is still there behind our
 * descriptors: it is copied into a new file, and nothing is lost. A file that
 * somebody put in its place is moved aside, never overwritten.
 */
#include "plugin/ledger_db.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "common/xalloc.h"

#define COPY LEDGER_FILE ".new"
#define RESTORED LEDGER_FILE ".restored"

static bool
same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static bool
leads_to(const struct ledger *ledger, const char *name, const struct stat *was)
{
	struct stat is;

	return fstatat(ledger->folder_fd, name, &is, 0) == 0 &&
	       same_file(&is, was);
}

/* from + suffix to aside + suffix; what is not there is not moved. */
static int
move_one(const struct ledger *ledger, const char *aside, const char *suffix)
{
	char *from = xasprintf(LEDGER_FILE "%s", suffix);
	char *to = xasprintf("%s%s", aside, suffix);
	int rc = renameat(ledger->folder_fd, from, ledger->folder_fd, to);

	rc = rc < 0 && errno != ENOENT ? -errno : 0;
	free(from);
	free(to);
	return rc;
}

/* Under a name that ends in what it is and when that was seen. The log needs
 * SQLite's own two files too, under the new name. */
static int
move_aside(const struct ledger *ledger, const char *what)
{
	long long now = (long long)time(NULL);
	char *aside = xasprintf(LEDGER_FILE ".%s-%lld", what, now);
	int rc;

	for (int i = 1; faccessat(ledger->folder_fd, aside, F_OK,
				AT_SYMLINK_NOFOLLOW) == 0;
		i++) {
		free(aside);
		aside = xasprintf(LEDGER_FILE ".%s-%lld-%d", what, now, i);
	}
	if ((rc = move_one(ledger, aside, "-wal")) == 0 &&
		(rc = move_one(ledger, aside, "-shm")) == 0)
		rc = move_one(ledger, aside, "");
	if (rc == 0)
		log_err("ledger %s=%s moved_to=%s/%s", what, ledger->path,
			ledger->folder, aside);
	free(aside);
	return rc;
}

static void
close_reader(struct ledger *ledger)
{
	(void)sqlite3_finalize(ledger->reader_has);
	if (ledger->reader)
		(void)sqlite3_db_config(ledger->reader,
			SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	(void)sqlite3_close(ledger->reader);
	ledger->reader_has = NULL;
	ledger->reader = NULL;
}

static int
open_reader(struct ledger *ledger)
{
	int code = sqlite3_open_v2(ledger->path, &ledger->reader,
		SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);

	if (code == SQLITE_OK)
		code = sqlite3_exec(ledger->reader,
			"PRAGMA query_only = ON; PRAGMA trusted_schema = OFF",
			NULL, NULL, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_prepare_v3(ledger->reader,
			"SELECT 1 FROM offence WHERE digest = ?1", -1,
			SQLITE_PREPARE_PERSISTENT, &ledger->reader_has, NULL);
	if (code != SQLITE_OK) {
		int rc = ledger_errno(ledger->reader, code);

		close_reader(ledger);
		return rc;
	}
	return 0;
}

int
ledger_connect_reader(struct ledger *ledger)
{
	int rc;

	(void)pthread_mutex_lock(&ledger->reader_mutex);
	close_reader(ledger);
	rc = open_reader(ledger);
	(void)pthread_mutex_unlock(&ledger->reader_mutex);
	return rc;
}

static void
disconnect(struct ledger *ledger)
{
	(void)pthread_mutex_lock(&ledger->reader_mutex);
	close_reader(ledger);
	(void)pthread_mutex_unlock(&ledger->reader_mutex);
	ledger_db_abandon(&ledger->db);
}

static int
progress(void *arg)
{
	ledger_tick(arg);
	return 0;
}

static int
connect_writer(struct ledger *ledger)
{
	int rc = ledger_db_open(&ledger->db, ledger->path, &ledger->key);

	if (rc == 0)
		rc = ledger_read_meta(ledger);
	/* SQLite does not sync the name of a file it makes. */
	if (rc == 0 && fsync(ledger->folder_fd) < 0)
		rc = -errno;
	if (rc < 0) {
		ledger_db_abandon(&ledger->db);
		return rc;
	}
	if (!ledger->running)
		sqlite3_progress_handler(
			ledger->db.sqlite, 20000, progress, ledger);
	return 0;
}

int
ledger_begin_anew(struct ledger *ledger)
{
	int rc;

	disconnect(ledger);
	if ((rc = move_aside(ledger, "corrupt")) < 0)
		return rc;
	atomic_store(&ledger->corrupt, false);
	atomic_store(&ledger->lost, true);
	if ((rc = connect_writer(ledger)) < 0)
		return rc;
	return ledger_connect_reader(ledger);
}

/* All of a database into an empty one, synced. */
static int
copy_pages(sqlite3 *from, sqlite3 *to)
{
	sqlite3_backup *backup = sqlite3_backup_init(to, "main", from, "main");
	int code;

	if (!backup)
		return ledger_errno(to, sqlite3_errcode(to));
	code = sqlite3_backup_step(backup, -1);
	(void)sqlite3_backup_finish(backup);
	return code == SQLITE_DONE ? 0 : ledger_errno(to, code);
}

/* Whether a connection of its own finds a sound ledger of this key there. */
static int
verify(const struct ledger *ledger, const char *path)
{
	sqlite3_stmt *statement = NULL;
	sqlite3 *sqlite = NULL;
	int code = sqlite3_open_v2(path, &sqlite, SQLITE_OPEN_READWRITE, NULL);
	bool sound = false;
	int rc;

	if (code == SQLITE_OK)
		code = sqlite3_prepare_v2(sqlite,
			"SELECT quick_check = 'ok' AND EXISTS (SELECT 1 FROM"
			" meta WHERE digest_key = ?1 AND last_seq >= ?2)"
			" FROM pragma_quick_check(1)",
			-1, &statement, NULL);
	if (code == SQLITE_OK) {
		(void)sqlite3_bind_blob(statement, 1, ledger->key.bytes,
			sizeof(ledger->key.bytes), SQLITE_STATIC);
		(void)sqlite3_bind_int64(
			statement, 2, (int64_t)ledger->meta_seq);
		if ((code = sqlite3_step(statement)) == SQLITE_ROW)
			sound = sqlite3_column_int(statement, 0);
	}
	rc = ledger_errno(sqlite, code);
	(void)sqlite3_finalize(statement);
	(void)sqlite3_db_config(
		sqlite, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	(void)sqlite3_close(sqlite);
	/* SQLITE_ERROR: there is no such table or column. */
	return sound ? 0 : rc == 0 || code == SQLITE_ERROR ? -EUCLEAN : rc;
}

static int
copy_out(struct ledger *ledger)
{
	char *path = xasprintf("%s/" COPY, ledger->folder);
	sqlite3 *copy = NULL;
	int fd, rc;

	(void)unlinkat(ledger->folder_fd, COPY, 0);
	fd = openat(ledger->folder_fd, COPY,
		O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	rc = fd < 0 ? -errno : 0;
	if (fd >= 0)
		(void)close(fd);
	if (rc == 0)
		rc = ledger_errno(copy, sqlite3_open_v2(path, &copy,
						SQLITE_OPEN_READWRITE, NULL));
	if (rc == 0)
		rc = copy_pages(ledger->db.sqlite, copy);
	(void)sqlite3_close(copy);
	if (rc == 0)
		rc = verify(ledger, path);
	free(path);
	if (rc == 0 && (renameat(ledger->folder_fd, COPY, ledger->folder_fd,
				RESTORED) < 0 ||
			       fsync(ledger->folder_fd) < 0))
		rc = -errno;
	return rc;
}

/* Our own -wal, still there under its name, has been copied and must not be
 * taken for that of the file in its place. */
static int
clear_names(struct ledger *ledger)
{
	int fd = ledger->folder_fd;

	if (leads_to(ledger, LEDGER_FILE "-wal", &ledger->db.wal))
		(void)unlinkat(fd, LEDGER_FILE "-wal", 0);
	(void)unlinkat(fd, LEDGER_FILE "-shm", 0);
	if (faccessat(fd, LEDGER_FILE, F_OK, 0) == 0)
		return move_aside(ledger, "replaced");
	(void)unlinkat(fd, LEDGER_FILE "-wal", 0);
	return 0;
}

/* The rest of what copy_out began, maybe in another process: RESTORED is whole
 * and synced. */
static int
put_back(struct ledger *ledger)
{
	int rc = clear_names(ledger);

	if (rc < 0)
		return rc;
	if (renameat(ledger->folder_fd, RESTORED, ledger->folder_fd,
		    LEDGER_FILE) < 0 ||
		fsync(ledger->folder_fd) < 0)
		return -errno;
	log_warn("ledger restored=%s", ledger->path);
	return 0;
}

bool
ledger_is_missing(const struct ledger *ledger)
{
	bool missing = faccessat(ledger->folder_fd, LEDGER_FILE, F_OK, 0) < 0 &&
		       faccessat(ledger->folder_fd, RESTORED, F_OK, 0) < 0;

	if (missing)
		log_warn("ledger missing=%s: a new one is begun", ledger->path);
	return missing;
}

int
ledger_connect(struct ledger *ledger, bool *moved)
{
	int64_t end_ms = ledger_monotonic_ms() + 5000;
	int rc = 0;

	if (faccessat(ledger->folder_fd, RESTORED, F_OK, 0) == 0)
		rc = put_back(ledger);
	if (rc < 0)
		return rc;
	/* A backup program or an operator may hold it for a moment. */
	while ((rc = connect_writer(ledger)) == -EBUSY &&
		ledger_monotonic_ms() < end_ms)
		ledger_tick(ledger);
	if (rc == -EUCLEAN && (rc = move_aside(ledger, "corrupt")) == 0) {
		*moved = true;
		rc = connect_writer(ledger);
	}
	return rc < 0 ? rc : ledger_connect_reader(ledger);
}

static int
restore_files(struct ledger *ledger)
{
	int rc;

	log_err("ledger deleted_or_replaced=%s action=restore", ledger->path);
	if ((rc = copy_out(ledger)) < 0 || (rc = put_back(ledger)) < 0)
		return rc;
	disconnect(ledger);
	if ((rc = connect_writer(ledger)) < 0)
		return rc;
	return ledger_connect_reader(ledger);
}

static bool
same_content(const struct stat *a, const struct stat *b)
{
	return a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* 0: the files are those we wrote; 1: they were deleted or replaced;
 * -EUCLEAN: somebody wrote into them and spoilt them. */
static int
compare_files(struct ledger *ledger)
{
	struct ledger_db is = {.sqlite = NULL};
	const struct ledger_db *was = &ledger->db;
	int rc;

	if (ledger_db_look(&is, ledger->path) < 0 ||
		!same_file(&is.file, &was->file) ||
		!same_file(&is.wal, &was->wal))
		return 1;
	if (same_content(&is.file, &was->file) &&
		same_content(&is.wal, &was->wal))
		return 0;
	if ((rc = verify(ledger, ledger->path)) == 0)
		ledger_note_files(ledger);
	return rc;
}

void
ledger_note_files(struct ledger *ledger)
{
	struct ledger_db is = {.sqlite = NULL};
	struct ledger_db *was = &ledger->db;

	if (ledger_db_look(&is, ledger->path) < 0 ||
		!same_file(&is.file, &was->file) ||
		!same_file(&is.wal, &was->wal))
		return; /* the next look sees that */
	was->file = is.file;
	was->wal = is.wal;
}

int
ledger_check_files(struct ledger *ledger)
{
	int rc;

	/* An earlier attempt went that far and no farther. */
	if (!ledger->db.sqlite) {
		rc = connect_writer(ledger);
		return rc < 0 ? rc : ledger_connect_reader(ledger);
	}
	rc = compare_files(ledger);
	/* What is spoilt on disk may be whole in our cache. */
	return rc == 1 || rc == -EUCLEAN ? restore_files(ledger) : rc;
}
