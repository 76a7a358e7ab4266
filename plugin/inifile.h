/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * INI files with true line numbers, long lines and any bytes in values: inih
 * alone cuts lines at 200 bytes and takes " ;" for a comment even inside a
 * pattern. Strict: what is not understood is an error that names file and
 * line, never skipped.
 *
 * A line is "[section]", "key = value", a comment (its first character that is
 * no blank is ';' or '#'), empty, or begins with a blank: then it is one more
 * value of the key above it. Names consist of A-Z a-z 0-9 - _ and '.'; blanks
 * around a value don't belong to it. A section may come once in a file, a key
 * as often as the handler allows.
 */
#ifndef MAILBAN_INIFILE_H
#define MAILBAN_INIFILE_H

#include <stdbool.h>
#include <stddef.h>

enum {
	INIFILE_LINE_MAX = 8192,
	INIFILE_NAME_MAX = 49,	     /* as inih has it */
	INIFILE_SIZE_MAX = 16 << 20, /* of a whole file */
};

/* Called for each value, in order, with the number of its own line. Returns
 * NULL, or an allocated text of what is wrong and what would be right, which
 * ends the reading: inifile puts "path:line: " before it and frees it. The
 * strings are gone after the call. */
typedef char *inifile_handler(const char *section, const char *name,
	const char *value, unsigned line, void *arg);

/* Reads a whole file. inline_comments: a blank and then ';' or '#' begin a
 * comment behind a value too. 0, or a negative errno with *error
 * "path:line: what is wrong" (caller frees): -EBADMSG for what is in the
 * file. */
int inifile_read(const char *path, bool inline_comments, inifile_handler *each,
	void *arg, char **error);

/* The same from memory; name stands for the path in errors. */
int inifile_read_text(const char *name, const char *text, size_t len,
	bool inline_comments, inifile_handler *each, void *arg, char **error);

#endif
