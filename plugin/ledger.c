/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ledger as the rest of ommailban sees it, and its thread: takeover, a
 * step of trimming, a look at the files, about once a second. An error leaves
 * all as it is and is tried again with growing pauses; it is logged when it
 * changes, not each time.
 */
#include "plugin/ledger_db.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "common/xalloc.h"
#include "plugin/journal_file.h"
#include "plugin/state.h"

enum {
	TICK_MS = 100,
	IDLE_MS = 1000,
	MORE_MS = 10, /* between steps of trimming */
	PAUSE_FIRST_MS = 50,
	PAUSE_MAX_MS = 5000,
	CLOSE_MS = 2000
};

int64_t
ledger_monotonic_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t
ledger_now_us(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

void
ledger_tick(struct ledger *ledger)
{
	struct ledger_tick *tick = &ledger->tick;
	int64_t now_ms;

	/* The thread must not talk to rsyslog. */
	if (!tick->call || ledger->running)
		return;
	now_ms = ledger_monotonic_ms();
	if (now_ms - tick->last_ms < TICK_MS)
		return;
	tick->last_ms = now_ms;
	tick->call(tick->arg);
}

static void
free_ledger(struct ledger *ledger)
{
	(void)sqlite3_finalize(ledger->reader_has);
	(void)sqlite3_close(ledger->reader);
	ledger_db_close(&ledger->db);
	if (ledger->folder_fd >= 0)
		(void)close(ledger->folder_fd);
	(void)pthread_mutex_destroy(&ledger->reader_mutex);
	(void)pthread_mutex_destroy(&ledger->mutex);
	(void)pthread_cond_destroy(&ledger->wake);
	free(ledger->folder);
	free(ledger->path);
	free(ledger);
}

static struct ledger *
new_ledger(const char *folder, const struct ledger_limits *limits)
{
	struct ledger *ledger = xcalloc(1, sizeof(*ledger));
	pthread_condattr_t attr;

	ledger->folder = xstrdup(folder);
	ledger->path = xasprintf("%s/" LEDGER_FILE, folder);
	ledger->limits = *limits;
	ledger->meta_horizon_us = INT64_MIN;
	ledger->horizon_us = INT64_MIN;
	(void)pthread_mutex_init(&ledger->reader_mutex, NULL);
	(void)pthread_mutex_init(&ledger->mutex, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&ledger->wake, &attr);
	(void)pthread_condattr_destroy(&attr);
	ledger->folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return ledger;
}

/* The file decides: journal segments are read by it. Its copy in the ledger
 * serves when the file is lost. */
static int
copied_key(struct ledger *ledger, struct digest_key *key)
{
	sqlite3_stmt *statement = NULL;
	const void *bytes;
	int code = sqlite3_prepare_v2(ledger->db.sqlite,
		"SELECT digest_key FROM meta", -1, &statement, NULL);

	if (code == SQLITE_OK &&
		(code = sqlite3_step(statement)) == SQLITE_ROW &&
		sqlite3_column_bytes(statement, 0) == (int)sizeof(*key) &&
		(bytes = sqlite3_column_blob(statement, 0)))
		memcpy(key, bytes, sizeof(*key));
	else if (code == SQLITE_ROW)
		code = SQLITE_CORRUPT;
	(void)sqlite3_finalize(statement);
	return ledger_errno(ledger->db.sqlite, code);
}

static int
settle_key(struct ledger *ledger, bool *moved)
{
	int rc = state_read_key(ledger->folder_fd, &ledger->key);
	bool missing = rc == -ENOENT;

	if (missing)
		state_make_key(&ledger->key);
	else if (rc < 0)
		return rc;
	*moved = !missing && ledger_is_missing(ledger);
	if ((rc = ledger_connect(ledger, moved)) < 0 || !missing)
		return rc;
	if ((rc = copied_key(ledger, &ledger->key)) < 0)
		return rc;
	return state_write_key(ledger->folder_fd, &ledger->key);
}

static bool
may_pass(int rc)
{
	return rc == -EBUSY || rc == -ENOSPC || rc == -EROFS || rc == -EIO ||
	       rc == -EDQUOT || rc == -ENOMEM;
}

static void
set_error(struct ledger *ledger, int rc)
{
	int old = atomic_exchange(&ledger->error, rc);

	if (rc == old)
		return;
	if (rc < 0)
		log_warn("ledger error=\"%s\" path=%s: the journal keeps what "
			 "comes, tried again",
			strerror(-rc), ledger->path);
	else
		log_info("ledger well again path=%s", ledger->path);
}

static int
take_what_is_left(struct ledger *ledger, bool *moved)
{
	uint64_t *numbers;
	size_t count;
	int rc = journal_list(ledger->folder_fd, &numbers, &count);

	if (rc < 0)
		return rc;
	if (count)
		atomic_store(&ledger->closed, numbers[count - 1]);
	free(numbers);
	rc = ledger_take_segments(ledger, ledger->closed, 0);
	if (rc == -EUCLEAN && (rc = ledger_begin_anew(ledger)) == 0) {
		*moved = true;
		rc = ledger_take_segments(ledger, ledger->closed, 0);
	}
	/* All is taken, so the journal's numbers begin anew: none is closed. */
	if (rc == 0)
		atomic_store(&ledger->closed, 0);
	if (rc == 0 || !may_pass(rc))
		return rc;
	set_error(ledger, rc);
	return ledger_read_segments(ledger, NULL, NULL);
}

static const char *
reason_of(int rc)
{
	return rc == -ENOTSUP ? "it was made by a newer mailban, whose ledger "
				"or journal this one can't read"
	       : rc == -EBUSY ? "another process holds it"
	       : rc == -ENOLCK
		       ? "its file system has no shared memory for SQLite's "
			 "WAL mode"
		       : strerror(-rc);
}

struct ledger *
ledger_open(const char *folder, const struct ledger_limits *limits,
	struct digest_key *key, void (*tick)(void *), void *tick_arg,
	bool *moved, char **error)
{
	struct ledger *ledger = new_ledger(folder, limits);
	int rc = ledger->folder_fd < 0 ? -errno : 0;

	*moved = false;
	ledger->tick.call = tick;
	ledger->tick.arg = tick_arg;
	ledger->tick.last_ms = ledger_monotonic_ms();
	if (rc == 0)
		rc = settle_key(ledger, moved);
	if (rc == 0) {
		atomic_store(&ledger->last_seq, ledger->meta_seq);
		atomic_store(&ledger->durable_seq, ledger->meta_seq);
		atomic_store(&ledger->horizon_us, ledger->meta_horizon_us);
		rc = take_what_is_left(ledger, moved);
	}
	if (rc == 0) {
		*key = ledger->key;
		return ledger;
	}
	*error = xasprintf(
		"ledger %s can't be opened: %s", ledger->path, reason_of(rc));
	free_ledger(ledger);
	return NULL;
}

static int
work(struct ledger *ledger, bool closing)
{
	struct ledger_limits limits;
	uint64_t closed;
	int rc;

	(void)pthread_mutex_lock(&ledger->mutex);
	limits = ledger->limits;
	closed = ledger->closed;
	ledger->woken = false;
	(void)pthread_mutex_unlock(&ledger->mutex);
	if (atomic_load(&ledger->corrupt))
		return -EUCLEAN;
	if ((rc = ledger_check_files(ledger)) < 0)
		return rc;
	rc = ledger_take_segments(
		ledger, closed, closing ? ledger_monotonic_ms() + CLOSE_MS : 0);
	if (rc < 0 || closing)
		return rc;
	return ledger_trim(ledger, &limits, ledger_now_us());
}

/* True: stop. While an error stands, new segments do not cut a pause short. */
static bool
wait_ms(struct ledger *ledger, int64_t pause_ms)
{
	struct timespec until;
	int64_t end_ms = ledger_monotonic_ms() + pause_ms;
	bool failing = atomic_load(&ledger->error) < 0, stop;
	int rc = 0;

	until.tv_sec = (time_t)(end_ms / 1000);
	until.tv_nsec = (long)(end_ms % 1000) * 1000000;
	(void)pthread_mutex_lock(&ledger->mutex);
	while (!ledger->stop && rc == 0 && (failing || !ledger->woken))
		rc = pthread_cond_timedwait(
			&ledger->wake, &ledger->mutex, &until);
	stop = ledger->stop;
	(void)pthread_mutex_unlock(&ledger->mutex);
	return stop;
}

static void *
thread_main(void *arg)
{
	struct ledger *ledger = arg;
	int64_t pause_ms = 0, failure_ms = PAUSE_FIRST_MS;

	while (!wait_ms(ledger, pause_ms)) {
		int rc = work(ledger, false);

		if (rc == -EUCLEAN)
			rc = ledger_begin_anew(ledger);
		set_error(ledger, rc < 0 ? rc : 0);
		if (rc >= 0) {
			failure_ms = PAUSE_FIRST_MS;
			pause_ms = rc > 0 ? MORE_MS : IDLE_MS;
			continue;
		}
		pause_ms = failure_ms;
		failure_ms = failure_ms * 2 < PAUSE_MAX_MS ? failure_ms * 2
							   : PAUSE_MAX_MS;
	}
	(void)work(ledger, true); /* the journal keeps what fails */
	return NULL;
}

int
ledger_start(struct ledger *ledger)
{
	sigset_t all, old;
	int rc;

	/* Signals are the main thread's. */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	sqlite3_progress_handler(ledger->db.sqlite, 0, NULL, NULL);
	ledger_note_files(ledger);
	ledger->running = true;
	rc = pthread_create(&ledger->thread, NULL, thread_main, ledger);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc != 0)
		ledger->running = false;
	else
		(void)pthread_setname_np(ledger->thread, "ledger");
	return -rc;
}

