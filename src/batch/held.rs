//! `held list|show|release|discard`: what waits for a person, and what a person decides.

use super::failure::Failure;
use super::index::id_text;
use super::output::{note, print_json, print_lines};
use super::setup::{Setup, now, open_spool, read_time};
use crate::alert::{self, Matched, RecipientFacts, Release, Told};
use crate::config::{Config, Overdue};
use crate::index::{Index, OwnerIx};
use crate::moment::Moment;
use crate::net::Asn;
use crate::pipeline::Claims;
use crate::policy::{Hold, InOffice, Line, Outcome, Recipients, Rule, Severity, Tlp, choose};
use crate::register::{Constituency, Role, Scope};
use crate::spool::{
    Account, Deciding, DecisionFacts, Held, HeldLine, HeldRun, LineFate, NoticeFacts, Recipient,
    RecipientAccount, RunName, Sender, Spool, Word, find_reference_key,
};
use crate::text::show;
use serde::Serialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::rc::Rc;
use uuid::Uuid;

/// Where the spool is, and what the doors of held alerts read besides.
pub struct HeldPlace {
    /// Configuration and register.
    pub setup: Setup,
    /// `--spool`.
    pub spool: Option<PathBuf>,
    /// `--run-time`.
    pub run_time: Option<String>,
}

/// Which held alerts are meant, as typed. Of each kind that is given one must fit.
#[derive(Default)]
pub struct SelectionWords {
    /// Runs and alert ids, without an option.
    pub names: Vec<String>,
    /// `--run`.
    pub runs: Vec<String>,
    /// `--feed`.
    pub feeds: Vec<String>,
    /// `--reason`.
    pub reasons: Vec<String>,
    /// `--owner`.
    pub owners: Vec<String>,
    /// `--alert`.
    pub alerts: Vec<String>,
    /// `--older-than`, in days.
    pub older_than_days: Option<u16>,
    /// `--all`.
    pub all: bool,
}

/// By what held alerts are counted together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HeldBy {
    /// By all of the others.
    All,
    /// Why they are held.
    Reason,
    /// The feed they came in.
    Feed,
    /// Under whom they are held.
    Owner,
    /// The run that holds them.
    Run,
}

/// What a person decides.
pub struct DecisionRequest {
    /// Where.
    pub place: HeldPlace,
    /// Of which alerts.
    pub selection: SelectionWords,
    /// What becomes of them.
    pub goal: Goal,
    /// `--because`.
    pub because: String,
    /// `--by`.
    pub by: String,
    /// `--despite-tlp`: the source let them go where their label does not.
    pub despite_tlp: bool,
    /// `--dry-run`.
    pub dry_run: bool,
    /// `--json`.
    pub json: bool,
}

/// What becomes of selected alerts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Goal {
    /// Each goes to the owner that it is held under.
    Release,
    /// They go to this owner.
    ReleaseTo(String),
    /// Each goes to whom the register names next.
    ReleaseToNext,
    /// They go to nobody.
    Discard,
}

/// Which held alerts are meant, checked.
struct Selection {
    runs: Vec<RunName>,
    feeds: Vec<String>,
    reasons: Vec<Hold>,
    owners: Vec<String>,
    alerts: Vec<Uuid>,
    until: Option<Moment>,
}

impl SelectionWords {
    fn read(&self, at: Moment) -> Result<Selection, Failure> {
        let usage = |problem: String| Failure::Usage(problem);
        let reason = |text: &String| {
            Hold::ALL.into_iter().find(|hold| hold.as_str() == text).ok_or_else(|| {
                let all = Hold::ALL.map(Hold::as_str).join(", ");
                usage(format!("--reason {}: a reason is one of {all}", show(text.as_bytes(), 64)))
            })
        };
        let run = |text: &String| RunName::read(text).map_err(|error| usage(format!("--run: {error}")));
        let alert = |text: &String| {
            text.parse().map_err(|_| usage(format!("--alert {}: no alert id", show(text.as_bytes(), 64))))
        };
        let mut selection = Selection {
            runs: self.runs.iter().map(run).collect::<Result<_, _>>()?,
            feeds: self.feeds.clone(),
            reasons: self.reasons.iter().map(reason).collect::<Result<_, _>>()?,
            owners: self.owners.clone(),
            alerts: self.alerts.iter().map(alert).collect::<Result<_, _>>()?,
            until: self.older_than_days.and_then(|days| days_before(at, days)),
        };
        for name in &self.names {
            match (name.parse(), RunName::read(name)) {
                (Ok(alert), _) => selection.alerts.push(alert),
                (_, Ok(run)) => selection.runs.push(run),
                _ => {
                    let shown = show(name.as_bytes(), 64);
                    return Err(usage(format!(
                        "{shown} is neither an alert id nor a run (dijkwacht held show)"
                    )));
                }
            }
        }
        Ok(selection)
    }

    fn is_empty(&self) -> bool {
        let Self { names, runs, feeds, reasons, owners, alerts, older_than_days, all } = self;
        !all && [names, runs, feeds, reasons, owners, alerts].iter().all(|words| words.is_empty())
            && older_than_days.is_none()
    }
}

