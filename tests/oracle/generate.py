#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Prints the mail log of one day, the same for the same seed.

usage: generate.py [--forged] SEED LINES

The lines are of the kinds that Postfix, Dovecot and mail filters write, in
about the proportions of a busy mail host; many clients come once, many twice.
With --forged, clients with an IPv6 address and without a host name also greet
with an IPv4 literal of their own choosing, 198.51.100.7, some times a day: the
shell routine takes that for the client, mailban must not.

Clients come from 198.18.0.0/15 (RFC 2544) and the documentation networks: no
host that runs the tests has one of them as its own.
"""
import argparse
import random

HOST = "mx1"
FORGED = "198.51.100.7"
WORDS = ("amber birch cedar delta ember fjord grove heron inlet juniper "
         "kestrel larch maple nectar otter pine quartz raven sorrel tundra "
         "umber violet willow xenon yarrow zephyr").split()
USERS = ("info admin sales support bob alice test office billing root "
         "postmaster webmaster mary contact").split()
MECHANISMS = ("LOGIN", "LOGIN", "LOGIN", "PLAIN", "CRAM-MD5")
SERVICES = ("postfix/smtpd", "postfix/smtpd", "postfix/submission/smtpd",
            "postfix/smtps/smtpd")


class Log:
    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.pids = {}
        self.regulars = [self.new_client() for _ in range(60)]
        self.pool = []

    # --- what lines are made of ---

    def pick(self, items):
        return self.rng.choice(items)

    def number(self, low, high):
        return self.rng.randint(low, high)

    def new_address(self):
        if self.rng.random() < 0.08:
            net = self.pick(("192.0.2", "198.51.100", "203.0.113"))
            address = f"{net}.{self.number(10, 250)}"
            if address != FORGED:
                return address
        return (f"198.{self.number(18, 19)}.{self.number(0, 255)}"
                f".{self.number(1, 254)}")

    def new_address6(self):
        return (f"2001:db8:{self.number(1, 0xffff):x}:"
                f"{self.number(1, 0xffff):x}::{self.number(1, 0xffff):x}")

    def domain(self):
        return (f"{self.pick(WORDS)}-{self.pick(WORDS)}."
                + self.pick(("example.net", "example.org", "test.example")))

    def new_client(self):
        """(name, address): a host with a name."""
        address = self.new_address()
        if self.rng.random() < 0.3:
            return address.replace(".", "-") + ".dyn.example.net", address
        return "mail." + self.domain(), address

    def attacker(self):
        """(name, address): mostly without a name; many come only once."""
        if self.pool and self.rng.random() < 0.55:
            return self.pick(self.pool)
        kind = self.rng.random()
        if kind < 0.72:
            client = "unknown", self.new_address()
        elif kind < 0.90:
            client = self.new_client()
        else:
            client = "unknown", self.new_address6()
        if self.rng.random() < 0.6:
            self.pool.append(client)
            if len(self.pool) > 400:
                self.pool.pop(self.number(0, 399))
        return client

    def mail(self):
        return f"{self.pick(USERS)}{self.number(1, 99)}@{self.domain()}"

    def local(self):
        return f"{self.pick(USERS)}@example.com"

    def queue_id(self):
        if self.rng.random() < 0.5:
            return "".join(self.pick("0123456789ABCDEF") for _ in range(10))
        return "4" + "".join(
            self.pick("BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz0123456789")
            for _ in range(14))

    def helo(self, address):
        kind = self.rng.random()
        if kind < 0.35:
            return self.domain()
        if kind < 0.55:
            return self.pick(("User", "ylmf-pc", "WIN-9QL4SDRB93L", "localhost"))
        if kind < 0.75 and ":" not in address:
            return f"[{address}]"
        if kind < 0.85 and ":" not in address:
            return f"[192.168.{self.number(0, 255)}.{self.number(1, 254)}]"
        if kind < 0.95:
            return address if ":" not in address else "ipv6-host"
        return "mail." + self.domain()

    def session(self):
        return "".join(self.pick(
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
            for _ in range(16))

    def stamp(self):
        return f"{self.rng.random() * 4:.2f}"

    # --- events: lists of (program, msg) ---

    def delivery(self):
        name, address = self.pick(self.regulars)
        client, qid = f"{name}[{address}]", self.queue_id()
        sender, rcpt = self.mail(), self.local()
        lines = [
            ("postfix/smtpd", f"connect from {client}"),
            ("postfix/smtpd", f"{qid}: client={client}"),
            ("postfix/cleanup", f"{qid}: message-id=<{self.session()}@{name}>"),
            ("postfix/qmgr", f"{qid}: from=<{sender}>, size={self.number(900, 90000)}, nrcpt=1 (queue active)"),
            ("postfix/smtpd", f"disconnect from {client} ehlo=2 starttls=1 mail=1 rcpt=1 data=1 quit=1 commands=7"),
            ("postfix/lmtp", f"{qid}: to=<{rcpt}>, relay=mx1.example.com[private/dovecot-lmtp], delay={self.stamp()}, delays=0.1/0.01/0.01/0.05, dsn=2.0.0, status=sent (250 2.0.0 <{rcpt}> {self.session()} Saved)"),
            ("postfix/qmgr", f"{qid}: removed"),
        ]
        if self.rng.random() < 0.5:
            lines.insert(1, ("postfix/smtpd", f"Anonymous TLS connection established from {client}: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)"))
        if self.rng.random() < 0.4:
            lines.insert(4, ("amavis", f"({self.number(1000, 9999)}-01) Passed CLEAN {{RelayedInbound}}, [{address}]:{self.number(1024, 65535)} [{address}] <{sender}> -> <{rcpt}>, Queue-ID: {qid}, mail_id: {self.session()[:12]}, Hits: -0.1, size: {self.number(900, 9000)}, {self.number(90, 900)} ms"))
        return lines

    def sending(self):
        qid, relay = self.queue_id(), self.new_address()
        name, rcpt = "mx." + self.domain(), self.mail()
        return [
            ("postfix/smtp", f"Trusted TLS connection established to {name}[{relay}]:25: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)"),
            ("postfix/smtp", f"{qid}: to=<{rcpt}>, relay={name}[{relay}]:25, delay={self.stamp()}, delays=0.1/0/1/0.4, dsn=2.0.0, status=sent (250 2.0.0 OK {self.number(10**9, 10**10)})"),
            ("postfix/qmgr", f"{qid}: removed"),
        ]

    def submission(self):
        name, address = self.pick(self.regulars)
        client, qid, user = f"{name}[{address}]", self.queue_id(), self.local()
        return [
            ("postfix/submission/smtpd", f"connect from {client}"),
            ("postfix/submission/smtpd", f"{qid}: client={client}, sasl_method=PLAIN, sasl_username={user}"),
            ("postfix/submission/smtpd", f"disconnect from {client} ehlo=2 starttls=1 auth=1 mail=1 rcpt=1 data=1 quit=1 commands=8"),
        ]

    def mailbox(self):
        _, address = self.pick(self.regulars)
        user, session = self.local(), self.session()
        proto = self.pick(("imap", "imap", "imap", "pop3"))
        return [
            ("dovecot", f"{proto}-login: Login: user=<{user}>, method=PLAIN, rip={address}, lip=192.0.2.1, mpid={self.number(1000, 99999)}, TLS, session=<{session}>"),
            ("dovecot", f"{proto}({user})<{self.number(1000, 99999)}><{session}>: Disconnected: Logged out in={self.number(50, 900)} out={self.number(900, 9000)}"),
        ]

    def filters(self):
        address, qid = self.new_address(), self.queue_id()
        return self.pick((
            [("opendkim", f"{qid}: {self.domain()} [{address}] not internal"),
             ("opendkim", f"{qid}: DKIM verification successful")],
            [("policyd-spf", f"prepend Received-SPF: Pass (mailfrom) identity=mailfrom; client-ip={address}; helo={self.domain()}; envelope-from={self.mail()}; receiver=<UNKNOWN>")],
            [("postgrey", f"action=pass, reason=client AWL, client_name={self.domain()}, client_address={address}, sender={self.mail()}, recipient={self.local()}")],
            [("spamd", f"spamd: result: . -2 - BAYES_00,SPF_PASS scantime={self.stamp()},size={self.number(900, 9000)},user=nobody,uid=65534,required_score=5.0,rhost=localhost,raddr=127.0.0.1,rport={self.number(1024, 65535)},mid=<{self.session()}@{self.domain()}>,autolearn=ham")],
            [("postfix/anvil", f"statistics: max connection rate {self.number(1, 30)}/60s for (smtp:{address}) at Nov 25 10:00:00")],
        ))

    def guess(self):
        name, address = self.attacker()
        service = self.pick(SERVICES)
        port = f":{self.number(1024, 65535)}" if self.rng.random() < 0.1 else ""
        client, tries = f"{name}[{address}]{port}", self.number(1, 3)
        why = self.pick(("UGFzc3dvcmQ6", "authentication failure", "", "VXNlcm5hbWU6"))
        if self.rng.random() < 0.3:
            why = f"(reason unavailable), sasl_username={self.local()}"
        lines = [(service, f"connect from {client}")]
        if name != "unknown" and self.rng.random() < 0.2:
            lines.append((service, f"warning: hostname {name} does not resolve to address {address}: Name or service not known"))
        for _ in range(tries):
            lines.append((service, f"warning: {client}: SASL {self.pick(MECHANISMS)} authentication failed: {why}"))
        if self.rng.random() < 0.4:
            lines.append((service, f"lost connection after AUTH from {client}"))
        lines.append((service, f"disconnect from {client} ehlo=1 auth=0/{tries} quit=1 commands=2/{2 + tries}"))
        return lines

    def lone(self):
        """One single line of a client that mostly never comes back."""
        name, address = self.attacker()
        client = f"{name}[{address}]"
        return [self.pick((
            ("postfix/smtpd", f"warning: {client}: SASL LOGIN authentication failed: UGFzc3dvcmQ6"),
            ("postfix/smtpd", f"disconnect from {client}"),
            ("postfix/smtpd", f"connect from {client}"),
            ("postfix/smtpd", f"lost connection after CONNECT from {client}"),
            ("postfix/smtpd", f"timeout after DATA (0 bytes) from {client}"),
            ("postfix/smtpd", f"too many errors after RCPT from {client}"),
            ("postfix/smtpd", f"SSL_accept error from {client}: lost connection"),
            ("postfix/smtpd", f"improper command pipelining after EHLO from {client}: MAIL FROM:<{self.mail()}>\\r\\n"),
            ("postfix/smtpd", f"warning: non-SMTP command from {client}: GET / HTTP/1.1"),
            ("postfix/smtpd", f"warning: Connection rate limit exceeded: {self.number(31, 99)} from {client} for service smtp"),
            ("postfix/smtpd", f"warning: Illegal address syntax from {client} in MAIL command: <{self.pick(WORDS)}>"),
            ("postfix/cleanup", f"{self.queue_id()}: milter-reject: END-OF-MESSAGE from {client}: 5.7.1 Spam message rejected; from=<{self.mail()}> to=<{self.local()}> proto=ESMTP helo=<{self.helo(address)}>"),
            ("postfix/cleanup", f"{self.queue_id()}: warning: header Subject: {self.pick(WORDS)} {self.pick(WORDS)} from {client}; from=<{self.mail()}> to=<{self.local()}> proto=ESMTP helo=<{self.helo(address)}>"),
        ))]

    def refusal(self):
        name, address = self.attacker()
        client, helo = f"{name}[{address}]", self.helo(address)
        sender, rcpt = self.mail(), self.local()
        text = self.pick((
            f"554 5.7.1 <{sender}>: Relay access denied",
            f"550 5.1.1 <{rcpt}>: Recipient address rejected: User unknown in virtual mailbox table",
            f"450 4.7.25 Client host rejected: cannot find your hostname, [{address}]",
            f"554 5.7.1 Service unavailable; Client host [{address}] blocked using zen.spamhaus.org; https://www.spamhaus.org/query/ip/{address}",
            f"504 5.5.2 <{helo}>: Helo command rejected: need fully-qualified hostname",
            f"450 4.2.0 <{rcpt}>: Recipient address rejected: Greylisted, see http://postgrey.schweikert.ch/help/example.com.html",
        ))
        if ":" in address and (helo.startswith("[") or "cannot find" in text):
            helo = "host"
        return [
            ("postfix/smtpd", f"connect from {client}"),
            ("postfix/smtpd", f"NOQUEUE: reject: RCPT from {client}: {text}; from=<{sender}> to=<{rcpt}> proto=ESMTP helo=<{helo}>"),
            ("postfix/smtpd", f"disconnect from {client} ehlo=1 mail=1 rcpt=0/1 quit=1 commands=3/4"),
        ]

    def screened(self):
        _, address = self.attacker()
        port = self.number(1024, 65535)
        return [
            ("postfix/postscreen", f"CONNECT from [{address}]:{port} to [192.0.2.1]:25"),
            ("postfix/dnsblog", f"addr {address} listed by domain zen.spamhaus.org as 127.0.0.4"),
            ("postfix/postscreen", self.pick((
                f"PREGREET {self.number(6, 40)} after {self.stamp()} from [{address}]:{port}: EHLO ylmf-pc\\r\\n",
                f"DNSBL rank {self.number(3, 9)} for [{address}]:{port}",
                f"HANGUP after {self.stamp()} from [{address}]:{port} in tests after SMTP handshake"))),
            ("postfix/postscreen", f"DISCONNECT [{address}]:{port}"),
        ]

    def dovecot_guess(self):
        _, address = self.attacker()
        user, session = self.pick(USERS), self.session()
        return [
            ("dovecot", f"auth: passwd-file({user},{address},<{session}>): unknown user"),
            ("dovecot", f"imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<{user}>, method=PLAIN, rip={address}, lip=192.0.2.1, TLS, session=<{session}>"),
        ]

    def own_relay(self):
        qid, address = self.queue_id(), self.new_address()
        return [("postfix/smtp", f"{qid}: SASL authentication failed; server relay.{self.domain()}[{address}] said: 535 5.7.8 Error: authentication failed: authentication failure")]

    def forged(self):
        """The client is IPv6, so that its HELO is the first in brackets."""
        client = f"unknown[{self.new_address6()}]"
        return [("postfix/smtpd", f"NOQUEUE: reject: RCPT from {client}: 504 5.5.2 <[{FORGED}]>: Helo command rejected: need fully-qualified hostname; from=<{self.mail()}> to=<{self.local()}> proto=ESMTP helo=<[{FORGED}]>")]

    def event(self):
        kinds = ((14, self.delivery), (8, self.sending), (8, self.submission),
                 (14, self.mailbox), (12, self.filters), (9, self.guess),
                 (9, self.lone), (9, self.refusal), (5, self.screened),
                 (6, self.dovecot_guess), (1, self.own_relay))
        make = self.rng.choices([kind for _, kind in kinds],
                                [weight for weight, _ in kinds])[0]
        return make()

    def pid(self, program):
        """A process serves some lines, then another takes its place."""
        if program not in self.pids or self.rng.random() < 0.02:
            self.pids[program] = self.number(300, 99999)
        return self.pids[program]

    def line(self, second, program, msg):
        clock = f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
        tag = "dovecot" if program == "dovecot" else f"{program}[{self.pid(program)}]"
        return f"Nov 25 {clock} {HOST} {tag}: {msg}"


def main():
    parser = argparse.ArgumentParser(usage="generate.py [--forged] SEED LINES")
    parser.add_argument("--forged", action="store_true")
    parser.add_argument("seed", type=int)
    parser.add_argument("lines", type=int)
    args = parser.parse_args()
    log = Log(args.seed)
    lines = []
    while len(lines) < args.lines:
        lines += log.event()
    del lines[args.lines:]
    if args.forged:
        for at in range(1, 6):
            lines[at * len(lines) // 6:at * len(lines) // 6] = log.forged()
    for at, (program, msg) in enumerate(lines):
        # Shy of the whole day: what is exactly 24 hours apart is no question
        # to ask here.
        print(log.line(60 + at * 86000 // len(lines), program, msg))


if __name__ == "__main__":
    main()
