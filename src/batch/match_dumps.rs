//! `match`: dumps in, one notice per recipient out.

use super::failure::{Failure, Wanted, is_broken_pipe, run_code};
use super::held::read_word;
use super::metrics_file::MetricsFile;
use super::output::{AlertOutput, ProgressLine, note, print_json, print_lines};
use super::setup::{self, ReadingWords, Setup, facts_of, open_spool, read_time, run_time};
use crate::config::{Config, DumpReport, Feed};
use crate::index::Index;
use crate::matcher::CHUNK_BYTES;
use crate::metrics::Stopwatch;
use crate::moment::Moment;
use crate::pipeline::{
    Correcting, Destination, Job, MATCHES_IN_MEMORY_MAX, Reading, RecipientCount, RunError, RunReport, State,
    Summary, refuse, run, run_correction,
};
use crate::policy::InOffice;
use crate::scan::{Input, Io};
use crate::spool::{Label, Spool, report_name};
use crate::text::show;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

/// What `match` is asked.
pub struct MatchRequest {
    /// Configuration and register.
    pub setup: Setup,
    /// What is said about the dumps.
    pub reading: ReadingWords,
    /// `--report`.
    pub report: Option<PathBuf>,
    /// `--observed`.
    pub observed: Option<String>,
    /// `--run-time`.
    pub run_time: Option<String>,
    /// `--label`.
    pub label: Option<String>,
    /// `--because`.
    pub because: Option<String>,
    /// `--by`.
    pub by: Option<String>,
    /// `--owner`.
    pub owners: Vec<String>,
    /// `--changed-since`.
    pub changed_since: Option<PathBuf>,
    /// `--spool`.
    pub spool: Option<PathBuf>,
    /// `--output`.
    pub output: Option<PathBuf>,
    /// `--dry-run`.
    pub dry_run: bool,
    /// `--owners`.
    pub recipients: bool,
    /// `--residual`.
    pub residual: bool,
    /// `--rejects`.
    pub rejects: Option<PathBuf>,
    /// `--metrics-file`.
    pub metrics_file: Option<PathBuf>,
    /// `--threads`.
    pub threads: Option<usize>,
    /// `--io`.
    pub io: Io,
    /// `--json`.
    pub json: bool,
    /// `--quiet`.
    pub quiet: bool,
    /// `--chunk-bytes`.
    pub chunk_bytes: Option<usize>,
    /// The dumps.
    pub dumps: Vec<PathBuf>,
}

/// What all dumps of one call share.
struct Call<'a> {
    request: &'a MatchRequest,
    config: &'a Config,
    index: &'a Index,
    senders: InOffice,
    run_time: Moment,
    observed: Option<(&'a str, Moment)>,
    cancelled: Arc<AtomicBool>,
    metrics: Option<&'a MetricsFile>,
    correcting: Option<Correcting<'a>>,
}

/// Where a call's alerts go.
enum Sink {
    Spool(Spool),
    Output(AlertOutput),
    DryRun,
}

/// Processes the dumps one after the other, each a run of its own; one that fails does not stop the next.
///
/// The metrics file is written whatever came of it: that a batch failed is what it is for.
pub fn match_dumps(mut request: MatchRequest) -> Result<u8, Failure> {
    leave_out_reports(&mut request.dumps);
    keep_inputs(&request)?;
    let metrics = request.metrics_file.as_deref().map(MetricsFile::begin).transpose()?;
    let outcome = match_all(&request, metrics.as_ref());
    match metrics {
        Some(metrics) => metrics.end(outcome),
        None => outcome,
    }
}

/// `match dumps/*` names reports too: what stands beside a dump that is named is its report.
fn leave_out_reports(dumps: &mut Vec<PathBuf>) {
    let reports: Vec<PathBuf> = dumps.iter().map(|dump| report_name(dump.as_os_str()).into()).collect();
    dumps.retain(|dump| !reports.contains(dump));
}

