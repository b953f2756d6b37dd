//! JSON dumps against `serde_json`, on generated files of which many are malformed.
//!
//! The oracle knows the prose of the rules and nothing of the engine. Borders are found byte by byte. What is JSON,
//! and what a string says, is `serde_json`'s word; the key fields are searched a second time, byte by byte, by the
//! prose of the search, and where `serde_json` can read the record both must agree. What must agree with the engine,
//! for whole dumps, any chunks and any windows: number, offset and outcome of each record, and what candidates say.
//!
//! A sweep of 100,000 files, with the productions and their counts printed:
//!
//! ```text
//! DIJKWACHT_SWEEP=100000 cargo test --release --test json -- --nocapture generated
//! ```
//!
//! `DIJKWACHT_SEED` repeats a sweep.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use dijkwacht::moment::{TimeText, read_time};
use dijkwacht::net::{Address, Asn, Prefix};
use dijkwacht::scan::{
    Description, FORMATS, Field, Filter, Finding, Findings, Format, FormatOptions, Frame, Head, KeyKinds,
    Keys, Kind, REJECTS_KEPT, Reject, Sink, Skip, Subject, Take, Tally, Window,
};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Deepest nesting of a record.
const DEPTH_MAX: usize = 128;

// ---- the cases ----

/// How the records of a dump stand.
#[derive(Clone, Debug)]
enum Layout {
    /// One a line.
    Lines,
    /// Between separators, with the blanks before a record that begins a line, if that is how they begin.
    Objects { landmark: Option<&'static str>, wrapped: bool },
}

/// A generated dump, and what the oracle must know about it.
struct Case {
    format: &'static str,
    layout: Layout,
    body: usize,
    bytes: Vec<u8>,
    options: FormatOptions,
    kinds: KeyKinds,
}

impl Case {
    fn open(&self) -> Box<dyn Format> {
        let spec = FORMATS.iter().find(|spec| spec.name == self.format).unwrap();
        let head = Head { bytes: &self.bytes, at_end: true };
        (spec.open)(&head, &self.options).unwrap_or_else(|error| panic!("{error}\n{self}"))
    }

    fn is_masscan(&self) -> bool {
        self.format == "masscan"
    }
}

impl std::fmt::Display for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Case { format, layout, kinds, options, .. } = self;
        writeln!(f, "{format} {layout:?} {kinds:?}")?;
        let (max, take, map) = (options.record_bytes_max, options.take, &options.map);
        writeln!(f, "max {max} take {take:?} identifier {:?} map {map:?}", options.identifier)?;
        write!(f, "{}", self.bytes.escape_ascii())
    }
}

// ---- the oracle: borders ----

#[derive(Clone, PartialEq, Eq, Debug)]
enum Told {
    Blank,
    Record(usize, usize),
    Rejected(Reject),
}

fn is_blank(byte: u8) -> bool {
    [b' ', b'\t', b'\n', b'\r'].contains(&byte)
}

/// What begins at `start`, and where reading goes on.
fn tell(case: &Case, start: usize) -> (Told, usize) {
    let told = match case.layout {
        Layout::Lines => tell_line(case, start),
        Layout::Objects { landmark, wrapped } => tell_object(case, start, landmark, wrapped),
    };
    match told {
        (Told::Record(from, to), next) if case.is_masscan() && is_footer(&case.bytes[from..to]) => {
            (Told::Blank, next)
        }
        told => told,
    }
}

fn is_footer(record: &[u8]) -> bool {
    let plain: String = record.iter().filter(|b| !is_blank(**b)).map(|b| char::from(*b)).collect();
    let inside = plain.strip_prefix("{finished:").or(plain.strip_prefix("{\"finished\":"));
    let digits = inside.and_then(|inside| inside.strip_suffix('}'));
    digits.is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}

fn tell_line(case: &Case, start: usize) -> (Told, usize) {
    let rest = &case.bytes[start..];
    let mut line = rest.split(|byte| *byte == b'\n').next().unwrap();
    let next = (start + line.len() + 1).min(case.bytes.len());
    if line.last() == Some(&b'\r') {
        line = &line[..line.len() - 1];
    }
    let reach = &line[..line.len().min(case.options.record_bytes_max)];
    if reach.iter().copied().find(|byte| !is_blank(*byte)) == Some(b'#') {
        return (Told::Blank, next);
    }
    if line.len() > case.options.record_bytes_max {
        return (Told::Rejected(Reject::TooLong), next);
    }
    let (mut from, mut to) = (0, line.len());
    while from < to && is_blank(line[from]) {
        from += 1;
    }
    while from < to && is_blank(line[to - 1]) {
        to -= 1;
    }
    if case.is_masscan() {
        while from < to && b"[], \t".contains(&line[from]) {
            from += 1;
        }
        if from < to && line[to - 1] == b',' {
            to -= 1;
            while from < to && is_blank(line[to - 1]) {
                to -= 1;
            }
        }
    }
    (if from == to { Told::Blank } else { Told::Record(start + from, start + to) }, next)
}

