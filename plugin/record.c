/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Records as bytes. Every type has the same fields in the same order, so that
 * there is one encoder and one decoder; what a type does not use is zero. A
 * record is taken only when its keyed checksum says that we wrote it.
 */
#include "plugin/record.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <string.h>

enum { FORMAT = 1, STRINGS = 9, SUM_LEN = crypto_shorthash_BYTES };
enum { FLAG_COUNTED = 1, FLAG_UNKNOWN_USER = 2 };

_Static_assert(RECORD_MIN + RECORD_MSG_MAX + (STRINGS - 1) * RECORD_NAME_MAX <=
		       RECORD_MAX,
	"the longest record fits");
_Static_assert(sizeof(struct digest_key) == 2 * crypto_shorthash_KEYBYTES,
	"half of the key is for checksums");

static const char *const origins[] = {
	"none", "local", "operator", "imported", "fleet"};
enum { ORIGINS = sizeof(origins) / sizeof(origins[0]) };

const char *
origin_name(enum origin origin)
{
	return (unsigned)origin < ORIGINS ? origins[origin] : origins[0];
}

enum origin
origin_by_name(const char *name)
{
	unsigned i = ORIGINS - 1;

	while (i > 0 && strcmp(origins[i], name) != 0)
		i--;
	return (enum origin)i;
}

static uint8_t *
put_number(uint8_t *out, uint64_t value, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		*out++ = (uint8_t)(value >> 8 * i);
	return out;
}

static uint8_t *
put_bytes(uint8_t *out, const void *bytes, size_t len)
{
	memcpy(out, bytes, len);
	return out + len;
}

static uint8_t *
put_span(uint8_t *out, const struct span *span, size_t max)
{
	size_t len = span->len < max ? span->len : max;

	out = put_number(out, len, 2);
	return len ? put_bytes(out, span->text, len) : out;
}

static uint8_t *
put_network(uint8_t *out, const struct network *net)
{
	*out++ = net->addr.family;
	out = put_bytes(out, net->addr.bytes, sizeof(net->addr.bytes));
	*out++ = net->prefix;
	return out;
}

static void
checksum(const uint8_t *data, size_t len, const struct digest_key *key,
	uint8_t out[SUM_LEN])
{
	(void)crypto_shorthash(out, data, len,
		key->bytes + sizeof(key->bytes) - crypto_shorthash_KEYBYTES);
}

size_t
record_encode(const struct record *record, const struct digest_key *key,
	uint8_t out[RECORD_MAX])
{
	struct network addr = {.addr = record->addr};
	uint8_t *p = out + 4;
	size_t len;

	*p++ = FORMAT;
	*p++ = (uint8_t)record->type;
	*p++ = (uint8_t)record->class;
	*p++ = (uint8_t)record->origin;
	*p++ = (uint8_t)((record->counted ? FLAG_COUNTED : 0) |
			 (record->unknown_user ? FLAG_UNKNOWN_USER : 0));
	p = put_number(p, record->seq, 8);
	p = put_number(p, (uint64_t)record->time_us, 8);
	p = put_number(p, (uint64_t)record->reported_us, 8);
	p = put_number(p, (uint64_t)record->until_us, 8);
	p = put_number(p, record->count, 4);
	p = put_number(p, record->level, 4);
	p = put_number(p, record->weight_percent, 4);
	p = put_network(p, &record->net);
	p = put_network(p, &addr);
	p = put_bytes(p, record->digest.bytes, sizeof(record->digest.bytes));
	p = put_span(p, &record->rule, RECORD_NAME_MAX);
	p = put_span(p, &record->user, RECORD_NAME_MAX);
	p = put_span(p, &record->password, RECORD_NAME_MAX);
	p = put_span(p, &record->host, RECORD_NAME_MAX);
	p = put_span(p, &record->from, RECORD_NAME_MAX);
	p = put_span(p, &record->tag, RECORD_NAME_MAX);
	p = put_span(p, &record->msg, RECORD_MSG_MAX);
	p = put_span(p, &record->by, RECORD_NAME_MAX);
	p = put_span(p, &record->reason, RECORD_NAME_MAX);
	len = (size_t)(p - out) + SUM_LEN;
	assert(len >= RECORD_MIN && len <= RECORD_MAX);
	(void)put_number(out, len, 4);
	checksum(out, len - SUM_LEN, key, p);
	return len;
}

/* Reads from p up to end; the first field that does not fit makes bad, and
 * all from then on are zero. */
struct reader {
	const uint8_t *p, *end;
	bool bad;
};

static const uint8_t *
get_bytes(struct reader *reader, size_t len)
{
	const uint8_t *at = reader->p;

	if ((size_t)(reader->end - at) < len) {
		reader->bad = true;
		return NULL;
	}
	reader->p += len;
	return at;
}

