/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs nft without a shell; what it is given was made from the binary address.
 */
#include "command/in_kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *
nft_path(void)
{
	static const char *const paths[] = {
		"/usr/sbin/nft", "/sbin/nft", "/usr/local/sbin/nft"};

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		if (access(paths[i], X_OK) == 0)
			return paths[i];
	return NULL;
}

static _Noreturn void
become_nft(const char *path, const char *set, char *element, int out)
{
	int none = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (none < 0 || dup2(none, STDIN_FILENO) < 0 ||
		dup2(none, STDERR_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0)
		_exit(127);
	(void)execl(path, "nft", "get", "element", "inet", "mailban", set,
		element, (char *)NULL);
	_exit(127);
}

/* The number behind a word of "counter packets 3 bytes 180". */
static bool
number_after(const char *text, const char *word, int64_t *out)
{
	const char *at = strstr(text, word);

	if (at)
		*out = strtoll(at + strlen(word), NULL, 10);
	return at != NULL;
}

static void
take_output(int fd, struct in_kernel *out)
{
	char text[4096];
	size_t len = 0;
	ssize_t got;

	while (len + 1 < sizeof(text) &&
		(got = read(fd, text + len, sizeof(text) - 1 - len)) > 0)
		len += (size_t)got;
	text[len] = '\0';
	if (number_after(text, "counter packets ", &out->packets) &&
		number_after(text, " bytes ", &out->bytes))
		out->counted = true;
}

/* 0: found; 1: not. */
static int
look_in(const char *path, const char *set, const struct network *net,
	struct in_kernel *out)
{
	char text[NETWORK_STRLEN], element[NETWORK_STRLEN + 8];
	int ends[2], status = 0;
	pid_t child;

	(void)snprintf(
		element, sizeof(element), "{ %s }", network_format(net, text));
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	child = fork();
	if (child == 0)
		become_nft(path, set, element, ends[1]);
	(void)close(ends[1]);
	if (child > 0)
		take_output(ends[0], out);
	(void)close(ends[0]);
	if (child < 0 || waitpid(child, &status, 0) < 0)
		return -errno;
	if (!WIFEXITED(status) || WEXITSTATUS(status) == 127)
		return -ENOEXEC;
	return WEXITSTATUS(status) ? 1 : 0;
}

int
in_kernel_look(const struct network *net, struct in_kernel *out)
{
	bool v4 = net->addr.family == ADDR_V4;
	const char *path = nft_path();
	struct network first = *net;
	int rc;

	*out = (struct in_kernel){.found = false};
	if (geteuid() != 0)
		return -EPERM;
	if (!path)
		return -ENOENT;
	/* Clients stand in their set by their first address. */
	first.prefix = addr_bits(&net->addr);
	rc = look_in(path, v4 ? "ban4" : "ban6", &first, out);
	if (rc == 1)
		rc = look_in(path, v4 ? "net4" : "net6", &first, out);
	out->found = rc == 0;
	return rc < 0 ? rc : 0;
}
