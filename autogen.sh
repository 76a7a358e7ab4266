#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Plain, it makes ./configure. With a word it does all the set-up on Debian,
# as root: "install" builds, installs and switches mailban on, "check" runs
# every test without touching what runs here, "remove" takes it away again.
# Each can be run twice.
#
# The prefix is /usr/local, which the FHS leaves to what is built here: apt
# never puts a file there and so never overwrites one of ours, or the reverse.
# Configuration, ledger and socket are in /etc, /var/lib and /run.

set -eu
cd "$(dirname "$0")"
export LC_ALL=C DEBIAN_FRONTEND=noninteractive

build_packages="gcc make autoconf automake autoconf-archive pkg-config
	libestr-dev libfastjson-dev libnftables-dev libpcre2-dev libsqlite3-dev
	libinih-dev libcap-ng-dev libsodium-dev libcmocka-dev libc6-dev
	rsyslog procps"
# fail2ban is here for the comparison in tests/bench alone; it is not started.
test_packages="postfix dovecot-core dovecot-imapd dovecot-pop3d
	dovecot-submissiond dovecot-managesieved fail2ban rsyslog-relp swaks
	curl python3 netcat-openbsd nftables iproute2 util-linux"
test_services="postfix dovecot fail2ban nftables"

include=/etc/rsyslog.d/60-mailban.conf
libexec=/usr/local/libexec/mailban

usage() {
	cat <<-'END'
		usage: ./autogen.sh           make ./configure (needs autotools)
		       ./autogen.sh install   packages, build, install, switch on
		       ./autogen.sh check     packages, build, every test
		       ./autogen.sh remove    switch off and uninstall
	END
}

say() { echo "mailban: $*"; }

die() {
	echo "mailban: $*" >&2
	exit 1
}

need_root() {
	[ "$(id -u)" = 0 ] || die "\"./autogen.sh $1\" must be run as root"
	command -v apt-get >/dev/null ||
		die "this needs Debian's apt-get; elsewhere see README.md, \"By hand\""
}

# ---- Packages ----

missing_packages() {
	for package; do
		dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null |
			grep -qx installed || echo "$package"
	done
}

# get_packages PACKAGE...: refuses what would remove a package, such as the
# mail server that is here already. Sets $got to what is new.
got=
get_packages() {
	# shellcheck disable=SC2046 # a list of words
	set -- $(missing_packages "$@")
	got=$*
	[ $# -gt 0 ] || return 0
	say "getting: $*"
	apt-get update -q >/dev/null || say "apt-get update failed, going on"
	if apt-get install -s --no-install-recommends "$@" | grep '^Remv'; then
		say "these packages are here and would be removed: not done"
		return 1
	fi
	apt-get install -y -q --no-install-recommends "$@" >/dev/null ||
		die "apt-get could not install: $*"
}

# What the tests need must not start a mail server or a firewall here, neither
# now nor at the next boot.
get_test_packages() {
	policy=/usr/sbin/policy-rc.d
	ours=no
	if [ ! -e $policy ]; then
		ours=yes
		trap 'rm -f /usr/sbin/policy-rc.d' EXIT
		trap 'exit 1' HUP INT TERM
		printf '#!/bin/sh\n# mailban: start nothing\nexit 101\n' >$policy
		chmod 755 $policy
	fi
	# shellcheck disable=SC2086 # a list of words
	get_packages $test_packages ||
		say "going on without; tests that need them are skipped"
	if [ $ours = yes ]; then
		rm -f $policy
		trap - EXIT HUP INT TERM
	fi
	for service in $test_services; do
		case " $got " in
		*" $service "* | *" $service-core "*) keep_off "$service" ;;
		esac
	done
}

keep_off() {
	if [ -d /run/systemd/system ]; then
		systemctl -q disable "$1" 2>/dev/null || :
	elif command -v update-rc.d >/dev/null; then
		update-rc.d "$1" disable >/dev/null 2>&1 || :
	fi
}

# ---- Build ----

build() {
	# shellcheck disable=SC2086 # a list of words
	get_packages $build_packages ||
		die "the packages to build with can't be had"
	[ -x configure ] || make_configure
	./configure -q --prefix=/usr/local --sysconfdir=/etc \
		--localstatedir=/var --runstatedir=/run \
		${CONFIGURE_FLAGS:+$CONFIGURE_FLAGS}
	make -s -j "$(nproc)"
}

make_configure() { autoreconf -fi; }

# ---- Install ----

make_user() {
	getent passwd "$1" >/dev/null || useradd --system --user-group \
		--no-create-home --home-dir /nonexistent \
		--shell /usr/sbin/nologin --comment "$2" "$1"
}

rsyslogd_accepts() { rsyslogd -N1 >"$notes" 2>&1; }

