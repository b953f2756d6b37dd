//! The fast sweep over JSON lines where addresses alone are asked for.
//!
//! Simply: frame a line, search its key field with `skim`, read it, ask the filter; repeat from the next line. That is
//! [`sweep_frames`], and this one gives the same candidates, counts and position. Departures from it:
//!
//! 1. The key is searched 64 bytes at a time, by masks of quotes, backslashes and brackets, from the record's `{` on.
//!    What `skim` knows of a byte follows from the masks: *escaped* is the byte behind an odd run of backslashes,
//!    *inside* a string one behind an odd number of quotes that are not escaped, and the depth is the number of brackets
//!    opened before, less those closed, strings left out.
//! 2. `skim` minds backslashes inside strings only, the masks mind all. So one that stands outside puts the record in
//!    *doubt*. By induction from the record's `{`, where both agree, they agree up to the first such backslash.
//! 3. `skim` stops where depth falls to 0 or gets beyond [`JSON_DEPTH_MAX`]; brackets that close what others opened it
//!    lets pass, and so do the masks. Either depth before the key is a doubt, and so is a newline.
//! 4. The key that decides is the first string at depth 1 with its spelling before a `:`. Strings that are no such key
//!    are passed over as `skim` does, whatever stands in them: each byte up to the key is seen, none is skipped. No
//!    further byte matters to `skim`, since the value that it is asked for is filled.
//! 5. The value is taken only where the text between its quotes is strictly an address, which has no escapes: the exact
//!    reader reads it alike. What follows on the line is looked at for a newline only.
//! 6. In masscan's dialect a bare word is a key too. There the key must be the first thing behind the `{`.
//! 7. Addresses wait in a [`Queue`], so that the filter answers for many at once. What it does not rule out goes the
//!    exact way (keys, filter, sink), in the order of the records.
//! 8. All that is in doubt goes the exact way at once, after the queue: lines that do not begin with `{`, records
//!    without the key, other values, escapes outside strings, long records, the last line where no newline ends it.
//!
//! A line is looked at for its key no further than `record_bytes_max`, so that hostile text costs no more than that on
//! top of each exact frame.

use super::frame::Framing;
use super::{Dialect, JSON_DEPTH_MAX, Path, is_blank};
use crate::net::Address;
use crate::scan::format::sweep_frames;
use crate::scan::leap::{AHEAD_BYTES, Exact, Queue, block, read_address};
use crate::scan::simd::{BLOCK_BYTES, KeySign, Marker, ROOM_BYTES, Room, STRETCH_BYTES, Structure, Work};
use crate::scan::{Sink, Tally};
use memchr::memchr;
use std::ops::Range;

/// Longest key that is searched, bytes: with its quotes it fits behind a block.
const KEY_BYTES_MAX: usize = ROOM_BYTES - BLOCK_BYTES - 2;

/// A key as it is written between its quotes, without quotes or backslashes in it.
#[derive(Clone, Debug)]
pub(super) struct Key {
    spelling: Box<[u8]>,
    sign: KeySign,
}

impl Key {
    /// The only key of a path; `None` where there are more, or where it can only be searched exactly.
    pub(super) fn only_of(path: &Path) -> Option<Self> {
        let [spelling] = path.steps() else { return None };
        let is_plain = !spelling.iter().any(|byte| matches!(byte, b'"' | b'\\'));
        let first = *spelling.first().filter(|_| is_plain && spelling.len() <= KEY_BYTES_MAX)?;
        Some(Self { spelling: spelling.clone(), sign: KeySign { first, length: spelling.len() } })
    }
}

/// Lines of which the key alone decides.
#[derive(Clone, Copy)]
pub(super) struct Lines<'a> {
    pub(super) exact: Exact<'a>,
    pub(super) framing: &'a Framing,
    pub(super) key: &'a Key,
}

