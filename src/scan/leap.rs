//! The fast sweep over delimited text that has addresses.
//!
//! Simply: frame a record, read its key fields, ask the filter; repeat from its end. That is
//! [`sweep_frames`], and this one gives the same candidates, counts and position. Departures from it:
//!
//! 1. Of a stretch of text only newlines, quotes and delimiters are looked at, block by block, to find the newlines
//!    outside quotes: where records end ([`Ends`]). The records are read after that, none waiting for another.
//! 2. Quotes are counted: a byte is inside quotes after an odd number of them. That is the rule only if each odd quote
//!    opens, so each must stand at a field's start or right after the quote it doubles. By induction from a record's
//!    true start, where a reader is outside quotes, this proves the states of all bytes up to the first quote that does not;
//!    the record with such a quote is *in doubt*.
//! 3. Of a record no more is read than its field: its column is found by counting delimiters outside quotes, which is right
//!    because the exact keys, when addresses alone are asked for, depend on nothing else. Where more is asked for, the other keys are ruled
//!    out first ([`Others`]).
//! 4. An address is taken only where the field's text, or all between a pair of quotes around it, is strictly one. The
//!    exact reader reads such a field alike: nothing is trimmed, doubled or cut.
//! 5. Addresses wait in a queue of consecutive records, so that the filter answers for many at once. What it does not
//!    rule out is asked for once more as a record's keys and then handed on, in the order of the records: who takes it
//!    reads all of the record exactly.
//! 6. All that is in doubt goes the exact way at once, after the queue: empty lines, comments, rows that end before the
//!    column, prefixes, endpoints, empty fields, long records, records that the window does not end, stray quotes.
//!
//! An end is looked for no further than [`LEAP_BYTES_MAX`], so hostile text costs no more than that on top of each exact frame.

use super::delimited::{Chain, Dialect};
use super::format::{sweep_frames, tell_missed};
use super::others::Others;
use super::simd::{BLOCK_BYTES, Block, Marker, Quad, Work};
use super::{Filter, Format, KeyKinds, Keys, Sink, Subject, Tally, Window};
use crate::net::Address;
use memchr::memchr;
use std::net::IpAddr;
use std::ops::Range;

/// How far the end of a record is looked for, bytes.
const LEAP_BYTES_MAX: usize = 8 << 10;

/// How far ahead of the block at hand text is asked for, bytes: the processor itself does not ask beyond a page.
pub(super) const AHEAD_BYTES: usize = 8 << 10;

/// Blocks whose ends are looked for at once: few enough that they are still in the first-level cache when their records are read.
const STRETCH_BLOCKS: usize = 32;

/// Ends that are written down whether they are there or not.
const ENDS_AT_ONCE: usize = 2;

/// Most ends of a stretch, and room for those that are not there.
const ENDS_MAX: usize = STRETCH_BLOCKS * BLOCK_BYTES + ENDS_AT_ONCE;

/// Most records that wait for the filter's answer.
const QUEUE_MAX: usize = 64;

/// What a sweep is asked for, beyond its sink and tally.
#[derive(Clone, Copy)]
pub(super) struct Leap<'a> {
    pub(super) format: &'a dyn Format,
    pub(super) dialect: Dialect,
    /// The column of the address.
    pub(super) column: usize,
    /// The columns of other keys that are asked for.
    pub(super) others: Option<&'a Others>,
    pub(super) window: Window<'a>,
    pub(super) filter: &'a dyn Filter,
}

/// The fast sweep, to be run with a marker.
pub(super) struct Sweep<'a> {
    pub(super) leap: Leap<'a>,
    pub(super) starts: Range<usize>,
    pub(super) sink: &'a mut dyn Sink,
    pub(super) tally: &'a mut Tally,
}

/// Whether these are the keys that a sweep for addresses finds.
pub(super) fn serves(kinds: KeyKinds) -> bool {
    kinds == KeyKinds { addresses: true, names: false, asns: false }
}

