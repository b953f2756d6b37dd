//! The main job under faults: a kill, an I/O error or a full disk at each system call of `match` that touches the spool,
//! then the same command again: nothing lost, nothing doubled, nothing torn, nothing left over.
//!
//! By default at the calls that change something. All calls, and the random kills of a larger run:
//!
//! ```sh
//! cargo test --release --test match_faults -- --ignored --nocapture
//! ```

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic and print")]

mod faults;

use dijkwacht::spool::{Claims, Status, status, verify};
use faults::{Ending, Fault, Point, Trial, has_strace, tree};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

type Tree = BTreeMap<PathBuf, (u32, Vec<u8>)>;

/// What `match` is run on.
struct Subject {
    directory: tempfile::TempDir,
    dump: PathBuf,
}

impl Subject {
    /// `rows` exposed hosts of `owners` organisations, one in seven held for a conflict.
    fn new(rows: usize, owners: usize, compressed: bool) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut register = "owner_id,constituency,network,contact\n".to_owned();
        for owner in 0..owners {
            let network = format!("192.0.2.{owner}/32");
            writeln!(register, "o{owner},business,{network},cert@o{owner}.example").unwrap();
            if owner % 7 == 3 {
                writeln!(register, "rival{owner},vital,{network},cert@rival{owner}.example").unwrap();
            }
        }
        std::fs::write(directory.path().join("register.csv"), register).unwrap();
        let mut text = "ip,port,timestamp,note\n".to_owned();
        for row in 0..rows {
            let (owner, port) = (row % owners, 1 + row / owners);
            writeln!(text, "192.0.2.{owner},{port},2026-11-22T01:02:03Z,\"two\nlines\"").unwrap();
        }
        // Dutch, and nobody's: listed.
        for host in 0..9 {
            writeln!(text, "91.192.{host}.1,80,2026-11-22T01:02:03Z,").unwrap();
        }
        let delegated = "2|ripencc|20261122|1|19830705|20261122|+0100\nripencc|NL|ipv4|91.192.0.0|65536|20100101|allocated|a\n";
        std::fs::write(directory.path().join("delegated-ripencc-extended"), delegated).unwrap();
        let mut dump = directory.path().join("dump.csv");
        std::fs::write(&dump, &text).unwrap();
        if compressed {
            use std::io::Write as _;
            dump = directory.path().join("dump.csv.gz");
            let file = std::fs::File::create(&dump).unwrap();
            let mut gzip = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
            gzip.write_all(text.as_bytes()).unwrap();
            gzip.finish().unwrap();
        }
        Self { directory, dump }
    }

    fn command(&self, place: &Path) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dijkwacht"));
        command
            .args(["match", "--quiet", "--json", "--threads", "1", "--run-time", "2026-11-22T06:00:00Z"])
            .args(["--feed", "partner", "--identifier", "open-rdp"])
            .arg("--register")
            .arg(self.directory.path().join("register.csv"))
            .arg("--register")
            .arg(self.directory.path().join("delegated-ripencc-extended"))
            .arg("--residual")
            .arg("--spool")
            .arg(place.join("spool"))
            .arg(&self.dump)
            .env_remove("DIJKWACHT_CONFIG");
        command
    }
}

fn place() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
}

fn visible(tree: &Tree) -> Tree {
    let seen = |path: &Path| {
        let depth = path.components().count();
        ["new", "held", "runs"].iter().any(|part| path.starts_with(part)) && depth > 1
    };
    tree.iter().filter(|(path, _)| seen(path)).map(|(path, entry)| (path.clone(), entry.clone())).collect()
}

/// Whether the run is committed; what is to be seen of it is then all of it.
fn is_published(place: &Path, wanted: &Tree) -> bool {
    let spool = place.join("spool");
    if !spool.join("new").is_dir() {
        return false;
    }
    let found = visible(&tree(&spool));
    if !found.keys().any(|path| path.starts_with("new")) {
        return false;
    }
    assert_eq!(found, visible(wanted), "torn");
    true
}

fn check_after_fault(place: &Path, fault: Fault, ending: &Ending, wanted: &Tree) {
    let published = is_published(place, wanted);
    match fault {
        Fault::Kill => {}
        Fault::Error(_) if ending.status.success() => assert!(published, "{ending:#?}"),
        Fault::Error(_) => {
            let code = ending.status.code().unwrap_or_default();
            assert!([65, 73, 74, 75, 77].contains(&code), "{ending:#?}");
            assert!(!ending.stderr.trim().is_empty(), "a failure without a word: {ending:#?}");
        }
    }
}

