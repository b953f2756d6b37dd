//! A soak: everything that goes on in a year, for as long as the environment says, and what the process costs all the while.

use crate::daemon::{Daemon, Place, dump, long_dump};
use std::fs;
use std::io::Write;
use std::time::{Duration, Instant};

/// What a process costs at a moment.
#[derive(Clone, Copy, Debug)]
struct Cost {
    anonymous_kilobytes: u64,
    descriptors: usize,
    threads: u64,
}

impl Cost {
    fn of(daemon: &Daemon<'_>) -> Self {
        let process = format!("/proc/{}", daemon.child.id());
        let status = fs::read_to_string(format!("{process}/status")).unwrap();
        let number = |key: &str| -> u64 {
            let line = status.lines().find(|line| line.starts_with(key)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse().unwrap()
        };
        Self {
            anonymous_kilobytes: number("RssAnon:"),
            descriptors: fs::read_dir(format!("{process}/fd")).unwrap().count(),
            threads: number("Threads:"),
        }
    }
}

/// The largest of each.
fn peak(costs: &[Cost]) -> Cost {
    let max = |of: fn(&Cost) -> u64| costs.iter().map(of).max().unwrap();
    Cost {
        anonymous_kilobytes: max(|cost| cost.anonymous_kilobytes),
        descriptors: max(|cost| cost.descriptors as u64) as usize,
        threads: max(|cost| cost.threads),
    }
}

/// A dump of its own in each turn, of one kind after the other; some are bad.
fn bring_one(place: &Place, turn: usize) {
    let text = || dump(turn % 500 + 1, turn % 60_000 + 1).replace("open-rdp", &format!("turn-{turn}"));
    match turn % 8 {
        0 => place.bring(&format!("{turn}.csv"), long_dump(1 << 20, turn)),
        1 => place.bring(&format!("{turn}.csv.gz"), gzip(text().as_bytes())),
        2 => place.bring(&format!("{turn}.csv.gz"), &gzip(text().as_bytes())[..20]),
        3 => place
            .bring(&format!("{turn}.jsonl"), format!("{{\"ip\":\"192.0.2.1\",\"port\":1,\"n\":{turn}}}\n")),
        4 => place.bring(&format!("{turn}.csv"), text().replace("192.0.2.1,", "192.0.2.01,")),
        5 => place.bring(&format!("{turn}.txt"), format!("# {turn}\n192.0.2.7\n")),
        _ => place.bring(&format!("{turn}.csv"), text()),
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

#[test]
#[ignore = "long"]
fn what_the_daemon_costs_does_not_grow() {
    let turn_wait = Duration::from_millis(crate::floods::knob("SERVE_SOAK_TURN_MILLIS", 250) as u64);
    let wait = Duration::from_secs(crate::floods::knob("SERVE_SOAK_SECONDS", 30) as u64);
    // Nothing is held: what waits for a person stays in the spool, and to know it costs memory.
    let place = Place::with("[feeds.f]\nidentifier = \"soak\"");
    let daemon = place.start();
    let (began, mut costs, mut turn) = (Instant::now(), Vec::new(), 0);
    while began.elapsed() < wait {
        let turned = Instant::now();
        bring_one(&place, turn);
        if turn % 4 == 0 {
            ["/", "/metrics", "/status.json"].iter().for_each(|path| assert_eq!(place.get(path).0, 200));
            costs.push(Cost::of(&daemon));
            place.mail(8);
        }
        if turn % 40 == 0 {
            daemon.reload();
        }
        if turn % 200 == 0 {
            let prune = place.command("spool prune --spool spool --older-than 0").output().unwrap();
            assert!(prune.status.success(), "{prune:?}");
        }
        turn += 1;
        std::thread::park_timeout(turn_wait.saturating_sub(turned.elapsed()));
    }
    place.wait("all done", || place.names("inbox/f").is_empty() && place.status()["state"] == "idle");
    for tenth in costs.chunks(costs.len().div_ceil(10)) {
        println!("{:?}", peak(tenth));
    }
    // What is allocated once is there by then: a fifth of the time.
    let (warm, rest) = costs.split_at(costs.len() / 5);
    let (early, late) = (peak(&rest[..rest.len() / 2]), peak(&rest[rest.len() / 2..]));
    println!(
        "{turn} dumps in {:?}: at first {:?}, then up to {early:?}, at last {late:?}",
        began.elapsed(),
        peak(warm)
    );
    // A run holds a few more at one moment than at another; one that leaks in each dump would hold hundreds.
    assert!(late.descriptors <= early.descriptors + 16 && late.threads <= early.threads);
    assert!(late.anonymous_kilobytes <= early.anonymous_kilobytes * 11 / 10 + 1024);
    daemon.stop();
}
