/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reload: at each SIGHUP, that is at each rotation of logs, and at
 * `mailban reload`. Costs a few stat calls when no file changed. What is bad
 * changes nothing.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/log.h"
#include "common/xalloc.h"
#include "plugin/engine.h"

static uint64_t
mix(uint64_t hash, uint64_t value)
{
	/* FNV-1a's step (Fowler, Noll, Vo), on whole words: nobody attacks
	 * this with file names of his own. */
	return (hash ^ value) * UINT64_C(0x100000001b3);
}

static uint64_t
mix_file(uint64_t hash, int dir_fd, const char *name)
{
	struct stat st;

	if (fstatat(dir_fd, name, &st, 0) < 0)
		return mix(hash, (uint64_t)errno);
	hash = mix(hash, (uint64_t)st.st_ino);
	hash = mix(hash, (uint64_t)st.st_size);
	hash = mix(hash, (uint64_t)st.st_mtim.tv_sec);
	hash = mix(hash, (uint64_t)st.st_mtim.tv_nsec);
	/* Whether it may be read now changes no more than this. */
	hash = mix(hash, (uint64_t)st.st_ctim.tv_sec);
	return mix(hash, (uint64_t)st.st_ctim.tv_nsec);
}

/* Folders are read in no order, so their files are added up. */
static uint64_t
mix_folder(uint64_t hash, const char *path)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;
	uint64_t sum = 0;

	if (!dir)
		return mix(hash, (uint64_t)errno);
	while ((entry = readdir(dir)))
		sum += mix_file(hash, dirfd(dir), entry->d_name);
	(void)closedir(dir);
	return mix(hash, sum);
}

uint64_t
engine_fingerprint(
	const struct engine_options *options, const struct config *config)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	if (options->config_path)
		hash = mix_file(hash, AT_FDCWD, options->config_path);
	for (size_t i = 0; i < config->rules_count; i++)
		hash = mix_folder(hash, config->rules[i]);
	return hash;
}

static const char *
keep_old(struct engine *engine, char *error)
{
	(void)snprintf(engine->reload_error, sizeof(engine->reload_error), "%s",
		error);
	log_err("reload kept=old error=\"%s\"", error);
	free(error);
	return engine->reload_error;
}

/* Each may be NULL: none is named. */
static bool
same_name(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static char *
fixed_at_start(const struct config *old, const struct config *new)
{
	if (strcmp(old->state, new->state))
		return xstrdup("state: takes effect when rsyslog restarts");
	if (strcmp(old->control, new->control))
		return xstrdup("control: takes effect when rsyslog restarts");
	if (strcmp(old->helper, new->helper))
		return xstrdup("helper: takes effect when rsyslog restarts");
	if (!same_name(old->group, new->group))
		return xstrdup("group: takes effect when rsyslog restarts");
	if (!same_name(old->read_group, new->read_group))
		return xstrdup(
			"read_group: takes effect when rsyslog restarts");
	return NULL;
}

static void
no_tick(void *arg)
{
	(void)arg; /* nobody waits for a reload but its caller */
}

/* From observe to enforce all bans go into the kernel, and back out of it. */
static void
change_mode(struct engine *engine)
{
	log_info("mode=%s", engine->config->observe ? "observe" : "enforce");
	if (!engine->config->observe) {
		engine_new_kernel(engine);
		engine_enforce(engine, 1000, no_tick, NULL);
		return;
	}
	engine_clear_kernel(engine);
}

static void
take_config(struct engine *engine, struct config *config, struct rules *rules)
{
	struct ledger_limits limits = {.age_us = config->ledger_age_us,
		.size_bytes = config->ledger_size_bytes};
	bool was_observe = engine->config->observe;

	rules_free(engine->rules);
	config_free(engine->config);
	engine->rules = rules;
	engine->config = config;
	engine->file_looked = false; /* it may be another file */
	engine->reload_error[0] = '\0';
	ledger_limit(engine->ledger, &limits);
	(void)engine_gather_exempt(engine);
	engine_apply_exempt(engine);
	if (was_observe != config->observe)
		change_mode(engine);
	log_info("reload rules=%zu", rules_count(rules));
}

const char *
engine_reload(struct engine *engine)
{
	char *error = NULL;
	uint64_t found = engine_fingerprint(engine->options, engine->config);
	struct config *config;
	struct rules *rules = NULL;

	if (found == engine->loaded)
		return engine->reload_error[0] ? engine->reload_error : NULL;
	engine->loaded = found;
	config = engine_config(engine->options, &error);
	if (config)
		error = fixed_at_start(engine->config, config);
	if (config && !error)
		rules = rules_load((const char *const *)config->rules,
			config->rules_count, config->policy, &error);
	if (!rules) {
		config_free(config);
		return keep_old(engine, error);
	}
	take_config(engine, config, rules);
	engine->loaded = engine_fingerprint(engine->options, config);
	return NULL;
}
