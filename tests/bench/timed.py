#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs a program with FILE as its input and its answers thrown away.

usage: timed.py FILE PROGRAM [ARGUMENT...]

Prints three figures in seconds: from start to end; from start to the log line
of ommailban's that says that all is answered (" stop ", otherwise the end);
processor time of it and its children.
"""
import resource
import subprocess
import sys
import time


def main():
    with open(sys.argv[1], "rb") as lines:
        start = time.monotonic()
        child = subprocess.Popen(
            sys.argv[2:], stdin=lines, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE)
        answered = None
        for line in child.stderr:
            if b" stop " in line:
                answered = time.monotonic() - start
        if child.wait():
            sys.exit(f"{sys.argv[2]}: status {child.returncode}")
    whole = time.monotonic() - start
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"{whole:.3f} {answered or whole:.3f} "
          f"{used.ru_utime + used.ru_stime:.3f}")


if __name__ == "__main__":
    main()
