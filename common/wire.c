/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The packets between ommailban and mailban-nft, byte by byte. Nothing is
 * cast onto a buffer: every field is read into a local and checked, and *out
 * is written only when all of them are right. mailban-nft runs this with
 * CAP_NET_ADMIN on what an unprivileged process sent.
 *
 * Header: magic 4, version 1, type 1, flags 1, zero 1, seq 4, count 4,
 *   status 4, zero 4.
 * Item: family 1, prefix 1, zero 6, address 16, timeout_ms 8, packets 8,
 *   bytes 8.
 * Options: log 1, prefix6 1, prefix4_min 1, prefix6_min 1, log_per_minute 4,
 *   log_burst 4, port_count 2, zero 2, log_prefix 64, ports 64 * 2, zero 8.
 */
#include "common/wire.h"

#include <errno.h>
#include <string.h>

enum { LOG_RATE_MAX = 60000, ERRNO_MAX = 4095 };

static uint8_t *
put_u8(uint8_t *out, uint8_t value)
{
	*out = value;
	return out + 1;
}

static uint8_t *
put_number(uint8_t *out, uint64_t value, size_t len)
{
	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)(value >> (8 * i));
	return out + len;
}

static uint8_t *
put_zeros(uint8_t *out, size_t len)
{
	memset(out, 0, len);
	return out + len;
}

static uint8_t *
put_bytes(uint8_t *out, const void *from, size_t len)
{
	memcpy(out, from, len);
	return out + len;
}

static uint64_t
get_number(const uint8_t **in, size_t len)
{
	uint64_t value = 0;

	for (size_t i = len; i-- > 0;)
		value = value << 8 | (*in)[i];
	*in += len;
	return value;
}

static uint8_t
get_u8(const uint8_t **in)
{
	return *(*in)++;
}

static uint32_t
get_u32(const uint8_t **in)
{
	return (uint32_t)get_number(in, 4);
}

static bool
all_zero(const uint8_t *in, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (in[i] != 0)
			return false;
	return true;
}

void
wire_put_header(uint8_t *out, const struct wire_header *header)
{
	out = put_number(out, WIRE_MAGIC, 4);
	out = put_u8(out, WIRE_VERSION);
	out = put_u8(out, (uint8_t)header->type);
	out = put_u8(out, header->flags);
	out = put_zeros(out, 1);
	out = put_number(out, header->seq, 4);
	out = put_number(out, header->count, 4);
	out = put_number(out, (uint32_t)header->status, 4);
	put_zeros(out, 4);
}

/* What each type may carry besides its seq. */
static const struct shape {
	uint8_t type;
	bool items, options, flags, status;
} shapes[] = {
	{WIRE_INSTALL, false, true, false, false},
	{WIRE_EXEMPT, true, false, true, false},
	{WIRE_BAN, true, false, false, false},
	{WIRE_LIFT, true, false, false, false},
	{WIRE_REPLACE, true, false, true, false},
	{WIRE_LIST, false, false, false, false},
	{WIRE_REMOVE, false, false, false, false},
	{WIRE_DONE, true, false, false, true},
	{WIRE_ITEMS, true, false, true, false},
	{WIRE_HEALED, false, false, false, false},
};

static const struct shape *
find_shape(uint8_t type)
{
	for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
		if (shapes[i].type == type)
			return &shapes[i];
	return NULL;
}

static int
check_header(
	const struct wire_header *header, const struct shape *shape, size_t len)
{
	size_t want = WIRE_HEADER_LEN;

	if (header->count > (shape->items ? WIRE_ITEMS_MAX : 0))
		return -EBADMSG;
	if (header->flags & ~(shape->flags ? WIRE_FIRST | WIRE_LAST : 0))
		return -EBADMSG;
	if (header->status < (shape->status ? -ERRNO_MAX : 0) ||
		header->status > 0)
		return -EBADMSG;
	want += header->count * (size_t)WIRE_ITEM_LEN;
	want += shape->options ? WIRE_OPTIONS_LEN : 0;
	return len == want ? 0 : -EBADMSG;
}

int
wire_get_header(const uint8_t *in, size_t len, struct wire_header *out)
{
	struct wire_header header = {0};
	const struct shape *shape;
	uint8_t zero;

	if (len < WIRE_HEADER_LEN || get_u32(&in) != WIRE_MAGIC ||
		get_u8(&in) != WIRE_VERSION)
		return -EBADMSG;
	shape = find_shape(get_u8(&in));
	if (!shape)
		return -EBADMSG;
	header.type = (enum wire_type)shape->type;
	header.flags = get_u8(&in);
	zero = get_u8(&in);
	header.seq = get_u32(&in);
	header.count = get_u32(&in);
	header.status = (int32_t)get_u32(&in);
	if (zero != 0 || get_u32(&in) != 0)
		return -EBADMSG;
	if (check_header(&header, shape, len) < 0)
		return -EBADMSG;
	*out = header;
	return 0;
}

