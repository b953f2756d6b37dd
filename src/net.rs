//! Addresses, prefixes, ranges and AS numbers, read strictly.
//!
//! IPv4-mapped IPv6 is unmapped here, once: an [`Address`] never holds one. Text that is ambiguous as an address
//! (`010.1.2.3`, `1.2.3`, `fe80::1%eth0`) is refused, never guessed. The arithmetic is ipnetwork's; its parser is not
//! used, since it takes `/024`, masks and host bits.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An IP address; never an IPv4-mapped IPv6 one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Address(IpAddr);

/// Address family.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Family {
    /// IPv4
    V4,
    /// IPv6
    V6,
}

impl Address {
    /// From bits of an IPv4 address, host order.
    #[inline]
    pub const fn v4(bits: u32) -> Self {
        Self(IpAddr::V4(Ipv4Addr::from_bits(bits)))
    }
    /// From bits of an IPv6 address, host order; unmaps `::ffff:0:0/96`.
    #[inline]
    pub fn v6(bits: u128) -> Self {
        Self(IpAddr::V6(Ipv6Addr::from_bits(bits)).to_canonical())
    }
    /// Reads strict text; `None` where the text is no address or an ambiguous one.
    pub fn read(text: &[u8]) -> Option<Self> {
        todo!()
    }
    /// The address family.
    pub fn family(self) -> Family {
        todo!()
    }
    /// The bits; IPv4 in the low 32.
    pub fn bits(self) -> u128 {
        todo!()
    }
    /// From family and bits.
    pub fn from_bits(family: Family, bits: u128) -> Self {
        todo!()
    }
    /// As the standard library's type.
    pub fn ip(self) -> IpAddr {
        self.0
    }
    /// The outermost special-purpose block that holds it, if any (table with source and date).
    pub fn special(self) -> Option<Prefix> {
        todo!()
    }
}

/// A CIDR prefix in canonical form: no host bits, never inside `::ffff:0:0/96`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Prefix {/* ipnetwork::IpNetwork inside */}

impl Prefix {
    /// Reads `192.0.2.0/24`, or an address as /32 or /128. Strict: no `/024`, no mask, no host bits.
    pub fn read(text: &[u8]) -> Result<Self, PrefixError> {
        todo!()
    }
    /// First address and length.
    pub fn new(first: Address, length: u8) -> Result<Self, PrefixError> {
        todo!()
    }
    /// The first address.
    pub fn first(self) -> Address {
        todo!()
    }
    /// The last address.
    pub fn last(self) -> Address {
        todo!()
    }
    /// Prefix length: 0..=32 or 0..=128.
    pub fn length(self) -> u8 {
        todo!()
    }
    /// As a range.
    pub fn range(self) -> Range {
        todo!()
    }
}

/// Why text is no prefix; each says the remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PrefixError {/* NotAPrefix, HostBits{network, address}, … */}

/// A range of addresses of one family, both ends included; need not be a CIDR.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Range {/* first, last */}

impl Range {
    /// Both ends included; `None` if the families differ or `last < first`.
    pub fn new(first: Address, last: Address) -> Option<Self> {
        todo!()
    }
    /// Reads a CIDR, a single address, or `first - last`.
    pub fn read(text: &[u8]) -> Result<Self, PrefixError> {
        todo!()
    }
    /// The first address.
    pub fn first(self) -> Address {
        todo!()
    }
    /// The last address.
    pub fn last(self) -> Address {
        todo!()
    }
    /// The family.
    pub fn family(self) -> Family {
        todo!()
    }
    /// Number of addresses less one (so that `::/0` fits): the specificity, fewest first.
    pub fn size_less_one(self) -> u128 {
        todo!()
    }
    /// Whether it holds all of `other`.
    pub fn contains(self, other: Range) -> bool {
        todo!()
    }
    /// Whether it holds the address.
    pub fn holds(self, address: Address) -> bool {
        todo!()
    }
    /// Whether they share an address.
    pub fn overlaps(self, other: Range) -> bool {
        todo!()
    }
    /// The prefix that it is, if it is one.
    pub fn prefix(self) -> Option<Prefix> {
        todo!()
    }
    /// The CIDR pieces, ascending (at most 62 or 254).
    pub fn pieces(self) -> impl Iterator<Item = Prefix> {
        std::iter::empty()
    }
    /// The CIDR piece that holds the address.
    pub fn piece_of(self, address: Address) -> Option<Prefix> {
        todo!()
    }
}
// Display of Range: canonical text `192.0.2.0/24` (a /32 too: `192.0.2.1/32`) or `192.0.2.0 - 192.0.2.99`.

/// An AS number; displays as `AS64496`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Asn(pub u32);

impl Asn {
    /// Reads `AS64496`, `as64496` or `64496`; asdot is refused.
    pub fn read(text: &[u8]) -> Option<Self> {
        todo!()
    }
}

/// IANA's special-purpose blocks that are not globally reachable, plus multicast, 240/4, NAT64, 6to4, Teredo, ::/96:
/// outermost ones only, ascending, IPv4 first.
pub fn special_blocks() -> &'static [Prefix] {
    todo!()
}
