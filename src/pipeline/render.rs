//! Turns sorted matches into lines, each decided again from a copy of its record.
//!
//! The bytes of a mapped dump can change while it is read. A record is therefore copied out, parsed and decided once
//! more; a line is written from the copy, and only if it comes to the same. Otherwise the run fails.
//!
//! Simply: for each alert, find its record, copy it, parse it, decide it, write its line. Departures from that:
//! 1. The records of one recipient lie all over the dump, and each would be waited for: measured, a seventh of all that a line
//!    costs. A task [asks for](Records::fetch) many at once, before it reads the first, and waits for none.
//! 2. A task copies its records into one buffer, one after the other, and gives a piece room for all its lines at once.
//! 3. What the lines of one registration have in common is rendered for the first of them ([`LastFoundBy`]).
//!
//! What is in memory at once has limits, whatever the dump: [`BATCH_MATCHES`] matches, [`TASK_BYTES_MAX`] of lines a task
//! and one line more, and of equal alerts one record ([`Group`]).

use super::RunError;
use super::decider::Decider;
use super::group::Group;
use super::judge::Spill;
use super::sort::{Match, Sorted};
use super::wide::Wide;
use crate::alert::{Ids, LastFoundBy, Merged, Recipient, ids_in, write_line_found_by};
use crate::policy::{Decision, Entry, Hold, Line, Severity, Tlp};
use crate::scan::{Finding, Findings, Format, Frame, Window, prefetch};
use rayon::prelude::*;
use std::borrow::Cow;
use std::os::unix::fs::FileExt as _;
use std::sync::atomic::{AtomicBool, Ordering};

/// Matches that are rendered at once on all threads; their lines are in memory together.
const BATCH_MATCHES: usize = 12 * 1024;

/// Alerts that one task renders.
const TASK_GROUPS: usize = 512;

/// Bytes of lines after which a task renders no further; a full task of ordinary lines has 600 KiB.
const TASK_BYTES_MAX: usize = 4 << 20;

/// Bytes of an ordinary line, and some more.
const LINE_BYTES: usize = 1024;

/// Alerts whose records are asked for at once. One by one, each would wait for where its page is (measured).
const GROUPS_AHEAD: usize = 64;

/// What memory gives at once.
const CACHE_LINE_BYTES: usize = 64;

/// Records are fetched about this far, and looked at no further if they end there: most rows of a table do.
const NEAR_BYTES: usize = 2 * CACHE_LINE_BYTES;

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
    /// Lines by what is wrong.
    pub(super) identifiers: Vec<(String, u64)>,
    recipient: Recipient,
}

/// Renders all matches; `take` gets the pieces in order.
pub(super) fn render(
    sorted: Sorted,
    records: &Records<'_>,
    format: &dyn Format,
    decider: &Decider<'_>,
    cancelled: &AtomicBool,
    take: impl FnMut(Vec<Piece>) -> Result<(), RunError>,
) -> Result<(), RunError> {
    let work = Work { records, format, decider, cancelled, wide: &Wide::default() };
    let mut renderer =
        Renderer { work, take, batch: Vec::with_capacity(BATCH_MATCHES), open: None, ready: Vec::new() };
    for found in sorted {
        renderer.add(found.map_err(RunError::scratch)?)?;
    }
    renderer.flush()?;
    (renderer.take)(renderer.ready)
}

/// What every line is made from; the same for all threads.
#[derive(Clone, Copy)]
pub(super) struct Work<'a> {
    records: &'a Records<'a>,
    format: &'a dyn Format,
    decider: &'a Decider<'a>,
    cancelled: &'a AtomicBool,
    wide: &'a Wide,
}

struct Renderer<'a, T> {
    work: Work<'a>,
    take: T,
    /// Begins with a leader, or with followers of `open`.
    batch: Vec<Match>,
    /// Equal alerts of more matches than a batch has, as far as they were gathered, and their leader.
    open: Option<(Match, Group)>,
    /// Rendered, and given away while the next are rendered.
    ready: Vec<Piece>,
}

