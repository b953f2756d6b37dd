//! Seeded faults in the parsers, each of which the differential suites must catch.
//!
//! A mutant is one text of a source file replaced by another. [`each_mutant_is_caught`] copies the package, applies one
//! at a time, and runs the suite, which must fail; that takes a build each:
//!
//! ```text
//! cargo test --test mutants -- --ignored --nocapture
//! ```
//!
//! [`each_mutant_is_where_it_was`] keeps the list from rotting and is quick.

#![allow(clippy::unwrap_used, clippy::print_stderr)] // the helpers of tests are tests

use std::path::{Path, PathBuf};
use std::process::Command;

/// A fault, and the suite that must see it.
struct Mutant {
    what: &'static str,
    file: &'static str,
    right: &'static str,
    wrong: &'static str,
    suite: &'static str,
}

const fn delimited(what: &'static str, right: &'static str, wrong: &'static str) -> Mutant {
    Mutant { what, file: "src/scan/delimited.rs", right, wrong, suite: "delimited" }
}

const fn columns(what: &'static str, right: &'static str, wrong: &'static str) -> Mutant {
    Mutant { what, file: "src/scan/columns.rs", right, wrong, suite: "delimited" }
}

const MUTANTS: &[Mutant] = &[
    delimited(
        "a doubled quote closes the field",
        "(State::Start, QUOTE) | (State::Closing, QUOTE) =>",
        "(State::Start, QUOTE) =>",
    ),
    delimited(
        "a carriage return before the newline stays in the record",
        "usize::from(bytes[end - 1] == b'\\r')",
        "usize::from(false)",
    ),
    delimited(
        "a record of just record_bytes_max is too long",
        "record.len() <= self.record_bytes_max",
        "record.len() < self.record_bytes_max",
    ),
    delimited(
        "an unclosed quote costs the rest of the dump",
        "self.reject(window, start, Reject::Quoting)",
        "Frame::Rejected { record_start: start, reason: Reject::Quoting, next: limit }",
    ),
    delimited(
        "a chain is entered where it never was",
        "!(self.from..=self.cursor.at).contains(&line_start)",
        "self.from == usize::MAX",
    ),
    delimited(
        "a record is too long before its line end is seen",
        "&& !at_end\n            && bytes[limit - 1] == b'\\r'",
        "&& !at_end\n            && bytes[limit - 1] == b'\\n'",
    ),
    delimited("a line of \\r\\n is a record", "starts_with(b\"\\r\\n\")", "starts_with(b\"\\r\\r\\n\")"),
    delimited(
        "delimiters between quotes split fields",
        "Some(&QUOTE) => closing_quote(self.record, start)",
        "Some(&QUOTE) if start > self.record.len() => closing_quote(self.record, start)",
    ),
    delimited("text after a closing quote is lost", "text.extend_from_slice(after);", ""),
    delimited("comments are records", "if first == COMMENT {", "if first == COMMENT && start == 0 {"),
    columns(
        "a row may have more columns than the header",
        "fields.len() != self.names.len()",
        "fields.len() < self.names.len()",
    ),
    columns("of several names the last wins", "rank < *first", "rank > *first"),
    columns(
        "NUL is text",
        "std::str::from_utf8(bytes).is_ok() && memchr(0, bytes).is_none()",
        "std::str::from_utf8(bytes).is_ok()",
    ),
    columns(
        "an empty address is not followed by a look at the names",
        "if cells.address.is_none() && !(kinds.names && kinds.asns) {",
        "if cells.address.is_none() && kinds.names && kinds.asns {",
    ),
];

fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The source file with the fault; panics unless its place is found exactly once.
fn mutated(mutant: &Mutant) -> String {
    let text = std::fs::read_to_string(package().join(mutant.file)).unwrap();
    assert_eq!(
        text.matches(mutant.right).count(),
        1,
        "{}: {:?} in {}",
        mutant.what,
        mutant.right,
        mutant.file
    );
    text.replacen(mutant.right, mutant.wrong, 1)
}

fn copy_tree(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        let is_built = from == package() && (entry.file_name() == "target" || entry.file_name() == ".git");
        match entry.file_type().unwrap() {
            kind if kind.is_dir() && !is_built => copy_tree(&path, &target),
            kind if kind.is_file() => drop(std::fs::copy(&path, &target).unwrap()),
            _ => {}
        }
    }
}

/// Whether the suite passes; `None` if it does not build.
fn passes(copy: &Path, suite: &str) -> Option<bool> {
    // Dependencies are those of this build; the directory is two above the one for tests' own files.
    let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().to_owned();
    let cargo = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO"));
        command.current_dir(copy).env("CARGO_TARGET_DIR", &target).arg("test").args(arguments);
        let output = command.args(["--quiet", "--offline", "--test", suite]).output().unwrap();
        output.status.success()
    };
    cargo(&["--no-run"]).then(|| cargo(&[]))
}

#[test]
fn each_mutant_is_where_it_was() {
    for mutant in MUTANTS {
        assert_ne!(mutant.right, mutant.wrong);
        mutated(mutant);
    }
}

#[test]
#[ignore = "a build for each mutant"]
fn each_mutant_is_caught() {
    let scratch = tempfile::tempdir().unwrap();
    copy_tree(package(), scratch.path());
    let mut suites: Vec<&str> = MUTANTS.iter().map(|mutant| mutant.suite).collect();
    suites.sort_unstable();
    suites.dedup();
    for suite in suites {
        assert_eq!(passes(scratch.path(), suite), Some(true), "{suite} passes without a fault");
    }
    let mut missed = Vec::new();
    for mutant in MUTANTS {
        let file = scratch.path().join(mutant.file);
        std::fs::write(&file, mutated(mutant)).unwrap();
        let verdict = passes(scratch.path(), mutant.suite);
        std::fs::copy(package().join(mutant.file), &file).unwrap();
        eprintln!("{} {}", if verdict == Some(false) { "caught" } else { "MISSED" }, mutant.what);
        if verdict != Some(false) {
            missed.push((mutant.what, verdict));
        }
    }
    assert!(missed.is_empty(), "{missed:?}");
}
