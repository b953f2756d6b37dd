//! What Prometheus is told: names, help texts, closed label sets, and the text it reads.
//!
//! [`ALL`] is the one table of metrics; the dashboard, the alert rules and the tests are checked against it. A shell owns a
//! [`Registry`] and tells it plain facts: a [`RunReport`](crate::pipeline::RunReport) when a run ends, depths when it looked, what a
//! reload came to. Nothing below this module counts for it, and nothing here is global: two registries are two pages.
//!
//! ```
//! use dijkwacht::metrics::Registry;
//! let registry = Registry::of_daemon();
//! registry.register_feeds(&["partner"], &["ncsc"]);
//! let page = registry.render();
//! assert!(page.contains("dijkwacht_records_total{feed=\"partner\",outcome=\"matched\"} 0\n"));
//! ```
//!
//! What it promises: every known series is there, at zero, before anything happened; counts of records and alerts are of
//! published runs, once each, so that they add up as the books do; a label's value is from a closed set (a feed is a
//! directory that an operator made, at most [`FEEDS_MAX`] of them), never an owner, an address or a file name; the page is
//! sorted. Times are moments (`_timestamp_seconds`), not ages: Prometheus subtracts, and 0 is never.
//!
//! What it does not: serve the page (the daemon does), or know what is good (the rules do, [`RULES`]).

mod batch;
mod dashboard;
mod process;
mod registry;
mod stages;
mod table;
mod text;

pub use batch::Batch;
pub use dashboard::dashboard;
pub use registry::{FEEDS_MAX, InboxDepth, Registry, Reloaded};
pub use stages::{StageSeconds, Stopwatch};
pub use table::{ALL, Kind, Label, Metric, Shell, Values};

/// Alert rules for Prometheus, each with the remedy.
pub const RULES: &str = include_str!("rules.yml");