/// The fast sweep, to be run with a marker.
pub(super) struct Sweep<'a> {
    pub(super) lines: Lines<'a>,
    pub(super) starts: Range<usize>,
    pub(super) sink: &'a mut dyn Sink,
    pub(super) tally: &'a mut Tally,
}

impl Work for Sweep<'_> {
    type Output = usize;

    #[inline(always)]
    fn run(self, marker: impl Marker) -> usize {
        let Self { lines, starts, sink, tally } = self;
        let mut queue = Queue::new();
        let mut at = starts.start;
        while at < starts.end {
            if let Some(leapt) = lines.over(marker, at) {
                queue.push(leapt.record, leapt.address);
                at = leapt.next;
                if queue.is_full() {
                    queue.empty(lines.exact, sink, tally);
                }
                continue;
            }
            queue.empty(lines.exact, sink, tally);
            let next = lines.exactly(at, sink, tally);
            if next == at {
                break;
            }
            at = next;
        }
        queue.empty(lines.exact, sink, tally);
        at
    }
}

/// A record that was leapt over.
struct Leapt {
    record: Range<usize>,
    address: Address,
    next: usize,
}

impl Lines<'_> {
    /// One record, or what is none, by the exact sweep.
    #[cold]
    fn exactly(&self, at: usize, sink: &mut dyn Sink, tally: &mut Tally) -> usize {
        let Exact { format, window, filter } = self.exact;
        sweep_frames(format, |at| self.framing.frame(window, at), window, at..at + 1, filter, sink, tally)
    }

    /// The record at `start` and its address; `None` where there is any doubt.
    #[inline(always)]
    fn over(&self, marker: impl Marker, start: usize) -> Option<Leapt> {
        let bytes = self.exact.window.bytes;
        if bytes.get(start) != Some(&b'{') {
            return None;
        }
        let key = self.key(marker, start)?;
        let field = self.text_of(marker, key)?;
        let address = read_address(marker, bytes, field.clone())?;
        let newline = newline(marker, bytes, field.end)?;
        let record = self.record(start..newline)?;
        Some(Leapt { record, address, next: newline + 1 })
    }

    /// Where the key's opening quote stands in the record at `start`.
    #[inline(always)]
    fn key(&self, marker: impl Marker, start: usize) -> Option<usize> {
        let bytes = self.exact.window.bytes;
        let mut reader = Reader { inside: 0, escapes: Escapes(0), depth: 1 };
        let mut at = start + 1;
        let key = loop {
            marker.prefetch(bytes, at + AHEAD_BYTES);
            let last;
            let room = match bytes.get(at..).and_then(|rest| rest.first_chunk()) {
                Some(room) => room,
                None => {
                    last = last_room(bytes, at)?;
                    &last
                }
            };
            let block = reader.read(marker, marker.structure(room, self.key.sign));
            if let Some(key) = self.first_of(&block, at) {
                reader.is_sound(&block, below(key - at)).then_some(())?;
                break key;
            }
            if !reader.is_sound(&block, !0) || at - start > self.framing.record_bytes_max() {
                return None;
            }
            reader.pass(&block);
            at += BLOCK_BYTES;
        };
        let is_first = || bytes[start + 1..key].iter().all(|byte| is_blank(*byte));
        (self.framing.dialect() == Dialect::Json || is_first()).then_some(key)
    }

    /// The first of a block's strings that is the key at depth 1, if the block is sound up to there.
    #[inline(always)]
    fn first_of(&self, block: &Marked, at: usize) -> Option<usize> {
        let mut keys = block.keys;
        while keys != 0 {
            let place = keys.trailing_zeros() as usize;
            if block.depth_at(place) == 1 && self.is_key(at + place) {
                return Some(at + place);
            }
            keys &= keys - 1;
        }
        None
    }

    /// Whether the string that begins at `quote` is spelled as the key, and a `:` follows.
    #[inline(always)]
    fn is_key(&self, quote: usize) -> bool {
        let bytes = self.exact.window.bytes;
        let spelling = &*self.key.spelling;
        let rest = &bytes[quote + 1..];
        rest.starts_with(spelling) && bytes.get(blanks(bytes, quote + 2 + spelling.len())) == Some(&b':')
    }

    /// What stands between the quotes of the value of the key at `key`.
    #[inline(always)]
    fn text_of(&self, marker: impl Marker, key: usize) -> Option<Range<usize>> {
        let bytes = self.exact.window.bytes;
        let colon = blanks(bytes, key + 2 + self.key.spelling.len());
        let quote = blanks(bytes, colon + 1);
        (bytes.get(quote) == Some(&b'"')).then_some(())?;
        let start = quote + 1;
        match marker.mark(&block(bytes, start)?, b'"').quotes {
            0 => None,
            quotes => Some(start..start + quotes.trailing_zeros() as usize),
        }
    }

    /// The record of a line: what is left of it without the blanks behind.
    #[inline(always)]
    fn record(&self, line: Range<usize>) -> Option<Range<usize>> {
        let bytes = self.exact.window.bytes;
        let length = line.len() - usize::from(bytes[line.end - 1] == b'\r');
        let mut end = line.end;
        // The line's `{` is no blank.
        while is_blank(bytes[end - 1]) {
            end -= 1;
        }
        // In masscan's dialect a comma is no part of the record.
        let is_plain = self.framing.dialect() == Dialect::Json || bytes[end - 1] != b',';
        (is_plain && length <= self.framing.record_bytes_max()).then_some(line.start..end)
    }
}

