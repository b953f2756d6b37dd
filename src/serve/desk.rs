//! The desk: the one thread that looks into the inbox, moves files, and gives lanes their work.
//!
//! It turns whenever the bell rings (a run ended, somebody wants to know whether it lives), inotify has something, or a time it
//! waits for has come. All it does is short: listing, stat, rename, fsync of directories.

use super::board::{Intake, LANES, Meter, QueueNow, Running};
use super::daemon::Shared;
use super::lane::{Ended, Lane, Task, shown_name};
use super::queue::{FileId, Noticed, Queue, Size};
use super::standing::{SourceStamp, Standing};
use super::verdict::Verdict;
use super::watch::{Hint, Watch};
use crate::moment::Moment;
use crate::pipeline::RunReport;
use crate::spool::{
    ArrivalKind, ArrivalStamp, CLOSED, FeedName, Inbox, SpoolError, Stranger, Survey, WorkFile,
};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Which files each lane takes.
const SIZES: [Size; LANES] = [Size::Small, Size::Any];
/// The pauses between two tries at a machine that is at fault: this first, doubled each time, up to that.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// Counting the spool costs what it holds: at most one part in so many of our time.
const COUNT_SHARE: u32 = 20;
const COUNT_PAUSE_MIN: Duration = Duration::from_secs(1);
/// A queue up to this long is told at once, a longer one now and then.
const TOLD_AT_ONCE_MAX: u64 = 1_000;
const TELL_PAUSE: Duration = Duration::from_secs(1);
/// Lists without a report that are told by name at a time.
const UNREPORTED_TOLD_MAX: usize = 20;
/// Feeds that are looked after.
const FEEDS_MAX: usize = 4_096;

pub(super) struct Desk {
    shared: Arc<Shared>,
    inbox: Inbox,
    watch: Option<Watch>,
    queue: Queue,
    standing: Arc<Standing>,
    lanes: [Lane; LANES],
    busy: [Option<Busy>; LANES],
    ended: Receiver<Ended>,
    again: Vec<Again>,
    fault: Option<Fault>,
    /// Told already.
    strangers: BTreeSet<Stranger>,
    problems: BTreeSet<String>,
    /// Nothing could be taken from them; until the next listing.
    blocked: BTreeSet<FeedName>,
    list_at: Instant,
    count_at: Instant,
    /// A run ended since the spool was counted.
    is_uncounted: bool,
    survey: Survey,
    unclaimed: u64,
    tell_at: Instant,
    is_untold: bool,
    /// Sources that changed, when last looked at; and those for which a reload was asked.
    outdated: Option<Vec<SourceStamp>>,
    asked: Option<Vec<SourceStamp>>,
}

/// A run under way.
struct Busy {
    file: WorkFile,
    arrived: SystemTime,
}

/// A file in `work` that waits for another try.
struct Again {
    file: WorkFile,
    due: Instant,
    bytes: u64,
    arrived: SystemTime,
    /// Why the last try came to nothing.
    reason: String,
}

/// The machine is at fault.
struct Fault {
    pause: Duration,
    due: Instant,
}

impl Desk {
    pub(super) fn open(shared: Arc<Shared>, inbox: Inbox) -> std::io::Result<Self> {
        let standing = shared.standing();
        let (ended_sender, ended) = channel();
        let lane = |number| {
            Lane::start(number, Arc::clone(&shared.stop), ended_sender.clone(), Arc::clone(&shared.bell))
        };
        let watch = match Watch::new(inbox.path()) {
            Ok(watch) => Some(watch),
            Err(error) => {
                let said = format!("no inotify ({error}): dumps are found by listing only, and wait longer");
                shared.observer.problem(&said);
                None
            }
        };
        let now = Instant::now();
        Ok(Self {
            lanes: [lane(0)?, lane(1)?],
            busy: [None, None],
            ended,
            survey: Survey::new(standing.spool.path()),
            queue: Queue::new(Duration::ZERO, 0),
            watch,
            inbox,
            standing,
            again: Vec::new(),
            fault: None,
            strangers: BTreeSet::new(),
            problems: BTreeSet::new(),
            blocked: BTreeSet::new(),
            list_at: now,
            count_at: now,
            is_uncounted: false,
            unclaimed: 0,
            tell_at: now,
            is_untold: true,
            outdated: None,
            asked: None,
            shared,
        })
    }

