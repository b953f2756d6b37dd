//! A dump that is read once, from front to back: compressed, transcoded, from standard input, or by choice.
//!
//! ```text
//! file ─► stored bytes ─► unpack (gzip, zstd, zip) ─► raw bytes ─► transcode (UTF-16, Windows-1252) ─► text
//!            progress        flaws, limits          hash of the content if transcoded
//! ```
//!
//! Nothing here starts a thread; a [`Stream`] can be sent to one, so that unpacking overlaps with the scan. Parts that can be unpacked by
//! themselves are, where there is a pool for it.

use super::encoding::{Encoding, Transcoder};
use super::format::{HEAD_BYTES_MAX, Head};
use super::packed::{Flaw, FlawKind, PIECE_BYTES_MAX, Packing, Unpack, foreign_packing};
use super::parts::{Batch, Parts};
use super::source::{Origin, SourceError, SourceOptions};
use super::zip::Password;
use crate::text::show;
use rayon::ThreadPool;
use rustix::buffer::spare_capacity;
use rustix::io::Errno;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How far a compressed dump may unpack before its ratio is looked at, bytes: 64 MiB do no harm.
pub const RATIO_FREE_BYTES: u64 = 64 << 20;

/// Stored bytes read at once; more where parts are unpacked at once.
const STORED_BLOCK_BYTES: usize = 256 << 10;
const _: () = assert!(STORED_BLOCK_BYTES > PIECE_BYTES_MAX);

/// Raw bytes transcoded at once.
const RAW_BLOCK_BYTES: usize = 64 << 10;

/// How many raw bytes tell the encoding.
const MARK_BYTES: usize = 3;

/// The text of a dump, in pieces.
pub struct Stream {
    raw: Raw,
    /// Boxed, since its hash state is large.
    transcode: Option<Box<Transcode>>,
    encoding: Encoding,
    /// Text that was read to know what the dump is, and is not yet handed out.
    ahead: Pending,
}

impl Stream {
    /// Begins to read: as far as is needed to know compression and encoding.
    pub(super) fn new(origin: Arc<Origin>, options: SourceOptions) -> Result<Self, SourceError> {
        let mut raw = Raw::new(origin, &options)?;
        let mut begin = Vec::with_capacity(RAW_BLOCK_BYTES);
        while begin.len() < MARK_BYTES && raw.read_into(&mut begin, None)? > 0 {}
        let encoding = Encoding::of_mark(&begin).or(options.encoding).unwrap_or_default();
        let mut stream = Self {
            raw,
            transcode: Transcoder::new(encoding)
                .map(|transcoder| Box::new(Transcode::new(transcoder, options.raw_hasher))),
            encoding,
            ahead: Pending::default(),
        };
        match &mut stream.transcode {
            Some(transcode) => transcode.push(&begin, false),
            None => stream.ahead.text = begin,
        }
        Ok(stream)
    }

    /// Appends text to `out`; returns how many bytes, 0 only at the end of the dump.
    ///
    /// Room for `up_to` bytes is reserved, and filled unless the dump ends; spare capacity beyond it may be filled too.
    /// An error is final. The calling thread must be none of the pool's; a pool of one thread is not used.
    pub fn read_into(
        &mut self,
        out: &mut Vec<u8>,
        up_to: usize,
        pool: Option<&ThreadPool>,
    ) -> Result<usize, SourceError> {
        let pool = pool.filter(|pool| pool.current_num_threads() > 1);
        let before = out.len();
        out.reserve(up_to);
        self.ahead.move_into(out);
        while out.len() - before < up_to && self.text_into(out, pool)? > 0 {}
        Ok(out.len() - before)
    }

    /// The first bytes of text that were not handed out yet; they still will be. To be asked before the first read.
    pub fn head(&mut self) -> Result<Head<'_>, SourceError> {
        let mut text = std::mem::take(&mut self.ahead).into_text();
        text.reserve(HEAD_BYTES_MAX + 1);
        // One byte more, to know whether any follows.
        while text.len() <= HEAD_BYTES_MAX && self.text_into(&mut text, None)? > 0 {}
        self.ahead.text = text;
        let text = &self.ahead.text;
        Ok(Head { bytes: &text[..text.len().min(HEAD_BYTES_MAX)], at_end: text.len() <= HEAD_BYTES_MAX })
    }

    /// How the dump writes text.
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// How the dump is compressed.
    pub fn packing(&self) -> Option<Packing> {
        self.raw.packing
    }

    /// Bytes decompressed so far, before transcoding: at the end, the size of the dump.
    pub fn decompressed_bytes(&self) -> u64 {
        self.raw.bytes
    }

    /// Bytes of the stored dump used up so far; shared, for a progress bar on another thread.
    pub fn progress(&self) -> Arc<AtomicU64> {
        self.raw.stored.used.clone()
    }

    /// The hash of the decompressed bytes so far, if they are transcoded: the text is then not the dump's content.
    /// `None`: the text is, and whoever takes it can hash it.
    pub fn raw_hasher(&self) -> Option<&blake3::Hasher> {
        self.transcode.as_ref().and_then(|transcode| transcode.hasher.as_ref())
    }

    /// Appends some text into spare capacity, of which there must be some; 0 only at the end.
    fn text_into(&mut self, out: &mut Vec<u8>, pool: Option<&ThreadPool>) -> Result<usize, SourceError> {
        let Some(transcode) = &mut self.transcode else { return self.raw.read_into(out, pool) };
        while transcode.text.is_empty() && !transcode.ended {
            let mut block = std::mem::take(&mut transcode.block);
            block.clear();
            let read = self.raw.read_into(&mut block, pool)?;
            transcode.push(&block, read == 0);
            transcode.block = block;
        }
        Ok(transcode.text.move_into(out))
    }
}

