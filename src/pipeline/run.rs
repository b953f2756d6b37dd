//! The steps of one run.

use super::correct::{Changes, Correcting, Lost, Restriction, add, listed};
use super::decider::{Decider, Excepted};
use super::fuse::blown;
use super::judge::{RunJudge, Spill};
use super::notices::Notices;
use super::render::{Records, render};
use super::report::{RecipientCount, RunReport, State};
use super::residual::Residual;
use super::sort::{Sorted, Sorter};
use super::{Destination, FeedFacts, Job, Progress, RunError, Stage, TemporaryError};
use crate::alert::{Context, ReferenceKey, RunFacts};
use crate::index::{DutchSpace, Index, OwnerIx};
use crate::matcher::{DriveError, DriveOptions, Driven, drive, on_pool};
use crate::policy::{Credibility, Fuse, FuseMode, Reliability, Tlp};
use crate::register::Constituency;
use crate::scan::{
    Content, Encoding, Format, Input, Source, SourceErrorKind, SourceOptions, count_newlines, is_report_type,
    open_format, report_type_of,
};
use crate::spool::{
    self, Account, ContentHash, DumpFacts, FeedName, Label, Occasion, Publication, RecipientAccount, RunName,
    Spool, find_reference_key,
};
use crate::text::show;
use serde_json::{Value, json};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Processes one dump. What went wrong is in the report: the next dump is not concerned.
pub fn run(job: Job<'_>, destination: Destination<'_>) -> RunReport {
    run_with(job, None, destination)
}

/// Processes one dump again, on a person's word. The dump is read twice where the index before is asked: it is no stream.
pub fn run_correction(job: Job<'_>, correcting: &Correcting<'_>, destination: Destination<'_>) -> RunReport {
    run_with(job, Some(correcting), destination)
}

fn run_with(
    mut job: Job<'_>,
    correcting: Option<&Correcting<'_>>,
    destination: Destination<'_>,
) -> RunReport {
    let mut report = RunReport::new(job.name);
    let has_stage = matches!(destination, Destination::Spool(_));
    if let Err(error) = process(&mut job, correcting, destination, &mut report) {
        report.fail(match error {
            RunError::Source(error) if error.kind() == SourceErrorKind::Cancelled => RunError::Cancelled,
            RunError::Scratch(error) if !has_stage => {
                RunError::Temporary(TemporaryError { directory: job.scratch_directory.into(), error })
            }
            error => error,
        });
    }
    report
}

/// A dump that is not begun.
pub fn refuse(name: &str, feed: Option<&str>, error: RunError) -> RunReport {
    let mut report = RunReport::new(name);
    report.feed = feed.unwrap_or_default().to_owned();
    report.fail(error);
    report
}

/// The last look before anything can be seen of a run.
fn look_at_cancelled(job: &Job<'_>) -> Result<(), RunError> {
    if job.cancelled.load(Ordering::Relaxed) { Err(RunError::Cancelled) } else { Ok(()) }
}

/// A dump whose format is known and whose header is read.
pub(super) struct Dump {
    pub(super) source: Source,
    pub(super) format: Box<dyn Format>,
    pub(super) format_name: &'static str,
    pub(super) facts: FeedFacts,
}

fn process(
    job: &mut Job<'_>,
    correcting: Option<&Correcting<'_>>,
    destination: Destination<'_>,
    report: &mut RunReport,
) -> Result<(), RunError> {
    (job.progress)(Progress::Began(Stage::Scan));
    let dry_run = matches!(destination, Destination::DryRun);
    let mut dump = open(job, dry_run, report)?;
    let stage = match &destination {
        Destination::Spool(spool) => Some(spool.stage()?),
        Destination::Output(_) | Destination::DryRun => None,
    };
    let scratch = stage.as_ref().map_or(Scratch::Directory(job.scratch_directory), Scratch::Stage);
    let scanned = scan(job, &mut dump, &scratch, !dry_run, correcting, report)?;
    if let Some(turn) = job.turn {
        turn()?;
        look_at_cancelled(job)?;
    }
    let read = Read { job, dump, correcting, scanned };
    let (into, scratch, told) = (stage.as_ref(), &scratch, &mut *report);
    let staged = on_pool(job.pool, move || match (destination, into) {
        (Destination::Spool(spool), Some(stage)) => read.stage(spool, stage, told),
        (Destination::Output(out), _) => read.write(scratch, out, told).map(|()| None),
        _ => read.count(told).map(|()| None),
    })?;
    match (staged, stage) {
        (Some(staged), Some(stage)) => on_pool(job.pool, || publish(job, staged, stage, report)),
        _ => Ok(()),
    }
}

