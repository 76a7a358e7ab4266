/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading back at start: bans, lifts and offences, each table in order of seq,
 * merged into one stream as it was written, so that whoever replays it stands
 * where he stood. What still waits in the journal follows.
 */
#include "plugin/ledger_db.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/journal_file.h"

/* The first three come in order of seq. */
enum source_kind {
	SOURCE_BAN,
	SOURCE_LIFT,
	SOURCE_OFFENCE,
	SOURCES,
	SOURCE_LOGIN = SOURCES,
	SOURCE_EXEMPT,
	ALL_SOURCES
};

/* ?1: the first seq that matters, ?2: the earliest time; for what ends, now. */
static const char *const queries[ALL_SOURCES] = {
	[SOURCE_BAN] =
		"SELECT seq, network_key, begins_us, ends_us, class, rule,"
		" count, level, origin, author, reason FROM ban WHERE seq >= ?1"
		" OR (lifted_us IS NULL AND superseded_us IS NULL AND"
		" (ends_us IS NULL OR ends_us > ?2)) ORDER BY seq",
	[SOURCE_LIFT] = "SELECT seq, network_key, time_us, author, reason"
			" FROM lift WHERE seq >= ?1 ORDER BY seq",
	[SOURCE_OFFENCE] =
		"SELECT seq, client_key, time_us, reported_us, class, rule,"
		" count, digest, address, user, weight, unknown_user, password"
		" FROM offence WHERE seq >= ?1 AND time_us >= ?2 AND counted"
		" ORDER BY seq",
	[SOURCE_LOGIN] = "SELECT 0, client_key, time_us, user, address FROM"
			 " login WHERE time_us >= ?2",
	[SOURCE_EXEMPT] = "SELECT seq, network_key, since_us, ends_us, author,"
			  " reason FROM exempt WHERE ends_us IS NULL OR"
			  " ends_us > ?2",
};

struct source {
	sqlite3_stmt *statement; /* on its current row; NULL at the end */
	int64_t seq;
};

static struct span
column_span(sqlite3_stmt *s, int at)
{
	const char *text = (const char *)sqlite3_column_text(s, at);

	return (struct span){text, (size_t)sqlite3_column_bytes(s, at)};
}

static const char *
column_text(sqlite3_stmt *s, int at)
{
	const char *text = (const char *)sqlite3_column_text(s, at);

	return text ? text : "";
}

static bool
read_head(sqlite3_stmt *s, struct record *out)
{
	const void *key = sqlite3_column_blob(s, 1);

	out->seq = (uint64_t)sqlite3_column_int64(s, 0);
	out->time_us = sqlite3_column_int64(s, 2);
	return ledger_key_network(
		key, (size_t)sqlite3_column_bytes(s, 1), &out->net);
}

static int64_t
column_end(sqlite3_stmt *s, int at)
{
	return sqlite3_column_type(s, at) == SQLITE_NULL
		       ? BAN_PERMANENT
		       : sqlite3_column_int64(s, at);
}

static bool
read_ban(sqlite3_stmt *s, struct record *out)
{
	out->type = RECORD_BAN;
	out->until_us = column_end(s, 3);
	out->class = class_by_name(column_text(s, 4));
	out->rule = column_span(s, 5);
	out->count = (uint32_t)sqlite3_column_int64(s, 6);
	out->level = (uint32_t)sqlite3_column_int64(s, 7);
	out->origin = origin_by_name(column_text(s, 8));
	out->by = column_span(s, 9);
	out->reason = column_span(s, 10);
	return out->class < CLASS_COUNT;
}

static bool
read_lift(sqlite3_stmt *s, struct record *out)
{
	out->type = RECORD_LIFT;
	out->by = column_span(s, 3);
	out->reason = column_span(s, 4);
	return true;
}