fn tell_object(case: &Case, start: usize, landmark: Option<&str>, wrapped: bool) -> (Told, usize) {
    let (bytes, max) = (&case.bytes[..], case.options.record_bytes_max);
    let end = bytes.len().min(start + max);
    let is_whole = bytes.len() - start <= max;
    let mark = landmark.map(|indent| format!("\n{indent}{{"));
    let is_mark = |at: usize| mark.as_ref().is_some_and(|mark| bytes[..=at].ends_with(mark.as_bytes()));
    // A mark whose newline is before the record's first byte is another record's.
    let is_inner_mark =
        |at: usize| at >= start + mark.as_ref().map_or(0, |mark| mark.len() - 1) && is_mark(at);
    let first_newline = |from: usize| (from..bytes.len()).find(|&at| bytes[at] == b'\n').map(|at| at + 1);
    let resume = |from: usize| {
        let inner = (from..end).find(|&at| is_inner_mark(at) && at > from);
        let last_newline = || (start..end).rev().find(|&at| bytes[at] == b'\n').map(|at| at + 1);
        let fallback = || last_newline().or_else(|| first_newline(end)).unwrap_or(bytes.len());
        inner.unwrap_or_else(|| if is_whole { bytes.len() } else { fallback() })
    };
    match bytes[start] {
        b'{' => {}
        byte if is_blank(byte) || b"[],".contains(&byte) => return (Told::Blank, start + 1),
        b'#' => return (Told::Blank, first_newline(start).unwrap_or(bytes.len())),
        b'}' if wrapped => return (Told::Blank, start + 1),
        _ if wrapped => {
            if let Some(next) = tell_tail(&bytes[start..end], mark.as_deref()) {
                return (Told::Blank, start + next);
            }
        }
        _ => {
            let next =
                if landmark.is_some() { resume(start) } else { first_newline(start).unwrap_or(bytes.len()) };
            return (Told::Rejected(Reject::Json), next);
        }
    }
    let is_stray = bytes[start] != b'{';
    // Where the records of an answer begin that begins here, if its key stands before `stop`.
    let answer = |stop: usize| {
        let object = Some(&bytes[start..stop]).filter(|_| wrapped && !is_stray)?;
        let value = value_of(object, &keys_of(object, false).0, &["matches"])?;
        (object.get(value) == Some(&b'[')).then_some((Told::Blank, start + value + 1))
    };
    let told = |stop: usize, told: Told, next: usize| answer(stop).unwrap_or((told, next));
    let (mut depth, mut in_string, mut escaped) = (i32::from(is_stray), false, false);
    let mut last = b' ';
    for (at, &byte) in bytes.iter().enumerate().take(end).skip(start) {
        if in_string {
            match byte {
                b'\n' => {
                    let next = if landmark.is_some() { resume(at) } else { at + 1 };
                    return told(at, Told::Rejected(Reject::Json), next);
                }
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            last = byte;
            continue;
        }
        match byte {
            b'{' if at > start && is_inner_mark(at) => {
                return told(at, Told::Rejected(Reject::Json), at);
            }
            b'{' if is_stray && depth == 1 && last != b':' => return (Told::Rejected(Reject::Json), at),
            b'"' => in_string = true,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        if !is_blank(byte) {
            last = byte;
        }
        if depth == 0 {
            let found = if is_stray { Told::Rejected(Reject::Json) } else { Told::Record(start, at + 1) };
            return told(at + 1, found, at + 1);
        }
    }
    match is_whole {
        true => told(end, Told::Rejected(Reject::Json), bytes.len()),
        false => told(end, Told::Rejected(Reject::TooLong), resume(start)),
    }
}

/// The length of a member that an answer has behind its records: a number that something follows, or an object in
/// which no record begins.
fn tell_tail(bytes: &[u8], mark: Option<&str>) -> Option<usize> {
    let skip = |from: usize| (from..bytes.len()).find(|&at| !is_blank(bytes[at]));
    let key = ["\"total\"", "\"facets\""].into_iter().find(|key| bytes.starts_with(key.as_bytes()))?;
    let colon = skip(key.len()).filter(|&at| bytes[at] == b':')?;
    let value = skip(colon + 1)?;
    if bytes[value].is_ascii_digit() {
        return (value..bytes.len()).find(|&at| !bytes[at].is_ascii_digit());
    }
    let mut ends = (value..bytes.len()).filter(|&at| bytes[value] == b'{' && bytes[at] == b'}');
    let end = ends.find(|&end| tell_tree(&bytes[value..=end], false).is_ok())? + 1;
    let is_mark = |mark: &str| bytes[value..end].windows(mark.len()).any(|part| part == mark.as_bytes());
    (!mark.is_some_and(is_mark)).then_some(end)
}

// ---- the oracle: JSON ----

#[derive(Clone, PartialEq, Debug)]
enum Tree {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    /// A string with a NUL or half a surrogate pair.
    BadText,
    Object(Vec<(String, Tree)>),
    Array(Vec<Tree>),
}

/// Masscan's dialect as JSON: bare keys quoted, commas before closing brackets dropped.
fn plain_json(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut plain = String::new();
    let mut at = 0;
    while at < chars.len() {
        let from = at;
        match chars[at] {
            '"' => {
                at += 1;
                while at < chars.len() && chars[at] != '"' {
                    at += if chars[at] == '\\' { 2 } else { 1 };
                }
                at = (at + 1).min(chars.len());
                plain.extend(&chars[from..at]);
            }
            c if c.is_ascii_alphanumeric() || c == '_' => {
                while at < chars.len() && (chars[at].is_ascii_alphanumeric() || chars[at] == '_') {
                    at += 1;
                }
                let word: String = chars[from..at].iter().collect();
                let after = chars[at..].iter().find(|c| !c.is_ascii_whitespace());
                let before = plain.trim_end().chars().last();
                if after == Some(&':') && matches!(before, Some('{' | ',')) {
                    write!(plain, "\"{word}\"").unwrap();
                } else {
                    plain.push_str(&word);
                }
            }
            ',' => {
                at += 1;
                let after = chars[at..].iter().find(|c| !matches!(c, ' ' | '\t' | '\r' | '\n'));
                let before = plain.trim_end().chars().last();
                if !matches!(after, Some('}' | ']')) || matches!(before, None | Some('{' | '[' | ',' | ':')) {
                    plain.push(',');
                }
            }
            c => {
                plain.push(c);
                at += 1;
            }
        }
    }
    plain
}

fn depth_of(text: &str) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for c in text.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' if in_string => escaped = true,
            '"' => in_string = !in_string,
            '{' | '[' if !in_string => depth += 1,
            '}' | ']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

/// The record as a tree; what is JSON is `serde_json`'s word.
fn tell_tree(record: &[u8], is_masscan: bool) -> Result<Tree, Reject> {
    let Ok(text) = std::str::from_utf8(record) else { return Err(Reject::Encoding) };
    if text.contains('\0') {
        return Err(Reject::Encoding);
    }
    let text = if is_masscan { plain_json(text) } else { text.to_owned() };
    if !text.starts_with('{') || depth_of(&text) > DEPTH_MAX {
        return Err(Reject::Json);
    }
    serde_json::from_str::<&RawValue>(&text).map_err(|_| Reject::Json)?;
    Ok(grow(&text))
}

/// The tree of text that is JSON.
fn grow(text: &str) -> Tree {
    let text = text.trim_matches([' ', '\t', '\n', '\r']);
    match text.as_bytes()[0] {
        b'n' => Tree::Null,
        b't' | b'f' => Tree::Bool(text == "true"),
        b'"' => match serde_json::from_str::<String>(text) {
            Ok(text) if !text.contains('\0') => Tree::Text(text),
            _ => Tree::BadText,
        },
        b'{' => Tree::Object(items(text).into_iter().map(member).collect()),
        b'[' => Tree::Array(items(text).into_iter().map(grow).collect()),
        _ => Tree::Number(text.to_owned()),
    }
}

fn member(item: &str) -> (String, Tree) {
    let item = item.trim_matches([' ', '\t', '\n', '\r']);
    let mut end = 1;
    while item.as_bytes()[end] != b'"' {
        end += if item.as_bytes()[end] == b'\\' { 2 } else { 1 };
    }
    let value = item[end + 1..].trim_start_matches([' ', '\t', '\n', '\r']).strip_prefix(':').unwrap();
    // The key as written: keys are compared as raw bytes.
    (item[1..end].to_owned(), grow(value))
}

/// What stands between the commas of a bracket.
fn items(text: &str) -> Vec<&str> {
    let inside = &text[1..text.len() - 1];
    let (mut depth, mut in_string, mut escaped, mut from) = (0, false, false, 0);
    let mut found = Vec::new();
    for (at, c) in inside.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if in_string => escaped = true,
            '"' => in_string = !in_string,
            _ if in_string => {}
            '{' | '[' => depth += 1,
            '}' | ']' => depth -= 1,
            ',' if depth == 0 => {
                found.push(&inside[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    if !inside.trim_matches([' ', '\t', '\n', '\r']).is_empty() {
        found.push(&inside[from..]);
    }
    found
}

impl Tree {
    fn object(&self) -> &[(String, Tree)] {
        match self {
            Self::Object(members) => members,
            _ => &[],
        }
    }

    /// The first value of a path.
    fn at(&self, path: &[&str]) -> Option<&Tree> {
        let Some((key, rest)) = path.split_first() else { return Some(self) };
        self.object().iter().find(|(name, _)| name == key)?.1.at(rest)
    }

    fn is_filled(&self) -> bool {
        !matches!(self, Self::Null) && *self != Self::Text(String::new())
    }

    fn text(&self) -> Option<String> {
        match self {
            Self::Text(text) if !text.is_empty() => Some(text.clone()),
            _ => None,
        }
    }

    /// The string or number, or the first string of the array.
    fn first(&self) -> Option<String> {
        match self {
            Self::Array(items) => items.iter().find_map(Self::text),
            _ => self.token(),
        }
    }

    fn token(&self) -> Option<String> {
        match self {
            Self::Number(number) => Some(number.clone()),
            _ => self.text(),
        }
    }
}

// ---- the oracle: key fields ----

/// A key of a record, seen without knowing what is JSON; or the end of a bracket, which has the spelling of no key.
struct Key {
    depth: usize,
    spelling: Vec<u8>,
    /// The first byte of its value.
    value: usize,
}

/// All keys of a record up to where it is broken or ends; whether it is sound to its end.
fn keys_of(record: &[u8], is_masscan: bool) -> (Vec<Key>, bool) {
    let mut keys = Vec::new();
    let is_word =
        |at: usize| record.get(at).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let blanks = |mut at: usize| {
        while record.get(at).copied().is_some_and(is_blank) {
            at += 1;
        }
        at
    };
    let (mut at, mut depth) = (0, 0);
    while at < record.len() {
        let from = at;
        at += 1;
        let spelling = match record[from] {
            b'{' | b'[' => {
                depth += 1;
                if depth > DEPTH_MAX {
                    return (keys, false);
                }
                continue;
            }
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return (keys, blanks(at) == record.len());
                }
                keys.push(Key { depth, spelling: b"\"".to_vec(), value: record.len() });
                continue;
            }
            b'"' => {
                while record.get(at).is_some_and(|byte| *byte != b'"') {
                    at += if record[at] == b'\\' { 2 } else { 1 };
                }
                if at >= record.len() {
                    return (keys, false);
                }
                at += 1;
                &record[from + 1..at - 1]
            }
            _ if is_masscan && is_word(from) => {
                while is_word(at) {
                    at += 1;
                }
                &record[from..at]
            }
            _ => continue,
        };
        if record.get(blanks(at)) == Some(&b':') {
            at = blanks(at) + 1;
            keys.push(Key { depth, spelling: spelling.to_vec(), value: blanks(at) });
        }
    }
    (keys, false)
}

/// The value of a path: that of the first key of that spelling, in the object of the one before.
fn value_of(record: &[u8], keys: &[Key], path: &[&str]) -> Option<usize> {
    let (mut depth, mut from) = (1, 0);
    for (i, step) in path.iter().enumerate() {
        let inside = keys[from..].iter().take_while(|key| key.depth >= depth);
        let found = inside.enumerate().find(|(_, key)| key.depth == depth && key.spelling == step.as_bytes());
        let (skipped, key) = found?;
        if i + 1 == path.len() {
            return Some(key.value);
        }
        if record.get(key.value) != Some(&b'{') {
            return None;
        }
        (depth, from) = (depth + 1, from + skipped + 1);
    }
    None
}

/// The value of a key field.
#[derive(Clone, PartialEq, Debug)]
enum Said {
    Nothing,
    Text(String),
    Bare(String),
    Nested,
}

fn said(record: &[u8], value: Option<usize>) -> Result<Said, Reject> {
    let Some(value) = value.map(|value| &record[value..]) else { return Ok(Said::Nothing) };
    match value.first() {
        Some(b'"') => {
            let mut end = 1;
            while value.get(end).is_some_and(|byte| *byte != b'"') {
                end += if value[end] == b'\\' { 2 } else { 1 };
            }
            let inside = value.get(1..end).filter(|_| end < value.len()).ok_or(Reject::Json)?;
            let text = std::str::from_utf8(inside).map_err(|_| Reject::Encoding)?;
            if text.contains('\0') {
                return Err(Reject::Encoding);
            }
            // A control or wrong escape is no JSON, unless half a surrogate pair or a NUL stands before it.
            let read = |text: &str| serde_json::from_str::<String>(&format!("\"{text}\""));
            let is_json = |text: &str| serde_json::from_str::<&RawValue>(&format!("\"{text}\"")).is_ok();
            let lengths = (0..=text.len()).filter(|length| text.is_char_boundary(*length));
            let sound = lengths.filter(|length| is_json(&text[..*length])).max().unwrap_or(0);
            match read(&text[..sound]) {
                Ok(said) if said.contains('\0') => Err(Reject::Encoding),
                Err(_) => Err(Reject::Encoding),
                Ok(_) if sound < text.len() => Err(Reject::Json),
                Ok(said) if said.is_empty() => Ok(Said::Nothing),
                Ok(said) => Ok(Said::Text(said)),
            }
        }
        Some(b'{' | b'[') => Ok(Said::Nested),
        _ => {
            let end = value.iter().position(|byte| is_blank(*byte) || b",}]".contains(byte));
            let token = &value[..end.unwrap_or(value.len())];
            match (std::str::from_utf8(token), token.first()) {
                (Ok("null"), _) => Ok(Said::Nothing),
                (Ok(token @ ("true" | "false")), _) => Ok(Said::Bare(token.to_owned())),
                (token, Some(b'-' | b'0'..=b'9')) => {
                    let token = token.map_err(|_| Reject::Encoding)?;
                    serde_json::from_str::<&RawValue>(token).map_err(|_| Reject::Json)?;
                    Ok(Said::Bare(token.to_owned()))
                }
                _ => Err(Reject::Json),
            }
        }
    }
}

fn is_filled(record: &[u8], value: Option<usize>) -> bool {
    value.is_some_and(|value| {
        let value = &record[value..];
        let end = value.iter().position(|byte| is_blank(*byte) || b",}]".contains(byte));
        !value.starts_with(b"\"\"") && &value[..end.unwrap_or(value.len())] != b"null"
    })
}

/// The places of a format's key fields, best first.
#[derive(Default)]
struct Places {
    address: Vec<Vec<&'static str>>,
    stated: Vec<Vec<&'static str>>,
    shown: Vec<Vec<&'static str>>,
    asn: Vec<Vec<&'static str>>,
    is_endpoint: bool,
    /// The search has more places than these, and so goes to the end where names or AS numbers are asked for.
    has_more: bool,
}

fn places(case: &Case) -> Places {
    let one = |key| vec![vec![key]];
    match case.format {
        "zgrab2" => Places { address: one("ip"), stated: one("domain"), ..Places::default() },
        "masscan" => Places { address: one("ip"), ..Places::default() },
        "shodan" => Places {
            address: one("ip_str"),
            shown: vec![vec!["http", "host"], vec!["ssl", "cert", "subject", "CN"]],
            asn: one("asn"),
            ..Places::default()
        },
        "nuclei" => Places {
            address: one("ip"),
            stated: vec![vec!["host"], vec!["matched-at"], vec!["matched"], vec!["url"]],
            ..Places::default()
        },
        "ndjson" if case.options.map.is_empty() => Places {
            address: one("ip"),
            stated: one("domain"),
            asn: one("asn"),
            is_endpoint: true,
            has_more: true,
            ..Places::default()
        },
        "ndjson" => Places {
            address: vec![vec!["source", "ip"], vec!["source.ip"]],
            stated: vec![vec!["about", "host"], vec!["about.host"]],
            asn: one("asn"),
            is_endpoint: true,
            has_more: true,
            ..Places::default()
        },
        other => panic!("{other}"),
    }
}

/// The keys in words.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct KeyWords {
    subject: Option<String>,
    stated: Option<String>,
    shown: Vec<String>,
    asn: Option<u32>,
}

fn tell_keys(case: &Case, record: &[u8]) -> Result<KeyWords, Reject> {
    let places = places(case);
    if record[0] != b'{' {
        return Err(Reject::Json);
    }
    let (keys, is_sound) = keys_of(record, case.is_masscan());
    let find =
        |paths: &[Vec<&str>]| paths.iter().map(|path| value_of(record, &keys, path)).collect::<Vec<_>>();
    let (address, stated) = (find(&places.address), find(&places.stated));
    let (shown, asn) = (find(&places.shown), find(&places.asn));
    agree_with_serde(case, record, &places, &keys);

    let mut asked = if places.has_more { address[..1].to_vec() } else { address.clone() };
    if case.kinds.names {
        asked.extend(stated.iter().chain(&shown));
    }
    if case.kinds.asns {
        asked.extend(&asn);
    }
    let asks_more = places.has_more && (case.kinds.names || case.kinds.asns);
    let is_found = !asks_more && asked.iter().all(|value| is_filled(record, *value));
    let mut worst = if is_found || is_sound { None } else { Some(Reject::Json) };
    let mut read = |value: Option<usize>| match said(record, value) {
        Ok(said) => said,
        Err(reason) => {
            worst = if worst == Some(Reject::Encoding) { worst } else { Some(reason) };
            Said::Nothing
        }
    };
    // Of several places of an address, an object or array at another than the best one is none.
    let is_nested = |value: usize| matches!(record.get(value), Some(b'{' | b'['));
    let mut filled = address.iter().enumerate().filter(|(_, value)| is_filled(record, **value));
    let address_value =
        filled.find(|(i, value)| *i == 0 || !value.is_some_and(is_nested)).map(|(_, value)| *value);

    let mut words = KeyWords::default();
    let mut subject = Ok(None);
    match address_value {
        Some(value) => match read(value) {
            Said::Nothing => {}
            Said::Text(text) => {
                subject = tell_subject(&text, places.is_endpoint).map(|(subject, _)| Some(subject))
            }
            Said::Bare(_) | Said::Nested => subject = Err(Reject::Address),
        },
        None => {
            for value in &stated {
                if let Said::Text(text) = read(*value) {
                    subject = tell_host(&text).map(|found| found.map(|(subject, _)| subject));
                    break;
                }
            }
        }
    }
    if case.kinds.names {
        let mut name = |value: &Option<usize>| match read(*value) {
            Said::Text(text) if tell_literal(&text).is_none() => Some(text),
            _ => None,
        };
        words.stated = stated.iter().find_map(&mut name);
        words.shown = each_once(shown.iter().filter_map(&mut name));
    }
    if case.kinds.asns
        && let Some(value) = asn.iter().find(|value| is_filled(record, **value))
    {
        words.asn = match read(*value) {
            Said::Text(text) | Said::Bare(text) => tell_asn(&text),
            _ => None,
        };
    }
    if let Some(reason) = worst {
        return Err(reason);
    }
    words.subject = subject?;
    let is_string =
        |value: &Option<usize>| is_filled(record, *value) && value.is_some_and(|at| record[at] == b'"');
    let filled = address_value.is_some()
        || asn.iter().any(|value| is_filled(record, *value))
        || stated.iter().chain(&shown).any(is_string);
    // Bytes of a string that are no text hide no key: they are for the strict reading of the whole record to judge.
    let text = String::from_utf8_lossy(record);
    let is_json = || case.is_masscan() || serde_json::from_str::<&RawValue>(&text).is_ok();
    match filled {
        true => Ok(words),
        false if is_json() => Err(Reject::NoKey),
        false => Err(Reject::Json),
    }
}

fn each_once(texts: impl Iterator<Item = String>) -> Vec<String> {
    let mut all = Vec::new();
    for text in texts {
        if !all.contains(&text) {
            all.push(text);
        }
    }
    all
}

/// Where `serde_json` can read the record, the values of the key fields are those that it finds.
fn agree_with_serde(case: &Case, record: &[u8], places: &Places, keys: &[Key]) {
    let Ok(tree) = tell_tree(record, case.is_masscan()) else { return };
    let paths = [&places.address, &places.stated, &places.shown, &places.asn].into_iter().flatten();
    for path in paths {
        let value = value_of(record, keys, path);
        let found = tree.at(path);
        assert_eq!(value.is_some(), found.is_some(), "{path:?} {}", record.escape_ascii());
        let Some(found) = found else { continue };
        let said = said(record, value);
        let agrees = match found {
            Tree::BadText => said == Err(Reject::Encoding),
            Tree::Text(text) if text.is_empty() => said == Ok(Said::Nothing),
            Tree::Text(text) => said == Ok(Said::Text(text.clone())),
            Tree::Null => said == Ok(Said::Nothing),
            Tree::Bool(value) => said == Ok(Said::Bare(value.to_string())),
            Tree::Number(number) => said == Ok(Said::Bare(number.clone())),
            Tree::Object(_) | Tree::Array(_) => said == Ok(Said::Nested),
        };
        assert!(agrees, "{path:?} {found:?} {said:?} {}", record.escape_ascii());
    }
}

fn tell_subject(text: &str, is_endpoint: bool) -> Result<(String, Option<u16>), Reject> {
    if let Some(address) = Address::read(text.as_bytes()) {
        return Ok((address.ip().to_string(), None));
    }
    if let Some((first, length)) = text.split_once('/') {
        return match Prefix::read(text.as_bytes()) {
            Ok(prefix) if prefix.first() == prefix.last() => Ok((prefix.first().ip().to_string(), None)),
            Ok(prefix) => Ok((format!("{}/{}", prefix.first().ip(), prefix.length()), None)),
            Err(_)
                if Address::read(first.as_bytes()).is_some()
                    && length.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') =>
            {
                Err(Reject::Prefix)
            }
            Err(_) => Err(Reject::Address),
        };
    }
    let (host, port) = text.rsplit_once(':').filter(|_| is_endpoint).ok_or(Reject::Address)?;
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let address = Address::read(bare.unwrap_or(host).as_bytes()).ok_or(Reject::Address)?;
    if bare.is_some() != address.ip().is_ipv6() && !host.contains("::ffff:") {
        return Err(Reject::Address);
    }
    let port = tell_port(port).ok_or(Reject::Address)?;
    Ok((address.ip().to_string(), port))
}

/// The address in the place of a host, and the port behind it.
fn tell_literal(text: &str) -> Option<(String, Option<u16>)> {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let rest = rest.split(['/', '?', '#']).next().filter(|rest| !rest.contains('\\'))?;
    let rest = rest.rsplit('@').next().unwrap();
    let (host, port) = match tell_bracketed(rest) {
        Some((host, after)) => (host, after.strip_prefix(':')),
        None if rest.matches(':').count() == 1 => {
            rest.split_once(':').map(|(host, port)| (host, Some(port))).unwrap()
        }
        None => (rest, None),
    };
    let address = Address::read(host.as_bytes())?;
    Some((address.ip().to_string(), port.and_then(tell_port).flatten()))
}

/// The address in the place of the first host; where a backslash makes two hosts of it, it is none.
fn tell_host(text: &str) -> Result<Option<(String, Option<u16>)>, Reject> {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    match rest.find(['/', '?', '#', '\\']).map(|at| rest.as_bytes()[at]) {
        Some(b'\\') => Err(Reject::Address),
        _ => Ok(tell_literal(text)),
    }
}

/// What stands in brackets, and what follows them: nothing, or a colon and more.
fn tell_bracketed(authority: &str) -> Option<(&str, &str)> {
    let (host, after) = authority.strip_prefix('[')?.split_once(']')?;
    (after.is_empty() || after.starts_with(':')).then_some((host, after))
}

fn tell_port(text: &str) -> Option<Option<u16>> {
    let port: u16 = text.parse().ok()?;
    (port.to_string() == text).then_some((port != 0).then_some(port))
}

fn tell_asn(text: &str) -> Option<u32> {
    Asn::read(text.as_bytes()).map(|asn| asn.0).filter(|asn| *asn != 0)
}

// ---- the oracle: what records say ----

/// What became of a record.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Outcome {
    Unmatched { special: bool },
    Rejected(Reject),
    Skipped(Skip),
    Found(Vec<Words>),
}

/// A finding in words.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Words {
    part: u16,
    kind: &'static str,
    subject: Option<String>,
    port: Option<u16>,
    transport: Option<String>,
    application: Option<String>,
    time: Option<String>,
    identifier: Option<String>,
    severity: Option<String>,
    tlp: Option<String>,
    cves: Vec<String>,
    tags: Vec<String>,
    asn: Option<u32>,
    stated: Option<String>,
    shown: Vec<String>,
    reverse: Option<String>,
    text: Option<String>,
    url: Option<String>,
}

fn subject_words(subject: Subject) -> String {
    match subject {
        Subject::Address(address) => address.ip().to_string(),
        Subject::Prefix(prefix) => format!("{}/{}", prefix.first().ip(), prefix.length()),
    }
}

