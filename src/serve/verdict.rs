//! What the end of a run means for its file.
//!
//! Three kinds of fault are kept apart. The *file's*: it will fail again, and goes to `failed` at once. The *machine's* (disk full,
//! an I/O error or a lock in the spool): no file can be processed, the try does not count, and we wait. And what may pass (the
//! dump changed while it was read, a read error, a bug that panics): it is tried again, as often as is allowed.

use crate::pipeline::{RunError, RunReport};
use crate::scan::{SourceError, SourceErrorKind};
use crate::spool::SpoolError;

/// What becomes of a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// Its run is in the spool.
    Done,
    /// We were told to stop; its try does not count.
    Stopped,
    /// Somebody took it away.
    Gone,
    /// It cannot be processed.
    Failed(String),
    /// It may be another time.
    Again(String),
    /// Nothing can be processed.
    Machine(String),
}

impl Verdict {
    pub(super) fn of(report: &RunReport) -> Self {
        match &report.failure {
            Some(error) => Self::of_error(error),
            None => Self::Done,
        }
    }

    fn of_error(error: &RunError) -> Self {
        let said = error.to_string();
        match error {
            RunError::Cancelled => Self::Stopped,
            RunError::Changed => Self::Again(said),
            RunError::Source(SourceError::NotFound { .. }) => Self::Gone,
            RunError::Source(error) => match error.kind() {
                SourceErrorKind::Cancelled => Self::Stopped,
                SourceErrorKind::Changed | SourceErrorKind::Io => Self::Again(said),
                SourceErrorKind::NoInput | SourceErrorKind::Permission | SourceErrorKind::Data => {
                    Self::Failed(said)
                }
            },
            RunError::Spool(error) if is_of_machine(error) => Self::Machine(said),
            RunError::Scratch(_) | RunError::Temporary(_) | RunError::Output(_) => Self::Machine(said),
            RunError::Spool(_)
            | RunError::Format(_)
            | RunError::Report(_)
            | RunError::Name(_)
            | RunError::Limit { .. }
            | RunError::Unbalanced(_) => Self::Failed(said),
        }
    }
}

fn is_of_machine(error: &SpoolError) -> bool {
    match error {
        SpoolError::CannotCreate { .. }
        | SpoolError::NoSafeRename { .. }
        | SpoolError::System { .. }
        | SpoolError::Torn { .. }
        // Published, perhaps not durably: the next try finds the run and is content.
        | SpoolError::NotDurable { .. }
        | SpoolError::Full { .. }
        | SpoolError::Locked { .. }
        | SpoolError::Refused { .. }
        | SpoolError::GroupRefused { .. }
        | SpoolError::OtherFileSystem { .. }
        | SpoolError::NotDirectory { .. }
        | SpoolError::UnknownGroup { .. }
        | SpoolError::NoSpool { .. } => true,
        SpoolError::Damaged { .. }
        | SpoolError::TooNew { .. }
        | SpoolError::OtherContent { .. }
        | SpoolError::NoFlatDirectory { .. }
        | SpoolError::NotClaimed { .. }
        | SpoolError::Name(_)
        | SpoolError::Unfinished { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    fn full() -> io::Error {
        io::ErrorKind::StorageFull.into()
    }

    #[test]
    fn a_full_disk_is_the_machines_fault_and_a_damaged_dump_is_not() {
        let spool = SpoolError::Full { action: "write", path: "spool".into(), source: full() };
        assert!(matches!(Verdict::of_error(&RunError::Spool(spool)), Verdict::Machine(_)));
        assert!(matches!(Verdict::of_error(&RunError::Scratch(full())), Verdict::Machine(_)));
        let large = SourceError::TooLarge { dump: "d".into(), bytes_max: 1 };
        assert!(matches!(Verdict::of_error(&RunError::Source(large)), Verdict::Failed(_)));
    }

    #[test]
    fn what_may_pass_is_tried_again_and_what_is_gone_is_not() {
        assert!(matches!(Verdict::of_error(&RunError::Changed), Verdict::Again(_)));
        let read = SourceError::Io { dump: "d".into(), error: io::ErrorKind::Other.into() };
        assert!(matches!(Verdict::of_error(&RunError::Source(read)), Verdict::Again(_)));
        let gone = SourceError::NotFound { dump: "d".into() };
        assert_eq!(Verdict::of_error(&RunError::Source(gone)), Verdict::Gone);
        assert_eq!(Verdict::of_error(&RunError::Cancelled), Verdict::Stopped);
    }
}
