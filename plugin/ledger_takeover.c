/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From journal to ledger: a segment is one transaction, and only when that is
 * durable is the segment deleted. Taking one over twice, after a crash between
 * the two, changes nothing.
 */
#include "plugin/ledger_db.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "plugin/journal_file.h"

static void
bind_span(sqlite3_stmt *statement, int at, const struct span *span)
{
	if (span->len)
		(void)sqlite3_bind_text(statement, at, span->text,
			(int)span->len, SQLITE_STATIC);
	else
		(void)sqlite3_bind_null(statement, at);
}

static void
bind_text(sqlite3_stmt *statement, int at, const char *text)
{
	(void)sqlite3_bind_text(statement, at, text, -1, SQLITE_STATIC);
}

static void
bind_number(sqlite3_stmt *statement, int at, int64_t value)
{
	(void)sqlite3_bind_int64(statement, at, value);
}

/* Texts of a record's network and address, alive while they are bound. */
struct texts {
	char network[NETWORK_STRLEN], address[ADDR_STRLEN];
	uint8_t key[LEDGER_KEY_MAX];
	int key_len;
};

static void
make_texts(const struct record *record, struct texts *out)
{
	(void)network_format(&record->net, out->network);
	if (record->type == RECORD_OFFENCE || record->type == RECORD_LOGIN)
		(void)addr_format(&record->addr, out->address);
	out->key_len = (int)ledger_key_of(&record->net, out->key);
}

static void
bind_key(sqlite3_stmt *statement, int at, const struct texts *texts)
{
	(void)sqlite3_bind_blob(
		statement, at, texts->key, texts->key_len, SQLITE_STATIC);
}

static int
add_offence(struct ledger_db *db, const struct record *record,
	const struct texts *texts)
{
	sqlite3_stmt *s = db->statements[LEDGER_ADD_OFFENCE];

	bind_number(s, 1, (int64_t)record->seq);
	(void)sqlite3_bind_blob(s, 2, record->digest.bytes,
		sizeof(record->digest.bytes), SQLITE_STATIC);
	bind_number(s, 3, record->time_us);
	bind_number(s, 4, record->reported_us);
	bind_text(s, 5, texts->network);
	bind_key(s, 6, texts);
	bind_text(s, 7, texts->address);
	bind_text(s, 8, class_name(record->class));
	bind_span(s, 9, &record->rule);
	bind_number(s, 10, record->count);
	bind_number(s, 11, record->counted);
	bind_span(s, 12, &record->user);
	bind_span(s, 13, &record->host);
	bind_span(s, 14, &record->from);
	bind_span(s, 15, &record->tag);
	bind_span(s, 16, &record->msg);
	bind_number(s, 17, record->weight_percent);
	bind_number(s, 18, record->unknown_user);
	bind_span(s, 19, &record->password);
	return ledger_run(db, LEDGER_ADD_OFFENCE);
}

static void
bind_end(sqlite3_stmt *s, int at, int64_t until_us)
{
	if (until_us == BAN_PERMANENT)
		(void)sqlite3_bind_null(s, at);
	else
		bind_number(s, at, until_us);
}

/* An earlier ban or lift of the same network ends with this one. */
static void
bind_act(
	sqlite3_stmt *s, const struct record *record, const struct texts *texts)
{
	bind_number(s, 1, (int64_t)record->seq);
	bind_key(s, 2, texts);
	bind_number(s, 3, record->time_us);
}

static int
add_ban(struct ledger_db *db, const struct record *record,
	const struct texts *texts)
{
	sqlite3_stmt *s = db->statements[LEDGER_ADD_BAN];
	int rc;

	bind_act(db->statements[LEDGER_SUPERSEDE_BAN], record, texts);
	if ((rc = ledger_run(db, LEDGER_SUPERSEDE_BAN)) < 0)
		return rc;
	bind_number(s, 1, (int64_t)record->seq);
	bind_text(s, 2, texts->network);
	bind_key(s, 3, texts);
	bind_number(s, 4, record->time_us);
	bind_end(s, 5, record->until_us);
	bind_text(s, 6, class_name(record->class));
	bind_span(s, 7, &record->rule);
	bind_number(s, 8, record->count);
	bind_number(s, 9, record->level);
	bind_text(s, 10, origin_name(record->origin));
	bind_span(s, 11, &record->by);
	bind_span(s, 12, &record->reason);
	return ledger_run(db, LEDGER_ADD_BAN);
}

