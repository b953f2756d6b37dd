//! `explain`: one finding again, step by step: what was read, who holds the address, who was told and why.
//!
//! The winner's facts stand in the alert; the losers are told here only. What is at hand is used, and what is not is said:
//! a dump that is gone, an index that no longer is the one that decided.

use super::failure::Failure;
use super::held::claims_of;
use super::index::id_text;
use super::lookup::{Covering, covering};
use super::output::{note, print_json, print_lines};
use super::setup::{ReadingWords, Setup, facts_of, read_time, run_time};
use crate::alert::{ReferenceKey, Told};
use crate::config::{Config, DumpReport};
use crate::index::{Claim, Index, find_kept};
use crate::moment::{Day, Moment};
use crate::pipeline::{
    Against, Claims, FeedFacts, Job, Reading, Replay, Replayed, replay_head, replay_record,
};
use crate::policy::{
    Answer, Asked, Blown, Credibility, Fuse, Hold, InOffice, Line, Outcome, Provenance, Recipients,
    Reliability, Rulebook, Tlp, explain as explain_choice,
};
use crate::register::Register;
use crate::scan::{Encoding, Field, Input, Take};
use crate::spool::{Held, Manifest, RunName, Sought, Trace, TraceState, Traced, find_reference_key, trace};
use crate::text::show;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use uuid::Uuid;

/// What `explain` is asked.
pub struct ExplainRequest {
    /// Configuration and register.
    pub setup: Setup,
    /// `--spool`.
    pub spool: Option<PathBuf>,
    /// What is said about a raw record.
    pub reading: ReadingWords,
    /// `--run-time`.
    pub run_time: Option<String>,
    /// `--dump`.
    pub dump: Option<PathBuf>,
    /// `--json`.
    pub json: bool,
    /// The alert's id or reference; `None`: a raw record on standard input.
    pub alert: Option<String>,
}

/// All steps, as `--json` prints them.
#[derive(Serialize, Default)]
struct Steps<'i> {
    #[serde(skip_serializing_if = "Option::is_none")]
    alert_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<RunStep>,
    record: Option<u64>,
    /// The record's bytes, escaped.
    text: Option<String>,
    skipped: Option<&'static str>,
    rejected: Option<&'static str>,
    parsed: BTreeMap<&'static str, String>,
    /// On the day of the finding, and on that of the run if it is another.
    covering: Vec<CoveringOn<'i>>,
    /// Registrations inside the prefix that the record names.
    inside: Vec<String>,
    /// Who is told, or would be: one for each line.
    recipients: Vec<RecipientStep>,
    /// Who was asked for in turn, and whether they may be told: by label, ground and assessment.
    asked: Vec<AskedStep>,
    /// An exception keeps it back.
    excepted: bool,
    held: Option<&'static str>,
    /// Beyond which limit its run was, where that is why it was held.
    #[serde(skip_serializing_if = "Option::is_none")]
    fuse: Option<Blown>,
    tlp: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decision: Option<DecisionStep>,
    /// Whether the replay gives this very alert; absent where there is none, or nothing was replayed.
    #[serde(skip_serializing_if = "Option::is_none")]
    reproduced: Option<bool>,
    /// What an answer in full would need.
    lacks: Vec<String>,
}

#[derive(Serialize)]
struct RunStep {
    run: RunName,
    feed: String,
    format: String,
    dump: String,
    run_time: String,
    published: String,
    index: String,
}

#[derive(Serialize)]
struct CoveringOn<'i> {
    day: String,
    registrations: Vec<Covering<'i>>,
    outcome: String,
}

#[derive(Serialize)]
struct RecipientStep {
    owner_id: String,
    owner_name: Option<String>,
    alert_id: Uuid,
    rule: &'static str,
    role: &'static str,
    registration: String,
    constituency: &'static str,
    sender: String,
    contacts: Vec<String>,
}

#[derive(Serialize)]
struct AskedStep {
    owner_id: String,
    role: &'static str,
    constituency: &'static str,
    scope: &'static str,
    ground: &'static str,
    answer: &'static str,
    /// Why a person must say so.
    reason: Option<&'static str>,
    /// The code of the rule of the assessment, and what it says.
    rule: Option<String>,
    nl: Option<String>,
    en: Option<String>,
}

#[derive(Serialize)]
struct DecisionStep {
    run: RunName,
    state: &'static str,
    because: String,
    by: Option<String>,
}

