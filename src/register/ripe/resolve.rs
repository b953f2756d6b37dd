//! Whose each object of the RIPE database is: the desk that answers for its abuse, as what, and whether it is Dutch.
//!
//! **The desk** of a network is the first of these that has a mailbox which somebody reads, as RIPE NCC's own whois finds it:
//! 1. its `abuse-c`; 2. the `abuse-c` of its `org`; 3. (ours) the `abuse-c` of its `sponsoring-org`, for what RIPE NCC assigns on
//!    another's word; 4. the desk of the nearest less specific object, unless RIPE NCC itself maintains this one.
//!
//! Registries (`org-type: RIR`, `IANA`) answer for nobody. An AS number has no less specific one.
//!
//! **Its owner** is the organisation whose `abuse-c` that role is; a role that is no organisation's, or an `abuse-c` of an object that
//! differs from its organisation's, is an owner of its own: so no desk gets what is another's.
//!
//! **What it becomes**: with a desk of its own (1–3) a registration, else an *assignment* inside that of the desk that answers. An
//! assignment in scope whose desk is not registered around it is both.
//!
//! All in one sweep over the networks by address, with those that are open on a stack: a less specific object comes first.

use super::Assigned;
use super::database::{AutNum, Country, Database, Facts, Net};
use super::names::Name;
use crate::moment::Day;
use crate::net::{Address, Asn, Family, Range};
use crate::register::delegated::Delegations;
use crate::register::owner::{Key, OwnerId, Role, Scope};
use rayon::slice::ParallelSliceMut;
use std::collections::{HashMap, HashSet};

/// Who answers for abuse.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Desk {
    /// The organisation whose role it is; none: the role stands for itself.
    pub(super) org: Name,
    pub(super) role: Name,
}

impl Desk {
    /// What it is known by.
    pub(super) fn handle(self) -> Name {
        if self.org.is_none() { self.role } else { self.org }
    }
}

/// A registration of a desk.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Claim {
    pub(super) source: u16,
    pub(super) line: u32,
    /// Position in [`Resolved::desks`].
    pub(super) desk: u32,
    pub(super) key: Key,
    pub(super) role: Role,
    pub(super) scope: Scope,
    /// When the object was last changed.
    pub(super) modified: Option<Day>,
}

/// What a database comes to.
#[derive(Debug, Default)]
pub(super) struct Resolved {
    pub(super) desks: Vec<Desk>,
    /// By source, then line.
    pub(super) claims: Vec<Claim>,
    /// Owners are positions in `desks`.
    pub(super) v4: Vec<Assigned<u32>>,
    pub(super) v6: Vec<Assigned<u128>>,
}

/// The bits of an address of one family.
pub(super) trait Bits: Copy + Ord + Send + Into<u128> {
    const FAMILY: Family;
}

impl Bits for u32 {
    const FAMILY: Family = Family::V4;
}

impl Bits for u128 {
    const FAMILY: Family = Family::V6;
}

fn range<K: Bits>(net: &Net<K>) -> Option<Range> {
    let end = |bits: K| Address::from_bits(K::FAMILY, bits.into());
    Range::new(end(net.first), end(net.last))
}

/// Resolves all objects; their rows are gone afterwards.
pub(super) fn resolve(database: &mut Database, delegations: &Delegations) -> Resolved {
    let (v4, v6) = (std::mem::take(&mut database.v4), std::mem::take(&mut database.v6));
    let asns = std::mem::take(&mut database.asns);
    let rules = Rules::new(database, delegations, &v4, &v6);
    let mut sweep =
        Sweep { rules, resolved: Resolved::default(), known: HashMap::new(), tally: Tally::default() };
    let v4 = sweep.sweep(v4);
    let v6 = sweep.sweep(v6);
    sweep.resolved.v4 = v4;
    sweep.resolved.v6 = v6;
    sweep.asns(asns);
    let Sweep { mut resolved, tally, .. } = sweep;
    resolved.claims.par_sort_unstable_by_key(|claim| (claim.source, claim.line));
    let counts = &mut database.counts;
    counts.users = tally.users;
    counts.owners = tally.owners;
    counts.assignments = tally.assignments;
    counts.out_of_scope = tally.out_of_scope;
    counts.without_desk = tally.without_desk;
    counts.repeated += tally.repeated;
    resolved
}

