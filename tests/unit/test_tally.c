/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The store of tallies: nothing is lost or mixed up as it grows, shrinks and
 * loses entries at random; it stays as small as promised; at its bound the
 * guilty stay; it goes on when memory is out. And the windows, by table.
 */
#include "plugin/tally.h"

#include "plugin/slots.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MANY = 50000 };

static const uint8_t key[16] = "sixteen bytes ok";
static const struct tally_question question = {
	.windows = {{.findtime_us = 1000, .maxretry = 100}}, .count = 1};

static bool out_of_memory;

void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);

void *
__wrap_calloc(size_t count, size_t size)
{
	return out_of_memory ? NULL : __real_calloc(count, size);
}

void *
__wrap_realloc(void *old, size_t size)
{
	return out_of_memory ? NULL : __real_realloc(old, size);
}

static struct tally_id
id_of(uint32_t number, uint8_t kind)
{
	struct tally_id id = {.kind = kind};

	memcpy(id.who, &number, sizeof number);
	return id;
}

static uint32_t
add(struct tallies *all, uint32_t number, int64_t time_us, uint32_t count)
{
	struct tally_id id = id_of(number, (uint8_t)(number % 3));
	struct moment one = {.time_us = time_us,
		.count = (count < MOMENT_COUNT_MAX ? count : MOMENT_COUNT_MAX) &
			 MOMENT_COUNT_MAX};
	struct window_sum sum;

	tallies_add(all, &id, &one, &question, &sum);
	return sum.count;
}

static void
clear(struct tallies *all, uint32_t number)
{
	struct tally_id id = id_of(number, 0);

	tallies_clear(all, id.who);
}

/* --- windows --- */

/* findtime 100, maxretry 4. */
static const struct {
	const char *name;
	struct {
		int64_t time_us;
		unsigned count;
	} moments[6];
	size_t len;
	int64_t time_us;
	struct window_sum want;
} windows[] = {
	{"alone", {{50, 1}}, 1, 50, {false, 1, 0}},
	{"alone and enough", {{50, 4}}, 1, 50, {true, 4, 50}},
	{"ends count", {{1, 1}, {100, 3}}, 2, 100, {true, 4, 100}},
	{"findtime apart", {{1, 1}, {101, 3}}, 2, 101, {false, 3, 0}},
	{"later ones count for an early one", {{10, 1}, {20, 2}, {109, 1}}, 3,
		10, {true, 4, 109}},
	{"but not those too late", {{10, 1}, {20, 2}, {110, 1}}, 3, 10,
		{false, 3, 0}},
	{"nor one that begins just behind ours", {{10, 1}, {105, 3}, {110, 1}},
		3, 10, {true, 4, 105}},
	{"nor one that begins just behind ours, and is full",
		{{10, 1}, {110, 4}}, 2, 10, {false, 1, 0}},
	{"a later end leaves the first behind", {{10, 1}, {50, 2}, {110, 1}}, 3,
		50, {false, 3, 0}},
	{"a full window elsewhere is not ours", {{10, 1}, {200, 4}}, 2, 10,
		{false, 1, 0}},
	{"the first of two", {{10, 1}, {20, 2}, {30, 1}, {40, 5}}, 4, 20,
		{true, 4, 30}},
	{"the best of several", {{10, 1}, {60, 1}, {111, 1}, {112, 1}}, 4, 60,
		{false, 3, 0}},
};

static void
test_windows(void **state)
{
	const struct window four = {.findtime_us = 100, .maxretry = 4};

	(void)state;
	for (size_t i = 0; i < sizeof windows / sizeof windows[0]; i++) {
		struct moment moments[6];
		struct window_sum got;

		for (size_t j = 0; j < windows[i].len; j++)
			moments[j] = (struct moment){
				.time_us = windows[i].moments[j].time_us,
				.count = windows[i].moments[j].count & 0xff};
		window_judge(moments, windows[i].len, windows[i].time_us, &four,
			&got);
		if (got.full != windows[i].want.full ||
			got.count != windows[i].want.count ||
			got.newest_us != windows[i].want.newest_us)
			fail_msg("%s: full %d count %u newest %lld",
				windows[i].name, got.full, got.count,
				(long long)got.newest_us);
	}
}

