#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Kills ommailban, mailban-nft and rsyslogd by turns at random moments, under
load, and reckons at the end: each offence that rsyslogd accepted stands in the
ledger exactly once, each ban that the counts demand is in the ledger and the
kernel, and no other. To be run inside the namespaces of tests/e2e/lib.sh.

Two witnesses say what rsyslogd accepted. With RELP and the main queue on disk
it is all that it acknowledged. In any case it is all that its queue for mailban
has noted down in its files, which are read along while they are written.
"""
import argparse
import collections
import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import time

import senders

MAXRETRY = 5
ID = re.compile(rb"n=(\d+),")


def pids_of(program):
    """Processes of that program, the eldest first."""
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            if os.readlink("/proc/%s/exe" % name) == program:
                found.append(int(name))
        except OSError:
            pass
    return sorted(found)


def kill_pid(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False  # it has just ended by itself
    return True


class Witness:
    """Reads the files of rsyslogd's queue while they are written, as far as
    its state file (.qi) says that they are valid. What is behind that when it
    is killed was not in the queue yet, and is written over later."""
    END = b">End\n.\n"

    def __init__(self, folder, queue):
        self.folder, self.queue = folder, queue
        self.files = {}  # name: [file, offset up to which it has been read]
        self.noted = set()
        self.not_noted = set()
        self.no_state = 0

    def _state(self):
        """Number of the file being written and how far it is valid."""
        try:
            with open(os.path.join(self.folder, self.queue + ".qi"), "rb") as f:
                text = f.read()
        except OSError:
            return None, 0
        number = re.search(rb"iCurrFNum:\d+:\d+:(\d+):\n", text)
        offset = re.search(rb"iCurrOffs:\d+:\d+:(\d+):\n", text)
        if not number or not offset:  # it is being written
            return None, 0
        return "%s.%08d" % (self.queue, int(number.group(1))), \
            int(offset.group(1))

    def read(self):
        pattern = re.compile(re.escape(self.queue) + r"\.\d+$")
        for name in os.listdir(self.folder):
            if name not in self.files and pattern.match(name):
                # Kept open, it can be read when it has been deleted.
                self.files[name] = [open(os.path.join(self.folder, name),
                                         "rb"), 0]
        current, valid = self._state()
        if not current:
            return False
        for name, entry in self.files.items():
            if name <= current:
                self._read_on(entry, valid if name == current else None)
        return True

    def _read_on(self, entry, valid):
        entry[0].seek(entry[1])
        data = entry[0].read() if valid is None else \
            entry[0].read(max(0, valid - entry[1]))
        end = data.rfind(self.END)
        if end < 0:
            return
        entry[1] += end + len(self.END)
        self.noted.update(int(n) for n in ID.findall(data[:end]))

    def cut(self):
        """rsyslogd has been killed."""
        if not self.read():
            self.no_state += 1
            return
        for entry in self.files.values():
            entry[0].seek(entry[1])
            self.not_noted.update(
                int(n) for n in ID.findall(entry[0].read()))

    def finish(self):
        self.read()
        self.not_noted -= self.noted


class Plan:
    """Which client fails next: some hundred at a time, with one to MAXRETRY
    failures each, and a few whose failures are spread over all of the run."""

    def __init__(self, rng):
        self.rng, self.clients, self.number = rng, 0, 0
        self.pool, self.slow = [], []
        self.of = {}  # number of the message: client
        for _ in range(100):
            self.slow.append([self._client(), MAXRETRY])

    def _client(self):
        i = self.clients
        self.clients += 1
        # Each in a network of its own.
        if i % 4 == 3:
            return "2a%02x:%x:%x:1::%x" % (i >> 16, i & 0xffff, i % 7 + 1,
                                           i % 9 + 1)
        return "%d.%d.%d.%d" % (11 + (i >> 16), i >> 8 & 255, i & 255,
                                i % 250 + 1)

    def next(self):
        rng = self.rng
        while len(self.pool) < 300:
            self.pool.append([self._client(), rng.choice((1, 2, 3, 4, 5, 5))])
        slow = self.slow and rng.random() < 0.01
        return self._take(self.slow if slow else self.pool)

    def rest(self):
        while self.pool or self.slow:
            yield self._take(self.pool or self.slow)

    def _take(self, some):
        i = self.rng.randrange(len(some))
        some[i][1] -= 1
        client, left = some[i]
        if not left:
            some[i] = some[-1]
            some.pop()
        self.number += 1
        self.of[self.number] = client
        return self.number, ("warning: unknown[%s]: SASL LOGIN authentication "
                             "failed: n=%d," % (client, self.number))


class Killer:
    TARGETS = ("ommailban", "mailban-nft", "rsyslogd")

    def __init__(self, options, rng, witness):
        self.options, self.rng, self.witness = options, rng, witness
        self.count = collections.Counter()
        self.turns = []
        self.program = {"ommailban": options.ommailban,
                        "mailban-nft": options.nft}
        self.rsyslogd = options.rsyslogd_pid
        self.next_at = time.time() + 0.5
        self.missing_since = None

    def done(self):
        return all(self.count[t] >= self.options.kills for t in self.TARGETS)

    def work(self):
        now = time.time()
        if now < self.next_at:
            return
        if not self.turns:
            self.turns = list(self.TARGETS)
            self.rng.shuffle(self.turns)
        if self.turns[-1] == "rsyslogd":
            self.kill_rsyslogd()
        elif not self.kill(self.program[self.turns[-1]]):
            # Being started. Nothing may take longer than this to come back.
            self.missing_since = self.missing_since or now
            if now - self.missing_since > 30:
                sys.exit("%s does not come back" % self.turns[-1])
            self.next_at = now + 0.01
            return
        self.missing_since = None
        self.count[self.turns.pop()] += 1
        self.next_at = now + self.rng.uniform(0, self.options.pause)

    @staticmethod
    def kill(program):
        pids = pids_of(program)
        # The starter of mailban-nft has ommailban's file too.
        return bool(pids) and kill_pid(pids[0])

    def kill_rsyslogd(self):
        os.kill(self.rsyslogd, signal.SIGKILL)
        # As systemd does, and a lack of memory may: all at once.
        if self.rng.random() < 0.3:
            self.count["all at once"] += 1
            for program in self.program.values():
                for pid in pids_of(program):
                    kill_pid(pid)
        try:
            os.waitpid(self.rsyslogd, 0)
        except ChildProcessError:
            while os.path.exists("/proc/%d" % self.rsyslogd) and \
                    not is_zombie(self.rsyslogd):
                time.sleep(0.001)
        self.witness.cut()
        self.start()

    def start(self):
        for path in ("/dev/log", self.options.pidfile):
            try:
                os.unlink(path)
            except OSError:
                pass
        with open(self.options.log, "ab") as out:
            self.rsyslogd = subprocess.Popen(
                ["rsyslogd", "-n", "-f", self.options.conf, "-i",
                 self.options.pidfile], stdin=subprocess.DEVNULL,
                stdout=out, stderr=out).pid


def is_zombie(pid):
    try:
        with open("/proc/%d/stat" % pid, encoding="ascii") as f:
            return f.read().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


class Reckoning:
    """expected must be in the ledger, maybe can be: rsyslogd was killed when
    it had written those but not noted them, and it may have handed them on."""

    def __init__(self, options, plan, expected, maybe):
        self.options, self.plan = options, plan
        self.expected, self.maybe = expected, maybe
        self.bans = set()
        self.faults = []
        self.demand(set())

    def demand(self, found):
        counts = collections.Counter(
            self.plan.of[n] for n in self.expected | (self.maybe & found))
        self.bans = {c for c, n in counts.items() if n >= MAXRETRY}

    def ledger(self):
        path = os.path.join(self.options.state, "ledger.sqlite")
        db = sqlite3.connect("file:%s?mode=ro" % path, uri=True, timeout=10)
        found = collections.Counter(
            int(ID.search(row[0].encode()).group(1)) for row in
            db.execute("SELECT msg FROM offence WHERE msg LIKE '%n=%'"))
        not_counted = db.execute(
            "SELECT count(*) FROM offence WHERE NOT counted").fetchone()[0]
        bans = [row[0].split("/")[0] for row in
                db.execute("SELECT network FROM ban")]
        db.close()
        return found, not_counted, bans

    def all_there(self):
        try:
            found = set(self.ledger()[0])
            self.demand(found)
            return found >= self.expected
        except sqlite3.Error:
            return False

    def kernel(self):
        found = collections.Counter()
        for name in ("ban4", "ban6"):
            out = subprocess.run(
                ["nft", "-j", "list", "set", "inet", "mailban", name],
                stdout=subprocess.PIPE, check=False).stdout or b"{}"
            for item in json.loads(out).get("nftables", []):
                for e in item.get("set", {}).get("elem", []):
                    found[e["elem"]["val"] if isinstance(e, dict) else e] += 1
        return found

    def fault(self, what, some):
        if some:
            self.faults.append("%s: %d, such as %s" % (
                what, len(some), sorted(some)[:5]))

    def kernel_agrees(self):
        return set(self.kernel()) == {network(c) for c in self.bans}

    def reckon(self):
        found, not_counted, bans = self.ledger()
        self.fault("offences not in the ledger", self.expected - set(found))
        self.fault("offences twice in it", {n for n, c in found.items()
                                            if c > 1})
        self.fault("offences that were never accepted",
                   set(found) - self.expected - self.maybe)
        self.demand(set(found))
        if not_counted:
            self.faults.append("offences not counted: %d" % not_counted)
        want = {network(c) for c in self.bans}
        self.fault("bans not in the ledger", want - set(bans))
        self.fault("bans that nothing demanded", set(bans) - want)
        self.fault("bans twice", {b for b, c in
                                  collections.Counter(bans).items() if c > 1})
        kernel = set(self.kernel())
        self.fault("bans not in the kernel", want - kernel)
        self.fault("bans in the kernel that nothing demanded", kernel - want)


def network(client):
    """As ommailban and nft write it: of IPv6 the /64."""
    if ":" not in client:
        return client
    return client.split("::")[0] + "::"


def wait(seconds, done, *work):
    end = time.time() + seconds
    last = 0
    while time.time() < end:
        for one in work:
            one()
        if time.time() - last > 0.3:
            if done():
                return True
            last = time.time()
        time.sleep(0.005)
    return False


def load(options, sender, plan, killer, witness, rng):
    """Bursts and quiet moments, until all was killed often enough."""
    due, last = 0.0, time.time()
    rate = options.rate
    while not killer.done():
        now = time.time()
        due += (now - last) * rate
        last = now
        if rng.random() < 0.01:
            rate = options.rate * rng.choice((0.1, 0.5, 1, 2))
        # What is not taken piles up: no more of it than rsyslogd's window.
        while due >= 1 and sender.pending() < 2000:
            sender.put(*plan.next())
            due -= 1
        due = min(due, options.rate)
        sender.work()
        witness.read()
        killer.work()
        time.sleep(0.002)


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--input", choices=("relp", "unix"), default="relp")
    parser.add_argument("--port", type=int, default=2514)
    parser.add_argument("--rate", type=int, default=400)
    parser.add_argument("--pause", type=float, default=0.8)
    parser.add_argument("--seed", type=int)
    for name in ("ommailban", "nft", "conf", "pidfile", "state", "spool",
                 "log"):
        parser.add_argument("--" + name, required=True)
    options = parser.parse_args()
    with open(options.pidfile, encoding="ascii") as f:
        options.rsyslogd_pid = int(f.read())
    if options.seed is None:
        options.seed = random.randrange(1 << 30)
    return options


def main():
    options = parse()
    rng = random.Random(options.seed)
    sender = senders.Relp(options.port) if options.input == "relp" \
        else senders.Datagram()
    witness = Witness(options.spool, "mailban")
    plan = Plan(rng)
    killer = Killer(options, rng, witness)
    started = time.time()
    load(options, sender, plan, killer, witness, rng)
    for item in plan.rest():
        sender.put(*item)
    sent = wait(60, lambda: not sender.pending(), sender.work, witness.read)
    took = time.time() - started
    time.sleep(0.5)  # the last datagrams are on their way to the queue
    witness.finish()
    expected, maybe = witness.noted, witness.not_noted
    if options.input == "relp":
        expected, maybe = set(plan.of), set()
    reckoning = Reckoning(options, plan, expected, maybe)
    if not sent:
        reckoning.faults.append("rsyslogd does not take the last messages")
    wait(60, reckoning.all_there)
    wait(15, reckoning.kernel_agrees)
    witness.finish()
    reckoning.reckon()
    print("seed=%d seconds=%.0f kills: %s" % (options.seed, took, ", ".join(
        "%s %d" % item for item in sorted(killer.count.items()))))
    print("offences sent=%d accepted=%d sent_again=%d in_queue_files=%d "
          "accepted_not_in_queue_files=%d written_not_noted=%d no_state=%d" % (
              len(plan.of), len(sender.accepted), sender.resent,
              len(witness.noted), len(sender.accepted - witness.noted),
              len(witness.not_noted), witness.no_state))
    print("clients=%d bans_demanded=%d rate=%.0f/s" % (
        plan.clients, len(reckoning.bans), len(plan.of) / took))
    for fault in reckoning.faults:
        print("fault: " + fault)
    sys.exit(1 if reckoning.faults else 0)


if __name__ == "__main__":
    main()
