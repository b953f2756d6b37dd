//! The table of all metrics: name, kind, labels, help.

use crate::pipeline::{RunError, Stage, State};
use crate::policy::Severity;
use crate::policy::{FuseLimit, Hold};
use crate::scan::{Reject, Skip};

/// One metric.
#[derive(Debug)]
pub struct Metric {
    /// Base unit last, `_total` for counters.
    pub name: &'static str,
    /// What it is to Prometheus.
    pub kind: Kind,
    /// Its labels, in order.
    pub labels: &'static [Label],
    /// What it says, for a person.
    pub help: &'static str,
    /// Who tells it.
    pub shell: Shell,
}

/// What a metric is to Prometheus.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Kind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Counts by size; the upper bounds of the buckets.
    Histogram(&'static [f64]),
}

/// Who tells a metric.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shell {
    /// The daemon and a batch.
    Both,
    /// The daemon only: a batch has no such thing.
    Daemon,
    /// A batch only.
    Batch,
}

/// A label and what it may be.
#[derive(Debug)]
pub struct Label {
    /// Its name.
    pub name: &'static str,
    /// Its values.
    pub values: Values,
}

/// The closed set of a label's values.
#[derive(Debug)]
pub enum Values {
    /// Names of feeds.
    Feeds,
    /// Names of senders.
    Senders,
    /// These.
    These(fn() -> Vec<&'static str>),
}

const FEED: Label = Label { name: "feed", values: Values::Feeds };
const SENDER: Label = Label { name: "sender", values: Values::Senders };

const fn these(name: &'static str, values: fn() -> Vec<&'static str>) -> Label {
    Label { name, values: Values::These(values) }
}

const SECONDS_OF_A_STAGE: &[f64] = &[0.001, 0.01, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0];
const SECONDS_OF_LAG: &[f64] =
    &[0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0, 86_400.0];

/// Defines the metrics and [`ALL`] of them.
macro_rules! table {
    ($($id:ident $shell:ident $kind:expr, $name:literal, [$($label:expr),*], $help:literal;)*) => {
        $(#[doc = $help] pub(super) const $id: Metric = Metric {
            name: $name,
            kind: $kind,
            labels: &[$($label),*],
            help: $help,
            shell: Shell::$shell,
        };)*

        /// All metrics, by what they are about.
        pub const ALL: &[&Metric] = &[$(&$id),*];
    };
}

use Kind::{Counter, Gauge, Histogram};

