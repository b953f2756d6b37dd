//! Where JSON records begin and end: a line each, or objects that stand between separators.
//!
//! Which of the two is decided once, by the head. The first byte that is no blank and in no `#` line decides:
//!
//! * `[`: **objects**.
//! * `{`, and the first line holds exactly that object: **lines**. If a comma follows the object: **objects**. If the
//!   line ends inside the object, outside a string, where JSON goes on (its last byte is one of `{ [ : ,` or the next
//!   byte that is no blank is one of `" , } ]`): **objects**. Else lines.
//! * anything else: **lines**.
//!
//! # Lines
//!
//! A record is a line without the blanks around it. Empty lines, and those whose first byte that is no blank is `#`, are
//! none. What is wrong with a line costs that line only.
//!
//! # Objects
//!
//! Between records, blanks and `[`, `]`, `,` separate; `#` begins a comment. A record runs from `{` to where as many
//! brackets were closed as opened, strings left out; whether it is JSON is for the readers to say. It is damaged
//! where a string holds a newline, where the dump ends inside, and where a *landmark* stands inside: in most such
//! dumps each record begins a line, behind the same indentation, and no object inside a record does. The first record
//! that begins a line tells the indentation, and whether that is so. A record that is not closed within
//! `record_bytes_max` is `too-long`; a byte between records that is no separator begins a damaged record too.
//!
//! # Objects of an answer
//!
//! Where a producer's answer is one object, the records are the elements of an array in it, and a dump may hold many
//! answers. An object that has such an array is the begin of an answer: reading goes on behind the `[`. Behind the
//! array `}` and the members that are known to stand there (`total`, `facets`) are passed over. All else between
//! records is a *stray* and damaged: text up to the bracket that closes more than was opened in it, or up to a `{` that
//! is no member's value. So nothing of a dump is lost unseen, wherever its answers were cut or joined.
//!
//! # After damage
//!
//! After a damaged or too long record, reading resumes at the first landmark in the `record_bytes_max` bytes from its
//! first. Where none is there: after the newline in its string, at the end of the dump, or after the last newline of
//! these bytes (of garbage without landmarks: the first); where there is no newline, after the first one beyond. So a
//! damaged record costs itself where there are landmarks and at most `record_bytes_max` bytes where there are not,
//! each byte is looked at a bounded number of times, and all depends on the bytes from the record's first on.

use super::read::is_json;
use super::skim::{member, skip_string};
use super::{Dialect, is_blank, trim};
use crate::scan::{Frame, Head, Reject, Window};
use memchr::{memchr, memchr_iter, memchr3, memrchr};
use std::ops::Range;

/// How many separators are passed over at once. More only cost another call.
const SEPARATORS_MAX: usize = 256;

/// Bytes of a line's end.
const LINE_END_BYTES: usize = 2;

/// What an answer says behind its records, beside them.
const TAIL_KEYS: [&[u8]; 2] = [b"\"total\"", b"\"facets\""];

/// How a dump holds its records.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Layout {
    /// One a line.
    Lines,
    /// Between separators.
    Objects {
        /// The blanks before a record that begins a line, where such a line begins a record and nothing else.
        landmark: Option<Box<[u8]>>,
        /// They are the elements of an array in an object: its key.
        wrapper: Option<Box<str>>,
    },
}

/// Finds records; a pure function of the bytes from a true start on.
#[derive(Clone, Debug)]
pub(super) struct Framing {
    body: usize,
    layout: Layout,
    dialect: Dialect,
    record_bytes_max: usize,
}

/// What a walk over an object met first.
enum Walk {
    /// Its end.
    Closed(usize),
    /// A newline in a string.
    Newline(usize),
    /// The first byte of the next record.
    Landmark(usize),
    /// The end of the bytes.
    Open,
}

impl Walk {
    /// How far it came; `None`: to the end of the bytes.
    fn end(&self) -> Option<usize> {
        match *self {
            Self::Closed(end) | Self::Newline(end) | Self::Landmark(end) => Some(end),
            Self::Open => None,
        }
    }
}

