#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# mailban-nft against the real kernel, in private mount and network namespaces:
# what it makes, what that does to real packets, and that it is made good when
# somebody else destroys it. Needs root and nftables; touches nothing outside
# its namespaces.
#
# MAILBAN_NFT, HELPER_CLIENT: the programs to test. builddir: where they are
# otherwise.

set -u
top=${builddir:-$(dirname "${BASH_SOURCE[0]}")/../..}
[ -n "${HELPER_CLIENT:-}" ] || [ -x "$top/tests/e2e/helper_client" ] ||
	make -s -C "$top" tests/e2e/helper_client
nft_helper=$(realpath "${MAILBAN_NFT:-$top/helper/mailban-nft}")
client=$(realpath "${HELPER_CLIENT:-$top/tests/e2e/helper_client}")

if [ -z "${KERNEL_TEST:-}" ]; then
	if [ "$(id -u)" != 0 ]; then
		echo "1..0 # SKIP needs root"
		exit 0
	fi
	export KERNEL_TEST=1 MAILBAN_NFT=$nft_helper HELPER_CLIENT=$client
	exec unshare --mount --net --pid --fork --kill-child --mount-proc \
		--propagation private -- bash "$0" "$@"
fi

export LC_ALL=C PATH=/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin
tmp=/run/kernel-test
mount -t tmpfs tmpfs /run
mkdir -p $tmp /run/netns
failed=0 count=0

# The users, in files of our own.
for file in passwd group; do
	cp /etc/$file $tmp/$file
	grep -q '^mailban:' $tmp/$file || case $file in
	passwd) echo 'mailban:x:64320:64320::/:/bin/false' ;;
	group) echo 'mailban:x:64320:' ;;
	esac >>$tmp/$file
	grep -q '^mailban-nft:' $tmp/$file || case $file in
	passwd) echo 'mailban-nft:x:64321:64321::/:/bin/false' ;;
	group) echo 'mailban-nft:x:64321:' ;;
	esac >>$tmp/$file
	mount --bind $tmp/$file /etc/$file
done

# ---- Saying and waiting ----

ok() {
	echo "ok $((++count)) - $1"
}

not_ok() {
	echo "not ok $((++count)) - $1"
	failed=1
}

# check WHAT COMMAND...: it must succeed.
check() {
	local what=$1
	shift
	if "$@"; then ok "$what"; else not_ok "$what"; fi
}

check_not() {
	local what=$1
	shift
	if "$@"; then not_ok "$what"; else ok "$what"; fi
}

# within SECONDS COMMAND...: it must succeed before the deadline.
within() {
	local end=$((${EPOCHREALTIME/./} + $1 * 1000000))
	shift
	until "$@"; do
		[ "${EPOCHREALTIME/./}" -lt $end ] || return 1
		sleep 0.02
	done
}

# in_set SET TEXT: an element of it contains TEXT, as JSON without blanks.
in_set() {
	nft -j list set inet mailban "$1" 2>/dev/null | tr -d ' ' |
		grep -qF "$2"
}

not_in_set() {
	nft -j list set inet mailban "$1" >$tmp/set 2>/dev/null || return 1
	! tr -d ' ' <$tmp/set | grep -qF "$2"
}

table_has() {
	nft -j list table inet mailban 2>/dev/null | tr -d ' ' | grep -qF "$1"
}

# expires SET ADDRESS: the seconds left.
expires() {
	nft -j list set inet mailban "$1" | tr -d ' ' |
		sed -n "s/.*\"val\":\"$2\",\"timeout\":[0-9]*,\"expires\":\([0-9]*\).*/\1/p"
}

between() {
	[ -n "$2" ] && [ "$2" -ge "$1" ] && [ "$2" -le "$3" ]
}

# ---- Hosts: attacker and innocent on veth pairs ----

