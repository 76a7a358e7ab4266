/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Strict readers of single values.
 */
#include "plugin/setting.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/duration.h"
#include "common/xalloc.h"

static bool
parse_number(const char *value, uint32_t min, uint32_t max, uint32_t *out)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(value, &end, 10);
	if (*value < '0' || *value > '9' || *end || errno || n < min || n > max)
		return false;
	*out = (uint32_t)n;
	return true;
}

char *
setting_number(const char *value, uint32_t min, uint32_t max, uint32_t *out)
{
	if (parse_number(value, min, max, out))
		return NULL;
	return xasprintf(
		"'%s' is not a whole number from %u to %u", value, min, max);
}

char *
setting_number_or_off(
	const char *value, uint32_t min, uint32_t max, uint32_t *out)
{
	if (!strcmp(value, "off")) {
		*out = 0;
		return NULL;
	}
	if (parse_number(value, min, max, out))
		return NULL;
	return xasprintf("'%s' is neither off nor a whole number from %u to %u",
		value, min, max);
}

char *
setting_small(const char *value, uint32_t min, uint32_t max, uint8_t *out)
{
	uint32_t n = 0;
	char *wrong = setting_number(value, min, max, &n);

	if (!wrong)
		*out = (uint8_t)n;
	return wrong;
}

/* Two digits behind the point, as hundredths. */
static bool
parse_fraction(const char *text, uint32_t *out)
{
	size_t len = strspn(text, "0123456789");

	if (len == 0 || len > 2 || text[len])
		return false;
	*out = (uint32_t)(text[0] - '0') * 10;
	if (len == 2)
		*out += (uint32_t)(text[1] - '0');
	return true;
}

char *
setting_factor(
	const char *value, uint32_t min, uint32_t max, uint32_t *out_percent)
{
	const char *point = strchr(value, '.');
	char *whole = xstrndup(
		value, point ? (size_t)(point - value) : strlen(value));
	uint32_t n = 0, hundredths = 0;
	bool good = parse_number(whole, 0, max, &n) &&
		    (!point || parse_fraction(point + 1, &hundredths));

	free(whole);
	n = n * 100 + hundredths;
	if (!good || n < min * 100 || n > max * 100)
		return xasprintf("'%s' is not a number from %u to %u, such as "
				 "2 or 1.5",
			value, min, max);
	*out_percent = n;
	return NULL;
}

char *
setting_span(const char *value, bool permanent, int64_t *out_us)
{
	int64_t seconds;

	if (duration_parse(value, &seconds) < 0 || seconds == 0 ||
		(seconds == DURATION_PERMANENT && !permanent))
		return xasprintf("'%s' is not a time such as 10m, 12h, 7d%s; "
				 "the longest is 3650d",
			value, permanent ? ", or permanent" : "");
	*out_us = seconds == DURATION_PERMANENT ? INT64_MAX : seconds * 1000000;
	return NULL;
}

char *
setting_bool(const char *value, bool *out)
{
	if (!strcmp(value, "on") || !strcmp(value, "yes"))
		*out = true;
	else if (!strcmp(value, "off") || !strcmp(value, "no"))
		*out = false;
	else
		return xasprintf("'%s' is neither on nor off", value);
	return NULL;
}

char *
setting_choice(const char *value, const char *zero, const char *one, bool *out)
{
	if (strcmp(value, zero) && strcmp(value, one))
		return xasprintf("'%s' is neither %s nor %s", value, zero, one);
	*out = !strcmp(value, one);
	return NULL;
}

char *
setting_path(const char *value, char **out)
{
	if (value[0] != '/')
		return xasprintf("'%s' is not a full path", value);
	free(*out);
	*out = xstrdup(value);
	return NULL;
}

char *
setting_words(const char *value, char *(*each)(const char *, size_t, void *),
	void *arg)
{
	const char *at = value;

	for (;;) {
		size_t len;
		char *wrong;

		at += strspn(at, ", \t");
		if (!*at)
			return NULL;
		len = strcspn(at, ", \t");
		wrong = each(at, len, arg);
		if (wrong)
			return wrong;
		at += len;
	}
}
