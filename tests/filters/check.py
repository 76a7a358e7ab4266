#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What mailban import-filter makes of a fail2ban filter, against fail2ban's
own test lines for it: each line that the filter is to match must be charged to
the host that the comment above it names, and no other line to anybody.

check.py MAILBAN FILTER LOG [MODE...]: prints one line of figures; exit status
1 if a line is charged wrongly, 2 if nothing could be imported."""

import json
import re
import subprocess
import sys
import tempfile


def samples(path):
    """(line, expected host or None) for each line; what the test lines are
    for a mode of the filter only is told by "filterOptions"."""
    expect, options = None, [{}]
    for line in open(path, errors="surrogateescape"):
        # As syslog writes a day of one digit.
        line = re.sub(r"^([A-Z][a-z]{2}) (\d) ", r"\1  \2 ", line.rstrip("\n"))
        told = re.match(r"#\s*(failJSON|filterOptions|addFILE|fileOptions):\s*(.*)", line)
        if told:
            try:
                value = json.loads(told.group(2))
            except ValueError:
                continue
            if told.group(1) == "filterOptions":
                options = value if isinstance(value, list) else [value]
            elif told.group(1) == "failJSON":
                expect = value
            continue
        if not line or line.startswith("#"):
            continue
        wanted = expect or {"match": False}
        yield line, wanted.get("host") if wanted.get("match") else None, options
        expect = None


SYSLOG = re.compile(r"(?:<\d+>)?(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT\S+) \S+ (\S+?(?:\[\d+\])?:?) (.*)")


def run(mailban, path, line_file, extra):
    return subprocess.run([mailban, *extra, line_file], capture_output=True,
                          text=True, errors="surrogateescape")


def modes_of(options):
    """As import-filter takes them, for the modes asked for by the samples."""
    found = []
    for one in options:
        text = ", ".join(f"{k}={v}" for k, v in one.items() if k in ("mode",))
        if text not in found:
            found.append(text)
    return found


def main():
    mailban, filter_path, log = sys.argv[1:4]
    right = wrong = missed = other = 0
    lines = list(samples(log))
    modes = []
    for _, _, options in lines:
        for mode in modes_of(options):
            if mode not in modes:
                modes.append(mode)
    on = off = 0
    notes = []
    for mode in modes or [""]:
        mine = [(l, h) for l, h, o in lines if mode in modes_of(o)]
        name = filter_path + (f"[{mode}]" if mode else "")
        with tempfile.NamedTemporaryFile("w", suffix=".rules",
                                         errors="surrogateescape") as rules, \
                tempfile.NamedTemporaryFile("w", suffix=".log",
                                            errors="surrogateescape") as part, \
                tempfile.NamedTemporaryFile("w", suffix=".json",
                                            errors="surrogateescape") as messages:
            part.write("".join(l + "\n" for l, _ in mine))
            part.flush()
            made = subprocess.run([mailban, "import-filter", name, "--log",
                                   part.name], capture_output=True, text=True,
                                  errors="surrogateescape")
            rules.write(made.stdout)
            rules.flush()
            notes += [l for l in made.stderr.splitlines() if "rules on" not in l]
            counts = re.search(r"(\d+) rules on, (\d+) off", made.stderr)
            if not counts:
                print(f"{name}: {made.stderr.strip()}")
                return 2
            on += int(counts.group(1))
            off += int(counts.group(2))
            program = re.search(r"^program = (\S+)", made.stdout, re.M)
            tag = program.group(1).replace("*", "") if program else "x"
            for line, _ in mine:
                header = SYSLOG.match(line)
                messages.write(json.dumps(
                    {"tag": header.group(1) if header else tag + ":",
                     "msg": header.group(2) if header else line}) + "\n")
            messages.flush()
            if int(counts.group(1)) == 0:
                missed += sum(h is not None for _, h in mine)
                continue
            tested = subprocess.run([mailban, "test", "--json", "--rules",
                                     rules.name, messages.name],
                                    capture_output=True, text=True,
                                    errors="surrogateescape")
            if tested.returncode:
                print(f"{name}: {tested.stderr.strip()}")
                return 2
            for (line, host), answer in zip(mine, tested.stdout.splitlines()):
                got = json.loads(answer)
                charged = got["address"] if got["class"] != "none" else None
                if (charged or "").lower() == (host or "").lower():
                    right += 1
                elif charged is None:
                    missed += 1
                    if "-v" in sys.argv:
                        print("missed", host, line[:200])
                elif host is None:
                    other += 1
                    print("innocent", charged, line[:200])
                else:
                    wrong += 1
                    print("wrong", charged, host, line[:200])
    print(f"{filter_path.rsplit('/', 1)[-1]}: {on} rules on, {off} off; "
          f"{right} lines right, {missed} missed, {wrong} wrong, {other} innocent")
    if "-v" in sys.argv:
        print("\n".join(notes))
    return 1 if wrong or other else 0


sys.exit(main())
