//! Turns sorted matches into lines, each decided again from a copy of its record.
//!
//! The bytes of a mapped dump can change while it is read. A record is therefore copied out, parsed and decided once
//! more; a line is written from the copy, and only if it comes to the same. Otherwise the run fails.

use super::RunError;
use super::decider::Decider;
use super::judge::Spill;
use super::sort::{Match, Sorted};
use crate::alert::{Ids, Merged, Recipient, Severity};
use crate::policy::{Decision, Hold, Line};
use crate::scan::{Finding, Findings, Format, Frame, Window};
use rayon::prelude::*;
use std::os::unix::fs::FileExt as _;

/// Matches that are rendered at once on all threads; their lines are in memory together.
const BATCH_MATCHES: usize = 16 * 1024;

/// Matches that one task renders.
const TASK_MATCHES: usize = 512;

/// Where matched records are read again.
pub(super) enum Records<'d> {
    /// In the mapped dump.
    Map(&'d [u8]),
    /// In what was kept of a stream.
    Spill(&'d Spill),
}

/// Lines of one file, in their order. A file's lines may come in several pieces, one after the other.
pub(super) struct Piece {
    /// The recipient's number in the index.
    pub(super) owner: u32,
    /// Whether they wait for a person.
    pub(super) held: bool,
    /// The lines.
    pub(super) bytes: Vec<u8>,
    /// How many.
    pub(super) lines: u64,
    /// Matches that another line tells too.
    pub(super) duplicates: u64,
    /// Reasons of held lines, in their order.
    pub(super) reasons: Vec<Hold>,
    /// Lines by severity, in the order of [`Severity::ALL`].
    pub(super) severities: [u64; Severity::ALL.len()],
    recipient: Recipient,
}

/// Renders all matches; `take` gets the pieces in order.
pub(super) fn render(
    sorted: Sorted,
    records: &Records<'_>,
    format: &dyn Format,
    decider: &Decider<'_>,
    cancelled: &dyn Fn() -> bool,
    mut take: impl FnMut(Vec<Piece>) -> Result<(), RunError>,
) -> Result<(), RunError> {
    let mut batch: Vec<Match> = Vec::with_capacity(BATCH_MATCHES);
    for found in sorted {
        let found = found.map_err(RunError::scratch)?;
        // A batch ends before a leader: its followers are rendered with it.
        if batch.len() >= BATCH_MATCHES && !found.follows() {
            render_batch(&batch, records, format, decider, &mut take)?;
            batch.clear();
            if cancelled() {
                return Err(RunError::Cancelled);
            }
        }
        batch.push(found);
    }
    render_batch(&batch, records, format, decider, &mut take)
}

fn render_batch(
    batch: &[Match],
    records: &Records<'_>,
    format: &dyn Format,
    decider: &Decider<'_>,
    take: &mut impl FnMut(Vec<Piece>) -> Result<(), RunError>,
) -> Result<(), RunError> {
    let groups: Vec<&[Match]> = batch.chunk_by(|_, next| next.follows()).collect();
    let tasks: Vec<_> = groups.chunks(TASK_MATCHES).collect();
    let render = |task: &&[&[Match]]| render_task(task, records, format, decider);
    let pieces: Result<Vec<Vec<Piece>>, RunError> = tasks.par_iter().map(render).collect();
    take(pieces?.into_iter().flatten().collect())
}

fn render_task(
    groups: &[&[Match]],
    records: &Records<'_>,
    format: &dyn Format,
    decider: &Decider<'_>,
) -> Result<Vec<Piece>, RunError> {
    let mut pieces: Vec<Piece> = Vec::new();
    for group in groups {
        let leader = group[0];
        let (owner, held) = (leader.owner(), leader.verdict() > 0);
        if pieces.last().is_none_or(|piece| (piece.owner, piece.held) != (owner, held)) {
            let recipient = decider.recipient(owner);
            pieces.push(Piece::new(owner, held, recipient));
        }
        let piece = pieces.last_mut().expect("pushed above");
        match group {
            [only] => render_alone(*only, records, format, decider, piece)?,
            _ => render_group(group, records, format, decider, piece)?,
        }
    }
    Ok(pieces)
}

/// What a match comes to when it is decided again.
struct Again<'r> {
    finding: Finding<'r>,
    line: Line,
    hold: Option<Hold>,
}

