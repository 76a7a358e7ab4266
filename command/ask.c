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
#include "common/xalloc.h"

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

struct talk {
	int fd;
	FILE *answers;
	bool quiet;
};

static int
not_running(const char *path, bool quiet)
{
	if (errno == EACCES || errno == EPERM)
		return complain(STATUS_REFUSED,
			"%s: %s; be root, or in the group that mailban.conf "
			"names",
			path, strerror(errno));
	if (quiet)
		return STATUS_NOT_RUNNING;
	return complain(STATUS_NOT_RUNNING,
		"ommailban is not running (%s: %s); rsyslog starts it at its "
		"own start: systemctl restart rsyslog, then see "
		"/var/log/ommailban.log",
		path, strerror(errno));
}

struct talk *
talk_open(const struct arguments *arguments, bool quiet, int *status)
{
	const char *path = arguments->control;
	struct config *config = NULL;
	struct talk *talk = xcalloc(1, sizeof(*talk));

	if (!path) {
		/* A broken file must not keep anyone from lifting a ban. */
		config = offline_config(arguments);
		if (!config)
			config = config_new();
		path = config->control;
	}
	talk->quiet = quiet;
	talk->fd = connect_control(path);
	if (talk->fd >= 0)
		talk->answers = fdopen(talk->fd, "r");
	if (!talk->answers) {
		*status = not_running(path, quiet);
		free(talk);
		talk = NULL;
	}
	config_free(config);
	return talk;
}

void
talk_close(struct talk *talk)
{
	if (!talk)
		return;
	(void)fclose(talk->answers);
	free(talk);
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
read_answer(struct talk *talk, void (*each)(struct fjson_object *, void *),
	void *arg)
{
	char *line = NULL;
	size_t size = 0;
	int status = -1;

	while (status < 0 && getline(&line, &size, talk->answers) > 0) {
		struct fjson_object *object = fjson_tokener_parse(line);

		if (member(object, "done"))
			status = last_word(object);
		else if (object && each)
			each(object, arg);
		fjson_object_put(object);
	}
	free(line);
	if (status < 0 && talk->quiet)
		return STATUS_NOT_RUNNING;
	if (status < 0)
		status = complain(STATUS_NOT_RUNNING,
			"ommailban went away before it had answered");
	return status;
}

static bool
send_all(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t put = send(fd, text, len, MSG_NOSIGNAL);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return false;
		text += put;
		len -= (size_t)put;
	}
	return true;
}

int
talk_request(struct talk *talk, struct fjson_object *request,
	void (*each)(struct fjson_object *, void *), void *arg)
{
	const char *text =
		fjson_object_to_json_string_ext(request, FJSON_TO_STRING_PLAIN);

	/* What could not be sent shows in the answer that does not come. */
	if (send_all(talk->fd, text, strlen(text)))
		(void)send_all(talk->fd, "\n", 1);
	fjson_object_put(request);
	return read_answer(talk, each, arg);
}

static int
ask_once(const struct arguments *arguments, bool quiet,
	struct fjson_object *request,
	void (*each)(struct fjson_object *, void *), void *arg)
{
	int status = STATUS_NOT_RUNNING;
	struct talk *talk = talk_open(arguments, quiet, &status);

	if (!talk) {
		fjson_object_put(request);
		return status;
	}
	status = talk_request(talk, request, each, arg);
	talk_close(talk);
	return status;
}

int
ask(const struct arguments *arguments, struct fjson_object *request,
	void (*each)(struct fjson_object *, void *), void *arg)
{
	return ask_once(arguments, false, request, each, arg);
}

int
ask_if_running(const struct arguments *arguments, struct fjson_object *request,
	void (*each)(struct fjson_object *, void *), void *arg)
{
	return ask_once(arguments, true, request, each, arg);
}
