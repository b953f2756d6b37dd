//! Lookups.
//!
//! Simply: the last interval that starts at or before the address leads to its list. Departures from that:
//! 1. A bit for each /20 (IPv4) or /32 (IPv6) answers nearly all misses; a block without a bit has no covered interval. Whether an IPv4
//!    address is held at all is then told by two bits for its /24, but where a part of that is held.
//! 2. The search begins in a directory by the first 16 bits. Where borders are finer, fans and leaves lead on: a place in a fan is one load, and
//!    a leaf's keys and heads lie together. Nearly all of IPv4 takes one of each.
//! 3. The keys of a leaf are not searched: all 32 that can be there are compared; those that are not of the leaf do not count.
//!
//! All reads are checked for bounds: what was validated cannot be out of them, and the checks cost less than a cache miss.

use std::hint::black_box;
use std::net::IpAddr;

use zerocopy::little_endian::{U16, U32, U64};

use super::coverage::range_of;
use super::layout::{
    self, BITMAP6_WORDS, BLOCKS4_WORDS, BlockRow, DETAIL, DIRECTORY_BITS, DIRECTORY_ENTRIES, FAN, IN_WIDE,
    KEY_BITS, LEAF_KEYS_MAX, NO_DAY, NetsRow, NodeRow, OwnerRow, Row4, Row6, Section, TABLE, TermsRow,
    WideRow,
};
use super::names::Names;
use super::{Claim, ClaimKey, Index, OwnerIx};
use crate::moment::Day;
use crate::net::{self, Address, Asn, Family, Prefix, Range};
use crate::register::{Role, Scope};

/// Addresses that are read ahead for at once.
const AHEAD_ADDRESSES: usize = 64;

/// Registrations of each of them: more hold few addresses.
const AHEAD_REGISTRATIONS: usize = 4;

/// Words that all keys of a leaf take.
const LEAF_KEY_WORDS: usize = layout::leaf_words(LEAF_KEYS_MAX);

/// The sections that lookups read, taken out of the file once: keep one for a loop.
#[derive(Clone, Copy)]
pub struct Finder<'i> {
    blocks4: &'i [U64; BLOCKS4_WORDS],
    ranks4: &'i [U32; BLOCKS4_WORDS],
    nets4: &'i [NetsRow],
    directory4: &'i [U32; DIRECTORY_ENTRIES],
    directory6: &'i [U16; DIRECTORY_ENTRIES],
    blocks6: &'i [BlockRow],
    bitmaps6: &'i [[U64; BITMAP6_WORDS]],
    fans: &'i [U32],
    leaves: &'i [U32],
    details: &'i [U32],
    keys64: &'i [U64],
    heads64: &'i [U32],
    rows: Rows<'i>,
    owners: &'i [OwnerRow],
    names: Names<'i>,
}

/// The sections that tell what a node stands for.
#[derive(Clone, Copy)]
struct Rows<'i> {
    rows4: &'i [Row4],
    rows6: &'i [Row6],
    wide: &'i [WideRow],
    nexts: &'i [U32],
    nodes: &'i [NodeRow],
    terms: &'i [TermsRow],
}

/// Stands in where a fixed-size section is missing, which validation excludes.
static NO_BLOCKS4: [U64; BLOCKS4_WORDS] = [U64::ZERO; BLOCKS4_WORDS];
static NO_RANKS4: [U32; BLOCKS4_WORDS] = [U32::ZERO; BLOCKS4_WORDS];
static NO_DIRECTORY4: [U32; DIRECTORY_ENTRIES] = [U32::ZERO; DIRECTORY_ENTRIES];
static NO_DIRECTORY6: [U16; DIRECTORY_ENTRIES] = [U16::ZERO; DIRECTORY_ENTRIES];

impl<'i> Finder<'i> {
    #[inline]
    pub(super) fn new(index: &'i Index) -> Self {
        Self {
            blocks4: index.section(Section::Blocks4).try_into().unwrap_or(&NO_BLOCKS4),
            ranks4: index.section(Section::Ranks4).try_into().unwrap_or(&NO_RANKS4),
            nets4: index.section(Section::Nets4),
            directory4: index.section(Section::Directory4).try_into().unwrap_or(&NO_DIRECTORY4),
            directory6: index.section(Section::Directory6).try_into().unwrap_or(&NO_DIRECTORY6),
            blocks6: index.section(Section::Blocks6),
            bitmaps6: index.section(Section::Bitmaps6),
            fans: index.section(Section::Fans),
            leaves: index.section(Section::Leaves),
            details: index.section(Section::Details),
            keys64: index.section(Section::Keys64),
            heads64: index.section(Section::Heads64),
            rows: Rows::new(index),
            owners: index.section(Section::Owners),
            names: Names::new(index),
        }
    }

