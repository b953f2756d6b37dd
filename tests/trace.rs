//! `dijkwacht spool trace`: every alert, recipient, run and its state.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "match_dumps/work.rs"]
#[allow(dead_code, reason = "each test uses its own part of it")]
mod work;

use serde_json::Value;
use std::collections::BTreeMap;
use work::{RUN_TIME, Work, alerts};

const HEADER: &str = "ip,port,transport,timestamp,identifier\n";

fn dump(rows: &[&str], port: u16) -> String {
    let row = |address: &&str| format!("{address},{port},tcp,2026-11-22T01:02:03Z,open-rdp\n");
    format!("{HEADER}{}", rows.iter().map(row).collect::<String>())
}

/// A run of each feed; returns its name.
fn run(work: &Work, feed: &str, rows: &[&str]) -> String {
    let port = 1 + feed.bytes().map(u16::from).sum::<u16>();
    work.write("dump.csv", dump(rows, port));
    let dump = work.dump(&format!("--feed {feed} --spool spool dump.csv"));
    dump["run"].as_str().unwrap().to_owned()
}

fn trace(work: &Work, sought: &str) -> Vec<Value> {
    let done = work.run(&format!("spool trace --spool spool --json {sought}"));
    let found = alerts(&done.out);
    assert_eq!(done.code, i32::from(found.is_empty()), "{}", done.err);
    found
}

/// Counts of states.
fn states(found: &[Value]) -> BTreeMap<String, u64> {
    let mut states = BTreeMap::new();
    for one in found {
        *states.entry(one["state"].as_str().unwrap().to_owned()).or_default() +=
            one["alerts"].as_u64().unwrap();
    }
    states
}

fn expect(work: &Work, sought: &str, expected: &[(&str, u64)]) {
    let expected = expected.iter().map(|(state, count)| ((*state).to_owned(), *count)).collect();
    assert_eq!(states(&trace(work, sought)), expected, "{sought}");
}

fn take(work: &Work, run: &str) -> String {
    let claim = format!("{run}.ncsc");
    std::fs::create_dir(work.path(&format!("spool/cur/{claim}"))).unwrap();
    claim
}

#[test]
fn each_state_is_told() {
    let work = Work::new();
    let school = ["192.0.2.1", "192.0.2.2", "192.0.2.17"];
    let [_, claimed, done, failed] =
        ["new", "claimed", "done", "failed"].map(|feed| run(&work, feed, &school));
    let claim = take(&work, &claimed);
    std::fs::write(work.path(&format!("spool/cur/{claim}/school.sent")), "").unwrap();
    work.run(&format!("spool done --spool spool {}", take(&work, &done))).check(0, &[]);
    work.run(&format!("spool fail --spool spool {}", take(&work, &failed))).check(0, &[]);
    let all = [("claimed", 1), ("done", 1), ("failed", 1), ("new", 1)];
    expect(&work, "192.0.2.1", &all);
    expect(&work, "::ffff:192.0.2.1", &all);
    expect(&work, "192.0.2.1/32", &all);
    expect(&work, "192.0.2.0/31", &all);
    expect(&work, "192.0.2.0/30", &all.map(|(state, _)| (state, 2)));
    expect(&work, "192.0.2.0/24", &all.map(|(state, _)| (state, 3)));
    expect(&work, "school", &all.map(|(state, _)| (state, 2)));
    expect(&work, "SCHOOL", &all.map(|(state, _)| (state, 2)));
    for nothing in
        ["192.0.2.3", "192.0.2.10", "2001:db8::/32", "scho", "66bb29f5-731e-5008-8c71-c345897ccd3a"]
    {
        expect(&work, nothing, &[]);
    }
    let noted: Vec<_> = trace(&work, "192.0.2.1")
        .into_iter()
        .filter(|found| found["state"] == "claimed")
        .map(|found| found["noted"].clone())
        .collect();
    assert_eq!(noted, ["sent"]);
    // An alert is traced by its id, and is shown whole.
    let one = &trace(&work, "192.0.2.1")[0];
    let id = one["alert"]["extra.alert_id"].as_str().unwrap();
    let by_id = trace(&work, id);
    assert_eq!((by_id.len(), &by_id[0]["run"]), (1, &one["run"]), "another feed is another alert");
}

#[test]
fn of_an_owner_a_retired_run_is_known_and_of_an_address_it_is_said_that_it_is_not() {
    let work = Work::new();
    let sent = run(&work, "sent", &["192.0.2.1", "192.0.2.2", "192.0.2.17"]);
    work.run(&format!("spool done --spool spool {}", take(&work, &sent))).check(0, &[]);
    work.run("spool prune --older-than 0 --spool spool").check(0, &["1 runs retired"]);
    expect(&work, "school", &[("retired", 2)]);
    expect(&work, "isp", &[("retired", 1)]);
    expect(&work, "192.0.2.1", &[]);
    work.run("spool trace --spool spool 192.0.2.1").check(1, &["1 runs are retired"]);
    work.run("spool trace --spool nowhere school").check(66, &[]);
}

#[test]
fn what_is_held_is_told_with_the_decision_about_it() {
    let work = Work::new();
    let held = run(&work, "night", &["192.0.2.33", "192.0.2.34", "203.0.113.1"]);
    expect(&work, "192.0.2.32/29", &[("held", 4)]);
    let decide = |words: &str| {
        work.run(&format!(
            "held {words} --because called --by analyst --spool spool --register register.csv --run-time {RUN_TIME}"
        ))
        .check(0, &[]);
    };
    let id = trace(&work, "192.0.2.33")[0]["alert"]["extra.alert_id"].as_str().unwrap().to_owned();
    decide(&format!("release {id}"));
    expect(&work, "192.0.2.33", &[("discarded", 1), ("new", 1), ("released", 1)]);
    expect(&work, "192.0.2.34", &[("held", 2)]);
    let found = trace(&work, &id);
    let released = found.iter().find(|found| found["state"] == "released").unwrap();
    assert_eq!((&released["because"], &released["by"]), (&"called".into(), &"analyst".into()));
    assert_eq!(released["decision"], format!("{held}+held-1"));
    decide("discard --all");
    expect(&work, "192.0.2.34", &[("discarded", 2)]);
    expect(&work, "silent", &[("discarded", 1)]);
    // The held lines may be gone: the decision still tells.
    std::fs::remove_dir_all(work.path(&format!("spool/held/{held}.decided"))).unwrap();
    expect(&work, &id, &[("new", 1), ("released", 1)]);
    let text = work.run(&format!("spool trace --spool spool {id}"));
    assert!(text.out.contains("called (analyst)"), "{}", text.out);
}

#[test]
fn a_record_that_names_a_prefix_is_found_by_what_holds_it() {
    let work = Work::new();
    run(&work, "wide", &["192.0.2.128/25", "192.0.2.200"]);
    expect(&work, "192.0.2.128/25", &[("new", 2)]);
    expect(&work, "192.0.2.0/24", &[("new", 2)]);
    expect(&work, "192.0.2.192/26", &[("new", 1)]);
    expect(&work, "192.0.2.129", &[]);
}
