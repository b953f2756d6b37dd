//! `dijkwacht held`: what waits for a person, and that each decision is done once, wholly or not at all.
//!
//! By default a fault at each durable call of `held release`, a random walk of decisions against the books, and several
//! persons at once. All calls that change something, and random kills:
//!
//! ```sh
//! HELD_KILLS=200 cargo test --release --test held -- --include-ignored --nocapture
//! ```
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test may panic and print"
)]

mod faults;
#[path = "match_dumps/work.rs"]
#[allow(dead_code, reason = "each test uses its own part of it")]
mod work;

use faults::{Fault, Point, Trial, has_strace};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use work::{Done, REGISTER, RUN_TIME, Work, alerts};

const HEADER: &str = "ip,port,transport,timestamp,identifier,severity\n";
/// Of each reason that needs no other configuration; the first is sent.
const ROWS: &str = "\
192.0.2.1,80,tcp,2026-11-22T01:02:03Z,open-rdp,low
192.0.2.33,80,tcp,2026-11-22T01:02:03.123456789Z,open-rdp,critical
192.0.2.34,80,tcp,2026-11-22T01:02:03Z,open-rdp,low
192.0.2.65,80,tcp,2026-11-10T01:02:03Z,open-rdp,high
203.0.113.5,80,tcp,2026-11-22T01:02:03Z,open-rdp,
192.0.2.0/27,80,tcp,2026-11-22T01:02:03Z,open-rdp,low
192.0.2.0/24,81,tcp,2026-11-22T01:02:03Z,open-rdp,info
192.0.2.2,80,tcp,2026-12-22T01:02:03Z,open-rdp,medium
";
/// What persons say.
const WORD: &str = "--because called --by analyst";

/// A spool in which a run holds something of each kind.
fn held() -> Work {
    let work = Work::new();
    let far = "far,Far,vital,user,100.64.0.0/10,far@far.example,,\n";
    work.write("register.csv", format!("{REGISTER}{far}"));
    work.write("dump.csv", format!("{HEADER}{ROWS}"));
    work.dump("--feed night --spool spool dump.csv");
    work
}

fn decide(work: &Work, words: &str) -> Done {
    work.run(&format!(
        "held {words} {WORD} --spool spool --register register.csv --run-time {RUN_TIME} --json"
    ))
}

fn decided(work: &Work, words: &str) -> Value {
    let done = decide(work, words);
    done.check(0, &[]);
    serde_json::from_str(&done.out).unwrap_or_else(|_| panic!("{words}: {}{}", done.out, done.err))
}

/// All that waits, as `held show --json` tells it.
fn waiting(work: &Work, words: &str) -> Vec<Value> {
    alerts(&work.run(&format!("held show --json --spool spool {words}")).out)
}

/// Every alert of every notice in `new` whose run is a decision.
fn released(work: &Work) -> Vec<Value> {
    let files = work.files("spool/new");
    let notices = files.iter().filter(|file| file.contains("+held-") && file.ends_with(".jsonl"));
    notices.flat_map(|file| work.alerts(&format!("spool/new/{file}"))).collect()
}

fn assert_clean(work: &Work) {
    work.run("spool verify --spool spool").check(0, &[]);
}

