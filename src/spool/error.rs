//! What can go wrong with a spool, each with its place and what to do about it.

use crate::text::show;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::names::NameError;

/// Why the spool could not do what it was asked; nothing was published in part.
///
/// The variants are as fine as the remedies; several share one exit code, which stands with each.
#[derive(Debug)]
pub enum SpoolError {
    /// The spool or a part of it cannot be made there (73).
    CannotCreate {
        /// What was to be made.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file system cannot rename without replacing, so that no commit could be trusted (73).
    NoSafeRename {
        /// The directory that was tried.
        path: PathBuf,
    },
    /// A system call failed (74).
    System {
        /// The verb: `write`, `make durable`.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A staged file does not read back as it was written (74).
    Torn {
        /// The staged file.
        path: PathBuf,
        /// What differs.
        reason: String,
    },
    /// The run was published, and stays published, but a power failure may take it back (74).
    NotDurable {
        /// The committed run.
        run: String,
        /// Why.
        source: Box<SpoolError>,
    },
    /// No space, or no quota, is left (75).
    Full {
        /// The verb.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Another process holds the spool's lock for longer than a commit takes (75).
    Locked {
        /// The lock.
        path: PathBuf,
    },
    /// The system refuses (77).
    Refused {
        /// The verb.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// This process may not give a directory to that group (77).
    GroupRefused {
        /// The directory.
        path: PathBuf,
        /// The group, by name or number.
        group: String,
    },
    /// Two directories that a rename must join lie on different file systems (78).
    OtherFileSystem {
        /// The one.
        path: PathBuf,
        /// The other.
        other: PathBuf,
    },
    /// Inside the spool stands something else, perhaps a symbolic link, where a directory belongs (78).
    NotDirectory {
        /// Its path.
        path: PathBuf,
    },
    /// The configuration gives a sender a group that does not exist (78).
    UnknownGroup {
        /// Whose group.
        sender: String,
        /// The name that was looked up.
        group: String,
    },
    /// A file of a published run is not what its manifest says, or the manifest cannot be read (65).
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A manifest is from a newer version of this program (65).
    TooNew {
        /// The manifest.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
    /// A run of this name exists, and is of another dump (65).
    OtherContent {
        /// The name both have.
        run: String,
        /// The manifest of the other.
        path: PathBuf,
    },
    /// There is no spool (66).
    NoSpool {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The flat directory to copy notices into is not there (66).
    NoFlatDirectory {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// Nobody holds this claim (66).
    NotClaimed {
        /// The name that was given.
        claim: String,
        /// Where a claim would be.
        path: PathBuf,
    },
    /// A name that cannot be a file name of the spool: what reads names should have refused it (70).
    Name(NameError),
    /// The stage cannot be published because of how it was written (70).
    Unfinished {
        /// The stage or the file in it.
        path: PathBuf,
        /// What was left undone.
        reason: String,
    },
}

/// A path of that many characters is shown whole.
const PATH_CHARS_MAX: usize = 4096;

/// A path for a message: names inside the spool may be a stranger's.
pub(super) fn shown(path: &Path) -> String {
    show(path.as_os_str().as_encoded_bytes(), PATH_CHARS_MAX)
}

impl SpoolError {
    /// Sorts a failed system call by what can be done about it.
    pub(super) fn system(
        action: &'static str,
        path: impl Into<PathBuf>,
        source: impl Into<io::Error>,
    ) -> Self {
        let (path, source) = (path.into(), source.into());
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { action, path, source },
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Self::Refused { action, path, source }
            }
            _ => Self::System { action, path, source },
        }
    }

    /// The same for what makes the spool itself: what has no better place is [`SpoolError::CannotCreate`].
    pub(super) fn create(path: impl Into<PathBuf>, source: impl Into<io::Error>) -> Self {
        match Self::system("create", path, source) {
            Self::System { path, source, .. } => Self::CannotCreate { path, source },
            sorted => sorted,
        }
    }

    pub(super) fn damaged(path: impl Into<PathBuf>, reason: impl Into<String>) -> Self {
        Self::Damaged { path: path.into(), reason: reason.into() }
    }

    pub(super) fn unfinished(path: impl Into<PathBuf>, reason: impl Into<String>) -> Self {
        Self::Unfinished { path: path.into(), reason: reason.into() }
    }
}

impl fmt::Display for SpoolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CannotCreate { path, source } => {
                write!(
                    f,
                    "cannot create the spool: {}: {source} (name a directory that can be made)",
                    shown(path)
                )
            }
            Self::NoSafeRename { path } => write!(
                f,
                "{}: this file system cannot rename without replacing (put the spool on a local one: ext4, xfs, btrfs, tmpfs)",
                shown(path)
            ),
            Self::System { action, path, source } => {
                write!(
                    f,
                    "cannot {action} {}: {source} (look at the disk and the kernel's log, then run again)",
                    shown(path)
                )
            }
            Self::Torn { path, reason } => {
                write!(
                    f,
                    "{}: {reason} (look at the disk and the memory; nothing was published)",
                    shown(path)
                )
            }
            Self::NotDurable { run, source } => {
                write!(f, "run {run} is published, but may not outlive a power failure: {source}")
            }
            Self::Full { action, path, source } => {
                write!(
                    f,
                    "cannot {action} {}: {source} (free space or raise the quota, then run again)",
                    shown(path)
                )
            }
            Self::Locked { path } => {
                write!(
                    f,
                    "{}: held by another process for too long (find it with `fuser`, or try again)",
                    shown(path)
                )
            }
            Self::Refused { action, path, source } => write!(
                f,
                "cannot {action} {}: {source} (give the spool to the user that runs this, or run as the user that owns it)",
                shown(path)
            ),
            Self::GroupRefused { path, group } => write!(
                f,
                "cannot give {} to group {group} (make the user that runs this a member of the group)",
                shown(path)
            ),
            Self::OtherFileSystem { path, other } => write!(
                f,
                "{} is on another file system than {}: nothing can be published by one rename (keep the spool on one)",
                shown(path),
                shown(other)
            ),
            Self::NotDirectory { path } => write!(
                f,
                "{}: not a directory of the spool's own, perhaps a symbolic link (make it a directory, or move the whole spool)",
                shown(path)
            ),
            Self::UnknownGroup { sender, group } => write!(
                f,
                "group {group} of sender {sender} is not in /etc/group (create it, or give its number in [spool] groups)"
            ),
            Self::Damaged { path, reason } => {
                write!(f, "{}: {reason} (restore it from a copy, or look into how it changed)", shown(path))
            }
            Self::TooNew { path, version } => write!(
                f,
                "{}: version {version} is newer than this program reads ({}) (upgrade dijkwacht)",
                shown(path),
                super::manifest::MANIFEST_VERSION
            ),
            Self::OtherContent { run, path } => write!(
                f,
                "run {run} is already there, of a dump with another content: {} (publish this one with --label)",
                shown(path)
            ),
            Self::NoSpool { path } => {
                write!(f, "{}: no spool is there (`dijkwacht match --spool` makes one)", shown(path))
            }
            Self::NoFlatDirectory { path } => {
                write!(
                    f,
                    "{}: no directory is there to copy notices into (make it, for the user that reads it)",
                    shown(path)
                )
            }
            Self::NotClaimed { claim, path } => write!(
                f,
                "{} is not claimed: {} is not there (`dijkwacht spool take` claims)",
                show(claim.as_bytes(), PATH_CHARS_MAX),
                shown(path)
            ),
            Self::Name(error) => write!(f, "{error}"),
            Self::Unfinished { path, reason } => {
                write!(
                    f,
                    "{}: {reason} (this is a bug, please report it; nothing was published)",
                    shown(path)
                )
            }
        }
    }
}

impl std::error::Error for SpoolError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::CannotCreate { source, .. }
            | Self::System { source, .. }
            | Self::Full { source, .. }
            | Self::Refused { source, .. } => Some(source),
            Self::NotDurable { source, .. } => Some(source),
            _ => None,
        }
    }
}

impl From<NameError> for SpoolError {
    fn from(error: NameError) -> Self {
        Self::Name(error)
    }
}
