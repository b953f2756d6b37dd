//! The summary: its keys, its sums, and where rejected records are.

use crate::work::{COUNTS, COUNTS_BY, Work, count, gzip, read_summary};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

#[test]
fn the_summary_has_the_keys_that_are_agreed() {
    let work = Work::new();
    work.write("dump.csv", "ip,port\n192.0.2.1,80\n192.0.2,1\n");
    let done = work.matched("--identifier open-rdp --dry-run --json dump.csv missing.csv dump.csv");
    done.check(66, &["missing.csv"]);
    let summary = read_summary(&done.out);
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(keys(&summary), ["dumps", "total"].map(str::to_owned).into());
    let words = ["dump", "feed", "format", "run", "state", "error", "rejected_first"];
    let agreed: BTreeSet<String> =
        words.iter().chain(&COUNTS).chain(&COUNTS_BY).map(|key| (*key).to_owned()).collect();
    for dump in summary["dumps"].as_array().unwrap() {
        assert_eq!(keys(dump), agreed);
        for key in COUNTS {
            assert!(dump[key].is_u64() || key == "seconds" && dump[key].is_f64(), "{key}: {}", dump[key]);
        }
    }
}

#[test]
fn the_total_adds_and_counts_an_owner_once() {
    let work = Work::new();
    work.write("one.csv", "ip,port\n192.0.2.1,80\n192.0.2.1,80\n198.51.100.1,80\n192.0.2,1\n10.0.0.1,1\n");
    work.write("two.csv", "ip,port\n192.0.2.2,80\n192.0.2.33,80\n2001:db8:2::1,80\n");
    work.write("three.zmap", "saddr,success\n192.0.2.2,0\n192.0.2.1,1\n192.0.0.9,1\n");
    let summary = work.summary("--identifier open-rdp --spool spool one.csv two.csv three.zmap");
    let (dumps, total) = (summary["dumps"].as_array().unwrap(), &summary["total"]);
    let names: Vec<_> = dumps.iter().map(|dump| dump["dump"].as_str().unwrap()).collect();
    assert_eq!(names, ["one.csv", "two.csv", "three.zmap"]);
    for key in COUNTS.into_iter().filter(|key| !["owners", "seconds"].contains(key)) {
        assert_eq!(dumps.iter().map(|dump| count(dump, key)).sum::<u64>(), count(total, key), "{key}");
    }
    for key in COUNTS_BY {
        let mut sums = BTreeMap::<String, u64>::new();
        for (reason, count) in dumps.iter().flat_map(|dump| dump[key].as_object().unwrap()) {
            *sums.entry(reason.clone()).or_default() += count.as_u64().unwrap();
        }
        assert_eq!(total[key], serde_json::to_value(sums).unwrap(), "{key}");
    }
    // school and hosting; school and isp; school.
    let owners: Vec<u64> = dumps.iter().map(|dump| count(dump, "owners")).collect();
    assert_eq!((owners, count(total, "owners")), (vec![2, 2, 1], 3));
    assert_eq!((count(total, "unmatched"), count(total, "unmatched_special")), (2, 1));
    assert_eq!((count(total, "skipped"), count(total, "duplicates")), (1, 1));
}

