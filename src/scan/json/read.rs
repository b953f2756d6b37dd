//! Reads a whole record strictly: RFC 8259, and of masscan's old output what is no JSON.
//!
//! A format walks the record once, takes the values that it knows and passes over the rest; all of it is checked.
//! Nothing is allocated but for strings with escapes and for lists.
//!
//! A record that is wrong in several ways is rejected for the first of these: bytes that are no UTF-8, or a NUL
//! (`encoding`); no JSON, or too deep (`json`); `\u0000` or half a surrogate pair in a string that is read (`encoding`);
//! a key that is read and stands twice in its object (`duplicate-key`).

use super::skim::{Path, is_word};
use super::{Dialect, HEAD_PATHS_MAX, JSON_DEPTH_MAX, is_blank};
use crate::moment::{Moment, TimeStyle, TimeText, read_time};
use crate::scan::Reject;
use crate::scan::columns::read_port;
use memchr::memchr;
use std::borrow::Cow;

/// The record is no JSON.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::scan) struct Syntax;

/// Walks one record.
pub(in crate::scan) struct Reader<'r> {
    text: &'r str,
    at: usize,
    depth: usize,
    dialect: Dialect,
    bad_text: bool,
    duplicate: bool,
}

/// A value that is read.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(in crate::scan) enum Scalar<'r> {
    /// Missing, `null` or an empty string.
    #[default]
    Absent,
    /// A string, decoded.
    Text(Cow<'r, str>),
    /// A number as written.
    Number(&'r str),
    /// `true` or `false`.
    Bool(bool),
    /// An object or an array.
    Nested,
}

/// The place of a value that is read: a key may fill it once.
#[derive(Clone, Debug, Default)]
pub(in crate::scan) struct Slot<'r> {
    seen: bool,
    value: Scalar<'r>,
}

/// The place of a list of strings.
#[derive(Clone, Debug, Default)]
pub(in crate::scan) struct List<'r> {
    seen: bool,
    /// Its strings, those that are empty or no strings left out.
    pub(in crate::scan) texts: Vec<Cow<'r, str>>,
}

/// Reads a record that is one object; `each` is given every key, with the reader at its value, which it must pass.
pub(in crate::scan) fn read_record<'r>(
    record: &'r [u8],
    dialect: Dialect,
    each: impl FnMut(&mut Reader<'r>, &'r str) -> Result<(), Syntax>,
) -> Result<(), Reject> {
    let text = std::str::from_utf8(record).map_err(|_| Reject::Encoding)?;
    if memchr(0, record).is_some() {
        return Err(Reject::Encoding);
    }
    let mut reader = Reader { text, at: 0, depth: 0, dialect, bad_text: false, duplicate: false };
    let end = reader.object(each).and_then(|()| reader.end());
    match (end, reader) {
        (Err(Syntax), _) => Err(Reject::Json),
        (_, Reader { bad_text: true, .. }) => Err(Reject::Encoding),
        (_, Reader { duplicate: true, .. }) => Err(Reject::DuplicateKey),
        _ => Ok(()),
    }
}

/// Reads the value that the bytes begin with, as strictly, whatever follows it.
pub(in crate::scan) fn read_value<'r>(
    bytes: &'r [u8],
    each: impl FnOnce(&mut Reader<'r>) -> Result<(), Syntax>,
) -> Result<(), Reject> {
    let text = valid_part(bytes);
    let mut reader =
        Reader { text, at: 0, depth: 1, dialect: Dialect::Json, bad_text: false, duplicate: false };
    match each(&mut reader) {
        Err(Syntax) if reader.at == text.len() && text.len() < bytes.len() => Err(Reject::Encoding),
        Err(Syntax) => Err(Reject::Json),
        Ok(()) if reader.bad_text => Err(Reject::Encoding),
        Ok(()) => Ok(()),
    }
}

/// Whether the bytes are one object.
pub(super) fn is_json(record: &[u8], dialect: Dialect) -> bool {
    read_record(record, dialect, |reader, _| reader.skip()).is_ok()
}

