/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The strict parser of address literals and the arithmetic of networks. What
 * inet_pton(3) refuses (octal, short forms, blanks) is refused here too; what
 * it can't see (a NUL inside, a zone, an IPv4-mapped form) is handled around
 * it. Must never ask a name service.
 */
#include "common/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

/* IFNAMSIZ is 16 with its NUL (linux/if.h). */
enum { ZONE_MAX = 15 };

static bool
is_link_local(const struct addr *addr)
{
	return addr->family == ADDR_V6 && addr->bytes[0] == 0xfe &&
	       (addr->bytes[1] & 0xc0) == 0x80;
}

static bool
zone_valid(const char *zone, size_t len)
{
	if (len == 0 || len > ZONE_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		if (zone[i] <= ' ' || zone[i] > '~' || zone[i] == '%' ||
			zone[i] == '/')
			return false;
	return true;
}

static bool
is_mapped(const uint8_t bytes[16])
{
	static const uint8_t prefix[12] = {
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
	return memcmp(bytes, prefix, sizeof prefix) == 0;
}

/* As addr_parse; *mapped says that it was written as IPv4-mapped IPv6. */
static int
parse_literal(const char *text, size_t len, struct addr *out, bool *mapped)
{
	char buf[ADDR_STRLEN];
	struct addr addr = {.family = ADDR_V4};
	const char *zone = memchr(text, '%', len);
	size_t literal = zone ? (size_t)(zone - text) : len;

	if (literal == 0 || literal >= sizeof buf || memchr(text, '\0', len))
		return -EBADMSG;
	memcpy(buf, text, literal);
	buf[literal] = '\0';
	*mapped = false;
	if (memchr(buf, ':', literal)) {
		addr.family = ADDR_V6;
		if (inet_pton(AF_INET6, buf, addr.bytes) != 1)
			return -EBADMSG;
		*mapped = is_mapped(addr.bytes);
	} else if (inet_pton(AF_INET, buf, addr.bytes) != 1) {
		return -EBADMSG;
	}
	if (zone && (!is_link_local(&addr) ||
			    !zone_valid(zone + 1, len - literal - 1)))
		return -EBADMSG;
	if (*mapped) {
		addr.family = ADDR_V4;
		memmove(addr.bytes, addr.bytes + 12, 4);
		memset(addr.bytes + 4, 0, 12);
	}
	*out = addr;
	return 0;
}

int
addr_parse(const char *text, size_t len, struct addr *out)
{
	bool mapped;

	return parse_literal(text, len, out, &mapped);
}

/* 1 to 3 digits without leading zeros, or -1. */
static int
parse_prefix(const char *text, size_t len)
{
	int value = 0;

	if (len == 0 || len > 3 || (len > 1 && text[0] == '0'))
		return -1;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -1;
		value = value * 10 + (text[i] - '0');
	}
	return value;
}

static int
refuse(const char **why, int error, const char *text)
{
	*why = text;
	return error;
}

static int
refuse_literal(const char *text, size_t len, const char **why)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] == ' ' || text[i] == '\t')
			return refuse(why, -EBADMSG,
				"a blank inside: one address or network is "
				"needed here");
	if (memchr(text, '%', len))
		return refuse(why, -EBADMSG,
			"a zone (\"%eth0\") can only follow a link-local IPv6 "
			"address");
	return refuse(why, -EBADMSG,
		"not an IPv4 or IPv6 address; names are never resolved");
}

static int
check_prefix(
	const struct addr *addr, bool mapped, int *prefix, const char **why)
{
	int bits = mapped ? 128 : addr_bits(addr);

	if (*prefix < 0)
		return refuse(why, -EBADMSG,
			"the prefix behind \"/\" must be a number such as 24; "
			"netmasks are not understood");
	if (*prefix > bits)
		return refuse(why, -ERANGE,
			bits == 32 ? "the prefix is longer than the 32 bits of "
				     "an IPv4 address"
				   : "the prefix is longer than the 128 bits "
				     "of an IPv6 address");
	if (!mapped)
		return 0;
	/* A shorter prefix would reach beyond the mapped addresses. */
	if (*prefix < 96)
		return refuse(why, -ERANGE,
			"the prefix of an IPv4-mapped address must be 96 to "
			"128; write it as IPv4");
	*prefix -= 96;
	return 0;
}

