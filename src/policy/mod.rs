//! Who is told: pure functions over covering registrations. The user, else the network owner.

use crate::index::{Claim, Index, OwnerIx};
use crate::moment::Moment;
use crate::scan::Finding;

/// Why a person must decide; a closed set, in order of precedence.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Hold {
    UnknownType,
    NoFinding,
    Future,
    TooOld,
    Prefix,
    Conflict,
    Moved,
    NoContact,
    TlpUnknown,
    TlpPermission,
    Assessment,
    Fuse,
}

/// Which rule chose the recipient.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Rule {
    UserPrefix,
    UserName,
    UserAsn,
    NetworkPrefix,
    NetworkAsn,
    Link,
}

/// One line that a decision writes: under whose name, and which registration says so.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Line {
    pub owner: OwnerIx,
    pub rule: Rule,
    pub claim: Claim,
}

/// What becomes of one finding.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Decision {
    /// No registration is valid at either time.
    Unmatched,
    /// The recipient is told.
    Share(Line),
    /// A person decides; at least one line.
    Hold(Hold, Vec<Line>),
    /// Policy drops it (assessment); counted.
    Drop(Line),
    /// An exception applies; counted.
    Except(Line),
}
