/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Addresses and networks out of lists of other programs, told apart by what is
 * in them: one a line, ipset save, iptables-save, nft list (text and JSON),
 * `mailban list --json`, fail2ban's database. Nothing is resolved; what is no
 * address is counted and said.
 */
#ifndef MAILBAN_COMMAND_ADDRESSES_H
#define MAILBAN_COMMAND_ADDRESSES_H

#include <stdbool.h>

#include "common/addr.h"

struct address {
	struct network net;
	int64_t for_s; /* time left; 0: not told, -1: for ever */
};

struct addresses {
	struct address *items;
	size_t count, room;
	size_t bad;  /* what should have been one */
	size_t line; /* that is looked at */
	size_t bad_line;
	char bad_text[64]; /* the first; safe for a terminal */
	const char *kind;  /* static: "ipset save", ... */
};

/* "-": standard input. 0, or a negative errno with *why (static): can't be
 * read; -EUCLEAN: a database of something else. */
int addresses_read(const char *path, struct addresses *out, const char **why);
/* The text of such a list, but for databases. */
void addresses_parse(char *text, size_t len, struct addresses *out);
void addresses_free(struct addresses *list);

/* --- between addresses.c and address_forms.c --- */

/* One that was found: an address, a network, or a range "a-b". */
void addresses_add(
	struct addresses *list, const char *text, size_t len, int64_t for_s);

void addresses_ipset(struct addresses *list, char *text);
void addresses_iptables(struct addresses *list, char *text);
void addresses_nft(struct addresses *list, char *text);
void addresses_json(struct addresses *list, char *text);
void addresses_plain(struct addresses *list, char *text);

#endif
