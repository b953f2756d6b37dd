//! `match --because`: a dump again, for some owners or where the register was put right, with books that balance.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "match_dumps/work.rs"]
#[allow(dead_code, reason = "each test uses its own part of it")]
mod work;

use serde_json::Value;
use std::collections::BTreeSet;
use work::{RUN_TIME, Work, count, gzip};

const REGISTER: &str = "\
owner_id,role,network,contact
isp,network,192.0.2.0/24,abuse@isp.example
school,user,192.0.2.0/28,cert@school.example
shop,user,192.0.2.16/28,it@shop.example
gone,user,203.0.113.0/24,a@gone.example
same,user,198.51.100.0/24,a@same.example
";
/// The shop's addresses are the school's, gone has none, a new one has some, and two claim one.
const CORRECTED: &str = "\
owner_id,role,network,contact
isp,network,192.0.2.0/24,abuse@isp.example
school,user,192.0.2.0/27,cert@school.example
same,user,198.51.100.0/24,other@same.example
new,user,100.64.0.0/24,a@new.example
rival-a,user,192.0.2.64/28,a@rival.example
rival-b,user,192.0.2.64/28,b@rival.example
";
/// One for each: school, shop, isp, gone, same, nobody (then new), isp (then a conflict).
const ADDRESSES: [&str; 8] = [
    "192.0.2.1",
    "192.0.2.17",
    "192.0.2.18",
    "192.0.2.200",
    "203.0.113.1",
    "198.51.100.1",
    "100.64.0.1",
    "192.0.2.65",
];

fn work() -> Work {
    let work = Work::new();
    let row = |address: &&str| format!("{address},80,tcp,2026-11-22T01:02:03Z,open-rdp\n");
    let rows: String = ADDRESSES.iter().map(row).collect();
    let dump = format!("ip,port,transport,timestamp,identifier\n{rows}");
    work.write("dump.csv", &dump);
    work.write("dump.csv.gz", gzip(dump.as_bytes()));
    for (name, register) in [("before", REGISTER), ("now", CORRECTED)] {
        work.write("register.csv", register);
        work.run(&format!("index build -o {name}.dwi register.csv")).check(0, &[]);
    }
    work
}

fn told(work: &Work, run: &Value) -> BTreeSet<String> {
    let run = run["run"].as_str().unwrap();
    let mut told = BTreeSet::new();
    for part in ["new", "held"] {
        let root = format!("spool/{part}/{run}");
        for file in work.files(&root).iter().filter(|file| file.ends_with(".jsonl")) {
            for alert in work.alerts(&format!("{root}/{file}")) {
                let word = |key: &str| alert[key].as_str().unwrap().to_owned();
                told.insert(format!("{part} {} {}", word("extra.owner.id"), word("source.ip")));
            }
        }
    }
    told
}

const AGAIN: &str =
    "--index now.dwi --feed night --spool spool --because register-was-wrong --by operator --label again";

#[test]
fn where_the_register_was_put_right_only_what_moved_is_told_again() {
    let work = work();
    work.dump("--index before.dwi --feed night --spool spool dump.csv");
    for (dump, label) in [("dump.csv", "again"), ("dump.csv.gz", "packed")] {
        let words = AGAIN.replace("--label again", &format!("--label {label}"));
        let run = work.dump(&format!("{words} --changed-since before.dwi {dump}"));
        assert_eq!(
            told(&work, &run),
            [
                "held rival-a 192.0.2.65",
                "held rival-b 192.0.2.65",
                "new new 100.64.0.1",
                "new school 192.0.2.17",
                "new school 192.0.2.18",
            ]
            .map(String::from)
            .into()
        );
        let changes = serde_json::json!([
            {"before": [], "now": ["new"], "findings": 1},
            {"before": ["gone"], "now": [], "findings": 1},
            {"before": ["isp"], "now": [], "findings": 1},
            {"before": ["shop"], "now": ["school"], "findings": 2},
        ]);
        assert_eq!(run["changes"], changes);
        // The three that stay the same are counted, and told to nobody.
        let counts = ["alerts", "held", "excepted", "unmatched"].map(|key| count(&run, key));
        assert_eq!(counts, [3, 2, 3, 1]);
        let manifest = format!("spool/new/{}/manifest.json", run["run"].as_str().unwrap());
        let manifest: Value = serde_json::from_slice(&std::fs::read(work.path(&manifest)).unwrap()).unwrap();
        let correction = &manifest["correction"];
        assert_eq!(
            (&correction["because"], &correction["by"]),
            (&"register-was-wrong".into(), &"operator".into())
        );
        assert_eq!(
            (&correction["changes"], &correction["changed_since"]),
            (&changes, &id(&work, "before.dwi"))
        );
    }
    let text = work.matched(&format!(
        "{} --dry-run --changed-since before.dwi dump.csv",
        AGAIN.replace("--spool spool", "")
    ));
    text.check(0, &[]);
    assert!(
        text.out.contains("changed      shop -> school: 2") && text.out.contains("gone -> nobody: 1"),
        "{}",
        text.out
    );
    work.run("spool verify --spool spool").check(0, &[]);
}

fn id(work: &Work, index: &str) -> Value {
    let info = work.run(&format!("index info --json {index}"));
    serde_json::from_str::<Value>(&info.out).unwrap()["id"].clone()
}

#[test]
fn against_the_same_index_nothing_moved() {
    let work = work();
    let run = work.dump(&format!("{AGAIN} --changed-since now.dwi dump.csv"));
    assert_eq!((count(&run, "alerts"), count(&run, "held"), count(&run, "excepted")), (0, 0, 8));
    assert_eq!((told(&work, &run), &run["changes"]), (BTreeSet::new(), &Value::Null));
}

#[test]
fn only_the_owners_that_are_named_are_told() {
    let work = work();
    let run = work.dump(&format!("{AGAIN} --owner SAME --owner isp dump.csv"));
    assert_eq!(told(&work, &run), ["new isp 192.0.2.200", "new same 198.51.100.1"].map(String::from).into());
    assert_eq!((count(&run, "decisions"), count(&run, "excepted")), (8, 6));
    // A conflict goes whole, or not at all.
    let run = work.dump(&format!("{} --owner rival-a dump.csv", AGAIN.replace("again", "rival")));
    assert_eq!(told(&work, &run).len(), 2);
    let run = work
        .dump(&format!("{} --owner new --changed-since before.dwi dump.csv", AGAIN.replace("again", "new")));
    assert_eq!(told(&work, &run).len(), 1);
}

#[test]
fn a_correction_needs_its_words() {
    let work = work();
    let run =
        |words: &str| work.run(&format!("match --index now.dwi --run-time {RUN_TIME} --feed night {words}"));
    run("--spool spool --because x dump.csv").check(64, &["--label"]);
    run("--spool spool --label a --owner isp dump.csv").check(64, &["--because"]);
    run("--spool spool --label a --changed-since before.dwi dump.csv").check(64, &["--because"]);
    run("--spool spool --label a --because x --owner nobody dump.csv")
        .check(64, &["nobody: not in the register"]);
    run("--spool spool --label a --because x --changed-since before.dwi -").check(64, &["not -"]);
    run("--spool spool --label a --because x --changed-since missing.dwi dump.csv")
        .check(66, &["missing.dwi"]);
    assert!(work.run("match --help").out.contains("--changed-since"));
}
