//! Why a command did not do what was asked, and the exit code that says so (sysexits.h).

use crate::config::ConfigError;
use crate::index::{BuildError, OpenError, WriteError};
use crate::pipeline::{RunError, TemporaryError};
use crate::policy::TooMuch;
use crate::register::RegisterError;
use crate::scan::{DetectError, SourceErrorKind};
use crate::spool::SpoolError;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why a command failed.
#[derive(Debug)]
pub enum Failure {
    /// The arguments do not make sense together: 64.
    Usage(String),
    /// The configuration: 78, or 66 where a named file is missing.
    Config(ConfigError),
    /// A register file.
    Register(RegisterError),
    /// The index cannot be built.
    Build(BuildError),
    /// The index cannot be written.
    Write(WriteError),
    /// The index cannot be used.
    Open(OpenError),
    /// The index would move more than may move unasked: 65.
    Moves(TooMuch),
    /// A run.
    Run(RunError),
    /// The spool.
    Spool(SpoolError),
    /// A file of the command's own.
    File {
        /// The file.
        path: PathBuf,
        /// What was wanted of it.
        wanted: Wanted,
        /// Why not.
        error: io::Error,
    },
    /// Standard output. A reader who has had enough (`| head`) is no failure: 0. Where alerts are lost by it the run
    /// fails, and this is not asked.
    Output(io::Error),
    /// Input that cannot be read as what it should be: 65.
    Data(String),
    /// The daemon, or whoever asked it.
    Daemon {
        /// What is wrong.
        said: String,
        /// The exit code.
        code: u8,
    },
    /// Interrupted by this signal: 128 more.
    Interrupted(i32),
    /// One failure of several, which are all told already: its code.
    Told(u8),
}

/// What was wanted of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wanted {
    /// To read it.
    Read,
    /// To read what a dump's sender says of it: `--report`.
    Report,
    /// To create it.
    Create,
}

impl Failure {
    /// A file that could not be opened.
    pub(super) fn file(path: &Path, wanted: Wanted, error: io::Error) -> Self {
        Self::File { path: path.into(), wanted, error }
    }

    /// The process's exit code.
    pub fn code(&self) -> u8 {
        match self {
            Self::Usage(_) => 64,
            Self::Config(ConfigError::Read { error, .. }) if error.kind() == io::ErrorKind::NotFound => 66,
            Self::Config(ConfigError::Read { error, .. })
                if error.kind() == io::ErrorKind::PermissionDenied =>
            {
                77
            }
            Self::Config(_) => 78,
            Self::Register(error) => register_code(error),
            Self::Build(_) | Self::Data(_) | Self::Moves(_) => 65,
            Self::Write(error) => io_code(&error.error, 73),
            Self::Open(error) => open_code(error),
            Self::Run(error) => run_code(error),
            Self::Spool(error) => spool_code(error),
            Self::File { error, wanted: Wanted::Create, .. } => io_code(error, 73),
            Self::File { error, wanted: Wanted::Read | Wanted::Report, .. } => io_code(error, 74),
            Self::Output(error) if is_broken_pipe(error) => 0,
            Self::Output(error) => io_code(error, 74),
            Self::Interrupted(signal) => 128 + *signal as u8,
            Self::Told(code) | Self::Daemon { code, .. } => *code,
        }
    }

    /// There is nobody to tell, or it is told.
    pub fn is_silent(&self) -> bool {
        match self {
            Self::Told(_) => true,
            Self::Output(error) => is_broken_pipe(error),
            _ => false,
        }
    }
}

/// Who read the output has had enough of it, which is no news to anybody.
pub(super) fn is_broken_pipe(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe
}

fn io_code(error: &io::Error, other: u8) -> u8 {
    match error.kind() {
        io::ErrorKind::NotFound if other == 74 => 66,
        io::ErrorKind::IsADirectory if other == 74 => 66,
        io::ErrorKind::PermissionDenied => 77,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => 75,
        _ => other,
    }
}

