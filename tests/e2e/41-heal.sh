#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What other programs do to our table is undone within a second, with remaining
# times, whatever it was; and what is not the operator's wish lifts no ban: a
# crash, a stop, a restart. `mailban off` does, and `mailban on` puts back.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need rsyslogd nft python3

prepare_mailban <<END
[mailban]
ignoreip = 198.51.100.0/24
[auth-failure]
maxretry = 3
bantime = 10m
END
start_mailban || skip_all "rsyslogd does not start"
wait_for 10 mailban_ready

# within SECONDS COMMAND...: to a few hundredths.
within() {
	local end=$((${EPOCHREALTIME/./} + $1 * 1000000))
	shift
	until "$@"; do
		[ "${EPOCHREALTIME/./}" -lt $end ] || return 1
		sleep 0.02
	done
}

# All there is in our table: chains, rules, sets, and elements without their
# counters, each with the moment it ends.
table() {
	{ nft -j list table inet mailban 2>/dev/null || echo '{}'; } |
		python3 -c '
import json, sys, time
def end(e):
    return "for ever" if "expires" not in e else time.time() + e["expires"]
for item in json.load(sys.stdin).get("nftables", []):
    for kind, it in item.items():
        if kind == "metainfo":
            continue
        elements = it.pop("elem", [])
        it.pop("handle", None)
        print(kind, json.dumps(it, sort_keys=True), sep="\t")
        for e in elements:
            e = e.get("elem", e) if isinstance(e, dict) else {"val": e}
            print("elem", it["name"], json.dumps(e.get("val", e)), end(e),
                  sep="\t")' | sort
}

# as_before: the same, and no element ends more than 3 s earlier or later.
as_before() {
	table >$E2E/now
	python3 - $E2E/before $E2E/now <<-'END'
		import sys
		def read(path):
		    found = {}
		    for line in open(path):
		        parts = line.rstrip("\n").split("\t")
		        key = tuple(parts[:3])
		        found[key] = parts[3] if len(parts) > 3 else None
		    return found
		before, now = read(sys.argv[1]), read(sys.argv[2])
		def near(a, b):
		    if a == b: return True
		    try: return abs(float(a) - float(b)) < 3
		    except (TypeError, ValueError): return False
		sys.exit(not (before.keys() == now.keys() and
		              all(near(before[k], now[k]) for k in now)))
	END
}

gone() { [ -z "$(nft_list | grep '^ban')" ]; }

for i in 1 2 3 4 5; do
	failures 203.0.113.1$i 1 3
	failures 2001:db8:a:$i::9 1 3
done
mailban ban 192.88.99.7 --for 1h >/dev/null
mailban ban 192.175.48.0/24 --for 2h >/dev/null
mailban ban 2001:db8:c::/48 --for 1h >/dev/null
wait_for 10 banned 203.0.113.15
wait_for 10 banned 2001:db8:a:5::/64
check "13 bans are in force" test "$(nft_list | grep -cE '^(ban|net)')" = 13
table >$E2E/before
check "the test's own comparison" as_before

# ---- Damage by others ----

{
	echo "flush ruleset"
	echo "add table inet filter"
	echo "add chain inet filter input { type filter hook input priority 0; }"
} >$E2E/reload

rule_handle() {
	nft -a list chain inet mailban "$1" |
		sed -n 's/.*# handle \([0-9]*\)$/\1/p' | tail -n 1
}
first_chain() { nft list chains inet | sed -n '/table inet mailban/,/^}/s/.*chain \([^ ]*\) .*/\1/p' | head -n 1; }

# damaged NAME COMMAND...
damaged() {
	local name=$1
	shift
	sleep 1.2 # not part of the mending before
	"$@" >$E2E/damage.out 2>&1 || not_ok "$name: done" "$(cat $E2E/damage.out)"
	check "$name: all is back within a second" within 1 as_before
}

