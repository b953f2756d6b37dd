//! `dijkwacht explain`: the replay of an alert gives that alert, whatever its format, rule or fate, and says what it lacks.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "match_dumps/work.rs"]
#[allow(dead_code, reason = "each test uses its own part of it")]
mod work;

use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;
use work::{REGISTER, RUN_TIME, Work, gzip};

const HEADER: &str = "ip,port,transport,timestamp,identifier\n";

fn row(address: &str, time: &str) -> String {
    format!("{address},80,tcp,{time},open-rdp\n")
}

fn night() -> String {
    let at = "2026-11-22T01:02:03Z";
    let rows = [
        "192.0.2.1",
        "192.0.2.17",
        "192.0.2.33",
        "203.0.113.1",
        "192.0.2.0/27",
        "2001:db8:1::1",
        "100.64.0.1",
    ];
    let rows: String = rows.iter().map(|address| row(address, at)).collect();
    format!("{HEADER}{rows}{}", row("192.0.2.65", "2026-11-10T01:02:03.123456789Z"))
}

fn work() -> Work {
    let work = Work::new();
    let link = "link,Link,link-organisation,link,100.64.0.0/24,desk@link.example,,\n";
    work.write("register.csv", format!("{REGISTER}{link}"));
    work.write("dump.csv", night());
    work
}

/// Every line of the spool, sent or held.
fn all(work: &Work) -> Vec<Value> {
    let mut alerts = Vec::new();
    for part in ["spool/new", "spool/held"] {
        for file in work.files(part).iter().filter(|file| file.ends_with(".jsonl")) {
            alerts.extend(work.alerts(&format!("{part}/{file}")));
        }
    }
    alerts
}

fn explain(work: &Work, words: &str) -> Value {
    let done = work.run(&format!("explain --json {words}"));
    assert_eq!(done.code, 0, "{words}: {}", done.err);
    serde_json::from_str(&done.out).unwrap_or_else(|_| panic!("{}", done.out))
}

fn id(alert: &Value) -> &str {
    alert["extra.alert_id"].as_str().unwrap()
}

/// What the steps say of an alert is what the alert says.
fn check(steps: &Value, alert: &Value) {
    assert_eq!((&steps["reproduced"], &steps["lacks"]), (&true.into(), &serde_json::json!([])), "{steps}");
    let recipients = steps["recipients"].as_array().unwrap();
    let own = recipients.iter().find(|one| one["alert_id"] == alert["extra.alert_id"]).unwrap();
    for (ours, theirs) in [
        ("owner_id", "extra.owner.id"),
        ("rule", "extra.match.rule"),
        ("role", "extra.match.role"),
        ("registration", "extra.match.registration"),
        ("sender", "extra.sender"),
        ("constituency", "constituency"),
    ] {
        assert_eq!(own[ours], alert[theirs], "{ours}");
    }
    assert_eq!((&steps["held"], &steps["tlp"]), (&alert["extra.held.reason"], &alert["extra.tlp"]));
    assert_eq!(steps["record"], alert["extra.record"]);
    let wins =
        steps["covering"].as_array().unwrap().iter().flat_map(|on| on["registrations"].as_array().unwrap());
    let registrations: BTreeSet<&str> = wins.map(|one| one["registration"].as_str().unwrap()).collect();
    let is_inside = steps["held"] == "prefix";
    assert!(is_inside || registrations.contains(own["registration"].as_str().unwrap()));
}

#[test]
fn each_alert_of_each_rule_and_each_held_one_is_reproduced() {
    let work = work();
    work.write("dump.csv.gz", gzip(night().as_bytes()));
    work.write("config.toml", "[feeds.gz]\nlabel = \"Packed\"\ntlp = \"GREEN\"\nseverity = \"high\"\n");
    work.dump("--feed night --spool spool dump.csv");
    work.dump("--config config.toml --feed gz --spool spool --observed 2026-11-20 dump.csv.gz");
    let alerts = all(&work);
    let rules: BTreeSet<&str> =
        alerts.iter().map(|alert| alert["extra.match.rule"].as_str().unwrap()).collect();
    assert_eq!(rules, BTreeSet::from(["user-prefix", "network-prefix", "link"]));
    let reasons: BTreeSet<&str> =
        alerts.iter().filter_map(|alert| alert["extra.held.reason"].as_str()).collect();
    assert_eq!(reasons, BTreeSet::from(["conflict", "moved", "no-contact", "prefix"]));
    for alert in &alerts {
        let dump = if alert["feed.name"] == "Packed" { "dump.csv.gz" } else { "dump.csv" };
        let words = format!("--spool spool --register register.csv --dump {dump} {}", id(alert));
        check(&explain(&work, &words), alert);
    }
}

