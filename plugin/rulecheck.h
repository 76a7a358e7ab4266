/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Checks of rules against each other, for whoever writes some: `ommailban
 * --check` and `mailban test`. See rules_check.
 */
#ifndef MAILBAN_RULECHECK_H
#define MAILBAN_RULECHECK_H

#include "plugin/rulefile.h"

/* NULL, or an allocated text of the first thing that is wrong. */
char *rulecheck_order(
	const struct ruledefs *defs, struct pattern_runner *runner);
char *rulecheck_injection(
	const struct ruledefs *defs, struct pattern_runner *runner);

#endif
