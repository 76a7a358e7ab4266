/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connections: who is there, what came in, what still has to go out. What the
 * requests do is in control_answer.c.
 */
#include "plugin/control.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/log.h"
#include "common/xalloc.h"
#include "plugin/control_answer.h"

/* Who has not asked, or taken his answer, by then is cut off. */
#define PATIENCE_US INT64_C(30000000)

struct client {
	int fd;		/* -1: free */
	bool asked_all; /* it has shut its writing side */
	int64_t active_us;
	size_t fill;
	char request[CONTROL_REQUEST_MAX];
	struct answer answer;
};

struct control {
	int fd;
	bool has_change, has_read;
	gid_t change, read; /* groups */
	struct snapshot *snapshot;
	struct client clients[CONTROL_CLIENTS];
};

/* Whether a running ommailban serves it: it must not lose its socket to a
 * second one, which will be refused a little later. */
static bool
is_served(const struct sockaddr_un *addr)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool served = fd >= 0 && connect(fd, (const struct sockaddr *)addr,
					 sizeof(*addr)) == 0;

	if (fd >= 0)
		(void)close(fd);
	return served;
}

static int
bind_socket(
	int fd, const char *path, const struct sockaddr_un *addr, bool for_two)
{
	mode_t old;
	int rc;

	if (is_served(addr)) {
		errno = EADDRINUSE;
		return -1;
	}
	/* What is left here is of one that died. */
	(void)unlink(path);
	/* A file has one group: for two, accept_one tells who may. */
	old = umask(for_two ? 0111 : 0117);
	rc = bind(fd, (const struct sockaddr *)addr, sizeof(*addr));
	(void)umask(old);
	return rc;
}

static int
open_socket(const struct control *control, const char *path, char **error)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	bool for_two = control->has_read && control->has_change;
	gid_t group = control->has_change ? control->change
		      : control->has_read ? control->read
					  : (gid_t)-1;
	int fd;

	if (strlen(path) >= sizeof(addr.sun_path)) {
		*error = xasprintf("%s: a socket's path has at most %zu "
				   "characters",
			path, sizeof(addr.sun_path) - 1);
		return -1;
	}
	(void)memcpy(addr.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind_socket(fd, path, &addr, for_two) < 0 ||
		chown(path, (uid_t)-1, group) < 0 || listen(fd, 64) < 0) {
		*error = xasprintf("%s: %s", path, strerror(errno));
		if (fd >= 0)
			(void)close(fd);
		return -1;
	}
	return fd;
}

/* False with *error: there is no such group. */
static bool
find_group(const char *key, const char *name, gid_t *gid, char **error)
{
	const struct group *entry = name ? getgrnam(name) : NULL;

	if (entry)
		*gid = entry->gr_gid;
	if (name && !entry)
		*error = xasprintf("%s = %s: no such group", key, name);
	return !name || entry;
}

struct control *
control_new(const char *path, const struct control_groups *groups, char **error)
{
	struct control *control = xcalloc(1, sizeof(*control));

	if (!find_group("group", groups->change, &control->change, error) ||
		!find_group(
			"read_group", groups->read, &control->read, error)) {
		free(control);
		return NULL;
	}
	control->has_change = groups->change;
	control->has_read = groups->read;
	control->fd = open_socket(control, path, error);
	if (control->fd < 0) {
		free(control);
		return NULL;
	}
	control->snapshot = snapshot_new();
	for (size_t i = 0; i < CONTROL_CLIENTS; i++)
		control->clients[i].fd = -1;
	return control;
}

static void
drop(struct client *client)
{
	if (client->fd >= 0)
		(void)close(client->fd);
	answer_clear(&client->answer);
	client->fd = -1;
	client->fill = 0;
	client->asked_all = false;
}

void
control_free(struct control *control)
{
	if (!control)
		return;
	for (size_t i = 0; i < CONTROL_CLIENTS; i++)
		drop(&control->clients[i]);
	(void)close(control->fd);
	snapshot_free(control->snapshot);
	free(control);
}