#[derive(Default)]
struct Tally {
    users: u64,
    owners: u64,
    assignments: u64,
    out_of_scope: u64,
    without_desk: u64,
    repeated: u64,
}

/// One, or more than one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Which {
    Only(Name),
    Several,
}

impl Which {
    fn note(map: &mut HashMap<Name, Which>, key: Name, value: Name) {
        let which = map.entry(key).or_insert(Which::Only(value));
        if *which != Which::Only(value) {
            *which = Which::Several;
        }
    }
}

/// Who answers, and who is Dutch.
struct Rules<'d> {
    database: &'d Database,
    delegations: &'d Delegations,
    /// Organisations by the role that is their `abuse-c`.
    organisation_of: HashMap<Name, Which>,
    /// Roles that are `abuse-c` of registries alone.
    registry_roles: HashSet<Name>,
    /// Of organisations without an `abuse-c` of use: the roles that their networks name.
    role_of: HashMap<Name, Which>,
    /// Organisations of unstated country to whom RIPE NCC gave Dutch space.
    dutch_holders: HashSet<Name>,
}

impl<'d> Rules<'d> {
    fn new(database: &'d Database, delegations: &'d Delegations, v4: &[Net<u32>], v6: &[Net<u128>]) -> Self {
        let (mut organisation_of, mut registry_roles) = (HashMap::new(), HashSet::new());
        for (&handle, organisation) in database.organisations.iter().filter(|it| !it.1.abuse_c.is_none()) {
            match organisation.is_registry {
                true => _ = registry_roles.insert(organisation.abuse_c),
                false => Which::note(&mut organisation_of, organisation.abuse_c, handle),
            }
        }
        registry_roles.retain(|role| !organisation_of.contains_key(role));
        let (role_of, dutch_holders) = (HashMap::new(), HashSet::new());
        let mut rules =
            Self { database, delegations, organisation_of, registry_roles, role_of, dutch_holders };
        v4.iter().for_each(|net| rules.note(net));
        v6.iter().for_each(|net| rules.note(net));
        rules
    }

    /// Notes what a network says of its organisation.
    fn note<K: Bits>(&mut self, net: &Net<K>) {
        let facts = net.facts;
        let Some(organisation) = self.database.organisations.get(&facts.org) else { return };
        if !facts.abuse_c.is_none() && !self.answers(organisation.abuse_c) && self.answers(facts.abuse_c) {
            Which::note(&mut self.role_of, facts.org, facts.abuse_c);
        }
        let may_hold = organisation.country.is_none() && facts.is_of_registry();
        if may_hold && range(net).is_some_and(|range| self.delegations.hold(range)) {
            self.dutch_holders.insert(facts.org);
        }
    }

    /// Whether a role answers for abuse.
    fn answers(&self, role: Name) -> bool {
        let has_mailbox = self.database.roles.get(&role).is_some_and(|role| role.mailbox.is_some());
        has_mailbox && !self.registry_roles.contains(&role)
    }

    /// The desk that an object has itself, by `abuse-c` or `org`.
    fn own_desk(&self, facts: Facts) -> Option<Desk> {
        match self.answers(facts.abuse_c) {
            true => Some(Desk { org: self.organisation_of_desk(facts), role: facts.abuse_c }),
            false => self.desk_of(facts.org),
        }
    }

    /// The desk of an organisation.
    fn desk_of(&self, org: Name) -> Option<Desk> {
        let organisation = self.database.organisations.get(&org)?;
        let answers = !organisation.is_registry && self.answers(organisation.abuse_c);
        answers.then_some(Desk { org, role: organisation.abuse_c })
    }

