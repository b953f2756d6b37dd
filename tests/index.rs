//! The index against its oracle, its rivals, and damage.
//!
//! The default share takes seconds. The whole sweep (10,000 random tables, every border ±1) is
//! `DIJKWACHT_SWEEP=1 cargo test --release --test index`, which takes minutes. Seeds are printed; `DIJKWACHT_SEED=n` repeats one table.

use std::path::Path;

use dijkwacht::index::{Claim, Coverage, Difference, Index, OpenError, VERSION, naive};
use dijkwacht::moment::Day;
use dijkwacht::net::{Address, Asn, Family, Prefix, Range, special_blocks, special_exceptions};
use dijkwacht::register::{Constituency, Key, Origins, Owner, OwnerId, Register, Registration, Role, Scope};
use fastrand::Rng;

/// What two claims are compared by: all but the numbers that differ between register and index.
type Told = (String, Role, Range, [Option<Day>; 3], u16, u32);

fn told_by_register(register: &Register, row: &Registration) -> Told {
    let Key::Range(range) = row.key else { panic!("only ranges hold addresses") };
    let id = register.owners[row.owner as usize].id.as_str().to_owned();
    (id, row.role, range, [row.valid_from, row.valid_until, row.verified], row.source, row.line)
}

fn told_by_index(index: &Index, claim: Claim) -> Told {
    let id = index.owner(claim.owner).id.to_owned();
    (
        id,
        claim.role,
        claim.key.range().expect("only ranges hold addresses"),
        [claim.valid_from, claim.valid_until, claim.verified],
        claim.source,
        claim.line,
    )
}

/// Compares all lookups of one address with the oracle.
fn check(register: &Register, index: &Index, address: Address) {
    let expected: Vec<_> =
        naive::covering(register, address).into_iter().map(|row| told_by_register(register, row)).collect();
    let found: Vec<_> = index.covering(address).map(|claim| told_by_index(index, claim)).collect();
    assert_eq!(found, expected, "covering {address}");
    assert_eq!(index.holds(address), !expected.is_empty(), "holds {address}");
    let finder = index.finder();
    assert_eq!(finder.most_specific(address), index.covering(address).next(), "most specific of {address}");
    let batch = match address.family() {
        Family::V4 => finder.holds_v4_batch(&[address.bits() as u32, 0, address.bits() as u32]),
        Family::V6 => finder.holds_v6_batch(&[address.bits(), 0, address.bits()]),
    };
    assert_eq!(batch & 0b101, if expected.is_empty() { 0 } else { 0b101 }, "batch of {address}");
    assert_eq!(batch >> 3, 0, "batch of {address}");
}

/// Compares all lookups of one prefix with the oracle.
fn check_prefix(register: &Register, index: &Index, prefix: Prefix) {
    let expected: Vec<_> = naive::covering_prefix(register, prefix)
        .into_iter()
        .map(|row| told_by_register(register, row))
        .collect();
    let found: Vec<_> = index.covering_prefix(prefix).map(|claim| told_by_index(index, claim)).collect();
    assert_eq!(found, expected, "covering {prefix}");
    let mut expected: Vec<_> = naive::inside(register, prefix)
        .into_iter()
        .map(|row| sortable(told_by_register(register, row)))
        .collect();
    let mut found: Vec<_> = index.inside(prefix).map(|claim| sortable(told_by_index(index, claim))).collect();
    expected.sort();
    found.sort();
    assert_eq!(found, expected, "inside {prefix}");
}

fn sortable(told: Told) -> (String, Role, u128, u128, [Option<Day>; 3], u16, u32) {
    (told.0, told.1, told.2.first().bits(), told.2.last().bits(), told.3, told.4, told.5)
}

fn build(register: &Register) -> Index {
    Index::build(register).expect("the register is small")
}

fn owner(id: &str, source: u16, line: u32, organisation: u32) -> Owner {
    Owner {
        id: OwnerId::new(id).expect("a valid id"),
        name: Some(format!("Name of {id}")),
        kvk: None,
        ripe_org: None,
        constituency: Some(Constituency::Business),
        ground: None,
        sector: Some("energy".into()),
        contacts: vec![format!("abuse@{id}.example"), "both@example.nl".into()],
        links: vec![OwnerId::new("z-cert").expect("a valid id")],
        organisation,
        source,
        line,
    }
}

fn row(owner: u32, range: Range, role: Role, source: u16, line: u32) -> Registration {
    let key = Key::Range(range);
    Registration {
        owner,
        key,
        role,
        verified: None,
        valid_from: None,
        valid_until: None,
        is_role_stated: true,
        scope: Scope::Stated,
        source,
        line,
    }
}

fn range(text: &str) -> Range {
    Range::read(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error:?}"))
}

/// A register of rows `owner range role source:line`, owners in order of appearance, none united.
fn register(rows: &[(&str, &str, Role, u16, u32)]) -> Register {
    let mut register = Register { sources: vec!["a.csv".into(), "b.csv".into()], ..Register::default() };
    for &(id, text, role, source, line) in rows {
        let position =
            register.owners.iter().position(|owner| owner.id.as_str() == id).unwrap_or_else(|| {
                register.owners.push(owner(id, source, line, register.owners.len() as u32));
                register.owners.len() - 1
            });
        register.registrations.push(row(position as u32, range(text), role, source, line));
    }
    register
}

// ------------------------------------------------------------------------------------------------ random tables

/// How a random table's ranges are made.
#[derive(Clone, Copy, Debug)]
struct Shape {
    family: Family,
    /// All ranges lie in this many last bits of some base.
    bits: u32,
    /// Part of the ranges that are no CIDR, of 8.
    ranges: u32,
    /// Whether bases lie around special blocks.
    special: bool,
}

fn random_shape(rng: &mut Rng) -> Shape {
    let family = if rng.bool() { Family::V4 } else { Family::V6 };
    let width = u32::from(family.address_bits());
    let bits =
        *rng.choice(&[4, 8, 12, 16, 20, 24, 32, width.min(48), width.min(72), width]).expect("not empty");
    Shape { family, bits, ranges: *rng.choice(&[0, 1, 4, 8]).expect("not empty"), special: rng.u8(..) < 64 }
}

