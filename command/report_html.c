/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The report as one self-contained page: no script, nothing loaded from
 * anywhere, and a policy in it that forbids both. Every text passes escape().
 */
#include <inttypes.h>
#include <string.h>

#include "command/command.h"
#include "command/report.h"
#include "command/show.h"

enum { CHART_WIDTH = 720, CHART_HEIGHT = 120, LEFT = 62, FOOT = 28 };

static const char head[] =
	"<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta "
	"charset=\"utf-8\">\n"
	"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src "
	"'none'; style-src 'unsafe-inline'\">\n"
	"<meta name=\"viewport\" content=\"width=device-width, "
	"initial-scale=1\">\n"
	"<meta name=\"color-scheme\" content=\"light dark\">\n"
	"<title>mailban report</title>\n<style>\n"
	":root{--page:#f6f7f9;--card:#fff;--ink:#1c2430;--soft:#5b6675;"
	"--line:#dde2e8;--offence:#2f6fb3;--ban:#c2502e}\n"
	"@media(prefers-color-scheme:dark){:root{--page:#12161c;--card:#1b2129;"
	"--ink:#e6eaf0;--soft:#9aa5b4;--line:#313a46;--offence:#6aa6e0;"
	"--ban:#e58a66}}\n"
	"*{box-sizing:border-box}\n"
	"body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 "
	"system-ui,sans-serif}\n"
	"main{max-width:1080px;margin:0 auto;padding:24px 16px 48px}\n"
	"h1{font-size:22px;margin:0}h2{font-size:15px;margin:0 0 8px}\n"
	".when{color:var(--soft);margin:2px 0 20px}\n"
	".figures{display:grid;grid-template-columns:repeat(auto-fit,"
	"minmax(140px,1fr));gap:12px;margin-bottom:16px}\n"
	".figure,.card{background:var(--card);border:1px solid var(--line);"
	"border-radius:8px;padding:14px 16px}\n"
	".figure b{display:block;font-size:26px;line-height:1.2;"
	"font-variant-numeric:tabular-nums}\n"
	".figure span{color:var(--soft);font-size:13px}\n"
	".card{margin-bottom:16px;overflow-x:auto}\n"
	".tables{display:grid;grid-template-columns:repeat(auto-fit,"
	"minmax(min(100%,400px),1fr));gap:16px;align-items:start}\n"
	".tables .card{margin:0}\n"
	"svg{display:block;width:100%;height:auto;overflow:visible}\n"
	"svg text{fill:var(--soft);font:11px system-ui,sans-serif}\n"
	"svg .rule{stroke:var(--line)}\n"
	"@media(max-width:600px){svg text{font-size:19px}.odd{display:none}}\n"
	".offences{fill:var(--offence)}.bans{fill:var(--ban)}\n"
	"table{border-collapse:collapse;width:100%;font-size:14px}\n"
	"th{color:var(--soft);font-weight:500;text-align:left}\n"
	"td,th{padding:4px 0 4px 12px;border-top:1px solid var(--line)}\n"
	"tr:first-child th{border-top:0}\n"
	"td:first-child,th:first-child{padding-left:0;overflow-wrap:anywhere}\n"
	".number{text-align:right;white-space:nowrap;font-variant-numeric:"
	"tabular-nums}\n"
	"footer{color:var(--soft);font-size:13px;margin-top:24px}\n"
	"</style>\n</head>\n<body>\n<main>\n";

static void
escape(FILE *to, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '<':
			(void)fputs("&lt;", to);
			break;
		case '>':
			(void)fputs("&gt;", to);
			break;
		case '&':
			(void)fputs("&amp;", to);
			break;
		case '"':
			(void)fputs("&quot;", to);
			break;
		case '\'':
			(void)fputs("&#39;", to);
			break;
		default:
			(void)fputc(*text, to);
			break;
		}
	}
}

/* 12,345,678 */
static void
number(FILE *to, int64_t value)
{
	if (value >= 1000) {
		number(to, value / 1000);
		(void)fprintf(to, ",%03d", (int)(value % 1000));
	} else {
		(void)fprintf(to, "%d", (int)value);
	}
}

static void
figure(FILE *to, int64_t value, const char *what)
{
	(void)fputs("<div class=\"figure\"><b>", to);
	number(to, value);
	(void)fprintf(to, "</b><span>%s</span></div>\n", what);
}

static void
figures(FILE *to, struct fjson_object *report)
{
	struct fjson_object *totals = member(report, "totals");
	struct fjson_object *status = member(report, "status");

	(void)fputs("<div class=\"figures\">\n", to);
	figure(to, member_number(totals, "offences"), "offences");
	figure(to, member_number(totals, "clients"), "clients");
	figure(to, member_number(totals, "bans"), "bans made");
	if (status)
		figure(to, member_number(status, "bans"), "bans in force now");
	if (status && !member_is_null(status, "packets_dropped"))
		figure(to, member_number(status, "packets_dropped"),
			"packets dropped of these");
	(void)fputs("</div>\n", to);
}