void
ledger_close(struct ledger *ledger)
{
	if (!ledger)
		return;
	if (ledger->running) {
		(void)pthread_mutex_lock(&ledger->mutex);
		ledger->stop = true;
		(void)pthread_cond_signal(&ledger->wake);
		(void)pthread_mutex_unlock(&ledger->mutex);
		(void)pthread_join(ledger->thread, NULL);
	}
	free_ledger(ledger);
}

void
ledger_limit(struct ledger *ledger, const struct ledger_limits *limits)
{
	(void)pthread_mutex_lock(&ledger->mutex);
	ledger->limits = *limits;
	(void)pthread_mutex_unlock(&ledger->mutex);
}

void
ledger_take_over(struct ledger *ledger, uint64_t segment)
{
	if (!segment)
		return;
	(void)pthread_mutex_lock(&ledger->mutex);
	if (segment > atomic_load(&ledger->closed))
		atomic_store(&ledger->closed, segment);
	ledger->woken = true;
	(void)pthread_cond_signal(&ledger->wake);
	(void)pthread_mutex_unlock(&ledger->mutex);
}

size_t
ledger_backlog(const struct ledger *ledger)
{
	size_t counted = atomic_load(&ledger->backlog);

	if (atomic_load(&ledger->taken) >= atomic_load(&ledger->closed))
		return 0;
	return counted ? counted : 1;
}

