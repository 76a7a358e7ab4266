/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Judgement: counts offences per client and class in exact sliding windows,
 * and says when one was one too many; knows the clients that real users log in
 * from, repeat offenders, users who are tried from many clients, and networks
 * of many offenders. Pure: the time is handed in, nothing is read or written.
 * The plugin, `mailban replay` and the unit tests run this same code; the same
 * messages in the same order give the same bans, whatever the key of the hash
 * (but for what two names that look alike do, see who.h), as long as memory_max
 * is not reached.
 *
 * Times are microseconds since the epoch, of the message's first reception by
 * rsyslog, and may come in any order. A window is half open, as fail2ban's is:
 * offences exactly findtime apart do not count together.
 */
#ifndef MAILBAN_JUDGE_H
#define MAILBAN_JUDGE_H

#include "common/netset.h"
#include "plugin/class.h"
#include "plugin/history.h"
#include "plugin/message.h"

/* until_us of a ban that never ends. */
#define BAN_PERMANENT INT64_MAX

/* An offence that comes this much later than the newest so far is still judged
 * as if it had come in time. One that is later by findtime more is judged on
 * its own; a hundred such without a break mean that the newest was from a
 * clock gone wrong, and time goes on from them. So what a tally needs to be
 * restored completely is findtime + JUDGE_LATE_US. */
#define JUDGE_LATE_US (INT64_C(86400) * 1000000)
/* A higher maxretry or count is taken as this: some 20,000, as weights are
 * counted in hundredths. */
#define JUDGE_COUNT_MAX UINT32_C(20971)

/* fail2ban's words: maxretry offences within findtime ban for bantime. */
struct policy {
	uint32_t maxretry; /* 1.. ; 0: this class never bans */
	int64_t findtime_us;
	int64_t bantime_us; /* BAN_PERMANENT: for ever */
	bool observe;	    /* its bans are not to be enforced */
};

/* Their own users. All of it off: on is false. */
struct trust_settings {
	bool on;
	int64_t time_us;     /* a good login is worth something for so long */
	uint32_t factor;     /* maxretry times this; 0 is 1 */
	bool forgive;	     /* failures that end in the user's success */
	bool stale_password; /* the same one again counts once */
	bool accepted;	     /* mail of a client was accepted: no ban for
				unknown-client or rejected */
};

/* Users under attack: failed from `clients` different clients, none of which
 * is known by a good login, within findtime. 0 clients: not looked at. */
struct users_settings {
	uint32_t clients;
	int64_t findtime_us;
	/* For that user, from clients without a good login; 0: only told. */
	uint32_t maxretry;
};

/* Networks as a whole, when no good login came from them: so many of their
 * clients banned, or charged at least once, within findtime. 0: never. */
struct networks_settings {
	uint8_t prefix4, prefix6; /* 24 and 48; wider than a client's */
	uint32_t clients, offenders;
	int64_t findtime_us, bantime_us;
};

/* Zeroed is all off but the counting. */
struct judge_settings {
	struct policy policy[CLASS_OFFENCES];
	uint8_t prefix4, prefix6; /* what one client is: 32 and 64 */
	struct netset exempt;	  /* never banned */
	/* In bytes, for all but the bans; 0: no bound. Four fifths are for
	 * tallies: when that is reached, those with the fewest offences, the
	 * oldest of them, go first. Below 16 MiB it is not kept exactly. */
	size_t memory_max;
	bool no_weights; /* every offence is 100 %, user or not */
	/* Weight of an auth-failure of a name that nobody has; 0 is 100. */
	uint32_t unknown_user_percent;
	struct growth growth; /* of a repeat offender's bantime */
	struct trust_settings trust;
	struct users_settings users;
	struct networks_settings networks;
};

/* Spans may be empty: not told. */
struct offence {
	struct addr addr;
	enum class class;
	int64_t time_us;
	uint32_t count;		 /* at once: a folded or summarising line */
	uint32_t weight_percent; /* of each; 100 as a rule, 0 is 0 */
	struct span user;
	struct span password; /* any digest of what was tried */
	bool unknown_user;    /* the server says that nobody has that name */
};

struct ban {
	struct network net;
	int64_t from_us;  /* time of the offence that was one too many */
	int64_t until_us; /* or BAN_PERMANENT */
	enum class class; /* CLASS_NONE: not for an offence (an operator) */
	uint32_t count;	  /* offences by weight, or clients of a network, that
			     led to it */
	uint32_t level;	  /* how many bans before this one; 0 the first time */
	bool observed;	  /* nobody is to be dropped for it */
};

