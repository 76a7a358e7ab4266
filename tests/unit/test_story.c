/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stories of real days, told to the judge with the configuration as shipped:
 * who must not be banned whatever he does, and who must, how soon. Most are
 * what users of other such programs complained of.
 */
#include "plugin/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define S INT64_C(1000000)
#define MINUTE 60
#define HOUR 3600
#define DAY 86400
/* A story begins so many days into our era. */
#define BASE (INT64_C(20000) * DAY)

static const uint8_t key[16] = "sixteen bytes ok";

enum what {
	END,	 /* of a story's rows */
	FAIL,	 /* a failed login */
	NOBODY,	 /* the same, and the server says that nobody has the name */
	LOGIN,	 /* a good one */
	UNKNOWN, /* unknown-client */
	REJECT,
	ABUSE,
	SPAM,
	ACCEPT, /* mail was accepted */
};

/* One thing that happens again and again. %d in texts is its number, from 1. */
struct row {
	enum what what;
	int64_t from_s, every_s;
	int times;
	const char *address, *user, *password;
	uint32_t weight; /* 0: 100 % */
};

enum { ROWS = 8, BANNED = 4, EVENTS_MAX = 60000 };

struct story {
	const char *name;
	const char *settings; /* over the defaults, as in mailban.conf */
	struct row rows[ROWS];
	/* All others must not be banned. nth: the offence of the client, not
	 * counting those excused, that is one too many; 0: any. */
	struct {
		const char *net;
		int nth;
	} banned[BANNED];
	int attacked; /* users reported to be under attack */
};