chain=$(first_chain)
damaged "flush ruleset" nft flush ruleset
damaged "delete table" nft delete table inet mailban
damaged "flush table" nft flush table inet mailban
damaged "flush set" nft flush set inet mailban ban4
damaged "flush set, IPv6" nft flush set inet mailban ban6
damaged "flush set of networks" nft flush set inet mailban net4
damaged "flush set of the exempt" nft flush set inet mailban exempt4
damaged "an element deleted" nft delete element inet mailban ban4 '{ 203.0.113.13 }'
damaged "an element of IPv6" nft delete element inet mailban ban6 '{ 2001:db8:a:2:: }'
damaged "a network deleted" nft delete element inet mailban net4 '{ 192.175.48.0/24 }'
damaged "a rule deleted" nft delete rule inet mailban "$chain" handle "$(rule_handle "$chain")"
damaged "chain flushed" nft flush chain inet mailban "$chain"
damaged "a reload that begins with flush" nft -f $E2E/reload
check "others' tables are as they left them" nft list table inet filter
nft delete table inet filter
replaced() {
	nft delete element inet mailban ban4 '{ 203.0.113.11 }' \; \
		add element inet mailban ban4 '{ 203.0.113.11 timeout 5s }'
}
damaged "another end given to an element" replaced

# ---- A hundred reloads ----

mended() { grep -c ' mended ' /var/log/ommailban.log; }
before=$(mended)
helper=$(pids_of $mailban_nft)
reloads=0
while [ $reloads -lt 100 ]; do
	nft -f $E2E/reload
	reloads=$((reloads + 1))
done
check "100 reloads in a row: all is back within a second" within 1 as_before
times=$(($(mended) - before))
check "in few mendings ($times)" test $times -le 20
check_equal "by the same mailban-nft" "$helper" "$(pids_of $mailban_nft)"
nft delete table inet filter
sleep 1
size=$(wc -l </var/log/ommailban.log)
check "and then it is quiet" stays 3 eval \
	"[ \$(wc -l </var/log/ommailban.log) = $size ]"

# ---- Neither a crash nor a stop nor a restart lifts a ban ----

# held NAME: in the kernel all the while.
held() { check "$1: no ban is lifted" stays 2 as_before; }

plugin_pid() { pids_of $ommailban | sort -n | head -n 1; }

kill -KILL "$(plugin_pid)"
held "ommailban killed"
log_mail "connect from mail.example.net[198.51.100.7]"
check_soon "ommailban killed: it comes back" 10 mailban_ready
check "and changes nothing" as_before
kill -KILL "$(pids_of $mailban_nft)"
held "mailban-nft killed"
stop_rsyslog
no_process() { [ -z "$(pids_of $ommailban)$(pids_of $mailban_nft)" ]; }
check "rsyslogd stopped: no process of mailban is left" within 3 no_process
held "rsyslogd stopped"
start_mailban
check_soon "rsyslogd started: ommailban is there" 10 mailban_ready
held "rsyslogd started"
stop_rsyslog
nft add element inet mailban ban4 '{ 203.0.113.99 timeout 1h }'
nft delete element inet mailban ban4 '{ 203.0.113.14 }'
start_mailban
wait_for 10 mailban_ready
check "a start puts right what was changed meanwhile" within 1 as_before
stop_rsyslog
nft flush ruleset
start_mailban
wait_for 10 mailban_ready
check "as after a boot: all is put in force again" within 1 as_before
check "restoring is no event: no ban is logged again" test \
	"$(grep -c ' ban client=203.0.113.15 ' /var/log/ommailban.log)" = 1

# ---- Off and on ----

check "mailban off" mailban off
check "takes all out of the kernel" within 1 gone
check_not "with the table" nft list table inet mailban
check "and it stays away" stays 3 gone
check "mailban on" mailban on
check "puts it back, with remaining times" within 1 as_before
stop_rsyslog
finish
