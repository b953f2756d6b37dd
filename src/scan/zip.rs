//! A zip file of one member, unpacked from front to back, as mail programs and portals send dumps.
//!
//! ```text
//! local header │ 12 bytes, if encrypted │ data │ descriptor, if the header did not know the sizes     directories too
//! central directory: an entry for each                              must tell of the member what was found
//! [ zip64 end, locator ] end, comment                               and nothing may follow
//! ```
//!
//! Nothing is looked up from the end, so that a pipe is read as a file is; what the directory says is compared instead:
//! a file whose front and end tell two stories is refused. Read are stored and deflated members, zip64, and PKWARE's
//! old encryption. Not read, each with a [`FlawKind`] of its own: several members, another compression, AES and other
//! encryption, a stored member whose size stands only behind it. An Office workbook is no dump ([`is_workbook`]).
//!
//! Fields are those of PKWARE's APPNOTE 6.3.

use super::packed::{Flaw, FlawKind, Unpack};
use flate2::{Crc, Decompress, FlushDecompress, Status};
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// Longest piece that must be at hand at once, bytes: an entry of the central directory with name, extra field and
/// comment.
pub(super) const ZIP_PIECE_BYTES_MAX: usize = ENTRY_BYTES + 3 * u16::MAX as usize;

const LOCAL: &[u8] = b"PK\x03\x04";
const DESCRIPTOR: &[u8] = b"PK\x07\x08";
const ENTRY: &[u8] = b"PK\x01\x02";
const END_64: &[u8] = b"PK\x06\x06";
const LOCATOR_64: &[u8] = b"PK\x06\x07";
const END: &[u8] = b"PK\x05\x06";

const LOCAL_BYTES: usize = 30;
const ENTRY_BYTES: usize = 46;
const LOCATOR_64_BYTES: usize = 20;
const END_BYTES: usize = 22;

/// Longest zip64 record of the end, bytes; 56 where nothing private is in it.
const END_64_BYTES_MAX: u64 = 4096;

/// Bytes before the data of an encrypted member.
const SEAL_BYTES: usize = 12;

/// Ciphertext decrypted at once, bytes.
const DECRYPTED_BYTES_MAX: usize = 64 << 10;

/// Whether these first bytes are a zip file's; one without a member begins with its end.
pub(super) fn is_zip(bytes: &[u8]) -> bool {
    bytes.starts_with(LOCAL) || bytes.starts_with(END)
}

/// Whether a zip file is a document of an office program, by the name of its first member.
pub(super) fn is_workbook(bytes: &[u8]) -> bool {
    let Some(rest) = bytes.get(LOCAL_BYTES..).filter(|_| bytes.starts_with(LOCAL)) else { return false };
    let (name, content) = rest.split_at(rest.len().min(usize::from(u16_at(bytes, 26))));
    let folders: [&[u8]; 4] = [b"_rels/", b"docProps/", b"xl/", b"word/"];
    name == b"[Content_Types].xml"
        || folders.iter().any(|folder| name.starts_with(folder))
        || name == b"mimetype" && content.starts_with(b"application/vnd.oasis.")
}

/// The password of encrypted dumps. It is shown nowhere.
#[derive(Clone)]
pub(super) struct Password(Box<[u8]>);

/// Longest password, bytes.
const PASSWORD_BYTES_MAX: u64 = 1024;

impl Password {
    /// The first line of a file.
    pub(super) fn read(path: &Path) -> io::Result<Self> {
        let mut bytes = Vec::new();
        std::fs::File::open(path)?.take(PASSWORD_BYTES_MAX + 2).read_to_end(&mut bytes)?;
        let line = bytes.split(|&byte| byte == b'\n').next().unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() || line.len() as u64 > PASSWORD_BYTES_MAX {
            let problem = format!("its first line is no password of 1 to {PASSWORD_BYTES_MAX} bytes");
            return Err(io::Error::new(ErrorKind::InvalidData, problem));
        }
        Ok(Self(line.into()))
    }
}

