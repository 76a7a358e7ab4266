/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The addresses that this machine can't live without. Tolerant: a line that
 * is not understood is passed over, a source that can't be read leaves the
 * others as they are. /proc/net is read as text because netlink is forbidden
 * in the sandbox of Debian 13's rsyslogd.
 */
#include "common/host.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/route.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static const struct network fixed[] = {
	{{ADDR_V4, {0}}, 8},
	{{ADDR_V4, {127}}, 8},
	{{ADDR_V4, {169, 254}}, 16},
	{{ADDR_V4, {224}}, 4},
	{{ADDR_V6, {0}}, 128},
	{{ADDR_V6, {[15] = 1}}, 128},
	{{ADDR_V6, {0xfe, 0x80}}, 10},
	{{ADDR_V6, {0xff}}, 8},
};

static void
add_single(struct netset *set, const struct addr *addr)
{
	struct network net = network_of(addr, addr_bits(addr));

	netset_add(set, &net);
}

static void
add_sockaddr(struct netset *set, const struct sockaddr *from)
{
	struct addr addr = {0};
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	if (from->sa_family == AF_INET) {
		memcpy(&in, from, sizeof in);
		addr.family = ADDR_V4;
		memcpy(addr.bytes, &in.sin_addr, 4);
		add_single(set, &addr);
	} else if (from->sa_family == AF_INET6) {
		memcpy(&in6, from, sizeof in6);
		addr.family = ADDR_V6;
		memcpy(addr.bytes, &in6.sin6_addr, 16);
		add_single(set, &addr);
	}
}

static int
add_interfaces(struct netset *set)
{
	struct ifaddrs *list;

	if (getifaddrs(&list) < 0)
		return -errno;
	for (struct ifaddrs *at = list; at; at = at->ifa_next)
		if (at->ifa_addr)
			add_sockaddr(set, at->ifa_addr);
	freeifaddrs(list);
	return 0;
}

enum { FIELDS_MAX = 11 };

/* Cuts the line at its blanks. Returns how many fields it has. */
static size_t
split(char *line, char *fields[FIELDS_MAX])
{
	static const char blanks[] = " \t\n";
	size_t count = 0;

	line += strspn(line, blanks);
	while (*line && count < FIELDS_MAX) {
		fields[count++] = line;
		line += strcspn(line, blanks);
		if (*line)
			*line++ = '\0';
		line += strspn(line, blanks);
	}
	return count;
}

/* A whole field as a hexadecimal number of at most 32 bits. */
static bool
hex_u32(const char *text, uint32_t *out)
{
	char *end;
	unsigned long value;

	errno = 0;
	value = strtoul(text, &end, 16);
	if (errno || end == text || *end || value > UINT32_MAX)
		return false;
	*out = (uint32_t)value;
	return true;
}

/* Iface Destination Gateway Flags RefCnt Use Metric Mask ...: addresses are
 * the numbers that the kernel's host order makes of their bytes. */
static void
add_route4(struct netset *set, char *line)
{
	struct addr gateway = {.family = ADDR_V4};
	char *fields[FIELDS_MAX];
	uint32_t to, via, flags, mask;

	if (split(line, fields) < 8 || !hex_u32(fields[1], &to) ||
		!hex_u32(fields[2], &via) || !hex_u32(fields[3], &flags) ||
		!hex_u32(fields[7], &mask))
		return;
	if (to != 0 || mask != 0 || via == 0 || !(flags & RTF_GATEWAY))
		return;
	memcpy(gateway.bytes, &via, 4);
	add_single(set, &gateway);
}

/* 32 hexadecimal digits. */
static bool
hex_addr(const char *text, struct addr *out)
{
	char two[3] = "";
	uint32_t byte;

	if (strlen(text) != 32)
		return false;
	out->family = ADDR_V6;
	for (size_t i = 0; i < 16; i++) {
		memcpy(two, text + 2 * i, 2);
		if (!hex_u32(two, &byte))
			return false;
		out->bytes[i] = (uint8_t)byte;
	}
	return true;
}

/* destination, its length, source, its length, next hop, metric, references,
 * use, flags, interface. */
static void
add_route6(struct netset *set, char *line)
{
	static const struct addr none = {.family = ADDR_V6};
	struct addr to, gateway;
	char *fields[FIELDS_MAX];
	uint32_t to_len, flags;

	if (split(line, fields) < 9 || !hex_addr(fields[0], &to) ||
		!hex_u32(fields[1], &to_len) ||
		!hex_addr(fields[4], &gateway) || !hex_u32(fields[8], &flags))
		return;
	if (to_len != 0 || !(flags & RTF_GATEWAY) ||
		memcmp(&gateway, &none, sizeof none) == 0)
		return;
	add_single(set, &gateway);
}

static int
add_routes(struct netset *set, const char *path,
	void (*add)(struct netset *, char *))
{
	FILE *file = fopen(path, "re");
	char *line = NULL;
	size_t size = 0;
	int result;

	if (!file)
		return -errno;
	while (getline(&line, &size, file) >= 0)
		add(set, line);
	result = ferror(file) ? -EIO : 0;
	free(line);
	fclose(file);
	return result;
}

int
host_networks(struct netset *set)
{
	int result, error;

	for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++)
		netset_add(set, &fixed[i]);
	result = add_interfaces(set);
	error = add_routes(set, "/proc/net/route", add_route4);
	if (result == 0)
		result = error;
	error = add_routes(set, "/proc/net/ipv6_route", add_route6);
	/* Where IPv6 is off, there is no such file and nothing to exempt. */
	if (result == 0 && error != -ENOENT)
		result = error;
	return result;
}
