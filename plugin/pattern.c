/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PCRE2 behind our tokens. No UTF mode: messages are bytes. The match limit
 * bounds the time one pattern can take on one message, the size of the JIT's
 * stack the memory; neither is reached by a sane pattern.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "plugin/pattern.h"

#include "common/xalloc.h"

#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

enum {
	MATCH_LIMIT = 20000,
	DEPTH_LIMIT = 1000,    /* without JIT only */
	HEAP_LIMIT_KIB = 1024, /* without JIT only */
	JIT_STACK_MIN = 32 * 1024,
	JIT_STACK_MAX = 256 * 1024,
	GROUPS_MAX = 63,
	COUNT_MAX = 9999,
	TOKEN_MAX = 16,
};

/* '.' takes every byte, and '$' is the very end: a line feed that came through
 * must not hide what follows it. */
#define COMPILE_OPTIONS                                                        \
	(PCRE2_ANCHORED | PCRE2_DOTALL | PCRE2_DOLLAR_ENDONLY |                \
		PCRE2_NEVER_UTF | PCRE2_NEVER_UCP | PCRE2_NEVER_BACKSLASH_C)

static const struct token {
	const char *name;
	const char *text;
} tokens[CAPTURE_MAX] = {
	/* A run of the characters of addresses that nothing of a word touches,
	 * so that no part of a longer one is taken for an address. */
	[CAPTURE_ADDR] = {"ADDR",
		"(?<ADDR>(?<![0-9A-Za-z_])[0-9A-Fa-f.:]{2,45}"
		"(?:%[0-9A-Za-z._-]{1,15})?)(?![0-9A-Za-z_%])"},
	[CAPTURE_USER] = {"USER",
		"(?<USER>[^\\x00-\\x20\\x7f\"'(),:;<>\\[\\]]{1,255})"},
	[CAPTURE_COUNT] = {"COUNT", "(?<COUNT>[0-9]{1,4})"},
	[CAPTURE_SESSION] = {"SESSION", "(?<SESSION>[^\\s<>,]{1,64})"},
	[CAPTURE_DIGEST] = {"DIGEST", "(?<DIGEST>[0-9A-Fa-f*]{1,64})"},
};

/* Lengths of messages that something on the way may have cut: relays at a
 * power of two with the header counted in (RFC 3164, section 4.1; rsyslog's
 * maxMessageSize), rsyslog at 800 where it folds repeats. */
static const struct {
	size_t from, to;
} cut_lengths[] = {{500, 512}, {798, 800}, {864, 1024}, {1888, 2048},
	{3936, 4096}, {8032, 8192}};

struct pattern_runner {
	pcre2_match_data *data;
	pcre2_match_context *context;
	pcre2_jit_stack *stack;
	const PCRE2_SIZE *ovector;
	uint64_t limit_hits;
};

struct pattern_runner *
pattern_runner_new(void)
{
	struct pattern_runner *runner = xcalloc(1, sizeof *runner);

	runner->data = pcre2_match_data_create(GROUPS_MAX + 1, NULL);
	runner->context = pcre2_match_context_create(NULL);
	runner->stack =
		pcre2_jit_stack_create(JIT_STACK_MIN, JIT_STACK_MAX, NULL);
	if (!runner->data || !runner->context) {
		pattern_runner_free(runner);
		return NULL;
	}
	runner->ovector = pcre2_get_ovector_pointer(runner->data);
	(void)pcre2_set_match_limit(runner->context, MATCH_LIMIT);
	(void)pcre2_set_depth_limit(runner->context, DEPTH_LIMIT);
	(void)pcre2_set_heap_limit(runner->context, HEAP_LIMIT_KIB);
	/* Without a stack (no JIT here) PCRE2 takes 32 KiB of ours. */
	if (runner->stack)
		pcre2_jit_stack_assign(runner->context, NULL, runner->stack);
	return runner;
}

void
pattern_runner_free(struct pattern_runner *runner)
{
	if (!runner)
		return;
	pcre2_match_data_free(runner->data);
	pcre2_match_context_free(runner->context);
	pcre2_jit_stack_free(runner->stack);
	free(runner);
}

uint64_t
pattern_limit_hits(const struct pattern_runner *runner)
{
	return runner->limit_hits;
}

static const struct token *
token_by_name(const char *name, size_t len)
{
	for (size_t i = 0; i < CAPTURE_MAX; i++)
		if (strlen(tokens[i].name) == len &&
			memcmp(tokens[i].name, name, len) == 0)
			return &tokens[i];
	return NULL;
}