/// Unpacks a zip file of one member.
pub(super) struct Unzip {
    password: Option<Password>,
    state: State,
    inflate: Decompress,
    crc: Crc,
    cipher: Option<Cipher>,
    /// Bytes of the file that were used up.
    used: u64,
    /// What its local header says of the member at hand.
    told: Member,
    /// Data of the member at hand, encrypted and unpacked.
    packed_bytes: u64,
    bytes: u64,
    /// The member that is the dump, as it was found.
    found: Option<Member>,
    /// Local headers.
    members: u64,
    /// Entries of the central directory.
    entries: u64,
    /// Where the central directory begins.
    directory: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Before a local header, or the central directory.
    Header,
    /// Before the data of an encrypted member.
    Seal,
    Data,
    Descriptor,
    Directory,
    /// After the zip64 record of the end.
    Locator,
    End,
    /// In the comment, of which so many bytes are left.
    Comment(usize),
}

/// What is known of a member.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
struct Member {
    /// Of a directory, which holds nothing.
    is_directory: bool,
    flags: u16,
    method: u16,
    time: u16,
    crc: u32,
    packed_bytes: u64,
    bytes: u64,
    /// Where its local header begins.
    offset: u64,
}

impl Unzip {
    pub(super) fn new(password: Option<Password>) -> Self {
        Self {
            password,
            state: State::Header,
            inflate: Decompress::new(false),
            crc: Crc::new(),
            cipher: None,
            used: 0,
            told: Member::default(),
            packed_bytes: 0,
            bytes: 0,
            found: None,
            members: 0,
            entries: 0,
            directory: 0,
        }
    }

    fn step(&mut self, packed: &[u8], out: &mut Vec<u8>) -> Result<usize, FlawKind> {
        match self.state {
            State::Header => self.header(packed),
            State::Seal => self.seal(packed),
            State::Data => self.data(packed, out),
            State::Descriptor => self.descriptor(packed),
            State::Directory => self.directory(packed),
            State::Locator => self.locator(packed),
            State::End => self.end(packed),
            State::Comment(left) => self.comment(packed, left),
        }
    }

    fn header(&mut self, packed: &[u8]) -> Result<usize, FlawKind> {
        let Some(signature) = packed.get(..LOCAL.len()) else { return Ok(0) };
        if signature != LOCAL {
            if self.found.is_none() {
                return Err(FlawKind::NoMember);
            }
            (self.directory, self.state) = (self.used, State::Directory);
            return Ok(0);
        }
        let Some((member, length)) = Member::of_local(packed)? else { return Ok(0) };
        if !member.is_directory && self.found.is_some() {
            return Err(FlawKind::SeveralMembers);
        }
        member.check_is_read()?;
        self.inflate.reset(false);
        self.crc.reset();
        self.cipher = None;
        (self.packed_bytes, self.bytes) = (0, 0);
        self.told = Member { offset: self.used, ..member };
        self.members += 1;
        self.state = if member.is(Member::ENCRYPTED) { State::Seal } else { State::Data };
        Ok(length)
    }

    /// Tries the password on the bytes before the data, the last of which is known.
    fn seal(&mut self, packed: &[u8]) -> Result<usize, FlawKind> {
        let password = self.password.as_ref().ok_or(FlawKind::Locked)?;
        let Some(&seal) = packed.first_chunk::<SEAL_BYTES>() else { return Ok(0) };
        let mut cipher = Cipher::new(password);
        let last = seal.map(|byte| cipher.keys.decrypt(byte))[SEAL_BYTES - 1];
        let known = if self.told.is(Member::DESCRIBED) {
            self.told.time.to_be_bytes()[0]
        } else {
            self.told.crc.to_be_bytes()[0]
        };
        if last != known {
            return Err(FlawKind::Password);
        }
        self.cipher = Some(cipher);
        self.packed_bytes = SEAL_BYTES as u64;
        self.state = State::Data;
        Ok(SEAL_BYTES)
    }