# The include must not keep rsyslogd from starting: when it is refused, what
# was there before comes back.
install_files() {
	notes=$(mktemp)
	rsyslogd_accepts || die "rsyslogd refuses its configuration as it is
now, without mailban; mend that first:
$(cat "$notes")"
	before=
	if [ -e $include ]; then
		before=$(mktemp)
		cp -p $include "$before"
	fi
	make -s install
	if ! $libexec/ommailban --check >"$notes" 2>&1; then
		take_back
		die "ommailban refuses its configuration, mailban is not
switched on:
$(cat "$notes")"
	fi
	if ! rsyslogd_accepts; then
		take_back
		die "rsyslogd refuses $include, which is out again:
$(cat "$notes")"
	fi
	rm -f "$notes" ${before:+"$before"}
}

take_back() {
	if [ -n "$before" ]; then
		mv "$before" $include
	else
		rm -f $include
	fi
}

# ---- rsyslogd ----

rsyslogd_pid() {
	pid=$(cat /run/rsyslogd.pid 2>/dev/null || :)
	if [ -n "$pid" ] && [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = rsyslogd ]
	then
		echo "$pid"
	fi
}

# waited SECONDS COMMAND...
waited() {
	left=$(($1 * 5))
	shift
	until "$@"; do
		left=$((left - 1))
		[ $left -gt 0 ] || return 1
		sleep 0.2
	done
}

runs() { [ -n "$(rsyslogd_pid)" ]; }
ended() { [ "$(rsyslogd_pid)" != "$1" ]; }

# Prints what was done. A rsyslogd that is not running is left so.
restart_rsyslogd() {
	if [ -d /run/systemd/system ]; then
		systemctl -q is-active rsyslog || return 1
		systemctl restart rsyslog
		return
	fi
	old=$(rsyslogd_pid)
	[ -n "$old" ] || return 1
	if [ "$old" = 1 ]; then
		say "rsyslogd is process 1 here: restart it yourself"
		return
	fi
	restart_by_pid "$old"
}

# With the command line it had, unless who watches over it was quicker.
restart_by_pid() {
	command=$(tr '\0' '\n' <"/proc/$1/cmdline")
	kill "$1"
	waited 60 ended "$1" || die "rsyslogd (process $1) does not end"
	waited 2 runs && return
	saved=$IFS
	IFS='
'
	# shellcheck disable=SC2086 # one word a line
	set -- $command
	IFS=$saved
	case " $* " in
	*" -n "*) setsid "$@" </dev/null >/dev/null 2>&1 & ;;
	*) "$@" ;;
	esac
	waited 15 runs || die "rsyslogd did not start again: $*"
}

# ---- What the words do ----

answers() { /usr/local/bin/mailban status >/dev/null 2>&1; }

do_install() {
	need_root install
	build
	make_user mailban "mailban, reads the mail log"
	make_user mailban-nft "mailban, writes kernel rules"
	install_files
	if restart_rsyslogd; then
		waited 20 answers ||
			say "it does not answer yet: see /var/log/ommailban.log"
		now="rsyslogd was restarted and"
	else
		now="rsyslogd does not run here; once it does, it"
	fi
	cat <<-END
		$now gives each mail message to ommailban, which bans attackers.
		See what is happening:  mailban status; mailban list
		What it does and says:  tail -f /var/log/ommailban.log
		Whom to spare, how long to ban:  /etc/mailban/mailban.conf, mailban.conf(5)
		Lift a ban: mailban unban ADDRESS. Leave: ./autogen.sh remove
	END
}

do_check() {
	need_root check
	get_test_packages
	build
	status=0
	sh tests/run || status=$?
	exit $status
}

no_ommailban() { ! pgrep -f "^$libexec/" >/dev/null; }

do_remove() {
	need_root remove
	[ -f Makefile ] || build
	# Where it was removed before there is nothing that make could enter.
	[ ! -d $libexec ] || make -s uninstall >/dev/null
	rm -f $include
	restart_rsyslogd || :
	waited 30 no_ommailban ||
		die "a process of $libexec still runs; end it, then run this again"
	if command -v nft >/dev/null &&
		nft list table inet mailban >/dev/null 2>&1; then
		nft delete table inet mailban
	fi
	cat <<-END
		mailban is removed: programs, include, kernel table, and with it all bans.
		Kept: its ledger, your configuration, its users. To remove those too:
		  rm -rf /var/lib/mailban /etc/mailban /var/log/ommailban.log*
		  userdel mailban; userdel mailban-nft
	END
}

case "${1:-}" in
"") make_configure ;;
install) do_install ;;
check) do_check ;;
remove) do_remove ;;
-h | --help) usage ;;
*)
	usage >&2
	exit 2
	;;
esac