    /// Whether any registration holds the address; `false` is a proof, and so is `true`.
    #[inline]
    #[must_use]
    pub fn holds(&self, address: Address) -> bool {
        match address.ip() {
            IpAddr::V4(v4) => self.holds_v4(v4.to_bits()),
            IpAddr::V6(v6) => self.holds_v6(v6.to_bits()),
        }
    }

    /// As [`holds`](Self::holds), of an IPv4 address in host order.
    #[inline]
    #[must_use]
    pub fn holds_v4(&self, bits: u32) -> bool {
        self.may_hold_v4(bits)
            && match self.net4(bits) {
                Net::Free => false,
                Net::Held => true,
                Net::Mixed => self.search4(bits) != 0,
            }
    }

    /// As [`holds`](Self::holds), of an IPv6 address in host order, which must not be an IPv4-mapped one.
    #[inline]
    #[must_use]
    pub fn holds_v6(&self, bits: u128) -> bool {
        self.head6(bits) != 0
    }

    /// Whether the /20 of an IPv4 address holds anything; `false` is a proof, `true` is not. One load, no branch.
    #[inline]
    #[must_use]
    pub fn may_hold_v4(&self, bits: u32) -> bool {
        let block = bits >> 12;
        self.blocks4[(block >> 6) as usize].get() >> (block & 63) & 1 != 0
    }

    /// Whether the /32 of an IPv6 address holds anything; `false` is a proof, `true` is not.
    #[inline]
    #[must_use]
    pub fn may_hold_v6(&self, bits: u128) -> bool {
        self.block6(bits).is_some()
    }

    /// One bit for each of the first 64 addresses, the lowest for the first: whether any registration holds it.
    #[inline]
    #[must_use]
    pub fn holds_v4_batch(&self, addresses: &[u32]) -> u64 {
        let addresses = &addresses[..addresses.len().min(64)];
        let may = addresses
            .iter()
            .enumerate()
            .fold(0, |mask, (at, &bits)| mask | u64::from(self.may_hold_v4(bits)) << at);
        self.holds_v4_of(addresses, may)
    }

    /// The same for those of at most 64 addresses whose bits are set, step by step for all of them: the memory
    /// accesses of one do not wait for another's.
    fn holds_v4_of(&self, addresses: &[u32], may: u64) -> u64 {
        let (mut held, mut mixed) = (0, 0);
        for at in ones(may) {
            let net = self.net4(addresses[at]);
            held |= u64::from(net == Net::Held) << at;
            mixed |= u64::from(net == Net::Mixed) << at;
        }
        if mixed == 0 { held } else { held | self.searched_v4_of(addresses, mixed) }
    }

    /// The same of addresses whose /24 is held in part.
    fn searched_v4_of(&self, addresses: &[u32], mixed: u64) -> u64 {
        let mut heads = [0; 64];
        for at in ones(mixed) {
            heads[at] = self.directory4[(addresses[at] >> 16) as usize].get();
        }
        for at in ones(mixed) {
            heads[at] = self.descend4(heads[at], addresses[at]);
        }
        ones(mixed).fold(0, |held, at| held | u64::from(heads[at] != 0) << at)
    }

    /// As [`holds_v4_batch`](Self::holds_v4_batch), of IPv6 addresses.
    #[inline]
    #[must_use]
    pub fn holds_v6_batch(&self, addresses: &[u128]) -> u64 {
        let addresses = &addresses[..addresses.len().min(64)];
        let may = addresses
            .iter()
            .enumerate()
            .fold(0, |mask, (at, &bits)| mask | u64::from(self.may_hold_v6(bits)) << at);
        sieve(may, |at| self.head6(addresses[at]) != 0)
    }

    /// The number of the most specific registration that holds the address, without reading it.
    #[inline]
    #[must_use]
    pub fn registration(&self, address: Address) -> Option<u32> {
        self.rows.step(self.head(address)).map(|(registration, _)| registration)
    }

