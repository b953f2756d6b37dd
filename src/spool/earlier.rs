//! How much a feed sent in its last runs: what its fuse judges growth by.

use super::claim::{open_root, runs_in};
use super::directory::Directory;
use super::error::SpoolError;
use super::held::retired_in;
use super::layout::{NEW, RUNS, retired_file};
use super::manifest::{self, EarlierRun, MANIFEST_FILE};
use super::names::{FeedName, RunName};
use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::path::Path;

/// The alerts of the last runs of a feed, at most `max`, the oldest first. None where there is no spool.
///
/// A run counts with what was sent of it at once. One whose fuse blew counts with what was released of it: a wrong list that
/// nobody released tells nothing about what is usual, and several of them must not become it. Corrections are parts of runs,
/// and do not count. Looks at the manifests of all runs of the feed, and reads the newest.
pub fn earlier_alerts(path: &Path, feed: &FeedName, max: usize) -> Result<Vec<u64>, SpoolError> {
    let root = match open_root(path) {
        Err(SpoolError::NoSpool { .. }) => return Ok(Vec::new()),
        root => root?,
    };
    let (Some(new), Some(runs)) = (root.find(NEW)?, root.find(RUNS)?) else { return Ok(Vec::new()) };
    let earlier = Earlier::of(new, runs, feed)?;
    let mut alerts = Vec::new();
    for run in earlier.newest_first()? {
        if alerts.len() == max {
            break;
        }
        alerts.extend(earlier.alerts_of(&run)?);
    }
    alerts.reverse();
    Ok(alerts)
}

/// The runs of one feed, decisions included.
struct Earlier {
    new: Directory,
    runs: Directory,
    names: BTreeSet<RunName>,
}

impl Earlier {
    fn of(new: Directory, runs: Directory, feed: &FeedName) -> Result<Self, SpoolError> {
        // In this order: a run that is retired meanwhile is found twice, not never.
        let names = runs_in(&new)?.into_iter().chain(retired_in(&runs)?);
        let names = names.filter(|run| run.feed() == feed.as_str()).collect();
        Ok(Self { new, runs, names })
    }

    /// Runs of dumps, by when they were published.
    fn newest_first(&self) -> Result<Vec<RunName>, SpoolError> {
        let mut runs = Vec::new();
        for run in self.names.iter().filter(|run| run.decision().is_none()) {
            let in_new = match self.new.find(run.as_str())? {
                Some(directory) => directory.stat(MANIFEST_FILE)?,
                None => None,
            };
            let stat = match in_new {
                Some(stat) => Some(stat),
                None => self.runs.stat(retired_file(run.as_str()))?,
            };
            // What is gone was pruned since it was listed.
            runs.extend(stat.map(|stat| (Reverse((stat.st_mtime, stat.st_mtime_nsec)), run.clone())));
        }
        runs.sort();
        Ok(runs.into_iter().map(|(_, run)| run).collect())
    }

    /// What was sent of a run; `None` if it tells nothing.
    fn alerts_of(&self, run: &RunName) -> Result<Option<u64>, SpoolError> {
        match self.read(run)? {
            None | Some(EarlierRun { correction: Some(_), .. }) => Ok(None),
            Some(EarlierRun { fuse: Some(_), .. }) => self.released_of(run),
            Some(run) => Ok(Some(run.counts.alerts)),
        }
    }

    /// What persons released of a run; `None` if nothing.
    fn released_of(&self, run: &RunName) -> Result<Option<u64>, SpoolError> {
        let mut released = 0;
        for decision in self.names.iter().filter(|name| name.decided_on().as_ref() == Some(run)) {
            released += self.read(decision)?.map_or(0, |decision| decision.counts.alerts);
        }
        Ok((released > 0).then_some(released))
    }

    fn read(&self, run: &RunName) -> Result<Option<EarlierRun>, SpoolError> {
        if let Some(directory) = self.new.find(run.as_str())?
            && let Some((found, _)) = manifest::find(&directory, MANIFEST_FILE)?
        {
            return Ok(Some(found));
        }
        Ok(manifest::find(&self.runs, &retired_file(run.as_str()))?.map(|(found, _)| found))
    }
}