/// A dump that was read to its end.
struct Read<'r, 'j, 's> {
    job: &'r Job<'j>,
    dump: Dump,
    correcting: Option<&'r Correcting<'r>>,
    scanned: Scanned<'s>,
}

/// Notices that are written, and what is said of their run.
struct Staged<'s> {
    spool: &'s Spool,
    /// Read for the last time, but not yet closed.
    dump: Dump,
    facts: spool::RunFacts,
    occasion: Occasion,
}

impl Read<'_, '_, '_> {
    fn count(self, report: &mut RunReport) -> Result<(), RunError> {
        let Self { job, dump, correcting, scanned } = self;
        let found = sort(job, &dump.facts, correcting, scanned, report)?;
        count(job, found.sorted, report)?;
        dump.source.unchanged().map_err(RunError::Source)?;
        report.books.check()?;
        look_at_cancelled(job)?;
        report.state = State::DryRun;
        Ok(())
    }

    fn write(
        self,
        scratch: &Scratch<'_>,
        out: &mut dyn Write,
        report: &mut RunReport,
    ) -> Result<(), RunError> {
        let Self { job, dump, correcting, scanned } = self;
        let run = name_run(job, &scanned, report)?;
        let found = sort(job, &dump.facts, correcting, scanned, report)?;
        let mut notices = Notices::File(scratch.file().map_err(RunError::Scratch)?);
        let key = job.history.filter(|_| dump.facts.protection.needs_references());
        let key = key.map(find_reference_key).transpose()?.flatten();
        render_all(job, &dump, found, (run.as_str(), key), &mut notices, report)?;
        look_at_cancelled(job)?;
        (job.progress)(Progress::Began(Stage::Publish));
        write_output(notices, out, report)
    }

    /// `None`: the spool has the run.
    fn stage<'p>(
        self,
        spool: &'p Spool,
        stage: &spool::Stage<'_>,
        report: &mut RunReport,
    ) -> Result<Option<Staged<'p>>, RunError> {
        let Self { job, dump, correcting, scanned } = self;
        let run = name_run(job, &scanned, report)?;
        if let Some(at) = spool.find_published(&run, &scanned.content())? {
            report.already_published(at, spool.published_counts(&run), spool.published_fuse(&run));
            let blew = report.fuse.is_some();
            count(job, scanned.sorter.finish(|_| blew).map_err(RunError::Scratch)?, report)?;
            return Ok(None);
        }
        let facts = run_facts(job, &dump, &scanned, report)?;
        if let Some(residual) = &scanned.residual {
            stage.write_residual(|out| residual.write(job.index, out))?;
        }
        let mut notices = Notices::Stage { stage, open: None };
        let found = sort(job, &dump.facts, correcting, scanned, report)?;
        let needs_key = dump.facts.protection.needs_references();
        let key = needs_key.then(|| spool.reference_key()).transpose()?;
        render_all(job, &dump, found, (run.as_str(), key), &mut notices, report)?;
        notices.finish()?;
        look_at_cancelled(job)?;
        let occasion = correcting.map_or(Occasion::Dump, |correcting| {
            Occasion::Correction(correcting.facts(job.index, report.changes.clone()))
        });
        Ok(Some(Staged { spool, dump, facts, occasion }))
    }
}

