/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libnftables: runs commands, says which errno its answer means, reads its
 * lists. libnftables may end the program when memory is out; nobody is worse
 * off, the bans stay in the kernel.
 */
#ifndef MAILBAN_NFT_H
#define MAILBAN_NFT_H

#include "common/wire.h"
#include "helper/command.h"

struct nft_ctx;

struct nft {
	struct nft_ctx *context;
	const char *table;
	uint32_t commits; /* transactions that the kernel took */
};

/* Fatal when libnftables can't be had. table is kept, not copied. */
void nft_open(struct nft *nft, const char *table);
void nft_close(struct nft *nft);

/* Runs one transaction and frees the command. 0 or a negative errno; nothing
 * was changed then, except perhaps with -ENOBUFS. */
int nft_run(struct nft *nft, struct command *command);

/* Whether the refusal lies in the whole, so that it makes no sense to look
 * for an element that is to blame. */
bool nft_is_general(int error);

/* The table and its rules, without elements, as text to compare: handles
 * included, so that a table made anew by somebody else differs. NULL when
 * there is none; else the caller frees it. */
char *nft_describe(struct nft *nft);

/* Hands over each element in force of one of the sets. prefix6: that of
 * clients. */
int nft_list(struct nft *nft, const struct command_set *set, uint8_t prefix6,
	void (*item)(const struct wire_item *item, void *arg), void *arg);

#endif
