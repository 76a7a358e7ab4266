/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests come in and answers go out as libfastjson objects, a line each.
 */
#include "plugin/control_answer.h"

#include <errno.h>
#include <json.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/duration.h"
#include "common/log.h"
#include "common/xalloc.h"
#include "plugin/control_status.h"

#define US INT64_C(1000000)

enum {
	/* A list goes out in pieces of so many bans. */
	LIST_PIECE = 256,
	/* An operator waits so long for the kernel before he is told that
	 * the ban is pending. */
	KERNEL_PATIENCE_US = 3000000,
	BY_MAX = 32,
};

static void
put_object(struct answer *answer, struct fjson_object *object)
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

static void
done(struct answer *answer, const char *result, const char *error)
{
	struct fjson_object *object = fjson_object_new_object();

	control_add_text(object, "done", result);
	if (error)
		control_add_text(object, "error", error);
	put_object(answer, object);
	answer->state = ANSWER_SENDING;
}

/* --- list, rules --- */

static void
put_ban(struct answer *answer, const struct ban *ban)
{
	struct fjson_object *object = fjson_object_new_object();
	char text[NETWORK_STRLEN];

	control_add_text(object, "address", network_format(&ban->net, text));
	control_add_text(object, "class",
		ban->class == CLASS_NONE ? NULL : class_name(ban->class));
	control_add_number(object, "count", ban->count);
	control_add_number(object, "level", ban->level);
	control_add_time(object, "from", ban->from_us);
	control_add_time(object, "until", ban->until_us);
	put_object(answer, object);
}

static void
list_more(struct answer *answer, const struct engine *engine)
{
	int64_t now_us = engine_now();

	for (int i = 0; i < LIST_PIECE; i++) {
		const struct ban *ban =
			judge_next_ban(engine->judge, &answer->cursor);

		if (!ban) {
			done(answer, "ok", NULL);
			return;
		}
		if (ban->until_us > now_us)
			put_ban(answer, ban);
	}
}

static void
answer_rules(struct answer *answer, const struct engine *engine)
{
	for (size_t i = 0; i < rules_count(engine->rules); i++) {
		const struct rule *rule = rules_at(engine->rules, i);
		struct fjson_object *object = fjson_object_new_object();

		control_add_text(object, "rule", rule->name);
		control_add_text(object, "class", class_name(rule->class));
		control_add_text(object, "file", rule->file);
		control_add_number(object, "line", rule->line);
		control_add_count(object, "matched", rule->matched);
		control_add_time(object, "last", rule->last_us);
		put_object(answer, object);
	}
	done(answer, "ok", NULL);
}

/* --- ban, unban, reload --- */

static bool
get_network(struct answer *answer, struct fjson_object *request,
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
	done(answer, "error", why);
	return false;
}

/* The kernel's word is awaited before "done". */
static void
await_kernel(struct answer *answer)
{
	answer->state = ANSWER_KERNEL;
	answer->deadline_us = engine_now() + KERNEL_PATIENCE_US;
}

/* for_s of a request, as the time when it is over. False: it is none,
 * and that is the answer. */
static bool
get_span(struct answer *answer, struct fjson_object *request,
	int64_t standard_s, int64_t *until_us)
{
	struct fjson_object *value = NULL;
	int64_t for_s = standard_s;

	if (fjson_object_object_get_ex(request, "for_s", &value))
		for_s = fjson_object_get_int64(value);
	if (for_s == 0 || for_s < -1 || for_s > DURATION_MAX_S) {
		done(answer, "error", "for_s is -1, or 1 to 315360000");
		return false;
	}
	*until_us = for_s < 0 ? BAN_PERMANENT : engine_now() + for_s * US;
	return true;
}

/* What was changed is made durable and brought into the kernel before "done".
 */
static void
finish_change(struct answer *answer, struct engine *engine)
{
	if (engine_commit(engine) < 0)
		done(answer, "error",
			"done, but the journal can't be written: see mailban "
			"status");
	else
		await_kernel(answer);
}

static void
answer_ban(struct answer *answer, struct fjson_object *request,
	struct engine *engine, const char *by)
{
	int64_t until_us;
	const char *why;
	struct network net;
	int rc;

	if (!get_network(answer, request, &net) ||
		!get_span(answer, request, 86400, &until_us))
		return;
	rc = engine_ban(engine, &net, until_us, by, &why);
	if (rc < 0) {
		done(answer, "refused", why);
		return;
	}
	put_ban(answer, judge_find_ban(engine->judge, &net, engine_now()));
	finish_change(answer, engine);
}

static void
answer_unban(struct answer *answer, struct fjson_object *request,
	struct engine *engine, const char *by)
{
	struct fjson_object *all = NULL;
	struct network net;
	size_t count;

	if (fjson_object_object_get_ex(request, "all", &all) &&
		fjson_object_get_boolean(all)) {
		count = engine_unban_all(engine, by);
	} else {
		if (!get_network(answer, request, &net))
			return;
		count = engine_unban(engine, &net, by) == 0;
	}
	if (!count)
		done(answer, "not-found", "no such ban");
	else
		finish_change(answer, engine);
}

