//! Parts of a compressed dump, many of them unpacked at once: frames of zstd, blocks of BGZF.
//!
//! Simply: [`Unpack`](super::packed::Unpack) takes one part after the other. Departures from that:
//! 1. Where the packed bytes say how long a part is, as many as there is [`Room`] for are unpacked at once, each by
//!    itself. Their text is given out in order.
//! 2. A part that is long, or not said to be short, is left to the simple way. So is one that does not come out clean, and the
//!    simple way then says what is wrong with it and where: text and errors are the same by both.
//!
//! A member of gzip does not say how long it is, but for BGZF (SAM specification, 4.1), which `bgzip` writes: blocks of at
//! most 64 KiB. A frame of zstd says how long its blocks are (RFC 8878, 3.1.1); `pzstd` and all who concatenate write several.

use super::packed::{Packing, ZSTD_WINDOW_LOG_MAX, zstd_context};
use flate2::{Crc, Decompress, FlushDecompress, Status};
use rayon::ThreadPool;
use rayon::prelude::*;
use std::collections::VecDeque;
use std::ops::Range;
use zstd::zstd_safe::{DCtx, InBuffer, OutBuffer, ResetDirective};

/// Parts that are unpacked at once: those that unpack to nothing take room too.
const PARTS_MAX: usize = 1024;

/// Capacity of a buffer that is used again.
const SPARE_BYTES_MAX: usize = 128 << 10;

/// Threads for which there is room.
const THREADS_MAX: usize = 8;

/// How much is unpacked at once, for each thread.
struct Room {
    unpacked_bytes: usize,
    packed_bytes: usize,
    /// With fewer it does not pay: the text is copied once more, and a dump is unpacked beside the scan anyway.
    threads_min: usize,
}

impl Room {
    const fn of(packing: Packing) -> Self {
        match packing {
            // Blocks are small: their text is copied while it is in the cache.
            Packing::Gzip | Packing::Zip => {
                Self { unpacked_bytes: 1 << 20, packed_bytes: 1 << 20, threads_min: 2 }
            }
            // A frame of `pzstd`, which is large. Measured with two threads: 1.2 times as slow as one after the other.
            Packing::Zstd => Self { unpacked_bytes: 8 << 20, packed_bytes: 2 << 20, threads_min: 3 },
        }
    }
}

/// What the packed bytes say of the part that begins with them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Part {
    /// It is all there.
    Whole {
        /// Its packed bytes.
        packed: usize,
        /// Bytes that it unpacks to, at most.
        unpacked_max: usize,
    },
    /// It goes on after the packed bytes.
    More,
    /// It does not say how long it is, or not in a way that is read here.
    Unknown,
}

/// Parts that were unpacked, and are not yet given out.
#[derive(Default)]
pub(super) struct Parts {
    ready: VecDeque<Ready>,
    /// Buffers of small parts that were given out.
    spare: Vec<Vec<u8>>,
}

struct Ready {
    packed_bytes: usize,
    text: Vec<u8>,
    given: usize,
}

/// Parts that are to be unpacked, where they are in the packed bytes.
#[derive(Debug)]
pub(super) struct Batch {
    packing: Packing,
    parts: Vec<(Range<usize>, usize)>,
    room_bytes: usize,
    packed_bytes_max: usize,
}

impl Batch {
    /// `None`: the pool has too few threads.
    pub(super) fn new(packing: Packing, pool: &ThreadPool) -> Option<Self> {
        let Room { unpacked_bytes, packed_bytes, threads_min } = Room::of(packing);
        let threads = pool.current_num_threads();
        (threads >= threads_min).then(|| {
            let threads = threads.min(THREADS_MAX);
            let (room_bytes, packed_bytes_max) = (threads * unpacked_bytes, threads * packed_bytes);
            Self { packing, parts: Vec::new(), room_bytes, packed_bytes_max }
        })
    }

