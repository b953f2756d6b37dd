//! Which bytes of a block are what, as bits: 64 bytes at once with AVX-512 or AVX2 where the processor has them.
//!
//! A [`Marker`] answers for a block of [`BLOCK_BYTES`] which bytes are newlines, quotes and delimiters, one bit each, the
//! lowest for the first byte. [`Portable`] says how in one line; the others must answer alike and are tested against it
//! on every byte at every place. [`with_best`] runs a piece of work with the best marker of this processor.
//!
//! The plain version is the loop of [`Portable`]. Departures from it:
//! 1. A marker of a processor's feature exists only where the feature was found: its value is the proof that its
//!    instructions may be executed, so that all of its methods are safe.
//! 2. Work is compiled once for each marker, inside a function that names the features; else each instruction would be
//!    a call. [`Work::run`] must therefore be `inline(always)`. Closures are small enough to be inlined, `array::map` is
//!    not: it made each instruction a call (measured).
#![allow(unsafe_code)] // the one module that names a processor's instructions

use crate::net::Address;
use std::net::IpAddr;

/// Bytes of a block.
pub(super) const BLOCK_BYTES: usize = 64;

/// A block of text.
pub(super) type Block = [u8; BLOCK_BYTES];

/// The bytes of a block that mean something in delimited text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Marks {
    pub(super) newlines: u64,
    pub(super) quotes: u64,
    pub(super) delimiters: u64,
}

/// A dotted quad, and its length as text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Quad {
    pub(super) bits: u32,
    pub(super) length: usize,
}

/// Bytes that [`Marker::keys`] sees: a block, and behind it the end of a key that begins in it.
pub(super) const ROOM_BYTES: usize = BLOCK_BYTES + 32;

/// A block and what follows.
pub(super) type Room = [u8; ROOM_BYTES];

/// Bytes of a stretch that is asked for newlines at once.
pub(super) const STRETCH_BYTES: usize = 4 * BLOCK_BYTES;

/// A stretch of text.
pub(super) type Stretch = [u8; STRETCH_BYTES];

/// What a key looks like from afar: its first byte, and how many bytes it has; at most 30, at least 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct KeySign {
    pub(super) first: u8,
    pub(super) length: usize,
}

/// The bytes of a block that mean something in JSON, inside strings or not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Structure {
    pub(super) newlines: u64,
    pub(super) quotes: u64,
    pub(super) backslashes: u64,
    /// `{` and `[`.
    pub(super) opens: u64,
    /// `}` and `]`.
    pub(super) closes: u64,
}

/// Bytes that are looked at to read a dotted quad: its 15 at most, and what ends it.
pub(super) const QUAD_ROOM_BYTES: usize = 16;

/// Marks blocks.
pub(super) trait Marker: Copy {
    /// The newlines, the quotes (`"`) and the bytes that are `delimiter`.
    fn mark(self, block: &Block, delimiter: u8) -> Marks;

    /// Says that the byte at `at` will soon be read; any position will do.
    fn prefetch(self, bytes: &[u8], at: usize);

    /// The dots and digits that the room begins with, if [`Address::read`] reads them as an IPv4 address.
    fn quad(self, room: &[u8; QUAD_ROOM_BYTES]) -> Option<Quad>;

    /// Bit i of the answer is the parity of the bits up to and with i: all between an odd one and the next, the first
    /// included.
    fn parity(self, bits: u64) -> u64;

    /// The structure of a block.
    fn structure(self, block: &Block) -> Structure;

    /// The bytes of the room's block behind which a key may stand: its first byte follows, and a quote where it ends.
    fn keys(self, room: &Room, key: KeySign) -> u64;

    /// The newlines of a block.
    fn newlines(self, block: &Block) -> u64;

    /// The first newline of a stretch.
    fn first_newline(self, stretch: &Stretch) -> Option<usize>;
}

/// Work that is compiled for each marker.
pub(super) trait Work {
    /// What comes of it.
    type Output;
    /// Does it; mark it `inline(always)`.
    fn run(self, marker: impl Marker) -> Self::Output;
}

/// Does the work with the best marker that this processor has.
#[inline]
pub(super) fn with_best<W: Work>(work: W) -> W::Output {
    #[cfg(target_arch = "x86_64")]
    match x86::best() {
        Some(x86::Best::Avx512(marker)) => return marker.with(work),
        Some(x86::Best::Avx2(marker)) => return marker.with(work),
        None => {}
    }
    work.run(Portable)
}

