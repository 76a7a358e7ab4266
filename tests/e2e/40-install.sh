#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# "./autogen.sh install" and "remove", twice each, on a copy of this machine: an
# overlay over its root, in the test's namespaces. The packages must be here.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need rsyslogd nft autoreconf gcc make

root=$E2E/root
mkdir -p $root $E2E/over
mount -t tmpfs tmpfs $E2E/over
mkdir $E2E/over/upper $E2E/over/work
mount -t overlay -o "lowerdir=/,upperdir=$E2E/over/upper,workdir=$E2E/over/work" \
	overlay $root 2>/dev/null || skip_all "no overlay file system here"
mount -t proc proc $root/proc
mount -t sysfs sysfs $root/sys 2>/dev/null
mount -t tmpfs tmpfs $root/run
mount -t tmpfs tmpfs $root/tmp
mount --rbind /dev $root/dev

inside() { chroot $root "$@"; }

# As a fresh machine is: Debian's rsyslog.conf (without kernel messages, which
# are this machine's), no include, no mailban.
rm -rf $root/etc/mailban $root/var/lib/mailban $root/usr/local/libexec/mailban \
	$root/usr/local/share/mailban $root/etc/rsyslog.d
mkdir -p $root/etc/rsyslog.d $root/var/spool/rsyslog $root/var/log
rsyslog_conf >$root/etc/rsyslog.conf
inside userdel mailban >/dev/null 2>&1
inside userdel mailban-nft >/dev/null 2>&1
mkdir $root/tmp/tree
(cd "$srcdir" && tar -c --exclude=.git --exclude='*.o' --exclude='*.a' .) |
	tar -x -C $root/tmp/tree
inside make -s -C /tmp/tree distclean >/dev/null 2>&1

# The machine's own firewall, of which nothing may change.
nft -f - <<-'END'
	table inet mine {
		chain input {
			type filter hook input priority 0; policy accept;
			tcp dport 1 drop
		}
	}
END
firewall() { nft list ruleset | sed '/^table inet mailban/,/^}/d'; }
firewall >$E2E/firewall

start_inside() {
	rm -f $root/dev/log
	inside rsyslogd >>$E2E/rsyslogd.out 2>&1
	wait_for 10 test -s $root/run/rsyslogd.pid
}
rsyslogd_runs() { kill -0 "$(cat $root/run/rsyslogd.pid)"; }
first_pid() { cat $root/run/rsyslogd.pid; }

# ---- install ----

start_inside
before=$(first_pid)
setup() { inside /tmp/tree/autogen.sh "$1" >$E2E/"$1".out 2>&1; }
check "install" setup install
[ "$tests_failed" = 0 ] || finish
check_equal "it says in five lines what happens now" 5 \
	"$(grep -vcE '^(mailban: |keeping)' <(tail -n 5 $E2E/install.out))"
check "rsyslogd was restarted" test "$before" != "$(first_pid)"
check "and runs" rsyslogd_runs
check_soon "ommailban runs without a message" 10 inside mailban status
check "the user mailban is there" inside getent passwd mailban
check "the ledger's folder is not for everybody" \
	test -z "$(find $root/var/lib/mailban -maxdepth 0 -perm /007)"
if command -v logrotate >/dev/null; then
	check "logrotate takes its configuration" \
		inside logrotate -d /etc/logrotate.d/mailban
else
	skip "logrotate takes its configuration" "no logrotate"
fi
check "the manual is there" test -s $root/usr/local/share/man/man8/ommailban.8
check "the firewall is as it was" diff $E2E/firewall <(firewall)

inside mailban ban 203.0.113.66 >/dev/null
check "mailban bans" in_kernel 203.0.113.66
failing() {
	seq -f "warning: unknown[203.0.113.67]: SASL LOGIN authentication failed: n=%.0f," \
		20 | inside logger -p mail.info -t 'postfix/smtpd[77]'
}
failing
check_soon "an attacker in the log is banned" 10 in_kernel 203.0.113.67

# ---- install again, with changes of the administrator's ----

echo "# mine" >>$root/etc/mailban/mailban.conf
echo "# theirs" >>$root/tmp/tree/etc/mailban.conf
before=$(first_pid)
check "install again" setup install
check "a changed configuration is kept" \
	grep -q '^# mine' $root/etc/mailban/mailban.conf
check "the new one is beside it" \
	grep -q '^# theirs' $root/etc/mailban/mailban.conf.new
check "rsyslogd runs" rsyslogd_runs
check_soon "ommailban too" 10 inside mailban status
check "bans live through it" in_kernel 203.0.113.67
check "the firewall is as it was" diff $E2E/firewall <(firewall)

# ---- an include that rsyslogd refuses ----

cp $root/tmp/tree/rsyslog.d/60-mailban.conf $E2E/good
cp $root/etc/rsyslog.d/60-mailban.conf $E2E/installed
echo 'nonsense(' >>$root/tmp/tree/rsyslog.d/60-mailban.conf
check_not "an include that rsyslogd refuses is an error" setup install
check "and what was there before is back" \
	cmp $E2E/installed $root/etc/rsyslog.d/60-mailban.conf
check "rsyslogd still accepts its configuration" inside rsyslogd -N1
check "and runs" rsyslogd_runs
cp $E2E/good $root/tmp/tree/rsyslog.d/60-mailban.conf

# ---- a configuration that ommailban refuses ----

echo "nonsense = 1" >>$root/etc/mailban/mailban.conf
check_not "a configuration that ommailban refuses is an error" setup install
check "which is named" grep -q 'mailban.conf:' $E2E/install.out
sed -i '/^nonsense/d' $root/etc/mailban/mailban.conf

# ---- remove ----

check "remove" setup remove
check "rsyslogd runs" rsyslogd_runs
check_not "the include is out" test -e $root/etc/rsyslog.d/60-mailban.conf
check_not "the table is gone" nft list table inet mailban
check_not "the programs are gone" test -e $root/usr/local/libexec/mailban
check "a changed configuration is kept" test -e $root/etc/mailban/mailban.conf
check "so is the ledger" test -e $root/var/lib/mailban
check "the firewall is as it was" diff $E2E/firewall <(firewall)
check "remove again" setup remove

# ---- where rsyslogd does not run ----

inside pkill -F /run/rsyslogd.pid
wait_for 10 eval '! rsyslogd_runs'
check "install where rsyslogd does not run" setup install
check_not "it is not started" rsyslogd_runs
start_inside
check_soon "once it is, ommailban runs" 10 inside mailban status
check "the ban of before is in force again" wait_for 5 in_kernel 203.0.113.67

[ "$tests_failed" = 0 ] || tail -n 15 $E2E/install.out $E2E/remove.out |
	sed 's/^/# /'
inside pkill -F /run/rsyslogd.pid
finish
