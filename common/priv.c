/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Giving up privileges in one order that can't be undone, and proving it.
 * To be called while there is but one thread: the kernel keeps capabilities
 * and no_new_privs for each thread. Must never return with anything left that
 * was to go.
 */
#include "common/priv.h"

#include "common/log.h"

#include <cap-ng.h>
#include <errno.h>
#include <grp.h>
#include <linux/securebits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static void
read_caps(void)
{
	if (capng_get_caps_process() != 0)
		fatal("can't read the capabilities of this process");
}

static bool
has(capng_type_t set, unsigned cap)
{
	return capng_have_capability(set, cap) == 1;
}

bool
priv_has_net_admin(void)
{
	read_caps();
	return has(CAPNG_EFFECTIVE, CAP_NET_ADMIN);
}

/* Whether root is one of the three user ids: one is enough to get it back. */
static bool
is_root(void)
{
	uid_t real, effective, saved;

	if (getresuid(&real, &effective, &saved) < 0)
		fatal("getresuid: %s", strerror(errno));
	return real == 0 || effective == 0 || saved == 0;
}

/* Makes what is permitted effective, of these two. */
static void
use_caps(unsigned first, unsigned second)
{
	read_caps();
	if (has(CAPNG_PERMITTED, first))
		capng_update(CAPNG_ADD, CAPNG_EFFECTIVE, first);
	if (has(CAPNG_PERMITTED, second))
		capng_update(CAPNG_ADD, CAPNG_EFFECTIVE, second);
	if (capng_apply(CAPNG_SELECT_CAPS) != 0)
		fatal("can't use own capabilities: %s", strerror(errno));
}

/* One step of becoming another user. Without its capability it can't be done,
 * and what is left then is a root that may do nothing: no error by itself. */
static bool
stepped(int result, const char *what, unsigned cap)
{
	if (result == 0)
		return true;
	if (errno == EPERM && !has(CAPNG_EFFECTIVE, cap))
		return false;
	fatal("can't give up root: %s: %s", what, strerror(errno));
}

/* Returns whether this process is that user and group now. */
static bool
become(uid_t uid, gid_t gid)
{
	bool all;

	if (uid == 0 || gid == 0)
		fatal("to give up root, another user and group are needed: "
		      "uid=%lu gid=%lu",
			(unsigned long)uid, (unsigned long)gid);
	use_caps(CAP_SETUID, CAP_SETGID);
	/* Where this is locked, the capabilities go with the user id. */
	(void)prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
	all = stepped(setgroups(0, NULL), "setgroups", CAP_SETGID);
	all &= stepped(setresgid(gid, gid, gid), "setresgid", CAP_SETGID);
	all &= stepped(setresuid(uid, uid, uid), "setresuid", CAP_SETUID);
	return all;
}

/* What needs CAP_SETPCAP: nothing comes back through an exec either, but for
 * what is passed on. */
static void
lock_down(bool pass_on)
{
	unsigned long bits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED |
			     SECBIT_NO_SETUID_FIXUP_LOCKED |
			     SECBIT_KEEP_CAPS_LOCKED;
	int present = prctl(PR_GET_SECUREBITS, 0, 0, 0, 0);

	if (!pass_on)
		bits |= SECBIT_NO_CAP_AMBIENT_RAISE |
			SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;
	use_caps(CAP_SETPCAP, CAP_SETPCAP);
	if (!has(CAPNG_EFFECTIVE, CAP_SETPCAP))
		return;
	/* The kernel says where its capabilities end. */
	for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0;
		cap++)
		if (!(pass_on && cap == CAP_NET_ADMIN) &&
			prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			fatal("can't empty the bounding set: %s",
				strerror(errno));
	if (present > 0)
		bits |= (unsigned long)present &
			~(unsigned long)SECBIT_KEEP_CAPS;
	/* More than is needed with no_new_privs: a kernel may refuse it. */
	if (prctl(PR_SET_SECUREBITS, bits, 0, 0, 0) < 0)
		log_debug("securebits not set: %s", strerror(errno));
}

