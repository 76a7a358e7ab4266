#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the real Courier of Debian, its SMTP, IMAP and POP3 servers, writes into
# the log when it is attacked, and what the rules make of it.

# shellcheck source=tests/servers/servers.sh
. "$(dirname "$0")/../servers/servers.sh"
server_tree courier
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need rsyslogd python3 ip logger perl

mount_tree
need couriertcpd imapd pop3d
user courier 64310
user user1 64311
start_capture

# A failed login is answered after five seconds, but logged at once.
export HOSTILE_TIMEOUT=0.5

texts=$srcdir/tests/servers/courier.texts
smtp_cases="auth-plain auth-plain-two-lines auth-login auth-thrice auth-unknown
	auth-login-unknown auth-cancel auth-base64 auth-mechanism auth-no-hello
	relay unknown-recipient command command-after-hello commands syntax
	order helo vrfy expn etrn hello-only auth-only nothing login mail"
mail_cases="auth-login auth-unknown auth-thrice auth-plain auth-cancel
	auth-base64 auth-mechanism commands nothing login"

# prepare_courier: Debian's configuration, with AUTH, for many connections.
prepare_courier() {
	local dir

	ln -s ../lib/courier/makedat /usr/bin/makedat
	chown -R courier: /var/lib/courier /etc/courier
	mkdir -p /run/courier/authdaemon $E2E/user1/Maildir/{cur,new,tmp}
	chown -R 64311:64311 $E2E/user1
	chown -R courier: /run/courier
	for dir in imapd pop3d esmtpd; do
		sed -i -e 's/^MAXDAEMONS=.*/MAXDAEMONS=2000/' \
			-e 's/^MAXPERIP=.*/MAXPERIP=2000/' \
			-e 's/^MAXPERC=.*/MAXPERC=2000/' \
			-e 's/^IMAP_CAPABILITY="/&AUTH=PLAIN AUTH=CRAM-MD5 /' \
			-e 's/^POP3AUTH=.*/POP3AUTH="PLAIN LOGIN CRAM-MD5"/' \
			-e 's/^ESMTPAUTH=.*/ESMTPAUTH="PLAIN LOGIN CRAM-MD5"/' \
			-e 's/^BOFHCHECKDNS=.*/BOFHCHECKDNS=0/' \
			-e 's/^BOFHNO\(VRFY\|EXPN\)=.*/BOFHNO\1=0/' \
			-e 's/^TARPIT=.*/TARPIT=0/' \
			-e 's/-noidentlookup/-nodnslookup/' /etc/courier/$dir
	done
	sed -i 's/^authmodulelist=.*/authmodulelist="authuserdb"/' \
		/etc/courier/authdaemonrc
	echo example.org >/etc/courier/locals
	echo example.org >/etc/courier/esmtpacceptmailfor
	echo mail.example.org >/etc/courier/me
	echo example.org >/etc/courier/defaultdomain
	hash=$(openssl passwd -1 $password)
	printf '%s\thome=%s|mail=%s|uid=64311|gid=64311|systempw=%s\n' user1 \
		$E2E/user1 $E2E/user1/Maildir "$hash" >/etc/courier/userdb
	chmod 600 /etc/courier/userdb
	makeuserdb
	/usr/lib/courier/makesmtpaccess
	/usr/lib/courier/makeimapaccess
}

prepare_courier >$E2E/prepare.out 2>&1
mkdir -p /run/courier/authdaemon
authdaemond start >>$E2E/prepare.out 2>&1
for server in imapd pop3d esmtpd; do
	/usr/lib/courier/$server start >>$E2E/prepare.out 2>&1
done
for port in 25 110 143; do
	wait_for_port $port
done

# shellcheck disable=SC2086 # lists of words
{
	hostile smtp $to_attacker4 25 plain 25 $smtp_cases
	hostile imap $to_attacker4 143 plain 143 $mail_cases
	hostile pop3 $to_attacker4 110 plain 110 $mail_cases
	hostile smtp $to_attacker6 25 plain 25-ipv6 auth-plain relay
	hostile imap $to_attacker6 143 plain 143-ipv6 auth-login login
}
start_ident "$texts"
export HOSTILE_WORKERS=64 HOSTILE_REPEATS=3
hostile smtp $to_attacker4 25 hostile 25-hostile "$texts" --pads 200 --sample 2
hostile imap $to_attacker4 143 hostile 143-hostile "$texts" --sample 2
hostile pop3 $to_attacker4 110 hostile 110-hostile "$texts" --sample 2

# courierlogger begins a new message after 511 bytes, "INFO: LOGIN FAILED,
# user=" or "method=" in front included: these are lines of other software
# with the same program names, then two that fill a message of their own.
grep -E '^(badlogin|login|Login|pam)' "$texts" >$E2E/pieces
name=$(printf '%0458d' 0)
for line in "Login failed user=root auth=root host=$name [198.51.100.9]" \
	"badlogin: [198.51.100.9] plaintext 123456789012345 $name"; do
	echo "${line}zzz" >>$E2E/pieces
done
hostile imap $to_attacker4 143 hostile 143-pieces $E2E/pieces --behind 486
hostile pop3 $to_attacker4 110 hostile 110-pieces $E2E/pieces --behind 486

judge --least 300 <<-END
	25-auth-plain auth-failure
	25-auth-login auth-failure
	25-auth-unknown auth-failure
	25-auth-login-unknown auth-failure
	25-relay rejected
	25-unknown-recipient rejected
	25-command protocol-abuse
	25-ipv6-auth-plain auth-failure
	25-ipv6-relay rejected
	143-auth-login auth-failure user=user1
	143-auth-unknown auth-failure user=nobody
	143-auth-plain auth-failure
	143-login login user=user1
	143-ipv6-auth-login auth-failure user=user1
	110-auth-login auth-failure user=user1
	110-auth-unknown auth-failure user=nobody
	110-auth-plain auth-failure
	110-login login user=user1
END
finish