fn random_bits(rng: &mut Rng, family: Family) -> u128 {
    match family {
        Family::V4 => u128::from(rng.u32(..)),
        Family::V6 => rng.u128(..),
    }
}

fn base(rng: &mut Rng, shape: Shape) -> u128 {
    if shape.special {
        let blocks = [special_blocks(), special_exceptions()].concat();
        let blocks: Vec<_> = blocks.into_iter().filter(|block| block.family() == shape.family).collect();
        let block = rng.choice(&blocks).expect("there are special blocks of both families");
        return if rng.bool() { block.first().bits() } else { block.last().bits() };
    }
    match shape.family {
        Family::V4 => {
            u128::from(*rng.choice(&[0u32, 0x0100_0000, 0x5bc0_0000, 0xffff_0000]).expect("not empty"))
        }
        Family::V6 => {
            *rng.choice(&[0, 0x2a02 << 112, 0x2a02_0a00 << 96, u128::MAX << 32]).expect("not empty")
        }
    }
}

fn random_range(rng: &mut Rng, shape: Shape, base: u128) -> Option<Range> {
    let width = u32::from(shape.family.address_bits());
    let low = if shape.bits == 128 { u128::MAX } else { (1 << shape.bits) - 1 };
    let near = |rng: &mut Rng| base & !low | random_bits(rng, shape.family) & low;
    let highest = shape.family.highest_bits();
    let (first, last) = if rng.u32(..8) < shape.ranges {
        let (a, b) = (near(rng), near(rng));
        (a.min(b), a.max(b))
    } else {
        let free = rng.u32(..=shape.bits.min(width));
        let hosts = if free == 128 { u128::MAX } else { (1 << free) - 1 };
        let first = near(rng) & !hosts;
        (first, first | hosts)
    };
    Range::new(
        Address::from_bits(shape.family, first & highest),
        Address::from_bits(shape.family, last & highest),
    )
    .filter(|range| range.family() == shape.family)
}

fn random_day(rng: &mut Rng) -> Option<Day> {
    (rng.u8(..) < 64).then(|| Day::from_number(rng.i32(19_000..21_000)))
}

fn random_register(rng: &mut Rng) -> Register {
    let owners = rng.u32(1..12);
    let sources = rng.u16(1..4);
    let sources_named = (0..sources).map(|source| format!("source-{source}.csv")).collect();
    let mut register = Register { sources: sources_named, ..Register::default() };
    for position in 0..owners {
        let organisation = if position > 0 && rng.u8(..) < 64 { rng.u32(..position) } else { position };
        let organisation =
            register.owners.get(organisation as usize).map_or(position, |owner| owner.organisation);
        let id = format!("{}{position}", if rng.bool() { "Own-" } else { "own." });
        register.owners.push(owner(&id, rng.u16(..sources), rng.u32(1..99), organisation));
    }
    for shape in [random_shape(rng), random_shape(rng)] {
        let base = base(rng, shape);
        for _ in 0..rng.usize(..40) {
            let repeats = 1 + usize::from(rng.u8(..) < 32) * rng.usize(..3);
            let Some(range) = random_range(rng, shape, base) else { continue };
            for _ in 0..repeats {
                let role = *rng.choice(&Role::ALL).expect("not empty");
                let mut row = row(rng.u32(..owners), range, role, rng.u16(..sources), rng.u32(1..20));
                (row.valid_from, row.valid_until, row.verified) =
                    (random_day(rng), random_day(rng), random_day(rng));
                register.registrations.push(row);
            }
        }
    }
    register
}

/// Every border of a registration or special block near one, and the addresses beside it.
fn borders(register: &Register) -> Vec<Address> {
    let mut borders = vec![];
    let ranges = register.registrations.iter().filter_map(|row| match row.key {
        Key::Range(range) => Some(range),
        _ => None,
    });
    for range in ranges {
        let special = special_blocks().iter().chain(special_exceptions()).map(|block| block.range());
        for touched in special.filter(|block| block.overlaps(range)).chain([range]) {
            let family = touched.family();
            for bits in [touched.first().bits(), touched.last().bits()] {
                for bits in [bits.wrapping_sub(1), bits, bits.wrapping_add(1)] {
                    if bits <= family.highest_bits() {
                        borders.push(Address::from_bits(family, bits));
                    }
                }
            }
        }
    }
    borders.sort_unstable();
    borders.dedup();
    borders
}

fn check_random_table(seed: u64) {
    let mut rng = Rng::with_seed(seed);
    let register = random_register(&mut rng);
    let index = build(&register);
    for address in borders(&register) {
        check(&register, &index, address);
        let length = rng.u8(..=address.family().address_bits());
        let unmasked = address.bits();
        let hosts = address.family().highest_bits().checked_shr(u32::from(length)).unwrap_or(0);
        if let Ok(prefix) = Prefix::new(Address::from_bits(address.family(), unmasked & !hosts), length) {
            check_prefix(&register, &index, prefix);
        }
    }
    for _ in 0..20 {
        check(&register, &index, Address::v4(rng.u32(..)));
        check(&register, &index, Address::v6(rng.u128(..)));
    }
    assert_eq!(index.verify(), Ok(()));
}

fn swept() -> bool {
    std::env::var_os("DIJKWACHT_SWEEP").is_some()
}

#[test]
fn random_tables_answer_as_the_oracle_at_every_border() {
    if let Ok(seed) = std::env::var("DIJKWACHT_SEED") {
        return check_random_table(seed.parse().expect("a number"));
    }
    let tables = if swept() { 10_000 } else { 250 };
    for seed in 0..tables {
        let caught = std::panic::catch_unwind(|| check_random_table(seed));
        assert!(caught.is_ok(), "DIJKWACHT_SEED={seed} repeats it");
    }
}

// ------------------------------------------------------------------------------------------------ whole small spaces

/// A 16-bit space of addresses: which `shift` puts somewhere in a family, above zeros or ones.
#[derive(Clone, Copy)]
struct Toy {
    family: Family,
    base: u128,
    shift: u32,
}

