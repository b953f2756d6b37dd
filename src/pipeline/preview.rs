//! What a dump would be read as, and its first alerts; nothing is written.

use super::decider::Decider;
use super::run::{Dump, decider, open};
use super::{Job, RunError, RunReport};
use crate::alert::write_line;
use crate::matcher::{Accepted, DriveError, DriveOptions, Judge, drive};
use crate::policy::Decision;
use crate::scan::{Description, Encoding, Findings, Format, Frame, HEAD_BYTES_MAX, Packing, Window};

/// How a dump would be read.
pub struct Preview {
    /// Its feed.
    pub feed: String,
    /// Its format.
    pub format: String,
    /// Its compression.
    pub packing: Option<Packing>,
    /// How it writes text.
    pub encoding: Encoding,
    /// What is taken for what.
    pub description: Description,
    /// The columns' values in the first records that can be read: untrusted.
    pub samples: Vec<Vec<Option<String>>>,
    /// The first alert lines, and the held ones among them; empty without a register.
    pub alerts: Vec<Vec<u8>>,
}

/// Records that give samples.
const SAMPLES: usize = 3;

/// Alerts that are shown.
pub const PREVIEW_ALERTS: usize = 5;

/// Reads a dump's head, and the dump up to its first [`PREVIEW_ALERTS`] alerts.
pub fn preview(job: &Job<'_>, with_alerts: bool) -> Result<Preview, RunError> {
    let mut report = RunReport::new(job.name);
    let mut dump = open(job, true, &mut report)?;
    let head = dump.source.head().map_err(RunError::Source)?;
    let samples = samples(&*dump.format, Window { bytes: head.bytes, at_end: head.at_end });
    let alerts = if with_alerts { first_alerts(job, &mut dump, &report)? } else { Vec::new() };
    Ok(Preview {
        feed: report.feed,
        format: dump.format_name.to_owned(),
        packing: dump.source.packing(),
        encoding: dump.source.encoding(),
        description: dump.format.describe(),
        samples,
        alerts,
    })
}

fn samples(format: &dyn Format, window: Window<'_>) -> Vec<Vec<Option<String>>> {
    let mut samples = Vec::new();
    let mut at = format.body();
    while samples.len() < SAMPLES && at < window.bytes.len().min(HEAD_BYTES_MAX) {
        at = match format.frame(window, at) {
            Frame::Record { record, next } => {
                let values = format.values(&window.bytes[record]);
                samples.push(values.into_iter().map(|value| value.map(|text| text.into_owned())).collect());
                next
            }
            Frame::Blank { next } | Frame::Rejected { next, .. } => next,
            Frame::More | Frame::End => break,
        };
    }
    samples
}

fn first_alerts(job: &Job<'_>, dump: &mut Dump, report: &RunReport) -> Result<Vec<Vec<u8>>, RunError> {
    let decider = decider(job, &dump.facts, report, "preview");
    let mut judge = FirstAlerts { format: &*dump.format, decider: &decider, lines: Vec::new() };
    let options = DriveOptions {
        chunk_bytes: job.reading.chunk_bytes,
        record_bytes_max: dump.facts.options.record_bytes_max,
        hash_prefix: None,
        keeps_all_rejects: false,
        is_read_again: false,
        pool: job.pool,
        cancelled: job.cancelled,
        progress: &|_| {},
    };
    let driven = drive(&mut dump.source, &*dump.format, job.index, &mut judge, options);
    let lines = judge.lines;
    match driven {
        Ok(_) | Err(DriveError::Judge(Enough)) => Ok(lines),
        Err(DriveError::Source(error)) => Err(RunError::Source(error)),
        Err(DriveError::Cancelled) => Err(RunError::Cancelled),
    }
}

/// Gathers lines until there are enough.
struct FirstAlerts<'a> {
    format: &'a dyn Format,
    decider: &'a Decider<'a>,
    lines: Vec<Vec<u8>>,
}

struct Enough;

impl Judge for FirstAlerts<'_> {
    /// Number of the record in the chunk, and its bytes.
    type Batch = Vec<(u64, Vec<u8>)>;
    type Error = Enough;

    fn judge(&self, batch: &mut Self::Batch, number: u64, _start: usize, record: &[u8]) {
        if batch.len() < PREVIEW_ALERTS && matches!(self.format.findings(record), Findings::Some(_)) {
            batch.push((number, record.to_vec()));
        }
    }

    fn accept(&mut self, chunk: Accepted<'_, Self::Batch>) -> Result<(), Enough> {
        for (number, record) in chunk.batch {
            let Findings::Some(findings) = self.format.findings(&record) else { continue };
            for finding in &findings {
                let (lines, hold) = match self.decider.decide(finding) {
                    Decision::Share(line) => (vec![line], None),
                    Decision::ShareWith(lines, _) => (lines, None),
                    Decision::Hold(reason, lines) => (lines, Some(reason)),
                    _ => continue,
                };
                for line in lines {
                    let owner = line.owner.0;
                    let (recipient, ids) = (self.decider.recipient(owner), self.decider.ids(finding, owner));
                    let record = chunk.records_before + number + 1;
                    let mut out = Vec::new();
                    let entry = self.decider.context.entry(finding);
                    let alert =
                        self.decider.alert(&recipient, finding, entry, &ids, record, &line, hold, None);
                    write_line(&mut out, &self.decider.context, &alert);
                    self.lines.push(out);
                }
                if self.lines.len() >= PREVIEW_ALERTS {
                    return Err(Enough);
                }
            }
        }
        Ok(())
    }
}