/// Characters of a record that are shown.
const RECORD_CHARS_MAX: usize = 2_000;
/// Records of standard input that are explained.
const RECORDS_MAX: usize = 5;

/// Explains an alert, or a raw record; 1 if there is no such alert.
pub fn explain(request: &ExplainRequest) -> Result<u8, Failure> {
    let config = request.setup.read_config()?;
    match &request.alert {
        Some(id) => explain_alert(request, &config, id),
        None => explain_stdin(request, &config),
    }
}

fn explain_stdin(request: &ExplainRequest, config: &Config) -> Result<u8, Failure> {
    if request.reading.feed()?.is_none() && request.reading.format.is_none() {
        return Err(Failure::Usage(
            "give an alert id, or --feed (or --format) and a raw record on standard input".to_owned(),
        ));
    }
    request.reading.over(&config.feed(request.reading.feed.as_deref().unwrap_or_default()), config)?;
    let run_time = run_time(request.run_time.as_deref())?;
    let index = request.setup.load_index(config)?;
    let senders = config.senders.in_office(run_time.day());
    let input = Input::Stdin;
    let feeds = |name: &str| facts_of(name, &request.reading, config, None);
    let desk = Desk { index: &index, senders: &senders, rulebook: &config.rulebook, run_time };
    let job = desk.job(&input, "-", request.reading.feed.as_deref(), &feeds, None, config);
    let replays = replay_head(&job.job(), RECORDS_MAX).map_err(Failure::Run)?;
    if replays.is_empty() {
        return Err(Failure::Data("no record is on standard input".to_owned()));
    }
    for replay in &replays {
        if replay.findings.is_empty() {
            desk.tell(request, Steps::of_record(replay))?;
        }
        for finding in &replay.findings {
            desk.tell(request, desk.steps(replay, finding))?;
        }
    }
    Ok(0)
}

fn explain_alert(request: &ExplainRequest, config: &Config, id: &str) -> Result<u8, Failure> {
    let sought = Sought::read(id);
    if !matches!(sought, Sought::Alert(_) | Sought::Reference(_)) {
        let shown = show(id.as_bytes(), 64);
        return Err(Failure::Usage(format!(
            "{shown} is no alert id (extra.alert_id of an alert) and no reference (extra.reference)"
        )));
    }
    let place = request.spool.as_deref().or(config.spool.as_deref()).ok_or_else(|| {
        Failure::Usage("no spool: give --spool DIR, or [spool] in the configuration".to_owned())
    })?;
    let found = trace(place, &sought).map_err(Failure::Spool)?;
    let Some(traced) = best(&found) else {
        note(format_args!(
            "{id}: no alert of the spool has this id or reference (spool trace tells what else is there)"
        ));
        return Ok(1);
    };
    // The dump is that of the run that held it.
    let run = traced.run.decided_on().unwrap_or_else(|| traced.run.clone());
    let held = Held::open(place).map_err(Failure::Spool)?;
    let manifest = held.manifest(&run).map_err(Failure::Spool)?;
    let mut lacks = Vec::new();
    let Some((manifest, published)) = manifest else {
        return Err(Failure::Data(format!("{run}: its manifest is gone, so that nothing can be replayed")));
    };
    let run_time = read_time("the manifest's run time", &manifest.run_time)?;
    let index = find_index(request, config, &manifest.index, &mut lacks)?;
    let senders = config.senders.in_office(run_time.day());
    let desk = Desk { index: &index, senders: &senders, rulebook: &config.rulebook, run_time };
    let key = find_reference_key(place).map_err(Failure::Spool)?;
    let mut steps = desk.replay(request, config, &manifest, traced, key.as_ref(), &mut lacks)?;
    steps.alert_id = match sought {
        Sought::Alert(id) => Some(id),
        _ => traced.line.as_deref().and_then(Told::read).and_then(|told| told.alert_id()),
    };
    steps.state = Some(traced.state.as_str());
    steps.run = Some(RunStep::of(&manifest, published));
    steps.decision = decision_of(&found, &held)?;
    steps.hold_with_its_run(traced, &manifest);
    steps.lacks.extend(lacks);
    desk.tell(request, steps)?;
    Ok(0)
}