    /// Adds the parts that these packed bytes hold after those that it has. Whether it would take more, if more is at hand.
    pub(super) fn add(&mut self, packed: &[u8]) -> bool {
        loop {
            let at = self.parts.last().map_or(0, |(range, _)| range.end);
            match part(self.packing, &packed[at..]) {
                Part::Whole { packed, unpacked_max }
                    if unpacked_max <= self.room_bytes && self.parts.len() < PARTS_MAX =>
                {
                    self.room_bytes -= unpacked_max;
                    self.parts.push((at..at + packed, unpacked_max));
                }
                Part::More => return packed.len() < self.packed_bytes_max,
                Part::Whole { .. } | Part::Unknown => return false,
            }
        }
    }

    /// Whether there is something to do at once.
    pub(super) fn is_worth_it(&self) -> bool {
        self.parts.len() > 1
    }
}

impl Parts {
    /// Unpacks those of a batch, up to the first that does not come out clean; returns how many did.
    pub(super) fn unpack(&mut self, batch: &Batch, packed: &[u8], pool: &ThreadPool) -> usize {
        debug_assert!(self.ready.is_empty());
        let spare = self.spare.drain(..).map(Some).chain(std::iter::repeat_with(|| None));
        let work: Vec<_> = batch.parts.iter().zip(spare).collect();
        let unpacked: Vec<Option<Ready>> = pool.install(|| {
            let unpack =
                |engine: &mut Engine,
                 ((range, unpacked_max), spare): (&(Range<usize>, usize), Option<Vec<u8>>)| {
                    let mut text = spare.unwrap_or_default();
                    text.clear();
                    let is_clean =
                        engine.unpack(batch.packing, &packed[range.clone()], *unpacked_max, &mut text);
                    is_clean.then_some(Ready { packed_bytes: range.len(), text, given: 0 })
                };
            work.into_par_iter().map_init(Engine::default, unpack).collect()
        });
        self.ready.extend(unpacked.into_iter().map_while(|ready| ready));
        self.ready.len()
    }

    /// Appends text into spare capacity; `use_up` is told of a part's packed bytes when its text begins to be given out.
    pub(super) fn give(&mut self, out: &mut Vec<u8>, mut use_up: impl FnMut(usize)) -> usize {
        let before = out.len();
        while let Some(part) = self.ready.front_mut()
            && out.len() < out.capacity()
        {
            use_up(std::mem::take(&mut part.packed_bytes));
            let count = (out.capacity() - out.len()).min(part.text.len() - part.given);
            out.extend_from_slice(&part.text[part.given..part.given + count]);
            part.given += count;
            if part.given == part.text.len() {
                // A large one would stay as large for whatever part comes next.
                let text = self.ready.pop_front().map(|part| part.text);
                self.spare.extend(text.filter(|text| text.capacity() <= SPARE_BYTES_MAX));
            }
        }
        out.len() - before
    }
}

/// What the packed bytes say of the part that begins with them.
pub(super) fn part(packing: Packing, packed: &[u8]) -> Part {
    let found = match packing {
        Packing::Gzip => bgzf_block(packed),
        Packing::Zstd => zstd_frame(packed),
        Packing::Zip => Err(Part::Unknown),
    };
    match found {
        Ok(Part::Whole { packed: length, .. }) if length > packed.len() => Part::More,
        Ok(part) | Err(part) => part,
    }
}

/// So many bytes from a place on; else the part goes on behind those at hand.
fn take<const N: usize>(packed: &[u8], at: usize) -> Result<[u8; N], Part> {
    packed.get(at..).and_then(<[u8]>::first_chunk).copied().ok_or(Part::More)
}

/// Bytes of a gzip header before its extra field.
const GZIP_FIXED_BYTES: usize = 12;

/// Bytes of a gzip member behind its deflate data: checksum and size.
const GZIP_TRAILER_BYTES: usize = 8;

/// Most bytes that a BGZF block unpacks to.
const BGZF_TEXT_BYTES_MAX: usize = 64 << 10;

