//! Equal alerts, which are written as one line with all their CVEs and tags.
//!
//! A dump may say the same a hundred million times: a group keeps one record of each alert, however many matches it is
//! given, and groups of consecutive matches are gathered on all threads and joined.

use super::RunError;
use super::render::{Piece, Work};
use super::sort::Match;
use crate::alert::{Ids, LastFoundBy, Merged};
use crate::policy::Hold;
use rayon::prelude::*;

/// Matches that one task gathers.
const TASK_MATCHES: usize = 512;

/// Matches whose ids have equal hashes, in the order of their records: nearly always one alert.
#[derive(Default)]
pub(super) struct Group {
    lines: Vec<GroupLine>,
    duplicates: u64,
}

/// One alert: its first record, and what all its records say.
struct GroupLine {
    ids: Ids,
    found: Match,
    record: Vec<u8>,
    merged: Merged,
    /// The first reason of all that hold one of its records. They differ where records say different names or labels of one
    /// finding, and where a fuse holds what others let go.
    hold: Option<Hold>,
}

impl Group {
    /// Gathers consecutive matches, on all threads if there are many.
    pub(super) fn gather(matches: &[Match], work: Work<'_>) -> Result<Self, RunError> {
        let gather = |matches: &[Match]| {
            let mut group = Self::default();
            matches.iter().try_for_each(|found| group.add(*found, work))?;
            Ok(group)
        };
        if matches.len() <= TASK_MATCHES {
            return gather(matches);
        }
        let parts: Result<Vec<Self>, RunError> = matches.par_chunks(TASK_MATCHES).map(gather).collect();
        Ok(parts?.into_iter().fold(Self::default(), |mut all, part| {
            all.append(part);
            all
        }))
    }

    fn add(&mut self, found: Match, work: Work<'_>) -> Result<(), RunError> {
        let mut record = Vec::new();
        work.copy(found, &mut record)?;
        let again = work.decide_again(found, &record)?;
        let ids = work.ids(found, &again);
        let tlp = work.notice_tlp(&again);
        if let Some(line) = self.line_of(&ids) {
            line.merged.add(again.finding(), tlp);
            line.hold = line.hold.min(again.hold);
            self.duplicates += 1;
            return Ok(());
        }
        let mut merged = Merged::default();
        merged.add(again.finding(), tlp);
        let hold = again.hold;
        drop(again);
        self.lines.push(GroupLine { ids, found, record, merged, hold });
        Ok(())
    }

    fn line_of(&mut self, ids: &Ids) -> Option<&mut GroupLine> {
        self.lines.iter_mut().find(|line| line.ids.alert == ids.alert)
    }

    /// Takes a group of later matches.
    pub(super) fn append(&mut self, later: Self) {
        self.duplicates += later.duplicates;
        for line in later.lines {
            match self.line_of(&line.ids) {
                Some(known) => {
                    known.merged.append(&line.merged);
                    known.hold = known.hold.min(line.hold);
                    self.duplicates += 1;
                }
                None => self.lines.push(line),
            }
        }
    }

    /// Writes its lines.
    pub(super) fn write(
        &self,
        work: Work<'_>,
        found_by: &mut LastFoundBy,
        piece: &mut Piece,
    ) -> Result<(), RunError> {
        for GroupLine { ids, found, record, merged, hold } in &self.lines {
            let mut again = work.decide_again(*found, record)?;
            again.hold = *hold;
            piece.push(work, &again, ids, found.record(), Some(merged), found_by);
        }
        piece.duplicates += self.duplicates;
        Ok(())
    }
}
