//! What a dump format can do, and the exact sweep that every fast one is tested against.
//!
//! A [`Format`] is opened once per dump from its [`Head`], is immutable from then on and shared by all threads. It
//! answers four questions about bytes: where the record that begins here ends ([`Format::frame`]), what its key
//! fields are ([`Format::keys`]), what the whole record says ([`Format::findings`]), and, all records of a stretch at
//! once, which of them a [`Filter`] cannot rule out ([`Format::sweep`]). The last has an exact default in terms of the
//! first two; a format overrides it to be fast, and must then give the same candidates, counts and position.
//!
//! # Chunks
//!
//! `frame` from a true start is a pure function of the bytes from there on, and of `at_end`. A dump is therefore one
//! chain of starts, whatever the chunks: a chunk swept from a [`Format::guess`] counts only if the sweep before it
//! returned that very position; otherwise it is swept again from there.
//!
//! # Long records
//!
//! Where a record is longer than [`FormatOptions::record_bytes_max`], `frame` looks at nothing after the first
//! `record_bytes_max + 2` bytes but the position of the first newline. A reader with a window of bounded size may thus
//! leave out what lies between, and gets the same answer.

use super::record::{Findings, Reject, Subject};
use crate::moment::TimeStyle;
use crate::net::{Address, Asn};
use smallvec::SmallVec;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// All formats, in the order in which their content is looked at: the first that fits wins.
///
/// The order is the narrowest first: formats with a sure sign (`zmap`, `shodan`, `zgrab2`, `nuclei`, `masscan`,
/// `masscan-list`, `intelmq`, `n6`), then any JSON objects (`ndjson`), then any header row (`csv`), then lines (`list`).
/// `shadowserver` and `credentials` never fit by content.
pub static FORMATS: &[FormatSpec] = &[
    super::zmap::SPEC,
    super::shodan::SPEC,
    super::zgrab2::SPEC,
    super::nuclei::SPEC,
    super::masscan::SPEC,
    super::masscan_list::SPEC,
    super::intelmq::SPEC,
    super::n6::SPEC,
    super::ndjson::SPEC,
    super::csv::SPEC,
    super::list::SPEC,
    super::shadowserver::SPEC,
    super::credentials::SPEC,
];

/// Longest record by default, bytes: 1 MiB.
pub const RECORD_BYTES_MAX: usize = 1 << 20;

/// How much of a dump's beginning is looked at to know its format, and longest header, bytes.
pub const HEAD_BYTES_MAX: usize = 64 << 10;

/// How many rejects of one sweep are kept with their position.
pub const REJECTS_KEPT: usize = 16;

/// The first bytes of a dump, for detection and headers.
///
/// At most [`HEAD_BYTES_MAX`] bytes of text after transcoding, the byte order mark kept.
#[derive(Clone, Copy)]
pub struct Head<'d> {
    /// The bytes.
    pub bytes: &'d [u8],
    /// The head is the whole dump.
    pub at_end: bool,
}

impl<'d> Head<'d> {
    /// The length of the byte order mark that it begins with: 3 or 0.
    pub fn mark_bytes(&self) -> usize {
        if self.bytes.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 }
    }

    /// The bytes after the byte order mark.
    pub fn text(&self) -> &'d [u8] {
        &self.bytes[self.mark_bytes()..]
    }
}

/// U+FEFF in UTF-8.
pub const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// What kinds of key the index holds; a record is judged no further than these.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct KeyKinds {
    /// Prefixes and ranges, and AS numbers that were expanded to them.
    pub addresses: bool,
    /// Domains.
    pub names: bool,
    /// AS numbers that were not expanded.
    pub asns: bool,
}

impl std::ops::BitAnd for KeyKinds {
    type Output = Self;

    /// The kinds in both.
    fn bitand(self, other: Self) -> Self {
        Self {
            addresses: self.addresses && other.addresses,
            names: self.names && other.names,
            asns: self.asns && other.asns,
        }
    }
}

