/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * In place of libFuzzer: hands each file to the fuzz target, or without any
 * the target's seeds, tests/fuzz/seeds/NAME under $srcdir, each also cut in
 * half and with each of its first bytes changed. Prints TAP.
 */
#include "tests/fuzz/fuzz.h"

#include "common/xalloc.h"

#include <dirent.h>
#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SEED_MAX = 1 << 20, CHANGED = 64 };

static size_t inputs;

/* In memory of exactly that size, so that a sanitizer sees what reads on. */
static void
feed(const uint8_t *data, size_t size)
{
	uint8_t *exact = xcalloc(1, size + !size);

	memcpy(exact, data, size);
	(void)LLVMFuzzerTestOneInput(exact, size);
	free(exact);
	inputs++;
}

static void
feed_variants(uint8_t *data, size_t size)
{
	feed(data, size);
	feed(data, size / 2);
	for (size_t i = 0; i < size && i < CHANGED; i++) {
		data[i] ^= 0x21;
		feed(data, size);
		data[i] ^= 0x21;
	}
}

static int
replay_file(const char *path)
{
	static uint8_t data[SEED_MAX];
	FILE *file = fopen(path, "re");
	size_t size;

	if (!file) {
		(void)printf("not ok - %s: %s\n", path, strerror(errno));
		return 1;
	}
	size = fread(data, 1, sizeof data, file);
	(void)fclose(file);
	feed_variants(data, size);
	return 0;
}

static int
replay_folder(const char *path)
{
	struct dirent **names = NULL;
	int count = scandir(path, &names, NULL, alphasort), failed = count < 3;

	for (int i = 0; i < count; i++) {
		char *file = xasprintf("%s/%s", path, names[i]->d_name);

		if (names[i]->d_name[0] != '.')
			failed |= replay_file(file);
		free(file);
		free(names[i]);
	}
	free(names);
	return failed;
}

int
main(int argc, char **argv)
{
	const char *top = getenv("srcdir"), *name = basename(argv[0]);
	int failed = 0;

	(void)puts("1..1");
	for (int i = 1; i < argc; i++)
		failed |= replay_file(argv[i]);
	if (argc < 2) {
		char *folder = xasprintf(
			"%s/tests/fuzz/seeds/%s", top ? top : ".", name);

		failed = replay_folder(folder);
		free(folder);
	}
	(void)printf("%s 1 - %s: %zu inputs\n", failed ? "not ok" : "ok", name,
		inputs);
	return failed;
}
