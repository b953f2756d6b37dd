//! `fixtures/sharing.md`, case by case, through the real command: whether a finding may be told, to whom, and what the alert says.
//!
//! Each section becomes a configuration and register files; its cases that came in one list become a dump and a run into a spool. What
//! stands in the notices and among the held alerts is compared with the tables, and so are the books of each run: what was told, held by
//! each reason, dropped, excepted and told with less. The fixture is for people; this file only reads it.
#![allow(clippy::unwrap_used)] // what a test sets up must be there

use dijkwacht::policy::{Removable, Tlp};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

const TEXT: &str = include_str!("../fixtures/sharing.md");

/// Cases that the fixture has; a test that reads none would pass.
const CASES_MIN: usize = 490;

/// What is known of the trouble in the fixture. Each has a text and a page, so that one that is missing was taken out.
const CATALOGUE: &str = r#"
[findings.open-rdp]
aliases = ["of-the-fixture"]
text_nl = "Sluit deze poort af."
url = "https://example.nl/rdp"
[findings.bot]
part = "infected"
classification = "infected-system"
text_nl = "Maak dit systeem schoon."
url = "https://example.nl/bot"
[findings.stolen-login]
part = "victim"
text_nl = "Wijzig dit wachtwoord."
url = "https://example.nl/login"
"#;

/// A section: its number, what the policy says, its tables as cells.
#[derive(Default)]
struct Section {
    title: String,
    settings: Vec<String>,
    register: Vec<Vec<String>>,
    rules: Vec<Vec<String>>,
    exceptions: Vec<Vec<String>>,
    senders: Vec<Vec<String>>,
    cases: Vec<Vec<String>>,
}

fn sections() -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    let mut table = String::new();
    for line in TEXT.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            sections.push(Section { title: title.to_owned(), ..Section::default() });
        }
        let Some(section) = sections.last_mut() else { continue };
        if let Some(settings) = line.strip_prefix("Settings: ") {
            section.settings = settings.split("; ").map(str::to_owned).collect();
        }
        let Some(row) = line.strip_prefix("| ").and_then(|row| row.strip_suffix('|')) else { continue };
        let cells: Vec<String> = row.split('|').map(|cell| cell.trim().to_owned()).collect();
        if ["source", "rule", "exception", "from", "case"].contains(&&*cells[0]) {
            table = cells[0].clone();
            continue;
        }
        let (rows, width) = match &*table {
            "source" => (&mut section.register, 5),
            "rule" => (&mut section.rules, 3),
            "exception" => (&mut section.exceptions, 2),
            "from" => (&mut section.senders, 3),
            _ => (&mut section.cases, 6),
        };
        assert_eq!(cells.len(), width, "{line}");
        rows.push(cells);
    }
    sections
}

/// The list that a case came in: the words of feed and report, when it was run.
struct List {
    feed: &'static str,
    of_feed: String,
    of_report: Option<String>,
    run_time: String,
}

impl List {
    fn read(words: &str) -> Self {
        let run_time = "2026-11-22T12:00:00Z".to_owned();
        let mut list = Self { feed: "partner", of_feed: String::new(), of_report: None, run_time };
        for word in words.split(" · ").filter(|word| !word.is_empty()) {
            match word.split_once(' ').unwrap() {
                ("feed", said) => list.of_feed += &setting(said),
                ("report", said) => *list.of_report.get_or_insert_default() += &setting(said),
                ("from", "other") => list.feed = "other",
                ("run", time) if time.contains('T') => time.clone_into(&mut list.run_time),
                ("run", day) => list.run_time = format!("{day}T12:00:00Z"),
                _ => panic!("{words}"),
            }
        }
        list
    }
}

/// `tlp AMBER+STRICT` as TOML.
fn setting(said: &str) -> String {
    let (key, value) = said.split_once(' ').unwrap_or((said, "by agreement"));
    let is_bare = ["true", "false"].contains(&value) || value.bytes().all(|byte| byte.is_ascii_digit());
    if is_bare { format!("{key} = {value}\n") } else { format!("{key} = \"{value}\"\n") }
}

