//! What is said of a batch: of each dump when it is done, of all at the end.

use super::request::MatchRequest;
use super::sink::Sink;
use crate::batch::failure::{Failure, is_broken_pipe};
use crate::batch::output::{note, print_json, print_lines};
use crate::pipeline::{Books, RecipientCount, RunError, RunReport, State, Summary};
use crate::text::show;
use std::path::Path;
use std::sync::PoisonError;

/// What became of a dump, on standard error, where it is not what was asked for.
pub(super) fn tell(report: &RunReport, is_in_spool: bool) {
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
pub(super) fn finish(sink: Sink, request: &MatchRequest, reports: &[RunReport]) -> Result<(), Failure> {
    let data_on_stdout = request.output.as_deref() == Some(Path::new("-"));
    let spool = match &sink {
        Sink::Spool(spool) => Some(spool.path().to_owned()),
        Sink::Output(_) | Sink::DryRun => None,
    };
    match sink {
        Sink::Output(out) if reports.iter().any(|report| report.state == State::Published) => {
            out.into_inner().unwrap_or_else(PoisonError::into_inner).finish()?;
        }
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

fn books_summary(books: &Books) -> Vec<String> {
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
