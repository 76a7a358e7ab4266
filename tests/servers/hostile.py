#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A hostile mail client for the tests of the rules against real servers.

hostile.py PROTOCOL SERVER PORT plain PREFIX CASE...
    One session for each case (see SMTP, IMAP, POP3 below), an ordinary
    failure. Before it goes "PREFIX-CASE" to the log, with the tag "case".
hostile.py PROTOCOL SERVER PORT hostile PREFIX TEXTS [--pads N,N]
    [--behind N,N] [--sample N] [--tls]
    Each line of the file TEXTS, in each field that a client chooses; again
    made so long, that the line's end is cut off; again behind so many
    characters, where the server begins another message. --sample N: each field
    with every Nth of these only, unless $HOSTILE_ALL is set.
hostile.py ident TEXTS [FROM TO]
    Answers RFC 1413 queries with the lines of TEXTS in turn, in each of these
    lengths.

PROTOCOL: smtp, smtps, imap, pop3, sieve, http. It stops for no answer: what counts is what
the server writes into its log.
"""
import argparse
import base64
import itertools
import os
import socket
import ssl
import sys
import time
from concurrent.futures import ThreadPoolExecutor

TIMEOUT = float(os.environ.get("HOSTILE_TIMEOUT", "4"))
REPEATS = int(os.environ.get("HOSTILE_REPEATS", "15"))
WORKERS = int(os.environ.get("HOSTILE_WORKERS", "8"))


def b64(data):
    return base64.b64encode(data)


def mark(name):
    """So that the messages which follow can be told apart."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.connect("/dev/log")
        log.send(b"<22>case: " + name.encode())


class Session:
    def __init__(self, options):
        self.options = options

    def __enter__(self):
        self.socket = socket.create_connection(
            (self.options.server, self.options.port), TIMEOUT)
        if self.options.protocol == "smtps":
            self.start_tls()
        self.file = self.socket.makefile("rb")
        return self

    def __exit__(self, kind, value, trace):
        """To the end of the connection: then all is logged."""
        try:
            self.socket.shutdown(socket.SHUT_WR)
            while self.socket.recv(65536):
                pass
        except (OSError, ValueError):
            pass
        self.file.close()
        self.socket.close()
        return kind is not None and issubclass(kind, (OSError, EOFError))

    def start_tls(self, name="mail.example.org"):
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        tls.check_hostname = False
        tls.verify_mode = ssl.CERT_NONE
        self.socket = tls.wrap_socket(self.socket, server_hostname=name)
        self.file = self.socket.makefile("rb")

    def line(self):
        line = self.file.readline()
        if not line:
            raise EOFError
        return line

    def answer(self):
        """The last line of an answer."""
        while True:
            line = self.line()
            if self.options.protocol == "sieve":
                if line.startswith(b"BYE"):
                    raise EOFError
                if not line.startswith((b"OK", b"NO")):
                    continue
            if self.options.protocol == "imap" and line.startswith(b"* "):
                if line.startswith(b"* BYE"):
                    raise EOFError
                continue
            if line[3:4] == b"-" and line[:3].isdigit():
                continue
            return line

    def greeting(self):
        if self.options.protocol == "imap":
            self.line()
        elif self.options.protocol != "http":
            self.answer()

    def say(self, *lines):
        for line in lines:
            self.socket.sendall(line + b"\r\n")
            answer = self.answer()
        return answer


# ---- SMTP ----

