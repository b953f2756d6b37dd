//! `report`: what was done since a day, from the manifests of the spool.
//!
//! Alerts are those that were published, released ones included; held are those that were held when their run was published. What was
//! forgotten since is counted and belongs to no group. An organisation is counted once, however often it was warned.

use super::failure::Failure;
use super::output::{print_json, print_lines};
use super::setup::{now, read_config, read_time};
use super::spool::SpoolPlace;
use crate::config::Config;
use crate::moment::Moment;
use crate::spool::{Held, Manifest, Manifests};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// By what a report counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReportBy {
    /// The recipient's sector.
    Sector,
    /// The recipient's constituency.
    Constituency,
    /// Who warns.
    Sender,
    /// What is wrong.
    Identifier,
    /// The feed.
    Feed,
}

/// How a report is printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReportForm {
    /// For people.
    Text,
    /// For a spreadsheet.
    Csv,
    /// One document.
    Json,
}

/// What `report` is asked.
pub struct ReportRequest {
    /// Where.
    pub place: SpoolPlace,
    /// `--since`.
    pub since: String,
    /// `--until`.
    pub until: Option<String>,
    /// `--by`.
    pub by: Option<ReportBy>,
    /// `--csv` or `--json`.
    pub form: ReportForm,
}

/// What one group, or all, come to.
#[derive(Default)]
struct Sums {
    organisations: BTreeSet<String>,
    alerts: u64,
    held: u64,
    runs: u64,
    /// Seconds from arrival to publication, of each run.
    seconds: Vec<i64>,
}

#[derive(Serialize)]
struct Row<'r> {
    group: &'r str,
    organisations: u64,
    alerts: u64,
    held: u64,
    runs: u64,
    /// From the arrival of a dump in the inbox to its publication, of dumps that are still in `done`; absent without any.
    median_seconds: Option<i64>,
}

#[derive(Serialize)]
struct Document<'r> {
    since: String,
    until: String,
    groups: Vec<Row<'r>>,
    total: Row<'r>,
    /// What became of what was held, and what still waits.
    released: u64,
    discarded: u64,
    waiting: u64,
    /// What was forgotten since, alerts and held ones.
    forgotten: u64,
}

#[derive(Default)]
struct Report {
    groups: BTreeMap<String, Sums>,
    total: Sums,
    released: u64,
    discarded: u64,
    forgotten_alerts: u64,
    forgotten_held: u64,
    waiting: u64,
}

/// Reports what was published since a day.
pub fn report(request: &ReportRequest) -> Result<u8, Failure> {
    let since = read_time("--since", &request.since)?;
    let until = request.until.as_deref().map(|text| read_time("--until", text)).transpose()?;
    let until = until.unwrap_or_else(now);
    let mut report = Report::default();
    let config = read_config(request.place.config.as_deref())?;
    Manifests::open(&request.place.path()?)
        .and_then(|manifests| {
            manifests.each(|manifest, published| {
                if (since..=until).contains(&published.whole_seconds()) {
                    let arrived = arrival(&config, &manifest);
                    let seconds = arrived.map(|arrived| (published.unix_seconds() - arrived).max(0));
                    report.add(&manifest, seconds, request.by);
                }
            })
        })
        .map_err(Failure::Spool)?;
    report.waiting = waiting(&request.place.path()?, since, until)?;
    report.print(request.form, since, until)?;
    Ok(0)
}

/// When a run's dump was last written, in Unix seconds, as long as it is in the inbox's `done`.
///
/// No manifest says it: the same dump gives the same manifest, whenever and by whatever way it came.
fn arrival(config: &Config, manifest: &Manifest) -> Option<i64> {
    if manifest.decision.is_some() {
        return None;
    }
    let beside = config.inbox.as_deref()?.parent()?;
    let file = beside.join("done").join(manifest.feed.as_str()).join(&manifest.dump.name);
    let found = file.metadata().ok().filter(|found| found.len() == manifest.dump.bytes_stored)?;
    Some(found.mtime())
}

/// Held lines that nobody decided about yet, of runs of that time.
fn waiting(spool: &Path, since: Moment, until: Moment) -> Result<u64, Failure> {
    let held = Held::open(spool).map_err(Failure::Spool)?;
    let mut waiting = 0;
    for run in held.waiting().map_err(Failure::Spool)? {
        if let Some(run) = held.read(&run).map_err(Failure::Spool)?
            && (since..=until).contains(&run.published.whole_seconds())
        {
            waiting += run.waiting().count() as u64;
        }
    }
    Ok(waiting)
}

/// What nobody has said.
const UNKNOWN: &str = "(unknown)";

impl Report {
    fn add(&mut self, manifest: &Manifest, seconds: Option<i64>, by: Option<ReportBy>) {
        let count = |key: &str| manifest.counts.get(key).and_then(serde_json::Value::as_u64);
        self.released += count("released").unwrap_or_default();
        self.discarded += count("discarded").unwrap_or_default();
        for tombstone in &manifest.forgotten {
            self.forgotten_alerts += tombstone.alerts;
            self.forgotten_held += tombstone.held;
        }
        let lines = |facts: &[crate::spool::NoticeFacts]| facts.iter().map(|facts| facts.lines).sum::<u64>();
        self.total.alerts += count("alerts").unwrap_or_else(|| lines(&manifest.notices));
        self.total.held += count("held").unwrap_or_else(|| lines(&manifest.held));
        self.total.runs += 1;
        self.total.seconds.extend(seconds);
        self.total.organisations.extend(manifest.notices.iter().map(|facts| facts.owner_id.to_lowercase()));
        let Some(by) = by else { return };
        let mut of_run = BTreeMap::<String, Sums>::new();
        for (group, owner_id, alerts, held) in parts(manifest, by) {
            let sums = of_run.entry(group).or_default();
            sums.alerts += alerts;
            sums.held += held;
            if alerts > 0 {
                sums.organisations.insert(owner_id.to_lowercase());
            }
        }
        for (group, sums) in of_run {
            let into = self.groups.entry(group).or_default();
            into.alerts += sums.alerts;
            into.held += sums.held;
            into.organisations.extend(sums.organisations);
            into.runs += 1;
            into.seconds.extend(seconds);
        }
    }