impl<T: FnMut(Vec<Piece>) -> Result<(), RunError>> Renderer<'_, T> {
    /// A batch ends before a leader: its followers are rendered with it.
    fn add(&mut self, found: Match) -> Result<(), RunError> {
        let is_full = self.batch.len() >= BATCH_MATCHES;
        match found.follows() {
            true if is_full => self.gather_last()?,
            false if is_full || self.open.is_some() => self.flush()?,
            _ => {}
        }
        self.batch.push(found);
        Ok(())
    }

    /// The last alert of the batch has many matches: what was seen of them is gathered, what stands before is rendered.
    fn gather_last(&mut self) -> Result<(), RunError> {
        if self.open.is_none() {
            let start = self.batch.iter().rposition(|found| !found.follows()).unwrap_or(0);
            let last = self.batch.split_off(start);
            self.flush()?;
            self.open = Some((last[0], Group::default()));
            self.batch = last;
        }
        self.gather_open()
    }

    /// Adds the batch, all of it followers, to the open group.
    fn gather_open(&mut self) -> Result<(), RunError> {
        let Some((_, group)) = &mut self.open else { return Ok(()) };
        group.append(Group::gather(&self.batch, self.work)?);
        self.batch.clear();
        self.work.look_at_cancelled()
    }

    /// Renders all that is there.
    fn flush(&mut self) -> Result<(), RunError> {
        self.gather_open()?;
        if let Some((leader, group)) = self.open.take() {
            let mut piece = Piece::new(leader, self.work.decider);
            group.write(self.work, &mut LastFoundBy::default(), &mut piece)?;
            self.ready.push(piece);
        }
        let mut done = 0;
        while done < self.batch.len() {
            done += self.render_next(done)?;
        }
        self.batch.clear();
        Ok(())
    }

    /// Renders matches of the batch from `done` on, while what was ready is given away; returns how many.
    fn render_next(&mut self, done: usize) -> Result<usize, RunError> {
        let ready = std::mem::take(&mut self.ready);
        let (work, matches, take) = (self.work, &self.batch[done..], &mut self.take);
        let mut rendered = Ok((Vec::new(), 0));
        rayon::in_place_scope(|scope| {
            scope.spawn(|_| rendered = work.render_part(matches));
            take(ready)
        })?;
        let (pieces, matches) = rendered?;
        self.ready = pieces;
        Ok(matches)
    }
}

impl<'a> Work<'a> {
    /// Renders the first of these matches, at least one alert; returns the pieces and how many matches they are of.
    fn render_part(self, matches: &[Match]) -> Result<(Vec<Piece>, usize), RunError> {
        let groups: Vec<&[Match]> = matches.chunk_by(|_, next| next.follows()).collect();
        let tasks: Vec<_> = groups.chunks(TASK_GROUPS).collect();
        let rendered: Result<Vec<_>, RunError> =
            tasks.par_iter().map(|task| self.render_task(task)).collect();
        let (mut all, mut matches) = (Vec::new(), 0);
        for (task, (pieces, groups)) in tasks.iter().zip(rendered?) {
            all.extend(pieces);
            matches += task[..groups].iter().map(|group| group.len()).sum::<usize>();
            // What stands behind a task that stopped is rendered again: it would come too soon.
            if groups < task.len() {
                break;
            }
        }
        Ok((all, matches))
    }

