/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The names of the classes. They stand in files on disk and in the ledger:
 * none may ever change.
 */
#include "plugin/class.h"

#include <assert.h>
#include <string.h>

static const char *const names[CLASS_COUNT] = {
	[CLASS_AUTH_FAILURE] = "auth-failure",
	[CLASS_UNKNOWN_CLIENT] = "unknown-client",
	[CLASS_REJECTED] = "rejected",
	[CLASS_PROTOCOL_ABUSE] = "protocol-abuse",
	[CLASS_SPAM] = "spam",
	[CLASS_LOGIN] = "login",
	[CLASS_NONE] = "none",
};

const char *class_name(enum class class)
{
	assert((unsigned)class < CLASS_COUNT);
	return names[class];
}

enum class class_by_name(const char *name) {
	unsigned i = 0;

	while (i < CLASS_COUNT && strcmp(names[i], name) != 0) i++;
	return (enum class)i;
}
