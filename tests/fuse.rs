//! The fuse of a feed: beyond a limit a run is published with no notice, and all that it would have sent waits for a person.
//!
//! The oracle is the same dump in a spool of its own without a limit: what that run sends and holds, this one holds, each line
//! once, and a release sends exactly what that one sent.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic and print")]

mod faults;
#[path = "match_dumps/work.rs"]
#[allow(dead_code, reason = "each test uses its own part of it")]
mod work;

use faults::{Fault, Point, Trial, has_strace};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;
use work::{Done, REGISTER, RUN_TIME, Work, count, gzip, zstd};

const HEADER: &str = "ip,port,transport,timestamp,identifier,severity,cve\n";

/// Something of each kind: shared, duplicate, held for each reason that needs no other configuration, matched by nobody.
fn mixed() -> String {
    let mut text = HEADER.to_owned();
    for host in 0..100 {
        for (address, port) in
            [(format!("192.0.2.{host}"), 80), (format!("198.51.100.{host}"), 80 + host % 3)]
        {
            let day = if host % 20 == 19 { "2026-12-24" } else { "2026-11-21" };
            writeln!(text, "{address},{port},tcp,{day}T01:02:03Z,open-rdp,low,CVE-2026-{host:04}").unwrap();
        }
        writeln!(text, "2001:db8:1::{host:x},443,tcp,2026-11-21T01:02:03Z,,high,").unwrap();
        writeln!(
            text,
            "2001:db8:2::{},443,tcp,2026-11-21T01:02:03Z,open-vnc,high,CVE-2025-{host:04}",
            host % 7
        )
        .unwrap();
        writeln!(text, "203.0.113.{host},443,tcp,2026-11-21T01:02:03Z,open-vnc,high,").unwrap();
        writeln!(text, "8.8.8.{host},443,tcp,2026-11-21T01:02:03Z,open-vnc,high,").unwrap();
    }
    text.push_str("192.0.2.0/27,80,tcp,2026-11-21T01:02:03Z,open-rdp,low,\n");
    text
}

/// `alerts` alerts of the provider; another `night` is another dump.
fn night(alerts: usize, night: usize) -> String {
    let mut text = HEADER.to_owned();
    for n in 0..alerts {
        let (host, port) = (128 + n % 100, 1 + n / 100);
        writeln!(text, "192.0.2.{host},{port},tcp,2026-11-21T01:02:{:02}Z,open-rdp,low,", night % 60)
            .unwrap();
    }
    writeln!(text, "8.8.8.8,{},tcp,,,,", 1 + night).unwrap();
    text
}

fn work(feed: &str, dump: &str) -> Work {
    let work = Work::new();
    work.write("config.toml", format!("[feeds.night]\n{feed}\n"));
    work.write("open.toml", "");
    work.write("dump.csv", dump);
    work
}

fn matched(work: &Work, words: &str) -> Value {
    work.dump(&format!("--config config.toml --feed night {words}"))
}

/// Brings one more night; what its run came to.
fn bring(work: &Work, alerts: usize, number: usize) -> Value {
    let name = format!("night-{number}.csv");
    work.write(&name, night(alerts, number));
    matched(work, &format!("--spool spool {name}"))
}

fn run_of(dump: &Value) -> &str {
    dump["run"].as_str().unwrap()
}

/// Path below `new/<run>` or `held/<run>` to its lines.
fn lines(work: &Work, spool: &str, part: &str, run: &str) -> BTreeMap<String, Vec<Value>> {
    let root = format!("{spool}/{part}/{run}");
    let files = work.files(&root).into_iter().filter(|file| file.ends_with(".jsonl"));
    files.map(|file| (file.clone(), work.alerts(&format!("{root}/{file}")))).collect()
}

/// A line as it would be, were it held by the fuse.
fn fused(line: &Value) -> Value {
    let mut line = line.clone();
    line["extra.held.reason"] = "fuse".into();
    line
}

/// The line without its run, which a release changes.
fn without_run(line: &Value) -> Value {
    let mut line = line.clone();
    line.as_object_mut().unwrap().remove("extra.run").unwrap();
    line
}

