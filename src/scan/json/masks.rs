//! What the search for key fields knows of a record's bytes, 64 at a time.
//!
//! The masks of quotes, backslashes and brackets of a block tell what [`skim`](super::skim()) knows of each byte: *escaped* is the
//! byte behind an odd run of backslashes, *inside* a string one behind an odd number of quotes that are not escaped, and
//! the depth is the number of brackets opened before, less those closed, strings left out. A [`Reader`] begins behind a
//! record's `{`. Where it and `skim` may differ is said by [`Reader::agrees`]:
//!
//! 1. `skim` minds backslashes inside strings only, the masks mind all. By induction from the record's `{`, where both
//!    agree, they agree up to the first backslash that stands outside.
//! 2. `skim` stops where depth gets beyond [`JSON_DEPTH_MAX`], and sees no newline, with which the line ends.
//!
//! Brackets that close what others opened `skim` lets pass, and so do the masks.

use super::JSON_DEPTH_MAX;
use crate::scan::simd::{Marker, Structure};

/// What is known of a record at the begin of a block.
pub(super) struct Reader {
    /// All ones inside strings, else 0.
    inside: u64,
    escapes: Escapes,
    /// Brackets that are open.
    depth: u32,
}

/// A block, as a reader sees it who reads it from its begin.
pub(super) struct Marked {
    newlines: u64,
    /// Backslashes outside strings.
    strays: u64,
    /// Brackets outside strings.
    pub(super) opens: u64,
    pub(super) closes: u64,
    /// The opening quotes of strings.
    pub(super) strings: u64,
    /// Brackets that are open at the begin.
    pub(super) depth: u32,
    /// From each opening quote to right before the closing one.
    pub(super) inside: u64,
}

impl Reader {
    /// Begins behind a record's `{`.
    #[inline(always)]
    pub(super) fn new() -> Self {
        Self { inside: 0, escapes: Escapes(0), depth: 1 }
    }

    #[inline(always)]
    pub(super) fn read(&mut self, marker: impl Marker, structure: Structure) -> Marked {
        let escaped = self.escapes.follow(structure.backslashes);
        let quotes = structure.quotes & !escaped;
        let inside = marker.parity(quotes) ^ self.inside;
        Marked {
            newlines: structure.newlines,
            strays: structure.backslashes & !inside,
            opens: structure.opens & !inside,
            closes: structure.closes & !inside,
            strings: quotes & inside,
            depth: self.depth,
            inside,
        }
    }

    /// Whether `own` bits of a block, the lowest ones, are read here as `skim` reads them.
    #[inline(always)]
    pub(super) fn agrees(&self, block: &Marked, own: u64) -> bool {
        let opened = (block.opens & own).count_ones();
        (block.newlines | block.strays) & own == 0 && self.depth + opened <= JSON_DEPTH_MAX as u32
    }

    /// Goes on behind a block, which leaves the record's first bracket open.
    #[inline(always)]
    pub(super) fn pass(&mut self, block: &Marked) {
        self.inside = ((block.inside as i64) >> 63) as u64;
        self.depth = self.depth + block.opens.count_ones() - block.closes.count_ones();
    }
}

impl Marked {
    /// Brackets that are open before the byte at `place`; it means nothing where the first was closed before.
    #[inline(always)]
    pub(super) fn depth_at(&self, place: usize) -> u32 {
        let opened = (self.opens & below(place)).count_ones();
        (self.depth + opened).wrapping_sub((self.closes & below(place)).count_ones())
    }

    /// Where, among `own` bits, as many brackets are closed as are opened, and `count` more; at least 1.
    #[inline(always)]
    pub(super) fn closing(&self, own: u64, count: u32) -> Option<usize> {
        let (opens, mut closes) = (self.opens & own, self.closes & own);
        // Nearly always it is seen from afar that there are too few.
        if closes.count_ones() < count {
            return None;
        }
        let mut closed = 0;
        while closes != 0 {
            closed += 1;
            let place = closes.trailing_zeros() as usize;
            if count + (opens & below(place)).count_ones() == closed {
                return Some(place);
            }
            closes &= closes - 1;
        }
        None
    }
}

/// Which bytes are escaped, block by block; 1 where a block's first byte is.
struct Escapes(u64);

impl Escapes {
    /// The bytes behind odd runs of backslashes, of which none begins with an escaped byte.
    ///
    /// Runs are told apart by where they begin: added to a run of backslashes, a bit at its begin is carried behind its
    /// end, to an odd or an even place (Langdale and Lemire, Parsing gigabytes of JSON per second, 2019).
    #[inline(always)]
    fn follow(&mut self, backslashes: u64) -> u64 {
        const ODD: u64 = 0xaaaa_aaaa_aaaa_aaaa;
        if backslashes == 0 {
            return std::mem::replace(&mut self.0, 0);
        }
        let escaping = backslashes & !self.0;
        let series = ((escaping << 1) | ODD).wrapping_sub(escaping) ^ ODD;
        let escaped = series ^ (backslashes | self.0);
        self.0 = (series & backslashes) >> 63;
        escaped
    }
}

/// All bits below one of the 64.
#[inline(always)]
pub(super) fn below(place: usize) -> u64 {
    (1 << place) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_followed_as_byte_by_byte() {
        let check = |blocks: [u64; 2]| {
            let mut escapes = Escapes(0);
            let mut is_escaped = false;
            for backslashes in blocks {
                let mut told = 0;
                for place in 0..64 {
                    told |= u64::from(is_escaped) << place;
                    is_escaped = !is_escaped && backslashes >> place & 1 == 1;
                }
                let followed = escapes.follow(backslashes);
                assert_eq!(followed, told, "{backslashes:#x} of {blocks:x?}");
            }
        };
        // All runs around the border of two blocks, and around the middle of one.
        for bits in 0..1 << 16 {
            check([bits << 56, bits >> 8]);
            check([bits << 24, bits]);
        }
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..10_000 {
            check([random.u64(..) | random.u64(..), random.u64(..)]);
            check([random.u64(..) & random.u64(..), !0]);
        }
    }
}
