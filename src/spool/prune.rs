//! Retirement: a run that everybody was told of leaves `new`; that its dump was published is remembered.
//!
//! ```text
//!  under the spool's lock, for each run whose senders' claims are all in done/ and of which nothing is held:
//!  1  new/<run>/manifest.json is linked as runs/<run>.json, and runs/ durable   a crash here: in both, and the same
//!  2  new/<run> → tmp/retired.<run>                                             THE RETIREMENT
//!  3  new/ durable, runs/<run>.residual.jsonl is removed, unlock                                                      a crash here: recovery removes it from tmp/
//!  4  tmp/retired.<run> is removed
//!  then, where the retention says so:
//!  5  held/<run>.decided → tmp/pruned.<run>, held/ durable, removed             its decisions stay known, in runs/
//!  6  runs/<run>.json is removed, if nothing of the run is left elsewhere       from here on its dump is not known any more
//! ```
//!
//! What waits for a person is never pruned, however old. At each moment the dump is known to be published, by `new` or by `runs`. Claims of a retired run stay in `done` until the
//! next prune: a mailer that listed `new` before must find there that it has nothing to do.

use super::claim::{directories_in, open_root, runs_in};
use super::directory::Directory;
use super::error::SpoolError;
use super::held::{DECIDED, Held, decided, retired_in};
use super::layout::{CUR, DONE, FAILED, NEW, Spool, residual_file, retired_file};
use super::manifest::{self, MANIFEST_FILE, Manifest};
use super::names::{ClaimName, RunName};
use crate::moment::Moment;
use std::collections::BTreeSet;
use std::path::Path;

/// What prune did, and what it left.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Pruned {
    /// Runs that were retired.
    pub retired: Vec<RunName>,
    /// Claims of runs retired before, removed from `done`.
    pub claims_removed: u64,
    /// Claims of runs retired before that only their mailer can remove: there are files of another user in them.
    pub claims_left: u64,
    /// Runs whose decided alerts were removed.
    pub held_removed: u64,
    /// Runs that are not remembered any more.
    pub manifests_removed: u64,
    /// Old runs that stay because a sender's part is not sent, or could not be.
    pub unsent: u64,
    /// Old runs that stay because something of them waits for a person.
    pub held: u64,
}

/// Up to when what is kept may go; `None`: it stays.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Retention {
    /// Notices of runs that were published until then, all sent, nothing waiting.
    pub notices_until: Option<Moment>,
    /// What was held and decided until then.
    pub held_until: Option<Moment>,
    /// The memory of runs that were published until then.
    pub manifests_until: Option<Moment>,
}

/// What is to become of a run.
enum Fate {
    Young,
    Unsent,
    Held,
    Retire,
}

impl Spool {
    /// Whether a spool is at `path`, so that pruning makes none.
    pub fn is_at(path: &Path) -> Result<(), SpoolError> {
        let root = open_root(path)?;
        match root.find(NEW)? {
            Some(_) => Ok(()),
            None => Err(SpoolError::NoSpool { path: path.join(NEW) }),
        }
    }

    /// Retires all runs that were published at `until` or before, of which every sender's claim is in `done` and nothing is
    /// held. May be interrupted anywhere, and done again.
    pub fn prune(&self, until: Moment) -> Result<Pruned, SpoolError> {
        let mut pruned = Pruned::default();
        let done = self.root.open(DONE)?;
        self.settle_all()?;
        self.remove_claims(&done, &mut pruned)?;
        for run in runs_in(&self.new)? {
            match self.fate_of(&run, &done, until)? {
                Fate::Young => {}
                Fate::Unsent => pruned.unsent += 1,
                Fate::Held => pruned.held += 1,
                Fate::Retire => {
                    self.retire(&run)?;
                    pruned.retired.push(run);
                }
            }
        }
        Ok(pruned)
    }

    /// Prunes by age: notices as [`Spool::prune`], then what is decided, then the memory of runs. May be interrupted anywhere.
    pub fn prune_by(&self, retention: &Retention) -> Result<Pruned, SpoolError> {
        let mut pruned = match retention.notices_until {
            Some(until) => self.prune(until)?,
            None => Pruned::default(),
        };
        if let Some(until) = retention.held_until {
            self.settle_all()?;
            self.prune_decided(until, &mut pruned)?;
        }
        if let Some(until) = retention.manifests_until {
            self.prune_manifests(until, &mut pruned)?;
        }
        Ok(pruned)
    }

    /// Removes what was held of runs about which the last decision was made at `until` or before.
    fn prune_decided(&self, until: Moment, pruned: &mut Pruned) -> Result<(), SpoolError> {
        let all = Held::open(self.path())?;
        for entry in self.held.entries()?.into_iter().filter(|entry| entry.is_directory) {
            let run = entry.name.to_str().and_then(|name| name.strip_suffix(DECIDED));
            let Some(run) = run.and_then(|run| RunName::read(run).ok()) else { continue };
            let last = match all.decisions(&run)?.last() {
                Some((_, at)) => Some(*at),
                // All of it was forgotten.
                None => all.manifest(&run)?.map(|(_, published)| published),
            };
            if last.is_none_or(|last| last > until) {
                continue;
            }
            let aside = format!("pruned.{run}");
            let lock = self.lock()?;
            self.tmp.remove_tree(&aside)?;
            self.held.rename_new(&entry.name, &self.tmp, &aside)?;
            self.held.sync()?;
            drop(lock);
            self.tmp.remove_tree(&aside)?;
            pruned.held_removed += 1;
        }
        Ok(())
    }