#[test]
fn each_alert_of_the_fixtures_is_reproduced_in_every_format() {
    let work = Work::new();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    for part in ["register", "dumps"] {
        let copied =
            std::process::Command::new("cp").arg("-r").arg(fixtures.join(part)).arg(work.path("")).status();
        assert!(copied.unwrap().success());
    }
    let config = std::fs::read_to_string(fixtures.join("dijkwacht.toml")).unwrap();
    work.write("config.toml", config.replace("../target/spool", "spool") + "\n[inbox]\npath = \"inbox\"\n");
    let dumps = work.files("dumps");
    let names: Vec<String> = dumps.iter().map(|dump| format!("dumps/{dump}")).collect();
    let matched =
        format!("match --config config.toml --run-time 2026-11-22T06:00:00Z --json {}", names.join(" "));
    let summary = work.run(&matched).summary();
    // The daemon would have put them there.
    for dump in summary["dumps"].as_array().unwrap() {
        let done = format!("done/{}", dump["feed"].as_str().unwrap());
        std::fs::create_dir_all(work.path(&done)).unwrap();
        let name = dump["dump"].as_str().unwrap();
        let renamed = name.replace("dumps/", &format!("{done}/"));
        std::fs::rename(work.path(name), work.path(&renamed)).unwrap();
    }
    let alerts = all(&work);
    assert!(alerts.len() > 20);
    for alert in &alerts {
        check(&explain(&work, &format!("--config config.toml {}", id(alert))), alert);
    }
}

#[test]
fn what_is_gone_is_said_and_the_rest_is_told() {
    let work = work();
    work.run("index build -o owners.dwi register.csv").check(0, &[]);
    work.dump("--index owners.dwi --feed night --spool spool dump.csv");
    let alert = &all(&work)[0];
    let lacks = |words: &str| {
        let steps = explain(&work, &format!("--spool spool {words} {}", id(alert)));
        let lacks = steps["lacks"].as_array().unwrap();
        let lacks: Vec<String> = lacks.iter().map(|lack| lack.as_str().unwrap().to_owned()).collect();
        (lacks.join("; "), steps)
    };
    let (said, steps) = lacks("--index owners.dwi");
    assert!(said.contains("dump.csv is not at hand"), "{said}");
    assert_eq!(steps["parsed"]["address"], alert["source.ip"]);
    assert!(!steps["covering"][0]["registrations"].as_array().unwrap().is_empty());
    assert!(lacks("--dump dump.csv").0.contains("no index is named"));
    // Replaced, it is kept beside and found again.
    work.write("other.csv", "owner_id,network,contact\nother,192.0.2.0/24,o@other.example\n");
    work.run("index build -o owners.dwi other.csv").check(0, &[]);
    assert_eq!(lacks("--index owners.dwi --dump dump.csv").0, "");
    std::fs::remove_dir_all(work.path("owners.dwi.d")).unwrap();
    let (said, steps) = lacks("--index owners.dwi --dump dump.csv");
    assert!(said.contains("the index that decided") && said.contains("is gone"), "{said}");
    assert_eq!((&steps["reproduced"], &steps["recipients"][0]["owner_id"]), (&false.into(), &"other".into()));
    let row = row("192.0.2.99", "2026-11-22T01:02:03Z");
    work.write("another.csv", format!("{HEADER}{}", row.repeat(9)));
    let (said, _) = lacks("--register register.csv --dump another.csv");
    assert!(said.contains("another dump"), "{said}");
    work.run("explain --spool spool 66bb29f5-731e-5008-8c71-c345897ccd3a")
        .check(1, &["no alert of the spool"]);
    work.run("explain --spool spool nonsense").check(64, &["no alert id"]);
    let refused = work.run(&format!("explain --spool spool --dump nowhere {}", id(alert)));
    refused.check(66, &["nowhere"]);
}

