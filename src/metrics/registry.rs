//! The series, and the facts that change them.

use super::process::Process;
use super::stages::StageSeconds;
use super::table::{self, ALL, Kind, Label, Metric, Shell, Values};
use super::text;
use crate::index::Counts;
use crate::pipeline::{Books, RunReport, Stage, State};
use crate::spool::Depths;
use ::metrics::{Key, KeyName, Level, Metadata, Recorder};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Feeds with series of their own; what more there are count together, as `other`.
pub const FEEDS_MAX: usize = 1000;
const OTHER: &str = "other";

/// What is loaded, and loaded again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reloaded {
    /// The configuration.
    Config,
    /// The index.
    Index,
}

/// How much waits in the inbox.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct InboxDepth {
    /// Files that are still being written, or that may be.
    pub arriving: u64,
    /// Dumps that wait for a run.
    pub waiting: u64,
    /// Lists that wait for the report on them.
    pub unreported: u64,
    /// Dumps that wait for another try.
    pub again: u64,
    /// Dumps in a run.
    pub working: u64,
    /// Bytes of those that wait.
    pub bytes: u64,
    /// When the oldest that waits arrived.
    pub oldest: Option<SystemTime>,
}

/// All series of one shell. Usable from several threads at once.
pub struct Registry {
    recorder: PrometheusRecorder,
    page: PrometheusHandle,
    shell: Shell,
    /// A batch's name: a label on every line.
    batch: Option<String>,
    feeds: Mutex<BTreeSet<String>>,
    started_at: f64,
}

static METADATA: Metadata<'static> = Metadata::new("dijkwacht", Level::INFO, None);

impl Registry {
    /// For the daemon. All series without a feed are there, at zero.
    pub fn of_daemon() -> Self {
        Self::new(Shell::Daemon, None)
    }

    /// For the batch of this name, which every series bears, so that the files of several batches can lie beside each other.
    pub(super) fn of_batch(name: &str) -> Self {
        Self::new(Shell::Batch, Some(name.to_owned()))
    }

    fn new(shell: Shell, batch: Option<String>) -> Self {
        let mut builder = PrometheusBuilder::new();
        if let Some(batch) = &batch {
            builder = builder.add_global_label("batch", batch);
        }
        for metric in ALL {
            if let Kind::Histogram(bounds) = metric.kind {
                let name = Matcher::Full(metric.name.to_owned());
                builder = builder.set_buckets_for_metric(name, bounds).expect("there are bounds");
            }
        }
        let recorder = builder.build_recorder();
        let page = recorder.handle();
        let started_at = unix_seconds(SystemTime::now());
        let registry = Self { recorder, page, shell, batch, feeds: Mutex::default(), started_at };
        registry.metrics().for_each(|metric| registry.describe(metric));
        registry.register(&[], &[]);
        registry.gauge(&table::BUILD_INFO, &[env!("CARGO_PKG_VERSION")], 1.0);
        registry
    }

