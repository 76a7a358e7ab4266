#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A mail client for the end-to-end tests.

client.py PROTOCOL SERVER USER PASSWORD [--mechanism M] [--literal] [--hold]
          [--timeout S] [--source ADDRESS]

PROTOCOL: smtp, submission, imap, pop3, sieve, dovecot-submission, send.
Exit status: 0 logged in (or mail sent), 1 refused, 2 no connection or answer.

--hold: log in nowhere; connect, print "connected", then ask the server for
something at each line on stdin and print "answer" or "silence".
It speaks the protocols itself, so that a hostile user name goes out exactly as
the test wants it.
"""
import argparse
import base64
import socket
import sys

PORTS = {"smtp": 25, "submission": 587, "imap": 143, "pop3": 110,
         "sieve": 4190, "dovecot-submission": 1587, "send": 587}
POKE = {"smtp": b"NOOP\r\n", "submission": b"NOOP\r\n",
        "dovecot-submission": b"NOOP\r\n", "imap": b"n NOOP\r\n",
        "pop3": b"CAPA\r\n", "sieve": b"CAPABILITY\r\n"}


class Refused(Exception):
    pass


class Connection:
    def __init__(self, options):
        source = (options.source, 0) if options.source else None
        self.socket = socket.create_connection(
            (options.server, PORTS[options.protocol]), options.timeout, source)
        self.file = self.socket.makefile("rb")

    def line(self):
        line = self.file.readline()
        if not line:
            raise OSError("the server closed the connection")
        return line.decode("utf-8", "replace").rstrip("\r\n")

    def send(self, data):
        self.socket.sendall(data)

    def until(self, *starts):
        """Reads up to the line that begins with one of starts."""
        while True:
            line = self.line()
            if line.startswith(starts):
                return line

    def smtp(self):
        """One answer of any number of lines; its last one."""
        while True:
            line = self.line()
            if line[3:4] != "-":
                return line

    def command(self, data):
        self.send(data + b"\r\n")
        return self.smtp()


def want(line, *good):
    if not line.startswith(good):
        raise Refused(line)


def encoded(text):
    return base64.b64encode(text)


def plain(options):
    return encoded(b"\0" + options.user + b"\0" + options.password)


def login_smtp(link, options):
    want(link.smtp(), "220")
    want(link.command(b"EHLO client.example.net"), "250")
    if options.mechanism == "LOGIN":
        want(link.command(b"AUTH LOGIN"), "334")
        want(link.command(encoded(options.user)), "334")
        want(link.command(encoded(options.password)), "235")
    else:
        want(link.command(b"AUTH PLAIN " + plain(options)), "235")


def send_mail(link, options):
    login_smtp(link, options)
    want(link.command(b"MAIL FROM:<" + options.user + b">"), "250")
    want(link.command(b"RCPT TO:<user2@example.org>"), "250")
    want(link.command(b"DATA"), "354")
    want(link.command(b"Subject: test\r\n\r\nbody\r\n."), "250")


def quoted(text):
    return b'"' + text.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def login_imap(link, options):
    link.until("* OK")
    if options.literal:
        link.send(b"a LOGIN {%d}\r\n" % len(options.user))
        link.until("+")
        link.send(options.user + b" " + quoted(options.password) + b"\r\n")
    else:
        link.send(b"a LOGIN %s %s\r\n"
                  % (quoted(options.user), quoted(options.password)))
    want(link.until("a "), "a OK")
    link.send(b"b LOGOUT\r\n")


def login_pop3(link, options):
    want(link.line(), "+OK")
    link.send(b"USER " + options.user + b"\r\n")
    want(link.line(), "+OK")
    link.send(b"PASS " + options.password + b"\r\n")
    want(link.line(), "+OK")
    link.send(b"QUIT\r\n")


def login_sieve(link, options):
    link.until("OK", "NO", "BYE")
    link.send(b'AUTHENTICATE "PLAIN" "' + plain(options) + b'"\r\n')
    want(link.until("OK", "NO", "BYE"), "OK")
    link.send(b"LOGOUT\r\n")


LOGIN = {"smtp": login_smtp, "submission": login_smtp,
         "dovecot-submission": login_smtp, "send": send_mail,
         "imap": login_imap, "pop3": login_pop3, "sieve": login_sieve}


def drain(link):
    """Takes what the server said before, so that it is no answer."""
    link.socket.settimeout(0.3)
    try:
        while link.socket.recv(65536):
            pass
    except TimeoutError:
        pass


def hold(link, options):
    assert link.socket.recv(1)
    print("connected", flush=True)
    for _ in sys.stdin:
        try:
            drain(link)
            link.socket.settimeout(options.timeout)
            link.send(POKE[options.protocol])
            print("answer" if link.socket.recv(1) else "silence", flush=True)
        except OSError:
            print("silence", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("protocol", choices=sorted(PORTS))
    parser.add_argument("server")
    parser.add_argument("user", type=lambda s: s.encode("utf-8", "surrogateescape"))
    parser.add_argument("password", type=str.encode)
    parser.add_argument("--mechanism", default="PLAIN")
    parser.add_argument("--literal", action="store_true")
    parser.add_argument("--hold", action="store_true")
    parser.add_argument("--timeout", type=float, default=5)
    parser.add_argument("--source")
    options = parser.parse_args()
    try:
        link = Connection(options)
        if options.hold:
            hold(link, options)
            return 0
        LOGIN[options.protocol](link, options)
        if options.protocol in ("smtp", "submission", "send"):
            link.command(b"QUIT")
        return 0
    except Refused as answer:
        print(answer)
        return 1
    except OSError as error:
        print(error)
        return 2


if __name__ == "__main__":
    sys.exit(main())
