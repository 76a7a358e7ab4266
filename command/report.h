/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mailban report: report.c finds out, one object; report_text.c and
 * report_html.c tell it. The object's text is safe for a terminal, not for
 * HTML.
 *
 * {"from", "to": seconds; "step_s": of a bucket; "buckets": [{"offences",
 * "bans"}]; "totals": {...}; "classes", "programs", "hosts", "users",
 * "clients", "networks", "repeaters": arrays; "status": or null}
 */
#ifndef MAILBAN_COMMAND_REPORT_H
#define MAILBAN_COMMAND_REPORT_H

#include <json.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

void report_text(FILE *to, struct fjson_object *report);
void report_html(FILE *to, struct fjson_object *report);

/* The tables, in order: what both show. */
struct report_column {
	const char *key, *head;
	bool number;
};
struct report_table {
	const char *key, *title;
	struct report_column columns[4]; /* the first is what it is by */
};
const struct report_table *report_table_at(size_t index);

/* The rows of that table between two moments. */
struct past;
struct fjson_object *report_rows(
	struct past *past, const char *key, int64_t from_s, int64_t to_s);

/* A bucket's beginning as a person names it: "14h", "Mon 23 06h", "23 Nov". */
void report_label(struct fjson_object *report, int bucket, char out[16]);
/* Of "offences" or "bans", at least 1. */
int64_t report_most(struct fjson_object *report, const char *key);

#endif
