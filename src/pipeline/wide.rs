//! Held decisions of very many lines, which are made once and not again for each line.
//!
//! A record that names a /8 is held for every organisation inside: a line for each of 20,000, and each line is decided
//! again from a copy of the record. The decision is a pure function of the copy, so copies with the same bytes share it.

use super::sort::Match;
use crate::policy::{Hold, Line};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Decisions of fewer lines are made again: that is cheaper than to share them.
const LINES_MIN: usize = 16;

/// Lines that are kept; decisions beyond are made again, line by line.
const LINES_MAX: usize = 1 << 20;

/// The decisions that are kept, by record and part.
#[derive(Default)]
pub(super) struct Wide {
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    decisions: HashMap<(u64, u16), Decided>,
    lines: usize,
}

struct Decided {
    /// The copy that was decided.
    record: Box<[u8]>,
    reason: Hold,
    /// By owner.
    lines: HashMap<u32, Line>,
}

impl Wide {
    /// The line of a match, if the same bytes were decided before.
    pub(super) fn line(&self, found: Match, record: &[u8]) -> Option<(Line, Hold)> {
        found.hold()?;
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let decided = kept.decisions.get(&(found.record(), found.part()))?;
        let line = decided.lines.get(&found.owner()).filter(|_| *decided.record == *record)?;
        Some((*line, decided.reason))
    }

    /// Keeps a decision if it has many lines.
    pub(super) fn keep(&self, found: Match, record: &[u8], reason: Hold, lines: &[Line]) {
        if lines.len() < LINES_MIN {
            return;
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.lines + lines.len() > LINES_MAX {
            return;
        }
        let by_owner = lines.iter().map(|line| (line.owner.0, *line)).collect();
        let decided = Decided { record: record.into(), reason, lines: by_owner };
        if kept.decisions.insert((found.record(), found.part()), decided).is_none() {
            kept.lines += lines.len();
        }
    }
}
