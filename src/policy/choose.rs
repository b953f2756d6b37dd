//! The choice of the recipient at one day, and the reasons for it.
//!
//! In prose, and in this order:
//!
//! 1. *Validity.* A registration that is not valid on the day takes no part.
//! 2. *Rungs.* The `user` domain of the name that the finding is about; the `user` prefix; the `user` domain of the names that the system
//!    shows, if all that are registered are one organisation's; the `user` AS number that announces the address; the `network` prefix; any
//!    other `user` AS number; the `network` AS number; a `link`, in the same order of keys. The next rung is asked only when nobody is left on this one.
//! 3. *Specificity.* A registration gives way to one of another organisation that lies strictly inside it, whatever their
//!    sources. Equal ones and ones that cross stay rivals. A `user` AS number counts as the prefix that it announces: it gives way to a
//!    `network` prefix of another organisation inside that.
//! 4. *Source.* Of the rivals that are left, those of the earliest source decide. If they are of one organisation, it is
//!    chosen; if not, it is a conflict, which never falls through to a wider registration, a contact or none.
//! 5. *Contact.* An organisation that is chosen and has no contact in any of its entries gives way: without its registrations the
//!    choice is made again.
//!
//! Owners that are united are one organisation all along. Which of its entries is told is asked last: the one with
//! the most specific registration that takes part, then the earlier source, then the earlier line; if that has no contact,
//! the next of these that has one, then any entry of the organisation that has one, in order of appearance.

use super::decision::{Assessed, Line, Rule};
use crate::index::{Claim, ClaimKey, Index, OwnerIx};
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
    /// The link organisations of an owner that are registered themselves.
    fn links(&self, owner: OwnerIx) -> Vec<OwnerIx>;
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

    fn links(&self, owner: OwnerIx) -> Vec<OwnerIx> {
        self.owner(owner).links().filter_map(|id| self.owner_of_id(id)).collect()
    }
}

/// All registrations that hold a finding's keys, whether valid or not, each list as the index returns it: what holds least first,
/// then by source and line.
#[derive(Clone, Copy, Default, Debug)]
pub struct Evidence<'c> {
    /// Those that hold its address, or all of its prefix; AS numbers that announce it among them.
    pub address: &'c [Claim],
    /// Of the name that it is about.
    pub stated: &'c [Claim],
    /// Of each name that the system shows.
    pub shown: &'c [Vec<Claim>],
    /// Of the AS number that the record names, where that is not told by `address`.
    pub asn: &'c [Claim],
    /// The address is known to serve many: a CDN's, a hoster's, a carrier's.
    pub is_shared: bool,
}

impl<'c> Evidence<'c> {
    /// Registrations that hold an address, and no other key.
    #[must_use]
    pub const fn of_address(address: &'c [Claim]) -> Self {
        Self { address, stated: &[], shown: &[], asn: &[], is_shared: false }
    }

    /// All of them: by the name that it is about, by address, by the name that is shown, by AS number.
    pub fn claims(self) -> impl Iterator<Item = &'c Claim> {
        List::ALL.into_iter().flat_map(move |list| self.of(list)).flatten()
    }

    /// Whether something holds for [all of them](Self::claims).
    pub(super) fn all(self, holds: impl Fn(&Claim) -> bool) -> bool {
        let all = |claims: &[Claim]| claims.iter().all(&holds);
        all(self.address) && all(self.stated) && self.shown.iter().all(|claims| all(claims)) && all(self.asn)
    }

    /// The lists of one kind: of shown names one each, else one.
    fn of(self, list: List) -> impl Iterator<Item = &'c [Claim]> {
        let (one, several): (&[Claim], &[Vec<Claim>]) = match list {
            List::Address => (self.address, &[]),
            List::Stated => (self.stated, &[]),
            List::Shown => (&[], self.shown),
            List::Asn => (self.asn, &[]),
        };
        std::iter::once(one).chain(several.iter().map(Vec::as_slice)).filter(|claims| !claims.is_empty())
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

