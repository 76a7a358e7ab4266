/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The journal and the state folder, with every write and sync made to fail in
 * turn: what was acknowledged is in the segments, whole, in order. Linked with
 * --wrap=write, --wrap=fdatasync, --wrap=fsync.
 */
#include "plugin/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "common/log.h"
#include "plugin/journal_file.h"
#include "plugin/state.h"
#include "tests/unit/folder.h"

static const struct digest_key key = {{5, 5, 5}};

/* Of the calls from now on, the one that fails (0: none), and how. */
static int fail_at, calls, fail_errno, fail_times;
static size_t fail_after_bytes;
static bool fail_drops_pages;
static off_t synced_size;
static ino_t synced_inode;

ssize_t __real_write(int fd, const void *data, size_t len);
ssize_t __wrap_write(int fd, const void *data, size_t len);
int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
int __real_fsync(int fd);
int __wrap_fsync(int fd);

static bool
fails_now(void)
{
	calls++;
	return fail_at && calls >= fail_at && calls < fail_at + fail_times;
}

ssize_t
__wrap_write(int fd, const void *data, size_t len)
{
	if (fd <= 2 || !fails_now())
		return __real_write(fd, data, len);
	if (fail_after_bytes && fail_after_bytes < len)
		return __real_write(fd, data, fail_after_bytes);
	errno = fail_errno;
	return -1;
}

/* As Linux does after an I/O error: the pages are gone, and the next sync
 * knows nothing of it. */
int
__wrap_fdatasync(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	if (st.st_ino != synced_inode)
		synced_size = 0;
	synced_inode = st.st_ino;
	if (fails_now()) {
		if (fail_drops_pages)
			assert_int_equal(ftruncate(fd, synced_size), 0);
		errno = fail_errno;
		return -1;
	}
	synced_size = st.st_size;
	return __real_fdatasync(fd);
}

int
__wrap_fsync(int fd)
{
	if (fails_now()) {
		errno = fail_errno;
		return -1;
	}
	return __real_fsync(fd);
}

static void
fail_from(int at, int times, int error, size_t after_bytes)
{
	calls = 0;
	fail_at = at;
	fail_times = times;
	fail_errno = error;
	fail_after_bytes = after_bytes;
}

struct fixture {
	char *folder;
	int fd;
	struct journal *journal;
};

static int
set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	char *error = NULL;

	fail_from(0, 0, 0, 0);
	fail_drops_pages = false;
	synced_size = 0;
	f->folder = folder_make();
	f->fd = open(f->folder, O_RDONLY | O_DIRECTORY);
	f->journal = journal_open(f->fd, &key, &error);
	*state = f;
	return f->journal ? 0 : -1;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	fail_from(0, 0, 0, 0);
	journal_close(f->journal);
	(void)close(f->fd);
	folder_remove(f->folder);
	free(f);
	return 0;
}

static int
append(struct fixture *f, uint64_t seq)
{
	struct record record = offence_of(seq, (uint32_t)seq, (int64_t)seq);

	return journal_append(f->journal, &record);
}

/* Reads all segments as the ledger would: each seq once, rising. Returns how
 * many; with the highest. */
static size_t
read_back(struct fixture *f, uint64_t *highest, bool *damaged)
{
	uint64_t *numbers, last = 0;
	size_t count, records = 0;

	assert_int_equal(journal_list(f->fd, &numbers, &count), 0);
	for (size_t i = 0; i < count; i++) {
		struct journal_cursor cursor = {.data = NULL};
		struct record record;
		uint8_t *data;

		assert_int_equal(
			journal_read(f->fd, numbers[i], &data, &cursor.len), 0);
		cursor.data = data;
		while (journal_next(&cursor, &key, &record) > 0) {
			struct record want = offence_of(record.seq,
				(uint32_t)record.seq, (int64_t)record.seq);

			assert_int_equal(record.msg.len, want.msg.len);
			if (record.seq <= last)
				continue;
			assert_int_equal(record.seq, last + 1);
			last = record.seq;
			records++;
		}
		*damaged |= cursor.damaged;
		free(data);
	}
	free(numbers);
	*highest = last;
	return records;
}

