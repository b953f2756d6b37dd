//! Notices: whole runs of the program, on dumps in memory, of which some or all rows match.
//!
//! `cargo bench --bench notices` (about two minutes). A register of 100,000 prefixes of 25,000 owners; ZMap rows, 1.4 % or all of which
//! match. `dry run` reads, matches and sorts; `notices` renders and publishes as well, in a spool that is in memory where the system has
//! such a directory. Each run tells how many rows matched, which is asserted. `elem/s` is rows.

mod shapes;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dijkwacht::index::Index;
use fastrand::Rng;
use shapes::{ZMAP, held_address, prefixes, register, register_text};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const PROGRAM: &str = env!("CARGO_BIN_EXE_dijkwacht");
const IN_MEMORY: &str = "/dev/shm";
const REGISTRATIONS: u32 = 100_000;
const OWNERS: u32 = 25_000;
const ROWS: u64 = 1_000_000;

/// Runs the program, which must end well; returns what it printed.
fn run(directory: &Path, words: &[&str]) -> Vec<u8> {
    let done = Command::new(PROGRAM).args(words).current_dir(directory).output().expect("the program starts");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    done.stdout
}

/// Matches a dump, of which so many rows must match.
fn match_dump(directory: &Path, dump: &str, to: &[&str], matched: u64) {
    let words = [
        "match",
        "--index",
        "owners.dwi",
        "--identifier",
        "x",
        "--run-time",
        "2026-11-22T06:00:00Z",
        "--json",
        dump,
    ];
    let told: serde_json::Value =
        serde_json::from_slice(&run(directory, &[&words[..], to].concat())).expect("a summary");
    assert_eq!(told["dumps"][0]["matched"], matched, "{told}");
}

fn notices(criterion: &mut Criterion) {
    let made =
        if Path::new(IN_MEMORY).is_dir() { tempfile::tempdir_in(IN_MEMORY) } else { tempfile::tempdir() };
    let scratch = made.expect("a scratch directory");
    let directory = scratch.path();
    let mut rng = Rng::with_seed(20_261_122);
    let prefixes = prefixes(&mut rng, REGISTRATIONS);
    let index = Index::build(&register(&prefixes)).expect("it fits");
    std::fs::write(directory.join("register.csv"), register_text(&prefixes, OWNERS))
        .expect("it can be written");
    run(directory, &["index", "build", "-o", "owners.dwi", "register.csv"]);
    for (name, all_match) in [("some match", false), ("every row matches", true)] {
        let mut text = format!("{}\n", ZMAP.header.unwrap_or_default());
        let mut matched = 0;
        for _ in 0..ROWS {
            matched += u64::from(match all_match {
                true => {
                    let address = held_address(&prefixes, &index, &mut rng);
                    ZMAP.add_of(&mut text, &mut rng, address);
                    true
                }
                false => index.holds(ZMAP.add(&mut text, &mut rng)),
            });
        }
        std::fs::write(directory.join("dump.csv"), text).expect("it can be written");
        let mut group = criterion.benchmark_group(format!("notices/{name}"));
        group
            .sample_size(10)
            .warm_up_time(Duration::from_millis(500))
            .measurement_time(Duration::from_secs(10));
        group.throughput(Throughput::Elements(ROWS));
        group.bench_function("dry run", |bencher| {
            bencher.iter(|| match_dump(directory, "dump.csv", &["--dry-run"], matched));
        });
        group.bench_function("notices", |bencher| {
            bencher.iter_batched(
                || {
                    let spool = directory.join("spool");
                    assert!(!spool.exists() || std::fs::remove_dir_all(spool).is_ok());
                },
                |()| match_dump(directory, "dump.csv", &["--spool", "spool"], matched),
                criterion::BatchSize::PerIteration,
            );
        });
        group.finish();
    }
}

criterion_group!(benches, notices);
criterion_main!(benches);
