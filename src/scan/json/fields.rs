//! The key fields of a JSON line, found by masks, and ruled out without reading the line.
//!
//! Where names or AS numbers are registered, a record whose address is not may still match by them. Nearly all do not, and
//! that is proven here from their bytes alone: [`Fields::rule_out`] gives an address only if [`skim`](super::skim()) would find the
//! record sound, that address in it, and none of its names and AS numbers registered. Simply: skim it. Departures from that:
//!
//! 1. Brackets and colons outside strings are seen by [`masks`](super::masks). All of the record is seen, to where its first
//!    bracket is closed, and blanks alone may follow on the line: then it is sound however far `skim` would have read.
//! 2. A key is found by its colon. What stands before it, blanks left out, is a key only if it is a quote, which outside
//!    strings is a closing one; and the key's text is then read backwards to a quote that is not escaped.
//! 3. As `skim` does, a path takes the first key of its spelling in the first object that leads there; what else is nested
//!    is passed over. That takes no looking at colons: blocks in which too few brackets are closed are passed over whole.
//! 4. All names are asked for, not only the first that is none of an address: that rules out less.
//! 5. Only plain values are judged: a string as [`rule_out_name`] and [`rule_out_asn`] take it, `null`, a whole number for an
//!    AS number, and what is nested, which is no name. Numbers and words for names, long texts, escapes: all in doubt.

use super::masks::{Marked, Reader, below};
use super::skim::bare;
use super::sweep::{blanks, text_of};
use super::{PATHS_MAX, Path, Places, is_blank};
use crate::net::Address;
use crate::scan::leap::{AHEAD_BYTES, block, read_address};
use crate::scan::others::{rule_out_asn, rule_out_name};
use crate::scan::simd::{BLOCK_BYTES, Block, Marker, QUAD_ROOM_BYTES, Quad};
use crate::scan::{Filter, KeyKinds};
use std::ops::Range;

/// Most keys of a path.
const STEPS_MAX: usize = 8;

/// The path of the address among the others.
const ADDRESS: u64 = 1;

/// The paths that lead to key fields; a set of them is 64 bits.
#[derive(Clone, Debug)]
pub(super) struct Fields {
    paths: Box<[Path]>,
    /// Those to names.
    names: u64,
    /// Those to AS numbers.
    asns: u64,
    /// By byte: those of which a key ends with it.
    by_last: Box<[u64]>,
}

/// The fields that are asked for.
#[derive(Clone, Copy)]
pub(super) struct Wanted(u64);

/// A record on its way through.
struct Walk<'a> {
    fields: &'a Fields,
    bytes: &'a [u8],
    /// Where the record begins.
    start: usize,
    filter: &'a dyn Filter,
    /// Paths that no key has decided.
    open: u64,
    /// How many brackets are open where keys are looked for: objects, of each of which it is known which paths lead there.
    level: usize,
    leading: [u64; STEPS_MAX + 1],
    /// Where the next such object begins.
    enters_at: usize,
    address: Option<Address>,
}

impl Fields {
    /// `None` where some can only be searched exactly.
    pub(super) fn of(places: &Places<'_>) -> Option<Self> {
        let Places { address, names, asns } = places;
        let paths: Box<[Path]> = std::iter::once(*address).chain(*names).chain(*asns).cloned().collect();
        let is_plain = |step: &[u8]| step.iter().all(|byte| !matches!(byte, b'"' | b'\\' | ..b' '));
        let is_plain = |path: &Path| {
            path.steps().len() <= STEPS_MAX
                && path.steps().iter().all(|step| !step.is_empty() && is_plain(step))
        };
        (paths.len() <= PATHS_MAX && paths.iter().all(is_plain)).then_some(())?;
        let mut by_last = vec![0; 256];
        for (i, path) in paths.iter().enumerate() {
            path.steps()
                .iter()
                .flat_map(|step| step.last())
                .for_each(|&last| by_last[usize::from(last)] |= 1 << i);
        }
        let set = |range: Range<usize>| range.map(|i| 1 << i).sum();
        let (first_asn, end) = (1 + names.len(), paths.len());
        Some(Self { names: set(1..first_asn), asns: set(first_asn..end), by_last: by_last.into(), paths })
    }

    /// What is wanted of them; `None` where addresses are not.
    pub(super) fn wanted(&self, kinds: KeyKinds) -> Option<Wanted> {
        let of = |is_asked: bool, paths: u64| if is_asked { paths } else { 0 };
        kinds.addresses.then_some(Wanted(ADDRESS | of(kinds.names, self.names) | of(kinds.asns, self.asns)))
    }

    /// The address of the record that begins with `reach` and ends in it, and where it ends; `None` where something else
    /// may find it, or where there is any doubt.
    #[inline(always)]
    pub(super) fn rule_out(
        &self,
        marker: impl Marker,
        Wanted(open): Wanted,
        bytes: &[u8],
        reach: Range<usize>,
        filter: &dyn Filter,
    ) -> Option<(Address, usize)> {
        let start = reach.start;
        let mut leading = [0; STEPS_MAX + 1];
        leading[1] = open;
        let mut walk = Walk {
            fields: self,
            bytes,
            start,
            filter,
            open,
            level: 1,
            leading,
            enters_at: start,
            address: None,
        };
        let mut reader = Reader::new();
        let mut at = start + 1;
        while at < reach.end {
            marker.prefetch(bytes, at + AHEAD_BYTES);
            let text = block(bytes, at)?;
            let block = reader.read(marker, marker.structure(&text));
            if let Some(end) = walk.pass(marker, &text, &block, at)? {
                return reader.agrees(&block, below(end)).then_some((walk.address?, at + end + 1));
            }
            reader.agrees(&block, !0).then_some(())?;
            reader.pass(&block);
            at += BLOCK_BYTES;
        }
        None
    }
}

