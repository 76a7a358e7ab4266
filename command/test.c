/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mailban test: what each line of a log means to the rules.
 */
#include "command/command.h"

struct testing {
	const struct arguments *arguments;
	struct rules *rules;
	struct message_reader *reader;
	size_t lines, unreadable;
};

static struct fjson_object *
object_of(const struct match *match, bool readable)
{
	struct fjson_object *object = fjson_object_new_object();
	char address[ADDR_STRLEN];

	fjson_object_object_add(object, "class",
		fjson_object_new_string(class_name(match->class)));
	fjson_object_object_add(object, "address",
		match->has_addr ? fjson_object_new_string(
					  addr_format(&match->addr, address))
				: NULL);
	add_span(object, "user", match->user.text, match->user.len);
	fjson_object_object_add(object, "rule",
		match->rule ? fjson_object_new_string(match->rule->name)
			    : NULL);
	fjson_object_object_add(
		object, "count", fjson_object_new_int64(match->count));
	if (!readable)
		fjson_object_object_add(object, "error",
			fjson_object_new_string("no syslog message"));
	return object;
}

static void
print_words(struct fjson_object *object)
{
	const char *user = member_text(object, "user");
	int64_t count = member_number(object, "count");

	if (member_text(object, "error")[0]) {
		(void)puts("-  (no syslog message)");
		return;
	}
	(void)printf("%-15s %-24s %s", member_text(object, "class"),
		member_is_null(object, "address")
			? "-"
			: member_text(object, "address"),
		member_is_null(object, "rule") ? "-"
					       : member_text(object, "rule"));
	if (user[0])
		(void)printf("  user=%s", user);
	if (count > 1)
		(void)printf("  count=%lld", (long long)count);
	(void)putchar('\n');
}

static void
test_line(const char *line, size_t len, void *arg)
{
	struct testing *testing = arg;
	struct message message;
	struct match match = {.class = CLASS_NONE, .count = 1};
	bool readable = parse_line(testing->reader, line, len, &message) == 0;
	struct fjson_object *object;

	testing->lines++;
	if (readable) {
		(void)rules_match(testing->rules, &message, &match);
		match.count *= message.repeat;
	} else {
		testing->unreadable++;
	}
	object = object_of(&match, readable);
	if (testing->arguments->json)
		print_object(object);
	else
		print_words(object);
	if (testing->arguments->explain && readable &&
		!testing->arguments->json)
		explain_message(testing->rules, &message);
	fjson_object_put(object);
}

int
command_test(const struct arguments *arguments)
{
	struct testing testing = {.arguments = arguments};
	struct config *config = offline_config(arguments);
	char *error = NULL;
	int rc;

	if (!config)
		return STATUS_USAGE;
	testing.rules = offline_rules(config);
	config_free(config);
	if (!testing.rules)
		return STATUS_USAGE;
	if (rules_check(testing.rules, &error) < 0) {
		(void)complain(STATUS_USAGE, "warning: %s", error);
		free(error);
	}
	testing.reader = message_reader_new();
	rc = each_line(arguments->word_count ? arguments->words[0] : NULL,
		test_line, &testing);
	message_reader_free(testing.reader);
	rules_free(testing.rules);
	if (rc < 0)
		return STATUS_USAGE;
	if (testing.lines && testing.unreadable == testing.lines)
		return complain(STATUS_NOT_FOUND,
			"no line was a syslog message: neither rsyslog's JSON "
			"nor \"Nov 25 10:00:00 host tag[1]: text\"");
	return STATUS_DONE;
}
