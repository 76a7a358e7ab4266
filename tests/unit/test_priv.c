/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Giving up privileges, from each state a daemon is started in. Every case
 * runs in a child of its own; all but those of an ordinary user need root
 * and are skipped without.
 */
#include "common/priv.h"

#include "common/log.h"

#include <cap-ng.h>
#include <errno.h>
#include <grp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { SOMEBODY = 54321, OTHER = 54322 };
/* Exit statuses of a child; fatal() is 1. */
enum { FINE = 0, FATAL = 1, WRONG = 2 };

static void
require_root(void)
{
	if (geteuid() != 0)
		skip();
}

/* Only fatal() calls exit() here. A leak checker at exit could not do its work
 * without privileges. */
static void
leave(void)
{
	_exit(FATAL);
}

static int
run(void (*in_child)(void))
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		atexit(leave);
		in_child();
		_exit(FINE);
	}
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
check(bool right, const char *what)
{
	if (right)
		return;
	log_err("wrong: %s", what);
	_exit(WRONG);
}

static void
check_caps(bool net_admin)
{
	uint64_t permitted = 0, effective = 0;
	uint64_t want = net_admin ? UINT64_C(1) << CAP_NET_ADMIN : 0;

	check(capng_get_caps_process() == 0, "read");
	for (unsigned cap = 0; cap <= CAP_LAST_CAP; cap++) {
		if (capng_have_capability(CAPNG_PERMITTED, cap))
			permitted |= UINT64_C(1) << cap;
		if (capng_have_capability(CAPNG_EFFECTIVE, cap))
			effective |= UINT64_C(1) << cap;
		check(!capng_have_capability(CAPNG_INHERITABLE, cap),
			"inheritable");
	}
	check(permitted == want, "permitted");
	check(effective == want, "effective");
	check(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1, "no_new_privs");
	check(priv_has_net_admin() == net_admin, "priv_has_net_admin");
}

static void
check_user(uid_t uid)
{
	uid_t u[3];
	gid_t g[3];

	check(getresuid(&u[0], &u[1], &u[2]) == 0, "getresuid");
	check(getresgid(&g[0], &g[1], &g[2]) == 0, "getresgid");
	check(u[0] == uid && u[1] == uid && u[2] == uid, "uid");
	if (uid == 0)
		return;
	check(g[0] == uid && g[1] == uid && g[2] == uid, "gid");
	check(getgroups(0, NULL) == 0, "groups");
	check(setuid(0) < 0 && setgid(0) < 0, "root is back");
}

/* Leaves this process these capabilities and no others, as a service manager
 * does that bounds root. */
static void
bound(unsigned first, unsigned second)
{
	capng_clear(CAPNG_SELECT_BOTH);
	capng_updatev(CAPNG_ADD,
		CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_BOUNDING_SET, first,
		second, -1);
	check(capng_apply(CAPNG_SELECT_BOTH) == 0, "bound");
}

/* Become another user, with CAP_NET_ADMIN kept and ambient if asked for. */
static void
become_other(bool net_admin)
{
	check(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0, "keepcaps");
	check(setgroups(0, NULL) == 0, "setgroups");
	check(setresgid(OTHER, OTHER, OTHER) == 0, "setresgid");
	check(setresuid(OTHER, OTHER, OTHER) == 0, "setresuid");
	capng_clear(CAPNG_SELECT_CAPS);
	if (net_admin)
		capng_update(CAPNG_ADD,
			CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_INHERITABLE,
			CAP_NET_ADMIN);
	check(capng_apply(CAPNG_SELECT_CAPS) == 0, "apply");
	if (net_admin)
		check(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_ADMIN,
			      0, 0) == 0,
			"ambient");
}

static void
root_drops_all(void)
{
	gid_t some[] = {4, 27};

	check(setgroups(2, some) == 0, "setgroups");
	priv_drop(SOMEBODY, SOMEBODY, false);
	check_user(SOMEBODY);
	check_caps(false);
	check(prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN, 0, 0, 0) == 0, "bounding");
	check(prctl(PR_CAPBSET_READ, CAP_CHOWN, 0, 0, 0) == 0, "bounding");
}

static void
root_keeps_net_admin(void)
{
	check(priv_has_net_admin(), "root has none");
	priv_drop(SOMEBODY, SOMEBODY, true);
	check_user(SOMEBODY);
	check_caps(true);
}

static void
root_drops_twice(void)
{
	priv_drop(SOMEBODY, SOMEBODY, true);
	priv_drop(SOMEBODY, SOMEBODY, false);
	check_user(SOMEBODY);
	check_caps(false);
}

