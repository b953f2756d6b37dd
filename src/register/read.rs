//! Sources opened and read, in order of precedence.

use crate::register::delegated::Delegations;
use crate::register::merge::{Merge, Sink};
use crate::register::origins::Origins;
use crate::register::report::{FindingKind, Report};
use crate::register::ripe::Database;
use crate::register::shared::{self, SharedSpace};
use crate::register::source::{self, Kind, Source};
use crate::register::{Register, csv, delegated, jsonl, origins};
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Most sources of a register.
pub const SOURCES_MAX: usize = 65_535;
/// Longest CSV or JSONL, decompressed: it is read into memory whole.
pub const SOURCE_BYTES_MAX: u64 = 4 << 30;

/// How to read a register.
#[derive(Clone, Copy, Default)]
pub struct ReadOptions<'p> {
    /// Skip bad rows, and count them, where they would be fatal.
    pub keep_going: bool,
    /// Called about once for each MiB read.
    pub progress: Option<&'p dyn Fn(Progress)>,
}

/// How far reading is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// Position of the source.
    pub source: u16,
    /// Bytes of it that were read.
    pub bytes_read: u64,
    /// All its bytes.
    pub bytes_total: u64,
}

/// Why there is no register.
#[derive(Debug)]
pub enum RegisterError {
    /// A source that cannot be opened or read.
    Io {
        /// The source.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// A compressed source that is cut off or damaged.
    Damaged {
        /// The source.
        path: PathBuf,
        /// What is wrong with it.
        error: io::Error,
    },
    /// A source that is a directory.
    NotAFile {
        /// The source.
        path: PathBuf,
    },
    /// A source over [`SOURCE_BYTES_MAX`].
    TooLong {
        /// The source.
        path: PathBuf,
    },
    /// More than [`SOURCES_MAX`].
    TooManySources {
        /// How many there are.
        sources: usize,
    },
    /// Rows or files that cannot be used; which ones stand in the report.
    Bad(Box<Report>),
}

impl fmt::Display for RegisterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { path, error } if error.kind() == io::ErrorKind::NotFound => write!(
                f,
                "cannot read register source {}: there is no such file (a path in the configuration begins where its file is)",
                path.display()
            ),
            Self::Io { path, error } => write!(f, "cannot read register source {}: {error}", path.display()),
            Self::Damaged { path, error } => {
                write!(f, "register source {} is damaged: {error} (fetch it again)", path.display())
            }
            Self::NotAFile { path } => {
                write!(f, "register source {} is a directory (name its files one by one)", path.display())
            }
            Self::TooLong { path } => {
                write!(
                    f,
                    "register source {} is longer than {SOURCE_BYTES_MAX} bytes (split it)",
                    path.display()
                )
            }
            Self::TooManySources { sources } => {
                write!(f, "register has {sources} sources, more than {SOURCES_MAX} (put some together)")
            }
            Self::Bad(report) if report.findings.count(FindingKind::BadSource) > 0 => {
                let files = report.findings.count(FindingKind::BadSource);
                write!(f, "{files} register source(s) cannot be used at all (correct or leave them out)")
            }
            Self::Bad(report) => {
                let (bad, rows) = (report.bad_rows, report.rows);
                write!(
                    f,
                    "{bad} of {rows} register rows cannot be used (correct them, or skip them with --keep-going)"
                )
            }
        }
    }
}

impl std::error::Error for RegisterError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { error, .. } | Self::Damaged { error, .. } => Some(error),
            _ => None,
        }
    }
}

impl Register {
    /// Reads all sources; the earlier ones take precedence.
    ///
    /// A `.csv` is CSV, a `.jsonl` or `.ndjson` is JSONL; any other is known by its first line: RPSL (RIPE dumps), delegation
    /// statistics, tables of prefixes and AS numbers, JSONL, else CSV. A CSV with the columns `prefix` and `kind` lists shared addresses. All may be compressed with gzip.
    /// All sources are read even if one is bad, so that the report is whole. Memory: the largest CSV or JSONL, and what all say.
    pub fn read(sources: &[PathBuf], options: &ReadOptions<'_>) -> Result<(Self, Report), RegisterError> {
        check_sources(sources.len())?;
        let names: Vec<String> = sources.iter().map(|path| path.display().to_string()).collect();
        let mut reading = Reading::new(options);
        for (path, name) in sources.iter().zip(&names) {
            let source = Source::of_file(name, open(path)?);
            reading.read(name, source)?;
        }
        reading.finish()
    }

    /// Reads sources that are in memory: their names, and their bytes.
    pub fn read_bytes(
        sources: &[(&str, &[u8])],
        options: &ReadOptions<'_>,
    ) -> Result<(Self, Report), RegisterError> {
        check_sources(sources.len())?;
        let mut reading = Reading::new(options);
        for (name, bytes) in sources {
            reading.read(name, Source::of_bytes(name, bytes))?;
        }
        reading.finish()
    }
}

