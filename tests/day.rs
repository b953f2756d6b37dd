//! A day in miniature: three feeds, a one-off list with a report, a bad list that blows the fuse, a conflict that is released, a
//! register that is corrected and the moved alerts told again, an owner that is forgotten, and a minister who asks how it went. Every
//! number is reconciled with the books.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "match_dumps/work.rs"]
#[allow(dead_code, reason = "each test uses its own part of it")]
mod work;

use serde_json::{Value, json};
use std::collections::BTreeMap;
use work::{Work, count};

const REGISTER: &str = "\
owner_id,name,kvk,constituency,sector,ground,role,network,domain,asn,contact,link
isp,Provider,,business,telecom,,network,192.0.2.0/24,,,abuse@isp.example,
school,School,,vital,education,,user,192.0.2.0/28,,,cert@school.example,
shop,Shop,,business,retail,,user,192.0.2.16/28,,,it@shop.example,
twin-a,Twin A,,business,,,user,192.0.2.32/29,,,a@twin.example,
twin-b,Twin B,,business,,,user,192.0.2.32/29,,,b@twin.example,
hospital,Hospital,,vital,health,,user,192.0.2.48/28,,,cert@hospital.example,care
care,Care CERT,,link-organisation,health,csirt,link,192.0.2.48/28,,,warn@care.example,
";

const CONFIG: &str = r#"
[spool]
path = "spool"
[register]
sources = ["register.csv"]
index = "owners.dwi"

[feeds.scans]
label = "Nightly scans"
reliability = "A"
credibility = 2
tlp = "GREEN"
link_mode = "copy"

[feeds.partner]
permission = "agreement 2026-03"
reliability = "B"
alerts_max = 3

[feeds.rumours]
reliability = "E"
credibility = 5

[[assessment]]
code = "rumour"
reliability = ["D", "E", "F"]
credibility = [4, 5, 6]
severity = ["low", "info"]
then = "drop"
nl = "Een gerucht over iets kleins."
en = "A rumour about something small."
[[assessment]]
code = "weak-source"
reliability = ["D", "E"]
part = "exposed"
then = "redact"
redact = ["event_description.text", "extra.tag"]
nl = "Wat de bron erbij schrijft, gaat niet mee."
en = "What the source writes about it does not go along."

[[exceptions]]
owner = "shop"
identifier = "open-telnet"
reason = "a museum piece, and known"
by = "A. Analyst"
until = 2026-12-31
"#;

/// Books of the day: what each run says of itself.
struct Day {
    work: Work,
    books: Vec<Value>,
}

const HEADER: &str = "ip,port,transport,timestamp,identifier,severity,tlp,tag\n";

fn row(last: u8, identifier: &str, severity: &str, tlp: &str) -> String {
    format!("192.0.2.{last},80,tcp,2026-11-22T01:02:03Z,{identifier},{severity},{tlp},said-aside\n")
}

impl Day {
    fn begin() -> Self {
        let work = Work::new();
        work.write("register.csv", REGISTER);
        work.write("dijkwacht.toml", CONFIG);
        work.run("index build -o owners.dwi register.csv").check(0, &[]);
        Self { work, books: Vec::new() }
    }

    /// Runs a dump of a feed at noon; its books balance and are kept.
    fn dump(&mut self, feed: &str, name: &str, rows: &[String], words: &str) -> Value {
        self.work.write(name, format!("{HEADER}{}", rows.concat()));
        let done = self.work.run(&format!(
            "match --config dijkwacht.toml --json --feed {feed} --run-time 2026-11-22T12:00:00Z {words} {name}"
        ));
        let books = done.summary()["dumps"][0].clone();
        assert_eq!(books["state"], "published", "{books}");
        self.books.push(books.clone());
        books
    }

    /// Who is told what in a run, as the files say: owner to identifiers of notices, and of held lines with their reason.
    fn told(&self, run: &Value) -> BTreeMap<String, u64> {
        let run = run["run"].as_str().unwrap();
        let mut told = BTreeMap::new();
        for part in ["new", "held"] {
            let root = format!("spool/{part}/{run}");
            for file in self.work.files(&root).iter().filter(|file| file.ends_with(".jsonl")) {
                for alert in self.work.alerts(&format!("{root}/{file}")) {
                    let reason = alert["extra.held.reason"].as_str().map_or("told", |reason| reason);
                    let key = format!("{} {reason}", alert["extra.owner.id"].as_str().unwrap());
                    *told.entry(key).or_default() += 1;
                }
            }
        }
        told
    }

