/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What must never be banned on this machine whatever the configuration says:
 * loopback, link-local and the unspecified address, the host's own addresses
 * and its default gateways. Read from the kernel, never from a name service.
 */
#ifndef MAILBAN_HOST_H
#define MAILBAN_HOST_H

#include "common/netset.h"

/* Adds to *set the fixed networks (127.0.0.0/8, 169.254.0.0/16, 0.0.0.0/8,
 * ::1, ::, fe80::/10, multicast) and, as far as this process may read them,
 * the addresses of all interfaces (getifaddrs) and the default gateways
 * (/proc/net/route, /proc/net/ipv6_route). Where a sandbox forbids netlink
 * the own addresses are missing here: mailban-nft, which has netlink, refuses
 * them again. Returns 0, or the negative errno of what could not be read; the
 * rest has been added even then. */
int host_networks(struct netset *set);

#endif