    fn data(&mut self, packed: &[u8], out: &mut Vec<u8>) -> Result<usize, FlawKind> {
        let before = out.len();
        let plain = match &mut self.cipher {
            Some(cipher) => cipher.decrypt(packed),
            None => packed,
        };
        let (used, is_end) = match self.told.method {
            Member::STORED => {
                let left = self.told.packed_bytes.saturating_sub(self.packed_bytes);
                let left = usize::try_from(left).unwrap_or(usize::MAX);
                let count = left.min(plain.len()).min(out.capacity() - before);
                out.extend_from_slice(&plain[..count]);
                (count, count == left)
            }
            _ => {
                let used_before = self.inflate.total_in();
                let status = self.inflate.decompress_vec(plain, out, FlushDecompress::None);
                let status = status.map_err(|_| self.damaged("no valid deflate data"))?;
                // At most `plain.len()`, which is a usize.
                ((self.inflate.total_in() - used_before) as usize, status == Status::StreamEnd)
            }
        };
        if let Some(cipher) = &mut self.cipher {
            cipher.use_up(used);
        }
        self.crc.update(&out[before..]);
        self.packed_bytes += used as u64;
        self.bytes += (out.len() - before) as u64;
        if self.told.is_directory && self.bytes > 0 {
            return Err(FlawKind::Damaged("a directory holds data"));
        }
        if is_end {
            self.end_of_data()?;
        }
        Ok(used)
    }

    /// Compares what the header says with what was found, unless that is told behind the data.
    fn end_of_data(&mut self) -> Result<(), FlawKind> {
        let found = self.at_hand();
        if self.told.is(Member::DESCRIBED) {
            self.state = State::Descriptor;
            return Ok(());
        }
        if found.crc != self.told.crc {
            return Err(self.damaged("the checksum differs"));
        }
        if (found.packed_bytes, found.bytes) != (self.told.packed_bytes, self.told.bytes) {
            return Err(FlawKind::Damaged("the size differs"));
        }
        self.close(found);
        Ok(())
    }

    /// The descriptor may lack its signature, and its sizes have 4 or 8 bytes; by now it is known what must stand there.
    fn descriptor(&mut self, packed: &[u8]) -> Result<usize, FlawKind> {
        const BYTES_MAX: usize = 24;
        if packed.len() < BYTES_MAX {
            return Ok(0);
        }
        let found = self.at_hand();
        let long = [found.packed_bytes, found.bytes].map(u64::to_le_bytes).concat();
        let short = [found.packed_bytes, found.bytes].map(|bytes| (bytes as u32).to_le_bytes()).concat();
        for signature in [DESCRIPTOR, &[]] {
            for sizes in [&long, &short] {
                let expected = [signature, &found.crc.to_le_bytes(), sizes].concat();
                if packed.starts_with(&expected) {
                    self.close(found);
                    return Ok(expected.len());
                }
            }
        }
        match self.told {
            Member { method: Member::STORED, packed_bytes: 0, .. } => Err(FlawKind::Unsized),
            _ => Err(self.damaged("the checksum or size differs")),
        }
    }

    /// The member at hand as it was found.
    fn at_hand(&self) -> Member {
        Member { crc: self.crc.sum(), packed_bytes: self.packed_bytes, bytes: self.bytes, ..self.told }
    }

    fn close(&mut self, found: Member) {
        if !found.is_directory {
            self.found = Some(found);
        }
        self.state = State::Header;
    }

    fn directory(&mut self, packed: &[u8]) -> Result<usize, FlawKind> {
        let Some(signature) = packed.get(..ENTRY.len()) else { return Ok(0) };
        match signature {
            ENTRY => self.entry(packed),
            END_64 => {
                let Some(&size) = packed.get(4..).and_then(<[u8]>::first_chunk) else { return Ok(0) };
                let length = u64::from_le_bytes(size).saturating_add(12);
                if length > END_64_BYTES_MAX {
                    return Err(FlawKind::Damaged("the end of its directory is no known kind"));
                }
                if (packed.len() as u64) < length {
                    return Ok(0);
                }
                self.state = State::Locator;
                Ok(length as usize)
            }
            _ => {
                self.state = State::End;
                Ok(0)
            }
        }
    }

    fn entry(&mut self, packed: &[u8]) -> Result<usize, FlawKind> {
        let Some((entry, length)) = Member::of_entry(packed) else { return Ok(0) };
        let is_found = |found: Member| {
            let said = |member: Member| {
                (member.method, member.crc, member.packed_bytes, member.bytes, member.offset)
            };
            said(found) == said(entry)
        };
        if !entry.is_directory && !self.found.is_some_and(is_found) {
            return Err(FlawKind::Damaged("its directory tells of another member"));
        }
        self.entries += 1;
        Ok(length)
    }

