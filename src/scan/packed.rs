//! Compressed dumps: gzip with all its members, zstd with all its frames, zip with its one member, unpacked in pieces.
//!
//! Which it is, the first bytes say, never the file's name. What is damaged, cut off or followed by something else is
//! a [`Flaw`]: a dump is whole or it is no dump. The engines are behind [`Unpack`], so that a faster one can take
//! their place. Where parts can be unpacked at once, [`Parts`](super::parts::Parts) is before them.

use super::zip::{Password, Unzip, ZIP_PIECE_BYTES_MAX, is_workbook, is_zip};
use flate2::{Crc, Decompress, FlushDecompress, Status};
use std::fmt;
use zstd::zstd_safe::{DCtx, DParameter, InBuffer, OutBuffer, get_error_name};

/// How a dump is compressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Packing {
    /// RFC 1952; also as bgzip, pigz and concatenation write it.
    Gzip,
    /// RFC 8878.
    Zstd,
    /// PKWARE's APPNOTE, one member.
    Zip,
}

impl fmt::Display for Packing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Packing {
    /// Its name in messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Zip => "zip",
        }
    }

    /// Highest ratio of unpacked to stored bytes by default, above which a dump is taken for a decompression bomb.
    ///
    /// Measured: zeros 1029 (gzip) and 32,000 (zstd), one short row repeated 515 and 10,900. Of scan dumps, the dullest
    /// that we could think of (ZGrab2 failures of a kilobyte, sorted addresses) has 146 and 324; a megabyte of rows
    /// repeated, as tests do, 7 and 1600.
    pub const fn ratio_max(self) -> u64 {
        match self {
            Self::Gzip | Self::Zip => 400,
            Self::Zstd => 10_000,
        }
    }

    /// What the first bytes of a file say; `None`: not compressed, as far as we know.
    pub(super) fn of_magic(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0x1F, 0x8B, ..] => Some(Self::Gzip),
            [0x28, 0xB5, 0x2F, 0xFD, ..] | [0x50..=0x5F, 0x2A, 0x4D, 0x18, ..] => Some(Self::Zstd),
            _ if is_zip(bytes) => Some(Self::Zip),
            _ => None,
        }
    }

    pub(super) fn unpacker(self, password: Option<Password>) -> Box<dyn Unpack> {
        match self {
            Self::Gzip => Box::new(Gunzip::new()),
            Self::Zstd => Box::new(Unzstd::new()),
            Self::Zip => Box::new(Unzip::new(password)),
        }
    }
}

/// How many first bytes [`Packing::of_magic`] and [`foreign_packing`] look at.
pub(super) const MAGIC_BYTES: usize = 10;

/// A compression, archive or document that is not read, and how it becomes a dump.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Foreign {
    /// Its name.
    pub name: &'static str,
    /// The command that makes a dump of it, with `FILE` for its name and `DUMP` for the dump's.
    pub command: &'static str,
}

/// What the first bytes are, if it is known and not read. Of a workbook the whole head of the file is needed.
pub(super) fn foreign_packing(bytes: &[u8]) -> Option<Foreign> {
    let foreign = |name, command| Some(Foreign { name, command });
    let workbook = |name| foreign(name, "soffice --headless --convert-to csv FILE");
    match bytes {
        [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, 0x26, 0x53, 0x59, ..] => {
            foreign("bzip2", "bzip2 -dc FILE > DUMP")
        }
        [0xFD, b'7', b'z', b'X', b'Z', 0, ..] => foreign("xz", "xz -dc FILE > DUMP"),
        [b'7', b'z', 0xBC, 0xAF, 0x27, 0x1C, ..] => foreign("7z", "7z x -so FILE > DUMP"),
        [0x04, 0x22, 0x4D, 0x18, ..] => foreign("lz4", "lz4 -dc FILE > DUMP"),
        [0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1, ..] => {
            workbook("an Excel workbook (XLS, or with a password)")
        }
        _ if is_workbook(bytes) => workbook("a workbook (XLSX or ODS)"),
        _ => None,
    }
}