fn match_all(request: &MatchRequest, metrics: Option<&MetricsFile>) -> Result<u8, Failure> {
    let config = request.setup.read_config()?;
    let run_time = run_time(request.run_time.as_deref())?;
    let observed = match request.observed.as_deref() {
        Some(text) => Some((text, read_time("--observed", text)?)),
        None => None,
    };
    check(request)?;
    request.reading.feed()?;
    request.reading.over(&Feed::default(), &config)?;
    let started = Instant::now();
    // Until now a signal ends the process at once: a register may come from a pipe that nobody writes.
    let index = request.setup.load_index(&config)?;
    let before = request.changed_since.as_deref().map(Index::open).transpose().map_err(Failure::Open)?;
    let correcting = correcting(request, &index, before.as_ref())?;
    let (signal, cancelled) = catch_signals()?;
    let mut sink = open_sink(request, &config)?;
    if let Some(metrics) = metrics {
        metrics.index_is(&index, request.setup.index_file(&config), started.elapsed());
    }
    let mut rejects = request.rejects.as_deref().map(create_rejects).transpose()?;
    let senders = config.senders.in_office(run_time.day());
    let call = Call {
        request,
        config: &config,
        index: &index,
        senders,
        run_time,
        observed,
        cancelled,
        metrics,
        correcting,
    };
    // This thread is one of them: with --threads 1 it does all the work itself.
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(request.threads.unwrap_or(0))
        .use_current_thread()
        .build();
    let pool = pool.map_err(|error| Failure::Usage(format!("no threads: {error} (try --threads 1)")))?;
    let mut reports = Vec::new();
    let mut first_failure = None;
    for dump in &request.dumps {
        let report = pool.install(|| {
            call.process(dump, &mut sink, rejects.as_mut().map(|out| out as &mut (dyn Write + Send + Sync)))
        });
        tell(&report, matches!(sink, Sink::Spool(_)));
        if first_failure.is_none()
            && let Some(error) = &report.failure
        {
            first_failure = Some(run_code(error));
        }
        let goes_on = sink.took(&report);
        reports.push(report);
        if !goes_on || call.cancelled.load(Ordering::Relaxed) {
            break;
        }
    }
    if let (Some(mut out), Some(path)) = (rejects, &request.rejects) {
        out.flush().map_err(|error| Failure::file(path, Wanted::Create, error))?;
    }
    match finish(sink, request, &reports) {
        // A summary that nobody reads changes nothing of how the runs went.
        Err(Failure::Output(error)) if is_broken_pipe(&error) => {}
        finished => finished?,
    }
    // A signal that comes when all is done has interrupted nothing.
    let is_cut_short = reports.len() < request.dumps.len()
        || reports.iter().any(|report| matches!(report.failure, Some(RunError::Cancelled)));
    match (signal.load(Ordering::Relaxed), first_failure) {
        (signal, _) if signal > 0 && is_cut_short => Err(Failure::Interrupted(signal as i32)),
        (_, Some(code)) => Err(Failure::Told(code)),
        (_, None) => Ok(0),
    }
}

impl Sink {
    /// A dump is done. Whether others can follow: after a torn output none can.
    fn took(&mut self, report: &RunReport) -> bool {
        match (self, &report.failure) {
            (Self::Output(out), None) => {
                out.keep();
                true
            }
            (Self::Output(out), Some(RunError::Output(_))) => out.take_back(),
            _ => true,
        }
    }
}

