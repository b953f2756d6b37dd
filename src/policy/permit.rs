//! Whether what was chosen may be told: label, ground and assessment, asked of each recipient.
//!
//! Nobody is told what a label forbids, on no ground, or what the assessment holds. Where the recipient may not be told, the next one is
//! asked, as if the registrations of the first did not exist; where nobody may, a person decides, and sees the first one's reason.

use super::assess::{Assessment, Inquiry, Standing, Then};
use super::choose::Owners;
use super::decide::{Case, choose_without};
use super::decision::{Assessed, Decision, Hold, Line};
use crate::index::{Claim, Index, OwnerIx};
use crate::register::{Constituency, Ground, Scope};

/// What must be known of recipients besides their claims.
pub trait Recipients: Owners {
    /// Its constituency; none counts as business.
    fn constituency(&self, owner: OwnerIx) -> Constituency;
    /// The ground that the register gives.
    fn ground(&self, owner: OwnerIx) -> Option<Ground>;
    /// How a registration comes to be in the register.
    fn scope(&self, claim: &Claim) -> Scope;

    /// What is asked of the recipient of a line.
    fn standing(&self, line: &Line) -> Standing {
        let role = line.rule.role();
        Standing {
            role,
            constituency: self.constituency(line.owner),
            scope: self.scope(&line.claim),
            ground: self.ground(line.owner).unwrap_or(Ground::of_role(role)),
        }
    }
}

impl Recipients for Index {
    fn constituency(&self, owner: OwnerIx) -> Constituency {
        Index::constituency_and_ground(self, owner).0.unwrap_or(Constituency::Business)
    }

    fn ground(&self, owner: OwnerIx) -> Option<Ground> {
        Index::constituency_and_ground(self, owner).1
    }

    fn scope(&self, claim: &Claim) -> Scope {
        self.finder().scope(claim.registration)
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
/// Allocates for what does not simply go.
pub fn permit<O: Recipients>(decision: Decision, case: &Case<'_>, terms: &Terms<'_>, owners: &O) -> Decision {
    permit_telling(decision, case, terms, owners, &mut |_| {})
}

/// [`permit`], telling each recipient that is asked for in turn.
pub fn permit_telling<O: Recipients>(
    decision: Decision,
    case: &Case<'_>,
    terms: &Terms<'_>,
    owners: &O,
    tell: &mut dyn FnMut(Asked),
) -> Decision {
    let lines = match &decision {
        Decision::Share(line) => std::slice::from_ref(line),
        Decision::ShareWith(lines, _) => lines,
        _ => return decision,
    };
    let Some((first, copies)) = lines.split_first() else { return decision };
    let mut ask = |line: &Line| {
        let answer = terms.ask(line, owners);
        tell(Asked { line: *line, answer });
        answer
    };
    match ask(first) {
        Answer::Go(assessed) if copies.is_empty() => Decision::Share(Line { assessed, ..*first }),
        Answer::Go(assessed) => {
            let mut all = vec![Line { assessed, ..*first }];
            // Who may not be told what another is told, is not asked for further: nobody waits for a copy.
            all.extend(copies.iter().filter_map(|copy| told(copy, ask(copy))));
            match all[..] {
                [line] => Decision::Share(line),
                _ => Decision::ShareWith(all, 0),
            }
        }
        Answer::Drop(assessed) => Decision::Drop(Line { assessed, ..*first }),
        Answer::Hold(reason, assessed) => match next(first, case, owners, &mut ask) {
            Some(next) => Decision::Share(next),
            None => Decision::Hold(reason, vec![Line { assessed, ..*first }]),
        },
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

/// The line of a recipient that may be told.
fn told(line: &Line, answer: Answer) -> Option<Line> {
    match answer {
        Answer::Go(assessed) => Some(Line { assessed, ..*line }),
        Answer::Hold(..) | Answer::Drop(_) => None,
    }
}

/// The next recipient that may be told, if the choice comes to one without those that may not.
fn next<O: Recipients>(
    first: &Line,
    case: &Case<'_>,
    owners: &O,
    ask: &mut dyn FnMut(&Line) -> Answer,
) -> Option<Line> {
    let mut without = vec![owners.organisation(first.owner)];
    while let Decision::Share(line) = choose_without(case, &without, owners) {
        // Of a prefix that is another's in part, a person decides.
        if !case.lines_inside(&[line], owners).is_empty() {
            return None;
        }
        if let Some(told) = told(&line, ask(&line)) {
            return Some(told);
        }
        without.push(owners.organisation(line.owner));
    }
    None
}
