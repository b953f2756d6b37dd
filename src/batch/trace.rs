//! `spool trace`: every alert about an address, for an owner, of one id or reference, and what became of it.

use super::failure::Failure;
use super::output::{note, print_lines};
use super::spool::SpoolPlace;
use crate::alert::Told;
use crate::spool::{RunName, Sought, Trace, TraceState, Traced, trace};
use crate::text::{show, write_json};
use serde::Serialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// One alert, as `--json` prints it.
#[derive(Serialize)]
struct Line<'t> {
    state: &'static str,
    run: &'t RunName,
    #[serde(skip_serializing_if = "Option::is_none")]
    sender: Option<&'t str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner_id: Option<&'t str>,
    alerts: u64,
    /// Its number in the run's dump.
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    noted: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decision: Option<&'t RunName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    because: Option<&'t str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<&'t str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alert: Option<&'t RawValue>,
}

/// Traces one thing; 1 if nothing is found.
pub fn spool_trace(place: &SpoolPlace, sought: &str, as_json: bool) -> Result<u8, Failure> {
    let sought = Sought::read(sought);
    let trace = trace(&place.path()?, &sought).map_err(Failure::Spool)?;
    let lines: Vec<String> = match as_json {
        true => trace.found.iter().map(json_line).collect::<Result<_, _>>()?,
        false => trace.found.iter().map(text_line).collect(),
    };
    print_lines(&lines)?;
    say_what_is_not_known(&trace, &sought);
    Ok(u8::from(trace.found.is_empty()))
}

fn json_line(traced: &Traced) -> Result<String, Failure> {
    let alert = traced.line.as_deref().map(|line| serde_json::from_slice(line.trim_ascii_end()));
    let alert: Option<&RawValue> = alert.transpose().map_err(|error| Failure::Output(error.into()))?;
    let line = Line {
        state: traced.state.as_str(),
        run: &traced.run,
        sender: traced.sender.as_ref().map(|sender| sender.as_str()),
        owner_id: traced.owner_id.as_deref(),
        alerts: traced.alerts,
        record: traced.record,
        noted: traced.noted.map(noted),
        decision: traced.decision.as_ref().map(|(run, _)| run),
        because: traced.decision.as_ref().map(|(_, word)| &*word.because),
        by: traced.decision.as_ref().and_then(|(_, word)| word.by.as_deref()),
        alert,
    };
    let mut out = Vec::new();
    write_json(&mut out, &line).map_err(|error| Failure::Output(error.into()))?;
    Ok(String::from_utf8(out).expect("JSON is UTF-8"))
}

fn noted(sent: bool) -> &'static str {
    if sent { "sent" } else { "failed" }
}

fn text_line(traced: &Traced) -> String {
    let told = traced.line.as_deref().and_then(Told::read);
    let word = |key: &str| -> String {
        let text = told.as_ref().and_then(|told| {
            told.text(key).or_else(|| told.number(key).map(|number| Cow::Owned(number.to_string())))
        });
        text.map_or("-".to_owned(), |text| show(text.as_bytes(), 128))
    };
    let subject = told
        .as_ref()
        .and_then(|told| told.text("source.ip"))
        .map_or_else(|| word("source.network"), |address| show(address.as_bytes(), 64));
    let what = match told {
        Some(_) => format!(
            "{}  {subject} {}  {}  {}",
            word("time.source"),
            word("source.port"),
            word("classification.identifier"),
            word("extra.alert_id")
        ),
        None => format!("{} alerts", traced.alerts),
    };
    let noted = traced.noted.map(|sent| format!(" (noted as {})", noted(sent))).unwrap_or_default();
    let decision = match &traced.decision {
        Some((run, word)) => {
            let by = word.by.as_deref().unwrap_or("nobody");
            format!("  by {run}: {} ({})", show(word.because.as_bytes(), 256), show(by.as_bytes(), 128))
        }
        None => String::new(),
    };
    let sender = traced.sender.as_ref().map_or("-", |sender| sender.as_str());
    let owner = traced.owner_id.as_deref().unwrap_or("-");
    // Of other alerts the line says it.
    let is_opaque = told.is_none_or(|told| told.reference().is_some());
    let record = traced.record.filter(|_| is_opaque).map(|number| format!(", record {number}"));
    let (state, run, record) = (traced.state.as_str(), &traced.run, record.unwrap_or_default());
    format!("{state:<9}{noted}  {what}  {sender}/{owner}  {run}{record}{decision}")
}

fn say_what_is_not_known(trace: &Trace, sought: &Sought) {
    let is_told = trace.found.iter().any(|traced| traced.state == TraceState::Retired);
    if trace.retired_runs > 0 && !is_told && !matches!(sought, Sought::Owner(_)) {
        note(format_args!(
            "{} runs are retired: their alerts are gone from the spool, and only manifests in runs/ tell whom they were for",
            trace.retired_runs
        ));
    }
    let forgotten = |count: fn(&crate::spool::Tombstone) -> u64| {
        trace.forgotten.iter().map(|(_, tombstone)| count(tombstone)).sum::<u64>()
    };
    if !trace.forgotten.is_empty() {
        note(format_args!(
            "{} alerts and {} held ones were forgotten on a person's word (spool verify tells where)",
            forgotten(|tombstone| tombstone.alerts),
            forgotten(|tombstone| tombstone.held)
        ));
    }
}
