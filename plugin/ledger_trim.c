/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keeping the ledger within its age and size, by steps of a few hundred rows
 * and pages, each a transaction of its own. Never removes a ban in force.
 */
#include "plugin/ledger_db.h"

#include <errno.h>

#include "common/log.h"

/* Free pages up to a tenth of the file stay for what comes next: giving them
 * back and asking for them again would write each page twice. */
enum { SLACK_PAGES = 512, SLACK_PART = 10 };

struct size {
	int64_t page_bytes, pages, free_pages;
};

static int
read_size(struct ledger_db *db, struct size *out)
{
	int rc = ledger_number(db, LEDGER_PAGE_SIZE, &out->page_bytes);

	if (rc == 0)
		rc = ledger_number(db, LEDGER_PAGE_COUNT, &out->pages);
	if (rc == 0)
		rc = ledger_number(db, LEDGER_FREE_COUNT, &out->free_pages);
	return rc;
}

/* Of a table that knows by an index what is old. */
static int
trim_before(
	struct ledger_db *db, enum ledger_statement which, int64_t before_us)
{
	(void)sqlite3_bind_int64(db->statements[which], 1, before_us);
	return ledger_run(db, which);
}

/* The next few hundred rows of a table in order of seq, then from the first
 * again: those over before before_us go. */
static int
trim_walk(struct ledger_db *db, enum ledger_statement next,
	enum ledger_statement trim, uint64_t *from, int64_t before_us)
{
	sqlite3_stmt *statement = db->statements[trim];
	int64_t to;
	int rc;

	(void)sqlite3_bind_int64(db->statements[next], 1, (int64_t)*from);
	if ((rc = ledger_number(db, next, &to)) < 0)
		return rc;
	(void)sqlite3_bind_int64(statement, 1, (int64_t)*from);
	(void)sqlite3_bind_int64(statement, 2, to);
	(void)sqlite3_bind_int64(statement, 3, before_us);
	if (to && (rc = ledger_run(db, trim)) < 0)
		return rc;
	*from = (uint64_t)to;
	return 0;
}

static int
trim_rows(struct ledger *ledger, int64_t before_us, bool too_big, int *removed)
{
	struct ledger_db *db = &ledger->db;
	int start = sqlite3_total_changes(db->sqlite), rc;

	/* The oldest of all when it is too big. */
	rc = trim_before(db, LEDGER_TRIM_OLD, too_big ? INT64_MAX : before_us);
	if (rc == 0)
		rc = trim_before(db, LEDGER_TRIM_LOGINS, before_us);
	if (rc == 0)
		rc = trim_before(db, LEDGER_TRIM_EXEMPTS, before_us);
	if (rc == 0)
		rc = trim_walk(db, LEDGER_NEXT_BANS, LEDGER_TRIM_BANS,
			&ledger->bans_trimmed_to, before_us);
	if (rc == 0)
		rc = trim_walk(db, LEDGER_NEXT_LIFTS, LEDGER_TRIM_LIFTS,
			&ledger->lifts_trimmed_to, before_us);
	*removed = sqlite3_total_changes(db->sqlite) - start;
	return rc;
}

static void
report_size(struct ledger *ledger, int64_t limit, bool stuck)
{
	if (stuck && !ledger->size_reported)
		log_warn("ledger over_size_bytes=%lld: no offences are left to "
			 "trim, bans in force alone need more",
			(long long)limit);
	ledger->size_reported = stuck;
}

int
ledger_trim(struct ledger *ledger, const struct ledger_limits *limits,
	int64_t now_us)
{
	struct ledger_db *db = &ledger->db;
	struct size size;
	int64_t allowed, used;
	int removed = 0, rc = read_size(db, &size);

	if (rc < 0)
		return rc;
	allowed = limits->size_bytes / size.page_bytes;
	used = size.pages - size.free_pages;
	if ((rc = ledger_begin(db)) < 0)
		return rc;
	rc = trim_rows(
		ledger, now_us - limits->age_us, used > allowed, &removed);
	if ((rc = ledger_end(db, rc)) < 0)
		return rc;
	if (removed)
		ledger_note_files(ledger);
	report_size(ledger, limits->size_bytes, used > allowed && removed == 0);
	if (removed >= 100)
		return 1;
	if (size.free_pages <= size.pages / SLACK_PART + SLACK_PAGES &&
		(size.pages <= allowed || size.free_pages == 0))
		return 0;
	rc = ledger_run(db, LEDGER_VACUUM);
	ledger_note_files(ledger);
	return rc < 0 ? rc : 1;
}