static const struct story stories[] = {
	/* --- their own users --- */
	{.name = "a phone with an old password, digests logged",
		.rows = {{LOGIN, 0, 0, 1, "192.0.2.30", "u1@example.org", NULL,
				 0},
			{FAIL, DAY, 3, 20, "192.0.2.30", "u1@example.org",
				"275e5d", 0},
			{FAIL, DAY + HOUR, 5 * MINUTE, 2000, "192.0.2.30",
				"u1@example.org", "275e5d", 0}}},
	{.name = "a phone with an old password, no digests",
		.rows = {{LOGIN, 0, 0, 1, "192.0.2.30", "u1@example.org", NULL,
				 0},
			{FAIL, DAY, 3, 20, "192.0.2.30", "u1@example.org", NULL,
				0},
			{FAIL, DAY + HOUR, 5 * MINUTE, 2000, "192.0.2.30",
				"U1@Example.org", NULL, 0}}},
	{.name = "a phone with an old password where it never was before",
		.rows = {{FAIL, 0, MINUTE, 2000, "192.0.2.30", "u1@example.org",
			"275e5d", 0}}},
	{.name = "phone, tablet and laptop, each with another old password",
		.rows = {{LOGIN, 0, 0, 1, "192.0.2.30", "u1@example.org", NULL,
				 0},
			{FAIL, DAY, 20, 500, "192.0.2.30", "u1@example.org",
				"275e5d", 0},
			{FAIL, DAY, 30, 500, "192.0.2.30", "u1@example.org",
				"99ab01", 0},
			{FAIL, DAY, 40, 500, "192.0.2.30", "u1@example.org",
				"0c33f2", 0}}},
	{.name = "an office of fifty after a password change, digests",
		.rows = {{LOGIN, 0, 60, 50, "192.0.2.30", "u%d@example.org",
				 NULL, 0},
			{FAIL, DAY, 2, 5000, "192.0.2.30", "u%d@example.org",
				"old%d", 0}}},
	{.name = "an office of fifty after a password change, none logged",
		.rows = {{LOGIN, 0, 60, 50, "192.0.2.30", "u%d@example.org",
				 NULL, 0},
			{FAIL, DAY, 2, 5000, "192.0.2.30", "u%d@example.org",
				NULL, 0}}},
	{.name = "an office, and Postfix that does not tell users",
		.rows = {{LOGIN, 0, 60, 50, "192.0.2.30", "u%d@example.org",
				 NULL, 0},
			{FAIL, DAY, HOUR, 25, "192.0.2.30", NULL, NULL, 0}}},
	{.name = "seven accounts in one mail program: successes never add",
		.rows = {{LOGIN, 0, 0, 2000, "192.0.2.31", "a%d@example.org",
			NULL, 0}}},
	{.name = "seven accounts, and all the passwords were changed",
		.rows = {{LOGIN, 0, 1, 50, "192.0.2.31", "u%d@example.org",
				 NULL, 0},
			{FAIL, 5 * DAY, 20, 700, "192.0.2.31",
				"u%d@example.org", "old%d", 0}}},
	{.name = "a phone's account wizard",
		.rows = {{ABUSE, 0, 2, 2, "192.0.2.20", NULL, NULL, 0},
			{NOBODY, 5, 3, 4, "192.0.2.20", "bob", NULL, 0},
			{LOGIN, 30, 0, 1, "192.0.2.20", "bob@example.org", NULL,
				0},
			{NOBODY, 40, 3, 4, "192.0.2.20", "bob", NULL, 0},
			{LOGIN, 70, 0, 1, "192.0.2.20", "bob@example.org", NULL,
				0},
			{ABUSE, 80, 9, 10, "192.0.2.20", NULL, NULL, 0}}},
	{.name = "mistyped, every morning for weeks",
		.rows = {{FAIL, 0, DAY, 40, "192.0.2.21", "u1@example.org",
				 "no1", 0},
			{FAIL, 9, DAY, 40, "192.0.2.21", "u1@example.org",
				"no2", 0},
			{FAIL, 18, DAY, 40, "192.0.2.21", "u1@example.org",
				"no3", 0},
			{LOGIN, 27, DAY, 40, "192.0.2.21", "u1@example.org",
				NULL, 0}}},
	{.name = "abroad, a mobile network that changes the address",
		.rows = {{FAIL, 0, 10, 4, "198.51.100.%d", "u1@example.org",
				 "no1", 0},
			{FAIL, 60, 10, 4, "198.51.100.%d", "u1@example.org",
				"no2", 0},
			{LOGIN, 120, 0, 1, "198.51.100.3", "u1@example.org",
				NULL, 0},
			{FAIL, 200, 30, 100, "198.51.100.%d", "u1@example.org",
				"old", 0}},
		.attacked = 1},
	{.name = "carrier NAT: two hundred users mistype twice a day each",
		.rows = {{FAIL, 0, 400, 200, "203.0.113.9", "c%d@example.org",
				 "x%d", 0},
			{FAIL, 20, 400, 200, "203.0.113.9", "c%d@example.org",
				"y%d", 0},
			{LOGIN, 50, 400, 200, "203.0.113.9", "c%d@example.org",
				NULL, 0}}},
	{.name = "webmail on the same host",
		.settings = "[mailban]\nignoreip = 127.0.0.0/8 ::1\n",
		.rows = {{FAIL, 0, 1, 5000, "127.0.0.1", "w%d@example.org",
				 NULL, 0},
			{FAIL, 0, 1, 500, "::1", "w%d@example.org", NULL, 0}}},
	{.name = "a monitoring probe that logs in, and later may not",
		.rows = {{LOGIN, 0, MINUTE, 1000, "192.0.2.15", "probe", NULL,
				 0},
			{FAIL, DAY, MINUTE, 3000, "192.0.2.15", "probe", NULL,
				0}}},
	{.name = "a monitoring probe that is impolite now and then",
		.rows = {{ABUSE, 0, 2 * HOUR, 100, "192.0.2.15", NULL, NULL,
			0}}},

	/* --- other mail servers --- */
	{.name = "a newsletter host without reverse DNS",
		.rows = {{UNKNOWN, 0, 30, 90, "192.0.2.50", NULL, NULL, 0},
			{UNKNOWN, 7 * DAY, 30, 90, "192.0.2.50", NULL, NULL,
				0}}},
	{.name = "a larger one, whose mail is accepted",
		.rows = {{UNKNOWN, 0, 10, 1000, "192.0.2.50", NULL, NULL, 0},
			{ACCEPT, 1, 10, 1000, "192.0.2.50", NULL, NULL, 0}}},
	{.name = "users behind a host without reverse DNS",
		.rows = {{LOGIN, 0, DAY, 5, "192.0.2.51", "u1@example.org",
				 NULL, 0},
			{UNKNOWN, 10, 60, 5000, "192.0.2.51", NULL, NULL, 0}}},
	{.name = "DNS out of order for an hour: everybody is unknown",
		.rows = {{UNKNOWN, 0, 60, 60, "192.0.2.52", NULL, NULL, 0},
			{UNKNOWN, 3, 45, 80, "192.0.2.53", NULL, NULL, 0}}},
	{.name = "a big provider's relay that mails dead addresses",
		.rows = {{REJECT, 0, 30 * MINUTE, 100, "198.51.100.40", NULL,
			NULL, 50}}},
	{.name = "a bigger one, whose good mail is accepted",
		.rows = {{ACCEPT, 0, 10, 5000, "198.51.100.40", NULL, NULL, 0},
			{REJECT, 5, 60, 1000, "198.51.100.40", NULL, NULL,
				50}}},
	{.name = "a backup mail exchanger hands on what it should not",
		.rows = {{ACCEPT, 0, 60, 3000, "198.51.100.25", NULL, NULL, 0},
			{REJECT, 20, 90, 1000, "198.51.100.25", NULL, NULL, 0},
			{UNKNOWN, 20, 90, 1000, "198.51.100.25", NULL, NULL,
				0}}},
	{.name = "on a block list: shared outbound host, some mails",
		.rows = {{REJECT, 0, HOUR, 24, "198.51.100.41", NULL, NULL,
			0}}},
	{.name = "forwarded spam",
		.rows = {{SPAM, 0, 2 * HOUR, 200, "198.51.100.42", NULL, NULL,
			0}}},
	{.name = "one web request to the mail port",
		.rows = {{ABUSE, 0, 0, 1, "192.0.2.20", NULL, NULL, 0}}},

	/* --- attackers --- */
	{.name = "guessing fast",
		.rows = {{FAIL, 0, 1, 9, "203.0.113.5", "u1@example.org", "g%d",
				 0},
			{FAIL, 9, 1, 1, "203.0.113.5", "u1@example.org", "ga",
				0}},
		.banned = {{"203.0.113.5", 10}}},
	{.name = "guessing, no digests logged",
		.rows = {{FAIL, 0, 1, 10, "203.0.113.5", "u1@example.org", NULL,
			0}},
		.banned = {{"203.0.113.5", 10}}},
	{.name = "guessing names",
		.rows = {{NOBODY, 0, 1, 5, "203.0.113.5", "name%d", NULL, 0}},
		.banned = {{"203.0.113.5", 5}}},
	{.name = "one try in forty minutes, at true users",
		.rows = {{FAIL, 0, 40 * MINUTE, 10, "203.0.113.5",
			"u%d@example.org", NULL, 0}},
		.banned = {{"203.0.113.5", 10}}},
	{.name = "one try in four hours, at names",
		.rows = {{NOBODY, 0, 4 * HOUR, 5, "203.0.113.5", "name%d", NULL,
			0}},
		.banned = {{"203.0.113.5", 5}}},
	{.name = "an account of his own does not help him with others",
		.rows = {{LOGIN, 0, 2, 20, "203.0.113.6", "evil@example.org",
				 NULL, 0},
			{FAIL, 1, 2, 10, "203.0.113.6", "v%d@example.org",
				"g%d", 0}},
		.banned = {{"203.0.113.6", 10}}},
	{.name = "nor does it with one other, whatever is in his name",
		.rows = {{LOGIN, 0, 2, 20, "203.0.113.6", "bob@evil.example",
				 NULL, 0},
			{FAIL, 1, 2, 10, "203.0.113.6", "bob", NULL, 0}},
		.banned = {{"203.0.113.6", 10}}},
	{.name = "a guesser behind the same address as fifty users",
		.rows = {{LOGIN, 0, 60, 50, "192.0.2.30", "u%d@example.org",
				 NULL, 0},
			{FAIL, DAY, 9, 40, "192.0.2.30", "u%d@example.org",
				"old%d", 0},
			{NOBODY, DAY, 10, 5, "192.0.2.30", "name%d", NULL, 0}},
		.banned = {{"192.0.2.30", 0}}},
	{.name = "guessing at a user from where he logs in, digests logged",
		.rows = {{LOGIN, 0, 0, 1, "192.0.2.30", "u1@example.org", NULL,
				 0},
			{FAIL, DAY, 9, 9, "192.0.2.30", "u1@example.org", "a%d",
				0},
			{FAIL, DAY + 100, 9, 9, "192.0.2.30", "u1@example.org",
				"b%d", 0},
			{FAIL, DAY + 200, 9, 12, "192.0.2.30", "u1@example.org",
				"c%d", 0}},
		.banned = {{"192.0.2.30", 30}}},
	{.name = "each IPv6 address once",
		.rows = {{FAIL, 0, 1, 10, "2001:db8:13f2:0:b1a5:f96e:a51f:%d",
			"u1@example.org", NULL, 0}},
		.banned = {{"2001:db8:13f2::/64", 10}}},
	{.name = "his neighbours are not him",
		.rows = {{FAIL, 0, 1, 10, "192.0.2.7", "u%d", NULL, 0},
			{FAIL, 20, 1, 9, "192.0.2.8", "v%d", NULL, 0}},
		.banned = {{"192.0.2.7", 10}}},
	{.name = "a scanner",
		.rows = {{ABUSE, 0, 1, 20, "203.0.113.7", NULL, NULL, 0}},
		.banned = {{"203.0.113.7", 20}}},
	{.name = "a rule that weighs more",
		.rows = {{ABUSE, 0, 1, 4, "203.0.113.7", NULL, NULL, 500}},
		.banned = {{"203.0.113.7", 4}}},
	{.name = "a rule that weighs half, and looking for open relays",
		.rows = {{REJECT, 0, 1, 59, "203.0.113.7", NULL, NULL, 50},
			{REJECT, 0, 1, 30, "203.0.113.8", NULL, NULL, 0}},
		.banned = {{"203.0.113.8", 30}}},

	/* --- patient and distributed --- */
	{.name = "one user from a hundred addresses: reported, not banned",
		.rows = {{FAIL, 0, 30, 100, "203.0.113.%d", "user1", NULL, 0}},
		.attacked = 1},
	{.name = "the same, and banned at the first",
		.settings = "[users]\nmaxretry = 1\n",
		.rows = {{LOGIN, 0, 0, 1, "192.0.2.60", "user1", NULL, 0},
			{FAIL, DAY, 30, 11, "203.0.113.%d", "user1", NULL, 0},
			{FAIL, DAY + HOUR, 60, 9, "192.0.2.60", "user1", "x%d",
				0}},
		.banned = {{"203.0.113.11", 1}},
		.attacked = 1},
	{.name = "another user from an address that failed for an attacked one",
		.settings = "[users]\nmaxretry = 2\n",
		.rows = {{FAIL, 0, 30, 20, "203.0.113.%d", "user1", NULL, 0},
			{FAIL, HOUR, 30, 8, "203.0.113.20", "user2", NULL, 0}},
		.attacked = 1},
	{.name = "addresses of a network take turns: off by default",
		.rows = {{FAIL, 0, 10, 250, "203.0.113.%d", "a%d", NULL, 0}}},
	{.name = "addresses of a network take turns: on",
		.settings = "[networks]\noffenders = 32\n",
		.rows = {{FAIL, 0, 10, 32, "203.0.113.%d", "a%d", NULL, 0}},
		.banned = {{"203.0.113.0/24", 0}}},
	{.name = "but a user is in there",
		.settings = "[networks]\noffenders = 32\nclients = 2\n",
		.rows = {{LOGIN, 0, 0, 1, "203.0.113.200", "user1", NULL, 0},
			{FAIL, DAY, 10, 99, "203.0.113.%d", "a%d", NULL, 0}}},
	{.name = "three of a network banned: not their network by default",
		.rows = {{FAIL, 0, 1, 10, "203.0.113.1", "a%d", NULL, 0},
			{FAIL, 20, 1, 10, "203.0.113.2", "a%d", NULL, 0},
			{FAIL, 40, 1, 10, "203.0.113.3", "a%d", NULL, 0}},
		.banned = {{"203.0.113.1", 10}, {"203.0.113.2", 10},
			{"203.0.113.3", 10}}},
	{.name = "three of a network banned, and so it is as one",
		.settings = "[networks]\nclients = 3\n",
		.rows = {{FAIL, 0, 1, 10, "2001:db8:1:1::1", "a%d", NULL, 0},
			{FAIL, 20, 1, 10, "2001:db8:1:2::1", "a%d", NULL, 0},
			{FAIL, 40, 1, 10, "2001:db8:1:3::1", "a%d", NULL, 0}},
		.banned = {{"2001:db8:1:1::/64", 10}, {"2001:db8:1:2::/64", 10},
			{"2001:db8:1:3::/64", 10}, {"2001:db8:1::/48", 0}}},

	/* --- clocks and queues --- */
	{.name = "a clock set back by an hour does not empty a tally",
		.rows = {{FAIL, 2 * HOUR, 1, 5, "203.0.113.5", "a%d", NULL, 0},
			{FAIL, HOUR, 1, 5, "203.0.113.5", "b%d", NULL, 0}},
		.banned = {{"203.0.113.5", 10}}},

	/* --- switched off --- */
	{.name = "no trust: a phone is a guesser",
		.settings = "[trust]\ntrust = off\n",
		.rows = {{LOGIN, 0, 0, 1, "192.0.2.30", "u1", NULL, 0},
			{FAIL, DAY, 3, 10, "192.0.2.30", "u1", "275e5d", 0}},
		.banned = {{"192.0.2.30", 10}}},
	{.name = "no stale passwords: a phone is a user with thirty tries",
		.settings = "[trust]\nstale_password = off\n",
		.rows = {{LOGIN, 0, 0, 1, "192.0.2.30", "u1", NULL, 0},
			{FAIL, DAY, 3, 30, "192.0.2.30", "u1", "275e5d", 0}},
		.banned = {{"192.0.2.30", 30}}},
	{.name = "no forgiving",
		.settings = "[trust]\nforgive = off\n",
		.rows = {{FAIL, 0, 10, 9, "192.0.2.30", "u1", "x%d", 0},
			{LOGIN, 200, 0, 1, "192.0.2.30", "u1", NULL, 0},
			{FAIL, 300, 10, 1, "192.0.2.30", "u2", "y%d", 0}},
		.banned = {{"192.0.2.30", 10}}},
	{.name = "accepted mail does not count",
		.settings = "[trust]\naccepted = off\n",
		.rows = {{ACCEPT, 0, 10, 100, "198.51.100.40", NULL, NULL, 0},
			{REJECT, 5, 60, 30, "198.51.100.40", NULL, NULL, 0}},
		.banned = {{"198.51.100.40", 30}}},
	{.name = "names that nobody has are as good as others",
		.settings = "[auth-failure]\nunknown_user_weight = 1\n",
		.rows = {{NOBODY, 0, 1, 10, "203.0.113.5", "name%d", NULL, 0}},
		.banned = {{"203.0.113.5", 10}}},
};

