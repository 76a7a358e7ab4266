/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What one message causes, from line to ban. Nothing here waits but
 * engine_commit, and that is bounded.
 */
#include "plugin/engine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/duration.h"
#include "common/log.h"

#define US INT64_C(1000000)

/* COMMIT waits so long for the kernel before a ban is left pending: far
 * longer than a transaction takes, far shorter than rsyslog's patience. */
enum { COMMIT_KERNEL_MS = 1500, LEDGER_TRIES = 40 };

int64_t
engine_now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec * US + ts.tv_nsec / 1000;
}

/* The ledger can't always tell at once (-EAGAIN: it is being begun anew). To
 * count twice would be worse than to wait a moment. */
static bool
in_ledger(struct engine *engine, const struct digest *digest)
{
	static const struct timespec moment = {.tv_nsec = 5000000};
	int rc = ledger_has(engine->ledger, digest);

	for (int tries = 0; rc == -EAGAIN && tries < LEDGER_TRIES; tries++) {
		(void)nanosleep(&moment, NULL);
		rc = ledger_has(engine->ledger, digest);
	}
	return rc == 1;
}

/* Whether rsyslog sent this one before: memory is asked first, the ledger only
 * for what memory may have forgotten. */
static bool
seen_before(struct engine *engine, const struct message *message,
	const struct digest *digest)
{
	if (digest_set_has(engine->seen, digest))
		return true;
	return digest_stamp(message) <= digest_set_horizon(engine->seen) &&
	       in_ledger(engine, digest);
}

struct span
engine_span(const char *text)
{
	return (struct span){text, text ? strlen(text) : 0};
}

static struct network
client_of(const struct engine *engine, const struct addr *addr)
{
	return network_of(addr, addr->family == ADDR_V4
					? engine->config->judge.prefix4
					: engine->config->judge.prefix6);
}

/* counted: how many offences the judge took it for; 0: another line of the
 * same attempt was counted, and this one is evidence only. Either way it is
 * known from now on, should rsyslog send it again. */
static void
keep_offence(struct engine *engine, const struct message *message,
	const struct match *match, const struct digest *digest,
	uint32_t counted)
{
	struct record record = {.type = RECORD_OFFENCE,
		.seq = ++engine->seq,
		.time_us = message->time_us,
		.net = client_of(engine, &match->addr),
		.digest = *digest,
		.reported_us = message->reported_us,
		.class = match->class,
		.count = counted ? counted : match->count * message->repeat,
		.weight_percent = match->rule->weight_percent,
		.unknown_user = match->rule->unknown_user,
		.password = match->digest,
		.counted = counted > 0,
		.addr = match->addr,
		.rule = engine_span(match->rule->name),
		.user = match->user,
		.host = message->host,
		.from = message->from,
		.tag = message->tag,
		.msg = message->msg};

	journal_add(engine->journal, &record);
	digest_set_add(
		engine->seen, digest, digest_stamp(message), engine->seq);
}

void
engine_record_ban(struct engine *engine, const struct ban *ban,
	enum origin origin, const char *rule, const char *by)
{
	struct record record = {.type = RECORD_BAN,
		.seq = ++engine->seq,
		.time_us = ban->from_us,
		.net = ban->net,
		.class = ban->class,
		.count = ban->count,
		.until_us = ban->until_us,
		.level = ban->level,
		.origin = origin,
		.rule = engine_span(rule),
		.by = engine_span(by)};

	journal_add(engine->journal, &record);
}

static void
log_ban(const struct engine *engine, const struct ban *ban, const char *rule)
{
	char text[NETWORK_STRLEN], time[DURATION_STRLEN] = "permanent";
	bool known = ban->class < CLASS_OFFENCES;
	int64_t findtime_us =
		known ? engine->config->judge.policy[ban->class].findtime_us
		      : 0;

	if (ban->until_us != BAN_PERMANENT)
		(void)snprintf(time, sizeof(time), "%lld",
			(long long)((ban->until_us - ban->from_us) / US));
	log_info("%s client=%s class=%s bantime_s=%s rule=%s count=%u "
		 "findtime_s=%lld",
		engine->config->observe || ban->observed ? "observe-ban"
							 : "ban",
		network_format(&ban->net, text), class_name(ban->class), time,
		rule ? rule : "-", ban->count, (long long)(findtime_us / US));
}

static void
take_ban(struct engine *engine, const struct ban *ban, const char *rule)
{
	engine->count.bans++;
	engine_record_ban(engine, ban, ORIGIN_LOCAL, rule, NULL);
	/* A message that waited for hours in a queue may bring a ban that is
	 * over already: it is recorded, and nobody is dropped for it. */
	if (ban->until_us <= engine_now())
		return;
	log_ban(engine, ban, rule);
	if (engine->kernel && !ban->observed)
		kernel_ban(engine->kernel, ban);
}

/* The kernel has no need of the members, now that their network is banned for
 * at least as long. */
