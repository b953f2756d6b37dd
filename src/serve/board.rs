//! The daemon's counters: plain state that the page, the metrics and systemd are told from.
//!
//! It is written by [`observe`](super::observe) only, and read as a whole under its lock.

use crate::metrics::{StageSeconds, Stopwatch};
use crate::pipeline::{Books, Progress, RunReport, State};
use crate::policy::Blown;
use crate::spool;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

/// Runs remembered for the page.
pub(super) const RECENT_MAX: usize = 50;
/// Problems remembered for the page.
pub(super) const PROBLEMS_MAX: usize = 20;
/// Lanes in which runs go on at once.
pub(super) const LANES: usize = 2;

/// All that can be seen of the daemon from outside.
#[derive(Clone, Debug)]
pub(super) struct Board {
    /// When it started.
    pub(super) started: SystemTime,
    /// Whether it takes dumps.
    pub(super) intake: Intake,
    /// What is being processed, by lane.
    pub(super) running: [Option<Running>; LANES],
    /// What waits.
    pub(super) queue: QueueNow,
    /// The last runs, newest first.
    pub(super) recent: VecDeque<EndedRun>,
    /// The last problems, newest first.
    pub(super) problems: VecDeque<(SystemTime, String)>,
    /// By feed.
    pub(super) feeds: BTreeMap<String, FeedNow>,
    /// Runs that were published since the start.
    pub(super) published: u64,
    /// Dumps that had been published before.
    pub(super) already_published: u64,
    /// Dumps that went to `failed`.
    pub(super) failed: u64,
    /// Tries that will be followed by another.
    pub(super) retries: u64,
    /// The books of all runs published since the start, added up.
    pub(super) books: Books,
    /// What is in the spool, when it was last counted.
    pub(super) spool: Option<spool::Depths>,
    /// What the notices are decided by.
    pub(super) index: IndexNow,
    /// Reloads since the start.
    pub(super) reloads: Reloads,
}

/// Whether dumps are taken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Intake {
    /// They are.
    Open,
    /// Not until mailers have caught up.
    HighWater {
        /// Claims that could be made.
        unclaimed: u64,
        /// And may at most.
        max: u64,
    },
    /// Not until the machine has recovered; it is tried now and then.
    Fault {
        /// What is wrong.
        reason: String,
        /// When it is tried again.
        until: SystemTime,
    },
    /// Not any more.
    Stopping,
}

/// A run in progress.
#[derive(Clone, Debug)]
pub(super) struct Running {
    /// The feed.
    pub(super) feed: String,
    /// The dump's file name, escaped.
    pub(super) dump: String,
    /// Its stored bytes.
    pub(super) bytes_stored: u64,
    /// When it began.
    pub(super) started: SystemTime,
    /// How far it is.
    pub(super) meter: Arc<Meter>,
}

/// How far a run is; written by its threads.
#[derive(Default, Debug)]
pub(super) struct Meter {
    bytes: AtomicU64,
    bytes_of: AtomicU64,
    lines: AtomicU64,
    lines_of: AtomicU64,
    stopwatch: Stopwatch,
}

impl Meter {
    /// The run got so far.
    pub(super) fn advance(&self, progress: Progress) {
        match progress {
            Progress::Began(_) => self.stopwatch.tell(progress),
            Progress::Scanned { bytes, of } => {
                self.bytes.store(bytes, Ordering::Relaxed);
                self.bytes_of.store(of.unwrap_or_default(), Ordering::Relaxed);
            }
            Progress::Rendered { lines, of } => {
                self.lines.store(lines, Ordering::Relaxed);
                self.lines_of.store(of, Ordering::Relaxed);
            }
        }
    }

    /// How long each stage took; the run has ended.
    pub(super) fn stages(&self) -> StageSeconds {
        self.stopwatch.stop()
    }

    /// Bytes of text that were scanned.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Lines that were rendered.
    pub(super) fn lines(&self) -> u64 {
        self.lines.load(Ordering::Relaxed)
    }