#[test]
fn of_a_decision_it_is_told_who_decided_and_why() {
    let work = work();
    work.dump("--feed night --spool spool dump.csv");
    let held = all(&work).into_iter().find(|alert| alert["extra.held.reason"] == "moved").unwrap();
    work.run(&format!(
        "held release --spool spool --register register.csv --to school --because asked --by me {}",
        id(&held)
    ))
    .check(0, &[]);
    let sent =
        all(&work).into_iter().find(|alert| alert["extra.run"].as_str().unwrap().contains("+held-")).unwrap();
    for alert in [&held, &sent] {
        let steps =
            explain(&work, &format!("--spool spool --register register.csv --dump dump.csv {}", id(alert)));
        assert_eq!(
            (&steps["decision"]["because"], &steps["decision"]["by"]),
            (&"asked".into(), &"me".into())
        );
        assert_eq!(steps["decision"]["run"], sent["extra.run"]);
        assert_eq!((&steps["held"], &steps["lacks"]), (&"moved".into(), &serde_json::json!([])));
    }
}

#[test]
fn a_raw_record_is_explained_whatever_becomes_of_it() {
    let work = work();
    let ask = |rows: &str, words: &str| {
        let words =
            format!("explain --json --feed night --register register.csv --run-time {RUN_TIME} {words}");
        let done = work.run_with_input(&words, rows.as_bytes());
        assert_eq!(done.code, 0, "{}", done.err);
        done.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>()
    };
    let rows = ["192.0.2.33", "8.8.8.8", "010.0.0.1"].map(|address| row(address, "2026-11-22T01:02:03Z"));
    let steps = ask(&format!("{HEADER}{}", rows.concat()), "");
    assert_eq!(steps.len(), 3);
    assert_eq!(
        (&steps[0]["held"], steps[0]["recipients"].as_array().unwrap().len()),
        (&"conflict".into(), 2)
    );
    assert_eq!(steps[1]["covering"][0]["outcome"], "nobody");
    assert_eq!(steps[2]["rejected"], "address");
    let steps = ask("{\"ip\":\"192.0.2.1\",\"port\":80}\n", "--format ndjson --identifier open-rdp");
    assert_eq!(steps[0]["recipients"][0]["owner_id"], "school");
    work.run_with_input("explain --register register.csv", b"x\n").check(64, &["--feed"]);
    let text = work.run_with_input("explain --feed night --register register.csv", rows[0].as_bytes());
    assert!(!text.out.contains('\u{1b}'));
    assert!(work.run("explain --help").out.contains("Examples:"));
}

/// Its block of `fixtures/rules`, line by line.
#[test]
fn the_readme_explains_an_alert_of_each_rule_as_the_program_does() {
    let readme = include_str!("../README.md");
    let work = Work::new();
    for (name, text) in [
        ("register.csv", include_str!("../fixtures/rules/register.csv")),
        ("dump.csv", include_str!("../fixtures/rules/dump.csv")),
        ("dijkwacht.toml", include_str!("../fixtures/rules/dijkwacht.toml")),
    ] {
        work.write(name, text);
    }
    let config = "--config dijkwacht.toml --spool spool";
    work.run(&format!("match {config} --run-time 2026-11-22T06:00:00Z dump.csv")).check(0, &[]);
    let alerts = all(&work);
    let rules: BTreeSet<&str> =
        alerts.iter().map(|alert| alert["extra.match.rule"].as_str().unwrap()).collect();
    assert_eq!(rules.len(), dijkwacht::policy::Rule::ALL.len(), "{rules:?}");
    for alert in &alerts {
        let explained = work.run(&format!("explain {config} --dump dump.csv {}", id(alert)));
        explained.check(0, &[]);
        let recipient = explained.out.lines().find(|line| line.starts_with("recipient")).unwrap();
        assert!(readme.contains(&format!("explain --dump dump.csv {}", id(alert))), "{}", id(alert));
        assert!(readme.contains(&format!("\n{recipient}\n")), "{recipient}");
    }
    let traced = work.run(&format!("spool trace {config} isp"));
    assert!(traced.out.lines().count() == 2 && readme.contains(&traced.out), "{}", traced.out);
}

