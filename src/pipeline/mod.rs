//! One run, end to end: a dump in, its notices out, all at once or none.
//!
//! 1. open the dump, know its format, read its header;
//! 2. drive it through the matcher: each record that a registration is found for is parsed and decided ([`judge`]);
//! 3. name the run by the content's hash; look whether the spool has it;
//! 4. sort the matches by recipient; beyond a limit of the feed's fuse all of them are held; render their lines from the dump
//!    into a stage ([`render`]);
//! 5. look whether the dump changed, check the books, publish.
//!
//! Nothing here reads the clock, the environment or arguments: what a run decides is a function of [`Job`].

mod correct;
mod decider;
mod fuse;
mod group;
mod judge;
mod notices;
mod preview;
mod render;
mod replay;
mod report;
mod residual;
mod run;
mod sort;
mod source_report;
mod wide;

pub use correct::Correcting;
pub use decider::Claims;
pub use preview::{PREVIEW_ALERTS, Preview, preview};
pub use replay::{Replay, Replayed, ReplayedLine, replay_head, replay_record};
pub use report::{
    Books, BySeverity, CountBy, RecipientCount, RejectedAt, RunReport, State, Summary, Total, Unbalanced,
};
pub use run::{refuse, run, run_correction};
pub use sort::MATCHES_IN_MEMORY_MAX;
pub use source_report::SourceReport;

use crate::index::Index;
use crate::matcher::CHUNK_BYTES;
use crate::moment::Moment;
use crate::policy::{Catalogue, Copies, Fuse, InOffice, Provenance, Rulebook, SourceProtection};
use crate::scan::{
    DECOMPRESSED_BYTES_MAX, DetectError, Encoding, FormatOptions, Input, Io, SourceError, SourceErrorKind,
};
use crate::spool::{NameError, Spool, SpoolError};
use rayon::ThreadPool;
use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// One dump to be processed.
pub struct Job<'a> {
    /// Where it is read from.
    pub input: &'a Input,
    /// What it is called in messages and in the manifest.
    pub name: &'a str,
    /// The feed's name, where somebody says it; else it comes from the file's name or the format.
    pub feed: Option<&'a str>,
    /// What is known about a feed, once its name is.
    pub feeds: &'a (dyn Fn(&str) -> FeedFacts + Sync),
    /// When the run counts as *now*.
    pub run_time: Moment,
    /// When records without a time were observed: the text as given, and what it says.
    pub observed: Option<(&'a str, Moment)>,
    /// Publishes a dump again, on purpose, under another name.
    pub label: Option<&'a str>,
    /// Who warns at the run time.
    pub senders: &'a InOffice,
    /// What the operator decided about all feeds.
    pub rulebook: &'a Rulebook,
    /// The register, compiled.
    pub index: &'a Index,
    /// How bytes are read.
    pub reading: Reading,
    /// Unnamed files for what does not fit in memory go here where there is no stage to keep them in.
    pub scratch_directory: &'a Path,
    /// Set by anyone to stop: nothing is published then.
    pub cancelled: &'a Arc<AtomicBool>,
    /// Told now and then how far it is.
    pub progress: &'a (dyn Fn(Progress) + Sync),
    /// The spool whose earlier runs tell what is usual of a feed, where one is known.
    pub history: Option<&'a Path>,
    /// Counts what each owner would be sent, in a dry run.
    pub recipients: bool,
    /// Lists what is Dutch and nobody's beside the run's manifest in the spool.
    pub residual: bool,
    /// Gets each rejected record, one JSON object a line.
    pub rejects: Option<&'a mut (dyn Write + Send + Sync)>,
    /// Does what threads do together, for this run and perhaps for others; `None`: the pool of the calling thread.
    pub pool: Option<&'a ThreadPool>,
    /// Called once, when the dump is read to its end, by one of several runs at the same time: waits until those before it
    /// are over. What comes then is done in their order: the spool's past decides, and the output has one writer.
    pub turn: Option<&'a Turn<'a>>,
}

impl<'a> Job<'a> {
    /// A dump of which nothing is said but what must be: the feed is told by its name or format, times by its records, and nobody
    /// watches or waits. For one that is to be published, `history` is named too.
    pub fn new(
        input: &'a Input,
        name: &'a str,
        feeds: &'a (dyn Fn(&str) -> FeedFacts + Sync),
        against: Against<'a>,
        scratch_directory: &'a Path,
        cancelled: &'a Arc<AtomicBool>,
    ) -> Self {
        let Against { run_time, senders, rulebook, index } = against;
        Self {
            input,
            name,
            feed: None,
            feeds,
            run_time,
            observed: None,
            label: None,
            senders,
            rulebook,
            index,
            reading: Reading::default(),
            scratch_directory,
            cancelled,
            progress: &|_| {},
            history: None,
            recipients: false,
            residual: false,
            rejects: None,
            pool: None,
            turn: None,
        }
    }
}