fn check(request: &MatchRequest) -> Result<(), Failure> {
    if let Some(label) = &request.label {
        Label::read(label).map_err(|error| Failure::Usage(format!("--label: {error}")))?;
    }
    if let Some(report) = &request.report {
        if request.dumps.len() > 1 {
            let problem = "--report is about one dump (of several, each has its own beside it: FILE.toml)";
            return Err(Failure::Usage(problem.to_owned()));
        }
        report.metadata().map_err(|error| Failure::file(report, Wanted::Read, error))?;
    }
    if request.rejects.as_deref() == Some(Path::new("-")) {
        return Err(Failure::Usage("rejects are written to a file: name one with --rejects".to_owned()));
    }
    if request.residual && (request.dry_run || request.output.is_some()) {
        return Err(Failure::Usage("--residual is kept in a spool: give --spool DIR".to_owned()));
    }
    if request.dumps.iter().filter(|dump| dump.as_os_str() == "-").count() > 1 {
        return Err(Failure::Usage("standard input (-) can be read only once".to_owned()));
    }
    Ok(())
}

/// What a person has matched again; `None` of a dump that just comes in.
fn correcting<'a>(
    request: &MatchRequest,
    index: &Index,
    before: Option<&'a Index>,
) -> Result<Option<Correcting<'a>>, Failure> {
    let Some(because) = &request.because else {
        return match request.owners.is_empty() && request.changed_since.is_none() && request.by.is_none() {
            true => Ok(None),
            false => Err(Failure::Usage("--owner, --changed-since and --by need --because TEXT".to_owned())),
        };
    };
    if request.label.is_none() && request.spool.is_some() {
        return Err(Failure::Usage("--because publishes a dump again: give it a --label too".to_owned()));
    }
    if before.is_some() && request.dumps.iter().any(|dump| dump.as_os_str() == "-") {
        return Err(Failure::Usage("--changed-since reads a dump twice: name a file, not -".to_owned()));
    }
    let owner = |id: &String| {
        let unknown = || Failure::Usage(format!("--owner {}: not in the register", show(id.as_bytes(), 64)));
        index.owner_of_id(id).ok_or_else(unknown)
    };
    let owners = request.owners.iter().map(owner).collect::<Result<_, _>>()?;
    let word = read_word(because, request.by.as_deref())?;
    Ok(Some(Correcting { word, owners, before }))
}

/// `--output`, `--rejects` and `--metrics-file` write over nothing that is read.
fn keep_inputs(request: &MatchRequest) -> Result<(), Failure> {
    let outputs: Vec<&Path> = [&request.output, &request.rejects, &request.metrics_file]
        .into_iter()
        .flatten()
        .map(PathBuf::as_path)
        .collect();
    let setup = &request.setup;
    let beside: Vec<PathBuf> =
        request.dumps.iter().map(|dump| report_name(dump.as_os_str()).into()).collect();
    let inputs = request.dumps.iter().chain(&setup.registers).chain(&setup.index).chain(&setup.config);
    let inputs = inputs.chain(&request.report).chain(&beside);
    setup::keep_inputs(&outputs, &inputs.map(PathBuf::as_path).collect::<Vec<_>>())
}

/// SIGINT and SIGTERM stop a run between two windows; a second one ends the process at once.
fn catch_signals() -> Result<(Arc<AtomicUsize>, Arc<AtomicBool>), Failure> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    let (signal, cancelled) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    for number in [SIGINT, SIGTERM] {
        signal_hook::flag::register_conditional_default(number, cancelled.clone())
            .and_then(|_| signal_hook::flag::register_usize(number, signal.clone(), number as usize))
            .and_then(|_| signal_hook::flag::register(number, cancelled.clone()))
            .map_err(|error| Failure::Usage(format!("signals cannot be caught: {error}")))?;
    }
    Ok((signal, cancelled))
}

fn open_sink(request: &MatchRequest, config: &Config) -> Result<Sink, Failure> {
    if request.dry_run {
        return Ok(Sink::DryRun);
    }
    if let Some(output) = &request.output {
        return Ok(Sink::Output(AlertOutput::create(output)?));
    }
    match open_spool(request.spool.as_deref(), config)? {
        Some(spool) => {
            spool.recover().map_err(Failure::Spool)?;
            Ok(Sink::Spool(spool))
        }
        None => Err(Failure::Usage(
            "nowhere to put alerts: give --spool DIR, --output FILE or --dry-run, or [spool] in the configuration"
                .to_owned(),
        )),
    }
}

