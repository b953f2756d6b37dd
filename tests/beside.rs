//! The report beside a dump, through the real command: what it changes, what it never loosens, and whom it never names.
#![allow(clippy::unwrap_used)] // what a test sets up must be there

#[path = "match_dumps/work.rs"]
#[allow(dead_code, reason = "each test uses its own part of it")]
mod work;

use dijkwacht::policy::Tlp;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use work::Work;

/// A user's system, a network's, and one that two claim.
const LIST: &str = "ip,port\n192.0.2.1,3389\n192.0.2.200,3389\n";

/// All keys.
const REPORT: &str = "\
reference = \"SECRET-2026-0815\"
provider = \"SECRET researcher\"
received = 2026-11-22
observed = 2026-11-21T03:00:00Z
tlp = \"TLP:GREEN\"
permission = \"SECRET mail of 22 November\"
reliability = \"B\"
credibility = 2
identifier = \"open-rdp\"
classification = \"weak-crypto\"
severity = \"critical\"
cve = [\"CVE-2019-0708\"]
title = \"Remote desktops\"
text_nl = \"Sluit deze poort.\"
text_en = \"Close this port.\"
url = \"https://example.nl/rdp\"
assessed_by = \"SECRET analyst\"
decision = \"SECRET share\"
scope = \"SECRET all of it\"
";

fn work(report: &str) -> Work {
    let work = Work::new();
    work.write("list.csv", LIST);
    work.write("list.csv.toml", report);
    work
}

fn output(work: &Work, words: &str) -> Vec<Value> {
    let done = work.matched(&format!("--output - {words}"));
    assert_eq!(done.code, 0, "{}", done.err);
    work::alerts(&done.out)
}

fn run(work: &Work, words: &str) -> String {
    work.dump(&format!("--spool spool {words}"))["run"].as_str().unwrap().to_owned()
}

fn manifest(work: &Work, run: &str) -> Value {
    let path = work.path(&format!("spool/new/{run}/manifest.json"));
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn its_words_go_into_the_alerts_and_who_reported_stands_in_the_manifest_only() {
    let work = work(REPORT);
    work.write("config.toml", "[feeds.csv]\nprovider = \"Told\"\nidentifier = \"x\"\nseverity = \"low\"\n[findings.rdp]\naliases = [\"cve-2019-0708\"]\nseverity = \"info\"\ntitle = \"x\"\ntext_nl = \"x\"\n");
    let run = run(&work, "--config config.toml list.csv");
    let alert = &work.alerts(&format!("spool/new/{run}/ncsc/school.jsonl"))[0];
    for (key, value) in [
        ("feed.provider", "Told"),
        ("time.source", "2026-11-21T03:00:00+00:00"),
        ("classification.identifier", "open-rdp"),
        ("classification.type", "weak-crypto"),
        ("severity", "critical"),
        ("product.vulnerabilities", "cve-2019-0708"),
        ("extra.title", "Remote desktops"),
        ("extra.finding", "rdp"),
        ("event_description.text", "Sluit deze poort."),
        ("event_description.url", "https://example.nl/rdp"),
        ("extra.tlp", "GREEN"),
    ] {
        assert_eq!(alert[key], value, "{key}: {alert}");
    }
    let manifest = manifest(&work, &run);
    for (key, value) in [
        ("reference", "SECRET-2026-0815"),
        ("provider", "SECRET researcher"),
        ("received", "2026-11-22"),
        ("assessed_by", "SECRET analyst"),
        ("decision", "SECRET share"),
        ("scope", "SECRET all of it"),
    ] {
        assert_eq!(manifest["report"][key], value);
    }
    assert_eq!(manifest["dump"]["observed"], "2026-11-21T03:00:00Z");
    let options = &manifest["options"];
    assert_eq!(
        (&options["permission"], &options["tlp"]),
        (&"SECRET mail of 22 November".into(), &"GREEN".into())
    );
    for (path, (_, bytes)) in work.tree("spool") {
        let names = String::from_utf8_lossy(&bytes).contains("SECRET");
        assert_eq!(names, path == format!("new/{run}/manifest.json"), "{path}");
    }
}

#[test]
fn the_same_dump_with_another_report_is_another_run_and_with_the_same_one_is_seen() {
    let work = work("identifier = \"a\"\n");
    let run_of = |report: Option<&str>, words: &str| {
        match report {
            Some(report) => work.write("list.csv.toml", report),
            None => _ = fs::remove_file(work.path("list.csv.toml")),
        }
        run(&work, &format!("--identifier a {words} list.csv"))
    };
    let runs = [
        run_of(None, ""),
        run_of(Some(""), ""),
        run_of(Some("assessed_by = \"A\"\n"), ""),
        run_of(Some("assessed_by = \"B\"\n"), ""),
        run_of(Some("observed = 2026-11-21\n"), ""),
        run_of(None, "--observed 2026-11-21"),
        run_of(Some("observed = 2026-11-21\n"), "--observed 2026-11-20"),
    ];
    let distinct: std::collections::BTreeSet<&String> = runs.iter().collect();
    assert_eq!(distinct.len(), runs.len(), "{runs:?}");
    // Its layout says nothing; read as a stream it is the same run.
    assert_eq!(run_of(Some("# who\nassessed_by='B'"), ""), runs[3]);
    assert_eq!(run_of(Some("assessed_by = \"B\"\n"), "--io read"), runs[3]);
    assert!(work.run("spool verify --spool spool").code == 0);
    // The hash is what its documentation says.
    let hash = |parts: &[&[u8]]| blake3::hash(&parts.concat()).to_hex()[..16].to_owned();
    let list = LIST.as_bytes();
    let expected = [
        hash(&[list]),
        hash(&[b"{}\0", list]),
        hash(&[b"{\"assessed_by\":\"A\"}\0", list]),
        hash(&[b"{\"assessed_by\":\"B\"}\0", list]),
        hash(&[b"2026-11-21\0", b"{\"observed\":\"2026-11-21\"}\0", list]),
        hash(&[b"2026-11-21\0", list]),
        hash(&[b"2026-11-20\0", b"{\"observed\":\"2026-11-21\"}\0", list]),
    ];
    assert_eq!(runs, expected.map(|hash| format!("csv-{hash}")));
}

#[test]
fn a_label_is_never_loosened_and_red_goes_by_a_permission_of_the_report_alone() {
    let work = work("");
    let counts = |feed: &str, report: &str| {
        work.write("config.toml", format!("[feeds.csv]\nidentifier = \"x\"\n{feed}"));
        work.write("list.csv.toml", report);
        let dump = work.dump("--config config.toml --dry-run list.csv");
        (dump["alerts"].as_u64().unwrap(), dump["held_by"].clone())
    };
    let held = |reason: &str, count: u64| serde_json::json!({ reason: count });
    let none = || serde_json::json!({});
    assert_eq!(counts("", ""), (2, none()));
    assert_eq!(counts("tlp = \"RED\"\n", "tlp = \"CLEAR\"\n"), (0, held("tlp-permission", 2)));
    assert_eq!(counts("tlp = \"CLEAR\"\n", "tlp = \"RED\"\n"), (0, held("tlp-permission", 2)));
    let of_feed = "tlp = \"RED\"\npermission = \"agreement\"\n";
    assert_eq!(counts(of_feed, "tlp = \"CLEAR\"\n"), (0, held("tlp-permission", 2)));
    // By permission to the user, and never to the owner of the network.
    assert_eq!(counts(of_feed, "permission = \"mail\"\n"), (1, held("tlp-permission", 1)));
    assert_eq!(counts("", "tlp = \"purple\"\npermission = \"mail\"\n"), (0, held("tlp-unknown", 2)));
    assert_eq!(counts("tlp = \"CLEAR\"\n", "tlp = \"\"\n"), (2, none()));
    assert_eq!(counts("", "hold = true\n"), (0, held("fuse", 2)));
    assert_eq!(counts("mode = \"hold\"\n", "hold = false\n"), (0, held("fuse", 2)));
}

/// A record without a label is AMBER, and counts beside others as one that says so.
#[test]
fn equal_alerts_are_one_with_the_strictest_label_of_all() {
    let labels = ["", "CLEAR", "GREEN", "AMBER", "AMBER+STRICT"];
    for feed in [None, Some(Tlp::Clear), Some(Tlp::Green)] {
        let of_feed = feed.map(|tlp| format!("tlp = \"{tlp}\"\n")).unwrap_or_default();
        let config = format!("[feeds.csv]\npermission = \"mail\"\nidentifier = \"x\"\n{of_feed}");
        for (one, other) in labels.into_iter().flat_map(|one| labels.map(|other| (one, other))) {
            let work = work("");
            work.write("config.toml", &config);
            let row = |label: &str| format!("192.0.2.1,3389,{label}\n");
            work.write("rows.csv", format!("ip,port,tlp\n{}{}{}", row(one), row(other), row(one)));
            let alerts = output(&work, "--config config.toml rows.csv");
            let strictest = [one, other].map(|label| Tlp::of(Some(label), feed)).into_iter().max().unwrap();
            assert_eq!(alerts.len(), 1, "{one:?} {other:?}");
            assert_eq!(alerts[0]["extra.tlp"], strictest.as_str(), "{one:?} {other:?} of feed {feed:?}");
        }
    }
}

/// What has a label that nobody can read is held, and bears AMBER at least when a person sends it.
#[test]
fn what_a_label_that_nobody_can_read_holds_does_not_become_clear() {
    let work = work("tlp = \"purple\"\nidentifier = \"x\"\n");
    work.write("list.csv", "ip,port,tlp\n192.0.2.1,3389,CLEAR\n");
    let run = run(&work, "list.csv");
    let held = work.alerts(&format!("spool/held/{run}/ncsc/school.jsonl"));
    assert_eq!(
        (&held[0]["extra.tlp"], &held[0]["extra.held.reason"]),
        (&"AMBER".into(), &"tlp-unknown".into())
    );
}

#[test]
fn every_way_to_match_reads_it_and_the_command_line_wins() {
    let work = work("identifier = \"report\"\nobserved = 2026-11-20\n");
    let identifiers = |words: &str| {
        let alerts = output(&work, words);
        let told = alerts.iter().map(|alert| alert["classification.identifier"].as_str().unwrap().to_owned());
        told.collect::<Vec<_>>()
    };
    assert_eq!(identifiers("list.csv"), ["report"; 2]);
    assert_eq!(identifiers("--identifier mine list.csv"), ["mine"; 2]);
    let observed = output(&work, "--observed 2026-11-19 list.csv");
    assert_eq!(observed[0]["time.source"], "2026-11-19T00:00:00+00:00");
    // Named, for another dump and for standard input.
    work.write("other.csv", LIST);
    assert_eq!(identifiers("--identifier x other.csv"), ["x"; 2]);
    assert_eq!(identifiers("--report list.csv.toml other.csv"), ["report"; 2]);
    let words = work::match_words("--report list.csv.toml --output - -");
    let done = work.run_with_input(&words, LIST.as_bytes());
    assert_eq!(work::alerts(&done.out)[0]["classification.identifier"], "report", "{}", done.err);
    // Of several dumps each has its own, and what a shell's * names as well is none.
    work.write("other.csv.toml", "identifier = \"other\"\n");
    let both = "list.csv list.csv.toml other.csv other.csv.toml";
    assert_eq!(identifiers(both), ["report", "report", "other", "other"]);
    let summary = work.summary(&format!("--dry-run {both}"));
    assert_eq!(summary["dumps"].as_array().unwrap().len(), 2);
    let preview = work.run("preview --register register.csv list.csv");
    assert!(preview.out.contains("\"classification.identifier\":\"report\""), "{}", preview.out);
}

#[test]
fn a_report_that_cannot_be_used_fails_its_dump_and_no_other() {
    let work = work("tlp = \"RED\"\n  hodl = true\n");
    work.write("other.csv", LIST);
    let done = work.matched("--identifier x --spool spool --json list.csv other.csv");
    done.check(65, &["list.csv.toml:2:3: unknown key `hodl` (did you mean `hold`?)"]);
    let summary: Value = serde_json::from_str(&done.out).unwrap();
    let states: Vec<&Value> =
        summary["dumps"].as_array().unwrap().iter().map(|dump| &dump["state"]).collect();
    assert_eq!(states, ["failed", "published"]);
    assert_eq!(work.files("spool/new").iter().filter(|file| file.ends_with("manifest.json")).count(), 2);
    work.matched("--report list.csv.toml --dry-run list.csv other.csv")
        .check(64, &["--report is about one dump"]);
    work.matched("--report nowhere.toml --dry-run list.csv")
        .check(66, &["--report: there is no file nowhere.toml", "TOML", "or leave out --report"]);
    work.run("preview --report nowhere.toml list.csv").check(66, &["there is no file nowhere.toml"]);
    std::fs::create_dir(work.path("reports")).unwrap();
    work.matched("--report reports --dry-run list.csv").check(66, &["--report: reports", "directory"]);
    work.write("list.csv.toml", vec![b'#'; 65_537]);
    work.matched("--dry-run list.csv").check(65, &["larger than 65536 bytes"]);
    work.write("list.csv.toml", b"\xff");
    work.matched("--dry-run list.csv").check(65, &["list.csv.toml: "]);
    work.matched("--dry-run --rejects list.csv.toml list.csv").check(64, &["would be written over"]);
}

#[test]
fn explain_replays_an_alert_with_the_report_that_it_was_decided_by() {
    let work = work("tlp = \"RED\"\npermission = \"mail\"\nobserved = 2026-11-21\nidentifier = \"x\"\n");
    let run = run(&work, "list.csv");
    let alert = &work.alerts(&format!("spool/new/{run}/ncsc/school.jsonl"))[0];
    // Another lies there now.
    work.write("list.csv.toml", "hold = true\n");
    let id = alert["extra.alert_id"].as_str().unwrap();
    let words = format!("explain --json --spool spool --register register.csv --dump list.csv {id}");
    let done = work.run(&words);
    let steps: Value = serde_json::from_str(&done.out).unwrap_or_else(|_| panic!("{}", done.err));
    assert_eq!(steps["reproduced"], true, "{steps}");
    assert_eq!(steps["recipients"][0]["owner_id"], "school");
    assert_eq!(steps["held"], Value::Null);
}
