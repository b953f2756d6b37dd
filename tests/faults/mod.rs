//! Faults at system calls: a command is run once in peace to learn which of its system calls touch the spool, then once for
//! each of them with a fault exactly there, and then again in peace.
//!
//! The faults are strace's (`-e inject`): an error in place of the call, or SIGKILL on entering it. strace counts calls by
//! thread, so the command should do its work on one. A fault that did not fire is a failure of the test: it proved nothing.
//!
//! The harness knows neither the spool nor the command. What must hold after each fault, and after doing it again, is told
//! by the test.

// Each test that includes this module uses its own part of it.
#![allow(dead_code)]
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test may panic, and says loudly what it skips"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output, Stdio};

/// What goes wrong at a system call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    /// The call is not made, and returns this error.
    Error(&'static str),
    /// The process is killed before the call is made.
    Kill,
}

/// A system call of the command: the `nth` of its name in its thread.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Point {
    pub(crate) syscall: String,
    pub(crate) nth: usize,
    /// What strace printed for it in peace.
    pub(crate) line: String,
}

/// How a run of the command ended.
#[derive(Debug)]
pub(crate) struct Ending {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// strace's lines.
    pub(crate) log: Vec<String>,
}

/// Finds strace; says loudly when there is none.
pub(crate) fn has_strace() -> bool {
    let found =
        Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_ok_and(|status| status.success());
    if !found {
        eprintln!(
            "\n*** SKIPPED: strace is not installed (apt-get install strace): no fault was injected ***\n"
        );
    }
    found
}

/// Runs the command in peace and returns all its system calls on files and descriptors.
pub(crate) fn trace(command: &Command, log: &Path) -> Ending {
    strace(command, &["-e", "trace=%file,%desc"], log)
}

/// Runs the command with a fault at one point.
pub(crate) fn inject(command: &Command, point: &Point, fault: Fault, log: &Path) -> Ending {
    let what = match fault {
        Fault::Error(errno) => format!("error={errno}"),
        Fault::Kill => "signal=KILL".to_owned(),
    };
    let Point { syscall, nth, .. } = point;
    let trace = format!("trace={syscall}");
    let inject = format!("inject={syscall}:{what}:when={nth}");
    let mut options = vec!["-e", &trace, "-e", &inject];
    if fault != Fault::Kill {
        // Stops only at the calls of that name, and so is much faster. strace then delivers no signal: measured with 6.13.
        options.push("--seccomp-bpf");
    }
    strace(command, &options, log)
}

/// Runs a command and waits for it.
pub(crate) fn run(command: &Command) -> Ending {
    let output = behind(&[], command).output().unwrap();
    Ending::new(output, Vec::new())
}

fn strace(command: &Command, options: &[&str], log: &Path) -> Ending {
    let mut words = vec!["strace", "-f", "-y", "-q", "-e", "signal=none", "-o", log.to_str().unwrap()];
    words.extend(options);
    words.push("--");
    let output = behind(&words, command).output().unwrap();
    let lines = std::fs::read(log).unwrap();
    Ending::new(output, String::from_utf8_lossy(&lines).lines().map(str::to_owned).collect())
}

/// The command with other words before it.
fn behind(words: &[&str], command: &Command) -> Command {
    let words = words.iter().map(OsStr::new);
    let mut words = words.chain([command.get_program()]).chain(command.get_args());
    let mut whole = Command::new(words.next().unwrap());
    whole.args(words).stdin(Stdio::null());
    // What cargo sets sends the loader through directories that other builds make and remove: calls would not be the same ones again.
    whole.env_remove("LD_LIBRARY_PATH");
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => whole.env(name, value),
            None => whole.env_remove(name),
        };
    }
    whole
}

impl Ending {
    fn new(output: Output, log: Vec<String>) -> Self {
        Self {
            status: output.status,
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            log: joined(log),
        }
    }

    /// Whether the fault fired, and at a call that touches `place`.
    pub(crate) fn fired(&self, fault: Fault, place: &Path) -> bool {
        let place = place.to_str().unwrap();
        match fault {
            Fault::Error(_) => {
                self.log.iter().any(|line| line.ends_with("(INJECTED)") && line.contains(place))
            }
            Fault::Kill => {
                let last_call = self.log.iter().rfind(|line| split_call(line).is_some());
                self.status.signal() == Some(9) && last_call.is_some_and(|line| line.contains(place))
            }
        }
    }
}

/// A call during which another thread was heard is printed in two parts; here they are one line again, where it ended.
fn joined(log: Vec<String>) -> Vec<String> {
    let mut begun = BTreeMap::<String, String>::new();
    let mut lines = Vec::with_capacity(log.len());
    for line in log {
        let thread: String = line.chars().take_while(char::is_ascii_digit).collect();
        if let Some(start) = line.strip_suffix("<unfinished ...>") {
            begun.insert(thread, start.trim_end().to_owned());
        } else if let (true, Some((_, end))) = (line.contains("<... "), line.split_once(" resumed>")) {
            lines.push(begun.remove(&thread).unwrap_or_default() + end);
        } else {
            lines.push(line);
        }
    }
    // What a kill interrupted has no second part.
    lines.extend(begun.into_values());
    lines
}

