//! Who is told what, and what waits for a person.

use crate::work::Work;
use serde_json::Value;

const HEADER: &str = "ip,port,protocol,timestamp,identifier,cve,tag\n";

/// Publishes rows; returns what is told, each file as `sender/owner: record reason …`.
fn told(rows: &str, words: &str) -> (Work, Vec<String>) {
    let work = Work::new();
    work.write("dump.csv", format!("{HEADER}{rows}"));
    let dump = work.dump(&format!("--feed night --spool spool {words} dump.csv"));
    let run = dump["run"].as_str().unwrap();
    let mut told = Vec::new();
    for part in ["new", "held"] {
        let directory = format!("spool/{part}/{run}");
        for file in work.files(&directory).iter().filter(|file| file.ends_with(".jsonl")) {
            let alerts = work.alerts(&format!("{directory}/{file}"));
            told.push(format!("{} {}:{}", part, file.trim_end_matches(".jsonl"), words_of(&alerts)));
        }
    }
    (work, told)
}

fn words_of(alerts: &[Value]) -> String {
    let word = |alert: &Value| match alert["extra.held.reason"].as_str() {
        Some(reason) => format!(" {} {reason}", alert["extra.record"]),
        None => format!(" {}", alert["extra.record"]),
    };
    alerts.iter().map(word).collect()
}

fn check(rows: &str, words: &str, expected: &[&str]) {
    assert_eq!(told(rows, words).1, expected, "{rows}");
}

/// A row at a time at which nothing is odd.
fn row(address: &str) -> String {
    format!("{address},80,tcp,2026-11-22T01:02:03Z,open-rdp,,\n")
}

#[test]
fn the_user_is_told_else_the_owner_of_the_network() {
    check(&row("192.0.2.1"), "", &["new ncsc/school: 1"]);
    check(&row("192.0.2.16"), "", &["new ncsc/isp: 1"]);
    check(&row("2001:db8:1::1"), "", &["new ncsc/school: 1"]);
    check(&row("2001:db8:2::1"), "", &["new ncsc/isp: 1"]);
    check(&row("::ffff:192.0.2.1"), "", &["new ncsc/school: 1"]);
    check(&row("192.0.2.81"), "", &["new ncsc/isp: 1"]); // the user has no contact
    check(&row("198.51.100.64"), "", &["new ncsc/hospital: 1"]);
    check(&row("198.51.100.63"), "", &["new ncsc/hosting: 1"]);
    check(&row("198.51.100.120"), "", &["new ncsc/clinic: 1"]);
    check(&row("198.51.100.121"), "", &["new ncsc/hosting: 1"]);
    check(&row("192.0.2.65"), "", &["new ncsc/new: 1"]);
}

#[test]
fn equal_and_crossing_claims_are_held_with_a_line_for_each_claimant() {
    let both = ["held ncsc/twin-a: 1 conflict", "held ncsc/twin-b: 1 conflict"];
    check(&row("192.0.2.32"), "", &both);
    check(&row("192.0.2.39"), "", &both);
    check(&row("192.0.2.40"), "", &["new ncsc/isp: 1"]);
    let crossing = ["held ncsc/clinic: 1 conflict", "held ncsc/hospital: 1 conflict"];
    check(&row("198.51.100.90"), "", &crossing);
    check(&row("198.51.100.99"), "", &crossing);
    check(&row("198.51.100.100"), "", &["new ncsc/clinic: 1"]);
}

#[test]
fn who_registered_between_finding_and_run_is_held_as_moved() {
    let at = |day: &str| format!("192.0.2.65,80,tcp,{day},open-rdp,,\n");
    let moved = ["held ncsc/new: 1 moved", "held ncsc/old: 1 moved"];
    check(&at("2026-11-15T23:59:59Z"), "", &moved);
    check(&at("2026-11-16T00:00:00Z"), "", &["new ncsc/new: 1"]);
    check(&at("2026-11-15"), "--run-time 2026-11-15", &["new ncsc/old: 1"]);
    check(&at("2026-11-15"), "--run-time 2026-11-16", &moved);
}

