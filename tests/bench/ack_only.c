/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The least that omprog's conversation takes: each line is answered and
 * forgotten. With an argument it says on stderr, once, when it has answered a
 * message in which that text stands, and how many it had answered till then.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *wanted;
static size_t answered;

static void
answer(const char *text)
{
	size_t len = strlen(text);

	if (write(STDOUT_FILENO, text, len) != (ssize_t)len)
		exit(1);
}

static void
take(const char *line, size_t len)
{
	static int transaction;

	if (line[0] == 'B') {
		transaction = 1;
		answer("OK\n");
		return;
	}
	if (line[0] == 'C') {
		transaction = 0;
		answer("OK\n");
		return;
	}
	answer(transaction ? "DEFER_COMMIT\n" : "OK\n");
	answered++;
	if (wanted && memmem(line, len, wanted, strlen(wanted))) {
		(void)fprintf(stderr, "%s after %zu\n", wanted, answered);
		wanted = NULL;
	}
}

int
main(int argc, char **argv)
{
	static char buf[128 * 1024];
	size_t fill = 0;
	ssize_t got;

	if (argc > 1)
		wanted = argv[1];
	answer("OK\n");
	while ((got = read(STDIN_FILENO, buf + fill, sizeof(buf) - fill)) > 0) {
		char *at = buf, *end;

		fill += (size_t)got;
		while ((end = memchr(at, '\n', fill - (size_t)(at - buf)))) {
			take(at, (size_t)(end - at));
			at = end + 1;
		}
		fill -= (size_t)(at - buf);
		(void)memmove(buf, at, fill);
	}
	return 0;
}
