//! The hot loop and its parallel drive: a dump's chunks on all cores, each verdict as if read in sequence.
//!
//! Simple version: frame a record, read its keys, look them up, give it to the [`Judge`] if a registration is found;
//! repeat from the record's end. That is [`Format::sweep`]'s default, and what follows departs from it so:
//!
//! 1. A dump is read in windows, and a window in chunks that threads sweep at once. Where a chunk's first record
//!    begins is not known before the chunk before it is done, so each thread guesses ([`Format::guess`]).
//! 2. Chunks are accepted in order. A chunk counts only if its guess is where the sweep before it ended; else it is swept
//!    again from there. From equal starts everything is equal, so guesses cost time when wrong, never a verdict.
//! 3. Record numbers within a chunk become numbers of the dump when the chunk is accepted.
//! 4. Candidates wait for each other, so that what the judge reads of the index is asked for at once ([`Judge::expect`]).
//! 5. The content hash is taken chunk by chunk in the same tasks, while the bytes are in cache ([`ContentHash`]).

mod hash;
mod stream;

pub use hash::ContentHash;

use crate::index::{DutchSpace, Finder, Index};
use crate::net::Address;
use crate::scan::{
    Content, Filter, Format, KeyKinds, Keys, Mapped, Sink, Source, SourceError, Stream, Subject, Tally,
    Window,
};
use crate::text::with_host;
use rayon::ThreadPool;
use rayon::prelude::*;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use stream::Carry;

/// Default bytes of a chunk: a chunk is swept and hashed while it fits in a core's second-level cache.
pub const CHUNK_BYTES: usize = 512 * 1024;

/// Chunks in a window of a map: at its end threads wait for the last one, so that there are many.
const MAPPED_WINDOW_CHUNKS: usize = 64;

/// Chunks of a window that nobody reads any more, whose map is undone at once: each such call interrupts all threads.
const UNMAPPED_CHUNKS: usize = 16;

/// Chunks in a window of a stream, which is in memory.
const WINDOW_CHUNKS: usize = 16;

/// Bytes of a line end at most: `\r\n`.
const LINE_END_BYTES: usize = 2;

/// Candidates that are judged together: enough that what judging reads of the index can be asked for at once.
const WAITING_MAX: usize = 64;

/// Windows of a stream that are decoded ahead.
const WINDOWS_AHEAD: usize = 1;

/// How a dump is driven.
#[derive(Clone, Copy)]
pub struct DriveOptions<'a> {
    /// Bytes of a chunk; any value gives the same verdicts.
    pub chunk_bytes: usize,
    /// Longest record, bytes; the format's own limit.
    pub record_bytes_max: usize,
    /// Bytes that precede the content in its hash; `None`: no hash is taken.
    pub hash_prefix: Option<&'a [u8]>,
    /// Every reject is handed on with its position, not only a chunk's first.
    pub keeps_all_rejects: bool,
    /// Records are read again after the drive: a map then stays as it is.
    pub is_read_again: bool,
    /// Whose threads sweep; `None`: the pool of the calling thread.
    pub pool: Option<&'a ThreadPool>,
    /// Set by anyone to stop between windows.
    pub cancelled: &'a AtomicBool,
    /// Told after each window: bytes of text done so far.
    pub progress: &'a (dyn Fn(u64) + Sync),
}

/// Judges the records that a registration was found for. One for all threads.
pub trait Judge: Sync {
    /// What one chunk gathers.
    type Batch: Default + Send;
    /// What can go wrong when a batch is taken.
    type Error;
    /// Judges one record; `number` counts from 0 within the chunk, `start` is its first byte in the window.
    fn judge(&self, batch: &mut Self::Batch, number: u64, start: usize, record: &[u8]);
    /// Told which addresses the records that are judged next were found by; whether it reads ahead for them is a matter of speed only.
    fn expect(&self, _addresses: &[Address]) {}
    /// The space of which the judge is told the misses; `None`: of none.
    fn watches(&self) -> Option<Arc<DutchSpace>> {
        None
    }
    /// A record that nothing is registered for, perhaps of the space that is watched. It is tallied already.
    fn missed(&self, _batch: &mut Self::Batch, _number: u64, _subject: Subject) {}
    /// Takes a chunk, in the order of the dump.
    fn accept(&mut self, chunk: Accepted<'_, Self::Batch>) -> Result<(), Self::Error>;
}

/// A chunk whose sweep began where the one before it ended.
pub struct Accepted<'w, B> {
    /// Records of the dump before this chunk.
    pub records_before: u64,
    /// What the sweep counted.
    pub tally: Tally,
    /// What the judge gathered.
    pub batch: B,
    /// The window, for the bytes of rejected records.
    pub window: &'w [u8],
    /// Turns a position in the window into an offset in the decompressed dump, before any transcoding.
    pub dump_offset: &'w dyn Fn(usize) -> u64,
}