/* --- telling a story --- */

struct event {
	const struct row *row;
	int number;
	int64_t time_s;
	size_t order;
};

struct told {
	const struct story *story;
	int offences[256]; /* by a hash of the client: tells nth */
	bool banned[BANNED];
	int attacked;
};

static struct event events[EVENTS_MAX];

static int
by_time(const void *a, const void *b)
{
	const struct event *one = a, *other = b;

	if (one->time_s != other->time_s)
		return one->time_s < other->time_s ? -1 : 1;
	return one->order < other->order ? -1 : 1;
}

/* All in the order of their times, but for a story about clocks. */
static size_t
line_up(const struct story *story)
{
	size_t count = 0;

	for (const struct row *row = story->rows; row->what != END; row++)
		for (int i = 0; i < row->times; i++, count++) {
			assert_true(count < EVENTS_MAX);
			events[count] = (struct event){row, i + 1,
				row->from_s + i * row->every_s, count};
		}
	if (!strstr(story->name, "clock"))
		qsort(events, count, sizeof events[0], by_time);
	return count;
}

/* Addresses end at 250, users of an office at 50. */
static struct span
text_of(const char *pattern, int number, char out[80])
{
	const char *at = pattern ? strstr(pattern, "%d") : NULL;

	if (!pattern)
		return (struct span){NULL, 0};
	if (!at)
		return (struct span){pattern, strlen(pattern)};
	if (strncmp(pattern, "u%d", 3) == 0 || strncmp(pattern, "old", 3) == 0)
		number = (number - 1) % 50 + 1;
	(void)snprintf(out, 80, "%.*s%d%s", (int)(at - pattern), pattern,
		number, at + 2);
	return (struct span){out, strlen(out)};
}

