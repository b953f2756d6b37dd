//! All manifests of a spool, of runs in `new` and of retired ones: what reports and retention read.

use super::claim::{open_root, runs_in};
use super::directory::Directory;
use super::error::SpoolError;
use super::held::retired_in;
use super::layout::{NEW, RUNS, retired_file};
use super::manifest::{self, MANIFEST_FILE, Manifest};
use super::names::RunName;
use crate::moment::Moment;
use rayon::prelude::*;
use std::collections::BTreeSet;
use std::path::Path;

/// Runs whose manifests are read at once, in parallel.
const BATCH_RUNS: usize = 256;

/// The manifests of a spool.
#[derive(Debug)]
pub struct Manifests {
    new: Directory,
    runs: Directory,
    names: BTreeSet<RunName>,
}

impl Manifests {
    /// Lists them; reads none yet.
    pub fn open(path: &Path) -> Result<Self, SpoolError> {
        let root = open_root(path)?;
        let open = |name| root.find(name)?.ok_or_else(|| SpoolError::NoSpool { path: path.join(name) });
        let (new, runs) = (open(NEW)?, open(RUNS)?);
        let mut names: BTreeSet<RunName> = runs_in(&new)?.into_iter().collect();
        names.extend(retired_in(&runs)?);
        Ok(Self { new, runs, names })
    }

    /// Gives each manifest, by run, and when it was published.
    pub fn each(&self, mut take: impl FnMut(Manifest, Moment)) -> Result<(), SpoolError> {
        let names: Vec<&RunName> = self.names.iter().collect();
        for batch in names.chunks(BATCH_RUNS) {
            let read: Result<Vec<_>, SpoolError> = batch.par_iter().map(|run| self.read(run)).collect();
            read?.into_iter().flatten().for_each(|(manifest, published)| take(manifest, published));
        }
        Ok(())
    }

    fn read(&self, run: &RunName) -> Result<Option<(Manifest, Moment)>, SpoolError> {
        if let Some(directory) = self.new.find(run.as_str())?
            && let Some(found) = manifest::find(&directory, MANIFEST_FILE)?
        {
            return Ok(Some(found));
        }
        manifest::find(&self.runs, &retired_file(run.as_str()))
    }
}
