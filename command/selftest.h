/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What mailban needs of the machine, looked at from outside: what is missing is
 * named, with what to do.
 */
#ifndef MAILBAN_COMMAND_SELFTEST_H
#define MAILBAN_COMMAND_SELFTEST_H

#include "command/command.h"

/* An array of {"what", "to_do"}, empty when nothing is missing. status: of a
 * running ommailban, or NULL. config: where its paths stand. */
struct fjson_object *selftest(const struct arguments *arguments,
	const struct config *config, struct fjson_object *status);
void selftest_print(struct fjson_object *missing);

#endif
