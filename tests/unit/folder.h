/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A state folder for one test, and records to put into it.
 */
#ifndef MAILBAN_TEST_FOLDER_H
#define MAILBAN_TEST_FOLDER_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugin/record.h"

static inline char *
folder_make(void)
{
	const char *base = getenv("TMPDIR");
	char *path = NULL;

	if (asprintf(&path, "%s/mailban-test-XXXXXX", base ? base : "/tmp") <
			0 ||
		!mkdtemp(path))
		abort();
	return path;
}

static inline int
folder_unlink(
	const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)st;
	(void)type;
	(void)where;
	return remove(path);
}

static inline void
folder_remove(char *path)
{
	if (nftw(path, folder_unlink, 16, FTW_DEPTH | FTW_PHYS) < 0)
		perror(path);
	free(path);
}

static inline struct span
span_of(const char *text)
{
	return (struct span){text, strlen(text)};
}

/* The network 10.a.b.c/32 of a number. */
static inline struct network
network_of_number(uint32_t number)
{
	struct addr addr = {.family = ADDR_V4,
		.bytes = {10, (uint8_t)(number >> 16), (uint8_t)(number >> 8),
			(uint8_t)number}};

	return network_of(&addr, 32);
}

/* A digest of its own for each seq. */
static inline struct record
offence_of(uint64_t seq, uint32_t client, int64_t time_us)
{
	struct record record = {.type = RECORD_OFFENCE,
		.seq = seq,
		.time_us = time_us,
		.reported_us = time_us,
		.net = network_of_number(client),
		.class = CLASS_AUTH_FAILURE,
		.count = 1,
		.counted = true,
		.rule = span_of("postfix-sasl-failure"),
		.user = span_of("user1@example.org"),
		.host = span_of("mail.example.org"),
		.from = span_of("127.0.0.1"),
		.tag = span_of("postfix/smtpd[123]:"),
		.msg = span_of("warning: unknown[203.0.113.9]: SASL LOGIN "
			       "authentication failed: UGFzc3dvcmQ6")};

	record.addr = record.net.addr;
	memcpy(record.digest.bytes, &seq, sizeof(seq));
	/* The set and the index take the first bytes as a hash. */
	for (size_t i = 0; i < 8; i++)
		record.digest.bytes[15 - i] = (uint8_t)(seq * 167 >> i);
	return record;
}

static inline struct record
ban_of(uint64_t seq, uint32_t client, int64_t from_us, int64_t until_us)
{
	return (struct record){.type = RECORD_BAN,
		.seq = seq,
		.time_us = from_us,
		.until_us = until_us,
		.net = network_of_number(client),
		.class = CLASS_AUTH_FAILURE,
		.count = 5,
		.level = 2,
		.origin = ORIGIN_LOCAL,
		.rule = span_of("postfix-sasl-failure")};
}

static inline struct record
lift_of(uint64_t seq, uint32_t client, int64_t time_us)
{
	return (struct record){.type = RECORD_LIFT,
		.seq = seq,
		.time_us = time_us,
		.net = network_of_number(client),
		.origin = ORIGIN_OPERATOR,
		.by = span_of("uid 0"),
		.reason = span_of("a user called")};
}

#endif
