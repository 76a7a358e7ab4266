/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Addresses and networks in binary, and the one strict parser that turns text
 * into them. Only complete literals are addresses: no octal, no short forms,
 * no host names, nothing is ever resolved. IPv4-mapped IPv6 becomes IPv4 here,
 * so that no other file has to think of it.
 */
#ifndef MAILBAN_ADDR_H
#define MAILBAN_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ADDR_V4 = 4, ADDR_V6 = 6 };

/* family is ADDR_V4 or ADDR_V6; IPv4 sits in bytes[0..3], the rest is zero.
 * Network byte order. Compare with memcmp: there is no padding. */
struct addr {
	uint8_t family;
	uint8_t bytes[16];
};

/* prefix is 0..32 or 0..128; the bits behind it are zero. */
struct network {
	struct addr addr;
	uint8_t prefix;
};

/* Room for the longest text of each, with its NUL. */
enum { ADDR_STRLEN = 46, NETWORK_STRLEN = 50 };

/* Parses exactly len bytes of text, which needs no NUL. A zone ("%eth0") is
 * accepted behind a link-local address and dropped. -EBADMSG: no literal. */
int addr_parse(const char *text, size_t len, struct addr *out);

/* As addr_parse, with an optional "/prefix". Host bits that are set are
 * refused unless the prefix is that of a single address. On error *why is a
 * static text that says which part is wrong and what would be right.
 * -EBADMSG: bad shape; -ERANGE: prefix too long or host bits set. */
int network_parse(
	const char *text, size_t len, struct network *out, const char **why);

/* Canonical text (RFC 5952); a network of one address has no "/prefix".
 * Both return out. */
const char *addr_format(const struct addr *addr, char out[ADDR_STRLEN]);
const char *network_format(
	const struct network *net, char out[NETWORK_STRLEN]);

/* The network of that prefix that addr lies in; prefix must fit family. */
struct network network_of(const struct addr *addr, uint8_t prefix);
/* 32 or 128. */
uint8_t addr_bits(const struct addr *addr);

bool network_contains(
	const struct network *outer, const struct network *inner);
bool network_has(const struct network *net, const struct addr *addr);
bool network_equal(const struct network *a, const struct network *b);
/* Order by family, address, then prefix: shorter (wider) first, so that a
 * network sorts before what lies within it. For qsort and tsearch. */
int network_compare(const struct network *a, const struct network *b);

#endif
