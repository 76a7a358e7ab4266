/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the parts of mailban(1) share: exit statuses, the options that several
 * commands take, and the talk with ommailban.
 */
#ifndef MAILBAN_COMMAND_H
#define MAILBAN_COMMAND_H

#include <json.h>
#include <stdbool.h>
#include <stdio.h>

#include "plugin/config.h"
#include "plugin/message.h"

/* Of mailban(1), "EXIT STATUS". */
enum {
	STATUS_DONE = 0,
	STATUS_NOT_FOUND = 1, /* or nothing to do */
	STATUS_USAGE = 2,     /* or bad input */
	STATUS_NOT_RUNNING = 3,
	STATUS_REFUSED = 4,
};

struct arguments {
	const char *config;	       /* --config, or NULL */
	const char *control;	       /* --control, or NULL */
	char *rules[CONFIG_RULES_MAX]; /* --rules */
	size_t rules_count;
	const char *policy;   /* --policy, or NULL */
	const char *for_time; /* --for, or NULL */
	const char *reason;   /* --reason, or NULL */
	const char *sort, *class, *format, *source, *html,
		*textfile; /* or NULL */
	size_t lines;	   /* --lines, or 0 */
	const char *log, *program; /* or NULL */
	bool json, all, explain;
	bool config_named; /* --config was given, not found by default */
	char **words;	   /* what is left */
	size_t word_count;
};

/* Prints "mailban: ..." to stderr and returns status. */
int complain(int status, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* --- ask.c --- */

/* Sends request (freed here) and calls each for every object that comes before
 * the last one; each may be NULL. Says what went wrong. Returns the exit
 * status. */
int ask(const struct arguments *arguments, struct fjson_object *request,
	void (*each)(struct fjson_object *, void *), void *arg);
/* The same, for who can do without: says nothing when ommailban does not run.
 */
int ask_if_running(const struct arguments *arguments,
	struct fjson_object *request,
	void (*each)(struct fjson_object *, void *), void *arg);

/* Several requests over one connection. NULL with *status, which was
 * explained unless quiet. */
struct talk;
struct talk *talk_open(
	const struct arguments *arguments, bool quiet, int *status);
void talk_close(struct talk *talk);
/* Takes request; returns the exit status. */
int talk_request(struct talk *talk, struct fjson_object *request,
	void (*each)(struct fjson_object *, void *), void *arg);

/* {"request": word}, and an address or network put into it. What is bad
 * input is told apart here already, without a running ommailban. */
struct fjson_object *request_of(const char *word);
int request_network(struct fjson_object *request, const char *word);
int request_time(struct fjson_object *request, const char *text);
/* --for, as seconds, -1 for ever. */
int parse_time(const char *text, int64_t *seconds);

/* For ask: prints each on a line. */
void print_json(struct fjson_object *object, void *arg);
/* For ask: keeps the last one in *(struct fjson_object **)arg. */
void keep_object(struct fjson_object *object, void *arg);

/* Members of an object; "" and 0 where there is none. Text is borrowed. */
const char *member_text(struct fjson_object *object, const char *key);
int64_t member_number(struct fjson_object *object, const char *key);
struct fjson_object *member(struct fjson_object *object, const char *key);
bool member_flag(struct fjson_object *object, const char *key);
bool member_is_null(struct fjson_object *object, const char *key);
/* Prints it on one line. */
void print_object(struct fjson_object *object);
/* Text from a log made safe and put in, nothing for NULL. */
void add_span(struct fjson_object *object, const char *key, const char *text,
	size_t len);
void add_text(struct fjson_object *object, const char *key, const char *text);
void add_number(struct fjson_object *object, const char *key, int64_t number);

/* --- the commands, each returns an exit status --- */

int command_status(const struct arguments *arguments);
int command_list(const struct arguments *arguments);
int command_why(const struct arguments *arguments);
int command_import(const struct arguments *arguments);
int command_export(const struct arguments *arguments);
int command_metrics(const struct arguments *arguments);
int command_top(const struct arguments *arguments);
int command_report(const struct arguments *arguments);
int command_completion(const struct arguments *arguments);
int command_rules(const struct arguments *arguments);
int command_ban(const struct arguments *arguments);
int command_unban(const struct arguments *arguments);
int command_exempt(const struct arguments *arguments);
int command_reload(const struct arguments *arguments);
int command_off(const struct arguments *arguments);
int command_on(const struct arguments *arguments);
int command_test(const struct arguments *arguments);
int command_import_filter(const struct arguments *arguments);
int command_replay(const struct arguments *arguments);

/* --- explain.c --- */

/* Prints which rules were tried on the message, how far each got, and which
 * won. */
void explain_message(struct rules *rules, const struct message *message);

/* --- offline.c: without a running ommailban --- */

/* Configuration of --config, or /etc/mailban/mailban.conf where that can be
 * read, or defaults, with --rules and --policy over it; the rules in the tree
 * beside where none is installed. NULL after saying why. */
struct config *offline_config(const struct arguments *arguments);
struct rules *offline_rules(const struct config *config);

/* Lines of the file (NULL or "-": standard input), each without its LF. -1
 * after saying why. */
int each_line(const char *path,
	void (*each)(const char *line, size_t len, void *arg), void *arg);
/* One line of either form: rsyslog's JSON or plain syslog. */
int parse_line(struct message_reader *reader, const char *line, size_t len,
	struct message *out);

#endif