HELLO = b"EHLO attacker.example.net"
USER = os.environ.get("HOSTILE_USER", "user1").encode()
RIGHT = b64(b"\0" + USER + b"\0right-horse")
WRONG = b64(b"\0" + USER + b"\0wrong")
SMTP = {
    "auth-plain": [HELLO, b"AUTH PLAIN " + WRONG],
    "auth-plain-two-lines": [HELLO, b"AUTH PLAIN", WRONG],
    "auth-login": [HELLO, b"AUTH LOGIN", b64(USER), b64(b"wrong")],
    "auth-thrice": [HELLO] + 3 * [b"AUTH PLAIN " + WRONG],
    "auth-unknown": [HELLO, b"AUTH PLAIN " + b64(b"\0nobody\0wrong")],
    "auth-login-unknown": [HELLO, b"AUTH LOGIN", b64(b"nobody"),
                           b64(b"wrong")],
    "auth-cancel": [HELLO, b"AUTH LOGIN", b64(USER), b"*"],
    "auth-base64": [HELLO, b"AUTH PLAIN !$%&"],
    "auth-mechanism": [HELLO, b"AUTH KERBEROS_V9 x"],
    "auth-no-hello": [b"AUTH LOGIN"],
    "relay": [HELLO, b"MAIL FROM:<a@example.net>", b"RCPT TO:<b@example.com>"],
    "unknown-recipient": [HELLO, b"MAIL FROM:<a@example.net>",
                          b"RCPT TO:<nosuch@example.org>"],
    "command": [b"GET / HTTP/1.1"],
    "command-after-hello": [HELLO, b"GET / HTTP/1.1"],
    "commands": [HELLO] + 30 * [b"FOO bar"],
    "syntax": [HELLO, b"MAIL FROM:<a@example.net"],
    "syntax-recipient": [HELLO, b"MAIL FROM:<a@example.net>",
                         b"RCPT TO:b@@example.org>"],
    "order": [HELLO, b"DATA"],
    "helo": [b"HELO @_localhost x"],
    "vrfy": [HELLO, b"VRFY root"],
    "expn": [HELLO, b"EXPN root"],
    "etrn": [HELLO, b"ETRN example.org"],
    "hello-only": [HELLO, b"QUIT"],
    "auth-only": [HELLO, b"AUTH PLAIN " + WRONG, b"QUIT"],
    "noop": [b"NOOP"],
    "nothing": [],
    "early": [HELLO],
    "login": [HELLO, b"AUTH PLAIN " + RIGHT, b"MAIL FROM:<user1@example.org>",
              b"RCPT TO:<user1@example.org>", b"DATA",
              b"Subject: x\r\n\r\nx\r\n.", b"QUIT"],
    "mail": [HELLO, b"MAIL FROM:<a@example.net>",
             b"RCPT TO:<user1@example.org>", b"DATA",
             b"Subject: x\r\n\r\nx\r\n.", b"QUIT"],
}


