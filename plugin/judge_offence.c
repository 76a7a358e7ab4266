/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What one offence comes to: whether it is excused, what it weighs, in which
 * windows it counts and whether one of them is full.
 *
 * Two sorts of failed logins are counted apart. Failures of a user who has
 * logged in from that client lately are that user's own, with a maxretry some
 * times higher: so fifty users of an office with old passwords don't add up.
 * All others of the client are counted together: whoever guesses from there is
 * as soon banned as anywhere.
 */
#include "plugin/judge.h"

#include "plugin/judge_parts.h"

#include <assert.h>

struct charge {
	const struct offence *offence;
	struct tally_id id;
	struct user_name user; /* tag 0: none, or no failed login */
	uint64_t password;     /* its tag, or 0 */
	bool known_client;     /* a good login came from there */
	bool known_user;       /* this user's */
	bool own;	       /* counted apart, see above */
	bool attacked;	       /* the user is, and has a maxretry for that */
};

static bool
is_failed_login(const struct offence *offence)
{
	return offence->class == CLASS_AUTH_FAILURE;
}

static bool
logged_in(struct judge *judge, const struct charge *charge,
	const struct network *client, int64_t *login_us)
{
	struct tally_near near = {.time_us = charge->offence->time_us,
		.span_us = judge->settings.trust.time_us};

	return charge->user.tag && trust_knows_user(judge->trust, client,
					   &charge->user, &near, login_us);
}

static void
name_user(const struct judge *judge, const struct offence *offence,
	struct charge *charge)
{
	if (offence->unknown_user)
		who_nobody(judge->key, &offence->user, &charge->user);
	else
		who_user(judge->key, &offence->user, &charge->user);
	charge->password = who_password(judge->key, &offence->password);
}

/* The memory that will be needed is far away: it comes while names are
 * hashed. */
static void
name_all(struct judge *judge, const struct offence *offence,
	const struct network *client, struct charge *charge)
{
	*charge = (struct charge){
		.offence = offence, .id = {.kind = (uint8_t)offence->class}};
	who_of(client, charge->id.who);
	if (judge->settings.trust.on)
		trust_prefetch(judge->trust, charge->id.who);
	tallies_prefetch(judge->tallies, charge->id.who);
	if (judge->settings.networks.offenders) {
		struct network net = judge_network(judge, &client->addr);
		uint8_t who[WHO_LEN];

		who_of(&net, who);
		crowd_prefetch(judge->networks, who);
	}
	if (!is_failed_login(offence))
		return;
	name_user(judge, offence, charge);
	if (judge->settings.users.clients && charge->user.tag)
		crowd_prefetch(judge->users, charge->user.who);
}

/* What is known of him. Returns whether the user got in since then. */
static bool
identify(struct judge *judge, const struct offence *offence,
	const struct network *client, struct charge *charge)
{
	const struct trust_settings *trust = &judge->settings.trust;
	bool nobody = offence->unknown_user;
	int64_t login_us = INT64_MIN;
	bool got_in;

	name_all(judge, offence, client, charge);
	if (!trust->on)
		return false;
	charge->known_client = trust_knows(
		judge->trust, client, offence->time_us, trust->time_us);
	if (!charge->known_client)
		return false;
	got_in = logged_in(judge, charge, client, &login_us);
	charge->known_user = got_in && !nobody;
	charge->own = charge->known_user ||
		      (is_failed_login(offence) && !charge->user.tag);
	return got_in && trust->forgive && offence->time_us <= login_us;
}

/* The same user from the same client with the same password; where the server
 * does not tell the password, with that user's good login. */
static bool
is_stale(struct judge *judge, const struct charge *charge)
{
	const struct offence *offence = charge->offence;
	struct tally_near near = {
		.of = {TAG_USER | TAG_PASSWORD,
			charge->user.tag | charge->password},
		.time_us = offence->time_us,
		.span_us = judge->settings.policy[offence->class].findtime_us,
	};

	if (!charge->user.tag || (!charge->password && !charge->known_user))
		return false;
	return tallies_near(judge->tallies, &charge->id, &near, NULL) > 0;
}

static bool
is_welcome(struct judge *judge, const struct charge *charge,
	const struct network *client)
{
	const struct trust_settings *trust = &judge->settings.trust;
	const struct offence *offence = charge->offence;
	bool unknown = offence->class == CLASS_UNKNOWN_CLIENT;

	if (unknown && charge->known_client)
		return true;
	return (unknown || offence->class == CLASS_REJECTED) && trust->on &&
	       trust->accepted &&
	       trust_has_accepted(judge->trust, client, offence->time_us,
		       judge->settings.policy[offence->class].findtime_us);
}

