//! The commit: a staged run is made durable, then appears by one rename.
//!
//! ```text
//!  1  manifests are written                                a crash here, and until 6:
//!  2  files durable: up to 256 one by one, more by syncfs    the stage has no lock and is removed, the run is redone
//!  3  directories durable
//!  4  lock; is <run> in new/ or runs/? then it was published before
//!  5  tmp/<stage>/held → held/<run>, and held/ durable     a crash here: held/<run> has no commit and is removed
//!     tmp/<stage>/residual.jsonl → runs/<run>.residual.jsonl, and runs/ durable     the same
//!  6  tmp/<stage>/run → new/<run>, never replacing         THE COMMIT
//!  7  new/ durable, unlock                                 a crash here: published; the empty stage is removed
//! ```
//!
//! `held/` is made durable before the commit and not with it: nothing orders two renames on a disk, and a run whose held
//! alerts a power failure took back would have lost them.

use super::directory::Directory;
use super::error::SpoolError;
use super::layout::{Lock, residual_file};
use super::manifest::{self, Account, MANIFEST_BYTES_MAX, MANIFEST_FILE, Manifest, Occasion, RunFacts};
use super::names::RunName;
use super::stage::{HELD, RESIDUAL, RUN, Stage};
use crate::moment::Moment;
use rustix::fs::Mode;
use std::io::Write;
use std::sync::Arc;

const MANIFEST_MODE: Mode = Mode::from_raw_mode(0o600);
const SENDER_MANIFEST_MODE: Mode = Mode::from_raw_mode(0o640);

/// A run that is written and counted: ready to be published once the books balance.
#[derive(Debug)]
pub struct StagedRun<'s> {
    stage: Stage<'s>,
    alerts: u64,
    held: u64,
    account: Account,
}

/// What became of a run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Publication {
    /// It is in `new` now.
    Published {
        /// Its name.
        run: RunName,
    },
    /// The same dump was published before, and the stage was thrown away.
    AlreadyPublished {
        /// Its name.
        run: RunName,
        /// When.
        at: Moment,
    },
}

impl<'s> StagedRun<'s> {
    pub(super) fn new(stage: Stage<'s>, alerts: u64, held: u64) -> Self {
        Self { stage, alerts, held, account: Account::default() }
    }

    /// Lines of all notices, counted by reading them back.
    pub fn alerts(&self) -> u64 {
        self.alerts
    }

    /// Lines of all that is held, counted by reading it back.
    pub fn held(&self) -> u64 {
        self.held
    }

    /// What reports are made from.
    pub fn accounted(self, account: Account) -> Self {
        Self { account, ..self }
    }

    /// Publishes the run, with all its notices at once, or none.
    ///
    /// Any error but [`SpoolError::NotDurable`] means that nothing was published; the stage is thrown away.
    pub fn publish(self, facts: RunFacts) -> Result<Publication, SpoolError> {
        self.publish_on(facts, Occasion::Dump)
    }

    /// As [`StagedRun::publish`], of a run that says why it is published.
    pub fn publish_on(mut self, facts: RunFacts, occasion: Occasion) -> Result<Publication, SpoolError> {
        let content = facts.dump.blake3;
        let account = std::mem::take(&mut self.account);
        let manifest = self.write_manifests(facts, occasion, account)?;
        self.make_durable()?;
        let lock = self.stage.spool.lock()?;
        if let Some(at) = self.stage.spool.find_published(&manifest.run, &content)? {
            return Ok(Publication::AlreadyPublished { run: manifest.run, at });
        }
        self.commit(&manifest.run, &lock)?;
        Ok(Publication::Published { run: manifest.run })
    }

