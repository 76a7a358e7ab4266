/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ledger: takeover, restore, trim, and what becomes of it when SQLite
 * fails, the process dies at any step, or somebody deletes, replaces or spoils
 * the file. Linked with --wrap=sqlite3_step.
 */
#include "plugin/ledger.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

#include "plugin/journal_file.h"
#include "plugin/ledger_db.h"
#include "plugin/state.h"
#include "tests/unit/folder.h"

#define US INT64_C(1000000)
#define NOW (ledger_now_us())
#define DAY (86400 * US)

/* Of sqlite3_step's calls from now on: the one that fails or kills. */
static _Atomic int step_calls, fail_at, fail_times, kill_at;
static _Atomic int full_checks; /* of the whole ledger */
static int fail_code;
static bool fail_after; /* it was done, and is said to have failed */

int __real_sqlite3_step(sqlite3_stmt *statement);
int __wrap_sqlite3_step(sqlite3_stmt *statement);

int
__wrap_sqlite3_step(sqlite3_stmt *statement)
{
	int call = atomic_fetch_add(&step_calls, 1) + 1;

	if (strstr(sqlite3_sql(statement), "quick_check"))
		full_checks++;
	if (kill_at && call == kill_at)
		_exit(9);
	if (!fail_at || call < fail_at || call >= fail_at + fail_times)
		return __real_sqlite3_step(statement);
	if (fail_after)
		(void)__real_sqlite3_step(statement);
	return fail_code;
}

static void
fail_from(int at, int times, int code, bool after)
{
	step_calls = 0;
	fail_code = code;
	fail_after = after;
	fail_times = times;
	fail_at = at;
}

struct fixture {
	char *folder;
	int fd, ticks;
	bool moved;
	struct digest_key key;
	struct ledger_limits limits;
	struct ledger *ledger;
	struct journal *journal;
};

static void
count_tick(void *arg)
{
	struct fixture *f = arg;

	f->ticks++;
}

static int
open_both(struct fixture *f, char **error)
{
	f->ledger = ledger_open(f->folder, &f->limits, &f->key, count_tick, f,
		&f->moved, error);
	if (!f->ledger)
		return -1;
	f->journal = journal_open(f->fd, &f->key, error);
	return f->journal ? 0 : -1;
}

static void
close_both(struct fixture *f)
{
	journal_close(f->journal);
	ledger_close(f->ledger);
	f->journal = NULL;
	f->ledger = NULL;
}

static void
reopen(struct fixture *f)
{
	char *error = NULL;

	close_both(f);
	if (open_both(f, &error) < 0)
		fail_msg("%s", error);
}

static int
set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	char *error = NULL;

	fail_from(0, 0, 0, false);
	kill_at = 0;
	f->folder = folder_make();
	f->fd = open(f->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	f->limits = (struct ledger_limits){90 * DAY, INT64_C(1) << 30};
	*state = f;
	return open_both(f, &error);
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	fail_from(0, 0, 0, false);
	close_both(f);
	(void)close(f->fd);
	folder_remove(f->folder);
	free(f);
	return 0;
}

static void
append(struct fixture *f, struct record record)
{
	assert_int_equal(journal_append(f->journal, &record), 0);
}

/* What is in the journal, into the ledger, without the thread. */
static void
take_all(struct fixture *f)
{
	(void)journal_rotate(f->journal);
	reopen(f);
}

static bool
wait_until(struct fixture *f, bool (*done)(struct fixture *))
{
	for (int i = 0; i < 10000; i++) {
		if (done(f))
			return true;
		(void)usleep(1000);
	}
	return false;
}

static bool
is_taken(struct fixture *f)
{
	return ledger_backlog(f->ledger) == 0 && ledger_error(f->ledger) == 0;
}

static bool
is_failing(struct fixture *f)
{
	return ledger_error(f->ledger) < 0;
}

static void
hand_over(struct fixture *f)
{
	ledger_take_over(f->ledger, journal_rotate(f->journal));
}

/* A number out of the file, by a connection of its own. */
static int64_t
ask(struct fixture *f, const char *sql)
{
	char *path = NULL;
	sqlite3 *sqlite = NULL;
	sqlite3_stmt *statement = NULL;
	int64_t number = -1;

	assert_true(asprintf(&path, "%s/" LEDGER_FILE, f->folder) > 0);
	assert_int_equal(
		sqlite3_open_v2(path, &sqlite, SQLITE_OPEN_READWRITE, NULL),
		SQLITE_OK);
	(void)sqlite3_busy_timeout(sqlite, 5000);
	if (sqlite3_prepare_v2(sqlite, sql, -1, &statement, NULL) ==
			SQLITE_OK &&
		__real_sqlite3_step(statement) == SQLITE_ROW)
		number = sqlite3_column_int64(statement, 0);
	(void)sqlite3_finalize(statement);
	(void)sqlite3_close(sqlite);
	free(path);
	return number;
}

static size_t
count_files(struct fixture *f, const char *part)
{
	DIR *dir = opendir(f->folder);
	const struct dirent *entry;
	size_t count = 0;

	while ((entry = readdir(dir)))
		count += strstr(entry->d_name, part) != NULL;
	(void)closedir(dir);
	return count;
}

static size_t
segments(struct fixture *f)
{
	uint64_t *numbers;
	size_t count;

	assert_int_equal(journal_list(f->fd, &numbers, &count), 0);
	free(numbers);
	return count;
}