static void
test_insert_drop(void **state)
{
	static const int64_t order[] = {5, 9, 1, 5, 7, 1};
	static const struct {
		int64_t time_us;
		unsigned count;
	} want[] = {{1, 2}, {5, 2}, {7, 1}, {9, 1}};
	struct moment moments[8], one;
	size_t len = 0;

	(void)state;
	for (size_t i = 0; i < 6; i++) {
		one = (struct moment){.time_us = order[i], .count = 1};
		len = window_insert(moments, len, &one);
	}
	assert_int_equal(len, 4);
	for (size_t i = 0; i < len; i++) {
		assert_int_equal(moments[i].time_us, want[i].time_us);
		assert_int_equal(moments[i].count, want[i].count);
	}
	one = (struct moment){.time_us = 9, .count = MOMENT_COUNT_MAX};
	len = window_insert(moments, len, &one);
	assert_int_equal(moments[3].count, MOMENT_COUNT_MAX);
	assert_int_equal(window_drop(moments, len, 0), 4);
	assert_int_equal(window_drop(moments, len, 5), 2);
	assert_int_equal(moments[0].time_us, 7);
	assert_int_equal(window_drop(moments, 2, 9), 0);
}

/* --- the store --- */

/* Each operation against a plain array of counts. */
static void
test_against_array(void **state)
{
	static uint32_t count[MANY];
	struct tallies *all = tallies_new(key);
	size_t known = 0;
	uint64_t seed = 7;

	(void)state;
	memset(count, 0, sizeof count);
	for (int64_t step = 0; step < 400000; step++) {
		uint32_t who, act;

		seed = seed * UINT64_C(6364136223846793005) + 1;
		who = (uint32_t)(seed >> 33) % MANY;
		act = (uint32_t)(seed >> 60);
		/* First it fills, then it empties. */
		if (act < (step < 200000 ? 3 : 12)) {
			known -= count[who] != 0;
			count[who] = 0;
			clear(all, who);
		} else {
			known += count[who] == 0;
			/* At most some, all within findtime. */
			count[who]++;
			assert_int_equal(add(all, who, 500 - count[who] % 5, 1),
				count[who]);
		}
		assert_int_equal(tallies_count(all), known);
	}
	for (uint32_t i = 0; i < MANY; i++)
		assert_int_equal(add(all, i, 500, 1), count[i] + 1);
	tallies_free(all);
}

static void
test_kinds(void **state)
{
	struct tallies *all = tallies_new(key);
	struct moment one = {.time_us = 5, .count = 1};
	struct window_sum sum;

	(void)state;
	for (uint8_t kind = 0; kind < TALLY_KINDS; kind++) {
		struct tally_id id = id_of(1, kind);

		tallies_add(all, &id, &one, &question, &sum);
		assert_int_equal(sum.count, 1);
	}
	assert_int_equal(tallies_count(all), TALLY_KINDS);
	clear(all, 1);
	assert_int_equal(tallies_count(all), 0);
	tallies_free(all);
}

/* One or two times each: 75 bytes at most, at any size above some hundred
 * thousand. */
static void
test_small(void **state)
{
	struct tallies *all = tallies_new(key);
	size_t empty = tallies_memory(all);

	(void)state;
	for (uint32_t i = 1; i <= 400000; i++) {
		(void)add(all, i, 1, 1);
		if (i % 2)
			(void)add(all, i, 2, 1);
		if (i > 100000 && i % 1000 == 0)
			assert_true(tallies_memory(all) - empty < i * 75);
	}
	tallies_free(all);
}

