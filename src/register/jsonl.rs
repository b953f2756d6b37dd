//! Register files in JSONL: one owner a line.
//!
//! ```json
//! {"owner_id":"school","name":"A school","contacts":["abuse@example.nl"],"networks":["192.0.2.0/24",{"network":"2001:db8::/32","role":"network"}]}
//! ```
//!
//! An owner may have several lines, put together as rows of CSV are. `null` and an empty text are absent; in an item of
//! `networks` that means that the owner's value stands. Keys that are not known are ignored, and named once; a key that stands
//! twice is an error, since readers differ in which they take.

use crate::moment::Day;
use crate::register::csv::name_unknown;
use crate::register::merge::Sink;
use crate::register::owner::{Role, Scope};
use crate::register::report::FindingKind;
use crate::register::row::{self, Attribute, Attributes, Row, RowClaim, Validity, Wrong, quote, read_text};
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

/// Longest line: the largest providers have some 100,000 networks.
const LINE_BYTES_MAX: usize = 16 << 20;
/// Keys that are not known of which a name is kept.
const UNKNOWN_KEYS_MAX: usize = 100;

/// Reads all lines of a file into `sink`. The text is without byte order mark.
pub(super) fn read(text: &[u8], sink: &mut Sink<'_>) {
    if let Some(b'[') = text.trim_ascii_start().first() {
        return sink
            .find(FindingKind::BadSource, 1, || "file is a JSON array (write one object a line)".to_owned());
    }
    let mut unknown = BTreeSet::new();
    let mut unknown_line = 0;
    let mut read_bytes = 0;
    for (number, line) in text.split_inclusive(|&byte| byte == b'\n').enumerate() {
        let number = number as u32 + 1;
        read_bytes += line.len();
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        match read_line(line, &mut unknown) {
            Ok(said) => match said.to_row(number) {
                Ok(row) => sink.row(row),
                Err(wrong) => sink.bad_row(number, wrong),
            },
            Err(wrong) => sink.bad_row(number, wrong),
        }
        if unknown_line == 0 && !unknown.is_empty() {
            unknown_line = number;
        }
        sink.progress(read_bytes);
    }
    if !unknown.is_empty() {
        let unknown: Vec<&[u8]> = unknown.iter().map(String::as_bytes).collect();
        sink.find(FindingKind::UnknownColumn, unknown_line, || name_unknown("keys", &unknown, &KEYS));
    }
}

fn read_line(line: &[u8], unknown: &mut BTreeSet<String>) -> Result<Line, Wrong> {
    if line.len() > LINE_BYTES_MAX {
        return Err(format!(
            "line is longer than {LINE_BYTES_MAX} bytes (write the owner's networks on several lines)"
        ));
    }
    read_text("line", line)?;
    let json = |error: serde_json::Error| not_json(&error);
    let keys: Keys = serde_json::from_slice(line).map_err(json)?;
    let said: Line = serde_json::from_slice(line).map_err(json)?;
    let items = said.networks.iter().flatten().flat_map(|item| &item.unknown);
    for key in keys.unknown.iter().chain(items) {
        if unknown.len() < UNKNOWN_KEYS_MAX && !unknown.contains(key) {
            unknown.insert(key.clone());
        }
    }
    Ok(said)
}

fn not_json(error: &serde_json::Error) -> Wrong {
    let text = error.to_string();
    let what = text.rfind(" at line ").map_or(text.as_str(), |at| &text[..at]);
    let what = quote(what.as_bytes()).replace("\\\\", "\\");
    let what = what.trim_matches('"');
    format!(
        "{what} at byte {} of the line (write one JSON object of the register's keys a line)",
        error.column()
    )
}

/// One line as it stands; the values are judged later, so that a message can name them.
#[derive(serde::Deserialize)]
struct Line {
    owner_id: Option<String>,
    name: Option<String>,
    kvk: Option<String>,
    ripe_org: Option<String>,
    same_as: Option<String>,
    constituency: Option<String>,
    sector: Option<String>,
    ground: Option<String>,
    contacts: Option<Vec<String>>,
    networks: Option<Vec<Network>>,
    asns: Option<Vec<Number>>,
    domains: Option<Vec<String>>,
    link: Option<Vec<String>>,
    role: Option<String>,
    verified: Option<String>,
    valid_from: Option<String>,
    valid_until: Option<String>,
}

/// The keys of a line and of an item of `networks`.
const KEYS: [&str; 18] = [
    "owner_id",
    "name",
    "kvk",
    "ripe_org",
    "same_as",
    "constituency",
    "sector",
    "ground",
    "contacts",
    "networks",
    "asns",
    "domains",
    "link",
    "role",
    "verified",
    "valid_from",
    "valid_until",
    "network",
];