impl Framing {
    /// Decides by the head. `wrapper` is the key of the array that holds the records, where a producer's answer is one
    /// object.
    pub(super) fn new(
        head: &Head<'_>,
        dialect: Dialect,
        wrapper: Option<&str>,
        record_bytes_max: usize,
    ) -> Self {
        let mark = head.mark_bytes();
        let text = head.text();
        let start = significant(text);
        let opened = wrapper.and_then(|key| Some((key, start + opened(&text[start..], key)?)));
        let objects = |body: usize, wrapper: Option<&str>| Layout::Objects {
            landmark: landmark(text, body, dialect),
            wrapper: wrapper.map(Into::into),
        };
        let (body, layout) = match opened {
            Some((key, body)) => (body, objects(body, Some(key))),
            None if holds_objects(&text[start..]) => (0, objects(start, None)),
            None => (0, Layout::Lines),
        };
        Self { body: mark + body, layout, dialect, record_bytes_max }
    }

    /// Where the first record may begin.
    pub(super) fn body(&self) -> usize {
        self.body
    }

    /// Whether each record is a line.
    pub(super) fn is_lines(&self) -> bool {
        self.layout == Layout::Lines
    }

    /// How its producer writes JSON.
    pub(super) fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Longest record, bytes.
    pub(super) fn record_bytes_max(&self) -> usize {
        self.record_bytes_max
    }

    /// [`crate::scan::Format::frame`].
    pub(super) fn frame(&self, window: Window<'_>, start: usize) -> Frame {
        if start == window.bytes.len() {
            return if window.at_end { Frame::End } else { Frame::More };
        }
        match &self.layout {
            Layout::Lines => self.line(window, start),
            Layout::Objects { landmark, wrapper } => {
                self.object(window, start, landmark.as_deref(), wrapper.as_deref())
            }
        }
    }

    /// [`crate::scan::Format::guess`].
    pub(super) fn guess(&self, window: Window<'_>, at: usize) -> usize {
        if at <= self.body {
            return self.body.min(window.bytes.len());
        }
        let landmark = match &self.layout {
            Layout::Lines => {
                let newline = memchr(b'\n', &window.bytes[at - 1..]);
                return newline.map_or(window.bytes.len(), |i| at + i);
            }
            Layout::Objects { landmark, .. } => landmark.as_deref(),
        };
        let from = at.saturating_sub(1 + landmark.map_or(0, <[u8]>::len));
        let found = landmark_in(&window.bytes[from..], landmark).map(|i| from + i);
        found.unwrap_or(window.bytes.len())
    }

    fn line(&self, window: Window<'_>, start: usize) -> Frame {
        let bytes = &window.bytes[start..];
        let (line, next) = match memchr(b'\n', bytes) {
            Some(end) => (&bytes[..end], start + end + 1),
            None if window.at_end => (bytes, start + bytes.len()),
            None => return Frame::More,
        };
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        // Of a long line no more is looked at than fits into a record.
        let looked_at = &line[..line.len().min(self.record_bytes_max)];
        if looked_at.iter().find(|byte| !is_blank(**byte)) == Some(&b'#') {
            return Frame::Blank { next };
        }
        if line.len() > self.record_bytes_max {
            return Frame::Rejected { record_start: start, reason: Reject::TooLong, next };
        }
        let record = match self.dialect {
            Dialect::Json => trim(line),
            Dialect::Masscan => trim_separators(line),
        };
        if record.is_empty() || self.is_footer(&line[record.clone()]) {
            return Frame::Blank { next };
        }
        Frame::Record { record: start + record.start..start + record.end, next }
    }

