#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# An attacker against real Postfix and Dovecot, protocol by protocol: dropped by
# the kernel at the failure that was one too many, on open connections too,
# while the innocent is served all the time.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need rsyslogd postfix dovecot nft python3 ip

bantime=25
prepare_mailban <<END
[auth-failure]
maxretry = 3
findtime = 1h
bantime = ${bantime}s
[protocol-abuse]
maxretry = 0
[unknown-client]
maxretry = 0
END
prepare_postfix
start_mailban || skip_all "rsyslogd does not start"
start_mail_servers

check_soon "rsyslogd's start message starts ommailban" 10 mailban_ready
[ "$tests_failed" = 0 ] || finish
check "nobody is banned at first" test -z "$(nft_list | grep '^ban')"

# The innocent's day, in the background: each failure is a line.
innocent_day() {
	while [ ! -e $E2E/evening ]; do
		served >>$E2E/innocent.out 2>&1 || echo failed >>$E2E/innocent.bad
		echo served >>$E2E/innocent.all
		sleep 0.5
	done
}

check "the innocent is served by every protocol" served
innocent_day &
day=$!

# attacked PROTOCOL SERVER ADDRESS PORT [OPTIONS]
attacked() {
	local protocol=$1 server=$2 address=$3 port=$4
	shift 4
	local name="$protocol $server $*"

	hold attacker "$protocol" "$server"
	check "$name: the attacker's connection works" hold_answers
	fail_once "$protocol" "$server" "$@"
	fail_once "$protocol" "$server" "$@"
	check "$name: two failures are no ban" stays 2 not_banned "$address"
	fail_once "$protocol" "$server" "$@"
	check_soon "$name: the third is" 10 banned "$address"
	check_not "$name: the open connection is cut" hold_answers
	check_not "$name: a new one does not come through" \
		reaches attacker "$server" "$port"
	check_not "$name: nor one to another service" \
		reaches attacker "$server" 143
	check "$name: mailban list and the kernel agree" list_agrees
	release
}

fail_once() {
	local protocol=$1 server=$2
	shift 2
	client attacker "$protocol" "$server" user1@example.org wrong "$@" \
		>/dev/null
}

# freed ADDRESS SERVER
freed() {
	check "unban $1" mailban unban "$1"
	check "$1 is out of the list and the kernel" not_banned "$1"
	check "and reaches the server again" reaches attacker "$2" 143
}

attacked smtp $to_attacker4 $attacker4 25 --mechanism LOGIN
freed $attacker4 $to_attacker4
attacked submission $to_attacker4 $attacker4 587 --mechanism PLAIN
freed $attacker4 $to_attacker4
attacked pop3 $to_attacker4 $attacker4 110
freed $attacker4 $to_attacker4
attacked sieve $to_attacker4 $attacker4 4190
freed $attacker4 $to_attacker4
attacked dovecot-submission $to_attacker4 $attacker4 1587
freed $attacker4 $to_attacker4

# IPv6: the whole /64, whatever address in it comes next.
attacked imap $to_attacker6 $attacker6_net 143
ip -n attacker addr add 2001:db8:a::77/64 dev eth0 nodad
check_not "another address of the /64 does not come through" \
	client attacker imap $to_attacker6 user1@example.org wrong \
	--source 2001:db8:a::77
freed $attacker6_net $to_attacker6
attacked smtp $to_attacker6 $attacker6_net 25 --mechanism PLAIN

# A user name made to look like the log line's own fields.
crafted='x>, method=PLAIN, rip=198.51.100.9, lip=1.1.1.1'
for option in "" --literal ""; do
	# shellcheck disable=SC2086 # none or one word
	client attacker imap $to_attacker4 "$crafted" wrong $option >/dev/null
done
check_soon "a crafted user name bans the attacker" 10 banned $attacker4
check "and not the address in the name" not_banned $bystander4
check "which is served" client innocent imap $to_innocent4 \
	user1@example.org $password --source $bystander4
check "nor 1.1.1.1" not_banned 1.1.1.1

# The end, which the kernel brings about by itself.
check_not "the ban is still in force" reaches attacker $to_attacker4 143
check_soon "the ban ends by itself" $((bantime + 5)) \
	reaches attacker $to_attacker4 143
check_soon "and is no longer listed" 5 not_banned $attacker4
check_soon "that of the /64 too" 5 not_banned $attacker6_net
check "mailban list and the kernel agree at the end" list_agrees

: >$E2E/evening
wait $day
check "the innocent was served all the time ($(wc -l <$E2E/innocent.all) rounds)" \
	test ! -e $E2E/innocent.bad
check "the innocent's mail has arrived" \
	test "$(find $E2E/mail/box2/new -type f | wc -l)" -gt 5
check "no innocent address was ever banned" \
	test -z "$(grep -E '^.* ban client=(198\.51|2001:db8:b)' /var/log/ommailban.log)"

stop_postfix
stop_pid $dovecot_pid
stop_rsyslog
check "no process of mailban is left" \
	test -z "$(pids_of $ommailban)$(pids_of $mailban_nft)"
check "its end does not lift bans: the table is there" nft list table inet mailban
finish
