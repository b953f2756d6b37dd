//! From a register to the bytes of an index.
//!
//! Everything is brought into canonical order first (owners by lower-cased id, registrations by range, role, owner, dates, source, line),
//! so that the bytes do not depend on the order of the rows; then flattened, laid out, and put into one map.

use std::cmp::Ordering;
use std::collections::HashMap;

use memmap2::MmapMut;
use roaring::RoaringBitmap;
use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromZeros, Immutable, IntoBytes};

use super::Index;
use super::coverage;
use super::errors::BuildError;
use super::flatten::{Bits, Lists, Piece, flatten};
use super::identity;
use super::layout::{
    self, BITMAP6_WORDS, BLOCKS4_WORDS, BlockRow, CHECKSUM_AT, DETAIL, Extent, Header, IN_WIDE, KeyRow,
    MAGIC, NO_CONSTITUENCY, NO_DAY, NodeRow, OWNERS_MAX, OwnerRow, REGISTRATIONS_MAX, Row4, Row6, SECTIONS,
    Section, TERMS_MAX, TermsRow, VERSION, WideRow,
};
use super::tables::Tables;
use crate::moment::Day;
use crate::net::{self, Address, Family, Range};
use crate::register::{Key, Owner, Register, Registration};

/// The sections of an index while it is built.
#[derive(Default)]
pub(super) struct Parts {
    texts: Texts,
    sources: Vec<U32>,
    owners: Vec<OwnerRow>,
    contacts: Vec<U32>,
    links: Vec<U32>,
    members: Vec<U32>,
    terms: TermsTable,
    rows4: Vec<Row4>,
    rows6: Vec<Row6>,
    wide: Vec<WideRow>,
    nodes: Vec<NodeRow>,
    domains: Vec<KeyRow>,
    asns: Vec<KeyRow>,
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
    let ranks = push_owners(&mut parts, &register.owners)?;
    let sorted = Sorted::of(register, &ranks)?;
    push_names(&mut parts, register, &sorted, &ranks)?;
    let placed = push_ranges(&mut parts, register, &sorted, &ranks)?;
    let id = identity::of_register(register, &sorted, &ranks);
    assemble(&parts, &placed, id)
}

fn check_size(what: &'static str, found: usize, max: usize) -> Result<(), BuildError> {
    if found > max { Err(BuildError::TooMany { what, max }) } else { Ok(()) }
}

/// Owners in canonical order: by lower-cased id.
pub(super) struct Ranks {
    /// Positions in the register, in canonical order.
    pub(super) order: Vec<u32>,
    /// Canonical position of each owner of the register.
    pub(super) rank: Vec<u32>,
    /// Canonical position of the first owner of the organisation, by canonical position.
    pub(super) organisation: Vec<u32>,
    /// Owners by organisation, each in order of appearance.
    pub(super) members: Vec<u32>,
    /// Where an organisation's members start, by canonical position of its first owner; the rest is unused.
    pub(super) members_start: Vec<u32>,
}

impl Ranks {
    fn of(owners: &[Owner]) -> Result<Self, BuildError> {
        let mut keyed: Vec<([u8; 16], u32)> =
            owners.iter().zip(0..).map(|(owner, position)| (id_start(owner.id.as_str()), position)).collect();
        keyed.sort_unstable_by(|a, b| {
            let ids = || {
                let id = |position: u32| {
                    owners[position as usize].id.as_str().bytes().map(|byte| byte.to_ascii_lowercase())
                };
                id(a.1).cmp(id(b.1))
            };
            a.0.cmp(&b.0).then_with(ids).then(a.1.cmp(&b.1))
        });
        let order: Vec<u32> = keyed.into_iter().map(|(_, position)| position).collect();
        let mut rank = vec![0; order.len()];
        for (&position, canonical) in order.iter().zip(0..) {
            rank[position as usize] = canonical;
        }
        Self::unite(owners, order, rank)
    }