    /// The numbers of all registrations that hold the address, in the order of [`covering`](Self::covering), without reading them.
    #[inline]
    #[must_use]
    pub fn registrations(&self, address: Address) -> Registrations<'i> {
        Registrations { node: self.head(address), rows: self.rows }
    }

    /// The registration with this number; `None` if it is not one of addresses of this index.
    #[inline]
    #[must_use]
    pub fn claim(&self, registration: u32) -> Option<Claim> {
        self.rows.claim(registration)
    }

    /// The most specific registration that holds the address (the first of [`covering`](Self::covering)).
    #[inline]
    #[must_use]
    pub fn most_specific(&self, address: Address) -> Option<Claim> {
        self.rows.claim(self.registration(address)?)
    }

    /// All registrations that hold the address: fewest addresses first; equal sizes by source, then line, then canonical order.
    #[inline]
    #[must_use]
    pub fn covering(&self, address: Address) -> Covering<'i> {
        Covering { node: self.head(address), rows: self.rows }
    }

    /// Reads what a decision about each of these addresses begins with, step by step for all of them: the first few registrations that
    /// hold it, then their owners. They are then in the cache, and no access waited for another's. Answers nothing.
    pub fn read_ahead(&self, addresses: &[Address]) {
        for addresses in addresses.chunks(AHEAD_ADDRESSES) {
            let mut nodes = [0; AHEAD_ADDRESSES];
            nodes.iter_mut().zip(addresses).for_each(|(node, &address)| *node = self.head(address));
            let mut found = [0; AHEAD_ADDRESSES * AHEAD_REGISTRATIONS];
            let mut count = 0;
            for _ in 0..AHEAD_REGISTRATIONS {
                for node in &mut nodes[..addresses.len()] {
                    let Some((registration, next)) = self.rows.step(*node) else { continue };
                    (found[count], *node) = (registration, next);
                    count += 1;
                }
            }
            let found = &mut found[..count];
            found.iter_mut().for_each(|found| *found = self.rows.owner_of(*found).unwrap_or(u32::MAX));
            let organisations = found.iter().filter_map(|&owner| self.owners.get(owner as usize));
            black_box(organisations.fold(0, |sum: u32, owner| sum.wrapping_add(owner.organisation.get())));
        }
    }

    /// Whether any domain is registered.
    #[inline]
    #[must_use]
    pub fn has_domains(&self) -> bool {
        self.names.has_domains()
    }

    /// Whether any AS number is registered that records must name, since no table tells what it announces. Looks at all of them.
    #[must_use]
    pub fn has_asns(&self) -> bool {
        self.names.has_asns()
    }

    /// Whether a registered domain holds the name, which must be in canonical form (as of [`host_name`](crate::text::host_name)).
    #[inline]
    #[must_use]
    pub fn holds_name(&self, host: &str) -> bool {
        self.names.holds(host.as_bytes())
    }

    /// As [`holds_name`](Self::holds_name), of bytes, which need not be a name.
    #[inline]
    #[must_use]
    pub fn holds_name_bytes(&self, host: &[u8]) -> bool {
        self.names.holds(host)
    }

    /// The registrations of all domains that hold the name, likewise in canonical form: the longest domain first; equal ones by
    /// source, then line.
    #[must_use]
    pub fn covering_name(&self, host: &str) -> Vec<Claim> {
        self.names.covering(host)
    }

    /// Whether an AS number is registered that records must name.
    #[inline]
    #[must_use]
    pub fn holds_asn(&self, asn: Asn) -> bool {
        self.names.holds_asn(asn)
    }

    /// The registrations of an AS number that a record names, by source, then line; none where a table tells what it announces, since the
    /// record's address is then found by that.
    #[must_use]
    pub fn claims_of_named_asn(&self, asn: Asn) -> Vec<Claim> {
        if self.holds_asn(asn) { self.names.of_asn(asn) } else { Vec::new() }
    }

    /// The registrations of an AS number, by source, then line.
    #[must_use]
    pub fn claims_of_asn(&self, asn: Asn) -> Vec<Claim> {
        self.names.of_asn(asn)
    }

    /// The registrations of a node and those after it.
    pub(super) fn list(&self, node: u32) -> Covering<'i> {
        Covering { node, rows: self.rows }
    }

    /// The node that an address leads to; 0 is none.
    #[inline]
    pub(super) fn head(&self, address: Address) -> u32 {
        match address.ip() {
            IpAddr::V4(v4) => self.head4(v4.to_bits()),
            IpAddr::V6(v6) => self.head6(v6.to_bits()),
        }
    }

    #[inline]
    fn head4(&self, bits: u32) -> u32 {
        if self.may_hold_v4(bits) { self.search4(bits) } else { 0 }
    }

    /// What is held of the /24 of an IPv4 address, whose /20 holds something.
    #[inline]
    fn net4(&self, bits: u32) -> Net {
        let block = bits >> 12;
        let word = (block >> 6) as usize;
        let before = self.blocks4[word].get() & ((1 << (block & 63)) - 1);
        let row = self.ranks4[word].get() + before.count_ones();
        let Some(nets) = self.nets4.get(row as usize) else { return Net::Free };
        let place = bits >> 8 & 15;
        match (nets.some.get() >> place & 1, nets.all.get() >> place & 1) {
            (0, _) => Net::Free,
            (_, 0) => Net::Mixed,
            _ => Net::Held,
        }
    }

    #[inline]
    fn search4(&self, bits: u32) -> u32 {
        self.descend4(self.directory4[(bits >> 16) as usize].get(), bits)
    }

    /// From a head of the directory of IPv4.
    #[inline]
    fn descend4(&self, head: u32, bits: u32) -> u32 {
        self.descend(head, u64::from(bits) << (u32::BITS + DIRECTORY_BITS))
    }

    /// The block of an IPv6 address, if its /32 holds anything.
    #[inline]
    fn block6(&self, bits: u128) -> Option<&'i BlockRow> {
        let block = self.blocks6.get(usize::from(self.directory6[(bits >> 112) as usize].get()))?;
        let bitmap = self.bitmaps6.get(block.bitmap.get() as usize)?;
        let within = (bits >> 96) as u16;
        let word = bitmap[usize::from(within >> 6)].get();
        (word >> (within & 63) & 1 != 0).then_some(block)
    }

    #[inline]
    fn head6(&self, bits: u128) -> u32 {
        let Some(block) = self.block6(bits) else { return 0 };
        let head = self.descend(block.head.get(), ((bits >> 64) as u64) << DIRECTORY_BITS);
        if head & TABLE == 0 { head } else { self.search64(layout::fan_start(head), bits as u64) }
    }

    /// The node, or the detail, that a head and the next bits of an address lead to, from the left.
    #[inline]
    fn descend(&self, mut head: u32, mut bits: u64) -> u32 {
        while head & TABLE != 0 {
            if head & FAN == 0 {
                head = self.leaf(layout::leaf_start(head), (bits >> (u64::BITS - KEY_BITS)) as u16);
                bits <<= KEY_BITS;
            } else {
                let count = layout::fan_bits(head);
                if count == DETAIL {
                    break;
                }
                let place = layout::fan_start(head) + (bits >> (u64::BITS - count)) as usize;
                head = self.fans.get(place).map_or(0, |head| head.get());
                bits <<= count;
            }
        }
        head
    }

    /// The head of the last key of a leaf that is at most `low`.
    #[inline]
    fn leaf(&self, start: usize, low: u16) -> u32 {
        let window = self.leaves.get(start..start + LEAF_KEY_WORDS);
        let Some(window) = window.and_then(|window| <&[U32; LEAF_KEY_WORDS]>::try_from(window).ok()) else {
            return 0;
        };
        let keys: &[U16; LEAF_KEYS_MAX] = zerocopy::transmute_ref!(window);
        let count = keys[0].get();
        // Without a branch (`&&` is one), this compiles to a few vector instructions.
        let mut past = 0;
        for (key, at) in keys.iter().zip(0u16..) {
            past += u16::from((at > 0) & (at < count) & (key.get() <= low));
        }
        let head = start + layout::leaf_words(usize::from(count)) + usize::from(past);
        self.leaves.get(head).map_or(0, |head| head.get())
    }

    /// The same in the sorted low halves of one /64.
    #[cold]
    fn search64(&self, detail: usize, low: u64) -> u32 {
        let Some(&[start, end]) = self.details.get(detail..detail + 2) else { return 0 };
        let (start, end) = (start.get() as usize, end.get() as usize);
        let Some(keys) = self.keys64.get(start..end) else { return 0 };
        let count = keys.partition_point(|key| key.get() <= low);
        self.heads64.get((start + count).wrapping_sub(1)).map_or(0, |head| head.get())
    }
}

