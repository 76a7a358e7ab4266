#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""One offence a transaction, beside what the disk syncs by itself, by turns.

onebyone.py STATE COMMAND...: STATE on the disk in question.
"""
import json
import os
import sys
import time

from omprog import Program

ROUNDS, EACH = 5, 400


def disk(folder):
    path = os.path.join(folder, "sync-test")
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    began = time.time()
    for _ in range(EACH):
        os.write(fd, bytes(300))
        os.fdatasync(fd)
    took = time.time() - began
    os.close(fd)
    os.unlink(path)
    return EACH / took


def main():
    program = Program(sys.argv[2:])
    number, ours, theirs = 0, [], []
    for _ in range(ROUNDS):
        theirs.append(disk(sys.argv[1]))
        began = time.time()
        for _ in range(EACH):
            number += 1
            stamp = "2026-11-25T03:00:00.%06d+00:00" % number
            program.transaction([json.dumps({
                "time": stamp, "reported": stamp, "host": "mail",
                "from": "127.0.0.1", "tag": "postfix/smtpd[77]:",
                "msg": " warning: unknown[12.%d.%d.1]: SASL LOGIN "
                       "authentication failed: n=%d" % (
                           number >> 8, number & 255, number)}).encode()])
        ours.append(EACH / (time.time() - began))
    program.end()
    ours.sort()
    theirs.sort()
    print("offences_per_s=%.0f syncs_per_s=%.0f ratio=%.2f" % (
        ours[ROUNDS // 2], theirs[ROUNDS // 2],
        ours[ROUNDS // 2] / theirs[ROUNDS // 2]))


main()