static void
records_become_rows(void **state)
{
	struct fixture *f = *state;
	struct record offence = offence_of(1, 0x010203, NOW);

	offence.net.addr = (struct addr){
		.family = ADDR_V6, .bytes = {0x20, 1, 0xd, 0xb8, 0, 1, 0, 2}};
	offence.net.prefix = 64;
	offence.addr = offence.net.addr;
	offence.addr.bytes[15] = 9;
	append(f, offence);
	append(f, ban_of(2, 7, NOW, NOW + DAY));
	append(f, lift_of(3, 8, NOW));
	take_all(f);
	assert_int_equal(segments(f), 1);
	assert_int_equal(ask(f, "SELECT count(*) FROM offence WHERE seq = 1"
				" AND client = '2001:db8:1:2::/64' AND"
				" address = '2001:db8:1:2::9' AND"
				" class = 'auth-failure' AND counted AND"
				" rule = 'postfix-sasl-failure' AND"
				" user = 'user1@example.org' AND"
				" host = 'mail.example.org' AND"
				" sender = '127.0.0.1' AND"
				" tag = 'postfix/smtpd[123]:' AND"
				" msg LIKE 'warning: unknown[%' AND"
				" length(client_key) = 18"),
		1);
	assert_int_equal(ask(f, "SELECT count(*) FROM ban WHERE seq = 2 AND"
				" network = '10.0.0.7' AND level = 2 AND"
				" origin = 'local' AND count = 5 AND"
				" hex(network_key) = '040A00000720'"),
		1);
	assert_int_equal(ask(f, "SELECT count(*) FROM lift WHERE seq = 3 AND"
				" author = 'uid 0' AND"
				" reason = 'a user called'"),
		1);
	assert_int_equal(ask(f, "SELECT count(*) FROM ban_in_force"), 1);
	assert_int_equal(ask(f, "SELECT count(*) FROM offence_readable"), 1);
	assert_int_equal(ask(f, "PRAGMA auto_vacuum"), 2);
	assert_int_equal(
		ask(f, "SELECT journal_mode = 'wal' FROM pragma_journal_mode"),
		1);
	assert_int_equal(ledger_last_seq(f->ledger), 3);
	assert_int_equal(ledger_durable_seq(f->ledger), 3);
	assert_true(ledger_horizon(f->ledger) == offence.time_us);
}

static void
files_are_private(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	for (int i = 0; i < 2; i++) {
		assert_int_equal(
			fstatat(f->fd, i ? LEDGER_FILE "-wal" : LEDGER_FILE,
				&st, 0),
			0);
		assert_int_equal(st.st_mode & 0777, 0600);
	}
}

static void
taking_twice_changes_nothing(void **state)
{
	struct fixture *f = *state;
	uint8_t *data;
	size_t len;

	for (uint64_t seq = 1; seq <= 10; seq++)
		append(f, offence_of(seq, (uint32_t)seq, NOW));
	append(f, ban_of(11, 1, NOW, NOW + DAY));
	append(f, lift_of(12, 1, NOW));
	append(f, ban_of(13, 1, NOW, BAN_PERMANENT));
	assert_int_equal(journal_sync(f->journal), 0);
	assert_int_equal(journal_read(f->fd, 1, &data, &len), 0);
	for (int i = 0; i < 3; i++) {
		int fd;

		take_all(f);
		assert_int_equal(ask(f, "SELECT count(*) FROM offence"), 10);
		assert_int_equal(ask(f, "SELECT count(*) FROM ban"), 2);
		assert_int_equal(ask(f, "SELECT count(*) FROM lift"), 1);
		assert_int_equal(
			ask(f, "SELECT count(*) FROM ban_in_force"), 1);
		assert_int_equal(ledger_last_seq(f->ledger), 13);
		fd = journal_create(f->fd, 100 + (uint64_t)i);
		assert_int_equal(write(fd, data, len), len);
		(void)close(fd);
	}
	free(data);
}

/* The ledger is the last judge: a digest counts once, whatever its number. */
static void
equal_digest_counts_once(void **state)
{
	struct fixture *f = *state;
	struct record record = offence_of(1, 1, NOW);

	append(f, record);
	record.seq = 2;
	append(f, record);
	take_all(f);
	record.seq = 3;
	append(f, record);
	take_all(f);
	assert_int_equal(ask(f, "SELECT count(*) FROM offence"), 1);
	assert_int_equal(ledger_last_seq(f->ledger), 3);
}

/* The journal was written for another ledger, whose numbers were lower. */
static void
taken_number_loses_nothing(void **state)
{
	struct fixture *f = *state;
	struct record other = offence_of(1000, 9, NOW);

	for (uint64_t seq = 1; seq <= 5; seq++)
		append(f, offence_of(seq, 1, NOW));
	append(f, ban_of(6, 1, NOW, NOW + DAY));
	take_all(f);
	other.seq = 3;
	append(f, other);
	append(f, ban_of(6, 2, NOW, NOW + DAY));
	append(f, lift_of(6, 1, NOW));
	take_all(f);
	assert_int_equal(ask(f, "SELECT count(*) FROM offence"), 6);
	assert_int_equal(ask(f, "SELECT count(*) FROM ban"), 2);
	assert_int_equal(ask(f, "SELECT count(*) FROM lift"), 1);
	assert_int_equal(ledger_last_seq(f->ledger), 9);
}