/// What a whole dump came to.
pub struct Driven {
    /// Records of the dump.
    pub records: u64,
    /// Bytes of text.
    pub text_bytes: u64,
    /// The content's hash, where one was asked for and the source does not take it itself.
    pub hash: Option<blake3::Hash>,
}

/// Why a drive ended early.
#[derive(Debug)]
pub enum DriveError<E> {
    /// The dump could not be read to its end.
    Source(SourceError),
    /// The judge could not take a batch.
    Judge(E),
    /// Somebody set [`DriveOptions::cancelled`].
    Cancelled,
}

/// Reads a whole dump and judges each record that a registration is found for.
///
/// Threads of a pool sweep; a stream is decoded on one thread more. Anonymous memory is bounded: nothing for a
/// mapped dump, three windows for a stream, and what is unpacked at once of one with many parts.
pub fn drive<J: Judge>(
    source: &mut Source,
    format: &dyn Format,
    index: &Index,
    judge: &mut J,
    options: DriveOptions<'_>,
) -> Result<Driven, DriveError<J::Error>> {
    let encoding = source.encoding();
    let raw_bytes = |text: &[u8]| encoding.raw_bytes(text);
    let hash = options.hash_prefix.map(|prefix| ContentHash::new(prefix, options.chunk_bytes));
    let finder = index.finder();
    let kinds = KeyKinds { addresses: true, names: finder.has_domains(), asns: finder.has_asns() };
    let filter = IndexFilter { index, finder, kinds, watched: judge.watches() };
    let mut drive =
        Drive { format, filter, judge, options, hash, chunks_hashed: 0, records: 0, raw_bytes: &raw_bytes };
    let text_bytes = match &mut source.content {
        Content::Mapped(mapped) => drive.mapped(mapped)?,
        Content::Stream(stream) => drive.stream(stream)?,
    };
    Ok(Driven { records: drive.records, text_bytes, hash: drive.hash.map(ContentHash::finish) })
}

/// Does what threads do together; `None`: on the pool of the calling thread.
pub fn on_pool<R: Send>(pool: Option<&ThreadPool>, work: impl FnOnce() -> R + Send) -> R {
    match pool {
        Some(pool) => pool.install(work),
        None => work(),
    }
}

/// The index as the scan sees it: a proof that nothing is registered.
struct IndexFilter<'i> {
    index: &'i Index,
    finder: Finder<'i>,
    kinds: KeyKinds,
    /// The space of which the judge is told the misses.
    watched: Option<Arc<DutchSpace>>,
}

impl Filter for IndexFilter<'_> {
    fn kinds(&self) -> KeyKinds {
        self.kinds
    }

    fn may_hold(&self, keys: &Keys<'_>) -> bool {
        let held = match keys.subject {
            Some(Subject::Address(address)) => self.finder.holds(address),
            Some(Subject::Prefix(prefix)) => self.index.covering_prefix(prefix).next().is_some(),
            None => false,
        };
        held || self.may_hold_otherwise(keys) && !keys.subject.is_some_and(Subject::is_special)
            || keys.others.iter().any(|other| self.may_hold(other))
    }

    fn may_hold_name(&self, host: &[u8]) -> bool {
        self.finder.holds_name_bytes(host)
    }

    fn may_hold_v4(&self, addresses: &[u32]) -> u64 {
        self.finder.holds_v4_batch(addresses)
    }

    fn may_hold_v6(&self, addresses: &[u128]) -> u64 {
        self.finder.holds_v6_batch(addresses)
    }

    fn marks(&self, subject: Subject) -> bool {
        let first = match subject {
            Subject::Address(address) => address,
            Subject::Prefix(prefix) => prefix.first(),
        };
        self.watched.as_ref().is_some_and(|space| space.may_hold(first))
    }

    fn marks_v4(&self, addresses: &[u32]) -> u64 {
        self.watched.as_ref().map_or(0, |space| space.may_hold_v4_batch(addresses))
    }
}