    /// The metrics of this shell that the recorder keeps; those of the process are read when the page is.
    fn metrics(&self) -> impl Iterator<Item = &'static Metric> {
        let is_told = |metric: &Metric| metric.shell == Shell::Both || metric.shell == self.shell;
        ALL.iter().copied().filter(move |metric| is_told(metric) && !is_of_process(metric))
    }

    fn describe(&self, metric: &'static Metric) {
        let (name, help) = (KeyName::from_const_str(metric.name), metric.help.into());
        match metric.kind {
            Kind::Counter => self.recorder.describe_counter(name, None, help),
            Kind::Gauge => self.recorder.describe_gauge(name, None, help),
            Kind::Histogram(_) => self.recorder.describe_histogram(name, None, help),
        }
    }

    /// Makes the series of these feeds, with every value that their other labels can have, at zero. A feed that is not named
    /// here gets its series with its first run.
    pub fn register_feeds(&self, feeds: &[&str], senders: &[&str]) {
        let mut known = self.feeds.lock().unwrap_or_else(PoisonError::into_inner);
        let mut added: Vec<&str> = Vec::new();
        for feed in feeds.iter().filter(|feed| !known.contains(**feed)).copied().collect::<BTreeSet<_>>() {
            let feed = if known.len() < FEEDS_MAX { feed } else { OTHER };
            known.insert(feed.to_owned());
            added.push(feed);
        }
        drop(known);
        if !added.is_empty() {
            self.register(&added, senders);
        }
    }

    fn register(&self, feeds: &[&str], senders: &[&str]) {
        for metric in self.metrics() {
            let is_of_feeds = metric.labels.iter().any(|label| matches!(label.values, Values::Feeds));
            if is_of_feeds == feeds.is_empty() {
                continue;
            }
            for values in combinations(metric.labels, feeds, senders) {
                self.touch(metric, &values);
            }
        }
    }

    fn touch(&self, metric: &'static Metric, values: &[&str]) {
        match metric.kind {
            Kind::Counter => self.count(metric, values, 0),
            Kind::Gauge => {
                self.recorder.register_gauge(&key(metric, values), &METADATA).increment(0.0);
            }
            Kind::Histogram(_) => {
                let _ = self.recorder.register_histogram(&key(metric, values), &METADATA);
            }
        }
    }

    fn count(&self, metric: &'static Metric, values: &[&str], count: u64) {
        self.recorder.register_counter(&key(metric, values), &METADATA).increment(count);
    }

    fn gauge(&self, metric: &'static Metric, values: &[&str], value: f64) {
        if metric.shell == Shell::Both || metric.shell == self.shell {
            self.recorder.register_gauge(&key(metric, values), &METADATA).set(value);
        }
    }

    fn observe(&self, metric: &'static Metric, values: &[&str], value: f64) {
        self.recorder.register_histogram(&key(metric, values), &METADATA).record(value);
    }

    /// The label of a feed, whose series are there after this.
    fn feed<'f>(&self, feed: &'f str) -> &'f str {
        // A dump whose feed was never known.
        let feed = if feed.is_empty() { OTHER } else { feed };
        self.register_feeds(&[feed], &[]);
        let known = self.feeds.lock().unwrap_or_else(PoisonError::into_inner);
        if known.contains(feed) { feed } else { OTHER }
    }

    /// A run begins.
    pub fn run_began(&self, feed: &str) {
        let feed = self.feed(feed);
        self.recorder.register_gauge(&key(&table::RUNS_IN_PROGRESS, &[feed]), &METADATA).increment(1.0);
        self.gauge(&table::RUN_PROGRESS, &[feed], 0.0);
    }

    /// How far a run is, from 0 to 1.
    pub fn run_progress(&self, feed: &str, ratio: f64) {
        self.gauge(&table::RUN_PROGRESS, &[self.feed(feed)], ratio.clamp(0.0, 1.0));
    }

    /// A run that [began](Self::run_began) as `feed` goes on no more.
    pub fn run_stopped(&self, feed: &str) {
        let feed = self.feed(feed);
        self.recorder.register_gauge(&key(&table::RUNS_IN_PROGRESS, &[feed]), &METADATA).decrement(1.0);
        self.gauge(&table::RUN_PROGRESS, &[feed], 0.0);
    }

    /// What a run came to, and for a dump of the inbox how long after its arrival its notices were there.
    pub fn run_ended(
        &self,
        report: &RunReport,
        stages: &StageSeconds,
        lag: Option<Duration>,
        at: SystemTime,
    ) {
        let feed = self.feed(&report.feed);
        self.count(&table::RUNS, &[feed, report.state.as_str()], 1);
        self.gauge(&table::LAST_RUN_SECONDS, &[feed], report.seconds);
        match &report.failure {
            Some(error) => self.count(&table::RUN_FAILURES, &[feed, error.reason()], 1),
            None => self.gauge(&table::LAST_SUCCESS_AT, &[feed], unix_seconds(at)),
        }
        for (stage, seconds) in Stage::ALL.into_iter().zip(stages).filter(|(_, seconds)| **seconds > 0.0) {
            self.observe(&table::STAGE_SECONDS, &[stage.as_str()], *seconds);
        }
        if report.state == State::Published {
            self.add_books(feed, &report.books);
            self.add_alerts(feed, report);
            if let Some(blown) = &report.fuse {
                self.count(&table::FUSES, &[feed, blown.limit.as_str()], 1);
            }
            if let Some(lag) = lag {
                self.observe(&table::LAG_SECONDS, &[], lag.as_secs_f64());
            }
        }
    }

    fn add_books(&self, feed: &str, books: &Books) {
        let add = |metric, outcomes: &[(&str, u64)]| {
            outcomes.iter().for_each(|(outcome, count)| self.count(metric, &[feed, outcome], *count));
        };
        let records = [
            ("matched", books.matched),
            ("unmatched", books.unmatched),
            ("skipped", books.skipped),
            ("rejected", books.rejected),
        ];
        let decisions = [
            ("alert", books.alerts),
            ("duplicate", books.duplicates),
            ("held", books.held),
            ("dropped", books.dropped),
            ("excepted", books.excepted),
        ];
        add(&table::RECORDS, &records);
        add(&table::DECISIONS, &decisions);
        add(&table::REJECTED, &books.rejected_by.iter().collect::<Vec<_>>());
        add(&table::SKIPPED, &books.skipped_by.iter().collect::<Vec<_>>());
        add(&table::HELD, &books.held_by.iter().collect::<Vec<_>>());
        for (metric, count) in [
            (&table::SPECIAL, books.unmatched_special),
            (&table::DUTCH, books.unmatched_dutch.unwrap_or_default()),
            (&table::NOTICES, books.owners),
            (&table::INPUT_BYTES, books.bytes),
            (&table::STORED_BYTES, books.bytes_stored),
        ] {
            self.count(metric, &[feed], count);
        }
    }

    fn add_alerts(&self, feed: &str, report: &RunReport) {
        for (sender, counts) in &report.alerts_by {
            for (severity, count) in crate::policy::Severity::ALL.into_iter().zip(counts) {
                self.count(&table::ALERTS, &[feed, severity.as_str(), sender], *count);
            }
        }
    }

    /// A dump goes back to wait.
    pub fn retried(&self, feed: &str) {
        self.count(&table::RETRIES, &[self.feed(feed)], 1);
    }

    /// A dump was moved to `failed`.
    pub fn gave_up(&self, feed: &str) {
        self.count(&table::GIVEN_UP, &[self.feed(feed)], 1);
    }

    /// What a load came to, the first one too.
    pub fn reload_ended(&self, what: Reloaded, succeeded: bool, at: SystemTime) {
        let what = what.as_str();
        let outcome = table::OUTCOMES_OF_A_RELOAD[usize::from(!succeeded)];
        self.count(&table::RELOADS, &[what, outcome], 1);
        self.gauge(&table::RELOAD_SUCCESSFUL, &[what], f64::from(u8::from(succeeded)));
        if succeeded {
            self.gauge(&table::RELOAD_SUCCESS_AT, &[what], unix_seconds(at));
        }
    }

    /// The index that is used from now on: when it was built (an opened file's mtime), and how long that took if this process
    /// did it.
    pub fn index_is(&self, counts: &Counts, built: SystemTime, took: Option<Duration>) {
        let by_family = [counts.ipv4, counts.ipv6, counts.domains, counts.asns];
        for (family, count) in table::FAMILIES.into_iter().zip(by_family) {
            self.gauge(&table::INDEX_REGISTRATIONS, &[family], count as f64);
        }
        self.gauge(&table::INDEX_OWNERS, &[], counts.owners as f64);
        self.gauge(&table::INDEX_BYTES, &[], counts.bytes as f64);
        self.gauge(&table::INDEX_BUILT_AT, &[], unix_seconds(built));
        self.gauge(&table::INDEX_BUILD_SECONDS, &[], took.unwrap_or_default().as_secs_f64());
    }

    /// How much waits in the inbox.
    pub fn inbox_is(&self, depth: &InboxDepth) {
        let files = [depth.arriving, depth.waiting, depth.unreported, depth.again, depth.working];
        for (state, count) in table::STATES_OF_A_FILE.into_iter().zip(files) {
            self.gauge(&table::INBOX_FILES, &[state], count as f64);
        }
        self.gauge(&table::INBOX_BYTES, &[], depth.bytes as f64);
        self.gauge(&table::INBOX_OLDEST_AT, &[], depth.oldest.map_or(0.0, unix_seconds));
    }

    /// How much waits in the spool, and what is left of its disk.
    pub fn spool_is(&self, depths: &Depths) {
        let status = &depths.status;
        let claims = [status.unclaimed, status.cur, status.done, status.failed];
        for (state, count) in table::STATES_OF_A_CLAIM.into_iter().zip(claims) {
            self.gauge(&table::SPOOL_CLAIMS, &[state], count as f64);
        }
        let Depths { unclaimed, held, .. } = depths;
        for (metric, value) in [
            (&table::SPOOL_BYTES, unclaimed.bytes as f64),
            (&table::SPOOL_OLDEST_AT, unclaimed.oldest.unwrap_or(0) as f64),
            (&table::SPOOL_DISK_BYTES, depths.disk_bytes as f64),
            (&table::SPOOL_DISK_AVAIL, depths.disk_available_bytes as f64),
            (&table::HELD_RUNS, held.count as f64),
            (&table::HELD_BYTES, held.bytes as f64),
            (&table::HELD_OLDEST_AT, held.oldest.unwrap_or(0) as f64),
        ] {
            self.gauge(metric, &[], value);
        }
    }

    /// What a batch came to.
    pub(super) fn batch_ended(&self, exit_code: u8, took: Duration, at: SystemTime) {
        self.gauge(&table::BATCH_ENDED_AT, &[], unix_seconds(at));
        self.gauge(&table::BATCH_SUCCESS_AT, &[], if exit_code == 0 { unix_seconds(at) } else { 0.0 });
        self.gauge(&table::BATCH_SECONDS, &[], took.as_secs_f64());
        self.gauge(&table::BATCH_EXIT_CODE, &[], f64::from(exit_code));
    }

    /// Sorts observations into their buckets. Call it every few seconds: between two calls each observation takes memory.
    pub fn run_upkeep(&self) {
        self.page.run_upkeep();
    }

    /// The page, in Prometheus' text format, sorted.
    pub fn render(&self) -> String {
        let mut page = self.page.render();
        self.render_process(&mut page);
        text::sort(&page)
    }

    /// The recorder's counters are whole numbers, processor time is not: these are written here, as they are read.
    fn render_process(&self, page: &mut String) {
        let now = Process::look();
        let mut write = |metric: &Metric, values: &[(&str, f64)]| {
            let _ = write!(page, "\n\n{}", text::head_of(metric));
            for (value_of_label, value) in values {
                let own = metric.labels.first().map(|label| format!("{}=\"{value_of_label}\"", label.name));
                let batch = self.batch.as_ref().map(|batch| format!("batch=\"{batch}\""));
                let labels: Vec<String> = batch.into_iter().chain(own).collect();
                let labels =
                    if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
                let _ = writeln!(page, "{}{labels} {value}", metric.name);
            }
        };
        write(&table::CPU_SECONDS, &[("", now.cpu_seconds)]);
        write(&table::FAULTS, &[("minor", now.minor_faults as f64), ("major", now.major_faults as f64)]);
        let memory = [now.anonymous_bytes, now.file_bytes, now.shared_bytes].map(|bytes| bytes as f64);
        write(&table::MEMORY, &table::KINDS_OF_MEMORY.into_iter().zip(memory).collect::<Vec<_>>());
        write(&table::DESCRIPTORS, &[("", now.descriptors as f64)]);
        write(&table::DESCRIPTORS_MAX, &[("", now.descriptors_max as f64)]);
        write(&table::THREADS, &[("", now.threads as f64)]);
        write(&table::STARTED_AT, &[("", self.started_at)]);
    }
}

