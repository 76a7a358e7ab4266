/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Allocation that never returns NULL: out of memory ends the program with its
 * reason. rsyslog or systemd starts it again, and nothing acknowledged is lost
 * by that.
 */
#include "common/xalloc.h"

#include "common/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *
xcalloc(size_t count, size_t size)
{
	void *new = calloc(count, size);

	if (!new &&count && size)
		fatal("out of memory: count=%zu size=%zu", count, size);
	return new;
}

void *
xreallocarray(void *old, size_t count, size_t size)
{
	void *new = reallocarray(old, count, size);

	if (!new &&count && size)
		fatal("out of memory: count=%zu size=%zu", count, size);
	return new;
}

char *
xstrdup(const char *text)
{
	return xstrndup(text, strlen(text));
}

char *
xstrndup(const char *text, size_t len)
{
	char *new = strndup(text, len);

	if (!new)
		fatal("out of memory: size=%zu", len + 1);
	return new;
}

char *
xasprintf(const char *format, ...)
{
	char *new;
	va_list args;
	int len;

	va_start(args, format);
	len = vasprintf(&new, format, args);
	va_end(args);
	if (len < 0)
		fatal("out of memory: format=\"%s\"", format);
	return new;
}