static struct addr
address_of(const struct event *event)
{
	char text[80];
	struct span span = text_of(
		event->row->address, (event->number - 1) % 250 + 1, text);
	struct addr addr;

	assert_int_equal(addr_parse(span.text, span.len, &addr), 0);
	return addr;
}

static enum class class_of(enum what what) {
	switch (what){
		case UNKNOWN : return CLASS_UNKNOWN_CLIENT;
		case REJECT : return CLASS_REJECTED;
		case ABUSE : return CLASS_PROTOCOL_ABUSE;
		case SPAM : return CLASS_SPAM;
		case FAIL : case NOBODY : case LOGIN : case ACCEPT : case
		END : break;
	}
return CLASS_AUTH_FAILURE;
}

static void
note_ban(struct told *told, const struct ban *ban, int nth)
{
	char text[NETWORK_STRLEN];

	(void)network_format(&ban->net, text);
	for (int i = 0; i < BANNED; i++) {
		const char *net = told->story->banned[i].net;
		int want = told->story->banned[i].nth;

		if (!net || strcmp(net, text) != 0)
			continue;
		if (want && nth != want)
			fail_msg("%s: %s banned at the %d., not the %d.",
				told->story->name, text, nth, want);
		told->banned[i] = true;
		return;
	}
	fail_msg("%s: %s is banned, for %s, at the %d.", told->story->name,
		text, class_name(ban->class), nth);
}

