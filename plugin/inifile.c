/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lines are checked here and handed to inih in pieces that none of its
 * versions can misread: short, and with every byte of a value that could mean
 * something to it written as %XX. Our handler puts the pieces together again.
 * So neither its limit of 200 bytes a line nor its comment rules, which differ
 * from version to version and in inih are set when it is compiled, bear on
 * what a file means.
 */
#include "plugin/inifile.h"

#include "common/xalloc.h"

#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Encoded bytes of a value a piece: with name, '=', mark and LF below 190. */
enum { PIECE_MAX = 120 };
/* The first character of a piece. */
enum { PIECE_MORE = '+', PIECE_END = '.' };

struct section {
	char name[INIFILE_NAME_MAX + 1];
	unsigned line;
};

struct reading {
	/* what the caller gave */
	const char *path;
	bool inline_comments;
	inifile_handler *each;
	void *arg;
	/* where we are */
	const char *rest, *end;
	unsigned line;
	struct section *sections;
	size_t section_count;
	char key[INIFILE_NAME_MAX + 1]; /* empty: none in this section yet */
	const char *value, *value_end;	/* not yet handed to inih */
	/* what came back */
	char decoded[INIFILE_LINE_MAX + 1];
	size_t decoded_len;
	char *error; /* allocated; its being there ends the reading */
};

struct text {
	const char *start, *end;
};

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

static bool
is_comment(const struct text *text)
{
	return text->start < text->end &&
	       (*text->start == ';' || *text->start == '#');
}

static void
trim(struct text *text)
{
	while (text->start < text->end && is_blank(*text->start))
		text->start++;
	while (text->end > text->start && is_blank(text->end[-1]))
		text->end--;
}

static bool
is_name(const struct text *text)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "abcdefghijklmnopqrstuvwxyz"
				      "0123456789-_.";

	for (const char *at = text->start; at < text->end; at++)
		if (!memchr(allowed, *at, sizeof allowed - 1))
			return false;
	return text->start < text->end;
}

static void
fail(struct reading *reading, const char *what)
{
	if (!reading->error)
		reading->error = xasprintf(
			"%s:%u: %s", reading->path, reading->line, what);
}

static bool
take_name(struct reading *reading, const struct text *text,
	char out[INIFILE_NAME_MAX + 1])
{
	size_t len = (size_t)(text->end - text->start);

	if (!is_name(text)) {
		fail(reading,
			"a name may have letters, digits, '-', '_' and '.' "
			"only");
		return false;
	}
	if (len > INIFILE_NAME_MAX) {
		fail(reading, "a name may have at most 49 characters");
		return false;
	}
	memcpy(out, text->start, len);
	out[len] = '\0';
	return true;
}

/* The next line without its end; false at the end of the file, or when the
 * line can't be taken at all. */
static bool
take_line(struct reading *reading, struct text *out)
{
	const char *end;

	if (reading->rest == reading->end)
		return false;
	reading->line++;
	end = memchr(
		reading->rest, '\n', (size_t)(reading->end - reading->rest));
	out->start = reading->rest;
	out->end = end ? end : reading->end;
	reading->rest = end ? end + 1 : reading->end;
	if (out->end - out->start > INIFILE_LINE_MAX)
		fail(reading, "the line is longer than 8192 bytes");
	else if (memchr(out->start, '\0', (size_t)(out->end - out->start)))
		fail(reading, "a NUL byte: this is no text file");
	return !reading->error;
}

/* "[name]", maybe with a comment behind it. */
static void
take_section(struct reading *reading, struct text text)
{
	const char *close =
		memchr(text.start, ']', (size_t)(text.end - text.start));
	struct text name = {text.start + 1, close}, behind = {close, text.end};
	struct section *new;

	if (!close) {
		fail(reading, "a section must be written as \"[name]\"");
		return;
	}
	behind.start++;
	trim(&name);
	trim(&behind);
	if (behind.start < behind.end && !is_comment(&behind)) {
		fail(reading, "something behind the \"]\" of a section");
		return;
	}
	reading->sections = xreallocarray(reading->sections,
		reading->section_count + 1, sizeof *reading->sections);
	new = &reading->sections[reading->section_count];
	if (!take_name(reading, &name, new->name))
		return;
	new->line = reading->line;
	reading->key[0] = '\0';
	for (size_t i = 0; i < reading->section_count; i++)
		if (strcmp(reading->sections[i].name, new->name) == 0) {
			reading->error = xasprintf("%s:%u: section [%s] is "
						   "already there at line %u",
				reading->path, reading->line, new->name,
				reading->sections[i].line);
			return;
		}
	reading->section_count++;
}

/* A value is what stands between the blanks, and before a comment. */
static void
take_value(struct reading *reading, struct text text)
{
	if (reading->inline_comments)
		for (const char *at = text.start; at + 1 < text.end; at++)
			if (is_blank(at[0]) && (at[1] == ';' || at[1] == '#'))
				text.end = at;
	trim(&text);
	reading->value = text.start;
	reading->value_end = text.end;
}

static void
take_key(struct reading *reading, struct text text)
{
	const char *sign =
		memchr(text.start, '=', (size_t)(text.end - text.start));
	struct text name = {text.start, sign}, value = {sign, text.end};

	if (!sign) {
		fail(reading,
			"not understood: \"[section]\", \"key = value\", a "
			"comment that begins with ';' or '#', or a "
			"continuation that begins with a blank is needed");
		return;
	}
	if (reading->section_count == 0) {
		fail(reading, "a key before the first \"[section]\"");
		return;
	}
	trim(&name);
	value.start++;
	if (take_name(reading, &name, reading->key))
		take_value(reading, value);
}

