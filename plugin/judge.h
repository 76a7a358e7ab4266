/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Judgement: counts offences per client and class in exact sliding windows,
 * and says when one was one too many. Pure: the time is handed in, nothing is
 * read or written. The plugin, `mailban replay` and the unit tests run this
 * same code; the same messages in the same order give the same bans, whatever
 * the key of the hash, as long as memory_max is not reached.
 *
 * Times are microseconds since the epoch, of the message's first reception by
 * rsyslog, and may come in any order. A window is half open, as fail2ban's is:
 * offences exactly findtime apart do not count together.
 */
#ifndef MAILBAN_JUDGE_H
#define MAILBAN_JUDGE_H

#include "common/netset.h"
#include "plugin/class.h"

/* until_us of a ban that never ends. */
#define BAN_PERMANENT INT64_MAX

/* An offence that comes this much later than the newest so far is still judged
 * as if it had come in time. One that is later by findtime more is judged on
 * its own; a hundred such without a break mean that the newest was from a
 * clock gone wrong, and time goes on from them. So what a tally needs to be
 * restored completely is findtime + JUDGE_LATE_US. */
#define JUDGE_LATE_US (INT64_C(86400) * 1000000)
/* A higher maxretry or count is taken as this. */
#define JUDGE_COUNT_MAX UINT32_C(0xffffff)

/* fail2ban's words: maxretry offences within findtime ban for bantime. */
struct policy {
	uint32_t maxretry; /* 1.. ; 0: this class never bans */
	int64_t findtime_us;
	int64_t bantime_us; /* BAN_PERMANENT: for ever */
};

struct judge_settings {
	struct policy policy[CLASS_OFFENCES];
	uint8_t prefix4, prefix6; /* what one client is: 32 and 64 */
	struct netset exempt;	  /* never banned */
	/* For tallies, in bytes; 0: no bound. When it is reached, those with
	 * the fewest offences, the oldest of them, go first. Below 1 MiB it is
	 * not kept exactly. */
	size_t memory_max;
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
			    nothing counted. That holds for times before its
			    beginning too: they led to nothing else */
	VERDICT_EXEMPT,	 /* never banned: nothing counted */
};

struct judgement {
	enum verdict verdict;
	struct network client;
	uint32_t count; /* the most within any findtime that this offence is
			   part of; 0 where nothing counts */
	struct ban ban; /* set with VERDICT_BAN */
};

struct judge;

/* Copies the settings. key: 16 random bytes for the hash, so that nobody can
 * choose addresses that collide. */
struct judge *judge_new(
	const struct judge_settings *settings, const uint8_t key[16]);
void judge_free(struct judge *judge);
/* New settings: tallies and bans stay, but for the tallies of a family whose
 * prefix is another now. Bans of what is exempt now are the caller's to lift,
 * see judge_next_exempt_ban. */
void judge_configure(
	struct judge *judge, const struct judge_settings *settings);

/* count offences at once (a folded or summarising line), at time_us. Where
 * they make a window full, the ban begins as it would have had all come in
 * order: at the first offence with maxretry within the findtime that ends
 * there. A ban takes the client's tallies of all classes with it: who is
 * banned starts anew. A ban may be over already when it is made. */
void judge_offence(struct judge *judge, const struct addr *addr,
	enum class class, int64_t time_us, uint32_t count,
	struct judgement *out);
/* Enter an offence that was judged earlier, for its tally alone. Restore
 * offences, bans and unbans in the order in which they came. */
void judge_recall(struct judge *judge, const struct addr *addr,
	enum class class, int64_t time_us, uint32_t count);

/* Enter a ban that was not judged here: restored or an operator's. One of the
 * same network is replaced. A client's own takes its tallies; a wider one
 * leaves those of its clients. Whether it is exempt is not looked at. */
void judge_ban(struct judge *judge, const struct ban *ban);
/* Takes the ban of exactly that network away, with the tallies of what lies
 * in it: the next offence is the first again. False: there was none, nothing
 * has changed. */
bool judge_unban(struct judge *judge, const struct network *net);
/* The ban that covers net at now_us (the widest), or NULL; borrowed until the
 * next change. */
const struct ban *judge_find_ban(
	const struct judge *judge, const struct network *net, int64_t now_us);

/* Ends bans that are over at now_us, forgets tallies that no longer matter,
 * looking at a bounded number of entries a call; call it often. A ban that is
 * over is no longer shown or counted, yet known as long as offences from its
 * time may come. */
void judge_expire(struct judge *judge, int64_t now_us);

/* Iterates over the bans that were not over at the last judge_expire, in no
 * order, *cursor starting as 0, NULL at the end; borrowed until the next
 * change. Bans may be lifted or made in between: every other is shown once. */
const struct ban *judge_next_ban(const struct judge *judge, size_t *cursor);
/* The same for those bans that lie within an exempt network. */
const struct ban *judge_next_exempt_ban(
	const struct judge *judge, size_t *cursor);

/* Those that are over may be counted for some calls of judge_expire. */
size_t judge_ban_count(const struct judge *judge);
/* One for each client and class. */
size_t judge_tally_count(const struct judge *judge);
/* Bytes held for tallies and bans. */
size_t judge_memory(const struct judge *judge);

#endif
