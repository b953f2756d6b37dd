//! Sources opened and read, in order of precedence.

use crate::register::merge::{Merge, Sink};
use crate::register::report::{FindingKind, Report};
use crate::register::{Register, csv, jsonl};
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Most sources of a register.
pub const SOURCES_MAX: usize = 65_535;
/// Longest source: it is read into memory whole.
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
            Self::Io { path, error } => write!(f, "cannot read register source {}: {error}", path.display()),
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
            Self::Io { error, .. } => Some(error),
            _ => None,
        }
    }
}

impl Register {
    /// Reads all sources; the earlier ones take precedence.
    ///
    /// A `.csv` is CSV, a `.jsonl` or `.ndjson` is JSONL; any other name is decided by whether the text begins with `{`.
    /// All sources are read even if one is bad, so that the report is whole. Memory: the largest source, and what it says.
    pub fn read(sources: &[PathBuf], options: &ReadOptions<'_>) -> Result<(Self, Report), RegisterError> {
        check_sources(sources.len())?;
        let mut merge = Merge::default();
        for (number, path) in sources.iter().enumerate() {
            let bytes = read_file(path)?;
            read_source(&path.display().to_string(), number, &bytes, options, &mut merge);
        }
        finish(merge, options)
    }

    /// Reads sources that are in memory: their names, and their bytes.
    pub fn read_bytes(
        sources: &[(&str, &[u8])],
        options: &ReadOptions<'_>,
    ) -> Result<(Self, Report), RegisterError> {
        check_sources(sources.len())?;
        let mut merge = Merge::default();
        for (number, (name, bytes)) in sources.iter().enumerate() {
            read_source(name, number, bytes, options, &mut merge);
        }
        finish(merge, options)
    }
}

fn check_sources(sources: usize) -> Result<(), RegisterError> {
    if sources > SOURCES_MAX { Err(RegisterError::TooManySources { sources }) } else { Ok(()) }
}

fn read_file(path: &Path) -> Result<Vec<u8>, RegisterError> {
    let io_error = |error| RegisterError::Io { path: path.to_owned(), error };
    let file = File::open(path).map_err(io_error)?;
    let metadata = file.metadata().map_err(io_error)?;
    if metadata.is_dir() {
        return Err(RegisterError::NotAFile { path: path.to_owned() });
    }
    let mut bytes = Vec::with_capacity(metadata.len().min(SOURCE_BYTES_MAX) as usize + 1);
    file.take(SOURCE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(io_error)?;
    if bytes.len() as u64 > SOURCE_BYTES_MAX {
        return Err(RegisterError::TooLong { path: path.to_owned() });
    }
    Ok(bytes)
}

fn finish(merge: Merge, options: &ReadOptions<'_>) -> Result<(Register, Report), RegisterError> {
    let bad_sources = merge.report.findings.count(FindingKind::BadSource);
    if bad_sources > 0 || (merge.report.bad_rows > 0 && !options.keep_going) {
        return Err(RegisterError::Bad(Box::new(merge.report)));
    }
    Ok(merge.finish())
}

/// Reads one source by its format.
fn read_source(name: &str, number: usize, bytes: &[u8], options: &ReadOptions<'_>, merge: &mut Merge) {
    let progress = options.progress.unwrap_or(&|_| ());
    let mut sink = Sink::new(name, number as u16, bytes.len(), progress);
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match text {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => {
            sink.find(FindingKind::BadSource, 1, || "file is UTF-16 (save it as UTF-8)".to_owned());
        }
        [b'P', b'K', 3, 4, ..] => {
            let wrong = "file is a spreadsheet or zip (save it as CSV, UTF-8)";
            sink.find(FindingKind::BadSource, 1, || wrong.to_owned());
        }
        text if is_jsonl(name, text) => jsonl::read(text, &mut sink),
        text => csv::read(text, &mut sink),
    }
    if sink.report.rows == 0 && sink.report.findings.count(FindingKind::BadSource) == 0 {
        sink.find(FindingKind::Empty, 1, || "file has no rows (is it cut off?)".to_owned());
    }
    merge.add(sink);
}

fn is_jsonl(name: &str, text: &[u8]) -> bool {
    let extension = Path::new(name).extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    match extension.to_ascii_lowercase().as_str() {
        "csv" => false,
        "jsonl" | "ndjson" => true,
        _ => matches!(text.trim_ascii_start().first(), Some(b'{' | b'[')),
    }
}