/* Reads lines up to one that inih has to see. True: it is a section, or
 * reading->value is set. */
static bool
next_item(struct reading *reading, bool *is_section)
{
	struct text text, trimmed;

	while (take_line(reading, &text)) {
		trimmed = text;
		trim(&trimmed);
		if (trimmed.start == trimmed.end || is_comment(&trimmed))
			continue;
		*is_section = text.start[0] == '[';
		if (*is_section)
			take_section(reading, trimmed);
		else if (!is_blank(text.start[0]))
			take_key(reading, trimmed);
		else if (reading->key[0] != '\0')
			take_value(reading, text);
		else
			fail(reading,
				"the line begins with a blank, but there is no "
				"key above that it could continue");
		return !reading->error;
	}
	return false;
}

/* Whether inih leaves that byte of a value alone, wherever it stands. */
static bool
is_plain(char c)
{
	return c > ' ' && c <= '~' && c != '%' && c != ';' && c != '#';
}

/* "key=.value\n", or "key=+valu\n" when more is to come. */
static void
put_piece(struct reading *reading, char *out, size_t size)
{
	char piece[PIECE_MAX + 1];
	size_t len = 0;

	while (reading->value < reading->value_end && len + 3 <= PIECE_MAX) {
		char c = *reading->value++;
		if (is_plain(c))
			piece[len++] = c;
		else
			len += (size_t)snprintf(piece + len, sizeof piece - len,
				"%%%02x", (unsigned char)c);
	}
	piece[len] = '\0';
	snprintf(out, size, "%s=%c%s\n", reading->key,
		reading->value < reading->value_end ? PIECE_MORE : PIECE_END,
		piece);
	if (reading->value == reading->value_end)
		reading->value = NULL;
}

/* inih's fgets. */
static char *
feed(char *out, int size, void *stream)
{
	struct reading *reading = stream;
	bool is_section = false;

	if (reading->error)
		return NULL;
	if (!reading->value && !next_item(reading, &is_section))
		return NULL;
	if (is_section)
		snprintf(out, (size_t)size, "[%s]\n",
			reading->sections[reading->section_count - 1].name);
	else
		put_piece(reading, out, (size_t)size);
	return out;
}

static int
hex_digit(char c)
{
	return c <= '9' ? c - '0' : c - 'a' + 10;
}

static void
append_decoded(struct reading *reading, const char *piece)
{
	while (*piece) {
		char c = *piece++;
		if (c == '%') {
			c = (char)(hex_digit(piece[0]) << 4 |
				   hex_digit(piece[1]));
			piece += 2;
		}
		reading->decoded[reading->decoded_len++] = c;
	}
}

/* inih's handler: 1 to go on. */
static int
collect(void *user, const char *section, const char *name, const char *value)
{
	struct reading *reading = user;
	char *wrong;

	append_decoded(reading, value + 1);
	if (value[0] == PIECE_MORE)
		return 1;
	reading->decoded[reading->decoded_len] = '\0';
	reading->decoded_len = 0;
	wrong = reading->each(
		section, name, reading->decoded, reading->line, reading->arg);
	if (!wrong)
		return 1;
	fail(reading, wrong);
	free(wrong);
	return 0;
}

int
inifile_read_text(const char *name, const char *text, size_t len,
	bool inline_comments, inifile_handler *each, void *arg, char **error)
{
	struct reading *reading = xcalloc(1, sizeof *reading);
	int result;

	reading->path = name;
	reading->inline_comments = inline_comments;
	reading->each = each;
	reading->arg = arg;
	/* A byte order mark, as some editors leave it. */
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
		text += 3;
		len -= 3;
	}
	reading->rest = text;
	reading->end = text + len;
	if (ini_parse_stream(feed, reading, collect, reading) != 0)
		fail(reading, "inih does not understand this");
	result = reading->error ? -EBADMSG : 0;
	if (reading->error)
		*error = reading->error;
	free(reading->sections);
	free(reading);
	return result;
}

/* The whole file as one allocated buffer. */
static int
read_file(const char *path, char **text, size_t *len)
{
	FILE *file = fopen(path, "re");
	struct stat info;
	char *buf = NULL;
	int result = 0;

	if (!file || fstat(fileno(file), &info) < 0)
		result = -errno;
	else if (!S_ISREG(info.st_mode) && !S_ISCHR(info.st_mode))
		result = S_ISDIR(info.st_mode) ? -EISDIR : -EINVAL;
	else if (info.st_size > INIFILE_SIZE_MAX)
		result = -EFBIG;
	if (result < 0)
		goto out;
	/* One byte more than there was: a file that grows is noticed. */
	buf = xcalloc(1, (size_t)info.st_size + 1);
	*len = fread(buf, 1, (size_t)info.st_size + 1, file);
	if (ferror(file))
		result = -EIO;
	else if (*len > (size_t)info.st_size)
		result = -EAGAIN;
out:
	if (file)
		fclose(file);
	if (result < 0)
		free(buf);
	else
		*text = buf;
	return result;
}

int
inifile_read(const char *path, bool inline_comments, inifile_handler *each,
	void *arg, char **error)
{
	char *text = NULL;
	size_t len = 0;
	int result = read_file(path, &text, &len);

	if (result < 0) {
		*error = xasprintf("%s: %s", path, strerror(-result));
		return result;
	}
	result = inifile_read_text(
		path, text, len, inline_comments, each, arg, error);
	free(text);
	return result;
}