def smtp_fields(t):
    """One session for each way to bring in the text."""
    quoted = b'"' + t.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
    sender = b"MAIL FROM:<a@example.net>"
    relay = [sender, b"RCPT TO:<b@example.com>"]
    return [
        [b"HELO " + t] + relay + [b"AUTH PLAIN " + WRONG, b"GET /"],
        [b"EHLO " + t, b"AUTH PLAIN " + WRONG, b"FOO", b"AUTH X"] + relay,
        [b"EHLO [" + t + b"]", b"AUTH LOGIN", b64(b"x"), b64(b"y")] + relay,
        [HELLO, b"MAIL FROM:<" + t + b">", b"RCPT TO:<b@example.com>"],
        [HELLO, b"MAIL FROM:" + t, b"RCPT TO:<b@example.com>"],
        [HELLO, b"MAIL FROM:<" + quoted + b"@example.net>",
         b"RCPT TO:<b@example.com>", b"RCPT TO:<nosuch@example.org>"],
        [HELLO, b"MAIL FROM:<" + t + b"@example.net>",
         b"RCPT TO:<b@example.com>"],
        [HELLO, b"MAIL FROM:<a@example.net> AUTH=" + t, b"RCPT TO:<c@d.e>"],
        [HELLO, sender, b"RCPT TO:<" + t + b">", b"RCPT TO:" + t,
         b"RCPT TO:<" + t + b"@example.com>",
         b"RCPT TO:<" + quoted + b"@example.com>",
         b"RCPT TO:<" + quoted + b"@example.org>",
         b"RCPT TO:<b@example.com> " + t, b"RCPT TO:(" + t + b")<b@c.d>"],
        [HELLO, b"AUTH PLAIN " + b64(b"\0" + t + b"\0wrong")],
        [HELLO, b"AUTH PLAIN " + b64(t + b"\0user1\0wrong")],
        [HELLO, b"AUTH PLAIN " + b64(b"\0user1\0" + t)],
        [HELLO, b"AUTH PLAIN " + b64(t)],
        [HELLO, b"AUTH LOGIN", b64(t), b64(b"wrong")],
        [HELLO, b"AUTH LOGIN " + b64(t), b64(t)],
        [HELLO, b"AUTH LOGIN", t, t],
        [HELLO, b"AUTH PLAIN " + t, b"AUTH " + t, b"AUTH PLAIN =", b"*"],
        [HELLO, b"AUTH CRAM-MD5", b64(t + b" 0123456789abcdef")],
        [HELLO, b"AUTH DIGEST-MD5", b64(b'username="' + t + b'",realm="x"')],
        [HELLO, t, b"VRFY " + t, b"EXPN " + t, b"ETRN " + t, b"HELP " + t],
        [t, b"VRFY " + quoted, b"STARTTLS " + t, b"BDAT " + t, b"NOOP " + t],
        [HELLO] + REPEATS * [t],
        [HELLO, b"RSET"] + REPEATS * [b"NOOP " + t],
        [b"FOO\0" + t, b"FOO\t" + t, b"FOO\x1b\x7f\xff\xfe\n" + t,
         t + b"\rmore"],
        [HELLO + b"\r\nNOOP " + t + b"\r\nDATA\r\nRSET\r\n" + t],
        [HELLO, sender, b"RCPT TO:<user1@example.org>", b"DATA",
         b"Subject: " + t + b"\r\nMessage-ID: <" + t + b">\r\nFrom: " + t +
         b"\r\nTo: " + t + b"\r\nReceived: " + t + b"\r\n\r\n" + t +
         b"\r\n.", b"QUIT"],
        # All at once.
        [b"EHLO " + t, b"MAIL FROM:<" + quoted + b"@example.net>",
         b"RCPT TO:<user1@example.org>", b"RCPT TO:<" + quoted + b"@example.org>",
         b"DATA", b"Subject: " + t + b"\r\n\r\n" + t + b"\r\n.", b"QUIT"],
        [HELLO, b"AUTH PLAIN " + RIGHT, b"MAIL FROM:<user1@example.org>",
         b"RCPT TO:<user1@example.org>", b"DATA",
         b"Subject: " + t + b"\r\nMessage-ID: <x@" + t + b">\r\n\r\nx\r\n.",
         b"QUIT"],
        # A line end of its own, where the server's log may have one.
        [HELLO, b"AUTH PLAIN " + b64(b"\0x\n" + t + b"\n\0wrong")],
        [HELLO, b"AUTH LOGIN", b64(b"x\r\n" + t + b"\r\n"), b64(b"y")],
        [HELLO, b"AUTH PLAIN " + b64(b"x\n" + t + b"\n\0user1\0wrong")],
        [HELLO, b"AUTH CRAM-MD5", b64(b"x\n" + t + b"\n " + 32 * b"0")],
        [HELLO, sender, b"RCPT TO:<x\n" + t, b"RCPT TO:<x\r" + t],
        [b"XCLIENT ADDR=198.51.100.9 NAME=" + t, b"XFORWARD NAME=" + t,
         b"PROXY TCP4 198.51.100.9 192.0.2.1 7 25"],
    ]


# ---- IMAP and POP3 ----

