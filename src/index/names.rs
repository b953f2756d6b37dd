//! Registered names and AS numbers: which of them hold a host name, or are an AS number.
//!
//! A name is held by each registered domain that it ends in, label by label. Simply: each such ending is looked for among the domains,
//! which stand in order. Departures from that:
//! 1. `Names` is a table of the different domains by hash (open addressing, at most half full): nearly every ending that is not
//!    registered meets an empty place, or one whose 32 bits of hash are others.
//! 2. The hash is taken from the last label to the first, so that one pass gives those of all endings.
//!
//! Who writes a dump chooses names, and not the domains: the table is no longer to search for hostile names than for others.

use zerocopy::little_endian::{U32, U64};

use super::layout::{KeyRow, Section, TermsRow};
use super::lookup::Terms;
use super::{Claim, ClaimKey, Index, OwnerIx};
use crate::net::Asn;

/// Multiplier of the hash: odd, with bits all over (the golden ratio's).
const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

/// The hash of the labels that have been read, the last one first.
#[derive(Clone, Copy, Default)]
struct Hash(u64);

impl Hash {
    /// Adds a label: its bytes eight at a time, then its length.
    #[inline]
    fn add(self, label: &[u8]) -> Self {
        let (words, rest) = label.as_chunks::<8>();
        let hash = words.iter().fold(self.0, |hash, word| mix(hash, u64::from_le_bytes(*word)));
        let rest = rest.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte));
        Self(mix(hash, rest ^ (label.len() as u64) << 56))
    }

    /// With all bits mixed.
    #[inline]
    fn finish(self) -> u64 {
        let mixed = (self.0 ^ self.0 >> 32).wrapping_mul(MULTIPLIER);
        mixed ^ mixed >> 29
    }

    fn of(domain: &str) -> u64 {
        domain.rsplit('.').fold(Self::default(), |hash, label| hash.add(label.as_bytes())).finish()
    }
}

#[inline]
fn mix(hash: u64, word: u64) -> u64 {
    (hash ^ word).wrapping_mul(MULTIPLIER).rotate_left(29)
}

/// Puts the different domains into a table; `domains` are in order, with the number of the first registration of each.
pub(super) fn table<'d>(domains: impl ExactSizeIterator<Item = (&'d str, u32)>) -> Vec<U64> {
    if domains.len() == 0 {
        return Vec::new();
    }
    let mut places = vec![U64::ZERO; (domains.len() * 2).next_power_of_two()];
    let mask = places.len() - 1;
    for (domain, first) in domains {
        let hash = Hash::of(domain);
        let mut at = hash as usize & mask;
        while places[at] != U64::ZERO {
            at = (at + 1) & mask;
        }
        places[at] = place(hash, first).into();
    }
    places
}

/// A place of the table: the high half of the hash, and the number of the domain's first registration, from 1.
#[inline]
fn place(hash: u64, first: u32) -> u64 {
    hash & !u64::from(u32::MAX) | u64::from(first + 1)
}

/// The sections that names and AS numbers are found by.
#[derive(Clone, Copy)]
pub(super) struct Names<'i> {
    index: &'i Index,
    table: &'i [U64],
    domains: &'i [KeyRow],
    asns: &'i [KeyRow],
    /// The number of the first registration of a domain among all.
    base: u32,
}

impl<'i> Names<'i> {
    pub(super) fn new(index: &'i Index) -> Self {
        Self {
            index,
            table: index.section(Section::Names),
            domains: index.section(Section::Domains),
            asns: index.section(Section::Asns),
            base: index.section::<U32>(Section::Nexts).len() as u32,
        }
    }

    #[inline]
    pub(super) fn has_domains(&self) -> bool {
        !self.table.is_empty()
    }

    pub(super) fn has_asns(&self) -> bool {
        self.asns.iter().any(|row| !self.is_expanded(row))
    }

    /// Whether a table tells what the AS number of a row announces.
    fn is_expanded(&self, row: &KeyRow) -> bool {
        let terms = self.index.section::<TermsRow>(Section::Terms).get(row.terms.get() as usize);
        terms.is_some_and(|terms| terms.asn.get() != 0)
    }

