/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two netlink sockets, read without a library: of an nftables message, its
 * kind, the name of the table (attribute 1 in every kind, see
 * linux/netfilter/nf_tables.h) and the keys of deleted elements matter. When
 * messages were lost all is taken for hit.
 */
#include "helper/watch.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"

enum { BUFFER_BYTES = 4 << 20, TABLE_NAME = 1 };

struct bytes {
	const uint8_t *at;
	size_t len;
};

/* NLMSG_ALIGN and NLA_ALIGN, without their signs. */
static size_t
align4(size_t len)
{
	return (len + 3) & ~(size_t)3;
}

/* Cuts the next netlink attribute, or message body, off *in. */
static bool
next_attribute(struct bytes *in, uint16_t *type, struct bytes *out)
{
	struct nlattr head;
	size_t whole;

	if (in->len < sizeof(head))
		return false;
	memcpy(&head, in->at, sizeof(head));
	if (head.nla_len < sizeof(head) || head.nla_len > in->len)
		return false;
	*type = head.nla_type & (uint16_t)NLA_TYPE_MASK;
	*out = (struct bytes){
		in->at + sizeof(head), head.nla_len - sizeof(head)};
	whole = align4(head.nla_len);
	if (whole > in->len)
		whole = in->len;
	*in = (struct bytes){in->at + whole, in->len - whole};
	return true;
}

static struct bytes
find_attribute(struct bytes in, uint16_t wanted)
{
	struct bytes value;
	uint16_t type;

	while (next_attribute(&in, &type, &value))
		if (type == wanted)
			return value;
	return (struct bytes){NULL, 0};
}

static bool
is_text(struct bytes value, const char *text)
{
	return value.len == strlen(text) + 1 &&
	       !memcmp(value.at, text, value.len);
}

static void
read_deleted(struct watch *watch, struct bytes attributes)
{
	struct bytes set = find_attribute(attributes, NFTA_SET_ELEM_LIST_SET);
	struct bytes list =
		find_attribute(attributes, NFTA_SET_ELEM_LIST_ELEMENTS);
	struct bytes element, key;
	uint16_t type;

	if (set.len == 0 || set.at[set.len - 1] != '\0')
		return;
	while (next_attribute(&list, &type, &element)) {
		key = find_attribute(element, NFTA_SET_ELEM_KEY);
		key = find_attribute(key, NFTA_DATA_VALUE);
		if (key.at)
			watch->gone((const char *)set.at, key.at, key.len,
				watch->arg);
	}
}

static void
read_table_message(struct watch *watch, uint16_t type, struct bytes body)
{
	struct nfgenmsg head;

	if (type >> 8 != NFNL_SUBSYS_NFTABLES || body.len < sizeof(head))
		return;
	memcpy(&head, body.at, sizeof(head));
	body = (struct bytes){body.at + sizeof(head), body.len - sizeof(head)};
	if (head.nfgen_family != NFPROTO_INET ||
		!is_text(find_attribute(body, TABLE_NAME), watch->table))
		return;
	switch (type & 0xff) {
	case NFT_MSG_DELSETELEM:
		read_deleted(watch, body);
		break;
	case NFT_MSG_NEWSETELEM:
		break;
	default:
		watch->hit = true;
	}
}

static void
read_host_message(struct watch *watch, uint16_t type, struct bytes body)
{
	struct rtmsg route;

	if (type == RTM_NEWROUTE || type == RTM_DELROUTE) {
		if (body.len < sizeof(route))
			return;
		memcpy(&route, body.at, sizeof(route));
		/* Only default routes: a router has many others. */
		if (route.rtm_dst_len != 0)
			return;
	}
	watch->host = true;
}

/* The generation that an answer to ask_generation gives. */
static bool
is_generation(const struct watch *watch, const struct nlmsghdr *head,
	struct bytes body, uint32_t *generation)
{
	uint8_t raw[4];

	if (head->nlmsg_pid != watch->port ||
		head->nlmsg_type !=
			(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWGEN) ||
		body.len < sizeof(struct nfgenmsg))
		return false;
	body = (struct bytes){body.at + sizeof(struct nfgenmsg),
		body.len - sizeof(struct nfgenmsg)};
	body = find_attribute(body, NFTA_GEN_ID);
	if (body.len != sizeof(raw))
		return false;
	memcpy(raw, body.at, sizeof(raw));
	*generation = (uint32_t)raw[0] << 24 | (uint32_t)raw[1] << 16 |
		      (uint32_t)raw[2] << 8 | raw[3];
	return true;
}