    fn locator(&mut self, packed: &[u8]) -> Result<usize, FlawKind> {
        if packed.len() < LOCATOR_64_BYTES {
            return Ok(0);
        }
        if !packed.starts_with(LOCATOR_64) {
            return Err(FlawKind::Damaged("the end of its directory is no known kind"));
        }
        self.state = State::End;
        Ok(LOCATOR_64_BYTES)
    }

    fn end(&mut self, packed: &[u8]) -> Result<usize, FlawKind> {
        if packed.len() < END_BYTES {
            return Ok(0);
        }
        let entries = u16_at(packed, 10);
        let offset = u32_at(packed, 16);
        let is_so = packed.starts_with(END)
            && self.entries == self.members
            && (entries == u16::MAX || u64::from(entries) == self.entries)
            && (offset == u32::MAX || u64::from(offset) == self.directory);
        if !is_so {
            return Err(FlawKind::Damaged("its directory is not that of its members"));
        }
        self.state = State::Comment(usize::from(u16_at(packed, 20)));
        Ok(END_BYTES)
    }

    fn comment(&mut self, packed: &[u8], left: usize) -> Result<usize, FlawKind> {
        if left == 0 && !packed.is_empty() {
            return Err(FlawKind::Trailing);
        }
        let used = left.min(packed.len());
        self.state = State::Comment(left - used);
        Ok(used)
    }

    /// Of what was decrypted it cannot be told whether the password is another.
    fn damaged(&self, what: &'static str) -> FlawKind {
        if self.cipher.is_some() { FlawKind::Password } else { FlawKind::Damaged(what) }
    }
}

impl Unpack for Unzip {
    fn unpack(&mut self, packed: &[u8], out: &mut Vec<u8>) -> Result<usize, Flaw> {
        let before = out.len();
        loop {
            let state = self.state;
            let used = self.step(packed, out).map_err(|kind| Flaw { kind, good: 0 })?;
            self.used += used as u64;
            // What neither uses nor appends anything may have gone on to another state.
            if used > 0 || out.len() > before || self.state == state {
                return Ok(used);
            }
        }
    }

    fn may_end(&self) -> bool {
        self.state == State::Comment(0)
    }
}

impl Member {
    const ENCRYPTED: u16 = 1 << 0;
    /// Checksum and sizes stand behind the data.
    const DESCRIBED: u16 = 1 << 3;
    /// Encrypted in another way than the old one, the headers perhaps too.
    const STRONGLY: u16 = 1 << 6 | 1 << 13;

    const STORED: u16 = 0;
    const DEFLATED: u16 = 8;
    /// The place of the method is taken by WinZip's encryption.
    const AES: u16 = 99;

    /// A local header and its length; `None`: it goes on after these bytes.
    fn of_local(packed: &[u8]) -> Result<Option<(Self, usize)>, FlawKind> {
        if packed.len() < LOCAL_BYTES {
            return Ok(None);
        }
        let name_end = LOCAL_BYTES + usize::from(u16_at(packed, 26));
        let length = name_end + usize::from(u16_at(packed, 28));
        if packed.len() < length {
            return Ok(None);
        }
        let mut member = Self {
            is_directory: packed[LOCAL_BYTES..name_end].ends_with(b"/"),
            flags: u16_at(packed, 6),
            method: u16_at(packed, 8),
            time: u16_at(packed, 10),
            crc: u32_at(packed, 14),
            packed_bytes: u32_at(packed, 18).into(),
            bytes: u32_at(packed, 22).into(),
            offset: 0,
        };
        let mut long = [&mut member.bytes, &mut member.packed_bytes];
        read_long(&packed[name_end..length], &mut long);
        Ok(Some((member, length)))
    }

