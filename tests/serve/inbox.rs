//! What arrives, and what becomes of it.

use crate::daemon::{Place, RUN_TIME, dump};
use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

#[test]
fn a_dump_becomes_the_notices_that_match_writes() {
    let place = Place::new();
    let daemon = place.start();
    place.bring("a.csv", dump(40, 3389));
    place.wait_for("done/f/a.csv");
    daemon.stop();
    let words = format!(
        "match --register register.csv --feed f --spool other --run-time {RUN_TIME} --quiet done/f/a.csv"
    );
    assert!(place.command(&words).status().unwrap().success());
    let runs = place.runs();
    assert_eq!((runs.len(), &runs), (1, &place.names("other/new")));
    let of = |spool: &str| {
        let mut sums = Command::new("sh");
        sums.args(["-c", "cd $0 && sha256sum $(find new held -type f | sort)", spool]);
        String::from_utf8(sums.current_dir(place.path("")).output().unwrap().stdout).unwrap()
    };
    let ours = of("spool");
    assert_eq!(ours.lines().count(), 4, "{ours}");
    assert_eq!(ours, of("other"));
}

#[test]
fn a_bad_dump_goes_to_failed_with_its_reason_and_the_next_is_taken() {
    let place = Place::new();
    let daemon = place.start();
    place.bring("bad.csv.gz", b"\x1f\x8b\x08\x00cut off");
    place.wait_for("failed/f/bad.csv.gz");
    let reason = fs::read_to_string(place.path("failed/f/bad.csv.gz.reason")).unwrap();
    assert!(reason.contains("gzip") && reason.contains("tries: 1"), "{reason}");
    place.bring("good.csv", dump(3, 1));
    place.wait_for("done/f/good.csv");
    assert_eq!(place.runs().len(), 1);
    daemon.stop();
}

#[test]
fn a_dump_that_was_seen_before_is_done_and_published_once() {
    let place = Place::new();
    let daemon = place.start();
    for name in ["a.csv", "b.csv"] {
        place.bring(name, dump(3, 1));
        place.wait_for(&format!("done/f/{name}"));
    }
    assert_eq!(place.runs().len(), 1);
    daemon.stop();
}

#[test]
fn files_of_one_name_replace_each_other_nowhere() {
    let place = Place::new();
    let daemon = place.start();
    for (port, done) in [(1, "a.csv"), (2, "a.csv.2"), (3, "a.csv.3")] {
        place.bring("a.csv", dump(3, port));
        place.wait_for(&format!("done/f/{done}"));
    }
    assert_eq!(place.runs().len(), 3);
    daemon.stop();
}

#[test]
fn links_and_pipes_are_refused() {
    let place = Place::new();
    place.write("secret.csv", dump(3, 1));
    let daemon = place.start();
    fs::create_dir_all(place.path("inbox/f")).unwrap();
    symlink(place.path("secret.csv"), place.path("inbox/f/symlink.csv")).unwrap();
    fs::hard_link(place.path("secret.csv"), place.path("inbox/f/hardlink.csv")).unwrap();
    let fifo = Command::new("mkfifo").arg(place.path("inbox/f/fifo.csv")).status().unwrap();
    assert!(fifo.success());
    for (name, said) in
        [("symlink.csv", "symbolic link"), ("hardlink.csv", "hard links"), ("fifo.csv", "a pipe")]
    {
        place.wait_for(&format!("failed/f/{name}"));
        let reason = fs::read_to_string(place.path(format!("failed/f/{name}.reason"))).unwrap();
        assert!(reason.contains(said), "{name}: {reason}");
    }
    assert!(place.path("failed/f/symlink.csv").is_symlink());
    assert_eq!(fs::read_to_string(place.path("secret.csv")).unwrap(), dump(3, 1));
    assert_eq!(place.runs(), [""; 0]);
    daemon.stop();
}

#[test]
fn what_is_not_there_yet_is_left_until_it_is() {
    let place = Place::new();
    let daemon = place.start();
    fs::create_dir_all(place.path("inbox/f")).unwrap();
    let names = [".hidden.csv", "a.csv.tmp", "b.csv.part", "c.csv.filepart"];
    for (port, name) in names.iter().enumerate() {
        place.write(&format!("inbox/f/{name}"), dump(3, port + 1));
    }
    // What comes later and is taken shows that the others were seen and left.
    place.bring("last.csv", dump(3, 99));
    place.wait_for("done/f/last.csv");
    for name in names {
        assert!(place.path("inbox/f").join(name).is_file(), "{name}");
    }
    fs::rename(place.path("inbox/f/a.csv.tmp"), place.path("inbox/f/a.csv")).unwrap();
    place.wait_for("done/f/a.csv");
    daemon.stop();
}

#[test]
fn a_file_that_was_there_before_is_taken_once_it_has_settled() {
    let place = Place::new();
    place.bring("early.csv", dump(3, 1));
    let daemon = place.start();
    place.wait_for("done/f/early.csv");
    daemon.stop();
}

#[test]
fn what_is_renamed_into_a_feed_never_waits_for_settling_whatever_is_listed_meanwhile() {
    let place = Place::with("[feeds.f]");
    place.settle(3600);
    let daemon = place.start();
    for number in 0..200 {
        place.bring(&format!("{number}.csv"), dump(3, number + 1));
        // Reads the configuration again, after which the inbox is listed: before, in and after a rename.
        if number % 5 == 0 {
            daemon.signal(rustix::process::Signal::HUP);
        }
    }
    place.wait("all done", || place.names("done/f").len() == 200);
    assert_eq!(place.runs().len(), 200);
    daemon.stop();
}

