//! Ids that are the same whenever, wherever and from however many dumps a finding is made: UUIDs of version 5.
//!
//! ```text
//! finding_id = UUIDv5(30a938c5-…, address|port|transport|identifier|name)
//! alert_id   = UUIDv5(68d7139f-…, feed|finding_id|time.source|owner_id)
//! ```
//!
//! An absent part is empty. Address as RFC 5952 (a record that names a prefix: the prefix), transport and identifier in lower case,
//! the port only when it is the service's and not a client's, the name only when the finding is about it, and then its
//! host alone. The time has a `Z` and its fraction without trailing zeros; of a record without a time it is the text of
//! `--observed`. Nothing of the policy enters: an id outlives a changed label, severity or name.

use super::line::Context;
use crate::index::Registered;
use crate::moment::{Moment, push_short};
use crate::net::{Address, Family, Prefix};
use crate::scan::{Finding, Subject};
use crate::text::host_name;
use sha1::block_api::compress;
use std::hash::{DefaultHasher, Hasher};
use std::io::Write;
use std::net::IpAddr;
use uuid::{Builder, Uuid, uuid};

/// Namespace of findings.
const FINDINGS: Uuid = uuid!("30a938c5-1778-5d94-b0f3-d3cf74a7998e");
/// Namespace of alerts.
const ALERTS: Uuid = uuid!("68d7139f-d196-5bcb-8e1f-86056f8b2e15");

/// The ids of one alert.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Ids {
    /// What was found: the same in every run and for every recipient.
    pub finding: Uuid,
    /// Who is told of it: equal ones in a run are one alert.
    pub alert: Uuid,
}

/// The ids of a finding for one recipient.
pub fn ids(context: &Context, finding: &Finding<'_>, owner_id: &str) -> Ids {
    ids_in(&mut Vec::new(), context, finding, owner_id)
}

/// As [`ids`]; `room` is for what they are made of, so that nothing is allocated for each.
pub fn ids_in(room: &mut Vec<u8>, context: &Context, finding: &Finding<'_>, owner_id: &str) -> Ids {
    let finding_id = uuid_v5(room, &FINDINGS, |text| push_finding(text, finding));
    let alert_id = uuid_v5(room, &ALERTS, |text| push_alert(text, context, finding, finding_id, owner_id));
    Ids { finding: finding_id, alert: alert_id }
}

/// The id of the alert of a finding for an owner; `time` as ids have it: with `Z`, or the text of `--observed`, or empty.
pub(super) fn alert_id(feed: &str, finding_id: Uuid, time: &str, owner_id: &str) -> Uuid {
    uuid_v5(&mut Vec::new(), &ALERTS, |text| {
        push_display(text, format_args!("{feed}|{}|{time}|{owner_id}", finding_id.hyphenated()));
    })
}

/// A hash of what the alert's id is made of, without making it: equal where the ids of two findings of one run are, for
/// the same owner. It costs a tenth of the ids, and is in no output. `room` is for what is hashed.
pub fn id_hash(room: &mut Vec<u8>, context: &Context, finding: &Finding<'_>, owner: u32) -> u64 {
    let text = room;
    text.clear();
    // First what has a fixed length, so that no two can be taken for each other; all is hashed at once.
    let (kind, bits) = match finding.subject {
        None => (0, 0),
        Some(Subject::Address(address)) if address.family() == Family::V4 => (1, address.bits()),
        Some(Subject::Address(address)) => (2, address.bits()),
        Some(Subject::Prefix(_)) => (3, 0),
    };
    let port = finding.port.filter(|_| !finding.port_is_client);
    // A time that reads as the text of `--observed` gives the id of no time.
    let time = finding.time.filter(|&time| !context.is_observed(time));
    let is_there = u8::from(port.is_some()) << 2 | u8::from(time.is_some()) << 3;
    text.extend_from_slice(&owner.to_le_bytes());
    text.push(kind | is_there);
    text.extend_from_slice(&port.unwrap_or_default().to_le_bytes());
    text.extend_from_slice(&time.map_or(0, Moment::unix_seconds).to_le_bytes());
    text.extend_from_slice(&time.map_or(0, Moment::subsecond_nanos).to_le_bytes());
    text.extend_from_slice(&bits.to_le_bytes());
    if let Some(Subject::Prefix(prefix)) = finding.subject {
        push_prefix(text, prefix);
    }
    text.push(b'|');
    push_said(text, finding);
    let mut hasher = DefaultHasher::new();
    hasher.write(text);
    hasher.finish()
}

