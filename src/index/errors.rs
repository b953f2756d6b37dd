//! Why an index cannot be built, written or opened.

use std::path::PathBuf;
use std::{fmt, io};

use super::layout::{INDEX_BYTES_MAX, RELISTED_MAX, VERSION};

/// Why no index could be built.
#[derive(Debug)]
pub enum BuildError {
    /// More of something than the format holds.
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// The limit.
        max: usize,
    },
    /// Ranges cross each other so often that the lists would outgrow [`RELISTED_MAX`]; reached at this row.
    Crossing {
        /// The file.
        source: String,
        /// The line.
        line: u32,
    },
    /// A registration or an organisation names an owner that the register does not have.
    OwnerMissing,
    /// The system gave no memory.
    Memory(io::Error),
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany { what, max } => {
                write!(f, "register is too large: more than {max} {what} (split it over several indexes)")
            }
            Self::Crossing { source, line } => write!(
                f,
                "{source}:{line}: too many ranges cross each other: more than {RELISTED_MAX} list entries \
                 (ranges of which neither holds the other should be rare; look for rows with wrong first or last addresses)"
            ),
            Self::OwnerMissing => {
                write!(f, "a registration names an owner that is not in the register (this is a bug)")
            }
            Self::Memory(error) => write!(f, "no memory for the index: {error}"),
        }
    }
}

impl std::error::Error for BuildError {}

/// Why an index could not be written.
#[derive(Debug)]
pub struct WriteError {
    /// The file that was being written.
    pub path: PathBuf,
    /// What was done to it.
    pub action: &'static str,
    /// What the system said.
    pub error: io::Error,
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {} {}: {}", self.action, self.path.display(), self.error)
    }
}

impl std::error::Error for WriteError {}

/// Why an index could not be opened.
#[derive(Debug)]
pub enum OpenError {
    /// The system refused something.
    Io {
        /// The index.
        path: PathBuf,
        /// What was done.
        action: &'static str,
        /// What the system said.
        error: io::Error,
    },
    /// A directory, a device or the like.
    NotAFile {
        /// The index.
        path: PathBuf,
    },
    /// Not what `index build` writes.
    NotAnIndex {
        /// The index.
        path: PathBuf,
    },
    /// Written by a newer version of the program.
    TooNew {
        /// The index.
        path: PathBuf,
        /// The version it has.
        version: u32,
    },
    /// Written by an older version of the program.
    TooOld {
        /// The index.
        path: PathBuf,
        /// The version it has.
        version: u32,
    },
    /// Larger than [`INDEX_BYTES_MAX`].
    TooLarge {
        /// The index.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// Not as it was written.
    Damaged {
        /// The index.
        path: PathBuf,
        /// What is wrong.
        what: &'static str,
    },
}

impl OpenError {
    /// Whether the file is there and can be read, but is no good (the others are the system's doing).
    #[must_use]
    pub fn is_bad_file(&self) -> bool {
        !matches!(self, Self::Io { .. } | Self::NotAFile { .. })
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { path, action, error } if error.kind() == std::io::ErrorKind::NotFound => {
                write!(
                    f,
                    "cannot {action} {}: there is no such file (dijkwacht index build -o FILE SOURCE… makes an index)",
                    path.display()
                )
            }
            Self::Io { path, action, error } => write!(f, "cannot {action} {}: {error}", path.display()),
            Self::NotAFile { path } => {
                write!(f, "{} is no regular file (name an index file)", path.display())
            }
            Self::NotAnIndex { path } => {
                write!(
                    f,
                    "{} is no index (make one with dijkwacht index build, or use --register)",
                    path.display()
                )
            }
            Self::TooNew { path, version } => write!(
                f,
                "index too new: {} has version {version}, this program reads version {VERSION} \
                 (use the dijkwacht that built it, or build it again with this one)",
                path.display()
            ),
            Self::TooOld { path, version } => write!(
                f,
                "index too old: {} has version {version}, this program reads version {VERSION} (build it again)",
                path.display()
            ),
            Self::TooLarge { path, bytes } => write!(
                f,
                "index too large: {} has {bytes} bytes, at most {INDEX_BYTES_MAX} are read",
                path.display()
            ),
            Self::Damaged { path, what } => {
                write!(f, "index is damaged: {}: {what} (build it again or restore it)", path.display())
            }
        }
    }
}

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { error, .. } => Some(error),
            _ => None,
        }
    }
}
