//! Owners and their registrations, from any number of files.

use crate::moment::Day;
use crate::net::{Asn, Range};

/// What an organisation may be registered as for a key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Role {
    User = 0,
    Network = 1,
    Link = 2,
}

/// Constituencies; none counts as `business`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Constituency {
    Vital,
    CentralGovernment,
    LinkOrganisation,
    DigitalServiceProvider,
    Business,
}

/// `[A-Za-z0-9][A-Za-z0-9._-]{0,63}`; compared without regard to case, shown as first written.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct OwnerId(/* private */ String);

/// One organisation as one owner_id names it.
pub struct Owner {
    pub id: OwnerId,
    pub name: Option<String>,
    pub kvk: Option<String>,
    pub ripe_org: Option<String>,
    pub constituency: Option<Constituency>,
    pub sector: Option<String>,
    /// In order of appearance, each once.
    pub contacts: Vec<String>,
    /// owner_ids of link organisations.
    pub links: Vec<OwnerId>,
    /// Owners with an equal `organisation` are united (kvk, ripe_org, same_as): the lowest owner number of the group.
    pub organisation: u32,
    /// Where it first stands.
    pub source: u16,
    pub line: u32,
}

/// What is registered.
pub enum Key {
    Range(Range),
    Asn(Asn),
    Domain(String),
}

/// One prefix, AS number or domain of an owner.
pub struct Registration {
    /// Position in [`Register::owners`].
    pub owner: u32,
    pub key: Key,
    pub role: Role,
    pub verified: Option<Day>,
    /// First and last day, both included; open where absent.
    pub valid_from: Option<Day>,
    pub valid_until: Option<Day>,
    /// Position in [`Register::sources`]: lower wins.
    pub source: u16,
    pub line: u32,
}

/// All owners and registrations, merged and linted.
pub struct Register {
    pub owners: Vec<Owner>,
    pub registrations: Vec<Registration>,
    /// File names, in order of precedence.
    pub sources: Vec<String>,
}
