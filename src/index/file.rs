//! The index as a file: written beside its target and renamed over it; opened as a sealed copy.
//!
//! This is the one durable write outside `spool`: an index is written by `index build` and never by a run.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use memmap2::Mmap;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use zerocopy::FromBytes;

use super::errors::{OpenError, WriteError};
use super::layout::{CHECKSUM_AT, Header, INDEX_BYTES_MAX, MAGIC, SECTIONS, VERSION};
use super::{Index, kept, validate};

/// Bytes that are read, hashed and copied at a time: they stay in the cache in between.
const BLOCK_BYTES: usize = 1 << 18;

/// The checksum of a file's bytes: BLAKE3 of all but the checksum.
pub(super) fn checksum(bytes: &[u8]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&bytes[..CHECKSUM_AT.start]);
    hasher.update(&bytes[CHECKSUM_AT.end..]);
    hasher.finalize().into()
}

/// What becomes of another build that stood at the path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Replaced {
    /// It is gone.
    Gone,
    /// It stays under another name.
    Kept,
}

/// Writes the bytes of an index durably: a reader sees the old file or the new one, also after a crash.
pub(super) fn write(bytes: &[u8], path: &Path, replaced: Replaced) -> Result<(), WriteError> {
    let failed = |action, path: &Path| {
        let path = path.to_path_buf();
        move |error| WriteError { path, action, error }
    };
    // A link stays one: what it leads to is replaced. A device or a pipe is never replaced.
    let target = match path.metadata() {
        Ok(found) if !found.is_file() => {
            let error = io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file (name another)");
            return Err(failed("write", path)(error));
        }
        Ok(_) => path.canonicalize().map_err(failed("write", path))?,
        Err(_) => path.to_path_buf(),
    };
    let path = target.as_path();
    let Some(name) = path.file_name() else {
        let error = io::Error::from(io::ErrorKind::IsADirectory);
        return Err(failed("write", path)(error));
    };
    let mut staged_name = std::ffi::OsString::from(".");
    staged_name.push(name);
    staged_name.push(format!(".{}.tmp", std::process::id()));
    let staged = path.with_file_name(staged_name);
    let written = stage(bytes, &staged)
        .map_err(failed("write", path))
        .and_then(|()| match replaced {
            Replaced::Gone => Ok(()),
            Replaced::Kept => keep_replaced(bytes, path).map_err(failed("keep the index before it of", path)),
        })
        .and_then(|()| fs::rename(&staged, path).map_err(failed("rename the new index to", path)));
    if written.is_err() {
        // The error that counts is already at hand.
        let _ = fs::remove_file(&staged);
        return written;
    }
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(failed("make durable", directory))
}

/// Keeps the build that is about to be replaced, unless it is the same or no index.
fn keep_replaced(bytes: &[u8], path: &Path) -> io::Result<()> {
    let id_of = |start: &[u8]| read_header(start, start.len(), path).ok().map(|header| header.id);
    let mut start = [0; size_of::<Header>()];
    let found = match File::open(path) {
        Ok(mut before) => read_full(&mut before, &mut start)? == start.len(),
        Err(_) => false,
    };
    let before = id_of(&start).filter(|_| found);
    match before {
        Some(id) if bytes.get(..size_of::<Header>()).and_then(id_of) != Some(id) => kept::keep(path, id),
        _ => Ok(()),
    }
}