#[test]
fn what_waits_is_counted_as_the_books_count_it_the_worst_first() {
    let work = held();
    let list = |words: &str| {
        let done = work.run(&format!("held list --spool spool --json {words}"));
        (done.code, serde_json::from_str::<Value>(&done.out).unwrap())
    };
    let manifest = work.files("spool/new").into_iter().find(|file| !file.contains("ncsc")).unwrap();
    let manifest: Value =
        serde_json::from_slice(&std::fs::read(work.path(&format!("spool/new/{manifest}"))).unwrap()).unwrap();
    let (_, by_reason) = list("--by reason");
    let groups = by_reason["groups"].as_array().unwrap();
    let counts: serde_json::Map<String, Value> = groups
        .iter()
        .map(|group| (group["reason"].as_str().unwrap().to_owned(), group["waiting"].clone()))
        .collect();
    assert_eq!(Value::Object(counts), manifest["counts"]["held_by"]);
    assert_eq!(by_reason["waiting"], manifest["counts"]["held"]);
    let worst: Vec<&str> = groups.iter().map(|group| group["worst"].as_str().unwrap()).collect();
    assert_eq!(worst[..3], ["critical", "high", "medium"]);
    for by in ["--by feed", "--by owner", "--by run", ""] {
        let (code, all) = list(by);
        assert_eq!((code, &all["waiting"]), (0, &by_reason["waiting"]), "{by}");
    }
    assert_eq!(list("--reason conflict --owner TWIN-A").1["waiting"], 2);
    assert_eq!(list("--feed other").1["waiting"], 0);
    assert_eq!(list("--older-than 1").1["waiting"], 0);
}

#[test]
fn an_alert_is_overdue_a_second_after_the_days_of_its_severity() {
    let work = held();
    let since = waiting(&work, "--reason moved")[0]["since"].as_str().unwrap().to_owned();
    let since = dijkwacht::moment::Moment::read(since.as_bytes()).unwrap();
    let at = |seconds: i64| {
        let at = dijkwacht::moment::Moment::from_unix(since.unix_seconds() + seconds, 0).unwrap();
        work.run(&format!("held list --spool spool --reason moved --run-time {at}")).code
    };
    assert_eq!((at(2 * 86_400), at(2 * 86_400 + 1)), (0, 1), "high: two days by default");
    work.write("config.toml", "[spool]\npath = \"spool\"\n[held.overdue_days]\nhigh = 0\n");
    let soon = dijkwacht::moment::Moment::from_unix(since.unix_seconds() + 1, 0).unwrap();
    let done = work.run(&format!("held list --config config.toml --reason moved --run-time {soon}"));
    assert_eq!(done.code, 1, "{}", done.out);
    assert!(done.out.contains("2 alerts wait for a person, 2 of them for too long"), "{}", done.out);
    work.write("config.toml", "[held.overdue_days]\nhgih = 0\n");
    work.run("held list --config config.toml --spool spool").check(78, &["hgih"]);
}

#[test]
fn an_alert_is_shown_as_it_is_held_with_whom_else_it_is_held_for() {
    let work = held();
    let shown = waiting(&work, "--reason conflict --owner twin-a");
    assert_eq!(shown.len(), 2);
    let run = shown[0]["run"].as_str().unwrap();
    let lines = work.alerts(&format!("spool/held/{run}/ncsc/twin-a.jsonl"));
    for alert in &shown {
        assert!(lines.contains(&alert["alert"]));
        assert_eq!(alert["rivals"], serde_json::json!(["twin-b"]));
        assert_eq!(alert["contacts"], serde_json::json!(["a@twin.example"]));
    }
    let text = work.run(&format!("held show --spool spool {}", shown[0]["alert_id"].as_str().unwrap()));
    text.check(0, &[]);
    assert!(text.out.contains("twin-a (Twin A): a@twin.example") && text.out.contains("also     twin-b"));
    assert_eq!(work.run("held show --spool spool --feed other").code, 1);
}

#[test]
fn a_released_line_is_the_held_one_without_its_reason_in_a_run_of_its_own() {
    let work = held();
    let before = waiting(&work, "--reason future");
    let answer = decided(&work, "release --reason future");
    assert_eq!((&answer["released"], &answer["discarded"]), (&1.into(), &0.into()));
    let run = answer["runs"][0]["run"].as_str().unwrap();
    assert_eq!(run, format!("{}+held-1", answer["runs"][0]["of"].as_str().unwrap()));
    let mut expected = before[0]["alert"].as_object().unwrap().clone();
    expected.remove("extra.held.reason");
    expected.insert("extra.run".to_owned(), run.into());
    assert_eq!(released(&work), [Value::Object(expected)]);
    let manifest: Value =
        serde_json::from_slice(&std::fs::read(work.path(&format!("spool/new/{run}/manifest.json"))).unwrap())
            .unwrap();
    assert_eq!(manifest["decision"]["because"], "called");
    assert_eq!(manifest["decision"]["by"], "analyst");
    assert_eq!(manifest["decision"]["released"], serde_json::json!([before[0]["alert_id"]]));
    assert_clean(&work);
    // A mailer takes it as any run.
    let taken = work.run("spool take --spool spool");
    let again = work.run("spool take --spool spool");
    assert!([taken.out, again.out].concat().contains(&format!("{run}.ncsc\t")));
}

