/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libnftables' JSON, put together from small builders. What the shapes mean is
 * in libnftables-json(5); that nftables 1.0.6 takes them is tested in
 * tests/e2e/10-kernel.sh.
 */
#include "helper/command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/duration.h"
#include "helper/value.h"

/* Far above what is designed for: room for elements that are deleted and
 * added in one transaction, too. The kernel allocates as they come. */
enum { SET_SIZE = 4 << 20 };

const struct command_set command_sets[COMMAND_SETS] = {
	{"exempt4", COMMAND_EXEMPT, ADDR_V4},
	{"exempt6", COMMAND_EXEMPT, ADDR_V6},
	{"ban4", COMMAND_CLIENTS, ADDR_V4},
	{"ban6", COMMAND_CLIENTS, ADDR_V6},
	{"net4", COMMAND_WIDE, ADDR_V4},
	{"net6", COMMAND_WIDE, ADDR_V6},
	{"spare4", COMMAND_SPARE, ADDR_V4},
	{"spare6", COMMAND_SPARE, ADDR_V6},
};

/* The next set of that kind after set (NULL: the first), or NULL. */
static const struct command_set *
next_set(const struct command_set *set, enum command_kind kind)
{
	set = set ? set + 1 : command_sets;
	for (; set < command_sets + COMMAND_SETS; set++)
		if (set->kind == kind)
			return set;
	return NULL;
}

/* ---- Parts of all commands ---- */

void
command_begin(struct command *command, const char *table)
{
	command->table = table;
	command->list = value_array();
	command->root = value_map("nftables", command->list, NULL);
}

bool
command_is_empty(const struct command *command)
{
	return value_count(command->list) == 0;
}

const char *
command_text(struct command *command)
{
	return value_write(command->root);
}

void
command_free(struct command *command)
{
	value_free(command->root);
	command->root = command->list = NULL;
}

/* {verb: {kind: what}} */
static void
add_command(struct command *command, const char *verb, const char *kind,
	struct fjson_object *what)
{
	value_append(command->list,
		value_map(verb, value_map(kind, what, NULL), NULL));
}

static struct fjson_object *
table_object(const struct command *command)
{
	return value_map("family", value_text("inet"), "name",
		value_text(command->table), NULL);
}

/* The beginning of every object in our table. */
static struct fjson_object *
named(const struct command *command, const char *name)
{
	return value_map("family", value_text("inet"), "table",
		value_text(command->table), "name", value_text(name), NULL);
}

static void
flush_set(struct command *command, const struct command_set *set)
{
	add_command(command, "flush", "set", named(command, set->name));
}

static void
change_elements(struct command *command, const char *verb,
	const struct command_set *set, struct fjson_object *elements)
{
	struct fjson_object *what;

	if (value_count(elements) == 0) {
		value_free(elements);
		return;
	}
	what = named(command, set->name);
	value_put(what, "elem", elements);
	add_command(command, verb, "element", what);
}

/* A network as an interval set takes it, or a single address. */
static struct fjson_object *
network_value(const struct network *net, bool wide)
{
	char address[ADDR_STRLEN];
	struct fjson_object *value =
		value_text(addr_format(&net->addr, address));

	if (!wide || net->prefix == addr_bits(&net->addr))
		return value;
	return value_map("prefix",
		value_map(
			"addr", value, "len", value_number(net->prefix), NULL),
		NULL);
}

static struct fjson_object *
element(const struct network *net, bool wide, int64_t end_ms, int64_t now_ms)
{
	struct fjson_object *value = network_value(net, wide);
	int64_t timeout_s;

	if (end_ms == WANT_PERMANENT)
		return value;
	/* Rounded up, so that no ban ends early. */
	timeout_s = (end_ms - now_ms + 999) / 1000;
	if (timeout_s > DURATION_MAX_S)
		timeout_s = DURATION_MAX_S;
	return value_map("elem",
		value_map(
			"val", value, "timeout", value_number(timeout_s), NULL),
		NULL);
}

/* ---- The table ---- */

static bool
is_interval(const struct command_set *set)
{
	return set->kind == COMMAND_EXEMPT || set->kind == COMMAND_WIDE;
}

