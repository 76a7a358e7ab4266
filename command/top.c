/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mailban top: the last hour, live in a terminal. Where standard output is no
 * terminal it is shown once.
 */
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "command/command.h"
#include "command/past.h"
#include "command/report.h"
#include "command/show.h"

enum {
	REFRESH_MS = 2000,
	SPAN_S = 3600,
	HEADER = 4,
	COLUMN = 40, /* at least so wide */
	COLUMNS_MAX = 4,
	NUMBER = 8,
};

static const char *const blocks[] = {
	"clients", "users", "networks", "classes", "hosts", "programs"};
enum { BLOCKS = sizeof(blocks) / sizeof(blocks[0]) };

struct top {
	struct talk *talk;
	struct past *past;
	struct fjson_object *status;
	struct fjson_object *rows[BLOCKS];
	size_t width, height;
};

static volatile sig_atomic_t leave;

static void
on_signal(int number)
{
	/* A new size is looked at with the next picture. */
	if (number != SIGWINCH)
		leave = 1;
}

/* --- the terminal --- */

static struct termios before;

/* All of it is async-signal-safe or harmless at exit. */
static void
restore_terminal(void)
{
	static const char back[] = "\033[?25h\033[?1049l";

	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
	(void)!write(STDOUT_FILENO, back, sizeof(back) - 1);
}

static void
take_terminal(void)
{
	struct sigaction action = {.sa_handler = on_signal};
	struct termios raw;

	if (tcgetattr(STDIN_FILENO, &before) == 0) {
		raw = before;
		raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
		(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw);
	}
	(void)atexit(restore_terminal);
	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
	(void)sigaction(SIGHUP, &action, NULL);
	(void)sigaction(SIGWINCH, &action, NULL);
	(void)fputs("\033[?1049h\033[?25l", stdout);
}

static void
look_at_size(struct top *top)
{
	struct winsize size;

	top->width = 80;
	top->height = 1000;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col) {
		top->width = size.ws_col;
		top->height = size.ws_row;
	}
}

/* --- the picture --- */

static void
put_cut(FILE *to, const char *text, size_t columns)
{
	size_t cut = show_cut(text, columns), shown = 0;

	for (size_t i = 0; i < cut; i++)
		shown += ((unsigned char)text[i] & 0xc0) != 0x80;
	(void)fprintf(
		to, "%.*s%*s", (int)cut, text, (int)(columns - shown), "");
}

static int
rows_in(const struct top *top, size_t block)
{
	return fjson_object_array_length(top->rows[block]);
}

/* Line `line` of a block: its head, then its rows; blanks below. */
static void
put_block_line(
	FILE *to, const struct top *top, size_t block, int line, size_t columns)
{
	char number[24] = "";
	const char *name = "";

	if (line == 0) {
		name = blocks[block];
		(void)fputs(show_style(SHOW_BOLD), to);
	} else if (line - 1 < rows_in(top, block)) {
		struct fjson_object *row =
			fjson_object_array_get_idx(top->rows[block], line - 1);

		name = member_text(row, "name");
		(void)snprintf(number, sizeof(number), "%" PRId64,
			member_number(row, "offences"));
	}
	(void)fprintf(to, "%*s ", NUMBER, number);
	put_cut(to, name, columns - NUMBER - 2);
	if (line == 0)
		(void)fputs(show_style(SHOW_PLAIN), to);
	(void)fputc(' ', to);
}

/* Blocks from `first` on, beside each other; how many lines they took. */
static int
put_blocks(FILE *to, const struct top *top, size_t first, size_t beside,
	int lines_left)
{
	size_t columns = top->width / beside;
	int lines = 0;

	for (size_t i = first; i < first + beside && i < BLOCKS; i++)
		if (rows_in(top, i) + 2 > lines)
			lines = rows_in(top, i) + 2;
	if (lines > 12)
		lines = 12;
	if (lines > lines_left)
		lines = lines_left;
	for (int line = 0; line < lines; line++) {
		for (size_t i = first; i < first + beside && i < BLOCKS; i++)
			put_block_line(to, top, i, line, columns);
		(void)fputs("\n", to);
	}
	return lines;
}

static double
rate(struct fjson_object *status, const char *span, const char *key)
{
	struct fjson_object *one = member(member(status, "rates"), span);
	int64_t seconds = member_number(one, "seconds");

	return seconds ? (double)member_number(one, key) / (double)seconds : 0;
}