fn days_before(at: Moment, days: u16) -> Option<Moment> {
    Moment::from_unix(at.unix_seconds() - i64::from(days) * DAY_SECONDS, 999_999_999)
}

const DAY_SECONDS: i64 = 86_400;

impl Selection {
    fn has_run(&self, run: &RunName) -> bool {
        (self.runs.is_empty() || self.runs.contains(run))
            && (self.feeds.is_empty() || self.feeds.iter().any(|feed| feed == run.feed()))
    }

    fn has(&self, held: &HeldRun, line: &HeldLine) -> bool {
        let owner = &held.facts(line).owner_id;
        (self.reasons.is_empty() || line.reason.is_some_and(|reason| self.reasons.contains(&reason)))
            && (self.owners.is_empty() || self.owners.iter().any(|id| id.eq_ignore_ascii_case(owner)))
            && (self.alerts.is_empty() || self.alerts.contains(&line.alert_id))
            && self.until.is_none_or(|until| held.published <= until)
    }
}

/// A place that is found: configuration, spool, the moment that counts as now.
struct Place {
    config: Config,
    path: PathBuf,
    at: Moment,
}

impl HeldPlace {
    fn find(&self) -> Result<Place, Failure> {
        let config = self.setup.read_config()?;
        let path = self.spool.clone().or_else(|| config.spool.clone()).ok_or_else(|| {
            Failure::Usage("no spool: give --spool DIR, or [spool] in the configuration".to_owned())
        })?;
        let at = match &self.run_time {
            Some(text) => read_time("--run-time", text)?,
            None => now(),
        };
        Ok(Place { config, path, at })
    }

    /// The register, where one is named.
    fn index(&self, config: &Config) -> Result<Option<Index>, Failure> {
        match self.setup.load_index(config) {
            Ok(index) => Ok(Some(index)),
            Err(Failure::Usage(_)) => Ok(None),
            Err(failure) => Err(failure),
        }
    }
}

/// Lines that wait and are counted together.
#[derive(Serialize)]
struct Group {
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    feed: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<RunName>,
    waiting: u64,
    overdue: u64,
    #[serde(serialize_with = "word")]
    worst: Severity,
    #[serde(serialize_with = "moment")]
    since: Moment,
}

fn word<S: serde::Serializer>(severity: &Severity, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(severity.as_str())
}

fn moment<S: serde::Serializer>(moment: &Moment, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&moment.whole_seconds().id_text())
}

#[derive(Serialize)]
struct Listing {
    waiting: u64,
    overdue: u64,
    groups: Vec<Group>,
}

/// `held list`: counts what waits, the worst and oldest first; 1 if anything is overdue.
pub fn held_list(
    place: &HeldPlace,
    selection: &SelectionWords,
    by: HeldBy,
    as_json: bool,
) -> Result<u8, Failure> {
    let found = place.find()?;
    let selection = selection.read(found.at)?;
    let mut groups = BTreeMap::new();
    each_run(&found, &selection, |held| {
        for line in held.waiting().filter(|line| selection.has(&held, line)) {
            add_to_group(&mut groups, &held, line, by, &found);
        }
        Ok(())
    })?;
    let mut groups: Vec<Group> = groups.into_values().collect();
    groups.sort_by_key(|group| (group.worst as usize, group.since, Reverse(group.waiting)));
    let listing = Listing {
        waiting: groups.iter().map(|group| group.waiting).sum(),
        overdue: groups.iter().map(|group| group.overdue).sum(),
        groups,
    };
    match as_json {
        true => print_json(&listing)?,
        false => print_lines(&list_text(&listing, found.at))?,
    }
    Ok(u8::from(listing.overdue > 0))
}

fn each_run(
    found: &Place,
    selection: &Selection,
    mut take: impl FnMut(HeldRun) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let held = Held::open(&found.path).map_err(Failure::Spool)?;
    for run in held.waiting().map_err(Failure::Spool)? {
        if selection.has_run(&run)
            && let Some(run) = held.read(&run).map_err(Failure::Spool)?
        {
            take(run)?;
        }
    }
    Ok(())
}