static void
add_set(struct command *command, const struct command_set *set)
{
	struct fjson_object *what = named(command, set->name);
	struct fjson_object *flags = value_array();

	if (is_interval(set))
		value_append(flags, value_text("interval"));
	if (set->kind != COMMAND_EXEMPT) {
		value_append(flags, value_text("timeout"));
		value_put(what, "size", value_number(SET_SIZE));
		value_put(what, "stmt",
			value_list(value_map("counter", NULL, NULL), NULL));
	}
	value_put(what, "type",
		value_text(set->family == ADDR_V4 ? "ipv4_addr" : "ipv6_addr"));
	value_put(what, "flags", flags);
	add_command(command, "add", "set", what);
}

static void
add_chains(struct command *command)
{
	struct fjson_object *base = named(command, "prerouting");

	value_put(base, "type", value_text("filter"));
	value_put(base, "hook", value_text("prerouting"));
	value_put(base, "prio", value_number(-300));
	value_put(base, "policy", value_text("accept"));
	add_command(command, "add", "chain", base);
	add_command(command, "add", "chain", named(command, "banned"));
	add_command(command, "flush", "chain", named(command, "prerouting"));
	add_command(command, "flush", "chain", named(command, "banned"));
}

static void
add_rule(struct command *command, const char *chain, struct fjson_object *first,
	struct fjson_object *second)
{
	add_command(command, "add", "rule",
		value_map("family", value_text("inet"), "table",
			value_text(command->table), "chain", value_text(chain),
			"expr", value_list(first, second), NULL));
}

static struct fjson_object *
match(const char *op, struct fjson_object *left, struct fjson_object *right)
{
	return value_map("match",
		value_map("op", value_text(op), "left", left, "right", right,
			NULL),
		NULL);
}

static struct fjson_object *
meta(const char *key)
{
	return value_map("meta", value_map("key", value_text(key), NULL), NULL);
}

static struct fjson_object *
payload(const char *protocol, const char *field)
{
	return value_map("payload",
		value_map("protocol", value_text(protocol), "field",
			value_text(field), NULL),
		NULL);
}

static struct fjson_object *
accept_it(void)
{
	return value_map("return", NULL, NULL);
}

/* Other ports and protocols are none of our business. */
static void
add_port_rules(struct command *command, const struct wire_options *options)
{
	struct fjson_object *ports;

	if (options->port_count == 0)
		return;
	ports = value_array();
	for (size_t i = 0; i < options->port_count; i++)
		value_append(ports, value_number(options->ports[i]));
	add_rule(command, "prerouting",
		match("!=", meta("l4proto"), value_text("tcp")), accept_it());
	add_rule(command, "prerouting",
		match("!=", payload("tcp", "dport"),
			value_map("set", ports, NULL)),
		accept_it());
}

static struct fjson_object *
source(const struct command_set *set, const struct wire_options *options)
{
	struct addr ones = {.family = ADDR_V6};
	struct fjson_object *address;
	struct network mask;
	char formatted[ADDR_STRLEN];

	if (set->family == ADDR_V4)
		return payload("ip", "saddr");
	address = payload("ip6", "saddr");
	if (is_interval(set) || options->prefix6 == 128)
		return address;
	memset(ones.bytes, 0xff, sizeof(ones.bytes));
	mask = network_of(&ones, options->prefix6);
	return value_map("&",
		value_list(address,
			value_text(addr_format(&mask.addr, formatted))),
		NULL);
}

static void
add_set_rule(struct command *command, const struct command_set *set,
	const struct wire_options *options)
{
	char name[16];

	(void)snprintf(name, sizeof(name), "@%s", set->name);
	add_rule(command, "prerouting",
		match("==", source(set, options), value_text(name)),
		set->kind == COMMAND_EXEMPT
			? accept_it()
			: value_map("goto",
				  value_map(
					  "target", value_text("banned"), NULL),
				  NULL));
}

static void
add_banned_rules(struct command *command, const struct wire_options *options)
{
	if (options->log)
		add_rule(command, "banned",
			value_map("limit",
				value_map("rate",
					value_number(options->log_per_minute),
					"per", value_text("minute"), "burst",
					value_number(options->log_burst), NULL),
				NULL),
			value_map("log",
				value_map("prefix",
					value_text(options->log_prefix), NULL),
				NULL));
	add_rule(command, "banned", value_map("drop", NULL, NULL), NULL);
}

