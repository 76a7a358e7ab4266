/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A queue of encoded packets, sent as the socket takes them, and the numbers
 * of those not yet answered. There is one remedy for whatever goes wrong:
 * drop the helper, wait, and bring a new one up to date with everything.
 */
#include "plugin/kernel.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "common/xalloc.h"
#include "plugin/starter.h"

enum {
	PAUSE_MIN_MS = 100,
	PAUSE_MAX_MS = 5000,
	/* A request unanswered for so long means a helper that is stuck: it
	 * may be writing all bans again, of which a million take it some ten
	 * seconds. */
	STUCK_MS = 5000,
	STUCK_BANS_A_MS = 20,
	/* And for so long, that nobody should wait for it. */
	LATE_MS = 1000,
};

struct packet {
	struct packet *next;
	size_t len;
	uint8_t bytes[];
};

struct kernel {
	struct kernel_owner owner;
	char *helper;
	int starter_fd, fd;
	struct packet *head, **tail; /* to be sent */
	uint32_t sent, done;	     /* requests made and answered */
	enum kernel_state state;
	uint32_t sync_seq;		    /* up when this one is answered */
	int64_t retry_ms, waiting_since_ms; /* monotonic */
	int pause_ms;
	char trouble[160];
	uint64_t restarts, healed;
	kernel_each *each; /* a list under way, or NULL */
	void *each_arg;
	uint32_t list_seq;
	struct wire_options options;
	struct netset exempt;
	bool configured;
};

/* For pauses and patience; wall_us is for the ends of bans only. */
static int64_t
monotonic_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int64_t
wall_us(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec * INT64_C(1000000) + ts.tv_nsec / 1000;
}

static void
drop_queue(struct kernel *kernel)
{
	while (kernel->head) {
		struct packet *next = kernel->head->next;

		free(kernel->head);
		kernel->head = next;
	}
	kernel->tail = &kernel->head;
	kernel->done = kernel->sent;
}

struct kernel *
kernel_new(const char *helper, int starter_fd, const struct kernel_owner *owner)
{
	struct kernel *kernel = xcalloc(1, sizeof(*kernel));

	kernel->owner = *owner;
	kernel->helper = xstrdup(helper);
	kernel->starter_fd = starter_fd;
	kernel->fd = -1;
	kernel->tail = &kernel->head;
	kernel->pause_ms = PAUSE_MIN_MS;
	kernel->retry_ms = INT64_MAX;
	return kernel;
}

void
kernel_free(struct kernel *kernel)
{
	if (!kernel)
		return;
	if (kernel->fd >= 0)
		(void)close(kernel->fd);
	drop_queue(kernel);
	netset_free(&kernel->exempt);
	free(kernel->helper);
	free(kernel);
}

static void
end_list(struct kernel *kernel, int status)
{
	kernel_each *each = kernel->each;

	kernel->each = NULL;
	if (each)
		each(NULL, status, kernel->each_arg);
}

/* The helper is of no use any more: a new one after a pause. Said once for
 * each kind of trouble, not at each try. */
static void
helper_lost(struct kernel *kernel, const char *why)
{
	if (strncmp(why, kernel->trouble, sizeof(kernel->trouble) - 1))
		log_warn("helper lost reason=\"%s\" retry_ms=%d", why,
			kernel->pause_ms);
	(void)strncpy(kernel->trouble, why, sizeof(kernel->trouble) - 1);
	if (kernel->fd >= 0)
		(void)close(kernel->fd);
	kernel->fd = -1;
	drop_queue(kernel);
	end_list(kernel, -ENOTCONN);
	if (kernel->state == KERNEL_OFF) {
		kernel->retry_ms = INT64_MAX;
		return;
	}
	kernel->state = KERNEL_DOWN;
	kernel->retry_ms = monotonic_ms() + kernel->pause_ms;
	kernel->pause_ms *= 2;
	if (kernel->pause_ms > PAUSE_MAX_MS)
		kernel->pause_ms = PAUSE_MAX_MS;
}

static uint8_t *
queue_packet(struct kernel *kernel, struct wire_header *header, size_t body)
{
	size_t len = WIRE_HEADER_LEN + body;
	struct packet *packet = xcalloc(1, sizeof(*packet) + len);

	if (kernel->done == kernel->sent)
		kernel->waiting_since_ms = monotonic_ms();
	header->seq = ++kernel->sent;
	packet->len = len;
	wire_put_header(packet->bytes, header);
	*kernel->tail = packet;
	kernel->tail = &packet->next;
	return packet->bytes + WIRE_HEADER_LEN;
}

