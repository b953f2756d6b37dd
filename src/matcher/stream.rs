//! Windows of a stream: decoded ahead on a thread of their own, joined by what each could not finish.
//!
//! A window's text stands behind some free bytes, into which the unfinished record of the window before is copied, so
//! that the text itself is never moved. A record longer than any may be is not kept whole: its first bytes are, up to
//! what [`Format::frame`](crate::scan::Format::frame) looks at, and then everything from its first newline on.

use crate::scan::{SourceError, Stream, Window};
use rayon::ThreadPool;
use std::ops::Range;
use std::sync::mpsc;

/// A window as the decoder hands it over.
pub(super) struct Decoded {
    /// Free bytes, then text.
    buffer: Vec<u8>,
    free: usize,
    /// Text that a skip left out at the front.
    left_out: usize,
    /// No text follows.
    pub(super) at_end: bool,
}

impl Decoded {
    /// All text that the decoder gave.
    pub(super) fn text(&self) -> &[u8] {
        &self.buffer[self.free..]
    }

    /// The carried bytes and the text behind them, as one window; and where the text is in it.
    pub(super) fn window(&mut self, carry: &[u8]) -> (Window<'_>, Range<usize>) {
        let text_at = self.free + self.left_out;
        let window_at = text_at - carry.len();
        self.buffer[window_at..text_at].copy_from_slice(carry);
        let bytes = &self.buffer[window_at..];
        (Window { bytes, at_end: self.at_end }, carry.len()..bytes.len())
    }

    /// Gives the buffer back to the decoder; one that has ended needs none.
    pub(super) fn recycle(self, give_back: &mpsc::Sender<Vec<u8>>) {
        let _ = give_back.send(self.buffer);
    }
}

/// The record that a window could not finish.
#[derive(Default)]
pub(super) struct Carry {
    /// Its bytes at hand.
    pub(super) bytes: Vec<u8>,
    /// Offset in the dump of the first of them.
    pub(super) raw_base: u64,
    /// Bytes of the dump after them that were not kept.
    pub(super) gap: u64,
    /// It is longer than any record may be, and its first newline is still to come.
    pub(super) endless: bool,
}

impl Carry {
    /// Keeps what is unfinished, or as much of it as a frame looks at.
    pub(super) fn keep(&mut self, rest: &[u8], kept_max: usize, raw_bytes: &dyn Fn(&[u8]) -> u64) {
        let (kept, left_out) = rest.split_at(rest.len().min(kept_max));
        self.bytes.clear();
        self.bytes.extend_from_slice(kept);
        self.gap = raw_bytes(left_out);
        self.endless = !left_out.is_empty();
    }

    /// Leaves out the text before the first newline, or before the dump's last byte. Whether there is something to
    /// sweep then.
    pub(super) fn skip_to_newline(
        &mut self,
        decoded: &mut Decoded,
        raw_bytes: &dyn Fn(&[u8]) -> u64,
    ) -> bool {
        let text = decoded.text();
        let newline = memchr::memchr(b'\n', text);
        let left_out = newline.unwrap_or(text.len() - usize::from(decoded.at_end));
        self.gap += raw_bytes(&text[..left_out]);
        decoded.left_out = left_out;
        self.endless = newline.is_none() && !decoded.at_end;
        !self.endless
    }
}

/// Fills windows of `first`, then `later` bytes until the stream ends. A window is handed over when the next one shows
/// whether it is the last.
pub(super) fn decode(
    stream: &mut Stream,
    free: usize,
    (first, later): (usize, usize),
    filled: &mpsc::SyncSender<Result<Decoded, SourceError>>,
    emptied: &mpsc::Receiver<Vec<u8>>,
    pool: Option<&ThreadPool>,
) {
    let mut size = first;
    let mut excess = Vec::new();
    let mut waiting: Option<Vec<u8>> = None;
    loop {
        let mut buffer = emptied.try_recv().unwrap_or_else(|_| Vec::with_capacity(free + later));
        buffer.resize(free, 0);
        let (buffer, at_end) = match fill(stream, &mut buffer, free + size, &mut excess, pool) {
            Ok(true) => (waiting.replace(buffer), false),
            Ok(false) => (waiting.take(), true),
            Err(error) => {
                // A receiver that is gone was cancelled: it does not want the error either.
                let _ = filled.send(Err(error));
                return;
            }
        };
        size = later;
        let delivered = match buffer {
            Some(buffer) => filled.send(Ok(Decoded { buffer, free, left_out: 0, at_end })).is_ok(),
            None => true,
        };
        if at_end || !delivered {
            return;
        }
    }
}

/// Appends text up to `length` bytes in all; whether any came.
///
/// The stream fills all spare capacity. What is more than `length` stays in `excess` for the next window: windows end
/// where chunks of the content hash do.
fn fill(
    stream: &mut Stream,
    buffer: &mut Vec<u8>,
    length: usize,
    excess: &mut Vec<u8>,
    pool: Option<&ThreadPool>,
) -> Result<bool, SourceError> {
    let before = buffer.len();
    buffer.append(excess);
    while buffer.len() < length && stream.read_into(buffer, length - buffer.len(), pool)? > 0 {}
    if buffer.len() > length {
        excess.extend_from_slice(&buffer[length..]);
        buffer.truncate(length);
    }
    Ok(buffer.len() > before)
}
