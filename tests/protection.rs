//! Source protection: a recipient does not learn who reported it where the feed or its label says so, and we can still trace it back.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "match_dumps/work.rs"]
#[allow(dead_code, reason = "each test uses its own part of it")]
mod work;

use serde_json::Value;
use std::collections::BTreeSet;
use work::{RUN_TIME, Work, alerts};

const HEADER: &str = "ip,port,transport,timestamp,identifier,tlp\n";

/// Feeds whose names, labels and providers are like nothing else in a line.
const CONFIG: &str = r#"
[feeds.whistler]
label = "Label of Whistler"
provider = "Provider of Whistler"
permission = "agreement"
hide_source_from = "AMBER+STRICT"

[feeds.quiet]
label = "Label of Quiet"
provider = "Provider of Quiet"
opaque = true

[feeds.nameless]
label = "Label of Nameless"
provider = "Provider of Nameless"
hide_source_from = "CLEAR"
opaque = true

[feeds.plain]
label = "Label of Plain"
provider = "Provider of Plain"
"#;

fn row(address: &str, tlp: &str) -> String {
    format!("{address},80,tcp,2026-11-22T01:02:03Z,open-rdp,{tlp}\n")
}

/// A user, its network, a conflict, one without a contact.
const NIGHT: [&str; 5] = ["192.0.2.1", "192.0.2.17", "192.0.2.33", "203.0.113.1", "2001:db8:1::1"];

fn work() -> Work {
    let work = Work::new();
    work.write("config.toml", CONFIG);
    let rows: String = NIGHT.iter().map(|address| row(address, "")).collect();
    work.write("tip-from-bob.csv", format!("{HEADER}{rows}"));
    work
}

fn publish(work: &Work, feed: &str, spool: &str, dump: &str) -> String {
    let done = work.dump(&format!("--config config.toml --feed {feed} --spool {spool} {dump}"));
    done["run"].as_str().unwrap().to_owned()
}

/// Every line of a spool, sent or held, of runs whose path has `part` in it.
fn lines(work: &Work, spool: &str, part: &str) -> Vec<Value> {
    let files = work.files(spool);
    let notices = files.iter().filter(|file| file.ends_with(".jsonl") && file.contains(part));
    notices.flat_map(|file| work.alerts(&format!("{spool}/{file}"))).collect()
}

fn reference(alert: &Value) -> &str {
    alert["extra.reference"].as_str().unwrap_or_else(|| panic!("{alert}"))
}

/// No word that names the source is anywhere in it.
#[track_caller]
fn assert_tells_nothing(text: &str, run: &str, feed: &str) {
    let text = text.to_lowercase();
    for word in [feed, "label of", "provider of", "bob", run, &run[run.len() - 16..]] {
        assert!(!text.contains(word), "{word}: {text}");
    }
}

#[test]
fn a_source_is_named_below_its_label_and_neither_there_nor_above() {
    let work = work();
    work.write("red.toml", "tlp = \"RED\"\npermission = \"by mail\"\n");
    let list = |tlps: &[&str]| {
        let row = |(at, tlp): (usize, &&str)| row(&format!("192.0.2.{}", 1 + at), tlp);
        format!("{HEADER}{}", tlps.iter().enumerate().map(row).collect::<String>())
    };
    work.write("list.csv", list(&["green", "amber", "amber+strict"]));
    let run = publish(&work, "whistler", "spool", "list.csv");
    let told = lines(&work, "spool", "school");
    let labels: Vec<_> = told.iter().map(|alert| alert["extra.tlp"].as_str().unwrap()).collect();
    assert_eq!(labels, ["GREEN", "AMBER", "AMBER+STRICT"]);
    for alert in &told[..2] {
        assert_eq!(alert["feed.name"], "Label of Whistler");
        assert_eq!(alert["feed.provider"], "Provider of Whistler");
        assert_eq!(alert["extra.run"], run);
        assert!(alert["extra.reference"].is_null(), "{alert}");
    }
    assert_tells_nothing(&told[2].to_string(), &run, "whistler");
    assert!(reference(&told[2]).len() == 40 && told[2]["extra.record"].is_null());

    // A report makes all of a list RED.
    work.write("list.csv", list(&["green", ""]));
    let run = publish(&work, "whistler", "spool-red", "--report red.toml list.csv");
    let told = lines(&work, "spool-red", "school");
    assert_eq!(told.len(), 2);
    for alert in told {
        assert_eq!(alert["extra.tlp"], "RED");
        assert_tells_nothing(&alert.to_string(), &run, "whistler");
    }
}