impl Work for Sweep<'_> {
    type Output = usize;

    #[inline(always)]
    fn run(self, marker: impl Marker) -> usize {
        let Self { leap, starts, sink, tally } = self;
        let mut queue = Queue::new();
        let mut chain = Chain::new();
        let mut ends = Ends::new(starts.start);
        let mut at = starts.start;
        while at < starts.end {
            let end = ends.next(marker, &leap, at);
            if let Some(end) = end
                && leap.queues(marker, at..end, &mut queue)
            {
                at = end + 1;
                if queue.is_full() {
                    queue.empty(leap.exact(), sink, tally);
                }
                continue;
            }
            queue.empty(leap.exact(), sink, tally);
            let next = leap.exactly(at, &mut chain, sink, tally);
            if next == at {
                break;
            }
            // Where the exact frame ends elsewhere, or nothing was proven, the ends found so far mean nothing.
            if end.is_none_or(|end| next != end + 1) {
                ends.restart(next);
            }
            at = next;
        }
        queue.empty(leap.exact(), sink, tally);
        at
    }
}

/// What judges a record exactly.
#[derive(Clone, Copy)]
pub(super) struct Exact<'a> {
    pub(super) format: &'a dyn Format,
    pub(super) window: Window<'a>,
    pub(super) filter: &'a dyn Filter,
}

impl Leap<'_> {
    fn exact(&self) -> Exact<'_> {
        Exact { format: self.format, window: self.window, filter: self.filter }
    }

    /// Whether nothing but the address can find the record; `false` where there is any doubt.
    #[inline(always)]
    fn rules_out_others(&self, marker: impl Marker, record: Range<usize>) -> bool {
        let delimiter = self.dialect.delimiter;
        self.others
            .is_none_or(|others| others.rule_out(marker, self.window.bytes, record, delimiter, self.filter))
    }

    /// One record, or what is none, by the exact sweep.
    #[cold]
    fn exactly(&self, at: usize, chain: &mut Chain, sink: &mut dyn Sink, tally: &mut Tally) -> usize {
        let frame = |at| self.dialect.frame(self.window, at, chain);
        sweep_frames(self.format, frame, self.window, at..at + 1, self.filter, sink, tally)
    }

    /// Queues the record that a newline ends; `false` where there is any doubt about it.
    #[inline(always)]
    fn queues(&self, marker: impl Marker, record: Range<usize>, queue: &mut Queue) -> bool {
        let Some(text) = self.text(marker, record.clone()) else { return false };
        match self.quad(marker, text, record.end) {
            Some(v4) => {
                let is_alone = self.rules_out_others(marker, record.clone());
                if is_alone {
                    queue.push_v4(record, v4);
                }
                is_alone
            }
            None => match self.read_other(text, record.end) {
                Some(address) if self.rules_out_others(marker, record.clone()) => {
                    queue.push(record, address);
                    true
                }
                _ => false,
            },
        }
    }

    /// Where the text of the field begins.
    #[inline(always)]
    fn text(&self, marker: impl Marker, record: Range<usize>) -> Option<Text> {
        if record.len() > self.dialect.record_bytes_max {
            return None;
        }
        let field = match self.column {
            0 => record.start,
            column => self.seek(marker, record, column)?,
        };
        let is_quoted = *self.window.bytes.get(field)? == b'"';
        Some(Text { start: field + usize::from(is_quoted), is_quoted })
    }

    /// The dotted quad that is all of the field.
    #[inline(always)]
    fn quad(&self, marker: impl Marker, text: Text, end: usize) -> Option<u32> {
        let Quad { bits, length } = marker.quad(self.window.bytes.get(text.start..)?.first_chunk()?)?;
        self.ends_field(text.start + length, end, text.is_quoted).then_some(bits)
    }

    /// Where the field of a column behind the first begins. A comment has none.
    #[inline(always)]
    fn seek(&self, marker: impl Marker, record: Range<usize>, column: usize) -> Option<usize> {
        let bytes = self.window.bytes;
        if bytes[record.start] == b'#' {
            return None;
        }
        let (mut left, mut inside, mut at) = (column, 0, record.start);
        while at < record.end {
            let marks = marker.mark(&block(bytes, at)?, self.dialect.delimiter);
            let mut delimiters = marks.delimiters;
            if marks.quotes | inside != 0 {
                let quoted = marker.parity(marks.quotes) ^ inside;
                delimiters &= !quoted;
                inside = ((quoted as i64) >> 63) as u64;
            }
            let count = delimiters.count_ones() as usize;
            if count >= left {
                (1..left).for_each(|_| delimiters &= delimiters - 1);
                let delimiter = at + delimiters.trailing_zeros() as usize;
                return (delimiter < record.end).then_some(delimiter + 1);
            }
            left -= count;
            at += BLOCK_BYTES;
        }
        None
    }

    /// Whether a field whose text stops at `stop` ends there, in a record that the newline at `end` ends.
    #[inline(always)]
    fn ends_field(&self, stop: usize, end: usize, is_quoted: bool) -> bool {
        let bytes = self.window.bytes;
        if is_quoted && bytes[stop] != b'"' {
            return false;
        }
        let stop = stop + usize::from(is_quoted);
        stop == end || bytes[stop] == self.dialect.delimiter || stop + 1 == end && bytes[stop] == b'\r'
    }

    /// IPv6, and what stands at the window's end.
    #[inline(never)]
    fn read_other(&self, Text { start, is_quoted }: Text, end: usize) -> Option<Address> {
        let bytes = &self.window.bytes[start..end];
        let length = match is_quoted {
            true => memchr(b'"', bytes)?,
            false => memchr(self.dialect.delimiter, bytes)
                .unwrap_or(bytes.len() - usize::from(bytes.ends_with(b"\r"))),
        };
        let address = Address::read(&bytes[..length])?;
        self.ends_field(start + length, end, is_quoted).then_some(address)
    }
}