/// Of all that has the id, the line that says most: a held one knows why it was held.
fn best(found: &Trace) -> Option<&Traced> {
    let with_line = |traced: &&Traced| traced.line.is_some();
    let was_held = |traced: &&Traced| {
        matches!(traced.state, TraceState::Held | TraceState::Released | TraceState::Discarded)
    };
    let lines = || found.found.iter().filter(with_line);
    lines().find(was_held).or_else(|| lines().next()).or_else(|| found.found.first())
}

/// The decision by which the alert was released or discarded, or in whose run it is.
fn decision_of(found: &Trace, held: &Held) -> Result<Option<DecisionStep>, Failure> {
    let step = |run: RunName, state: TraceState, because: String, by: Option<String>| DecisionStep {
        run,
        state: state.as_str(),
        because,
        by,
    };
    for traced in &found.found {
        if let Some((run, word)) = &traced.decision {
            return Ok(Some(step(run.clone(), traced.state, word.because.clone(), word.by.clone())));
        }
    }
    for traced in found.found.iter().filter(|traced| traced.run.decision().is_some()) {
        let manifest = held.manifest(&traced.run).map_err(Failure::Spool)?;
        if let Some(decision) = manifest.and_then(|(manifest, _)| manifest.decision) {
            let word = decision.word;
            return Ok(Some(step(traced.run.clone(), TraceState::Released, word.because, word.by)));
        }
    }
    Ok(None)
}

/// The index that decided, if it is at hand: named, configured, or kept beside it; else another, and that is said.
fn find_index(
    request: &ExplainRequest,
    config: &Config,
    id: &str,
    lacks: &mut Vec<String>,
) -> Result<Index, Failure> {
    let file = request.setup.index_file(config);
    if let Some(kept) = file.and_then(|file| find_kept(file, id)) {
        return Index::open(&kept).map_err(Failure::Open);
    }
    match request.setup.load_index(config) {
        Ok(index) if id_text(&index) == id => Ok(index),
        Ok(index) => {
            let short = |id: &str| id.get(..16).unwrap_or(id).to_owned();
            lacks.push(format!(
                "the index that decided ({}) is gone: registrations are those of {}",
                short(id),
                short(&id_text(&index))
            ));
            Ok(index)
        }
        Err(Failure::Usage(_)) => {
            lacks.push(
                "no index is named (--index FILE or --register FILE): no registration can be told".to_owned(),
            );
            Index::build(&Register::default()).map_err(Failure::Build)
        }
        Err(failure) => Err(failure),
    }
}

/// What replays ask; the same for all records.
struct Desk<'a> {
    index: &'a Index,
    senders: &'a InOffice,
    rulebook: &'a Rulebook,
    run_time: Moment,
}

/// A job and what it borrows.
struct Work<'a> {
    input: &'a Input,
    name: &'a str,
    feed: Option<&'a str>,
    feeds: &'a (dyn Fn(&str) -> FeedFacts + Sync),
    observed: Option<(&'a str, Moment)>,
    desk: &'a Desk<'a>,
    decompressed_bytes_max: u64,
    scratch_directory: PathBuf,
    cancelled: Arc<std::sync::atomic::AtomicBool>,
}

impl<'a> Work<'a> {
    fn job(&'a self) -> Job<'a> {
        let Desk { index, senders, rulebook, run_time } = *self.desk;
        let against = Against { run_time, senders, rulebook, index };
        Job {
            feed: self.feed,
            observed: self.observed,
            reading: Reading::of_at_most(self.decompressed_bytes_max),
            ..Job::new(self.input, self.name, self.feeds, against, &self.scratch_directory, &self.cancelled)
        }
    }
}

impl<'a> Desk<'a> {
    fn job(
        &'a self,
        input: &'a Input,
        name: &'a str,
        feed: Option<&'a str>,
        feeds: &'a (dyn Fn(&str) -> FeedFacts + Sync),
        observed: Option<(&'a str, Moment)>,
        config: &Config,
    ) -> Work<'a> {
        Work {
            input,
            name,
            feed,
            feeds,
            observed,
            desk: self,
            decompressed_bytes_max: config.limits.decompressed_bytes_max,
            scratch_directory: std::env::temp_dir(),
            cancelled: Arc::default(),
        }
    }

