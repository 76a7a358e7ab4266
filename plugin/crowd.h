/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Crowds: how many different clients did something with one thing within a
 * time. Of a user name: who fails to log in with it. Of a network: which of
 * its clients were charged, and which were banned. Bounded: where there is no
 * more room, the smallest and oldest crowds go first.
 */
#ifndef MAILBAN_CROWD_H
#define MAILBAN_CROWD_H

#include "plugin/tally.h"
#include "plugin/who.h"

enum crowd_kind { CROWD_USER, CROWD_CHARGED, CROWD_BANNED, CROWD_KINDS };

/* Clients that are told apart, and so the most that can be asked for. */
enum { CROWD_MAX = 1000 };

struct crowd;

struct crowd *crowd_new(const uint8_t key[16]);
void crowd_free(struct crowd *crowd);
void crowd_limit(struct crowd *crowd, size_t bytes);
void crowd_horizon(struct crowd *crowd, enum crowd_kind kind, int64_t upto_us);

void crowd_prefetch(struct crowd *crowd, const uint8_t who[WHO_LEN]);

struct crowd_entry {
	enum crowd_kind kind;
	const uint8_t *who; /* of the user or the network */
	uint64_t client;    /* its who_tag */
	int64_t time_us;
	int64_t span_us; /* clients less than this from time_us count */
};

/* Enters the client; how many there are then with it. At most `most` are told
 * apart. */
size_t crowd_add(
	struct crowd *crowd, const struct crowd_entry *entry, size_t most);
void crowd_remove(struct crowd *crowd, const struct crowd_entry *entry);
size_t crowd_size(struct crowd *crowd, const struct crowd_entry *entry);
/* True the first time within span_us that this is asked of the thing. */
bool crowd_is_news(struct crowd *crowd, const struct crowd_entry *entry);

/* Forgets all crowds of this thing. */
void crowd_clear(struct crowd *crowd, const uint8_t who[WHO_LEN]);
void crowd_step(struct crowd *crowd);
size_t crowd_memory(const struct crowd *crowd);

#endif
