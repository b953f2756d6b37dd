//! A lane: one run after the other, on a thread of its own.
//!
//! Each lane has a pool of its own: a small dump never waits for a large one's chunks. The system shares the cores between
//! them.

use super::board::Meter;
use super::standing::Standing;
use super::watch::Bell;
use crate::config::{Config, DumpReport};
use crate::moment::Moment;
use crate::pipeline::{Against, Destination, Job, Reading, RunError, RunReport, refuse, run};
use crate::scan::Input;
use crate::spool::WorkFile;
use crate::text::show;
use rayon::ThreadPool;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Instant, SystemTime};

/// Characters of a file name in messages.
const NAME_CHARS_MAX: usize = 255;

/// What a lane is given.
pub(super) struct Task {
    pub(super) file: WorkFile,
    pub(super) standing: Arc<Standing>,
    pub(super) meter: Arc<Meter>,
    /// Else the clock.
    pub(super) run_time: Option<Moment>,
}

/// What it gives back; `None`: the run panicked.
pub(super) struct Ended {
    pub(super) lane: usize,
    pub(super) report: Option<RunReport>,
}

/// Where a lane's tasks go.
pub(super) struct Lane {
    tasks: Sender<Task>,
}

impl Lane {
    /// Starts the thread and its pool.
    pub(super) fn start(
        number: usize,
        stop: Arc<AtomicBool>,
        ended: Sender<Ended>,
        bell: Arc<Bell>,
    ) -> io::Result<Self> {
        let (tasks, received) = channel();
        let thread = std::thread::Builder::new().name(format!("lane-{number}"));
        thread.spawn(move || work(number, &received, &stop, &ended, &bell))?;
        Ok(Self { tasks })
    }

    /// Gives it a run to do; it must be idle.
    pub(super) fn give(&self, task: Task) {
        // Gone only if the thread panicked outside a run, which the desk then waits for in vain, and the watchdog sees.
        let _ = self.tasks.send(task);
    }
}

fn work(number: usize, tasks: &Receiver<Task>, stop: &Arc<AtomicBool>, ended: &Sender<Ended>, bell: &Bell) {
    let pool =
        rayon::ThreadPoolBuilder::new().thread_name(move |thread| format!("lane-{number}.{thread}")).build();
    for task in tasks {
        // Without threads of its own it shares those of the process.
        let report = catch_unwind(AssertUnwindSafe(|| process(&task, pool.as_ref().ok(), stop)));
        let is_heard = ended.send(Ended { lane: number, report: report.ok() }).is_ok();
        bell.ring();
        if !is_heard {
            return;
        }
    }
}

/// A dump whose report cannot be used is not begun.
fn process(task: &Task, pool: Option<&ThreadPool>, stop: &Arc<AtomicBool>) -> RunReport {
    let report = task.file.report.as_deref().map(|path| read_report(path, &task.standing.config));
    match report.transpose() {
        Ok(report) => process_with(task, report.as_ref(), pool, stop),
        Err(error) => refuse(&shown_name(&task.file), Some(task.file.feed.as_str()), error),
    }
}

/// Reads what nobody else can write any more: it is in `work`.
fn read_report(path: &Path, config: &Config) -> Result<DumpReport, RunError> {
    let found = path.symlink_metadata();
    if found.is_ok_and(|found| !found.is_file() || found.nlink() > 1) {
        let path = show(path.as_os_str().as_bytes(), 4096);
        return Err(RunError::Report(format!("{path}: a report is a file of its own, not a link or a pipe")));
    }
    DumpReport::read(path, config.language).map_err(|error| RunError::Report(error.to_string()))
}

fn process_with(
    task: &Task,
    report: Option<&DumpReport>,
    pool: Option<&ThreadPool>,
    stop: &Arc<AtomicBool>,
) -> RunReport {
    let Standing { config, index, spool, .. } = &*task.standing;
    let started = Instant::now();
    let run_time = task.run_time.unwrap_or_else(|| Moment::of_clock(SystemTime::now()));
    let observed = report.and_then(|report| report.observed.clone());
    let (input, name) = (Input::Arrived(task.file.path.clone()), shown_name(&task.file));
    let facts = |name: &str| config.feed_with(name, report).facts(config);
    let senders = config.senders.in_office(run_time.day());
    let against = Against { run_time, senders: &senders, rulebook: &config.rulebook, index };
    let job = Job {
        feed: Some(task.file.feed.as_str()),
        observed: observed.as_ref().map(|(text, moment)| (text.as_str(), *moment)),
        reading: Reading::of_at_most(config.limits.decompressed_bytes_max),
        progress: &|progress| task.meter.advance(progress),
        history: Some(spool.path()),
        residual: config.residual,
        pool,
        ..Job::new(&input, &name, &facts, against, spool.path(), stop)
    };
    let mut report = run(job, Destination::Spool(spool));
    report.seconds = started.elapsed().as_secs_f64();
    report
}

/// A file's name, escaped.
pub(super) fn shown_name(file: &WorkFile) -> String {
    show(file.name.as_bytes(), NAME_CHARS_MAX)
}