    /// Turns until it is told to stop and all runs have ended; `ready` is called after the first look.
    pub(super) fn run(mut self, ready: impl FnOnce()) {
        self.configure();
        self.take_up_left();
        self.list();
        ready();
        while !self.is_done() {
            let is_more = self.hear();
            self.end_runs();
            self.configure_if_reloaded();
            self.list_if_due();
            self.settle();
            self.count_spool_if_due();
            self.assign();
            self.tell_if_due();
            self.shared.pulse.turns.fetch_add(1, Ordering::Relaxed);
            if !is_more && !self.is_done() {
                let up_to = self.wakes_at().saturating_duration_since(Instant::now());
                self.shared.bell.wait(self.watch.as_ref(), up_to);
            }
        }
    }

    fn is_stopping(&self) -> bool {
        self.shared.stop.load(Ordering::Relaxed)
    }

    fn is_done(&self) -> bool {
        self.is_stopping() && self.busy.iter().all(Option::is_none)
    }

    /// The next moment at which there is something to do without being woken.
    fn wakes_at(&self) -> Instant {
        let is_full = self.unclaimed > self.standing.config.intake.unclaimed_max;
        let due = self.again.iter().map(|again| again.due).min();
        [
            self.queue.next_settled(),
            due.filter(|_| self.fault.is_none() && !is_full && self.busy.iter().any(Option::is_none)),
            self.fault.as_ref().map(|fault| fault.due).filter(|_| self.busy.iter().all(Option::is_none)),
            Some(self.count_at).filter(|_| is_full || self.is_uncounted),
            Some(self.tell_at).filter(|_| self.is_untold),
        ]
        .into_iter()
        .flatten()
        .fold(self.list_at, Instant::min)
    }

    fn configure(&mut self) {
        let intake = self.standing.config.intake;
        self.queue.configure(Duration::from_secs(intake.settle_seconds), intake.small_bytes_max);
        let feeds: Vec<FeedName> =
            self.standing.config.feeds.keys().filter_map(|feed| FeedName::read(feed).ok()).collect();
        for feed in feeds {
            if let Err(error) = self.inbox.create_feed(&feed) {
                self.tell_problem(error.to_string());
            }
        }
    }

    fn configure_if_reloaded(&mut self) {
        let standing = self.shared.standing();
        if !Arc::ptr_eq(&standing, &self.standing) {
            self.standing = standing;
            self.configure();
            self.list_at = Instant::now();
        }
    }

    /// What a process left that is no more: to be done again, unless it was too often.
    fn take_up_left(&mut self) {
        let left = match self.inbox.left() {
            Ok(left) => left,
            Err(error) => return self.tell_problem(format!("what a crash left is not taken up: {error}")),
        };
        for file in left {
            let metadata = file.path.symlink_metadata();
            let bytes = metadata.as_ref().map_or(0, std::fs::Metadata::len);
            let arrived = metadata.and_then(|metadata| metadata.modified()).unwrap_or(UNIX_EPOCH);
            let reason = format!("the process ended while it worked on it, {} times", file.tries);
            self.again.push(Again { file, due: Instant::now(), bytes, arrived, reason });
        }
    }

    /// Takes inotify's hints; whether there may be more.
    fn hear(&mut self) -> bool {
        let Some(watch) = &mut self.watch else { return false };
        let mut hints = Vec::new();
        let is_more = watch.read(|hint| hints.push(hint));
        for hint in hints {
            match hint {
                Hint::List => self.list_at = Instant::now(),
                Hint::Announced(feed, name) => self.look(&feed, &name, Noticed::Announced),
                Hint::Made(feed, name) => self.look(&feed, &name, Noticed::Listed),
            }
        }
        is_more
    }