#[test]
fn beyond_alerts_max_or_owners_max_a_run_is_held_and_at_it_not() {
    let open = work("", &mixed());
    let sent = matched(&open, "--dry-run dump.csv");
    assert_eq!(sent["fuse"], Value::Null);
    for (key, of) in [("alerts_max", "alerts"), ("owners_max", "owners")] {
        let found = count(&sent, of);
        assert!(found > 2, "{sent}");
        for max in [0, 1, found - 1, found, found + 1] {
            let work = work(&format!("{key} = {max}"), &mixed());
            let dry = matched(&work, "--dry-run dump.csv");
            let dump = matched(&work, "--spool spool dump.csv");
            assert_eq!(dump["fuse"], dry["fuse"]);
            assert_eq!(dump["held_by"], dry["held_by"]);
            if found <= max {
                assert_eq!((&dump["fuse"], &dump["alerts"]), (&Value::Null, &sent["alerts"]));
                continue;
            }
            assert_eq!(dump["fuse"], json!({"limit": key, "max": max, "found": found}));
            assert_eq!(
                (&dump["state"], &dump["alerts"], &dump["owners"]),
                (&"published".into(), &0.into(), &0.into())
            );
            assert_eq!(dump["held_by"]["fuse"], sent["alerts"]);
            assert_eq!(count(&dump, "held"), count(&sent, "held") + count(&sent, "alerts"));
            assert_eq!(dump["duplicates"], sent["duplicates"]);
        }
    }
}

#[test]
fn all_that_would_be_sent_is_held_as_it_would_be_sent_and_the_rest_as_ever() {
    let open = work("", &mixed());
    let sent = matched(&open, "--spool spool dump.csv");
    let blown = work("alerts_max = 10", &mixed());
    let dump = matched(&blown, "--spool spool dump.csv");
    let run = run_of(&dump);
    assert_eq!(run, run_of(&sent), "a fuse is no part of a run's name");
    let mut expected = lines(&open, "spool", "held", run);
    assert!(expected.values().flatten().count() > 100);
    for (file, alerts) in lines(&open, "spool", "new", run) {
        expected.entry(file).or_default().extend(alerts.iter().map(fused));
    }
    for alerts in expected.values_mut() {
        alerts.sort_by_key(|alert| alert["extra.record"].as_u64());
    }
    assert_eq!(lines(&blown, "spool", "held", run), expected);
    assert_eq!(blown.files(&format!("spool/new/{run}")), ["manifest.json"], "there is no notice");
    let manifest = std::fs::read(blown.path(&format!("spool/new/{run}/manifest.json"))).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    assert_eq!(manifest["fuse"], dump["fuse"]);
    assert_eq!(manifest["options"]["fuse"], json!({"alerts_max": 10}));
    blown.run("spool verify --spool spool").check(0, &[]);
    assert_eq!(blown.run("spool take --spool spool").code, 1, "mailers find nothing");
}

#[test]
fn one_line_says_which_limit_and_where_to_look() {
    let work = work("alerts_max = 10", &night(1204, 0));
    let done = work.matched("--config config.toml --feed night --spool spool dump.csv");
    let run = work.files("spool/new")[0].split('/').next().unwrap().to_owned();
    done.check(0, &[&format!(
        "feed night: 1,204 alerts, more than alerts_max = 10: all are held (fuse); look at them with dijkwacht held list \
         --run {run}\n"
    )]);
    assert_eq!(done.err.matches("alerts_max").count(), 1);
    assert!(done.out.contains("  fuse         1,204 alerts, more than alerts_max = 10\n"), "{}", done.out);
    let list = work.run(&format!("held list --run {run} --spool spool"));
    assert!(list.out.contains("1204") && list.out.contains("fuse"), "{}", list.out);
    let dry = work.matched("--config config.toml --feed night --dry-run dump.csv");
    dry.check(0, &["more than alerts_max = 10: all would be held (fuse)\n"]);
}

