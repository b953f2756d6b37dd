//! The opaque reference: what an alert bears instead of its run and record where its recipient must not learn who reported it.
//!
//! A run's name begins with its feed's and ends in a hash of the dump, so that whoever has the dump, or guesses the feed, would
//! know. A reference tells nobody anything who has not the key, and with the key it leads back without any list:
//!
//! ```text
//! reference = tag (12 bytes), then the record's number (8 bytes) under a mask; 40 hexadecimal digits
//! tag       = keyed BLAKE3 of run, record, owner
//! mask      = keyed BLAKE3 of the tag
//! ```
//!
//! This is deterministic encryption with a synthetic initialisation vector (as RFC 5297 does it, with BLAKE3 as the function): same
//! key, run, record and owner, same reference; two owners' references of one record have nothing in common. The tag proves run and
//! owner. An owner who is told a held alert of another keeps the reference that it was held under.

use std::fmt;

/// Bytes of a key.
pub const REFERENCE_KEY_BYTES: usize = 32;
const TAG_BYTES: usize = 12;
const RECORD_BYTES: usize = 8;

/// What makes references, and leads back from them. It is secret: who has it can try feeds and dumps until one fits.
#[derive(Clone)]
pub struct ReferenceKey {
    tag: [u8; 32],
    mask: [u8; 32],
}

/// An opaque reference.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reference {
    tag: [u8; TAG_BYTES],
    masked: [u8; RECORD_BYTES],
}

impl ReferenceKey {
    /// Of random bytes that nobody else knows.
    pub fn new(secret: &[u8; REFERENCE_KEY_BYTES]) -> Self {
        Self {
            tag: blake3::derive_key("dijkwacht 2026-11-26 reference of an alert: tag", secret),
            mask: blake3::derive_key("dijkwacht 2026-11-26 reference of an alert: mask", secret),
        }
    }

    /// The reference of a record of a run, told to an owner.
    pub fn reference(&self, run: &str, record: u64, owner_id: &str) -> Reference {
        let tag = self.tag_of(run, record, owner_id);
        Reference { tag, masked: self.masked(tag, record.to_le_bytes()) }
    }

    /// The record that a reference is of; `None` if it is of another run, owner or key.
    pub fn record_of(&self, reference: &Reference, run: &str, owner_id: &str) -> Option<u64> {
        let record = u64::from_le_bytes(self.masked(reference.tag, reference.masked));
        (self.tag_of(run, record, owner_id) == reference.tag).then_some(record)
    }

    fn tag_of(&self, run: &str, record: u64, owner_id: &str) -> [u8; TAG_BYTES] {
        let mut hasher = blake3::Hasher::new_keyed(&self.tag);
        // Neither a run's name nor an owner_id has a NUL in it.
        hasher.update(&record.to_le_bytes()).update(run.as_bytes()).update(b"\0").update(owner_id.as_bytes());
        first(hasher.finalize())
    }

    fn masked(&self, tag: [u8; TAG_BYTES], record: [u8; RECORD_BYTES]) -> [u8; RECORD_BYTES] {
        let mask: [u8; RECORD_BYTES] = first(blake3::keyed_hash(&self.mask, &tag));
        std::array::from_fn(|at| mask[at] ^ record[at])
    }
}

fn first<const BYTES: usize>(hash: blake3::Hash) -> [u8; BYTES] {
    std::array::from_fn(|at| hash.as_bytes()[at])
}

impl fmt::Debug for ReferenceKey {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReferenceKey")
    }
}

impl Reference {
    /// Reads 40 hexadecimal digits, as [`Display`](fmt::Display) writes them; `None` for all else.
    pub fn read(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        let is_digit = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
        if digits.len() != 2 * (TAG_BYTES + RECORD_BYTES) || !digits.iter().all(is_digit) {
            return None;
        }
        let byte = |at: usize| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).expect("two digits");
        let tag = std::array::from_fn(byte);
        Some(Self { tag, masked: std::array::from_fn(|at| byte(TAG_BYTES + at)) })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tag.iter().chain(&self.masked).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(first: u8) -> ReferenceKey {
        ReferenceKey::new(&std::array::from_fn(|at| first ^ at as u8))
    }

    #[test]
    fn a_reference_leads_back_with_its_key_and_with_nothing_else() {
        let key_1 = key(1);
        for record in [0, 1, 255, 1 << 40, u64::MAX] {
            let reference = key_1.reference("feed-0123456789abcdef", record, "school");
            assert_eq!(key_1.record_of(&reference, "feed-0123456789abcdef", "school"), Some(record));
            assert_eq!(Reference::read(&reference.to_string()), Some(reference));
            for (key, run, owner) in [
                (key(2), "feed-0123456789abcdef", "school"),
                (key(1), "feed-0123456789abcdee", "school"),
                (key(1), "feed-0123456789abcdef", "schoo"),
                (key(1), "feed-0123456789abcdefs", "chool"),
            ] {
                assert_eq!(key.record_of(&reference, run, owner), None, "{run} {owner}");
            }
        }
    }

    #[test]
    fn references_of_one_record_have_nothing_in_common() {
        let key = key(1);
        let of = |record, owner| key.reference("feed-0123456789abcdef", record, owner).to_string();
        let all = [of(1, "school"), of(2, "school"), of(1, "isp"), of(1, "school-")];
        for (at, one) in all.iter().enumerate() {
            for other in &all[..at] {
                assert_ne!(one[..8], other[..8]);
                assert_ne!(one[32..], other[32..]);
            }
        }
        assert_eq!(of(1, "school"), all[0]);
        assert_eq!(format!("{key:?}"), "ReferenceKey");
    }

    #[test]
    fn what_is_no_reference_is_refused() {
        let good = "0123456789abcdef0123456789abcdef01234567";
        assert!(Reference::read(good).is_some());
        for bad in ["", &good[1..], &good.to_uppercase(), &format!("{good}0"), &good.replace('0', "+")] {
            assert_eq!(Reference::read(bad), None, "{bad}");
        }
        assert_eq!(Reference::read(&good.replace("01", "\u{e9}")), None);
    }
}
