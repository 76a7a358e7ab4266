#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Power cuts: whatever COMMIT had answered OK for is there afterwards.

Speaks omprog's protocol to an ommailban with powercut.so preloaded, which
writes down every write, sync, creation, renaming and deletion in the state
folder, in order. Then, for random moments, the folder is made as a power cut at
that moment could have left it: what was synced, and of the rest of each file
a random part, whole writes or sectors of them, in any order; of the changes of
names not yet synced the first few. ommailban is started on it, gets what it had
not acknowledged once more, as rsyslogd would do, and in the end each offence
must be in the ledger exactly once, and each ban.

What is modelled and dm-log-writes would not: parts of a write may be lost
though later ones are there. What is not: a disk that lies about its cache.
"""
import argparse
import collections
import json
import os
import random
import re
import shutil
import sqlite3
import struct
import sys
import time

from omprog import Program

MAXRETRY = 5
HEAD = struct.Struct("<IIQQ")
SECTOR = 512


class Offences:
    def __init__(self, rng):
        self.rng, self.pool, self.clients = rng, [], 0
        self.all = []  # (line, client)

    def next(self):
        while len(self.pool) < 40:
            self.clients += 1
            c = self.clients
            self.pool.append(["11.%d.%d.9" % (c >> 8, c & 255),
                              self.rng.choice((1, 2, 3, 4, 5, 5))])
        i = self.rng.randrange(len(self.pool))
        client = self.pool[i][0]
        self.pool[i][1] -= 1
        if not self.pool[i][1]:
            self.pool.pop(i)
        number = len(self.all)
        now = time.time()
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + \
            ".%06d+00:00" % (now % 1 * 1e6)
        line = json.dumps({
            "time": stamp, "reported": stamp, "host": "mail",
            "from": "127.0.0.1", "tag": "postfix/smtpd[77]:",
            "msg": " warning: unknown[%s]: SASL LOGIN authentication failed: "
                   "n=%d, %s" % (client, number, "x" * self.rng.randrange(300))
        }).encode()
        self.all.append((line, client))
        return line


def record(options, rng, log):
    """One run; gives the offences, and after which byte of the log so many of
    them are promised."""
    offences, promised = Offences(rng), []
    end = time.time() + options.seconds
    while time.time() < end:
        program = Program(options.command + ["--state", options.folder],
                          LD_PRELOAD=options.preload, POWERCUT_LOG=log,
                          POWERCUT_FOLDER=options.folder)
        # Some runs end, some are killed: both are in the log.
        until = min(end, time.time() + rng.uniform(1, 4))
        while time.time() < until:
            program.transaction([offences.next() for _ in
                                 range(rng.choice((1, 1, 2, 5, 50)))])
            promised.append((os.path.getsize(log), len(offences.all)))
            time.sleep(rng.choice((0, 0, 0.001, 0.02)))
        if rng.random() < 0.5:
            program.process.kill()
        program.end()
    return offences, promised


def operations(log):
    with open(log, "rb") as f:
        data = f.read()
    at, found = 0, []
    while at < len(data):
        op, size, inode, offset = HEAD.unpack_from(data, at)
        at += HEAD.size
        found.append((at + size, chr(op), inode, offset, data[at:at + size]))
        at += size
    return found


class File:
    def __init__(self):
        self.synced, self.pending = bytearray(), []

    @staticmethod
    def apply(content, op):
        kind, offset, data = op
        if kind == "T":
            del content[offset:]
            content.extend(bytes(offset - len(content)))
            return
        if len(content) < offset:
            content.extend(bytes(offset - len(content)))
        content[offset:offset + len(data)] = data

    def sync(self):
        for op in self.pending:
            self.apply(self.synced, op)
        self.pending = []

    def left(self, rng):
        content = bytearray(self.synced)
        how = rng.choice(("none", "all", "some", "torn", "first"))
        first = rng.randrange(len(self.pending) + 1)
        for i, (kind, offset, data) in enumerate(self.pending):
            if how == "none" or how == "first" and i >= first or \
                    how in ("some", "torn") and rng.random() < 0.5:
                continue
            if how != "torn" or kind == "T":
                self.apply(content, (kind, offset, data))
                continue
            at = 0
            while at < len(data):
                # Sectors of the disk, not of the write.
                size = min(SECTOR - (offset + at) % SECTOR, len(data) - at)
                if rng.random() < 0.5:
                    self.apply(content, ("W", offset + at, data[at:at + size]))
                at += size
        return content


class Disk:
    """Replays the log up to a moment."""

    def __init__(self, lies):
        self.lies = lies  # a disk that does not sync: must be found out
        self.inodes = {}  # number: File, the newest of that number
        self.names, self.changes = {}, []

    def run(self, ops, start, end):
        while start < len(ops) and ops[start][0] <= end:
            self.one(*ops[start][1:])
            start += 1
        return start

    def one(self, op, inode, offset, data):
        if op == "C":
            self.inodes[inode] = File()
            self.changes.append((data.decode(), self.inodes[inode]))
        elif op in "WT":
            self.inodes[inode].pending.append((op, offset, data))
        elif op == "S" and not self.lies:
            self.inodes[inode].sync()
        elif op == "U":
            self.changes.append((data.decode(), None))
        elif op == "R":
            self.changes.append(tuple(data.decode().split("/")))
        elif op == "D":
            self.names = self.named(len(self.changes))
            self.changes = []

    def named(self, count):
        names = dict(self.names)
        for name, what in self.changes[:count]:
            if isinstance(what, str):
                names[what] = names.pop(name, None)
            elif what is None:
                names.pop(name, None)
            else:
                names[name] = what
        return names

    def leave(self, rng, folder, owner):
        names = self.named(rng.randrange(len(self.changes) + 1))
        for name, file in names.items():
            # Shared memory only; whoever comes first begins it anew.
            if file is None or name.endswith("-shm"):
                continue
            path = os.path.join(folder, name)
            with open(path, "wb") as out:
                out.write(file.left(rng))
            os.chown(path, owner.st_uid, owner.st_gid)
            os.chmod(path, 0o600)


def reckon(folder, offences, promised, count):
    """What is wrong with the ledger, given that the first count were sent.
    One that was not promised may be missing when its client is banned, for
    what a banned client does is not kept: the cut took this offence and left
    the ban behind it in the journal, when the offence came again. The reverse
    may be: the ban was cut off, and comes with the client's next offence."""
    db = sqlite3.connect("file:%s/ledger.sqlite?mode=ro" % folder, uri=True)
    found = collections.Counter(
        int(re.search(r"n=(\d+),", row[0]).group(1))
        for row in db.execute("SELECT msg FROM offence"))
    bans = sorted(row[0] for row in db.execute("SELECT network FROM ban"))
    intact = db.execute("PRAGMA integrity_check").fetchone()[0]
    db.close()
    clients = collections.Counter(c for _, c in offences.all[:count])
    want = sorted(c for c, n in clients.items() if n >= MAXRETRY)
    faults = []
    if intact != "ok":
        faults.append(intact)
    missing = {n for n in set(range(count)) - set(found)
               if n < promised or offences.all[n][1] not in bans}
    if missing or set(found) - set(range(count)):
        faults.append("offences missing %s, or too many %s" % (
            sorted(missing)[:9], sorted(set(found) - set(range(count)))[:9]))
    if len(found) != sum(found.values()):
        faults.append("offences twice")
    sure = collections.Counter(c for _, c in offences.all[:promised])
    late = {c for c in set(want) - set(bans) if sure[c] < MAXRETRY}
    if bans != [c for c in want if c not in late]:
        faults.append("bans differ: %s" % sorted(set(bans) ^ set(want))[:9])
    return faults


