//! The fast sweep over delimited text where addresses alone are asked for.
//!
//! Simply: frame a record, read its key fields, ask the filter; repeat from its end. That is
//! [`sweep_frames`], and this one gives the same candidates, counts and position. Departures from it:
//!
//! 1. A record is *leapt* over: from its start, block by block, only newlines, quotes and delimiters are looked at. The
//!    column of the address is found by counting delimiters, the end is the first newline outside quotes. Nothing else
//!    of the row is read, which is right because the exact keys, when addresses alone are asked for, depend on nothing
//!    else.
//! 2. Quotes are counted: a byte is inside quotes after an odd number of them. That is the rule only if each odd quote
//!    opens, so each must stand at a field's start or right after the quote it doubles. By induction from the record's
//!    start, where a reader is outside quotes, this proves the states of all bytes up to the first quote that does not;
//!    a record with such a quote before its end is *in doubt*.
//! 3. An address is taken only where the field's text, or all between a pair of quotes around it, is strictly one. The
//!    exact reader reads such a field alike: nothing is trimmed, doubled or cut.
//! 4. Addresses wait in a queue of consecutive records, so that the filter answers for many at once. What it does not
//!    rule out goes the exact way (keys, filter, sink), in the order of the records.
//! 5. All that is in doubt goes the exact way at once, after the queue: empty lines, comments, rows that end before the
//!    column, prefixes, endpoints, empty fields, long records, records that the window does not end, stray quotes.
//!
//! A leap gives up after [`LEAP_BYTES_MAX`], so hostile text costs no more than that on top of each exact frame.

use super::delimited::{Chain, Dialect};
use super::format::sweep_frames;
use super::simd::{BLOCK_BYTES, Block, Marker, Work};
use super::{Filter, Format, KeyKinds, Sink, Tally, Window};
use crate::net::Address;
use std::net::IpAddr;
use std::ops::Range;

/// Longest record that is leapt over, bytes.
const LEAP_BYTES_MAX: usize = 8 << 10;

/// How far ahead of the block at hand text is asked for, bytes: the processor itself does not ask beyond a page.
pub(super) const AHEAD_BYTES: usize = 2 << 10;

/// Most records that wait for the filter's answer.
const QUEUE_MAX: usize = 64;

/// What a sweep is asked for, beyond its sink and tally.
#[derive(Clone, Copy)]
pub(super) struct Leap<'a> {
    pub(super) format: &'a dyn Format,
    pub(super) dialect: Dialect,
    /// The column of the address.
    pub(super) column: usize,
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

/// Whether these are the keys that a leap finds.
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
        let mut at = starts.start;
        while at < starts.end {
            if let Some(leapt) = leap.over(marker, at) {
                queue.push(leapt.record, leapt.address);
                at = leapt.next;
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
            at = next;
        }
        queue.empty(leap.exact(), sink, tally);
        at
    }
}

/// A record that was leapt over.
pub(super) struct Leapt {
    pub(super) record: Range<usize>,
    pub(super) address: Address,
    pub(super) next: usize,
}

/// What judges a record exactly.
#[derive(Clone, Copy)]
pub(super) struct Exact<'a> {
    pub(super) format: &'a dyn Format,
    pub(super) window: Window<'a>,
    pub(super) filter: &'a dyn Filter,
}

/// What is known of a record at the begin of a block.
struct Reader {
    /// All ones inside quotes, else 0.
    inside: u64,
    /// 1 where a quote as the block's first byte would open or double: the byte before is a border.
    border: u64,
    /// Delimiters before the column.
    left: usize,
    field_start: Option<usize>,
    field_end: Option<usize>,
}

