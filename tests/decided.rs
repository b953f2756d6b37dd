//! `fixtures/decisions.md`, case by case, through the real command: who is told of each finding, and by which rule.
//!
//! Each section becomes register files, a dump of one record a case, and a run into a spool; what stands in the notices and among the
//! held alerts is compared with the tables. The fixture is for people; this file only reads it.
#![allow(clippy::unwrap_used)] // what a test sets up must be there

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

const TEXT: &str = include_str!("../fixtures/decisions.md");

/// Sections that the fixture has; a test that reads none would pass.
const CASES_MIN: usize = 200;

/// A section: its number, what the configuration says, its two tables as cells.
struct Section {
    title: String,
    settings: Vec<String>,
    register: Vec<Vec<String>>,
    cases: Vec<Vec<String>>,
}

fn sections() -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    for line in TEXT.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            let title = title.to_owned();
            sections.push(Section { title, settings: vec![], register: vec![], cases: vec![] });
        }
        let Some(section) = sections.last_mut() else { continue };
        if let Some(settings) = line.strip_prefix("Settings: ") {
            section.settings = settings.split("; ").map(str::to_owned).collect();
        }
        let Some(row) = line.strip_prefix("| ").and_then(|row| row.strip_suffix('|')) else { continue };
        let cells: Vec<String> = row.split('|').map(|cell| cell.trim().to_owned()).collect();
        match &*cells[0] {
            "source" | "case" => {}
            _ if cells.len() == 6 => section.register.push(cells),
            _ if cells.len() == 5 => section.cases.push(cells),
            _ => panic!("{line}"),
        }
    }
    sections
}

/// The files of a register by name, in order of precedence.
fn register_files(section: &Section) -> BTreeMap<String, String> {
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    for row in &section.register {
        let [source, owner, role, key, valid, more] = &row[..] else { unreachable!() };
        let file = files.entry(format!("{source}.csv"));
        match &**more {
            "shared" => {
                let text = file.or_insert_with(|| "prefix,kind\n".to_owned());
                *text += &format!("{key},{role}\n");
            }
            "announced" => {
                let (first, length) = key.split_once('/').unwrap();
                let text = files.entry(format!("{source}.txt")).or_default();
                *text += &format!("{first}\t{length}\t{}\n", role.trim_start_matches("AS"));
            }
            more => {
                let head = "owner_id,role,network,asn,domain,contact,kvk,ripe_org,same_as,link,valid_from,valid_until\n";
                let text = file.or_insert_with(|| head.to_owned());
                *text += &register_row(owner, role, key, valid, more);
            }
        }
    }
    files
}

fn register_row(owner: &str, role: &str, key: &str, valid: &str, more: &str) -> String {
    let said = |word: &str| more.split(", ").find_map(|part| part.strip_prefix(word)).unwrap_or_default();
    let (from, until) = valid.split_once("..").unwrap_or_default();
    let contact = if more.contains("no contact") { String::new() } else { format!("cert@{owner}.example") };
    let [mut network, mut asn, mut domain] = [""; 3];
    match key {
        key if key.starts_with("AS") => asn = key,
        key if key.starts_with(|c: char| c.is_ascii_digit()) => network = key,
        key => domain = key,
    }
    format!(
        "{owner},{role},{network},{asn},{domain},{contact},{},{},{},{},{from},{until}\n",
        said("kvk "),
        said("ripe "),
        said("same as "),
        said("link ")
    )
}

/// One record of a dump. Each has a port of its own, so that no two are one alert.
fn record(port: usize, finding: &str) -> String {
    let mut parts = finding.split(" · ").peekable();
    let address = parts
        .next_if(|part| part.starts_with(|c: char| c.is_ascii_hexdigit() || c == ':') && !part.contains(' '));
    let [mut about, mut shows, mut reverse, mut asn, mut tlp] = [""; 5];
    let mut seen = "2026-11-20T12:00:00Z";
    for part in parts {
        match part.split_once(' ').unwrap_or((part, "")) {
            ("about", name) => about = name,
            ("shows", name) => shows = name,
            ("reverse", name) => reverse = name,
            ("seen", time) => seen = time,
            ("TLP", label) => tlp = label,
            (number, "") if number.starts_with("AS") => asn = number,
            _ => panic!("{finding}"),
        }
    }
    format!("{},{about},{shows},{reverse},{asn},{seen},{tlp},open-rdp,{port}\n", address.unwrap_or_default())
}

