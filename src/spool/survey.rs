//! How much waits in a spool, and since when: for an operator's dashboard, looked at every few seconds.

use super::claim::{open_root, runs_in, senders_in};
use super::directory::Directory;
use super::error::SpoolError;
use super::layout::{CUR, DONE, FAILED, HELD, NEW};
use super::manifest::MANIFEST_FILE;
use super::names::{ClaimName, RunName, Sender};
use super::status::{Status, claims_in, count_stages};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Waiting {
    /// How many claims or runs.
    pub count: u64,
    /// Bytes of their notices.
    pub bytes: u64,
    /// Since when the oldest does, in Unix seconds.
    pub oldest: Option<i64>,
}

/// How much is where.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Depths {
    /// As [`status`](super::status) counts.
    pub status: Status,
    /// Senders' parts of runs that nobody has taken.
    pub unclaimed: Waiting,
    /// Runs of which something waits for a person.
    pub held: Waiting,
    /// Size of the spool's file system.
    pub disk_bytes: u64,
    /// What is left of it for us.
    pub disk_available_bytes: u64,
}

/// Looks again and again at one spool. What is published does not change, so that each file is looked at once.
#[derive(Debug)]
pub struct Survey {
    path: PathBuf,
    notices: BTreeMap<ClaimName, Part>,
    held: BTreeMap<RunName, Part>,
}

/// What is remembered of a part of a run.
#[derive(Clone, Copy, Debug)]
struct Part {
    bytes: u64,
    since: i64,
}

impl Survey {
    /// Of the spool at `path`; nothing is looked at yet.
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), notices: BTreeMap::new(), held: BTreeMap::new() }
    }

    /// Which spool.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Looks; makes and changes nothing. Costs a listing of each directory and a look at each new file.
    pub fn look(&mut self) -> Result<Depths, SpoolError> {
        let root = open_root(&self.path)?;
        let new = root.find(NEW)?.ok_or_else(|| SpoolError::NoSpool { path: self.path.join(NEW) })?;
        let runs = runs_in(&new)?;
        let [cur, done, failed] =
            [claims_in(&root, CUR)?, claims_in(&root, DONE)?, claims_in(&root, FAILED)?];
        let is_taken = |name: &ClaimName| [&cur, &done, &failed].iter().any(|claims| claims.contains(name));
        let mut notices = BTreeMap::new();
        for run in &runs {
            let Some(directory) = new.find(run.as_str())? else { continue };
            for sender in senders_in(&directory)? {
                let name = ClaimName::new(run, &sender);
                if is_taken(&name) {
                    continue;
                }
                let part = match self.notices.get(&name) {
                    Some(part) => *part,
                    None => look_at_notices(&directory, &sender)?,
                };
                notices.insert(name, part);
            }
        }
        let mut held = BTreeMap::new();
        if let Some(directory) = root.find(HELD)? {
            // Without a commit, what is held counts for nothing.
            let committed: BTreeSet<_> = runs.iter().collect();
            for run in runs_in(&directory)?.into_iter().filter(|run| committed.contains(run)) {
                let part = match self.held.get(&run) {
                    Some(part) => *part,
                    None => look_at_held(&directory, &run)?,
                };
                held.insert(run, part);
            }
        }
        let (disk_bytes, disk_available_bytes) = root.disk()?;
        let (unclaimed, waiting) = (sum(notices.values()), sum(held.values()));
        let status = Status {
            new: runs.len() as u64,
            cur: cur.len() as u64,
            done: done.len() as u64,
            failed: failed.len() as u64,
            held: waiting.count,
            tmp: count_stages(&root)?,
            unclaimed: unclaimed.count,
        };
        let depths = Depths { status, unclaimed, held: waiting, disk_bytes, disk_available_bytes };
        (self.notices, self.held) = (notices, held);
        Ok(depths)
    }
}

fn sum<'p>(parts: impl Iterator<Item = &'p Part>) -> Waiting {
    let mut waiting = Waiting::default();
    for part in parts {
        waiting.count += 1;
        waiting.bytes += part.bytes;
        waiting.oldest = Some(waiting.oldest.map_or(part.since, |oldest| oldest.min(part.since)));
    }
    waiting
}

fn look_at_notices(run: &Directory, sender: &Sender) -> Result<Part, SpoolError> {
    let since = run.stat(MANIFEST_FILE)?.map_or(0, |stat| stat.st_mtime);
    let bytes = match run.find(sender.as_str())? {
        Some(directory) => bytes_in(&directory, |name| name != MANIFEST_FILE)?,
        None => 0,
    };
    Ok(Part { bytes, since })
}

/// A run's held lines change as a person decides about them, but seldom: its size is that of the first look.
fn look_at_held(held: &Directory, run: &RunName) -> Result<Part, SpoolError> {
    let Some(directory) = held.find(run.as_str())? else { return Ok(Part { bytes: 0, since: 0 }) };
    let since = directory.own_stat()?.st_mtime;
    let mut bytes = 0;
    for sender in senders_in(&directory)? {
        if let Some(directory) = directory.find(sender.as_str())? {
            bytes += bytes_in(&directory, |_| true)?;
        }
    }
    Ok(Part { bytes, since })
}

fn bytes_in(directory: &Directory, counts: impl Fn(&str) -> bool) -> Result<u64, SpoolError> {
    let mut bytes = 0;
    for entry in directory.entries()? {
        if !entry.is_directory && entry.name.to_str().is_some_and(&counts) {
            bytes += directory.stat(&entry.name)?.map_or(0, |stat| stat.st_size.max(0) as u64);
        }
    }
    Ok(bytes)
}