# host NAME NUMBER: 10.9.NUMBER.2 and 2001:db8:NUMBER::2, we are .1 and ::1.
host() {
	ip netns add "$1"
	ip link add "$1" type veth peer name eth0 netns "$1"
	ip addr add "10.9.$2.1/24" dev "$1"
	ip addr add "2001:db8:$2::1/64" dev "$1" nodad
	ip link set "$1" up
	ip -n "$1" link set lo up
	ip -n "$1" addr add "10.9.$2.2/24" dev eth0
	ip -n "$1" addr add "2001:db8:$2::2/64" dev eth0 nodad
	ip -n "$1" addr add "2001:db8:$2::77/64" dev eth0 nodad
	ip -n "$1" link set eth0 up
}

# connects NETNS ADDRESS PORT: a new TCP connection gets our greeting.
connects() {
	ip netns exec "$1" timeout 0.5 bash -c \
		"exec 7<>/dev/tcp/$2/$3 && read -r -t 0.4 line <&7 &&
		[ \"\$line\" = hello ]" 2>/dev/null
}

# A server that greets and echoes lines.
cat >$tmp/server.py <<'END'
import socket, sys, threading

def serve(conn):
    conn.sendall(b"hello\n")
    try:
        while data := conn.recv(1000):
            conn.sendall(data)
    except OSError:
        pass

for port in (25, 80):
    listener = socket.create_server(("::", port), family=socket.AF_INET6,
                                    dualstack_ipv6=True, backlog=50)
    def accept(listener=listener):
        while True:
            threading.Thread(target=serve, args=(listener.accept()[0],),
                             daemon=True).start()
    threading.Thread(target=accept).start()
END

# An open connection: a line to $tmp/NAME.in comes back in $tmp/NAME.out.
open_connection() {
	mkfifo $tmp/$2.in
	ip netns exec "$1" python3 -u -c '
import socket, sys
s = socket.create_connection((sys.argv[1], 25))
for line in open(sys.argv[2]):
    s.sendall(line.encode())
    s.settimeout(5)
    print(s.recv(1000).decode(), end="", flush=True)
' "$3" $tmp/$2.in >$tmp/$2.out 2>/dev/null &
}

answered() {
	grep -q "$2" $tmp/$1.out
}

ip link set lo up
host attacker 1
host innocent 2
python3 $tmp/server.py &
within 5 connects attacker 10.9.1.1 25 || not_ok "test server"
within 5 connects innocent 2001:db8:2::1 25 || not_ok "test server, IPv6"

# ---- A helper that keeps running, and requests to it ----

mkdir -m 755 $tmp/socket
start_service() {
	"$nft_helper" --listen $tmp/socket/nft "$@" 2>>$tmp/log &
	service=$!
	within 5 ask pause 0
}

ask() {
	timeout 20 "$client" --socket $tmp/socket/nft "$@" >$tmp/answer 2>&1
}

said() {
	grep -q "$1" $tmp/answer
}

start_service --debug
check "the service's socket has mode 0660 and the peer's group" \
	test "$(stat -c '%a %G' $tmp/socket/nft)" = "660 mailban"
check "it runs as mailban-nft" \
	test "$(stat -c %U /proc/$service)" = mailban-nft
check "with CAP_NET_ADMIN and nothing else" \
	grep -q '^CapPrm:.*0000001000$' /proc/$service/status
check "and may gain nothing" grep -q '^NoNewPrivs:.*1' /proc/$service/status

# ---- The table ----

nft add table inet other
nft add chain inet other keep
nft list table inet other >$tmp/other
ask install 'log=10/5:[Iptables DROP_SASL_FAIL] ' ports=25,587 .
check "install" said 'install status=ok'
for what in '"set":{"family":"inet","name":"ban4"' \
	'"policy":"accept"' '"hook":"prerouting","prio":-300' \
	'"set":[25,587]' '"prefix":"[IptablesDROP_SASL_FAIL]"' \
	'"rate":10,"burst":5,"per":"minute"' '"ffff:ffff:ffff:ffff::"'; do
	check "the table has $what" table_has "$what"
done
nft -j list table inet mailban >$tmp/before
ask install 'log=10/5:[Iptables DROP_SASL_FAIL] ' ports=25,587 .
nft -j list table inet mailban >$tmp/after
without_handles() {
	sed 's/"handle": [0-9]*, //g' "$1"
}
check "installing twice makes one table" \
	test "$(without_handles $tmp/before)" = "$(without_handles $tmp/after)"
check "loopback and the host's own addresses are exempt" \
	in_set exempt4 '"10.9.1.1"'
ask ban 10.9.1.1=60 127.0.0.1=60 fe80::1=60 2.0.0.0/7=60 192.0.2.1=60 .
check "an own address is refused" said 'refused 10.9.1.1'
check "and loopback" said 'refused 127.0.0.1'
check "and link-local" said 'refused fe80::1'
check "and what is too wide" said 'refused 2.0.0.0/7'
check "the rest of that request is in force" in_set ban4 '"192.0.2.1"'

# ---- Packets ----

open_connection attacker a4 10.9.1.1
open_connection attacker a6 2001:db8:1::1
exec 8>$tmp/a4.in 9>$tmp/a6.in
within 5 answered a4 hello || echo one >&8
echo one >&8
echo one >&9
within 5 answered a4 hello || not_ok "connection before the ban"
within 5 answered a6 hello || not_ok "connection before the ban, IPv6"
ask ban 10.9.1.2=60 2001:db8:1::/64=60 .
echo two >&8
echo two >&9
check_not "a banned client cannot connect" connects attacker 10.9.1.1 25
check_not "nor over IPv6" connects attacker 2001:db8:1::1 25
check_not "its open connection is cut" within 1 answered a4 two
check_not "that over IPv6, too" answered a6 two
check "a port that is not listed stays open to it" \
	connects attacker 10.9.1.1 80
check "an innocent client connects" connects innocent 10.9.2.1 25
check "and over IPv6" connects innocent 2001:db8:2::1 25
check "dropped packets are counted" in_set ban4 '"10.9.1.2","timeout":60,"expires"'
ask list
check "and listed" grep -Eq 'item 10.9.1.2 .*packets=[1-9]' $tmp/answer
exec 8>&- 9>&-
ask install .
check "options replaced: the bans are still there" in_set ban4 '"10.9.1.2"'
check_not "and now hold for all ports" connects attacker 10.9.1.1 80
check_not "without log rule" table_has '"log"'
ask lift 10.9.1.2 2001:db8:1::/64 192.0.2.99 .
check "lift, of one that is not there too" said 'lift status=ok'
check "a lifted client connects" connects attacker 10.9.1.1 25
check "and over IPv6" connects attacker 2001:db8:1::1 25

# ---- Times ----

ask ban 192.0.2.2=30 .
ask ban 192.0.2.2=300 .
check "a longer ban has the new end" between 295 "$(expires ban4 192.0.2.2)" 300
ask ban 192.0.2.2=20 .
check "a shorter one, too" between 15 "$(expires ban4 192.0.2.2)" 20
ask ban 192.0.2.2 .
check "a permanent one has none" in_set ban4 '{"val":"192.0.2.2","counter"'
ask ban 10.9.1.2=2 .
check_not "a ban of 2 s is in force" connects attacker 10.9.1.1 25
check "and ends by itself" within 4 connects attacker 10.9.1.1 25
ask ban 10.9.1.2=2 .
check_not "the same client can be banned again" connects attacker 10.9.1.1 25
ask lift 10.9.1.2 .

# ---- Wide bans ----

ask exempt 10.9.1.2/32 .
ask ban 10.9.0.0/16=60 .
check "an exempt client under a wider ban connects" \
	connects attacker 10.9.1.1 25
check_not "others under it do not" connects innocent 10.9.2.1 25
ask exempt .
check_not "an exemption that ended is over" connects attacker 10.9.1.1 25
ask lift 10.9.0.0/16 .
ask ban 10.9.0.0/16=1 10.9.1.0/24=100 10.9.1.128/25=50 .
check_not "the outer of two wide bans" connects innocent 10.9.2.1 25
check "ends" within 4 connects innocent 10.9.2.1 25
check_not "the longer inner one stays" connects attacker 10.9.1.1 25
ask lift 10.9.1.0/24 10.9.1.128/25 .
check "and can be lifted" connects attacker 10.9.1.1 25
ask ban 2001:db8:1::/48=60 .
check_not "a wide IPv6 ban" connects attacker 2001:db8:1::1 25
ask lift 2001:db8:1::/48 .
check "and lifted" connects attacker 2001:db8:1::1 25

# ---- Replace ----

ask ban 192.0.2.3=60 192.0.2.4=60 .
ask replace 192.0.2.4=600 2001:db8:5::/64=600 .
check "replace: a ban that is not in the list goes" not_in_set ban4 192.0.2.3
check "one that is gets its end" between 590 "$(expires ban4 192.0.2.4)" 600
check "and a new one comes" in_set ban6 '"2001:db8:5::"'

# ---- Bad peers ----

ask raw 00112233
ask install .
check "a malformed packet ends only that connection" said 'install status=ok'
ask raw 4d424e460103000001000000010000000000000000000000
ask install .
check "a packet shorter than it says, too" said 'install status=ok'
chmod 666 $tmp/socket/nft
setpriv --reuid=nobody --clear-groups \
	timeout 5 "$client" --socket $tmp/socket/nft install . >$tmp/answer 2>&1
check_not "another user is refused, whatever the mode" said 'status=ok'
(exec setpriv --reuid=mailban --clear-groups timeout 30 "$client" \
	--socket $tmp/socket/nft install . pause 600 list >$tmp/first 2>&1) &
within 5 grep -q 'install status=ok' $tmp/first
check "user mailban may" grep -q 'install status=ok' $tmp/first
ask install .
check_not "a second peer is refused while one is served" said 'status=ok'
check "the first is served on" within 3 grep -q 'list status=ok' $tmp/first
again() {
	ask install . && said 'install status=ok'
}
check "and then another may come" within 3 again
check "the service still runs" kill -0 $service

# ---- Healing ----

ask replace 10.9.1.2=600 192.0.2.7 2001:db8:1::/64=600 10.77.0.0/16=600 .
back() {
	in_set ban4 '"10.9.1.2"' && in_set ban4 '"192.0.2.7"' &&
		in_set ban6 '"2001:db8:1::"' &&
		in_set net4 '"10.77.0.0","len":16' &&
		in_set exempt4 '"10.9.1.1"' && table_has '"drop":null' &&
		table_has '"right":"@ban6"'
}
check "all is there before" back
heal() {
	"${@:2}"
	check_not "damaged: $1" back
	check "within a second all is back after: $1" within 1 back
	check "with the remaining time" between 570 "$(expires ban4 10.9.1.2)" 600
	check_not "and in force" connects attacker 10.9.1.1 25
	sleep 0.3
}
heal "flush ruleset" nft flush ruleset
check_not "(others' tables are not ours to restore)" \
	nft list table inet other 2>/dev/null
heal "delete table" nft delete table inet mailban
heal "flush set ban4" nft flush set inet mailban ban4
heal "flush set net4" nft flush set inet mailban net4
heal "flush set exempt4" nft flush set inet mailban exempt4
heal "delete element" nft delete element inet mailban ban4 '{ 10.9.1.2 }'
heal "delete element, IPv6" \
	nft delete element inet mailban ban6 '{ 2001:db8:1:: }'
heal "flush chain" nft flush chain inet mailban prerouting
delete_rule() {
	nft delete rule inet mailban banned handle "$(nft -a list chain \
		inet mailban banned | sed -n 's/.*drop # handle //p')"
}
heal "delete rule" delete_rule
cat >$tmp/reload.nft <<'END'
flush ruleset
table inet other {
	chain input {
		type filter hook input priority 0;
	}
}
END
heal "a reload of a file that starts with flush" nft -f $tmp/reload.nft
cat >$tmp/fake.nft <<'END'
flush ruleset
table inet mailban {
	set ban4 {
		type ipv4_addr
	}
	chain prerouting {
	}
}
END
heal "a table of our name with something else in it" nft -f $tmp/fake.nft

before=$(grep -c mended $tmp/log)
for _ in $(seq 100); do nft -f $tmp/reload.nft; done
check "within a second all is back after 100 reloads" within 1 back
sleep 0.3
mended=$(($(grep -c mended $tmp/log) - before))
check "which took few mendings ($mended)" test $mended -le 20
before=$(grep -cE 'mended|doubt' $tmp/log)
ask ban 192.0.2.8=60 . lift 192.0.2.8 . ban 10.78.0.0/16=60 . \
	exempt 198.51.100.0/24 . install .
sleep 0.5
check "our own changes are no reason to mend" \
	test "$(grep -cE 'mended|doubt' $tmp/log)" = "$before"
(timeout 10 "$client" --socket $tmp/socket/nft install . healed 5000 \
	>$tmp/healed 2>&1) &
within 5 grep -q 'install status=ok' $tmp/healed
nft delete table inet mailban
check "the peer is told" within 2 grep -q '^healed' $tmp/healed
wait $!
ip addr add 10.9.1.99/24 dev attacker
check "a new address of the host becomes exempt" \
	within 2 in_set exempt4 '"10.9.1.99"'
ip addr del 10.9.1.99/24 dev attacker
check "and an old one is not" within 2 not_in_set exempt4 '"10.9.1.99"'

# ---- The end of a helper ----

kill -9 $service
wait $service 2>/dev/null
check "kill -9 leaves the bans" back
check_not "in force" connects attacker 10.9.1.1 25
start_service
check "it starts anew over the old socket" test -S $tmp/socket/nft
ask install .
check "a new helper finds them there" back
ask ban 10.9.1.2=300 .
check "and renews one it does not know" \
	between 290 "$(expires ban4 10.9.1.2)" 300
ask replace 192.0.2.9=60 .
check "replace removes what it does not know" not_in_set ban4 192.0.2.7
check "of wide networks, too" not_in_set net4 10.77
check "and adds" in_set ban4 192.0.2.9
kill -TERM $service
wait $service 2>/dev/null
check "a stop leaves the bans" in_set ban4 192.0.2.9
HELPER_DEBUG=1 timeout 20 "$client" --helper "$nft_helper" install . \
	replace 192.0.2.10=60 . pause 200 >$tmp/answer 2>&1
check "over a socketpair" said 'replace status=ok'
check_not "and nothing looks as if others had changed it" said doubt
check "the end of its input leaves the bans" in_set ban4 192.0.2.10
timeout 20 "$client" --helper "$nft_helper" install . raw 0011 \
	pause 300 >$tmp/answer 2>&1
check "a malformed packet ends it" grep -q 'error="Bad message"' $tmp/answer
timeout 20 "$client" --helper "$nft_helper" install . remove pause 700 \
	>$tmp/answer 2>&1
check_not "remove deletes the table, and it stays away" \
	nft list table inet mailban 2>/dev/null

# ---- Others ----

sysctl -qw net.ipv6.conf.all.disable_ipv6=1
timeout 20 "$client" --helper "$nft_helper" install . ban 192.0.2.1=60 . \
	>$tmp/answer 2>&1
check "it works where IPv6 is disabled" in_set ban4 192.0.2.1
timeout 20 "$client" --helper "$nft_helper" --table mailban_2 install . \
	ban 192.0.2.1=60 . >$tmp/answer 2>&1
check "another table by name" test -n "$(nft list set inet mailban_2 ban4)"
timeout 60 "$client" --helper "$nft_helper" install . fill 20000 600 \
	pour 500 700 list >$tmp/answer 2>&1
check "20,000 bans" test "$(grep -c '^item' $tmp/answer)" = 20000

echo "1..$count"
[ $failed = 0 ] || tail -n 20 $tmp/log | sed 's/^/# /'
exit $failed
