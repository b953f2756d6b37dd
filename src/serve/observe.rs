//! Where every event of the daemon is told: to the board, the log, and whatever counts.
//!
//! This is the one place to add a metric to. Each function is called once for its event, from any thread, and must not block.

use super::board::{Board, EndedRun, IndexNow, Intake, PROBLEMS_MAX, QueueNow, RECENT_MAX, Running};
use super::log::Log;
use super::standing::{ServeError, Standing};
use crate::metrics::{InboxDepth, Registry, Reloaded};
use crate::moment::Moment;
use crate::pipeline::{RunReport, State};
use crate::policy::Blown;
use crate::spool;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::Notify;

/// Tells events.
pub(super) struct Observer {
    board: Mutex<Board>,
    metrics: Registry,
    pub(super) log: Log,
    /// Something changed that systemd is told of.
    pub(super) changed: Notify,
}

impl Observer {
    pub(super) fn new(log: Log, standing: &Standing) -> Self {
        let now = SystemTime::now();
        let board = Board {
            started: now,
            intake: Intake::Open,
            running: Default::default(),
            queue: QueueNow::default(),
            recent: VecDeque::new(),
            problems: VecDeque::new(),
            feeds: Default::default(),
            published: 0,
            already_published: 0,
            failed: 0,
            retries: 0,
            books: Default::default(),
            spool: None,
            index: index_now(standing),
            reloads: Default::default(),
        };
        let metrics = Registry::of_daemon();
        metrics_of_standing(&metrics, standing, now);
        Self { board: Mutex::new(board), metrics, log, changed: Notify::new() }
    }

    /// The board; to be held for as long as it takes to copy.
    pub(super) fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A run began.
    pub(super) fn run_began(&self, lane: usize, running: Running) {
        self.log.info("run began", &[("feed", &running.feed), ("dump", &running.dump)]);
        self.metrics.run_began(&running.feed);
        self.board().running[lane] = Some(running);
        self.changed.notify_one();
    }

    /// A run ended, well or not. `error` is why, in words for who brought the dump; `lag_seconds` is from its arrival until now.
    pub(super) fn run_ended(
        &self,
        lane: usize,
        report: &RunReport,
        feed: &str,
        dump: &str,
        error: Option<String>,
        lag_seconds: f64,
    ) {
        let ended = EndedRun::of(report, dump, feed, error, lag_seconds);
        self.log_run(&ended);
        self.log_fuse(report, dump);
        let mut board = self.board();
        let running = board.running[lane].take();
        self.metrics.run_stopped(feed);
        let stages = running.map(|running| running.meter.stages()).unwrap_or_default();
        let lag = Duration::try_from_secs_f64(lag_seconds).ok();
        self.metrics.run_ended(report, &stages, lag, ended.ended);
        let of_feed = board.feeds.entry(feed.to_owned()).or_default();
        match report.state {
            State::Published => {
                of_feed.published += 1;
                of_feed.last_success = Some(ended.ended);
                board.published += 1;
                board.books += &report.books;
                if let Some(line) = report.fuse_line(true).filter(|_| is_unusual(report)) {
                    push_front(&mut board.problems, (ended.ended, line), PROBLEMS_MAX);
                }
            }
            State::AlreadyPublished => {
                of_feed.last_success = Some(ended.ended);
                board.already_published += 1;
            }
            State::DryRun | State::Failed => {}
        }
        push_front(&mut board.recent, ended, RECENT_MAX);
        drop(board);
        self.changed.notify_one();
    }

    fn log_run(&self, ended: &EndedRun) {
        let EndedRun { feed, dump, books, .. } = ended;
        let (run, error) =
            (ended.run.as_deref().unwrap_or_default(), ended.error.as_deref().unwrap_or_default());
        let numbers =
            [books.records, books.matched, books.rejected, books.alerts, books.held].map(|n| n.to_string());
        let [records, matched, rejected, alerts, held] = &numbers;
        let seconds = format!("{:.3}", ended.seconds);
        match ended.state {
            State::Failed => {
                self.log
                    .warn(format!("run ended without notices: {error}"), &[("feed", feed), ("dump", dump)]);
            }
            state => self.log.info(
                format!("run ended: {}", state.as_str()),
                &[
                    ("feed", feed),
                    ("dump", dump),
                    ("run", run),
                    ("records", records),
                    ("matched", matched),
                    ("rejected", rejected),
                    ("alerts", alerts),
                    ("held", held),
                    ("seconds", &seconds),
                ],
            ),
        }
    }

    /// Which limit of its feed's fuse a run is beyond.
    fn log_fuse(&self, report: &RunReport, dump: &str) {
        let Some(line) = report.fuse_line(true) else { return };
        let fields = [("feed", report.feed.as_str()), ("dump", dump)];
        match is_unusual(report) {
            true => self.log.warn(line, &fields),
            false => self.log.info(line, &fields),
        }
    }

    /// A run ended in a panic, of which standard error tells.
    pub(super) fn run_panicked(&self, lane: usize, feed: &str, dump: &str) {
        self.log.error("the run panicked (a bug: please report it)", &[("feed", feed), ("dump", dump)]);
        self.metrics.run_stopped(feed);
        self.board().running[lane] = None;
        self.changed.notify_one();
    }

    /// A file went to `failed`.
    pub(super) fn file_failed(&self, feed: &str, dump: &str, reason: &str) {
        self.log.error(format!("dump failed: {reason}"), &[("feed", feed), ("dump", dump)]);
        let said = if reason.contains(dump) { reason.to_owned() } else { format!("{feed}/{dump}: {reason}") };
        self.metrics.gave_up(feed);
        let mut board = self.board();
        board.failed += 1;
        board.feeds.entry(feed.to_owned()).or_default().failed += 1;
        push_front(&mut board.problems, (SystemTime::now(), said), PROBLEMS_MAX);
    }

