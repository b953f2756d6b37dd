//! The choice of the recipient at one day, and the reasons for it.
//!
//! In prose, and in this order:
//!
//! 1. *Validity.* A registration that is not valid on the day takes no part.
//! 2. *Role.* `user` before `network` before `link`: the next role is asked only when nobody is left in this one.
//! 3. *Specificity.* A registration gives way to one of another organisation that lies strictly inside it, whatever their
//!    sources. Equal ones and ones that cross stay rivals.
//! 4. *Source.* Of the rivals that are left, those of the earliest source decide. If they are of one organisation, it is
//!    chosen; if not, it is a conflict, which never falls through to a wider registration, a contact or none.
//! 5. *Contact.* An organisation that is chosen and has no contact in any of its entries gives way: without its registrations the
//!    choice is made again.
//!
//! Owners that are united are one organisation all along. Which of its entries is told is asked last: the one with
//! the most specific registration that takes part, then the earlier source, then the earlier line; if that has no contact,
//! the next of these that has one, then any entry of the organisation that has one, in order of appearance.

use super::decision::{Line, Rule};
use crate::index::{Claim, Index, OwnerIx};
use crate::moment::Day;
use crate::register::Role;
use std::fmt;

/// What a choice must know about owners.
pub trait Owners {
    /// The organisation of an owner: equal for those that are united.
    fn organisation(&self, owner: OwnerIx) -> OwnerIx;
    /// Whether the entry itself has a contact.
    fn has_contact(&self, owner: OwnerIx) -> bool;
    /// All entries of an organisation, in order of appearance (source, then line).
    fn united(&self, organisation: OwnerIx) -> impl Iterator<Item = OwnerIx>;
}

impl Owners for Index {
    fn organisation(&self, owner: OwnerIx) -> OwnerIx {
        Index::organisation(self, owner)
    }

    fn has_contact(&self, owner: OwnerIx) -> bool {
        Index::has_contact(self, owner)
    }

    fn united(&self, organisation: OwnerIx) -> impl Iterator<Item = OwnerIx> {
        Index::united(self, organisation)
    }
}

/// Who is told, as one day sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// No registration is valid.
    Nobody,
    /// One organisation.
    Winner(Line),
    /// At least two organisations with an equal claim, one line each, best rank first.
    Conflict(Vec<Line>),
    /// Nobody of those with a claim has a contact; this one would have been told.
    NoContact(Line),
}

/// The roles, strongest first.
const ROLES: [Role; 3] = [Role::User, Role::Network, Role::Link];

/// Chooses the recipient among `claims`: all registrations that hold the address (or the whole prefix), fewest addresses
/// first, equal sizes by source and line, as the index returns them.
///
/// Allocates for a conflict, and for each organisation that gives way for want of a contact.
pub fn choose<O: Owners>(claims: &[Claim], day: Day, owners: &O) -> Outcome {
    choose_and_tell_who_gave_way(claims, day, owners).0
}

/// The outcome, and the organisations that gave way for want of a contact.
fn choose_and_tell_who_gave_way<O: Owners>(
    claims: &[Claim],
    day: Day,
    owners: &O,
) -> (Outcome, Vec<OwnerIx>) {
    debug_assert!(claims.is_sorted_by_key(rank), "claims come most specific first");
    let mut gave_way = Vec::new();
    let mut first_candidate = None;
    for role in ROLES {
        loop {
            let contest = Contest { claims, role, day, owners, gave_way: &gave_way };
            let organisation = match contest.leaders() {
                Leaders::None => break,
                Leaders::Several => return (Outcome::Conflict(contest.claimants()), gave_way),
                Leaders::One(organisation) => organisation,
            };
            match contest.entry_told(organisation) {
                Told::Entry(line) => return (Outcome::Winner(line), gave_way),
                Told::Nobody(candidate) => {
                    first_candidate.get_or_insert(candidate);
                    gave_way.push(organisation);
                }
            }
        }
    }
    (first_candidate.map_or(Outcome::Nobody, Outcome::NoContact), gave_way)
}