/// What is known of a record at the begin of a block.
struct Reader {
    /// All ones inside strings, else 0.
    inside: u64,
    escapes: Escapes,
    /// Brackets that are open.
    depth: u32,
}

/// A block, as a reader sees it who reads it from its begin.
struct Marked {
    newlines: u64,
    /// Backslashes outside strings.
    strays: u64,
    /// Brackets outside strings.
    opens: u64,
    closes: u64,
    /// Strings that may be the key, by their opening quotes.
    keys: u64,
    /// Brackets that are open at the begin.
    depth: u32,
    inside: u64,
}

impl Reader {
    #[inline(always)]
    fn read(&mut self, marker: impl Marker, structure: Structure) -> Marked {
        let escaped = self.escapes.follow(structure.backslashes);
        let quotes = structure.quotes & !escaped;
        // From each opening quote to right before the closing one.
        let inside = marker.parity(quotes) ^ self.inside;
        Marked {
            newlines: structure.newlines,
            strays: structure.backslashes & !inside,
            opens: structure.opens & !inside,
            closes: structure.closes & !inside,
            keys: structure.keys & quotes & inside,
            depth: self.depth,
            inside,
        }
    }

    /// Whether `own` bits of a block, the lowest ones, are read here as `skim` reads them, and leave it searching.
    #[inline(always)]
    fn is_sound(&self, block: &Marked, own: u64) -> bool {
        let opened = (block.opens & own).count_ones();
        (block.newlines | block.strays) & own == 0
            && self.depth + opened <= JSON_DEPTH_MAX as u32
            && block.stays_open(own)
    }

    /// Goes on behind a block, which is sound.
    #[inline(always)]
    fn pass(&mut self, block: &Marked) {
        self.inside = ((block.inside as i64) >> 63) as u64;
        self.depth = self.depth + block.opens.count_ones() - block.closes.count_ones();
    }
}

impl Marked {
    /// Brackets that are open before the byte at `place`; what it says of a block that is not sound means nothing.
    #[inline(always)]
    fn depth_at(&self, place: usize) -> u32 {
        let opened = (self.opens & below(place)).count_ones();
        (self.depth + opened).wrapping_sub((self.closes & below(place)).count_ones())
    }

