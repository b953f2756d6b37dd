//! A label is never loosened, whoever says it: all labels of record × feed × report × `notice_tlp`, through the real command.
//!
//! Each run has one feed, one report and one floor of notices, and records of every label for a user and for the owner of a network. What its
//! lines bear is compared with each of the four, and who was told at a label with who was told at every less strict one.
#![allow(clippy::unwrap_used)] // what a test sets up must be there

#[path = "match_dumps/work.rs"]
#[allow(dead_code, reason = "each test uses its own part of it")]
mod work;

use dijkwacht::policy::Tlp;
use serde_json::Value;
use std::collections::BTreeMap;
use work::Work;

/// No label, and all labels.
const LABELS: [Option<Tlp>; 6] =
    [None, Some(Tlp::Clear), Some(Tlp::Green), Some(Tlp::Amber), Some(Tlp::AmberStrict), Some(Tlp::Red)];

/// Nobody's, the feed's, the report's.
const PERMISSIONS: [(&str, &str); 3] =
    [("", ""), ("permission = \"agreement\"\n", ""), ("", "permission = \"mail\"\n")];

/// Of the register: a user's address, a network's.
const ADDRESSES: [&str; 2] = ["192.0.2.1", "192.0.2.200"];

/// What a line was made from: permission, address, and the labels of record, feed and report.
type Asked = (usize, usize, [Option<Tlp>; 3]);

fn setting(key: &str, label: Option<Tlp>) -> String {
    label.map_or_else(String::new, |label| format!("{key} = \"{label}\"\n"))
}

/// A record for each label and address; the port is its number.
fn dump() -> String {
    let mut text = "ip,port,tlp\n".to_owned();
    for (number, label) in (0..).zip(LABELS) {
        for (at, address) in (0..).zip(ADDRESSES) {
            let label = label.map_or_else(String::new, |label| label.to_string());
            text += &format!("{address},{},{label}\n", 1 + 2 * number + at);
        }
    }
    text
}

/// Every line of a run, alerts and held ones.
fn lines(work: &Work) -> Vec<Value> {
    let tree = work.tree("spool");
    let files = tree.iter().filter(|(path, _)| path.ends_with(".jsonl"));
    let lines = files.flat_map(|(_, (_, bytes))| work::alerts(std::str::from_utf8(bytes).unwrap()));
    lines.collect()
}

/// Whether one is as strict as the other, or less strict, label by label; no label compares with no label only.
fn is_no_stricter(one: [Option<Tlp>; 3], other: [Option<Tlp>; 3]) -> bool {
    one.into_iter().zip(other).all(|pair| match pair {
        (Some(one), Some(other)) => one <= other,
        (one, other) => one == other,
    })
}

#[test]
fn no_label_is_ever_loosened_and_less_strict_ones_are_told_to_no_fewer() {
    let mut told: BTreeMap<Asked, bool> = BTreeMap::new();
    for (feed_at, of_feed) in LABELS.into_iter().enumerate() {
        for (report_at, of_report) in LABELS.into_iter().enumerate() {
            for (floor_at, floor) in LABELS.into_iter().enumerate() {
                // Each pair of feed and report meets every permission, with two floors.
                let permission = (feed_at + report_at + floor_at) % PERMISSIONS.len();
                let (by_feed, by_report) = PERMISSIONS[permission];
                let work = Work::new();
                let feed = setting("tlp", of_feed) + &setting("notice_tlp", floor) + by_feed;
                work.write("config.toml", format!("[feeds.csv]\nidentifier = \"x\"\n{feed}"));
                work.write("dump.csv.toml", setting("tlp", of_report) + by_report);
                work.write("dump.csv", dump());
                let summary = work.dump("--config config.toml --spool spool dump.csv");
                let lines = lines(&work);
                assert_eq!(lines.len(), LABELS.len() * ADDRESSES.len(), "{summary}");
                for line in lines {
                    let number = line["source.port"].as_u64().unwrap() as usize - 1;
                    let (of_record, at) = (LABELS[number / 2], number % 2);
                    let bears = Tlp::read(line["extra.tlp"].as_str().unwrap()).unwrap();
                    let said = [of_record, of_feed, of_report, floor];
                    assert!(said.iter().flatten().all(|label| bears >= *label), "{said:?}: {line}");
                    let none = said[..3].iter().all(Option::is_none);
                    assert!(bears >= Tlp::Amber || !none, "no label is AMBER: {line}");
                    // The strictest, and no more than that.
                    let amber = none.then_some(Tlp::Amber);
                    assert_eq!(Some(bears), said.into_iter().chain([amber]).max().unwrap(), "{said:?}");
                    let tlp1 = Tlp::read(line["tlp"].as_str().unwrap()).unwrap();
                    assert!(tlp1 >= bears, "{line}");
                    let is_told = line["extra.held.reason"].is_null();
                    let asked = (permission, at, [of_record, of_feed, of_report]);
                    // The floor of notices makes nobody told or held.
                    assert_eq!(*told.entry(asked).or_insert(is_told), is_told, "{asked:?}, {floor:?}");
                }
            }
        }
    }
    assert_eq!(told.len(), PERMISSIONS.len() * ADDRESSES.len() * LABELS.len().pow(3));
    let mut compared = 0;
    for (&(permission, at, strict), _) in told.iter().filter(|(_, is_told)| **is_told) {
        let same = told.iter().filter(|((one, other, _), _)| (*one, *other) == (permission, at));
        for ((.., looser), is_told) in same.filter(|((.., looser), _)| is_no_stricter(*looser, strict)) {
            assert!(is_told, "told at {strict:?}, not at {looser:?}");
            compared += 1;
        }
    }
    assert!(compared > 1_000, "{compared}");
    // A report's permission lets a user hear all; a network never hears what is stricter than AMBER.
    for (&(permission, at, labels), &is_told) in &told {
        let strictest = labels.into_iter().flatten().max().unwrap_or(Tlp::Amber);
        let by_permission = [Tlp::Amber, Tlp::AmberStrict, Tlp::Red][permission];
        let most = if at == 0 { by_permission } else { Tlp::Amber };
        assert_eq!(is_told, strictest <= most, "{permission} {at} {labels:?}");
    }
}
