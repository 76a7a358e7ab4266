/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the addresses stand in each form of list. The forms are those that
 * ipset 7, iptables-save 1.8, nft 1.0 write.
 */
#include <json.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "command/addresses.h"

#define BLANKS " \t\r"

/* The next line, ended by a NUL in place of its LF; NULL at the end. */
static char *
next_line(struct addresses *list, char **text)
{
	char *line = *text, *end;

	if (!line || !*line)
		return NULL;
	end = strchr(line, '\n');
	*text = end ? end + 1 : NULL;
	if (end)
		*end = '\0';
	list->line++;
	return line;
}

/* The next word of a line, ended by a NUL; NULL at the end. */
static char *
next_word(char **line, const char *between)
{
	char *word = *line + strspn(*line, between);
	size_t len = strcspn(word, between);

	if (!len)
		return NULL;
	*line = word + len + (word[len] ? 1 : 0);
	word[len] = '\0';
	return word;
}

void
addresses_plain(struct addresses *list, char *text)
{
	char *line;

	while ((line = next_line(list, &text))) {
		char *word;

		line[strcspn(line, "#")] = '\0';
		word = next_word(&line, BLANKS ",;");
		if (word)
			addresses_add(list, word, strlen(word), 0);
	}
}

static int64_t
seconds_of(const char *text)
{
	char *end = NULL;
	long long number = strtoll(text, &end, 10);

	return *end || number <= 0 ? 0 : number;
}

/* add SET ADDRESS[,...] [timeout SECONDS] ...; timeout 0 never ends. */
void
addresses_ipset(struct addresses *list, char *text)
{
	char *line;

	while ((line = next_line(list, &text))) {
		char *word = next_word(&line, BLANKS), *address;
		int64_t for_s = 0;

		if (!word || strcmp(word, "add") || !next_word(&line, BLANKS))
			continue;
		address = next_word(&line, BLANKS);
		if (!address)
			continue;
		while ((word = next_word(&line, BLANKS)))
			if (!strcmp(word, "timeout")) {
				word = next_word(&line, BLANKS);
				for_s = word ? seconds_of(word) : 0;
			}
		addresses_add(list, address, strcspn(address, ","), for_s);
	}
}

/* -A CHAIN ... -s ADDRESS ... -j DROP */
void
addresses_iptables(struct addresses *list, char *text)
{
	char *line;

	while ((line = next_line(list, &text))) {
		char *word, *address = NULL;
		bool drops = false, inverted = false;

		while ((word = next_word(&line, BLANKS))) {
			if (!strcmp(word, "!"))
				inverted = true;
			else if (!strcmp(word, "-s") ||
				 !strcmp(word, "--source"))
				address = next_word(&line, BLANKS);
			else if (!strcmp(word, "-j") &&
				 (word = next_word(&line, BLANKS)))
				drops = !strcmp(word, "DROP") ||
					!strcmp(word, "REJECT");
			else if (!word)
				break;
		}
		if (address && drops && !inverted)
			addresses_add(list, address, strlen(address), 0);
	}
}

/* "1d2h3m4s5ms" of nft. */
static int64_t
nft_seconds(const char *text)
{
	int64_t seconds = 0;

	while (*text >= '0' && *text <= '9') {
		char *unit = NULL;
		long long number = strtoll(text, &unit, 10);

		if (number > INT64_C(1) << 40)
			return 0;
		text = unit + 1;
		if (!strncmp(unit, "ms", 2))
			text = unit + 2;
		else if (*unit == 'w')
			seconds += number * 604800;
		else if (*unit == 'd')
			seconds += number * 86400;
		else if (*unit == 'h')
			seconds += number * 3600;
		else if (*unit == 'm')
			seconds += number * 60;
		else if (*unit == 's')
			seconds += number;
		else
			return 0;
	}
	return seconds;
}

/* One element: ADDRESS [counter packets N bytes N] [timeout T] [expires T]. */
static void
nft_element(struct addresses *list, char *element)
{
	char *word, *address = next_word(&element, BLANKS "\n");
	int64_t for_s = 0;

	if (!address)
		return;
	while ((word = next_word(&element, BLANKS "\n")))
		if (!strcmp(word, "expires") || !strcmp(word, "timeout")) {
			bool left = *word == 'e';

			word = next_word(&element, BLANKS "\n");
			if (word && (left || !for_s))
				for_s = nft_seconds(word);
		}
	addresses_add(list, address, strlen(address), for_s);
}

