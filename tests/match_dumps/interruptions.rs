//! Signals, dumps that change, disks that are full, users that may not.
//!
//! What must happen in the midst of a run is done while the command waits for us: it writes its rejects into a pipe that
//! nobody empties until then.

use crate::work::{Done, Work, alerts, match_words};
use rustix::process::{Pid, Signal};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// More than a pipe and the command's buffer hold is rejected, with a match before and behind.
fn long_dump() -> String {
    format!("ip,port\n192.0.2.1,80\n{}192.0.2.2,80\n", "192.0.2,80\n".repeat(5000))
}

/// A command in the midst of a run.
struct Waiting {
    child: Child,
    rejects: File,
}

impl Waiting {
    fn start(work: &Work, words: &str) -> Self {
        let rejects = work.path("rejects");
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, &rejects, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        let words = match_words(&format!("--identifier x --json --rejects rejects {words}"));
        let child = work.command(&words).spawn().unwrap();
        // Waits until the command opens it too.
        let mut rejects = File::open(rejects).unwrap();
        rejects.read_exact(&mut [0]).unwrap();
        Self { child, rejects }
    }

    /// Sends a signal, and waits until one of its threads has taken it and done what it does then, if it lives.
    fn send(&self, signal: Signal) {
        rustix::process::kill_process(Pid::from_child(&self.child), signal).unwrap();
        if signal == Signal::KILL {
            return;
        }
        let process = format!("/proc/{}", self.child.id());
        let status = format!("{process}/status");
        let is_pending = |line: &str| {
            let set = line.strip_prefix("ShdPnd:");
            set.is_some_and(|set| u64::from_str_radix(set.trim(), 16) != Ok(0))
        };
        wait_until("the signal is taken", || !fs::read_to_string(&status).unwrap().lines().any(is_pending));
        // Who has taken it runs until all is done that a signal does; who sleeps afterwards is back from it.
        let is_asleep = |task: fs::DirEntry| {
            let status = fs::read_to_string(task.path().join("status"));
            status.is_ok_and(|status| status.lines().any(|line| line.starts_with("State:\tS")))
        };
        let tasks = || fs::read_dir(format!("{process}/task")).unwrap();
        wait_until("the signal is seen", || tasks().all(|task| is_asleep(task.unwrap())));
    }

    /// Takes the rejects, so that the command goes on, to its end.
    fn finish(self) -> Done {
        self.finish_with_rejects().0
    }

    fn finish_with_rejects(mut self) -> (Done, String) {
        let mut taken = String::new();
        self.rejects.read_to_string(&mut taken).unwrap();
        (Done::of(self.child), taken)
    }
}

#[test]
fn an_interrupted_run_publishes_nothing_and_is_done_again() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        // With one window all is scanned when the signal is seen; with many it is seen between two.
        for way in ["", "--chunk-bytes 64", "--chunk-bytes 64 --io read"] {
            let work = Work::new();
            work.write("dump.csv", long_dump());
            work.write("next.csv", "ip\n192.0.2.3\n192.0.2\n");
            let waiting =
                Waiting::start(&work, &format!("--threads 3 --spool spool {way} dump.csv next.csv"));
            waiting.send(signal);
            let (done, rejects) = waiting.finish_with_rejects();
            done.check(code, &["interrupted"]);
            assert!(!rejects.contains("next.csv"), "it was read, and it is not its turn any more");
            work.assert_nothing_published("spool");
            let dump = work.dump("--identifier x --spool spool dump.csv");
            assert_eq!((&dump["state"], &dump["alerts"]), (&"published".into(), &2.into()), "{way}");
        }
    }
}

#[test]
fn an_interrupted_output_leaves_the_file_that_was_there() {
    let work = Work::new();
    work.write("dump.csv", long_dump());
    work.write("out", "before");
    let waiting = Waiting::start(&work, "--output out dump.csv");
    waiting.send(Signal::TERM);
    waiting.finish().check(143, &["interrupted"]);
    assert_eq!(fs::read(work.path("out")).unwrap(), b"before");
    assert!(work.files("").iter().all(|file| !file.ends_with(".tmp")));
}

#[test]
fn a_killed_run_is_cleaned_up_by_the_next() {
    let work = Work::new();
    work.write("dump.csv", long_dump());
    let mut waiting = Waiting::start(&work, "--spool spool --io read dump.csv");
    assert_eq!(fs::read_dir(work.path("spool/tmp")).unwrap().count(), 1);
    waiting.send(Signal::KILL);
    waiting.child.wait().unwrap();
    assert_eq!(fs::read_dir(work.path("spool/tmp")).unwrap().count(), 1);
    assert_eq!(work.dump("--identifier x --spool spool dump.csv")["state"], "published");
    assert_eq!(fs::read_dir(work.path("spool/tmp")).unwrap().count(), 0);
}

#[test]
fn a_stage_of_a_run_at_work_is_left_alone_by_another() {
    let work = Work::new();
    work.write("dump.csv", long_dump());
    work.write("next.csv", "ip\n192.0.2.3\n");
    let waiting = Waiting::start(&work, "--spool spool dump.csv");
    assert_eq!(work.dump("--identifier x --spool spool next.csv")["state"], "published");
    let done = waiting.finish();
    assert_eq!(done.summary()["dumps"][0]["state"], "published");
}

