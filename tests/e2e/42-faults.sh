#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Real faults under a running ommailban: a disk that is full or fails, a ledger
# that is deleted, replaced, corrupt or held by another process, a kernel that
# refuses. After each, without a hand: all that was logged is in the ledger
# once, and what is banned is in the kernel.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need rsyslogd logger nft python3 mkfs.ext4 prlimit

maxretry=50
prepare_mailban <<END
[auth-failure]
maxretry = $maxretry
bantime = 1h
[protocol-abuse]
maxretry = 1
bantime = 1h
END

round=0
next_client() {
	round=$((round + 1))
	client=20.0.$round.7
}
fail_from_to() { failures $client "$1" "$2"; }

# has_each COUNT: the ledger has so many offences of this client, none twice.
has_each() {
	python3 - $state $client "$1" <<-'END'
		import re, sqlite3, sys
		state, client, want = sys.argv[1:]
		db = sqlite3.connect("file:%s/ledger.sqlite?mode=ro" % state, uri=True)
		found = [re.search(r"n=(\d+),", row[0]).group(1) for row in
		         db.execute("SELECT msg FROM offence WHERE client=?", (client,))]
		print(len(found), len(set(found)), "of", want)
		sys.exit(not len(found) == len(set(found)) == int(want))
	END
}

# counts_on NAME: 40 have been logged; ten more are a ban, and nine are none.
counts_on() {
	check_soon "$1: the ledger has each failure once" 20 has_each 40
	fail_from_to 41 49
	check_soon "$1: and the next ones" 10 has_each 49
	check "$1: one less than maxretry is no ban" not_banned $client
	fail_from_to 50 50
	check_soon "$1: maxretry is one" 10 banned $client
	check "$1: bans from before are in force" banned 20.0.1.7
	check_soon "$1: mailban list and the kernel agree" 5 list_agrees
}

said() { grep -qE "$1" /var/log/ommailban.log; }
plugin_pid() { pids_of $ommailban | sort -n | head -n 1; }
no_plugin() { [ -z "$(plugin_pid)" ]; }
new_plugin() { [ -n "$(plugin_pid)" ] && [ "$(plugin_pid)" != "$1" ]; }
answers() { log_mail "connect from mail.example.net[198.51.100.7]"; wait_for 15 mailban_ready; }

start_mailban || skip_all "rsyslogd does not start"
wait_for 10 mailban_ready
next_client
fail_from_to 1 40
counts_on "no fault"

# ---- The ledger deleted, replaced ----

next_client
fail_from_to 1 20
has_soon() { wait_for 10 has_each "$1"; }
has_soon 20
rm -f $state/ledger.sqlite $state/ledger.sqlite-wal $state/ledger.sqlite-shm
fail_from_to 21 40
counts_on "ledger deleted"
check_soon "ledger deleted: it is said" 5 said 'ledger deleted'
check_equal "ledger deleted: no offence of before is lost" 50 "$(
	client=20.0.1.7
	has_each 50 | cut -d' ' -f1
)"

next_client
fail_from_to 1 20
has_soon 20
cp $state/ledger.sqlite $E2E/other
printf 'this is no ledger, but it is longer than a page %4096s' x >$state/new
mv $state/new $state/ledger.sqlite
fail_from_to 21 40
counts_on "ledger replaced"
check "ledger replaced: what was put there is kept aside" eval \
	"ls $state/ledger.sqlite.replaced-* >/dev/null"

next_client
fail_from_to 1 20
has_soon 20
rm -f $state/journal.*
fail_from_to 21 40
rm -f $state/journal.*
counts_on "journal deleted"

# ---- SQLite busy ----

next_client
fail_from_to 1 10
has_soon 10
python3 - $state/ledger.sqlite <<-'END' &
	import sqlite3, sys, time
	db = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=10)
	db.execute("BEGIN EXCLUSIVE")
	time.sleep(8)
END
holder=$!
sleep 0.5
fail_from_to 11 40
log_mail "warning: unknown[20.9.9.9]: SASL LOGIN authentication failed: n=1,"
check "ledger held by another: ommailban answers" mailban_ready
fail_from_to 41 49
fail_from_to 50 50
check_soon "ledger held by another: bans come all the same" 3 banned $client
check "ledger held by another: it is held still" kill -0 $holder
check_soon "ledger held by another: afterwards each is there once" 30 has_each 50
wait $holder

# At start, by something that never lets go for a while.
python3 - $state/ledger.sqlite <<-'END' &
	import sqlite3, sys, time
	db = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=10)
	db.execute("BEGIN EXCLUSIVE")
	time.sleep(12)
