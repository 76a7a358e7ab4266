/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The commands that ask a running ommailban.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "command/command.h"
#include "common/duration.h"

static struct fjson_object *
request_of(const char *word)
{
	struct fjson_object *request = fjson_object_new_object();

	fjson_object_object_add(
		request, "request", fjson_object_new_string(word));
	return request;
}

static void
print_json(struct fjson_object *object, void *arg)
{
	(void)arg; /* the object is all */
	print_object(object);
}

static const char *
ago(int64_t time_s, char out[DURATION_STRLEN + 8])
{
	char span[DURATION_STRLEN];
	int64_t now_s = (int64_t)time(NULL);

	if (!time_s)
		return "never";
	if (time_s > now_s)
		time_s = now_s;
	(void)snprintf(out, DURATION_STRLEN + 8, "%s ago",
		duration_format(now_s - time_s, span));
	return out;
}

/* --- status --- */

static const char *
hint_of(const char *kernel)
{
	if (!strcmp(kernel, "down"))
		return "no new ban is in force until mailban-nft runs again; "
		       "it is tried every few seconds";
	if (!strcmp(kernel, "syncing"))
		return "bans are being brought into the kernel";
	return NULL;
}

static void
print_trouble(struct fjson_object *status)
{
	static const struct {
		const char *key, *what;
	} troubles[] = {{"kernel_trouble", "kernel"},
		{"ledger_trouble", "ledger"}, {"journal_trouble", "journal"},
		{"reload_error", "reload"}};
	const char *hint = hint_of(member_text(status, "kernel"));

	for (size_t i = 0; i < sizeof(troubles) / sizeof(troubles[0]); i++)
		if (!member_is_null(status, troubles[i].key))
			(void)printf("trouble    %s: %s\n", troubles[i].what,
				member_text(status, troubles[i].key));
	if (hint)
		(void)printf("           %s\n", hint);
}

static void
print_counts(struct fjson_object *status)
{
	(void)printf("messages   %" PRId64 " since the start, last one %s\n",
		member_number(status, "messages"),
		ago(member_number(status, "last_message"),
			(char[DURATION_STRLEN + 8]){0}));
	(void)printf("offences   %" PRId64 " counted, %" PRId64
		     " of banned clients, %" PRId64 " exempt, %" PRId64
		     " without an address, %" PRId64 " sent twice\n",
		member_number(status, "offences"),
		member_number(status, "offences_while_banned"),
		member_number(status, "offences_exempt"),
		member_number(status, "offences_without_address"),
		member_number(status, "duplicates"));
	(void)printf("ignored    %" PRId64 " malformed, %" PRId64 " too long\n",
		member_number(status, "malformed"),
		member_number(status, "too_long"));
}

static void
print_status(struct fjson_object *status, void *arg)
{
	const char *mode = member_text(status, "mode");

	(void)arg;
	(void)printf("running    ommailban %s, process %" PRId64 ", since %s\n",
		member_text(status, "version"), member_number(status, "pid"),
		ago(member_number(status, "since"),
			(char[DURATION_STRLEN + 8]){0}));
	(void)printf("mode       %s%s, policy %s, %" PRId64 " rules\n", mode,
		strcmp(mode, "observe") ? ""
					: " (nobody is dropped by the kernel)",
		member_text(status, "policy"), member_number(status, "rules"));
	(void)printf("bans       %" PRId64 " in force, %" PRId64
		     " made since the start\n",
		member_number(status, "bans"),
		member_number(status, "bans_made"));
	(void)printf("kernel     %s, %" PRId64 " pending, table mended %" PRId64
		     " times\n",
		member_text(status, "kernel"),
		member_number(status, "kernel_pending"),
		member_number(status, "table_healed"));
	print_counts(status);
	(void)printf("memory     %" PRId64 " KiB for %" PRId64 " tallies\n",
		member_number(status, "memory_bytes") / 1024,
		member_number(status, "tallies"));
	print_trouble(status);
}

int
command_status(const struct arguments *arguments)
{
	return ask(arguments, request_of("status"),
		arguments->json ? print_json : print_status, NULL);
}

/* --- list, rules --- */

struct listing {
	size_t count;
};

static void
print_ban(struct fjson_object *ban, void *arg)
{
	struct listing *listing = arg;
	char left[DURATION_STRLEN] = "for ever";
	char since[DURATION_STRLEN + 8];

	if (!listing->count++)
		(void)printf("%-40s %-15s %6s  %-14s %s\n", "ADDRESS", "CLASS",
			"COUNT", "LEFT", "SINCE");
	if (!member_is_null(ban, "until"))
		(void)duration_format(
			member_number(ban, "until") - (int64_t)time(NULL),
			left);
	(void)printf("%-40s %-15s %6" PRId64 "  %-14s %s\n",
		member_text(ban, "address"),
		member_is_null(ban, "class") ? "by hand"
					     : member_text(ban, "class"),
		member_number(ban, "count"), left,
		ago(member_number(ban, "from"), since));
}

int
command_list(const struct arguments *arguments)
{
	struct listing listing = {0};
	int status = ask(arguments, request_of("list"),
		arguments->json ? print_json : print_ban, &listing);

	if (status == STATUS_DONE && !arguments->json && !listing.count)
		(void)puts("no bans in force");
	return status;
}

static void
print_rule(struct fjson_object *rule, void *arg)
{
	char last[DURATION_STRLEN + 8];

	(void)arg;
	(void)printf("%-40s %-15s %8" PRId64 "  %-14s %s:%" PRId64 "\n",
		member_text(rule, "rule"), member_text(rule, "class"),
		member_number(rule, "matched"),
		ago(member_number(rule, "last"), last),
		member_text(rule, "file"), member_number(rule, "line"));
}

int
command_rules(const struct arguments *arguments)
{
	return ask(arguments, request_of("rules"),
		arguments->json ? print_json : print_rule, NULL);
}

/* --- ban, unban --- */

/* Checked here too, so that bad input is told apart without a running
 * ommailban. */
static int
add_network(struct fjson_object *request, const char *word)
{
	struct network net;
	const char *why;
	char text[NETWORK_STRLEN];

	if (network_parse(word, strlen(word), &net, &why) < 0)
		return complain(STATUS_USAGE, "'%s': %s", word, why);
	fjson_object_object_add(request, "address",
		fjson_object_new_string(network_format(&net, text)));
	return STATUS_DONE;
}

static int
add_time(struct fjson_object *request, const char *text)
{
	int64_t seconds;

	if (duration_parse(text, &seconds) < 0 || seconds == 0)
		return complain(STATUS_USAGE,
			"--for: '%s' is not a time such as 10m, 12h, 7d or "
			"permanent; the longest is 3650d",
			text);
	fjson_object_object_add(request, "for_s",
		fjson_object_new_int64(
			seconds == DURATION_PERMANENT ? -1 : seconds));
	return STATUS_DONE;
}

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
	int status = add_network(request, arguments->words[0]);

	if (status == STATUS_DONE && arguments->for_time)
		status = add_time(request, arguments->for_time);
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
		status = add_network(request, arguments->words[0]);
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
	int status = add_network(request, network);

	if (status == STATUS_DONE && add && arguments->for_time)
		status = add_time(request, arguments->for_time);
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