    /// Finds the members of each organisation.
    fn unite(owners: &[Owner], order: Vec<u32>, rank: Vec<u32>) -> Result<Self, BuildError> {
        let mut first_of = vec![u32::MAX; owners.len()];
        let mut organisation = Vec::with_capacity(owners.len());
        for (&position, canonical) in order.iter().zip(0..) {
            let group = owners[position as usize].organisation as usize;
            let first = first_of.get_mut(group).ok_or(BuildError::OwnerMissing)?;
            if *first == u32::MAX {
                *first = canonical;
            }
            organisation.push(*first);
        }
        let mut members: Vec<u32> = (0..owners.len() as u32).collect();
        members.sort_by_key(|&canonical| {
            let owner = &owners[order[canonical as usize] as usize];
            (organisation[canonical as usize], owner.source, owner.line, canonical)
        });
        let mut members_start = vec![0; owners.len()];
        for (&canonical, at) in members.iter().zip(0..members.len() as u32).rev() {
            members_start[organisation[canonical as usize] as usize] = at;
        }
        Ok(Self { order, rank, organisation, members, members_start })
    }

    /// The owners of an organisation, in order of appearance.
    pub(super) fn members_of(&self, organisation: u32) -> &[u32] {
        let from = &self.members[self.members_start[organisation as usize] as usize..];
        let count =
            from.iter().take_while(|&&member| self.organisation[member as usize] == organisation).count();
        &from[..count]
    }
}

/// The start of an id in lower case, which decides nearly every comparison.
fn id_start(id: &str) -> [u8; 16] {
    let mut start = [0; 16];
    for (to, from) in start.iter_mut().zip(id.bytes()) {
        *to = from.to_ascii_lowercase();
    }
    start
}

fn push_owners(parts: &mut Parts, owners: &[Owner]) -> Result<Ranks, BuildError> {
    let ranks = Ranks::of(owners)?;
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
            zero: 0,
        });
    }
    check_size("contacts", parts.contacts.len(), u32::MAX as usize)?;
    check_size("links", parts.links.len(), u32::MAX as usize)?;
    parts.members = ranks.members.iter().map(|&member| U32::new(member)).collect();
    Ok(ranks)
}

/// Registrations (positions in the register) by kind, in canonical order.
pub(super) struct Sorted {
    pub(super) v4: Vec<(u32, u32, u32)>,
    pub(super) v6: Vec<(u128, u128, u32)>,
    pub(super) domains: Vec<u32>,
    pub(super) asns: Vec<u32>,
}

impl Sorted {
    fn of(register: &Register, ranks: &Ranks) -> Result<Self, BuildError> {
        let all = &register.registrations;
        let mut sorted =
            Self { v4: Vec::with_capacity(all.len()), v6: Vec::new(), domains: Vec::new(), asns: Vec::new() };
        for (registration, at) in all.iter().zip(0..) {
            if registration.owner as usize >= ranks.rank.len() {
                return Err(BuildError::OwnerMissing);
            }
            match registration.key {
                Key::Range(range) => {
                    let (first, last) = (range.first().bits(), range.last().bits());
                    match range.family() {
                        Family::V4 => sorted.v4.push((first as u32, last as u32, at)),
                        Family::V6 => sorted.v6.push((first, last, at)),
                    }
                }
                Key::Asn(_) => sorted.asns.push(at),
                Key::Domain(_) => sorted.domains.push(at),
            }
        }
        let rest = |a: u32, b: u32| canonical_rest(&all[a as usize], &all[b as usize], ranks).then(a.cmp(&b));
        sorted.v4.sort_unstable_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)).then_with(|| rest(a.2, b.2)));
        sorted.v6.sort_unstable_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)).then_with(|| rest(a.2, b.2)));
        let keys = |a: &u32, b: &u32| {
            compare_keys(&all[*a as usize].key, &all[*b as usize].key).then_with(|| rest(*a, *b))
        };
        sorted.domains.sort_unstable_by(keys);
        sorted.asns.sort_unstable_by(keys);
        Ok(sorted)
    }
}

