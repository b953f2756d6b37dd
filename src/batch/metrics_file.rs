//! The file of `--metrics-file`: written at the end of a batch, whatever came of it, and replaced as a whole.

use super::failure::{Failure, Wanted};
use super::output::replace_file;
use crate::index::Index;
use crate::metrics::{Batch, StageSeconds};
use crate::pipeline::RunReport;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// node_exporter runs as another user.
const MODE: u32 = 0o644;

/// Of the page before, no more is read: it is none of ours.
const EARLIER_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The metrics of a batch, and where they go.
pub(super) struct MetricsFile {
    path: PathBuf,
    batch: Batch,
    started: Instant,
}

impl MetricsFile {
    /// The batch is called as the file is, without `.prom`. That the directory is missing is told now, not after hours.
    pub(super) fn begin(path: &Path) -> Result<Self, Failure> {
        let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty());
        if directory.is_some_and(|directory| !directory.is_dir()) {
            return Err(Failure::file(path, Wanted::Create, io::ErrorKind::NotFound.into()));
        }
        if path.metadata().is_ok_and(|found| !found.is_file()) {
            let problem = format!("--metrics-file {} is there, and is no file (name a file)", path.display());
            return Err(Failure::Usage(problem));
        }
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        Ok(Self { path: path.to_owned(), batch: Batch::new(&name), started: Instant::now() })
    }

    pub(super) fn index_is(&self, index: &Index, file: Option<&Path>, took: Duration) {
        let modified = file.and_then(|file| file.metadata().ok()?.modified().ok());
        let built = modified.unwrap_or_else(SystemTime::now);
        self.batch.index_is(&index.counts(), built, file.is_none().then_some(took));
    }

    pub(super) fn run_ended(&self, report: &RunReport, stages: &StageSeconds) {
        self.batch.run_ended(report, stages, SystemTime::now());
    }

    /// Writes the file. A batch that went well has failed if its metrics cannot be written; its notices stay published.
    pub(super) fn end(self, outcome: Result<u8, Failure>) -> Result<u8, Failure> {
        let code = outcome.as_ref().map_or_else(Failure::code, |code| *code);
        let earlier = read_earlier(&self.path);
        let page = self.batch.end(code, self.started.elapsed(), SystemTime::now(), &earlier);
        let written = replace_file(&self.path, page.as_bytes(), MODE);
        match (outcome, written) {
            (Ok(_), Err(failure)) => Err(failure),
            (outcome, _) => outcome,
        }
    }
}

/// The page that is there, as far as it is one.
fn read_earlier(path: &Path) -> String {
    let mut text = String::new();
    let file = fs::File::open(path).map(|file| file.take(EARLIER_BYTES_MAX));
    match file.and_then(|mut file| file.read_to_string(&mut text)) {
        Ok(_) => text,
        Err(_) => String::new(),
    }
}
