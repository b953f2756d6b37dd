//! Spool, output, dry run; dumps seen before; names and modes.

use crate::work::{COUNTS, Work, alerts, read_summary};
use serde_json::Value;
use std::collections::BTreeMap;

const ROWS: &str = "\
ip,port,timestamp
192.0.2.16,80,2026-11-22
192.0.2.1,80,2026-11-22
198.51.100.1,80,2026-11-22
192.0.2.33,80,2026-11-22
192.0.2.2,80,2026-11-22
192.0.2.1,80,2026-11-22
2001:db8:2::1,80,2026-11-22
203.0.113.1,80,2026-11-22
192.0.2,80,2026-11-22
10.0.0.1,80,2026-11-22
";

fn work() -> Work {
    let work = Work::new();
    work.write("dump.csv", ROWS);
    work
}

const WORDS: &str = "--feed night --identifier open-rdp";

fn run_of(content: &str) -> String {
    format!("night-{}", &blake3::hash(content.as_bytes()).to_hex()[..16])
}

#[test]
fn a_run_is_laid_out_as_agreed() {
    let work = work();
    let dump = work.dump(&format!("{WORDS} --spool spool dump.csv"));
    let run = run_of(ROWS);
    assert_eq!((&dump["run"], &dump["state"]), (&run.clone().into(), &"published".into()));
    let modes: BTreeMap<String, String> = work
        .tree("spool")
        .into_iter()
        .map(|(path, (mode, _))| (path.replace(&run, "RUN"), format!("{mode:o}")))
        .collect();
    let expected = [
        ("cur", "3770"),
        ("done", "3770"),
        ("failed", "3770"),
        ("held", "700"),
        ("held/RUN", "700"),
        ("held/RUN/ncsc", "700"),
        ("held/RUN/ncsc/silent.jsonl", "600"),
        ("held/RUN/ncsc/twin-a.jsonl", "600"),
        ("held/RUN/ncsc/twin-b.jsonl", "600"),
        ("lock", "600"),
        ("new", "2750"),
        ("new/RUN", "2750"),
        ("new/RUN/manifest.json", "600"),
        ("new/RUN/ncsc", "2750"),
        ("new/RUN/ncsc/hosting.jsonl", "640"),
        ("new/RUN/ncsc/isp.jsonl", "640"),
        ("new/RUN/ncsc/manifest.json", "640"),
        ("new/RUN/ncsc/school.jsonl", "640"),
        ("runs", "700"),
        ("tmp", "700"),
    ];
    assert_eq!(modes, expected.map(|(path, mode)| (path.to_owned(), mode.to_owned())).into());
    let manifest: Value =
        serde_json::from_slice(&work.tree("spool")[&format!("new/{run}/manifest.json")].1).unwrap();
    for key in COUNTS.into_iter().filter(|key| *key != "seconds") {
        assert_eq!(manifest["counts"][key], dump[key], "{key}");
    }
    assert_eq!(manifest["dump"]["blake3"], blake3::hash(ROWS.as_bytes()).to_hex().as_str());
    work.run("spool verify --spool spool").check(0, &[]);
}

#[test]
fn a_sender_is_told_nothing_about_where_the_dump_came_from() {
    let work = work();
    work.write("from-a-secret-source.csv", ROWS);
    work.dump(&format!("{WORDS} --spool spool from-a-secret-source.csv"));
    for (path, (mode, content)) in work.tree("spool") {
        let text = String::from_utf8(content).unwrap();
        let is_private = mode & 0o077 == 0;
        assert!(is_private || !text.contains("secret") && !text.contains("register.csv"), "{path}");
    }
}

#[test]
fn a_dump_seen_before_says_when_and_changes_nothing() {
    let work = work();
    let words = format!("{WORDS} --spool spool dump.csv");
    let first = work.dump(&words);
    let before = work.tree("spool");
    let done = work.matched(&format!("--json {words}"));
    let published =
        std::fs::metadata(work.path(&format!("spool/new/{}/manifest.json", run_of(ROWS)))).unwrap();
    let since = published.modified().unwrap().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let when = dijkwacht::moment::Moment::from_unix(since as i64, 0).unwrap().id_text();
    done.check(0, &["dump.csv: already published", &when, "--label"]);
    let again = done.summary()["dumps"][0].clone();
    assert_eq!((&again["state"], &again["run"]), (&"already_published".into(), &first["run"]));
    assert_eq!(work.tree("spool"), before);
    // By another name, another compression and another way it is the same dump; in another feed it is not.
    work.write("other.gz", crate::work::gzip(ROWS.as_bytes()));
    assert_eq!(work.dump(&format!("{WORDS} --spool spool --io read other.gz"))["state"], "already_published");
    assert_eq!(work.dump("--feed other --identifier x --spool spool dump.csv")["state"], "published");
}

