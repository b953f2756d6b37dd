"""Decides again who must be told of every record of generated dumps, and compares with what dijkwacht wrote, by id, both ways.

usage: checker.py [--seeds N] [--first SEED] [--records N] [--alerts N] [--keep DIR] DIJKWACHT

From a seed come registers (CSV, JSONL, a prefix -> AS table, shared addresses), a configuration and dumps in eight formats; the real
command runs over each into a spool. Then every record is decided by a slow reading of the rules, written from the design's text and not from
the program: which registrations hold it, who is told by which rule, or for which reason it is held and under whose names, or why it
is nobody's or cannot be read. finding_id and alert_id are computed here. Every line of new/ and held/ must be expected for exactly
that owner, every expected line must be there once, and the summary's books must be what was counted here. A disagreement prints the
seed, the record and both opinions; exit 1.

--alerts N goes on, seed after seed, until so many alerts were compared. --keep DIR leaves the files of each seed there.
Standard library only.
"""

import argparse
import datetime
import ipaddress
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections import Counter, defaultdict, namedtuple

FINDING_SPACE = uuid.UUID("30a938c5-1778-5d94-b0f3-d3cf74a7998e")
ALERT_SPACE = uuid.UUID("68d7139f-d196-5bcb-8e1f-86056f8b2e15")
DAY = datetime.timedelta(days=1)
UTC = datetime.timezone.utc
ROLES = ("user", "network", "link")

# Outermost special blocks; those that the universes below touch.
SPECIAL = [
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.168.0.0/16",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
        "::/96", "64:ff9b::/96", "2001::/23", "2001:db8::/32", "2002::/16", "fc00::/7", "fe80::/10", "ff00::/8",
    )
]  # fmt: skip


# ---------------------------------------------------------------------------------------------------------- values


class Span(namedtuple("Span", "family first last")):
    """Addresses from first to last, both included."""

    @property
    def size(self):
        return self.last - self.first + 1

    def holds(self, other):
        return self.family == other.family and self.first <= other.first and other.last <= self.last

    def meets(self, other):
        return self.family == other.family and self.first <= other.last and other.first <= self.last

    def text(self):
        """A prefix, or `first - last`."""
        make = ipaddress.IPv4Address if self.family == 4 else ipaddress.IPv6Address
        first, last = make(self.first), make(self.last)
        pieces = list(ipaddress.summarize_address_range(first, last))
        return str(pieces[0]) if len(pieces) == 1 else f"{first} - {last}"


def span_of(text):
    """The span of an address, prefix, or `first - last`."""
    if " - " in text:
        first, last = (ipaddress.ip_address(part) for part in text.split(" - "))
        return Span(first.version, int(first), int(last))
    network = ipaddress.ip_network(text)
    return Span(network.version, int(network.network_address), int(network.broadcast_address))


SPECIAL_SPANS = [span_of(str(block)) for block in SPECIAL]
REACHABLE = [span_of("192.0.0.9"), span_of("192.0.0.10")]


def special_block(span):
    """The special block that holds all of it; none for what is reachable inside one."""
    if span in REACHABLE:
        return None
    return next((block for block in SPECIAL_SPANS if block.holds(span)), None)


class Rejected(Exception):
    """A record that cannot be read; why."""


def read_address(text, prefixes=False):
    """(span, text for ids); None where nothing is filled."""
    text = text.strip()
    if not text:
        return None
    if "/" in text and prefixes:
        address = text.split("/")[0]
        if plain_address(address) is None:
            raise Rejected("address")
        try:
            span = span_of(text)
        except ValueError:
            raise Rejected("prefix") from None
        if span.size == 1:
            return span, address_text(span)
        return span, span.text()
    span = plain_address(text)
    if span is None:
        raise Rejected("address")
    return span, address_text(span)


def plain_address(text):
    """Strictly; IPv4-mapped IPv6 is IPv4."""
    if "%" in text:
        return None
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if address.version == 6 and address.ipv4_mapped:
        address = address.ipv4_mapped
    return Span(address.version, int(address), int(address))


def address_text(span):
    make = ipaddress.IPv4Address if span.family == 4 else ipaddress.IPv6Address
    return str(make(span.first))


LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\Z")


def host_of(text):
    """The host of a URL, `host:port` or name: lower case, A-labels, no final dot; None where it is no name."""
    if text is None:
        return None
    text = text.strip()
    text = text.split("://", 1)[-1]
    text = re.split(r"[/?#]", text, maxsplit=1)[0].rsplit("@", 1)[-1]
    if text.startswith("["):
        return None
    host = text.rsplit(":", 1)[0] if text.count(":") == 1 else text
    if plain_address(host) is not None or host.count(":") > 1:
        return None
    host = host.removesuffix(".")
    try:
        labels = [label.encode("idna").decode().lower() for label in host.split(".")]
    except UnicodeError:
        return None
    if not all(LABEL.match(label) for label in labels) or labels[-1].isdigit():
        return None
    return ".".join(labels)


def literal_of(text):
    """The address that stands where a name could: (span, port)."""
    if text is None:
        return None
    text = re.split(r"[/?#]", text.split("://", 1)[-1], maxsplit=1)[0].rsplit("@", 1)[-1]
    match = re.match(r"\[(.*)\](?::(\d+))?\Z", text)
    host, port = match.groups() if match else (text.split(":")[0], text.partition(":")[2]) if text.count(":") == 1 else (text, None)
    span = plain_address(host)
    return None if span is None else (span, int(port) if port else None)


class When(namedtuple("When", "moment text")):
    """An instant, whole seconds, and its text in ids."""

    @property
    def day(self):
        return self.moment.date()

    def is_after(self, moment):
        return self.moment > moment or self.moment == moment and "." in self.text


TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:?\d\d)?)?\Z")


def read_time(text, micros=None):
    """None: no time. Raises Rejected."""
    text = text.strip()
    if not text:
        return None
    if re.fullmatch(r"\d{10}", text):
        moment = datetime.datetime.fromtimestamp(int(text), UTC)
        fraction = f"{int(micros):06}".rstrip("0") if micros else ""
    else:
        match = TIME.match(text)
        if not match:
            raise Rejected("time")
        year, month, day, hour, minute, second, fraction, zone = match.groups()
        if (year, month, day) == ("0001", "01", "01"):
            return None
        try:
            moment = datetime.datetime(*(int(part or 0) for part in (year, month, day, hour, minute, second)), tzinfo=UTC)
        except ValueError:
            raise Rejected("time") from None
        if zone and zone != "Z":
            digits = zone[1:].replace(":", "")
            offset = datetime.timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
            moment -= offset if zone[0] == "+" else -offset
        fraction = (fraction or "").rstrip("0")
    told = moment.strftime("%Y-%m-%dT%H:%M:%S") + (f".{fraction}" if fraction else "") + "Z"
    return When(moment, told)


def read_port(text):
    text = str(text).strip()
    if not text:
        return None
    if not re.fullmatch(r"\d{1,5}", text) or int(text) > 65535:
        raise Rejected("port")
    return int(text)


def read_asn(text):
    match = re.fullmatch(r"(?:AS)?(\d+)", (text or "").strip(), re.IGNORECASE)
    return int(match[1]) if match else None


# -------------------------------------------------------------------------------------------------------- register

Claim = namedtuple("Claim", "owner role kind key size since until source line text")
"""A registration. kind: address, name, asn (as the record says), announced (by a table). size: addresses, or minus the labels."""