impl Reloaded {
    fn as_str(self) -> &'static str {
        table::RELOADED[self as usize]
    }
}

fn is_of_process(metric: &Metric) -> bool {
    metric.name.starts_with("dijkwacht_process_")
}

fn key(metric: &'static Metric, values: &[&str]) -> Key {
    debug_assert_eq!(metric.labels.len(), values.len(), "{}", metric.name);
    let labels = metric.labels.iter().zip(values);
    let labels: Vec<_> =
        labels.map(|(label, value)| ::metrics::Label::new(label.name, (*value).to_owned())).collect();
    Key::from_parts(metric.name, labels)
}

/// Every combination of the labels' values.
fn combinations<'v>(labels: &[Label], feeds: &[&'v str], senders: &[&'v str]) -> Vec<Vec<&'v str>> {
    let mut all: Vec<Vec<&str>> = vec![Vec::new()];
    for label in labels {
        let values: Vec<&str> = match label.values {
            Values::Feeds => feeds.to_vec(),
            Values::Senders => senders.to_vec(),
            Values::These(values) => values(),
        };
        all = all
            .iter()
            .flat_map(|begun| values.iter().map(|value| [&begun[..], &[*value]].concat()))
            .collect();
    }
    all
}

pub(super) fn unix_seconds(at: SystemTime) -> f64 {
    at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}
