/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mailban(1), the operator's command: one table of commands, one of options.
 */
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command/command.h"
#include "common/log.h"

struct command {
	const char *name;
	const char *words; /* of the usage line */
	size_t words_min, words_max;
	int (*run)(const struct arguments *arguments);
	const char *what;
	const char *example;
};

static const struct command commands[] = {
	{"status", "", 0, 0, command_status,
		"what is happening, and what is wrong", "mailban status"},
	{"list", "", 0, 0, command_list, "the bans in force",
		"mailban list --json"},
	{"ban", "ADDRESS|NETWORK [--for TIME]", 1, 1, command_ban,
		"ban by hand, for a day unless told otherwise",
		"mailban ban 203.0.113.7 --for 12h"},
	{"unban", "ADDRESS|NETWORK | --all", 0, 1, command_unban,
		"lift a ban, or all of them", "mailban unban 203.0.113.7"},
	{"test", "[FILE]", 0, 1, command_test,
		"which rule, class, client and user each log line gives",
		"mailban test /var/log/mail.log"},
	{"replay", "[FILE] [--policy POLICY]", 0, 1, command_replay,
		"whom a log would have had banned, when and why",
		"mailban replay --policy daily-script /var/log/mail.log"},
	{"exempt", "list | add|remove NETWORK", 1, 2, command_exempt,
		"networks that are never banned",
		"mailban exempt add 192.0.2.0/24 --for 12h --reason office"},
	{"rules", "", 0, 0, command_rules,
		"the rules in use and how often each matched", "mailban rules"},
	{"reload", "", 0, 0, command_reload,
		"read configuration and rules anew", "mailban reload"},
	{"off", "", 0, 0, command_off,
		"take our table, with all bans, out of the kernel",
		"mailban off"},
	{"on", "", 0, 0, command_on, "put it back with the bans still in force",
		"mailban on"},
};
enum { COMMAND_COUNT = sizeof(commands) / sizeof(commands[0]) };

int
complain(int status, const char *format, ...)
{
	va_list args;

	(void)fflush(stdout);
	(void)fputs("mailban: ", stderr);
	va_start(args, format);
	(void)vfprintf(stderr, format, args);
	va_end(args);
	(void)fputc('\n', stderr);
	return status;
}

static void
usage(FILE *to)
{
	(void)fputs("usage: mailban COMMAND [OPTION]... [WORD]\n\n", to);
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		(void)fprintf(to, "  %-7s %-29s %s\n", commands[i].name,
			commands[i].words, commands[i].what);
	(void)fputs("\n"
		    "  --json            one JSON object a line\n"
		    "  --config FILE     default " MAILBAN_CONFIG "\n"
		    "  --control SOCKET  default: the configuration's\n"
		    "  --rules FOLDER    for test and replay; repeatable\n"
		    "  --version, --help (also behind a command)\n"
		    "\nExit status: 0 done, 1 not found or nothing to do, "
		    "2 usage or bad input,\n3 not running, 4 refused. "
		    "See mailban(1).\n",
		to);
}

static void
command_usage(const struct command *command, FILE *to)
{
	(void)fprintf(to,
		"usage: mailban %s %s\n  %s\nexample: %s\n"
		"See also: mailban --help, mailban(1)\n",
		command->name, command->words, command->what, command->example);
}

/* Letters that differ, are missing or too many (Levenshtein), for short
 * words: who mistypes is told what he may have meant. */
static size_t
distance(const char *a, const char *b)
{
	size_t row[32], len = strlen(b);

	if (len >= sizeof(row) / sizeof(row[0]))
		return len;
	for (size_t j = 0; j <= len; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1]; i++) {
		size_t corner = row[0];

		row[0] = i;
		for (size_t j = 1; j <= len; j++) {
			size_t best = corner + (a[i - 1] != b[j - 1]);

			corner = row[j];
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			if (corner + 1 < best)
				best = corner + 1;
			row[j] = best;
		}
	}
	return row[len];
}

static int
unknown(const char *word)
{
	const char *near = commands[0].name;

	for (size_t i = 1; i < COMMAND_COUNT; i++)
		if (distance(word, commands[i].name) < distance(word, near))
			near = commands[i].name;
	return complain(STATUS_USAGE,
		"unknown command '%s'; did you mean '%s'? (mailban --help)",
		word, near);
}

static const struct command *
find_command(const char *word)
{
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (!strcmp(word, commands[i].name))
			return &commands[i];
	return NULL;
}

/* -1: go on; else an exit status. */
static int
take_option(struct arguments *arguments, int option, char *value)
{
	switch (option) {
	case 'c':
		arguments->config = value;
		arguments->config_named = true;
		break;
	case 'o':
		arguments->control = value;
		break;
	case 'r':
		if (arguments->rules_count == CONFIG_RULES_MAX)
			return complain(STATUS_USAGE,
				"--rules: more than %d folders",
				CONFIG_RULES_MAX);
		arguments->rules[arguments->rules_count++] = value;
		break;
	case 'p':
		arguments->policy = value;
		break;
	case 'f':
		arguments->for_time = value;
		break;
	case 'R':
		arguments->reason = value;
		break;
	case 'j':
		arguments->json = true;
		break;
	case 'a':
		arguments->all = true;
		break;
	case 'v':
		(void)puts("mailban " MAILBAN_VERSION);
		return STATUS_DONE;
	default:
		return complain(STATUS_USAGE, "see mailban --help");
	}
	return -1;
}

static int
parse(struct arguments *arguments, int argc, char **argv, bool *help)
{
	static const struct option known[] = {
		{"config", required_argument, NULL, 'c'},
		{"control", required_argument, NULL, 'o'},
		{"rules", required_argument, NULL, 'r'},
		{"policy", required_argument, NULL, 'p'},
		{"for", required_argument, NULL, 'f'},
		{"reason", required_argument, NULL, 'R'},
		{"json", no_argument, NULL, 'j'},
		{"all", no_argument, NULL, 'a'},
		{"version", no_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	int option, status = -1;

	while (status < 0 &&
		(option = getopt_long(argc, argv, "h", known, NULL)) != -1) {
		if (option == 'h')
			*help = true;
		else
			status = take_option(arguments, option, optarg);
	}
	arguments->words = argv + optind;
	arguments->word_count = (size_t)(argc - optind);
	return status;
}

static int
run(struct arguments *arguments, bool help)
{
	const struct command *command = NULL;

	if (arguments->word_count > 0) {
		const char *word = arguments->words[0];

		command = find_command(word);
		if (!command && !help)
			return unknown(word);
		arguments->words++;
		arguments->word_count--;
	}
	if (help) {
		if (command)
			command_usage(command, stdout);
		else
			usage(stdout);
		return STATUS_DONE;
	}
	if (!command) {
		usage(stderr);
		return STATUS_USAGE;
	}
	if (arguments->word_count < command->words_min ||
		arguments->word_count > command->words_max) {
		command_usage(command, stderr);
		return STATUS_USAGE;
	}
	return command->run(arguments);
}

int
main(int argc, char **argv)
{
	struct arguments arguments = {.config = MAILBAN_CONFIG};
	bool help = false;
	int status;

	log_open("mailban", LOG_LEVEL_WARN, false);
	status = parse(&arguments, argc, argv, &help);
	if (status < 0)
		status = run(&arguments, help);
	if (fflush(stdout) != 0 && status == STATUS_DONE)
		status = complain(STATUS_USAGE, "output can't be written");
	return status;
}
