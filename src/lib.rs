//! Matches internet-scan dumps to registered network owners and spools one notice per recipient.
//!
//! What flows through, in this order:
//!
//! ```text
//!  register sources ─► register ─► index ───────────────┐
//!  (CSV, JSONL)       Registration  Index               ▼
//!                                                    matcher ─► policy ─► alert ─► spool
//!  dump ─► scan ────────────────────────────────────────┘ record  Decision  line   run directory
//!          Source, Format, Findings
//!  ════════════════════════════════════════════════════════════════════════════════════════
//!  pipeline: one run, end to end ─► RunReport     config, metrics │ batch: one-shot commands, serve: the daemon │ cli
//! ```
//!
//! [`register`] reads who owns what; [`index`] compiles it. [`scan`] opens a dump and knows its format; [`matcher`]
//! drives it through all cores and hands on the records that a registration is found for. [`policy`] decides who is
//! told of each finding, [`alert`] writes the line, [`spool`] makes a run's notices appear at once. [`pipeline`] is one
//! run of all that, and checks its books.
//!
//! Layers, bottom-up; a module imports lower rows only (`tests/layers.rs` holds this):
//!
//! | row | module | what lives there |
//! |--:|---|---|
//! | 0 | [`net`] | addresses, prefixes, ranges, AS numbers, special-purpose blocks |
//! | 1 | [`text`], [`moment`] | foreign text made safe; instants and days, read strictly |
//! | 2 | [`register`], [`scan`] | owners and registrations from files; records from dumps |
//! | 3 | [`index`] | the compressed prefix index: build, file, lookup, oracle |
//! | 4 | [`matcher`] | the hot loop and its parallel drive |
//! | 5 | [`policy`] | who is told: pure functions |
//! | 6 | [`alert`] | the alert line and its stable ids |
//! | 7 | [`spool`] | durable writes |
//! | 8 | [`pipeline`] | one run, end to end |
//! | 9 | [`config`], [`metrics`] | typed configuration; what Prometheus is told |
//! | 10 | [`batch`], [`serve`] | one-shot commands; the daemon |
//! | 11 | [`cli`] | arguments, exit codes |
//!
//! What is deliberately absent: an error module of the whole crate (each layer has its error beside what fails, and
//! [`batch::Failure`] gives them exit codes); a clock, environment or arguments below [`batch`]; any allocation, lock or log
//! for a record that matches nothing; a change to an index once it is built.

pub mod alert;
pub mod batch;
pub mod cli;
pub mod config;
pub mod index;
pub mod matcher;
pub mod metrics;
pub mod moment;
pub mod net;
pub mod pipeline;
pub mod policy;
pub mod register;
pub mod scan;
pub mod serve;
pub mod spool;
pub mod text;
