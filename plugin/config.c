/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The defaults, the file over them, and what only the whole can tell. The keys
 * are in config_keys.c. The reasons for the default figures stand in
 * etc/mailban.conf and mailban.conf(5).
 */
#include "plugin/config.h"

#include <stdlib.h>
#include <string.h>

#include "common/xalloc.h"
#include "plugin/inifile.h"

#define S INT64_C(1000000)
#define HOUR (3600 * S)
#define DAY (24 * HOUR)

static const struct policy default_policy[CLASS_OFFENCES] = {
	[CLASS_AUTH_FAILURE] = {.maxretry = 10, .bantime_us = 4 * HOUR},
	[CLASS_UNKNOWN_CLIENT] = {.maxretry = 100, .bantime_us = HOUR},
	[CLASS_REJECTED] = {.maxretry = 30, .bantime_us = HOUR},
	[CLASS_PROTOCOL_ABUSE] = {.maxretry = 20, .bantime_us = 4 * HOUR},
	[CLASS_SPAM] = {.maxretry = 20, .bantime_us = HOUR},
};

static void
default_judgement(struct judge_settings *judge)
{
	memcpy(judge->policy, default_policy, sizeof(default_policy));
	for (int i = 0; i < CLASS_OFFENCES; i++)
		judge->policy[i].findtime_us = DAY;
	judge->prefix4 = 32;
	judge->prefix6 = 64;
	judge->memory_max = (size_t)1024 << 20;
	judge->unknown_user_percent = 200;
	judge->growth = (struct growth){.on = true,
		.factor_percent = 200,
		.memory_us = 14 * DAY,
		.max_us = 28 * DAY};
	judge->trust = (struct trust_settings){.on = true,
		.time_us = 30 * DAY,
		.factor = 3,
		.forgive = true,
		.stale_password = true,
		.accepted = true};
	judge->users =
		(struct users_settings){.clients = 10, .findtime_us = DAY};
	judge->networks = (struct networks_settings){.prefix4 = 24,
		.prefix6 = 48,
		.findtime_us = DAY,
		.bantime_us = 4 * HOUR};
}

static void
default_options(struct wire_options *options)
{
	options->log_per_minute = 60;
	options->log_burst = 20;
	(void)memcpy(options->log_prefix, "mailban: ", 10);
	options->prefix6 = 64;
	options->prefix4_min = 16;
	options->prefix6_min = 32;
}

struct config *
config_new(void)
{
	struct config *config = xcalloc(1, sizeof(*config));

	default_judgement(&config->judge);
	default_options(&config->options);
	config->protect_sessions = true;
	config->protect_senders = true;
	config->ledger_age_us = 90 * DAY;
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
	free(config->read_group);
	free(config->writers);
	free(config->ignoreip_file);
	netset_free(&config->judge.exempt);
	free(config);
}

void
config_set_policy(struct config *config, enum rules_policy policy)
{
	struct judge_settings *judge = &config->judge;

	config->policy = policy;
	if (policy != RULES_DAILY_SCRIPT)
		return;
	for (int i = 0; i < CLASS_OFFENCES; i++)
		judge->policy[i] = (struct policy){.maxretry = 2,
			.findtime_us = DAY,
			.bantime_us = BAN_PERMANENT};
	judge->no_weights = true;
	judge->growth = (struct growth){.on = false};
	judge->trust = (struct trust_settings){.on = false};
	judge->users = (struct users_settings){.clients = 0};
	judge->networks = (struct networks_settings){.clients = 0};
	config->options.port_count = 0;
}

/* What only the whole file can tell. */
static char *
check_whole(const struct config *config)
{
	const struct judge_settings *judge = &config->judge;
	const struct wire_options *options = &config->options;
	const struct networks_settings *networks = &judge->networks;

	if (judge->prefix4 < options->prefix4_min)
		return xstrdup("ipv4_prefix of [mailban] is wider than "
			       "widest_ipv4 of [ban] allows");
	if (judge->prefix6 < options->prefix6_min)
		return xstrdup("ipv6_prefix of [mailban] is wider than "
			       "widest_ipv6 of [ban] allows");
	if (!networks->clients && !networks->offenders)
		return NULL;
	if (networks->prefix4 < options->prefix4_min)
		return xstrdup("ipv4_prefix of [networks] is wider than "
			       "widest_ipv4 of [ban] allows");
	if (networks->prefix6 < options->prefix6_min)
		return xstrdup("ipv6_prefix of [networks] is wider than "
			       "widest_ipv6 of [ban] allows");
	if (networks->prefix4 >= judge->prefix4 ||
		networks->prefix6 >= judge->prefix6)
		return xstrdup("a network of [networks] must be wider than a "
			       "client: its ipv4_prefix and ipv6_prefix must "
			       "be smaller than those of [mailban]");
	return NULL;
}

static char *
set_key(const char *section, const char *key, const char *value, unsigned line,
	void *arg)
{
	(void)line; /* inifile names it */
	return config_set(arg, section, key, value);
}

struct config *
config_load(const char *path, char **error)
{
	struct config_loading loading = {.config = config_new()};
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
