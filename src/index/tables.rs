//! Intervals laid out for lookup: tables of 16 bits, which [`layout`](super::layout) explains.

use zerocopy::little_endian::{U16, U32, U64};

use super::layout::{LARGE, NEAR_KEYS, TABLE};

/// Slots are at most one for this many keys, so that they never take more room than the keys they are for.
const KEYS_A_SLOT_MIN: usize = 4;

/// All tables of an index while it is built.
#[derive(Default)]
pub(super) struct Tables {
    pub(super) slots: Vec<U32>,
    pub(super) keys: Vec<U16>,
    pub(super) heads: Vec<U32>,
    pub(super) details: Vec<U32>,
    pub(super) keys64: Vec<U64>,
    pub(super) heads64: Vec<U32>,
}

impl Tables {
    /// Closes the last detail, and lets a look at [`NEAR_KEYS`] keys begin at any of them.
    pub(super) fn finish(&mut self) {
        self.keys.extend([U16::new(0); NEAR_KEYS]);
        self.details.push((self.keys64.len() as u32).into());
    }

    /// Adds a table; its entries are not empty, ascending, and the first has key 0. Returns its head, which for a single entry is that entry's.
    fn add(&mut self, entries: &[(u16, u32)]) -> u32 {
        if let &[(_, head)] = entries {
            return head;
        }
        let start = self.keys.len();
        self.keys.extend(entries.iter().map(|&(key, _)| U16::new(key)));
        self.heads.extend(entries.iter().map(|&(_, head)| U32::new(head)));
        if entries.len() <= NEAR_KEYS {
            self.keys[start] = (entries.len() as u16).into();
            return TABLE | start as u32;
        }
        let bits = slot_bits(entries);
        let first_slot = self.slots.len() as u32;
        for slot in 0..1u32 << bits {
            let first_key = slot << (16 - bits);
            let at = entries.partition_point(|&(key, _)| u32::from(key) < first_key);
            self.slots.push(((start + at) as u32).into());
        }
        self.slots.push((self.keys.len() as u32).into());
        TABLE | LARGE | first_slot << 4 | bits
    }

    /// Lays out the IPv4 intervals; returns the directory by the first 16 bits.
    pub(super) fn directory4(&mut self, intervals: &[(u32, u32)]) -> Vec<U32> {
        let mut directory = Vec::with_capacity(1 << 16);
        let mut entries = Entries::default();
        let mut rest = intervals;
        let mut head = 0;
        for high in 0..1u32 << 16 {
            let count = rest.iter().take_while(|&&(first, _)| first >> 16 == high).count();
            let (here, after) = rest.split_at(count);
            rest = after;
            entries.restart(head);
            for &(first, next) in here {
                entries.set(first as u16, next);
                head = next;
            }
            directory.push(self.add(&entries.0).into());
        }
        directory
    }

    /// Lays out IPv6 intervals that share all bits above `shift + 16`; `head` is that of what lies before them.
    ///
    /// Returns a head: a node if all of the block has it, else a table.
    pub(super) fn nest(&mut self, intervals: &[(u128, u32)], shift: u32, mut head: u32) -> u32 {
        let mut entries = Entries::default();
        entries.restart(head);
        for group in intervals.chunk_by(|a, b| a.0 >> shift == b.0 >> shift) {
            let key = (group[0].0 >> shift) as u16;
            let inner = match *group {
                [(first, head)] if first.trailing_zeros() >= shift => head,
                _ if shift == 64 => self.detail(group, head),
                _ => self.nest(group, shift - 16, head),
            };
            entries.set(key, inner);
            head = group[group.len() - 1].1;
            if let Some(after) = key.checked_add(1) {
                entries.set(after, head);
            }
        }
        self.add(&entries.0)
    }

    /// Lays out the intervals of one /64.
    fn detail(&mut self, intervals: &[(u128, u32)], head: u32) -> u32 {
        self.details.push((self.keys64.len() as u32).into());
        if intervals[0].0 as u64 != 0 {
            self.keys64.push(0.into());
            self.heads64.push(head.into());
        }
        self.keys64.extend(intervals.iter().map(|&(first, _)| U64::new(first as u64)));
        self.heads64.extend(intervals.iter().map(|&(_, head)| U32::new(head)));
        TABLE | (self.details.len() - 1) as u32
    }
}

/// Entries of a table in the making: ascending keys, neighbours with different heads.
#[derive(Default)]
struct Entries(Vec<(u16, u32)>);

impl Entries {
    fn restart(&mut self, head: u32) {
        self.0.clear();
        self.0.push((0, head));
    }

    /// From `key` on the head is this; replaces what was set for the same key.
    fn set(&mut self, key: u16, head: u32) {
        self.0.pop_if(|last| last.0 == key);
        if self.0.last().is_none_or(|last| last.1 != head) {
            self.0.push((key, head));
        }
    }
}

/// The number of slots that a table gets, as a power of two.
fn slot_bits(entries: &[(u16, u32)]) -> u32 {
    let largest = |bits: u32| {
        entries.chunk_by(|a, b| a.0 >> (16 - bits) == b.0 >> (16 - bits)).map(<[_]>::len).max().unwrap_or(0)
    };
    let mut bits = 0;
    let mut keys_max = entries.len();
    while keys_max > NEAR_KEYS && KEYS_A_SLOT_MIN << (bits + 1) <= entries.len() {
        bits += 1;
        keys_max = largest(bits);
    }
    bits
}
