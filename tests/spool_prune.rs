//! `spool prune`: what is retired, what stays, and that no fault forgets a dump or has it sent twice.

#![allow(clippy::unwrap_used, clippy::print_stderr, clippy::print_stdout)] // the helpers of tests are tests

mod faults;

use dijkwacht::moment::Moment;
use dijkwacht::spool::*;
use faults::{Fault, Point, Trial, has_strace, tree};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

/// When nothing that a test publishes is too young.
fn late() -> Moment {
    Moment::read(b"9000-01-01").unwrap()
}

fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
}

fn open(place: &Path) -> Spool {
    Spool::open(&place.join("spool"), &SpoolOptions::default()).unwrap()
}

fn facts(content: &str) -> RunFacts {
    RunFacts {
        feed: FeedName::read("partner").unwrap(),
        feed_label: "A partner".into(),
        label: None,
        dump: DumpFacts {
            name: "dump.csv".into(),
            format: "csv".into(),
            bytes: 6,
            bytes_stored: 6,
            blake3: blake3::hash(content.as_bytes()).into(),
            observed: None,
        },
        index: "00".repeat(32),
        run_time: "2026-11-22T00:00:00+00:00".into(),
        options: BTreeMap::new(),
        report: BTreeMap::new(),
        counts: serde_json::json!({"records": 1}),
    }
}

/// Publishes a dump with a notice for each sender; returns the run's name.
fn publish(spool: &Spool, content: &str, senders: &[&str], held: bool) -> RunName {
    let stage = spool.stage().unwrap();
    let recipient = |sender: &str| Recipient {
        sender: Sender::read(sender).unwrap(),
        owner_id: "school".into(),
        name: None,
        contacts: vec!["cert@school.example".into()],
    };
    for sender in senders {
        let mut notice = stage.notice(recipient(sender)).unwrap();
        notice.append(b"{}\n").unwrap();
        notice.finish().unwrap();
    }
    if held {
        let mut writer = stage.held(recipient("ncsc")).unwrap();
        writer.append(b"{}\n").unwrap();
        writer.finish().unwrap();
    }
    stage.read_back().unwrap().publish(facts(content)).unwrap();
    facts(content).run_name()
}

/// Takes and acknowledges all there is; returns the claims.
fn send_all(place: &Path) -> Vec<String> {
    let claims = Claims::open(&place.join("spool")).unwrap();
    let mut sent = Vec::new();
    while let Some(claim) = claims.take(None).unwrap() {
        claims.acknowledge(claim.name.as_str(), Acknowledgement::Done).unwrap();
        sent.push(claim.name.to_string());
    }
    sent
}

fn count(place: &Path, directory: &str) -> usize {
    fs::read_dir(place.join("spool").join(directory)).unwrap().count()
}

fn is_known(place: &Path, content: &str) -> bool {
    let facts = facts(content);
    open(place).find_published(&facts.run_name(), &facts.dump.blake3).unwrap().is_some()
}

#[test]
fn a_run_that_was_sent_is_retired_and_its_dump_stays_known() {
    let place = scratch();
    let spool = open(place.path());
    let run = publish(&spool, "a", &["ncsc", "dtc"], false);
    assert_eq!(send_all(place.path()).len(), 2);
    let published = spool.find_published(&run, &facts("a").dump.blake3).unwrap();
    let manifest = fs::read(place.path().join("spool/new").join(run.as_str()).join("manifest.json")).unwrap();

    let pruned = spool.prune(late()).unwrap();
    assert_eq!(pruned, Pruned { retired: vec![run.clone()], ..Pruned::default() });
    assert_eq!(
        (count(place.path(), "new"), count(place.path(), "tmp"), count(place.path(), "runs")),
        (0, 0, 1)
    );
    let remembered = place.path().join("spool/runs").join(format!("{run}.json"));
    assert_eq!(fs::read(&remembered).unwrap(), manifest);
    assert_eq!(fs::metadata(&remembered).unwrap().nlink(), 1);
    assert_eq!(
        spool.find_published(&run, &facts("a").dump.blake3).unwrap(),
        published,
        "when it was published"
    );
    assert!(verify(&place.path().join("spool")).unwrap().is_clean());
    // Its claims are in done for whoever looked before; the next prune removes them.
    assert_eq!(count(place.path(), "done"), 2);
    assert_eq!(send_all(place.path()), [""; 0]);
    assert_eq!(spool.prune(late()).unwrap(), Pruned { claims_removed: 2, ..Pruned::default() });
    assert_eq!(count(place.path(), "done"), 0);
}

#[test]
fn a_run_stays_until_each_sender_has_sent_its_part() {
    for state in ["unclaimed", "cur", "failed"] {
        let place = scratch();
        let spool = open(place.path());
        let run = publish(&spool, "a", &["ncsc", "dtc"], false);
        let claims = Claims::open(&place.path().join("spool")).unwrap();
        let first = claims.take(None).unwrap().unwrap();
        claims.acknowledge(first.name.as_str(), Acknowledgement::Done).unwrap();
        if state != "unclaimed" {
            let second = claims.take(None).unwrap().unwrap();
            if state == "failed" {
                claims.acknowledge(second.name.as_str(), Acknowledgement::Failed).unwrap();
            }
        }
        let before = tree(&place.path().join("spool"));
        assert_eq!(spool.prune(late()).unwrap(), Pruned { unsent: 1, ..Pruned::default() }, "{state}");
        assert_eq!(tree(&place.path().join("spool")), before, "{state}: {run} was touched");
    }
}

