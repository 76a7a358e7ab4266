/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keyed hashes of names. Long names are hashed whole: what a server would cut
 * it has cut before it logs.
 */
#include "plugin/who.h"

#include <sodium/crypto_shorthash.h>
#include <string.h>

enum { NAME_MAX_LEN = 512 };

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

void
who_of(const struct network *net, uint8_t who[WHO_LEN])
{
	if (net->addr.family == ADDR_V6) {
		memcpy(who, net->addr.bytes, WHO_LEN);
		return;
	}
	memcpy(who, mapped, sizeof mapped);
	memcpy(who + sizeof mapped, net->addr.bytes, 4);
}

struct addr
who_addr(const uint8_t who[WHO_LEN])
{
	struct addr addr = {.family = ADDR_V6};

	if (memcmp(who, mapped, sizeof mapped) != 0) {
		memcpy(addr.bytes, who, WHO_LEN);
		return addr;
	}
	addr.family = ADDR_V4;
	memcpy(addr.bytes, who + sizeof mapped, 4);
	return addr;
}

static uint64_t
hash(const uint8_t key[16], const uint8_t *bytes, size_t len)
{
	uint8_t out[crypto_shorthash_BYTES];
	uint64_t number;

	crypto_shorthash(out, bytes, len, key);
	memcpy(&number, out, sizeof number);
	return number;
}

/* That many bits, never 0. */
static uint64_t
bits(uint64_t number, unsigned count)
{
	uint64_t out = number >> (64 - count);

	return out ? out : 1;
}

uint64_t
who_tag(const uint8_t key[16], const uint8_t who[WHO_LEN])
{
	return bits(hash(key, who, WHO_LEN), 39);
}

/* What comes first in the hash keeps the three kinds of name apart. */
static uint64_t
hash_name(const uint8_t key[16], char kind, const char *name, size_t len)
{
	uint8_t lower[1 + NAME_MAX_LEN] = {(uint8_t)kind};

	if (len > NAME_MAX_LEN)
		len = NAME_MAX_LEN;
	for (size_t i = 0; i < len; i++) {
		char c = name[i];

		lower[1 + i] = (uint8_t)(c >= 'A' && c <= 'Z' ? c | 32 : c);
	}
	return hash(key, lower, 1 + len);
}

static void
name_of(uint64_t number, struct user_name *out)
{
	*out = (struct user_name){
		.tag = bits(number, 21) << 18, .long_tag = bits(number, 39)};
	memcpy(out->who, &number, sizeof number);
}

void
who_user(const uint8_t key[16], const struct span *name, struct user_name *out)
{
	*out = (struct user_name){.tag = 0};
	if (name->len)
		name_of(hash_name(key, 'u', name->text, name->len), out);
}

void
who_nobody(
	const uint8_t key[16], const struct span *name, struct user_name *out)
{
	const char *at = name->len ? memchr(name->text, '@', name->len) : NULL;
	size_t len = at ? (size_t)(at - name->text) : name->len;

	*out = (struct user_name){.tag = 0};
	if (name->len)
		name_of(hash_name(key, 'n', name->text, len), out);
}

uint64_t
who_password(const uint8_t key[16], const struct span *digest)
{
	if (digest->len == 0)
		return 0;
	return bits(hash_name(key, 'p', digest->text, digest->len), 18);
}
