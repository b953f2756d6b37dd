//! The index file: what lies where.
//!
//! ```text
//! 0    magic 8 · version u32 · sections u32 · file bytes u64 · checksum 32 · id 32
//! 88   one (offset u64, bytes u64) for each section, in the order of `Section`
//! …    the sections, each at a multiple of 64, zeros between them
//! ```
//!
//! Everything is little-endian and of fixed width; a reference is the position of an element in its section, never a
//! byte offset. The checksum is BLAKE3 over all bytes but its own 32. Texts stand in one section, cut by `TextEnds`; text 0 is
//! the empty one and means *none*.
//!
//! **Registrations** stand in canonical order, IPv4 first. One takes 24 bytes in either family, its next included: an IPv6 registration keeps only the high half of a
//! prefix of /64 or shorter and its length, the rare others (longer prefixes, ranges that are no CIDR) refer to `Wide`.
//! What repeats (role, source, scope, dates) is kept once, in `Terms`. What a registered AS number announces stands among the registrations of
//! addresses; the AS number is in its terms.
//!
//! **Names** is a table of the different domains by hash, a power of two of places of which at least half are 0: the high half of the
//! hash, and the position in `Domains`, from 1, of the first registration of the domain.
//!
//! **Lists.** An address leads to a *node*; a node is a registration and the next node, 0 ends. Node n ≤ registrations is
//! registration n − 1 with the node in `Nexts`, which is all that nested registrations need; other combinations, which
//! only crossing ranges cause, are in `Nodes`. Equal tails are stored once.
//!
//! **Tables.** A *head* is a node, or (bit 31) what the next bits of the address lead on from:
//! - A *leaf*, by its first word in `Leaves`: at most 32 entries, each a key, the next 16 bits from which on it holds, and a head. Their number
//!   (u16) comes first, in the place of the first key, which is always 0; then the other keys, filled up to a whole word; then the heads. So
//!   what is compared and what is found lie together, in one or two cache lines.
//! - A *fan* (bit 30), as `first << 4 | k − 1`: 2^k heads in `Fans` (2 ≤ k ≤ 16), one for each value of the next k bits.
//! - A *detail* (bit 30, k − 1 = 0), below the first 64 bits: the sorted low halves of one /64, from `Details[first]` to the next.
//!
//! A leaf that would have more entries is a fan of leaves. A table below a leaf goes on 16 bits further, but never before the end of the
//! first 64 (IPv4: 32); the bits of its keys that would lie behind that are 0. Each table stands right behind the one that is met before
//! it by who follows all heads in the order of addresses.
//!
//! - IPv4: `Blocks4` (one bit for each /20: may hold anything); for each of these in order a row of `Nets4` (two bits for each of its
//!   /24s: anything of it is held, all of it is), found by `Ranks4` (for each word of `Blocks4` the bits in the words before); and
//!   `Directory4`, a head by the first 16 bits.
//! - IPv6: `Directory6` by the first 16 bits → a block: a bitmap of the /32s in it (may hold anything) and a head.
//!
//! **Beside them** stand `Assignments4` and `Assignments6` (customers of abuse desks, by first address, the wider one first) and
//! `Delegations` (Dutch space); no lookup of an owner reads these. `Shared` are the addresses that serve many: disjoint ranges, IPv4 first, by
//! address.

use zerocopy::little_endian::{I32, U16, U32, U64, U128};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The first bytes of an index; not text, and harmed by any transfer that would harm the rest.
pub(super) const MAGIC: [u8; 8] = *b"\x89dwi\r\n\x1a\n";
/// The layout that this code writes and reads.
pub const VERSION: u32 = 4;
/// Sections start at multiples of this.
pub(super) const ALIGNMENT: usize = 64;

/// Most registrations of an index, all kinds together.
pub const REGISTRATIONS_MAX: usize = 1 << 26;
/// Most owners of an index.
pub const OWNERS_MAX: usize = 1 << 26;
/// Most different combinations of role, source, verified, valid from and until.
pub const TERMS_MAX: usize = 1 << 24;
/// How often registrations may be listed again because another crosses them.
pub const RELISTED_MAX: usize = 1 << 22;
/// Largest index file that is opened.
pub const INDEX_BYTES_MAX: u64 = 16 << 30;