/// Names of one kind, each once, best first; without an allocation for the one or two of nearly every record.
pub type Names<'r> = SmallVec<[Cow<'r, str>; 2]>;

/// The keys of one record. All are `None` where the record fills none of those that were asked for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Keys<'r> {
    /// The address or prefix that the record is about.
    pub subject: Option<Subject>,
    /// The name that the finding is about; filled only if asked by [`KeyKinds`].
    pub stated: Option<Cow<'r, str>>,
    /// The names that the system shows of itself; filled only if asked by [`KeyKinds`].
    pub shown: Names<'r>,
    /// The AS number; filled only if asked by [`KeyKinds`].
    pub asn: Option<Asn>,
    /// Those of the others, where a record is about several systems.
    pub others: Vec<Self>,
}

/// Which rows of a feed are taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Take {
    /// Rows that say what is wrong.
    Vulnerable,
    /// These, and rows that say that a service is there.
    #[default]
    Exposed,
    /// Inventory too.
    All,
}

/// A field that `--map` can name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Field {
    /// The address, or prefix, that the record is about.
    Address,
    /// The port at that address.
    Port,
    /// `tcp`, `udp`, …
    Transport,
    /// When the producer saw it.
    Time,
    /// The name of what is wrong.
    Identifier,
    /// How bad it is.
    Severity,
    /// CVE numbers.
    Cve,
    /// Traffic light protocol.
    Tlp,
    /// The AS number.
    Asn,
    /// `http`, `rdp`, …
    Application,
    /// The stated name: the finding is about it.
    Name,
    /// The name that the system shows of itself (certificate, Host).
    ShownName,
    /// The name that reverse DNS gives; never chooses a recipient.
    ReverseName,
    /// Free words of the producer.
    Tag,
}

impl Take {
    /// Its name in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Vulnerable => "vulnerable",
            Self::Exposed => "exposed",
            Self::All => "all",
        }
    }

    /// Reads a name of [`Self::as_str`].
    pub fn read(name: &str) -> Option<Self> {
        [Self::Vulnerable, Self::Exposed, Self::All].into_iter().find(|take| take.as_str() == name)
    }
}

impl Field {
    /// Every field, in the order of `--map`'s manual.
    pub const ALL: [Self; 14] = [
        Self::Address,
        Self::Port,
        Self::Transport,
        Self::Time,
        Self::Identifier,
        Self::Severity,
        Self::Cve,
        Self::Tlp,
        Self::Asn,
        Self::Application,
        Self::Name,
        Self::ShownName,
        Self::ReverseName,
        Self::Tag,
    ];

    /// Its name in `--map` and in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Port => "port",
            Self::Transport => "transport",
            Self::Time => "time",
            Self::Identifier => "identifier",
            Self::Severity => "severity",
            Self::Cve => "cve",
            Self::Tlp => "tlp",
            Self::Asn => "asn",
            Self::Application => "application",
            Self::Name => "name",
            Self::ShownName => "shown_name",
            Self::ReverseName => "reverse_name",
            Self::Tag => "tag",
        }
    }

    /// Reads a name of [`Self::as_str`], exactly as written there.
    pub fn read(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.as_str() == name)
    }
}

/// What a feed or the command line says about reading a dump.
#[derive(Clone)]
pub struct FormatOptions {
    /// `--map` and the feed's `map`: field to column name or dotted path.
    pub map: BTreeMap<Field, String>,
    /// The report type from a Shadowserver file name, or identifier if that is a type of the schema.
    pub report_type: Option<String>,
    /// `--identifier`, else the feed's.
    pub identifier: Option<String>,
    /// The feed says that a port scan's answer is itself a finding.
    pub finding: bool,
    /// Which rows are taken.
    pub take: Take,
    /// The feed's way to write times, where it is not one that is read by itself.
    pub time_style: Option<Arc<TimeStyle>>,
    /// Addresses and names of delimited text and JSON may be defanged (`192[.]0[.]2[.]1`); lists always.
    pub refang: bool,
    /// Longest record, bytes without its line end; longer is `too-long`. Default [`RECORD_BYTES_MAX`].
    pub record_bytes_max: usize,
}

