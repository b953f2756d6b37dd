//! Delimited text: where a record ends, and what its fields are.
//!
//! `Dialect` frames records and splits them. Which column is what is the business of `columns`; the formats `csv`,
//! `zmap` and `shadowserver` only name their columns and say what a row is.
//!
//! # The rules
//!
//! Quotes are read as the `csv` crate reads them (its reader is the oracle of `tests/delimited.rs`):
//!
//! - a quote opens only as the first byte of a field; elsewhere in an unquoted field it is a letter;
//! - between quotes `""` is a quote, and delimiters and newlines are text;
//! - what follows a closing quote, up to the next delimiter or newline, is appended to the field as it stands.
//!
//! A record ends at a newline outside quotes, or with the dump. One `\r` right before that newline belongs to it; a
//! lone `\r` is an ordinary byte. Empty lines, and lines that begin with `#` where a record would, are no records.
//!
//! A record of more than `record_bytes_max` bytes (its line end not counted) is `too-long`, one with a quote still
//! open at the end of the dump is `quoting`; where both hold it is `too-long`. Either is rejected at its first newline,
//! quoted or not, and reading resumes right after it, outside quotes: a lost quote costs one row.
//!
//! # Why this is linear
//!
//! Reading resumes *inside* what was just looked at, so hostile text (`a,"b","` on every line: each line opens a quote
//! that never closes) could make every line cost a look at `record_bytes_max` bytes. But a line can only begin in two
//! states, outside or inside quotes, so what is read from inside quotes at one line's start is the same for every
//! record that gets there. `Chain` remembers how far that was followed: a sweep looks at each byte at most twice,
//! once from its own line's start and once along the chain, plus `record_bytes_max` once per sweep.
//! A single [`super::Format::frame`] costs at most `record_bytes_max` plus the way to the first newline.

use super::simd::{BLOCK_BYTES, Marker, Marks, Work, with_best};
use super::{Frame, Reject, Window};
use memchr::{memchr, memchr2};
use smallvec::SmallVec;
use std::borrow::Cow;
use std::ops::Range;

/// Most columns of a header.
pub const COLUMNS_MAX: usize = 4096;

/// Most lines that [`Dialect::guess`] tries.
const GUESS_LINES_MAX: usize = 32;

/// How much of them it looks at, bytes.
const GUESS_BYTES_MAX: usize = 64 << 10;

const QUOTE: u8 = b'"';
const COMMENT: u8 = b'#';

/// What stands between fields, and how long a record may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dialect {
    pub(super) delimiter: u8,
    pub(super) record_bytes_max: usize,
}

/// What the byte before the cursor means for the one at it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// A field begins.
    Start,
    /// In a field without quotes, or after the closing quote of one.
    Plain,
    /// Between quotes.
    Quoted,
    /// After a quote between quotes: it closes unless it is doubled.
    Closing,
}

/// How far a stretch of text was followed without the record's end.
#[derive(Clone, Copy, Debug)]
struct Cursor {
    at: usize,
    state: State,
}

/// The way from one line's start, inside quotes, through all newlines that are inside quotes too.
///
/// Invariant: every newline in `from..cursor.at` is inside quotes for a reader that is inside quotes at `from`.
/// Hence a reader that is inside quotes at the start of any line in `from..=cursor.at` may go on at the cursor.
/// It holds for one window and rising starts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chain {
    from: usize,
    cursor: Cursor,
}

impl Chain {
    /// The way that nobody went.
    pub(super) const fn new() -> Self {
        Self { from: usize::MAX, cursor: Cursor { at: 0, state: State::Quoted } }
    }

    /// Where a reader that is inside quotes at `line_start` may go on.
    fn enter(&mut self, line_start: usize) -> &mut Cursor {
        if !(self.from..=self.cursor.at).contains(&line_start) {
            *self = Self { from: line_start, cursor: Cursor { at: line_start, state: State::Quoted } };
        }
        &mut self.cursor
    }
}

impl Dialect {
    /// Where the record that begins at `start` ends; the contract of [`Format::frame`].
    pub(super) fn frame(&self, window: Window<'_>, start: usize, chain: &mut Chain) -> Frame {
        let Window { bytes, at_end } = window;
        let Some(&first) = bytes.get(start) else {
            return if at_end { Frame::End } else { Frame::More };
        };
        if first == b'\n' {
            return Frame::Blank { next: start + 1 };
        }
        if first == COMMENT {
            return match self.line_end(window, start) {
                Some(next) => Frame::Blank { next },
                None => Frame::More,
            };
        }
        if bytes[start..].starts_with(b"\r\n") {
            return Frame::Blank { next: start + 2 };
        }
        self.frame_record(window, start, chain)
    }