/// Head flag: a table; else it is a node.
pub(super) const TABLE: u32 = 1 << 31;
/// Head flag with [`TABLE`]: a fan or a detail; else it is a leaf.
pub(super) const FAN: u32 = 1 << 30;
/// Of a head with [`FAN`]: the bits that a fan looks at, less one; 0 is a detail.
const FAN_BITS: u32 = 15;
const FAN_BITS_LENGTH: u32 = FAN_BITS.count_ones();
/// Bits of an address that a leaf looks at.
pub(super) const KEY_BITS: u32 = u16::BITS;
/// What a leaf has at most: 2 bytes each, one cache line.
pub(super) const LEAF_KEYS_MAX: usize = 32;
/// Bits of an address that a fan looks at, at least and at most.
pub(super) const FAN_BITS_MIN: u32 = 2;
pub(super) const FAN_BITS_MAX: u32 = 16;
/// Most words of all leaves together: what a reference to one can tell.
pub const LEAF_WORDS_MAX: usize = 1 << 30;
/// Most places of all fans together, and most details: what a reference to one can tell.
pub const FAN_PLACES_MAX: usize = 1 << 26;
/// What an absent day is stored as.
pub(super) const NO_DAY: i32 = i32::MIN;
/// What an absent constituency is stored as.
pub(super) const NO_CONSTITUENCY: u8 = u8::MAX;
/// Length of an IPv6 registration that is in `Wide`.
pub(super) const IN_WIDE: u32 = u8::MAX as u32;
/// Words of the bitmap of /20s.
pub(super) const BLOCKS4_WORDS: usize = 1 << 14;
/// Words of a bitmap of the /32s in a /16.
pub(super) const BITMAP6_WORDS: usize = 1 << 10;
/// Bits of an address that a directory looks at.
pub(super) const DIRECTORY_BITS: u32 = 16;
/// Entries of a directory.
pub(super) const DIRECTORY_ENTRIES: usize = 1 << DIRECTORY_BITS;

/// The sections, in the order they have in the file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(usize)]
pub(super) enum Section {
    Texts,
    TextEnds,
    Sources,
    Owners,
    Contacts,
    Links,
    Members,
    Terms,
    Registrations4,
    Registrations6,
    Wide,
    Nexts,
    Nodes,
    Domains,
    Names,
    Asns,
    Blocks4,
    Ranks4,
    Nets4,
    Directory4,
    Directory6,
    Blocks6,
    Bitmaps6,
    Fans,
    Leaves,
    Details,
    Keys64,
    Heads64,
    Assignments4,
    Assignments6,
    Delegations,
    Shared,
}

/// How many sections there are.
pub(super) const SECTIONS: usize = Section::Shared as usize + 1;

/// Bytes of an element of each section.
pub(super) const ELEMENT_BYTES: [usize; SECTIONS] = [
    1,
    4,
    4,
    size_of::<OwnerRow>(),
    4,
    4,
    4,
    size_of::<TermsRow>(),
    size_of::<Row4>(),
    size_of::<Row6>(),
    size_of::<WideRow>(),
    4,
    size_of::<NodeRow>(),
    size_of::<KeyRow>(),
    8,
    size_of::<KeyRow>(),
    8,
    4,
    size_of::<NetsRow>(),
    4,
    2,
    size_of::<BlockRow>(),
    8,
    4,
    4,
    4,
    8,
    4,
    size_of::<AssignmentRow4>(),
    size_of::<AssignmentRow6>(),
    size_of::<DelegationRow>(),
    size_of::<SharedRow>(),
];

/// Where a section lies.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct Extent {
    pub(super) offset: U64,
    pub(super) bytes: U64,
}

/// The start of the file.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct Header {
    pub(super) magic: [u8; 8],
    pub(super) version: U32,
    pub(super) sections: U32,
    pub(super) file_bytes: U64,
    pub(super) checksum: [u8; 32],
    pub(super) id: [u8; 32],
    pub(super) extents: [Extent; SECTIONS],
}

/// Where the checksum stands; it covers all other bytes.
pub(super) const CHECKSUM_AT: std::ops::Range<usize> = 24..56;

/// An owner; texts by number, lists as (start, count).
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct OwnerRow {
    pub(super) id: U32,
    pub(super) name: U32,
    pub(super) sector: U32,
    pub(super) organisation: U32,
    pub(super) members_start: U32,
    pub(super) members_count: U32,
    pub(super) contacts_start: U32,
    pub(super) contacts_count: U32,
    pub(super) links_start: U32,
    pub(super) links_count: U32,
    pub(super) line: U32,
    pub(super) source: U16,
    pub(super) constituency: u8,
    pub(super) ground: u8,
}

/// A range of addresses that serve many.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct SharedRow {
    pub(super) first: U128,
    pub(super) last: U128,
    pub(super) address_bits: U32,
    pub(super) kind: U32,
}

/// What many registrations have in common.
#[derive(Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct TermsRow {
    pub(super) valid_from: I32,
    pub(super) valid_until: I32,
    pub(super) verified: I32,
    pub(super) source: U16,
    pub(super) role: u8,
    pub(super) scope: u8,
    /// Of an AS number that was expanded, and of what it announces: the number; else 0.
    pub(super) asn: U32,
}

/// An IPv4 registration.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct Row4 {
    pub(super) first: U32,
    pub(super) last: U32,
    pub(super) owner: U32,
    pub(super) terms: U32,
    pub(super) line: U32,
}