/// Opens the dump, knows its feed and format, reads its header.
pub(super) fn open(job: &Job<'_>, dry_run: bool, report: &mut RunReport) -> Result<Dump, RunError> {
    let file_name = match job.input {
        Input::File(path) | Input::Arrived(path) => path.file_name().map(|name| name.to_string_lossy()),
        Input::Stdin => None,
    };
    let by_file_name = file_name.as_deref().and_then(report_type_of);
    let mut feed = job.feed.or(by_file_name);
    report.feed = feed.unwrap_or_default().to_owned();
    let mut facts = (job.feeds)(&report.feed);
    let mut source =
        Source::open(job.input, source_options(job, &facts, dry_run)).map_err(RunError::Source)?;
    report.books.bytes_stored = source.stored_bytes().unwrap_or_default();
    let head = source.head().map_err(RunError::Source)?;
    let identifier_type = facts.options.identifier.clone().filter(|identifier| is_report_type(identifier));
    facts.options.report_type = identifier_type;
    let open = |facts: &FeedFacts| {
        open_format(&head, file_name.as_deref(), facts.format.as_deref(), facts.options.clone())
            .map_err(RunError::Format)
    };
    let mut opened = open(&facts)?;
    if feed.is_none() {
        // The feed is called as its format, and may have settings under that name.
        feed = Some(opened.name);
        facts = (job.feeds)(opened.name);
        facts.format = Some(opened.name.to_owned());
        opened = open(&facts)?;
    }
    report.feed = feed.unwrap_or_default().to_owned();
    report.format = Some(opened.name.to_owned());
    Ok(Dump { format_name: opened.name, format: opened.format, source, facts })
}

fn source_options(job: &Job<'_>, facts: &FeedFacts, dry_run: bool) -> SourceOptions {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&hash_prefix(job, facts));
    SourceOptions {
        io: job.reading.io,
        encoding: facts.encoding,
        password_file: facts.password_file.clone(),
        decompressed_bytes_max: job.reading.decompressed_bytes_max,
        raw_hasher: (!dry_run).then_some(hasher),
        cancelled: Some(Arc::clone(job.cancelled)),
        ..SourceOptions::default()
    }
}

/// What precedes the content in its hash: a dump without times is another run when it was observed at another time, and any dump
/// is when another report stands beside it.
fn hash_prefix(job: &Job<'_>, facts: &FeedFacts) -> Vec<u8> {
    let observed = job.observed.map_or_else(Vec::new, |(text, _)| [text.as_bytes(), b"\0"].concat());
    let report = facts.report.as_ref().map_or_else(Vec::new, |report| report.canonical());
    [observed, report].concat()
}

/// Where temporary files go.
enum Scratch<'a> {
    Stage(&'a spool::Stage<'a>),
    Directory(&'a Path),
}

impl Scratch<'_> {
    /// A file without a name.
    fn file(&self) -> io::Result<File> {
        match self {
            Self::Stage(stage) => stage.scratch().map(spool::Scratch::into_file).map_err(io::Error::other),
            Self::Directory(directory) => tempfile::tempfile_in(directory),
        }
    }
}

/// What was found in a dump that was read to its end.
struct Scanned<'s> {
    sorter: Sorter<'s, ScratchFiles<'s>>,
    spill: Option<Spill>,
    hash: blake3::Hash,
    /// What is Dutch and nobody's, if it is listed.
    residual: Option<Residual>,
}

/// Makes files without a name.
type ScratchFiles<'s> = Box<dyn FnMut() -> io::Result<File> + Send + Sync + 's>;

/// What was found in a dump, in the order of the notices.
struct Found {
    sorted: Sorted,
    spill: Option<Spill>,
}

impl Scanned<'_> {
    fn content(&self) -> ContentHash {
        self.hash.into()
    }
}