fn create_rejects(path: &Path) -> Result<BufWriter<File>, Failure> {
    File::create(path).map(BufWriter::new).map_err(|error| Failure::file(path, Wanted::Create, error))
}

impl Call<'_> {
    /// A dump whose report cannot be used is not begun.
    fn process(
        &self,
        dump: &Path,
        sink: &mut Sink,
        rejects: Option<&mut (dyn Write + Send + Sync)>,
    ) -> RunReport {
        match setup::report_on(dump, self.request.report.as_deref(), self.config) {
            Ok(report) => self.run(dump, report.as_ref(), sink, rejects),
            Err(error) => {
                let refused = refuse(&dump.to_string_lossy(), self.request.reading.feed.as_deref(), error);
                if let Some(metrics) = self.metrics {
                    metrics.run_ended(&refused, &Stopwatch::default().stop());
                }
                refused
            }
        }
    }

    fn run(
        &self,
        dump: &Path,
        report: Option<&DumpReport>,
        sink: &mut Sink,
        rejects: Option<&mut (dyn Write + Send + Sync)>,
    ) -> RunReport {
        let started = Instant::now();
        let name = dump.to_string_lossy();
        let input = Input::of_argument(dump.as_os_str());
        let progress = ProgressLine::new(&name, self.request.quiet);
        let stopwatch = Stopwatch::default();
        let job = Job {
            input: &input,
            name: &name,
            feed: self.request.reading.feed.as_deref(),
            feeds: &|name| facts_of(name, &self.request.reading, self.config, report),
            run_time: self.run_time,
            observed: setup::observed_of(self.observed, report),
            label: self.request.label.as_deref(),
            senders: &self.senders,
            rulebook: &self.config.rulebook,
            index: self.index,
            reading: Reading {
                io: self.request.io,
                chunk_bytes: self.request.chunk_bytes.unwrap_or(CHUNK_BYTES),
                decompressed_bytes_max: self.config.limits.decompressed_bytes_max,
                matches_in_memory_max: MATCHES_IN_MEMORY_MAX,
            },
            scratch_directory: &std::env::temp_dir(),
            cancelled: &self.cancelled,
            progress: &|now| {
                stopwatch.tell(now);
                progress.tell(now);
            },
            history: self.request.spool.as_deref().or(self.config.spool.as_deref()),
            recipients: self.request.recipients,
            residual: self.request.residual || self.config.residual,
            rejects: rejects.map(|out| out as &mut (dyn Write + Send + Sync)),
        };
        let destination = match sink {
            Sink::Spool(spool) => Destination::Spool(spool),
            Sink::Output(out) => Destination::Output(out),
            Sink::DryRun => Destination::DryRun,
        };
        let mut report = match &self.correcting {
            Some(correcting) => run_correction(job, correcting, destination),
            None => run(job, destination),
        };
        report.seconds = started.elapsed().as_secs_f64();
        if let Some(metrics) = self.metrics {
            metrics.run_ended(&report, &stopwatch.stop());
        }
        report
    }
}