/* Empties all sets but for CAP_NET_ADMIN, if it is there and to stay. */
static void
drop_caps(bool keep_net_admin)
{
	read_caps();
	keep_net_admin = keep_net_admin && has(CAPNG_PERMITTED, CAP_NET_ADMIN);
	capng_clear(CAPNG_SELECT_CAPS);
	if (keep_net_admin)
		capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED,
			CAP_NET_ADMIN);
	if (capng_apply(CAPNG_SELECT_CAPS) != 0)
		fatal("can't drop capabilities: %s", strerror(errno));
	/* Fails on kernels without ambient capabilities only. */
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	(void)prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		fatal("can't set no_new_privs: %s", strerror(errno));
}

static void
prove_caps(bool keep_net_admin)
{
	read_caps();
	for (unsigned cap = 0;
		prctl(PR_CAPBSET_READ, (unsigned long)cap, 0, 0, 0) >= 0;
		cap++) {
		bool held =
			has(CAPNG_EFFECTIVE, cap) || has(CAPNG_PERMITTED, cap);
		if (has(CAPNG_INHERITABLE, cap) ||
			prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET,
				(unsigned long)cap, 0, 0) == 1 ||
			(held && !(keep_net_admin && cap == CAP_NET_ADMIN)))
			fatal("capability %u was to go and is still there",
				cap);
	}
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		fatal("no_new_privs was to be set and is not");
}

static void
prove_user(uid_t uid, gid_t gid)
{
	uid_t uids[3];
	gid_t gids[3];

	if (getresuid(&uids[0], &uids[1], &uids[2]) < 0 ||
		getresgid(&gids[0], &gids[1], &gids[2]) < 0)
		fatal("getresuid: %s", strerror(errno));
	for (int i = 0; i < 3; i++)
		if (uids[i] != uid || gids[i] != gid)
			fatal("the user or group was to change and did not");
	if (getgroups(0, NULL) != 0)
		fatal("supplementary groups were to go and are still there");
}

/* Tries to get root back. */
static void
prove_root_gone(void)
{
	if (setuid(0) == 0 || seteuid(0) == 0)
		fatal("root was given up and came back: setuid");
	if (getgid() != 0 && getegid() != 0 &&
		(setgid(0) == 0 || setegid(0) == 0))
		fatal("root was given up and came back: setgid");
}

static void
drop(uid_t uid, gid_t gid, bool keep_net_admin, bool pass_on)
{
	gid_t none = 0;
	bool root = is_root(), changed = false;

	if (root)
		changed = become(uid, gid);
	if (root && !changed && geteuid() != 0)
		fatal("root is put aside and can't be given up");
	lock_down(pass_on);
	drop_caps(keep_net_admin);
	prove_caps(keep_net_admin);
	if (changed)
		prove_user(uid, gid);
	if (!is_root())
		prove_root_gone();
	if (setgroups(1, &none) == 0)
		fatal("groups can still be taken: setgroups");
	if (root && !changed)
		log_warn("still root, without any capability: this process "
			 "may not become another user (no CAP_SETUID)");
}

void
priv_drop(uid_t uid, gid_t gid, bool keep_net_admin)
{
	drop(uid, gid, keep_net_admin, false);
}

void
priv_drop_to_start(uid_t uid, gid_t gid)
{
	drop(uid, gid, true, true);
	read_caps();
	capng_update(CAPNG_ADD, CAPNG_INHERITABLE, CAP_NET_ADMIN);
	if (capng_apply(CAPNG_SELECT_CAPS) != 0 ||
		prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_ADMIN, 0,
			0) < 0)
		fatal("can't pass CAP_NET_ADMIN on: %s", strerror(errno));
}

int
priv_lookup(const char *user, uid_t *uid, gid_t *gid)
{
	struct passwd *entry;

	errno = 0;
	entry = getpwnam(user);
	if (!entry)
		return errno && errno != ENOENT ? -errno : -ENOENT;
	*uid = entry->pw_uid;
	*gid = entry->pw_gid;
	return 0;
}
