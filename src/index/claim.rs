//! A registration as a lookup finds it.

use std::fmt;

use super::{Index, OwnerIx};
use crate::moment::Day;
use crate::net::{Asn, Range};
use crate::register::{Role, Scope};

/// A registration that holds what was looked up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Claim {
    /// Its number in the index's canonical order: addresses, then domains, then AS numbers.
    pub registration: u32,
    /// Whose it is.
    pub owner: OwnerIx,
    /// As what it is registered.
    pub role: Role,
    /// All of it, as registered.
    pub key: ClaimKey,
    /// First day, if any.
    pub valid_from: Option<Day>,
    /// Last day, if any.
    pub valid_until: Option<Day>,
    /// When somebody last made sure of it.
    pub verified: Option<Day>,
    /// How it comes to be in a Dutch register.
    pub scope: Scope,
    /// The source that it is from: lower takes precedence.
    pub source: u16,
    /// The line it stands in.
    pub line: u32,
}

/// What is registered.
///
/// Claims on one finding are compared, so that a domain needs no more than its length: all of them hold one name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ClaimKey {
    /// Addresses; a range is one registration, CIDR or not.
    Range(Range),
    /// A domain and all names below it; [`Index::registered`] tells which.
    Domain {
        /// Its length as text.
        bytes: u8,
    },
    /// An AS number, found because the record names it.
    Asn(Asn),
    /// An AS number, found because it announces these addresses.
    Announced(Asn, Range),
}

impl ClaimKey {
    /// The addresses that it was found by.
    #[inline]
    #[must_use]
    pub const fn range(self) -> Option<Range> {
        match self {
            Self::Range(range) | Self::Announced(_, range) => Some(range),
            Self::Domain { .. } | Self::Asn(_) => None,
        }
    }

    /// How much it holds, among keys of one kind: the addresses less one; of domains, the shorter hold more.
    #[inline]
    #[must_use]
    pub fn extent(self) -> u128 {
        match self {
            Self::Range(range) | Self::Announced(_, range) => range.size_less_one(),
            Self::Domain { bytes } => u128::from(u8::MAX - bytes),
            Self::Asn(_) => 0,
        }
    }

    /// Whether the other holds all that it holds, and more.
    #[inline]
    #[must_use]
    pub fn is_inside(self, other: Self) -> bool {
        match (self, other) {
            (Self::Domain { bytes }, Self::Domain { bytes: other }) => bytes > other,
            _ => self
                .range()
                .zip(other.range())
                .is_some_and(|(own, other)| own != other && other.contains(own)),
        }
    }

    /// What of a finding was looked up: `address`, `name` or `asn`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Range(_) => "address",
            Self::Domain { .. } => "name",
            Self::Asn(_) | Self::Announced(..) => "asn",
        }
    }
}

/// A registration in canonical text: `192.0.2.0/24`, `192.0.2.0 - 192.0.2.99`, `AS64496`, `example.nl`.
#[derive(Clone, Copy, Debug)]
pub enum Registered<'i> {
    /// Addresses.
    Range(Range),
    /// A domain.
    Domain(&'i str),
    /// An AS number.
    Asn(Asn),
}

impl fmt::Display for Registered<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Range(range) => range.fmt(f),
            Self::Domain(domain) => domain.fmt(f),
            Self::Asn(asn) => asn.fmt(f),
        }
    }
}

impl Index {
    /// What a claim of this index is on, in words.
    #[must_use]
    pub fn registered(&self, claim: &Claim) -> Registered<'_> {
        match claim.key {
            ClaimKey::Range(range) => Registered::Range(range),
            ClaimKey::Domain { .. } => Registered::Domain(self.domain_of(claim.registration)),
            ClaimKey::Asn(asn) | ClaimKey::Announced(asn, _) => Registered::Asn(asn),
        }
    }
}