/// What became of a dump, on standard error, where it is not what was asked for.
fn tell(report: &RunReport, is_in_spool: bool) {
    let dump = show(report.dump.as_bytes(), 256);
    match (&report.state, &report.failure) {
        // Told at the end, for all dumps.
        (State::Failed, Some(RunError::Cancelled)) => {}
        (State::Failed, Some(RunError::Output(error))) if is_broken_pipe(error) => {}
        (State::Failed, Some(error)) => note(format_args!("error: {}", in_dump(&dump, error))),
        (State::AlreadyPublished, _) => {
            let when = report
                .published
                .map(|at| format!(" at {}", at.whole_seconds().id_text()))
                .unwrap_or_default();
            let run = report.run.as_deref().unwrap_or_default();
            note(format_args!(
                "{dump}: already published{when} as {run} (publish it again on purpose with another --label)"
            ));
            if let Some(then) = &report.published_counts
                && (then.alerts, then.held) != (report.books.alerts, report.books.held)
            {
                note(format_args!(
                    "{dump}: warning: {} alerts and {} held were published then; read as now it would be {} and {}, \
                     which nobody is sent",
                    then.alerts, then.held, report.books.alerts, report.books.held
                ));
            }
        }
        _ => {}
    }
    if let Some(line) = report.fuse_line(is_in_spool) {
        note(format_args!("{dump}: {line}"));
    }
    if report.books.held_by.iter().any(|(reason, count)| reason == "no-finding" && count > 0) {
        note(format_args!(
            "{dump}: matches are held because nobody says what is wrong (give --identifier NAME, or set identifier or \
             finding = true for the feed{})",
            if report.state == State::Published {
                "; and --label TEXT, since this run is published now"
            } else {
                ""
            }
        ));
    }
    let books = &report.books;
    if books.records > 0 && books.rejected == books.records {
        let (reason, _) = books.rejected_by.iter().max_by_key(|(_, count)| *count).unwrap_or_default();
        let format = report.format.as_deref().unwrap_or_default();
        note(format_args!(
            "{dump}: warning: every record was rejected, most as {reason}: is the format {format}? (dijkwacht preview shows \
             how it is read)"
        ));
    }
}

/// Names the dump, unless the message does.
fn in_dump(dump: &str, error: &RunError) -> String {
    let message = error.to_string();
    if message.contains(dump) { message } else { format!("{dump}: {message}") }
}

/// Closes what was open and prints the summary.
fn finish(sink: Sink, request: &MatchRequest, reports: &[RunReport]) -> Result<(), Failure> {
    let data_on_stdout = request.output.as_deref() == Some(Path::new("-"));
    let spool = match &sink {
        Sink::Spool(spool) => Some(spool.path().to_owned()),
        Sink::Output(_) | Sink::DryRun => None,
    };
    match sink {
        Sink::Output(out) if reports.iter().any(|report| report.state == State::Published) => out.finish()?,
        Sink::Output(_) | Sink::Spool(_) | Sink::DryRun => {}
    }
    let summary = Summary::of(reports);
    match (request.json, data_on_stdout) {
        (true, false) => print_json(&summary),
        (true, true) => {
            let text = serde_json::to_string(&summary).map_err(|error| Failure::Output(error.into()))?;
            note(format_args!("{text}"));
            Ok(())
        }
        (false, true) => {
            text_summary(spool.as_deref(), reports, &summary)
                .iter()
                .for_each(|line| note(format_args!("{line}")));
            Ok(())
        }
        (false, false) => print_lines(&text_summary(spool.as_deref(), reports, &summary)),
    }
}

fn text_summary(spool: Option<&Path>, reports: &[RunReport], summary: &Summary<'_>) -> Vec<String> {
    let mut lines: Vec<String> = reports.iter().flat_map(|report| dump_summary(spool, report)).collect();
    if reports.len() > 1 {
        let states: Vec<String> =
            summary.total.states.iter().map(|(state, count)| format!("{count} {state}")).collect();
        lines.push(format!("total: {} dumps ({})", reports.len(), states.join(", ")));
        lines.extend(books_summary(&summary.total.books));
    }
    lines
}

