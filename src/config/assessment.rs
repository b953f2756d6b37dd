//! `[[assessment]]`: the table by which reports are assessed, and the words of its rules.

use super::{
    CLASSIFICATION, check_word, is_feed_name, nearest, read_credibility, read_identifier, read_reliability,
    read_tlp,
};
use crate::alert::is_classification;
use crate::policy::{
    ASSESSMENT_RULES_MAX, Assessment, AssessmentRule, NO_GROUND, Redaction, Removable, Severity, Standing,
    Then, When,
};
use crate::register::{Constituency, Ground, Role, Scope};
use crate::scan::Side;
use crate::text::{says_nothing, show};
use serde::Deserialize;

/// A rule of the assessment. What it asks is a word or a list of words.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenRule {
    code: String,
    then: String,
    nl: String,
    en: String,
    #[serde(default)]
    redact: Vec<String>,
    reliability: Option<OneOrMore<String>>,
    credibility: Option<OneOrMore<u8>>,
    tlp: Option<OneOrMore<String>>,
    classification: Option<OneOrMore<String>>,
    identifier: Option<OneOrMore<String>>,
    severity: Option<OneOrMore<String>>,
    older_than_days: Option<u16>,
    part: Option<OneOrMore<String>>,
    role: Option<OneOrMore<String>>,
    constituency: Option<OneOrMore<String>>,
    scope: Option<OneOrMore<String>>,
    ground: Option<OneOrMore<String>>,
}

/// `"low"` or `["low", "info"]`.
#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore<T> {
    More(Vec<T>),
    One(T),
}

/// Each item of what a key asks, read; a key that is not there asks nothing.
fn read_all<T, R>(
    key: &str,
    asked: Option<OneOrMore<T>>,
    read: impl Fn(T) -> Result<R, String>,
) -> Result<Vec<R>, String> {
    match asked {
        None => Ok(Vec::new()),
        Some(OneOrMore::More(items)) if items.is_empty() => {
            Err(format!("{key} is an empty list (leave it out to ask nothing about it)"))
        }
        Some(OneOrMore::More(items)) => items.into_iter().map(read).collect(),
        Some(OneOrMore::One(item)) => Ok(vec![read(item)?]),
    }
}

/// The table of the assessment, in order. A rule that can never decide is an error: its writer believes that it does.
pub(super) fn check_assessment(written: Vec<WrittenRule>, age_days_max: u16) -> Result<Assessment, String> {
    if written.len() > ASSESSMENT_RULES_MAX {
        return Err(format!("[[assessment]]: more than {ASSESSMENT_RULES_MAX} rules"));
    }
    let mut rules: Vec<AssessmentRule> = Vec::with_capacity(written.len());
    for (rule, number) in written.into_iter().zip(1..) {
        let code = show(rule.code.as_bytes(), 64);
        let rule =
            rule.check().map_err(|problem| format!("[[assessment]] rule {number}, {code}: {problem}"))?;
        if rules.iter().any(|other| other.code == rule.code) {
            return Err(format!("[[assessment]] rule {number}, {code}: another rule is called so too"));
        }
        if let Some(why) = never_decides(&rule, &rules, age_days_max) {
            return Err(format!("[[assessment]] rule {number}, {code}: it never decides, since {why}"));
        }
        rules.push(rule);
    }
    Ok(Assessment { rules })
}

/// Why a rule that stands behind others never decides, if it never does.
fn never_decides(rule: &AssessmentRule, before: &[AssessmentRule], age_days_max: u16) -> Option<String> {
    if rule.when.older_than_days.is_some_and(|days| days >= age_days_max) {
        return Some(format!(
            "what is older than age_days_max = {age_days_max} days is held before the table is asked"
        ));
    }
    // Where one holds, a later one that takes fields out is asked all the same, whatever lets alerts go or drops them in between.
    let is_asked_on = |at: usize| {
        matches!(rule.then, Then::Redact(_))
            && !matches!(before[at].then, Then::Redact(_))
            && before[..=at].iter().any(|other| other.then == Then::Hold)
    };
    let takes_all =
        |(at, other): &(usize, &AssessmentRule)| other.when.covers(&rule.when) && !is_asked_on(*at);
    let (_, other) = before.iter().enumerate().find(takes_all)?;
    Some(format!("{} before it fits all that it fits", other.code))
}

