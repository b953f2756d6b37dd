//! What is kept of the objects of a RIPE dump: rows of fixed width, since there are millions of them.

use super::names::{Name, Names};
use super::rpsl::{Broken, Object, Objects, latin1};
use crate::moment::Day;
use crate::net::{Asn, Family, Prefix, Range};
use crate::register::delegated::COUNTRY;
use crate::register::merge::Sink;
use crate::register::origins::Origins;
use crate::register::report::FindingKind;
use crate::register::row::{check_contact, quote};
use std::collections::HashMap;
use std::io::{self, BufRead};

/// Most inetnum, inet6num and aut-num objects together.
const OBJECTS_MAX: usize = 1 << 26;
/// Bytes of the day that a time begins with.
const DAY_BYTES: usize = "2026-11-22".len();
/// Longest name of an organisation that is shown; beyond it stands `…`.
const NAME_CHARS_MAX: usize = 120;
/// The maintainers of RIPE NCC's registration services, from the configuration of its whois.
const REGISTRY_MAINTAINERS: [&[u8]; 4] =
    [b"RIPE-NCC-HM-MNT", b"RIPE-NCC-END-MNT", b"RIPE-NCC-LEGACY-MNT", b"RIPE-NCC-HM2-MNT"];

/// All objects of all RIPE sources, as far as they are needed.
#[derive(Debug, Default)]
pub(in crate::register) struct Database {
    /// Handles in upper case; netnames as they are.
    pub(super) names: Names,
    pub(super) v4: Vec<Net<u32>>,
    pub(super) v6: Vec<Net<u128>>,
    pub(super) asns: Vec<AutNum>,
    pub(super) organisations: HashMap<Name, Organisation>,
    pub(super) roles: HashMap<Name, Role>,
    pub(in crate::register) counts: Counts,
}

/// How many objects there were, and what became of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// All that were read, broken ones included.
    pub objects: u64,
    /// `inetnum` and `inet6num`.
    pub networks: u64,
    /// `aut-num`.
    pub asns: u64,
    /// `organisation`.
    pub organisations: u64,
    /// `role`.
    pub roles: u64,
    /// `route` and `route6`.
    pub routes: u64,
    /// Of other classes, which say nothing about owners.
    pub others: u64,
    /// Skipped since they cannot be read.
    pub broken: u64,
    /// The same network, AS number, organisation or role again; the first counts.
    pub repeated: u64,
    /// Became registrations of who uses the systems …
    pub users: u64,
    /// … and of who owns the network.
    pub owners: u64,
    /// Have no contact of their own, and lie inside the registration of the desk that answers for them.
    pub assignments: u64,
    /// Not Dutch.
    pub out_of_scope: u64,
    /// Dutch, but nobody's: no abuse contact answers for them.
    pub without_desk: u64,
}

/// An `inetnum` (bits are 32) or `inet6num` (128).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Net<K> {
    pub(super) first: K,
    pub(super) last: K,
    pub(super) facts: Facts,
    pub(super) netname: Name,
}

/// An `aut-num`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct AutNum {
    pub(super) asn: u32,
    pub(super) facts: Facts,
}

/// What decides whose an object is; ordered by where it stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(super) struct Facts {
    pub(super) source: u16,
    pub(super) line: u32,
    /// `org`
    pub(super) org: Name,
    /// `abuse-c`
    pub(super) abuse_c: Name,
    /// `sponsoring-org`
    pub(super) sponsor: Name,
    /// Day of `last-modified`, counted from 1970; 0: not told.
    modified: u16,
    /// Of [`ASSIGNED`], [`DUTCH`] and [`OF_REGISTRY`].
    marks: u8,
}

/// By its status, an organisation of its own may use it.
const ASSIGNED: u8 = 1;
/// Has `country: NL`.
const DUTCH: u8 = 2;
/// Is maintained by RIPE NCC.
const OF_REGISTRY: u8 = 4;

impl Facts {
    pub(super) fn is_assigned(self) -> bool {
        self.marks & ASSIGNED != 0
    }

    pub(super) fn is_dutch(self) -> bool {
        self.marks & DUTCH != 0
    }

    pub(super) fn is_of_registry(self) -> bool {
        self.marks & OF_REGISTRY != 0
    }

    /// When it was last changed.
    pub(super) fn modified(self) -> Option<Day> {
        (self.modified != 0).then(|| Day::from_number(self.modified.into()))
    }
}