static bool
read_messages(
	struct watch *watch, int fd, struct bytes in, uint32_t *generation)
{
	struct nlmsghdr head;
	struct bytes body;
	bool answered = false;
	size_t whole;

	while (in.len >= sizeof(head)) {
		memcpy(&head, in.at, sizeof(head));
		if (head.nlmsg_len < sizeof(head) || head.nlmsg_len > in.len)
			break;
		body = (struct bytes){
			in.at + sizeof(head), head.nlmsg_len - sizeof(head)};
		if (fd == watch->host_fd)
			read_host_message(watch, head.nlmsg_type, body);
		else if (is_generation(watch, &head, body, generation))
			answered = true;
		else
			read_table_message(watch, head.nlmsg_type, body);
		whole = align4(head.nlmsg_len);
		if (whole > in.len)
			break;
		in = (struct bytes){in.at + whole, in.len - whole};
	}
	return answered;
}

/* Whether the generation was among what waited. */
static bool
read_socket(struct watch *watch, int fd, uint32_t *generation)
{
	static uint8_t buffer[65536];
	bool answered = false;

	for (;;) {
		ssize_t got = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT);

		if (got < 0 && errno == ENOBUFS) {
			*(fd == watch->host_fd ? &watch->host : &watch->hit) =
				true;
			continue;
		}
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return answered;
		answered |= read_messages(watch, fd,
			(struct bytes){buffer, (size_t)got}, generation);
	}
}

void
watch_read(struct watch *watch)
{
	uint32_t ignored;

	(void)read_socket(watch, watch->table_fd, &ignored);
	(void)read_socket(watch, watch->host_fd, &ignored);
}

/* The kernel answers before send returns. */
static bool
ask_generation(struct watch *watch, uint32_t *generation)
{
	struct {
		struct nlmsghdr head;
		struct nfgenmsg body;
	} ask = {
		.head = {.nlmsg_len = sizeof(ask),
			.nlmsg_type =
				NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN,
			.nlmsg_flags = NLM_F_REQUEST},
	};

	/* What waits goes first, to make room. */
	watch_read(watch);
	if (send(watch->table_fd, &ask, sizeof(ask), 0) < 0)
		return false;
	return read_socket(watch, watch->table_fd, generation);
}

static void
set_member(struct watch *watch, int option)
{
	int group = NFNLGRP_NFTABLES;

	if (setsockopt(watch->table_fd, SOL_NETLINK, option, &group,
		    sizeof(group)) < 0)
		fatal("watch error=\"%s\": nftables' notifications need "
		      "CAP_NET_ADMIN and nf_tables in the kernel",
			strerror(errno));
}

void
watch_pause(struct watch *watch)
{
	if (!ask_generation(watch, &watch->generation))
		watch->doubt = true;
	set_member(watch, NETLINK_DROP_MEMBERSHIP);
}

void
watch_resume(struct watch *watch, uint32_t commits)
{
	uint32_t generation;

	set_member(watch, NETLINK_ADD_MEMBERSHIP);
	/* Fewer than ours: one of ours that changes nothing is not counted. */
	if (!ask_generation(watch, &generation) ||
		generation - watch->generation > commits)
		watch->doubt = true;
}

static int
open_netlink(int protocol, uint32_t groups)
{
	struct sockaddr_nl address = {
		.nl_family = AF_NETLINK, .nl_groups = groups};
	int size = BUFFER_BYTES;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);

	if (fd < 0 ||
		bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		fatal("start error=\"netlink: %s\"", strerror(errno));
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		(void)setsockopt(
			fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	return fd;
}

void
watch_open(struct watch *watch, const char *table)
{
	struct sockaddr_nl address;
	socklen_t len = sizeof(address);

	watch->table = table;
	watch->table_fd = open_netlink(NETLINK_NETFILTER, 0);
	watch->host_fd = open_netlink(
		NETLINK_ROUTE, RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR |
				       RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE);
	if (getsockname(watch->table_fd, (struct sockaddr *)&address, &len) < 0)
		fatal("start error=\"netlink: %s\"", strerror(errno));
	watch->port = address.nl_pid;
	set_member(watch, NETLINK_ADD_MEMBERSHIP);
}

void
watch_close(struct watch *watch)
{
	(void)close(watch->table_fd);
	(void)close(watch->host_fd);
}