class Register:
    """Owners and registrations, as the files say."""

    def __init__(self):
        self.order = []  # owner ids, by first appearance
        self.said = {}  # owner id -> attribute -> value; the first source wins
        self.contacts = defaultdict(list)
        self.claims = []
        self.announced = defaultdict(list)  # AS number -> spans
        self.shared = []
        self.bad_rows = 0

    def row(self, source, line, owner, said, contacts, claims):
        """claims: (kind, text, role or None, since, until)."""
        if owner not in self.said:
            self.order.append(owner)
            self.said[owner] = {}
        for name, value in said.items():
            self.said[owner].setdefault(name, value)
        for contact in contacts:
            if contact not in self.contacts[owner]:
                self.contacts[owner].append(contact)
        for kind, text, role, since, until in claims:
            role = role or ("network" if kind == "asn" else "user")
            if kind == "address":
                span = span_of(text)
                self.claims.append(Claim(owner, role, kind, span, span.size, since, until, source, line, span.text()))
            elif kind == "name":
                name = host_of(text)
                size = -len(name.split("."))
                self.claims.append(Claim(owner, role, kind, name, size, since, until, source, line, name))
            else:
                number = read_asn(text)
                self.claims.append(Claim(owner, role, kind, number, 1 << 129, since, until, source, line, f"AS{number}"))

    def settle(self):
        """Puts AS numbers in the place of what they announce, unites organisations, and indexes names for speed."""
        claims = []
        for claim in self.claims:
            # A special prefix in a table has leaked into it: no AS number holds what is special, and one with nothing else is as if not there.
            spans = [span for span in self.announced.get(claim.key, []) if not special_block(span)] if claim.kind == "asn" else []
            claims += [claim._replace(kind="announced", key=span, size=span.size) for span in spans] or [claim]
        self.by_address = [claim for claim in claims if claim.kind in ("address", "announced")]
        self.by_name, self.by_asn = defaultdict(list), defaultdict(list)
        for claim in claims:
            if claim.kind == "name":
                self.by_name[claim.key].append(claim)
            elif claim.kind == "asn":
                self.by_asn[claim.key].append(claim)
        self.unite()
        self.held_cache = {}

    def unite(self):
        parent = {owner: owner for owner in self.order}

        def root(owner):
            while parent[owner] != owner:
                owner = parent[owner]
            return owner

        seen = {}
        for owner in self.order:
            said = self.said[owner]
            for name in ("kvk", "ripe_org"):
                if name in said:
                    parent[root(owner)] = root(seen.setdefault((name, said[name].upper()), owner))
            if said.get("same_as") in parent:
                parent[root(owner)] = root(said["same_as"])
        self.org = {owner: root(owner) for owner in self.order}

    def united(self, owner):
        """All entries of its organisation, in order of appearance."""
        return [other for other in self.order if self.org[other] == self.org[owner]]

    def told(self, owner):
        """The entry itself, else the first united one that has a contact; None."""
        if self.contacts[owner]:
            return owner
        return next((other for other in self.united(owner) if self.contacts[other]), None)

    def holding(self, span):
        """The registrations of addresses that hold all of a span."""
        if span not in self.held_cache:
            block = special_block(span)
            found = [claim for claim in self.by_address if claim.key.holds(span)]
            if block:
                found = [claim for claim in found if claim.kind == "address" and block.holds(claim.key)]
            self.held_cache[span] = found
        return self.held_cache[span]

    def inside(self, span):
        """The registrations that hold a part of a span and not all of it: a part is another's, whether it reaches out or not."""
        block = special_block(span)
        found = [claim for claim in self.by_address if claim.key.meets(span) and not claim.key.holds(span)]
        return [claim for claim in found if not block or block.holds(claim.key)]

    def of_name(self, name):
        """The registrations of a name and of what is above it, longest first."""
        labels = name.split(".") if name else []
        return [claim for at in range(len(labels)) for claim in self.by_name.get(".".join(labels[at:]), ())]

    def is_shared(self, span):
        return any(shared.holds(span) for shared in self.shared)


# -------------------------------------------------------------------------------------------------------- decision

Record = namedtuple("Record", "span stated shown asn")
"""The keys of a record: addresses or None, a name, names, an AS number or None."""

Verdict = namedtuple("Verdict", "state lines")
"""state: nobody, told, conflict, no-contact. lines: (owner told, rule, claim)."""

NOBODY = Verdict("nobody", [])

HOLDS = ["unknown-type", "no-finding", "future", "too-old", "prefix", "conflict", "moved", "no-contact"]
"""The reasons of a hold, in order: equal lines are one, and wait for the first of theirs."""


def is_valid(claim, day):
    return (not claim.since or claim.since <= day) and (not claim.until or day <= claim.until)


def specificity(claim):
    """Most specific first, then the earlier source, then the earlier line. The rest orders only what one row says, for which there is no rule."""
    within_row = claim.key if isinstance(claim.key, Span) else (), ROLES.index(claim.role), claim.kind
    return claim.size, claim.source, claim.line, *within_row


def is_inside(one, other):
    """Whether one registration lies strictly inside another; a longer domain does, and AS numbers have no inside."""
    if isinstance(one.key, Span):
        return one.key != other.key and other.key.holds(one.key)
    return one.kind == other.kind == "name" and one.size < other.size


def contest(register, claims, others=()):
    """The claims, one of each organisation, between which nothing decides; one if something does.

    What holds another organisation's registration is beaten by it, also by one of `others`; then the earliest source decides.
    """
    org = register.org
    beaten = lambda claim: any(org[other.owner] != org[claim.owner] and is_inside(other, claim) for other in (*claims, *others))
    rivals = [claim for claim in claims if not beaten(claim)]
    source = min((claim.source for claim in rivals), default=None)
    level = {}
    for claim in sorted(rivals, key=specificity):
        if claim.source == source:
            level.setdefault(org[claim.owner], claim)
    return list(level.values())


def rungs(register, record, live):
    """(rule, claims, claims that beat those inside which they lie) in the order in which recipients are looked for."""
    special = record.span is not None and special_block(record.span)
    held = [claim for claim in (register.holding(record.span) if record.span else []) if live(claim)]
    stated = [claim for claim in ([] if special else register.of_name(record.stated)) if live(claim)]
    shown = [[claim for claim in register.of_name(name) if live(claim)] for name in ([] if special else record.shown)]
    said = [claim for claim in ([] if special or record.asn is None else register.by_asn.get(record.asn, [])) if live(claim)]

    def of(claims, role, *kinds):
        return [claim for claim in claims if claim.role == role and claim.kind in kinds]

    user_prefix, network_prefix = of(held, "user", "address"), of(held, "network", "address")

    def agreed(role):
        """Of shown names: nothing where several are registered, and not all by one organisation; else the first."""
        named = [names for names in (of(claims, role, "name") for claims in shown) if names]
        owners = {register.org[claim.owner] for names in named for claim in contest(register, names)}
        return [] if not named or len(named) > 1 and len(owners) > 1 else named[0]

    steps = [
        ("user-name", of(stated, "user", "name"), ()),
        ("user-prefix", user_prefix, ()),
        ("user-name", agreed("user"), ()),
        ("user-asn", of(held, "user", "announced"), network_prefix),
        ("network-prefix", network_prefix, ()),
        ("user-asn", of(held, "user", "announced"), ()),
        ("user-asn", of(said, "user", "asn"), ()),
        ("network-asn", of(held, "network", "announced"), ()),
        ("network-asn", of(said, "network", "asn"), ()),
        ("link", of(stated, "link", "name"), ()),
        ("link", of(held, "link", "address", "announced"), ()),
        ("link", agreed("link"), ()),
        ("link", of(said, "link", "asn"), ()),
    ]
    return steps


