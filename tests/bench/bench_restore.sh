#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# bench_restore.sh [NUMBER...]: so many bans from the ledger into the kernel,
# beside raw "nft -f" of the same elements: seconds from the start of ommailban
# to its first OK, which it gives when the kernel has them all.

here=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=tests/e2e/lib.sh
. "$here/../e2e/lib.sh"
need nft python3

prepare_mailban <<END
[mailban]
mode = enforce
END

# A ledger of so many bans, and the same as a file for nft.
make_bans() {
	python3 - $state/ledger.sqlite $E2E/bans.nft "$1" <<-'END'
		import random, socket, sqlite3, sys, time
		path, nft, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
		rng, now = random.Random(1), int(time.time() * 1e6)
		db = sqlite3.connect(path)
		bans = []
		for n in rng.sample(range(1 << 28), count):
		    address = "%d.%d.%d.%d" % (16 + (n >> 24), n >> 16 & 255, n >> 8 & 255, n & 255)
		    bans.append((address, rng.randrange(36000, 360000)))
		db.executemany("INSERT INTO ban (seq, network, network_key, begins_us,"
		    " ends_us, class, rule, count, level, origin) VALUES (?, ?, ?, ?,"
		    " ?, 'auth-failure', 'postfix-sasl-failure', 10, 0, 'local')",
		    ((i + 1, a, b"\x04" + socket.inet_aton(a) + b"\x20", now,
		      now + t * 10**6) for i, (a, t) in enumerate(bans)))
		db.execute("UPDATE meta SET last_seq = ?", (count + 1,))
		db.commit()
		with open(nft, "w") as f:
		    f.write("table inet mailban {\n set ban4 {\n type ipv4_addr\n"
		            " flags timeout\n counter\n size 4194304\n elements = {\n")
		    f.write(",\n".join("%s timeout %ds" % ban for ban in bans))
		    f.write("}\n }\n}\n")
	END
}

start() {
	python3 - $ommailban --config $E2E/mailban.conf --rules $E2E/rules \
		--state $state --control $control --helper $mailban_nft <<-'END'
		import subprocess, sys, time
		began = time.time()
		p = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE,
		                     stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
		line = p.stdout.readline()
		assert line.strip().lstrip(b".") == b"OK", line
		print("%.3f" % (time.time() - began))
		p.stdin.close()
		p.wait()
	END
}

raw() {
	python3 - $E2E/bans.nft <<-'END'
		import subprocess, sys, time
		began = time.time()
		subprocess.run(["nft", "-f", sys.argv[1]], check=True)
		print("%.3f" % (time.time() - began))
	END
}

least() { sort -n | head -n 1; }

printf '%9s %10s %10s %6s %10s\n' bans "nft -f" ommailban ratio "in kernel"
for number in ${@:-1000 10000 100000 1000000}; do
	rm -rf ${state:?}/*
	start >/dev/null # makes the ledger
	make_bans "$number"
	times=3
	[ "$number" -gt 200000 ] && times=1
	for ((i = 0; i < times; i++)); do
		nft flush ruleset
		raw
	done | least >$E2E/raw
	for ((i = 0; i < times; i++)); do
		nft flush ruleset
		start
	done | least >$E2E/ours
	have='-'
	[ "$number" -gt 200000 ] || have=$(nft -j list set inet mailban ban4 |
		grep -o '"val"' | wc -l)
	awk -v n="$number" -v raw="$(cat $E2E/raw)" -v ours="$(cat $E2E/ours)" \
		-v have="$have" 'BEGIN {
		printf "%9d %9.3fs %9.3fs %6.2f %10s\n", n, raw, ours, ours / raw, have }'
done
