/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Digests: each field counts, none runs into the next, a resend is the same.
 * The set: forgets in order, never what is not durable, and its horizon tells
 * what it can't answer.
 */
#include "plugin/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/folder.h"

static const struct digest_key key = {{1, 2, 3, 4}};

static struct message
example(void)
{
	return (struct message){.time_us = 1000000,
		.reported_us = 999999,
		.reported_fraction = true,
		.host = span_of("mail"),
		.from = span_of("127.0.0.1"),
		.tag = span_of("postfix/smtpd[1]:"),
		.msg = span_of("warning: something"),
		.repeat = 1};
}

static bool
same(const struct message *a, const struct message *b)
{
	struct digest left = digest_of(a, &key), right = digest_of(b, &key);

	return memcmp(&left, &right, sizeof(left)) == 0;
}

static void
change_host(struct message *message)
{
	message->host = span_of("mail2");
}

static void
change_from(struct message *message)
{
	message->from = span_of("127.0.0.2");
}

static void
change_tag(struct message *message)
{
	message->tag = span_of("postfix/smtpd[2]:");
}

static void
change_msg(struct message *message)
{
	message->msg = span_of("warning: somethinh");
}

static void
change_reported(struct message *message)
{
	message->reported_us++;
}

static void
change_repeat(struct message *message)
{
	message->repeat = 2;
}

/* The same bytes, cut into fields elsewhere. */
static void
move_border(struct message *message)
{
	message->from = span_of("127.0.0.1m");
	message->host = span_of("ail");
}

static void
lose_fraction(struct message *message)
{
	message->reported_fraction = false;
}

static void
each_field_counts(void **state)
{
	static void (*const changes[])(struct message *) = {change_host,
		change_from, change_tag, change_msg, change_reported,
		change_repeat, move_border, lose_fraction};

	(void)state;
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		struct message a = example(), b = example();

		assert_true(same(&a, &b));
		changes[i](&b);
		if (same(&a, &b))
			fail_msg("change %zu has no effect", i);
	}
}

static void
key_counts(void **state)
{
	struct digest_key other = key;
	struct message message = example();
	struct digest a = digest_of(&message, &key), b;

	(void)state;
	other.bytes[15] ^= 1;
	b = digest_of(&message, &other);
	assert_memory_not_equal(&a, &b, sizeof(a));
}

/* RELP sends again with the same `reported` and a new `time`. */
static void
time_counts_only_without_fraction(void **state)
{
	struct message a = example(), b = example();

	(void)state;
	b.time_us += 5;
	assert_true(same(&a, &b));
	assert_true(digest_stamp(&a) == digest_stamp(&b));
	a.reported_fraction = b.reported_fraction = false;
	assert_false(same(&a, &b));
	assert_true(digest_stamp(&a) == a.time_us);
}

/* Longer than what is hashed in one piece: every byte still counts. */
static void
long_messages(void **state)
{
	static char text[5000];

	(void)state;
	memset(text, 'x', sizeof(text));
	for (size_t at = 0; at < sizeof(text); at += 7) {
		struct message a = example(), b = example();
		char changed[sizeof(text)];

		memcpy(changed, text, sizeof(text));
		changed[at] = 'y';
		a.msg = (struct span){text, sizeof(text)};
		b.msg = (struct span){changed, sizeof(text)};
		assert_false(same(&a, &b));
		b.msg = (struct span){text, sizeof(text) - at - 1};
		assert_false(same(&a, &b));
	}
}

/* 64 of them share each home slot at most: the last bytes tell them apart. */
static struct digest
digest_number(uint32_t number)
{
	struct digest digest = {{0}};

	digest.bytes[0] = (uint8_t)(number % 64);
	memcpy(digest.bytes + 8, &number, sizeof(number));
	return digest;
}

