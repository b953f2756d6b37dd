//! What becomes of one finding: the choice at two times, and what must be held.

use super::choose::{Evidence, Outcome, Owners, choose_without, entry_told, is_valid, rank};
use super::copies::Copies;
use super::decision::{Decision, Hold, Line, Rule};
use crate::index::{Claim, OwnerIx};
use crate::moment::{Day, Moment};

/// A finding that was seen longer after the run time than this is held; clocks of producers are wrong, but not by a day.
pub const FUTURE_SECONDS_MAX: i64 = 24 * 60 * 60;

/// What is known of one finding.
#[derive(Clone, Copy, Debug)]
pub struct Case<'c> {
    /// All registrations that hold its keys.
    pub evidence: Evidence<'c>,
    /// Of a record that names a prefix: the registrations of a part of it. Else none.
    pub inside: &'c [Claim],
    /// `time.source`: when the producer saw it, or what `--observed` says instead.
    pub time: Option<Moment>,
    /// When the run counts as *now*.
    pub run_time: Moment,
    /// The producer's report type is one that the table does not know.
    pub unknown_type: bool,
    /// Somebody says what is wrong.
    pub has_identifier: bool,
    /// Who else is told.
    pub copies: Copies,
    /// What was seen more days than this before the run time is held.
    pub age_days_max: u16,
}

/// Decides who is told, or that a person must see it.
///
/// Allocates only for what is held, and as [`choose`] does.
pub fn decide<O: Owners>(case: &Case<'_>, owners: &O) -> Decision {
    decide_without(case, &[], owners)
}

/// Decides as if some organisations had no registration.
pub(super) fn decide_without<O: Owners>(case: &Case<'_>, without: &[OwnerIx], owners: &O) -> Decision {
    let decision = choose_at_both_times(case, without, owners);
    match case.hold_for_the_finding() {
        Some(hold) if decision != Decision::Unmatched => Decision::Hold(hold, decision.lines()[..1].to_vec()),
        _ => case.with_others(decision, without, owners),
    }
}

impl Case<'_> {
    /// A choice, with those who are inside a prefix, or get copies.
    fn with_others<O: Owners>(&self, chosen: Decision, without: &[OwnerIx], owners: &O) -> Decision {
        if chosen == Decision::Unmatched {
            return chosen;
        }
        let inside = self.lines_inside(chosen.lines(), without, owners);
        match chosen {
            chosen if !inside.is_empty() => Decision::Hold(Hold::Prefix, [chosen.lines(), &inside].concat()),
            Decision::Share(line) if self.copies != Copies::default() => {
                let lines = self.copies.lines(line, self.evidence, self.days(), without, owners);
                if lines == [line] { Decision::Share(line) } else { Decision::ShareWith(lines, 0) }
            }
            chosen => chosen,
        }
    }

    /// What holds a finding whoever its recipient is.
    fn hold_for_the_finding(&self) -> Option<Hold> {
        if self.unknown_type {
            Some(Hold::UnknownType)
        } else if !self.has_identifier {
            Some(Hold::NoFinding)
        } else if self.is_future() {
            Some(Hold::Future)
        } else if self.is_too_old() {
            Some(Hold::TooOld)
        } else {
            None
        }
    }

    fn is_future(&self) -> bool {
        let limit = Moment::from_unix(
            self.run_time.unix_seconds() + FUTURE_SECONDS_MAX,
            self.run_time.subsecond_nanos(),
        );
        self.time.zip(limit).is_some_and(|(time, limit)| time > limit)
    }

    fn is_too_old(&self) -> bool {
        self.time.is_some_and(|time| time.days_begun_until(self.run_time) > self.age_days_max.into())
    }

    /// The day of the finding (without a time, of the run) and the day of the run.
    fn days(&self) -> (Day, Day) {
        (self.time.unwrap_or(self.run_time).day(), self.run_time.day())
    }

    /// One line for each organisation with a valid registration of a part of the prefix that has no line in `outer` and is not in
    /// `without`, by rank.
    fn lines_inside<O: Owners>(&self, outer: &[Line], without: &[OwnerIx], owners: &O) -> Vec<Line> {
        if self.inside.is_empty() {
            return Vec::new();
        }
        let (then, now) = self.days();
        let outer: Vec<OwnerIx> = outer.iter().map(|line| owners.organisation(line.claim.owner)).collect();
        let mut others: Vec<(OwnerIx, &Claim)> = (self.inside.iter())
            .filter(|claim| is_valid(claim, then) || is_valid(claim, now))
            .map(|claim| (owners.organisation(claim.owner), claim))
            .filter(|(organisation, _)| !outer.contains(organisation) && !without.contains(organisation))
            .collect();
        others.sort_by_key(|&(organisation, claim)| (organisation, rank(claim)));
        let mut lines: Vec<Line> = (others.chunk_by(|one, other| one.0 == other.0))
            .filter_map(|group| {
                let rule = Rule::of_address(group[0].1);
                entry_told(group.iter().map(|&(_, claim)| claim), group[0].0, rule, owners)
            })
            .map(|told| told.line())
            .collect();
        lines.sort_by_key(|line| rank(&line.claim));
        lines
    }
}

/// The choice alone, as if some organisations had no registration: unmatched, shared, or held as conflict, moved or no-contact.
fn choose_at_both_times<O: Owners>(case: &Case<'_>, without: &[OwnerIx], owners: &O) -> Decision {
    let choose = |day| choose_without(case.evidence, day, without, owners);
    let (then, now) = case.days();
    let outcome_now = choose(now);
    let same = then == now || case.evidence.all(|claim| is_valid(claim, then) == is_valid(claim, now));
    if same {
        return settle(outcome_now);
    }
    settle_two(choose(then), outcome_now, owners)
}

/// Both times say the same.
fn settle(outcome: Outcome) -> Decision {
    match outcome {
        Outcome::Nobody => Decision::Unmatched,
        Outcome::Winner(line) => Decision::Share(line),
        Outcome::Conflict(lines) => Decision::Hold(Hold::Conflict, lines),
        Outcome::NoContact(line) => Decision::Hold(Hold::NoContact, vec![line]),
    }
}

/// The time of the finding and the time of the run, which names whom it would tell first. A conflict at either time
/// comes before a move, a winner at only one time is a move, whatever keeps the other from having one.
fn settle_two<O: Owners>(then: Outcome, now: Outcome, owners: &O) -> Decision {
    let organisation = |line: &Line| owners.organisation(line.claim.owner);
    match (then, now) {
        (Outcome::Conflict(then), Outcome::Conflict(mut now)) => {
            let more =
                then.into_iter().filter(|line| now.iter().all(|one| organisation(one) != organisation(line)));
            let more: Vec<Line> = more.collect();
            now.extend(more);
            Decision::Hold(Hold::Conflict, now)
        }
        (Outcome::Conflict(lines), _) | (_, Outcome::Conflict(lines)) => {
            Decision::Hold(Hold::Conflict, lines)
        }
        (Outcome::Winner(then), Outcome::Winner(now)) if organisation(&then) == organisation(&now) => {
            Decision::Share(now)
        }
        (Outcome::Winner(then), Outcome::Winner(now)) => Decision::Hold(Hold::Moved, vec![now, then]),
        (Outcome::Winner(line), _) | (_, Outcome::Winner(line)) => Decision::Hold(Hold::Moved, vec![line]),
        (_, Outcome::NoContact(line)) | (Outcome::NoContact(line), _) => {
            Decision::Hold(Hold::NoContact, vec![line])
        }
        (Outcome::Nobody, Outcome::Nobody) => Decision::Unmatched,
    }
}