#[test]
fn duplicates_and_what_is_held_anyway_do_not_count() {
    let row = "192.0.2.1,80,tcp,2026-11-21T01:02:03Z,open-rdp,low,\n";
    let conflict = "192.0.2.33,80,tcp,2026-11-21T01:02:03Z,open-rdp,low,\n";
    let dump = format!("{HEADER}{}{}", row.repeat(500), conflict.repeat(500));
    let open = work("alerts_max = 1\nowners_max = 1", &dump);
    let passed = matched(&open, "--spool spool dump.csv");
    assert_eq!((&passed["fuse"], &passed["alerts"], &passed["held"]), (&Value::Null, &1.into(), &2.into()));
    let blown = work("alerts_max = 0", &dump);
    let held = matched(&blown, "--spool spool dump.csv");
    assert_eq!((&held["held"], &held["duplicates"]), (&3.into(), &passed["duplicates"]));
    assert_eq!(held["held_by"], json!({"conflict": 2, "fuse": 1}));
}

/// One record leaves no doubt about whom to tell, another of the same finding does: what was told and held is one line now,
/// and waits for the first reason of both, so that who releases what the fuse held releases nothing else.
#[test]
fn what_would_be_told_and_is_held_too_is_one_line() {
    let register = "\
owner_id,role,domain,asn,contact
a,user,a.example,,a@a.example
a,user,,64500,a@a.example
b,user,,64500,b@b.example
";
    let row =
        |address: &str, name: &str| format!("{address},80,tcp,2026-11-21T01:02:03Z,open-rdp,64500,{name}\n");
    let rows = [
        row("91.192.0.5", "www.a.example"),
        row("91.192.0.5", ""),
        row("91.192.0.6", ""),
        row("91.192.0.6", "www.a.example"),
    ];
    let dump = format!("ip,port,transport,timestamp,identifier,asn,cn\n{}", rows.concat());
    let words = "--map shown_name=cn --spool spool dump.csv";
    let (open, blown) = (work("", &dump), work("mode = \"hold\"", &dump));
    open.write("register.csv", register);
    blown.write("register.csv", register);
    let sent = matched(&open, words);
    assert_eq!((&sent["alerts"], &sent["held"], &sent["duplicates"]), (&2.into(), &4.into(), &0.into()));
    let held = matched(&blown, words);
    assert_eq!((&held["alerts"], &held["held"], &held["duplicates"]), (&0.into(), &4.into(), &2.into()));
    assert_eq!(held["held_by"], json!({"conflict": 4}));
    let of_a = &lines(&blown, "spool", "held", run_of(&held))["ncsc/a.jsonl"];
    let reasons: Vec<_> =
        of_a.iter().map(|alert| (&alert["extra.record"], &alert["extra.held.reason"])).collect();
    assert_eq!(reasons, [(&1.into(), &"conflict".into()), (&3.into(), &"conflict".into())]);
    let id = of_a[0]["extra.alert_id"].as_str().unwrap();
    blown.run(&format!("explain {id} --spool spool --register register.csv")).check(0, &[]);
    blown.run("spool verify --spool spool").check(0, &[]);
}

#[test]
fn growth_is_judged_against_the_median_of_up_to_seven_earlier_runs() {
    let work = work("growth_max = 2", "");
    for number in 0..3 {
        // Nobody knows yet what is usual.
        assert_eq!(bring(&work, 10, number)["fuse"], Value::Null);
    }
    // Three: 10, 10, 10.
    assert_eq!(bring(&work, 20, 3)["fuse"], Value::Null, "twice as much is not more than twice");
    // Four, an even number: the median of 10, 10, 10, 20 is 10.
    let blown = bring(&work, 21, 4);
    assert_eq!(
        blown["fuse"],
        json!({"limit": "growth_max", "max": 20, "found": 21, "earlier": [10, 10, 10, 20]})
    );
    // It told nothing about what is usual. 10, 10, 10, 20, 20: 10.
    assert_eq!(bring(&work, 20, 5)["fuse"], Value::Null);
    assert_eq!(bring(&work, 20, 6)["fuse"], Value::Null);
    // Six: 10, 10, 10, 20, 20, 20 have the median 15.
    let blown = bring(&work, 31, 7);
    assert_eq!(
        (&blown["fuse"]["max"], &blown["fuse"]["earlier"]),
        (&30.into(), &json!([10, 10, 10, 20, 20, 20]))
    );
    assert_eq!(bring(&work, 30, 8)["fuse"], Value::Null);
    // Seven, and then eight, of which the first is forgotten.
    let blown = bring(&work, 41, 9);
    assert_eq!(blown["fuse"]["earlier"], json!([10, 10, 10, 20, 20, 20, 30]));
    assert_eq!(blown["fuse"]["max"], 40);
    assert_eq!(bring(&work, 40, 10)["fuse"], Value::Null);
    let blown = bring(&work, 99, 11);
    assert_eq!(blown["fuse"]["earlier"], json!([10, 10, 20, 20, 20, 30, 40]));
}

