/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * As tests/inject/inject, with libFuzzer as the attacker: the first four bytes
 * choose an example and one of its fields, the rest is the text in it. The
 * client charged is the one that the server names, or nobody.
 */
#include "tests/fuzz/fuzz.h"

#include "tests/inject/hostile.h"

#include <stdlib.h>
#include <string.h>

static struct targets targets;

static void
prepare(void)
{
	char *folder = fuzz_rules();

	if (!targets_load(&targets, folder))
		fuzz_wrong("no rules");
	free(folder);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct hostile_line line;
	const struct target *target;
	const struct field *field;
	struct match match;

	if (!targets.count)
		prepare();
	if (size < 4)
		return 0;
	target = &targets.items[(data[0] | data[1] << 8) % (int)targets.count];
	if (!target->field_count)
		return 0;
	field = &target->fields[data[2] % target->field_count];
	hostile_place(target, field,
		(struct span){(const char *)data + 4, size - 4}, &line);
	/* The last byte of the four cuts the message short of its end. */
	if (data[3] < 16 && line.len > 1888 + data[3] * 10U)
		line.len = 1888 + data[3] * 10U;
	if (target_judge(target, (struct span){line.text, line.len}, &match) ==
		OUTCOME_OTHER)
		fuzz_wrong("%s:%u: [%s] in %s: [%s] charges another\n%.*s",
			target->def->file, target->example->line,
			target->def->name, field_names[field->kind],
			match.rule->name, (int)line.len, line.text);
	return 0;
}