/// A UUID of version 5, as RFC 9562 makes it, of a namespace and the text that is pushed behind it.
///
/// The processor's own SHA-1 instructions, where it has them, take a third of the time of `Uuid::new_v5`, and two of these are a tenth
/// of what an alert costs. The text is padded where it was written, as FIPS 180-4 says, and hashed from there.
fn uuid_v5(room: &mut Vec<u8>, namespace: &Uuid, push: impl FnOnce(&mut Vec<u8>)) -> Uuid {
    room.clear();
    room.extend_from_slice(namespace.as_bytes());
    push(room);
    let text_bits = 8 * room.len() as u64;
    room.push(0x80);
    let padded = (room.len() + size_of_val(&text_bits)).next_multiple_of(BLOCK_BYTES);
    room.resize(padded - size_of_val(&text_bits), 0);
    room.extend_from_slice(&text_bits.to_be_bytes());
    let mut state = SHA1_START;
    compress(&mut state, room.as_chunks::<BLOCK_BYTES>().0);
    let hash = state.map(u32::to_be_bytes);
    let [first, ..] = hash.as_flattened().as_chunks().0 else { unreachable!("20 bytes hold 16") };
    Builder::from_sha1_bytes(*first).into_uuid()
}

/// Bytes that SHA-1 takes at once.
const BLOCK_BYTES: usize = 64;

/// What SHA-1 begins with.
const SHA1_START: [u32; 5] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];

fn push_finding(out: &mut Vec<u8>, finding: &Finding<'_>) {
    match finding.subject {
        Some(Subject::Address(address)) => push_address(out, address),
        Some(Subject::Prefix(prefix)) => push_prefix(out, prefix),
        None => {}
    }
    out.push(b'|');
    if let Some(port) = finding.port.filter(|_| !finding.port_is_client) {
        push_number(out, port.into());
    }
    out.push(b'|');
    push_said(out, finding);
}

/// Transport, identifier and stated name.
fn push_said(out: &mut Vec<u8>, finding: &Finding<'_>) {
    push_lower(out, finding.transport.as_deref().unwrap_or_default());
    out.push(b'|');
    push_lower(out, finding.identifier.as_deref().unwrap_or_default());
    out.push(b'|');
    if let Some(name) = finding.stated.as_deref().and_then(host_name) {
        out.extend_from_slice(name.as_bytes());
    }
}

fn push_alert(out: &mut Vec<u8>, context: &Context, finding: &Finding<'_>, finding_id: Uuid, owner_id: &str) {
    out.extend_from_slice(context.feed().as_bytes());
    out.push(b'|');
    push_uuid(out, finding_id);
    out.push(b'|');
    push_time(out, context, finding);
    out.push(b'|');
    out.extend_from_slice(owner_id.as_bytes());
}

fn push_time(out: &mut Vec<u8>, context: &Context, finding: &Finding<'_>) {
    match finding.time {
        Some(time) => time.push_id_text(out),
        None => out.extend_from_slice(context.observed_text().as_bytes()),
    }
}

fn push_lower(out: &mut Vec<u8>, text: &str) {
    if !text.is_ascii() {
        return out.extend_from_slice(text.to_lowercase().as_bytes());
    }
    let start = out.len();
    out.extend_from_slice(text.as_bytes());
    out[start..].make_ascii_lowercase();
}

/// As it displays, likewise in registers.
pub(super) fn push_uuid(out: &mut Vec<u8>, uuid: Uuid) {
    let (high, low) = uuid.as_u64_pair();
    let [one, two, three, four] = [high >> 32, high, low >> 32, low].map(|half| u128::from(hex(half as u32)));
    const DASH: u128 = b'-' as u128;
    const FOUR_BYTES: u128 = 0xffff_ffff;
    let middle = DASH | (two & FOUR_BYTES) << 8 | DASH << 40 | (two >> 32) << 48 | DASH << 80;
    let middle = middle | (three & FOUR_BYTES) << 88 | DASH << 120;
    out.extend_from_slice(&(one as u64).to_le_bytes());
    out.extend_from_slice(&middle.to_le_bytes());
    out.extend_from_slice(&((three >> 32) as u32).to_le_bytes());
    out.extend_from_slice(&(four as u64).to_le_bytes());
}

/// Eight lower-case hexadecimal digits as text, the first one lowest: all at once.
fn hex(number: u32) -> u64 {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let halves = (u64::from(number) | u64::from(number) << 16) & 0x0000_ffff_0000_ffff;
    let bytes = (halves | halves << 8) & (0xff * 0x0001_0001_0001_0001);
    let digits = (bytes | bytes << 4) & (0xf * EACH);
    let is_letter = (digits + 6 * EACH) >> 4 & EACH;
    (digits + EACH * u64::from(b'0') + is_letter * u64::from(b'a' - b'0' - 10)).swap_bytes()
}

