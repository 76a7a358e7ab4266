/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The commands and options of mailban(1), and what is said of them.
 */
#include "command/commands.h"

#include <string.h>

static const struct command commands[] = {
	{"why", "explain", "ADDRESS|NETWORK", 1, 1, command_why,
		"is it banned, why, since when, and what to do about it",
		"mailban why 203.0.113.7", "lines"},
	{"status", NULL, "", 0, 0, command_status,
		"what is happening, and what is wrong", "mailban status", NULL},
	{"list", "banned", "", 0, 0, command_list, "the bans in force",
		"mailban list --class auth-failure --sort packets",
		"sort class"},
	{"top", NULL, "", 0, 0, command_top,
		"live: who attacks, whom, with what; q quits", "mailban top",
		NULL},
	{"report", NULL, "[day|week|month]", 0, 1, command_report,
		"offences and bans of a day, week or month",
		"mailban report week --html /var/www/mailban.html", "html"},
	{"ban", "banip", "ADDRESS|NETWORK", 1, 1, command_ban,
		"ban by hand, for a day unless told otherwise",
		"mailban ban 203.0.113.7 --for 12h", "for"},
	{"unban", "unbanip", "ADDRESS|NETWORK | --all", 0, 1, command_unban,
		"lift a ban, or all of them", "mailban unban 203.0.113.7",
		"all"},
	{"exempt", NULL, "list | add|remove NETWORK", 1, 2, command_exempt,
		"networks that are never banned",
		"mailban exempt add 192.0.2.0/24 --for 12h --reason office",
		"for reason"},
	{"import", NULL, "FILE", 1, 1, command_import,
		"ban what a list holds: plain, ipset, nft, fail2ban's",
		"mailban import /root/blacklist --source blacklist --for 30d",
		"for source"},
	{"export", NULL, "", 0, 0, command_export,
		"the banned addresses, sorted; list, nft or json",
		"mailban export --format nft", "format"},
	{"metrics", NULL, "", 0, 0, command_metrics, "figures for Prometheus",
		"mailban metrics --textfile /var/lib/prometheus/"
		"node-exporter/mailban.prom",
		"textfile"},
	{"rules", NULL, "", 0, 0, command_rules,
		"the rules in use and how often each matched", "mailban rules",
		NULL},
	{"test", NULL, "[FILE]", 0, 1, command_test,
		"which rule, class, client and user each log line gives",
		"mailban test --explain /var/log/mail.log",
		"rules policy explain"},
	{"import-filter", NULL, "FILE", 1, 1, command_import_filter,
		"a rule file out of a fail2ban filter, on standard output",
		"mailban import-filter /etc/fail2ban/filter.d/postfix.conf "
		"--log /var/log/mail.log",
		"class program log"},
	{"replay", NULL, "[FILE]", 0, 1, command_replay,
		"whom a log would have had banned, when and why",
		"mailban replay --policy daily-script /var/log/mail.log",
		"rules policy"},
	{"reload", NULL, "", 0, 0, command_reload,
		"read configuration and rules anew", "mailban reload", NULL},
	{"off", NULL, "", 0, 0, command_off,
		"take our table, with all bans, out of the kernel",
		"mailban off", NULL},
	{"on", NULL, "", 0, 0, command_on,
		"put it back with the bans still in force", "mailban on", NULL},
	{"completion", NULL, "bash|zsh|fish", 1, 1, command_completion,
		"completion for a shell", "mailban completion bash", NULL},
};
enum { COMMAND_COUNT = sizeof(commands) / sizeof(commands[0]) };