static void
offend(struct judge *judge, struct told *told, const struct event *event)
{
	const struct row *row = event->row;
	char user[80], password[80];
	struct offence offence = {.addr = address_of(event),
		.class = class_of(row->what),
		.time_us = (BASE + event->time_s) * S,
		.count = 1,
		.weight_percent = row->weight ? row->weight : 100,
		.user = text_of(row->user, event->number, user),
		.password = text_of(row->password, event->number, password),
		.unknown_user = row->what == NOBODY};
	struct judgement out;
	int *nth;

	judge_offence(judge, &offence, &out);
	nth = &told->offences[out.client.addr.bytes[3] ^
			      out.client.addr.bytes[7]];
	if (out.verdict == VERDICT_COUNTED || out.verdict == VERDICT_BAN)
		++*nth;
	if (out.verdict == VERDICT_BAN)
		note_ban(told, &out.ban, *nth);
	if (out.network_banned)
		note_ban(told, &out.network, 0);
	told->attacked += out.user_attacked;
}

static void
happen(struct judge *judge, struct told *told, const struct event *event)
{
	struct addr addr = address_of(event);
	int64_t time_us = (BASE + event->time_s) * S;
	char user[80];
	struct span name = text_of(event->row->user, event->number, user);

	if (event->row->what == LOGIN)
		(void)judge_login(judge, &addr, &name, time_us);
	else if (event->row->what == ACCEPT)
		judge_accepted(judge, &addr, time_us);
	else
		offend(judge, told, event);
	judge_expire(judge, time_us);
}