/// `part victim or infected; credibility 5` as TOML.
fn asked(asks: &str) -> String {
    let key = |part: &str| {
        let (key, values) = part.split_once(' ').unwrap();
        let is_bare = ["credibility", "older_than_days"].contains(&key);
        let quote = |value: &str| if is_bare { value.to_owned() } else { format!("\"{value}\"") };
        match key {
            "older_than_days" => format!("{key} = {values}\n"),
            _ => format!("{key} = [{}]\n", values.split(" or ").map(quote).collect::<Vec<_>>().join(", ")),
        }
    };
    asks.split("; ").filter(|part| !part.is_empty()).map(key).collect()
}

fn configuration(section: &Section, list: &List) -> String {
    let mut text = format!("[policy]\n{}\n{CATALOGUE}", section.settings.join("\n"));
    text += &format!("[feeds.{}]\n{}", list.feed, list.of_feed);
    for rule in &section.rules {
        let (then, fields) = rule[2].split_once(' ').unwrap_or((&rule[2], ""));
        let fields: Vec<String> = fields
            .split(", ")
            .filter(|field| !field.is_empty())
            .map(|field| format!("\"{field}\""))
            .collect();
        let redact =
            if fields.is_empty() { String::new() } else { format!("redact = [{}]\n", fields.join(", ")) };
        text += &format!(
            "[[assessment]]\ncode = \"{}\"\nthen = \"{then}\"\n{redact}nl = \"Daarom.\"\nen = \"Therefore.\"\n{}",
            rule[0],
            asked(&rule[1])
        );
    }
    for exception in &section.exceptions {
        let named: String = exception[0].split("; ").map(setting).collect();
        text += &format!(
            "[[exceptions]]\nreason = \"x\"\nby = \"A. Analyst\"\nuntil = {}\n{named}",
            exception[1]
        );
    }
    for office in &section.senders {
        let whom = if office[1] == "everybody" { "*" } else { &office[1] };
        text += &format!("[[senders]]\nfrom = {}\n\"{whom}\" = \"{}\"\n", office[0], office[2]);
    }
    text
}

/// The files of a register by name, in order of precedence.
fn register_files(section: &Section) -> BTreeMap<String, String> {
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    for row in &section.register {
        let [source, owner, role, key, more] = &row[..] else { unreachable!() };
        if more == "shared" {
            let text = files.entry(format!("{source}.csv")).or_insert_with(|| "prefix,kind\n".to_owned());
            *text += &format!("{key},{role}\n");
            continue;
        }
        if source == "ripe" {
            for (kind, object) in ripe_objects(owner, role, key, more) {
                *files.entry(format!("ripe.db.{kind}")).or_default() += &object;
            }
            continue;
        }
        let head =
            "owner_id,role,network,asn,domain,contact,kvk,constituency,ground,link,valid_from,valid_until\n";
        let text = files.entry(format!("{source}.csv")).or_insert_with(|| head.to_owned());
        *text += &register_row(owner, role, key, more);
    }
    files
}

fn register_row(owner: &str, role: &str, key: &str, more: &str) -> String {
    let said = |word: &str| more.split(", ").find_map(|part| part.strip_prefix(word)).unwrap_or_default();
    let contact = if more.contains("no contact") { String::new() } else { format!("cert@{owner}.example") };
    let [mut network, mut asn, mut domain] = [""; 3];
    match key {
        key if key.starts_with("AS") => asn = key,
        key if key.starts_with(|c: char| c.is_ascii_digit()) => network = key,
        key => domain = key,
    }
    format!(
        "{owner},{role},{network},{asn},{domain},{contact},{},{},{},{},{},{}\n",
        said("kvk "),
        said("constituency "),
        said("ground "),
        said("link "),
        said("since "),
        said("until ")
    )
}

