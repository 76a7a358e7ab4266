/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Judgement: counts offences per client and class in exact sliding windows,
 * and says when one was one too many. Pure: the time is handed in, nothing is
 * read or written. The plugin, `mailban replay` and the unit tests run this
 * same code; the same messages in the same order give the same bans.
 *
 * Times are microseconds since the epoch, of the message's first reception by
 * rsyslog, and may come in any order.
 */
#ifndef MAILBAN_JUDGE_H
#define MAILBAN_JUDGE_H

#include "common/netset.h"
#include "plugin/class.h"

/* until_us of a ban that never ends. */
#define BAN_PERMANENT INT64_MAX

/* fail2ban's words: maxretry offences within findtime ban for bantime. */
struct policy {
	uint32_t maxretry;  /* 1.. ; 0: this class never bans */
	int64_t findtime_us;
	int64_t bantime_us; /* BAN_PERMANENT: for ever */
};

struct judge_settings {
	struct policy policy[CLASS_OFFENCES];
	uint8_t prefix4, prefix6; /* what one client is: 32 and 64 */
	struct netset exempt;	  /* never banned */
};

struct ban {
	struct network net;
	int64_t from_us;  /* time of the offence that was one too many */
	int64_t until_us; /* or BAN_PERMANENT */
	enum class class; /* CLASS_NONE: not for an offence (an operator) */
	uint32_t count;	  /* offences that led to it */
	uint32_t level;	  /* how many bans before this one; 0 the first time */
};

enum verdict {
	VERDICT_COUNTED, /* an offence, not yet one too many */
	VERDICT_BAN,	 /* this one was: *ban is new */
	VERDICT_BANNED,	 /* a ban of this client covers that time already:
			    nothing counted */
	VERDICT_EXEMPT,	 /* never banned: nothing counted */
};

struct judgement {
	enum verdict verdict;
	struct network client;
	uint32_t count;	 /* of that client and class within findtime now */
	struct ban ban;	 /* set with VERDICT_BAN */
};

struct judge;

/* Copies the settings. key: 16 random bytes for the hash, so that nobody can
 * choose addresses that collide. */
struct judge *judge_new(
	const struct judge_settings *settings, const uint8_t key[16]);
void judge_free(struct judge *judge);
/* New settings: tallies and bans stay; what is exempt now is no longer
 * banned, see judge_next_exempt_ban. */
void judge_configure(
	struct judge *judge, const struct judge_settings *settings);

/* count offences at once (a folded or summarising line), at time_us. A ban
 * takes the tally with it: what led to it does not lead to another. */
void judge_offence(struct judge *judge, const struct addr *addr,
	enum class class, int64_t time_us, uint32_t count,
	struct judgement *out);

/* Enter a ban that was not judged here: restored or an operator's. One of the
 * same network is replaced. */
void judge_ban(struct judge *judge, const struct ban *ban);
/* Takes the ban of exactly that network away, with the tallies of what lies
 * in it. False: there was none. */
bool judge_unban(struct judge *judge, const struct network *net);
/* The ban that covers net at now_us (the widest), or NULL; borrowed until the
 * next change. */
const struct ban *judge_find_ban(const struct judge *judge,
	const struct network *net, int64_t now_us);

/* Forgets bans that ended before now_us and tallies that no longer matter.
 * Looks at a bounded number of entries a call; call it often. */
void judge_expire(struct judge *judge, int64_t now_us);

/* Iterates over the bans in no order, *cursor starting as 0, NULL at the end.
 * Changes in between may show an entry twice or not. */
const struct ban *judge_next_ban(const struct judge *judge, size_t *cursor);

size_t judge_ban_count(const struct judge *judge);
size_t judge_tally_count(const struct judge *judge);
/* Bytes held for tallies and bans. */
size_t judge_memory(const struct judge *judge);

#endif