/// The canonical order of registrations of one key; line numbers last, so that they order only what is equal.
fn canonical_rest(a: &Registration, b: &Registration, ranks: &Ranks) -> Ordering {
    let key = |registration: &Registration| {
        let owner = ranks.rank[registration.owner as usize];
        let dates = (registration.valid_from, registration.valid_until, registration.verified);
        (registration.role, owner, dates, registration.source, registration.line)
    };
    key(a).cmp(&key(b))
}

fn compare_keys(a: &Key, b: &Key) -> Ordering {
    match (a, b) {
        (Key::Domain(a), Key::Domain(b)) => a.cmp(b),
        (Key::Asn(a), Key::Asn(b)) => a.cmp(b),
        _ => Ordering::Equal,
    }
}

fn push_names(
    parts: &mut Parts,
    register: &Register,
    sorted: &Sorted,
    ranks: &Ranks,
) -> Result<(), BuildError> {
    for &at in sorted.domains.iter().chain(&sorted.asns) {
        let registration = &register.registrations[at as usize];
        let (key, rows) = match &registration.key {
            Key::Domain(domain) => (parts.texts.intern(domain)?, &mut parts.domains),
            Key::Asn(asn) => (asn.0, &mut parts.asns),
            Key::Range(_) => continue,
        };
        rows.push(KeyRow {
            key: key.into(),
            owner: ranks.rank[registration.owner as usize].into(),
            terms: parts.terms.intern(registration)?.into(),
            line: registration.line.into(),
        });
    }
    Ok(())
}

/// The lookup structures of both families.
struct Placed {
    tables: Tables,
    directory4: Vec<U32>,
    blocks4: Vec<U64>,
    directory6: Vec<U16>,
    blocks6: Vec<BlockRow>,
    bitmaps6: Vec<U64>,
}

fn push_ranges(
    parts: &mut Parts,
    register: &Register,
    sorted: &Sorted,
    ranks: &Ranks,
) -> Result<Placed, BuildError> {
    let all = &register.registrations;
    let base6 = sorted.v4.len() as u32;
    let mut lists = Lists::new(sorted.v4.len() + sorted.v6.len());
    let intervals4 = intervals(&sorted.v4, 0, all, &mut lists).map_err(|at| crossing(register, at))?;
    let intervals6 = intervals(&sorted.v6, base6, all, &mut lists).map_err(|at| crossing(register, at))?;
    let (nexts, nodes) = lists.finish();
    if nexts.len() + nodes.len() >= DETAIL as usize {
        return Err(BuildError::TooMany { what: "list nodes", max: DETAIL as usize - 1 });
    }
    parts.nodes = nodes;
    let (nexts4, nexts6) = nexts.split_at(sorted.v4.len());
    for (&(first, last, at), &next) in sorted.v4.iter().zip(nexts4) {
        let registration = &all[at as usize];
        parts.rows4.push(Row4 {
            first: first.into(),
            last: last.into(),
            next: next.into(),
            owner: ranks.rank[registration.owner as usize].into(),
            terms: parts.terms.intern(registration)?.into(),
            line: registration.line.into(),
        });
    }
    for (&(first, last, at), &next) in sorted.v6.iter().zip(nexts6) {
        push_row6(parts, first, last, next, &all[at as usize], ranks)?;
    }
    place(&intervals4, &intervals6)
}

