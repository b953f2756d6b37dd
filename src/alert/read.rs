//! A line read back: what stands in a notice or in what is held, and the line that a person's release makes of it.
//!
//! A line is read as pairs of a key and the bytes of its value, in their order. What a release does not touch is copied
//! byte for byte, so that a released line says of the finding what the held one said.

use super::found_by::put_match;
use super::gate::put_extra;
use super::id::{alert_id, push_uuid};
use super::line::{Recipient, put_index, put_network};
use super::reference::{Reference, ReferenceKey};
use crate::index::Registered;
use crate::moment::Moment;
use crate::net::{Address, Prefix};
use crate::policy::{Hold, Line, Rule, Severity};
use crate::register::Ground;
use crate::scan::Subject;
use crate::text::push_json;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use uuid::Uuid;

/// A line of a notice, or of what is held.
#[derive(Clone, Debug)]
pub struct Told<'l> {
    pairs: Vec<(Cow<'l, str>, &'l RawValue)>,
}

/// Of which finding a line is, whoever it is for: lines of one run that agree here are about the same thing.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Sighting {
    /// What was found.
    pub finding_id: Uuid,
    /// `time.source` as the line has it; empty where it has none.
    pub time: String,
}

/// For whom a held line is released.
#[derive(Clone, Copy, Debug)]
pub struct Release<'a> {
    /// The run that it is released in.
    pub run: &'a str,
    /// Whom it is for.
    pub recipient: &'a Recipient,
    /// Of this finding and recipient.
    pub alert_id: Uuid,
    /// Why this recipient, where the held line says it of another.
    pub matched: Matched<'a>,
}

/// What a released line says of the registration by which its recipient was found.
#[derive(Clone, Copy, Debug)]
pub enum Matched<'a> {
    /// As the held line does.
    AsHeld,
    /// Another registration, of this index, on that ground.
    By(&'a Line, Registered<'a>, [u8; 32], Ground),
    /// None: a person named the recipient.
    ByPerson,
}

impl<'l> Told<'l> {
    /// Reads a line, with or without its end; `None` if it is no flat object of JSON.
    pub fn read(line: &'l [u8]) -> Option<Self> {
        let text = std::str::from_utf8(line).ok()?;
        let mut reader = serde_json::Deserializer::from_str(text);
        let pairs = reader.deserialize_map(Pairs).ok()?;
        reader.end().ok()?;
        Some(Self { pairs })
    }

