/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mailban(1), the operator's command: takes the options, finds the command. The
 * tables are in commands.c.
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "command/commands.h"
#include "common/log.h"

enum { OPTIONS_MAX = 32, LINES_MAX = 100000 };

static int
unknown(const char *word)
{
	char safe[64];

	return complain(STATUS_USAGE,
		"unknown command '%s'; did you mean '%s'? (mailban --help)",
		text_escape(word, strlen(word), safe, sizeof(safe)),
		command_nearest(word)->name);
}

static int
take_rules(struct arguments *arguments, char *value)
{
	if (arguments->rules_count == CONFIG_RULES_MAX)
		return complain(STATUS_USAGE, "--rules: more than %d folders",
			CONFIG_RULES_MAX);
	arguments->rules[arguments->rules_count++] = value;
	return -1;
}

static int
take_lines(struct arguments *arguments, const char *value)
{
	char *end = NULL;
	unsigned long number = strtoul(value, &end, 10);

	if (!*value || *end || !number || number > LINES_MAX)
		return complain(STATUS_USAGE,
			"--lines: '%s' is not a number from 1 to %d", value,
			LINES_MAX);
	arguments->lines = number;
	return -1;
}

/* Where the value of an option goes that is text and no more. */
static const char **
text_of(struct arguments *arguments, int option)
{
	switch (option) {
	case 'o':
		return &arguments->control;
	case 'p':
		return &arguments->policy;
	case 'f':
		return &arguments->for_time;
	case 'R':
		return &arguments->reason;
	case 's':
		return &arguments->sort;
	case 'C':
		return &arguments->class;
	case 'S':
		return &arguments->source;
	case 'F':
		return &arguments->format;
	case 'H':
		return &arguments->html;
	case 't':
		return &arguments->textfile;
	case 'l':
		return &arguments->log;
	case 'P':
		return &arguments->program;
	default:
		return NULL;
	}
}

/* -1: go on; else an exit status. */
static int
take_option(struct arguments *arguments, int option, char *value)
{
	const char **text = text_of(arguments, option);

	if (text) {
		*text = value;
		return -1;
	}
	switch (option) {
	case 'c':
		arguments->config = value;
		arguments->config_named = true;
		return -1;
	case 'r':
		return take_rules(arguments, value);
	case 'n':
		return take_lines(arguments, value);
	case 'j':
		arguments->json = true;
		return -1;
	case 'a':
		arguments->all = true;
		return -1;
	case 'x':
		arguments->explain = true;
		return -1;
	case 'v':
		(void)puts("mailban " MAILBAN_VERSION);
		return STATUS_DONE;
	default:
		return complain(STATUS_USAGE, "see mailban --help");
	}
}

static int
parse(struct arguments *arguments, int argc, char **argv, bool *help)
{
	struct option known[OPTIONS_MAX] = {{NULL, 0, NULL, 0}};
	int option, status = -1;

	for (size_t i = 0; command_option_at(i) && i + 1 < OPTIONS_MAX; i++) {
		const struct command_option *one = command_option_at(i);

		known[i] = (struct option){one->name,
			one->argument ? required_argument : no_argument, NULL,
			one->letter};
	}
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

		command = command_find(word);
		if (!command && !help)
			return unknown(word);
		arguments->words++;
		arguments->word_count--;
	}
	if (help) {
		if (command)
			usage_of(command, stdout);
		else
			usage_all(stdout);
		return STATUS_DONE;
	}
	if (!command) {
		usage_all(stderr);
		return STATUS_USAGE;
	}
	if (arguments->word_count < command->words_min ||
		arguments->word_count > command->words_max) {
		usage_of(command, stderr);
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
