//! `match --metrics-file`, as an operator runs it.

use super::{assert_promtool, series};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

const REGISTER: &str =
    "owner_id,network,contact,constituency\nschool,192.0.2.0/28,cert@school.example,vital\n";

struct Work(TempDir);

impl Work {
    fn new() -> Self {
        let work = Self(tempfile::tempdir().unwrap());
        work.write("register.csv", REGISTER);
        work
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.path().join(name), text).unwrap();
    }

    /// Runs `match` with `--metrics-file nightly.prom`; its exit code.
    fn run(&self, arguments: &[&str]) -> i32 {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dijkwacht"));
        command.current_dir(self.0.path()).env_remove("DIJKWACHT_CONFIG").arg("match").args(["--quiet"]);
        command.args([
            "--metrics-file",
            "nightly.prom",
            "--register",
            "register.csv",
            "--run-time",
            "2026-11-22",
        ]);
        command.args(arguments).output().unwrap().status.code().unwrap()
    }

    fn page(&self) -> String {
        fs::read_to_string(self.0.path().join("nightly.prom")).unwrap()
    }

    fn value(&self, name: &str, labels: &str) -> f64 {
        let labels = if labels.is_empty() { String::new() } else { format!(",{labels}") };
        let page = self.page();
        let series = series(&page);
        let wanted = format!("dijkwacht_{name}{{batch=\"nightly\"{labels}}}");
        *series.get(&*wanted).unwrap_or_else(|| panic!("no {wanted} in\n{page}"))
    }
}

#[test]
fn the_file_tells_the_books_of_a_batch_and_any_user_may_read_it() {
    let work = Work::new();
    work.write("a.csv", "ip,severity\n192.0.2.1,HIGH\n192.0.2.2,\n198.51.100.1,\n192.0.2.300,\n");
    assert_eq!(work.run(&["--feed", "a", "--identifier", "open-rdp", "--spool", "spool", "a.csv"]), 0);
    for (outcome, count) in [("matched", 2.0), ("unmatched", 1.0), ("rejected", 1.0), ("skipped", 0.0)] {
        assert_eq!(
            work.value("records_total", &format!("feed=\"a\",outcome=\"{outcome}\"")),
            count,
            "{outcome}"
        );
    }
    for (severity, count) in [("high", 1.0), ("none", 1.0)] {
        let labels = format!("feed=\"a\",severity=\"{severity}\",sender=\"ncsc\"");
        assert_eq!(work.value("alerts_total", &labels), count, "{severity}");
    }
    assert_eq!(work.value("notices_total", "feed=\"a\""), 1.0);
    assert_eq!(work.value("rejected_records_total", "feed=\"a\",reason=\"address\""), 1.0);
    assert_eq!(work.value("rejected_records_total", "feed=\"a\",reason=\"json\""), 0.0);
    assert_eq!(work.value("index_owners", ""), 1.0);
    assert_eq!(work.value("batch_exit_code", ""), 0.0);
    for stage in ["scan", "render", "publish"] {
        assert_eq!(work.value("run_stage_seconds_count", &format!("stage=\"{stage}\"")), 1.0, "{stage}");
    }
    let mode = fs::metadata(work.0.path().join("nightly.prom")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644);
    assert_promtool(&["check", "metrics"], Path::new("."), &work.page());
    let names: Vec<_> =
        work.page().lines().filter(|line| line.starts_with("# HELP")).map(str::to_owned).collect();
    assert!(names.is_sorted());
    // Nothing is left beside it that the collector, or anybody, would wonder about.
    let beside = fs::read_dir(work.0.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(beside.into_iter().all(|name| !name.to_string_lossy().ends_with(".tmp")));
}

#[test]
fn a_failed_batch_writes_it_too_and_keeps_the_moment_of_the_last_good_one() {
    let work = Work::new();
    work.write("a.csv", "ip\n192.0.2.1\n");
    let arguments = ["--feed", "a", "--spool", "spool", "--identifier", "open-rdp"];
    assert_eq!(work.run(&[&arguments[..], &["a.csv"]].concat()), 0);
    let succeeded = work.value("batch_last_success_timestamp_seconds", "");
    assert!(succeeded > 0.0);
    assert_eq!(work.run(&[&arguments[..], &["missing.csv"]].concat()), 66);
    assert_eq!(work.value("batch_exit_code", ""), 66.0);
    assert_eq!(work.value("batch_last_success_timestamp_seconds", ""), succeeded);
    assert!(work.value("batch_last_run_timestamp_seconds", "") > succeeded);
    assert_eq!(work.value("run_failures_total", "feed=\"a\",reason=\"input\""), 1.0);
    assert!(work.value("last_success_timestamp_seconds", "feed=\"a\"") > 0.0);
    // Even where no dump was looked at.
    work.write("register.csv", "owner_id,network\nschool,192.0.2.1/24\n");
    assert_eq!(work.run(&[&arguments[..], &["a.csv"]].concat()), 65);
    assert_eq!(work.value("batch_exit_code", ""), 65.0);
    assert_eq!(work.value("batch_last_success_timestamp_seconds", ""), succeeded);
    assert_eq!(work.value("records_total", "feed=\"a\",outcome=\"matched\""), 1.0);
    assert_promtool(&["check", "metrics"], Path::new("."), &work.page());
}

#[test]
fn counters_go_on_from_batch_to_batch_and_a_dump_seen_before_counts_once() {
    let work = Work::new();
    work.write("a.csv", "ip\n192.0.2.1\n");
    work.write("b.csv", "ip\n192.0.2.1\n192.0.2.2\n");
    let arguments = ["--spool", "spool", "--identifier", "open-rdp"];
    let run = |feed, dump| assert_eq!(work.run(&[&arguments[..], &["--feed", feed, dump]].concat()), 0);
    let matched = |feed: &str| work.value("records_total", &format!("feed=\"{feed}\",outcome=\"matched\""));
    run("a", "a.csv");
    run("a", "a.csv");
    assert_eq!(matched("a"), 1.0);
    assert_eq!(work.value("runs_total", "feed=\"a\",state=\"already_published\""), 1.0);
    run("a", "b.csv");
    assert_eq!(matched("a"), 3.0);
    assert_eq!(work.value("run_stage_seconds_count", "stage=\"scan\""), 3.0);
    run("b", "b.csv");
    assert_eq!((matched("a"), matched("b")), (3.0, 2.0));
}

#[test]
fn what_cannot_be_written_is_told_and_nothing_but_a_file_is_replaced() {
    let work = Work::new();
    work.write("a.csv", "ip\n192.0.2.1\n");
    let run = |file: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dijkwacht"));
        command.current_dir(work.0.path()).env_remove("DIJKWACHT_CONFIG").args([
            "match",
            "--register",
            "register.csv",
        ]);
        let done = command.args(["--dry-run", "--metrics-file", file, "a.csv"]).output().unwrap();
        (done.status.code().unwrap(), String::from_utf8(done.stderr).unwrap())
    };
    let (code, said) = run("missing/nightly.prom");
    assert_eq!(code, 73, "{said}");
    assert!(said.contains("missing/nightly.prom"), "{said}");
    let (code, said) = run(".");
    assert_eq!(code, 64, "{said}");
    let (code, said) = run("/dev/null");
    assert_eq!(code, 64, "{said}");
    let (code, said) = run("a.csv");
    assert_eq!((code, said.contains("written over")), (64, true), "{said}");
    assert_eq!(fs::read_to_string(work.0.path().join("a.csv")).unwrap(), "ip\n192.0.2.1\n");
}