impl Leap<'_> {
    fn exact(&self) -> Exact<'_> {
        Exact { format: self.format, window: self.window, filter: self.filter }
    }

    /// One record, or what is none, by the exact sweep.
    #[cold]
    fn exactly(&self, at: usize, chain: &mut Chain, sink: &mut dyn Sink, tally: &mut Tally) -> usize {
        let frame = |at| self.dialect.frame(self.window, at, chain);
        sweep_frames(self.format, frame, self.window, at..at + 1, self.filter, sink, tally)
    }

    /// The record at `start` and its address; `None` where there is any doubt.
    #[inline(always)]
    fn over(&self, marker: impl Marker, start: usize) -> Option<Leapt> {
        let bytes = self.window.bytes;
        if matches!(bytes.get(start)?, b'\n' | b'\r' | b'#') {
            return None;
        }
        let field_start = (self.column == 0).then_some(start);
        let mut reader = Reader { inside: 0, border: 1, left: self.column, field_start, field_end: None };
        let mut at = start;
        let newline = loop {
            marker.prefetch(bytes, at + AHEAD_BYTES);
            match reader.read(marker, &block(bytes, at)?, at, self.dialect.delimiter) {
                Ok(Some(newline)) => break newline,
                Ok(None) if at - start < LEAP_BYTES_MAX => at += BLOCK_BYTES,
                Ok(None) | Err(Doubt) => return None,
            }
        };
        let end = newline - usize::from(bytes[newline - 1] == b'\r');
        if end - start > self.dialect.record_bytes_max {
            return None;
        }
        let field = reader.field_start?..reader.field_end.unwrap_or(end);
        let address = read_address(marker, bytes, field)?;
        Some(Leapt { record: start..end, address, next: newline + 1 })
    }
}

/// A quote may not mean what its number says.
struct Doubt;

impl Reader {
    /// Reads the block at `at`; returns where the record ends.
    #[inline(always)]
    fn read(
        &mut self,
        marker: impl Marker,
        block: &Block,
        at: usize,
        delimiter: u8,
    ) -> Result<Option<usize>, Doubt> {
        let marks = marker.mark(block, delimiter);
        let inside = match marks.quotes {
            0 => self.inside,
            quotes => marker.parity(quotes) ^ self.inside,
        };
        let ends = marks.newlines & !inside;
        // All bits up to the first end, or all.
        let own = ends ^ ends.wrapping_sub(1);
        let borders = (marks.quotes | marks.delimiters) << 1 | self.border;
        if marks.quotes & inside & !borders & own != 0 {
            return Err(Doubt);
        }
        if self.field_end.is_none() {
            self.seek(marks.delimiters & !inside & own, at);
        }
        self.inside = ((inside as i64) >> 63) as u64;
        self.border = (marks.quotes | marks.delimiters) >> 63;
        Ok((ends != 0).then(|| at + ends.trailing_zeros() as usize))
    }