type GroupKey = (Option<&'static str>, Option<String>, Option<String>, Option<RunName>);

fn add_to_group(
    groups: &mut BTreeMap<GroupKey, Group>,
    held: &HeldRun,
    line: &HeldLine,
    by: HeldBy,
    found: &Place,
) {
    let is_by = |one| by == one || by == HeldBy::All;
    let reason = is_by(HeldBy::Reason).then(|| line.reason.map_or("unknown", Hold::as_str));
    let feed = is_by(HeldBy::Feed).then(|| held.run().feed().to_owned());
    let owner_id = is_by(HeldBy::Owner).then(|| held.facts(line).owner_id.clone());
    let run = is_by(HeldBy::Run).then(|| held.run().clone());
    let key = (reason, feed.clone(), owner_id.clone(), run.clone());
    let group = groups.entry(key).or_insert_with(|| Group {
        reason,
        feed,
        owner_id,
        run,
        waiting: 0,
        overdue: 0,
        worst: line.severity,
        since: held.published,
    });
    group.waiting += 1;
    group.overdue += u64::from(is_overdue(&found.config.overdue, line, held, found.at));
    if (line.severity as usize) < group.worst as usize {
        group.worst = line.severity;
    }
    group.since = group.since.min(held.published);
}

fn is_overdue(overdue: &Overdue, line: &HeldLine, held: &HeldRun, at: Moment) -> bool {
    let days = i64::from(overdue.days(line.severity));
    at.unix_seconds() - held.published.unix_seconds() > days * DAY_SECONDS
}

fn list_text(listing: &Listing, at: Moment) -> Vec<String> {
    let mut lines: Vec<String> = listing.groups.iter().map(|group| group_text(group, at)).collect();
    lines.push(match listing.overdue {
        0 => format!("{} alerts wait for a person", listing.waiting),
        overdue => format!("{} alerts wait for a person, {overdue} of them for too long", listing.waiting),
    });
    lines
}

fn group_text(group: &Group, at: Moment) -> String {
    let days = (at.unix_seconds() - group.since.unix_seconds()).max(0) / DAY_SECONDS;
    let overdue = if group.overdue > 0 { format!(", {} overdue", group.overdue) } else { String::new() };
    let of = [
        group.reason.map(str::to_owned),
        group.feed.clone(),
        group.owner_id.clone(),
        group.run.as_ref().map(RunName::to_string),
    ];
    let of: Vec<String> = of.into_iter().flatten().collect();
    format!("{:>7}  {:<9} {days:>4} d  {}{overdue}", group.waiting, group.worst.as_str(), of.join("  "))
}

/// One alert that waits, as `held show --json` prints it.
#[derive(Serialize)]
struct Shown<'h> {
    run: &'h RunName,
    alert_id: Uuid,
    reason: Option<&'static str>,
    owner_id: &'h str,
    owner_name: Option<&'h str>,
    contacts: &'h [String],
    #[serde(serialize_with = "moment")]
    since: Moment,
    overdue: bool,
    /// Its number in the dump; absent where only a reference stands in the line, and the spool's key does not lead from it.
    record: Option<u64>,
    /// Under whom the same finding is held too; a release to one of them decides for all.
    rivals: Vec<&'h str>,
    alert: &'h RawValue,
}

/// `held show`: each alert that waits, whole; 1 if there is none.
pub fn held_show(place: &HeldPlace, selection: &SelectionWords, as_json: bool) -> Result<u8, Failure> {
    let found = place.find()?;
    let selection = selection.read(found.at)?;
    let key = find_reference_key(&found.path).map_err(Failure::Spool)?;
    let mut count = 0_u64;
    each_run(&found, &selection, |held| {
        let mut file = Content::default();
        let rivals = Rivals::of(&held);
        for (at, line) in held.lines.iter().enumerate() {
            if !line.waits() || !selection.has(&held, line) {
                continue;
            }
            count += 1;
            let text = file.line(&held, line)?;
            let alert: &RawValue = serde_json::from_slice(text.trim_ascii_end())
                .map_err(|error| Failure::Data(format!("{}: {error}", held.run())))?;
            let facts = held.facts(line);
            let shown = Shown {
                run: held.run(),
                alert_id: line.alert_id,
                reason: line.reason.map(Hold::as_str),
                owner_id: &facts.owner_id,
                owner_name: facts.name.as_deref(),
                contacts: &facts.contacts,
                since: held.published,
                overdue: is_overdue(&found.config.overdue, line, &held, found.at),
                record: Told::read(&text).and_then(|told| told.record(held.run().as_str(), key.as_ref())),
                rivals: rivals.of_line(&held, at),
                alert,
            };
            match as_json {
                true => print_json(&shown)?,
                false => print_lines(&shown_text(&shown, &text))?,
            }
        }
        Ok(())
    })?;
    if count == 0 {
        note(format_args!("nothing that waits is selected"));
    }
    Ok(u8::from(count == 0))
}