int
ledger_error(const struct ledger *ledger)
{
	return atomic_load(&ledger->error);
}

bool
ledger_lost(struct ledger *ledger)
{
	return atomic_exchange(&ledger->lost, false);
}

static int
has(struct ledger *ledger, const struct digest *digest)
{
	sqlite3_stmt *statement = ledger->reader_has;
	int code, rc;

	if (!statement)
		return -EAGAIN;
	(void)sqlite3_bind_blob(statement, 1, digest->bytes,
		sizeof(digest->bytes), SQLITE_STATIC);
	code = sqlite3_step(statement);
	rc = code == SQLITE_ROW	   ? 1
	     : code == SQLITE_DONE ? 0
				   : ledger_errno(ledger->reader, code);
	(void)sqlite3_reset(statement); /* an open read would hold up the WAL */
	if (rc == -EUCLEAN)
		atomic_store(&ledger->corrupt, true);
	return rc == -EBUSY ? -EAGAIN : rc;
}

int
ledger_has(struct ledger *ledger, const struct digest *digest)
{
	int rc;

	/* Held by the thread only while it replaces the reader. */
	if (pthread_mutex_trylock(&ledger->reader_mutex) != 0)
		return -EAGAIN;
	rc = has(ledger, digest);
	(void)pthread_mutex_unlock(&ledger->reader_mutex);
	return rc;
}

uint64_t
ledger_last_seq(const struct ledger *ledger)
{
	return atomic_load(&ledger->last_seq);
}

uint64_t
ledger_durable_seq(const struct ledger *ledger)
{
	return atomic_load(&ledger->durable_seq);
}

int64_t
ledger_horizon(const struct ledger *ledger)
{
	return atomic_load(&ledger->horizon_us);
}
