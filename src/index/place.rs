//! The lookup structures of both families, from intervals: directories, bitmaps, tables.

use std::collections::HashMap;

use roaring::RoaringBitmap;
use zerocopy::little_endian::{U16, U32, U64};

use super::build::check_size;
use super::coverage;
use super::errors::BuildError;
use super::layout::{
    BITMAP6_WORDS, BLOCKS4_WORDS, BlockRow, DIRECTORY_BITS, FAN_PLACES_MAX, LEAF_WORDS_MAX, NetsRow, Place,
};
use super::tables::{self, Interval, Tables};

/// The lookup structures of both families.
pub(super) struct Placed {
    pub(super) tables: Tables,
    pub(super) directory4: Vec<U32>,
    pub(super) blocks4: Vec<U64>,
    pub(super) ranks4: Vec<U32>,
    pub(super) nets4: Vec<NetsRow>,
    pub(super) directory6: Vec<U16>,
    pub(super) blocks6: Vec<BlockRow>,
    pub(super) bitmaps6: Vec<U64>,
}

/// Lays out the intervals of both families.
pub(super) fn place(intervals4: &[(u32, u32)], intervals6: &[(u128, u32)]) -> Result<Placed, BuildError> {
    let mut tables = Tables::default();
    let directory4 = directory4(&mut tables, intervals4);
    let blocks4 = coverage::blocks4(intervals4);
    let mut words4 = vec![U64::new(0); BLOCKS4_WORDS];
    for block in blocks4 {
        words4[block as usize >> 6] |= U64::new(1 << (block & 63));
    }
    let mut placed = Placed {
        tables,
        directory4,
        ranks4: ranks(&words4),
        nets4: nets4(intervals4),
        blocks4: words4,
        directory6: Vec::new(),
        blocks6: Vec::new(),
        bitmaps6: Vec::new(),
    };
    place6(&mut placed, intervals6);
    placed.tables.finish();
    check_size("words of lookup leaves", placed.tables.leaves.len(), LEAF_WORDS_MAX)?;
    check_size("places of lookup fans", placed.tables.fans.len(), FAN_PLACES_MAX)?;
    check_size("details of a /64", placed.tables.details.len(), FAN_PLACES_MAX)?;
    Ok(placed)
}

/// The heads of IPv4, by the first bits.
fn directory4(tables: &mut Tables, intervals: &[(u32, u32)]) -> Vec<U32> {
    let from_left: Vec<Interval> =
        intervals.iter().map(|&(first, head)| (u128::from(first) << 96, head)).collect();
    tables::parts(&from_left, Place::IPV4, DIRECTORY_BITS, 0)
        .map(|(here, head)| tables.add(here, Place::IPV4.behind(DIRECTORY_BITS), head).into())
        .collect()
}

/// For each word the bits in the words before it.
fn ranks(words: &[U64]) -> Vec<U32> {
    let ranks = words.iter().scan(0, |before, word| {
        let rank = *before;
        *before += word.get().count_ones();
        Some(rank.into())
    });
    ranks.collect()
}

/// A row for each /20 that holds anything, in order.
fn nets4(intervals: &[(u32, u32)]) -> Vec<NetsRow> {
    let mut rows: Vec<NetsRow> = Vec::new();
    let mut block_of_last = None;
    for (first, last) in coverage::covered(intervals) {
        for block in first >> 12..=last >> 12 {
            if block_of_last.replace(block) != Some(block) {
                rows.push(NetsRow { some: 0.into(), all: 0.into() });
            }
            let Some(row) = rows.last_mut() else { continue };
            let start = block << 12;
            let (from, to) = (first.max(start) - start, last.min(start | 0xfff) - start);
            row.some |= bits(from >> 8, (to >> 8) + 1);
            row.all |= bits(from.div_ceil(1 << 8), (to + 1) >> 8);
        }
    }
    rows
}

/// The bits from one place up to another, below 17; none where they are the wrong way round.
fn bits(from: u32, to: u32) -> U16 {
    let below = |place: u32| (1u32 << place) - 1;
    U16::new((below(to) & !below(from)) as u16)
}

/// Lays out the IPv6 intervals; /16s that look alike (those that hold nothing, those of one wide registration) share a block.
fn place6(placed: &mut Placed, intervals: &[(u128, u32)]) {
    let coverage = coverage::blocks6(intervals);
    let (mut none, mut all) = (None, None);
    let mut blocks = HashMap::new();
    for ((here, head), high) in tables::parts(intervals, Place::IPV6, DIRECTORY_BITS, 0).zip(0..) {
        let inner = placed.tables.add(here, Place::IPV6.behind(DIRECTORY_BITS), head);
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
