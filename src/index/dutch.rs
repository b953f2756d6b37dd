//! Which space is Dutch, as fast as misses come: asked of every record that nobody registered.
//!
//! A bit for each IPv4 /16 with any Dutch address in it, 8 KiB that stay in the first-level cache; then one for each such /20; of those
//! that are left, two bits for each /24, whether any and all of it is: only where a block ends inside one are the blocks searched.
//! IPv6 has bits for hashes of its /32s, and then the blocks.

use super::Index;
use super::layout::{DelegationRow, Section};
use super::lookup::ones;
use crate::net::{Address, Family, Range};

/// IPv4 bits below a block of 4,096 addresses.
const BLOCK_BITS4: u32 = 12;
const BLOCKS: usize = 1 << 20;
/// IPv4 bits below a neighbourhood of 65,536 addresses.
const NEAR_BITS4: u32 = 16;
const NEARS: usize = 1 << 16;
/// IPv4 bits below a /24.
const NET_BITS4: u32 = 8;
/// Two bits for each /24.
const NETS_TWICE: usize = 1 << 25;

/// The Dutch space of an index; 4.3 MiB, of which most is touched only where it is Dutch.
pub struct DutchSpace {
    near4: Bits<{ NEARS / 64 }>,
    any4: Bits<{ BLOCKS / 64 }>,
    /// Of each /24, whether any of it is Dutch, and then whether all of it is.
    nets4: Bits<{ NETS_TWICE / 64 }>,
    any6: Bits<{ BLOCKS / 64 }>,
}

impl DutchSpace {
    /// What the index knows of it; `None` where it knows nothing.
    #[must_use]
    pub fn of(index: &Index) -> Option<Self> {
        let rows = index.section::<DelegationRow>(Section::Delegations);
        if rows.is_empty() {
            return None;
        }
        let mut space =
            Self { near4: Bits::none(), any4: Bits::none(), nets4: Bits::none(), any6: Bits::none() };
        for row in rows {
            let (first, last) = (row.first.get(), row.last.get());
            match row.address_bits.get() {
                32 => space.add4(first as u32, last as u32),
                _ => space.add6((first >> 96) as u32, (last >> 96) as u32),
            }
        }
        Some(space)
    }

    fn add4(&mut self, first: u32, last: u32) {
        for net in first >> NET_BITS4..=last >> NET_BITS4 {
            let (start, end) = (net << NET_BITS4, net << NET_BITS4 | ((1 << NET_BITS4) - 1));
            self.near4.set((start >> NEAR_BITS4) as usize);
            self.any4.set((start >> BLOCK_BITS4) as usize);
            self.nets4.set(net as usize * 2);
            if first <= start && end <= last {
                self.nets4.set(net as usize * 2 + 1);
            }
        }
    }

    fn add6(&mut self, first: u32, last: u32) {
        match (last - first) as usize {
            // They would set nearly all.
            BLOCKS.. => self.any6.set_all(),
            _ => (first..=last).for_each(|high| self.any6.set(place6(high))),
        }
    }

    /// Which of at most 64 IPv4 addresses may be Dutch, one bit each; a bit that is not set is a proof that it is not.
    #[must_use]
    pub fn may_hold_v4_batch(&self, addresses: &[u32]) -> u64 {
        let addresses = &addresses[..addresses.len().min(64)];
        let all = addresses.iter().enumerate();
        let near =
            all.fold(0, |mask, (at, &bits)| mask | self.near4.get((bits >> NEAR_BITS4) as usize) << at);
        let is_any = |at: usize| self.any4.get((addresses[at] >> BLOCK_BITS4) as usize);
        ones(near).fold(0, |mask, at| mask | is_any(at) << at)
    }

    /// Whether an address may be Dutch; `false` is a proof that it is not.
    #[inline]
    #[must_use]
    pub fn may_hold(&self, address: Address) -> bool {
        let bits = address.bits();
        let bit = match address.family() {
            Family::V4 => self.any4.get((bits >> BLOCK_BITS4) as usize),
            Family::V6 => self.any6.get(place6((bits >> 96) as u32)),
        };
        bit != 0
    }

    /// Whether all of a range lies in a Dutch block of the index that it was made of.
    #[must_use]
    pub fn holds(&self, index: &Index, range: Range) -> bool {
        let first = range.first();
        if first.family() == Family::V4 {
            let net = |address: Address| (address.bits() >> NET_BITS4) as usize;
            if self.nets4.get(net(first) * 2) == 0 {
                return false;
            }
            if net(first) == net(range.last()) && self.nets4.get(net(first) * 2 + 1) != 0 {
                return true;
            }
        }
        self.may_hold(first) && index.dutch_block(first).is_some_and(|block| block.range.contains(range))
    }
}