/// What is held of a /24.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Net {
    /// Nothing.
    Free,
    /// All.
    Held,
    /// A part.
    Mixed,
}

/// Clears the bits of `mask` for which the test fails.
#[inline]
fn sieve(mask: u64, holds: impl Fn(usize) -> bool) -> u64 {
    ones(mask).fold(0, |held, at| held | u64::from(holds(at)) << at)
}

/// The bits that are set, lowest first.
#[inline]
pub(super) fn ones(mut bits: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let one = (bits != 0).then(|| bits.trailing_zeros() as usize)?;
        bits &= bits - 1;
        Some(one)
    })
}

impl<'i> Rows<'i> {
    #[inline]
    fn new(index: &'i Index) -> Self {
        Self {
            rows4: index.section(Section::Registrations4),
            rows6: index.section(Section::Registrations6),
            wide: index.section(Section::Wide),
            nexts: index.section(Section::Nexts),
            nodes: index.section(Section::Nodes),
            terms: index.section(Section::Terms),
        }
    }

    /// The number of the registration of a node, and the next node; `None` for node 0.
    #[inline]
    fn step(&self, node: u32) -> Option<(u32, u32)> {
        let at = node.checked_sub(1)?;
        match self.nexts.get(at as usize) {
            Some(next) => Some((at, next.get())),
            None => {
                let node = self.nodes.get(at as usize - self.nexts.len())?;
                Some((node.registration.get(), node.next.get()))
            }
        }
    }

