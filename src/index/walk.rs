//! The intervals of an index, read back out of its tables.

use std::ops::Range;

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, IntoBytes};

use super::Index;
use super::layout::{self, BlockRow, DETAIL, DIRECTORY_BITS, FAN, KEY_BITS, Section, TABLE, leaf_words};

/// What a head that is no node refers to.
pub(super) enum Table<'i> {
    /// The words that it takes, its keys, of which the first is to be taken as 0, and its heads.
    Leaf(Range<usize>, &'i [U16], &'i [U32]),
    /// The places that it takes, the bits that it looks at, and its heads.
    Fan(Range<usize>, u32, &'i [U32]),
    /// Its number.
    Detail(usize),
}

/// The table of a head; `None` where it is not there.
pub(super) fn table(index: &Index, head: u32) -> Option<Table<'_>> {
    if head & FAN == 0 {
        let start = layout::leaf_start(head);
        let leaves = index.section::<U32>(Section::Leaves);
        let count = (leaves.get(start)?.get() & 0xffff) as usize;
        let heads = start + leaf_words(count);
        let keys = <[U16]>::ref_from_bytes(leaves.get(start..heads)?.as_bytes()).ok()?.get(..count)?;
        return Some(Table::Leaf(start..heads + count, keys, leaves.get(heads..heads + count)?));
    }
    let first = layout::fan_start(head);
    match layout::fan_bits(head) {
        DETAIL => Some(Table::Detail(first)),
        bits => {
            let places = first..first + (1 << bits);
            Some(Table::Fan(places.clone(), bits, index.section::<U32>(Section::Fans).get(places)?))
        }
    }
}

/// Appends an interval unless it continues the last.
fn push<K>(intervals: &mut Vec<(K, u32)>, first: K, head: u32) {
    if intervals.last().map_or(0, |&(_, head)| head) != head {
        intervals.push((first, head));
    }
}

/// Calls with the start of each interval under a head of a directory, bits from the left, and its node; neighbours may have the same.
fn each_of_block(index: &Index, head: u32, block: u128, mut call: impl FnMut(u128, u32)) {
    each(index, head, block << (u128::BITS - DIRECTORY_BITS), DIRECTORY_BITS, &mut call);
}

/// The same under any head.
fn each(index: &Index, head: u32, first: u128, depth: u32, call: &mut impl FnMut(u128, u32)) {
    if head & TABLE == 0 {
        return call(first, head);
    }
    match table(index, head) {
        None => {}
        Some(Table::Leaf(_, keys, heads)) => {
            for (at, (key, head)) in keys.iter().zip(heads).enumerate() {
                let key = if at == 0 { 0 } else { key.get() };
                let first = first | u128::from(key) << (u128::BITS - KEY_BITS - depth);
                each(index, head.get(), first, depth + KEY_BITS, call);
            }
        }
        Some(Table::Fan(_, bits, heads)) => {
            for (place, head) in heads.iter().enumerate() {
                let first = first | (place as u128) << (u128::BITS - bits - depth);
                each(index, head.get(), first, depth + bits, call);
            }
        }
        Some(Table::Detail(detail)) => {
            let (keys, heads) = entries_of_detail(index, detail);
            for (key, head) in keys.iter().zip(heads) {
                call(first | u128::from(key.get()), head.get());
            }
        }
    }
}

/// The low halves of addresses, and the heads from them on.
fn entries_of_detail(index: &Index, detail: usize) -> (&[U64], &[U32]) {
    let details = index.section::<U32>(Section::Details);
    let at = |detail: usize| details.get(detail).map_or(0, |start| start.get() as usize);
    let range = at(detail)..at(detail + 1);
    let keys = index.section::<U64>(Section::Keys64).get(range.clone()).unwrap_or_default();
    (keys, index.section::<U32>(Section::Heads64).get(range).unwrap_or_default())
}

/// The IPv4 intervals, as [`flatten`](super::flatten::flatten) gave them.
pub(super) fn intervals4(index: &Index) -> Vec<(u32, u32)> {
    let mut intervals = Vec::new();
    for (head, block) in index.section::<U32>(Section::Directory4).iter().zip(0..) {
        each_of_block(index, head.get(), block, |first, head| {
            push(&mut intervals, (first >> 96) as u32, head)
        });
    }
    intervals
}

/// The IPv6 intervals.
pub(super) fn intervals6(index: &Index) -> Vec<(u128, u32)> {
    let mut intervals = Vec::new();
    let blocks = index.section::<BlockRow>(Section::Blocks6);
    for (row, block) in index.section::<U16>(Section::Directory6).iter().zip(0..) {
        if let Some(row) = blocks.get(usize::from(row.get())) {
            each_of_block(index, row.head.get(), block, |first, head| push(&mut intervals, first, head));
        }
    }
    intervals
}