/// Says that the byte at `at` will soon be read; any position will do.
#[inline]
pub(crate) fn prefetch(bytes: &[u8], at: usize) {
    #[cfg(target_arch = "x86_64")]
    x86::prefetch(bytes, at);
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (bytes, at);
}

/// The dots and digits that begin at `at`, where an address stands there and 16 bytes can be looked at.
pub(super) fn quad_at(bytes: &[u8], at: usize) -> Option<Quad> {
    struct ReadQuad<'r>(&'r [u8; QUAD_ROOM_BYTES]);

    impl Work for ReadQuad<'_> {
        type Output = Option<Quad>;
        #[inline(always)]
        fn run(self, marker: impl Marker) -> Option<Quad> {
            marker.quad(self.0)
        }
    }

    with_best(ReadQuad(bytes.get(at..)?.first_chunk()?))
}

/// Bytes that are ASCII without NUL, as text; they are looked at many at once. `None` is no proof that they are no text.
pub(super) fn plain_text(bytes: &[u8]) -> Option<&str> {
    // SAFETY: each byte is below 128: ASCII is UTF-8.
    with_best(IsPlain(bytes)).then(|| unsafe { std::str::from_utf8_unchecked(bytes) })
}

/// How many newlines there are.
pub(crate) fn count_newlines(bytes: &[u8]) -> u64 {
    with_best(CountNewlines(bytes))
}

struct CountNewlines<'b>(&'b [u8]);

impl Work for CountNewlines<'_> {
    type Output = u64;

    #[inline(always)]
    fn run(self, marker: impl Marker) -> u64 {
        let (blocks, rest) = self.0.as_chunks::<BLOCK_BYTES>();
        let in_rest = rest.iter().filter(|&&byte| byte == b'\n').count() as u64;
        blocks.iter().fold(in_rest, |count, block| count + u64::from(marker.newlines(block).count_ones()))
    }
}

/// Whether all bytes are ASCII without NUL.
struct IsPlain<'b>(&'b [u8]);

impl Work for IsPlain<'_> {
    type Output = bool;

    /// A few of the last bytes are looked at twice, so that they are no special case.
    #[inline(always)]
    fn run(self, _: impl Marker) -> bool {
        const AT_ONCE: usize = 32;
        #[inline(always)]
        fn is_plain(bytes: &[u8]) -> bool {
            bytes.iter().fold(true, |all, byte| all & matches!(byte, 1..=127))
        }
        let Some(last) = self.0.last_chunk::<AT_ONCE>() else { return is_plain(self.0) };
        let (blocks, _) = self.0.as_chunks::<AT_ONCE>();
        blocks.iter().fold(is_plain(last), |all, block| all & is_plain(block))
    }
}

/// Marks with what every processor has.
#[derive(Clone, Copy)]
pub(super) struct Portable;

impl Marker for Portable {
    #[inline(always)]
    fn mark(self, block: &Block, delimiter: u8) -> Marks {
        let equal = |wanted: u8| {
            let bit = |(at, &byte): (usize, &u8)| u64::from(byte == wanted) << at;
            block.iter().enumerate().map(bit).fold(0, |bits, bit| bits | bit)
        };
        Marks { newlines: equal(b'\n'), quotes: equal(b'"'), delimiters: equal(delimiter) }
    }

    #[inline(always)]
    fn prefetch(self, _: &[u8], _: usize) {}

    #[inline(always)]
    fn quad(self, room: &[u8; QUAD_ROOM_BYTES]) -> Option<Quad> {
        let length = room.iter().position(|byte| !matches!(byte, b'.' | b'0'..=b'9'))?;
        match Address::read(&room[..length])?.ip() {
            IpAddr::V4(ip) => Some(Quad { bits: ip.to_bits(), length }),
            IpAddr::V6(_) => None,
        }
    }

    #[inline(always)]
    fn parity(self, bits: u64) -> u64 {
        [1, 2, 4, 8, 16, 32].into_iter().fold(bits, |parity, shift| parity ^ parity << shift)
    }

    #[inline(always)]
    fn structure(self, block: &Block) -> Structure {
        let bits = |is: fn(u8) -> bool| {
            let bit = |(at, &byte): (usize, &u8)| u64::from(is(byte)) << at;
            block.iter().enumerate().map(bit).fold(0, |bits, bit| bits | bit)
        };
        Structure {
            newlines: bits(|byte| byte == b'\n'),
            quotes: bits(|byte| byte == b'"'),
            backslashes: bits(|byte| byte == b'\\'),
            opens: bits(|byte| matches!(byte, b'{' | b'[')),
            closes: bits(|byte| matches!(byte, b'}' | b']')),
        }
    }

