//! What a file of lines holds, by reading it.

use super::names::ContentHash;
use crate::scan::count_newlines;
use std::fs::File;
use std::io::{self, Read};

/// Bytes read at once.
pub(super) const READ_BYTES: usize = 256 * 1024;

/// Lines and bytes of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Tally {
    pub(super) lines: u64,
    pub(super) bytes: u64,
    /// Whether the last byte is a line end, as it must be; so too in an empty file.
    pub(super) is_whole: bool,
}

impl Tally {
    /// Counts a file to its end, reading it through a buffer of [`READ_BYTES`] that serves the next one too.
    pub(super) fn count(file: File, buffer: &mut [u8]) -> io::Result<Self> {
        tally(file, buffer, |_| {})
    }

    /// Counts a file to its end and takes its hash.
    pub(super) fn count_and_hash(file: File) -> io::Result<(Self, ContentHash)> {
        // Most notices are small: a buffer no larger than the file.
        let file_bytes = usize::try_from(file.metadata()?.len()).unwrap_or(READ_BYTES);
        let mut buffer = vec![0; file_bytes.saturating_add(1).min(READ_BYTES)];
        let mut hasher = blake3::Hasher::new();
        let tally = tally(file, &mut buffer, |block| {
            hasher.update(block);
        })?;
        Ok((tally, hasher.finalize().into()))
    }
}

/// The lines that end in `block`.
pub(super) fn count_lines(block: &[u8]) -> u64 {
    count_newlines(block)
}

fn tally(mut file: File, buffer: &mut [u8], mut look: impl FnMut(&[u8])) -> io::Result<Tally> {
    let mut tally = Tally { is_whole: true, ..Tally::default() };
    loop {
        let block = match file.read(buffer) {
            Ok(0) => return Ok(tally),
            Ok(read) => &buffer[..read],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        tally.lines += count_lines(block);
        tally.bytes += block.len() as u64;
        tally.is_whole = block.ends_with(b"\n");
        look(block);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Seek, Write};

    #[test]
    fn a_file_is_counted_whatever_its_size() {
        for bytes in [0, 1, 2, READ_BYTES - 1, READ_BYTES, READ_BYTES + 1, 3 * READ_BYTES] {
            for every in [1, 2, 7, 1000] {
                let content: Vec<u8> =
                    (0..bytes).map(|at| if at % every == every - 1 { b'\n' } else { b'x' }).collect();
                let mut file = tempfile::tempfile().unwrap();
                file.write_all(&content).unwrap();
                file.rewind().unwrap();
                let counted = Tally::count(file.try_clone().unwrap(), &mut vec![0; READ_BYTES]).unwrap();
                file.rewind().unwrap();
                let (tally, hash) = Tally::count_and_hash(file).unwrap();
                assert_eq!(counted, tally);
                assert_eq!(tally.lines, content.iter().filter(|&&byte| byte == b'\n').count() as u64);
                assert_eq!(tally.bytes, bytes as u64);
                assert_eq!(tally.is_whole, content.last().is_none_or(|&byte| byte == b'\n'));
                assert_eq!(hash, blake3::hash(&content).into());
            }
        }
    }
}