/// As it displays, but without the machinery of formatting: addresses and numbers are most of a line.
///
/// The text is put together in a register: to copy bytes that were written just now is to wait for them.
pub(super) fn push_address(out: &mut Vec<u8>, address: Address) {
    let IpAddr::V4(ip) = address.ip() else { return push_display(out, address) };
    let [first, second, third, fourth] = ip.octets();
    let (upper, upper_length) = two_octets(first, second);
    let (lower, lower_length) = two_octets(third, fourth);
    let text = u128::from(lower) << (8 * upper_length) | u128::from(upper);
    // Less the last dot.
    push_short(out, text, upper_length + lower_length - 1);
}

/// Two octets, a dot behind each, and how long that is.
#[inline]
fn two_octets(first: u8, second: u8) -> (u64, usize) {
    let length = |octet: u8| 2 + usize::from(octet >= 10) + usize::from(octet >= 100);
    let text = |octet: u8| u64::from(OCTETS[usize::from(octet)]);
    (text(second) << (8 * length(first)) | text(first), length(first) + length(second))
}

/// Each octet in decimal, and a dot behind it; first byte lowest.
static OCTETS: [u32; 256] = {
    let mut octets = [0; 256];
    let mut octet: usize = 0;
    while octet < octets.len() {
        let (mut text, mut rest) = (b'.' as u32, octet as u32);
        while text == b'.' as u32 || rest > 0 {
            text = text << 8 | (b'0' as u32 + rest % 10);
            rest /= 10;
        }
        octets[octet] = text;
        octet += 1;
    }
    octets
};

/// As it displays, likewise.
pub(super) fn push_prefix(out: &mut Vec<u8>, prefix: Prefix) {
    push_address(out, prefix.first());
    out.push(b'/');
    push_number(out, prefix.length().into());
}

/// As it displays, likewise.
pub(super) fn push_registered(out: &mut Vec<u8>, registered: Registered<'_>) {
    let Registered::Range(range) = registered else { return push_display(out, registered) };
    match range.prefix() {
        Some(prefix) => push_prefix(out, prefix),
        None => push_display(out, range),
    }
}

/// In decimal, likewise.
#[inline]
pub(super) fn push_number(out: &mut Vec<u8>, number: u64) {
    if number >= EIGHT_DIGITS {
        push_number(out, number / EIGHT_DIGITS);
        let digits = eight_digits((number % EIGHT_DIGITS) as u32) | EIGHT_ZEROS;
        return out.extend_from_slice(&digits.to_le_bytes());
    }
    let digits = eight_digits(number as u32);
    // The last digit is said, whatever it is.
    let zeros = (digits.trailing_zeros() / 8).min(7);
    let end = out.len() + 8 - zeros as usize;
    out.extend_from_slice(&((digits | EIGHT_ZEROS) >> (8 * zeros)).to_le_bytes());
    out.truncate(end);
}

/// The first number that has more than eight digits.
const EIGHT_DIGITS: u64 = 100_000_000;

/// Eight digits as text.
const EIGHT_ZEROS: u64 = u64::from_le_bytes([b'0'; 8]);

/// Eight decimal digits as numbers, the first one lowest: all at once, by halves, quarters and ones.
#[inline]
fn eight_digits(number: u32) -> u64 {
    let halves = u64::from(number / 10_000) | u64::from(number % 10_000) << 32;
    // What is multiplied and shifted is divided by 100, then by 10; at most 9,999 and 99, for which that is exact.
    let hundreds = ((halves * 10_486) >> 20) & 0x0000_007f_0000_007f;
    let quarters = hundreds | (halves - 100 * hundreds) << 16;
    let tens = ((quarters * 103) >> 10) & 0x000f_000f_000f_000f;
    tens | (quarters - 10 * tens) << 8
}

pub(super) fn push_display(out: &mut Vec<u8>, value: impl std::fmt::Display) {
    write!(out, "{value}").expect("writing to a Vec cannot fail");
}

#[cfg(test)]
mod tests {
    use super::super::RunFacts;
    use super::*;
    use crate::moment::{TimeText, read_time};
    use crate::net::{Prefix, Range};
    use crate::scan::{Kind, Side};
    use std::borrow::Cow;

    fn moment(text: &str) -> Moment {
        let TimeText::At(moment) = read_time(text.as_bytes(), None) else { panic!("{text}") };
        moment
    }

    fn context(observed: &str) -> Context {
        Context::new(&RunFacts {
            feed: "feed",
            label: None,
            provider: None,
            run: "run",
            run_time: moment("2026-11-22"),
            observed: Some((moment(observed), observed)),
            provenance: crate::policy::Provenance::default(),
            classification: None,
            severity: None,
            catalogue: &std::sync::Arc::default(),
            report: None,
            index_id: [0; 32],
        })
    }