IMAP = {
    "login": [b"a LOGIN " + USER + b" right-horse", b"b LOGOUT"],
    "auth-login": [b"a LOGIN " + USER + b" wrong"],
    "auth-unknown": [b"a LOGIN nobody wrong"],
    "auth-thrice": 3 * [b"a LOGIN " + USER + b" wrong"],
    "auth-plain": [b"a AUTHENTICATE PLAIN", WRONG],
    "auth-plain-login": [b"a AUTHENTICATE LOGIN", b64(USER),
                         b64(b"wrong")],
    "auth-cancel": [b"a AUTHENTICATE PLAIN", b"*"],
    "auth-base64": [b"a AUTHENTICATE PLAIN", b"!$%&"],
    "auth-mechanism": [b"a AUTHENTICATE KERBEROS_V9"],
    "commands": 12 * [b"a FOO"],
    "nothing": [],
}
POP3 = {
    "login": [b"USER " + USER, b"PASS right-horse", b"QUIT"],
    "auth-login": [b"USER " + USER, b"PASS wrong"],
    "auth-unknown": [b"USER nobody", b"PASS wrong"],
    "auth-plain": [b"AUTH PLAIN " + WRONG],
    "auth-thrice": 3 * [b"USER " + USER, b"PASS wrong"],
    "auth-cancel": [b"AUTH PLAIN", b"*"],
    "auth-base64": [b"AUTH PLAIN", b"!$%&"],
    "auth-mechanism": [b"AUTH KERBEROS_V9"],
    "apop": [b"APOP user1 00000000000000000000000000000000"],
    "commands": 12 * [b"FOO"],
    "nothing": [],
}


def imap_fields(t):
    quoted = b'"' + t.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
    literal = b"{%d}\r\n" % len(t)
    return [
        [b"a LOGIN " + quoted + b" wrong"],
        [b"a LOGIN " + t + b" wrong"],
        [b"a LOGIN {%d}" % len(t), t + b" wrong"],
        [b"a LOGIN {%d+}\r\n" % len(t) + t + b" wrong"],
        [b"a LOGIN user1 {%d}" % len(t), t],
        [b"a LOGIN user1 " + quoted],
        [b"a AUTHENTICATE PLAIN", b64(b"\0" + t + b"\0wrong")],
        [b"a AUTHENTICATE PLAIN", b64(t + b"\0user1\0wrong")],
        [b"a AUTHENTICATE PLAIN " + b64(b"\0" + t + b"\0wrong")],
        [b"a AUTHENTICATE PLAIN", b64(t)],
        [b"a AUTHENTICATE PLAIN", t],
        [b"a AUTHENTICATE LOGIN", b64(t), b64(b"wrong")],
        [b"a AUTHENTICATE LOGIN", b64(b"x\0" + t), b64(b"wrong")],
        [b"a AUTHENTICATE CRAM-MD5", b64(t + b" 0123456789abcdef")],
        [b"a AUTHENTICATE DIGEST-MD5", b64(b'username="' + t + b'"')],
        [b"a AUTHENTICATE " + t, b"*"],
        [t, b"a " + t, t + b" LOGIN x y"],
        [b'a ID ("name" ' + quoted + b' "x-originating-ip" "198.51.100.9" '
         b'"x-session-id" ' + quoted + b")", b"b LOGIN " + USER + b" wrong"],
        [b"a LOGIN " + literal + t + b"\0\x01\x1b\xff wrong"],
        # A line end of its own, where the server's log may have one.
        [b"a LOGIN {%d}" % (len(t) + 3), b"x\n" + t + b"\n wrong"],
        [b"a LOGIN {%d}" % (len(t) + 5), b"x\r\n" + t + b"\r\n wrong"],
        [b'a LOGIN "x\n' + t + b'\n" wrong'],
        [b"a AUTHENTICATE PLAIN", b64(b"\0x\n" + t + b"\n\0wrong")],
        [b"a AUTHENTICATE LOGIN", b64(b"x\n" + t + b"\n"), b64(b"wrong")],
        [b"a AUTHENTICATE CRAM-MD5", b64(b"x\n" + t + b"\n " + 32 * b"0")],
        [b"a LOGIN " + USER + b" right-horse", b"b SELECT " + quoted,
         b"c CREATE " + quoted, b"d GETQUOTAROOT " + quoted, b"e LOGOUT"],
        REPEATS * [b"a " + t],
    ]


