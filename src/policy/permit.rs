//! Whether what was chosen may be told: label, ground and assessment, asked of each recipient.
//!
//! Nobody is told what a label forbids, on no ground, or what the assessment holds. Where the recipient may not be told, the next one is
//! asked, as if the registrations of the first did not exist; where nobody may, a person decides, and sees the first one's reason.

use super::assess::{Assessment, Inquiry, Standing, Then};
use super::choose::Owners;
use super::decide::{Case, decide_without};
use super::decision::{Assessed, Decision, Hold, Line};
use crate::index::{Index, OwnerIx};
use crate::register::{Constituency, Ground};

/// What must be known of recipients besides their claims.
pub trait Recipients: Owners {
    /// Its constituency and the ground, as far as the register gives them.
    fn constituency_and_ground(&self, owner: OwnerIx) -> (Option<Constituency>, Option<Ground>);

    /// What is asked of the recipient of a line. No constituency counts as business.
    fn standing(&self, line: &Line) -> Standing {
        let role = line.rule.role();
        let (constituency, ground) = self.constituency_and_ground(line.owner);
        Standing {
            role,
            constituency: constituency.unwrap_or(Constituency::Business),
            scope: line.claim.scope,
            ground: ground.unwrap_or(Ground::of_role(role)),
        }
    }
}

impl Recipients for Index {
    fn constituency_and_ground(&self, owner: OwnerIx) -> (Option<Constituency>, Option<Ground>) {
        Index::constituency_and_ground(self, owner)
    }
}

/// What decides whether a finding may be told.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'t> {
    /// The operator's table.
    pub assessment: &'t Assessment,
    /// The finding, and where it comes from.
    pub inquiry: Inquiry<'t>,
    /// Its label cannot be read: it may be any.
    pub is_tlp_unknown: bool,
}

/// What is said of one recipient.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// It may be told.
    Go(Assessed),
    /// It may not, or a person must say so.
    Hold(Hold, Assessed),
    /// Nobody is told.
    Drop(Assessed),
}

/// A recipient that was asked for, and the answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Asked {
    /// Who would be told.
    pub line: Line,
    /// Whether it may be.
    pub answer: Answer,
}

/// Lets a decision to tell stand, or holds or drops it, or finds another recipient.
///
/// Each recipient that is asked for is told in turn. Allocates for what does not simply go.
pub fn permit<O: Recipients>(
    decision: Decision,
    case: &Case<'_>,
    terms: &Terms<'_>,
    owners: &O,
    tell: &mut dyn FnMut(Asked),
) -> Decision {
    let mut ask = |line: &Line| {
        let answer = terms.ask(line, owners);
        tell(Asked { line: *line, answer });
        answer
    };
    let (mut decision, mut without, mut first_held) = (decision, Vec::new(), None);
    while let Decision::Share(_) | Decision::ShareWith(..) = decision
        && let Some((first, copies)) = decision.lines().split_first()
    {
        match ask(first) {
            Answer::Go(assessed) => return share(Line { assessed, ..*first }, copies, &mut ask),
            Answer::Drop(assessed) if first_held.is_none() => {
                return Decision::Drop(Line { assessed, ..*first });
            }
            Answer::Hold(reason, assessed) => {
                first_held.get_or_insert((reason, Line { assessed, ..*first }));
            }
            // Of what waits for a person because of another, nothing is dropped.
            Answer::Drop(_) => {}
        }
        without.push(owners.organisation(first.owner));
        decision = decide_without(case, &without, owners);
    }
    match first_held {
        Some((reason, line)) => Decision::Hold(reason, vec![line]),
        None => decision,
    }
}

/// Who may not be told what another is told, is not asked for further: nobody waits for a copy.
fn share(first: Line, copies: &[Line], ask: &mut dyn FnMut(&Line) -> Answer) -> Decision {
    if copies.is_empty() {
        return Decision::Share(first);
    }
    let told = copies.iter().filter_map(|copy| match ask(copy) {
        Answer::Go(assessed) => Some(Line { assessed, ..*copy }),
        Answer::Hold(..) | Answer::Drop(_) => None,
    });
    let all: Vec<Line> = std::iter::once(first).chain(told).collect();
    match all[..] {
        [line] => Decision::Share(line),
        _ => Decision::ShareWith(all, 0),
    }
}

impl Terms<'_> {
    fn ask<O: Recipients>(&self, line: &Line, owners: &O) -> Answer {
        self.answer(owners.standing(line))
    }

    /// What is said of a recipient, by what is known of it.
    #[must_use]
    pub fn answer(&self, standing: Standing) -> Answer {
        if self.is_tlp_unknown {
            return Answer::Hold(Hold::TlpUnknown, Assessed::NoRule);
        }
        let Inquiry { tlp, provenance, .. } = self.inquiry;
        if !tlp.lets(standing.role, standing.is_in_constituency(), provenance.permission) {
            return Answer::Hold(Hold::TlpPermission, Assessed::NoRule);
        }
        if standing.ground == Ground::Other {
            return Answer::Hold(Hold::Assessment, Assessed::Ground);
        }
        let Some(number) = self.assessment.rule_for(&self.inquiry, standing) else {
            return Answer::Go(Assessed::NoRule);
        };
        let assessed = Assessed::Rule(number);
        match self.assessment.rule(number).map(|rule| rule.then) {
            Some(Then::Hold) => Answer::Hold(Hold::Assessment, assessed),
            Some(Then::Drop) => Answer::Drop(assessed),
            Some(Then::Share | Then::Redact(_)) | None => Answer::Go(assessed),
        }
    }
}