/* Times move into a block and back; all is given back at the end. */
static void
test_blocks(void **state)
{
	struct tallies *all = tallies_new(key);
	size_t empty = tallies_memory(all), few;

	(void)state;
	(void)add(all, 3, 1, 1);
	(void)add(all, 3, 2, 1);
	few = tallies_memory(all);
	for (int64_t i = 3; i <= 90; i++)
		assert_int_equal(add(all, 3, i, 1), i);
	assert_true(tallies_memory(all) > few);
	tallies_horizon(all, 0, 89);
	assert_int_equal(add(all, 3, 91, 1), 2);
	assert_int_equal(tallies_memory(all), few);
	clear(all, 3);
	for (int i = 0; i < 1000; i++)
		tallies_step(all);
	assert_int_equal(tallies_memory(all), empty);
	tallies_free(all);
}

/* Neither endless times nor endless counts. */
static void
test_bounded_tally(void **state)
{
	struct tallies *all = tallies_new(key);
	size_t memory;

	(void)state;
	for (int64_t i = 0; i < 1000; i++)
		(void)add(all, 3, i * 2000, 1);
	memory = tallies_memory(all);
	for (int64_t i = 1000; i < 5000; i++)
		assert_int_equal(add(all, 3, i * 2000, 1), 1);
	assert_int_equal(tallies_memory(all), memory);
	assert_int_equal(add(all, 4, 1, UINT32_MAX), MOMENT_COUNT_MAX);
	assert_int_equal(add(all, 4, 1, UINT32_MAX), MOMENT_COUNT_MAX);
	tallies_free(all);
}

/* What was behind the horizon stays gone when the horizon goes back. */
static void
test_horizon_back(void **state)
{
	struct tallies *all = tallies_new(key);

	(void)state;
	(void)add(all, 3, 100, 1);
	(void)add(all, 3, 200, 1);
	(void)add(all, 6, 100, 1);
	tallies_horizon(all, 0, 150);
	tallies_horizon(all, 0, 50);
	assert_int_equal(tallies_count(all), 1);
	assert_int_equal(add(all, 3, 100, 1), 2);
	/* Behind it: judged alone, not kept. */
	assert_int_equal(add(all, 9, 50, 7), 7);
	assert_int_equal(tallies_count(all), 1);
	tallies_free(all);
}

static bool
is_even(const uint8_t who[TALLY_WHO], const void *arg)
{
	(void)arg;
	return who[0] % 2 == 0;
}

static void
test_clear_if(void **state)
{
	struct tallies *all = tallies_new(key);

	(void)state;
	for (uint32_t i = 0; i < MANY; i++)
		(void)add(all, i, 1, 1);
	tallies_clear_if(all, is_even, NULL);
	assert_int_equal(tallies_count(all), MANY / 2);
	for (uint32_t i = 0; i < MANY; i++)
		assert_int_equal(add(all, i, 2, 1), 1 + i % 2);
	tallies_free(all);
}

/* When all are gone, no bucket sends a search on. */
static void
test_nothing_left_behind(void **state)
{
	static struct slots slots;
	struct place place;

	(void)state;
	for (uint32_t i = 0; i < MANY; i++) {
		struct tally_id id = id_of(i, 0);
		uint64_t hash = slots_hash(&slots, id.who);
		struct shard *shard = slots_shard(&slots, hash);

		if (slots_loaded(shard))
			assert_true(slots_rebuild(
				&slots, shard, slots_room(shard)));
		(void)slots_take(&slots, hash, id.who, 0);
	}
	for (uint32_t i = 0; i < MANY; i++) {
		struct tally_id id = id_of(i, 0);
		uint64_t hash = slots_hash(&slots, id.who);
		struct shard *shard = slots_shard(&slots, hash);

		assert_true(slots_find(shard, hash, id.who, 0, &place));
		slots_remove(&slots, shard, &place);
	}
	for (size_t i = 0; i < SLOTS_SHARDS; i++) {
		for (uint32_t j = 0; j < slots.shards[i].room; j++)
			assert_int_equal(slots.shards[i].buckets[j].passed, 0);
		free(slots.shards[i].buckets);
	}
}

