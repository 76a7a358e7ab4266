# SPDX-License-Identifier: GPL-2.0-or-later
"""Plays rsyslog's omprog against ommailban, one case after another (TAP).

Each case starts an ommailban on a fresh state and sends lines; each line must
have exactly one answer, and the bans at the end must be those expected.
"""
import json
import os
import select
import shutil
import subprocess
import sys
import time

PROGRAM = os.environ["ommailban"]
E2E = os.environ["E2E"]
COMMAND = E2E + "/bin/mailban"
BEGIN, COMMIT = b"BEGIN TRANSACTION", b"COMMIT TRANSACTION"
number = 0


def message(address, n, **more):
    """A failure, as the include's template writes it."""
    fields = {
        "time": "2026-03-04T05:06:07.%06d+00:00" % n,
        "reported": "2026-03-04T05:06:07.%06d+00:00" % n,
        "host": "mail", "from": "127.0.0.1", "tag": "postfix/smtpd[1]:",
        "msg": " warning: unknown[%s]: SASL LOGIN authentication failed: %d"
               % (address, n)}
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
    for key in ("time", "reported"):
        fields[key] = "%s.%06d+00:00" % (stamp, n)
    fields.update(more)
    return json.dumps({k: v for k, v in fields.items() if v is not None}).encode()


class Omprog:
    def __init__(self, fresh=True):
        state = os.environ["state"]
        if fresh:
            for name in os.listdir(state):
                os.unlink(os.path.join(state, name))
            subprocess.run(["nft", "delete", "table", "inet", "mailban"],
                           stderr=subprocess.DEVNULL)
        self.log = open(E2E + "/ommailban.out", "ab")
        self.process = subprocess.Popen(
            [PROGRAM, "--config", E2E + "/mailban.conf", "--rules",
             E2E + "/rules", "--state", state, "--control",
             os.environ["control"], "--helper", os.environ["mailban_nft"]],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log,
            bufsize=0)
        self.answered(b"OK")

    def answer(self, seconds=20):
        """One answer; dots before it are waiting. More than one line at once
        is what omprog kills for."""
        got = b""
        while not got.endswith(b"\n"):
            ready, _, _ = select.select([self.process.stdout], [], [], seconds)
            assert ready, "no answer within %d s after %r" % (seconds, got)
            data = os.read(self.process.stdout.fileno(), 4096)
            assert data, "ommailban ended"
            got += data.lstrip(b".") if not got else data
        assert got.count(b"\n") == 1, got
        return got[:-1]

    def answered(self, want):
        got = self.answer()
        assert got.startswith(want) and (got == want or want == b"Error"), \
            "answer %r, not %r" % (got, want)

    def say(self, line, want, end=b"\n"):
        self.process.stdin.write(line + end)
        self.answered(want)

    def silent(self):
        ready, _, _ = select.select([self.process.stdout], [], [], 0.3)
        assert not ready, "an answer nobody asked for"

    def batch(self, *lines):
        self.say(BEGIN, b"OK")
        for line in lines:
            self.say(line, b"DEFER_COMMIT")
        self.say(COMMIT, b"OK")

    def end(self):
        self.process.stdin.close()
        assert self.process.wait(20) == 0, "exit status"


def ask(*words):
    run = subprocess.run([COMMAND, "--control", os.environ["control"], *words],
                         stdout=subprocess.PIPE, check=True)
    return [json.loads(line) for line in run.stdout.splitlines()]


def bans():
    return sorted(item["address"] for item in ask("list", "--json")
                  if "address" in item)


def status():
    result = {}
    for item in ask("status", "--json"):
        result.update(item)
    return result


def expect(want):
    got = bans()
    assert got == sorted(want), "banned: %r, not %r" % (got, want)


A, B = "203.0.113.7", "203.0.113.8"


def case_no_transactions():
    omprog = Omprog()
    for n in range(4):
        omprog.say(message(A, n), b"OK")
    expect([])
    omprog.say(message(A, 4), b"OK")
    expect([A])
    omprog.silent()
    omprog.end()


def case_transactions():
    omprog = Omprog()
    omprog.batch(*[message(A, n) for n in range(4)])
    expect([])
    omprog.batch(message(A, 4))
    expect([A])
    omprog.end()


def case_one_transaction_with_the_ban_inside():
    omprog = Omprog()
    omprog.batch(*[message(A, n) for n in range(9)])
    expect([A])
    omprog.end()