static void
flush_queue(struct kernel *kernel)
{
	while (kernel->head) {
		struct packet *packet = kernel->head;
		ssize_t put = send(kernel->fd, packet->bytes, packet->len,
			MSG_DONTWAIT | MSG_NOSIGNAL);

		if (put < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (put < 0) {
			helper_lost(kernel, strerror(errno));
			return;
		}
		kernel->head = packet->next;
		if (!kernel->head)
			kernel->tail = &kernel->head;
		free(packet);
	}
}

static bool
item_of_ban(const struct ban *ban, int64_t now_us, struct wire_item *item)
{
	/* A ban that begins later than now was made before the clock was set
	 * back: it is not to last longer for that. */
	int64_t from_us = ban->from_us > now_us ? ban->from_us : now_us;

	if (ban->until_us <= from_us)
		return false;
	*item = (struct wire_item){.net = ban->net};
	if (ban->until_us != BAN_PERMANENT)
		item->timeout_ms =
			(uint64_t)(ban->until_us - from_us + 999) / 1000;
	return true;
}

/* A stream of items in packets of WIRE_ITEMS_MAX, flagged first to last; all
 * of one stream are answered by one WIRE_DONE, so it takes one number. */
struct stream {
	struct kernel *kernel;
	enum wire_type type;
	uint8_t flags;
	uint32_t count;
	struct wire_item items[WIRE_ITEMS_MAX];
};

static void
stream_send(struct stream *stream, bool last)
{
	struct wire_header header = {.type = stream->type,
		.flags = (uint8_t)(stream->flags | (last ? WIRE_LAST : 0)),
		.count = stream->count};
	uint8_t *at = queue_packet(
		stream->kernel, &header, (size_t)stream->count * WIRE_ITEM_LEN);

	for (uint32_t i = 0; i < stream->count; i++)
		wire_put_item(
			at + (size_t)i * WIRE_ITEM_LEN, &stream->items[i]);
	if (!last)
		stream->kernel->sent--;
	stream->flags = 0;
	stream->count = 0;
}

static void
stream_add(struct stream *stream, const struct wire_item *item)
{
	if (stream->count == WIRE_ITEMS_MAX)
		stream_send(stream, false);
	stream->items[stream->count++] = *item;
}

static void
queue_exempt(struct kernel *kernel)
{
	struct stream *stream = xcalloc(1, sizeof(*stream));

	stream->kernel = kernel;
	stream->type = WIRE_EXEMPT;
	stream->flags = WIRE_FIRST;
	for (size_t i = 0; i < kernel->exempt.count; i++)
		stream_add(stream,
			&(struct wire_item){.net = kernel->exempt.items[i]});
	stream_send(stream, true);
	free(stream);
}

static void
queue_all_bans(struct kernel *kernel)
{
	int64_t now_us = wall_us();
	struct stream *stream = xcalloc(1, sizeof(*stream));
	const struct ban *ban;
	struct wire_item item;
	size_t cursor = 0;

	stream->kernel = kernel;
	stream->type = WIRE_REPLACE;
	stream->flags = WIRE_FIRST;
	while ((ban = judge_next_ban(kernel->owner.judge, &cursor)))
		if (!ban->observed && item_of_ban(ban, now_us, &item))
			stream_add(stream, &item);
	stream_send(stream, true);
	free(stream);
}

static void
queue_options(struct kernel *kernel)
{
	struct wire_header header = {.type = WIRE_INSTALL};

	wire_put_options(queue_packet(kernel, &header, WIRE_OPTIONS_LEN),
		&kernel->options);
}

static int
connect_helper(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd;

	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	(void)memcpy(addr.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		int error = -errno;

		(void)close(fd);
		return error;
	}
	return fd;
}

static void
get_helper(struct kernel *kernel)
{
	char why[128];
	bool starter = kernel->starter_fd >= 0;

	kernel->fd = starter ? starter_ask(kernel->starter_fd)
			     : connect_helper(kernel->helper);
	if (kernel->fd >= 0)
		return;
	/* Root is gone, so only rsyslog can give us another. */
	if (starter && (kernel->fd == -EPIPE || kernel->fd == -ECONNRESET))
		fatal("leave error=\"the process that starts mailban-nft has "
		      "ended\": rsyslog starts all anew");
	(void)snprintf(why, sizeof(why), "%s: %s", kernel->helper,
		strerror(-kernel->fd));
	kernel->fd = -1;
	helper_lost(kernel, why);
}

void
kernel_up(struct kernel *kernel)
{
	kernel->retry_ms = INT64_MAX;
	if (kernel->state == KERNEL_OFF)
		kernel->state = KERNEL_DOWN;
	if (kernel->fd < 0)
		get_helper(kernel);
	if (kernel->fd < 0)
		return;
	queue_options(kernel);
	queue_exempt(kernel);
	queue_all_bans(kernel);
	kernel->sync_seq = kernel->sent;
	kernel->state = KERNEL_SYNCING;
	flush_queue(kernel);
}

/* Whether it is of use to send anything now. Without a helper bans are in the
 * judge's list, and come with all the others when there is one again. */
static bool
listening(const struct kernel *kernel)
{
	return kernel->fd >= 0 && kernel->state != KERNEL_OFF;
}

void
kernel_configure(struct kernel *kernel, const struct wire_options *options,
	const struct netset *exempt)
{
	bool same_options =
		kernel->configured &&
		!memcmp(&kernel->options, options, sizeof(*options));
	bool same_exempt =
		kernel->configured && netset_equal(&kernel->exempt, exempt);

	kernel->options = *options;
	if (!same_exempt) {
		netset_free(&kernel->exempt);
		netset_add_all(&kernel->exempt, exempt);
	}
	kernel->configured = true;
	if (!listening(kernel))
		return;
	if (!same_options)
		queue_options(kernel);
	if (!same_exempt)
		queue_exempt(kernel);
}

static void
queue_item(struct kernel *kernel, enum wire_type type,
	const struct wire_item *item)
{
	struct wire_header header = {.type = type, .count = 1};

	wire_put_item(queue_packet(kernel, &header, WIRE_ITEM_LEN), item);
}

void
kernel_ban(struct kernel *kernel, const struct ban *ban)
{
	struct wire_item item;

	if (!listening(kernel) || !item_of_ban(ban, wall_us(), &item))
		return;
	queue_item(kernel, WIRE_BAN, &item);
	flush_queue(kernel);
}

void
kernel_lift(struct kernel *kernel, const struct network *net)
{
	if (listening(kernel))
		queue_item(kernel, WIRE_LIFT, &(struct wire_item){.net = *net});
}

void
kernel_remove(struct kernel *kernel)
{
	struct wire_header header = {.type = WIRE_REMOVE};

	if (kernel->fd >= 0)
		(void)queue_packet(kernel, &header, 0);
	kernel->state = KERNEL_OFF;
	kernel->retry_ms = INT64_MAX;
}

static void
take_refused(struct kernel *kernel, const struct wire_header *header,
	const uint8_t *at)
{
	struct wire_item item;

	for (uint32_t i = 0; i < header->count; i++)
		if (wire_get_item(at + (size_t)i * WIRE_ITEM_LEN, &item) == 0)
			kernel->owner.refused(
				&item.net, header->status, kernel->owner.arg);
}

static void
answered(struct kernel *kernel, uint32_t seq)
{
	/* Several packets may answer one request, items that were refused for
	 * different reasons. They share its number. */
	if ((int32_t)(seq - kernel->done) > 0)
		kernel->done = seq;
	kernel->waiting_since_ms = monotonic_ms();
}

static void
take_done(struct kernel *kernel, const struct wire_header *header,
	const uint8_t *body)
{
	char why[128];

	take_refused(kernel, header, body);
	if (kernel->each && header->seq == kernel->list_seq) {
		answered(kernel, header->seq);
		end_list(kernel, header->status);
		return;
	}
	if (header->status < 0 && !header->count) {
		(void)snprintf(why, sizeof(why), "mailban-nft answers: %s",
			strerror(-header->status));
		helper_lost(kernel, why);
		return;
	}
	answered(kernel, header->seq);
	if (kernel->state == KERNEL_SYNCING &&
		(int32_t)(kernel->done - kernel->sync_seq) >= 0) {
		kernel->state = KERNEL_UP;
		kernel->pause_ms = PAUSE_MIN_MS;
		if (kernel->trouble[0])
			log_info("helper up");
		kernel->trouble[0] = '\0';
	}
}

static void
take_items(struct kernel *kernel, const struct wire_header *header,
	const uint8_t *body)
{
	struct wire_item item;

	for (uint32_t i = 0; i < header->count && kernel->each; i++)
		if (wire_get_item(body + (size_t)i * WIRE_ITEM_LEN, &item) == 0)
			kernel->each(&item, 0, kernel->each_arg);
	if (header->flags & WIRE_LAST) {
		answered(kernel, header->seq);
		end_list(kernel, 0);
	}
}

static void
take_packet(struct kernel *kernel, const uint8_t *bytes, size_t len)
{
	struct wire_header header;

	if (wire_get_header(bytes, len, &header) < 0) {
		helper_lost(kernel, "malformed answer");
		return;
	}
	if (header.type == WIRE_DONE)
		take_done(kernel, &header, bytes + WIRE_HEADER_LEN);
	else if (header.type == WIRE_ITEMS)
		take_items(kernel, &header, bytes + WIRE_HEADER_LEN);
	else if (header.type == WIRE_HEALED) {
		kernel->healed++;
		log_warn("healed: our nftables table was damaged or deleted by "
			 "another program, all bans are back");
	} else
		helper_lost(kernel, "unexpected answer");
}

static void
read_answers(struct kernel *kernel)
{
	uint8_t bytes[WIRE_PACKET_MAX];

	while (kernel->fd >= 0) {
		ssize_t got =
			recv(kernel->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (got <= 0)
			helper_lost(kernel, got == 0 ? "mailban-nft ended"
						     : strerror(errno));
		else
			take_packet(kernel, bytes, (size_t)got);
	}
}

static int64_t
waited_ms(const struct kernel *kernel)
{
	return kernel_pending(kernel)
		       ? monotonic_ms() - kernel->waiting_since_ms
		       : 0;
}

static int64_t
stuck_ms(const struct kernel *kernel)
{
	size_t bans = judge_ban_count(kernel->owner.judge);

	return STUCK_MS + (int64_t)bans / STUCK_BANS_A_MS;
}

void
kernel_work(struct kernel *kernel)
{
	if (kernel->fd >= 0)
		read_answers(kernel);
	if (kernel->fd >= 0)
		flush_queue(kernel);
	if (kernel->fd >= 0 && waited_ms(kernel) > stuck_ms(kernel))
		helper_lost(kernel, "mailban-nft does not answer");
	if (kernel->fd < 0 && monotonic_ms() >= kernel->retry_ms) {
		kernel->restarts++;
		kernel_up(kernel);
	}
}

bool
kernel_settle(struct kernel *kernel, int deadline_ms)
{
	int64_t end = monotonic_ms() + deadline_ms;

	for (;;) {
		struct pollfd poll_fd = {.fd = kernel->fd, .events = POLLIN};
		int64_t left = end - monotonic_ms();

		kernel_work(kernel);
		if (kernel->fd < 0)
			return false;
		if (!kernel_pending(kernel) && !kernel->head)
			return true;
		if (left <= 0)
			return false;
		if (kernel->head)
			poll_fd.events |= POLLOUT;
		poll_fd.fd = kernel->fd;
		(void)poll(&poll_fd, 1, (int)left);
	}
}

int
kernel_list(struct kernel *kernel, kernel_each *each, void *arg)
{
	struct wire_header header = {.type = WIRE_LIST};

	if (kernel->each)
		return -EBUSY;
	if (kernel->fd < 0)
		return -ENOTCONN;
	kernel->each = each;
	kernel->each_arg = arg;
	(void)queue_packet(kernel, &header, 0);
	kernel->list_seq = kernel->sent;
	flush_queue(kernel);
	return 0;
}

int
kernel_list_now(
	struct kernel *kernel, kernel_each *each, void *arg, int deadline_ms)
{
	int rc;

	if (kernel->fd < 0)
		get_helper(kernel);
	if (kernel->fd >= 0)
		queue_options(kernel);
	rc = kernel_list(kernel, each, arg);
	if (rc == 0)
		(void)kernel_settle(kernel, deadline_ms);
	if (kernel->each)
		end_list(kernel, -ETIMEDOUT);
	return rc;
}

int
kernel_fd(const struct kernel *kernel)
{
	return kernel->fd;
}

bool
kernel_wants_write(const struct kernel *kernel)
{
	return kernel->head != NULL;
}

int
kernel_timeout_ms(const struct kernel *kernel)
{
	int64_t left = kernel->retry_ms - monotonic_ms();

	if (kernel->fd >= 0 || left > 1000)
		return 1000;
	return left > 0 ? (int)left : 0;
}

enum kernel_state
kernel_state(const struct kernel *kernel)
{
	if (kernel->state == KERNEL_UP && waited_ms(kernel) > LATE_MS)
		return KERNEL_SYNCING;
	return kernel->state;
}

size_t
kernel_pending(const struct kernel *kernel)
{
	return kernel->sent - kernel->done;
}

const char *
kernel_trouble(const struct kernel *kernel)
{
	return kernel->trouble[0] ? kernel->trouble : NULL;
}

uint64_t
kernel_restarts(const struct kernel *kernel)
{
	return kernel->restarts;
}

uint64_t
kernel_healed(const struct kernel *kernel)
{
	return kernel->healed;
}