    /// Whether the record's first bracket is open all the way.
    #[inline(always)]
    fn stays_open(&self, own: u64) -> bool {
        let mut closes = self.closes & own;
        if closes.count_ones() < self.depth {
            return true;
        }
        let mut closed = 0;
        while closes != 0 {
            closed += 1;
            let opened = (self.opens & below(closes.trailing_zeros() as usize)).count_ones();
            if self.depth + opened <= closed {
                return false;
            }
            closes &= closes - 1;
        }
        true
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
fn below(place: usize) -> u64 {
    (1 << place) - 1
}

/// The first byte at or after `at` that is no blank of a line; a newline is none.
#[inline(always)]
fn blanks(bytes: &[u8], mut at: usize) -> usize {
    while matches!(bytes.get(at), Some(b' ' | b'\t' | b'\r')) {
        at += 1;
    }
    at
}

/// The bytes from `at`, zeros after the last; `None` where there are none. Zeros mean nothing in JSON.
#[cold]
fn last_room(bytes: &[u8], at: usize) -> Option<Room> {
    let rest = bytes.get(at..).filter(|rest| !rest.is_empty())?;
    let mut room = [0; ROOM_BYTES];
    let length = rest.len().min(ROOM_BYTES);
    room[..length].copy_from_slice(&rest[..length]);
    Some(room)
}

/// The first newline at or after `at`.
#[inline(always)]
fn newline(marker: impl Marker, bytes: &[u8], mut at: usize) -> Option<usize> {
    match marker.newlines(&block(bytes, at)?) {
        0 => at += BLOCK_BYTES,
        newlines => return Some(at + newlines.trailing_zeros() as usize),
    }
    while let Some(stretch) = bytes.get(at..).and_then(|rest| rest.first_chunk()) {
        (0..STRETCH_BYTES).step_by(BLOCK_BYTES).for_each(|i| marker.prefetch(bytes, at + AHEAD_BYTES + i));
        match marker.first_newline(stretch) {
            None => at += STRETCH_BYTES,
            Some(newline) => return Some(at + newline),
        }
    }
    memchr(b'\n', bytes.get(at..)?).map(|newline| at + newline)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::simd::with_each;
    use crate::scan::{FORMATS, Filter, Head, KeyKinds, Keys, Subject, Window};

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

    struct Run<'a>(Lines<'a>);

    impl Work for Run<'_> {
        type Output = (usize, Tally, Vec<(u64, usize, Vec<u8>)>);
        #[inline(always)]
        fn run(self, marker: impl Marker) -> Self::Output {
            let (mut kept, mut tally) = (Kept::default(), Tally::default());
            let starts = 0..self.0.exact.window.bytes.len();
            let end = Sweep { lines: self.0, starts, sink: &mut kept, tally: &mut tally }.run(marker);
            (end, tally, kept.0)
        }
    }