    /// A file will be tried again.
    pub(super) fn file_retried(&self, feed: &str, dump: &str, reason: &str) {
        self.log.warn(format!("will be tried again: {reason}"), &[("feed", feed), ("dump", dump)]);
        self.metrics.retried(feed);
        self.board().retries += 1;
    }

    /// What waits, now.
    pub(super) fn inbox_now(&self, queue: QueueNow) {
        let mut board = self.board();
        self.metrics.inbox_is(&InboxDepth {
            arriving: queue.unready,
            waiting: queue.ready,
            unreported: queue.unreported,
            again: queue.again,
            working: board.running.iter().flatten().count() as u64,
            bytes: queue.bytes,
            oldest: queue.oldest,
        });
        board.queue = queue;
    }

    /// What is in the spool, now.
    pub(super) fn spool_now(&self, depths: &spool::Depths) {
        self.metrics.spool_is(depths);
        // Here because the spool is looked at again and again, whether anybody scrapes or not.
        self.metrics.run_upkeep();
        self.board().spool = Some(*depths);
    }

    /// Dumps are taken from now on, or not.
    pub(super) fn intake_now(&self, intake: Intake) {
        let mut board = self.board();
        if board.intake == intake || board.intake == Intake::Stopping {
            return;
        }
        let said = match &intake {
            Intake::Open => None,
            Intake::HighWater { unclaimed, max } => Some(format!(
                "input stopped: {unclaimed} claims wait for mailers, and {max} may (are they running?)"
            )),
            Intake::Fault { reason, .. } => Some(format!("input stopped: {reason}")),
            Intake::Stopping => None,
        };
        let was_open = board.intake == Intake::Open;
        board.intake = intake;
        match &said {
            Some(said) if was_open => {
                push_front(&mut board.problems, (SystemTime::now(), said.clone()), PROBLEMS_MAX)
            }
            _ => {}
        }
        drop(board);
        match said {
            Some(said) => self.log.error(said, &[]),
            None => self.log.info("input goes on", &[]),
        }
        self.changed.notify_one();
    }

    /// What `/metrics` answers.
    pub(super) fn metrics_text(&self) -> String {
        let running: Vec<_> = self.board().running.iter().flatten().cloned().collect();
        for run in running {
            self.metrics.run_progress(&run.feed, run.meter.ratio().unwrap_or_default());
        }
        self.metrics.render()
    }

    /// The end began.
    pub(super) fn stopping(&self, signal: &str) {
        self.log.info(format!("stopping: {signal}"), &[]);
        self.board().intake = Intake::Stopping;
    }

    /// Something an operator should look at that concerns no run.
    pub(super) fn problem(&self, said: &str) {
        self.log.warn(said, &[]);
        push_front(&mut self.board().problems, (SystemTime::now(), said.to_owned()), PROBLEMS_MAX);
    }

    /// A reload put a new configuration and index in place, or kept the old.
    pub(super) fn reload_ended(&self, outcome: Result<&Arc<Standing>, &ServeError>) {
        let now = SystemTime::now();
        let mut board = self.board();
        board.reloads.last = Some(now);
        board.reloads.last_error = outcome.err().map(ToString::to_string);
        match outcome {
            Ok(standing) => {
                board.reloads.succeeded += 1;
                board.index = index_now(standing);
                metrics_of_standing(&self.metrics, standing, now);
                let (id, owners) = (board.index.id.clone(), board.index.owners.to_string());
                drop(board);
                self.log.info("reloaded", &[("index", &id), ("owners", &owners)]);
            }
            Err(error) => {
                board.reloads.failed += 1;
                self.metrics.reload_ended(at_fault(error), false, now);
                let said = format!("reload failed, the old configuration and index stay: {error}");
                push_front(&mut board.problems, (now, said.clone()), PROBLEMS_MAX);
                drop(board);
                self.log.error(said, &[]);
            }
        }
        self.changed.notify_one();
    }
}

/// A configuration and an index were put in place.
fn metrics_of_standing(metrics: &Registry, standing: &Standing, now: SystemTime) {
    let feeds: Vec<&str> = standing.config.feeds.keys().map(String::as_str).collect();
    let senders = standing.config.senders.in_office(Moment::of_clock(now).day());
    let senders = senders.all().into_iter().map(|sender| sender.as_str());
    metrics.register_feeds(&feeds, &senders.collect::<Vec<_>>());
    metrics.index_is(&standing.index.counts(), standing.built, standing.build_time);
    metrics.reload_ended(Reloaded::Config, true, now);
    metrics.reload_ended(Reloaded::Index, true, now);
}

/// Which of both could not be loaded.
fn at_fault(error: &ServeError) -> Reloaded {
    match error {
        ServeError::Register(_) | ServeError::Build(_) | ServeError::Write(_) | ServeError::Open(_) => {
            Reloaded::Index
        }
        _ => Reloaded::Config,
    }
}

fn index_now(standing: &Standing) -> IndexNow {
    let counts = standing.index.counts();
    IndexNow {
        id: blake3::Hash::from_bytes(standing.index.id()).to_hex().to_string(),
        registrations: counts.registrations,
        owners: counts.owners,
        bytes: counts.bytes,
        built: standing.built,
        loaded: standing.loaded,
        build_seconds: standing.build_time.map(|time| time.as_secs_f64()),
    }
}

/// Whether its fuse blew for what was in it.
fn is_unusual(report: &RunReport) -> bool {
    report.fuse.as_ref().is_some_and(Blown::is_unusual)
}

fn push_front<T>(list: &mut VecDeque<T>, item: T, max: usize) {
    list.truncate(max - 1);
    list.push_front(item);
}
