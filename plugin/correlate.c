/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Five caches of fixed size, each a table of small sets in which the oldest
 * entry gives way. An entry is known by a keyed 64-bit hash of what it is
 * about: with that, a collision is as good as impossible, and nobody can make
 * one.
 */
#include "plugin/correlate.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/xalloc.h"

enum { SETS = 1 << 13, WAYS = 8 };

/* Exim writes a line to its main log and its reject log one after the other;
 * with syslog_duplication both go to syslog. */
#define DOUBLED_US INT64_C(50000)

struct noted {
	uint64_t key;
	int64_t time_us;
	struct addr addr;
};

struct session {
	uint64_t key;
	int64_t time_us;
	uint32_t attempts; /* reported one by one, no summary yet */
};

/* Attempts by the lines of each layer. */
struct client {
	uint64_t key;
	int64_t time_us;
	uint32_t front, backend, worker;
};

struct written {
	uint64_t key;
	int64_t time_us;
};

struct correlate {
	uint8_t hash_key[16];
	struct written written[SETS][WAYS];
	struct written logins[SETS][WAYS];
	struct noted noted[SETS][WAYS];
	struct session sessions[SETS][WAYS];
	struct client clients[SETS][WAYS];
};

struct correlate *
correlate_new(const uint8_t key[16])
{
	struct correlate *correlate = xcalloc(1, sizeof(*correlate));

	(void)memcpy(correlate->hash_key, key, sizeof(correlate->hash_key));
	return correlate;
}

void
correlate_free(struct correlate *correlate)
{
	free(correlate);
}

size_t
correlate_memory(const struct correlate *correlate)
{
	return sizeof(*correlate);
}

/* A key under construction. Lengths go in, so that no two different lists of
 * parts look alike. What does not fit is hashed to fit. */
struct key_text {
	uint8_t bytes[512];
	size_t len;
};

static void
key_add(struct correlate *correlate, struct key_text *text, const void *bytes,
	size_t len)
{
	uint8_t folded[crypto_shorthash_BYTES];

	if (len > 64) {
		(void)crypto_shorthash(folded, bytes, len, correlate->hash_key);
		bytes = folded;
		len = sizeof(folded);
	}
	text->bytes[text->len++] = (uint8_t)len;
	(void)memcpy(text->bytes + text->len, bytes, len);
	text->len += len;
}

static void
key_add_span(
	struct correlate *correlate, struct key_text *text, struct span span)
{
	key_add(correlate, text, span.text ? span.text : "", span.len);
}

/* Never 0, which is the mark of a free place. */
static uint64_t
key_of(const struct correlate *correlate, const struct key_text *text)
{
	uint64_t key;

	(void)crypto_shorthash(
		(uint8_t *)&key, text->bytes, text->len, correlate->hash_key);
	return key ? key : 1;
}

/* The entry in a set of WAYS entries of that size, found or made in place of
 * the oldest. All entries begin with key and time. */
static void *
find_or_make(void *set, size_t size, uint64_t key, int64_t now_us)
{
	uint8_t *oldest = set;

	for (size_t i = 0; i < WAYS; i++) {
		uint8_t *at = (uint8_t *)set + i * size;
		const struct noted *entry = (const struct noted *)(void *)at;
		int64_t age_us = now_us - entry->time_us;

		if (entry->key == key && age_us < CORRELATE_US &&
			age_us > -CORRELATE_US)
			return at;
		if (entry->key == key ||
			entry->time_us <
				((const struct noted *)(void *)oldest)->time_us)
			oldest = at;
		if (entry->key == key)
			break;
	}
	(void)memset(oldest, 0, size);
	return oldest;
}

static uint64_t
session_key(struct correlate *correlate, const struct message *message,
	struct span session)
{
	struct key_text text = {.len = 0};

	key_add_span(correlate, &text, message->from);
	key_add_span(correlate, &text, message->host);
	key_add_span(correlate, &text, message->program);
	key_add_span(correlate, &text, session);
	return key_of(correlate, &text);
}

void
correlate_session(struct correlate *correlate, const struct message *message,
	struct match *match)
{
	uint64_t key;
	struct noted *noted;

	if (!match->session.text || match->class == CLASS_LOGIN)
		return;
	key = session_key(correlate, message, match->session);
	noted = find_or_make(correlate->noted[key % SETS], sizeof(*noted), key,
		message->time_us);
	if (match->has_addr) {
		*noted = (struct noted){.key = key,
			.time_us = message->time_us,
			.addr = match->addr};
	} else if (noted->key == key) {
		match->addr = noted->addr;
		match->has_addr = true;
		noted->time_us = message->time_us;
	}
}

