# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# $E2E is /run/e2e, without blanks.
# shellcheck disable=SC2086
#
# For the tests of rules against servers that Debian can't install side by side.
# A test calls server_tree first, outside of all namespaces (for the network),
# then sources lib.sh, then calls mount_tree. What the servers log goes through
# the real rsyslogd into $messages, in the form that ommailban is given.

messages=/run/e2e/messages.json

# server_tree NAME: downloads it unless it is there.
server_tree() {
	local reason here
	here=$(dirname "${BASH_SOURCE[0]}")

	server_root=${MAILBAN_SERVERS:-/var/cache/mailban-tests}/$1/root
	export server_root
	[ -z "${E2E:-}" ] && [ "$(id -u)" = 0 ] || return 0
	reason=$("$here/fetch.sh" "$1" 2>&1) && return
	echo "1..0 # SKIP $1: ${reason//$'\n'/ }"
	exit 0
}

# over FOLDER: the server's files over the machine's own, changes in memory.
over() {
	local upper=$E2E/over${1//\//-}

	mkdir -p "$upper/new" "$upper/work" "$E2E/tree$1"
	mount -t overlay overlay -o \
		"lowerdir=$E2E/tree$1:$1,upperdir=$upper/new,workdir=$upper/work" \
		"$1"
}

# mount_tree: the server as if it were installed.
mount_tree() {
	local dir

	mkdir -p $E2E/tree
	mount --bind "$server_root" $E2E/tree
	for dir in /var/lib /var/spool /var/cache /var/mail; do
		mkdir -p $dir "$E2E/var$dir"
		[ ! -d $E2E/tree$dir ] ||
			cp -a $E2E/tree$dir/. "$E2E/var$dir"
	done
	over /usr 2>$E2E/mount.out && over /etc 2>>$E2E/mount.out ||
		skip_all "no overlay file system: $(tail -n 1 $E2E/mount.out)"
	for dir in /var/lib /var/spool /var/cache /var/mail; do
		mount --rbind "$E2E/var$dir" $dir
	done
	mkdir -p /var/spool/rsyslog
	ldconfig
	# /etc is new.
	private_names
	private_users
	cat >>/etc/hosts <<-END
		203.0.113.66 attacker.example.net
		2001:db8:a::66 attacker6.example.net
	END
}

# user NAME [UID]: as the package's script would have made it.
user() {
	local id=${2:-$((64300 + $(wc -l </etc/passwd)))}

	grep -q "^$1:" /etc/passwd ||
		echo "$1:x:$id:$id::/nonexistent:/bin/false" >>/etc/passwd
	grep -q "^$1:" /etc/group || echo "$1:x:$id:" >>/etc/group
}

certificate() {
	openssl req -x509 -newkey "${1:-rsa:2048}" -nodes -days 2 -subj /CN=mail \
		-keyout $E2E/key.pem -out $E2E/cert.pem 2>/dev/null
	chmod 644 $E2E/key.pem
}

# start_capture [SOCKET...]: rsyslogd with the shipped template and filter.
start_capture() {
	local socket

	{
		echo 'module(load="imuxsock")'
		for socket; do
			mkdir -p "$(dirname "$socket")"
			echo "input(type=\"imuxsock\" Socket=\"$socket\")"
		done
		sed -n '/^template(name="mailban"/,/^}/p' \
			"$srcdir/rsyslog.d/60-mailban.conf"
		echo 'if $syslogfacility == 2 then { action(type="omfile"' \
			"file=\"$messages\" template=\"mailban\") }"
		echo '*.* action(type="omfile" file="/var/log/syslog")'
	} >$E2E/rsyslog.conf
	: >$messages
	rsyslogd -n -f $E2E/rsyslog.conf -i $E2E/rsyslog.pid \
		>$E2E/rsyslogd.out 2>&1 &
	wait_for 10 test -S /dev/log -a -s $E2E/rsyslog.pid ||
		skip_all "rsyslogd does not start"
}

# A ring of text for each field: see hostile.py.
hostile() { from attacker python3 "$srcdir/tests/servers/hostile.py" "$@"; }

# An RFC 1413 server on the attacker's host.
start_ident() {
	hostile ident "$@" >$E2E/ident.out 2>&1 &
	wait_for 5 from attacker bash -c ': </dev/tcp/127.0.0.1/113'
}

# wait_for_port PORT: the server listens.
wait_for_port() {
	wait_for 15 reaches attacker $to_attacker4 "$1" ||
		skip_all "nothing listens on port $1: $(tail -n 30 /var/log/syslog |
			tr '\n' ' ')"
}

# judge WANTED...: what the rules make of all that was logged; see judge.py.
# Each line on stdin is an expectation. The victim must never be charged.
judge() {
	local name verdict detail mailban=$E2E/bin/mailban

	logged case end
	mkdir -p $E2E/bin
	cp "$builddir/command/mailban" $mailban
	printf '[%s]\nmaxretry = 1\n' auth-failure unknown-client rejected \
		protocol-abuse spam >$E2E/strict.conf
	"$mailban" test --json --rules "$srcdir/rules" $messages \
		>$E2E/verdicts.json 2>$E2E/test.out
	"$mailban" replay --json --config $E2E/strict.conf \
		--rules "$srcdir/rules" $messages \
		>$E2E/bans.json 2>$E2E/replay.out
	while IFS=$'\t' read -r verdict name detail; do
		if [ "$verdict" = ok ]; then ok "$name"; else
			not_ok "$name" "${detail//\\n/$'\n'}"
		fi
	done < <(python3 "$srcdir/tests/servers/judge.py" $messages \
		$E2E/verdicts.json $E2E/bans.json "$@")
	[ -z "${E2E_KEEP:-}" ] || cp $E2E/*.json "$E2E_KEEP"
}

# logged TAG TEXT: it has come through rsyslogd, and all before it.
logged() {
	logger -p mail.info -t "$1" "$2"
	wait_for 10 grep -q "\"$1:*\", \"msg\":\" *$2\"" $messages
}