/// Reads the dump to its end.
fn scan<'s, 'j: 's>(
    job: &mut Job<'j>,
    dump: &mut Dump,
    scratch: &'s Scratch<'_>,
    keep: bool,
    correcting: Option<&Correcting<'_>>,
    report: &mut RunReport,
) -> Result<Scanned<'s>, RunError> {
    let rejects = job.rejects.take();
    let decider = decider(job, &dump.facts, report, "");
    let mapped = matches!(dump.source.content, Content::Mapped(_));
    let spill = match keep && dump.source.is_read_once() {
        false => None,
        true => Some(Spill { file: scratch.file().map_err(RunError::Scratch)?, bytes: 0 }),
    };
    let scratch_files: ScratchFiles<'s> = Box::new(|| scratch.file());
    let dutch = DutchSpace::of(job.index).map(Arc::new);
    report.books.unmatched_dutch = dutch.as_ref().map(|_| 0);
    let mut judge = RunJudge {
        format: &*dump.format,
        decider: &decider,
        residual: (job.residual && keep).then(Residual::new),
        dutch,
        restriction: correcting.map(|correcting| Restriction {
            owners: &correcting.owners,
            before: correcting.before.map(|before| decider_of(job, before, &dump.facts, report, "")),
        }),
        changes: Changes::new(),
        spill,
        sorter: Sorter::new(job.reading.matches_in_memory_max, scratch_files, job.pool),
        books: std::mem::take(&mut report.books),
        rejected_first: Vec::new(),
        rejects: rejects.map(|out| (job.name, out as &mut (dyn Write + Send + Sync))),
    };
    let prefix = hash_prefix(job, &dump.facts);
    // A transcoded stream hashes its own bytes: the text is not what is stored.
    let own_hash = dump.source.encoding() == Encoding::Utf8;
    let total = dump.source.stored_bytes().filter(|_| mapped);
    let options = DriveOptions {
        chunk_bytes: job.reading.chunk_bytes,
        record_bytes_max: dump.facts.options.record_bytes_max,
        hash_prefix: (keep && own_hash).then_some(&prefix[..]),
        keeps_all_rejects: judge.rejects.is_some(),
        is_read_again: keep,
        pool: job.pool,
        cancelled: job.cancelled,
        progress: &|bytes| (job.progress)(Progress::Scanned { bytes, of: total }),
    };
    let driven = drive(&mut dump.source, &*dump.format, job.index, &mut judge, options);
    let RunJudge { spill, sorter, books, rejected_first, mut changes, residual, .. } = judge;
    report.books = books;
    report.rejected_first = rejected_first;
    let Driven { text_bytes, hash, .. } = driven.map_err(|error| match error {
        DriveError::Source(error) => RunError::Source(error),
        DriveError::Judge(error) => error,
        DriveError::Cancelled => RunError::Cancelled,
    })?;
    let (bytes, transcoded_hash) = match &dump.source.content {
        Content::Stream(stream) => {
            (stream.decompressed_bytes(), stream.raw_hasher().map(blake3::Hasher::finalize))
        }
        Content::Mapped(_) => (text_bytes, None),
    };
    report.books.bytes = bytes;
    if dump.source.stored_bytes().is_none() {
        report.books.bytes_stored = bytes;
    }
    if let Some(before) = correcting.and_then(|correcting| correcting.before) {
        add(&mut changes, count_lost(job, before, &decider)?);
    }
    report.changes = listed(changes);
    let hash = hash.or(transcoded_hash).unwrap_or_else(|| blake3::hash(b""));
    Ok(Scanned { sorter, spill, hash, residual })
}

/// Sorts what was found. Beyond a limit of the feed's fuse all that would be sent is held, and the report says which.
fn sort(
    job: &Job<'_>,
    facts: &FeedFacts,
    correcting: Option<&Correcting<'_>>,
    scanned: Scanned<'_>,
    report: &mut RunReport,
) -> Result<Found, RunError> {
    let mut verdict = Ok(None);
    let sorted = scanned.sorter.finish(|sending| {
        verdict = blown(job, &report.feed, facts, correcting, sending);
        matches!(verdict, Ok(Some(_)))
    });
    let sorted = sorted.map_err(RunError::Scratch)?;
    report.fuse = verdict?;
    Ok(Found { sorted, spill: scanned.spill })
}

