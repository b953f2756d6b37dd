//! Where a dump comes from: a file that is mapped, or a stream.
//!
//! [`Source::open`] takes a regular file or standard input and finds out what it is by its first bytes, never by its
//! name. A plain file in UTF-8 is mapped whole ([`Content::Mapped`]); anything else is read once, from front to back
//! ([`Content::Stream`]). At the end of a run, [`Source::unchanged`] says whether the dump is still the one that was
//! opened: what was read is worth nothing if it is not.

use super::encoding::Encoding;
use super::format::{HEAD_BYTES_MAX, Head};
use super::mapped::Mapped;
use super::packed::{FlawKind, Foreign, MAGIC_BYTES, Packing, foreign_packing};
use super::stream::Stream;
use crate::text;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fmt;
use std::fs::{File, FileType, Metadata, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Largest dump by default, decompressed bytes: 1 TiB.
pub const DECOMPRESSED_BYTES_MAX: u64 = 1 << 40;

/// Largest dump that stays in the page cache after [`Io::Mmap`], bytes: a larger one would push out what others need there, and most of
/// itself.
pub(super) const CACHED_BYTES_MAX: u64 = 4 << 30;

/// How a plain file is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Io {
    /// As memory; one larger than [`CACHED_BYTES_MAX`] as [`Io::MmapOnce`].
    #[default]
    Mmap,
    /// As memory that is let go of behind the reader, but for what was there before: it is read once.
    MmapOnce,
    /// As a stream.
    Read,
}

/// What a dump is read from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Input {
    /// A regular file, or a link to one.
    File(PathBuf),
    /// A file that somebody else put there: a regular one with no other name, not reached through a link.
    Arrived(PathBuf),
    /// Standard input.
    Stdin,
}

impl Input {
    /// As an argument says it: `-` is standard input.
    pub fn of_argument(argument: &OsStr) -> Self {
        if argument == "-" { Self::Stdin } else { Self::File(argument.into()) }
    }
}

/// How a dump is opened.
#[derive(Clone, Debug)]
pub struct SourceOptions {
    /// How a plain file is read.
    pub io: Io,
    /// The encoding that is declared; a byte order mark is stronger.
    pub encoding: Option<Encoding>,
    /// Largest dump, decompressed bytes. Default [`DECOMPRESSED_BYTES_MAX`].
    pub decompressed_bytes_max: u64,
    /// Highest compression ratio beyond [`RATIO_FREE_BYTES`](super::RATIO_FREE_BYTES). Default
    /// [`Packing::ratio_max`].
    pub ratio_max: Option<u64>,
    /// Whose first line opens an encrypted zip file; read only where a dump is a zip file.
    pub password_file: Option<PathBuf>,
    /// Where the content of a transcoded dump is hashed to, what comes before it already in; `None`: it is not.
    pub raw_hasher: Option<blake3::Hasher>,
    /// Set by anyone to stop waiting for a pipe that nobody writes to.
    pub cancelled: Option<Arc<AtomicBool>>,
}

impl Default for SourceOptions {
    fn default() -> Self {
        Self {
            io: Io::default(),
            encoding: None,
            decompressed_bytes_max: DECOMPRESSED_BYTES_MAX,
            ratio_max: None,
            password_file: None,
            raw_hasher: None,
            cancelled: None,
        }
    }
}

/// An opened dump.
pub struct Source {
    /// Its text.
    pub content: Content,
    origin: Arc<Origin>,
}

/// The text of a dump.
pub enum Content {
    /// A plain file in UTF-8, whole and in memory.
    Mapped(Mapped),
    /// Anything else, in pieces.
    Stream(Stream),
}

impl Source {
    /// Opens a dump and reads as much of it as is needed to know compression and encoding.
    pub fn open(input: &Input, options: SourceOptions) -> Result<Self, SourceError> {
        let origin = Arc::new(match input {
            Input::File(path) => Origin::open(path, Links::Followed)?,
            Input::Arrived(path) => Origin::open(path, Links::Refused)?,
            Input::Stdin => Origin::stdin(options.cancelled.clone())?,
        });
        let content = match origin.map(&options)? {
            Some(mapped) => Content::Mapped(mapped),
            None => Content::Stream(Stream::new(origin.clone(), options)?),
        };
        Ok(Self { content, origin })
    }

