//! What an index knows besides registrations: whose customer has which addresses, and which space is Dutch. Read when a line is written,
//! never to decide.
//!
//! Assignments stand by first address, the wider one first, each with the place of the nearest one around it. The one that starts last
//! before an address holds it, or one around that does, or none.

use std::cmp::Reverse;

use zerocopy::little_endian::U32;

use super::build::{Texts, check_size};
use super::coverage::range_of;
use super::errors::BuildError;
use super::layout::{AssignmentRow4, AssignmentRow6, DelegationRow, Section};
use super::order::Ranks;
use super::{Index, OwnerIx};
use crate::net::{Address, Family, Range};
use crate::register::Register;

/// A customer of an abuse desk: a network without a contact of its own, inside the desk's registration.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Assignment<'i> {
    /// Its addresses.
    pub range: Range,
    /// What the RIPE database calls the network; may be empty.
    pub netname: &'i str,
    /// The desk. Nobody else may be told.
    pub owner: OwnerIx,
}

/// A block of Dutch space.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DutchBlock<'i> {
    /// Its addresses.
    pub range: Range,
    /// The registry's opaque id of who holds it, equal for all blocks of one holder.
    pub holder: Option<&'i str>,
}

/// The sections of all this while they are built.
#[derive(Default)]
pub(super) struct Surroundings {
    pub(super) assignments4: Vec<AssignmentRow4>,
    pub(super) assignments6: Vec<AssignmentRow6>,
    pub(super) delegations: Vec<DelegationRow>,
}

impl Surroundings {
    pub(super) fn of(register: &Register, ranks: &Ranks, texts: &mut Texts) -> Result<Self, BuildError> {
        let assignments = &register.assignments;
        check_size("assignments", assignments.len(), u32::MAX as usize - 1)?;
        let mut surroundings = Self::default();
        let mut known = vec![0; assignments.netnames()];
        for assignment in assignments.iter() {
            let text = &mut known[assignment.netname_number as usize];
            if *text == 0 {
                *text = texts.add(&assignment.netname)?;
            }
            let owner = *ranks.rank.get(assignment.owner as usize).ok_or(BuildError::OwnerMissing)?;
            surroundings.push(assignment.range, *text, owner);
        }
        surround(&mut surroundings.assignments4);
        surround(&mut surroundings.assignments6);
        for block in register.delegations.blocks() {
            let holder = texts.intern(block.holder.as_deref().unwrap_or_default())?;
            surroundings.delegations.push(DelegationRow {
                first: block.range.first().bits().into(),
                last: block.range.last().bits().into(),
                holder: holder.into(),
                address_bits: u32::from(block.range.family().address_bits()).into(),
            });
        }
        Ok(surroundings)
    }

    fn push(&mut self, range: Range, netname: u32, owner: u32) {
        let (first, last) = (range.first().bits(), range.last().bits());
        let (netname, owner, around) = (netname.into(), owner.into(), U32::ZERO);
        match range.family() {
            Family::V4 => {
                let (first, last) = ((first as u32).into(), (last as u32).into());
                self.assignments4.push(AssignmentRow4 { first, last, netname, owner, around });
            }
            Family::V6 => {
                let (first, last) = (first.into(), last.into());
                self.assignments6.push(AssignmentRow6 { first, last, netname, owner, around });
            }
        }
    }
}

/// A row of either family.
trait Row {
    const FAMILY: Family;
    fn ends(&self) -> (u128, u128);
    fn netname(&self) -> u32;
    fn owner(&self) -> u32;
    /// The place, from 1, of the nearest row around it; 0: none.
    fn around(&self) -> u32;
    fn put_around(&mut self, place: u32);
}

impl Row for AssignmentRow4 {
    const FAMILY: Family = Family::V4;
    fn ends(&self) -> (u128, u128) {
        (self.first.get().into(), self.last.get().into())
    }
    fn netname(&self) -> u32 {
        self.netname.get()
    }
    fn owner(&self) -> u32 {
        self.owner.get()
    }
    fn around(&self) -> u32 {
        self.around.get()
    }
    fn put_around(&mut self, place: u32) {
        self.around = place.into();
    }
}

impl Row for AssignmentRow6 {
    const FAMILY: Family = Family::V6;
    fn ends(&self) -> (u128, u128) {
        (self.first.get(), self.last.get())
    }
    fn netname(&self) -> u32 {
        self.netname.get()
    }
    fn owner(&self) -> u32 {
        self.owner.get()
    }
    fn around(&self) -> u32 {
        self.around.get()
    }
    fn put_around(&mut self, place: u32) {
        self.around = place.into();
    }
}

/// Puts rows in order and finds what is around each.
fn surround<R: Row>(rows: &mut [R]) {
    rows.sort_by_key(|row| (row.ends().0, Reverse(row.ends().1), row.owner()));
    let mut open: Vec<(u128, u32)> = Vec::new();
    for (row, place) in rows.iter_mut().zip(1..) {
        let (first, last) = row.ends();
        while open.pop_if(|(open_last, _)| *open_last < first).is_some() {}
        let around = open.iter().rev().find(|(open_last, _)| *open_last >= last);
        row.put_around(around.map_or(0, |&(_, place)| place));
        open.push((last, place));
    }
}

/// The row of those that hold the bits which starts last.
fn find<R: Row>(rows: &[R], bits: u128) -> Option<&R> {
    let mut place = rows.partition_point(|row| row.ends().0 <= bits);
    loop {
        let row = rows.get(place.checked_sub(1)?)?;
        if row.ends().1 >= bits {
            return Some(row);
        }
        place = row.around() as usize;
    }
}

