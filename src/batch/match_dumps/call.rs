//! The run of one dump of a call.

use super::rejects::Rejects;
use super::request::MatchRequest;
use super::sink::Sink;
use super::turns::{InTurn, Turns};
use crate::batch::output::ProgressLine;
use crate::batch::setup::{self, facts_of};
use crate::config::{Config, DumpReport};
use crate::index::Index;
use crate::matcher::CHUNK_BYTES;
use crate::metrics::{StageSeconds, Stopwatch};
use crate::moment::Moment;
use crate::pipeline::{
    Against, Correcting, Destination, Job, MATCHES_IN_MEMORY_MAX, Progress, Reading, RunError, RunReport,
    Stage, refuse, run, run_correction,
};
use crate::policy::InOffice;
use crate::scan::Input;
use rayon::ThreadPool;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What all dumps of one call share.
pub(super) struct Call<'a> {
    pub(super) request: &'a MatchRequest,
    pub(super) config: &'a Config,
    pub(super) index: &'a Index,
    pub(super) senders: InOffice,
    pub(super) run_time: Moment,
    pub(super) observed: Option<(&'a str, Moment)>,
    pub(super) cancelled: Arc<AtomicBool>,
    pub(super) correcting: Option<Correcting<'a>>,
    pub(super) sink: Sink,
    pub(super) rejects: Option<Mutex<BufWriter<File>>>,
    pub(super) pool: ThreadPool,
    /// How many dumps are read at the same time.
    pub(super) at_once: usize,
    pub(super) turns: Turns,
}

/// What became of a dump, how long each part took, and the rejects that may still wait.
pub(super) type Done<'c> = (RunReport, StageSeconds, Rejects<'c>);

impl Call<'_> {
    /// A dump whose report cannot be used is not begun.
    pub(super) fn process(&self, number: usize, dump: &Path) -> Done<'_> {
        match setup::report_on(dump, self.request.report.as_deref(), self.config) {
            Ok(report) => self.run(number, dump, report.as_ref()),
            Err(error) => {
                let feed = self.request.reading.feed.as_deref();
                let refused = refuse(&dump.to_string_lossy(), feed, error);
                (refused, StageSeconds::default(), Rejects::new(None, false))
            }
        }
    }

    fn run(&self, number: usize, dump: &Path, report: Option<&DumpReport>) -> Done<'_> {
        let started = Instant::now();
        let name = dump.to_string_lossy();
        let input = Input::of_argument(dump.as_os_str());
        let line = ProgressLine::new(&name, self.request.quiet);
        let stopwatch = Stopwatch::default();
        let rejects = Rejects::new(self.rejects.as_ref(), self.at_once > 1);
        let waited = Mutex::new(Duration::ZERO);
        let mut out = rejects.out();
        let turn = || {
            stopwatch.stop();
            let since = Instant::now();
            self.turns.wait(number);
            *waited.lock().unwrap_or_else(PoisonError::into_inner) += since.elapsed();
            stopwatch.tell(Progress::Began(Stage::Scan));
            // The call may be over: of what comes after its end nothing is left behind.
            if self.cancelled.load(Ordering::Relaxed) {
                return Err(RunError::Cancelled);
            }
            rejects.give().map_err(RunError::output)
        };
        let scratch_directory = std::env::temp_dir();
        let facts = |name: &str| facts_of(name, &self.request.reading, self.config, report);
        let against = Against {
            run_time: self.run_time,
            senders: &self.senders,
            rulebook: &self.config.rulebook,
            index: self.index,
        };
        let job = Job {
            feed: self.request.reading.feed.as_deref(),
            observed: setup::observed_of(self.observed, report),
            label: self.request.label.as_deref(),
            reading: Reading {
                io: self.request.io,
                chunk_bytes: self.request.chunk_bytes.unwrap_or(CHUNK_BYTES),
                decompressed_bytes_max: self.config.limits.decompressed_bytes_max,
                matches_in_memory_max: MATCHES_IN_MEMORY_MAX / self.at_once,
            },
            progress: &|now| {
                stopwatch.tell(now);
                if self.turns.is(number) {
                    line.tell(now);
                }
            },
            history: self.request.spool.as_deref().or(self.config.spool.as_deref()),
            recipients: self.request.recipients,
            residual: self.request.residual || self.config.residual,
            rejects: out.as_mut().map(|out| out as &mut (dyn Write + Send + Sync)),
            pool: Some(&self.pool),
            turn: (self.at_once > 1).then_some(&turn),
            ..Job::new(&input, &name, &facts, against, &scratch_directory, &self.cancelled)
        };
        let mut writer;
        let destination = match &self.sink {
            Sink::Spool(spool) => Destination::Spool(spool),
            Sink::Output(out) => {
                writer = InTurn(out);
                Destination::Output(&mut writer)
            }
            Sink::DryRun => Destination::DryRun,
        };
        let mut report = match &self.correcting {
            Some(correcting) => run_correction(job, correcting, destination),
            None => run(job, destination),
        };
        let waited = waited.into_inner().unwrap_or_else(PoisonError::into_inner);
        report.seconds = (started.elapsed() - waited).as_secs_f64();
        let stages = stopwatch.stop();
        drop(out);
        (report, stages, rejects)
    }
}