fn finding_words(finding: &Finding<'_>) -> Words {
    let own = |text: &Option<std::borrow::Cow<'_, str>>| text.as_deref().map(str::to_owned);
    let list = |texts: &[std::borrow::Cow<'_, str>]| texts.iter().map(|text| text.to_string()).collect();
    Words {
        part: finding.part,
        kind: match finding.kind {
            Kind::Vulnerable => "vulnerable",
            Kind::Exposed => "exposed",
            Kind::Inventory => "inventory",
            Kind::Context => "context",
        },
        subject: finding.subject.map(subject_words),
        port: finding.port,
        transport: own(&finding.transport),
        application: own(&finding.application),
        time: finding.time.map(|time| time.id_text()),
        identifier: own(&finding.identifier),
        severity: own(&finding.severity),
        tlp: own(&finding.tlp),
        cves: list(&finding.cves),
        tags: list(&finding.tags),
        asn: finding.asn.map(|asn| asn.0),
        stated: own(&finding.stated),
        shown: list(&finding.shown),
        reverse: own(&finding.reverse),
        text: own(&finding.text),
        url: own(&finding.url),
    }
}

/// Keys of which only an object or an array is read.
const HOLDERS: [&str; 8] = ["data", "ports", "_shodan", "http", "ssl", "cert", "info", "classification"];

/// Reads the values that a format knows, and notes what is wrong with them.
#[derive(Default)]
struct Notes {
    bad_text: bool,
    is_twin: bool,
}

impl Notes {
    /// The first value of a key that is read.
    fn take<'t>(&mut self, object: &'t Tree, key: &str) -> &'t Tree {
        let mut found = object.object().iter().filter(|(name, _)| name == key).map(|(_, value)| value);
        let first = found.next().unwrap_or(&Tree::Null);
        self.is_twin |= found.next().is_some();
        // Of a key that holds an object or a list of them, nothing else is read.
        self.bad_text |= *first == Tree::BadText && !HOLDERS.contains(&key);
        first
    }

    /// The same, where the strings of an array are read as well.
    fn take_any<'t>(&mut self, object: &'t Tree, key: &str) -> &'t Tree {
        let value = self.take(object, key);
        self.bad_text |= matches!(value, Tree::Array(items) if items.contains(&Tree::BadText));
        value
    }

    /// The strings of an array, or the string.
    fn list(&mut self, object: &Tree, key: &str) -> Vec<String> {
        match self.take(object, key) {
            Tree::Array(items) => {
                self.bad_text |= items.contains(&Tree::BadText);
                items.iter().filter_map(Tree::text).collect()
            }
            value => value.text().into_iter().collect(),
        }
    }

    fn judge(&self) -> Result<(), Reject> {
        match self {
            Self { bad_text: true, .. } => Err(Reject::Encoding),
            Self { is_twin: true, .. } => Err(Reject::DuplicateKey),
            _ => Ok(()),
        }
    }
}

/// What is to be said of one part.
type Parts = Result<Vec<Words>, Result<Skip, Reject>>;

fn tell_findings(case: &Case, record: &[u8]) -> Outcome {
    let parts = tell_tree(record, case.is_masscan()).map_err(Err).and_then(|tree| match case.format {
        "zgrab2" => tell_zgrab2(case, &tree),
        "masscan" => tell_masscan(case, &tree),
        "shodan" => tell_shodan(case, &tree),
        "nuclei" => tell_nuclei(case, &tree),
        _ => tell_ndjson(case, &tree),
    });
    match parts {
        Ok(parts) => Outcome::Found(parts),
        Err(Ok(skip)) => Outcome::Skipped(skip),
        Err(Err(reason)) => Outcome::Rejected(reason),
    }
}

fn taken(kind: &'static str, take: Take) -> Option<Skip> {
    match (kind, take) {
        ("inventory", Take::Vulnerable | Take::Exposed) => Some(Skip::Inventory),
        ("exposed", Take::Vulnerable) => Some(Skip::NotVulnerable),
        _ => None,
    }
}

fn port_of(value: &Tree) -> Result<Option<u16>, Reject> {
    match value {
        value if !value.is_filled() => Ok(None),
        value => value.token().and_then(|token| tell_port(&token)).ok_or(Reject::Port),
    }
}

fn time_of(value: &Tree) -> Result<Option<String>, Reject> {
    if !value.is_filled() {
        return Ok(None);
    }
    match value.token().map(|token| read_time(token.as_bytes(), None)) {
        Some(TimeText::At(moment)) => Ok(Some(moment.id_text())),
        Some(TimeText::None) => Ok(None),
        _ => Err(Reject::Time),
    }
}

/// The subject of an address field, or of the first host that is filled.
fn subject_of(address: &Tree, hosts: &[&Tree]) -> Result<Option<String>, Reject> {
    match address {
        Tree::Text(text) if !text.is_empty() => tell_subject(text, false).map(|(subject, _)| Some(subject)),
        value if !value.is_filled() => {
            let host = hosts.iter().find_map(|host| host.text()).unwrap_or_default();
            Ok(tell_host(&host)?.map(|found| found.0))
        }
        _ => Err(Reject::Address),
    }
}

fn name_of(hosts: &[&Tree]) -> Option<String> {
    hosts.iter().filter_map(|host| host.text()).find(|host| tell_literal(host).is_none())
}

fn tell_zgrab2(case: &Case, tree: &Tree) -> Parts {
    let mut notes = Notes::default();
    let [ip, domain, port, data] = ["ip", "domain", "port", "data"].map(|key| notes.take(tree, key));
    let mut modules = Vec::new();
    for (name, module) in data.object() {
        notes.is_twin |= data.object().iter().filter(|(other, _)| other == name).count() > 1;
        modules.push((name, ["status", "protocol", "port", "timestamp"].map(|key| notes.take(module, key))));
    }
    notes.judge().map_err(Err)?;
    let subject = subject_of(ip, &[domain]).map_err(Err)?;
    let reason = |status: &Tree| match status.text().as_deref() {
        Some("success") => taken("exposed", case.options.take),
        _ => Some(Skip::NoSuccess),
    };
    let left: Vec<_> =
        modules.iter().enumerate().filter(|(_, (_, module))| reason(module[0]).is_none()).collect();
    if left.is_empty() {
        return Err(Ok(modules.first().and_then(|(_, module)| reason(module[0])).unwrap_or(Skip::NoSuccess)));
    }
    let ports: Result<Vec<_>, _> = left
        .iter()
        .map(|(_, (_, module))| match port_of(module[2]) {
            Ok(None) => port_of(port),
            port => port,
        })
        .collect();
    let times: Result<Vec<_>, _> = left.iter().map(|(_, (_, module))| time_of(module[3])).collect();
    let (ports, times) = (ports.map_err(Err)?, times.map_err(Err)?);
    let words = left.into_iter().zip(ports).zip(times).map(|(((part, (name, module)), port), time)| {
        let protocol = module[1].text();
        let spoken = protocol.clone().unwrap_or(name.to_string());
        Words {
            part: part as u16,
            kind: "exposed",
            subject: subject.clone(),
            port,
            transport: Some(if ["ntp", "bacnet"].contains(&&*spoken) { "udp" } else { "tcp" }.to_owned()),
            application: protocol,
            time,
            identifier: case.options.identifier.clone().or(case.options.finding.then(|| name.to_string())),
            stated: name_of(&[domain]),
            ..Words::default()
        }
    });
    Ok(words.collect())
}

fn tell_masscan(case: &Case, tree: &Tree) -> Parts {
    let mut notes = Notes::default();
    let keys = ["ip", "timestamp", "rec_type", "ports", "data", "port", "proto"];
    let [ip, timestamp, rec_type, ports, data, port, proto] = keys.map(|key| notes.take(tree, key));
    let has_ports = tree.object().iter().any(|(key, _)| key == "ports");
    let mut parts = Vec::new();
    if let Tree::Array(items) = ports {
        for item in items {
            parts.push(["port", "proto", "status", "service"].map(|key| notes.take(item, key)));
        }
    }
    let status = notes.take(data, "status");
    notes.judge().map_err(Err)?;
    if !has_ports {
        parts = vec![[port, proto, status, &Tree::Null]];
    }
    let subject = subject_of(ip, &[]).map_err(Err)?;
    if rec_type.text().as_deref() == Some("banner") {
        return Err(Ok(Skip::Banner));
    }
    let reason = |part: &[&Tree; 4]| match part[2].text() {
        Some(status) if status == "open" => taken("exposed", case.options.take),
        None if part[3].is_filled() => Some(Skip::Banner),
        _ => Some(Skip::Closed),
    };
    let left: Vec<_> = parts.iter().enumerate().filter(|(_, part)| reason(part).is_none()).collect();
    if left.is_empty() {
        return Err(Ok(parts.first().and_then(reason).unwrap_or(Skip::Closed)));
    }
    let ports: Result<Vec<_>, _> = left.iter().map(|(_, part)| port_of(part[0])).collect();
    let ports = ports.map_err(Err)?;
    let time = time_of(timestamp).map_err(Err)?;
    let words = left.into_iter().zip(ports).map(|((part, values), port)| Words {
        part: part as u16,
        kind: "exposed",
        subject: subject.clone(),
        port,
        transport: values[1].text(),
        time: time.clone(),
        identifier: case.options.identifier.clone().or(case.options.finding.then(|| "open".to_owned())),
        ..Words::default()
    });
    Ok(words.collect())
}

fn is_cve(word: &str) -> bool {
    let parts: Vec<&str> = word.split('-').collect();
    let digits = |text: &str| text.len() >= 4 && text.bytes().all(|byte| byte.is_ascii_digit());
    matches!(parts[..], [cve, year, number] if cve.eq_ignore_ascii_case("cve") && year.len() == 4 && digits(year) && digits(number))
}

fn tell_shodan(case: &Case, tree: &Tree) -> Parts {
    let mut notes = Notes::default();
    let keys =
        ["ip_str", "port", "transport", "timestamp", "asn", "product", "version", "_shodan", "http", "ssl"];
    let [ip, port, transport, timestamp, asn, product, version, own, http, ssl] =
        keys.map(|key| notes.take(tree, key));
    let (hostnames, tags) = (notes.list(tree, "hostnames"), notes.list(tree, "tags"));
    let module = notes.take(own, "module").text();
    let host = notes.take(http, "host");
    let cert = notes.take(ssl, "cert");
    // `subject` is a holder here.
    let had_bad_text = notes.bad_text;
    let subject_names = notes.take(cert, "subject");
    notes.bad_text = had_bad_text;
    let common_name = notes.take(subject_names, "CN");
    let vulns = match notes.take(tree, "vulns") {
        Tree::Object(members) => {
            let names = members.iter().map(|(name, _)| match grow(&format!("\"{name}\"")) {
                Tree::Text(name) => name,
                _ => {
                    notes.bad_text = true;
                    String::new()
                }
            });
            let names: Vec<String> = names.collect();
            notes.is_twin |= names.iter().any(|name| names.iter().filter(|other| *other == name).count() > 1);
            names
        }
        _ => notes.list(tree, "vulns"),
    };
    notes.judge().map_err(Err)?;
    let subject = subject_of(ip, &[]).map_err(Err)?;
    let vulns: Vec<String> = vulns.into_iter().filter(|name| !name.starts_with('!')).collect();
    let kind = if vulns.is_empty() { "exposed" } else { "vulnerable" };
    if let Some(skip) = taken(kind, case.options.take) {
        return Err(Ok(skip));
    }
    let port = port_of(port).map_err(Err)?;
    let time = time_of(timestamp).map_err(Err)?;
    let identifier = match kind {
        "vulnerable" => Some(module.clone().unwrap_or("vulnerable".to_owned())),
        _ => module.clone().filter(|_| case.options.finding),
    };
    let text = match (product.text(), version.text()) {
        (Some(product), Some(version)) => Some(format!("{product} {version}")),
        (product, _) => product,
    };
    Ok(vec![Words {
        kind,
        subject,
        port,
        transport: transport.text(),
        application: module,
        time,
        identifier: case.options.identifier.clone().or(identifier),
        cves: vulns.iter().filter(|name| is_cve(name)).cloned().collect(),
        tags: vulns.iter().filter(|name| !is_cve(name)).cloned().chain(tags).collect(),
        asn: asn.token().and_then(|asn| tell_asn(&asn)),
        shown: each_once([host, common_name].into_iter().filter_map(|name| name_of(&[name]))),
        reverse: hostnames.into_iter().next(),
        text,
        ..Words::default()
    }])
}

fn tell_nuclei(case: &Case, tree: &Tree) -> Parts {
    let mut notes = Notes::default();
    let keys = [
        "template-id",
        "templateID",
        "template-url",
        "type",
        "ip",
        "port",
        "timestamp",
        "matcher-status",
        "info",
    ];
    let [template, old_template, template_url, kind_of, ip, port, timestamp, status, info] =
        keys.map(|key| notes.take(tree, key));
    let hosts = ["host", "matched-at", "matched", "url"].map(|key| notes.take(tree, key));
    let matchers = ["matcher-name", "matcher_name"].map(|key| notes.take(tree, key));
    let [name, severity, classification] =
        ["name", "severity", "classification"].map(|key| notes.take(info, key));
    let (tags, references) = (notes.list(info, "tags"), notes.list(info, "reference"));
    let cves = notes.list(classification, "cve-id");
    notes.judge().map_err(Err)?;
    let subject = subject_of(ip, &hosts).map_err(Err)?;
    let is_no = |text: &str| text == "0" || text.to_lowercase() == "false";
    let is_false = match status {
        Tree::Bool(status) => !status,
        Tree::Number(text) => text == "0",
        Tree::Text(text) => is_no(text),
        _ => false,
    };
    if is_false {
        return Err(Ok(Skip::NotVulnerable));
    }
    let is_info = severity.text().is_some_and(|severity| severity.to_lowercase() == "info");
    let kind = if is_info { "inventory" } else { "vulnerable" };
    if let Some(skip) = taken(kind, case.options.take) {
        return Err(Ok(skip));
    }
    let written = |host: &Tree| {
        let text = host.text()?;
        let rest = text.split("://").last()?.split(['/', '?', '#']).next()?.to_owned();
        let rest = rest.rsplit('@').next().filter(|_| !rest.contains('\\'))?.to_owned();
        let port = match tell_bracketed(&rest) {
            Some((_, after)) => after.strip_prefix(':'),
            None if rest.matches(':').count() == 1 => rest.split_once(':').map(|(_, port)| port),
            None => None,
        };
        tell_port(port?)?
    };
    let port = match port.is_filled() {
        true => port_of(port).map_err(Err)?,
        false => [hosts[1], hosts[2], hosts[0], hosts[3]].into_iter().find_map(written),
    };
    let is_url = |url: &String| {
        (url.starts_with("http://") || url.starts_with("https://")) && !url.contains(char::is_whitespace)
    };
    let tags = tags.iter().flat_map(|tag| tag.split(',').map(|tag| tag.trim().to_owned()));
    Ok(vec![Words {
        kind,
        subject,
        port,
        application: kind_of.text(),
        time: time_of(timestamp).map_err(Err)?,
        identifier: template
            .text()
            .or(old_template.text())
            .filter(|word| says(word))
            .or(case.options.identifier.clone()),
        severity: severity.text(),
        cves,
        tags: matchers.iter().find_map(|matcher| matcher.text()).into_iter().chain(tags).collect(),
        stated: name_of(&hosts),
        text: name.text(),
        url: references.into_iter().chain(template_url.text()).find(is_url),
        ..Words::default()
    }])
}