/// A dump of all kinds of bad rows, and where each of them is.
fn bad_rows() -> (String, Vec<(u64, u64, &'static str)>) {
    let kinds = [
        ("192.0.2.1,80,2026-11-22,x\n", ""),
        ("010.0.0.1,80,,x\n", "address"),
        ("192.0.2.1/24,80,,\n", "prefix"),
        ("192.0.2.1,80\n", "columns"),
        ("192.0.2.1,80,,x,y\n", "columns"),
        ("192.0.2.1,65536,,\n", "port"),
        ("192.0.2.1,80,22-11-2026,\n", "time"),
        (",80,,\n", "no-key"),
        ("192.0.2.1,80,,a\0b\n", "encoding"),
        ("10.0.0.1,x,y\n", ""), // judged no further than its address
        ("\"192.0.2.1\",80,,\"two\nlines\"\r\n", ""),
    ];
    let mut random = fastrand::Rng::with_seed(4);
    let (mut text, mut rejects, mut record) = ("ip,port,time,note\n".to_owned(), Vec::new(), 0);
    for _ in 0..300 {
        if random.u8(..6) == 0 {
            text.push_str(["\n", "\r\n", "# 192.0.2.1,x\n"][random.usize(..3)]);
        }
        let (row, reason) = kinds[random.usize(..kinds.len())];
        record += 1;
        if !reason.is_empty() {
            rejects.push((record, text.len() as u64, reason));
        }
        text.push_str(row);
    }
    (text, rejects)
}

fn place(reject: &Value) -> (u64, u64, &str) {
    (count(reject, "record"), count(reject, "offset"), reject["reason"].as_str().unwrap())
}

#[test]
fn every_rejected_record_is_told_with_its_number_offset_and_reason() {
    let work = Work::new();
    let (text, rejects) = bad_rows();
    work.write("dump.csv", &text);
    work.write("dump.csv.gz", gzip(text.as_bytes()));
    for way in ["dump.csv", "dump.csv.gz", "--chunk-bytes 1 dump.csv", "--chunk-bytes 64 dump.csv.gz"] {
        let dump = work.dump(&format!("--identifier x --dry-run --rejects rejects.jsonl {way}"));
        let first: Vec<_> = dump["rejected_first"].as_array().unwrap().iter().map(place).collect();
        assert_eq!(first, rejects[..first.len()], "{way}");
        assert_eq!(first.len(), 16.min(rejects.len()), "{way}");
        assert_eq!((count(&dump, "records"), count(&dump, "rejected")), (300, rejects.len() as u64));
        let mut by = BTreeMap::<&str, u64>::new();
        rejects.iter().for_each(|(.., reason)| *by.entry(reason).or_default() += 1);
        assert_eq!(dump["rejected_by"], serde_json::to_value(by).unwrap());
        let lines = work.alerts("rejects.jsonl");
        assert_eq!(lines.iter().map(place).collect::<Vec<_>>(), rejects, "{way}");
    }
}

#[test]
fn a_rejected_record_is_written_out_escaped() {
    let work = Work::new();
    work.write("dump.csv", "ip,note\n192.0.2,\u{1b}[2J\u{202e}\n");
    work.dump("--identifier x --dry-run --rejects rejects.jsonl dump.csv");
    let text = std::fs::read_to_string(work.path("rejects.jsonl")).unwrap();
    assert!(text.contains("192.0.2,") && !text.contains('\u{1b}') && !text.contains('\u{202e}'), "{text}");
}

#[test]
fn a_lost_quote_costs_one_row_and_an_open_one_none_but_its_own() {
    let work = Work::new();
    work.write("config.toml", "[limits]\nrecord_bytes_max = 60\n");
    let text = "ip,port,note\n192.0.2.1,1,\"lost\n192.0.2.2,2,\n192.0.2.3,3,\n192.0.2.4,4,\n192.0.2.5,5,\"open\n192.0.2.6,6,";
    work.write("dump.csv", text);
    for way in [
        "",
        "--chunk-bytes 1",
        "--io read --chunk-bytes 1",
        "--io mmap-once --chunk-bytes 1",
        "--io read --chunk-bytes 5",
    ] {
        let dump = work.dump(&format!("--config config.toml --identifier x --dry-run {way} dump.csv"));
        let first: Vec<_> = dump["rejected_first"].as_array().unwrap().iter().map(place).collect();
        let offset = |of: &str| text.find(of).unwrap() as u64;
        let expected = [(1, offset("192.0.2.1"), "too-long"), (5, offset("192.0.2.5"), "quoting")];
        assert_eq!(first, expected, "{way}");
        assert_eq!((count(&dump, "records"), count(&dump, "matched")), (6, 4), "{way}");
    }
}

#[test]
fn a_failed_dump_is_in_the_summary_with_its_error_and_does_not_stop_the_next() {
    let work = Work::new();
    work.write("one.csv", "ip\n192.0.2.1\n");
    work.write("cut.csv.gz", &gzip(&b"ip\n192.0.2.1\n".repeat(1000))[..50]);
    work.write("two.csv", "ip\n192.0.2.2\n");
    let done = work.matched("--identifier x --spool spool --json one.csv missing.csv cut.csv.gz two.csv");
    done.check(66, &["missing.csv: there is no such file", "cut.csv.gz: gzip data is"]);
    let summary = read_summary(&done.out);
    let states: Vec<_> = summary["dumps"].as_array().unwrap().iter().map(|dump| &dump["state"]).collect();
    assert_eq!(states, ["published", "failed", "failed", "published"]);
    assert!(summary["dumps"][0]["error"].is_null());
    assert!(summary["dumps"][2]["error"].as_str().unwrap().contains("cut.csv.gz"));
    assert_eq!(work.files("spool/new").iter().filter(|file| file.ends_with("school.jsonl")).count(), 2);
    assert!(work.files("spool/tmp").is_empty());
    work.matched("--identifier x --spool spool cut.csv.gz missing.csv").check(65, &[]);
}

#[test]
fn the_text_says_what_the_summary_says() {
    let work = Work::new();
    work.write("dump.csv", "ip,port\n192.0.2.1,80\n192.0.2.33,80\n192.0.2,1\n10.0.0.1,1\n");
    let done = work.matched("--identifier x --spool spool dump.csv missing.csv");
    assert_eq!(done.code, 66);
    let has = |text: &str| assert!(done.out.contains(text), "{text}\n{}", done.out);
    has("dump.csv: published (feed csv, csv)");
    has("records      4");
    has("unmatched  1 (1 special-purpose)");
    has("rejected   1 (address 1)");
    has("rejected     record 3 at byte 35: address");
    has("alerts     1 for 1 owners");
    has("held       2 (conflict 2)");
    has("missing.csv: failed");
    has("total: 2 dumps (1 failed, 1 published)");
    has("notices in   spool/new/csv-");
}