/// Order among claims: most specific first, then source, then line.
pub(super) fn rank(claim: &Claim) -> (u128, u16, u32) {
    (claim.range.size_less_one(), claim.source, claim.line)
}

/// Whether the registration is valid on a day; both of its days are included.
#[inline]
pub(super) fn is_valid(claim: &Claim, day: Day) -> bool {
    claim.valid_from.is_none_or(|from| from <= day) && claim.valid_until.is_none_or(|until| day <= until)
}

/// Who leads a contest.
enum Leaders {
    None,
    One(OwnerIx),
    Several,
}

/// Who is told of an organisation.
pub(super) enum Told {
    Entry(Line),
    /// None of its entries has a contact; this one ranks first.
    Nobody(Line),
}

/// The claims in one role on one day, less those of organisations that gave way.
struct Contest<'c, O> {
    claims: &'c [Claim],
    role: Role,
    day: Day,
    owners: &'c O,
    gave_way: &'c [OwnerIx],
}

impl<O: Owners> Contest<'_, O> {
    fn takes_part(&self, claim: &Claim) -> bool {
        claim.role == self.role
            && is_valid(claim, self.day)
            && (self.gave_way.is_empty() || !self.gave_way.contains(&self.organisation(claim)))
    }

    fn organisation(&self, claim: &Claim) -> OwnerIx {
        self.owners.organisation(claim.owner)
    }

    /// Whether a claim of another organisation lies strictly inside the one at `at`. Smaller ones stand before it.
    fn is_beaten(&self, at: usize) -> bool {
        let (narrower, claim) = (&self.claims[..at], &self.claims[at]);
        narrower.iter().any(|other| {
            claim.range != other.range
                && claim.range.contains(other.range)
                && self.takes_part(other)
                && self.organisation(other) != self.organisation(claim)
        })
    }

    /// The claims that take part and are not beaten.
    fn rivals(&self) -> impl Iterator<Item = &Claim> {
        let unbeaten = |&(at, claim): &(usize, &Claim)| self.takes_part(claim) && !self.is_beaten(at);
        self.claims.iter().enumerate().filter(unbeaten).map(|(_, claim)| claim)
    }

    /// The rivals of the earliest source.
    fn deciding(&self) -> impl Iterator<Item = &Claim> {
        let source = self.rivals().map(|claim| claim.source).min();
        self.rivals().filter(move |claim| Some(claim.source) == source)
    }

    fn leaders(&self) -> Leaders {
        let mut organisations = self.deciding().map(|claim| self.organisation(claim));
        let Some(first) = organisations.next() else { return Leaders::None };
        if organisations.all(|other| other == first) { Leaders::One(first) } else { Leaders::Several }
    }

    /// One line for each organisation that decides, best rank first.
    fn claimants(&self) -> Vec<Line> {
        let mut organisations: Vec<OwnerIx> = Vec::new();
        for claim in self.deciding() {
            let organisation = self.organisation(claim);
            if !organisations.contains(&organisation) {
                organisations.push(organisation);
            }
        }
        organisations.into_iter().map(|organisation| self.entry_told(organisation).line()).collect()
    }

    fn entry_told(&self, organisation: OwnerIx) -> Told {
        let ranked = self
            .claims
            .iter()
            .filter(|claim| self.takes_part(claim) && self.organisation(claim) == organisation);
        entry_told(ranked, organisation, self.owners)
            .expect("an organisation that leads has a claim that takes part")
    }
}

/// The entry of an organisation that is told, of its claims as ranked; `None` if it has no claim.
pub(super) fn entry_told<'c, O: Owners>(
    mut ranked: impl Iterator<Item = &'c Claim> + Clone,
    organisation: OwnerIx,
    owners: &O,
) -> Option<Told> {
    let covering = ranked.clone().map(|claim| claim.owner);
    let best = ranked.next()?;
    let line = |owner| Line { owner, rule: Rule::of_prefix(best.role), claim: *best };
    let mut entries = covering.chain(owners.united(organisation));
    let with_contact = entries.find(|&owner| owners.has_contact(owner));
    Some(with_contact.map_or_else(|| Told::Nobody(line(best.owner)), |owner| Told::Entry(line(owner))))
}

