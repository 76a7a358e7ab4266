/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What it costs to keep a record: the append before the answer and the sync at
 * COMMIT beside raw writes of the same bytes, the takeover into SQLite, the
 * look-up of a digest, and reading all back at start. Ratios within one run
 * are what counts. Usage: bench_journal [RECORDS [BANS]]
 */
#include "plugin/ledger.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sodium.h>

#include "plugin/journal_file.h"
#include "tests/unit/folder.h"

enum { APPENDS = 200000, SYNCS = 500, SEGMENT = 1 << 20, LOOKS = 100000 };

static int64_t now_us;

static double
seconds(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void
check(bool good, const char *what)
{
	if (good)
		return;
	(void)fprintf(stderr, "bench_journal: %s\n", what);
	exit(1);
}

/* As SipHash would make them: spread over the whole index. */
static struct record
make_offence(uint64_t seq)
{
	struct record record = offence_of(
		seq, (uint32_t)(seq * 2654435761U >> 8), now_us - 1000);
	static const uint8_t key[16] = {7};

	(void)crypto_shorthash_siphashx24(
		record.digest.bytes, (const uint8_t *)&seq, sizeof(seq), key);
	return record;
}

/* us for each of count raw writes of what an offence takes. */
static double
raw_writes(int folder, size_t count, bool sync)
{
	struct digest_key key = {{1}};
	struct record record = make_offence(1);
	uint8_t buf[RECORD_MAX];
	size_t len = record_encode(&record, &key, buf);
	int fd = openat(folder, "raw",
		O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
	double start = seconds(), took;

	for (size_t i = 0; i < count; i++) {
		check(write(fd, buf, len) == (ssize_t)len, "write");
		check(!sync || fdatasync(fd) == 0, "fdatasync");
	}
	took = (seconds() - start) / (double)count * 1e6;
	(void)close(fd);
	(void)unlinkat(folder, "raw", 0);
	return took;
}

static double
appends(struct journal *journal, uint64_t *seq, size_t count, bool sync)
{
	double start = seconds();

	for (size_t i = 0; i < count; i++) {
		struct record record = make_offence(++*seq);

		check(journal_append(journal, &record) == 0, "append");
		check(!sync || journal_sync(journal) == 0, "sync");
	}
	return (seconds() - start) / (double)count * 1e6;
}

static void
bench_append(int folder, struct journal *journal)
{
	uint64_t seq = 0;

	for (int i = 0; i < 3; i++) {
		double raw = raw_writes(folder, APPENDS, false);
		double ours = appends(journal, &seq, APPENDS, false);

		check(journal_rotate(journal) != 0, "rotate");
		(void)printf("append: %.2f us, raw write %.2f us, ratio %.2f\n",
			ours, raw, ours / raw);
	}
	for (int i = 0; i < 3; i++) {
		double raw = raw_writes(folder, SYNCS, true);
		double ours = appends(journal, &seq, SYNCS, true);

		check(journal_rotate(journal) != 0, "rotate");
		(void)printf("append and fdatasync: %.0f us, raw %.0f us, "
			     "ratio %.2f\n",
			ours, raw, ours / raw);
	}
}

static void
bench_digest(void)
{
	struct digest_key key = {{1}};
	struct digest_set *set = digest_set_new(1 << 20);
	struct record record = make_offence(1);
	struct message message = {.time_us = now_us,
		.reported_us = now_us,
		.reported_fraction = true,
		.host = record.host,
		.from = record.from,
		.tag = record.tag,
		.msg = record.msg,
		.repeat = 1};
	size_t found = 0;
	double start = seconds(), middle;

	for (int i = 0; i < 1000000; i++) {
		message.reported_us++;
		found += digest_of(&message, &key).bytes[0];
	}
	middle = seconds();
	for (uint64_t i = 1; i <= 3000000; i++) {
		struct digest digest;

		memcpy(digest.bytes, &i, sizeof(i));
		for (int at = 0; at < 2; at++)
			memcpy(digest.bytes + 8 * at,
				&(uint64_t){i * UINT64_C(0x9e3779b97f4a7c15)},
				8);
		found += digest_set_has(set, &digest);
		digest_set_add(set, &digest, (int64_t)i, i);
		digest_set_durable(set, i);
	}
	(void)printf("digest: %.0f ns; set: has and add %.0f ns, %zu of them "
		     "in %zu MiB (%zu)\n",
		(middle - start) * 1e3, (seconds() - middle) / 3 * 1e3,
		digest_set_count(set), digest_set_memory(set) >> 20, found % 2);
	digest_set_free(set);
}

/* Segments of the size at which ommailban rotates. */
static void
fill(struct journal *journal, uint64_t offences, uint64_t bans)
{
	for (uint64_t seq = 1; seq <= offences + bans; seq++) {
		struct record record =
			seq <= offences
				? make_offence(seq)
				: ban_of(seq, (uint32_t)seq, now_us,
					  now_us + INT64_C(86400000000));

		check(journal_append(journal, &record) == 0, "append");
		if (journal_size(journal) >= SEGMENT)
			check(journal_rotate(journal) != 0, "rotate");
	}
	(void)journal_rotate(journal);
}

static void
dot(void *arg)
{
	int *dots = arg;

	(*dots)++;
}

static void
count_record(const struct record *record, void *arg)
{
	uint64_t *counts = arg;

	counts[record->type]++;
}

static void
bench_restore(struct ledger *ledger)
{
	const int64_t day_us = INT64_C(86400000000);
	struct ledger_since since = {now_us - day_us, now_us - day_us, 0};
	uint64_t counts[RECORD_UNEXEMPT + 1] = {0};
	double start = seconds();

	check(ledger_restore(ledger, &since, count_record, counts) == 0,
		"restore");
	(void)printf("restore: %llu offences and %llu bans in %.2f s\n",
		(unsigned long long)counts[RECORD_OFFENCE],
		(unsigned long long)counts[RECORD_BAN], seconds() - start);
}

static void
bench_has(struct ledger *ledger, uint64_t offences)
{
	double start = seconds();
	int found = 0;

	for (uint64_t i = 0; i < LOOKS; i++) {
		struct record record = make_offence(i * 7919 % (2 * offences));

		found += ledger_has(ledger, &record.digest) == 1;
	}
	(void)printf("has: %.2f us, %d of %d found\n",
		(seconds() - start) / LOOKS * 1e6, found, LOOKS);
}

struct bench {
	const char *folder;
	int fd, dots;
	struct digest_key key;
	struct ledger *ledger;
	struct journal *journal;
};

static void
open_ledger(struct bench *bench)
{
	struct ledger_limits limits = {INT64_MAX / 4, INT64_MAX / 4};
	char *error = NULL;
	bool moved;

	bench->ledger = ledger_open(bench->folder, &limits, &bench->key, dot,
		&bench->dots, &moved, &error);
	check(bench->ledger, error);
}

static void
open_journal(struct bench *bench)
{
	char *error = NULL;

	bench->journal = journal_open(bench->fd, &bench->key, &error);
	check(bench->journal, error);
}

static void
bench_takeover(struct bench *bench, uint64_t offences, uint64_t bans)
{
	double count = (double)(offences + bans), start, fill_s, take_s;
	struct stat st;

	open_journal(bench);
	start = seconds();
	fill(bench->journal, offences, bans);
	fill_s = seconds() - start;
	journal_close(bench->journal);
	start = seconds();
	open_ledger(bench);
	take_s = seconds() - start;
	check(fstatat(bench->fd, LEDGER_FILE, &st, 0) == 0, "stat");
	(void)printf("takeover: %.0f records/s, %.1f us each, %.1f times the "
		     "append with its syncs, %.0f bytes each, %d dots\n",
		count / take_s, take_s / count * 1e6, take_s / fill_s,
		(double)st.st_size / count, bench->dots);
}

static void
bench_ledger(struct bench *bench, uint64_t offences, uint64_t bans)
{
	double start;

	open_ledger(bench);
	open_journal(bench);
	bench_append(bench->fd, bench->journal);
	journal_close(bench->journal);
	ledger_close(bench->ledger);
	(void)unlinkat(bench->fd, LEDGER_FILE, 0);
	for (uint64_t number = 1; number < 20; number++)
		(void)journal_unlink(bench->fd, number);
	bench_takeover(bench, offences, bans);
	bench_restore(bench->ledger);
	bench_has(bench->ledger, offences);
	start = seconds();
	ledger_close(bench->ledger);
	open_ledger(bench);
	(void)printf("close and open: %.3f s\n", seconds() - start);
	ledger_close(bench->ledger);
}

int
main(int argc, char **argv)
{
	uint64_t offences = argc > 1 ? strtoull(argv[1], NULL, 10) : 200000;
	uint64_t bans = argc > 2 ? strtoull(argv[2], NULL, 10) : 100000;
	char *folder = folder_make();
	struct bench bench = {.folder = folder,
		.fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	now_us = (int64_t)now.tv_sec * 1000000;
	check(bench.fd >= 0 && offences > 0,
		"usage: bench_journal [RECORDS [BANS]]");
	bench_digest();
	bench_ledger(&bench, offences, bans);
	(void)close(bench.fd);
	folder_remove(folder);
	return 0;
}
