//! The canonical order of a register: owners by lower-cased id, registrations by key, role, owner, dates, source, line.
//!
//! It makes the bytes of an index, and its id, independent of the order of the rows. All that later steps need of a registration is gathered
//! here in that order, since going back to the register for each costs a cache miss.

use std::collections::HashMap;

use super::build::check_size;
use super::errors::BuildError;
use super::layout::{NO_DAY, REGISTRATIONS_MAX, TERMS_MAX, TermsRow};
use crate::moment::Day;
use crate::net::{Asn, Family, Prefix, Range, special_blocks, special_exceptions};
use crate::register::{Key, Origins, Owner, Register, Registration};

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
    pub(super) fn of(owners: &[Owner]) -> Result<Self, BuildError> {
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

    /// Whether an organisation has several owners.
    pub(super) fn is_united(&self, organisation: u32) -> bool {
        let second = self.members_start[organisation as usize] as usize + 1;
        self.members.get(second).is_some_and(|&member| self.organisation[member as usize] == organisation)
    }

    /// The owners of an organisation, in order of appearance.
    pub(super) fn members_of(&self, organisation: u32) -> &[u32] {
        let from = &self.members[self.members_start[organisation as usize] as usize..];
        let count =
            from.iter().take_while(|&&member| self.organisation[member as usize] == organisation).count();
        &from[..count]
    }
}

/// Whether all of it is special.
fn is_special(range: Range) -> bool {
    let is_in = |blocks: &[Prefix]| blocks.iter().any(|block| block.range().contains(range));
    is_in(special_blocks()) && !is_in(special_exceptions())
}

/// The start of an id in lower case, which decides nearly every comparison.
fn id_start(id: &str) -> [u8; 16] {
    let mut start = [0; 16];
    for (to, from) in start.iter_mut().zip(id.bytes()) {
        *to = from.to_ascii_lowercase();
    }
    start
}

/// A registration in canonical order.
#[derive(Clone, Copy)]
pub(super) struct Entry<K> {
    /// First and last address, registered or announced; nothing for a domain or AS number.
    pub(super) key: K,
    /// Canonical position.
    pub(super) owner: u32,
    /// Position in [`Sorted::terms`].
    pub(super) terms: u32,
    pub(super) line: u32,
    /// Position in the register.
    pub(super) at: u32,
}

/// Registrations by kind, in canonical order, and their terms.
pub(super) struct Sorted {
    pub(super) v4: Vec<Entry<(u32, u32)>>,
    pub(super) v6: Vec<Entry<(u128, u128)>>,
    pub(super) domains: Vec<Entry<()>>,
    pub(super) asns: Vec<Entry<()>>,
    /// The different terms, ascending by role, dates, source.
    pub(super) terms: Vec<TermsRow>,
}

impl Sorted {
    pub(super) fn of(register: &Register, ranks: &Ranks) -> Result<Self, BuildError> {
        let mut sorted =
            Self { v4: Vec::new(), v6: Vec::new(), domains: Vec::new(), asns: Vec::new(), terms: Vec::new() };
        let mut terms = TermsTable::default();
        for (registration, at) in register.registrations.iter().zip(0..) {
            sorted.push(registration, at, ranks, &register.origins, &mut terms)?;
        }
        sorted.settle_terms(terms.rows);
        sorted.sort(register);
        Ok(sorted)
    }

    fn push(
        &mut self,
        registration: &Registration,
        at: u32,
        ranks: &Ranks,
        origins: &Origins,
        terms: &mut TermsTable,
    ) -> Result<(), BuildError> {
        let owner = *ranks.rank.get(registration.owner as usize).ok_or(BuildError::OwnerMissing)?;
        let line = registration.line;
        match &registration.key {
            Key::Range(range) => {
                let terms = terms.intern(registration, Asn(0))?;
                self.push_range(*range, Entry { key: (), owner, terms, line, at });
            }
            Key::Asn(asn) => {
                // No AS number holds what is special, whatever leaked into a table; wider prefixes are cut where all are.
                let announced: Vec<Range> =
                    origins.prefixes(*asn).map(Prefix::range).filter(|range| !is_special(*range)).collect();
                let expanded = if announced.is_empty() { Asn(0) } else { *asn };
                let terms = terms.intern(registration, expanded)?;
                let entry = Entry { key: (), owner, terms, line, at };
                self.asns.push(entry);
                announced.into_iter().for_each(|range| self.push_range(range, entry));
            }
            Key::Domain(_) => {
                let terms = terms.intern(registration, Asn(0))?;
                self.domains.push(Entry { key: (), owner, terms, line, at });
            }
        }
        check_size("registrations", self.v4.len() + self.v6.len(), REGISTRATIONS_MAX)
    }

