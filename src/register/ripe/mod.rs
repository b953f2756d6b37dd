//! The RIPE database as a source of owners: split dumps (`ripe.db.inetnum`, `inet6num`, `organisation`, `role`, `aut-num`, `route`,
//! `route6`), or whole ones.
//!
//! The files only make sense together: who answers for a network stands in organisations and roles. So all RIPE sources of a
//! register are read first, in any order, and resolved at the end; a registration then has the place in the order of sources, the
//! file and the line of its own object. A register with networks and without roles or organisations is refused.
//!
//! Inside: `rpsl` reads objects, `database` keeps a row of each that counts, `names` the texts, `resolve` decides.

mod database;
mod names;
mod resolve;
mod rpsl;

use crate::net::{Address, Family, Range};
use crate::register::delegated::Delegations;
use crate::register::merge::Sink;
use crate::register::report::FindingKind;
use crate::register::row::{Attribute, Attributes, Row, RowClaim, Validity};
use names::{Name, Names};
use resolve::{Desk, Resolved};
use std::borrow::Cow;

pub use database::Counts as RipeCounts;
pub(super) use database::Database;

/// Classes of the RIPE database; what begins with one of them is a dump of it.
const CLASSES: [&str; 22] = [
    "as-block",
    "as-set",
    "aut-num",
    "domain",
    "filter-set",
    "inet-rtr",
    "inet6num",
    "inetnum",
    "irt",
    "key-cert",
    "mntner",
    "organisation",
    "peering-set",
    "person",
    "poem",
    "poetic-form",
    "role",
    "route",
    "route-set",
    "route6",
    "rtr-set",
    "limerick",
];

/// Whether this is the first line of an object.
pub(super) fn is_object(line: &[u8]) -> bool {
    let Some(colon) = line.iter().position(|&byte| byte == b':') else { return false };
    CLASSES.iter().any(|class| line[..colon].eq_ignore_ascii_case(class.as_bytes()))
}

/// A network without a contact of its own, inside the registration of the desk that answers for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Assigned<K> {
    first: K,
    last: K,
    netname: Name,
    /// Position of its desk in the register's owners.
    owner: u32,
}

/// Which customer of an abuse desk has which addresses: networks of the RIPE database without a contact of their own.
#[derive(Clone, Debug, Default)]
pub struct Assignments {
    names: Names,
    v4: Vec<Assigned<u32>>,
    v6: Vec<Assigned<u128>>,
}

/// One of them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Assignment<'a> {
    /// Its addresses.
    pub range: Range,
    /// What the network is called; may be empty. It is Latin-1 of RIPE's, of letters, digits and dashes if right.
    pub netname: Cow<'a, str>,
    /// Equal for equal netnames; less than [`Assignments::netnames`].
    pub netname_number: u32,
    /// Whose registration it lies in: position in [`Register::owners`](super::Register::owners).
    pub owner: u32,
}

impl Assignments {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    /// How many different netnames there are, the empty one and those of other networks included.
    pub fn netnames(&self) -> usize {
        self.names.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All of them: IPv4 first, by first address, then the wider one first.
    pub fn iter(&self) -> impl Iterator<Item = Assignment<'_>> {
        let v4 = self
            .v4
            .iter()
            .filter_map(|it| self.view(Family::V4, it.first.into(), it.last.into(), it.netname, it.owner));
        let v6 =
            self.v6.iter().filter_map(|it| self.view(Family::V6, it.first, it.last, it.netname, it.owner));
        v4.chain(v6)
    }

    fn view(
        &self,
        family: Family,
        first: u128,
        last: u128,
        netname: Name,
        owner: u32,
    ) -> Option<Assignment<'_>> {
        let range = Range::new(Address::from_bits(family, first), Address::from_bits(family, last))?;
        let netname_number = netname.0;
        let netname = match std::str::from_utf8(self.names.get(netname)) {
            Ok(text) if text.is_ascii() => Cow::Borrowed(text),
            _ => Cow::Owned(rpsl::latin1(self.names.get(netname))),
        };
        Some(Assignment { range, netname, netname_number, owner })
    }
}

