#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The include alone, with a stand-in for ommailban: what comes through and in
# what shape, and that logging goes on whatever happens to the program behind.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need rsyslogd logger python3

mkdir -p $E2E/bin
answer="$(command -v python3) $E2E/bin/answer.py"
cp "$srcdir/tests/e2e/answer.py" $E2E/bin
got=$E2E/got

fresh() {
	rm -f $got /var/log/* /var/spool/rsyslog/* $E2E/bin/program
}

# ---- What comes through ----

cat <<-END >$E2E/rsyslog.conf
	module(load="imptcp")
	input(type="imptcp" address="127.0.0.1" port="10514"
		discardTruncatedMsg="on")
	module(load="imudp")
	input(type="imudp" address="127.0.0.1" port="10514")
	$(rsyslog_conf)
END
start_rsyslog "$answer" $got
check "rsyslogd takes the include, without a warning" \
	test "$(grep -vcE 'version|End of' $E2E/rsyslog-check.out)" = 0
check_soon "its start message comes through" 10 grep -qF '\"] start' $got

log_mail 'say "hello" \ / to '$'\303\251\377'
logger -p user.info -t postfix/smtpd[1] "n=1001, other facility"
logger -p syslog.info -t rsyslogd "n=1002, x-info= but no beginning"
logger -p daemon.info -t ommailban "n=1003, our own"
log_mail "n=1, the last one"
wait_for 10 grep -q n=1, $got
check_equal "mail and the start message come through, nothing else" 3 \
	"$(wc -l <$got)"
check "each is one JSON object with exactly these keys" python3 - $got <<-'END'
	import json, re, sys
	keys = ["time", "reported", "host", "from", "uid", "journal_uid", "tag",
	        "msg"]
	date = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|[+-]\d\d:\d\d)$"
	for line in open(sys.argv[1], errors="surrogateescape"):
	    item = json.loads(line)
	    assert list(item) == keys, item
	    assert re.match(date, item["time"]), item
	    assert re.match(date, item["reported"]), item
	    assert item["from"] == "127.0.0.1", item
	    if "hello" in item["msg"]:
	        assert item["tag"] == "postfix/smtpd[77]:", item
	        assert item["msg"].startswith(' say "hello" \\ / to \u00e9'), item
END

# The text behind the limit looks like a message that bans a bystander.
long=$(head -c 9000 /dev/zero | tr '\0' x)
forged="<22>Nov 25 03:00:00 host postfix/smtpd[1]: warning: unknown[$bystander4]: SASL LOGIN authentication failed: n=2,"
printf '<22>Nov 25 03:00:00 host postfix/smtpd[1]: long %s %s\n' \
	"$long" "$forged" >/dev/tcp/127.0.0.1/10514
printf '<22>Nov 25 03:00:00 host postfix/smtpd[1]: long %s %s' \
	"$long" "$forged" | python3 -c '
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.connect("/dev/log")
s.send(sys.stdin.buffer.read())'
printf '<22>Nov 25 03:00:00 host postfix/smtpd[1]: n=3, by UDP' \
	>/dev/udp/127.0.0.1/10514
check_soon "messages from the network come through" 10 grep -q n=3, $got
check_soon "long messages too, cut" 10 \
	eval "[ \$(grep -c 'long xxx' $got) = 2 ]"
check_not "their rest is not a message" grep -q n=2, $got
stop_rsyslog
rm -f $E2E/rsyslog.conf

# ---- The program behind is missing, broken, stuck, too slow ----

# logging_goes_on NAME: 3,000 messages of facility mail and one other.
logging_goes_on() {
	failures 203.0.113.66 1 3000
	logger -p user.info "not mail"
	check_soon "$1: mail.log has every message" 10 \
		has_numbered /var/log/mail.log 3000
	check_soon "$1: so have the others theirs" 5 \
		grep -q "not mail" /var/log/user.log
}

# kept_for_later NAME: the program works again, with or without a restart.
kept_for_later() {
	check_soon "$1: and nothing was lost to ommailban" 30 \
		has_numbered $got 3000
	check_equal "$1: none of rsyslogd's complaints went to it" 0 \
		"$(grep '"tag":"rsyslogd' $got | grep -vc '"] start')"
}

works() {
	printf '#!/bin/sh\nexec %s %s\n' "$answer" $got >$E2E/bin/new
	chmod 755 $E2E/bin/new
	mv $E2E/bin/new $E2E/bin/program
}

fresh
start_rsyslog $E2E/bin/program
logging_goes_on missing
check "missing: rsyslogd lives" kill -0 $rsyslog_pid
works
kept_for_later missing
# The same once it has worked: removed, and the process killed.
rm -f $E2E/bin/program $got /var/log/mail.log
kill -HUP $rsyslog_pid
pkill -KILL -f answer.py
logging_goes_on "missing later"
works
kept_for_later "missing later"
stop_rsyslog

fresh
printf '#!/bin/sh\necho broken >&2\nexit 1\n' >$E2E/bin/program
chmod 755 $E2E/bin/program
start_rsyslog $E2E/bin/program
logging_goes_on broken
check_soon "broken: what it says is in its output file" 10 \
	grep -q broken /var/log/ommailban.log
check "broken: rsyslogd lives" kill -0 $rsyslog_pid
works
kept_for_later broken
stop_rsyslog

fresh
start_rsyslog "$answer" $E2E/stuck stuck
logging_goes_on stuck
started=$SECONDS
stop_rsyslog
check "stuck: rsyslogd ends within 60 s ($((SECONDS - started)) s)" \
	test $((SECONDS - started)) -lt 60
start_rsyslog "$answer" $got
kept_for_later "stuck, then restarted"
stop_rsyslog

# A full queue: what is too much is not kept, and holds nothing up.
fresh
edit_include='s/queue.size="500000"/queue.size="500"/'
start_rsyslog "$answer" $E2E/stuck stuck
edit_include=
logging_goes_on "queue full"
kill_rsyslog

# ---- Restarts and crashes of rsyslogd ----

fresh
works
start_rsyslog $E2E/bin/program
for i in 1 2 3 4; do
	failures 203.0.113.66 $((i * 1000 - 999)) $((i * 1000)) &
	logging=$!
	wait_for 5 grep -q "n=$((i * 1000 - 900))," $got
	if [ $i = 3 ]; then kill_rsyslog; else stop_rsyslog; fi
	start_rsyslog $E2E/bin/program
	wait $logging
done
wait_for 5 has_numbered /var/log/mail.log 4000
logged=$(numbered /var/log/mail.log)
check_soon "three restarts and a kill: all that was logged ($logged) came" 20 \
	eval "[ \$(numbered $got) -ge $logged ]"
stop_rsyslog
finish