static void
root_to_root(void)
{
	priv_drop(0, 0, false);
}

static void
root_to_group_root(void)
{
	priv_drop(SOMEBODY, 0, false);
}

/* RHEL's rsyslogd. */
static void
bounded_root(void)
{
	bound(CAP_DAC_OVERRIDE, CAP_DAC_OVERRIDE);
	priv_drop(SOMEBODY, SOMEBODY, true);
	check_user(0);
	check_caps(false);
}

static void
bounded_root_with_net_admin(void)
{
	bound(CAP_DAC_OVERRIDE, CAP_NET_ADMIN);
	priv_drop(SOMEBODY, SOMEBODY, true);
	check_user(0);
	check_caps(true);
}

/* It may change its user: then it must. */
static void
bounded_root_with_setuid(void)
{
	bound(CAP_SETUID, CAP_SETGID);
	priv_drop(SOMEBODY, SOMEBODY, false);
	check_user(SOMEBODY);
	check_caps(false);
}

/* Ubuntu's rsyslogd: user syslog. */
static void
other_user(void)
{
	become_other(false);
	priv_drop(SOMEBODY, SOMEBODY, false);
	check_user(OTHER);
	check_caps(false);
}

/* systemd with User= and AmbientCapabilities=. */
static void
other_user_with_ambient(void)
{
	become_other(true);
	priv_drop(SOMEBODY, SOMEBODY, true);
	check_user(OTHER);
	check_caps(true);
	check(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_NET_ADMIN, 0,
		      0) == 0,
		"ambient");
}

static void
other_user_drops_ambient(void)
{
	become_other(true);
	priv_drop(SOMEBODY, SOMEBODY, false);
	check_user(OTHER);
	check_caps(false);
}

/* A set-uid program that has put root aside could take it back. */
static void
root_put_aside(void)
{
	check(setresgid(OTHER, OTHER, 0) == 0, "setresgid");
	check(setresuid(OTHER, OTHER, 0) == 0, "setresuid");
	priv_drop(SOMEBODY, SOMEBODY, false);
	check_user(SOMEBODY);
	check_caps(false);
}

static void
bounded_root_put_aside(void)
{
	bound(CAP_DAC_OVERRIDE, CAP_SETUID);
	check(setresuid(OTHER, OTHER, 0) == 0, "setresuid");
	bound(CAP_DAC_OVERRIDE, CAP_DAC_OVERRIDE);
	priv_drop(SOMEBODY, SOMEBODY, false);
}

static const struct {
	const char *name;
	void (*run)(void);
	int want;
} cases[] = {
	{"root drops all", root_drops_all, FINE},
	{"root keeps CAP_NET_ADMIN", root_keeps_net_admin, FINE},
	{"root drops twice", root_drops_twice, FINE},
	{"root to root", root_to_root, FATAL},
	{"root to group root", root_to_group_root, FATAL},
	{"bounded root", bounded_root, FINE},
	{"bounded root with CAP_NET_ADMIN", bounded_root_with_net_admin, FINE},
	{"bounded root with CAP_SETUID", bounded_root_with_setuid, FINE},
	{"other user", other_user, FINE},
	{"other user with ambient", other_user_with_ambient, FINE},
	{"other user drops ambient", other_user_drops_ambient, FINE},
	{"root put aside", root_put_aside, FINE},
	{"bounded root put aside", bounded_root_put_aside, FATAL},
};

static void
test_from_root(void **state)
{
	(void)state;
	require_root();
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		print_message("%s\n", cases[i].name);
		assert_int_equal(run(cases[i].run), cases[i].want);
	}
}

static void
as_i_am(void)
{
	uid_t uid = getuid();

	priv_drop(SOMEBODY, SOMEBODY, false);
	check(getuid() == uid, "uid");
	check_caps(false);
}

static void
test_ordinary_user(void **state)
{
	(void)state;
	if (geteuid() == 0)
		skip();
	assert_int_equal(run(as_i_am), FINE);
}

static void
test_lookup(void **state)
{
	uid_t uid = 77;
	gid_t gid = 77;

	(void)state;
	assert_int_equal(priv_lookup("no-such-user-here", &uid, &gid), -ENOENT);
	assert_int_equal(uid, 77);
	assert_int_equal(priv_lookup("root", &uid, &gid), 0);
	assert_int_equal(uid, 0);
	assert_int_equal(gid, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_from_root),
		cmocka_unit_test(test_ordinary_user),
		cmocka_unit_test(test_lookup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
