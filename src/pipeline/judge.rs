//! Judges the records that a registration was found for, chunk by chunk, and gathers what they come to.

use super::RunError;
use super::correct::{Changes, Restriction, add};
use super::decider::Decider;
use super::report::{Books, RejectedAt};
use super::residual::Residual;
use super::sort::{Match, MatchParts, OFFSET_MAX, RECORDS_MAX, Sorter};
use crate::index::DutchSpace;
use crate::matcher::{Accepted, Judge};
use crate::net::Address;
use crate::policy::{Decision, Line};
use crate::scan::{Findings, Format, REJECTS_KEPT, Reject, Skip, Subject};
use crate::text::{show, write_json};
use serde::Serialize;
use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;

/// What one chunk gathers. Numbers and positions count within the chunk.
#[derive(Default)]
pub(super) struct Batch {
    /// With the numbers of records that count within the chunk.
    found: Vec<Match>,
    /// For what is hashed of each match.
    room: Vec<u8>,
    spill: Vec<u8>,
    books: Books,
    rejected_first: Vec<(u64, usize, Reject)>,
    changes: Changes,
    /// What is Dutch and nobody's, if it is listed, with the numbers of its records; in no order.
    dutch: Vec<(u64, Subject)>,
}

/// The one judge of a run: its shared half decides, its other half keeps the books.
pub(super) struct RunJudge<'a, 'p, F> {
    pub(super) format: &'a dyn Format,
    pub(super) decider: &'a Decider<'a>,
    /// The Dutch space, where the index knows it: what nobody there has registered is counted.
    pub(super) dutch: Option<Arc<DutchSpace>>,
    /// And listed, where somebody asks for it.
    pub(super) residual: Option<Residual>,
    /// What a corrected run takes; else all.
    pub(super) restriction: Option<Restriction<'a>>,
    /// Whose findings are another's now.
    pub(super) changes: Changes,
    /// Where matched records are kept that cannot be read twice.
    pub(super) spill: Option<Spill>,
    pub(super) sorter: Sorter<'p, F>,
    pub(super) books: Books,
    pub(super) rejected_first: Vec<RejectedAt>,
    /// Gets every reject: the dump's name, and where to write it.
    pub(super) rejects: Option<(&'a str, &'a mut (dyn Write + Send + Sync))>,
}

/// A rejected record, as `--rejects` writes it.
#[derive(Serialize)]
struct RejectLine<'a> {
    dump: &'a str,
    #[serde(flatten)]
    at: RejectedAt,
    /// Its first bytes, escaped; nothing that the format keeps to itself.
    text: String,
}

/// Characters of a rejected record that are shown.
const TEXT_CHARS_MAX: usize = 256;

/// Matched records of a dump that cannot be read twice: each its length (u32, little-endian) and its bytes.
pub(super) struct Spill {
    pub(super) file: File,
    pub(super) bytes: u64,
}

impl<F: FnMut() -> io::Result<File> + Sync> Judge for RunJudge<'_, '_, F> {
    type Batch = Batch;
    type Error = RunError;

    fn expect(&self, addresses: &[Address]) {
        self.decider.finder.read_ahead(addresses);
    }

    fn watches(&self) -> Option<Arc<DutchSpace>> {
        self.dutch.clone()
    }

    fn missed(&self, batch: &mut Batch, number: u64, subject: Subject) {
        let Some(dutch) = &self.dutch else { return };
        if !dutch.holds(self.decider.index, subject.range()) {
            return;
        }
        *batch.books.unmatched_dutch.get_or_insert(0) += 1;
        if self.residual.is_some() {
            batch.dutch.push((number, subject));
        }
    }

