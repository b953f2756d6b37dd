//! The spool under fire: an error or a kill at every system call, at any moment, several publishers at once, other users.
//!
//! The subject is this test binary itself, which publishes one run when `SPOOL_SUBJECT` names a spool. By default every
//! system call of a small run that changes something is tried with a kill, EIO and ENOSPC, and a larger run with 20 random
//! kills. All system calls, of a run that is made durable by syncfs too, and more kills:
//!
//! ```sh
//! SPOOL_KILLS=200 cargo test --test spool_faults -- --include-ignored --nocapture
//! ```

#![allow(clippy::unwrap_used, clippy::print_stderr, clippy::print_stdout)] // the helpers of tests are tests

mod faults;

use dijkwacht::spool::*;
use faults::{Ending, Fault, Point, Trial, has_strace, tree};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Where the subject publishes.
const SUBJECT: &str = "SPOOL_SUBJECT";
/// How many notices it writes.
const NOTICES: &str = "SPOOL_NOTICES";
/// Two senders, three notices, something held: every step of the protocol.
const SMALL: usize = 3;
/// Made durable by syncfs.
const LARGE: usize = FSYNC_FILES_MAX + 1;

// ---- the subject ----

/// No test: what is run in a process of its own. Says what became of the run; exits as `match` would.
#[test]
fn subject() {
    let Some(spool) = std::env::var_os(SUBJECT) else { return };
    let notices = std::env::var(NOTICES).unwrap().parse().unwrap();
    outnumber_the_loader();
    // strace counts system calls by thread: everything happens on this one.
    rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread().build_global().unwrap();
    let code = match publish(Path::new(&spool), notices) {
        Ok(publication) => {
            println!("{publication:?}");
            0
        }
        Err(error) => {
            eprintln!("{error}");
            exit_code(&error)
        }
    };
    std::process::exit(code);
}

/// Makes more calls of each name than the loader and libtest's own thread make: a fault at the nth call of this thread must
/// not fire at the nth of theirs before.
fn outnumber_the_loader() {
    for _ in 0..100 {
        let mut file = std::fs::File::options().read(true).write(true).open("/dev/null").unwrap();
        file.write_all(b"-").unwrap();
        let stat = rustix::fs::statat(rustix::fs::CWD, "/dev/null", rustix::fs::AtFlags::empty());
        assert!(file.metadata().is_ok() && stat.is_ok() && rustix::fs::fstat(&file).is_ok());
        assert_eq!(file.read(&mut [0]).unwrap() + file.read_at(&mut [0], 0).unwrap(), 0);
    }
}

fn publish(path: &Path, notices: usize) -> Result<Publication, SpoolError> {
    let spool = Spool::open(path, &SpoolOptions::default())?;
    spool.recover()?;
    let facts = facts();
    if let Some(at) = spool.find_published(&facts.run_name(), &facts.dump.blake3)? {
        return Ok(Publication::AlreadyPublished { run: facts.run_name(), at });
    }
    let stage = spool.stage()?;
    let mut scratch = stage.scratch()?;
    scratch.append(b"spilled")?;
    scratch.read_at(&mut [0; 7], 0)?;
    for number in 0..notices {
        let mut notice = stage.notice(recipient(number))?;
        notice.append(&lines(number))?;
        notice.finish()?;
    }
    let mut held = stage.held(recipient(0))?;
    held.append(b"{\"held\":true}\n")?;
    held.finish()?;
    let staged = stage.read_back()?;
    let alerts: u64 = (0..notices).map(|number| number as u64 + 1).sum();
    assert_eq!((staged.alerts(), staged.held()), (alerts, 1));
    staged.publish(facts)
}

fn facts() -> RunFacts {
    let blake3 = blake3::hash(b"a dump").into();
    RunFacts {
        feed: FeedName::read("partner").unwrap(),
        feed_label: "A partner".into(),
        label: None,
        dump: DumpFacts {
            name: "dump.csv".into(),
            format: "csv".into(),
            bytes: 6,
            bytes_stored: 6,
            blake3,
            observed: None,
        },
        index: "00".repeat(32),
        run_time: "2026-11-22T00:00:00+00:00".into(),
        options: BTreeMap::new(),
        report: BTreeMap::new(),
        counts: serde_json::json!({"records": 1}),
    }
}

