/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ledger's file was written by a process that reads what attackers wrote.
 * It is opened as that process's user, with SQLite told to trust nothing in it.
 */
#include "command/past.h"

#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command/command.h"
#include "common/xalloc.h"
#include "plugin/ledger_db.h"

#define US INT64_C(1000000)

enum { BUSY_MS = 3000 };

struct past {
	sqlite3 *sqlite;
};

/* The folder's owner, if this is root. */
static int
become_owner(const char *folder)
{
	struct stat st;

	if (stat(folder, &st) < 0)
		return -errno;
	if (geteuid() != 0 || st.st_uid == 0)
		return 0;
	if (setgroups(0, NULL) < 0 ||
		setresgid(st.st_gid, st.st_gid, st.st_gid) < 0 ||
		setresuid(st.st_uid, st.st_uid, st.st_uid) < 0)
		return -errno;
	return 0;
}

static int
open_ledger(const char *folder, sqlite3 **sqlite)
{
	char *path = xasprintf("%s/%s", folder, LEDGER_FILE);
	int code, on = 0;

	code = access(path, R_OK) < 0 ? SQLITE_CANTOPEN
				      : sqlite3_open_v2(path, sqlite,
						SQLITE_OPEN_READONLY, NULL);
	free(path);
	if (code != SQLITE_OK)
		return code;
	(void)sqlite3_busy_timeout(*sqlite, BUSY_MS);
	(void)sqlite3_db_config(*sqlite, SQLITE_DBCONFIG_DEFENSIVE, 1, &on);
	(void)sqlite3_db_config(
		*sqlite, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, &on);
	return sqlite3_exec(*sqlite,
		"PRAGMA query_only = ON; SELECT count(*) FROM meta", NULL, NULL,
		NULL);
}

struct past *
past_open(const char *folder, const char **why)
{
	struct past *past;
	sqlite3 *sqlite = NULL;
	int rc = become_owner(folder);

	if (rc < 0) {
		*why = strerror(-rc);
		return NULL;
	}
	errno = 0;
	rc = open_ledger(folder, &sqlite);
	if (rc != SQLITE_OK) {
		*why = rc == SQLITE_CANTOPEN && errno ? strerror(errno)
						      : sqlite3_errstr(rc);
		(void)sqlite3_close(sqlite);
		return NULL;
	}
	past = xcalloc(1, sizeof(*past));
	past->sqlite = sqlite;
	return past;
}

void
past_close(struct past *past)
{
	if (!past)
		return;
	(void)sqlite3_close(past->sqlite);
	free(past);
}

/* --- rows --- */

static void
add_column(struct fjson_object *row, sqlite3_stmt *statement, int column)
{
	const char *name = sqlite3_column_name(statement, column);

	switch (sqlite3_column_type(statement, column)) {
	case SQLITE_INTEGER:
	case SQLITE_FLOAT:
		add_number(row, name, sqlite3_column_int64(statement, column));
		break;
	case SQLITE_NULL:
		add_text(row, name, NULL);
		break;
	default:
		add_span(row, name,
			(const char *)sqlite3_column_text(statement, column),
			(size_t)sqlite3_column_bytes(statement, column));
		break;
	}
}

static struct fjson_object *
rows_of(struct past *past, sqlite3_stmt *statement)
{
	struct fjson_object *rows = fjson_object_new_array();
	int code;

	(void)past; /* the statement knows it */
	while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
		struct fjson_object *row = fjson_object_new_object();

		for (int i = 0; i < sqlite3_column_count(statement); i++)
			add_column(row, statement, i);
		fjson_object_array_add(rows, row);
	}
	(void)sqlite3_finalize(statement);
	if (code == SQLITE_DONE)
		return rows;
	fjson_object_put(rows);
	return NULL;
}

struct fjson_object *
past_rows(struct past *past, const char *sql, const int64_t *numbers,
	size_t count)
{
	sqlite3_stmt *statement = NULL;

	if (sqlite3_prepare_v2(past->sqlite, sql, -1, &statement, NULL) !=
		SQLITE_OK)
		return NULL;
	for (size_t i = 0; i < count; i++)
		(void)sqlite3_bind_int64(statement, (int)i + 1, numbers[i]);
	return rows_of(past, statement);
}

/* --- of a network --- */