#[test]
fn the_first_reason_that_applies_holds() {
    check(&row("203.0.113.1"), "", &["held ncsc/silent: 1 no-contact"]);
    let row = |time: &str, identifier: &str| format!("203.0.113.1,80,tcp,{time},{identifier},,\n");
    check(&row("2026-11-23T12:00:00Z", "x"), "", &["held ncsc/silent: 1 no-contact"]);
    check(&row("2026-11-23T12:00:01Z", "x"), "", &["held ncsc/silent: 1 future"]);
    check(&row("2026-11-23T12:00:01Z", ""), "", &["held ncsc/silent: 1 no-finding"]);
    check(&row("2026-11-08T12:00:00Z", "x"), "", &["held ncsc/silent: 1 no-contact"]);
    check(&row("2026-11-08T11:59:59.999999999Z", "x"), "", &["held ncsc/silent: 1 too-old"]);
    check(&row("2026-11-08T11:59:59Z", ""), "", &["held ncsc/silent: 1 no-finding"]);
    let future = "192.0.2.33,80,tcp,2027-01-01,open-rdp,,\n";
    check(future, "", &["held ncsc/twin-a: 1 future"]); // one line, under the first claimant
}

#[test]
fn a_type_that_the_schema_does_not_know_is_held() {
    let work = Work::new();
    work.write("2026-11-22-scan_new_thing-nl.csv", "timestamp,ip,port\n2026-11-22 01:02:03,192.0.2.1,80\n");
    let dump = work.dump("--spool spool 2026-11-22-scan_new_thing-nl.csv");
    assert_eq!((&dump["feed"], &dump["format"]), (&"scan_new_thing".into(), &"shadowserver".into()));
    assert_eq!(dump["held_by"], serde_json::json!({ "unknown-type": 1 }));
    work.write("2026-11-22-scan_rdp-nl.csv", "timestamp,ip,port\n2026-11-22 01:02:03,192.0.2.1,80\n");
    let dump = work.dump("--spool spool 2026-11-22-scan_rdp-nl.csv");
    assert_eq!((&dump["alerts"], &dump["held"]), (&1.into(), &0.into()));
}

#[test]
fn without_a_word_for_what_is_wrong_matches_are_held_and_the_remedy_is_told() {
    let work = Work::new();
    work.write("list", "192.0.2.1\n192.0.2.17:80\n");
    let done = work.matched("--dry-run --json list");
    done.check(0, &["--identifier NAME"]);
    assert_eq!(done.summary()["dumps"][0]["held_by"], serde_json::json!({ "no-finding": 2 }));
    assert_eq!(work.dump("--identifier open-rdp --dry-run list")["alerts"], 2);
    work.write("config.toml", "[feeds.list]\nfinding = true\n");
    let dump = work.dump("--config config.toml --output out list");
    assert_eq!(dump["alerts"], 2);
    assert_eq!(work.alerts("out")[0]["classification.identifier"], "open");
}

#[test]
fn a_prefix_that_others_lie_in_is_held_with_a_line_for_each() {
    let expected = [
        "held ncsc/isp: 1 prefix",
        "held ncsc/mute: 1 prefix",
        "held ncsc/new: 1 prefix",
        "held ncsc/school: 1 prefix",
        "held ncsc/twin-a: 1 prefix",
        "held ncsc/twin-b: 1 prefix",
    ];
    check(&row("192.0.2.0/24"), "", &expected);
    check(&row("192.0.2.0/28"), "", &["new ncsc/school: 1"]);
    check(&row("192.0.2.128/25"), "", &["new ncsc/isp: 1"]);
    check(&row("192.0.2.1/32"), "", &["new ncsc/school: 1"]);
    check(&row("192.0.0.0/22"), "", &[]); // nobody holds all of it
    let (work, _) = told(&row("192.0.2.128/25"), "");
    work.dump("--output out dump.csv");
    let alert = &work.alerts("out")[0];
    assert_eq!((&alert["source.ip"], &alert["source.network"]), (&Value::Null, &"192.0.2.128/25".into()));
}

