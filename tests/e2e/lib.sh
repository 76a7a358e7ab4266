# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# $E2E is /run/e2e, without blanks; the constants are for those who source this.
# shellcheck disable=SC2086,SC2034,SC2231,SC2016,SC2001
#
# What the end-to-end tests share. A test sources this file first: it starts
# the test anew in mount, network and process namespaces of its own, so that
# the real rsyslogd, Postfix, Dovecot and kernel sets it uses are not the
# machine's. Everything ends with the namespaces. Answers are TAP.
#
# Needs root. Folders: $E2E (the test's own, in memory), $srcdir, $builddir.

set -u
srcdir=$(realpath "${srcdir:-$(dirname "${BASH_SOURCE[0]}")/../..}")
builddir=$(realpath "${builddir:-$srcdir}")
export srcdir builddir
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

# ---- Namespaces ----

if [ -z "${E2E:-}" ]; then
	if [ "$(id -u)" != 0 ]; then
		echo "1..0 # SKIP needs root"
		exit 0
	fi
	export E2E=/run/e2e
	# --kill-child: when this shell ends, so does everything inside.
	exec unshare --mount --net --pid --fork --kill-child --mount-proc \
		--propagation private -- bash "$0" "$@"
fi

# A /dev of our own: rsyslogd makes /dev/log in it.
private_dev() {
	local node dev=/run/e2e-dev

	mkdir -p $dev/shm $dev/pts
	mount -t tmpfs -o mode=755 tmpfs $dev
	mkdir -p $dev/shm $dev/pts
	for node in null zero full random urandom tty ptmx; do
		[ -e /dev/$node ] || continue
		: >$dev/$node
		mount --bind /dev/$node $dev/$node
	done
	mount --rbind /dev/pts $dev/pts
	ln -s /proc/self/fd $dev/fd
	ln -s fd/0 $dev/stdin
	ln -s fd/1 $dev/stdout
	ln -s fd/2 $dev/stderr
	mount --move $dev /dev
}

# private_file FILE: a copy that may be changed, over the machine's own.
private_file() {
	local copy
	copy=$E2E/private$(tr / _ <<<"$1")

	[ -e "$1" ] || return 0
	cp -p "$1" "$copy"
	mount --bind "$copy" "$1"
}

# Names of the test's hosts come from here; no name server is reachable.
private_names() {
	private_file /etc/hosts
	private_file /etc/resolv.conf
	private_file /etc/nsswitch.conf
	cat >/etc/hosts <<-END
		127.0.0.1 localhost
		::1 localhost
		192.0.2.1 mail.example.org mail
		198.51.100.7 innocent.example.net
		198.51.100.9 bystander.example.net
		2001:db8:b::7 innocent6.example.net
	END
	echo "hosts: files" >/etc/nsswitch.conf
	: >/etc/resolv.conf
}

# ommailban and mailban-nft give up root for these users.
private_users() {
	local user

	private_file /etc/passwd
	private_file /etc/group
	for user in mailban:64250 mailban-nft:64251 vmail:64252; do
		grep -q "^${user%:*}:" /etc/passwd || echo \
"${user%:*}:x:${user#*:}:${user#*:}::/nonexistent:/usr/sbin/nologin" \
			>>/etc/passwd
		grep -q "^${user%:*}:" /etc/group ||
			echo "${user%:*}:x:${user#*:}:" >>/etc/group
	done
}

private_folders() {
	local dir

	# The tree may lie under a folder that is about to be covered.
	mount -t tmpfs -o mode=755 tmpfs /run
	mkdir -p $E2E /run/lock
	chmod 755 $E2E
	for dir in /var/log /var/spool/rsyslog /etc/rsyslog.d; do
		mkdir -p $dir
		mount -t tmpfs -o mode=755 tmpfs $dir
	done
}

# end HOST ADDRESS4 SERVER4 ADDRESS6 SERVER6
network_end() {
	ip netns add "$1"
	ip link add "to-$1" type veth peer name eth0 netns "$1"
	ip addr add "$3/24" dev "to-$1"
	ip addr add "$5/64" dev "to-$1" nodad
	ip link set "to-$1" up
	ip -n "$1" link set lo up
	ip -n "$1" addr add "$2/24" dev eth0
	ip -n "$1" addr add "$4/64" dev eth0 nodad
	ip -n "$1" link set eth0 up
}

