//! From a register to the bytes of an index.
//!
//! Everything is brought into canonical order first, then flattened, laid out, and put into one map.

use std::collections::HashMap;

use memmap2::MmapMut;
use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromZeros, Immutable, IntoBytes};

use super::Index;
use super::assignments::Surroundings;
use super::coverage;
use super::errors::BuildError;
use super::flatten::{Bits, Lists, Piece, flatten};
use super::identity;
use super::layout::{
    self, CHECKSUM_AT, Extent, Header, IN_WIDE, KeyRow, MAGIC, NO_CONSTITUENCY, NodeRow, OWNERS_MAX,
    OwnerRow, REGISTRATIONS_MAX, Row4, Row6, SECTIONS, Section, SharedRow, TABLE, TermsRow, VERSION, WideRow,
};
use super::names;
use super::order::{Entry, Ranks, Sorted};
use super::place::{Placed, place};
use super::shared;
use crate::net::{self, Address, Family, Range};
use crate::register::{Key, Owner, Register};

/// The sections of an index while it is built.
#[derive(Default)]
pub(super) struct Parts {
    texts: Texts,
    sources: Vec<U32>,
    owners: Vec<OwnerRow>,
    contacts: Vec<U32>,
    links: Vec<U32>,
    members: Vec<U32>,
    rows4: Vec<Row4>,
    rows6: Vec<Row6>,
    wide: Vec<WideRow>,
    nexts: Vec<U32>,
    nodes: Vec<NodeRow>,
    domains: Vec<KeyRow>,
    names: Vec<U64>,
    asns: Vec<KeyRow>,
    surroundings: Surroundings,
    shared: Vec<SharedRow>,
}

/// Builds the index in memory.
pub(super) fn build(register: &Register) -> Result<Index, BuildError> {
    check_size("owners", register.owners.len(), OWNERS_MAX)?;
    check_size("registrations", register.registrations.len(), REGISTRATIONS_MAX)?;
    let mut parts = Parts::default();
    for source in &register.sources {
        let text = parts.texts.add(source)?;
        parts.sources.push(text.into());
    }
    let ranks = Ranks::of(&register.owners)?;
    push_owners(&mut parts, &register.owners, &ranks)?;
    let sorted = Sorted::of(register, &ranks)?;
    push_names(&mut parts, register, &sorted)?;
    let placed = push_ranges(&mut parts, register, &sorted)?;
    parts.surroundings = Surroundings::of(register, &ranks, &mut parts.texts)?;
    parts.shared = shared::rows(register);
    let id = identity::of_register(register, &sorted, &ranks);
    assemble(&parts, &sorted.terms, &placed, id)
}

pub(super) fn check_size(what: &'static str, found: usize, max: usize) -> Result<(), BuildError> {
    if found > max { Err(BuildError::TooMany { what, max }) } else { Ok(()) }
}

fn push_owners(parts: &mut Parts, owners: &[Owner], ranks: &Ranks) -> Result<(), BuildError> {
    parts.owners.reserve(owners.len());
    for &position in &ranks.order {
        let owner = &owners[position as usize];
        let organisation = ranks.organisation[parts.owners.len()];
        let contacts_start = parts.contacts.len() as u32;
        for contact in &owner.contacts {
            let text = parts.texts.intern(contact)?;
            parts.contacts.push(text.into());
        }
        let links_start = parts.links.len() as u32;
        for link in &owner.links {
            let text = parts.texts.intern(link.as_str())?;
            parts.links.push(text.into());
        }
        parts.owners.push(OwnerRow {
            id: parts.texts.add(owner.id.as_str())?.into(),
            name: parts.texts.add(owner.name.as_deref().unwrap_or_default())?.into(),
            sector: parts.texts.intern(owner.sector.as_deref().unwrap_or_default())?.into(),
            organisation: organisation.into(),
            members_start: ranks.members_start[organisation as usize].into(),
            members_count: (ranks.members_of(organisation).len() as u32).into(),
            contacts_start: contacts_start.into(),
            contacts_count: (owner.contacts.len() as u32).into(),
            links_start: links_start.into(),
            links_count: (owner.links.len() as u32).into(),
            line: owner.line.into(),
            source: owner.source.into(),
            constituency: owner.constituency.map_or(NO_CONSTITUENCY, |constituency| constituency as u8),
            ground: owner.ground.map_or(0, |ground| ground as u8 + 1),
        });
    }
    check_size("contacts", parts.contacts.len(), u32::MAX as usize)?;
    check_size("links", parts.links.len(), u32::MAX as usize)?;
    parts.members = ranks.members.iter().map(|&member| U32::new(member)).collect();
    Ok(())
}

