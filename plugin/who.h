/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What clients, networks, users and passwords are called in the stores of the
 * judge: 16 bytes, or a tag of a few bits. Users and passwords are never kept
 * themselves, only keyed hashes of them: what is in memory tells nobody a
 * name, and nobody can choose two that look alike.
 */
#ifndef MAILBAN_WHO_H
#define MAILBAN_WHO_H

#include "common/addr.h"
#include "plugin/message.h"

enum { WHO_LEN = 16 };

/* A moment's tag, 40 bits: whether the client is known by a good login, 21
 * bits of the user, 18 of the password. None is 0 where there is one. Two
 * names of one client look alike once in two million pairs. */
#define TAG_KNOWN (UINT64_C(1) << 39)
#define TAG_USER (UINT64_C(0x1fffff) << 18)
#define TAG_PASSWORD UINT64_C(0x3ffff)

struct user_name {
	uint8_t who[WHO_LEN];
	uint64_t tag;	   /* within TAG_USER; 0: none */
	uint64_t long_tag; /* 39 bits of the same, never 0 */
};

/* IPv4 is IPv4-mapped, which no IPv6 client is. The prefix is not in it. */
void who_of(const struct network *net, uint8_t who[WHO_LEN]);
struct addr who_addr(const uint8_t who[WHO_LEN]);
/* 39 bits, never 0. */
uint64_t who_tag(const uint8_t key[16], const uint8_t who[WHO_LEN]);

/* Of a user name as servers compare them: without regard to ASCII case
 * (Dovecot's auth_username_format is %Lu). */
void who_user(
	const uint8_t key[16], const struct span *name, struct user_name *out);
/* Of a name that the server says nobody has: that before its '@', and never
 * equal to that of a user. A failed bob@old.example or bob is that of
 * bob@new.example who then gets in; nobody's password can have been tried. */
void who_nobody(
	const uint8_t key[16], const struct span *name, struct user_name *out);
/* Within TAG_PASSWORD; 0 for an empty one. */
uint64_t who_password(const uint8_t key[16], const struct span *digest);

#endif