def case_a_batch_sent_again_counts_once():
    omprog = Omprog()
    batch = [message(A, n) for n in range(4)]
    for _ in range(5):
        omprog.batch(*batch)
    expect([])
    assert status()["duplicates"] == 16, status()["duplicates"]
    omprog.batch(message(A, 4))
    expect([A])
    omprog.end()


def case_resent_with_a_new_time_but_the_same_report():
    omprog = Omprog()
    for n in range(8):
        omprog.say(message(A, 1, time=json.loads(message(A, n))["time"]), b"OK")
    expect([])
    omprog.end()


def case_end_of_input_within_a_transaction():
    omprog = Omprog()
    omprog.say(BEGIN, b"OK")
    for n in range(4):
        omprog.say(message(A, n), b"DEFER_COMMIT")
    omprog.end()
    omprog = Omprog(fresh=False)
    expect([])
    omprog.say(message(A, 4), b"OK")
    expect([A])
    omprog.end()


def case_killed_within_a_transaction():
    omprog = Omprog()
    omprog.say(BEGIN, b"OK")
    for n in range(4):
        omprog.say(message(A, n), b"DEFER_COMMIT")
    omprog.process.kill()
    omprog.process.wait()
    omprog = Omprog(fresh=False)
    # rsyslog sends the fourth again: it had no answer, as far as it knows.
    omprog.batch(message(A, 3))
    expect([])
    omprog.batch(message(A, 4))
    expect([A])
    omprog.end()


def journal():
    state = os.environ["state"]
    return os.path.join(state, max(
        name for name in os.listdir(state) if name.startswith("journal.")))


def case_power_lost_between_an_offence_and_its_ban():
    omprog = Omprog()
    for n in range(4):
        omprog.say(message(A, n), b"OK")
    time.sleep(2)  # these go to the ledger
    fifth = message(A, 4)
    omprog.say(BEGIN, b"OK")
    omprog.say(fifth, b"DEFER_COMMIT")
    omprog.process.kill()
    omprog.process.wait()
    # What was not yet on the disk: the end of the last record, the ban's.
    os.truncate(journal(), os.path.getsize(journal()) - 10)
    omprog = Omprog(fresh=False)
    expect([A])
    omprog.batch(fifth)
    expect([A])
    omprog.end()


def case_a_clock_that_was_set_back():
    omprog = Omprog()
    # Received by a rsyslogd whose clock was years ahead.
    for n in range(5):
        omprog.say(message(A, n, time="2099-03-04T05:06:07.%06d+00:00" % n),
                   b"OK")
    for n in range(5):
        omprog.say(message(B, n), b"OK")
    expect([A, B])
    ends = [item["until"] for item in ask("list", "--json")]
    assert max(ends) <= time.time() + 3601, ends
    omprog.end()


def case_ban_in_force_before_the_first_ok():
    omprog = Omprog()
    omprog.batch(*[message(A, n) for n in range(5)])
    omprog.process.kill()
    omprog.process.wait()
    subprocess.run(["nft", "delete", "table", "inet", "mailban"],
                   stderr=subprocess.DEVNULL)
    omprog = Omprog(fresh=False)
    listing = subprocess.run(["nft", "list", "table", "inet", "mailban"],
                             stdout=subprocess.PIPE, check=True).stdout
    assert A.encode() in listing, listing
    omprog.end()


def case_interleaved_marks():
    omprog = Omprog()
    omprog.say(BEGIN, b"OK")
    omprog.say(message(A, 0), b"DEFER_COMMIT")
    omprog.say(BEGIN, b"OK")
    omprog.say(message(A, 1), b"DEFER_COMMIT")
    omprog.say(COMMIT, b"OK")
    # The other worker is within its transaction still.
    omprog.process.stdin.write(message(A, 2) + b"\n")
    assert omprog.answer() in (b"OK", b"DEFER_COMMIT")
    omprog.say(COMMIT, b"OK")
    omprog.say(message(A, 3), b"OK")
    expect([])
    omprog.say(message(A, 4), b"OK")
    expect([A])
    omprog.end()


def case_marks_in_the_wrong_place():
    omprog = Omprog()
    omprog.say(COMMIT, b"OK")
    omprog.say(COMMIT, b"OK")
    omprog.say(BEGIN, b"OK")
    omprog.say(BEGIN, b"OK")
    omprog.say(COMMIT, b"OK")
    omprog.say(b"BEGIN TRANSACTIO", b"OK")
    omprog.say(b"begin transaction", b"OK")
    omprog.batch()
    omprog.end()


