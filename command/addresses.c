/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads the file, finds out what it is, and takes what is an address.
 */
#include "command/addresses.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/log.h"
#include "common/xalloc.h"

/* A million addresses of IPv6 are 50 MB. */
enum { TEXT_MAX = 256 << 20 };

static void
add_network(struct addresses *list, const struct network *net, int64_t for_s)
{
	if (list->count == list->room) {
		list->room = list->room ? list->room * 2 : 1024;
		list->items = xreallocarray(
			list->items, list->room, sizeof(*list->items));
	}
	list->items[list->count++] =
		(struct address){.net = *net, .for_s = for_s};
}

static struct addr
last_of(const struct network *net)
{
	struct addr last = net->addr;

	for (unsigned bit = net->prefix; bit < addr_bits(&last); bit++)
		last.bytes[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	return last;
}

/* False: it was the very last address. */
static bool
next_address(struct addr *addr)
{
	for (size_t i = addr_bits(addr) / 8; i-- > 0;)
		if (++addr->bytes[i])
			return true;
	return false;
}

/* The widest network that begins with from and ends no later than to. */
static struct network
widest(const struct addr *from, const struct addr *to)
{
	for (uint8_t prefix = 0; prefix < addr_bits(from); prefix++) {
		struct network net = network_of(from, prefix);
		struct addr last = last_of(&net);

		if (!memcmp(&net.addr, from, sizeof(*from)) &&
			memcmp(last.bytes, to->bytes, sizeof(to->bytes)) <= 0)
			return net;
	}
	return network_of(from, addr_bits(from));
}

/* As the networks that make it up. */
static bool
add_range(struct addresses *list, const char *text, size_t len, int64_t for_s)
{
	const char *dash = memchr(text, '-', len);
	struct addr from, to, last;
	struct network net;

	if (!dash || addr_parse(text, (size_t)(dash - text), &from) < 0 ||
		addr_parse(dash + 1, len - (size_t)(dash + 1 - text), &to) <
			0 ||
		from.family != to.family ||
		memcmp(from.bytes, to.bytes, sizeof(to.bytes)) > 0)
		return false;
	do {
		net = widest(&from, &to);
		add_network(list, &net, for_s);
		last = last_of(&net);
		from = last;
	} while (memcmp(last.bytes, to.bytes, sizeof(to.bytes)) < 0 &&
		 next_address(&from));
	return true;
}

void
addresses_add(
	struct addresses *list, const char *text, size_t len, int64_t for_s)
{
	struct network net;
	const char *why;

	if (network_parse(text, len, &net, &why) == 0) {
		add_network(list, &net, for_s);
		return;
	}
	if (add_range(list, text, len, for_s))
		return;
	if (!list->bad++) {
		list->bad_line = list->line;
		(void)text_escape(
			text, len, list->bad_text, sizeof(list->bad_text));
	}
}

/* --- what it is --- */

/* Whether any of the first lines begins with that. */
static bool
begins(const char *text, const char *word)
{
	size_t len = strlen(word);

	for (int i = 0; text && i < 50; i++) {
		text += strspn(text, " \t\r\n");
		if (!strncmp(text, word, len))
			return true;
		text = strchr(text, '\n');
	}
	return false;
}

void
addresses_parse(char *text, size_t len, struct addresses *out)
{
	/* A NUL would end it early. */
	for (size_t i = 0; i < len; i++)
		if (!text[i])
			text[i] = '?';
	if (text[strspn(text, " \t\r\n")] == '{') {
		out->kind = "JSON";
		addresses_json(out, text);
	} else if (begins(text, "add ") || begins(text, "create ")) {
		out->kind = "ipset save";
		addresses_ipset(out, text);
	} else if (begins(text, "-A ") || begins(text, "-I ")) {
		out->kind = "iptables rules";
		addresses_iptables(out, text);
	} else if (begins(text, "table ") || begins(text, "set ") ||
		   begins(text, "elements =")) {
		out->kind = "nft list";
		addresses_nft(out, text);
	} else {
		out->kind = "plain list";
		addresses_plain(out, text);
	}
}

/* --- fail2ban --- */

static int
take_rows(sqlite3 *sqlite, const char *sql, struct addresses *out)
{
	sqlite3_stmt *statement = NULL;
	int64_t now_s = (int64_t)time(NULL);
	int code = sqlite3_prepare_v2(sqlite, sql, -1, &statement, NULL);

	if (code != SQLITE_OK)
		return code;
	(void)sqlite3_bind_int64(statement, 1, now_s);
	while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
		const char *ip =
			(const char *)sqlite3_column_text(statement, 0);
		int64_t begin_s = sqlite3_column_int64(statement, 1);
		int64_t ban_s = sqlite3_column_int64(statement, 2);

		out->line++;
		if (ip)
			addresses_add(out, ip, strlen(ip),
				ban_s < 0 ? -1 : begin_s + ban_s - now_s);
	}
	(void)sqlite3_finalize(statement);
	return code == SQLITE_DONE ? SQLITE_OK : code;
}

/* fail2ban 0.11 and newer has bips, what is in force by address and jail;
 * older ones have bans alone, without their length before 0.11. */
static int
read_fail2ban(const char *path, struct addresses *out)
{
	sqlite3 *sqlite = NULL;
	int code = sqlite3_open_v2(path, &sqlite, SQLITE_OPEN_READONLY, NULL);

	out->kind = "fail2ban database";
	if (code == SQLITE_OK)
		code = take_rows(sqlite,
			"SELECT ip, timeofban, bantime FROM bips"
			" WHERE bantime < 0 OR timeofban + bantime > ?1",
			out);
	if (code == SQLITE_ERROR)
		code = take_rows(sqlite,
			"SELECT ip, max(timeofban), bantime FROM bans"
			" WHERE bantime < 0 OR timeofban + bantime > ?1"
			" GROUP BY ip",
			out);
	(void)sqlite3_close(sqlite);
	return code == SQLITE_OK ? 0 : -EUCLEAN;
}

/* --- reading --- */

/* All of it, with a NUL behind. */
static char *
read_all(FILE *stream, size_t *len)
{
	size_t room = 65536, got;
	char *text = xcalloc(1, room);

	*len = 0;
	while ((got = fread(text + *len, 1, room - *len - 1, stream)) > 0) {
		*len += got;
		if (*len + 1 == room && room < TEXT_MAX) {
			room *= 2;
			text = xreallocarray(text, room, 1);
		}
	}
	text[*len] = '\0';
	return text;
}

int
addresses_read(const char *path, struct addresses *out, const char **why)
{
	bool standard = !strcmp(path, "-");
	FILE *stream = standard ? stdin : fopen(path, "re");
	bool broken;
	size_t len;
	char *text;
	int rc = 0;

	if (!stream) {
		*why = strerror(errno);
		return -errno;
	}
	text = read_all(stream, &len);
	broken = ferror(stream) || !feof(stream);
	if (!standard)
		(void)fclose(stream);
	if (broken) {
		*why = "can't be read, or is too long";
		rc = -EIO;
	} else if (len >= 16 && !memcmp(text, "SQLite format 3", 16)) {
		*why = "a database, but not fail2ban's";
		rc = standard ? -EUCLEAN : read_fail2ban(path, out);
	} else {
		addresses_parse(text, len, out);
	}
	free(text);
	return rc;
}

void
addresses_free(struct addresses *list)
{
	free(list->items);
	*list = (struct addresses){.items = NULL};
}
