//! Long runs: deaths, stops, reloads and floods, as many as the environment says. `cargo test --test serve -- --ignored`.
//!
//! | variable | default | what |
//! |---|--:|---|
//! | `SERVE_DEATHS` | 20 | kill -9 at random moments under load |
//! | `SERVE_STOPS` | 10 | SIGTERM at random moments under load |
//! | `SERVE_RELOADS` | 20 | reloads under load, each with every owner renamed |
//! | `SERVE_FLOOD` | 2000 | small files at once |
//! | `SERVE_ARRIVALS` | 50 | 1-MB dumps, one after the other, timed |
//! | `SERVE_UNREAD` | 200 | dumps while no mailer runs |
//! | `SERVE_TRICKLE_SECONDS` | 20 | a dump each second |
//! | `SERVE_SOAK_SECONDS` | 30 | of everything: formats, bad dumps, reloads, mailers, prunes, pages |
//! | `SERVE_SOAK_TURN_MILLIS` | 250 | between two of its dumps |
//! | `SERVE_SEED` | random | of the moments |

use crate::daemon::{Place, RUN_TIME, dump, long_dump};
use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

pub(crate) fn knob(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |value| value.parse().unwrap())
}

fn random() -> fastrand::Rng {
    let seed = std::env::var("SERVE_SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    println!("SERVE_SEED={seed}");
    fastrand::Rng::with_seed(seed)
}

/// A load: dumps that each have one alert of their own, `port` says which.
fn bring_load(place: &Place, numbers: std::ops::Range<usize>) {
    for number in numbers {
        let bytes = if number.is_multiple_of(4) { 8 << 20 } else { 64 << 10 };
        place.bring(&format!("{number}.csv"), long_dump(bytes, number));
    }
}

/// Each dump's alert is there once.
fn assert_none_lost_or_doubled(place: &Place, count: usize) {
    let mut ports = BTreeMap::<u64, usize>::new();
    for run in place.runs() {
        let path = place.path(format!("spool/new/{run}/ncsc/school.jsonl"));
        for line in fs::read_to_string(path).unwrap().lines() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            *ports.entry(line["source.port"].as_u64().unwrap()).or_default() += 1;
        }
    }
    let expected: BTreeMap<u64, usize> = (0..count).map(|number| (number as u64 + 1, 1)).collect();
    assert_eq!(ports, expected);
    assert_eq!(place.names("done/f").len(), count);
    assert_eq!(place.names("failed/f"), [""; 0]);
    assert!(place.command("spool verify --spool spool").output().unwrap().status.success());
}

#[test]
#[ignore = "long"]
fn deaths_under_load_lose_and_double_nothing() {
    let (deaths, mut random) = (knob("SERVE_DEATHS", 20), random());
    // A dump may be at hand at every death here; that it is given up after three is tested elsewhere.
    let place = Place::with("tries_max = 10");
    let mut slowest_start = Duration::ZERO;
    for death in 0..deaths {
        bring_load(&place, death * 4..death * 4 + 4);
        let began = Instant::now();
        let daemon = place.start();
        slowest_start = slowest_start.max(began.elapsed());
        std::thread::park_timeout(Duration::from_micros(random.u64(..300_000)));
        daemon.kill();
    }
    let daemon = place.start();
    place.wait("all done", || place.names("done/f").len() == deaths * 4);
    daemon.stop();
    assert_none_lost_or_doubled(&place, deaths * 4);
    println!("{deaths} deaths, {} dumps, slowest start {slowest_start:?}", deaths * 4);
}

#[test]
#[ignore = "long"]
fn stops_under_load_lose_and_double_nothing_and_cost_no_try() {
    let (stops, mut random) = (knob("SERVE_STOPS", 10), random());
    let place = Place::with("tries_max = 1");
    let mut slowest_stop = Duration::ZERO;
    for stop in 0..stops {
        bring_load(&place, stop * 4..stop * 4 + 4);
        let daemon = place.start();
        std::thread::park_timeout(Duration::from_micros(random.u64(..300_000)));
        let asked = Instant::now();
        daemon.stop();
        slowest_stop = slowest_stop.max(asked.elapsed());
    }
    let daemon = place.start();
    place.wait("all done", || place.names("done/f").len() == stops * 4);
    daemon.stop();
    assert_none_lost_or_doubled(&place, stops * 4);
    println!("{stops} stops, {} dumps, slowest stop {slowest_stop:?}", stops * 4);
}

