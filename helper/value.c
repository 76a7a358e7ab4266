/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See value.h. libfastjson copies keys and looks for double ones unless told
 * not to: that is a third of the time of a command with thousands of elements.
 */
#include "helper/value.h"

#include <libfastjson/json.h>
#include <stdarg.h>

#include "common/log.h"

static struct fjson_object *
must(struct fjson_object *value)
{
	if (!value)
		fatal("out of memory");
	return value;
}

struct fjson_object *
value_text(const char *value)
{
	return must(fjson_object_new_string(value));
}

struct fjson_object *
value_number(int64_t value)
{
	return must(fjson_object_new_int64(value));
}

struct fjson_object *
value_array(void)
{
	return must(fjson_object_new_array());
}

struct fjson_object *
value_map(const char *key, ...)
{
	struct fjson_object *made = must(fjson_object_new_object());
	va_list args;

	va_start(args, key);
	for (; key; key = va_arg(args, const char *))
		value_put(made, key, va_arg(args, struct fjson_object *));
	va_end(args);
	return made;
}

struct fjson_object *
value_list(struct fjson_object *first, struct fjson_object *second)
{
	struct fjson_object *list = value_array();

	value_append(list, first);
	if (second)
		value_append(list, second);
	return list;
}

void
value_append(struct fjson_object *array, struct fjson_object *value)
{
	if (fjson_object_array_add(array, value) != 0)
		fatal("out of memory");
}

void
value_put(struct fjson_object *object, const char *key,
	struct fjson_object *value)
{
	fjson_object_object_add_ex(object, key, value,
		FJSON_OBJECT_ADD_KEY_IS_NEW | FJSON_OBJECT_KEY_IS_CONSTANT);
}

struct fjson_object *
value_keep(struct fjson_object *value)
{
	return fjson_object_get(value);
}

void
value_free(struct fjson_object *value)
{
	fjson_object_put(value);
}

const char *
value_write(struct fjson_object *value)
{
	const char *text =
		fjson_object_to_json_string_ext(value, FJSON_TO_STRING_PLAIN);

	if (!text)
		fatal("out of memory");
	return text;
}

struct fjson_object *
value_get(struct fjson_object *value, const char *key)
{
	struct fjson_object *found = NULL;

	if (fjson_object_is_type(value, fjson_type_object))
		(void)fjson_object_object_get_ex(value, key, &found);
	return found;
}

uint64_t
value_get_number(struct fjson_object *value, const char *key)
{
	int64_t number = fjson_object_get_int64(value_get(value, key));

	return number < 0 ? 0 : (uint64_t)number;
}

int
value_count(struct fjson_object *value)
{
	return fjson_object_is_type(value, fjson_type_array)
		       ? fjson_object_array_length(value)
		       : 0;
}