    /// An entry of the central directory and its length; `None`: it goes on after these bytes.
    fn of_entry(packed: &[u8]) -> Option<(Self, usize)> {
        packed.get(..ENTRY_BYTES)?;
        let name_end = ENTRY_BYTES + usize::from(u16_at(packed, 28));
        let extra_end = name_end + usize::from(u16_at(packed, 30));
        let length = extra_end + usize::from(u16_at(packed, 32));
        packed.get(..length)?;
        let mut member = Self {
            is_directory: packed[ENTRY_BYTES..name_end].ends_with(b"/"),
            flags: u16_at(packed, 8),
            method: u16_at(packed, 10),
            time: u16_at(packed, 12),
            crc: u32_at(packed, 16),
            packed_bytes: u32_at(packed, 20).into(),
            bytes: u32_at(packed, 24).into(),
            offset: u32_at(packed, 42).into(),
        };
        let mut long = [&mut member.bytes, &mut member.packed_bytes, &mut member.offset];
        read_long(&packed[name_end..extra_end], &mut long);
        Some((member, length))
    }

    fn is(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }

    fn check_is_read(&self) -> Result<(), FlawKind> {
        if self.is(Self::STRONGLY) || self.method == Self::AES {
            return Err(FlawKind::Cipher);
        }
        match self.method {
            Self::STORED | Self::DEFLATED => Ok(()),
            method => Err(FlawKind::Method(method)),
        }
    }
}

/// Reads sizes that did not fit, in their order, from the zip64 extra field, if there is one.
fn read_long(mut extra: &[u8], fields: &mut [&mut u64]) {
    const ZIP_64: u16 = 1;
    while extra.len() >= 4 {
        let (id, length) = (u16_at(extra, 0), usize::from(u16_at(extra, 2)));
        let mut body = &extra[4..extra.len().min(4 + length)];
        if id == ZIP_64 {
            for field in fields.iter_mut().filter(|field| ***field == u64::from(u32::MAX)) {
                let Some((value, rest)) = body.split_first_chunk() else { return };
                **field = u64::from_le_bytes(*value);
                body = rest;
            }
            return;
        }
        extra = &extra[extra.len().min(4 + length)..];
    }
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// The data of an encrypted member, decrypted as far as it is at hand and not used up.
struct Cipher {
    keys: Keys,
    plain: Vec<u8>,
    used: usize,
}

impl Cipher {
    fn new(password: &Password) -> Self {
        Self { keys: Keys::new(password), plain: Vec::new(), used: 0 }
    }

    /// Decrypts what is at hand, of which a part may have been before.
    fn decrypt(&mut self, packed: &[u8]) -> &[u8] {
        let done = self.plain.len() - self.used;
        if done == 0 {
            self.plain.clear();
            self.used = 0;
            let piece = &packed[..packed.len().min(DECRYPTED_BYTES_MAX)];
            self.plain.extend(piece.iter().map(|&byte| self.keys.decrypt(byte)));
        }
        &self.plain[self.used..]
    }

    fn use_up(&mut self, count: usize) {
        self.used += count;
    }
}

/// PKWARE's old stream cipher (APPNOTE 6.1), which keeps a mail gateway from looking, and no more.
struct Keys([u32; 3]);

impl Keys {
    fn new(password: &Password) -> Self {
        let mut keys = Self([0x1234_5678, 0x2345_6789, 0x3456_7890]);
        password.0.iter().for_each(|&byte| keys.update(byte));
        keys
    }

    fn decrypt(&mut self, byte: u8) -> u8 {
        let key = self.0[2] as u16 | 2;
        let plain = byte ^ key.wrapping_mul(key ^ 1).to_be_bytes()[0];
        self.update(plain);
        plain
    }

    fn update(&mut self, plain: u8) {
        let [first, second, third] = &mut self.0;
        *first = crc_step(*first, plain);
        *second = second.wrapping_add(*first & 0xFF).wrapping_mul(134_775_813).wrapping_add(1);
        *third = crc_step(*third, second.to_be_bytes()[0]);
    }
}

/// One byte of CRC-32, without its inversions.
fn crc_step(crc: u32, byte: u8) -> u32 {
    CRC_TABLE[usize::from(crc as u8 ^ byte)] ^ (crc >> 8)
}

static CRC_TABLE: [u32; 256] = crc_table();

const fn crc_table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let (mut crc, mut bit) = (byte as u32, 0);
        while bit < 8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
}
