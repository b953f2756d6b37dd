//! `assess`: the page for the public, and the answer for given inputs.

#![allow(clippy::unwrap_used, reason = "helpers of tests are not seen as tests")]

#[path = "match_dumps/work.rs"]
#[allow(dead_code, reason = "each test uses its own part of it")]
mod work;

use serde_json::{Value, json};
use work::Work;

const RULES: &str = r#"
[feeds.partner]
permission = "agreement 7"
severity = "low"
reliability = "e"
[policy]
age_days_max = 3
[[assessment]]
code = "rumour"
reliability = ["E", "F"]
credibility = 5
then = "hold"
nl = "Een gerucht | van horen zeggen."
en = "Hearsay."
[[assessment]]
code = "noise"
severity = ["low", "info"]
role = "network"
then = "drop"
nl = "Ruis."
en = "Noise."
[[assessment]]
code = "victims"
part = "victim"
then = "redact"
redact = ["source.port", "extra.tag"]
nl = "Minder."
en = "Less."
"#;

fn work() -> Work {
    let work = Work::new();
    work.write("dijkwacht.toml", RULES);
    work
}

#[track_caller]
fn check(words: &str, outcome: &str, reason: Option<&str>, code: Option<&str>) {
    let done = work().run(&format!("assess try --config dijkwacht.toml --json {words}"));
    done.check(0, &[]);
    let told: Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!(
        [&told["outcome"], &told["reason"], &told["code"]],
        [&json!(outcome), &json!(reason), &json!(code)]
    );
    assert!(
        ["nl", "en"].iter().all(|language| told[language].as_str().is_some_and(|text| text.ends_with('.')))
    );
}

#[test]
fn given_inputs_are_answered_as_a_run_would() {
    check("", "share", None, None);
    check("--credibility 5", "hold", Some("assessment"), Some("rumour"));
    check("--credibility 5 --reliability A", "share", None, None);
    check("--credibility 5 --part victim", "redact", None, Some("victims"));
    check("--credibility 5 --feed partner", "hold", Some("assessment"), Some("rumour"));
    check("--feed partner --role network", "drop", None, Some("noise"));
    check("--feed partner --role network --severity high", "share", None, None);
    check("--tlp [TLP:Amber-Strict] --feed partner", "share", None, None);
    check("--tlp amber+strict --feed partner --permission none", "hold", Some("tlp-permission"), None);
    check("--tlp red --feed partner", "hold", Some("tlp-permission"), None);
    check("--tlp red --permission report", "share", None, None);
    check("--tlp red --permission report --role link", "hold", Some("tlp-permission"), None);
    check("--tlp yellow", "hold", Some("tlp-unknown"), None);
    check("--scope located", "hold", Some("tlp-permission"), None);
    check("--scope located --tlp green", "share", None, None);
    check("--ground other", "hold", Some("assessment"), Some("no-ground"));
    check("--age-days 3", "share", None, None);
    check("--age-days 4", "hold", Some("too-old"), None);
}

#[test]
fn a_word_that_is_none_is_told_with_what_may_stand_there() {
    let work = work();
    let check = |words: &str, said: &str| {
        work.run(&format!("assess try --config dijkwacht.toml {words}")).check(64, &[said]);
    };
    check(
        "--severity hihg",
        "severity \"hihg\" is none of critical, high, medium, low, info, undefined, none; did you mean high?",
    );
    check("--part attaker", "did you mean attacker?");
    check("--role users", "did you mean user?");
    check("--reliability G", "reliability is a letter from A");
    check("--credibility 7", "credibility is a figure from 1");
    check("--classification vulnerable", "did you mean vulnerable-system?");
}

#[test]
fn the_page_has_every_rule_in_its_order_in_both_languages() {
    let work = work();
    let page = work.run("assess table --config dijkwacht.toml");
    page.check(0, &[]);
    assert!(page.out.contains("more than 3 days"), "{}", page.out);
    let rules: Vec<&str> = page.out.lines().filter(|line| line.starts_with('|')).skip(8).collect();
    assert_eq!(
        rules,
        [
            "| 1 | reliability E or F, credibility 5 | hold | rumour | Hearsay. | Een gerucht \\| van horen zeggen. |",
            "| 2 | severity low or info, role network | drop | noise | Noise. | Ruis. |",
            "| 3 | part victim | share without source.port, extra.tag | victims | Less. | Minder. |",
        ]
    );
    let table = work.run("assess table --json --config dijkwacht.toml");
    let table: Value = serde_json::from_str(&table.out).unwrap();
    let codes: Vec<&Value> = table.as_array().unwrap().iter().map(|rule| &rule["code"]).collect();
    assert_eq!(codes, ["rumour", "noise", "victims"]);
    work.write("empty.toml", "");
    assert!(work.run("assess table --config empty.toml").out.contains("there are no rules"));
}

#[test]
fn a_rule_that_can_never_decide_is_refused() {
    let rule = |code: &str, then: &str, asks: &str| {
        let fields = if then == "redact" { "redact = [\"extra.tag\"]\n" } else { "" };
        format!(
            "[[assessment]]\ncode = \"{code}\"\nthen = \"{then}\"\n{fields}{asks}\nnl = \"n\"\nen = \"e\"\n"
        )
    };
    let check = |code: i32, rules: &[(&str, &str)], said: &[&str]| {
        let names = ["a", "b", "c"];
        let rules: Vec<String> =
            names.iter().zip(rules).map(|(name, &(then, asks))| rule(name, then, asks)).collect();
        let work = Work::new();
        work.write("dijkwacht.toml", rules.concat());
        work.run("assess table --config dijkwacht.toml").check(code, said);
    };
    let low = "severity = [\"low\", \"info\"]";
    for (before, behind) in [
        ("", ""),
        ("", low),
        (low, low),
        (low, "severity = \"low\""),
        (low, "severity = \"info\"\nrole = \"user\""),
        ("older_than_days = 3", "older_than_days = 3"),
        ("older_than_days = 3", "older_than_days = 4"),
    ] {
        let never = ["rule 2, b: it never decides, since a before it fits all that it fits"];
        check(78, &[("share", before), ("drop", behind)], &never);
        check(78, &[("hold", before), ("drop", behind)], &never);
        check(78, &[("redact", before), ("redact", behind)], &never);
        check(0, &[("hold", before), ("redact", behind)], &[]);
        check(78, &[("hold", before), ("redact", behind), ("redact", behind)], &["rule 3, c", "since b"]);
    }
    for (before, behind) in [
        (low, ""),
        (low, "severity = [\"low\", \"high\"]"),
        (low, "role = \"user\""),
        ("older_than_days = 3", "older_than_days = 2"),
        ("older_than_days = 3", ""),
    ] {
        check(0, &[("share", before), ("drop", behind)], &[]);
    }
    let high = "severity = \"high\"";
    check(0, &[("hold", high), ("share", ""), ("redact", high)], &[]);
    check(0, &[("hold", high), ("drop", ""), ("redact", high)], &[]);
    check(78, &[("hold", high), ("share", ""), ("drop", high)], &["rule 3, c", "since a"]);
    check(78, &[("share", ""), ("hold", high), ("redact", high)], &["rule 2, b", "since a"]);
    check(78, &[("hold", "older_than_days = 14")], &["age_days_max = 14 days is held before"]);
    check(0, &[("hold", "older_than_days = 13")], &[]);
    check(78, &[("hold", "tlp = []")], &["rule 1, a: tlp is an empty list (leave it out"]);
}
