//! One record again: what it says, who holds its address, and what is decided of it; nothing is written.
//!
//! The parts are those of a run, so that what is replayed is what a run does.

use super::decider::{Claims, Decider};
use super::run::{decider, open};
use super::{Job, RunError, RunReport};
use crate::alert::write_line;
use crate::matcher::{Accepted, DriveError, DriveOptions, Judge, drive};
use crate::moment::Moment;
use crate::policy::{Asked, Decision, Hold, Line, Tlp};
use crate::scan::{Finding, Findings, Format, Frame, HEAD_BYTES_MAX, Reject, Skip, Subject, Window};
use uuid::Uuid;

/// A record, replayed.
#[derive(Debug)]
pub struct Replay {
    /// Its feed.
    pub feed: String,
    /// Its format.
    pub format: String,
    /// Its number in the dump, from 1.
    pub record: u64,
    /// Its bytes, as far as its format lets them be shown.
    pub bytes: Vec<u8>,
    /// Why it is no exposure.
    pub skipped: Option<Skip>,
    /// Why it cannot be read.
    pub rejected: Option<Reject>,
    /// What it says.
    pub findings: Vec<Replayed>,
}

/// A finding, replayed.
#[derive(Debug)]
pub struct Replayed {
    /// What was read of it: name and value, untrusted.
    pub parsed: Vec<(&'static str, String)>,
    /// Its id.
    pub finding_id: Uuid,
    /// When it was seen, as it counts for the choice.
    pub time: Option<Moment>,
    /// The registrations that speak about it.
    pub claims: Claims,
    /// Its label.
    pub tlp: Tlp,
    /// Why a person must decide.
    pub hold: Option<Hold>,
    /// An exception keeps it back.
    pub is_excepted: bool,
    /// The recipients that were asked for, and whether they may be told.
    pub asked: Vec<Asked>,
    /// What it comes to, one for each recipient; none: unmatched.
    pub lines: Vec<ReplayedLine>,
}

/// A line that a finding comes to.
#[derive(Debug)]
pub struct ReplayedLine {
    /// Why this recipient.
    pub line: Line,
    /// Its id.
    pub alert_id: Uuid,
    /// As it would be written.
    pub text: Vec<u8>,
}

/// Replays one record of a dump, by its number from 1; `None` if no registration of the index holds what it is about, or if
/// there is no such record.
///
/// Reads the dump up to that record.
pub fn replay_record(job: &Job<'_>, number: u64) -> Result<Option<Replay>, RunError> {
    let mut report = RunReport::new(job.name);
    let mut dump = open(job, true, &mut report)?;
    let mut judge = OneRecord { wanted: number, found: None };
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
    match driven {
        Ok(_) | Err(DriveError::Judge(Enough)) => {}
        Err(DriveError::Source(error)) => return Err(RunError::Source(error)),
        Err(DriveError::Cancelled) => return Err(RunError::Cancelled),
    }
    let Some(bytes) = judge.found else { return Ok(None) };
    let decider = decider(job, &dump.facts, &report, "explain");
    Ok(Some(replay(&*dump.format, &decider, &report, number, bytes)))
}

/// Replays the first records of a dump, matched or not: those within its first 64 KiB, at most `max`.
pub fn replay_head(job: &Job<'_>, max: usize) -> Result<Vec<Replay>, RunError> {
    let mut report = RunReport::new(job.name);
    let mut dump = open(job, true, &mut report)?;
    let decider = decider(job, &dump.facts, &report, "explain");
    let head = dump.source.head().map_err(RunError::Source)?;
    let window = Window { bytes: head.bytes, at_end: head.at_end };
    let mut replays = Vec::new();
    let (mut at, mut number) = (dump.format.body(), 0);
    while replays.len() < max && at < window.bytes.len().min(HEAD_BYTES_MAX) {
        at = match dump.format.frame(window, at) {
            Frame::Record { record, next } => {
                number += 1;
                let bytes = window.bytes[record].to_vec();
                replays.push(replay(&*dump.format, &decider, &report, number, bytes));
                next
            }
            Frame::Blank { next } => next,
            Frame::Rejected { next, .. } => {
                number += 1;
                next
            }
            Frame::More | Frame::End => break,
        };
    }
    Ok(replays)
}

fn replay(
    format: &dyn Format,
    decider: &Decider<'_>,
    report: &RunReport,
    record: u64,
    bytes: Vec<u8>,
) -> Replay {
    let (mut skipped, mut rejected, mut found) = (None, None, Vec::new());
    match format.findings(&bytes) {
        Findings::Some(findings) => {
            found = findings.iter().map(|finding| replayed(decider, record, finding)).collect();
        }
        Findings::Skipped(reason) => skipped = Some(reason),
        Findings::Rejected(reason) => rejected = Some(reason),
    }
    let bytes = format.kept(&bytes).into_owned();
    let name = report.format.clone().unwrap_or_default();
    Replay { feed: report.feed.clone(), format: name, record, bytes, skipped, rejected, findings: found }
}

fn replayed(decider: &Decider<'_>, record: u64, finding: &Finding<'_>) -> Replayed {
    let claims = decider.claims(finding);
    let mut asked = Vec::new();
    let decision = decider.decide_telling(finding, &mut |one| asked.push(one));
    let hold = match &decision {
        Decision::Hold(reason, _) => Some(*reason),
        _ => None,
    };
    let entry = decider.context.entry(finding);
    let line = |line: &Line| {
        let owner = line.owner.0;
        let told = decider.as_told(finding, line);
        let (recipient, ids) = (decider.recipient(owner), decider.ids(&told, owner));
        let mut text = Vec::new();
        let alert = decider.alert(&recipient, &told, entry, &ids, record, line, hold, None);
        write_line(&mut text, &decider.context, &alert);
        ReplayedLine { line: *line, alert_id: ids.alert, text }
    };
    Replayed {
        parsed: parsed(finding),
        finding_id: decider.finding_id(finding),
        time: finding.time.or(decider.observed),
        claims,
        tlp: decider.context.tlp(finding),
        hold,
        is_excepted: matches!(decision, Decision::Except(_)),
        asked,
        lines: decision.lines().iter().map(line).collect(),
    }
}

/// What is read of a record, by the names of `--map`.
fn parsed(finding: &Finding<'_>) -> Vec<(&'static str, String)> {
    let address = finding.subject.map(|subject| match subject {
        Subject::Address(address) => address.to_string(),
        Subject::Prefix(prefix) => prefix.to_string(),
    });
    let text = |text: &Option<std::borrow::Cow<'_, str>>| text.as_deref().map(str::to_owned);
    let list = |list: &[std::borrow::Cow<'_, str>]| (!list.is_empty()).then(|| list.join(";"));
    let all = [
        ("address", address),
        ("port", finding.port.map(|port| port.to_string())),
        ("transport", text(&finding.transport)),
        ("time", finding.time.map(Moment::id_text)),
        ("identifier", text(&finding.identifier)),
        ("classification", finding.classification.map(str::to_owned)),
        ("severity", text(&finding.severity)),
        ("cve", list(&finding.cves)),
        ("tlp", text(&finding.tlp)),
        ("asn", finding.asn.map(|asn| asn.to_string())),
        ("application", text(&finding.application)),
        ("name", text(&finding.stated)),
        ("shown_name", list(&finding.shown)),
        ("reverse_name", text(&finding.reverse)),
        ("tag", list(&finding.tags)),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// Waits for one record.
struct OneRecord {
    wanted: u64,
    found: Option<Vec<u8>>,
}

struct Enough;

impl Judge for OneRecord {
    /// Each candidate's number in the chunk, and where it lies in the window.
    type Batch = Vec<(u64, usize, usize)>;
    type Error = Enough;

    fn judge(&self, batch: &mut Self::Batch, number: u64, start: usize, record: &[u8]) {
        batch.push((number, start, record.len()));
    }

    fn accept(&mut self, chunk: Accepted<'_, Self::Batch>) -> Result<(), Enough> {
        if chunk.records_before + chunk.tally.records < self.wanted {
            return Ok(());
        }
        let is_wanted =
            |(number, ..): &&(u64, usize, usize)| chunk.records_before + number + 1 == self.wanted;
        self.found = chunk
            .batch
            .iter()
            .find(is_wanted)
            .map(|&(_, start, bytes)| chunk.window[start..start + bytes].to_vec());
        Err(Enough)
    }
}