impl Toy {
    fn ends(self, first: u16, last: u16) -> Range {
        let hosts = (1u128 << self.shift) - 1;
        let first = Address::from_bits(self.family, self.base | u128::from(first) << self.shift);
        let last = Address::from_bits(self.family, self.base | u128::from(last) << self.shift | hosts);
        Range::new(first, last).expect("first is not after last")
    }
}

/// Walks all 65,536 addresses, against painting: widest first, so that what is painted over is the next. Registrations begin at places
/// that have no bits but those of `within`.
fn check_toy(toy: Toy, rows: usize, wide: bool, within: u16, rng: &mut Rng) {
    let mut register = register(&[]);
    register.owners.push(owner("one", 0, 1, 0));
    let mut ends = vec![];
    for line in 0..rows {
        let (a, b) = (rng.u16(..) & within, rng.u16(..) & within);
        let (first, last) = match rng.u8(..4) {
            0 if wide => (a.min(b), a.max(b)),
            0 => (a, a.saturating_add(b & 15)),
            1 => (a, a),
            _ => {
                let hosts = if wide { 0xffff } else { 0xff } >> rng.u8(..8);
                (a & !hosts, a | hosts)
            }
        };
        ends.push((first, last));
        register.registrations.push(row(0, toy.ends(first, last), Role::User, 0, line as u32));
    }
    let mut by_size: Vec<_> = (0..rows).collect();
    by_size.sort_by_key(|&line| (ends[line].1 - ends[line].0, line));
    let mut painted = vec![vec![]; 1 << 16];
    for line in by_size {
        for list in &mut painted[usize::from(ends[line].0)..=usize::from(ends[line].1)] {
            list.push(line as u32);
        }
    }
    let index = build(&register);
    let hosts = (1u128 << toy.shift) - 1;
    for (lines, low) in painted.iter().zip(0u128..) {
        for host in [0, hosts] {
            let address = Address::from_bits(toy.family, toy.base | low << toy.shift | host);
            let found: Vec<_> = index.covering(address).map(|claim| claim.line).collect();
            assert_eq!(&found, lines, "{address}");
            assert_eq!(index.holds(address), !lines.is_empty(), "{address}");
        }
    }
    assert_eq!(index.verify(), Ok(()));
}

#[test]
fn a_16_bit_space_is_walked_whole_at_every_level() {
    let v4 = |base: u32| (Family::V4, u128::from(base), 0);
    let v6 = |base: u128, shift: u32| (Family::V6, base << 96, shift);
    let places = [
        v4(0x5bc0_0000),
        v4(0x0101_0000),
        (Family::V4, 0x5b00_0000, 8),
        v6(0x2a02_0a44, 80),
        v6(0x2a02_0a44, 64),
        v6(0x2a02_0a44, 60),
        v6(0x2a02_0a44, 48),
        v6(0x2a02_0a44, 0),
        v6(0x2a02_0000, 96),
        v6(0x2a00_0000, 104),
    ];
    let rounds = if swept() { 40 } else { 1 };
    for seed in 0..rounds {
        let mut rng = Rng::with_seed(seed);
        println!("seed {seed}");
        for (family, base, shift) in places {
            let toy = Toy { family, base, shift };
            check_toy(toy, 12, true, !0, &mut rng);
            check_toy(toy, 60, true, !0, &mut rng);
            // Enough for fans, and for fans behind fans; narrow, since ranges that cross are many lists.
            check_toy(toy, 3000, false, !0, &mut rng);
            check_toy(toy, 600, false, 0x83ff, &mut rng);
        }
        // Enough for the widest fan.
        for (family, base, shift) in [v4(0x5bc0_0000), v6(0x2a02_0a44, 60)] {
            check_toy(Toy { family, base, shift }, 9000, false, !0, &mut rng);
        }
    }
}

#[test]
fn nested_prefixes_are_found_as_prefix_trie_finds_them() {
    let mut rng = Rng::with_seed(7);
    let mut trie4 = prefix_trie::PrefixMap::<(u32, u8), u32>::new();
    let mut trie6 = prefix_trie::PrefixMap::<(u128, u8), u32>::new();
    let mut register = register(&[]);
    register.owners.push(owner("one", 0, 1, 0));
    for line in 1..4000 {
        let (length4, length6) = (rng.u8(8..=32), rng.u8(20..=128));
        let bits4 =
            rng.choice([0x5bc0_0000u32, 0x2d00_0000]).expect("not empty") | rng.u32(..) >> rng.u8(8..24);
        let bits6 = 0x2a02_0a44 << 96 | rng.u128(..) >> rng.u8(20..120);
        let first4 = bits4 & (u32::MAX << (32 - length4));
        let first6 = bits6 & (u128::MAX << (128 - length6));
        let mut add = |first: Address, length: u8| {
            let prefix = Prefix::new(first, length).expect("no host bits are set");
            register.registrations.push(row(0, prefix.range(), Role::User, 0, line));
        };
        if trie4.insert((first4, length4), line).is_none() {
            add(Address::v4(first4), length4);
        }
        if trie6.insert((first6, length6), line).is_none() {
            add(Address::v6(first6), length6);
        }
    }
    // The first registration of a prefix stands in the register; the trie has the last line.
    let lines4: std::collections::HashMap<_, _> =
        trie4.iter().map(|(prefix, &line)| (prefix, line)).collect();
    let lines6: std::collections::HashMap<_, _> =
        trie6.iter().map(|(prefix, &line)| (prefix, line)).collect();
    for row in &mut register.registrations {
        let Key::Range(range) = row.key else { continue };
        let prefix = range.prefix().expect("all are prefixes");
        row.line = match range.family() {
            Family::V4 => lines4[&(range.first().bits() as u32, prefix.length())],
            Family::V6 => lines6[&(range.first().bits(), prefix.length())],
        };
    }
    let index = build(&register);
    for address in borders(&register) {
        if address.special().is_some() {
            continue;
        }
        let mut expected: Vec<u32> = match address.family() {
            Family::V4 => trie4.cover_values(&(address.bits() as u32, 32)).copied().collect(),
            Family::V6 => trie6.cover_values(&(address.bits(), 128)).copied().collect(),
        };
        expected.reverse();
        let found: Vec<_> = index.covering(address).map(|claim| claim.line).collect();
        assert_eq!(found, expected, "{address}");
    }
}

