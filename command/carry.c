/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mailban import: bans what a list of another program holds, a thousand a
 * request, so that rsyslog is answered in between.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command/addresses.h"
#include "command/command.h"

enum {
	BATCH = 1000,
	/* Where neither the list nor --for says how long: the longest that a
	 * ban of mailban's own lasts. Addresses change hands. */
	STANDARD_S = 28 * 86400,
	BAR = 40,
};

struct carrying {
	const struct arguments *arguments;
	const char *source;
	int64_t for_s; /* of --for; 0: not given */
	int64_t banned, already, exempt, too_wide, bad;
};

static void
add_up(struct fjson_object *answer, void *arg)
{
	struct carrying *carrying = arg;

	carrying->banned += member_number(answer, "banned");
	carrying->already += member_number(answer, "already");
	carrying->exempt += member_number(answer, "exempt");
	carrying->too_wide += member_number(answer, "too_wide");
	carrying->bad += member_number(answer, "bad");
}

static void
show_progress(size_t done, size_t all)
{
	static const char full[] = "########################################";
	size_t filled = all ? done * BAR / all : BAR;

	if (!isatty(STDERR_FILENO))
		return;
	(void)fprintf(stderr, "\r[%.*s%*s] %zu of %zu%s", (int)filled, full,
		(int)(BAR - filled), "", done, all, done == all ? "\n" : "");
}

static struct fjson_object *
batch_of(const struct carrying *carrying, const struct address *items,
	size_t count)
{
	struct fjson_object *request = request_of("import");
	struct fjson_object *list = fjson_object_new_array();
	char text[NETWORK_STRLEN];

	for (size_t i = 0; i < count; i++) {
		struct fjson_object *address = fjson_object_new_string(
			network_format(&items[i].net, text));
		struct fjson_object *pair;

		if (carrying->for_s || !items[i].for_s) {
			fjson_object_array_add(list, address);
			continue;
		}
		pair = fjson_object_new_array();
		fjson_object_array_add(pair, address);
		fjson_object_array_add(
			pair, fjson_object_new_int64(items[i].for_s));
		fjson_object_array_add(list, pair);
	}
	add_text(request, "source", carrying->source);
	add_number(request, "for_s",
		carrying->for_s ? carrying->for_s : STANDARD_S);
	fjson_object_object_add(request, "addresses", list);
	return request;
}

static int
send_batches(struct carrying *carrying, const struct addresses *list)
{
	int status = STATUS_DONE;
	struct talk *talk = talk_open(carrying->arguments, false, &status);

	if (!talk)
		return status;
	for (size_t at = 0; status == STATUS_DONE && at < list->count;) {
		size_t count =
			list->count - at < BATCH ? list->count - at : BATCH;

		status = talk_request(talk,
			batch_of(carrying, list->items + at, count), add_up,
			carrying);
		at += count;
		show_progress(at, list->count);
	}
	talk_close(talk);
	return status;
}

static void
print_result(const struct carrying *carrying, const struct addresses *list,
	int width)
{
	(void)printf("%-*s %zu, %s\n", width, "found", list->count, list->kind);
	(void)printf(
		"%-*s %lld\n", width, "banned", (long long)carrying->banned);
	if (carrying->already)
		(void)printf("%-*s %lld, for as long or longer\n", width,
			"already", (long long)carrying->already);
	if (carrying->exempt)
		(void)printf("%-*s %lld, not banned (mailban exempt list)\n",
			width, "exempt", (long long)carrying->exempt);
	if (carrying->too_wide)
		(void)printf("%-*s %lld, not banned (widest_ipv4, widest_ipv6 "
			     "of mailban.conf)\n",
			width, "too wide", (long long)carrying->too_wide);
	if (list->bad)
		(void)printf("%-*s %zu; line %zu: '%s'\n", width, "no address",
			list->bad, list->bad_line, list->bad_text);
}

static void
print_result_json(const struct carrying *carrying, const struct addresses *list)
{
	struct fjson_object *object = fjson_object_new_object();

	add_text(object, "kind", list->kind);
	add_number(object, "found", (int64_t)list->count);
	add_number(object, "banned", carrying->banned);
	add_number(object, "already", carrying->already);
	add_number(object, "exempt", carrying->exempt);
	add_number(object, "too_wide", carrying->too_wide);
	add_number(object, "no_address", (int64_t)list->bad);
	print_object(object);
	fjson_object_put(object);
}

/* The file's own name, unless --source says better. */
static const char *
source_of(const struct arguments *arguments)
{
	const char *path = arguments->words[0];
	const char *slash = strrchr(path, '/');

	if (arguments->source)
		return arguments->source;
	return !strcmp(path, "-") ? "stdin" : slash ? slash + 1 : path;
}

static int
carry(struct carrying *carrying, struct addresses *list)
{
	const char *path = carrying->arguments->words[0], *why = NULL;
	int status;

	if (addresses_read(path, list, &why) < 0)
		return complain(STATUS_USAGE, "%s: %s", path, why);
	if (!list->count)
		return complain(list->bad ? STATUS_USAGE : STATUS_NOT_FOUND,
			"%s: a %s without an address%s%s", path, list->kind,
			list->bad ? ", such as " : "", list->bad_text);
	status = send_batches(carrying, list);
	if (status != STATUS_DONE)
		return status;
	if (carrying->arguments->json)
		print_result_json(carrying, list);
	else
		print_result(carrying, list, 10);
	return carrying->banned ? STATUS_DONE : STATUS_NOT_FOUND;
}

int
command_import(const struct arguments *arguments)
{
	struct carrying carrying = {
		.arguments = arguments, .source = source_of(arguments)};
	struct addresses list = {.items = NULL};
	int status = STATUS_DONE;

	if (arguments->for_time)
		status = parse_time(arguments->for_time, &carrying.for_s);
	if (status == STATUS_DONE)
		status = carry(&carrying, &list);
	addresses_free(&list);
	return status;
}
