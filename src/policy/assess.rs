//! The assessment: an ordered table that says of each alert whether it goes, goes with less, waits for a person, or is dropped.
//!
//! The table is the operator's, and published: `assess table` prints it. The first rule that fits decides; no rule: the alert goes, since the
//! principle is to share as far as possible. For the same reason a *hold* is the last resort: where a later rule that fits lets the
//! alert go with fields taken out, that is done instead.

use super::decision::Assessed;
use super::provenance::{Credibility, Provenance, Reliability};
use super::redaction::Redaction;
use super::severity::Severity;
use super::tlp::Tlp;
use crate::register::{Constituency, Ground, Role, Scope};
use crate::scan::Side;
use std::fmt;

/// What a rule does with what it fits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Then {
    /// It goes.
    Share,
    /// It goes without some fields.
    Redact(Redaction),
    /// A person decides.
    Hold,
    /// It is counted, and no more.
    Drop,
}

impl Then {
    /// Its word in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Share => "share",
            Self::Redact(_) => "redact",
            Self::Hold => "hold",
            Self::Drop => "drop",
        }
    }
}

/// What a rule asks; an empty list, or no number, asks nothing. All that it asks must be so.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct When {
    /// Of the source; one that nobody judged counts as F.
    pub reliability: Vec<Reliability>,
    /// Of the report; one that nobody judged counts as 6.
    pub credibility: Vec<Credibility>,
    /// The label of the finding.
    pub tlp: Vec<Tlp>,
    /// The RSIT type, in lower case.
    pub classification: Vec<String>,
    /// What is wrong, in lower case.
    pub identifier: Vec<String>,
    /// How bad it is.
    pub severity: Vec<Severity>,
    /// Seen more than so many days before the run; what has no time was seen at the run.
    pub older_than_days: Option<u16>,
    /// Which part the system plays.
    pub part: Vec<Side>,
    /// The recipient's role.
    pub role: Vec<Role>,
    /// The recipient's constituency.
    pub constituency: Vec<Constituency>,
    /// How the recipient's registration comes to be in the register.
    pub scope: Vec<Scope>,
    /// Why the recipient may be told.
    pub ground: Vec<Ground>,
}

/// A rule of the table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AssessmentRule {
    /// What it is called in alerts, manifests and pages.
    pub code: String,
    /// What it asks.
    pub when: When,
    /// What it does.
    pub then: Then,
    /// Why, in Dutch.
    pub nl: String,
    /// Why, in English.
    pub en: String,
}

/// The table.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Assessment {
    /// In order: the first that fits decides.
    pub rules: Vec<AssessmentRule>,
}

/// Rules of a table: the number of one is stored in 16 bits.
pub const ASSESSMENT_RULES_MAX: usize = 1_000;

/// The code of what is held since there is no ground to tell it; no rule may be called so.
pub const NO_GROUND: &str = "no-ground";

/// What the table is asked about: a finding and where it comes from.
#[derive(Clone, Copy, Debug)]
pub struct Inquiry<'f> {
    /// How good source and report are.
    pub provenance: &'f Provenance,
    /// The finding's label.
    pub tlp: Tlp,
    /// Its RSIT type, as the alert says it.
    pub classification: &'f str,
    /// What is wrong.
    pub identifier: &'f str,
    /// How bad it is, as the alert says it.
    pub severity: Severity,
    /// Days begun from the finding to the run; 0 for one without a time, or from the future.
    pub age_days: u32,
    /// Which part the system plays.
    pub part: Side,
}

/// For whom it is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Standing {
    /// The role by which it is told.
    pub role: Role,
    /// None in the register counts as business.
    pub constituency: Constituency,
    /// How its registration comes to be in the register.
    pub scope: Scope,
    /// Why it may be told.
    pub ground: Ground,
}

impl Standing {
    /// What only its place makes Dutch is outside the constituency.
    #[must_use]
    pub fn is_in_constituency(self) -> bool {
        self.scope != Scope::Located
    }
}

impl Assessment {
    /// The rule that decides, by its number; none: it goes.
    #[must_use]
    pub fn rule_for(&self, inquiry: &Inquiry<'_>, standing: Standing) -> Option<u16> {
        let mut fitting = (0u16..).zip(&self.rules).filter(|(_, rule)| rule.when.fits(inquiry, standing));
        let (number, first) = fitting.next()?;
        if first.then != Then::Hold {
            return Some(number);
        }
        let with_less = fitting.find(|(_, rule)| matches!(rule.then, Then::Redact(_)));
        Some(with_less.map_or(number, |(number, _)| number))
    }