/// What `ndjson` reads of generated records, by the usual names and as mapped.
fn tell_ndjson(case: &Case, tree: &Tree) -> Parts {
    let mut notes = Notes::default();
    let keys =
        ["port", "transport", "protocol", "timestamp", "identifier", "severity", "tlp", "asn", "service"];
    let [port, transport, protocol, timestamp, identifier, severity, tlp, asn, service] =
        keys.map(|key| notes.take_any(tree, key));
    let (addresses, hosts) = if case.options.map.is_empty() {
        (vec![notes.take_any(tree, "ip")], vec![notes.take_any(tree, "domain")])
    } else {
        let [source, about] = ["source", "about"].map(|key| notes.take_any(tree, key));
        let address = vec![notes.take_any(source, "ip"), notes.take_any(tree, "source.ip")];
        (address, vec![notes.take_any(about, "host"), notes.take_any(tree, "about.host")])
    };
    let cves = notes.list(tree, "cve");
    let tags = notes.list(tree, "tags");
    let reverse = notes.list(tree, "hostname").into_iter().next();
    notes.judge().map_err(Err)?;
    let mut filled = addresses.iter().enumerate().filter(|(_, value)| value.is_filled());
    let address = filled.find(|(i, value)| *i == 0 || !matches!(value, Tree::Object(_) | Tree::Array(_)));
    let (subject, endpoint_port) = match address.map(|(_, value)| value) {
        Some(Tree::Text(text)) => {
            tell_subject(text, true).map(|(subject, port)| (Some(subject), port)).map_err(Err)?
        }
        Some(_) => return Err(Err(Reject::Address)),
        None => {
            let host = hosts.iter().find_map(|host| host.text()).unwrap_or_default();
            let found = tell_host(&host).map_err(Err)?;
            (found.as_ref().map(|found| found.0.clone()), found.and_then(|found| found.1))
        }
    };
    let identifier = identifier.first().filter(|word| says(word)).or(case.options.identifier.clone());
    let kind = if identifier.is_some() { "vulnerable" } else { "exposed" };
    if let Some(skip) = taken(kind, case.options.take) {
        return Err(Ok(skip));
    }
    let port = if port.is_filled() { port_of(port).map_err(Err)? } else { endpoint_port };
    let protocol = protocol.first();
    let transports = ["tcp", "udp", "icmp", "icmp6", "icmpv6", "sctp", "dccp"];
    let is_transport =
        protocol.as_ref().is_some_and(|protocol| transports.contains(&&*protocol.to_lowercase()));
    let (mut words_cves, mut words_tags) = (Vec::new(), Vec::new());
    let cve_words = cves.iter().flat_map(|text| text.split([';', ',', '|', ' ', '\t', '\n', '\r', '\u{c}']));
    for word in cve_words.chain(tags.iter().flat_map(|text| text.split(';'))).map(str::trim) {
        match word {
            "" => {}
            word if is_cve(word) => words_cves.push(word.to_owned()),
            word => words_tags.push(word.to_owned()),
        }
    }
    let time = match timestamp.first() {
        Some(time) => time_of(&Tree::Text(time)).map_err(Err)?,
        None if timestamp.is_filled() => return Err(Err(Reject::Time)),
        None => None,
    };
    Ok(vec![Words {
        kind,
        subject,
        port,
        transport: transport.first().or(protocol.clone().filter(|_| is_transport)),
        application: service.first().or(protocol.filter(|_| !is_transport)),
        time,
        identifier: identifier.or(case.options.finding.then(|| "open".to_owned())),
        severity: severity.first(),
        tlp: tlp.first(),
        cves: words_cves,
        tags: words_tags,
        asn: asn.token().and_then(|asn| tell_asn(&asn)),
        stated: name_of(&hosts),
        reverse,
        ..Words::default()
    }])
}

// ---- the engine against the oracle ----

/// The register of these tests: some addresses, a name, an AS number.
struct Register(KeyKinds);

fn holds(subject: Option<&str>, stated: Option<&str>, shown: &[String], asn: Option<u32>) -> bool {
    let address = subject.is_some_and(|subject| {
        ["192.0.2.", "198.51.100.7", "2001:db8:1:", "203.0.113."]
            .iter()
            .any(|start| subject.starts_with(start))
    });
    let name =
        stated.into_iter().chain(shown.iter().map(String::as_str)).any(|name| name.contains("registered"));
    address || name || asn == Some(64496)
}

impl Filter for Register {
    fn kinds(&self) -> KeyKinds {
        self.0
    }

    fn may_hold(&self, keys: &Keys<'_>) -> bool {
        let words = key_words(keys);
        holds(words.subject.as_deref(), words.stated.as_deref(), &words.shown, words.asn)
    }

    fn may_hold_v4(&self, addresses: &[u32]) -> u64 {
        may_hold_batch(addresses.iter().map(|bits| Address::v4(*bits)))
    }

    fn may_hold_v6(&self, addresses: &[u128]) -> u64 {
        may_hold_batch(addresses.iter().map(|bits| Address::v6(*bits)))
    }
}

/// Rules out what the register does not hold, but for every eighth address, which is left to the exact answer; not for
/// 8.8.8.8, the decoy of these tests, which must be a miss at once.
fn may_hold_batch(addresses: impl Iterator<Item = Address>) -> u64 {
    addresses.enumerate().fold(0, |bits, (i, address)| {
        let text = address.ip().to_string();
        let may = holds(Some(&text), None, &[], None) || address.bits() % 8 == 7;
        bits | u64::from(may) << i
    })
}

fn key_words(keys: &Keys<'_>) -> KeyWords {
    KeyWords {
        subject: keys.subject.map(subject_words),
        stated: keys.stated.as_deref().map(str::to_owned),
        shown: keys.shown.iter().map(|name| name.clone().into_owned()).collect(),
        asn: keys.asn.map(|asn| asn.0),
    }
}

/// Each record of a dump: where it begins, and what became of it.
type Account = Vec<(usize, Outcome)>;

fn is_special(subject: Option<&str>) -> bool {
    let address = subject.and_then(|subject| Address::read(subject.split('/').next().unwrap().as_bytes()));
    address.is_some_and(|address| Subject::Address(address).is_special())
}

fn tell_account(case: &Case) -> Account {
    let mut account = Account::new();
    let mut at = case.body;
    while at < case.bytes.len() {
        let (told, next) = tell(case, at);
        assert!(next > at);
        match told {
            Told::Blank => {}
            Told::Rejected(reason) => account.push((at, Outcome::Rejected(reason))),
            Told::Record(from, to) => account.push((from, tell_outcome(case, &case.bytes[from..to]))),
        }
        at = next;
    }
    account
}

fn tell_outcome(case: &Case, record: &[u8]) -> Outcome {
    match tell_keys(case, record) {
        Err(reason) => Outcome::Rejected(reason),
        Ok(KeyWords { subject, stated, shown, asn }) => {
            if holds(subject.as_deref(), stated.as_deref(), &shown, asn) {
                return tell_findings(case, record);
            }
            Outcome::Unmatched { special: is_special(subject.as_deref()) }
        }
    }
}

fn findings_outcome(format: &dyn Format, record: &[u8]) -> Outcome {
    match format.findings(record) {
        Findings::Rejected(reason) => Outcome::Rejected(reason),
        Findings::Skipped(skip) => Outcome::Skipped(skip),
        Findings::Some(findings) => Outcome::Found(findings.iter().map(finding_words).collect()),
    }
}

/// The account of the engine, frame by frame.
fn account(case: &Case, format: &dyn Format) -> Account {
    let window = Window { bytes: &case.bytes, at_end: true };
    let filter = Register(case.kinds);
    let mut account = Account::new();
    let mut at = format.body();
    loop {
        at = match format.frame(window, at) {
            Frame::Record { record, next } => {
                let bytes = &case.bytes[record.clone()];
                let outcome = match format.keys(bytes, case.kinds) {
                    Err(reason) => Outcome::Rejected(reason),
                    Ok(keys) if filter.may_hold(&keys) => findings_outcome(format, bytes),
                    Ok(keys) => Outcome::Unmatched { special: keys.subject.is_some_and(Subject::is_special) },
                };
                account.push((record.start, outcome));
                next
            }
            Frame::Rejected { record_start, reason, next } => {
                account.push((record_start, Outcome::Rejected(reason)));
                next
            }
            Frame::Blank { next } => next,
            Frame::More => panic!("more than the whole dump is asked for"),
            Frame::End => return account,
        };
    }
}

/// A reader of a stream keeps no more of a record than `record_bytes_max` and a line end, and then only what follows its
/// first newline: every frame must be the same for it.
fn check_frames_of_a_stream(case: &Case, format: &dyn Format) {
    let bytes = &case.bytes;
    let mut at = format.body();
    while at < bytes.len() {
        let whole = format.frame(Window { bytes, at_end: true }, at);
        let kept = bytes.len().min(at + case.options.record_bytes_max + 2);
        let frame = format.frame(Window { bytes: &bytes[..kept], at_end: kept == bytes.len() }, at);
        let frame = match frame {
            Frame::More => {
                let newline = (kept..bytes.len()).find(|&at| bytes[at] == b'\n').unwrap_or(bytes.len());
                let left_out = newline - kept;
                let joined = [&bytes[..kept], &bytes[newline..]].concat();
                let moved = |next| if next > kept || next == joined.len() { next + left_out } else { next };
                match format.frame(Window { bytes: &joined, at_end: true }, at) {
                    Frame::Record { record, next } => Frame::Record { record, next: moved(next) },
                    Frame::Blank { next } => Frame::Blank { next: moved(next) },
                    Frame::Rejected { record_start, reason, next } => {
                        Frame::Rejected { record_start, reason, next: moved(next) }
                    }
                    other => other,
                }
            }
            frame => frame,
        };
        assert_eq!(frame, whole, "at {at}\n{case}");
        at = match whole {
            Frame::Record { next, .. } | Frame::Blank { next } | Frame::Rejected { next, .. } => next,
            Frame::More | Frame::End => panic!("{whole:?} before the end\n{case}"),
        };
    }
}

/// What sweeps found, numbered through.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Swept {
    tally: Tally,
    /// Candidates: number, start in the dump, outcome.
    found: Vec<(u64, usize, Outcome)>,
}

struct Collector<'s> {
    format: &'s dyn Format,
    window_start: usize,
    first: u64,
    found: Vec<(u64, usize, Outcome)>,
}

impl Sink for Collector<'_> {
    fn candidate(&mut self, number: u64, start: usize, record: &[u8]) {
        let outcome = findings_outcome(self.format, record);
        self.found.push((self.first + number, self.window_start + start, outcome));
    }
}

impl Swept {
    fn expected(account: &Account) -> Self {
        let mut swept = Self::default();
        for (start, outcome) in account {
            let number = swept.tally.count();
            match outcome {
                Outcome::Unmatched { special } => {
                    swept.tally.unmatched += 1;
                    swept.tally.unmatched_special += u64::from(*special);
                }
                Outcome::Rejected(reason) => swept.tally.reject(number, *start, *reason),
                _ => {}
            }
            if matches!(outcome, Outcome::Found(_) | Outcome::Skipped(_)) {
                swept.found.push((number, *start, outcome.clone()));
            }
        }
        swept
    }

    /// What is compared: rejects after the keys are the sink's.
    fn comparable(mut self) -> Self {
        let mut rejected = Vec::new();
        self.found.retain(|(number, start, outcome)| match outcome {
            Outcome::Rejected(reason) => {
                rejected.push((*number, *start, *reason));
                false
            }
            _ => true,
        });
        for (number, start, reason) in rejected {
            self.tally.rejected[reason as usize] += 1;
            let kept = dijkwacht::scan::RejectedRecord { number, start, reason };
            self.tally.rejected_first.push(kept);
        }
        self.tally.rejected_first.sort_by_key(|kept| kept.number);
        self.tally.rejected_first.truncate(REJECTS_KEPT);
        self
    }

    fn sweep(
        &mut self,
        case: &Case,
        format: &dyn Format,
        window: std::ops::Range<usize>,
        starts: std::ops::Range<usize>,
    ) -> usize {
        let bytes = Window { bytes: &case.bytes[window.clone()], at_end: window.end == case.bytes.len() };
        let mut sink =
            Collector { format, window_start: window.start, first: self.tally.records, found: Vec::new() };
        let mut tally = Tally::default();
        let end = format.sweep(bytes, starts, &Register(case.kinds), &mut sink, &mut tally);
        self.found.extend(sink.found);
        for kept in tally.rejected_first {
            let number = self.tally.records + kept.number;
            self.tally.rejected_first.push(dijkwacht::scan::RejectedRecord {
                number,
                start: window.start + kept.start,
                reason: kept.reason,
            });
        }
        self.tally.records += tally.records;
        self.tally.unmatched += tally.unmatched;
        self.tally.unmatched_special += tally.unmatched_special;
        for (sum, count) in self.tally.rejected.iter_mut().zip(tally.rejected) {
            *sum += count;
        }
        end
    }
}

/// Chunks swept from guesses, of which those count that begin where the one before ended. Returns how many did.
fn in_chunks(case: &Case, format: &dyn Format, chunk_bytes: usize) -> (Swept, usize) {
    let window = Window { bytes: &case.bytes, at_end: true };
    let (mut swept, mut at, mut kept) = (Swept::default(), format.body(), 0);
    for chunk in (0..case.bytes.len()).step_by(chunk_bytes) {
        let end = (chunk + chunk_bytes).min(case.bytes.len());
        let guess = format.guess(window, chunk);
        assert!(guess >= chunk.min(format.body()) && guess <= case.bytes.len());
        kept += usize::from(guess == at);
        if at < end {
            at = swept.sweep(case, format, 0..case.bytes.len(), at..end);
        }
    }
    (swept.comparable(), kept)
}

/// Windows that move to where the last sweep gave out, and grow where it made no way.
fn in_windows(case: &Case, format: &dyn Format, window_bytes: usize) -> Swept {
    let (mut swept, mut at, mut bytes) = (Swept::default(), format.body(), window_bytes);
    while at < case.bytes.len() {
        let window = at..(at + bytes).min(case.bytes.len());
        let way = swept.sweep(case, format, window.clone(), 0..window.len());
        assert!(way <= window.len());
        bytes = if way == 0 { bytes * 2 } else { window_bytes };
        at += way;
    }
    swept.comparable()
}

// ---- the fast sweep against the exact one ----

const ADDRESSES: KeyKinds = KeyKinds { addresses: true, names: false, asns: false };

/// A format whose sweep is the exact one.
struct Exact<'f>(&'f dyn Format);

impl Format for Exact<'_> {
    fn body(&self) -> usize {
        self.0.body()
    }

    fn frame(&self, window: Window<'_>, start: usize) -> Frame {
        self.0.frame(window, start)
    }

    fn guess(&self, window: Window<'_>, at: usize) -> usize {
        self.0.guess(window, at)
    }

    fn keys<'r>(&self, record: &'r [u8], kinds: KeyKinds) -> Result<Keys<'r>, Reject> {
        self.0.keys(record, kinds)
    }

    fn findings<'r>(&'r self, record: &'r [u8]) -> Findings<'r> {
        self.0.findings(record)
    }

    fn describe(&self) -> Description {
        self.0.describe()
    }

    fn values<'r>(&self, record: &'r [u8]) -> Vec<Option<Cow<'r, str>>> {
        self.0.values(record)
    }
}

/// Keeps candidates as they are.
#[derive(Default)]
struct Kept(Vec<(u64, usize, Vec<u8>)>);

impl Sink for Kept {
    fn candidate(&mut self, number: u64, start: usize, record: &[u8]) {
        self.0.push((number, start, record.to_vec()));
    }
}

/// All that a sweep tells.
fn swept(
    format: &dyn Format,
    kinds: KeyKinds,
    window: Window<'_>,
    starts: std::ops::Range<usize>,
) -> (usize, Tally, Kept) {
    let (mut kept, mut tally) = (Kept::default(), Tally { keeps_all_rejects: true, ..Tally::default() });
    let end = format.sweep(window, starts, &Register(kinds), &mut kept, &mut tally);
    (end, tally, kept)
}

/// Both sweeps tell the same, whatever is asked for beside addresses. Returns how many records there are, and how many
/// candidates where addresses alone are asked for.
fn check_fast(format: &dyn Format, window: Window<'_>, starts: std::ops::Range<usize>) -> (u64, usize) {
    for (names, asns) in [(true, true), (true, false), (false, true)] {
        check_fast_for(format, KeyKinds { addresses: true, names, asns }, window, starts.clone());
    }
    check_fast_for(format, ADDRESSES, window, starts)
}

fn check_fast_for(
    format: &dyn Format,
    kinds: KeyKinds,
    window: Window<'_>,
    starts: std::ops::Range<usize>,
) -> (u64, usize) {
    let fast = swept(format, kinds, window, starts.clone());
    let exact = swept(&Exact(format), kinds, window, starts.clone());
    let text = || format!("{kinds:?}\n{}", window.bytes[starts.clone()].escape_ascii());
    let first = fast.2.0.iter().zip(&exact.2.0).find(|(fast, exact)| fast != exact);
    assert!(first.is_none(), "candidates, fast and exact: {first:?}\n{}", text());
    assert_eq!(fast.1.rejected_first, exact.1.rejected_first, "rejects, fast and exact\n{}", text());
    let told = |(end, tally, kept): &(usize, Tally, Kept)| (*end, tally.clone(), kept.0.len());
    assert_eq!(told(&fast), told(&exact), "end, tally and candidates, fast and exact\n{}", text());
    (exact.1.records, exact.2.0.len())
}

