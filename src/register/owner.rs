//! The types of the register: owners, what is registered, and as what.

use crate::moment::Day;
use crate::net::{Asn, Range};
use std::fmt;
use std::hash::{Hash, Hasher};

/// What an organisation may be registered as for a key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Role {
    /// Uses the systems.
    User = 0,
    /// Owns the network that the systems are in.
    Network = 1,
    /// Registers on behalf of its members.
    Link = 2,
}

impl Role {
    /// All roles, in order of precedence.
    pub const ALL: [Self; 3] = [Self::User, Self::Network, Self::Link];

    /// As register files write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Network => "network",
            Self::Link => "link",
        }
    }

    /// Reads what [`Role::as_str`] writes.
    pub fn read(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Constituencies; none counts as `business`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Constituency {
    /// Vital infrastructure.
    Vital,
    /// Central government.
    CentralGovernment,
    /// Organisations that pass warnings on to their members.
    LinkOrganisation,
    /// Digital service providers in the law's sense.
    DigitalServiceProvider,
    /// All others.
    Business,
}

impl Constituency {
    /// All constituencies.
    pub const ALL: [Self; 5] = [
        Self::Vital,
        Self::CentralGovernment,
        Self::LinkOrganisation,
        Self::DigitalServiceProvider,
        Self::Business,
    ];

    /// As register files, configuration and alerts write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Vital => "vital",
            Self::CentralGovernment => "central-government",
            Self::LinkOrganisation => "link-organisation",
            Self::DigitalServiceProvider => "digital-service-provider",
            Self::Business => "business",
        }
    }

    /// Reads what [`Constituency::as_str`] writes.
    pub fn read(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|constituency| constituency.as_str() == text)
    }
}

impl fmt::Display for Constituency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why an owner may be told of findings: the ground in law or agreement that the register gives.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Ground {
    /// They are its own systems.
    OwnSystems,
    /// It gives their users access to the net.
    AccessProvider,
    /// An organisation that by its task tells others (OKTT).
    Oktt,
    /// A computer security incident response team.
    Csirt,
    /// A team that was made for a crisis.
    CrisisTeam,
    /// Another word stands in the register: nobody is told on it.
    Other,
}

impl Ground {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::OwnSystems, Self::AccessProvider, Self::Oktt, Self::Csirt, Self::CrisisTeam, Self::Other];

    /// As register files, configuration and alerts write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OwnSystems => "own-systems",
            Self::AccessProvider => "access-provider",
            Self::Oktt => "oktt",
            Self::Csirt => "csirt",
            Self::CrisisTeam => "crisis-team",
            Self::Other => "other",
        }
    }

    /// Reads what [`Ground::as_str`] writes; any other word is [`Ground::Other`].
    pub fn read(text: &str) -> Self {
        Self::ALL.into_iter().find(|ground| ground.as_str() == text).unwrap_or(Self::Other)
    }

    /// That of a recipient of whom the register gives none.
    pub const fn of_role(role: Role) -> Self {
        match role {
            Role::User => Self::OwnSystems,
            Role::Network => Self::AccessProvider,
            Role::Link => Self::Oktt,
        }
    }
}

impl fmt::Display for Ground {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The name by which a register knows an owner: `[A-Za-z0-9][A-Za-z0-9._-]{0,63}`.
///
/// Compared without regard to case, shown as first written. It is safe as a file name.
#[derive(Clone)]
pub struct OwnerId(Box<str>);

impl OwnerId {
    /// Longest id.
    pub const BYTES_MAX: usize = 64;

    /// `None` if the text is not of that form.
    pub fn new(text: &str) -> Option<Self> {
        Self::allows(text).then(|| Self(text.into()))
    }

    /// Whether the text is of that form.
    pub(super) fn allows(text: &str) -> bool {
        let letter = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        let bytes = text.as_bytes();
        bytes.first().is_some_and(u8::is_ascii_alphanumeric)
            && bytes.len() <= Self::BYTES_MAX
            && bytes.iter().all(letter)
    }

    /// As first written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn lower(&self) -> impl Iterator<Item = u8> + '_ {
        self.0.bytes().map(|byte| byte.to_ascii_lowercase())
    }
}

impl PartialEq for OwnerId {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for OwnerId {}

impl PartialOrd for OwnerId {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for OwnerId {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.lower().cmp(other.lower())
    }
}

impl Hash for OwnerId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let mut lower = [0xff; Self::BYTES_MAX + 1]; // 0xff ends it: no id holds that byte
        let length = self.0.len();
        lower[..length].copy_from_slice(self.0.as_bytes());
        lower[..length].make_ascii_lowercase();
        state.write(&lower[..=length]);
    }
}

impl fmt::Debug for OwnerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for OwnerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// One organisation as one `owner_id` names it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Owner {
    /// Its name in register, spool and alerts.
    pub id: OwnerId,
    /// What people call it.
    pub name: Option<String>,
    /// Its number in the Dutch trade register: 8 digits. `00000000` unites nobody.
    pub kvk: Option<String>,
    /// Its organisation object in the RIPE database.
    pub ripe_org: Option<String>,
    /// Which of the senders' constituencies it belongs to.
    pub constituency: Option<Constituency>,
    /// Why it may be told, where not for its role.
    pub ground: Option<Ground>,
    /// Its sector, in the register's own words.
    pub sector: Option<String>,
    /// Addresses of mail, in order of appearance, each once.
    pub contacts: Vec<String>,
    /// owner_ids of its link organisations; they need not be in the register.
    pub links: Vec<OwnerId>,
    /// Owners with an equal `organisation` are united (kvk, ripe_org, same_as): the lowest owner number of the group.
    pub organisation: u32,
    /// Where it first stands: position in [`Register::sources`](super::Register::sources) …
    pub source: u16,
    /// … and line.
    pub line: u32,
}

