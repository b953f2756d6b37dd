//! Dumps that are not UTF-8: known by their byte order mark or by declaration, turned into UTF-8 as they are read.
//!
//! Formats see text after this step. What is no character in a declared encoding (a lone surrogate, half a unit at the
//! end) becomes the byte 0xFF, which UTF-8 never has: the record that holds it is rejected as `encoding` if it matters,
//! and the others are not touched. UTF-8 itself is passed as it is, bad bytes and all.

use encoding_rs::{Decoder, DecoderResult};

/// How a dump writes text.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Encoding {
    /// UTF-8, or any bytes of which the format's own part is ASCII.
    #[default]
    Utf8,
    /// UTF-16, low byte first.
    Utf16Le,
    /// UTF-16, high byte first.
    Utf16Be,
    /// What Excel writes on a western Windows; only if declared, since any bytes can be read as it.
    Windows1252,
}

impl Encoding {
    /// Every encoding, in the order of the manual.
    pub const ALL: [Self; 4] = [Self::Utf8, Self::Utf16Le, Self::Utf16Be, Self::Windows1252];

    /// Its name in the configuration and in `preview`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Utf8 => "utf-8",
            Self::Utf16Le => "utf-16le",
            Self::Utf16Be => "utf-16be",
            Self::Windows1252 => "windows-1252",
        }
    }

    /// Reads a name of [`Self::as_str`], exactly as written there.
    pub fn read(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|encoding| encoding.as_str() == name)
    }

    /// What the byte order mark at the beginning of a dump says; it is stronger than any declaration.
    pub fn of_mark(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0xEF, 0xBB, 0xBF, ..] => Some(Self::Utf8),
            [0xFF, 0xFE, ..] => Some(Self::Utf16Le),
            [0xFE, 0xFF, ..] => Some(Self::Utf16Be),
            _ => None,
        }
    }

    /// How many bytes of the dump became this text; adds up over any split of it.
    ///
    /// Exact up to any character; only the half of a UTF-16 unit that a cut-off dump ends with is counted wrongly, and
    /// no record begins after that.
    pub fn raw_bytes(self, text: &[u8]) -> u64 {
        let count = |of: fn(u8) -> u64| text.iter().map(|&byte| of(byte)).sum::<u64>();
        match self {
            Self::Utf8 => text.len() as u64,
            Self::Utf16Le | Self::Utf16Be => 2 * count(utf16_units),
            Self::Windows1252 => count(|byte| u64::from(!is_continuation(byte))),
        }
    }

    fn decoder(self) -> Option<Decoder> {
        match self {
            Self::Utf8 => None,
            Self::Utf16Le => Some(encoding_rs::UTF_16LE.new_decoder_without_bom_handling()),
            Self::Utf16Be => Some(encoding_rs::UTF_16BE.new_decoder_without_bom_handling()),
            Self::Windows1252 => Some(encoding_rs::WINDOWS_1252.new_decoder_without_bom_handling()),
        }
    }
}

fn is_continuation(byte: u8) -> bool {
    byte & 0xC0 == 0x80
}

/// UTF-16 units of the character that begins with this byte of UTF-8; [`NO_CHARACTER`] is one unit.
fn utf16_units(byte: u8) -> u64 {
    match byte {
        0xF0..=0xF4 => 2,
        _ => u64::from(!is_continuation(byte)),
    }
}

/// Stands for what is no character.
const NO_CHARACTER: u8 = 0xFF;

/// Turns the blocks of one dump into UTF-8.
pub(super) struct Transcoder(Decoder);

impl Transcoder {
    /// `None`: the encoding needs none.
    pub(super) fn new(encoding: Encoding) -> Option<Self> {
        encoding.decoder().map(Self)
    }