    fn object(
        &self,
        window: Window<'_>,
        start: usize,
        landmark: Option<&[u8]>,
        wrapper: Option<&str>,
    ) -> Frame {
        if is_separator(window.bytes[start]) {
            return self.passed(window, start, start).map_or(Frame::More, |next| Frame::Blank { next });
        }
        match window.bytes[start] {
            b'{' => self.braced(window, start, landmark, wrapper),
            b'#' => match memchr(b'\n', &window.bytes[start..]) {
                Some(newline) => Frame::Blank { next: start + newline + 1 },
                None if window.at_end => Frame::Blank { next: window.bytes.len() },
                None => Frame::More,
            },
            b'}' if wrapper.is_some() => Frame::Blank { next: start + 1 },
            _ if wrapper.is_some() => self.beside(window, start, landmark),
            _ => match self.after_garbage(window, start, landmark) {
                None => Frame::More,
                Some(next) => Frame::Rejected { record_start: start, reason: Reject::Json, next },
            },
        }
    }

    fn braced(
        &self,
        window: Window<'_>,
        start: usize,
        landmark: Option<&[u8]>,
        wrapper: Option<&str>,
    ) -> Frame {
        let reach = self.reach(window, start);
        let walk = walk(reach.bytes, landmark);
        // Only what was walked over counts, so that more bytes do not say otherwise.
        let walked = &reach.bytes[..walk.end().unwrap_or(reach.bytes.len())];
        if let Some(body) = wrapper.and_then(|key| opened(walked, key)) {
            return Frame::Blank { next: start + body };
        }
        match walk {
            Walk::Closed(end) => self.record(window, start..start + end),
            walk => self.damaged(window, start, landmark, &reach, &walk),
        }
    }

    /// What stands beside the records of an answer, and begins as none.
    fn beside(&self, window: Window<'_>, start: usize, landmark: Option<&[u8]>) -> Frame {
        let reach = self.reach(window, start);
        match tail(reach.bytes, landmark, self.dialect) {
            Some(Walk::Closed(end)) => Frame::Blank { next: start + end },
            Some(_) if !reach.is_full && !reach.is_whole => Frame::More,
            _ => self.damaged(window, start, landmark, &reach, &walk_from::<true>(reach.bytes, landmark)),
        }
    }

    fn damaged(
        &self,
        window: Window<'_>,
        start: usize,
        landmark: Option<&[u8]>,
        reach: &Reach<'_>,
        walk: &Walk,
    ) -> Frame {
        let rejected = |reason, next: Option<usize>| match next {
            Some(next) => Frame::Rejected { record_start: start, reason, next },
            None => Frame::More,
        };
        match *walk {
            Walk::Closed(next) | Walk::Landmark(next) => rejected(Reject::Json, Some(start + next)),
            Walk::Newline(at) if landmark.is_none() => rejected(Reject::Json, Some(start + at + 1)),
            Walk::Newline(at) => {
                let found = landmark_in(&reach.bytes[at..], landmark).map(|i| start + at + i);
                rejected(Reject::Json, found.or_else(|| self.past(window, start, reach)))
            }
            Walk::Open if reach.is_whole => rejected(Reject::Json, Some(window.bytes.len())),
            Walk::Open if reach.is_full => rejected(Reject::TooLong, self.past(window, start, reach)),
            Walk::Open => Frame::More,
        }
    }

    fn record(&self, window: Window<'_>, record: Range<usize>) -> Frame {
        let Some(next) = self.passed(window, record.start, record.end) else { return Frame::More };
        if self.is_footer(&window.bytes[record.clone()]) {
            return Frame::Blank { next };
        }
        Frame::Record { record, next }
    }

    /// The first byte at or after `at` that separates no records; of many separators a few are passed, and none where
    /// a reader of what begins at `start` may leave out bytes. `None`: more bytes are needed.
    fn passed(&self, window: Window<'_>, start: usize, at: usize) -> Option<usize> {
        let end = (start + self.record_bytes_max + LINE_END_BYTES).min(at + SEPARATORS_MAX);
        let bytes = &window.bytes[at..end.min(window.bytes.len())];
        let passed = bytes.iter().take_while(|byte| is_separator(**byte)).count();
        let is_cut = passed == bytes.len() && at + passed < end && !window.at_end;
        (!is_cut).then_some(at + passed)
    }