#[test]
#[ignore = "long"]
fn reloads_under_load_mix_nothing() {
    let (reloads, mut random) = (knob("SERVE_RELOADS", 20), random());
    let place = Place::new();
    let daemon = place.start();
    let mut rows = String::from("ip,port,identifier\n");
    (0..30_000).for_each(|row| rows.push_str(&format!("192.0.2.{},{},open-rdp\n", row % 256, row / 256 + 1)));
    for reload in 0..reloads {
        let register = |name: &str| {
            format!(
                "owner_id,role,network,contact\nfirst-{name},network,192.0.2.0/24,a@{name}.example\nsecond-{name},user,192.0.2.0/25,b@{name}.example\n"
            )
        };
        place.write("register.csv", register(if reload % 2 == 0 { "even" } else { "odd" }));
        place.bring(&format!("{reload}.csv"), format!("{rows}192.0.2.1,60000,run-{reload}\n"));
        std::thread::park_timeout(Duration::from_micros(random.u64(..150_000)));
        daemon.reload();
        place.wait_for(&format!("done/f/{reload}.csv"));
    }
    daemon.stop();
    let runs = place.runs();
    assert_eq!(runs.len(), reloads);
    let mut kinds = BTreeMap::<String, usize>::new();
    for run in runs {
        let names: Vec<String> = place
            .names(&format!("spool/new/{run}"))
            .iter()
            .flat_map(|sender| place.names(&format!("spool/new/{run}/{sender}")))
            .filter(|name| name.ends_with(".jsonl"))
            .collect();
        let kind = names[0].trim_end_matches(".jsonl").rsplit('-').next().unwrap().to_owned();
        assert_eq!(names, [format!("first-{kind}.jsonl"), format!("second-{kind}.jsonl")]);
        *kinds.entry(kind).or_default() += 1;
    }
    println!("{reloads} reloads, runs by register {kinds:?}");
}

#[test]
#[ignore = "long"]
fn a_flood_of_small_files_is_processed_whole() {
    let count = knob("SERVE_FLOOD", 2000);
    let place = Place::with("unclaimed_max = 1000000");
    let daemon = place.start();
    let began = Instant::now();
    for number in 0..count {
        place.bring(
            &format!("{number}.csv"),
            format!("ip,port,identifier\n192.0.2.1,{},r{number}\n", number % 60_000 + 1),
        );
    }
    let brought = began.elapsed();
    let deadline = Instant::now() + Duration::from_secs(3600);
    while place.names("done/f").len() < count {
        assert!(Instant::now() < deadline, "{}", place.status());
        std::thread::park_timeout(Duration::from_secs(1));
    }
    let memory = fs::read_to_string(format!("/proc/{}/status", daemon.child.id())).unwrap();
    let anonymous = memory.lines().find(|line| line.starts_with("RssAnon")).unwrap();
    println!("{count} files brought in {brought:?}, done after {:?}; {anonymous}", began.elapsed());
    assert_eq!(place.runs().len(), count);
    daemon.stop();
}

#[test]
#[ignore = "long"]
fn a_dump_becomes_notices_soon_after_it_arrives() {
    let count = knob("SERVE_ARRIVALS", 50);
    // The feed is known; and a rename that is missed would be waited for in vain.
    let place = Place::with("[feeds.f]");
    place.settle(3600);
    let daemon = place.start();
    let mut waits = Vec::new();
    for number in 0..count {
        let text = long_dump(1 << 20, number);
        place.write("next", &text);
        let run = format!("spool/new/f-{}", &blake3::hash(&text).to_hex()[..16]);
        waits.push(time_to_run(&place, &run, || {
            fs::rename(place.path("next"), place.path(format!("inbox/f/{number}.csv"))).unwrap();
        }));
    }
    let median = print_waits("arrivals", waits);
    assert!(median < Duration::from_millis(50));
    daemon.stop();
}