static enum excuse
excuse_of(struct judge *judge, const struct offence *offence,
	const struct network *client, struct charge *charge)
{
	if (identify(judge, offence, client, charge))
		return EXCUSE_LOGGED_IN;
	if (is_welcome(judge, charge, client))
		return EXCUSE_KNOWN;
	if (judge->settings.trust.on && judge->settings.trust.stale_password &&
		is_stale(judge, charge))
		return EXCUSE_STALE;
	return EXCUSE_NONE;
}

/* --- counting --- */

static uint64_t
percent_of(const struct judge_settings *settings, const struct offence *offence)
{
	uint64_t percent = offence->weight_percent;

	if (settings->no_weights)
		return 100;
	if (is_failed_login(offence) && offence->unknown_user &&
		settings->unknown_user_percent)
		percent = percent * settings->unknown_user_percent / 100;
	return percent;
}

static struct moment
moment_of(const struct judge *judge, const struct charge *charge)
{
	const struct judge_settings *settings = &judge->settings;
	const struct offence *offence = charge->offence;
	uint64_t count = offence->count;
	uint64_t units;

	/* Repeated within one line, too. */
	if (count > 1 && settings->trust.on && settings->trust.stale_password &&
		charge->user.tag && (charge->password || charge->known_user))
		count = 1;
	units = count * percent_of(settings, offence);
	if (units > MOMENT_COUNT_MAX)
		units = MOMENT_COUNT_MAX;
	return (struct moment){.time_us = offence->time_us,
		.count = units & MOMENT_COUNT_MAX,
		.tag = (charge->user.tag | charge->password |
			       (charge->own ? TAG_KNOWN : 0)) &
		       MOMENT_TAG_MAX};
}

static uint32_t
hundredths(uint64_t maxretry)
{
	return (uint32_t)(maxretry < JUDGE_COUNT_MAX ? maxretry
						     : JUDGE_COUNT_MAX) *
	       100;
}

static void
ask(const struct judge_settings *settings, const struct charge *charge,
	struct tally_question *out)
{
	const struct policy *policy = &settings->policy[charge->offence->class];
	bool favoured =
		charge->own ||
		(charge->known_client && !is_failed_login(charge->offence));
	uint64_t factor =
		favoured && settings->trust.factor ? settings->trust.factor : 1;
	struct window all = {.findtime_us = policy->findtime_us,
		.maxretry = hundredths(policy->maxretry * factor),
		.of = {TAG_KNOWN, 0}};

	if (charge->known_user)
		all.of = (struct tagged){TAG_USER, charge->user.tag};
	else if (charge->own)
		all.of = (struct tagged){TAG_KNOWN | TAG_USER, TAG_KNOWN};
	*out = (struct tally_question){.windows = {all, all}, .count = 1};
	if (!charge->attacked)
		return;
	out->count = 2;
	out->windows[1].of = (struct tagged){TAG_USER, charge->user.tag};
	out->windows[1].maxretry = hundredths(settings->users.maxretry);
}

/* Enters it; whether a window is full, and the sum of that or of the first. */
static bool
count_it(struct judge *judge, const struct charge *charge,
	struct window_sum *out)
{
	const struct judge_settings *settings = &judge->settings;
	struct moment one = moment_of(judge, charge);
	struct window_sum sums[TALLY_WINDOWS];
	struct tally_question question;
	uint64_t percent = percent_of(settings, charge->offence);

	*out = (struct window_sum){0};
	if (settings->policy[charge->offence->class].maxretry == 0 ||
		one.count == 0)
		return false;
	ask(settings, charge, &question);
	question.times = question.windows[0].maxretry / percent + 1;
	tallies_add(judge->tallies, &charge->id, &one, &question, sums);
	*out = sums[0];
	if (question.count > 1 && sums[1].full &&
		(!sums[0].full || sums[1].newest_us < sums[0].newest_us))
		*out = sums[1];
	return out->full;
}

/* --- users under attack --- */

static bool
watches(const struct judge *judge, const struct charge *charge)
{
	return judge->settings.users.clients && charge->user.tag &&
	       !charge->known_client;
}

static struct crowd_entry
user_entry(const struct judge *judge, const struct charge *charge)
{
	return (struct crowd_entry){.kind = CROWD_USER,
		.who = charge->user.who,
		.client = who_tag(judge->key, charge->id.who),
		.time_us = charge->offence->time_us,
		.span_us = judge->settings.users.findtime_us};
}

