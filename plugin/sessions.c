/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * utmp is read by glibc's functions; of logind's files (one a session, lines
 * of KEY=value, readable by everybody) the two lines are taken that
 * sd_session_get_remote_host(3) and sd_session_get_state(3) take.
 */
#include "plugin/sessions.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <utmpx.h>

enum { SESSIONS_MAX = 4096, LINE_MAX_LEN = 512 };

static void
add_text(struct netset *set, const char *text, size_t len)
{
	struct network net;
	struct addr addr;

	if (addr_parse(text, len, &addr) < 0)
		return;
	net = network_of(&addr, addr_bits(&addr));
	netset_add(set, &net);
}

/* ut_addr_v6 has the address when ut_host has a name; IPv4 in the first of its
 * four words, the others 0 (utmp(5)). */
static void
add_binary(struct netset *set, const struct utmpx *entry)
{
	struct addr addr = {.family = ADDR_V4};
	struct network net;

	if (!entry->ut_addr_v6[0] && !entry->ut_addr_v6[1] &&
		!entry->ut_addr_v6[2] && !entry->ut_addr_v6[3])
		return;
	if (entry->ut_addr_v6[1] || entry->ut_addr_v6[2] ||
		entry->ut_addr_v6[3]) {
		addr.family = ADDR_V6;
		(void)memcpy(addr.bytes, entry->ut_addr_v6, 16);
	} else {
		(void)memcpy(addr.bytes, entry->ut_addr_v6, 4);
	}
	net = network_of(&addr, addr_bits(&addr));
	netset_add(set, &net);
}

/* An entry may be left over from a session that ended in a crash. */
static bool
is_alive(const struct utmpx *entry)
{
	return entry->ut_pid > 0 &&
	       (kill(entry->ut_pid, 0) == 0 || errno == EPERM);
}

static void
read_utmp(struct netset *set, const char *path)
{
	const struct utmpx *entry;

	if (access(path, R_OK) < 0 || utmpxname(path) < 0)
		return;
	setutxent();
	for (int i = 0; i < SESSIONS_MAX && (entry = getutxent()); i++) {
		if (entry->ut_type != USER_PROCESS || !is_alive(entry))
			continue;
		add_binary(set, entry);
		add_text(set, entry->ut_host,
			strnlen(entry->ut_host, sizeof(entry->ut_host)));
	}
	endutxent();
}

static void
read_session(struct netset *set, int dir_fd, const char *name)
{
	char line[LINE_MAX_LEN], host[LINE_MAX_LEN] = "";
	int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "re");
	bool closing = false;

	if (!file) {
		if (fd >= 0)
			(void)close(fd);
		return;
	}
	while (fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		if (!strncmp(line, "REMOTE_HOST=", 12))
			(void)snprintf(host, sizeof(host), "%s", line + 12);
		if (!strcmp(line, "STATE=closing"))
			closing = true;
	}
	(void)fclose(file);
	if (!closing)
		add_text(set, host, strlen(host));
}

static void
read_logind(struct netset *set, const char *path)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;

	if (!dir)
		return;
	for (int i = 0; i < SESSIONS_MAX && (entry = readdir(dir)); i++)
		if (!strchr(entry->d_name, '.')) /* nor its FIFOs, "1.ref" */
			read_session(set, dirfd(dir), entry->d_name);
	(void)closedir(dir);
}

void
sessions_networks(struct netset *set, const char *utmp, const char *logind)
{
	if (utmp)
		read_utmp(set, utmp);
	if (logind)
		read_logind(set, logind);
}
