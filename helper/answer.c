/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bans and lifts that wait on the socket are noted first, and written and
 * answered together. A stream (EXEMPT, REPLACE) is one request in several
 * packets with one number; its last packet is answered.
 */
#include "helper/answer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"
#include "common/xalloc.h"

enum {
	PENDING_MAX = 1024, /* requests answered together */
	EXEMPT_MAX = 65536,
	CHANGES_MAX = 10000, /* elements written together */
	SEND_TIMEOUT_S = 5,
};

struct refused {
	struct network net;
	int status;
};

struct request {
	uint32_t seq;
	struct refused *refused;
	size_t count, room;
};

struct talk {
	int fd;
	struct keeper *keeper;
	struct request pending[PENDING_MAX];
	size_t pending_count;
	/* The stream that was begun and not ended; WIRE_HEALED: none. */
	enum wire_type stream_type;
	struct request stream;
	struct netset exempt;
	uint8_t in[WIRE_PACKET_MAX + 1], out[WIRE_PACKET_MAX];
	/* Of the list being sent. */
	struct wire_header list;
	int list_error;
};

struct talk *
talk_new(int fd, struct keeper *keeper)
{
	struct talk *talk = xcalloc(1, sizeof(*talk));
	struct timeval timeout = {.tv_sec = SEND_TIMEOUT_S};

	talk->fd = fd;
	talk->keeper = keeper;
	talk->stream_type = WIRE_HEALED;
	/* A peer that does not read must not stop the mending. */
	(void)setsockopt(
		fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	return talk;
}

void
talk_free(struct talk *talk)
{
	if (!talk)
		return;
	keeper_forget_askers(talk->keeper);
	for (size_t i = 0; i < PENDING_MAX; i++)
		free(talk->pending[i].refused);
	free(talk->stream.refused);
	netset_free(&talk->exempt);
	(void)close(talk->fd);
	free(talk);
}

int
talk_fd(const struct talk *talk)
{
	return talk->fd;
}

/* ---- Answers ---- */

static int
send_packet(struct talk *talk, const struct wire_header *header)
{
	size_t len = WIRE_HEADER_LEN + (size_t)header->count * WIRE_ITEM_LEN;

	wire_put_header(talk->out, header);
	if (send(talk->fd, talk->out, len, MSG_NOSIGNAL) < 0)
		return errno == EPIPE ? -ECONNRESET : -errno;
	return 0;
}

static uint8_t *
item_at(uint8_t *packet, uint32_t i)
{
	return packet + WIRE_HEADER_LEN + (size_t)i * WIRE_ITEM_LEN;
}

/* Takes up to a packet full of refused networks with the same status. */
static void
take_refused(
	struct talk *talk, struct request *request, struct wire_header *header)
{
	size_t kept = 0;

	header->status = request->refused[0].status;
	for (size_t i = 0; i < request->count; i++) {
		struct refused *refused = &request->refused[i];
		struct wire_item item = {.net = refused->net};

		if (refused->status == header->status &&
			header->count < WIRE_ITEMS_MAX)
			wire_put_item(
				item_at(talk->out, header->count++), &item);
		else
			request->refused[kept++] = *refused;
	}
	request->count = kept;
}

/* One packet for each reason of refusal, at least one. */
static int
send_done(struct talk *talk, struct request *request, int status)
{
	int result;

	do {
		struct wire_header header = {.type = WIRE_DONE,
			.seq = request->seq,
			.status = status};

		if (status == 0 && request->count > 0)
			take_refused(talk, request, &header);
		result = send_packet(talk, &header);
	} while (result == 0 && status == 0 && request->count > 0);
	request->count = 0;
	return result;
}

static int
answer_simply(struct talk *talk, uint32_t seq, int status)
{
	struct request request = {.seq = seq};

	return send_done(talk, &request, status);
}

void
answer_refused(const struct network *net, int error, void *by)
{
	struct request *request = by;
	char text[NETWORK_STRLEN];

	log_warn("refused client=%s error=\"%s\"", network_format(net, text),
		strerror(-error));
	if (!request)
		return;
	if (request->count == request->room) {
		request->room += request->room / 2 + 16;
		request->refused = xreallocarray(request->refused,
			request->room, sizeof(struct refused));
	}
	request->refused[request->count++] = (struct refused){*net, error};
}

/* Writes the bans and lifts noted so far, and answers them. */
static int
settle(struct talk *talk)
{
	size_t count = talk->pending_count;
	int status, result = 0;

	if (count == 0)
		return 0;
	talk->pending_count = 0;
	status = keeper_write(talk->keeper);
	for (size_t i = 0; i < count && result == 0; i++)
		result = send_done(talk, &talk->pending[i], status);
	return result;
}

int
answer_healed(struct talk *talk)
{
	struct wire_header header = {.type = WIRE_HEALED};

	return send_packet(talk, &header);
}

/* ---- Requests ---- */

static int
note_items(struct talk *talk, const struct wire_header *header,
	struct request *request)
{
	struct wire_item items[WIRE_ITEMS_MAX];
	int status;

	/* All are looked at before the first is noted. */
	for (uint32_t i = 0; i < header->count; i++)
		if (wire_get_item(item_at(talk->in, i), &items[i]) < 0)
			return -EBADMSG;
	for (uint32_t i = 0; i < header->count; i++) {
		const struct network *net = &items[i].net;

		if (header->type == WIRE_EXEMPT) {
			netset_add(&talk->exempt, net);
			if (talk->exempt.count > EXEMPT_MAX)
				return -E2BIG;
			continue;
		}
		if (header->type == WIRE_LIFT) {
			keeper_lift(talk->keeper, net, request);
			continue;
		}
		status = keeper_ban(
			talk->keeper, net, items[i].timeout_ms, request);
		if (status < 0)
			answer_refused(net, status, request);
	}
	return 0;
}

static int
answer_ban(struct talk *talk, const struct wire_header *header)
{
	struct request *request = &talk->pending[talk->pending_count];
	int result;

	request->seq = header->seq;
	request->count = 0;
	result = note_items(talk, header, request);
	if (result < 0)
		return result;
	talk->pending_count++;
	return 0;
}

static int
begin_stream(struct talk *talk, const struct wire_header *header)
{
	if (talk->stream_type != WIRE_HEALED)
		return -EBADMSG;
	talk->stream_type = header->type;
	talk->stream.seq = header->seq;
	talk->stream.count = 0;
	if (header->type == WIRE_REPLACE)
		keeper_replace_begin(talk->keeper);
	else
		netset_free(&talk->exempt);
	return 0;
}

static int
answer_stream(struct talk *talk, const struct wire_header *header)
{
	int result = 0;

	if (header->flags & WIRE_FIRST)
		result = begin_stream(talk, header);
	if (result < 0 || header->type != talk->stream_type ||
		header->seq != talk->stream.seq)
		return -EBADMSG;
	result = note_items(talk, header, &talk->stream);
	if (result < 0 || !(header->flags & WIRE_LAST))
		return result;
	talk->stream_type = WIRE_HEALED;
	result = header->type == WIRE_REPLACE
			 ? keeper_replace_end(talk->keeper, &talk->stream)
			 : keeper_exempt(talk->keeper, &talk->exempt);
	log_debug("%s seq=%u bans=%zu status=%d",
		header->type == WIRE_REPLACE ? "replace" : "exempt",
		header->seq, talk->keeper->table.wants.count, result);
	return send_done(talk, &talk->stream, result);
}

static int
answer_install(struct talk *talk, const struct wire_header *header)
{
	struct wire_options options;
	int result = wire_get_options(talk->in + WIRE_HEADER_LEN, &options);

	if (result < 0)
		return -EBADMSG;
	result = keeper_install(talk->keeper, &options);
	if (result < 0)
		log_err("install table=%s error=\"%s\"",
			talk->keeper->table.nft.table, strerror(-result));
	else
		log_info("install table=%s ports=%u log=%d",
			talk->keeper->table.nft.table, options.port_count,
			options.log);
	return answer_simply(talk, header->seq, result);
}

static int
answer_remove(struct talk *talk, const struct wire_header *header)
{
	int result = table_remove(&talk->keeper->table);

	log_info("remove table=%s status=%d", talk->keeper->table.nft.table,
		result);
	return answer_simply(talk, header->seq, result);
}

static void
send_list(struct talk *talk, uint8_t last)
{
	int result;

	talk->list.flags |= last;
	result = send_packet(talk, &talk->list);
	if (result < 0)
		talk->list_error = result;
	talk->list.flags = 0;
	talk->list.count = 0;
}

static void
list_item(const struct wire_item *item, void *arg)
{
	struct talk *talk = arg;

	if (talk->list_error < 0)
		return;
	if (talk->list.count == WIRE_ITEMS_MAX)
		send_list(talk, 0);
	wire_put_item(item_at(talk->out, talk->list.count++), item);
}

static int
answer_list(struct talk *talk, const struct wire_header *header)
{
	int result;

	talk->list = (struct wire_header){
		.type = WIRE_ITEMS, .flags = WIRE_FIRST, .seq = header->seq};
	talk->list_error = 0;
	result = table_list(&talk->keeper->table, list_item, talk);
	if (talk->list_error == 0 && result < 0)
		return answer_simply(talk, header->seq, result);
	if (talk->list_error == 0)
		send_list(talk, WIRE_LAST);
	return talk->list_error;
}

static int
answer_packet(struct talk *talk, size_t len)
{
	struct wire_header header;
	int result = wire_get_header(talk->in, len, &header);

	if (result < 0)
		return -EBADMSG;
	if (header.type == WIRE_BAN || header.type == WIRE_LIFT)
		return answer_ban(talk, &header);
	/* Answers come in the order of the requests. */
	result = settle(talk);
	if (result < 0)
		return result;
	switch (header.type) {
	case WIRE_INSTALL:
		return answer_install(talk, &header);
	case WIRE_EXEMPT:
	case WIRE_REPLACE:
		return answer_stream(talk, &header);
	case WIRE_LIST:
		return answer_list(talk, &header);
	case WIRE_REMOVE:
		return answer_remove(talk, &header);
	case WIRE_BAN:
	case WIRE_LIFT:
	case WIRE_DONE:
	case WIRE_ITEMS:
	case WIRE_HEALED:
		break;
	}
	return -EBADMSG;
}

int
answer_waiting(struct talk *talk)
{
	int result = 0, settled;
	ssize_t got;

	/* Not more than that before others have their turn. */
	for (int i = 0; i < PENDING_MAX && result == 0; i++) {
		got = recv(talk->fd, talk->in, sizeof(talk->in), MSG_DONTWAIT);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno == EAGAIN)
			break;
		if (got < 0)
			result = -errno;
		else
			result = got == 0 ? -ECONNRESET
					  : answer_packet(talk, (size_t)got);
		if (talk->keeper->table.wants.changed_count >= CHANGES_MAX)
			break;
	}
	/* What was asked before the peer went is done, as was promised. */
	settled = settle(talk);
	return result < 0 ? result : settled;
}
