//! One-shot commands: what each asks of the layers below, and what it prints.
//!
//! Data goes to standard output, all else to standard error. A command returns its exit code, or a [`Failure`] that the
//! command line turns into one.

mod assess;
mod explain;
mod failure;
mod held;
mod index;
mod index_diff;
mod lint;
mod lookup;
mod match_dumps;
mod member;
mod metrics_file;
mod output;
mod preview;
mod report;
mod retain;
mod setup;
mod spool;
mod trace;

pub use assess::{AssessWords, assess_table, assess_try};
pub use explain::{ExplainRequest, explain};
pub use failure::Failure;
pub use held::{DecisionRequest, Goal, HeldBy, HeldPlace, SelectionWords, held_decide, held_list, held_show};
pub use index::{BuildRequest, index_build, index_info, index_verify};
pub use index_diff::{DiffRequest, index_diff};
pub use lint::{LintRequest, register_lint};
pub use lookup::{LookupRequest, lookup};
pub use match_dumps::{MatchRequest, match_dumps};
pub use preview::{PreviewRequest, preview};
pub use report::{ReportBy, ReportForm, ReportRequest, report};
pub use retain::{ForgetRequest, spool_forget, spool_prune};
pub use setup::{ReadingWords, Setup, check_config};
pub use spool::{SpoolPlace, spool_done, spool_fail, spool_status, spool_take, spool_verify};
pub use trace::spool_trace;
