#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the real OpenSMTPD of Debian writes into the log when it is attacked, and
# what the rules make of it. Only its first line of a session has the address.

# shellcheck source=tests/servers/servers.sh
. "$(dirname "$0")/../servers/servers.sh"
server_tree opensmtpd
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need rsyslogd python3 ip logger openssl

mount_tree
need smtpd
user opensmtpd 64310
user opensmtpq 64311
user user1
certificate
start_capture

texts=$srcdir/tests/servers/opensmtpd.texts
cases="relay unknown-recipient command command-after-hello commands syntax
	syntax-recipient order helo vrfy expn etrn hello-only nothing mail"
auth_cases="auth-plain auth-plain-two-lines auth-login auth-thrice auth-unknown
	auth-login-unknown auth-cancel auth-base64 auth-mechanism auth-no-hello
	relay auth-only login"

mkdir -p /var/lib/opensmtpd/empty /var/spool/smtpd
chmod 711 /var/spool/smtpd
mkdir -p /run/opensmtpd
chmod 600 $E2E/key.pem
hash=$(openssl passwd -6 $password)
sed "s|@DIR@|$E2E|; s|@HASH@|$hash|" "$srcdir/tests/servers/opensmtpd.conf" \
	>/etc/smtpd.conf
gcc -shared -fPIC -o $E2E/key.so "$srcdir/tests/servers/opensmtpd-key.c" -ldl \
	-lssl -lcrypto 2>$E2E/gcc.out || skip_all "no libssl-dev here"
OPENSMTPD_KEY=$E2E/key.pem LD_PRELOAD=$E2E/key.so smtpd >$E2E/smtpd.out 2>&1
wait_for_port 465

# shellcheck disable=SC2086 # a list of words
{
	hostile smtp $to_attacker4 25 plain 25 $cases
	hostile smtps $to_attacker4 465 plain 465 $auth_cases
	hostile smtp $to_attacker6 25 plain 25-ipv6 relay
	hostile smtps $to_attacker6 465 plain 465-ipv6 auth-plain
	hostile smtp $to_attacker4 25 hostile 25-hostile "$texts" \
		--pads 240,980 --sample 2
	hostile smtps $to_attacker4 465 hostile 465-hostile "$texts" \
		--pads 240 --sample 2
}

judge --least 500 <<-END
	465-auth-plain auth-failure
	465-auth-plain-two-lines auth-failure
	465-auth-login auth-failure
	465-auth-unknown auth-failure
	465-auth-login-unknown auth-failure
	465-auth-cancel auth-failure
	465-auth-base64 auth-failure
	465-auth-mechanism protocol-abuse
	465-auth-no-hello protocol-abuse
	465-login login user=user1
	465-ipv6-auth-plain auth-failure
	25-relay rejected
	25-ipv6-relay rejected
	25-unknown-recipient rejected
	25-command protocol-abuse
	25-commands protocol-abuse
	25-hello-only none
	25-mail none
END
finish