#[test]
fn fewer_than_three_earlier_runs_judge_nothing_and_another_feed_s_do_not_count() {
    for earlier in 0..=3 {
        let work = work("growth_max = 1", "");
        for number in 0..5 {
            let name = format!("other-{number}.csv");
            work.write(&name, night(10, 90 + number));
            work.dump(&format!("--feed night-2 --spool spool {name}"));
        }
        for number in 0..earlier {
            assert_eq!(bring(&work, 10, number)["fuse"], Value::Null);
        }
        assert_eq!(bring(&work, 11, 50)["fuse"].is_null(), earlier < 3, "{earlier}");
    }
}

#[test]
fn retired_runs_tell_what_is_usual_until_they_are_forgotten() {
    let work = work("growth_max = 2", "");
    for number in 0..4 {
        bring(&work, 10, number);
    }
    while let Done { code: 0, out, .. } = work.run("spool take --spool spool") {
        work.run(&format!("spool done --spool spool {}", out.split('\t').next().unwrap())).check(0, &[]);
    }
    work.run("spool prune --older-than 0 --spool spool").check(0, &[]);
    assert!(work.files("spool/new").is_empty(), "all are retired");
    assert_eq!(work.files("spool/runs").len(), 4);
    assert_eq!(matched_alone(&work, 21)["fuse"]["earlier"], json!([10, 10, 10, 10]));
    work.write("prune.toml", "[spool]\npath = \"spool\"\n[retention]\nnotices = 0\nmanifests = 0\n");
    work.run("spool prune --config prune.toml").check(0, &[]);
    assert!(work.files("spool/runs").is_empty());
    assert_eq!(matched_alone(&work, 21)["fuse"], Value::Null);
}

/// What a night would come to, without one more run in the spool.
fn matched_alone(work: &Work, alerts: usize) -> Value {
    work.write("alone.csv", night(alerts, 59));
    matched(work, "--dry-run --spool spool alone.csv")
}

#[test]
fn a_wrong_list_becomes_usual_only_when_a_person_releases_it() {
    let work = work("growth_max = 2", "");
    for number in 0..3 {
        bring(&work, 10, number);
    }
    let wrong: Vec<Value> = (10..20).map(|number| bring(&work, 1000, number)).collect();
    for blown in &wrong {
        assert_eq!(blown["fuse"]["earlier"], json!([10, 10, 10]), "the wrong lists before do not count");
    }
    for blown in &wrong[8..] {
        release(&work, &format!("--run {} --reason fuse", run_of(blown)));
    }
    assert_eq!(matched_alone(&work, 3000)["fuse"]["earlier"], json!([10, 10, 10, 1000, 1000]));
    let discarded = bring(&work, 500, 20);
    assert_eq!(discarded["fuse"]["max"], 20);
    decide(&work, &format!("discard --run {}", run_of(&discarded)));
    assert_eq!(matched_alone(&work, 3000)["fuse"]["earlier"], json!([10, 10, 10, 1000, 1000]));
}

#[test]
fn quiet_nights_are_usual_too() {
    let work = work("growth_max = 3", "");
    for number in 0..3 {
        bring(&work, 0, number);
    }
    assert_eq!(bring(&work, 3, 3)["fuse"], Value::Null);
    assert_eq!(
        bring(&work, 4, 4)["fuse"],
        json!({"limit": "growth_max", "max": 3, "found": 4, "earlier": [0, 0, 0, 3]})
    );
}