/// Where the text of a field begins, behind its quote if it has one.
#[derive(Clone, Copy)]
struct Text {
    start: usize,
    is_quoted: bool,
}

/// The newlines that end records, looked for a stretch ahead of the records themselves.
struct Ends {
    /// Where the stretch began whose ends are at hand; they count from here.
    base: usize,
    found: [u32; ENDS_MAX],
    count: usize,
    /// The first that was not handed out.
    next: usize,
    reader: Reader,
}

/// Reads blocks from a record's true start, where a reader is outside quotes. A copy of it stays in registers.
#[derive(Clone, Copy)]
struct Reader {
    /// Where the next block begins.
    at: usize,
    /// All ones inside quotes, else 0.
    inside: u64,
    /// 1 where a quote as the block's first byte would open or double: the byte before is a border.
    border: u64,
    /// A quote was met that may not mean what its number says: what follows the ends at hand is in doubt.
    in_doubt: bool,
}

impl Ends {
    fn new(start: usize) -> Self {
        Self { base: start, found: [0; ENDS_MAX], count: 0, next: 0, reader: Reader::new(start) }
    }

    /// Begins anew at a true start.
    fn restart(&mut self, start: usize) {
        (self.count, self.next, self.reader) = (0, 0, Reader::new(start));
    }

    /// The end of the record at `start`, the one after the last; `None` where it is in doubt, far off or not there.
    #[inline(always)]
    fn next(&mut self, marker: impl Marker, leap: &Leap<'_>, start: usize) -> Option<usize> {
        if self.next == self.count {
            self.look_ahead(marker, leap, start);
        }
        let found = (self.next < self.count).then(|| self.base + self.found[self.next] as usize);
        self.next += usize::from(found.is_some());
        found
    }

    /// Reads stretches until one has an end.
    #[inline(always)]
    fn look_ahead(&mut self, marker: impl Marker, leap: &Leap<'_>, start: usize) {
        let bytes = leap.window.bytes;
        let (mut reader, mut count) = (self.reader, 0);
        (self.next, self.base) = (0, reader.at);
        while count == 0 && !reader.in_doubt && reader.at < bytes.len() && reader.at - start <= LEAP_BYTES_MAX
        {
            self.base = reader.at;
            for _ in 0..STRETCH_BLOCKS {
                marker.prefetch(bytes, reader.at + AHEAD_BYTES);
                let Some(block) = block(bytes, reader.at) else { break };
                let ends = reader.read(marker, &block, leap.dialect.delimiter);
                count = self.note(count, (reader.at - self.base) as u32, ends);
                reader.at += BLOCK_BYTES;
                if reader.in_doubt {
                    break;
                }
            }
        }
        (self.reader, self.count) = (reader, count);
    }

