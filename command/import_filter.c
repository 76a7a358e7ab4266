/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mailban import-filter: rules, on standard output, out of a fail2ban filter.
 * A rule is switched on only when a line of --log shows what it matches: the
 * line becomes its example, so that what is printed loads.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "command/command.h"
#include "command/import.h"
#include "common/log.h"
#include "common/xalloc.h"
#include "plugin/program.h"
#include "plugin/rulecheck.h"

enum { EXAMPLES_MAX = 3, EXAMPLE_LEN_MAX = 2000, NAME_LEN_MAX = 40 };

/* Of --log. */
struct logged {
	char *program; /* "" where the line has no syslog header */
	char *msg;
};

struct importing {
	const struct arguments *arguments;
	struct filter *filter;
	const char *class;
	char *programs;
	struct message_reader *reader;
	struct pattern_runner *runner;
	struct logged *log;
	size_t log_count;
	size_t on, off, lost;
};

/* One expression on its way to a rule. */
struct candidate {
	const char *option; /* failregex, ignoreregex */
	size_t number;
	char *name;
	const char *class;
	struct imported imported;
	char *why_not; /* why it is not switched on */
	const struct logged *examples[EXAMPLES_MAX];
	size_t example_count;
	char *nomatch;
};

/* --- the log -------------------------------------------------------------- */

static void
keep_line(const char *line, size_t len, void *arg)
{
	struct importing *importing = arg;
	struct message message = {.program = {"", 0}, .msg = {line, len}};
	struct logged *logged;

	/* fail2ban's own test files have comments. */
	if (!len || line[0] == '#')
		return;
	if (parse_line(importing->reader, line, len, &message) < 0)
		while (message.msg.len && message.msg.text[0] == ' ') {
			message.msg.text++;
			message.msg.len--;
		}
	if (memchr(message.msg.text, '\0', message.msg.len))
		return;
	importing->log = xreallocarray(importing->log, importing->log_count + 1,
		sizeof *importing->log);
	logged = &importing->log[importing->log_count++];
	logged->program = xstrndup(message.program.text, message.program.len);
	logged->msg = xstrndup(message.msg.text, message.msg.len);
}

static bool
is_of_program(const struct importing *importing, const struct logged *logged)
{
	struct span program = {logged->program, strlen(logged->program)};
	char *list = xstrdup(importing->programs), *rest = list, *one;
	bool found = !program.len;

	while (!found && (one = strsep(&rest, " ,")))
		found = one[0] && glob_match(one, program);
	free(list);
	return found;
}

static bool
matches(const struct importing *importing, const struct pattern *pattern,
	const char *msg, struct match *match)
{
	return pattern_match(pattern, importing->runner,
		(struct span){msg, strlen(msg)}, match);
}

/* --- examples ------------------------------------------------------------- */

/* The example without its address; where that can't be found, with something
 * in front. */
static char *
without_address(const char *msg, const struct addr *addr)
{
	char text[ADDR_STRLEN], *made = xstrdup(""), *longer;
	const char *at = msg, *found;

	(void)addr_format(addr, text);
	while ((found = strstr(at, text))) {
		longer =
			xasprintf("%s%.*sunknown", made, (int)(found - at), at);
		free(made);
		made = longer;
		at = found + strlen(text);
	}
	longer = at == msg ? xasprintf("not: %s", msg)
			   : xasprintf("%s%s", made, at);
	free(made);
	return longer;
}

static void
find_examples(const struct importing *importing, const struct pattern *pattern,
	struct candidate *candidate)
{
	struct match match = {.class = CLASS_NONE};

	for (size_t i = 0; i < importing->log_count &&
			   candidate->example_count < EXAMPLES_MAX;
		i++) {
		const struct logged *logged = &importing->log[i];

		if (strlen(logged->msg) > EXAMPLE_LEN_MAX ||
			!is_of_program(importing, logged) ||
			!matches(importing, pattern, logged->msg, &match))
			continue;
		candidate->examples[candidate->example_count++] = logged;
		if (!candidate->nomatch)
			candidate->nomatch =
				match.has_addr
					? without_address(
						  logged->msg, &match.addr)
					: xasprintf("not: %s", logged->msg);
	}
}

static void
off_because(struct candidate *candidate, char *why)
{
	if (candidate->why_not)
		free(why);
	else
		candidate->why_not = why;
}

