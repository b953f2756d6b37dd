//! Matches internet-scan dumps to registered network owners and spools one notice per recipient.
//!
//! Layers, bottom-up; a module imports lower rows only (`tests/layers.rs` holds this):
//!
//! | row | module | what lives there |
//! |--:|---|---|
//! | 0 | [`net`] | addresses, prefixes, ranges, AS numbers, special-purpose blocks |
//! | 1 | [`text`], [`moment`] | escaping of foreign text; instants and days, read strictly |
//! | 2 | [`register`], [`scan`] | owners and registrations from files; records from dumps |
//! | 3 | [`index`] | the compressed prefix index: build, file, lookup, oracle |
//! | 4 | [`matcher`] | the hot loop and its parallel drive |
//! | 5 | [`policy`] | who is told: pure functions |
//! | 6 | [`alert`] | the alert line and its stable ids |
//! | 7 | [`spool`] | durable writes |
//! | 8 | [`pipeline`] | one run, end to end |
//! | 9 | [`config`] | typed configuration |
//! | 10 | [`batch`] | one-shot commands |
//! | 11 | [`cli`] | arguments, exit codes |

pub mod alert;
pub mod batch;
pub mod cli;
pub mod config;
pub mod index;
pub mod matcher;
pub mod moment;
pub mod net;
pub mod pipeline;
pub mod policy;
pub mod register;
pub mod scan;
pub mod spool;
pub mod text;