fn recipient(number: usize) -> Recipient {
    Recipient {
        sender: Sender::read(["ncsc", "dtc"][number % 2]).unwrap(),
        owner_id: format!("owner-{number}"),
        name: Some(format!("Owner {number}")),
        contacts: vec![format!("cert@owner-{number}.example")],
    }
}

fn lines(number: usize) -> Vec<u8> {
    format!("{{\"source.ip\":\"192.0.2.{number}\"}}\n").into_bytes().repeat(number + 1)
}

/// As the command line maps them.
fn exit_code(error: &SpoolError) -> i32 {
    match error {
        SpoolError::Damaged { .. } | SpoolError::TooNew { .. } | SpoolError::OtherContent { .. } => 65,
        SpoolError::NoSpool { .. } | SpoolError::NoFlatDirectory { .. } | SpoolError::NotClaimed { .. } => 66,
        SpoolError::Name(_) | SpoolError::Unfinished { .. } => 70,
        SpoolError::CannotCreate { .. } | SpoolError::NoSafeRename { .. } => 73,
        SpoolError::System { .. } | SpoolError::Torn { .. } | SpoolError::NotDurable { .. } => 74,
        SpoolError::Full { .. } | SpoolError::Locked { .. } => 75,
        SpoolError::Refused { .. } | SpoolError::GroupRefused { .. } => 77,
        SpoolError::OtherFileSystem { .. }
        | SpoolError::NotDirectory { .. }
        | SpoolError::UnknownGroup { .. } => 78,
    }
}

/// The command that publishes in `place`/spool; `before` are words before it (`setpriv …`).
fn command(place: &Path, notices: usize, before: &[&str]) -> Command {
    command_of(&std::env::current_exe().unwrap(), place, notices, before)
}

fn command_of(binary: &Path, place: &Path, notices: usize, before: &[&str]) -> Command {
    let words = before.iter().map(OsStr::new).chain([binary.as_os_str()]);
    let words: Vec<&OsStr> =
        words.chain(["--exact", "subject", "--nocapture", "--test-threads=1"].map(OsStr::new)).collect();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).env(SUBJECT, place.join("spool")).env(NOTICES, notices.to_string());
    command
}

/// A directory in memory if there is any, since hundreds of runs are made durable here; `TMPDIR` names another.
fn place() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let in_memory = memory.is_dir() && std::env::var_os("TMPDIR").is_none();
    let place = if in_memory { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
    // tempdir's own mode of 0700 would keep other users out.
    std::fs::set_permissions(place.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    place
}

// ---- what must hold ----

/// The tree of a spool in which the subject published in peace.
fn reference(notices: usize) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    let place = place();
    let ending = faults::run(&command(place.path(), notices, &[]));
    assert!(ending.status.success(), "{ending:#?}");
    tree(&place.path().join("spool"))
}

/// What a mailer can see: nothing, or all of the run.
fn is_published(spool: &Path, reference: &BTreeMap<PathBuf, (u32, Vec<u8>)>) -> bool {
    let visible = |tree: &BTreeMap<PathBuf, (u32, Vec<u8>)>| -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
        tree.iter()
            .filter(|(path, _)| path.starts_with("new") && path.components().count() > 1)
            .map(|(path, entry)| (path.clone(), entry.clone()))
            .collect()
    };
    if !spool.is_dir() {
        return false;
    }
    let (found, wanted) = (tree(spool), visible(reference));
    let found_visible = visible(&found);
    if found_visible.is_empty() {
        return false;
    }
    assert_eq!(found_visible, wanted, "torn");
    let held = |(path, _): &(&PathBuf, _)| path.starts_with("held");
    assert!(found.iter().filter(held).eq(reference.iter().filter(held)), "held is lost or torn");
    true
}

/// Claims all there is to claim, as the mailers of all senders.
fn take_all(spool: &Path) -> Vec<String> {
    let Ok(claims) = Claims::open(spool) else { return Vec::new() };
    let mut names = Vec::new();
    while let Some(claim) = claims.take(None).unwrap() {
        names.push(claim.name.to_string());
    }
    names
}

