//! `match`: dumps in, one notice per recipient out.

mod call;
mod rejects;
mod request;
mod sink;
mod told;
mod turns;

pub use request::MatchRequest;

use crate::batch::failure::{Failure, Wanted, is_broken_pipe, run_code};
use crate::batch::held::read_word;
use crate::batch::metrics_file::MetricsFile;
use crate::batch::setup::{read_time, run_time};
use crate::config::Feed;
use crate::index::Index;
use crate::pipeline::{Correcting, RunError};
use crate::text::show;
use call::{Call, Done};
use rayon::{ThreadPool, ThreadPoolBuilder};
use sink::Sink;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use told::{finish, tell};
use turns::{Turns, in_turn};

/// Dumps that are read at the same time, at most; never more than there are threads. Each that is compressed has a decoder of its
/// own, and each its windows and its share of the matches in memory.
const DUMPS_AT_ONCE_MAX: usize = 8;

/// Processes the dumps, each a run of its own; one that fails does not stop the next. Some are read at the same time; they are
/// published, told and counted in the order in which they are named.
///
/// The metrics file is written whatever came of it: that a batch failed is what it is for.
pub fn match_dumps(mut request: MatchRequest) -> Result<u8, Failure> {
    request.leave_out_reports();
    request.keep_inputs()?;
    let metrics = request.metrics_file.as_deref().map(MetricsFile::begin).transpose()?;
    let outcome = match_all(&request, metrics.as_ref());
    match metrics {
        Some(metrics) => metrics.end(outcome),
        None => outcome,
    }
}

fn match_all(request: &MatchRequest, metrics: Option<&MetricsFile>) -> Result<u8, Failure> {
    let config = request.setup.read_config()?;
    let run_time = run_time(request.run_time.as_deref())?;
    let observed = match request.observed.as_deref() {
        Some(text) => Some((text, read_time("--observed", text)?)),
        None => None,
    };
    request.check()?;
    request.reading.feed()?;
    request.reading.over(&Feed::default(), &config)?;
    let started = Instant::now();
    // Until now a signal ends the process at once: a register may come from a pipe that nobody writes.
    let index = request.setup.load_index(&config)?;
    let before = request.changed_since.as_deref().map(Index::open).transpose().map_err(Failure::Open)?;
    let correcting = correcting(request, &index, before.as_ref())?;
    let (signal, cancelled) = catch_signals()?;
    let sink = Sink::open(request, &config)?;
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

fn create_rejects(path: &Path) -> Result<BufWriter<File>, Failure> {
    File::create(path).map(BufWriter::new).map_err(|error| Failure::file(path, Wanted::Create, error))
}