/* Whether there can be a rule at all; if so, whether it may be on. */
static bool
examine(const struct importing *importing, struct candidate *candidate)
{
	struct imported *imported = &candidate->imported;
	struct pattern pattern = {.line = 0};
	bool offence = strcmp(candidate->class, "none") != 0 &&
		       strcmp(candidate->class, "login") != 0;
	char *error;

	if (imported->why_not)
		off_because(candidate, xstrdup(imported->why_not));
	if (!imported->pattern)
		return false;
	error = pattern_compile(imported->pattern, &pattern);
	if (error) {
		free(candidate->why_not);
		candidate->why_not = error;
		return false;
	}
	if (offence && !imported->has_addr && !imported->has_session)
		off_because(candidate,
			xstrdup("it names no address; no name is resolved"));
	find_examples(importing, &pattern, candidate);
	if (offence && !candidate->example_count)
		off_because(candidate,
			xstrdup(importing->arguments->log
					? "no line of the log is matched: it "
					  "needs a match and a nomatch example"
					: "it needs a match and a nomatch "
					  "example: give lines with --log"));
	pattern_clear(&pattern);
	return true;
}

/* --- printing ------------------------------------------------------------- */

static char *
example_line(const struct importing *importing, const struct pattern *pattern,
	const char *msg)
{
	struct match match = {.class = CLASS_NONE};
	char text[ADDR_STRLEN] = "nobody";

	if (matches(importing, pattern, msg, &match) && match.has_addr)
		(void)addr_format(&match.addr, text);
	return xasprintf("match   = %s  ->  %s\n", msg, text);
}

static void
put_examples(FILE *to, const struct importing *importing,
	const struct candidate *candidate)
{
	struct pattern pattern = {.line = 0};
	char *error = pattern_compile(candidate->imported.pattern, &pattern);

	for (size_t i = 0; !error && i < candidate->example_count; i++) {
		char *line = example_line(
			importing, &pattern, candidate->examples[i]->msg);

		(void)fputs(line, to);
		free(line);
	}
	if (candidate->nomatch)
		(void)fprintf(to, "nomatch = %s\n", candidate->nomatch);
	free(error);
	pattern_clear(&pattern);
}

static char *
section_text(
	const struct importing *importing, const struct candidate *candidate)
{
	char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);

	if (!to)
		return xstrdup("");
	(void)fprintf(to,
		"[%s]\nprogram = %s\nclass   = %s\n"
		"source  = fail2ban's filter %s, %s %zu\npattern = %s\n",
		candidate->name, importing->programs, candidate->class,
		filter_name(importing->filter), candidate->option,
		candidate->number, candidate->imported.pattern);
	if (candidate->why_not)
		(void)fputs("enabled = no\n", to);
	else
		put_examples(to, importing, candidate);
	(void)fclose(to);
	return text;
}

/* Loaded as the rule file will be; and with hostile user names. */
static void
check_section(const struct importing *importing, struct candidate *candidate)
{
	char *text = section_text(importing, candidate), *error = NULL;
	struct ruledefs defs = {0};

	if (rulefile_read_text("rule", text, strlen(text), &defs, &error) == 0)
		error = ruledef_check(defs.items[0], importing->runner);
	if (!error)
		error = rulecheck_injection(&defs, importing->runner);
	if (error) {
		char *what = strchr(error, ']');

		off_because(candidate, xstrdup(what ? what + 2 : error));
	}
	free(error);
	ruledefs_free(&defs);
	free(text);
}

/* In the file as a comment, and on standard error. */
static void
tell(const struct importing *importing, const struct candidate *candidate,
	const char *what, const char *why)
{
	char safe[512];

	(void)text_escape(why, strlen(why), safe, sizeof safe);
	(void)printf("# %s: %s\n", what, safe);
	(void)complain(STATUS_DONE, "%s: %s %zu: %s: %s",
		filter_name(importing->filter), candidate->option,
		candidate->number, what, safe);
}

static void
print_original(const struct candidate *candidate, const char *regex)
{
	(void)printf("\n# %s %zu: ", candidate->option, candidate->number);
	for (; *regex; regex++)
		if (*regex == FILTER_PREFIX)
			(void)fputs("<syslog prefix>", stdout);
		else
			(void)putchar(*regex);
	(void)putchar('\n');
}

static void
print_candidate(struct importing *importing, struct candidate *candidate,
	const char *regex)
{
	bool possible = examine(importing, candidate);
	char *text;

	if (possible && !candidate->why_not)
		check_section(importing, candidate);
	print_original(candidate, regex);
	for (size_t i = 0; i < candidate->imported.note_count; i++)
		tell(importing, candidate, "lost",
			candidate->imported.notes[i]);
	if (candidate->why_not)
		tell(importing, candidate,
			possible ? "off" : "not carried over",
			candidate->why_not);
	if (!possible) {
		if (candidate->imported.pattern)
			(void)printf("# pattern = %s\n",
				candidate->imported.pattern);
		importing->lost++;
		return;
	}
	text = section_text(importing, candidate);
	(void)fputs(text, stdout);
	free(text);
	if (candidate->why_not)
		importing->off++;
	else
		importing->on++;
}