static void
damaged_segment_is_kept_aside(void **state)
{
	struct fixture *f = *state;
	int fd;

	for (uint64_t seq = 1; seq <= 5; seq++)
		append(f, offence_of(seq, 1, NOW));
	(void)journal_rotate(f->journal);
	fd = openat(f->fd, "journal.00000000000000000001", O_WRONLY);
	assert_int_equal(pwrite(fd, "\xff\xff\xff\xff", 4, 700), 4);
	(void)close(fd);
	reopen(f);
	assert_int_equal(ask(f, "SELECT count(*) FROM offence"), 4);
	assert_int_equal(count_files(f, "damaged.00000000000000000001"), 1);
	assert_int_equal(segments(f), 1);
}

struct seen {
	struct record records[32];
	size_t count;
};

static void
keep(const struct record *record, void *arg)
{
	struct seen *seen = arg;

	assert_true(seen->count < 32);
	seen->records[seen->count++] = *record;
}

static void
assert_restores(
	struct fixture *f, int64_t since_us, const uint64_t *want, size_t count)
{
	struct seen seen = {.count = 0};

	assert_int_equal(
		ledger_restore(f->ledger,
			&(struct ledger_since){since_us, since_us, since_us},
			keep, &seen),
		0);
	assert_int_equal(seen.count, count);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(seen.records[i].seq, want[i]);
}

static void
restore_gives_what_matters(void **state)
{
	struct fixture *f = *state;
	int64_t old = NOW - 10 * DAY, recent = NOW - 3600 * US;
	struct record record;
	static const uint64_t all[] = {4, 5, 8, 9, 11, 12, 13, 14, 15, 16, 17};
	static const uint64_t bans[] = {4, 5, 13, 17};

	append(f, offence_of(1, 1, old));	     /* too old */
	append(f, ban_of(2, 2, old, NOW + DAY));     /* superseded by 17 */
	append(f, ban_of(3, 3, old, old + 60 * US)); /* over */
	append(f, ban_of(4, 4, old, NOW + DAY));
	append(f, ban_of(5, 5, old, BAN_PERMANENT));
	append(f, ban_of(6, 6, old, NOW + DAY));
	append(f, lift_of(7, 6, old));	     /* of 6 */
	append(f, offence_of(8, 8, recent)); /* from here on all */
	append(f, ban_of(9, 8, recent, recent + 60 * US)); /* over, recent */
	record = offence_of(10, 8, recent);
	record.counted = false;
	append(f, record);
	append(f, lift_of(11, 9, recent)); /* of nothing */
	append(f, ban_of(12, 12, recent, NOW + DAY));
	append(f, ban_of(13, 13, recent, NOW + DAY));
	append(f, lift_of(14, 12, recent)); /* of 12 */
	append(f, offence_of(15, 1, recent));
	append(f, offence_of(16, 1, recent));
	append(f, ban_of(17, 2, recent, NOW + DAY));
	take_all(f);
	assert_restores(f, NOW - DAY, all, 11);
	assert_restores(f, NOW + DAY, bans, 4);
}

static struct record
login_of(uint64_t seq, uint32_t client, const char *user, int64_t time_us)
{
	struct record record = offence_of(seq, client, time_us);

	record.type = RECORD_LOGIN;
	record.user = span_of(user);
	return record;
}

/* Of logins the newest of each client and user, in whatever order they came;
 * of exempt networks those that were not removed and are not over. Twice taken
 * is once. */
static void
restore_gives_logins_and_exempts(void **state)
{
	struct fixture *f = *state;
	struct seen seen = {.count = 0};
	struct record exempt = ban_of(5, 7, NOW, NOW + DAY);

	append(f, login_of(1, 1, "anna", NOW - 2 * US));
	append(f, login_of(2, 1, "anna", NOW - 9 * US));
	append(f, login_of(3, 1, "", NOW - DAY));
	append(f, login_of(4, 2, "anna", NOW - 9 * DAY));
	exempt.type = RECORD_EXEMPT;
	append(f, exempt);
	exempt.seq = 6;
	exempt.net.addr.bytes[3] = 8;
	append(f, exempt);
	exempt.seq = 7;
	exempt.type = RECORD_UNEXEMPT;
	append(f, exempt);
	take_all(f);
	assert_int_equal(ask(f, "SELECT count(*) FROM login"), 3);
	assert_int_equal(ask(f, "SELECT count(*) FROM exempt"), 1);
	assert_int_equal(
		ledger_restore(f->ledger,
			&(struct ledger_since){NOW, NOW, NOW - 2 * DAY}, keep,
			&seen),
		0);
	assert_int_equal(seen.count, 3);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(seen.records[i].type, RECORD_LOGIN);
		if (seen.records[i].time_us > NOW - 5 * US)
			return;
	}
	fail_msg("the newest login is missing");
}