/// Whoever resolves a conflict has not been asked about the label: the label is asked then, of whom it goes to.
#[test]
fn a_label_binds_whoever_releases_what_is_held_for_another_reason() {
    let check = |permission: &str, row: &str, words: &str, refused: Option<&str>| {
        let work = Work::new();
        work.write("config.toml", format!("[feeds.night]\n{permission}"));
        let address = row.split(',').next().unwrap();
        work.write("dump.csv", format!("ip,port,timestamp,identifier,tlp\n{row}\n"));
        work.dump("--config config.toml --feed night --spool spool dump.csv");
        let done = decide(&work, &format!("release --all {words}"));
        match refused {
            Some(said) => done.check(64, &[said, "--despite-tlp"]),
            None => done.check(0, &[]),
        }
        let sent: Vec<Value> = released(&work);
        assert_eq!(sent.len(), usize::from(refused.is_none()), "{permission} {address} {words}: {sent:?}");
        if refused.is_some() {
            decide(&work, &format!("release --all --despite-tlp {words}")).check(0, &[]);
            assert_eq!(released(&work).len(), 1);
        }
    };
    let conflict = |label: &str| format!("192.0.2.33,80,2026-11-22T01:02:03Z,open-rdp,{label}");
    let (none, of_feed) = ("", "permission = \"mail\"\n");
    for label in ["CLEAR", "AMBER"] {
        check(none, &conflict(label), "--to twin-a", None);
        check(none, &conflict(label), "--to isp", None);
    }
    check(
        none,
        &conflict("AMBER+STRICT"),
        "--to twin-a",
        Some("AMBER+STRICT, does not let twin-a (user) be told"),
    );
    check(of_feed, &conflict("AMBER+STRICT"), "--to twin-a", None);
    check(of_feed, &conflict("AMBER+STRICT"), "--next", Some("does not let isp (network) be told"));
    let nowhere = "does not let hospital (without a registration there) be told";
    check(of_feed, &conflict("AMBER+STRICT"), "--to hospital", Some(nowhere));
    check(of_feed, &conflict("RED"), "--to twin-a", Some("RED, does not let twin-a (user) be told"));
    // What is held for its label is released by who decides about just that; to nobody else.
    let red = "192.0.2.1,80,2026-11-22T01:02:03Z,open-rdp,RED";
    check(none, red, "", None);
    check(none, red, "--to isp", Some("RED, does not let isp (network) be told"));
}

/// Copies are for others than the one that goes elsewhere.
#[test]
fn what_a_fuse_holds_for_others_waits_on_when_one_alert_goes_to_another() {
    let work = Work::new();
    work.write("config.toml", "[policy]\nnotify = \"user-and-network\"\n[feeds.night]\nmode = \"hold\"\n");
    work.write("dump.csv", format!("{HEADER}192.0.2.1,80,tcp,2026-11-22T01:02:03Z,open-rdp,low\n"));
    work.dump("--config config.toml --feed night --spool spool dump.csv");
    let decision = decided(&work, "release --owner school --to hospital");
    assert_eq!((&decision["released"], &decision["discarded"]), (&1.into(), &0.into()));
    let left = waiting(&work, "");
    assert_eq!((left.len(), &left[0]["owner_id"]), (1, &"isp".into()));
    let decision = decided(&work, "release --owner isp");
    assert_eq!((&decision["released"], &decision["discarded"]), (&1.into(), &0.into()));
    assert!(waiting(&work, "").is_empty());
}