/* New attempts by a line of the service in front. A line with a session id
 * belongs to that, one without to the process that wrote it. A summary ends
 * the session: of the attempts it reports, those are new that no line of their
 * own reported. */
static uint32_t
front_attempts(struct correlate *correlate, const struct message *message,
	const struct match *match, uint32_t count)
{
	struct key_text text = {.len = 0};
	struct session *session;
	uint64_t key;

	key_add_span(correlate, &text, message->from);
	key_add_span(correlate, &text, message->host);
	key_add_span(correlate, &text,
		match->session.text ? match->session : message->tag);
	key_add(correlate, &text, &match->addr, sizeof(match->addr));
	key = key_of(correlate, &text);
	session = find_or_make(correlate->sessions[key % SETS],
		sizeof(*session), key, message->time_us);
	if (match->rule->reports == REPORTS_SESSION) {
		count -= session->attempts < count ? session->attempts : count;
		(void)memset(session, 0, sizeof(*session));
		return count;
	}
	session->key = key;
	session->time_us = message->time_us;
	session->attempts += count;
	return count;
}

static uint32_t
largest(const struct client *client)
{
	uint32_t most = client->front;

	if (client->backend > most)
		most = client->backend;
	return client->worker > most ? client->worker : most;
}

/* Of these new attempts by one layer's lines, those that no other layer's
 * lines have reported yet. */
static uint32_t
client_attempts(struct correlate *correlate, const struct message *message,
	const struct match *match, uint32_t count)
{
	struct key_text text = {.len = 0};
	struct client *client;
	uint64_t key;
	uint32_t before;

	key_add_span(correlate, &text, message->from);
	key_add_span(correlate, &text, message->host);
	key_add(correlate, &text, &match->addr, sizeof(match->addr));
	key = key_of(correlate, &text);
	client = find_or_make(correlate->clients[key % SETS], sizeof(*client),
		key, message->time_us);
	client->key = key;
	client->time_us = message->time_us;
	before = largest(client);
	if (match->rule->reports == REPORTS_BACKEND)
		client->backend += count;
	else if (match->rule->reports == REPORTS_WORKER)
		client->worker += count;
	else
		client->front += count;
	return largest(client) - before;
}

/* Whether this line is the second copy of one. A third is a new one again. */
static bool
is_copy(struct correlate *correlate, const struct message *message)
{
	struct key_text text = {.len = 0};
	struct written *written;
	int64_t age_us;
	uint64_t key;

	key_add_span(correlate, &text, message->from);
	key_add_span(correlate, &text, message->host);
	key_add_span(correlate, &text, message->tag);
	key_add_span(correlate, &text, message->msg);
	key = key_of(correlate, &text);
	written = find_or_make(correlate->written[key % SETS], sizeof(*written),
		key, message->time_us);
	age_us = message->time_us - written->time_us;
	if (written->key == key && age_us <= DOUBLED_US &&
		age_us >= -DOUBLED_US) {
		(void)memset(written, 0, sizeof(*written));
		return true;
	}
	*written = (struct written){.key = key, .time_us = message->time_us};
	return false;
}

bool
correlate_login(struct correlate *correlate, const struct message *message,
	const struct match *match)
{
	struct key_text text = {.len = 0};
	struct written *login;
	uint64_t key;

	key_add(correlate, &text, &match->addr, sizeof(match->addr));
	key_add_span(correlate, &text, match->user);
	key = key_of(correlate, &text);
	login = find_or_make(correlate->logins[key % SETS], sizeof(*login), key,
		message->time_us);
	if (login->key == key)
		return false;
	*login = (struct written){.key = key, .time_us = message->time_us};
	return true;
}

uint32_t
correlate_attempts(struct correlate *correlate, const struct message *message,
	const struct match *match)
{
	uint32_t count = match->count * message->repeat;
	bool front = match->rule->reports == REPORTS_ATTEMPT ||
		     match->rule->reports == REPORTS_SESSION;

	if (match->rule->doubled && is_copy(correlate, message))
		return 0;
	/* Only of failed logins do servers tell in more than one line. */
	if (match->class != CLASS_AUTH_FAILURE)
		return count;
	if (front)
		count = front_attempts(correlate, message, match, count);
	return count ? client_attempts(correlate, message, match, count) : 0;
}