fn push_names(parts: &mut Parts, register: &Register, sorted: &Sorted) -> Result<(), BuildError> {
    for entry in sorted.domains.iter().chain(&sorted.asns) {
        let (key, rows) = match &register.registrations[entry.at as usize].key {
            Key::Domain(domain) => (parts.texts.intern(domain)?, &mut parts.domains),
            Key::Asn(asn) => (asn.0, &mut parts.asns),
            Key::Range(_) => continue,
        };
        let (owner, terms, line) = (entry.owner.into(), entry.terms.into(), entry.line.into());
        rows.push(KeyRow { key: key.into(), owner, terms, line });
    }
    let mut domains: Vec<(&str, u32)> = Vec::with_capacity(sorted.domains.len());
    for (entry, at) in sorted.domains.iter().zip(0..) {
        let Key::Domain(domain) = &register.registrations[entry.at as usize].key else { continue };
        if domains.last().is_none_or(|(last, _)| last != domain) {
            domains.push((domain, at));
        }
    }
    parts.names = names::table(domains.into_iter());
    Ok(())
}

fn push_ranges(parts: &mut Parts, register: &Register, sorted: &Sorted) -> Result<Placed, BuildError> {
    let base6 = sorted.v4.len() as u32;
    let mut lists = Lists::new(sorted.v4.len() + sorted.v6.len());
    let crossing = |at: u32| {
        let registration = &register.registrations[at as usize];
        let source = register.sources.get(usize::from(registration.source)).cloned().unwrap_or_default();
        BuildError::Crossing { source, line: registration.line }
    };
    let intervals4 = intervals(&sorted.v4, 0, &sorted.terms, &mut lists).map_err(crossing)?;
    let intervals6 = intervals(&sorted.v6, base6, &sorted.terms, &mut lists).map_err(crossing)?;
    let (nexts, nodes) = lists.finish();
    check_size("list nodes", nexts.len() + nodes.len(), TABLE as usize - 1)?;
    parts.nexts = nexts.into_iter().map(U32::new).collect();
    parts.nodes = nodes;
    let row4 = |entry: &Entry<(u32, u32)>| Row4 {
        first: entry.key.0.into(),
        last: entry.key.1.into(),
        owner: entry.owner.into(),
        terms: entry.terms.into(),
        line: entry.line.into(),
    };
    parts.rows4 = sorted.v4.iter().map(row4).collect();
    for entry in &sorted.v6 {
        push_row6(parts, entry);
    }
    place(&intervals4, &intervals6)
}

fn push_row6(parts: &mut Parts, entry: &Entry<(u128, u128)>) {
    let (first, last) = entry.key;
    let length = (first ^ last).leading_zeros();
    let (high, length) = if length <= 64 && layout::prefix6((first >> 64) as u64, length) == (first, last) {
        ((first >> 64) as u64, length)
    } else {
        parts.wide.push(WideRow { first: first.into(), last: last.into() });
        (parts.wide.len() as u64 - 1, IN_WIDE)
    };
    parts.rows6.push(Row6 {
        high: high.into(),
        owner: entry.owner.into(),
        terms_and_length: (entry.terms << 8 | length).into(),
        line: entry.line.into(),
    });
}

/// Flattens the sorted ranges of one family, whose registrations are numbered from `base`; the error is a position in the register.
fn intervals<K: FromAddress + Into<u128>>(
    sorted: &[Entry<(K, K)>],
    base: u32,
    terms: &[TermsRow],
    lists: &mut Lists,
) -> Result<Vec<(K, u32)>, u32> {
    let place = |registration: u32| {
        let entry = &sorted[(registration - base) as usize];
        let source = terms[entry.terms as usize].source.get();
        (entry.key.1.into() - entry.key.0.into(), source, entry.line, registration)
    };
    let precedes = |a: u32, b: u32| place(a) < place(b);
    let specials: Vec<(K, K)> = net::special_blocks()
        .iter()
        .filter(|block| block.family() == K::FAMILY)
        .map(|block| (K::from_address(block.first()), K::from_address(block.last())))
        .collect();
    let mut pieces = Vec::with_capacity(sorted.len());
    for (entry, registration) in sorted.iter().zip(base..) {
        let (first, last) = entry.key;
        let near = specials.partition_point(|&(_, block_last)| block_last < first);
        if specials.get(near).is_none_or(|&(block_first, _)| block_first > last) {
            pieces.push(Piece { first, last, registration });
        } else if let Some(range) = coverage::range_of(K::FAMILY, first.into(), last.into()) {
            push_held(&mut pieces, range, registration);
        }
    }
    // Mostly in order already: the sort finds runs. Widest first where several start at one address.
    pieces.sort_by(|a, b| {
        a.first.cmp(&b.first).then_with(|| place(b.registration).cmp(&place(a.registration)))
    });
    flatten(&pieces, precedes, lists).map_err(|crossing| sorted[(crossing.registration - base) as usize].at)
}