/// Longest gzip header, bytes: the extra field has at most 64 KiB, and no real name or comment comes near the rest.
const GZIP_HEADER_BYTES_MAX: usize = 72 << 10;

/// Most packed bytes that an [`Unpack`] needs at hand at once.
pub(super) const PIECE_BYTES_MAX: usize = max(GZIP_HEADER_BYTES_MAX, ZIP_PIECE_BYTES_MAX);

const fn max(a: usize, b: usize) -> usize {
    if a > b { a } else { b }
}

/// Largest zstd window, as a power of two: 128 MiB, what `zstd -d` takes without `--long`.
pub const ZSTD_WINDOW_LOG_MAX: u32 = 27;

/// What is wrong with packed bytes, and how many were good before.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Flaw {
    pub(super) kind: FlawKind,
    /// Of the bytes at hand, those before what is wrong, as near as can be told.
    pub(super) good: usize,
}

/// What is wrong with packed bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FlawKind {
    /// They end too early.
    Truncated,
    /// They contradict themselves.
    Damaged(&'static str),
    /// Something else follows them.
    Trailing,
    /// A zstd frame needs a window above [`ZSTD_WINDOW_LOG_MAX`].
    Window,
    /// A zip file holds no file.
    NoMember,
    /// A zip file holds several files: which is the dump, nobody says.
    SeveralMembers,
    /// A zip file's member is compressed by another method, of this number.
    Method(u16),
    /// A zip file's member is stored, and its size stands behind it only.
    Unsized,
    /// It is encrypted, and no password is given.
    Locked,
    /// The password does not open it, or its data is damaged.
    Password,
    /// It is encrypted with AES or in another way that is not read.
    Cipher,
}

impl fmt::Display for FlawKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("cut off"),
            Self::Damaged(what) => write!(f, "damaged: {what}"),
            Self::Trailing => f.write_str("followed by something else"),
            Self::Window => {
                write!(f, "compressed with a window of more than {} MiB", (1 << ZSTD_WINDOW_LOG_MAX) >> 20)
            }
            Self::NoMember => f.write_str("without a file in it"),
            Self::SeveralMembers => f.write_str("of several files"),
            Self::Method(method) => write!(f, "compressed by method {method}, which is not read"),
            Self::Unsized => f.write_str("stored without its size, which cannot be read from front to back"),
            Self::Locked => f.write_str("encrypted"),
            Self::Password => f.write_str("not opened by the password, or damaged"),
            Self::Cipher => f.write_str("encrypted in a way that is not read"),
        }
    }
}

impl FlawKind {
    /// What to do about it; `FILE` is for the dump's name.
    pub(super) const fn remedy(&self) -> &'static str {
        match self {
            Self::Truncated | Self::Damaged(_) | Self::Trailing | Self::NoMember => "fetch the dump again",
            Self::Window => "unpack it with zstd --long, or compress it again",
            Self::SeveralMembers => "give each file by itself: unzip -d DIRECTORY FILE",
            Self::Method(_) | Self::Unsized => "unpack it first: 7z x -so FILE > DUMP",
            Self::Cipher => "unpack it first, 7z asks for the password: 7z e FILE",
            Self::Locked => "name the file with its password: --password-file, or the feed's password_file",
            Self::Password => "look at the password file, or fetch the dump again",
        }
    }
}

/// Turns packed bytes into what was packed, in pieces of any size.
pub(super) trait Unpack: Send {
    /// Appends to `out`, into its spare capacity only; returns how many packed bytes it has used up.
    ///
    /// With all used up and spare capacity left, more packed bytes are needed. Using up none and appending none means
    /// that more must be at hand at once; [`PIECE_BYTES_MAX`] are always enough.
    fn unpack(&mut self, packed: &[u8], out: &mut Vec<u8>) -> Result<usize, Flaw>;

