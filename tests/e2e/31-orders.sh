#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# ommailban behind a real rsyslogd, in every order of events: whatever is ended,
# killed, stopped or refused, each failure counts once and none is lost. It is
# told by the ban, which must come with the 1,000th failure, neither before
# (something counted twice) nor after it (something was lost).

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need rsyslogd logger nft python3

maxretry=1000
prepare_mailban <<END
[auth-failure]
maxretry = $maxretry
findtime = 1d
bantime = 1h
# For what_is_logged_is_judged.
[protocol-abuse]
maxretry = 1
END

round=0
client=

# Each case has a client of its own; its failures are numbered.
next_client() {
	round=$((round + 1))
	client=192.0.2.$((100 + round))
	mark=0
}

fail_from_to() { failures $client "$1" "$2"; }

logged() {
	grep -F "unknown[$client]: SASL" /var/log/mail.log |
		grep -oE 'n=[0-9]+,' | sort -u | wc -l
}
logged_is() { [ "$(logged)" = "$1" ]; }

# The queue keeps the order: once a later offence has brought its ban,
# everything before it was judged. The one that marks is banned at once.
what_is_logged_is_judged() {
	mark=$((mark + 1))
	log_mail "warning: non-SMTP command from unknown[198.18.$round.$mark]: GET / HTTP/1.1"
	wait_for "${1:-20}" listed 198.18.$round.$mark
}

# Nothing of this client has come into mail.log for a second.
settled() {
	local before after=-1
	while before=$after; after=$(logged); [ "$before" != "$after" ]; do
		sleep 1
	done
}

# counts_once NAME: what was logged so far, filled up to one less than
# maxretry, is no ban; one more is.
counts_once() {
	local have
	settled
	have=$(logged)
	[ "$have" -ge $((maxretry - 1)) ] ||
		fail_from_to 5001 $((5000 + maxretry - 1 - have))
	check "$1: everything is judged" what_is_logged_is_judged 40
	check "$1: nothing counted twice ($have before)" not_banned $client
	fail_from_to 9999 9999
	check_soon "$1: nothing was lost" 20 banned $client
}

# In the background, so that things can happen meanwhile.
start_failing() {
	fail_slowly &
	failing=$!
}

fail_slowly() {
	local i
	for ((i = 0; i < 900; i += 20)); do
		fail_from_to $((i + 1)) $((i + 20))
		sleep 0.03
	done
}

some_logged() { [ "$(logged)" -ge "$1" ]; }

# The eldest: the starter of mailban-nft is ommailban's too.
plugin_pid() { pids_of $ommailban | sort -n | head -n 1; }
new_plugin() { [ -n "$(plugin_pid)" ] && [ "$(plugin_pid)" != "$1" ]; }

# ---- Plain ----

start_mailban || skip_all "rsyslogd does not start"
check_soon "the start message starts ommailban" 15 mailban_ready
[ "$tests_failed" = 0 ] || finish
next_client
fail_from_to 1 900
counts_once "undisturbed"

# A second one on the same state.
first=$(plugin_pid)
second=$($ommailban --config $E2E/mailban.conf --rules $E2E/rules \
	--state $state --control $E2E/second --helper $mailban_nft \
	</dev/null 2>&1)
check_equal "a second ommailban on the same state refuses" 1 $?
check "and names the first's process id" grep -qw "$first" <<<"$second"
check "the first goes on" mailban_ready

# ---- ommailban and mailban-nft end ----

# disturb NAME TIMES COMMAND...: while failures come in.
disturb() {
	local name=$1 times=$2 i
	shift 2
	next_client
	start_failing
	for ((i = 1; i <= times; i++)); do
		wait_for 10 some_logged $((i * 200))
		"$@"
	done
	wait $failing
	counts_once "$name"
}

end_plugin() {
	local old
	old=$(plugin_pid)
	kill -"$1" "$old"
	wait_for 10 new_plugin "$old"
}

disturb "ommailban gets TERM" 3 end_plugin TERM
disturb "ommailban is killed" 3 end_plugin KILL

