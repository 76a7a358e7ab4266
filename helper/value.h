/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Few words for libfastjson: to put JSON together, out of memory being fatal,
 * and to take it apart, whatever its shape. Not called json_: libnftables'
 * jansson has functions of such names, and would find ours instead.
 */
#ifndef MAILBAN_VALUE_H
#define MAILBAN_VALUE_H

#include <stdint.h>

struct fjson_object;

/* Made values belong to the caller, until they are put into another. */
struct fjson_object *value_text(const char *value);
struct fjson_object *value_number(int64_t value);
struct fjson_object *value_array(void);
/* value_map("key", value, ..., NULL). A value that is NULL is JSON's null.
 * Keys are literals: they are not copied. */
struct fjson_object *value_map(const char *key, ...) __attribute__((sentinel));
/* [first], or with second [first, second]. */
struct fjson_object *value_list(
	struct fjson_object *first, struct fjson_object *second);
void value_append(struct fjson_object *array, struct fjson_object *value);
void value_put(struct fjson_object *object, const char *key,
	struct fjson_object *value);
/* Another owner. */
struct fjson_object *value_keep(struct fjson_object *value);
void value_free(struct fjson_object *value);
/* Borrowed until the value changes. */
const char *value_write(struct fjson_object *value);

/* NULL: value is no object or has no such key. */
struct fjson_object *value_get(struct fjson_object *value, const char *key);
/* 0: no such number. */
uint64_t value_get_number(struct fjson_object *value, const char *key);
/* 0: value is no array. */
int value_count(struct fjson_object *value);

#endif