void
wire_put_item(uint8_t *out, const struct wire_item *item)
{
	out = put_u8(out, item->net.addr.family);
	out = put_u8(out, item->net.prefix);
	out = put_zeros(out, 6);
	out = put_bytes(out, item->net.addr.bytes, 16);
	out = put_number(out, item->timeout_ms, 8);
	out = put_number(out, item->packets, 8);
	put_number(out, item->bytes, 8);
}

static int
get_network(const uint8_t **in, struct network *out)
{
	struct network net = {.addr.family = get_u8(in)};
	const uint8_t *zeros;
	struct network masked;

	net.prefix = get_u8(in);
	zeros = *in;
	memcpy(net.addr.bytes, *in + 6, 16);
	*in += 22;
	if (net.addr.family != ADDR_V4 && net.addr.family != ADDR_V6)
		return -EBADMSG;
	if (!all_zero(zeros, 6))
		return -EBADMSG;
	if (net.addr.family == ADDR_V4 && !all_zero(net.addr.bytes + 4, 12))
		return -EBADMSG;
	if (net.prefix > addr_bits(&net.addr))
		return -ERANGE;
	masked = network_of(&net.addr, net.prefix);
	if (!network_equal(&masked, &net))
		return -ERANGE;
	*out = net;
	return 0;
}

int
wire_get_item(const uint8_t *in, struct wire_item *out)
{
	struct wire_item item = {0};
	int result = get_network(&in, &item.net);

	if (result < 0)
		return result;
	item.timeout_ms = get_number(&in, 8);
	item.packets = get_number(&in, 8);
	item.bytes = get_number(&in, 8);
	*out = item;
	return 0;
}

void
wire_put_options(uint8_t *out, const struct wire_options *options)
{
	size_t len = strnlen(options->log_prefix, WIRE_LOG_PREFIX_MAX);

	out = put_u8(out, options->log);
	out = put_u8(out, options->prefix6);
	out = put_u8(out, options->prefix4_min);
	out = put_u8(out, options->prefix6_min);
	out = put_number(out, options->log_per_minute, 4);
	out = put_number(out, options->log_burst, 4);
	out = put_number(out, options->port_count, 2);
	out = put_zeros(out, 2);
	out = put_bytes(out, options->log_prefix, len);
	out = put_zeros(out, sizeof options->log_prefix - len);
	for (size_t i = 0; i < WIRE_PORTS_MAX; i++)
		out = put_number(out,
			i < options->port_count ? options->ports[i] : 0, 2);
	put_zeros(out, 8);
}

static int
get_log_prefix(const uint8_t **in, char out[WIRE_LOG_PREFIX_MAX + 1])
{
	const uint8_t *text = *in;
	size_t len = strnlen((const char *)text, WIRE_LOG_PREFIX_MAX + 1);

	*in += WIRE_LOG_PREFIX_MAX + 1;
	if (!all_zero(text + len, WIRE_LOG_PREFIX_MAX + 1 - len))
		return -EBADMSG;
	if (len > WIRE_LOG_PREFIX_MAX)
		return -ERANGE;
	for (size_t i = 0; i < len; i++)
		if (text[i] < ' ' || text[i] > '~')
			return -ERANGE;
	memcpy(out, text, WIRE_LOG_PREFIX_MAX + 1);
	return 0;
}

static int
get_ports(const uint8_t **in, struct wire_options *out)
{
	if (out->port_count > WIRE_PORTS_MAX)
		return -ERANGE;
	for (size_t i = 0; i < WIRE_PORTS_MAX; i++) {
		out->ports[i] = (uint16_t)get_number(in, 2);
		if (i < out->port_count && out->ports[i] == 0)
			return -ERANGE;
		if (i >= out->port_count && out->ports[i] != 0)
			return -EBADMSG;
	}
	return 0;
}

static int
check_options(const struct wire_options *options)
{
	uint32_t least = options->log ? 1 : 0;

	if (options->log_per_minute < least ||
		options->log_per_minute > LOG_RATE_MAX ||
		options->log_burst < least || options->log_burst > LOG_RATE_MAX)
		return -ERANGE;
	if (options->prefix6 < 48 || options->prefix6 > 128)
		return -ERANGE;
	if (options->prefix4_min < WIRE_PREFIX4_MIN ||
		options->prefix4_min > 32 ||
		options->prefix6_min < WIRE_PREFIX6_MIN ||
		options->prefix6_min > 128)
		return -ERANGE;
	return 0;
}

int
wire_get_options(const uint8_t *in, struct wire_options *out)
{
	struct wire_options options = {0};
	uint8_t log = get_u8(&in);
	int result;

	options.log = log != 0;
	options.prefix6 = get_u8(&in);
	options.prefix4_min = get_u8(&in);
	options.prefix6_min = get_u8(&in);
	options.log_per_minute = get_u32(&in);
	options.log_burst = get_u32(&in);
	options.port_count = (uint16_t)get_number(&in, 2);
	if (log > 1 || get_number(&in, 2) != 0)
		return -EBADMSG;
	result = get_log_prefix(&in, options.log_prefix);
	if (result == 0)
		result = get_ports(&in, &options);
	if (result == 0 && !all_zero(in, 8))
		result = -EBADMSG;
	if (result == 0)
		result = check_options(&options);
	if (result == 0)
		*out = options;
	return result;
}