impl<'a> FromIterator<(Range, &'a str, u32)> for Assignments {
    /// From ranges, netnames and owners, in the order of [`Assignments::iter`]. Netnames are Latin-1; what is not is left out.
    fn from_iter<T: IntoIterator<Item = (Range, &'a str, u32)>>(customers: T) -> Self {
        let mut assignments = Self::default();
        for (range, netname, owner) in customers {
            let latin1: Vec<u8> = netname.chars().filter_map(|char| u8::try_from(char).ok()).collect();
            let netname = assignments.names.intern(&latin1).unwrap_or_default();
            let (first, last) = (range.first().bits(), range.last().bits());
            match range.family() {
                Family::V4 => {
                    assignments.v4.push(Assigned { first: first as u32, last: last as u32, netname, owner })
                }
                Family::V6 => assignments.v6.push(Assigned { first, last, netname, owner }),
            }
        }
        assignments
    }
}

/// A database whose objects are decided, before owners have numbers.
pub(super) struct Decided {
    desks: Vec<String>,
    assignments: Assignments,
}

impl Database {
    /// Gives each object to whom it belongs: rows go to the sinks of the sources that they stand in.
    pub(super) fn decide(
        mut self,
        delegations: &Delegations,
        sinks: &mut [Sink<'_>],
    ) -> (Decided, RipeCounts) {
        self.check_companions(sinks);
        let Resolved { desks, claims, v4, v6 } = resolve::resolve(&mut self, delegations);
        for &desk in &desks {
            self.push_owner(desk, sinks);
        }
        let ids: Vec<String> = desks.iter().map(|desk| self.text(desk.handle())).collect();
        for claim in claims {
            let valid = Validity::default();
            sinks[usize::from(claim.source)].tell(Row {
                line: claim.line,
                owner_id: &ids[claim.desk as usize],
                attributes: Attributes::default(),
                contacts: Vec::new(),
                claims: vec![RowClaim {
                    key: claim.key,
                    role: claim.role,
                    is_role_stated: true,
                    valid,
                    scope: claim.scope,
                }],
                verified: claim.modified,
            });
        }
        let assignments = Assignments { names: std::mem::take(&mut self.names), v4, v6 };
        (Decided { desks: ids, assignments }, self.counts)
    }

    /// Networks without the roles and organisations that answer for them would be nobody's.
    fn check_companions(&self, sinks: &mut [Sink<'_>]) {
        let (networks, counts) = (self.counts.networks + self.counts.asns, self.counts);
        let first = self.v4.iter().map(|net| net.facts).chain(self.v6.iter().map(|net| net.facts));
        let first = first.chain(self.asns.iter().map(|asn| asn.facts)).map(|facts| facts.source).min();
        let Some(sink) = first.and_then(|source| sinks.get_mut(usize::from(source))) else { return };
        for (class, count) in [("role", counts.roles), ("organisation", counts.organisations)] {
            if networks > 0 && count == 0 {
                sink.find(FindingKind::BadSource, 1, || {
                    format!("networks have their abuse contact in {class} objects, and no source has any (name ripe.db.{class} too)")
                });
            }
        }
    }

    /// Says what is known of a desk, where it stands.
    fn push_owner(&self, desk: Desk, sinks: &mut [Sink<'_>]) {
        let Some(role) = self.roles.get(&desk.role) else { return };
        let organisation = self.organisations.get(&desk.org);
        let (source, line, name) = match organisation {
            Some(organisation) => (organisation.source, organisation.line, &organisation.name),
            None => (role.source, role.line, &role.name),
        };
        let handle = self.text(desk.handle());
        let mut attributes = Attributes::default();
        attributes[Attribute::Name as usize] = name.as_deref().map(Cow::Borrowed);
        if organisation.is_some() {
            attributes[Attribute::RipeOrg as usize] =
                Attribute::RipeOrg.read(&handle).ok().map(|org| Cow::Owned(org.into_owned()));
        }
        let contacts = role.mailbox.as_deref().map(Cow::Borrowed).into_iter().collect();
        sinks[usize::from(source)].tell(Row {
            line,
            owner_id: &handle,
            attributes,
            contacts,
            claims: Vec::new(),
            verified: None,
        });
    }
}

impl Decided {
    /// The assignments, once owners have numbers.
    pub(super) fn assignments(self, owner: impl Fn(&str) -> Option<u32>) -> Assignments {
        let Self { desks, mut assignments } = self;
        let owners: Vec<Option<u32>> = desks.iter().map(|desk| owner(desk)).collect();
        number(&mut assignments.v4, &owners);
        number(&mut assignments.v6, &owners);
        assignments
    }
}

/// Puts owners where desks stood.
fn number<K>(assigned: &mut Vec<Assigned<K>>, owners: &[Option<u32>]) {
    assigned.retain_mut(|it| match owners[it.owner as usize] {
        Some(owner) => {
            it.owner = owner;
            true
        }
        None => false,
    });
}