/// After a fault: what is to be seen is whole, and a success or a published run says so. A mailer takes what it sees.
fn check_after_fault(
    place: &Path,
    fault: Fault,
    ending: &Ending,
    wanted: &BTreeMap<PathBuf, (u32, Vec<u8>)>,
) {
    let spool = place.join("spool");
    let is_published = is_published(&spool, wanted);
    if is_published {
        take_all(&spool);
    }
    match fault {
        Fault::Kill => {}
        Fault::Error(_) if ending.status.success() => assert!(is_published, "{ending:#?}"),
        Fault::Error(errno) => {
            let codes: &[i32] = if errno == "ENOSPC" { &[75, 74] } else { &[74, 73] };
            let code = ending.status.code().unwrap_or_default();
            assert!(codes.contains(&code), "{ending:#?}");
            assert!(!is_published || ending.stderr.contains("is published"), "{ending:#?}");
        }
    }
}

/// In the end: published once, claimed once, nothing left over, nothing wrong.
fn check_after_all(place: &Path, wanted: &BTreeMap<PathBuf, (u32, Vec<u8>)>) {
    let spool = place.join("spool");
    assert!(is_published(&spool, wanted), "lost");
    take_all(&spool);
    let counts = status(&spool).unwrap();
    let expected = Status { new: 1, cur: 2, held: 1, ..Status::default() };
    assert_eq!(counts, expected, "lost or doubled");
    let verification = verify(&spool).unwrap();
    assert!(verification.is_clean(), "{verification:#?}");
    let ours = |tree: &BTreeMap<PathBuf, (u32, Vec<u8>)>| -> Vec<(PathBuf, u32)> {
        tree.iter()
            .filter(|(path, _)| !path.starts_with("cur/"))
            .map(|(path, (mode, _))| (path.clone(), *mode))
            .filter(|(path, _)| path.parent() != Some(Path::new("cur")))
            .collect()
    };
    assert_eq!(ours(&tree(&spool)), ours(wanted), "something is left over, or has another mode");
}

fn sweep(notices: usize, faults: &dyn Fn(&Point) -> Vec<Fault>) {
    if !has_strace() {
        return;
    }
    let wanted = reference(notices);
    let start = Instant::now();
    let swept = Trial {
        command: &|place| command(place, notices, &[]),
        place: &place,
        faults,
        after_fault: &|place, _, fault, ending| check_after_fault(place, fault, ending, &wanted),
        after_all: &|place, _| check_after_all(place, &wanted),
    }
    .sweep();
    println!("{} faults in {:.1?}: {:?}", swept.trials, start.elapsed(), swept.by_syscall);
}

/// Calls that can find the disk full.
const FILLS: [&str; 6] = ["openat", "mkdirat", "write", "fsync", "syncfs", "renameat2"];

/// Calls that leave something behind, or order what does; of openat those that make a file.
const CHANGES: [&str; 9] =
    ["mkdirat", "write", "fsync", "syncfs", "renameat2", "unlinkat", "flock", "fchmod", "fchown"];

fn all_faults(point: &Point) -> Vec<Fault> {
    match point.syscall.as_str() {
        // Linux closes whatever it reports; strace's error would leave the file open, and its lock taken.
        "close" => vec![Fault::Kill],
        syscall if FILLS.contains(&syscall) => vec![Fault::Kill, Fault::Error("EIO"), Fault::Error("ENOSPC")],
        _ => vec![Fault::Kill, Fault::Error("EIO")],
    }
}

/// All faults, at the calls that change something.
fn faults_at_changes(point: &Point) -> Vec<Fault> {
    let makes_file = point.line.contains("O_CREAT") || point.line.contains("O_TMPFILE");
    if makes_file || CHANGES.contains(&point.syscall.as_str()) { all_faults(point) } else { Vec::new() }
}

// ---- tests ----

#[test]
fn a_fault_at_any_durable_system_call_loses_doubles_and_tears_nothing() {
    sweep(SMALL, &faults_at_changes);
}

#[test]
fn a_fault_while_many_files_are_made_durable_loses_doubles_and_tears_nothing() {
    sweep(LARGE, &|point| match point.syscall.as_str() {
        "syncfs" => all_faults(point),
        "fsync" if point.line.contains("/tmp/") => all_faults(point),
        "renameat2" if point.line.contains("partner-") => all_faults(point),
        _ => Vec::new(),
    });
}

