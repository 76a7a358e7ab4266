/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Records: what goes in comes out, over-long strings are cut, and nothing that
 * is cut off or altered anywhere is ever taken for a record.
 */
#include "plugin/record.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <sodium.h>

#include "tests/unit/folder.h"

static const struct digest_key key = {{9, 8, 7}};

static void
assert_span_equal(struct span a, struct span b)
{
	assert_int_equal(a.len, b.len);
	if (a.len)
		assert_memory_equal(a.text, b.text, a.len);
}

static void
assert_record_equal(const struct record *a, const struct record *b)
{
	assert_int_equal(a->type, b->type);
	assert_true(a->seq == b->seq && a->time_us == b->time_us);
	assert_true(a->reported_us == b->reported_us);
	assert_true(a->until_us == b->until_us);
	assert_true(network_equal(&a->net, &b->net));
	assert_memory_equal(&a->addr, &b->addr, sizeof(a->addr));
	assert_memory_equal(&a->digest, &b->digest, sizeof(a->digest));
	assert_int_equal(a->class, b->class);
	assert_int_equal(a->origin, b->origin);
	assert_int_equal(a->count, b->count);
	assert_int_equal(a->level, b->level);
	assert_int_equal(a->counted, b->counted);
	assert_int_equal(a->weight_percent, b->weight_percent);
	assert_int_equal(a->unknown_user, b->unknown_user);
	assert_span_equal(a->password, b->password);
	assert_span_equal(a->rule, b->rule);
	assert_span_equal(a->user, b->user);
	assert_span_equal(a->host, b->host);
	assert_span_equal(a->from, b->from);
	assert_span_equal(a->tag, b->tag);
	assert_span_equal(a->msg, b->msg);
	assert_span_equal(a->by, b->by);
	assert_span_equal(a->reason, b->reason);
}

static struct record
example(int which)
{
	struct record record;

	if (which == 0)
		return offence_of(7, 0x010203, 1700000000000000);
	if (which == 1)
		return ban_of(UINT64_MAX / 2, 0x010203, -5, BAN_PERMANENT);
	if (which == 2)
		return lift_of(1, 0x010203, INT64_MAX);
	if (which == 4) {
		record = ban_of(3, 0x010203, 5, 6);
		record.type = RECORD_EXEMPT;
		return record;
	}
	record = offence_of(9, 1, INT64_MIN);
	record.net.addr = (struct addr){
		.family = ADDR_V6, .bytes = {0x20, 1, 0xd, 0xb8, 0, 1, 0, 2}};
	record.net.prefix = 64;
	record.addr = record.net.addr;
	record.addr.bytes[15] = 0xff;
	record.counted = false;
	record.count = UINT32_MAX;
	record.weight_percent = 50;
	record.unknown_user = true;
	record.password = (struct span){"275e5d", 6};
	record.class = CLASS_LOGIN;
	record.user = (struct span){NULL, 0};
	record.msg = (struct span){"a\0b\xff\xfe", 5};
	return record;
}

enum { EXAMPLES = 5 };

static void
round_trip(void **state)
{
	(void)state;
	for (int i = 0; i < EXAMPLES; i++) {
		struct record in = example(i), out;
		uint8_t buf[RECORD_MAX];
		size_t len = record_encode(&in, &key, buf);

		assert_int_equal(record_decode(buf, len, &key, &out), len);
		assert_record_equal(&in, &out);
		/* With another behind it, just the first is read. */
		assert_int_equal(
			record_decode(buf, sizeof(buf), &key, &out), len);
	}
}

static void
every_truncation(void **state)
{
	(void)state;
	for (int i = 0; i < EXAMPLES; i++) {
		struct record in = example(i), out;
		uint8_t buf[RECORD_MAX];
		size_t len = record_encode(&in, &key, buf);

		for (size_t cut = 0; cut < len; cut++) {
			/* Of its own, so that a sanitizer sees each byte read
			 * beyond. */
			uint8_t *copy = malloc(cut + 1);

			memcpy(copy, buf, cut);
			assert_int_equal(
				record_decode(copy, cut, &key, &out), 0);
			free(copy);
		}
	}
}