    /// Looks for the field among the delimiters of a block.
    #[inline(always)]
    fn seek(&mut self, mut delimiters: u64, at: usize) {
        if self.field_start.is_none() {
            let count = delimiters.count_ones() as usize;
            if count < self.left {
                self.left -= count;
                return;
            }
            (1..self.left).for_each(|_| delimiters &= delimiters - 1);
            self.field_start = Some(at + delimiters.trailing_zeros() as usize + 1);
            delimiters &= delimiters - 1;
        }
        self.field_end = (delimiters != 0).then(|| at + delimiters.trailing_zeros() as usize);
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

/// The address that is all of a field, or all between the quotes around it.
#[inline(always)]
pub(super) fn read_address(marker: impl Marker, bytes: &[u8], field: Range<usize>) -> Option<Address> {
    let text = match &bytes[field.clone()] {
        [b'"', .., b'"'] => field.start + 1..field.end - 1,
        _ => field,
    };
    let quad = match bytes[text.start..].first_chunk() {
        Some(room) => read_quad(marker, room, text.len()),
        None => None,
    };
    match quad {
        Some(bits) => Some(Address::v4(bits)),
        None => read_other(&bytes[text]),
    }
}

/// IPv6, and what stands at the window's end.
#[inline(never)]
fn read_other(text: &[u8]) -> Option<Address> {
    Address::read(text)
}

/// Bytes that are looked at to read a dotted quad: its 15, and as many as a load of 4 at the last of 16 needs.
const QUAD_ROOM_BYTES: usize = 20;

/// Reads the first `length` bytes of `room` as [`Address::read`] reads IPv4: all checks are made, then one is asked.
#[inline(always)]
fn read_quad(marker: impl Marker, room: &[u8; QUAD_ROOM_BYTES], length: usize) -> Option<u32> {
    if length > "255.255.255.255".len() {
        return None;
    }
    let quad = marker.quad(room.first_chunk()?);
    let own = (1u32 << length) - 1;
    let dots = quad.dots & own;
    let but_lowest = |bits: u32| bits & bits.wrapping_sub(1);
    let (second, third) = (but_lowest(dots), but_lowest(but_lowest(dots)));
    let ends = [dots.trailing_zeros(), second.trailing_zeros(), third.trailing_zeros(), length as u32];
    let mut is_quad = dots.count_ones() == 3 && (quad.dots | quad.digits) & own == own;
    let (mut bits, mut start) = (0, 0u32);
    for end in ends {
        let digits = end.wrapping_sub(start);
        let digit_bits = digits.wrapping_mul(8);
        let at = (start & 15) as usize;
        let text = u32::from_le_bytes([room[at], room[at + 1], room[at + 2], room[at + 3]]);
        // Its last digit in the highest byte, nothing below its first.
        let text = (text ^ 0x3030_3030) << (32u32.wrapping_sub(digit_bits) & 31);
        let octet = (text >> 24) + 10 * (text >> 16 & 0xff) + 100 * (text >> 8 & 0xff);
        // The least number of one, two and three digits without a leading zero.
        let least = 0x640a_0000 >> (digit_bits & 31) & 0xff;
        is_quad &= digits.wrapping_sub(1) < 3 && octet <= 255 && octet >= least;
        bits = bits << 8 | octet;
        start = end.wrapping_add(1);
    }
    is_quad.then_some(bits)
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
        let place = self.count;
        self.records[place] = record;
        self.v4[place] = match address.ip() {
            IpAddr::V4(ip) => ip.to_bits(),
            IpAddr::V6(ip) => {
                self.v6[self.is_v6.count_ones() as usize] = ip.to_bits();
                self.is_v6 |= 1 << place;
                0
            }
        };
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
        self.miss(all & !held, tally);
        for place in ones(held) {
            self.judge(place, first + place as u64, exact, sink, tally);
        }
        (self.is_v6, self.count) = (0, 0);
    }

    fn miss(&self, missed: u64, tally: &mut Tally) {
        let maybe = self.v4[..self.count].iter().enumerate();
        let maybe = maybe.fold(0, |bits, (place, &v4)| bits | u64::from(may_be_special(v4)) << place);
        tally.unmatched += u64::from(missed.count_ones());
        for place in ones(missed & (maybe | self.is_v6)) {
            let is_special = self.address(place).special().is_some();
            tally.unmatched_special += u64::from(is_special);
        }
    }

    /// The exact way, for a record that may be held.
    fn judge(&self, place: usize, number: u64, exact: Exact<'_>, sink: &mut dyn Sink, tally: &mut Tally) {
        let Range { start, end } = self.records[place];
        let record = &exact.window.bytes[start..end];
        match exact.format.keys(record, exact.filter.kinds()) {
            Ok(keys) if exact.filter.may_hold(&keys) => sink.candidate(number, start, record),
            Ok(keys) => tally.miss(keys.subject),
            Err(reason) => tally.reject(number, start, reason),
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
    use super::super::simd::with_each;
    use super::super::{FORMATS, FormatOptions, Head, Keys, Subject};
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
        let leap = Leap { format, dialect, column, window, filter: &Odd };
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

    struct ReadQuad<'t>(&'t [u8; QUAD_ROOM_BYTES], usize);

    impl Work for ReadQuad<'_> {
        type Output = Option<u32>;
        #[inline(always)]
        fn run(self, marker: impl Marker) -> Option<u32> {
            read_quad(marker, self.0, self.1)
        }
    }

    /// The text, with `after` behind it, as the fast reader and the exact one read it.
    fn check_quad(text: &[u8], after: u8) {
        let mut room = [after; QUAD_ROOM_BYTES];
        let length = text.len().min(QUAD_ROOM_BYTES);
        room[..length].copy_from_slice(&text[..length]);
        let told = Address::read(text).and_then(|address| match address.ip() {
            IpAddr::V4(ip) => Some(ip.to_bits()),
            IpAddr::V6(_) => None,
        });
        let told = told.filter(|_| !text.contains(&b':')); // mapped: read, but not as a quad
        for read in with_each(|| ReadQuad(&room, text.len())) {
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