    /// A rule by its number.
    #[must_use]
    pub fn rule(&self, number: u16) -> Option<&AssessmentRule> {
        self.rules.get(usize::from(number))
    }

    /// The rule that decided about a line.
    #[must_use]
    pub fn rule_of(&self, assessed: Assessed) -> Option<&AssessmentRule> {
        match assessed {
            Assessed::Rule(number) => self.rule(number),
            Assessed::NoRule | Assessed::Ground => None,
        }
    }

    /// The code of what was said of a line.
    #[must_use]
    pub fn code_of(&self, assessed: Assessed) -> Option<&str> {
        match assessed {
            Assessed::Ground => Some(NO_GROUND),
            assessed => self.rule_of(assessed).map(|rule| &*rule.code),
        }
    }

    /// What is taken out of a line.
    #[must_use]
    pub fn redaction_of(&self, assessed: Assessed) -> Redaction {
        match self.rule_of(assessed).map(|rule| rule.then) {
            Some(Then::Redact(redaction)) => redaction,
            _ => Redaction::NONE,
        }
    }
}

impl When {
    /// Whether all that it asks is so.
    #[must_use]
    pub fn fits(&self, inquiry: &Inquiry<'_>, standing: Standing) -> bool {
        fn allows<T: PartialEq>(asked: &[T], is: &T) -> bool {
            asked.is_empty() || asked.contains(is)
        }
        let names =
            |asked: &[String], is: &str| asked.is_empty() || asked.contains(&is.trim().to_lowercase());
        let provenance = inquiry.provenance;
        allows(&self.reliability, &provenance.reliability.unwrap_or(Reliability::F))
            && allows(&self.credibility, &provenance.credibility.unwrap_or(Credibility::UNKNOWN))
            && allows(&self.tlp, &inquiry.tlp)
            && allows(&self.severity, &inquiry.severity)
            && allows(&self.part, &inquiry.part)
            && allows(&self.role, &standing.role)
            && allows(&self.constituency, &standing.constituency)
            && allows(&self.scope, &standing.scope)
            && allows(&self.ground, &standing.ground)
            && self.older_than_days.is_none_or(|days| inquiry.age_days > days.into())
            && names(&self.classification, inquiry.classification)
            && names(&self.identifier, inquiry.identifier)
    }

    /// Whether it fits all that another fits.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        fn covers<T: PartialEq>(asked: &[T], other: &[T]) -> bool {
            asked.is_empty() || !other.is_empty() && other.iter().all(|it| asked.contains(it))
        }
        covers(&self.reliability, &other.reliability)
            && covers(&self.credibility, &other.credibility)
            && covers(&self.tlp, &other.tlp)
            && covers(&self.classification, &other.classification)
            && covers(&self.identifier, &other.identifier)
            && covers(&self.severity, &other.severity)
            && self
                .older_than_days
                .is_none_or(|days| other.older_than_days.is_some_and(|other| days <= other))
            && covers(&self.part, &other.part)
            && covers(&self.role, &other.role)
            && covers(&self.constituency, &other.constituency)
            && covers(&self.scope, &other.scope)
            && covers(&self.ground, &other.ground)
    }
}

impl fmt::Display for When {
    /// `severity low or info, part exposed`; `anything`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn words<T: ToString>(key: &str, asked: &[T]) -> Option<String> {
            let asked: Vec<String> = asked.iter().map(T::to_string).collect();
            (!asked.is_empty()).then(|| format!("{key} {}", asked.join(" or ")))
        }
        let severities: Vec<&str> = self.severity.iter().map(|severity| severity.as_str()).collect();
        let roles: Vec<&str> = self.role.iter().map(|role| role.as_str()).collect();
        let scopes: Vec<&str> = self.scope.iter().map(|scope| scope.as_str()).collect();
        let parts: Vec<&str> = self.part.iter().map(|part| part.as_str()).collect();
        let all = [
            words("reliability", &self.reliability),
            words("credibility", &self.credibility),
            words("tlp", &self.tlp),
            words("classification", &self.classification),
            words("identifier", &self.identifier),
            words("severity", &severities),
            self.older_than_days.map(|days| format!("older than {days} days")),
            words("part", &parts),
            words("role", &roles),
            words("constituency", &self.constituency),
            words("scope", &scopes),
            words("ground", &self.ground),
        ];
        let all: Vec<String> = all.into_iter().flatten().collect();
        f.pad(&if all.is_empty() { "anything".to_owned() } else { all.join(", ") })
    }
}