    /// Writes down the ends of the block at `place` behind `count` others; returns how many there are now. Nearly all blocks have at
    /// most [`ENDS_AT_ONCE`]: these are written without asking how many there are.
    #[inline(always)]
    fn note(&mut self, count: usize, place: u32, mut ends: u64) -> usize {
        let added = ends.count_ones() as usize;
        let mut noted = 0;
        loop {
            for found in &mut self.found[count + noted..][..ENDS_AT_ONCE] {
                *found = place + ends.trailing_zeros();
                ends &= ends.wrapping_sub(1);
            }
            noted += ENDS_AT_ONCE;
            if noted >= added {
                break;
            }
        }
        count + added
    }
}

impl Reader {
    fn new(start: usize) -> Self {
        Self { at: start, inside: 0, border: 1, in_doubt: false }
    }

    /// The ends in a block, up to a quote that is in doubt.
    #[inline(always)]
    fn read(&mut self, marker: impl Marker, block: &Block, delimiter: u8) -> u64 {
        let marks = marker.mark(block, delimiter);
        let borders = marks.quotes | marks.delimiters | marks.newlines;
        if marks.quotes | self.inside == 0 {
            self.border = borders >> 63;
            return marks.newlines;
        }
        let inside = marker.parity(marks.quotes) ^ self.inside;
        let doubts = marks.quotes & inside & !(borders << 1 | self.border);
        self.inside = ((inside as i64) >> 63) as u64;
        self.border = borders >> 63;
        self.in_doubt = doubts != 0;
        // All bits below the first doubt, or all.
        marks.newlines & !inside & (doubts & doubts.wrapping_neg()).wrapping_sub(1)
    }
}

/// The bytes from `at`, zeros after the last; `None` where there are none. Zeros are no newlines, quotes or delimiters.
#[inline(always)]
pub(super) fn block(bytes: &[u8], at: usize) -> Option<Block> {
    match bytes.get(at..).and_then(|rest| rest.first_chunk()) {
        Some(block) => Some(*block),
        None => last_block(bytes.get(at..)?),
    }
}

#[cold]
fn last_block(rest: &[u8]) -> Option<Block> {
    let mut block = [0; BLOCK_BYTES];
    block[..rest.len()].copy_from_slice(rest);
    (!rest.is_empty()).then_some(block)
}

/// The address that is all of a text, which ends before the window does.
#[inline(always)]
pub(super) fn read_address(marker: impl Marker, bytes: &[u8], text: Range<usize>) -> Option<Address> {
    let quad = match bytes[text.start..].first_chunk() {
        Some(room) => marker.quad(room),
        None => None,
    };
    match quad {
        Some(Quad { bits, length }) if length == text.len() => Some(Address::v4(bits)),
        _ => read_rare(&bytes[text]),
    }
}

/// IPv6, and what stands at the window's end.
#[inline(never)]
fn read_rare(text: &[u8]) -> Option<Address> {
    Address::read(text)
}

/// Consecutive records whose addresses the filter was not asked about yet.
pub(super) struct Queue {
    records: [Range<usize>; QUEUE_MAX],
    /// At each record's place its IPv4 address, or 0.
    v4: [u32; QUEUE_MAX],
    v6: [u128; QUEUE_MAX],
    /// The records of `v6`, in order, as bits.
    is_v6: u64,
    count: usize,
}

impl Queue {
    pub(super) fn new() -> Self {
        let records = [const { 0..0 }; QUEUE_MAX];
        Self { records, v4: [0; QUEUE_MAX], v6: [0; QUEUE_MAX], is_v6: 0, count: 0 }
    }

    #[inline(always)]
    pub(super) fn is_full(&self) -> bool {
        self.count == QUEUE_MAX
    }

    /// Adds a record; there must be room.
    #[inline(always)]
    pub(super) fn push(&mut self, record: Range<usize>, address: Address) {
        match address.ip() {
            IpAddr::V4(ip) => self.push_v4(record, ip.to_bits()),
            IpAddr::V6(ip) => {
                self.v6[self.is_v6.count_ones() as usize] = ip.to_bits();
                self.is_v6 |= 1 << self.count;
                self.push_v4(record, 0);
            }
        }
    }

