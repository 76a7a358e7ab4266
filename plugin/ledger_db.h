/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Private to the ledger's own files: the connection to SQLite, the schema and
 * its versions, and what the stations (takeover, trim, restore, heal) share.
 * SQLite's codes become errno here.
 */
#ifndef MAILBAN_LEDGER_DB_H
#define MAILBAN_LEDGER_DB_H

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "plugin/ledger.h"

/* "mlbn": PRAGMA application_id, so that file(1) and we know it. */
#define LEDGER_APPLICATION_ID 0x6d6c626e

/* Prepared once a connection. */
enum ledger_statement {
	LEDGER_BEGIN,
	LEDGER_COMMIT,
	LEDGER_ROLLBACK,
	LEDGER_READ_META,
	LEDGER_WRITE_META,
	LEDGER_ADD_OFFENCE,
	LEDGER_HAS_OFFENCE,
	LEDGER_ADD_BAN,
	LEDGER_HAS_BAN,
	LEDGER_SUPERSEDE_BAN,
	LEDGER_LIFT_BAN,
	LEDGER_ADD_LIFT,
	LEDGER_HAS_LIFT,
	LEDGER_ADD_LOGIN,
	LEDGER_ADD_EXEMPT,
	LEDGER_REMOVE_EXEMPT,
	LEDGER_TRIM_OLD,
	LEDGER_TRIM_BANS,
	LEDGER_TRIM_LIFTS,
	LEDGER_TRIM_LOGINS,
	LEDGER_TRIM_EXEMPTS,
	LEDGER_NEXT_BANS,
	LEDGER_NEXT_LIFTS,
	LEDGER_PAGE_SIZE,
	LEDGER_PAGE_COUNT,
	LEDGER_FREE_COUNT,
	LEDGER_VACUUM,
	LEDGER_STATEMENTS
};

struct ledger_db {
	sqlite3 *sqlite;
	sqlite3_stmt *statements[LEDGER_STATEMENTS];
	/* The files behind the connection, to see whether the names still lead
	 * to them. */
	struct stat file, wal;
};

struct ledger_tick {
	void (*call)(void *);
	void *arg;
	int64_t last_ms;
};

struct ledger {
	char *folder, *path;
	int folder_fd;
	struct digest_key key;
	struct ledger_db db; /* the thread's, and the opener's before it runs */
	struct ledger_tick tick;
	uint64_t meta_seq; /* highest seq in db */
	int64_t meta_horizon_us;
	uint64_t bans_trimmed_to, lifts_trimmed_to; /* where trimming walks */
	bool size_reported;

	/* ledger_has: the main thread's own connection; the mutex is taken by
	 * the thread only to replace it. */
	pthread_mutex_t reader_mutex;
	sqlite3 *reader;
	sqlite3_stmt *reader_has;

	pthread_t thread;
	bool running;
	pthread_mutex_t mutex;
	pthread_cond_t wake;
	/* Under the mutex. */
	struct ledger_limits limits;
	bool stop, woken;

	_Atomic uint64_t closed; /* segments up to this one may be taken */
	_Atomic uint64_t taken;	 /* and have been */
	_Atomic uint64_t last_seq, durable_seq;
	_Atomic int64_t horizon_us;
	_Atomic size_t backlog;
	_Atomic int error;
	_Atomic bool lost;
	_Atomic bool corrupt; /* the reader met damage */
};

/* ledger_db.c: a negative errno for what SQLite said. */
int ledger_errno(sqlite3 *sqlite, int code);
/* Opens path, creating it with key when it is not there, and brings its schema
 * to this version. -EUCLEAN: corrupt, or no ledger; -ENOTSUP: of a newer
 * version, not touched. */
int ledger_db_open(
	struct ledger_db *db, const char *path, const struct digest_key *key);
/* Without checkpoint: the files stay as they are. */
void ledger_db_abandon(struct ledger_db *db);
void ledger_db_close(struct ledger_db *db);
/* The files that the name leads to now. */
int ledger_db_look(struct ledger_db *db, const char *path);
/* ledger_schema.c: brings a connection's database to this version, creating
 * what there is not. As ledger_db_open. */
int ledger_set_up(sqlite3 *sqlite, const struct digest_key *key);
/* Runs each step the database lacks, in a transaction of its own. */
int ledger_migrate(sqlite3 *sqlite, const char *const *steps, int count);
/* The version of the last step. */
int ledger_version(void);

/* Steps a statement that gives no row, and resets it. */
int ledger_run(struct ledger_db *db, enum ledger_statement which);
/* Steps one that gives a single number. */
int ledger_number(
	struct ledger_db *db, enum ledger_statement which, int64_t *out);
int ledger_begin(struct ledger_db *db);
/* Commits when rc is 0, else rolls back; rc, or the commit's error. */
int ledger_end(struct ledger_db *db, int rc);
int ledger_read_meta(struct ledger *ledger);

/* Sortable text of a network: all within a network lies between its first and
 * last address. Returns the length, at most LEDGER_KEY_MAX. */
enum { LEDGER_KEY_MAX = 18 };
size_t ledger_key_of(const struct network *net, uint8_t out[LEDGER_KEY_MAX]);
/* False: it is none. */
bool ledger_key_network(const uint8_t *key, size_t len, struct network *out);

/* ledger_heal.c: neither it nor a copy to restore it from is there. */
bool ledger_is_missing(const struct ledger *ledger);
/* Opens both connections, moving a corrupt ledger aside. */
int ledger_connect(struct ledger *ledger, bool *moved);
/* Opens the reader, or opens it anew. */
int ledger_connect_reader(struct ledger *ledger);
/* The file is corrupt: moves it aside and begins a new one. */
int ledger_begin_anew(struct ledger *ledger);
/* Sees whether the files are still there under their names; when not, writes
 * what the deleted ones hold into a new one in their place. What somebody else
 * wrote into them is checked, which takes reading all of it. */
int ledger_check_files(struct ledger *ledger);
/* Notes them as they are, after each write of ours: it is nobody else's. */
void ledger_note_files(struct ledger *ledger);

/* ledger_takeover.c: takes the segments up to last, in order, until deadline_ms
 * (monotonic; 0: none). */
int ledger_take_segments(
	struct ledger *ledger, uint64_t last, int64_t deadline_ms);

/* ledger_restore.c: the records of segments handed over which are not in the
 * ledger; raises last_seq. each may be NULL. */
int ledger_read_segments(struct ledger *ledger,
	void (*each)(const struct record *, void *), void *arg);

/* ledger_trim.c: one small step. 1: there is more to do; 0: nothing now. */
int ledger_trim(struct ledger *ledger, const struct ledger_limits *limits,
	int64_t now_us);

/* ledger.c */
int64_t ledger_monotonic_ms(void);
int64_t ledger_now_us(void);
void ledger_tick(struct ledger *ledger);

#endif
