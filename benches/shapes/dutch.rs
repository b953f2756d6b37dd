//! A register shaped like the Dutch one: allocations with the lengths of the Dutch list of 2026-02-01, 1.3 % of the public IPv4 space, and
//! customers inside them. However many of these there are, they hold the same space; below 5,617 registrations the smallest allocations are
//! missing.

use super::{owner, registration};
use dijkwacht::net::{Address, Prefix, Range};
use dijkwacht::register::{Register, Role};
use fastrand::Rng;
use std::collections::HashSet;

const OWNERS: u32 = 10_000;

/// (length, how many) of the Dutch IPv4 prefixes.
const ALLOCATIONS4: [(u8, usize); 14] = [
    (11, 1),
    (12, 4),
    (13, 13),
    (14, 33),
    (15, 41),
    (16, 166),
    (17, 47),
    (18, 95),
    (19, 203),
    (20, 272),
    (21, 629),
    (22, 1885),
    (23, 667),
    (24, 1561),
];
/// (length, how many) of the Dutch IPv6 prefixes.
const ALLOCATIONS6: [(u8, usize); 4] = [(29, 1226), (30, 10), (32, 400), (48, 255)];
/// (length, share of 100) of customers; guessed, the lists tell only of allocations.
const CUSTOMERS4: [(u8, u32); 9] =
    [(22, 3), (23, 3), (24, 14), (26, 5), (27, 10), (28, 15), (29, 30), (30, 5), (32, 15)];
const CUSTOMERS6: [(u8, u32); 6] = [(36, 5), (40, 10), (44, 5), (48, 50), (56, 25), (64, 5)];

fn pick(rng: &mut Rng, shares: &[(u8, u32)]) -> u8 {
    let total: u32 = shares.iter().map(|share| share.1).sum();
    let mut rest = rng.u32(..total);
    for &(length, share) in shares {
        if rest < share {
            return length;
        }
        rest -= share;
    }
    shares[0].0
}

fn allocations4(rng: &mut Rng) -> Vec<Prefix> {
    let mut found: Vec<Prefix> = vec![];
    for (length, count) in ALLOCATIONS4 {
        let wanted = found.len() + count;
        while found.len() < wanted {
            let bits = rng.u32(..) & (u32::MAX << (32 - length));
            let Ok(prefix) = Prefix::new(Address::v4(bits), length) else { continue };
            let special =
                prefix.range().held_parts() != [prefix.range()] || prefix.first().special().is_some();
            if !special && !found.iter().any(|other| other.range().overlaps(prefix.range())) {
                found.push(prefix);
            }
        }
    }
    found
}

fn allocations6(rng: &mut Rng) -> Vec<Prefix> {
    let mut found = vec![];
    for (length, count) in ALLOCATIONS6 {
        for _ in 0..count {
            // RIPE hands out of 2a00::/11, mostly of the first half of 2a00::/13.
            let bits = 0x2a00u128 << 112 | (rng.u128(..) >> 13);
            found.extend(Prefix::new(Address::v6(bits & (u128::MAX << (128 - length))), length));
        }
    }
    found
}

/// A register of so many registrations: the allocations, and customers inside, more in larger ones.
pub(crate) fn register(registrations: usize, v6: bool) -> Register {
    let mut rng = Rng::with_seed(20_260_201);
    let allocations = if v6 { allocations6(&mut rng) } else { allocations4(&mut rng) };
    let owners = (0..OWNERS).map(|number| owner(format!("owner-{number}"), number));
    let mut rows: Vec<(Range, Role)> =
        allocations.iter().map(|prefix| (prefix.range(), Role::Network)).collect();
    rows.truncate(registrations);
    let mut ends: Vec<u128> = vec![];
    for prefix in &allocations {
        let size = if v6 { 1 << (64 - prefix.length()) } else { prefix.range().size_less_one() + 1 };
        ends.push(ends.last().copied().unwrap_or(0) + size);
    }
    let total = ends.last().copied().unwrap_or(0);
    let mut known: HashSet<(u128, u128)> = HashSet::new();
    while rows.len() < registrations {
        let at = rng.u128(..total);
        let allocation = allocations[ends.partition_point(|&end| end <= at)];
        let length = pick(&mut rng, if v6 { &CUSTOMERS6 } else { &CUSTOMERS4 });
        if length <= allocation.length() {
            continue;
        }
        let family = allocation.family();
        let hosts = family.highest_bits() >> length;
        let inside = allocation.range().size_less_one();
        let first = allocation.first().bits() | rng.u128(..) & inside & !hosts;
        let mut last = first | hosts;
        if !v6 && rng.u32(..100) < 5 {
            last = (first + rng.u128(1..400)).min(allocation.last().bits());
        }
        if known.insert((first, last)) {
            let ends = (Address::from_bits(family, first), Address::from_bits(family, last));
            rows.push((Range::new(ends.0, ends.1).expect("first is not after last"), Role::User));
        }
    }
    let registrations = (rows.into_iter().zip(0..))
        .map(|((range, role), line)| registration(range, rng.u32(..OWNERS), role, line));
    Register {
        registrations: registrations.collect(),
        owners: owners.collect(),
        sources: vec!["bench.csv".into()],
        ..Register::default()
    }
}