impl WrittenRule {
    fn check(self) -> Result<AssessmentRule, String> {
        if !is_feed_name(&self.code) || self.code == NO_GROUND {
            return Err(format!("code is [a-z0-9][a-z0-9_-]{{0,63}}, and not {NO_GROUND}"));
        }
        for (key, text) in [("nl", &self.nl), ("en", &self.en)] {
            if says_nothing(text) {
                return Err(format!(
                    "{key} says nothing (write in a sentence why, for those whom it concerns)"
                ));
            }
        }
        let redaction = read_redaction(&self.redact)?;
        let then = match &*self.then {
            "redact" if redaction.is_none() => {
                return Err(
                    "redact names no fields (such as redact = [\"event_description.text\"])".to_owned()
                );
            }
            "redact" => Then::Redact(redaction),
            _ if !redaction.is_none() => {
                return Err("fields are taken out only with then = \"redact\"".to_owned());
            }
            "share" => Then::Share,
            "hold" => Then::Hold,
            "drop" => Then::Drop,
            word => {
                let word = show(word.as_bytes(), 64);
                return Err(format!("then is \"share\", \"redact\", \"hold\" or \"drop\", not \"{word}\""));
            }
        };
        let lower = |word: String| word.to_lowercase();
        let when = When {
            reliability: read_all("reliability", self.reliability, |letter| read_reliability(&letter))?,
            credibility: read_all("credibility", self.credibility, read_credibility)?,
            tlp: read_all("tlp", self.tlp, |label| read_tlp("tlp", &label))?,
            classification: read_all("classification", self.classification, |word| {
                read_classification(&word)
            })?,
            identifier: read_all("identifier", self.identifier, |word| read_identifier(word).map(lower))?,
            severity: read_all("severity", self.severity, |word| read_severity(&word))?,
            older_than_days: self.older_than_days,
            part: read_all("part", self.part, |word| read_part(&word))?,
            role: read_all("role", self.role, |word| read_role(&word))?,
            constituency: read_all("constituency", self.constituency, |word| read_constituency(&word))?,
            scope: read_all("scope", self.scope, |word| read_scope(&word))?,
            ground: read_all("ground", self.ground, |word| read_ground(&word))?,
        };
        Ok(AssessmentRule { code: self.code, when, then, nl: self.nl, en: self.en })
    }
}

/// The one that is called so.
pub(super) fn one_of<T: Copy>(
    key: &str,
    word: &str,
    all: &[T],
    name: impl Fn(T) -> &'static str,
) -> Result<T, String> {
    all.iter().copied().find(|&it| name(it) == word).ok_or_else(|| {
        let names: Vec<&str> = all.iter().map(|&it| name(it)).collect();
        let hint = nearest(word, names.iter().copied());
        let hint = hint.map(|known| format!("; did you mean {known}?")).unwrap_or_default();
        format!("{key} \"{}\" is none of {}{hint}", show(word.as_bytes(), 64), names.join(", "))
    })
}

/// An RSIT type, in lower case.
pub fn read_classification(word: &str) -> Result<String, String> {
    check_word(CLASSIFICATION, Some(word.to_lowercase()), is_classification).map(Option::unwrap_or_default)
}

/// How bad it is; `none`: nobody says.
pub fn read_severity(word: &str) -> Result<Severity, String> {
    one_of("severity", word, &Severity::ALL, Severity::as_str)
}

/// Which part a system plays.
pub fn read_part(word: &str) -> Result<Side, String> {
    one_of("part", word, &Side::ALL, Side::as_str)
}

fn read_role(word: &str) -> Result<Role, String> {
    one_of("role", word, &Role::ALL, Role::as_str)
}

fn read_constituency(word: &str) -> Result<Constituency, String> {
    one_of("constituency", word, &Constituency::ALL, Constituency::as_str)
}

fn read_scope(word: &str) -> Result<Scope, String> {
    one_of("scope", word, &Scope::ALL, Scope::as_str)
}

fn read_ground(word: &str) -> Result<Ground, String> {
    one_of("ground", word, &Ground::ALL, Ground::as_str)
}

/// What is known of a recipient: role, constituency, scope and ground, each the most ordinary where nothing is said.
pub fn read_standing([role, constituency, scope, ground]: [&Option<String>; 4]) -> Result<Standing, String> {
    let role = role.as_deref().map(read_role).transpose()?.unwrap_or(Role::User);
    let constituency = constituency.as_deref().map(read_constituency).transpose()?;
    Ok(Standing {
        role,
        constituency: constituency.unwrap_or(Constituency::Business),
        scope: scope.as_deref().map(read_scope).transpose()?.unwrap_or_default(),
        ground: ground.as_deref().map(read_ground).transpose()?.unwrap_or(Ground::of_role(role)),
    })
}

/// Fields that may be taken out.
fn read_redaction(fields: &[String]) -> Result<Redaction, String> {
    let read = |field: &String| {
        Removable::read(field).ok_or_else(|| {
            let all = Removable::ALL.map(Removable::as_str).join(", ");
            let field = show(field.as_bytes(), 64);
            format!("redact: {field} cannot be taken out (what can: {all}; without address or name, time, classification and severity nobody can act)")
        })
    };
    fields.iter().map(read).collect()
}