    /// The record of an alert again, from its dump if it is at hand, else from the line.
    fn replay(
        &self,
        request: &ExplainRequest,
        config: &Config,
        manifest: &Manifest,
        traced: &Traced,
        key: Option<&ReferenceKey>,
        lacks: &mut Vec<String>,
    ) -> Result<Steps<'a>, Failure> {
        let told = traced.line.as_deref().and_then(Told::read);
        let Some(told) = told else {
            lacks.push("the alert's own line is gone: only the decision about it is known".to_owned());
            return Ok(Steps { record: traced.record, ..Steps::default() });
        };
        let Some(number) = record_of(&told, manifest, key) else {
            lacks.push(
                "the record: the key of the spool (reference.key) does not lead there from the reference"
                    .to_owned(),
            );
            return Ok(self.by_line(&told, None));
        };
        let Some(dump) = find_dump(request, config, manifest) else {
            let name = show(manifest.dump.name.as_bytes(), 256);
            lacks.push(format!(
                "the dump {name} is not at hand (--dump FILE): the record is told from the alert's line"
            ));
            return Ok(self.by_line(&told, Some(number)));
        };
        let feed = manifest.feed.as_str();
        let mut facts = facts_of_manifest(manifest, config);
        facts.password_file = request.reading.password_file.clone().or(facts.password_file);
        let feeds = |_: &str| facts.clone();
        let observed = match &manifest.dump.observed {
            Some(text) => Some((text.as_str(), read_time("--observed", text)?)),
            None => None,
        };
        let (input, name) = (Input::File(dump.clone()), dump.to_string_lossy().into_owned());
        let work = self.job(&input, &name, Some(feed), &feeds, observed, config);
        let replay = replay_record(&work.job(), number).map_err(Failure::Run)?;
        let Some(replay) = replay else {
            lacks.push(format!(
                "record {number} of {} matches nothing in this index",
                show(name.as_bytes(), 256)
            ));
            return Ok(self.by_line(&told, Some(number)));
        };
        let (alert_id, finding_id) = (told.alert_id(), told.sighting().map(|sighting| sighting.finding_id));
        let is_it = |finding: &&Replayed| {
            finding.lines.iter().any(|line| Some(line.alert_id) == alert_id)
                || Some(finding.finding_id) == finding_id
        };
        let Some(finding) = replay.findings.iter().find(is_it) else {
            lacks.push(format!(
                "record {number} of {} gives another finding: it is another dump, or is read in another way",
                show(name.as_bytes(), 256)
            ));
            return Ok(self.by_line(&told, Some(number)));
        };
        let mut steps = self.steps(&replay, finding);
        let reproduces = finding.lines.iter().any(|line| Some(line.alert_id) == alert_id);
        // Of a person's decision the recipient is the person's: what is replayed is what was held.
        steps.reproduced = (reproduces || traced.run.decision().is_none()).then_some(reproduces);
        if steps.reproduced == Some(false) {
            lacks.push(
                "the replay names other recipients: the register is not the one that decided".to_owned(),
            );
        }
        Ok(steps)
    }

    /// Without the dump: what the line says, and what the index says of it.
    fn by_line(&self, told: &Told<'_>, record: Option<u64>) -> Steps<'a> {
        let parsed = [
            ("address", "source.ip"),
            ("port", "source.port"),
            ("transport", "protocol.transport"),
            ("time", "time.source"),
            ("identifier", "classification.identifier"),
            ("severity", "severity"),
            ("cve", "product.vulnerabilities"),
            ("asn", "source.asn"),
            ("application", "protocol.application"),
            ("name", "source.fqdn"),
            ("reverse_name", "source.reverse_dns"),
            ("tag", "extra.tag"),
        ];
        let value = |key: &str| {
            let text = told.text(key).map(|text| text.into_owned());
            text.or_else(|| told.number(key).map(|number| number.to_string()))
        };
        let parsed = parsed.into_iter().filter_map(|(name, key)| Some((name, value(key)?))).collect();
        let claims = claims_of(self.index, told);
        let time = told.text("time.source").and_then(|time| Moment::read(time.as_bytes()));
        let tlp = told.text("extra.tlp").and_then(|tlp| Tlp::read(&tlp));
        Steps {
            record,
            parsed,
            covering: self.covering(&claims, time),
            inside: self.names(&claims.inside),
            held: told.hold().map(|hold| hold.as_str()),
            tlp: tlp.map(Tlp::as_str),
            ..Steps::default()
        }
    }

    fn steps(&self, replay: &Replay, finding: &Replayed) -> Steps<'a> {
        Steps {
            parsed: finding.parsed.iter().cloned().collect(),
            covering: self.covering(&finding.claims, finding.time),
            inside: self.names(&finding.claims.inside),
            recipients: finding.lines.iter().map(|line| self.recipient(&line.line, line.alert_id)).collect(),
            asked: finding.asked.iter().map(|asked| self.asked(asked)).collect(),
            excepted: finding.is_excepted,
            held: finding.hold.map(|hold| hold.as_str()),
            tlp: Some(finding.tlp.as_str()),
            ..Steps::of_record(replay)
        }
    }

