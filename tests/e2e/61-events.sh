#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# mailban's events reach a file, a mailbox and a web address through the
# shipped examples for rsyslog.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need rsyslogd nft python3 curl

prepare_mailban <<'CONF'
[auth-failure]
maxretry = 2
[users]
clients = 3
CONF

cat >$E2E/sink.py <<'PY'
import http.server, socketserver, sys, threading
folder = sys.argv[1]
class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with open(folder + "/hook.log", "ab") as f:
            f.write(body + b"\n")
        self.send_response(204)
        self.end_headers()
    def log_message(self, *args):
        pass
class Mail(socketserver.StreamRequestHandler):
    def handle(self):
        def say(text):
            self.wfile.write(text + b"\r\n")
        say(b"220 sink")
        data = False
        for line in self.rfile:
            if data:
                with open(folder + "/mail.log", "ab") as f:
                    f.write(line)
                if line == b".\r\n":
                    data = False
                    say(b"250 ok")
            elif line[:4].upper() == b"DATA":
                data = True
                say(b"354 go on")
            elif line[:4].upper() == b"QUIT":
                say(b"221 bye")
                return
            else:
                say(b"250 ok")
socketserver.TCPServer.allow_reuse_address = True
threading.Thread(target=socketserver.ThreadingTCPServer(
    ("127.0.0.1", 2525), Mail).serve_forever, daemon=True).start()
http.server.HTTPServer(("127.0.0.1", 8080), Hook).serve_forever()
PY
python3 $E2E/sink.py $E2E &

examples=$srcdir/rsyslog.d/examples
cp "$examples/mailban-webhook" $E2E/bin/
chmod 755 $E2E/bin/mailban-webhook
export MAILBAN_WEBHOOK=http://127.0.0.1:8080/hook
cp "$examples/70-mailban-file.conf" /etc/rsyslog.d/
sed 's/port="25"/port="2525"/' "$examples/70-mailban-mail.conf" \
	>/etc/rsyslog.d/71-mailban-mail.conf
sed -e '/^module(load="omprog")/d' \
	-e "s|/usr/local/libexec/mailban/mailban-webhook|$E2E/bin/mailban-webhook|" \
	"$examples/70-mailban-webhook.conf" >/etc/rsyslog.d/72-mailban-webhook.conf
for example in "$examples"/*.conf; do
	check "$(basename "$example"): rsyslogd takes it" \
		rsyslogd -N1 -f "$example"
done

start_mailban || skip_all "rsyslogd does not start"
check_soon "ommailban runs" 10 mailban_ready
[ "$tests_failed" = 0 ] || finish

failures 203.0.113.66 1 2
check_soon "a ban" 10 banned 203.0.113.66
check_soon "the ban is in the file" 5 grep -q \
	'ommailban.* ban client=203.0.113.66 class=auth-failure' \
	/var/log/mailban.log
check_soon "at the web address, as JSON" 10 python3 -c '
import json
for line in open("'$E2E'/hook.log"):
    event = json.loads(line)
    if event["event"].startswith("ban client=203.0.113.66 "):
        break
else:
    raise SystemExit(1)
assert event["host"] and event["time"] and event["severity"] == "info", event'
check_not "nobody is mailed for a ban" test -e $E2E/mail.log
mailban unban 203.0.113.66 >/dev/null
check_soon "the unban is in the file" 5 grep -q \
	'unban client=203.0.113.66 by="uid 0"' /var/log/mailban.log

for n in 1 2 3 4; do
	log_mail "warning: unknown[203.0.113.10$n]: SASL LOGIN authentication failed: x, sasl_username=victim"
done
check_soon "a user under attack is mailed" 10 grep -q \
	'user-attacked user="victim"' $E2E/mail.log
check "with a subject that says so" grep -q '^Subject: .*user-attacked' \
	$E2E/mail.log

nft delete table inet mailban
check_soon "a damaged table is in the file" 5 grep -q 'healed' \
	/var/log/mailban.log
check_soon "and at the web address" 10 grep -q '"event":"healed' $E2E/hook.log
check_equal "one mail in five minutes" 1 \
	"$(grep -c '^Subject:' $E2E/mail.log)"
check "mailban's own events do not come back to it as mail" \
	test -z "$(grep -E 'ommailban|mailban-nft' /var/log/mail.log)"
stop_rsyslog
finish