/// A list of [`Evidence`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum List {
    Address,
    Stated,
    Shown,
    Asn,
}

impl List {
    /// All, in the order in which they are told.
    const ALL: [Self; 4] = [Self::Stated, Self::Address, Self::Shown, Self::Asn];
}

/// One step of the order in which claims are asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Rung {
    list: List,
    role: Role,
    rule: Rule,
    /// A `network` prefix inside beats it.
    is_a_prefix: bool,
}

const fn rung(list: List, role: Role, rule: Rule) -> Rung {
    Rung { list, role, rule, is_a_prefix: false }
}

/// All rungs, highest first.
const RUNGS: [Rung; 13] = [
    rung(List::Stated, Role::User, Rule::UserName),
    rung(List::Address, Role::User, Rule::UserPrefix),
    rung(List::Shown, Role::User, Rule::UserName),
    Rung { is_a_prefix: true, ..rung(List::Address, Role::User, Rule::UserAsn) },
    rung(List::Address, Role::Network, Rule::NetworkPrefix),
    rung(List::Address, Role::User, Rule::UserAsn),
    rung(List::Asn, Role::User, Rule::UserAsn),
    rung(List::Address, Role::Network, Rule::NetworkAsn),
    rung(List::Asn, Role::Network, Rule::NetworkAsn),
    rung(List::Stated, Role::Link, Rule::Link),
    rung(List::Address, Role::Link, Rule::Link),
    rung(List::Shown, Role::Link, Rule::Link),
    rung(List::Asn, Role::Link, Rule::Link),
];

/// Where an address is shared and several organisations are registered as its user, the name that it shows tells more.
const RUNGS_OF_SHARED: [Rung; 13] = {
    let mut rungs = RUNGS;
    (rungs[1], rungs[2]) = (RUNGS[2], RUNGS[1]);
    rungs
};

/// The rungs on which owners of networks stand.
const NETWORK_RUNGS: [Rung; 3] = [RUNGS[4], RUNGS[7], RUNGS[8]];