fn stage(bytes: &[u8], staged: &Path) -> io::Result<()> {
    match fs::remove_file(staged) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // An index names people's contacts: no more readable than a notice.
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o640).open(staged)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Opens an index: copies it into sealed memory while hashing, and validates all of it.
pub(super) fn open(path: &Path) -> Result<Index, OpenError> {
    let at = |action| {
        let path = path.to_path_buf();
        move |error: io::Error| OpenError::Io { path, action, error }
    };
    let damaged = |what| OpenError::Damaged { path: path.to_path_buf(), what };
    // Not to hang on a FIFO; it has no other effect on a file.
    let flags = rustix::fs::OFlags::NONBLOCK.bits() as i32;
    let mut file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(at("open"))?;
    let metadata = file.metadata().map_err(at("read"))?;
    if !metadata.is_file() {
        return Err(OpenError::NotAFile { path: path.to_path_buf() });
    }
    let mut start = [0; size_of::<Header>()];
    let start_bytes = read_full(&mut file, &mut start).map_err(at("read"))?;
    let header = read_header(&start, start_bytes, path)?;
    let bytes = header.file_bytes.get();
    if metadata.len() > INDEX_BYTES_MAX {
        return Err(OpenError::TooLarge { path: path.to_path_buf(), bytes: metadata.len() });
    }
    if metadata.len() != bytes {
        return Err(damaged("its size is not the one it was written with"));
    }
    let (copy, hash) = copy_sealed(file, &start, bytes).map_err(at("copy"))?;
    if hash != header.checksum {
        return Err(damaged("its bytes do not have the checksum they were written with"));
    }
    let map = map_sealed(&copy).map_err(at("map"))?;
    if map.len() as u64 != bytes {
        return Err(damaged("it changed while it was read"));
    }
    validate::extents(&header).map_err(damaged)?;
    let index = Index::new(map, &header);
    validate::contents(&index).map_err(damaged)?;
    Ok(index)
}

/// Reads until the buffer is full or the file ends.
fn read_full(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// The header, if this is an index that this version reads.
fn read_header(start: &[u8], start_bytes: usize, path: &Path) -> Result<Header, OpenError> {
    let path = || -> PathBuf { path.to_path_buf() };
    if !start[..start_bytes].starts_with(&MAGIC) {
        return Err(OpenError::NotAnIndex { path: path() });
    }
    let damaged = |what| OpenError::Damaged { path: path(), what };
    let (header, _) = Header::read_from_prefix(start).map_err(|_| damaged("its header is cut off"))?;
    match header.version.get() {
        _ if start_bytes < MAGIC.len() + 4 => Err(damaged("its header is cut off")),
        VERSION if start_bytes < start.len() => Err(damaged("its header is cut off")),
        VERSION if header.sections.get() as usize != SECTIONS => {
            Err(damaged("it has not as many sections as it should"))
        }
        VERSION => Ok(header),
        version if version > VERSION => Err(OpenError::TooNew { path: path(), version }),
        version => Err(OpenError::TooOld { path: path(), version }),
    }
}

/// Copies the file, of which `start` was read, into sealed memory; returns it with the checksum.
///
/// A file that ends early gives a copy that ends early.
fn copy_sealed(mut file: File, start: &[u8], bytes: u64) -> io::Result<(File, [u8; 32])> {
    let copy = File::from(memfd_create("dijkwacht-index", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?);
    let mut hasher = blake3::Hasher::new();
    hasher.update(&start[..CHECKSUM_AT.start]);
    hasher.update(&start[CHECKSUM_AT.end..]);
    copy.write_all_at(start, 0)?;
    let mut offset = start.len() as u64;
    let mut block = vec![0; BLOCK_BYTES];
    while offset < bytes {
        let wanted = usize::try_from(bytes - offset).unwrap_or(BLOCK_BYTES).min(BLOCK_BYTES);
        let count = read_full(&mut file, &mut block[..wanted])?;
        if count == 0 {
            break;
        }
        hasher.update(&block[..count]);
        copy.write_all_at(&block[..count], offset)?;
        offset += count as u64;
    }
    fcntl_add_seals(&copy, SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE | SealFlags::SEAL)?;
    Ok((copy, hasher.finalize().into()))
}

/// Maps a copy that [`copy_sealed`] made.
#[allow(unsafe_code)]
fn map_sealed(copy: &File) -> io::Result<Mmap> {
    // SAFETY: a map must not change or shrink while it is borrowed. The file is a memfd of this process that was sealed against
    // writing, shrinking and growing, and against removing the seals: the kernel holds us to it. Another file here would break it.
    unsafe { Mmap::map(copy) }
}