fn shown_text(shown: &Shown<'_>, line: &[u8]) -> Vec<String> {
    let told = Told::read(line);
    let value = |key: &str| {
        let told = told.as_ref()?;
        told.text(key)
            .map(|text| show(text.as_bytes(), 256))
            .or_else(|| told.number(key).map(|n| n.to_string()))
    };
    let overdue = if shown.overdue { ", overdue" } else { "" };
    let contacts = match shown.contacts {
        [] => "no contact".to_owned(),
        contacts => contacts.join(", "),
    };
    let name = shown.owner_name.map(|name| format!(" ({})", show(name.as_bytes(), 128))).unwrap_or_default();
    let record = shown.record.map_or_else(|| "unknown".to_owned(), |number| number.to_string());
    let mut lines = vec![
        format!(
            "{}  {}  since {}{overdue}",
            shown.alert_id,
            shown.reason.unwrap_or("unknown"),
            shown.since.whole_seconds()
        ),
        format!("  run      {}, record {record}", shown.run),
        format!("  owner    {}{name}: {}", shown.owner_id, show(contacts.as_bytes(), 512)),
    ];
    for (title, keys) in [
        ("finding ", &["classification.identifier", "severity", "time.source"][..]),
        (
            "address ",
            &["source.ip", "source.network", "source.port", "protocol.transport", "source.fqdn"][..],
        ),
        ("matched ", &["extra.match.rule", "extra.match.registration"][..]),
        ("tlp     ", &["extra.tlp"][..]),
    ] {
        let words: Vec<String> = keys.iter().filter_map(|key| value(key)).collect();
        if !words.is_empty() {
            lines.push(format!("  {title} {}", words.join(" ")));
        }
    }
    if !shown.rivals.is_empty() {
        lines.push(format!("  also     {}", shown.rivals.join(", ")));
    }
    lines
}

/// The file that the last line stood in: lines come file by file.
#[derive(Default)]
struct Content {
    file: Option<usize>,
    bytes: Vec<u8>,
}

impl Content {
    fn line(&mut self, held: &HeldRun, line: &HeldLine) -> Result<Vec<u8>, Failure> {
        if self.file != Some(line.file) {
            self.bytes = held.content(line.file).map_err(Failure::Spool)?;
            self.file = Some(line.file);
        }
        let changed = || Failure::Data(format!("{}: what is held changed while it was read", held.run()));
        self.bytes.get(line.place.clone()).map(<[u8]>::to_vec).ok_or_else(changed)
    }
}

/// The lines of each finding, by their places.
struct Rivals<'h>(HashMap<&'h crate::alert::Sighting, Vec<usize>>);

impl<'h> Rivals<'h> {
    fn of(held: &'h HeldRun) -> Self {
        let mut lines = HashMap::<_, Vec<usize>>::new();
        for (at, line) in held.lines.iter().enumerate() {
            lines.entry(&line.sighting).or_default().push(at);
        }
        Self(lines)
    }

    fn group(&self, held: &HeldRun, at: usize) -> &[usize] {
        self.0.get(&held.lines[at].sighting).map_or(&[], |lines| lines)
    }

    fn of_line<'o>(&self, held: &'o HeldRun, at: usize) -> Vec<&'o str> {
        let others = self.group(held, at).iter().filter(|&&other| other != at && held.lines[other].waits());
        others.map(|&other| held.facts(&held.lines[other]).owner_id.as_str()).collect()
    }
}

/// Who is told of a released line, and how it says so.
struct Target {
    recipient: Recipient,
    rendered: alert::Recipient,
}

/// What becomes of one line.
struct Released {
    line: usize,
    target: Rc<Target>,
    alert_id: Uuid,
    matched: Why,
}

/// Why a released line's recipient is told.
#[derive(Clone, Copy)]
enum Why {
    AsHeld,
    By(Line),
    ByPerson,
}

#[derive(Default)]
struct Plan {
    released: Vec<Released>,
    discarded: Vec<usize>,
}

/// What decides whom a line goes to; the same for all runs of one decision.
struct Desk<'a> {
    goal: &'a Goal,
    despite_tlp: bool,
    index: Option<&'a Index>,
    senders: InOffice,
    at: Moment,
    targets: HashMap<(Option<OwnerIx>, String), Rc<Target>>,
    content: Content,
}

/// `held release` and `held discard`: 0 done or done before, 1 if nothing is selected.
pub fn held_decide(request: &DecisionRequest) -> Result<u8, Failure> {
    check_words(request)?;
    let found = request.place.find()?;
    let selection = request.selection.read(found.at)?;
    let index = match request.goal {
        Goal::Discard => None,
        _ => request.place.index(&found.config)?,
    };
    let senders = found.config.senders.in_office(found.at.day());
    let mut desk = Desk {
        goal: &request.goal,
        despite_tlp: request.despite_tlp,
        index: index.as_ref(),
        senders,
        at: found.at,
        targets: HashMap::new(),
        content: Content::default(),
    };
    let spool = match request.dry_run {
        true => None,
        false => Some(open_to_decide(&found)?),
    };
    // All of it is planned before any of it is done: what cannot be done is told first.
    let mut runs = Vec::new();
    let mut said = Vec::new();
    each_run(&found, &selection, |held| {
        let plan = desk.plan(&held, &selection)?;
        if !plan.is_empty() {
            said.push(Said::of(&held, None, &plan));
            runs.push(held.run().clone());
        }
        Ok(())
    })?;
    if runs.is_empty() {
        return nothing_selected(&found, &selection);
    }
    if let Some(spool) = spool {
        said = publish_all(request, &spool, &selection, &mut desk, &runs)?;
    }
    tell(request, &said)?;
    Ok(0)
}

/// The spool, which must be there, and of which what a crash left is removed.
fn open_to_decide(found: &Place) -> Result<Spool, Failure> {
    Spool::is_at(&found.path).map_err(Failure::Spool)?;
    let spool = open_spool(Some(&found.path), &found.config)?.expect("its path is given");
    spool.recover().map_err(Failure::Spool)?;
    Ok(spool)
}

