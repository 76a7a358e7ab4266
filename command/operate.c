/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The commands that ask a running ommailban.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "command/command.h"
#include "command/show.h"
#include "common/duration.h"

static void
print_rule(struct fjson_object *rule, void *arg)
{
	char last[SHOW_AGO_LEN];

	(void)arg;
	(void)printf("%-40s %-15s %8" PRId64 "  %-14s %s:%" PRId64 "\n",
		member_text(rule, "rule"), member_text(rule, "class"),
		member_number(rule, "matched"),
		show_ago(member_number(rule, "last"), last),
		member_text(rule, "file"), member_number(rule, "line"));
}

int
command_rules(const struct arguments *arguments)
{
	return ask(arguments, request_of("rules"),
		arguments->json ? print_json : print_rule, NULL);
}

/* --- ban, unban --- */

static int
report_change(const struct arguments *arguments, const char *what, int status)
{
	if (status != STATUS_DONE || arguments->json)
		return status;
	(void)printf("%s %s\n", what,
		arguments->word_count ? arguments->words[0] : "all");
	return status;
}

int
command_ban(const struct arguments *arguments)
{
	struct fjson_object *request = request_of("ban");
	int status = request_network(request, arguments->words[0]);

	if (status == STATUS_DONE && arguments->for_time)
		status = request_time(request, arguments->for_time);
	if (status != STATUS_DONE) {
		fjson_object_put(request);
		return status;
	}
	return report_change(arguments, "banned",
		ask(arguments, request, arguments->json ? print_json : NULL,
			NULL));
}

int
command_unban(const struct arguments *arguments)
{
	struct fjson_object *request;
	int status = STATUS_DONE;

	if (arguments->all == (arguments->word_count == 1))
		return complain(STATUS_USAGE,
			"unban: one address or network, or --all");
	request = request_of("unban");
	if (arguments->all)
		fjson_object_object_add(
			request, "all", fjson_object_new_boolean(1));
	else
		status = request_network(request, arguments->words[0]);
	if (status != STATUS_DONE) {
		fjson_object_put(request);
		return status;
	}
	return report_change(arguments, "lifted",
		ask(arguments, request, arguments->json ? print_json : NULL,
			NULL));
}

/* --- exempt --- */

static void
print_exempt(struct fjson_object *exempt, void *arg)
{
	char left[DURATION_STRLEN] = "for good";

	(void)arg;
	if (!member_is_null(exempt, "until"))
		(void)duration_format(
			member_number(exempt, "until") - (int64_t)time(NULL),
			left);
	(void)printf("%-40s %-12s %s%s%s%s%s\n", member_text(exempt, "address"),
		left, member_text(exempt, "source"),
		member_text(exempt, "by")[0] ? " by " : "",
		member_text(exempt, "by"),
		member_text(exempt, "reason")[0] ? ": " : "",
		member_text(exempt, "reason"));
}

static int
exempt_one(const struct arguments *arguments, const char *word,
	const char *network)
{
	bool add = !strcmp(word, "add");
	struct fjson_object *request = request_of(add ? "exempt" : "unexempt");
	int status = request_network(request, network);

	if (status == STATUS_DONE && add && arguments->for_time)
		status = request_time(request, arguments->for_time);
	if (status != STATUS_DONE) {
		fjson_object_put(request);
		return status;
	}
	if (arguments->reason)
		add_span(request, "reason", arguments->reason,
			strlen(arguments->reason));
	status = ask(
		arguments, request, arguments->json ? print_json : NULL, NULL);
	if (status == STATUS_DONE && !arguments->json)
		(void)printf("%s %s\n", add ? "exempt" : "no longer exempt",
			network);
	return status;
}

int
command_exempt(const struct arguments *arguments)
{
	const char *word = arguments->words[0];
	bool change = !strcmp(word, "add") || !strcmp(word, "remove");

	if (!strcmp(word, "list") && arguments->word_count == 1)
		return ask(arguments, request_of("exempts"),
			arguments->json ? print_json : print_exempt, NULL);
	if (change && arguments->word_count == 2)
		return exempt_one(arguments, word, arguments->words[1]);
	return complain(
		STATUS_USAGE, "exempt: list, add NETWORK or remove NETWORK");
}

/* --- reload, off, on --- */

int
command_reload(const struct arguments *arguments)
{
	return ask(arguments, request_of("reload"), print_json, NULL);
}

int
command_off(const struct arguments *arguments)
{
	return ask(arguments, request_of("off"), print_json, NULL);
}

int
command_on(const struct arguments *arguments)
{
	return ask(arguments, request_of("on"), print_json, NULL);
}