#[test]
#[ignore = "needs python3: cargo test --test index -- --ignored ipaddress"]
fn python_ipaddress_finds_the_same() {
    let mut rng = Rng::with_seed(3);
    let mut register = register(&[]);
    register.owners.push(owner("one", 0, 1, 0));
    for shape in [
        Shape { family: Family::V4, bits: 20, ranges: 3, special: false },
        Shape { family: Family::V6, bits: 72, ranges: 3, special: false },
    ] {
        let base = if shape.family == Family::V4 { 0x5bc0_0000 } else { 0x2a02_0a44 << 96 };
        for _ in 0..300 {
            let Some(range) = random_range(&mut rng, shape, base) else { continue };
            let line = register.registrations.len() as u32;
            register.registrations.push(row(0, range, Role::User, 0, line));
        }
    }
    let index = build(&register);
    let (mut table, mut found) = (String::new(), String::new());
    for row in &register.registrations {
        let Key::Range(range) = row.key else { continue };
        table += &format!("{},{},{}\n", row.line, range.first(), range.last());
    }
    for address in borders(&register) {
        let numbers: Vec<_> = index.covering(address).map(|claim| claim.line.to_string()).collect();
        found += &format!("{address},{}\n", numbers.join(";"));
    }
    let directory = tempfile::tempdir().unwrap();
    let (table_path, found_path) = (directory.path().join("table"), directory.path().join("found"));
    std::fs::write(&table_path, table).unwrap();
    std::fs::write(&found_path, found).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/index_ipaddress.py");
    let status =
        std::process::Command::new("python3").arg(script).args([table_path, found_path]).status().unwrap();
    assert!(status.success());
}

// ------------------------------------------------------------------------------------------------ rules by example

/// The owners that an address leads to, in order.
fn owners(rows: &[(&str, &str, Role, u16, u32)], address: &str) -> Vec<String> {
    let register = register(rows);
    let index = build(&register);
    let address = Address::read(address.as_bytes()).expect("an address");
    index.covering(address).map(|claim| index.owner(claim.owner).id.to_owned()).collect()
}

#[test]
fn the_most_specific_comes_first_and_a_range_counts_whole() {
    use Role::{Network, User};
    let rows = [
        ("isp", "91.192.0.0/16", Network, 0, 1),
        ("range", "91.192.1.0 - 91.192.2.9", User, 1, 1),
        ("prefix", "91.192.0.0/23", User, 0, 2),
    ];
    assert_eq!(owners(&rows, "91.192.1.255"), ["range", "prefix", "isp"]);
    assert_eq!(owners(&rows, "91.192.0.255"), ["prefix", "isp"]);
    assert_eq!(owners(&rows, "91.192.2.9"), ["range", "isp"]);
    assert_eq!(owners(&rows, "91.192.2.10"), ["isp"]);
    assert_eq!(owners(&rows, "91.193.0.0"), [""; 0]);
}

#[test]
fn equal_sizes_come_by_source_then_line() {
    use Role::User;
    let rows = [
        ("late", "91.192.1.0/24", User, 1, 1),
        ("second", "91.192.1.0/24", User, 0, 9),
        ("first", "91.192.1.0/24", User, 0, 8),
        ("crosses", "91.192.0.128 - 91.192.1.127", User, 0, 10),
    ];
    assert_eq!(owners(&rows, "91.192.1.5"), ["first", "second", "crosses", "late"]);
}

#[test]
fn the_whole_internet_may_be_registered_but_not_what_is_special() {
    use Role::Network;
    let rows = [
        ("all4", "0.0.0.0/0", Network, 0, 1),
        ("all6", "::/0", Network, 0, 2),
        ("lab", "10.0.0.0/8", Network, 0, 3),
        ("doc", "2001:db8::/32", Network, 0, 4),
        ("both", "9.0.0.0 - 10.255.255.255", Network, 0, 5),
    ];
    assert_eq!(owners(&rows, "91.192.1.5"), ["all4"]);
    assert_eq!(owners(&rows, "9.1.1.1"), ["both", "all4"]);
    assert_eq!(owners(&rows, "10.1.1.1"), ["lab"]);
    assert_eq!(owners(&rows, "127.0.0.1"), [""; 0]);
    assert_eq!(owners(&rows, "2a02::1"), ["all6"]);
    assert_eq!(owners(&rows, "2001:db8::1"), ["doc"]);
    assert_eq!(owners(&rows, "::1"), [""; 0]);
    assert_eq!(owners(&rows, "ff02::1"), [""; 0]);
}

#[test]
fn domains_and_as_numbers_are_kept_with_their_terms() {
    let mut register = register(&[("one", "91.192.0.0/24", Role::User, 0, 1)]);
    let day = Some(Day::from_number(20_000));
    for (key, line) in [
        (Key::Domain("example.nl".into()), 2),
        (Key::Asn(Asn(64496)), 3),
        (Key::Domain("a.example".into()), 4),
    ] {
        let (role, source) = (Role::Network, 1);
        register.registrations.push(Registration {
            owner: 0,
            key,
            role,
            verified: day,
            valid_from: None,
            valid_until: day,
            is_role_stated: true,
            scope: Scope::Stated,
            source,
            line,
        });
    }
    let index = build(&register);
    let domains: Vec<_> =
        index.domains().map(|claim| (claim.domain, claim.role, claim.source, claim.line)).collect();
    assert_eq!(domains, [("a.example", Role::Network, 1, 4), ("example.nl", Role::Network, 1, 2)]);
    let asn = index.asns().next().expect("one was registered");
    assert_eq!((asn.asn, asn.verified, asn.valid_from, asn.valid_until), (Asn(64496), day, None, day));
    let counts = index.counts();
    assert_eq!(
        (counts.registrations, counts.ipv4, counts.ipv6, counts.domains, counts.asns),
        (4, 1, 0, 2, 1)
    );
    assert_eq!(index.source_name(asn.source), "b.csv");
}

/// A host name of few labels, all of which may be registered.
fn toy_host(random: &mut fastrand::Rng, labels: usize) -> String {
    let label = ["a", "b", "ab", "x-1"];
    let labels: Vec<&str> = (0..labels).map(|_| label[random.usize(..label.len())]).collect();
    labels.join(".")
}

