//! What an index covers, as sets of addresses.
//!
//! IPv4 is a roaring bitmap of addresses: its runs keep a /8 as small as a /24. Roaring counts to 2^32, so IPv6 is
//! a list of ranges; only the /32s that hold anything are a bitmap again, for the miss filter.

use roaring::RoaringBitmap;

use super::Index;
use super::flatten::Bits;
use crate::net::{Address, Family, Range};
use crate::register::Scope;

/// The addresses that are held by any registration.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Coverage {
    v4: RoaringBitmap,
    v6: Vec<(u128, u128)>,
}

impl Coverage {
    /// What the index holds. Costs one pass over its intervals.
    #[must_use]
    pub fn of(index: &Index) -> Self {
        let mut v4 = RoaringBitmap::new();
        for (first, last) in covered(&index.intervals4()) {
            v4.insert_range(first..=last);
        }
        Self { v4, v6: covered(&index.intervals6()) }
    }

    /// What the registrations of one scope hold.
    #[must_use]
    pub fn of_scope(index: &Index, scope: Scope) -> Self {
        let of_scope = index.claims().filter(|claim| claim.scope == scope);
        let mut parts: Vec<Range> =
            of_scope.filter_map(|claim| claim.key.range()).flat_map(Range::held_parts).collect();
        parts.sort_unstable();
        let mut coverage = Self::default();
        for part in parts {
            coverage.add(part);
        }
        coverage
    }

    /// Adds a range that starts no earlier than the others of its family.
    fn add(&mut self, range: Range) {
        let (first, last) = (range.first().bits(), range.last().bits());
        match self.v6.last_mut().filter(|_| range.family() == Family::V6) {
            Some(before) if first <= before.1 => before.1 = before.1.max(last),
            _ => self.push(range.family(), first, last),
        }
    }

    /// Adds a range that comes after all others of its family.
    pub(super) fn push(&mut self, family: Family, first: u128, last: u128) {
        match (family, self.v6.last_mut()) {
            (Family::V4, _) => {
                self.v4.insert_range(first as u32..=last as u32);
            }
            (Family::V6, Some(before)) if before.1.after() == Some(first) => before.1 = last,
            (Family::V6, _) => self.v6.push((first, last)),
        }
    }

    /// The IPv4 addresses.
    #[must_use]
    pub fn ipv4(&self) -> &RoaringBitmap {
        &self.v4
    }

    /// How many IPv4 addresses.
    #[must_use]
    pub fn ipv4_addresses(&self) -> u64 {
        self.v4.len()
    }

    /// How many IPv6 addresses; one less than all there are at most, since 2^128 does not fit.
    #[must_use]
    pub fn ipv6_addresses(&self) -> u128 {
        self.v6
            .iter()
            .fold(0, |sum: u128, &(first, last)| sum.saturating_add((last - first).saturating_add(1)))
    }

    /// The IPv6 addresses as ranges, ascending, none touching another.
    pub fn ipv6(&self) -> impl Iterator<Item = Range> + '_ {
        self.v6.iter().filter_map(|&(first, last)| range_of(Family::V6, first, last))
    }

    /// Whether it holds the address.
    #[must_use]
    pub fn holds(&self, address: Address) -> bool {
        let bits = address.bits();
        match address.family() {
            Family::V4 => self.v4.contains(bits as u32),
            Family::V6 => {
                let at = self.v6.partition_point(|&(first, _)| first <= bits);
                at > 0 && bits <= self.v6[at - 1].1
            }
        }
    }
}

/// The range of these bits, if they are one.
pub(super) fn range_of(family: Family, first: u128, last: u128) -> Option<Range> {
    Range::new(Address::from_bits(family, first), Address::from_bits(family, last))
}

/// What intervals cover, as ranges that do not touch. The intervals are as [`flatten`](super::flatten::flatten) gives them.
pub(super) fn covered<K: Bits>(intervals: &[(K, u32)]) -> Vec<(K, K)> {
    let mut ranges: Vec<(K, K)> = Vec::new();
    let mut open = None;
    for &(first, head) in intervals {
        match (open, head) {
            (None, 1..) => open = Some(first),
            (Some(from), 0) => {
                ranges.push((from, first.before()));
                open = None;
            }
            _ => {}
        }
    }
    ranges.extend(open.map(|from| (from, K::LAST)));
    ranges
}

/// The numbers of the IPv4 /20s that hold anything.
pub(super) fn blocks4(intervals: &[(u32, u32)]) -> RoaringBitmap {
    let mut blocks = RoaringBitmap::new();
    for (first, last) in covered(intervals) {
        blocks.insert_range(first >> 12..=last >> 12);
    }
    blocks
}

/// The numbers of the IPv6 /32s that hold anything.
pub(super) fn blocks6(intervals: &[(u128, u32)]) -> RoaringBitmap {
    let mut blocks = RoaringBitmap::new();
    for (first, last) in covered(intervals) {
        blocks.insert_range((first >> 96) as u32..=(last >> 96) as u32);
    }
    blocks
}