    /// Renders groups until it has too many bytes; returns the pieces and how many groups they are of.
    fn render_task(self, groups: &[&[Match]]) -> Result<(Vec<Piece>, usize), RunError> {
        let mut pieces: Vec<Piece> = Vec::new();
        let (mut bytes, mut room) = (0, Room::default());
        for (done, group) in groups.iter().enumerate() {
            if bytes >= TASK_BYTES_MAX {
                return Ok((pieces, done));
            }
            if done % GROUPS_AHEAD == 0 {
                groups[done..].iter().take(GROUPS_AHEAD).for_each(|group| self.records.fetch(group));
            }
            if pieces.last().is_none_or(|piece| !piece.is_for(group[0])) {
                let mut piece = Piece::new(group[0], self.decider);
                let lines = groups[done..].iter().take_while(|group| piece.is_for(group[0])).count();
                piece.bytes.reserve(lines * LINE_BYTES);
                pieces.push(piece);
            }
            self.look_at_cancelled()?;
            let piece = pieces.last_mut().expect("pushed above");
            let before = piece.bytes.len();
            self.render_group(group, &mut room, piece)?;
            bytes += piece.bytes.len() - before;
        }
        Ok((pieces, groups.len()))
    }

    fn render_group(self, group: &[Match], room: &mut Room, piece: &mut Piece) -> Result<(), RunError> {
        let &[only] = group else {
            return Group::gather(group, self)?.write(self, &mut room.found_by, piece);
        };
        let Room { record, ids, found_by } = room;
        self.copy(only, record)?;
        let again = self.decide_again(only, record)?;
        let ids = ids_in(ids, &self.decider.context, again.finding(), piece.recipient.id());
        piece.push(self, &again, &ids, only.record(), None, found_by);
        Ok(())
    }

    fn look_at_cancelled(self) -> Result<(), RunError> {
        if self.cancelled.load(Ordering::Relaxed) { Err(RunError::Cancelled) } else { Ok(()) }
    }

    /// Copies the record that a match was found in, in the place of what is there.
    pub(super) fn copy(self, found: Match, record: &mut Vec<u8>) -> Result<(), RunError> {
        record.clear();
        self.records.copy(found, self.format, record)
    }

    /// The label that an alert of a match bears alone.
    pub(super) fn notice_tlp(self, again: &Again<'_>) -> Tlp {
        self.decider.context.notice_tlp(again.finding())
    }

    /// The ids of a match.
    pub(super) fn ids(self, found: Match, again: &Again<'_>) -> Ids {
        self.decider.ids(again.finding(), found.owner())
    }

    /// Decides a copied record once more; an error unless it comes to the same.
    pub(super) fn decide_again<'r>(self, found: Match, record: &'r [u8]) -> Result<Again<'r>, RunError>
    where
        'a: 'r,
    {
        let Findings::Some(mut findings) = self.format.findings(record) else {
            return Err(RunError::Changed);
        };
        let part = findings.iter().position(|finding| finding.part == found.part());
        let part = part.ok_or(RunError::Changed)?;
        // Nearly always it is the first; to swap it with itself is to copy it three times.
        if part > 0 {
            findings.swap(0, part);
        }
        let finding = &findings[0];
        let owned = |line: &Line| line.owner.0 == found.owner();
        let (line, hold) = match self.wide.line(found, record) {
            Some((line, reason)) => (line, Some(reason)),
            None => match self.decider.decide(finding) {
                Decision::Share(line) if owned(&line) => (line, found.fuse()),
                Decision::ShareWith(lines, _) => {
                    (*lines.iter().find(|line| owned(line)).ok_or(RunError::Changed)?, found.fuse())
                }
                Decision::Hold(reason, lines) => {
                    let line = *lines.iter().find(|line| owned(line)).ok_or(RunError::Changed)?;
                    self.wide.keep(found, record, reason, &lines);
                    (line, Some(reason))
                }
                _ => return Err(RunError::Changed),
            },
        };
        let verdict = hold.map_or(0, |reason| 1 + reason as u8);
        if verdict != found.verdict() {
            return Err(RunError::Changed);
        }
        let entry = self.decider.context.entry(finding);
        if let Cow::Owned(told) = self.decider.as_told(finding, &line) {
            findings[0] = told;
        }
        Ok(Again { findings, entry, line, hold })
    }
}

/// What a task needs for each alert anew, so that nothing is allocated for it. It stays with its thread: a piece is freed by
/// another, which costs more.
#[derive(Default)]
struct Room {
    /// For a copy of its record.
    record: Vec<u8>,
    /// For what its ids are made of.
    ids: Vec<u8>,
    /// What its registration says of it.
    found_by: LastFoundBy,
}

