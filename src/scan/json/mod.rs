//! What all JSON formats share: where records begin and end, the search for key fields, the strict reading of a whole
//! record.
//!
//! A format is a [`Schema`]: which paths hold the keys, and what a whole record says. [`JsonFormat`] makes a
//! [`Format`] of it:
//!
//! * `frame` finds borders and judges nothing else: lines, or objects between separators; the head decides.
//! * `skim` finds key fields without reading the rest. It is what `keys` means, so that a faster search only has to
//!   find the same bytes.
//! * `sweep` finds them fast, on lines, or proves that there are none which are registered.
//! * `read` reads a record that is matched, strictly, whole, and without an allocation for what is not read.
//!
//! Keys are compared as raw bytes: `"\u0069p"` is not `ip`, neither for the search nor for the strict reading, so that
//! the two can never disagree about which value decides. Of a key that stands twice the first decides for the search,
//! and the strict reading rejects the record (`duplicate-key`). `"ip"` and `"\u0069p"` are no such twins, though a
//! decoder would take them for one key: no producer writes letters so, and whoever does gets what is spelled plainly.
//!
//! Not done: joining records (masscan's banners to its ports), comments inside records, `NaN`.

mod fields;
mod frame;
mod masks;
mod read;
mod skim;
mod sweep;

use super::authority::{all_names, first_name, stand_in};
use super::columns::{read_asn, read_subject};
use super::fangs::refang;
use super::format::sweep_frames;
use super::leap::{Exact, serves};
use super::record::Subject;
use super::simd::with_best;
use super::{
    Column, Description, Filter, Format, FormatError, FormatOptions, Frame, Head, KeyKinds, Keys, Reject,
    Sink, Tally, Window,
};
use super::{Finding, Findings, Skip};
use crate::text::says_nothing;
use fields::Fields;
use frame::Framing;
use std::borrow::Cow;
use std::ops::Range;
use sweep::{Key, Lines, Search, Sweep};

pub(super) use read::{List, Reader, Scalar, Slot, Syntax, moment, read_moment, read_record, read_value};
use skim::is_json;
pub(super) use skim::{Found, KeyText, PATHS_MAX, Path, skim};

/// Deepest nesting of a record; a deeper one is no JSON to us (`json`).
pub(super) const JSON_DEPTH_MAX: usize = 128;

/// How many records of a head are looked at to know its format.
const FITS_RECORDS_MAX: usize = 64;

/// Most paths, and deepest ones, that a head is asked for.
const HEAD_PATHS_MAX: usize = 1024;
const HEAD_DEPTH_MAX: usize = 4;

/// How JSON is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Dialect {
    /// RFC 8259.
    Json,
    /// As masscan wrote it: keys may be bare words, a comma may stand before a closing bracket, `{finished: 1}` is no
    /// record.
    Masscan,
}

/// What a JSON format knows beside JSON.
pub(super) trait Schema: Send + Sync {
    /// How its producer writes JSON.
    const DIALECT: Dialect = Dialect::Json;

    /// [`Format::keys`].
    fn keys<'r>(&self, record: &'r [u8], kinds: KeyKinds) -> Result<Keys<'r>, Reject>;

    /// The kinds of key that a record could have.
    fn kinds(&self) -> KeyKinds;

    /// Where the keys stand; `None` where a record has those of several systems.
    fn places(&self) -> Option<Places<'_>>;

    /// Reads a whole record: `Err` for encoding, json and duplicate-key, then exposure, port, time.
    fn findings<'r>(&self, record: &'r [u8]) -> Result<Findings<'r>, Reject>;

    /// The paths that it reads, as [`Sample`] spells them, and what each is taken for.
    fn columns(&self) -> Vec<(String, &'static str)>;
}

/// Where the keys stand that [`Schema::keys`] looks at, of a record whose address stands at its best place.
pub(super) struct Places<'s> {
    /// That place. Where its value is filled, it is all that is looked at if addresses alone are asked for.
    pub(super) address: &'s Path,
    /// All from which a stated or shown name may be taken.
    pub(super) names: &'s [Path],
    /// All from which the AS number may be taken.
    pub(super) asns: &'s [Path],
}

/// A format whose records are JSON objects.
pub(super) struct JsonFormat<S> {
    framing: Framing,
    schema: S,
    /// What a fast sweep searches where addresses alone are asked for, if there can be one.
    key: Option<Key>,
    /// The same where more is asked for.
    fields: Option<Fields>,
}

