//! What is Dutch and nobody's, as the list by which a register grows: who holds the space, where in it, how much was seen there.
//!
//! ```text
//! {"network":"91.192.0.0/24","holder":"…","holder_records":7,"records":4,"addresses":["91.192.0.1",…],
//!  "lapsed":["school"],"asn":64496,"netname":"…","desk":"…","abuse_contact":"…"}
//! ```
//!
//! A line for each holder and /24 (of IPv6, /48) with records, those of the holder with the most first. `lapsed` are owners whose
//! registrations there are not valid on the day, `desk` is whose customer the RIPE database has there; of the first that is known
//! are the AS number and the contact. A record that matches nothing is not read further: whether it is an exposure is not known.
//!
//! Memory is bounded by [`PLACES_MAX`]: places beyond are counted by the block that was delegated.

use crate::index::{Claim, ClaimKey, Index, OwnerIx};
use crate::net::{Address, Family, Prefix, Range};
use crate::scan::Subject;
use crate::text::write_json;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};

/// Places that are told apart; the Netherlands have about 190,000 /24s.
const PLACES_MAX: usize = 1 << 18;
/// Addresses that are named of each.
const ADDRESSES_MAX: usize = 4;
/// Lengths of a place's prefix.
const PLACE_BITS: [u8; 2] = [24, 48];

/// Records by place, in the order of the dump.
#[derive(Default)]
pub(super) struct Residual {
    places: BTreeMap<Range, Place>,
    /// More than these are not told apart; less in tests.
    places_max: usize,
}

#[derive(Default)]
struct Place {
    records: u64,
    /// The first, each once.
    subjects: Vec<Subject>,
}

/// A line of the file.
#[derive(Serialize)]
struct Line<'i> {
    network: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    holder: Option<&'i str>,
    holder_records: u64,
    records: u64,
    addresses: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    lapsed: Vec<&'i str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    asn: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    netname: Option<&'i str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    desk: Option<&'i str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    abuse_contact: Option<String>,
}

impl Residual {
    pub(super) fn new() -> Self {
        Self { places: BTreeMap::new(), places_max: PLACES_MAX }
    }

    /// Counts a record about Dutch space.
    pub(super) fn add(&mut self, index: &Index, subject: Subject) {
        let mut place = place_of(subject);
        if self.places.len() >= self.places_max && !self.places.contains_key(&place) {
            place = index.dutch_block(subject.range().first()).map_or(place, |block| block.range);
        }
        let place = self.places.entry(place).or_default();
        place.records += 1;
        if place.subjects.len() < ADDRESSES_MAX && !place.subjects.contains(&subject) {
            place.subjects.push(subject);
        }
    }

    /// Writes the lines.
    pub(super) fn write(&self, index: &Index, out: &mut dyn Write) -> io::Result<()> {
        let mut of_holder = HashMap::<Option<&str>, u64>::new();
        let mut places = Vec::with_capacity(self.places.len());
        for (range, place) in &self.places {
            let Some(first) = place.subjects.first().map(|subject| subject.range().first()) else { continue };
            let holder = index.dutch_block(first).and_then(|block| block.holder);
            *of_holder.entry(holder).or_default() += place.records;
            places.push((range, place, first, holder));
        }
        places.sort_by_key(|(range, .., holder)| (std::cmp::Reverse(of_holder[holder]), *holder, **range));
        for (range, place, first, holder) in places {
            let mut line = background(index, first);
            line.network = range.to_string();
            (line.holder, line.holder_records) = (holder, of_holder[&holder]);
            line.records = place.records;
            line.addresses = place.subjects.iter().map(shown).collect();
            write_json(&mut *out, &line).map_err(io::Error::from)?;
            writeln!(out)?;
        }
        Ok(())
    }
}

/// The /24 or /48 that a subject lies in, or begins in.
fn place_of(subject: Subject) -> Range {
    let first = subject.range().first();
    let length = PLACE_BITS[usize::from(first.family() == Family::V6)];
    let host = u128::MAX.checked_shr(128 - u32::from(first.family().address_bits() - length)).unwrap_or(0);
    let start = Address::from_bits(first.family(), first.bits() & !host);
    Prefix::new(start, length).map_or_else(|_| subject.range(), Prefix::range)
}

fn shown(subject: &Subject) -> String {
    match subject {
        Subject::Address(address) => address.to_string(),
        Subject::Prefix(prefix) => prefix.to_string(),
    }
}

/// What the index knows about an address that no valid registration holds.
fn background(index: &Index, address: Address) -> Line<'_> {
    let claims: Vec<Claim> = index.covering(address).collect();
    let assignment = index.assignment(address);
    let mut owners: Vec<OwnerIx> = Vec::new();
    for claim in &claims {
        if !owners.contains(&claim.owner) {
            owners.push(claim.owner);
        }
    }
    let known = owners.iter().copied().chain(assignment.map(|it| it.owner)).next();
    let contacts = known.map(|owner| index.owner(owner).contacts().collect::<Vec<_>>().join(","));
    let asn = claims.iter().find_map(|claim| match claim.key {
        ClaimKey::Announced(asn, _) => Some(asn.0),
        _ => None,
    });
    Line {
        network: String::new(),
        holder: None,
        holder_records: 0,
        records: 0,
        addresses: Vec::new(),
        lapsed: owners.iter().map(|&owner| index.owner(owner).id).collect(),
        asn,
        netname: assignment.map(|it| it.netname).filter(|netname| !netname.is_empty()),
        desk: assignment.map(|it| index.owner(it.owner).id),
        abuse_contact: contacts.filter(|contacts| !contacts.is_empty()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::register::{ReadOptions, Register};

    #[test]
    fn beyond_the_most_places_records_are_counted_by_block() {
        let delegated = "2|ripencc|20261122|1|19830705|20261122|+0100\n\
             ripencc|NL|ipv4|91.192.0.0|65536|20100101|allocated|a\nripencc|NL|ipv4|91.200.0.0|65536|20100101|allocated|b\n";
        let sources = [("delegated-ripencc-extended", delegated.as_bytes())];
        let index =
            Index::build(&Register::read_bytes(&sources, &ReadOptions::default()).unwrap().0).unwrap();
        let mut residual = Residual { places_max: 2, ..Residual::new() };
        for text in ["91.192.0.1", "91.192.1.1", "91.192.2.1", "91.192.3.1", "91.192.0.9", "91.200.0.1"] {
            residual.add(&index, Subject::Address(Address::read(text.as_bytes()).unwrap()));
        }
        let mut out = Vec::new();
        residual.write(&index, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let said: Vec<_> = lines
            .iter()
            .map(|line| {
                format!(
                    "{} {} {} {}",
                    line["holder"], line["holder_records"], line["network"], line["records"]
                )
            })
            .collect();
        assert_eq!(
            said,
            [
                "\"a\" 5 \"91.192.0.0/24\" 2",
                "\"a\" 5 \"91.192.0.0/16\" 2",
                "\"a\" 5 \"91.192.1.0/24\" 1",
                "\"b\" 1 \"91.200.0.0/16\" 1",
            ]
        );
    }
}