fn register_code(error: &RegisterError) -> u8 {
    match error {
        RegisterError::Io { error, .. } => io_code(error, 74),
        RegisterError::NotAFile { .. } => 66,
        RegisterError::Damaged { .. }
        | RegisterError::TooLong { .. }
        | RegisterError::TooManySources { .. }
        | RegisterError::Bad(_) => 65,
    }
}

fn open_code(error: &OpenError) -> u8 {
    match error {
        OpenError::Io { error, .. } => io_code(error, 74),
        OpenError::NotAFile { .. } => 66,
        _ => 65,
    }
}

fn spool_code(error: &SpoolError) -> u8 {
    match error {
        SpoolError::CannotCreate { .. } | SpoolError::NoSafeRename { .. } => 73,
        SpoolError::System { .. } | SpoolError::Torn { .. } | SpoolError::NotDurable { .. } => 74,
        SpoolError::Full { .. } | SpoolError::Locked { .. } => 75,
        SpoolError::Refused { .. } | SpoolError::GroupRefused { .. } => 77,
        SpoolError::OtherFileSystem { .. }
        | SpoolError::NotDirectory { .. }
        | SpoolError::UnknownGroup { .. } => 78,
        SpoolError::Damaged { .. } | SpoolError::TooNew { .. } | SpoolError::OtherContent { .. } => 65,
        SpoolError::NoSpool { .. } | SpoolError::NoFlatDirectory { .. } | SpoolError::NotClaimed { .. } => 66,
        SpoolError::Name(_) | SpoolError::Unfinished { .. } => 70,
    }
}

pub(super) fn run_code(error: &RunError) -> u8 {
    match error {
        RunError::Source(error) => match error.kind() {
            SourceErrorKind::NoInput => 66,
            SourceErrorKind::Permission => 77,
            SourceErrorKind::Data => 65,
            SourceErrorKind::Changed => 75,
            SourceErrorKind::Cancelled => 130,
            SourceErrorKind::Io => 74,
        },
        RunError::Format(DetectError::Unknown { .. }) | RunError::Name(_) => 64,
        RunError::Format(_) | RunError::Report(_) | RunError::Limit { .. } => 65,
        RunError::Spool(error) => spool_code(error),
        RunError::Scratch(error) | RunError::Output(error) => io_code(error, 74),
        // Nobody asked to read it: that it is not there is no missing input.
        RunError::Temporary(TemporaryError { error, .. }) => io_code(error, 73),
        RunError::Changed => 75,
        RunError::Unbalanced(_) => 70,
        RunError::Cancelled => 130,
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(problem) | Self::Data(problem) | Self::Daemon { said: problem, .. } => {
                f.write_str(problem)
            }
            Self::Config(error) => error.fmt(f),
            Self::Register(error) => error.fmt(f),
            Self::Build(error) => error.fmt(f),
            Self::Write(error) => error.fmt(f),
            Self::Open(error) => error.fmt(f),
            Self::Moves(error) => error.fmt(f),
            Self::Run(error) => error.fmt(f),
            Self::Spool(error) => error.fmt(f),
            Self::File { path, wanted: Wanted::Read, error } => {
                write!(f, "{} cannot be read: {error}", path.display())
            }
            Self::File { path, wanted: Wanted::Report, error } => {
                let path = path.display();
                match error.kind() {
                    io::ErrorKind::NotFound => write!(
                        f,
                        "--report: there is no file {path} (name the TOML file that says what the dump is, or leave out --report)"
                    ),
                    _ => write!(
                        f,
                        "--report: {path} cannot be read: {error} (name a TOML file that this user may read)"
                    ),
                }
            }
            Self::File { path, wanted: Wanted::Create, error } => {
                write!(f, "{} cannot be created: {error}", path.display())
            }
            Self::Output(error) => write!(f, "output cannot be written: {error}"),
            Self::Interrupted(_) => f.write_str("interrupted; nothing of the dump at hand was published"),
            Self::Told(_) => f.write_str("failed"),
        }
    }
}

impl std::error::Error for Failure {}
