#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Debian's packages of mail servers, unpacked but not installed: they exclude
# each other, and a test must not start one on the machine. It must never change
# anything outside of its own folder.
#
# fetch.sh NAME...: exim sendmail opensmtpd courier cyrus. Each comes to be in
# $MAILBAN_SERVERS/NAME/root, /var/cache/mailban-tests by default, with whatever
# it needs that is not installed here. What is there already stays. With a
# reason on stderr the status is 1.

set -eu
export LC_ALL=C DEBIAN_FRONTEND=noninteractive
top=${MAILBAN_SERVERS:-/var/cache/mailban-tests}

packages_of() {
	case $1 in
	exim) echo exim4-daemon-heavy openssl ;;
	sendmail) echo sendmail-bin sendmail-cf m4 libsasl2-modules sasl2-bin ;;
	opensmtpd) echo opensmtpd openssl libssl-dev gcc libc6-dev ;;
	courier) echo courier-mta courier-imap courier-pop courier-authlib-userdb ;;
	cyrus) echo cyrus-imapd cyrus-pop3d cyrus-caldav sasl2-bin libsasl2-modules ;;
	*) return 1 ;;
	esac
}

die() {
	echo "fetch.sh: $*" >&2
	exit 1
}

# --download-only: what conflicts with it stays installed.
download() {
	apt-get install -y -q --download-only --no-install-recommends \
		-o Dir::Cache::archives="$dir/deb" -o APT::Sandbox::User=root \
		"$@" >"$dir/log" 2>&1
}

unpack() {
	for deb in "$dir"/deb/*.deb; do
		[ -e "$deb" ] || continue
		dpkg-deb -x "$deb" "$dir/new"
	done
	mkdir -p "$dir/new/usr" "$dir/new/etc"
	# On the machine these are links into /usr.
	for part in bin sbin lib lib64; do
		[ -d "$dir/new/$part" ] || continue
		mkdir -p "$dir/new/usr/$part"
		cp -a "$dir/new/$part/." "$dir/new/usr/$part"
		rm -rf "${dir:?}/new/$part"
	done
}

fetch() {
	dir=$top/$1
	[ ! -d "$dir/root" ] || return 0
	packages=$(packages_of "$1") || die "no such server: $1"
	command -v apt-get >/dev/null || die "no apt-get here"
	rm -rf "$dir"
	mkdir -p "$dir/deb/partial" || die "can't make $dir"
	# shellcheck disable=SC2086 # a list of words
	download $packages || {
		apt-get update -q >/dev/null 2>&1 || :
		download $packages
	} || die "apt-get can't get $packages: $(tail -n 1 "$dir/log")"
	unpack
	rm -rf "$dir/deb"
	mv "$dir/new" "$dir/root"
}

for name; do
	fetch "$name"
done
