//! What a dump format can do, and the exact sweep that every fast one is tested against.

use super::record::{Findings, Reject};
use crate::net::Asn;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

pub use super::record::Subject;

/// The first bytes of a dump, for detection and headers: up to [`HEAD_BYTES_MAX`], UTF-8 (or declared bytes) with the BOM kept.
pub struct Head<'d> {
    pub bytes: &'d [u8],
    /// The head is the whole dump.
    pub at_end: bool,
}

/// What kinds of key the index holds; a record is judged no further than these.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct KeyKinds {
    pub addresses: bool,
    pub names: bool,
    pub asns: bool,
}

/// The keys of one record.
pub struct Keys<'r> {
    pub subject: Option<Subject>,
    /// Filled only if asked by [`KeyKinds`].
    pub stated: Option<Cow<'r, str>>,
    pub shown: Option<Cow<'r, str>>,
    pub asn: Option<Asn>,
}

/// Which rows of a feed are taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Take {
    Vulnerable,
    #[default]
    Exposed,
    All,
}

/// A field that `--map` can name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Field {
    Address,
    Port,
    Transport,
    Time,
    Identifier,
    Severity,
    Cve,
    Tlp,
    Asn,
    Application,
    Name,
    ShownName,
    ReverseName,
    Tag,
}

/// What a feed or the command line says about reading a dump.
#[derive(Clone, Default)]
pub struct FormatOptions {
    /// `--map` and the feed's `map`: field to column name or dotted path.
    pub map: BTreeMap<Field, String>,
    /// The report type from a Shadowserver file name, or identifier if that is a type of the schema.
    pub report_type: Option<String>,
    /// `--identifier`, else the feed's.
    pub identifier: Option<String>,
    /// The feed says that a port scan's answer is itself a finding.
    pub finding: bool,
    pub take: Take,
    pub time_style: Option<std::sync::Arc<crate::moment::TimeStyle>>,
    /// Longest record, bytes; longer is `too-long`. Default 1 MiB.
    pub record_bytes_max: usize,
}

/// A format as its module offers it. Adding a format is one file and one line in `FORMATS`.
pub struct FormatSpec {
    pub name: &'static str,
    /// Whether the head looks like it, by content alone. FORMATS is asked in order; first fit wins.
    pub fits: fn(&Head<'_>) -> bool,
    /// Reads the header, if any; a bad one is an error (exit 65) with the remedy.
    pub open: fn(&Head<'_>, &FormatOptions) -> Result<Box<dyn Format>, FormatError>,
}

/// Why a dump cannot be read in a format at all.
#[derive(Debug)]
pub enum FormatError {
    Header { reason: Reject, remedy: String },
}

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
    Record { record: Range<usize>, next: usize },
    /// No record: empty line, comment, bracket, separator.
    Blank { next: usize },
    /// A record whose border cannot be found (`too-long`, `quoting`); reading resumes at `next`.
    Rejected { record_start: usize, reason: Reject, next: usize },
    /// The window ends inside; more bytes are needed. Never where `at_end`.
    More,
    /// Nothing follows. Only where `at_end` and the position is the end.
    End,
}

/// Proves that records match nothing. Implemented by the matcher over the index.
pub trait Filter: Sync {
    fn kinds(&self) -> KeyKinds;
    /// Whether a registration may be found by these keys; `false` is final.
    fn may_hold(&self, keys: &Keys<'_>) -> bool;
    /// The same for a batch of IPv4 addresses, at most 64: bit i of the answer for `addresses[i]`.
    fn may_hold_v4(&self, addresses: &[u32]) -> u64;
    /// The same for a batch of IPv6 addresses (not mapped ones), at most 64.
    fn may_hold_v6(&self, addresses: &[u128]) -> u64;
}

/// Takes what a sweep finds.
pub trait Sink {
    /// A record that the filter did not rule out. `number` counts from 0 within this sweep; `start` is the record's
    /// first byte in the window. The sink parses and judges it, and tallies its outcome itself.
    fn candidate(&mut self, number: u64, start: usize, record: &[u8]);
}

/// What a sweep counted itself. Records handed to the sink are in `records` only.
#[derive(Clone, Default)]
pub struct Tally {
    pub records: u64,
    pub unmatched: u64,
    pub unmatched_special: u64,
    /// By [`Reject`] as index.
    pub rejected: [u64; 11],
    /// First [`REJECTS_KEPT`] of this sweep: number (from 0), start in the window, reason.
    pub rejected_first: Vec<(u64, usize, Reject)>,
}

/// One dump being read in one format. Immutable; shared by all threads.
pub trait Format: Send + Sync {
    /// Where the first record may begin (after BOM and header), in the dump.
    fn body(&self) -> usize;
    /// Where the record that begins at `start` ends. `start` is a true record start.
    fn frame(&self, window: Window<'_>, start: usize) -> Frame;
    /// A likely record start at or after `at`: a guess that saves work. The chain of true starts decides.
    fn guess(&self, window: Window<'_>, at: usize) -> usize;
    /// The key fields of a record, read exactly. `Err` in the order border, key fields.
    fn keys<'r>(&self, record: &'r [u8], kinds: KeyKinds) -> Result<Keys<'r>, Reject>;
    /// The whole record: columns, encoding, json, duplicate-key, then exposure, port, time.
    fn findings<'r>(&self, record: &'r [u8]) -> Findings<'r>;
    /// Sweeps the records that begin in `starts.start..starts.end`; `starts.start` is a record start. Returns where the first
    /// record at or after `starts.end` begins, or where the window gave out ([`Frame::More`]).
    fn sweep(
        &self,
        window: Window<'_>,
        starts: Range<usize>,
        filter: &dyn Filter,
        sink: &mut dyn Sink,
        tally: &mut Tally,
    ) -> usize {
        todo!("exact loop over frame and keys")
    }
}