    /// The value of a key, where it is text.
    pub fn text(&self, key: &str) -> Option<Cow<'l, str>> {
        let value = self.raw(key)?;
        let inner = value.strip_prefix('"')?.strip_suffix('"')?;
        if inner.contains('\\') {
            return serde_json::from_str::<String>(value).ok().map(Cow::Owned);
        }
        Some(Cow::Borrowed(inner))
    }

    /// The value of a key, where it is a whole number.
    pub fn number(&self, key: &str) -> Option<u64> {
        self.raw(key)?.parse().ok()
    }

    /// Whose alert it is.
    pub fn alert_id(&self) -> Option<Uuid> {
        self.text("extra.alert_id")?.parse().ok()
    }

    /// Of which finding it is.
    pub fn sighting(&self) -> Option<Sighting> {
        let finding_id = self.text("extra.finding_id")?.parse().ok()?;
        let time = self.text("time.source").unwrap_or_default().into_owned();
        Some(Sighting { finding_id, time })
    }

    /// What it bears instead of run and record.
    pub fn reference(&self) -> Option<Reference> {
        Reference::read(&self.text("extra.reference")?)
    }

    /// Its record in the dump of `run`, where the line says it or `key` leads there from its reference.
    ///
    /// Of an alert that was held for another owner the reference is still that of the other: it does not lead there from here.
    pub fn record(&self, run: &str, key: Option<&ReferenceKey>) -> Option<u64> {
        self.number("extra.record")
            .or_else(|| key?.record_of(&self.reference()?, run, &self.text("extra.owner.id")?))
    }

    /// Why it waits for a person; `None` of an alert that is sent, and of a reason that this version does not know.
    pub fn hold(&self) -> Option<Hold> {
        let reason = self.text("extra.held.reason")?;
        Hold::ALL.into_iter().find(|hold| hold.as_str() == reason)
    }

    /// By which rule its recipient was found; `None` where a person named it.
    pub fn rule(&self) -> Option<Rule> {
        let word = self.text("extra.match.rule")?;
        Rule::ALL.into_iter().find(|rule| rule.as_str() == word)
    }

    /// How bad it says the finding is.
    pub fn severity(&self) -> Severity {
        Severity::read(&self.text("severity").unwrap_or_default())
    }

    /// What it is about: the address, or the prefix that the record names.
    pub fn subject(&self) -> Option<Subject> {
        let address = self.text("source.ip").or_else(|| self.text("extra.source.ip"));
        if let Some(address) = address {
            return Address::read(address.as_bytes()).map(Subject::Address);
        }
        let prefix = self.text("source.network")?;
        Prefix::read(prefix.as_bytes()).ok().map(Subject::of_prefix)
    }

    /// The id of the alert of the same finding for another owner.
    ///
    /// `time.source` of a line has six digits of a fraction and an id has nine: what is missing is found by trying, since
    /// the line's own id tells when it is right. `observed` is what `--observed` said. `None` if nothing gives the line's own id.
    pub fn alert_id_for(&self, feed: &str, observed: Option<&str>, owner_id: &str) -> Option<Uuid> {
        let own_id = self.alert_id()?;
        let Sighting { finding_id, time } = self.sighting()?;
        let own_owner = self.text("extra.owner.id")?;
        let is_right = |time: &String| alert_id(feed, finding_id, time, &own_owner) == own_id;
        let stated = Moment::read(time.as_bytes()).into_iter().flat_map(|moment| {
            let nanos = moment.subsecond_nanos();
            (0..1000)
                .filter_map(move |more| Moment::from_unix(moment.unix_seconds(), nanos + more))
                .map(Moment::id_text)
        });
        let otherwise = [observed.unwrap_or_default().to_owned(), String::new()];
        let time = stated.chain(otherwise).find(is_right)?;
        Some(alert_id(feed, finding_id, &time, owner_id))
    }

    /// Appends the line that a release makes of this one, and a line end: for its recipient, of its run, and no longer held.
    pub fn write_released(&self, out: &mut Vec<u8>, release: &Release<'_>) {
        let start = out.len();
        let mut has_contacts = false;
        for (key, value) in &self.pairs {
            let name = key.strip_prefix("extra.").unwrap_or(key);
            if !has_contacts && (name.starts_with("protocol.") || name.starts_with("classification.")) {
                out.extend_from_slice(release.recipient.contact_pair());
                has_contacts = true;
            }
            match (name, release.matched) {
                ("source.abuse_contact" | "owner.name" | "sender" | "held.reason" | "assessment", _) => {}
                ("constituency", _) => out.extend_from_slice(release.recipient.constituency_pair()),
                ("owner.id", _) => out.extend_from_slice(release.recipient.owner_pairs()),
                ("alert_id", _) => put_uuid(out, key, release.alert_id),
                ("run", _) => put_extra(out, ",\"extra.run\":", release.run),
                ("match.key", Matched::By(line, registered, index_id, ground)) => {
                    put_match(out, line, registered);
                    put_extra(out, ",\"extra.ground\":", ground.as_str());
                    put_index(out, index_id);
                }
                ("source.network", Matched::By(line, ..)) => put_network(out, self.subject(), line),
                ("source.network", Matched::ByPerson) if self.names_an_address() => {}
                (name, Matched::By(..) | Matched::ByPerson) if is_of_registration(name) => {}
                _ => put_raw(out, key, value),
            }
        }
        out[start] = b'{';
        out.extend_from_slice(b"}\n");
    }

    fn names_an_address(&self) -> bool {
        matches!(self.subject(), Some(Subject::Address(_)))
    }

    fn raw(&self, key: &str) -> Option<&'l str> {
        self.pairs.iter().find(|(name, _)| name == key).map(|(_, value)| value.get())
    }
}

