//! What a browser, a program and `dijkwacht status` see.

use crate::daemon::{Place, dump};
use std::io::{Read, Write};
use std::net::TcpStream;

#[test]
fn the_page_and_its_json_tell_what_happened_and_escape_it() {
    let place = Place::new();
    let daemon = place.start();
    let name = "<img src=x onerror=alert(1)>.csv";
    place.bring(name, dump(40, 1));
    place.wait_for(&format!("done/f/{name}"));
    place.bring("bad.gz", b"\x1f\x8b\x08\x00");
    place.wait_for("failed/f/bad.gz");
    place.wait("told", || place.status()["runs"]["failed"] == 1);
    let status = place.status();
    assert_eq!(status["runs"]["published"], 1);
    assert_eq!(
        (&status["recent"][1]["dump"], &status["recent"][1]["books"]["alerts"]),
        (&name.into(), &40.into())
    );
    assert!(status["recent"][1]["lag_seconds"].as_f64().unwrap() < 60.0);
    let (code, page) = place.get("/");
    assert_eq!(code, 200);
    assert!(page.contains("&lt;img src=x onerror=alert(1)&gt;.csv") && !page.contains("<img"), "{page}");
    assert!(!page.contains("<script") && page.contains("width=device-width"));
    for (path, code) in [("/healthz", 200), ("/readyz", 200), ("/metrics", 200), ("/etc/passwd", 404)] {
        assert_eq!(place.get(path).0, code, "{path}");
    }
    daemon.stop();
}

#[test]
fn a_blown_fuse_is_logged_counted_and_on_the_page() {
    let place = Place::with("[feeds.f]\nalerts_max = 10");
    let daemon = place.start();
    place.bring("few.csv", dump(10, 1));
    place.wait_for("done/f/few.csv");
    place.bring("many.csv", dump(40, 2));
    place.wait_for("done/f/many.csv");
    place.wait("told", || place.status()["runs"]["published"] == 2);
    let status = place.status();
    let blown = serde_json::json!({"limit": "alerts_max", "max": 10, "found": 40});
    assert_eq!(
        (&status["recent"][0]["fuse"], &status["recent"][1]["fuse"]),
        (&blown, &serde_json::Value::Null)
    );
    assert_eq!((&status["books"]["alerts"], &status["books"]["held_by"]["fuse"]), (&10.into(), &40.into()));
    let run = status["recent"][0]["run"].as_str().unwrap();
    let line = format!(
        "feed f: 40 alerts, more than alerts_max = 10: all are held (fuse); look at them with dijkwacht held list --run {run}"
    );
    assert_eq!(status["problems"][0]["problem"], line.as_str());
    let page = place.get("/").1;
    assert!(page.contains("40 alerts, more than alerts_max = 10: all held"), "{page}");
    let metrics = place.get("/metrics").1;
    assert!(
        metrics.contains("dijkwacht_fuses_blown_total{feed=\"f\",limit=\"alerts_max\"} 1\n"),
        "{metrics}"
    );
    daemon.stop();
    let log = place.log();
    assert!(log.lines().any(|logged| logged.contains(" warn ") && logged.contains(&line)), "{log}");
}

#[test]
fn status_asks_the_daemon_and_says_when_there_is_none() {
    let place = Place::new();
    let daemon = place.start();
    let ask =
        |words: &str| place.command(&format!("status --config dijkwacht.toml {words}")).output().unwrap();
    let text = String::from_utf8(ask("").stdout).unwrap();
    assert!(text.starts_with("idle") && text.contains("index    2 owners"), "{text}");
    let json: serde_json::Value = serde_json::from_slice(&ask("--json").stdout).unwrap();
    assert_eq!(json["state"], "idle");
    daemon.stop();
    let unanswered = ask("");
    assert_eq!(unanswered.status.code(), Some(75));
    assert!(String::from_utf8(unanswered.stderr).unwrap().contains("is it running?"));
}

#[test]
fn who_posts_or_says_too_much_is_refused() {
    let place = Place::new();
    let daemon = place.start();
    let say = |request: &[u8]| {
        let mut stream = TcpStream::connect(place.listen).unwrap();
        let _ = stream.write_all(request);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    };
    assert!(say(b"POST / HTTP/1.1\r\nHost: a\r\n\r\n").starts_with("HTTP/1.1 405"));
    let long = [b"GET / HTTP/1.1\r\nA: ".to_vec(), vec![b'a'; 1 << 20]].concat();
    assert!(!say(&long).starts_with("HTTP/1.1 200"));
    // More connections than there are places, none of which says anything.
    let silent: Vec<_> = (0..100).map(|_| TcpStream::connect(place.listen).unwrap()).collect();
    place.bring("a.csv", dump(3, 1));
    place.wait_for("done/f/a.csv");
    drop(silent);
    place.wait("answers again", || place.get("/healthz").0 == 200);
    daemon.stop();
}
