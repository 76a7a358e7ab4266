/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libnftables gives no errno, only text for people, in the C locale because
 * this program never sets another. Its error for what the kernel refused ends
 * in strerror(), and that is what is looked for.
 */
#include "helper/nft.h"

#include <errno.h>
#include <libfastjson/json.h>
#include <nftables/libnftables.h>
#include <string.h>

#include "common/log.h"
#include "common/xalloc.h"
#include "helper/value.h"

void
nft_open(struct nft *nft, const char *table)
{
	*nft = (struct nft){
		.table = table, .context = nft_ctx_new(NFT_CTX_DEFAULT)};
	if (!nft->context || nft_ctx_buffer_output(nft->context) != 0 ||
		nft_ctx_buffer_error(nft->context) != 0)
		fatal("start error=\"libnftables gives no context\"");
	nft_ctx_output_set_flags(nft->context, NFT_CTX_OUTPUT_JSON);
}

void
nft_close(struct nft *nft)
{
	if (nft->context)
		nft_ctx_free(nft->context);
	nft->context = NULL;
}

static int
errno_of(const char *error)
{
	/* Those of the whole first: they may come with others. */
	static const int known[] = {EPERM, ENOMEM, ENOBUFS, ENFILE, ENOSPC,
		ENOENT, EAGAIN, EINTR, EEXIST, ERANGE, EBUSY, EOPNOTSUPP};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strstr(error, strerror(known[i])))
			return -known[i];
	return -EINVAL;
}

bool
nft_is_general(int error)
{
	return error != -EINVAL && error != -EEXIST && error != -ERANGE;
}

static int
run(struct nft *nft, struct command *command)
{
	const char *text = command_text(command);
	int failed = nft_run_cmd_from_buffer(nft->context, text);
	const char *error = nft_ctx_get_error_buffer(nft->context);
	char shown[400];
	int result = 0;

	if (failed) {
		result = errno_of(error);
		log_debug("nft errno=%d error=\"%s\"", -result,
			text_escape(
				error, strlen(error), shown, sizeof(shown)));
	}
	command_free(command);
	return result;
}

int
nft_run(struct nft *nft, struct command *command)
{
	int result = run(nft, command);

	if (result == 0)
		nft->commits++;
	/* Emptied, or it grows. */
	(void)nft_ctx_get_output_buffer(nft->context);
	return result;
}

/* What a list answers; borrowed until the next command. */
static int
list(struct nft *nft, const char *set, const char **answer)
{
	struct command command;
	int result;

	command_begin(&command, nft->table);
	command_list(&command, set);
	result = run(nft, &command);
	*answer = nft_ctx_get_output_buffer(nft->context);
	return result;
}

/* {kind: {..., "table": name}}, and {"table": {..., "name": name}}. */
static bool
is_ours(const struct nft *nft, struct fjson_object *object)
{
	struct fjson_object_iterator at, end;
	struct fjson_object *body, *name;

	if (!fjson_object_is_type(object, fjson_type_object))
		return false;
	at = fjson_object_iter_begin(object);
	end = fjson_object_iter_end(object);
	if (fjson_object_iter_equal(&at, &end))
		return false;
	body = fjson_object_iter_peek_value(&at);
	name = value_get(body, value_get(object, "table") ? "name" : "table");
	return fjson_object_is_type(name, fjson_type_string) &&
	       strcmp(fjson_object_get_string(name), nft->table) == 0;
}

char *
nft_describe(struct nft *nft)
{
	struct fjson_object *root, *all, *ours;
	const char *answer;
	char *described = NULL;
	int result;

	nft_ctx_output_set_flags(
		nft->context, NFT_CTX_OUTPUT_JSON | NFT_CTX_OUTPUT_TERSE);
	result = list(nft, NULL, &answer);
	nft_ctx_output_set_flags(nft->context, NFT_CTX_OUTPUT_JSON);
	if (result < 0)
		return NULL;
	root = fjson_tokener_parse(answer);
	all = value_get(root, "nftables");
	ours = value_array();
	for (int i = 0; i < value_count(all); i++) {
		struct fjson_object *object =
			fjson_object_array_get_idx(all, i);

		if (is_ours(nft, object))
			value_append(ours, value_keep(object));
	}
	if (value_count(ours) > 0)
		described = xstrdup(value_write(ours));
	value_free(ours);
	value_free(root);
	return described;
}

static int
read_network(struct fjson_object *value, uint8_t prefix, struct network *out)
{
	struct fjson_object *wide = value_get(value, "prefix");
	struct addr addr;
	const char *text;

	if (wide) {
		value = value_get(wide, "addr");
		prefix = (uint8_t)value_get_number(wide, "len");
	}
	if (!fjson_object_is_type(value, fjson_type_string))
		return -EBADMSG;
	text = fjson_object_get_string(value);
	if (addr_parse(text, strlen(text), &addr) < 0 ||
		prefix > addr_bits(&addr))
		return -EBADMSG;
	*out = network_of(&addr, prefix);
	return 0;
}

static int
read_element(
	struct fjson_object *element, uint8_t prefix, struct wire_item *out)
{
	struct fjson_object *inner = value_get(element, "elem"), *counter;

	*out = (struct wire_item){0};
	if (!inner)
		return read_network(element, prefix, &out->net);
	/* Whole seconds, cut: one that is about to end is not permanent. */
	if (value_get(inner, "timeout"))
		out->timeout_ms = value_get_number(inner, "expires") * 1000 + 1;
	counter = value_get(inner, "counter");
	out->packets = value_get_number(counter, "packets");
	out->bytes = value_get_number(counter, "bytes");
	return read_network(value_get(inner, "val"), prefix, &out->net);
}

static struct fjson_object *
find_elements(struct fjson_object *root)
{
	struct fjson_object *all = value_get(root, "nftables");

	for (int i = 0; i < value_count(all); i++) {
		struct fjson_object *set =
			value_get(fjson_object_array_get_idx(all, i), "set");

		if (set)
			return value_get(set, "elem");
	}
	return NULL;
}

int
nft_list(struct nft *nft, const struct command_set *set, uint8_t prefix6,
	void (*item)(const struct wire_item *item, void *arg), void *arg)
{
	uint8_t prefix = set->family == ADDR_V4 ? 32 : 128;
	struct fjson_object *root, *elements;
	struct wire_item element;
	const char *answer;
	int result = list(nft, set->name, &answer);

	if (result < 0)
		return result;
	if (set->kind == COMMAND_CLIENTS && set->family == ADDR_V6)
		prefix = prefix6;
	root = fjson_tokener_parse(answer);
	elements = find_elements(root);
	for (int i = 0; i < value_count(elements); i++)
		if (read_element(fjson_object_array_get_idx(elements, i),
			    prefix, &element) == 0)
			item(&element, arg);
	value_free(root);
	return 0;
}
