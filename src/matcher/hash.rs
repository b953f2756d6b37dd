//! The content hash, taken chunk by chunk while the bytes are in cache.
//!
//! BLAKE3 is a binary tree over 1 KiB leaves. Chunks of a power of two that stand at multiples of their size are whole
//! subtrees of it: each worker hashes its chunk to a chaining value, and [`ContentHash`] joins the values in order. The result is
//! the ordinary BLAKE3 of the content (BLAKE3 specification, section 2.1). Other chunk sizes, which only tests use, are
//! hashed in one sequence.

use blake3::hazmat::{self, ChainingValue, HasherExt, Mode};

/// What one chunk contributes.
pub(super) enum Part {
    /// The chaining value of a whole subtree, or of the last and shorter one.
    Subtree(ChainingValue),
    /// The chunk is all there is.
    Whole(blake3::Hash),
}

/// Joins the parts of a content in order.
pub struct ContentHash {
    prefix: Vec<u8>,
    chunk_bytes: usize,
    tree: Option<Tree>,
    sequence: blake3::Hasher,
}

/// Complete subtrees, largest first; sizes in chunks are the bits of `chunks`.
#[derive(Default)]
struct Tree {
    stack: Vec<ChainingValue>,
    chunks: u64,
    whole: Option<blake3::Hash>,
}

impl ContentHash {
    /// `prefix` precedes the content; `chunk_bytes` is the size of all chunks but the last.
    pub fn new(prefix: &[u8], chunk_bytes: usize) -> Self {
        let aligned =
            chunk_bytes.is_power_of_two() && chunk_bytes >= blake3::CHUNK_LEN && prefix.len() < chunk_bytes;
        let mut sequence = blake3::Hasher::new();
        sequence.update(prefix);
        Self { prefix: prefix.to_vec(), chunk_bytes, tree: aligned.then(Tree::default), sequence }
    }

    /// Content bytes of chunk 0: the prefix takes the place of the missing ones.
    pub(super) fn first_chunk_bytes(&self) -> usize {
        if self.tree.is_some() { self.chunk_bytes - self.prefix.len() } else { self.chunk_bytes }
    }

    /// Hashes one chunk; call from any thread. `None` where the hash is taken in sequence.
    pub(super) fn part(&self, chunk: u64, bytes: &[u8], last: bool) -> Option<Part> {
        self.tree.as_ref()?;
        let mut hasher = blake3::Hasher::new();
        if chunk == 0 {
            hasher.update(&self.prefix);
        } else {
            hasher.set_input_offset(chunk * self.chunk_bytes as u64);
        }
        hasher.update(bytes);
        Some(match chunk == 0 && last {
            true => Part::Whole(hasher.finalize()),
            false => Part::Subtree(hasher.finalize_non_root()),
        })
    }

    /// Adds the next chunk's part, or its bytes where the hash is taken in sequence.
    pub(super) fn join(&mut self, part: Option<Part>, bytes: &[u8]) {
        let Some(tree) = &mut self.tree else {
            self.sequence.update(bytes);
            return;
        };
        match part {
            Some(Part::Subtree(value)) => tree.push(value),
            Some(Part::Whole(hash)) => tree.whole = Some(hash),
            None => unreachable!("part() gives one for each chunk of a tree"),
        }
    }

    /// The BLAKE3 of prefix and content.
    pub fn finish(self) -> blake3::Hash {
        match self.tree {
            Some(tree) if tree.whole.is_some() || tree.chunks > 0 => tree.finish(),
            _ => self.sequence.finalize(),
        }
    }
}

impl Tree {
    /// Equal neighbours are joined only when a further chunk proves that the join is not the root.
    fn push(&mut self, value: ChainingValue) {
        while self.stack.len() > self.chunks.count_ones() as usize {
            self.join_last_two();
        }
        self.stack.push(value);
        self.chunks += 1;
    }

    fn join_last_two(&mut self) {
        let right = self.stack.pop().expect("callers see two subtrees");
        let left = self.stack.pop().expect("callers see two subtrees");
        self.stack.push(hazmat::merge_subtrees_non_root(&left, &right, Mode::Hash));
    }

    fn finish(mut self) -> blake3::Hash {
        if let Some(hash) = self.whole {
            return hash;
        }
        while self.stack.len() > 2 {
            self.join_last_two();
        }
        let [left, right] = self.stack[..] else { unreachable!("one chunk alone is hashed whole") };
        hazmat::merge_subtrees_root(&left, &right, Mode::Hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash_in_chunks(prefix: &[u8], content: &[u8], chunk_bytes: usize) -> blake3::Hash {
        let mut hash = ContentHash::new(prefix, chunk_bytes);
        let (mut at, mut end, mut chunk) = (0, hash.first_chunk_bytes().min(content.len()), 0);
        while at < content.len() {
            let part = hash.part(chunk, &content[at..end], end == content.len());
            hash.join(part, &content[at..end]);
            (at, end, chunk) = (end, (end + chunk_bytes).min(content.len()), chunk + 1);
        }
        hash.finish()
    }

    #[test]
    fn the_joined_hash_is_blake3_of_prefix_and_content() {
        let content: Vec<u8> = (0..70_000u32).map(|i| (i * 7 % 251) as u8).collect();
        for chunk_bytes in [1, 1000, 1024, 2048, 16384, 65536, 1 << 20] {
            for length in [0, 1, 1023, 1024, 1025, 2047, 2048, 4096, 16384, 65535, 65536, 65537, 70_000] {
                for prefix in [&b""[..], b"2026-11-22\0"] {
                    let whole = [prefix, &content[..length]].concat();
                    let got = hash_in_chunks(prefix, &content[..length], chunk_bytes);
                    assert_eq!(got, blake3::hash(&whole), "{chunk_bytes} {length} {}", prefix.len());
                }
            }
        }
    }
}