#[test]
fn equal_alerts_hide_what_the_strictest_of_them_hides() {
    let work = work();
    work.write(
        "list.csv",
        format!("{HEADER}{}{}", row("192.0.2.1", "green"), row("192.0.2.1", "amber+strict")),
    );
    let run = publish(&work, "whistler", "spool", "list.csv");
    let told = lines(&work, "spool", "school");
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["extra.tlp"], "AMBER+STRICT");
    assert_tells_nothing(&told[0].to_string(), &run, "whistler");
    // A conflict is held for its own sake, whatever the labels.
    let rows = ["green", "purple"].map(|tlp| row("192.0.2.33", tlp)).concat();
    work.write("list.csv", format!("{HEADER}{rows}"));
    let run = publish(&work, "whistler", "spool", "list.csv");
    for twin in lines(&work, "spool", "twin-") {
        assert_eq!(twin["extra.held.reason"], "conflict");
        assert_tells_nothing(&twin.to_string(), &run, "whistler");
    }
}

#[test]
fn a_label_that_nobody_can_read_hides_the_source_as_it_may_be_any() {
    let work = work();
    work.write("list.csv", format!("{HEADER}{}", row("192.0.2.1", "purple")));
    let run = publish(&work, "whistler", "spool", "list.csv");
    let held = lines(&work, "spool", "school");
    assert_eq!((held.len(), &held[0]["extra.held.reason"]), (1, &"tlp-unknown".into()));
    assert_tells_nothing(&held[0].to_string(), &run, "whistler");
}

#[test]
fn an_opaque_feed_names_itself_but_no_run_and_record() {
    let work = work();
    let run = publish(&work, "quiet", "spool", "tip-from-bob.csv");
    let all = lines(&work, "spool", "");
    assert_eq!(all.len(), 6);
    for alert in &all {
        assert_eq!(
            (&alert["feed.name"], &alert["feed.provider"]),
            (&"Label of Quiet".into(), &"Provider of Quiet".into())
        );
        assert!(alert["extra.run"].is_null() && alert["extra.record"].is_null(), "{alert}");
        assert!(!alert.to_string().contains(&run), "{alert}");
    }
    let references: BTreeSet<&str> = all.iter().map(reference).collect();
    assert_eq!(references.len(), all.len());
}

#[test]
fn no_notice_and_nothing_held_of_a_nameless_feed_tells_feed_provider_or_dump() {
    let work = work();
    let run = publish(&work, "nameless", "spool", "tip-from-bob.csv");
    let all = lines(&work, "spool", "");
    assert_eq!(all.len(), 6);
    for alert in &all {
        assert_tells_nothing(&alert.to_string(), &run, "nameless");
    }
    // The same alerts, but for what is protected: the books, the ids and all other keys are those of a plain feed.
    publish(&work, "plain", "plain", "tip-from-bob.csv");
    let plain = lines(&work, "plain", "");
    let protected =
        ["feed.name", "feed.provider", "extra.run", "extra.record", "extra.reference", "extra.alert_id"];
    let rest = |alert: &Value| {
        let mut alert = alert.as_object().unwrap().clone();
        protected.iter().for_each(|key| drop(alert.remove(*key)));
        alert
    };
    assert_eq!(all.iter().map(rest).collect::<Vec<_>>(), plain.iter().map(rest).collect::<Vec<_>>());
    // Who the source is stands in our manifest only, and in those that mailers read to find their notices.
    for (path, (mode, bytes)) in work.tree("spool") {
        let names = String::from_utf8_lossy(&bytes).contains("Label of Nameless");
        assert_eq!(names, path.ends_with("manifest.json"), "{path}");
        assert!(path != "reference.key" || (mode, bytes.len()) == (0o600, 32));
    }
}