    /// The owner of a registration by its number.
    #[inline]
    fn owner_of(&self, registration: u32) -> Option<u32> {
        let at = registration as usize;
        match self.rows4.get(at) {
            Some(row) => Some(row.owner.get()),
            None => self.rows6.get(at.wrapping_sub(self.rows4.len())).map(|row| row.owner.get()),
        }
    }

    /// A registration by its number.
    #[inline]
    fn claim(&self, registration: u32) -> Option<Claim> {
        let at = registration as usize;
        let (range, owner, terms, line) = match self.rows4.get(at) {
            Some(row) => {
                let range = Range::new(Address::v4(row.first.get()), Address::v4(row.last.get()))?;
                (range, row.owner.get(), row.terms.get(), row.line.get())
            }
            None => {
                let row = self.rows6.get(at - self.rows4.len())?;
                let (first, last) = self.ends6(row)?;
                let range = range_of(Family::V6, first, last)?;
                (range, row.owner.get(), row.terms_and_length.get() >> 8, row.line.get())
            }
        };
        let terms = Terms::read(self.terms.get(terms as usize)?);
        Some(Claim {
            registration,
            owner: OwnerIx(owner),
            role: terms.role,
            key: terms.announced.map_or(ClaimKey::Range(range), |asn| ClaimKey::Announced(asn, range)),
            valid_from: terms.valid_from,
            valid_until: terms.valid_until,
            verified: terms.verified,
            scope: terms.scope,
            source: terms.source,
            line,
        })
    }

    /// The first and last address of an IPv6 registration.
    #[inline]
    fn ends6(&self, row: &Row6) -> Option<(u128, u128)> {
        match row.terms_and_length.get() & 0xff {
            IN_WIDE => {
                let wide = self.wide.get(row.high.get() as usize)?;
                Some((wide.first.get(), wide.last.get()))
            }
            length => Some(layout::prefix6(row.high.get(), length)),
        }
    }

    /// The numbers of the registrations that start in a range.
    fn starting_in(&self, range: Range) -> std::ops::Range<u32> {
        let (first, last) = (range.first().bits(), range.last().bits());
        match range.family() {
            Family::V4 => {
                let start = self.rows4.partition_point(|row| u128::from(row.first.get()) < first);
                let end = self.rows4.partition_point(|row| u128::from(row.first.get()) <= last);
                start as u32..end as u32
            }
            Family::V6 => {
                let first_of = |row: &Row6| self.ends6(row).map_or(0, |(first, _)| first);
                let start = self.rows6.partition_point(|row| first_of(row) < first);
                let end = self.rows6.partition_point(|row| first_of(row) <= last);
                (self.rows4.len() + start) as u32..(self.rows4.len() + end) as u32
            }
        }
    }
}