/// The same for a case whose dump goes on behind `cut`, or ends there, and for a chunk from a true start.
fn check_fast_at(case: &Case, format: &dyn Format, cut: usize, at_end: bool) {
    let window = Window { bytes: &case.bytes[..cut], at_end };
    let body = format.body().min(cut);
    check_fast(format, window, body..cut);
    let (next, ..) = swept(&Exact(format), ADDRESSES, window, body..(body + cut) / 2);
    check_fast(format, window, next.min(cut)..cut);
}

/// A format that is read by lines.
fn open_lines(name: &str, record_bytes_max: usize) -> Box<dyn Format> {
    let spec = FORMATS.iter().find(|spec| spec.name == name).unwrap();
    let options = FormatOptions { record_bytes_max, ..FormatOptions::default() };
    (spec.open)(&Head { bytes: b"{\"ip\":\"192.0.2.1\"}\n{}\n", at_end: false }, &options).unwrap()
}

#[test]
fn every_short_text_before_the_key_is_swept_alike() {
    const PIECES: [&str; 11] =
        ["{", "}", "[", "\"", "\\", ":", "\r", " ", "ip", "\"ip\"", "\"ip\":\"8.8.8.8\""];
    for (name, length) in [("zgrab2", 5), ("masscan", 4)] {
        let format = open_lines(name, 1 << 20);
        let (mut dump, mut lines) = (Vec::new(), 0);
        for count in 0..=length {
            for number in 0..PIECES.len().pow(count) {
                // Every second text stands around a block's border.
                let padding = "p".repeat((number / 2) % 64);
                let before = if number % 2 == 0 { String::new() } else { format!("\"{padding}\",") };
                dump.extend(format!("{{{before}").bytes());
                let mut left = number;
                for _ in 0..count {
                    dump.extend(PIECES[left % PIECES.len()].bytes());
                    left /= PIECES.len();
                }
                dump.extend(b"\"ip\":\"192.0.2.1\"}\n");
                lines += 1;
            }
        }
        let window = Window { bytes: &dump, at_end: true };
        let (records, found) = check_fast(&*format, window, 0..dump.len());
        assert_eq!(records, lines, "a record a line");
        assert!(found * 20 > lines as usize && found * 2 < lines as usize, "{found} of {lines} are found");
    }
}

#[test]
fn no_decoy_stands_in_for_the_key_wherever_it_stands() {
    const DECOYS: [&str; 14] = [
        "\"o\":{\"ip_str\":\"@\"}",
        "\"o\":{\"o\":[{}],\"ip_str\":\"@\",\"p\":{}}",
        "\"o\":[{\"ip_str\":\"@\"},\"ip_str\",\"@\"]",
        "\"s\":\"\\\",\\\"ip_str\\\":\\\"@\\\",\\\"\"",
        "\"s\":\"\\\\\",\"t\":\"\\\\\\\",\\\"ip_str\\\":\\\"@\"",
        "\"\\u0069p_str\":\"@\"",
        "\"s\":\"ip_str\",\"t\":\"@\"",
        "\"ip_str\",\"@\"",
        "\"ip_str_\":\"@\",\"xip_str\":\"@\",\"ip_stx\":\"@\",\"ip\":\"@\"",
        "\"s\":\"{[{\",\"t\":\"}}]\"",
        "\"IP_STR\":\"@\"",
        "\"s\":\",ip_str\",\"i\":1",
        "\"o\":{\"s\":\"}\\\"}\",\"ip_str\":\"@\"}",
        "\"s\":\"\\u0022,\\u0022ip_str\\u0022:\\u0022@\"",
    ];
    let format = open_lines("shodan", 1 << 20);
    for (decoy, address, is_found) in [("8.8.8.8", "192.0.2.1", true), ("192.0.2.1", "8.8.8.8", false)] {
        let mut dump = String::new();
        let mut lines = 0;
        for (kind, padding) in (0..DECOYS.len()).flat_map(|kind| (0..200).map(move |padding| (kind, padding)))
        {
            let text = DECOYS[kind].replace('@', decoy);
            let padding = "p".repeat(padding);
            writeln!(dump, "{{\"p\":\"{padding}\",{text},\"ip_str\":\"{address}\",\"ip_str\":\"{decoy}\"}}")
                .unwrap();
            writeln!(dump, "{{\"p\":\"\",{text},\"q\":[\"{padding}\"],\"ip_str\" : \"{address}\"}}").unwrap();
            lines += 2;
        }
        let window = Window { bytes: dump.as_bytes(), at_end: true };
        let found = if is_found { lines } else { 0 };
        assert_eq!(check_fast(&*format, window, 0..dump.len()), (lines as u64, found));
    }
}

#[test]
fn every_short_text_around_a_name_is_swept_alike() {
    const PIECES: [&str; 10] = [
        "{",
        "}",
        "\"",
        "\\",
        ":",
        " ",
        ",",
        "\"domain\"",
        "\"domain\":\"a.registered.nl\"",
        "\"domain\":null",
    ];
    let format = open_lines("zgrab2", 1 << 20);
    let names = KeyKinds { names: true, ..ADDRESSES };
    let (mut dump, mut lines) = (Vec::new(), 0);
    for count in 0..=4 {
        for number in 0..PIECES.len().pow(count) {
            let mut text = String::new();
            let mut left = number;
            for _ in 0..count {
                text += PIECES[left % PIECES.len()];
                left /= PIECES.len();
            }
            let padding = "p".repeat(number % 64);
            for line in [
                format!("{{\"ip\":\"8.8.8.8\",{text}}}\n"),
                format!("{{{text},\"ip\":\"8.8.8.8\",\"domain\":\"other.nl\"}}\n"),
                format!("{{\"ip\":\"8.8.8.8\",\"p\":\"{padding}\",{text}}}\n"),
            ] {
                dump.extend(line.bytes());
                lines += 1;
            }
        }
    }
    let window = Window { bytes: &dump, at_end: true };
    let (records, found) = check_fast_for(&*format, names, window, 0..dump.len());
    assert_eq!(records, lines, "a record a line");
    assert!(found * 10 > lines as usize && found * 2 < lines as usize, "{found} of {lines} are found");
}

#[test]
fn no_decoy_stands_in_for_a_name_wherever_it_stands() {
    // What the exact reader passes over, or reads and finds to be none.
    const DECOYS: [&str; 16] = [
        "\"o\":{\"http\":{\"host\":\"@\"}}",
        "\"o\":[{\"http\":{\"host\":\"@\"}}]",
        "\"http\":{\"o\":{\"host\":\"@\"}}",
        "\"http\":{\"host\":\"a.nl\",\"host\":\"@\"}",
        "\"http\":{\"o\":[{}],\"p\":\"}\"},\"http\":{\"host\":\"@\"}",
        "\"http\":[{\"host\":\"@\"}],\"http\":{\"host\":\"@\"}",
        "\"http\":null,\"http\":{\"host\":\"@\"}",
        "\"h\\u0074tp\":{\"host\":\"@\"}",
        "\"http\":{\"h\\u006fst\":\"@\"}",
        "\"s\":\"\\\"http\\\":{\\\"host\\\":\\\"@\\\"}\"",
        "\"s\":\"\\\\\",\"t\":\"\\\\\\\",\\\"http\\\":{\\\"host\\\":\\\"@\\\"}\"",
        "\"host\":\"@\",\"CN\":\"@\",\"http.host\":\"@\"",
        "\"xhttp\":{\"host\":\"@\"},\"http\":{\"xhost\":\"@\",\"hos\":\"@\"}",
        "\"ssl\":{\"cert\":{\"CN\":\"@\",\"issuer\":{\"CN\":\"@\"},\"subject\":{}}}",
        "\"ssl\":{\"cert\":{},\"cert\":{\"subject\":{\"CN\":\"@\"}}}",
        "\"http\":{\"host\":[\"@\"]},\"ssl\":{\"cert\":{\"subject\":{\"CN\":{\"CN\":\"@\"}}}}",
    ];
    const NAMES: [&str; 3] = [
        "\"http\":{\"host\":\"www.registered.nl\"}",
        "\"ssl\" : {\"cert\":{\"o\":{},\"subject\":{\"O\":\"}\",\"CN\" :\"registered.nl\"}}}",
        "\"asn\":\"AS64496\"",
    ];
    let format = open_lines("shodan", 1 << 20);
    let all = KeyKinds { addresses: true, names: true, asns: true };
    let mut dump = String::new();
    let mut lines = 0;
    for (kind, padding) in (0..DECOYS.len()).flat_map(|kind| (0..130).map(move |padding| (kind, padding))) {
        let decoy = DECOYS[kind].replace('@', "registered.nl");
        let padding = "p".repeat(padding);
        writeln!(dump, "{{\"p\":\"{padding}\",{decoy},\"asn\":64500,\"ip_str\":\"8.8.8.8\"}}").unwrap();
        writeln!(dump, "{{\"ip_str\":\"8.8.8.8\",\"p\":[\"{padding}\"],{decoy}}} ").unwrap();
        lines += 2;
    }
    let window = Window { bytes: dump.as_bytes(), at_end: true };
    assert_eq!(check_fast_for(&*format, all, window, 0..dump.len()), (lines, 0));

    let mut dump = String::new();
    for (kind, padding) in (0..NAMES.len()).flat_map(|kind| (0..200).map(move |padding| (kind, padding))) {
        let (name, padding) = (NAMES[kind], "p".repeat(padding));
        writeln!(dump, "{{\"p\":\"{padding}\",{name},\"ip_str\":\"8.8.8.8\"}}").unwrap();
        writeln!(dump, "{{\"ip_str\":\"8.8.8.8\",\"p\":[\"{padding}\"],{name}}}").unwrap();
    }
    let window = Window { bytes: dump.as_bytes(), at_end: true };
    assert_eq!(check_fast_for(&*format, all, window, 0..dump.len()), (1200, 1200));
}

#[test]
fn no_decoy_stands_in_for_an_address_in_an_object() {
    const DECOYS: [&str; 12] = [
        "",
        "\"source\":{},",
        "\"source\":{\"x\":{\"ip\":\"@\"}},",
        "\"source\":null,",
        "\"source\":[{\"ip\":\"@\"}],",
        "\"source\":\"ip\",",
        "\"source\":{\"ip\":\"@\"},",
        "\"source\":{\"source\":{\"ip\":\"@\"},\"s\":\"}\",\"ip\":\"@\",\"ip\":\"1.1.1.1\"},",
        "\"x\":{\"source\":{\"ip\":\"@\"}},",
        "\"ip\":\"@\",\"source.ip\":\"@\",",
        "\"x\":[\"source\",{\"ip\":\"@\"}],",
        "\"s\":\"\\\"source\\\":{\\\"ip\\\":\\\"@\\\"}\",",
    ];
    let head = Head { bytes: b"{\"source\":{\"ip\":\"192.0.2.1\"}}\n{}\n", at_end: false };
    let options =
        FormatOptions { map: [(Field::Address, "source.ip".to_owned())].into(), ..FormatOptions::default() };
    let format = (FORMATS.iter().find(|spec| spec.name == "ndjson").unwrap().open)(&head, &options).unwrap();
    let mut dump = String::new();
    for (kind, padding) in (0..DECOYS.len()).flat_map(|kind| (0..70).map(move |padding| (kind, padding))) {
        for (decoy, address) in [("8.8.8.8", "192.0.2.1"), ("192.0.2.1", "8.8.8.8")] {
            let (text, padding) = (DECOYS[kind].replace('@', decoy), "p".repeat(padding));
            writeln!(dump, "{{\"p\":\"{padding}\",{text}\"source\" : {{\"ip\":\"{address}\"}}}}").unwrap();
        }
    }
    let window = Window { bytes: dump.as_bytes(), at_end: true };
    // Of each kind one of the two is found, and none where another value of the path comes first and is no address.
    assert_eq!(check_fast(&*format, window, 0..dump.len()), (1680, 70 * 7));
}

#[test]
fn every_cut_of_a_dump_is_swept_alike() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut generator = Generator::new(seed);
    for _ in 0..25 {
        let case = generator.case();
        let format = case.open();
        let length = case.bytes.len().min(4000);
        for cut in 0..=length {
            check_fast_at(&case, &*format, cut, cut % 2 == 0);
        }
    }
}

/// Everything that must agree on a case.
fn check(case: &Case, splits: &mut fastrand::Rng) -> Account {
    let format = case.open();
    assert_eq!(format.body(), case.body, "{case}");
    let told = tell_account(case);
    let read = account(case, &*format);
    for (told, read) in told.iter().zip(&read) {
        assert_eq!(
            told,
            read,
            "oracle, then engine\n{}\n{case}",
            case.bytes[told.0.min(read.0)..].escape_ascii()
        );
    }
    assert_eq!(told.len(), read.len(), "records of the oracle, then of the engine\n{case}");
    check_frames_of_a_stream(case, &*format);
    let expected = Swept::expected(&told);
    for chunk_bytes in [1, splits.usize(2..200), 64 << 10, usize::MAX >> 1] {
        let (swept, _) = in_chunks(case, &*format, chunk_bytes);
        assert_eq!(swept, expected, "chunks of {chunk_bytes}\n{case}");
    }
    for window_bytes in [splits.usize(1..30), splits.usize(30..3000)] {
        assert_eq!(in_windows(case, &*format, window_bytes), expected, "windows of {window_bytes}\n{case}");
    }
    for cut in [case.bytes.len(), splits.usize(..=case.bytes.len()), splits.usize(..=case.bytes.len())] {
        check_fast_at(case, &*format, cut, splits.bool());
    }
    told
}

// ---- the generator ----

/// JSON before it is printed.
#[derive(Clone, Debug)]
enum Json {
    /// As it is to be printed.
    Raw(String),
    Object(Vec<(String, Json)>),
    Array(Vec<Json>),
}

use Json::{Array, Object, Raw};

fn text(text: &str) -> Json {
    Raw(serde_json::to_string(text).unwrap())
}

fn member_of(key: &str, value: Json) -> (String, Json) {
    (key.to_owned(), value)
}

/// How JSON is printed.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Style {
    Compact,
    Spaced,
    /// A line a member, behind so many blanks.
    Pretty(usize),
    /// A line a member, behind none.
    Flat,
    /// As old masscan did: keys without quotes.
    Bare,
}

fn print(json: &Json, style: Style) -> String {
    let inner = if let Style::Pretty(indent) = style { Style::Pretty(indent + 2) } else { style };
    let (open, close, items): (_, _, Vec<String>) = match json {
        Raw(raw) => return raw.clone(),
        Object(members) => {
            let item = |(key, value): &(String, Json)| {
                let is_word =
                    !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
                let key = if style == Style::Bare && is_word { key.clone() } else { format!("\"{key}\"") };
                let colon = if style == Style::Compact { ":" } else { ": " };
                format!("{key}{colon}{}", print(value, inner))
            };
            ('{', '}', members.iter().map(item).collect())
        }
        Array(items) => ('[', ']', items.iter().map(|item| print(item, inner)).collect()),
    };
    match style {
        _ if items.is_empty() => format!("{open}{close}"),
        Style::Compact => format!("{open}{}{close}", items.join(",")),
        Style::Spaced | Style::Bare => format!("{open} {} {close}", items.join(", ")),
        Style::Flat => format!("{open}\n{}\n{close}", items.join(",\n")),
        Style::Pretty(indent) => {
            let (outer, inner) = (" ".repeat(indent), " ".repeat(indent + 2));
            format!("{open}\n{inner}{}\n{outer}{close}", items.join(&format!(",\n{inner}")))
        }
    }
}

/// Generates dumps and counts what it used.
struct Generator {
    rng: fastrand::Rng,
    counts: BTreeMap<&'static str, usize>,
    records: usize,
    malformed: usize,
}

