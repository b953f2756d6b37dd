//! Intervals laid out for lookup: fans, leaves and details, which [`layout`](super::layout) explains.
//!
//! Both families are laid out alike, as bits from the left: an IPv4 address is the first 32 of them.

use zerocopy::little_endian::{U32, U64};

use super::layout::{self, DETAIL, FAN_BITS_MAX, FAN_BITS_MIN, KEY_BITS, LEAF_KEYS_MAX, Place, leaf_words};

/// Entries behind each head of a fan on average, at most twice as many.
const ENTRIES_A_HEAD: usize = 8;

/// From so many entries on, a fan is as wide as can be: most of its heads then need no leaf, for 32 bytes an entry at most.
const WIDE_ENTRIES_MIN: usize = (1 << FAN_BITS_MAX) / 8;

/// First address, bits from the left, and head.
pub(super) type Interval = (u128, u32);

/// All tables of an index while it is built.
#[derive(Default)]
pub(super) struct Tables {
    pub(super) fans: Vec<U32>,
    pub(super) leaves: Vec<U32>,
    pub(super) details: Vec<U32>,
    pub(super) keys64: Vec<U64>,
    pub(super) heads64: Vec<U32>,
}

/// What the entry of a leaf in the making leads to.
#[derive(Clone, Copy)]
enum Inner<'i> {
    Head(u32),
    /// Intervals that need more bits than the key has, and the head before them.
    Finer(&'i [Interval], u32),
}

impl Tables {
    /// Closes the last detail, and lets a look at [`LEAF_KEYS_MAX`] keys begin at any leaf.
    pub(super) fn finish(&mut self) {
        self.leaves.extend([U32::new(0); leaf_words(LEAF_KEYS_MAX)]);
        self.details.push((self.keys64.len() as u32).into());
    }

    /// Lays out the intervals that start in the block of a place; `head` is that of what lies before them. Returns the block's head.
    pub(super) fn add(&mut self, intervals: &[Interval], place: Place, head: u32) -> u32 {
        match *intervals {
            [] => head,
            [(first, only)] if place.is_start(first) => only,
            _ if place.bits_left() == 0 => self.detail(intervals, head),
            _ => match leaf_entries(intervals, place, head) {
                Some(entries) => self.leaf(&entries, place.behind(KEY_BITS)),
                None => self.fan(intervals, place, head),
            },
        }
    }

    fn leaf(&mut self, entries: &[(u16, Inner<'_>)], inner_place: Place) -> u32 {
        let start = self.leaves.len();
        let mut keys = [0; LEAF_KEYS_MAX];
        keys.iter_mut().zip(entries).for_each(|(key, entry)| *key = entry.0);
        keys[0] = entries.len() as u16;
        let heads = start + leaf_words(entries.len());
        let words = keys.chunks_exact(2).map(|pair| U32::new(u32::from(pair[0]) | u32::from(pair[1]) << 16));
        self.leaves.extend(words.take(leaf_words(entries.len())));
        self.leaves.resize(heads + entries.len(), U32::new(0));
        for (at, &(_, inner)) in entries.iter().enumerate() {
            let head = match inner {
                Inner::Head(head) => head,
                Inner::Finer(intervals, head) => self.add(intervals, inner_place, head),
            };
            self.leaves[heads + at] = head.into();
        }
        layout::leaf_head(start)
    }

    fn fan(&mut self, intervals: &[Interval], place: Place, head: u32) -> u32 {
        let bits = fan_bits(intervals.len()).min(place.bits_left());
        let start = self.fans.len();
        self.fans.resize(start + (1 << bits), U32::new(0));
        for ((here, head), at) in parts(intervals, place, bits, head).zip(start..) {
            self.fans[at] = self.add(here, place.behind(bits), head).into();
        }
        layout::fan_head(start, bits)
    }

    /// Lays out the intervals of one /64.
    fn detail(&mut self, intervals: &[Interval], head: u32) -> u32 {
        self.details.push((self.keys64.len() as u32).into());
        if intervals[0].0 as u64 != 0 {
            self.keys64.push(0.into());
            self.heads64.push(head.into());
        }
        self.keys64.extend(intervals.iter().map(|&(first, _)| U64::new(first as u64)));
        self.heads64.extend(intervals.iter().map(|&(_, head)| U32::new(head)));
        layout::fan_head(self.details.len() - 1, DETAIL)
    }
}

/// For each value of the next bits, those intervals that start there, and the head before them; `head` is that before all.
pub(super) fn parts(
    intervals: &[Interval],
    place: Place,
    bits: u32,
    head: u32,
) -> impl Iterator<Item = (&[Interval], u32)> {
    let (mut rest, mut next_head) = (intervals, head);
    (0..1 << bits).map(move |value| {
        let count = rest.iter().take_while(|&&(first, _)| place.next_bits(first, bits) == value).count();
        let (here, after) = rest.split_at(count);
        let head = next_head;
        rest = after;
        next_head = here.last().map_or(head, |&(_, head)| head);
        (here, head)
    })
}

/// The entries of a leaf, ascending, the first with key 0; `None` where they are too many for one.
fn leaf_entries(intervals: &[Interval], place: Place, mut head: u32) -> Option<Vec<(u16, Inner<'_>)>> {
    let key = |&(first, _): &Interval| place.next_bits(first, KEY_BITS) as u16;
    // Below that of the last bit that tables are for, keys have no bits.
    let step = 1u16 << KEY_BITS.saturating_sub(place.bits_left());
    let mut entries: Vec<(u16, Inner<'_>)> = Vec::with_capacity(LEAF_KEYS_MAX + 2);
    entries.push((0, Inner::Head(head)));
    for group in intervals.chunk_by(|a, b| key(a) == key(b)) {
        let first_key = key(&group[0]);
        // What the group before left to here, if that is where this one begins.
        entries.pop_if(|last| last.0 == first_key);
        match *group {
            [(first, only)] if place.behind(KEY_BITS).is_start(first) => {
                entries.push((first_key, Inner::Head(only)));
                head = only;
            }
            _ => {
                entries.push((first_key, Inner::Finer(group, head)));
                head = group[group.len() - 1].1;
                entries.extend(first_key.checked_add(step).map(|key| (key, Inner::Head(head))));
            }
        }
        // The last may yet be replaced.
        if entries.len() > LEAF_KEYS_MAX + 1 {
            return None;
        }
    }
    (entries.len() <= LEAF_KEYS_MAX).then_some(entries)
}

/// Bits that a fan for so many entries looks at. There are as many: a leaf holds all that begins in a block of five bits.
fn fan_bits(entries: usize) -> u32 {
    match entries {
        WIDE_ENTRIES_MIN.. => FAN_BITS_MAX,
        _ => (entries / ENTRIES_A_HEAD).ilog2().clamp(FAN_BITS_MIN, FAN_BITS_MAX),
    }
}