    fn judge(&self, batch: &mut Batch, number: u64, start: usize, record: &[u8]) {
        let findings = match self.format.findings(record) {
            Findings::Some(findings) => findings,
            Findings::Skipped(reason) => return batch.skip(reason),
            Findings::Rejected(reason) => return batch.reject(number, start, reason),
        };
        let subject = findings.first().and_then(|finding| finding.subject);
        let found_before = batch.found.len();
        let left_out_before = batch.books.dropped + batch.books.excepted;
        let offset = if self.spill.is_some() { batch.spill.len() } else { start } as u64;
        for finding in &findings {
            let mut push = |line: &Line, verdict: u8| {
                let owner = line.owner.0;
                let told = self.decider.as_told(finding, line);
                let id_hash = self.decider.id_hash(&mut batch.room, &told, owner);
                batch.found.push(Match::new(MatchParts {
                    owner,
                    verdict,
                    record: number,
                    part: finding.part,
                    offset,
                    id_hash,
                }));
            };
            let decision = self.decider.decide(finding);
            if let Some(restriction) = &self.restriction
                && decision != Decision::Unmatched
                && !restriction.takes(finding, &decision, self.decider, &mut batch.changes)
            {
                batch.books.excepted += decision.lines().len() as u64;
                continue;
            }
            match decision {
                Decision::Unmatched => {}
                Decision::Share(line) => push(&line, 0),
                Decision::ShareWith(lines, excepted) => {
                    lines.iter().for_each(|line| push(line, 0));
                    batch.books.excepted += excepted;
                }
                Decision::Hold(reason, lines) => lines.iter().for_each(|line| push(line, 1 + reason as u8)),
                Decision::Drop(_) => batch.books.dropped += 1,
                Decision::Except(lines) => batch.books.excepted += lines.len() as u64,
            }
        }
        let left_out = batch.books.dropped + batch.books.excepted - left_out_before;
        let found = (batch.found.len() - found_before) as u64;
        batch.books.decisions += found + left_out;
        match found + left_out {
            0 => {
                batch.miss(subject);
                subject.into_iter().for_each(|subject| self.missed(batch, number, subject));
            }
            _ => batch.books.matched += 1,
        }
        if found > 0 && self.spill.is_some() {
            let kept = self.format.kept(record);
            batch.spill.extend_from_slice(&(kept.len() as u32).to_le_bytes());
            batch.spill.extend_from_slice(&kept);
        }
    }

    fn accept(&mut self, chunk: Accepted<'_, Batch>) -> Result<(), RunError> {
        let Accepted { records_before, tally, mut batch, window, dump_offset } = chunk;
        if records_before + tally.records >= RECORDS_MAX {
            return Err(RunError::Limit { what: "records", max: RECORDS_MAX });
        }
        let swept = tally.rejected_first.iter().map(|reject| (reject.number, reject.start, reject.reason));
        let mut rejects: Vec<(u64, usize, Reject)> =
            swept.chain(batch.rejected_first.iter().copied()).collect();
        rejects.sort_unstable_by_key(|(number, ..)| *number);
        for (number, start, reason) in rejects {
            if self.rejects.is_none() && self.rejected_first.len() == REJECTS_KEPT {
                break;
            }
            let record = records_before + number + 1;
            let at = RejectedAt { record, offset: dump_offset(start), reason: reason.as_str() };
            if self.rejected_first.len() < REJECTS_KEPT {
                self.rejected_first.push(at);
            }
            self.write_reject(at, &window[start..])?;
        }
        self.books.add_sweep(&tally);
        self.books += &batch.books;
        add(&mut self.changes, batch.changes);
        if let Some(residual) = &mut self.residual {
            batch.dutch.sort_by_key(|(number, _)| *number);
            batch.dutch.iter().for_each(|(_, subject)| residual.add(self.decider.index, *subject));
        }
        let base = match &mut self.spill {
            Some(spill) => spill.append(&batch.spill)?,
            None => 0,
        };
        for found in batch.found {
            self.sorter.push(found.moved(records_before + 1, base)).map_err(RunError::scratch)?;
        }
        Ok(())
    }
}

impl<F> RunJudge<'_, '_, F> {
    fn write_reject(&mut self, at: RejectedAt, from: &[u8]) -> Result<(), RunError> {
        let Some((dump, out)) = &mut self.rejects else { return Ok(()) };
        let line = &from[..memchr::memchr(b'\n', from).unwrap_or(from.len())];
        let line = RejectLine { dump, at, text: show(&self.format.kept(line), TEXT_CHARS_MAX) };
        let mut text = Vec::new();
        let written = write_json(&mut text, &line).map_err(io::Error::from);
        text.push(b'\n');
        written.and_then(|()| out.write_all(&text)).map_err(RunError::output)
    }
}

impl Batch {
    fn skip(&mut self, reason: Skip) {
        self.books.skipped += 1;
        self.books.skipped_by.add(reason as usize, 1);
    }

    fn reject(&mut self, number: u64, start: usize, reason: Reject) {
        self.books.rejected += 1;
        self.books.rejected_by.add(reason as usize, 1);
        // A chunk is small: all are kept, and the dump's first are chosen when it is accepted.
        self.rejected_first.push((number, start, reason));
    }

    fn miss(&mut self, subject: Option<Subject>) {
        self.books.unmatched += 1;
        self.books.unmatched_special += u64::from(subject.is_some_and(Subject::is_special));
    }
}

impl Spill {
    /// Appends a chunk's records; returns where they begin.
    fn append(&mut self, records: &[u8]) -> Result<u64, RunError> {
        let base = self.bytes;
        self.file.write_all(records).map_err(RunError::scratch)?;
        self.bytes += records.len() as u64;
        if self.bytes >= OFFSET_MAX {
            return Err(RunError::Limit { what: "bytes of matched records", max: OFFSET_MAX });
        }
        Ok(base)
    }
}