    fn after_garbage(&self, window: Window<'_>, start: usize, landmark: Option<&[u8]>) -> Option<usize> {
        let reach = self.reach(window, start);
        if landmark.is_some() {
            let found = landmark_in(reach.bytes, landmark).map(|i| start + i);
            return found.or_else(|| self.past(window, start, &reach));
        }
        let newline = memchr(b'\n', &window.bytes[start..]).map(|i| start + i + 1);
        newline.or(window.at_end.then_some(window.bytes.len()))
    }

    /// Where reading resumes when nothing in reach says where; `None`: more bytes are needed.
    fn past(&self, window: Window<'_>, start: usize, reach: &Reach<'_>) -> Option<usize> {
        if reach.is_whole {
            return Some(window.bytes.len());
        }
        if !reach.is_full {
            return None;
        }
        let end = start + reach.bytes.len();
        let newline = memrchr(b'\n', reach.bytes).map(|i| start + i + 1);
        let newline = newline.or_else(|| memchr(b'\n', &window.bytes[end..]).map(|i| end + i + 1));
        newline.or(window.at_end.then_some(window.bytes.len()))
    }

    fn reach<'d>(&self, window: Window<'d>, start: usize) -> Reach<'d> {
        let bytes = &window.bytes[start..];
        let is_full = bytes.len() > self.record_bytes_max;
        let bytes = if is_full { &bytes[..self.record_bytes_max] } else { bytes };
        Reach { bytes, is_full, is_whole: window.at_end && !is_full }
    }

    /// Masscan's `{finished: 1}`.
    fn is_footer(&self, record: &[u8]) -> bool {
        self.dialect == Dialect::Masscan && is_finished(record)
    }
}

/// The bytes that a record may have.
struct Reach<'d> {
    bytes: &'d [u8],
    /// There are more bytes than a record may have.
    is_full: bool,
    /// The dump ends here.
    is_whole: bool,
}

/// Walks from `{` to where as many brackets are closed as opened.
fn walk(bytes: &[u8], landmark: Option<&[u8]>) -> Walk {
    walk_from::<false>(bytes, landmark)
}

/// A stray is walked over as if a bracket were open before it, and no further than to a `{` that is no member's value.
fn walk_from<const STRAY: bool>(bytes: &[u8], landmark: Option<&[u8]>) -> Walk {
    let (mut at, mut depth) = (0, usize::from(STRAY));
    // The last byte that is no blank.
    let mut last = 0;
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        if STRAY && !is_blank(byte) {
            if byte == b'{' && depth == 1 && last != b':' {
                return Walk::Closed(at - 1);
            }
            last = byte;
        }
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth == 1 => return Walk::Closed(at),
            b'}' | b']' => depth -= 1,
            b'\n' => {
                if let Some(length) =
                    landmark.filter(|indent| begins_record(&bytes[at..], indent)).map(<[u8]>::len)
                {
                    return Walk::Landmark(at + length);
                }
            }
            b'"' => match skip_line_string(bytes, at) {
                Ok(after) => at = after,
                Err(walk) => return walk,
            },
            _ => {}
        }
    }
    Walk::Open
}

/// Where the records of an answer begin, in bytes that begin with its `{`.
fn opened(object: &[u8], key: &str) -> Option<usize> {
    let array = member(object, key).filter(|_| object.first() == Some(&b'{'))?;
    (array.first() == Some(&b'[')).then(|| object.len() - array.len() + 1)
}

