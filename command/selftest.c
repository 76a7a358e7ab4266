/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Looks at files, users and the configuration; changes nothing.
 */
#include "command/selftest.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command/show.h"
#include "common/priv.h"
#include "common/xalloc.h"

static void
lacks(struct fjson_object *missing, const char *to_do, char *what)
{
	struct fjson_object *one = fjson_object_new_object();

	add_text(one, "what", what);
	add_text(one, "to_do", to_do);
	fjson_object_array_add(missing, one);
	free(what);
}

static void
look_at_user(struct fjson_object *missing)
{
	uid_t uid;
	gid_t gid;

	if (priv_lookup(PRIV_USER, &uid, &gid) < 0)
		lacks(missing,
			"useradd --system --user-group --no-create-home "
			"--shell /usr/sbin/nologin " PRIV_USER,
			xasprintf("no user %s", PRIV_USER));
}

static void
look_at_helper(struct fjson_object *missing, const char *helper)
{
	struct stat st;

	if (stat(helper, &st) < 0)
		lacks(missing,
			"install mailban-nft, or start its service; helper = "
			"in mailban.conf names it",
			xasprintf("%s: %s", helper, strerror(errno)));
	else if (S_ISREG(st.st_mode) && access(helper, X_OK) < 0)
		lacks(missing, "chmod 755 it",
			xasprintf("%s: can't be run", helper));
}

/* The program that an include names, as text in quotes behind binary=. */
static char *
binary_of(const char *include)
{
	FILE *stream = fopen(include, "re");
	char *line = NULL, *found = NULL;
	size_t size = 0;

	while (stream && !found && getline(&line, &size, stream) > 0) {
		char *at = strstr(line, "binary=\"");

		if (at && line[strspn(line, " \t")] != '#') {
			at += strlen("binary=\"");
			found = xstrndup(at, strcspn(at, "\" "));
		}
	}
	free(line);
	if (stream)
		(void)fclose(stream);
	return found;
}

static void
look_at_include(struct fjson_object *missing)
{
	char *binary;

	if (access(MAILBAN_INCLUDE, F_OK) < 0) {
		lacks(missing, "install it, then: systemctl restart rsyslog",
			xasprintf("%s: %s", MAILBAN_INCLUDE, strerror(errno)));
		return;
	}
	binary = binary_of(MAILBAN_INCLUDE);
	if (binary && access(binary, X_OK) < 0)
		lacks(missing, "the include names a program that can't be run",
			xasprintf("%s: %s", binary, strerror(errno)));
	free(binary);
}

static void
look_at_config(struct fjson_object *missing, const struct arguments *arguments)
{
	struct config *config;
	char *error = NULL;

	if (access(arguments->config, R_OK) < 0)
		return; /* there need not be one */
	config = config_load(arguments->config, &error);
	if (!config)
		lacks(missing,
			"mend it; ommailban would not start with it, and goes "
			"on with what it has",
			error);
	config_free(config);
}

static void
look_at_kernel(struct fjson_object *missing, struct fjson_object *status)
{
	int64_t ours = member_number(status, "bans");
	int64_t its = member_number(status, "kernel_bans");

	if (strcmp(member_text(status, "kernel"), "up") ||
		member_is_null(status, "kernel_bans") ||
		!strcmp(member_text(status, "mode"), "observe"))
		return;
	/* Wide bans that overlap are fewer in the kernel; ends differ by a
	 * moment. */
	if (its * 2 < ours)
		lacks(missing,
			"mailban off; mailban on; then mailban status again",
			xasprintf("the kernel has %lld of %lld bans",
				(long long)its, (long long)ours));
}

struct fjson_object *
selftest(const struct arguments *arguments, const struct config *config,
	struct fjson_object *status)
{
	struct fjson_object *missing = fjson_object_new_array();
	const char *helper =
		status ? member_text(status, "helper") : config->helper;
	bool observes =
		status && !strcmp(member_text(status, "mode"), "observe");

	look_at_user(missing);
	if (!observes)
		look_at_helper(missing, helper);
	look_at_include(missing);
	look_at_config(missing, arguments);
	if (status)
		look_at_kernel(missing, status);
	return missing;
}

void
selftest_print(struct fjson_object *missing)
{
	for (int i = 0; i < fjson_object_array_length(missing); i++) {
		struct fjson_object *one =
			fjson_object_array_get_idx(missing, i);

		(void)printf("%smissing%s    %s\n           %s\n",
			show_style(SHOW_WARN), show_style(SHOW_PLAIN),
			member_text(one, "what"), member_text(one, "to_do"));
	}
}
