/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the lines of a rule file to rules. A section's values come one by one;
 * whether they make a rule is seen when the file is at its end.
 */
#include "plugin/rulefile.h"

#include "common/xalloc.h"
#include "plugin/example.h"
#include "plugin/inifile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { PROGRAM_MAX = 128, WEIGHT_MAX_PERCENT = 10000 };

struct reading {
	const char *path;
	struct ruledefs *defs;
};

/* What a value is for; each returns NULL or what is wrong, allocated. */
typedef char *key_reader(struct ruledef *def, const char *value, unsigned line);

static char *
read_programs(struct ruledef *def, const char *value, unsigned line)
{
	(void)line;
	for (size_t len; *value; value += len) {
		value += strspn(value, " \t,");
		len = strcspn(value, " \t,");
		if (!len)
			break;
		if (len > PROGRAM_MAX)
			return xstrdup("program: longer than 128 characters");
		if (strcspn(value, "[]{}\\()") < len)
			return xasprintf("program: %.*s: there are only two "
					 "wildcards, * and ?",
				(int)len, value);
		def->programs = xreallocarray(def->programs,
			def->program_count + 1, sizeof *def->programs);
		def->programs[def->program_count++] = xstrndup(value, len);
	}
	return NULL;
}

static char *
read_class(struct ruledef *def, const char *value, unsigned line)
{
	enum class class = class_by_name(value);

	(void)line;
	if (def->class_given)
		return xstrdup("class: given twice; a rule has one class");
	if (class == CLASS_COUNT)
		return xasprintf("class: there is no class \"%s\"; there are "
				 "auth-failure, unknown-client, rejected, "
				 "protocol-abuse, spam, login and none",
			value);
	def->rule.class = class;
	def->class_given = true;
	return NULL;
}

static char *
read_pattern(struct ruledef *def, const char *value, unsigned line)
{
	struct pattern pattern = {.line = line};
	char *error = pattern_compile(value, &pattern);

	if (error)
		return error;
	pattern.line = line;
	def->patterns = xreallocarray(
		def->patterns, def->pattern_count + 1, sizeof *def->patterns);
	def->patterns[def->pattern_count++] = pattern;
	return NULL;
}

static char *
add_example(struct ruledef *def, const char *value, unsigned line, bool match)
{
	struct example example = {.line = line, .match = match};
	char *error = example_read(value, &example);

	if (error)
		return error;
	def->examples = xreallocarray(
		def->examples, def->example_count + 1, sizeof *def->examples);
	def->examples[def->example_count++] = example;
	return NULL;
}

static char *
read_match(struct ruledef *def, const char *value, unsigned line)
{
	return add_example(def, value, line, true);
}

static char *
read_nomatch(struct ruledef *def, const char *value, unsigned line)
{
	return add_example(def, value, line, false);
}

static char *
read_source(struct ruledef *def, const char *value, unsigned line)
{
	(void)line;
	(void)value; /* for the reader of the file */
	def->source_given = true;
	return NULL;
}

/* "50%", "0.5" or "2", with at most two decimals. */
static char *
read_weight(struct ruledef *def, const char *value, unsigned line)
{
	size_t digits = strspn(value, "0123456789");
	const char *rest = value + digits;
	uint32_t scale = *rest == '%' ? 1 : 100, number = 0;

	(void)line;
	for (size_t i = 0; i < digits && number <= WEIGHT_MAX_PERCENT; i++)
		number = number * 10 + (uint32_t)(value[i] - '0') * scale;
	if (digits && *rest == '.' && scale == 100) {
		rest++;
		for (scale = 10; scale && *rest >= '0' && *rest <= '9';
			scale /= 10)
			number += (uint32_t)(*rest++ - '0') * scale;
	} else if (digits && *rest == '%') {
		rest++;
	}
	if (!digits || *rest || number < 1 || number > WEIGHT_MAX_PERCENT)
		return xasprintf("weight: \"%s\" is no weight; write a factor "
				 "from 0.01 to 100, such as 0.5, or a "
				 "percentage, such as 50%%",
			value);
	def->rule.weight_percent = number;
	return NULL;
}