static struct config *
config_with(const char *settings)
{
	char path[] = "/tmp/mailban-story-XXXXXX", *error = NULL;
	struct config *config;
	int fd;

	if (!settings)
		return config_new();
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(
		write(fd, settings, strlen(settings)), strlen(settings));
	(void)close(fd);
	config = config_load(path, &error);
	(void)unlink(path);
	if (!config)
		fail_msg("%s", error);
	return config;
}

static void
tell(const struct story *story)
{
	struct config *config = config_with(story->settings);
	struct judge *judge = judge_new(&config->judge, key);
	struct told told = {.story = story};
	size_t count = line_up(story);

	for (size_t i = 0; i < count; i++)
		happen(judge, &told, &events[i]);
	for (int i = 0; i < BANNED; i++)
		if (story->banned[i].net && !told.banned[i])
			fail_msg("%s: %s is not banned", story->name,
				story->banned[i].net);
	if (told.attacked != story->attacked)
		fail_msg("%s: %d users under attack, not %d", story->name,
			told.attacked, story->attacked);
	judge_free(judge);
	config_free(config);
}

static void
test_stories(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof stories / sizeof stories[0]; i++)
		tell(&stories[i]);
}

/* --- stories that are about when --- */

static struct judgement
guess(struct judge *judge, const char *address, int64_t time_s)
{
	struct offence offence = {.class = CLASS_AUTH_FAILURE,
		.time_us = time_s * S,
		.count = 10,
		.weight_percent = 100};
	struct judgement out;

	assert_int_equal(
		addr_parse(address, strlen(address), &offence.addr), 0);
	judge_offence(judge, &offence, &out);
	return out;
}