static int
add_lift(struct ledger_db *db, const struct record *record,
	const struct texts *texts)
{
	sqlite3_stmt *s = db->statements[LEDGER_LIFT_BAN];
	int rc;

	bind_act(s, record, texts);
	bind_span(s, 4, &record->by);
	if ((rc = ledger_run(db, LEDGER_LIFT_BAN)) < 0)
		return rc;
	s = db->statements[LEDGER_ADD_LIFT];
	bind_number(s, 1, (int64_t)record->seq);
	bind_text(s, 2, texts->network);
	bind_key(s, 3, texts);
	bind_number(s, 4, record->time_us);
	bind_span(s, 5, &record->by);
	bind_span(s, 6, &record->reason);
	return ledger_run(db, LEDGER_ADD_LIFT);
}

static int
add_login(struct ledger_db *db, const struct record *record,
	const struct texts *texts)
{
	sqlite3_stmt *s = db->statements[LEDGER_ADD_LOGIN];

	bind_key(s, 1, texts);
	(void)sqlite3_bind_text(s, 2, record->user.len ? record->user.text : "",
		(int)record->user.len, SQLITE_STATIC);
	bind_text(s, 3, texts->network);
	bind_text(s, 4, texts->address);
	bind_number(s, 5, record->time_us);
	bind_span(s, 6, &record->host);
	bind_span(s, 7, &record->tag);
	return ledger_run(db, LEDGER_ADD_LOGIN);
}

static int
add_exempt(struct ledger_db *db, const struct record *record,
	const struct texts *texts)
{
	sqlite3_stmt *s = db->statements[LEDGER_ADD_EXEMPT];

	bind_key(s, 1, texts);
	bind_text(s, 2, texts->network);
	bind_number(s, 3, record->time_us);
	bind_end(s, 4, record->until_us);
	bind_span(s, 5, &record->by);
	bind_span(s, 6, &record->reason);
	bind_number(s, 7, (int64_t)record->seq);
	return ledger_run(db, LEDGER_ADD_EXEMPT);
}

static int
remove_exempt(struct ledger_db *db, const struct record *record,
	const struct texts *texts)
{
	sqlite3_stmt *s = db->statements[LEDGER_REMOVE_EXEMPT];

	bind_key(s, 1, texts);
	bind_number(s, 2, (int64_t)record->seq);
	return ledger_run(db, LEDGER_REMOVE_EXEMPT);
}

static int
has_record(struct ledger_db *db, const struct record *record,
	const struct texts *texts, int64_t *out)
{
	enum ledger_statement which = LEDGER_HAS_OFFENCE;
	sqlite3_stmt *s = db->statements[which];

	if (record->type == RECORD_OFFENCE) {
		(void)sqlite3_bind_blob(s, 1, record->digest.bytes,
			sizeof(record->digest.bytes), SQLITE_STATIC);
		return ledger_number(db, which, out);
	}
	which = record->type == RECORD_BAN ? LEDGER_HAS_BAN : LEDGER_HAS_LIFT;
	s = db->statements[which];
	bind_number(s, 1, (int64_t)record->seq);
	bind_key(s, 2, texts);
	return ledger_number(db, which, out);
}

/* How far a transaction in progress has come. */
struct progress {
	uint64_t seq;
	int64_t horizon_us;
};

static void
advance(struct progress *progress, const struct record *record)
{
	if (record->seq > progress->seq)
		progress->seq = record->seq;
	if (record->type != RECORD_OFFENCE)
		return;
	if (record->time_us > progress->horizon_us)
		progress->horizon_us = record->time_us;
	if (record->reported_us > progress->horizon_us)
		progress->horizon_us = record->reported_us;
}

static int
add_record(struct ledger_db *db, const struct record *record,
	const struct texts *texts)
{
	switch (record->type) {
	case RECORD_OFFENCE:
		return add_offence(db, record, texts);
	case RECORD_BAN:
		return add_ban(db, record, texts);
	case RECORD_LIFT:
		return add_lift(db, record, texts);
	case RECORD_LOGIN:
		return add_login(db, record, texts);
	case RECORD_EXEMPT:
		return add_exempt(db, record, texts);
	case RECORD_UNEXEMPT:
		return remove_exempt(db, record, texts);
	}
	return 0;
}