    /// Adds a record by its IPv4 address; there must be room.
    #[inline(always)]
    pub(super) fn push_v4(&mut self, record: Range<usize>, bits: u32) {
        self.records[self.count] = record;
        self.v4[self.count] = bits;
        self.count += 1;
    }

    /// Counts what the filter rules out and hands on the rest.
    #[inline(never)]
    pub(super) fn empty(&mut self, exact: Exact<'_>, sink: &mut dyn Sink, tally: &mut Tally) {
        if self.count == 0 {
            return;
        }
        let first = tally.records;
        let all = !0 >> (QUEUE_MAX - self.count);
        let mut held = exact.filter.may_hold_v4(&self.v4[..self.count]) & all & !self.is_v6;
        if self.is_v6 != 0 {
            let v6 = &self.v6[..self.is_v6.count_ones() as usize];
            held |= deposit(exact.filter.may_hold_v6(v6), self.is_v6);
        }
        tally.records += self.count as u64;
        self.miss(all & !held, first, exact, sink, tally);
        for place in ones(held) {
            self.judge(place, first + place as u64, exact, sink, tally);
        }
        (self.is_v6, self.count) = (0, 0);
    }

    fn miss(&self, missed: u64, first: u64, exact: Exact<'_>, sink: &mut dyn Sink, tally: &mut Tally) {
        let maybe = self.v4[..self.count].iter().enumerate();
        let maybe = maybe.fold(0, |bits, (place, &v4)| bits | u64::from(may_be_special(v4)) << place);
        tally.unmatched += u64::from(missed.count_ones());
        for place in ones(missed & (maybe | self.is_v6)) {
            let is_special = self.address(place).special().is_some();
            tally.unmatched_special += u64::from(is_special);
        }
        let marked = exact.filter.marks_v4(&self.v4[..self.count]) & missed & !self.is_v6;
        for place in ones(marked) {
            sink.missed(first + place as u64, Subject::Address(Address::v4(self.v4[place])));
        }
        for place in ones(missed & self.is_v6) {
            let subject = Some(Subject::Address(self.address(place)));
            tell_missed(first + place as u64, subject, exact.filter, sink);
        }
    }

    /// A record that may be held.
    fn judge(&self, place: usize, number: u64, exact: Exact<'_>, sink: &mut dyn Sink, tally: &mut Tally) {
        let Range { start, end } = self.records[place];
        let record = &exact.window.bytes[start..end];
        let record = record.strip_suffix(b"\r").unwrap_or(record);
        let address = self.address(place);
        let subject = Some(Subject::Address(address));
        match exact.filter.may_hold(&Keys { subject, ..Keys::default() }) {
            true => {
                sink.expect(address);
                sink.candidate(number, start, record);
            }
            false => {
                tally.miss(subject);
                tell_missed(number, subject, exact.filter, sink);
            }
        }
    }

    fn address(&self, place: usize) -> Address {
        match self.is_v6 >> place & 1 {
            0 => Address::v4(self.v4[place]),
            _ => Address::v6(self.v6[(self.is_v6 & ((1 << place) - 1)).count_ones() as usize]),
        }
    }
}

/// `false` is a proof that an IPv4 address is not special: first octets with a special block in them, one bit each.
#[inline]
fn may_be_special(bits: u32) -> bool {
    const FIRST_OCTETS: [u64; 4] = {
        let mut words = [0; 4];
        let blocks = [0usize, 10, 100, 127, 169, 172, 192, 198, 203];
        let mut i = 0;
        while i < blocks.len() {
            words[blocks[i] >> 6] |= 1 << (blocks[i] & 63);
            i += 1;
        }
        words[3] |= !0 << 32; // multicast and reserved: 224 to 255
        words
    };
    let octet = bits >> 24;
    FIRST_OCTETS[(octet >> 6) as usize] >> (octet & 63) & 1 != 0
}

/// The bits that are set, lowest first.
fn ones(mut bits: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let one = (bits != 0).then(|| bits.trailing_zeros() as usize)?;
        bits &= bits - 1;
        Some(one)
    })
}