/// [`TermsRow`] as types.
pub(super) struct Terms {
    pub(super) role: Role,
    pub(super) source: u16,
    pub(super) valid_from: Option<Day>,
    pub(super) valid_until: Option<Day>,
    pub(super) verified: Option<Day>,
    pub(super) scope: Scope,
    /// The AS number that announces it, or was expanded to what it announces.
    pub(super) announced: Option<Asn>,
}

impl Terms {
    #[inline]
    pub(super) fn read(row: &TermsRow) -> Self {
        let day = |number: i32| (number != NO_DAY).then(|| Day::from_number(number));
        Self {
            role: match row.role {
                0 => Role::User,
                1 => Role::Network,
                _ => Role::Link,
            },
            source: row.source.get(),
            valid_from: day(row.valid_from.get()),
            valid_until: day(row.valid_until.get()),
            verified: day(row.verified.get()),
            scope: Scope::ALL.get(usize::from(row.scope)).copied().unwrap_or_default(),
            announced: (row.asn.get() != 0).then(|| Asn(row.asn.get())),
        }
    }
}

/// The numbers of the registrations that hold an address, most specific first.
#[derive(Clone)]
pub struct Registrations<'i> {
    node: u32,
    rows: Rows<'i>,
}

impl Iterator for Registrations<'_> {
    type Item = u32;

    #[inline]
    fn next(&mut self) -> Option<u32> {
        let (registration, next) = self.rows.step(self.node)?;
        self.node = next;
        Some(registration)
    }
}

/// The registrations that hold an address, most specific first.
#[derive(Clone)]
pub struct Covering<'i> {
    node: u32,
    rows: Rows<'i>,
}

impl Iterator for Covering<'_> {
    type Item = Claim;

    #[inline]
    fn next(&mut self) -> Option<Claim> {
        let (registration, next) = self.rows.step(self.node)?;
        self.node = next;
        self.rows.claim(registration)
    }
}

/// All registrations that hold all of the prefix, in the order of `covering`.
///
/// A wider registration does not hold the special addresses inside it, and so does not hold a prefix with any of them.
pub(super) fn covering_prefix(index: &Index, prefix: Prefix) -> impl Iterator<Item = Claim> + '_ {
    let whole = prefix.range();
    let cut = net::special_blocks().iter().any(|block| block.range().overlaps(whole));
    Finder::new(index).covering(prefix.first()).filter(move |claim| {
        let Some(range) = claim.key.range() else { return false };
        range.contains(whole) && (!cut || range.held_parts().iter().any(|part| part.contains(whole)))
    })
}

/// All registrations that hold a part of the prefix and do not reach around it, in no order: those that lie inside, and ranges that
/// cross its first or last address.
pub(super) fn inside(index: &Index, prefix: Prefix) -> impl Iterator<Item = Claim> + '_ {
    let whole = prefix.range();
    let rows = Rows::new(index);
    let starting = rows.starting_in(whole).filter_map(move |registration| rows.claim(registration));
    crossing_first(index, whole).into_iter().chain(starting).filter(move |claim| {
        claim.key.range().is_some_and(|range| !range.contains(whole) && holds_of(range, whole))
    })
}

/// The registrations that start before a range and hold some of it, each once. One that does holds the first address of what special
/// blocks leave of the range, or of one of its parts.
fn crossing_first(index: &Index, whole: Range) -> Vec<Claim> {
    let firsts: Vec<Address> = whole.held_parts().iter().map(|part| part.first()).collect();
    let finder = Finder::new(index);
    let mut found = Vec::new();
    for (at, &first) in firsts.iter().enumerate() {
        let is_new = |range: Range| !firsts[..at].iter().any(|&before| range.holds(before));
        let starts_before = |range: &Range| range.first() < whole.first() && is_new(*range);
        found.extend(
            finder.covering(first).filter(|claim| claim.key.range().as_ref().is_some_and(starts_before)),
        );
    }
    found
}

/// Whether a registration of the range holds an address of `whole`: special ones only from inside their block.
fn holds_of(range: Range, whole: Range) -> bool {
    range.held_parts().iter().any(|part| part.overlaps(whole))
}

/// The registrations of addresses, in canonical order.
pub(super) fn claims(index: &Index) -> impl Iterator<Item = Claim> + '_ {
    let rows = Rows::new(index);
    (0..rows.nexts.len() as u32).filter_map(move |registration| rows.claim(registration))
}
