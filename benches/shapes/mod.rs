//! The shapes of dumps and of a register, for benches: made from a seed, like the producers' own.
//!
//! Rows of 71 bytes (ZMap), of about 305 quoted bytes (Shadowserver; 2 % `""`, 0.2 % quoted newlines), about 1.3 KB of JSON with the
//! address first (ZGrab2) or last (Shodan). 5 % of addresses are IPv6, none in the ZMap dump.
#![allow(dead_code, reason = "each bench uses its own part of it")]

pub(crate) mod dutch;

use dijkwacht::index::Index;
use dijkwacht::net::{Address, Family, Prefix, Range};
use dijkwacht::register::{Key, Owner, OwnerId, Register, Registration, Role, Scope};
use fastrand::Rng;
use std::fmt::Write as _;

/// Of a register: addresses of /24s all over the public space are about 1.5 % of a uniform dump.
const V4_LENGTHS: [u8; 8] = [21, 22, 23, 24, 24, 24, 25, 26];
const HEAD_ZMAP: &str = "saddr,sport,classification,success,repeat,timestamp_ts,timestamp_us,pad";
const HEAD_SHADOWSERVER: &str = "\"timestamp\",\"severity\",\"ip\",\"protocol\",\"port\",\"hostname\",\"tag\",\"asn\",\"geo\",\"subject\",\"issuer\"";
/// What web servers answer, with escapes.
const HTML: &str =
    r#"<html>\r\n<head><title>400 \"Bad\" Request</title></head>\r\n<body bgcolor=\"white\">\r\n"#;

/// Writes to a string, which cannot fail.
macro_rules! add {
    ($text:expr, $($what:tt)*) => { write!($text, $($what)*).expect("a string takes all") };
}

/// A shape of dump.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    /// Its format's name.
    pub(crate) format: &'static str,
    /// Its first line, if it has one.
    pub(crate) header: Option<&'static str>,
    /// How many of a hundred addresses are IPv6.
    v6: u32,
    write: fn(&mut String, &mut Rng, Address),
}

pub(crate) const ZMAP: Shape = Shape { format: "zmap", header: Some(HEAD_ZMAP), v6: 0, write: zmap };
pub(crate) const CSV: Shape =
    Shape { format: "csv", header: Some("timestamp;host;ip;port;service"), v6: 5, write: csv };
pub(crate) const SHADOWSERVER: Shape =
    Shape { format: "shadowserver", header: Some(HEAD_SHADOWSERVER), v6: 5, write: shadowserver };
pub(crate) const ZGRAB2: Shape = Shape { format: "zgrab2", header: None, v6: 5, write: zgrab2 };
pub(crate) const SHODAN: Shape = Shape { format: "shodan", header: None, v6: 5, write: shodan };

impl Shape {
    /// Appends a record and its line end; returns its address.
    pub(crate) fn add(&self, text: &mut String, rng: &mut Rng) -> Address {
        let address = match rng.u32(..100) < self.v6 {
            true => Address::v6(0x2a00 << 112 | u128::from(rng.u64(..)) << 48),
            false => Address::v4(rng.u32(1 << 24..224 << 24)),
        };
        self.add_of(text, rng, address);
        address
    }

    /// Appends a record of an address, and its line end.
    pub(crate) fn add_of(&self, text: &mut String, rng: &mut Rng, address: Address) {
        (self.write)(text, rng, address);
        text.push('\n');
    }
}

/// A dump in memory, and what is in it.
pub(crate) struct Dump {
    pub(crate) format: &'static str,
    pub(crate) text: String,
    pub(crate) records: u64,
    /// Records whose address the index holds.
    pub(crate) held: u64,
}

impl Dump {
    /// Records until it has so many bytes.
    pub(crate) fn new(shape: &Shape, index: &Index, rng: &mut Rng, bytes_min: usize) -> Self {
        let text = shape.header.map_or_else(String::new, |header| format!("{header}\n"));
        let mut dump = Self { format: shape.format, text, records: 0, held: 0 };
        while dump.text.len() < bytes_min {
            let address = shape.add(&mut dump.text, rng);
            dump.records += 1;
            dump.held += u64::from(index.holds(address));
        }
        dump
    }
}

/// Prefixes all over the public space, 5 % of them IPv6.
pub(crate) fn prefixes(rng: &mut Rng, count: u32) -> Vec<Prefix> {
    let prefix = |number: u32| {
        let length = V4_LENGTHS[number as usize % V4_LENGTHS.len()];
        let (address, length) = match number % 20 {
            0 => (Address::v6(0x2a00 << 112 | u128::from(rng.u32(..1 << 28)) << 84), 44),
            _ => (Address::v4(rng.u32(1 << 24..224 << 24) >> (32 - length) << (32 - length)), length),
        };
        Prefix::new(address, length).ok()
    };
    (0..count).filter_map(prefix).collect()
}

/// A register of prefixes as CSV; every other one is its user's, the rest a network's.
pub(crate) fn register_text(prefixes: &[Prefix], owners: u32) -> String {
    let mut text = "owner_id,role,network,contact\n".to_owned();
    for (number, prefix) in (0u32..).zip(prefixes) {
        let (owner, role) = (number % owners, ["user", "network"][number as usize % 2]);
        add!(text, "owner-{owner},{role},{prefix},abuse@owner-{owner}.example\n");
    }
    text
}