static void
add_set_rules(struct command *command, const struct wire_options *options,
	enum command_kind kind)
{
	const struct command_set *set = NULL;

	while ((set = next_set(set, kind)))
		add_set_rule(command, set, options);
}

void
command_install(struct command *command, const struct wire_options *options,
	enum command_spare spare)
{
	const struct command_set *set = NULL;

	add_command(command, "add", "table", table_object(command));
	for (size_t i = 0; i < COMMAND_SETS; i++)
		if (command_sets[i].kind != COMMAND_SPARE ||
			spare != COMMAND_NO_SPARE)
			add_set(command, &command_sets[i]);
	add_chains(command);
	add_rule(command, "prerouting",
		match("==", meta("iif"), value_text("lo")), accept_it());
	add_set_rules(command, options, COMMAND_EXEMPT);
	add_port_rules(command, options);
	/* A chain of its own, so that the sets, which count each packet they
	 * are asked about, are asked once: by one rule, not by a log rule and
	 * a drop rule. */
	add_set_rules(command, options, COMMAND_CLIENTS);
	add_set_rules(command, options, COMMAND_WIDE);
	if (spare == COMMAND_WITH_SPARE)
		add_set_rules(command, options, COMMAND_SPARE);
	add_banned_rules(command, options);
	while (spare == COMMAND_DROP_SPARE &&
		(set = next_set(set, COMMAND_SPARE)))
		add_command(
			command, "delete", "set", named(command, set->name));
}

void
command_remove(struct command *command)
{
	add_command(command, "add", "table", table_object(command));
	add_command(command, "delete", "table", table_object(command));
}

void
command_list(struct command *command, const char *set)
{
	if (set)
		add_command(command, "list", "set", named(command, set));
	else
		add_command(command, "list", "ruleset",
			value_map("family", value_text("inet"), NULL));
}

/* ---- What the sets hold ---- */

void
command_exempt(struct command *command, const struct netset *exempt)
{
	const struct command_set *set = NULL;

	while ((set = next_set(set, COMMAND_EXEMPT))) {
		struct fjson_object *elements;

		elements = value_array();
		for (size_t i = 0; i < exempt->count; i++)
			if (exempt->items[i].addr.family == set->family)
				value_append(elements,
					network_value(&exempt->items[i], true));
		flush_set(command, set);
		change_elements(command, "add", set, elements);
	}
}

static void
change_clients(struct command *command, const struct command_set *set,
	const struct command_clients *clients)
{
	struct fjson_object *old = value_array(), *now = value_array();

	for (size_t i = 0; i < clients->count; i++) {
		const struct want *want = clients->items[i];

		if (want->net.addr.family != set->family)
			continue;
		if (want->present && want->change == WANT_NEW)
			value_append(old, network_value(&want->net, false));
		if (want->end_ms > clients->now_ms)
			value_append(
				now, element(&want->net, false, want->end_ms,
					     clients->now_ms));
	}
	change_elements(command, "add", set, value_keep(old));
	change_elements(command, "delete", set, old);
	change_elements(command, "add", set, now);
}

void
command_clients(struct command *command, const struct command_clients *clients)
{
	enum command_kind kind =
		clients->spare ? COMMAND_SPARE : COMMAND_CLIENTS;
	const struct command_set *set = NULL;

	while ((set = next_set(set, kind)))
		change_clients(command, set, clients);
}

void
command_forget(struct command *command)
{
	const struct command_set *set = NULL;

	while ((set = next_set(set, COMMAND_CLIENTS)))
		flush_set(command, set);
}

void
command_wide(struct command *command, const struct wants *wants, int64_t now_ms)
{
	const struct command_set *set = NULL;

	while ((set = next_set(set, COMMAND_WIDE))) {
		struct fjson_object *elements;
		struct want_part *parts;
		size_t count;

		count = want_parts(wants, set->family, now_ms, &parts);
		elements = value_array();
		for (size_t i = 0; i < count; i++)
			value_append(
				elements, element(&parts[i].net, true,
						  parts[i].end_ms, now_ms));
		free(parts);
		flush_set(command, set);
		change_elements(command, "add", set, elements);
	}
}
