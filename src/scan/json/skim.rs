//! Finds the values of a few keys without reading the rest of a record.
//!
//! This is the definition of what a key field of a JSON record is; anything faster must find the same bytes.
//!
//! * A string begins at `"` and ends at the next `"` that is not escaped; a backslash escapes the byte after it.
//! * Outside strings, `{` and `[` open a bracket and `}` and `]` close one, whichever was opened. Depth is the number of
//!   open brackets. Deeper than [`JSON_DEPTH_MAX`] is broken.
//! * A key is a string followed by `:`, blanks between them passed over; in masscan's dialect a bare word is one too.
//!   Its value begins at the next byte that is no blank.
//! * The value of a path of one key is that of the first key of that spelling at depth 1; of a longer path, that of the
//!   rest of the path in the object which is the value of its first key. If that value is no object, there is none.
//! * The record ends where its first bracket is closed, and only blanks may follow; else it is broken. It is searched
//!   no further than to the last value that is asked for; where one of those is empty, to the end.
//!
//! It does not see that a record is broken elsewhere, or behind. Nothing is lost by that: a record that is matched is
//! read strictly, and one that is not is told to nobody.

use super::{Dialect, JSON_DEPTH_MAX, is_blank};
use crate::scan::Reject;
use memchr::{memchr, memchr2};
use std::borrow::Cow;
use std::ops::Range;

/// Most paths of one search.
pub(in crate::scan) const PATHS_MAX: usize = 64;

/// The way to a value: a key at depth 1, and further ones in the objects below.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::scan) struct Path(Vec<Box<[u8]>>);

impl Path {
    /// One key at depth 1, dots and all.
    pub(in crate::scan) fn key(key: &str) -> Self {
        Self(vec![key.as_bytes().into()])
    }

    /// Keys with dots between them.
    pub(in crate::scan) fn dotted(path: &str) -> Self {
        Self(path.split('.').map(|key| key.as_bytes().into()).collect())
    }

    /// From its keys.
    pub(super) fn of_keys<'k>(keys: impl IntoIterator<Item = &'k str>) -> Self {
        Self(keys.into_iter().map(|key| key.as_bytes().into()).collect())
    }

    /// Its keys.
    pub(in crate::scan) fn steps(&self) -> &[Box<[u8]>] {
        &self.0
    }

    /// Its keys with dots between them.
    pub(in crate::scan) fn joined(&self) -> String {
        String::from_utf8_lossy(&self.0.join(&b'.')).into_owned()
    }
}

/// Where a path led to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(in crate::scan) enum Found<'r> {
    /// No such key, or none in an object.
    #[default]
    Missing,
    /// From the value's first byte to the end of the record.
    At(&'r [u8]),
}

/// The value of a key field.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::scan) enum KeyText<'r> {
    /// Missing, `null` or an empty string.
    Absent,
    /// A string, decoded.
    Text(Cow<'r, str>),
    /// A number, `true` or `false`, as written.
    Bare(&'r str),
    /// An object or an array.
    Nested,
}

/// Searches the values of `paths`, at least of those whose bit is set in `asked`. Returns whether the record is sound
/// as far as it was searched.
///
/// # Panics
///
/// If there are more paths than `found`, or than [`PATHS_MAX`].
pub(in crate::scan) fn skim<'r>(
    record: &'r [u8],
    dialect: Dialect,
    paths: &[Path],
    asked: u64,
    found: &mut [Found<'r>],
) -> bool {
    assert!(paths.len() <= found.len().min(PATHS_MAX), "each path has a place for its value");
    if record.first() != Some(&b'{') {
        return false;
    }
    let mut search = Search { record, at: 1, dialect, paths, found, open: !0, asked, to_end: false };
    match search.object(0, !0) {
        Ok(()) => record[search.at..].iter().all(|byte| is_blank(*byte)),
        Err(Stop::Done) => true,
        Err(Stop::Broken) => false,
    }
}

/// The bytes from the value of a key at depth 1 on.
pub(super) fn member<'r>(record: &'r [u8], key: &str) -> Option<&'r [u8]> {
    let mut found = [Found::Missing];
    skim(record, Dialect::Json, &[Path::key(key)], 1, &mut found);
    match found {
        [Found::At(value)] => Some(value),
        [Found::Missing] => None,
    }
}

/// Whether the bytes are one JSON value.
pub(super) fn is_json(bytes: &[u8]) -> bool {
    serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok()
}

