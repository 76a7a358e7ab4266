/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The report as plain text, for a mail: at most 78 columns.
 */
#include <inttypes.h>
#include <string.h>

#include "command/command.h"
#include "command/report.h"
#include "command/show.h"

enum { BAR = 48, NAME_COLUMNS = 40 };

static void
print_totals(FILE *to, struct fjson_object *report)
{
	struct fjson_object *totals = member(report, "totals");
	struct fjson_object *status = member(report, "status");
	char from[SHOW_TIME_LEN], until[SHOW_TIME_LEN], bytes[SHOW_TIME_LEN];

	(void)fprintf(to, "mailban: the last %s, %s to %s\n\n",
		member_text(report, "period"),
		show_time(member_number(report, "from"), from),
		show_time(member_number(report, "to"), until));
	(void)fprintf(to, "%10" PRId64 " offences by %" PRId64 " clients\n",
		member_number(totals, "offences"),
		member_number(totals, "clients"));
	(void)fprintf(to,
		"%10" PRId64 " bans, %" PRId64
		" of them by hand or imported; %" PRId64 " lifted\n",
		member_number(totals, "bans"), member_number(totals, "by_hand"),
		member_number(totals, "lifts"));
	if (!status) {
		(void)fputs("           ommailban is not running\n", to);
		return;
	}
	(void)fprintf(to, "%10" PRId64 " bans in force now\n",
		member_number(status, "bans"));
	if (!member_is_null(status, "packets_dropped"))
		(void)fprintf(to,
			"%10" PRId64 " packets dropped of these (%s)\n",
			member_number(status, "packets_dropped"),
			show_bytes(
				member_number(status, "bytes_dropped"), bytes));
}

static void
print_buckets(FILE *to, struct fjson_object *report)
{
	static const char full[] =
		"################################################";
	struct fjson_object *buckets = member(report, "buckets");
	int64_t most = report_most(report, "offences");

	(void)fprintf(to, "\n%-10s %9s %6s\n", "", "offences", "bans");
	for (int i = 0; i < fjson_object_array_length(buckets); i++) {
		struct fjson_object *one =
			fjson_object_array_get_idx(buckets, i);
		int64_t offences = member_number(one, "offences");
		char label[16];

		report_label(report, i, label);
		(void)fprintf(to, "%-10s %9" PRId64 " %6" PRId64 " %.*s\n",
			label, offences, member_number(one, "bans"),
			(int)(offences * BAR / most), full);
	}
}

static void
print_table(
	FILE *to, const struct report_table *table, struct fjson_object *rows)
{
	const struct report_column *columns = table->columns;

	if (!fjson_object_array_length(rows))
		return;
	(void)fprintf(to, "\n%s\n  %-*s", table->title, NAME_COLUMNS,
		columns[0].head);
	for (int j = 1; j < 4 && columns[j].key; j++)
		(void)fprintf(to, " %12s", columns[j].head);
	for (int i = 0; i < fjson_object_array_length(rows); i++) {
		struct fjson_object *row = fjson_object_array_get_idx(rows, i);
		const char *name = member_text(row, "name");
		size_t cut = show_cut(name, NAME_COLUMNS);

		(void)fprintf(to, "\n  %.*s%*s", (int)cut, name,
			NAME_COLUMNS - (int)cut > 0 ? NAME_COLUMNS - (int)cut
						    : 0,
			"");
		for (int j = 1; j < 4 && columns[j].key; j++)
			(void)fprintf(to, " %12" PRId64,
				member_number(row, columns[j].key));
	}
	(void)fputc('\n', to);
}

void
report_text(FILE *to, struct fjson_object *report)
{
	print_totals(to, report);
	print_buckets(to, report);
	for (size_t i = 0; report_table_at(i); i++)
		print_table(to, report_table_at(i),
			member(report, report_table_at(i)->key));
}
