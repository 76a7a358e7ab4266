/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mailban replay: whom a log would have had banned, when and why, judged by the
 * code of the running plugin at the lines' own times.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "command/command.h"
#include "plugin/correlate.h"

#define US INT64_C(1000000)

struct replay {
	const struct arguments *arguments;
	const struct config *config;
	struct rules *rules;
	struct correlate *correlate;
	struct judge *judge;
	struct message_reader *reader;
	size_t lines, unreadable, offences, bans;
};

static void
format_time(int64_t time_us, char out[32])
{
	time_t seconds = (time_t)(time_us / US);
	struct tm tm;

	if (time_us == BAN_PERMANENT)
		(void)snprintf(out, 32, "for ever");
	else if (!gmtime_r(&seconds, &tm) ||
		 !strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &tm))
		(void)snprintf(out, 32, "%" PRId64, time_us / US);
}

static void
add_end(struct fjson_object *object, const char *key, int64_t time_us)
{
	fjson_object_object_add(object, key,
		time_us == BAN_PERMANENT
			? NULL
			: fjson_object_new_int64(time_us / US));
}

static void
print_ban(const struct replay *replay, const struct ban *ban,
	const struct match *match)
{
	struct fjson_object *object;
	char net[NETWORK_STRLEN], from[32], until[32];

	(void)network_format(&ban->net, net);
	if (!replay->arguments->json) {
		format_time(ban->from_us, from);
		format_time(ban->until_us, until);
		(void)printf("%s  %-24s %-15s %u  %s  until %s\n", from, net,
			class_name(ban->class), ban->count, match->rule->name,
			until);
		return;
	}
	object = fjson_object_new_object();
	fjson_object_object_add(
		object, "address", fjson_object_new_string(net));
	fjson_object_object_add(object, "class",
		fjson_object_new_string(class_name(ban->class)));
	fjson_object_object_add(
		object, "rule", fjson_object_new_string(match->rule->name));
	fjson_object_object_add(
		object, "count", fjson_object_new_int64(ban->count));
	add_end(object, "from", ban->from_us);
	add_end(object, "until", ban->until_us);
	print_object(object);
	fjson_object_put(object);
}

static void
judge_match(struct replay *replay, const struct message *message,
	struct match *match)
{
	struct offence offence = {
		.class = match->class, .time_us = message->time_us};
	struct judgement judgement;

	correlate_session(replay->correlate, message, match);
	if (match->class == CLASS_LOGIN && match->has_addr)
		(void)judge_login(replay->judge, &match->addr, &match->user,
			message->time_us);
	if (match->rule && match->rule->accepts && match->has_addr)
		judge_accepted(replay->judge, &match->addr, message->time_us);
	if (match->class >= CLASS_OFFENCES || !match->has_addr)
		return;
	/* The shell routine counts lines. */
	offence.count =
		replay->config->policy == RULES_DAILY_SCRIPT
			? match->count * message->repeat
			: correlate_attempts(replay->correlate, message, match);
	if (!offence.count)
		return;
	/* Not before: the address may have come from the session. */
	offence.addr = match->addr;
	offence.weight_percent = match->rule->weight_percent;
	offence.user = match->user;
	offence.password = match->digest;
	offence.unknown_user = match->rule->unknown_user;
	replay->offences++;
	judge_offence(replay->judge, &offence, &judgement);
	if (judgement.verdict == VERDICT_BAN) {
		replay->bans++;
		print_ban(replay, &judgement.ban, match);
	}
	if (judgement.network_banned) {
		replay->bans++;
		print_ban(replay, &judgement.network, match);
	}
}

static void
replay_line(const char *line, size_t len, void *arg)
{
	struct replay *replay = arg;
	struct message message;
	struct match match;

	replay->lines++;
	if (parse_line(replay->reader, line, len, &message) < 0) {
		replay->unreadable++;
		return;
	}
	(void)rules_match(replay->rules, &message, &match);
	judge_match(replay, &message, &match);
}

static int
finish(const struct replay *replay, int rc)
{
	if (rc < 0)
		return STATUS_USAGE;
	if (replay->lines && replay->unreadable == replay->lines)
		return complain(STATUS_NOT_FOUND,
			"no line was a syslog message: neither rsyslog's JSON "
			"nor \"Nov 25 10:00:00 host tag[1]: text\"");
	if (!replay->arguments->json)
		(void)fprintf(stderr, "%zu lines, %zu offences, %zu bans%s\n",
			replay->lines, replay->offences, replay->bans,
			replay->unreadable ? "; some lines were no messages"
					   : "");
	return STATUS_DONE;
}

int
command_replay(const struct arguments *arguments)
{
	struct replay replay = {.arguments = arguments};
	struct config *config = offline_config(arguments);
	uint8_t key[16];
	int rc;

	if (!config)
		return STATUS_USAGE;
	replay.config = config;
	replay.rules = offline_rules(config);
	if (!replay.rules || getrandom(key, sizeof(key), 0) != sizeof(key)) {
		rules_free(replay.rules);
		config_free(config);
		return STATUS_USAGE;
	}
	replay.judge = judge_new(&config->judge, key);
	replay.correlate = correlate_new(key);
	replay.reader = message_reader_new();
	rc = each_line(arguments->word_count ? arguments->words[0] : NULL,
		replay_line, &replay);
	rc = finish(&replay, rc);
	message_reader_free(replay.reader);
	judge_free(replay.judge);
	correlate_free(replay.correlate);
	rules_free(replay.rules);
	config_free(config);
	return rc;
}