table! {
    BUILD_INFO Both Gauge, "dijkwacht_build_info", [these("version", || vec![env!("CARGO_PKG_VERSION")])],
        "1; the label tells the version that runs.";

    RELOADS Daemon Counter, "dijkwacht_reloads_total",
        [these("what", || RELOADED.into()), these("outcome", || OUTCOMES_OF_A_RELOAD.into())],
        "Loads of the configuration and of the index, the first at the start included.";
    RELOAD_SUCCESSFUL Daemon Gauge, "dijkwacht_reload_last_successful", [these("what", || RELOADED.into())],
        "1 if the last load succeeded; 0 if it failed, and what was loaded before is still used.";
    RELOAD_SUCCESS_AT Daemon Gauge, "dijkwacht_reload_last_success_timestamp_seconds",
        [these("what", || RELOADED.into())],
        "When the last load that succeeded ended.";

    INDEX_REGISTRATIONS Both Gauge, "dijkwacht_index_registrations", [these("family", || FAMILIES.into())],
        "Registrations in the index that is used.";
    INDEX_OWNERS Both Gauge, "dijkwacht_index_owners", [], "Owners in the index that is used.";
    INDEX_BYTES Both Gauge, "dijkwacht_index_size_bytes", [], "Size of the index that is used.";
    INDEX_BUILT_AT Both Gauge, "dijkwacht_index_built_timestamp_seconds", [],
        "When the index that is used was built; its age is time() minus this.";
    INDEX_BUILD_SECONDS Both Gauge, "dijkwacht_index_build_seconds", [],
        "How long this process took to build the index that is used; 0 if it opened a file.";

    RUNS Both Counter, "dijkwacht_runs_total", [FEED, these("state", || State::ALL.map(State::as_str).into())],
        "Runs by what became of them.";
    RUN_FAILURES Both Counter, "dijkwacht_run_failures_total",
        [FEED, these("reason", || RunError::REASONS.into())],
        "Runs that failed, by reason; nothing of them was published.";
    LAST_SUCCESS_AT Both Gauge, "dijkwacht_last_success_timestamp_seconds", [FEED],
        "When the last run that succeeded ended, of a dump seen before too.";
    LAST_RUN_SECONDS Both Gauge, "dijkwacht_last_run_seconds", [FEED], "How long the last run took.";
    RUNS_IN_PROGRESS Daemon Gauge, "dijkwacht_runs_in_progress", [FEED], "Runs that are being processed.";
    RUN_PROGRESS Daemon Gauge, "dijkwacht_run_progress_ratio", [FEED],
        "How far the run in progress is, from 0 to 1; 0 without one, or where the size of its dump is not known.";
    STAGE_SECONDS Both Histogram(SECONDS_OF_A_STAGE), "dijkwacht_run_stage_seconds",
        [these("stage", || Stage::ALL.map(Stage::as_str).into())],
        "How long runs took, by stage.";
    LAG_SECONDS Daemon Histogram(SECONDS_OF_LAG), "dijkwacht_lag_seconds", [],
        "From a dump's arrival in the inbox to the publication of its notices.";

    RECORDS Both Counter, "dijkwacht_records_total", [FEED, these("outcome", || OUTCOMES_OF_A_RECORD.into())],
        "Records of published dumps: each matched, unmatched, skipped or rejected.";
    SPECIAL Both Counter, "dijkwacht_special_records_total", [FEED],
        "Unmatched records whose address is special-purpose.";
    DUTCH Both Counter, "dijkwacht_dutch_unmatched_records_total", [FEED],
        "Unmatched records whose address is Dutch, by the delegations in the index: nobody has registered it.";
    REJECTED Both Counter, "dijkwacht_rejected_records_total",
        [FEED, these("reason", || Reject::ALL.map(Reject::as_str).into())],
        "Records that could not be read as far as they were judged.";
    SKIPPED Both Counter, "dijkwacht_skipped_records_total",
        [FEED, these("reason", || Skip::ALL.map(Skip::as_str).into())],
        "Records that a registration is found for, but that are no exposure.";
    DECISIONS Both Counter, "dijkwacht_decisions_total", [FEED, these("outcome", || OUTCOMES_OF_A_DECISION.into())],
        "Findings times recipients: each alerted, a duplicate, held, dropped or excepted.";
    HELD Both Counter, "dijkwacht_held_alerts_total", [FEED, these("reason", || Hold::ALL.map(Hold::as_str).into())],
        "Alerts that were held for a person to decide.";
    FUSES Both Counter, "dijkwacht_fuses_blown_total",
        [FEED, these("limit", || FuseLimit::ALL.map(FuseLimit::as_str).into())],
        "Runs of which everything was held, by the limit of their feed's fuse.";
    ALERTS Both Counter, "dijkwacht_alerts_total",
        [FEED, these("severity", || Severity::ALL.map(Severity::as_str).into()), SENDER],
        "Alerts that were published.";
    NOTICES Both Counter, "dijkwacht_notices_total", [FEED], "Notices that were published: owners told, by run.";
    INPUT_BYTES Both Counter, "dijkwacht_input_bytes_total", [FEED], "Bytes of published dumps, decompressed.";
    STORED_BYTES Both Counter, "dijkwacht_input_stored_bytes_total", [FEED],
        "Bytes of published dumps, as they were stored.";

    INBOX_FILES Daemon Gauge, "dijkwacht_inbox_files", [these("state", || STATES_OF_A_FILE.into())],
        "Dumps in the inbox: perhaps still being written, waiting for a run, waiting for the report on them, waiting for another try, and in a run.";
    INBOX_BYTES Daemon Gauge, "dijkwacht_inbox_size_bytes", [], "Bytes of dumps that wait.";
    INBOX_OLDEST_AT Daemon Gauge, "dijkwacht_inbox_oldest_timestamp_seconds", [],
        "When the oldest dump that waits arrived; 0 if none waits.";
    RETRIES Daemon Counter, "dijkwacht_retries_total", [FEED], "Dumps that were tried again.";
    GIVEN_UP Daemon Counter, "dijkwacht_given_up_total", [FEED], "Dumps that were moved to failed.";

    SPOOL_CLAIMS Daemon Gauge, "dijkwacht_spool_claims", [these("state", || STATES_OF_A_CLAIM.into())],
        "Senders' parts of published runs: still to be taken, taken, sent, and not to be sent.";
    SPOOL_BYTES Daemon Gauge, "dijkwacht_spool_unclaimed_size_bytes", [], "Bytes of notices that nobody has taken.";
    SPOOL_OLDEST_AT Daemon Gauge, "dijkwacht_spool_unclaimed_oldest_timestamp_seconds", [],
        "When the oldest notices that nobody has taken were published; 0 if there are none.";
    SPOOL_DISK_BYTES Daemon Gauge, "dijkwacht_spool_filesystem_size_bytes", [], "Size of the spool's file system.";
    SPOOL_DISK_AVAIL Daemon Gauge, "dijkwacht_spool_filesystem_avail_bytes", [],
        "What is left of the spool's file system.";
    HELD_RUNS Daemon Gauge, "dijkwacht_held_runs", [], "Runs of which something waits for a person.";
    HELD_BYTES Daemon Gauge, "dijkwacht_held_size_bytes", [], "Bytes of alerts that wait for a person.";
    HELD_OLDEST_AT Daemon Gauge, "dijkwacht_held_oldest_timestamp_seconds", [],
        "When the oldest of them were published; 0 if none wait.";

    BATCH_ENDED_AT Batch Gauge, "dijkwacht_batch_last_run_timestamp_seconds", [], "When the batch last ended.";
    BATCH_SUCCESS_AT Batch Gauge, "dijkwacht_batch_last_success_timestamp_seconds", [],
        "When the batch last ended with exit code 0; 0 if it never did.";
    BATCH_SECONDS Batch Gauge, "dijkwacht_batch_seconds", [], "How long the batch last took.";
    BATCH_EXIT_CODE Batch Gauge, "dijkwacht_batch_exit_code", [], "The exit code of the batch's last run.";

    CPU_SECONDS Both Counter, "dijkwacht_process_cpu_seconds_total", [], "Processor time of this process.";
    FAULTS Both Counter, "dijkwacht_process_page_faults_total", [these("kind", || KINDS_OF_A_FAULT.into())],
        "Page faults of this process; a major one had to wait for the disk.";
    MEMORY Both Gauge, "dijkwacht_process_memory_bytes", [these("kind", || KINDS_OF_MEMORY.into())],
        "Resident memory of this process: anonymous (its own), file (mapped dumps; the system takes it back when it needs \
         it) and shared (the index).";
    DESCRIPTORS Both Gauge, "dijkwacht_process_open_fds", [], "Open file descriptors.";
    DESCRIPTORS_MAX Both Gauge, "dijkwacht_process_max_fds", [], "File descriptors that may be open.";
    THREADS Both Gauge, "dijkwacht_process_threads", [], "Threads.";
    STARTED_AT Both Gauge, "dijkwacht_process_start_timestamp_seconds", [], "When this process started.";
}

