/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Helpers of the fuzz targets.
 */
#include "tests/fuzz/fuzz.h"

#include "common/xalloc.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void
fuzz_wrong(const char *format, ...)
{
	va_list args;

	(void)fputs("wrong: ", stderr);
	va_start(args, format);
	(void)vfprintf(stderr, format, args);
	va_end(args);
	(void)fputc('\n', stderr);
	abort();
}

char *
fuzz_rules(void)
{
	const char *top = getenv("srcdir");

	return xasprintf("%s/rules", top ? top : ".");
}
