/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The configuration: defaults, and what /etc/mailban/mailban.conf changes of
 * them (mailban.conf(5) explains every key). The whole file is good or none of
 * it is taken.
 */
#ifndef MAILBAN_CONFIG_H
#define MAILBAN_CONFIG_H

#include "common/wire.h"
#include "plugin/judge.h"
#include "plugin/rules.h"

enum { CONFIG_RULES_MAX = 16 };

struct config {
	bool observe; /* mode = observe: everything but the kernel */
	enum rules_policy policy;
	struct judge_settings judge; /* exempt: ignoreip only */
	bool protect_sessions;	     /* operators' login sessions are exempt */
	bool protect_senders;	     /* who hands rsyslog messages is exempt */
	bool writers_given;	     /* only these local users may speak */
	uint32_t *writers;	     /* their uids; allocated */
	size_t writer_count;
	char *ignoreip_file; /* more networks; or NULL */
	struct wire_options options;
	int64_t ledger_age_us;
	int64_t ledger_size_bytes;
	char *state;   /* folder of journal and ledger */
	char *control; /* Unix socket for mailban(1) */
	char *helper;  /* program mailban-nft, or the socket of its service */
	char *group;   /* may use the control socket, besides root; or NULL */
	char *read_group;	       /* may look; or NULL */
	char *rules[CONFIG_RULES_MAX]; /* folders, later ones override */
	size_t rules_count;
};

/* All defaults, without a file. The caller frees. */
struct config *config_new(void);
void config_free(struct config *config);

/* Reads the file over the defaults. NULL with *error ("file:line: ...", the
 * caller frees) when anything in it is wrong. Paths are those of the build
 * unless the file says otherwise. ignoreip_file is not read here. */
struct config *config_load(const char *path, char **error);

/* Sets every figure that `policy = daily-script` fixes, whatever the file
 * says for them: two in a day, all ports, for ever, and no judgement beyond
 * that. */
void config_set_policy(struct config *config, enum rules_policy policy);

/* --- between config.c and config_keys.c --- */

struct config_loading {
	struct config *config;
	bool rules_seen; /* the first one replaces the default folders */
};

/* Takes one value: NULL, or an allocated text of what is wrong and what would
 * be right. */
char *config_set(struct config_loading *loading, const char *section,
	const char *key, const char *value);
/* All keys, in the order of mailban.conf(5); false at the end. *cursor starts
 * as 0. The section is "class" for what every class has. */
bool config_next_key(size_t *cursor, const char **section, const char **key);

#endif
