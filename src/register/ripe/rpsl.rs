//! Objects of a dump in RPSL, one at a time.
//!
//! A dump is Latin-1 text. Empty lines part objects; a line that begins with a space, a tab or `+` continues the attribute above
//! it; `#` begins a remark, anywhere; lines that begin with `#` or `%` say nothing. Names of attributes are compared without
//! regard to case, and may stand several times.
//!
//! Memory is one object, of at most [`OBJECT_BYTES_MAX`]. A broken one costs itself: reading resumes behind the next empty line.

use std::borrow::Cow;
use std::io::{self, BufRead};

/// Longest object; the longest of the RIPE database are sets of some 100 KiB.
const OBJECT_BYTES_MAX: usize = 1 << 20;

/// Reads the objects of a dump.
pub(super) struct Objects<R> {
    reader: R,
    /// Lines read so far.
    lines: u32,
    /// Lines of the object at hand, without those that say nothing.
    text: Vec<u8>,
    attributes: Vec<Place>,
}

/// Where an attribute stands in the text of its object: its name to the colon, its value to the next attribute.
#[derive(Clone, Copy)]
struct Place {
    start: u32,
    colon: u32,
    end: u32,
}

/// An object as it stands.
#[derive(Clone, Copy)]
pub(super) struct Object<'o> {
    /// Line of its first attribute, from 1.
    pub(super) line: u32,
    text: &'o [u8],
    attributes: &'o [Place],
}

/// An object that cannot be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Broken {
    /// The line that is wrong.
    pub(super) line: u32,
    /// What is wrong with it.
    pub(super) wrong: &'static str,
}

impl<R: BufRead> Objects<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, lines: 0, text: Vec::new(), attributes: Vec::new() }
    }

    /// The next object; `None` at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<Result<Object<'_>, Broken>>> {
        self.text.clear();
        self.attributes.clear();
        let mut first_line = 0;
        loop {
            let start = self.text.len();
            if !self.read_line()? {
                break;
            }
            match &self.text[start..] {
                [] if self.attributes.is_empty() => continue,
                [] => break,
                [b'#' | b'%', ..] => self.text.truncate(start),
                line if self.text.len() > OBJECT_BYTES_MAX => {
                    let _ = line;
                    return self.skip("object is longer than 1 MiB");
                }
                [b' ' | b'\t' | b'+', ..] => match self.attributes.last_mut() {
                    Some(last) => {
                        self.text.push(b'\n');
                        last.end = self.text.len() as u32;
                    }
                    None => return self.skip("object begins with a continuation line"),
                },
                line => {
                    let Some(colon) = name_length(line) else {
                        return self.skip("line is neither an attribute nor a continuation");
                    };
                    if self.attributes.is_empty() {
                        first_line = self.lines;
                    }
                    self.text.push(b'\n');
                    let (colon, end) = ((start + colon) as u32, self.text.len() as u32);
                    self.attributes.push(Place { start: start as u32, colon, end });
                }
            }
        }
        if self.attributes.is_empty() {
            return Ok(None);
        }
        Ok(Some(Ok(Object { line: first_line, text: &self.text, attributes: &self.attributes })))
    }

    /// Appends a line to the text, without its end; `false` at the end of the dump.
    ///
    /// Of a line that is too long only as much is kept as tells that it is.
    fn read_line(&mut self) -> io::Result<bool> {
        let start = self.text.len();
        let mut any = false;
        loop {
            let bytes = match self.reader.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                read => read?,
            };
            if bytes.is_empty() {
                break;
            }
            any = true;
            let newline = memchr::memchr(b'\n', bytes);
            let line = &bytes[..newline.unwrap_or(bytes.len())];
            let room = (OBJECT_BYTES_MAX + 1).saturating_sub(self.text.len());
            self.text.extend_from_slice(&line[..line.len().min(room)]);
            let used = line.len() + usize::from(newline.is_some());
            self.reader.consume(used);
            if newline.is_some() {
                break;
            }
        }
        self.lines += u32::from(any);
        if self.text.len() > start && self.text.last() == Some(&b'\r') {
            self.text.pop();
        }
        Ok(any)
    }

    /// Moves past the object at hand, which is broken at the line just read.
    fn skip(&mut self, wrong: &'static str) -> io::Result<Option<Result<Object<'_>, Broken>>> {
        let broken = Broken { line: self.lines, wrong };
        loop {
            self.text.clear();
            if !self.read_line()? || self.text.is_empty() {
                return Ok(Some(Err(broken)));
            }
        }
    }
}

/// The length of the attribute name that a line begins with, if a colon follows.
fn name_length(line: &[u8]) -> Option<usize> {
    let colon = line.iter().position(|&byte| byte == b':')?;
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let (first, rest) = line[..colon].split_first()?;
    (first.is_ascii_alphabetic() && rest.iter().all(is_name)).then_some(colon)
}