def after_cut(options, folder, offences, promised, sent):
    """Starts anew, first with nothing sent, then with what was not promised."""
    command = options.command + ["--state", folder]
    status = Program(command).end()
    faults = [] if status == 0 else ["status %d" % status]
    have = set(range(promised))
    db = sqlite3.connect("file:%s/ledger.sqlite?mode=ro" % folder, uri=True)
    found = {int(re.search(r"n=(\d+),", row[0]).group(1))
             for row in db.execute("SELECT msg FROM offence")}
    db.close()
    if have - found:
        faults.append("promised and lost: %d, such as %s" % (
            len(have - found), sorted(have - found)[:9]))
    program = Program(command)
    program.transaction([line for line, _ in offences.all[promised:sent]])
    program.end()
    return faults + reckon(folder, offences, promised, sent)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cuts", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--lies", action="store_true")
    parser.add_argument("--folder", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--preload", required=True)
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()
    seed = options.seed
    if seed is None:
        seed = random.randrange(1 << 30)
    rng = random.Random(seed)
    log = os.path.join(options.work, "powercut.log")
    offences, promises = record(options, rng, log)
    ops = operations(log)
    # Half of them anywhere, half right behind an answer.
    moments = sorted([rng.randrange(ops[-1][0])
                      for _ in range(options.cuts // 2)] +
                     [rng.choice(promises)[0]
                      for _ in range(options.cuts - options.cuts // 2)])
    print("seed=%d offences=%d commits=%d operations=%d log_bytes=%d" % (
        seed, len(offences.all), len(promises), len(ops), ops[-1][0]))
    disk, at, done, failed = Disk(options.lies), 0, 0, 0
    promised, sent, kept = 0, 0, 0
    for moment in moments:
        at = disk.run(ops, at, moment)
        while done < len(promises) and promises[done][0] <= moment:
            promised = promises[done][1]
            done += 1
        # One transaction at a time: this is the one it was about.
        sent = promises[done][1] if done < len(promises) else promised
        folder = os.path.join(options.work, "cut")
        shutil.rmtree(folder, ignore_errors=True)
        os.mkdir(folder)
        disk.leave(rng, folder, os.stat(options.folder))
        try:
            faults = after_cut(options, folder, offences, promised, sent)
        except (RuntimeError, sqlite3.Error, OSError) as error:
            faults = [str(error)]
        kept += promised
        if faults:
            failed += 1
            print("cut at byte %d (promised %d of %d): %s" % (
                moment, promised, sent, "; ".join(faults)))
            if failed == 1:
                shutil.copytree(folder, os.path.join(options.work, "first"))
    print("cuts=%d failed=%d promised_offences_checked=%d" % (
        len(moments), failed, kept))
    sys.exit(1 if failed else 0)


main()
