/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of the judge share: judge.c (settings, time, memory),
 * judge_offence.c (what one offence comes to) and judge_ban.c (bans, and the
 * networks they add up to). Nobody else includes this.
 */
#ifndef MAILBAN_JUDGE_PARTS_H
#define MAILBAN_JUDGE_PARTS_H

#include "plugin/banlist.h"
#include "plugin/crowd.h"
#include "plugin/judge.h"
#include "plugin/tally.h"
#include "plugin/trust.h"
#include "plugin/who.h"

struct judge {
	struct judge_settings settings;
	uint8_t key[16];
	struct tallies *tallies;
	struct banlist *bans;
	struct trust *trust;
	struct crowd *users, *networks;
	struct history *history;
	struct ban *folded;
	size_t folded_count, folded_room;
	int64_t newest_us; /* of all offences and logins */
	int64_t far_us;	   /* newest_us when all horizons were set */
	int64_t now_us;	   /* of the last judge_expire */
	unsigned late_run;
};

/* The judge's own time is that of what happened, so that a queue that waited
 * for days is judged as it would have been then. */
void judge_follow_time(struct judge *judge, int64_t time_us);
struct network judge_client(const struct judge *judge, const struct addr *addr);
/* The network that is banned as a whole. */
struct network judge_network(
	const struct judge *judge, const struct addr *addr);
bool judge_exempts(const struct judge *judge, const struct addr *addr);

/* A client is one too many: sets verdict and ban, and what follows for its
 * network. */
void judge_make_ban(struct judge *judge, enum class class,
	const struct window_sum *sum, struct judgement *out);
/* It was charged and has no good login: one more offender of its network. */
void judge_note_offender(struct judge *judge, const struct offence *offence,
	struct judgement *out);

#endif
