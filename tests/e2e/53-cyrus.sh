#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the real Cyrus IMAP of Debian writes into the log when its IMAP, POP3,
# ManageSieve and HTTP servers are attacked, and what the rules make of it.

# shellcheck source=tests/servers/servers.sh
. "$(dirname "$0")/../servers/servers.sh"
server_tree cyrus
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need rsyslogd python3 ip logger

mount_tree
need cyrus saslpasswd2
user cyrus 64310
user mail 64311
user sasl 64312
user user1 64313
start_capture

# Where it waits for the rest of a command, there is none.
export HOSTILE_TIMEOUT=0.6 HOSTILE_WORKERS=24

texts=$srcdir/tests/servers/cyrus.texts
mail_cases="auth-login auth-unknown auth-thrice auth-plain auth-cancel
	auth-base64 auth-mechanism commands nothing login"

# Debian's configuration; a failed login is answered at once.
prepare_cyrus() {
	local dir

	cat >>/etc/imapd.conf <<-END
		servername: mail.example.org
		sasl_auxprop_plugin: sasldb
		sasl_mech_list: PLAIN LOGIN CRAM-MD5 DIGEST-MD5
		failedloginpause: 0
		httpallowcleartext: yes
	END
	sed -i -e 's/localhost:sieve/4190/' -e '/nntp/d' -e '/^EVENTS/,$d' \
		-e '/recover/!s/^	\(delprune\|tlsprune\).*//' \
		-e 's/maxchild=[0-9]*/maxchild=200/' /etc/cyrus.conf
	for dir in /var/lib/cyrus /var/spool/cyrus/mail /var/spool/sieve \
		/run/cyrus/proc /run/cyrus/lock /run/cyrus/socket; do
		mkdir -p $dir
	done
	chown -R cyrus:mail /var/lib/cyrus /var/spool/cyrus /var/spool/sieve \
		/run/cyrus
	echo $password | saslpasswd2 -p -c -u mail.example.org user1
	chown cyrus /etc/sasldb2
	setpriv --reuid cyrus --regid mail --clear-groups \
		/usr/lib/cyrus/bin/makedirs
}

prepare_cyrus >$E2E/prepare.out 2>&1
/usr/lib/cyrus/bin/master -D >$E2E/cyrus.out 2>&1 &
for port in 143 110 4190 8008; do
	wait_for_port $port
done

# shellcheck disable=SC2086 # lists of words
{
	hostile imap $to_attacker4 143 plain 143 $mail_cases
	hostile pop3 $to_attacker4 110 plain 110 $mail_cases
	hostile sieve $to_attacker4 4190 plain 4190 auth-plain login
	hostile http $to_attacker4 8008 plain 8008 auth-basic
	hostile imap $to_attacker6 143 plain 143-ipv6 auth-login login
}
hostile imap $to_attacker4 143 hostile 143-hostile "$texts" --pads 980
hostile pop3 $to_attacker4 110 hostile 110-hostile "$texts" --pads 200,980
hostile sieve $to_attacker4 4190 hostile 4190-hostile "$texts"
hostile http $to_attacker4 8008 hostile 8008-hostile "$texts" --pads 980

judge --least 200 <<-END
	143-auth-login auth-failure user=user1
	143-auth-unknown auth-failure user=nobody
	143-auth-plain auth-failure
	143-login login user=user1
	143-nothing none
	143-ipv6-auth-login auth-failure user=user1
	143-ipv6-login login user=user1
	110-auth-login auth-failure user=user1
	110-auth-unknown auth-failure user=nobody
	110-auth-plain auth-failure
	110-login login user=user1
	4190-auth-plain auth-failure
	8008-auth-basic auth-failure
END
finish