def is_swapped(register, record, day):
    """Whether a name that the system shows comes before the user of an address that serves many."""
    if record.span is None or record.span.size > 1 or not register.is_shared(record.span):
        return False
    users = [claim for claim in register.holding(record.span) if claim.kind == "address" and claim.role == "user"]
    return len({register.org[claim.owner] for claim in users if is_valid(claim, day)}) > 1


def choose(register, record, day, rules=None):
    """Who is told on that day, by one of some rules. An organisation without any contact gives way: without it the choice is made again."""
    first, gave_way, swapped = None, set(), is_swapped(register, record, day)
    while True:
        steps = rungs(register, record, lambda claim: is_valid(claim, day) and register.org[claim.owner] not in gave_way)
        if swapped:
            steps[1], steps[2] = steps[2], steps[1]
        steps = [step for step in steps if rules is None or step[0] in rules]
        asked = ((rule, claims, contest(register, claims, others)) for rule, claims, others in steps)
        rule, claims, level = next((found for found in asked if found[2]), (None, [], []))
        if not level:
            return first or NOBODY
        if len(level) > 1:
            return Verdict("conflict", [line_of(register, rule, claims, register.org[claim.owner]) for claim in level])
        org = register.org[level[0].owner]
        line = line_of(register, rule, claims, org)
        if register.contacts[line[0]]:
            return Verdict("told", [line])
        first = first or Verdict("no-contact", [line])
        gave_way.add(org)


def line_of(register, rule, claims, org):
    """The line of an organisation: the entry with the most specific registration, else the first in that order that has a contact, else
    the first of the organisation that has one."""
    ranked = sorted((claim for claim in claims if register.org[claim.owner] == org), key=specificity)
    entries = [claim.owner for claim in ranked] + register.united(ranked[0].owner)
    told = next((owner for owner in entries if register.contacts[owner]), ranked[0].owner)
    return told, rule, ranked[0]


def inner_lines(register, record, lines, days):
    """The owners of what lies inside a prefix that a record names, but for those that have a line."""
    if record.span is None or record.span.size == 1:
        return []
    outer = {register.org[owner] for owner, _, _ in lines}
    inside = [claim for claim in register.inside(record.span) if any(is_valid(claim, day) for day in days)]
    found = {}
    for claim in sorted(inside, key=specificity):
        org = register.org[claim.owner]
        if org not in outer and org not in found:
            rule = "link" if claim.role == "link" else f"{claim.role}-{'asn' if claim.kind == 'announced' else 'prefix'}"
            found[org] = line_of(register, rule, [claim for claim in inside if register.org[claim.owner] == org], org)
    return list(found.values())


Copies = namedtuple("Copies", "notify link_mode")
"""Who else is told, as the configuration says."""


def with_copies(register, record, told, days, copies):
    """The lines of all who are told: the recipient, the links that speak for it, the network's owner; each once."""
    owner, rule, claim = told
    org = register.org
    by_id = {other.lower(): other for other in register.order}
    named = [by_id[link.lower()] for link in register.said[owner].get("link", "").split(";") if link.lower() in by_id]
    links = [register.told(link) for link in named if org[link] != org[owner]]
    links = [(link, "link", claim) for link in links if link] if copies.link_mode != "off" else []
    lines = links if copies.link_mode == "instead" and links else [told, *links]
    if copies.notify == "user-and-network" and rule.startswith("user"):
        verdicts = [choose(register, record, day, ("network-prefix", "network-asn")) for day in days]
        owners = {org[verdict.lines[0][0]] if verdict.state == "told" else None for verdict in verdicts}
        if len(owners) == 1 and None not in owners and org[owner] not in owners:
            lines = lines + verdicts[0].lines
    return list({line[0]: line for line in reversed(lines)}.values())[::-1]


def decide(register, record, seen, run, named, copies):
    """(reason to hold or None, lines) of one finding; None where nobody holds it on either day."""
    days = [run.day, seen.day] if seen else [run.day]
    verdicts = [choose(register, record, day) for day in days]
    conflicts = [line for verdict in verdicts if verdict.state == "conflict" for line in verdict.lines]
    told = [line for verdict in verdicts if verdict.state == "told" for line in verdict.lines]
    mute = [line for verdict in verdicts if verdict.state == "no-contact" for line in verdict.lines]
    if conflicts:
        reason, lines = "conflict", each_once(register, conflicts)
    elif told and (len(told) < len(days) or len({register.org[line[0]] for line in told}) > 1):
        reason, lines = "moved", each_once(register, told)
    elif told:
        reason, lines = None, told[:1]
    elif mute:
        reason, lines = "no-contact", mute[:1]
    else:
        return None
    if not named:
        return "no-finding", lines[:1]
    if seen and seen.is_after(run.moment + DAY):
        return "future", lines[:1]
    inner = inner_lines(register, record, lines, days)
    if not inner and reason is None:
        return None, with_copies(register, record, lines[0], days, copies)
    return ("prefix", lines + inner) if inner else (reason, lines)


def each_once(register, lines):
    """One line of each organisation, as the day of the run has it, else the other."""
    found = {}
    for line in lines:
        found.setdefault(register.org[line[0]], line)
    return list(found.values())


# ---------------------------------------------------------------------------------------------------------- records


class Said:
    """What one record of a dump says, by the word of its format."""

    def __init__(self, raw, address="", stated=(), shown=(), asn="", prefixes=False, early=None, whole=None, skip=None, findings=()):
        self.raw, self.address, self.stated, self.shown, self.asn = raw, address, stated, shown, asn
        self.prefixes, self.early, self.whole, self.skip, self.findings = prefixes, early, whole, skip, findings

    def keys(self):
        """(Record, address for ids, port of a literal); raises Rejected."""
        filled = [text for text in self.stated if text and text.strip()]
        found = read_address(self.address, self.prefixes)
        port = None
        if found is None and filled and literal_of(filled[0]):
            span, port = literal_of(filled[0])
            found = span, address_text(span)
        asn = read_asn(self.asn)
        shown = [text for text in self.shown if text and text.strip()]
        if found is None and not filled and not shown and not self.asn.strip():
            raise Rejected("no-key")
        stated = next((text for text in filled if literal_of(text) is None), None)
        shown = list(dict.fromkeys(name for name in map(host_of, shown) if name))
        span, told = found or (None, "")
        return Record(span, host_of(stated), shown, asn), told, port


Part = namedtuple("Part", "port transport identifier time micros client", defaults=(None, False))
"""One finding of a record, as text."""


def judge(register, said, run, observed, identifier, feed, copies):
    """(class, reason or None, lines): lines are (held reason, owner, rule, claim, finding_id, alert_id)."""
    try:
        if said.early:
            raise Rejected(said.early)
        record, address, literal_port = said.keys()
        special = record.span is not None and special_block(record.span)
        found = bool(register.holding(record.span)) if record.span else False
        if not special:
            names = [record.stated, *record.shown]
            found |= any(register.of_name(name) for name in names if name) or bool(register.by_asn.get(record.asn))
        if not found:
            return "unmatched", "special" if special else None, []
        if said.whole:
            raise Rejected(said.whole)
        if said.skip:
            return "skipped", said.skip, []
        ports = [read_port(part.port) for part in said.findings]
        times = [read_time(part.time, part.micros) for part in said.findings]
    except Rejected as why:
        return "rejected", why.args[0], []
    lines = []
    for part, port, seen in zip(said.findings, ports, times):
        time_text = seen.text if seen else ""
        if seen is None and observed:
            seen, time_text = read_time(observed), observed
        named = part.identifier or identifier or ""
        decided = decide(register, record, seen, run, named, copies)
        if decided is None:
            continue
        reason, recipients = decided
        port = port if port is not None else literal_port
        port = "" if port is None or part.client else port
        parts = (address, port, (part.transport or "").lower(), named.lower(), record.stated or "")
        finding_id = str(uuid.uuid5(FINDING_SPACE, "|".join(map(str, parts))))
        for owner, rule, claim in recipients:
            alert_id = str(uuid.uuid5(ALERT_SPACE, "|".join((feed, finding_id, time_text, owner))))
            lines.append((reason, owner, rule, claim, finding_id, alert_id))
    if not lines:
        return "unmatched", "special" if special else None, []
    return "matched", None, lines


