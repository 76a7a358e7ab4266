/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bans that come from elsewhere, many at once; and the engine's figures of
 * late.
 */
#include <errno.h>
#include <time.h>

#include "plugin/engine.h"

int
engine_import(struct engine *engine, const struct network *net,
	const struct engine_import *import)
{
	struct ban ban = {.net = engine_client(engine, net),
		.from_us = engine_now(),
		.until_us = import->until_us,
		.class = CLASS_NONE};
	struct record record = {.type = RECORD_BAN,
		.time_us = ban.from_us,
		.net = ban.net,
		.class = CLASS_NONE,
		.until_us = import->until_us,
		.origin = ORIGIN_IMPORTED,
		.by = engine_span(import->by),
		.reason = engine_span(import->source)};
	const struct ban *known;
	const char *why;
	int rc = engine_may_ban(engine, net, &why);

	if (rc < 0)
		return rc;
	known = judge_find_ban(engine->judge, &ban.net, ban.from_us);
	if (known && !known->observed && known->until_us >= ban.until_us)
		return -EALREADY;
	judge_ban(engine->judge, &ban);
	record.seq = ++engine->seq;
	journal_add(engine->journal, &record);
	if (engine->kernel)
		kernel_ban(engine->kernel, &ban);
	return 0;
}

struct rates_counts
engine_rates_counts(const struct engine *engine)
{
	return (struct rates_counts){.messages = engine->count.lines,
		.offences = engine->count.offences,
		.bans = engine->count.bans};
}

int64_t
engine_monotonic_s(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}
