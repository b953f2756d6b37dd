#!/usr/bin/env python3
"""Reads alerts with IntelMQ and checks that every key and value that was written comes back.

    python3 -m venv /tmp/intelmq && /tmp/intelmq/bin/pip install 'intelmq==3.5.0' 'setuptools<81'
    INTELMQ_PYTHON=/tmp/intelmq/bin/python DIJKWACHT_ALERTS=100000 \
        cargo test --release --test alert -- --nocapture intelmq

`cargo test` runs it over fewer alerts where INTELMQ_PYTHON is set or python3 knows intelmq. For a notice of your own:

    /tmp/intelmq/bin/python tests/intelmq_roundtrip.py NOTICE.jsonl...

IntelMQ takes an event in several ways, which differ in what they refuse and what they change. Each alert goes all of them:
as its JSON parser reads a line; key by key with sanitation, as a bot adds values; written to a queue and read again; with keys
nested. Exit 1 on the first alert that comes back different.
"""

import json
import sys

import intelmq
from intelmq.lib import utils
from intelmq.lib.message import Event, MessageFactory
from pkg_resources import resource_filename

# The harmonization of the package, never that of an installation under /etc.
HARMONIZATION = utils.load_configuration(resource_filename("intelmq", "etc/harmonization.conf"))


def parsed(line, _):
    return MessageFactory.unserialize(line, HARMONIZATION, "Event").to_dict()


def added(_, alert):
    event = Event((), harmonization=HARMONIZATION)
    for key, value in alert.items():
        if event.add(key, value) is not True:
            raise ValueError(f"{key} was not added")
    return event.to_dict()


def queued(line, _):
    event = MessageFactory.unserialize(line, HARMONIZATION, "Event")
    return MessageFactory.unserialize(event.serialize(), HARMONIZATION).to_dict()


def nested(line, _):
    event = MessageFactory.unserialize(line, HARMONIZATION, "Event")
    return flat("", event.to_dict(hierarchical=True))


def flat(before, value):
    if not isinstance(value, dict):
        return {before[1:]: value}
    return {key: leaf for name, inner in value.items() for key, leaf in flat(f"{before}.{name}", inner).items()}


def exact(value):
    """Python holds 1 == 1.0 == True."""
    return {key: (type(leaf), leaf) for key, leaf in value.items()}


def differences(line):
    """What comes back otherwise, by way."""
    alert = json.loads(line)
    for way in (parsed, added, queued, nested):
        try:
            found = way(line, dict(alert))
        except Exception as error:  # whatever IntelMQ fails with, the event is lost
            yield way.__name__, repr(error)
            continue
        if exact(found) != exact(alert):
            lost = {key: value for key, value in alert.items() if found.get(key) != value}
            come = {key: value for key, value in found.items() if alert.get(key) != value}
            yield way.__name__, f"wrote {lost!r}, read {come!r}"


# A check that cannot fail is none: each of these must be noticed.
NOTICED = [
    {"source.ip": "0.0.0.0"},
    {"source.ip": "2001:DB8::1"},
    {"source.asn": 0},
    {"source.asn": "64496"},
    {"source.fqdn": "a..b"},
    {"source.fqdn": "A.example"},
    {"source.abuse_contact": "A@example.nl"},
    {"protocol.transport": "quic"},
    {"protocol.application": "HTTP"},
    {"classification.type": "botnet drone"},
    {"classification.identifier": " open"},
    {"event_description.url": "hxxp://example.nl/"},
    {"event_description.url": "http://[a/"},
    {"time.source": "2026-11-22T01:02:03Z"},
    {"tlp": "AMBER+STRICT"},
    {"extra.tag": "N/A"},
    {"extra.Tag": "a"},
    {"no.such.key": "a"},
]


def main(paths):
    for alert in NOTICED:
        if not list(differences(json.dumps(alert))):
            print(f"not noticed: {alert!r}")
            return 1
    alerts = values = 0
    for path in paths:
        with open(path, encoding="utf-8", newline="\n") as lines:
            for number, line in enumerate(lines, 1):
                for way, difference in differences(line):
                    print(f"{path}:{number}: {way}: {ascii(difference)}")
                    return 1
                alerts += 1
                values += len(json.loads(line))
    print(f"IntelMQ {intelmq.__version__}: {alerts} alerts with {values} values came back as written")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
