/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The connection to SQLite and the schema. Times are microseconds since the
 * epoch. Addresses, classes and origins stand there as text, so that an
 * administrator with sqlite3(1) can read them; beside a network stands the
 * binary key under which it is looked up.
 */
#include "plugin/ledger_db.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* One step a version, the first one from an empty file. A step that has been
 * released is never changed: append another. */
static const char *const schema[] = {
	"PRAGMA application_id = 1835819630;" /* LEDGER_APPLICATION_ID */
	"CREATE TABLE meta ("
	" one INTEGER PRIMARY KEY CHECK (one = 1),"
	" digest_key BLOB NOT NULL,"
	" last_seq INTEGER NOT NULL,"
	" horizon_us INTEGER NOT NULL);"
	"CREATE TABLE offence ("
	" seq INTEGER PRIMARY KEY,"
	" digest BLOB NOT NULL UNIQUE,"
	" time_us INTEGER NOT NULL,"
	" reported_us INTEGER NOT NULL,"
	" client TEXT NOT NULL,"
	" client_key BLOB NOT NULL,"
	" address TEXT NOT NULL,"
	" class TEXT NOT NULL,"
	" rule TEXT,"
	" count INTEGER NOT NULL,"
	" counted INTEGER NOT NULL,"
	" user TEXT,"
	" host TEXT,"
	" sender TEXT,"
	" tag TEXT,"
	" msg TEXT);"
	"CREATE INDEX offence_client ON offence (client_key, time_us);"
	"CREATE INDEX offence_time ON offence (time_us);"
	"CREATE TABLE ban ("
	" seq INTEGER PRIMARY KEY,"
	" network TEXT NOT NULL,"
	" network_key BLOB NOT NULL,"
	" begins_us INTEGER NOT NULL,"
	" ends_us INTEGER," /* NULL: permanent */
	" class TEXT NOT NULL,"
	" rule TEXT,"
	" count INTEGER NOT NULL,"
	" level INTEGER NOT NULL,"
	" origin TEXT NOT NULL,"
	" author TEXT,"
	" reason TEXT,"
	" lifted_us INTEGER,"
	" lifted_by TEXT,"
	" superseded_us INTEGER,"
	" superseded_by INTEGER);" /* seq of the later ban */
	"CREATE INDEX ban_network ON ban (network_key, seq);"
	"CREATE TABLE lift ("
	" seq INTEGER PRIMARY KEY,"
	" network TEXT NOT NULL,"
	" network_key BLOB NOT NULL,"
	" time_us INTEGER NOT NULL,"
	" author TEXT,"
	" reason TEXT);"
	"CREATE INDEX lift_network ON lift (network_key, seq);"
	"CREATE VIEW ban_in_force AS"
	" SELECT network, datetime(begins_us / 1000000, 'unixepoch') AS begins,"
	" ifnull(datetime(ends_us / 1000000, 'unixepoch'), 'never') AS ends,"
	" class, rule, count, level, origin, author, reason FROM ban"
	" WHERE lifted_us IS NULL AND superseded_us IS NULL AND (ends_us IS"
	" NULL OR ends_us > CAST(strftime('%s', 'now') AS INTEGER) * 1000000);"
	"CREATE VIEW offence_readable AS"
	" SELECT seq, datetime(time_us / 1000000, 'unixepoch') AS time, client,"
	" address, class, rule, count, counted, user, host, tag, msg"
	" FROM offence;",
};
enum { VERSION = sizeof(schema) / sizeof(schema[0]) };

#define BATCH "500"

