//! `match`: dumps in, one notice per recipient out.

mod rejects;
mod told;
mod turns;

use crate::batch::failure::{Failure, Wanted, is_broken_pipe, run_code};
use crate::batch::held::read_word;
use crate::batch::metrics_file::MetricsFile;
use crate::batch::output::{AlertOutput, ProgressLine};
use crate::batch::setup::{self, ReadingWords, Setup, facts_of, open_spool, read_time, run_time};
use crate::config::{Config, DumpReport, Feed};
use crate::index::Index;
use crate::matcher::CHUNK_BYTES;
use crate::metrics::{StageSeconds, Stopwatch};
use crate::moment::Moment;
use crate::pipeline::{
    Correcting, Destination, Job, MATCHES_IN_MEMORY_MAX, Progress, Reading, RunError, RunReport, Stage,
    refuse, run, run_correction,
};
use crate::policy::InOffice;
use crate::scan::{Input, Io};
use crate::spool::{Label, Spool, report_name};
use crate::text::show;
use rayon::{ThreadPool, ThreadPoolBuilder};
use rejects::Rejects;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use told::{finish, tell};
use turns::{InTurn, Turns, in_turn};

/// Dumps that are read at the same time, at most; never more than there are threads. Each that is compressed has a decoder of its
/// own, and each its windows and its share of the matches in memory.
const DUMPS_AT_ONCE_MAX: usize = 8;

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
    correcting: Option<Correcting<'a>>,
    sink: Sink,
    rejects: Option<Mutex<BufWriter<File>>>,
    pool: ThreadPool,
    /// How many dumps are read at the same time.
    at_once: usize,
    turns: Turns,
}

/// Where a call's alerts go.
enum Sink {
    Spool(Spool),
    Output(Mutex<AlertOutput>),
    DryRun,
}

/// What became of a dump, how long each part took, and the rejects that may still wait.
type Done<'c> = (RunReport, StageSeconds, Rejects<'c>);

/// Processes the dumps, each a run of its own; one that fails does not stop the next. Some are read at the same time; they are
/// published, told and counted in the order in which they are named.
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
    let sink = open_sink(request, &config)?;
    if let Some(metrics) = metrics {
        metrics.index_is(&index, request.setup.index_file(&config), started.elapsed());
    }
    let rejects = request.rejects.as_deref().map(create_rejects).transpose()?.map(Mutex::new);
    let pool = start_pool(request.threads)?;
    let threads = pool.current_num_threads();
    let call = Call {
        request,
        config: &config,
        index: &index,
        senders: config.senders.in_office(run_time.day()),
        run_time,
        observed,
        cancelled,
        correcting,
        sink,
        rejects,
        pool,
        at_once: threads.min(request.dumps.len()).clamp(1, DUMPS_AT_ONCE_MAX),
        turns: Turns::default(),
    };
    let mut reports = Vec::new();
    let read = |number: usize| call.process(number, &request.dumps[number]);
    let conclude = |(report, stages, rejects): Done<'_>| {
        // A run that failed before its turn came has not given them; what it failed of counts.
        let _ = rejects.give();
        if let Some(metrics) = metrics {
            metrics.run_ended(&report, &stages);
        }
        tell(&report, matches!(call.sink, Sink::Spool(_)));
        let goes_on = call.sink.took(&report);
        reports.push(report);
        goes_on && !call.cancelled.load(Ordering::Relaxed)
    };
    in_turn(request.dumps.len(), call.at_once, &call.turns, &call.cancelled, read, conclude);
    let Call { sink, rejects, .. } = call;
    if let (Some(out), Some(path)) = (rejects, &request.rejects) {
        let mut out = out.into_inner().unwrap_or_else(PoisonError::into_inner);
        out.flush().map_err(|error| Failure::file(path, Wanted::Create, error))?;
    }
    let first_failure = reports.iter().find_map(|report| report.failure.as_ref()).map(run_code);
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

/// Threads for all dumps. With one, the calling thread is it, and there is no other but a stream's decoder.
fn start_pool(threads: Option<usize>) -> Result<ThreadPool, Failure> {
    let mut pool = ThreadPoolBuilder::new().num_threads(threads.unwrap_or(0));
    if threads == Some(1) {
        pool = pool.use_current_thread();
    }
    pool.build().map_err(|error| Failure::Usage(format!("no threads: {error} (try --threads 1)")))
}

impl Sink {
    /// A dump is done. Whether others can follow: after a torn output none can.
    fn took(&self, report: &RunReport) -> bool {
        let Self::Output(out) = self else { return true };
        let mut out = out.lock().unwrap_or_else(PoisonError::into_inner);
        match &report.failure {
            None => {
                out.keep();
                true
            }
            Some(RunError::Output(_)) => out.take_back(),
            Some(_) => true,
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
        return Ok(Sink::Output(Mutex::new(AlertOutput::create(output)?)));
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
    fn process(&self, number: usize, dump: &Path) -> Done<'_> {
        match setup::report_on(dump, self.request.report.as_deref(), self.config) {
            Ok(report) => self.run(number, dump, report.as_ref()),
            Err(error) => {
                let feed = self.request.reading.feed.as_deref();
                let refused = refuse(&dump.to_string_lossy(), feed, error);
                (refused, StageSeconds::default(), Rejects::new(None, false))
            }
        }
    }

    fn run(&self, number: usize, dump: &Path, report: Option<&DumpReport>) -> Done<'_> {
        let started = Instant::now();
        let name = dump.to_string_lossy();
        let input = Input::of_argument(dump.as_os_str());
        let line = ProgressLine::new(&name, self.request.quiet);
        let stopwatch = Stopwatch::default();
        let rejects = Rejects::new(self.rejects.as_ref(), self.at_once > 1);
        let waited = Mutex::new(Duration::ZERO);
        let mut out = rejects.out();
        let turn = || {
            stopwatch.stop();
            let since = Instant::now();
            self.turns.wait(number);
            *waited.lock().unwrap_or_else(PoisonError::into_inner) += since.elapsed();
            stopwatch.tell(Progress::Began(Stage::Scan));
            // The call may be over: of what comes after its end nothing is left behind.
            if self.cancelled.load(Ordering::Relaxed) {
                return Err(RunError::Cancelled);
            }
            rejects.give().map_err(RunError::Output)
        };
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
                matches_in_memory_max: MATCHES_IN_MEMORY_MAX / self.at_once,
            },
            scratch_directory: &std::env::temp_dir(),
            cancelled: &self.cancelled,
            progress: &|now| {
                stopwatch.tell(now);
                if self.turns.is(number) {
                    line.tell(now);
                }
            },
            history: self.request.spool.as_deref().or(self.config.spool.as_deref()),
            recipients: self.request.recipients,
            residual: self.request.residual || self.config.residual,
            rejects: out.as_mut().map(|out| out as &mut (dyn Write + Send + Sync)),
            pool: Some(&self.pool),
            turn: (self.at_once > 1).then_some(&turn),
        };
        let mut writer;
        let destination = match &self.sink {
            Sink::Spool(spool) => Destination::Spool(spool),
            Sink::Output(out) => {
                writer = InTurn(out);
                Destination::Output(&mut writer)
            }
            Sink::DryRun => Destination::DryRun,
        };
        let mut report = match &self.correcting {
            Some(correcting) => run_correction(job, correcting, destination),
            None => run(job, destination),
        };
        let waited = waited.into_inner().unwrap_or_else(PoisonError::into_inner);
        report.seconds = (started.elapsed() - waited).as_secs_f64();
        let stages = stopwatch.stop();
        drop(out);
        (report, stages, rejects)
    }
}
