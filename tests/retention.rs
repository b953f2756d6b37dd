//! What goes by time (`spool prune`) and on a person's word (`spool forget`), and that no fault loses or doubles anything.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test may panic and print"
)]

mod faults;
#[path = "match_dumps/work.rs"]
#[allow(dead_code, reason = "each test uses its own part of it")]
mod work;

use dijkwacht::spool::{Claims, Status, status, verify};
use faults::{Fault, Point, Trial, has_strace};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use work::{REGISTER, RUN_TIME, Work, alerts};

const HEADER: &str = "ip,port,transport,timestamp,identifier\n";
const FORGET: &str = "--because request-17 --by officer";

fn rows(addresses: &[&str]) -> String {
    let row = |address: &&str| format!("{address},80,tcp,2026-11-22T01:02:03Z,open-rdp\n");
    format!("{HEADER}{}", addresses.iter().map(row).collect::<String>())
}

fn publish(work: &Work, feed: &str, addresses: &[&str]) -> String {
    work.write("dump.csv", rows(addresses));
    work.dump(&format!("--feed {feed} --spool spool dump.csv"))["run"].as_str().unwrap().to_owned()
}

fn send_all(work: &Work) {
    while let Some((claim, _)) = work.run("spool take --spool spool").out.split_once('\t') {
        work.run(&format!("spool done --spool spool {claim}")).check(0, &[]);
    }
}

/// Three runs: one retired, one sent, one new; alerts and held ones for school, isp and twins in each.
fn filled() -> Work {
    let work = Work::new();
    work.write("register.csv", REGISTER);
    let addresses = ["192.0.2.1", "192.0.2.2", "192.0.2.17", "192.0.2.33", "192.0.2.34"];
    publish(&work, "retired", &addresses);
    work.run(&format!("held discard --all --spool spool {FORGET}")).check(0, &[]);
    send_all(&work);
    work.run("spool prune --older-than 0 --spool spool").check(0, &["2 runs retired"]);
    work.run("spool prune --older-than 0 --spool spool").check(0, &[]);
    publish(&work, "sent", &addresses);
    work.run(&format!("held release --owner twin-a --reason conflict --spool spool {FORGET}")).check(0, &[]);
    send_all(&work);
    publish(&work, "fresh", &addresses);
    assert_clean(&work, "");
    work
}

fn assert_clean(work: &Work, says: &str) {
    let done = work.run("spool verify --spool spool");
    done.check(0, &[]);
    assert!(done.out.contains(says), "{}", done.out);
}

/// How many lines a trace finds, by state.
fn traced(work: &Work, sought: &str) -> BTreeMap<String, u64> {
    let mut states = BTreeMap::new();
    for found in alerts(&work.run(&format!("spool trace --json --spool spool {sought}")).out) {
        *states.entry(found["state"].as_str().unwrap().to_owned()).or_default() +=
            found["alerts"].as_u64().unwrap();
    }
    states
}

fn forget(work: &Work, words: &str) -> Value {
    let done = work.run(&format!("spool forget {words} {FORGET} --json --spool spool"));
    assert_eq!(done.code, 0, "{}", done.err);
    serde_json::from_str(&done.out).unwrap()
}

fn anywhere(work: &Work, text: &str) -> Vec<String> {
    let holds = |(_, (_, content)): &(&String, &(u32, Vec<u8>))| {
        memchr::memmem::find(content, text.as_bytes()).is_some()
    };
    work.tree("spool").iter().filter(holds).map(|(path, _)| path.clone()).collect()
}