    fn covering(&self, claims: &Claims, time: Option<Moment>) -> Vec<CoveringOn<'a>> {
        let now = self.run_time.day();
        let then = time.map_or(now, Moment::day);
        let mut days = vec![then];
        days.extend((then != now).then_some(now));
        days.into_iter().map(|day| self.covering_on(claims, day)).collect()
    }

    fn covering_on(&self, claims: &Claims, day: Day) -> CoveringOn<'a> {
        let (outcome, explanations) = explain_choice(claims.evidence(), day, self.index);
        let id = |line: &Line| self.index.owner(line.owner).id;
        let outcome = match &outcome {
            Outcome::Nobody => "nobody".to_owned(),
            Outcome::Winner(line) => format!("{} by {}", id(line), line.rule),
            Outcome::Conflict(lines) => {
                format!("conflict of {}", lines.iter().map(id).collect::<Vec<_>>().join(", "))
            }
            Outcome::NoContact(line) => format!("nobody with a contact; {} would come first", id(line)),
        };
        let registrations = explanations.iter().map(|one| covering(self.index, one)).collect();
        CoveringOn { day: day.to_string(), registrations, outcome }
    }

    fn names(&self, claims: &[Claim]) -> Vec<String> {
        let name = |claim: &Claim| {
            let source = show(self.index.source_name(claim.source).as_bytes(), 256);
            format!(
                "{} {} ({source}:{})",
                self.index.registered(claim),
                self.index.owner(claim.owner).id,
                claim.line
            )
        };
        claims.iter().map(name).collect()
    }

    fn recipient(&self, line: &Line, alert_id: Uuid) -> RecipientStep {
        let owner = self.index.owner(line.owner);
        RecipientStep {
            owner_id: owner.id.to_owned(),
            owner_name: owner.name.map(str::to_owned),
            alert_id,
            rule: line.rule.as_str(),
            role: line.claim.role.as_str(),
            registration: self.index.registered(&line.claim).to_string(),
            constituency: owner.constituency.map_or("business", |constituency| constituency.as_str()),
            sender: self.senders.sender(owner.constituency).as_str().to_owned(),
            contacts: owner.contacts().map(str::to_owned).collect(),
        }
    }

    fn asked(&self, asked: &Asked) -> AskedStep {
        let standing = self.index.standing(&asked.line);
        let (answer, reason, assessed) = match asked.answer {
            Answer::Go(assessed) => ("share", None, assessed),
            Answer::Hold(reason, assessed) => ("hold", Some(reason.as_str()), assessed),
            Answer::Drop(assessed) => ("drop", None, assessed),
        };
        let assessment = &self.rulebook.assessment;
        let (rule, code) = (assessment.rule_of(assessed), assessment.code_of(assessed));
        AskedStep {
            owner_id: self.index.owner(asked.line.owner).id.to_owned(),
            role: standing.role.as_str(),
            constituency: standing.constituency.as_str(),
            scope: standing.scope.as_str(),
            ground: standing.ground.as_str(),
            answer: rule.map_or(answer, |rule| rule.then.as_str()),
            reason,
            rule: code.map(str::to_owned),
            nl: rule.map(|rule| rule.nl.clone()),
            en: rule.map(|rule| rule.en.clone()),
        }
    }

    fn tell(&self, request: &ExplainRequest, steps: Steps<'_>) -> Result<(), Failure> {
        match request.json {
            true => print_json(&steps),
            false => print_lines(&steps.text(self.run_time)),
        }
    }
}

impl RunStep {
    fn of(manifest: &Manifest, published: Moment) -> Self {
        Self {
            run: manifest.run.clone(),
            feed: manifest.feed.to_string(),
            format: manifest.dump.format.clone(),
            dump: manifest.dump.name.clone(),
            run_time: manifest.run_time.clone(),
            published: published.whole_seconds().id_text(),
            index: manifest.index.clone(),
        }
    }
}

