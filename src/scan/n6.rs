//! n6, the exchange of CERT Polska: an event a line, or an array of them.
//!
//! ```text
//! {"id":"…","source":"…","category":"bots","name":"virut","time":"2026-11-22T01:02:03Z","address":[{"ip":"192.0.2.1","cc":"NL","asn":64496}]}
//! ```
//!
//! An event may have several addresses, such as those of a name at that time: each is a finding of its own, and one
//! without any is about its name. `fqdn` and `url` are stated names, but not where the address is that of a client
//! (`bots`, `scanning` and the like): there they are what was called, which is somebody else's. What is wrong is `name`,
//! else what the operator says, else the category.
//!
//! `restriction` is a traffic light: `need-to-know` AMBER, `internal` RED. An entry of a blacklist that is `delisted`,
//! `expired` or `replaced` is `not-vulnerable`; what a sandbox called (`sandbox-url`) is `context`.
//!
//! Copied are address, port, AS number, `rdns`, host, time, transport, category and name. Never copied: `id`, `rid`,
//! `source`, `client`, the path of a URL, `dip`, `adip`, hashes, and all else that stands in an event (`email`, `iban`,
//! `phone`, `username`). Fields are those of n6's data specification.

use super::authority::{first_name, stand_in};
use super::columns::{read_asn, read_subject};
use super::json::{
    Dialect, Found, JsonFormat, Path, Places, Reader, Scalar, Schema, Slot, Syntax, head_has, head_records,
    identifier, read_record, read_value, skim,
};
use super::{
    Finding, Findings, Format, FormatError, FormatOptions, FormatSpec, Head, KeyKinds, Keys, Kind, Reject,
    Side, Skip, Subject,
};
use crate::net::Asn;
use std::borrow::Cow;

/// The format `n6`.
pub(super) const SPEC: FormatSpec = FormatSpec { name: "n6", fits, open };

/// Most addresses of an event; one with more is `too-long`. n6 itself has a few.
const ADDRESSES_MAX: usize = 1024;

/// The fields that the search for keys looks at.
const KEYS: [&str; 4] = ["address", "category", "fqdn", "url"];

/// An event with all that n6 requires of one, and something that it is about.
fn fits(head: &Head<'_>) -> bool {
    let required = ["id", "source", "category", "time"].map(Path::key);
    let is_event = head_records(head, Dialect::Json, None, |record| {
        let mut found = [Found::Missing; 4];
        skim(record, Dialect::Json, &required, !0, &mut found);
        found.iter().all(|found| found.is_string())
    });
    is_event && head_has(head, Dialect::Json, None, &["address[].ip", "address[].ipv6", "fqdn", "url"])
}

fn open(head: &Head<'_>, options: &FormatOptions) -> Result<Box<dyn Format>, FormatError> {
    let n6 = N6 { paths: KEYS.map(Path::key), options: options.clone() };
    JsonFormat::open(head, options, None, n6)
}

struct N6 {
    paths: [Path; KEYS.len()],
    options: FormatOptions,
}

/// What is read of an event.
#[derive(Default)]
struct Event<'r> {
    addresses: Addresses<'r>,
    category: Slot<'r>,
    name: Slot<'r>,
    time: Slot<'r>,
    fqdn: Slot<'r>,
    url: Slot<'r>,
    proto: Slot<'r>,
    sport: Slot<'r>,
    status: Slot<'r>,
    restriction: Slot<'r>,
}

/// What stands in `address`.
#[derive(Default)]
struct Addresses<'r> {
    seen: bool,
    /// It is no array.
    is_odd: bool,
    items: Vec<Address<'r>>,
}

/// What is read of an address.
#[derive(Default)]
struct Address<'r> {
    ip: Slot<'r>,
    ipv6: Slot<'r>,
    asn: Slot<'r>,
    rdns: Slot<'r>,
}

/// One of those that an event is about.
#[derive(Default)]
struct Place<'r> {
    subject: Option<Subject>,
    /// Behind an address that stands in a URL.
    port: Option<u16>,
    asn: Option<Asn>,
    reverse: Option<Cow<'r, str>>,
}