int
network_parse(
	const char *text, size_t len, struct network *out, const char **why)
{
	const char *slash = memchr(text, '/', len);
	size_t literal = slash ? (size_t)(slash - text) : len;
	struct addr addr;
	bool mapped;
	int prefix, result;

	if (len == 0)
		return refuse(why, -EBADMSG,
			"empty: an address or network is needed");
	if (parse_literal(text, literal, &addr, &mapped) < 0)
		return refuse_literal(text, len, why);
	prefix = mapped ? 128 : addr_bits(&addr);
	if (slash)
		prefix = parse_prefix(slash + 1, len - literal - 1);
	result = check_prefix(&addr, mapped, &prefix, why);
	if (result < 0)
		return result;
	struct network net = network_of(&addr, (uint8_t)prefix);
	if (memcmp(&net.addr, &addr, sizeof addr) != 0)
		return refuse(why, -ERANGE,
			"host bits are set: the address must be the first of "
			"the network, as in 203.0.113.0/24");
	*out = net;
	return 0;
}

static char *
put_decimal(char *out, unsigned value)
{
	if (value >= 100)
		*out++ = (char)('0' + value / 100);
	if (value >= 10)
		*out++ = (char)('0' + value / 10 % 10);
	*out++ = (char)('0' + value % 10);
	return out;
}

static char *
put_hex(char *out, unsigned value)
{
	int shift = 12;

	while (shift > 0 && value >> shift == 0)
		shift -= 4;
	for (; shift >= 0; shift -= 4)
		*out++ = "0123456789abcdef"[value >> shift & 15];
	return out;
}

/* The first longest run of two or more zero words, as RFC 5952 section 4.2
 * wants it; its length, 0 when there is none. */
static int
longest_zeros(const unsigned words[8], int *start)
{
	int best = 0;

	for (int i = 0; i < 8; i++) {
		int run = 0;
		while (i + run < 8 && words[i + run] == 0)
			run++;
		if (run > best && run > 1) {
			best = run;
			*start = i;
		}
		i += run;
	}
	return best;
}

/* inet_ntop(3) is not used: it writes ::1:2 as ::0.1.0.2. */
static char *
format_v6(const struct addr *addr, char *out)
{
	unsigned words[8];
	int start = 8, zeros;

	for (int i = 0; i < 8; i++)
		words[i] = (unsigned)(addr->bytes[2 * i] << 8) |
			   addr->bytes[2 * i + 1];
	zeros = longest_zeros(words, &start);
	for (int i = 0; i < 8; i++) {
		if (i == start) {
			*out++ = ':';
			*out++ = ':';
			i += zeros - 1;
			continue;
		}
		if (i > 0 && i != start + zeros)
			*out++ = ':';
		out = put_hex(out, words[i]);
	}
	return out;
}

static char *
format_v4(const struct addr *addr, char *out)
{
	for (int i = 0; i < 4; i++) {
		if (i > 0)
			*out++ = '.';
		out = put_decimal(out, addr->bytes[i]);
	}
	return out;
}

static char *
format_any(const struct addr *addr, char *out)
{
	return addr->family == ADDR_V4 ? format_v4(addr, out)
				       : format_v6(addr, out);
}

const char *
addr_format(const struct addr *addr, char out[ADDR_STRLEN])
{
	*format_any(addr, out) = '\0';
	return out;
}

const char *
network_format(const struct network *net, char out[NETWORK_STRLEN])
{
	char *end = format_any(&net->addr, out);

	if (net->prefix != addr_bits(&net->addr)) {
		*end++ = '/';
		end = put_decimal(end, net->prefix);
	}
	*end = '\0';
	return out;
}

uint8_t
addr_bits(const struct addr *addr)
{
	return addr->family == ADDR_V4 ? 32 : 128;
}

struct network
network_of(const struct addr *addr, uint8_t prefix)
{
	struct network net = {.addr = *addr, .prefix = prefix};
	size_t whole = prefix / 8;

	if (whole < sizeof net.addr.bytes) {
		net.addr.bytes[whole] &=
			(uint8_t)(0xff00 >> (prefix % 8) & 0xff);
		memset(net.addr.bytes + whole + 1, 0,
			sizeof net.addr.bytes - whole - 1);
	}
	return net;
}

bool
network_has(const struct network *net, const struct addr *addr)
{
	struct network of;

	if (net->addr.family != addr->family)
		return false;
	of = network_of(addr, net->prefix);
	return memcmp(&of.addr, &net->addr, sizeof of.addr) == 0;
}

bool
network_contains(const struct network *outer, const struct network *inner)
{
	return outer->prefix <= inner->prefix &&
	       network_has(outer, &inner->addr);
}

bool
network_equal(const struct network *a, const struct network *b)
{
	return memcmp(a, b, sizeof *a) == 0;
}

int
network_compare(const struct network *a, const struct network *b)
{
	return memcmp(a, b, sizeof *a);
}

/* The comparisons above take the structs as the bytes they are. */
_Static_assert(sizeof(struct addr) == 17, "struct addr has padding");
_Static_assert(sizeof(struct network) == 18, "struct network has padding");
