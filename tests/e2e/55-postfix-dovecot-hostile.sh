#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What Debian's real Postfix and Dovecot write into the log when it is attacked
# with hostile text in every field, and what the rules make of it.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/servers/servers.sh
. "$(dirname "$0")/../servers/servers.sh"
need rsyslogd postfix dovecot python3 ip logger openssl

texts=$srcdir/tests/servers/postfix-dovecot.texts
smtp_cases="auth-plain auth-login auth-unknown auth-login-unknown auth-cancel
	relay unknown-recipient commands helo vrfy login mail"
mail_cases="auth-login auth-unknown auth-plain auth-cancel auth-mechanism
	commands login"
export HOSTILE_TIMEOUT=0.7 HOSTILE_WORKERS=24
export HOSTILE_USER=user1@example.org

prepare_postfix
certificate
start_capture /var/spool/postfix/dev/log
cat >/etc/postfix/header_checks <<-'END'
	/^Subject:.*198\.51/ REJECT no
	/^Message-ID:.*198\.51/ WARN look
END
postconf -e smtpd_tls_cert_file=$E2E/cert.pem smtpd_tls_key_file=$E2E/key.pem \
	smtpd_tls_security_level=may header_checks=regexp:/etc/postfix/header_checks \
	smtpd_helo_required=no smtpd_sender_restrictions=reject_non_fqdn_sender \
	smtpd_client_connection_count_limit=0 default_process_limit=40 \
	postscreen_greet_wait=1s postscreen_greet_action=enforce \
	postscreen_non_smtp_command_enable=yes postscreen_pipelining_enable=yes \
	postscreen_bare_newline_enable=yes postscreen_bare_newline_action=enforce \
	postscreen_non_smtp_command_action=enforce \
	postscreen_pipelining_action=enforce
postconf -M 26/inet="26 inet n - y - 1 postscreen" \
	smtpd/pass="smtpd pass - - y - - smtpd" \
	dnsblog/unix="dnsblog unix - - y - 0 dnsblog" \
	tlsproxy/unix="tlsproxy unix - - y - 0 tlsproxy"
auth_verbose=yes
start_mail_servers
for port in 25 587 26 143 110 4190 1587; do
	wait_for_port $port
done

# shellcheck disable=SC2086 # lists of words
{
	hostile smtp $to_attacker4 25 plain 25 $smtp_cases
	hostile smtp $to_attacker4 587 plain 587 auth-plain login
	hostile smtp $to_attacker4 26 plain 26 early commands
	hostile smtp $to_attacker4 1587 plain 1587 auth-plain
	hostile imap $to_attacker4 143 plain 143 $mail_cases
	hostile pop3 $to_attacker4 110 plain 110 $mail_cases
	hostile sieve $to_attacker4 4190 plain 4190 auth-plain login
	hostile smtp $to_attacker6 25 plain 25-ipv6 auth-plain relay
	hostile imap $to_attacker6 143 plain 143-ipv6 auth-login login
}
hostile smtp $to_attacker4 25 hostile 25-hostile "$texts" \
	--pads 240,1990 --sample 6 --tls
hostile smtp $to_attacker4 26 hostile 26-hostile "$texts" --sample 6
hostile smtp $to_attacker4 1587 hostile 1587-hostile "$texts" \
	--sample 6
# The worst case: any character may be in a user name.
echo "auth_username_chars =" >>$E2E/dovecot/dovecot.conf
doveadm -c $E2E/dovecot/dovecot.conf reload
hostile imap $to_attacker4 143 hostile 143-hostile "$texts" \
	--pads 240,980 --sample 6
hostile pop3 $to_attacker4 110 hostile 110-hostile "$texts" \
	--pads 240,980 --sample 6
hostile sieve $to_attacker4 4190 hostile 4190-hostile "$texts" \
	--sample 6
stop_postfix
stop_pid $dovecot_pid

judge --least 300 <<-END
	25-auth-plain auth-failure
	25-auth-login auth-failure
	25-auth-unknown auth-failure
	25-auth-login-unknown auth-failure
	25-relay rejected
	25-unknown-recipient rejected
	25-login login user=user1@example.org
	25-ipv6-auth-plain auth-failure
	25-ipv6-relay rejected
	25-commands protocol-abuse
	587-auth-plain auth-failure
	587-login login user=user1@example.org
	26-early protocol-abuse
	1587-auth-plain auth-failure
	143-auth-login auth-failure user=user1@example.org
	143-auth-unknown auth-failure user=nobody
	143-auth-plain auth-failure user=user1@example.org
	143-auth-mechanism protocol-abuse
	143-commands protocol-abuse
	143-login login user=user1@example.org
	143-ipv6-auth-login auth-failure user=user1@example.org
	110-auth-login auth-failure user=user1@example.org
	110-auth-unknown auth-failure user=nobody
	110-auth-plain auth-failure
	110-login login user=user1@example.org
	4190-auth-plain auth-failure
END
finish
