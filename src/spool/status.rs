//! What is in a spool, counted.

use super::claim::{directories_in, open_root, runs_in, senders_in};
use super::directory::Directory;
use super::error::SpoolError;
use super::layout::{CUR, DONE, FAILED, HELD, NEW, TMP};
use super::names::ClaimName;
use serde::Serialize;
use std::collections::BTreeSet;
use std::path::Path;

/// How much is in each directory. Nothing moves while it is counted but by others: the counts are of one moment each.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Status {
    /// Runs in `new`: published and not yet retired, whether claimed or not.
    pub new: u64,
    /// Claims that a mailer works on.
    pub cur: u64,
    /// Claims that were acknowledged as sent.
    pub done: u64,
    /// Claims that were acknowledged as failed.
    pub failed: u64,
    /// Committed runs of which something waits for a person.
    pub held: u64,
    /// Stages, of runs that are being written or that a crash left.
    pub tmp: u64,
    /// Senders' parts of runs in `new` that nobody has claimed yet: what mailers still have to take. Not in the JSON, whose
    /// keys are fixed.
    #[serde(skip)]
    pub unclaimed: u64,
}

/// Counts what is in the spool at `path`; makes and changes nothing.
pub fn status(path: &Path) -> Result<Status, SpoolError> {
    let root = open_root(path)?;
    let new = root.find(NEW)?.ok_or_else(|| SpoolError::NoSpool { path: path.join(NEW) })?;
    let runs = runs_in(&new)?;
    let [cur, done, failed] = [claims_in(&root, CUR)?, claims_in(&root, DONE)?, claims_in(&root, FAILED)?];
    let held = match root.find(HELD)? {
        Some(held) => runs_in(&held)?,
        None => Vec::new(),
    };
    let mut unclaimed = 0;
    for run in &runs {
        let Some(directory) = new.find(run.as_str())? else { continue };
        let names = senders_in(&directory)?.into_iter().map(|sender| ClaimName::new(run, &sender));
        let is_taken = |name: &ClaimName| [&cur, &done, &failed].iter().any(|claims| claims.contains(name));
        unclaimed += names.filter(|name| !is_taken(name)).count() as u64;
    }
    let committed: BTreeSet<_> = runs.iter().collect();
    Ok(Status {
        new: runs.len() as u64,
        cur: cur.len() as u64,
        done: done.len() as u64,
        failed: failed.len() as u64,
        held: held.iter().filter(|run| committed.contains(run)).count() as u64,
        tmp: count_stages(&root)?,
        unclaimed,
    })
}

/// Stages in `tmp`.
pub(super) fn count_stages(root: &Directory) -> Result<u64, SpoolError> {
    let Some(tmp) = root.find(TMP)? else { return Ok(0) };
    Ok(directories_in(&tmp, |name| (!name.starts_with('.')).then_some(()))?.len() as u64)
}

pub(super) fn claims_in(root: &Directory, name: &str) -> Result<BTreeSet<ClaimName>, SpoolError> {
    let Some(directory) = root.find(name)? else { return Ok(BTreeSet::new()) };
    Ok(directories_in(&directory, |name| ClaimName::read(name).ok())?.into_iter().collect())
}