    /// Forgets that runs were published at `until` or before, of which nothing else is left: neither notices, claims, nor
    /// anything held, and of a decision also nothing of the run that it is about.
    fn prune_manifests(&self, until: Moment, pruned: &mut Pruned) -> Result<(), SpoolError> {
        let done = self.root.open(DONE)?;
        let claimed: BTreeSet<RunName> =
            directories_in(&done, |name| ClaimName::read(name).ok())?.iter().map(ClaimName::run).collect();
        let _lock = self.lock()?;
        for run in retired_in(&self.runs)? {
            let file = retired_file(run.as_str());
            let Some(stat) = self.runs.stat(&file)? else { continue };
            let is_old = stat.st_mtime <= until.unix_seconds();
            let is_left = |run: &RunName| {
                Ok::<bool, SpoolError>(
                    self.new.holds(run.as_str())?
                        || self.held.holds(run.as_str())?
                        || self.held.holds(decided(run))?
                        || claimed.contains(run),
                )
            };
            let is_in_use = is_left(&run)? || run.decided_on().map_or(Ok(false), |of| is_left(&of))?;
            if is_old && !is_in_use {
                self.runs.remove_file(&file)?;
                pruned.manifests_removed += 1;
            }
        }
        self.runs.sync()
    }

    /// A run in `new` changes no more, and a claim in `done` stays: what is found here holds under the lock too.
    fn fate_of(&self, run: &RunName, done: &Directory, until: Moment) -> Result<Fate, SpoolError> {
        let missing = || SpoolError::damaged(self.new.path().join(run.as_str()), "the run has no manifest");
        let directory = self.new.open(run.as_str())?;
        let (manifest, published) =
            manifest::find::<Manifest>(&directory, MANIFEST_FILE)?.ok_or_else(missing)?;
        if published > until {
            return Ok(Fate::Young);
        }
        for sender in manifest.senders()?.keys() {
            let claim = ClaimName::new(run, sender);
            let is_elsewhere =
                [CUR, FAILED].into_iter().map(|name| self.root.open(name)?.holds(claim.as_str()));
            let is_elsewhere = is_elsewhere.collect::<Result<Vec<_>, _>>()?.contains(&true);
            if is_elsewhere || !done.holds(claim.as_str())? {
                return Ok(Fate::Unsent);
            }
        }
        Ok(if self.held.holds(run.as_str())? { Fate::Held } else { Fate::Retire })
    }

    fn retire(&self, run: &RunName) -> Result<(), SpoolError> {
        let aside = format!("retired.{run}");
        let lock = self.lock()?;
        self.remember(run)?;
        // Of a prune that was killed between the retirement and the removal of an earlier run of this name.
        self.tmp.remove_tree(&aside)?;
        self.new.rename_new(run.as_str(), &self.tmp, &aside)?;
        self.new.sync()?;
        // It names addresses, as the notices do. A crash before this: recovery removes it.
        self.runs.remove_file(residual_file(run.as_str()))?;
        drop(lock);
        // Recovery may be faster: what is gone is no error.
        self.tmp.remove_tree(&aside)
    }

    /// Links the manifest into `runs`, so that its mtime still tells when the run was published.
    fn remember(&self, run: &RunName) -> Result<(), SpoolError> {
        let directory = self.new.open(run.as_str())?;
        let file = retired_file(run.as_str());
        if !directory.link_new(MANIFEST_FILE, &self.runs, &file)? {
            let [ours, there] = [directory.stat(MANIFEST_FILE)?, self.runs.stat(&file)?];
            let is_same = match (ours, there) {
                (Some(ours), Some(there)) => (ours.st_dev, ours.st_ino) == (there.st_dev, there.st_ino),
                _ => false,
            };
            if !is_same {
                let path = self.runs.path().join(file);
                return Err(SpoolError::OtherContent { run: run.to_string(), path });
            }
        }
        self.runs.sync()
    }

    /// Removes claims from `done` whose run is retired.
    fn remove_claims(&self, done: &Directory, pruned: &mut Pruned) -> Result<(), SpoolError> {
        let retired: BTreeSet<_> = self.runs.entries()?.into_iter().map(|entry| entry.name).collect();
        for claim in directories_in(done, |name| ClaimName::read(name).ok())? {
            let run = claim.run();
            let is_retired = retired.contains(std::ffi::OsStr::new(&retired_file(run.as_str())));
            if !is_retired || self.new.holds(run.as_str())? {
                continue;
            }
            match done.remove_tree(claim.as_str()) {
                Ok(()) => pruned.claims_removed += 1,
                Err(SpoolError::Refused { .. }) => pruned.claims_left += 1,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