/// What nobody is told of any more, by another reading of the dump.
fn count_lost(job: &Job<'_>, before: &Index, now: &Decider<'_>) -> Result<Changes, RunError> {
    let mut report = RunReport::new(job.name);
    let mut dump = open(job, true, &mut report)?;
    let before_decider = decider_of(job, before, &dump.facts, &report, "");
    let mut judge = Lost { format: &*dump.format, before: before_decider, now, changes: Changes::new() };
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
    match drive(&mut dump.source, &*dump.format, before, &mut judge, options) {
        Ok(_) => Ok(judge.changes),
        Err(DriveError::Source(error)) => Err(RunError::Source(error)),
        Err(DriveError::Judge(error)) => Err(error),
        Err(DriveError::Cancelled) => Err(RunError::Cancelled),
    }
}

pub(super) fn decider<'a>(job: &Job<'a>, facts: &FeedFacts, report: &RunReport, run: &str) -> Decider<'a> {
    decider_of(job, job.index, facts, report, run)
}

/// As [`decider`], with another index.
fn decider_of<'d, 'j: 'd>(
    job: &Job<'j>,
    index: &'d Index,
    facts: &FeedFacts,
    report: &RunReport,
    run: &str,
) -> Decider<'d> {
    let context = Context::new(&RunFacts {
        feed: &report.feed,
        label: facts.label.as_deref(),
        provider: facts.provider.as_deref(),
        run,
        run_time: job.run_time,
        observed: job.observed.map(|(text, moment)| (moment, text)),
        provenance: facts.provenance,
        classification: facts.classification.as_deref(),
        severity: facts.severity.as_deref(),
        catalogue: &facts.catalogue,
        report: facts.report.as_ref().map(|report| &report.words),
        index_id: index.id(),
    })
    .protecting(facts.protection, None);
    let observed = job.observed.map(|(_, moment)| moment);
    Decider {
        index,
        finder: index.finder(),
        senders: job.senders,
        context,
        run_time: job.run_time,
        observed,
        copies: facts.copies,
        exceptions: Excepted::in_force(&job.rulebook.exceptions, &report.feed, job.run_time, job.index),
        rulebook: job.rulebook,
    }
}

fn name_run(job: &Job<'_>, scanned: &Scanned<'_>, report: &mut RunReport) -> Result<RunName, RunError> {
    let label = job.label.map(Label::read).transpose()?;
    let run = RunName::new(&FeedName::read(&report.feed)?, &scanned.content(), label.as_ref());
    report.run = Some(run.to_string());
    Ok(run)
}

/// Without rendering, what is written is counted from the sorted matches.
fn count(job: &Job<'_>, sorted: Sorted, report: &mut RunReport) -> Result<(), RunError> {
    let mut by_owner = BTreeMap::<u32, [u64; 2]>::new();
    for found in sorted {
        let found = found.map_err(RunError::Scratch)?;
        if job.recipients && !found.follows() {
            by_owner.entry(found.owner()).or_default()[usize::from(found.hold().is_some())] += 1;
        }
        match (found.follows(), found.hold()) {
            (true, _) => report.books.duplicates += 1,
            (false, None) => {
                report.books.alerts += 1;
                report.told.insert(found.owner());
            }
            (false, Some(reason)) => report.books.hold(reason),
        }
    }
    report.books.owners = report.told.len();
    report.recipients = job.recipients.then(|| by_size(job, by_owner));
    Ok(())
}

/// Who would be sent how much, the most first.
fn by_size(job: &Job<'_>, by_owner: BTreeMap<u32, [u64; 2]>) -> Vec<RecipientCount> {
    let count = |(owner, [alerts, held]): (u32, [u64; 2])| {
        let owner = job.index.owner(OwnerIx(owner));
        RecipientCount {
            owner_id: owner.id.to_owned(),
            name: owner.name.map(str::to_owned),
            sender: job.senders.sender(owner.constituency).as_str().to_owned(),
            alerts,
            held,
        }
    };
    let mut counts: Vec<RecipientCount> = by_owner.into_iter().map(count).collect();
    // Owners stand in the order of their ids before, and those that are equal do after.
    counts.sort_by_key(|count| Reverse((count.alerts, count.held)));
    counts
}