impl Told {
    pub(super) fn line(self) -> Line {
        match self {
            Self::Entry(line) | Self::Nobody(line) => line,
        }
    }
}

/// What one registration contributes to the choice.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Explanation {
    /// The registration.
    pub claim: Claim,
    /// Whether the recipient is told because of it. At most one of a choice wins.
    pub wins: bool,
    /// Why, or why not.
    pub reason: Reason,
}

/// Why a registration wins or does not; a closed set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// The recipient is told because of it.
    Wins,
    /// It is not valid on the day.
    NotValid(Day),
    /// Its role comes after that of one that is found.
    Weaker {
        /// Its own role.
        role: Role,
        /// The stronger role that decides.
        found: Role,
    },
    /// No entry of its organisation has a contact.
    NoContact,
    /// It belongs to the organisation that is told, or to a claimant of a conflict, because of another registration.
    SameOrganisation,
    /// Another organisation's registration lies inside it.
    LessSpecific,
    /// It is equal to or crosses a registration of an earlier source.
    LaterSource,
    /// It is equal to or crosses a registration of another organisation in the same source.
    Conflict,
}

impl fmt::Display for Reason {
    /// Short and for people: `less specific`, `not valid on 2026-11-22`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wins => f.pad("wins"),
            Self::NotValid(day) => write!(f, "not valid on {day}"),
            Self::Weaker { role, found } => write!(f, "{}, and a {} is found", role.as_str(), found.as_str()),
            Self::NoContact => f.pad("no contact"),
            Self::SameOrganisation => f.pad("same organisation"),
            Self::LessSpecific => f.pad("less specific"),
            Self::LaterSource => f.pad("later source"),
            Self::Conflict => f.pad("conflict"),
        }
    }
}

/// Chooses as [`choose`] does, and gives each registration its reason, in the order of `claims`.
pub fn explain<O: Owners>(claims: &[Claim], day: Day, owners: &O) -> (Outcome, Vec<Explanation>) {
    let (outcome, gave_way) = choose_and_tell_who_gave_way(claims, day, owners);
    let leading: &[Line] = match &outcome {
        Outcome::Nobody | Outcome::NoContact(_) => &[],
        Outcome::Winner(line) => std::slice::from_ref(line),
        Outcome::Conflict(lines) => lines,
    };
    let role = leading.first().map(|line| line.claim.role);
    let contest = role.map(|role| Contest { claims, role, day, owners, gave_way: &gave_way });
    let reason_of = |at: usize, claim: &Claim| {
        let Some(contest) = contest.as_ref().filter(|_| is_valid(claim, day)) else {
            return if is_valid(claim, day) { Reason::NoContact } else { Reason::NotValid(day) };
        };
        contest.reason(at, leading)
    };
    let explanations = claims.iter().enumerate().map(|(at, claim)| {
        let reason = reason_of(at, claim);
        Explanation { claim: *claim, wins: reason == Reason::Wins, reason }
    });
    let explanations = explanations.collect();
    (outcome, explanations)
}

impl<O: Owners> Contest<'_, O> {
    /// The reason of a valid claim, in a contest that `leading` lead.
    fn reason(&self, at: usize, leading: &[Line]) -> Reason {
        let claim = &self.claims[at];
        let organisation = self.organisation(claim);
        let is_conflict = leading.len() > 1;
        if claim.role > self.role {
            return Reason::Weaker { role: claim.role, found: self.role };
        }
        if !self.takes_part(claim) {
            return Reason::NoContact;
        }
        if !is_conflict && leading.iter().any(|line| line.claim == *claim) {
            return Reason::Wins;
        }
        if is_conflict && self.deciding().any(|deciding| deciding == claim) {
            return Reason::Conflict;
        }
        if leading.iter().any(|line| self.organisation(&line.claim) == organisation) {
            return Reason::SameOrganisation;
        }
        if self.is_beaten(at) { Reason::LessSpecific } else { Reason::LaterSource }
    }
}
