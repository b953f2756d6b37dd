//! What Prometheus sees of a daemon at work.

use crate::daemon::{Place, dump};
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};

/// Series of `/metrics`.
fn scrape(place: &Place) -> BTreeMap<String, f64> {
    let (code, page) = place.get("/metrics");
    assert_eq!(code, 200);
    let samples = page.lines().filter(|line| line.starts_with("dijkwacht_"));
    let samples = samples.map(|line| line.rsplit_once(' ').unwrap());
    samples.map(|(series, value)| (series.to_owned(), value.parse().unwrap())).collect()
}

#[test]
fn runs_failures_and_reloads_are_counted_as_they_happen() {
    let place = Place::with("[feeds.f]\nidentifier = \"open-rdp\"\nseverity = \"high\"");
    let daemon = place.start();
    let before = scrape(&place);
    for series in [
        "records_total{feed=\"f\",outcome=\"matched\"}",
        "alerts_total{feed=\"f\",severity=\"high\",sender=\"ncsc\"}",
        "given_up_total{feed=\"f\"}",
        "lag_seconds_count",
    ] {
        assert_eq!(before[&format!("dijkwacht_{series}")], 0.0, "{series}");
    }
    assert_eq!(before["dijkwacht_index_owners"], 2.0);
    assert_eq!(before["dijkwacht_reload_last_successful{what=\"config\"}"], 1.0);

    place.bring("a.csv", dump(40, 1));
    place.wait_for("done/f/a.csv");
    place.bring("bad.gz", b"\x1f\x8b\x08\x00");
    place.wait_for("failed/f/bad.gz");
    place.wait("told", || scrape(&place)["dijkwacht_given_up_total{feed=\"f\"}"] == 1.0);
    place.wait("weighed", || scrape(&place)["dijkwacht_spool_claims{state=\"unclaimed\"}"] == 1.0);
    let after = scrape(&place);
    for (series, value) in [
        ("records_total{feed=\"f\",outcome=\"matched\"}", 40.0),
        ("alerts_total{feed=\"f\",severity=\"high\",sender=\"ncsc\"}", 40.0),
        ("runs_total{feed=\"f\",state=\"published\"}", 1.0),
        ("runs_total{feed=\"f\",state=\"failed\"}", 1.0),
        ("run_failures_total{feed=\"f\",reason=\"damaged\"}", 1.0),
        ("runs_in_progress{feed=\"f\"}", 0.0),
        ("lag_seconds_count", 1.0),
        ("run_stage_seconds_count{stage=\"publish\"}", 1.0),
    ] {
        assert_eq!(after[&format!("dijkwacht_{series}")], value, "{series}");
    }
    assert!(after["dijkwacht_spool_unclaimed_size_bytes"] > 0.0);
    assert!(after["dijkwacht_last_success_timestamp_seconds{feed=\"f\"}"] > 0.0);

    place.write("register.csv", "owner_id,network\nschool,192.0.2.1/24\n");
    daemon.signal(Signal::HUP);
    let failed = "dijkwacht_reloads_total{what=\"index\",outcome=\"failure\"}";
    place.wait("the reload failed", || scrape(&place)[failed] == 1.0);
    let after = scrape(&place);
    assert_eq!(after["dijkwacht_reload_last_successful{what=\"index\"}"], 0.0);
    assert_eq!(
        (after["dijkwacht_reload_last_successful{what=\"config\"}"], after["dijkwacht_index_owners"]),
        (1.0, 2.0)
    );
    daemon.stop();
}

#[test]
fn a_socket_that_systemd_listens_on_is_taken() {
    let mut place = Place::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let serve = place.serve_command();
    // LISTEN_PID must be the daemon's own: a shell that becomes it knows.
    let mut command = Command::new("/bin/sh");
    command.current_dir(place.path(".")).env("NOTIFY_SOCKET", place.path("notify")).env("LISTEN_FDS", "1");
    let script = "exec 3<&0 </dev/null; LISTEN_PID=$$ exec \"$0\" \"$@\"";
    command.args(["-c", script]).arg(serve.get_program()).args(serve.get_args());
    place.listen = listener.local_addr().unwrap();
    command.stdin(Stdio::from(OwnedFd::from(listener))).stdout(Stdio::null()).stderr(Stdio::null());
    let daemon = place.start_command(&mut command);
    assert_eq!(scrape(&place)["dijkwacht_index_owners"], 2.0);
    daemon.stop();
}