/// The rungs for what is known of a finding, as if some organisations had no registration.
fn rungs<O: Owners>(evidence: Evidence<'_>, day: Day, without: &[OwnerIx], owners: &O) -> &'static [Rung] {
    let users = || {
        let claims = evidence.address.iter();
        let users = claims.filter(|claim| RUNGS[1].takes(claim) && is_valid(claim, day));
        let users = users.map(|claim| owners.organisation(claim.owner));
        users.filter(|organisation| !without.contains(organisation))
    };
    match evidence.is_shared && users().any(|one| users().any(|other| one != other)) {
        true => &RUNGS_OF_SHARED,
        false => &RUNGS,
    }
}

impl Rung {
    /// Whether a claim of its list is asked on it.
    fn takes(self, claim: &Claim) -> bool {
        let is_asn = matches!(claim.key, ClaimKey::Asn(_) | ClaimKey::Announced(..));
        let wants_asn = match self.rule {
            Rule::UserAsn | Rule::NetworkAsn => true,
            Rule::UserPrefix | Rule::UserName | Rule::NetworkPrefix => false,
            Rule::Link => is_asn,
        };
        claim.role == self.role && is_asn == wants_asn
    }
}

/// Chooses the recipient of a finding.
///
/// Allocates for a conflict, and for each organisation that gives way for want of a contact.
pub fn choose<O: Owners>(evidence: Evidence<'_>, day: Day, owners: &O) -> Outcome {
    choose_without(evidence, day, &[], owners)
}

/// Chooses as if some organisations had no registration.
pub(super) fn choose_without<O: Owners>(
    evidence: Evidence<'_>,
    day: Day,
    without: &[OwnerIx],
    owners: &O,
) -> Outcome {
    match evidence {
        Evidence { address: [only], stated: [], shown: [], asn: [], .. } if without.is_empty() => {
            choose_only(only, day, owners)
        }
        _ => {
            choose_on(rungs(evidence, day, without, owners), evidence, day, without.to_vec(), owners).outcome
        }
    }
}

/// The same where one registration holds the address and nothing else is registered, as nearly always: without a rival it is told on
/// the first rung that asks it, which is that of [its rule](Rule::of_address).
fn choose_only<O: Owners>(claim: &Claim, day: Day, owners: &O) -> Outcome {
    if !is_valid(claim, day) {
        return Outcome::Nobody;
    }
    let rule = Rule::of_address(claim);
    match entry_told(std::iter::once(claim), owners.organisation(claim.owner), rule, owners) {
        None => Outcome::Nobody,
        Some(Told::Entry(line)) => Outcome::Winner(line),
        Some(Told::Nobody(line)) => Outcome::NoContact(line),
    }
}

/// Likewise among the owners of the network alone.
pub(super) fn choose_network<O: Owners>(
    evidence: Evidence<'_>,
    day: Day,
    without: &[OwnerIx],
    owners: &O,
) -> Outcome {
    choose_on(&NETWORK_RUNGS, evidence, day, without.to_vec(), owners).outcome
}

/// A choice, and what it came to it by.
struct Chosen {
    outcome: Outcome,
    /// The number of the rung that decided.
    rung: Option<usize>,
    /// The organisations that gave way for want of a contact.
    gave_way: Vec<OwnerIx>,
}

/// `gave_way` are organisations that take no part.
fn choose_on<O: Owners>(
    rungs: &[Rung],
    evidence: Evidence<'_>,
    day: Day,
    mut gave_way: Vec<OwnerIx>,
    owners: &O,
) -> Chosen {
    debug_assert!(
        List::ALL.into_iter().flat_map(|list| evidence.of(list)).all(|claims| claims.is_sorted_by_key(rank)),
        "claims come most specific first"
    );
    let mut first_candidate = None;
    let mut number = 0;
    while let Some(&rung) = rungs.get(number) {
        let Some((contest, leaders)) = contest_on(rung, evidence, day, owners, &gave_way) else {
            number += 1;
            continue;
        };
        let organisation = match leaders {
            Leaders::Several => {
                let outcome = Outcome::Conflict(contest.claimants());
                return Chosen { outcome, rung: Some(number), gave_way };
            }
            Leaders::One(organisation) => organisation,
        };
        match contest.entry_told(organisation) {
            Told::Entry(line) => {
                return Chosen { outcome: Outcome::Winner(line), rung: Some(number), gave_way };
            }
            Told::Nobody(candidate) => {
                first_candidate.get_or_insert(candidate);
                gave_way.push(organisation);
                // Without its registrations, others may be unbeaten on a rung that was passed.
                number = 0;
            }
        }
    }
    let outcome = first_candidate.map_or(Outcome::Nobody, Outcome::NoContact);
    Chosen { outcome, rung: None, gave_way }
}

/// The contest that decides on a rung, and who leads it; of shown names that of the first that is registered. None where nobody
/// takes part, or the names that a system shows are of several owners.
fn contest_on<'c, O: Owners>(
    rung: Rung,
    evidence: Evidence<'c>,
    day: Day,
    owners: &'c O,
    gave_way: &'c [OwnerIx],
) -> Option<(Contest<'c, O>, Leaders)> {
    let mut led = evidence.of(rung.list).filter_map(|claims| {
        let contest = Contest { claims, rung, day, owners, gave_way };
        contest.leaders().map(|leaders| (contest, leaders))
    });
    let (contest, leaders) = led.next()?;
    let agrees = |(_, other)| matches!(leaders, Leaders::One(_)) && other == leaders;
    led.all(agrees).then_some((contest, leaders))
}

/// Order among claims: most specific first, then source, then line.
pub(super) fn rank(claim: &Claim) -> (u128, u16, u32) {
    (claim.key.extent(), claim.source, claim.line)
}