static bool
follows(const char *start, const char *text, const char *what)
{
	size_t len = strlen(what);

	return (size_t)(text - start) >= len &&
	       memcmp(text - len, what, len) == 0;
}

/* Length of "<NAME>" at text, or 0. "(?<NAME>" is a group, "\k<NAME>" refers
 * to one, "\<" is text. */
static size_t
token_length(const char *start, const char *text)
{
	static const char *const others[] = {"\\", "(?", "(?P", "\\k", "\\g"};
	size_t len;

	if (*text != '<')
		return 0;
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
		if (follows(start, text, others[i]))
			return 0;
	len = strspn(text + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
	return len && text[len + 1] == '>' ? len + 2 : 0;
}

/* Puts the groups in place of the tokens. */
static char *
expand(const char *text, char **out)
{
	size_t room = strlen(text) + 1, used = 0;
	char *result = xcalloc(1, room);
	const char *at = text;

	while (*at) {
		size_t len = token_length(text, at);
		const struct token *token =
			len ? token_by_name(at + 1, len - 2) : NULL;
		const char *piece = token ? token->text : at;
		size_t piece_len = token ? strlen(token->text) : 1;

		if (len && !token) {
			free(result);
			return xasprintf("there is no token %.*s; there are "
					 "<ADDR>, <USER>, <COUNT>, <SESSION> "
					 "and <DIGEST>; write \\%.*s for the "
					 "text itself",
				(int)len, at, (int)len, at);
		}
		room += piece_len;
		result = xreallocarray(result, room, 1);
		memcpy(result + used, piece, piece_len);
		used += piece_len;
		at += token ? len : 1;
	}
	result[used] = '\0';
	*out = result;
	return NULL;
}

/* Finds the groups by name; a name that means nothing is a slip of the pen
 * that would lose the address. */
static char *
find_groups(struct pattern *pattern)
{
	PCRE2_SPTR table;
	uint32_t count, size, groups;

	(void)pcre2_pattern_info(pattern->code, PCRE2_INFO_NAMETABLE, &table);
	(void)pcre2_pattern_info(pattern->code, PCRE2_INFO_NAMECOUNT, &count);
	(void)pcre2_pattern_info(
		pattern->code, PCRE2_INFO_NAMEENTRYSIZE, &size);
	(void)pcre2_pattern_info(
		pattern->code, PCRE2_INFO_CAPTURECOUNT, &groups);
	if (groups > GROUPS_MAX)
		return xasprintf("more than %d groups; write (?:...) for those "
				 "without a name",
			GROUPS_MAX);
	for (uint32_t i = 0; i < count; i++) {
		PCRE2_SPTR entry = table + i * size;
		const char *name = (const char *)entry + 2;
		const struct token *token = token_by_name(name, strlen(name));

		if (!token)
			return xasprintf("no meaning is known of a group named "
					 "%s; there are ADDR, USER, COUNT, "
					 "SESSION and DIGEST",
				name);
		pattern->group[token - tokens] =
			(unsigned)entry[0] << 8 | entry[1];
	}
	return NULL;
}

static char *
compile_error(int code, size_t offset, const char *text)
{
	PCRE2_UCHAR message[128];
	size_t len = strlen(text);

	(void)pcre2_get_error_message(code, message, sizeof message);
	if (offset >= len)
		return xasprintf(
			"the pattern is no PCRE2: %s, at its end", message);
	return xasprintf("the pattern is no PCRE2: %s, at offset %zu, before "
			 "\"%.24s\"",
		message, offset, text + offset);
}

static bool
ends_in_dollar(const char *text)
{
	size_t len = strlen(text), slashes = 0;

	if (len < 2 || text[len - 1] != '$')
		return false;
	while (slashes < len - 1 && text[len - 2 - slashes] == '\\')
		slashes++;
	return slashes % 2 == 0;
}

char *
pattern_compile(const char *text, struct pattern *out)
{
	struct pattern pattern = {.line = out->line};
	char *error;
	int code;
	size_t offset;

	if (text[0] != '^')
		return xstrdup("a pattern must begin with ^, the start of the "
			       "message: what an attacker wrote further on "
			       "must not match");
	error = expand(text, &pattern.text);
	if (error)
		return error;
	pattern.code = pcre2_compile((PCRE2_SPTR)pattern.text,
		PCRE2_ZERO_TERMINATED, COMPILE_OPTIONS, &code, &offset, NULL);
	error = pattern.code ? find_groups(&pattern)
			     : compile_error(code, offset, pattern.text);
	if (error) {
		pattern_clear(&pattern);
		return error;
	}
	pattern.to_the_end =
		pattern.group[CAPTURE_ADDR] && ends_in_dollar(pattern.text);
	/* Where memory can't be made executable the interpreter does it. */
	pattern.jit = pcre2_jit_compile(pattern.code, PCRE2_JIT_COMPLETE) == 0;
	*out = pattern;
	return NULL;
}

void
pattern_clear(struct pattern *pattern)
{
	pcre2_code_free(pattern->code);
	free(pattern->text);
	*pattern = (struct pattern){0};
}

/* What a group holds; text is NULL when it took no part. */
static struct span
captured(const struct pattern *pattern, const struct pattern_runner *runner,
	enum capture which, const char *text)
{
	unsigned group = pattern->group[which];
	size_t start = group ? runner->ovector[2 * group] : PCRE2_UNSET;
	size_t end = group ? runner->ovector[2 * group + 1] : PCRE2_UNSET;

	/* \K inside a lookahead can put the end before the start. */
	if (start == PCRE2_UNSET || end < start)
		return (struct span){NULL, 0};
	return (struct span){text + start, end - start};
}

static uint32_t
number_of(struct span digits)
{
	uint32_t number = 0;

	for (size_t i = 0; i < digits.len; i++) {
		if (digits.text[i] < '0' || digits.text[i] > '9')
			return 1;
		number = number * 10 + (uint32_t)(digits.text[i] - '0');
		if (number > COUNT_MAX)
			return COUNT_MAX;
	}
	return number ? number : 1;
}

static bool
run(const struct pattern *pattern, struct pattern_runner *runner,
	struct span msg)
{
	PCRE2_SPTR subject = (PCRE2_SPTR)msg.text;
	int rc;

	if (pattern->jit)
		rc = pcre2_jit_match(pattern->code, subject, msg.len, 0, 0,
			runner->data, runner->context);
	else
		rc = pcre2_match(pattern->code, subject, msg.len, 0, 0,
			runner->data, runner->context);
	if (rc < 0 && rc != PCRE2_ERROR_NOMATCH)
		runner->limit_hits++;
	return rc >= 0;
}

/* Then a stranger may have chosen where it ends. */
static bool
may_be_cut(size_t len)
{
	for (size_t i = 0; i < sizeof cut_lengths / sizeof cut_lengths[0]; i++)
		if (len >= cut_lengths[i].from && len <= cut_lengths[i].to)
			return true;
	return false;
}

bool
pattern_match(const struct pattern *pattern, struct pattern_runner *runner,
	struct span msg, struct match *out)
{
	struct span literal;
	struct addr addr = {0};

	if (pattern->to_the_end && may_be_cut(msg.len))
		return false;
	if (!run(pattern, runner, msg))
		return false;
	literal = captured(pattern, runner, CAPTURE_ADDR, msg.text);
	if (literal.text && addr_parse(literal.text, literal.len, &addr) < 0)
		return false;
	out->has_addr = literal.text != NULL;
	out->addr = addr;
	out->count =
		number_of(captured(pattern, runner, CAPTURE_COUNT, msg.text));
	out->user = captured(pattern, runner, CAPTURE_USER, msg.text);
	out->session = captured(pattern, runner, CAPTURE_SESSION, msg.text);
	out->digest = captured(pattern, runner, CAPTURE_DIGEST, msg.text);
	return true;
}

/* What can be followed to a place can be followed to every place before it. */
size_t
pattern_reach(const struct pattern *pattern, struct pattern_runner *runner,
	struct span msg)
{
	size_t good = 0, bad = msg.len + 1;

	while (bad - good > 1) {
		size_t middle = good + (bad - good) / 2;
		int rc = pcre2_match(pattern->code, (PCRE2_SPTR)msg.text,
			middle, 0, PCRE2_PARTIAL_HARD, runner->data,
			runner->context);

		if (rc >= 0 || rc == PCRE2_ERROR_PARTIAL)
			good = middle;
		else
			bad = middle;
	}
	return good;
}

const char *
pattern_rest(const struct pattern *pattern, struct pattern_runner *runner,
	struct span msg)
{
	size_t len = strlen(pattern->text);

	/* Most places are within a group, where it can't be ended. */
	while (--len > 0) {
		int code, rc;
		size_t offset;
		pcre2_code *part = pcre2_compile((PCRE2_SPTR)pattern->text, len,
			COMPILE_OPTIONS, &code, &offset, NULL);

		if (!part)
			continue;
		rc = pcre2_match(part, (PCRE2_SPTR)msg.text, msg.len, 0, 0,
			runner->data, runner->context);
		pcre2_code_free(part);
		if (rc >= 0)
			break;
	}
	return pattern->text + len;
}
