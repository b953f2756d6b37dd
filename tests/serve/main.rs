//! `dijkwacht serve` as an operator runs it: a real process, a real inbox, a socket in systemd's place.

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(clippy::print_stdout, reason = "a long run tells what it measured")]

mod daemon;
mod floods;
mod inbox;
mod mailers;
mod metrics;
mod once;
mod page;
mod prometheus;
mod reloads;
mod soak;
mod stops;
mod systemd;
