/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who may connect is decided twice: by the socket's mode and by the uid of
 * the peer, which the kernel vouches for.
 */
#include "helper/service.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/log.h"

enum { SYSTEMD_FD = 3, BACKLOG = 4 };

/* A socket left behind by one that died is no reason not to start. */
static void
clear_path(int fd, const char *path, const struct sockaddr_un *address)
{
	struct stat status;

	if (lstat(path, &status) < 0)
		return;
	if (!S_ISSOCK(status.st_mode))
		fatal("start socket=%s error=\"is there and no socket\"", path);
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) ==
		0)
		fatal("start socket=%s error=\"another mailban-nft serves "
		      "there\"",
			path);
	if (unlink(path) < 0)
		fatal("start socket=%s error=\"%s\"", path, strerror(errno));
}

int
service_listen(const char *path, gid_t group)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int probe = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	int fd = socket(
		AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	mode_t mask;

	if (strlen(path) >= sizeof(address.sun_path))
		fatal("start socket=%s error=\"path too long\"", path);
	memcpy(address.sun_path, path, strlen(path));
	clear_path(probe, path, &address);
	(void)close(probe);
	mask = umask(0777);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
		lchown(path, (uid_t)-1, group) < 0 || chmod(path, 0660) < 0 ||
		listen(fd, BACKLOG) < 0)
		fatal("start socket=%s error=\"%s\"", path, strerror(errno));
	(void)umask(mask);
	return fd;
}

int
service_inherited(void)
{
	const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
	int accepting = 0;
	socklen_t len = sizeof(accepting);

	if (!pid || !count || strtol(pid, NULL, 10) != getpid())
		return -1;
	if (strcmp(count, "1") != 0 ||
		getsockopt(SYSTEMD_FD, SOL_SOCKET, SO_ACCEPTCONN, &accepting,
			&len) < 0 ||
		!accepting)
		fatal("start error=\"systemd must pass one listening socket\"");
	(void)fcntl(SYSTEMD_FD, F_SETFD, FD_CLOEXEC);
	(void)fcntl(SYSTEMD_FD, F_SETFL, O_NONBLOCK);
	return SYSTEMD_FD;
}

int
service_accept(int listening, uid_t uid)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);
	int fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
		(peer.uid == 0 || peer.uid == uid))
		return fd;
	log_warn("refused connection uid=%u: only root and uid=%u may ask",
		peer.uid, uid);
	(void)close(fd);
	return -EPERM;
}