#[test]
fn an_owner_is_forgotten_everywhere_and_what_is_gone_is_counted() {
    let work = filled();
    let before = traced(&work, "school");
    assert_eq!(before, BTreeMap::from([("done".into(), 2), ("new".into(), 2), ("retired".into(), 2)]));
    let others = ["isp", "twin-a", "twin-b"].map(|owner| traced(&work, owner));
    let forgotten = forget(&work, "--owner SCHOOL");
    assert_eq!(
        forgotten,
        serde_json::json!({"runs": 3, "notices": 3, "alerts": 6, "held": 0, "notes_left": 0})
    );
    assert_eq!(traced(&work, "school"), BTreeMap::new());
    assert_eq!(anywhere(&work, "\"school\""), [""; 0]);
    assert_eq!(anywhere(&work, "cert@school.example"), [""; 0]);
    assert_eq!(["isp", "twin-a", "twin-b"].map(|owner| traced(&work, owner)), others);
    assert_clean(&work, "4 alerts and 0 held ones of 2 runs were forgotten");
    // Again there is nothing left.
    assert_eq!(forget(&work, "--owner school")["runs"], 0);
    // The tombstone tells when, why and how many, and not who.
    let fresh =
        work.files("spool/new").into_iter().find(|file| file.starts_with("fresh") && !file.contains("ncsc/"));
    let manifest: Value =
        serde_json::from_slice(&std::fs::read(work.path(&format!("spool/new/{}", fresh.unwrap()))).unwrap())
            .unwrap();
    let tombstone = &manifest["forgotten"][0];
    assert_eq!((&tombstone["because"], &tombstone["by"]), (&"request-17".into(), &"officer".into()));
    assert_eq!((&tombstone["alerts"], &manifest["counts"]["alerts"]), (&2.into(), &3.into()));
    // A dump that was published stays known.
    work.write("dump.csv", rows(&["192.0.2.1", "192.0.2.2", "192.0.2.17", "192.0.2.33", "192.0.2.34"]));
    assert_eq!(work.dump("--feed retired --spool spool dump.csv")["state"], "already_published");
    // A mailer takes what is left.
    let taken = work.run("spool take --spool spool");
    let directory = taken.out.trim().split_once('\t').unwrap().1.to_owned();
    let manifest: Value = serde_json::from_slice(
        &std::fs::read(Path::new(&work.path(&directory)).join("manifest.json")).unwrap(),
    )
    .unwrap();
    let owners: Vec<&str> =
        manifest["notices"].as_array().unwrap().iter().map(|one| one["owner_id"].as_str().unwrap()).collect();
    assert_eq!(owners, ["isp"]);
}

#[test]
fn an_address_is_forgotten_line_by_line_whoever_it_is_for() {
    let work = filled();
    let neighbours = traced(&work, "192.0.2.2");
    let forgotten = forget(&work, "--address ::ffff:192.0.2.1");
    assert_eq!(
        (&forgotten["alerts"], &forgotten["held"], &forgotten["notices"]),
        (&2.into(), &0.into(), &0.into())
    );
    assert_eq!(traced(&work, "192.0.2.1"), BTreeMap::new());
    assert_eq!(traced(&work, "192.0.2.2"), neighbours);
    assert_eq!(anywhere(&work, "\"192.0.2.1\""), [""; 0]);
    // One that is held, decided and released.
    let forgotten = forget(&work, "--address 192.0.2.33");
    assert_eq!((&forgotten["alerts"], &forgotten["held"]), (&1.into(), &6.into()));
    assert_eq!(traced(&work, "192.0.2.33"), BTreeMap::new());
    assert_clean(&work, "3 alerts and 4 held ones of 3 runs");
    let waiting = alerts(&work.run("held show --json --spool spool").out);
    assert_eq!(waiting.len(), 2, "the other conflict of the fresh run");
    // All that is left.
    let forgotten = forget(&work, "--address 192.0.2.0/24");
    assert_eq!((&forgotten["alerts"], &forgotten["held"]), (&5.into(), &6.into()));
    assert_clean(&work, "");
    assert!(work.files("spool").iter().all(|file| !file.ends_with(".jsonl")), "{:?}", work.files("spool"));
    assert_eq!(status(&work.path("spool")).unwrap().held, 0);
    work.run("held list --spool spool").check(0, &[]);
}

#[test]
fn what_is_held_for_a_forgotten_owner_no_longer_waits() {
    let work = filled();
    let forgotten = forget(&work, "--owner twin-a");
    assert_eq!((&forgotten["alerts"], &forgotten["held"]), (&2.into(), &6.into()));
    let waiting = alerts(&work.run("held show --json --spool spool").out);
    assert!(waiting.iter().all(|one| one["owner_id"] == "twin-b") && waiting.len() == 2);
    forget(&work, "--owner twin-b");
    assert_eq!(status(&work.path("spool")).unwrap().held, 0, "nothing waits any more");
    assert_clean(&work, "");
    send_all(&work);
    work.run("spool prune --older-than 0 --spool spool").check(0, &["3 runs retired; 0 old ones"]);
}