/// What RIPE's database says of a network in the Netherlands: of an organisation there or elsewhere, or of a desk of its own.
fn ripe_objects(owner: &str, role: &str, range: &str, more: &str) -> Vec<(&'static str, String)> {
    let inetnum = |lines: &str| {
        let head = format!("inetnum:        {range}\nnetname:        NET\ncountry:        NL\n");
        format!("{head}{lines}source:         RIPE\n\n")
    };
    let desk = |handle: &str| {
        format!(
            "role:           Desk\nnic-hdl:        {handle}\nabuse-mailbox:  abuse@{owner}.example\nsource:         RIPE\n\n"
        )
    };
    let organisation = |name: &str, country: &str, handle: &str| {
        format!(
            "organisation:   {name}\norg-name:       {name}\ncountry:        {country}\norg-type:       OTHER\n\
             abuse-c:        {handle}\nsource:         RIPE\n\n"
        )
    };
    if role == "network" {
        let lines = format!("abuse-c:        {owner}\nmnt-by:         X-MNT\nstatus:         ASSIGNED PA\n");
        // A database without any organisation is refused; this one has nothing to do with it.
        let other = organisation("ORG-ELSE1-RIPE", "DE", "AR1-RIPE");
        return vec![("inetnum", inetnum(&lines)), ("organisation", other), ("role", desk(owner))];
    }
    let country = if more == "located" { "DE" } else { "NL" };
    let handle = owner.replace("ORG-", "").replace("-RIPE", "-AR-RIPE");
    let lines =
        format!("org:            {owner}\nmnt-by:         RIPE-NCC-END-MNT\nstatus:         ASSIGNED PI\n");
    vec![
        ("inetnum", inetnum(&lines)),
        ("organisation", organisation(owner, country, &handle)),
        ("role", desk(&handle)),
    ]
}

const HEAD: &str =
    "ip,name,shown,ptr,asn,timestamp,tlp,identifier,severity,port,transport,application,cve,tag\n";

/// Which column is what.
const MAPS: [&str; 14] = [
    "address=ip",
    "name=name",
    "shown_name=shown",
    "reverse_name=ptr",
    "asn=asn",
    "time=timestamp",
    "tlp=tlp",
    "identifier=identifier",
    "severity=severity",
    "port=port",
    "transport=transport",
    "application=application",
    "cve=cve",
    "tag=tag",
];

/// One record of a dump, all that can be taken out of an alert in it. Each has a port of its own, unless it says another.
fn record(port: usize, finding: &str, run_time: &str) -> String {
    let (address, words) = finding.split_once(" · ").unwrap_or((finding, ""));
    let mut port = port.to_string();
    let [mut about, mut shows, mut severity] = [""; 3];
    let (mut seen, mut asn, mut what, mut tlp) = (run_time, "64511", "open-rdp", "");
    for part in words.split(" · ").filter(|part| !part.is_empty()) {
        match part.split_once(' ').unwrap_or((part, "")) {
            ("about", name) => about = name,
            ("shows", name) => shows = name,
            ("seen", "nothing") => seen = "",
            ("seen", time) => seen = time,
            ("TLP", label) => tlp = label,
            ("what", "nothing") => what = "",
            ("what", name) => what = name,
            ("severity", word) => severity = word,
            ("port", number) => number.clone_into(&mut port),
            (number, "") if number.starts_with("AS") => asn = &number[2..],
            _ => panic!("{finding}"),
        }
    }
    format!(
        "{address},{about},{shows},host.reverse.example,{asn},{seen},{tlp},{what},{severity},{port},tcp,rdp,CVE-2026-0001,of-the-fixture\n"
    )
}

/// What became of one record.
#[derive(Default, PartialEq, Debug)]
struct Came {
    /// The reason of a hold.
    hold: Option<String>,
    owners: BTreeSet<String>,
    /// What its lines say: the label, and what is not as usual.
    says: BTreeSet<String>,
}

/// The books of a run, as far as its cases tell them.
#[derive(Default, PartialEq, Debug)]
struct Books {
    records: u64,
    matched: u64,
    unmatched: u64,
    decisions: u64,
    alerts: u64,
    duplicates: u64,
    held: u64,
    held_by: BTreeMap<String, u64>,
    dropped: u64,
    excepted: u64,
    /// Lines that say less than their record.
    redacted: u64,
}

