/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What ommailban and mailban-nft say to each other: packets on an AF_UNIX
 * SOCK_SEQPACKET socket. A packet is a header and then either one record of
 * options or `count` records of networks, all of fixed size, all numbers
 * little endian. There is no text that could become a command.
 *
 * Every request is answered by a WIRE_DONE with its seq, in order; by several
 * where items were refused for different reasons or are too many for one. A
 * request of several packets (FIRST..LAST) has one seq and is answered after
 * its last. WIRE_LIST is answered by WIRE_ITEMS packets, the last one flagged
 * WIRE_LAST, or by WIRE_DONE with an errno: -E2BIG, there are more bans than
 * libnftables can list in reasonable time. WIRE_HEALED comes unasked.
 */
#ifndef MAILBAN_WIRE_H
#define MAILBAN_WIRE_H

#include "common/addr.h"

#define WIRE_VERSION 1
/* "MBNF" read as a little-endian number. */
#define WIRE_MAGIC UINT32_C(0x464e424d)

enum wire_type {
	/* Requests. */
	WIRE_INSTALL = 1, /* options: make or keep the table, with these */
	WIRE_EXEMPT,  /* items: replace the never-ban networks (FIRST..LAST) */
	WIRE_BAN,     /* items: ban each; an older ban of it gets the new end */
	WIRE_LIFT,    /* items: lift each; one that is not there is no error */
	WIRE_REPLACE, /* items: these and no others are banned (FIRST..LAST) */
	WIRE_LIST,    /* nothing: what the kernel has in force */
	WIRE_REMOVE,  /* nothing: delete the table and forget all bans */
	/* Answers. */
	WIRE_DONE = 64, /* items: the networks that were refused, if any */
	WIRE_ITEMS,	/* items, answer to WIRE_LIST (.. LAST) */
	WIRE_HEALED,	/* nothing: the table or part of it had gone from the
			   kernel and is back; count is 0, seq is 0 */
};

enum { WIRE_FIRST = 1, WIRE_LAST = 2 };

enum {
	WIRE_HEADER_LEN = 24,
	WIRE_ITEM_LEN = 48,
	WIRE_OPTIONS_LEN = 216,
	WIRE_ITEMS_MAX = 1000,
	WIRE_PACKET_MAX = WIRE_HEADER_LEN + WIRE_ITEMS_MAX * WIRE_ITEM_LEN,
	WIRE_PORTS_MAX = 64,
	/* NF_LOG_PREFIXLEN is 128 with its NUL (linux/netfilter/nf_log.h);
	 * ours is shorter: a prefix, not a story. */
	WIRE_LOG_PREFIX_MAX = 63,
};

/* The shortest prefixes that may be banned at all, whatever anyone asks. */
enum { WIRE_PREFIX4_MIN = 8, WIRE_PREFIX6_MIN = 19 };

struct wire_header {
	enum wire_type type;
	uint8_t flags;	/* WIRE_FIRST | WIRE_LAST on EXEMPT, REPLACE, ITEMS */
	uint32_t seq;	/* the asker's number, given back */
	uint32_t count; /* items that follow: 0..WIRE_ITEMS_MAX */
	int32_t status; /* in WIRE_DONE: 0 or a negative errno. With items:
			   -EPERM, these are exempt and were not banned;
			   -EINVAL, these are out of bounds; another, the
			   kernel refused these; the rest of the request is in
			   force. Without: nothing of it may be in force */
};

/* In requests packets and bytes are 0. */
struct wire_item {
	struct network net;
	uint64_t timeout_ms; /* time left; 0 = permanent */
	uint64_t packets, bytes; /* dropped since the ban, in WIRE_ITEMS */
};

struct wire_options {
	bool log;		/* the rate-limited log rule */
	uint32_t log_per_minute; /* 1..60000 when log */
	uint32_t log_burst;	/* 1..60000 when log */
	char log_prefix[WIRE_LOG_PREFIX_MAX + 1]; /* printable ASCII */
	uint8_t prefix6;	/* IPv6 clients are looked up by this prefix:
				   48..128 */
	uint8_t prefix4_min, prefix6_min; /* wider bans are refused */
	uint16_t port_count;	/* 0 = all ports; else TCP ports */
	uint16_t ports[WIRE_PORTS_MAX];
};

/* Encoders write exactly the fixed length. */
void wire_put_header(uint8_t *out, const struct wire_header *header);
void wire_put_item(uint8_t *out, const struct wire_item *item);
void wire_put_options(uint8_t *out, const struct wire_options *options);

/* Decoders check every field before they write to *out.
 * wire_get_header also checks that len is exactly what type and count demand:
 * -EBADMSG bad magic, version, type, flags or length. The others read their
 * fixed length: -EBADMSG family or reserved bytes, -ERANGE a value out of the
 * bounds above (prefix beyond the family, host bits, unprintable prefix). */
int wire_get_header(
	const uint8_t *in, size_t len, struct wire_header *out);
int wire_get_item(const uint8_t *in, struct wire_item *out);
int wire_get_options(const uint8_t *in, struct wire_options *out);

#endif