impl<S: Schema + 'static> JsonFormat<S> {
    /// Decides by the head how records are framed. `wrapper` is the key of the array that holds the records where a
    /// producer's answer is one object.
    pub(super) fn open(
        head: &Head<'_>,
        options: &FormatOptions,
        wrapper: Option<&str>,
        schema: S,
    ) -> Result<Box<dyn Format>, FormatError> {
        let framing = Framing::new(head, S::DIALECT, wrapper, options.record_bytes_max);
        // What is defanged is found by the exact search alone.
        let places = schema.places().filter(|_| framing.is_lines() && !options.refang);
        let key = places.as_ref().and_then(|places| Key::only_of(places.address));
        // A bare word is no key for them.
        let fields = places.filter(|_| S::DIALECT == Dialect::Json).and_then(|places| Fields::of(&places));
        Ok(Box::new(Self { framing, schema, key, fields }))
    }

    /// What a fast sweep searches.
    fn search(&self, kinds: KeyKinds) -> Option<Search<'_>> {
        if serves(kinds)
            && let Some(key) = &self.key
        {
            return Some(Search::Key(key));
        }
        let fields = self.fields.as_ref()?;
        Some(Search::Fields(fields, fields.wanted(kinds)?))
    }
}

impl<S: Schema + 'static> Format for JsonFormat<S> {
    fn body(&self) -> usize {
        self.framing.body()
    }

    fn frame(&self, window: Window<'_>, start: usize) -> Frame {
        self.framing.frame(window, start)
    }

    fn guess(&self, window: Window<'_>, at: usize) -> usize {
        self.framing.guess(window, at)
    }

    fn keys<'r>(&self, record: &'r [u8], kinds: KeyKinds) -> Result<Keys<'r>, Reject> {
        // What is no JSON may hide a key.
        self.schema.keys(record, kinds).map_err(|reason| match reason {
            Reject::NoKey if S::DIALECT == Dialect::Json && !is_json(record) => Reject::Json,
            reason => reason,
        })
    }

    fn findings<'r>(&self, record: &'r [u8]) -> Findings<'r> {
        self.schema.findings(record).unwrap_or_else(Findings::Rejected)
    }

    fn describe(&self) -> Description {
        let columns = self.schema.columns().into_iter();
        let columns = columns.map(|(name, taken_for)| Column { name, taken_for: Some(taken_for) });
        Description { delimiter: None, columns: columns.collect() }
    }

    fn values<'r>(&self, record: &'r [u8]) -> Vec<Option<Cow<'r, str>>> {
        let columns = self.schema.columns();
        columns.iter().map(|(path, _)| read::sample(record, path, S::DIALECT)).collect()
    }

    fn sweep(
        &self,
        window: Window<'_>,
        starts: Range<usize>,
        filter: &dyn Filter,
        sink: &mut dyn Sink,
        tally: &mut Tally,
    ) -> usize {
        if let Some(search) = self.search(filter.kinds() & self.schema.kinds()) {
            let exact = Exact { format: self, window, filter };
            let lines = Lines { exact, framing: &self.framing, search };
            return with_best(Sweep { lines, starts, sink, tally });
        }
        sweep_frames(self, |at| self.frame(window, at), window, starts, filter, sink, tally)
    }
}

/// Whether one of the head's first records has a value at one of the paths.
pub(super) fn head_has(head: &Head<'_>, dialect: Dialect, wrapper: Option<&str>, paths: &[&str]) -> bool {
    head_records(head, dialect, wrapper, |record| paths.iter().any(|path| read::has(record, path, dialect)))
}

/// Whether one of the head's first [`FITS_RECORDS_MAX`] records is what is looked for; the last may be cut.
pub(super) fn head_records(
    head: &Head<'_>,
    dialect: Dialect,
    wrapper: Option<&str>,
    mut looked_for: impl FnMut(&[u8]) -> bool,
) -> bool {
    let framing = Framing::new(head, dialect, wrapper, head.bytes.len());
    // The head is read as if it were a dump: the rest of a cut record is then a record too.
    let window = Window { bytes: head.bytes, at_end: true };
    let mut at = framing.body();
    for _ in 0..FITS_RECORDS_MAX {
        let (record, next) = match framing.frame(window, at) {
            Frame::Record { record, next } => (record, next),
            Frame::Rejected { record_start, next, .. } => (record_start..next, next),
            Frame::Blank { next } => (at..at, next),
            Frame::More | Frame::End => return false,
        };
        if window.bytes[record.clone()].starts_with(b"{") && looked_for(&window.bytes[record]) {
            return true;
        }
        at = next;
    }
    false
}

/// The paths that the head's first records have.
pub(super) fn head_paths(head: &Head<'_>) -> Vec<Path> {
    let mut paths = Vec::new();
    head_records(head, Dialect::Json, None, |record| {
        read::paths(record, HEAD_DEPTH_MAX, &mut paths);
        false
    });
    paths
}

/// Whether the head begins as JSON does: an object, or an array of objects or of nothing.
pub(super) fn head_is_json(head: &Head<'_>) -> bool {
    let text = head.text();
    let text = &text[frame::significant(text)..];
    match text.first() {
        Some(b'{') => true,
        Some(b'[') => {
            matches!(text[1..].iter().find(|byte| !is_blank(**byte)), Some(b'{' | b']'))
        }
        _ => false,
    }
}

