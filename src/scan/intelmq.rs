//! IntelMQ's events, as a sister CERT hands them on: flat objects with dotted keys, a line each or in `data`.
//!
//! ```text
//! {"classification.type":"infected-system","source.ip":"192.0.2.1","time.source":"2026-11-22T01:02:03+00:00",…}
//! ```
//!
//! An event is about its *source*: the address, else the network, and the names in `source.fqdn`, `source.url` and the
//! domain of `source.account`, which are stated ones; `source.reverse_dns` is a reverse name. What is wrong is
//! `classification.identifier`, else the malware, else what the operator says, else the type. A port is the service's
//! where the type is about a service, and a client's elsewhere. Old names of types are read as the new ones. The time is
//! `time.source`, else when the sister saw it (`time.observation`). Events of type `test` are nobody's.
//!
//! Copied are these and severity, TLP, CVE numbers, `event_description.text` and `.url`. Never copied: `raw`, `output`,
//! `comment`, `extra.*`, `feed.*`, `destination.*`, the sister's contacts, ids and tickets, and accounts.
//!
//! Objects in objects (`hierarchical_output`) are read as `ndjson`, with a map. Fields are those of IntelMQ 3.5's data
//! format.

use super::authority::first_name;
use super::columns::{push_words, read_asn};
use super::json::{
    Dialect, Found, JsonFormat, KeyFields, Path, Places, Reader, Schema, Slot, Syntax, head_records,
    identifier, read_record, skim, subject_of,
};
use super::{
    Finding, Findings, Format, FormatError, FormatOptions, FormatSpec, Head, KeyKinds, Keys, Kind, Reject,
    Side, Skip,
};
use std::borrow::Cow;

/// The format `intelmq`.
pub(super) const SPEC: FormatSpec = FormatSpec { name: "intelmq", fits, open };

/// The key of an answer's array of events.
const WRAPPER: Option<&str> = Some("data");

/// The key fields: addresses, names, the AS number.
const KEYS: [&str; 6] =
    ["source.ip", "source.network", "source.fqdn", "source.url", "source.account", "source.asn"];

/// A record with a type of event and a source, both flat.
fn fits(head: &Head<'_>) -> bool {
    let paths = [["classification.type"; 1].as_slice(), &KEYS].concat();
    let paths: Vec<Path> = paths.into_iter().map(Path::key).collect();
    head_records(head, Dialect::Json, WRAPPER, |record| {
        let mut found = [Found::Missing; KEYS.len() + 1];
        skim(record, Dialect::Json, &paths, !0, &mut found);
        found[0].is_filled() && found[1..].iter().any(|found| found.is_filled())
    })
}

fn open(head: &Head<'_>, options: &FormatOptions) -> Result<Box<dyn Format>, FormatError> {
    let paths = KEYS.map(Path::key);
    JsonFormat::open(head, options, WRAPPER, IntelMq { paths, options: options.clone() })
}

struct IntelMq {
    paths: [Path; KEYS.len()],
    options: FormatOptions,
}

/// What is read of an event.
#[derive(Default)]
struct Event<'r> {
    kind: Slot<'r>,
    identifier: Slot<'r>,
    malware: Slot<'r>,
    ip: Slot<'r>,
    network: Slot<'r>,
    port: Slot<'r>,
    asn: Slot<'r>,
    fqdn: Slot<'r>,
    url: Slot<'r>,
    account: Slot<'r>,
    reverse_dns: Slot<'r>,
    seen: Slot<'r>,
    observed: Slot<'r>,
    transport: Slot<'r>,
    application: Slot<'r>,
    severity: Slot<'r>,
    tlp: Slot<'r>,
    vulnerabilities: Slot<'r>,
    text: Slot<'r>,
    description: Slot<'r>,
}

