/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Journal and ledger on a small file system of their own that is really full,
 * or read-only, in private namespaces (skipped where those are forbidden):
 * nothing acknowledged is lost, and all goes on without a hand.
 */
#include "plugin/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mount.h>

#include <cmocka.h>

#include "plugin/ledger_db.h"
#include "tests/unit/folder.h"

enum { SKIP = 77 }; /* automake's */

static char *folder;
static int folder_fd;
static struct digest_key key;
static struct ledger *ledger;
static struct journal *journal;
static const struct ledger_limits limits = {
	INT64_C(86400000000), INT64_C(1) << 30};

static int
set_up(void **state)
{
	char *error = NULL;
	bool moved;

	(void)state;
	folder = folder_make();
	if (mount("tmpfs", folder, "tmpfs", 0, "size=4m,mode=0700") < 0)
		return -1;
	folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ledger = ledger_open(folder, &limits, &key, NULL, NULL, &moved, &error);
	journal = ledger ? journal_open(folder_fd, &key, &error) : NULL;
	if (error)
		print_error("%s\n", error);
	return journal ? 0 : -1;
}

static int
tear_down(void **state)
{
	(void)state;
	journal_close(journal);
	ledger_close(ledger);
	(void)close(folder_fd);
	if (umount2(folder, MNT_DETACH) < 0)
		return -1;
	folder_remove(folder);
	return 0;
}

/* Takes what is left but for some bytes. */
static void
fill_disk(off_t leave)
{
	static char block[4096];
	int fd = openat(folder_fd, "filler", O_WRONLY | O_CREAT, 0600);
	off_t size = 0;
	ssize_t done;

	while ((done = write(fd, block, sizeof(block))) > 0)
		size += done;
	assert_int_equal(errno, ENOSPC);
	assert_true(size > leave);
	assert_int_equal(ftruncate(fd, size - leave), 0);
	(void)close(fd);
}

static void
free_disk(void)
{
	assert_int_equal(unlinkat(folder_fd, "filler", 0), 0);
}

static bool
wait_for(bool failing)
{
	for (int i = 0; i < 15000; i++) {
		if (failing ? ledger_error(ledger) < 0
			    : ledger_error(ledger) == 0 &&
					ledger_backlog(ledger) == 0)
			return true;
		(void)usleep(1000);
	}
	return false;
}

static void
hand_over(size_t from_bytes)
{
	if (journal_size(journal) >= from_bytes)
		ledger_take_over(ledger, journal_rotate(journal));
}

static size_t
count_taken(uint64_t last)
{
	size_t count = 0;

	for (uint64_t seq = 1; seq <= last; seq++) {
		struct record record = offence_of(seq, 1, 1);

		count += ledger_has(ledger, &record.digest) == 1;
	}
	return count;
}

/* As ommailban does: goes on till the journal itself is full. */
static void
append_till_full(uint64_t *seq)
{
	int rc;

	do {
		struct record record = offence_of(++*seq, 1, ledger_now_us());

		rc = journal_append(journal, &record);
		hand_over(65536);
	} while (rc == 0 && *seq < 100000);
	assert_int_equal(rc, -ENOSPC);
}

static void
full_and_free_again(void **state)
{
	uint64_t seq = 0;

	(void)state;
	assert_int_equal(ledger_start(ledger), 0);
	fill_disk(700000);
	/* A takeover may give back a little. */
	do
		append_till_full(&seq);
	while (journal_sync(journal) == 0);
	assert_true(seq > 100);
	free_disk();
	assert_int_equal(journal_sync(journal), 0);
	hand_over(1);
	assert_true(wait_for(false));
	assert_int_equal(count_taken(seq), seq);
}

/* The journal has room, the ledger has not. */
static void
full_for_the_ledger_only(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(ledger_start(ledger), 0);
	for (uint64_t seq = 1; seq <= 1000; seq++) {
		struct record record = offence_of(seq, 1, ledger_now_us());

		assert_int_equal(journal_append(journal, &record), 0);
	}
	fill_disk(4096);
	hand_over(1);
	assert_true(wait_for(true));
	assert_int_equal(ledger_error(ledger), -ENOSPC);
	assert_int_equal(count_taken(1000), 0);
	assert_int_equal(
		fstatat(folder_fd, "journal.00000000000000000001", &st, 0), 0);
	free_disk();
	assert_true(wait_for(false));
	assert_int_equal(count_taken(1000), 1000);
}

static void
full_at_start(void **state)
{
	char *error = NULL;
	bool moved;

	(void)state;
	for (uint64_t seq = 1; seq <= 1000; seq++) {
		struct record record = offence_of(seq, 1, ledger_now_us());

		assert_int_equal(journal_append(journal, &record), 0);
	}
	journal_close(journal);
	journal = NULL;
	ledger_close(ledger);
	fill_disk(200000);
	ledger = ledger_open(folder, &limits, &key, NULL, NULL, &moved, &error);
	assert_non_null(ledger);
	assert_false(moved);
	assert_int_equal(ledger_error(ledger), -ENOSPC);
	assert_int_equal(ledger_last_seq(ledger), 1000);
	assert_int_equal(ledger_start(ledger), 0);
	free_disk();
	assert_true(wait_for(false));
	assert_int_equal(count_taken(1000), 1000);
}

static void
read_only_at_start(void **state)
{
	char *error = NULL;
	bool moved;

	(void)state;
	journal_close(journal);
	journal = NULL;
	ledger_close(ledger);
	ledger = NULL;
	assert_int_equal(
		mount(NULL, folder, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
	assert_null(
		ledger_open(folder, &limits, &key, NULL, NULL, &moved, &error));
	assert_false(moved);
	print_message("           %s\n", error);
	assert_non_null(strstr(error, strerror(EROFS)));
	free(error);
	assert_int_equal(mount(NULL, folder, NULL, MS_REMOUNT, NULL), 0);
	ledger = ledger_open(folder, &limits, &key, NULL, NULL, &moved, &error);
	assert_non_null(ledger);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(full_and_free_again),
		TEST(full_for_the_ledger_only),
		TEST(full_at_start),
		TEST(read_only_at_start),
	};

	if (unshare(CLONE_NEWNS | (geteuid() ? CLONE_NEWUSER : 0)) < 0 ||
		mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
		perror("no private mounts here: unshare");
		return SKIP;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