/// What was decided of one record: the reason of a hold, owners, rules.
#[derive(Default, PartialEq, Debug)]
struct Decided {
    hold: Option<String>,
    owners: BTreeSet<String>,
    rules: BTreeSet<String>,
}

impl Decided {
    fn expected(told: &str, by: &str) -> Self {
        let split = |text: &str, between: &str| {
            text.split(between)
                .filter(|word| !word.is_empty() && *word != "nobody")
                .map(str::to_owned)
                .collect()
        };
        let rules = split(by, " + ");
        match told.strip_prefix("held ") {
            Some(held) => {
                let (reason, owners) = held.split_once(": ").unwrap();
                Self { hold: Some(reason.to_owned()), owners: split(owners, ", "), rules }
            }
            None => Self { hold: None, owners: split(told, " + "), rules },
        }
    }
}

/// What each record came to, by its number from 1.
fn decide(section: &Section) -> BTreeMap<u64, Decided> {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
    let mut words = Vec::new();
    for (name, text) in register_files(section) {
        write(&name, &text);
        words.extend(["--register".to_owned(), name]);
    }
    write("dijkwacht.toml", &format!("[policy]\n{}\n", section.settings.join("\n")));
    let head = "ip,name,shown,ptr,asn,timestamp,tlp,identifier,port\n";
    let rows: String = (1..).zip(&section.cases).map(|(port, case)| record(port, &case[1])).collect();
    write("dump.csv", &format!("{head}{rows}"));
    let done = Command::new(env!("CARGO_BIN_EXE_dijkwacht"))
        .args([
            "match",
            "--config",
            "dijkwacht.toml",
            "--spool",
            "spool",
            "--run-time",
            "2026-11-22T12:00:00Z",
        ])
        .args(["--map", "name=name", "--map", "shown_name=shown", "--map", "reverse_name=ptr"])
        .args(words)
        .arg("dump.csv")
        .current_dir(directory.path())
        .output()
        .unwrap();
    assert!(done.status.success(), "{}: {}", section.title, String::from_utf8_lossy(&done.stderr));
    let mut decided = BTreeMap::new();
    for part in ["new", "held"] {
        gather(&directory.path().join("spool").join(part), &mut decided);
    }
    decided
}

fn gather(directory: &Path, decided: &mut BTreeMap<u64, Decided>) {
    for entry in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            gather(&entry, decided);
        } else if entry.extension().is_some_and(|extension| extension == "jsonl") {
            for line in fs::read_to_string(&entry).unwrap().lines() {
                let alert: Value = serde_json::from_str(line).unwrap();
                let text = |key: &str| alert[key].as_str().map(str::to_owned);
                let decided = decided.entry(alert["extra.record"].as_u64().unwrap()).or_default();
                decided.hold = text("extra.held.reason");
                assert!(decided.owners.insert(text("extra.owner.id").unwrap()), "told twice: {line}");
                decided.rules.extend(text("extra.match.rule"));
            }
        }
    }
}

#[test]
fn every_case_of_the_fixture_is_decided_as_it_says() {
    let (mut cases, mut wrong) = (0, Vec::new());
    for section in sections() {
        let mut decided = decide(&section);
        for (number, case) in (1..).zip(&section.cases) {
            cases += 1;
            let expected = Decided::expected(&case[2], &case[3]);
            let found = decided.remove(&number).unwrap_or_default();
            if found != expected {
                wrong.push(format!("{} {}: {found:?}, not {expected:?}", case[0], case[1]));
            }
        }
        assert!(decided.is_empty(), "{}: {decided:?}", section.title);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(cases >= CASES_MIN, "{cases} cases");
}