enum verdict {
	VERDICT_COUNTED, /* an offence, not yet one too many */
	VERDICT_BAN,	 /* this one was: *ban is new */
	VERDICT_BANNED,	 /* a ban of this client covers that time already:
			    nothing counted. That holds for times before its
			    beginning too: they led to nothing else */
	VERDICT_EXEMPT,	 /* never banned: nothing counted */
	VERDICT_EXCUSED, /* nothing counted, see excuse */
};

enum excuse {
	EXCUSE_NONE,
	EXCUSE_KNOWN,	  /* a client with good logins, or whose mail was
			     accepted */
	EXCUSE_LOGGED_IN, /* the user got in since: told late */
	EXCUSE_STALE,	  /* the same wrong password again */
};

struct judgement {
	enum verdict verdict;
	enum excuse excuse; /* with VERDICT_EXCUSED */
	struct network client;
	uint32_t count; /* the most, by weight, within any findtime that this
			   offence is part of; 0 where nothing counts */
	struct ban ban; /* set with VERDICT_BAN */
	/* Whatever the verdict: a network is banned as a whole, in which this
	 * was one offender too many. See judge_folded. */
	bool network_banned;
	struct ban network;
	/* The user came under attack with this offence; told once within
	 * users.findtime. From so many clients. */
	bool user_attacked;
	uint32_t user_clients;
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

/* Where an offence makes a window full, the ban begins as it would have had
 * all come in order: at the first offence with maxretry within the findtime
 * that ends there. A ban takes the client's tallies of all classes with it: who
 * is banned starts anew. A ban may be over already when it is made. */
void judge_offence(struct judge *judge, const struct offence *offence,
	struct judgement *out);
/* Enter an offence that was judged earlier, for its tally alone. Restore
 * offences, bans and unbans in the order in which they came; logins in any
 * order, and before the offences. */
void judge_recall(struct judge *judge, const struct offence *offence);

/* A user got in. Returns how many failures (by weight) that forgives. user may
 * be empty: not told. Logins restored need only be the newest of each client
 * and user. */
uint32_t judge_login(struct judge *judge, const struct addr *addr,
	const struct span *user, int64_t time_us);
/* Mail of this client was taken. */
void judge_accepted(
	struct judge *judge, const struct addr *addr, int64_t time_us);

/* How far back from now one must go to restore what was known. */
struct judge_reach {
	int64_t offences_us, bans_us, logins_us;
};
void judge_reach(
	const struct judge_settings *settings, struct judge_reach *out);

/* Enter a ban that was not judged here: restored or an operator's. One of the
 * same network is replaced. A client's own takes its tallies; a wider one
 * leaves those of its clients. One for offences (class and level are set) goes
 * into the history, and one of a network for offences takes the place of those
 * in it that end no later. Whether it is exempt is not looked at. */
void judge_ban(struct judge *judge, const struct ban *ban);
/* The bans that the last call of judge_offence or judge_ban removed because a
 * ban of their network takes their place; borrowed until the next call. */
const struct ban *judge_folded(const struct judge *judge, size_t *count);
/* Takes the ban of exactly that network away, with the tallies and the history
 * of what lies in it: the next offence is the first again. False: there was
 * none, nothing has changed. */
bool judge_unban(struct judge *judge, const struct network *net);
/* Whether an offence of that class would be VERDICT_BANNED. */
bool judge_is_banned(const struct judge *judge, const struct addr *addr,
	enum class class, int64_t time_us);
/* Whether a good login came from that client in the last trust time. */
bool judge_knows(
	const struct judge *judge, const struct addr *addr, int64_t time_us);
/* The ban that covers net at now_us (the widest; one that is only observed
 * where there is no other), or NULL; borrowed until the next change. */
const struct ban *judge_find_ban(
	const struct judge *judge, const struct network *net, int64_t now_us);

/* Ends bans that are over at now_us, forgets tallies that no longer matter,
 * looking at a bounded number of entries a call; call it often. A ban that is
 * over is no longer shown or counted, yet known as long as offences from its
 * time may come. */
void judge_expire(struct judge *judge, int64_t now_us);
/* Ends all bans that are over, at once: when everything is restored. */
void judge_restored(struct judge *judge, int64_t now_us);

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
/* Bytes held for everything. */
size_t judge_memory(const struct judge *judge);

#endif
