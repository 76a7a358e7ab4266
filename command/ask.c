/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The talk with a running ommailban over its control socket: one request, any
 * number of objects, one last word.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "command/command.h"
#include "common/log.h"

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
	char safe[512];

	fjson_object_object_add(object, key,
		text ? fjson_object_new_string(
			       text_escape(text, len, safe, sizeof(safe)))
		     : NULL);
}

static int
connect_control(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd;

	if (strlen(path) >= sizeof(addr.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	(void)memcpy(addr.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 &&
		connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		int error = errno;

		(void)close(fd);
		errno = error;
		return -1;
	}
	return fd;
}

static int
not_running(const char *path)
{
	if (errno == EACCES || errno == EPERM)
		return complain(STATUS_REFUSED,
			"%s: %s; be root, or in the group that mailban.conf "
			"names",
			path, strerror(errno));
	return complain(STATUS_NOT_RUNNING,
		"ommailban is not running (%s: %s); rsyslog starts it at its "
		"own start: systemctl restart rsyslog, then see "
		"/var/log/ommailban.log",
		path, strerror(errno));
}

static int
last_word(struct fjson_object *object)
{
	const char *word = member_text(object, "done");
	const char *error = member_text(object, "error");

	if (!strcmp(word, "ok"))
		return STATUS_DONE;
	if (!strcmp(word, "pending"))
		return complain(STATUS_DONE, "%s", error);
	if (!strcmp(word, "not-found"))
		return complain(STATUS_NOT_FOUND, "%s", error);
	if (!strcmp(word, "refused"))
		return complain(STATUS_REFUSED, "refused: %s", error);
	return complain(STATUS_USAGE, "%s", error);
}

static int
read_answer(
	FILE *stream, void (*each)(struct fjson_object *, void *), void *arg)
{
	char *line = NULL;
	size_t size = 0;
	int status = -1;

	while (status < 0 && getline(&line, &size, stream) > 0) {
		struct fjson_object *object = fjson_tokener_parse(line);
		struct fjson_object *word = NULL;

		if (fjson_object_object_get_ex(object, "done", &word))
			status = last_word(object);
		else if (object && each)
			each(object, arg);
		fjson_object_put(object);
	}
	free(line);
	if (status < 0)
		status = complain(STATUS_NOT_RUNNING,
			"ommailban went away before it had answered");
	return status;
}

int
ask(const struct arguments *arguments, struct fjson_object *request,
	void (*each)(struct fjson_object *, void *), void *arg)
{
	const char *path = arguments->control;
	struct config *config = NULL;
	int fd, status;
	FILE *stream;

	if (!path) {
		/* A broken file must not keep anyone from lifting a ban. */
		config = offline_config(arguments);
		if (!config)
			config = config_new();
		path = config->control;
	}
	fd = connect_control(path);
	stream = fd < 0 ? NULL : fdopen(fd, "r+");
	if (!stream) {
		status = not_running(path);
	} else {
		(void)fprintf(stream, "%s\n",
			fjson_object_to_json_string_ext(
				request, FJSON_TO_STRING_PLAIN));
		(void)fflush(stream);
		status = read_answer(stream, each, arg);
		(void)fclose(stream);
	}
	fjson_object_put(request);
	config_free(config);
	return status;
}
