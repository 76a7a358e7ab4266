/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What `mailban test` and `mailban replay` need without a running ommailban,
 * without root and without a configuration file: configuration, rules, lines.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "command/command.h"
#include "common/xalloc.h"

static void
replace_rules(struct config *config, const struct arguments *arguments)
{
	for (size_t i = 0; i < config->rules_count; i++)
		free(config->rules[i]);
	config->rules_count = arguments->rules_count;
	for (size_t i = 0; i < arguments->rules_count; i++)
		config->rules[i] = xstrdup(arguments->rules[i]);
}

struct config *
offline_config(const struct arguments *arguments)
{
	struct config *config;
	char *error = NULL;

	/* One that is there but not for this user to read is no reason not to
	 * answer; one that was named is. */
	if (arguments->config && (arguments->config_named ||
					 access(arguments->config, R_OK) == 0))
		config = config_load(arguments->config, &error);
	else
		config = config_new();
	if (!config) {
		(void)complain(STATUS_USAGE, "%s", error);
		free(error);
		return NULL;
	}
	if (arguments->rules_count)
		replace_rules(config, arguments);
	if (!arguments->policy)
		return config;
	if (!strcmp(arguments->policy, "daily-script")) {
		config_set_policy(config, RULES_DAILY_SCRIPT);
	} else if (!strcmp(arguments->policy, "balanced")) {
		config->policy = RULES_BALANCED;
	} else {
		(void)complain(STATUS_USAGE,
			"--policy: '%s' is neither balanced nor daily-script",
			arguments->policy);
		config_free(config);
		return NULL;
	}
	return config;
}

struct rules *
offline_rules(const struct config *config)
{
	char *error = NULL;
	struct rules *rules = rules_load((const char *const *)config->rules,
		config->rules_count, config->policy, &error);

	if (!rules) {
		(void)complain(STATUS_USAGE, "%s", error);
		free(error);
	}
	return rules;
}

int
each_line(const char *path,
	void (*each)(const char *line, size_t len, void *arg), void *arg)
{
	bool standard = !path || !strcmp(path, "-");
	FILE *stream = standard ? stdin : fopen(path, "re");
	char *line = NULL;
	size_t size = 0;
	ssize_t len;
	int rc = 0;

	if (!stream) {
		(void)complain(STATUS_USAGE, "%s: %s", path, strerror(errno));
		return -1;
	}
	while ((len = getline(&line, &size, stream)) >= 0) {
		if (len > 0 && line[len - 1] == '\n')
			len--;
		each(line, (size_t)len, arg);
	}
	if (ferror(stream)) {
		(void)complain(STATUS_USAGE, "%s: %s", standard ? "-" : path,
			strerror(errno));
		rc = -1;
	}
	free(line);
	if (!standard)
		(void)fclose(stream);
	return rc;
}

int
parse_line(struct message_reader *reader, const char *line, size_t len,
	struct message *out)
{
	int64_t now_us = (int64_t)time(NULL) * 1000000;

	if (len > 0 && line[0] == '{')
		return message_parse_json(reader, line, len, now_us, out);
	return message_parse_syslog(line, len, now_us, out);
}