/// Longest reason and name of a person, in characters.
const WORD_CHARS_MAX: usize = 1_000;

fn check_words(request: &DecisionRequest) -> Result<(), Failure> {
    if request.selection.is_empty() {
        return Err(Failure::Usage(
            "nothing is selected: name alerts or runs, or give --run, --feed, --reason, --owner, --alert, --older-than, \
             or --all"
                .to_owned(),
        ));
    }
    read_word(&request.because, Some(&request.by)).map(|_| ())
}

/// A person's reason and name: neither may be empty.
pub(super) fn read_word(because: &str, by: Option<&str>) -> Result<Word, Failure> {
    for (option, text) in [("--because", Some(because)), ("--by", by)] {
        let Some(text) = text else { continue };
        if text.trim().is_empty() || text.chars().count() > WORD_CHARS_MAX {
            let problem = format!("{option} says who decides, or why: 1 to {WORD_CHARS_MAX} characters");
            return Err(Failure::Usage(problem));
        }
    }
    Ok(Word { because: because.trim().to_owned(), by: by.map(|by| by.trim().to_owned()) })
}

/// Nothing of what is selected waits. That it was decided before is no failure: whoever was interrupted asks again.
fn nothing_selected(found: &Place, selection: &Selection) -> Result<u8, Failure> {
    let held = Held::open(&found.path).map_err(Failure::Spool)?;
    let mut decided = 0_u64;
    for run in held.all().map_err(Failure::Spool)?.into_iter().filter(|run| selection.has_run(run)) {
        if let Some(run) = held.read(&run).map_err(Failure::Spool)? {
            decided += run.lines.iter().filter(|line| selection.has(&run, line)).count() as u64;
        }
    }
    match decided {
        0 => note(format_args!("nothing that is held is selected")),
        decided => note(format_args!("nothing to do: all {decided} selected alerts were decided before")),
    }
    Ok(u8::from(decided == 0))
}

fn publish_all(
    request: &DecisionRequest,
    spool: &Spool,
    selection: &Selection,
    desk: &mut Desk<'_>,
    runs: &[RunName],
) -> Result<Vec<Said>, Failure> {
    let mut said = Vec::new();
    for run in runs {
        // Another person may have decided meanwhile.
        let Some(deciding) = spool.decide_on(run).map_err(Failure::Spool)? else { continue };
        let plan = desk.plan(&deciding.held, selection)?;
        if plan.is_empty() {
            continue;
        }
        said.push(Said::of(&deciding.held, Some(deciding.run()), &plan));
        publish(request, spool, desk, deciding, plan)?;
    }
    Ok(said)
}

fn publish(
    request: &DecisionRequest,
    spool: &Spool,
    desk: &Desk<'_>,
    deciding: Deciding<'_>,
    mut plan: Plan,
) -> Result<(), Failure> {
    let held = &deciding.held;
    let run = deciding.run();
    let stage = spool.stage().map_err(Failure::Spool)?;
    let order = |released: &Released| {
        let Recipient { sender, owner_id, .. } = &released.target.recipient;
        (sender.clone(), owner_id.clone(), held.lines[released.line].file, released.line)
    };
    plan.released.sort_by_cached_key(order);
    let mut content = Content::default();
    let mut account = Account::default();
    for notice in plan.released.chunk_by(|one, next| Rc::ptr_eq(&one.target, &next.target)) {
        let mut writer = stage.notice(notice[0].target.recipient.clone()).map_err(Failure::Spool)?;
        for released in notice {
            let line = content.line(held, &held.lines[released.line])?;
            let line = desk.write(released, &line, run.as_str())?;
            desk.count(&mut account, released, &line);
            writer.append(&line).map_err(Failure::Spool)?;
        }
        writer.finish().map_err(Failure::Spool)?;
    }
    let ids = |lines: &mut dyn Iterator<Item = usize>| lines.map(|at| held.lines[at].alert_id).collect();
    let facts = DecisionFacts {
        word: read_word(&request.because, Some(&request.by))?,
        run_time: desk.at.id_text(),
        index: desk.index.map(id_text),
        released: ids(&mut plan.released.iter().map(|released| released.line)),
        discarded: ids(&mut plan.discarded.iter().copied()),
    };
    let staged = stage.read_back().map_err(Failure::Spool)?.accounted(account);
    deciding.publish(staged, facts).map_err(Failure::Spool)?;
    Ok(())
}

impl Plan {
    fn is_empty(&self) -> bool {
        self.released.is_empty() && self.discarded.is_empty()
    }
}