/* --- exempt --- */

static void
put_exempt(struct answer *answer, const struct exempt *exempt)
{
	struct fjson_object *object = fjson_object_new_object();
	char text[NETWORK_STRLEN];

	control_add_text(object, "address", network_format(&exempt->net, text));
	control_add_text(object, "source", exempt_source_text(exempt->source));
	control_add_text(object, "by", exempt->by);
	control_add_text(object, "reason", exempt->reason);
	control_add_time(object, "since", exempt->since_us);
	control_add_time(object, "until", exempt->until_us);
	put_object(answer, object);
}

static void
answer_exempts(struct answer *answer, const struct engine *engine)
{
	const struct exempt *exempt;
	size_t cursor = 0;

	while ((exempt = exempts_next(engine->exempts, &cursor)))
		put_exempt(answer, exempt);
	done(answer, "ok", NULL);
}

static void
answer_exempt(struct answer *answer, struct fjson_object *request,
	struct engine *engine, const char *by)
{
	struct exempt exempt = {
		.source = EXEMPT_OPERATOR, .since_us = engine_now(), .by = by};
	struct fjson_object *reason = NULL;

	if (!get_network(answer, request, &exempt.net) ||
		!get_span(answer, request, -1, &exempt.until_us))
		return;
	if (fjson_object_object_get_ex(request, "reason", &reason) &&
		fjson_object_is_type(reason, fjson_type_string))
		exempt.reason = fjson_object_get_string(reason);
	engine_exempt(engine, &exempt);
	put_exempt(answer, &exempt);
	finish_change(answer, engine);
}

static void
answer_unexempt(struct answer *answer, struct fjson_object *request,
	struct engine *engine, const char *by)
{
	struct network net;

	if (!get_network(answer, request, &net))
		return;
	if (engine_unexempt(engine, &net, by) < 0)
		done(answer, "not-found",
			"no operator exempted exactly that network");
	else
		finish_change(answer, engine);
}

static void
answer_reload(struct answer *answer, struct engine *engine)
{
	const char *error = engine_reload(engine);

	done(answer, error ? "error" : "ok", error);
}

/* Takes our table out of the kernel, or puts it back with all bans. */
static void
answer_switch(struct answer *answer, struct engine *engine, bool on)
{
	if (!engine->kernel) {
		done(answer, "refused", "in observe mode there is no table");
		return;
	}
	if (on)
		kernel_up(engine->kernel);
	else
		kernel_remove(engine->kernel);
	log_info("enforcement %s by=\"uid %u\"", on ? "on" : "off",
		(unsigned)answer->uid);
	await_kernel(answer);
}

static void
answer_object(struct answer *answer, struct fjson_object *request,
	struct engine *engine)
{
	struct fjson_object *value = NULL;
	const char *word = "";
	char by[BY_MAX];

	(void)snprintf(by, sizeof(by), "uid %u", (unsigned)answer->uid);
	if (fjson_object_object_get_ex(request, "request", &value) &&
		fjson_object_is_type(value, fjson_type_string))
		word = fjson_object_get_string(value);
	if (!strcmp(word, "status")) {
		put_object(answer, control_status(engine));
		done(answer, "ok", NULL);
	} else if (!strcmp(word, "list"))
		answer->state = ANSWER_LISTING;
	else if (!strcmp(word, "rules"))
		answer_rules(answer, engine);
	else if (!strcmp(word, "ban"))
		answer_ban(answer, request, engine, by);
	else if (!strcmp(word, "unban"))
		answer_unban(answer, request, engine, by);
	else if (!strcmp(word, "reload"))
		answer_reload(answer, engine);
	else if (!strcmp(word, "off"))
		answer_switch(answer, engine, false);
	else if (!strcmp(word, "exempts"))
		answer_exempts(answer, engine);
	else if (!strcmp(word, "exempt"))
		answer_exempt(answer, request, engine, by);
	else if (!strcmp(word, "unexempt"))
		answer_unexempt(answer, request, engine, by);
	else if (!strcmp(word, "on"))
		answer_switch(answer, engine, true);
	else
		done(answer, "error", "unknown request");
}

void
answer_request(struct answer *answer, const char *line, size_t len,
	struct engine *engine)
{
	char *text = xstrndup(line, len);
	struct fjson_object *request = fjson_tokener_parse(text);

	free(text);
	answer->cursor = 0;
	if (!fjson_object_is_type(request, fjson_type_object))
		done(answer, "error", "a request is one JSON object on a line");
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
		done(answer, "ok", NULL);
	else if (engine_now() > answer->deadline_us ||
		 kernel_state(kernel) == KERNEL_DOWN)
		done(answer, "pending",
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

ssize_t
answer_send(struct answer *answer, int fd, struct engine *engine)
{
	if (answer->state == ANSWER_LISTING && !answer->out)
		list_more(answer, engine);
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