#[test]
fn the_same_key_makes_the_same_notices_and_another_key_other_references() {
    let work = work();
    let run = publish(&work, "nameless", "one", "tip-from-bob.csv");
    std::fs::create_dir(work.path("two")).unwrap();
    std::fs::copy(work.path("one/reference.key"), work.path("two/reference.key")).unwrap();
    publish(&work, "nameless", "two", "--threads 1 --chunk-bytes 64 --io read tip-from-bob.csv");
    publish(&work, "nameless", "three", "tip-from-bob.csv");
    let (one, two, three) =
        (lines(&work, "one", &run), lines(&work, "two", &run), lines(&work, "three", &run));
    assert_eq!(one, two);
    for (alert, other) in one.iter().zip(&three) {
        assert_eq!(alert["extra.alert_id"], other["extra.alert_id"]);
        assert_ne!(reference(alert), reference(other));
    }
    let key = std::fs::read(work.path("two/reference.key")).unwrap();
    assert_eq!(key, std::fs::read(work.path("one/reference.key")).unwrap());
}

#[test]
fn publishers_at_once_make_one_key_and_a_crash_while_it_is_made_leaves_nothing() {
    let work = work();
    std::fs::create_dir_all(work.path("spool/tmp")).unwrap();
    work.write("spool/tmp/reference.1", "half");
    let feeds = ["f-1", "f-2", "f-3", "f-4"];
    let config: String = feeds.map(|feed| format!("[feeds.{feed}]\nopaque = true\n")).concat();
    work.write("many.toml", config);
    std::thread::scope(|scope| {
        for feed in feeds {
            let words = format!("--config many.toml --feed {feed} --spool spool tip-from-bob.csv");
            let work = &work;
            scope.spawn(move || work.matched(&words).check(0, &[]));
        }
    });
    let all = lines(&work, "spool", "");
    assert_eq!(all.len(), 6 * feeds.len());
    for alert in &all {
        let found = trace(&work, reference(alert));
        assert_eq!((found.len(), found[0]["record"].is_u64()), (1, true), "{found:?}");
    }
    assert_eq!(work.files("spool/tmp"), Vec::<String>::new());
}

fn trace(work: &Work, sought: &str) -> Vec<Value> {
    let done = work.run(&format!("spool trace --spool spool --json {sought}"));
    assert!(done.code < 2, "{}", done.err);
    alerts(&done.out)
}

#[test]
fn trace_and_explain_lead_from_a_reference_to_run_record_and_alert() {
    let work = work();
    let run = publish(&work, "nameless", "spool", "tip-from-bob.csv");
    let mut records = Vec::new();
    for alert in lines(&work, "spool", "") {
        let found = trace(&work, reference(&alert));
        assert_eq!(found.len(), 1);
        assert_eq!((&found[0]["run"], &found[0]["alert"]), (&run.as_str().into(), &alert));
        let record = found[0]["record"].as_u64().unwrap();
        assert_eq!(alert["source.ip"], NIGHT[record as usize - 1]);
        records.push(record);
        let text = work.run(&format!("spool trace --spool spool {}", reference(&alert)));
        assert!(text.out.contains(&format!("{run}, record {record}")), "{}", text.out);
        for sought in [reference(&alert), alert["extra.alert_id"].as_str().unwrap()] {
            let words = "--spool spool --register register.csv --dump tip-from-bob.csv --json";
            let done = work.run(&format!("explain {words} {sought}"));
            done.check(0, &[]);
            let steps: Value = serde_json::from_str(&done.out).unwrap();
            assert_eq!(
                (&steps["reproduced"], &steps["record"], &steps["alert_id"], &steps["run"]["run"]),
                (&true.into(), &record.into(), &alert["extra.alert_id"], &run.as_str().into()),
                "{steps}"
            );
        }
    }
    records.sort_unstable();
    assert_eq!(records, [1, 2, 3, 3, 4, 5]);
    let unknown = "0".repeat(40);
    work.run(&format!("spool trace --spool spool {unknown}")).check(1, &[]);
    work.run(&format!("explain --spool spool --register register.csv {unknown}"))
        .check(1, &["this id or reference"]);
}

