/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is wanted is written in transactions of some thousand elements:
 * measured, that is as fast as one file given to nft, and much faster than one
 * element at a time. Mending writes all that is wanted again, which does no
 * harm to what is there.
 */
#include "helper/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/log.h"

enum {
	SLICE = 5000,
	/* As many in one transaction take 250 MB. */
	REWRITE_MAX = 100000,
	/* nft needs 1.3 s to list 100,000 elements, 98 s for a million. */
	LIST_MAX = 200000,
};

int64_t
table_now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_BOOTTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Ours are not listened to. What is noticed meanwhile must not touch wants,
 * which are being written. */
static int
run(struct table *table, struct command *command)
{
	uint32_t before = table->nft.commits;
	int result;

	table->running = true;
	watch_pause(&table->watch);
	result = nft_run(&table->nft, command);
	watch_resume(&table->watch, table->nft.commits - before);
	table->running = false;
	return result;
}

static void
clients_command(struct table *table, struct command *command,
	struct want *const *clients, size_t count)
{
	command_clients(command, &(struct command_clients){clients, count,
					 table_now_ms(), table->spare});
}

static int
write_clients(struct table *table, struct want *const *clients, size_t count)
{
	struct command command;

	command_begin(&command, table->nft.table);
	clients_command(table, &command, clients, count);
	if (!command_is_empty(&command))
		return run(table, &command);
	command_free(&command);
	return 0;
}

/* All of these; when some are refused, all but those. Those that are done with
 * become NULL. */
static int
write_slice(struct table *table, struct want **clients, size_t count)
{
	int result = write_clients(table, clients, count);

	if (result == 0) {
		for (size_t i = 0; i < count; i++) {
			want_told(&table->wants, clients[i]);
			clients[i] = NULL;
		}
		return 0;
	}
	if (nft_is_general(result))
		return result;
	if (count == 1) {
		table->refused(&clients[0]->net, result, clients[0]->by);
		want_refused(&table->wants, clients[0]);
		clients[0] = NULL;
		return 0;
	}
	result = write_slice(table, clients, count / 2);
	if (result < 0)
		return result;
	return write_slice(table, clients + count / 2, count - count / 2);
}

static int
write_wide(struct table *table)
{
	struct command command;
	int result;

	if (!table->wants.wide_changed)
		return 0;
	command_begin(&command, table->nft.table);
	command_wide(&command, &table->wants, table_now_ms());
	result = run(table, &command);
	if (result == 0)
		table->wants.wide_changed = false;
	return result;
}

int
table_write(struct table *table)
{
	struct wants *wants = &table->wants;
	int result = write_wide(table);
	size_t done = 0, count;

	while (result == 0 && done < wants->changed_count) {
		count = wants->changed_count - done;
		if (count > SLICE)
			count = SLICE;
		result = write_slice(table, wants->changed + done, count);
		done += count;
	}
	want_compact(wants);
	return result;
}

static int
run_install(struct table *table, bool anew)
{
	enum command_spare spare = table->unknown  ? COMMAND_WITH_SPARE
				   : table->spares ? COMMAND_DROP_SPARE
						   : COMMAND_NO_SPARE;
	struct command command;
	int result;

	command_begin(&command, table->nft.table);
	if (anew)
		command_remove(&command);
	command_install(&command, &table->options, spare);
	command_exempt(&command, &table->exempt);
	result = run(table, &command);
	if (result == 0)
		table->spares = table->unknown;
	return result;
}

int
table_install(struct table *table)
{
	int result = run_install(table, false);

	/* What is there is not what an earlier version or we made. */
	if (result == -EEXIST || result == -EBUSY || result == -EOPNOTSUPP ||
		result == -EINVAL) {
		log_warn("remake table=%s: what is there is not ours",
			table->nft.table);
		result = run_install(table, true);
		if (result == 0)
			want_mend_all(&table->wants, true);
	}
	if (result < 0)
		return result;
	table->installed = true;
	free(table->described);
	table->described = nft_describe(&table->nft);
	return 0;
}

/* The sets of clients are emptied and filled in one transaction. */
static int
rewrite_at_once(struct table *table)
{
	struct wants *wants = &table->wants;
	struct command command;
	int result;

	command_begin(&command, table->nft.table);
	command_forget(&command);
	clients_command(table, &command, wants->changed, wants->changed_count);
	result = run(table, &command);
	if (result < 0)
		return result;
	for (size_t i = 0; i < wants->changed_count; i++)
		want_told(wants, wants->changed[i]);
	wants->changed_count = 0;
	return 0;
}

/* The same by way of the spare sets, which takes longer but little memory,
 * and lets a bad element be found. */
static int
rewrite_slowly(struct table *table)
{
	struct command command;
	int result;

	table->spare = true;
	result = table_write(table);
	table->spare = false;
	if (result < 0)
		return result;
	command_begin(&command, table->nft.table);
	command_forget(&command);
	result = run(table, &command);
	if (result < 0)
		return result;
	want_mend_all(&table->wants, true);
	return table_write(table);
}

/* What is in the sets is replaced: what stays banned is banned all the while,
 * and what is not known here goes. The spare sets are there. */
int
table_rewrite(struct table *table)
{
	int result = -EINVAL;

	want_mend_all(&table->wants, true);
	if (table->wants.changed_count <= REWRITE_MAX)
		result = rewrite_at_once(table);
	if (result < 0 && !nft_is_general(result))
		result = rewrite_slowly(table);
	if (result == 0)
		result = write_wide(table);
	if (result < 0)
		return result;
	table->unknown = false;
	return table_install(table); /* without the spare sets */
}

int
table_mend(struct table *table)
{
	int result = table_install(table);

	if (result < 0)
		return result;
	want_mend_all(&table->wants, false);
	return table_write(table);
}

int
table_write_exempt(struct table *table)
{
	struct command command;

	if (!table->installed)
		return 0;
	command_begin(&command, table->nft.table);
	command_exempt(&command, &table->exempt);
	return run(table, &command);
}

bool
table_find(struct table *table)
{
	free(table->described);
	table->described = nft_describe(&table->nft);
	return table->described != NULL;
}

bool
table_is_changed(struct table *table)
{
	char *now = nft_describe(&table->nft);
	bool changed =
		!now || !table->described || strcmp(now, table->described) != 0;

	free(now);
	return changed;
}

int
table_list(struct table *table,
	void (*item)(const struct wire_item *item, void *arg), void *arg)
{
	int result = table->wants.count > LIST_MAX ? -E2BIG : 0;

	for (size_t i = 0; result == 0 && i < COMMAND_SETS; i++)
		if (command_sets[i].kind == COMMAND_CLIENTS ||
			command_sets[i].kind == COMMAND_WIDE)
			result = nft_list(&table->nft, &command_sets[i],
				table->wants.prefix6, item, arg);
	return result;
}

int
table_remove(struct table *table)
{
	struct command command;
	int result;

	command_begin(&command, table->nft.table);
	command_remove(&command);
	result = run(table, &command);
	if (result < 0)
		return result;
	want_free(&table->wants);
	free(table->described);
	table->described = NULL;
	table->installed = table->unknown = table->spares = false;
	return 0;
}