static void
take_network_ban(struct engine *engine, const struct ban *ban, const char *rule)
{
	size_t count;
	const struct ban *folded = judge_folded(engine->judge, &count);

	take_ban(engine, ban, rule);
	for (size_t i = 0; engine->kernel && i < count; i++)
		if (!folded[i].observed)
			kernel_lift(engine->kernel, &folded[i].net);
}

static void
take_bans(struct engine *engine, const struct judgement *judgement,
	const char *rule)
{
	if (judgement->verdict == VERDICT_BAN)
		take_ban(engine, &judgement->ban, rule);
	if (judgement->network_banned)
		take_network_ban(engine, &judgement->network, rule);
}

void
engine_judge_again(
	struct engine *engine, const struct offence *offence, const char *rule)
{
	struct judgement judgement;

	judge_offence(engine->judge, offence, &judgement);
	take_bans(engine, &judgement, rule);
}

static void
tell_user_attacked(
	struct engine *engine, const struct match *match, uint32_t clients)
{
	char safe[256];

	engine->count.users_attacked++;
	log_warn("user-attacked user=\"%s\" clients=%u",
		text_escape(
			match->user.text, match->user.len, safe, sizeof(safe)),
		clients);
}

/* What rsyslog sends again has the time that it had, whatever was made of it.
 */
static struct digest
digest_as_sent(const struct engine *engine, const struct message *message,
	int64_t sent_us)
{
	struct message sent = *message;

	sent.time_us = sent_us;
	return digest_of(&sent, &engine->key);
}

static void
charge(struct engine *engine, const struct message *message,
	const struct match *match, int64_t sent_us)
{
	struct offence offence = {.addr = match->addr,
		.class = match->class,
		.time_us = message->time_us,
		.weight_percent = match->rule->weight_percent,
		.user = match->user,
		.password = match->digest,
		.unknown_user = match->rule->unknown_user};
	struct judgement judgement;
	struct network one;
	struct digest digest;
	bool exempt;

	one = network_of(&match->addr, addr_bits(&match->addr));
	exempt = netset_find(exempts_union(engine->exempts), &one) != NULL;
	exempts_note_offence(engine->exempts, &match->addr, exempt);
	if (exempt) {
		engine->count.exempt++;
		return;
	}
	/* Known to be banned: nothing to keep, and no need to know whether
	 * rsyslog sent it before. This is what a flood costs. */
	if (judge_is_banned(engine->judge, &match->addr, match->class,
		    message->time_us)) {
		engine->count.banned++;
		return;
	}
	digest = digest_as_sent(engine, message, sent_us);
	if (seen_before(engine, message, &digest)) {
		engine->count.duplicates++;
		return;
	}
	/* The shell routine counts lines. */
	offence.count =
		engine->config->policy == RULES_DAILY_SCRIPT
			? match->count * message->repeat
			: correlate_attempts(engine->correlate, message, match);
	if (!offence.count) {
		keep_offence(engine, message, match, &digest, 0);
		return;
	}
	judge_offence(engine->judge, &offence, &judgement);
	keep_offence(engine, message, match, &digest,
		judgement.verdict == VERDICT_EXCUSED ? 0 : offence.count);
	if (judgement.verdict != VERDICT_EXCUSED)
		engine->count.offences++;
	if (judgement.user_attacked)
		tell_user_attacked(engine, match, judgement.user_clients);
	take_bans(engine, &judgement, match->rule->name);
}

/* Any local user can write to /dev/log as whoever he likes. Where rsyslog was
 * told who did, only those count that the configuration names. */
static bool
may_speak(const struct config *config, struct span uid)
{
	uint32_t number = 0;

	if (!config->writers_given || !uid.len)
		return true;
	for (size_t i = 0; i < uid.len; i++)
		number = number * 10 + (uint32_t)(uid.text[i] - '0');
	for (size_t i = 0; i < config->writer_count; i++)
		if (config->writers[i] == number)
			return true;
	return false;
}

/* A user is in. Written down now and then only: what the judge wants to know
 * after a restart is that it was, not how often. */
static void
take_login(struct engine *engine, const struct message *message,
	const struct match *match)
{
	struct record record = {.type = RECORD_LOGIN,
		.time_us = message->time_us,
		.net = client_of(engine, &match->addr),
		.addr = match->addr,
		.user = match->user,
		.host = message->host,
		.tag = message->tag};

	uint32_t forgiven = judge_login(
		engine->judge, &match->addr, &match->user, message->time_us);

	/* What it forgave is to be forgiven after a restart, too. */
	if (!correlate_login(engine->correlate, message, match) && !forgiven)
		return;
	record.seq = ++engine->seq;
	journal_add(engine->journal, &record);
}

void
engine_message(
	struct engine *engine, const char *line, size_t len, int64_t now_us)
{
	struct message_peek peek;
	struct message message;
	struct match match;
	int64_t sent_us;