#[test]
fn a_run_stays_while_something_of_it_waits_for_a_person() {
    let place = scratch();
    let spool = open(place.path());
    let run = publish(&spool, "a", &["ncsc"], true);
    send_all(place.path());
    assert_eq!(spool.prune(late()).unwrap(), Pruned { held: 1, ..Pruned::default() });
    fs::remove_dir_all(place.path().join("spool/held").join(run.as_str())).unwrap();
    assert_eq!(spool.prune(late()).unwrap().retired, [run]);
}

#[test]
fn a_run_with_nothing_to_send_is_retired_by_age_alone() {
    let place = scratch();
    let spool = open(place.path());
    let run = publish(&spool, "quiet night", &[], false);
    let published = spool.find_published(&run, &facts("quiet night").dump.blake3).unwrap().unwrap();
    let before = Moment::from_unix(published.unix_seconds() - 1, 0).unwrap();
    assert_eq!(spool.prune(before).unwrap(), Pruned::default());
    assert_eq!(spool.prune(published).unwrap().retired, [run]);
}

#[test]
fn other_runs_and_what_is_no_run_are_left_alone() {
    let place = scratch();
    let spool = open(place.path());
    let sent = publish(&spool, "sent", &["ncsc"], false);
    send_all(place.path());
    publish(&spool, "unsent", &["ncsc"], false);
    let own = place.path().join("spool/new/notes");
    fs::create_dir(&own).unwrap();
    assert_eq!(spool.prune(late()).unwrap(), Pruned { retired: vec![sent], unsent: 1, ..Pruned::default() });
    assert!(own.is_dir() && is_known(place.path(), "unsent"));
    assert_eq!(send_all(place.path()).len(), 1);
}

#[test]
fn a_dump_that_was_retired_is_not_published_again_but_by_a_label() {
    let place = scratch();
    let spool = open(place.path());
    publish(&spool, "a", &["ncsc"], false);
    send_all(place.path());
    spool.prune(late()).unwrap();
    let stage = spool.stage().unwrap();
    let again = stage.read_back().unwrap().publish(facts("a")).unwrap();
    assert!(matches!(again, Publication::AlreadyPublished { .. }), "{again:?}");
    let stage = spool.stage().unwrap();
    let labelled = RunFacts { label: Some(Label::read("corrected").unwrap()), ..facts("a") };
    let again = stage.read_back().unwrap().publish(labelled).unwrap();
    assert!(matches!(again, Publication::Published { .. }), "{again:?}");
}

fn command(place: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dijkwacht"));
    command.env_remove("DIJKWACHT_CONFIG").args(["spool", "prune", "--spool"]).arg(place.join("spool"));
    command.args(arguments);
    command
}

#[test]
fn the_command_says_what_it_did_and_makes_no_spool() {
    let place = scratch();
    let done = command(place.path(), &["--older-than", "0"]).output().unwrap();
    assert_eq!(done.status.code(), Some(66), "{done:?}");
    assert!(!place.path().join("spool").exists());
    let run = publish(&open(place.path()), "a", &["ncsc"], false);
    send_all(place.path());
    let done = command(place.path(), &["--older-than", "1"]).output().unwrap();
    assert_eq!((done.status.code(), &done.stdout[..]), (Some(0), &b""[..]), "{done:?}");
    let done = command(place.path(), &["--older-than", "0"]).output().unwrap();
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    assert_eq!(String::from_utf8(done.stdout).unwrap(), format!("retired {run}\n"));
    assert!(String::from_utf8(done.stderr).unwrap().starts_with("1 runs retired; 0 old ones"));
    assert_eq!(command(place.path(), &[]).output().unwrap().status.code(), Some(64));
}

/// A spool with a run that was retired before, one to retire, and one that stays.
fn place() -> tempfile::TempDir {
    let place = scratch();
    let spool = open(place.path());
    publish(&spool, "before", &["ncsc"], false);
    send_all(place.path());
    spool.prune(late()).unwrap();
    publish(&spool, "now", &["ncsc", "dtc"], false);
    send_all(place.path());
    publish(&spool, "stays", &["dtc"], false);
    place
}

/// At every moment each dump is known, and a mailer gets the one run that it has not sent.
fn check(place: &Path) {
    for content in ["before", "now", "stays"] {
        assert!(is_known(place, content), "{content} is forgotten");
    }
    let spool = place.join("spool");
    let Status { unclaimed, cur, failed, .. } = status(&spool).unwrap();
    assert_eq!((unclaimed, cur, failed), (1, 0, 0), "sent twice, or lost");
    assert!(verify(&spool).unwrap().is_clean());
}

fn check_after_all(place: &Path) {
    check(place);
    assert_eq!((count(place, "new"), count(place, "runs"), count(place, "tmp")), (1, 2, 0));
}

#[test]
fn a_fault_at_any_system_call_forgets_no_dump_and_has_nothing_sent_twice() {
    if !has_strace() {
        return;
    }
    let changes = ["linkat", "fsync", "renameat2", "unlinkat", "flock"];
    let faults = |point: &Point| match point.syscall.as_str() {
        syscall if changes.contains(&syscall) => vec![Fault::Kill, Fault::Error("EIO")],
        _ => Vec::new(),
    };
    let swept = Trial {
        command: &|place| command(place, &["--older-than", "0"]),
        place: &place,
        faults: &faults,
        after_fault: &|place, _, _, _| check(place),
        after_all: &|place, _| check_after_all(place),
    }
    .sweep();
    println!("{} faults: {:?}", swept.trials, swept.by_syscall);
    assert!(
        ["linkat", "renameat2", "unlinkat", "fsync"].iter().all(|call| swept.by_syscall.contains_key(*call))
    );
}
