/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is kept for good: an offence with its evidence, a ban, a lift. The same
 * records go to the journal at once and from there into the ledger.
 */
#ifndef MAILBAN_RECORD_H
#define MAILBAN_RECORD_H

#include "plugin/digest.h"
#include "plugin/judge.h"
#include "plugin/message.h"

enum record_type {
	RECORD_OFFENCE = 1,
	RECORD_BAN,
	RECORD_LIFT,
	RECORD_LOGIN,	 /* a user got in from a client */
	RECORD_EXEMPT,	 /* a network is not banned, until until_us */
	RECORD_UNEXEMPT, /* no longer so */
};

enum origin {
	ORIGIN_LOCAL = 1, /* judged here */
	ORIGIN_OPERATOR,  /* mailban ban */
	ORIGIN_IMPORTED,
	ORIGIN_FLEET,
};

/* Evidence longer than this is cut (Postfix itself cuts at 2,000 bytes). */
enum { RECORD_MSG_MAX = 2048, RECORD_NAME_MAX = 255 };

/* Strings are spans; when decoded they borrow from the buffer. */
struct record {
	enum record_type type;
	uint64_t seq;	 /* rises by one a record, over journal and ledger */
	int64_t time_us; /* offence, login: of the message; ban: its beginning;
			    else when it was done */
	struct network net; /* offence, login: the client; else what is
			       (un)banned or (un)exempted */
	/* offence */
	struct digest digest;
	int64_t reported_us;
	enum class class; /* of a ban too */
	uint32_t count;	  /* offences in this line; of a ban: that led to it */
	bool counted;	  /* false: evidence only */
	uint32_t weight_percent;
	bool unknown_user;    /* the line says that nobody has that name */
	struct span password; /* digest of what was tried */
	struct addr addr;     /* offence, login: the address itself */
	struct span rule;     /* of a ban too: of the last offence */
	struct span user;
	struct span host, from, tag, msg;
	/* ban; exempt: until_us, by and reason */
	int64_t until_us;
	uint32_t level;
	enum origin origin;
	struct span by; /* ban, lift: who ("uid 0", "bantime over" is never
			   recorded) */
	struct span reason;
};

/* The origin's text in the ledger; origin 0 and unknown ones: "none". */
const char *origin_name(enum origin origin);
/* 0 when there is no such name. */
enum origin origin_by_name(const char *name);

/* On disk, all numbers little endian: u32 length of the whole record, then its
 * fields, then a 64-bit keyed checksum of all before. */
enum { RECORD_MIN = 131, RECORD_MAX = 8192 };
/* Encodes with length and checksum; over-long strings are cut. Returns the
 * length, at most RECORD_MAX. */
size_t record_encode(const struct record *record, const struct digest_key *key,
	uint8_t out[RECORD_MAX]);
/* Decodes the record at the head of buf. Returns its length; 0 when buf ends
 * before the record does (a torn tail, at the end of a file); -EBADMSG when
 * it is damaged, or is none; -ENOTSUP when it is whole and of a format that
 * this version does not know. */
int record_decode(const uint8_t *buf, size_t len, const struct digest_key *key,
	struct record *out);

#endif
