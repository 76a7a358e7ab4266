/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A table of keys, one setter each. A setter returns NULL or a text that says
 * what is wrong and what would be right; inifile puts file and line before it.
 * The reasons for the default figures stand in etc/mailban.conf.
 */
#include "plugin/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/duration.h"
#include "common/xalloc.h"
#include "plugin/inifile.h"

#define US INT64_C(1000000)

struct loading {
	struct config *config;
	bool rules_seen; /* the first one replaces the default folders */
};

static void
default_policies(struct policy *policy)
{
	static const struct {
		uint32_t maxretry;
		int64_t bantime_s;
	} figure[CLASS_OFFENCES] = {
		[CLASS_AUTH_FAILURE] = {10, 4 * 3600},
		[CLASS_UNKNOWN_CLIENT] = {30, 3600},
		[CLASS_REJECTED] = {30, 3600},
		[CLASS_PROTOCOL_ABUSE] = {20, 4 * 3600},
		[CLASS_SPAM] = {20, 3600},
	};

	for (int i = 0; i < CLASS_OFFENCES; i++) {
		policy[i].maxretry = figure[i].maxretry;
		policy[i].findtime_us = 86400 * US;
		policy[i].bantime_us = figure[i].bantime_s * US;
	}
}

struct config *
config_new(void)
{
	struct config *config = xcalloc(1, sizeof(*config));

	default_policies(config->judge.policy);
	config->judge.prefix4 = 32;
	config->judge.prefix6 = 64;
	config->options.log_per_minute = 60;
	config->options.log_burst = 20;
	(void)memcpy(config->options.log_prefix, "mailban: ", 10);
	config->options.prefix6 = 64;
	config->options.prefix4_min = 16;
	config->options.prefix6_min = 32;
	config->ledger_age_us = INT64_C(90) * 86400 * US;
	config->ledger_size_bytes = INT64_C(1) << 30;
	config->state = xstrdup(MAILBAN_STATE);
	config->control = xstrdup(MAILBAN_CONTROL);
	config->helper = xstrdup(MAILBAN_HELPER);
	config->rules[0] = xstrdup(MAILBAN_RULES);
	config->rules[1] = xstrdup(MAILBAN_LOCAL_RULES);
	config->rules_count = 2;
	return config;
}

void
config_free(struct config *config)
{
	if (!config)
		return;
	for (size_t i = 0; i < config->rules_count; i++)
		free(config->rules[i]);
	free(config->state);
	free(config->control);
	free(config->helper);
	free(config->group);
	netset_free(&config->judge.exempt);
	free(config);
}

static char *
set_number(const char *value, uint32_t min, uint32_t max, uint32_t *out)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(value, &end, 10);
	if (*value < '0' || *value > '9' || *end || errno || n < min || n > max)
		return xasprintf("'%s' is not a whole number from %u to %u",
			value, min, max);
	*out = (uint32_t)n;
	return NULL;
}

static char *
set_small(const char *value, uint32_t min, uint32_t max, uint8_t *out)
{
	uint32_t n = 0;
	char *wrong = set_number(value, min, max, &n);

	if (!wrong)
		*out = (uint8_t)n;
	return wrong;
}

static char *
set_span(const char *value, bool permanent, int64_t *out_us)
{
	int64_t seconds;

	if (duration_parse(value, &seconds) < 0 || seconds == 0 ||
		(seconds == DURATION_PERMANENT && !permanent))
		return xasprintf("'%s' is not a time such as 10m, 12h, 7d%s",
			value,
			permanent ? ", or permanent; the longest is 3650d"
				  : "; the longest is 3650d");
	*out_us = seconds == DURATION_PERMANENT ? BAN_PERMANENT : seconds * US;
	return NULL;
}

static char *
set_bool(const char *value, bool *out)
{
	if (!strcmp(value, "on") || !strcmp(value, "yes"))
		*out = true;
	else if (!strcmp(value, "off") || !strcmp(value, "no"))
		*out = false;
	else
		return xasprintf("'%s' is neither on nor off", value);
	return NULL;
}

static char *
set_path(const char *value, char **out)
{
	if (value[0] != '/')
		return xasprintf("'%s' is not a full path", value);
	free(*out);
	*out = xstrdup(value);
	return NULL;
}

/* Calls each for every word; blanks and commas part words. */
static char *
each_word(const char *value, char *(*each)(const char *, size_t, void *),
	void *arg)
{
	const char *at = value;

	for (;;) {
		size_t len;
		char *wrong;

		at += strspn(at, ", \t");
		if (!*at)
			return NULL;
		len = strcspn(at, ", \t");
		wrong = each(at, len, arg);
		if (wrong)
			return wrong;
		at += len;
	}
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
		wrong = set_number(text, 1, 65535, &port);
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
	wrong = each_word(value, add_port, options);
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
set_ban(struct config *config, const char *key, const char *value)
{
	struct wire_options *options = &config->options;

	if (!strcmp(key, "ports"))
		return set_ports(options, value);
	if (!strcmp(key, "log"))
		return set_bool(value, &options->log);
	if (!strcmp(key, "log_prefix"))
		return set_log_prefix(options, value);
	if (!strcmp(key, "log_per_minute"))
		return set_number(value, 1, 60000, &options->log_per_minute);
	if (!strcmp(key, "log_burst"))
		return set_number(value, 1, 60000, &options->log_burst);
	if (!strcmp(key, "widest_ipv4"))
		return set_small(
			value, WIRE_PREFIX4_MIN, 32, &options->prefix4_min);
	if (!strcmp(key, "widest_ipv6"))
		return set_small(
			value, WIRE_PREFIX6_MIN, 128, &options->prefix6_min);
	return xasprintf("unknown key '%s' in [ban]; known are ports, log, "
			 "log_prefix, log_per_minute, log_burst, widest_ipv4, "
			 "widest_ipv6",
		key);
}

static char *
set_choice(const char *value, const char *zero, const char *one, bool *out)
{
	if (strcmp(value, zero) && strcmp(value, one))
		return xasprintf("'%s' is neither %s nor %s", value, zero, one);
	*out = !strcmp(value, one);
	return NULL;
}

static char *
set_rules(struct loading *loading, const char *value)
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
	return set_path(value, &config->rules[config->rules_count++]);
}

