//! The fast sweep over JSON lines.
//!
//! Simply: frame a line, search its key fields with `skim`, read them, ask the filter; repeat from the next line. That is
//! [`sweep_frames`], and this one gives the same candidates, counts and position. Departures from it:
//!
//! 1. Keys are searched 64 bytes at a time, by [`masks`](super::masks), from the record's `{` on. Whatever the masks do not
//!    see as `skim` sees it puts the record in *doubt*.
//! 2. Where addresses alone are asked for ([`Search::Key`]), the key that decides is the first string at depth 1 with its
//!    spelling before a `:`. Strings that are no such key are passed over as `skim` does, whatever stands in them: each
//!    byte up to the key is seen, none is skipped. No further byte matters to `skim`, since the value that it is asked for
//!    is filled. What follows on the line is looked at for a newline only.
//! 3. Where names or AS numbers are asked for too ([`Search::Fields`]), all of the record is read, and they are ruled out in
//!    place: [`Fields`] says how.
//! 4. An address is taken only where the text between the quotes is strictly one, which has no escapes: the exact reader
//!    reads it alike.
//! 5. In masscan's dialect a bare word is a key too. There the key must be the first thing behind the `{`.
//! 6. Addresses wait in a [`Queue`], so that the filter answers for many at once. What it does not rule out goes the
//!    exact way (keys, filter, sink), in the order of the records.
//! 7. All that is in doubt goes the exact way at once, after the queue: lines that do not begin with `{`, records
//!    without the key, other values, escapes outside strings, long records, the last line where no newline ends it.
//!
//! A line is looked at for its keys no further than `record_bytes_max`, so that hostile text costs no more than that on
//! top of each exact frame.

use super::fields::{Fields, Wanted};
use super::frame::Framing;
use super::masks::{Marked, Reader, below};
use super::{Dialect, Path, is_blank};
use crate::net::Address;
use crate::scan::format::sweep_frames;
use crate::scan::leap::{AHEAD_BYTES, Exact, Queue, block, read_address};
use crate::scan::simd::{BLOCK_BYTES, KeySign, Marker, ROOM_BYTES, Room, STRETCH_BYTES, Work};
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

    /// The first of a block's `keys`, strings that may be this one, that is it at depth 1, if the block is sound up to
    /// there.
    #[inline(always)]
    fn first_of(&self, bytes: &[u8], block: &Marked, mut keys: u64, at: usize) -> Option<usize> {
        while keys != 0 {
            let place = keys.trailing_zeros() as usize;
            if block.depth_at(place) == 1 && self.is_at(bytes, at + place) {
                return Some(at + place);
            }
            keys &= keys - 1;
        }
        None
    }

    /// Whether the string that begins at `quote` is spelled so, and a `:` follows.
    #[inline(always)]
    fn is_at(&self, bytes: &[u8], quote: usize) -> bool {
        let rest = &bytes[quote + 1..];
        rest.starts_with(&self.spelling) && bytes.get(self.colon(bytes, quote)) == Some(&b':')
    }

    #[inline(always)]
    fn colon(&self, bytes: &[u8], quote: usize) -> usize {
        blanks(bytes, quote + 2 + self.spelling.len())
    }

    /// Where the value of the key begins whose opening quote is at `quote`.
    #[inline(always)]
    fn value(&self, bytes: &[u8], quote: usize) -> usize {
        blanks(bytes, self.colon(bytes, quote) + 1)
    }
}