impl Default for FormatOptions {
    fn default() -> Self {
        Self {
            map: BTreeMap::new(),
            report_type: None,
            identifier: None,
            finding: false,
            take: Take::default(),
            time_style: None,
            refang: false,
            record_bytes_max: RECORD_BYTES_MAX,
        }
    }
}

/// A format as its module offers it. Adding a format is one file and one line in [`FORMATS`].
#[derive(Clone, Copy)]
pub struct FormatSpec {
    /// Its name in `--format`.
    pub name: &'static str,
    /// Whether the head looks like it, by content alone. Never asked of an empty dump.
    pub fits: fn(&Head<'_>) -> bool,
    /// Reads the header, if any; a bad one is an error (exit 65) with the remedy. A head of 0 bytes or of a header
    /// only is a dump without records, not an error.
    pub open: OpenFormat,
}

/// How a dump is opened in a format, from its head.
pub type OpenFormat = fn(&Head<'_>, &FormatOptions) -> Result<Box<dyn Format>, FormatError>;

impl fmt::Debug for FormatSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FormatSpec").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Why a dump cannot be read in a format at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FormatError {
    /// The header cannot be read, or lacks a column that is needed.
    Header {
        /// What is wrong, in the words of a record's reject.
        reason: Reject,
        /// What the operator can do about it.
        remedy: String,
    },
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header { reason, remedy } => {
                write!(f, "the header cannot be read: {} ({remedy})", reason.as_str())
            }
        }
    }
}

impl std::error::Error for FormatError {}

/// Part of a dump in memory.
#[derive(Clone, Copy)]
pub struct Window<'d> {
    /// Bytes at hand; records are found in here.
    pub bytes: &'d [u8],
    /// No bytes follow in the dump.
    pub at_end: bool,
}

/// Where the record that begins at a position ends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Frame {
    /// A record without its line end, and where the next one begins.
    Record {
        /// Its bytes in the window.
        record: Range<usize>,
        /// Where the next one begins.
        next: usize,
    },
    /// No record: empty line, comment, bracket, separator.
    Blank {
        /// Where reading goes on.
        next: usize,
    },
    /// A record whose border cannot be found (`too-long`, `quoting`); reading resumes at `next`, which is after its
    /// first newline, or the end of the dump.
    Rejected {
        /// The record's first byte.
        record_start: usize,
        /// Why.
        reason: Reject,
        /// Where reading goes on.
        next: usize,
    },
    /// The window ends inside; more bytes are needed. Never where `at_end`.
    More,
    /// Nothing follows. Only where `at_end` and the position is the end.
    End,
}

/// Proves that records match nothing. Implemented by the matcher over the index.
pub trait Filter: Sync {
    /// Which keys are asked for.
    fn kinds(&self) -> KeyKinds;
    /// Whether a registration may be found by these keys; `false` is final.
    fn may_hold(&self, keys: &Keys<'_>) -> bool;
    /// The same for a host name alone, in lower case and without a final dot; text that is none may be given, and is not held.
    fn may_hold_name(&self, host: &[u8]) -> bool {
        let stated = std::str::from_utf8(host).ok().map(Cow::Borrowed);
        self.may_hold(&Keys { stated, ..Keys::default() })
    }
    /// The same for a batch of IPv4 addresses, at most 64: bit i of the answer for `addresses[i]`.
    fn may_hold_v4(&self, addresses: &[u32]) -> u64;
    /// The same for a batch of IPv6 addresses (not mapped ones), at most 64.
    fn may_hold_v6(&self, addresses: &[u128]) -> u64;
    /// Whether the sink is told where a record about this is ruled out ([`Sink::missed`]).
    fn marks(&self, _subject: Subject) -> bool {
        false
    }
    /// The same for a batch of IPv4 addresses, at most 64.
    fn marks_v4(&self, _addresses: &[u32]) -> u64 {
        0
    }
}

/// Takes what a sweep finds.
pub trait Sink {
    /// A record that the filter did not rule out. `number` counts from 0 within this sweep, rejected and unmatched
    /// records included; `start` is the record's first byte in the window. The sink parses and judges it, and tallies
    /// its outcome itself.
    fn candidate(&mut self, number: u64, start: usize, record: &[u8]);
    /// The address of the candidate that comes next, where it is found by one: what judging it reads may be asked for ahead.
    fn expect(&mut self, _address: Address) {}
    /// A record that the filter ruled out, and marks; `number` as of a candidate. It is tallied already. Such records come in no order.
    fn missed(&mut self, _number: u64, _subject: Subject) {}
}

/// What a sweep counted itself. Records handed to the sink are in `records` only.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    /// Records that began in the swept stretch, rejected ones and candidates included.
    pub records: u64,
    /// Those that the filter ruled out.
    pub unmatched: u64,
    /// Those of them whose address is special, or whose prefix lies inside a special block.
    pub unmatched_special: u64,
    /// By [`Reject`] as index.
    pub rejected: [u64; Reject::ALL.len()],
    /// The first [`REJECTS_KEPT`] of this sweep, or all.
    pub rejected_first: Vec<RejectedRecord>,
    /// Every reject is kept with its position, not only the first.
    pub keeps_all_rejects: bool,
}

