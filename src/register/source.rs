//! A source opened: its text as a stream, decompressed, and what kind of text it is.
//!
//! Whether a source is compressed is seen from its first bytes, never from its name. A name that ends in `.csv`, `.jsonl` or `.ndjson`
//! (`.gz` behind it left out) says what it is; else its first line that is no remark does.

use crate::register::{delegated, origins, ripe};
use flate2::bufread::MultiGzDecoder;
use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, ErrorKind, Read};
use std::path::Path;
use std::rc::Rc;

/// Longest text of a source, decompressed.
pub(super) const DECOMPRESSED_BYTES_MAX: u64 = 256 << 30;
/// Bytes in which the first line is looked for: dumps begin with pages of terms of use.
const HEAD_BYTES: usize = 64 << 10;
/// Bytes that are read at once.
const READ_BYTES: usize = 1 << 18;

/// What a source is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// Rows with a header.
    Csv,
    /// One owner a line.
    Jsonl,
    /// Objects of the RIPE database.
    Rpsl,
    /// Delegation statistics.
    Delegated,
    /// Prefixes and AS numbers.
    Origins,
}

/// A source that can be read.
pub(super) struct Source<'s> {
    pub(super) text: Box<dyn BufRead + 's>,
    pub(super) kind: Kind,
    /// Bytes as stored.
    pub(super) bytes: u64,
    /// How many of them were read.
    pub(super) read: Rc<Cell<u64>>,
}

impl<'s> Source<'s> {
    /// A regular file, or whatever else can be read.
    pub(super) fn of_file(name: &str, file: File) -> io::Result<Self> {
        let bytes = file.metadata()?.len();
        Self::new(name, bytes, file)
    }

    /// Bytes in memory.
    pub(super) fn of_bytes(name: &str, bytes: &'s [u8]) -> io::Result<Self> {
        Self::new(name, bytes.len() as u64, bytes)
    }

    fn new(name: &str, bytes: u64, stored: impl Read + 's) -> io::Result<Self> {
        let read = Rc::new(Cell::new(0));
        let mut stored = BufReader::with_capacity(READ_BYTES, Counted { stored, read: read.clone() });
        let is_packed = stored.fill_buf()?.starts_with(&[0x1f, 0x8b]);
        let mut text: Box<dyn BufRead + 's> = match is_packed {
            true => {
                let unpacked = MultiGzDecoder::new(stored).take(DECOMPRESSED_BYTES_MAX);
                Box::new(BufReader::with_capacity(READ_BYTES, unpacked))
            }
            false => Box::new(stored),
        };
        let mut head = Vec::new();
        text.by_ref().take(HEAD_BYTES as u64).read_to_end(&mut head)?;
        let kind = kind(name, &head);
        Ok(Self { text: Box::new(Cursor::new(head).chain(text)), kind, bytes, read })
    }
}

/// Counts what is read through it.
struct Counted<R> {
    stored: R,
    read: Rc<Cell<u64>>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.stored.read(buffer)?;
        self.read.set(self.read.get() + count as u64);
        Ok(count)
    }
}

/// Whether an error of a compressed text says that it is damaged, not that the system failed.
pub(super) fn is_damage(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::InvalidData | ErrorKind::InvalidInput)
}

fn kind(name: &str, head: &[u8]) -> Kind {
    let name =
        Path::new(name).file_name().and_then(|name| name.to_str()).unwrap_or_default().to_ascii_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("csv") => return Kind::Csv,
        Some("jsonl" | "ndjson") => return Kind::Jsonl,
        _ if name.starts_with("ripe.db.") => return Kind::Rpsl,
        _ if name.starts_with("delegated-") => return Kind::Delegated,
        _ => {}
    }
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let mut lines = head.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    match lines.find(|line| !matches!(line, [] | [b'#' | b'%' | b';', ..])) {
        Some([b'{' | b'[', ..]) => Kind::Jsonl,
        Some(line) if delegated::is_delegated(line) => Kind::Delegated,
        Some(line) if origins::is_origins(line) => Kind::Origins,
        Some(line) if ripe::is_object(line) => Kind::Rpsl,
        _ => Kind::Csv,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_tells_what_a_source_is_unless_its_name_does() {
        let check = |name: &str, head: &str, expected: Kind| {
            assert_eq!(kind(name, head.as_bytes()), expected, "{name} {head}")
        };
        check("r", "owner_id,network\na,b\n", Kind::Csv);
        check("r", "# note\nowner_id;network\n", Kind::Csv);
        check("r", "\u{feff}{\"owner_id\":\"a\"}\n", Kind::Jsonl);
        check("r", "# terms\n#\n\ninetnum: 192.0.2.0 - 192.0.2.255\n", Kind::Rpsl);
        check("r", "2|ripencc|1782511199|259740|19700101|20260626|+0200\n", Kind::Delegated);
        check("r", "ripencc|NL|ipv4|2.56.56.0|1024|20190313|allocated|x\n", Kind::Delegated);
        check("r", "; IP-ASN32-DAT file\n192.0.2.0/24\t64496\n", Kind::Origins);
        check("r", "192.0.2.0\t24\t64496_64497\n", Kind::Origins);
        check("r", "% RIS\n64496\t192.0.2.0/24\t9\n", Kind::Origins);
        check("r", "", Kind::Csv);
        check("d/a.csv.gz", "inetnum: x\n", Kind::Csv);
        check("a.ndjson", "", Kind::Jsonl);
        check("/x/ripe.db.role.gz", "nonsense\n", Kind::Rpsl);
        check("delegated-ripencc-extended-latest", "nonsense\n", Kind::Delegated);
    }
}