static const char *const sql[LEDGER_STATEMENTS] = {
	[LEDGER_BEGIN] = "BEGIN IMMEDIATE",
	[LEDGER_COMMIT] = "COMMIT",
	[LEDGER_ROLLBACK] = "ROLLBACK",
	[LEDGER_READ_META] = "SELECT last_seq, horizon_us FROM meta",
	[LEDGER_WRITE_META] = "UPDATE meta SET last_seq = ?1, horizon_us = ?2",
	[LEDGER_ADD_OFFENCE] =
		"INSERT OR IGNORE INTO offence (seq, digest, time_us,"
		" reported_us, client, client_key, address, class, rule, count,"
		" counted, user, host, sender, tag, msg) VALUES"
		" (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14,"
		" ?15, ?16)",
	[LEDGER_HAS_OFFENCE] = "SELECT count(*) FROM offence WHERE digest = ?1",
	[LEDGER_ADD_BAN] =
		"INSERT OR IGNORE INTO ban (seq, network, network_key,"
		" begins_us, ends_us, class, rule, count, level, origin,"
		" author, reason) VALUES"
		" (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
	[LEDGER_HAS_BAN] = "SELECT count(*) FROM ban WHERE seq = ?1 AND"
			   " network_key = ?2",
	[LEDGER_SUPERSEDE_BAN] =
		"UPDATE ban SET superseded_us = ?3, superseded_by = ?1"
		" WHERE network_key = ?2 AND seq < ?1 AND lifted_us IS NULL AND"
		" superseded_us IS NULL AND (ends_us IS NULL OR ends_us > ?3)",
	[LEDGER_LIFT_BAN] =
		"UPDATE ban SET lifted_us = ?3, lifted_by = ?4"
		" WHERE network_key = ?2 AND seq < ?1 AND lifted_us IS NULL AND"
		" superseded_us IS NULL AND (ends_us IS NULL OR ends_us > ?3)",
	[LEDGER_ADD_LIFT] = "INSERT OR IGNORE INTO lift (seq, network,"
			    " network_key, time_us, author, reason) VALUES"
			    " (?1, ?2, ?3, ?4, ?5, ?6)",
	[LEDGER_HAS_LIFT] = "SELECT count(*) FROM lift WHERE seq = ?1 AND"
			    " network_key = ?2",
	[LEDGER_TRIM_OLD] =
		"DELETE FROM offence WHERE seq IN (SELECT seq FROM offence"
		" WHERE time_us < ?1 ORDER BY time_us LIMIT " BATCH ")",
	/* A lifted or superseded ban was over then; others at their end. One
	 * that never ends has no such time, and stays. */
	[LEDGER_TRIM_BANS] =
		"DELETE FROM ban WHERE seq > ?1 AND seq <= ?2 AND"
		" coalesce(lifted_us, superseded_us, ends_us) < ?3",
	[LEDGER_TRIM_LIFTS] = "DELETE FROM lift WHERE seq > ?1 AND seq <= ?2"
			      " AND time_us < ?3",
	[LEDGER_NEXT_BANS] =
		"SELECT ifnull(max(seq), 0) FROM (SELECT seq FROM"
		" ban WHERE seq > ?1 ORDER BY seq LIMIT " BATCH ")",
	[LEDGER_NEXT_LIFTS] =
		"SELECT ifnull(max(seq), 0) FROM (SELECT seq FROM"
		" lift WHERE seq > ?1 ORDER BY seq LIMIT " BATCH ")",
	[LEDGER_PAGE_SIZE] = "PRAGMA page_size",
	[LEDGER_PAGE_COUNT] = "PRAGMA page_count",
	[LEDGER_FREE_COUNT] = "PRAGMA freelist_count",
	[LEDGER_VACUUM] = "PRAGMA incremental_vacuum(256)",
};

int
ledger_errno(sqlite3 *sqlite, int code)
{
	int error = sqlite ? sqlite3_system_errno(sqlite) : 0;

	switch (code & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return 0;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_PROTOCOL:
		return -EBUSY;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EUCLEAN;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_PERM:
		return -EACCES;
	case SQLITE_CANTOPEN:
	case SQLITE_IOERR:
		return error > 0 ? -error : -EIO;
	default:
		return -EIO;
	}
}

static int
execute(sqlite3 *sqlite, const char *text)
{
	return ledger_errno(
		sqlite, sqlite3_exec(sqlite, text, NULL, NULL, NULL));
}

static int
ask(sqlite3 *sqlite, const char *text, int64_t *out)
{
	sqlite3_stmt *statement = NULL;
	int code = sqlite3_prepare_v2(sqlite, text, -1, &statement, NULL);

	if (code == SQLITE_OK && (code = sqlite3_step(statement)) == SQLITE_ROW)
		*out = sqlite3_column_int64(statement, 0);
	(void)sqlite3_finalize(statement);
	return code == SQLITE_ROW    ? 0
	       : code == SQLITE_DONE ? -EIO
				     : ledger_errno(sqlite, code);
}

int
ledger_version(void)
{
	return VERSION;
}

static int
migrate_one(sqlite3 *sqlite, const char *step, int version)
{
	char text[64];
	int rc;

	(void)snprintf(text, sizeof(text), "PRAGMA user_version = %d", version);
	if ((rc = execute(sqlite, "BEGIN IMMEDIATE")) < 0)
		return rc;
	if ((rc = execute(sqlite, step)) == 0 &&
		(rc = execute(sqlite, text)) == 0)
		rc = execute(sqlite, "COMMIT");
	if (rc < 0 && !sqlite3_get_autocommit(sqlite))
		(void)execute(sqlite, "ROLLBACK"); /* rc says why */
	return rc;
}