/// A gzip member whose only optional field is the extra one, and that one says only how long the member is.
fn bgzf_block(packed: &[u8]) -> Result<Part, Part> {
    let [0x1F, 0x8B, 8, 4, ..] = take::<4>(packed, 0)? else { return Err(Part::Unknown) };
    let [6, 0, b'B', b'C', 2, 0, low, high] = take(packed, GZIP_FIXED_BYTES - 2)? else {
        return Err(Part::Unknown);
    };
    let length = 1 + usize::from(u16::from_le_bytes([low, high]));
    match length.checked_sub(BGZF_HEADER_BYTES + GZIP_TRAILER_BYTES) {
        Some(_) => Ok(Part::Whole { packed: length, unpacked_max: BGZF_TEXT_BYTES_MAX }),
        None => Err(Part::Unknown),
    }
}

/// Bytes of a BGZF header.
const BGZF_HEADER_BYTES: usize = GZIP_FIXED_BYTES + 6;

/// Most bytes that a block of zstd unpacks to.
const ZSTD_BLOCK_BYTES_MAX: u64 = 128 << 10;

/// A frame of zstd, or one to be skipped; a frame with a dictionary, of too wide a window or of known size above its window is none
/// here.
fn zstd_frame(packed: &[u8]) -> Result<Part, Part> {
    const SKIPPABLE: u32 = 0x184D_2A50;
    const FRAME: u32 = 0xFD2F_B528;
    let magic = u32::from_le_bytes(take(packed, 0)?);
    if magic & !0xF == SKIPPABLE {
        let length = u32::from_le_bytes(take(packed, 4)?) as usize;
        let packed = length.checked_add(8).ok_or(Part::Unknown)?;
        return Ok(Part::Whole { packed, unpacked_max: 0 });
    }
    let [descriptor] = take(packed, 4)?;
    let (is_single, has_checksum) = (descriptor & 1 << 5 != 0, descriptor & 1 << 2 != 0);
    let (is_reserved, has_dictionary) = (descriptor & 1 << 3 != 0, descriptor & 3 != 0);
    if magic != FRAME || is_reserved || has_dictionary {
        return Err(Part::Unknown);
    }
    let mut at = 5;
    let mut window = 0;
    if !is_single {
        let [byte] = take(packed, at)?;
        let base = 1_u64 << (10 + (byte >> 3));
        window = base + base / 8 * u64::from(byte & 7);
        at += 1;
    }
    let (content, content_bytes) = match descriptor >> 6 {
        0 if !is_single => (None, 0),
        0 => (Some(u64::from(take::<1>(packed, at)?[0])), 1),
        1 => (Some(256 + u64::from(u16::from_le_bytes(take(packed, at)?))), 2),
        2 => (Some(u64::from(u32::from_le_bytes(take(packed, at)?))), 4),
        _ => (Some(u64::from_le_bytes(take(packed, at)?)), 8),
    };
    at += content_bytes;
    if is_single {
        window = content.unwrap_or_default();
    }
    // A frame that says how much it unpacks to may be unpacked in one piece, and is not held to a smaller window then.
    if window > 1 << ZSTD_WINDOW_LOG_MAX || content.is_some_and(|content| content > window) {
        return Err(Part::Unknown);
    }
    // RFC 8878, 3.1.1.2.4: of a block as it is packed, and as it is unpacked.
    let block_bytes_max = window.min(ZSTD_BLOCK_BYTES_MAX);
    let mut unpacked_max = 0;
    loop {
        let [low, middle, high] = take(packed, at)?;
        let block = u32::from_le_bytes([low, middle, high, 0]);
        let (is_last, kind, size) = (block & 1 != 0, block >> 1 & 3, block >> 3);
        if kind == 3 || u64::from(size) > block_bytes_max {
            return Err(Part::Unknown);
        }
        const RUN: u32 = 1;
        at += 3 + if kind == RUN { 1 } else { size as usize };
        unpacked_max += block_bytes_max;
        if is_last {
            break;
        }
    }
    let length = at + if has_checksum { 4 } else { 0 };
    let unpacked_max = content.map_or(unpacked_max, |content| content.min(unpacked_max));
    let unpacked_max = usize::try_from(unpacked_max).map_err(|_| Part::Unknown)?;
    Ok(Part::Whole { packed: length, unpacked_max })
}

