/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What every fuzz target has. libFuzzer calls the first; where it is not there,
 * replay.c does, with the seeds.
 */
#ifndef MAILBAN_FUZZ_H
#define MAILBAN_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Says what is wrong and ends the program, so that the input is kept. */
void fuzz_wrong(const char *format, ...)
	__attribute__((noreturn, format(printf, 1, 2)));
/* "rules" of the tree: under $srcdir, or where we are. Allocated. */
char *fuzz_rules(void);

#endif
