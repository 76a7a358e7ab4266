#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What rsyslogd could send but can't be made to in a test: the talk on the pipe
# itself, line by line. conversation.py plays omprog.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need python3 nft

prepare_mailban <<END
[auth-failure]
maxretry = 5
findtime = 1d
bantime = 1h
END
export ommailban mailban_nft state control
python3 "$srcdir/tests/e2e/conversation.py" 2>$E2E/conversation.out
status=$?
[ $status = 0 ] || sed 's/^/# /' $E2E/conversation.out
exit $status
