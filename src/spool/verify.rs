//! Verification: is everything that was published still there, and still what it was?

use super::claim::open_root;
use super::directory::Directory;
use super::error::{SpoolError, shown};
use super::forget::{INTENT, is_interrupted};
use super::held::{Held, decided};
use super::layout::{HELD, NEW};
use super::manifest::{self, MANIFEST_FILE, Manifest, NoticeFacts, SenderManifest, Tombstone};
use super::names::RunName;
use super::tally::Tally;
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};

/// More problems than this are counted, not kept.
pub const PROBLEMS_MAX: usize = 1000;

/// What verification looked at and found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Verification {
    /// Runs in `new`.
    pub runs: u64,
    /// Notices that are as their manifests say.
    pub notices: u64,
    /// Held files that are as their manifests say.
    pub held: u64,
    /// Lines in both.
    pub lines: u64,
    /// Bytes in both.
    pub bytes: u64,
    /// What was forgotten on a person's word: lines of notices.
    pub forgotten_alerts: u64,
    /// And lines that were held.
    pub forgotten_held: u64,
    /// In so many runs.
    pub forgotten_runs: u64,
    /// What is wrong, in the order of the names; empty if all is well. At most [`PROBLEMS_MAX`].
    pub problems: Vec<Problem>,
    /// All that is wrong, kept or not.
    pub problems_count: u64,
}

/// A file that is not what a manifest says.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Problem {
    /// The file or directory.
    pub path: PathBuf,
    /// What is wrong with it.
    pub reason: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", shown(&self.path), self.reason)
    }
}

/// Compares all runs in `new`, and what is held of them, with their manifests: names, sizes, lines, hashes, nothing missing,
/// nothing more. Changes nothing; may run beside publishers and mailers.
///
/// An error is something that could not be looked at; what was looked at and is wrong is a [`Problem`].
pub fn verify(path: &Path) -> Result<Verification, SpoolError> {
    let root = open_root(path)?;
    let new = root.find(NEW)?.ok_or_else(|| SpoolError::NoSpool { path: path.join(NEW) })?;
    let held = root.find(HELD)?;
    let mut found = Verification::default();
    for entry in new.entries()? {
        match entry.name.to_str().and_then(|name| RunName::read(name).ok()) {
            Some(run) if entry.is_directory => found.look_at_run(&run, &new, held.as_ref())?,
            _ => found.report(&new, &entry.name, "no run"),
        }
    }
    if is_interrupted(path)? {
        found.report(
            &root,
            INTENT,
            "forgetting was interrupted (dijkwacht spool forget, or the next match, goes on with it)",
        );
    }
    Ok(found)
}

impl Verification {
    /// Whether everything is as it was published.
    pub fn is_clean(&self) -> bool {
        self.problems_count == 0
    }