/// An `organisation`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Organisation {
    pub(super) source: u16,
    pub(super) line: u32,
    /// `org-name`
    pub(super) name: Option<String>,
    pub(super) country: Option<Country>,
    pub(super) abuse_c: Name,
    /// A registry: RIPE NCC, or IANA. It answers for nobody's systems.
    pub(super) is_registry: bool,
}

/// Whether an organisation says that it is Dutch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Country {
    Dutch,
    Foreign,
}

/// A `role` with a mailbox that somebody may read.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Role {
    pub(super) source: u16,
    pub(super) line: u32,
    /// `role`, what it is called.
    pub(super) name: Option<String>,
    pub(super) org: Name,
    /// `None`: no `abuse-mailbox`, or one that nobody reads.
    pub(super) mailbox: Option<String>,
}

/// Why an object is not used.
type Wrong = String;

impl Database {
    /// Reads all objects of a dump; broken ones are skipped and counted.
    pub(in crate::register) fn read(
        &mut self,
        reader: &mut dyn BufRead,
        origins: &mut Origins,
        sink: &mut Sink<'_>,
    ) -> io::Result<()> {
        let mut objects = Objects::new(reader);
        while let Some(object) = objects.next()? {
            self.counts.objects += 1;
            sink.report.rows += 1;
            let (line, taken) = match object {
                Ok(object) => (object.line, self.take(object, origins, sink.source())),
                Err(Broken { line, wrong }) => (line, Err(format!("{wrong} (the object is skipped)"))),
            };
            if let Err(wrong) = taken {
                self.counts.broken += 1;
                sink.skip(line, || wrong);
            }
            sink.progress_of_source();
        }
        if self.v4.len() + self.v6.len() + self.asns.len() > OBJECTS_MAX {
            sink.find(FindingKind::BadSource, 1, || {
                format!("more than {OBJECTS_MAX} objects (leave some files out)")
            });
        }
        Ok(())
    }

    fn take(&mut self, object: Object<'_>, origins: &mut Origins, source: u16) -> Result<(), Wrong> {
        let class = object.class();
        let is = |name: &str| class.eq_ignore_ascii_case(name.as_bytes());
        if is("inetnum") || is("inet6num") {
            self.take_net(object, source)
        } else if is("organisation") {
            self.take_organisation(object, source)
        } else if is("role") {
            self.take_role(object, source)
        } else if is("aut-num") {
            self.take_asn(object, source)
        } else if is("route") || is("route6") {
            self.counts.routes += 1;
            take_route(object, origins)
        } else {
            self.counts.others += 1;
            Ok(())
        }
    }

    fn take_net(&mut self, object: Object<'_>, source: u16) -> Result<(), Wrong> {
        let (mut range, mut netname) = (None, Name::NONE);
        let mut facts = Facts { source, line: object.line, ..Facts::default() };
        for (at, (name, value)) in object.attributes().enumerate() {
            match () {
                () if at == 0 => range = Some(read_range(name, &value)?),
                () if name.eq_ignore_ascii_case(b"netname") => netname = self.intern(&value)?,
                () if name.eq_ignore_ascii_case(b"status") => {
                    facts.marks |= if is_assigned(&value) { ASSIGNED } else { 0 }
                }
                () => self.read_fact(&mut facts, name, &value)?,
            }
        }
        let Some(range) = range else { return Ok(()) };
        let (first, last) = (range.first().bits(), range.last().bits());
        match range.family() {
            Family::V4 => self.v4.push(Net { first: first as u32, last: last as u32, facts, netname }),
            Family::V6 => self.v6.push(Net { first, last, facts, netname }),
        }
        self.counts.networks += 1;
        Ok(())
    }

    fn take_asn(&mut self, object: Object<'_>, source: u16) -> Result<(), Wrong> {
        let mut asn = None;
        let mut facts = Facts { source, line: object.line, ..Facts::default() };
        for (at, (name, value)) in object.attributes().enumerate() {
            match at {
                0 => asn = Some(read_asn(&value)?),
                _ => self.read_fact(&mut facts, name, &value)?,
            }
        }
        let Some(asn) = asn else { return Ok(()) };
        self.asns.push(AutNum { asn: asn.0, facts });
        self.counts.asns += 1;
        Ok(())
    }