/// Puts the lowest bits of `bits` at the places of `mask`, in order.
fn deposit(bits: u64, mask: u64) -> u64 {
    ones(mask).enumerate().fold(0, |placed, (i, place)| placed | (bits >> i & 1) << place)
}

#[cfg(test)]
mod tests {
    use super::super::simd::{QUAD_ROOM_BYTES, with_each};
    use super::super::{FORMATS, FormatOptions, Head};
    use super::*;

    /// Holds odd addresses, and rules out half of the even ones at once.
    struct Odd;

    impl Filter for Odd {
        fn kinds(&self) -> KeyKinds {
            KeyKinds { addresses: true, names: false, asns: false }
        }

        fn may_hold(&self, keys: &Keys<'_>) -> bool {
            matches!(keys.subject, Some(Subject::Address(address)) if address.bits() % 2 == 1)
        }

        fn may_hold_v4(&self, addresses: &[u32]) -> u64 {
            addresses.iter().enumerate().fold(0, |bits, (i, v4)| bits | u64::from(v4 % 4 != 0) << i)
        }

        fn may_hold_v6(&self, addresses: &[u128]) -> u64 {
            addresses.iter().enumerate().fold(0, |bits, (i, v6)| bits | u64::from(v6 % 4 != 0) << i)
        }
    }

    #[derive(Default)]
    struct Kept(Vec<(u64, usize, Vec<u8>)>);

    impl Sink for Kept {
        fn candidate(&mut self, number: u64, start: usize, record: &[u8]) {
            self.0.push((number, start, record.to_vec()));
        }
    }

