//! Owners and their registrations, from any number of files.
//!
//! A register is read whole, at once, and does not change afterwards:
//!
//! ```
//! use dijkwacht::register::{ReadOptions, Register};
//!
//! let text = "owner_id,name,network,contact\nschool,A school,192.0.2.0/24,abuse@example.nl\n";
//! let (register, report) = Register::read_bytes(&[("register.csv", text.as_bytes())], &ReadOptions::default()).unwrap();
//! assert_eq!(register.owners[0].id.as_str(), "school");
//! assert_eq!(register.registrations.len(), 1);
//! assert_eq!(report.bad_rows, 0);
//! ```
//!
//! A source file says rows (CSV with a header, or JSONL with one owner a line). Rows of one `owner_id` are put
//! together, first within a file and then over files in order of precedence; owners that are one organisation are united;
//! registrations that say the same are kept once. A row that cannot be used is reported as `file:line: what is wrong
//! (remedy)`, and is either fatal or, with [`ReadOptions::keep_going`], skipped whole: it is never used in part.
//!
//! What is allowed but unwise (two organisations registering one range, a range wider than anyone holds) is found by
//! [`lint`], which never fails.
//!
//! This module knows no dumps. It reads no clock either: lint is told which day it is.

mod csv;
mod delegated;
mod jsonl;
mod lines;
mod lint;
mod merge;
mod origins;
mod owner;
mod read;
mod report;
mod ripe;
mod row;
mod shared;
mod source;

pub use delegated::{Delegation, Delegations};
pub use lint::lint;
pub use origins::Origins;
pub use owner::{Constituency, Ground, Key, Owner, OwnerId, Registration, Role, Scope};
pub use read::{Progress, ReadOptions, RegisterError, SOURCE_BYTES_MAX, SOURCES_MAX};
pub use report::{Finding, FindingKind, Findings, Report, Severity};
pub use ripe::{Assignment, Assignments, RipeCounts};
pub use shared::{SharedKind, SharedSpace};

/// All owners and registrations of all sources.
///
/// What reading promises, and those who build one by hand must keep: `owner_id`s are unique without regard to case;
/// [`Registration::owner`] and [`Owner::organisation`] are positions in `owners`, `source` one in `sources`; owners stand in
/// order of appearance, registrations in order of source and line; no two registrations agree in owner, key, role and
/// validity.
#[derive(Debug, Default)]
pub struct Register {
    /// In order of appearance.
    pub owners: Vec<Owner>,
    /// In order of source, then line.
    pub registrations: Vec<Registration>,
    /// File names, in order of precedence.
    pub sources: Vec<String>,
    /// Customers of abuse desks, from the RIPE database.
    pub assignments: Assignments,
    /// Which space is Dutch.
    pub delegations: Delegations,
    /// Which AS announces which prefix.
    pub origins: Origins,
    /// Which addresses serve many.
    pub shared: SharedSpace,
}