    /// The same where a record does begin at `start`.
    fn frame_record(&self, window: Window<'_>, start: usize, chain: &mut Chain) -> Frame {
        let Window { bytes, at_end } = window;
        // A record of the longest kind, and its line end.
        let limit = bytes.len().min(start.saturating_add(self.record_bytes_max).saturating_add(2));
        let newline = memchr(b'\n', &bytes[start..limit]).map(|i| start + i);
        let line = start..newline.unwrap_or(limit);

        let mut state = State::Plain;
        let mut end = newline;
        if memchr(QUOTE, &bytes[line.clone()]).is_some() {
            let mut cursor = Cursor { at: start, state: State::Start };
            self.follow(bytes, &mut cursor, line.end);
            state = cursor.state;
            if let (Some(newline), State::Quoted) = (newline, state) {
                let cursor = chain.enter(newline + 1);
                end = self.follow(bytes, cursor, limit);
                state = cursor.state;
            }
        }

        if let Some(end) = end {
            let record = start..end - usize::from(bytes[end - 1] == b'\r');
            return if record.len() <= self.record_bytes_max {
                Frame::Record { record, next: end + 1 }
            } else {
                self.reject(window, start, Reject::TooLong)
            };
        }
        // No end up to the limit. A `\r` outside quotes may yet turn out to belong to a newline.
        let seen = limit - start;
        let may_end = seen == self.record_bytes_max + 1
            && !at_end
            && bytes[limit - 1] == b'\r'
            && state != State::Quoted;
        if seen > self.record_bytes_max && !may_end {
            self.reject(window, start, Reject::TooLong)
        } else if !at_end {
            Frame::More
        } else if state == State::Quoted {
            self.reject(window, start, Reject::Quoting)
        } else {
            Frame::Record { record: start..limit, next: limit }
        }
    }

    /// Follows fields up to `limit`; returns the newline that ends the record.
    fn follow(&self, bytes: &[u8], cursor: &mut Cursor, limit: usize) -> Option<usize> {
        while cursor.at < limit {
            let rest = &bytes[cursor.at..limit];
            let (skipped, state) = match (cursor.state, rest[0]) {
                (State::Quoted, _) => match memchr(QUOTE, rest) {
                    Some(i) => (i + 1, State::Closing),
                    None => (rest.len(), State::Quoted),
                },
                (_, b'\n') => return Some(cursor.at),
                (State::Start, QUOTE) | (State::Closing, QUOTE) => (1, State::Quoted),
                (_, byte) if byte == self.delimiter => (1, State::Start),
                (..) => (memchr2(self.delimiter, b'\n', rest).unwrap_or(rest.len()), State::Plain),
            };
            *cursor = Cursor { at: cursor.at + skipped, state };
        }
        None
    }

    /// Rejects the record that begins at `start`, at its first newline.
    fn reject(&self, window: Window<'_>, start: usize, reason: Reject) -> Frame {
        match self.line_end(window, start) {
            Some(next) => Frame::Rejected { record_start: start, reason, next },
            None => Frame::More,
        }
    }

    /// What follows the first newline at or after `start`; the end of the dump where there is none.
    fn line_end(&self, window: Window<'_>, start: usize) -> Option<usize> {
        match memchr(b'\n', &window.bytes[start..]) {
            Some(i) => Some(start + i + 1),
            None => window.at_end.then_some(window.bytes.len()),
        }
    }

    /// A likely record start at or after `at`: the first line that reads as a record of `columns` fields, for a line
    /// inside quotes seldom does; else the first line. What it looks at is bounded, for it is asked of every chunk.
    pub(super) fn guess(&self, window: Window<'_>, at: usize, columns: usize) -> usize {
        let Some(first) = self.next_line(window.bytes, at) else { return window.bytes.len() };
        let end = window.bytes.len().min(first + GUESS_BYTES_MAX);
        let at_end = window.at_end && end == window.bytes.len();
        let window = Window { bytes: &window.bytes[..end], at_end };
        let mut line = first;
        for _ in 0..GUESS_LINES_MAX {
            match self.frame(window, line, &mut Chain::new()) {
                Frame::More | Frame::End => break,
                Frame::Record { record, .. } if self.count(&window.bytes[record.clone()]) == columns => {
                    return line;
                }
                _ => match self.next_line(window.bytes, line + 1) {
                    Some(next) => line = next,
                    None => break,
                },
            }
        }
        first
    }

    /// The first line that begins at or after `at`; `None` where a record of the longest kind would end before one.
    fn next_line(&self, bytes: &[u8], at: usize) -> Option<usize> {
        if at == 0 || at >= bytes.len() {
            return (at < bytes.len()).then_some(at);
        }
        let limit = bytes.len().min(at.saturating_add(self.record_bytes_max).saturating_add(1));
        memchr(b'\n', &bytes[at - 1..limit]).map(|i| at + i).filter(|&line| line < bytes.len())
    }