impl Schema for N6 {
    fn keys<'r>(&self, record: &'r [u8], kinds: KeyKinds) -> Result<Keys<'r>, Reject> {
        let mut found = [Found::Missing; KEYS.len()];
        let sound = skim(record, Self::DIALECT, &self.paths, !0, &mut found);
        let addresses = Addresses::of_value(found[0]);
        let [category, fqdn, url] = [found[1], found[2], found[3]].map(Found::text);
        let reasons =
            [addresses.as_ref().err(), category.as_ref().err(), fqdn.as_ref().err(), url.as_ref().err()];
        if reasons.contains(&Some(&Reject::Encoding)) {
            return Err(Reject::Encoding);
        }
        if !sound {
            return Err(Reject::Json);
        }
        let category = category?.into_text();
        let hosts = Category::of(category.as_deref()).hosts([fqdn?.into_text(), url?.into_text()]);
        let places = addresses?.places(&hosts)?;
        let stated = first_name(hosts);
        if stated.is_none() && places.iter().all(|place| place.subject.is_none() && place.asn.is_none()) {
            return Err(Reject::NoKey);
        }
        let mut keys = places.into_iter().map(|place| Keys {
            subject: place.subject,
            stated: stated.clone().filter(|_| kinds.names),
            asn: place.asn.filter(|_| kinds.asns),
            ..Keys::default()
        });
        let first = keys.next().unwrap_or_default();
        Ok(Keys { others: keys.collect(), ..first })
    }

    fn kinds(&self) -> KeyKinds {
        KeyKinds { addresses: true, names: true, asns: true }
    }

    fn places(&self) -> Option<Places<'_>> {
        None
    }

    fn findings<'r>(&self, record: &'r [u8]) -> Result<Findings<'r>, Reject> {
        let mut event = Event::default();
        read_record(record, Self::DIALECT, |reader, key| event.read(reader, key))?;
        self.judge(event)
    }

    fn columns(&self) -> Vec<(String, &'static str)> {
        let columns = [
            ("category", "classification"),
            ("name", "identifier"),
            ("address[].ip", "address"),
            ("address[].ipv6", "address"),
            ("address[].asn", "asn"),
            ("address[].rdns", "reverse_name"),
            ("sport", "port"),
            ("proto", "transport"),
            ("fqdn", "name"),
            ("url", "name"),
            ("time", "time"),
            ("restriction", "tlp"),
            ("status", "status"),
        ];
        columns.map(|(path, taken_for)| (path.to_owned(), taken_for)).into()
    }
}

impl<'r> Event<'r> {
    fn read(&mut self, reader: &mut Reader<'r>, key: &str) -> Result<(), Syntax> {
        let slot = match key {
            "address" => return self.addresses.read(reader),
            "category" => &mut self.category,
            "name" => &mut self.name,
            "time" => &mut self.time,
            "fqdn" => &mut self.fqdn,
            "url" => &mut self.url,
            "proto" => &mut self.proto,
            "sport" => &mut self.sport,
            "status" => &mut self.status,
            "restriction" => &mut self.restriction,
            _ => return reader.skip(),
        };
        reader.fill(slot)
    }
}

impl<'r> Addresses<'r> {
    /// What the search found, read as strictly as a whole record, and no further.
    fn of_value(found: Found<'r>) -> Result<Self, Reject> {
        let mut addresses = Self::default();
        if let Found::At(value) = found {
            read_value(value, |reader| addresses.read(reader))?;
        }
        Ok(addresses)
    }

    fn read(&mut self, reader: &mut Reader<'r>) -> Result<(), Syntax> {
        if reader.is_second(&mut self.seen) {
            return reader.skip();
        }
        if !reader.is_array() {
            self.is_odd = reader.scalar()? != Scalar::Absent;
            return Ok(());
        }
        reader.array(|reader| match self.items.len() {
            // One more than may be is enough to know.
            0..=ADDRESSES_MAX => Address::read(reader).map(|address| self.items.push(address)),
            _ => reader.skip(),
        })
    }

    /// What the event is about; always one at least. An address stands in for a host only where there is no other.
    fn places(self, hosts: &[Option<Cow<'r, str>>]) -> Result<Vec<Place<'r>>, Reject> {
        if self.items.len() > ADDRESSES_MAX {
            return Err(Reject::TooLong);
        }
        if self.is_odd {
            return Err(Reject::Address);
        }
        let mut places = Vec::new();
        for address in self.items {
            let place = address.into_place()?;
            if place.subject.is_some() || place.asn.is_some() {
                places.push(place);
            }
        }
        if places.is_empty() {
            let found = hosts.iter().flatten().next().map_or(Ok(None), |host| stand_in(host))?;
            let (subject, port) =
                found.map_or((None, None), |(address, port)| (Some(Subject::Address(address)), port));
            places.push(Place { subject, port, ..Place::default() });
        }
        Ok(places)
    }
}

impl<'r> Address<'r> {
    fn read(reader: &mut Reader<'r>) -> Result<Self, Syntax> {
        let mut address = Self::default();
        if !reader.is_object() {
            return reader.skip().map(|()| address);
        }
        reader.object(|reader, key| match key {
            "ip" => reader.fill(&mut address.ip),
            "ipv6" => reader.fill(&mut address.ipv6),
            "asn" => reader.fill(&mut address.asn),
            "rdns" => reader.fill(&mut address.rdns),
            _ => reader.skip(),
        })?;
        Ok(address)
    }

    fn into_place(self) -> Result<Place<'r>, Reject> {
        let subject = match if self.ip.is_absent() { self.ipv6 } else { self.ip }.value() {
            Scalar::Absent => None,
            Scalar::Text(text) => Some(read_subject(text.as_bytes(), false)?.0),
            _ => return Err(Reject::Address),
        };
        let asn = self.asn.token().and_then(|token| read_asn(token.as_bytes()));
        Ok(Place { subject, asn, reverse: self.rdns.text(), ..Place::default() })
    }
}

impl N6 {
    fn judge<'r>(&self, event: Event<'r>) -> Result<Findings<'r>, Reject> {
        let category = Category::of(event.category.as_str());
        let hosts = category.hosts([event.fqdn.text(), event.url.text()]);
        let places = event.addresses.places(&hosts)?;
        if let Some(skip) = category.skipped().or(skipped_by_status(event.status.as_str())) {
            return Ok(Findings::Skipped(skip));
        }
        let port = event.sport.port()?;
        let time = event.time.time(self.options.time_style.as_deref())?;
        let name = event.name.text();
        let said = event.category.text();
        let given = identifier(name, &self.options, None).or(said);
        let transport = event.proto.text();
        let tlp = event.restriction.as_str().and_then(tlp_of);
        let stated = first_name(hosts);
        let finding = |(part, place): (usize, Place<'r>)| Finding {
            subject: place.subject,
            port: port.or(place.port),
            port_is_client: category.is_client,
            transport: transport.clone(),
            time,
            identifier: given.clone(),
            classification: category.classification,
            tlp: tlp.map(Cow::Borrowed),
            asn: place.asn,
            stated: stated.clone(),
            reverse: place.reverse,
            // There are no more than ADDRESSES_MAX.
            ..Finding::new(part as u16, Kind::Vulnerable, category.side)
        };
        Ok(Findings::Some(places.into_iter().enumerate().map(finding).collect()))
    }
}