    fn look(&mut self, feed: &FeedName, name: &OsStr, noticed: Noticed) {
        match self.inbox.look(feed, name) {
            Ok(Some(arrival)) => {
                let age = age(&arrival.stamp);
                self.is_untold = true;
                self.queue.see(feed, arrival, noticed, self.priority(feed), Instant::now(), age);
            }
            Ok(None) => self.queue.forget(&FileId { feed: feed.clone(), name: name.to_owned() }),
            Err(error) => self.tell_problem(error.to_string()),
        }
    }

    fn priority(&self, feed: &FeedName) -> i32 {
        self.standing.config.feeds.get(feed.as_str()).map_or(0, |feed| feed.priority)
    }

    fn list_if_due(&mut self) {
        let is_proof_wanted = self.shared.pulse.proof_wanted.swap(false, Ordering::Relaxed);
        if is_proof_wanted || self.queue.wants_listing() || Instant::now() >= self.list_at {
            self.list();
        }
    }

    /// The truth: what is in the inbox, now.
    fn list(&mut self) {
        self.list_at = Instant::now() + Duration::from_secs(self.standing.config.intake.rescan_seconds);
        self.blocked.clear();
        match self.list_feeds() {
            Ok(()) => {
                self.shared.pulse.proofs.fetch_add(1, Ordering::Relaxed);
                self.tell_unreported();
            }
            Err(error) => self.tell_problem(format!("the inbox cannot be listed: {error}")),
        }
        self.is_untold = true;
        self.look_at_sources();
    }

    /// Lists that were whole for a while and have no report: it may have been forgotten.
    fn tell_unreported(&mut self) {
        let settle = Duration::from_secs(self.standing.config.intake.settle_seconds);
        let Some(then) = Instant::now().checked_sub(settle) else { return };
        let said: Vec<String> = self
            .queue
            .unreported_since(then)
            .take(UNREPORTED_TOLD_MAX)
            .map(|id| {
                let name = crate::text::show(id.name.as_encoded_bytes(), 255);
                format!("{feed}/{name} waits for the report on it, {feed}/{name}.toml", feed = id.feed)
            })
            .collect();
        said.into_iter().for_each(|said| self.tell_problem(said));
    }

    fn list_feeds(&mut self) -> Result<(), SpoolError> {
        let (mut feeds, strangers) = self.inbox.feeds()?;
        let mut strangers: BTreeSet<Stranger> = strangers.into_iter().collect();
        for feed in feeds.drain(FEEDS_MAX.min(feeds.len())..) {
            let path = self.inbox.path().join(feed.as_str());
            strangers.insert(Stranger { path, why: "one feed too many (4096 are looked after)" });
        }
        // All are watched before any is listed: what comes in between is seen twice, not never; and how long the others take to
        // list does not make anybody miss the rename of his first dump.
        feeds.iter().for_each(|feed| self.watch_feed(feed));
        self.queue.begin_listing();
        for feed in &feeds {
            let priority = self.priority(feed);
            let Ok(arrivals) = self.inbox.list(feed) else {
                // One that is closed to us is no reason to see nothing of the others.
                strangers.insert(Stranger { path: self.inbox.path().join(feed.as_str()), why: CLOSED });
                continue;
            };
            for arrival in arrivals {
                if arrival.kind == ArrivalKind::Directory {
                    let why = "a directory (put its files into the feed's directory)";
                    let path = self.inbox.path().join(feed.as_str()).join(&arrival.name);
                    strangers.insert(Stranger { path, why });
                }
                let age = age(&arrival.stamp);
                self.queue.see(feed, arrival, Noticed::Listed, priority, Instant::now(), age);
            }
        }
        self.queue.end_listing();
        for stranger in strangers.difference(&self.strangers) {
            let path = crate::text::show(stranger.path.as_os_str().as_encoded_bytes(), 1024);
            self.shared.observer.problem(&format!("not taken: {path}: {}", stranger.why));
        }
        self.strangers = strangers;
        Ok(())
    }

