//! What stands while it is not reloaded: configuration, index and spool, as one.
//!
//! A run holds one [`Standing`] from its first record to its last. A reload loads another beside it; only when all of that is
//! good is it put in place, for the runs that begin from then on.

use super::log::Log;
use crate::config::{Config, ConfigError};
use crate::index::{BuildError, Index, OpenError, WriteError};
use crate::moment::Moment;
use crate::policy::{TooMuch, check_change};
use crate::register::{ReadOptions, Register, RegisterError};
use crate::spool::{Spool, SpoolError, SpoolOptions};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Findings of a register that are put into the log.
const FINDINGS_TOLD_MAX: usize = 20;

/// Configuration, index and spool.
pub(super) struct Standing {
    pub(super) config: Config,
    pub(super) index: Index,
    pub(super) spool: Spool,
    pub(super) loaded: SystemTime,
    /// When the index was written, or compiled.
    pub(super) built: SystemTime,
    /// How long that took, where we compiled it.
    pub(super) build_time: Option<Duration>,
    /// The sources as they were before they were read.
    pub(super) sources: Vec<SourceStamp>,
}

/// A register source as the file system tells it; `None`: it cannot be looked at.
pub(super) type SourceStamp = Option<(u64, SystemTime)>;

/// Why the daemon cannot start, or a reload keeps what stood.
#[derive(Debug)]
pub enum ServeError {
    /// The configuration.
    Config(ConfigError),
    /// The configuration lacks what a daemon needs.
    Lacking {
        /// The configuration file.
        config: PathBuf,
        /// What to add.
        what: &'static str,
    },
    /// A register source.
    Register(RegisterError),
    /// The index cannot be built.
    Build(BuildError),
    /// The index cannot be written.
    Write(WriteError),
    /// The index cannot be used.
    Open(OpenError),
    /// The index that was built would move more than may move unasked.
    Moves(TooMuch),
    /// The spool or the inbox.
    Spool(SpoolError),
    /// The address cannot be listened on.
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        error: io::Error,
    },
    /// Threads, timers or signals: the system lacks something.
    System(io::Error),
    /// Nobody answered `dijkwacht status`.
    NoAnswer {
        /// Who was asked.
        address: SocketAddr,
        /// Why.
        error: io::Error,
    },
    /// A thread of the daemon panicked: a bug.
    Panicked,
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => error.fmt(f),
            Self::Lacking { config, what } => write!(f, "{}: {what}", config.display()),
            Self::Register(error) => error.fmt(f),
            Self::Build(error) => error.fmt(f),
            Self::Write(error) => error.fmt(f),
            Self::Open(error) => error.fmt(f),
            Self::Moves(error) => write!(f, "{error}; then SIGHUP"),
            Self::Spool(error) => error.fmt(f),
            Self::Listen { address, error } => {
                write!(f, "cannot listen on {address}: {error} (choose another in [metrics] listen)")
            }
            Self::System(error) => write!(f, "the daemon cannot start: {error}"),
            Self::NoAnswer { address, error } => {
                write!(f, "the daemon at {address} does not answer: {error} (is it running?)")
            }
            Self::Panicked => {
                f.write_str("the daemon's desk panicked (a bug: please report it with the log)")
            }
        }
    }
}

impl std::error::Error for ServeError {}

impl Standing {
    /// Reads the configuration and all that it names.
    pub(super) fn load(path: &Path, log: &Log) -> Result<Self, ServeError> {
        let config = Config::read(path).map_err(ServeError::Config)?;
        let lacking = |what| ServeError::Lacking { config: path.into(), what };
        config.inbox.as_ref().ok_or_else(|| lacking("[inbox] path is missing: where do dumps arrive?"))?;
        let spool =
            config.spool.as_ref().ok_or_else(|| lacking("[spool] path is missing: where do notices go?"))?;
        let sources = config.sources.iter().map(|source| stamp(source)).collect();
        let Loaded { index, built, build_time } = load_index(&config, log)?
            .ok_or_else(|| lacking("[register] names neither an index nor sources: who owns what?"))?;
        let options = SpoolOptions { groups: config.groups.clone(), waits: None };
        let spool = Spool::open(spool, &options).map_err(ServeError::Spool)?;
        Ok(Self { config, index, spool, loaded: SystemTime::now(), built, build_time, sources })
    }

    /// The sources, if one is not what it was when the index was built; `None` too where that is not to be looked at.
    pub(super) fn changed_sources(&self) -> Option<Vec<SourceStamp>> {
        if !self.config.rebuild {
            return None;
        }
        let now: Vec<_> = self.config.sources.iter().map(|source| stamp(source)).collect();
        (now != self.sources).then_some(now)
    }
}

fn stamp(source: &Path) -> SourceStamp {
    let metadata = source.metadata().ok()?;
    Some((metadata.len(), metadata.modified().ok()?))
}

struct Loaded {
    index: Index,
    built: SystemTime,
    build_time: Option<Duration>,
}

fn load_index(config: &Config, log: &Log) -> Result<Option<Loaded>, ServeError> {
    match &config.index {
        Some(path) if config.rebuild && is_older(path, &config.sources) => {
            let loaded = compile(&config.sources, log)?;
            let today = Moment::of_clock(SystemTime::now()).day();
            check_change(path, &loaded.index, today, config.change_max, None).map_err(ServeError::Moves)?;
            loaded.index.write_after(path).map_err(ServeError::Write)?;
            Ok(Some(loaded))
        }
        Some(path) => {
            let index = Index::open(path).map_err(ServeError::Open)?;
            let built = path.metadata().and_then(|metadata| metadata.modified());
            Ok(Some(Loaded { index, built: built.unwrap_or_else(|_| SystemTime::now()), build_time: None }))
        }
        None if config.sources.is_empty() => Ok(None),
        None => compile(&config.sources, log).map(Some),
    }
}

/// Whether the index is missing, or not written after the last change of each source. A source that was changed in the same
/// instant counts as newer.
fn is_older(index: &Path, sources: &[PathBuf]) -> bool {
    let modified = |path: &Path| path.metadata().and_then(|metadata| metadata.modified());
    let Ok(built) = modified(index) else { return true };
    sources.iter().any(|source| modified(source).map_or(true, |changed| changed >= built))
}

fn compile(sources: &[PathBuf], log: &Log) -> Result<Loaded, ServeError> {
    let started = SystemTime::now();
    let read = Register::read(sources, &ReadOptions::default());
    let report = match &read {
        Ok((_, report)) => Some(report),
        Err(RegisterError::Bad(report)) => Some(&**report),
        Err(_) => None,
    };
    for finding in report.iter().flat_map(|report| report.findings.iter()).take(FINDINGS_TOLD_MAX) {
        log.warn(finding.to_string(), &[]);
    }
    let (register, _) = read.map_err(ServeError::Register)?;
    let index = Index::build(&register).map_err(ServeError::Build)?;
    let built = SystemTime::now();
    Ok(Loaded { index, built, build_time: Some(built.duration_since(started).unwrap_or_default()) })
}