#[test]
fn an_alert_by_a_name_or_an_as_number_is_reproduced_with_the_dump_and_told_without_it() {
    let work = Work::new();
    work.write(
        "names.csv",
        "owner_id,role,domain,asn,contact\nshop,,shop.example.nl,,a@shop.example\nuser,user,,AS64496,a@user.example\n\
         isp,,,AS64497,a@isp.example\nother,,other.example.nl,,a@other.example\n",
    );
    let seen = "192.31.196.1,443,2026-11-22T01:02:03Z,open-rdp";
    let rows = [
        "https://www.shop.example.nl:8443/x,",
        ",AS64496",
        ",64497",
        "shop.example.nl,AS64497",
        "www.stranger.example.nl,AS64496",
    ];
    let dump: String = rows.iter().map(|row| format!("{seen},{row}\n")).collect();
    work.write("dump.csv", format!("ip,port,timestamp,identifier,url,asn\n{dump}"));
    let banner = |host: &str, common_name: &str| {
        format!(
            r#"{{"ip_str":"192.31.196.2","timestamp":"2026-11-22T01:02:03","http":{{"host":"{host}"}},"ssl":{{"cert":{{"subject":{{"CN":"{common_name}"}}}}}}}}"#
        ) + "\n"
    };
    let banners = [
        banner("www.shop.example.nl", "shop.example.nl"),
        banner("cdn.example.org", "other.example.nl"),
        banner("shop.example.nl", "other.example.nl"),
    ];
    work.write("banners.json", banners.concat());
    let words = format!("--register names.csv --identifier open-rdp --run-time {RUN_TIME} --spool spool");
    for dump in ["--feed csv dump.csv", "--feed shodan banners.json"] {
        work.run(&format!("match {words} {dump}")).check(0, &[]);
    }
    let alerts = all(&work);
    let mut told = Vec::new();
    for alert in &alerts {
        let feed = alert["feed.name"].as_str().unwrap();
        let dump = if feed == "csv" { "dump.csv" } else { "banners.json" };
        let ask =
            |dump: &str| explain(&work, &format!("--spool spool --register names.csv {dump} {}", id(alert)));
        check(&ask(&format!("--dump {dump}")), alert);
        std::fs::rename(work.path(dump), work.path("away")).unwrap();
        let by_line = ask("");
        std::fs::rename(work.path("away"), work.path(dump)).unwrap();
        assert!(by_line["lacks"].to_string().contains("is not at hand"), "{by_line}");
        let covering = by_line["covering"][0]["registrations"].as_array().unwrap();
        let winner = covering.iter().find(|one| one["wins"] == true).unwrap();
        assert_eq!(
            (&winner["registration"], &winner["owner_id"]),
            (&alert["extra.match.registration"], &alert["extra.owner.id"])
        );
        let text = |key: &str| alert[key].as_str().unwrap();
        told.push(format!(
            "{feed} {} {} {}",
            alert["extra.record"],
            text("extra.owner.id"),
            text("extra.match.rule")
        ));
    }
    told.sort();
    let expected = [
        "csv 1 shop user-name",
        "csv 2 user user-asn",
        "csv 3 isp network-asn",
        "csv 4 shop user-name",
        "csv 5 user user-asn",
        "shodan 1 shop user-name",
        "shodan 2 other user-name",
    ];
    assert_eq!(told, expected);
}

#[test]
fn of_a_raw_record_all_registrations_of_its_names_and_its_as_number_are_told() {
    let work = Work::new();
    work.write(
        "names.csv",
        "owner_id,role,domain,asn,contact\nshop,,shop.example.nl,,a@shop.example\nisp,,,AS64497,a@isp.example\n\
         other,,other.example.nl,,a@other.example\n",
    );
    let ask = |record: &str, words: &str| {
        let words = format!("explain --json --register names.csv --run-time {RUN_TIME} {words}");
        let done = work.run_with_input(&words, record.as_bytes());
        assert_eq!(done.code, 0, "{}", done.err);
        serde_json::from_str::<Value>(&done.out).unwrap()
    };
    let told = |steps: &Value| {
        let registrations = steps["covering"][0]["registrations"].as_array().unwrap().iter();
        registrations
            .map(|one| format!("{} {}", one["registration"].as_str().unwrap(), one["wins"]))
            .collect::<Vec<_>>()
    };
    let record = "{\"ip\":\"192.31.196.1\",\"url\":\"https://www.shop.example.nl/\",\"asn\":64497}\n";
    let steps = ask(record, "--format ndjson --identifier open-rdp");
    assert_eq!(told(&steps), ["shop.example.nl true", "AS64497 false"]);
    let record = r#"{"ip_str":"192.31.196.1","asn":"AS64497","http":{"host":"shop.example.nl"},"ssl":{"cert":{"subject":{"CN":"other.example.nl"}}}}"#;
    let steps = ask(record, "--format shodan --identifier open-rdp");
    assert_eq!(told(&steps), ["shop.example.nl false", "other.example.nl false", "AS64497 true"]);
    assert_eq!(steps["recipients"][0]["owner_id"], "isp");
}
