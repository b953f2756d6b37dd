//! The index against its oracle, its rivals, and damage.
//!
//! The default share takes seconds. The whole sweep (10,000 random tables, every border ±1) is
//! `DIJKWACHT_SWEEP=1 cargo test --release --test index`, which takes minutes. Seeds are printed; `DIJKWACHT_SEED=n` repeats one table.

use std::net::Ipv4Addr;
use std::path::Path;

use dijkwacht::index::{Claim, Coverage, Difference, Index, OpenError, naive};
use dijkwacht::moment::Day;
use dijkwacht::net::{Address, Asn, Family, Prefix, Range, special_blocks, special_exceptions};
use dijkwacht::register::{Constituency, Key, Owner, OwnerId, Register, Registration, Role};
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
        claim.range,
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
    Registration { owner, key, role, verified: None, valid_from: None, valid_until: None, source, line }
}

fn range(text: &str) -> Range {
    Range::read(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error:?}"))
}

/// A register of rows `owner range role source:line`, owners in order of appearance, none united.
fn register(rows: &[(&str, &str, Role, u16, u32)]) -> Register {
    let mut register =
        Register { owners: vec![], registrations: vec![], sources: vec!["a.csv".into(), "b.csv".into()] };
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
    let mut register = Register { owners: vec![], registrations: vec![], sources: vec![] };
    register.sources = (0..sources).map(|source| format!("source-{source}.csv")).collect();
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
    let tables = if swept() { 10_000 } else { 500 };
    for seed in 0..tables {
        let caught = std::panic::catch_unwind(|| check_random_table(seed));
        assert!(caught.is_ok(), "DIJKWACHT_SEED={seed} repeats it");
    }
}
