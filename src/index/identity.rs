//! The id of an index: what decides, and nothing else.
//!
//! BLAKE3 over, in this order, with every text preceded by its length and every list by its count:
//! 1. the special blocks and their exceptions, which decide what wider registrations hold;
//! 2. the owners by lower-cased id: id, name, constituency, sector, contacts, links (as they stand), the first owner of the
//!    organisation, the place among its owners in order of appearance;
//! 3. the registrations by (IPv4, IPv6, domain, AS number), then by key, role, owner, dates, source: all of these, the source as its place
//!    among those that have registrations, and the *turn*.
//!
//! The turn is the only trace of line numbers. Among claims of one organisation in one role, of equal size and from one source, the earlier
//! line is told; where such claims of different owners share an address, the turn is their order by line, and everywhere else it is 0.
//!
//! So file names, line numbers and the order of rows are no part of the id unless they change an outcome. The
//! intervals are a function of what is hashed and are not hashed again.

use std::collections::HashMap;

use super::build::{Ranks, Sorted};
use crate::moment::Day;
use crate::net::{self, Prefix};
use crate::register::{Key, Owner, Register, Registration, Role};

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
    let all = &register.registrations;
    let places = source_places(all, register.sources.len());
    let turns = turns(all, sorted, ranks);
    let mut push = |at: u32| {
        let registration = &all[at as usize];
        push_registration(&mut id, registration, ranks);
        id.number(u64::from(places[usize::from(registration.source)]));
        id.number(u64::from(turns.get(&at).copied().unwrap_or(0)));
    };
    sorted.v4.iter().for_each(|&(_, _, at)| push(at));
    sorted.v6.iter().for_each(|&(_, _, at)| push(at));
    sorted.domains.iter().for_each(|&at| push(at));
    sorted.asns.iter().for_each(|&at| push(at));
    id.finish()
}

fn push_owner(id: &mut Id, owner: &Owner, canonical: u32, ranks: &Ranks) {
    id.text(owner.id.as_str());
    id.text(owner.name.as_deref().unwrap_or_default());
    id.number(owner.constituency.map_or(0, |constituency| constituency as u64 + 1));
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

fn push_registration(id: &mut Id, registration: &Registration, ranks: &Ranks) {
    match &registration.key {
        Key::Range(range) => {
            id.number(u64::from(range.first().family().address_bits()));
            id.bytes(&range.first().bits().to_le_bytes());
            id.bytes(&range.last().bits().to_le_bytes());
        }
        Key::Domain(domain) => {
            id.number(1);
            id.text(domain);
        }
        Key::Asn(asn) => {
            id.number(2);
            id.number(u64::from(asn.0));
        }
    }
    id.number(registration.role as u64);
    id.number(u64::from(ranks.rank[registration.owner as usize]));
    for day in [registration.valid_from, registration.valid_until, registration.verified] {
        id.number(day.map_or(0, |day: Day| u64::from(day.number() as u32) + 1));
    }
}

/// The place of each source among those that have registrations.
fn source_places(all: &[Registration], sources: usize) -> Vec<u32> {
    let highest = all.iter().map(|registration| usize::from(registration.source) + 1).max().unwrap_or(0);
    let mut used = vec![false; sources.max(highest)];
    for registration in all {
        used[usize::from(registration.source)] = true;
    }
    let mut next = 0;
    used.into_iter()
        .map(|used| {
            let place = next;
            next += u32::from(used);
            place
        })
        .collect()
}

/// The turns that are not 0, by position in the register.
fn turns(all: &[Registration], sorted: &Sorted, ranks: &Ranks) -> HashMap<u32, u32> {
    let mut turns = HashMap::new();
    let mut claims: Vec<Claim> = Vec::new();
    let ranges = sorted.v4.iter().map(|&(first, last, at)| (u128::from(first), u128::from(last), at));
    push_claims(&mut claims, 0, ranges, all, ranks);
    push_claims(&mut claims, 1, sorted.v6.iter().copied(), all, ranks);
    let named = |at: &u32| (0, 0, *at);
    for names in [&sorted.domains, &sorted.asns] {
        // Equal keys are neighbours; their position stands in for an address.
        let same = |a: &u32, b: &u32| all[*a as usize].key == all[*b as usize].key;
        for (group, kind) in names.chunk_by(same).zip(2u128..) {
            push_claims(&mut claims, kind, group.iter().map(named), all, ranks);
        }
        settle(&mut claims, &mut turns);
    }
    settle(&mut claims, &mut turns);
    turns
}

/// What decides whether line numbers can: equal but for the addresses.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Claim {
    kind: u128,
    organisation: u32,
    role: Role,
    source: u16,
    size: u128,
    first: u128,
    owner: u32,
    line: u32,
    at: u32,
}

/// Appends the claims of organisations that have several owners; only theirs have turns.
fn push_claims(
    claims: &mut Vec<Claim>,
    kind: u128,
    ranges: impl Iterator<Item = (u128, u128, u32)>,
    all: &[Registration],
    ranks: &Ranks,
) {
    claims.extend(ranges.filter_map(|(first, last, at)| {
        let registration = &all[at as usize];
        let owner = ranks.rank[registration.owner as usize];
        let organisation = ranks.organisation[owner as usize];
        let united = ranks.members_of(organisation).len() > 1;
        let (role, source, line) = (registration.role, registration.source, registration.line);
        united.then_some(Claim {
            kind,
            organisation,
            role,
            source,
            size: last - first,
            first,
            owner,
            line,
            at,
        })
    }));
}

/// Gives the claims their turns and forgets them.
fn settle(claims: &mut Vec<Claim>, turns: &mut HashMap<u32, u32>) {
    claims.sort_unstable();
    let touch = |a: &Claim, b: &Claim| {
        (a.kind, a.organisation, a.role, a.source, a.size)
            == (b.kind, b.organisation, b.role, b.source, b.size)
            && b.first - a.first <= a.size
    };
    for rivals in claims.chunk_by_mut(touch) {
        if rivals.iter().all(|claim| claim.owner == rivals[0].owner) {
            continue;
        }
        rivals.sort_unstable_by_key(|claim| (claim.line, claim.owner, claim.first, claim.at));
        turns.extend(rivals.iter().zip(0..).map(|(claim, turn)| (claim.at, turn)));
    }
    claims.clear();
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