/// What is registered.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Key {
    /// Addresses; a range is one registration, CIDR or not.
    Range(Range),
    /// All that an AS announces.
    Asn(Asn),
    /// A host name and all below it, canonical as of [`host_name`](crate::text::host_name).
    Domain(String),
}

impl fmt::Display for Key {
    /// Canonical text: `192.0.2.0/24`, `192.0.2.0 - 192.0.2.99`, `AS64496`, `example.nl`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Range(range) => range.fmt(f),
            Self::Asn(asn) => asn.fmt(f),
            Self::Domain(domain) => domain.fmt(f),
        }
    }
}

/// How a registration comes to be in a Dutch register.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[repr(u8)]
pub enum Scope {
    /// A register file states it.
    #[default]
    Stated = 0,
    /// RIPE: of an organisation that says it is Dutch.
    Organisation = 1,
    /// RIPE: in space delegated to the Netherlands, of a Dutch organisation.
    Delegated = 2,
    /// RIPE: only the network says that it is in the Netherlands; whose it is, is outside the constituency.
    Located = 3,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Stated, Self::Organisation, Self::Delegated, Self::Located];

    /// A word for summaries and alerts.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stated => "stated",
            Self::Organisation => "organisation",
            Self::Delegated => "delegated",
            Self::Located => "located",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One prefix, AS number or domain of an owner.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Registration {
    /// Position in [`Register::owners`](super::Register::owners).
    pub owner: u32,
    /// What is registered.
    pub key: Key,
    /// As what.
    pub role: Role,
    /// When somebody last made sure of it.
    pub verified: Option<Day>,
    /// First day, included; open where absent.
    pub valid_from: Option<Day>,
    /// Last day, included; open where absent.
    pub valid_until: Option<Day>,
    /// Whether somebody wrote that role down; else it is the default.
    pub is_role_stated: bool,
    /// How it comes to be in a Dutch register.
    pub scope: Scope,
    /// Position in [`Register::sources`](super::Register::sources): lower wins.
    pub source: u16,
    /// Line of that source on which its row starts.
    pub line: u32,
}

impl Registration {
    /// Whether both are valid on some same day.
    pub(super) fn meets(&self, other: &Self) -> bool {
        let begins_by_end = |a: &Self, b: &Self| match (a.valid_from, b.valid_until) {
            (Some(from), Some(until)) => from <= until,
            _ => true,
        };
        begins_by_end(self, other) && begins_by_end(other, self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn owner_ids_are_of_one_form() {
        for text in ["a", "9", "School-1.nl_x", &"x".repeat(64)] {
            assert_eq!(OwnerId::new(text).map(|id| id.to_string()).as_deref(), Some(text));
        }
        for text in ["", "-a", ".a", "_a", "a b", "a/b", "\u{e9}", "a\n", "..", &"x".repeat(65)] {
            assert_eq!(OwnerId::new(text), None, "{text:?}");
        }
    }

    #[test]
    fn owner_ids_are_compared_without_regard_to_case() {
        let id = |text| OwnerId::new(text).unwrap();
        assert_eq!(id("School"), id("sCHOOL"));
        assert!(id("a") < id("B") && id("B") < id("c") && id("A") < id("a1"));
        let ids: HashSet<OwnerId> = ["School", "school", "schoolx"].map(id).into();
        assert_eq!(ids.len(), 2);
    }

    #[test]
    fn roles_and_constituencies_read_what_they_write() {
        assert!(Role::ALL.into_iter().all(|role| Role::read(role.as_str()) == Some(role)));
        assert!(Constituency::ALL.into_iter().all(|it| Constituency::read(it.as_str()) == Some(it)));
        assert_eq!((Role::read("User"), Constituency::read("")), (None, None));
    }

    /// All pairs of validities over three days, open ends included, against counting days.
    #[test]
    fn registrations_meet_if_some_day_is_in_both() {
        let ends: Vec<Option<i32>> = vec![None, Some(1), Some(2), Some(3)];
        let valid = |from: Option<i32>, until: Option<i32>| Registration {
            owner: 0,
            key: Key::Asn(Asn(1)),
            role: Role::User,
            verified: None,
            valid_from: from.map(Day::from_number),
            valid_until: until.map(Day::from_number),
            is_role_stated: false,
            scope: Scope::Stated,
            source: 0,
            line: 0,
        };
        let days = |from: Option<i32>, until: Option<i32>| {
            (0..5).filter(move |&day| {
                from.is_none_or(|from| from <= day) && until.is_none_or(|until| day <= until)
            })
        };
        let spans = || ends.iter().flat_map(|&from| ends.iter().map(move |&until| (from, until)));
        let spans: Vec<_> = spans().filter(|&(from, until)| days(from, until).count() > 0).collect();
        for &(from, until) in &spans {
            for &(other_from, other_until) in &spans {
                let both =
                    days(from, until).any(|day| days(other_from, other_until).any(|other| day == other));
                assert_eq!(valid(from, until).meets(&valid(other_from, other_until)), both);
            }
        }
    }
}