/// Renders all lines, and checks that the dump is still what it was and that the books balance.
fn render_all(
    job: &Job<'_>,
    dump: &Dump,
    found: Found,
    (run, key): (&str, Option<ReferenceKey>),
    notices: &mut Notices<'_>,
    report: &mut RunReport,
) -> Result<(), RunError> {
    (job.progress)(Progress::Began(Stage::Render));
    let Found { sorted, spill } = found;
    let mut decider = decider(job, &dump.facts, report, run);
    decider.context = decider.context.protecting(dump.facts.protection, key);
    let records = match (&spill, &dump.source.content) {
        (Some(spill), _) => Records::Spill(spill),
        (None, Content::Mapped(mapped)) => Records::Map(mapped.bytes()),
        (None, Content::Stream(_)) => unreachable!("a stream's matches are spilled"),
    };
    let of = sorted.matches;
    let mut lines = 0;
    let rendered = render(sorted, &records, &*dump.format, &decider, job.cancelled, |pieces| {
        for piece in &pieces {
            report.take(piece, decider.sender(piece.owner));
            lines += piece.lines + piece.duplicates;
        }
        notices.take(&pieces, &decider)?;
        (job.progress)(Progress::Rendered { lines, of });
        Ok(())
    });
    // A dump that changed explains whatever else went wrong.
    dump.source.unchanged().map_err(RunError::Source)?;
    rendered?;
    report.books.owners = report.told.len();
    Ok(report.books.check()?)
}

fn write_output(notices: Notices<'_>, out: &mut dyn Write, report: &mut RunReport) -> Result<(), RunError> {
    let Notices::File(mut file) = notices else { unreachable!("an output has a file") };
    file.rewind().map_err(RunError::Scratch)?;
    let mut staged = BufReader::with_capacity(COPY_BYTES, file);
    let mut lines = 0;
    loop {
        let block = staged.fill_buf().map_err(RunError::Scratch)?;
        if block.is_empty() {
            break;
        }
        lines += count_newlines(block);
        let length = block.len();
        staged.consume(length);
    }
    report.books.check_staged(lines + report.books.held)?;
    staged.rewind().map_err(RunError::Scratch)?;
    io::copy(&mut staged, out).and_then(|_| out.flush()).map_err(RunError::Output)?;
    report.state = State::Published;
    Ok(())
}

/// Bytes that are copied at once.
const COPY_BYTES: usize = 256 * 1024;

/// What the manifest says of the run.
fn run_facts(
    job: &Job<'_>,
    dump: &Dump,
    scanned: &Scanned<'_>,
    report: &RunReport,
) -> Result<spool::RunFacts, RunError> {
    let file_name = match job.input {
        Input::File(path) | Input::Arrived(path) => path.file_name().unwrap_or_default().to_string_lossy(),
        Input::Stdin => "-".into(),
    };
    Ok(spool::RunFacts {
        feed: FeedName::read(&report.feed)?,
        feed_label: dump.facts.label.clone().unwrap_or_else(|| report.feed.clone()),
        label: job.label.map(Label::read).transpose()?,
        dump: DumpFacts {
            name: show(file_name.as_bytes(), NAME_CHARS_MAX),
            format: dump.format_name.to_owned(),
            bytes: report.books.bytes,
            bytes_stored: report.books.bytes_stored,
            blake3: scanned.content(),
            observed: job.observed.map(|(text, _)| text.to_owned()),
        },
        index: blake3::Hash::from_bytes(job.index.id()).to_hex().to_string(),
        run_time: job.run_time.id_text(),
        options: decisive_options(&dump.facts),
        report: dump.facts.report.as_ref().map(|report| report.said.clone()).unwrap_or_default(),
        counts: Value::Null,
    })
}