#[test]
fn a_mailers_notes_about_the_owner_go_with_its_notices() {
    let work = filled();
    let claim = work.run("spool take --spool spool").out.split_once('\t').unwrap().0.to_owned();
    for note in ["school.sent", "isp.sent"] {
        std::fs::write(work.path(&format!("spool/cur/{claim}/{note}")), "").unwrap();
    }
    forget(&work, "--owner school");
    assert_eq!(work.files(&format!("spool/cur/{claim}")), ["isp.sent"]);
    work.run(&format!("spool done --spool spool {claim}")).check(0, &[]);
}

#[test]
fn the_words_of_forget_are_checked() {
    let work = filled();
    for words in [
        "spool forget --owner school --spool spool",
        "spool forget --because x --spool spool",
        "spool forget --owner a --address 192.0.2.1 --because x --spool spool",
        "spool forget --address school --because x --spool spool",
    ] {
        work.run(words).check(64, &[]);
    }
    work.run("spool forget --owner a --because x --spool nowhere").check(66, &[]);
    assert!(work.run("spool forget --help").out.contains("Examples:"));
}

#[test]
fn each_kind_is_kept_for_its_days() {
    let work = filled();
    let config = |keys: &str| {
        work.write(
            "config.toml",
            format!("[spool]\npath = \"spool\"\n[inbox]\npath = \"inbox\"\n[retention]\n{keys}"),
        );
        work.run("spool prune --config config.toml")
    };
    config("").check(64, &["[retention]"]);
    config("notice = 1\n").check(78, &["did you mean `notices`"]);
    let files = |under: &str| work.files("spool").iter().filter(|file| file.starts_with(under)).count();
    let (held, runs) = (files("held/"), files("runs/"));
    config("notices = 1\nheld = 1\nmanifests = 1\ndumps = 1\nrejects = 1\n").check(0, &["0 runs retired"]);
    assert_eq!((files("held/"), files("runs/")), (held, runs), "nothing is a day old");
    // Of the three runs, two have what is held decided; the third waits.
    config("held = 0\n").check(0, &["decided of 2 runs removed"]);
    assert_eq!(files("held/"), 2, "twin-a and twin-b of the fresh run wait");
    assert_clean(&work, "");
    for directory in ["inbox/x", "done/x", "failed/x"] {
        std::fs::create_dir_all(work.path(directory)).unwrap();
        work.write(&format!("{directory}/dump"), "");
    }
    config("dumps = 0\n").check(0, &["1 dumps removed from done, 0 files from failed"]);
    config("rejects = 0\n").check(0, &["0 dumps removed from done, 1 files from failed"]);
    assert!(work.path("inbox/x/dump").exists() && !work.path("failed/x/dump").exists());
    // The sent run and its decision are retired, then their claims go, then their memory.
    config("notices = 0\nmanifests = 0\n").check(0, &["2 runs retired", "2 runs no longer remembered"]);
    config("notices = 0\nmanifests = 0\n").check(0, &["2 runs no longer remembered"]);
    assert_eq!((files("runs/"), files("done/")), (0, 0));
    assert_clean(&work, "");
    work.write("dump.csv", rows(&["192.0.2.1", "192.0.2.2", "192.0.2.17", "192.0.2.33", "192.0.2.34"]));
    assert_eq!(
        work.dump("--feed retired --spool spool dump.csv")["state"],
        "published",
        "as the manual says"
    );
}