static uint64_t
get_number(struct reader *reader, unsigned bytes)
{
	const uint8_t *at = get_bytes(reader, bytes);
	uint64_t value = 0;

	for (unsigned i = 0; at && i < bytes; i++)
		value |= (uint64_t)at[i] << 8 * i;
	return value;
}

static void
get_copy(struct reader *reader, void *out, size_t len)
{
	const uint8_t *at = get_bytes(reader, len);

	if (at)
		memcpy(out, at, len);
}

static void
get_span(struct reader *reader, struct span *out, size_t max)
{
	size_t len = (size_t)get_number(reader, 2);
	const uint8_t *at = get_bytes(reader, len);

	if (len > max)
		reader->bad = true;
	out->text = (const char *)at;
	out->len = at ? len : 0;
}

static void
get_network(struct reader *reader, struct network *out)
{
	out->addr.family = (uint8_t)get_number(reader, 1);
	get_copy(reader, out->addr.bytes, sizeof(out->addr.bytes));
	out->prefix = (uint8_t)get_number(reader, 1);
}

static bool
network_valid(const struct network *net)
{
	struct network same;

	if (net->addr.family != ADDR_V4 && net->addr.family != ADDR_V6)
		return false;
	if (net->prefix > addr_bits(&net->addr))
		return false;
	same = network_of(&net->addr, net->prefix);
	return network_equal(&same, net);
}

static bool
fields_valid(const struct record *record)
{
	uint8_t family = record->addr.family;

	if (record->type < RECORD_OFFENCE || record->type > RECORD_UNEXEMPT)
		return false;
	if ((unsigned)record->class >= CLASS_COUNT ||
		(unsigned)record->origin >= ORIGINS)
		return false;
	if (!network_valid(&record->net))
		return false;
	return record->type == RECORD_OFFENCE || record->type == RECORD_LOGIN
		       ? family == ADDR_V4 || family == ADDR_V6
		       : true;
}

static bool
get_fields(struct reader *reader, struct record *out)
{
	struct network addr;
	unsigned flags;

	memset(out, 0, sizeof(*out));
	memset(&addr, 0, sizeof(addr));
	out->type = (enum record_type)get_number(reader, 1);
	out->class = (enum class)get_number(reader, 1);
	out->origin = (enum origin)get_number(reader, 1);
	flags = (unsigned)get_number(reader, 1);
	out->counted = flags & FLAG_COUNTED;
	out->unknown_user = flags & FLAG_UNKNOWN_USER;
	out->seq = get_number(reader, 8);
	out->time_us = (int64_t)get_number(reader, 8);
	out->reported_us = (int64_t)get_number(reader, 8);
	out->until_us = (int64_t)get_number(reader, 8);
	out->count = (uint32_t)get_number(reader, 4);
	out->level = (uint32_t)get_number(reader, 4);
	out->weight_percent = (uint32_t)get_number(reader, 4);
	get_network(reader, &out->net);
	get_network(reader, &addr);
	out->addr = addr.addr;
	get_copy(reader, out->digest.bytes, sizeof(out->digest.bytes));
	get_span(reader, &out->rule, RECORD_NAME_MAX);
	get_span(reader, &out->user, RECORD_NAME_MAX);
	get_span(reader, &out->password, RECORD_NAME_MAX);
	get_span(reader, &out->host, RECORD_NAME_MAX);
	get_span(reader, &out->from, RECORD_NAME_MAX);
	get_span(reader, &out->tag, RECORD_NAME_MAX);
	get_span(reader, &out->msg, RECORD_MSG_MAX);
	get_span(reader, &out->by, RECORD_NAME_MAX);
	get_span(reader, &out->reason, RECORD_NAME_MAX);
	return !reader->bad && reader->p == reader->end && fields_valid(out);
}

int
record_decode(const uint8_t *buf, size_t len, const struct digest_key *key,
	struct record *out)
{
	struct reader head = {buf, buf + len, false};
	struct record record;
	uint8_t sum[SUM_LEN];
	size_t size = (size_t)get_number(&head, 4);

	if (head.bad)
		return 0;
	if (size < RECORD_MIN || size > RECORD_MAX)
		return -EBADMSG;
	if (size > len)
		return 0;
	checksum(buf, size - SUM_LEN, key, sum);
	if (sodium_memcmp(sum, buf + size - SUM_LEN, SUM_LEN) != 0)
		return -EBADMSG;
	if (get_number(&head, 1) != FORMAT)
		return -ENOTSUP;
	head.end = buf + size - SUM_LEN;
	if (!get_fields(&head, &record))
		return -ENOTSUP;
	*out = record;
	return (int)size;
}
