/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether the kernel drops an address, by nft(8): for when ommailban does not
 * run, or has too many bans to list them all.
 */
#ifndef MAILBAN_COMMAND_IN_KERNEL_H
#define MAILBAN_COMMAND_IN_KERNEL_H

#include "common/addr.h"

struct in_kernel {
	bool found, counted;
	int64_t packets, bytes; /* where counted */
};

/* Needs root. 0, or a negative errno: nft is not there, or may not. */
int in_kernel_look(const struct network *net, struct in_kernel *out);

#endif
