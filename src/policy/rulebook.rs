//! What an operator decided about all feeds.

use super::assess::Assessment;
use super::exception::Exception;

/// Rules of the operator that are no feed's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rulebook {
    /// What is kept back.
    pub exceptions: Vec<Exception>,
    /// What is told, held and dropped.
    pub assessment: Assessment,
    /// What was seen more days than this before a run is held.
    pub age_days_max: u16,
}

/// Two weeks: after that an address has often changed hands, and trouble been mended.
pub const AGE_DAYS_MAX: u16 = 14;

impl Default for Rulebook {
    fn default() -> Self {
        Self { exceptions: Vec::new(), assessment: Assessment::default(), age_days_max: AGE_DAYS_MAX }
    }
}