    fn watch_feed(&mut self, feed: &FeedName) {
        let path = self.inbox.path().join(feed.as_str());
        if let Some(Err(error)) = self.watch.as_mut().map(|watch| watch.add(feed, &path)) {
            self.tell_problem(format!("{} is not watched, only listed: {error}", path.display()));
        }
    }

    /// Sources that changed, and did not change again since the last look, want another index.
    fn look_at_sources(&mut self) {
        let now = self.standing.changed_sources();
        if now.is_some() && now == self.outdated && now != self.asked {
            self.asked.clone_from(&now);
            self.shared.reload_wanted.notify_one();
        }
        if now.is_some() && now != self.outdated {
            // Soon again: whoever writes it may not be done.
            let soon =
                Instant::now() + Duration::from_secs(self.standing.config.intake.settle_seconds.max(1));
            self.list_at = self.list_at.min(soon);
        }
        self.outdated = now;
    }

    /// Files that nobody announced, and that have not changed for long enough.
    fn settle(&mut self) {
        for id in self.queue.settled(Instant::now()) {
            self.look(&id.feed, &id.name, Noticed::Listed);
        }
    }

    fn count_spool_if_due(&mut self) {
        let started = Instant::now();
        if started < self.count_at {
            return;
        }
        let mut cost = Duration::ZERO;
        let path = self.standing.spool.path();
        if self.survey.path() != path {
            self.survey = Survey::new(path);
        }
        match self.survey.look() {
            Ok(depths) => {
                self.unclaimed = depths.status.unclaimed;
                self.shared.observer.spool_now(&depths);
                cost = started.elapsed();
            }
            Err(error) => self.tell_problem(format!("the spool cannot be counted: {error}")),
        }
        self.is_uncounted = false;
        self.count_at = Instant::now() + (cost * COUNT_SHARE).max(COUNT_PAUSE_MIN);
    }

    /// Gives each idle lane the next file that it may take.
    fn assign(&mut self) {
        if self.is_stopping() {
            return;
        }
        let max = self.standing.config.intake.unclaimed_max;
        if let Some(fault) = &self.fault {
            // One try shows whether the machine has recovered.
            if Instant::now() < fault.due || self.busy.iter().any(Option::is_some) {
                return;
            }
        } else if self.unclaimed > max {
            let unclaimed = self.unclaimed;
            return self.shared.observer.intake_now(Intake::HighWater { unclaimed, max });
        } else {
            self.shared.observer.intake_now(Intake::Open);
        }
        for lane in 0..LANES {
            while self.busy[lane].is_none() && self.assign_next(lane) {}
            if self.fault.is_some() {
                return;
            }
        }
    }

    /// Whether there was a file to look at; the lane may still be idle, if that one was not to be processed.
    fn assign_next(&mut self, lane: usize) -> bool {
        if let Some(again) = self.next_again(SIZES[lane]) {
            self.try_again(lane, again);
            return self.fault.is_none();
        }
        let is_free = |id: &FileId| {
            let is_same = |file: &WorkFile| file.feed == id.feed && file.name == id.name;
            !self.blocked.contains(&id.feed)
                && !self.busy.iter().flatten().any(|busy| is_same(&busy.file))
                && !self.again.iter().any(|again| is_same(&again.file))
        };
        let Some((id, stamp)) = self.queue.next(SIZES[lane], is_free) else { return false };
        self.is_untold = true;
        match self.take(&id, &stamp) {
            Ok(Some(file)) => self.begin(lane, file, stamp.bytes, system_time(stamp.changed)),
            Ok(None) => {}
            Err(error) => {
                self.blocked.insert(id.feed.clone());
                self.tell_problem(format!("nothing can be taken from feed {}: {error}", id.feed));
            }
        }
        true
    }

    /// Takes a file if it is still as it was; else it is looked at anew.
    fn take(&mut self, id: &FileId, stamp: &ArrivalStamp) -> Result<Option<WorkFile>, SpoolError> {
        match self.inbox.look(&id.feed, &id.name)? {
            Some(arrival) if arrival.stamp == *stamp => {
                let file = self.inbox.take(&id.feed, &id.name)?;
                self.queue.forget(id);
                Ok(file)
            }
            _ => {
                self.look(&id.feed, &id.name, Noticed::Listed);
                Ok(None)
            }
        }
    }