def case_mark_in_two_writes():
    omprog = Omprog()
    omprog.process.stdin.write(BEGIN)
    omprog.silent()
    omprog.process.stdin.write(b"\n")
    omprog.answered(b"OK")
    omprog.say(COMMIT, b"OK")
    omprog.end()


def case_bad_lines_are_answered_like_any_other():
    omprog = Omprog()
    good = message(A, 0)
    bad = [b"", b" ", b"not JSON", b"[]", b"null", b"42", b'"text"', b"{",
           b"{}", b'{"msg":}', good[:-1], good + b"}", b"\x00", b"\xff\xfe",
           message(A, 0, msg=None), message(A, 0, msg=7),
           message(A, 0, time="yesterday"),
           b'{"a":' * 5000 + b"1" + b"}" * 5000]
    for line in bad:
        omprog.say(line, b"OK")
    omprog.say(BEGIN, b"OK")
    for line in bad:
        omprog.say(line, b"DEFER_COMMIT")
    omprog.say(COMMIT, b"OK")
    expect([])
    assert status()["malformed"] >= 2 * (len(bad) - 2), status()["malformed"]
    omprog.batch(*[message(A, n) for n in range(5)])
    expect([A])
    omprog.end()


def case_a_line_of_1_mib():
    omprog = Omprog()
    long = message(B, 0, msg=" x" * (512 * 1024))
    omprog.say(long, b"OK")
    omprog.batch(long, message(A, 0), long)
    forged = b"y" * (1 << 20) + b"\r" + message(B, 1)
    omprog.say(forged, b"OK")
    assert status()["too_long"] == 4, status()["too_long"]
    expect([])
    for n in range(1, 5):
        omprog.say(message(A, n), b"OK")
    expect([A])
    omprog.end()


def case_strange_text():
    omprog = Omprog()
    raw = message(A, 0).replace(b"failed: 0", b"failed: \xff\xfe\xc3")
    omprog.say(raw, b"OK")
    omprog.say(message(A, 1).replace(b"failed: 1", b"failed: a\\u0000b"), b"OK")
    omprog.say(message(A, 2).replace(b"failed: 2", b"failed: \\ud800"), b"OK")
    omprog.say(message(A, 3, msg="\ufeff" + json.loads(message(A, 3))["msg"][1:]),
               b"OK")
    expect([])
    omprog.say(message(A, 4), b"OK")
    expect([A])
    omprog.end()


def case_nul_does_not_hide_the_address():
    omprog = Omprog()
    text = " warning: unknown[%s]: SASL LOGIN authentication failed: x" % A
    for n in range(5):
        omprog.say(message(A, n, msg=text + "\0[%s]: %d" % (B, n)), b"OK")
    assert B not in bans()
    omprog.end()


def case_folded_lines():
    omprog = Omprog()
    text = json.loads(message(A, 0))["msg"].strip()
    omprog.say(message(A, 1, msg=" message repeated 3 times: [ %s]" % text), b"OK")
    expect([])
    omprog.say(message(A, 2, msg=" message repeated 2 times: [ %s]" % text), b"OK")
    expect([A])
    omprog.say(message(B, 3, msg=" message repeated 99 times: [ something]"), b"OK")
    omprog.say(message(B, 4, msg=" message repeated 0 times: [ %s]"
                       % text.replace(A, B)), b"OK")
    assert B not in bans()
    omprog.end()


def case_term_and_hup():
    omprog = Omprog()
    omprog.process.send_signal(1)
    omprog.silent()
    omprog.batch(message(A, 0))
    omprog.process.terminate()
    assert omprog.process.wait(20) == 0, "exit status"


def case_last_line_without_its_end():
    omprog = Omprog()
    for n in range(4):
        omprog.say(message(A, n), b"OK")
    omprog.process.stdin.write(message(A, 4))
    omprog.end()
    omprog = Omprog(fresh=False)
    expect([])
    omprog.say(message(A, 4), b"OK")
    expect([A])
    omprog.end()


def main():
    failed = 0
    cases = [(name[5:].replace("_", " "), value)
             for name, value in globals().items() if name.startswith("case_")]
    for count, (name, case) in enumerate(cases, 1):
        try:
            case()
            print("ok %d - %s" % (count, name), flush=True)
        except Exception as error:  # pylint: disable=broad-except
            failed += 1
            print("not ok %d - %s" % (count, name))
            print("# %s: %s" % (type(error).__name__, error), flush=True)
            subprocess.run(["pkill", "-KILL", "-f", PROGRAM], check=False)
            time.sleep(0.5)
    print("1..%d" % len(cases))
    return 1 if failed else 0


sys.exit(main())