# --------------------------------------------------------------------------------------------------------- universe


class Universe:
    """What may be registered and what is scanned: so small, by its size, that everything collides, or not."""

    NAMES = ["shop.example", "a.shop.example", "b.a.shop.example", "bücher.example", "www.bücher.example", "stad-x.nl", "raad.stad-x.nl",
             "school.example", "lab.school.example", "xn--strae-oqa.example"]  # fmt: skip

    def __init__(self, random, large):
        self.random = random
        self.large = large
        bases = [("193.0.14.0", 24), ("192.0.1.128", 24), ("198.51.99.224", 26), ("9.255.255.0", 23), ("223.255.255.128", 25),
                 ("2001:67c:2e8::", 120), ("2001:db7:ffff:ffff:ffff:ffff:ffff:ff80", 120), ("2a00:8740::", 64)]  # fmt: skip
        if large:
            bases = [("145.20.0.0", 14), ("193.0.0.0", 16), ("10.0.0.0", 15), ("192.0.0.0", 16), ("2a00:8000::", 32), ("2001:db0::", 28)]
        self.windows = []
        for base, length in random.sample(bases, random.randint(2, 4)):
            address = ipaddress.ip_address(base)
            size = 1 << ((32 if address.version == 4 else 128) - length)
            if not large:
                size = min(size, 1 << random.choice([4, 6, 8]), 1 << 70)
            self.windows.append(Span(address.version, int(address), int(address) + size - 1))
        count = random.randint(3, 14) if not large else random.randint(40, 400)
        self.owners = [f"{random.choice(['owner', 'Org.', 'stad-'])}{number}" for number in range(count)]
        self.asns = [64496 + number for number in range(random.randint(2, 12))]
        self.names = self.NAMES if not large else self.NAMES + [f"{label}{n}.example" for n in range(60) for label in ("x", "www.x")]

    def span(self):
        """A prefix or range in a window, all widths alike."""
        window = self.random.choice(self.windows)
        bits = window.size.bit_length() - 1
        width = 1 << self.random.randint(0, bits)
        first = window.first + self.random.randrange(window.size)
        if self.random.random() < 0.7:
            first -= first % width
            return Span(window.family, first, first + width - 1)
        return Span(window.family, first, min(first + self.random.randrange(width), window.first + 2 * window.size))

    def prefix(self):
        while True:
            span = self.span()
            if "-" not in span.text():
                return span

    def address(self, spans=()):
        """Somewhere in a window or right at the border of a registration."""
        window = self.random.choice(self.windows)
        if spans and self.random.random() < 0.6:
            span = self.random.choice(spans)
            at = self.random.choice([span.first, span.last, span.first - 1, span.last + 1, self.random.randint(span.first, span.last)])
            return span.family, max(at, 0)
        return window.family, window.first + self.random.randrange(window.size)


def days_of(random):
    """First and last day of a registration, around the day of the run."""
    if random.random() < 0.6:
        return None, None
    day = lambda: RUN_DAY + random.randint(-3, 2) * DAY
    since, until = (day() if random.random() < 0.6 else None for _ in range(2))
    return (until, since) if since and until and until < since else (since, until)


RUN_DAY = datetime.date(2026, 11, 22)