/// Where a record is that cannot be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RejectedRecord {
    /// Its number in the sweep, from 0.
    pub number: u64,
    /// Its first byte in the window.
    pub start: usize,
    /// Why it cannot be read.
    pub reason: Reject,
}

impl Tally {
    /// Counts a record; returns its number.
    pub fn count(&mut self) -> u64 {
        let number = self.records;
        self.records += 1;
        number
    }

    /// Counts the reject of record `number`, which is in `records` already.
    pub fn reject(&mut self, number: u64, start: usize, reason: Reject) {
        self.rejected[reason as usize] += 1;
        if self.keeps_all_rejects || self.rejected_first.len() < REJECTS_KEPT {
            self.rejected_first.push(RejectedRecord { number, start, reason });
        }
    }

    /// Counts a record, which is in `records` already, that the filter ruled out.
    pub fn miss(&mut self, subject: Option<Subject>) {
        self.unmatched += 1;
        self.unmatched_special += u64::from(subject.is_some_and(Subject::is_special));
    }
}

/// How a format reads a dump, for `preview`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Description {
    /// What stands between two fields, in delimited text.
    pub delimiter: Option<u8>,
    /// Columns in the header's order, or the keys that are looked for.
    pub columns: Vec<Column>,
}

/// A column or key of a dump.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Column {
    /// As the producer wrote it (untrusted), or the dotted path.
    pub name: String,
    /// What it is taken for: a [`Field`]'s name, or the format's own word (`success`); `None`: not looked at.
    pub taken_for: Option<&'static str>,
}

/// One dump being read in one format. Immutable; shared by all threads.
pub trait Format: Send + Sync {
    /// Where the first record may begin (after byte order mark and header), in the dump.
    fn body(&self) -> usize;