/// What may be odd about a record that is JSON.
const ODD: [&str; 34] = [
    "decoy in an object before",
    "decoy in a string before",
    "decoy in an array before",
    "decoy key with an escape",
    "address with an escape",
    "address null",
    "address empty",
    "address missing",
    "address a number",
    "address true",
    "address an object",
    "address an array",
    "address a prefix",
    "address a bad prefix",
    "address ambiguous",
    "address an endpoint",
    "address special",
    "address mapped to IPv6",
    "NUL in the address",
    "half a pair in the address",
    "NUL in a read text",
    "half a pair in a read text",
    "NUL in an unread text",
    "half a pair in an unread text",
    "pair in a read text",
    "address twice, first misses",
    "address twice, first hits",
    "a read key twice",
    "an unread key twice",
    "as deep as allowed",
    "number beyond f64",
    "long text",
    "members shuffled",
    "a read key of another type",
];

/// What may be broken about a record.
const DAMAGE: [&str; 25] = [
    "cut",
    "quote added",
    "quote lost",
    "control in the text",
    "newline in the text",
    "newline behind a backslash in a string",
    "NUL byte",
    "byte that is no UTF-8",
    "bracket lost",
    "bracket added",
    "colon or comma lost",
    "byte flipped",
    "garbage behind",
    "garbage before",
    "object behind",
    "comma before the end",
    "quotes single",
    "NaN",
    "zero before a number",
    "byte order mark before",
    "one level too deep",
    "depth bomb",
    "bad escape",
    "text for a record",
    "array for a record",
];

impl Generator {
    fn new(seed: u64) -> Self {
        let rng = fastrand::Rng::with_seed(seed);
        Self { rng, counts: BTreeMap::new(), records: 0, malformed: 0 }
    }

    fn count(&mut self, production: &'static str) {
        *self.counts.entry(production).or_default() += 1;
    }

    fn pick<'t>(&mut self, of: &[&'t str]) -> &'t str {
        of[self.rng.usize(..of.len())]
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.rng.u32(..100) < percent
    }

    fn address(&mut self) -> String {
        let number = self.rng.u8(..);
        match self.rng.u8(..8) {
            0 | 1 => format!("192.0.2.{number}"),
            2 => format!("2001:db8:1::{number:x}"),
            3 => format!("203.0.113.{number}"),
            4 => format!("2a02:{number:x}::1"),
            5 => format!("8.8.4.{number}"),
            6 => format!("93.184.{number}.34"),
            _ => format!("198.51.100.{number}"),
        }
    }

    fn time(&mut self) -> Json {
        let written = [
            "2026-01-02T03:04:05Z",
            "2026-01-02T03:04:05.123456",
            "2021-05-20T11:12:02.301031+03:00",
            "2026-01-02",
            "1390380064",
            "0001-01-01T00:00:00Z",
            "",
            "02-01-2026",
            "yesterday",
        ];
        match self.rng.usize(..20) {
            i if i < 9 => text(written[i]),
            9 => Raw("1390380064".to_owned()),
            10 => Raw("null".to_owned()),
            _ => text(written[0]),
        }
    }

    fn port(&mut self) -> Json {
        let number = self.rng.u16(1..);
        match self.rng.u8(..16) {
            0 => Raw("0".to_owned()),
            1 => Raw("65536".to_owned()),
            2 => Raw("-1".to_owned()),
            3 => text("0443"),
            4 => Raw("null".to_owned()),
            5 => Raw("80.0".to_owned()),
            6 | 7 => text(&number.to_string()),
            _ => Raw(number.to_string()),
        }
    }

    fn name(&mut self) -> String {
        self.pick(&[
            "www.registered.example",
            "www.registered.example.",
            "https://registered.example:8443/a?b",
            "other.example",
            "xn--a.other.example",
            "192.0.2.44",
            "http://[2001:db8:1::9]:8080/",
            "8.8.8.8:53",
            "user@shop.registered.example",
            "",
        ])
        .to_owned()
    }

    /// A record as its producer writes it.
    fn clean(&mut self, format: &str, is_mapped: bool) -> Vec<(String, Json)> {
        let address = text(&self.address());
        match format {
            "zgrab2" => self.grab(address),
            "masscan" => self.scan(address),
            "shodan" => self.banner(address),
            "nuclei" => self.hit(address),
            _ => self.row(address, is_mapped),
        }
    }

    fn grab(&mut self, address: Json) -> Vec<(String, Json)> {
        let mut modules = Vec::new();
        for (i, name) in ["http", "ntp", "ssh22", "banner"].into_iter().enumerate() {
            if i > 0 && self.chance(60) {
                continue;
            }
            let status = self.pick(&["success", "success", "success", "io-timeout", "connection-refused"]);
            let mut module = vec![member_of("status", text(status))];
            if self.chance(80) {
                let protocol = self.pick(&["http", "ntp", "ssh", "bacnet"]);
                module.push(member_of("protocol", text(protocol)));
            }
            if self.chance(60) {
                module.push(member_of("port", self.port()));
            }
            module.push(member_of(
                "result",
                Object(vec![member_of("status", text("decoy")), member_of("port", text("x"))]),
            ));
            module.push(member_of("timestamp", self.time()));
            modules.push(member_of(name, Object(module)));
        }
        let mut members = vec![member_of("ip", address)];
        if self.chance(50) {
            members.push(member_of("domain", text(&self.name())));
        }
        if self.chance(20) {
            members.push(member_of("port", self.port()));
        }
        members.push(member_of("data", Object(modules)));
        members
    }

    fn scan(&mut self, address: Json) -> Vec<(String, Json)> {
        let status = self.pick(&["open", "open", "open", "closed"]);
        let proto = self.pick(&["tcp", "udp", "icmp"]);
        if self.chance(30) {
            let rec_type = self.pick(&["status", "status", "banner"]);
            return vec![
                member_of("ip", address),
                member_of("timestamp", self.time()),
                member_of("port", self.port()),
                member_of("proto", text(proto)),
                member_of("rec_type", text(rec_type)),
                member_of(
                    "data",
                    Object(vec![member_of("status", text(status)), member_of("reason", text("syn-ack"))]),
                ),
            ];
        }
        let mut ports = Vec::new();
        for _ in 0..self.rng.usize(1..4) {
            let status = self.pick(&["open", "open", "closed"]);
            let mut port = vec![member_of("port", self.port()), member_of("proto", text(proto))];
            if self.chance(80) {
                port.push(member_of("status", text(status)));
            } else {
                port.push(member_of(
                    "service",
                    Object(vec![member_of("name", text("http")), member_of("banner", text("x {[\" y"))]),
                ));
            }
            ports.push(Object(port));
        }
        vec![member_of("ip", address), member_of("timestamp", self.time()), member_of("ports", Array(ports))]
    }

    fn banner(&mut self, address: Json) -> Vec<(String, Json)> {
        let mut members = vec![
            member_of("hash", Raw("-1609083510".to_owned())),
            member_of("ip", Raw("1616761883".to_owned())),
            member_of("data", text("220 ready\r\n\"ip_str\": \"192.0.2.1\" {[\\")),
            member_of("port", self.port()),
            member_of("transport", text("tcp")),
            member_of("timestamp", self.time()),
            member_of("hostnames", Array(vec![text("ptr.example"), text("other.example")])),
            member_of("opts", Object(vec![member_of("ip_str", text("192.0.2.2"))])),
        ];
        if self.chance(50) {
            let asn = self.pick(&["AS64496", "AS64500", "", "AS0"]);
            members.push(member_of("asn", text(asn)));
        }
        if self.chance(40) {
            members.push(member_of("http", Object(vec![member_of("host", text(&self.name()))])));
        }
        if self.chance(40) {
            let name = text(&self.name());
            let subject = Object(vec![member_of("O", text("x")), member_of("CN", name)]);
            members.push(member_of(
                "ssl",
                Object(vec![member_of("cert", Object(vec![member_of("subject", subject)]))]),
            ));
        }
        if self.chance(40) {
            let vulns = match self.rng.u8(..4) {
                0 => Array(vec![text("CVE-2017-15906"), text("MS17-010"), text("!CVE-2014-0160")]),
                1 => Object(vec![]),
                2 => Array(vec![text("!CVE-2014-0160")]),
                _ => Object(vec![member_of("CVE-2018-15919", Object(vec![member_of("cvss", text("5.0"))]))]),
            };
            members.push(member_of("vulns", vulns));
        }
        if self.chance(50) {
            members.push(member_of("product", text("OpenSSH")));
            members.push(member_of(
                "version",
                if self.chance(50) { text("7.4") } else { Raw("null".to_owned()) },
            ));
            members.push(member_of("tags", Array(vec![text("cloud"), Raw("5".to_owned())])));
        }
        members.push(member_of("ip_str", address));
        if self.chance(80) {
            members.push(member_of(
                "_shodan",
                Object(vec![member_of("id", text("a")), member_of("module", text("ssh"))]),
            ));
        }
        members
    }

    fn hit(&mut self, address: Json) -> Vec<(String, Json)> {
        let severity = self.pick(&["high", "info", "Info", "critical"]);
        let tags = if self.chance(30) {
            text("network, mysql,cve")
        } else {
            Array(vec![text("tech"), text("cve,x")])
        };
        let mut info = vec![
            member_of("name", text("OpenSSH Username Enumeration")),
            member_of("tags", tags),
            member_of("severity", text(severity)),
        ];
        if self.chance(50) {
            let cves =
                if self.chance(30) { Raw("null".to_owned()) } else { Array(vec![text("CVE-2021-0001")]) };
            info.push(member_of(
                "classification",
                Object(vec![member_of("cve-id", cves), member_of("cwe-id", Array(vec![]))]),
            ));
        }
        if self.chance(50) {
            let reference = if self.chance(50) {
                text("- http://a.example\n- b")
            } else {
                Array(vec![text("x"), text("https://nvd.example/a")])
            };
            info.push(member_of("reference", reference));
        }
        let template = if self.chance(80) { "template-id" } else { "templateID" };
        let mut members = vec![
            member_of(template, text("CVE-2018-15473")),
            member_of("template-url", text("https://templates.example/a")),
            member_of("info", Object(info)),
            member_of("type", text("http")),
            member_of("host", text(&self.name())),
        ];
        if self.chance(60) {
            members.push(member_of("matched-at", text(&self.name())));
        }
        if self.chance(50) {
            members.push(member_of("port", self.port()));
        }
        if self.chance(40) {
            members.push(member_of("matcher-name", text("x-frame-options")));
        }
        if self.chance(50) {
            let status = self.pick(&["true", "true", "false", "null"]);
            members.push(member_of("matcher-status", Raw(status.to_owned())));
        }
        members.push(member_of("request", text("GET / HTTP/1.1\r\nAuthorization: Basic secret\r\n")));
        members.push(member_of("ip", address));
        members.push(member_of("timestamp", self.time()));
        members
    }

    fn row(&mut self, address: Json, is_mapped: bool) -> Vec<(String, Json)> {
        let name = text(&self.name());
        let mut members = vec![member_of("note", text("a \\ note"))];
        if is_mapped {
            members
                .push(member_of("source", Object(vec![member_of("x", text("y")), member_of("ip", address)])));
            members.push(member_of("about", Object(vec![member_of("host", name)])));
        } else {
            members.push(member_of("ip", address));
            members.push(member_of("domain", name));
        }
        let optional = [
            member_of("port", self.port()),
            member_of("timestamp", self.time()),
            member_of("transport", Array(vec![Raw("5".to_owned()), text("tcp"), text("tls")])),
            member_of("protocol", text("udp")),
            member_of("protocol", text("https")),
            member_of("asn", Raw("64496".to_owned())),
            member_of("cve", text("CVE-2024-7399;cve-2025-4632, x")),
            member_of("tags", Array(vec![text("plc"), text("a;CVE-2020-12345")])),
            member_of("severity", text("high")),
            member_of("tlp", text("GREEN")),
            member_of("identifier", text("open-rdp")),
            member_of("service", text("rdp")),
            member_of("hostname", Array(vec![text("ptr.example")])),
            member_of(
                "event",
                Object(vec![member_of("ip", text("192.0.2.3")), member_of("port", text("x"))]),
            ),
        ];
        for member in optional {
            if self.chance(40) && !members.iter().any(|(key, _)| *key == member.0) {
                members.push(member);
            }
        }
        members
    }

    /// Makes a record odd.
    fn make_odd(
        &mut self,
        odd: &'static str,
        format: &str,
        is_mapped: bool,
        members: &mut Vec<(String, Json)>,
    ) {
        let key = if format == "shodan" { "ip_str" } else { "ip" };
        let (hit, miss) = (text("192.0.2.1"), text("8.8.8.8"));
        let holder = match is_mapped {
            true => match members.iter_mut().find(|(key, _)| key == "source") {
                Some((_, Object(inner))) => inner,
                _ => return,
            },
            false => &mut *members,
        };
        let at = holder.iter().position(|(name, _)| name == key).unwrap();
        let mut set = |value: &str| holder[at].1 = Raw(value.to_owned());
        match odd {
            "decoy in an object before" => {
                holder.insert(0, member_of("zz", Object(vec![member_of(key, hit)])))
            }
            "decoy in a string before" => {
                holder.insert(0, member_of("zz", text("\\\",\"ip\":\"192.0.2.1\",\"ip_str\":\"192.0.2.1\"")))
            }
            "decoy in an array before" => {
                holder.insert(0, member_of("zz", Array(vec![text(key), Object(vec![member_of(key, hit)])])));
            }
            "decoy key with an escape" => {
                holder.insert(0, member_of(&format!("\\u0069{}", &key[1..]), hit));
            }
            "address with an escape" => set("\"192.0.\\u0032.\\u00317\""),
            "address null" => set("null"),
            "address empty" => set("\"\""),
            "address missing" => drop(holder.remove(at)),
            "address a number" => set("3221225985"),
            "address true" => set("true"),
            "address an object" => set("{\"ip\":\"192.0.2.1\"}"),
            "address an array" => set("[\"192.0.2.1\"]"),
            "address a prefix" => set("\"192.0.2.0/25\""),
            "address a bad prefix" => set("\"192.0.2.1/25\""),
            "address ambiguous" => set("\"192.0.02.1\""),
            "address an endpoint" => set("\"192.0.2.1:8443\""),
            "address special" => set("\"10.1.2.3\""),
            "address mapped to IPv6" => set("\"::ffff:192.0.2.5\""),
            "NUL in the address" => set("\"192.0.2.1\\u0000\""),
            "half a pair in the address" => set("\"192.0.2.1\\ud83d\""),
            "address twice, first misses" => {
                holder[at].1 = miss;
                holder.push(member_of(key, hit));
            }
            "address twice, first hits" => {
                holder[at].1 = hit;
                holder.push(member_of(key, miss));
            }
            "NUL in an unread text" => members.insert(0, member_of("zz", Raw("\"a\\u0000b\"".to_owned()))),
            "half a pair in an unread text" => {
                members.insert(0, member_of("zz", Raw("\"\\udc00\\ud800\"".to_owned())))
            }
            "an unread key twice" => {
                members.splice(0..0, [member_of("zz", text("a")), member_of("zz", text("b"))]).for_each(drop)
            }
            "number beyond f64" => {
                members.insert(0, member_of("zz", Raw(format!("-1{}e999", "0".repeat(400)))))
            }
            "as deep as allowed" => {
                let deep = format!("{}{}", "[".repeat(DEPTH_MAX - 1), "]".repeat(DEPTH_MAX - 1));
                members.insert(0, member_of("zz", Raw(deep)));
            }
            "long text" => members.insert(0, member_of("zz", text(&"long {[ ".repeat(60)))),
            "members shuffled" => self.rng.shuffle(members),
            _ => {
                let read = members.iter().position(|(name, _)| {
                    ["timestamp", "port", "proto", "type", "product", "data"].contains(&&**name)
                });
                let at = read.unwrap_or(0);
                match odd {
                    "a read key twice" => members.push(members[at].clone()),
                    "NUL in a read text" => members[at].1 = Raw("\"x\\u0000\"".to_owned()),
                    "half a pair in a read text" => members[at].1 = Raw("\"x\\uDBFF\\u0041\"".to_owned()),
                    "pair in a read text" => {
                        members[at].1 = Raw("\"\\ud83d\\ude00 \\/\\b\\f\\n\\r\\t\\\"\"".to_owned())
                    }
                    "a read key of another type" => {
                        let other = ["{}", "[1,\"two\",null]", "true", "null", "0.5", "\"\""];
                        members[at].1 = Raw(other[self.rng.usize(..other.len())].to_owned());
                    }
                    other => panic!("{other}"),
                }
            }
        }
    }

    /// Breaks a record.
    fn break_it(&mut self, damage: &'static str, record: &mut Vec<u8>) {
        let len = record.len();
        let somewhere = self.rng.usize(1..len);
        let nth = |record: &[u8], rng: &mut fastrand::Rng, of: &[u8]| {
            let found: Vec<usize> = (0..record.len()).filter(|&at| of.contains(&record[at])).collect();
            rng.choice(found)
        };
        let mut insert = |at: usize, bytes: &[u8]| drop(record.splice(at..at, bytes.iter().copied()));
        match damage {
            "cut" => record.truncate(somewhere),
            "quote added" => insert(somewhere, b"\""),
            "control in the text" => insert(somewhere, b"\x01"),
            "newline in the text" => insert(somewhere, b"\n"),
            "NUL byte" => insert(somewhere, b"\0"),
            "byte that is no UTF-8" => insert(somewhere, b"\xFF"),
            "bracket added" => insert(somewhere, [b"{", b"}", b"[", b"]"][somewhere % 4]),
            "garbage behind" => insert(len, b" x"),
            "garbage before" => insert(0, b"x "),
            "object behind" => insert(len, b"{\"ip\":\"192.0.2.66\"}"),
            "comma before the end" => insert(len - 1, b","),
            "byte order mark before" => insert(0, "\u{feff}".as_bytes()),
            "NaN" => insert(1, b"\"zz\":NaN,"),
            "zero before a number" => insert(1, b"\"zz\":007,"),
            "one level too deep" => {
                let deep = format!("\"zz\":{}{},", "[".repeat(DEPTH_MAX), "]".repeat(DEPTH_MAX));
                insert(1, deep.as_bytes());
            }
            "depth bomb" => insert(1, format!("\"zz\":{}", "[".repeat(3000)).as_bytes()),
            "newline behind a backslash in a string" => {
                // Behind the quote of a value, which is a string in most cases.
                let values: Vec<usize> =
                    (1..len).filter(|&at| record[at] == b'"' && b": ".contains(&record[at - 1])).collect();
                let at = self.rng.choice(values).map_or(1, |at| at + 1);
                record.splice(at..at, *b"\\\n");
            }
            "bad escape" => {
                let escape: &[u8] = [&b"\\x"[..], b"\\u12G4", b"\\u00"][somewhere % 3];
                let quote = nth(record, &mut self.rng, b"\"");
                let at = quote.map_or(1, |at| at + 1);
                record.splice(at..at, escape.iter().copied());
            }
            "quotes single" => record.iter_mut().filter(|byte| **byte == b'"').for_each(|byte| *byte = b'\''),
            "text for a record" => *record = b"Scanning 3 hosts, please wait".to_vec(),
            "array for a record" => *record = b"[\"192.0.2.1\"]".to_vec(),
            // Not to the other case: `ndjson` takes names without regard to case, which the oracle does not know.
            "byte flipped" => record[somewhere] ^= [1, 2, 4, 8, 16, 64, 128][self.rng.usize(..7)],
            _ => {
                let of: &[u8] = match damage {
                    "quote lost" => b"\"",
                    "bracket lost" => b"{}[]",
                    "colon or comma lost" => b":,",
                    other => panic!("{other}"),
                };
                if let Some(at) = nth(record, &mut self.rng, of) {
                    record.remove(at);
                }
            }
        }
    }

    /// A record, printed, and odd or broken in every second case, unless it has to be clean.
    fn record(&mut self, format: &str, is_mapped: bool, style: Style, must_be_clean: bool) -> Vec<u8> {
        let mut members = self.clean(format, is_mapped);
        self.records += 1;
        if must_be_clean {
            self.count("clean");
            return print(&Object(members), style).into_bytes();
        }
        if self.chance(45) {
            let odd = self.pick(&ODD);
            self.count(odd);
            self.make_odd(odd, format, is_mapped, &mut members);
        }
        let mut record = print(&Object(members), style).into_bytes();
        if self.chance(35) {
            let damage = self.pick(&DAMAGE);
            self.count(damage);
            self.malformed += 1;
            self.break_it(damage, &mut record);
        }
        record
    }

    fn case(&mut self) -> Case {
        let format = self.pick(&["zgrab2", "masscan", "shodan", "nuclei", "ndjson", "ndjson"]);
        let format: &'static str = FORMATS.iter().find(|spec| spec.name == format).unwrap().name;
        let is_mapped = format == "ndjson" && self.chance(40);
        let mut options = FormatOptions {
            identifier: self.chance(30).then(|| "given".to_owned()),
            finding: self.chance(30),
            take: [Take::Vulnerable, Take::Exposed, Take::Exposed, Take::All][self.rng.usize(..4)],
            record_bytes_max: [40, 300, 700, 1 << 20][self.rng.usize(..4)],
            ..FormatOptions::default()
        };
        if is_mapped {
            let mapped = [(Field::Address, "source.ip"), (Field::Name, "about.host")];
            options.map = mapped.map(|(field, path)| (field, path.to_owned())).into();
        }
        let kinds = KeyKinds { addresses: true, names: self.chance(40), asns: self.chance(30) };
        let mark: &[u8] = if self.chance(15) { b"\xEF\xBB\xBF" } else { b"" };
        let (text, body, layout) = if self.chance(50) {
            (self.lines(format, is_mapped), 0, Layout::Lines)
        } else {
            self.objects(format, is_mapped)
        };
        if !mark.is_empty() {
            self.count("byte order mark at the start");
        }
        Case { format, layout, body: mark.len() + body, bytes: [mark, &text].concat(), options, kinds }
    }

    fn lines(&mut self, format: &str, is_mapped: bool) -> Vec<u8> {
        let line_end: &[u8] = if self.chance(25) { b"\r\n" } else { b"\n" };
        self.count(if line_end.len() == 2 { "lines, CRLF" } else { "lines" });
        let mut text = Vec::new();
        for i in 0..self.rng.usize(1..10) {
            if self.chance(15) {
                self.count("blank or comment line");
                text.extend(self.pick(&["", "  ", "# {\"ip\":\"192.0.2.1\"}", " \t# note", "\t"]).bytes());
                text.extend(line_end);
            }
            if i > 0 && format == "masscan" && self.chance(30) {
                self.count("separator line");
                text.extend(self.pick(&[",", "[", "]", "{finished: 1}", "{ \"finished\": 12 }"]).bytes());
                text.extend(line_end);
            }
            let style = match format {
                "masscan" if self.chance(40) => Style::Bare,
                _ if self.chance(50) => Style::Spaced,
                _ => Style::Compact,
            };
            let record = self.record(format, is_mapped, style, i == 0);
            text.extend(self.pick(&["", "", "", "  "]).bytes());
            text.extend(record);
            if i > 0 && format == "masscan" && self.chance(30) {
                text.extend(b",");
            }
            text.extend(self.pick(&["", "", "", " \t"]).bytes());
            text.extend(line_end);
        }
        if self.chance(30) {
            self.count("no newline at the end");
            text.truncate(text.len() - line_end.len());
        }
        text
    }

    fn objects(&mut self, format: &str, is_mapped: bool) -> (Vec<u8>, usize, Layout) {
        let is_wrapped = format == "shodan" && self.chance(30);
        let layout = if is_wrapped {
            self.pick(&["answer, pretty", "answer on one line"])
        } else {
            self.pick(&[
                "records on lines",
                "pretty array",
                "array on one line",
                "array, first record on its line",
                "pretty, no array",
                "flat",
            ])
        };
        self.count(FORMATLESS.iter().find(|name| **name == layout).unwrap());
        let (style, landmark) = match layout {
            "records on lines" if format == "masscan" && self.chance(50) => (Style::Bare, Some("")),
            "records on lines" => (Style::Spaced, Some("")),
            "pretty array" => (Style::Pretty(2), Some("  ")),
            "array, first record on its line" => (Style::Compact, Some("")),
            "pretty, no array" => (Style::Pretty(0), Some("")),
            "flat" => (Style::Flat, None),
            "answer, pretty" => (Style::Pretty(4), Some("    ")),
            _ => (Style::Compact, None),
        };
        let mut records = Vec::new();
        for i in 0..self.rng.usize(2..9) {
            let mut record = self.record(format, is_mapped, style, i < 2);
            if layout == "flat" && i == 0 {
                record.truncate(record.len() - 2);
                record.extend(b",\n\"zz\": [\n{\n\"a\": 1\n}\n]\n}");
            }
            records.push(record);
        }
        let (open, between, close) = match layout {
            "records on lines" => ("[\n", "\n,\n", "\n]\n"),
            "pretty array" => ("[\n  ", ",\n  ", "\n]"),
            "array on one line" => ("[", ",", "]"),
            "array, first record on its line" => ("[", ",\n", "]\n"),
            "pretty, no array" => ("", "\n", "\n"),
            "flat" => ("[\n", ",\n", "\n]\n"),
            "answer, pretty" => {
                ("{\n  \"took\": 3,\n  \"matches\": [\n    ", ",\n    ", "\n  ],\n  \"total\": 2\n}\n")
            }
            _ => ("{\"took\":3,\"matches\":[", ",", "],\"total\":2}"),
        };
        let mut text = open.as_bytes().to_vec();
        text.extend(records.join(between.as_bytes()));
        if format == "masscan" && landmark.is_some() && self.chance(30) {
            self.count("{finished: 1}");
            text.extend(between.bytes().chain(*b"{finished: 1}"));
        }
        if self.chance(20) {
            self.count("no closing bracket");
        } else {
            text.extend(close.bytes());
        }
        let body = if is_wrapped { open.find('[').unwrap() + 1 } else { 0 };
        (text, body, Layout::Objects { landmark, wrapped: is_wrapped })
    }
}