	engine->count.lines++;
	/* Most messages are of no interest to any rule, which can be told
	 * before they are parsed. */
	if (message_peek(line, len, &peek) &&
		!rules_may_match(engine->rules, peek.program, peek.msg)) {
		engine->last_message_us = now_us;
		engine->count.matched[CLASS_NONE]++;
		return;
	}
	if (message_parse_json(engine->reader, line, len, now_us, &message) <
		0) {
		engine->count.bad++;
		return;
	}
	if (message.own)
		return;
	/* rsyslog's clock is ours: what it received later than now it received
	 * before the clock was set back. Taken at its word it would hold up
	 * time for all others, and its ban would last as much longer. */
	sent_us = message.time_us;
	if (message.time_us > now_us)
		message.time_us = now_us;
	engine->last_message_us = now_us;
	if (!may_speak(engine->config, message.uid)) {
		engine->count.untrusted++;
		return;
	}
	engine_note_sender(engine, &message, now_us);
	(void)rules_match(engine->rules, &message, &match);
	correlate_session(engine->correlate, &message, &match);
	engine->count.matched[match.class]++;
	if (match.class == CLASS_LOGIN && match.has_addr)
		take_login(engine, &message, &match);
	if (match.rule && match.rule->accepts && match.has_addr)
		judge_accepted(engine->judge, &match.addr, message.time_us);
	if (match.class >= CLASS_OFFENCES)
		return;
	if (!match.has_addr) {
		engine->count.no_address++;
		return;
	}
	charge(engine, &message, &match, sent_us);
}

int
engine_flush(struct engine *engine)
{
	return journal_flush(engine->journal);
}

int
engine_commit(struct engine *engine)
{
	int rc = journal_sync(engine->journal);

	engine->count.commits++;
	if (rc < 0)
		engine->count.commit_errors++;
	if (engine->kernel && kernel_state(engine->kernel) == KERNEL_UP &&
		kernel_pending(engine->kernel))
		(void)kernel_settle(engine->kernel, COMMIT_KERNEL_MS);
	return rc;
}

struct network
engine_client(const struct engine *engine, const struct network *net)
{
	return net->prefix == addr_bits(&net->addr)
		       ? client_of(engine, &net->addr)
		       : *net;
}

int
engine_may_ban(
	struct engine *engine, const struct network *net, const char **why)
{
	const struct wire_options *options = &engine->config->options;
	const struct exempt *exempt;
	uint8_t widest = net->addr.family == ADDR_V4 ? options->prefix4_min
						     : options->prefix6_min;

	if (net->prefix < widest) {
		(void)snprintf(engine->why, sizeof(engine->why),
			"the prefix /%u is too wide: %s of mailban.conf allows "
			"/%u to /%u",
			net->prefix,
			net->addr.family == ADDR_V4 ? "widest_ipv4"
						    : "widest_ipv6",
			widest, addr_bits(&net->addr));
		*why = engine->why;
		return -ERANGE;
	}
	exempt = exempts_find(engine->exempts, net);
	if (exempt) {
		*why = exempt_source_text(exempt->source);
		return -EPERM;
	}
	return 0;
}

int
engine_ban(struct engine *engine, const struct network *net, int64_t until_us,
	const char *by, const char **why)
{
	struct ban ban = {.net = engine_client(engine, net),
		.from_us = engine_now(),
		.until_us = until_us,
		.class = CLASS_NONE};
	int rc = engine_may_ban(engine, net, why);

	if (rc < 0)
		return rc;
	judge_ban(engine->judge, &ban);
	engine_record_ban(engine, &ban, ORIGIN_OPERATOR, NULL, by);
	log_ban(engine, &ban, NULL);
	if (engine->kernel)
		kernel_ban(engine->kernel, &ban);
	return 0;
}

static void
record_lift(struct engine *engine, const struct network *net, const char *by)
{
	struct record record = {.type = RECORD_LIFT,
		.seq = ++engine->seq,
		.time_us = engine_now(),
		.net = *net,
		.by = engine_span(by)};

	journal_add(engine->journal, &record);
	if (engine->kernel)
		kernel_lift(engine->kernel, net);
}

int
engine_unban(struct engine *engine, const struct network *net, const char *by)
{
	struct network client = *net;
	char text[NETWORK_STRLEN];

	/* Who names an address means the client that it belongs to. */
	if (!judge_unban(engine->judge, &client)) {
		client = engine_client(engine, net);
		if (!judge_unban(engine->judge, &client))
			return -ENOENT;
	}
	record_lift(engine, &client, by);
	log_info(
		"unban client=%s by=\"%s\"", network_format(&client, text), by);
	return 0;
}

/* A line of log for each would take longer than all the rest. */
size_t
engine_unban_all(struct engine *engine, const char *by)
{
	const struct ban *ban;
	size_t count = 0, cursor = 0;

	while ((ban = judge_next_ban(engine->judge, &cursor))) {
		struct network net = ban->net;

		if (!judge_unban(engine->judge, &net))
			continue;
		record_lift(engine, &net, by);
		count++;
	}
	if (count)
		log_info("unban all=%zu by=\"%s\"", count, by);
	return count;
}