    /// The organisation whose role the `abuse-c` of an object is; none if it is nobody's, or several's.
    fn organisation_of_desk(&self, facts: Facts) -> Name {
        let own = self.database.organisations.get(&facts.org).filter(|own| !own.is_registry);
        if own.is_some_and(|own| own.abuse_c == facts.abuse_c) {
            return facts.org;
        }
        if let Some(Which::Only(other)) = self.organisation_of.get(&facts.abuse_c) {
            return *other;
        }
        let only = self.role_of.get(&facts.org) == Some(&Which::Only(facts.abuse_c));
        if own.is_some() && only { facts.org } else { Name::NONE }
    }

    /// In which way an object is Dutch; `None`: it is not.
    fn scope(
        &self,
        facts: Facts,
        desk: Desk,
        is_delegated: impl FnOnce(&Delegations) -> bool,
    ) -> Option<Scope> {
        // RIPE NCC is Dutch; what it holds for others is not.
        let organisation = |org: Name| self.database.organisations.get(&org).filter(|it| !it.is_registry);
        let country = |org: Name| organisation(org).and_then(|it| it.country);
        let abuse_org = match desk.org.is_none() {
            true => self.database.roles.get(&desk.role).map_or(Name::NONE, |role| role.org),
            false => desk.org,
        };
        if [facts.org, abuse_org].into_iter().any(|org| country(org) == Some(Country::Dutch)) {
            return Some(Scope::Organisation);
        }
        if self.dutch_holders.contains(&abuse_org) && is_delegated(self.delegations) {
            return Some(Scope::Delegated);
        }
        facts.is_dutch().then_some(Scope::Located)
    }

    /// Whether an object that nobody answers for would be Dutch.
    fn is_dutch_alone(&self, facts: Facts, is_delegated: impl FnOnce(&Delegations) -> bool) -> bool {
        let nobody = Desk { org: Name::NONE, role: Name::NONE };
        self.scope(facts, nobody, |_| false).is_some() || is_delegated(self.delegations)
    }
}

struct Sweep<'d> {
    rules: Rules<'d>,
    resolved: Resolved,
    known: HashMap<Desk, u32>,
    tally: Tally,
}

/// A network that later ones may lie in.
#[derive(Clone, Copy)]
struct Open<K> {
    last: K,
    /// Who answers for it, if anybody does.
    desk: Option<Desk>,
    /// Its organisation, or that of the nearest around it that names one.
    org: Name,
    /// Whether it lies in a registration of its desk.
    is_registered: bool,
}