fn dump_summary(spool: Option<&Path>, report: &RunReport) -> Vec<String> {
    let dump = show(report.dump.as_bytes(), 256);
    let state = match (report.state, spool) {
        (State::Published, None) => "written",
        (state, _) => state.as_str(),
    };
    if report.state == State::Failed {
        return vec![format!("{dump}: {state}")];
    }
    let format = report.format.as_deref().unwrap_or_default();
    let mut lines = vec![format!("{dump}: {state} (feed {}, {format})", report.feed)];
    lines.extend(books_summary(&report.books));
    for reject in &report.rejected_first {
        lines.push(format!(
            "  rejected     record {} at byte {}: {}",
            reject.record, reject.offset, reject.reason
        ));
    }
    if let Some(blown) = &report.fuse {
        lines.push(format!("  fuse         {blown}"));
    }
    lines.extend(report.recipients.iter().flatten().map(recipient_line));
    for change in &report.changes {
        let names =
            |owners: &[String]| if owners.is_empty() { "nobody".to_owned() } else { owners.join(", ") };
        let (before, now) = (names(&change.before), names(&change.now));
        lines.push(format!("  changed      {before} -> {now}: {}", change.findings));
    }
    lines.push(format!("  took         {:.3} s{}", report.seconds, speed(report)));
    let is_in_spool = matches!(report.state, State::Published | State::AlreadyPublished);
    if let (true, Some(run), Some(spool)) = (is_in_spool, &report.run, spool) {
        lines.push(format!("  notices in   {}", spool.join("new").join(run).display()));
        let residual = spool.join("runs").join(format!("{run}.residual.jsonl"));
        if residual.exists() {
            lines.push(format!("  residual in  {}", residual.display()));
        }
        if spool.join("held").join(run).exists() {
            lines.push(format!("  held in      {}", spool.join("held").join(run).display()));
        }
    }
    if report.state == State::Published && spool.is_none() && report.books.held > 0 {
        lines.push(
            "  held         not written: held alerts are kept in a spool only (--spool DIR)".to_owned(),
        );
    }
    lines
}

fn recipient_line(count: &RecipientCount) -> String {
    let RecipientCount { owner_id, name, sender, alerts, held } = count;
    let name = name.as_deref().map(|name| format!(" ({})", show(name.as_bytes(), 128))).unwrap_or_default();
    format!("  {alerts:>8} alerts, {held:>8} held  {owner_id}{name} by {sender}")
}

/// Below this, a run's speed is that of its start and its end.
const SPEED_SECONDS_MIN: f64 = 0.1;

fn speed(report: &RunReport) -> String {
    match report.seconds {
        SPEED_SECONDS_MIN.. => format!(", {:.0} MB/s", report.books.bytes as f64 / 1e6 / report.seconds),
        _ => String::new(),
    }
}

fn books_summary(books: &crate::pipeline::Books) -> Vec<String> {
    let by = |counts: &mut dyn Iterator<Item = (&'static str, u64)>| {
        let reasons: Vec<String> =
            counts.filter(|(_, n)| *n > 0).map(|(reason, n)| format!("{reason} {n}")).collect();
        if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join(", ")) }
    };
    let unmatched =
        [("special-purpose", books.unmatched_special), ("Dutch", books.unmatched_dutch.unwrap_or_default())];
    let unmatched: Vec<String> =
        unmatched.iter().filter(|(_, n)| *n > 0).map(|(which, n)| format!("{n} {which}")).collect();
    let unmatched = if unmatched.is_empty() { String::new() } else { format!(" ({})", unmatched.join(", ")) };
    let mut lines = vec![
        format!("  records      {}", books.records),
        format!("    matched    {}", books.matched),
        format!("    unmatched  {}{unmatched}", books.unmatched),
        format!("    skipped    {}{}", books.skipped, by(&mut books.skipped_by.iter())),
        format!("    rejected   {}{}", books.rejected, by(&mut books.rejected_by.iter())),
        format!("  decisions    {}", books.decisions),
        format!("    alerts     {} for {} owners", books.alerts, books.owners),
        format!("    duplicates {}", books.duplicates),
        format!("    held       {}{}", books.held, by(&mut books.held_by.iter())),
    ];
    let left_out = [("dropped   ", books.dropped), ("excepted  ", books.excepted)];
    lines.extend(left_out.iter().filter(|(_, n)| *n > 0).map(|(what, n)| format!("    {what} {n}")));
    lines
}