impl Books {
    /// Adds what a case says, and returns what stands in its lines. `school + isp`, `held assessment: school`, `dropped`, `excepted 2`,
    /// `school; excepted 1`, `one with 1.2`, `nobody`.
    fn expect(&mut self, told: &str, says: &str) -> Came {
        let mut came = Came::default();
        self.records += 1;
        for part in told.split("; ") {
            let (word, rest) = part.split_once(' ').unwrap_or((part, ""));
            match word {
                "nobody" => {
                    self.unmatched += 1;
                    return came;
                }
                "dropped" => self.dropped += 1,
                "excepted" => self.excepted += rest.parse().unwrap_or(1),
                "one" => self.duplicates += 1,
                "held" => {
                    let (reason, owners) = rest.split_once(": ").unwrap();
                    came.hold = Some(reason.to_owned());
                    came.owners = owners.split(", ").map(str::to_owned).collect();
                    self.held += came.owners.len() as u64;
                    *self.held_by.entry(reason.to_owned()).or_default() += came.owners.len() as u64;
                }
                _ => {
                    came.owners = part.split(" + ").map(str::to_owned).collect();
                    self.alerts += came.owners.len() as u64;
                }
            }
        }
        self.matched += 1;
        came.says = says.split(" · ").filter(|word| !word.is_empty()).map(str::to_owned).collect();
        if came.says.iter().any(|word| word.starts_with("without ")) {
            assert_eq!(came.owners.len(), 1, "{told}: of whom?");
            self.redacted += 1;
        }
        self.decisions = self.alerts + self.duplicates + self.held + self.dropped + self.excepted;
        came
    }

    /// What a summary says, with the lines that were read; the three equations hold in it.
    fn of(summary: &Value, [alerts, held, redacted]: [u64; 3]) -> Self {
        let count = |key: &str| summary[key].as_u64().unwrap();
        let books = Self {
            records: count("records"),
            matched: count("matched"),
            unmatched: count("unmatched"),
            decisions: count("decisions"),
            alerts: count("alerts"),
            duplicates: count("duplicates"),
            held: count("held"),
            held_by: serde_json::from_value(summary["held_by"].clone()).unwrap(),
            dropped: count("dropped"),
            excepted: count("excepted"),
            redacted,
        };
        let of_records = books.matched + books.unmatched + count("skipped") + count("rejected");
        assert_eq!(books.records, of_records, "{summary}");
        let of_decisions = books.alerts + books.duplicates + books.held + books.dropped + books.excepted;
        assert_eq!(books.decisions, of_decisions, "{summary}");
        assert_eq!([books.alerts, books.held], [alerts, held], "lines against {summary}");
        assert_eq!(books.held, books.held_by.values().sum::<u64>(), "{summary}");
        books
    }
}

/// What a run left: by the record's number from 1 what it came to, and the books.
struct Ran {
    came: BTreeMap<u64, Came>,
    /// Alerts, held ones, and those of both that say less.
    lines: [u64; 3],
    summary: Value,
}

fn run(section: &Section, list: &List, cases: &[&[String]]) -> Ran {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_dijkwacht"));
    command.current_dir(directory.path()).env_remove("DIJKWACHT_CONFIG");
    command.args(["match", "--json", "--config", "dijkwacht.toml", "--spool", "spool", "--format", "csv"]);
    command.args(["--feed", list.feed, "--run-time", &list.run_time]);
    command.args(MAPS.iter().flat_map(|map| ["--map", map]));
    for (name, text) in register_files(section) {
        write(&name, &text);
        command.args(["--register", &name]);
    }
    write("dijkwacht.toml", &configuration(section, list));
    if let Some(report) = &list.of_report {
        write("dump.csv.toml", report);
    }
    let rows: String = (1..).zip(cases).map(|(port, case)| record(port, &case[1], &list.run_time)).collect();
    write("dump.csv", &format!("{HEAD}{rows}"));
    let done = command.arg("dump.csv").output().unwrap();
    assert!(done.status.success(), "{}: {}", section.title, String::from_utf8_lossy(&done.stderr));
    let summary: Value = serde_json::from_slice(&done.stdout).unwrap();
    let mut ran = Ran { came: BTreeMap::new(), lines: [0; 3], summary: summary["dumps"][0].clone() };
    for (at, part) in ["new", "held"].iter().enumerate() {
        ran.gather(at, &directory.path().join("spool").join(part));
    }
    ran
}

