//! `held list`: what waits, counted.

use super::{DAY_SECONDS, HeldPlace, Place, SelectionWords, each_run, is_overdue, moment};
use crate::batch::failure::Failure;
use crate::batch::output::{print_json, print_lines};
use crate::moment::Moment;
use crate::policy::{Hold, Severity};
use crate::spool::{HeldLine, HeldRun, RunName};
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::BTreeMap;

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