END
holder=$!
next_client
sleep 0.5
kill -KILL "$(plugin_pid)"
fail_from_to 1 40
counts_on "ledger held by another at start"
wait $holder

# ---- Corrupt at start ----

next_client
fail_from_to 1 40
has_soon 40
stop_rsyslog
nft_list | grep '^ban' | sort >$E2E/bans-before
python3 - $state/ledger.sqlite <<-'END'
	import sys
	with open(sys.argv[1], "r+b") as f:
	    size = f.seek(0, 2)
	    for page in range(1, size // 4096):
	        f.seek(page * 4096)
	        f.write(b"\xa5" * 4096)
END
start_mailban
check_soon "ledger corrupt at start: ommailban runs" 15 mailban_ready
check "ledger corrupt at start: it is said" said 'ledger corrupt'
check "ledger corrupt at start: it is moved aside" eval \
	"ls $state/ledger.sqlite.corrupt-* >/dev/null"
nft_list | grep '^ban' | sort >$E2E/bans-after
check "ledger corrupt at start: the bans in the kernel stay" \
	diff $E2E/bans-before $E2E/bans-after
check_soon "ledger corrupt at start: and are in the list" 5 list_agrees
kill -KILL "$(plugin_pid)"
answers
check_soon "ledger corrupt at start: and are in the new ledger" 10 list_agrees
check "with that ban" banned 20.0.1.7

# ---- No memory for libnftables, which then ends its process ----

# Limits of a process are its user's to set, even where root may not.
# A new process, for an old one may have freed enough to go on with.
old=$(pids_of $mailban_nft)
kill -KILL $old
replaced() {
	helper=$(pids_of $mailban_nft)
	[ -n "$helper" ] && [ "$helper" != "$old" ] && list_agrees
}
wait_for 15 replaced
size=$(awk '/^VmSize/ { print $2 * 1024 }' /proc/$helper/status)
setpriv --reuid mailban-nft --regid mailban-nft --clear-groups \
	prlimit --pid "$helper" --as=$size
next_client
fail_from_to 1 40
# Held for a moment, so that it takes many at once: one by one they fit into
# what it has.
kill -STOP $helper
for ((i = 0; i < 12; i++)); do
	seq -f "warning: non-SMTP command from unknown[25.0.$i.%.0f]: GET /" 1 250
done | logger -p mail.info -t 'postfix/smtpd[77]'
waiting() { [ "$(mailban list --json | grep -c '"25\.0\.')" -ge 500 ]; }
wait_for 4 waiting
kill -CONT $helper 2>/dev/null
bursts() { [ "$(nft_list | grep -cE '^ban4 25\.0\.')" = 3000 ]; }
check_soon "no memory for libnftables: 3,000 new bans are in force" 20 bursts
check_not "no memory for libnftables: that process has ended" kill -0 $helper
counts_on "no memory for libnftables"

# ---- A bad one among many ----

stop_rsyslog
python3 - $state/ledger.sqlite <<-'END'
	import socket, sqlite3, struct, sys, time
	db = sqlite3.connect(sys.argv[1])
	now = int(time.time() * 1e6)
	seq = db.execute("SELECT max(last_seq) FROM meta").fetchone()[0]
	columns = [row[1] for row in db.execute("PRAGMA table_info(ban)")]
	def ban(network, prefix, ends, key=None):
	    global seq
	    seq += 1
	    address = socket.inet_aton(network)
	    row = dict(seq=seq, network="%s/%d" % (network, prefix),
	               network_key=key or b"\x04" + address + bytes([prefix]),
	               begins_us=now, ends_us=ends, count=1, level=0,
	               origin="operator")
	    row["class"] = "none"
	    names = ", ".join('"%s"' % name for name in row)
	    db.execute("INSERT INTO ban (%s) VALUES (%s)" % (
	        names, ", ".join("?" * len(row))), tuple(row.values()))
	for i in range(10000):
	    ban("21.0.%d.%d" % (i // 200, i % 200 + 1), 32, now + 3600 * 10**6)
	ban("192.0.2.1", 32, now + 3600 * 10**6)   # our own
	ban("127.0.0.1", 32, now + 3600 * 10**6)
	ban("0.0.0.0", 0, now + 3600 * 10**6)      # all
	ban("22.0.0.1", 32, 2**62)                 # ends after the sun does
	ban("22.0.0.2", 32, now + 3600 * 10**6, key=b"nonsense")
	for i in range(10000):
	    ban("23.0.%d.%d" % (i // 200, i % 200 + 1), 32, now + 3600 * 10**6)
	db.execute("UPDATE meta SET last_seq = ?", (seq,))
	db.commit()
END
start_mailban
wait_for 15 mailban_ready
many() { [ "$(nft_list | grep -cE '^ban4 2[13]\.0\.')" = 20000 ]; }
check_soon "bad bans among many: the others are in force" 10 many
check "bad bans among many: nobody has banned everybody" \
	test -z "$(nft_list | grep -E '^(ban|net)[^ ]* (0\.|127\.|192\.0\.2\.1$)')"
check "bad bans among many: with an end that is too far" in_kernel 22.0.0.1
check "bad bans among many: the kernel is up to date" eval \
	"mailban status --json | grep -qE '\"kernel\":\"up\"'"

# ---- The kernel's messages overrun ----

helper=$(pids_of $mailban_nft)
kill -STOP $helper
nft flush ruleset
{
	echo "add table inet other"
	echo "add set inet other many { type ipv4_addr; }"
	for ((i = 0; i < 60; i++)); do
		printf 'add element inet other many { '
		seq -s ', ' -f "30.0.$i.%.0f" 1 250 | tr -d '\n'
		echo ' }'
	done
} >$E2E/many.nft
for i in 1 2 3; do
	nft -f $E2E/many.nft
	nft delete table inet other
done
kill -CONT $helper
check_soon "notifications overrun: all is back" 3 many
check_equal "notifications overrun: by the same mailban-nft" "$helper" \
	"$(pids_of $mailban_nft)"

# ---- A disk that fails, a disk that is full ----

mknod /dev/loop-control c 10 237 2>/dev/null
for i in 0 1 2 3 4 5 6 7; do
	mknod /dev/loop$i b 7 $i 2>/dev/null
done

# on_disk: the state on a small ext4 of its own.
on_disk() {
	stop_rsyslog
	rm -f $state/ledger.sqlite.*
	cp -a $state $E2E/state-copy
	umount $state
	dd if=/dev/zero of=$E2E/disk bs=1M count=40 2>/dev/null
	mkfs.ext4 -q -m 0 $E2E/disk >/dev/null 2>&1
	mount -o loop,errors=remount-ro $E2E/disk $state || return
	cp -a $E2E/state-copy/. $state
	sync -f $state
	rm -rf $E2E/state-copy
	start_mailban
	wait_for 15 mailban_ready
}

if on_disk; then
	next_client
	fail_from_to 1 20
	has_soon 20
	old=$(plugin_pid)
	mount -o remount,abort $state 2>/dev/null
	fail_from_to 21 40
	check_soon "disk becomes read-only: it is said" 15 \
		said 'Read-only|Input/output'
	check "disk becomes read-only: mail.log is not held up" wait_for 10 \
		grep -qF "unknown[$client]: SASL LOGIN authentication failed: n=40," \
		/var/log/mail.log
	check "disk becomes read-only: mailban status says so" eval \
		"mailban status | grep -q 'trouble *journal'"
	check "disk becomes read-only: it waits, it does not die" \
		stays 12 kill -0 "$old"
	# Beyond the 10 s after which rsyslogd takes the silent for dead.
	# Killed, rsyslogd loses nothing; stopped at this moment, it would lose
	# what it has in hand: see doc/durability.md.
	kill_rsyslog
	check_soon "disk becomes read-only: ommailban leaves with rsyslogd" 3 \
		no_plugin
	check "disk becomes read-only: bans stay" in_kernel 20.0.1.7
	umount $state
	fsck.ext4 -fy $E2E/disk >$E2E/fsck.out 2>&1
	mount -o loop,errors=remount-ro $E2E/disk $state
	start_mailban
	wait_for 15 mailban_ready
	counts_on "disk became read-only, was repaired"

	next_client
	fail_from_to 1 10
	has_soon 10
	dd if=/dev/zero of=$state/filler bs=4k 2>/dev/null
	fail_from_to 11 25
	old=$(plugin_pid)
	kill -KILL "$old"
	check_soon "disk full, killed: it comes back" 15 new_plugin "$old"
	fail_from_to 26 40
	check "disk full, killed: mail.log is not held up" wait_for 10 \
		grep -qF "unknown[$client]: SASL LOGIN authentication failed: n=40," \
		/var/log/mail.log
	check "disk full, killed: bans stay" in_kernel 20.0.1.7
	sleep 2
	rm -f $state/filler
	counts_on "disk full, killed, then not full"
else
	skip "disk that fails" "no loop device here"
fi
stop_rsyslog
umount $state 2>/dev/null
finish