impl Sweep<'_> {
    /// Goes through the networks of a family; returns the assignments among them.
    fn sweep<K: Bits>(&mut self, mut nets: Vec<Net<K>>) -> Vec<Assigned<K>> {
        // Wider ones first; of equal ones the first that was given.
        nets.par_sort_unstable_by(|one, other| {
            one.first.cmp(&other.first).then(other.last.cmp(&one.last)).then(one.facts.cmp(&other.facts))
        });
        let mut open: Vec<Open<K>> = Vec::new();
        let mut assigned = Vec::new();
        let mut before = None;
        for net in &nets {
            if before.replace((net.first, net.last)) == Some((net.first, net.last)) {
                self.tally.repeated += 1;
                continue;
            }
            while open.pop_if(|top| top.last < net.first).is_some() {}
            let parent = open.iter().rev().find(|around| around.last >= net.last).copied();
            open.push(self.judge(net, parent, &mut assigned));
        }
        assigned
    }

    /// Decides what a network becomes.
    fn judge<K: Bits>(
        &mut self,
        net: &Net<K>,
        parent: Option<Open<K>>,
        assigned: &mut Vec<Assigned<K>>,
    ) -> Open<K> {
        let facts = net.facts;
        let org_around = parent.map_or(Name::NONE, |parent| parent.org);
        let mut this = Open {
            last: net.last,
            desk: None,
            org: if facts.org.is_none() { org_around } else { facts.org },
            is_registered: false,
        };
        let Some(range) = range(net) else { return this };
        let key = || Key::Range(range);
        let own = self.rules.own_desk(facts);
        if let Some(desk) = own.or_else(|| self.rules.desk_of(facts.sponsor)) {
            this.desk = Some(desk);
            let has_user = own.is_some()
                && facts.is_assigned()
                && !facts.org.is_none()
                && facts.org != org_around
                && parent.and_then(|parent| parent.desk) != Some(desk);
            let role = if has_user { Role::User } else { Role::Network };
            match self.rules.scope(facts, desk, |dutch| dutch.hold(range)) {
                Some(scope) => this.is_registered = self.claim(facts, desk, key(), role, scope),
                None => self.tally.out_of_scope += 1,
            }
            return this;
        }
        let around = parent.filter(|_| !facts.is_of_registry());
        let Some((around, desk)) = around.and_then(|around| around.desk.map(|desk| (around, desk))) else {
            let is_dutch = self.rules.is_dutch_alone(facts, |dutch| dutch.hold(range));
            self.tally.without_desk += u64::from(is_dutch);
            self.tally.out_of_scope += u64::from(!is_dutch);
            return this;
        };
        this.desk = Some(desk);
        this.is_registered = around.is_registered
            || match self.rules.scope(facts, desk, |dutch| dutch.hold(range)) {
                Some(scope) => self.claim(facts, desk, key(), Role::Network, scope),
                None => false,
            };
        match this.is_registered.then(|| self.desk(desk)).flatten() {
            Some(owner) => {
                self.tally.assignments += u64::from(around.is_registered);
                assigned.push(Assigned { first: net.first, last: net.last, netname: net.netname, owner });
            }
            None => self.tally.out_of_scope += 1,
        }
        this
    }

    /// Goes through the AS numbers.
    fn asns(&mut self, mut asns: Vec<AutNum>) {
        asns.sort_unstable();
        for same in asns.chunk_by(|one, other| one.asn == other.asn) {
            self.tally.repeated += same.len() as u64 - 1;
            let AutNum { asn, facts } = same[0];
            let is_delegated = |dutch: &Delegations| dutch.hold_asn(Asn(asn));
            let Some(desk) = self.rules.own_desk(facts).or_else(|| self.rules.desk_of(facts.sponsor)) else {
                let is_dutch = self.rules.is_dutch_alone(facts, is_delegated);
                self.tally.without_desk += u64::from(is_dutch);
                self.tally.out_of_scope += u64::from(!is_dutch);
                continue;
            };
            match self.rules.scope(facts, desk, is_delegated) {
                Some(scope) => _ = self.claim(facts, desk, Key::Asn(Asn(asn)), Role::Network, scope),
                None => self.tally.out_of_scope += 1,
            }
        }
    }

    /// Adds a registration; `false` if its owner cannot be one.
    fn claim(&mut self, facts: Facts, desk: Desk, key: Key, role: Role, scope: Scope) -> bool {
        let Some(desk) = self.desk(desk) else {
            self.tally.without_desk += 1;
            return false;
        };
        match role {
            Role::User => self.tally.users += 1,
            _ => self.tally.owners += 1,
        }
        let (source, line, modified) = (facts.source, facts.line, facts.modified());
        self.resolved.claims.push(Claim { source, line, desk, key, role, scope, modified });
        true
    }

    /// The number of a desk; `None` if its handle is no owner_id.
    fn desk(&mut self, desk: Desk) -> Option<u32> {
        if let Some(&known) = self.known.get(&desk) {
            return Some(known);
        }
        OwnerId::new(&self.rules.database.text(desk.handle()))?;
        let number = self.resolved.desks.len() as u32;
        self.known.insert(desk, number);
        self.resolved.desks.push(desk);
        Some(number)
    }
}
