//! `dijkwacht report`: what a minister asks, reconciled with the books of each run.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "match_dumps/work.rs"]
#[allow(dead_code, reason = "each test uses its own part of it")]
mod work;

use serde_json::Value;
use work::{RUN_TIME, Work, count};

const REGISTER: &str = "\
owner_id,constituency,sector,role,network,contact
isp,vital,telecom,network,192.0.2.0/24,abuse@isp.example
school,business,education,user,192.0.2.0/28,cert@school.example
college,business,education,user,192.0.2.16/28,it@college.example
twin-a,business,,user,192.0.2.32/28,a@twin.example
twin-b,business,,user,192.0.2.32/28,b@twin.example
";
const WORD: &str = "--because asked --by analyst";

/// Two feeds, a conflict of which one is released and one waits; the school is warned by both. Returns all books.
fn work() -> (Work, Vec<Value>) {
    let work = Work::new();
    work.write("register.csv", REGISTER);
    let dump = |feed: &str, rows: &[(&str, &str)]| {
        let row = |(address, identifier): &(&str, &str)| {
            format!("{address},80,tcp,2026-11-22T01:02:03Z,{identifier}\n")
        };
        let rows: String = rows.iter().map(row).collect();
        work.write("dump.csv", format!("ip,port,transport,timestamp,identifier\n{rows}"));
        work.dump(&format!("--feed {feed} --spool spool dump.csv"))
    };
    let night = dump(
        "night",
        &[
            ("192.0.2.1", "open-rdp"),
            ("192.0.2.2", "\"=cmd,\"\"x\"\"\""),
            ("192.0.2.17", "open-rdp"),
            ("192.0.2.33", "open-rdp"),
            ("192.0.2.34", "open-rdp"),
        ],
    );
    let noon =
        dump("noon", &[("192.0.2.1", "open-telnet"), ("192.0.2.200", "open-telnet"), ("192.0.2.17", "")]);
    let shown = work.run("held show --json --owner twin-a --spool spool");
    let id: Value = serde_json::from_str(shown.out.lines().next().unwrap()).unwrap();
    work.run(&format!(
        "held release {} {WORD} --register register.csv --run-time {RUN_TIME} --spool spool",
        id["alert_id"].as_str().unwrap()
    ))
    .check(0, &[]);
    (work, vec![night, noon])
}

fn report(work: &Work, words: &str) -> Value {
    let done = work.run(&format!("report --since 2020-01-01 --json --spool spool {words}"));
    done.check(0, &[]);
    serde_json::from_str(&done.out).unwrap()
}

fn group<'r>(report: &'r Value, name: &str) -> &'r Value {
    report["groups"].as_array().unwrap().iter().find(|row| row["group"] == name).unwrap_or(&Value::Null)
}

#[test]
fn every_number_is_that_of_the_books() {
    let (work, books) = work();
    let sum = |key: &str| books.iter().map(|one| count(one, key)).sum::<u64>();
    let all = report(&work, "");
    let total = &all["total"];
    assert_eq!(count(total, "alerts"), sum("alerts") + 1, "one was released");
    assert_eq!(count(total, "held"), sum("held"));
    assert_eq!((count(total, "organisations"), count(total, "runs")), (4, 3));
    assert_eq!((count(&all, "released"), count(&all, "discarded"), count(&all, "waiting")), (1, 1, 3));
    assert_eq!(
        count(total, "held"),
        count(&all, "released") + count(&all, "discarded") + count(&all, "waiting")
    );
    assert_eq!(total["median_seconds"], Value::Null, "no inbox is named");
    for by in ["sector", "constituency", "sender", "identifier", "feed"] {
        let by_group = report(&work, &format!("--by {by}"));
        let rows = by_group["groups"].as_array().unwrap();
        for key in ["alerts", "held"] {
            assert_eq!(rows.iter().map(|row| count(row, key)).sum::<u64>(), count(total, key), "{by} {key}");
        }
        assert_eq!(&by_group["total"], total, "{by}");
    }
}