/// Whether a key, without its `extra.`, tells of the registration that was found.
fn is_of_registration(name: &str) -> bool {
    name.starts_with("match.") || matches!(name, "for.owner" | "assignment" | "scope" | "ground")
}

fn push_key(out: &mut Vec<u8>, key: &str) {
    out.extend_from_slice(b",\"");
    push_json(out, key);
    out.extend_from_slice(b"\":");
}

fn put_uuid(out: &mut Vec<u8>, key: &str, id: Uuid) {
    push_key(out, key);
    out.push(b'"');
    push_uuid(out, id);
    out.push(b'"');
}

fn put_raw(out: &mut Vec<u8>, key: &str, value: &RawValue) {
    push_key(out, key);
    out.extend_from_slice(value.get().as_bytes());
}

/// Reads an object as its pairs.
struct Pairs;

impl<'l> Visitor<'l> for Pairs {
    type Value = Vec<(Cow<'l, str>, &'l RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an alert")
    }

    fn visit_map<M: MapAccess<'l>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut pairs = Vec::with_capacity(PAIRS);
        while let Some(Key(key)) = map.next_key()? {
            pairs.push((key, map.next_value()?));
        }
        Ok(pairs)
    }
}

/// Pairs of an ordinary line.
const PAIRS: usize = 32;

/// A key, borrowed where nothing in it is escaped.
#[derive(serde::Deserialize)]
struct Key<'l>(#[serde(borrow)] Cow<'l, str>);

#[cfg(test)]
mod tests {
    use super::super::RecipientFacts;
    use super::*;
    use crate::policy::SenderName;

    const HELD: &str = "{\"feed.name\":\"A feed\",\"time.source\":\"2026-11-22T01:02:03.123456+00:00\",\
        \"source.ip\":\"192.0.2.33\",\"source.network\":\"192.0.2.32/29\",\"source.abuse_contact\":\"a@twin.example\",\
        \"protocol.transport\":\"tcp\",\"classification.taxonomy\":\"vulnerable\",\"severity\":\"high\",\
        \"constituency\":\"business\",\"event_description.text\":\"\\u001b \u{e9}\",\
        \"extra.alert_id\":\"ALERT\",\"extra.finding_id\":\"1e87da1b-b92a-52e9-bcda-70e18c2d0fdd\",\
        \"extra.owner.id\":\"twin-a\",\"extra.owner.name\":\"Twin A\",\"extra.sender\":\"ncsc\",\
        \"extra.match.key\":\"address\",\"extra.match.rule\":\"user-prefix\",\"extra.match.role\":\"user\",\
        \"extra.match.registration\":\"192.0.2.32/29\",\"extra.match.index\":\"0011223344556677\",\
        \"extra.run\":\"feed-0123456789abcdef\",\"extra.record\":7,\"extra.tlp\":\"AMBER\",\
        \"extra.held.reason\":\"conflict\"}\n";

    fn held(time: &str) -> String {
        let finding_id = "1e87da1b-b92a-52e9-bcda-70e18c2d0fdd".parse().unwrap();
        HELD.replace("ALERT", &alert_id("feed", finding_id, time, "twin-a").to_string())
    }

    fn recipient(name: Option<&str>, contacts: &[&str]) -> Recipient {
        let sender = SenderName::read("dtc").unwrap();
        Recipient::new(&RecipientFacts {
            id: "other",
            name,
            constituency: Some(crate::register::Constituency::Vital),
            contacts,
            sender: &sender,
        })
    }

