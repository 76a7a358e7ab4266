/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mailban list and mailban export: the bans in force, for people and for other
 * programs.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "command/list.h"
#include "command/show.h"
#include "common/xalloc.h"

static const char *
class_text(const struct listed *ban)
{
	return ban->class == CLASS_NONE ? "by hand" : class_name(ban->class);
}

static void
print_row(const struct listed *ban)
{
	char text[NETWORK_STRLEN], left[SHOW_AGO_LEN], since[SHOW_AGO_LEN];
	char packets[24] = "-";

	if (ban->counted)
		(void)snprintf(
			packets, sizeof(packets), "%" PRId64, ban->packets);
	(void)printf("%-39s %-15s %6" PRId64 " %9s  %-12s %s%s\n",
		network_format(&ban->net, text), class_text(ban), ban->count,
		packets,
		ban->until_s ? show_left(ban->until_s, left) : "for ever",
		show_ago(ban->from_s, since),
		ban->observed ? " (observed)" : "");
}

static void
print_object_of(const struct listed *ban)
{
	struct fjson_object *object = fjson_object_new_object();
	char text[NETWORK_STRLEN];

	add_text(object, "address", network_format(&ban->net, text));
	add_text(object, "class",
		ban->class == CLASS_NONE ? NULL : class_name(ban->class));
	add_number(object, "count", ban->count);
	add_number(object, "level", ban->level);
	add_number(object, "from", ban->from_s);
	if (ban->until_s)
		add_number(object, "until", ban->until_s);
	else
		add_text(object, "until", NULL);
	fjson_object_object_add(
		object, "observed", fjson_object_new_boolean(ban->observed));
	if (ban->counted) {
		add_number(object, "packets", ban->packets);
		add_number(object, "bytes", ban->bytes);
	}
	print_object(object);
	fjson_object_put(object);
}

static void
print_list(const struct list *list, bool json)
{
	if (!json && list->count)
		(void)printf("%s%-39s %-15s %6s %9s  %-12s %s%s\n",
			show_style(SHOW_BOLD), "ADDRESS", "CLASS", "COUNT",
			"DROPPED", "LEFT", "SINCE", show_style(SHOW_PLAIN));
	for (size_t i = 0; i < list->count; i++) {
		if (json)
			print_object_of(&list->items[i]);
		else
			print_row(&list->items[i]);
	}
	if (!json && !list->count)
		(void)puts("no bans in force");
}

int
command_list(const struct arguments *arguments)
{
	struct list list = {.items = NULL};
	int status = list_load(&list, arguments, true);

	if (status == STATUS_DONE && arguments->class &&
		!list_filter(&list, arguments->class))
		status = complain(STATUS_USAGE,
			"--class: '%s' is none of auth-failure, "
			"unknown-client, rejected, protocol-abuse, spam, "
			"by-hand",
			arguments->class);
	if (status == STATUS_DONE &&
		!list_sort(&list, arguments->sort ? arguments->sort : "from"))
		status = complain(STATUS_USAGE,
			"--sort: '%s' is none of address, from, until, count, "
			"packets",
			arguments->sort);
	if (status == STATUS_DONE)
		print_list(&list, arguments->json);
	list_free(&list);
	return status;
}

/* --- export --- */

static int
compare_texts(const void *a, const void *b)
{
	return version_compare(*(char *const *)a, *(char *const *)b);
}

/* Sorted as sort -V does, each once (the ledger may name one twice). */
static void
export_list(const struct list *list)
{
	char **texts = xcalloc(list->count + 1, sizeof(*texts));
	char text[NETWORK_STRLEN];

	for (size_t i = 0; i < list->count; i++)
		texts[i] = xstrdup(network_format(&list->items[i].net, text));
	qsort(texts, list->count, sizeof(*texts), compare_texts);
	for (size_t i = 0; i < list->count; i++)
		if (!i || strcmp(texts[i], texts[i - 1]))
			(void)puts(texts[i]);
	for (size_t i = 0; i < list->count; i++)
		free(texts[i]);
	free(texts);
}

/* One set a family: "nft -f" takes it into any table. */
static void
export_set(const struct list *list, uint8_t family)
{
	char text[NETWORK_STRLEN];
	size_t count = 0;

	(void)printf("\tset mailban%d {\n\t\ttype ipv%d_addr\n"
		     "\t\tflags interval, timeout\n",
		family == ADDR_V4 ? 4 : 6, family == ADDR_V4 ? 4 : 6);
	(void)puts("\t\tauto-merge");
	for (size_t i = 0; i < list->count; i++) {
		const struct listed *ban = &list->items[i];

		if (ban->net.addr.family != family)
			continue;
		(void)printf("%s\t\t\t%s",
			count++ ? ",\n" : "\t\telements = {\n",
			network_format(&ban->net, text));
		if (ban->until_s > (int64_t)time(NULL))
			(void)printf(" timeout %" PRId64 "s",
				ban->until_s - (int64_t)time(NULL));
	}
	(void)puts(count ? "\n\t\t}\n\t}" : "\t}");
}

int
command_export(const struct arguments *arguments)
{
	const char *format = arguments->json	 ? "json"
			     : arguments->format ? arguments->format
						 : "list";
	struct list list = {.items = NULL};
	int status;

	if (strcmp(format, "list") && strcmp(format, "nft") &&
		strcmp(format, "json"))
		return complain(STATUS_USAGE,
			"--format: '%s' is none of list, nft, json", format);
	status = list_load(&list, arguments, false);
	if (status != STATUS_DONE)
		return status;
	(void)list_sort(&list, "address");
	if (!strcmp(format, "json")) {
		print_list(&list, true);
	} else if (!strcmp(format, "nft")) {
		(void)puts("table inet mailban_export {");
		export_set(&list, ADDR_V4);
		export_set(&list, ADDR_V6);
		(void)puts("}");
	} else {
		export_list(&list);
	}
	list_free(&list);
	return status;
}