impl Desk<'_> {
    fn plan(&mut self, held: &HeldRun, selection: &Selection) -> Result<Plan, Failure> {
        self.content = Content::default();
        let rivals = Rivals::of(held);
        let mut is_planned = vec![false; held.lines.len()];
        let mut plan = Plan::default();
        for (at, line) in held.lines.iter().enumerate() {
            if is_planned[at] || !line.waits() || !selection.has(held, line) {
                continue;
            }
            if *self.goal == Goal::Discard {
                plan.discarded.push(at);
                continue;
            }
            let decides_for_all = line.has_rivals() || *self.goal != Goal::Release;
            let alone = [at];
            let group = if decides_for_all { rivals.group(held, at) } else { &alone };
            let released = self.release(held, group, at, selection)?;
            for &other in group.iter().filter(|&&other| held.lines[other].waits()) {
                // What a fuse holds for others is theirs whoever this one goes to.
                if other != at && other != released.line && held.lines[other].reason == Some(Hold::Fuse) {
                    continue;
                }
                is_planned[other] = true;
                if other != released.line {
                    plan.discarded.push(other);
                }
            }
            plan.released.push(released);
        }
        plan.discarded.sort_unstable();
        Ok(plan)
    }

    /// The one alert that a finding comes to, of all its lines `group`; `at` is the first that is selected.
    fn release(
        &mut self,
        held: &HeldRun,
        group: &[usize],
        at: usize,
        selection: &Selection,
    ) -> Result<Released, Failure> {
        let line_of = |owner_id: &str| {
            let is_of =
                |&&line: &&usize| held.facts(&held.lines[line]).owner_id.eq_ignore_ascii_case(owner_id);
            group.iter().find(is_of).copied()
        };
        let (line, target, matched) = match self.goal {
            Goal::Release | Goal::Discard => {
                let selected =
                    |&&line: &&usize| held.lines[line].waits() && selection.has(held, &held.lines[line]);
                if group.iter().filter(selected).count() > 1 {
                    return Err(Failure::Usage(several(held, group)));
                }
                (at, self.target_of(held, at)?, Why::AsHeld)
            }
            Goal::ReleaseTo(owner_id) => match line_of(owner_id) {
                Some(line) => (line, self.target_of(held, line)?, Why::AsHeld),
                None => {
                    let (target, matched) = self.target_by_id(held, at, owner_id)?;
                    (at, target, matched)
                }
            },
            Goal::ReleaseToNext => {
                let (target, line) = self.next(held, group, at)?;
                (at, target, Why::By(line))
            }
        };
        if let LineFate::Released(number) = held.lines[line].fate {
            let owner_id = &target.recipient.owner_id;
            return Err(Failure::Usage(format!(
                "{owner_id} was told of {} before, by decision {number}",
                held.lines[line].alert_id
            )));
        }
        self.look_at_label(held, line, &target, &matched)?;
        let alert_id = match matched {
            Why::AsHeld => held.lines[line].alert_id,
            Why::By(_) | Why::ByPerson => self.id_for(held, line, &target.recipient.owner_id)?,
        };
        Ok(Released { line, target, alert_id, matched })
    }

    /// Whether the label lets the recipient be told; an error if not, unless the person says that it may be. Whoever releases what
    /// is held for its label to whom it is held for, has decided about just that.
    fn look_at_label(
        &mut self,
        held: &HeldRun,
        at: usize,
        target: &Target,
        matched: &Why,
    ) -> Result<(), Failure> {
        let line = &held.lines[at];
        // In the order of reasons, the label was asked before those that come after it.
        let was_asked = line.reason.is_some_and(|reason| reason >= Hold::TlpUnknown);
        if self.despite_tlp || was_asked && matches!(matched, Why::AsHeld) {
            return Ok(());
        }
        let text = self.content.line(held, line)?;
        let told = Told::read(&text);
        let word = |key: &str| told.as_ref().and_then(|told| told.text(key));
        let label = word("extra.tlp").and_then(|label| Tlp::read(&label)).unwrap_or(Tlp::Red);
        let (role, is_located) = match matched {
            Why::By(line) => (Some(line.rule.role()), line.claim.scope == Scope::Located),
            Why::ByPerson => (None, false),
            Why::AsHeld => {
                let rule = told.as_ref().and_then(Told::rule);
                (rule.map(Rule::role), word("extra.scope").as_deref() == Some(Scope::Located.as_str()))
            }
        };
        // Who has no registration there is no user of it.
        let asked_as = role.unwrap_or(Role::Link);
        if label.lets(asked_as, !is_located, held.manifest.permission()) {
            return Ok(());
        }
        let owner_id = &target.recipient.owner_id;
        let role = role.map_or("without a registration there", Role::as_str);
        Err(Failure::Usage(format!(
            "{}: its label, {label}, does not let {owner_id} ({role}) be told (ask the source; if it agrees, add --despite-tlp, and say in --because who agreed)",
            line.alert_id
        )))
    }

    /// The owner that a line is held under, as the register knows it now, else as it was known then.
    fn target_of(&mut self, held: &HeldRun, at: usize) -> Result<Rc<Target>, Failure> {
        let facts = held.facts(&held.lines[at]);
        if let Some(owner) = self.index.and_then(|index| owner_by_id(index, &facts.owner_id)) {
            return self.target(owner);
        }
        let key = (None, facts.owner_id.clone());
        if let Some(known) = self.targets.get(&key) {
            return Ok(Rc::clone(known));
        }
        let line = self.content.line(held, &held.lines[at])?;
        let constituency = Told::read(&line).and_then(|told| told.text("constituency"));
        let constituency = constituency.and_then(|word| Constituency::read(&word));
        let NoticeFacts { owner_id, name, contacts, .. } = facts;
        let target = self.make_target(owner_id, name.as_deref(), contacts, constituency)?;
        self.targets.insert(key, Rc::clone(&target));
        Ok(target)
    }

    fn target(&mut self, owner: OwnerIx) -> Result<Rc<Target>, Failure> {
        let key = (Some(owner), String::new());
        if let Some(known) = self.targets.get(&key) {
            return Ok(Rc::clone(known));
        }
        let view = self.index.expect("an owner of it is asked for").owner(owner);
        let contacts: Vec<String> = view.contacts().map(str::to_owned).collect();
        let target = self.make_target(view.id, view.name, &contacts, view.constituency)?;
        self.targets.insert(key, Rc::clone(&target));
        Ok(target)
    }

    fn make_target(
        &self,
        id: &str,
        name: Option<&str>,
        contacts: &[String],
        constituency: Option<Constituency>,
    ) -> Result<Rc<Target>, Failure> {
        if contacts.is_empty() {
            return Err(Failure::Data(format!(
                "{id} has no contact (register one and give the index, or release to another with --to or --next)"
            )));
        }
        let sender = self.senders.sender(constituency);
        let words: Vec<&str> = contacts.iter().map(String::as_str).collect();
        let rendered =
            alert::Recipient::new(&RecipientFacts { id, name, constituency, contacts: &words, sender });
        let recipient = Recipient {
            sender: Sender::read(sender.as_str()).map_err(|error| Failure::Usage(error.to_string()))?,
            owner_id: id.to_owned(),
            name: name.map(str::to_owned),
            contacts: contacts.to_vec(),
        };
        Ok(Rc::new(Target { recipient, rendered }))
    }

    /// An owner that a person names: any of the register, or of a united one's registrations if it has any there.
    fn target_by_id(
        &mut self,
        held: &HeldRun,
        at: usize,
        owner_id: &str,
    ) -> Result<(Rc<Target>, Why), Failure> {
        let shown = show(owner_id.as_bytes(), 64);
        let Some(index) = self.index else {
            return Err(Failure::Usage(format!(
                "--to {shown}: it is no claimant, and no register is named to know it by (give --index FILE)"
            )));
        };
        let Some(owner) = owner_by_id(index, owner_id) else {
            return Err(Failure::Usage(format!("--to {shown}: neither a claimant nor in the register")));
        };
        let mut own = self.claims(index, held, at)?;
        own.retain(|claim| claim.owner == owner);
        let matched = match choose(own.evidence(), self.at.day(), index) {
            Outcome::Winner(line) => Why::By(line),
            _ => Why::ByPerson,
        };
        Ok((self.target(owner)?, matched))
    }

    /// Whom the register names when those under whom the finding is held are left out.
    fn next(&mut self, held: &HeldRun, group: &[usize], at: usize) -> Result<(Rc<Target>, Line), Failure> {
        let Some(index) = self.index else {
            return Err(Failure::Usage("--next needs a register (give --index FILE)".to_owned()));
        };
        let organisations: Vec<OwnerIx> = group
            .iter()
            .filter_map(|&line| owner_by_id(index, &held.facts(&held.lines[line]).owner_id))
            .map(|owner| index.organisation(owner))
            .collect();
        let mut claims = self.claims(index, held, at)?;
        claims.retain(|claim| !organisations.contains(&index.organisation(claim.owner)));
        match choose(claims.evidence(), self.at.day(), index) {
            Outcome::Winner(line) => Ok((self.target(line.owner)?, line)),
            outcome => {
                let problem = match outcome {
                    Outcome::Conflict(_) => "the next candidates are a conflict too (name one with --to)",
                    Outcome::NoContact(_) => "nobody of the next candidates has a contact",
                    _ => "nobody comes next",
                };
                Err(Failure::Usage(format!("{}: {problem}", held.lines[at].alert_id)))
            }
        }
    }

    /// The id of the alert of a held line's finding for another owner.
    fn id_for(&mut self, held: &HeldRun, at: usize, owner_id: &str) -> Result<Uuid, Failure> {
        let line = &held.lines[at];
        let text = self.content.line(held, line)?;
        let observed = held.manifest.dump.observed.as_deref();
        let id = Told::read(&text).and_then(|told| told.alert_id_for(held.run().feed(), observed, owner_id));
        id.ok_or_else(|| {
            let id = line.alert_id;
            Failure::Data(format!("{id} does not follow from its line, so that no id for {owner_id} does"))
        })
    }

    /// The registrations that speak about a line's finding.
    fn claims(&mut self, index: &Index, held: &HeldRun, at: usize) -> Result<Claims, Failure> {
        let text = self.content.line(held, &held.lines[at])?;
        Ok(Told::read(&text).map_or_else(Claims::default, |told| claims_of(index, &told)))
    }

    /// What reports are made from.
    fn count(&self, account: &mut Account, released: &Released, line: &[u8]) {
        let Some(told) = Told::read(line) else { return };
        let owner_id = &released.target.recipient.owner_id;
        let entry = account.recipients.entry(owner_id.clone()).or_insert_with(|| RecipientAccount {
            sector: self
                .index
                .and_then(|index| index.owner(owner_by_id(index, owner_id)?).sector)
                .map(str::to_owned),
            constituency: told.text("constituency").map(|word| word.into_owned()),
            ..RecipientAccount::default()
        });
        entry.alerts.add(&told.text("classification.identifier").unwrap_or_default(), 1);
    }

    fn write(&self, released: &Released, line: &[u8], run: &str) -> Result<Vec<u8>, Failure> {
        let told =
            Told::read(line).ok_or_else(|| Failure::Data(format!("{run}: a held line is no alert")))?;
        let matched = match &released.matched {
            Why::AsHeld => Matched::AsHeld,
            Why::By(line) => {
                let index = self.index.expect("it chose the line");
                let ground = index.standing(line).ground;
                Matched::By(line, index.registered(&line.claim), index.id(), ground)
            }
            Why::ByPerson => Matched::ByPerson,
        };
        let recipient = &released.target.rendered;
        let mut out = Vec::with_capacity(line.len() + 64);
        told.write_released(&mut out, &Release { run, recipient, alert_id: released.alert_id, matched });
        Ok(out)
    }
}