    fn count(&self, record: &[u8]) -> usize {
        self.fields(record).count()
    }

    /// The fields of a framed record.
    pub(super) fn fields<'r>(&self, record: &'r [u8]) -> Fields<'r> {
        Fields { dialect: *self, record, at: Some(0) }
    }

    /// Writes down where they are, in what is empty; of more than `max` the first ones. Without a quote every delimiter ends a field.
    pub(super) fn split(&self, record: &[u8], max: usize, places: &mut Places) {
        let delimiter = self.delimiter;
        if !with_best(Split { record, delimiter, max, places: &mut *places }) {
            places.clear();
            let mut fields = self.fields(record);
            places.extend(std::iter::from_fn(move || fields.next_place()).take(max));
        }
    }
}

/// Splits a record at all delimiters; `false` where it has a quote, and they tell nothing.
struct Split<'r, 'p> {
    record: &'r [u8],
    delimiter: u8,
    max: usize,
    places: &'p mut Places,
}

impl Work for Split<'_, '_> {
    type Output = bool;

    #[inline(always)]
    fn run(self, marker: impl Marker) -> bool {
        let Self { record, delimiter, max, places } = self;
        let (mut at, mut start) = (0, 0);
        let mut last = [0; BLOCK_BYTES];
        while at < record.len() {
            let block = match record[at..].first_chunk() {
                Some(block) => block,
                None => {
                    last[..record.len() - at].copy_from_slice(&record[at..]);
                    &last
                }
            };
            let Marks { quotes, mut delimiters, .. } = marker.mark(block, delimiter);
            if quotes != 0 {
                return false;
            }
            while delimiters != 0 {
                let end = at + delimiters.trailing_zeros() as usize;
                delimiters &= delimiters - 1;
                if places.len() < max {
                    places.push(start..end);
                }
                start = end + 1;
            }
            at += BLOCK_BYTES;
        }
        if places.len() < max {
            places.push(start..record.len());
        }
        true
    }
}

/// Where the fields of a record are. Those of most scanners' rows fit without an allocation.
pub(super) type Places = SmallVec<[Range<usize>; 16]>;

/// The fields of a record as they stand in it, quotes included.
#[derive(Clone, Debug)]
pub(super) struct Fields<'r> {
    dialect: Dialect,
    record: &'r [u8],
    /// Where the next one begins; `None` after the last.
    at: Option<usize>,
}

impl<'r> Iterator for Fields<'r> {
    type Item = &'r [u8];

    fn next(&mut self) -> Option<&'r [u8]> {
        self.next_place().map(|place| &self.record[place])
    }
}

impl Fields<'_> {
    fn next_place(&mut self) -> Option<Range<usize>> {
        let start = self.at?;
        let delimiter = self.dialect.delimiter;
        let plain = match self.record.get(start) {
            Some(&QUOTE) => closing_quote(self.record, start).map_or(self.record.len(), |quote| quote + 1),
            _ => start,
        };
        let end = memchr(delimiter, &self.record[plain..]).map(|i| plain + i);
        self.at = end.map(|end| end + 1);
        Some(start..end.unwrap_or(self.record.len()))
    }
}

/// The quote that closes the one at `open`.
fn closing_quote(bytes: &[u8], open: usize) -> Option<usize> {
    let mut at = open + 1;
    loop {
        let quote = at + memchr(QUOTE, bytes.get(at..)?)?;
        if bytes.get(quote + 1) != Some(&QUOTE) {
            return Some(quote);
        }
        at = quote + 2;
    }
}

/// What a field says: its quotes taken off. Borrows unless a quote is doubled, or text follows the closing one.
pub(super) fn unquote(field: &[u8]) -> Cow<'_, [u8]> {
    if field.first() != Some(&QUOTE) {
        return Cow::Borrowed(field);
    }
    let close = closing_quote(field, 0).unwrap_or(field.len());
    let (inside, after) = (&field[1..close], field.get(close + 1..).unwrap_or_default());
    if after.is_empty() && memchr(QUOTE, inside).is_none() {
        return Cow::Borrowed(inside);
    }
    let mut text = Vec::with_capacity(field.len());
    let mut rest = inside;
    while let Some(i) = memchr(QUOTE, rest) {
        text.extend_from_slice(&rest[..=i]);
        rest = &rest[i + 2..];
    }
    text.extend_from_slice(rest);
    text.extend_from_slice(after);
    Cow::Owned(text)
}

/// What a field says without the spaces and tabs around it.
pub(super) fn cell(field: &[u8]) -> Cow<'_, [u8]> {
    match unquote(field) {
        Cow::Borrowed(text) => Cow::Borrowed(&text[inner(text)]),
        Cow::Owned(text) => Cow::Owned(text[inner(&text)].to_vec()),
    }
}

