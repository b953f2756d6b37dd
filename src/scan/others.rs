//! The keys of a delimited row beside its address, ruled out without reading the row.
//!
//! Where names or AS numbers are registered, a row whose address is not may still match by them. Nearly all rows do not, and that is
//! proven here from their cells alone: [`Others::rule_out`] says `true` only if the exact reader would find the row sound as far as its
//! key fields reach, and none of its names and AS numbers registered. Departures from the exact reader:
//!
//! 1. Cells are found by counting delimiters outside quotes, in a record whose quotes are known to alternate.
//! 2. Each name is asked for, not only the first that is filled: that rules out less.
//! 3. Only plain host names are judged: ASCII letters, digits, dots, dashes and underscores. A URL, another script, an A-label, a
//!    doubled quote, a space: all in doubt, and left to the exact reader.

use super::columns::{is_shown_source, read_asn};
use super::leap::block;
use super::simd::{BLOCK_BYTES, Marker};
use super::{Filter, Keys};
use memchr::memchr;
use std::ops::Range;

/// Longest host name, from RFC 1035, with a final dot.
const HOST_BYTES_MAX: usize = 254;

/// What a column is, beside the address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Other {
    /// An AS number.
    Asn,
    /// A stated or a shown name.
    Name,
    /// A name that counts where the source says so.
    Reverse,
    /// Where the reverse name is from.
    ReverseSource,
}

/// The key columns beside the address, ascending; a column may stand here twice.
#[derive(Clone, Debug, Default)]
pub(super) struct Others(pub(super) Vec<(usize, Other)>);

/// What is known of a row once all its cells were looked at.
#[derive(Default)]
struct Reverse {
    names: [Range<usize>; 2],
    count: usize,
    is_shown: bool,
}

impl Others {
    /// Whether a record is proven to be found by none of these columns. Its quotes alternate; it is neither empty nor a comment.
    #[inline(always)]
    pub(super) fn rule_out(
        &self,
        marker: impl Marker,
        bytes: &[u8],
        record: Range<usize>,
        delimiter: u8,
        filter: &dyn Filter,
    ) -> bool {
        let end = record.end - usize::from(record.end > record.start && bytes[record.end - 1] == b'\r');
        let mut left = self.0.as_slice();
        let mut reverse = Reverse::default();
        let (mut column, mut start, mut inside, mut at) = (0, record.start, 0u64, record.start);
        while at < end {
            let Some(block) = block(bytes, at) else { return false };
            let marks = marker.mark(&block, delimiter);
            let mut delimiters = marks.delimiters;
            if marks.quotes | inside != 0 {
                let quoted = marker.parity(marks.quotes) ^ inside;
                delimiters &= !quoted;
                inside = ((quoted as i64) >> 63) as u64;
            }
            if end - at < BLOCK_BYTES {
                delimiters &= (1 << (end - at)) - 1;
            }
            while delimiters != 0 {
                let count = delimiters.count_ones() as usize;
                let Some(&(wanted, _)) = left.first() else { return reverse.is_ruled_out(bytes, filter) };
                if column + count <= wanted {
                    column += count;
                    start = at + BLOCK_BYTES - delimiters.leading_zeros() as usize;
                    break;
                }
                (column..wanted).for_each(|_| {
                    start = at + delimiters.trailing_zeros() as usize + 1;
                    delimiters &= delimiters - 1;
                });
                column = wanted;
                let stop = at + delimiters.trailing_zeros() as usize;
                if !reverse.look_at(&mut left, column, bytes, start..stop, filter) {
                    return false;
                }
                (column, start) = (column + 1, stop + 1);
                delimiters &= delimiters - 1;
            }
            at += BLOCK_BYTES;
        }
        let last = left.first().is_none_or(|&(wanted, _)| wanted == column);
        last && reverse.look_at(&mut left, column, bytes, start..end, filter)
            && left.is_empty()
            && reverse.is_ruled_out(bytes, filter)
    }
}

impl Reverse {
    /// Takes the cell of a column out of what is left to see; `false` where it is in doubt, or held.
    #[inline(always)]
    fn look_at(
        &mut self,
        left: &mut &[(usize, Other)],
        column: usize,
        bytes: &[u8],
        cell: Range<usize>,
        filter: &dyn Filter,
    ) -> bool {
        while let Some((&(wanted, other), rest)) = left.split_first() {
            if wanted != column {
                break;
            }
            *left = rest;
            let Some(text) = plain(bytes, cell.clone()) else { return false };
            let is_ruled_out = match other {
                Other::Name => rule_out_name(&bytes[text], filter),
                Other::Asn => rule_out_asn(&bytes[text], filter),
                Other::Reverse => self.keep(bytes, text),
                Other::ReverseSource => {
                    self.is_shown |= is_shown_source(&bytes[text.clone()]);
                    // The exact reader takes off spaces.
                    bytes[text].iter().all(|byte| byte.is_ascii_graphic())
                }
            };
            if !is_ruled_out {
                return false;
            }
        }
        true
    }

    /// Keeps a reverse name until its source is seen.
    fn keep(&mut self, bytes: &[u8], text: Range<usize>) -> bool {
        let Some(place) = self.names.get_mut(self.count) else { return false };
        *place = text.clone();
        self.count += 1;
        is_ascii_text(&bytes[text])
    }

    fn is_ruled_out(&self, bytes: &[u8], filter: &dyn Filter) -> bool {
        let names = &self.names[..self.count];
        !self.is_shown || names.iter().all(|name| rule_out_name(&bytes[name.clone()], filter))
    }
}

/// The text of a cell in one piece, quotes around it taken off.
#[inline]
fn plain(bytes: &[u8], cell: Range<usize>) -> Option<Range<usize>> {
    match &bytes[cell.clone()] {
        [b'"', inside @ .., b'"'] if memchr(b'"', inside).is_none() => Some(cell.start + 1..cell.end - 1),
        [b'"', ..] => None,
        _ => Some(cell),
    }
}

/// ASCII without NUL: what the exact reader takes for text, and more narrowly.
fn is_ascii_text(text: &[u8]) -> bool {
    text.iter().all(|byte| (1..0x80).contains(byte))
}

/// By byte: the lower case of what plain host names consist of, else 0.
static LOWER: [u8; 256] = {
    let mut lower = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let it = byte as u8;
        if it.is_ascii_alphanumeric() || matches!(it, b'.' | b'-' | b'_') {
            lower[byte] = it.to_ascii_lowercase();
        }
        byte += 1;
    }
    lower
};

/// Whether a name, or nothing, is proven not to be registered.
#[inline]
pub(super) fn rule_out_name(text: &[u8], filter: &dyn Filter) -> bool {
    let mut host = [0; HOST_BYTES_MAX];
    let Some(host) = host.get_mut(..text.len()) else { return false };
    let (mut is_plain, mut before) = (true, 0);
    for (to, &byte) in host.iter_mut().zip(text) {
        *to = LOWER[usize::from(byte)];
        // Two dashes may be an A-label's.
        is_plain &= *to != 0 && !(*to == b'-' && before == b'-');
        before = *to;
    }
    let host = host.strip_suffix(b".").unwrap_or(host);
    is_plain && (host.is_empty() || !filter.may_hold_name(host))
}

/// The same for an AS number, or nothing.
pub(super) fn rule_out_asn(text: &[u8], filter: &dyn Filter) -> bool {
    let held =
        || read_asn(text).is_some_and(|asn| filter.may_hold(&Keys { asn: Some(asn), ..Keys::default() }));
    text.iter().all(u8::is_ascii_alphanumeric) && !held()
}