/// The key fields of a record, as [`skim`] found them: for each key the places where it may stand, best first.
#[derive(Clone, Copy, Default)]
pub(super) struct KeyFields<'f, 'r> {
    /// The address or prefix: the first that is filled.
    pub(super) address: &'f [Found<'r>],
    /// Names that the finding is about: the first that is no address. Where no address is filled, and the first of
    /// these that is filled holds one, that stands in for it; one behind a name is another's.
    pub(super) stated: &'f [Found<'r>],
    /// Names that the system shows: all that are no address.
    pub(super) shown: &'f [Found<'r>],
    /// The AS number: the first that is one.
    pub(super) asn: &'f [Found<'r>],
    /// The address may be `192.0.2.1:443`.
    pub(super) is_endpoint: bool,
    /// Addresses and names may be defanged.
    pub(super) is_defanged: bool,
}

impl<'r> KeyFields<'_, 'r> {
    /// Reads them. `sound` is what [`skim`] said of the record.
    pub(super) fn read(self, kinds: KeyKinds, sound: bool) -> Result<Keys<'r>, Reject> {
        let mut worst = if sound { None } else { Some(Reject::Json) };
        let mut text = |found: Found<'r>| {
            let text = found.text().unwrap_or_else(|reason| {
                worst = worst.filter(|worst| *worst == Reject::Encoding).or(Some(reason));
                KeyText::Absent
            });
            match text {
                KeyText::Text(text) if self.is_defanged => KeyText::Text(refang(text)),
                text => text,
            }
        };
        let mut keys = Keys::default();
        let subject = match self.address.iter().find(|found| found.is_filled()) {
            Some(found) => match text(*found) {
                KeyText::Absent => Ok(None),
                KeyText::Text(text) => {
                    read_subject(text.as_bytes(), self.is_endpoint).map(|read| Some(read.0))
                }
                KeyText::Bare(_) | KeyText::Nested => Err(Reject::Address),
            },
            None => {
                let mut hosts = self.stated.iter().filter_map(|found| text(*found).into_text());
                let stand_in = hosts.next().map_or(Ok(None), |host| stand_in(&host));
                stand_in.map(|found| found.map(|(address, _)| Subject::Address(address)))
            }
        };
        if kinds.names {
            let mut names = |found: &Found<'r>| text(*found).into_text();
            keys.stated = first_name(self.stated.iter().map(&mut names));
            keys.shown = all_names(self.shown.iter().map(&mut names));
        }
        if kinds.asns {
            let asn = self.asn.iter().find(|found| found.is_filled());
            keys.asn = asn.and_then(|found| read_asn(text(*found).token()?.as_bytes()));
        }
        if let Some(reason) = worst {
            return Err(reason);
        }
        keys.subject = subject?;
        let names = self.stated.iter().chain(self.shown).any(|found| found.is_string());
        let is_filled = names || self.address.iter().chain(self.asn).any(|found| found.is_filled());
        if is_filled { Ok(keys) } else { Err(Reject::NoKey) }
    }
}

/// The subject of a whole record, and the port of an endpoint, as [`KeyFields::read`] finds them.
pub(super) fn subject_of(
    address: &Scalar<'_>,
    stated: &[Option<&str>],
    is_endpoint: bool,
) -> Result<(Option<Subject>, Option<u16>), Reject> {
    match address {
        Scalar::Absent => {
            let stand_in = stated.iter().flatten().next().map_or(Ok(None), |host| stand_in(host))?;
            Ok(stand_in.map_or((None, None), |(address, port)| (Some(Subject::Address(address)), port)))
        }
        Scalar::Text(text) => {
            let (subject, port) = read_subject(text.as_bytes(), is_endpoint)?;
            Ok((Some(subject), port))
        }
        _ => Err(Reject::Address),
    }
}

/// Findings, or the first part's reason for none.
pub(super) fn some_or_skipped(findings: Vec<Finding<'_>>, first: Option<Skip>) -> Findings<'_> {
    match first {
        Some(reason) if findings.is_empty() => Findings::Skipped(reason),
        _ => Findings::Some(findings),
    }
}

/// The identifier: the record's own word, else the feed's, else, where the feed says that an answer is itself a
/// finding, `open`.
pub(super) fn identifier<'r>(
    own: Option<Cow<'r, str>>,
    options: &FormatOptions,
    open: Option<&'r str>,
) -> Option<Cow<'r, str>> {
    let given = || options.identifier.clone().map(Cow::Owned);
    let open = || open.filter(|_| options.finding).map(Cow::Borrowed);
    own.filter(|own| !says_nothing(own)).or_else(given).or_else(open)
}

/// Whether a flag is written so, as a digit or as a word.
pub(super) fn says(flag: &Scalar<'_>, digit: &str, word: &str) -> bool {
    match flag {
        Scalar::Bool(flag) => *flag == (word == "true"),
        Scalar::Number(number) => *number == digit,
        Scalar::Text(text) => text == digit || text.eq_ignore_ascii_case(word),
        _ => false,
    }
}

/// JSON's white space.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// The bytes without the blanks around them.
fn trim(bytes: &[u8]) -> Range<usize> {
    let start = bytes.iter().take_while(|byte| is_blank(**byte)).count();
    let end = bytes.len() - bytes[start..].iter().rev().take_while(|byte| is_blank(**byte)).count();
    start..end
}