fn push_held<K: FromAddress>(pieces: &mut Vec<Piece<K>>, range: Range, registration: u32) {
    pieces.extend(range.held_parts().into_iter().map(|part| Piece {
        first: K::from_address(part.first()),
        last: K::from_address(part.last()),
        registration,
    }));
}

/// The bits of an address of the family that the type stands for.
trait FromAddress: Bits {
    const FAMILY: Family;
    fn from_address(address: Address) -> Self;
}

impl FromAddress for u32 {
    const FAMILY: Family = Family::V4;
    fn from_address(address: Address) -> Self {
        address.bits() as u32
    }
}

impl FromAddress for u128 {
    const FAMILY: Family = Family::V6;
    fn from_address(address: Address) -> Self {
        address.bits()
    }
}

/// Texts, each cut out of one by its end; text 0 is the empty one.
pub(super) struct Texts {
    bytes: Vec<u8>,
    ends: Vec<U32>,
    known: HashMap<String, u32>,
}

impl Default for Texts {
    fn default() -> Self {
        Self { bytes: Vec::new(), ends: vec![U32::new(0)], known: HashMap::new() }
    }
}

impl Texts {
    /// Adds a text that is not expected to repeat.
    pub(super) fn add(&mut self, text: &str) -> Result<u32, BuildError> {
        if text.is_empty() {
            return Ok(0);
        }
        self.bytes.extend_from_slice(text.as_bytes());
        let end = u32::try_from(self.bytes.len())
            .map_err(|_| BuildError::TooMany { what: "bytes of text", max: u32::MAX as usize })?;
        self.ends.push(end.into());
        Ok((self.ends.len() - 1) as u32)
    }

    /// Adds a text unless it is there.
    pub(super) fn intern(&mut self, text: &str) -> Result<u32, BuildError> {
        if let Some(&known) = self.known.get(text) {
            return Ok(known);
        }
        let added = self.add(text)?;
        self.known.insert(text.to_owned(), added);
        Ok(added)
    }
}

/// Puts the sections into one map, behind the header.
fn assemble(parts: &Parts, terms: &[TermsRow], placed: &Placed, id: [u8; 32]) -> Result<Index, BuildError> {
    fn bytes<T: IntoBytes + Immutable>(rows: &[T]) -> &[u8] {
        rows.as_bytes()
    }
    let tables = &placed.tables;
    // In the order of `Section`.
    let sections: [&[u8]; SECTIONS] = [
        &parts.texts.bytes,
        bytes(&parts.texts.ends),
        bytes(&parts.sources),
        bytes(&parts.owners),
        bytes(&parts.contacts),
        bytes(&parts.links),
        bytes(&parts.members),
        bytes(terms),
        bytes(&parts.rows4),
        bytes(&parts.rows6),
        bytes(&parts.wide),
        bytes(&parts.nexts),
        bytes(&parts.nodes),
        bytes(&parts.domains),
        bytes(&parts.names),
        bytes(&parts.asns),
        bytes(&placed.blocks4),
        bytes(&placed.ranks4),
        bytes(&placed.nets4),
        bytes(&placed.directory4),
        bytes(&placed.directory6),
        bytes(&placed.blocks6),
        bytes(&placed.bitmaps6),
        bytes(&tables.fans),
        bytes(&tables.leaves),
        bytes(&tables.details),
        bytes(&tables.keys64),
        bytes(&tables.heads64),
        bytes(&parts.surroundings.assignments4),
        bytes(&parts.surroundings.assignments6),
        bytes(&parts.surroundings.delegations),
        bytes(&parts.shared),
    ];
    let mut header = Header::new_zeroed();
    header.magic = MAGIC;
    header.version = VERSION.into();
    header.sections = (SECTIONS as u32).into();
    header.id = id;
    let mut end = layout::aligned(size_of::<Header>());
    for (extent, section) in header.extents.iter_mut().zip(&sections) {
        *extent = Extent { offset: (end as u64).into(), bytes: (section.len() as u64).into() };
        end = layout::aligned(end + section.len());
    }
    header.file_bytes = (end as u64).into();
    let mut map = MmapMut::map_anon(end).map_err(BuildError::Memory)?;
    map[..size_of::<Header>()].copy_from_slice(header.as_bytes());
    for (extent, section) in header.extents.iter().zip(&sections) {
        let offset = extent.offset.get() as usize;
        map[offset..offset + section.len()].copy_from_slice(section);
    }
    let checksum = super::file::checksum(&map);
    map[CHECKSUM_AT].copy_from_slice(&checksum);
    let map = map.make_read_only().map_err(BuildError::Memory)?;
    Ok(Index::new(map, &header))
}

const _: () = assert!(Section::Texts as usize == 0 && layout::ELEMENT_BYTES.len() == SECTIONS);
