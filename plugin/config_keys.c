/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The keys of mailban.conf: one table, and from it what is known, what a value
 * may be, and where it goes. A new key is a line here, one in mailban.conf(5)
 * and one in etc/mailban.conf: test_config compares them.
 */
#include "plugin/config.h"

#include <assert.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "common/xalloc.h"
#include "plugin/setting.h"

enum shape {
	NUMBER,	       /* uint32_t, from min to max */
	NUMBER_OR_OFF, /* the same, or 0 */
	SMALL,	       /* uint8_t */
	FACTOR,	       /* uint32_t, in hundredths */
	SPAN,	       /* int64_t, in microseconds */
	SPAN_OR_EVER,  /* the same, or INT64_MAX */
	SWITCH,	       /* bool */
	PATH,	       /* char *, allocated */
	OTHER,	       /* see set_other */
};

struct key {
	const char *section, *name;
	enum shape shape;
	size_t offset; /* in struct config; of a class: in its policy */
	uint32_t min, max;
};

#define IN(field) offsetof(struct config, field)
#define OF_CLASS(field) offsetof(struct policy, field)
#define CLASS "class"
#define MAILBAN "mailban"
#define BAN "ban"
#define TRUST "trust"
#define USERS "users"
#define NETWORKS "networks"
#define LEDGER "ledger"

static const struct key keys[] = {
	{MAILBAN, "mode", OTHER, 0, 0, 0},
	{MAILBAN, "policy", OTHER, 0, 0, 0},
	{MAILBAN, "ignoreip", OTHER, 0, 0, 0},
	{MAILBAN, "ignoreip_file", PATH, IN(ignoreip_file), 0, 0},
	{MAILBAN, "protect_sessions", SWITCH, IN(protect_sessions), 0, 0},
	{MAILBAN, "protect_senders", SWITCH, IN(protect_senders), 0, 0},
	{MAILBAN, "writers", OTHER, 0, 0, 0},
	{MAILBAN, "ipv4_prefix", SMALL, IN(judge.prefix4), 16, 32},
	{MAILBAN, "ipv6_prefix", SMALL, IN(judge.prefix6), 48, 128},
	{MAILBAN, "memory_mib", OTHER, 0, 0, 0},
	{MAILBAN, "group", OTHER, 0, 0, 0},
	{MAILBAN, "read_group", OTHER, 0, 0, 0},
	{MAILBAN, "rules", OTHER, 0, 0, 0},
	{MAILBAN, "state", PATH, IN(state), 0, 0},
	{MAILBAN, "control", PATH, IN(control), 0, 0},
	{MAILBAN, "helper", PATH, IN(helper), 0, 0},

	{BAN, "ports", OTHER, 0, 0, 0},
	{BAN, "increment", SWITCH, IN(judge.growth.on), 0, 0},
	{BAN, "increment_factor", FACTOR, IN(judge.growth.factor_percent), 1,
		100},
	{BAN, "increment_max", SPAN_OR_EVER, IN(judge.growth.max_us), 0, 0},
	{BAN, "increment_memory", SPAN, IN(judge.growth.memory_us), 0, 0},
	{BAN, "permanent_after", NUMBER_OR_OFF,
		IN(judge.growth.permanent_after), 1, 100},
	{BAN, "log", SWITCH, IN(options.log), 0, 0},
	{BAN, "log_prefix", OTHER, 0, 0, 0},
	{BAN, "log_per_minute", NUMBER, IN(options.log_per_minute), 1, 60000},
	{BAN, "log_burst", NUMBER, IN(options.log_burst), 1, 60000},
	{BAN, "widest_ipv4", SMALL, IN(options.prefix4_min), WIRE_PREFIX4_MIN,
		32},
	{BAN, "widest_ipv6", SMALL, IN(options.prefix6_min), WIRE_PREFIX6_MIN,
		128},

	{CLASS, "maxretry", NUMBER, OF_CLASS(maxretry), 0, 10000},
	{CLASS, "findtime", SPAN, OF_CLASS(findtime_us), 0, 0},
	{CLASS, "bantime", SPAN_OR_EVER, OF_CLASS(bantime_us), 0, 0},
	{CLASS, "mode", OTHER, OF_CLASS(observe), 0, 0},
	{"auth-failure", "unknown_user_weight", FACTOR,
		IN(judge.unknown_user_percent), 1, 100},

	{TRUST, "trust", SWITCH, IN(judge.trust.on), 0, 0},
	{TRUST, "trust_time", SPAN, IN(judge.trust.time_us), 0, 0},
	{TRUST, "trust_factor", NUMBER, IN(judge.trust.factor), 1, 100},
	{TRUST, "forgive", SWITCH, IN(judge.trust.forgive), 0, 0},
	{TRUST, "stale_password", SWITCH, IN(judge.trust.stale_password), 0, 0},
	{TRUST, "accepted", SWITCH, IN(judge.trust.accepted), 0, 0},

	{USERS, "clients", NUMBER_OR_OFF, IN(judge.users.clients), 2, 1000},
	{USERS, "findtime", SPAN, IN(judge.users.findtime_us), 0, 0},
	{USERS, "maxretry", NUMBER_OR_OFF, IN(judge.users.maxretry), 1, 10000},

	{NETWORKS, "clients", NUMBER_OR_OFF, IN(judge.networks.clients), 2,
		1000},
	{NETWORKS, "offenders", NUMBER_OR_OFF, IN(judge.networks.offenders), 2,
		1000},
	{NETWORKS, "findtime", SPAN, IN(judge.networks.findtime_us), 0, 0},
	{NETWORKS, "bantime", SPAN_OR_EVER, IN(judge.networks.bantime_us), 0,
		0},
	{NETWORKS, "ipv4_prefix", SMALL, IN(judge.networks.prefix4),
		WIRE_PREFIX4_MIN, 31},
	{NETWORKS, "ipv6_prefix", SMALL, IN(judge.networks.prefix6),
		WIRE_PREFIX6_MIN, 127},

	{LEDGER, "keep", SPAN, IN(ledger_age_us), 0, 0},
	{LEDGER, "size_mib", OTHER, 0, 0, 0},
};

