//! The metrics of a batch, for node_exporter's textfile collector.
//!
//! A batch that has ended cannot be scraped, so it leaves a page in a file. The page goes on from the one before it: counters
//! grow from batch to batch, and a failed batch keeps the moment of the last good one. The same rules and the same dashboard
//! therefore serve the daemon and batches.

use super::registry::Registry;
use super::stages::StageSeconds;
use super::table::{BATCH_SUCCESS_AT, LAST_SUCCESS_AT};
use super::text;
use crate::index::Counts;
use crate::pipeline::RunReport;
use std::time::{Duration, SystemTime};

/// What a batch tells.
pub struct Batch(Registry);

impl Batch {
    /// The batch of this name: the label `batch` on every series. What is not `[A-Za-z0-9_.-]` in it becomes `_`.
    pub fn new(name: &str) -> Self {
        let fits = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
        Self(Registry::of_batch(&name.replace(|c| !fits(c), "_")))
    }

    /// The index that is used.
    pub fn index_is(&self, counts: &Counts, built: SystemTime, took: Option<Duration>) {
        self.0.index_is(counts, built, took);
    }

    /// A run of the batch ended.
    pub fn run_ended(&self, report: &RunReport, stages: &StageSeconds, at: SystemTime) {
        self.0.run_ended(report, stages, None, at);
    }

    /// The batch ended: the page that replaces `earlier`.
    pub fn end(self, exit_code: u8, took: Duration, at: SystemTime, earlier: &str) -> String {
        self.0.batch_ended(exit_code, took, at);
        text::go_on_from(&self.0.render(), earlier, &[&LAST_SUCCESS_AT, &BATCH_SUCCESS_AT])
    }
}
