# SPDX-License-Identifier: GPL-2.0-or-later
"""The two senders of the tests: RELP, which sends again what was not
acknowledged, and datagrams to /dev/log, which nobody acknowledges.

Both take texts and give each a time of its own. A text is "accepted" once
rsyslogd said so (RELP), or once the socket took it (datagram).
"""
import collections
import datetime
import select
import socket
import time

WINDOW = 128  # unacknowledged frames, as librelp has it


def stamp(when=None):
    """RFC 5424, with microseconds: so a message sent again is known again."""
    when = when or datetime.datetime.now(datetime.timezone.utc)
    return when.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Relp:
    def __init__(self, port, host="mail.example.org"):
        self.port, self.host = port, host
        self.waiting = collections.deque()  # (key, frame) not yet sent
        self.sent = collections.OrderedDict()  # txnr: (key, frame)
        self.accepted = set()
        self.resent = 0
        self.socket = None

    def put(self, key, text, tag="postfix/smtpd", pid=77, when=None):
        frame = "<22>1 %s %s %s %d - - %s" % (
            stamp(when), self.host, tag, pid, text)
        self.waiting.append((key, frame.encode()))

    def pending(self):
        return len(self.waiting) + len(self.sent)

    def _lost(self):
        if self.socket:
            self.socket.close()
        self.socket = None
        self.resent += len(self.sent)
        self.waiting.extendleft(reversed(self.sent.values()))
        self.sent.clear()

    def _open(self):
        self.socket = socket.create_connection(("127.0.0.1", self.port), 5)
        self.number, self.buffer = 1, b""
        self._frame(b"open", b"relp_version=0\nrelp_software=test\n"
                    b"commands=syslog")
        # The answer comes before anything else may be sent.
        end = time.time() + 5
        while not self._take() and time.time() < end:
            self._read(0.1)

    def _frame(self, command, data):
        head = b"%d %s %d " % (self.number, command, len(data))
        self.socket.sendall(head + data + b"\n")
        self.number += 1

    def _take(self):
        """One answer out of the buffer: "NUMBER rsp LENGTH DATA"."""
        parts = self.buffer.split(b" ", 3)
        if len(parts) < 3:
            return False
        size = parts[2].split(b"\n")[0]
        head = len(parts[0]) + len(parts[1]) + len(size) + 2
        total = head + int(size) + (2 if int(size) else 1)
        if len(self.buffer) < total or not size:
            return False
        self.buffer = self.buffer[total:]
        if parts[1] == b"serverclose":
            raise OSError("closed")
        done = self.sent.pop(int(parts[0]), None)
        if done:
            self.accepted.add(done[0])
        return True

    def _read(self, seconds):
        if select.select([self.socket], [], [], seconds)[0]:
            data = self.socket.recv(65536)
            if not data:
                raise OSError("closed")
            self.buffer += data

    def work(self):
        """Sends and reads what it can without waiting long."""
        try:
            if not self.socket:
                self._open()
            while self.waiting and len(self.sent) < WINDOW:
                item = self.waiting.popleft()
                self.sent[self.number] = item
                self._frame(b"syslog", item[1])
            self._read(0.002)
            while self._take():
                pass
        except (OSError, ValueError):
            self._lost()


class Datagram:
    def __init__(self, path="/dev/log"):
        self.path = path
        self.waiting = collections.deque()
        self.accepted = set()
        self.resent = 0
        self.socket = None

    def put(self, key, text, tag="postfix/smtpd", pid=77, when=None):
        del when  # rsyslogd takes its own time for /dev/log
        self.waiting.append((key, ("<22>Nov 25 00:00:00 %s[%d]: %s" % (
            tag, pid, text)).encode()))

    def pending(self):
        return len(self.waiting)

    def work(self):
        try:
            if not self.socket:
                self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                self.socket.setblocking(False)
                self.socket.connect(self.path)
            while self.waiting:
                self.socket.send(self.waiting[0][1])
                self.accepted.add(self.waiting.popleft()[0])
        except BlockingIOError:
            pass
        except OSError:
            self.socket.close()
            self.socket = None