/// Checks that a search ends and that what rows refer to is there.
fn check<R: Row>(rows: &[R], owners: usize, texts: usize) -> Result<(), &'static str> {
    let mut before = 0;
    for (row, at) in rows.iter().zip(0..) {
        let (first, last) = row.ends();
        let is_whole = before <= first && first <= last && (row.owner() as usize) < owners;
        if !is_whole || row.netname() as usize >= texts || row.around() > at {
            return Err("an assignment is out of order, or lacks what it refers to");
        }
        before = first;
    }
    Ok(())
}

impl Index {
    /// The assignment of an address: of those that hold it the one that starts last, which is the narrowest.
    ///
    /// It is the business of its [owner](Assignment::owner) alone, and only where nothing narrower is registered.
    #[must_use]
    pub fn assignment(&self, address: Address) -> Option<Assignment<'_>> {
        let bits = address.bits();
        match address.family() {
            Family::V4 => self.view(find(self.section::<AssignmentRow4>(Section::Assignments4), bits)?),
            Family::V6 => self.view(find(self.section::<AssignmentRow6>(Section::Assignments6), bits)?),
        }
    }

    /// All assignments, IPv4 first, by address.
    pub fn assignments(&self) -> impl Iterator<Item = Assignment<'_>> {
        let v4 =
            self.section::<AssignmentRow4>(Section::Assignments4).iter().filter_map(|row| self.view(row));
        let v6 =
            self.section::<AssignmentRow6>(Section::Assignments6).iter().filter_map(|row| self.view(row));
        v4.chain(v6)
    }

    /// The space that is delegated to the Netherlands, IPv4 first, by address.
    pub fn dutch_blocks(&self) -> impl ExactSizeIterator<Item = DutchBlock<'_>> {
        self.section::<DelegationRow>(Section::Delegations).iter().map(|row| self.block(row))
    }

    /// The block of Dutch space that an address lies in.
    #[must_use]
    pub fn dutch_block(&self, address: Address) -> Option<DutchBlock<'_>> {
        let rows = self.section::<DelegationRow>(Section::Delegations);
        let place = (u32::from(address.family().address_bits()), address.bits());
        let after = rows.partition_point(|row| (row.address_bits.get(), row.first.get()) <= place);
        // Blocks are disjoint, except where files contradict each other.
        let mut near = rows[..after].iter().rev().take(BLOCKS_SEARCHED_MAX);
        let holds = |row: &&DelegationRow| row.address_bits.get() == place.0 && place.1 <= row.last.get();
        near.find(holds).map(|row| self.block(row))
    }

    fn view<R: Row>(&self, row: &R) -> Option<Assignment<'_>> {
        let (first, last) = row.ends();
        let range = range_of(R::FAMILY, first, last)?;
        Some(Assignment { range, netname: self.text(row.netname()), owner: OwnerIx(row.owner()) })
    }

    fn block(&self, row: &DelegationRow) -> DutchBlock<'_> {
        let range = block_range(row).expect("validated when the index was opened");
        DutchBlock { range, holder: Some(self.text(row.holder.get())).filter(|holder| !holder.is_empty()) }
    }
}

/// How many blocks are looked at for one that holds an address.
const BLOCKS_SEARCHED_MAX: usize = 16;

fn block_range(row: &DelegationRow) -> Option<Range> {
    let family = match row.address_bits.get() {
        32 => Family::V4,
        128 => Family::V6,
        _ => return None,
    };
    let (first, last) = (row.first.get(), row.last.get());
    (last <= family.highest_bits()).then(|| range_of(family, first, last)).flatten()
}

/// Checks all that this module reads.
pub(super) fn validate(index: &Index, owners: usize, texts: usize) -> Result<(), &'static str> {
    check(index.section::<AssignmentRow4>(Section::Assignments4), owners, texts)?;
    check(index.section::<AssignmentRow6>(Section::Assignments6), owners, texts)?;
    let mut before = None;
    for row in index.section::<DelegationRow>(Section::Delegations) {
        let range = block_range(row).filter(|range| Some(range.first()) >= before);
        let first = range.ok_or("a delegation is out of order")?.first();
        before = Some(first);
        if row.holder.get() as usize >= texts {
            return Err("the holder of a delegation is missing");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Random ranges, nested and crossing, against looking at all of them.
    #[test]
    fn the_row_that_starts_last_is_found() {
        for seed in 0..300 {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut rows = Vec::new();
            for _ in 0..random.usize(..12) {
                let (one, other) = (random.u32(..40), random.u32(..40));
                let (first, last) = (U32::new(one.min(other)), U32::new(one.max(other)));
                let (netname, owner, around) = (U32::ZERO, U32::ZERO, U32::ZERO);
                rows.push(AssignmentRow4 { first, last, netname, owner, around });
            }
            surround(&mut rows);
            assert_eq!(check(&rows, 1, 1), Ok(()));
            for bits in 0..42 {
                let holds = rows.iter().filter(|row| row.ends().0 <= bits && bits <= row.ends().1);
                let expected = holds.max_by_key(|row| (row.ends().0, Reverse(row.ends().1))).map(Row::ends);
                assert_eq!(find(&rows, bits).map(Row::ends), expected, "seed {seed}, {bits}");
            }
        }
    }
}
