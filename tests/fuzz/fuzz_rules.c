/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A rule file, up to a line of "%%", and behind that a message. Nothing in a
 * file does harm; what it is refused for is said; and the fast search finds
 * what trying everything finds, whatever the patterns are.
 */
#include "tests/fuzz/fuzz.h"

#include "plugin/match.h"
#include "plugin/rulecheck.h"

#include <stdlib.h>
#include <string.h>

static void
check_match(
	struct ruledefs *defs, struct pattern_runner *runner, struct span msg)
{
	struct matcher *matcher = matcher_new(
		(struct ruledef *const *)defs->items, defs->count, runner);
	struct match fast = {0}, plain = {0};
	size_t fast_cursor = 0, plain_cursor = 0;
	uint64_t hits = pattern_limit_hits(runner);
	const struct ruledef *found =
		matcher_run(matcher, msg, &fast_cursor, &fast);
	const struct ruledef *all =
		matcher_run_plain(matcher, msg, &plain_cursor, &plain);

	/* A pattern that gave up is another matter. */
	if (found != all && pattern_limit_hits(runner) == hits)
		fuzz_wrong("the search finds %s, trying all finds %s",
			found ? found->name : "nothing",
			all ? all->name : "nothing");
	matcher_free(matcher);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	const char *mark = memmem(text, size, "\n%%\n", 4);
	size_t len = mark ? (size_t)(mark - text) + 1 : size;
	struct span msg = {mark ? mark + 4 : "", mark ? size - len - 3 : 0};
	struct pattern_runner *runner = pattern_runner_new();
	struct ruledefs defs = {0};
	char *error = NULL;
	int rc = rulefile_read_text("fuzz", text, len, &defs, &error);

	if ((rc < 0) != (error != NULL))
		fuzz_wrong("error without a reason, or a reason without one");
	for (size_t i = 0; rc == 0 && !error && i < defs.count; i++)
		error = ruledef_check(defs.items[i], runner);
	if (!error)
		error = rulecheck_order(&defs, runner);
	if (!error)
		error = rulecheck_injection(&defs, runner);
	if (rc == 0)
		check_match(&defs, runner, msg);
	free(error);
	ruledefs_free(&defs);
	pattern_runner_free(runner);
	return 0;
}
