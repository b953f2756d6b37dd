//! What the service manager is told, and a log that nobody reads.

use crate::daemon::{Daemon, Place, dump};
use rustix::process::Signal;
use std::fs;
use std::process::Stdio;
use std::time::Duration;

/// A tenth of what an operator would set.
const WATCHDOG: Duration = Duration::from_secs(2);

#[test]
fn ready_reloading_status_and_stopping_are_told() {
    let place = Place::new();
    let daemon = place.start();
    place.bring("a.csv", dump(3, 1));
    place.wait_notified("STATUS=f:");
    let idle = place.wait_notified("STATUS=idle");
    assert!(idle.contains("index"), "{idle}");
    place.wait_for("done/f/a.csv");
    place.forget_notified();
    daemon.signal(Signal::HUP);
    let reloading = place.wait_notified("RELOADING=1");
    let at: u64 =
        reloading.lines().find_map(|line| line.strip_prefix("MONOTONIC_USEC=")).unwrap().parse().unwrap();
    let uptime = fs::read_to_string("/proc/uptime").unwrap();
    let now = (uptime.split(' ').next().unwrap().parse::<f64>().unwrap() * 1e6) as u64;
    // /proc/uptime is cut off at hundredths.
    assert!(at <= now + 10_000 && now < at + 60_000_000, "{at} at {now}");
    place.wait_notified("READY=1");
    daemon.signal(Signal::TERM);
    place.wait_notified("STOPPING=1");
    daemon.stop_was_asked();
}

#[test]
fn the_watchdog_is_fed_while_idle_is_proven_and_not_by_a_process_that_is_stopped() {
    let place = Place::new();
    let micros = WATCHDOG.as_micros().to_string();
    let daemon = place.start_command(place.serve_command().env("WATCHDOG_USEC", micros));
    for _ in 0..3 {
        assert!(place.is_notified_within("WATCHDOG=1", WATCHDOG * 5), "{}", place.log());
    }
    daemon.signal(Signal::STOP);
    place.forget_notified();
    assert!(!place.is_notified_within("WATCHDOG=1", WATCHDOG));
    daemon.signal(Signal::CONT);
    assert!(place.is_notified_within("WATCHDOG=1", WATCHDOG * 5));
    daemon.stop();
}

#[test]
fn a_run_that_gets_no_further_starves_the_watchdog() {
    let place = Place::new();
    let micros = WATCHDOG.as_micros().to_string();
    let daemon = place.start_command(place.serve_command().env("WATCHDOG_USEC", micros));
    assert!(place.is_notified_within("WATCHDOG=1", WATCHDOG * 5));
    // The run waits for the spool's lock, which we hold: it does not move, whatever the desk does.
    let lock = fs::File::open(place.path("spool/lock")).unwrap();
    lock.lock().unwrap();
    place.bring("a.csv", dump(3, 1));
    place.wait("a run", || !place.status()["running"].as_array().unwrap().is_empty());
    // Its beginning was a sign of life; after that, none comes. Else four would come in each of these waits.
    let is_starved = |_| {
        place.forget_notified();
        !place.is_notified_within("WATCHDOG=1", WATCHDOG)
    };
    assert!((0..3).any(is_starved), "{}", place.log());
    drop(lock);
    place.wait_for("done/f/a.csv");
    assert!(place.is_notified_within("WATCHDOG=1", WATCHDOG * 5));
    daemon.stop();
}

#[test]
fn a_manager_that_does_not_read_holds_nothing_up() {
    let place = Place::new();
    let deaf = std::os::unix::net::UnixDatagram::bind(place.path("deaf")).unwrap();
    let daemon = Daemon::spawn(&place, place.serve_command().env("NOTIFY_SOCKET", place.path("deaf")));
    // Each changes the status at least once, and the socket holds ten.
    for port in 1..=40 {
        place.bring(&format!("{port}.csv"), dump(3, port));
        place.wait_for(&format!("done/f/{port}.csv"));
    }
    daemon.stop();
    drop(deaf);
}

#[test]
fn a_log_that_nobody_reads_or_that_is_closed_stops_nothing() {
    for is_closed in [false, true] {
        let place = Place::new();
        let mut command = place.serve_command();
        let mut daemon = place.start_command(command.stderr(Stdio::piped()));
        let unread = daemon.child.stderr.take();
        let _unread = if is_closed { None } else { unread };
        // More lines than a pipe of 64 KiB holds.
        for port in 1..=300 {
            place.bring(&format!("{}.csv", port), dump(3, port));
        }
        place.wait("all done", || place.names("done/f").len() == 300);
        assert_eq!(place.runs().len(), 300);
        daemon.stop();
    }
}

#[test]
fn the_log_is_json_where_that_is_asked() {
    let place = Place::with("\n[log]\nformat = \"json\"");
    let daemon = place.start();
    place.bring("a\"\u{202e}.csv", dump(3, 1));
    place.wait_for("done/f/a\"\u{202e}.csv");
    daemon.stop();
    let log = place.log();
    let lines: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ended = lines.iter().find(|line| line["message"] == "run ended: published").unwrap();
    assert_eq!(
        (&ended["feed"], &ended["alerts"], &ended["level"]),
        (&"f".into(), &"3".into(), &"info".into())
    );
}