impl<'o> Object<'o> {
    /// The name of its first attribute, which is its class.
    pub(super) fn class(self) -> &'o [u8] {
        self.attributes.first().map_or(&[], |place| self.name(*place))
    }

    /// Its attributes in order: names, and values as [`value`] cleans them.
    pub(super) fn attributes(self) -> impl Iterator<Item = (&'o [u8], Cow<'o, [u8]>)> {
        self.attributes.iter().map(move |&place| {
            let raw = &self.text[place.colon as usize + 1..place.end as usize];
            (self.name(place), value(raw))
        })
    }

    fn name(self, place: Place) -> &'o [u8] {
        &self.text[place.start as usize..place.colon as usize]
    }
}

/// A value without remarks and line ends: the parts of its lines, one space between.
fn value(raw: &[u8]) -> Cow<'_, [u8]> {
    let mut lines = raw.split(|&byte| byte == b'\n');
    let first = without_remark(lines.next().unwrap_or_default());
    let mut whole = Cow::Borrowed(first);
    // Behind the last line end stands nothing.
    for line in lines.filter(|line| !line.is_empty()) {
        let part = without_remark(&line[1..]);
        if part.is_empty() {
            continue;
        }
        let whole = whole.to_mut();
        if !whole.is_empty() {
            whole.push(b' ');
        }
        whole.extend_from_slice(part);
    }
    whole
}

fn without_remark(line: &[u8]) -> &[u8] {
    let end = memchr::memchr(b'#', line).unwrap_or(line.len());
    line[..end].trim_ascii()
}

/// Latin-1 as text: each byte is the character of its number.
pub(super) fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Objects as `line class=value name=value …`, broken ones as `line: what is wrong`.
    fn read(text: &[u8]) -> Vec<String> {
        // A small buffer, so that lines are cut anywhere.
        let mut objects = Objects::new(io::BufReader::with_capacity(3, text));
        let mut found = Vec::new();
        while let Some(object) = objects.next().unwrap() {
            found.push(match object {
                Ok(object) => {
                    let parts = object
                        .attributes()
                        .map(|(name, value)| format!("{}={}", latin1(name), latin1(&value)));
                    format!("{} {}", object.line, parts.collect::<Vec<_>>().join("|"))
                }
                Err(Broken { line, wrong }) => format!("{line}: {wrong}"),
            });
        }
        found
    }

    #[test]
    fn objects_are_parted_by_empty_lines_and_may_end_without_one() {
        let text = b"% a dump\n\n\ninetnum: 192.0.2.0 - 192.0.2.255\nnetname:A\r\n\r\nrole: R\n";
        assert_eq!(read(text), ["4 inetnum=192.0.2.0 - 192.0.2.255|netname=A", "7 role=R"]);
        assert!(read(b"").is_empty() && read(b"\n\n").is_empty() && read(b"# note\n").is_empty());
    }

    #[test]
    fn a_space_a_tab_or_a_plus_continues_and_hash_begins_a_remark() {
        let text = b"role: # name below\n  The\n+\n+ role #1\n\t  of all\nremarks: a # b # c\n \n# a line that says nothing\nnic-hdl: X\n";
        assert_eq!(read(text), ["1 role=The role of all|remarks=a|nic-hdl=X"]);
    }

    #[test]
    fn names_keep_their_case_and_values_are_latin_1() {
        let text = b"ORGANISATION: ORG-A\nOrg-Name: Universit\xe9 \xfcber: alles\norg-name: again\n";
        assert_eq!(read(text), ["1 ORGANISATION=ORG-A|Org-Name=Université über: alles|org-name=again"]);
    }

    #[test]
    fn a_broken_object_costs_itself() {
        let text = b"inetnum: a\nthis is no attribute\nnetname: B\n\n continued\nmore: x\n\n: none\n\nna me: x\n\n*in: y\n\nrole: R\n";
        assert_eq!(
            read(text),
            [
                "2: line is neither an attribute nor a continuation",
                "5: object begins with a continuation line",
                "8: line is neither an attribute nor a continuation",
                "10: line is neither an attribute nor a continuation",
                "12: line is neither an attribute nor a continuation",
                "14 role=R",
            ]
        );
    }

    #[test]
    fn an_object_without_end_is_skipped_in_bounded_memory() {
        let mut text = b"remarks: ".to_vec();
        text.resize(3 * OBJECT_BYTES_MAX, b'x');
        text.extend_from_slice(b"\nmore: y\n\nrole: R\n");
        let mut objects = Objects::new(&text[..]);
        assert_eq!(objects.next().unwrap().unwrap().err().map(|broken| broken.line), Some(1));
        assert!(objects.text.capacity() < 3 * OBJECT_BYTES_MAX);
        assert_eq!(objects.next().unwrap().unwrap().ok().map(|object| object.line), Some(4));
    }
}
