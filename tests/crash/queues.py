#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a choice of rsyslogd's queues loses: offences are sent at full speed or
at a rate, things happen to rsyslogd and ommailban meanwhile, and at the end
all that rsyslogd accepted is looked for in the ledger. One line of figures.
"""
import argparse
import collections
import os
import signal
import sqlite3
import subprocess
import sys
import time

import senders
from kills import ID, Killer, is_zombie, pids_of, wait


class Events:
    """Each is done some times while messages come in."""

    def __init__(self, options):
        self.options = options
        options.kills = 0
        self.killer = Killer(options, None, self)

    def cut(self):
        """Killer tells that rsyslogd is dead."""

    def kill(self):
        os.kill(self.killer.rsyslogd, signal.SIGKILL)
        self.reap(1)
        self.killer.start()

    def restart(self):
        os.kill(self.killer.rsyslogd, signal.SIGTERM)
        self.reap(60)
        self.killer.start()

    def reap(self, seconds):
        end = time.time() + seconds
        pid = self.killer.rsyslogd
        while os.path.exists("/proc/%d" % pid) and not is_zombie(pid):
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                pass
            if time.time() > end:
                sys.exit("rsyslogd does not end")
            time.sleep(0.005)

    def hup(self):
        os.kill(self.killer.rsyslogd, signal.SIGHUP)

    def stuck(self):
        """Silent beyond confirmTimeout: rsyslogd kills and replaces it."""
        pids = pids_of(self.options.ommailban)
        if pids:
            os.kill(pids[0], signal.SIGSTOP)

    def missing(self):
        """The action is suspended, until the program is there again."""
        away = self.options.ommailban + ".away"
        os.rename(self.options.ommailban, away)
        for pid in pids_of(away):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        subprocess.Popen(["sh", "-c", "sleep 5; mv '%s' '%s'" % (
            away, self.options.ommailban)])


def found(state):
    db = sqlite3.connect("file:%s/ledger.sqlite?mode=ro" % state, uri=True,
                         timeout=20)
    numbers = collections.Counter(
        int(ID.search(row[0].encode()).group(1)) for row in
        db.execute("SELECT msg FROM offence WHERE msg LIKE '%n=%'"))
    db.close()
    return numbers


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("--event", default="none", choices=(
        "none", "kill", "restart", "hup", "stuck", "missing"))
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--messages", type=int, default=6000)
    parser.add_argument("--rate", type=int, default=0, help="0: full speed")
    parser.add_argument("--input", choices=("relp", "unix"), default="relp")
    parser.add_argument("--port", type=int, default=2514)
    parser.add_argument("--first", type=int, default=1)
    for name in ("ommailban", "nft", "conf", "pidfile", "state", "log"):
        parser.add_argument("--" + name, required=True)
    options = parser.parse_args()
    with open(options.pidfile, encoding="ascii") as f:
        options.rsyslogd_pid = int(f.read())
    return options


def main():
    options = parse()
    sender = senders.Relp(options.port) if options.input == "relp" \
        else senders.Datagram()
    events = Events(options)
    first, sent = options.first, 0
    due = [options.messages * (i + 1) // (options.times + 1)
           for i in range(options.times if options.event != "none" else 0)]
    started = time.time()
    while sent < options.messages or sender.pending():
        ahead = options.messages if not options.rate else \
            (time.time() - started) * options.rate
        while sent < min(ahead, options.messages) and sender.pending() < 500:
            n = first + sent
            sender.put(n, "warning: unknown[12.%d.%d.%d]: SASL LOGIN "
                       "authentication failed: n=%d," % (
                           n >> 16 & 255, n >> 8 & 255, n & 255, n))
            sent += 1
        sender.work()
        if due and sent >= due[0]:
            due.pop(0)
            getattr(events, options.event)()
        if is_zombie(events.killer.rsyslogd):
            sys.exit("rsyslogd has ended by itself")
        if time.time() - started > 60:
            sys.exit("rsyslogd takes no more messages: %d of %d" % (
                len(sender.accepted), options.messages))
    took = time.time() - started
    accepted = set(sender.accepted)

    def all_there():
        try:
            return accepted <= set(found(options.state))
        except sqlite3.Error:
            return False

    # Nothing more comes: what is not there now is lost.
    count, quiet = -1, 0
    while quiet < 60 and not all_there():
        now = len(found(options.state))
        quiet = quiet + 1 if now == count else 0
        count = now
        time.sleep(0.5)
    numbers = found(options.state)
    lost = len(accepted - set(numbers))
    twice = sum(c > 1 for c in numbers.values())
    print("accepted=%d sent_again=%d accepted_per_s=%.0f judged_per_s=%.0f "
          "lost=%d twice=%d" % (
              len(accepted), sender.resent, len(accepted) / took,
              len(accepted) / (time.time() - started), lost, twice))
    with open(options.pidfile + ".now", "w", encoding="ascii") as f:
        f.write("%d\n" % events.killer.rsyslogd)
    sys.exit(1 if lost or twice else 0)


main()
