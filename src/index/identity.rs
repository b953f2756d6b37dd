//! The id of an index: what decides, and nothing else.
//!
//! BLAKE3 over, in this order, with every text preceded by its length and every list by its count:
//! 1. the special blocks and their exceptions, which decide what wider registrations hold;
//! 2. the owners by lower-cased id: id, name, constituency and ground, sector, contacts, links (as they stand), the first owner of the
//!    organisation, the place among its owners in order of appearance;
//! 3. the registrations by (IPv4, IPv6, domain, AS number), what registered AS numbers announce among the first two, then by key, role, owner,
//!    dates, source, scope, announcing AS number: all of these, the source as its place
//!    among those that have registrations, and the *turn*.
//! 4. the assignments, which alerts show: range, netname, owner;
//! 5. the addresses that serve many, by kind.
//!
//! The turn is the only trace of line numbers. Among claims of one organisation in one role, of equal size and from one source, the earlier
//! line is told; where such claims of different owners share an address, the turn is their order by line, and everywhere else it is 0.
//!
//! So file names, line numbers and the order of rows are no part of the id unless they change an outcome. The
//! intervals are a function of what is hashed and are not hashed again.

use std::collections::HashMap;

use super::layout::TermsRow;
use super::order::{Entry, Ranks, Sorted};
use crate::net::{self, Prefix};
use crate::register::{Key, Owner, Register};

/// The id of the index of this register.
pub(super) fn of_register(register: &Register, sorted: &Sorted, ranks: &Ranks) -> [u8; 32] {
    let mut id = Id::new();
    for blocks in [net::special_blocks(), net::special_exceptions()] {
        id.number(blocks.len() as u64);
        blocks.iter().for_each(|&block| id.prefix(block));
    }
    id.number(ranks.order.len() as u64);
    for (&position, canonical) in ranks.order.iter().zip(0..) {
        push_owner(&mut id, &register.owners[position as usize], canonical, ranks);
    }
    let places = source_places(&sorted.terms, register.sources.len());
    let turns = turns(register, sorted, ranks);
    let mut hash = Rest { terms: &sorted.terms, places, turns };
    for entry in &sorted.v4 {
        let (first, last) = (u128::from(entry.key.0), u128::from(entry.key.1));
        id.addresses(4, first, last);
        hash.push(&mut id, first, last, entry);
    }
    for entry in &sorted.v6 {
        id.addresses(6, entry.key.0, entry.key.1);
        hash.push(&mut id, entry.key.0, entry.key.1, entry);
    }
    for entry in sorted.domains.iter().chain(&sorted.asns) {
        match &register.registrations[entry.at as usize].key {
            Key::Domain(domain) => {
                id.number(1);
                id.text(domain);
            }
            Key::Asn(asn) => {
                id.number(2);
                id.number(u64::from(asn.0));
            }
            Key::Range(_) => {}
        }
        hash.push(&mut id, 0, 0, entry);
    }
    for assignment in register.assignments.iter() {
        let range = assignment.range;
        id.addresses(3, range.first().bits(), range.last().bits());
        id.text(&assignment.netname);
        id.number(u64::from(ranks.rank[assignment.owner as usize]));
    }
    for &(range, kind) in register.shared.ranges() {
        id.addresses(5, range.first().bits(), range.last().bits());
        id.number(u64::from(range.family().address_bits()) << 8 | kind as u64);
    }
    id.finish()
}

fn push_owner(id: &mut Id, owner: &Owner, canonical: u32, ranks: &Ranks) {
    id.text(owner.id.as_str());
    id.text(owner.name.as_deref().unwrap_or_default());
    let ground = owner.ground.map_or(0, |ground| ground as u64 + 1);
    id.number(owner.constituency.map_or(0, |constituency| constituency as u64 + 1) | ground << 8);
    id.text(owner.sector.as_deref().unwrap_or_default());
    id.number(owner.contacts.len() as u64);
    owner.contacts.iter().for_each(|contact| id.text(contact));
    id.number(owner.links.len() as u64);
    owner.links.iter().for_each(|link| id.text(link.as_str()));
    let organisation = ranks.organisation[canonical as usize];
    let members = ranks.members_of(organisation);
    id.number(u64::from(organisation));
    id.number(members.iter().take_while(|&&member| member != canonical).count() as u64);
}

/// What is hashed of a registration besides its key.
struct Rest<'s> {
    terms: &'s [TermsRow],
    places: Vec<u32>,
    turns: HashMap<Turning, u32>,
}

/// What has a turn: the position of a registration in the register, and the first address and size of what it holds there, since an
/// AS number holds all that it announces.
type Turning = (u32, u128, u128);

impl Rest<'_> {
    fn push<K>(&mut self, id: &mut Id, first: u128, last: u128, entry: &Entry<K>) {
        let terms = &self.terms[entry.terms as usize];
        let turn = self.turns.get(&(entry.at, first, last - first)).copied().unwrap_or(0);
        let mut bytes = [0; 32];
        bytes[28..].copy_from_slice(&terms.asn.get().to_le_bytes());
        bytes[..4].copy_from_slice(&entry.owner.to_le_bytes());
        bytes[4..8].copy_from_slice(&terms.valid_from.get().to_le_bytes());
        bytes[8..12].copy_from_slice(&terms.valid_until.get().to_le_bytes());
        bytes[12..16].copy_from_slice(&terms.verified.get().to_le_bytes());
        bytes[16..20].copy_from_slice(&self.places[usize::from(terms.source.get())].to_le_bytes());
        bytes[20..24].copy_from_slice(&turn.to_le_bytes());
        bytes[24] = terms.role;
        bytes[25] = terms.scope;
        id.bytes(&bytes);
    }
}

