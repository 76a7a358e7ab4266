/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests come in and answers go out as libfastjson objects, a line each. The
 * table of requests says for each whether it changes anything.
 */
#include "plugin/control_answer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"
#include "common/xalloc.h"
#include "plugin/control_status.h"

enum {
	/* An operator waits so long for the kernel before he is told that
	 * the ban is pending. */
	KERNEL_PATIENCE_US = 3000000,
	/* And so long for the ledger, to be shown the last second too. */
	LEDGER_PATIENCE_US = 1000000,
};

static const struct {
	const char *word;
	enum answer_rights needs;
	answer_function *answer;
} requests[] = {
	{"status", RIGHTS_READ, answer_status},
	{"list", RIGHTS_READ, answer_list},
	{"why", RIGHTS_READ, answer_why},
	{"rules", RIGHTS_READ, answer_rules},
	{"exempts", RIGHTS_READ, answer_exempts},
	{"ban", RIGHTS_CHANGE, answer_ban},
	{"unban", RIGHTS_CHANGE, answer_unban},
	{"import", RIGHTS_CHANGE, answer_import},
	{"exempt", RIGHTS_CHANGE, answer_exempt},
	{"unexempt", RIGHTS_CHANGE, answer_unexempt},
	{"reload", RIGHTS_CHANGE, answer_reload},
	{"off", RIGHTS_CHANGE, answer_off},
	{"on", RIGHTS_CHANGE, answer_on},
};
enum { REQUEST_COUNT = sizeof(requests) / sizeof(requests[0]) };

void
answer_put(struct answer *answer, struct fjson_object *object)
{
	const char *text =
		fjson_object_to_json_string_ext(object, FJSON_TO_STRING_PLAIN);

	if (!answer->out)
		answer->out = es_newStr(1024);
	if (!answer->out ||
		es_addBuf(&answer->out, text, (es_size_t)strlen(text)) ||
		es_addChar(&answer->out, '\n'))
		fatal("out of memory");
	fjson_object_put(object);
}

void
answer_done(struct answer *answer, const char *result, const char *error)
{
	struct fjson_object *object = fjson_object_new_object();

	control_add_text(object, "done", result);
	if (error)
		control_add_text(object, "error", error);
	answer_put(answer, object);
	answer->state = ANSWER_SENDING;
}

bool
answer_network(struct answer *answer, struct fjson_object *request,
	struct network *net)
{
	struct fjson_object *value = NULL;
	const char *why = "an address or network is needed";

	(void)fjson_object_object_get_ex(request, "address", &value);
	if (fjson_object_is_type(value, fjson_type_string) &&
		network_parse(fjson_object_get_string(value),
			(size_t)fjson_object_get_string_len(value), net,
			&why) == 0)
		return true;
	answer_done(answer, "error", why);
	return false;
}

void
answer_await_kernel(struct answer *answer)
{
	answer->state = ANSWER_KERNEL;
	answer->deadline_us = engine_now() + KERNEL_PATIENCE_US;
}

void
answer_await_snapshot(struct answer *answer, int64_t since_us,
	void (*then)(struct answer *answer, struct engine *engine))
{
	answer->state = ANSWER_SNAPSHOT;
	answer->since_us = since_us;
	answer->then = then;
}

static void
answer_object(struct answer *answer, struct fjson_object *request,
	struct engine *engine)
{
	struct fjson_object *value = NULL;
	const char *word = "";

	if (fjson_object_object_get_ex(request, "request", &value) &&
		fjson_object_is_type(value, fjson_type_string))
		word = fjson_object_get_string(value);
	for (size_t i = 0; i < REQUEST_COUNT; i++) {
		if (strcmp(word, requests[i].word))
			continue;
		if (answer->rights < requests[i].needs)
			answer_done(answer, "refused",
				answer->rights == RIGHTS_READ
					? "you may look, not change: be root, "
					  "or in the group of mailban.conf"
					: "be root, or in a group that "
					  "mailban.conf names");
		else
			requests[i].answer(answer, request, engine);
		return;
	}
	answer_done(answer, "error", "unknown request");
}

void
answer_request(struct answer *answer, const char *line, size_t len,
	struct engine *engine)
{
	char *text = xstrndup(line, len);
	struct fjson_object *request = fjson_tokener_parse(text);

	free(text);
	answer->cursor = 0;
	answer->counters = false;
	answer->seq = 0;
	answer->asked_us = engine_now();
	if (!fjson_object_is_type(request, fjson_type_object))
		answer_done(answer, "error",
			"a request is one JSON object on a line");
	else
		answer_object(answer, request, engine);
	fjson_object_put(request);
}

/* --- sending --- */

static void
kernel_more(struct answer *answer, const struct engine *engine)
{
	struct kernel *kernel = engine->kernel;

	bool settled = !kernel || (kernel_state(kernel) != KERNEL_SYNCING &&
					  kernel_state(kernel) != KERNEL_DOWN &&
					  !kernel_pending(kernel));

	if (settled)
		answer_done(answer, "ok", NULL);
	else if (engine_now() > answer->deadline_us ||
		 kernel_state(kernel) == KERNEL_DOWN)
		answer_done(answer, "pending",
			"recorded, but not yet in the kernel: it is tried "
			"again, see mailban status");
}

static ssize_t
send_out(struct answer *answer, int fd)
{
	size_t len = es_strlen(answer->out) - answer->sent;
	ssize_t put = send(fd, es_getBufAddr(answer->out) + answer->sent, len,
		MSG_DONTWAIT | MSG_NOSIGNAL);

	if (put < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	answer->sent += (size_t)put;
	if (answer->sent == es_strlen(answer->out)) {
		es_deleteStr(answer->out);
		answer->out = NULL;
		answer->sent = 0;
		if (answer->state == ANSWER_SENDING)
			answer->state = ANSWER_IDLE;
	}
	return put;
}

static bool
in_ledger(const struct answer *answer, const struct engine *engine)
{
	return ledger_durable_seq(engine->ledger) >= answer->seq ||
	       engine_now() - answer->asked_us > LEDGER_PATIENCE_US;
}

ssize_t
answer_send(struct answer *answer, int fd, struct engine *engine)
{
	if (answer->state == ANSWER_SNAPSHOT && in_ledger(answer, engine) &&
		snapshot_ask(answer->snapshot, engine->kernel, answer->since_us,
			engine_now()))
		answer->then(answer, engine);
	if (answer->state == ANSWER_LISTING && !answer->out)
		answer_list_more(answer, engine);
	else if (answer->state == ANSWER_KERNEL)
		kernel_more(answer, engine);
	return answer->out ? send_out(answer, fd) : 0;
}

bool
answer_busy(const struct answer *answer)
{
	return answer->state != ANSWER_IDLE || answer->out;
}

bool
answer_has_output(const struct answer *answer)
{
	return answer->out || answer->state == ANSWER_LISTING;
}

void
answer_clear(struct answer *answer)
{
	if (answer->out)
		es_deleteStr(answer->out);
	*answer = (struct answer){0};
}
