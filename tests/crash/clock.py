#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Clocks that are wrong or are set: windows run on rsyslog's reception time
("time"), nobody is banned early, no ban is lost or longer than it should be.

clock.py FILE STATE COMMAND...: FILE holds how many seconds the preloaded clock
of ommailban is off. Answers are TAP, without a plan.
"""
import datetime
import json
import os
import sqlite3
import subprocess
import sys
import time

from omprog import Program

HOUR = 3600
number = 0
done = 0


def say(good, name, more=""):
    global done
    done += 1
    print("%sok %d - %s" % ("" if good else "not ", done, name))
    if not good and more:
        print("# " + more)


def iso(seconds, zone="Z", fraction=True):
    when = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    if zone != "Z":
        hours, minutes = int(zone[:3]), int(zone[0] + zone[4:])
        when += datetime.timedelta(hours=hours, minutes=minutes)
    return when.strftime("%Y-%m-%dT%H:%M:%S") + \
        (".%06d" % when.microsecond if fraction else "") + zone


class Clock:
    def __init__(self, path):
        self.path, self.offset = path, 0

    def set(self, offset):
        self.offset = offset
        with open(self.path, "w", encoding="ascii") as f:
            f.write("%d\n" % offset)

    def now(self):
        return time.time() + self.offset


def offend(program, client, at, reported=None, failure=True):
    """One offence: a failed login (maxretry 5 in a day), or a command that is
    none (5 in ten minutes). at: when rsyslog received it."""
    global number
    number += 1
    text = "warning: unknown[%s]: SASL LOGIN authentication failed: n=%d" \
        if failure else \
        "warning: non-SMTP command from unknown[%s]: GET /%d HTTP/1.1"
    program.transaction([json.dumps({
        "time": iso(at), "reported": reported or iso(at), "host": "mail",
        "from": "127.0.0.1", "tag": "postfix/smtpd[77]:",
        "msg": " " + text % (client, number)}).encode()])


def left(client):
    """Seconds for which the kernel will drop it; None: it is not banned."""
    out = subprocess.run(["nft", "-j", "list", "set", "inet", "mailban",
                          "ban4"], stdout=subprocess.PIPE, check=True).stdout
    for item in json.loads(out)["nftables"]:
        for e in item.get("set", {}).get("elem", []):
            if isinstance(e, dict) and e["elem"]["val"] == client:
                return e["elem"].get("expires", 10**9)
    return None


def about(value, want):
    return value is not None and want - 15 <= value <= want + 2


def reported_does_not_matter(program, clock):
    now = clock.now()
    lately = datetime.datetime.fromtimestamp(now, datetime.timezone.utc)
    cases = {
        "from the future": lambda i: iso(now + 86400 * 30 + i),
        "from last year": lambda i: iso(now - 86400 * 366 + i),
        "from before 1970": lambda i: "1969-12-31T23:59:5%d.000001Z" % i,
        # RFC 3164 has no year and no fraction; rsyslogd gives it a year.
        "without year or fraction": lambda i: iso(now, fraction=False),
        "from December, read in January": lambda i: "%d-12-31T23:59:59+00:00"
                                                    % (lately.year + 1),
        "of zone +05:30": lambda i: iso(now + i, "+05:30"),
        "of zone -11:00": lambda i: iso(now + i, "-11:00"),
        "of local time said to be UTC": lambda i: iso(now + 2 * HOUR + i),
    }
    for i, (name, reported) in enumerate(cases.items()):
        client = "21.1.%d.1" % i
        for k in range(4):
            offend(program, client, now + k * 0.01, reported(k))
        say(left(client) is None, "reported %s: four are no ban" % name)
        offend(program, client, now + 0.05, reported(4))
        say(about(left(client), HOUR),
            "reported %s: five are one, of an hour" % name,
            "left: %s" % left(client))


def reception_time_counts(program, clock):
    now = clock.now()
    for k in range(5):
        offend(program, "21.2.1.1", now - 16 * 60 + 4 * 60 * k, iso(now),
               failure=False)
    say(left("21.2.1.1") is None,
        "five within 16 minutes are no ban for 10, whatever was reported")
    for k in range(5):
        offend(program, "21.2.2.1", now - 8 * 60 + 2 * 60 * k,
               iso(now - HOUR * k), failure=False)
    say(about(left("21.2.2.1"), HOUR), "five within 8 minutes are one",
        "left: %s" % left("21.2.2.1"))
    for k in range(5):
        offend(program, "21.2.3.1", now - HOUR / 2 + k * 0.1)
    say(about(left("21.2.3.1"), HOUR / 2),
        "what waited in the queue for half an hour bans for the other half",
        "left: %s" % left("21.2.3.1"))
    for k in range(5):
        offend(program, "21.2.4.1", now - 2 * HOUR + k * 0.1)
    say(left("21.2.4.1") is None, "what waited for two hours bans no more")


def set_back(program, clock, start):
    for k in range(3):
        offend(program, "21.3.1.1", clock.now())
    for k in range(5):
        offend(program, "21.3.2.1", clock.now())
    before = left("21.3.2.1")
    clock.set(clock.offset - HOUR)
    offend(program, "21.3.1.1", clock.now())
    say(left("21.3.1.1") is None,
        "set back an hour: three before and one after are no ban")
    offend(program, "21.3.1.1", clock.now())
    say(about(left("21.3.1.1"), HOUR), "set back: the fifth is one",
        "left: %s" % left("21.3.1.1"))
    say(about(left("21.3.2.1"), before),
        "set back: a ban of before is neither lost nor longer",
        "left: %s of %s" % (left("21.3.2.1"), before))
    program.process.kill()
    program.end()
    program = start()
    say(about(left("21.3.2.1"), HOUR),
        "set back, restarted: it is not longer than it was meant",
        "left: %s of %s" % (left("21.3.2.1"), before))
    for k in range(5):
        offend(program, "21.3.3.1", clock.now())
    say(about(left("21.3.3.1"), HOUR), "set back, restarted: new bans come")
    return program


def set_forward(program, clock):
    for k in range(3):
        offend(program, "21.4.1.1", clock.now())
    for k in range(5):
        offend(program, "21.4.2.1", clock.now())
    before = left("21.4.2.1")
    clock.set(clock.offset + HOUR)
    time.sleep(1.2)  # the tick that looks for what has ended
    offend(program, "21.4.1.1", clock.now())
    say(left("21.4.1.1") is None,
        "set forward an hour: three before and one after are no ban")
    offend(program, "21.4.1.1", clock.now())
    say(about(left("21.4.1.1"), HOUR), "set forward: the fifth is one",
        "left: %s" % left("21.4.1.1"))
    say(about(left("21.4.2.1"), before),
        "set forward: the kernel holds a ban of before to its own end",
        "left: %s of %s" % (left("21.4.2.1"), before))


def received_in_the_future(program, clock):
    """rsyslogd's clock was a day ahead, and is no more."""
    for k in range(5):
        offend(program, "21.5.1.1", clock.now() + 86400 + k)
    say(about(left("21.5.1.1"), HOUR),
        "received in the future: a ban is no longer than bantime",
        "left: %s" % left("21.5.1.1"))
    for k in range(5):
        offend(program, "21.5.2.1", clock.now() + k * 0.01)
    say(about(left("21.5.2.1"), HOUR), "and those received now count as ever",
        "left: %s" % left("21.5.2.1"))


def counted_once(state):
    wait = time.time() + 10
    while time.time() < wait:
        db = sqlite3.connect("file:%s/ledger.sqlite?mode=ro" % state, uri=True)
        rows, messages = db.execute(
            "SELECT count(*), count(DISTINCT msg) FROM offence").fetchone()
        db.close()
        if rows == number:
            break
        time.sleep(0.2)
    say(rows == messages == number, "each offence is in the ledger once",
        "%d, %d different, of %d" % (rows, messages, number))


def main():
    clock = Clock(sys.argv[1])
    command = sys.argv[3:]
    clock.set(0)

    def start():
        return Program(command, LD_PRELOAD=os.environ["CLOCK_PRELOAD"])

    program = start()
    reported_does_not_matter(program, clock)
    reception_time_counts(program, clock)
    program = set_back(program, clock, start)
    set_forward(program, clock)
    clock.set(0)
    received_in_the_future(program, clock)
    counted_once(sys.argv[2])
    program.end()


main()