private_network() {
	ip link set lo up
	ip addr add 192.0.2.1/32 dev lo
	network_end attacker 203.0.113.66 203.0.113.1 \
		2001:db8:a::66 2001:db8:a::1
	network_end innocent 198.51.100.7 198.51.100.1 \
		2001:db8:b::7 2001:db8:b::1
	# The address that attackers write into their user names.
	ip -n innocent addr add 198.51.100.9/24 dev eth0
}

attacker4=203.0.113.66 attacker6=2001:db8:a::66 attacker6_net=2001:db8:a::/64
innocent4=198.51.100.7 innocent6=2001:db8:b::7 bystander4=198.51.100.9
to_attacker4=203.0.113.1 to_attacker6=2001:db8:a::1
to_innocent4=198.51.100.1 to_innocent6=2001:db8:b::1
readonly attacker4 attacker6 attacker6_net innocent4 innocent6 bystander4
readonly to_attacker4 to_attacker6 to_innocent4 to_innocent6

# ---- TAP ----

tests_run=0 tests_failed=0

ok() {
	tests_run=$((tests_run + 1))
	echo "ok $tests_run - $1"
}

not_ok() {
	tests_run=$((tests_run + 1))
	tests_failed=$((tests_failed + 1))
	echo "not ok $tests_run - $1"
	[ -z "${2:-}" ] || sed 's/^/# /' <<<"$2"
}

skip() {
	tests_run=$((tests_run + 1))
	echo "ok $tests_run - $1 # SKIP $2"
}

skip_all() {
	echo "1..0 # SKIP $1"
	exit 0
}

# check NAME COMMAND...: the command succeeds.
check() {
	local name=$1 out
	shift
	if out=$("$@" 2>&1); then ok "$name"; else not_ok "$name" "$* says: $out"; fi
}

# check_not NAME COMMAND...: the command fails.
check_not() {
	local name=$1 out
	shift
	if out=$("$@" 2>&1); then not_ok "$name" "$* says: $out"; else ok "$name"; fi
}

# check_equal NAME WANT GOT
check_equal() {
	if [ "$2" = "$3" ]; then ok "$1"; else
		not_ok "$1" "want: $2
got:  $3"
	fi
}

# check_soon NAME SECONDS COMMAND...: it succeeds before the deadline.
check_soon() {
	local name=$1 seconds=$2
	shift 2
	if wait_for "$seconds" "$@"; then ok "$name"; else
		not_ok "$name" "not within $seconds s: $*"
	fi
}

# The end of a test: the plan, and what the logs say when anything failed.
finish() {
	echo "1..$tests_run"
	[ "$tests_failed" = 0 ] && exit 0
	show_logs
	exit 1
}