/// The points of a trace that touch `place`, by their number within their name and thread; each once.
pub(crate) fn points(trace: &Ending, place: &Path) -> Vec<Point> {
    let place = place.to_str().unwrap();
    let mut counts = BTreeMap::<(&str, &str), usize>::new();
    let mut seen = BTreeSet::new();
    let mut points = Vec::new();
    for line in &trace.log {
        let Some((thread, syscall, rest)) = split_call(line) else { continue };
        let nth = counts.entry((thread, syscall)).or_default();
        *nth += 1;
        // The command's own arguments name the place too.
        if syscall != "execve" && rest.contains(place) && seen.insert((syscall, *nth)) {
            points.push(Point { syscall: syscall.to_owned(), nth: *nth, line: line.clone() });
        }
    }
    points
}

/// `1234 openat(3</spool>, …` as thread, name and the rest; `None` for a line that begins no call.
pub(crate) fn split_call(line: &str) -> Option<(&str, &str, &str)> {
    let digits = line.len() - line.trim_start_matches(|char: char| char.is_ascii_digit()).len();
    let (thread, call) = line.split_at(digits);
    let (syscall, rest) = call.trim_start().split_once('(')?;
    let is_name =
        !syscall.is_empty() && syscall.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    is_name.then_some((thread, syscall, rest))
}

/// A command to try, and what must hold.
pub(crate) struct Trial<'t> {
    /// The command that works in the place it is given.
    pub(crate) command: &'t dyn Fn(&Path) -> Command,
    /// Makes an empty place to work in: all that the faults are about lies below it.
    pub(crate) place: &'t dyn Fn() -> tempfile::TempDir,
    /// Which faults to try at which point.
    pub(crate) faults: &'t dyn Fn(&Point) -> Vec<Fault>,
    /// What must hold between the fault and doing it again. Returns what the last check wants to know.
    pub(crate) after_fault: &'t dyn Fn(&Path, &Point, Fault, &Ending),
    /// What must hold in the end.
    pub(crate) after_all: &'t dyn Fn(&Path, &Ending),
}

/// Counts of a sweep, by name of the system call.
#[derive(Debug, Default)]
pub(crate) struct Swept {
    pub(crate) trials: usize,
    pub(crate) by_syscall: BTreeMap<String, usize>,
}

impl Trial<'_> {
    /// Tries every fault at every point that touches the place. Panics, naming the point, when something does not hold.
    pub(crate) fn sweep(&self) -> Swept {
        let scratch = tempfile::tempdir().unwrap();
        let log = scratch.path().join("strace.log");
        let peace = (self.place)();
        let traced = trace(&(self.command)(peace.path()), &log);
        assert!(traced.status.success(), "in peace: {traced:#?}");
        (self.after_all)(peace.path(), &traced);
        let points = points(&traced, peace.path());
        assert!(!points.is_empty(), "no system call touches {}", peace.path().display());
        let mut swept = Swept::default();
        for point in &points {
            for fault in (self.faults)(point) {
                self.try_one(point, fault, &log);
                swept.trials += 1;
                *swept.by_syscall.entry(point.syscall.clone()).or_default() += 1;
            }
        }
        swept
    }

    fn try_one(&self, point: &Point, fault: Fault, log: &Path) {
        let place = (self.place)();
        let guard = Naming(format!("{fault:?} at {} {}: {}", point.syscall, point.nth, point.line));
        let command = (self.command)(place.path());
        let ending = inject(&command, point, fault, log);
        assert!(ending.fired(fault, place.path()), "the fault did not fire: {ending:#?}");
        (self.after_fault)(place.path(), point, fault, &ending);
        let again = run(&command);
        assert!(again.status.success(), "again in peace: {again:#?}");
        (self.after_all)(place.path(), &again);
        drop(guard);
    }
}

/// Says at which point it was when a check panics.
struct Naming(String);

impl Drop for Naming {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.0);
        }
    }
}

/// All below a directory: path, mode, and content of files.
pub(crate) fn tree(root: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    use std::os::unix::fs::MetadataExt;
    let mut tree = BTreeMap::new();
    let mut left = vec![root.to_owned()];
    while let Some(directory) = left.pop() {
        for entry in std::fs::read_dir(&directory).unwrap() {
            let entry = entry.unwrap();
            let metadata = entry.metadata().unwrap();
            let path = entry.path();
            let content = if metadata.is_file() { std::fs::read(&path).unwrap() } else { Vec::new() };
            tree.insert(path.strip_prefix(root).unwrap().to_owned(), (metadata.mode() & 0o7777, content));
            if metadata.is_dir() {
                left.push(path);
            }
        }
    }
    tree
}
