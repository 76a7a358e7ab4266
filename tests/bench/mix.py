#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Prints what rsyslog's omprog would send, or the same as a plain log.

usage: mix.py LINES [--transaction N] [--log] [--seed N] [--clients N]

A realistic mix: 60 % benign Postfix, 15 % Dovecot, 10 % filters, 15 %
offences from N clients (default: one for every five offences, so that most
stay below every maxretry). --log: "Nov 25 10:00:00 mx1 tag: msg" lines, as a
log file has them. The same arguments give the same lines, but for their
times: the last one is now.
"""
import argparse
import datetime
import random

POSTFIX = [
    ("postfix/smtpd[{pid}]", "connect from {name}[{good}]"),
    ("postfix/smtpd[{pid}]", "{qid}: client={name}[{good}]"),
    ("postfix/cleanup[{pid}]", "{qid}: message-id=<{word}.{num}@{name}>"),
    ("postfix/qmgr[{pid}]",
     "{qid}: from=<{word}@{name}>, size={num}, nrcpt=1 (queue active)"),
    ("postfix/smtp[{pid}]",
     "{qid}: to=<{word}@example.net>, relay=mx.example.net[192.0.2.25]:25, "
     "delay=1.{pid}, delays=0.1/0/0.4/0.6, dsn=2.0.0, status=sent (250 2.0.0 "
     "Ok: queued as {qid})"),
    ("postfix/lmtp[{pid}]",
     "{qid}: to=<{word}@example.org>, relay=mx1[private/dovecot-lmtp], "
     "delay=0.3, delays=0.1/0/0/0.2, dsn=2.0.0, status=sent (250 2.0.0 "
     "<{word}@example.org> {qid} Saved)"),
    ("postfix/qmgr[{pid}]", "{qid}: removed"),
    ("postfix/smtpd[{pid}]",
     "disconnect from {name}[{good}] ehlo=2 starttls=1 mail=1 rcpt=1 data=1 "
     "quit=1 commands=7"),
    ("postfix/submission/smtpd[{pid}]",
     "{qid}: client={name}[{good}], sasl_method=PLAIN, "
     "sasl_username={word}@example.org"),
]
DOVECOT = [
    ("dovecot", "imap-login: Login: user=<{word}@example.org>, method=PLAIN, "
     "rip={good}, lip=192.0.2.1, mpid={pid}, TLS, session=<{sess}>"),
    ("dovecot", "imap({word}@example.org)<{pid}><{sess}>: Disconnected: "
     "Logged out in={num} out={num} deleted=0 expunged=0 trashed=0 "
     "hdr_count=1 hdr_bytes={num} body_count=0 body_bytes=0"),
    ("dovecot", "lmtp({word}@example.org)<{pid}><{sess}>: "
     "msgid=<{word}.{num}@{name}>: saved mail to INBOX"),
]
FILTERS = [
    ("amavis[{pid}]", "({pid}-01) Passed CLEAN {{RelayedInbound}}, [{good}]:"
     "{num} <{word}@{name}> -> <{word}@example.org>, Queue-ID: {qid}, "
     "Hits: -1.2, size: {num}, 812 ms"),
    ("opendkim[{pid}]", "{qid}: DKIM verification successful"),
    ("spamd[{pid}]", "spamd: clean message (-0.9/5.0) for {word}:1001 in 0.4 "
     "seconds, {num} bytes."),
]
OFFENCES = [
    ("postfix/smtpd[{pid}]", "warning: unknown[{bad}]: SASL LOGIN "
     "authentication failed: UGFzc3dvcmQ6"),
    ("dovecot", "imap-login: Disconnected: Connection closed (auth failed, 1 "
     "attempts in 2 secs): user=<{word}@example.org>, method=PLAIN, "
     "rip={bad}, lip=192.0.2.1, TLS, session=<{sess}>"),
    ("postfix/smtpd[{pid}]", "NOQUEUE: reject: RCPT from {name}[{bad}]: 554 "
     "5.7.1 <{word}@example.com>: Relay access denied; from=<{word}@{name}> "
     "to=<{word}@example.com> proto=ESMTP helo=<{name}>"),
    ("postfix/smtpd[{pid}]",
     "lost connection after AUTH from unknown[{bad}]"),
]
WORDS = ["anna", "bob", "carla", "dirk", "emil", "frida", "info", "sales"]


def fill(rng, clients):
    """What goes into the templates."""
    n = int(rng.random() * clients)
    return {
        "pid": 1000 + int(rng.random() * 64000),
        "num": 1000 + int(rng.random() * 98999),
        "qid": "%011X" % rng.getrandbits(44),
        "sess": "%016X" % rng.getrandbits(64),
        "name": "mail%d.example.com" % (rng.random() * 99),
        "word": WORDS[int(rng.random() * len(WORDS))],
        "good": "198.51.100.%d" % (1 + rng.random() * 254),
        "bad": "10.%d.%d.%d" % (n >> 16, n >> 8 & 255, n & 255)}


def lines(count, seed, clients):
    rng = random.Random(seed)
    kinds = [(60, POSTFIX), (75, DOVECOT), (85, FILTERS), (100, OFFENCES)]
    time = datetime.datetime.now(datetime.timezone.utc) - \
        datetime.timedelta(microseconds=count * 100)
    step = datetime.timedelta(microseconds=100)
    for _ in range(count):
        time += step
        share = rng.random() * 100
        kind = next(k for end, k in kinds if share < end)
        tag, msg = kind[int(rng.random() * len(kind))]
        words = fill(rng, clients)
        yield time, tag.format(**words) + ":", msg.format(**words)


def escape(text):
    """As rsyslog's jsonf does; no template has a control character."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("/", "\\/")


def as_json(time, tag, msg):
    stamp = time.isoformat(timespec="microseconds")
    return (f'{{"time":"{stamp}", "reported":"{stamp}", "host":"mx1", '
            f'"from":"127.0.0.1", "uid":"", "journal_uid":"", '
            f'"tag":"{escape(tag)}", '
            f'"msg":" {escape(msg)}"}}')


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("lines", type=int)
    parser.add_argument("--transaction", type=int, default=0)
    parser.add_argument("--log", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--clients", type=int, default=0)
    args = parser.parse_args()
    clients = args.clients or max(1, args.lines * 15 // 500)
    step = args.transaction
    for i, (time, tag, msg) in enumerate(
            lines(args.lines, args.seed, clients)):
        if args.log:
            print(time.strftime("%b %e %H:%M:%S"), "mx1", tag, msg)
            continue
        if step and i % step == 0:
            if i:
                print("COMMIT TRANSACTION")
            print("BEGIN TRANSACTION")
        print(as_json(time, tag, msg))
    if step:
        print("COMMIT TRANSACTION")


if __name__ == "__main__":
    main()