fn tlp_of(restriction: &str) -> Option<&'static str> {
    match restriction {
        "need-to-know" => Some("AMBER"),
        "internal" => Some("RED"),
        _ => None,
    }
}

fn skipped_by_status(status: Option<&str>) -> Option<Skip> {
    matches!(status?, "delisted" | "expired" | "replaced").then_some(Skip::NotVulnerable)
}

/// What a category says about the address.
#[derive(Clone, Copy)]
struct Category {
    name: &'static str,
    /// RSIT type.
    classification: Option<&'static str>,
    side: Side,
    /// It is that of a client, and the names are those of what it called.
    is_client: bool,
}

impl Category {
    /// By its name; one that is not known is taken for no service.
    fn of(name: Option<&str>) -> Self {
        let unknown = Self { name: "", classification: None, side: Side::Exposed, is_client: false };
        CATEGORIES.iter().find(|known| Some(known.name) == name).copied().unwrap_or(unknown)
    }

    const fn client(name: &'static str, classification: &'static str, side: Side) -> Self {
        Self { name, classification: Some(classification), side, is_client: true }
    }

    const fn service(name: &'static str, classification: &'static str, side: Side) -> Self {
        Self { name, classification: Some(classification), side, is_client: false }
    }

    /// The names that the event is about.
    fn hosts<'r>(self, names: [Option<Cow<'r, str>>; 2]) -> [Option<Cow<'r, str>>; 2] {
        if self.is_client { [None, None] } else { names }
    }

    fn skipped(self) -> Option<Skip> {
        (self.name == "sandbox-url").then_some(Skip::Context)
    }
}

/// n6's categories. What is whose follows from their meaning, and is a guess for the rare ones (`dns-query`, `flow`).
const CATEGORIES: &[Category] = &[
    Category::service("amplifier", "ddos-amplifier", Side::Exposed),
    Category::service("backdoor", "system-compromise", Side::Infected),
    Category::client("bots", "infected-system", Side::Infected),
    Category::service("cnc", "c2-server", Side::Infected),
    Category::service("deface", "unauthorised-information-modification", Side::Infected),
    Category::client("dns-query", "other", Side::Infected),
    Category::client("dos-attacker", "ddos", Side::Attacker),
    Category::service("dos-victim", "ddos", Side::Victim),
    Category::client("flow", "other", Side::Exposed),
    Category::client("flow-anomaly", "other", Side::Exposed),
    Category::service("fraud", "other", Side::Exposed),
    Category::service("leak", "data-leak", Side::Exposed),
    Category::service("malurl", "malware-distribution", Side::Infected),
    Category::service("malware-action", "other", Side::Victim),
    Category::service("other", "other", Side::Exposed),
    Category::service("phish", "phishing", Side::Infected),
    Category::service("proxy", "proxy", Side::Exposed),
    Category::service("sandbox-url", "malware", Side::Infected),
    Category::service("scam", "masquerade", Side::Infected),
    Category::client("scanning", "scanner", Side::Attacker),
    Category::client("server-exploit", "exploit", Side::Attacker),
    Category::client("spam", "spam", Side::Attacker),
    Category::service("spam-url", "spam", Side::Infected),
    Category::service("tor", "tor", Side::Exposed),
    Category::service("vulnerable", "vulnerable-system", Side::Exposed),
    Category::service("webinject", "other", Side::Victim),
];