size_t
control_poll(const struct control *control, struct pollfd *fds)
{
	size_t count = 0;

	fds[count++] = (struct pollfd){.fd = control->fd, .events = POLLIN};
	for (size_t i = 0; i < CONTROL_CLIENTS; i++) {
		const struct client *client = &control->clients[i];

		if (client->fd >= 0)
			fds[count++] = (struct pollfd){.fd = client->fd,
				.events = answer_has_output(&client->answer)
						  ? POLLOUT
						  : POLLIN};
	}
	return count;
}

int
control_timeout_ms(const struct control *control)
{
	for (size_t i = 0; i < CONTROL_CLIENTS; i++)
		if (control->clients[i].fd >= 0 &&
			control->clients[i].answer.state == ANSWER_SNAPSHOT)
			return ANSWER_TICK_MS;
	return INT_MAX;
}

/* A free place, else that of whoever has been silent longest. */
static struct client *
place(struct control *control)
{
	struct client *oldest = &control->clients[0];

	for (size_t i = 0; i < CONTROL_CLIENTS; i++) {
		struct client *client = &control->clients[i];

		if (client->fd < 0)
			return client;
		if (client->active_us < oldest->active_us)
			oldest = client;
	}
	drop(oldest);
	return oldest;
}

/* By what the kernel says of the peer, as of its connect. */
static enum answer_rights
rights_of(const struct control *control, int fd, const struct ucred *peer)
{
	gid_t groups[64];
	socklen_t len = sizeof(groups);
	enum answer_rights rights = RIGHTS_NONE;
	size_t count = 0;

	if (peer->uid == 0 || peer->uid == geteuid())
		return RIGHTS_CHANGE;
	/* Who is in more groups than that is known by his first alone. */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) == 0)
		count = len / sizeof(groups[0]);
	for (size_t i = 0; i <= count; i++) {
		gid_t gid = i < count ? groups[i] : peer->gid;

		if (control->has_change && gid == control->change)
			return RIGHTS_CHANGE;
		if (control->has_read && gid == control->read)
			rights = RIGHTS_READ;
	}
	return rights;
}

static void
accept_one(struct control *control, int64_t now_us)
{
	int fd = accept4(control->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct client *client;
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (fd < 0)
		return;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0) {
		(void)close(fd);
		return;
	}
	client = place(control);
	client->fd = fd;
	client->active_us = now_us;
	client->answer.uid = peer.uid;
	client->answer.rights = rights_of(control, fd, &peer);
	client->answer.snapshot = control->snapshot;
}

static bool
has_request(const struct client *client)
{
	return memchr(client->request, '\n', client->fill) != NULL;
}

static void
take_requests(struct client *client, struct engine *engine)
{
	char *end;

	/* One at a time: the next is read when this one's answer is out. */
	if (answer_busy(&client->answer))
		return;
	end = memchr(client->request, '\n', client->fill);
	if (!end)
		return;
	answer_request(&client->answer, client->request,
		(size_t)(end - client->request), engine);
	client->fill -= (size_t)(end + 1 - client->request);
	(void)memmove(client->request, end + 1, client->fill);
}

static void
serve_client(struct client *client, struct engine *engine, int64_t now_us)
{
	ssize_t got = recv(client->fd, client->request + client->fill,
		sizeof(client->request) - client->fill, MSG_DONTWAIT);

	if (got > 0) {
		client->fill += (size_t)got;
		client->active_us = now_us;
	} else if (got == 0) {
		/* A full buffer without a line reads 0 as well. */
		client->asked_all = true;
	} else if (errno != EAGAIN && errno != EINTR) {
		drop(client);
		return;
	}
	take_requests(client, engine);
	got = answer_send(&client->answer, client->fd, engine);
	if (got > 0)
		client->active_us = now_us;
	if (got < 0 || now_us - client->active_us > PATIENCE_US ||
		(client->asked_all && !answer_busy(&client->answer) &&
			!has_request(client)))
		drop(client);
}

void
control_work(struct control *control, struct engine *engine)
{
	int64_t now_us = engine_now();

	accept_one(control, now_us);
	for (size_t i = 0; i < CONTROL_CLIENTS; i++)
		if (control->clients[i].fd >= 0)
			serve_client(&control->clients[i], engine, now_us);
}