/// Characters of a dump's name in the manifest.
const NAME_CHARS_MAX: usize = 255;

/// What else decided: enough to run the dump again to the same notices.
fn decisive_options(facts: &FeedFacts) -> BTreeMap<String, Value> {
    let (options, provenance) = (&facts.options, &facts.provenance);
    let map: BTreeMap<&str, &str> =
        options.map.iter().map(|(field, column)| (field.as_str(), &column[..])).collect();
    let all = [
        ("map", json!(map)),
        ("identifier", json!(options.identifier)),
        ("finding", json!(options.finding)),
        ("refang", json!(options.refang.then_some(true))),
        ("take", json!(options.take.as_str())),
        ("record_bytes_max", json!(options.record_bytes_max)),
        ("encoding", json!(facts.encoding.map(Encoding::as_str))),
        ("tlp", json!(provenance.tlp.map(Tlp::as_str))),
        ("notice_tlp", json!(provenance.notice_tlp.map(Tlp::as_str))),
        ("permission", json!(facts.permission)),
        ("hide_source_from", json!(facts.protection.hide_from.map(Tlp::as_str))),
        ("opaque", json!(facts.protection.is_opaque.then_some(true))),
        ("reliability", json!(provenance.reliability.map(Reliability::as_str))),
        ("credibility", json!(provenance.credibility.map(Credibility::figure))),
        ("classification", json!(facts.classification)),
        ("severity", json!(facts.severity)),
        ("fuse", fuse_options(&facts.fuse)),
    ];
    all.into_iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}

/// The settings of a fuse that are set; null if none is.
fn fuse_options(fuse: &Fuse) -> Value {
    let Fuse { mode, alerts_max, owners_max, growth_max } = fuse;
    let mode = (*mode != FuseMode::Share).then_some(mode.as_str());
    let all = [
        ("mode", json!(mode)),
        ("alerts_max", json!(alerts_max)),
        ("owners_max", json!(owners_max)),
        ("growth_max", json!(growth_max)),
    ];
    let set: serde_json::Map<String, Value> = all
        .into_iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(key, value)| (key.to_owned(), value))
        .collect();
    if set.is_empty() { Value::Null } else { Value::Object(set) }
}

/// What reports are made from: each owner's lines by what is wrong.
fn account(job: &Job<'_>, report: &RunReport) -> Account {
    let mut recipients = BTreeMap::<String, RecipientAccount>::new();
    for ((owner, is_held), tallies) in &report.identifiers {
        let owner = job.index.owner(OwnerIx(*owner));
        let account = recipients.entry(owner.id.to_owned()).or_default();
        account.sector = owner.sector.map(str::to_owned);
        account.constituency = Some(owner.constituency.unwrap_or(Constituency::Business).as_str().to_owned());
        if *is_held {
            account.held = tallies.clone();
        } else {
            account.alerts = tallies.clone();
        }
    }
    Account { recipients, fuse: report.fuse.clone() }
}

/// Reads the stage back, balances the books against it, and publishes.
fn publish(
    job: &Job<'_>,
    staged: Staged<'_>,
    stage: spool::Stage<'_>,
    report: &mut RunReport,
) -> Result<(), RunError> {
    (job.progress)(Progress::Began(Stage::Publish));
    let Staged { spool, dump, mut facts, occasion } = staged;
    let account = account(job, report);
    // To close a large map takes as long as to read the notices.
    let (written, ()) = rayon::join(|| stage.read_back(), || drop(dump));
    let written = written?;
    report.books.check_staged(written.alerts() + written.held())?;
    facts.counts = json!(report.books);
    match written.accounted(account).publish_on(facts, occasion)? {
        Publication::Published { .. } => report.state = State::Published,
        Publication::AlreadyPublished { run, at } => {
            report.already_published(at, spool.published_counts(&run), spool.published_fuse(&run));
        }
    }
    Ok(())
}