/// What is searched in a line.
#[derive(Clone, Copy)]
pub(super) enum Search<'a> {
    /// The address, where its key alone decides.
    Key(&'a Key),
    /// The address and all that is asked for beside it.
    Fields(&'a Fields, Wanted),
}

/// Lines, and what decides about them.
#[derive(Clone, Copy)]
pub(super) struct Lines<'a> {
    pub(super) exact: Exact<'a>,
    pub(super) framing: &'a Framing,
    pub(super) search: Search<'a>,
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
        let (address, newline) = match self.search {
            Search::Key(key) => self.by_key(marker, key, start)?,
            Search::Fields(fields, wanted) => self.by_fields(marker, fields, wanted, start)?,
        };
        let record = self.record(start..newline)?;
        Some(Leapt { record, address, next: newline + 1 })
    }

    /// The address of the record at `start`, by its key alone, and the newline behind.
    #[inline(always)]
    fn by_key(&self, marker: impl Marker, key: &Key, start: usize) -> Option<(Address, usize)> {
        let bytes = self.exact.window.bytes;
        let field = text_of(marker, bytes, key.value(bytes, self.find(marker, key, start)?))?;
        let address = read_address(marker, bytes, field.clone())?;
        Some((address, newline(marker, bytes, field.end)?))
    }

    /// The same of a record which nothing but its address can find.
    #[inline(always)]
    fn by_fields(
        &self,
        marker: impl Marker,
        fields: &Fields,
        wanted: Wanted,
        start: usize,
    ) -> Option<(Address, usize)> {
        let Exact { window, filter, .. } = self.exact;
        let reach = start..start.saturating_add(self.framing.record_bytes_max());
        let (address, end) = fields.rule_out(marker, wanted, window.bytes, reach, filter)?;
        let newline = blanks(window.bytes, end);
        (window.bytes.get(newline) == Some(&b'\n')).then_some((address, newline))
    }

    /// Where the key's opening quote stands in the record at `start`.
    #[inline(always)]
    fn find(&self, marker: impl Marker, key: &Key, start: usize) -> Option<usize> {
        let bytes = self.exact.window.bytes;
        let mut reader = Reader::new();
        let mut at = start + 1;
        let found = loop {
            marker.prefetch(bytes, at + AHEAD_BYTES);
            let last;
            let room = match bytes.get(at..).and_then(|rest| rest.first_chunk()) {
                Some(room) => room,
                None => {
                    last = last_room(bytes, at)?;
                    &last
                }
            };
            let text = room.first_chunk().expect("a room begins with a block");
            let block = reader.read(marker, marker.structure(text));
            let keys = marker.keys(room, key.sign) & block.strings;
            let is_sound = |own| reader.agrees(&block, own) && block.closing(own, block.depth).is_none();
            if let Some(found) = key.first_of(bytes, &block, keys, at) {
                is_sound(below(found - at)).then_some(())?;
                break found;
            }
            if !is_sound(!0) || at - start > self.framing.record_bytes_max() {
                return None;
            }
            reader.pass(&block);
            at += BLOCK_BYTES;
        };
        let is_first = || bytes[start + 1..found].iter().all(|byte| is_blank(*byte));
        (self.framing.dialect() == Dialect::Json || is_first()).then_some(found)
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

/// What stands between the quotes of the string at `quote`, if it ends within a block.
#[inline(always)]
pub(super) fn text_of(marker: impl Marker, bytes: &[u8], quote: usize) -> Option<Range<usize>> {
    (bytes.get(quote) == Some(&b'"')).then_some(())?;
    let start = quote + 1;
    match marker.mark(&block(bytes, start)?, b'"').quotes {
        0 => None,
        quotes => Some(start..start + quotes.trailing_zeros() as usize),
    }
}

/// The first byte at or after `at` that is no blank of a line; a newline is none.
#[inline(always)]
pub(super) fn blanks(bytes: &[u8], mut at: usize) -> usize {
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
    use crate::scan::json::{PATHS_MAX, Places};
    use crate::scan::simd::with_each;
    use crate::scan::{FORMATS, Filter, Head, KeyKinds, Keys, Subject, Window};

    const ADDRESSES: KeyKinds = KeyKinds { addresses: true, names: false, asns: false };

    /// Holds odd addresses, and rules out half of the even ones at once; what ends in `held.nl`; AS7.
    struct Odd(KeyKinds);

    impl Filter for Odd {
        fn kinds(&self) -> KeyKinds {
            self.0
        }

        fn may_hold(&self, keys: &Keys<'_>) -> bool {
            let is_held = |name: &str| name.to_ascii_lowercase().trim_end_matches('.').ends_with("held.nl");
            matches!(keys.subject, Some(Subject::Address(address)) if address.bits() % 2 == 1)
                || keys.stated.iter().chain(&keys.shown).any(|name| is_held(name))
                || keys.asn.is_some_and(|asn| asn.0 == 7)
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

    /// What is asked of a format in these tests, and where it looks for it.
    struct Asked {
        name: &'static str,
        dialect: Dialect,
        kinds: KeyKinds,
        address: Path,
        names: Vec<Path>,
        asns: Vec<Path>,
    }

    /// Addresses alone.
    fn address_of(name: &'static str, dialect: Dialect) -> Asked {
        Asked { name, dialect, kinds: ADDRESSES, address: Path::key("ip"), names: vec![], asns: vec![] }
    }

    /// The sweep of all of a text with each marker, and the exact one. Returns how many records were leapt over.
    fn check_sweep(asked: &Asked, record_bytes_max: usize, window: Window<'_>) -> usize {
        let Asked { name, dialect, kinds, address, names, asns } = asked;
        let spec = FORMATS.iter().find(|spec| spec.name == *name).unwrap();
        let head = Head { bytes: b"{}\n{}\n", at_end: true };
        let options = crate::scan::FormatOptions { record_bytes_max, ..Default::default() };
        let format = (spec.open)(&head, &options).unwrap();
        let framing = Framing::new(&head, *dialect, None, record_bytes_max);
        let filter = Odd(*kinds);
        let (mut kept, mut tally) = (Kept::default(), Tally::default());
        let starts = 0..window.bytes.len();
        let frame = |at| framing.frame(window, at);
        let end = sweep_frames(&*format, frame, window, starts.clone(), &filter, &mut kept, &mut tally);
        let exact = (end, tally, kept.0);
        let key = Key::only_of(address);
        let fields = Fields::of(&Places { address, names, asns }).unwrap();
        let search = match key.as_ref().filter(|_| *kinds == ADDRESSES) {
            Some(key) => Search::Key(key),
            None => Search::Fields(&fields, fields.wanted(*kinds).unwrap()),
        };
        let lines =
            Lines { exact: Exact { format: &*format, window, filter: &filter }, framing: &framing, search };
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
        let formats = [
            address_of("zgrab2", Dialect::Json),
            address_of("ndjson", Dialect::Json),
            address_of("masscan", Dialect::Masscan),
        ];
        let mut leapt = 0;
        for _ in 0..4000 {
            let asked = &formats[random.usize(..formats.len())];
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
            leapt += check_sweep(asked, record_bytes_max, window);
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
        assert_eq!(check_sweep(&address_of("zgrab2", Dialect::Json), 1 << 20, window), 300);
    }

    /// All keys of a format, with its places.
    fn all_of(name: &'static str, kinds: KeyKinds) -> Asked {
        let paths = |paths: &[&str]| paths.iter().map(|path| Path::dotted(path)).collect::<Vec<_>>();
        let (address, names, asns) = match name {
            "zgrab2" => ("ip", paths(&["domain"]), vec![]),
            _ => ("ip_str", paths(&["http.host", "ssl.cert.subject.CN"]), paths(&["asn"])),
        };
        Asked { name, dialect: Dialect::Json, kinds, address: Path::key(address), names, asns }
    }

    fn kinds(names: bool, asns: bool) -> KeyKinds {
        KeyKinds { addresses: true, names, asns }
    }

    /// Members of records of which many are sound, and what may stand between them.
    const MEMBERS: &[&str] = &[
        "\"ip_str\":\"8.8.8.8\"",
        "\"ip_str\" : \"8.8.4.5\"",
        "\"ip_str\":\"2001:db8::4\"",
        "\"ip\":\"8.8.8.8\"",
        "\"ip_\\u0073tr\":\"8.8.8.9\"",
        "\"domain\":\"www.other.example\"",
        "\"domain\":\"www.held.nl\"",
        "\"domain\":\"\"",
        "\"domain\":null",
        "\"domain\":[\"held.nl\"]",
        "\"domain\":{\"ip\":\"8.8.8.9\"}",
        "\"domain\":7",
        "\"asn\":\"AS8\"",
        "\"asn\":\"AS7\"",
        "\"asn\":8",
        "\"asn\" :\t7",
        "\"asn\":07",
        "\"asn\":7.0",
        "\"asn\":nul",
        "\"asn\":null",
        "\"asn\":\"\\u0037\"",
        "\"http\":null",
        "\"http\":{}",
        "\"http\":[{\"host\":\"held.nl\"}]",
        "\"http\":{\"host\":\"held.nl\"}",
        "\"http\":{\"host\":\"a.HELD.nl.\"}",
        "\"http\":{\"host\":\"held.nl:443\"}",
        "\"http\":{\"host\":\"http://held.nl/\"}",
        "\"http\":{\"host\":\"held.nl.other\"}",
        "\"http\":{\"host\":\"192.0.2.1\"}",
        "\"http\":{\"host\":\"h\\u0065ld.nl\"}",
        "\"http\" : { \"x\":{\"host\":\"held.nl\"}, \"host\" : \"a.b\" }",
        "\"http\":{\"x\":[[{\"host\":\"held.nl\"}]],\"host\":null}",
        "\"http\":{\"http\":{\"host\":\"held.nl\"}}",
        "\"http\":{\"ssl\":{\"cert\":{\"subject\":{\"CN\":\"held.nl\"}}}}",
        "\"ssl\":{\"cert\":{\"subject\":{\"CN\":\"held.nl\"}}}",
        "\"ssl\":{\"cert\":{\"subject\":{\"CN\":\"*.held.nl\"}}}",
        "\"ssl\":{\"cert\":{\"subject\":{\"CN\":\"other.nl\",\"CN\":\"held.nl\"}}}",
        "\"ssl\":{\"cert\":{\"subject\":{\"O\":\"x\"}},\"cert\":{\"subject\":{\"CN\":\"held.nl\"}}}",
        "\"ssl\":{\"cert\":{\"issuer\":{\"CN\":\"held.nl\"},\"subject\":{\"CN\":\"x.nl\"}}}",
        "\"ssl\":{\"CN\":\"held.nl\",\"subject\":{\"CN\":\"held.nl\"}}",
        "\"host\":\"held.nl\"",
        "\"CN\":\"held.nl\"",
        "\"s\":\"\\\",\\\"domain\\\":\\\"held.nl\"",
        "\"s\":\"}\",\"t\":\"{\"",
        "\"s\":\"domain\",\"t\":\"held.nl\"",
        "\"s\":\"domain\":\"held.nl\"",
        "\"s\":\"\\\\\"",
        "\"long\":\"words some more that are long, to get beyond a block of sixty-four bytes\"",
        "\"\":\"\"",
        "\"domain\"",
        ":",
        "\\",
        "{",
        "}",
        "]",
        "\"",
        "\r",
        "\n",
        "#",
    ];

    #[test]
    fn records_with_names_are_swept_as_the_exact_sweep_does() {
        let seed = fastrand::u64(..);
        eprintln!("seed {seed}");
        let mut random = fastrand::Rng::with_seed(seed);
        let mut leapt = [0; 2];
        for round in 0..6000 {
            let (is_shodan, is_wild) = (round % 2, random.bool());
            let kinds = kinds(random.u8(..4) > 0, random.bool());
            let asked = all_of(["zgrab2", "shodan"][is_shodan], kinds);
            let key = ["ip", "ip_str"][is_shodan];
            let mut text = String::from("\n");
            for _ in 0..random.usize(..12) {
                let count = random.usize(..6);
                // The last of the pieces break records.
                let pieces = &MEMBERS[..MEMBERS.len() - if is_wild && random.bool() { 0 } else { 10 }];
                let mut members: Vec<String> =
                    (0..count).map(|_| pieces[random.usize(..pieces.len())].to_owned()).collect();
                let at = random.usize(..=members.len());
                members.insert(at, format!("\"{key}\":\"9.9.9.{}\"", random.u8(..)));
                let between = [",", " , ", ",\r", ""][if is_wild { random.usize(..4) } else { 0 }];
                let padding = match random.bool() {
                    true => format!("\"p\":\"{}\",", "p".repeat(random.usize(..130))),
                    false => String::new(),
                };
                let behind = ["\n", "\n", " \r\n", "}\n", " x\n", "{}\n"]
                    [if is_wild { random.usize(..6) } else { random.usize(..3) }];
                text += &format!("{{{padding}{}}}{behind}", members.join(between));
            }
            let record_bytes_max = [1 << 20, 1 << 20, 250, 60][random.usize(..4)];
            let window = Window { bytes: text.as_bytes(), at_end: random.bool() };
            leapt[is_shodan] += check_sweep(&asked, record_bytes_max, window);
        }
        assert!(leapt.iter().all(|count| *count > 2000), "{leapt:?} records were leapt over");
    }

    #[test]
    fn a_name_is_found_wherever_it_stands() {
        let holders: &[(&'static str, &[&str])] = &[
            ("zgrab2", &["\"ip\":\"9.9.9.8\"", "\"domain\":\"@\""]),
            ("shodan", &["\"ip_str\":\"9.9.9.8\"", "\"http\":{\"x\":{},\"host\":\"@\"}"]),
            ("shodan", &["\"ip_str\":\"9.9.9.8\"", "\"ssl\":{\"cert\":{\"subject\":{\"CN\":\"@\"}}}"]),
            ("shodan", &["\"ip_str\":\"9.9.9.8\"", "\"asn\":\"#\""]),
        ];
        for (format, members) in holders {
            let asked = all_of(format, kinds(true, true));
            let sweep = |name: &str, asn: &str| {
                let mut text = String::from("\n");
                for (length, is_last) in (0..200).flat_map(|length| [(length, false), (length, true)]) {
                    let mut members = members.to_vec();
                    members.rotate_left(usize::from(length % 2 == 0));
                    let padding = format!("\"p\":[{{\"q\":\"{}\"}}]", "\\\"}".repeat(length));
                    members.insert(if is_last { 2 } else { 0 }, &padding);
                    text += &format!("{{{}}}\n", members.join(","));
                }
                let text = text.replace('@', name).replace('#', asn) + &" ".repeat(BLOCK_BYTES);
                check_sweep(&asked, 1 << 20, Window { bytes: text.as_bytes(), at_end: true })
            };
            assert_eq!(sweep("held.nl.other.nl", "AS70"), 400, "{members:?}");
            for name in ["www.held.nl", "8.8.8.8-held.nl", "8.8.8.8.held.nl", "held.nl."] {
                assert_eq!(sweep(name, "AS7"), 0, "{members:?}");
            }
        }
    }

    #[test]
    fn fields_have_few_plain_paths() {
        let fields = |address: &str, names: &[Path]| {
            Fields::of(&Places { address: &Path::dotted(address), names, asns: &[] }).is_some()
        };
        assert!(fields("a.b.c.d.e.f.g.h", &[]));
        assert!(fields("a.{.", &[]) == fields("", &[]), "an empty key is searched exactly");
        for path in ["a.b.c.d.e.f.g.h.i", "a\"", "a.\\u0061", "a\n", ""] {
            assert!(!fields(path, &[]), "{path}");
        }
        let many = |count| (0..count).map(|i| Path::key(&format!("k{i}"))).collect::<Vec<_>>();
        assert!(fields("ip", &many(PATHS_MAX - 1)));
        assert!(!fields("ip", &many(PATHS_MAX)));
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