impl Line {
    fn to_row(&self, line: u32) -> Result<Row<'_>, Wrong> {
        let owner_id = filled(&self.owner_id).ok_or("owner_id is empty (every line needs one)")?;
        row::check_owner_id("owner_id", owner_id)?;
        Ok(Row {
            line,
            owner_id,
            attributes: self.attributes()?,
            contacts: self.contacts()?,
            claims: self.claims()?,
            verified: read_day("verified", &self.verified)?,
        })
    }

    fn attributes(&self) -> Result<Attributes<'_>, Wrong> {
        let texts = [
            &self.name,
            &self.kvk,
            &self.ripe_org,
            &self.same_as,
            &self.constituency,
            &self.sector,
            &self.ground,
        ];
        let mut attributes = Attributes::default();
        for (attribute, text) in Attribute::ALL.into_iter().zip(texts) {
            attributes[attribute as usize] = filled(text).map(|text| attribute.read(text)).transpose()?;
        }
        if let Some(links) = self.link.as_ref().filter(|links| !links.is_empty()) {
            attributes[Attribute::Link as usize] =
                Some(row::read_links(links.iter().map(String::as_str))?.into());
        }
        Ok(attributes)
    }

    fn contacts(&self) -> Result<Vec<Cow<'_, str>>, Wrong> {
        let contacts = self.contacts.iter().flatten().map(|contact| contact.trim_ascii());
        contacts.map(|contact| row::check_contact(contact).map(|()| Cow::Borrowed(contact))).collect()
    }

    fn claims(&self) -> Result<Vec<RowClaim>, Wrong> {
        let valid = read_validity(&self.valid_from, &self.valid_until)?;
        let role = filled(&self.role).map(row::read_role).transpose()?;
        let scope = Scope::Stated;
        valid.check()?;
        let mut claims = Vec::new();
        for item in self.networks.iter().flatten() {
            let own = read_validity(&item.valid_from, &item.valid_until)?;
            let valid =
                Validity { from: own.from.or(valid.from), until: own.until.or(valid.until) }.check()?;
            let own_role = filled(&item.role).map(row::read_role).transpose()?;
            let key = row::read_network(item.network.as_bytes())?;
            claims.push(RowClaim {
                key,
                role: own_role.or(role).unwrap_or(Role::User),
                is_role_stated: own_role.or(role).is_some(),
                valid,
                scope,
            });
        }
        for asn in self.asns.iter().flatten() {
            claims.push(RowClaim {
                key: row::read_asn(asn.0.as_bytes())?,
                role: role.unwrap_or(Role::Network),
                is_role_stated: role.is_some(),
                valid,
                scope,
            });
        }
        for domain in self.domains.iter().flatten() {
            let key = row::read_domain(domain.trim_ascii())?;
            claims.push(RowClaim {
                key,
                role: role.unwrap_or(Role::User),
                is_role_stated: role.is_some(),
                valid,
                scope,
            });
        }
        Ok(claims)
    }
}

fn filled(text: &Option<String>) -> Option<&str> {
    text.as_deref().map(str::trim_ascii).filter(|text| !text.is_empty())
}

fn read_day(field: &str, text: &Option<String>) -> Result<Option<Day>, Wrong> {
    filled(text).map_or(Ok(None), |text| row::read_day(field, text.as_bytes()))
}

fn read_validity(from: &Option<String>, until: &Option<String>) -> Result<Validity, Wrong> {
    Ok(Validity { from: read_day("valid_from", from)?, until: read_day("valid_until", until)? })
}

/// The keys of a line: which are not known, and that none stands twice.
struct Keys {
    unknown: Vec<String>,
}

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeysVisitor;
        impl<'de> Visitor<'de> for KeysVisitor {
            type Value = Keys;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Keys, A::Error> {
                let mut unknown = Vec::new();
                while let Some(key) = map.next_key::<String>()? {
                    map.next_value::<IgnoredAny>()?;
                    // Known keys that stand twice are found when their values are read.
                    if KEYS[..KEYS.len() - 1].contains(&key.as_str()) {
                        continue;
                    }
                    if unknown.contains(&key) {
                        return Err(A::Error::custom(format_args!("duplicate field `{key}`")));
                    }
                    if unknown.len() < UNKNOWN_KEYS_MAX {
                        unknown.push(key);
                    }
                }
                Ok(Keys { unknown })
            }
        }
        deserializer.deserialize_map(KeysVisitor)
    }
}

/// An item of `networks`: text, or an object whose values replace the owner's.
#[derive(Default)]
struct Network {
    network: String,
    role: Option<String>,
    valid_from: Option<String>,
    valid_until: Option<String>,
    unknown: Vec<String>,
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NetworkVisitor;
        impl<'de> Visitor<'de> for NetworkVisitor {
            type Value = Network;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a network or an object with one")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Network, E> {
                Ok(Network { network: text.to_owned(), ..Network::default() })
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Network, A::Error> {
                let mut network = Network::default();
                let mut seen = Vec::new();
                while let Some(key) = map.next_key::<String>()? {
                    if seen.contains(&key) {
                        return Err(A::Error::custom(format_args!("duplicate field `{key}`")));
                    }
                    match key.as_str() {
                        "network" => network.network = map.next_value()?,
                        "role" => network.role = map.next_value()?,
                        "valid_from" => network.valid_from = map.next_value()?,
                        "valid_until" => network.valid_until = map.next_value()?,
                        _ if network.unknown.len() < UNKNOWN_KEYS_MAX => {
                            map.next_value::<IgnoredAny>()?;
                            network.unknown.push(key.clone());
                        }
                        _ => return Err(A::Error::custom("too many keys")),
                    }
                    seen.push(key);
                }
                Ok(network)
            }
        }
        deserializer.deserialize_any(NetworkVisitor)
    }
}

/// An AS number, which may be a JSON number or text.
struct Number(String);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberVisitor;
        impl Visitor<'_> for NumberVisitor {
            type Value = Number;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an AS number")
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Number, E> {
                Ok(Number(number.to_string()))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Number, E> {
                Ok(Number(text.to_owned()))
            }
        }
        deserializer.deserialize_any(NumberVisitor)
    }
}