static int
take_record(
	struct ledger *ledger, struct record *record, struct progress *progress)
{
	struct ledger_db *db = &ledger->db;
	struct texts texts;
	int rc;

	make_texts(record, &texts);
	/* Logins and exempt networks may be taken again, they say what is. The
	 * others: taken before; or, where the ledger is not the one that this
	 * journal was written for, another record has its number. */
	if (record->seq <= progress->seq && record->type <= RECORD_LIFT) {
		int64_t count;

		if ((rc = has_record(db, record, &texts, &count)) < 0)
			return rc;
		if (count)
			return 0;
		record->seq = progress->seq + 1;
	}
	rc = add_record(db, record, &texts);
	advance(progress, record);
	ledger_tick(ledger);
	return rc;
}

static int
write_meta(struct ledger_db *db, const struct progress *progress)
{
	sqlite3_stmt *s = db->statements[LEDGER_WRITE_META];

	bind_number(s, 1, (int64_t)progress->seq);
	bind_number(s, 2, progress->horizon_us);
	return ledger_run(db, LEDGER_WRITE_META);
}

static int
take_records(struct ledger *ledger, struct journal_cursor *cursor)
{
	struct progress progress = {ledger->meta_seq, ledger->meta_horizon_us};
	struct record record;
	int rc = ledger_begin(&ledger->db);

	if (rc < 0)
		return rc;
	while ((rc = journal_next(cursor, &ledger->key, &record)) > 0)
		if ((rc = take_record(ledger, &record, &progress)) < 0)
			break;
	if (rc == 0)
		rc = write_meta(&ledger->db, &progress);
	if ((rc = ledger_end(&ledger->db, rc)) < 0)
		return rc;
	ledger->meta_seq = progress.seq;
	ledger->meta_horizon_us = progress.horizon_us;
	return 0;
}

static int
take_segment(struct ledger *ledger, uint64_t number)
{
	struct journal_cursor cursor = {.data = NULL};
	uint8_t *data = NULL;
	int rc = journal_read(ledger->folder_fd, number, &data, &cursor.len);

	if (rc == -ENOENT)
		return 0;
	cursor.data = data;
	if (rc == 0 && cursor.len)
		rc = take_records(ledger, &cursor);
	free(data);
	if (rc < 0)
		return rc;
	if (!cursor.damaged)
		return journal_unlink(ledger->folder_fd, number);
	log_err("journal segment=%llu damaged, whole records taken, "
		"moved_to=%s/damaged.%020llu",
		(unsigned long long)number, ledger->folder,
		(unsigned long long)number);
	return journal_move_aside(ledger->folder_fd, number);
}

static void
publish(struct ledger *ledger)
{
	atomic_store(&ledger->durable_seq, ledger->meta_seq);
	if (ledger->meta_seq > atomic_load(&ledger->last_seq))
		atomic_store(&ledger->last_seq, ledger->meta_seq);
	atomic_store(&ledger->horizon_us, ledger->meta_horizon_us);
}

int
ledger_take_segments(struct ledger *ledger, uint64_t last, int64_t deadline_ms)
{
	uint64_t *numbers;
	size_t count, taken = 0;
	int rc = journal_list(ledger->folder_fd, &numbers, &count);

	if (rc < 0)
		return rc;
	while (count && numbers[count - 1] > last)
		count--;
	atomic_store(&ledger->backlog, count);
	for (; taken < count && rc == 0; taken++) {
		if (deadline_ms && ledger_monotonic_ms() >= deadline_ms)
			break;
		if ((rc = take_segment(ledger, numbers[taken])) < 0)
			break;
		atomic_store(&ledger->backlog, count - taken - 1);
		ledger_note_files(ledger);
		publish(ledger);
	}
	free(numbers);
	if (taken == count)
		atomic_store(&ledger->taken, last);
	if (taken && fsync(ledger->folder_fd) < 0 && rc == 0)
		rc = -errno;
	return rc;
}