    fn report(&mut self, directory: &Directory, name: impl AsRef<OsStr>, reason: impl Into<String>) {
        self.problems_count += 1;
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(Problem { path: directory.path().join(name.as_ref()), reason: reason.into() });
        }
    }

    fn look_at_run(
        &mut self,
        run: &RunName,
        new: &Directory,
        held: Option<&Directory>,
    ) -> Result<(), SpoolError> {
        // Retired between the listing and now if it is gone.
        let Some(directory) = new.find(run.as_str())? else { return Ok(()) };
        self.runs += 1;
        let Some(manifest) = self.read_manifest::<Manifest>(&directory)? else { return Ok(()) };
        if manifest.run != *run || manifest.own_name() != *run {
            self.report(&directory, MANIFEST_FILE, "it is another run's");
        }
        self.look_at_books(&directory, &manifest);
        let files = manifest.notices.iter().chain(&manifest.held);
        if let Some(error) = files.filter_map(|facts| facts.file().err()).next() {
            self.report(&directory, MANIFEST_FILE, error.to_string());
            return Ok(());
        }
        self.notices += self.look_at_files(&directory, &manifest.notices, Files::Notices)?;
        self.look_at_sender_manifests(&directory, &manifest)?;
        self.look_at_held(run, held, &manifest.held)
    }

    /// What was counted when it was published is what is there, and what was forgotten since.
    fn look_at_books(&mut self, directory: &Directory, manifest: &Manifest) {
        let sum = |count: fn(&Tombstone) -> u64| manifest.forgotten.iter().map(count).sum::<u64>();
        let (alerts, held) = (sum(|tombstone| tombstone.alerts), sum(|tombstone| tombstone.held));
        self.forgotten_alerts += alerts;
        self.forgotten_held += held;
        self.forgotten_runs += u64::from(!manifest.forgotten.is_empty());
        let lines = |facts: &[NoticeFacts]| facts.iter().map(|facts| facts.lines).sum::<u64>();
        for (key, there) in
            [("alerts", lines(&manifest.notices) + alerts), ("held", lines(&manifest.held) + held)]
        {
            let counted = manifest.counts.get(key).and_then(serde_json::Value::as_u64);
            if let Some(counted) = counted.filter(|&counted| counted != there) {
                let reason = format!("{counted} {key} were counted, {there} are there or were forgotten");
                self.report(directory, MANIFEST_FILE, reason);
            }
        }
    }

    fn look_at_held(
        &mut self,
        run: &RunName,
        held: Option<&Directory>,
        facts: &[NoticeFacts],
    ) -> Result<(), SpoolError> {
        let Some(held) = held else { return Ok(()) };
        let directory = match held.find(run.as_str())? {
            Some(directory) => Some(directory),
            None => held.find(decided(run))?,
        };
        match directory {
            Some(directory) => self.held += self.look_at_files(&directory, facts, Files::Held)?,
            None if !facts.is_empty() && !is_decided(held, run, facts)? => {
                self.report(held, run.as_str(), "it is missing");
            }
            None => {}
        }
        Ok(())
    }

    /// Compares all files below `directory` with `facts`; returns how many are right.
    fn look_at_files(
        &mut self,
        directory: &Directory,
        facts: &[NoticeFacts],
        files: Files,
    ) -> Result<u64, SpoolError> {
        let mut by_sender = BTreeMap::<&str, Vec<&NoticeFacts>>::new();
        for fact in facts {
            by_sender.entry(fact.sender.as_str()).or_default().push(fact);
        }
        for entry in directory.entries()? {
            let is_known = match files {
                _ if entry.is_directory => {
                    entry.name.to_str().is_some_and(|name| by_sender.contains_key(name))
                }
                Files::Notices => entry.name == MANIFEST_FILE,
                Files::Held => false,
            };
            if !is_known {
                self.report(directory, &entry.name, "the manifest does not name it");
            }
        }
        let mut right = 0;
        for (sender, facts) in by_sender {
            match directory.find(sender) {
                Ok(Some(part)) => right += self.look_at_part(&part, &facts, files)?,
                Ok(None) => self.report(directory, sender, "it is missing"),
                Err(SpoolError::NotDirectory { .. }) => self.report(directory, sender, "not a directory"),
                Err(error) => return Err(error),
            }
        }
        Ok(right)
    }

    fn look_at_part(
        &mut self,
        part: &Directory,
        facts: &[&NoticeFacts],
        files: Files,
    ) -> Result<u64, SpoolError> {
        let mut names = BTreeSet::new();
        for fact in facts {
            names.insert(OsString::from(fact.file()?));
        }
        for entry in part.entries()? {
            let is_manifest = files == Files::Notices && entry.name == MANIFEST_FILE;
            if !is_manifest && !names.contains(&entry.name) {
                self.report(part, &entry.name, "the manifest does not name it");
            }
        }
        let looks: Result<Vec<_>, SpoolError> =
            facts.par_iter().map(|fact| Ok((fact, look_at_file(part, fact)?))).collect();
        let mut right = 0;
        for (fact, reason) in looks? {
            match reason {
                Some(reason) => self.report(part, fact.file()?, reason),
                None => {
                    right += 1;
                    self.lines += fact.lines;
                    self.bytes += fact.bytes;
                }
            }
        }
        Ok(right)
    }

    fn look_at_sender_manifests(&mut self, run: &Directory, manifest: &Manifest) -> Result<(), SpoolError> {
        for (sender, wanted) in manifest.senders()? {
            // That the directory itself is missing was told already.
            let Ok(Some(part)) = run.find(sender.as_str()) else { continue };
            if let Some(found) = self.read_manifest::<SenderManifest>(&part)?
                && found != wanted
            {
                self.report(&part, MANIFEST_FILE, "it says something else than the run's manifest");
            }
        }
        Ok(())
    }

    /// Reads a manifest that must be there; a problem with it is reported.
    fn read_manifest<M: for<'m> serde::Deserialize<'m>>(
        &mut self,
        directory: &Directory,
    ) -> Result<Option<M>, SpoolError> {
        match manifest::find(directory, MANIFEST_FILE) {
            Ok(Some((manifest, _))) => return Ok(Some(manifest)),
            Ok(None) => self.report(directory, MANIFEST_FILE, "it is missing"),
            Err(SpoolError::Damaged { reason, .. }) => self.report(directory, MANIFEST_FILE, reason),
            Err(error) => return Err(error),
        }
        Ok(None)
    }
}

/// Whether decisions name as many lines as a run held: what is decided may be pruned.
fn is_decided(held: &Directory, run: &RunName, facts: &[NoticeFacts]) -> Result<bool, SpoolError> {
    let Some(spool) = held.path().parent() else { return Ok(false) };
    let decisions = Held::open(spool)?.decisions(run)?;
    let decided: usize =
        decisions.iter().map(|(decision, _)| decision.released.len() + decision.discarded.len()).sum();
    // A decision may also name lines that were forgotten since.
    Ok(decided as u64 >= facts.iter().map(|facts| facts.lines).sum::<u64>())
}

/// Below what the files lie: beside notices there are manifests.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Files {
    Notices,
    Held,
}

/// What is wrong with one file; `None` if nothing is.
fn look_at_file(part: &Directory, facts: &NoticeFacts) -> Result<Option<String>, SpoolError> {
    let name = facts.file()?;
    let file = match part.find_file(&name) {
        Ok(Some(file)) => file,
        Ok(None) => return Ok(Some("it is missing".to_owned())),
        Err(SpoolError::Damaged { reason, .. }) => return Ok(Some(reason)),
        Err(error) => return Err(error),
    };
    let (tally, hash) = Tally::count_and_hash(file)
        .map_err(|error| SpoolError::system("read", part.path().join(&name), error))?;
    let differs = |what: &str, found: u64, wanted: u64| {
        (found != wanted).then(|| format!("{found} {what}, {wanted} in the manifest"))
    };
    let wrong_hash = || (hash != facts.blake3).then(|| "its hash is not the manifest's".to_owned());
    Ok(differs("bytes", tally.bytes, facts.bytes)
        .or_else(|| differs("lines", tally.lines, facts.lines))
        .or_else(wrong_hash))
}