fn check_sources(sources: usize) -> Result<(), RegisterError> {
    if sources > SOURCES_MAX { Err(RegisterError::TooManySources { sources }) } else { Ok(()) }
}

fn open(path: &Path) -> Result<File, RegisterError> {
    let io_error = |error| RegisterError::Io { path: path.to_owned(), error };
    let file = File::open(path).map_err(io_error)?;
    match file.metadata().map_err(io_error)?.is_dir() {
        true => Err(RegisterError::NotAFile { path: path.to_owned() }),
        false => Ok(file),
    }
}

/// A register as far as its sources were read.
///
/// What files say of owners by themselves is put together source by source; what only makes sense together is kept until
/// the end: RIPE objects, which space is Dutch, who announces what.
struct Reading<'o, 'n> {
    options: &'o ReadOptions<'o>,
    sinks: Vec<Sink<'n>>,
    database: Database,
    delegations: Delegations,
    origins: Origins,
    shared: SharedSpace,
}

impl<'o: 'n, 'n> Reading<'o, 'n> {
    fn new(options: &'o ReadOptions<'o>) -> Self {
        let (database, delegations, origins, shared) = Default::default();
        Self { options, sinks: Vec::new(), database, delegations, origins, shared }
    }

    /// Reads the next source.
    fn read(&mut self, name: &'n str, source: io::Result<Source<'_>>) -> Result<(), RegisterError> {
        let failed = |error| match source::is_damage(&error) {
            true => RegisterError::Damaged { path: name.into(), error },
            false => RegisterError::Io { path: name.into(), error },
        };
        let mut source = source.map_err(failed)?;
        let progress = self.options.progress.unwrap_or(&|_| ());
        let mut sink = Sink::new(name, self.sinks.len() as u16, source.bytes, source.read.clone(), progress);
        match source.kind {
            Kind::Rpsl => self.database.read(&mut source.text, &mut self.origins, &mut sink),
            Kind::Delegated => delegated::read(&mut source.text, &mut self.delegations, &mut sink),
            Kind::Origins => origins::read(&mut source.text, &mut self.origins, &mut sink),
            Kind::Csv | Kind::Jsonl => read_table(name, source, &mut self.shared, &mut sink)?,
        }
        .map_err(failed)?;
        if sink.report.rows == 0 && sink.report.findings.count(FindingKind::BadSource) == 0 {
            sink.find(FindingKind::Empty, 1, || "file has no rows (is it cut off?)".to_owned());
        }
        self.sinks.push(sink);
        Ok(())
    }

    /// Puts all sources together.
    fn finish(mut self) -> Result<(Register, Report), RegisterError> {
        self.delegations.settle();
        self.origins.settle();
        self.shared.settle();
        let (decided, ripe) = self.database.decide(&self.delegations, &mut self.sinks);
        let mut merge = Merge::default();
        merge.report.ripe = ripe;
        self.sinks.into_iter().for_each(|sink| merge.add(sink));
        let bad_sources = merge.report.findings.count(FindingKind::BadSource);
        if bad_sources > 0 || (merge.report.bad_rows > 0 && !self.options.keep_going) {
            return Err(RegisterError::Bad(Box::new(merge.report)));
        }
        let assignments = decided.assignments(|id| merge.owner(id));
        let (mut register, report) = merge.finish();
        (register.assignments, register.delegations) = (assignments, self.delegations);
        (register.origins, register.shared) = (self.origins, self.shared);
        Ok((register, report))
    }
}

/// Reads a source of rows, which is read into memory whole.
fn read_table(
    name: &str,
    source: Source<'_>,
    shared: &mut SharedSpace,
    sink: &mut Sink<'_>,
) -> Result<io::Result<()>, RegisterError> {
    let mut bytes = Vec::with_capacity(source.bytes.min(SOURCE_BYTES_MAX) as usize + 1);
    if let Err(error) = source.text.take(SOURCE_BYTES_MAX + 1).read_to_end(&mut bytes) {
        return Ok(Err(error));
    }
    if bytes.len() as u64 > SOURCE_BYTES_MAX {
        return Err(RegisterError::TooLong { path: name.into() });
    }
    sink.report.bytes = bytes.len() as u64;
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    match text {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => {
            sink.find(FindingKind::BadSource, 1, || "file is UTF-16 (save it as UTF-8)".to_owned());
        }
        [b'P', b'K', 3, 4, ..] => {
            let wrong = "file is a spreadsheet or zip (save it as CSV, UTF-8)";
            sink.find(FindingKind::BadSource, 1, || wrong.to_owned());
        }
        text if source.kind == Kind::Jsonl => jsonl::read(text, sink),
        text if shared::is_shared(text) => shared::read(text, shared, sink),
        text => csv::read(text, sink),
    }
    Ok(Ok(()))
}