    /// Whether the packed bytes may end here.
    fn may_end(&self) -> bool;

    /// Whether a part begins here that can be unpacked by itself.
    fn is_between_parts(&self) -> bool {
        false
    }

    /// Parts that begin here were unpacked elsewhere.
    fn skip_part(&mut self) {}
}

/// All members of a gzip file. Zeros after the last member, as tapes leave them, are nothing.
struct Gunzip {
    inflate: Decompress,
    crc: Crc,
    state: Member,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Member {
    /// Before the first member.
    First,
    /// In the compressed bytes.
    Body,
    /// Before the checksum and size.
    Trailer,
    /// After a member.
    After,
    /// In zeros after the last member.
    Padding,
}

impl Gunzip {
    fn new() -> Self {
        Self { inflate: Decompress::new(false), crc: Crc::new(), state: Member::First }
    }

    fn header(&mut self, packed: &[u8]) -> Result<usize, Flaw> {
        let flaw = |kind| Flaw { kind, good: 0 };
        if self.state == Member::After {
            match packed {
                [0, ..] => {
                    self.state = Member::Padding;
                    return Ok(1);
                }
                [0x1F] | [0x1F, 0x8B, ..] => {}
                _ => return Err(flaw(FlawKind::Trailing)),
            }
        }
        match header_bytes(packed).map_err(|what| flaw(FlawKind::Damaged(what)))? {
            Some(length) => {
                self.inflate.reset(false);
                self.crc.reset();
                self.state = Member::Body;
                Ok(length)
            }
            None if packed.len() >= GZIP_HEADER_BYTES_MAX => {
                Err(flaw(FlawKind::Damaged("a gzip header without end")))
            }
            None => Ok(0),
        }
    }

    fn body(&mut self, packed: &[u8], out: &mut Vec<u8>) -> Result<usize, Flaw> {
        let (used_before, length_before) = (self.inflate.total_in(), out.len());
        let status = self.inflate.decompress_vec(packed, out, FlushDecompress::None);
        // At most `packed.len()`, which is a usize.
        let used = (self.inflate.total_in() - used_before) as usize;
        self.crc.update(&out[length_before..]);
        match status {
            Ok(Status::Ok | Status::BufError) => {}
            Ok(Status::StreamEnd) => self.state = Member::Trailer,
            Err(_) => return Err(Flaw { kind: FlawKind::Damaged("no valid deflate data"), good: used }),
        }
        Ok(used)
    }

    fn trailer(&mut self, packed: &[u8]) -> Result<usize, Flaw> {
        let Some((&[a, b, c, d, e, f, g, h], _)) = packed.split_first_chunk() else { return Ok(0) };
        let flaw = |what| Err(Flaw { kind: FlawKind::Damaged(what), good: 0 });
        if u32::from_le_bytes([a, b, c, d]) != self.crc.sum() {
            return flaw("the checksum differs");
        }
        // The size is modulo 2^32, by RFC 1952.
        if u32::from_le_bytes([e, f, g, h]) != self.inflate.total_out() as u32 {
            return flaw("the size differs");
        }
        self.state = Member::After;
        Ok(TRAILER_BYTES)
    }
}

const TRAILER_BYTES: usize = 8;

impl Unpack for Gunzip {
    fn unpack(&mut self, packed: &[u8], out: &mut Vec<u8>) -> Result<usize, Flaw> {
        if packed.is_empty() && self.state != Member::Body {
            return Ok(0);
        }
        match self.state {
            Member::First | Member::After => self.header(packed),
            Member::Body => self.body(packed, out),
            Member::Trailer => self.trailer(packed),
            Member::Padding => match packed.iter().position(|&byte| byte != 0) {
                None => Ok(packed.len()),
                Some(good) => Err(Flaw { kind: FlawKind::Trailing, good }),
            },
        }
    }

    fn may_end(&self) -> bool {
        matches!(self.state, Member::After | Member::Padding)
    }