show_logs() {
	local log

	for log in /var/log/ommailban.log /var/log/mail.log /var/log/syslog \
		$E2E/*.out; do
		[ -s "$log" ] || continue
		echo "# ---- the end of $log"
		tail -n "${E2E_LOG_LINES:-8}" "$log" | cut -c1-400 | sed 's/^/# /'
	done
	[ -z "${E2E_KEEP:-}" ] || cp -a /var/log "$E2E_KEEP"
}

# A deadline in place of a sleep. wait_for SECONDS COMMAND...
wait_for() {
	local end=$((SECONDS + $1 + 1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.1
	done
}

# Something that must *not* happen: it fails as soon as it did.
# stays SECONDS COMMAND...: the command succeeds all that time.
stays() {
	local end=$((SECONDS + $1))
	shift
	while [ $SECONDS -le $end ]; do
		"$@" >/dev/null 2>&1 || return 1
		sleep 0.2
	done
}

need() {
	local program
	for program; do
		command -v "$program" >/dev/null || skip_all "no $program here"
	done
}

# Both names of ommailban's process: it may rename itself, so by its file.
pids_of() {
	local exe link
	exe=$(realpath "$1")
	for link in /proc/[0-9]*/exe; do
		if [ "$(readlink "$link")" = "$exe" ]; then
			link=${link#/proc/}
			echo "${link%/exe}"
		fi
	done
}

stopped() { ! kill -0 "$1" 2>/dev/null; }

# stop_pid PID: TERM, then KILL after 20 s.
stop_pid() {
	kill "$1" 2>/dev/null || return 0
	wait_for 20 stopped "$1" || kill -KILL "$1"
	wait "$1" 2>/dev/null
}

# ---- rsyslogd ----

# The include as it is shipped, with paths of this test.
# include_for BINARY ARGUMENTS
include_for() {
	sed -e "s|\"/usr/local/libexec/mailban/ommailban\"|\"$*\"|" \
		"$srcdir/rsyslog.d/60-mailban.conf"
}

# Debian's rsyslog.conf, but without the kernel's messages, which are the
# machine's.
rsyslog_conf() {
	cat <<-'END'
		module(load="imuxsock")
		$FileOwner root
		$FileGroup adm
		$FileCreateMode 0640
		$DirCreateMode 0755
		$Umask 0022
		$WorkDirectory /var/spool/rsyslog
		$IncludeConfig /etc/rsyslog.d/*.conf
		*.*;auth,authpriv.none		-/var/log/syslog
		auth,authpriv.*			/var/log/auth.log
		mail.*				-/var/log/mail.log
		user.*				-/var/log/user.log
	END
}

# start_rsyslog BINARY ARGUMENTS...
start_rsyslog() {
	include_for "$@" | sed -e "${edit_include:-}" \
		>/etc/rsyslog.d/60-mailban.conf
	# As Debian's postfix package does, for its chroot.
	echo '$AddUnixListenSocket /var/spool/postfix/dev/log' \
		>/etc/rsyslog.d/postfix.conf
	[ -e $E2E/rsyslog.conf ] || rsyslog_conf >$E2E/rsyslog.conf
	rsyslogd -N1 -f $E2E/rsyslog.conf >$E2E/rsyslog-check.out 2>&1 || {
		echo "# rsyslogd refuses the configuration"
		sed 's/^/# /' $E2E/rsyslog-check.out
		return 1
	}
	# What a killed one left behind must not look like the new one's.
	rm -f /dev/log $E2E/rsyslog.pid
	rsyslogd -n -f $E2E/rsyslog.conf -i $E2E/rsyslog.pid \
		>>$E2E/rsyslogd.out 2>&1 &
	rsyslog_pid=$!
	wait_for 10 test -S /dev/log -a -s $E2E/rsyslog.pid
}

stop_rsyslog() { stop_pid "$rsyslog_pid"; }

# As after a crash or a power cut: nothing of it is written any more.
kill_rsyslog() {
	kill -KILL "$rsyslog_pid"
	wait "$rsyslog_pid" 2>/dev/null
}

# log_mail TEXT...: one message each, as Postfix's smtpd would.
log_mail() { printf '%s\n' "$@" | logger -p mail.info -t 'postfix/smtpd[77]'; }

# failures ADDRESS FROM TO: numbered failing logins, in mail.log by "n=3,".
failures() {
	seq -f "warning: unknown[$1]: SASL LOGIN authentication failed: n=%.0f," \
		"$2" "$3" | logger -p mail.info -t 'postfix/smtpd[77]'
}

# In how many different lines of a file "n=..," stands.
numbered() { grep -oE 'n=[0-9]+,' "$1" 2>/dev/null | sort -u | wc -l; }
has_numbered() { [ "$(numbered "$1")" = "$2" ]; }

# ---- mailban ----

ommailban=$E2E/bin/ommailban mailban_nft=$E2E/bin/mailban-nft
state=/var/lib/mailban control=/run/mailban/control

# Copies, because user mailban need not be able to enter the build tree.
prepare_mailban() {
	[ -x "$builddir/plugin/ommailban" ] || skip_all "not built"
	mkdir -p $E2E/bin $state
	cp "$builddir/plugin/ommailban" "$builddir/helper/mailban-nft" \
		"$builddir/command/mailban" $E2E/bin
	cp -r "$srcdir/rules" $E2E/rules
	mount -t tmpfs -o mode=755 tmpfs $state
	cat >$E2E/mailban.conf
}

# start_mailban [OPTIONS]: rsyslogd with the shipped include and ommailban.
start_mailban() {
	start_rsyslog $ommailban --config $E2E/mailban.conf \
		--rules $E2E/rules --state $state --control $control \
		--helper $mailban_nft "$@"
}

mailban() { $E2E/bin/mailban --control $control "$@"; }

# ready: it answers, so that its start is over.
mailban_ready() { mailban status; }

# listed ADDRESS: `mailban list` has it.
listed() {
	mailban list --json | sed 's|\\/|/|g' | grep -qF "\"address\":\"$1\""
}

# What the kernel has in force: "SET ELEMENT" lines.
nft_list() {
	{ nft -j list table inet mailban 2>/dev/null ||
		echo '{"nftables":[]}'; } | python3 -c '
import json, sys
def text(e):
    if isinstance(e, dict) and "elem" in e: e = e["elem"]["val"]
    if isinstance(e, dict) and "prefix" in e:
        return "%s/%s" % (e["prefix"]["addr"], e["prefix"]["len"])
    return str(e)
for item in json.load(sys.stdin)["nftables"]:
    s = item.get("set")
    for e in (s or {}).get("elem", []):
        print(s["name"], text(e))'
}

# in_kernel ADDRESS: in one of the sets of bans.
in_kernel() { nft_list | grep -qE "^ban[^ ]* ${1//./\\.}(/[0-9]+)?$"; }
banned() { listed "$1" && in_kernel "${1%/64}"; }
not_banned() { ! listed "$1" && ! in_kernel "${1%/64}"; }

# ---- Dovecot and Postfix ----

password=right-horse

start_dovecot() {
	mkdir -p $E2E/dovecot $E2E/mail /run/dovecot
	chown 64252:64252 $E2E/mail
	local user
	for user in user1 user2; do
		echo "$user@example.org:{PLAIN}$password:64252:64252::$E2E/mail/$user"
	done >$E2E/dovecot/users
	cat >$E2E/dovecot/dovecot.conf <<-END
		protocols = imap pop3 submission sieve
		base_dir = /run/dovecot
		state_dir = $E2E/dovecot
		listen = *, ::
		ssl = no
		disable_plaintext_auth = no
		auth_mechanisms = plain login
		auth_verbose = ${auth_verbose:-no}
		mail_location = maildir:~/Maildir
		first_valid_uid = 1
		# Wrong passwords are answered at once: the test is not about
		# Dovecot's own brake.
		auth_failure_delay = 0
		service anvil {
		  unix_listener anvil-auth-penalty {
		    mode = 0
		  }
		}
		passdb {
		  driver = passwd-file
		  args = scheme=plain $E2E/dovecot/users
		}
		userdb {
		  driver = passwd-file
		  args = $E2E/dovecot/users
		}
		submission_relay_host = 127.0.0.1
		service submission-login {
		  inet_listener submission {
		    port = 1587
		  }
		}
		service auth {
		  unix_listener /var/spool/postfix/private/auth {
		    mode = 0660
		    user = postfix
		    group = postfix
		  }
		}
	END
	dovecot -F -c $E2E/dovecot/dovecot.conf >$E2E/dovecot.out 2>&1 &
	dovecot_pid=$!
	wait_for 15 port_open 143
}

# port_open PORT: something listens.
port_open() { (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Debian's own configuration, in private copies, with submission switched on.
# Call it before start_rsyslog (the socket in the chroot) and start_dovecot.
prepare_postfix() {
	local dir spool=/var/spool/postfix

	for dir in /etc/postfix /var/spool/postfix /var/lib/postfix; do
		cp -a $dir "$E2E/copy"
		mount -t tmpfs -o mode=755 tmpfs $dir
		cp -a "$E2E/copy/." $dir
		rm -rf "$E2E/copy"
	done
	rm -f /var/lib/postfix/master.lock $spool/pid/*
	postconf -e myhostname=mail.example.org mydestination=localhost \
		inet_interfaces=all inet_protocols=all relayhost= \
		smtp_host_lookup=native \
		mynetworks=127.0.0.0/8 virtual_mailbox_domains=example.org \
		virtual_mailbox_base=$E2E/mail \
		"virtual_mailbox_maps=inline:{{user1@example.org=box1/},{user2@example.org=box2/}}" \
		virtual_uid_maps=static:64252 virtual_gid_maps=static:64252 \
		smtpd_sasl_type=dovecot smtpd_sasl_path=private/auth \
		smtpd_sasl_auth_enable=yes alias_maps= alias_database= \
		smtpd_relay_restrictions=permit_mynetworks,permit_sasl_authenticated,reject_unauth_destination
	# Debian's default is 100 processes and a second's pause at errors.
	postconf -e smtpd_error_sleep_time=0 default_process_limit=20
	postconf -M submission/inet="submission inet n - y - - smtpd \
-o syslog_name=postfix/submission"
	mkdir -p $spool/dev $spool/etc
	# What Debian's start script copies into the chroot.
	cp /etc/hosts /etc/resolv.conf /etc/nsswitch.conf /etc/services \
		$spool/etc
}

start_postfix() {
	postfix start >$E2E/postfix.out 2>&1
	wait_for 15 port_open 25
}

stop_postfix() { postfix stop >>$E2E/postfix.out 2>&1; }

start_mail_servers() { start_dovecot && start_postfix; }

# ---- Clients ----

# from HOST COMMAND...: in that host's network namespace.
from() {
	local host=$1
	shift
	ip netns exec "$host" "$@"
}

# client HOST PROTOCOL SERVER USER PASSWORD [OPTIONS]: exit 0 logged in, 1
# refused, 2 no connection or no answer.
client() {
	local host=$1
	shift
	from "$host" python3 "$srcdir/tests/e2e/client.py" "$@"
}

# attack PROTOCOL SERVER TIMES: failing logins, one connection each.
attack() {
	local i
	for ((i = 0; i < $3; i++)); do
		client attacker "$1" "$2" "user$i@example.org" wrong || :
	done
}

# A connection that stays open. hold HOST PROTOCOL SERVER; then hold_answers
# tells whether the server still answers on it; release closes it.
hold() {
	rm -f $E2E/hold.in
	mkfifo $E2E/hold.in
	: >$E2E/hold.answers
	client "$1" "$2" "$3" nobody none --hold --timeout 4 \
		<$E2E/hold.in >>$E2E/hold.answers &
	exec {hold_fd}>$E2E/hold.in
	wait_for 5 grep -q connected $E2E/hold.answers
}

hold_answers() {
	local before
	before=$(wc -l <$E2E/hold.answers)
	echo >&$hold_fd
	wait_for 10 eval "[ \$(wc -l <$E2E/hold.answers) -gt $before ]"
	[ "$(tail -n 1 $E2E/hold.answers)" = answer ]
}

release() { exec {hold_fd}>&-; }

# Whether that host gets through to a port at all.
reaches() {
	from "$1" timeout 3 bash -c ": <'/dev/tcp/$2/$3'" 2>/dev/null
}

# `mailban list` and the kernel name the same networks.
list_agrees() {
	diff <(mailban list --json | python3 -c '
import json, sys
for line in sys.stdin:
    item = json.loads(line)
    if "address" in item: print(item["address"].split("/")[0])' | sort) \
		<(nft_list | awk '$1 ~ /^ban/ { sub("/.*", "", $2); print $2 }' |
			sort)
}

# served: the innocent logs in everywhere and sends mail.
served() {
	local protocol
	for protocol in imap pop3 smtp submission sieve; do
		client innocent $protocol $to_innocent4 user1@example.org \
			$password || return
		client innocent $protocol $to_innocent6 user2@example.org \
			$password || return
	done
	client innocent send $to_innocent4 user1@example.org $password
}

# ---- Start ----

private_folders
private_dev
private_names
private_users
private_network