impl<'r> Found<'r> {
    /// The value. `encoding` and `json` where it cannot be read, the first before the second.
    pub(in crate::scan) fn text(self) -> Result<KeyText<'r>, Reject> {
        let Self::At(value) = self else { return Ok(KeyText::Absent) };
        match value.first() {
            Some(b'"') => {
                let end = skip_string(value, 1).ok_or(Reject::Json)?;
                let text = decode(&value[1..end - 1])?;
                Ok(if text.is_empty() { KeyText::Absent } else { KeyText::Text(text) })
            }
            Some(b'{' | b'[') => Ok(KeyText::Nested),
            _ => match bare(value) {
                b"null" => Ok(KeyText::Absent),
                token @ ([b'-' | b'0'..=b'9', ..] | b"true" | b"false") => {
                    let text = std::str::from_utf8(token).map_err(|_| Reject::Encoding)?;
                    match is_json(token) {
                        true => Ok(KeyText::Bare(text)),
                        false => Err(Reject::Json),
                    }
                }
                _ => Err(Reject::Json),
            },
        }
    }

    /// Whether it is a string that is not empty.
    pub(in crate::scan) fn is_string(self) -> bool {
        self.is_filled() && matches!(self, Self::At([b'"', ..]))
    }

    /// Whether it is an object or an array.
    pub(in crate::scan) fn is_nested(self) -> bool {
        matches!(self, Self::At([b'{' | b'[', ..]))
    }

    /// Whether it is there, neither `null` nor an empty string.
    pub(in crate::scan) fn is_filled(self) -> bool {
        match self {
            Self::Missing => false,
            Self::At(value) => !value.starts_with(b"\"\"") && bare(value) != b"null",
        }
    }
}

impl<'r> KeyText<'r> {
    /// Its string, if it is one.
    pub(in crate::scan) fn into_text(self) -> Option<Cow<'r, str>> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Its string or number, as written.
    pub(in crate::scan) fn token(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Bare(token) => Some(token),
            _ => None,
        }
    }
}

/// Why a search ends before the record does.
enum Stop {
    /// All that was asked for is found.
    Done,
    /// The record is broken.
    Broken,
}

struct Search<'r, 's> {
    record: &'r [u8],
    at: usize,
    dialect: Dialect,
    paths: &'s [Path],
    found: &'s mut [Found<'r>],
    /// Paths that are not decided.
    open: u64,
    asked: u64,
    /// An asked value is empty: others may stand in for it.
    to_end: bool,
}

impl Search<'_, '_> {
    /// Searches an object from behind its `{` to behind its end; `live` are the paths that lead into it, over `step`
    /// keys.
    fn object(&mut self, step: usize, live: u64) -> Result<(), Stop> {
        loop {
            let start = self.next_structural()?;
            match self.record[start] {
                b'}' | b']' => return Ok(()),
                b'{' | b'[' => self.skip_nested(step + 1)?,
                b'"' => {
                    self.at = skip_string(self.record, self.at).ok_or(Stop::Broken)?;
                    self.word(start + 1..self.at - 1, step, live)?;
                }
                _ => {
                    self.at += self.record[self.at..].iter().take_while(|byte| is_word(**byte)).count();
                    self.word(start..self.at, step, live)?;
                }
            }
        }
    }

    /// The position of the next byte outside strings that matters; goes on behind it.
    fn next_structural(&mut self) -> Result<usize, Stop> {
        let bare = self.dialect == Dialect::Masscan;
        let matters = |byte: &u8| matches!(byte, b'"' | b'{' | b'[' | b'}' | b']') || bare && is_word(*byte);
        let found = self.at + self.record[self.at..].iter().position(matters).ok_or(Stop::Broken)?;
        self.at = found + 1;
        Ok(found)
    }

    /// A string or bare word, which may be a key.
    fn word(&mut self, spelling: Range<usize>, step: usize, live: u64) -> Result<(), Stop> {
        let after = self.blanks(self.at);
        if self.record.get(after) != Some(&b':') {
            return Ok(());
        }
        self.at = after + 1;
        let named = self.named(&self.record[spelling], step, live & self.open);
        if named == 0 { Ok(()) } else { self.value(named, step) }
    }

    /// Which of the paths go on with this key.
    fn named(&self, key: &[u8], step: usize, live: u64) -> u64 {
        let goes_on = |path: &Path| path.0.get(step).is_some_and(|step| **step == *key);
        let paths = self.paths.iter().enumerate();
        paths.filter(|(i, path)| live >> i & 1 == 1 && goes_on(path)).map(|(i, _)| 1 << i).sum()
    }