static char *
read_policy(struct ruledef *def, const char *value, unsigned line)
{
	(void)line;
	if (strcmp(value, "daily-script") == 0)
		def->policy = RULES_DAILY_SCRIPT;
	else if (strcmp(value, "balanced") == 0)
		def->policy = RULES_BALANCED;
	else
		return xasprintf("policy: there is no policy \"%s\"; there are "
				 "balanced and daily-script",
			value);
	return NULL;
}

static char *
read_reports(struct ruledef *def, const char *value, unsigned line)
{
	static const char *const names[] = {[REPORTS_ATTEMPT] = "attempt",
		[REPORTS_SESSION] = "session",
		[REPORTS_BACKEND] = "backend",
		[REPORTS_WORKER] = "worker"};

	(void)line;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (strcmp(value, names[i]) == 0) {
			def->rule.reports = (enum rule_reports)i;
			return NULL;
		}
	return xasprintf("reports: \"%s\" is none of attempt, session, "
			 "backend and worker",
		value);
}

static char *
read_yes(const char *key, const char *value, bool *out)
{
	if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0)
		return xasprintf(
			"%s: \"%s\" is neither yes nor no", key, value);
	*out = strcmp(value, "yes") == 0;
	return NULL;
}

static char *
read_unknown_user(struct ruledef *def, const char *value, unsigned line)
{
	(void)line;
	return read_yes("unknown_user", value, &def->rule.unknown_user);
}

static char *
read_doubled(struct ruledef *def, const char *value, unsigned line)
{
	(void)line;
	return read_yes("doubled", value, &def->rule.doubled);
}

static char *
read_accepts(struct ruledef *def, const char *value, unsigned line)
{
	(void)line;
	return read_yes("accepts", value, &def->rule.accepts);
}

static char *
read_enabled(struct ruledef *def, const char *value, unsigned line)
{
	(void)line;
	return read_yes("enabled", value, &def->enabled);
}

static const struct key {
	const char *name;
	key_reader *read;
} keys[] = {
	{"program", read_programs},
	{"class", read_class},
	{"pattern", read_pattern},
	{"match", read_match},
	{"nomatch", read_nomatch},
	{"source", read_source},
	{"weight", read_weight},
	{"reports", read_reports},
	{"unknown_user", read_unknown_user},
	{"doubled", read_doubled},
	{"accepts", read_accepts},
	{"policy", read_policy},
	{"enabled", read_enabled},
};

static struct ruledef *
new_def(struct reading *reading, const char *name, unsigned line)
{
	struct ruledef *def = xcalloc(1, sizeof *def);
	struct ruledefs *defs = reading->defs;

	def->name = xstrdup(name);
	def->file = xstrdup(reading->path);
	def->enabled = true;
	def->rule = (struct rule){.name = def->name,
		.class = CLASS_NONE,
		.file = def->file,
		.line = line,
		.weight_percent = 100};
	defs->items = xreallocarray(
		defs->items, defs->count + 1, sizeof *defs->items);
	defs->items[defs->count++] = def;
	return def;
}

static char *
name_the_rule(const char *section, char *error)
{
	char *named = error ? xasprintf("[%s] %s", section, error) : NULL;

	free(error);
	return named;
}

static char *
each_value(const char *section, const char *name, const char *value,
	unsigned line, void *arg)
{
	struct reading *reading = arg;
	struct ruledefs *defs = reading->defs;
	struct ruledef *def = defs->count ? defs->items[defs->count - 1] : NULL;

	if (!def || strcmp(def->name, section) != 0 ||
		strcmp(def->file, reading->path) != 0)
		def = new_def(reading, section, line);
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
		if (strcmp(name, keys[i].name) == 0)
			return name_the_rule(
				section, keys[i].read(def, value, line));
	return xasprintf("[%s] there is no key \"%s\"; there are program, "
			 "class, pattern, match, nomatch, source, weight, "
			 "reports, unknown_user, doubled, accepts, policy and "
			 "enabled",
		section, name);
}

