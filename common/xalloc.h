/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Allocation that ends the program, with its reason, when memory is out. For
 * what is allocated at start and per ban; the paths that must go on without
 * memory use malloc and check.
 */
#ifndef MAILBAN_XALLOC_H
#define MAILBAN_XALLOC_H

#include <stddef.h>

void *xcalloc(size_t count, size_t size);
/* Overflow of count * size is fatal too. */
void *xreallocarray(void *old, size_t count, size_t size);
char *xstrdup(const char *text);
char *xstrndup(const char *text, size_t len);
char *xasprintf(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

#endif