/// IPv4 addresses that an index holds, each of the prefixes as likely as another.
pub(crate) fn held_address(prefixes: &[Prefix], index: &Index, rng: &mut Rng) -> Address {
    loop {
        let range = rng.choice(prefixes).expect("there are prefixes").range();
        let address =
            Address::from_bits(range.family(), range.first().bits() + (rng.u128(..) & range.size_less_one()));
        if address.family() == Family::V4 && index.holds(address) {
            return address;
        }
    }
}

/// A register of one owner.
pub(crate) fn register(prefixes: &[Prefix]) -> Register {
    let registrations =
        prefixes.iter().map(|prefix| registration(prefix.range(), 0, Role::User, 0)).collect();
    Register {
        registrations,
        owners: vec![owner("owner".to_owned(), 0)],
        sources: vec!["bench.csv".into()],
        ..Register::default()
    }
}

/// An owner of whom no more is known than how it is reached.
pub(crate) fn owner(id: String, number: u32) -> Owner {
    Owner {
        id: OwnerId::new(&id).expect("a valid id"),
        name: None,
        kvk: None,
        ripe_org: None,
        constituency: None,
        ground: None,
        sector: None,
        contacts: vec![format!("abuse@{id}.example")],
        links: vec![],
        organisation: number,
        source: 0,
        line: number,
    }
}

/// A registration without an end.
pub(crate) fn registration(range: Range, owner: u32, role: Role, line: u32) -> Registration {
    Registration {
        owner,
        key: Key::Range(range),
        role,
        verified: None,
        valid_from: None,
        valid_until: None,
        is_role_stated: true,
        scope: Scope::Stated,
        source: 0,
        line,
    }
}

fn zmap(text: &mut String, rng: &mut Rng, address: Address) {
    let start = text.len();
    add!(text, "{address},{},synack,1,0,1795300000,{:06},", rng.u16(1..), rng.u32(..1_000_000));
    text.extend(std::iter::repeat_n('x', (start + 70).saturating_sub(text.len())));
}

fn csv(text: &mut String, rng: &mut Rng, address: Address) {
    add!(text, "2026-11-22 01:02:03;host-{};{address};{};rdp", rng.u32(..), rng.u16(1..));
}

fn shadowserver(text: &mut String, rng: &mut Rng, address: Address) {
    let name = match rng.u32(..1000) {
        0..20 => "PC \"\"local\"\"",
        20..22 => "two\nlines",
        _ => "PC-25329668",
    };
    let start = text.len();
    add!(text, "\"2026-11-22 01:38:01\",\"high\",\"{address}\",\"tcp\",{},", rng.u16(1..));
    add!(text, "\"host-{}.isp.example\",\"rdp;cve-2019-0708\",", rng.u32(..));
    add!(text, "{},\"NL\",\"{name}\",\"CN=Example", rng.u16(1..));
    text.extend(std::iter::repeat_n('x', (start + 303).saturating_sub(text.len())));
    text.push('"');
}

/// The address first.
fn zgrab2(text: &mut String, rng: &mut Rng, address: Address) {
    add!(text, r#"{{"ip":"{address}","data":{{"http":{{"status":"success","protocol":"http","port":443,"#);
    add!(text, r#""result":{{"response":{{"status_line":"400 Bad Request","status_code":400,"#);
    add!(text, r#""headers":{{"connection":["close"],"server":["nginx/{}"]}},"body":"{HTML}"#, rng.u8(..));
    text.extend(std::iter::repeat_n('x', rng.usize(700..1100)));
    add!(text, r#"","request":{{"method":"GET","host":"{address}"}}}}}},"#);
    text.push_str(r#""timestamp":"2026-01-01T00:00:00Z"}}}"#);
}

/// The address last.
fn shodan(text: &mut String, rng: &mut Rng, address: Address) {
    add!(
        text,
        r#"{{"product":"nginx","hash":-{},"ip":1616761883,"org":"Example","isp":"Example","#,
        rng.u32(..)
    );
    text.push_str(
        r#""transport":"tcp","cpe":["cpe:/a:igor_sysoev:nginx"],"data":"HTTP/1.1 400 Bad Request\r\n"#,
    );
    text.push_str(
        r#"Server: nginx\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n","asn":"AS7922","#,
    );
    add!(
        text,
        r#""port":443,"hostnames":["host-{}.example.net"],"location":{{"city":"Denver","#,
        rng.u32(..)
    );
    text.push_str(r#""area_code":null,"longitude":-104.9078,"latitude":39.7301,"country_code":"US"},"#);
    text.push_str(
        r#""timestamp":"2021-01-25T21:33:49.154513","domains":["example.net"],"http":{"redirects":[],"#,
    );
    add!(text, r#""robots":null,"server":"nginx","host":"{address}","html":"{HTML}"#);
    text.extend(std::iter::repeat_n('y', rng.usize(200..500)));
    text.push_str(r#"","location":"/","components":{},"html_hash":1},"os":null,"_shodan":{"options":{},"#);
    add!(text, r#""module":"https","id":"5faf928c-f6a7"}},"opts":{{}},"ip_str":"{address}"}}"#);
}