    /// Appends the text of a block; a character may lie across blocks. No call may follow the `last` one.
    pub(super) fn push(&mut self, raw: &[u8], last: bool, text: &mut Vec<u8>) {
        let mut rest = raw;
        let mut length = text.len();
        loop {
            // 3 bytes for each unit suffice for UTF-16 and Windows-1252; 16 for what was carried over.
            text.resize(length + 3 * rest.len() + 16, 0);
            let (result, read, written) =
                self.0.decode_to_utf8_without_replacement(rest, &mut text[length..], last);
            rest = &rest[read..];
            length += written;
            match result {
                DecoderResult::InputEmpty => break,
                DecoderResult::OutputFull => {}
                DecoderResult::Malformed(..) => {
                    text.truncate(length);
                    text.push(NO_CHARACTER);
                    length += 1;
                }
            }
        }
        text.truncate(length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The slow, obvious reading of UTF-16.
    fn oracle(units: &[u16]) -> Vec<u8> {
        let mut text = Vec::new();
        for unit in char::decode_utf16(units.iter().copied()) {
            match unit {
                Ok(character) => text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
                Err(_) => text.push(NO_CHARACTER),
            }
        }
        text
    }

    fn transcode(encoding: Encoding, blocks: &[&[u8]]) -> Vec<u8> {
        let mut transcoder = Transcoder::new(encoding).unwrap();
        let mut text = Vec::new();
        for block in blocks {
            transcoder.push(block, false, &mut text);
        }
        transcoder.push(b"", true, &mut text);
        text
    }

    /// All three ways to read the units, cut in two at every byte, agree with the oracle.
    fn check(units: &[u16]) {
        let expected = oracle(units);
        let low: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        let high: Vec<u8> = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
        for cut in 0..=low.len() {
            for (encoding, raw) in [(Encoding::Utf16Le, &low), (Encoding::Utf16Be, &high)] {
                let (first, second) = raw.split_at(cut);
                assert_eq!(transcode(encoding, &[first, second]), expected, "{units:04x?} cut at {cut}");
            }
        }
        assert_eq!(Encoding::Utf16Le.raw_bytes(&expected), low.len() as u64, "{units:04x?}");
    }

    #[test]
    fn utf16_is_read_as_the_standard_library_reads_it() {
        let letters =
            [0x0A, 0x41, 0x7F, 0x80, 0x7FF, 0x800, 0xD7FF, 0xD800, 0xDBFF, 0xDC00, 0xDFFF, 0xE000, 0xFEFF];
        for a in letters {
            check(&[a]);
            for b in letters {
                check(&[a, b]);
                for c in letters {
                    check(&[a, b, c]);
                }
            }
        }
    }

    #[test]
    fn long_utf16_is_read_as_the_standard_library_reads_it() {
        let seed = fastrand::u64(..);
        let mut random = fastrand::Rng::with_seed(seed);
        for _ in 0..200 {
            let units: Vec<u16> = (0..random.usize(..500))
                .map(|_| if random.u8(..10) == 0 { random.u16(0xD700..0xE100) } else { random.u16(..0x100) })
                .collect();
            let raw: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
            let blocks: Vec<&[u8]> = raw.chunks(random.usize(1..100)).collect();
            assert_eq!(transcode(Encoding::Utf16Le, &blocks), oracle(&units), "seed {seed}");
        }
    }

    #[test]
    fn half_a_unit_at_the_end_is_no_character() {
        assert_eq!(transcode(Encoding::Utf16Le, &[b"a\0b"]), b"a\xFF");
        // Together with a lone surrogate before it, it is one.
        assert_eq!(transcode(Encoding::Utf16Le, &[b"a\0\0\xD8\0"]), b"a\xFF");
    }

    #[test]
    fn every_byte_of_windows_1252_is_one_character() {
        let raw: Vec<u8> = (0..=255).collect();
        let text = transcode(Encoding::Windows1252, &[&raw]);
        assert_eq!(std::str::from_utf8(&text).unwrap().chars().count(), 256);
        assert_eq!(Encoding::Windows1252.raw_bytes(&text), 256);
        assert_eq!(transcode(Encoding::Windows1252, &[b"\x80\xEB"]), "€ë".as_bytes());
    }

    #[test]
    fn the_mark_says_which() {
        let check = |bytes: &[u8], expected| assert_eq!(Encoding::of_mark(bytes), expected);
        check(b"\xEF\xBB\xBFip", Some(Encoding::Utf8));
        check(b"\xFF\xFEi\0", Some(Encoding::Utf16Le));
        check(b"\xFE\xFF\0i", Some(Encoding::Utf16Be));
        check(b"\xFF", None);
        check(b"\xEF\xBB", None);
        check(b"ip", None);
    }

    #[test]
    fn every_encoding_is_read_by_its_name_only() {
        for encoding in Encoding::ALL {
            assert_eq!(Encoding::read(encoding.as_str()), Some(encoding));
        }
        assert_eq!(Encoding::read("latin1"), None);
    }
}
