/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mailban why: all that is known of an address, from the running ommailban, the
 * kernel and the ledger, in one object.
 */
#include "command/why.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "command/command.h"
#include "command/in_kernel.h"
#include "command/past.h"
#include "common/xalloc.h"

enum { EVIDENCE = 10, DAY_S = 86400 };

static struct network
network_from(const char *text)
{
	struct network net = {.prefix = 0};
	const char *why;

	(void)network_parse(text, strlen(text), &net, &why);
	return net;
}

static struct network
offline_client(const struct config *config, struct network net)
{
	uint8_t prefix = net.addr.family == ADDR_V4 ? config->judge.prefix4
						    : config->judge.prefix6;

	return net.prefix == addr_bits(&net.addr)
		       ? network_of(&net.addr, prefix)
		       : net;
}

/* What a running ommailban would have said, as far as the configuration knows
 * it. */
static struct fjson_object *
without_ommailban(const struct arguments *arguments, struct network net)
{
	struct config *config = offline_config(arguments);
	struct fjson_object *why = fjson_object_new_object();
	const struct network *exempt;
	struct network client;
	char text[NETWORK_STRLEN];

	if (!config)
		config = config_new();
	client = offline_client(config, net);
	add_text(why, "address", network_format(&net, text));
	add_text(why, "client", network_format(&client, text));
	fjson_object_object_add(why, "ban", NULL);
	exempt = netset_find(&config->judge.exempt, &net);
	fjson_object_object_add(why, "exempt", NULL);
	if (exempt) {
		struct fjson_object *one = fjson_object_new_object();

		add_text(one, "address", network_format(exempt, text));
		add_text(one, "source", "ignoreip in mailban.conf");
		fjson_object_object_add(why, "exempt", one);
	}
	fjson_object_object_add(why, "in_kernel", NULL);
	add_text(why, "state", config->state);
	config_free(config);
	return why;
}

/* Where ommailban could not tell. */
static void
ask_nft(struct fjson_object *why)
{
	struct network client = network_from(member_text(why, "client"));
	struct in_kernel in_kernel;
	int rc;

	if (member(why, "in_kernel") ||
		!strcmp(member_text(why, "mode"), "observe"))
		return;
	rc = in_kernel_look(&client, &in_kernel);
	if (rc < 0) {
		add_text(why, "kernel_unknown", strerror(-rc));
		return;
	}
	fjson_object_object_add(
		why, "in_kernel", fjson_object_new_boolean(in_kernel.found));
	if (!in_kernel.counted)
		return;
	add_number(why, "packets", in_kernel.packets);
	add_number(why, "bytes", in_kernel.bytes);
}

/* When its counting began anew at the latest: a ban, or its end by hand. */
static int64_t
counts_since(struct fjson_object *bans, int64_t since_s)
{
	for (int i = 0; i < fjson_object_array_length(bans); i++) {
		struct fjson_object *ban = fjson_object_array_get_idx(bans, i);

		/* The second in which it was belongs to it. */
		if (member_number(ban, "from") >= since_s)
			since_s = member_number(ban, "from") + 1;
		if (member_number(ban, "lifted") >= since_s)
			since_s = member_number(ban, "lifted") + 1;
	}
	return since_s;
}

static int64_t
findtime_of(struct fjson_object *why)
{
	struct fjson_object *policy =
		member(member(why, "policy"), "auth-failure");
	int64_t findtime_s = member_number(policy, "findtime_s");

	return findtime_s ? findtime_s : DAY_S;
}

static bool
in_force(struct fjson_object *ban, int64_t now_s)
{
	return member_is_null(ban, "lifted") &&
	       member_is_null(ban, "superseded") &&
	       (member_is_null(ban, "until") ||
		       member_number(ban, "until") > now_s);
}

/* Adds what only the ledger knows of the ban in force: its rule, who made it.
 * Without a running ommailban it is the ledger that says there is one. */