#[test]
fn a_label_publishes_a_dump_again_with_the_same_ids() {
    let work = work();
    let run = work.dump(&format!("{WORDS} --spool spool dump.csv"))["run"].as_str().unwrap().to_owned();
    let words = format!("{WORDS} --spool spool --label corrected dump.csv");
    let again = work.dump(&words);
    assert_eq!((&again["run"], &again["state"]), (&format!("{run}+corrected").into(), &"published".into()));
    let ids = |run: &str| {
        let alerts = work.alerts(&format!("spool/new/{run}/ncsc/school.jsonl"));
        alerts.iter().map(|alert| alert["extra.alert_id"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&run), ids(&format!("{run}+corrected")));
    assert_eq!(work.dump(&words)["state"], "already_published");
    for label in ["", "UP", "_a", "a+b", "a/b"] {
        let mut command =
            work.command(&crate::work::match_words(&format!("{WORDS} --spool spool dump.csv --label")));
        let done = crate::work::Done::of(command.arg(label).spawn().unwrap());
        done.check(64, &["--label"]);
    }
}

/// What the spool of [`ROWS`] tells, sorted as an output is.
fn spooled(work: &Work) -> Vec<Value> {
    work.dump(&format!("{WORDS} --spool spool dump.csv"));
    let run = format!("spool/new/{}/ncsc", run_of(ROWS));
    let mut told: Vec<Value> = work
        .files(&run)
        .iter()
        .filter(|file| file.ends_with(".jsonl"))
        .flat_map(|file| work.alerts(&format!("{run}/{file}")))
        .collect();
    told.sort_by_key(|alert| {
        (alert["extra.owner.id"].as_str().unwrap().to_owned(), alert["extra.record"].as_u64())
    });
    told
}

#[test]
fn an_output_holds_the_alerts_by_owner_and_record_and_nothing_is_remembered() {
    let work = work();
    let expected = spooled(&work);
    assert_eq!(expected.len(), 5);
    for way in ["", "--chunk-bytes 1", "--io read", "--io mmap-once --chunk-bytes 64"] {
        let done = work.matched(&format!("{WORDS} --json {way} --output out.jsonl dump.csv"));
        let dump = &done.summary()["dumps"][0];
        assert_eq!((&dump["state"], &dump["run"]), (&"published".into(), &run_of(ROWS).into()));
        assert_eq!((&dump["alerts"], &dump["held"]), (&5.into(), &3.into()));
        assert_eq!(work.alerts("out.jsonl"), expected, "{way}");
        let done = work.matched(&format!("{WORDS} --json {way} --output - dump.csv"));
        assert_eq!((done.code, alerts(&done.out)), (0, expected.clone()), "{way}");
        assert_eq!(read_summary(&done.err)["dumps"][0]["alerts"], 5);
    }
    let done = work.matched(&format!("{WORDS} --output - dump.csv"));
    done.check(0, &["alerts     5"]);
    assert_eq!(alerts(&done.out), expected);
}

#[test]
fn an_output_that_fails_leaves_the_file_that_was_there() {
    let work = work();
    let check = |words: &str, code| {
        work.write("out.jsonl", "before");
        assert_eq!(work.matched(words).code, code, "{words}");
        assert_eq!(std::fs::read(work.path("out.jsonl")).unwrap(), b"before", "{words}");
        let left: Vec<String> = work.files("").into_iter().filter(|file| file.ends_with(".tmp")).collect();
        assert!(left.is_empty(), "{words}: {left:?}");
    };
    check("--output out.jsonl missing.csv", 66);
    check("--output out.jsonl --register missing.csv dump.csv", 66);
    check("--output out.jsonl --index register.csv dump.csv", 65);
    check("--output out.jsonl --rejects missing/rejects dump.csv", 73);
}

#[test]
fn an_output_of_several_dumps_holds_those_that_went_well() {
    let work = work();
    work.write("two.csv", "ip\n192.0.2.3\n");
    let done = work.matched(&format!("{WORDS} --output out.jsonl missing.csv two.csv dump.csv"));
    done.check(66, &[]);
    let records: Vec<_> = work.alerts("out.jsonl").iter().map(|alert| alert["source.ip"].clone()).collect();
    assert_eq!(records[0], "192.0.2.3");
    assert_eq!(records.len(), 6);
}

#[test]
fn a_full_or_closed_standard_output_is_no_bug() {
    let work = work();
    let words = crate::work::match_words(&format!("{WORDS} --output - dump.csv"));
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let done = crate::work::Done::of(work.command(&words).stdout(full).spawn().unwrap());
    done.check(75, &["No space left"]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let done = crate::work::Done::of(work.command(&words).stdout(writer).spawn().unwrap());
    // Alerts that nobody took are lost, which is said by the code alone.
    done.check(74, &[]);
    assert!(!done.err.contains("panicked") && !done.err.contains("error"), "{}", done.err);
}

#[test]
fn a_summary_that_nobody_reads_changes_no_exit_code() {
    let work = work();
    for (dump, code) in [("dump.csv", 0), ("missing.csv", 66)] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let words = crate::work::match_words(&format!("{WORDS} --dry-run {dump}"));
        crate::work::Done::of(work.command(&words).stdout(writer).spawn().unwrap()).check(code, &[]);
    }
}

#[test]
fn a_dry_run_counts_the_same_and_leaves_nothing() {
    let work = work();
    let before = work.tree("");
    let dry = work.dump(&format!("{WORDS} --dry-run dump.csv"));
    assert_eq!(work.tree(""), before);
    let mut real = work.dump(&format!("{WORDS} --spool spool dump.csv"));
    assert_eq!((&dry["state"], &dry["run"]), (&"dry_run".into(), &Value::Null));
    for key in ["state", "run", "seconds"] {
        real[key] = dry[key].clone();
    }
    assert_eq!(dry, real);
    assert_eq!(
        work.dump(&format!("{WORDS} --dry-run --spool spool2 --io read --chunk-bytes 3 dump.csv"))["alerts"],
        real["alerts"]
    );
}

#[test]
fn a_dry_run_wins_over_the_configured_spool() {
    let work = work();
    work.write("config.toml", "[spool]\npath = \"configured\"\n[register]\nsources = [\"register.csv\"]\n");
    let words = "--run-time 2026-11-22 --identifier x --config config.toml";
    let done = work.run(&format!("match {words} --dry-run dump.csv"));
    done.check(0, &[]);
    assert!(!work.path("configured").exists());
    work.run(&format!("match {words} --output out dump.csv")).check(0, &[]);
    assert!(!work.path("configured").exists());
    work.run(&format!("match {words} dump.csv")).check(0, &[]);
    assert!(work.path("configured/new").exists());
    let mut command = work.command("match --run-time 2026-11-22 --identifier x dump.csv");
    let done = crate::work::Done::of(command.env("DIJKWACHT_CONFIG", "config.toml").spawn().unwrap());
    done.check(0, &["already published"]);
}

#[test]
fn a_run_with_nothing_to_send_is_published_too() {
    let work = Work::new();
    work.write("quiet", "");
    work.write("array", "[]");
    work.write("header.csv", "ip,port\n");
    for (dump, format) in [("quiet", "csv"), ("array", "masscan"), ("header.csv", "csv"), ("quiet", "ndjson")]
    {
        let words =
            format!("--feed {format}-{} --format {format} --spool spool {dump}", dump.replace('.', "-"));
        let summary = work.dump(&words);
        assert_eq!((&summary["state"], &summary["records"]), (&"published".into(), &0.into()), "{dump}");
        let run = summary["run"].as_str().unwrap();
        assert!(work.path(&format!("spool/new/{run}/manifest.json")).exists());
        assert_eq!(work.dump(&words)["state"], "already_published");
    }
    // A header and an array say themselves what they are.
    assert_eq!(work.dump("--dry-run header.csv")["records"], 0);
    assert_eq!(work.dump("--dry-run array")["records"], 0);
}

#[test]
fn a_claim_that_nobody_hears_of_is_given_back() {
    let work = work();
    work.dump(&format!("{WORDS} --spool spool dump.csv"));
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let take = "spool take --spool spool";
    crate::work::Done::of(work.command(take).stdout(full).spawn().unwrap()).check(75, &["No space left"]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    crate::work::Done::of(work.command(take).stdout(writer).spawn().unwrap()).check(75, &[]);
    work.run(take).check(0, &[]);
}

#[test]
fn a_dump_that_would_now_be_read_otherwise_says_what_was_published() {
    let work = work();
    let words = "--run-time 2026-11-22 --spool spool dump.csv";
    work.matched(words).check(0, &["--identifier NAME", "--label TEXT, since this run is published now"]);
    let done = work.matched(&format!("--identifier x {words}"));
    done.check(0, &["already published", "warning: 0 alerts and 7 held were published then", "5 and 3"]);
    assert!(done.out.contains("held in "), "{}", done.out);
}