fn push_row6(
    parts: &mut Parts,
    first: u128,
    last: u128,
    next: u32,
    registration: &Registration,
    ranks: &Ranks,
) -> Result<(), BuildError> {
    let length = (first ^ last).leading_zeros();
    let (high, length) = if length <= 64 && layout::prefix6((first >> 64) as u64, length) == (first, last) {
        ((first >> 64) as u64, length)
    } else {
        parts.wide.push(WideRow { first: first.into(), last: last.into() });
        (parts.wide.len() as u64 - 1, IN_WIDE)
    };
    parts.rows6.push(Row6 {
        high: high.into(),
        next: next.into(),
        owner: ranks.rank[registration.owner as usize].into(),
        terms_and_length: (parts.terms.intern(registration)? << 8 | length).into(),
        line: registration.line.into(),
    });
    Ok(())
}

/// Flattens the sorted ranges of one family, whose registrations are numbered from `base`; the error is a position in the register.
fn intervals<K: FromAddress + Into<u128>>(
    sorted: &[(K, K, u32)],
    base: u32,
    all: &[Registration],
    lists: &mut Lists,
) -> Result<Vec<(K, u32)>, u32> {
    let place = |registration: u32| {
        let (first, last, at) = sorted[(registration - base) as usize];
        let row = &all[at as usize];
        (last.into() - first.into(), row.source, row.line, registration)
    };
    let precedes = |a: u32, b: u32| place(a) < place(b);
    let specials: Vec<(K, K)> = net::special_blocks()
        .iter()
        .filter(|block| block.family() == K::FAMILY)
        .map(|block| (K::from_address(block.first()), K::from_address(block.last())))
        .collect();
    let mut pieces = Vec::with_capacity(sorted.len());
    for (&(first, last, at), registration) in sorted.iter().zip(base..) {
        let near = specials.partition_point(|&(_, block_last)| block_last < first);
        if specials.get(near).is_none_or(|&(block_first, _)| block_first > last) {
            pieces.push(Piece { first, last, registration });
        } else if let Key::Range(range) = all[at as usize].key {
            push_held(&mut pieces, range, registration);
        }
    }
    // Mostly in order already: the sort finds runs. Widest first where several start at one address.
    pieces.sort_by(|a, b| {
        a.first.cmp(&b.first).then_with(|| place(b.registration).cmp(&place(a.registration)))
    });
    flatten(&pieces, precedes, lists).map_err(|crossing| sorted[(crossing.registration - base) as usize].2)
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

fn crossing(register: &Register, at: u32) -> BuildError {
    let registration = &register.registrations[at as usize];
    let source = register.sources.get(usize::from(registration.source)).cloned().unwrap_or_default();
    BuildError::Crossing { source, line: registration.line }
}

fn place(intervals4: &[(u32, u32)], intervals6: &[(u128, u32)]) -> Result<Placed, BuildError> {
    let mut tables = Tables::new();
    let directory4 = tables.directory4(intervals4);
    let blocks4 = coverage::blocks4(intervals4);
    let mut words4 = vec![U64::new(0); BLOCKS4_WORDS];
    for block in blocks4 {
        words4[block as usize >> 6] |= U64::new(1 << (block & 63));
    }
    let mut placed = Placed {
        tables,
        directory4,
        blocks4: words4,
        directory6: Vec::new(),
        blocks6: Vec::new(),
        bitmaps6: Vec::new(),
    };
    place6(&mut placed, intervals6);
    placed.tables.finish();
    if placed.tables.slots.len() >= 1 << 28 {
        return Err(BuildError::TooMany { what: "lookup slots", max: 1 << 28 });
    }
    Ok(placed)
}

/// Lays out the IPv6 intervals; /16s that look alike (those that hold nothing, those of one wide registration) share a block.
fn place6(placed: &mut Placed, intervals: &[(u128, u32)]) {
    let coverage = coverage::blocks6(intervals);
    let (mut none, mut all) = (None, None);
    let mut blocks = HashMap::new();
    let mut rest = intervals;
    let mut head = 0;
    for high in 0..1u32 << 16 {
        let count = rest.iter().take_while(|&&(first, _)| (first >> 112) as u32 == high).count();
        let (here, after) = rest.split_at(count);
        rest = after;
        let inner = match *here {
            [] => head,
            [(first, head)] if first.trailing_zeros() >= 112 => head,
            _ => placed.tables.nest(here, 96, head),
        };
        head = here.last().map_or(head, |&(_, head)| head);
        let bitmap = match coverage.range_cardinality(high << 16..=high << 16 | 0xffff) {
            0 => *none.get_or_insert_with(|| push_bitmap6(placed, [0; BITMAP6_WORDS])),
            0x1_0000 => *all.get_or_insert_with(|| push_bitmap6(placed, [u64::MAX; BITMAP6_WORDS])),
            _ => push_bitmap6(placed, bitmap6(&coverage, high)),
        };
        let block = *blocks.entry((bitmap, inner)).or_insert_with(|| {
            placed.blocks6.push(BlockRow { bitmap: bitmap.into(), head: inner.into() });
            (placed.blocks6.len() - 1) as u16
        });
        placed.directory6.push(block.into());
    }
}

fn push_bitmap6(placed: &mut Placed, words: [u64; BITMAP6_WORDS]) -> u32 {
    placed.bitmaps6.extend(words.map(U64::new));
    (placed.bitmaps6.len() / BITMAP6_WORDS - 1) as u32
}

/// One bit for each /32 of the /16 that holds anything.
fn bitmap6(coverage: &RoaringBitmap, high: u32) -> [u64; BITMAP6_WORDS] {
    let mut words = [0; BITMAP6_WORDS];
    for block in coverage.range(high << 16..=high << 16 | 0xffff) {
        words[(block & 0xffff) as usize >> 6] |= 1 << (block & 63);
    }
    words
}

/// Texts, each cut out of one by its end; text 0 is the empty one.
struct Texts {
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
    fn add(&mut self, text: &str) -> Result<u32, BuildError> {
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
    fn intern(&mut self, text: &str) -> Result<u32, BuildError> {
        if let Some(&known) = self.known.get(text) {
            return Ok(known);
        }
        let added = self.add(text)?;
        self.known.insert(text.to_owned(), added);
        Ok(added)
    }
}

/// The different terms, each once.
#[derive(Default)]
struct TermsTable {
    rows: Vec<TermsRow>,
    known: HashMap<[u8; size_of::<TermsRow>()], u32>,
}

impl TermsTable {
    fn intern(&mut self, registration: &Registration) -> Result<u32, BuildError> {
        let day = |day: Option<Day>| day.map_or(NO_DAY, Day::number).into();
        let row = TermsRow {
            valid_from: day(registration.valid_from),
            valid_until: day(registration.valid_until),
            verified: day(registration.verified),
            source: registration.source.into(),
            role: registration.role as u8,
            zero: 0,
        };
        if self.rows.last() == Some(&row) {
            return Ok((self.rows.len() - 1) as u32);
        }
        let known = *self.known.entry(zerocopy::transmute!(row)).or_insert(self.rows.len() as u32);
        if known as usize == self.rows.len() {
            check_size("different combinations of role, source and dates", self.rows.len() + 1, TERMS_MAX)?;
            self.rows.push(row);
        }
        Ok(known)
    }
}

/// Puts the sections into one map, behind the header.
fn assemble(parts: &Parts, placed: &Placed, id: [u8; 32]) -> Result<Index, BuildError> {
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
        bytes(&parts.terms.rows),
        bytes(&parts.rows4),
        bytes(&parts.rows6),
        bytes(&parts.wide),
        bytes(&parts.nodes),
        bytes(&parts.domains),
        bytes(&parts.asns),
        bytes(&placed.blocks4),
        bytes(&placed.directory4),
        bytes(&placed.directory6),
        bytes(&placed.blocks6),
        bytes(&placed.bitmaps6),
        bytes(&tables.tables),
        bytes(&tables.slots),
        bytes(&tables.keys),
        bytes(&tables.heads),
        bytes(&tables.details),
        bytes(&tables.keys64),
        bytes(&tables.heads64),
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
