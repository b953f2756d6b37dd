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
//! **Tables.** A table maps 16 bits of an address to a head: sorted first keys (`Keys`) and a head for each (`Heads`). The first key of a
//! table is always 0. A *small* one, of at most 32 keys (a cache line), has their number there instead. A *large* one has
//! 2^k *slots* that narrow the search to about as many: slot s holds the keys from `Slots[s]` to `Slots[s + 1]`.
//!
//! A head is a node, or (bit 31) a table of the next 16 bits: a small one by its first key, or (bit 30) a large
//! one, as `first slot << 4 | k`. Below /64 there are no tables of 16 bits; there bit 31 refers to a detail: the sorted low halves of one /64.
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
pub const VERSION: u32 = 3;
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

/// Head flag: a table, or below /64 a detail; else a node.
pub(super) const TABLE: u32 = 1 << 31;
/// Head flag with [`TABLE`]: the table is large.
pub(super) const LARGE: u32 = 1 << 30;
/// What a small table has at most, and a slot of a large one should have: 2 bytes each, one cache line.
pub(super) const NEAR_KEYS: usize = 32;
/// Most keys of all tables together: what a reference to a small table can tell.
pub const KEYS_MAX: usize = 1 << 30;
/// Most slots of all large tables together: what a reference to one can tell.
pub const SLOTS_MAX: usize = 1 << 26;
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
/// Entries of a directory by 16 bits.
pub(super) const DIRECTORY_ENTRIES: usize = 1 << 16;

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
    Slots,
    Keys,
    Heads,
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
    2,
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
