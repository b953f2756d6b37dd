//! The compressed prefix index.

use crate::moment::Day;
use crate::net::{Address, Prefix, Range};
use crate::register::{Constituency, Register, Role};

/// An opened or freshly built index; immutable.
pub struct Index {/* map + validated section offsets */}

/// Position of an owner in the index's canonical order (by lower-cased owner_id).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct OwnerIx(pub u32);

/// A registration of an address range as the index holds it. Copy, 64 bytes or less.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Claim {
    pub registration: u32,
    pub owner: OwnerIx,
    pub role: Role,
    pub range: Range,
    pub valid_from: Option<Day>,
    pub valid_until: Option<Day>,
    pub source: u16,
    pub line: u32,
}

/// An owner as the index holds it.
pub struct OwnerView<'i> {
    pub id: &'i str,
    pub name: Option<&'i str>,
    pub constituency: Option<Constituency>,
    pub sector: Option<&'i str>,
    /// Lowest OwnerIx of the united group; equal means one organisation.
    pub organisation: OwnerIx,
    pub source: u16,
    pub line: u32,
    // + contacts(): iterator of &str
}

impl Index {
    pub fn id(&self) -> [u8; 32] {
        todo!()
    }
    /// Whether any registration holds the address; `false` is a proof.
    pub fn holds(&self, address: Address) -> bool {
        todo!()
    }
    /// All registrations that hold the address: fewest addresses first; equal sizes by source, then line.
    pub fn covering(&self, address: Address) -> impl Iterator<Item = Claim> + '_ {
        std::iter::empty()
    }
    /// All registrations that hold all of the prefix, same order.
    pub fn covering_prefix(&self, prefix: Prefix) -> impl Iterator<Item = Claim> + '_ {
        std::iter::empty()
    }
    /// All registrations that lie inside the prefix and are not all of it.
    pub fn inside(&self, prefix: Prefix) -> impl Iterator<Item = Claim> + '_ {
        std::iter::empty()
    }
    pub fn owner(&self, owner: OwnerIx) -> OwnerView<'_> {
        todo!()
    }
    /// The owners of one organisation, in order of appearance (source, then line).
    pub fn united(&self, organisation: OwnerIx) -> impl Iterator<Item = OwnerIx> + '_ {
        std::iter::empty()
    }
    pub fn source_name(&self, source: u16) -> &str {
        todo!()
    }
}