static void
assert_holds(struct fixture *f, uint64_t last)
{
	uint64_t highest;
	bool damaged = false;

	(void)read_back(f, &highest, &damaged);
	assert_int_equal(highest, last);
	assert_false(damaged);
}

static void
appended_is_in_the_file(void **state)
{
	struct fixture *f = *state;

	for (uint64_t seq = 1; seq <= 100; seq++) {
		assert_int_equal(append(f, seq), 0);
		assert_holds(f, seq);
	}
	assert_int_equal(journal_sync(f->journal), 0);
	calls = 0;
	assert_int_equal(journal_sync(f->journal), 0);
	assert_int_equal(calls, 0); /* nothing new, nothing synced */
}

static void
added_goes_in_one_write(void **state)
{
	struct fixture *f = *state;
	struct record record = offence_of(1, 1, 1);

	journal_add(f->journal, &record);
	assert_holds(f, 0);
	fail_from(0, 0, 0, 0);
	assert_int_equal(append(f, 2), 0);
	assert_int_equal(calls, 1);
	assert_holds(f, 2);
	record = offence_of(3, 3, 3);
	journal_add(f->journal, &record);
	assert_int_equal(journal_rotate(f->journal), 1);
	assert_holds(f, 3);
}

static void
rotation(void **state)
{
	struct fixture *f = *state;
	uint64_t *numbers, first;
	size_t count;
	struct journal *second;
	char *error = NULL;

	assert_int_equal(journal_rotate(f->journal), 0); /* empty */
	assert_int_equal(append(f, 1), 0);
	first = journal_rotate(f->journal);
	assert_int_equal(first, 1);
	assert_int_equal(journal_size(f->journal), 0);
	assert_int_equal(append(f, 2), 0);
	assert_int_equal(journal_rotate(f->journal), first + 1);
	assert_holds(f, 2);
	/* Another process numbers on; an empty segment goes at close. */
	second = journal_open(f->fd, &key, &error);
	assert_non_null(second);
	assert_int_equal(journal_list(f->fd, &numbers, &count), 0);
	assert_int_equal(count, 4);
	assert_int_equal(numbers[3], first + 3);
	free(numbers);
	journal_close(second);
	assert_int_equal(journal_list(f->fd, &numbers, &count), 0);
	assert_int_equal(count, 3);
	free(numbers);
}

/* Appends and commits in turn, going on as ommailban does: whatever append
 * answered 0 for is in the files (death of the process), whatever sync
 * answered 0 for was synced. */
static void
append_and_commit(struct fixture *f, uint64_t last)
{
	uint64_t highest;
	bool damaged = false;

	for (uint64_t seq = 1; seq <= last; seq++) {
		if (append(f, seq) == 0 && !fail_drops_pages) {
			(void)read_back(f, &highest, &damaged);
			assert_true(highest >= seq);
		}
		if (seq % 3 == 0 && journal_sync(f->journal) == 0) {
			(void)read_back(f, &highest, &damaged);
			assert_true(highest >= seq);
		}
		if (seq % 9 == 0)
			(void)journal_rotate(f->journal);
	}
	for (int i = 0; i < 100 && journal_sync(f->journal) < 0; i++)
		;
	assert_int_equal(journal_sync(f->journal), 0);
	(void)read_back(f, &highest, &damaged);
	assert_int_equal(highest, last);
	assert_false(damaged);
}

static void
each_call_fails(int times, int error, size_t after_bytes, bool drops)
{
	int n = 1;

	do {
		void *state = NULL;

		assert_int_equal(set_up(&state), 0);
		fail_drops_pages = drops;
		fail_from(n, times, error, after_bytes);
		append_and_commit(state, 30);
		assert_true(calls > 30);
		n = calls > n ? n + 1 : 0;
		(void)tear_down(&state);
	} while (n && n < 80);
	assert_true(n == 0 || n == 80);
}