def pop3_fields(t):
    return [
        [b"USER " + t, b"PASS wrong"],
        [b'USER "' + t + b'"', b"PASS " + t],
        [b"USER " + USER, b"PASS " + t],
        [b"APOP " + t + b" 00000000000000000000000000000000"],
        [b"APOP x " + t],
        [b"AUTH PLAIN " + b64(b"\0" + t + b"\0wrong")],
        [b"AUTH PLAIN", b64(b"\0" + t + b"\0wrong")],
        [b"AUTH PLAIN", b64(t + b"\0user1\0wrong")],
        [b"AUTH LOGIN", b64(t), b64(b"wrong")],
        [b"AUTH PLAIN", t],
        # A line end of its own, where the server's log may have one.
        [b"USER x\n" + t + b"\n", b"PASS wrong"],
        [b"USER x\r" + t + b"\r", b"PASS wrong"],
        [b"AUTH PLAIN " + b64(b"\0x\n" + t + b"\n\0wrong")],
        [b"AUTH PLAIN", b64(b"\0x\n" + t + b"\n\0wrong")],
        [b"AUTH LOGIN", b64(b"x\n" + t + b"\n"), b64(b"wrong")],
        [b"AUTH CRAM-MD5", b64(b"x\n" + t + b"\n " + 32 * b"0")],
        [b"AUTH " + t, b"*"],
        [t, b"STLS " + t, b"FOO\0" + t, b"FOO\x1b\xff" + t],
        REPEATS * [t],
        [b"USER " + USER, b"PASS right-horse", b"RETR " + t, b"DELE " + t,
         b"QUIT"],
    ]


# ---- ManageSieve and HTTP ----

SIEVE = {
    "login": [b'AUTHENTICATE "PLAIN" "' + RIGHT + b'"', b"LOGOUT"],
    "auth-plain": [b'AUTHENTICATE "PLAIN" "' + WRONG + b'"'],
    "auth-mechanism": [b'AUTHENTICATE "KERBEROS_V9"'],
    "commands": 12 * [b"FOO"],
}
HTTP = {
    "auth-basic": [b"PROPFIND /dav/ HTTP/1.0\r\nHost: x\r\nAuthorization: Basic "
                   + b64(USER + b":wrong") + b"\r\n"],
}


def sieve_fields(t):
    return [
        [b'AUTHENTICATE "PLAIN" "' + b64(b"\0" + t + b"\0wrong") + b'"'],
        [b'AUTHENTICATE "PLAIN" "' + b64(b"\0x\n" + t + b"\n\0wrong") + b'"'],
        [b'AUTHENTICATE "PLAIN" "' + b64(t + b"\0user1\0wrong") + b'"'],
        [b'AUTHENTICATE "PLAIN" {%d+}\r\n' % len(t) + t],
        [b'AUTHENTICATE "' + t + b'"'],
        [b'AUTHENTICATE "LOGIN"', b'"' + b64(t) + b'"', b'"eA=="'],
        [t, b'"' + t + b'"'],
    ]


def http_fields(t):
    def ask(line, *headers):
        return [b"\r\n".join((line + b" HTTP/1.0", b"Host: x") + headers +
                             (b"",))]
    basic = b"Authorization: Basic "
    return [
        ask(b"PROPFIND /dav/", basic + b64(t + b":wrong")),
        ask(b"PROPFIND /dav/", basic + b64(b"x\n" + t + b"\n:wrong")),
        ask(b"PROPFIND /dav/", basic + b64(t)),
        ask(b"PROPFIND /dav/", basic + t),
        ask(b"PROPFIND /dav/", b"Authorization: " + t),
        ask(b"GET /" + t, b"User-Agent: " + t, b"X-Forwarded-For: " + t),
        ask(t),
    ]


CASES = {"smtp": SMTP, "smtps": SMTP, "imap": IMAP, "pop3": POP3,
         "sieve": SIEVE, "http": HTTP}
FIELDS = {"smtp": smtp_fields, "smtps": smtp_fields, "imap": imap_fields,
          "pop3": pop3_fields, "sieve": sieve_fields, "http": http_fields}