static void
complete_ban(struct fjson_object *why, struct fjson_object *bans)
{
	int64_t now_s = (int64_t)time(NULL);
	struct fjson_object *ban = member(why, "ban");

	for (int i = 0; i < fjson_object_array_length(bans); i++) {
		struct fjson_object *one = fjson_object_array_get_idx(bans, i);

		if (!in_force(one, now_s))
			continue;
		if (!ban && !member_flag(why, "running")) {
			fjson_object_object_add(
				why, "ban", fjson_object_get(one));
			return;
		}
		if (!ban || strcmp(member_text(one, "address"),
				    member_text(ban, "address")))
			continue;
		add_text(ban, "rule",
			member_is_null(one, "rule") ? NULL
						    : member_text(one, "rule"));
		add_text(ban, "origin", member_text(one, "origin"));
		add_text(ban, "by",
			member_is_null(one, "by") ? NULL
						  : member_text(one, "by"));
		add_text(ban, "reason",
			member_is_null(one, "reason")
				? NULL
				: member_text(one, "reason"));
		return;
	}
}

static void
add_past(const struct arguments *arguments, struct fjson_object *why)
{
	const char *error = NULL;
	struct past *past = past_open(member_text(why, "state"), &error);
	struct network client = network_from(member_text(why, "client"));
	size_t lines = arguments->lines ? arguments->lines : EVIDENCE;
	struct fjson_object *bans;
	int64_t since_s = (int64_t)time(NULL) - findtime_of(why);

	add_text(why, "ledger_trouble", error);
	if (!past)
		return;
	bans = past_bans(past, &client);
	complete_ban(why, bans);
	fjson_object_object_add(
		why, "offences", past_offence_total(past, &client));
	fjson_object_object_add(why, "counted",
		past_tallies(past, &client, counts_since(bans, since_s)));
	fjson_object_object_add(why, "users", past_users(past, &client));
	fjson_object_object_add(
		why, "evidence", past_offences(past, &client, lines));
	fjson_object_object_add(why, "bans", bans);
	fjson_object_object_add(why, "logins", past_logins(past, &client));
	past_close(past);
}

/* --- what to do --- */

static void
suggest(struct fjson_object *commands, const char *before, const char *address,
	const char *behind)
{
	char *text = xasprintf("mailban %s %s%s", before, address, behind);

	fjson_object_array_add(commands, fjson_object_new_string(text));
	free(text);
}

static void
add_commands(struct fjson_object *why)
{
	struct fjson_object *commands = fjson_object_new_array();
	struct fjson_object *ban = member(why, "ban");
	struct fjson_object *exempt = member(why, "exempt");
	const char *client = member_text(why, "client");

	if (ban) {
		suggest(commands, "unban", member_text(ban, "address"), "");
		suggest(commands, "exempt add", client,
			" --for 12h --reason '...'");
	} else if (!exempt &&
		   member_number(member(why, "offences"), "lines") > 0) {
		suggest(commands, "ban", client, " --for 1d");
	}
	if (exempt && member_text(exempt, "by")[0])
		suggest(commands, "exempt remove",
			member_text(exempt, "address"), "");
	fjson_object_object_add(why, "commands", commands);
}

static size_t
count_of(struct fjson_object *why, const char *key)
{
	struct fjson_object *array = member(why, key);

	return array ? (size_t)fjson_object_array_length(array) : 0;
}

static bool
anything(struct fjson_object *why)
{
	return member(why, "ban") || member(why, "exempt") ||
	       member_flag(why, "in_kernel") || member_flag(why, "known") ||
	       member_number(member(why, "offences"), "lines") > 0 ||
	       count_of(why, "bans") > 0 || count_of(why, "logins") > 0;
}

int
command_why(const struct arguments *arguments)
{
	struct fjson_object *request = request_of("why"), *why = NULL;
	const char *word = arguments->words[0];
	bool running, known;
	int status = request_network(request, word);

	if (status != STATUS_DONE) {
		fjson_object_put(request);
		return status;
	}
	status = ask_if_running(arguments, request, keep_object, &why);
	running = status == STATUS_DONE && why;
	if (!running && status != STATUS_NOT_RUNNING)
		return status;
	if (!running)
		why = without_ommailban(arguments, network_from(word));
	fjson_object_object_add(
		why, "running", fjson_object_new_boolean(running));
	ask_nft(why);
	add_past(arguments, why);
	add_commands(why);
	known = anything(why);
	fjson_object_object_add(
		why, "anything", fjson_object_new_boolean(known));
	if (arguments->json)
		print_object(why);
	else
		why_print(why);
	status = known ? STATUS_DONE : STATUS_NOT_FOUND;
	if (!running && member_text(why, "ledger_trouble")[0])
		status = STATUS_NOT_RUNNING;
	fjson_object_put(why);
	return status;
}
