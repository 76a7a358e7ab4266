#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# powercut.sh [CUTS]: powercut.py in namespaces of its own.

here=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=tests/e2e/lib.sh
. "$here/../e2e/lib.sh"
need python3
command -v gcc >/dev/null || skip_all "no gcc to build what is preloaded"

cuts=${1:-60}
prepare_mailban <<END
[mailban]
mode = observe
[auth-failure]
maxretry = 5
bantime = 1d
END
gcc -std=gnu11 -D_GNU_SOURCE -O2 -shared -fPIC -o $E2E/powercut.so \
	"$srcdir/tests/crash/powercut.c" -ldl || skip_all "powercut.c"
mkdir $E2E/work
chmod 777 $E2E/work
# cut NUMBER [OPTIONS]
cut() {
	local number=$1
	shift
	rm -rf ${state:?}/* ${E2E:?}/work/*
	python3 "$srcdir/tests/crash/powercut.py" --cuts "$number" \
		--folder $state --work $E2E/work --preload $E2E/powercut.so \
		"$@" -- $ommailban --config $E2E/mailban.conf \
		--rules $E2E/rules --control $E2E/work/control \
		--helper $mailban_nft >$E2E/powercut.txt 2>&1
}

check_not "a disk that does not sync is found out" cut 5 --lies --seconds 3
sed -n 's/^/# /; /cuts=/p' $E2E/powercut.txt
cut "$cuts" ${POWERCUT_OPTIONS:-}
status=$?
sed 's/^/# /' $E2E/powercut.txt
check "what COMMIT answered OK for survives $cuts power cuts" test $status = 0
[ -z "${E2E_KEEP:-}" ] || cp -a $E2E/work $state "$E2E_KEEP"
finish