/// What a dump is matched against and judged by, the same for all dumps of a call.
#[derive(Clone, Copy)]
pub struct Against<'a> {
    /// When the run counts as *now*.
    pub run_time: Moment,
    /// Who warns at the run time.
    pub senders: &'a InOffice,
    /// What the operator decided about all feeds.
    pub rulebook: &'a Rulebook,
    /// The register, compiled.
    pub index: &'a Index,
}

/// Waits until it is a run's turn.
pub type Turn<'a> = dyn Fn() -> Result<(), RunError> + Sync + 'a;

/// What configuration and command line say about a feed.
#[derive(Clone, Default)]
pub struct FeedFacts {
    /// Its format's name, where somebody says it.
    pub format: Option<String>,
    /// Text encoding, where it has no byte order mark.
    pub encoding: Option<Encoding>,
    /// Whose first line opens its encrypted dumps.
    pub password_file: Option<PathBuf>,
    /// How its dumps are read.
    pub options: FormatOptions,
    /// Its name for recipients; default: its name.
    pub label: Option<String>,
    /// Who provides it, where recipients may know.
    pub provider: Option<String>,
    /// What recipients are not told of it.
    pub protection: SourceProtection,
    /// How good it is, its label, and what may be done with it.
    pub provenance: Provenance,
    /// What the permission of the provenance is called, for the manifest.
    pub permission: Option<String>,
    /// RSIT type, whatever the format says.
    pub classification: Option<String>,
    /// Severity where the record says none.
    pub severity: Option<String>,
    /// Who else is told.
    pub copies: Copies,
    /// How much of it is sent before a person looks.
    pub fuse: Fuse,
    /// What is known of kinds of trouble.
    pub catalogue: Arc<Catalogue>,
    /// What the report beside the dump says, if it has one.
    pub report: Option<Arc<SourceReport>>,
}

/// How a dump's bytes are read. None of it changes a verdict.
#[derive(Clone, Copy)]
pub struct Reading {
    /// Mapped or read.
    pub io: Io,
    /// Bytes of a chunk.
    pub chunk_bytes: usize,
    /// Largest dump after decompression, bytes.
    pub decompressed_bytes_max: u64,
    /// Matches kept in memory.
    pub matches_in_memory_max: usize,
}

impl Default for Reading {
    fn default() -> Self {
        Self {
            io: Io::default(),
            chunk_bytes: CHUNK_BYTES,
            decompressed_bytes_max: DECOMPRESSED_BYTES_MAX,
            matches_in_memory_max: MATCHES_IN_MEMORY_MAX,
        }
    }
}

impl Reading {
    /// As usual, but for the largest dump.
    pub fn of_at_most(decompressed_bytes_max: u64) -> Self {
        Self { decompressed_bytes_max, ..Self::default() }
    }
}

/// A part of a run that takes its time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// The dump is opened, read to its end and matched; matches are sorted.
    Scan,
    /// Lines are written into the stage.
    Render,
    /// The stage is read back, made durable, and appears.
    Publish,
}

impl Stage {
    /// All, in their order.
    pub const ALL: [Self; 3] = [Self::Scan, Self::Render, Self::Publish];

    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scan => "scan",
            Self::Render => "render",
            Self::Publish => "publish",
        }
    }
}

/// How far a run is.
#[derive(Clone, Copy, Debug)]
pub enum Progress {
    /// A stage begins, and the one before it has ended. Who has a clock can time them.
    Began(Stage),
    /// Bytes of text that were scanned, and all there are where that is known.
    Scanned {
        /// So far.
        bytes: u64,
        /// Of.
        of: Option<u64>,
    },
    /// Lines that were rendered, of all matches.
    Rendered {
        /// So far.
        lines: u64,
        /// Of.
        of: u64,
    },
}