#[test]
#[ignore = "half a minute: also the calls that only look"]
fn a_fault_at_any_system_call_loses_doubles_and_tears_nothing() {
    sweep(SMALL, &all_faults);
}

#[test]
#[ignore = "minutes: every system call of a large run"]
fn a_fault_at_any_system_call_of_a_large_run_loses_doubles_and_tears_nothing() {
    sweep(LARGE, &all_faults);
}

#[test]
fn random_kills_lose_double_and_tear_nothing() {
    let kills = std::env::var("SPOOL_KILLS").map_or(20, |kills| kills.parse().unwrap());
    let notices = 400;
    let wanted = reference(notices);
    let words = |place: &Path| command(place, notices, &[]);
    let timed = place();
    let start = Instant::now();
    assert!(faults::run(&words(timed.path())).status.success());
    let whole = start.elapsed();
    let seed = fastrand::u64(..);
    println!("seed {seed}, a whole run takes {whole:.1?}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut killed = 0;
    while killed < kills {
        let place = place();
        let mut words = words(place.path());
        let mut child = words.stdout(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_micros(random.u64(..whole.as_micros() as u64)));
        child.kill().unwrap();
        let was_killed = !child.wait().unwrap().success();
        killed += usize::from(was_killed);
        if is_published(&place.path().join("spool"), &wanted) {
            take_all(&place.path().join("spool"));
        }
        let again = faults::run(&words);
        assert!(again.status.success(), "{again:#?}");
        check_after_all(place.path(), &wanted);
    }
    println!("{killed} kills");
}

#[test]
fn publishers_at_once_publish_a_dump_once() {
    let wanted = reference(SMALL);
    for _ in 0..10 {
        let place = place();
        let children: Vec<_> = (0..4)
            .map(|_| command(place.path(), SMALL, &[]).stdout(Stdio::piped()).spawn().unwrap())
            .collect();
        let said: Vec<String> = children
            .into_iter()
            .map(|child| {
                let output = child.wait_with_output().unwrap();
                assert!(output.status.success(), "{output:?}");
                String::from_utf8(output.stdout).unwrap()
            })
            .collect();
        assert_eq!(said.iter().filter(|text| text.contains(" Published {")).count(), 1, "{said:#?}");
        assert_eq!(said.iter().filter(|text| text.contains(" AlreadyPublished {")).count(), 3, "{said:#?}");
        check_after_all(place.path(), &wanted);
    }
}

#[test]
fn the_umask_changes_no_mode() {
    for umask in ["000", "022", "077"] {
        let place = place();
        let words = command(place.path(), SMALL, &["sh", "-c", &format!("umask {umask}; exec \"$@\""), "sh"]);
        let ending = faults::run(&words);
        assert!(ending.status.success(), "{ending:#?}");
        let tree = tree(&place.path().join("spool"));
        let run = Path::new("new").join(facts().run_name().as_str());
        let held = Path::new("held").join(facts().run_name().as_str());
        for (path, mode) in [
            (PathBuf::from("tmp"), 0o700),
            ("new".into(), 0o2750),
            ("held".into(), 0o700),
            ("runs".into(), 0o700),
            ("cur".into(), 0o3770),
            ("done".into(), 0o3770),
            ("failed".into(), 0o3770),
            ("lock".into(), 0o600),
            (run.clone(), 0o2750),
            (run.join("manifest.json"), 0o600),
            (run.join("ncsc"), 0o2750),
            (run.join("ncsc/manifest.json"), 0o640),
            (run.join("ncsc/owner-0.jsonl"), 0o640),
            (held.clone(), 0o700),
            (held.join("ncsc"), 0o700),
            (held.join("ncsc/owner-0.jsonl"), 0o600),
        ] {
            let found = tree.get(&path).unwrap_or_else(|| panic!("{} is missing", path.display())).0;
            assert_eq!(found, mode, "umask {umask}: {} has mode {found:o}", path.display());
        }
    }
}

/// One call of a trace of the subject in peace.
struct Call {
    name: String,
    line: String,
}

fn calls_in_peace(place: &Path, notices: usize) -> Vec<Call> {
    let log = place.join("strace.log");
    let ending = faults::trace(&command(place, notices, &[]), &log);
    assert!(ending.status.success(), "{ending:#?}");
    let call = |line: &String| {
        faults::split_call(line).map(|(_, name, rest)| Call { name: name.to_owned(), line: rest.to_owned() })
    };
    ending.log.iter().filter_map(call).collect()
}

/// Everything that a power failure must not take is durable before the commit, in the order that the protocol says.
#[test]
fn nothing_is_committed_before_it_is_durable() {
    if !has_strace() {
        return;
    }
    for notices in [SMALL, FSYNC_FILES_MAX - 4, FSYNC_FILES_MAX - 3, LARGE] {
        let place = place();
        let calls = calls_in_peace(place.path(), notices);
        let run = facts().run_name();
        let renames = |to: &str| {
            let to = format!("/spool/{to}>, \"{run}\"");
            calls
                .iter()
                .position(|call| call.name.starts_with("renameat") && call.line.contains(&to))
                .unwrap()
        };
        let (held, commit) = (renames("held"), renames("new"));
        assert!(held < commit);
        assert!(calls[commit].line.contains("RENAME_NOREPLACE"));
        let staged = |call: &&Call| call.line.contains("/spool/tmp/");
        let last_write =
            calls.iter().rposition(|call| call.name == "write" && call.line.contains("/spool/tmp/"));
        let synced: Vec<&str> = calls[last_write.unwrap()..held]
            .iter()
            .filter(|call| call.name == "fsync")
            .map(|call| call.line.split(['<', '>']).nth(1).unwrap())
            .collect();
        let syncs_all = calls[last_write.unwrap()..held].iter().filter(|call| call.name == "syncfs").count();
        let files = notices + 4;
        let files_synced =
            synced.iter().filter(|path| path.ends_with(".jsonl") || path.ends_with(".json")).count();
        // Notices, one held file, two sender manifests, the manifest.
        let expected = if files <= FSYNC_FILES_MAX { (files, 0) } else { (0, 1) };
        assert_eq!((files_synced, syncs_all), expected, "{notices} notices");
        for directory in ["/run", "/run/ncsc", "/run/dtc", "/held", "/held/ncsc"] {
            assert!(synced.iter().any(|path| path.ends_with(directory)), "{directory} in {synced:?}");
        }
        let syncs = |name: &str, from: usize, to: usize| {
            let place = format!("/spool/{name}>)");
            calls[from..to].iter().any(|call| call.name == "fsync" && call.line.contains(&place))
        };
        assert!(syncs("held", held, commit), "held is durable before the commit");
        assert!(syncs("new", commit, calls.len()), "the commit is made durable");
        // The descriptor that syncfs reports to was open before the first write.
        let first_write = calls.iter().position(|call| call.name == "write" && staged(&call)).unwrap();
        let stage_opened = calls
            .iter()
            .position(|call| {
                call.name == "openat" && call.line.contains("/spool/tmp>, \"") && !call.line.contains("probe")
            })
            .unwrap();
        assert!(stage_opened < first_write);
    }
}

#[test]
fn errors_have_the_exit_code_of_their_remedy() {
    if !has_strace() {
        return;
    }
    for (syscall, errno, code, remedy) in [
        ("renameat2", "EINVAL", 73, "put the spool on a local one"),
        ("renameat2", "EXDEV", 78, "keep the spool on one"),
        ("mkdirat", "EDQUOT", 75, "free space or raise the quota"),
        ("mkdirat", "EACCES", 77, "run as the user that owns it"),
        ("mkdirat", "EROFS", 77, "run as the user that owns it"),
        ("fchown", "EPERM", 77, "a member of the group"),
        ("fsync", "EIO", 74, "look at the disk"),
    ] {
        let place = place();
        let log = place.path().join("strace.log");
        let point = Point { syscall: syscall.into(), nth: 1, line: String::new() };
        let words = command(place.path(), SMALL, &[]);
        let ending = faults::inject(&words, &point, Fault::Error(errno), &log);
        assert!(ending.fired(Fault::Error(errno), place.path()), "{syscall} {errno}: {ending:#?}");
        assert_eq!(ending.status.code(), Some(code), "{syscall} {errno}: {ending:#?}");
        assert!(ending.stderr.contains(remedy), "{syscall} {errno}: {}", ending.stderr);
    }
}

/// Whether other users can be played.
fn is_root() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        eprintln!("\n*** SKIPPED: only root can play another user ***\n");
    }
    is_root
}