    /// The beginning of the text; to be asked before the stream is read.
    pub fn head(&mut self) -> Result<Head<'_>, SourceError> {
        match &mut self.content {
            Content::Stream(stream) => stream.head(),
            Content::Mapped(mapped) => {
                let bytes = mapped.bytes();
                Ok(Head {
                    bytes: &bytes[..bytes.len().min(HEAD_BYTES_MAX)],
                    at_end: bytes.len() <= HEAD_BYTES_MAX,
                })
            }
        }
    }

    /// Whether its bytes are better not asked for again: they are gone, or would come from the disk.
    pub fn is_read_once(&self) -> bool {
        match &self.content {
            Content::Mapped(mapped) => mapped.is_once(),
            Content::Stream(_) => true,
        }
    }

    /// How the dump writes text.
    pub fn encoding(&self) -> Encoding {
        match &self.content {
            Content::Mapped(_) => Encoding::Utf8,
            Content::Stream(stream) => stream.encoding(),
        }
    }

    /// How the dump is compressed.
    pub fn packing(&self) -> Option<Packing> {
        match &self.content {
            Content::Mapped(_) => None,
            Content::Stream(stream) => stream.packing(),
        }
    }

    /// The size of the file as stored, bytes; `None` for a pipe.
    pub fn stored_bytes(&self) -> Option<u64> {
        self.origin.stamp.map(|stamp| stamp.bytes)
    }

    /// The dump as messages call it.
    pub fn name(&self) -> &str {
        &self.origin.name
    }

    /// Whether the dump is still the one that was opened: same size, modification time and inode, under its name
    /// too, and nothing of its map went missing. To be asked after the last read.
    pub fn unchanged(&self) -> Result<(), SourceError> {
        self.origin.unchanged()?;
        match &self.content {
            Content::Mapped(mapped) if mapped.shrunk() => {
                let error = io::Error::from_raw_os_error(rustix::io::Errno::IO.raw_os_error());
                Err(SourceError::Io { dump: self.origin.name.clone(), error })
            }
            _ => Ok(()),
        }
    }
}

/// The file behind a dump.
pub(super) struct Origin {
    /// For messages, escaped.
    pub(super) name: String,
    pub(super) file: File,
    path: Option<PathBuf>,
    links: Links,
    /// `None`: a pipe, of which nothing is known.
    stamp: Option<Stamp>,
    /// Whether nobody waits for a pipe any more.
    cancelled: Option<Arc<AtomicBool>>,
}

/// How long a pipe is waited for between two looks at whether anybody still wants it.
const WAIT: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// What becomes of a link, symbolic or hard.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Links {
    Followed,
    Refused,
}

impl Links {
    fn metadata(self, path: &Path) -> io::Result<Metadata> {
        match self {
            Self::Followed => std::fs::metadata(path),
            Self::Refused => std::fs::symlink_metadata(path),
        }
    }

    /// Whoever put a file there may write it under another name as well.
    fn refuse_other_names(self, name: &str, metadata: &Metadata) -> Result<(), SourceError> {
        match self {
            Self::Refused if metadata.nlink() != 1 => Err(SourceError::NotAFile {
                dump: name.to_owned(),
                what: "a file of several names (hard links)",
            }),
            _ => Ok(()),
        }
    }

    fn open_flags(self) -> rustix::fs::OFlags {
        match self {
            Self::Followed => rustix::fs::OFlags::empty(),
            Self::Refused => rustix::fs::OFlags::NOFOLLOW,
        }
    }
}

/// What tells that a file was not written to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Stamp {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
}

impl Stamp {
    fn of(metadata: &Metadata) -> Option<Self> {
        metadata.is_file().then(|| Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            bytes: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        })
    }
}