#[test]
fn of_rivals_one_is_told_and_that_decides_for_all() {
    let work = held();
    let before = work.tree("spool");
    let refused = decide(&work, "release --reason conflict");
    refused.check(64, &["twin-a, twin-b", "--to"]);
    assert_eq!(work.tree("spool"), before, "nothing is done of what cannot be done whole");
    let answer = decided(&work, "release --reason conflict --owner twin-a");
    assert_eq!((&answer["released"], &answer["discarded"]), (&2.into(), &2.into()));
    let again = decide(&work, "release --reason conflict --owner twin-b");
    again.check(0, &["decided before"]);
    assert_eq!(released(&work).len(), 2);
    let answer = decided(&work, "release --reason moved --to old");
    assert_eq!((&answer["released"], &answer["discarded"]), (&1.into(), &1.into()));
    let told: BTreeSet<String> =
        released(&work).iter().map(|alert| alert["extra.owner.id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(told, BTreeSet::from(["old".to_owned(), "twin-a".to_owned()]));
    assert_clean(&work);
}

#[test]
fn each_part_of_a_prefix_is_decided_for_itself_unless_it_goes_to_another() {
    let work = held();
    let of_prefix = "--reason prefix --older-than 0";
    let parts = waiting(&work, of_prefix);
    let answer = decided(&work, "release --reason prefix --owner isp --owner school");
    assert_eq!((&answer["released"], &answer["discarded"]), (&4.into(), &0.into()));
    let left = waiting(&work, of_prefix);
    assert_eq!(left.len(), parts.len() - 4);
    decide(&work, "release --reason prefix --to school").check(64, &["school was told", "decision 1"]);
    let answer = decided(&work, "release --reason prefix --to far");
    assert_eq!((&answer["released"], &answer["discarded"]), (&1.into(), &3.into()), "{left:?}");
    assert!(waiting(&work, of_prefix).is_empty());
    assert_clean(&work);
}

/// The id is the one that `match` gives where the register names that owner in the first place.
#[test]
fn another_recipient_gets_its_own_id_contacts_and_sender() {
    let work = held();
    decided(&work, "release --reason conflict --to far");
    let told = released(&work);
    work.write("far.csv", "owner_id,network,contact\nfar,192.0.2.32/29,far@far.example\n");
    let run = work.dump("--register far.csv --feed night --spool other dump.csv");
    let other = format!("spool/../other/new/{}/ncsc/far.jsonl", run["run"].as_str().unwrap());
    let ids = |alerts: &[Value]| -> BTreeSet<String> {
        alerts.iter().map(|alert| alert["extra.alert_id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&told), ids(&work.alerts(&other)));
    for alert in &told {
        assert_eq!(alert["source.abuse_contact"], "far@far.example");
        assert_eq!((&alert["constituency"], &alert["extra.owner.name"]), (&"vital".into(), &"Far".into()));
        assert_eq!(alert["extra.match.rule"], Value::Null, "no registration says so");
        assert_eq!(alert["source.network"], Value::Null);
    }
    decide(&work, "release --reason moved --to nobody")
        .check(64, &["neither a claimant nor in the register"]);
    let without = format!("held release --reason moved --to far {WORD} --spool spool");
    work.run(&without).check(64, &["--index FILE"]);
}

#[test]
fn the_next_candidate_is_who_would_be_told_without_the_claimants() {
    let work = held();
    let answer = decided(&work, "release --reason conflict --reason moved --next");
    assert_eq!((&answer["released"], &answer["discarded"]), (&3.into(), &3.into()));
    for alert in released(&work) {
        assert_eq!(alert["extra.owner.id"], "isp");
        assert_eq!(alert["extra.match.rule"], "network-prefix");
        assert_eq!(alert["extra.match.registration"], "192.0.2.0/24");
        assert_eq!(alert["source.network"], "192.0.2.0/24");
    }
    decide(&work, "release --reason no-contact --next").check(64, &["nobody comes next"]);
}

#[test]
fn contacts_are_those_that_the_register_names_now() {
    let work = held();
    decide(&work, "release --reason no-contact").check(65, &["silent has no contact"]);
    let register = std::fs::read_to_string(work.path("register.csv")).unwrap();
    work.write("register.csv", register.replace("203.0.113.0/24,,,", "203.0.113.0/24,now@silent.example,,"));
    decided(&work, "release --reason no-contact");
    assert_eq!(released(&work)[0]["source.abuse_contact"], "now@silent.example");
}

#[test]
fn what_is_discarded_is_sent_to_nobody_and_stays_on_record() {
    let work = held();
    let all = waiting(&work, "").len();
    let dry = decided(&work, "discard --all --dry-run");
    assert_eq!(dry["discarded"], all);
    assert_eq!(waiting(&work, "").len(), all);
    let answer = decided(&work, "discard --all");
    assert_eq!((&answer["released"], &answer["discarded"]), (&0.into(), &all.into()));
    assert!(waiting(&work, "").is_empty() && released(&work).is_empty());
    let status: Value = serde_json::from_str(&work.run("spool status --json --spool spool").out).unwrap();
    assert_eq!((&status["held"], &status["new"]), (&0.into(), &2.into()));
    assert_clean(&work);
    decide(&work, "discard --all").check(0, &["decided before"]);
    decide(&work, "discard --feed other").check(1, &["nothing that is held is selected"]);
}

#[test]
fn a_decision_needs_a_selection_a_reason_and_a_name() {
    let work = held();
    for words in [
        "held release --spool spool --because x --by y",
        "held release --spool spool --all --by y",
        "held release --spool spool --all --because x",
        "held discard --spool spool --all --because x",
        "held release --spool spool --all --because x --by y --to a --next",
        "held release --spool spool --reason odd --because x --by y",
        "held release --spool spool --run odd --because x --by y",
        "held release --spool spool odd --because x --by y",
        "held release --all --because x --by y",
    ] {
        work.run(words).check(64, &[]);
    }
    let mut command = work.command("held discard --spool spool --all --by y --because");
    let blank = Done::of(command.arg(" ").spawn().unwrap());
    blank.check(64, &["--because"]);
    work.run("held list --spool nowhere").check(66, &[]);
    for words in ["held --help", "held release --help", "held list --help"] {
        work.run(words).check(0, &[]);
    }
    assert!(work.run("held --help").out.contains("Examples:"));
}

#[test]
fn a_label_is_never_taken_for_a_decision() {
    let work = held();
    work.matched("--feed night --spool spool --label held-1 dump.csv").check(64, &["held-<number>"]);
}

/// Whatever is decided in whatever order: each held line is decided at most once, no finding goes to two rivals, no alert is
/// sent twice, and the books add up after each step.
#[test]
fn no_order_of_decisions_sends_twice_or_loses_anything() {
    for seed in 0..3 {
        let mut random = fastrand::Rng::with_seed(seed);
        println!("seed {seed}");
        let work = held();
        let all = waiting(&work, "");
        let mut left = all.len();
        let (mut sent, mut dropped) = (0, 0);
        for _ in 0..25 {
            let now = waiting(&work, "");
            assert_eq!(now.len(), left);
            let Some(one) = random.choice(&now) else { break };
            let id = one["alert_id"].as_str().unwrap();
            let goal = ["discard", "release", "release --next", "release --to far", "release --to school"];
            let goal = random.choice(goal).unwrap();
            let done = decide(&work, &format!("{goal} {id}"));
            if done.code == 0 && !done.out.is_empty() {
                let answer: Value = serde_json::from_str(&done.out).unwrap();
                let count = |key: &str| answer[key].as_u64().unwrap() as usize;
                sent += count("released");
                dropped += count("discarded");
                left -= count("released") + count("discarded");
            } else {
                assert!([64, 65].contains(&done.code), "{goal} {id}: {}", done.err);
            }
            assert_eq!(sent + dropped + left, all.len());
        }
        let told = released(&work);
        assert_eq!(told.len(), sent);
        let ids: BTreeSet<_> = told.iter().map(|alert| alert["extra.alert_id"].to_string()).collect();
        assert_eq!(ids.len(), told.len(), "an alert was sent twice");
        let mut rivals = BTreeMap::<String, usize>::new();
        for alert in told {
            let is_of = |held: &&Value| {
                held["alert"]["extra.finding_id"] == alert["extra.finding_id"]
                    && held["alert"]["time.source"] == alert["time.source"]
            };
            let reason = all.iter().find(is_of).unwrap()["reason"].as_str().unwrap();
            if ["conflict", "moved"].contains(&reason) {
                *rivals.entry(alert["extra.finding_id"].to_string()).or_default() += 1;
            }
        }
        assert!(rivals.values().all(|&count| count == 1), "{rivals:?}");
        assert_clean(&work);
    }
}

#[test]
fn persons_who_decide_at_once_decide_once() {
    let work = held();
    let words = format!("held release --reason conflict --owner twin-a {WORD} --spool spool --json");
    let children: Vec<_> = (0..6).map(|_| work.command(&words).spawn().unwrap()).collect();
    let answers: Vec<Done> = children.into_iter().map(Done::of).collect();
    let sum: u64 = answers
        .iter()
        .inspect(|done| done.check(0, &[]))
        .filter_map(|done| serde_json::from_str::<Value>(&done.out).ok())
        .map(|answer| answer["released"].as_u64().unwrap())
        .sum();
    assert_eq!((sum, released(&work).len()), (2, 2));
    assert_clean(&work);
}

#[test]
fn a_run_is_retired_once_all_it_holds_is_decided_and_its_decisions_stay_known() {
    let work = held();
    let send_all = || {
        while let Some((claim, _)) = work.run("spool take --spool spool").out.split_once('\t') {
            work.run(&format!("spool done --spool spool {claim}")).check(0, &[]);
        }
    };
    let prune = || work.run("spool prune --older-than 0 --spool spool");
    decided(&work, "release --reason conflict --owner twin-a");
    send_all();
    prune().check(0, &["1 runs retired", "1 until a person decided"]);
    // The decision is in runs/ now, and counts.
    assert!(waiting(&work, "--reason conflict").is_empty() && !waiting(&work, "--reason moved").is_empty());
    let answer = decided(&work, "discard --all");
    assert!(answer["runs"][0]["run"].as_str().unwrap().ends_with("+held-2"));
    prune().check(0, &["2 runs retired"]);
    assert!(work.files("spool/new").is_empty());
    decide(&work, "discard --all").check(0, &["decided before"]);
    assert_clean(&work);
}

// ---- faults ----

fn place() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let place = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
    let work = held();
    let copied = Command::new("cp").arg("-a").arg(work.path("spool")).arg(place.path()).status().unwrap();
    assert!(copied.success());
    place
}

fn release(place: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dijkwacht"));
    command
        .args("held release --reason conflict --reason moved --reason future --owner twin-a --owner old --owner school".split(' '))
        .args(WORD.split(' '))
        .args(["--run-time", RUN_TIME, "--spool"])
        .arg(place.join("spool"))
        .env("RAYON_NUM_THREADS", "1")
        .env_remove("DIJKWACHT_CONFIG");
    command
}

/// Alerts of decisions, held lines that wait, and decisions.
fn state(place: &Path) -> (usize, usize, usize) {
    let spool = place.join("spool");
    let all = dijkwacht::spool::Held::open(&spool).unwrap();
    let (mut waiting, mut decisions) = (0, 0);
    for run in all.all().unwrap() {
        let held = all.read(&run).unwrap().unwrap();
        waiting += held.waiting().count();
        decisions += held.decisions.len();
    }
    let lines = |(path, (_, content)): (std::path::PathBuf, (u32, Vec<u8>))| {
        let path = path.to_str().unwrap();
        let counts = path.contains("+held-") && path.ends_with(".jsonl");
        if counts { content.iter().filter(|&&byte| byte == b'\n').count() } else { 0 }
    };
    (faults::tree(&spool.join("new")).into_iter().map(lines).sum(), waiting, decisions)
}

fn check_state(place: &Path) -> bool {
    let found = state(place);
    assert!(found == BEFORE || found == AFTER, "a decision in part: {found:?}");
    assert!(dijkwacht::spool::verify(&place.join("spool")).unwrap().is_clean());
    found == AFTER
}

/// Nothing is decided; all that waits of the dump does.
const BEFORE: (usize, usize, usize) = (0, 16, 0);
/// Two conflicts, a move and a future one are sent, three rivals are not.
const AFTER: (usize, usize, usize) = (4, 9, 1);

fn sweep(faults: &dyn Fn(&Point) -> Vec<Fault>) {
    if !has_strace() {
        return;
    }
    let start = Instant::now();
    let swept = Trial {
        command: &release,
        place: &place,
        faults,
        after_fault: &|place, _, _, ending| {
            let is_done = check_state(place);
            assert!(is_done || !ending.status.success(), "{ending:#?}");
        },
        after_all: &|place, _| {
            assert!(check_state(place), "lost");
            assert_eq!(dijkwacht::spool::status(&place.join("spool")).unwrap().tmp, 0, "left over");
        },
    }
    .sweep();
    println!("{} faults in {:.1?}: {:?}", swept.trials, start.elapsed(), swept.by_syscall);
    assert!(swept.by_syscall.contains_key("renameat2") && swept.by_syscall.contains_key("fsync"));
}

#[test]
fn a_fault_at_any_durable_call_of_a_release_decides_all_or_nothing_and_once() {
    sweep(&|point| match point.syscall.as_str() {
        "fsync" | "renameat2" | "write" | "flock" => {
            vec![Fault::Kill, Fault::Error("EIO"), Fault::Error("ENOSPC")]
        }
        "mkdirat" | "unlinkat" => vec![Fault::Kill],
        _ => Vec::new(),
    });
}

/// Calls that change something. Others are made on threads of their own too, where strace counts them apart.
#[test]
#[ignore = "a minute: every call that changes something"]
fn a_fault_at_any_changing_call_of_a_release_decides_all_or_nothing_and_once() {
    const CHANGES: [&str; 8] =
        ["fsync", "renameat2", "write", "flock", "mkdirat", "unlinkat", "fchmod", "fchown"];
    sweep(&|point| match CHANGES.contains(&point.syscall.as_str()) {
        true => vec![Fault::Kill, Fault::Error("EIO"), Fault::Error("ENOSPC")],
        false => Vec::new(),
    });
}

#[test]
fn random_kills_of_a_release_decide_all_or_nothing_and_once() {
    let kills: u32 = std::env::var("HELD_KILLS").map_or(10, |kills| kills.parse().unwrap());
    let timed = place();
    let start = Instant::now();
    assert!(faults::run(&release(timed.path())).status.success());
    let took = start.elapsed();
    let mut random = fastrand::Rng::with_seed(11);
    let (mut fired, mut tries) = (0, 0);
    while fired < kills {
        tries += 1;
        assert!(tries < 20 * kills + 100, "only {fired} of {tries} kills fired");
        let place = place();
        let mut command = release(place.path());
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_secs_f64(took.as_secs_f64() * random.f64()));
        let fires = child.try_wait().unwrap().is_none();
        let _ = child.kill();
        child.wait().unwrap();
        if !fires {
            continue;
        }
        fired += 1;
        check_state(place.path());
        assert!(faults::run(&release(place.path())).status.success());
        assert!(check_state(place.path()), "lost");
    }
    println!("{fired} kills in {tries} runs");
}