#[test]
fn of_two_runs_of_one_dump_at_once_one_publishes() {
    let work = Work::new();
    work.write("dump.csv", long_dump());
    let waiting = Waiting::start(&work, "--spool spool dump.csv");
    assert_eq!(work.dump("--identifier x --spool spool dump.csv")["state"], "published");
    assert_eq!(waiting.finish().summary()["dumps"][0]["state"], "already_published");
}

/// Waits until `is_so`, which it must be soon.
fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_run_that_waits_for_standard_input_can_be_interrupted() {
    for before in ["", "ip,port\n", &"192.0.2,80\n".repeat(50_000)] {
        let work = Work::new();
        let words = match_words("--identifier x --format csv --spool spool -");
        let mut child = work.command(&words).stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(format!("ip,port\n{before}").as_bytes()).unwrap();
        wait_until("it begins", || work.path("spool/runs").exists());
        // It waits for more of the dump, which does not come before it has ended.
        rustix::process::kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
        let ended = std::cell::RefCell::new(&mut child);
        wait_until("it ends", || ended.borrow_mut().try_wait().unwrap().is_some());
        Done::of(child).check(143, &["interrupted"]);
        drop(stdin);
        work.assert_nothing_published("spool");
    }
}

#[test]
fn a_dump_that_is_written_to_while_it_is_read_is_to_be_tried_again() {
    type Change = (&'static str, fn(&Work));
    let changes: [Change; 3] = [
        ("was written to", |work| {
            File::options()
                .append(true)
                .open(work.path("dump.csv"))
                .unwrap()
                .write_all(b"192.0.2.3,80\n")
                .unwrap();
        }),
        ("was written to", |work| {
            File::options().write(true).open(work.path("dump.csv")).unwrap().set_len(100).unwrap();
        }),
        ("was moved or removed", |work| fs::remove_file(work.path("dump.csv")).unwrap()),
    ];
    for (said, change) in changes {
        for way in ["", "--chunk-bytes 64", "--io read --chunk-bytes 64", "--dry-run"] {
            let work = Work::new();
            work.write("dump.csv", long_dump());
            let spool = if way == "--dry-run" { "" } else { "--spool spool" };
            let waiting = Waiting::start(&work, &format!("{spool} {way} dump.csv"));
            change(&work);
            waiting.finish().check(75, &["dump.csv", said, "try again"]);
            work.assert_nothing_published("spool");
        }
    }
}

/// Whether a namespace of mounts of our own can be made here.
fn can_mount() -> bool {
    let mount = Command::new("unshare").args(["-m", "mount", "-t", "tmpfs", "none", "/mnt"]).output();
    let can = mount.is_ok_and(|output| output.status.success());
    if !can {
        eprintln!("SKIPPED: no file system can be mounted here (root is needed)");
    }
    can
}

/// Runs a shell script in a namespace of mounts of its own; `$DIJKWACHT` is the command.
fn run_script(work: &Work, script: &str) -> Done {
    let mut shell = Command::new("unshare");
    shell.args(["-m", "sh", "-euc", script]).current_dir(work.path("")).stdin(Stdio::null());
    shell.env("DIJKWACHT", env!("CARGO_BIN_EXE_dijkwacht")).env_remove("DIJKWACHT_CONFIG");
    Done::of(shell.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
}

#[test]
fn a_full_disk_is_to_be_tried_again_and_holds_nothing_in_part() {
    if !can_mount() {
        return;
    }
    let work = Work::new();
    let rows: String = (0..8000).map(|i| format!("192.0.2.{},{}\n", i % 16, 1 + i)).collect();
    work.write("dump.csv", format!("ip,port\n{rows}"));
    for way in ["", "--io read", "--threads 1 --io read --chunk-bytes 1024"] {
        for size in ["64k", "256k", "1m", "3m"] {
            let words = match_words(&format!("--identifier x {way} --spool small/spool dump.csv"));
            let script = format!(
                "mkdir -p small; mount -t tmpfs -o size={size} none small; code=0; $DIJKWACHT {words} || code=$?
                 for part in new held tmp runs; do ls small/spool/$part; done; exit $code"
            );
            let done = run_script(&work, &script);
            done.check(75, &["No space left"]);
            let left: Vec<&str> =
                done.out.lines().filter(|line| !line.starts_with("dump.csv: failed")).collect();
            assert!(left.is_empty(), "{way} {size}: {left:?}");
        }
    }
    for way in ["", "--io read"] {
        let words = match_words(&format!("--identifier x {way} --output small/out dump.csv"));
        let script = format!(
            "mkdir -p small; mount -t tmpfs -o size=1m none small; code=0; $DIJKWACHT {words} || code=$?; ls small; exit $code"
        );
        let done = run_script(&work, &script);
        done.check(75, &["No space left"]);
        assert_eq!(done.out.lines().count(), 1, "{way}: {}", done.out);
    }
}

#[test]
fn a_spool_in_two_file_systems_is_a_wrong_configuration() {
    if !can_mount() {
        return;
    }
    let work = Work::new();
    work.write("dump.csv", "ip\n192.0.2.1\n");
    let words = match_words("--identifier x --spool spool dump.csv");
    let script =
        format!("mkdir -p spool/tmp; mount -t tmpfs none spool/tmp; chmod 700 spool/tmp; $DIJKWACHT {words}");
    run_script(&work, &script).check(78, &["spool/tmp"]);
    work.assert_nothing_published("spool");
}

/// Another user's command, where we are root and it can reach the program.
fn as_nobody(work: &Work, words: &str) -> Option<Done> {
    const NOBODY: u32 = 65_534;
    if !rustix::process::getuid().is_root() {
        eprintln!("SKIPPED: only root can run a command as another user");
        return None;
    }
    fs::set_permissions(work.path(""), fs::Permissions::from_mode(0o755)).unwrap();
    match work.command(words).uid(NOBODY).gid(NOBODY).spawn() {
        Ok(child) => Some(Done::of(child)),
        Err(error) => {
            eprintln!("SKIPPED: another user cannot run {}: {error}", env!("CARGO_BIN_EXE_dijkwacht"));
            None
        }
    }
}

#[test]
fn what_this_user_may_not_read_or_write_is_said() {
    let work = Work::new();
    work.write("dump.csv", "ip\n192.0.2.1\n");
    work.write("secret.csv", "ip\n192.0.2.1\n");
    fs::set_permissions(work.path("secret.csv"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::create_dir(work.path("spool")).unwrap();
    let check = |words: &str, said: &[&str]| {
        if let Some(done) = as_nobody(&work, &match_words(&format!("--identifier x {words}"))) {
            done.check(77, said);
        }
    };
    check("--spool spool dump.csv", &["spool"]);
    check("--spool not/there/yet dump.csv", &["not"]);
    check("--dry-run secret.csv", &["secret.csv"]);
    check("--dry-run --register secret.csv dump.csv", &["secret.csv"]);
    check("--dry-run --index secret.csv dump.csv", &["secret.csv"]);
    check("--dry-run --config secret.csv dump.csv", &["secret.csv"]);
    check("--output out dump.csv", &["out"]);
    check("--dry-run --rejects rejects dump.csv", &["rejects"]);
    // A spool that is there, of which one part is another's.
    work.dump("--identifier x --spool spool dump.csv");
    check("--spool spool --feed other dump.csv", &["spool"]);
    let done = as_nobody(&work, &match_words("--identifier x --output - dump.csv"));
    assert!(done.is_none_or(|done| (done.code, alerts(&done.out).len()) == (0, 1)));
}

#[test]
fn a_temporary_directory_that_is_not_there_is_named_and_is_no_missing_input() {
    let work = Work::new();
    work.write("dump.csv", "ip,port\n192.0.2.1,80\n");
    let done = run_script(
        &work,
        &format!(
            "TMPDIR=$PWD/nowhere $DIJKWACHT {}",
            match_words("--identifier x --output out --io read dump.csv")
        ),
    );
    done.check(73, &["the temporary directory", "nowhere", "set TMPDIR"]);
    assert!(!work.path("out").exists());
}

#[test]
fn a_full_temporary_directory_is_named_with_its_remedy() {
    if !can_mount() {
        return;
    }
    let work = Work::new();
    let rows: String = (0..40_000).map(|i| format!("192.0.2.{},{}\n", i % 16, 1 + i)).collect();
    work.write("dump.csv", format!("ip,port\n{rows}"));
    work.write("next.csv", "ip,port\n192.0.2.1,80\n");
    // More rejects than wait in memory for their turn.
    work.write("bad.csv", format!("ip,port\n192.0.2.1,80\n{}", "192.0.2,80\n".repeat(40_000)));
    let ways = [
        "--output out dump.csv",
        "--output out --io read dump.csv",
        "--output out --threads 2 --rejects rejects dump.csv bad.csv",
    ];
    for way in ways {
        let words = match_words(&format!("--identifier x {way}"));
        let script = format!(
            "mkdir -p small; mount -t tmpfs -o size=64k none small; TMPDIR=$PWD/small $DIJKWACHT {words}"
        );
        let done = run_script(&work, &script);
        let small = work.path("small");
        done.check(75, &["the temporary directory", small.to_str().unwrap(), "is full", "TMPDIR"]);
        assert!(!done.err.contains("the output cannot be written"), "{way}: {}", done.err);
        assert!(!work.path("out").exists(), "{way}");
    }
    // The pages of a stage are the spool's: nobody is sent to TMPDIR for them.
    let words = match_words("--identifier x --io read --spool spool dump.csv");
    let script =
        format!("mkdir -p spool; mount -t tmpfs -o size=64k none spool; chmod 700 spool; $DIJKWACHT {words}");
    let done = run_script(&work, &script);
    done.check(75, &["No space left"]);
    assert!(!done.err.contains("TMPDIR"), "{}", done.err);
}