impl IndexFilter<'_> {
    /// Whether a name or the AS number is registered; only what was asked for is filled.
    fn may_hold_otherwise(&self, keys: &Keys<'_>) -> bool {
        let holds = |name: &str| with_host(name, |host| self.finder.holds_name(host)) == Some(true);
        keys.stated.as_deref().is_some_and(holds)
            || keys.shown.iter().any(|name| holds(name))
            || keys.asn.is_some_and(|asn| self.finder.holds_asn(asn))
    }
}

/// One dump on its way through.
struct Drive<'a, J: Judge> {
    format: &'a dyn Format,
    filter: IndexFilter<'a>,
    judge: &'a mut J,
    options: DriveOptions<'a>,
    hash: Option<ContentHash>,
    chunks_hashed: u64,
    records: u64,
    /// Bytes of the dump that some text was made from.
    raw_bytes: &'a (dyn Fn(&[u8]) -> u64 + Sync),
}

/// A window, what of it is new, and where it stands.
struct Fresh<'d> {
    window: Window<'d>,
    /// The bytes that no window before held: cut into chunks, swept and hashed.
    bytes: Range<usize>,
    /// Whether the new bytes are in the content hash already.
    hashed: bool,
    /// Where the first record begins that is not swept yet; behind the window where a header reaches further.
    start: usize,
    place: Place,
    /// The map that the window is; its pages are asked for a chunk at a time.
    mapped: Option<&'d Mapped>,
    /// Bytes of the map that nobody reads any more.
    behind: Range<usize>,
}

/// Where a window's bytes stand in the dump.
#[derive(Clone, Copy)]
struct Place {
    /// Offset in the dump of the window's first byte.
    raw_base: u64,
    /// Bytes of the dump that were left out before the new bytes: the inside of a record too long to keep.
    gap: u64,
}

/// What a thread made of one chunk.
struct Swept<B> {
    start: usize,
    next: usize,
    tally: Tally,
    batch: B,
    part: Option<hash::Part>,
}

/// Hands candidates of one chunk to the judge, some at a time: in the order of the dump.
struct ChunkSink<'j, J: Judge> {
    judge: &'j J,
    batch: J::Batch,
    window: &'j [u8],
    waiting: Vec<Waiting>,
    /// The addresses by which those that wait were found.
    expected: Vec<Address>,
}

/// A candidate.
struct Waiting {
    number: u64,
    /// In the window.
    record: Range<usize>,
}

impl<J: Judge> ChunkSink<'_, J> {
    fn judge_waiting(&mut self) {
        self.judge.expect(&self.expected);
        self.expected.clear();
        for Waiting { number, record } in self.waiting.drain(..) {
            self.judge.judge(&mut self.batch, number, record.start, &self.window[record]);
        }
    }
}

impl<J: Judge> Sink for ChunkSink<'_, J> {
    fn candidate(&mut self, number: u64, start: usize, record: &[u8]) {
        self.waiting.push(Waiting { number, record: start..start + record.len() });
        if self.waiting.len() == WAITING_MAX {
            self.judge_waiting();
        }
    }

    fn expect(&mut self, address: Address) {
        self.expected.push(address);
    }

    fn missed(&mut self, number: u64, subject: Subject) {
        self.judge.missed(&mut self.batch, number, subject);
    }
}

