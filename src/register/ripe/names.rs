//! Texts kept once each, by number: millions of names in a few bytes more than they are long.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher;

/// A text by its number; 0 is the empty one, which means *none*.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub(in crate::register) struct Name(pub(in crate::register) u32);

impl Name {
    /// The empty text.
    pub(in crate::register) const NONE: Self = Self(0);

    pub(in crate::register) fn is_none(self) -> bool {
        self == Self::NONE
    }
}

/// Texts that are kept once each: 8 bytes and their own for each.
#[derive(Clone)]
pub(in crate::register) struct Names {
    bytes: Vec<u8>,
    /// Where each ends; the first is the empty one.
    ends: Vec<u32>,
    /// Numbers by hash, 0 where there is none; searched from there on. A power of two, at most half filled.
    slots: Vec<u32>,
    hash: RandomState,
}

impl Default for Names {
    fn default() -> Self {
        Self { bytes: Vec::new(), ends: vec![0], slots: vec![0; 16], hash: RandomState::new() }
    }
}

impl Names {
    /// The number of a text, which is added unless it is there; `None` once 4 GiB are full.
    pub(in crate::register) fn intern(&mut self, text: &[u8]) -> Option<Name> {
        if text.is_empty() {
            return Some(Name::NONE);
        }
        let slot = self.slot_of(text);
        if self.slots[slot] != 0 {
            return Some(Name(self.slots[slot]));
        }
        let end = u32::try_from(self.bytes.len() + text.len()).ok()?;
        let name = u32::try_from(self.ends.len()).ok()?;
        self.bytes.extend_from_slice(text);
        self.ends.push(end);
        self.slots[slot] = name;
        if self.ends.len() * 2 > self.slots.len() {
            self.grow();
        }
        Some(Name(name))
    }

    /// The number of a text, if it is there.
    #[cfg(test)]
    pub(in crate::register) fn find(&self, text: &[u8]) -> Option<Name> {
        Some(Name(self.slots[self.slot_of(text)])).filter(|name| !name.is_none())
    }

    pub(in crate::register) fn get(&self, name: Name) -> &[u8] {
        let end = |at: u32| self.ends[at as usize] as usize;
        match name.0.checked_sub(1) {
            Some(before) => &self.bytes[end(before)..end(name.0)],
            None => &[],
        }
    }

    /// How many there are, the empty one included.
    pub(in crate::register) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The slot that holds the text, or the free one where it belongs.
    fn slot_of(&self, text: &[u8]) -> usize {
        let mask = self.slots.len() - 1;
        let mut slot = self.hash.hash_one(text) as usize & mask;
        while self.slots[slot] != 0 && self.get(Name(self.slots[slot])) != text {
            slot = (slot + 1) & mask;
        }
        slot
    }

    fn grow(&mut self) {
        self.slots = vec![0; self.slots.len() * 2];
        for name in 1..self.ends.len() as u32 {
            let slot = self.slot_of(self.get(Name(name)));
            self.slots[slot] = name;
        }
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Names").field("len", &self.len()).field("bytes", &self.bytes.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn a_text_has_one_number_and_is_found_by_it() {
        let (mut names, mut known) = (Names::default(), HashMap::new());
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..20_000 {
            let text = random.u32(..5_000).to_string().into_bytes();
            let name = names.intern(&text).unwrap();
            assert_eq!(*known.entry(text.clone()).or_insert(name), name);
            assert_eq!((names.get(name), names.find(&text)), (&text[..], Some(name)));
        }
        assert_eq!(names.len(), known.len() + 1);
        assert_eq!(
            (names.intern(b""), names.find(b"x"), names.get(Name::NONE)),
            (Some(Name::NONE), None, &b""[..])
        );
    }
}