impl<'r> Reader<'r> {
    /// Reads an object.
    pub(in crate::scan) fn object(
        &mut self,
        mut each: impl FnMut(&mut Self, &'r str) -> Result<(), Syntax>,
    ) -> Result<(), Syntax> {
        self.bracket(b'{', b'}', |reader| {
            let key = reader.key()?;
            reader.expect(b':')?;
            reader.blanks();
            each(reader, key)
        })
    }

    /// Reads an array.
    pub(in crate::scan) fn array(
        &mut self,
        each: impl FnMut(&mut Self) -> Result<(), Syntax>,
    ) -> Result<(), Syntax> {
        self.bracket(b'[', b']', each)
    }

    /// Whether an object begins here.
    pub(in crate::scan) fn is_object(&self) -> bool {
        self.peek() == Some(b'{')
    }

    /// Whether an array begins here.
    pub(in crate::scan) fn is_array(&self) -> bool {
        self.peek() == Some(b'[')
    }

    /// Passes over a value.
    pub(in crate::scan) fn skip(&mut self) -> Result<(), Syntax> {
        match self.peek() {
            Some(b'{') => self.object(|reader, _| reader.skip()),
            Some(b'[') => self.array(Self::skip),
            Some(b'"') => self.raw_string().map(drop),
            _ => self.bare().map(drop),
        }
    }

    /// Reads a value into its place; the second one for a place is passed over and noted.
    pub(in crate::scan) fn fill(&mut self, slot: &mut Slot<'r>) -> Result<(), Syntax> {
        if self.is_second(&mut slot.seen) {
            return self.skip();
        }
        slot.value = self.scalar()?;
        Ok(())
    }

    /// Reads a string, or the strings of an array, into their place.
    pub(in crate::scan) fn fill_list(&mut self, list: &mut List<'r>) -> Result<(), Syntax> {
        if self.is_second(&mut list.seen) {
            return self.skip();
        }
        let texts = &mut list.texts;
        let mut push = |value: Scalar<'r>| texts.extend(value.into_text());
        if self.is_array() {
            return self.array(|reader| reader.scalar().map(&mut push));
        }
        self.scalar().map(push)
    }

    /// Reads the keys of an object, or the strings of an array, into their place.
    pub(in crate::scan) fn fill_keys(&mut self, list: &mut List<'r>) -> Result<(), Syntax> {
        if !self.is_object() {
            return self.fill_list(list);
        }
        if self.is_second(&mut list.seen) {
            return self.skip();
        }
        self.object(|reader, key| {
            let key = reader.key_text(key);
            list.texts.push(key);
            reader.skip()
        })?;
        let mut keys: Vec<&str> = list.texts.iter().map(|key| &**key).collect();
        keys.sort_unstable();
        self.duplicate |= keys.windows(2).any(|pair| pair[0] == pair[1]);
        Ok(())
    }

    /// Reads an object that a key holds; what is no object is passed over.
    pub(in crate::scan) fn inside(
        &mut self,
        seen: &mut bool,
        each: impl FnMut(&mut Self, &'r str) -> Result<(), Syntax>,
    ) -> Result<(), Syntax> {
        if self.is_second(seen) || !self.is_object() { self.skip() } else { self.object(each) }
    }

    /// Notes that a key is read; whether it was before.
    pub(in crate::scan) fn is_second(&mut self, seen: &mut bool) -> bool {
        let second = std::mem::replace(seen, true);
        self.duplicate |= second;
        second
    }

    /// Notes that a key that is read stands twice.
    pub(in crate::scan) fn note_duplicate(&mut self) {
        self.duplicate = true;
    }

    /// Decodes a key; one that is no text is noted.
    pub(in crate::scan) fn key_text(&mut self, key: &'r str) -> Cow<'r, str> {
        self.decode(key).unwrap_or_default()
    }

    /// Reads any value, nested ones without what is in them.
    pub(in crate::scan) fn scalar(&mut self) -> Result<Scalar<'r>, Syntax> {
        match self.peek() {
            Some(b'"') => {
                let raw = self.raw_string()?;
                let text = self.decode(raw).unwrap_or_default();
                Ok(if text.is_empty() { Scalar::Absent } else { Scalar::Text(text) })
            }
            Some(b'{' | b'[') => self.skip().map(|()| Scalar::Nested),
            _ => Ok(match self.bare()? {
                "null" => Scalar::Absent,
                "true" => Scalar::Bool(true),
                "false" => Scalar::Bool(false),
                number => Scalar::Number(number),
            }),
        }
    }

    fn decode(&mut self, raw: &'r str) -> Option<Cow<'r, str>> {
        if memchr(b'\\', raw.as_bytes()).is_none() {
            return Some(Cow::Borrowed(raw));
        }
        // The escapes were checked when the string was passed.
        let text = unescape(raw).ok().map(Cow::Owned);
        self.bad_text |= text.is_none();
        text
    }

    fn bracket(
        &mut self,
        open: u8,
        close: u8,
        mut each: impl FnMut(&mut Self) -> Result<(), Syntax>,
    ) -> Result<(), Syntax> {
        self.expect(open)?;
        self.depth += 1;
        if self.depth > JSON_DEPTH_MAX {
            return Err(Syntax);
        }
        let mut first = true;
        while !self.closes(close, &mut first)? {
            each(self)?;
        }
        self.depth -= 1;
        Ok(())
    }

    /// Passes the bracket's end, or the comma before its next item.
    fn closes(&mut self, close: u8, first: &mut bool) -> Result<bool, Syntax> {
        self.blanks();
        let was_first = std::mem::replace(first, false);
        if !was_first && self.peek() == Some(b',') {
            self.at += 1;
            self.blanks();
            if self.dialect == Dialect::Json || self.peek() != Some(close) {
                return Ok(false);
            }
        }
        if self.peek() == Some(close) {
            self.at += 1;
            return Ok(true);
        }
        if was_first { Ok(false) } else { Err(Syntax) }
    }

    fn key(&mut self) -> Result<&'r str, Syntax> {
        if self.dialect == Dialect::Json || self.peek() == Some(b'"') {
            return self.raw_string();
        }
        let word = self.take_while(is_word);
        if word.is_empty() { Err(Syntax) } else { Ok(word) }
    }

    /// A string as written, without its quotes.
    fn raw_string(&mut self) -> Result<&'r str, Syntax> {
        if self.peek() != Some(b'"') {
            return Err(Syntax);
        }
        let start = self.at + 1;
        self.at = start;
        loop {
            let plain = |byte: u8| byte != b'"' && byte != b'\\' && byte >= b' ';
            self.take_while(plain);
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => self.escape()?,
                _ => return Err(Syntax),
            }
        }
        self.at += 1;
        Ok(&self.text[start..self.at - 1])
    }