#[test]
fn without_a_spool_growth_is_not_judged_and_the_other_limits_are() {
    let work = work("growth_max = 2", "");
    for number in 0..3 {
        bring(&work, 10, number);
    }
    work.write("dump.csv", night(30, 3));
    assert_eq!(matched(&work, "--dry-run dump.csv")["fuse"], Value::Null);
    assert_eq!(matched(&work, "--output out.jsonl dump.csv")["fuse"], Value::Null);
    assert_eq!(matched(&work, "--dry-run --spool nowhere dump.csv")["fuse"], Value::Null);
    assert!(!work.path("nowhere").exists(), "a dry run makes no spool");
    assert_eq!(matched(&work, "--dry-run --spool spool dump.csv")["fuse"]["limit"], "growth_max");
    work.write("config.toml", "[spool]\npath = \"spool\"\n[feeds.night]\ngrowth_max = 2\n");
    assert_eq!(matched(&work, "--output out.jsonl dump.csv")["fuse"]["limit"], "growth_max");
    assert_eq!(std::fs::read(work.path("out.jsonl")).unwrap(), b"");
}

#[test]
fn an_output_has_nothing_of_a_run_that_is_held() {
    let work = work("owners_max = 1", &mixed());
    let open = work.dump("--config open.toml --feed night --output open.jsonl dump.csv");
    assert!(!work.alerts("open.jsonl").is_empty());
    let done = work.matched("--config config.toml --feed night --output out.jsonl dump.csv");
    done.check(0, &["more than owners_max = 1: none is written (fuse)"]);
    assert_eq!(std::fs::read(work.path("out.jsonl")).unwrap(), b"");
    let dump = matched(&work, "--output out.jsonl dump.csv");
    assert_eq!(count(&dump, "held"), count(&open, "held") + count(&open, "alerts"));
}

#[test]
fn a_damaged_manifest_of_the_feed_is_told_and_not_judged_around() {
    let work = work("growth_max = 2", "");
    let first = bring(&work, 10, 0);
    bring(&work, 10, 1);
    let manifest = format!("spool/new/{}/manifest.json", run_of(&first));
    work.write(&manifest, "{");
    work.write("dump.csv", night(10, 2));
    let done = work.matched("--config config.toml --feed night --spool spool dump.csv");
    done.check(65, &["manifest.json"]);
}

#[test]
fn a_feed_that_is_held_is_held_whatever_is_in_it() {
    let work = work("mode = \"hold\"\nalerts_max = 100000", &mixed());
    let dump = matched(&work, "--spool spool dump.csv");
    assert_eq!(dump["fuse"]["limit"], "mode");
    assert_eq!(dump["alerts"], 0);
    work.write("quiet.csv", HEADER);
    let quiet = matched(&work, "--format csv --spool spool quiet.csv");
    assert_eq!((&quiet["fuse"], &quiet["state"]), (&Value::Null, &"published".into()));
    let other = work.dump("--config config.toml --feed other --spool spool dump.csv");
    assert_eq!(other["fuse"], Value::Null, "another feed is not");
}

fn decide(work: &Work, words: &str) -> Value {
    let done = work
        .run(&format!("held {words} --because seen --by analyst --spool spool --run-time {RUN_TIME} --json"));
    done.check(0, &[]);
    serde_json::from_str(&done.out).unwrap()
}

fn release(work: &Work, words: &str) -> Value {
    decide(work, &format!("release {words}"))
}

