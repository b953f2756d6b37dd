//! The catalogue of findings through the real command: one name for trouble that feeds call by many, and words for its reader.
#![allow(clippy::unwrap_used)] // what a test sets up must be there

#[path = "match_dumps/work.rs"]
#[allow(dead_code, reason = "each test uses its own part of it")]
mod work;

use dijkwacht::config::{Config, FINDINGS, Findings};
use dijkwacht::policy::Severity;
use dijkwacht::scan::{Finding, Kind, Side, report_types};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;
use work::Work;

/// The entry that an identifier leads to, by its name.
fn name_of<'f>(findings: &'f Findings, identifier: &str) -> Option<&'f str> {
    let mut finding = Finding::new(0, Kind::Vulnerable, Side::Exposed);
    finding.identifier = Some(identifier.into());
    findings.0.find(&finding, &[]).map(|entry| &*entry.name)
}

fn parse(text: &str) -> Config {
    Config::parse(text, Path::new("etc/dijkwacht.toml")).unwrap_or_else(|error| panic!("{error}"))
}

fn error(text: &str) -> String {
    Config::parse(text, Path::new("etc/dijkwacht.toml")).unwrap_err().to_string()
}

/// The alerts of a dump of one address, by a configuration.
fn alerts(work: &Work, config: &str, name: &str, dump: &str) -> Vec<Value> {
    work.write("config.toml", config);
    work.write(name, dump);
    let done = work.matched(&format!("--config config.toml --output - {name}"));
    assert_eq!(done.code, 0, "{}", done.err);
    work::alerts(&done.out)
}

#[test]
fn every_report_type_of_the_producer_is_known_with_its_page_severity_part_and_both_languages() {
    let default = Findings::default();
    let written: toml::Table = FINDINGS.parse().unwrap();
    let written = written["findings"].as_table().unwrap();
    let mut seen = BTreeSet::new();
    for report in report_types() {
        let mut finding = Finding::new(0, Kind::Vulnerable, Side::Exposed);
        finding.identifier = Some(report.name.into());
        let entry = default.0.find(&finding, &[]).unwrap_or_else(|| panic!("{} is not there", report.name));
        seen.insert(entry.name.clone());
        let said = written[&entry.name].as_table().unwrap();
        for key in ["title", "text_nl", "text_en"] {
            let text = said[key].as_str().unwrap();
            assert!(!text.is_empty() && text.trim() == text, "{}: {key}", report.name);
        }
        assert_eq!(entry.url, report.url, "{}", report.name);
        // scan6_elasticsearch alone is less bad than its twin.
        if report.name != "scan6_elasticsearch" {
            assert_eq!(entry.severity, report.severity.map(Severity::read), "{}", report.name);
        }
        assert_eq!(entry.part.unwrap_or(Side::Exposed), report.side, "{}", report.name);
        assert_eq!(entry.classification, None, "the report type says it, and a web shell another");
    }
    assert_eq!(seen.len(), written.len(), "an entry that no type leads to");
    assert_eq!(name_of(&default, "Scan6_RDP"), Some("scan_rdp"));
}

#[test]
fn an_entry_wins_over_the_one_that_is_built_in_key_by_key_and_other_names_add_up() {
    let entry = |config: &Config, identifier: &str| {
        let mut finding = Finding::new(0, Kind::Vulnerable, Side::Exposed);
        finding.identifier = Some(identifier.into());
        config.findings.0.find(&finding, &[]).cloned()
    };
    let built_in = entry(&parse(""), "scan_rdp").unwrap();
    let config = parse("[findings.Scan_RDP]\ntitle = \" Mine \"\naliases = [\"exposed-rdp\"]\n");
    for identifier in ["scan_rdp", "scan6_rdp", "EXPOSED-RDP"] {
        let own = entry(&config, identifier).unwrap_or_else(|| panic!("{identifier}"));
        assert_eq!((&*own.name, own.title.as_deref()), ("Scan_RDP", Some("Mine")));
        assert_eq!((&own.url, &own.text, own.severity), (&built_in.url, &built_in.text, built_in.severity));
    }
    // An operator's other name takes the word from what is built in; an entry called as a type goes on from it.
    let config =
        parse("[findings.rdp]\naliases = [\"scan_rdp\"]\n[findings.scan6_smb]\nseverity = \"low\"\n");
    assert_eq!(entry(&config, "scan_rdp").unwrap().name, "rdp");
    assert_eq!(entry(&config, "scan6_rdp").unwrap().name, "scan_rdp");
    let smb = entry(&config, "scan6_smb").unwrap();
    assert_eq!((&*smb.name, smb.severity), ("scan6_smb", Some(Severity::Low)));
    assert_eq!(smb.title, entry(&config, "scan_smb").unwrap().title);
    assert_eq!(entry(&config, "scan_smb").unwrap().name, "scan_smb");
}