/// What waits is not pruned by anything, and what a decision needs stays.
#[test]
fn what_waits_is_never_pruned() {
    let work = filled();
    work.write("config.toml", "[retention]\nnotices = 0\nheld = 0\nmanifests = 0\n");
    work.run(&format!(
        "held release --feed fresh --owner twin-b --reason conflict --alert {} --spool spool {FORGET}",
        alerts(&work.run("held show --json --spool spool --owner twin-b").out)[0]["alert_id"]
            .as_str()
            .unwrap()
    ))
    .check(0, &[]);
    send_all(&work);
    for _ in 0..3 {
        work.run("spool prune --config config.toml --spool spool").check(0, &[]);
    }
    let waiting = alerts(&work.run("held show --json --spool spool").out);
    assert_eq!(waiting.len(), 2, "the other conflict waits, and what is decided is known");
    assert_clean(&work, "");
    work.run(&format!("held discard --all --spool spool {FORGET} --run-time {RUN_TIME}")).check(0, &[]);
    for _ in 0..3 {
        work.run("spool prune --config config.toml --spool spool").check(0, &[]);
        send_all(&work);
    }
    let left: Vec<String> =
        work.files("spool").into_iter().filter(|file| !["lock"].contains(&file.as_str())).collect();
    assert_eq!(left, [""; 0]);
}

#[test]
fn builds_of_the_index_go_once_no_run_names_them() {
    let work = Work::new();
    work.write("config.toml", "[register]\nindex = \"owners.dwi\"\n[spool]\npath = \"spool\"\n[retention]\nnotices = 0\nmanifests = 0\n");
    let other = format!("{REGISTER}late,Late,business,user,100.64.0.0/24,l@late.example,,\n");
    work.write("dump.csv", rows(&["192.0.2.1"]));
    for register in [REGISTER, &other, REGISTER, &other] {
        work.write("register.csv", register);
        work.run("index build -o owners.dwi register.csv").check(0, &[]);
    }
    assert_eq!(work.files("owners.dwi.d").len(), 2);
    work.run("spool prune --spool nowhere --older-than 0").check(66, &[]);
    work.run(&format!("match --config config.toml --feed a --run-time {RUN_TIME} dump.csv")).check(0, &[]);
    work.write("register.csv", REGISTER);
    work.run("index build -o owners.dwi register.csv").check(0, &[]);
    work.run("spool prune --config config.toml")
        .check(0, &["1 builds of the index that no run names any more removed, 1 stay"]);
    send_all(&work);
    (0..2).for_each(|_| work.run("spool prune --config config.toml").check(0, &[]));
    assert_eq!(work.files("owners.dwi.d").len(), 0);
    assert!(work.path("owners.dwi").exists());
}

// ---- faults ----

fn place_of(work: &Work) -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let place = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
    let copied = Command::new("cp").arg("-a").arg(work.path("spool")).arg(place.path()).status().unwrap();
    assert!(copied.success());
    place
}

fn command(place: &Path, words: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dijkwacht"));
    command
        .args(words.split(' '))
        .arg("--spool")
        .arg(place.join("spool"))
        .env("RAYON_NUM_THREADS", "1")
        .env_remove("DIJKWACHT_CONFIG");
    command
}

/// Lines of all files, by whom they are for and about what.
fn lines(place: &Path) -> BTreeMap<String, usize> {
    let mut lines = BTreeMap::new();
    for (path, (_, content)) in faults::tree(&place.join("spool")) {
        let path = path.to_str().unwrap();
        if !path.starts_with("tmp/") && path.ends_with(".jsonl") {
            for alert in alerts(&String::from_utf8(content).unwrap()) {
                let word = |key: &str| alert[key].as_str().unwrap().to_owned();
                let place = path.split('/').next().unwrap();
                *lines
                    .entry(format!("{place} {} {}", word("extra.owner.id"), word("source.ip")))
                    .or_default() += 1;
            }
        }
    }
    lines
}

fn changes(point: &Point) -> Vec<Fault> {
    match point.syscall.as_str() {
        "renameat2" | "fsync" | "linkat" | "unlinkat" | "write" => vec![Fault::Kill, Fault::Error("EIO")],
        "flock" | "mkdirat" | "utimensat" => vec![Fault::Kill],
        _ => Vec::new(),
    }
}