/* Everything within net lies between these. */
static void
bind_range(sqlite3_stmt *statement, const struct network *net)
{
	struct network last = *net;
	uint8_t from[LEDGER_KEY_MAX], to[LEDGER_KEY_MAX];
	uint8_t bits = addr_bits(&net->addr);
	size_t len;

	for (unsigned bit = net->prefix; bit < bits; bit++)
		last.addr.bytes[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	last.prefix = bits;
	len = ledger_key_of(net, from);
	from[len - 1] = 0;
	(void)ledger_key_of(&last, to);
	(void)sqlite3_bind_blob(statement, 1, from, (int)len, SQLITE_TRANSIENT);
	(void)sqlite3_bind_blob(statement, 2, to, (int)len, SQLITE_TRANSIENT);
}

static struct fjson_object *
rows_within(struct past *past, const char *sql, const struct network *net,
	int64_t number)
{
	sqlite3_stmt *statement = NULL;

	if (sqlite3_prepare_v2(past->sqlite, sql, -1, &statement, NULL) !=
		SQLITE_OK)
		return NULL;
	bind_range(statement, net);
	if (sqlite3_bind_parameter_count(statement) > 2)
		(void)sqlite3_bind_int64(statement, 3, number);
	return rows_of(past, statement);
}

struct fjson_object *
past_offences(struct past *past, const struct network *net, size_t most)
{
	return rows_within(past,
		"SELECT * FROM (SELECT time_us / 1000000 AS time, address,"
		" host, tag, user, class, rule, count, counted, msg AS message"
		" FROM offence WHERE client_key BETWEEN ?1 AND ?2"
		" ORDER BY time_us DESC, seq DESC LIMIT ?3) ORDER BY time",
		net, (int64_t)most);
}

static struct fjson_object *
first_row(struct fjson_object *rows)
{
	struct fjson_object *row =
		rows && fjson_object_array_length(rows) > 0
			? fjson_object_get(fjson_object_array_get_idx(rows, 0))
			: NULL;

	fjson_object_put(rows);
	return row;
}

struct fjson_object *
past_offence_total(struct past *past, const struct network *net)
{
	return first_row(rows_within(past,
		"SELECT count(*) AS lines, min(time_us) / 1000000 AS since"
		" FROM offence WHERE client_key BETWEEN ?1 AND ?2",
		net, 0));
}

struct fjson_object *
past_tallies(struct past *past, const struct network *net, int64_t since_s)
{
	return rows_within(past,
		"SELECT class, sum(count * weight) / 100 AS count,"
		" max(time_us) / 1000000 AS last FROM offence"
		" WHERE client_key BETWEEN ?1 AND ?2 AND counted"
		" AND time_us > ?3 * 1000000 GROUP BY class ORDER BY class",
		net, since_s);
}

struct fjson_object *
past_users(struct past *past, const struct network *net)
{
	return rows_within(past,
		"SELECT user, rtrim(rtrim(substr(tag, 1,"
		" CASE instr(tag, '[') WHEN 0 THEN length(tag)"
		" ELSE instr(tag, '[') - 1 END)), ':') AS program, host,"
		" sum(count) AS count, max(time_us) / 1000000 AS last"
		" FROM offence WHERE client_key BETWEEN ?1 AND ?2"
		" AND user IS NOT NULL AND user != ''"
		" GROUP BY 1, 2, 3 ORDER BY count DESC, last DESC LIMIT 10",
		net, 0);
}

/* The keys of what is wider, as SQL: binary of our own making. */
static char *
wider_keys(const struct network *net)
{
	char *list = xstrdup("NULL");

	for (uint8_t prefix = 0; prefix < net->prefix; prefix++) {
		struct network wider = network_of(&net->addr, prefix);
		uint8_t key[LEDGER_KEY_MAX];
		size_t len = ledger_key_of(&wider, key);
		char hex[2 * LEDGER_KEY_MAX + 1], *longer;

		for (size_t i = 0; i < len; i++)
			(void)snprintf(hex + 2 * i, 3, "%02x", key[i]);
		longer = xasprintf("%s,x'%s'", list, hex);
		free(list);
		list = longer;
	}
	return list;
}

#define BAN_COLUMNS                                                            \
	"network AS address, CASE class WHEN 'none' THEN NULL ELSE class END"  \
	" AS class, rule, count, level, begins_us / 1000000 AS \"from\","      \
	" ends_us / 1000000 AS until, origin, author AS by, reason"

struct fjson_object *
past_bans(struct past *past, const struct network *net)
{
	char *wider = wider_keys(net);
	char *sql = xasprintf(
		"SELECT " BAN_COLUMNS ", lifted_us / 1000000 AS lifted,"
		" lifted_by, superseded_us / 1000000 AS superseded FROM ban"
		" WHERE network_key BETWEEN ?1 AND ?2 OR network_key IN (%s)"
		" ORDER BY seq DESC LIMIT 50",
		wider);
	struct fjson_object *rows = rows_within(past, sql, net, 0);

	free(sql);
	free(wider);
	return rows;
}

struct fjson_object *
past_logins(struct past *past, const struct network *net)
{
	return rows_within(past,
		"SELECT user, address, time_us / 1000000 AS time, host, tag"
		" FROM login WHERE client_key BETWEEN ?1 AND ?2"
		" ORDER BY time_us DESC LIMIT 20",
		net, 0);
}

struct fjson_object *
past_bans_in_force(struct past *past, int64_t now_s)
{
	return past_rows(past,
		"SELECT " BAN_COLUMNS " FROM ban WHERE lifted_us IS NULL"
		" AND superseded_us IS NULL"
		" AND (ends_us IS NULL OR ends_us > ?1 * 1000000) ORDER BY seq",
		&now_s, 1);
}
