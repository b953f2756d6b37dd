//! The compressed prefix index: which registrations hold an address.
//!
//! A [`Register`] is built into an index in memory ([`Index::build`]) or, once and for many runs, into a file ([`Index::write`]) that
//! is opened in milliseconds ([`Index::open`]). Both are the same bytes, with the same [`Index::id`].
//!
//! ```
//! use dijkwacht::index::Index;
//! use dijkwacht::net::Address;
//! use dijkwacht::register::{ReadOptions, Register};
//!
//! let text = "owner_id,network,role\nschool,198.18.7.0/24,user\nisp,198.18.0.0/16,network\n";
//! let (register, _) = Register::read_bytes(&[("register.csv", text.as_bytes())], &ReadOptions::default()).unwrap();
//! let index = Index::build(&register).unwrap();
//! let address = Address::read(b"198.18.7.1").unwrap();
//! let owners: Vec<_> = index.covering(address).map(|claim| index.owner(claim.owner).id).collect();
//! assert_eq!(owners, ["school", "isp"]);
//! ```
//!
//! Ranges of addresses, CIDR or not, are flattened into disjoint intervals; each interval leads to the list of all registrations that
//! cover it, most specific first, and lists share their tails. A registration that is wider than a special block does not hold
//! the addresses of that block ([`Range::held_parts`](crate::net::Range::held_parts)). A domain holds itself and all names below it
//! ([`Finder::covering_name`]); an AS number is found by records that name it ([`Finder::claims_of_asn`]).
//!
//! What it promises: a lookup answers as [`naive`], the linear search, does; an opened file is validated whole, cannot change any more, and
//! no damage to it makes a lookup panic. What it does not do: change. A new register is a new index.
//!
//! Inside: `order` puts the register in canonical order, `flatten` makes the intervals and lists, `place` and `tables` lay them out,
//! `build` puts all together, `layout` tells the format, `file` writes and opens, `kept` keeps what was replaced,
//! `validate` checks, `lookup` and `names` find, `walk` reads the intervals back,
//! `identity` makes the id; [`Coverage`] and [`Difference`] tell what an index covers and what changed.

mod assignments;
mod build;
mod claim;
mod content;
mod coverage;
mod diff;
mod dutch;
mod errors;
mod file;
mod flatten;
mod identity;
mod kept;
mod layout;
mod lookup;
pub mod naive;
mod names;
mod order;
mod place;
mod shared;
mod tables;
mod validate;
mod verify;
mod walk;

use std::fmt;
use std::ops::Range;
use std::path::Path;

use memmap2::Mmap;
use zerocopy::{FromBytes, Immutable, KnownLayout};

use crate::net::{Address, Prefix};
use crate::register::Register;

pub use assignments::{Assignment, DutchBlock};
pub use claim::{Claim, ClaimKey, Registered};
pub use content::{AsnClaim, Counts, DomainClaim, OwnerIx, OwnerView};
pub use coverage::Coverage;
pub use diff::{BothOwners, Change, ChangeKind, Difference, ListIx, Named, Stretch, each_stretch};
pub use dutch::DutchSpace;
pub use errors::{BuildError, OpenError, WriteError};
pub use kept::{find_kept, kept_directory, prune_kept};
pub use layout::{
    FAN_PLACES_MAX, INDEX_BYTES_MAX, LEAF_WORDS_MAX, OWNERS_MAX, REGISTRATIONS_MAX, RELISTED_MAX, TERMS_MAX,
    VERSION,
};
pub use lookup::{Covering, Finder, Registrations};

use file::Replaced;
use layout::{Header, SECTIONS, Section};

/// A compressed prefix index, opened or freshly built; it never changes.
pub struct Index {
    map: Mmap,
    id: [u8; 32],
    sections: [Range<usize>; SECTIONS],
}

impl Index {
    /// Builds the index of a register in memory.
    ///
    /// # Errors
    /// When the register is larger than the format, or its ranges cross each other too often ([`RELISTED_MAX`]).
    pub fn build(register: &Register) -> Result<Self, BuildError> {
        build::build(register)
    }