#[test]
fn without_its_key_an_alert_is_still_found_and_what_is_missing_is_said() {
    let work = work();
    publish(&work, "nameless", "spool", "tip-from-bob.csv");
    let told = lines(&work, "spool", "school");
    std::fs::write(work.path("spool/reference.key"), [7; 32]).unwrap();
    let found = trace(&work, reference(&told[0]));
    assert_eq!((found.len(), &found[0]["record"]), (1, &Value::Null));
    let words = "explain --spool spool --register register.csv --dump tip-from-bob.csv";
    let done = work.run(&format!("{words} {}", reference(&told[0])));
    assert_eq!(done.code, 0, "{}", done.err);
    assert!(done.out.contains("lacks      the record: the key of the spool"), "{}", done.out);
    std::fs::write(work.path("spool/reference.key"), "short").unwrap();
    work.run(&format!("{words} {}", reference(&told[0]))).check(65, &["reference.key", "no key of 32 bytes"]);
    let done = work.matched("--config config.toml --feed quiet --spool spool tip-from-bob.csv");
    done.check(65, &["reference.key"]);
    assert!(!work.files("spool/new").iter().any(|file| file.starts_with("quiet")));
}

#[test]
fn a_reference_leads_back_when_its_notices_are_gone() {
    let work = work();
    work.write("list.csv", format!("{HEADER}{}{}", row("192.0.2.1", ""), row("192.0.2.17", "")));
    let run = publish(&work, "nameless", "spool", "list.csv");
    let told = lines(&work, "spool", "isp");
    std::fs::create_dir(work.path(&format!("spool/cur/{run}.ncsc"))).unwrap();
    work.run(&format!("spool done --spool spool {run}.ncsc")).check(0, &[]);
    work.run("spool prune --older-than 0 --spool spool").check(0, &["1 runs retired"]);
    let found = trace(&work, reference(&told[0]));
    assert_eq!(found.len(), 1);
    assert_eq!(
        (&found[0]["state"], &found[0]["run"], &found[0]["owner_id"], &found[0]["record"]),
        (&"retired".into(), &run.as_str().into(), &"isp".into(), &2.into())
    );
    work.run("spool verify --spool spool").check(0, &[]);
    assert!(work.path("spool/reference.key").is_file());
}

#[test]
fn a_held_alert_of_a_nameless_feed_is_shown_released_and_traced() {
    let work = work();
    let run = publish(&work, "nameless", "spool", "tip-from-bob.csv");
    let shown = work.run("held show --spool spool --json --owner twin-a");
    let shown: Value = serde_json::from_str(shown.out.trim_end()).unwrap();
    assert_eq!((&shown["record"], &shown["run"]), (&3.into(), &run.as_str().into()));
    let text = work.run("held show --spool spool --owner twin-a");
    assert!(text.out.contains(&format!("  run      {run}, record 3\n")), "{}", text.out);
    let release = |words: &str| {
        work.run(&format!(
            "held release {words} --because called --by analyst --spool spool --register register.csv --run-time {RUN_TIME}"
        ))
        .check(0, &[]);
    };
    // To its claimant, and to somebody that a person names.
    release(&format!("{} --to twin-b", shown["alert_id"].as_str().unwrap()));
    release("--owner silent --to isp");
    for (owner, held_under, record, decision) in [("twin-b", "twin-b", 3, 1), ("isp", "silent", 4, 2)] {
        let decided = format!("{run}+held-{decision}");
        let released = lines(&work, "spool", &format!("{decided}/"));
        assert_eq!((released.len(), &released[0]["extra.owner.id"]), (1, &owner.into()));
        assert_tells_nothing(&released[0].to_string(), &run, "nameless");
        let found = trace(&work, reference(&released[0]));
        let states: Vec<_> = found
            .iter()
            .map(|one| (one["state"].as_str().unwrap(), one["owner_id"].as_str().unwrap()))
            .collect();
        assert_eq!(BTreeSet::from_iter(states), BTreeSet::from([("new", owner), ("released", held_under)]));
        for sought in [reference(&released[0]), released[0]["extra.alert_id"].as_str().unwrap()] {
            let words = "--spool spool --register register.csv --dump tip-from-bob.csv --json";
            let done = work.run(&format!("explain {words} {sought}"));
            done.check(0, &[]);
            let steps: Value = serde_json::from_str(&done.out).unwrap();
            assert_eq!(
                (&steps["record"], &steps["run"]["run"]),
                (&record.into(), &run.as_str().into()),
                "{steps}"
            );
        }
    }
    let mut waiting = trace(&work, "192.0.2.33");
    waiting.retain(|one| one["state"] == "held");
    assert_eq!(waiting, Vec::<Value>::new());
    work.run("spool verify --spool spool").check(0, &[]);
}