def write_register(universe, directory):
    """Files, and what they say: (paths, Register)."""
    random, register, paths = universe.random, Register(), []
    kvks = [f"{random.randrange(10**8):08}" for _ in range(len(universe.owners) // 4 + 1)]
    ripes = [f"{random.choice(['ORG', 'org'])}-AA{number}-RIPE" for number in range(len(universe.owners) // 4 + 1)]
    united = random.choice([0.0, 0.1, 0.3])
    silent = random.choice([0.1, 0.3])
    contactless = {owner for owner in universe.owners if random.random() < silent}
    sources = random.randint(1, 4)
    rows = random.randint(6, 50) if not universe.large else random.randint(300, 1500)
    if random.random() < 0.6:
        paths.append(write_announced(universe, register, directory))
    if random.random() < 0.5:
        paths.append(write_shared(universe, register, directory))
    for source in range(sources):
        attributes = {}
        for owner in universe.owners:
            said = attributes[owner] = {}
            if random.random() < 0.8:
                said["name"] = f"{owner} van bron {source}, \"B.V.\""
            if random.random() < united:
                said["kvk"] = random.choice(kvks)
            if random.random() < united / 2:
                said["ripe_org"] = random.choice(ripes)
            other = random.choice(universe.owners)
            if random.random() < united / 2 and other != owner:
                said["same_as"] = other
            if random.random() < 0.2:
                said["link"] = ";".join(random.sample([*universe.owners, "unknown-cert"], random.randint(1, 2)))
            if random.random() < 0.5:
                said["constituency"] = random.choice(CONSTITUENCIES)
        write = write_csv if random.random() < 0.5 else write_jsonl
        drawn = [draw_row(universe, attributes, contactless) for _ in range(rows // sources + 1)]
        paths.append(write(random, register, source, drawn, directory))
    register.settle()
    return paths, register


CONSTITUENCIES = ["vital", "central-government", "link-organisation", "digital-service-provider", "business"]


def draw_row(universe, attributes, contactless):
    random = universe.random
    owner = random.choice(universe.owners)
    said = {name: value for name, value in attributes[owner].items() if random.random() < 0.8}
    contacts = []
    if owner not in contactless and random.random() < 0.8:
        contacts = random.sample([f"abuse@{owner.lower().strip('.-')}.example", "noc@isp.example", "cert@stad-x.nl"], random.randint(1, 2))
    role = random.choices([None, *ROLES], [3, 4, 4, 1])[0]
    since, until = days_of(random)
    claims = []
    for _ in range(random.choice([1, 1, 1, 2, 3])):
        kind = random.choices(["address", "name", "asn"], [8, 2, 1.5])[0]
        if kind == "address":
            text = universe.span().text()
            if random.random() < 0.3 and text.endswith(("/32", "/128")):
                text = text.split("/")[0]
        elif kind == "name":
            text = random.choice(universe.names)
            text = text.upper() if random.random() < 0.1 else text
        else:
            text = random.choice(["AS", ""]) + str(random.choice(universe.asns))
        claims.append((kind, text))
    return owner, said, contacts, role, since, until, claims


BAD_ROWS = [
    "bad1,,,,,,,,193.0.14.1/24,,,,", "bad2,,123,,,,,,193.0.14.0/26,,,,", "bad3,,,,,,,,,AS0,,,", "bad4,,,,,,,,,,nl,,", "bad5,,,,,,,root,193.0.14.0/26,,,,",
]  # fmt: skip


def write_csv(random, register, source, drawn, directory):
    """A row for each registration, or several in one; now and then a row that cannot be used."""
    columns = ["owner_id", "name", "kvk", "ripe_org", "same_as", "link", "constituency", "role", "network", "asn", "domain", "contact", "valid_from", "valid_until"]
    lines = [",".join(columns)]
    for owner, said, contacts, role, since, until, claims in drawn:
        while claims:
            cells = dict.fromkeys(columns, "") | {"owner_id": owner, "role": role or ""} | said
            cells |= {"contact": random.choice([";", "; "]).join(contacts), "valid_from": since or "", "valid_until": until or ""}
            used = []
            for kind, text in list(claims):
                cell = {"address": "network", "asn": "asn", "name": "domain"}[kind]
                if not cells[cell]:
                    cells[cell] = text
                    used.append((kind, text, role, since, until))
                    claims.remove((kind, text))
            lines.append(",".join(quoted(str(cells[column])) for column in columns))
            register.row(source, len(lines), owner, said, contacts, used)
        if random.random() < 0.02:
            lines.append(random.choice(BAD_ROWS) + ",")
            register.bad_rows += 1
    return write(directory, f"source{source}.csv", "\n".join(lines) + "\n")


def quoted(text):
    return '"' + text.replace('"', '""') + '"' if any(char in text for char in ',"\n') else text


def write_jsonl(random, register, source, drawn, directory):
    lines = []
    for owner, said, contacts, role, since, until, claims in drawn:
        row = {"owner_id": owner, **said, "contacts": contacts}
        if "link" in row:
            row["link"] = row["link"].split(";")
        row |= {key: value for key, value in (("role", role), ("valid_from", since), ("valid_until", until)) if value}
        used = []
        for kind, text in claims:
            if kind != "address":
                row.setdefault({"asn": "asns", "name": "domains"}[kind], []).append(text)
                used.append((kind, text, role, since, until))
                continue
            item, own, own_since, own_until = text, role, since, until
            if random.random() < 0.3:
                own = random.choice(ROLES)
                item = {"network": text, "role": own}
                if since is None and until is None:
                    own_since, own_until = days_of(random)
                    item |= {key: value for key, value in (("valid_from", own_since), ("valid_until", own_until)) if value}
            row.setdefault("networks", []).append(item)
            used.append((kind, text, own, own_since, own_until))
        lines.append(json.dumps(row, default=str, ensure_ascii=random.random() < 0.5))
        register.row(source, len(lines), owner, said, contacts, used)
    return write(directory, f"source{source}.jsonl", "\n".join(lines) + "\n")


def write_announced(universe, register, directory):
    lines = []
    for _ in range(universe.random.randint(1, 12) * (20 if universe.large else 1)):
        span, number = universe.prefix(), universe.random.choice(universe.asns[: len(universe.asns) // 2 + 1])
        if span not in register.announced[number]:
            register.announced[number].append(span)
            lines.append("{}\t{}\t{}".format(*span.text().split("/"), number))
    return write(directory, "announced.txt", "\n".join(lines) + "\n")


def write_shared(universe, register, directory):
    lines = ["prefix,kind"]
    for _ in range(universe.random.randint(1, 5)):
        span = universe.prefix()
        register.shared.append(span)
        lines.append(f"{span.text()},{universe.random.choice(['cdn', 'hosting', 'cloud', 'cgnat'])}")
    return write(directory, "shared.csv", "\n".join(lines) + "\n")


def write(directory, name, text):
    path = os.path.join(directory, name)
    with open(path, "wb") as file:
        file.write(text if isinstance(text, bytes) else text.encode())
    return path


# ------------------------------------------------------------------------------------------------------------ dumps


class Draw:
    """The fields of records, drawn from a universe."""

    BAD_ADDRESSES = ["010.1.2.3", "1.2.3", "fe80::1%eth0", "300.1.1.1", "193.0.14", "::g"]
    ELSEWHERE = ["145.97.0.1", "2a01:7c8::1"]

    def __init__(self, universe, register):
        self.random, self.universe = universe.random, universe
        self.spans = [claim.key for claim in register.by_address]
        self.registered = list(register.by_name)

    def address(self, prefixes=False, empty=0.05):
        random, roll = self.random, self.random.random()
        if roll < empty:
            return ""
        if roll < empty + 0.02:
            return random.choice(self.BAD_ADDRESSES)
        if roll < empty + 0.06 and prefixes:
            if random.random() < 0.2:
                return random.choice(["193.0.14.1/24", "193.0.14.0/33", "2001:db8::1/32"])
            while True:
                span = self.universe.prefix()
                if special_block(span) or not any(block.meets(span) for block in SPECIAL_SPANS):
                    return span.text()
        family, value = self.universe.address(self.spans)
        if family == 4:
            address = ipaddress.IPv4Address(value)
            return f"::ffff:{address}" if random.random() < 0.05 else str(address)
        address = ipaddress.IPv6Address(value)
        return random.choice([str(address), address.exploded, str(address).upper()])

    def name(self, filled=0.4):
        random = self.random
        if random.random() > filled:
            return ""
        name = random.choice(self.universe.names + ["stranger.example", "example", "nl", "notshop.example", "*.shop.example"])
        if random.random() < 0.3 and not name.startswith("*"):
            name = f"{random.choice(['www', 'x.y'])}.{name}"
        return random.choice([name, name, name.upper() if name.isascii() else name, name + "."])

    def showing(self, prefixes=False, empty=0.05):
        """An address, and two names that it shows, each of which may be missing: often of one domain, or one name that is written otherwise.

        Half of the addresses are nobody's, so that the names decide.
        """
        random = self.random
        names = [self.name(0.4), self.name(0.4)]
        if self.registered and random.random() < 0.3:
            names[1] = random.choice(self.registered)
        if names[0] and not names[0].startswith("*") and random.random() < 0.3:
            names[1] = random.choice([names[0].swapcase() if names[0].isascii() else names[0], f"www.{names[0]}"])
        address = random.choice(self.ELSEWHERE) if all(names) and random.random() < 0.5 else self.address(prefixes, empty)
        return address, random.sample(names, 2)

    def url(self, filled=0.4):
        name = self.name(filled)
        if not name or self.random.random() < 0.5 or name.startswith("*"):
            return name
        return self.random.choice(["https://{}/a?b=c#d", "http://user@{}/", "https://{}:8443/x", "{}:443"]).format(name)

    def asn(self):
        if self.random.random() < 0.5:
            return ""
        return self.random.choice(["AS", ""]) + str(self.random.choice(self.universe.asns + [64999]))

    def port(self):
        return "" if self.random.random() < 0.1 else "70000" if self.random.random() < 0.01 else str(self.random.randint(1, 65535))

    def time(self):
        random, roll = self.random, self.random.random()
        if roll < 0.05:
            return random.choice(["", "0001-01-01T00:00:00Z"])
        if roll < 0.06:
            return random.choice(["22-11-2026 01:02:03", "2026-02-30", "yesterday", "2026-11-22T25:00:00Z"])
        day = RUN_DAY + random.choice([-4, -2, -1, -1, 0, 0, 0, 1, 2]) * DAY
        clock = random.choice(["00:00:00", "23:59:59", "06:00:00", "06:00:01", f"{random.randrange(24):02}:{random.randrange(60):02}:{random.randrange(60):02}"])
        form = random.choice(["{}T{}Z", "{} {}", "{}T{}.250Z", "{}T{}+01:00", "{} {}-0230", "{}T{}.120000", "{}", "unix"])
        if form == "unix":
            moment = datetime.datetime.fromisoformat(f"{day}T{clock}+00:00")
            return str(int(moment.timestamp()))
        return form.format(day, clock)

    def transport(self):
        return self.random.choice(["tcp", "udp", "TCP", ""])

    def identifier(self):
        return self.random.choice(["open-rdp", "Open-RDP", "ssl-poodle", "", "-", "N/A"])


def spoken(identifier):
    return "" if identifier in ("", "-", "N/A") else identifier


def csv_dump(draw, options):
    """A partner's list; columns by their usual names, or mapped."""
    random = draw.random
    columns = ["ip", "port", "proto", "timestamp", "url", "hostname", "asn", "identifier", "cert_name", "note"]
    options += ["--map", "shown_name=cert_name"]
    if random.random() < 0.3:
        columns = ["k1", "k2", "k3", "k4", "k5", "k6", "k7", "k8", "cert_name", "note"]
        fields = ["address", "port", "transport", "time", "name", "reverse_name", "asn", "identifier"]
        for field, column in zip(fields, columns):
            options += ["--map", f"{field}={column}"]
    order = list(range(len(columns)))
    random.shuffle(order)
    yield ",".join(columns[at] for at in order)
    while True:
        shown, asn, identifier = draw.name(0.3), draw.asn(), draw.identifier()
        cells = [draw.address(True), draw.port(), draw.transport(), draw.time(), draw.url(), draw.name(0.3), asn, identifier, shown, "x"]
        part = Part(cells[1], cells[2], spoken(identifier), cells[3])
        said = Said("", cells[0], [cells[4]], [shown], asn, True, findings=[part])
        roll = random.random()
        if roll < 0.1:
            cells[9] = 'a "note", with;\nmuch'
        elif roll < 0.11:
            cells.append("one too many")
            order_here = order + [10]
            said.whole = "columns"
        elif roll < 0.12:
            cells[9] = "\udcff"
            said.whole = "encoding"
        here = order if len(cells) == 10 else order_here
        said.raw = ",".join(quoted(cells[at]) for at in here)
        yield said


def ndjson_dump(draw, options):
    random = draw.random
    options += ["--map", "shown_name=tls.name"]
    while True:
        asn, (address, shown), identifier = draw.asn(), draw.showing(True), draw.identifier()
        port, time = draw.port(), draw.time()
        row = {"ip": address, "port": int(port) if port and random.random() < 0.5 else port, "transport": draw.transport()}
        row |= {"timestamp": time, "url": draw.url(), "hostname": draw.name(0.3), "asn": asn, "identifier": identifier}
        # A mapped path with a dot is a key that is written so, and then one in an object.
        row |= {"tls.name": shown[0], "tls": {"name": shown[1]}}
        part = Part(port, row["transport"], spoken(identifier), time)
        said = Said("", row["ip"], [row["url"]], shown, asn, True, findings=[part])
        items = [(key, value) for key, value in row.items() if value or random.random() < 0.5]
        random.shuffle(items)
        said.raw = json.dumps(dict(items), ensure_ascii=random.random() < 0.5)
        roll = random.random()
        if roll < 0.01:
            said.raw, said.early = random.choice(['{"ip":', "no json"]), "json"
        elif roll < 0.02:
            said.raw = said.raw[:-1] + ', "port": 1, "port": 2}'
            said.whole = "duplicate-key"
        yield said


def list_dump(draw, options):
    random = draw.random
    while True:
        roll = random.random()
        part = Part("", "", "", "")
        if roll < 0.25:
            name = draw.name(1)
            if name.startswith("*") or "." not in name.strip("."):
                continue
            form = random.choice(["{}", "https://{}:8443/a", "{}:25", "http://{}/x"])
            port = {"{}": "", "https://{}:8443/a": "8443", "{}:25": "25", "http://{}/x": "80"}[form]
            yield Said(form.format(name), "", [name], findings=[part._replace(port=port)])
            continue
        address = draw.address(True, 0)
        if "/" not in address and roll < 0.6 and plain_address(address):
            port = str(random.randint(1, 65535))
            form = "[{}]:{}" if ":" in address else random.choice(["{}:{}", "http://{}:{}/login"])
            yield Said(form.format(address, port), address, findings=[part._replace(port=port)])
            continue
        raw = address + random.choice(["", "", "", " # a remark", " "])
        if raw.startswith("::g") or raw.startswith("193.0.14") and plain_address(address) is None and "/" not in address:
            continue
        yield Said(raw, address, prefixes=True, findings=[part])


def zmap_dump(draw, options):
    random = draw.random
    columns = ["saddr", "sport", "timestamp_str", "success", "repeat", "classification"]
    yield ",".join(columns)
    while True:
        cells = [draw.address(empty=0), draw.port(), draw.time(), *(random.choices(["10", "00", "11"], [8, 1, 1])[0])]
        cells.append(random.choices(["synack", "rst"], [9, 1])[0])
        skip = "repeat" if cells[4] == "1" else "closed" if cells[5] == "rst" else "no-success" if cells[3] == "0" else None
        said = Said(",".join(cells), cells[0], skip=skip, findings=[Part(cells[1], "", "", cells[2])])
        if random.random() < 0.01:
            said.raw, said.whole = said.raw + ",1", "columns"
        yield said


def shadowserver_dump(draw, options):
    """A report of an exposed service, or of infected clients, whose port is in no id."""
    random = draw.random
    event = draw.report == "event4_sinkhole"
    start = "src_" if event else ""
    columns = ["timestamp", "severity", start + "ip", "protocol", start + "port", start + "hostname", "tag", start + "asn", "geo", "hostname_source", "sni"]
    options += ["--map", "shown_name=sni"]
    yield ",".join(f'"{column}"' for column in columns)
    while True:
        source = random.choice(["", "ptr", "certificate", "http"])
        asn, (address, (name, other)) = draw.asn().removeprefix("AS"), draw.showing(empty=0.02)
        cells = [draw.time(), "high", address, draw.transport(), draw.port(), name, "rdp;cve-2019-0708", asn, "NL", source, other]
        shown = [other, name] if source in ("certificate", "http") else [other]
        transport = cells[3] or ("" if event else "tcp")
        part = Part(cells[4], transport, draw.report, cells[0], client=event)
        yield Said(",".join(f'"{cell}"' for cell in cells), cells[2], [], shown, asn, findings=[part])


def zgrab2_dump(draw, options):
    random = draw.random
    while True:
        row, parts, count = {}, [], random.choice([1, 1, 2, 3])
        address, domain = draw.address(empty=0.1), draw.name(0.4)
        row |= {key: value for key, value in (("ip", address), ("domain", domain)) if value}
        data = row["data"] = {}
        for module in random.sample(["http", "tls", "ssh", "ntp"], count):
            port, time = draw.port(), draw.time()
            status = random.choice(["success", "success", "io-timeout"])
            data[module] = {"status": status, "protocol": module, "result": {"a": ["ip", {"ip": "193.0.14.9"}]}, "timestamp": time}
            if port:
                data[module]["port"] = int(port)
            if status == "success":
                parts.append(Part(port, "udp" if module == "ntp" else "tcp", module if draw.finding else "", time))
        yield Said(json.dumps(row), address, [domain], skip=None if parts else "no-success", findings=parts)


def nuclei_dump(draw, options):
    random = draw.random
    while True:
        address, host, time = draw.address(empty=0.2), draw.name(0.6), draw.time()
        port = draw.port() or "443"
        severity, status = random.choice(["high", "info", "low"]), random.random() > 0.1
        row = {"template-id": random.choice(["CVE-2021-44228", "git-config"]), "info": {"name": "a", "severity": severity, "tags": ["x"]}}
        row |= {"type": "http", "host": host, "port": port, "ip": address, "timestamp": time, "matcher-status": status, "request": "GET / ip"}
        row = {key: value for key, value in row.items() if value != ""}
        skip = "not-vulnerable" if not status else "inventory" if severity == "info" else None
        yield Said(json.dumps(row), address, [host], skip=skip, findings=[Part(port, "", row["template-id"], time)])


def shodan_dump(draw, options):
    random = draw.random
    while True:
        (address, (host, common_name)), asn, time, port = draw.showing(empty=0.02), draw.asn(), draw.time(), draw.port()
        row = {"ip": 12345, "ip_str": address, "port": int(port or 1), "transport": random.choice(["tcp", "udp"]), "timestamp": time, "asn": asn}
        row |= {"hostnames": [draw.name(1)], "http": {"host": host}, "ssl": {"cert": {"subject": {"CN": common_name}}}, "data": "SSH\r\n\"{"}
        row["_shodan"] = {"module": random.choice(["https", "ssh"])}
        named = row["_shodan"]["module"] if draw.finding else ""
        if random.random() < 0.4:
            row["vulns"] = {"CVE-2021-44228": {"verified": False}}
            named = row["_shodan"]["module"]
        items = list(row.items())
        random.shuffle(items)
        part = Part(port or "1", row["transport"], named, time)
        yield Said(json.dumps(dict(items)), address, [], [host, common_name], asn, findings=[part])


FORMATS = {
    "csv": csv_dump, "ndjson": ndjson_dump, "list": list_dump, "zmap": zmap_dump, "shadowserver": shadowserver_dump,
    "zgrab2": zgrab2_dump, "nuclei": nuclei_dump, "shodan": shodan_dump,
}  # fmt: skip
ENDS = {"csv": "csv", "list": "txt", "zmap": "csv"}


def write_dump(format, draw, count, directory):
    """(path, options, records)."""
    options, records, lines = [], [], []
    draw.report = draw.random.choice(["scan_rdp", "event4_sinkhole"])
    draw.finding = draw.random.random() < 0.5
    for said in FORMATS[format](draw, options):
        if isinstance(said, str):
            lines.append(said)
            continue
        records.append(said)
        lines.append(said.raw)
        if draw.random.random() < 0.02:
            lines.append("" if format not in ("csv", "list") else draw.random.choice(["", "# a remark"]))
        if len(records) == count:
            break
    text = "\n".join(lines)
    if format == "csv" and draw.random.random() < 0.5:
        records.append(Said('"193.0.14.1,80', early="quoting"))
        text += '\n"193.0.14.1,80'
    name = f"{format}.{ENDS.get(format, 'jsonl')}"
    if format == "shadowserver":
        name = f"2026-11-22-{draw.report}-nl.csv"
    elif format in ("csv", "list", "ndjson") or draw.random.random() < 0.2:
        options += ["--format", format]
    return write(directory, name, (text + "\n").encode(errors="surrogateescape")), options, records


# -------------------------------------------------------------------------------------------------------- comparison


class Disagreement(Exception):
    pass


class Run:
    """One dump of one seed: run, decided again, compared."""

    def __init__(self, seed, format, register, records, feed, run, observed, identifier, copies):
        self.seed, self.format, self.register, self.records = seed, format, register, records
        self.feed, self.run, self.observed, self.identifier, self.copies = feed, run, observed, identifier, copies

    def expect(self):
        """The lines by (held, owner, alert_id), and the books."""
        books, lines = Counter(), {}
        books.update(dict.fromkeys(("matched", "unmatched", "unmatched_special", "skipped", "rejected", "decisions", "alerts", "held", "duplicates"), 0))
        for number, said in enumerate(self.records, 1):
            state, reason, found = judge(self.register, said, self.run, self.observed, self.identifier, self.feed, self.copies)
            books["records"] += 1
            books[state] += 1
            if reason == "special":
                books["unmatched_special"] += 1
            elif reason:
                books[f"{state}_by {reason}"] += 1
            for held, owner, rule, claim, finding_id, alert_id in found:
                books["decisions"] += 1
                key = bool(held), owner, alert_id
                if key in lines:
                    books["duplicates"] += 1
                    first, other, *rest = lines[key]
                    lines[key] = (first, min(other, held, key=HOLDS.index) if held else other, *rest)
                    continue
                books["held" if held else "alerts"] += 1
                lines[key] = (number, held, rule, claim, finding_id)
        for _, held, *_ in lines.values():
            if held:
                books[f"held_by {held}"] += 1
        return lines, books

    def compare(self, summary, spool):
        lines, books = self.expect()
        wrong = []
        got = self.read(summary, spool, wrong)
        for key in sorted(got.keys() - lines.keys(), key=lambda key: got[key]["extra.record"]):
            wrong.append((got[key]["extra.record"], f"written, not expected: {shown(key)} {brief(got[key])}"))
        for key in sorted(lines.keys() - got.keys(), key=lambda key: lines[key][0]):
            number, held, rule, claim, finding_id = lines[key]
            wrong.append((number, f"expected, not written: {shown(key)} {held or ''} by {rule} {claim.text} (finding {finding_id})"))
        for key in lines.keys() & got.keys():
            wrong += self.differences(key, lines[key], got[key])
        if wrong:
            wrong.sort(key=lambda pair: pair[0] or 0)
            self.tell(wrong)
        told = {name: summary[name] for name in ("records", "matched", "unmatched", "unmatched_special", "skipped", "rejected", "decisions", "alerts", "held", "duplicates", "dropped", "excepted")}
        for by in ("rejected_by", "skipped_by", "held_by"):
            told |= {f"{by} {reason}": count for reason, count in summary[by].items() if count}
        differ = {name: (told.get(name, 0), books[name]) for name in told.keys() | books.keys() if told.get(name, 0) != books[name]}
        if differ:
            raise Disagreement(f"seed {self.seed}, {self.format}: the books (program, checker): {differ}\n{self.rejects(summary)}")
        return books + Counter(kind for kind in map(self.shown_names, self.records) if kind)

    def shown_names(self, said):
        """Whose two shown names are, where they are asked; None where a name that is stated or a user of the address comes before."""
        try:
            record, _, _ = said.keys()
        except Rejected:
            return None
        register, day = self.register, self.run.day
        live = lambda claim: claim.role == "user" and is_valid(claim, day)
        before = [*register.of_name(record.stated), *(register.holding(record.span) if record.span else [])]
        if len(record.shown) < 2 or any(map(live, before)) or record.span and special_block(record.span):
            return None
        names = [contest(register, [claim for claim in register.of_name(name) if live(claim)]) for name in record.shown]
        owners = [{register.org[claim.owner] for claim in claims} for claims in names if claims]
        if not owners:
            return None
        if len(owners) == 1:
            return "shown names of which one is registered"
        return "shown names of one owner" if len(set.union(*owners)) == 1 else "shown names of several owners"

    def rejects(self, summary):
        told = []
        for first in summary.get("rejected_first", []):
            said = self.records[first["record"] - 1]
            state, reason, _ = judge(self.register, said, self.run, self.observed, self.identifier, self.feed, self.copies)
            if (state, reason) != ("rejected", first["reason"]):
                told.append(f"record {first['record']}: program rejected {first['reason']}, checker {state} {reason}: {said.raw!r}")
        return "\n".join(told[:5])

    def read(self, summary, spool, wrong):
        got = {}
        for held, top in ((False, "new"), (True, "held")):
            place = os.path.join(spool, top, summary["run"])
            for sender in sorted(os.listdir(place)) if os.path.isdir(place) else ():
                if not os.path.isdir(os.path.join(place, sender)):
                    continue
                for name in sorted(os.listdir(os.path.join(place, sender))):
                    if not name.endswith(".jsonl"):
                        continue
                    with open(os.path.join(place, sender, name), encoding="utf-8") as file:
                        for text in file:
                            line = json.loads(text)
                            key = held, name.removesuffix(".jsonl"), line["extra.alert_id"]
                            if key in got:
                                wrong.append((line["extra.record"], f"twice: {shown(key)}"))
                            got[key] = line | {"sender directory": sender}
        return got

    def differences(self, key, expected, line):
        number, held, rule, claim, finding_id = expected
        owner = key[1]
        said = self.register.said[owner]
        pairs = [
            ("extra.record", number), ("extra.finding_id", finding_id), ("extra.match.rule", rule), ("extra.owner.id", owner),
            ("extra.held.reason", held), ("extra.match.registration", claim.text), ("extra.match.role", claim.role),
            ("extra.owner.name", said.get("name")), ("source.abuse_contact", ",".join(self.register.contacts[owner]) or None),
            ("sender directory", sender_of(said.get("constituency", "business"), self.run.day)),
        ]  # fmt: skip
        for name, value in pairs:
            if name == "extra.match.registration" and line.get(name) == claim.text.removesuffix("/32").removesuffix("/128"):
                continue
            if line.get(name) != value:
                yield number, f"{shown(key)}: {name} is {line.get(name)!r}, expected {value!r}"

    def tell(self, wrong):
        told = [f"seed {self.seed}, {self.format}: {len(wrong)} disagreements; run at {self.run.text}, observed {self.observed}"]
        seen = []
        for number, text in wrong:
            if number not in seen:
                seen.append(number)
                if len(seen) > 4:
                    break
                said = self.records[number - 1]
                told.append(f"record {number}: {said.raw!r}")
                told += self.opinion(said)
            told.append(f"  {text}")
        raise Disagreement("\n".join(told))

    def opinion(self, said):
        """What the checker thinks of a record, and what is registered around it."""
        try:
            record, _, _ = said.keys()
        except Rejected as why:
            return [f"  checker: rejected {why}"]
        state, reason, found = judge(self.register, said, self.run, self.observed, self.identifier, self.feed, self.copies)
        told = [f"  checker: {state} {reason or ''}"]
        told += [f"    {held or 'told'}: {owner} by {rule} ({claim.text})" for held, owner, rule, claim, _, _ in found]
        claims = list(self.register.holding(record.span)) + self.register.inside(record.span)[:20] if record.span else []
        claims += [claim for name in [record.stated, *record.shown] for claim in self.register.of_name(name)]
        claims += self.register.by_asn.get(record.asn, [])
        for claim in sorted(claims, key=specificity):
            days = f"{claim.since or ''}..{claim.until or ''}"
            contact = "contact" if self.register.contacts[claim.owner] else "no contact"
            told.append(
                f"    {claim.text} {claim.kind} {claim.key if claim.kind != 'announced' else claim.key.text()} {claim.owner} as {claim.role},"
                f" {days}, source {claim.source} line {claim.line}, {contact}, organisation {self.register.org[claim.owner]}"
            )
        return told


def sender_of(constituency, day):
    if day >= datetime.date(2026, 1, 1) or constituency in ("vital", "central-government", "link-organisation"):
        return "ncsc"
    return {"digital-service-provider": "csirt-dsp"}.get(constituency, "dtc")


def shown(key):
    held, owner, alert_id = key
    return f"{'held' if held else 'alert'} {alert_id} for {owner}"


def brief(line):
    return f"{line.get('extra.held.reason', '')} by {line['extra.match.rule']} {line['extra.match.registration']} (finding {line['extra.finding_id']})"


# -------------------------------------------------------------------------------------------------------------- seeds


def check_seed(program, seed, count, directory):
    """All dumps of a seed; the sum of their books."""
    source = random.Random(seed)
    universe = Universe(source, large=seed % 4 == 3)
    paths, register = write_register(universe, directory)
    index = os.path.join(directory, "owners.dwi")
    built = subprocess.run([program, "index", "build", "--keep-going", "-o", index, *paths], capture_output=True, text=True)
    if built.returncode:
        raise Disagreement(f"seed {seed}: index build exits with {built.returncode}: {built.stderr}")
    total = Counter()
    for format in FORMATS:
        draw = Draw(universe, register)
        path, options, records = write_dump(format, draw, count, directory)
        run_text = source.choice(["2026-11-22T06:00:00Z", "2026-11-22T23:59:59Z", "2026-11-22T00:00:00Z"])
        observed = source.choice([None, None, "2026-11-20", "2026-11-21T23:30:00+01:00"])
        identifier = source.choice([None, "open-Thing"]) if format != "shadowserver" else None
        feed = draw.report if format == "shadowserver" else format
        if source.random() < 0.3 and format != "shadowserver":
            feed = "partner-1"
            options += ["--feed", feed]
        copies = Copies(source.choice(["first", "user-and-network"]), source.choice(["off", "off", "copy", "instead"]))
        policy = f'[policy]\nnotify = "{copies.notify}"\nlink_mode = "{copies.link_mode}"\n'
        config = write(directory, f"{format}.toml", f"{policy}[feeds.{feed}]\nfinding = {'true' if draw.finding else 'false'}\n")
        spool = os.path.join(directory, "spool")
        named = identifier
        if named is None and draw.finding and format in ("csv", "ndjson", "list", "zmap"):
            named = "open"
        options += ["--observed", observed] if observed else []
        options += ["--identifier", identifier] if identifier else []
        register_options = ["--index", index]
        if source.random() < 0.2:
            register_options = ["--keep-going", *(word for path in paths for word in ("--register", path))]
        command = [program, "match", "--config", config, *register_options, *options, "--spool", spool, "--run-time", run_text, "--json", path]
        if identifier:
            records = [with_identifier(said, format, identifier) for said in records]
        ran = subprocess.run(command, capture_output=True, text=True)
        if ran.returncode:
            raise Disagreement(f"seed {seed}: {' '.join(command)} exits with {ran.returncode}: {ran.stderr}")
        summary = json.loads(ran.stdout)["dumps"][0]
        run = Run(seed, format, register, records, feed, read_time(run_text), observed, named, copies)
        try:
            total += run.compare(summary, spool)
        except Disagreement as wrong:
            raise Disagreement(f"{wrong}\n{' '.join(command)}") from None
    return total


def with_identifier(said, format, identifier):
    """What is given for the whole dump comes before a module's name."""
    if format in ("zgrab2", "shodan"):
        said.findings = [part._replace(identifier=identifier) for part in said.findings]
    return said


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("program")
    arguments.add_argument("--seeds", type=int, default=8)
    arguments.add_argument("--first", type=int, default=0)
    arguments.add_argument("--records", type=int, default=200, help="records of each dump")
    arguments.add_argument("--alerts", type=int, default=0, help="go on until so many alerts were compared")
    arguments.add_argument("--keep", help="a directory for the files of each seed")
    arguments = arguments.parse_args()
    total, seed = Counter(), arguments.first
    while seed < arguments.first + arguments.seeds or total["alerts"] < arguments.alerts:
        directory = os.path.join(arguments.keep, str(seed)) if arguments.keep else tempfile.mkdtemp()
        shutil.rmtree(directory, ignore_errors=True)
        os.makedirs(directory)
        try:
            total += check_seed(os.path.abspath(arguments.program), seed, arguments.records, directory)
        except Disagreement as wrong:
            print(wrong)
            sys.exit(1)
        finally:
            if not arguments.keep:
                shutil.rmtree(directory)
        seed += 1
    print(f"{seed - arguments.first} seeds, 0 disagreements: " + ", ".join(f"{name} {count}" for name, count in sorted(total.items())))


if __name__ == "__main__":
    main()
