/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is never banned on this host: the routes as the kernel writes them and
 * as nothing should. /proc and the interfaces are replaced here.
 */
#include "common/host.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* What the next host_networks() finds; NULL: no such file, no netlink. */
static const char *route4, *route6, *interfaces;

FILE *fake_fopen(const char *path, const char *mode) __asm__("fopen");
int fake_getifaddrs(struct ifaddrs **out) __asm__("getifaddrs");
void fake_freeifaddrs(struct ifaddrs *list) __asm__("freeifaddrs");

FILE *
fake_fopen(const char *path, const char *mode)
{
	static char copy[4096];
	const char *text = strcmp(path, "/proc/net/route") == 0	       ? route4
			   : strcmp(path, "/proc/net/ipv6_route") == 0 ? route6
								       : NULL;

	(void)mode;
	if (!text) {
		errno = ENOENT;
		return NULL;
	}
	snprintf(copy, sizeof copy, "%s", text);
	return fmemopen(copy, strlen(copy), "r");
}

/* One interface without an address, one of another family, and one with the
 * address that `interfaces` is. */
int
fake_getifaddrs(struct ifaddrs **out)
{
	static struct ifaddrs list[3];
	static struct sockaddr other = {.sa_family = AF_UNIX};
	static struct sockaddr_in in = {.sin_family = AF_INET};
	static struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};

	if (!interfaces) {
		errno = EAFNOSUPPORT;
		return -1;
	}
	list[0].ifa_next = &list[1];
	list[1].ifa_next = &list[2];
	list[1].ifa_addr = &other;
	list[2].ifa_addr = NULL;
	if (inet_pton(AF_INET, interfaces, &in.sin_addr) == 1)
		list[2].ifa_addr = (struct sockaddr *)&in;
	else if (inet_pton(AF_INET6, interfaces, &in6.sin6_addr) == 1)
		list[2].ifa_addr = (struct sockaddr *)&in6;
	*out = list;
	return 0;
}

void
fake_freeifaddrs(struct ifaddrs *list)
{
	(void)list;
}

#define FIXED4 "0.0.0.0/8 127.0.0.0/8 169.254.0.0/16 "
#define FIXED6 ":: ::1 "
#define FIXED6_END "fe80::/10 ff00::/8 "

#define HEAD4                                                                  \
	"Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\t"   \
	"MTU\tWindow\tIRTT   \n"
#define ZERO "00000000000000000000000000000000"
#define REST6 "00000400 00000001 00000000 "

static const struct {
	const char *name;
	const char *interfaces, *route4, *route6;
	int result;
	const char *want;
} cases[] = {
	{"nothing but what is fixed", "", "", "", 0,
		FIXED4 "224.0.0.0/4 " FIXED6 FIXED6_END},
	{"an own address", "192.0.2.5", HEAD4, "", 0,
		FIXED4 "192.0.2.5 224.0.0.0/4 " FIXED6 FIXED6_END},
	{"an own IPv6 address", "2001:db8::5", HEAD4, "", 0,
		FIXED4 "224.0.0.0/4 " FIXED6 "2001:db8::5 " FIXED6_END},
	{"gateways", "",
		HEAD4 "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0"
		      "\t0   \n"
		      "eth0\t0000000A\t090200C0\t0003\t0\t0\t0\t000000FF\t0\t0"
		      "\t0   \n"
		      "eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0"
		      "\t0   \n",
		ZERO " 00 " ZERO " 00 20010db8000000000000000000000001 " REST6
		     "00000003     eth0\n"
		     "20010db8000100000000000000000000 30 " ZERO
		     " 00 20010db8000000000000000000000002 " REST6
		     "00000003     eth0\n" ZERO " 00 " ZERO " 00 " ZERO
		     " ffffffff 00000001 00000000 00200200       lo\n",
		0,
		FIXED4 "192.0.2.1 224.0.0.0/4 " FIXED6
		       "2001:db8::1 " FIXED6_END},
	{"what is no route", "",
		"\n \n eth0\n eth0 00000000\n"
		"eth0 00000000 zz0200C0 0003 0 0 0 00000000 0 0 0\n"
		"eth0 00000000 010200C0FF 0003 0 0 0 00000000 0 0 0\n"
		"eth0 00000000 010200C0 0001 0 0 0 00000000 0 0 0\n"
		"eth0 00000000 010200C0 0003 0 0 0\n"
		"eth0 00000000 00000000 0003 0 0 0 00000000 0 0 0\n",
		"x\n" ZERO " 00 " ZERO " 00 2001 " REST6 "00000003 eth0\n" ZERO
		"0 00 " ZERO " 00 20010db8000000000000000000000001 " REST6
		"00000003 eth0\n" ZERO " 00 " ZERO
		" 00 20010db800000000000000000000000g " REST6
		"00000003 eth0\n" ZERO " 00 " ZERO
		" 00 20010db8000000000000000000000001 " REST6
		"00000001 eth0\n" ZERO " 00 " ZERO " 00 " ZERO " " REST6
		"00000003 eth0\n",
		0, FIXED4 "224.0.0.0/4 " FIXED6 FIXED6_END},
	{"no netlink", NULL, "eth0 00000000 010200C0 0003 0 0 0 00000000 0 0 0",
		"", -EAFNOSUPPORT,
		FIXED4 "192.0.2.1 224.0.0.0/4 " FIXED6 FIXED6_END},
	{"no routes", "192.0.2.5", NULL, "", -ENOENT,
		FIXED4 "192.0.2.5 224.0.0.0/4 " FIXED6 FIXED6_END},
	{"no IPv6", "192.0.2.5", "", NULL, 0,
		FIXED4 "192.0.2.5 224.0.0.0/4 " FIXED6 FIXED6_END},
};

static void
test_networks(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct netset set = {0};
		char got[1024] = "", one[NETWORK_STRLEN];
		size_t len = 0;
		print_message("%s\n", cases[i].name);
		interfaces = cases[i].interfaces;
		route4 = cases[i].route4;
		route6 = cases[i].route6;
		assert_int_equal(host_networks(&set), cases[i].result);
		for (size_t j = 0; j < set.count; j++)
			len += (size_t)snprintf(got + len, sizeof got - len,
				"%s ", network_format(&set.items[j], one));
		assert_string_equal(got, cases[i].want);
		netset_free(&set);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_networks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
