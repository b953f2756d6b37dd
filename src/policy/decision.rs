//! What can become of a finding: closed sets, shared by summary, metrics and files.

use crate::index::{Claim, ClaimKey, OwnerIx};
use crate::register::Role;
use std::fmt;

/// What becomes of one finding.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Decision {
    /// No registration is valid at either time.
    Unmatched,
    /// The recipient is told.
    Share(Line),
    /// Several are told, or others instead of the recipient: one line each, and how many more an exception keeps back.
    ShareWith(Vec<Line>, u64),
    /// A person decides; at least one line, the one that would have been told first.
    Hold(Hold, Vec<Line>),
    /// Policy drops it (assessment); counted.
    Drop(Line),
    /// An exception applies to all of these; counted.
    Except(Vec<Line>),
}

impl Decision {
    /// The lines that it writes or counts: one for each recipient.
    pub fn lines(&self) -> &[Line] {
        match self {
            Self::Unmatched => &[],
            Self::Share(line) | Self::Drop(line) => std::slice::from_ref(line),
            Self::Except(lines) => lines,
            Self::ShareWith(lines, _) | Self::Hold(_, lines) => lines,
        }
    }
}

/// One line that a decision writes: under whose name, and which registration says so.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Line {
    /// The entry that is told. Not always the one of `claim`: an entry without a contact is told through another entry of
    /// its organisation.
    pub owner: OwnerIx,
    /// The rule that chose it.
    pub rule: Rule,
    /// The most specific registration of the organisation in the role that won.
    pub claim: Claim,
    /// Of a link organisation that is told on behalf of a member: the member, whose registration it is.
    pub member: Option<OwnerIx>,
    /// What the assessment says of it.
    pub assessed: Assessed,
}

/// What an assessment says of a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Assessed {
    /// No rule of the table fits, or it was not asked.
    #[default]
    NoRule,
    /// The rule of that number decided.
    Rule(u16),
    /// There is no ground to tell it.
    Ground,
}

/// Why a person must decide; a closed set, in order of precedence: the first that applies is the reason.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Hold {
    /// A Shadowserver report type that the table does not know.
    UnknownType,
    /// Nobody says what is wrong.
    NoFinding,
    /// Seen more than a day after the run time.
    Future,
    /// Seen too long before the run time.
    TooOld,
    /// The record names a prefix, in which another organisation has a registration.
    Prefix,
    /// Several organisations have an equal claim.
    Conflict,
    /// Between the finding and the run the address went from one organisation to another, or to or from nobody.
    Moved,
    /// Nobody of those with a claim has a contact.
    NoContact,
    /// The TLP label cannot be read.
    TlpUnknown,
    /// The TLP label forbids it.
    TlpPermission,
    /// An assessment asks for a person, or there is no ground to tell.
    Assessment,
    /// The run has more alerts than its feed may send before a person looks.
    Fuse,
}

impl Hold {
    /// All, in order of precedence.
    pub const ALL: [Self; 12] = [
        Self::UnknownType,
        Self::NoFinding,
        Self::Future,
        Self::TooOld,
        Self::Prefix,
        Self::Conflict,
        Self::Moved,
        Self::NoContact,
        Self::TlpUnknown,
        Self::TlpPermission,
        Self::Assessment,
        Self::Fuse,
    ];

    /// The word for it in summary, metrics and files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnknownType => "unknown-type",
            Self::NoFinding => "no-finding",
            Self::Future => "future",
            Self::TooOld => "too-old",
            Self::Prefix => "prefix",
            Self::Conflict => "conflict",
            Self::Moved => "moved",
            Self::NoContact => "no-contact",
            Self::TlpUnknown => "tlp-unknown",
            Self::TlpPermission => "tlp-permission",
            Self::Assessment => "assessment",
            Self::Fuse => "fuse",
        }
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Which rule chose the recipient; a closed set, strongest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Rule {
    /// The most specific `user` prefix.
    UserPrefix,
    /// The longest `user` domain.
    UserName,
    /// A `user` AS number.
    UserAsn,
    /// The most specific `network` prefix.
    NetworkPrefix,
    /// The `network` AS number.
    NetworkAsn,
    /// An organisation that registers on behalf of its members, as the last resort.
    Link,
}

impl Rule {
    /// All, strongest first.
    pub const ALL: [Self; 6] =
        [Self::UserPrefix, Self::UserName, Self::UserAsn, Self::NetworkPrefix, Self::NetworkAsn, Self::Link];

    /// The word for it in summary, metrics and files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UserPrefix => "user-prefix",
            Self::UserName => "user-name",
            Self::UserAsn => "user-asn",
            Self::NetworkPrefix => "network-prefix",
            Self::NetworkAsn => "network-asn",
            Self::Link => "link",
        }
    }

    /// The role that a registration has which wins by it.
    pub const fn role(self) -> Role {
        match self {
            Self::UserPrefix | Self::UserName | Self::UserAsn => Role::User,
            Self::NetworkPrefix | Self::NetworkAsn => Role::Network,
            Self::Link => Role::Link,
        }
    }

    /// The rule by which a registration wins that was found by address.
    pub(super) const fn of_address(claim: &Claim) -> Self {
        match (claim.role, claim.key) {
            (Role::User, ClaimKey::Announced(..)) => Self::UserAsn,
            (Role::Network, ClaimKey::Announced(..)) => Self::NetworkAsn,
            (Role::User, _) => Self::UserPrefix,
            (Role::Network, _) => Self::NetworkPrefix,
            (Role::Link, _) => Self::Link,
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closed_sets_are_whole_in_order_and_named_as_in_the_files() {
        for (at, hold) in Hold::ALL.into_iter().enumerate() {
            assert_eq!(at, hold as usize);
        }
        for (at, rule) in Rule::ALL.into_iter().enumerate() {
            assert_eq!(at, rule as usize);
        }
        assert_eq!(
            Hold::ALL.map(Hold::as_str).join(", "),
            "unknown-type, no-finding, future, too-old, prefix, conflict, moved, no-contact, tlp-unknown, \
             tlp-permission, assessment, fuse"
        );
        assert_eq!(
            Rule::ALL.map(Rule::as_str).join(", "),
            "user-prefix, user-name, user-asn, network-prefix, network-asn, link"
        );
    }
}