fn check_after_all(place: &Path, wanted: &Tree) {
    let spool = place.join("spool");
    assert!(is_published(place, wanted), "lost");
    let counts = status(&spool).unwrap();
    assert_eq!((counts.new, counts.held, counts.tmp), (1, 1, 0), "lost, doubled or left over: {counts:?}");
    assert!(verify(&spool).unwrap().is_clean());
    let claims = Claims::open(&spool).unwrap();
    let mut taken = 0;
    while claims.take(None).unwrap().is_some() {
        taken += 1;
    }
    assert_eq!(taken, 1, "all is warned by one sender");
    assert_eq!(Status { cur: 1, ..Status::default() }.cur, status(&spool).unwrap().cur);
}

fn reference(subject: &Subject) -> Tree {
    let place = place();
    let ending = faults::run(&subject.command(place.path()));
    assert!(ending.status.success(), "{ending:#?}");
    tree(&place.path().join("spool"))
}

fn sweep(subject: &Subject, faults: &dyn Fn(&Point) -> Vec<Fault>) {
    if !has_strace() {
        return;
    }
    let wanted = reference(subject);
    let is_list = |path: &PathBuf| path.to_string_lossy().ends_with(".residual.jsonl");
    assert!(wanted.keys().any(is_list), "what is nobody's is listed");
    let start = Instant::now();
    let swept = Trial {
        command: &|place| subject.command(place),
        place: &place,
        faults,
        after_fault: &|place, _, fault, ending| check_after_fault(place, fault, ending, &wanted),
        after_all: &|place, _| check_after_all(place, &wanted),
    }
    .sweep();
    println!("{} faults in {:.1?}: {:?}", swept.trials, start.elapsed(), swept.by_syscall);
    assert!(swept.trials > 0);
}

/// Calls that can find the disk full.
const FILLS: [&str; 8] = ["openat", "mkdirat", "mkdir", "write", "pwrite64", "fsync", "syncfs", "renameat2"];

fn all_faults(point: &Point) -> Vec<Fault> {
    match point.syscall.as_str() {
        // Linux closes whatever it reports; strace's error would leave the file open, and its lock taken.
        "close" => vec![Fault::Kill],
        syscall if FILLS.contains(&syscall) => vec![Fault::Kill, Fault::Error("EIO"), Fault::Error("ENOSPC")],
        _ => vec![Fault::Kill, Fault::Error("EIO")],
    }
}

/// At the calls without which a run would not be durable, and the one that commits.
fn faults_at_durable_calls(point: &Point) -> Vec<Fault> {
    match point.syscall.as_str() {
        "fsync" | "syncfs" | "renameat2" | "write" => all_faults(point),
        _ => Vec::new(),
    }
}

#[test]
fn a_fault_at_any_durable_call_of_match_loses_doubles_and_tears_nothing() {
    sweep(&Subject::new(6, 5, false), &faults_at_durable_calls);
}

#[test]
#[ignore = "minutes: every call, mapped and decompressed"]
fn a_fault_at_any_call_of_match_loses_doubles_and_tears_nothing() {
    sweep(&Subject::new(6, 5, false), &all_faults);
    sweep(&Subject::new(6, 5, true), &all_faults);
}

/// Kills at random moments of a run with many notices; `MATCH_KILLS` says how many.
#[test]
fn random_kills_of_match_lose_double_and_tear_nothing() {
    let kills: u32 = std::env::var("MATCH_KILLS").map_or(10, |kills| kills.parse().unwrap());
    let subject = Subject::new(20_000, 250, false);
    let wanted = reference(&subject);
    let timed = place();
    let start = Instant::now();
    assert!(faults::run(&subject.command(timed.path())).status.success());
    let took = start.elapsed();
    let mut random = fastrand::Rng::with_seed(11);
    let (mut fired, mut tries) = (0, 0);
    while fired < kills {
        tries += 1;
        assert!(tries < 20 * kills + 100, "only {fired} of {tries} kills fired");
        let place = place();
        let mut child =
            subject.command(place.path()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_secs_f64(took.as_secs_f64() * random.f64()));
        let fires = child.try_wait().unwrap().is_none();
        let _ = child.kill();
        child.wait().unwrap();
        if !fires {
            continue;
        }
        fired += 1;
        is_published(place.path(), &wanted);
        let again = faults::run(&subject.command(place.path()));
        assert!(again.status.success(), "{again:#?}");
        check_after_all(place.path(), &wanted);
    }
    println!("{fired} kills in {tries} runs");
}