static void
any_call_fails(void **state)
{
	(void)state;
	each_call_fails(1, ENOSPC, 0, false);
	each_call_fails(5, EIO, 0, false);
	each_call_fails(1, EINTR, 0, false);
}

static void
any_write_is_cut_short(void **state)
{
	(void)state;
	for (size_t after = 1; after < 500; after += 83)
		each_call_fails(1, ENOSPC, after, false);
	each_call_fails(3, ENOSPC, 100, false);
}

static void
any_sync_drops_pages(void **state)
{
	(void)state;
	each_call_fails(1, EIO, 0, true);
	each_call_fails(4, EIO, 0, true);
}

/* A disk that fails for hours leaves no heap of copies. */
static void
no_heap_of_segments(void **state)
{
	struct fixture *f = *state;
	uint64_t *numbers;
	size_t count;

	assert_int_equal(append(f, 1), 0);
	fail_drops_pages = true;
	fail_from(1, 1000, EIO, 0);
	for (int i = 0; i < 50; i++)
		assert_int_equal(journal_sync(f->journal), -EIO);
	fail_from(0, 0, 0, 0);
	assert_int_equal(journal_sync(f->journal), 0);
	assert_int_equal(journal_list(f->fd, &numbers, &count), 0);
	assert_true(count <= 2);
	free(numbers);
	assert_holds(f, 1);
}

static void
deleted_segment_comes_back(void **state)
{
	struct fixture *f = *state;

	for (uint64_t seq = 1; seq <= 5; seq++)
		assert_int_equal(append(f, seq), 0);
	assert_int_equal(journal_sync(f->journal), 0);
	assert_int_equal(append(f, 6), 0);
	assert_int_equal(journal_unlink(f->fd, 1), 0);
	assert_int_equal(append(f, 7), 0);
	assert_int_equal(journal_sync(f->journal), 0);
	assert_holds(f, 7);
	assert_int_equal(append(f, 8), 0);
	assert_int_equal(journal_unlink(f->fd, 2), 0);
	assert_int_equal(journal_rotate(f->journal), 3);
	assert_holds(f, 8);
}

static void
full_file_system(void **state)
{
	struct fixture *f = *state;

	for (uint64_t seq = 1; seq <= 4; seq++)
		assert_int_equal(append(f, seq), 0);
	fail_from(1, 1000000, ENOSPC, 0);
	for (uint64_t seq = 5; seq <= 5000; seq++)
		assert_int_equal(append(f, seq), -ENOSPC);
	assert_int_equal(journal_sync(f->journal), -ENOSPC);
	assert_int_equal(journal_rotate(f->journal), 0);
	fail_from(0, 0, 0, 0);
	assert_int_equal(journal_flush(f->journal), 0);
	assert_holds(f, 5000);
	assert_int_equal(journal_sync(f->journal), 0);
}

static void
write_segment(
	struct fixture *f, uint64_t number, const uint8_t *data, size_t len)
{
	int fd;

	(void)journal_unlink(f->fd, number);
	fd = journal_create(f->fd, number);
	assert_true(fd >= 0);
	assert_int_equal(__real_write(fd, data, len), len);
	(void)close(fd);
}

