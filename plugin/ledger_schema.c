/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ledger's schema and its versions. Times are microseconds since the
 * epoch. Addresses, classes and origins stand there as text, so that an
 * administrator with sqlite3(1) can read them; beside a network stands the
 * binary key under which it is looked up.
 */
#include "plugin/ledger_db.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

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
	"ALTER TABLE offence ADD COLUMN weight INTEGER NOT NULL DEFAULT 100;"
	"ALTER TABLE offence ADD COLUMN unknown_user INTEGER NOT NULL"
	" DEFAULT 0;"
	"ALTER TABLE offence ADD COLUMN password TEXT;"
	/* The newest of each client and user. */
	"CREATE TABLE login ("
	" client_key BLOB NOT NULL,"
	" user TEXT NOT NULL,"
	" client TEXT NOT NULL,"
	" address TEXT NOT NULL,"
	" time_us INTEGER NOT NULL,"
	" host TEXT,"
	" tag TEXT,"
	" PRIMARY KEY (client_key, user)) WITHOUT ROWID;"
	"CREATE INDEX login_time ON login (time_us);"
	"CREATE TABLE exempt ("
	" network_key BLOB PRIMARY KEY,"
	" network TEXT NOT NULL,"
	" since_us INTEGER NOT NULL,"
	" ends_us INTEGER," /* NULL: until it is removed */
	" author TEXT,"
	" reason TEXT,"
	" seq INTEGER NOT NULL) WITHOUT ROWID;",
};
enum { VERSION = sizeof(schema) / sizeof(schema[0]) };

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
	int64_t version = 0;
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
	int64_t id = 0, version = 0, tables = 0;
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

int
ledger_set_up(sqlite3 *sqlite, const struct digest_key *key)
{
	bool empty;
	int64_t rows = 0;
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
