#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Messages with wrong times, and a system clock that is set while ommailban
# runs: tests/crash/clock.py, with the real kernel. The clock is one of
# ommailban's own, by a preloaded library: the machine's is not touched.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need nft python3
command -v gcc >/dev/null || skip_all "no gcc to build what is preloaded"

prepare_mailban <<END
[auth-failure]
maxretry = 5
findtime = 1d
bantime = 1h
[protocol-abuse]
maxretry = 5
findtime = 10m
bantime = 1h
END
cat >$E2E/clock.c <<-END
	#include <dlfcn.h>
	#include <stdio.h>
	#include <stdlib.h>
	#include <time.h>
	static long
	offset(void)
	{
		FILE *file = fopen("$E2E/clock", "re");
		char text[32] = "0";

		if (file) {
			(void)!fgets(text, sizeof(text), file);
			fclose(file);
		}
		return strtol(text, NULL, 10);
	}
	int
	clock_gettime(clockid_t id, struct timespec *ts)
	{
		static int (*real)(clockid_t, struct timespec *);
		int rc;

		if (!real)
			*(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
		rc = real(id, ts);
		if (id == CLOCK_REALTIME)
			ts->tv_sec += offset();
		return rc;
	}
	time_t
	time(time_t *out)
	{
		struct timespec ts;

		(void)clock_gettime(CLOCK_REALTIME, &ts);
		if (out)
			*out = ts.tv_sec;
		return ts.tv_sec;
	}
END
gcc -D_GNU_SOURCE -O2 -shared -fPIC -o $E2E/clock.so $E2E/clock.c -ldl ||
	skip_all "clock.c"
CLOCK_PRELOAD=$E2E/clock.so python3 "$srcdir/tests/crash/clock.py" $E2E/clock \
	$state $ommailban --config $E2E/mailban.conf --rules $E2E/rules \
	--state $state --control $control --helper $mailban_nft 2>&1 |
	tee $E2E/clock.txt
tests_run=$(grep -cE '^(not )?ok' $E2E/clock.txt)
tests_failed=$(grep -c '^not ok' $E2E/clock.txt)
check "clock.py came to its end" grep -q 'in the ledger once' $E2E/clock.txt
finish