/// The layouts of objects.
const FORMATLESS: [&str; 8] = [
    "records on lines",
    "pretty array",
    "array on one line",
    "array, first record on its line",
    "pretty, no array",
    "flat",
    "answer, pretty",
    "answer on one line",
];

#[test]
fn generated_dumps_are_read_as_the_oracle_reads_them() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    let seed = number("DIJKWACHT_SEED").unwrap_or_else(|| fastrand::u64(..));
    let files = number("DIJKWACHT_SWEEP").unwrap_or(2000);
    println!("seed {seed}, {files} files");
    let mut outcomes: BTreeMap<String, usize> = BTreeMap::new();
    let (mut counts, mut records, mut malformed) = (BTreeMap::new(), 0, 0);
    for file in 0..files {
        let mut generator = Generator::new(seed.wrapping_add(file));
        let case = generator.case();
        let head = Head { bytes: &case.bytes, at_end: true };
        let fits = FORMATS.iter().find(|spec| (spec.fits)(&head)).map(|spec| spec.name);
        assert_eq!(fits, Some(case.format), "seed {seed}, file {file}\n{case}");
        let account = std::panic::catch_unwind(|| check(&case, &mut fastrand::Rng::with_seed(seed ^ file)));
        let account = account.unwrap_or_else(|_| {
            panic!("seed {seed}, file {file}: DIJKWACHT_SEED={}", seed.wrapping_add(file))
        });
        for (_, outcome) in account {
            let name = match outcome {
                Outcome::Found(_) => "found".to_owned(),
                other => format!("{other:?}"),
            };
            *outcomes.entry(format!("{}: {name}", case.format)).or_default() += 1;
        }
        for (production, count) in generator.counts {
            *counts.entry(production).or_insert(0) += count;
        }
        records += generator.records;
        malformed += generator.malformed;
    }
    for (production, count) in &counts {
        println!("{count:>9}  {production}");
    }
    for (outcome, count) in &outcomes {
        println!("{count:>9}  {outcome}");
    }
    println!("{records} records, {malformed} broken");
    assert!(malformed * 5 >= records, "at least a fifth is broken");
    if files >= 2000 {
        let unused = ODD.iter().chain(&DAMAGE).chain(&FORMATLESS).filter(|name| !counts.contains_key(**name));
        assert_eq!(unused.collect::<Vec<_>>(), Vec::<&&str>::new(), "every production is used");
    }
}

// ---- what formats say ----

/// What a dump says, record by record, of all addresses.
fn said_by(format: &str, options: &FormatOptions, dump: impl AsRef<[u8]>) -> Vec<Outcome> {
    let dump = dump.as_ref();
    let spec = FORMATS.iter().find(|spec| spec.name == format).unwrap();
    let format = (spec.open)(&Head { bytes: dump, at_end: true }, options).unwrap();
    let window = Window { bytes: dump, at_end: true };
    let (mut at, mut outcomes) = (format.body(), Vec::new());
    loop {
        at = match format.frame(window, at) {
            Frame::Record { record, next } => {
                let record = &dump[record];
                let all = KeyKinds { addresses: true, names: true, asns: true };
                outcomes.push(match format.keys(record, all) {
                    Ok(_) => findings_outcome(&*format, record),
                    Err(reason) => Outcome::Rejected(reason),
                });
                next
            }
            Frame::Rejected { reason, next, .. } => {
                outcomes.push(Outcome::Rejected(reason));
                next
            }
            Frame::Blank { next } => next,
            Frame::More | Frame::End => return outcomes,
        };
    }
}

/// Checks what the only record of a dump says.
fn check_said(format: &str, options: &FormatOptions, dump: &str, expected: &[Words]) {
    assert_eq!(said_by(format, options, dump), [Outcome::Found(expected.to_vec())], "{dump}");
}