pub(super) const RELOADED: [&str; 2] = ["config", "index"];
pub(super) const OUTCOMES_OF_A_RELOAD: [&str; 2] = ["success", "failure"];
pub(super) const FAMILIES: [&str; 4] = ["ipv4", "ipv6", "domain", "asn"];
pub(super) const OUTCOMES_OF_A_RECORD: [&str; 4] = ["matched", "unmatched", "skipped", "rejected"];
pub(super) const OUTCOMES_OF_A_DECISION: [&str; 5] = ["alert", "duplicate", "held", "dropped", "excepted"];
pub(super) const STATES_OF_A_FILE: [&str; 5] = ["arriving", "waiting", "unreported", "again", "working"];
pub(super) const STATES_OF_A_CLAIM: [&str; 4] = ["unclaimed", "claimed", "done", "failed"];
pub(super) const KINDS_OF_A_FAULT: [&str; 2] = ["minor", "major"];
pub(super) const KINDS_OF_MEMORY: [&str; 3] = ["anonymous", "file", "shared"];

impl Values {
    /// The values that are known without a configuration.
    pub fn fixed(&self) -> Option<Vec<&'static str>> {
        match self {
            Self::Feeds | Self::Senders => None,
            Self::These(values) => Some(values()),
        }
    }
}