static bool
read_offence(sqlite3_stmt *s, struct record *out)
{
	const void *digest = sqlite3_column_blob(s, 7);
	struct span address = column_span(s, 8);

	out->type = RECORD_OFFENCE;
	out->counted = true;
	out->reported_us = sqlite3_column_int64(s, 3);
	out->class = class_by_name(column_text(s, 4));
	out->rule = column_span(s, 5);
	out->count = (uint32_t)sqlite3_column_int64(s, 6);
	out->user = column_span(s, 9);
	out->weight_percent = (uint32_t)sqlite3_column_int64(s, 10);
	out->unknown_user = sqlite3_column_int(s, 11) != 0;
	out->password = column_span(s, 12);
	if (!digest || sqlite3_column_bytes(s, 7) != (int)sizeof(out->digest) ||
		!address.text)
		return false;
	memcpy(&out->digest, digest, sizeof(out->digest));
	return out->class < CLASS_COUNT &&
	       addr_parse(address.text, address.len, &out->addr) == 0;
}

static bool
read_login(sqlite3_stmt *s, struct record *out)
{
	struct span address = column_span(s, 4);

	out->type = RECORD_LOGIN;
	out->user = column_span(s, 3);
	return address.text &&
	       addr_parse(address.text, address.len, &out->addr) == 0;
}

static bool
read_exempt(sqlite3_stmt *s, struct record *out)
{
	out->type = RECORD_EXEMPT;
	out->until_us = column_end(s, 3);
	out->by = column_span(s, 4);
	out->reason = column_span(s, 5);
	return true;
}

/* Rows that an administrator has spoilt by hand are passed over. */
static bool
read_row(enum source_kind kind, sqlite3_stmt *s, struct record *out)
{
	memset(out, 0, sizeof(*out));
	if (!read_head(s, out))
		return false;
	switch (kind) {
	case SOURCE_BAN:
		return read_ban(s, out);
	case SOURCE_LIFT:
		return read_lift(s, out);
	case SOURCE_OFFENCE:
		return read_offence(s, out);
	case SOURCE_LOGIN:
		return read_login(s, out);
	case SOURCE_EXEMPT:
		return read_exempt(s, out);
	case ALL_SOURCES:
		break;
	}
	return false;
}

static int
source_next(struct ledger *ledger, struct source *source)
{
	int code = sqlite3_step(source->statement);

	if (code == SQLITE_ROW) {
		source->seq = sqlite3_column_int64(source->statement, 0);
		return 0;
	}
	(void)sqlite3_finalize(source->statement);
	source->statement = NULL;
	return ledger_errno(ledger->db.sqlite, code);
}

static int
source_open(struct ledger *ledger, enum source_kind kind, int64_t cut,
	const struct ledger_since *since, struct source *out)
{
	int64_t from_us[ALL_SOURCES] = {[SOURCE_BAN] = ledger_now_us(),
		[SOURCE_OFFENCE] = since->offences_us,
		[SOURCE_LOGIN] = since->logins_us,
		[SOURCE_EXEMPT] = ledger_now_us()};
	int code = sqlite3_prepare_v2(
		ledger->db.sqlite, queries[kind], -1, &out->statement, NULL);

	if (code != SQLITE_OK)
		return ledger_errno(ledger->db.sqlite, code);
	/* Not every query has both. */
	(void)sqlite3_bind_int64(out->statement, 1, cut);
	(void)sqlite3_bind_int64(out->statement, 2, from_us[kind]);
	return source_next(ledger, out);
}

static int
find_cut(struct ledger *ledger, const struct ledger_since *since, int64_t *cut)
{
	sqlite3_stmt *statement = NULL;
	int code = sqlite3_prepare_v2(ledger->db.sqlite,
		"SELECT min((SELECT ifnull(min(seq), ?2) FROM offence WHERE"
		" time_us >= ?1), (SELECT ifnull(min(seq), ?2) FROM ban WHERE"
		" begins_us >= ?3))",
		-1, &statement, NULL);

	if (code == SQLITE_OK) {
		(void)sqlite3_bind_int64(statement, 1, since->offences_us);
		(void)sqlite3_bind_int64(statement, 2, INT64_MAX);
		(void)sqlite3_bind_int64(statement, 3, since->bans_us);
		if ((code = sqlite3_step(statement)) == SQLITE_ROW)
			*cut = sqlite3_column_int64(statement, 0);
	}
	(void)sqlite3_finalize(statement);
	return ledger_errno(ledger->db.sqlite, code);
}

