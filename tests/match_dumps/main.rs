//! `dijkwacht match` and `lookup` as an operator runs them: the real command, real files, real signals.
//!
//! - `same`: the same dump by every way gives the same bytes.
//! - `at_once`: several dumps in one call.
//! - `books`: the summary, its sums, and where rejected records are.
//! - `decisions`: who is told what, and what waits for a person.
//! - `destinations`: spool, output, dry run; dumps seen before; names and modes.
//! - `lookups`: who owns an address, and why.
//! - `refusals`: each bad input, its exit code and what is said.
//! - `interruptions`: signals, dumps that change, disks that are full, users that may not.
//!
//! Tests that need root or a namespace of mounts say so on standard error where they cannot run (`--nocapture`).
#![allow(clippy::unwrap_used)] // what a test sets up must be there
#![allow(clippy::print_stderr)] // a test that cannot run here says so

mod at_once;
mod books;
mod decisions;
mod destinations;
mod interruptions;
mod lookups;
mod refusals;
mod same;
mod work;
