#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What an operator sees and does: why, status, list, import, export, report,
# metrics; who may; and that nobody at the control socket delays an answer to
# rsyslog or puts an escape on a terminal.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need rsyslogd nft python3

# Who may look, who may change, who may nothing.
for user in looker:64260 changer:64261 nobody2:64262; do
	echo "${user%:*}:x:${user#*:}:${user#*:}::/:/bin/sh" >>/etc/passwd
	echo "${user%:*}:x:${user#*:}:" >>/etc/group
done
printf 'lookers:x:64270:looker\nchangers:x:64271:changer\n' >>/etc/group

prepare_mailban <<'CONF'
[mailban]
state = /var/lib/mailban
control = /run/mailban/control
group = changers
read_group = lookers
[auth-failure]
maxretry = 3
CONF
start_mailban || skip_all "rsyslogd does not start"
check_soon "ommailban runs" 10 mailban_ready
[ "$tests_failed" = 0 ] || finish

# status STATUS COMMAND...: it ends with that exit status.
status() {
	local want=$1 got=0
	shift
	"$@" >$E2E/output 2>&1 || got=$?
	[ $got = "$want" ] || { echo "status $got"; cat $E2E/output; return 1; }
}
shows() { grep -qF -- "$1" $E2E/output; }
says() { # says TEXT COMMAND...
	local text=$1
	shift
	"$@" >$E2E/output 2>&1
	shows "$text" || { cat $E2E/output; return 1; }
}
json() { python3 -c 'import json,sys; o=json.load(open(sys.argv[1]))
print(eval(sys.argv[2]))' $E2E/output "$1"; }

# ---- why ----

check "nothing is known: status 1" status 1 mailban why 203.0.113.9
check "and it says so" shows "nothing is known"
# With a direction mark, U+202E.
evil=$'x\e[31mRED\a\xe2\x80\xae<b>'
for n in 1 2 3; do
	log_mail "warning: unknown[203.0.113.66]: SASL LOGIN authentication failed: n=$n, sasl_username=$evil"
done
check_soon "three failures are a ban" 10 banned 203.0.113.66
check "why: status 0" status 0 mailban why 203.0.113.66
check "it is banned" shows "203.0.113.66: banned"
check "by which class and rule" shows "auth-failure: 3 offences; rule postfix-sasl-failure"
check "in force in the kernel" shows "kernel     in force"
check "the evidence" shows "n=2, sasl_username=x"
check "which program" shows "by postfix/smtpd"
check "what to type" shows "mailban unban 203.0.113.66"
check_not "no escape reaches the terminal" grep -q $'\e' $E2E/output
check_not "no direction mark does" grep -q $'\xe2\x80\xae' $E2E/output
check "as JSON" status 0 mailban why 203.0.113.66 --json
check_equal "with evidence, bans, commands" "3 1 True" \
	"$(json 'len(o["evidence"]), len(o["bans"]), o["in_kernel"]' | tr -d '(),')"
check "explain is why" says "203.0.113.66: banned" mailban explain 203.0.113.66
mailban exempt add 192.0.2.0/24 --reason 'the office' >/dev/null
check "exempt, and by whom" says "the office" mailban why 192.0.2.7
check "unban" status 0 mailban unban 203.0.113.66
check "then it is not banned, at once" says "203.0.113.66: not banned" \
	mailban why 203.0.113.66
check "its history tells who lifted it" shows "by uid 0"

# ---- list, status, words ----

mailban banip 203.0.113.70 --for 1h >/dev/null
mailban ban 203.0.113.7 --for 2h >/dev/null
check "banned is list; sorted by address" says 203.0.113.70 \
	mailban banned --sort address
check_equal "7 before 70" "203.0.113.7 203.0.113.70" \
	"$(awk '/^203/ { printf "%s%s", s, $1; s = " " }' $E2E/output)"
check "by class" says "no bans in force" mailban list --class spam
check "a bad class: status 2" status 2 mailban list --class nonsense
check "a bad word: status 2" status 2 mailban stats
check "with the nearest" shows "did you mean 'status'"
check "unban of nothing: status 1" status 1 mailban unban 198.51.100.1
check "ban of what is exempt: status 4" status 4 mailban ban 192.0.2.1
check "status" says "2 by-hand" mailban status
check "as JSON" status 0 mailban status --json
check_equal "the kernel counts the same" "2 2" \
	"$(json 'o["bans"], o["kernel_bans"]' | tr -d '(),')"
check "every command's help fits a screen and has an example" eval '
	for c in $(mailban --help | awk "/^  [a-z]/ { print \$1 }"); do
		mailban $c --help >$E2E/output &&
		[ $(wc -l <$E2E/output) -le 24 ] && shows "example: mailban $c" || exit 1
	done'
for shell in bash zsh fish; do
	mailban completion $shell >$E2E/completion.$shell
	check "completion for $shell knows why" grep -q why $E2E/completion.$shell
	! command -v $shell >/dev/null || check "and $shell takes it" \
		$shell -n $E2E/completion.$shell
done

completes() { # completes WANT WORD...
	local want=$1
	shift
	COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
	_mailban
	[ "${COMPREPLY[*]}" = "$want" ] || { echo "${COMPREPLY[*]}"; return 1; }
}
# shellcheck disable=SC1091
. $E2E/completion.bash
check "bash completes a command" completes status mailban sta
check "an option" completes --class mailban list --cl
check "its value" completes spam mailban list --class sp
check "and a banned address" completes 203.0.113.70 mailban unban 203.0.113.70

# ---- import, export ----

python3 -c '
for i in range(100000):
    print(f"{11 + i // 65536}.{i // 256 % 256}.{i % 256}.{i * 7 % 256}")' >$E2E/many
begin=$(date +%s)
check "100,000 addresses are imported" status 0 \
	mailban import $E2E/many --source blacklist --for 1d
took=$(($(date +%s) - begin))
check "in a few seconds ($took)" test $took -le 8
check_equal "all are banned" 100002 "$(mailban export | wc -l)"
mailban export >$E2E/exported
check "export is what sort -V -u would give" cmp -s $E2E/exported \
	<(sort -V -u $E2E/exported)
check_soon "the kernel has them" 20 eval \
	'[ "$(nft_list | grep -c ^ban4)" = 100002 ]'
check "why still says whether the kernel has it" says "kernel     in force" \
	mailban why 11.0.3.21
check "and where it came from" shows "imported by uid 0: blacklist"
check "again: nothing to do" status 1 \
	mailban import $E2E/many --source blacklist --for 1h
check "lift them" status 0 mailban unban --all
printf '198.51.100.9\n127.0.0.1\n0.0.0.0/0\n\e[31mevil\n' >$E2E/mixed
check "a mixed list" status 0 mailban import $E2E/mixed
check "what is exempt stays out" shows "exempt     1"
check "what is too wide, too" shows "too wide   1"
check "what is no address is shown harmlessly" shows '\x1b[31mevil'
check_equal "one is banned" 198.51.100.9 "$(mailban export)"
mailban export --format nft >$E2E/export.nft
check "nft takes what export --format nft gives" nft -f $E2E/export.nft
nft delete table inet mailban_export

# ---- report, metrics ----

check "report" says "203.0.113.66" mailban report day
check_not "without an escape" grep -q $'\e' $E2E/output
check "as HTML" status 0 mailban report week --html $E2E/report.html
check "hostile names do no harm" grep -q '&lt;b&gt;' $E2E/report.html
check_not "no tag of theirs" grep -q '<b>' <(grep RED $E2E/report.html)
check_not "no script" grep -qi '<script' $E2E/report.html
check_not "nothing from elsewhere" grep -qE '(src|href)=|url\(|@import' $E2E/report.html
check "metrics" says "mailban_up 1" mailban metrics
check "in good form" python3 - $E2E/output <<'PY'
import re, sys
names = set()
for line in open(sys.argv[1]):
    if line.startswith("# TYPE "):
        names.add(line.split()[2])
    elif not line.startswith("#"):
        m = re.fullmatch(r'([a-z_]+)(\{[a-z]+="[a-z-]+"\})? -?\d+\n', line)
        assert m and m[1] in names, line
PY
check "the Grafana dashboard uses no others" python3 - $E2E/output \
	"$srcdir/doc/grafana.json" <<'PY'
import json, re, sys
made = set(re.findall(r"^# TYPE (\S+)", open(sys.argv[1]).read(), re.M))
text = open(sys.argv[2]).read()
json.loads(text)
used = set(re.findall(r"mailban_[a-z_]+", text))
assert len(used) > 10 and used <= made, used - made
PY
check "the textfile" status 0 mailban metrics --textfile $E2E/m.prom
check_equal "whole, and nothing beside it" m.prom "$(cd $E2E && echo m.prom*)"

# ---- access ----

as() { # as USER COMMAND...
	local user=$1
	shift
	setpriv --reuid "$user" --regid "$user" --init-groups -- \
		$E2E/bin/mailban --control $control "$@"
}
chmod 755 $E2E $E2E/bin
check "who may look: status" status 0 as looker status
check "list" status 0 as looker list
check "but not ban: status 4" status 4 as looker ban 203.0.113.99
check "nor unban" status 4 as looker unban --all
check "who may change: ban" status 0 as changer ban 203.0.113.99
check "anybody else: status 4" status 4 as nobody2 status
check "may change nothing" status 4 as nobody2 unban 203.0.113.99
check "who did it stands in the ledger" says "by uid 64261" \
	mailban why 203.0.113.99

# ---- rubbish, slow, many ----

cat >$E2E/rude.py <<'PY'
import os, socket, sys, time
path = sys.argv[1]
def connect():
    s = socket.socket(socket.AF_UNIX); s.settimeout(5); s.connect(path); return s
kept = []
end = time.time() + 6
rubbish = [b"\n", b"{}\n", b"[" * 5000 + b"\n", b"\0\xff" * 4000 + b"\n",
    b'{"request":7}\n', b'{"request":"ban","address":{}}\n',
    b'{"request":"import","addresses":[[],[1,2],{},null]}\n', b"x" * 200000,
    b'{"request":"list"}\n' * 50]
count = 0
while time.time() < end:
    try:
        s = connect()
        s.settimeout(0.01)
        s.send(rubbish[count % len(rubbish)])
        kept.append(s)
    except OSError:
        pass
    count += 1
    if len(kept) > 300:
        kept.pop(0).close()
print(count)
PY
python3 $E2E/rude.py $control >$E2E/rude.out 2>&1 &
rude=$!
begin=$(date +%s%N)
failures 203.0.113.150 1 3
check_soon "a ban comes while a thousand rude clients ask" 5 \
	in_kernel 203.0.113.150
took=$((($(date +%s%N) - begin) / 1000000))
check "within a second or two ($took ms)" test $took -lt 2500
wait $rude
check "there were a thousand ($(tail -n 1 $E2E/rude.out))" \
	test "$(tail -n 1 $E2E/rude.out)" -gt 1000
check "and mailban still answers" status 0 mailban status

# ---- not running ----

stop_rsyslog
check_soon "ommailban has ended" 10 eval '[ -z "$(pids_of $ommailban)" ]'
conf() { $E2E/bin/mailban "$@" --config $E2E/mailban.conf; }
check "status 3 when it does not run" status 3 conf status
check "with what was last known" shows "in force by the ledger"
check "why answers from the ledger and the kernel" says "203.0.113.99: banned" \
	conf why 203.0.113.99
check "in force in the kernel still" shows "kernel     in force"
check "list, too" says 203.0.113.99 conf list
check "metrics say so" says "mailban_up 0" conf metrics
check "ban: status 3" status 3 conf ban 203.0.113.100
finish