    #[inline(always)]
    fn keys(self, room: &Room, key: KeySign) -> u64 {
        let may_be = |at: usize| room[at + 1] == key.first && room[at + 1 + key.length] == b'"';
        (0..BLOCK_BYTES).fold(0, |bits, at| bits | u64::from(may_be(at)) << at)
    }

    #[inline(always)]
    fn newlines(self, block: &Block) -> u64 {
        block.iter().enumerate().fold(0, |bits, (at, &byte)| bits | u64::from(byte == b'\n') << at)
    }

    #[inline(always)]
    fn first_newline(self, stretch: &Stretch) -> Option<usize> {
        stretch.iter().position(|byte| *byte == b'\n')
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{
        BLOCK_BYTES, Block, KeySign, Marker, Marks, QUAD_ROOM_BYTES, Quad, ROOM_BYTES, Room, Stretch,
        Structure, Work,
    };
    use std::arch::x86_64::*;
    use std::sync::OnceLock;

    /// The best that this processor has.
    #[derive(Clone, Copy)]
    pub(super) enum Best {
        Avx512(Avx512),
        Avx2(Avx2),
    }

    /// Looked for once: a row of a table is too little work to ask for a dozen features.
    #[inline]
    pub(super) fn best() -> Option<Best> {
        static BEST: OnceLock<Option<Best>> = OnceLock::new();
        *BEST.get_or_init(|| Avx512::found().map(Best::Avx512).or_else(|| Avx2::found().map(Best::Avx2)))
    }

    /// The proof that the processor has AVX-512 F and BW, and BMI, POPCNT and PCLMULQDQ.
    #[derive(Clone, Copy)]
    pub(super) struct Avx512(());

    impl Avx512 {
        pub(super) fn found() -> Option<Self> {
            let found = is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("bmi1")
                && is_x86_feature_detected!("bmi2")
                && is_x86_feature_detected!("lzcnt")
                && is_x86_feature_detected!("popcnt")
                && is_x86_feature_detected!("pclmulqdq");
            found.then_some(Self(()))
        }

        pub(super) fn with<W: Work>(self, work: W) -> W::Output {
            #[target_feature(enable = "avx512f,avx512bw,bmi1,bmi2,lzcnt,popcnt,pclmulqdq")]
            fn run<W: Work>(work: W, marker: Avx512) -> W::Output {
                work.run(marker)
            }
            // SAFETY: `self` proves that the processor has these features.
            unsafe { run(work, self) }
        }
    }

    impl Marker for Avx512 {
        #[inline(always)]
        fn mark(self, block: &Block, delimiter: u8) -> Marks {
            // SAFETY: `self` proves AVX-512 F and BW; the load needs no alignment and reads the 64 bytes of `block`.
            unsafe {
                let block = _mm512_loadu_si512(block.as_ptr().cast());
                let equal = |wanted: u8| _mm512_cmpeq_epi8_mask(block, _mm512_set1_epi8(wanted as i8));
                Marks { newlines: equal(b'\n'), quotes: equal(b'"'), delimiters: equal(delimiter) }
            }
        }

        #[inline(always)]
        fn prefetch(self, bytes: &[u8], at: usize) {
            prefetch(bytes, at);
        }

        #[inline(always)]
        fn quad(self, room: &[u8; QUAD_ROOM_BYTES]) -> Option<Quad> {
            // SAFETY: `self` proves SSSE3, which is part of what it was found by.
            unsafe { quad(room) }
        }

        #[inline(always)]
        fn parity(self, bits: u64) -> u64 {
            // SAFETY: `self` proves PCLMULQDQ.
            unsafe { parity(bits) }
        }

        #[inline(always)]
        fn structure(self, block: &Block) -> Structure {
            // SAFETY: `self` proves AVX-512 F and BW; the load needs no alignment and reads the 64 bytes of `block`.
            unsafe {
                let byte = |wanted: u8| _mm512_set1_epi8(wanted as i8);
                let block = _mm512_loadu_si512(block.as_ptr().cast());
                // Brackets differ from braces in this bit alone.
                let braces = _mm512_or_si512(block, byte(b'[' ^ b'{'));
                let equal = |block, wanted| _mm512_cmpeq_epi8_mask(block, byte(wanted));
                Structure {
                    newlines: equal(block, b'\n'),
                    quotes: equal(block, b'"'),
                    backslashes: equal(block, b'\\'),
                    opens: equal(braces, b'{'),
                    closes: equal(braces, b'}'),
                }
            }
        }

        #[inline(always)]
        fn keys(self, room: &Room, key: KeySign) -> u64 {
            let end = key.length + 1;
            assert!(end + BLOCK_BYTES <= ROOM_BYTES, "a key's end is in the room");
            // SAFETY: `self` proves AVX-512 F and BW; the loads need no alignment and read 64 bytes from 1 and `end` on,
            // which are in `room`.
            unsafe {
                let equal = |offset: usize, wanted: u8| {
                    let block = _mm512_loadu_si512(room.as_ptr().add(offset).cast());
                    _mm512_cmpeq_epi8_mask(block, _mm512_set1_epi8(wanted as i8))
                };
                equal(1, key.first) & equal(end, b'"')
            }
        }

        #[inline(always)]
        fn newlines(self, block: &Block) -> u64 {
            // SAFETY: `self` proves AVX-512 F and BW; the load needs no alignment and reads the 64 bytes of `block`.
            unsafe {
                let block = _mm512_loadu_si512(block.as_ptr().cast());
                _mm512_cmpeq_epi8_mask(block, _mm512_set1_epi8(b'\n' as i8))
            }
        }

        #[inline(always)]
        fn first_newline(self, stretch: &Stretch) -> Option<usize> {
            // SAFETY: `self` proves AVX-512 F and BW; the loads need no alignment and read the 256 bytes of `stretch`.
            unsafe {
                let equal = |at: usize| {
                    let block = _mm512_loadu_si512(stretch.as_ptr().add(at).cast());
                    _mm512_cmpeq_epi8_mask(block, _mm512_set1_epi8(b'\n' as i8))
                };
                let newlines = [equal(0), equal(64), equal(128), equal(192)];
                let any = newlines[0] | newlines[1] | newlines[2] | newlines[3];
                if any == 0 { None } else { Some(first_of(newlines)) }
            }
        }
    }

    /// The proof that the processor has AVX2, and BMI, POPCNT and PCLMULQDQ.
    #[derive(Clone, Copy)]
    pub(super) struct Avx2(());

    impl Avx2 {
        pub(super) fn found() -> Option<Self> {
            let found = is_x86_feature_detected!("avx2")
                && is_x86_feature_detected!("bmi1")
                && is_x86_feature_detected!("bmi2")
                && is_x86_feature_detected!("lzcnt")
                && is_x86_feature_detected!("popcnt")
                && is_x86_feature_detected!("pclmulqdq");
            found.then_some(Self(()))
        }

        pub(super) fn with<W: Work>(self, work: W) -> W::Output {
            #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt,pclmulqdq")]
            fn run<W: Work>(work: W, marker: Avx2) -> W::Output {
                work.run(marker)
            }
            // SAFETY: `self` proves that the processor has these features.
            unsafe { run(work, self) }
        }
    }

    impl Marker for Avx2 {
        #[inline(always)]
        fn mark(self, block: &Block, delimiter: u8) -> Marks {
            // SAFETY: `self` proves AVX2; the loads need no alignment and read the two halves of the 64 bytes of `block`.
            unsafe {
                let low = _mm256_loadu_si256(block.as_ptr().cast());
                let high = _mm256_loadu_si256(block.as_ptr().add(32).cast());
                let equal = |wanted: u8| {
                    let wanted = _mm256_set1_epi8(wanted as i8);
                    let bits = |half| _mm256_movemask_epi8(_mm256_cmpeq_epi8(half, wanted)) as u32;
                    u64::from(bits(high)) << 32 | u64::from(bits(low))
                };
                Marks { newlines: equal(b'\n'), quotes: equal(b'"'), delimiters: equal(delimiter) }
            }
        }

        #[inline(always)]
        fn prefetch(self, bytes: &[u8], at: usize) {
            prefetch(bytes, at);
        }

        #[inline(always)]
        fn quad(self, room: &[u8; QUAD_ROOM_BYTES]) -> Option<Quad> {
            // SAFETY: `self` proves SSSE3, which is part of what it was found by.
            unsafe { quad(room) }
        }

        #[inline(always)]
        fn parity(self, bits: u64) -> u64 {
            // SAFETY: `self` proves PCLMULQDQ.
            unsafe { parity(bits) }
        }

        #[inline(always)]
        fn structure(self, block: &Block) -> Structure {
            // SAFETY: `self` proves AVX2; the loads need no alignment and read the two halves of the 64 bytes of `block`.
            unsafe {
                let low = block.as_ptr();
                let byte = |wanted: u8| _mm256_set1_epi8(wanted as i8);
                let block = [_mm256_loadu_si256(low.cast()), _mm256_loadu_si256(low.add(32).cast())];
                // Brackets differ from braces in this bit alone.
                let brace = |half| _mm256_or_si256(half, byte(b'[' ^ b'{'));
                let braces = [brace(block[0]), brace(block[1])];
                let equal = |block: [__m256i; 2], wanted| {
                    let bits = |half| _mm256_movemask_epi8(_mm256_cmpeq_epi8(half, byte(wanted))) as u32;
                    u64::from(bits(block[1])) << 32 | u64::from(bits(block[0]))
                };
                Structure {
                    newlines: equal(block, b'\n'),
                    quotes: equal(block, b'"'),
                    backslashes: equal(block, b'\\'),
                    opens: equal(braces, b'{'),
                    closes: equal(braces, b'}'),
                }
            }
        }

        #[inline(always)]
        fn keys(self, room: &Room, key: KeySign) -> u64 {
            let end = key.length + 1;
            assert!(end + BLOCK_BYTES <= ROOM_BYTES, "a key's end is in the room");
            // SAFETY: `self` proves AVX2; the loads need no alignment and read twice 32 bytes from 1 and `end` on, which
            // are in `room`.
            unsafe {
                let equal = |offset: usize, wanted: u8| {
                    let low = room.as_ptr().add(offset);
                    let bits = |half: *const u8| {
                        let half = _mm256_loadu_si256(half.cast());
                        _mm256_movemask_epi8(_mm256_cmpeq_epi8(half, _mm256_set1_epi8(wanted as i8))) as u32
                    };
                    u64::from(bits(low.add(32))) << 32 | u64::from(bits(low))
                };
                equal(1, key.first) & equal(end, b'"')
            }
        }

        #[inline(always)]
        fn newlines(self, block: &Block) -> u64 {
            // SAFETY: `self` proves AVX2; the loads need no alignment and read the two halves of the 64 bytes of `block`.
            unsafe {
                let bits = |at: usize| {
                    let half = _mm256_loadu_si256(block.as_ptr().add(at).cast());
                    _mm256_movemask_epi8(_mm256_cmpeq_epi8(half, _mm256_set1_epi8(b'\n' as i8))) as u32
                };
                u64::from(bits(32)) << 32 | u64::from(bits(0))
            }
        }

        #[inline(always)]
        fn first_newline(self, stretch: &Stretch) -> Option<usize> {
            // SAFETY: `self` proves AVX2; the loads need no alignment and read the 256 bytes of `stretch`.
            unsafe {
                let equal = |at: usize| {
                    let half = _mm256_loadu_si256(stretch.as_ptr().add(at).cast());
                    _mm256_cmpeq_epi8(half, _mm256_set1_epi8(b'\n' as i8))
                };
                let (a, b, c, d) = (equal(0), equal(32), equal(64), equal(96));
                let (e, f, g, h) = (equal(128), equal(160), equal(192), equal(224));
                let either = |one, other| _mm256_or_si256(one, other);
                let any = either(either(either(a, b), either(c, d)), either(either(e, f), either(g, h)));
                if _mm256_movemask_epi8(any) == 0 {
                    return None;
                }
                let bits = |low, high| {
                    let bits = |half| u64::from(_mm256_movemask_epi8(half) as u32);
                    bits(high) << 32 | bits(low)
                };
                Some(first_of([bits(a, b), bits(c, d), bits(e, f), bits(g, h)]))
            }
        }
    }

    /// The first bit of four blocks, of which one has a bit. Chosen without branches: it may be anywhere.
    #[inline(always)]
    fn first_of(blocks: [u64; 4]) -> usize {
        let mut first = 0;
        for at in (0..4).rev() {
            let place = at * BLOCK_BYTES + blocks[at].trailing_zeros() as usize;
            first = if blocks[at] == 0 { first } else { place };
        }
        first
    }

    #[inline(always)]
    pub(super) fn prefetch(bytes: &[u8], at: usize) {
        // Into the second-level cache, which has room for more that is under way than the first (measured).
        // SAFETY: the target has SSE; a prefetch reads nothing and may be given any address, also one of nothing.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(bytes.as_ptr().wrapping_add(at).cast()) }
    }

    /// Where the octets of a quad are in its text, by the dots and the end of the text as bits.
    struct Shapes {
        /// The bits, at their slot; 0 where there are none.
        ends: [u16; SLOTS],
        /// Tens and ones of the octets in order, then their hundreds; [`NO_DIGIT`] where there is none.
        places: [[u8; 16]; SLOTS],
    }

    /// There are 81 shapes: octets of one, two or three digits.
    static SHAPES: Shapes = Shapes::new();

    const SLOTS: usize = 256;
    /// What a byte shuffle turns into 0.
    const NO_DIGIT: u8 = 0x80;

    impl Shapes {
        const fn new() -> Self {
            let mut shapes = Self { ends: [0; SLOTS], places: [[NO_DIGIT; 16]; SLOTS] };
            let mut shape = 0;
            while shape < 81 {
                let lengths = [shape / 27 + 1, shape / 9 % 3 + 1, shape / 3 % 3 + 1, shape % 3 + 1];
                let (mut ends, mut places, mut at, mut octet) = (0, [NO_DIGIT; 16], 0, 0);
                while octet < 4 {
                    at += lengths[octet];
                    places[2 * octet + 1] = at as u8 - 1;
                    if lengths[octet] > 1 {
                        places[2 * octet] = at as u8 - 2;
                    }
                    if lengths[octet] > 2 {
                        places[8 + 2 * octet] = at as u8 - 3;
                    }
                    ends |= 1 << at;
                    at += 1;
                    octet += 1;
                }
                let slot = Self::slot(ends as u32);
                assert!(shapes.ends[slot] == 0, "each shape has a slot of its own");
                shapes.ends[slot] = ends;
                shapes.places[slot] = places;
                shape += 1;
            }
            shapes
        }

        /// The multiplier gives every shape a slot of its own, as `new` makes sure of.
        #[inline(always)]
        const fn slot(ends: u32) -> usize {
            (ends.wrapping_mul(6639) >> 13) as usize % SLOTS
        }
    }

    /// All octets at once: the places of dots and end tell where the digits are; these are brought to fixed places,
    /// weighed and added. What is no quad has no shape, an octet above 255, or a zero before another digit.
    #[inline]
    #[target_feature(enable = "ssse3")]
    fn quad(room: &[u8; QUAD_ROOM_BYTES]) -> Option<Quad> {
        // SAFETY: the load needs no alignment and reads the 16 bytes of `room`.
        let text = unsafe { _mm_loadu_si128(room.as_ptr().cast()) };
        let digits = _mm_sub_epi8(text, _mm_set1_epi8(b'0' as i8));
        let bits = |is: __m128i| _mm_movemask_epi8(is) as u32;
        let is_digit = bits(_mm_cmpeq_epi8(_mm_min_epu8(digits, _mm_set1_epi8(9)), digits));
        let is_zero = bits(_mm_cmpeq_epi8(digits, _mm_setzero_si128()));
        let is_dot = bits(_mm_cmpeq_epi8(text, _mm_set1_epi8(b'.' as i8)));
        // 16 where all bytes are: a length that no shape has.
        let length = (!(is_digit | is_dot)).trailing_zeros();
        let end = 1 << length;
        let dots = is_dot & (end - 1);
        let slot = Shapes::slot(dots | end);
        // A zero that an octet begins with and a digit follows.
        let padding = is_zero & (dots << 1 | 1) & (is_digit & (end - 1)) >> 1;
        // SAFETY: the load needs no alignment and reads the 16 bytes of an element.
        let places = unsafe { _mm_loadu_si128(SHAPES.places[slot].as_ptr().cast()) };
        let weights = _mm_set_epi8(0, 100, 0, 100, 0, 100, 0, 100, 1, 10, 1, 10, 1, 10, 1, 10);
        let parts = _mm_maddubs_epi16(_mm_shuffle_epi8(digits, places), weights);
        let octets = _mm_add_epi16(parts, _mm_srli_si128::<8>(parts));
        let above = bits(_mm_cmpgt_epi16(octets, _mm_set1_epi16(255))) & 0xff;
        let is_quad = u32::from(SHAPES.ends[slot]) == dots | end && padding | above == 0;
        let packed = _mm_cvtsi128_si32(_mm_packus_epi16(octets, octets)) as u32;
        is_quad.then_some(Quad { bits: packed.swap_bytes(), length: length as usize })
    }

    /// The carryless product with all ones: each bit is added, without carries, to itself and all above.
    #[inline]
    #[target_feature(enable = "pclmulqdq")]
    fn parity(bits: u64) -> u64 {
        let product = _mm_clmulepi64_si128::<0>(_mm_set_epi64x(0, bits as i64), _mm_set1_epi8(-1));
        _mm_cvtsi128_si64(product) as u64
    }
}

/// Does the same work with each marker of this processor, the portable one first.
#[cfg(test)]
pub(super) fn with_each<W: Work>(mut work: impl FnMut() -> W) -> Vec<W::Output> {
    let mut outputs = vec![work().run(Portable)];
    #[cfg(target_arch = "x86_64")]
    {
        outputs.extend(x86::Avx2::found().map(|marker| marker.with(work())));
        outputs.extend(x86::Avx512::found().map(|marker| marker.with(work())));
    }
    outputs
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Mark<'b>(&'b Block, u8);