static const struct command_option options[] = {
	{"json", 'j', NULL, "one JSON object a line", true},
	{"config", 'c', "FILE", "default " MAILBAN_CONFIG, true},
	{"control", 'o', "SOCKET", "default: the configuration's", true},
	{"help", 'h', NULL, "also behind a command", true},
	{"version", 'v', NULL, "", true},
	{"for", 'f', "TIME", "10m, 12h, 7d, permanent", false},
	{"reason", 'R', "TEXT", "for those who read it later", false},
	{"all", 'a', NULL, "every ban", false},
	{"sort", 's', "KEY", "address, from, until, count, packets", false},
	{"class", 'C', "CLASS", "only those of this class, or by-hand", false},
	{"lines", 'n', "NUMBER", "at most so many", false},
	{"source", 'S', "NAME", "where they come from", false},
	{"format", 'F', "FORMAT", "list, nft or json", false},
	{"html", 'H', "FILE", "one self-contained page", false},
	{"textfile", 't', "FILE", "write there, all at once", false},
	{"rules", 'r', "FOLDER",
		"rule files instead of the configuration's; "
		"repeatable",
		false},
	{"policy", 'p', "POLICY", "balanced or daily-script", false},
	{"explain", 'x', NULL, "which rules were tried, how far each got", false},
	{"program", 'P', "NAMES", "whose messages the rules are for", false},
	{"log", 'l', "FILE", "lines to take examples from", false},
};
enum { OPTION_COUNT = sizeof(options) / sizeof(options[0]) };

const struct command *
command_at(size_t index)
{
	return index < COMMAND_COUNT ? &commands[index] : NULL;
}

const struct command_option *
command_option_at(size_t index)
{
	return index < OPTION_COUNT ? &options[index] : NULL;
}

/* Whether word is one of those in list, which are separated by blanks. */
static bool
is_in(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = list; at && *at; at += strspn(at, " ")) {
		size_t one = strcspn(at, " ");

		if (one == len && !strncmp(at, word, len))
			return true;
		at += one;
	}
	return false;
}

const struct command *
command_find(const char *word)
{
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (!strcmp(word, commands[i].name) ||
			(commands[i].alias && !strcmp(word, commands[i].alias)))
			return &commands[i];
	return NULL;
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

const struct command *
command_nearest(const char *word)
{
	const struct command *near = &commands[0];

	for (size_t i = 1; i < COMMAND_COUNT; i++)
		if (distance(word, commands[i].name) <
			distance(word, near->name))
			near = &commands[i];
	return near;
}

bool
command_takes(
	const struct command *command, const struct command_option *option)
{
	return option->all || is_in(command->options, option->name);
}

const char *
command_choices(const struct command *command)
{
	static const struct {
		const char *name, *choices;
	} known[] = {{"exempt", "list add remove"},
		{"report", "day week month"}, {"completion", "bash zsh fish"}};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (!strcmp(command->name, known[i].name))
			return known[i].choices;
	return "";
}

static void
print_option(const struct command_option *option, FILE *to)
{
	int width = fprintf(to, "  --%s %s", option->name,
		option->argument ? option->argument : "");

	(void)fprintf(
		to, "%*s%s\n", width < 20 ? 20 - width : 1, "", option->what);
}

void
usage_all(FILE *to)
{
	(void)fputs("usage: mailban COMMAND [WORD]... [OPTION]...\n", to);
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		(void)fprintf(
			to, "  %-10s %s\n", commands[i].name, commands[i].what);
	(void)fputs("mailban COMMAND --help has an example and its options.\n"
		    "Exit status: 0 done, 1 not found or nothing to do, "
		    "2 usage or bad input,\n3 not running, 4 refused. "
		    "See mailban(1).\n",
		to);
}

void
usage_of(const struct command *command, FILE *to)
{
	(void)fprintf(to, "usage: mailban %s %s\n  %s\nexample: %s\n",
		command->name, command->words, command->what, command->example);
	if (command->alias)
		(void)fprintf(to, "also called: %s\n", command->alias);
	for (size_t i = 0; i < OPTION_COUNT; i++)
		if (command_takes(command, &options[i]))
			print_option(&options[i], to);
	(void)fputs("See also: mailban --help, mailban(1)\n", to);
}