#[test]
fn a_release_sends_exactly_what_the_run_would_have_sent() {
    let open = work("", &mixed());
    let sent = matched(&open, "--spool spool dump.csv");
    let blown = work("alerts_max = 10", &mixed());
    let run = matched(&blown, "--spool spool dump.csv");
    let run = run_of(&run);
    let answer = release(&blown, &format!("--run {run} --reason fuse"));
    assert_eq!((&answer["released"], &answer["discarded"]), (&sent["alerts"], &0.into()));
    let released = lines(&blown, "spool", "new", &format!("{run}+held-1"));
    let expected = lines(&open, "spool", "new", run);
    assert_eq!(released.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    let mut ids = BTreeSet::new();
    for (file, alerts) in &expected {
        assert_eq!(
            released[file].iter().map(without_run).collect::<Vec<_>>(),
            alerts.iter().map(without_run).collect::<Vec<_>>(),
            "{file}"
        );
        ids.extend(alerts.iter().map(|alert| alert["extra.alert_id"].as_str().unwrap().to_owned()));
    }
    assert_eq!(ids.len() as u64, count(&sent, "alerts"), "each once");
    blown.run("spool verify --spool spool").check(0, &[]);
    let list = blown.run(&format!("held list --json --run {run} --spool spool --run-time {RUN_TIME}"));
    let waiting: Value = serde_json::from_str(&list.out).unwrap();
    assert_eq!(waiting["waiting"], sent["held"], "what is held for another reason still waits");
    let again =
        blown.run(&format!("held release --run {run} --reason fuse --because x --by y --spool spool"));
    again.check(0, &["decided before"]);
}

#[test]
fn a_dump_that_is_published_again_is_judged_again_unless_a_person_says_why() {
    let work = work("alerts_max = 10", &mixed());
    let blown = matched(&work, "--spool spool dump.csv");
    assert_eq!(blown["fuse"]["limit"], "alerts_max");
    let again = matched(&work, "--label again --spool spool dump.csv");
    assert_eq!(again["fuse"], blown["fuse"]);
    let corrected = matched(&work, "--label put-right --because seen --spool spool dump.csv");
    assert_eq!(corrected["fuse"], Value::Null);
    assert_eq!(corrected["alerts"], blown["held_by"]["fuse"]);
    work.write("config.toml", "[feeds.night]\nmode = \"hold\"\n");
    let held = matched(&work, "--label still --because seen --spool spool dump.csv");
    assert_eq!(held["fuse"]["limit"], "mode", "what a feed is held for is not its size");
}

#[test]
fn a_correction_is_no_night_by_which_others_are_judged() {
    let work = work("growth_max = 2", "");
    for number in 0..3 {
        bring(&work, 10, number);
    }
    for label in ["a", "b", "c", "d"] {
        matched(&work, &format!("--label {label} --because seen --spool spool night-0.csv"));
    }
    assert_eq!(matched_alone(&work, 21)["fuse"]["earlier"], json!([10, 10, 10]));
    matched(&work, "--label e --spool spool night-0.csv");
    assert_eq!(matched_alone(&work, 21)["fuse"]["earlier"], json!([10, 10, 10, 10]));
}

#[test]
fn a_run_that_was_published_is_told_as_it_was_then() {
    let work = work("growth_max = 2", "");
    for number in 0..3 {
        bring(&work, 10, number);
    }
    let blown = bring(&work, 50, 3);
    let passed = bring(&work, 20, 4);
    // Now there is more, or nothing, to judge by.
    for feed in ["growth_max = 1", "alerts_max = 0", ""] {
        work.write("config.toml", format!("[feeds.night]\n{feed}\n"));
        for (number, then) in [(3, &blown), (4, &passed)] {
            let done = work.matched(&format!(
                "--config config.toml --feed night --json --spool spool night-{number}.csv"
            ));
            let again = &done.summary()["dumps"][0];
            assert_eq!(again["state"], "already_published");
            for key in ["fuse", "alerts", "held", "held_by"] {
                assert_eq!(again[key], then[key], "{feed} {number} {key}");
            }
            assert!(!done.err.contains("warning"), "{}", done.err);
        }
    }
}

#[test]
fn what_is_held_is_the_same_by_every_way() {
    let text = mixed();
    let first = work("alerts_max = 10", &text);
    let expected = matched(&first, "--threads 1 --spool spool dump.csv");
    let run = run_of(&expected);
    let expected_tree = first.tree(&format!("spool/held/{run}"));
    assert!(!expected_tree.is_empty());
    first.write("dump.csv.gz", gzip(text.as_bytes()));
    first.write("dump.csv.zst", zstd(text.as_bytes()));
    for (number, words) in [
        "--threads 4 dump.csv",
        "--threads 4 --chunk-bytes 1024 dump.csv",
        "--io read dump.csv",
        "--io read --threads 4 --chunk-bytes 1024 dump.csv",
        "dump.csv.gz",
        "--threads 4 dump.csv.zst",
    ]
    .into_iter()
    .enumerate()
    {
        let spool = format!("spool-{number}");
        let dump = matched(&first, &format!("--spool {spool} {words}"));
        assert_eq!((&dump["run"], &dump["fuse"]), (&expected["run"], &expected["fuse"]), "{words}");
        assert_eq!(first.tree(&format!("{spool}/held/{run}")), expected_tree, "{words}");
        assert_eq!(first.files(&format!("{spool}/new/{run}")), ["manifest.json"], "{words}");
    }
}

#[test]
fn a_dry_run_tells_who_would_be_sent_how_much_the_most_first() {
    let work = work("", &mixed());
    let spooled = matched(&work, "--spool spool dump.csv");
    assert_eq!(spooled.get("recipients"), None);
    let mut expected = BTreeMap::<String, [u64; 2]>::new();
    for (at, part) in ["new", "held"].into_iter().enumerate() {
        for (file, alerts) in lines(&work, "spool", part, run_of(&spooled)) {
            let owner = file.trim_start_matches("ncsc/").trim_end_matches(".jsonl").to_owned();
            expected.entry(owner).or_default()[at] += alerts.len() as u64;
        }
    }
    let dry = matched(&work, "--dry-run --owners dump.csv");
    let told = dry["recipients"].as_array().unwrap();
    let counts = |one: &Value| [count(one, "alerts"), count(one, "held")];
    let found: BTreeMap<String, [u64; 2]> =
        told.iter().map(|one| (one["owner_id"].as_str().unwrap().to_owned(), counts(one))).collect();
    assert_eq!((found.len(), &found), (told.len(), &expected));
    assert!(told.is_sorted_by(|a, b| counts(a) >= counts(b)), "{told:?}");
    assert_eq!(told.iter().map(|one| count(one, "alerts")).sum::<u64>(), count(&dry, "alerts"));
    let school = told.iter().find(|one| one["owner_id"] == "school").unwrap();
    assert_eq!((&school["name"], &school["sender"]), (&"School".into(), &"ncsc".into()));
    let text = work.matched("--config config.toml --feed night --dry-run --owners dump.csv");
    let first = &told[0];
    let line = format!("alerts, {:>8} held  {} (", count(first, "held"), first["owner_id"].as_str().unwrap());
    assert!(text.out.contains(&line), "{}", text.out);
    assert!(text.out.lines().any(|line| line.trim_end().ends_with("by ncsc")), "{}", text.out);
    // Beyond a limit nobody would be sent anything, and one sees who it is about.
    work.write("config.toml", "[feeds.night]\nalerts_max = 1\n");
    let blown = matched(&work, "--dry-run --owners dump.csv");
    let told = blown["recipients"].as_array().unwrap();
    assert!(told.iter().all(|one| count(one, "alerts") == 0));
    for one in told {
        let [alerts, held] = expected[one["owner_id"].as_str().unwrap()];
        assert_eq!(count(one, "held"), alerts + held);
    }
    work.matched("--owners --output out.jsonl dump.csv").check(64, &["--dry-run"]);
}

#[test]
fn the_metrics_of_a_batch_count_blown_fuses_by_limit() {
    let work = work("alerts_max = 10", &mixed());
    matched(&work, "--metrics-file batch.prom --spool spool dump.csv");
    matched(&work, "--metrics-file batch.prom --spool spool dump.csv");
    let page = std::fs::read_to_string(work.path("batch.prom")).unwrap();
    let value = |limit: &str| {
        let series =
            format!("dijkwacht_fuses_blown_total{{batch=\"batch\",feed=\"night\",limit=\"{limit}\"}} ");
        page.lines().find_map(|line| line.strip_prefix(&series)).unwrap_or_else(|| panic!("{page}"))
    };
    assert_eq!((value("alerts_max"), value("mode")), ("1", "0"));
}

#[test]
fn explain_says_that_it_is_the_run_that_is_held() {
    let work = work("alerts_max = 10", &mixed());
    let dump = matched(&work, "--spool spool dump.csv");
    let held = lines(&work, "spool", "held", run_of(&dump));
    let id = |reason: &str| {
        let of_reason = held.values().flatten().find(|alert| alert["extra.held.reason"] == reason).unwrap();
        of_reason["extra.alert_id"].as_str().unwrap().to_owned()
    };
    let explain = |reason: &str, words: &str| {
        work.run(&format!("explain {words} --register register.csv --spool spool {}", id(reason))).out
    };
    let said = format!("held       fuse: {} alerts, more than alerts_max = 10\n", dump["fuse"]["found"]);
    for words in ["", "--dump dump.csv"] {
        let text = explain("fuse", words);
        assert!(text.contains(&said), "{words}: {text}");
    }
    assert!(explain("fuse", "--dump dump.csv").contains("replayed   the same alert"));
    assert!(explain("conflict", "--dump dump.csv").contains("held       conflict\n"));
}

#[test]
fn a_comparison_of_indexes_is_not_about_the_fuse() {
    let work = work("mode = \"hold\"", &night(5, 0));
    work.run("index build -o old.dwi register.csv").check(0, &[]);
    work.write(
        "new.csv",
        REGISTER.replace("abuse@isp.example", "noc@isp.example").replace("isp,Provider", "isp-2,Provider"),
    );
    work.run("index build -o new.dwi new.csv").check(0, &[]);
    let words =
        format!("index diff --feed night --run-time {RUN_TIME} --json --dump dump.csv old.dwi new.dwi");
    let with = |config: &str| work.run(&format!("{words} --config {config}"));
    let (held, open) = (with("config.toml"), with("open.toml"));
    assert_eq!((held.code, &held.out), (1, &open.out), "{}{}", held.err, open.err);
}

/// What is to be seen of the spool.
fn visible(root: &Path) -> BTreeMap<std::path::PathBuf, (u32, Vec<u8>)> {
    let parts = ["new", "held", "runs"];
    let is_seen =
        |path: &Path| parts.iter().any(|part| path.starts_with(part)) && path.components().count() > 1;
    faults::tree(root).into_iter().filter(|(path, _)| is_seen(path)).collect()
}

#[test]
fn a_fault_at_any_durable_call_of_a_run_that_is_held_loses_doubles_and_sends_nothing() {
    if !has_strace() {
        return;
    }
    let work = work("alerts_max = 1", &format!("{}192.0.2.1,80,tcp,,open-rdp,low,\n", night(5, 0)));
    let command = |place: &Path| {
        let spool = place.join("spool");
        let words = "--config config.toml --feed night --threads 1 --quiet --json dump.csv";
        let mut command = work.command(&work::match_words(words));
        // strace runs it elsewhere.
        command = {
            let mut absolute = std::process::Command::new(command.get_program());
            let files = ["config.toml", "register.csv", "dump.csv"];
            absolute.args(command.get_args().map(|word| match files.iter().find(|file| word == **file) {
                Some(file) => work.path(file).into_os_string(),
                None => word.to_owned(),
            }));
            absolute
        };
        command.arg("--spool").arg(spool).env_remove("DIJKWACHT_CONFIG");
        command
    };
    let place = || tempfile::tempdir().unwrap();
    let peace = place();
    assert!(faults::run(&command(peace.path())).status.success());
    let wanted = visible(&peace.path().join("spool"));
    let is_line_of = |part: &str| {
        wanted.keys().any(|path| path.starts_with(part) && path.extension().is_some_and(|it| it == "jsonl"))
    };
    assert!(is_line_of("held") && !is_line_of("new"), "{:?}", wanted.keys());
    let is_published =
        |place: &Path| place.join("spool/new").read_dir().is_ok_and(|mut runs| runs.next().is_some());
    let swept = Trial {
        command: &command,
        place: &place,
        faults: &|point: &Point| match point.syscall.as_str() {
            "fsync" | "syncfs" | "renameat2" | "write" => vec![Fault::Kill, Fault::Error("EIO")],
            _ => Vec::new(),
        },
        after_fault: &|place, _, _, ending| {
            if is_published(place) {
                assert_eq!(visible(&place.join("spool")), wanted, "torn");
            } else {
                assert!(!ending.status.success(), "{ending:#?}");
            }
        },
        after_all: &|place, _| assert_eq!(visible(&place.join("spool")), wanted, "lost, doubled or sent"),
    }
    .sweep();
    println!("{} faults: {:?}", swept.trials, swept.by_syscall);
    assert!(swept.trials > 20);
}
