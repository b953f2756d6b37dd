//! Lists that come once, each with a report; and reports beside other dumps.

use crate::daemon::{Place, dump};
use serde_json::Value;
use std::fs;

fn bring(place: &Place, feed: &str, name: &str, bytes: impl AsRef<[u8]>) {
    fs::create_dir_all(place.path("inbox").join(feed)).unwrap();
    let hidden = format!("inbox/{feed}/.{name}");
    place.write(&hidden, bytes);
    fs::rename(place.path(hidden), place.path("inbox").join(feed).join(name)).unwrap();
}

fn report_of(place: &Place, run: &str) -> Value {
    let manifest = fs::read(place.path("spool/new").join(run).join("manifest.json")).unwrap();
    serde_json::from_slice::<Value>(&manifest).unwrap()["report"].clone()
}

const REPORT: &str = "reference = \"2026-0815\"\nidentifier = \"open-rdp\"\ntlp = \"GREEN\"\n";

#[test]
fn a_list_waits_for_its_report_is_shown_as_waiting_and_is_taken_with_it() {
    let place = Place::with("rescan_seconds = 1");
    let daemon = place.start();
    bring(&place, "once", "list.csv", "ip\n192.0.2.1\n");
    // It is told by name once it was there for a while; others go on meanwhile.
    place.bring("a.csv", dump(3, 1));
    place.wait_for("done/f/a.csv");
    place.wait("told once", || {
        place.log().contains("once/list.csv waits for the report on it, once/list.csv.toml")
    });
    let status = place.status();
    assert_eq!(
        (&status["queue"]["unreported"], &status["queue"]["ready"]),
        (&1.into(), &0.into()),
        "{status}"
    );
    assert!(place.path("inbox/once/list.csv").is_file());
    bring(&place, "once", "list.csv.toml", REPORT);
    place.wait_for("done/once/list.csv.toml");
    assert!(place.path("done/once/list.csv").is_file());
    let run = place.runs().into_iter().find(|run| run.starts_with("once-")).unwrap();
    assert_eq!(report_of(&place, &run)["reference"], "2026-0815");
    assert_eq!(place.log().matches("waits for the report on it").count(), 1);
    daemon.stop();
}

#[test]
fn a_report_may_come_first_and_waits_quietly_everywhere() {
    let place = Place::with("rescan_seconds = 1");
    let daemon = place.start();
    for feed in ["once", "f"] {
        bring(&place, feed, "list.csv.toml", REPORT);
    }
    place.bring("a.csv", dump(3, 1));
    place.wait_for("done/f/a.csv");
    let queue = &place.status()["queue"];
    assert_eq!((&queue["unreported"], &queue["ready"]), (&0.into(), &0.into()), "{queue}");
    for (feed, port) in [("once", 1), ("f", 2)] {
        bring(&place, feed, "list.csv", format!("ip,port\n192.0.2.1,{port}\n"));
        place.wait_for(&format!("done/{feed}/list.csv.toml"));
        let run = place.runs().into_iter().find(|run| run.starts_with(&format!("{feed}-")));
        assert!(run.is_some(), "{:?}", place.runs());
    }
    let reported =
        place.runs().iter().filter(|run| report_of(&place, run)["identifier"] == "open-rdp").count();
    assert_eq!(reported, 2);
    daemon.stop();
}

#[test]
fn a_list_whose_report_cannot_be_used_goes_to_failed_with_both_and_the_reason() {
    let place = Place::new();
    place.write("elsewhere.toml", REPORT);
    let daemon = place.start();
    bring(&place, "once", "bad.csv", "ip\n192.0.2.1\n");
    bring(&place, "once", "bad.csv.toml", "tpl = \"RED\"\n");
    place.wait_for("failed/once/bad.csv.toml");
    let reason = fs::read_to_string(place.path("failed/once/bad.csv.reason")).unwrap();
    assert!(reason.starts_with("once/bad.csv.toml:1:1: unknown key `tpl` (did you mean `tlp`?)"), "{reason}");
    bring(&place, "once", "link.csv", "ip\n192.0.2.1\n");
    std::os::unix::fs::symlink(place.path("elsewhere.toml"), place.path("inbox/once/link.csv.toml")).unwrap();
    place.wait_for("failed/once/link.csv");
    let reason = fs::read_to_string(place.path("failed/once/link.csv.reason")).unwrap();
    assert!(reason.contains("a report is a file of its own"), "{reason}");
    assert_eq!(place.runs(), [""; 0]);
    assert_eq!(fs::read_to_string(place.path("elsewhere.toml")).unwrap(), REPORT);
    daemon.stop();
}

#[test]
fn what_a_kill_left_of_a_taking_is_done_after_the_next_start() {
    let place = Place::new();
    // Its report was taken, the list not yet.
    fs::create_dir_all(place.path("work/once/0")).unwrap();
    place.write("work/once/0/list.csv.toml", REPORT);
    bring(&place, "once", "list.csv", "ip\n192.0.2.1\n");
    let daemon = place.start();
    place.wait_for("done/once/list.csv.toml");
    assert_eq!(report_of(&place, &place.runs()[0])["reference"], "2026-0815");
    daemon.stop();
}