enum { KEYS = sizeof(keys) / sizeof(keys[0]) };

bool
config_next_key(size_t *cursor, const char **section, const char **key)
{
	if (*cursor >= KEYS)
		return false;
	*section = keys[*cursor].section;
	*key = keys[*cursor].name;
	(*cursor)++;
	return true;
}

/* --- values of a shape of their own --- */

/* Not every host has every user that such a list names: one that is not there
 * writes nothing. */
static char *
add_writer(const char *word, size_t len, void *arg)
{
	struct config *config = arg;
	char *name = xstrndup(word, len), *end;
	unsigned long uid = strtoul(name, &end, 10);
	const struct passwd *entry = NULL;
	bool number = *end == '\0' && *name >= '0' && *name <= '9';

	if (!number)
		entry = getpwnam(name);
	free(name);
	if (number && uid > UINT32_MAX - 1)
		return xasprintf("'%.*s' is no user id", (int)len, word);
	if (!number && !entry)
		return NULL;
	config->writers = xreallocarray(config->writers,
		config->writer_count + 1, sizeof(*config->writers));
	config->writers[config->writer_count++] =
		number ? (uint32_t)uid : entry->pw_uid;
	return NULL;
}

static char *
add_ignoreip(const char *word, size_t len, void *arg)
{
	struct config *config = arg;
	struct network net;
	const char *why;

	if (network_parse(word, len, &net, &why) < 0)
		return xasprintf("'%.*s': %s", (int)len, word, why);
	netset_add(&config->judge.exempt, &net);
	return NULL;
}

static char *
add_port(const char *word, size_t len, void *arg)
{
	static const struct {
		const char *name;
		uint16_t port;
	} known[] = {{"smtp", 25}, {"pop3", 110}, {"imap", 143}, {"imap2", 143},
		{"submissions", 465}, {"smtps", 465}, {"submission", 587},
		{"imaps", 993}, {"pop3s", 995}, {"sieve", 4190}};
	struct wire_options *options = arg;
	char *text = xstrndup(word, len);
	uint32_t port = 0;
	char *wrong = NULL;

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (!strcmp(text, known[i].name))
			port = known[i].port;
	if (!port)
		wrong = setting_number(text, 1, 65535, &port);
	free(text);
	if (wrong)
		return wrong;
	if (options->port_count == WIRE_PORTS_MAX)
		return xasprintf("more than %d ports", WIRE_PORTS_MAX);
	options->ports[options->port_count++] = (uint16_t)port;
	return NULL;
}

static char *
set_ports(struct wire_options *options, const char *value)
{
	char *wrong;

	options->port_count = 0;
	if (!strcmp(value, "all"))
		return NULL;
	wrong = setting_words(value, add_port, options);
	if (!wrong && !options->port_count)
		wrong = xstrdup("no port: write all, or a list as in "
				"smtp, submission, imap, 993");
	return wrong;
}

static char *
set_log_prefix(struct wire_options *options, const char *value)
{
	size_t len = strlen(value);

	/* Quotes keep a blank at the end. */
	if (len >= 2 && value[0] == '"' && value[len - 1] == '"') {
		value++;
		len -= 2;
	}
	if (len > WIRE_LOG_PREFIX_MAX)
		return xasprintf(
			"longer than %d characters", WIRE_LOG_PREFIX_MAX);
	for (size_t i = 0; i < len; i++)
		if (value[i] < ' ' || value[i] > '~')
			return xstrdup("only printable ASCII is allowed");
	(void)memset(options->log_prefix, 0, sizeof(options->log_prefix));
	(void)memcpy(options->log_prefix, value, len);
	return NULL;
}