    /// Takes what networks and AS numbers have in common. Of an attribute that stands twice the first counts.
    fn read_fact(&mut self, facts: &mut Facts, name: &[u8], value: &[u8]) -> Result<(), Wrong> {
        let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
        if is("org") && facts.org.is_none() {
            facts.org = self.intern_handle(value)?;
        } else if is("abuse-c") && facts.abuse_c.is_none() {
            facts.abuse_c = self.intern_handle(value)?;
        } else if is("sponsoring-org") && facts.sponsor.is_none() {
            facts.sponsor = self.intern_handle(value)?;
        } else if is("country") && value.eq_ignore_ascii_case(COUNTRY) {
            facts.marks |= DUTCH;
        } else if (is("mnt-by") || is("mnt-lower")) && is_of_registry(value) {
            facts.marks |= OF_REGISTRY;
        } else if is("last-modified") {
            let day = value.get(..DAY_BYTES).and_then(Day::read).map_or(0, Day::number);
            facts.modified = u16::try_from(day).unwrap_or(0);
        }
        Ok(())
    }

    fn take_organisation(&mut self, object: Object<'_>, source: u16) -> Result<(), Wrong> {
        let mut handle = Name::NONE;
        let mut organisation = Organisation { source, line: object.line, ..Organisation::default() };
        for (at, (name, value)) in object.attributes().enumerate() {
            let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
            if at == 0 {
                handle = self.intern_handle(&value)?;
            } else if is("org-name") && organisation.name.is_none() {
                organisation.name = shown_name(&value);
            } else if is("country") && organisation.country.is_none() && !value.is_empty() {
                let is_dutch = value.eq_ignore_ascii_case(COUNTRY);
                organisation.country = Some(if is_dutch { Country::Dutch } else { Country::Foreign });
            } else if is("abuse-c") && organisation.abuse_c.is_none() {
                organisation.abuse_c = self.intern_handle(&value)?;
            } else if is("org-type") {
                organisation.is_registry =
                    [&b"RIR"[..], b"IANA"].iter().any(|kind| value.eq_ignore_ascii_case(kind));
            }
        }
        self.counts.organisations += 1;
        keep_first(&mut self.organisations, handle, organisation, &mut self.counts.repeated)
    }

    fn take_role(&mut self, object: Object<'_>, source: u16) -> Result<(), Wrong> {
        let mut handle = Name::NONE;
        let mut role = Role { source, line: object.line, ..Role::default() };
        for (at, (name, value)) in object.attributes().enumerate() {
            let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
            if at == 0 {
                role.name = shown_name(&value);
            } else if is("nic-hdl") && handle.is_none() {
                handle = self.intern_handle(&value)?;
            } else if is("abuse-mailbox") && role.mailbox.is_none() {
                role.mailbox = read_mailbox(&value);
            } else if is("org") && role.org.is_none() {
                role.org = self.intern_handle(&value)?;
            }
        }
        self.counts.roles += 1;
        keep_first(&mut self.roles, handle, role, &mut self.counts.repeated)
    }

    fn intern(&mut self, text: &[u8]) -> Result<Name, Wrong> {
        self.names.intern(text).ok_or_else(|| "more than 4 GiB of names (leave some files out)".to_owned())
    }

    /// Handles are compared without regard to case.
    fn intern_handle(&mut self, text: &[u8]) -> Result<Name, Wrong> {
        match text.iter().any(u8::is_ascii_lowercase) {
            true => self.intern(&text.to_ascii_uppercase()),
            false => self.intern(text),
        }
    }

    pub(super) fn text(&self, name: Name) -> String {
        latin1(self.names.get(name))
    }
}

/// Keeps an object under its handle, unless there is one already.
fn keep_first<T>(
    objects: &mut HashMap<Name, T>,
    handle: Name,
    object: T,
    repeated: &mut u64,
) -> Result<(), Wrong> {
    if handle.is_none() {
        return Err("object has no handle (it is skipped)".to_owned());
    }
    match objects.entry(handle) {
        std::collections::hash_map::Entry::Occupied(_) => *repeated += 1,
        std::collections::hash_map::Entry::Vacant(free) => {
            free.insert(object);
        }
    }
    Ok(())
}

fn read_range(class: &[u8], value: &[u8]) -> Result<Range, Wrong> {
    let class = latin1(class);
    let range = Range::read(value).map_err(|error| format!("{class} {error}"))?;
    let family = if class.eq_ignore_ascii_case("inetnum") { Family::V4 } else { Family::V6 };
    if range.family() == family {
        Ok(range)
    } else {
        Err(format!("{class} {range} is of the other family (the object is skipped)"))
    }
}