/// Text that waits to be handed out.
#[derive(Default)]
struct Pending {
    text: Vec<u8>,
    used: usize,
}

impl Pending {
    fn is_empty(&self) -> bool {
        self.used == self.text.len()
    }

    fn into_text(mut self) -> Vec<u8> {
        self.text.drain(..self.used);
        self.text
    }

    /// Moves as much as fits into spare capacity.
    fn move_into(&mut self, out: &mut Vec<u8>) -> usize {
        let count = (out.capacity() - out.len()).min(self.text.len() - self.used);
        out.extend_from_slice(&self.text[self.used..self.used + count]);
        self.used += count;
        if self.is_empty() {
            self.text.clear();
            self.used = 0;
        }
        count
    }
}

/// Turns raw bytes into text, and hashes them on the way.
struct Transcode {
    transcoder: Transcoder,
    hasher: Option<blake3::Hasher>,
    block: Vec<u8>,
    text: Pending,
    ended: bool,
}

impl Transcode {
    fn new(transcoder: Transcoder, hasher: Option<blake3::Hasher>) -> Self {
        let block = Vec::with_capacity(RAW_BLOCK_BYTES);
        Self { transcoder, hasher, block, text: Pending::default(), ended: false }
    }

    fn push(&mut self, raw: &[u8], last: bool) {
        if let Some(hasher) = &mut self.hasher {
            hasher.update(raw);
        }
        self.transcoder.push(raw, last, &mut self.text.text);
        self.ended = last;
    }
}

/// The decompressed bytes, within their limits.
struct Raw {
    origin: Arc<Origin>,
    stored: Stored,
    packing: Option<Packing>,
    unpack: Option<Box<dyn Unpack>>,
    parts: Parts,
    /// A part that said how long it is did not come out clean: no more are unpacked at once for nothing.
    is_sequential: bool,
    bytes: u64,
    bytes_max: u64,
    /// Of unpacked to stored bytes; of a plain dump any is allowed.
    ratio_max: u64,
}

impl Raw {
    fn new(origin: Arc<Origin>, options: &SourceOptions) -> Result<Self, SourceError> {
        let mut stored = Stored::default();
        stored.fetch(&origin)?;
        if let Some(foreign) = foreign_packing(stored.at_hand()) {
            return Err(SourceError::Foreign { dump: origin.name.clone(), foreign });
        }
        let packing = Packing::of_magic(stored.at_hand());
        let password = match &options.password_file {
            Some(path) if packing == Some(Packing::Zip) => Some(read_password(&origin, path)?),
            _ => None,
        };
        Ok(Self {
            origin,
            stored,
            packing,
            unpack: packing.map(|packing| packing.unpacker(password)),
            parts: Parts::default(),
            is_sequential: false,
            bytes: 0,
            bytes_max: options.decompressed_bytes_max,
            ratio_max: options.ratio_max.or(packing.map(Packing::ratio_max)).unwrap_or(u64::MAX),
        })
    }

    /// Appends some bytes into spare capacity, of which there must be some; 0 only at the end.
    fn read_into(&mut self, out: &mut Vec<u8>, pool: Option<&ThreadPool>) -> Result<usize, SourceError> {
        debug_assert!(out.capacity() > out.len());
        let read = match self.unpack {
            Some(_) => self.unpack_into(out, pool)?,
            None => self.stored.move_into(&self.origin, out)?,
        };
        self.bytes += read as u64;
        self.check_limits()?;
        Ok(read)
    }