/* --- at the bound --- */

/* Clients with four offences each, then a flood of new ones many times what
 * fits: the bound holds, and the guilty are still there. */
static void
test_flood(void **state)
{
	const size_t limit = 8 << 20;
	const uint32_t guilty = 10000;
	struct tallies *all = tallies_new(key);
	uint32_t kept = 0;

	(void)state;
	tallies_limit(all, limit);
	for (uint32_t i = 0; i < guilty; i++)
		for (int64_t j = 0; j < 4; j++)
			(void)add(all, i, j, 1);
	for (uint32_t i = 0; i < 1000000; i++) {
		(void)add(all, guilty + i, 10 + i / 10000, 1);
		if (i % 1000 == 0)
			assert_true(tallies_memory(all) < limit + 65536);
	}
	assert_true(tallies_count(all) > limit / 100);
	for (uint32_t i = 0; i < guilty; i++)
		kept += add(all, i, 200, 1) == 5;
	assert_true(kept > guilty / 100 * 99);
	tallies_free(all);
}

/* All come again and again: times of their own are bounded too, and whoever
 * goes on still gets counted. */
static void
test_flood_of_guilty(void **state)
{
	const size_t limit = 4 << 20;
	struct tallies *all = tallies_new(key);
	uint32_t last = 0;

	(void)state;
	tallies_limit(all, limit);
	for (int64_t j = 0; j < 20; j++)
		for (uint32_t i = 0; i < 30000; i++) {
			(void)add(all, i, j, 1);
			assert_true(tallies_memory(all) < limit + 65536);
		}
	for (int64_t j = 20; j < 40; j++)
		last = add(all, 77777, j, 1);
	assert_int_equal(last, 20);
	tallies_free(all);
}

/* A bound below what is needed at all does no harm. */
static void
test_tiny_bound(void **state)
{
	struct tallies *all = tallies_new(key);

	(void)state;
	tallies_limit(all, 1);
	for (uint32_t i = 0; i < MANY; i++)
		(void)add(all, i, 1, 1);
	assert_true(tallies_count(all) > 1000);
	assert_true(tallies_memory(all) < 1 << 20);
	for (int64_t j = 1; j < 9; j++)
		(void)add(all, 1, j, 1);
	tallies_free(all);
}

static void
test_out_of_memory(void **state)
{
	struct tallies *all = tallies_new(key);

	(void)state;
	out_of_memory = true;
	assert_int_equal(add(all, 1, 1, 3), 3);
	assert_int_equal(tallies_count(all), 0);
	out_of_memory = false;
	for (uint32_t i = 0; i < MANY; i++)
		(void)add(all, i, 1, 1);
	out_of_memory = true;
	for (uint32_t i = 0; i < 2 * MANY; i++)
		(void)add(all, MANY + i, 1, 1);
	assert_true(tallies_count(all) >= MANY);
	/* No block to be had: the newest times are kept. */
	for (int64_t j = 1; j < 9; j++)
		(void)add(all, 7, j, 1);
	assert_int_equal(add(all, 7, 9, 1), 3);
	out_of_memory = false;
	assert_int_equal(add(all, 7, 10, 1), 3);
	tallies_free(all);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_windows),
		cmocka_unit_test(test_insert_drop),
		cmocka_unit_test(test_against_array),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_small),
		cmocka_unit_test(test_blocks),
		cmocka_unit_test(test_bounded_tally),
		cmocka_unit_test(test_horizon_back),
		cmocka_unit_test(test_clear_if),
		cmocka_unit_test(test_nothing_left_behind),
		cmocka_unit_test(test_flood),
		cmocka_unit_test(test_flood_of_guilty),
		cmocka_unit_test(test_tiny_bound),
		cmocka_unit_test(test_out_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