static void
put_header(FILE *to, const struct top *top)
{
	struct fjson_object *status = top->status;
	char now[SHOW_TIME_LEN], line[256];

	(void)snprintf(line, sizeof(line), "mailban  %s  %s, kernel %s",
		show_time((int64_t)time(NULL), now),
		member_text(status, "mode"), member_text(status, "kernel"));
	put_cut(to, line, top->width - 1);
	(void)snprintf(line, sizeof(line),
		"%.1f messages/s now, %.1f in the last hour;  %.2f offences/s "
		"now, %.2f in the last hour",
		rate(status, "now", "messages"),
		rate(status, "hour", "messages"),
		rate(status, "now", "offences"),
		rate(status, "hour", "offences"));
	(void)fputc('\n', to);
	put_cut(to, line, top->width - 1);
	(void)snprintf(line, sizeof(line),
		"%" PRId64 " bans in force, %" PRId64
		" made in the last hour;  %" PRId64 " packets dropped",
		member_number(status, "bans"),
		member_number(member(member(status, "rates"), "hour"), "bans"),
		member_number(status, "packets_dropped"));
	(void)fputc('\n', to);
	put_cut(to, line, top->width - 1);
	(void)fputs("\n\n", to);
}

static void
put_picture(FILE *to, struct top *top)
{
	size_t beside = top->width / COLUMN;
	int left = (int)top->height - HEADER - 1;

	if (beside < 1)
		beside = 1;
	if (beside > COLUMNS_MAX)
		beside = COLUMNS_MAX;
	put_header(to, top);
	for (size_t i = 0; i < BLOCKS && left > 1; i += beside)
		left -= put_blocks(to, top, i, beside, left);
}

/* Line by line over the last one, so that nothing flickers. */
static void
draw(struct top *top, bool live)
{
	char *text = NULL, *line, *end;
	size_t len = 0;
	FILE *to = open_memstream(&text, &len);

	if (!to)
		return;
	look_at_size(top);
	put_picture(to, top);
	(void)fclose(to);
	if (live)
		(void)fputs("\033[H", stdout);
	for (line = text; (end = strchr(line, '\n')); line = end + 1)
		(void)printf("%.*s%s\n", (int)(end - line), line,
			live ? "\033[K" : "");
	if (live)
		(void)fputs("\033[J", stdout);
	(void)fflush(stdout);
	free(text);
}

/* --- the figures --- */

static void
forget(struct top *top)
{
	fjson_object_put(top->status);
	top->status = NULL;
	for (size_t i = 0; i < BLOCKS; i++) {
		fjson_object_put(top->rows[i]);
		top->rows[i] = NULL;
	}
}

static int
look(struct top *top)
{
	int64_t now_s = (int64_t)time(NULL);
	int status;

	forget(top);
	status = talk_request(
		top->talk, request_of("status"), keep_object, &top->status);
	for (size_t i = 0; i < BLOCKS; i++)
		top->rows[i] = report_rows(
			top->past, blocks[i], now_s - SPAN_S, now_s + 1);
	return status;
}

static void
print_once(struct top *top, bool json)
{
	struct fjson_object *object;

	if (!json) {
		draw(top, false);
		return;
	}
	object = fjson_object_new_object();
	fjson_object_object_add(
		object, "status", fjson_object_get(top->status));
	for (size_t i = 0; i < BLOCKS; i++)
		fjson_object_object_add(
			object, blocks[i], fjson_object_get(top->rows[i]));
	print_object(object);
	fjson_object_put(object);
}

/* Whether to go on. */
static bool
pause_for_key(void)
{
	struct pollfd key = {.fd = STDIN_FILENO, .events = POLLIN};
	char pressed = 0;

	if (poll(&key, 1, REFRESH_MS) <= 0)
		return !leave;
	/* The end of input means that nobody sits there any more. */
	if (read(STDIN_FILENO, &pressed, 1) <= 0)
		return false;
	return pressed != 'q' && pressed != 'Q' && !leave;
}

static int
run_top(struct top *top, const struct arguments *arguments)
{
	bool live = !arguments->json && isatty(STDOUT_FILENO) &&
		    isatty(STDIN_FILENO);
	int status = look(top);

	if (status != STATUS_DONE)
		return status;
	if (!live) {
		print_once(top, arguments->json);
		return status;
	}
	take_terminal();
	do {
		draw(top, true);
		if (!pause_for_key())
			break;
		status = look(top);
	} while (status == STATUS_DONE);
	restore_terminal();
	if (status != STATUS_DONE)
		(void)complain(status, "ommailban does not answer any more");
	return status;
}

int
command_top(const struct arguments *arguments)
{
	struct top top = {.talk = NULL};
	struct fjson_object *first = NULL;
	const char *why = NULL;
	int status = STATUS_NOT_RUNNING;

	/* The talk goes on when root is given up for the ledger. */
	top.talk = talk_open(arguments, false, &status);
	if (!top.talk)
		return status;
	status = talk_request(
		top.talk, request_of("status"), keep_object, &first);
	if (status == STATUS_DONE)
		top.past = past_open(member_text(first, "state"), &why);
	fjson_object_put(first);
	if (top.past)
		status = run_top(&top, arguments);
	else if (status == STATUS_DONE)
		status = complain(
			STATUS_REFUSED, "the ledger can't be read: %s", why);
	forget(&top);
	past_close(top.past);
	talk_close(top.talk);
	return status;
}
