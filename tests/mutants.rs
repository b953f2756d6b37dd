//! Seeded faults in the parsers, each of which the differential suites must catch.
//!
//! A mutant is one text of a source file replaced by another. [`each_mutant_is_caught`] copies the package, applies one
//! at a time, and runs the suite, which must fail; that takes a build each:
//!
//! ```text
//! cargo test --test mutants -- --ignored --nocapture
//! ```
//!
//! `DIJKWACHT_MUTANTS=json` takes those of one suite.
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

const fn json(what: &'static str, file: &'static str, right: &'static str, wrong: &'static str) -> Mutant {
    Mutant { what, file, right, wrong, suite: "json" }
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
        "self.fields.len() != table.names.len()",
        "self.fields.len() < table.names.len()",
    ),
    columns("of several names the last wins", "rank < *first", "rank > *first"),
    columns(
        "NUL is text",
        "std::str::from_utf8(bytes).ok().filter(|_| memchr(0, bytes).is_none())",
        "std::str::from_utf8(bytes).ok()",
    ),
    columns(
        "an empty address is not followed by a look at the names",
        "if cells.address.is_none() && !(kinds.names && kinds.asns) {",
        "if cells.address.is_none() && kinds.names && kinds.asns {",
    ),
    json(
        "a damaged object with a landmark costs its line only",
        "src/scan/json/frame.rs",
        "Walk::Newline(at) if landmark.is_none() =>",
        "Walk::Newline(at) if at > 0 =>",
    ),
    json(
        "a line of just record_bytes_max is too long",
        "src/scan/json/frame.rs",
        "if line.len() > self.record_bytes_max {",
        "if line.len() >= self.record_bytes_max {",
    ),
    json(
        "an object of just record_bytes_max is too long",
        "src/scan/json/frame.rs",
        "let bytes = if is_full { &bytes[..self.record_bytes_max] } else { bytes };",
        "let bytes = if is_full { &bytes[..self.record_bytes_max - 1] } else { bytes };",
    ),
    json(
        "masscan's footer is a record",
        "src/scan/json/frame.rs",
        "self.dialect == Dialect::Masscan && is_finished(record)",
        "self.dialect == Dialect::Masscan && record.is_empty()",
    ),
    json(
        "a backslash hides the newline behind it",
        "src/scan/json/frame.rs",
        "_ if bytes.get(found + 1) == Some(&b'\\n') =>",
        "_ if bytes.get(found + 1) == Some(&b'\\r') =>",
    ),
    json(
        "more is asked for than a stream keeps of a record",
        "src/scan/json/frame.rs",
        "(start + self.record_bytes_max + LINE_END_BYTES).min(at + SEPARATORS_MAX)",
        "(at + SEPARATORS_MAX).max(start)",
    ),
    json(
        "reading resumes at a landmark before the damage",
        "src/scan/json/frame.rs",
        "landmark_in(&reach.bytes[at..], landmark).map(|i| start + at + i)",
        "landmark_in(reach.bytes, landmark).map(|i| start + i)",
    ),
    json(
        "of a key that stands twice the last decides",
        "src/scan/json/skim.rs",
        "self.open &= !paths;",
        "self.open &= !paths | u64::from(is_filled);",
    ),
    json(
        "keys of inner objects count",
        "src/scan/json/skim.rs",
        "b'{' | b'[' => self.skip_nested(step + 1)?,",
        "b'[' => self.skip_nested(step + 1)?,\n                b'{' => {}",
    ),
    json(
        "what stands behind the object is not looked at",
        "src/scan/json/skim.rs",
        "Ok(()) => record[search.at..].iter().all(|byte| is_blank(*byte)),",
        "Ok(()) => true,",
    ),
    json(
        "an empty address ends the search",
        "src/scan/json/skim.rs",
        "self.to_end |= self.asked & paths != 0 && !is_filled;",
        "self.to_end |= self.asked & paths == 0 && !is_filled;",
    ),
    json(
        "the search allows one level less",
        "src/scan/json/skim.rs",
        "if depth > JSON_DEPTH_MAX {\n                return Err(Stop::Broken);",
        "if depth >= JSON_DEPTH_MAX {\n                return Err(Stop::Broken);",
    ),
    json(
        "keys are compared without regard to case",
        "src/scan/json/skim.rs",
        "**step == *key",
        "step.eq_ignore_ascii_case(key)",
    ),
    json(
        "a second value of a key that is read passes",
        "src/scan/json/read.rs",
        "self.duplicate |= second;",
        "self.duplicate |= second && self.depth > JSON_DEPTH_MAX;",
    ),
    json(
        "the strict reading allows one level more",
        "src/scan/json/read.rs",
        "if self.depth > JSON_DEPTH_MAX {",
        "if self.depth > JSON_DEPTH_MAX + 1 {",
    ),
    json(
        "controls in strings pass",
        "src/scan/json/read.rs",
        "byte != b'\\\\' && byte >= b' '",
        "byte != b'\\\\'",
    ),
    json(
        "numbers may begin with zeros",
        "src/scan/json/read.rs",
        "whole == 0 || whole > 1 && rest.starts_with('0')",
        "whole == 0",
    ),
    json(
        "any comma may stand before a closing bracket",
        "src/scan/json/read.rs",
        "if self.dialect == Dialect::Json || self.peek() != Some(close) {",
        "if self.peek() != Some(close) {",
    ),
    json(
        "half a surrogate pair is text",
        "src/scan/json/read.rs",
        "char::from_u32(code).filter(",
        "Some(char::from_u32(code).unwrap_or(' ')).filter(",
    ),
    json(
        "what is no JSON comes before what is no text",
        "src/scan/json/mod.rs",
        "worst = worst.filter(|worst| *worst == Reject::Encoding).or(Some(reason));",
        "worst = worst.or(Some(reason));",
    ),
    json(
        "an address of another type is none at all",
        "src/scan/json/mod.rs",
        "KeyText::Bare(_) | KeyText::Nested => Err(Reject::Address),",
        "KeyText::Bare(_) | KeyText::Nested => Ok(None),",
    ),
    json(
        "a fast sweep forgets an escape at a block's border",
        "src/scan/json/masks.rs",
        "self.0 = (series & backslashes) >> 63;",
        "self.0 = 0;",
    ),
    json(
        "a fast sweep minds backslashes outside strings",
        "src/scan/json/masks.rs",
        "strays: structure.backslashes & !inside,",
        "strays: 0,",
    ),
    json(
        "a fast sweep takes an escaped quote for one",
        "src/scan/json/masks.rs",
        "let quotes = structure.quotes & !escaped;",
        "let quotes = structure.quotes;",
    ),
    json(
        "a fast sweep forgets at a block's border that it is in a string",
        "src/scan/json/masks.rs",
        "self.inside = ((block.inside as i64) >> 63) as u64;",
        "self.inside = 0;",
    ),
    json(
        "a fast sweep takes the key of an inner object",
        "src/scan/json/sweep.rs",
        "block.depth_at(place) == 1 && self.is_at(bytes, at + place)",
        "self.is_at(bytes, at + place)",
    ),
    json(
        "a fast sweep takes a key that only begins alike",
        "src/scan/json/sweep.rs",
        "rest.starts_with(&self.spelling) && bytes",
        "bytes",
    ),
    json("a fast sweep takes a string for a key", "src/scan/json/sweep.rs", "== Some(&b':')\n", "!= None\n"),
    json(
        "a fast sweep takes for a key what stands behind a string",
        "src/scan/json/sweep.rs",
        "marker.keys(room, key.sign) & block.strings;",
        "marker.keys(room, key.sign);",
    ),
    json(
        "a fast sweep counts brackets in strings",
        "src/scan/json/masks.rs",
        "opens: structure.opens & !inside,",
        "opens: structure.opens,",
    ),
    json(
        "a fast sweep goes on behind the end of the object",
        "src/scan/json/sweep.rs",
        " && block.closing(own, block.depth).is_none();",
        ";",
    ),
    json(
        "a fast sweep goes on behind the end of the object, in a block that opens another",
        "src/scan/json/masks.rs",
        "if count + (opens & below(place)).count_ones() == closed {",
        "if count + opens.count_ones() == closed {",
    ),
    json(
        "a fast sweep knows no deepest nesting",
        "src/scan/json/masks.rs",
        "self.depth + opened <= JSON_DEPTH_MAX as u32",
        "self.depth + opened < u32::MAX",
    ),
    json(
        "a fast sweep searches the next line too",
        "src/scan/json/masks.rs",
        "(block.newlines | block.strays) & own == 0",
        "block.strays & own == 0",
    ),
    json(
        "a fast sweep takes a carriage return for the end of a key",
        "src/scan/json/sweep.rs",
        "Some(b' ' | b'\\t' | b'\\r'))",
        "Some(b' ' | b'\\t'))",
    ),
    json(
        "a fast sweep passes over bare keys of masscan",
        "src/scan/json/sweep.rs",
        "(self.framing.dialect() == Dialect::Json || is_first()).then_some(found)",
        "(self.framing.dialect() == Dialect::Json || is_first() || true).then_some(found)",
    ),
    json(
        "a fast sweep with names takes a key that ends alike",
        "src/scan/json/fields.rs",
        "Some([.., other, b'\"']) if *other != b'\\\\')",
        "Some([..]))",
    ),
    json(
        "a fast sweep with names takes an escaped quote for a key's begin",
        "src/scan/json/fields.rs",
        "if *other != b'\\\\')",
        ")",
    ),
    json(
        "a fast sweep with names goes by the last key of a path",
        "src/scan/json/fields.rs",
        "                        self.open &= !path;\n",
        "",
    ),
    json(
        "a fast sweep with names takes the second object of a path",
        "src/scan/json/fields.rs",
        "self.open &= !self.leading[self.level];",
        "",
    ),
    json(
        "a fast sweep with names asks for no name",
        "src/scan/json/fields.rs",
        "is_quad(marker, self.bytes, &text) || rule_out_name(&self.bytes[text], self.filter)",
        "true",
    ),
    json(
        "a fast sweep with names asks for no AS number in a string",
        "src/scan/json/fields.rs",
        "false => rule_out_asn(&self.bytes[text], self.filter),",
        "false => true,",
    ),
    json(
        "a fast sweep with names takes any word for no name",
        "src/scan/json/fields.rs",
        "number => !is_name && is_whole(number) && rule_out_asn(number, self.filter),",
        "_ => true,",
    ),
    json(
        "a fast sweep with names takes colons in strings",
        "src/scan/json/fields.rs",
        "marker.mark(text, b':').delimiters & !block.inside & left;",
        "marker.mark(text, b':').delimiters & left;",
    ),
    json(
        "a fast sweep leaves a comma in masscan's record",
        "src/scan/json/sweep.rs",
        "(is_plain && length <=",
        "(length <= self.framing.record_bytes_max() || is_plain && length <=",
    ),
    json(
        "a fast sweep takes records that are too long",
        "src/scan/json/sweep.rs",
        "(is_plain && length <= self.framing.record_bytes_max())",
        "(is_plain && length > 0)",
    ),
    json(
        "a fast sweep leaves blanks in the record",
        "src/scan/json/sweep.rs",
        "while is_blank(bytes[end - 1]) {",
        "while bytes[end - 1] == b'\\r' {",
    ),
    json(
        "a fast sweep's last record is left in the queue",
        "src/scan/json/sweep.rs",
        "queue.empty(lines.exact, sink, tally);\n        at\n",
        "at\n",
    ),
    json(
        "a doubt comes before the records that wait",
        "src/scan/json/sweep.rs",
        "queue.empty(lines.exact, sink, tally);\n            let next",
        "let next",
    ),
    json(
        "ZGrab2's modules are numbered among the successful ones",
        "src/scan/zgrab2.rs",
        "Finding::new(*part, Kind::Exposed, Side::Exposed)",
        "Finding::new(findings.len() as u16, Kind::Exposed, Side::Exposed)",
    ),
    json(
        "nuclei's negative matchers are findings",
        "src/scan/nuclei.rs",
        "says(hit.matcher_status.value(), \"0\", \"false\")",
        "says(hit.matcher_status.value(), \"0\", \"false\") && false",
    ),
    json(
        "closed ports are open",
        "src/scan/masscan.rs",
        "Some(\"open\") => Kind::Exposed.skipped_by(take),",
        "Some(_) => Kind::Exposed.skipped_by(take),",
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

fn is_asked_for(suite: &str) -> bool {
    std::env::var("DIJKWACHT_MUTANTS").is_ok_and(|asked| asked == suite)
        || std::env::var_os("DIJKWACHT_MUTANTS").is_none()
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
    let mut suites: Vec<&str> =
        MUTANTS.iter().map(|mutant| mutant.suite).filter(|suite| is_asked_for(suite)).collect();
    suites.sort_unstable();
    suites.dedup();
    for suite in suites {
        assert_eq!(passes(scratch.path(), suite), Some(true), "{suite} passes without a fault");
    }
    let mut missed = Vec::new();
    for mutant in MUTANTS.iter().filter(|mutant| is_asked_for(mutant.suite)) {
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