static char *
set_rules(struct config_loading *loading, const char *value)
{
	struct config *config = loading->config;

	if (!loading->rules_seen) {
		for (size_t i = 0; i < config->rules_count; i++)
			free(config->rules[i]);
		config->rules_count = 0;
		loading->rules_seen = true;
	}
	if (config->rules_count == CONFIG_RULES_MAX)
		return xasprintf("more than %d folders", CONFIG_RULES_MAX);
	config->rules[config->rules_count] = NULL;
	return setting_path(value, &config->rules[config->rules_count++]);
}

static char *
set_policy(struct config *config, const char *value)
{
	bool daily = false;
	char *wrong = setting_choice(value, "balanced", "daily-script", &daily);

	config->policy = daily ? RULES_DAILY_SCRIPT : RULES_BALANCED;
	return wrong;
}

static char *
set_memory(struct config *config, const char *value)
{
	uint32_t mib = 0;
	char *wrong = setting_number(value, 16, 1024 * 1024, &mib);

	if (!wrong)
		config->judge.memory_max = (size_t)mib << 20;
	return wrong;
}

static char *
set_size(struct config *config, const char *value)
{
	uint32_t mib = 0;
	char *wrong = setting_number(value, 8, 1024 * 1024, &mib);

	if (!wrong)
		config->ledger_size_bytes = (int64_t)mib << 20;
	return wrong;
}

static char *
set_group(char **group, const char *value)
{
	if (!*value)
		return xstrdup("no group: leave the line out where only root "
			       "is to use mailban");
	free(*group);
	*group = xstrdup(value);
	return NULL;
}

static char *
set_other(struct config_loading *loading, const struct key *key,
	const char *value, void *at)
{
	struct config *config = loading->config;
	bool *observe = !strcmp(key->section, CLASS) ? at : &config->observe;

	if (!strcmp(key->name, "mode"))
		return setting_choice(value, "enforce", "observe", observe);
	if (!strcmp(key->name, "policy"))
		return set_policy(config, value);
	if (!strcmp(key->name, "ignoreip"))
		return setting_words(value, add_ignoreip, config);
	if (!strcmp(key->name, "writers")) {
		config->writers_given = true;
		return setting_words(value, add_writer, config);
	}
	if (!strcmp(key->name, "memory_mib"))
		return set_memory(config, value);
	if (!strcmp(key->name, "group"))
		return set_group(&config->group, value);
	if (!strcmp(key->name, "read_group"))
		return set_group(&config->read_group, value);
	if (!strcmp(key->name, "rules"))
		return set_rules(loading, value);
	if (!strcmp(key->name, "ports"))
		return set_ports(&config->options, value);
	if (!strcmp(key->name, "log_prefix"))
		return set_log_prefix(&config->options, value);
	assert(!strcmp(key->name, "size_mib"));
	return set_size(config, value);
}

/* --- finding the key --- */

static bool
is_in(const struct key *key, const char *section)
{
	if (!strcmp(key->section, CLASS))
		return class_by_name(section) < CLASS_OFFENCES;
	return !strcmp(key->section, section);
}

static char *
unknown_section(const char *section)
{
	return xasprintf("unknown section [%s]; known are mailban, ban, "
			 "auth-failure, unknown-client, rejected, "
			 "protocol-abuse, spam, trust, users, networks, ledger",
		section);
}

static char *
unknown_key(const char *section, const char *name)
{
	char *known = NULL, *wrong;

	for (size_t i = 0; i < KEYS; i++) {
		char *more;

		if (!is_in(&keys[i], section))
			continue;
		more = xasprintf("%s%s%s", known ? known : "",
			known ? ", " : "", keys[i].name);
		free(known);
		known = more;
	}
	if (!known)
		return unknown_section(section);
	wrong = xasprintf(
		"unknown key '%s' in [%s]; known are %s", name, section, known);
	free(known);
	return wrong;
}

static char *
set_at(struct config_loading *loading, const struct key *key, const char *value,
	void *at)
{
	switch (key->shape) {
	case NUMBER:
		return setting_number(value, key->min, key->max, at);
	case NUMBER_OR_OFF:
		return setting_number_or_off(value, key->min, key->max, at);
	case SMALL:
		return setting_small(value, key->min, key->max, at);
	case FACTOR:
		return setting_factor(value, key->min, key->max, at);
	case SPAN:
		return setting_span(value, false, at);
	case SPAN_OR_EVER:
		return setting_span(value, true, at);
	case SWITCH:
		return setting_bool(value, at);
	case PATH:
		return setting_path(value, at);
	case OTHER:
		break;
	}
	return set_other(loading, key, value, at);
}

char *
config_set(struct config_loading *loading, const char *section,
	const char *name, const char *value)
{
	enum class class = class_by_name(section);
	char *base = (char *)loading->config;

	for (size_t i = 0; i < KEYS; i++) {
		const struct key *key = &keys[i];

		if (!is_in(key, section) || strcmp(key->name, name) != 0)
			continue;
		if (!strcmp(key->section, CLASS))
			base = (char *)&loading->config->judge.policy[class];
		return set_at(loading, key, value, base + key->offset);
	}
	return unknown_key(section, name);
}
