//! Registrations flattened into disjoint intervals, each with the list of what covers it.
//!
//! One sweep over the borders, in order of address, with the registrations that are open kept from widest to most specific.
//! Where registrations nest, opening pushes and closing pops, and a registration's next is always the same: its parent.
//! Where they cross, those above the one that came or went are listed again; that work is counted and bounded, since n
//! ranges that all cross need n² entries.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use super::layout::{NodeRow, RELISTED_MAX};

/// The bits of an address.
pub(super) trait Bits: Copy + Ord {
    /// The last address.
    const LAST: Self;
    /// The address after it, if any.
    fn after(self) -> Option<Self>;
    /// The address before it; of the first, the last.
    fn before(self) -> Self;
}

impl Bits for u32 {
    const LAST: Self = Self::MAX;
    fn after(self) -> Option<Self> {
        self.checked_add(1)
    }
    fn before(self) -> Self {
        self.wrapping_sub(1)
    }
}

impl Bits for u128 {
    const LAST: Self = Self::MAX;
    fn after(self) -> Option<Self> {
        self.checked_add(1)
    }
    fn before(self) -> Self {
        self.wrapping_sub(1)
    }
}

/// A part of a registration that holds addresses: all of it, unless special blocks were cut out.
#[derive(Clone, Copy)]
pub(super) struct Piece<K> {
    pub(super) first: K,
    pub(super) last: K,
    pub(super) registration: u32,
}

/// Registrations cross more often than [`RELISTED_MAX`]; it was reached at this one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Crossing {
    pub(super) registration: u32,
}

/// The lists of covering registrations of both families, tails shared.
pub(super) struct Lists {
    /// The next node of each registration's own node; `None` until it is first needed.
    nexts: Vec<u32>,
    nodes: Vec<NodeRow>,
    known: HashMap<(u32, u32), u32>,
    relisted: usize,
}

/// Marks a registration that no list holds yet.
const UNSET: u32 = u32::MAX;

impl Lists {
    pub(super) fn new(registrations: usize) -> Self {
        Self { nexts: vec![UNSET; registrations], nodes: Vec::new(), known: HashMap::new(), relisted: 0 }
    }

    /// The next node of each registration's own node (0 for one that holds no address), and the other nodes.
    pub(super) fn finish(mut self) -> (Vec<u32>, Vec<NodeRow>) {
        for next in &mut self.nexts {
            if *next == UNSET {
                *next = 0;
            }
        }
        (self.nexts, self.nodes)
    }

    /// The node of `registration` in front of `next`.
    fn node(&mut self, registration: u32, next: u32) -> u32 {
        let own = &mut self.nexts[registration as usize];
        if *own == UNSET {
            *own = next;
        }
        if *own == next {
            return registration + 1;
        }
        let new = (self.nexts.len() + self.nodes.len() + 1) as u32;
        let node = *self.known.entry((registration, next)).or_insert(new);
        if node == new {
            self.nodes.push(NodeRow { registration: registration.into(), next: next.into() });
        }
        node
    }
}

/// An open piece and the node that its registration heads.
struct Open<K> {
    registration: u32,
    last: K,
    node: u32,
}

/// The open pieces, widest registration first.
struct Stack<'l, K> {
    open: Vec<Open<K>>,
    moved: Vec<(u32, K)>,
    lists: &'l mut Lists,
}

impl<K: Bits> Stack<'_, K> {
    fn head(&self) -> u32 {
        self.open.last().map_or(0, |top| top.node)
    }

    fn push(&mut self, registration: u32, last: K) {
        let node = self.lists.node(registration, self.head());
        self.open.push(Open { registration, last, node });
    }

    /// Adds a piece below those whose registrations come before its own.
    fn open(&mut self, piece: Piece<K>, precedes: &impl Fn(u32, u32) -> bool) -> Result<(), Crossing> {
        while let Some(top) = self.open.pop_if(|top| precedes(top.registration, piece.registration)) {
            self.moved.push((top.registration, top.last));
        }
        self.push(piece.registration, piece.last);
        self.put_back()
    }

    /// Removes `count` pieces that end before `border`.
    fn close(&mut self, mut count: usize, border: K) -> Result<(), Crossing> {
        while count > 0
            && let Some(top) = self.open.pop()
        {
            if top.last < border {
                count -= 1;
            } else {
                self.moved.push((top.registration, top.last));
            }
        }
        self.put_back()
    }

    fn put_back(&mut self) -> Result<(), Crossing> {
        self.lists.relisted += self.moved.len();
        if self.lists.relisted > RELISTED_MAX {
            return Err(Crossing { registration: self.head() - 1 });
        }
        while let Some((registration, last)) = self.moved.pop() {
            self.push(registration, last);
        }
        Ok(())
    }
}

/// Flattens pieces, which must be in order of their first address and, where that is equal, widest first.
///
/// `precedes` is the order of the lists: whether the first registration is to stand before the second. Returns (first address, head)
/// of each interval, ascending, neighbours different; what lies before the first interval is covered by nothing.
pub(super) fn flatten<K: Bits>(
    pieces: &[Piece<K>],
    precedes: impl Fn(u32, u32) -> bool,
    lists: &mut Lists,
) -> Result<Vec<(K, u32)>, Crossing> {
    let mut stack = Stack { open: Vec::new(), moved: Vec::new(), lists };
    let mut ends = BinaryHeap::new();
    let mut intervals: Vec<(K, u32)> = Vec::with_capacity(pieces.len() * 2);
    let mut pieces = pieces.iter().peekable();
    loop {
        let start = pieces.peek().map(|piece| piece.first);
        let end = ends.peek().and_then(|&Reverse(last): &Reverse<K>| last.after());
        let border = match (start, end) {
            (Some(start), Some(end)) => start.min(end),
            (Some(border), None) | (None, Some(border)) => border,
            (None, None) => return Ok(intervals),
        };
        let mut ended = 0;
        while ends.peek().is_some_and(|&Reverse(last)| last < border) {
            ends.pop();
            ended += 1;
        }
        stack.close(ended, border)?;
        while let Some(&piece) = pieces.next_if(|piece| piece.first == border) {
            ends.push(Reverse(piece.last));
            stack.open(piece, &precedes)?;
        }
        let head = stack.head();
        if intervals.last().map_or(0, |&(_, head)| head) != head {
            intervals.push((border, head));
        }
    }
}