    fn print(self, form: ReportForm, since: Moment, until: Moment) -> Result<(), Failure> {
        let groups: Vec<Row<'_>> = self.groups.iter().map(|(group, sums)| sums.row(group)).collect();
        let total = self.total.row("total");
        let document = Document {
            since: since.to_string(),
            until: until.to_string(),
            groups,
            total,
            released: self.released,
            discarded: self.discarded,
            waiting: self.waiting,
            forgotten: self.forgotten_alerts + self.forgotten_held,
        };
        match form {
            ReportForm::Json => print_json(&document),
            ReportForm::Csv => print_lines(&document.csv()),
            ReportForm::Text => print_lines(&document.text()),
        }
    }
}

/// The parts of a run by group and owner: alerts and held lines.
fn parts(manifest: &Manifest, by: ReportBy) -> Vec<(String, &str, u64, u64)> {
    let account = |owner_id: &str| manifest.recipients.get(owner_id);
    let mut parts = Vec::new();
    if by == ReportBy::Identifier {
        for (owner_id, account) in &manifest.recipients {
            let name = |identifier: &str| if identifier.is_empty() { UNKNOWN } else { identifier }.to_owned();
            parts.extend(account.alerts.iter().map(|(one, lines)| (name(one), owner_id.as_str(), lines, 0)));
            parts.extend(account.held.iter().map(|(one, lines)| (name(one), owner_id.as_str(), 0, lines)));
        }
        let is_counted = |owner_id: &str| account(owner_id).is_some();
        for facts in manifest.notices.iter().filter(|facts| !is_counted(&facts.owner_id)) {
            parts.push((UNKNOWN.to_owned(), &facts.owner_id, facts.lines, 0));
        }
        for facts in manifest.held.iter().filter(|facts| !is_counted(&facts.owner_id)) {
            parts.push((UNKNOWN.to_owned(), &facts.owner_id, 0, facts.lines));
        }
        return parts;
    }
    let notices = manifest.notices.iter().map(|facts| (facts, true));
    for (facts, is_alert) in notices.chain(manifest.held.iter().map(|facts| (facts, false))) {
        let group = match by {
            ReportBy::Sector => account(&facts.owner_id).and_then(|account| account.sector.clone()),
            ReportBy::Constituency => {
                account(&facts.owner_id).and_then(|account| account.constituency.clone())
            }
            ReportBy::Sender => Some(facts.sender.to_string()),
            ReportBy::Feed => Some(manifest.feed.to_string()),
            ReportBy::Identifier => None,
        };
        let (alerts, held) = if is_alert { (facts.lines, 0) } else { (0, facts.lines) };
        parts.push((group.unwrap_or_else(|| UNKNOWN.to_owned()), &facts.owner_id, alerts, held));
    }
    parts
}

impl Sums {
    fn row<'r>(&self, group: &'r str) -> Row<'r> {
        let mut seconds = self.seconds.clone();
        seconds.sort_unstable();
        Row {
            group,
            organisations: self.organisations.len() as u64,
            alerts: self.alerts,
            held: self.held,
            runs: self.runs,
            median_seconds: seconds.get(seconds.len() / 2).copied(),
        }
    }
}

impl Document<'_> {
    fn rows(&self) -> impl Iterator<Item = &Row<'_>> {
        self.groups.iter().chain([&self.total])
    }

    fn csv(&self) -> Vec<String> {
        let mut lines = vec!["group,organisations,alerts,held,runs,median_seconds".to_owned()];
        lines.extend(self.rows().map(|row| {
            let median = row.median_seconds.map(|seconds| seconds.to_string()).unwrap_or_default();
            let Row { group, organisations, alerts, held, runs, .. } = row;
            format!("{},{organisations},{alerts},{held},{runs},{median}", cell(group))
        }));
        lines
    }

    fn text(&self) -> Vec<String> {
        let width = self.rows().map(|row| row.group.chars().count()).max().unwrap_or_default().min(48);
        let title = ["organisations", "alerts", "held", "runs", "median s"];
        let [organisations, alerts, held, runs, median] = title;
        let mut lines =
            vec![format!("{:width$}  {organisations:>13} {alerts:>10} {held:>10} {runs:>7} {median:>9}", "")];
        lines.extend(self.rows().map(|row| {
            let Row { group, organisations, alerts, held, runs, median_seconds } = row;
            let median = median_seconds.map_or("-".to_owned(), |seconds| seconds.to_string());
            format!("{group:width$}  {organisations:>13} {alerts:>10} {held:>10} {runs:>7} {median:>9}")
        }));
        let Self { released, discarded, waiting, forgotten, .. } = self;
        lines.push(format!(
            "of what was held: {released} released, {discarded} discarded, {waiting} wait; forgotten since: {forgotten}"
        ));
        lines
    }
}

/// A cell that no spreadsheet takes for a formula: a name may come from a dump.
fn cell(text: &str) -> String {
    let guarded = if text.starts_with(['=', '+', '-', '@']) { format!("'{text}") } else { text.to_owned() };
    match guarded.contains([',', '"']) {
        true => format!("\"{}\"", guarded.replace('"', "\"\"")),
        false => guarded,
    }
}