    fn write_manifests(
        &self,
        facts: RunFacts,
        occasion: Occasion,
        account: Account,
    ) -> Result<Manifest, SpoolError> {
        let (notices, held) = {
            let mut written = self.stage.written();
            (std::mem::take(&mut written.notices.facts), std::mem::take(&mut written.held.facts))
        };
        let manifest = Manifest::new(facts, occasion, account, notices, held);
        let parts = manifest.senders()?;
        // Of 22,000 notices they take a twelfth of a run, one after the other (measured).
        let (parts, whole) = rayon::join(
            || parts.iter().map(|(sender, part)| (sender, manifest::to_bytes(part))).collect::<Vec<_>>(),
            || manifest::to_bytes(&manifest),
        );
        let mut written = self.stage.written();
        for (sender, bytes) in parts {
            let directory = Arc::clone(&written.notices.senders[sender]);
            write_manifest(&mut written, &directory, SENDER_MANIFEST_MODE, &bytes)?;
        }
        let run = written.notices.root.clone().expect("every stage is made with its run directory");
        write_manifest(&mut written, &run, MANIFEST_MODE, &whole)?;
        Ok(manifest)
    }

    /// Files first, then the directories that name them.
    fn make_durable(&self) -> Result<(), SpoolError> {
        let mut written = self.stage.written();
        match written.files.take() {
            Some(files) => {
                for (file, path) in files {
                    file.sync_all().map_err(|error| SpoolError::system("make durable", path, error))?;
                }
            }
            None => self.stage.directory.sync_file_system()?,
        }
        for tree in [&written.notices, &written.held] {
            for directory in tree.senders.values().chain(&tree.root) {
                directory.sync()?;
            }
        }
        Ok(())
    }

    fn commit(&self, run: &RunName, _lock: &Lock) -> Result<(), SpoolError> {
        let held = &self.stage.spool.held;
        if let Err(error) = self.rename_into_place(run)
            && !self.is_committed(run)
        {
            // Without a commit it counts for nothing; what we cannot remove, recovery does.
            let _ = held.remove_tree(run.as_str());
            let _ = self.stage.spool.runs.remove_file(residual_file(run.as_str()));
            return Err(error);
        }
        self.stage
            .spool
            .new
            .sync()
            .and_then(|()| self.stage.directory.sync())
            .map_err(|error| SpoolError::NotDurable { run: run.to_string(), source: Box::new(error) })
    }

    fn rename_into_place(&self, run: &RunName) -> Result<(), SpoolError> {
        let Stage { spool, directory, .. } = &self.stage;
        let name = run.as_str();
        let is_stale = spool.held.holds(name)?;
        // Of a publisher that died between the two renames. Left there, it would count as ours.
        spool.held.remove_tree(name)?;
        let holds_any = self.stage.written().held.root.is_some();
        if holds_any {
            directory.rename(HELD, &spool.held, name)?;
        }
        if holds_any || is_stale {
            spool.held.sync()?;
        }
        let residual = residual_file(name);
        if self.stage.written().has_residual {
            directory.rename(RESIDUAL, &spool.runs, &residual)?;
            spool.runs.sync()?;
        } else if spool.runs.holds(&residual)? {
            spool.runs.remove_file(&residual)?;
            spool.runs.sync()?;
        }
        directory.rename_new(RUN, &spool.new, name)
    }

    /// Whether `new/<run>` is our own directory: a rename may be done although an error was reported (NFS).
    fn is_committed(&self, run: &RunName) -> bool {
        let ours = self.stage.written().notices.root.as_ref().and_then(|root| root.own_stat().ok());
        let there = self.stage.spool.new.stat(run.as_str()).ok().flatten();
        match (ours, there) {
            (Some(ours), Some(there)) => (ours.st_dev, ours.st_ino) == (there.st_dev, there.st_ino),
            _ => false,
        }
    }
}

fn write_manifest(
    written: &mut super::stage::Written,
    directory: &Directory,
    mode: Mode,
    bytes: &[u8],
) -> Result<(), SpoolError> {
    let path = || directory.path().join(MANIFEST_FILE);
    if bytes.len() as u64 > MANIFEST_BYTES_MAX {
        let reason = format!("the manifest is larger than {MANIFEST_BYTES_MAX} bytes");
        return Err(SpoolError::unfinished(path(), reason));
    }
    let mut file = directory.create_file(MANIFEST_FILE, mode)?;
    file.write_all(bytes).map_err(|error| SpoolError::system("write", path(), error))?;
    written.keep(file, path);
    Ok(())
}