/// An IPv6 registration: the high half of a prefix of at most 64 bits, or a position in `Wide`.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct Row6 {
    pub(super) high: U64,
    pub(super) owner: U32,
    /// `terms << 8 | length`
    pub(super) terms_and_length: U32,
    pub(super) line: U32,
}

/// An IPv6 range that does not fit in a [`Row6`].
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct WideRow {
    pub(super) first: U128,
    pub(super) last: U128,
}

/// A node that is not the registration's own.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct NodeRow {
    pub(super) registration: U32,
    pub(super) next: U32,
}

/// A domain (by number of its text) or an AS number.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct KeyRow {
    pub(super) key: U32,
    pub(super) owner: U32,
    pub(super) terms: U32,
    pub(super) line: U32,
}

/// An IPv4 assignment: its netname (a text), its desk, and the place from 1 of the nearest one around it.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct AssignmentRow4 {
    pub(super) first: U32,
    pub(super) last: U32,
    pub(super) netname: U32,
    pub(super) owner: U32,
    pub(super) around: U32,
}

/// An IPv6 assignment.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct AssignmentRow6 {
    pub(super) first: U128,
    pub(super) last: U128,
    pub(super) netname: U32,
    pub(super) owner: U32,
    pub(super) around: U32,
}

/// A block of Dutch space: 32 or 128 bits of address, and its holder (a text).
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct DelegationRow {
    pub(super) first: U128,
    pub(super) last: U128,
    pub(super) holder: U32,
    pub(super) address_bits: U32,
}

/// A /20 of IPv4 that holds anything: one bit for each of its /24s, the lowest for the first.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct NetsRow {
    /// Anything of it is held.
    pub(super) some: U16,
    /// All of it is held.
    pub(super) all: U16,
}

/// A /16 of IPv6.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct BlockRow {
    pub(super) bitmap: U32,
    pub(super) head: U32,
}

/// Reads a section as its elements. The length was checked; a wrong one gives no elements.
#[inline(always)]
pub(super) fn elements<T: FromBytes + KnownLayout + Immutable>(bytes: &[u8]) -> &[T] {
    <[T]>::ref_from_bytes(bytes).unwrap_or(&[])
}

/// The head of a leaf that begins at a word.
pub(super) const fn leaf_head(start: usize) -> u32 {
    TABLE | start as u32
}

/// The head of a fan of so many bits that begins at a place; of one bit, that of the detail of this number.
pub(super) const fn fan_head(start: usize, bits: u32) -> u32 {
    TABLE | FAN | (start as u32) << FAN_BITS_LENGTH | (bits - 1)
}

/// Where the leaf of a head begins.
#[inline]
pub(super) const fn leaf_start(head: u32) -> usize {
    (head & !TABLE) as usize
}

/// Where the fan of a head begins; the number of a detail.
#[inline]
pub(super) const fn fan_start(head: u32) -> usize {
    ((head & !(TABLE | FAN)) >> FAN_BITS_LENGTH) as usize
}

/// The bits that the fan of a head looks at; 1 is a detail.
#[inline]
pub(super) const fn fan_bits(head: u32) -> u32 {
    (head & FAN_BITS) + 1
}

/// What [`fan_bits`] says of a detail.
pub(super) const DETAIL: u32 = 1;

/// Where a head stands: it leads on behind `depth` bits of an address, of the `length` that tables are for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) depth: u32,
    pub(super) length: u32,
}

impl Place {
    /// Before all bits of IPv4.
    pub(super) const IPV4: Self = Self { depth: 0, length: u32::BITS };
    /// Before all bits of IPv6; details have the other 64.
    pub(super) const IPV6: Self = Self { depth: 0, length: u64::BITS };

    pub(super) fn behind(self, bits: u32) -> Self {
        Self { depth: (self.depth + bits).min(self.length), ..self }
    }

    pub(super) const fn bits_left(self) -> u32 {
        self.length - self.depth
    }

    /// Whether an address, bits from the left, is the first of the block that ends here.
    pub(super) const fn is_start(self, address: u128) -> bool {
        address << self.depth == 0
    }

    /// The next bits of an address; zeros for those that tables are not for. There must be some left.
    pub(super) const fn next_bits(self, address: u128, bits: u32) -> u64 {
        ((address >> 64) as u64) << self.depth >> (u64::BITS - bits)
    }
}

/// Words that the keys of a leaf take.
#[inline]
pub(super) const fn leaf_words(entries: usize) -> usize {
    entries.div_ceil(2)
}

/// Rounds up to [`ALIGNMENT`].
pub(super) const fn aligned(offset: usize) -> usize {
    offset.next_multiple_of(ALIGNMENT)
}

/// The first and last address of the prefix of `length` ≤ 64 bits that starts at the high half `high`.
#[inline]
pub(super) fn prefix6(high: u64, length: u32) -> (u128, u128) {
    let first = u128::from(high) << 64;
    (first, first | u128::MAX.checked_shr(length).unwrap_or(0))
}
