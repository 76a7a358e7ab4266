#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# mailban-nft is killed, stuck, or can't be started: ommailban goes on
# answering rsyslogd all the while, gets it back by itself, and then the kernel
# holds all that was banned meanwhile.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need rsyslogd logger nft python3

prepare_mailban <<END
[auth-failure]
maxretry = 3
bantime = 10m
END
start_mailban || skip_all "rsyslogd does not start"
check_soon "ommailban starts" 10 mailban_ready

number() { mailban status --json | grep -oE "\"$1\":[0-9]+" | head -n 1 | cut -d: -f 2; }
helper() { pids_of $mailban_nft; }
plugin_pid() { pids_of $ommailban | sort -n | head -n 1; }
starter_pid() { pids_of $ommailban | sort -n | tail -n +2 | head -n 1; }
another_helper() { [ -n "$(helper)" ] && [ "$(helper)" != "$1" ]; }
all_banned() { [ "$(nft_list | grep -c "^ban4 $1")" = "$2" ]; }
listed_count() { mailban list --json | grep -cE "\"address\":\"$1"; }
all_listed() { [ "$(listed_count "$1")" = "$2" ]; }

# offend NETWORK COUNT: so many clients are to be banned.
offend() {
	local i
	for ((i = 1; i <= $2; i++)); do
		failures $1.$i.7 1 3
	done
}

plugin=$(plugin_pid)

# ---- Killed ----

for i in 1 2 3; do
	old=$(helper)
	kill -KILL $old
	offend 20.$i 10
	check_soon "killed: there is another" 5 another_helper "$old"
	check_soon "killed: and what was banned meanwhile is in force" 5 \
		all_banned 20.$i 10
done
kill -KILL $(helper)
nft flush ruleset
check_soon "killed, and the table deleted: all is back" 5 all_banned 20 30

# ---- Stuck ----

old=$(helper)
kill -STOP $old
started=${EPOCHREALTIME/./}
offend 21.1 50
check_soon "stuck: ommailban judges on" 10 all_listed 21.1 50
# Each ban is a transaction of its own: waiting for the kernel in each of them
# would take minutes.
took=$(((${EPOCHREALTIME/./} - started) / 1000))
check "stuck: and does not wait for it again and again ($took ms)" \
	test $took -lt 6000
check "stuck: mailban status says so" eval \
	"mailban status | grep -qiE 'kernel.*(pending|not|wait)'"
check_soon "stuck: it is replaced" 20 another_helper $old
took=$(((${EPOCHREALTIME/./} - started) / 1000))
echo "# after $took ms"
check_soon "stuck: what was banned meanwhile is in force" 5 all_banned 21.1 50
check_not "stuck: the old one is gone" kill -0 $old

# ---- Cannot be started ----

mv $mailban_nft $E2E/bin/away
kill -KILL $(pids_of $E2E/bin/away)
offend 22.1 10
check_soon "missing: ommailban judges on" 10 all_listed 22.1 10
sleep 3
lines=$(grep -c 'helper' /var/log/ommailban.log)
check "missing: it is said, not a thousand times ($lines lines)" \
	test "$lines" -lt 25
mv $E2E/bin/away $mailban_nft
check_soon "missing: there again, what was banned is in force" 10 \
	all_banned 22.1 10
check_equal "it was the same ommailban all the time" "$plugin" "$(plugin_pid)"

# ---- The process that starts it ----

kill -KILL "$(starter_pid)"
kill -KILL "$(helper)"
offend 23.1 10
check_soon "the starter killed: ommailban leaves" 5 stopped "$plugin"
log_mail "connect from mail.example.net[198.51.100.7]"
check_soon "the starter killed: the next message brings a new one" 5 \
	mailban_ready
check_soon "the starter killed: what was banned is in force" 10 \
	all_banned 23.1 10
check "all that was banned is" all_banned '2[0123]' 100
check "mailban list and the kernel agree" list_agrees
stop_rsyslog
finish