/// Random domains and AS numbers, several owners, sources and lines of each.
fn register_of_names(random: &mut fastrand::Rng, most: usize) -> Register {
    let mut register = register(&[("one", "91.192.0.0/24", Role::User, 0, 1)]);
    register.owners.extend(self::register(&[("two", "91.192.1.0/24", Role::User, 0, 1)]).owners);
    register.owners[1].organisation = 1;
    for line in 2..2 + random.usize(0..=most) as u32 {
        let labels = random.usize(1..=4);
        let key = match random.u8(..5) {
            0 => Key::Asn(Asn(64496 + random.u32(..4))),
            _ => Key::Domain(toy_host(random, labels)),
        };
        register.registrations.push(Registration {
            owner: random.u32(..2),
            key,
            role: Role::ALL[random.usize(..3)],
            verified: None,
            valid_from: None,
            valid_until: None,
            is_role_stated: true,
            scope: Scope::Stated,
            source: random.u16(..2),
            line: if random.bool() { line } else { 2 },
        });
    }
    register
}

#[test]
fn names_and_as_numbers_are_found_as_the_oracle_finds_them() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut found = 0;
    for round in 0..2_000 {
        let most = if round % 100 == 0 { 400 } else { 12 };
        let register = register_of_names(&mut random, most);
        let index = build(&register);
        index.verify().unwrap();
        let finder = index.finder();
        let told = |claim: &Claim| {
            let key = index.registered(claim).to_string();
            (key, index.owner(claim.owner).id.to_owned(), claim.role, claim.source, claim.line)
        };
        let expect = |row: &&Registration| {
            let id = register.owners[row.owner as usize].id.as_str().to_owned();
            (row.key.to_string(), id, row.role, row.source, row.line)
        };
        for _ in 0..60 {
            let labels = random.usize(1..=6);
            let host = toy_host(&mut random, labels);
            let mut expected: Vec<_> = naive::covering_name(&register, &host).iter().map(expect).collect();
            let mut claims: Vec<_> = finder.covering_name(&host).iter().map(told).collect();
            assert!(finder.covering_name(&host).is_sorted_by_key(|claim| (
                claim.key.extent(),
                claim.source,
                claim.line
            )));
            assert_eq!(finder.holds_name(&host), !expected.is_empty(), "seed {seed}, {host}");
            found += claims.len();
            claims.sort();
            expected.sort();
            assert_eq!(claims, expected, "seed {seed}, {host}");
        }
        for asn in (64495..64501).map(Asn) {
            let mut expected: Vec<_> = register
                .registrations
                .iter()
                .filter(|row| row.key == Key::Asn(asn))
                .map(|row| expect(&row))
                .collect();
            let mut claims: Vec<_> = finder.claims_of_asn(asn).iter().map(told).collect();
            assert_eq!(finder.holds_asn(asn), !expected.is_empty());
            claims.sort();
            expected.sort();
            assert_eq!(claims, expected, "seed {seed}, {asn}");
        }
    }
    assert!(found > 10_000, "{found}");
}

