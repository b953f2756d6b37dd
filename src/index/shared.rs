//! Which addresses serve many: content networks, hosters, clouds, carriers.

use super::Index;
use super::coverage::range_of;
use super::layout::{Section, SharedRow};
use crate::net::{Address, Family, Range};
use crate::register::{Register, SharedKind};

/// The rows of a register's shared space.
pub(super) fn rows(register: &Register) -> Vec<SharedRow> {
    let row = |&(range, kind): &(Range, SharedKind)| SharedRow {
        first: range.first().bits().into(),
        last: range.last().bits().into(),
        address_bits: u32::from(range.family().address_bits()).into(),
        kind: (kind as u32).into(),
    };
    register.shared.ranges().iter().map(row).collect()
}

/// The range and kind of a row.
fn read(row: &SharedRow) -> Option<(Range, SharedKind)> {
    let family = match row.address_bits.get() {
        32 => Family::V4,
        128 => Family::V6,
        _ => return None,
    };
    let (first, last) = (row.first.get(), row.last.get());
    let range = (last <= family.highest_bits()).then(|| range_of(family, first, last)).flatten()?;
    Some((range, SharedKind::ALL.get(row.kind.get() as usize).copied()?))
}

/// Rows are ranges in order, none touching an address of another.
pub(super) fn validate(index: &Index) -> Result<(), &'static str> {
    let mut before: Option<Range> = None;
    for row in index.section::<SharedRow>(Section::Shared) {
        let (range, _) = read(row).ok_or("a shared range is none")?;
        if before.is_some_and(|before| before.last() >= range.first()) {
            return Err("shared ranges are out of order");
        }
        before = Some(range);
    }
    Ok(())
}

impl Index {
    /// Why an address serves many, if it does.
    #[must_use]
    pub fn shared(&self, address: Address) -> Option<SharedKind> {
        let rows = self.section::<SharedRow>(Section::Shared);
        let starts_after = |row: &SharedRow| read(row).is_none_or(|(range, _)| range.first() > address);
        let after = rows.partition_point(|row| !starts_after(row));
        let (range, kind) = read(rows.get(after.checked_sub(1)?)?)?;
        range.holds(address).then_some(kind)
    }

    /// All addresses that serve many, IPv4 first, by address.
    pub fn shared_space(&self) -> impl Iterator<Item = (Range, SharedKind)> + '_ {
        self.section::<SharedRow>(Section::Shared).iter().filter_map(read)
    }
}