#[test]
fn each_group_has_its_own() {
    let (work, _) = work();
    let by_sector = report(&work, "--by sector");
    let education = group(&by_sector, "education");
    assert_eq!(
        ["organisations", "alerts", "held", "runs"].map(|key| count(education, key)),
        [2, 4, 1, 2],
        "the school is one organisation"
    );
    assert_eq!(count(group(&by_sector, "(unknown)"), "alerts"), 1, "the twin has no sector");
    let by_identifier = report(&work, "--by identifier");
    assert_eq!(count(group(&by_identifier, "open-rdp"), "alerts"), 3);
    assert_eq!(count(group(&by_identifier, "open-rdp"), "held"), 4);
    assert_eq!(count(group(&by_identifier, "(unknown)"), "held"), 1);
    let by_feed = report(&work, "--by feed");
    assert_eq!((count(group(&by_feed, "night"), "alerts"), count(group(&by_feed, "noon"), "alerts")), (4, 2));
    assert_eq!(count(group(&report(&work, "--by constituency"), "vital"), "organisations"), 1);
    assert_eq!(count(group(&report(&work, "--by sender"), "ncsc"), "alerts"), 6);
}

#[test]
fn retired_runs_count_and_forgotten_owners_are_nobody() {
    let (work, _) = work();
    let before = report(&work, "--by sector");
    while let Some((claim, _)) = work.run("spool take --spool spool").out.split_once('\t') {
        work.run(&format!("spool done --spool spool {claim}")).check(0, &[]);
    }
    work.run("spool prune --older-than 0 --spool spool").check(0, &["1 runs retired"]);
    let pruned = report(&work, "--by sector");
    assert_eq!((&pruned["groups"], &pruned["total"]), (&before["groups"], &before["total"]));
    work.run(&format!("spool forget --owner school {WORD} --spool spool")).check(0, &[]);
    let after = report(&work, "--by sector");
    assert_eq!(after["total"]["alerts"], before["total"]["alerts"], "they were sent");
    assert_eq!((count(&after["total"], "organisations"), count(&after, "forgotten")), (3, 3));
    assert_eq!(count(group(&after, "education"), "organisations"), 1);
    let groups: u64 = after["groups"].as_array().unwrap().iter().map(|row| count(row, "alerts")).sum();
    assert_eq!(groups + count(&after, "forgotten"), count(&after["total"], "alerts"));
}

/// As the daemon leaves them: one dump arrived an hour before it was published, one two hours.
#[test]
fn the_time_from_arrival_to_publication_is_that_of_the_run_in_the_middle() {
    let (work, books) = work();
    work.write("config.toml", "[inbox]\npath = \"inbox\"\n");
    for (run, hours) in books.iter().zip([1, 2]) {
        let run = run["run"].as_str().unwrap();
        let manifest = work.path(&format!("spool/new/{run}/manifest.json"));
        let published = std::fs::metadata(&manifest).unwrap().modified().unwrap();
        let bytes: Value = serde_json::from_slice(&std::fs::read(&manifest).unwrap()).unwrap();
        let done = work.path(&format!("done/{}/dump.csv", run.split('-').next().unwrap()));
        std::fs::create_dir_all(done.parent().unwrap()).unwrap();
        let file = std::fs::File::create(&done).unwrap();
        file.set_len(bytes["dump"]["bytes_stored"].as_u64().unwrap()).unwrap();
        file.set_modified(published - std::time::Duration::from_secs(hours * 3600)).unwrap();
    }
    let by_feed = report(&work, "--config config.toml --by feed");
    let near = |row: &Value, seconds: i64| (row["median_seconds"].as_i64().unwrap() - seconds).abs() <= 1;
    assert!(near(group(&by_feed, "night"), 3600) && near(group(&by_feed, "noon"), 7200), "{by_feed}");
    assert!(near(&by_feed["total"], 7200), "of two the later");
}

#[test]
fn only_its_days_count_and_a_spreadsheet_reads_it() {
    let (work, _) = work();
    let later = work.run("report --since 2099-01-01 --json --spool spool");
    let later: Value = serde_json::from_str(&later.out).unwrap();
    assert_eq!((count(&later["total"], "alerts"), &later["total"]["median_seconds"]), (0, &Value::Null));
    let earlier = work.run("report --since 2020-01-01 --until 2020-01-02 --spool spool");
    assert!(earlier.out.contains("total"), "{}", earlier.out);
    let csv = work.run("report --since 2020-01-01 --by identifier --csv --spool spool").out;
    let mut lines = csv.lines();
    assert_eq!(lines.next(), Some("group,organisations,alerts,held,runs,median_seconds"));
    assert!(csv.contains("\"'=cmd,\"\"x\"\"\",1,1,0,1,"), "{csv}");
    assert!(lines.all(|line| !line.starts_with('=')));
    work.run("report --spool spool").check(64, &[]);
    work.run("report --since yesterday --spool spool").check(64, &["--since"]);
    work.run("report --since 2020-01-01 --spool nowhere").check(66, &[]);
    assert!(work.run("report --help").out.contains("Examples:"));
}