end_helper() {
	# shellcheck disable=SC2046 # a list
	kill -KILL $(pids_of $mailban_nft)
}

disturb "mailban-nft is killed" 3 end_helper
wait_for 10 test -n "$(pids_of $mailban_nft)"
check "mailban list and the kernel agree after that" list_agrees

# ---- HUP ----

before=$(plugin_pid)
disturb "rsyslogd gets HUP" 3 kill -HUP $rsyslog_pid
check_equal "ommailban lives on through HUP" "$before" "$(plugin_pid)"
sed -i 's/^maxretry = 1000/maxretry = 900/' $E2E/mailban.conf
next_client
kill -HUP $rsyslog_pid
what_is_logged_is_judged
fail_from_to 1 900
check_soon "HUP reloads the configuration" 10 banned $client
sed -i 's/^maxretry = 900/maxretry = nonsense/' $E2E/mailban.conf
kill -HUP $rsyslog_pid
check_soon "a bad one is refused" 10 \
	grep -qE 'nonsense' /var/log/ommailban.log
next_client
fail_from_to 1 899
what_is_logged_is_judged
check "and the old settings stay" not_banned $client
fail_from_to 900 900
check_soon "to the number" 10 banned $client
sed -i 's/^maxretry = nonsense/maxretry = 1000/' $E2E/mailban.conf
kill -HUP $rsyslog_pid
what_is_logged_is_judged

# ---- ommailban is silent ----

pause_plugin() { kill -STOP "$(plugin_pid)"; }

before=$(plugin_pid)
disturb "ommailban stands still until rsyslogd kills it" 1 pause_plugin
check_not "that one is gone" kill -0 $before

# ---- rsyslogd ends ----

restart_rsyslog() {
	stop_rsyslog
	start_mailban
}
disturb "rsyslogd is restarted" 2 restart_rsyslog
check "bans are in force after a restart" banned 192.0.2.101
check "mailban list and the kernel agree after it" list_agrees

# Killed, rsyslogd may have handed on what mail.log does not show yet. So the
# ledger is asked: everything logged is there, and nothing twice.
next_client
start_failing
for i in 1 2 3; do
	wait_for 10 some_logged $((i * 150))
	kill_rsyslog
	start_mailban
done
wait $failing
fail_from_to 5001 5050
check "rsyslogd is killed: everything is judged" what_is_logged_is_judged 40
settled
logged >$E2E/logged
in_ledger() {
	python3 - $state $client "$(cat $E2E/logged)" <<-'END'
		import re, sqlite3, sys
		state, client, logged = sys.argv[1:]
		db = sqlite3.connect("file:%s/ledger.sqlite?mode=ro" % state, uri=True)
		found = [re.search(r"n=(\d+),", row[0]).group(1) for row in
		         db.execute("SELECT msg FROM offence WHERE client=?", (client,))]
		print(len(found), len(set(found)), logged)
		sys.exit(len(found) != len(set(found)) or len(found) < int(logged))
	END
}
check_soon "rsyslogd is killed: the ledger has each failure once" 15 in_ledger

# ---- The disk ----

next_client
mount -t tmpfs -o mode=755,size=3m tmpfs $E2E/bin || :
umount $E2E/bin
fill_disk() { dd if=/dev/zero of=$state/filler bs=64k 2>/dev/null; }
disk_is_full() {
	stop_rsyslog
	cp -a $state $E2E/state-copy
	umount $state
	mount -t tmpfs -o mode=755,size=24m tmpfs $state
	cp -a $E2E/state-copy/. $state
	start_mailban
	wait_for 15 mailban_ready
	fill_disk
}
disk_is_full
fail_from_to 1 900
check "disk full: mail.log is not held up" wait_for 10 logged_is 900
check "disk full: ommailban waits, it does not die" \
	stays 12 kill -0 "$(plugin_pid)"
rm -f $state/filler
counts_once "disk full, then not"

# ---- A COMMIT that is refused ----