    fn escape(&mut self) -> Result<(), Syntax> {
        let escape = &self.text.as_bytes()[self.at + 1..];
        self.at += match escape {
            [b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => 2,
            [b'u', a, b, c, d, ..] if [a, b, c, d].iter().all(|digit| digit.is_ascii_hexdigit()) => 6,
            _ => return Err(Syntax),
        };
        Ok(())
    }

    /// A number, `true`, `false` or `null`.
    fn bare(&mut self) -> Result<&'r str, Syntax> {
        let token =
            self.take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.'));
        if matches!(token, "null" | "true" | "false") || is_number(token) { Ok(token) } else { Err(Syntax) }
    }

    fn take_while(&mut self, belongs: impl Fn(u8) -> bool) -> &'r str {
        let rest = &self.text.as_bytes()[self.at..];
        let start = self.at;
        self.at += rest.iter().position(|byte| !belongs(*byte)).unwrap_or(rest.len());
        &self.text[start..self.at]
    }

    fn expect(&mut self, byte: u8) -> Result<(), Syntax> {
        self.blanks();
        if self.peek() != Some(byte) {
            return Err(Syntax);
        }
        self.at += 1;
        Ok(())
    }

    fn end(&mut self) -> Result<(), Syntax> {
        self.blanks();
        if self.at == self.text.len() { Ok(()) } else { Err(Syntax) }
    }

    fn blanks(&mut self) {
        self.take_while(is_blank);
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }
}

impl<'r> Scalar<'r> {
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
            Self::Number(number) => Some(number),
            _ => None,
        }
    }
}