    /// The sweep of all of a text with each marker, and the exact one. Returns how many records were leapt over.
    fn check_sweep(
        name: &str,
        dialect: Dialect,
        key: &str,
        record_bytes_max: usize,
        window: Window<'_>,
    ) -> usize {
        let spec = FORMATS.iter().find(|spec| spec.name == name).unwrap();
        let head = Head { bytes: b"{}\n{}\n", at_end: true };
        let options = crate::scan::FormatOptions { record_bytes_max, ..Default::default() };
        let format = (spec.open)(&head, &options).unwrap();
        let framing = Framing::new(&head, dialect, None, record_bytes_max);
        let (mut kept, mut tally) = (Kept::default(), Tally::default());
        let starts = 0..window.bytes.len();
        let frame = |at| framing.frame(window, at);
        let end = sweep_frames(&*format, frame, window, starts.clone(), &Odd, &mut kept, &mut tally);
        let exact = (end, tally, kept.0);
        let key = Key::only_of(&Path::key(key)).unwrap();
        let lines =
            Lines { exact: Exact { format: &*format, window, filter: &Odd }, framing: &framing, key: &key };
        for swept in with_each(|| Run(lines)) {
            assert_eq!(swept, exact, "{name}, {}", window.bytes.escape_ascii());
        }
        struct Leaps<'a>(Lines<'a>);
        impl Work for Leaps<'_> {
            type Output = usize;
            #[inline(always)]
            fn run(self, marker: impl Marker) -> usize {
                let bytes = self.0.exact.window.bytes;
                let starts = memchr::memchr_iter(b'\n', bytes).map(|newline| newline + 1);
                starts.filter(|start| self.0.over(marker, *start).is_some()).count()
            }
        }
        let leaps = with_each(|| Leaps(lines));
        assert!(leaps.iter().all(|count| *count == leaps[0]), "all markers leap alike");
        leaps[0]
    }

    #[test]
    fn every_marker_sweeps_as_the_exact_sweep_does() {
        let seed = fastrand::u64(..);
        eprintln!("seed {seed}");
        let mut random = fastrand::Rng::with_seed(seed);
        let pieces = [
            "{",
            "}",
            "[",
            "]",
            "\"",
            "\\",
            ":",
            ",",
            "\n",
            "\r",
            "\r\n",
            " ",
            "\t",
            "#",
            "ip",
            "\"ip\"",
            "\"ip\":",
            "\"ip\" : ",
            "\"ip\":\"8.8.8.8\"",
            "\"8.8.4.4\"",
            "\"2001:db8::4\"",
            "{\"ip\":\"9.9.9.9\"}\n",
            "null",
            "\"s\":\"\\\"x\\\\\",",
            "\"o\":{\"ip\":\"8.8.8.8\"},",
            "\"a\":[{}],",
            "\"words that are long\"",
            "{\"x\":\"some words more that are long, to get beyond a block\",",
        ];
        let formats = [("zgrab2", Dialect::Json), ("ndjson", Dialect::Json), ("masscan", Dialect::Masscan)];
        let mut leapt = 0;
        for _ in 0..4000 {
            let (name, dialect) = formats[random.usize(..formats.len())];
            let record_bytes_max = [1 << 20, 100, 20][random.usize(..3)];
            let mut text = String::from("\n");
            for _ in 0..random.usize(..150) {
                if random.u8(..8) == 0 {
                    let before = ["", "\"a\":1,", "\"b\":{\"ip\":\"8.8.8.8\"},"][random.usize(..3)];
                    text += &format!("\n{{{before}\"ip\":\"9.9.9.{}\"", random.u8(..));
                }
                text += pieces[random.usize(..pieces.len())];
            }
            let window = Window { bytes: text.as_bytes(), at_end: random.bool() };
            leapt += check_sweep(name, dialect, "ip", record_bytes_max, window);
        }
        assert!(leapt > 4000, "{leapt} records were leapt over");
    }

    #[test]
    fn a_record_that_is_sound_is_leapt_over_wherever_its_key_stands() {
        let mut text = String::from("\n");
        for length in 0..300 {
            let note = "\\\"}".repeat(length);
            text += &format!(
                "{{\"note\":\"{note}\",\"o\":[{{\"ip\":\"8.8.8.8\"}}],\"ip\":\"9.9.9.{}\"}} \r\n",
                length % 256
            );
        }
        text += &" ".repeat(BLOCK_BYTES);
        let window = Window { bytes: text.as_bytes(), at_end: true };
        assert_eq!(check_sweep("zgrab2", Dialect::Json, "ip", 1 << 20, window), 300);
    }

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

    #[test]
    fn only_one_plain_key_is_searched_fast() {
        let length = |path| Key::only_of(&path).map(|key| key.sign.length);
        assert_eq!(length(Path::key("ip_str")), Some(6));
        assert_eq!(length(Path::key("source.ip")), Some(9));
        assert_eq!(length(Path::key(&"k".repeat(KEY_BYTES_MAX))), Some(30));
        for path in [Path::dotted("source.ip"), Path::key(""), Path::key("i\\u0070"), Path::key("a\"b")] {
            assert_eq!(length(path), None);
        }
        assert_eq!(length(Path::key(&"k".repeat(KEY_BYTES_MAX + 1))), None);
    }
}