const NOBODY: [&str; 4] = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];

/// The subject's binary where another user can run it.
fn command_as_nobody(place: &Path) -> Command {
    let binary = place.join("subject");
    // Not by this process: a child forked by another test while the copy is written would keep it busy.
    let copied = Command::new("cp").arg(std::env::current_exe().unwrap()).arg(&binary).status().unwrap();
    assert!(copied.success());
    command_of(&binary, place, SMALL, &NOBODY)
}

#[test]
fn a_spool_of_another_user_is_refused() {
    if !is_root() {
        return;
    }
    // Nobody may make it, and nobody may write in what is there; both before anything is done.
    let absent = place();
    let present = place();
    assert!(faults::run(&command(present.path(), SMALL, &[])).status.success());
    for place in [absent, present] {
        let ending = faults::run(&command_as_nobody(place.path()));
        assert_eq!(ending.status.code(), Some(77), "{ending:#?}");
        assert!(ending.stderr.contains("run as the user that owns it"), "{}", ending.stderr);
    }
}

#[test]
fn a_part_of_the_spool_that_cannot_be_written_is_refused_before_the_work() {
    if !is_root() {
        return;
    }
    for part in ["tmp", "new", "held", "runs", "lock"] {
        let place = place();
        std::os::unix::fs::chown(place.path(), Some(65534), Some(65534)).unwrap();
        let words = command_as_nobody(place.path());
        let spool = place.path().join("spool");
        assert!(faults::run(&words).status.success());
        std::fs::remove_dir_all(spool.join("new").join(facts().run_name().as_str())).unwrap();
        std::os::unix::fs::chown(spool.join(part), Some(0), Some(0)).unwrap();
        let ending = faults::run(&words);
        assert_eq!(ending.status.code(), Some(77), "{part}: {ending:#?}");
        assert!(ending.stderr.contains(&format!("/spool/{part}")), "{part}: {}", ending.stderr);
        assert_eq!(std::fs::read_dir(spool.join("tmp")).unwrap().count(), 0, "{part}");
    }
}