#[test]
fn what_an_as_number_announces_is_found_by_address_and_then_no_longer_by_number() {
    let mut register = register(&[("isp", "91.192.0.0/16", Role::Network, 0, 1)]);
    for (asn, role, line) in [(64496, Role::User, 2), (64497, Role::Network, 3)] {
        let key = Key::Asn(Asn(asn));
        register.registrations.push(Registration { key, role, line, ..register.registrations[0].clone() });
    }
    let prefix = |text: &str| Prefix::read(text.as_bytes()).expect("a prefix");
    let announced = [
        ("91.192.1.0/24", 64496),
        ("91.192.1.128/25", 64496),
        ("2a00::/32", 64496),
        ("91.192.2.0/24", 64510),
    ];
    register.origins = announced.map(|(text, asn)| (prefix(text), Asn(asn))).into_iter().collect();
    let index = build(&register);
    index.verify().expect("what was just built");
    let told = |text: &str| {
        let claims = index.covering(Address::read(text.as_bytes()).expect("an address"));
        claims
            .map(|claim| {
                format!("{} {:?}", index.registered(&claim), claim.key.range().map(|range| range.to_string()))
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(
        told("91.192.1.200"),
        [
            "AS64496 Some(\"91.192.1.128/25\")",
            "AS64496 Some(\"91.192.1.0/24\")",
            "91.192.0.0/16 Some(\"91.192.0.0/16\")"
        ]
    );
    assert_eq!(told("2a00::1"), ["AS64496 Some(\"2a00::/32\")"]);
    assert_eq!(told("91.192.2.1").len(), 1); // announced by nobody who is registered
    let finder = index.finder();
    assert!(finder.claims_of_named_asn(Asn(64496)).is_empty() && !finder.holds_asn(Asn(64496)));
    assert!(
        finder.claims_of_named_asn(Asn(64497)).len() == 1
            && finder.holds_asn(Asn(64497))
            && finder.has_asns()
    );
    assert_eq!(finder.claims_of_asn(Asn(64496)).len(), 1);
    let counts = index.counts();
    assert_eq!((counts.registrations, counts.ipv4, counts.ipv6, counts.asns), (3, 1, 0, 2));
    register.origins = Origins::default();
    assert_ne!(build(&register).id(), index.id());
}

#[test]
fn owners_stand_by_id_and_united_ones_in_order_of_appearance() {
    let mut register = register(&[
        ("Zebra", "91.192.0.0/24", Role::User, 0, 5),
        ("apple", "91.192.1.0/24", Role::User, 1, 1),
        ("Mango", "91.192.2.0/24", Role::User, 0, 2),
    ]);
    register.owners[1].organisation = 0;
    register.owners[2].organisation = 0;
    register.owners[1].sector = None;
    let index = build(&register);
    let ids: Vec<_> = index.owners().map(|owner| index.owner(owner).id).collect();
    assert_eq!(ids, ["apple", "Mango", "Zebra"]);
    for owner in index.owners() {
        let organisation = index.owner(owner).organisation;
        assert_eq!(index.owner(organisation).id, "apple");
        let united: Vec<_> = index.united(organisation).map(|owner| index.owner(owner).id).collect();
        assert_eq!(united, ["Mango", "Zebra", "apple"]);
    }
    let apple = index.owner(index.owner_of_id("APPLE").expect("any case"));
    assert_eq!((apple.sector, apple.name, apple.line), (None, Some("Name of apple"), 1));
    assert_eq!(apple.contacts().collect::<Vec<_>>(), ["abuse@apple.example", "both@example.nl"]);
    assert_eq!(apple.links().collect::<Vec<_>>(), ["z-cert"]);
    assert_eq!(index.owner_of_id("nobody"), None);
}

#[test]
fn an_empty_register_is_an_index_that_holds_nothing() {
    let index = build(&Register::default());
    assert!(!index.holds(Address::v4(0x5bc0_0001)) && !index.holds(Address::v6(0x2a02 << 112)));
    assert_eq!(index.verify(), Ok(()));
    assert_eq!(Coverage::of(&index), Coverage::default());
}

#[test]
fn ranges_that_all_cross_are_refused_with_their_place() {
    let mut register = register(&[]);
    register.owners.push(owner("one", 0, 1, 0));
    let start = 0x5bc0_0000;
    let crossing = |line: u32| {
        Range::new(Address::v4(start + line), Address::v4(start + 100_000 + line * 2)).expect("not empty")
    };
    let rows =
        |count| (0..count).map(|line| row(0, crossing(line), Role::User, 0, line + 1)).collect::<Vec<_>>();
    register.registrations = rows(500);
    assert_eq!(build(&register).verify(), Ok(()));
    register.registrations = rows(20_000);
    let error = Index::build(&register).expect_err("half of 20,000 squared is too many").to_string();
    assert!(error.starts_with("a.csv:") && error.contains("cross each other"), "{error}");
}

// ------------------------------------------------------------------------------------------------ coverage and diff

#[test]
fn coverage_is_what_is_held() {
    for seed in 0..100 {
        let register = random_register(&mut Rng::with_seed(seed));
        let index = build(&register);
        let coverage = Coverage::of(&index);
        for address in borders(&register) {
            assert_eq!(coverage.holds(address), index.holds(address), "seed {seed}, {address}");
        }
        assert_eq!(coverage.ipv4().len(), coverage.ipv4_addresses());
        let whole: u128 = coverage.ipv6().map(|range| range.size_less_one() + 1).sum();
        assert_eq!(coverage.ipv6_addresses(), whole);
    }
}

#[test]
fn a_difference_is_told_by_addresses_owners_and_registrations() {
    use Role::User;
    let old = [
        ("stays", "91.192.0.0/24", User, 0, 1),
        ("goes", "91.192.1.0/24", User, 0, 2),
        ("shrinks", "91.192.2.0/23", User, 0, 3),
        ("stays", "2a02::/32", User, 0, 4),
    ];
    let new = [
        ("comes", "91.192.9.0/24", User, 1, 7),
        ("shrinks", "91.192.2.0/24", User, 1, 8),
        ("stays", "91.192.0.0/24", User, 1, 9),
        ("comes", "91.192.0.128/25", User, 1, 10),
        ("stays", "2a02::/31", User, 0, 4),
    ];
    let difference = Difference::between(&build(&register(&old)), &build(&register(&new)));
    let changes: Vec<_> = difference
        .changes
        .iter()
        .map(|change| format!("{:?} {} {}>{}", change.kind, change.range, change.old.len(), change.new.len()))
        .collect();
    assert_eq!(
        changes,
        [
            "Changed 91.192.0.128/25 1>2",
            "Lost 91.192.1.0/24 1>0",
            "Lost 91.192.3.0/24 1>0",
            "Gained 91.192.9.0/24 0>1",
            "Gained 2a02:1::/32 0>1",
        ]
    );
    assert_eq!(
        (difference.owners_added, difference.owners_removed),
        (vec!["comes".to_owned()], vec!["goes".to_owned()])
    );
    assert_eq!((difference.registrations_added, difference.registrations_removed), (4, 3));
    assert_eq!((difference.gained.ipv4_addresses(), difference.lost.ipv4_addresses()), (256, 512));
    assert_eq!(difference.gained.ipv6_addresses(), 1 << 96);
    assert!(difference.ids_differ);
}

#[test]
fn equal_registers_have_no_difference() {
    for seed in 0..50 {
        let register = random_register(&mut Rng::with_seed(seed));
        let difference = Difference::between(&build(&register), &build(&register));
        assert!(difference.is_none() && difference.changes.is_empty());
    }
}

#[test]
fn differences_agree_with_lookups() {
    for seed in 0..100 {
        let mut rng = Rng::with_seed(seed);
        let old = random_register(&mut rng);
        let mut new = random_register(&mut Rng::with_seed(seed));
        for _ in 0..3 {
            if !new.registrations.is_empty() {
                let at = rng.usize(..new.registrations.len());
                new.registrations.swap_remove(at);
            }
        }
        let (before, after) = (build(&old), build(&new));
        let difference = Difference::between(&before, &after);
        for address in borders(&old).into_iter().chain(borders(&new)) {
            let list = |index: &Index| {
                let told = |claim: Claim| {
                    (index.owner(claim.owner).id.to_owned(), claim.role, claim.valid_from, claim.valid_until)
                };
                index.covering(address).map(told).collect::<Vec<_>>()
            };
            let (a, b) = (list(&before), list(&after));
            let gained = a.is_empty() && !b.is_empty();
            let lost = !a.is_empty() && b.is_empty();
            let changed = !a.is_empty() && !b.is_empty() && a != b;
            let told = (
                difference.gained.holds(address),
                difference.lost.holds(address),
                difference.changed.holds(address),
            );
            assert_eq!(told, (gained, lost, changed), "seed {seed}, {address}");
        }
    }
}

// ------------------------------------------------------------------------------------------------ the id

/// The same register with its rows in another order, other lines, and other file names.
fn reordered(register: &Register, rng: &mut Rng) -> Register {
    let mut order: Vec<u32> = (0..register.owners.len() as u32).collect();
    rng.shuffle(&mut order);
    let mut place = vec![0; order.len()];
    for (&old, new) in order.iter().zip(0..) {
        place[old as usize] = new;
    }
    let mut other = Register {
        owners: order.iter().map(|&old| register.owners[old as usize].clone()).collect(),
        registrations: register.registrations.clone(),
        sources: register.sources.iter().map(|name| format!("/etc/{name}")).collect(),
        ..Register::default()
    };
    for owner in &mut other.owners {
        owner.organisation = place[owner.organisation as usize];
        owner.line += 100;
    }
    for row in &mut other.registrations {
        row.owner = place[row.owner as usize];
    }
    rng.shuffle(&mut other.registrations);
    for (row, line) in other.registrations.iter_mut().zip(1..) {
        row.line = line;
    }
    other
}

#[test]
fn the_id_does_not_depend_on_file_names_lines_or_order() {
    for seed in 0..200 {
        let mut rng = Rng::with_seed(seed);
        let mut register = random_register(&mut rng);
        // No organisation of several owners: then no line decides.
        for (owner, position) in register.owners.iter_mut().zip(0..) {
            owner.organisation = position;
        }
        let id = build(&register).id();
        assert_eq!(build(&reordered(&register, &mut rng)).id(), id, "seed {seed}");
    }
}

/// The ids before and after a change.
fn check_id(change: impl Fn(&mut Register), same: bool) {
    let rows = [
        ("first", "91.192.0.0/24", Role::User, 0, 1),
        ("second", "91.192.0.0/24", Role::User, 0, 2),
        ("third", "91.192.9.0/24", Role::User, 1, 2),
        ("first", "91.192.7.0/24", Role::User, 0, 7),
    ];
    let mut register = register(&rows);
    register.owners[1].organisation = 0;
    let before = build(&register).id();
    change(&mut register);
    assert_eq!(build(&register).id() == before, same);
}

#[test]
fn lines_are_in_the_id_only_where_they_decide() {
    check_id(|_| {}, true);
    // Two entries of one organisation for one range: the earlier line is told.
    check_id(|register| register.registrations[0].line = 3, false);
    check_id(|register| register.registrations[1].line = 30, true);
    check_id(|register| register.registrations[3].line = 1, true);
    // Which of them is asked first for a contact.
    check_id(|register| register.owners[0].line = 99, false);
    check_id(|register| register.owners[2].line = 99, true);
}

#[test]
fn rows_of_one_line_stand_in_canonical_order_in_the_id() {
    let mut register = register(&[
        ("first", "91.192.0.0/24", Role::User, 0, 1),
        ("first", "91.192.0.0/24", Role::User, 0, 1),
        ("second", "91.192.0.0/24", Role::User, 0, 1),
    ]);
    register.owners[1].organisation = 0;
    register.registrations[0].valid_from = Some(Day::from_number(20_000));
    let id = build(&register).id();
    register.registrations.reverse();
    assert_eq!(build(&register).id(), id);
}

#[test]
fn all_that_is_told_is_in_the_id() {
    let day = Some(Day::from_number(20_000));
    check_id(|register| register.owners[2].name = None, false);
    check_id(|register| register.owners[2].constituency = None, false);
    check_id(|register| register.owners[2].sector = None, false);
    check_id(|register| register.owners[2].contacts.reverse(), false);
    check_id(|register| register.owners[2].links.clear(), false);
    check_id(|register| register.owners[1].organisation = 1, false);
    check_id(|register| register.registrations[2].role = Role::Network, false);
    check_id(|register| register.registrations[2].owner = 1, false);
    check_id(|register| register.registrations[2].valid_from = day, false);
    check_id(|register| register.registrations[2].valid_until = day, false);
    check_id(|register| register.registrations[2].verified = day, false);
    check_id(|register| register.registrations[2].source = 0, false);
    check_id(|register| register.registrations[2].key = Key::Asn(Asn(64496)), false);
    check_id(|register| register.registrations[2].key = Key::Domain("example.nl".into()), false);
    check_id(|register| drop(register.registrations.pop()), false);
    // An unused source before the others moves nothing.
    let shift = |register: &mut Register| {
        register.sources.insert(0, "empty.csv".into());
        register.registrations.iter_mut().for_each(|row| row.source += 1);
        register.owners.iter_mut().for_each(|owner| owner.source += 1);
    };
    check_id(shift, true);
}

// ------------------------------------------------------------------------------------------------ the file

fn saved(index: &Index, directory: &Path) -> std::path::PathBuf {
    let path = directory.join("owners.dwi");
    index.write(&path).expect("the directory can be written");
    path
}

#[test]
fn an_opened_file_answers_as_what_was_built() {
    let directory = tempfile::tempdir().unwrap();
    for seed in 0..50 {
        let register = random_register(&mut Rng::with_seed(seed));
        let built = build(&register);
        let path = saved(&built, directory.path());
        let opened = Index::open(&path).expect("it was just written");
        assert_eq!((opened.id(), opened.counts()), (built.id(), built.counts()));
        assert_eq!(opened.verify(), Ok(()));
        borders(&register).into_iter().for_each(|address| check(&register, &opened, address));
    }
    let names: Vec<_> =
        std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["owners.dwi"]);
}

#[test]
fn an_index_outlives_its_file() {
    let directory = tempfile::tempdir().unwrap();
    let register = random_register(&mut Rng::with_seed(1));
    let path = saved(&build(&register), directory.path());
    let opened = Index::open(&path).unwrap();
    std::fs::write(&path, b"overwritten").unwrap();
    borders(&register).into_iter().for_each(|address| check(&register, &opened, address));
}

#[test]
fn an_index_that_cannot_be_written_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("a-directory");
    std::fs::create_dir(&target).unwrap();
    let index = build(&register(&[]));
    let error = index.write(&target).expect_err("it is a directory").to_string();
    assert!(error.contains("no regular file") && error.contains("a-directory"), "{error}");
    assert!(index.write(&directory.path().join("missing/owners.dwi")).is_err());
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
}

/// What opening a file of these bytes says.
fn open_bytes(bytes: &[u8]) -> Result<Index, OpenError> {
    let directory = tempfile::tempdir().expect("a scratch directory");
    let path = directory.path().join("owners.dwi");
    std::fs::write(&path, bytes).expect("the scratch directory can be written");
    Index::open(&path)
}

fn bytes_of(register: &Register) -> Vec<u8> {
    let directory = tempfile::tempdir().expect("a scratch directory");
    std::fs::read(saved(&build(register), directory.path())).expect("it was just written")
}

#[test]
fn what_is_no_index_is_told_apart() {
    let bytes = bytes_of(&register(&[]));
    assert!(matches!(open_bytes(b""), Err(OpenError::NotAnIndex { .. })));
    assert!(matches!(open_bytes(b"owner_id,network\n"), Err(OpenError::NotAnIndex { .. })));
    let mut newer = bytes.clone();
    newer[8] += 1;
    assert!(open_bytes(&newer).unwrap_err().to_string().starts_with("index too new: "));
    // A newer format may be shorter than our header.
    let next = VERSION + 1;
    assert!(matches!(open_bytes(&newer[..12]), Err(OpenError::TooNew { version, .. }) if version == next));
    let mut older = bytes.clone();
    older[8] = 0;
    assert!(matches!(open_bytes(&older), Err(OpenError::TooOld { version: 0, .. })));
    let mut longer = bytes;
    longer.push(0);
    assert!(matches!(open_bytes(&longer), Err(OpenError::Damaged { .. })));
}

#[test]
fn what_is_no_file_is_told_apart() {
    let directory = tempfile::tempdir().unwrap();
    assert!(matches!(Index::open(directory.path()), Err(OpenError::NotAFile { .. })));
    assert!(matches!(Index::open(Path::new("/dev/null")), Err(OpenError::NotAFile { .. })));
    assert!(matches!(Index::open(&directory.path().join("missing")), Err(OpenError::Io { .. })));
    let fifo = directory.path().join("fifo");
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    assert!(matches!(Index::open(&fifo), Err(OpenError::NotAFile { .. })));
}

/// A register of every kind of section.
fn varied_register() -> Register {
    let mut rng = Rng::with_seed(11);
    let mut register = random_register(&mut rng);
    for seed in 12..20 {
        let other = random_register(&mut Rng::with_seed(seed));
        let owners = register.owners.len() as u32;
        register.registrations.extend(other.registrations.into_iter().map(|mut row| {
            (row.owner, row.source) = (row.owner % owners, 0);
            row
        }));
    }
    for text in [
        "91.192.1.0/24",
        "91.192.0.0 - 91.192.1.9",
        "2a02::/32",
        "2a02:0:0:1::5 - 2a02:0:0:1::9",
        "2a02::/48",
        "2a02::/64",
    ] {
        register.registrations.push(row(0, range(text), Role::User, 0, 1));
    }
    for key in [Key::Domain("example.nl".into()), Key::Asn(Asn(64496))] {
        let (role, source, line) = (Role::User, 0, 1);
        register.registrations.push(Registration {
            owner: 0,
            key,
            role,
            verified: None,
            valid_from: None,
            valid_until: None,
            is_role_stated: true,
            scope: Scope::Stated,
            source,
            line,
        });
    }
    register
}

#[test]
fn every_cut_and_flipped_byte_is_noticed() {
    let bytes = bytes_of(&varied_register());
    let (step, header_step) = if swept() { (1, 1) } else { (12_007, 5) };
    for length in (0..bytes.len()).step_by(step).chain((0..600).step_by(header_step)) {
        assert!(open_bytes(&bytes[..length]).is_err(), "cut to {length}");
    }
    for at in (0..bytes.len()).step_by(step).chain((0..600).step_by(header_step)) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        assert!(open_bytes(&flipped).is_err(), "byte {at} flipped");
    }
}