static void
every_flipped_bit(void **state)
{
	(void)state;
	for (int i = 0; i < EXAMPLES; i++) {
		struct record in = example(i), out;
		uint8_t buf[RECORD_MAX];
		size_t len = record_encode(&in, &key, buf);

		for (size_t bit = 0; bit < len * 8; bit++) {
			buf[bit / 8] ^= (uint8_t)(1 << bit % 8);
			int rc = record_decode(buf, len, &key, &out);
			if (rc != -EBADMSG && !(rc == 0 && bit < 32))
				fail_msg("bit %zu: %d", bit, rc);
			buf[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
	}
}

static void
another_key(void **state)
{
	struct record in = example(0), out;
	struct digest_key other = key;
	uint8_t buf[RECORD_MAX];
	size_t len = record_encode(&in, &key, buf);

	(void)state;
	other.bytes[31] ^= 1;
	assert_int_equal(record_decode(buf, len, &other, &out), -EBADMSG);
}

static void
long_strings_are_cut(void **state)
{
	static char text[100000];
	struct record in = example(0), out;
	uint8_t buf[RECORD_MAX];
	struct span span = {text, sizeof(text)};
	size_t len;

	(void)state;
	memset(text, 'x', sizeof(text));
	in.rule = in.user = in.host = in.from = in.tag = in.msg = in.by =
		in.reason = span;
	len = record_encode(&in, &key, buf);
	assert_int_equal(record_decode(buf, len, &key, &out), len);
	assert_int_equal(out.msg.len, RECORD_MSG_MAX);
	assert_int_equal(out.rule.len, RECORD_NAME_MAX);
	assert_int_equal(out.reason.len, RECORD_NAME_MAX);
	assert_memory_equal(out.msg.text, text, RECORD_MSG_MAX);
}

/* Signs buf anew after a change. */
static void
sign(uint8_t *buf, size_t len)
{
	(void)crypto_shorthash(buf + len - crypto_shorthash_BYTES, buf,
		len - crypto_shorthash_BYTES, key.bytes + 16);
}

/* Ours by its checksum, but from a format or with values that we don't know:
 * no damage, it must not be thrown away. */
static void
unknown_but_whole(void **state)
{
	static const struct {
		const char *name;
		size_t at;
		uint8_t value;
	} changes[] = {
		{"format", 4, 2},
		{"type 0", 5, 0},
		{"type 7", 5, 7},
		{"class", 6, CLASS_COUNT},
		{"origin", 7, 5},
		{"family", 53, 5},
		{"prefix", 70, 33},
		{"host bits", 70, 8},
		{"family of address", 71, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		struct record in = example(0), out;
		uint8_t buf[RECORD_MAX];
		size_t len = record_encode(&in, &key, buf);

		sign(buf, len);
		assert_int_equal(record_decode(buf, len, &key, &out), len);
		buf[changes[i].at] = changes[i].value;
		sign(buf, len);
		if (record_decode(buf, len, &key, &out) != -ENOTSUP)
			fail_msg("%s is accepted", changes[i].name);
	}
}

static void
zeros_are_no_record(void **state)
{
	uint8_t zeros[4096] = {0};
	struct record out;

	(void)state;
	assert_int_equal(
		record_decode(zeros, sizeof(zeros), &key, &out), -EBADMSG);
}

static void
origins(void **state)
{
	(void)state;
	for (int i = 0; i <= ORIGIN_FLEET; i++)
		assert_int_equal(
			origin_by_name(origin_name((enum origin)i)), i);
	assert_int_equal(origin_by_name("nobody"), 0);
	assert_string_equal(origin_name((enum origin)99), "none");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),
		cmocka_unit_test(every_truncation),
		cmocka_unit_test(every_flipped_bit),
		cmocka_unit_test(another_key),
		cmocka_unit_test(long_strings_are_cut),
		cmocka_unit_test(unknown_but_whole),
		cmocka_unit_test(zeros_are_no_record),
		cmocka_unit_test(origins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
