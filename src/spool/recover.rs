//! Recovery: what a crash left is removed, what is whole stays.
//!
//! What is to be removed is a pure function of four listings, taken under the spool's lock. It changes nothing that is
//! published, needs no journal, may be interrupted anywhere, and may run beside publishers: their stages are locked.

use super::directory::Directory;
use super::error::SpoolError;
use super::layout::{RESIDUAL_SUFFIX, Spool, retired_file};
use super::names::RunName;
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};

/// What recovery removed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Recovered {
    /// Stages of processes that are gone.
    pub stages: u64,
    /// What was held for runs that were never committed.
    pub held: u64,
}

/// The spool as recovery sees it.
#[derive(Debug, Default)]
struct Listings {
    /// What stands in `tmp`, and whether a process holds its lock.
    stages: Vec<(OsString, bool)>,
    held: BTreeSet<OsString>,
    new: BTreeSet<OsString>,
    runs: BTreeSet<OsString>,
}

/// What is to be removed.
#[derive(PartialEq, Eq, Debug, Default)]
struct Plan<'l> {
    stages: Vec<&'l OsStr>,
    held: Vec<&'l OsStr>,
    /// Lists of what is nobody's, of runs that are not in `new`: never committed, or retired.
    residual: Vec<&'l OsStr>,
}

impl Spool {
    /// Removes what a crash left, and forgets what a person's word had begun to. Run it at each start, before anything is published.
    pub fn recover(&self) -> Result<Recovered, SpoolError> {
        let lock = self.lock()?;
        self.remove_making()?;
        let listings = self.listings()?;
        let plan = plan(&listings);
        for stage in &plan.stages {
            self.tmp.remove_tree(stage)?;
        }
        for run in &plan.held {
            self.held.remove_tree(run)?;
        }
        for file in &plan.residual {
            self.runs.remove_file(file)?;
        }
        drop(lock);
        self.resume_forgetting()?;
        Ok(Recovered { stages: plan.stages.len() as u64, held: plan.held.len() as u64 })
    }

    fn listings(&self) -> Result<Listings, SpoolError> {
        let mut stages = Vec::new();
        for entry in self.tmp.entries()? {
            let is_locked = if entry.is_directory { is_locked(&self.tmp, &entry.name)? } else { Some(false) };
            stages.extend(is_locked.map(|is_locked| (entry.name, is_locked)));
        }
        Ok(Listings {
            stages,
            held: names_in(&self.held)?,
            new: names_in(&self.new)?,
            runs: names_in(&self.runs)?,
        })
    }
}

fn names_in(directory: &Directory) -> Result<BTreeSet<OsString>, SpoolError> {
    Ok(directory.entries()?.into_iter().map(|entry| entry.name).collect())
}

/// A stage's lock is free when its process is gone; `None` if its publisher has just thrown it away. Nobody can take the
/// lock between our look and the removal: stages are made under the spool's lock, which we hold.
fn is_locked(tmp: &Directory, stage: &OsStr) -> Result<Option<bool>, SpoolError> {
    let Some(stage) = tmp.find(stage)? else { return Ok(None) };
    let is_locked = !stage.try_lock()?;
    let is_gone = stage.own_stat()?.st_nlink == 0;
    Ok((!is_gone).then_some(is_locked))
}

/// Names in `held` that are no runs are left alone: a person put them there.
fn plan(listings: &Listings) -> Plan<'_> {
    let free = listings.stages.iter().filter(|(_, is_locked)| !is_locked);
    let is_uncommitted = |run: &RunName| {
        !listings.new.contains(OsStr::new(run.as_str()))
            && !listings.runs.contains(OsStr::new(&retired_file(run.as_str())))
    };
    let is_stale = |name: &OsString| {
        name.to_str().and_then(|name| RunName::read(name).ok()).as_ref().is_some_and(is_uncommitted)
    };
    let is_left = |name: &&OsString| {
        let run = name.to_str().and_then(|name| name.strip_suffix(RESIDUAL_SUFFIX));
        run.and_then(|run| RunName::read(run).ok())
            .is_some_and(|run| !listings.new.contains(OsStr::new(run.as_str())))
    };
    Plan {
        residual: listings.runs.iter().filter(is_left).map(OsString::as_os_str).collect(),
        stages: free.map(|(name, _)| name.as_os_str()).collect(),
        held: listings.held.iter().filter(|name| is_stale(name)).map(OsString::as_os_str).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::layout::residual_file;
    use super::*;

    const RUN: &str = "feed-0123456789abcdef";

    /// Every combination of what may stand in the four directories.
    #[test]
    fn only_what_no_commit_stands_for_is_removed() {
        for bits in 0..64_u8 {
            let has = |bit: u8| bits & (1 << bit) != 0;
            let (stage, is_locked, held, new, retired) = (has(0), has(1), has(2), has(3), has(4));
            let some = |there: bool, name: &str| there.then(|| OsString::from(name)).into_iter();
            let listings = Listings {
                stages: some(stage, "1.0").map(|name| (name, is_locked)).collect(),
                held: some(held, RUN).collect(),
                new: some(new, RUN).collect(),
                runs: some(retired, &retired_file(RUN)).chain(some(has(5), &residual_file(RUN))).collect(),
            };
            let plan = plan(&listings);
            assert_eq!(!plan.stages.is_empty(), stage && !is_locked, "{listings:?}");
            assert_eq!(!plan.held.is_empty(), held && !new && !retired, "{listings:?}");
            assert_eq!(!plan.residual.is_empty(), has(5) && !new, "{listings:?}");
        }
    }

    #[test]
    fn what_a_person_put_into_held_stays() {
        let held = BTreeSet::from([OsString::from("notes.txt"), OsString::from(".keep")]);
        let listings = Listings { held, ..Listings::default() };
        assert_eq!(plan(&listings), Plan::default());
    }
}
