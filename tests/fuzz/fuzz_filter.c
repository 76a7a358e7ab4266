/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An expression of a fail2ban filter, and before it, with a line feed between,
 * a prefregex or nothing. Either a pattern comes of it that compiles, or one
 * that does not, or a reason; and a list of programs.
 */
#include "tests/fuzz/fuzz.h"

#include "command/import.h"
#include "common/xalloc.h"
#include "plugin/pattern.h"

#include <stdlib.h>
#include <string.h>

static void
check(const char *prefix, const char *regex)
{
	struct pattern pattern = {.line = 0};
	struct imported imported;
	char *error = NULL;

	import_regex(prefix, regex, false, &imported);
	if (!imported.pattern && !imported.why_not)
		fuzz_wrong("no pattern, and no reason");
	if (imported.pattern && imported.pattern[0] != '^')
		fuzz_wrong("not anchored: %s", imported.pattern);
	if (imported.pattern)
		error = pattern_compile(imported.pattern, &pattern);
	free(error);
	pattern_clear(&pattern);
	imported_clear(&imported);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = xstrndup((const char *)data, size);
	char *regex = strchr(text, '\n');

	if (regex)
		*regex++ = '\0';
	check(regex ? text : NULL, regex ? regex : text);
	free(import_programs(text));
	free(text);
	return 0;
}