    /// The value of a key that `named` paths go on with.
    fn value(&mut self, named: u64, step: usize) -> Result<(), Stop> {
        let start = self.blanks(self.at);
        let mut deeper = 0;
        for (i, path) in self.paths.iter().enumerate().filter(|(i, _)| named >> i & 1 == 1) {
            if path.0.len() == step + 1 {
                self.found[i] = Found::At(&self.record[start..]);
                self.decide(1 << i, self.found[i].is_filled());
            } else {
                deeper |= 1 << i;
            }
        }
        self.end_if_done()?;
        if deeper != 0 && self.record.get(start) == Some(&b'{') {
            if step + 2 > JSON_DEPTH_MAX {
                return Err(Stop::Broken);
            }
            self.at = start + 1;
            self.object(step + 1, deeper)?;
        }
        self.decide(deeper & self.open, false);
        self.end_if_done()
    }

    fn decide(&mut self, paths: u64, is_filled: bool) {
        self.to_end |= self.asked & paths != 0 && !is_filled;
        self.open &= !paths;
    }

    fn end_if_done(&self) -> Result<(), Stop> {
        if self.to_end || self.asked & self.open != 0 { Ok(()) } else { Err(Stop::Done) }
    }

    /// Passes over a bracket that is open within `outside` others, from behind its first byte to behind its last.
    fn skip_nested(&mut self, outside: usize) -> Result<(), Stop> {
        let structural = |byte: &u8| matches!(byte, b'"' | b'{' | b'[' | b'}' | b']');
        let mut depth = outside + 1;
        while depth > outside {
            if depth > JSON_DEPTH_MAX {
                return Err(Stop::Broken);
            }
            self.at += self.record[self.at..].iter().position(structural).ok_or(Stop::Broken)? + 1;
            match self.record[self.at - 1] {
                b'"' => self.at = skip_string(self.record, self.at).ok_or(Stop::Broken)?,
                b'{' | b'[' => depth += 1,
                _ => depth -= 1,
            }
        }
        Ok(())
    }

    fn blanks(&self, at: usize) -> usize {
        at + self.record[at..].iter().take_while(|byte| is_blank(**byte)).count()
    }
}

/// The position after the closing quote of the string that begins at `at`, behind its opening quote.
pub(super) fn skip_string(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let found = at + memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes[found] == b'"' {
            return Some(found + 1);
        }
        at = found + 2;
    }
}

/// Letters of a bare key.
pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The bytes up to the next one that ends a number or word.
pub(super) fn bare(value: &[u8]) -> &[u8] {
    let ends = |byte: &u8| is_blank(*byte) || matches!(byte, b',' | b'}' | b']');
    &value[..value.iter().position(ends).unwrap_or(value.len())]
}