impl Steps<'_> {
    /// A record alone does not tell that its run was held.
    fn hold_with_its_run(&mut self, traced: &Traced, manifest: &Manifest) {
        let told = traced.line.as_deref().and_then(Told::read);
        if told.and_then(|told| told.hold()) == Some(Hold::Fuse) {
            self.held = Some(Hold::Fuse.as_str());
            self.fuse = manifest.fuse.clone();
        }
    }

    fn of_record(replay: &Replay) -> Self {
        Self {
            record: Some(replay.record),
            text: Some(show(&replay.bytes, RECORD_CHARS_MAX)),
            skipped: replay.skipped.map(|reason| reason.as_str()),
            rejected: replay.rejected.map(|reason| reason.as_str()),
            ..Self::default()
        }
    }

    fn text(&self, run_time: Moment) -> Vec<String> {
        let mut lines = Vec::new();
        if let (Some(alert_id), Some(state)) = (self.alert_id, self.state) {
            lines.push(format!("alert      {alert_id} ({state})"));
        }
        if let Some(run) = &self.run {
            let RunStep { run, feed, format, dump, run_time, published, .. } = run;
            let dump = show(dump.as_bytes(), 256);
            lines.push(format!(
                "run        {run}: feed {feed}, {dump} ({format}), run time {run_time}, published {published}"
            ));
        }
        if let Some(record) = self.record {
            lines.push(format!("record     {record}{}", said(": ", self.text.as_deref())));
        }
        for (title, reason) in [("skipped", self.skipped), ("rejected", self.rejected)] {
            lines.extend(reason.map(|reason| format!("{title:<10} {reason}")));
        }
        if !self.parsed.is_empty() {
            let words =
                self.parsed.iter().map(|(name, value)| format!("{name} {}", show(value.as_bytes(), 256)));
            lines.push(format!("parsed     {}", words.collect::<Vec<_>>().join(", ")));
        }
        for CoveringOn { day, registrations, outcome } in &self.covering {
            lines.push(format!("on {day}: {outcome}"));
            lines.extend(registrations.iter().map(|covering| format!("  {covering}")));
        }
        lines.extend(self.inside.iter().map(|inside| format!("inside     {inside}")));
        for recipient in &self.recipients {
            let RecipientStep { owner_id, rule, registration, constituency, sender, .. } = recipient;
            let day = run_time.day();
            lines.push(format!(
                "recipient  {owner_id} by {rule} {registration}: {constituency}, warned by {sender} on {day}"
            ));
        }
        lines.extend(self.tlp.map(|tlp| format!("tlp        {tlp}")));
        lines.extend(self.asked.iter().map(AskedStep::text));
        if self.excepted {
            lines.push("excepted   an exception keeps it back".to_owned());
        }
        let fuse = self.fuse.as_ref().map(|blown| format!(": {blown}")).unwrap_or_default();
        lines.extend(self.held.map(|reason| format!("held       {reason}{fuse}")));
        if let Some(DecisionStep { run, state, because, by }) = &self.decision {
            let because = show(because.as_bytes(), 256);
            lines.push(format!("decision   {state} by {run}: {because}{}", said(", ", by.as_deref())));
        }
        if self.reproduced == Some(true) {
            lines.push("replayed   the same alert".to_owned());
        }
        lines.extend(self.lacks.iter().map(|lack| format!("lacks      {lack}")));
        lines
    }
}

impl AskedStep {
    fn text(&self) -> String {
        let Self { owner_id, role, constituency, scope, ground, answer, reason, rule, en, .. } = self;
        let rule = rule.as_deref().map(|rule| format!("by {rule}{}", said(": ", en.as_deref())));
        let why: Vec<&str> = reason.iter().copied().chain(rule.as_deref()).collect();
        let why = if why.is_empty() { "no rule against it".to_owned() } else { why.join(", ") };
        format!("may        {owner_id} ({role}, {constituency}, {scope}) on {ground}: {answer} ({why})")
    }
}

/// The record that a line is of. The reference of a released one may be that of whom it was held under.
fn record_of(told: &Told<'_>, manifest: &Manifest, key: Option<&ReferenceKey>) -> Option<u64> {
    let run = manifest.run.as_str();
    told.record(run, key).or_else(|| {
        let (key, reference) = (key?, told.reference()?);
        manifest.held.iter().find_map(|facts| key.record_of(&reference, run, &facts.owner_id))
    })
}