    fn next_again(&mut self, size: Size) -> Option<Again> {
        let (now, small_bytes_max) = (Instant::now(), self.standing.config.intake.small_bytes_max);
        let fits = |again: &Again| size == Size::Any || again.bytes <= small_bytes_max;
        let found = self.again.iter().position(|again| again.due <= now && fits(again))?;
        self.is_untold = true;
        Some(self.again.remove(found))
    }

    fn try_again(&mut self, lane: usize, again: Again) {
        if again.file.tries >= self.standing.config.intake.tries_max {
            let reason = format!("given up after {} tries: {}", again.file.tries, again.reason);
            return self.fail(again.file, &reason, again.arrived);
        }
        match self.inbox.count_try(&again.file) {
            Ok(file) => self.begin(lane, file, again.bytes, again.arrived),
            Err(_) if again.file.path.symlink_metadata().is_err() => {}
            Err(error) => {
                self.machine_fault(error.to_string());
                self.again.push(again);
            }
        }
    }

    fn begin(&mut self, lane: usize, file: WorkFile, bytes_stored: u64, arrived: SystemTime) {
        let meter = Arc::new(Meter::default());
        let running = Running {
            feed: file.feed.to_string(),
            dump: shown_name(&file),
            bytes_stored,
            started: SystemTime::now(),
            meter: Arc::clone(&meter),
        };
        self.shared.observer.run_began(lane, running);
        let standing = self.shared.standing();
        self.lanes[lane].give(Task { file: file.clone(), standing, meter, run_time: self.shared.run_time });
        self.busy[lane] = Some(Busy { file, arrived });
    }

    fn end_runs(&mut self) {
        while let Ok(Ended { lane, report }) = self.ended.try_recv() {
            let Some(Busy { file, arrived }) = self.busy[lane].take() else { continue };
            (self.is_untold, self.is_uncounted) = (true, true);
            let verdict = self.observe_end(lane, report.as_ref(), &file, arrived);
            if !matches!(verdict, Verdict::Machine(_) | Verdict::Stopped) && self.fault.take().is_some() {
                self.shared.observer.intake_now(Intake::Open);
            }
            self.conclude(file, verdict, arrived);
        }
    }

    fn observe_end(
        &mut self,
        lane: usize,
        report: Option<&RunReport>,
        file: &WorkFile,
        arrived: SystemTime,
    ) -> Verdict {
        let (feed, dump) = (file.feed.as_str(), shown_name(file));
        let Some(report) = report else {
            self.shared.observer.run_panicked(lane, feed, &dump);
            return Verdict::Again("a bug: the run panicked (please report it with the log)".to_owned());
        };
        let lag_seconds = arrived.elapsed().unwrap_or_default().as_secs_f64();
        let error = report.error.as_deref().map(|error| as_brought(file, error));
        self.shared.observer.run_ended(lane, report, feed, &dump, error, lag_seconds);
        // Until it is counted again.
        self.unclaimed += u64::from(report.failure.is_none() && report.books.alerts > 0);
        Verdict::of(report)
    }

    /// Puts a file where its run's end says.
    fn conclude(&mut self, file: WorkFile, verdict: Verdict, arrived: SystemTime) {
        let (feed, dump) = (file.feed.to_string(), shown_name(&file));
        match verdict {
            Verdict::Gone => {
                self.tell_problem(format!("{feed}/{dump} was taken out of work/ by somebody else"))
            }
            Verdict::Failed(reason) => self.fail(file, &reason, arrived),
            Verdict::Done => {
                if let Err(error) = self.inbox.finish(&file) {
                    self.machine_fault(error.to_string());
                    self.wait_again(file, error.to_string(), arrived);
                }
            }
            Verdict::Again(reason) => {
                if file.tries < self.standing.config.intake.tries_max {
                    self.shared.observer.file_retried(&feed, &dump, &reason);
                }
                self.wait_again(file, reason, arrived);
            }
            Verdict::Machine(reason) => {
                self.shared.observer.file_retried(&feed, &dump, &reason);
                self.machine_fault(reason.clone());
                let file = self.give_back(file);
                self.wait_again(file, reason, arrived);
            }
            // The next process finds it in work/.
            Verdict::Stopped => drop(self.give_back(file)),
        }
    }