    /// Opens an index file: copies it into sealed memory, checks its checksum, and validates all of it.
    ///
    /// The file may be replaced, overwritten or removed afterwards. Costs its size in (shared, not anonymous) memory.
    ///
    /// # Errors
    /// When it cannot be read, is no index, is of another version, or is damaged; the message tells the remedy.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        file::open(path)
    }

    /// Writes the index beside `path`, makes it durable, and renames it over `path`.
    ///
    /// # Errors
    /// When the system refuses any of it; then `path` is as it was.
    pub fn write(&self, path: &Path) -> Result<(), WriteError> {
        file::write(&self.map, path, Replaced::Gone)
    }

    /// As [`write`](Self::write); another build that stood there stays under another name ([`find_kept`]), since runs may
    /// have been decided with it.
    ///
    /// # Errors
    /// The same, and when the build before cannot be kept.
    pub fn write_after(&self, path: &Path) -> Result<(), WriteError> {
        file::write(&self.map, path, Replaced::Kept)
    }

    /// Over bytes whose header is valid.
    fn new(map: Mmap, header: &Header) -> Self {
        let sections = header.extents.map(|extent| {
            let offset = extent.offset.get() as usize;
            offset..offset + extent.bytes.get() as usize
        });
        Self { map, id: header.id, sections }
    }

    #[inline(always)]
    fn section<T: FromBytes + KnownLayout + Immutable>(&self, section: Section) -> &[T] {
        layout::elements(self.map.get(self.sections[section as usize].clone()).unwrap_or_default())
    }

    /// The id: equal for registers that decide equally, wherever their rows stand.
    #[must_use]
    pub fn id(&self) -> [u8; 32] {
        self.id
    }

    /// What a loop of lookups is done with; the methods below take a new one each time.
    #[inline]
    #[must_use]
    pub fn finder(&self) -> Finder<'_> {
        Finder::new(self)
    }

    /// Whether any registration holds the address; `false` is a proof, and so is `true`.
    #[inline]
    #[must_use]
    pub fn holds(&self, address: Address) -> bool {
        self.finder().holds(address)
    }

    /// All registrations that hold the address: fewest addresses first; equal sizes by source, then line, then canonical order.
    #[inline]
    pub fn covering(&self, address: Address) -> Covering<'_> {
        self.finder().covering(address)
    }

    /// All registrations that hold all of the prefix, same order.
    ///
    /// A registration does not hold a prefix of which it does not hold the special addresses.
    pub fn covering_prefix(&self, prefix: Prefix) -> impl Iterator<Item = Claim> + '_ {
        lookup::covering_prefix(self, prefix)
    }

    /// All registrations that hold a part of the prefix and do not reach around it, in no order: those that lie inside, and ranges that
    /// cross its first or last address.
    ///
    /// Costs two binary searches and a look at each registration that starts inside.
    pub fn inside(&self, prefix: Prefix) -> impl Iterator<Item = Claim> + '_ {
        lookup::inside(self, prefix)
    }

    /// All registrations of addresses in canonical order: IPv4 first, by first and last address.
    pub fn claims(&self) -> impl Iterator<Item = Claim> + '_ {
        lookup::claims(self)
    }

    /// The IPv4 intervals: first address and head, neighbours different.
    fn intervals4(&self) -> Vec<(u32, u32)> {
        walk::intervals4(self)
    }

    /// The IPv6 intervals.
    fn intervals6(&self) -> Vec<(u128, u32)> {
        walk::intervals6(self)
    }
}

impl fmt::Debug for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = u64::from_be_bytes([
            self.id[0], self.id[1], self.id[2], self.id[3], self.id[4], self.id[5], self.id[6], self.id[7],
        ]);
        f.debug_struct("Index")
            .field("id", &format_args!("{id:016x}"))
            .field("counts", &self.counts())
            .finish()
    }
}