impl Schema for IntelMq {
    fn keys<'r>(&self, record: &'r [u8], kinds: KeyKinds) -> Result<Keys<'r>, Reject> {
        let mut found = [Found::Missing; KEYS.len()];
        let asked = 1 | if kinds.names { 0b1_1100 } else { 0 } | u64::from(kinds.asns) << 5;
        let sound = skim(record, Self::DIALECT, &self.paths, asked, &mut found);
        let places = KeyFields {
            address: &found[..2],
            stated: &found[2..5],
            asn: &found[5..],
            ..KeyFields::default()
        };
        places.read(kinds, sound)
    }

    fn kinds(&self) -> KeyKinds {
        KeyKinds { addresses: true, names: true, asns: true }
    }

    fn places(&self) -> Option<Places<'_>> {
        Some(Places { address: &self.paths[0], names: &self.paths[2..5], asns: &self.paths[5..] })
    }

    fn findings<'r>(&self, record: &'r [u8]) -> Result<Findings<'r>, Reject> {
        let mut event = Event::default();
        read_record(record, Self::DIALECT, |reader, key| event.read(reader, key))?;
        self.judge(event)
    }

    fn columns(&self) -> Vec<(String, &'static str)> {
        let columns = [
            ("classification.type", "classification"),
            ("classification.identifier", "identifier"),
            ("malware.name", "identifier"),
            ("source.ip", "address"),
            ("source.network", "address"),
            ("source.port", "port"),
            ("source.asn", "asn"),
            ("source.fqdn", "name"),
            ("source.url", "name"),
            ("source.reverse_dns", "reverse_name"),
            ("time.source", "time"),
            ("protocol.transport", "transport"),
            ("protocol.application", "application"),
            ("severity", "severity"),
            ("tlp", "tlp"),
            ("product.vulnerabilities", "cve"),
            ("event_description.text", "text"),
        ];
        columns.map(|(path, taken_for)| (path.to_owned(), taken_for)).into()
    }
}

impl<'r> Event<'r> {
    fn read(&mut self, reader: &mut Reader<'r>, key: &str) -> Result<(), Syntax> {
        let slot = match key {
            "classification.type" => &mut self.kind,
            "classification.identifier" => &mut self.identifier,
            "malware.name" => &mut self.malware,
            "source.ip" => &mut self.ip,
            "source.network" => &mut self.network,
            "source.port" => &mut self.port,
            "source.asn" => &mut self.asn,
            "source.fqdn" => &mut self.fqdn,
            "source.url" => &mut self.url,
            "source.account" => &mut self.account,
            "source.reverse_dns" => &mut self.reverse_dns,
            "time.source" => &mut self.seen,
            "time.observation" => &mut self.observed,
            "protocol.transport" => &mut self.transport,
            "protocol.application" => &mut self.application,
            "severity" => &mut self.severity,
            "tlp" => &mut self.tlp,
            "product.vulnerabilities" => &mut self.vulnerabilities,
            "event_description.text" => &mut self.text,
            "event_description.url" => &mut self.description,
            _ => return reader.skip(),
        };
        reader.fill(slot)
    }
}

impl IntelMq {
    fn judge<'r>(&self, event: Event<'r>) -> Result<Findings<'r>, Reject> {
        let address = if event.ip.is_absent() { &event.network } else { &event.ip };
        let hosts = [&event.fqdn, &event.url, &event.account].map(Slot::as_str);
        let subject = subject_of(address.value(), &hosts, false)?.0;
        let kind = event.kind.as_str().map(Type::read).unwrap_or_default();
        if kind == Type::TEST {
            return Ok(Findings::Skipped(Skip::Context));
        }
        let mut finding = Finding::new(0, Kind::Vulnerable, kind.side);
        finding.subject = subject;
        finding.port = event.port.port()?;
        finding.port_is_client = kind.port == Port::Client;
        let time = if event.seen.is_absent() { &event.observed } else { &event.seen };
        finding.time = time.time(self.options.time_style.as_deref())?;
        finding.classification = kind.name;
        let own = event.identifier.text().or(event.malware.text());
        let said = event.kind.text();
        finding.identifier = identifier(own, &self.options, None).or(said);
        finding.asn = event.asn.token().and_then(|token| read_asn(token.as_bytes()));
        let account = event.account.text().and_then(domain_of_account);
        finding.stated = first_name([event.fqdn.text(), event.url.text(), account]);
        finding.reverse = event.reverse_dns.text();
        finding.transport = event.transport.text();
        finding.application = event.application.text();
        finding.severity = event.severity.text();
        finding.tlp = event.tlp.text();
        finding.text = event.text.text();
        finding.url = event.description.text();
        if let Some(text) = event.vulnerabilities.text() {
            push_words(&mut finding, text, |c| matches!(c, ';' | ',' | '|') || c.is_ascii_whitespace());
        }
        Ok(Findings::Some(vec![finding]))
    }
}