impl<'r> Slot<'r> {
    /// What stands there.
    pub(in crate::scan) fn value(&self) -> &Scalar<'r> {
        &self.value
    }

    /// Whether nothing stands there.
    pub(in crate::scan) fn is_absent(&self) -> bool {
        self.value == Scalar::Absent
    }

    /// Its string, if it is one.
    pub(in crate::scan) fn text(self) -> Option<Cow<'r, str>> {
        self.value.into_text()
    }

    /// The same, still in its place.
    pub(in crate::scan) fn as_str(&self) -> Option<&str> {
        match &self.value {
            Scalar::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Its string or number, as written.
    pub(in crate::scan) fn token(&self) -> Option<&str> {
        self.value.token()
    }

    /// A port, given as number or string; 0 is none.
    pub(in crate::scan) fn port(&self) -> Result<Option<u16>, Reject> {
        match (&self.value, self.token()) {
            (Scalar::Absent, _) => Ok(None),
            (_, Some(token)) => read_port(token.as_bytes()).ok_or(Reject::Port),
            _ => Err(Reject::Port),
        }
    }

    /// A time, given as text or as Unix seconds.
    pub(in crate::scan) fn time(&self, style: Option<&TimeStyle>) -> Result<Option<Moment>, Reject> {
        match (&self.value, self.token()) {
            (Scalar::Absent, _) => Ok(None),
            (_, Some(token)) => read_moment(token.as_bytes(), style),
            _ => Err(Reject::Time),
        }
    }
}

/// A time; `None` where the text says that there is none.
pub(in crate::scan) fn read_moment(text: &[u8], style: Option<&TimeStyle>) -> Result<Option<Moment>, Reject> {
    moment(read_time(text, style))
}

/// A time that was read.
pub(in crate::scan) fn moment(read: TimeText) -> Result<Option<Moment>, Reject> {
    match read {
        TimeText::At(moment) => Ok(Some(moment)),
        TimeText::None => Ok(None),
        TimeText::Unreadable => Err(Reject::Time),
    }
}

/// `-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?`
pub(super) fn is_number(token: &str) -> bool {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let rest = token.strip_prefix('-').unwrap_or(token);
    let whole = digits(rest);
    if whole == 0 || whole > 1 && rest.starts_with('0') {
        return false;
    }
    let mut rest = &rest[whole..];
    if let Some(fraction) = rest.strip_prefix('.') {
        if digits(fraction) == 0 {
            return false;
        }
        rest = &fraction[digits(fraction)..];
    }
    let Some(exponent) = rest.strip_prefix(['e', 'E']) else { return rest.is_empty() };
    let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    !exponent.is_empty() && digits(exponent) == exponent.len()
}

/// Resolves the escapes of a string: `encoding` for a NUL or half a surrogate pair, `json` for a control or a wrong
/// escape; what stands first decides.
pub(super) fn unescape(raw: &str) -> Result<String, Reject> {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.bytes().position(|byte| byte == b'\\' || byte < b' ') {
        text.push_str(&rest[..at]);
        if rest.as_bytes()[at] != b'\\' {
            return Err(Reject::Json);
        }
        let (char, length) = escaped(&rest.as_bytes()[at + 1..])?;
        text.push(char);
        rest = &rest[at + 1 + length..];
    }
    text.push_str(rest);
    Ok(text)
}

/// The character of an escape, from behind its backslash, and how many bytes that takes.
fn escaped(escape: &[u8]) -> Result<(char, usize), Reject> {
    let char = match escape.first() {
        Some(byte @ (b'"' | b'\\' | b'/')) => char::from(*byte),
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => return unicode(&escape[1..]).map(|(char, length)| (char, length + 1)),
        _ => return Err(Reject::Json),
    };
    Ok((char, 1))
}

/// The character of `XXXX`, or of `XXXX\uXXXX` where that is a surrogate pair.
fn unicode(digits: &[u8]) -> Result<(char, usize), Reject> {
    let first = hex(digits).ok_or(Reject::Json)?;
    let (code, length) = match first {
        0xD800..0xDC00 => {
            let second = digits[4..].strip_prefix(b"\\u").and_then(hex);
            let second = second.filter(|second| (0xDC00..0xE000).contains(second)).ok_or(Reject::Encoding)?;
            (0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00), 10)
        }
        _ => (first, 4),
    };
    char::from_u32(code).filter(|char| *char != '\0').map(|char| (char, length)).ok_or(Reject::Encoding)
}

fn hex(digits: &[u8]) -> Option<u32> {
    let digits = digits.get(..4)?;
    digits.iter().try_fold(0, |code, digit| Some(code << 4 | char::from(*digit).to_digit(16)?))
}

/// The paths of a record down to `depth`, as far as it is JSON.
pub(super) fn paths(record: &[u8], depth: usize, found: &mut Vec<Path>) {
    let valid = valid_part(record);
    let mut reader =
        Reader { text: valid, at: 0, depth: 0, dialect: Dialect::Json, bad_text: false, duplicate: false };
    // What is read before the record turns out to be broken counts.
    let _ = reader.collect(&mut Vec::new(), depth, found);
}

