#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Compares what the rules say with what is right.

judge.py MESSAGES VERDICTS BANS [--least N] < EXPECTATIONS

MESSAGES: rsyslog's JSON lines; those with the tag "case" begin a case.
VERDICTS: what "mailban test --json" says of each, BANS: what
"mailban replay --json" says when one offence is enough.
EXPECTATIONS, one a line:
    CASE CLASS [user=NAME]    an attempt of the case is recognised so
    CASE none                 nothing of the case is an offence
The attacker's addresses alone may be charged, whatever he writes. --least N:
so many messages held the victim's address, or the hostile text went nowhere.

Answers are lines of: ok or not, name, detail, with tabs between.
"""
import argparse
import json
import sys

ATTACKERS = {"203.0.113.66", "2001:db8:a::66"}
ATTACKER_NETS = ATTACKERS | {"203.0.113.66/32", "2001:db8:a::/64"}
# What mailban exempts by itself: a server's own connections.
OWN = {None, "127.0.0.1", "127.0.0.1/32", "::1"}
VICTIM = "198.51.100.9"
OFFENCES = {"auth-failure", "unknown-client", "rejected", "protocol-abuse",
            "spam"}


def read(name):
    with open(name, "rb") as file:
        for line in file:
            yield json.loads(line.decode("utf-8", "replace"), strict=False)


def pairs(options):
    """(case, message, verdict) of each line."""
    case = "start"
    for message, verdict in zip(read(options.messages),
                                read(options.verdicts)):
        if message["tag"].startswith("case"):
            case = message["msg"].strip()
        else:
            yield case, message, verdict


def show(message, verdict):
    return "%s %s [%s %s %s]" % (message["tag"], message["msg"].strip()[:600],
                                 verdict["class"], verdict["address"],
                                 verdict["rule"])


def answer(good, name, lines=()):
    detail = "\\n".join(show(*line) for line in lines[:12])
    print("ok" if good else "not", name, detail.replace("\t", " "), sep="\t")


def right(verdict, kind, user):
    if verdict["class"] != kind:
        return False
    if user is not None and verdict.get("user") != user:
        return False
    # Without an address it is the session's, which the bans tell.
    return verdict["address"] is None or verdict["address"] in ATTACKERS


def expect(line, by_case):
    case, kind, *rest = line.split()
    lines = by_case.get(case, [])
    user = rest[0].partition("=")[2] if rest else None
    if kind == "none":
        bad = [x for x in lines if x[1]["class"] in OFFENCES]
        answer(not bad, "%s is no offence" % case, bad)
        return
    good = any(right(verdict, kind, user) for _, verdict in lines)
    answer(good, "%s is recognised: %s" % (case, " ".join([kind] + rest)),
           lines)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("messages")
    parser.add_argument("verdicts")
    parser.add_argument("bans")
    parser.add_argument("--least", type=int, default=10)
    options = parser.parse_args()
    by_case, hostile, bad = {}, 0, []
    for case, message, verdict in pairs(options):
        by_case.setdefault(case, []).append((message, verdict))
        hostile += VICTIM in message["msg"]
        if verdict["address"] not in ATTACKERS | OWN:
            bad.append((message, verdict))
    for line in sys.stdin:
        if line.strip():
            expect(line, by_case)
    total = sum(len(lines) for lines in by_case.values())
    answer(hostile >= options.least,
           "%d of %d messages hold the victim's address" % (hostile, total))
    answer(not bad, "none of them charges it", bad)
    banned = {ban["address"] for ban in read(options.bans)}
    wrong = sorted(banned - ATTACKER_NETS - OWN)
    answer(not wrong, "whole, session by session, they ban nobody else %s"
           % " ".join(wrong))
    answer(banned & ATTACKER_NETS, "but the attacker")


if __name__ == "__main__":
    main()