impl Walk<'_> {
    /// Goes through the block at `at`, and tells where in it the record ends; `None` where there is any doubt. It means
    /// nothing where the reader does not agree with the block as far as it goes.
    #[inline(always)]
    fn pass(
        &mut self,
        marker: impl Marker,
        text: &Block,
        block: &Marked,
        at: usize,
    ) -> Option<Option<usize>> {
        let (mut depth, mut left) = (block.depth as usize, !0);
        loop {
            if depth > self.level {
                let Some(place) = block.closing(left, (depth - self.level) as u32) else { return Some(None) };
                (depth, left) = (self.level, above(place));
            }
            let brackets = (block.opens | block.closes) & left;
            let colons = marker.mark(text, b':').delimiters & !block.inside & left;
            let bracket = brackets & brackets.wrapping_neg();
            // All below the first bracket, or all.
            let mut colons = colons & bracket.wrapping_sub(1);
            while colons != 0 {
                self.key(marker, at + colons.trailing_zeros() as usize)?;
                colons &= colons - 1;
            }
            if brackets == 0 {
                return Some(None);
            }
            let place = bracket.trailing_zeros() as usize;
            left = above(place);
            if block.opens & bracket != 0 {
                depth += 1;
                self.level += usize::from(at + place == self.enters_at);
                continue;
            }
            self.open &= !self.leading[self.level];
            (depth, self.level) = (depth - 1, self.level - 1);
            if self.level == 0 {
                return Some(Some(place));
            }
        }
    }

    /// Looks at what stands before and behind a colon.
    #[inline(always)]
    fn key(&mut self, marker: impl Marker, colon: usize) -> Option<()> {
        let mut end = colon;
        while is_blank(self.bytes[end - 1]) {
            end -= 1;
        }
        let &[.., last, b'"'] = &self.bytes[self.start..end] else { return Some(()) };
        let maybe = self.leading[self.level] & self.open & self.fields.by_last[usize::from(last)];
        if maybe == 0 { Some(()) } else { self.named(marker, maybe, end - 1, blanks(self.bytes, colon + 1)) }
    }

    /// Looks at the key that ends at `quote`, which some paths `maybe` go on with, and its value.
    #[inline(always)]
    fn named(&mut self, marker: impl Marker, mut maybe: u64, quote: usize, value: usize) -> Option<()> {
        let mut deeper = 0;
        while maybe != 0 {
            let path = maybe & maybe.wrapping_neg();
            maybe ^= path;
            let steps = self.fields.paths[path.trailing_zeros() as usize].steps();
            match steps.get(self.level - 1..) {
                Some([step, rest @ ..]) if is_key(&self.bytes[self.start..quote], step) => {
                    if rest.is_empty() {
                        self.open &= !path;
                        self.judge(marker, path, value)?;
                    } else {
                        deeper |= path;
                    }
                }
                _ => {}
            }
        }
        if deeper != 0 {
            match self.bytes.get(value) {
                Some(b'{') => (self.enters_at, self.leading[self.level + 1]) = (value, deeper),
                _ => self.open &= !deeper,
            }
        }
        Some(())
    }

    /// Judges the value of a path.
    #[inline(always)]
    fn judge(&mut self, marker: impl Marker, path: u64, value: usize) -> Option<()> {
        if path == ADDRESS {
            let text = text_of(marker, self.bytes, value)?;
            self.address = Some(read_address(marker, self.bytes, text)?);
            return Some(());
        }
        let is_name = path & self.fields.names != 0;
        let is_ruled_out = match self.bytes.get(value)? {
            b'{' | b'[' => true,
            b'"' => {
                let text = text_of(marker, self.bytes, value)?;
                match is_name {
                    true => {
                        is_quad(marker, self.bytes, &text) || rule_out_name(&self.bytes[text], self.filter)
                    }
                    false => rule_out_asn(&self.bytes[text], self.filter),
                }
            }
            _ => match bare(&self.bytes[value..]) {
                b"null" => true,
                number => !is_name && is_whole(number) && rule_out_asn(number, self.filter),
            },
        };
        is_ruled_out.then_some(())
    }
}

/// Whether what stands before a closing quote ends in a key, and the quote before that opens it.
#[inline(always)]
fn is_key(before: &[u8], key: &[u8]) -> bool {
    // A backslash escapes it in a string, and is a doubt outside.
    matches!(before.strip_suffix(key), Some([.., other, b'"']) if *other != b'\\')
}

/// Whether a text is an IPv4 address: no name.
#[inline(always)]
fn is_quad(marker: impl Marker, bytes: &[u8], text: &Range<usize>) -> bool {
    let room = bytes[text.start..].first_chunk::<QUAD_ROOM_BYTES>();
    let quad = room.and_then(|room| marker.quad(room));
    quad.is_some_and(|Quad { length, .. }| length == text.len())
}

/// Whether a word is a number as JSON writes it, without sign, fraction and exponent.
fn is_whole(word: &[u8]) -> bool {
    word.iter().all(u8::is_ascii_digit)
        && (word.len() == 1 || word.first().is_some_and(|first| *first != b'0'))
}

/// All bits above one of the 64.
#[inline(always)]
fn above(place: usize) -> u64 {
    !1 << place
}