static void
forgets_in_order(void **state)
{
	struct digest_set *set = digest_set_new(100);

	(void)state;
	digest_set_durable(set, UINT64_MAX);
	assert_true(digest_set_horizon(set) == INT64_MIN);
	for (uint32_t i = 1; i <= 5000; i++) {
		struct digest digest = digest_number(i);
		struct digest old = digest_number(i - 100);
		struct digest kept = digest_number(i - 99);

		assert_false(digest_set_has(set, &digest));
		digest_set_add(set, &digest, i * 10, i);
		assert_true(digest_set_has(set, &digest));
		if (i <= 100)
			continue;
		assert_false(digest_set_has(set, &old));
		assert_true(digest_set_has(set, &kept));
		assert_int_equal(digest_set_horizon(set), (i - 100) * 10);
		assert_int_equal(digest_set_count(set), 100);
	}
	digest_set_free(set);
}

static void
keeps_what_is_not_durable(void **state)
{
	struct digest_set *set = digest_set_new(100);
	struct digest digest;

	(void)state;
	for (uint32_t i = 1; i <= 5000; i++) {
		digest = digest_number(i);
		digest_set_add(set, &digest, i, i);
	}
	assert_int_equal(digest_set_count(set), 5000);
	assert_true(digest_set_horizon(set) == INT64_MIN);
	for (uint32_t i = 1; i <= 5000; i++) {
		digest = digest_number(i);
		assert_true(digest_set_has(set, &digest));
	}
	/* Once durable, it comes down to its size, by two an addition. */
	digest_set_durable(set, 5000);
	for (uint32_t i = 5001; i <= 10000; i++) {
		digest = digest_number(i);
		digest_set_add(set, &digest, i, i);
		digest_set_durable(set, i);
	}
	assert_int_equal(digest_set_count(set), 100);
	assert_int_equal(digest_set_horizon(set), 9900);
	digest_set_free(set);
}

/* The horizon is the newest stamp forgotten, not the last one. */
static void
horizon_is_the_newest(void **state)
{
	struct digest_set *set = digest_set_new(2);
	static const int64_t stamps[] = {5, 900, 7, 8, 9};

	(void)state;
	digest_set_durable(set, UINT64_MAX);
	for (uint32_t i = 0; i < 5; i++) {
		struct digest digest = digest_number(i);

		digest_set_add(set, &digest, stamps[i], i + 1);
	}
	assert_int_equal(digest_set_horizon(set), 900);
	digest_set_forgot(set, 100);
	assert_int_equal(digest_set_horizon(set), 900);
	digest_set_forgot(set, 1000);
	assert_int_equal(digest_set_horizon(set), 1000);
	digest_set_free(set);
	digest_set_free(NULL);
}

/* A sender's clock may run ahead: however `time` moves between the first
 * sending and the second, whatever was forgotten in between, the caller finds
 * either the digest in the set or a stamp within the horizon. */
static void
resend_is_never_missed(void **state)
{
	(void)state;
	for (int64_t reported = 900; reported <= 1200; reported += 50) {
		struct digest_set *set = digest_set_new(1);
		struct message first = example(), again;
		struct digest digest, other = digest_number(1);

		first.time_us = 1000;
		first.reported_us = reported;
		digest = digest_of(&first, &key);
		digest_set_durable(set, UINT64_MAX);
		digest_set_add(set, &digest, digest_stamp(&first), 1);
		digest_set_add(set, &other, 1001, 2);
		again = first;
		again.time_us = 1300;
		digest = digest_of(&again, &key);
		assert_false(digest_set_has(set, &digest));
		assert_true(digest_stamp(&again) <= digest_set_horizon(set));
		digest_set_free(set);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_field_counts),
		cmocka_unit_test(key_counts),
		cmocka_unit_test(time_counts_only_without_fraction),
		cmocka_unit_test(long_messages),
		cmocka_unit_test(forgets_in_order),
		cmocka_unit_test(keeps_what_is_not_durable),
		cmocka_unit_test(horizon_is_the_newest),
		cmocka_unit_test(resend_is_never_missed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
