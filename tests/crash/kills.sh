#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# kills.sh [KILLS [INPUT]]: kills.py in namespaces of its own: so many kills of
# each process, and what comes in by "relp", with rsyslogd's main queue on disk,
# or "unix", with it in memory as it is by default.

here=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=tests/e2e/lib.sh
. "$here/../e2e/lib.sh"
need rsyslogd nft python3

kills=${1:-20} input=${2:-relp}
prepare_mailban <<END
[auth-failure]
maxretry = 5
bantime = 1d
END
if [ "$input" = relp ]; then
	[ -n "$(find /usr/lib* -name imrelp.so -print -quit)" ] ||
		skip_all "no imrelp here (package rsyslog-relp)"
	cat >$E2E/rsyslog.conf <<-'END'
		main_queue(queue.type="Disk" queue.filename="main"
			queue.checkpointInterval="1"
			queue.workerThreads="1")
		module(load="imrelp")
		input(type="imrelp" address="127.0.0.1" port="2514")
	END
fi
rsyslog_conf >>$E2E/rsyslog.conf
start_mailban || skip_all "rsyslogd does not start"
wait_for 10 mailban_ready
python3 "$srcdir/tests/crash/kills.py" --kills "$kills" --input "$input" \
	--ommailban $ommailban --nft $mailban_nft --conf $E2E/rsyslog.conf \
	--pidfile $E2E/rsyslog.pid --state $state --spool /var/spool/rsyslog \
	--log $E2E/rsyslogd.out ${KILLS_OPTIONS:-} >$E2E/kills.txt 2>&1
status=$?
sed 's/^/# /' $E2E/kills.txt
check "exactly once through $kills kills of each ($input)" test $status = 0
check_equal "no segment of the journal went while it was written" 0 \
	"$(grep -c 'segment=.* deleted' /var/log/ommailban.log)"
finish # and with the namespace everything ends