static int
merge(struct ledger *ledger, struct source *sources,
	void (*each)(const struct record *, void *), void *arg)
{
	struct record record;
	int rc = 0;

	while (rc == 0) {
		int least = -1;

		for (int i = 0; i < SOURCES; i++)
			if (sources[i].statement &&
				(least < 0 ||
					sources[i].seq < sources[least].seq))
				least = i;
		if (least < 0)
			break;
		if (read_row((enum source_kind)least, sources[least].statement,
			    &record))
			each(&record, arg);
		ledger_tick(ledger);
		rc = source_next(ledger, &sources[least]);
	}
	return rc;
}

static int
restore_one(struct ledger *ledger, enum source_kind kind,
	const struct ledger_since *since,
	void (*each)(const struct record *, void *), void *arg)
{
	struct source source = {NULL, 0};
	struct record record;
	int rc = source_open(ledger, kind, 0, since, &source);

	while (rc == 0 && source.statement) {
		if (read_row(kind, source.statement, &record))
			each(&record, arg);
		ledger_tick(ledger);
		rc = source_next(ledger, &source);
	}
	(void)sqlite3_finalize(source.statement);
	return rc;
}

static int
restore_tables(struct ledger *ledger, const struct ledger_since *since,
	void (*each)(const struct record *, void *), void *arg)
{
	struct source sources[SOURCES] = {{NULL, 0}};
	int64_t cut = INT64_MAX;
	int rc = restore_one(ledger, SOURCE_LOGIN, since, each, arg);

	if (rc == 0)
		rc = restore_one(ledger, SOURCE_EXEMPT, since, each, arg);
	if (rc == 0)
		rc = find_cut(ledger, since, &cut);
	for (int i = 0; i < SOURCES && rc == 0; i++)
		rc = source_open(
			ledger, (enum source_kind)i, cut, since, &sources[i]);
	if (rc == 0)
		rc = merge(ledger, sources, each, arg);
	for (int i = 0; i < SOURCES; i++)
		(void)sqlite3_finalize(sources[i].statement);
	return rc;
}

/* What ledger_open could not take over. */
static int
restore_segment(struct ledger *ledger, uint64_t number,
	void (*each)(const struct record *, void *), void *arg)
{
	struct journal_cursor cursor = {.data = NULL};
	struct record record;
	uint8_t *data = NULL;
	int rc = journal_read(ledger->folder_fd, number, &data, &cursor.len);

	cursor.data = data;
	while (rc == 0 &&
		(rc = journal_next(&cursor, &ledger->key, &record)) > 0) {
		rc = 0;
		if (record.seq <= atomic_load(&ledger->durable_seq))
			continue;
		if (record.seq > atomic_load(&ledger->last_seq))
			atomic_store(&ledger->last_seq, record.seq);
		if (each)
			each(&record, arg);
		ledger_tick(ledger);
	}
	free(data);
	return rc == -ENOENT ? 0 : rc;
}

int
ledger_read_segments(struct ledger *ledger,
	void (*each)(const struct record *, void *), void *arg)
{
	uint64_t *numbers;
	size_t count;
	int rc = journal_list(ledger->folder_fd, &numbers, &count);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < count && rc == 0 && numbers[i] <= ledger->closed;
		i++)
		rc = restore_segment(ledger, numbers[i], each, arg);
	free(numbers);
	return rc;
}

int
ledger_restore(struct ledger *ledger, const struct ledger_since *since,
	void (*each)(const struct record *, void *), void *arg)
{
	int rc = restore_tables(ledger, since, each, arg), error;

	if (rc == -EUCLEAN && (error = ledger_begin_anew(ledger)) < 0)
		return error;
	error = ledger_read_segments(ledger, each, arg);
	return rc < 0 ? rc : error;
}