    /// Bytes or lines done of all there are, 0 to 1; `None` where that is not known.
    pub(super) fn ratio(&self) -> Option<f64> {
        let part = |done: u64, of: u64| (of > 0).then(|| (done as f64 / of as f64).min(1.0));
        let lines_of = self.lines_of.load(Ordering::Relaxed);
        part(self.lines(), lines_of).or_else(|| part(self.bytes(), self.bytes_of.load(Ordering::Relaxed)))
    }

    /// Bytes of all there are to scan; 0 where that is not known.
    pub(super) fn bytes_of(&self) -> u64 {
        self.bytes_of.load(Ordering::Relaxed)
    }

    /// Grows with each step.
    pub(super) fn steps(&self) -> u64 {
        self.bytes().wrapping_add(self.lines())
    }
}

/// What waits in the inbox.
#[derive(Clone, Default, Debug)]
pub(super) struct QueueNow {
    /// Whole files.
    pub(super) ready: u64,
    /// Files that may still be written to.
    pub(super) unready: u64,
    /// Whole files that wait for a report.
    pub(super) unreported: u64,
    /// Files in `work` that are to be tried again.
    pub(super) again: u64,
    /// Bytes of all in the inbox.
    pub(super) bytes: u64,
    /// Files by feed.
    pub(super) by_feed: BTreeMap<String, u64>,
    /// When the oldest of them arrived.
    pub(super) oldest: Option<SystemTime>,
}

/// A run that ended: its report without what only the log needs.
#[derive(Clone, Debug)]
pub(super) struct EndedRun {
    /// When.
    pub(super) ended: SystemTime,
    /// The feed.
    pub(super) feed: String,
    /// The dump's file name, escaped.
    pub(super) dump: String,
    /// The run's name, if it has one.
    pub(super) run: Option<String>,
    /// What became of it.
    pub(super) state: State,
    /// Why it failed.
    pub(super) error: Option<String>,
    /// Its books.
    pub(super) books: Books,
    /// The limit of its feed's fuse beyond which all of it is held.
    pub(super) fuse: Option<Blown>,
    /// How long it took.
    pub(super) seconds: f64,
    /// From the dump's arrival to the end of the run.
    pub(super) lag_seconds: f64,
}

impl EndedRun {
    pub(super) fn of(
        report: &RunReport,
        dump: &str,
        feed: &str,
        error: Option<String>,
        lag_seconds: f64,
    ) -> Self {
        Self {
            ended: SystemTime::now(),
            feed: feed.to_owned(),
            dump: dump.to_owned(),
            run: report.run.clone(),
            state: report.state,
            error,
            books: report.books.clone(),
            fuse: report.fuse.clone(),
            seconds: report.seconds,
            lag_seconds,
        }
    }
}

/// What happened to a feed since the start.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct FeedNow {
    /// Runs published.
    pub(super) published: u64,
    /// Dumps that went to `failed`.
    pub(super) failed: u64,
    /// When a run last ended well.
    pub(super) last_success: Option<SystemTime>,
}

/// The index.
#[derive(Clone, Debug)]
pub(super) struct IndexNow {
    /// Its id, hexadecimal.
    pub(super) id: String,
    /// Registrations in it.
    pub(super) registrations: u64,
    /// Owners in it.
    pub(super) owners: u64,
    /// Its size.
    pub(super) bytes: u64,
    /// When it was built.
    pub(super) built: SystemTime,
    /// When it was put in place.
    pub(super) loaded: SystemTime,
    /// How long it took to build, where we did.
    pub(super) build_seconds: Option<f64>,
}

/// Reloads since the start.
#[derive(Clone, Default, Debug)]
pub(super) struct Reloads {
    /// That put a new configuration and index in place.
    pub(super) succeeded: u64,
    /// That kept the old.
    pub(super) failed: u64,
    /// When the last ended.
    pub(super) last: Option<SystemTime>,
    /// Why it failed, if it did.
    pub(super) last_error: Option<String>,
}
