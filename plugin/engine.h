/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one-way flow: a line from rsyslog becomes a message, the rules name its
 * class and client, the judge counts, the journal keeps, the kernel drops. Each
 * of those is a module of its own; this one only hands on, in that order, and
 * keeps the figures that `mailban status` shows.
 */
#ifndef MAILBAN_ENGINE_H
#define MAILBAN_ENGINE_H

#include <time.h>

#include "plugin/config.h"
#include "plugin/correlate.h"
#include "plugin/exempt.h"
#include "plugin/kernel.h"
#include "plugin/ledger.h"
#include "plugin/rates.h"

/* Since the start. */
struct engine_counters {
	uint64_t lines;		       /* messages from rsyslog, all kinds */
	uint64_t bad;		       /* no JSON object, or no msg */
	uint64_t too_long;	       /* over OMPROG_LINE_MAX */
	uint64_t matched[CLASS_COUNT]; /* by class; CLASS_NONE: no rule */
	uint64_t offences;	       /* counted */
	uint64_t duplicates;	       /* sent again by rsyslog, not counted */
	uint64_t banned;     /* offences of clients that were banned already */
	uint64_t exempt;     /* offences of networks that are never banned */
	uint64_t untrusted;  /* written by a local user who may not */
	uint64_t no_address; /* offences without a literal address */
	uint64_t bans;	     /* judged here */
	uint64_t users_attacked; /* told of */
	uint64_t commits, commit_errors;
};

struct engine_options {
	const char *config_path;
	char *const *rules; /* --rules folders, instead of the file's */
	size_t rules_count;
	const char *state, *control, *helper; /* or NULL */
	int starter_fd;			      /* or -1 */
};

struct engine {
	struct config *config;
	const struct engine_options *options; /* borrowed */
	struct rules *rules;
	struct message_reader *reader;
	struct correlate *correlate;
	struct judge *judge;
	struct digest_key key;
	struct digest_set *seen;
	int state_fd, lock_fd;
	struct journal *journal;
	struct ledger *ledger;
	bool ledger_moved;     /* it was corrupt at the start, or gone */
	struct kernel *kernel; /* NULL in observe mode */
	struct exempts *exempts;
	bool file_looked; /* ignoreip_file, as it was at file_time */
	struct timespec file_time;
	uint64_t seq; /* of the last record */
	int64_t started_us, last_message_us;
	uint64_t loaded; /* engine_fingerprint of what is in force */
	int64_t rotated_us, host_us; /* when these were done last */
	struct engine_counters count;
	struct rates rates;	/* of these, of late */
	char why[128];		/* why the last ban was refused */
	char reload_error[512]; /* of the last reload; "" when it was good */
};

/* Reads the configuration file (or, without a path, only defaults) and puts
 * the options over it. NULL with *error, which the caller frees. */
struct config *engine_config(
	const struct engine_options *options, char **error);

/* Loads the rules, takes the state folder's lock, opens ledger and journal,
 * restores what they hold. Takes config. tick is called during long work.
 * NULL with *error. */
struct engine *engine_open(const struct engine_options *options,
	struct config *config, void (*tick)(void *), void *arg, char **error);
/* Syncs, closes. Bans stay in the kernel. */
void engine_close(struct engine *engine);

/* Starts the helper and waits until all bans are in force, at most wait_ms. */
void engine_enforce(
	struct engine *engine, int wait_ms, void (*tick)(void *), void *arg);

/* now_us: engine_now(), as of when the line was read. */
void engine_message(
	struct engine *engine, const char *line, size_t len, int64_t now_us);
/* Whether what that caused is in the journal's file: 0, or the negative errno
 * of a disk that is full, and then the message must not be answered before
 * this gives 0. Costs nothing when nothing is left to be written. */
int engine_flush(struct engine *engine);
/* Makes durable what the messages since the last commit caused, and waits a
 * while for the kernel. 0, or a negative errno of the journal. */
int engine_commit(struct engine *engine);

/* To be called about once a second, and when the kernel's socket is ready. */
void engine_work(struct engine *engine);

/* Loads configuration and rules anew; all or nothing. Says in the log what
 * changed, and nothing when nothing did. NULL, or why the old ones stay
 * (borrowed until the next). */
const char *engine_reload(struct engine *engine);

/* An operator's: what stands in the way is told in *why (borrowed until the
 * next), as -EPERM (exempt), -ERANGE (too wide). by: who asked. until_us may be
 * BAN_PERMANENT. The ban is journalled and handed to the kernel. */
int engine_ban(struct engine *engine, const struct network *net,
	int64_t until_us, const char *by, const char **why);
/* One of many from elsewhere, until until_us; source: where it stood. -EPERM
 * and -ERANGE as above; -EALREADY: it is banned for as long already. */
struct engine_import {
	int64_t until_us;
	const char *by, *source;
};
int engine_import(struct engine *engine, const struct network *net,
	const struct engine_import *import);
/* Whether an operator may ban it; as engine_ban. */
int engine_may_ban(
	struct engine *engine, const struct network *net, const char **why);
/* The client that a single address belongs to; a network is itself. */
struct network engine_client(
	const struct engine *engine, const struct network *net);
/* -ENOENT: no such ban. An address stands for its client. */
int engine_unban(
	struct engine *engine, const struct network *net, const char *by);
/* How many were lifted. */
size_t engine_unban_all(struct engine *engine, const char *by);

/* Puts a ban in the journal. rule, by: or NULL. */
void engine_record_ban(struct engine *engine, const struct ban *ban,
	enum origin origin, const char *rule, const char *by);

/* An operator's exemption, for exempt->until_us (EXEMPT_PERMANENT: until it is
 * taken back); by is set. Bans within end at once. */
void engine_exempt(struct engine *engine, const struct exempt *exempt);
/* -ENOENT: no operator exempted exactly that network. */
int engine_unexempt(
	struct engine *engine, const struct network *net, const char *by);

/* --- between engine*.c --- */

struct span engine_span(const char *text); /* NULL: empty */
/* The last offence that was written down, and no ban behind it. */
void engine_judge_again(
	struct engine *engine, const struct offence *offence, const char *rule);
/* The configuration's, with what is exempt now; borrowed from both. */
struct judge_settings engine_judge_settings(const struct engine *engine);
/* Gathers and applies, when it is time again. */
void engine_look_exempt(struct engine *engine, int64_t now_us);
/* Relays that rsyslog receives from are never banned. */
void engine_note_sender(
	struct engine *engine, const struct message *message, int64_t now_us);

/* A number that changes when the configuration or a rule file does: made of
 * their names, sizes, inodes and times. */
uint64_t engine_fingerprint(
	const struct engine_options *options, const struct config *config);
/* Finds out what is never banned: ignoreip, what the host is and hangs on.
 * Whether that changed. */
bool engine_gather_exempt(struct engine *engine);
/* Puts the operators' in the journal: the ledger has lost them. */
void engine_record_exempts(struct engine *engine);
/* Has judge and kernel take it: bans of what has become exempt end at once. */
void engine_apply_exempt(struct engine *engine);
void engine_new_kernel(struct engine *engine);
/* Has our table deleted, and does without the helper from then on. */
void engine_clear_kernel(struct engine *engine);

/* The journal goes to the ledger now, where it would within a second. */
void engine_hand_over(struct engine *engine);
/* What the rates are of. */
struct rates_counts engine_rates_counts(const struct engine *engine);

/* Microseconds since the epoch. */
int64_t engine_now(void);
/* Seconds that never go back. */
int64_t engine_monotonic_s(void);

#endif
