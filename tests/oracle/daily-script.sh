#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The daily shell routine that `policy = daily-script` reproduces, as the
# oracle for its test: prints the blacklist that a mail log gives. It adds no
# firewall rule and empties no log.
#
# usage: daily-script.sh LOG [BLACKLIST]
#
# With BLACKLIST, the addresses are appended to that file, which is then
# sorted and made unique, as the routine does day by day; else they go to
# standard output.

set -eu

if [ $# -lt 1 ] || [ $# -gt 2 ]; then
	echo "usage: $0 LOG [BLACKLIST]" >&2
	exit 2
fi
log=$1
blacklist=${2:-}
LC_ALL=C
export LC_ALL

# The first IPv4 address in brackets of each line on standard input.
bracketed() {
	awk 'match($0, /\[[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+\]/) {
		print substr($0, RSTART + 1, RLENGTH - 2)
	}'
}

# Addresses seen more than once in the lines that hold the text.
repeated() {
	{ grep -F -e "$1" "$log" || [ $? -eq 1 ]; } | bracketed | sort |
		uniq -c | awk '$1 > 1 { print $2 }'
}

all() {
	repeated 'authentication failed'
	repeated 'disconnect from unknown'
	repeated 'from unknown'
}

if [ -z "$blacklist" ]; then
	all | sort -V | uniq
else
	all >>"$blacklist"
	sort -V "$blacklist" | uniq >"$blacklist.new"
	mv "$blacklist.new" "$blacklist"
fi
