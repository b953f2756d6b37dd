//! The intervals of an index, read back out of its tables.

use std::ops::Range;

use zerocopy::little_endian::{U16, U32, U64};

use super::Index;
use super::layout::{BlockRow, LARGE, Section, TABLE};

/// Appends an interval unless it continues the last.
fn push<K>(intervals: &mut Vec<(K, u32)>, first: K, head: u32) {
    if intervals.last().map_or(0, |&(_, head)| head) != head {
        intervals.push((first, head));
    }
}

/// The entries of a table: keys, of which the first is to be taken as 0, and heads.
pub(super) fn entries(index: &Index, table: u32) -> Option<(Range<usize>, &[U16], &[U32])> {
    let keys = index.section::<U16>(Section::Keys);
    let range = if table & LARGE == 0 {
        let start = (table & !TABLE) as usize;
        start..start + usize::from(keys.get(start)?.get())
    } else {
        let first_slot = ((table & !(TABLE | LARGE)) >> 4) as usize;
        let slots = index.section::<U32>(Section::Slots);
        let at = |slot: usize| slots.get(slot).map(|start| start.get() as usize);
        at(first_slot)?..at(first_slot + (1 << (table & 15)))?
    };
    Some((range.clone(), keys.get(range.clone())?, index.section::<U32>(Section::Heads).get(range)?))
}

/// Calls with each key and head of a table.
fn each_entry(index: &Index, table: u32, mut call: impl FnMut(u16, u32)) {
    let Some((_, keys, heads)) = entries(index, table) else { return };
    for (at, (key, head)) in keys.iter().zip(heads).enumerate() {
        call(if at == 0 { 0 } else { key.get() }, head.get());
    }
}

/// The IPv4 intervals, as [`flatten`](super::flatten::flatten) gave them.
pub(super) fn intervals4(index: &Index) -> Vec<(u32, u32)> {
    let mut intervals = Vec::new();
    for (head, high) in index.section::<U32>(Section::Directory4).iter().zip(0u32..) {
        match head.get() {
            head if head & TABLE == 0 => push(&mut intervals, high << 16, head),
            table => {
                each_entry(index, table, |key, head| push(&mut intervals, high << 16 | u32::from(key), head))
            }
        }
    }
    intervals
}

/// The IPv6 intervals.
pub(super) fn intervals6(index: &Index) -> Vec<(u128, u32)> {
    let mut intervals = Vec::new();
    let blocks = index.section::<BlockRow>(Section::Blocks6);
    for (block, high) in index.section::<U16>(Section::Directory6).iter().zip(0u128..) {
        if let Some(block) = blocks.get(usize::from(block.get())) {
            walk6(index, &mut intervals, block.head.get(), high << 112, 96);
        }
    }
    intervals
}

/// The intervals under a head for the block that starts at `first`; `shift` is what the next table's keys are shifted by.
fn walk6(index: &Index, intervals: &mut Vec<(u128, u32)>, head: u32, first: u128, shift: u32) {
    if head & TABLE == 0 {
        push(intervals, first, head);
    } else if shift >= 64 {
        each_entry(index, head, |key, head| {
            walk6(index, intervals, head, first | u128::from(key) << shift, shift - 16);
        });
    } else {
        let details = index.section::<U32>(Section::Details);
        let at = |detail: usize| details.get(detail).map_or(0, |start| start.get() as usize);
        let detail = (head & !TABLE) as usize;
        let range = at(detail)..at(detail + 1);
        let keys = index.section::<U64>(Section::Keys64).get(range.clone()).unwrap_or_default();
        let heads = index.section::<U32>(Section::Heads64).get(range).unwrap_or_default();
        for (key, head) in keys.iter().zip(heads) {
            push(intervals, first | u128::from(key.get()), head.get());
        }
    }
}