/// Whether there is a value at a path; see [`sample`].
pub(super) fn has(record: &[u8], path: &str, dialect: Dialect) -> bool {
    sample(record, path, dialect).is_some()
}

/// The first value at a path, as text; the record may be broken behind it.
///
/// A path is keys with dots between them; `*` is any key, `name[]` any item of the array `name`.
pub(super) fn sample<'r>(record: &'r [u8], path: &str, dialect: Dialect) -> Option<Cow<'r, str>> {
    let mut reader =
        Reader { text: valid_part(record), at: 0, depth: 0, dialect, bad_text: false, duplicate: false };
    let mut found = None;
    // A record that is broken behind the value has one all the same.
    let _ = reader.find(path, &mut found);
    found
}

/// The bytes up to the first that is no text.
fn valid_part(record: &[u8]) -> &str {
    match std::str::from_utf8(record) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&record[..error.valid_up_to()]).unwrap_or_default(),
    }
}

impl<'r> Reader<'r> {
    fn collect(
        &mut self,
        route: &mut Vec<&'r str>,
        depth: usize,
        found: &mut Vec<Path>,
    ) -> Result<(), Syntax> {
        self.object(|reader, key| {
            route.push(key);
            let end = if reader.is_object() && depth > 1 {
                reader.collect(route, depth - 1, found)
            } else {
                let path = Path::of_keys(route.iter().copied());
                if found.len() < HEAD_PATHS_MAX && !found.contains(&path) {
                    found.push(path);
                }
                reader.skip()
            };
            route.pop();
            end
        })
    }

    fn find(&mut self, path: &str, found: &mut Option<Cow<'r, str>>) -> Result<(), Syntax> {
        if !self.is_object() {
            return self.skip();
        }
        let (step, rest) = path.split_once('.').map_or((path, None), |(step, rest)| (step, Some(rest)));
        let (step, items) = step.strip_suffix("[]").map_or((step, false), |step| (step, true));
        self.object(|reader, key| {
            if key != path && key != step && step != "*" || found.is_some() {
                return reader.skip();
            }
            match rest.filter(|_| key != path) {
                _ if items && reader.is_array() => reader.array(|reader| match rest {
                    Some(rest) => reader.find(rest, found),
                    None => reader.keep(found),
                }),
                Some(rest) => reader.find(rest, found),
                None => reader.keep(found),
            }
        })
    }