fn several(held: &HeldRun, group: &[usize]) -> String {
    let owners: Vec<&str> =
        group.iter().map(|&line| held.facts(&held.lines[line]).owner_id.as_str()).collect();
    format!(
        "{}: one finding is held for {}, and only one of them may be told (name one with --to or --owner, or give --next)",
        held.lines[group[0]].alert_id,
        owners.join(", ")
    )
}

/// The registrations that speak about the finding of a line. A line names one host: as the one that the finding is about
/// only where that is how its recipient was found.
pub(super) fn claims_of(index: &Index, told: &Told<'_>) -> Claims {
    let host = told.text("source.fqdn");
    let (stated, shown) = match told.text("extra.match.key").as_deref() {
        Some("name") => (host.as_deref(), None),
        _ => (None, host.as_deref().map(Cow::Borrowed)),
    };
    let asn = told.number("source.asn").and_then(|number| u32::try_from(number).ok()).map(Asn);
    Claims::of(index, told.subject(), stated, shown.as_slice(), asn)
}

/// The owner of that id, whatever its case.
pub(super) fn owner_by_id(index: &Index, id: &str) -> Option<OwnerIx> {
    let wanted = id.to_ascii_lowercase();
    let (mut low, mut high) = (0, index.counts().owners as u32);
    while low < high {
        let middle = low + (high - low) / 2;
        match index.owner(OwnerIx(middle)).id.to_ascii_lowercase().cmp(&wanted) {
            std::cmp::Ordering::Less => low = middle + 1,
            std::cmp::Ordering::Equal => return Some(OwnerIx(middle)),
            std::cmp::Ordering::Greater => high = middle,
        }
    }
    None
}

