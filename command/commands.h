/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one table of commands and the one of options: usage, completion and
 * main() are made from them.
 */
#ifndef MAILBAN_COMMAND_COMMANDS_H
#define MAILBAN_COMMAND_COMMANDS_H

#include "command/command.h"

struct command {
	const char *name;
	const char *alias; /* one; or NULL */
	const char *words; /* of the usage line */
	size_t words_min, words_max;
	int (*run)(const struct arguments *arguments);
	const char *what;
	const char *example;
	const char *options; /* long names, separated by blanks, besides those
				that all take; or NULL */
};

struct command_option {
	const char *name;
	char letter;	      /* for getopt */
	const char *argument; /* its name; or NULL */
	const char *what;
	bool all; /* every command takes it */
};

/* NULL at the end. */
const struct command *command_at(size_t index);
const struct command_option *command_option_at(size_t index);
/* By name or alias; NULL when there is none. */
const struct command *command_find(const char *word);
/* The one that was most likely meant. */
const struct command *command_nearest(const char *word);

/* Whether the command takes it. */
bool command_takes(
	const struct command *command, const struct command_option *option);
/* The words it knows, as "list add remove"; "" where any word goes. */
const char *command_choices(const struct command *command);

void usage_all(FILE *to);
void usage_of(const struct command *command, FILE *to);

#endif
