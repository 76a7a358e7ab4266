/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Giving up privileges, for good. The one file of common/ that needs a
 * library: libcap-ng.
 */
#ifndef MAILBAN_PRIV_H
#define MAILBAN_PRIV_H

#include <stdbool.h>
#include <sys/types.h>

/* The system users the daemons become: ommailban the first; mailban-nft and
 * its starter the second where it exists, else the first. */
#define PRIV_USER "mailban"
#define PRIV_HELPER_USER "mailban-nft"

/* Whether this process has CAP_NET_ADMIN in its effective set. */
bool priv_has_net_admin(void);

/* Become uid and gid (where this process is root and may), drop the
 * supplementary groups and every capability but CAP_NET_ADMIN if
 * keep_net_admin, empty the bounding set where allowed, set no_new_privs, then
 * try to get root back. Fatal, with the reason, when anything is left that was
 * to go; having nothing to give up is fine: RHEL's rsyslogd runs as root
 * without CAP_SETUID, Ubuntu's as user syslog. */
void priv_drop(uid_t uid, gid_t gid, bool keep_net_admin);

/* The same, keeping CAP_NET_ADMIN for the programs that this process will
 * start (in its ambient set) as well. */
void priv_drop_to_start(uid_t uid, gid_t gid);

/* uid and gid of a user by name; -ENOENT when there is none. */
int priv_lookup(const char *user, uid_t *uid, gid_t *gid);

#endif