/// Where a run's alerts go.
pub enum Destination<'a> {
    /// The spool: all notices and held alerts, durably, at once.
    Spool(&'a Spool),
    /// The alerts, not the held ones, by owner_id and then record; nothing remembers the run.
    Output(&'a mut (dyn Write + Send)),
    /// Nowhere: everything but hashing, staging and publishing.
    DryRun,
}

/// Why a run failed. Nothing of it was published.
#[derive(Debug)]
pub enum RunError {
    /// The dump could not be read.
    Source(SourceError),
    /// Its format could not be known, or its header not be read.
    Format(DetectError),
    /// The report beside it cannot be used.
    Report(String),
    /// A feed, label or sender is called what it cannot be.
    Name(NameError),
    /// The spool refused.
    Spool(SpoolError),
    /// A temporary file of a stage could not be written or read.
    Scratch(io::Error),
    /// The same of one that has no stage to be kept in.
    Temporary(TemporaryError),
    /// The output could not be written.
    Output(io::Error),
    /// The dump is larger than can be numbered.
    Limit {
        /// What there is too much of.
        what: &'static str,
        /// How much may be.
        max: u64,
    },
    /// A record was not the same when it was read again.
    Changed,
    /// The books do not balance: a bug.
    Unbalanced(Unbalanced),
    /// Somebody stopped the run.
    Cancelled,
}

impl RunError {
    /// All that [`RunError::reason`] may say.
    pub const REASONS: [&'static str; 14] = [
        "input",
        "damaged",
        "changed",
        "format",
        "report",
        "limit",
        "spool",
        "full",
        "locked",
        "scratch",
        "output",
        "name",
        "bug",
        "cancelled",
    ];

    /// Why, as one word of a closed set: what is told apart needs another remedy.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Source(error) => match error.kind() {
                SourceErrorKind::NoInput | SourceErrorKind::Permission | SourceErrorKind::Io => "input",
                SourceErrorKind::Data => "damaged",
                SourceErrorKind::Changed => "changed",
                SourceErrorKind::Cancelled => "cancelled",
            },
            Self::Format(_) => "format",
            Self::Report(_) => "report",
            Self::Limit { .. } => "limit",
            Self::Spool(SpoolError::Full { .. }) => "full",
            Self::Spool(SpoolError::Locked { .. }) => "locked",
            Self::Spool(SpoolError::Name(_) | SpoolError::Unfinished { .. }) => "bug",
            Self::Spool(_) => "spool",
            Self::Scratch(error) | Self::Temporary(TemporaryError { error, .. }) if is_full(error) => "full",
            Self::Scratch(_) | Self::Temporary(_) => "scratch",
            Self::Output(_) => "output",
            Self::Changed => "changed",
            Self::Name(_) => "name",
            Self::Unbalanced(_) => "bug",
            Self::Cancelled => "cancelled",
        }
    }

    /// An output that failed, or the temporary file in which it waits.
    pub fn output(error: io::Error) -> Self {
        error.downcast().map_or_else(Self::Output, Self::Temporary)
    }

    fn scratch(error: io::Error) -> Self {
        Self::Scratch(error)
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source(error) => error.fmt(f),
            Self::Name(error) => error.fmt(f),
            Self::Format(error) => error.fmt(f),
            Self::Report(problem) => f.write_str(problem),
            Self::Spool(error) => error.fmt(f),
            Self::Scratch(error) => {
                write!(f, "a temporary file cannot be written or read: {error} (free some space)")
            }
            Self::Temporary(error) => error.fmt(f),
            Self::Output(error) => write!(f, "the output cannot be written: {error}"),
            Self::Limit { what, max } => write!(f, "more than {max} {what} (split the dump)"),
            Self::Changed => {
                f.write_str("the dump changed while it was read (try again when its writer is done)")
            }
            Self::Unbalanced(error) => error.fmt(f),
            Self::Cancelled => f.write_str("interrupted; nothing was published"),
        }
    }
}

impl std::error::Error for RunError {}

/// What is said of a temporary directory that failed, and of what can be done about it.
#[derive(Debug)]
pub struct TemporaryError {
    /// The directory.
    pub directory: PathBuf,
    /// Why it failed.
    pub error: io::Error,
}

impl std::error::Error for TemporaryError {}

impl fmt::Display for TemporaryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { directory, error } = self;
        let directory = directory.display();
        match is_full(error) {
            true => write!(
                f,
                "the temporary directory {directory} is full: {error} (free some space in it, or set TMPDIR to another)"
            ),
            false => write!(
                f,
                "the temporary directory {directory} cannot be used: {error} (set TMPDIR to one that can be written to)"
            ),
        }
    }
}

/// There is no room, whoever says so.
fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

impl From<SpoolError> for RunError {
    fn from(error: SpoolError) -> Self {
        Self::Spool(error)
    }
}

impl From<NameError> for RunError {
    fn from(error: NameError) -> Self {
        Self::Name(error)
    }
}

impl From<Unbalanced> for RunError {
    fn from(error: Unbalanced) -> Self {
        Self::Unbalanced(error)
    }
}
