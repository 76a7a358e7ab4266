#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Stands in for ommailban where a test is about rsyslogd alone.

answer.py FILE [stuck]: writes each message to FILE and acknowledges it as
ommailban does. With "stuck" it greets, then never answers and ignores TERM.
"""
import signal
import sys
import time


def main():
    with open(sys.argv[1], "a", buffering=1, encoding="utf-8",
              errors="surrogateescape") as out:
        print("OK", flush=True)
        if "stuck" in sys.argv[2:]:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            while True:
                time.sleep(60)
        transaction = False
        for line in sys.stdin.buffer:
            text = line.decode("utf-8", "surrogateescape")
            if text in ("BEGIN TRANSACTION\n", "COMMIT TRANSACTION\n"):
                transaction = text[0] == "B"
                print("OK", flush=True)
                continue
            out.write(text)
            print("DEFER_COMMIT" if transaction else "OK", flush=True)


main()