/// Longest name of a dump in a message, characters.
const NAME_CHARACTERS_MAX: usize = 512;

impl Origin {
    fn open(path: &Path, links: Links) -> Result<Self, SourceError> {
        let name = text::show(path.as_os_str().as_bytes(), NAME_CHARACTERS_MAX);
        let failed = |error| SourceError::of_open(name.clone(), error);
        // Looked at before it is opened: opening a device can do something.
        refuse_irregular(&name, links.metadata(path).map_err(failed)?.file_type())?;
        // Without waiting, should it have become a pipe meanwhile. A regular file does not care.
        let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY | links.open_flags();
        let file =
            OpenOptions::new().read(true).custom_flags(flags.bits() as i32).open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        refuse_irregular(&name, metadata.file_type())?;
        links.refuse_other_names(&name, &metadata)?;
        let (stamp, path) = (Stamp::of(&metadata), Some(path.to_owned()));
        Ok(Self { stamp, path, links, file, name, cancelled: None })
    }

    fn stdin(cancelled: Option<Arc<AtomicBool>>) -> Result<Self, SourceError> {
        let name = "standard input".to_owned();
        let failed = |error: io::Error| SourceError::Io { dump: name.clone(), error };
        // A descriptor of its own, since the standard library's reader buffers.
        let file = File::from(rustix::io::dup(io::stdin()).map_err(|error| failed(error.into()))?);
        let metadata = file.metadata().map_err(failed)?;
        if metadata.is_dir() {
            refuse_irregular(&name, metadata.file_type())?;
        }
        Ok(Self { stamp: Stamp::of(&metadata), path: None, links: Links::Followed, file, name, cancelled })
    }

    /// Waits until a read does not, or until nobody wants it.
    pub(super) fn wait(&self) -> Result<(), SourceError> {
        let (None, Some(cancelled)) = (self.stamp, &self.cancelled) else { return Ok(()) };
        let mut file = [PollFd::new(&self.file, PollFlags::IN)];
        loop {
            if cancelled.load(Ordering::Relaxed) {
                return Err(SourceError::Cancelled { dump: self.name.clone() });
            }
            match poll(&mut file, Some(&WAIT)) {
                Ok(0) | Err(Errno::INTR) => {}
                Ok(_) => return Ok(()),
                Err(error) => return Err(SourceError::Io { dump: self.name.clone(), error: error.into() }),
            }
        }
    }

    /// The map of a file that can be read as it is.
    fn map(&self, options: &SourceOptions) -> Result<Option<Mapped>, SourceError> {
        let (Some(stamp), Some(_)) = (self.stamp, &self.path) else { return Ok(None) };
        let mut first = [0; MAGIC_BYTES];
        let first = self.first_bytes(&mut first)?;
        let encoding = Encoding::of_mark(first).or(options.encoding).unwrap_or_default();
        let packed = Packing::of_magic(first).is_some() || foreign_packing(first).is_some();
        if options.io == Io::Read || packed || encoding != Encoding::Utf8 {
            return Ok(None);
        }
        if stamp.bytes > options.decompressed_bytes_max {
            return Err(self.too_large(options.decompressed_bytes_max));
        }
        let is_once = options.io == Io::MmapOnce || stamp.bytes > CACHED_BYTES_MAX;
        match Mapped::new(&self.file, stamp.bytes) {
            Ok(mapped) if is_once => {
                let failed = |error| SourceError::Io { dump: self.name.clone(), error };
                Ok(Some(mapped.once(self.file.try_clone().map_err(failed)?)))
            }
            Ok(mapped) => Ok(Some(mapped)),
            // Too many maps, or a file system that cannot: the dump is read instead.
            Err(_) => Ok(None),
        }
    }