/// Whether the registration is valid on a day; both of its days are included.
#[inline]
pub(super) fn is_valid(claim: &Claim, day: Day) -> bool {
    claim.valid_from.is_none_or(|from| from <= day) && claim.valid_until.is_none_or(|until| day <= until)
}

/// Who leads a contest.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Leaders {
    One(OwnerIx),
    Several,
}

/// Who is told of an organisation.
pub(super) enum Told {
    Entry(Line),
    /// None of its entries has a contact; this one ranks first.
    Nobody(Line),
}

/// The claims of one rung on one day, less those of organisations that gave way.
#[derive(Clone, Copy)]
struct Contest<'c, O> {
    /// Of the list that the rung asks, most specific first.
    claims: &'c [Claim],
    rung: Rung,
    day: Day,
    owners: &'c O,
    gave_way: &'c [OwnerIx],
}

impl<'c, O: Owners> Contest<'c, O> {
    fn takes_part(&self, claim: &Claim) -> bool {
        self.rung.takes(claim) && self.counts(claim)
    }

    /// Whether a claim counts at all.
    fn counts(&self, claim: &Claim) -> bool {
        is_valid(claim, self.day)
            && (self.gave_way.is_empty() || !self.gave_way.contains(&self.organisation(claim)))
    }

    fn organisation(&self, claim: &Claim) -> OwnerIx {
        self.owners.organisation(claim.owner)
    }

    /// Whether a claim of another organisation lies strictly inside the one at `at`. Smaller ones stand before it.
    fn is_beaten(&self, at: usize) -> bool {
        let (narrower, claim) = (&self.claims[..at], &self.claims[at]);
        let is_network = |other: &Claim| {
            other.role == Role::Network && matches!(other.key, ClaimKey::Range(_)) && self.counts(other)
        };
        narrower.iter().any(|other| {
            other.key.is_inside(claim.key)
                && (self.takes_part(other) || self.rung.is_a_prefix && is_network(other))
                && self.organisation(other) != self.organisation(claim)
        })
    }

    /// The claims that take part and are not beaten.
    fn rivals(&self) -> impl Iterator<Item = &'c Claim> {
        let unbeaten = |&(at, claim): &(usize, &Claim)| self.takes_part(claim) && !self.is_beaten(at);
        self.claims.iter().enumerate().filter(unbeaten).map(|(_, claim)| claim)
    }

    /// The rivals of the earliest source.
    fn deciding(&self) -> impl Iterator<Item = &'c Claim> {
        let source = self.rivals().map(|claim| claim.source).min();
        self.rivals().filter(move |claim| Some(claim.source) == source)
    }

    /// None where nobody takes part.
    fn leaders(&self) -> Option<Leaders> {
        let mut organisations = self.deciding().map(|claim| self.organisation(claim));
        let first = organisations.next()?;
        let is_alone = organisations.all(|other| other == first);
        Some(if is_alone { Leaders::One(first) } else { Leaders::Several })
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
        entry_told(ranked, organisation, self.rung.rule, self.owners)
            .expect("an organisation that leads has a claim that takes part")
    }
}

/// The entry of an organisation that is told, of its claims as ranked; `None` if it has no claim.
pub(super) fn entry_told<'c, O: Owners>(
    mut ranked: impl Iterator<Item = &'c Claim> + Clone,
    organisation: OwnerIx,
    rule: Rule,
    owners: &O,
) -> Option<Told> {
    let covering = ranked.clone().map(|claim| claim.owner);
    let best = ranked.next()?;
    let line = |owner| Line { owner, rule, claim: *best, member: None, assessed: Assessed::NoRule };
    let mut entries = covering.chain(std::iter::once_with(|| owners.united(organisation)).flatten());
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
    /// It is asked only where nobody is found by a stronger rule.
    Weaker {
        /// The rule it would win by.
        own: Rule,
        /// The rule that decides.
        found: Rule,
    },
    /// It is a domain in a role in which domains choose nobody.
    Idle,
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
    /// Another name that the system shows is another organisation's: neither chooses.
    SeveralNames,
}