int
ledger_migrate(sqlite3 *sqlite, const char *const *steps, int count)
{
	int64_t version;
	int rc = ask(sqlite, "PRAGMA user_version", &version);

	if (rc == 0 && version > count)
		return -ENOTSUP;
	for (; rc == 0 && version < count; version++)
		rc = migrate_one(sqlite, steps[version], (int)version + 1);
	return rc;
}

/* 0: a ledger, or an empty file. */
static int
check_kind(sqlite3 *sqlite, bool *empty)
{
	int64_t id, version, tables;
	int rc;

	if ((rc = ask(sqlite, "SELECT count(*) FROM sqlite_schema", &tables)) <
			0 ||
		(rc = ask(sqlite, "PRAGMA application_id", &id)) < 0 ||
		(rc = ask(sqlite, "PRAGMA user_version", &version)) < 0)
		return rc;
	*empty = tables == 0 && id == 0 && version == 0;
	if (!*empty && id != LEDGER_APPLICATION_ID)
		return -EUCLEAN;
	return version > VERSION ? -ENOTSUP : 0;
}

static int
set_wal(sqlite3 *sqlite)
{
	sqlite3_stmt *statement = NULL;
	int code = sqlite3_prepare_v2(
		sqlite, "PRAGMA journal_mode = WAL", -1, &statement, NULL);
	const char *mode = NULL;
	bool wal;

	if (code == SQLITE_OK && (code = sqlite3_step(statement)) == SQLITE_ROW)
		mode = (const char *)sqlite3_column_text(statement, 0);
	wal = mode && strcmp(mode, "wal") == 0;
	(void)sqlite3_finalize(statement);
	if (code == SQLITE_ROW)
		return wal ? 0 : -ENOLCK;
	return ledger_errno(sqlite, code);
}

static int
write_first_meta(sqlite3 *sqlite, const struct digest_key *key)
{
	sqlite3_stmt *statement = NULL;
	int code = sqlite3_prepare_v2(sqlite,
		"INSERT INTO meta (one, digest_key, last_seq, horizon_us)"
		" SELECT 1, ?1, 0, ?2 WHERE NOT EXISTS (SELECT 1 FROM meta)",
		-1, &statement, NULL);

	if (code == SQLITE_OK) {
		(void)sqlite3_bind_blob(statement, 1, key->bytes,
			sizeof(key->bytes), SQLITE_STATIC);
		(void)sqlite3_bind_int64(statement, 2, INT64_MIN);
		code = sqlite3_step(statement);
	}
	(void)sqlite3_finalize(statement);
	return ledger_errno(sqlite, code);
}

static int
set_up(sqlite3 *sqlite, const struct digest_key *key)
{
	bool empty;
	int64_t rows;
	int rc = check_kind(sqlite, &empty);

	/* Takes hold only while there is nothing in the file. */
	if (rc == 0 && empty)
		rc = execute(sqlite, "PRAGMA auto_vacuum = INCREMENTAL");
	if (rc == 0)
		rc = set_wal(sqlite);
	if (rc == 0)
		rc = execute(sqlite, "PRAGMA synchronous = FULL;"
				     "PRAGMA journal_size_limit = 8388608;"
				     "PRAGMA cache_size = -16384;"
				     "PRAGMA temp_store = MEMORY;"
				     "PRAGMA trusted_schema = OFF");
	if (rc == 0)
		rc = ledger_migrate(sqlite, schema, VERSION);
	if (rc == 0)
		rc = ask(sqlite, "SELECT count(*) FROM meta", &rows);
	if (rc == 0 && rows == 0)
		rc = write_first_meta(sqlite, key);
	return rc;
}

static int
prepare_all(struct ledger_db *db)
{
	for (int i = 0; i < LEDGER_STATEMENTS; i++) {
		int code = sqlite3_prepare_v3(db->sqlite, sql[i], -1,
			SQLITE_PREPARE_PERSISTENT, &db->statements[i], NULL);

		if (code != SQLITE_OK)
			return ledger_errno(db->sqlite, code);
	}
	return 0;
}

int
ledger_db_look(struct ledger_db *db, const char *path)
{
	char wal[4096];

	if (snprintf(wal, sizeof(wal), "%s-wal", path) >= (int)sizeof(wal))
		return -ENAMETOOLONG;
	if (stat(path, &db->file) < 0 || stat(wal, &db->wal) < 0)
		return -errno;
	return 0;
}