    fn first_bytes<'b>(&self, buffer: &'b mut [u8]) -> Result<&'b [u8], SourceError> {
        let mut length = 0;
        while length < buffer.len() {
            match self.file.read_at(&mut buffer[length..], length as u64) {
                Ok(0) => break,
                Ok(read) => length += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(SourceError::Io { dump: self.name.clone(), error }),
            }
        }
        Ok(&buffer[..length])
    }

    pub(super) fn too_large(&self, bytes_max: u64) -> SourceError {
        SourceError::TooLarge { dump: self.name.clone(), bytes_max }
    }

    pub(super) fn unchanged(&self) -> Result<(), SourceError> {
        let Some(opened) = self.stamp else { return Ok(()) };
        let failed = |error| SourceError::Io { dump: self.name.clone(), error };
        let changed = |change| Err(SourceError::Changed { dump: self.name.clone(), change });
        let now = Stamp::of(&self.file.metadata().map_err(failed)?);
        if now != Some(opened) {
            return changed(Change::Written);
        }
        let Some(path) = &self.path else { return Ok(()) };
        match self.links.metadata(path) {
            Ok(metadata) if (metadata.dev(), metadata.ino()) == (opened.device, opened.inode) => Ok(()),
            Ok(_) => changed(Change::Replaced),
            Err(error) if is_missing(&error) => changed(Change::Gone),
            Err(error) => Err(failed(error)),
        }
    }
}

fn refuse_irregular(name: &str, kind: FileType) -> Result<(), SourceError> {
    let what = match kind {
        _ if kind.is_file() => return Ok(()),
        _ if kind.is_dir() => "a directory",
        _ if kind.is_fifo() => "a pipe",
        _ if kind.is_socket() => "a socket",
        _ if kind.is_symlink() => "a symbolic link",
        _ => "a device",
    };
    Err(SourceError::NotAFile { dump: name.to_owned(), what })
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// How a dump changed while it was read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// Its size or modification time is another.
    Written,
    /// Its name is that of another file.
    Replaced,
    /// Its name is nobody's.
    Gone,
}

/// Why a dump cannot be read, or not to its end. Nothing of it may be published.
#[derive(Debug)]
pub enum SourceError {
    /// There is no such file.
    NotFound {
        /// The dump's name, escaped; so in all of these.
        dump: String,
    },
    /// It may not be read.
    Permission {
        /// The dump.
        dump: String,
    },
    /// It is no regular file.
    NotAFile {
        /// The dump.
        dump: String,
        /// What it is.
        what: &'static str,
    },
    /// It is compressed or archived in a way that is not read.
    Foreign {
        /// The dump.
        dump: String,
        /// In which way.
        foreign: Foreign,
    },
    /// The file with its password cannot be read.
    Password {
        /// The dump.
        dump: String,
        /// The password's file, escaped.
        file: String,
        /// Why.
        error: io::Error,
    },
    /// Its compressed bytes are not whole.
    Flawed {
        /// The dump.
        dump: String,
        /// How it is compressed.
        packing: Packing,
        /// Where in the stored file, in bytes, as near as can be told.
        offset: u64,
        /// What is wrong.
        flaw: FlawKind,
    },
    /// It has more bytes than a dump may have.
    TooLarge {
        /// The dump.
        dump: String,
        /// The limit.
        bytes_max: u64,
    },
    /// It unpacks to so much more than is stored that it must be a decompression bomb.
    Ratio {
        /// The dump.
        dump: String,
        /// The limit.
        ratio_max: u64,
        /// How many stored bytes were read.
        stored_bytes: u64,
    },
    /// It changed while it was read.
    Changed {
        /// The dump.
        dump: String,
        /// How.
        change: Change,
    },
    /// Somebody set [`SourceOptions::cancelled`].
    Cancelled {
        /// The dump.
        dump: String,
    },
    /// The system failed to read it.
    Io {
        /// The dump.
        dump: String,
        /// What the system says.
        error: io::Error,
    },
}

/// What a [`SourceError`] means for the exit code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SourceErrorKind {
    /// No such input: 66.
    NoInput,
    /// No permission: 77.
    Permission,
    /// Bad data: 65.
    Data,
    /// Try again: 75.
    Changed,
    /// Interrupted: 130 or 143.
    Cancelled,
    /// I/O: 74.
    Io,
}