static void
watch_user(struct judge *judge, struct charge *charge, struct judgement *out)
{
	const struct users_settings *users = &judge->settings.users;
	struct crowd_entry entry;
	size_t clients;

	if (!watches(judge, charge))
		return;
	entry = user_entry(judge, charge);
	charge->attacked = users->maxretry &&
			   crowd_size(judge->users, &entry) >= users->clients;
	clients = crowd_add(judge->users, &entry, users->clients);
	if (clients < users->clients || !crowd_is_news(judge->users, &entry))
		return;
	out->user_attacked = true;
	out->user_clients = (uint32_t)clients;
}

/* --- what the header offers --- */

static bool
is_offender(const struct judge *judge, const struct charge *charge)
{
	const struct policy *policy =
		&judge->settings.policy[charge->offence->class];

	return judge->settings.networks.offenders && policy->maxretry &&
	       !policy->observe && !charge->known_client;
}

void
judge_offence(struct judge *judge, const struct offence *offence,
	struct judgement *out)
{
	struct window_sum sum;
	struct charge charge;

	assert((int)offence->class < (int)CLASS_OFFENCES);
	*out = (struct judgement){
		.client = judge_client(judge, &offence->addr)};
	judge->folded_count = 0;
	judge_follow_time(judge, offence->time_us);
	if (judge_exempts(judge, &offence->addr)) {
		out->verdict = VERDICT_EXEMPT;
		return;
	}
	if (judge_is_banned(
		    judge, &offence->addr, offence->class, offence->time_us)) {
		out->verdict = VERDICT_BANNED;
		return;
	}
	out->excuse = excuse_of(judge, offence, &out->client, &charge);
	if (out->excuse != EXCUSE_NONE) {
		out->verdict = VERDICT_EXCUSED;
		return;
	}
	out->verdict = VERDICT_COUNTED;
	watch_user(judge, &charge, out);
	if (count_it(judge, &charge, &sum))
		judge_make_ban(judge, offence->class, &sum, out);
	out->count = sum.count / 100;
	if (is_offender(judge, &charge))
		judge_note_offender(judge, offence, out);
}

void
judge_recall(struct judge *judge, const struct offence *offence)
{
	struct network client = judge_client(judge, &offence->addr);
	struct judgement unused = {.client = client};
	struct window_sum sum;
	struct charge charge;

	assert((int)offence->class < (int)CLASS_OFFENCES);
	judge_follow_time(judge, offence->time_us);
	if (judge_exempts(judge, &offence->addr) ||
		excuse_of(judge, offence, &client, &charge) != EXCUSE_NONE)
		return;
	watch_user(judge, &charge, &unused);
	(void)count_it(judge, &charge, &sum);
}

static uint64_t
forgive(struct judge *judge, const struct network *client,
	const struct user_name *user, int64_t time_us)
{
	struct tally_id id = {.kind = CLASS_AUTH_FAILURE};
	struct tagged of = {TAG_USER, user->tag};

	who_of(client, id.who);
	return tallies_forgive(judge->tallies, &id, &of, time_us);
}

uint32_t
judge_login(struct judge *judge, const struct addr *addr,
	const struct span *user, int64_t time_us)
{
	const struct trust_settings *trust = &judge->settings.trust;
	struct network client = judge_client(judge, addr);
	struct network net = judge_network(judge, addr);
	struct user_name names[2];
	uint64_t units = 0;

	if (!trust->on)
		return 0;
	judge_follow_time(judge, time_us);
	who_user(judge->key, user, &names[0]);
	who_nobody(judge->key, user, &names[1]);
	if (!names[0].tag) {
		trust_login(judge->trust, &client, &net, NULL, time_us);
		return 0;
	}
	for (size_t i = 0; i < 2; i++) {
		trust_login(judge->trust, &client, &net, &names[i], time_us);
		if (trust->forgive)
			units += forgive(judge, &client, &names[i], time_us);
	}
	return (uint32_t)(units / 100);
}

void
judge_accepted(struct judge *judge, const struct addr *addr, int64_t time_us)
{
	struct network client = judge_client(judge, addr);

	if (!judge->settings.trust.on || !judge->settings.trust.accepted)
		return;
	judge_follow_time(judge, time_us);
	trust_accepted(judge->trust, &client, time_us);
}

bool
judge_knows(const struct judge *judge, const struct addr *addr, int64_t time_us)
{
	const struct trust_settings *trust = &judge->settings.trust;
	struct network client = judge_client(judge, addr);

	return trust->on &&
	       trust_knows(judge->trust, &client, time_us, trust->time_us);
}
