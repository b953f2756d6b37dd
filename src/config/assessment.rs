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
    #[serde(default)]
    reliability: OneOrMore<String>,
    #[serde(default)]
    credibility: OneOrMore<u8>,
    #[serde(default)]
    tlp: OneOrMore<String>,
    #[serde(default)]
    classification: OneOrMore<String>,
    #[serde(default)]
    identifier: OneOrMore<String>,
    #[serde(default)]
    severity: OneOrMore<String>,
    older_than_days: Option<u16>,
    #[serde(default)]
    part: OneOrMore<String>,
    #[serde(default)]
    role: OneOrMore<String>,
    #[serde(default)]
    constituency: OneOrMore<String>,
    #[serde(default)]
    scope: OneOrMore<String>,
    #[serde(default)]
    ground: OneOrMore<String>,
}

/// `"low"` or `["low", "info"]`.
#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore<T> {
    More(Vec<T>),
    One(T),
}

impl<T> Default for OneOrMore<T> {
    fn default() -> Self {
        Self::More(Vec::new())
    }
}

impl<T> OneOrMore<T> {
    /// Each item, read.
    fn read<R>(self, read: impl Fn(T) -> Result<R, String>) -> Result<Vec<R>, String> {
        match self {
            Self::More(items) => items.into_iter().map(read).collect(),
            Self::One(item) => Ok(vec![read(item)?]),
        }
    }
}

/// The table of the assessment, in order.
pub(super) fn check_assessment(written: Vec<WrittenRule>) -> Result<Assessment, String> {
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
        if let Some(all) = rules.iter().find(|other| other.when.is_anything() && other.then != Then::Hold) {
            let problem = format!("it is never asked, since {} before it fits everything", all.code);
            return Err(format!("[[assessment]] rule {number}, {code}: {problem}"));
        }
        rules.push(rule);
    }
    Ok(Assessment { rules })
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
            reliability: self.reliability.read(|letter| read_reliability(&letter))?,
            credibility: self.credibility.read(read_credibility)?,
            tlp: self.tlp.read(|label| read_tlp("tlp", &label))?,
            classification: self.classification.read(|word| read_classification(&word))?,
            identifier: self.identifier.read(|word| read_identifier(word).map(lower))?,
            severity: self.severity.read(|word| read_severity(&word))?,
            older_than_days: self.older_than_days,
            part: self.part.read(|word| read_part(&word))?,
            role: self.role.read(|word| read_role(&word))?,
            constituency: self.constituency.read(|word| read_constituency(&word))?,
            scope: self.scope.read(|word| read_scope(&word))?,
            ground: self.ground.read(|word| read_ground(&word))?,
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
