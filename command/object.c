/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Complaints; answers and requests as JSON objects: their members, and how they
 * are put together. Text from a log is made safe where it is put in.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "command/command.h"
#include "common/duration.h"
#include "common/log.h"
#include "common/xalloc.h"

int
complain(int status, const char *format, ...)
{
	va_list args;

	(void)fflush(stdout);
	(void)fputs("mailban: ", stderr);
	va_start(args, format);
	(void)vfprintf(stderr, format, args);
	va_end(args);
	(void)fputc('\n', stderr);
	return status;
}

const char *
member_text(struct fjson_object *object, const char *key)
{
	struct fjson_object *value = NULL;

	if (!fjson_object_object_get_ex(object, key, &value) ||
		!fjson_object_is_type(value, fjson_type_string))
		return "";
	return fjson_object_get_string(value);
}

int64_t
member_number(struct fjson_object *object, const char *key)
{
	struct fjson_object *value = NULL;

	if (!fjson_object_object_get_ex(object, key, &value))
		return 0;
	return fjson_object_get_int64(value);
}

bool
member_is_null(struct fjson_object *object, const char *key)
{
	struct fjson_object *value = NULL;

	return !fjson_object_object_get_ex(object, key, &value) || !value;
}

struct fjson_object *
member(struct fjson_object *object, const char *key)
{
	struct fjson_object *value = NULL;

	(void)fjson_object_object_get_ex(object, key, &value);
	return value;
}

bool
member_flag(struct fjson_object *object, const char *key)
{
	return fjson_object_get_boolean(member(object, key));
}

void
print_object(struct fjson_object *object)
{
	(void)puts(
		fjson_object_to_json_string_ext(object, FJSON_TO_STRING_PLAIN));
}

void
add_span(struct fjson_object *object, const char *key, const char *text,
	size_t len)
{
	size_t room = len * 4 + 1; /* "\\xNN" for each byte */
	char *safe = xcalloc(1, room);

	fjson_object_object_add(object, key,
		text ? fjson_object_new_string(
			       text_escape(text, len, safe, room))
		     : NULL);
	free(safe);
}

void
add_text(struct fjson_object *object, const char *key, const char *text)
{
	add_span(object, key, text, text ? strlen(text) : 0);
}

void
add_number(struct fjson_object *object, const char *key, int64_t number)
{
	fjson_object_object_add(object, key, fjson_object_new_int64(number));
}

void
print_json(struct fjson_object *object, void *arg)
{
	(void)arg; /* the object is all */
	print_object(object);
}

void
keep_object(struct fjson_object *object, void *arg)
{
	struct fjson_object **kept = arg;

	fjson_object_put(*kept);
	*kept = fjson_object_get(object);
}

/* --- requests --- */

struct fjson_object *
request_of(const char *word)
{
	struct fjson_object *request = fjson_object_new_object();

	add_text(request, "request", word);
	return request;
}

int
request_network(struct fjson_object *request, const char *word)
{
	struct network net;
	const char *why;
	char text[NETWORK_STRLEN];

	if (network_parse(word, strlen(word), &net, &why) < 0)
		return complain(STATUS_USAGE, "'%s': %s", word, why);
	add_text(request, "address", network_format(&net, text));
	return STATUS_DONE;
}

int
parse_time(const char *text, int64_t *seconds)
{
	if (duration_parse(text, seconds) < 0 || *seconds == 0)
		return complain(STATUS_USAGE,
			"--for: '%s' is not a time such as 10m, 12h, 7d or "
			"permanent; the longest is 3650d",
			text);
	if (*seconds == DURATION_PERMANENT)
		*seconds = -1;
	return STATUS_DONE;
}

int
request_time(struct fjson_object *request, const char *text)
{
	int64_t seconds;
	int status = parse_time(text, &seconds);

	if (status == STATUS_DONE)
		add_number(request, "for_s", seconds);
	return status;
}
