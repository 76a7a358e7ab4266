/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loading, filtering, sorting. Kept small a ban: there may be a million.
 */
#include "command/list.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "command/past.h"
#include "common/xalloc.h"

static void
add(struct fjson_object *ban, void *arg)
{
	struct list *list = arg;
	const char *text = member_text(ban, "address"), *why;
	struct listed one = {.class = CLASS_NONE,
		.observed = member_flag(ban, "observed"),
		.counted = member(ban, "packets") != NULL,
		.count = member_number(ban, "count"),
		.level = member_number(ban, "level"),
		.from_s = member_number(ban, "from"),
		.until_s = member_number(ban, "until"),
		.packets = member_number(ban, "packets"),
		.bytes = member_number(ban, "bytes")};

	if (network_parse(text, strlen(text), &one.net, &why) < 0)
		return;
	if (!member_is_null(ban, "class"))
		one.class = class_by_name(member_text(ban, "class"));
	if (list->count == list->room) {
		list->room = list->room ? list->room * 2 : 1024;
		list->items =
			xreallocarray(list->items, list->room, sizeof(one));
	}
	list->items[list->count++] = one;
}

static int
load_from_ledger(struct list *list, const struct arguments *arguments)
{
	struct config *config = offline_config(arguments);
	const char *why = NULL;
	struct fjson_object *rows;
	struct past *past;

	if (!config)
		return STATUS_USAGE;
	past = past_open(config->state, &why);
	config_free(config);
	if (!past)
		return complain(STATUS_NOT_RUNNING,
			"ommailban is not running, and the ledger can't be "
			"read: %s",
			why);
	(void)complain(STATUS_DONE,
		"ommailban is not running: these are the bans that the ledger "
		"has in force");
	rows = past_bans_in_force(past, (int64_t)time(NULL));
	for (int i = 0; rows && i < fjson_object_array_length(rows); i++)
		add(fjson_object_array_get_idx(rows, i), list);
	fjson_object_put(rows);
	past_close(past);
	list->from_ledger = true;
	return STATUS_DONE;
}

int
list_load(struct list *list, const struct arguments *arguments, bool counters)
{
	struct fjson_object *request = request_of("list");
	int status;

	if (counters)
		fjson_object_object_add(
			request, "counters", fjson_object_new_boolean(1));
	if (arguments->sort && !strcmp(arguments->sort, "packets"))
		fjson_object_object_add(
			request, "insist", fjson_object_new_boolean(1));
	status = ask_if_running(arguments, request, add, list);
	if (status == STATUS_NOT_RUNNING)
		status = load_from_ledger(list, arguments);
	return status;
}

void
list_free(struct list *list)
{
	free(list->items);
	*list = (struct list){.items = NULL};
}

bool
list_filter(struct list *list, const char *class)
{
	bool by_hand = !strcmp(class, "by-hand");
	enum class wanted = by_hand ? CLASS_NONE : class_by_name(class);
	size_t kept = 0;

	if (!by_hand && wanted >= CLASS_OFFENCES)
		return false;
	for (size_t i = 0; i < list->count; i++)
		if (list->items[i].class == wanted)
			list->items[kept++] = list->items[i];
	list->count = kept;
	return true;
}

/* --- sorting --- */

static int
compare_numbers(int64_t a, int64_t b)
{
	return a < b ? -1 : a > b;
}

static int
by_address(const void *a, const void *b)
{
	return network_compare(&((const struct listed *)a)->net,
		&((const struct listed *)b)->net);
}

/* The newest first. */
static int
by_from(const void *a, const void *b)
{
	int order = compare_numbers(((const struct listed *)b)->from_s,
		((const struct listed *)a)->from_s);

	return order ? order : by_address(a, b);
}

/* The next to end first; those that never end last. */
static int
by_until(const void *a, const void *b)
{
	int64_t one = ((const struct listed *)a)->until_s;
	int64_t other = ((const struct listed *)b)->until_s;
	int order = compare_numbers(
		one ? one : INT64_MAX, other ? other : INT64_MAX);

	return order ? order : by_address(a, b);
}

static int
by_count(const void *a, const void *b)
{
	int order = compare_numbers(((const struct listed *)b)->count,
		((const struct listed *)a)->count);

	return order ? order : by_address(a, b);
}

static int
by_packets(const void *a, const void *b)
{
	int order = compare_numbers(((const struct listed *)b)->packets,
		((const struct listed *)a)->packets);

	return order ? order : by_address(a, b);
}

bool
list_sort(struct list *list, const char *key)
{
	static const struct {
		const char *key;
		int (*compare)(const void *, const void *);
	} keys[] = {{"address", by_address}, {"from", by_from},
		{"until", by_until}, {"count", by_count},
		{"packets", by_packets}};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (strcmp(key, keys[i].key))
			continue;
		if (list->count)
			qsort(list->items, list->count, sizeof(struct listed),
				keys[i].compare);
		return true;
	}
	return false;
}

/* --- the order of sort -V --- */

static int
order_of(char c)
{
	if (isdigit((unsigned char)c) || !c)
		return 0;
	if (isalpha((unsigned char)c))
		return (unsigned char)c;
	return (unsigned char)c + 256;
}

static int
compare_digits(const char **a, const char **b)
{
	size_t len_a, len_b;
	int order;

	*a += strspn(*a, "0");
	*b += strspn(*b, "0");
	len_a = strspn(*a, "0123456789");
	len_b = strspn(*b, "0123456789");
	order = len_a != len_b ? (len_a < len_b ? -1 : 1)
			       : strncmp(*a, *b, len_a);
	*a += len_a;
	*b += len_b;
	return order;
}

int
version_compare(const char *a, const char *b)
{
	const char *one = a, *other = b;

	while (*one || *other) {
		int order;

		while ((*one && !isdigit((unsigned char)*one)) ||
			(*other && !isdigit((unsigned char)*other))) {
			order = order_of(*one) - order_of(*other);
			if (order)
				return order;
			one++;
			other++;
		}
		order = compare_digits(&one, &other);
		if (order)
			return order;
	}
	return strcmp(a, b);
}