/// The domain behind the user's name, which is not kept.
fn domain_of_account(account: Cow<'_, str>) -> Option<Cow<'_, str>> {
    match account {
        Cow::Borrowed(account) => account.rsplit_once('@').map(|(_, domain)| Cow::Borrowed(domain)),
        Cow::Owned(account) => account.rsplit_once('@').map(|(_, domain)| Cow::Owned(domain.to_owned())),
    }
}

/// Whose the port of the source is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Port {
    Service,
    Client,
}

/// What a type of event says about its source.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Type {
    /// Its name in an alert.
    name: Option<&'static str>,
    side: Side,
    port: Port,
}

impl Default for Type {
    /// One that is not known, as new versions may have.
    fn default() -> Self {
        Self { name: None, side: Side::Exposed, port: Port::Client }
    }
}

impl Type {
    const TEST: Self = Self { name: Some("test"), side: Side::Exposed, port: Port::Client };

    /// By its name, in any case; old names are those that IntelMQ maps itself.
    fn read(name: &str) -> Self {
        let of = |side, port| move |name: &&'static str| Self { name: Some(name), side, port };
        let lower = name.to_ascii_lowercase();
        let name = OLD.iter().find(|(old, _)| *old == lower).map_or(&*lower, |(_, new)| new);
        let in_list = |list: &'static [&'static str]| list.iter().find(|known| **known == name);
        let attacker = in_list(ATTACKS).map(of(Side::Attacker, Port::Client));
        let infected = in_list(INFECTIONS).map(of(Side::Infected, Port::Client));
        let abused = in_list(ABUSED).map(of(Side::Infected, Port::Service));
        let exposed = in_list(EXPOSED).map(of(Side::Exposed, Port::Service));
        let other = in_list(OTHERS).map(of(Side::Exposed, Port::Client));
        attacker.or(infected).or(abused).or(exposed).or(other).unwrap_or_default()
    }
}

/// What the source does to others, from a port of the moment.
const ATTACKS: &[&str] = &[
    "brute-force",
    "ddos",
    "dos",
    "exploit",
    "harmful-speech",
    "ids-alert",
    "scanner",
    "sniffing",
    "social-engineering",
    "spam",
    "violence",
];

/// What runs on the source and calls elsewhere.
const INFECTIONS: &[&str] = &["infected-system", "malware"];

/// Services of the source that somebody else uses, or has taken over.
const ABUSED: &[&str] = &[
    "application-compromise",
    "burglary",
    "c2-server",
    "copyright",
    "malware-configuration",
    "malware-distribution",
    "masquerade",
    "phishing",
    "privileged-account-compromise",
    "system-compromise",
    "unauthorised-information-modification",
    "unauthorized-use-of-resources",
    "unprivileged-account-compromise",
];

/// Services that are open, weak or of use to others.
const EXPOSED: &[&str] = &[
    "data-leak",
    "ddos-amplifier",
    "information-disclosure",
    "misconfiguration",
    "potentially-unwanted-accessible",
    "proxy",
    "tor",
    "unauthorised-information-access",
    "vulnerable-system",
    "weak-crypto",
];

const OTHERS: &[&str] =
    &["blacklist", "data-loss", "dga-domain", "other", "outage", "sabotage", "test", "undetermined"];

/// Old names of types, lower case, and their new ones.
const OLD: &[(&str, &str)] = &[
    ("botnet drone", "infected-system"),
    ("ids alert", "ids-alert"),
    ("c&c", "c2-server"),
    ("c2server", "c2-server"),
    ("infected system", "infected-system"),
    ("malware configuration", "malware-configuration"),
    ("leak", "data-leak"),
    ("vulnerable client", "vulnerable-system"),
    ("vulnerable service", "vulnerable-system"),
    ("ransomware", "infected-system"),
    ("unknown", "undetermined"),
];
