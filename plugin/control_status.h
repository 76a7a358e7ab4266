/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What `mailban status` shows, as one JSON object; and the members that all
 * answers are made of.
 */
#ifndef MAILBAN_CONTROL_STATUS_H
#define MAILBAN_CONTROL_STATUS_H

#include <json.h>

#include "plugin/engine.h"
#include "plugin/snapshot.h"

/* The caller's to put. snapshot: what the kernel has, or NULL. */
struct fjson_object *control_status(
	const struct engine *engine, const struct snapshot *snapshot);
/* "up", "down", ... of mailban(1); kernel may be NULL. */
const char *control_kernel_word(const struct kernel *kernel);

/* NULL becomes null. */
void control_add_text(
	struct fjson_object *object, const char *key, const char *text);
void control_add_number(
	struct fjson_object *object, const char *key, int64_t number);
void control_add_count(
	struct fjson_object *object, const char *key, uint64_t number);
void control_add_flag(struct fjson_object *object, const char *key, bool flag);
/* Seconds since the epoch, or null for never. */
void control_add_time(
	struct fjson_object *object, const char *key, int64_t time_us);

#endif
