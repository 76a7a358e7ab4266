#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the real Exim of Debian writes into the log when it is attacked, and what
# the rules make of it: once as Debian configures it, once with everything in
# the log, RFC 1413 and any HELO at all accepted.

# shellcheck source=tests/servers/servers.sh
. "$(dirname "$0")/../servers/servers.sh"
server_tree exim
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need rsyslogd python3 ip logger

mount_tree
need exim4 openssl
user Debian-exim
user user1
certificate
start_capture
mkdir -p /var/spool/exim4 /var/log/exim4
chown Debian-exim: /var/spool/exim4 /var/log/exim4

texts=$srcdir/tests/servers/exim.texts
cases="auth-plain auth-plain-two-lines auth-login auth-thrice auth-unknown
	auth-login-unknown auth-cancel auth-base64 auth-mechanism auth-no-hello
	relay unknown-recipient command command-after-hello commands syntax
	order helo vrfy expn hello-only auth-only nothing login mail"

# exim PORT STAMP TWICE LOG JUNK
exim() {
	sed "s|@DIR@|$E2E|; s/@PORT@/$1/; s/@STAMP@/$2/; s/@TWICE@/$3/
		s/@LOG@/$4/; s/@JUNK@/$5/" "$srcdir/tests/servers/exim.conf" \
		>/etc/exim4/exim4-$1.conf
	exim4 -C /etc/exim4/exim4-$1.conf -bdf -q30m >$E2E/exim-$1.out 2>&1 &
	wait_for_port "$1"
}

exim 25 true false "+smtp_protocol_error +smtp_syntax_error \
+tls_certificate_verified +tls_peerdn" ""
exim 26 false true +all "*"

# shellcheck disable=SC2086 # a list of words
for port in 25 26; do
	hostile smtp $to_attacker4 $port plain $port $cases
	hostile smtp $to_attacker6 $port plain $port-ipv6 auth-plain relay
	hostile smtp $to_attacker4 $port hostile $port-hostile "$texts" \
		--pads 400,780,860,1900 --sample 2 --tls
done
start_ident "$texts"
hostile smtp $to_attacker4 26 hostile 26-hostile-ident "$texts"

for port in 25 26; do
	cat <<-END
		$port-auth-plain auth-failure user=user1
		$port-auth-plain-two-lines auth-failure user=user1
		$port-auth-login auth-failure user=user1
		$port-auth-unknown auth-failure user=nobody
		$port-auth-login-unknown auth-failure user=nobody
		$port-auth-cancel auth-failure
		$port-auth-base64 auth-failure
		$port-auth-mechanism protocol-abuse
		$port-auth-no-hello protocol-abuse
		$port-relay rejected
		$port-unknown-recipient rejected
		$port-command protocol-abuse
		$port-commands protocol-abuse
		$port-hello-only none
		$port-login login user=user1
		$port-mail none
		$port-ipv6-auth-plain auth-failure user=user1
		$port-ipv6-relay rejected
	END
done >$E2E/expected
judge --least 500 <$E2E/expected
finish