/* SQLite would make it readable for all; its -wal and -shm take the mode of
 * the file itself. */
static int
create_private(const char *path)
{
	int fd = open(
		path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return errno == EEXIST ? 0 : -errno;
	(void)close(fd);
	return 0;
}

int
ledger_db_open(
	struct ledger_db *db, const char *path, const struct digest_key *key)
{
	int rc = create_private(path);

	memset(db, 0, sizeof(*db));
	if (rc < 0)
		return rc;
	rc = ledger_errno(NULL,
		sqlite3_open_v2(path, &db->sqlite,
			SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL));
	if (rc == 0)
		rc = ledger_errno(
			db->sqlite, sqlite3_busy_timeout(db->sqlite, 200));
	if (rc == 0)
		rc = set_up(db->sqlite, key);
	if (rc == 0)
		rc = prepare_all(db);
	if (rc == 0)
		rc = ledger_db_look(db, path);
	if (rc < 0)
		ledger_db_abandon(db);
	return rc;
}

void
ledger_db_close(struct ledger_db *db)
{
	for (int i = 0; i < LEDGER_STATEMENTS; i++)
		(void)sqlite3_finalize(db->statements[i]);
	(void)sqlite3_close(db->sqlite);
	memset(db, 0, sizeof(*db));
}

void
ledger_db_abandon(struct ledger_db *db)
{
	if (db->sqlite)
		(void)sqlite3_db_config(
			db->sqlite, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	ledger_db_close(db);
}

int
ledger_run(struct ledger_db *db, enum ledger_statement which)
{
	sqlite3_stmt *statement = db->statements[which];
	int code;

	do
		code = sqlite3_step(statement);
	while (code == SQLITE_ROW);
	code = ledger_errno(db->sqlite, code);
	(void)sqlite3_reset(statement); /* gives the step's code again */
	return code;
}

int
ledger_number(struct ledger_db *db, enum ledger_statement which, int64_t *out)
{
	sqlite3_stmt *statement = db->statements[which];
	int code = sqlite3_step(statement);
	int rc = code == SQLITE_DONE ? -EIO : ledger_errno(db->sqlite, code);

	if (code == SQLITE_ROW)
		*out = sqlite3_column_int64(statement, 0);
	(void)sqlite3_reset(statement);
	return rc;
}

int
ledger_begin(struct ledger_db *db)
{
	/* A rollback that failed is made up for. */
	if (!sqlite3_get_autocommit(db->sqlite))
		(void)ledger_run(db, LEDGER_ROLLBACK);
	return ledger_run(db, LEDGER_BEGIN);
}

int
ledger_end(struct ledger_db *db, int rc)
{
	if (rc == 0)
		rc = ledger_run(db, LEDGER_COMMIT);
	/* Some errors roll back by themselves. */
	if (rc < 0 && !sqlite3_get_autocommit(db->sqlite))
		(void)ledger_run(db, LEDGER_ROLLBACK);
	return rc;
}

int
ledger_read_meta(struct ledger *ledger)
{
	sqlite3_stmt *statement = ledger->db.statements[LEDGER_READ_META];
	int code = sqlite3_step(statement);
	int rc = code == SQLITE_DONE ? -EUCLEAN
				     : ledger_errno(ledger->db.sqlite, code);

	if (code == SQLITE_ROW) {
		ledger->meta_seq = (uint64_t)sqlite3_column_int64(statement, 0);
		ledger->meta_horizon_us = sqlite3_column_int64(statement, 1);
	}
	(void)sqlite3_reset(statement);
	return rc;
}

size_t
ledger_key_of(const struct network *net, uint8_t out[LEDGER_KEY_MAX])
{
	size_t bytes = addr_bits(&net->addr) / 8;

	out[0] = net->addr.family;
	memcpy(out + 1, net->addr.bytes, bytes);
	out[1 + bytes] = net->prefix;
	return bytes + 2;
}

bool
ledger_key_network(const uint8_t *key, size_t len, struct network *out)
{
	struct network net = {.prefix = 0};
	size_t bytes;

	if (!key || len < 2 || (key[0] != ADDR_V4 && key[0] != ADDR_V6))
		return false;
	net.addr.family = key[0];
	bytes = addr_bits(&net.addr) / 8;
	if (len != bytes + 2 || key[len - 1] > bytes * 8)
		return false;
	memcpy(net.addr.bytes, key + 1, bytes);
	net.prefix = key[len - 1];
	*out = net;
	return true;
}