/// What a thread unpacks with.
#[derive(Default)]
struct Engine {
    inflate: Option<Decompress>,
    zstd: Option<DCtx<'static>>,
}

/// Room that lets inflate stay in its fast loop to the end.
const INFLATE_SLACK_BYTES: usize = 512;

impl Engine {
    /// Fills `out`, which is empty, with what a part unpacks to; whether it is clean, to its last packed byte.
    fn unpack(&mut self, packing: Packing, part: &[u8], unpacked_max: usize, out: &mut Vec<u8>) -> bool {
        match packing {
            Packing::Gzip => {
                out.reserve(unpacked_max + INFLATE_SLACK_BYTES);
                self.inflate(part, out).is_some()
            }
            Packing::Zstd => {
                out.reserve(unpacked_max);
                self.unzstd(part, out).is_some()
            }
            Packing::Zip => false,
        }
    }

    /// `None`: it is not clean.
    fn unzstd(&mut self, part: &[u8], out: &mut Vec<u8>) -> Option<()> {
        let context = self.zstd.get_or_insert_with(zstd_context);
        context.reset(ResetDirective::SessionOnly).ok()?;
        let (mut input, mut output) = (InBuffer::around(part), OutBuffer::around(out));
        loop {
            let before = (input.pos, output.pos());
            if context.decompress_stream(&mut output, &mut input).ok()? == 0 {
                return (input.pos == part.len()).then_some(());
            }
            if (input.pos, output.pos()) == before {
                return None;
            }
        }
    }

