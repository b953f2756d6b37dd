//! `register lint`: what is unwise in register files, and whether any of it is not allowed here.

use super::failure::Failure;
use super::output::{note, print_lines};
use super::setup::{now, read_register_quietly};
use crate::register::{Finding, FindingKind, Findings, lint};
use serde_json::json;
use std::path::PathBuf;

/// What `register lint` is asked.
pub struct LintRequest {
    /// Register files, in order of precedence.
    pub sources: Vec<PathBuf>,
    /// Kinds of findings that are not allowed, as typed.
    pub deny: Vec<String>,
    /// One JSON line a finding.
    pub json: bool,
}

/// Prints all findings; 65 if there is one of a kind that is not allowed.
pub fn register_lint(request: &LintRequest) -> Result<u8, Failure> {
    let deny = request.deny.iter().map(|word| read_kind(word)).collect::<Result<Vec<_>, _>>()?;
    let (register, report) = read_register_quietly(&request.sources)?;
    let linted = lint(&register, now().day());
    let all = [&report.findings, &linted];
    let show = |finding: &Finding| if request.json { json_line(finding) } else { text_line(finding) };
    let lines: Vec<String> = all.iter().flat_map(|findings| findings.iter()).map(show).collect();
    print_lines(&lines)?;
    for (kind, left) in all.iter().flat_map(|findings| findings.without_text()) {
        note(format_args!("… and {left} more: {kind}"));
    }
    let count = |kind: FindingKind| all.iter().map(|findings| findings.count(kind)).sum::<u64>();
    let denied: Vec<String> =
        deny.iter().filter(|&&kind| count(kind) > 0).map(|&kind| format!("{} {kind}", count(kind))).collect();
    match denied[..] {
        [] => Ok(0),
        _ => Err(Failure::Data(format!("register has what --deny names: {}", denied.join(", ")))),
    }
}

/// Tells on standard error what lint found.
pub(super) fn tell(findings: &Findings) {
    for finding in findings.iter() {
        note(format_args!("lint: {finding}"));
    }
    for (kind, left) in findings.without_text() {
        note(format_args!("lint: … and {left} more: {kind}"));
    }
}

fn read_kind(word: &str) -> Result<FindingKind, Failure> {
    FindingKind::read(word).ok_or_else(|| {
        let known: Vec<&str> = FindingKind::ALL.map(FindingKind::as_str).into();
        let shown = crate::text::show(word.as_bytes(), 64);
        Failure::Usage(format!("--deny {shown} is no kind of finding (write one of {})", known.join(", ")))
    })
}

fn text_line(finding: &Finding) -> String {
    let Finding { kind, file, line, text } = finding;
    format!("{}:{line}: {} {kind}: {text}", crate::text::show(file.as_bytes(), 256), kind.severity())
}

fn json_line(finding: &Finding) -> String {
    let Finding { kind, file, line, text } = finding;
    json!({"kind": kind.as_str(), "severity": kind.severity().as_str(), "file": file, "line": line, "text": text}).to_string()
}