static char *
set_group(struct config *config, const char *value)
{
	free(config->group);
	config->group = xstrdup(value);
	return NULL;
}

static char *
set_mailban(struct loading *loading, const char *key, const char *value)
{
	struct config *config = loading->config;
	bool daily = false;
	char *wrong;

	if (!strcmp(key, "mode"))
		return set_choice(
			value, "enforce", "observe", &config->observe);
	if (!strcmp(key, "policy")) {
		wrong = set_choice(value, "balanced", "daily-script", &daily);
		config->policy = daily ? RULES_DAILY_SCRIPT : RULES_BALANCED;
		return wrong;
	}
	if (!strcmp(key, "ignoreip"))
		return each_word(value, add_ignoreip, config);
	if (!strcmp(key, "ipv4_prefix"))
		return set_small(value, 16, 32, &config->judge.prefix4);
	if (!strcmp(key, "ipv6_prefix"))
		return set_small(value, 48, 128, &config->judge.prefix6);
	if (!strcmp(key, "state"))
		return set_path(value, &config->state);
	if (!strcmp(key, "control"))
		return set_path(value, &config->control);
	if (!strcmp(key, "helper"))
		return set_path(value, &config->helper);
	if (!strcmp(key, "rules"))
		return set_rules(loading, value);
	if (!strcmp(key, "group"))
		return set_group(config, value);
	return xasprintf("unknown key '%s' in [mailban]; known are mode, "
			 "policy, ignoreip, ipv4_prefix, ipv6_prefix, state, "
			 "control, helper, rules, group",
		key);
}

static char *
set_ledger(struct config *config, const char *key, const char *value)
{
	uint32_t mib = 0;
	char *wrong;

	if (!strcmp(key, "keep"))
		return set_span(value, false, &config->ledger_age_us);
	if (strcmp(key, "size_mib"))
		return xasprintf("unknown key '%s' in [ledger]; known are "
				 "keep, size_mib",
			key);
	wrong = set_number(value, 8, 1024 * 1024, &mib);
	if (!wrong)
		config->ledger_size_bytes = (int64_t)mib << 20;
	return wrong;
}

static char *
set_class(struct policy *policy, const char *key, const char *value)
{
	if (!strcmp(key, "maxretry"))
		return set_number(value, 0, 10000, &policy->maxretry);
	if (!strcmp(key, "findtime"))
		return set_span(value, false, &policy->findtime_us);
	if (!strcmp(key, "bantime"))
		return set_span(value, true, &policy->bantime_us);
	return xasprintf("unknown key '%s'; known are maxretry, findtime, "
			 "bantime",
		key);
}

static char *
set_key(const char *section, const char *key, const char *value, unsigned line,
	void *arg)
{
	struct loading *loading = arg;
	struct config *config = loading->config;
	enum class class = class_by_name(section);

	(void)line; /* inifile names it */
	if (!strcmp(section, "mailban"))
		return set_mailban(loading, key, value);
	if (!strcmp(section, "ban"))
		return set_ban(config, key, value);
	if (!strcmp(section, "ledger"))
		return set_ledger(config, key, value);
	if (class < CLASS_OFFENCES)
		return set_class(&config->judge.policy[class], key, value);
	return xasprintf("unknown section [%s]; known are mailban, ban, "
			 "ledger, auth-failure, unknown-client, rejected, "
			 "protocol-abuse, spam",
		section);
}

void
config_set_policy(struct config *config, enum rules_policy policy)
{
	config->policy = policy;
	if (policy != RULES_DAILY_SCRIPT)
		return;
	for (int i = 0; i < CLASS_OFFENCES; i++)
		config->judge.policy[i] = (struct policy){.maxretry = 2,
			.findtime_us = 86400 * US,
			.bantime_us = BAN_PERMANENT};
	config->options.port_count = 0;
}

/* What only the whole file can tell. */
static char *
check_whole(const struct config *config)
{
	if (config->judge.prefix4 < config->options.prefix4_min)
		return xstrdup("ipv4_prefix is wider than widest_ipv4 of "
			       "[ban] allows");
	if (config->judge.prefix6 < config->options.prefix6_min)
		return xstrdup("ipv6_prefix is wider than widest_ipv6 of "
			       "[ban] allows");
	return NULL;
}

struct config *
config_load(const char *path, char **error)
{
	struct loading loading = {.config = config_new()};
	struct config *config = loading.config;
	char *wrong;

	if (inifile_read(path, true, set_key, &loading, error) < 0) {
		config_free(config);
		return NULL;
	}
	wrong = check_whole(config);
	if (wrong) {
		*error = xasprintf("%s: %s", path, wrong);
		free(wrong);
		config_free(config);
		return NULL;
	}
	config->options.prefix6 = config->judge.prefix6;
	config_set_policy(config, config->policy);
	return config;
}