#[test]
fn forgetting_and_reporting_work_as_for_any_feed() {
    let work = work();
    publish(&work, "nameless", "spool", "tip-from-bob.csv");
    let report = work.run("report --spool spool --since 2020-01-01 --json");
    let report: Value = serde_json::from_str(&report.out).unwrap();
    assert_eq!((&report["total"]["alerts"], &report["total"]["held"]), (&3.into(), &3.into()));
    let gone = lines(&work, "spool", "isp").remove(0);
    work.run("spool forget --spool spool --address 192.0.2.17 --because asked").check(0, &[]);
    assert_eq!(trace(&work, reference(&gone)), Vec::<Value>::new());
    work.run("spool forget --spool spool --owner school --because asked").check(0, &[]);
    assert_eq!(lines(&work, "spool", "/new").len() + lines(&work, "spool", "new/").len(), 0);
    work.run("spool verify --spool spool").check(0, &[]);
}

#[test]
fn an_output_refers_by_the_key_of_a_configured_spool_and_else_by_nothing() {
    let work = work();
    let output = |words: &str| {
        let done = work.matched(&format!("--config config.toml --output - {words} tip-from-bob.csv"));
        done.check(0, &[]);
        (alerts(&done.out), done.out)
    };
    let (none, text) = output("--feed nameless");
    assert_eq!(none.len(), 3);
    assert!(none.iter().all(|alert| alert["extra.reference"].is_null()));
    assert!(
        !text.contains("nameless") && !text.contains("extra.run") && !text.contains("extra.record"),
        "{text}"
    );
    work.write("config.toml", format!("{CONFIG}\n[spool]\npath = \"spool\"\n"));
    assert_eq!(output("--feed nameless").1, text, "there is no spool yet, and none is made");
    assert!(!work.path("spool").exists());
    publish(&work, "nameless", "spool", "tip-from-bob.csv");
    let (some, _) = output("--feed nameless");
    let told: BTreeSet<String> =
        lines(&work, "spool", "new/").iter().map(|alert| alert.to_string()).collect();
    assert_eq!(some.iter().map(|alert| alert.to_string()).collect::<BTreeSet<_>>(), told);
    // A feed that asks for nothing needs no key, and gets none.
    publish(&work, "plain", "other", "tip-from-bob.csv");
    assert!(!work.path("other/reference.key").exists());
}

#[test]
fn what_is_protected_stands_in_the_manifest() {
    let work = work();
    let run = publish(&work, "nameless", "spool", "tip-from-bob.csv");
    let manifest = std::fs::read(work.path(&format!("spool/new/{run}/manifest.json"))).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    assert_eq!(
        (&manifest["options"]["hide_source_from"], &manifest["options"]["opaque"]),
        (&"CLEAR".into(), &true.into())
    );
    let run = publish(&work, "plain", "spool", "tip-from-bob.csv");
    let manifest = std::fs::read_to_string(work.path(&format!("spool/new/{run}/manifest.json"))).unwrap();
    assert!(!manifest.contains("opaque") && !manifest.contains("hide_source_from"), "{manifest}");
}

#[test]
fn a_label_that_is_none_is_an_error_with_its_place() {
    let work = work();
    work.write("wrong.toml", "[feeds.a]\nhide_source_from = \"STRICT\"\n");
    let said = "wrong.toml:2:20: [feeds.a]: hide_source_from is CLEAR, GREEN, AMBER, AMBER+STRICT or RED, not \"STRICT\"";
    work.run("check-config --config wrong.toml").check(78, &[said]);
}
