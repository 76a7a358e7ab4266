# SPDX-License-Identifier: GPL-2.0-or-later
"""ommailban as rsyslog's omprog has it: lines in, answers out."""
import os
import subprocess


class Program:
    """ommailban, as omprog has it."""

    def __init__(self, command, **env):
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env=dict(os.environ, **env))
        self.expect(b"OK")

    def answer(self):
        line = self.process.stdout.readline()
        return line.strip().lstrip(b".")

    def expect(self, want):
        got = self.answer()
        if got != want:
            self.process.kill()
            raise RuntimeError("answer %r, not %r: %s" % (
                got, want, self.process.stderr.read().decode()))

    def say(self, line, want):
        self.process.stdin.write(line + b"\n")
        self.process.stdin.flush()
        self.expect(want)

    def transaction(self, messages):
        self.say(b"BEGIN TRANSACTION", b"OK")
        for message in messages:
            self.say(message, b"DEFER_COMMIT")
        self.say(b"COMMIT TRANSACTION", b"OK")

    def end(self):
        self.process.stdin.close()
        self.process.stderr.read()
        return self.process.wait()
