/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs as the helper's user with CAP_NET_ADMIN in its ambient set, which the
 * program it starts inherits. Reads single bytes, never their value.
 */
#include "plugin/starter.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/log.h"
#include "common/priv.h"

enum { HELPER_FD = 3 };

static int
send_fd(int fd, int passed)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {0};
	char byte = passed >= 0 ? 1 : 0;
	struct iovec iov = {&byte, 1};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	if (passed >= 0) {
		struct cmsghdr *cmsg;

		msg.msg_control = control.space;
		msg.msg_controllen = sizeof(control.space);
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int));
		(void)memcpy(CMSG_DATA(cmsg), &passed, sizeof(int));
	}
	return sendmsg(fd, &msg, MSG_NOSIGNAL) == 1 ? 0 : -errno;
}

static int
receive_fd(int fd)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	char byte;
	struct iovec iov = {&byte, 1};
	struct msghdr msg = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.space,
		.msg_controllen = sizeof(control.space)};
	struct cmsghdr *cmsg;
	ssize_t got = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
	int passed;

	if (got <= 0)
		return got == 0 ? -EPIPE : -errno;
	cmsg = CMSG_FIRSTHDR(&msg);
	if (!cmsg || cmsg->cmsg_type != SCM_RIGHTS)
		return -EAGAIN;
	(void)memcpy(&passed, CMSG_DATA(cmsg), sizeof(int));
	return passed;
}

static void
run_helper(const char *program, int fd, bool debug)
{
	sigset_t none;

	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	if (fd == HELPER_FD)
		(void)fcntl(fd, F_SETFD, 0);
	else if (dup2(fd, HELPER_FD) < 0)
		_exit(127);
	(void)execl(program, program, "--fd", "3", debug ? "--debug" : NULL,
		(char *)NULL);
	log_err("helper start program=%s error=\"%s\"", program,
		strerror(errno));
	_exit(127);
}

static void
end_helper(pid_t *child)
{
	if (*child <= 0)
		return;
	if (waitpid(*child, NULL, WNOHANG) == 0) {
		(void)kill(*child, SIGKILL);
		(void)waitpid(*child, NULL, 0);
	}
	*child = 0;
}

/* One request: answers with a socket to a fresh helper, or without one. */
static int
serve(int fd, const char *program, bool debug, pid_t *child)
{
	int pair[2];
	int rc;

	end_helper(child);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return send_fd(fd, -1);
	*child = fork();
	if (*child == 0)
		run_helper(program, pair[1], debug);
	(void)close(pair[1]);
	rc = send_fd(fd, *child > 0 ? pair[0] : -1);
	(void)close(pair[0]);
	return rc;
}

static void
become_starter(int fd)
{
	uid_t uid;
	gid_t gid;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	/* rsyslog's pipe is not ours: its other end must see ommailban's
	 * death. stderr stays, for the helper's words. */
	(void)dup2(null, STDIN_FILENO);
	(void)dup2(null, STDOUT_FILENO);
	(void)prctl(PR_SET_NAME, "mailban-starter");
	if (priv_lookup(PRIV_HELPER_USER, &uid, &gid) < 0 &&
		priv_lookup(PRIV_USER, &uid, &gid) < 0)
		fatal("start user=%s error=\"no such user\"", PRIV_USER);
	if (fd > STDERR_FILENO + 1)
		(void)close_range(STDERR_FILENO + 1, (unsigned)fd - 1, 0);
	(void)close_range((unsigned)fd + 1, ~0U, 0);
	priv_drop_to_start(uid, gid);
}

int
starter_new(const char *program, bool debug)
{
	int pair[2];
	pid_t child = 0, pid;
	char byte;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	pid = fork();
	if (pid < 0) {
		(void)close(pair[0]);
		(void)close(pair[1]);
		return -EAGAIN;
	}
	if (pid > 0) {
		(void)close(pair[1]);
		return pair[0];
	}
	(void)close(pair[0]);
	become_starter(pair[1]);
	while (recv(pair[1], &byte, 1, 0) == 1)
		if (serve(pair[1], program, debug, &child) < 0)
			break;
	/* ommailban is gone. The helper sees the end of its own socket, and
	 * leaves when it has done what it was asked. */
	_exit(0);
}

/* An answer for which nobody waited any more: its helper ends when the next is
 * asked for, so it must not be taken for the answer to that. */
static void
drop_late_answers(int fd)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

	while (poll(&poll_fd, 1, 0) == 1) {
		int passed = receive_fd(fd);

		if (passed >= 0)
			(void)close(passed);
		else if (passed != -EAGAIN)
			return;
	}
}

int
starter_ask(int fd)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

	drop_late_answers(fd);
	if (send(fd, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT) != 1)
		return errno == EAGAIN ? -EAGAIN : -EPIPE;
	if (poll(&poll_fd, 1, 1000) != 1)
		return -EAGAIN;
	return receive_fd(fd);
}