fn read_asn(value: &[u8]) -> Result<Asn, Wrong> {
    let asn = Asn::read(value).filter(|&asn| asn != Asn(0));
    asn.ok_or_else(|| format!("aut-num {} is no AS number (the object is skipped)", quote(value)))
}

/// Ties the prefix of a route to its AS number.
fn take_route(object: Object<'_>, origins: &mut Origins) -> Result<(), Wrong> {
    let (mut prefix, mut origin) = (None, None);
    for (at, (name, value)) in object.attributes().enumerate() {
        if at == 0 {
            let class = latin1(name);
            prefix = Some(Prefix::read(&value).map_err(|error| format!("{class} {error}"))?);
        } else if name.eq_ignore_ascii_case(b"origin") && origin.is_none() {
            let wrong = || format!("origin {} is no AS number (the object is skipped)", quote(&value));
            origin = Some(Asn::read(&value).ok_or_else(wrong)?);
        }
    }
    let (Some(prefix), Some(origin)) = (prefix, origin) else {
        return Err("route has no origin (the object is skipped)".to_owned());
    };
    match origins.push(prefix, origin) {
        true => Ok(()),
        false => Err("there are too many routes (leave some files out)".to_owned()),
    }
}

/// Whether a status allows that an organisation of its own uses the addresses; all others are the network owner's.
fn is_assigned(status: &[u8]) -> bool {
    const ASSIGNED: [&str; 5] = ["ASSIGNED PA", "ASSIGNED PI", "ASSIGNED", "ALLOCATED-ASSIGNED PA", "LEGACY"];
    let words = |status: &[u8]| -> Vec<Vec<u8>> {
        let words = status.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        words.map(<[u8]>::to_ascii_uppercase).collect()
    };
    let status = words(status);
    ASSIGNED.iter().any(|assigned| words(assigned.as_bytes()) == status)
}

/// Whether a list of maintainers names one of RIPE NCC's.
fn is_of_registry(maintainers: &[u8]) -> bool {
    let mut names = maintainers.split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
    names.any(|name| REGISTRY_MAINTAINERS.iter().any(|registry| name.eq_ignore_ascii_case(registry)))
}

/// The address of a mailbox, `abuse@example.nl` or `Abuse <abuse@example.nl>`; `None` for one that nobody reads.
fn read_mailbox(value: &[u8]) -> Option<String> {
    let text = latin1(value);
    let address = text
        .split_once('<')
        .and_then(|(_, rest)| rest.split_once('>'))
        .map_or(text.as_str(), |(inside, _)| inside);
    let address = address.trim();
    check_contact(address).is_ok().then(|| address.to_owned())
}

/// A name for people: without marks that would harm whoever shows it, and not too long.
fn shown_name(value: &[u8]) -> Option<String> {
    let text = latin1(value);
    let plain: String =
        text.chars().map(|char| if crate::text::is_hostile(char) { ' ' } else { char }).collect();
    let plain = plain.trim();
    match plain.char_indices().nth(NAME_CHARS_MAX) {
        _ if plain.is_empty() => None,
        None => Some(plain.to_owned()),
        Some((end, _)) => Some(format!("{}…", &plain[..end])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_read_in_any_case_and_spacing() {
        for status in ["ASSIGNED PA", "assigned  pi", "Assigned", "LEGACY", "ALLOCATED-ASSIGNED PA"] {
            assert!(is_assigned(status.as_bytes()), "{status}");
        }
        for status in [
            "",
            "ALLOCATED PA",
            "SUB-ALLOCATED PA",
            "LIR-PARTITIONED PA",
            "AGGREGATED-BY-LIR",
            "ASSIGNED ANYCAST",
            "ALLOCATED-BY-RIR",
        ] {
            assert!(!is_assigned(status.as_bytes()), "{status}");
        }
    }

    #[test]
    fn a_mailbox_is_one_that_somebody_reads() {
        assert_eq!(read_mailbox(b"abuse@example.nl").as_deref(), Some("abuse@example.nl"));
        assert_eq!(read_mailbox(b"Abuse Desk <abuse@example.nl>").as_deref(), Some("abuse@example.nl"));
        for none in ["", "unread@ripe.net", "UNREAD@RIPE.NET", "nobody", "a@b c"] {
            assert_eq!(read_mailbox(none.as_bytes()), None, "{none}");
        }
    }

    #[test]
    fn a_row_of_an_inetnum_is_small() {
        assert_eq!((size_of::<Net<u32>>(), size_of::<Net<u128>>()), (36, 64));
    }
}