static void
import_one(struct importing *importing, const char *option, size_t number,
	const char *regex)
{
	bool ignore = !strcmp(option, "ignoreregex");
	char *prefix =
		ignore ? NULL : filter_value(importing->filter, "prefregex");
	struct candidate candidate = {.option = option, .number = number};

	candidate.name = xasprintf("%.*s-%s%zu", NAME_LEN_MAX,
		filter_name(importing->filter), ignore ? "ignore-" : "",
		number);
	import_regex(prefix, regex, ignore, &candidate.imported);
	candidate.class = ignore || candidate.imported.charges_none
				  ? "none"
				  : importing->class;
	print_candidate(importing, &candidate, regex);
	imported_clear(&candidate.imported);
	free(candidate.why_not);
	free(candidate.nomatch);
	free(candidate.name);
	free(prefix);
}

static void
import_option(struct importing *importing, const char *option)
{
	char *value = filter_value(importing->filter, option);
	char *rest = value, *one;
	size_t number = 0;

	while (rest && (one = strsep(&rest, "\n"))) {
		one += strspn(one, " \t");
		if (one[0])
			import_one(importing, option, ++number, one);
	}
	free(value);
}

/* --- the command ---------------------------------------------------------- */

static void
find_programs(struct importing *importing)
{
	const char *given = importing->arguments->program;
	const char *name = filter_name(importing->filter);
	char *daemon = filter_value(importing->filter, "_daemon");
	/* That of common.conf says nothing. */
	bool own = daemon && strcmp(daemon, "\\S*") != 0;

	if (given)
		importing->programs = xstrdup(given);
	else if (own)
		importing->programs = import_programs(daemon);
	free(daemon);
	/* An expression for any program at all. */
	if (own && !importing->programs)
		importing->programs = xstrdup("*");
	if (importing->programs)
		return;
	importing->programs = xasprintf("%.*s*", (int)strcspn(name, "-"), name);
	(void)complain(STATUS_DONE,
		"%s: it does not say which program writes the messages; taken "
		"for %s, see --program",
		name, importing->programs);
}

static void
print_head(const struct importing *importing)
{
	char *lines = filter_value(importing->filter, "maxlines");

	(void)printf(
		"# From fail2ban's filter %s, by mailban import-filter.\n"
		"# Look through it: class, program, and whether a stranger "
		"can put an address\n# where the pattern looks for one; "
		"see mailban.rules(5), \"Writing safe ones\".\n",
		filter_name(importing->filter));
	if (lines && strtol(lines, NULL, 10) > 1) {
		(void)printf("# lost: maxlines: one message is one line.\n");
		(void)complain(STATUS_DONE,
			"%s: lost: maxlines: one message is one line",
			filter_name(importing->filter));
	}
	free(lines);
}

static int
import_filter(struct importing *importing)
{
	if (importing->arguments->log &&
		each_line(importing->arguments->log, keep_line, importing) < 0)
		return STATUS_USAGE;
	find_programs(importing);
	print_head(importing);
	import_option(importing, "ignoreregex");
	import_option(importing, "failregex");
	(void)complain(STATUS_DONE,
		"%s: %zu rules on, %zu off, %zu expressions not carried over",
		filter_name(importing->filter), importing->on, importing->off,
		importing->lost);
	return importing->on || importing->off ? STATUS_DONE : STATUS_NOT_FOUND;
}

int
command_import_filter(const struct arguments *arguments)
{
	struct importing importing = {.arguments = arguments,
		.class = arguments->class ? arguments->class : "auth-failure"};
	char *error = NULL;
	int status;

	if (class_by_name(importing.class) == CLASS_COUNT)
		return complain(STATUS_USAGE, "--class: there is no class '%s'",
			importing.class);
	importing.filter = filter_read(arguments->words[0], &error);
	if (!importing.filter) {
		(void)complain(STATUS_USAGE, "%s", error);
		free(error);
		return STATUS_USAGE;
	}
	importing.reader = message_reader_new();
	importing.runner = pattern_runner_new();
	status = importing.runner ? import_filter(&importing) : STATUS_USAGE;
	for (size_t i = 0; i < importing.log_count; i++) {
		free(importing.log[i].program);
		free(importing.log[i].msg);
	}
	free(importing.log);
	free(importing.programs);
	filter_free(importing.filter);
	message_reader_free(importing.reader);
	pattern_runner_free(importing.runner);
	return status;
}