fn sweep_forget(words: &str, goes: &dyn Fn(&str) -> bool) {
    if !has_strace() {
        return;
    }
    let work = filled();
    let whole = lines(place_of(&work).path());
    let wanted: BTreeMap<String, usize> =
        whole.iter().filter(|(line, _)| !goes(line)).map(|(line, count)| (line.clone(), *count)).collect();
    assert!(wanted.len() < whole.len() && !wanted.is_empty());
    let words = format!("spool forget {words} {FORGET}");
    let swept = Trial {
        command: &|place| command(place, &words),
        place: &|| place_of(&work),
        faults: &changes,
        after_fault: &|place, _, _, _| {
            let found = lines(place);
            // What stays is there, and nothing is doubled.
            for (line, count) in &whole {
                let there = found.get(line).copied().unwrap_or_default();
                assert!(there == *count || (goes(line) && there < *count), "{line}: {there} of {count}");
            }
            // A mailer always finds a whole run.
            let claims = Claims::open(&place.join("spool")).unwrap();
            let flat = tempfile::tempdir().unwrap();
            let claim = claims.take_flat(None, flat.path()).unwrap().expect("one run is to be sent");
            claims.give_back(&claim).unwrap();
        },
        after_all: &|place, _| {
            assert_eq!(lines(place), wanted, "lost, doubled or left over");
            let spool = place.join("spool");
            let found = verify(&spool).unwrap();
            assert!(found.is_clean(), "{:?}", found.problems);
            let counts = status(&spool).unwrap();
            assert_eq!((counts.new, counts.unclaimed, counts.tmp), (3, 1, 0));
            assert!(!spool.join("forgetting.json").exists());
            let gone: usize = whole.values().sum::<usize>() - wanted.values().sum::<usize>();
            assert!((found.forgotten_alerts + found.forgotten_held) as usize <= gone, "counted twice");
        },
    }
    .sweep();
    println!("{} faults: {:?}", swept.trials, swept.by_syscall);
    assert!(["renameat2", "fsync", "write"].iter().all(|call| swept.by_syscall.contains_key(*call)));
}

#[test]
fn a_fault_at_any_durable_call_of_forgetting_an_owner_loses_and_doubles_nothing() {
    sweep_forget("--owner school", &|line| line.contains(" school "));
}

#[test]
fn a_fault_at_any_durable_call_of_forgetting_an_address_loses_and_doubles_nothing() {
    sweep_forget("--address 192.0.2.33", &|line| line.ends_with(" 192.0.2.33"));
}

#[test]
fn a_fault_at_any_durable_call_of_pruning_loses_and_doubles_nothing() {
    if !has_strace() {
        return;
    }
    let work = filled();
    work.write("config.toml", "[retention]\nnotices = 0\nheld = 0\nmanifests = 0\n");
    let config = work.path("config.toml");
    let whole = lines(place_of(&work).path());
    let is_fresh = |line: &str| line.starts_with("new") || line.starts_with("held twin");
    let swept = Trial {
        command: &|place| {
            let mut command = command(place, "spool prune");
            command.arg("--config").arg(&config);
            command
        },
        place: &|| place_of(&work),
        faults: &changes,
        after_fault: &|place, _, _, _| {
            let spool = place.join("spool");
            let counts = status(&spool).unwrap();
            assert_eq!((counts.unclaimed, counts.held), (1, 1), "sent twice, or lost");
            let found = verify(&spool).unwrap();
            assert!(found.is_clean(), "{:?}", found.problems);
            assert!(lines(place).iter().all(|(line, count)| whole[line] >= *count));
        },
        after_all: &|place, _| {
            let counts = status(&place.join("spool")).unwrap();
            let expected = Status { new: 1, held: 1, unclaimed: 1, ..Status::default() };
            assert_eq!(Status { done: 0, ..counts }, expected);
            assert!(verify(&place.join("spool")).unwrap().is_clean());
            let left = lines(place);
            assert_eq!(left.values().sum::<usize>(), 3 + 4, "what is new, and what waits: {left:?}");
            assert!(left.keys().all(|line| is_fresh(line)));
        },
    }
    .sweep();
    println!("{} faults: {:?}", swept.trials, swept.by_syscall);
    assert!(
        ["renameat2", "fsync", "unlinkat", "linkat"].iter().all(|call| swept.by_syscall.contains_key(*call))
    );
}