/// What was decided about one run, for the operator.
#[derive(Serialize)]
struct Said {
    /// The run that the decision is; absent in a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<RunName>,
    /// The run that held.
    of: RunName,
    released: u64,
    discarded: u64,
    /// Who is told of how many.
    owners: BTreeMap<String, u64>,
    /// What still waits of it.
    waiting: u64,
}

impl Said {
    fn of(held: &HeldRun, run: Option<RunName>, plan: &Plan) -> Self {
        let mut owners = BTreeMap::new();
        for released in &plan.released {
            *owners.entry(released.target.recipient.owner_id.clone()).or_default() += 1;
        }
        let (released, discarded) = (plan.released.len() as u64, plan.discarded.len() as u64);
        let waiting = held.waiting().count() as u64 - released - discarded;
        Self { run, of: held.run().clone(), released, discarded, owners, waiting }
    }
}

fn tell(request: &DecisionRequest, said: &[Said]) -> Result<(), Failure> {
    if request.json {
        let sum = |count: fn(&Said) -> u64| said.iter().map(count).sum::<u64>();
        return print_json(&serde_json::json!({
            "dry_run": request.dry_run,
            "released": sum(|said| said.released),
            "discarded": sum(|said| said.discarded),
            "runs": said,
        }));
    }
    let mut lines = Vec::new();
    for said in said {
        let Said { of, released, discarded, waiting, .. } = said;
        let run = said.run.as_ref().map_or_else(|| format!("{of} (dry run)"), RunName::to_string);
        lines.push(format!("{run}: {released} released, {discarded} discarded, {waiting} still wait"));
        lines.extend(said.owners.iter().map(|(owner, count)| format!("  {owner}: {count}")));
    }
    print_lines(&lines)
}