#[test]
fn a_closed_file_whose_mode_is_set_afterwards_does_not_wait_for_settling() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::with("unclaimed_max = 1\n[feeds.f]");
    place.settle(3600);
    let daemon = place.start();
    // Two claims wait, one may: nothing is taken while the third is closed, seen, and given its mode.
    for port in 1..=2 {
        place.bring(&format!("first{port}.csv"), dump(3, port));
        place.wait_for(&format!("done/f/first{port}.csv"));
    }
    place.wait_notified("STATUS=input stopped");
    place.write("inbox/f/third.csv", dump(3, 3));
    place.wait("it is seen", || place.status()["queue"]["ready"] == 1);
    let mode = fs::Permissions::from_mode(0o640);
    fs::set_permissions(place.path("inbox/f/third.csv"), mode).unwrap();
    assert_eq!(place.mail(2), 2);
    place.wait_for("done/f/third.csv");
    daemon.stop();
}

#[test]
fn no_feeds_name_is_told_once_and_nothing_is_taken() {
    let place = Place::new();
    fs::create_dir_all(place.path("inbox/Not A Feed")).unwrap();
    place.write("inbox/Not A Feed/a.csv", dump(3, 1));
    place.write("inbox/loose.csv", dump(3, 1));
    let daemon = place.start();
    place.bring("last.csv", dump(3, 99));
    place.wait_for("done/f/last.csv");
    daemon.stop();
    let log = place.log();
    for said in ["Not A Feed", "loose.csv"] {
        assert_eq!(log.matches(&format!("{said}: ")).count(), 1, "{log}");
    }
    assert!(place.path("inbox/loose.csv").is_file());
}

#[test]
fn feeds_go_by_priority_and_then_by_age() {
    let place =
        Place::with("unclaimed_max = 1\nsmall_bytes_max = 1\n[feeds.f]\n[feeds.urgent]\npriority = 5");
    let daemon = place.start();
    // Two claims wait, one may: nothing is taken while the others arrive.
    for port in 1..=2 {
        place.bring(&format!("first{port}.csv"), dump(3, port));
        place.wait_for(&format!("done/f/first{port}.csv"));
    }
    place.wait_notified("STATUS=input stopped");
    place.bring("young.csv", dump(3, 11));
    place.bring("old.csv", dump(3, 12));
    let old = fs::File::options().write(true).open(place.path("inbox/f/old.csv")).unwrap();
    old.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    drop(old);
    fs::write(place.path("inbox/urgent/urgent.csv"), dump(3, 13)).unwrap();
    place.wait("all seen", || place.status()["queue"]["ready"] == 3);
    assert_eq!(place.mail(2), 2);
    place.wait("two more", || place.runs().len() >= 4);
    place.wait("stopped again", || place.status()["state"] == "high-water");
    let recent = place.status()["recent"].clone();
    let dumps: Vec<_> =
        recent.as_array().unwrap().iter().rev().map(|run| run["dump"].as_str().unwrap()).collect();
    assert_eq!(dumps, ["first1.csv", "first2.csv", "urgent.csv", "old.csv"]);
    assert_eq!(place.names("inbox/f"), ["young.csv"]);
    daemon.stop();
}

#[test]
fn a_feed_that_is_closed_to_us_is_told_and_hides_no_other() {
    use std::os::unix::fs::{PermissionsExt, chown};
    let place = Place::with("[feeds.g]");
    fs::create_dir_all(place.path("inbox/f")).unwrap();
    fs::create_dir_all(place.path("inbox/closed")).unwrap();
    for (name, mode) in [("", 0o755), ("inbox/closed", 0)] {
        fs::set_permissions(place.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    let mut serve = place.serve_command();
    if rustix::process::geteuid().is_root() {
        // Nothing is closed to root: another user runs it, who has all but that directory.
        const NOBODY: u32 = 65_534;
        ["", "inbox", "inbox/f", "notify", "log"]
            .iter()
            .for_each(|name| chown(place.path(name), Some(NOBODY), Some(NOBODY)).unwrap());
        std::os::unix::process::CommandExt::uid(&mut serve, NOBODY);
    }
    let daemon = place.start_command(&mut serve);
    place.bring("a.csv", dump(3, 1));
    place.wait_for("done/f/a.csv");
    daemon.stop();
    assert_eq!(place.log().matches("inbox/closed: cannot be looked into").count(), 1, "{}", place.log());
    assert_eq!(place.names("inbox"), ["closed", "f", "g"]);
}

#[test]
fn an_inbox_on_another_file_system_than_its_work_is_a_mistake_in_the_configuration() {
    let place = Place::new();
    let elsewhere = std::path::Path::new("/dev/shm");
    let same = |a: &std::path::Path, b: &std::path::Path| {
        use std::os::unix::fs::MetadataExt;
        a.metadata().unwrap().dev() == b.metadata().unwrap().dev()
    };
    if !elsewhere.is_dir() || same(elsewhere, &place.path("")) {
        return;
    }
    let other = tempfile::tempdir_in(elsewhere).unwrap();
    symlink(other.path(), place.path("inbox")).unwrap();
    assert_eq!(place.serve_command().status().unwrap().code(), Some(78));
}

#[test]
fn a_second_daemon_for_one_inbox_is_refused() {
    let place = Place::with("\n[log]\nformat = \"json\"");
    let daemon = place.start();
    place.configure("");
    let config = fs::read_to_string(place.path("dijkwacht.toml")).unwrap();
    place.write("dijkwacht.toml", config.replace(&place.listen.to_string(), "127.0.0.1:0"));
    assert_eq!(place.serve_command().status().unwrap().code(), Some(75));
    daemon.stop();
}