fn said(before: &str, text: Option<&str>) -> String {
    text.map(|text| format!("{before}{}", show(text.as_bytes(), RECORD_CHARS_MAX))).unwrap_or_default()
}

/// Where the dump of a run is: as it is named, else where the daemon puts dumps that are done or failed.
fn find_dump(request: &ExplainRequest, config: &Config, manifest: &Manifest) -> Option<PathBuf> {
    if let Some(dump) = &request.dump {
        return Some(dump.clone());
    }
    let inbox = config.inbox.as_deref()?;
    let beside = inbox.parent().unwrap_or(Path::new("."));
    let feed = manifest.feed.as_str();
    let size = manifest.dump.bytes_stored;
    let is_it = |path: &PathBuf| path.metadata().is_ok_and(|found| found.is_file() && found.len() == size);
    [beside.join("done").join(feed), beside.join("failed").join(feed), inbox.join(feed)]
        .iter()
        .flat_map(|directory| namesakes(directory, &manifest.dump.name))
        .find(is_it)
}

/// FILE, and what became of its name where that was taken: FILE.2, FILE.3 and so on.
fn namesakes(directory: &Path, name: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let is_namesake = |found: &str| {
        found == name
            || found
                .strip_prefix(name)
                .and_then(|rest| rest.strip_prefix('.'))
                .is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let names = entries.filter_map(|entry| Some(entry.ok()?.file_name()));
    names.filter(|found| is_namesake(&found.to_string_lossy())).map(|found| directory.join(found)).collect()
}

/// How the dump was read: as the manifest says, and where it does not, as the configuration does.
fn facts_of_manifest(manifest: &Manifest, config: &Config) -> FeedFacts {
    let text = |key: &str| manifest.options.get(key).and_then(Value::as_str).map(str::to_owned);
    let configured = config.feed(manifest.feed.as_str()).facts(config);
    let has_report = !manifest.report.is_empty();
    let report = has_report.then(|| DumpReport::of_manifest(&manifest.report, config.language)).flatten();
    let mut options = configured.options.clone();
    options.identifier = text("identifier");
    options.finding = manifest.options.get("finding").and_then(Value::as_bool).unwrap_or_default();
    options.refang = manifest.options.get("refang").and_then(Value::as_bool).unwrap_or_default();
    options.take = text("take").and_then(|take| Take::read(&take)).unwrap_or_default();
    if let Some(max) = manifest.options.get("record_bytes_max").and_then(Value::as_u64) {
        options.record_bytes_max = usize::try_from(max).unwrap_or(options.record_bytes_max);
    }
    if let Some(map) = manifest.options.get("map").and_then(Value::as_object) {
        let columns =
            map.iter().filter_map(|(field, column)| Some((Field::read(field)?, column.as_str()?.to_owned())));
        options.map = columns.collect();
    }
    FeedFacts {
        format: Some(manifest.dump.format.clone()),
        password_file: configured.password_file,
        encoding: text("encoding").and_then(|encoding| Encoding::read(&encoding)),
        options,
        label: Some(manifest.feed_label.clone()),
        provider: configured.provider,
        provenance: provenance_of_manifest(manifest),
        permission: text("permission"),
        protection: configured.protection,
        classification: text("classification"),
        severity: text("severity"),
        copies: configured.copies,
        fuse: Fuse::default(),
        catalogue: configured.catalogue,
        report: report.map(|report| report.source),
    }
}

/// How good its source was, and what could be done with what it said.
fn provenance_of_manifest(manifest: &Manifest) -> Provenance {
    let text = |key: &str| manifest.options.get(key).and_then(Value::as_str);
    let of_report = |key: &str| manifest.report.get(key).and_then(Value::as_str);
    let figure = manifest.options.get("credibility").and_then(Value::as_u64);
    Provenance {
        reliability: text("reliability").and_then(Reliability::read),
        credibility: figure.and_then(|figure| Credibility::new(u8::try_from(figure).ok()?)),
        tlp: text("tlp").and_then(Tlp::read),
        is_tlp_unknown: of_report("tlp").is_some_and(|label| Tlp::is_unknown(Some(label))),
        notice_tlp: text("notice_tlp").and_then(Tlp::read),
        permission: manifest.permission(),
    }
}