    fn unpack_into(&mut self, out: &mut Vec<u8>, pool: Option<&ThreadPool>) -> Result<usize, SourceError> {
        let (Some(packing), Some(unpack)) = (self.packing, &mut self.unpack) else { return Ok(0) };
        let before = out.len();
        loop {
            let given = self.parts.give(out, |packed| self.stored.use_up(packed));
            if given > 0 {
                return Ok(given);
            }
            if let Some(pool) = pool
                && !self.is_sequential
                && unpack.is_between_parts()
                && let Some(mut batch) = Batch::new(packing, pool)
            {
                while batch.add(self.stored.at_hand()) && self.stored.fetch_more(&self.origin)? > 0 {}
                if batch.is_worth_it() {
                    if self.parts.unpack(&batch, self.stored.at_hand(), pool) > 0 {
                        unpack.skip_part();
                        continue;
                    }
                    self.is_sequential = true;
                }
            }
            let step = unpack.unpack(self.stored.at_hand(), out);
            let used = step.map_err(|flaw| flawed(&self.origin, packing, &self.stored, flaw))?;
            self.stored.use_up(used);
            if out.len() > before {
                return Ok(out.len() - before);
            }
            if used > 0 || self.stored.fetch(&self.origin)? > 0 {
                continue;
            }
            let good = self.stored.at_hand().len();
            if good == 0 && unpack.may_end() {
                return Ok(0);
            }
            let flaw = Flaw { kind: FlawKind::Truncated, good };
            return Err(flawed(&self.origin, packing, &self.stored, flaw));
        }
    }

    fn check_limits(&self) -> Result<(), SourceError> {
        if self.bytes > self.bytes_max {
            return Err(self.origin.too_large(self.bytes_max));
        }
        let stored_bytes = self.stored.used_bytes();
        if self.packing.is_some()
            && self.bytes > RATIO_FREE_BYTES
            && self.bytes / self.ratio_max > stored_bytes
        {
            let Origin { name, .. } = &*self.origin;
            return Err(SourceError::Ratio { dump: name.clone(), ratio_max: self.ratio_max, stored_bytes });
        }
        Ok(())
    }
}

fn read_password(origin: &Origin, path: &Path) -> Result<Password, SourceError> {
    Password::read(path).map_err(|error| SourceError::Password {
        dump: origin.name.clone(),
        file: show(path.as_os_str().as_bytes(), PASSWORD_FILE_CHARACTERS_MAX),
        error,
    })
}

/// Longest name of a password file in a message, characters.
const PASSWORD_FILE_CHARACTERS_MAX: usize = 512;

/// A flaw as an error. A dump that is being written is not called damaged.
fn flawed(origin: &Origin, packing: Packing, stored: &Stored, flaw: Flaw) -> SourceError {
    match origin.unchanged() {
        Err(changed) => changed,
        Ok(()) => SourceError::Flawed {
            dump: origin.name.clone(),
            packing,
            offset: stored.used_bytes() + flaw.good as u64,
            flaw: flaw.kind,
        },
    }
}

/// The bytes of the file, a block at a time.
#[derive(Default)]
struct Stored {
    block: Vec<u8>,
    /// Of the block.
    used_in_block: usize,
    /// Of the file.
    used: Arc<AtomicU64>,
}

impl Stored {
    fn at_hand(&self) -> &[u8] {
        &self.block[self.used_in_block..]
    }

    fn use_up(&mut self, count: usize) {
        self.used_in_block += count;
        self.used.fetch_add(count as u64, Ordering::Relaxed);
    }

    fn used_bytes(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Reads more after what is at hand; 0: the file has ended.
    fn fetch(&mut self, origin: &Origin) -> Result<usize, SourceError> {
        self.read_behind(origin, STORED_BLOCK_BYTES.saturating_sub(self.at_hand().len()))
    }

    /// Reads as much as is at hand after it, at least a block; 0: the file has ended.
    fn fetch_more(&mut self, origin: &Origin) -> Result<usize, SourceError> {
        self.read_behind(origin, self.at_hand().len().max(STORED_BLOCK_BYTES))
    }

    fn read_behind(&mut self, origin: &Origin, bytes: usize) -> Result<usize, SourceError> {
        self.block.drain(..self.used_in_block);
        self.used_in_block = 0;
        self.block.reserve_exact(bytes);
        fill(origin, &mut self.block)
    }

    /// Appends into spare capacity what is at hand, else the file itself; 0: the file has ended.
    fn move_into(&mut self, origin: &Origin, out: &mut Vec<u8>) -> Result<usize, SourceError> {
        let at_hand = self.at_hand().len().min(out.capacity() - out.len());
        if at_hand > 0 {
            out.extend_from_slice(&self.at_hand()[..at_hand]);
            self.use_up(at_hand);
            return Ok(at_hand);
        }
        let read = fill(origin, out)?;
        self.used.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// Appends bytes of the file until spare capacity is full, or the file ends.
fn fill(origin: &Origin, out: &mut Vec<u8>) -> Result<usize, SourceError> {
    let before = out.len();
    while out.len() < out.capacity() {
        origin.wait()?;
        match rustix::io::read(&origin.file, spare_capacity(out)) {
            Ok(0) => break,
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(SourceError::Io { dump: origin.name.clone(), error: error.into() }),
        }
    }
    Ok(out.len() - before)
}