if command -v gcc >/dev/null; then
	cat >$E2E/shim.c <<-END
		#include <errno.h>
		#include <unistd.h>
		int fdatasync(int fd);
		int fdatasync(int fd)
		{
			(void)fd;
			if (access("$E2E/refuse", F_OK) == 0) {
				errno = EIO;
				return -1;
			}
			return 0;
		}
	END
	gcc -shared -fPIC -o $E2E/shim.so $E2E/shim.c
	stop_rsyslog
	start_rsyslog /usr/bin/env LD_PRELOAD=$E2E/shim.so $ommailban \
		--config $E2E/mailban.conf --rules $E2E/rules --state $state \
		--control $control --helper $mailban_nft
	wait_for 15 mailban_ready
	next_client
	fail_from_to 1 100
	wait_for 10 logged_is 100
	: >$E2E/refuse
	fail_from_to 101 500
	refused() {
		mailban status --json | grep -qE '"commits_refused": ?[1-9]'
	}
	check_soon "a COMMIT is refused while the disk fails" 15 refused
	fail_from_to 501 900
	rm -f $E2E/refuse
	counts_once "COMMIT refused and repeated"
	stop_rsyslog
	start_mailban
	wait_for 15 mailban_ready
else
	skip "COMMIT refused and repeated" "no gcc"
fi

# ---- Two workers ----

# What the shipped include avoids, but an administrator may set up: a queue in
# memory that spills to disk has two workers, and with a single instance their
# transactions run into each other.
stop_rsyslog
edit_include='s/queue.type="Disk"/queue.type="LinkedList" queue.highWatermark="60" queue.lowWatermark="20"/
s/queue.size="500000"/queue.size="100"/
s/queue.dequeueBatchSize="1024"/queue.dequeueBatchSize="8"/
s/forceSingleInstance="off"/forceSingleInstance="on"/
s/queue.timeoutEnqueue="0"/queue.timeoutEnqueue="5000"/'
next_client
start_mailban
fail_from_to 1 900
wait_for 20 logged_is 900
# The order is not kept here: wait for the count itself.
check_soon "two workers: the ledger has each failure once" 20 \
	eval "logged >$E2E/logged; in_ledger"
counts_once "two workers"
stop_rsyslog
edit_include=

# ---- Repeats that rsyslogd folds ----

{
	echo '$RepeatedMsgReduction on'
	rsyslog_conf
} >$E2E/rsyslog.conf
start_mailban
wait_for 15 mailban_ready
same() {
	local text="warning: unknown[$client]: SASL LOGIN authentication failed: same"
	yes "$text" | head -n "$1" | logger -p mail.info -t 'postfix/smtpd[78]'
	log_mail "statistics: ends the run of repeats"
}
next_client
same $((maxretry - 1))
check "repeats were folded" wait_for 10 grep -q 'message repeated' /var/log/mail.log
what_is_logged_is_judged
check "folded: $((maxretry - 1)) are no ban" not_banned $client
same 1
check_soon "folded: $maxretry are" 10 banned $client
stop_rsyslog
rm -f $E2E/rsyslog.conf

# ---- A slow start: mailban-nft is a service that comes late ----

late=/run/mailban-nft.socket
start_late() {
	start_rsyslog $ommailban --config $E2E/mailban.conf \
		--rules $E2E/rules --state $state --control $control \
		--helper $late
}
: >/var/log/syslog
$mailban_nft --listen $late >$E2E/helper.out 2>&1 &
helper_pid=$!
wait_for 10 test -S $late
kill -STOP $helper_pid
start_late
check_soon "slow start: ommailban is there" 10 new_plugin ""
before=$(plugin_pid)
next_client
fail_from_to 1 900
check "slow start: it keeps rsyslogd waiting beyond its 10 s" \
	stays 15 test "$before" = "$(plugin_pid)"
check_not "slow start: rsyslogd does not complain" \
	grep -q 'did not respond' /var/log/syslog
kill -CONT $helper_pid
counts_once "slow start"
check_equal "slow start: it is the same process still" "$before" "$(plugin_pid)"
stop_rsyslog
check "the service outlives ommailban, and so do the bans" \
	in_kernel $client
kill $helper_pid
finish