static size_t
count_examples(const struct ruledef *def, bool match)
{
	size_t count = 0;

	for (size_t i = 0; i < def->example_count; i++)
		count += def->examples[i].match == match;
	return count;
}

/* What a rule that is switched on must have. */
static const char *
what_is_missing(const struct ruledef *def)
{
	bool offence = def->rule.class < CLASS_OFFENCES;

	if (!def->program_count)
		return "has no program: say whose messages it is for, such as "
		       "\"program = */smtpd\"";
	if (!def->class_given)
		return "has no class: say what its messages are, such as "
		       "\"class = auth-failure\"";
	if (!def->pattern_count)
		return "has no pattern";
	if (offence && !count_examples(def, true))
		return "has no match example: show a message it is for, and "
		       "behind \"  ->  \" the address it charges";
	if (offence && !count_examples(def, false))
		return "has no nomatch example: show a similar message it is "
		       "not for";
	return NULL;
}

static int
check_sections(const struct ruledefs *defs, size_t first, char **error)
{
	for (size_t i = first; i < defs->count; i++) {
		const struct ruledef *def = defs->items[i];
		const char *missing =
			def->enabled ? what_is_missing(def) : NULL;

		if (!missing)
			continue;
		*error = xasprintf("%s:%u: [%s] %s", def->file, def->rule.line,
			def->name, missing);
		return -EBADMSG;
	}
	return 0;
}

int
rulefile_read(const char *path, struct ruledefs *out, char **error)
{
	struct reading reading = {path, out};
	size_t first = out->count;
	int result = inifile_read(path, false, each_value, &reading, error);

	return result < 0 ? result : check_sections(out, first, error);
}

int
rulefile_read_text(const char *name, const char *text, size_t len,
	struct ruledefs *out, char **error)
{
	struct reading reading = {name, out};
	size_t first = out->count;
	int result = inifile_read_text(
		name, text, len, false, each_value, &reading, error);

	return result < 0 ? result : check_sections(out, first, error);
}

char *
ruledef_check(const struct ruledef *def, struct pattern_runner *runner)
{
	for (size_t i = 0; i < def->example_count; i++) {
		const struct example *example = &def->examples[i];
		char *error = example_check(example, def, runner), *full;

		if (!error)
			continue;
		full = xasprintf("%s:%u: [%s] %s", def->file, example->line,
			def->name, error);
		free(error);
		return full;
	}
	return NULL;
}

bool
ruledef_match(const struct ruledef *def, struct pattern_runner *runner,
	struct span msg, struct match *out)
{
	for (size_t i = 0; i < def->pattern_count; i++) {
		if (!pattern_match(&def->patterns[i], runner, msg, out))
			continue;
		ruledef_finish(def, out);
		return true;
	}
	return false;
}

void
ruledef_finish(const struct ruledef *def, struct match *match)
{
	match->rule = &def->rule;
	match->class = def->rule.class;
}

void
ruledef_free(struct ruledef *def)
{
	if (!def)
		return;
	for (size_t i = 0; i < def->program_count; i++)
		free(def->programs[i]);
	for (size_t i = 0; i < def->pattern_count; i++)
		pattern_clear(&def->patterns[i]);
	for (size_t i = 0; i < def->example_count; i++)
		example_clear(&def->examples[i]);
	free(def->programs);
	free(def->patterns);
	free(def->examples);
	free(def->name);
	free(def->file);
	free(def);
}

void
ruledefs_free(struct ruledefs *defs)
{
	for (size_t i = 0; i < defs->count; i++)
		ruledef_free(defs->items[i]);
	free(defs->items);
	*defs = (struct ruledefs){0};
}
