//! `index diff`: what a new register changes, before it is used: space, owners, and, given dumps, who would be told.

use super::failure::{Failure, run_code};
use super::output::{note, print_lines};
use super::setup::{ReadingWords, Setup, facts_of, observed_of, report_on, run_time};
use crate::config::{Config, DumpReport, Feed};
use crate::index::{ChangeKind, Coverage, Difference, Index, OwnerIx};
use crate::moment::Moment;
use crate::pipeline::{
    Against, Correcting, Destination, FeedFacts, Job, Reading, RunReport, State, refuse, run_correction,
};
use crate::policy::{Fuse, Impact, Space};
use crate::scan::Input;
use crate::spool::{RecipientChange, Word};
use crate::text::show;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What `index diff` is asked.
pub struct DiffRequest {
    /// The configuration, which says how dumps of a feed are read.
    pub config: Option<PathBuf>,
    /// The index before.
    pub old: PathBuf,
    /// The index after.
    pub new: PathBuf,
    /// Dumps that would be matched.
    pub dumps: Vec<PathBuf>,
    /// What is said about them.
    pub reading: ReadingWords,
    /// `--run-time`.
    pub run_time: Option<String>,
    /// `--json`.
    pub json: bool,
}

/// Which space changes owner, and which alerts would: 1 if the indexes differ at all.
pub fn index_diff(request: &DiffRequest) -> Result<u8, Failure> {
    let setup =
        Setup { config: request.config.clone(), index: None, registers: Vec::new(), keep_going: false };
    let config = setup.read_config()?;
    let run_time = run_time(request.run_time.as_deref())?;
    request.reading.feed()?;
    request.reading.over(&Feed::default(), &config)?;
    if request.dumps.iter().any(|dump| dump.as_os_str() == "-") {
        return Err(Failure::Usage("--dump is read twice: name a file, not -".to_owned()));
    }
    let old = Index::open(&request.old).map_err(Failure::Open)?;
    let new = Index::open(&request.new).map_err(Failure::Open)?;
    let difference = Difference::between(&old, &new);
    let differs = !difference.is_none();
    let mut comparison = Comparison { old: &old, new: &new, difference, impact: None, dumps: Vec::new() };
    if differs {
        comparison.impact = Some(Impact::between(&old, &new, run_time.day()));
        let desk = Desk { request, config: &config, run_time, old: &old, new: &new };
        comparison.dumps = request.dumps.iter().map(|dump| desk.compare(dump)).collect();
    }
    match request.json {
        true => print_lines(&comparison.json())?,
        false => print_lines(&comparison.text())?,
    }
    match comparison.dumps.iter().find_map(|report| report.failure.as_ref()) {
        Some(error) => Err(Failure::Told(run_code(error))),
        None => Ok(u8::from(differs)),
    }
}

/// What dumps are matched with.
struct Desk<'a> {
    request: &'a DiffRequest,
    config: &'a Config,
    run_time: Moment,
    old: &'a Index,
    new: &'a Index,
}

impl Desk<'_> {
    /// Matches a dump with the new index, as a correction of what the old one gave; nothing is published.
    fn compare(&self, dump: &Path) -> RunReport {
        let name = dump.to_string_lossy();
        let report = match report_on(dump, None, self.config) {
            Ok(report) => report,
            Err(error) => {
                note(format_args!("error: {}: {error}", show(name.as_bytes(), 256)));
                return refuse(&name, self.request.reading.feed.as_deref(), error);
            }
        };
        let senders = self.config.senders.in_office(self.run_time.day());
        let input = Input::of_argument(dump.as_os_str());
        let (scratch_directory, cancelled) = (std::env::temp_dir(), Arc::default());
        let facts = |name: &str| self.facts(name, report.as_ref());
        let against = Against {
            run_time: self.run_time,
            senders: &senders,
            rulebook: &self.config.rulebook,
            index: self.new,
        };
        let job = Job {
            feed: self.request.reading.feed.as_deref(),
            observed: observed_of(None, report.as_ref()),
            reading: Reading::of_at_most(self.config.limits.decompressed_bytes_max),
            ..Job::new(&input, &name, &facts, against, &scratch_directory, &cancelled)
        };
        let word = Word { because: "index diff".to_owned(), by: None };
        let correcting = Correcting { word, owners: BTreeSet::new(), before: Some(self.old) };
        let report = run_correction(job, &correcting, Destination::DryRun);
        if let Some(error) = &report.failure {
            note(format_args!("error: {}: {error}", show(name.as_bytes(), 256)));
        }
        report
    }

    /// Where nobody says what is wrong, something is: whom it is told does not depend on it, and held it would tell nothing. Nor
    /// does it depend on the fuse.
    fn facts(&self, feed: &str, report: Option<&DumpReport>) -> FeedFacts {
        let mut facts = facts_of(feed, &self.request.reading, self.config, report);
        facts.options.identifier.get_or_insert_with(|| "index-diff".to_owned());
        facts.fuse = Fuse::default();
        facts
    }
}

/// All that is told.
struct Comparison<'i> {
    old: &'i Index,
    new: &'i Index,
    difference: Difference,
    /// `None`: there is no difference.
    impact: Option<Impact<'i>>,
    dumps: Vec<RunReport>,
}

fn kind_word(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Gained => "gained",
        ChangeKind::Lost => "lost",
        ChangeKind::Changed => "changed",
    }
}