fn owned(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn findings_too() -> FormatOptions {
    FormatOptions { finding: true, take: Take::All, ..FormatOptions::default() }
}

#[test]
fn a_key_with_an_escape_is_another_key() {
    let check = |dump: &str, expected: Outcome| {
        assert_eq!(said_by("ndjson", &findings_too(), dump), [expected], "{dump}");
    };
    let words =
        Words { kind: "exposed", subject: owned("192.0.2.1"), identifier: owned("open"), ..Words::default() };
    // A decoder would read both as `ip`, and the last would win. To us the spelling decides, in the search as in the
    // strict reading: no twin, and no stand-in.
    check(r#"{"ip":"192.0.2.1","\u0069p":"8.8.8.8"}"#, Outcome::Found(vec![words.clone()]));
    check(r#"{"\u0069p":"8.8.8.8","ip":"192.0.2.1"}"#, Outcome::Found(vec![words.clone()]));
    check(r#"{"ip":"192.0.2.1","ip":"8.8.8.8"}"#, Outcome::Rejected(Reject::DuplicateKey));
    check(r#"{"\u0069p":"8.8.8.8"}"#, Outcome::Rejected(Reject::NoKey));
}

#[test]
fn each_successful_module_of_zgrab2_is_a_finding() {
    let dump = r#"{"ip":"192.0.2.1","domain":"a.example","data":{
        "http":{"status":"io-timeout","protocol":"http","port":80},
        "tls":{"status":"success","protocol":"tls","port":443,"timestamp":"2026-01-01T00:00:00+01:00"},
        "ntp":{"status":"success","protocol":"ntp"}}}"#
        .replace('\n', " ");
    let words = |part, port, transport: &str, protocol: &str, time: Option<&str>| Words {
        part,
        kind: "exposed",
        subject: owned("192.0.2.1"),
        port,
        transport: owned(transport),
        application: owned(protocol),
        time: time.map(str::to_owned),
        identifier: owned(protocol),
        stated: owned("a.example"),
        ..Words::default()
    };
    let tls = words(1, Some(443), "tcp", "tls", Some("2025-12-31T23:00:00Z"));
    check_said("zgrab2", &findings_too(), &dump, &[tls, words(2, None, "udp", "ntp", None)]);
    let failed = r#"{"ip":"192.0.2.1","data":{}}"#;
    assert_eq!(said_by("zgrab2", &findings_too(), failed), [Outcome::Skipped(Skip::NoSuccess)]);
    let twins = r#"{"ip":"192.0.2.1","data":{"a":{},"a":{}}}"#;
    assert_eq!(said_by("zgrab2", &findings_too(), twins), [Outcome::Rejected(Reject::DuplicateKey)]);
}

#[test]
fn the_parts_of_a_record_have_a_limit() {
    let options = findings_too();
    let modules = |count: usize| {
        let modules: Vec<String> =
            (0..count).map(|i| format!("\"m{i}\":{{\"status\":\"success\"}}")).collect();
        said_by("zgrab2", &options, format!("{{\"ip\":\"192.0.2.1\",\"data\":{{{}}}}}", modules.join(",")))
    };
    let ports = |count: usize| {
        let port = "{\"port\":1,\"proto\":\"tcp\",\"status\":\"open\"}";
        said_by(
            "masscan",
            &options,
            format!("{{\"ip\":\"192.0.2.1\",\"ports\":[{}]}}", vec![port; count].join(",")),
        )
    };
    for (outcome, parts) in [(modules(1024), 1024), (ports(4096), 4096)] {
        let Outcome::Found(words) = &outcome[0] else { panic!("{outcome:?}") };
        assert_eq!((words.len(), usize::from(words[parts - 1].part)), (parts, parts - 1));
    }
    assert_eq!(modules(1025), [Outcome::Rejected(Reject::TooLong)]);
    assert_eq!(ports(4097), [Outcome::Rejected(Reject::TooLong)]);
}

#[test]
fn shodan_says_what_is_wrong_where_vulns_is_filled() {
    let dump = |vulns: &str| {
        format!(
            r#"{{"ip":3221225985,"ip_str":"192.0.2.1","port":22,"transport":"tcp","timestamp":"2021-10-01T09:15:50.511189",
            "asn":"AS64496","hostnames":["a.example"],"http":{{"host":"192.0.2.1"}},"_shodan":{{"module":"ssh"}},
            "ssl":{{"cert":{{"subject":{{"CN":"b.example"}}}}}},"data":"secret","vulns":{vulns}}}"#
        )
        .replace('\n', " ")
    };
    let words = Words {
        kind: "exposed",
        subject: owned("192.0.2.1"),
        port: Some(22),
        transport: owned("tcp"),
        application: owned("ssh"),
        time: owned("2021-10-01T09:15:50.511189Z"),
        asn: Some(64496),
        shown: vec!["b.example".to_owned()],
        reverse: owned("a.example"),
        ..Words::default()
    };
    check_said("shodan", &FormatOptions::default(), &dump("{}"), std::slice::from_ref(&words));
    let cve = "CVE-2018-15919".to_owned();
    let wrong = Words { kind: "vulnerable", identifier: owned("ssh"), cves: vec![cve], ..words };
    check_said(
        "shodan",
        &FormatOptions::default(),
        &dump(r#"{"CVE-2018-15919":{"verified":false}}"#),
        &[wrong],
    );
}

#[test]
fn only_open_ports_of_masscan_are_findings() {
    let open = |part, port, proto: &str| Words {
        part,
        kind: "exposed",
        subject: owned("192.0.2.1"),
        port,
        transport: owned(proto),
        time: owned("2014-01-22T08:41:04Z"),
        identifier: owned("open"),
        ..Words::default()
    };
    let old = "{ ip: \"192.0.2.1\", timestamp: \"1390380064\", ports: [ {port: 80, proto: \"tcp\", status: \"closed\"}, {port: 443, proto: \"tcp\", status: \"open\"} ] },\n{finished: 1}\n";
    check_said("masscan", &findings_too(), old, &[open(1, Some(443), "tcp")]);
    let status = |status: &str| {
        format!(
            r#"{{"ip":"192.0.2.1","timestamp":"1390380064","port":0,"proto":"icmp","rec_type":"status","data":{{"status":"{status}"}}}}"#
        )
    };
    check_said("masscan", &findings_too(), &status("open"), &[open(0, None, "icmp")]);
    assert_eq!(said_by("masscan", &findings_too(), status("closed")), [Outcome::Skipped(Skip::Closed)]);
    let banner =
        r#"{"ip":"192.0.2.1","timestamp":"1","ports":[{"port":80,"proto":"tcp","service":{"name":"http"}}]}"#;
    assert_eq!(said_by("masscan", &findings_too(), banner), [Outcome::Skipped(Skip::Banner)]);
}

/// Whether a word says anything.
fn says(word: &str) -> bool {
    !matches!(word.trim(), "" | "-" | "N/A")
}

#[test]
fn nuclei_is_about_a_name_and_copies_no_request() {
    let dump = r#"{"template-id":"CVE-2018-15473","info":{"name":"Username Enumeration","tags":["ssh"],"severity":"medium",
        "reference":["https://nvd.example/1"],"classification":{"cve-id":["CVE-2018-15473"]}},"type":"http","host":"https://a.example",
        "matched-at":"https://a.example:8443/x","request":"secret","curl-command":"secret","extracted-results":["secret"],
        "ip":"192.0.2.1","matcher-name":"v7"}"#
        .replace('\n', " ");
    let words = Words {
        kind: "vulnerable",
        subject: owned("192.0.2.1"),
        port: Some(8443),
        application: owned("http"),
        identifier: owned("CVE-2018-15473"),
        severity: owned("medium"),
        cves: vec!["CVE-2018-15473".to_owned()],
        tags: vec!["v7".to_owned(), "ssh".to_owned()],
        stated: owned("https://a.example"),
        text: owned("Username Enumeration"),
        url: owned("https://nvd.example/1"),
        ..Words::default()
    };
    check_said("nuclei", &FormatOptions::default(), &dump, &[words]);
    let address = r#"{"template-id":"a","host":"[2001:db8::1]:443","info":{"severity":"low"}}"#;
    let words = Words {
        kind: "vulnerable",
        subject: owned("2001:db8::1"),
        port: Some(443),
        identifier: owned("a"),
        severity: owned("low"),
        ..Words::default()
    };
    check_said("nuclei", &FormatOptions::default(), address, &[words]);
    let garbled =
        r#"{"template-id":"a","host":"[2001:db8::1]9]:443","ip":"192.0.2.1","info":{"severity":"low"}}"#;
    let words = Words {
        kind: "vulnerable",
        subject: owned("192.0.2.1"),
        identifier: owned("a"),
        severity: owned("low"),
        stated: owned("[2001:db8::1]9]:443"),
        ..Words::default()
    };
    check_said("nuclei", &FormatOptions::default(), garbled, &[words]);
    let inventory = r#"{"templateID":"a","host":"a.example","info":{"severity":"info"}}"#;
    assert_eq!(said_by("nuclei", &FormatOptions::default(), inventory), [Outcome::Skipped(Skip::Inventory)]);
}

#[test]
fn an_address_behind_a_name_is_not_the_subject() {
    let check = |format: &str, dump: &str, subject: Option<&str>, stated: Option<&str>| {
        let outcome = said_by(format, &FormatOptions { take: Take::All, ..FormatOptions::default() }, dump);
        let [Outcome::Found(words)] = &outcome[..] else { panic!("{outcome:?} {dump}") };
        assert_eq!((words[0].subject.as_deref(), words[0].stated.as_deref()), (subject, stated), "{dump}");
    };
    let named = r#"{"domain":"192.0.2.6","url":"http://www.other.nl/x"}"#;
    check("ndjson", named, None, Some("http://www.other.nl/x"));
    let named = r#"{"template-id":"x","host":"www.example.nl","url":"http://192.0.2.5/"}"#;
    check("nuclei", named, None, Some("www.example.nl"));
    let addressed = r#"{"template-id":"x","host":"192.0.2.5:80","url":"http://www.example.nl/"}"#;
    check("nuclei", addressed, Some("192.0.2.5"), Some("http://www.example.nl/"));
}

#[test]
fn a_host_with_a_backslash_is_nobodys() {
    let options = FormatOptions { take: Take::All, ..FormatOptions::default() };
    for host in [r"192.0.2.1\\@192.0.2.13", r"http://192.0.2.1\\@192.0.2.13/", r"http://192.0.2.1\\/a"] {
        let dump = format!(r#"{{"template-id":"x","host":"{host}"}}"#);
        assert_eq!(said_by("nuclei", &options, &dump), [Outcome::Rejected(Reject::Address)], "{dump}");
        let dump = format!(r#"{{"domain":"{host}"}}"#);
        assert_eq!(said_by("ndjson", &options, &dump), [Outcome::Rejected(Reject::Address)], "{dump}");
    }
}

#[test]
fn a_matcher_that_failed_is_no_finding_of_nuclei_however_it_says_so() {
    let outcome = |status: &str| {
        let dump = format!(r#"{{"template-id":"x","ip":"192.0.2.1","matcher-status":{status}}}"#);
        said_by("nuclei", &FormatOptions::default(), &dump).pop().unwrap()
    };
    for status in ["false", "\"false\"", "\"False\"", "0", "\"0\""] {
        assert_eq!(outcome(status), Outcome::Skipped(Skip::NotVulnerable), "{status}");
    }
    for status in ["true", "\"true\"", "1", "null", "\"\""] {
        assert!(matches!(outcome(status), Outcome::Found(_)), "{status}");
    }
}

#[test]
fn the_first_records_tell_which_key_is_the_address() {
    let check = |dump: &str, map: &[(Field, &str)], expected: &[&str]| {
        let map = map.iter().map(|(field, path)| (*field, (*path).to_owned())).collect();
        let options = FormatOptions { map, ..FormatOptions::default() };
        let subjects: Vec<String> = said_by("ndjson", &options, dump)
            .into_iter()
            .map(|outcome| match outcome {
                Outcome::Found(words) => words[0].subject.clone().unwrap_or_default(),
                other => format!("{other:?}"),
            })
            .collect();
        assert_eq!(subjects, expected, "{dump}");
    };
    check("{\"address\":\"192.0.2.1\"}\n{\"ip\":\"192.0.2.2\"}", &[], &["192.0.2.1", "192.0.2.2"]);
    // Both are in the first records: the usual order decides.
    check(
        "{\"address\":\"192.0.2.1\"}\n{\"address\":\"x\",\"ip\":\"192.0.2.2\"}",
        &[],
        &["192.0.2.1", "192.0.2.2"],
    );
    check("{\"SRC-IP\":\"192.0.2.1\"}", &[], &["192.0.2.1"]);
    check("{\"source\":{\"ip\":\"192.0.2.1\"}}", &[], &["192.0.2.1"]);
    check("{\"network\":{\"asn\":1},\"domain\":\"a.example\"}", &[], &[""]);
    check("{\"network\":\"192.0.2.0/24\"}", &[], &["192.0.2.0/24"]);
    check("{\"url\":\"http://192.0.2.1:8080/\"}", &[], &["192.0.2.1"]);
    check("{\"a\":{\"b\":\"192.0.2.1\"},\"ip\":\"192.0.2.2\"}", &[(Field::Address, "a.b")], &["192.0.2.1"]);
    check("{\"a.b\":\"192.0.2.1\",\"a\":{\"b\":\"192.0.2.2\"}}", &[(Field::Address, "a.b")], &["192.0.2.1"]);
    check("{\"a\":1}\n{\"ip\":\"\",\"url\":null}", &[], &["Rejected(NoKey)", "Rejected(NoKey)"]);
    // One key for two fields.
    let both = [(Field::Address, "host"), (Field::Name, "host")];
    check("{\"host\":\"192.0.2.1\"}", &both, &["192.0.2.1"]);
}

#[test]
fn replies_to_zmap_are_judged_as_in_its_csv() {
    let outcome = |rest: &str| {
        let dump = format!("{{\"saddr\":\"192.0.2.1\",\"sport\":443{rest}}}");
        said_by("ndjson", &findings_too(), &dump).pop().unwrap()
    };
    let time = ",\"timestamp_ts\":1390380064,\"timestamp_us\":500000,\"success\":1,\"repeat\":false";
    let Outcome::Found(words) = outcome(time) else { panic!("found") };
    assert_eq!((words[0].port, words[0].time.as_deref()), (Some(443), Some("2014-01-22T08:41:04.5Z")));
    assert_eq!(words[0].identifier.as_deref(), Some("open"));
    assert_eq!(outcome(",\"success\":0,\"classification\":\"rst\""), Outcome::Skipped(Skip::Closed));
    assert_eq!(outcome(",\"success\":\"0\""), Outcome::Skipped(Skip::NoSuccess));
    assert_eq!(outcome(",\"success\":0,\"repeat\":true"), Outcome::Skipped(Skip::Repeat));
}

#[test]
fn content_tells_the_format() {
    let check = |dump: &str, expected: Option<&str>| {
        let head = Head { bytes: dump.as_bytes(), at_end: true };
        let fits = FORMATS.iter().find(|spec| (spec.fits)(&head)).map(|spec| spec.name);
        assert_eq!(fits, expected, "{dump}");
    };
    check("[{\"ip_str\":\"192.0.2.1\"}]", Some("shodan"));
    check("{\"matches\":[{\"ip_str\":\"192.0.2.1\"}],\"total\":1}", Some("shodan"));
    check("{\"broken\":\n{\"ip\":\"a\",\"data\":{\"x\":{\"status\":\"success\"}}}", Some("zgrab2"));
    check("{\"template-id\":\"a\"}", Some("nuclei"));
    check("[\n{ ip: \"192.0.2.1\", ports: [ {port: 80, status: \"open\"} ] }\n", Some("masscan"));
    check("{\"ip\":\"192.0.2.1\",\"rec_type\":\"banner\"}", Some("masscan"));
    check("# note\n{\"ip\":\"192.0.2.1\"}", Some("ndjson"));
    check("\u{feff}[ ]", Some("ndjson"));
    check("[2001:db8::1]:443\n", Some("list"));
}

#[test]
fn what_is_no_json_is_said_to_be_none_and_not_to_lack_an_address() {
    let said = |format: &str, dump: &str| said_by(format, &FormatOptions::default(), dump);
    for record in [
        "{\"ip\" \"192.0.2.1\"}",
        "{\"ip\": 192.0.2.1}",
        "{\"ip\": -}",
        "{\"ip\"=\"192.0.2.1\"}",
        "{ip: \"192.0.2.1\"}",
    ] {
        assert_eq!(said("ndjson", record), [Outcome::Rejected(Reject::Json)], "{record}");
    }
    for (record, reason) in
        [("{\"ip\": 192}", Reject::Address), ("{\"port\": 22}", Reject::NoKey), ("{}", Reject::NoKey)]
    {
        assert_eq!(said("ndjson", record), [Outcome::Rejected(reason)], "{record}");
    }
}

#[test]
fn bytes_that_are_no_text_are_judged_where_they_stand() {
    let check = |record: &[u8], reason: Reject| {
        let dump = [b"{\"ip\":\"192.0.2.1\"}\n", record].concat();
        let outcome = said_by("ndjson", &FormatOptions::default(), dump).pop();
        assert_eq!(outcome, Some(Outcome::Rejected(reason)), "{}", record.escape_ascii());
    };
    // In a key field.
    check(b"{\"ip\":\"192.0.2.\xff\"}", Reject::Encoding);
    // Beside one, by the strict reading of what is matched; beside none there is nothing to look up.
    check(b"{\"ip\":\"192.0.2.1\",\"product\":\"\xff\"}", Reject::Encoding);
    check(b"{\"ip\":null,\"product\":\"\xff\"}", Reject::NoKey);
    check(b"{\"ip\":null,\"prod\xffuct\":1}", Reject::NoKey);
    // Outside strings they are no JSON.
    check(b"{\"ip\":null,\"product\":\xff}", Reject::Json);
}