/// What a match comes to when it is decided again.
pub(super) struct Again<'r> {
    /// The first is the match's, as it is told. It stays where it was made: it is large.
    findings: Vec<Finding<'r>>,
    entry: Option<&'r Entry>,
    line: Line,
    /// Why it is held, if it is.
    pub(super) hold: Option<Hold>,
}

impl<'r> Again<'r> {
    /// As it is told.
    pub(super) fn finding(&self) -> &Finding<'r> {
        &self.findings[0]
    }
}

impl Piece {
    fn new(of: Match, decider: &Decider<'_>) -> Self {
        let (owner, held) = (of.owner(), of.verdict() > 0);
        Self {
            owner,
            held,
            bytes: Vec::new(),
            lines: 0,
            duplicates: 0,
            reasons: Vec::new(),
            severities: Default::default(),
            identifiers: Vec::new(),
            recipient: decider.recipient(owner),
        }
    }

    fn is_for(&self, found: Match) -> bool {
        self.file() == (found.owner(), found.verdict() > 0)
    }

    /// Whose lines they are, and whether they wait for a person: those of a file have both in common.
    pub(super) fn file(&self) -> (u32, bool) {
        (self.owner, self.held)
    }

    pub(super) fn push(
        &mut self,
        work: Work<'_>,
        again: &Again<'_>,
        ids: &Ids,
        record: u64,
        merged: Option<&Merged>,
        found_by: &mut LastFoundBy,
    ) {
        let Again { findings: _, entry, line, hold } = again;
        let finding = again.finding();
        let decider = work.decider;
        let alert = decider.alert(&self.recipient, finding, *entry, ids, record, line, *hold, merged);
        write_line_found_by(&mut self.bytes, &decider.context, &alert, found_by.of(line, alert.registered));
        self.lines += 1;
        self.severities[decider.context.severity(finding, *entry) as usize] += 1;
        self.reasons.extend(again.hold);
        self.count_identifier(finding.identifier.as_deref().unwrap_or_default());
    }

    /// Most lines say what the line before said, and a piece has few.
    fn count_identifier(&mut self, identifier: &str) {
        match self.identifiers.iter_mut().rev().find(|(known, _)| known == identifier) {
            Some((_, lines)) => *lines += 1,
            None => self.identifiers.push((identifier.to_owned(), 1)),
        }
    }
}

impl Records<'_> {
    /// Asks for the records of an alert, which are not looked at yet; of many only for the first. Those of a spill are the system's
    /// to bring.
    #[inline]
    fn fetch(&self, group: &[Match]) {
        let Self::Map(bytes) = self else { return };
        for found in group.iter().take(GROUPS_AHEAD) {
            let start = found.offset() as usize;
            prefetch(bytes, start);
            prefetch(bytes, start + CACHE_LINE_BYTES);
        }
    }

    fn copy(&self, found: Match, format: &dyn Format, record: &mut Vec<u8>) -> Result<(), RunError> {
        match self {
            Self::Map(bytes) => {
                let start = found.offset() as usize;
                let near = (start + NEAR_BYTES).min(bytes.len());
                let near = Window { bytes: &bytes[..near], at_end: near == bytes.len() };
                let frame = match format.frame(near, start) {
                    Frame::More => format.frame(Window { bytes, at_end: true }, start),
                    frame => frame,
                };
                let Frame::Record { record: place, .. } = frame else { return Err(RunError::Changed) };
                record.extend_from_slice(&bytes[place]);
            }
            Self::Spill(spill) => {
                let mut length = [0; 4];
                spill.file.read_exact_at(&mut length, found.offset()).map_err(RunError::scratch)?;
                record.resize(u32::from_le_bytes(length) as usize, 0);
                spill.file.read_exact_at(record, found.offset() + 4).map_err(RunError::scratch)?;
            }
        }
        Ok(())
    }
}