/// From when a dump is brought until its run is in the spool.
fn time_to_run(place: &Place, run: &str, bring: impl FnOnce()) -> Duration {
    let brought = Instant::now();
    bring();
    while !place.path(run).exists() {
        assert!(brought.elapsed() < Duration::from_secs(60), "{}", place.log());
        std::thread::park_timeout(Duration::from_micros(500));
    }
    brought.elapsed()
}

/// Returns the median.
fn print_waits(what: &str, mut waits: Vec<Duration>) -> Duration {
    waits.sort();
    let count = waits.len();
    let (median, p99, worst) = (waits[count / 2], waits[count * 99 / 100], waits[count - 1]);
    println!("{count} {what}: median {median:?}, p99 {p99:?}, worst {worst:?}");
    median
}

#[test]
#[ignore = "long"]
fn a_dump_a_second_never_waits_for_the_one_before() {
    let seconds = knob("SERVE_TRICKLE_SECONDS", 20);
    let place = Place::with("[feeds.f]");
    let daemon = place.start();
    let mut waits = Vec::new();
    for second in 0..seconds {
        let began = Instant::now();
        let text = long_dump(64 << 10, second);
        let run = format!("spool/new/f-{}", &blake3::hash(&text).to_hex()[..16]);
        waits.push(time_to_run(&place, &run, || place.bring(&format!("{second}.csv"), &text)));
        std::thread::park_timeout(Duration::from_secs(1).saturating_sub(began.elapsed()));
    }
    place.wait("all done", || place.names("done/f").len() == seconds);
    daemon.stop();
    assert_none_lost_or_doubled(&place, seconds);
    let median = print_waits("dumps, one a second", waits);
    assert!(median < Duration::from_millis(50));
}

#[test]
#[ignore = "long"]
fn while_no_mailer_runs_the_input_stops_and_then_goes_on_and_loses_nothing() {
    let (count, unclaimed_max) = (knob("SERVE_UNREAD", 200), 20);
    let place = Place::with(&format!("unclaimed_max = {unclaimed_max}\n[feeds.f]"));
    let mut daemon = place.start();
    for number in 0..count {
        place.bring(&format!("{number}.csv"), long_dump(4 << 10, number));
    }
    let mut mailed = 0;
    while place.names("done/f").len() < count {
        place.wait("high water, or the end", || {
            place.status()["state"] == "high-water" || place.names("done/f").len() == count
        });
        // At most what may wait, one more that shows it, and what each lane had in hand.
        let waiting = place.runs().len() - mailed;
        assert!(waiting <= unclaimed_max + 3, "{waiting}");
        assert_eq!(place.get("/readyz").0, 200);
        // A stopped input is found stopped again.
        daemon.kill();
        daemon = place.start();
        mailed += place.mail(unclaimed_max);
    }
    daemon.stop();
    assert_none_lost_or_doubled(&place, count);
    println!("{count} dumps, never more than {} claims waiting for a mailer", unclaimed_max + 3);
}

#[test]
#[ignore = "long"]
fn an_idle_daemon_costs_next_to_nothing() {
    let place = Place::new();
    let daemon = place.start();
    place.bring("a.csv", dump(200, 1));
    place.wait_for("done/f/a.csv");
    let of = |file: &str| fs::read_to_string(format!("/proc/{}/{file}", daemon.child.id())).unwrap();
    let ticks = || -> u64 {
        let stat = of("stat");
        stat.rsplit(')').next().unwrap().split(' ').skip(12).take(2).map(|n| n.parse::<u64>().unwrap()).sum()
    };
    let before = ticks();
    std::thread::park_timeout(Duration::from_secs(60));
    let status = of("status");
    let anonymous = status.lines().find(|line| line.starts_with("RssAnon")).unwrap();
    println!("idle for 60 s at {RUN_TIME}: {} ticks of CPU, {anonymous}", ticks() - before);
    let kilobytes: u64 = anonymous.split_whitespace().nth(1).unwrap().parse().unwrap();
    assert!(kilobytes <= 32 * 1024);
    daemon.stop();
}