    #[track_caller]
    fn check(&self, run: &Value, expected: &[(&str, u64)]) {
        let expected: BTreeMap<String, u64> = expected.iter().map(|&(key, n)| (key.to_owned(), n)).collect();
        assert_eq!(self.told(run), expected);
        let lines = |is_told: bool| {
            expected.iter().filter(|(key, _)| key.ends_with(" told") == is_told).map(|(_, n)| n).sum::<u64>()
        };
        assert_eq!((count(run, "alerts"), count(run, "held")), (lines(true), lines(false)), "{run}");
    }

    fn run(&self, words: &str) -> String {
        let done = self.work.run(words);
        done.check(0, &[]);
        done.out
    }
}

#[test]
fn a_day_in_miniature_adds_up() {
    let mut day = Day::begin();

    // In the night three feeds come in. Scans are shared with the hospital's link organisation too; one is a conflict.
    let scans = day.dump(
        "scans",
        "scans.csv",
        &[
            row(1, "open-rdp", "high", ""),
            row(2, "open-telnet", "medium", ""),
            row(17, "open-telnet", "medium", ""), // excepted
            row(33, "open-rdp", "high", ""),      // two claim it
            row(49, "open-rdp", "critical", ""),
            row(200, "open-rdp", "high", "purple"), // nobody can read that
            row(201, "open-rdp", "high", "red"),    // nobody may be told that
            "8.8.8.8,80,tcp,2026-11-22T01:02:03Z,open-rdp,high,,\n".to_owned(),
            "192.0.2.1.1,80,tcp,2026-11-22T01:02:03Z,open-rdp,high,,\n".to_owned(),
        ],
        "",
    );
    day.check(
        &scans,
        &[
            ("school told", 2),
            ("hospital told", 1),
            ("care told", 1),
            ("twin-a conflict", 1),
            ("twin-b conflict", 1),
            ("isp tlp-unknown", 1),
            ("isp tlp-permission", 1),
        ],
    );
    assert_eq!(
        (&scans["excepted"], &scans["unmatched"], &scans["rejected"]),
        (&json!(1), &json!(1), &json!(1))
    );

    // The partner's permission lets AMBER+STRICT go to users, and to nobody else.
    let partner = day.dump(
        "partner",
        "partner.csv",
        &[row(3, "stolen-key", "high", "amber+strict"), row(203, "stolen-key", "high", "amber+strict")],
        "",
    );
    day.check(&partner, &[("school told", 1), ("isp tlp-permission", 1)]);

    // A rumour about something small is dropped; what goes, goes without what the source writes about it.
    let rumours = day.dump(
        "rumours",
        "rumours.csv",
        &[row(4, "odd-banner", "low", ""), row(18, "open-rdp", "high", "")],
        "",
    );
    day.check(&rumours, &[("shop told", 1)]);
    assert_eq!((&rumours["dropped"], &rumours["decisions"]), (&json!(1), &json!(2)));
    let redacted = format!("spool/new/{}/ncsc/shop.jsonl", rumours["run"].as_str().unwrap());
    let redacted = &day.work.alerts(&redacted)[0];
    assert_eq!(
        (&redacted["extra.assessment"], &redacted["extra.tag"]),
        (&json!("weak-source"), &Value::Null)
    );

    // A researcher mails a list, RED, and says in the mail that users may be told; nobody hears who wrote.
    let mail = "reference = \"mail 81\"\nprovider = \"R. Searcher\"\nreceived = 2026-11-22\nobserved = 2026-11-21\n\
        tlp = \"RED\"\npermission = \"mail 81\"\nidentifier = \"leaked-key\"\nseverity = \"critical\"\n\
        text_nl = \"Trek de sleutel in.\"\nassessed_by = \"A. Analyst\"\n";
    day.work.write("keys.csv.toml", mail);
    let keys = day.dump(
        "once",
        "keys.csv",
        &[row(5, "", "", ""), row(204, "", "", "")].map(|row| row.replace("2026-11-22T01:02:03Z", "")),
        "",
    );
    day.check(&keys, &[("school told", 1), ("isp tlp-permission", 1)]);
    let notice = format!("spool/new/{}/ncsc/school.jsonl", keys["run"].as_str().unwrap());
    let told = &day.work.alerts(&notice)[0];
    for (key, value) in [
        ("classification.identifier", "leaked-key"),
        ("severity", "critical"),
        ("time.source", "2026-11-21T00:00:00+00:00"),
        ("event_description.text", "Trek de sleutel in."),
        ("extra.tlp", "RED"),
    ] {
        assert_eq!(told[key], value, "{told}");
    }
    for (path, (_, bytes)) in day.work.tree("spool") {
        let names = String::from_utf8_lossy(&bytes).contains("Searcher");
        assert_eq!(names, path == format!("new/{}/manifest.json", keys["run"].as_str().unwrap()), "{path}");
    }

    // A bad list of the same partner: more than it ever sends. Nobody is told, and a line says which limit.
    let rows: Vec<String> = (1..=15).map(|last| row(last, "open-ssh", "medium", "")).collect();
    let bad = day.dump("partner", "bad.csv", &rows, "");
    day.check(&bad, &[("school fuse", 15)]);
    assert_eq!(bad["fuse"]["limit"], "alerts_max");
    let run = bad["run"].as_str().unwrap();
    let thrown = format!(
        "held discard --config dijkwacht.toml --run {run} --reason fuse --because withdrawn --by analyst"
    );
    day.run(&thrown);

    // Somebody called both twins.
    let held = day.run("held show --config dijkwacht.toml --json --owner twin-a");
    let held: Value = serde_json::from_str(held.lines().next().unwrap()).unwrap();
    let id = held["alert_id"].as_str().unwrap();
    day.run(&format!("held release {id} --config dijkwacht.toml --because called --by analyst"));
    let released = format!("spool/new/{}+held-1", scans["run"].as_str().unwrap());
    assert_eq!(day.work.alerts(&format!("{released}/ncsc/twin-a.jsonl")).len(), 1);

    // The shop was the school's all along: the register is put right, and only what moves is told again.
    day.work.write(
        "register.csv",
        REGISTER
            .replace(
                "school,School,,vital,education,,user,192.0.2.0/28",
                "school,School,,vital,education,,user,192.0.2.0/27",
            )
            .replace(
                "shop,Shop,,business,retail,,user,192.0.2.16/28",
                "shop,Shop,,business,retail,,user,198.51.100.0/28",
            ),
    );
    day.work.run("index build -o corrected.dwi register.csv").check(0, &[]);
    let words = "--index corrected.dwi --label right --because wrong-register --changed-since owners.dwi";
    let moved = day.dump(
        "rumours",
        "rumours.csv",
        &[row(4, "odd-banner", "low", ""), row(18, "open-rdp", "high", "")],
        words,
    );
    day.check(&moved, &[("school told", 1)]);

    // `spool trace` finds every alert of an address, whoever was told.
    let trace = day.run("spool trace --config dijkwacht.toml --json 192.0.2.18");
    let traced: Vec<Value> = trace.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(traced.len(), 2, "{trace}");

    // The minister asks. Only what was told counts: of the notices, and of what was released.
    let report: Value =
        serde_json::from_str(&day.run("report --config dijkwacht.toml --since 2020-01-01 --json")).unwrap();
    let alerts: u64 = day.books.iter().map(|books| count(books, "alerts")).sum();
    assert_eq!(report["total"]["alerts"], alerts + 1, "{report}");
    let held: u64 = day.books.iter().map(|books| count(books, "held")).sum();
    assert_eq!(report["total"]["held"], held, "{report}");

    // What still waits is what nobody decided: what was held, less the discarded list and the conflict.
    let waiting = day.work.run("held list --config dijkwacht.toml --json --run-time 2026-11-22T13:00:00Z");
    let waiting: Value = serde_json::from_str(&waiting.out).unwrap();
    assert_eq!(waiting["waiting"], held - 15 - 2, "{waiting}");

    // The hospital asks to be forgotten: nothing of it is left, and how much went is known.
    day.run("spool forget --config dijkwacht.toml --owner hospital --because asked");
    day.run("spool verify --config dijkwacht.toml");
    let left = day.work.files("spool");
    assert!(left.iter().all(|file| !file.contains("hospital")), "{left:?}");
}