#[test]
fn equal_alerts_are_one_line_with_everything_that_they_say() {
    let rows = "\
192.0.2.1,443,tcp,2026-11-22T01:02:03Z,open-rdp,CVE-2026-0001;CVE-2026-0002,a;b
192.0.2.2,443,tcp,2026-11-22T01:02:03Z,open-rdp,,
::ffff:192.0.2.1,443,TCP,2026-11-22 02:02:03+01:00,OPEN-RDP,cve-2026-0002;CVE-2026-0003,c;a
192.0.2.1,443,tcp,2026-11-22T01:02:03.000Z,open-rdp,,
192.0.2.1,443,tcp,2026-11-22T01:02:03.001Z,open-rdp,CVE-2026-0009,
192.0.2.1,444,tcp,2026-11-22T01:02:03Z,open-rdp,,
192.0.2.33,80,tcp,,open-rdp,CVE-2026-0004,x
192.0.2.33,80,tcp,,open-rdp,CVE-2026-0005,y
192.0.2.33,80,tcp,,open-rdp,,
";
    for way in ["", "--chunk-bytes 1", "--io read --chunk-bytes 16", "--io mmap-once --chunk-bytes 16"] {
        let work = Work::new();
        work.write("dump.csv", format!("{HEADER}{rows}"));
        let dump = work.dump(&format!("--feed night --spool spool {way} dump.csv"));
        let run = dump["run"].as_str().unwrap();
        let counts = ["decisions", "alerts", "duplicates", "held"].map(|key| dump[key].as_u64().unwrap());
        assert_eq!(counts, [12, 4, 6, 2], "{way}");
        let alerts = work.alerts(&format!("spool/new/{run}/ncsc/school.jsonl"));
        let records: Vec<_> = alerts.iter().map(|alert| alert["extra.record"].as_u64().unwrap()).collect();
        assert_eq!(records, [1, 2, 5, 6], "{way}");
        let united = &alerts[0];
        assert_eq!(united["product.vulnerabilities"], "cve-2026-0001;cve-2026-0002;cve-2026-0003");
        assert_eq!(united["extra.tag"], "a;b;c");
        assert_eq!(alerts[2]["product.vulnerabilities"], "cve-2026-0009");
        for twin in ["twin-a", "twin-b"] {
            let held = work.alerts(&format!("spool/held/{run}/ncsc/{twin}.jsonl"));
            assert_eq!(held.len(), 1);
            assert_eq!(held[0]["extra.record"], 7);
            assert_eq!(held[0]["product.vulnerabilities"], "cve-2026-0004;cve-2026-0005");
            assert_eq!(held[0]["extra.tag"], "x;y");
        }
    }
}

#[test]
fn ids_are_those_of_the_design() {
    let work = Work::new();
    work.write("register.csv", "owner_id,network,contact\nschool,192.0.2.0/24,a@school.example\n");
    work.write("dump.csv", format!("{HEADER}{}", row("192.0.2.1").replace(",80,", ",443,")));
    work.dump("--feed shadowserver --run-time 2026-11-22T12:00:00Z --output out dump.csv");
    let alert = &work.alerts("out")[0];
    assert_eq!(alert["extra.finding_id"], "1e87da1b-b92a-52e9-bcda-70e18c2d0fdd");
    assert_eq!(alert["extra.alert_id"], "c700e898-9de4-5524-8ee1-1e07ebd34fde");
}

#[test]
fn the_sender_follows_from_the_constituency_and_the_day_of_the_run() {
    let rows = [row("192.0.2.1"), row("192.0.2.16"), row("198.51.100.1"), row("203.0.113.1")].concat();
    let rows = rows.replace("2026-11-22", "2025-12-22");
    let after =
        ["new ncsc/hosting: 3", "new ncsc/isp: 2", "new ncsc/school: 1", "held ncsc/silent: 4 no-contact"];
    check(&rows, "--run-time 2026-01-01T00:00:00Z", &after);
    let before =
        ["new csirt-dsp/hosting: 3", "new dtc/isp: 2", "new ncsc/school: 1", "held dtc/silent: 4 no-contact"];
    check(&rows, "--run-time 2025-12-31T23:59:59Z", &before);
}