/* Who comes back whenever he may is out for longer each time; two weeks of
 * good behaviour halve it, and an operator's unban ends it. */
static void
test_repeat_offender(void **state)
{
	static const int64_t hours[] = {
		4, 8, 16, 32, 64, 128, 256, 512, 672, 672};
	struct config *config = config_new();
	struct judge *judge = judge_new(&config->judge, key);
	struct judgement out = {.verdict = VERDICT_COUNTED};
	int64_t now_s = BASE;

	(void)state;
	for (uint32_t i = 0; i < 10; i++) {
		out = guess(judge, "203.0.113.5", now_s);
		assert_int_equal(out.verdict, VERDICT_BAN);
		assert_int_equal(out.ban.level, i);
		assert_int_equal(
			out.ban.until_us, (now_s + hours[i] * HOUR) * S);
		now_s += hours[i] * HOUR + MINUTE;
		judge_expire(judge, now_s * S);
	}
	now_s += 14 * DAY;
	out = guess(judge, "203.0.113.5", now_s);
	assert_int_equal(out.ban.level, 5);
	assert_true(judge_unban(judge, &out.ban.net));
	out = guess(judge, "203.0.113.5", now_s + 60);
	assert_int_equal(out.ban.level, 0);
	now_s += 4 * HOUR + 60 + 8 * 7 * DAY;
	out = guess(judge, "203.0.113.5", now_s);
	assert_int_equal(out.ban.level, 0);
	judge_free(judge);
	config_free(config);
}

/* A queue that waited for a day: what it brings is judged at its own time, and
 * is over. */
static void
test_late_queue(void **state)
{
	struct config *config = config_new();
	struct judge *judge = judge_new(&config->judge, key);
	struct judgement out;
	int64_t now_s = BASE + DAY;

	(void)state;
	judge_expire(judge, now_s * S);
	out = guess(judge, "203.0.113.5", BASE);
	assert_int_equal(out.verdict, VERDICT_BAN);
	assert_true(out.ban.until_us < now_s * S);
	assert_null(judge_find_ban(judge, &out.ban.net, now_s * S));
	judge_free(judge);
	config_free(config);
}

/* Each ban has its own end. */
static void
test_own_ends(void **state)
{
	struct config *config = config_new();
	struct judge *judge = judge_new(&config->judge, key);
	struct judgement first = guess(judge, "203.0.113.5", BASE);
	struct judgement second = guess(judge, "203.0.113.6", BASE + HOUR);
	int64_t now_us = (BASE + 4 * HOUR) * S;

	(void)state;
	assert_null(judge_find_ban(judge, &first.ban.net, now_us));
	assert_non_null(judge_find_ban(judge, &second.ban.net, now_us));
	judge_free(judge);
	config_free(config);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stories),
		cmocka_unit_test(test_repeat_offender),
		cmocka_unit_test(test_late_queue),
		cmocka_unit_test(test_own_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