/// Decodes the inside of a string: `encoding` for invalid UTF-8, a NUL or half a surrogate pair, `json` for another
/// control or a wrong escape.
pub(super) fn decode(inside: &[u8]) -> Result<Cow<'_, str>, Reject> {
    let text = std::str::from_utf8(inside).map_err(|_| Reject::Encoding)?;
    if memchr(0, inside).is_some() {
        return Err(Reject::Encoding);
    }
    if inside.iter().all(|byte| *byte >= b' ' && *byte != b'\\') {
        return Ok(Cow::Borrowed(text));
    }
    super::read::unescape(text).map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(record: &str, paths: &[&str], asked: u64, expected: &[Option<&str>], is_sound: bool) {
        let paths: Vec<Path> = paths.iter().map(|path| Path::dotted(path)).collect();
        let mut found = vec![Found::Missing; paths.len()];
        let sound = skim(record.as_bytes(), Dialect::Json, &paths, asked, &mut found);
        let value = |found: &Found<'_>| match found {
            Found::Missing => None,
            Found::At(value) => Some(String::from_utf8_lossy(bare(value)).into_owned()),
        };
        let found: Vec<_> = found.iter().map(value).collect();
        assert_eq!(
            found,
            expected.iter().map(|value| value.map(str::to_owned)).collect::<Vec<_>>(),
            "{record}"
        );
        assert_eq!(sound, is_sound, "{record}");
    }

    #[test]
    fn the_first_key_of_that_spelling_at_its_depth_decides() {
        check(
            "{\"a\":{\"ip\":1},\"b\":[{\"ip\":2},\"ip\"],\"ip\":3,\"ip\":4}",
            &["ip"],
            1,
            &[Some("3")],
            true,
        );
        check(
            "{\"c\":\"\\\",\\\"ip\\\":1\",\"\\u0069p\":2,\"IP\":3,\"ip\" : \t4}",
            &["ip"],
            1,
            &[Some("4")],
            true,
        );
        check("{\"x\":\"ip\",\"ip\":1}", &["ip"], 1, &[Some("1")], true);
    }

    #[test]
    fn a_path_leads_through_the_first_object_only() {
        check("{\"a\":{\"b\":1},\"a\":{\"c\":2}}", &["a.c"], 1, &[None], true);
        check("{\"a\":5,\"a\":{\"c\":2}}", &["a.c"], 1, &[None], true);
        check("{\"a\":[{\"c\":1}]}", &["a.c"], 1, &[None], true);
        check("{\"x\":{\"a\":{\"c\":1}},\"a\":{\"x\":{\"c\":2},\"c\":3}}", &["a.c"], 1, &[Some("3")], true);
        check(
            "{\"a\":{\"c\":1,\"d\":{\"e\":2}},\"f\":3}",
            &["a.c", "a.d.e", "f"],
            7,
            &[Some("1"), Some("2"), Some("3")],
            true,
        );
        check("{\"a.c\":1,\"a\":{\"c\":2}}", &["a.c"], 1, &[Some("2")], true);
    }

    #[test]
    fn a_record_is_judged_no_further_than_to_what_is_asked_for() {
        check("{\"ip\":1,\"b\":", &["ip", "c"], 1, &[Some("1"), None], true);
        check("{\"ip\":1,\"b\":", &["ip", "c"], 3, &[Some("1"), None], false);
        check("{\"ip\":null,\"c\":2}", &["ip", "c"], 1, &[Some("null"), Some("2")], true);
        check("{\"ip\":null,\"c\":2", &["ip", "c"], 1, &[Some("null"), Some("2")], false);
        check("{\"c\":2,\"ip\":\"\"} x", &["ip", "c"], 1, &[Some("\"\""), Some("2")], false);
        for broken in ["{", "{\"a\":\"", "{\"a\":1}}", "{}{}", "[]", "x", "{\"a\\\"}"] {
            check(broken, &["ip"], 1, &[None], false);
        }
    }

    #[test]
    fn nesting_has_a_limit() {
        let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
        check(&nested(JSON_DEPTH_MAX), &["ip"], 1, &[None], true);
        check(&nested(JSON_DEPTH_MAX + 1), &["ip"], 1, &[None], false);
        let path = vec!["a"; JSON_DEPTH_MAX + 1].join(".");
        let objects = |depth: usize| format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
        check(&objects(JSON_DEPTH_MAX), &[&path], 1, &[None], true);
        check(&objects(JSON_DEPTH_MAX + 1), &[&path], 1, &[None], false);
    }

    #[test]
    fn values_are_read_by_their_kind() {
        let check = |value: &str, expected: Result<KeyText<'_>, Reject>| {
            assert_eq!(Found::At(value.as_bytes()).text(), expected, "{value}");
        };
        let text = |text: &'static str| Ok(KeyText::Text(Cow::Borrowed(text)));
        check("\"192.0.2.1\",", text("192.0.2.1"));
        check("\"\\u0031\\/\\ud83d\\ude00\"", text("1/😀"));
        check("\"\"", Ok(KeyText::Absent));
        check("null}", Ok(KeyText::Absent));
        check("-1.5e3 ,", Ok(KeyText::Bare("-1.5e3")));
        check("true]", Ok(KeyText::Bare("true")));
        check("[1]", Ok(KeyText::Nested));
        check("{", Ok(KeyText::Nested));
        for broken in ["", "nul", "\"open", "\"\\x\"", "\"\u{1}\"", "\"\t\"", "'a'", "truer"] {
            check(broken, Err(Reject::Json));
        }
        for garbled in ["\"\0\"", "\"\\u0000\"", "\"\\ud800\"", "\"\\udc00\\ud800\"", "\"\\ud800\\x\""] {
            check(garbled, Err(Reject::Encoding));
        }
        assert_eq!(Found::At(b"\"\xFF\"").text(), Err(Reject::Encoding));
        assert_eq!(Found::Missing.text(), Ok(KeyText::Absent));
    }
}