impl<J: Judge> Drive<'_, J> {
    /// A mapped dump is all there: windows only bound how much is done between looks at `cancelled`.
    fn mapped(&mut self, map: &Mapped) -> Result<u64, DriveError<J::Error>> {
        let bytes = map.bytes();
        let (mut at, mut start) = (0, self.format.body());
        let (mut behind, mut let_go) = (0..0, 0);
        while at < bytes.len() {
            let end = (at + self.window_bytes(MAPPED_WINDOW_CHUNKS)).min(bytes.len());
            self.look_at_cancelled()?;
            let window = Window { bytes, at_end: true };
            let place = Place { raw_base: 0, gap: 0 };
            let mapped = Some(map);
            let fresh =
                Fresh { window, bytes: at..end, hashed: false, start, place, mapped, behind: behind.clone() };
            start = self.window(&fresh)?;
            // The window at hand stays: a record may reach from it into the next.
            let done = let_go..at;
            map.let_go(done.clone());
            if !self.options.is_read_again {
                behind = done;
            }
            (let_go, at) = (at, end);
            (self.options.progress)(at as u64);
        }
        // All once more: what the system keeps in large pieces stays as long as a part of it is in use.
        map.let_go(0..bytes.len());
        Ok(bytes.len() as u64)
    }

    /// A stream's windows are decoded on a thread of their own. What a window could not finish is carried to stand
    /// before the next one's text.
    fn stream(&mut self, stream: &mut Stream) -> Result<u64, DriveError<J::Error>> {
        let kept_max = self.options.record_bytes_max + LINE_END_BYTES;
        let sizes = (self.window_bytes(WINDOW_CHUNKS), WINDOW_CHUNKS * self.options.chunk_bytes);
        let (filled, windows) = mpsc::sync_channel(WINDOWS_AHEAD);
        let (give_back, emptied) = mpsc::channel();
        std::thread::scope(|scope| {
            let pool = self.options.pool;
            scope.spawn(move || stream::decode(stream, kept_max, sizes, &filled, &emptied, pool));
            let mut carry = Carry::default();
            let (mut start, mut text_bytes) = (self.format.body(), 0);
            for decoded in windows {
                let mut decoded = decoded.map_err(DriveError::Source)?;
                self.look_at_cancelled()?;
                text_bytes += decoded.text().len() as u64;
                let hashed = carry.endless;
                if hashed {
                    self.hash_only(decoded.text(), decoded.at_end);
                }
                if carry.endless && !carry.skip_to_newline(&mut decoded, self.raw_bytes) {
                    decoded.recycle(&give_back);
                    continue;
                }
                let (window, bytes) = decoded.window(&carry.bytes);
                let place = Place { raw_base: carry.raw_base, gap: carry.gap };
                let fresh = Fresh { window, bytes, hashed, start, place, mapped: None, behind: 0..0 };
                let next = self.window(&fresh)?;
                let kept = next.min(window.bytes.len());
                start = next - kept;
                carry.raw_base = fresh.dump_offset(kept, self.raw_bytes);
                carry.keep(&window.bytes[kept..], kept_max, self.raw_bytes);
                decoded.recycle(&give_back);
                (self.options.progress)(text_bytes);
            }
            Ok(text_bytes)
        })
    }

    fn look_at_cancelled(&self) -> Result<(), DriveError<J::Error>> {
        if self.options.cancelled.load(Ordering::Relaxed) { Err(DriveError::Cancelled) } else { Ok(()) }
    }

    /// Up to the end of a whole number of chunks of the content hash.
    fn window_bytes(&self, chunks: usize) -> usize {
        self.first_chunk_bytes() + (chunks - 1) * self.options.chunk_bytes
    }

    fn first_chunk_bytes(&self) -> usize {
        match &self.hash {
            Some(hash) if self.chunks_hashed == 0 => hash.first_chunk_bytes(),
            _ => self.options.chunk_bytes,
        }
    }

    /// Sweeps and hashes what is new in a window; returns where the first record begins that is not swept yet.
    fn window(&mut self, fresh: &Fresh<'_>) -> Result<usize, DriveError<J::Error>> {
        let chunks = self.chunks(fresh.bytes.clone());
        let this = &*self;
        let run = |(i, chunk): (usize, &Range<usize>)| this.sweep_guess(fresh, i, chunk.clone());
        let swept = match &chunks[..] {
            [only] => vec![run((0, only))],
            _ => on_pool(this.options.pool, || chunks.par_iter().enumerate().map(run).collect()),
        };
        self.accept(fresh, &chunks, swept)
    }

    /// Hashes what no sweep will look at.
    fn hash_only(&mut self, bytes: &[u8], at_end: bool) {
        for chunk in self.chunks(0..bytes.len()) {
            let last = at_end && chunk.end == bytes.len();
            let part = self.hash_part(0, &bytes[chunk.clone()], last);
            self.join_hash(part, &bytes[chunk]);
        }
    }

    fn hash_part(&self, ahead: usize, bytes: &[u8], last: bool) -> Option<hash::Part> {
        self.hash.as_ref().and_then(|hash| hash.part(self.chunks_hashed + ahead as u64, bytes, last))
    }

    fn join_hash(&mut self, part: Option<hash::Part>, bytes: &[u8]) {
        if let Some(hash) = &mut self.hash {
            hash.join(part, bytes);
        }
        self.chunks_hashed += 1;
    }

    fn chunks(&self, bytes: Range<usize>) -> Vec<Range<usize>> {
        let (mut at, mut size) = (bytes.start, self.first_chunk_bytes());
        let mut chunks = Vec::with_capacity(MAPPED_WINDOW_CHUNKS);
        while at < bytes.end {
            let end = (at + size).min(bytes.end);
            chunks.push(at..end);
            (at, size) = (end, self.options.chunk_bytes);
        }
        chunks
    }

    /// Sweeps a chunk from where its first record probably begins; only the window's first is known.
    fn sweep_guess(&self, fresh: &Fresh<'_>, i: usize, chunk: Range<usize>) -> Swept<J::Batch> {
        if let Some(mapped) = fresh.mapped {
            mapped.prefetch(chunk.clone());
            if i.is_multiple_of(UNMAPPED_CHUNKS) {
                let piece =
                    |i: usize| (fresh.behind.start + i * self.options.chunk_bytes).min(fresh.behind.end);
                mapped.unmap(piece(i)..piece(i + UNMAPPED_CHUNKS));
            }
        }
        let known = i == 0 || fresh.start >= chunk.start;
        let first = if known { fresh.start } else { self.format.guess(fresh.window, chunk.start) };
        let mut swept = self.sweep(fresh.window, first, chunk.end);
        if !fresh.hashed {
            let last = fresh.window.at_end && chunk.end == fresh.window.bytes.len();
            swept.part = self.hash_part(i, &fresh.window.bytes[chunk], last);
        }
        swept
    }

    fn sweep(&self, window: Window<'_>, start: usize, end: usize) -> Swept<J::Batch> {
        let mut tally = Tally { keeps_all_rejects: self.options.keeps_all_rejects, ..Tally::default() };
        let mut sink = ChunkSink {
            judge: &*self.judge,
            batch: J::Batch::default(),
            window: window.bytes,
            waiting: Vec::with_capacity(WAITING_MAX),
            expected: Vec::with_capacity(WAITING_MAX),
        };
        let next = match start < end {
            true => self.format.sweep(window, start..end, &self.filter, &mut sink, &mut tally),
            false => start,
        };
        sink.judge_waiting();
        Swept { start, next, tally, batch: sink.batch, part: None }
    }

    /// Accepts the chunks in order; one that was swept from a wrong start is swept again.
    fn accept(
        &mut self,
        fresh: &Fresh<'_>,
        chunks: &[Range<usize>],
        swept: Vec<Swept<J::Batch>>,
    ) -> Result<usize, DriveError<J::Error>> {
        let mut next = fresh.start;
        let mut gave_out = false;
        for (chunk, mut done) in chunks.iter().zip(swept) {
            if !fresh.hashed {
                self.join_hash(done.part.take(), &fresh.window.bytes[chunk.clone()]);
            }
            if gave_out || next >= chunk.end {
                continue;
            }
            if done.start != next {
                done = self.sweep(fresh.window, next, chunk.end);
            }
            next = done.next;
            gave_out = next < chunk.end;
            self.take(fresh, done)?;
        }
        Ok(next)
    }

    fn take(&mut self, fresh: &Fresh<'_>, done: Swept<J::Batch>) -> Result<(), DriveError<J::Error>> {
        let raw_bytes = self.raw_bytes;
        let records = done.tally.records;
        let chunk = Accepted {
            records_before: self.records,
            tally: done.tally,
            batch: done.batch,
            window: fresh.window.bytes,
            dump_offset: &|at| fresh.dump_offset(at, raw_bytes),
        };
        self.judge.accept(chunk).map_err(DriveError::Judge)?;
        self.records += records;
        Ok(())
    }
}

impl Fresh<'_> {
    fn dump_offset(&self, at: usize, raw_bytes: &dyn Fn(&[u8]) -> u64) -> u64 {
        let gap = if at > self.bytes.start { self.place.gap } else { 0 };
        self.place.raw_base + gap + raw_bytes(&self.window.bytes[..at])
    }
}