/* --- charts --- */

static void
axis(FILE *to, int64_t most)
{
	(void)fprintf(to,
		"<line class=\"rule\" x1=\"%d\" x2=\"%d\" y1=\"8.5\" "
		"y2=\"8.5\"/>"
		"<line class=\"rule\" x1=\"%d\" x2=\"%d\" y1=\"%d.5\" "
		"y2=\"%d.5\"/>"
		"<text x=\"%d\" y=\"12\" text-anchor=\"end\">",
		LEFT, CHART_WIDTH, LEFT, CHART_WIDTH, CHART_HEIGHT,
		CHART_HEIGHT, LEFT - 6);
	number(to, most);
	(void)fprintf(to,
		"</text><text x=\"%d\" y=\"%d\" text-anchor=\"end\">0</text>\n",
		LEFT - 6, CHART_HEIGHT + 4);
}

static void
bar(FILE *to, struct fjson_object *report, int at, int count, const char *key,
	int64_t most)
{
	int64_t value = member_number(
		fjson_object_array_get_idx(member(report, "buckets"), at), key);
	double step = (double)(CHART_WIDTH - LEFT) / count;
	double height = (double)value * (CHART_HEIGHT - 8) / (double)most;
	double x = LEFT + step * at;
	int apart = (count + 6) / 7;
	char label[16];

	report_label(report, at, label);
	if (value)
		(void)fprintf(to,
			"<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" "
			"width=\"%.1f\" height=\"%.1f\" rx=\"1.5\"><title>%s: "
			"%" PRId64 " %s</title></rect>\n",
			key, x + step * 0.12, CHART_HEIGHT - height,
			step * 0.76, height, label, value, key);
	/* Some seven labels, whatever the number of bars; half on a phone. */
	if (at % apart == 0)
		(void)fprintf(to, "<text%s x=\"%.1f\" y=\"%d\">%s</text>\n",
			at / apart % 2 ? " class=\"odd\"" : "", x + step * 0.12,
			CHART_HEIGHT + FOOT - 6, label);
}

static void
chart(FILE *to, struct fjson_object *report, const char *key, const char *title)
{
	int count = fjson_object_array_length(member(report, "buckets"));
	int64_t most = report_most(report, key);

	(void)fprintf(to,
		"<div class=\"card\"><h2>%s</h2>\n<svg viewBox=\"0 0 %d %d\" "
		"role=\"img\" aria-label=\"%s over time\">\n",
		title, CHART_WIDTH, CHART_HEIGHT + FOOT, title);
	axis(to, most);
	for (int i = 0; i < count; i++)
		bar(to, report, i, count, key, most);
	(void)fputs("</svg></div>\n", to);
}

/* --- tables --- */

static void
row_of(FILE *to, const struct report_table *table, struct fjson_object *row)
{
	const struct report_column *columns = table->columns;

	(void)fputs("<tr><td>", to);
	escape(to, member_text(row, "name"));
	(void)fputs("</td>", to);
	for (int j = 1; j < 4 && columns[j].key; j++) {
		(void)fputs("<td class=\"number\">", to);
		number(to, member_number(row, columns[j].key));
		(void)fputs("</td>", to);
	}
	(void)fputs("</tr>\n", to);
}

static void
table_of(FILE *to, const struct report_table *table, struct fjson_object *rows)
{
	const struct report_column *columns = table->columns;

	if (!fjson_object_array_length(rows))
		return;
	(void)fprintf(to,
		"<div class=\"card\"><h2>%s</h2>\n<table><tr><th>%s</th>",
		table->title, columns[0].head);
	for (int j = 1; j < 4 && columns[j].key; j++)
		(void)fprintf(
			to, "<th class=\"number\">%s</th>", columns[j].head);
	(void)fputs("</tr>\n", to);
	for (int i = 0; i < fjson_object_array_length(rows); i++)
		row_of(to, table, fjson_object_array_get_idx(rows, i));
	(void)fputs("</table></div>\n", to);
}

void
report_html(FILE *to, struct fjson_object *report)
{
	char from[SHOW_TIME_LEN], until[SHOW_TIME_LEN];

	(void)fputs(head, to);
	(void)fprintf(to,
		"<h1>mailban: the last %s</h1>\n<p class=\"when\">%s to "
		"%s</p>\n",
		member_text(report, "period"),
		show_time(member_number(report, "from"), from),
		show_time(member_number(report, "to"), until));
	figures(to, report);
	chart(to, report, "offences", "Offences");
	chart(to, report, "bans", "Bans");
	(void)fputs("<div class=\"tables\">\n", to);
	for (size_t i = 0; report_table_at(i); i++)
		table_of(to, report_table_at(i),
			member(report, report_table_at(i)->key));
	(void)fprintf(to,
		"</div>\n<footer>mailban %s. Offences of clients that were "
		"banned already are not counted here.</footer>\n"
		"</main>\n</body>\n</html>\n",
		MAILBAN_VERSION);
}