/* A segment cut anywhere gives the whole records before the cut. */
static void
torn_anywhere(void **state)
{
	struct fixture *f = *state;
	uint8_t data[4 * RECORD_MAX];
	size_t ends[4] = {0}, len = 0;

	for (uint64_t seq = 1; seq <= 3; seq++) {
		struct record record =
			offence_of(seq, (uint32_t)seq, (int64_t)seq);

		len += record_encode(&record, &key, data + len);
		ends[seq] = len;
	}
	for (size_t cut = 0; cut <= len; cut++) {
		uint64_t want = cut >= ends[3]	 ? 3
				: cut >= ends[2] ? 2
						 : cut >= ends[1];

		write_segment(f, 1, data, cut);
		assert_holds(f, want);
		/* The kernel may have made the file longer, with zeros. */
		memset(data + len, 0, RECORD_MAX);
		if (cut == len)
			write_segment(f, 1, data, cut + RECORD_MAX);
		assert_holds(f, want);
	}
}

static void
damage_is_stepped_over(void **state)
{
	struct fixture *f = *state;
	uint8_t data[4 * RECORD_MAX];
	size_t len = 0, second = 0;
	uint64_t highest;

	for (uint64_t seq = 1; seq <= 3; seq++) {
		struct record record = offence_of(
			seq == 3 ? 2 : seq, (uint32_t)seq, (int64_t)seq);

		second = seq == 2 ? len : second;
		len += record_encode(&record, &key, data + len);
	}
	for (size_t at = second; at < second + 200; at += 3) {
		bool damaged = false;

		data[at] ^= 0x10;
		write_segment(f, 1, data, len);
		assert_int_equal(read_back(f, &highest, &damaged), 2);
		assert_true(damaged);
		data[at] ^= 0x10;
	}
}

static void
foreign_names_are_no_segments(void **state)
{
	struct fixture *f = *state;
	static const char *const names[] = {"journal.1", "journal.",
		"journal.00000000000000000000", "journal.0000000000000000001x",
		"journal.99999999999999999999", "journal.-0000000000000000001",
		"xjournal.00000000000000000005",
		"journal.000000000000000000005"};
	uint64_t *numbers;
	size_t count;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		(void)close(openat(f->fd, names[i], O_CREAT | O_WRONLY, 0600));
	assert_int_equal(journal_list(f->fd, &numbers, &count), 0);
	assert_int_equal(count, 1);
	assert_int_equal(numbers[0], 1);
	free(numbers);
}

static void
second_process_is_refused(void **state)
{
	struct fixture *f = *state;
	int fd, status;
	pid_t holder = -1, child;

	assert_int_equal(state_lock(f->folder, &fd, &holder), 0);
	child = fork();
	if (child == 0) {
		int other;
		int rc = state_lock(f->folder, &other, &holder);

		_exit(rc == -EWOULDBLOCK && holder == getppid() ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	(void)close(fd);
	assert_int_equal(state_lock(f->folder, &fd, &holder), 0);
	(void)close(fd);
	assert_int_equal(
		state_lock("/nonexistent/folder", &fd, &holder), -ENOENT);
}

static void
key_is_kept(void **state)
{
	struct fixture *f = *state;
	struct digest_key made, again;
	struct stat st;
	int fd;

	assert_int_equal(state_read_key(f->fd, &again), -ENOENT);
	state_make_key(&made);
	assert_int_equal(state_write_key(f->fd, &made), 0);
	assert_int_equal(state_read_key(f->fd, &again), 0);
	assert_memory_equal(&made, &again, sizeof(made));
	assert_int_equal(fstatat(f->fd, "digest.key", &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	fd = openat(f->fd, "digest.key", O_WRONLY | O_TRUNC);
	(void)close(fd);
	assert_int_equal(state_read_key(f->fd, &again), -ENOENT);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(appended_is_in_the_file),
		TEST(added_goes_in_one_write),
		TEST(rotation),
		cmocka_unit_test(any_call_fails),
		cmocka_unit_test(any_write_is_cut_short),
		cmocka_unit_test(any_sync_drops_pages),
		TEST(no_heap_of_segments),
		TEST(deleted_segment_comes_back),
		TEST(full_file_system),
		TEST(torn_anywhere),
		TEST(damage_is_stepped_over),
		TEST(foreign_names_are_no_segments),
		TEST(second_process_is_refused),
		TEST(key_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
