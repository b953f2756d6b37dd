//! The assessment, outside a run: the page for the public, and the answer for given inputs.

use super::Failure;
use super::output::{print_json, print_lines};
use super::setup::Setup;
use crate::alert::CLASSIFICATION_DEFAULT;
use crate::config::{
    Config, read_classification, read_credibility, read_part, read_reliability, read_severity, read_standing,
};
use crate::policy::{
    Answer, Assessment, AssessmentRule, Hold, Inquiry, Permission, Provenance, Severity, Terms, Then, Tlp,
};
use crate::scan::Side;
use serde::Serialize;

/// Inputs of `assess try`, as typed; what is absent is as the feed says, or the most ordinary.
#[derive(Default)]
pub struct AssessWords {
    /// `--feed`.
    pub feed: Option<String>,
    /// `--tlp`: the record's, in any spelling.
    pub tlp: Option<String>,
    /// `--permission`: `feed` or `report`.
    pub permission: Option<Permission>,
    /// `--reliability`.
    pub reliability: Option<String>,
    /// `--credibility`.
    pub credibility: Option<u8>,
    /// `--classification`.
    pub classification: Option<String>,
    /// `--identifier`.
    pub identifier: Option<String>,
    /// `--severity`.
    pub severity: Option<String>,
    /// `--age-days`.
    pub age_days: u32,
    /// `--part`.
    pub part: Option<String>,
    /// `--role`.
    pub role: Option<String>,
    /// `--constituency`.
    pub constituency: Option<String>,
    /// `--scope`.
    pub scope: Option<String>,
    /// `--ground`.
    pub ground: Option<String>,
}

/// What an assessment comes to.
#[derive(Serialize)]
struct Outcome<'t> {
    /// `share`, `redact`, `hold` or `drop`.
    outcome: &'static str,
    /// Why a person decides: a reason of held alerts.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    /// The code of the rule that decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'t str>,
    /// What the alert goes without.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    without: Vec<&'static str>,
    tlp: &'static str,
    nl: &'t str,
    en: &'t str,
}

/// What a rule of the design says, where no rule of the table does.
struct Sentence {
    nl: &'static str,
    en: &'static str,
}

const SHARED: Sentence = Sentence {
    nl: "Geen regel houdt dit tegen: het wordt gedeeld.",
    en: "No rule is against it: it is shared.",
};
const TOO_OLD: Sentence = Sentence {
    nl: "Het is te lang geleden gezien: een mens beslist.",
    en: "It was seen too long ago: a person decides.",
};
const TLP_UNKNOWN: Sentence = Sentence {
    nl: "Het TLP-label is niet te lezen en kan elk label zijn: een mens beslist.",
    en: "The TLP label cannot be read and may be any: a person decides.",
};
const TLP_PERMISSION: Sentence = Sentence {
    nl: "Het TLP-label staat niet toe dat deze ontvanger het hoort: een mens beslist, en vraagt de bron.",
    en: "The TLP label does not let this recipient be told: a person decides, and asks the source.",
};
const WITHOUT_GROUND: Sentence = Sentence {
    nl: "Er is geen grondslag om deze ontvanger te waarschuwen: een mens beslist.",
    en: "There is no ground to warn this recipient: a person decides.",
};

/// `assess try`.
pub fn assess_try(setup: &Setup, words: &AssessWords, json: bool) -> Result<u8, Failure> {
    let config = setup.read_config()?;
    let outcome = outcome(&config, words).map_err(Failure::Usage)?;
    match json {
        true => print_json(&outcome)?,
        false => print_lines(&lines_of(&outcome))?,
    }
    Ok(0)
}

fn lines_of(outcome: &Outcome<'_>) -> Vec<String> {
    let why: Vec<&str> = outcome.reason.into_iter().chain(outcome.code).collect();
    let why = if why.is_empty() { String::new() } else { format!(" ({})", why.join(", ")) };
    let mut lines = vec![format!("{}{why}, TLP:{}", outcome.outcome, outcome.tlp)];
    if !outcome.without.is_empty() {
        lines.push(format!("without {}", outcome.without.join(", ")));
    }
    lines.extend([outcome.nl.to_owned(), outcome.en.to_owned()]);
    lines
}

fn outcome<'c>(config: &'c Config, words: &AssessWords) -> Result<Outcome<'c>, String> {
    let feed = config.feed(words.feed.as_deref().unwrap_or_default());
    let provenance = Provenance {
        reliability: read(&words.reliability, read_reliability)?.or(feed.provenance.reliability),
        credibility: words.credibility.map(read_credibility).transpose()?.or(feed.provenance.credibility),
        permission: words.permission.unwrap_or(feed.provenance.permission),
        ..feed.provenance
    };
    let classification = read(&words.classification, read_classification)?.or(feed.classification);
    let severity = read(&words.severity, read_severity)?;
    let standing = read_standing([&words.role, &words.constituency, &words.scope, &words.ground])?;
    let tlp = Tlp::of(words.tlp.as_deref(), provenance.tlp);
    let inquiry = Inquiry {
        provenance: &provenance,
        tlp,
        classification: classification.as_deref().unwrap_or(CLASSIFICATION_DEFAULT),
        identifier: words.identifier.as_deref().or(feed.identifier.as_deref()).unwrap_or_default(),
        severity: severity.unwrap_or_else(|| Severity::read(feed.severity.as_deref().unwrap_or_default())),
        age_days: words.age_days,
        part: read(&words.part, read_part)?.unwrap_or(Side::Exposed),
    };
    let rulebook = &config.rulebook;
    let is_tlp_unknown = Tlp::is_unknown(words.tlp.as_deref());
    let terms = Terms { assessment: &rulebook.assessment, inquiry, is_tlp_unknown };
    let label = provenance.notice_tlp_of(tlp).as_str();
    if words.age_days > rulebook.age_days_max.into() {
        return Ok(Outcome::held(Hold::TooOld, None, label, &TOO_OLD));
    }
    Ok(Outcome::of(terms.answer(standing), &rulebook.assessment, label))
}

