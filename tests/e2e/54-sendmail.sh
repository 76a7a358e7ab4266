#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the real Sendmail of Debian writes into the log when it is attacked, and
# what the rules make of it.

# shellcheck source=tests/servers/servers.sh
. "$(dirname "$0")/../servers/servers.sh"
server_tree sendmail
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need rsyslogd python3 ip logger

mount_tree
need m4 openssl saslpasswd2
user smmta 64310
user smmsp 64311
user user1
certificate
start_capture

# Sendmail answers slowly to whoever repeats his mistakes.
export HOSTILE_REPEATS=4

texts=$srcdir/tests/servers/sendmail.texts
cases="auth-plain auth-plain-two-lines auth-login auth-thrice auth-unknown
	auth-login-unknown auth-cancel auth-base64 auth-mechanism auth-no-hello
	relay unknown-recipient command command-after-hello commands syntax
	order helo vrfy expn etrn hello-only auth-only nothing login mail"

mkdir -p /var/lib/sendmail/host_status /etc/mail/sasl /usr/lib/sasl2 \
	/var/spool/mqueue /var/run/sendmail/mta
touch /var/lib/sendmail/sendmail.st /etc/mail/local-host-names \
	/etc/mail/access /etc/mail/aliases
printf 'pwcheck_method: auxprop\nauxprop_plugin: sasldb\n' |
	tee /etc/mail/sasl/Sendmail.conf.2 /usr/lib/sasl2/Sendmail.conf \
		>/etc/mail/sasl/Sendmail.conf
echo $password | saslpasswd2 -p -c -u mail.example.org user1
chmod 640 /etc/sasldb2
chgrp smmta /etc/sasldb2
chmod 700 /var/spool/mqueue
chmod 600 $E2E/key.pem

# sendmail PORT PAUSE LEVEL
sendmail() {
	sed "s|@DIR@|$E2E|; s/@PORT@/$1/; s/@PAUSE@/$2/; s/@LEVEL@/$3/" \
		"$srcdir/tests/servers/sendmail.mc" | m4 >/etc/mail/$1.cf \
		2>$E2E/m4.out
	/usr/libexec/sendmail/sendmail -L sm-mta -bD -C /etc/mail/$1.cf \
		-O PidFile=$E2E/sendmail-$1.pid >$E2E/sendmail-$1.out 2>&1 &
	wait_for_port "$1"
}

sendmail 25 0 9
sendmail 26 400 14

# shellcheck disable=SC2086 # a list of words
hostile smtp $to_attacker4 25 plain 25 $cases
hostile smtp $to_attacker4 26 plain 26 auth-plain relay command nothing early
hostile smtp $to_attacker6 25 plain 25-ipv6 auth-plain relay
hostile smtp $to_attacker4 25 hostile 25-hostile "$texts" \
	--pads 90,240,400,700,980 --sample 2 --tls
start_ident "$texts"
hostile smtp $to_attacker4 25 hostile 25-hostile-ident "$texts"

judge --least 500 <<-END
	25-auth-plain auth-failure user=user1
	25-auth-plain-two-lines auth-failure user=user1
	25-auth-login auth-failure user=user1
	25-auth-unknown auth-failure
	25-auth-login-unknown auth-failure
	25-auth-cancel protocol-abuse
	25-auth-base64 auth-failure
	25-relay rejected
	25-command protocol-abuse
	25-commands protocol-abuse
	25-login login user=user1
	25-mail none
	26-early protocol-abuse
	25-ipv6-auth-plain auth-failure user=user1
	25-ipv6-relay rejected
END
finish