    /// Whether a registered domain holds the name, which is in canonical form.
    #[inline]
    pub(super) fn holds(&self, host: &[u8]) -> bool {
        self.has_domains() && self.endings(host).next().is_some()
    }

    /// The first registration of each registered domain that the name ends in, shortest first.
    #[inline]
    fn endings<'n>(&self, host: &'n [u8]) -> impl Iterator<Item = (u32, u8)> + use<'i, 'n> {
        let names = *self;
        let mut hash = Hash::default();
        // Where the labels begin that were read.
        let mut start = host.len() + 1;
        std::iter::from_fn(move || {
            while start > 0 {
                let end = start - 1;
                start = end;
                while start > 0 && host[start - 1] != b'.' {
                    start -= 1;
                }
                hash = hash.add(&host[start..end]);
                if let Some(first) = names.find(hash.finish(), &host[start..]) {
                    return Some((first, (host.len() - start) as u8));
                }
            }
            None
        })
    }

    /// The first registration of a domain.
    #[inline]
    fn find(&self, hash: u64, domain: &[u8]) -> Option<u32> {
        let mask = self.table.len().checked_sub(1)?;
        let mut at = hash as usize & mask;
        loop {
            let found = self.table.get(at)?.get();
            let first = (found as u32).checked_sub(1)?;
            if found == place(hash, first) && self.domain(first).as_bytes() == domain {
                return Some(first);
            }
            at = (at + 1) & mask;
        }
    }

    fn domain(&self, row: u32) -> &'i str {
        self.domains.get(row as usize).map_or("", |row| self.index.text(row.key.get()))
    }

    /// The registrations of all domains that hold the name: the longest first; equal ones by source, then line.
    pub(super) fn covering(&self, host: &str) -> Vec<Claim> {
        if !self.has_domains() {
            return Vec::new();
        }
        let mut claims = Vec::new();
        for (first, bytes) in self.endings(host.as_bytes()) {
            let of = self.domains[first as usize].key;
            let rows = self.domains[first as usize..].iter().zip(first..);
            let rows = rows.take_while(|(row, _)| row.key == of);
            claims.extend(
                rows.filter_map(|(row, at)| self.claim(row, self.base + at, ClaimKey::Domain { bytes })),
            );
        }
        sort(&mut claims);
        claims
    }

    /// The registrations of an AS number, by source, then line.
    pub(super) fn of_asn(&self, asn: Asn) -> Vec<Claim> {
        let start = self.asns.partition_point(|row| row.key.get() < asn.0);
        let rows =
            self.asns[start..].iter().zip(start as u32..).take_while(|(row, _)| row.key.get() == asn.0);
        let base = self.base + self.domains.len() as u32;
        let mut claims: Vec<Claim> =
            rows.filter_map(|(row, at)| self.claim(row, base + at, ClaimKey::Asn(asn))).collect();
        sort(&mut claims);
        claims
    }

    /// Whether an AS number is registered that records must name.
    #[inline]
    pub(super) fn holds_asn(&self, asn: Asn) -> bool {
        let found = self.asns.binary_search_by_key(&asn.0, |row| row.key.get());
        found.is_ok_and(|at| !self.is_expanded(&self.asns[at]))
    }

    fn claim(&self, row: &KeyRow, registration: u32, key: ClaimKey) -> Option<Claim> {
        let terms = self.index.section::<TermsRow>(Section::Terms).get(row.terms.get() as usize)?;
        let Terms { role, source, valid_from, valid_until, verified, scope, .. } = Terms::read(terms);
        let (owner, line) = (OwnerIx(row.owner.get()), row.line.get());
        Some(Claim { registration, owner, role, key, valid_from, valid_until, verified, scope, source, line })
    }
}

fn sort(claims: &mut [Claim]) {
    claims.sort_by_key(|claim| (claim.key.extent(), claim.source, claim.line));
}

impl Index {
    /// The domain of a registration by its number.
    pub(super) fn domain_of(&self, registration: u32) -> &str {
        let names = Names::new(self);
        registration.checked_sub(names.base).map_or("", |row| names.domain(row))
    }
}