    /// `None`: it is not clean.
    fn inflate(&mut self, part: &[u8], out: &mut Vec<u8>) -> Option<()> {
        let inflate = self.inflate.get_or_insert_with(|| Decompress::new(false));
        inflate.reset(false);
        let (packed, &[a, b, c, d, e, f, g, h]) = part.get(BGZF_HEADER_BYTES..)?.split_last_chunk()?;
        let status = inflate.decompress_vec(packed, out, FlushDecompress::Finish).ok()?;
        let mut crc = Crc::new();
        crc.update(out);
        let is_clean = status == Status::StreamEnd
            && inflate.total_in() == packed.len() as u64
            && u32::from_le_bytes([a, b, c, d]) == crc.sum()
            && u32::from_le_bytes([e, f, g, h]) as usize == out.len();
        is_clean.then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rayon::ThreadPoolBuilder;
    use std::io::Write;

    fn frame(text: &[u8], pledged: Option<u64>) -> Vec<u8> {
        let mut encoder = zstd::stream::Encoder::new(Vec::new(), 1).expect("an encoder");
        encoder.set_pledged_src_size(pledged).expect("a size");
        encoder.include_checksum(true).expect("a flag");
        encoder.write_all(text).expect("it is memory");
        encoder.finish().expect("it is memory")
    }

    #[test]
    fn a_frame_is_as_long_as_the_library_says_and_every_piece_of_it_goes_on() {
        for length in [0, 1, 255, 256, 65_791, 65_792, 200_000, 500_000] {
            let text: Vec<u8> = (0..length).map(|i| (i % 251) as u8 ^ (i / 997) as u8).collect();
            for pledged in [None, Some(length as u64)] {
                let frame = frame(&text, pledged);
                let whole = part(Packing::Zstd, &[&frame[..], b"and more"].concat());
                let Part::Whole { packed, unpacked_max } = whole else { panic!("{length}: {whole:?}") };
                assert_eq!(Ok(packed), zstd::zstd_safe::find_frame_compressed_size(&frame));
                assert!(
                    unpacked_max >= length && (pledged.is_none() || unpacked_max == length),
                    "{unpacked_max}"
                );
                for cut in (0..frame.len()).step_by(1 + frame.len() / 300) {
                    assert_eq!(part(Packing::Zstd, &frame[..cut]), Part::More, "{length} at {cut}");
                }
            }
        }
    }

    #[test]
    fn a_frame_of_known_size_is_left_to_the_simple_way_if_its_window_is_smaller() {
        let text = b"192.0.2.1,80\n".repeat(200_000);
        assert!(matches!(part(Packing::Zstd, &frame(&text, None)), Part::Whole { .. }));
        assert_eq!(part(Packing::Zstd, &frame(&text, Some(text.len() as u64))), Part::Unknown);
    }

    #[test]
    fn parts_are_unpacked_at_once_up_to_the_first_that_is_damaged() {
        let pool = ThreadPoolBuilder::new().num_threads(3).build().expect("three threads");
        let frame = frame(&[b"192.0.2.1\n".repeat(100), vec![7]].concat(), None);
        let mut packed = frame.repeat(10);
        packed[frame.len() * 7 + 20] ^= 1;
        let (mut batch, mut parts) =
            (Batch::new(Packing::Zstd, &pool).expect("enough threads"), Parts::default());
        assert!(batch.add(&packed[..frame.len() * 3 + 5]), "it goes on");
        assert!(batch.add(&packed));
        assert_eq!(batch.parts.len(), 10);
        let clean = parts.unpack(&batch, &packed, &pool);
        assert_eq!(clean, 7);
        let (mut out, mut used) = (Vec::with_capacity(1 << 20), 0);
        parts.give(&mut out, |packed| used += packed);
        assert_eq!((out.len(), used), (clean * 1001, clean * frame.len()));
    }

    #[test]
    fn a_large_part_leaves_no_large_buffer_behind() {
        let pool = ThreadPoolBuilder::new().num_threads(3).build().expect("three threads");
        let (small, large) = (frame(&[b'a'; 1000], None), frame(&vec![b'b'; 4 << 20], None));
        let mut parts = Parts::default();
        for place in 0..20 {
            let mut frames = vec![&small[..]; 20];
            frames[place] = &large;
            let packed = frames.concat();
            let mut batch = Batch::new(Packing::Zstd, &pool).expect("enough threads");
            batch.add(&packed);
            assert_eq!(parts.unpack(&batch, &packed, &pool), 20);
            let mut out = Vec::with_capacity(8 << 20);
            parts.give(&mut out, |_| {});
            assert_eq!(out.len(), (4 << 20) + 19_000);
            let kept: usize = parts.spare.iter().map(Vec::capacity).sum();
            assert!(kept <= 20 * SPARE_BYTES_MAX, "{kept} bytes are kept");
        }
    }

    #[test]
    fn what_does_not_say_how_long_it_is_is_unknown() {
        for (packing, packed) in [
            (Packing::Gzip, &b"\x1f\x8b\x08\x00\0\0\0\0\0\xff and so on, for longer than a header"[..]),
            (Packing::Gzip, b"\x1f\x8b\x08\x04\0\0\0\0\0\xff\x06\0XY\x02\0\x40\0 and so on"),
            (Packing::Gzip, b"\x1f\x8b\x08\x04\0\0\0\0\0\xff\x06\0BC\x02\0\x10\0 shorter than its header"),
            (Packing::Zstd, b"\x28\xb5\x2f\xfd\x01\x58 a dictionary"),
            (Packing::Zstd, b"\x28\xb5\x2f\xfd\x00\x90 a window of 256 MiB"),
            (Packing::Zstd, b"\x28\xb5\x2f\xfd\x00\x58\x07\0\0 a block of no kind"),
            (Packing::Zstd, b"\x28\xb5\x2f\xfd\x00\x00\x03\x40\0a, two KiB of it in a window of one"),
            (Packing::Zstd, b"something else"),
            (Packing::Zip, b"PK\x03\x04"),
        ] {
            assert_eq!(part(packing, packed), Part::Unknown, "{packed:?}");
        }
    }
}