    /// The sweep of all of a text with each marker, and the exact one.
    fn check_sweep(format: &dyn Format, dialect: Dialect, column: usize, window: Window<'_>) {
        let starts = 0..window.bytes.len();
        let (mut kept, mut tally, mut chain) = (Kept::default(), Tally::default(), Chain::new());
        let frame = |at| dialect.frame(window, at, &mut chain);
        let end = sweep_frames(format, frame, window, starts.clone(), &Odd, &mut kept, &mut tally);
        let exact = (end, tally, kept.0);
        let leap = Leap { format, dialect, column, others: None, window, filter: &Odd };
        struct Run<'a>(Leap<'a>, Range<usize>);
        impl Work for Run<'_> {
            type Output = (usize, Tally, Vec<(u64, usize, Vec<u8>)>);
            #[inline(always)]
            fn run(self, marker: impl Marker) -> Self::Output {
                let (mut kept, mut tally) = (Kept::default(), Tally::default());
                let sweep = Sweep { leap: self.0, starts: self.1, sink: &mut kept, tally: &mut tally };
                let end = sweep.run(marker);
                (end, tally, kept.0)
            }
        }
        for swept in with_each(|| Run(leap, starts.clone())) {
            assert_eq!(swept, exact, "column {column}, {}", window.bytes.escape_ascii());
        }
    }

    #[test]
    fn every_marker_sweeps_as_the_exact_sweep_does() {
        let seed = fastrand::u64(..);
        eprintln!("seed {seed}");
        let mut random = fastrand::Rng::with_seed(seed);
        let pieces: &[&[u8]] = &[
            b"192.0.2.1",
            b"8.8.8.8",
            b"9.9.9.12",
            b"2001:db8::1",
            b"2a00::4",
            b"\"192.0.2.3\"",
            b"\"8.8.4.4\"",
            b",",
            b",",
            b",",
            b",",
            b"\n",
            b"\n",
            b"\r\n",
            b"\"",
            b"\"\"",
            b"#",
            b"\"a,\nb\"",
            b"plain words that are long",
            b" ",
            b"\xff",
            b"\r",
        ];
        for _ in 0..3_000 {
            let column = random.usize(..4);
            let header = ["ip,a,b,c\n", "a,ip,b,c\n", "a,b,ip,c\n", "a,b,c,ip\n"][column];
            let spec = FORMATS.iter().find(|spec| spec.name == "csv").unwrap();
            let record_bytes_max = [1 << 20, 100, 20][random.usize(..3)];
            let options = FormatOptions { record_bytes_max, ..FormatOptions::default() };
            let format = (spec.open)(&Head { bytes: header.as_bytes(), at_end: true }, &options).unwrap();
            let count = random.usize(..400);
            let is_regular = random.bool();
            let row = |random: &mut fastrand::Rng| match is_regular {
                true => format!(
                    "{0},{0},\"x{1}\",10.0.0.{1}\n",
                    ["8.8.8.8", "1.2.3.5"][random.usize(..2)],
                    random.u8(..)
                )
                .into_bytes(),
                false => pieces[random.usize(..pieces.len())].to_vec(),
            };
            let bytes: Vec<u8> = (0..count).flat_map(|_| row(&mut random)).collect();
            let dialect = Dialect { delimiter: b',', record_bytes_max };
            check_sweep(&*format, dialect, column, Window { bytes: &bytes, at_end: random.bool() });
        }
    }

    struct ReadQuad([u8; QUAD_ROOM_BYTES]);

    impl Work for ReadQuad {
        type Output = Option<Quad>;
        #[inline(always)]
        fn run(self, marker: impl Marker) -> Option<Quad> {
            marker.quad(&self.0)
        }
    }

    /// The text, with `after` behind it, as each marker and the exact reader read it.
    fn check_quad(text: &[u8], after: u8) {
        let mut room = [after; QUAD_ROOM_BYTES];
        let length = text.len().min(QUAD_ROOM_BYTES);
        room[..length].copy_from_slice(&text[..length]);
        let length = room.iter().position(|byte| !matches!(byte, b'.' | b'0'..=b'9'));
        let told = length.and_then(|length| {
            let bits = Address::read(&room[..length])?.bits() as u32;
            Some(Quad { bits, length })
        });
        for read in with_each(|| ReadQuad(room)) {
            assert_eq!(read, told, "{} before {after}", text.escape_ascii());
        }
    }

    #[test]
    fn quads_are_read_as_the_exact_reader_reads_them() {
        let octets = [
            "", "0", "1", "9", "00", "01", "09", "10", "99", "000", "001", "010", "099", "100", "199", "249",
            "250", "255", "256", "260", "300", "999", "0255", "1000", "/", ":", "1:", " 1", "1 ", "\u{7f}",
        ];
        let mut random = fastrand::Rng::with_seed(7);
        for (a, b) in octets.iter().flat_map(|a| octets.iter().map(move |b| (a, b))) {
            for (c, d) in octets.iter().flat_map(|c| octets.iter().map(move |d| (c, d))) {
                if a.len() + b.len() + c.len() + d.len() <= 13 && random.u8(..8) == 0 {
                    check_quad(format!("{a}.{b}.{c}.{d}").as_bytes(), b"1.,\"\0"[random.usize(..5)]);
                }
            }
            check_quad(format!("{a}.{b}").as_bytes(), b'.');
            check_quad(format!("1.2.{a}.{b}.5").as_bytes(), b',');
            check_quad(format!("1.2.{a}.{b}").as_bytes(), b',');
            check_quad(format!("{a}.{b}.3.4").as_bytes(), b'9');
        }
        for text in
            ["", "1", "...", "....", "::ffff:1.2.3.4", "255.255.255.255", "255.255.255.2555", "1.2.3.4\n"]
        {
            check_quad(text.as_bytes(), b'1');
        }
    }

    #[test]
    fn every_octet_in_every_place_is_read() {
        for octet in 0..=1000 {
            for place in 0..4 {
                let mut octets = [7; 4];
                octets[place] = octet;
                let [a, b, c, d] = octets;
                check_quad(format!("{a}.{b}.{c}.{d}").as_bytes(), b',');
            }
        }
    }

    #[test]
    fn special_addresses_may_be_special() {
        for high in 0..=u16::MAX {
            for low in [0, 1, 10, 255, 0x0900, 0x7100, u16::MAX] {
                let bits = u32::from(high) << 16 | u32::from(low);
                assert!(
                    may_be_special(bits) || Address::v4(bits).special().is_none(),
                    "{}",
                    Address::v4(bits)
                );
            }
        }
    }

    #[test]
    fn bits_are_deposited_in_order() {
        assert_eq!(deposit(0b101, 0b1011_0000), 0b1001_0000);
        assert_eq!(deposit(!0, 1 << 63 | 1), 1 << 63 | 1);
        assert_eq!(deposit(!0, 0), 0);
    }
}