#[test]
fn the_configuration_names_senders() {
    let work = Work::new();
    work.write(
        "config.toml",
        "[[senders]]\nfrom = 2026-11-22\n\"*\" = \"cert-nl\"\nvital = \"cert-vital\"\n",
    );
    work.write("dump.csv", format!("{HEADER}{}{}", row("192.0.2.1"), row("192.0.2.16")));
    let owners = |run_time: &str| {
        work.dump(&format!("--config config.toml --run-time {run_time} --output out dump.csv"));
        let alerts = work.alerts("out");
        alerts.iter().map(|alert| alert["extra.sender"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(owners("2026-11-22"), ["cert-nl", "cert-vital"]);
    assert_eq!(owners("2026-11-21T23:59:59Z"), ["ncsc", "ncsc"]);
}

#[test]
fn observed_stands_for_records_without_a_time_only() {
    let work = Work::new();
    work.write(
        "dump.csv",
        format!("{HEADER}192.0.2.1,80,tcp,,x,,\n192.0.2.1,81,tcp,2026-11-10,x,,\n192.0.2.65,80,tcp,,x,,\n"),
    );
    let dump = work.dump("--observed 2026-11-09 --output out dump.csv");
    assert_eq!(dump["held_by"], serde_json::json!({ "moved": 2 }));
    let alerts = work.alerts("out");
    let times: Vec<_> = alerts.iter().map(|alert| alert["time.source"].as_str().unwrap()).collect();
    assert_eq!(times, ["2026-11-09T00:00:00+00:00", "2026-11-10T00:00:00+00:00"]);
    work.dump("--output out dump.csv");
    assert_eq!(work.alerts("out")[0]["time.source"], Value::Null);
}

#[test]
fn the_text_of_a_dump_cannot_break_a_line_of_a_notice() {
    let work = Work::new();
    let hostile = "a\nb\u{1b}[2J\u{85}\u{202e}\"\\{\u{7f}";
    work.write("dump.csv", format!("ip,identifier,tag\n192.0.2.1,x,\"{}\"\n", hostile.replace('"', "\"\"")));
    work.dump("--output out dump.csv");
    let text = std::fs::read_to_string(work.path("out")).unwrap();
    assert_eq!(text.lines().count(), 1);
    assert!(!text.contains(['\u{1b}', '\u{85}', '\u{202e}', '\u{7f}']), "{text}");
    assert_eq!(work.alerts("out").len(), 1);
}

/// More equal alerts than are rendered at once: one line at the place of its first record, and nothing else moves.
#[test]
fn a_finding_that_is_said_very_often_is_one_alert() {
    const TIMES: usize = 40_000;
    let often = |tag: usize| {
        format!("192.0.2.2,80,tcp,2026-11-22T01:02:03Z,open-rdp,CVE-2024-100{},t{tag}\n", tag % 3)
    };
    let mut rows = row("192.0.2.1");
    rows.extend((0..TIMES).map(|i| often([0, 7, i % 5][i % 3])));
    rows += &row("192.0.2.3");
    rows += &row("192.0.2.16");
    rows += &often(9);
    let (work, told) = told(&rows, "");
    assert_eq!(told, ["new ncsc/isp: 40003", "new ncsc/school: 1 2 40002"]);
    let run = &work.files("spool/new")[0];
    let alerts = work.alerts(&format!("spool/new/{}/ncsc/school.jsonl", run.split('/').next().unwrap()));
    assert_eq!(alerts[1]["extra.tag"], "t0;t7;t2;t3;t1;t4;t9");
    assert_eq!(alerts[1]["product.vulnerabilities"], "cve-2024-1000;cve-2024-1001;cve-2024-1002");
    let dump = work.dump("--feed night --spool spool --label again dump.csv");
    assert_eq!((&dump["alerts"], &dump["duplicates"]), (&4.into(), &(TIMES as u64).into()));
}

/// Lines of 100 KB: a task of them is cut short, and what follows keeps its place.
#[test]
fn long_lines_keep_their_order() {
    let tags =
        |row: usize| -> String { (0..25).map(|i| format!("{row:04}-{i}-{};", "x".repeat(3_900))).collect() };
    let line = |i: usize| format!("192.0.2.{},{i},tcp,2026-11-22T01:02:03Z,open-rdp,,{}\n", i % 16, tags(i));
    let rows: String = (0..300).map(line).collect();
    let expected: String = (1..=300).map(|record| format!(" {record}")).collect();
    check(&rows, "", &[&format!("new ncsc/school:{expected}")]);
}

#[test]
fn an_identifier_that_says_nothing_is_none() {
    for word in ["-", "N/A", " - ", "\u{3000}"] {
        let rows = format!("192.0.2.1,80,tcp,2026-11-22T01:02:03Z,{word},,\n");
        check(&rows, "", &["held ncsc/school: 1 no-finding"]);
        let (work, told) = told(&rows, "--identifier open-rdp");
        assert_eq!(told, ["new ncsc/school: 1"]);
        let file = work.files("spool/new").into_iter().find(|file| file.ends_with("school.jsonl")).unwrap();
        assert_eq!(work.alerts(&format!("spool/new/{file}"))[0]["classification.identifier"], "open-rdp");
    }
}

/// A line for each organisation inside, of two records whose lines stand between each other's in the order of owners.
#[test]
fn a_prefix_with_very_many_owners_inside_is_held_for_each() {
    let work = Work::new();
    let inside: String =
        (0..300).map(|i| format!("o{i:03},user,9.{}.{}.0/24,c@o.example\n", i / 256, i % 256)).collect();
    work.write(
        "wide.csv",
        format!("owner_id,role,network,contact\nisp,network,9.0.0.0/8,i@isp.example\n{inside}"),
    );
    work.write("dump.csv", "ip,port,identifier\n9.0.0.0/8,1,x\n9.0.0.0/16,2,x\n9.0.0.1,3,x\n");
    let dump = work.dump("--register wide.csv --feed night --spool spool dump.csv");
    assert_eq!((&dump["held"], &dump["alerts"]), (&(301 + 257).into(), &1.into()));
    let held = work.files("spool/held");
    assert_eq!(held.iter().filter(|file| file.ends_with(".jsonl")).count(), 301);
    for (owner, records) in [("isp", 2), ("o000", 2), ("o255", 2), ("o256", 1), ("o299", 1)] {
        let file = held.iter().find(|file| file.ends_with(&format!("{owner}.jsonl"))).unwrap();
        assert_eq!(work.alerts(&format!("spool/held/{file}")).len(), records, "{owner}");
    }
}

/// A run of two records under a configuration with these exceptions; what is told, and how many are excepted.
fn told_with(exceptions: &str, rows: &str) -> (Vec<String>, u64) {
    let work = Work::new();
    work.write("dijkwacht.toml", exceptions);
    work.write("dump.csv", format!("{HEADER}{rows}"));
    let dump = work.dump("--config dijkwacht.toml --feed night --spool spool dump.csv");
    let run = dump["run"].as_str().unwrap();
    let files =
        work.files(&format!("spool/new/{run}")).into_iter().chain(work.files(&format!("spool/held/{run}")));
    let told = files.filter(|file| file.ends_with(".jsonl")).collect();
    (told, dump["excepted"].as_u64().unwrap())
}

#[test]
fn what_is_excepted_is_counted_and_told_to_nobody_until_its_day() {
    let rows = [row("192.0.2.1"), row("192.0.2.16")].concat();
    let check = |named: &str, until: &str, expected: &[&str], excepted: u64| {
        let exception = format!(
            "[[exceptions]]\n{named}\nreason = \"its own scanner\"\nby = \"A. Analyst\"\nuntil = {until}\n"
        );
        let (told, counted) = told_with(&exception, &rows);
        assert_eq!(
            (told, counted),
            (expected.iter().map(|file| (*file).to_owned()).collect(), excepted),
            "{named}"
        );
    };
    let (isp, school) = ("ncsc/isp.jsonl", "ncsc/school.jsonl");
    check("owner = \"SCHOOL\"", "2026-11-22", &[isp], 1);
    check("owner = \"school\"", "2026-11-21", &[isp, school], 0);
    check("owner = \"nobody\"", "2026-12-31", &[isp, school], 0);
    check("prefix = \"192.0.2.0/24\"", "2026-12-31", &[], 2);
    check("identifier = \"OPEN-RDP\"\nfeed = \"night\"", "2026-12-31", &[], 2);
    check("feed = \"other\"", "2026-12-31", &[isp, school], 0);
    check("asn = \"AS64496\"", "2026-12-31", &[isp, school], 0);
}

#[test]
fn an_exception_says_why_by_whom_and_until_when_and_names_something() {
    let work = Work::new();
    let check = |text: &str, said: &str| {
        work.write("dijkwacht.toml", format!("[[exceptions]]\n{text}\n"));
        work.run("check-config --config dijkwacht.toml").check(78, &[said]);
    };
    check("owner = \"school\"\nby = \"x\"\nuntil = 2026-12-31", "reason");
    check("owner = \"school\"\nreason = \"-\"\nby = \"x\"\nuntil = 2026-12-31", "reason says nothing");
    check("owner = \"school\"\nreason = \"x\"\nuntil = 2026-12-31", "by");
    check("owner = \"school\"\nreason = \"x\"\nby = \"x\"", "until");
    check("reason = \"x\"\nby = \"x\"\nuntil = 2026-12-31", "would keep back everything");
    check("prefix = \"192.0.2.1/24\"\nreason = \"x\"\nby = \"x\"\nuntil = 2026-12-31", "192.0.2.0/24");
    work.write(
        "dijkwacht.toml",
        "[[exceptions]]\nowner = \"school\"\nreason = \"x\"\nby = \"y\"\nuntil = 2020-12-31\n",
    );
    let done = work.run("check-config --config dijkwacht.toml");
    done.check(0, &[]);
    assert!(done.out.contains("exception: owner school: ended, on 2020-12-31 (x; y)"), "{}", done.out);
    assert!(!done.out.contains("not in the register"), "no register is named: {}", done.out);
    work.write("register.csv", "owner_id,network,role\nisp,192.31.196.0/24,network\n");
    let exception = |owner: &str| {
        format!(
            "[register]\nsources = [\"register.csv\"]\n[[exceptions]]\nowner = \"{owner}\"\nreason = \"x\"\nby = \"y\"\n\
             until = 2099-12-31\n"
        )
    };
    for (owner, is_known) in [("school", false), ("ISP", true)] {
        work.write("dijkwacht.toml", exception(owner));
        let done = work.run("check-config --config dijkwacht.toml");
        done.check(0, &[]);
        assert_eq!(done.out.contains("is not in the register"), !is_known, "{}", done.out);
    }
}

#[test]
fn all_names_that_a_system_shows_are_looked_at_and_those_of_several_owners_choose_nobody() {
    let work = Work::new();
    work.write(
        "names.csv",
        "owner_id,role,domain,network,contact\nshop,,shop.example.nl,,a@shop.example\nschool,,school.example.nl,,a@school.example\n\
         isp,network,,192.31.196.0/24,a@isp.example\n",
    );
    let banner = |address: &str, host: &str, certificate: &str| {
        format!(
            "{{\"ip_str\":\"{address}\",\"port\":443,\"http\":{{\"host\":\"{host}\"}},\"ssl\":{{\"cert\":{{\"subject\":{{\"CN\":\"{certificate}\"}}}}}}}}\n"
        )
    };
    let (shop, school) = ("www.shop.example.nl", "school.example.nl");
    let banners = [
        banner("192.31.196.1", shop, "cdn.example.org"),
        banner("192.31.196.2", "cdn.example.org", shop),
        banner("192.31.196.3", shop, "shop.example.nl"),
        banner("192.31.196.4", shop, school),
        banner("192.175.48.5", "cdn.example.org", school),
        banner("192.175.48.6", shop, school),
        banner("192.175.48.7", "cdn.example.org", "a.example.org"),
    ];
    work.write("banners.json", banners.concat());
    let told = |dump: &str| {
        let words = format!(
            "match --json --register names.csv --identifier x --run-time 2026-11-22 --output out {dump}"
        );
        let summary = work.run(&words);
        summary.check(0, &[]);
        let summary: Value = serde_json::from_str(&summary.out).unwrap();
        assert_eq!(summary["total"]["unmatched"], 2, "{dump}: of several owners, and of nobody");
        let mut alerts = work.alerts("out");
        alerts.sort_by_key(|alert| alert["extra.record"].as_u64());
        let words = |alert: &Value| {
            let text = |key: &str| alert[key].as_str().unwrap_or_default().to_owned();
            format!("{} {} {}", alert["extra.record"], text("extra.owner.id"), text("source.fqdn"))
        };
        alerts.iter().map(words).collect::<Vec<_>>()
    };
    let expected = [
        "1 shop www.shop.example.nl",
        "2 shop www.shop.example.nl",
        "3 shop www.shop.example.nl",
        "4 isp www.shop.example.nl",
        "5 school school.example.nl",
    ];
    assert_eq!(told("--format shodan banners.json"), expected);
}

#[test]
fn a_shown_name_that_is_written_in_two_ways_is_one_name_and_its_two_owners_a_conflict() {
    let work = Work::new();
    work.write(
        "twins.csv",
        "owner_id,role,domain,network,contact\na,,twin.example.nl,,a@a.example\nb,,twin.example.nl,,b@b.example\n\
         isp,network,,192.31.196.0/24,a@isp.example\n",
    );
    for (host, certificate) in [
        ("twin.example.nl", "twin.example.nl"),
        ("Twin.Example.NL:443", "twin.example.nl"),
        ("twin.example.nl.", "twin.example.nl"),
    ] {
        let banner = format!(
            "{{\"ip_str\":\"192.31.196.1\",\"http\":{{\"host\":\"{host}\"}},\"ssl\":{{\"cert\":{{\"subject\":{{\"CN\":\"{certificate}\"}}}}}}}}\n"
        );
        work.write("banner.json", banner);
        let words = "match --json --dry-run --register twins.csv --identifier x --run-time 2026-11-22 --format shodan banner.json";
        let summary = work.run(words).summary();
        let total = &summary["total"];
        assert_eq!((&total["held_by"]["conflict"], &total["alerts"]), (&2.into(), &0.into()), "{host}");
    }
}
