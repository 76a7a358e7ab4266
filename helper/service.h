/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The socket of mailban-nft as a service: made, or taken from systemd, and
 * guarded. One ommailban at a time.
 */
#ifndef MAILBAN_SERVICE_H
#define MAILBAN_SERVICE_H

#include <sys/types.h>

/* Makes the socket at path, mode 0660, of that group, and listens. Fatal when
 * that fails or another mailban-nft serves there. */
int service_listen(const char *path, gid_t group);
/* The listening socket that systemd passed (sd_listen_fds(3)), or -1. */
int service_inherited(void);
/* Accepts a connection from root or uid; others are refused. A negative errno
 * when there is none. */
int service_accept(int listening, uid_t uid);

#endif