/// Walks over a member that is known to stand behind the records of an answer: a number or an object. `None`: the bytes
/// begin with none.
fn tail(bytes: &[u8], landmark: Option<&[u8]>, dialect: Dialect) -> Option<Walk> {
    let key = TAIL_KEYS.iter().find(|key| bytes.iter().zip(**key).all(|(byte, key)| byte == key))?;
    let colon = after_blanks(bytes, key.len());
    let value = after_blanks(bytes, colon + 1);
    match (bytes.get(colon), bytes.get(value)) {
        (None, _) | (Some(b':'), None) => Some(Walk::Open),
        (Some(b':'), Some(b'{')) => match walk(&bytes[value..], landmark) {
            Walk::Closed(end) if is_json(&bytes[value..value + end], dialect) => {
                Some(Walk::Closed(value + end))
            }
            Walk::Open => Some(Walk::Open),
            _ => None,
        },
        (Some(b':'), Some(b'0'..=b'9')) => {
            let digits = bytes[value..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            Some(if value + digits < bytes.len() { Walk::Closed(value + digits) } else { Walk::Open })
        }
        _ => None,
    }
}

/// The first byte at or after `at` that is no blank.
fn after_blanks(bytes: &[u8], at: usize) -> usize {
    at + bytes.iter().skip(at).take_while(|byte| is_blank(**byte)).count()
}

/// The position after the closing quote of the string that begins at `at`.
fn skip_line_string(bytes: &[u8], mut at: usize) -> Result<usize, Walk> {
    loop {
        let found =
            at + memchr3(b'"', b'\\', b'\n', bytes.get(at..).unwrap_or_default()).ok_or(Walk::Open)?;
        match bytes[found] {
            b'"' => return Ok(found + 1),
            b'\n' => return Err(Walk::Newline(found)),
            // A newline is never escaped: it must be seen.
            _ if bytes.get(found + 1) == Some(&b'\n') => return Err(Walk::Newline(found + 1)),
            _ => at = found + 2,
        }
    }
}

fn begins_record(line: &[u8], indent: &[u8]) -> bool {
    line.strip_prefix(indent).is_some_and(|rest| rest.first() == Some(&b'{'))
}

/// The first `{` that stands behind a newline and the landmark's blanks.
fn landmark_in(bytes: &[u8], landmark: Option<&[u8]>) -> Option<usize> {
    let indent = landmark?;
    let mut lines = memchr_iter(b'\n', bytes).map(|newline| newline + 1);
    lines.find(|&line| begins_record(&bytes[line..], indent)).map(|line| line + indent.len())
}

fn is_separator(byte: u8) -> bool {
    is_blank(byte) || matches!(byte, b'[' | b']' | b',')
}

/// The line's bytes that are no separators, for masscan: there a comma may end a record, and brackets have lines.
fn trim_separators(line: &[u8]) -> Range<usize> {
    let mut record = trim(line);
    let leads =
        line[record.clone()].iter().take_while(|byte| matches!(byte, b'[' | b',' | b']' | b' ' | b'\t'));
    record.start += leads.count();
    if let Some(rest) = line[record.clone()].strip_suffix(b",") {
        let rest = trim(rest);
        record = record.start + rest.start..record.start + rest.end;
    }
    record
}

/// Whether it is `{finished: 1}`, its key quoted or not.
fn is_finished(record: &[u8]) -> bool {
    let inside = record.strip_prefix(b"{").and_then(|rest| rest.strip_suffix(b"}")).map(<[u8]>::trim_ascii);
    let value = inside.and_then(|inside| {
        let value = inside.strip_prefix(b"finished").or_else(|| inside.strip_prefix(b"\"finished\""))?;
        Some(value.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start())
    });
    value.is_some_and(|value| !value.is_empty() && value.iter().all(u8::is_ascii_digit))
}

/// The first byte that is no blank, no newline and in no `#` line.
pub(super) fn significant(text: &[u8]) -> usize {
    let mut at = 0;
    loop {
        at += text[at..].iter().take_while(|byte| is_blank(**byte)).count();
        if text.get(at) != Some(&b'#') {
            return at;
        }
        at = memchr(b'\n', &text[at..]).map_or(text.len(), |newline| at + newline + 1);
    }
}

/// Whether text that begins with its first significant byte holds objects rather than lines.
fn holds_objects(text: &[u8]) -> bool {
    match text.first() {
        Some(b'[') => true,
        Some(b'{') => first_object_goes_on(text),
        _ => false,
    }
}

fn first_object_goes_on(text: &[u8]) -> bool {
    let Some(end) = memchr(b'\n', text) else {
        // One line, or a line longer than the head.
        return matches!(walk(text, None), Walk::Closed(end) if first_byte(&text[end..]) == Some(b','));
    };
    let line = &text[..end];
    match walk(line, None) {
        Walk::Closed(end) => first_byte(&line[end..]) == Some(b','),
        Walk::Open if ends_in_string(line) => false,
        _ => {
            let last = line.iter().rfind(|byte| !is_blank(**byte));
            matches!(last, Some(b'{' | b'[' | b':' | b','))
                || matches!(first_byte(&text[end..]), Some(b'"' | b',' | b'}' | b']'))
        }
    }
}

fn first_byte(bytes: &[u8]) -> Option<u8> {
    bytes.iter().copied().find(|byte| !is_blank(*byte))
}

/// Whether a string is open at the end.
fn ends_in_string(line: &[u8]) -> bool {
    let mut at = 0;
    while let Some(quote) = memchr(b'"', &line[at..]) {
        match skip_string(line, at + quote + 1) {
            Some(after) => at = after,
            None => return true,
        }
    }
    false
}

/// The blanks before the first record that begins a line; `None` where there is no such record, or where a line inside
/// it begins so too. No further record is asked: a damaged one may hold others and look whole.
fn landmark(text: &[u8], body: usize, dialect: Dialect) -> Option<Box<[u8]>> {
    let mut at = body;
    while let Some(&byte) = text.get(at) {
        match byte {
            b'{' => {
                let end = match walk(&text[at..], None) {
                    Walk::Closed(end) => at + end,
                    _ => text.len(),
                };
                let line = memrchr(b'\n', &text[..at]).map_or(0, |newline| newline + 1);
                let indent = &text[line..at];
                if indent.iter().all(|byte| is_blank(*byte)) {
                    let record = &text[at..end];
                    let misleads = landmark_in(record, Some(indent)).is_some() && is_json(record, dialect);
                    return (!misleads).then(|| indent.into());
                }
                at = end;
            }
            b'#' => at += memchr(b'\n', &text[at..])?,
            byte if is_separator(byte) => at += 1,
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framing(text: &str, dialect: Dialect, wrapper: Option<&str>) -> Framing {
        Framing::new(&Head { bytes: text.as_bytes(), at_end: true }, dialect, wrapper, 1 << 20)
    }

    /// The records and rejects of a dump; a reject is shown by its reason.
    fn check(text: &str, dialect: Dialect, expected: &[&str]) {
        let framing = framing(text, dialect, Some("matches"));
        let window = Window { bytes: text.as_bytes(), at_end: true };
        let (mut at, mut found) = (framing.body(), Vec::new());
        loop {
            at = match framing.frame(window, at) {
                Frame::Record { record, next } => {
                    found.push(text[record].to_owned());
                    next
                }
                Frame::Rejected { reason, next, .. } => {
                    found.push(format!("{reason:?}"));
                    next
                }
                Frame::Blank { next } => next,
                Frame::More => panic!("more than all is asked for"),
                Frame::End => break,
            };
        }
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn the_head_tells_lines_from_objects() {
        let check = |text: &str, expected: Option<Option<&str>>| {
            let landmark = match framing(text, Dialect::Json, None).layout {
                Layout::Lines => None,
                Layout::Objects { landmark, .. } => Some(landmark),
            };
            let expected = expected.map(|landmark| landmark.map(|indent| indent.as_bytes().into()));
            assert_eq!(landmark, expected, "{text}");
        };
        check("", None);
        check("text", None);
        check("{}", None);
        check("{}\n{}\n", None);
        check("# [\n\n {\"a\":[1]} \r\n", None);
        // Two objects on a line are one broken line.
        check("{}{}\n{}", None);
        // A cut line: in a string, or before the next object.
        check("{\"a\":\"b\n{\"a\":1}", None);
        check("{\"a\":1\n{\"a\":1}", None);
        // A line that does not end in the head.
        check("{\"a\":", None);
        check("{},\n{}", Some(Some("")));
        check("{\n}", Some(Some("")));
        check("{\"a\": 1,\n\"b\": 2}", Some(Some("")));
        check("{\"a\": 1\n, \"b\": 2}", Some(Some("")));
        check("[]", Some(None));
        check("[{},{}]", Some(None));
        check("[{},\n{}]", Some(Some("")));
        check("# note\n[\n\t {\"a\":\n{}},\n\t {}]", Some(Some("\t ")));
        // No landmark where a record has such lines itself …
        check("[\n{\n\"a\":[\n{\n}\n]\n}\n]", Some(None));
        // … unless it is none.
        check("[\n{\n\"a\":[\n{\n}\n\n,\n{}\n]", Some(Some("")));
    }

    #[test]
    fn a_damaged_object_costs_itself_where_records_have_lines() {
        let cut = "[\n{\"a\":[1,\n{\"b\":2},\n{\"c\":\"3},\n{\"d\":4}\n]";
        check(cut, Dialect::Json, &["Json", "{\"b\":2}", "Json", "{\"d\":4}"]);
        let pretty = "[\n  {\n    \"a\": [{}\n  },\n  {\n    \"b\": {\n      \"c\": 1\n    }\n  }\n]";
        check(pretty, Dialect::Json, &["Json", "{\n    \"b\": {\n      \"c\": 1\n    }\n  }"]);
        check("[\n{}\nrubbish { [\n{\"a\":1}]", Dialect::Json, &["{}", "Json", "{\"a\":1}"]);
    }

    #[test]
    fn a_damaged_object_costs_its_line_where_they_have_not() {
        check("[{},{\"a\":\"\n},{}]", Dialect::Json, &["{}", "Json", "Json"]);
        check("[{},rubbish {}\n,{\"a\":1}]", Dialect::Json, &["{}", "Json", "{\"a\":1}"]);
        check("[{},{\"a\":[}", Dialect::Json, &["{}", "Json"]);
    }

    #[test]
    fn what_stands_around_the_records_of_an_answer_is_passed_over() {
        let answer = "{\"facets\":{\"a\":[{}]},\"matches\":[{\"a\":1},{\"b\":2}],\"total\":{\"c\":3}}";
        check(answer, Dialect::Json, &["{\"a\":1}", "{\"b\":2}"]);
        let pretty =
            "{\n  \"matches\": [\n    {},\n    {\"a\":\n    {\"b\":1}\n  ],\n  \"total\": {\n  }\n}\n";
        check(pretty, Dialect::Json, &["{}", "Json", "{\"b\":1}"]);
        check("{\"matches\":5}\n{}", Dialect::Json, &["{\"matches\":5}", "{}"]);
    }

    #[test]
    fn each_answer_of_a_dump_is_opened() {
        let check = |text, expected: &[&str]| check(text, Dialect::Json, expected);
        let records = ["{\"a\":1}", "{\"b\":2}"];
        check("{\"matches\":[{\"a\":1}],\"total\":2}{\"matches\":[{\"b\":2}]}", &records);
        check("{\"matches\":[{\"a\":1}],\"total\":2}\n{\"matches\":[{\"b\":2}],\"total\":2}\n", &records);
        check("{\"matches\":[],\"facets\":{}}{\"q\":[{}],\"matches\" : [{\"a\":1},{\"b\":2}]}", &records);
        let page = "{\n  \"matches\": [\n    {\"a\":1}\n  ],\n  \"total\": 1\n}\n";
        check(&page.repeat(2), &[records[0], records[0]]);
    }

    #[test]
    fn nothing_beside_the_records_of_an_answer_is_lost_unseen() {
        let check = |text, expected: &[&str]| check(text, Dialect::Json, expected);
        // A record without its bracket, a value that is no object, an object that is no record.
        check("{\"matches\":[{},\"a\":1,\"b\":{}},{\"c\":2}],\"total\":2}", &["{}", "Json", "{\"c\":2}"]);
        check("{\"matches\":[null,{\"c\":2},5]}", &["Json", "{\"c\":2}", "Json"]);
        check("{\"matches\":[{}],\"query\":{\"ip\":{}},\"total\":1}", &["{}", "Json"]);
        check("{\"matches\":[{}],\"query\":1}{\"matches\":[{}]}", &["{}", "Json", "{}"]);
        check("{\"matches\":[{}],\"facets\":{\"a\":[}}{\"matches\":[{}]}", &["{}", "Json", "{}"]);
        check("{\"matches\":[{}],\"tot", &["{}", "Json"]);
    }

    #[test]
    fn all_that_masscan_left_behind_is_read() {
        let lines = "{ ip: \"192.0.2.1\" }\n{a:1},\n,\n]\n[ {b:2}\n{finished: 1}\n";
        check(lines, Dialect::Masscan, &["{ ip: \"192.0.2.1\" }", "{a:1}", "{b:2}"]);
        check("[\n{a:1},\n{b:2},\n{finished: 1}\n]\n", Dialect::Masscan, &["{a:1}", "{b:2}"]);
        check("[\n{a:1}\n,\n{b:2}\n,\n{\"finished\":1}", Dialect::Masscan, &["{a:1}", "{b:2}"]);
        check("{finished: 1}\n", Dialect::Json, &["{finished: 1}"]);
        check("{finished:}\n{finished: 1, a: 2}", Dialect::Masscan, &["{finished:}", "{finished: 1, a: 2}"]);
    }

    #[test]
    fn guesses_are_the_starts_of_records() {
        for (text, count) in [
            ("{\"a\":1}\n{\"b\":2}\r\n\n{\"c\":3}", 5),
            ("[\n{\"a\":1}\n,\n{\"b\":2},\n  {\"c\":3}]", 2),
            ("[\n  {\n    \"a\": {}\n  },\n  {\n    \"b\": 1\n  }\n]\n", 2),
        ] {
            let framing = framing(text, Dialect::Json, None);
            let window = Window { bytes: text.as_bytes(), at_end: true };
            let mut starts = vec![framing.body()];
            while let Frame::Record { next, .. } | Frame::Blank { next } =
                framing.frame(window, *starts.last().unwrap())
            {
                starts.push(next);
            }
            let mut guesses: Vec<usize> = (0..text.len()).map(|at| framing.guess(window, at)).collect();
            guesses.dedup();
            assert!(guesses.iter().all(|guess| starts.contains(guess)), "{guesses:?} {starts:?} {text}");
            assert!(guesses.len() >= count, "{guesses:?} {text}");
        }
    }

    #[test]
    fn hostile_dumps_take_no_more_than_a_few_looks_at_each_byte() {
        let max = 1000;
        let cases = [
            ("[{", "\"a\":[\n", None),
            ("[{},{}", ",{\"a\":[\n", None),
            ("[{},{}", ",{\"a\":\"\n", None),
            ("[\n{}\n", "{\"a\":[\n", Some("")),
            ("[\n  {}\n", "{\"a\":[\n", Some("  ")),
            ("[\n  {}\n", "{\"a\":\"\n", Some("  ")),
            ("[\n  {}\n", "rubbish\n", Some("  ")),
            ("[\n  {}\n", "{\"a\":[", Some("  ")),
        ];
        for (head, line, landmark) in cases {
            let text = format!("{head}{}", line.repeat(20_000));
            let head = Head { bytes: &text.as_bytes()[..60], at_end: false };
            let framing = Framing::new(&head, Dialect::Json, None, max);
            let expected = landmark.map(|indent| indent.as_bytes().into());
            assert_eq!(framing.layout, Layout::Objects { landmark: expected, wrapper: None });
            let window = Window { bytes: text.as_bytes(), at_end: true };
            let (mut at, mut looked_at) = (framing.body(), 0);
            loop {
                let next = match framing.frame(window, at) {
                    Frame::Record { next, .. } | Frame::Blank { next } => next,
                    // A landmark, or where there are none what is wrong, ends the look; else it is as long as a
                    // record may be.
                    Frame::Rejected { next, reason, .. } => {
                        let is_short = landmark == Some("") || landmark.is_none() && reason == Reject::Json;
                        looked_at += if is_short { next - at } else { max.max(next - at) };
                        next
                    }
                    Frame::More | Frame::End => break,
                };
                at = next;
            }
            assert!(looked_at <= 3 * text.len(), "{looked_at} of {} bytes: {line}", text.len());
        }
    }
}