fn render_alone(
    found: Match,
    records: &Records<'_>,
    format: &dyn Format,
    decider: &Decider<'_>,
    piece: &mut Piece,
) -> Result<(), RunError> {
    let record = records.copy(found, format)?;
    let again = decide_again(found, &record, format, decider)?;
    let ids = decider.ids(&again.finding, found.owner());
    piece.push(decider, &again, &ids, found.record(), None);
    Ok(())
}

/// Matches whose ids have equal hashes. Those whose ids are equal become one line with all CVEs and tags.
fn render_group(
    group: &[Match],
    records: &Records<'_>,
    format: &dyn Format,
    decider: &Decider<'_>,
    piece: &mut Piece,
) -> Result<(), RunError> {
    let copies = group.iter().map(|found| records.copy(*found, format)).collect::<Result<Vec<_>, _>>()?;
    let mut lines: Vec<(Ids, u64, Again<'_>, Merged)> = Vec::new();
    for (found, record) in group.iter().zip(&copies) {
        let again = decide_again(*found, record, format, decider)?;
        let ids = decider.ids(&again.finding, found.owner());
        match lines.iter_mut().find(|(seen, ..)| seen.alert == ids.alert) {
            Some((.., merged)) => {
                merged.add(&again.finding);
                piece.duplicates += 1;
            }
            None => {
                let mut merged = Merged::default();
                merged.add(&again.finding);
                lines.push((ids, found.record(), again, merged));
            }
        }
    }
    for (ids, record, again, merged) in &lines {
        piece.push(decider, again, ids, *record, Some(merged));
    }
    Ok(())
}

impl Piece {
    fn new(owner: u32, held: bool, recipient: Recipient) -> Self {
        Self {
            owner,
            held,
            bytes: Vec::new(),
            lines: 0,
            duplicates: 0,
            reasons: Vec::new(),
            severities: Default::default(),
            recipient,
        }
    }

    fn push(
        &mut self,
        decider: &Decider<'_>,
        again: &Again<'_>,
        ids: &Ids,
        record: u64,
        merged: Option<&Merged>,
    ) {
        let Again { finding, line, hold } = again;
        decider.write_line(&mut self.bytes, &self.recipient, finding, ids, record, line, *hold, merged);
        self.lines += 1;
        self.severities[decider.context.severity(finding) as usize] += 1;
        self.reasons.extend(again.hold);
    }
}

fn decide_again<'r>(
    found: Match,
    record: &'r [u8],
    format: &dyn Format,
    decider: &Decider<'_>,
) -> Result<Again<'r>, RunError> {
    let Findings::Some(findings) = format.findings(record) else { return Err(RunError::Changed) };
    let finding =
        findings.into_iter().find(|finding| finding.part == found.part()).ok_or(RunError::Changed)?;
    let owned = |line: &Line| line.owner.0 == found.owner();
    let (line, hold) = match decider.decide(&finding) {
        Decision::Share(line) if owned(&line) => (line, None),
        Decision::Hold(reason, lines) => {
            (lines.into_iter().find(owned).ok_or(RunError::Changed)?, Some(reason))
        }
        _ => return Err(RunError::Changed),
    };
    let verdict = hold.map_or(0, |reason| 1 + reason as u8);
    if verdict != found.verdict() {
        return Err(RunError::Changed);
    }
    Ok(Again { finding, line, hold })
}

impl Records<'_> {
    fn copy(&self, found: Match, format: &dyn Format) -> Result<Vec<u8>, RunError> {
        match self {
            Self::Map(bytes) => {
                let window = Window { bytes, at_end: true };
                match format.frame(window, found.offset() as usize) {
                    Frame::Record { record, .. } => Ok(bytes[record].to_vec()),
                    _ => Err(RunError::Changed),
                }
            }
            Self::Spill(spill) => {
                let mut length = [0; 4];
                spill.file.read_exact_at(&mut length, found.offset()).map_err(RunError::scratch)?;
                let mut record = vec![0; u32::from_le_bytes(length) as usize];
                spill.file.read_exact_at(&mut record, found.offset() + 4).map_err(RunError::scratch)?;
                Ok(record)
            }
        }
    }
}