    fn keep(&mut self, found: &mut Option<Cow<'r, str>>) -> Result<(), Syntax> {
        let start = self.at;
        let value = self.scalar()?;
        let written = &self.text[start..self.at];
        let text = match value {
            Scalar::Absent => return Ok(()),
            Scalar::Text(text) => text,
            _ => Cow::Borrowed(written),
        };
        found.get_or_insert(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::value::RawValue;

    /// All texts of at most `length` letters.
    fn every_text(letters: &[u8], length: usize, mut visit: impl FnMut(&[u8])) {
        let mut digits = vec![0; length + 1];
        for used in 0..=length {
            digits.fill(0);
            loop {
                let text: Vec<u8> = digits[..used].iter().map(|digit| letters[*digit]).collect();
                visit(&text);
                let Some(at) = (0..used).find(|at| digits[*at] + 1 < letters.len()) else { break };
                digits[at] += 1;
                digits[..at].fill(0);
            }
        }
    }

    fn is_serde_json(text: &[u8]) -> bool {
        serde_json::from_slice::<&RawValue>(text).is_ok()
    }

    #[test]
    fn what_is_json_is_what_serde_json_says() {
        let mut count = 0;
        every_text(b"{}[],:\"a0 ", 6, |text| {
            let expected = is_serde_json(text) && text.trim_ascii_start().starts_with(b"{");
            assert_eq!(is_json(text, Dialect::Json), expected, "{}", text.escape_ascii());
            count += usize::from(expected);
        });
        assert!(count > 20, "{count} are JSON");
    }

    #[test]
    fn numbers_are_what_serde_json_says() {
        every_text(b"-+.019eE", 6, |text| {
            let text = std::str::from_utf8(text).unwrap();
            assert_eq!(is_number(text), is_serde_json(text.as_bytes()), "{text}");
        });
    }

    #[test]
    fn strings_are_what_serde_json_says() {
        every_text(b"\"\\u0dDn/\x1f", 6, |text| {
            let quoted = [b"\"", text, b"\""].concat();
            let record = [b"{\"k\":", &quoted[..], b"}"].concat();
            assert_eq!(is_json(&record, Dialect::Json), is_serde_json(&quoted), "{}", text.escape_ascii());
        });
    }

    #[test]
    fn escapes_say_what_serde_json_says() {
        let check = |raw: &str| {
            let expected = serde_json::from_str::<String>(&format!("\"{raw}\"")).ok();
            let expected = expected.filter(|text| !text.contains('\0'));
            assert_eq!(unescape(raw).ok(), expected, "{raw}");
        };
        for code in 0..=0xFFFF_u32 {
            check(&format!("\\u{code:04x}"));
            check(&format!("\\uD83D\\u{code:04X}!"));
        }
        for first in (0xD7F0..0xE010).step_by(7) {
            check(&format!("\\u{first:04x}\\uDC00"));
            check(&format!("\\u{first:04x}\\u"));
        }
        check("\\\"\\\\\\/\\b\\f\\n\\r\\t");
    }

    #[test]
    fn masscan_may_leave_out_quotes_and_have_a_comma_too_many() {
        let check = |record: &str, is_masscan: bool| {
            assert_eq!(is_json(record.as_bytes(), Dialect::Masscan), is_masscan, "{record}");
            assert!(!is_json(record.as_bytes(), Dialect::Json), "{record}");
        };
        check("{ ip: \"192.0.2.1\", ports: [ {port: 80, ttl: 5} ] }", true);
        check("{\"a\":[1,],}", true);
        check("{\"a\":[,]}", false);
        check("{,}", false);
        check("{a b: 1}", false);
        check("{a: b}", false);
        check("{: 1}", false);
        check("{\"a\":1,,\"b\":2}", false);
    }

    #[test]
    fn nesting_has_a_limit() {
        let nested = |depth: usize| format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
        assert!(is_json(nested(JSON_DEPTH_MAX).as_bytes(), Dialect::Json));
        assert!(!is_json(nested(JSON_DEPTH_MAX + 1).as_bytes(), Dialect::Json));
    }

    #[test]
    fn a_record_is_rejected_for_the_first_of_its_faults() {
        let check = |record: &[u8], expected: Result<(), Reject>| {
            let mut slot = Slot::default();
            let read = read_record(record, Dialect::Json, |reader, key| match key {
                "a" => reader.fill(&mut slot),
                _ => reader.skip(),
            });
            assert_eq!(read, expected, "{}", record.escape_ascii());
        };
        check(b"{\"a\":1,\"b\":\"\\u0000\\ud800\",\"b\":2}", Ok(()));
        check(b"{\"a\":1,\"a\":2}", Err(Reject::DuplicateKey));
        check(b"{\"a\":null,\"a\":null}", Err(Reject::DuplicateKey));
        check(b"{\"a\":\"\\u0000\",\"a\":2}", Err(Reject::Encoding));
        check(b"{\"a\":\"\\ud800\",\"a\":2", Err(Reject::Json));
        check(b"{\"a\":\"\\ud800\xFF\",\"a\":2", Err(Reject::Encoding));
        check(b"{\"a\":1}\0", Err(Reject::Encoding));
    }

    #[test]
    fn samples_follow_paths_as_far_as_the_record_is_json() {
        let check = |record: &str, path: &str, expected: Option<&str>| {
            assert_eq!(
                sample(record.as_bytes(), path, Dialect::Json).as_deref(),
                expected,
                "{path} {record}"
            );
        };
        let record = "{\"a.b\":1,\"a\":{\"b\":\"x\"},\"p\":[{\"q\":[true]},{\"q\":null,\"r\":[\"\",\"y\"]}],\"m\":{\"n\":{\"s\":\"z\"}}} x";
        check(record, "a.b", Some("1"));
        check(record, "p[].q", Some("[true]"));
        check(record, "p[].r[]", Some("y"));
        check(record, "m.*.s", Some("z"));
        check(record, "m.*.t", None);
        check("{\"a\":5", "a", Some("5"));
        check("{\"a\":\"5", "a", None);
    }
}
