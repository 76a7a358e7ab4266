/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The connection to SQLite: its statements, its errors as errno, transactions.
 */
#include "plugin/ledger_db.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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
		" counted, user, host, sender, tag, msg, weight, unknown_user,"
		" password) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10,"
		" ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)",
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
	/* What is told late, or again, does not make it older. */
	[LEDGER_ADD_LOGIN] =
		"INSERT INTO login (client_key, user, client, address, time_us,"
		" host, tag) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"
		" ON CONFLICT (client_key, user) DO UPDATE SET"
		" address = excluded.address, time_us = excluded.time_us,"
		" host = excluded.host, tag = excluded.tag"
		" WHERE excluded.time_us > time_us",
	[LEDGER_ADD_EXEMPT] =
		"INSERT INTO exempt (network_key, network, since_us, ends_us,"
		" author, reason, seq) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"
		" ON CONFLICT (network_key) DO UPDATE SET"
		" since_us = excluded.since_us, ends_us = excluded.ends_us,"
		" author = excluded.author, reason = excluded.reason,"
		" seq = excluded.seq WHERE excluded.seq > seq",
	[LEDGER_REMOVE_EXEMPT] =
		"DELETE FROM exempt WHERE network_key = ?1 AND seq < ?2",
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
	[LEDGER_TRIM_LOGINS] =
		"DELETE FROM login WHERE (client_key, user) IN (SELECT"
		" client_key, user FROM login WHERE time_us < ?1"
		" ORDER BY time_us LIMIT " BATCH ")",
	[LEDGER_TRIM_EXEMPTS] = "DELETE FROM exempt WHERE ends_us < ?1",
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
	/* SQLite is content with less than it was asked for. */
	if (rc == 0 && sqlite3_db_readonly(db->sqlite, "main"))
		rc = access(path, W_OK) < 0 ? -errno : -EROFS;
	if (rc == 0)
		rc = ledger_errno(
			db->sqlite, sqlite3_busy_timeout(db->sqlite, 200));
	if (rc == 0)
		rc = ledger_set_up(db->sqlite, key);
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