# ---- What it does ----

def settle():
    """Until the log has been quiet for a while: a server may write of a session
    when its client has long gone, and that must not count for the next one."""
    name = os.environ.get("E2E", "/run/e2e") + "/messages.json"
    end = time.monotonic() + 5
    before = -1
    while time.monotonic() < end:
        size = os.stat(name).st_size if os.path.exists(name) else 0
        if size == before:
            return
        before = size
        time.sleep(0.12)


def plain(options):
    for case in options.words:
        mark("%s-%s" % (options.prefix, case))
        with Session(options) as session:
            # Before its turn, unless the case is just that.
            if case != "early":
                session.greeting()
            for line in CASES[options.protocol][case]:
                session.say(line)
        settle()


def read_texts(name):
    with open(name, "rb") as file:
        return [line.rstrip(b"\n") for line in file
                if line.strip() and not line.startswith(b"#")]


def run(options, lines):
    begin = time.monotonic()
    with Session(options) as session:
        session.greeting()
        for line in lines:
            session.say(line)
    if "HOSTILE_SLOW" in os.environ and time.monotonic() > begin + 1:
        print("%.1f s" % (time.monotonic() - begin), lines, flush=True)


def server_names(options, texts):
    """Each text as the name that TLS asks for."""
    for text in texts:
        with Session(options) as session:
            session.greeting()
            session.say(HELLO, b"STARTTLS")
            # Python takes host names alone; what has the form of one is left.
            name = "".join(c if c.isalnum() else "-" for c in text.decode())
            session.start_tls(name[:60].strip("-") or "x")
            session.say(HELLO, b"AUTH PLAIN " + WRONG, b"RCPT TO:<" + text)


def variants(options, texts):
    yield from texts
    for pad in options.behind:
        for text in texts:
            yield pad * b"x" + text
    for pad in options.pads:
        for text in texts:
            yield (pad - len(text)) * b"x" + text


def hostile(options):
    begin = time.monotonic()
    mark(options.prefix)
    texts = read_texts(options.words[0])
    sessions = []
    for number, text in enumerate(variants(options, texts)):
        for field, lines in enumerate(FIELDS[options.protocol](text)):
            # Other fields in each round through the texts.
            if (number + number // len(texts) + field) % options.sample == 0:
                sessions.append(lines)
    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(lambda lines: run(options, lines), sessions))
    if options.tls:
        server_names(options, texts[::options.sample])
    print("# %d hostile sessions, %d s" %
          (len(sessions), time.monotonic() - begin))


def ident(texts, lengths):
    answers = [text.ljust(length, b"x") for text in read_texts(texts)
               for length in lengths or [0]]
    with socket.create_server(("", 113)) as server:
        for text in itertools.cycle(answers):
            link, _ = server.accept()
            with link:
                query = link.recv(1000).strip()
                link.sendall(query + b" : USERID : UNIX : " + text + b"\r\n")


def numbers(text):
    return [int(word) for word in text.split(",") if word]


def main():
    if sys.argv[1:2] == ["ident"]:
        return ident(sys.argv[2], [*range(*map(int, sys.argv[3:]))]
                     if sys.argv[3:] else [])
    parser = argparse.ArgumentParser()
    parser.add_argument("protocol", choices=sorted(CASES))
    parser.add_argument("server")
    parser.add_argument("port", type=int)
    parser.add_argument("what", choices=["plain", "hostile"])
    parser.add_argument("prefix")
    parser.add_argument("words", nargs="+")
    parser.add_argument("--pads", type=numbers, default=[])
    parser.add_argument("--behind", type=numbers, default=[])
    parser.add_argument("--sample", type=int, default=1)
    parser.add_argument("--tls", action="store_true")
    options = parser.parse_args()
    if "HOSTILE_ALL" in os.environ:
        options.sample = 1
    try:
        return plain(options) if options.what == "plain" else hostile(options)
    except OSError as error:
        return "no connection to port %d: %s" % (options.port, error)


if __name__ == "__main__":
    sys.exit(main())