static void
restore_gives_the_same_record(void **state)
{
	struct fixture *f = *state;
	struct seen seen = {.count = 0};
	struct record offence = offence_of(1, 0x010203, NOW - US);
	struct record ban = ban_of(2, 5, NOW, BAN_PERMANENT);
	const struct record *got = seen.records;

	offence.reported_us = 77;
	offence.count = 3;
	ban.by = span_of("uid 0");
	append(f, offence);
	append(f, ban);
	take_all(f);
	assert_int_equal(ledger_restore(f->ledger,
				 &(struct ledger_since){0, 0, 0}, keep, &seen),
		0);
	assert_int_equal(seen.count, 2);
	assert_int_equal(got[0].type, RECORD_OFFENCE);
	assert_memory_equal(&got[0].digest, &offence.digest, 16);
	assert_true(network_equal(&got[0].net, &offence.net));
	assert_memory_equal(&got[0].addr, &offence.addr, sizeof(offence.addr));
	assert_true(got[0].time_us == offence.time_us);
	assert_int_equal(got[0].reported_us, 77);
	assert_int_equal(got[0].count, 3);
	assert_int_equal(got[0].class, CLASS_AUTH_FAILURE);
	assert_true(got[0].counted);
	assert_int_equal(got[1].type, RECORD_BAN);
	assert_true(got[1].until_us == BAN_PERMANENT);
	assert_true(got[1].time_us == ban.time_us);
	assert_int_equal(got[1].level, 2);
	assert_int_equal(got[1].origin, ORIGIN_LOCAL);
}

static void
has_knows_what_was_taken(void **state)
{
	struct fixture *f = *state;
	struct record known = offence_of(1, 1, NOW);
	struct record unknown = offence_of(2, 1, NOW);

	assert_int_equal(ledger_has(f->ledger, &known.digest), 0);
	append(f, known);
	assert_int_equal(ledger_start(f->ledger), 0);
	hand_over(f);
	assert_true(wait_until(f, is_taken));
	assert_int_equal(ledger_has(f->ledger, &known.digest), 1);
	assert_int_equal(ledger_has(f->ledger, &unknown.digest), 0);
	assert_int_equal(ledger_durable_seq(f->ledger), 1);
	assert_int_equal(segments(f), 1);
}

/* That takes time in proportion to all it holds. */
static void
own_writes_need_no_check(void **state)
{
	struct fixture *f = *state;

	full_checks = 0;
	assert_int_equal(ledger_start(f->ledger), 0);
	for (uint64_t seq = 1; seq <= 5; seq++) {
		append(f, offence_of(seq, 1, NOW));
		hand_over(f);
		assert_true(wait_until(f, is_taken));
	}
	close_both(f);
	assert_int_equal(full_checks, 0);
}

static void
close_takes_what_was_handed_over(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(ledger_start(f->ledger), 0);
	for (uint64_t seq = 1; seq <= 20; seq++) {
		append(f, offence_of(seq, 1, NOW));
		hand_over(f);
	}
	close_both(f);
	assert_int_equal(segments(f), 0);
	assert_int_equal(ask(f, "SELECT count(*) FROM offence"), 20);
}

/* A stream of every kind of record; what must hold after it. */
static void
append_stream(struct fixture *f, uint64_t from, uint64_t to)
{
	for (uint64_t seq = from; seq <= to; seq++) {
		uint32_t client = (uint32_t)(seq % 3);

		append(f, seq % 5 == 0	 ? ban_of(seq, client, NOW, NOW + DAY)
			  : seq % 7 == 0 ? lift_of(seq, client, NOW)
					 : offence_of(seq, client, NOW));
	}
}

static void
assert_stream(struct fixture *f, uint64_t to)
{
	int64_t bans = 0, lifts = 0, offences = 0;

	for (uint64_t seq = 1; seq <= to; seq++)
		if (seq % 5 == 0)
			bans++;
		else if (seq % 7 == 0)
			lifts++;
		else
			offences++;
	assert_int_equal(ask(f, "SELECT count(*) FROM offence"), offences);
	assert_int_equal(
		ask(f, "SELECT count(DISTINCT digest) FROM offence"), offences);
	assert_int_equal(ask(f, "SELECT count(*) FROM ban"), bans);
	assert_int_equal(ask(f, "SELECT count(*) FROM lift"), lifts);
	/* No network is banned twice over. */
	assert_int_equal(ask(f, "SELECT count(*) - count(DISTINCT network)"
				" FROM ban WHERE lifted_us IS NULL AND"
				" superseded_us IS NULL"),
		0);
}

static void
any_step_fails(int times, int code, bool after)
{
	bool reached = true;

	for (int n = 1; reached; n++) {
		void *state = NULL;
		struct fixture *f;

		assert_int_equal(set_up(&state), 0);
		f = state;
		append_stream(f, 1, 12);
		fail_from(n, times, code, after);
		assert_int_equal(ledger_start(f->ledger), 0);
		hand_over(f);
		assert_true(wait_until(f, is_taken));
		reached = step_calls >= n && n < 60;
		fail_from(0, 0, 0, false);
		assert_stream(f, 12);
		(void)tear_down(&state);
	}
}

static void
any_step_full(void **state)
{
	(void)state;
	any_step_fails(1, SQLITE_FULL, false);
}

static void
any_step_io_error(void **state)
{
	(void)state;
	any_step_fails(2, SQLITE_IOERR_FSYNC, false);
}

/* It was done, though SQLite said it was not. */
static void
any_step_done_and_denied(void **state)
{
	(void)state;
	any_step_fails(1, SQLITE_IOERR, true);
}