    impl Work for Mark<'_> {
        type Output = Marks;
        #[inline(always)]
        fn run(self, marker: impl Marker) -> Marks {
            marker.mark(self.0, self.1)
        }
    }

    #[test]
    fn plain_text_is_ascii_without_nul() {
        for length in 0..200 {
            let plain = vec![b'a'; length];
            assert_eq!(plain_text(&plain), std::str::from_utf8(&plain).ok());
            for (place, byte) in (0..length).flat_map(|place| [0, 1, 127, 128, 255].map(|byte| (place, byte)))
            {
                let mut bytes = plain.clone();
                bytes[place] = byte;
                let told = matches!(byte, 1..=127);
                assert_eq!(plain_text(&bytes).is_some(), told, "{byte} at {place} of {length}");
                assert!(with_each(|| IsPlain(&bytes)).iter().all(|is_plain| *is_plain == told));
            }
        }
    }

    #[test]
    fn newlines_are_counted_wherever_they_stand() {
        for length in 0..200 {
            for every in [1, 2, 7, 63, 64, 65, 200] {
                let bytes: Vec<u8> =
                    (0..length).map(|at| if at % every == 0 { b'\n' } else { b'x' }).collect();
                let count = bytes.iter().filter(|&&byte| byte == b'\n').count() as u64;
                assert!(with_each(|| CountNewlines(&bytes)).iter().all(|counted| *counted == count));
                assert_eq!(count_newlines(&bytes), count);
            }
        }
    }

    struct Parity(u64);

    impl Work for Parity {
        type Output = u64;
        #[inline(always)]
        fn run(self, marker: impl Marker) -> u64 {
            marker.parity(self.0)
        }
    }

    #[test]
    fn every_byte_is_marked_at_every_place() {
        for delimiter in [b',', b';', b'\t', b'|'] {
            for (place, byte) in (0..BLOCK_BYTES).flat_map(|place| (0..=255).map(move |byte| (place, byte))) {
                let mut block = [b'.'; BLOCK_BYTES];
                block[place] = byte;
                let is = |wanted| u64::from(byte == wanted) << place;
                let told = Marks { newlines: is(b'\n'), quotes: is(b'"'), delimiters: is(delimiter) };
                for marks in with_each(|| Mark(&block, delimiter)) {
                    assert_eq!(marks, told, "{byte} at {place}");
                }
            }
        }
    }

    struct FindStructure<'b>(&'b Block);

    impl Work for FindStructure<'_> {
        type Output = Structure;
        #[inline(always)]
        fn run(self, marker: impl Marker) -> Structure {
            marker.structure(self.0)
        }
    }

    struct FindKeys<'r>(&'r Room, KeySign);

    impl Work for FindKeys<'_> {
        type Output = u64;
        #[inline(always)]
        fn run(self, marker: impl Marker) -> u64 {
            marker.keys(self.0, self.1)
        }
    }

    #[test]
    fn every_byte_has_its_place_in_the_structure() {
        for (place, byte) in (0..BLOCK_BYTES).flat_map(|place| (0..=255).map(move |byte| (place, byte))) {
            let mut block = [b'.'; BLOCK_BYTES];
            block[place] = byte;
            let is = |among: &[u8]| u64::from(among.contains(&byte)) << place;
            let told = Structure {
                newlines: is(b"\n"),
                quotes: is(b"\""),
                backslashes: is(b"\\"),
                opens: is(b"{["),
                closes: is(b"}]"),
            };
            for structure in with_each(|| FindStructure(&block)) {
                assert_eq!(structure, told, "{byte} at {place}");
            }
        }
    }

    #[test]
    fn keys_of_every_length_are_seen_at_every_place() {
        for (place, length) in (0..BLOCK_BYTES).flat_map(|place| (1..=30).map(move |length| (place, length)))
        {
            let mut room = [b'.'; ROOM_BYTES];
            (room[place + 1], room[place + 1 + length]) = (b'i', b'"');
            for wanted in 1..=30 {
                let key = KeySign { first: b'i', length: wanted };
                let told = if wanted == length { 1 << place } else { 0 };
                for keys in with_each(|| FindKeys(&room, key)) {
                    assert_eq!(keys, told, "{length} at {place}, {wanted} wanted");
                }
            }
        }
    }

    struct FindNewlines<'s>(&'s Stretch);

    impl Work for FindNewlines<'_> {
        type Output = ([u64; 4], Option<usize>);
        #[inline(always)]
        fn run(self, marker: impl Marker) -> ([u64; 4], Option<usize>) {
            let block = |i: usize| self.0[i * BLOCK_BYTES..].first_chunk().expect("four blocks");
            ([0, 1, 2, 3].map(|i| marker.newlines(block(i))), marker.first_newline(self.0))
        }
    }

    #[test]
    fn newlines_are_found_at_every_place() {
        let check = |stretch: &Stretch| {
            let newlines = |i: usize| {
                let block = stretch[i * BLOCK_BYTES..].iter().take(BLOCK_BYTES).enumerate();
                block.map(|(at, byte)| u64::from(*byte == b'\n') << at).sum()
            };
            let first = stretch.iter().position(|byte| *byte == b'\n');
            let told = ([0, 1, 2, 3].map(newlines), first);
            assert!(with_each(|| FindNewlines(stretch)).iter().all(|found| *found == told), "{stretch:?}");
        };
        for (place, byte) in (0..STRETCH_BYTES).flat_map(|place| (0..=255).map(move |byte| (place, byte))) {
            let mut stretch = [b'.'; STRETCH_BYTES];
            stretch[place] = byte;
            check(&stretch);
        }
        for (first, second) in
            (0..STRETCH_BYTES).flat_map(|first| (0..first).map(move |second| (first, second)))
        {
            let mut stretch = [b'.'; STRETCH_BYTES];
            (stretch[first], stretch[second]) = (b'\n', b'\n');
            check(&stretch);
        }
    }

    #[test]
    fn random_blocks_are_marked_alike() {
        let seed = fastrand::u64(..);
        eprintln!("seed {seed}");
        let mut random = fastrand::Rng::with_seed(seed);
        for _ in 0..1000 {
            let block = std::array::from_fn(|_| b"\n\r\",;a\x8a\xa2\0"[random.usize(..9)]);
            let all = with_each(|| Mark(&block, b','));
            assert!(all.iter().all(|marks| *marks == all[0]), "{block:?}");
            let block = std::array::from_fn(|_| b"\n\"\\{[}]i\x8a\xdb\0"[random.usize(..11)]);
            let all = with_each(|| FindStructure(&block));
            assert!(all.iter().all(|structure| *structure == all[0]), "{block:?}");
            let room = std::array::from_fn(|_| b"\"ix"[random.usize(..3)]);
            let key = KeySign { first: b'i', length: random.usize(1..=30) };
            let all = with_each(|| FindKeys(&room, key));
            assert!(all.iter().all(|keys| *keys == all[0]), "{room:?}");
        }
    }

    #[test]
    fn parity_is_counted_bit_by_bit() {
        let seed = fastrand::u64(..);
        eprintln!("seed {seed}");
        let mut random = fastrand::Rng::with_seed(seed);
        let ones = (0..64).map(|bit| 1 << bit);
        for bits in ones.chain([0, !0]).chain((0..1000).map(|_| random.u64(..))).collect::<Vec<u64>>() {
            let up_to = |bit: u32| (bits << (63 - bit)).count_ones() % 2;
            let told = (0..64).map(|bit| u64::from(up_to(bit)) << bit).sum::<u64>();
            for parity in with_each(|| Parity(bits)) {
                assert_eq!(parity, told, "{bits:#x}");
            }
        }
    }
}