    /// Where the record that begins at `start` ends. `start` is a true start: [`Self::body`], or where an earlier
    /// frame said that reading goes on. Every `next` is greater than `start`.
    fn frame(&self, window: Window<'_>, start: usize) -> Frame;

    /// A likely true start at or after `at`; the window's end where none is seen. It only saves work: the chain of
    /// true starts decides.
    fn guess(&self, window: Window<'_>, at: usize) -> usize;

    /// The key fields of a record, read exactly and no further than `kinds`. `Err` in the order of DESIGN 4.2: key
    /// fields only, `no-key` included.
    fn keys<'r>(&self, record: &'r [u8], kinds: KeyKinds) -> Result<Keys<'r>, Reject>;

    /// The whole record: columns, encoding, json, duplicate-key, then exposure, port, time.
    fn findings<'r>(&'r self, record: &'r [u8]) -> Findings<'r>;

    /// A record as it may be written down: it reads the same, and where records hold secrets it holds none of them; empty
    /// where nothing can be read of one that may hold them.
    fn kept<'r>(&self, record: &'r [u8]) -> Cow<'r, [u8]> {
        Cow::Borrowed(record)
    }

    /// What it takes for what.
    fn describe(&self) -> Description;

    /// The values of [`Description::columns`] in one record, for `preview`; text is untrusted. Empty where the record
    /// cannot be read.
    fn values<'r>(&self, record: &'r [u8]) -> Vec<Option<Cow<'r, str>>>;

    /// Sweeps the records that begin in `starts`, whose start is a true one, with a fresh tally. Returns the first
    /// true start at or after `starts.end`, or that of the record in which the window gave out ([`Frame::More`]).
    ///
    /// This one is exact and slow. One that is faster must give the same in all respects.
    fn sweep(
        &self,
        window: Window<'_>,
        starts: Range<usize>,
        filter: &dyn Filter,
        sink: &mut dyn Sink,
        tally: &mut Tally,
    ) -> usize {
        sweep_frames(self, |at| self.frame(window, at), window, starts, filter, sink, tally)
    }
}

/// Tells the sink of a record that was ruled out, if the filter marks it.
pub(super) fn tell_missed(number: u64, subject: Option<Subject>, filter: &dyn Filter, sink: &mut dyn Sink) {
    if let Some(subject) = subject.filter(|&subject| filter.marks(subject)) {
        sink.missed(number, subject);
    }
}

/// The exact sweep over the frames that `frame` finds, which are those of [`Format::frame`].
pub(super) fn sweep_frames<F: Format + ?Sized>(
    format: &F,
    mut frame: impl FnMut(usize) -> Frame,
    window: Window<'_>,
    starts: Range<usize>,
    filter: &dyn Filter,
    sink: &mut dyn Sink,
    tally: &mut Tally,
) -> usize {
    let kinds = filter.kinds();
    let mut at = starts.start;
    while at < starts.end {
        at = match frame(at) {
            Frame::Record { record, next } => {
                let (number, start, record) = (tally.count(), record.start, &window.bytes[record]);
                match format.keys(record, kinds) {
                    Ok(keys) if filter.may_hold(&keys) => {
                        if let Some(Subject::Address(address)) = keys.subject {
                            sink.expect(address);
                        }
                        sink.candidate(number, start, record);
                    }
                    Ok(keys) => {
                        tally.miss(keys.subject);
                        tell_missed(number, keys.subject, filter, sink);
                    }
                    Err(reason) => tally.reject(number, start, reason),
                }
                next
            }
            Frame::Rejected { record_start, reason, next } => {
                let number = tally.count();
                tally.reject(number, record_start, reason);
                next
            }
            Frame::Blank { next } => next,
            Frame::More | Frame::End => break,
        };
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_read_by_its_name_only() {
        for field in Field::ALL {
            assert_eq!(Field::read(field.as_str()), Some(field));
            assert_eq!(Field::read(&field.as_str().to_uppercase()), None);
        }
        assert_eq!(Field::read(""), None);
        assert_eq!(Field::read("address "), None);
    }

    #[test]
    fn a_head_may_begin_with_a_byte_order_mark() {
        let head = |bytes| Head { bytes, at_end: true };
        assert_eq!(head(b"\xEF\xBB\xBFa").text(), b"a");
        assert_eq!(head(b"\xEF\xBB").text(), b"\xEF\xBB");
        assert_eq!(head(b"").mark_bytes(), 0);
    }

    #[test]
    fn only_the_first_rejects_are_kept() {
        let mut tally = Tally::default();
        for start in 0..REJECTS_KEPT + 3 {
            let number = tally.count();
            tally.reject(number, start, Reject::Quoting);
        }
        assert_eq!(tally.records, REJECTS_KEPT as u64 + 3);
        assert_eq!(tally.rejected[Reject::Quoting as usize], tally.records);
        assert_eq!(tally.rejected_first.len(), REJECTS_KEPT);
        assert_eq!(tally.rejected_first[1].start, 1);
    }
}