    fn is_between_parts(&self) -> bool {
        matches!(self.state, Member::First | Member::After)
    }

    fn skip_part(&mut self) {
        self.state = Member::After;
    }
}

/// The length of a member's header (RFC 1952, 2.3); `None`: it goes on after these bytes.
fn header_bytes(packed: &[u8]) -> Result<Option<usize>, &'static str> {
    const CRC: u8 = 1 << 1;
    const EXTRA: u8 = 1 << 2;
    const NAME: u8 = 1 << 3;
    const COMMENT: u8 = 1 << 4;
    const RESERVED: u8 = 0b1110_0000;
    const FIXED_BYTES: usize = 10;

    let Some(&[first, second, method, flags, ..]) = packed.first_chunk::<FIXED_BYTES>() else {
        return Ok(None);
    };
    if [first, second] != [0x1F, 0x8B] {
        return Err("no gzip member begins here");
    }
    if method != 8 || flags & RESERVED != 0 {
        return Err("a gzip header of no known kind");
    }
    let mut length = FIXED_BYTES;
    if flags & EXTRA != 0 {
        let Some(&[low, high]) = packed.get(length..).and_then(<[u8]>::first_chunk) else { return Ok(None) };
        length += 2 + usize::from(u16::from_le_bytes([low, high]));
    }
    for text in [NAME, COMMENT] {
        if flags & text != 0 {
            let Some(end) = packed.get(length..).and_then(|rest| memchr::memchr(0, rest)) else {
                return Ok(None);
            };
            length += end + 1;
        }
    }
    if flags & CRC != 0 {
        let Some(&[low, high]) = packed.get(length..).and_then(<[u8]>::first_chunk) else { return Ok(None) };
        let mut crc = Crc::new();
        crc.update(&packed[..length]);
        if u16::from_le_bytes([low, high]) != crc.sum() as u16 {
            return Err("the checksum of a gzip header differs");
        }
        length += 2;
    }
    Ok((length <= packed.len()).then_some(length))
}

/// All frames of a zstd file, skippable ones included.
struct Unzstd {
    context: DCtx<'static>,
    /// What the engine said last: 0 between frames.
    hint: usize,
    /// A frame was read.
    begun: bool,
}

impl Unzstd {
    fn new() -> Self {
        Self { context: zstd_context(), hint: 0, begun: false }
    }
}

/// What unpacks frames of zstd, held to the window.
pub(super) fn zstd_context() -> DCtx<'static> {
    let mut context = DCtx::create();
    // Cannot fail: the value is within what every zstd takes (10..=30); if it did, its default is this value.
    let _ = context.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_LOG_MAX));
    context
}

impl Unpack for Unzstd {
    fn unpack(&mut self, packed: &[u8], out: &mut Vec<u8>) -> Result<usize, Flaw> {
        if packed.is_empty() && self.hint == 0 {
            return Ok(0);
        }
        let mut input = InBuffer::around(packed);
        let length = out.len();
        let mut output = OutBuffer::around_pos(out, length);
        match self.context.decompress_stream(&mut output, &mut input) {
            Ok(hint) => {
                self.hint = hint;
                self.begun = true;
                Ok(input.pos)
            }
            Err(code) => Err(Flaw {
                kind: zstd_flaw(get_error_name(code), self.begun && self.hint == 0),
                good: input.pos,
            }),
        }
    }

    fn may_end(&self) -> bool {
        self.begun && self.hint == 0
    }

    fn is_between_parts(&self) -> bool {
        self.hint == 0
    }

    fn skip_part(&mut self) {
        self.begun = true;
    }
}

/// Sorts zstd's own words; zstd-safe has no names for its codes.
fn zstd_flaw(name: &'static str, between_frames: bool) -> FlawKind {
    match name {
        "Frame requires too much memory for decoding" => FlawKind::Window,
        "Unknown frame descriptor" if between_frames => FlawKind::Trailing,
        name => FlawKind::Damaged(name),
    }
}
