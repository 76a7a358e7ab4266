/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who is known: which users logged in from which client, and whose mail was
 * accepted. Bounded; where there is no more room, single clients that are
 * longest away go before offices with many users.
 */
#ifndef MAILBAN_TRUST_H
#define MAILBAN_TRUST_H

#include "plugin/tally.h"
#include "plugin/who.h"

struct trust;

struct trust *trust_new(const uint8_t key[16]);
void trust_free(struct trust *trust);
void trust_limit(struct trust *trust, size_t bytes);
/* What is at or before upto_us is forgotten. */
void trust_horizon(struct trust *trust, int64_t upto_us);

/* user: or NULL where the line names none. net: the wider one that the client
 * lies in. */
void trust_login(struct trust *trust, const struct network *client,
	const struct network *net, const struct user_name *user,
	int64_t time_us);
void trust_accepted(
	struct trust *trust, const struct network *client, int64_t time_us);

void trust_prefetch(struct trust *trust, const uint8_t who[WHO_LEN]);
/* Whether there was one less than span_us from time_us, before or after: what
 * is judged late is judged with what is known by then. */
bool trust_knows(struct trust *trust, const struct network *client,
	int64_t time_us, int64_t span_us);
bool trust_knows_net(struct trust *trust, const struct network *net,
	int64_t time_us, int64_t span_us);
bool trust_has_accepted(struct trust *trust, const struct network *client,
	int64_t time_us, int64_t span_us);
/* The newest such of that user; *login_us is set when true. */
bool trust_knows_user(struct trust *trust, const struct network *client,
	const struct user_name *user, const struct tally_near *near,
	int64_t *login_us);

void trust_clear_if(struct trust *trust,
	bool (*question)(const uint8_t who[WHO_LEN], const void *arg),
	const void *arg);
void trust_step(struct trust *trust);
size_t trust_memory(const struct trust *trust);

#endif