/* The child tells each seq that is safe from the death of its process. */
static void
live_and_die(struct fixture *f, int tell)
{
	char *error = NULL;

	if (open_both(f, &error) < 0 || ledger_start(f->ledger) < 0)
		_exit(1);
	for (uint64_t seq = ledger_last_seq(f->ledger) + 1; seq <= 24; seq++) {
		append_stream(f, seq, seq);
		if (write(tell, &seq, sizeof(seq)) != sizeof(seq))
			_exit(1);
		if (seq % 4 == 0)
			hand_over(f);
		if (seq % 8 == 0)
			(void)wait_until(f, is_taken);
	}
	_exit(wait_until(f, is_taken) ? 0 : 1);
}

static int
run_child(struct fixture *f, int at, uint64_t *told)
{
	int pipe_fds[2], status;
	uint64_t seq;
	pid_t child;

	assert_int_equal(pipe(pipe_fds), 0);
	child = fork();
	if (child == 0) {
		step_calls = 0;
		kill_at = at;
		live_and_die(f, pipe_fds[1]);
	}
	(void)close(pipe_fds[1]);
	while (read(pipe_fds[0], &seq, sizeof(seq)) == sizeof(seq))
		*told = seq;
	(void)close(pipe_fds[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* The process dies at its n-th step, for all n; another goes on from what it
 * finds. */
static void
death_at_any_step(void **state)
{
	int status = 9;

	(void)state;
	for (int n = 1; status == 9 && n < 200; n += n < 60 ? 1 : 7) {
		void *fixture = NULL;
		struct fixture *f;
		uint64_t told = 0;
		char *error = NULL;

		assert_int_equal(set_up(&fixture), 0);
		f = fixture;
		close_both(f);
		status = run_child(f, n, &told);
		assert_true(status == 9 || status == 0);
		assert_int_equal(open_both(f, &error), 0);
		assert_false(f->moved);
		assert_true(ledger_last_seq(f->ledger) >= told);
		assert_stream(f, ledger_last_seq(f->ledger));
		close_both(f);
		(void)run_child(f, 0, &told);
		assert_int_equal(open_both(f, &error), 0);
		assert_stream(f, 24);
		(void)tear_down(&fixture);
	}
	assert_int_equal(status, 0);
}

static sqlite3 *
hold(struct fixture *f, const char *sql)
{
	sqlite3 *sqlite = NULL;
	char *path = NULL;

	assert_true(asprintf(&path, "%s/" LEDGER_FILE, f->folder) > 0);
	assert_int_equal(sqlite3_open(path, &sqlite), SQLITE_OK);
	assert_int_equal(
		sqlite3_exec(sqlite, sql, NULL, NULL, NULL), SQLITE_OK);
	free(path);
	return sqlite;
}

static void
another_process_holds_it(void **state)
{
	struct fixture *f = *state;
	struct record record = offence_of(1, 1, NOW);
	sqlite3 *other = hold(f, "BEGIN IMMEDIATE");
	int64_t start_ms;

	append_stream(f, 1, 3);
	assert_int_equal(ledger_start(f->ledger), 0);
	hand_over(f);
	assert_true(wait_until(f, is_failing));
	assert_int_equal(ledger_error(f->ledger), -EBUSY);
	start_ms = ledger_monotonic_ms();
	assert_int_equal(ledger_has(f->ledger, &record.digest), 0);
	assert_true(ledger_monotonic_ms() - start_ms < 50);
	append_stream(f, 4, 12);
	hand_over(f);
	(void)sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL);
	(void)sqlite3_close(other);
	assert_true(wait_until(f, is_taken));
	assert_stream(f, 12);
	assert_int_equal(ledger_has(f->ledger, &record.digest), 1);
}

/* It starts all the same, with what waits in the journal. */
static void
another_process_holds_it_at_start(void **state)
{
	struct fixture *f = *state;
	static const uint64_t want[] = {1, 2, 3, 4, 5, 6};
	sqlite3 *other;

	append_stream(f, 1, 3);
	take_all(f);
	append_stream(f, 4, 6);
	(void)journal_rotate(f->journal);
	other = hold(f, "BEGIN IMMEDIATE");
	reopen(f);
	assert_int_equal(ledger_error(f->ledger), -EBUSY);
	assert_int_equal(ledger_last_seq(f->ledger), 6);
	assert_int_equal(ledger_durable_seq(f->ledger), 3);
	assert_restores(f, NOW - DAY, want, 6);
	assert_int_equal(ledger_start(f->ledger), 0);
	append_stream(f, 7, 12);
	hand_over(f);
	(void)sqlite3_close(other);
	assert_true(wait_until(f, is_taken));
	assert_int_equal(ledger_durable_seq(f->ledger), 12);
	assert_stream(f, 12);
}

static void
overwrite(struct fixture *f, const char *name, int flags, const char *text)
{
	int fd = openat(f->fd, name, flags, 0600);

	assert_true(fd >= 0);
	for (int i = 0; i < 4096 && text; i++)
		assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	(void)close(fd);
}

static void
delete_it(struct fixture *f)
{
	assert_int_equal(unlinkat(f->fd, LEDGER_FILE, 0), 0);
}

static void
delete_all_three(struct fixture *f)
{
	delete_it(f);
	assert_int_equal(unlinkat(f->fd, LEDGER_FILE "-wal", 0), 0);
	assert_int_equal(unlinkat(f->fd, LEDGER_FILE "-shm", 0), 0);
}

static void
delete_wal(struct fixture *f)
{
	assert_int_equal(unlinkat(f->fd, LEDGER_FILE "-wal", 0), 0);
}

static void
replace_by_rubbish(struct fixture *f)
{
	overwrite(f, "rubbish", O_WRONLY | O_CREAT, "rubbish");
	assert_int_equal(renameat(f->fd, "rubbish", f->fd, LEDGER_FILE), 0);
}

static void
replace_by_nothing(struct fixture *f)
{
	delete_it(f);
	overwrite(f, LEDGER_FILE, O_WRONLY | O_CREAT, NULL);
}

static void
spoil_in_place(struct fixture *f)
{
	overwrite(f, LEDGER_FILE, O_WRONLY, "rubbish");
}

static void
truncate_in_place(struct fixture *f)
{
	overwrite(f, LEDGER_FILE, O_WRONLY | O_TRUNC, NULL);
}

/* Whatever is done to the file while we run, all that was in it is in the
 * new one, and what comes after, too. */
static void
tampered_while_running(void **state)
{
	static const struct {
		const char *name;
		void (*tamper)(struct fixture *);
		size_t aside; /* files moved to .replaced- */
	} cases[] = {
		{"file deleted", delete_it, 0},
		{"all deleted", delete_all_three, 0},
		{"wal deleted", delete_wal, 1},
		{"replaced by rubbish", replace_by_rubbish, 1},
		{"replaced by nothing", replace_by_nothing, 1},
		{"spoilt in place", spoil_in_place, 1},
		{"truncated in place", truncate_in_place, 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		void *fixture = NULL;
		struct fixture *f;
		struct record record = offence_of(1, 1, 1);

		print_message("           %s\n", cases[i].name);
		assert_int_equal(set_up(&fixture), 0);
		f = fixture;
		append_stream(f, 1, 6);
		assert_int_equal(ledger_start(f->ledger), 0);
		hand_over(f);
		assert_true(wait_until(f, is_taken));
		/* Some of it in the file, some in the -wal. */
		assert_int_equal(ask(f, "PRAGMA wal_checkpoint"), 0);
		append_stream(f, 7, 9);
		hand_over(f);
		assert_true(wait_until(f, is_taken));
		cases[i].tamper(f);
		append_stream(f, 10, 12);
		hand_over(f);
		assert_true(wait_until(f, is_taken));
		assert_stream(f, 12);
		assert_false(ledger_lost(f->ledger));
		assert_int_equal(ledger_has(f->ledger, &record.digest), 1);
		assert_true(count_files(f, ".replaced-") <= cases[i].aside + 2);
		reopen(f);
		assert_stream(f, 12);
		assert_int_equal(ask(f, "PRAGMA auto_vacuum"), 2);
		(void)tear_down(&fixture);
	}
}

/* A restart in the middle of putting it back finishes that. */
static void
restored_copy_is_taken_up(void **state)
{
	struct fixture *f = *state;

	append_stream(f, 1, 6);
	take_all(f);
	close_both(f);
	assert_int_equal(
		renameat(f->fd, LEDGER_FILE, f->fd, LEDGER_FILE ".restored"),
		0);
	overwrite(f, LEDGER_FILE, O_WRONLY | O_CREAT, NULL);
	reopen(f);
	assert_stream(f, 6);
	assert_int_equal(count_files(f, ".restored"), 0);
}

static void
corrupt_at_start(void **state)
{
	struct fixture *f = *state;
	struct digest_key key = f->key;

	append_stream(f, 1, 6);
	take_all(f);
	append_stream(f, 7, 8);
	close_both(f);
	overwrite(f, LEDGER_FILE, O_WRONLY, "rubbish");
	reopen(f);
	assert_true(f->moved);
	assert_int_equal(count_files(f, LEDGER_FILE ".corrupt-"), 1);
	/* The key is that of before: the journal could be read. */
	assert_memory_equal(&key, &f->key, sizeof(key));
	assert_int_equal(ask(f, "SELECT count(*) FROM offence"), 1);
	assert_int_equal(ask(f, "SELECT count(*) FROM lift"), 1);
	reopen(f);
	assert_false(f->moved);
}

static void
count_record(const struct record *record, void *arg)
{
	size_t *count = arg;

	*count += record->seq > 0;
}

static void
corrupt_in_the_middle(void **state)
{
	struct fixture *f = *state;
	size_t count = 0;
	int fd;

	for (uint64_t seq = 1; seq <= 2000; seq++)
		append(f, offence_of(seq, 1, NOW));
	take_all(f);
	close_both(f);
	fd = openat(f->fd, LEDGER_FILE, O_WRONLY);
	for (off_t page = 20; page < 100; page++)
		assert_int_equal(pwrite(fd, "\xff\xff\xff\xff\xff\xff\xff\xff",
					 8, page * 4096),
			8);
	(void)close(fd);
	reopen(f);
	assert_int_equal(
		ledger_restore(f->ledger, &(struct ledger_since){0, 0, 0},
			count_record, &count),
		-EUCLEAN);
	assert_true(count < 2000);
	assert_true(ledger_lost(f->ledger));
	assert_false(ledger_lost(f->ledger));
	assert_true(count_files(f, LEDGER_FILE ".corrupt-") >= 1);
	assert_int_equal(ledger_start(f->ledger), 0);
	append(f, ban_of(2001, 1, NOW, NOW + DAY));
	hand_over(f);
	assert_true(wait_until(f, is_taken));
	assert_int_equal(ask(f, "SELECT count(*) FROM ban"), 1);
}

static void
deleted_while_stopped(void **state)
{
	struct fixture *f = *state;

	assert_false(f->moved); /* the very first start is none */
	append_stream(f, 1, 3);
	take_all(f);
	assert_false(f->moved);
	close_both(f);
	delete_it(f);
	reopen(f);
	assert_true(f->moved);
	append_stream(f, 4, 4);
	take_all(f);
	assert_false(f->moved);
	assert_int_equal(ask(f, "SELECT count(*) FROM offence"), 1);
}

static void
another_database_is_moved_aside(void **state)
{
	struct fixture *f = *state;
	sqlite3 *other;

	close_both(f);
	delete_it(f);
	other = hold(f, "CREATE TABLE t (a)");
	(void)sqlite3_close(other);
	reopen(f);
	assert_true(f->moved);
	assert_int_equal(count_files(f, LEDGER_FILE ".corrupt-"), 1);
}

static uint8_t *
read_file(struct fixture *f, size_t *len)
{
	struct stat st;
	int fd = openat(f->fd, LEDGER_FILE, O_RDONLY);
	uint8_t *data;

	assert_int_equal(fstat(fd, &st), 0);
	*len = (size_t)st.st_size;
	data = malloc(*len);
	assert_int_equal(read(fd, data, *len), *len);
	(void)close(fd);
	return data;
}

static void
newer_version_is_refused(void **state)
{
	struct fixture *f = *state;
	char *error = NULL;
	uint8_t *before, *after;
	size_t before_len, after_len;
	sqlite3 *other;

	close_both(f);
	other = hold(f, "PRAGMA user_version = 999");
	(void)sqlite3_close(other);
	before = read_file(f, &before_len);
	assert_int_equal(open_both(f, &error), -1);
	assert_non_null(strstr(error, "newer mailban"));
	after = read_file(f, &after_len);
	assert_int_equal(before_len, after_len);
	assert_memory_equal(before, after, before_len);
	assert_int_equal(count_files(f, "corrupt"), 0);
	free(before);
	free(after);
	free(error);
}

static void
missing_folder_is_told(void **state)
{
	struct fixture *f = *state;
	char *error = NULL;
	bool moved;

	assert_null(ledger_open("/nonexistent/mailban", &f->limits, &f->key,
		NULL, NULL, &moved, &error));
	assert_non_null(strstr(error, "/nonexistent/mailban"));
	free(error);
}

static void
migration_moves_forward(void **state)
{
	static const char *const steps[] = {
		"CREATE TABLE a (x); INSERT INTO a VALUES (1)",
		"ALTER TABLE a ADD COLUMN y; UPDATE a SET y = x + 1",
		"UPDATE a SET y = 5; SELECT no_such_column FROM a"};
	sqlite3 *sqlite = NULL;
	sqlite3_stmt *s = NULL;

	(void)state;
	assert_int_equal(sqlite3_open(":memory:", &sqlite), SQLITE_OK);
	assert_int_equal(ledger_migrate(sqlite, steps, 1), 0);
	assert_int_equal(ledger_migrate(sqlite, steps, 2), 0);
	/* A step that fails leaves the version before it. */
	assert_true(ledger_migrate(sqlite, steps, 3) < 0);
	assert_int_equal(ledger_migrate(sqlite, steps, 2), 0);
	assert_int_equal(ledger_migrate(sqlite, steps, 1), -ENOTSUP);
	(void)sqlite3_prepare_v2(sqlite,
		"SELECT user_version, y FROM pragma_user_version, a", -1, &s,
		NULL);
	assert_int_equal(__real_sqlite3_step(s), SQLITE_ROW);
	assert_int_equal(sqlite3_column_int(s, 0), 2);
	assert_int_equal(sqlite3_column_int(s, 1), 2);
	(void)sqlite3_finalize(s);
	(void)sqlite3_close(sqlite);
}

static void
key_outlives_its_file(void **state)
{
	struct fixture *f = *state;
	struct digest_key key = f->key, made;

	append_stream(f, 1, 3);
	close_both(f);
	assert_int_equal(unlinkat(f->fd, "digest.key", 0), 0);
	reopen(f);
	assert_memory_equal(&key, &f->key, sizeof(key));
	assert_stream(f, 3);
	assert_int_equal(state_read_key(f->fd, &made), 0);
	assert_memory_equal(&key, &made, sizeof(key));
}

static void
trim_all(struct fixture *f)
{
	int rc, steps = 0;

	while ((rc = ledger_trim(f->ledger, &f->limits, NOW)) > 0)
		assert_true(++steps < 10000);
	assert_int_equal(rc, 0);
}

static void
trimmed_by_age(void **state)
{
	struct fixture *f = *state;
	int64_t old = NOW - 100 * DAY;
	uint64_t seq = 0;

	append(f, ban_of(++seq, 1, old, BAN_PERMANENT)); /* stays */
	append(f, ban_of(++seq, 2, old, NOW + DAY));	 /* stays */
	append(f, ban_of(++seq, 3, old, old + DAY));
	append(f, ban_of(++seq, 4, old, BAN_PERMANENT));
	append(f, lift_of(++seq, 4, old + DAY));	  /* both go */
	append(f, ban_of(++seq, 5, old, NOW - 10 * DAY)); /* stays */
	append(f, ban_of(++seq, 6, old, BAN_PERMANENT));  /* superseded, goes */
	append(f, ban_of(++seq, 6, old + DAY, BAN_PERMANENT)); /* stays */
	for (int i = 0; i < 3000; i++)
		append(f, offence_of(++seq, 1, i % 3 ? old : NOW));
	take_all(f);
	trim_all(f);
	assert_int_equal(ask(f, "SELECT count(*) FROM offence"), 1000);
	assert_int_equal(ask(f, "SELECT count(*) FROM ban"), 4);
	assert_int_equal(ask(f, "SELECT count(*) FROM ban WHERE network IN"
				" ('10.0.0.1', '10.0.0.2', '10.0.0.5',"
				" '10.0.0.6')"),
		4);
	assert_int_equal(ask(f, "SELECT count(*) FROM lift"), 0);
	assert_int_equal(ledger_last_seq(f->ledger), seq);
	reopen(f);
	assert_int_equal(ledger_last_seq(f->ledger), seq);
}

static void
trimmed_by_size(void **state)
{
	struct fixture *f = *state;
	struct stat st;
	uint64_t seq = 0;

	append(f, ban_of(++seq, 1, NOW, BAN_PERMANENT));
	for (int i = 0; i < 20000; i++)
		append(f, offence_of(++seq, 1, NOW - DAY + i * US));
	take_all(f);
	assert_int_equal(ask(f, "SELECT count(*) FROM offence"), 20000);
	f->limits.size_bytes = 2 << 20;
	trim_all(f);
	assert_int_equal(ask(f, "PRAGMA wal_checkpoint(TRUNCATE)"), 0);
	assert_int_equal(fstatat(f->fd, LEDGER_FILE, &st, 0), 0);
	assert_true(st.st_size <= f->limits.size_bytes);
	assert_true(ask(f, "SELECT count(*) FROM offence") > 3000);
	/* The oldest went, the bans are there. */
	assert_int_equal(ask(f, "SELECT max(seq) FROM offence"), 20001);
	assert_int_equal(ask(f, "SELECT count(*) FROM ban"), 1);
	assert_int_equal(ask(f, "SELECT max(seq) - min(seq) + 1 - count(*)"
				" FROM offence"),
		0);
}

static void
keys_of_networks(void **state)
{
	static const struct network networks[] = {
		{{ADDR_V4, {192, 0, 2, 1}}, 32},
		{{ADDR_V4, {192, 0, 2}}, 24},
		{{ADDR_V6, {0x20, 1, 0xd, 0xb8}}, 32},
		{{ADDR_V6, {0x20, 1, 0xd, 0xb8}}, 128},
	};
	uint8_t key[LEDGER_KEY_MAX];
	struct network out;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		size_t len = ledger_key_of(&networks[i], key);

		assert_true(ledger_key_network(key, len, &out));
		assert_true(network_equal(&out, &networks[i]));
		assert_false(ledger_key_network(key, len - 1, &out));
		key[0] = 5;
		assert_false(ledger_key_network(key, len, &out));
	}
	assert_false(ledger_key_network(NULL, 0, &out));
}

static void
long_work_ticks(void **state)
{
	struct fixture *f = *state;

	for (uint64_t seq = 1; seq <= 60000; seq++)
		append(f, offence_of(seq, (uint32_t)seq, NOW));
	f->ticks = 0;
	take_all(f);
	assert_true(f->ticks > 0);
	assert_int_equal(ask(f, "SELECT count(*) FROM offence"), 60000);
}

/* Numbers begin anew when all was taken: the segment being written must not be
 * mistaken for one that was closed before. */
static void
open_segment_stays(void **state)
{
	struct fixture *f = *state;

	append(f, offence_of(1, 1, NOW));
	reopen(f);
	assert_int_equal(ask(f, "SELECT count(*) FROM offence"), 1);
	append(f, offence_of(2, 2, NOW));
	assert_int_equal(ledger_start(f->ledger), 0);
	for (int i = 0; i < 200; i++) {
		assert_int_equal(segments(f), 1);
		(void)usleep(1000);
	}
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(records_become_rows),
		TEST(files_are_private),
		TEST(taking_twice_changes_nothing),
		TEST(equal_digest_counts_once),
		TEST(taken_number_loses_nothing),
		TEST(damaged_segment_is_kept_aside),
		TEST(restore_gives_what_matters),
		TEST(restore_gives_logins_and_exempts),
		TEST(restore_gives_the_same_record),
		TEST(has_knows_what_was_taken),
		TEST(own_writes_need_no_check),
		TEST(close_takes_what_was_handed_over),
		cmocka_unit_test(any_step_full),
		cmocka_unit_test(any_step_io_error),
		cmocka_unit_test(any_step_done_and_denied),
		cmocka_unit_test(death_at_any_step),
		TEST(another_process_holds_it),
		TEST(another_process_holds_it_at_start),
		cmocka_unit_test(tampered_while_running),
		TEST(restored_copy_is_taken_up),
		TEST(corrupt_at_start),
		TEST(corrupt_in_the_middle),
		TEST(deleted_while_stopped),
		TEST(another_database_is_moved_aside),
		TEST(newer_version_is_refused),
		TEST(missing_folder_is_told),
		TEST(migration_moves_forward),
		TEST(key_outlives_its_file),
		TEST(trimmed_by_age),
		TEST(trimmed_by_size),
		TEST(keys_of_networks),
		TEST(long_work_ticks),
		TEST(open_segment_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