    #[test]
    fn a_line_is_read_as_it_was_written() {
        let line = held("2026-11-22T01:02:03.123456Z");
        let told = Told::read(line.as_bytes()).unwrap();
        assert_eq!(told.text("extra.owner.name").as_deref(), Some("Twin A"));
        assert_eq!(told.text("event_description.text").as_deref(), Some("\u{1b} \u{e9}"));
        assert_eq!((told.number("extra.record"), told.number("source.ip")), (Some(7), None));
        assert_eq!((told.hold(), told.severity()), (Some(Hold::Conflict), Severity::High));
        assert_eq!(told.subject(), Some(Subject::Address(Address::v4(0xc000_0221))));
        for wrong in ["", "{", "[]", "{}x", "{\"a\":1"] {
            assert!(Told::read(wrong.as_bytes()).is_none(), "{wrong}");
        }
        let wide = Told::read(b"{\"source.network\":\"192.0.2.0/24\"}").unwrap();
        assert_eq!(wide.subject(), Some(Subject::Prefix(Prefix::read(b"192.0.2.0/24").unwrap())));
        assert_eq!((wide.alert_id(), wide.sighting(), wide.hold()), (None, None, None));
    }

    #[test]
    fn a_release_changes_what_is_of_the_recipient_and_the_run_and_copies_the_rest() {
        let line = held("2026-11-22T01:02:03.123456Z");
        let told = Told::read(line.as_bytes()).unwrap();
        let recipient = recipient(Some("Other"), &["c@other.example"]);
        let alert_id = told.alert_id_for("feed", None, "other").unwrap();
        let mut out = Vec::new();
        let release = Release { run: "r", recipient: &recipient, alert_id, matched: Matched::AsHeld };
        told.write_released(&mut out, &release);
        let expected = line
            .replace("a@twin.example", "c@other.example")
            .replace("\"business\"", "\"vital\"")
            .replace(&told.alert_id().unwrap().to_string(), &alert_id.to_string())
            .replace("\"twin-a\"", "\"other\"")
            .replace("Twin A", "Other")
            .replace("ncsc", "dtc")
            .replace("feed-0123456789abcdef", "r")
            .replace(",\"extra.held.reason\":\"conflict\"", "");
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn a_recipient_that_a_person_named_has_no_registration_and_what_was_absent_appears_in_its_place() {
        let line = held("2026-11-22T01:02:03.123456Z")
            .replace("\"source.abuse_contact\":\"a@twin.example\",", "")
            .replace("\"extra.owner.name\":\"Twin A\",", "");
        let told = Told::read(line.as_bytes()).unwrap();
        let recipient = recipient(Some("Other"), &["c@other.example"]);
        let alert_id = told.alert_id_for("feed", None, "other").unwrap();
        let mut out = Vec::new();
        let release = Release { run: "r", recipient: &recipient, alert_id, matched: Matched::ByPerson };
        told.write_released(&mut out, &release);
        let text = String::from_utf8(out).unwrap();
        assert!(!text.contains("extra.match.") && !text.contains("source.network"), "{text}");
        assert!(
            text.contains("\"source.abuse_contact\":\"c@other.example\",\"protocol.transport\""),
            "{text}"
        );
        assert!(text.contains("\"extra.owner.id\":\"other\",\"extra.owner.name\":\"Other\""), "{text}");
    }

    #[test]
    fn the_id_for_another_owner_is_found_whatever_the_time_was_like() {
        let finding_id = "1e87da1b-b92a-52e9-bcda-70e18c2d0fdd".parse().unwrap();
        for (time, observed) in [
            ("2026-11-22T01:02:03.123456Z", None),
            ("2026-11-22T01:02:03.123456789Z", None),
            ("2026-11-22T01:02:03.12345699Z", Some("2026-11-22")),
            ("2026-11-22", Some("2026-11-22")),
            ("", None),
        ] {
            let line = held(time);
            let told = Told::read(line.as_bytes()).unwrap();
            let expected = alert_id("feed", finding_id, time, "other");
            assert_eq!(told.alert_id_for("feed", observed, "other"), Some(expected), "{time}");
        }
        let line = held("2026-11-22T01:02:03.123457Z");
        assert_eq!(Told::read(line.as_bytes()).unwrap().alert_id_for("feed", None, "other"), None);
    }
}