/// Fibonacci hashing: neighbours are spread, and the highest bits are mixed best.
fn place6(high: u32) -> usize {
    (high.wrapping_mul(0x9e37_79b9) >> BLOCK_BITS4) as usize
}

/// Bits, 64 to a word.
struct Bits<const WORDS: usize>(Vec<u64>);

impl<const WORDS: usize> Bits<WORDS> {
    fn none() -> Self {
        Self(vec![0; WORDS])
    }

    fn set(&mut self, place: usize) {
        self.0[place / 64] |= 1 << (place % 64);
    }

    fn set_all(&mut self) {
        self.0.fill(!0);
    }

    #[inline]
    fn get(&self, place: usize) -> u64 {
        self.0[place / 64 % WORDS] >> (place % 64) & 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::register::{ReadOptions, Register};

    fn index(rows: &str) -> Index {
        let text = format!("2|ripencc|20261122|1|19830705|20261122|+0100\n{rows}");
        let read =
            Register::read_bytes(&[("delegated-ripencc-extended", text.as_bytes())], &ReadOptions::default());
        Index::build(&read.unwrap().0).unwrap()
    }

    /// Blocks of odd sizes and both families, against looking at all of them, at each border and beside it.
    #[test]
    fn dutch_is_what_a_block_holds() {
        let mut found = [0; 2];
        for seed in 0..60 {
            let mut random = fastrand::Rng::with_seed(seed);
            let (mut rows, mut ranges, mut at) = (String::new(), Vec::new(), 0x5bc0_0000_u32);
            for _ in 0..random.usize(1..8) {
                at += random.u32(0..9_000);
                let count = random.u32(1..20_000);
                let first = Address::v4(at);
                rows.push_str(&format!("ripencc|NL|ipv4|{first}|{count}|20100101|allocated|h{at}\n"));
                ranges.push(Range::new(first, Address::v4(at + count - 1)).unwrap());
                at += count;
                let length = random.u32(12..=48);
                let first6 = u128::from(random.u32(0x2a00_0000..0x2a10_0000)) << 96 >> (128 - length)
                    << (128 - length);
                let last6 = first6 | u128::MAX.checked_shr(length).unwrap_or_default();
                let range = Range::new(Address::v6(first6), Address::v6(last6)).unwrap();
                if ranges.iter().all(|other: &Range| !other.overlaps(range)) {
                    rows.push_str(&format!(
                        "ripencc|NL|ipv6|{}|{length}|20100101|allocated|x\n",
                        range.first()
                    ));
                    ranges.push(range);
                }
            }
            let index = index(&rows);
            let dutch = DutchSpace::of(&index).unwrap();
            for range in &ranges {
                for border in [range.first().bits(), range.last().bits()] {
                    for bits in [
                        border.wrapping_sub(1),
                        border,
                        border + 1,
                        border ^ 0xff,
                        border ^ 0xfff,
                        border ^ 0x1000,
                    ] {
                        let address = Address::from_bits(range.family(), bits);
                        let is_dutch = ranges.iter().any(|range| range.holds(address));
                        let one = Range::new(address, address).unwrap();
                        assert_eq!(dutch.holds(&index, one), is_dutch, "seed {seed}, {address}");
                        assert!(dutch.may_hold(address) || !is_dutch);
                        if range.family() == Family::V4 {
                            let batch = dutch.may_hold_v4_batch(&[0, bits as u32]);
                            assert_eq!(batch, u64::from(dutch.may_hold(address)) << 1);
                        }
                        found[usize::from(is_dutch)] += 1;
                    }
                }
                let (before, after) = (range.first().bits() - 1, range.last().bits() + 1);
                let wider = |first, last| {
                    Range::new(
                        Address::from_bits(range.family(), first),
                        Address::from_bits(range.family(), last),
                    )
                };
                assert!(dutch.holds(&index, *range), "seed {seed}, {range}");
                assert!(
                    !dutch.holds(&index, wider(range.first().bits(), after).unwrap()),
                    "seed {seed}, {range}"
                );
                assert!(
                    !dutch.holds(&index, wider(before, range.last().bits()).unwrap()),
                    "seed {seed}, {range}"
                );
            }
        }
        assert!(found[0] > 100 && found[1] > 100, "{found:?}");
        assert!(DutchSpace::of(&index("ripencc|DE|ipv4|91.0.0.0|256|20100101|allocated|h\n")).is_none());
    }
}
