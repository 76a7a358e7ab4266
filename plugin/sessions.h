/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the people come from who are logged in to this host now: an operator
 * must not lock himself out. Only literal addresses are taken; nothing is
 * resolved.
 */
#ifndef MAILBAN_SESSIONS_H
#define MAILBAN_SESSIONS_H

#include "common/netset.h"

#define SESSIONS_UTMP "/run/utmp"
#define SESSIONS_LOGIND "/run/systemd/sessions"

/* Adds the remote addresses of all sessions that utmp and systemd-logind know
 * of (distributions begin to do without utmp). Either may be NULL, or missing:
 * that is no error. */
void sessions_networks(
	struct netset *set, const char *utmp, const char *logind);

#endif
