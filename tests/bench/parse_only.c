/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The yardstick of the bench: reads lines and parses each with libfastjson, as
 * cheaply as that can be done, and nothing else. Marks are passed over.
 */
#include <json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static size_t parsed;

static void
parse(struct fjson_tokener *tokener, const char *line, size_t len)
{
	struct fjson_object *object;

	if (line[0] != '{')
		return;
	fjson_tokener_reset(tokener);
	object = fjson_tokener_parse_ex(tokener, line, (int)len);
	if (object)
		parsed++;
	fjson_object_put(object);
}

int
main(void)
{
	static char buf[128 * 1024];
	struct fjson_tokener *tokener = fjson_tokener_new();
	size_t fill = 0;
	ssize_t got;

	while ((got = read(STDIN_FILENO, buf + fill, sizeof(buf) - fill)) > 0) {
		char *at = buf, *end;

		fill += (size_t)got;
		while ((end = memchr(at, '\n', fill - (size_t)(at - buf)))) {
			parse(tokener, at, (size_t)(end - at));
			at = end + 1;
		}
		fill -= (size_t)(at - buf);
		(void)memmove(buf, at, fill);
	}
	fjson_tokener_free(tokener);
	(void)fprintf(stderr, "%zu parsed\n", parsed);
	return 0;
}