/// Where in a field that lies what [`cell`] gives, if the field has it in one piece.
pub(super) fn plain_cell(field: &[u8]) -> Option<Range<usize>> {
    let plain = match field {
        [QUOTE, inside @ .., QUOTE] if memchr(QUOTE, inside).is_none() => 1..field.len() - 1,
        [QUOTE, ..] => return None,
        _ => 0..field.len(),
    };
    let place = inner(&field[plain.clone()]);
    Some(plain.start + place.start..plain.start + place.end)
}

/// Where the text without the spaces and tabs around it lies.
fn inner(text: &[u8]) -> Range<usize> {
    let is_text = |byte: &u8| !matches!(byte, b' ' | b'\t');
    let start = text.iter().position(is_text).unwrap_or(text.len());
    let end = text.iter().rposition(is_text).map_or(start, |i| i + 1);
    start..end
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMA: Dialect = Dialect { delimiter: b',', record_bytes_max: 1 << 20 };

    #[test]
    fn fields_are_split_outside_quotes_only() {
        let check = |record: &str, expected: &[&str]| {
            let fields: Vec<_> =
                COMMA.fields(record.as_bytes()).map(|field| unquote(field).into_owned()).collect();
            assert_eq!(
                fields,
                expected.iter().map(|field| field.as_bytes().to_vec()).collect::<Vec<_>>(),
                "{record}"
            );
            for max in 1..expected.len() + 2 {
                let mut places = Places::new();
                COMMA.split(record.as_bytes(), max, &mut places);
                let places = places.into_iter();
                let fields = COMMA.fields(record.as_bytes()).take(max);
                assert!(fields.eq(places.map(|place| &record.as_bytes()[place])), "{record} {max}");
            }
        };
        check("a,b", &["a", "b"]);
        check("", &[""]);
        check(",", &["", ""]);
        check("\"a,b\",c", &["a,b", "c"]);
        check("\"a\"\"b\",\"\",\"\"\"\"", &["a\"b", "", "\""]);
        check("a\"b,c\"", &["a\"b", "c\""]);
        check("\"a\"b\"c,d", &["ab\"c", "d"]);
        check("\"a\nb\",\" c \"", &["a\nb", " c "]);
    }

    #[test]
    fn cells_borrow_unless_a_quote_is_doubled() {
        let is_borrowed = |field: &'static str| matches!(cell(field.as_bytes()), Cow::Borrowed(_));
        assert!(is_borrowed("a") && is_borrowed("\" a \"") && is_borrowed("\"a,b\""));
        assert!(!is_borrowed("\"a\"\"b\"") && !is_borrowed("\"a\"b"));
        assert_eq!(&*cell(b"\t a b \t"), b"a b");
        for field in [
            &b"a"[..],
            b"",
            b" a ",
            b"\"a\"",
            b"\" a \"",
            b"\"\"",
            b"\"",
            b"\" \"",
            b"a\"b\"",
            b"\"a\"b",
            b"\"a\"\"",
        ] {
            assert!(
                plain_cell(field).is_none_or(|place| field[place] == *cell(field)),
                "{}",
                field.escape_ascii()
            );
        }
        assert_eq!(&*cell(b"\" a\"\"\" "), b"a\"");
        assert_eq!(&*cell(b" \t"), b"");
    }

    /// Guesses save work where they are right; here one row in eight has newlines inside quotes.
    #[test]
    fn guesses_are_nearly_always_right() {
        let row = |i: usize| match i % 8 {
            0 => format!("192.0.2.{},\"a\nb, c\n\",\"x\"\"y\",{i}\n", i % 256),
            _ => format!("192.0.2.{},plain,\"quoted, text\",{i}\n", i % 256),
        };
        let (mut text, mut starts) = (String::new(), Vec::new());
        for i in 0..1000 {
            starts.push(text.len());
            text.push_str(&row(i));
        }
        let window = Window { bytes: text.as_bytes(), at_end: true };
        let right = (0..=*starts.last().unwrap())
            .filter(|&at| {
                starts.get(starts.partition_point(|&start| start < at)) == Some(&COMMA.guess(window, at, 4))
            })
            .count();
        assert!(right * 100 >= text.len() * 99, "{right} of {}", text.len());
    }

    #[test]
    fn a_guess_looks_no_further_than_a_record_is_long() {
        let dialect = Dialect { record_bytes_max: 100, ..COMMA };
        let guess = |bytes: &[u8], at| dialect.guess(Window { bytes, at_end: true }, at, 1);
        let text = [&b"a\n"[..], &b"x".repeat(1000), b"\nb\n"].concat();
        assert_eq!(guess(&text, 0), 0);
        assert_eq!(guess(&text, 1), 2);
        assert_eq!(guess(&text, 3), text.len());
        assert_eq!(guess(&text, 1000), 1003);
        assert_eq!(guess(&text, text.len()), text.len());
    }
}
