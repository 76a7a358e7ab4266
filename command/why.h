/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Between why.c (finds out) and why_print.c (tells a person).
 */
#ifndef MAILBAN_COMMAND_WHY_H
#define MAILBAN_COMMAND_WHY_H

#include <json.h>

/* What `mailban why --json` prints, as text. */
void why_print(struct fjson_object *why);

#endif