/// What becomes of the alerts of a change.
fn fate(change: &RecipientChange) -> &'static str {
    match (&change.before[..], &change.now[..]) {
        ([], []) => "held",
        ([], _) => "appear",
        (_, []) => "vanish",
        _ => "move",
    }
}

fn ids(index: &Index, owners: &[OwnerIx]) -> Vec<String> {
    owners.iter().map(|owner| index.owner(*owner).id.to_owned()).collect()
}

fn listed(owners: &[String]) -> String {
    if owners.is_empty() { "nobody".to_owned() } else { owners.join(", ") }
}

impl Comparison<'_> {
    fn text(&self) -> Vec<String> {
        let Some(impact) = &self.impact else { return vec!["no differences".to_owned()] };
        let difference = &self.difference;
        let space = |name: &str, set: &Coverage| {
            let (ipv4, ipv6) = (set.ipv4_addresses(), set.ipv6_addresses() as f64);
            format!("{name:<9} {ipv4} IPv4 addresses, {ipv6:.3e} IPv6 addresses")
        };
        let mut lines = vec![
            space("gained", &difference.gained),
            space("lost", &difference.lost),
            space("changed", &difference.changed),
            format!(
                "registrations: {} added, {} removed",
                difference.registrations_added, difference.registrations_removed
            ),
        ];
        lines.extend(impact_text(impact));
        lines.extend(self.dumps.iter().flat_map(dump_text));
        for (what, owners) in self.owners() {
            lines.extend(owners.iter().map(|owner| format!("owner {what}: {owner}")));
        }
        for change in &difference.changes {
            let (before, after) = (ids(self.old, &change.old), ids(self.new, &change.new));
            let kind = kind_word(change.kind);
            lines.push(format!("{kind} {}: {} -> {}", change.range, listed(&before), listed(&after)));
        }
        lines
    }

    fn owners(&self) -> [(&'static str, &Vec<String>); 3] {
        let Difference { owners_added, owners_removed, owners_changed, .. } = &self.difference;
        [("added", owners_added), ("removed", owners_removed), ("changed", owners_changed)]
    }

    /// One object a line: ranges (`change`), then space by whom it goes from and to, owners, and alerts (`of`).
    fn json(&self) -> Vec<String> {
        let range = |change: &crate::index::Change| {
            json!({
                "change": kind_word(change.kind),
                "range": change.range.to_string(),
                "old": ids(self.old, &change.old),
                "new": ids(self.new, &change.new),
            })
        };
        let ranges = self.difference.changes.iter().map(range);
        let impact = self.impact.iter().flat_map(impact_json);
        let dumps = self.dumps.iter().flat_map(dump_json);
        ranges.chain(impact).chain(dumps).map(|line| line.to_string()).collect()
    }
}

fn impact_text(impact: &Impact<'_>) -> Vec<String> {
    let of_pair = |(&(before, now), space): (&_, &Space)| {
        format!("recipient {} -> {}: {space}", impact.name(before), impact.name(now))
    };
    let mut lines = vec![format!("recipients change of {} of {}", impact.moved, impact.covered)];
    lines.extend(impact.moves.iter().map(of_pair));
    for (owner, space) in impact.owners.iter().filter(|(_, space)| !space.moved().is_empty()) {
        let (id, after) = (impact.id(*owner), space.after());
        lines.push(format!(
            "owner {id}: {} gained, {} lost, {after} of {} before",
            space.gained, space.lost, space.before
        ));
    }
    lines
}

fn space_json(space: Space) -> Value {
    json!({"ipv4_addresses": space.ipv4, "ipv6_64s": space.ipv6_64s()})
}

fn impact_json(impact: &Impact<'_>) -> Vec<Value> {
    let of_pair = |(&(before, now), space): (&_, &Space)| {
        let (before, now) = (impact.name(before), impact.name(now));
        json!({"of": "space", "before": before, "now": now, "moved": space_json(*space)})
    };
    let mut lines: Vec<Value> = impact.moves.iter().map(of_pair).collect();
    for (owner, space) in impact.owners.iter().filter(|(_, space)| !space.moved().is_empty()) {
        let [before, gained, lost, after] =
            [space.before, space.gained, space.lost, space.after()].map(space_json);
        let id = impact.id(*owner);
        lines.push(
            json!({"of": "owner", "owner_id": id, "before": before, "gained": gained, "lost": lost, "after": after}),
        );
    }
    lines
}

fn dump_text(report: &RunReport) -> Vec<String> {
    let dump = show(report.dump.as_bytes(), 256);
    if report.state == State::Failed {
        return vec![format!("dump {dump}: failed")];
    }
    let books = &report.books;
    let mut lines = vec![format!("dump {dump}: {} records, {} matched", books.records, books.matched)];
    let of_pair = |change: &RecipientChange| {
        let (before, now) = (listed(&change.before), listed(&change.now));
        format!("alerts {}: {before} -> {now}: {}", fate(change), change.findings)
    };
    lines.extend(report.changes.iter().map(of_pair));
    lines
}

fn dump_json(report: &RunReport) -> Vec<Value> {
    let of_pair = |change: &RecipientChange| {
        json!({
            "of": "alerts",
            "dump": report.dump,
            "fate": fate(change),
            "before": change.before,
            "now": change.now,
            "findings": change.findings,
        })
    };
    report.changes.iter().map(of_pair).collect()
}
