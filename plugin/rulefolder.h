/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How the rules of several folders come together: which files are read, which
 * rule replaces which, and in what order they are tried.
 */
#ifndef MAILBAN_RULEFOLDER_H
#define MAILBAN_RULEFOLDER_H

#include "plugin/rulefile.h"

/* Adds the rules of one more folder (or file) to *all. A folder that is not
 * there is an error only if needed. 0, or a negative errno with *error, which
 * the caller frees. */
int rulefolder_add(
	const char *path, bool needed, struct ruledefs *all, char **error);

#endif