impl fmt::Display for Reason {
    /// Short and for people: `less specific`, `not valid on 2026-11-22`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wins => f.pad("wins"),
            Self::NotValid(day) => write!(f, "not valid on {day}"),
            Self::Weaker { own, found } if own.role() != found.role() => {
                write!(f, "{}, and a {} is found", own.role().as_str(), found.role().as_str())
            }
            Self::Weaker { own, found } => write!(f, "{own}, and a {found} is found"),
            Self::Idle => f.pad("a domain of the network's owner chooses nobody"),
            Self::NoContact => f.pad("no contact"),
            Self::SameOrganisation => f.pad("same organisation"),
            Self::LessSpecific => f.pad("less specific"),
            Self::LaterSource => f.pad("later source"),
            Self::Conflict => f.pad("conflict"),
            Self::SeveralNames => f.pad("the names that it shows are of several owners"),
        }
    }
}

/// Chooses as [`choose`] does, and gives each registration its reason, in the order of [`Evidence::claims`].
pub fn explain<O: Owners>(evidence: Evidence<'_>, day: Day, owners: &O) -> (Outcome, Vec<Explanation>) {
    let rungs = rungs(evidence, day, &[], owners);
    let Chosen { outcome, rung, gave_way } = choose_on(rungs, evidence, day, Vec::new(), owners);
    let leading: &[Line] = match &outcome {
        Outcome::Nobody | Outcome::NoContact(_) => &[],
        Outcome::Winner(line) => std::slice::from_ref(line),
        Outcome::Conflict(lines) => lines,
    };
    let mut explanations = Vec::new();
    let lists = List::ALL.into_iter().flat_map(|list| evidence.of(list).map(move |claims| (list, claims)));
    for (list, claims) in lists {
        for (at, claim) in claims.iter().enumerate() {
            let contest = |rung| Contest { claims, rung, day, owners, gave_way: &gave_way };
            let own = rungs.iter().find(|rung| rung.list == list && rung.takes(claim));
            let leads_alone = |rung: Rung| {
                list == List::Shown
                    && contest(rung).deciding().any(|deciding| deciding == claim)
                    && contest_on(rung, evidence, day, owners, &gave_way).is_none()
            };
            let reason = match (rung, own) {
                _ if !is_valid(claim, day) => Reason::NotValid(day),
                (None, Some(own)) if leads_alone(*own) => Reason::SeveralNames,
                (None, Some(_)) => Reason::NoContact,
                (None, None) => Reason::Idle,
                (Some(number), _) => {
                    match contest(rungs[number]).reason(rungs, number, (list, at), leading) {
                        Reason::LessSpecific if own.is_some_and(|own| leads_alone(*own)) => {
                            Reason::SeveralNames
                        }
                        reason => reason,
                    }
                }
            };
            explanations.push(Explanation { claim: *claim, wins: reason == Reason::Wins, reason });
        }
    }
    (outcome, explanations)
}

impl<O: Owners> Contest<'_, O> {
    /// The reason of a valid claim, in the contest on rung `number` that `leading` lead.
    fn reason(&self, rungs: &[Rung], number: usize, (list, at): (List, usize), leading: &[Line]) -> Reason {
        let claim = &self.claims[at];
        let organisation = self.organisation(claim);
        let is_conflict = leading.len() > 1;
        // A claim that two rungs ask is spoken of where it may still win, or where it lost.
        let own = rungs.iter().enumerate().filter(|(_, rung)| rung.list == list && rung.takes(claim));
        let Some((own_number, own)) = own.min_by_key(|&(own, _)| own.abs_diff(number)) else {
            return Reason::Idle;
        };
        if own_number > number {
            return Reason::Weaker { own: own.rule, found: self.rung.rule };
        }
        if !self.counts(claim) {
            return Reason::NoContact;
        }
        if own_number < number {
            // It took part there, is not the last one, and nobody gave way: so it was beaten.
            return Reason::LessSpecific;
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