/// The place of each source among those that have registrations.
fn source_places(terms: &[TermsRow], sources: usize) -> Vec<u32> {
    let highest = terms.iter().map(|terms| usize::from(terms.source.get()) + 1).max().unwrap_or(0);
    let mut used = vec![false; sources.max(highest)];
    for terms in terms {
        used[usize::from(terms.source.get())] = true;
    }
    let mut next = 0;
    let place = |used: bool| {
        let place = next;
        next += u32::from(used);
        place
    };
    used.into_iter().map(place).collect()
}

/// The turns that are not 0, by position in the register.
fn turns(register: &Register, sorted: &Sorted, ranks: &Ranks) -> HashMap<Turning, u32> {
    let mut claims = Claims { claims: Vec::new(), terms: &sorted.terms, ranks };
    sorted
        .v4
        .iter()
        .for_each(|entry| claims.push(0, u128::from(entry.key.0), u128::from(entry.key.1), entry));
    sorted.v6.iter().for_each(|entry| claims.push(1, entry.key.0, entry.key.1, entry));
    let key = |entry: &Entry<()>| &register.registrations[entry.at as usize].key;
    for names in [&sorted.domains, &sorted.asns] {
        // Equal keys are neighbours; each gets a kind of its own, so that others do not touch it.
        for group in names.chunk_by(|a, b| key(a) == key(b)) {
            group.iter().for_each(|entry| claims.push(2 + group[0].at, 0, 0, entry));
        }
    }
    claims.settle()
}

/// What decides whether line numbers can: equal but for the addresses.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Claim {
    kind: u32,
    organisation: u32,
    role: u8,
    source: u16,
    size: u128,
    first: u128,
    owner: u32,
    line: u32,
    /// The place in canonical order: what else decides must not depend on the order of rows.
    canonical: u32,
    at: u32,
}

/// The claims of organisations that have several owners; only theirs have turns.
struct Claims<'s> {
    claims: Vec<Claim>,
    terms: &'s [TermsRow],
    ranks: &'s Ranks,
}

impl Claims<'_> {
    fn push<K>(&mut self, kind: u32, first: u128, last: u128, entry: &Entry<K>) {
        let &Entry { owner, terms, line, at, .. } = entry;
        let organisation = self.ranks.organisation[owner as usize];
        if self.ranks.is_united(organisation) {
            let terms = &self.terms[terms as usize];
            let (role, source, size) = (terms.role, terms.source.get(), last - first);
            let canonical = self.claims.len() as u32;
            self.claims.push(Claim {
                kind,
                organisation,
                role,
                source,
                size,
                first,
                owner,
                line,
                canonical,
                at,
            });
        }
    }

    fn settle(mut self) -> HashMap<Turning, u32> {
        let mut turns = HashMap::new();
        self.claims.sort_unstable();
        let group = |claim: &Claim| (claim.kind, claim.organisation, claim.role, claim.source, claim.size);
        let touch = |a: &Claim, b: &Claim| group(a) == group(b) && b.first - a.first <= a.size;
        for rivals in self.claims.chunk_by_mut(touch) {
            if rivals.iter().all(|claim| claim.owner == rivals[0].owner) {
                continue;
            }
            rivals.sort_unstable_by_key(|claim| (claim.line, claim.canonical));
            turns.extend(
                rivals.iter().zip(0..).map(|(claim, turn)| ((claim.at, claim.first, claim.size), turn)),
            );
        }
        turns
    }
}

/// The hash, fed with parts that cannot run into each other.
struct Id {
    hasher: blake3::Hasher,
    buffer: Vec<u8>,
}

impl Id {
    fn new() -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"dijkwacht index 1\n");
        Self { hasher, buffer: Vec::with_capacity(2 * BUFFER_BYTES) }
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= BUFFER_BYTES {
            self.hasher.update(&self.buffer);
            self.buffer.clear();
        }
    }

    fn addresses(&mut self, version: u64, first: u128, last: u128) {
        self.number(version);
        self.bytes(&first.to_le_bytes());
        self.bytes(&last.to_le_bytes());
    }

    fn number(&mut self, number: u64) {
        self.bytes(&number.to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.bytes(text.as_bytes());
    }

    fn prefix(&mut self, prefix: Prefix) {
        self.bytes(&prefix.first().bits().to_le_bytes());
        self.number(u64::from(prefix.family().address_bits()) << 8 | u64::from(prefix.length()));
    }

    fn finish(mut self) -> [u8; 32] {
        self.hasher.update(&self.buffer);
        self.hasher.finalize().into()
    }
}

/// Small parts are gathered up to this, since hashing them one by one is slow.
const BUFFER_BYTES: usize = 1 << 16;