impl Ran {
    fn gather(&mut self, at: usize, directory: &Path) {
        for path in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                self.gather(at, &path);
            } else if path.extension().is_some_and(|extension| extension == "jsonl") {
                let sender = directory.file_name().unwrap().to_str().unwrap();
                for line in fs::read_to_string(&path).unwrap().lines() {
                    self.add(at, sender, &serde_json::from_str(line).unwrap());
                }
            }
        }
    }

    fn add(&mut self, at: usize, sender: &str, alert: &Value) {
        let text = |key: &str| alert[key].as_str().map(str::to_owned);
        assert_eq!(alert["extra.sender"], sender, "{alert}");
        assert_eq!(alert["extra.held.reason"].is_string(), at == 1, "{alert}");
        let says = said(alert);
        self.lines[at] += 1;
        self.lines[2] += u64::from(says.iter().any(|word| word.starts_with("without ")));
        let came = self.came.entry(alert["extra.record"].as_u64().unwrap()).or_default();
        came.hold = text("extra.held.reason");
        assert!(came.owners.insert(text("extra.owner.id").unwrap()), "told twice: {alert}");
        came.says.extend(says);
    }
}

/// What a line says: its label; the sender unless it is the NCSC; the rule that decided; the ground unless it is that of its role; what is
/// not in it, though it was in the record.
fn said(alert: &Value) -> Vec<String> {
    let text = |key: &str| alert[key].as_str();
    let label = text("extra.tlp").unwrap();
    assert_eq!(alert["tlp"], Tlp::read(label).unwrap().as_tlp1(), "{alert}");
    let mut says = vec![label.to_owned()];
    let usual = match text("extra.match.rule").unwrap() {
        "link" => "oktt",
        rule if rule.starts_with("network") => "access-provider",
        _ => "own-systems",
    };
    says.extend(text("extra.sender").filter(|sender| *sender != "ncsc").map(|it| format!("by {it}")));
    says.extend(text("extra.assessment").map(|it| format!("rule {it}")));
    says.extend(text("extra.ground").filter(|ground| *ground != usual).map(|it| format!("ground {it}")));
    // The register's own words are not in a record.
    let removable = Removable::ALL.into_iter().filter(|field| *field != Removable::Assignment);
    let gone: Vec<&str> = removable.map(Removable::as_str).filter(|key| alert[key].is_null()).collect();
    if !gone.is_empty() {
        says.push(format!("without {}", gone.join(", ")));
    }
    says
}

#[test]
fn every_case_of_the_fixture_is_shared_as_it_says() {
    let (mut cases, mut runs, mut wrong) = (0, 0, Vec::new());
    let (mut total, mut reasons) = (Books::default(), BTreeSet::new());
    for section in sections() {
        let mut lists: Vec<(&str, Vec<&[String]>)> = Vec::new();
        for case in &section.cases {
            match lists.iter_mut().find(|(words, _)| *words == case[2]) {
                Some((_, cases)) => cases.push(case),
                None => lists.push((&case[2], vec![case])),
            }
        }
        for (words, of_list) in lists {
            let list = List::read(words);
            let mut ran = run(&section, &list, &of_list);
            let mut expected_books = Books::default();
            for (number, case) in (1..).zip(&of_list) {
                let expected = expected_books.expect(&case[3], &case[4]);
                let found = ran.came.remove(&number).unwrap_or_default();
                if found != expected {
                    wrong.push(format!("{} {} [{words}]: {found:?}, not {expected:?}", case[0], case[1]));
                }
            }
            let title = &section.title;
            assert!(ran.came.is_empty(), "{title}: {:?}", ran.came);
            let books = Books::of(&ran.summary, ran.lines);
            if books != expected_books {
                wrong.push(format!("{title} [{words}]: {books:?}, not {expected_books:?}"));
            }
            (cases, runs) = (cases + of_list.len(), runs + 1);
            for (all, one) in [
                (&mut total.dropped, books.dropped),
                (&mut total.excepted, books.excepted),
                (&mut total.redacted, books.redacted),
                (&mut total.duplicates, books.duplicates),
            ] {
                *all += one;
            }
            reasons.extend(books.held_by.into_keys());
        }
    }
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
    assert!(cases >= CASES_MIN && runs > 60, "{cases} cases in {runs} runs");
    assert!([total.dropped, total.excepted, total.redacted, total.duplicates].iter().all(|count| *count > 3));
    // All but that of a report type that nobody knows, which only Shadowserver's dumps have.
    let all = dijkwacht::policy::Hold::ALL.iter().filter(|hold| hold.as_str() != "unknown-type");
    assert_eq!(json!(reasons), json!(all.map(|hold| hold.as_str()).collect::<BTreeSet<_>>()));
}
