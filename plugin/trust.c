/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A store of tallies with one time for each user of a client.
 */
#include "plugin/trust.h"

#include "common/xalloc.h"

#include <stdlib.h>

enum { KIND_CLIENT, KIND_NET, KIND_ACCEPTED };
/* A large office, or a carrier's address; more push out the oldest. */
enum { USERS_MAX = 2048 };

/* No user at all; never a user's tag. */
#define NO_USER 0

struct trust {
	struct tallies *logins;
};

struct trust *
trust_new(const uint8_t key[16])
{
	struct trust *trust = xcalloc(1, sizeof *trust);

	trust->logins = tallies_new(key);
	return trust;
}

void
trust_free(struct trust *trust)
{
	if (!trust)
		return;
	tallies_free(trust->logins);
	free(trust);
}

void
trust_limit(struct trust *trust, size_t bytes)
{
	tallies_limit(trust->logins, bytes);
}

void
trust_horizon(struct trust *trust, int64_t upto_us)
{
	for (uint8_t kind = 0; kind <= KIND_ACCEPTED; kind++)
		tallies_horizon(trust->logins, kind, upto_us);
}

static void
put(struct trust *trust, const struct network *net, uint8_t kind,
	const struct moment *one)
{
	struct tally_id id = {.kind = kind};

	who_of(net, id.who);
	tallies_put(trust->logins, &id, one, USERS_MAX);
}

static bool
has(struct trust *trust, const struct network *net, uint8_t kind,
	const struct tally_near *near, struct moment *newest)
{
	struct tally_id id = {.kind = kind};

	who_of(net, id.who);
	return tallies_near(trust->logins, &id, near, newest) > 0;
}

void
trust_login(struct trust *trust, const struct network *client,
	const struct network *net, const struct user_name *user,
	int64_t time_us)
{
	struct moment one = {.time_us = time_us, .count = 1, .tag = NO_USER};

	put(trust, net, KIND_NET, &one);
	if (user)
		one.tag = user->long_tag & MOMENT_TAG_MAX;
	put(trust, client, KIND_CLIENT, &one);
}

void
trust_prefetch(struct trust *trust, const uint8_t who[WHO_LEN])
{
	tallies_prefetch(trust->logins, who);
}

void
trust_accepted(
	struct trust *trust, const struct network *client, int64_t time_us)
{
	struct moment one = {.time_us = time_us, .count = 1, .tag = NO_USER};

	put(trust, client, KIND_ACCEPTED, &one);
}

bool
trust_knows(struct trust *trust, const struct network *client, int64_t time_us,
	int64_t span_us)
{
	struct tally_near near = {.time_us = time_us, .span_us = span_us};

	return has(trust, client, KIND_CLIENT, &near, NULL);
}

bool
trust_knows_net(struct trust *trust, const struct network *net, int64_t time_us,
	int64_t span_us)
{
	struct tally_near near = {.time_us = time_us, .span_us = span_us};

	return has(trust, net, KIND_NET, &near, NULL);
}

bool
trust_has_accepted(struct trust *trust, const struct network *client,
	int64_t time_us, int64_t span_us)
{
	struct tally_near near = {.time_us = time_us, .span_us = span_us};

	return has(trust, client, KIND_ACCEPTED, &near, NULL);
}

bool
trust_knows_user(struct trust *trust, const struct network *client,
	const struct user_name *user, const struct tally_near *near,
	int64_t *login_us)
{
	struct tally_near one = *near;
	struct moment newest;

	one.of = (struct tagged){MOMENT_TAG_MAX, user->long_tag};
	if (!has(trust, client, KIND_CLIENT, &one, &newest))
		return false;
	*login_us = newest.time_us;
	return true;
}

void
trust_clear_if(struct trust *trust,
	bool (*question)(const uint8_t who[WHO_LEN], const void *arg),
	const void *arg)
{
	tallies_clear_if(trust->logins, question, arg);
}

void
trust_step(struct trust *trust)
{
	tallies_step(trust->logins);
}

size_t
trust_memory(const struct trust *trust)
{
	return sizeof *trust + tallies_memory(trust->logins);
}