fn read<T>(word: &Option<String>, read: impl Fn(&str) -> Result<T, String>) -> Result<Option<T>, String> {
    word.as_deref().map(read).transpose()
}

impl<'t> Outcome<'t> {
    fn of(answer: Answer, assessment: &'t Assessment, tlp: &'static str) -> Self {
        match answer {
            Answer::Go(assessed) | Answer::Drop(assessed) => match assessment.rule_of(assessed) {
                Some(rule) => Self::by(rule, None, tlp),
                None => Self::said("share", None, None, tlp, &SHARED),
            },
            Answer::Hold(hold, assessed) => match (assessment.rule_of(assessed), hold) {
                (Some(rule), _) => Self::by(rule, Some(hold.as_str()), tlp),
                (None, Hold::TlpUnknown) => Self::held(hold, None, tlp, &TLP_UNKNOWN),
                (None, Hold::Assessment) => {
                    Self::held(hold, assessment.code_of(assessed), tlp, &WITHOUT_GROUND)
                }
                (None, _) => Self::held(hold, None, tlp, &TLP_PERMISSION),
            },
        }
    }

    fn by(rule: &'t AssessmentRule, reason: Option<&'static str>, tlp: &'static str) -> Self {
        let without = match rule.then {
            Then::Redact(redaction) => redaction.fields().map(|field| field.as_str()).collect(),
            Then::Share | Then::Hold | Then::Drop => Vec::new(),
        };
        let (code, nl, en) = (Some(&*rule.code), &*rule.nl, &*rule.en);
        Self { outcome: rule.then.as_str(), reason, code, without, tlp, nl, en }
    }

    fn held(hold: Hold, code: Option<&'t str>, tlp: &'static str, sentence: &Sentence) -> Self {
        Self::said("hold", Some(hold.as_str()), code, tlp, sentence)
    }

    fn said(
        outcome: &'static str,
        reason: Option<&'static str>,
        code: Option<&'t str>,
        tlp: &'static str,
        &Sentence { nl, en }: &Sentence,
    ) -> Self {
        Self { outcome, reason, code, without: vec![], tlp, nl, en }
    }
}

/// `assess table`.
pub fn assess_table(setup: &Setup, json: bool) -> Result<u8, Failure> {
    let config = setup.read_config()?;
    let rulebook = &config.rulebook;
    match json {
        true => print_json(&rulebook.assessment.rules.iter().map(TableRow::of).collect::<Vec<_>>())?,
        false => print_lines(&page(&rulebook.assessment, rulebook.age_days_max))?,
    }
    Ok(0)
}

#[derive(Serialize)]
struct TableRow<'t> {
    code: &'t str,
    when: String,
    then: &'static str,
    without: Vec<&'static str>,
    nl: &'t str,
    en: &'t str,
}

impl<'t> TableRow<'t> {
    fn of(rule: &'t AssessmentRule) -> Self {
        let Outcome { outcome, without, nl, en, .. } = Outcome::by(rule, None, "");
        TableRow { code: &rule.code, when: rule.when.to_string(), then: outcome, without, nl, en }
    }
}

/// What holds whatever the table says. `{days}` is the limit of age.
const PAGE_HEAD: &str = "\
# What is told to whom · Wat aan wie wordt verteld

We share as far as possible. A report reaches the user of a system, else the owner of its network, and nobody else.
Wij delen zo veel mogelijk. Een melding gaat naar de gebruiker van een systeem, anders naar de eigenaar van het netwerk, en naar niemand anders.

| label | is told · wordt verteld aan |
|---|---|
| TLP:CLEAR, TLP:GREEN | every recipient · elke ontvanger |
| TLP:AMBER, none · geen | recipients in the constituency · ontvangers binnen de doelgroep |
| TLP:AMBER+STRICT | the user, by permission of the source · de gebruiker, met toestemming van de bron |
| TLP:RED | the user, by permission for this one report · de gebruiker, met toestemming voor deze ene melding |

Where a label, a ground or a rule keeps it from one recipient, the next is asked. About what is left, and what was seen more than {days} days before, a person decides.
Waar label, grondslag of regel één ontvanger in de weg staat, wordt de volgende bezien. Over wat overblijft, en wat meer dan {days} dagen eerder is gezien, beslist een mens.

Then the first of these rules that fits decides; a hold gives way to a later rule by which less is told. No rule: it is told.
Daarna beslist de eerste regel die past; aanhouden wijkt voor een latere regel waarmee minder wordt verteld. Geen regel: het wordt verteld.

| | when · als | then · dan | code | why | waarom |
|--:|---|---|---|---|---|";

fn page(assessment: &Assessment, age_days_max: u16) -> Vec<String> {
    let mut lines = vec![PAGE_HEAD.replace("{days}", &age_days_max.to_string())];
    for (rule, number) in assessment.rules.iter().map(TableRow::of).zip(1..) {
        let TableRow { code, when, then, without, nl, en } = rule;
        let without = if without.is_empty() { String::new() } else { format!(" {}", without.join(", ")) };
        let then = if then == "redact" { "share without" } else { then };
        let cell = |text: &str| text.replace('|', "\\|").replace('\n', " ");
        lines.push(format!(
            "| {number} | {} | {then}{without} | {code} | {} | {} |",
            cell(&when),
            cell(en),
            cell(nl)
        ));
    }
    if assessment.rules.is_empty() {
        lines.push("| | | | | there are no rules | er zijn geen regels |".to_owned());
    }
    lines
}