    fn push_range(&mut self, range: Range, entry: Entry<()>) {
        let Entry { owner, terms, line, at, .. } = entry;
        let (first, last) = (range.first().bits(), range.last().bits());
        match range.family() {
            Family::V4 => self.v4.push(Entry { key: (first as u32, last as u32), owner, terms, line, at }),
            Family::V6 => self.v6.push(Entry { key: (first, last), owner, terms, line, at }),
        }
    }

    /// Puts the terms in order; so far they are in order of appearance.
    fn settle_terms(&mut self, rows: Vec<TermsRow>) {
        let mut order: Vec<u32> = (0..rows.len() as u32).collect();
        order.sort_unstable_by_key(|&terms| {
            let row = &rows[terms as usize];
            (
                row.role,
                row.valid_from.get(),
                row.valid_until.get(),
                row.verified.get(),
                row.source.get(),
                row.scope,
                row.asn.get(),
            )
        });
        let mut place = vec![0; rows.len()];
        for (&terms, canonical) in order.iter().zip(0..) {
            place[terms as usize] = canonical;
        }
        self.v4.iter_mut().for_each(|entry| entry.terms = place[entry.terms as usize]);
        self.v6.iter_mut().for_each(|entry| entry.terms = place[entry.terms as usize]);
        self.domains.iter_mut().for_each(|entry| entry.terms = place[entry.terms as usize]);
        self.asns.iter_mut().for_each(|entry| entry.terms = place[entry.terms as usize]);
        self.terms = order.into_iter().map(|terms| rows[terms as usize]).collect();
    }

    fn sort(&mut self, register: &Register) {
        let terms = &self.terms;
        self.v4.sort_unstable_by(|a, b| a.key.cmp(&b.key).then_with(|| a.rest(terms).cmp(&b.rest(terms))));
        self.v6.sort_unstable_by(|a, b| a.key.cmp(&b.key).then_with(|| a.rest(terms).cmp(&b.rest(terms))));
        let key = |entry: &Entry<()>| &register.registrations[entry.at as usize].key;
        for names in [&mut self.domains, &mut self.asns] {
            names.sort_unstable_by(|a, b| key(a).cmp(key(b)).then_with(|| a.rest(terms).cmp(&b.rest(terms))));
        }
    }
}

impl<K> Entry<K> {
    /// What orders registrations of one key. The line is last, so that it orders only what is equal.
    fn rest(&self, terms: &[TermsRow]) -> (u8, u32, u32, u32, u32) {
        (terms[self.terms as usize].role, self.owner, self.terms, self.line, self.at)
    }
}

/// The different terms, each once, in order of appearance.
#[derive(Default)]
struct TermsTable {
    rows: Vec<TermsRow>,
    known: HashMap<[u8; size_of::<TermsRow>()], u32>,
    last: u32,
}

impl TermsTable {
    fn intern(&mut self, registration: &Registration, announced: Asn) -> Result<u32, BuildError> {
        let day = |day: Option<Day>| day.map_or(NO_DAY, Day::number).into();
        let row = TermsRow {
            valid_from: day(registration.valid_from),
            valid_until: day(registration.valid_until),
            verified: day(registration.verified),
            source: registration.source.into(),
            role: registration.role as u8,
            scope: registration.scope as u8,
            asn: announced.0.into(),
        };
        if self.rows.get(self.last as usize) != Some(&row) {
            let new = self.rows.len() as u32;
            self.last = *self.known.entry(zerocopy::transmute!(row)).or_insert(new);
            if self.last == new {
                check_size(
                    "different combinations of role, source, scope and dates",
                    self.rows.len() + 1,
                    TERMS_MAX,
                )?;
                self.rows.push(row);
            }
        }
        Ok(self.last)
    }
}