    /// Findings that differ in one part each, and some that differ and yet have one id.
    fn findings() -> Vec<Finding<'static>> {
        let finding = || Finding::new(0, Kind::Exposed, Side::Exposed);
        let subject = |address| Some(Subject::Address(address));
        let prefix = Some(Subject::Prefix(Prefix::read(b"192.0.2.0/24").unwrap()));
        let text = |text: &'static str| Some(Cow::Borrowed(text));
        let at = |text| Some(moment(text));
        vec![
            finding(),
            Finding { subject: subject(Address::v4(0x0102)), ..finding() },
            Finding { subject: subject(Address::v6(0x0102)), ..finding() },
            Finding { subject: prefix, ..finding() },
            Finding { port: Some(443), ..finding() },
            Finding { port: Some(443), port_is_client: true, ..finding() },
            Finding { port: Some(80), ..finding() },
            Finding { transport: text("TCP"), ..finding() },
            Finding { transport: text("tcp"), ..finding() },
            Finding { transport: text("tcp|a"), identifier: text("b"), ..finding() },
            Finding { transport: text("tcp"), identifier: text("A|b"), ..finding() },
            Finding { identifier: text("É"), ..finding() },
            Finding { identifier: text("é"), ..finding() },
            Finding { stated: text("https://WWW.example.nl:8443/"), ..finding() },
            Finding { stated: text("www.example.nl"), ..finding() },
            Finding { shown: vec!["www.example.nl".into()], ..finding() },
            Finding { time: at("2026-11-22T00:00:00Z"), ..finding() },
            Finding { time: at("2026-11-22 01:00:00+01:00"), ..finding() },
            Finding { time: at("2026-11-22T00:00:00.5Z"), ..finding() },
        ]
    }

    #[test]
    fn addresses_and_numbers_are_written_as_they_display() {
        let numbers = [65535, EIGHT_DIGITS - 1, EIGHT_DIGITS, EIGHT_DIGITS + 1, u64::MAX];
        let numbers = (0..10_000).chain(numbers).chain((0..20).map(|power| 10_u64.pow(power)));
        let numbers = numbers.chain((0..10_000).map(|number| EIGHT_DIGITS - 1 - number * 9_999));
        let addresses = [0, 1, 0x0909_0909, 0x0a63_64ff, u32::MAX].map(Address::v4);
        for address in addresses.into_iter().chain([Address::v6(0x2001_0db8 << 96 | 1)]) {
            let mut out = Vec::new();
            push_address(&mut out, address);
            assert_eq!(out, address.to_string().as_bytes());
        }
        for octet in 0..=255 {
            let address = Address::v4(u32::from_be_bytes([octet, 0, 255 - octet, octet]));
            let mut out = Vec::new();
            push_address(&mut out, address);
            assert_eq!(out, address.to_string().as_bytes());
        }
        for text in
            ["0.0.0.0/0", "192.0.2.1/32", "::/0", "2001:db8::/32", "192.0.2.0 - 192.0.2.99", "::1 - ::9"]
        {
            let range = Range::read(text.as_bytes()).unwrap();
            let mut out = Vec::new();
            push_registered(&mut out, Registered::Range(range));
            assert_eq!(out, text.as_bytes());
        }
        for number in numbers {
            let mut out = Vec::new();
            push_number(&mut out, number);
            assert_eq!(out, number.to_string().as_bytes());
        }
    }

    #[test]
    fn uuids_are_those_of_another_implementation() {
        let text: Vec<u8> = (0..=255).collect();
        for end in 0..text.len() {
            let ours = uuid_v5(&mut Vec::new(), &ALERTS, |out| out.extend_from_slice(&text[..end]));
            assert_eq!(ours, Uuid::new_v5(&ALERTS, &text[..end]));
            let mut shown = Vec::new();
            push_uuid(&mut shown, ours);
            assert_eq!(shown, ours.hyphenated().to_string().as_bytes());
        }
    }

    #[test]
    fn hashes_are_equal_where_ids_are() {
        let findings = findings();
        for observed in ["2026-11-22", "2026-11-22T00:00:00Z"] {
            let context = context(observed);
            for (a, b) in findings.iter().flat_map(|a| findings.iter().map(move |b| (a, b))) {
                let ids_equal = ids(&context, a, "owner").alert == ids(&context, b, "owner").alert;
                let hash = |finding, owner| id_hash(&mut Vec::new(), &context, finding, owner);
                let hashes_equal = hash(a, 1) == hash(b, 1);
                assert_eq!(hashes_equal, ids_equal, "--observed {observed}: {a:?} and {b:?}");
            }
            let hash = |owner| id_hash(&mut Vec::new(), &context, &findings[0], owner);
            assert_ne!(hash(1), hash(2));
        }
    }
}