/// Damage that the checksum does not tell, as a faulty program or a forger would make it: refused, or harmless.
fn check_forged(bytes: &[u8], at: usize, value: u8, addresses: &[Address]) -> bool {
    let mut forged = bytes.to_vec();
    forged[at] = value;
    let mut hasher = blake3::Hasher::new();
    hasher.update(&forged[..24]).update(&forged[56..]);
    forged[24..56].copy_from_slice(hasher.finalize().as_bytes());
    let Ok(index) = open_bytes(&forged) else { return true };
    let mut told = 0;
    for &address in addresses {
        told += index.covering(address).count() + usize::from(index.holds(address));
        let length = address.family().address_bits() / 2;
        let hosts = address.family().highest_bits() >> length;
        if let Ok(prefix) = Prefix::new(Address::from_bits(address.family(), address.bits() & !hosts), length)
        {
            told += index.inside(prefix).count() + index.covering_prefix(prefix).count();
        }
    }
    for owner in index.owners() {
        let view = index.owner(owner);
        told += view.contacts().count() + view.links().count() + index.united(view.organisation).count();
    }
    told += index.domains().count() + index.asns().count() + index.claims().count();
    told += Coverage::of(&index).ipv6().count() + index.source_names().count();
    assert!(told < 10_000_000);
    if at.is_multiple_of(64) {
        // Costs a build. Either answer is right: the forgery may be of what nothing depends on.
        let _ = index.verify();
    }
    false
}

#[test]
fn forged_files_never_crash_a_lookup() {
    let register = varied_register();
    let bytes = bytes_of(&register);
    let mut rng = Rng::with_seed(5);
    let addresses = rng.choose_multiple(borders(&register), 200);
    // Most bytes are zeros of directories and bitmaps; half of the forgeries are of the others.
    let live: Vec<_> = (0..bytes.len()).filter(|&at| bytes[at] != 0).collect();
    let rounds = if swept() { 100_000 } else { 500 };
    let mut refused = 0;
    for _ in 0..rounds {
        let at = if rng.bool() { *rng.choice(&live).expect("not empty") } else { rng.usize(..bytes.len()) };
        let value = *rng
            .choice(&[0, 1, 0x7f, 0x80, 0xff, bytes[at] ^ 1, bytes[at].wrapping_add(1)])
            .expect("not empty");
        refused += usize::from(check_forged(&bytes, at, value, &addresses));
    }
    println!("{refused} of {rounds} forgeries refused");
    assert!(refused > rounds / 10, "validation refuses next to nothing");
}
