#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The chain with each kind of queue that an administrator may give it, and each
# thing that may happen to it. The shipped one, on disk, loses nothing; what the
# others lose is said, and is why it is the shipped one.
#
# With a word, all figures of doc/durability.md: 46-queues.sh measure.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need rsyslogd nft python3
[ -n "$(find /usr/lib* -name imrelp.so -print -quit)" ] ||
	skip_all "no imrelp here (package rsyslog-relp)"

prepare_mailban <<END
[auth-failure]
maxretry = 5
END
messages=4000 first=1

main_disk='main_queue(queue.type="Disk" queue.filename="main"
	queue.checkpointInterval="1" queue.workerThreads="1")'

# conf MAIN_QUEUE
conf() {
	cat <<-END >$E2E/rsyslog.conf
		$1
		module(load="imrelp")
		input(type="imrelp" address="127.0.0.1" port="2514")
	END
	rsyslog_conf >>$E2E/rsyslog.conf
}

# run OPTIONS...: what queues.py says. Numbers go on, so that none is old.
run() {
	rm -f /var/spool/rsyslog/*
	start_mailban >/dev/null
	wait_for 10 mailban_ready
	python3 "$srcdir/tests/crash/queues.py" --ommailban $ommailban \
		--nft $mailban_nft --conf $E2E/rsyslog.conf \
		--pidfile $E2E/rsyslog.pid --state $state \
		--log $E2E/rsyslogd.out --messages $messages --first $first \
		"$@" >$E2E/queues.txt 2>&1
	status=$?
	rsyslog_pid=$(cat $E2E/rsyslog.pid.now 2>/dev/null || cat $E2E/rsyslog.pid)
	kill "$rsyslog_pid" 2>/dev/null
	wait_for 30 stopped "$rsyslog_pid" || kill -KILL "$rsyslog_pid"
	rm -f $E2E/rsyslog.pid.now
	[ -e $ommailban ] || wait_for 10 test -e $ommailban
	return $status
}

# nothing_lost NAME OPTIONS...
nothing_lost() {
	local name=$1
	shift
	check "$name: nothing lost, nothing twice" run "$@"
	first=$((first + messages))
	sed 's/^/# /' $E2E/queues.txt
}

memory='s/queue.type="Disk"/queue.type="LinkedList"/
s/queue.filename="mailban"//
s/queue.saveOnShutdown="on"//'
# It has two workers while it spills, and so would have two ommailbans, of which
# the second can't start while the first runs.
assisted='s/queue.type="Disk"/queue.type="LinkedList" queue.highWatermark="300" queue.lowWatermark="100"/
s/queue.size="500000"/queue.size="600"/
s/forceSingleInstance="off"/forceSingleInstance="on"/
s/queue.timeoutEnqueue="0"/queue.timeoutEnqueue="60000"/'

if [ "${1:-}" = measure ]; then
	# name|main queue|include|options
	none='' hundred='s/checkpointInterval="1"/checkpointInterval="100"/'
	zero='s/queue.checkpointInterval="1"//'
	sync='s/checkpointInterval="1"/checkpointInterval="1" queue.syncQueueFiles="on"/'
	main_sync=${main_disk/queue.workerThreads/queue.syncQueueFiles=\"on\" queue.workerThreads}
	messages=20000
	while IFS='|' read -r name main include options; do
		conf "${!main}"
		edit_include=${!include}
		run $options
		first=$((first + messages))
		printf '%-58s %s\n' "$name" "$(cat $E2E/queues.txt)"
	done <<-END
		/dev/log, main queue in memory, killed 5 times|none|none|--input unix --event kill --times 5
		/dev/log, main queue on disk, killed 5 times|main_disk|none|--input unix --event kill --times 5
		RELP, main queue in memory, killed 5 times|none|none|--event kill --times 5
		RELP, main queue on disk, killed 5 times|main_disk|none|--event kill --times 5
		the same, checkpointInterval 100 for mailban|main_disk|hundred|--event kill --times 5
		the same, checkpointInterval 0 for mailban|main_disk|zero|--event kill --times 5
		the same, mailban's queue in memory|main_disk|memory|--event kill --times 5
		the same, mailban's queue disk-assisted|main_disk|assisted|--event kill --times 5
		RELP, main queue in memory, undisturbed|none|none|--event none
		RELP, main queue on disk, undisturbed|main_disk|none|--event none
		the same, both with syncQueueFiles|main_sync|sync|--event none
		the same, mailban's queue in memory|main_disk|memory|--event none
	END
	exit
fi

conf "$main_disk"
for event in none hup restart stuck missing kill; do
	times=3
	[ $event = stuck ] && times=1
	[ $event = missing ] && times=1
	nothing_lost "on disk, $event" --event $event --times $times --rate 1500
done
edit_include=$memory
for event in hup restart missing; do
	times=3
	[ $event = missing ] && times=1
	nothing_lost "in memory, $event" --event $event --times $times --rate 1500
done
edit_include=$assisted
# Not "missing": rsyslogd 8.2302 crashes then (rsyslog issue 5017).
for event in hup restart; do
	nothing_lost "disk-assisted, $event" --event $event --times 3 --rate 1500
done
finish
