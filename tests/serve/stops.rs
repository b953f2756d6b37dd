//! Ends, good and bad, and what the next start makes of them.

use crate::daemon::{Daemon, Place, dump, long_dump};
use std::fs;

/// Of a dump that takes seconds in a test's build.
const LONG_BYTES: usize = 400 << 20;

fn wait_running(place: &Place) {
    place.wait("a run", || {
        place.status()["running"].as_array().unwrap().iter().any(|run| run["bytes"].as_u64() > Some(0))
    });
}

/// A daemon in the middle of a run.
fn in_mid_run(place: &Place) -> Daemon<'_> {
    let daemon = place.start();
    place.bring("long.csv", long_dump(LONG_BYTES, 1));
    wait_running(place);
    daemon
}

#[test]
fn a_run_that_is_killed_is_done_again_once() {
    let place = Place::new();
    in_mid_run(&place).kill();
    assert_eq!(place.names("work/f/1"), ["long.csv"]);
    assert_eq!(place.runs(), [""; 0]);
    let daemon = place.start();
    place.wait_for("done/f/long.csv");
    daemon.stop();
    assert_eq!(place.runs().len(), 1);
    assert!(place.alerts().values().all(|count| *count == 1));
    assert_eq!(place.names("spool/tmp"), [""; 0]);
}

#[test]
fn a_run_that_was_published_just_before_the_death_is_not_published_again() {
    let place = Place::new();
    let daemon = place.start();
    place.bring("a.csv", dump(3, 1));
    place.wait_for("done/f/a.csv");
    daemon.kill();
    // As if the process had died between the commit and the move.
    fs::rename(place.path("done/f/a.csv"), place.path("work/f/1/a.csv")).unwrap();
    let daemon = place.start();
    place.wait_for("done/f/a.csv");
    daemon.stop();
    assert_eq!(place.runs().len(), 1);
}

#[test]
fn a_dump_at_which_the_process_died_three_times_goes_to_failed() {
    let place = Place::new();
    in_mid_run(&place).kill();
    for tries in [2, 3] {
        let daemon = place.start();
        place.wait_for(&format!("work/f/{tries}/long.csv"));
        wait_running(&place);
        daemon.kill();
    }
    let daemon = place.start();
    place.wait_for("failed/f/long.csv");
    let reason = fs::read_to_string(place.path("failed/f/long.csv.reason")).unwrap();
    assert!(reason.contains("3 tries") && reason.contains("the process ended"), "{reason}");
    place.bring("next.csv", dump(3, 1));
    place.wait_for("done/f/next.csv");
    daemon.stop();
}

#[test]
fn a_stop_in_mid_run_publishes_nothing_and_costs_no_try() {
    let place = Place::new();
    let daemon = in_mid_run(&place);
    place.bring("waits.csv.part", dump(3, 1));
    daemon.stop();
    assert_eq!(place.runs(), [""; 0]);
    assert_eq!(place.names("work/f/0"), ["long.csv"]);
    assert_eq!(place.names("failed/f"), [""; 0]);
    let daemon = place.start();
    place.wait_for("done/f/long.csv");
    daemon.stop();
    assert_eq!(place.runs().len(), 1);
}

#[test]
fn a_small_dump_does_not_wait_for_a_large_one() {
    let place = Place::with("small_bytes_max = 100000");
    let daemon = in_mid_run(&place);
    place.bring("small.csv", dump(3, 1));
    place.wait_for("done/f/small.csv");
    assert!(
        !place.path("done/f/long.csv").exists(),
        "the large one was too fast for the test: make it larger"
    );
    daemon.stop();
}

#[test]
fn a_dump_that_is_written_to_while_it_is_read_is_tried_again() {
    use std::io::Write;
    let place = Place::new();
    let daemon = place.start();
    fs::create_dir_all(place.path("inbox/f")).unwrap();
    place.write("inbox/f/.long.csv", long_dump(LONG_BYTES, 1));
    let mut writer = fs::File::options().append(true).open(place.path("inbox/f/.long.csv")).unwrap();
    fs::rename(place.path("inbox/f/.long.csv"), place.path("inbox/f/long.csv")).unwrap();
    wait_running(&place);
    writer.write_all(b"192.0.2.2,1,open-rdp\n").unwrap();
    drop(writer);
    place.wait_for("done/f/long.csv");
    daemon.stop();
    assert_eq!(place.runs().len(), 1);
    assert!(place.log().contains("will be tried again"), "{}", place.log());
    assert_eq!(place.alerts().len(), 2, "what was written later is in it");
}

#[test]
fn a_spool_that_cannot_be_written_is_not_the_dumps_fault() {
    let place = Place::new();
    let daemon = place.start();
    // A file where the stages belong: no stage can be made, whoever we are.
    fs::rename(place.path("spool/tmp"), place.path("spool/away")).unwrap();
    fs::remove_dir(place.path("spool/away")).unwrap();
    place.bring("a.csv", dump(3, 1));
    place.wait("it says so", || place.status()["state"] == "fault");
    assert_eq!(place.get("/readyz").0, 503);
    assert!(!place.path("failed/f").exists());
    let retried = || place.status()["runs"]["retries"].as_u64().unwrap();
    place.wait("more tries than are counted", || retried() >= 4);
    assert!(!place.path("failed/f").exists());
    // A restart makes what is missing.
    daemon.stop();
    assert_eq!(place.names("work/f/0"), ["a.csv"]);
    let daemon = place.start();
    place.wait_for("done/f/a.csv");
    daemon.stop();
}