#[test]
fn a_wrong_entry_is_told_with_its_place() {
    for (text, said) in [
        (
            "[findings.a]\naliases = [\"CVE-1\"]\n[findings.b]\naliases = [\"x\", \"cve-1\"]\n",
            "etc/dijkwacht.toml:4:11: [findings]: cve-1 would be found as a and as b (name it in one",
        ),
        ("[findings.a]\nseverity = \"hihg\"\n", "etc/dijkwacht.toml:2:12: [findings.a]: severity \"hihg\""),
        ("[findings.a]\npart = \"victm\"\n", "did you mean victim?"),
        (
            "[findings.a]\nurl = \"www.example.nl\"\n",
            "etc/dijkwacht.toml:2:7: [findings.a]: url \"www.example.nl\"",
        ),
        (
            "[findings.a]\ntitel = \"x\"\n",
            "etc/dijkwacht.toml:2:1: unknown key `titel` (did you mean `title`?)",
        ),
        ("[findings.\"a|b\"]\n", "no name of what is wrong"),
        ("[findings.a]\naliases = [\"\"]\n", "etc/dijkwacht.toml:2:11: [findings.a]: the identifier \"\""),
        (
            "[policy]\nlanguage = \"fr\"\n",
            "etc/dijkwacht.toml:2:12: [policy] language \"fr\" is none of nl, en, both",
        ),
        ("[policy]\nfindings = \"nowhere.toml\"\n", "etc/nowhere.toml: there is no such file"),
    ] {
        assert!(error(text).contains(said), "{}", error(text));
    }
    let long = format!("[findings.a]\ntext_nl = \"{}\"\n", "é".repeat(1901));
    assert!(error(&long).contains("text_nl has 1901 characters; at most 1900 are told"));
    parse(&long.replacen('é', "", 1));
}

#[test]
fn a_file_of_entries_is_read_and_the_configuration_s_own_win_over_it() {
    let work = Work::new();
    work.write("findings.toml", "[findings.a]\ntitle = \"file\"\nseverity = \"low\"\naliases = [\"x\"]\n");
    work.write("config.toml", "[policy]\nfindings = \"findings.toml\"\n[findings.a]\ntitle = \"config\"\n");
    let config = Config::read(&work.path("config.toml")).unwrap();
    let entry = config.findings.0.entries().iter().find(|entry| entry.name == "a").unwrap();
    assert_eq!((entry.title.as_deref(), entry.severity), (Some("config"), Some(Severity::Low)));
    assert_eq!(name_of(&config.findings, "X"), Some("a"));
    work.write("findings.toml", "[findings.a]\n\n  seveirty = \"low\"\n");
    let error = Config::read(&work.path("config.toml")).unwrap_err().to_string();
    assert!(
        error.ends_with("findings.toml:3:3: unknown key `seveirty` (did you mean `severity`?)"),
        "{error}"
    );
    work.write("findings.toml", "[findings.a]\nseverity = \"x\"\n");
    let error = Config::read(&work.path("config.toml")).unwrap_err().to_string();
    assert!(error.contains("findings.toml:2:12: [findings.a]: severity"), "{error}");
    // What is printed can be read as such a file.
    work.write("findings.toml", work.run("generate findings").out);
    assert!(Config::read(&work.path("config.toml")).is_ok());
}

#[test]
fn two_feeds_give_the_same_trouble_one_name_and_the_reader_a_remedy() {
    let work = Work::new();
    let shadowserver = "timestamp,ip,protocol,port,severity\n2026-11-22 01:02:03,192.0.2.1,tcp,3389,\n";
    let ours = "ip,port,time,identifier\n192.0.2.1,3389,2026-11-22T01:02:03Z,open-rdp\n";
    let one_name = "[findings.scan_rdp]\naliases = [\"open-rdp\"]\n";
    let [first] = &alerts(&work, one_name, "2026-11-22-scan_rdp-nl.csv", shadowserver)[..] else { panic!() };
    let [second] = &alerts(&work, one_name, "ours.csv", ours)[..] else { panic!() };
    for key in ["extra.finding", "extra.title", "event_description.text", "event_description.url", "severity"]
    {
        assert_eq!(first[key], second[key], "{key}");
    }
    assert_eq!((&first["extra.finding"], &first["severity"]), (&"scan_rdp".into(), &"high".into()));
    assert_eq!(second["classification.identifier"], "open-rdp");
    assert!(first["event_description.text"].as_str().unwrap().starts_with("Op dit systeem"), "{first}");
    // What nobody says to be the same is told as its feed tells it.
    let [alone] = &alerts(&work, "", "ours.csv", ours)[..] else { panic!() };
    assert_eq!((alone.get("extra.finding"), alone.get("severity")), (None, None));
    assert_eq!(alone["extra.alert_id"], second["extra.alert_id"]);

    let both = "[policy]\nlanguage = \"both\"\n[findings.rdp]\naliases = [\"scan_rdp\"]\nseverity = \"low\"\n\
        text_nl = \"Sluit.\"\ntext_en = \"Close.\"\n";
    let [own] = &alerts(&work, both, "2026-11-22-scan_rdp-nl.csv", shadowserver)[..] else { panic!() };
    assert_eq!(own["event_description.text"], "Sluit.\n\nClose.");
    // The record's own severity is the type's, which comes before any catalogue.
    assert_eq!((&own["extra.finding"], &own["severity"]), (&"rdp".into(), &"high".into()));
    for id in ["extra.alert_id", "extra.finding_id"] {
        assert_eq!(own[id], first[id]);
    }
}

#[test]
fn what_is_known_of_trouble_is_what_the_assessment_asks() {
    let work = Work::new();
    let config = "[findings.rotten]\nseverity = \"critical\"\npart = \"infected\"\naliases = [\"bot\"]\n\
        classification = \"infected-system\"\n[feeds.csv]\nidentifier = \"x\"\nseverity = \"low\"\n\
        [[assessment]]\ncode = \"bots\"\nthen = \"hold\"\nnl = \"n\"\nen = \"e\"\npart = \"infected\"\n\
        severity = \"critical\"\nclassification = \"infected-system\"\n";
    let dump = "ip,tag\n192.0.2.1,a;BOT\n192.0.2.2,a\n";
    work.write("config.toml", config);
    work.write("list.csv", dump);
    let report = work.dump("--config config.toml --map tag=tag --dry-run list.csv");
    assert_eq!((&report["alerts"], &report["held_by"]["assessment"]), (&1.into(), &1.into()), "{report}");
}
