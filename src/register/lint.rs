//! What is allowed but unwise.

use crate::moment::Day;
use crate::register::Register;
use crate::register::report::Findings;

/// Finds what is allowed but unwise.
pub fn lint(_register: &Register, _today: Day) -> Findings {
    Findings::default()
}