void
addresses_nft(struct addresses *list, char *text)
{
	while ((text = strstr(text, "elements"))) {
		char *end, *element;

		text += strcspn(text, "{}");
		if (*text != '{')
			continue;
		text++;
		end = text + strcspn(text, "}");
		if (*end)
			*end++ = '\0';
		while ((element = next_word(&text, ",")))
			nft_element(list, element);
		text = end;
	}
}

/* --- JSON --- */

static struct fjson_object *
get(struct fjson_object *object, const char *key)
{
	struct fjson_object *value = NULL;

	if (fjson_object_is_type(object, fjson_type_object))
		(void)fjson_object_object_get_ex(object, key, &value);
	return value;
}

static void
json_text(struct addresses *list, struct fjson_object *value, int64_t for_s)
{
	if (fjson_object_is_type(value, fjson_type_string))
		addresses_add(list, fjson_object_get_string(value),
			(size_t)fjson_object_get_string_len(value), for_s);
}

/* {"prefix": {"addr", "len"}}, {"range": [a, b]} or text. */
static void
json_value(struct addresses *list, struct fjson_object *value, int64_t for_s)
{
	struct fjson_object *prefix = get(value, "prefix");
	struct fjson_object *range = get(value, "range");
	char text[2 * NETWORK_STRLEN];

	if (prefix)
		(void)snprintf(text, sizeof(text), "%s/%d",
			fjson_object_get_string(get(prefix, "addr")),
			fjson_object_get_int(get(prefix, "len")));
	else if (range && fjson_object_is_type(range, fjson_type_array) &&
		 fjson_object_array_length(range) == 2)
		(void)snprintf(text, sizeof(text), "%s-%s",
			fjson_object_get_string(
				fjson_object_array_get_idx(range, 0)),
			fjson_object_get_string(
				fjson_object_array_get_idx(range, 1)));
	else {
		json_text(list, value, for_s);
		return;
	}
	addresses_add(list, text, strlen(text), for_s);
}

static void
json_elements(struct addresses *list, struct fjson_object *elements)
{
	if (!fjson_object_is_type(elements, fjson_type_array))
		return;
	for (int i = 0; i < fjson_object_array_length(elements); i++) {
		struct fjson_object *value =
			fjson_object_array_get_idx(elements, i);
		struct fjson_object *elem = get(value, "elem");
		struct fjson_object *left = get(elem, "expires");

		if (!left)
			left = get(elem, "timeout");
		json_value(list, elem ? get(elem, "val") : value,
			left ? fjson_object_get_int64(left) : 0);
	}
}

/* {"nftables": [{"set": {"elem": [...]}}, ...]} */
static void
json_nft(struct addresses *list, struct fjson_object *all)
{
	if (!fjson_object_is_type(all, fjson_type_array))
		return;
	list->kind = "nft list, JSON";
	for (int i = 0; i < fjson_object_array_length(all); i++) {
		struct fjson_object *one = fjson_object_array_get_idx(all, i);

		json_elements(list, get(get(one, "set"), "elem"));
		json_elements(list, get(get(one, "element"), "elem"));
	}
}

/* {"address": ..., "until": ...}: what `mailban list --json` writes. */
static void
json_ban(struct addresses *list, struct fjson_object *ban)
{
	struct fjson_object *until = NULL;
	int64_t for_s = 0;

	if (fjson_object_object_get_ex(ban, "until", &until))
		for_s = until ? fjson_object_get_int64(until) -
					(int64_t)time(NULL)
			      : -1;
	if (for_s >= -1 && get(ban, "address"))
		json_text(list, get(ban, "address"), for_s);
}

void
addresses_json(struct addresses *list, char *text)
{
	struct fjson_object *whole = fjson_tokener_parse(text);
	struct fjson_object *nftables = get(whole, "nftables");
	char *line;

	if (nftables) {
		json_nft(list, nftables);
	} else {
		while ((line = next_line(list, &text))) {
			struct fjson_object *one = fjson_tokener_parse(line);

			if (fjson_object_is_type(one, fjson_type_object))
				json_ban(list, one);
			else if (line[strspn(line, BLANKS)])
				list->bad++;
			fjson_object_put(one);
		}
	}
	fjson_object_put(whole);
}
