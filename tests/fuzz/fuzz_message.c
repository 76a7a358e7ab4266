/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A line as rsyslog hands it over, through the shipped rules, to the client
 * charged. Whatever it is: the first look and the parser agree, the fast search
 * finds what trying everything finds, and the client's address is a complete
 * literal of the message.
 */
#include "tests/fuzz/fuzz.h"

#include "common/xalloc.h"
#include "plugin/correlate.h"

#include <stdlib.h>
#include <string.h>

static struct rules *rules;
static struct message_reader *reader;
static struct correlate *correlate;

static void
prepare(void)
{
	static const uint8_t key[16] = {1};
	char *folder = fuzz_rules(), *error = NULL;
	const char *folders[1] = {folder};

	rules = rules_load(folders, 1, RULES_BALANCED, &error);
	if (!rules)
		fuzz_wrong("%s", error);
	reader = message_reader_new();
	correlate = correlate_new(key);
	free(folder);
}

struct explained {
	const struct rule *first;
	struct match match;
};

static void
explain(const struct rule *rule, bool matched, const struct match *match,
	void *arg)
{
	struct explained *explained = arg;

	if (matched && !explained->first) {
		explained->first = rule;
		explained->match = *match;
	}
}

static bool
is_part(char c)
{
	return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') ||
	       c == '_';
}

/* Whether the address stands in msg with nothing of a word beside it. */
static bool
stands_in(struct span msg, const struct addr *want)
{
	for (size_t i = 0; i < msg.len; i++) {
		struct addr addr;

		if (i && is_part(msg.text[i - 1]))
			continue;
		for (size_t len = 2; len <= 64 && i + len <= msg.len; len++)
			if ((i + len == msg.len ||
				    !is_part(msg.text[i + len])) &&
				addr_parse(msg.text + i, len, &addr) == 0 &&
				!memcmp(&addr, want, sizeof addr))
				return true;
	}
	return false;
}

/* A quote without a backslash, which rsyslog never writes within a value. */
static bool
has_bare_quote(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.text[i] == '\\')
			i++;
		else if (text.text[i] == '"')
			return true;
	return false;
}

static void
check(const char *line, size_t len, const struct message *message)
{
	struct message_peek peek;
	struct match match;
	struct explained all = {.first = NULL};
	bool matched = rules_match(rules, message, &match);

	(void)rules_explain(rules, message, explain, &all);
	if (matched != (all.first != NULL) ||
		(matched && match.rule != all.first))
		fuzz_wrong("the search finds %s, trying all finds %s",
			matched ? match.rule->name : "nothing",
			all.first ? all.first->name : "nothing");
	if (matched && !message->own && message_peek(line, len, &peek) &&
		!has_bare_quote(peek.msg) &&
		!rules_may_match(rules, peek.program, peek.msg))
		fuzz_wrong("the first look misses %s", match.rule->name);
	if (match.has_addr && !stands_in(message->msg, &match.addr))
		fuzz_wrong(
			"%s: an address that is not there", match.rule->name);
	correlate_session(correlate, message, &match);
	if (match.class < CLASS_OFFENCES && match.has_addr &&
		correlate_attempts(correlate, message, &match) >
			match.count * message->repeat)
		fuzz_wrong("%s: more attempts than told", match.rule->name);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *line = (const char *)data;
	struct message message;

	if (!rules)
		prepare();
	if (message_parse_json(
		    reader, line, size, 1795600000000000, &message) == 0)
		check(line, size, &message);
	if (message_parse_syslog(line, size, 1795600000000000, &message) == 0)
		check("", 0, &message);
	return 0;
}