    fn give_back(&mut self, file: WorkFile) -> WorkFile {
        match self.inbox.give_back(&file) {
            Ok(file) => file,
            Err(error) => {
                self.tell_problem(format!("a try is counted that was none: {error}"));
                file
            }
        }
    }

    fn wait_again(&mut self, file: WorkFile, reason: String, arrived: SystemTime) {
        let pause = match (&self.fault, file.tries < self.standing.config.intake.tries_max) {
            (None, true) => Duration::from_secs(self.standing.config.intake.settle_seconds.max(1)),
            // With the machine's own pause, or to be given up at once.
            _ => Duration::ZERO,
        };
        let bytes = file.path.symlink_metadata().map_or(0, |metadata| metadata.len());
        self.again.push(Again { file, due: Instant::now() + pause, bytes, arrived, reason });
    }

    fn fail(&mut self, file: WorkFile, reason: &str, arrived: SystemTime) {
        let (feed, dump) = (file.feed.to_string(), shown_name(&file));
        let reason = &as_brought(&file, reason);
        let failed_at = Moment::of_clock(SystemTime::now()).id_text();
        let text =
            format!("{reason}\n\nfeed: {feed}\ndump: {dump}\nfailed: {failed_at}\ntries: {}\n", file.tries);
        match self.inbox.fail(&file, &text) {
            Ok(_) => self.shared.observer.file_failed(&feed, &dump, reason),
            Err(error) => {
                self.machine_fault(error.to_string());
                self.wait_again(file, reason.to_owned(), arrived);
            }
        }
    }

    /// Nothing is taken until the pause is over; then one try.
    fn machine_fault(&mut self, reason: String) {
        let pause = self.fault.as_ref().map_or(PAUSE_MIN, |fault| (fault.pause * 2).min(PAUSE_MAX));
        let until = SystemTime::now() + pause;
        self.shared.observer.intake_now(Intake::Fault { reason, until });
        self.fault = Some(Fault { pause, due: Instant::now() + pause });
    }

    /// Tells a problem once.
    fn tell_problem(&mut self, said: String) {
        if self.problems.len() >= FEEDS_MAX {
            self.problems.clear();
        }
        if self.problems.insert(said.clone()) {
            self.shared.observer.problem(&said);
        }
    }

    fn tell_if_due(&mut self) {
        let now = Instant::now();
        if !self.is_untold || (now < self.tell_at && self.queue.ready() > TOLD_AT_ONCE_MAX) {
            return;
        }
        let depth = self.queue.depth();
        self.shared.observer.inbox_now(QueueNow {
            ready: depth.ready,
            unready: depth.unready,
            unreported: depth.unreported,
            again: self.again.len() as u64,
            bytes: depth.bytes,
            by_feed: depth.by_feed,
            oldest: depth.oldest_changed.map(|seconds| system_time((seconds, 0))),
        });
        self.is_untold = false;
        self.tell_at = now + TELL_PAUSE;
    }
}

/// A message with the file's name as who brought it knows it: where it was while we worked on it helps nobody any more.
fn as_brought(file: &WorkFile, said: &str) -> String {
    let path = crate::text::show(file.path.as_os_str().as_encoded_bytes(), 4096);
    said.replace(&path, &format!("{}/{}", file.feed, shown_name(file)))
}

fn system_time((seconds, nanos): (i64, i64)) -> SystemTime {
    UNIX_EPOCH + Duration::new(seconds.max(0) as u64, nanos as u32)
}

/// How long ago the system changed it; nothing if it says: in the future.
fn age(stamp: &ArrivalStamp) -> Duration {
    system_time(stamp.changed).elapsed().unwrap_or_default()
}