/// A mailer of another user, member of the spool's group, needs no more than a shell.
#[test]
fn a_shell_of_another_user_takes_and_acknowledges() {
    if !is_root() {
        return;
    }
    let place = place();
    assert!(faults::run(&command(place.path(), SMALL, &[])).status.success());
    let spool = place.path().join("spool");
    let run = facts().run_name();
    let script = r#"
        set -eu
        cd "$1"; claim=$2.ncsc
        mkdir "cur/$claim"
        ! [ -e "done/$claim" ]
        cat "new/$2/ncsc/owner-0.jsonl" "new/$2/ncsc/manifest.json" > /dev/null
        touch "cur/$claim/owner-0.sent"
        mv -T "cur/$claim" "done/$claim"
        # What is not its business:
        ! cat "new/$2/manifest.json"
        ! ls held || exit 1
        ! ls tmp || exit 1
        ! touch "new/$2/ncsc/more" || exit 1
        ! rm "new/$2/ncsc/owner-0.jsonl" || exit 1
        ! mv "new/$2" cur/ || exit 1
        ! flock -n lock true || exit 1
    "#;
    let shell = |group: &str| {
        Command::new("setpriv")
            .args(["--reuid=65534", group, "--clear-groups", "sh", "-c", script, "sh"])
            .arg(&spool)
            .arg(run.as_str())
            .output()
            .unwrap()
    };
    let stranger = shell("--regid=65534");
    assert!(!stranger.status.success(), "one who is not in the group gets nothing: {stranger:?}");
    let mailer = shell("--regid=0");
    assert!(mailer.status.success(), "{mailer:?}");
    assert!(spool.join(format!("done/{run}.ncsc/owner-0.sent")).is_file());
    assert_eq!(take_all(&spool), [format!("{run}.dtc")]);
    assert!(verify(&spool).unwrap().is_clean());
}