impl SourceError {
    fn of_open(dump: String, error: io::Error) -> Self {
        match error.kind() {
            _ if is_missing(&error) => Self::NotFound { dump },
            ErrorKind::PermissionDenied => Self::Permission { dump },
            _ => Self::Io { dump, error },
        }
    }

    /// What it means for the exit code.
    pub fn kind(&self) -> SourceErrorKind {
        match self {
            Self::NotFound { .. } | Self::NotAFile { .. } => SourceErrorKind::NoInput,
            Self::Permission { .. } => SourceErrorKind::Permission,
            Self::Foreign { .. } | Self::Flawed { .. } | Self::TooLarge { .. } | Self::Ratio { .. } => {
                SourceErrorKind::Data
            }
            Self::Changed { .. } => SourceErrorKind::Changed,
            Self::Cancelled { .. } => SourceErrorKind::Cancelled,
            Self::Password { error, .. } => match error.kind() {
                ErrorKind::PermissionDenied => SourceErrorKind::Permission,
                ErrorKind::InvalidData => SourceErrorKind::Data,
                _ if is_missing(error) => SourceErrorKind::NoInput,
                _ => SourceErrorKind::Io,
            },
            Self::Io { .. } => SourceErrorKind::Io,
        }
    }
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound { dump } => write!(f, "{dump}: there is no such file"),
            Self::Permission { dump } => {
                write!(f, "{dump}: may not be read (grant read permission to this user)")
            }
            Self::NotAFile { dump, what: what @ "a pipe" } => {
                write!(f, "{dump}: is {what}, not a file (read it as standard input: `- < {dump}`)")
            }
            Self::NotAFile { dump, what } => {
                write!(f, "{dump}: is {what}, not a file (name the dump itself)")
            }
            Self::Foreign { dump, foreign: Foreign { name, command } } => {
                write!(
                    f,
                    "{dump}: is {name}, which is not read (unpack it first: {})",
                    Command { command, dump }
                )
            }
            Self::Flawed { dump, packing, offset, flaw } => {
                let remedy = Command { command: flaw.remedy(), dump };
                write!(f, "{dump}: {packing} data is {flaw}, at stored byte {offset} ({remedy})")
            }
            Self::Password { dump, file, error } => {
                write!(f, "{dump}: its password cannot be read from {file}: {error}")
            }
            Self::TooLarge { dump, bytes_max } => {
                write!(
                    f,
                    "{dump}: is larger than {bytes_max} bytes, the most that a dump may have (split it)"
                )
            }
            Self::Ratio { dump, ratio_max, stored_bytes } => write!(
                f,
                "{dump}: the first {stored_bytes} bytes unpack to more than {ratio_max} times as many, as a \
                 decompression bomb does (look at it; if it is a dump, unpack it first)"
            ),
            Self::Changed { dump, change } => {
                let how = match change {
                    Change::Written => "was written to",
                    Change::Replaced => "was replaced",
                    Change::Gone => "was moved or removed",
                };
                write!(f, "{dump}: {how} while it was read (try again when it is complete)")
            }
            Self::Cancelled { dump } => write!(f, "{dump}: interrupted while it was read"),
            Self::Io { dump, error } => write!(f, "{dump}: cannot be read: {error}"),
        }
    }
}

impl std::error::Error for SourceError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { error, .. } | Self::Password { error, .. } => Some(error),
            _ => None,
        }
    }
}

/// A command about a dump.
struct Command<'c> {
    /// With `FILE` for the dump's name.
    command: &'c str,
    dump: &'c str,
}

impl fmt::Display for Command<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._+-".contains(&byte);
        // A name that a shell would take apart stays a placeholder: nobody should paste it.
        let is_pasted = self.dump.bytes().all(is_plain) && !self.dump.starts_with('-');
        let file = if is_pasted { self.dump } else { "FILE" };
        f.write_str(&self.command.replace("FILE", file))
    }
}
