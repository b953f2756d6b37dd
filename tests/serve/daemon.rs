//! A daemon in a directory of its own, and what can be seen of it.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Anything that does not come within this will not come.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);
/// Between two looks at something that tells nobody when it changes.
const LOOK_PAUSE: Duration = Duration::from_millis(3);

pub(crate) const REGISTER: &str = "\
owner_id,name,constituency,role,network,contact
isp,Provider,business,network,192.0.2.0/24,abuse@isp.example
school,School,vital,user,192.0.2.0/28,cert@school.example
";

/// When all runs are that say nothing else.
pub(crate) const RUN_TIME: &str = "2026-11-22T12:00:00Z";

/// The place of one daemon; it may be started again and again.
pub(crate) struct Place {
    directory: TempDir,
    notified: Mutex<Receiver<String>>,
    pub(crate) listen: SocketAddr,
}

pub(crate) struct Daemon<'p> {
    place: &'p Place,
    pub(crate) child: Child,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self::with("")
    }

    /// With these lines at the end of `[inbox]`, and whatever sections follow.
    pub(crate) fn with(inbox: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let notify = UnixDatagram::bind(directory.path().join("notify")).unwrap();
        let (told, notified) = channel();
        std::thread::spawn(move || hear(&notify, &told));
        // Free now; nobody else here asks for one without naming it.
        let listen = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let place = Self { directory, notified: Mutex::new(notified), listen };
        place.write("register.csv", REGISTER);
        place.configure(inbox);
        place
    }

    pub(crate) fn configure(&self, inbox: &str) {
        let listen = self.listen;
        self.write(
            "dijkwacht.toml",
            format!(
                "register.sources = [\"register.csv\"]\nspool.path = \"spool\"\nmetrics.listen = \"{listen}\"\n\
                 [inbox]\npath = \"inbox\"\nsettle_seconds = 1\n{inbox}\n"
            ),
        );
    }

    /// From the next start or reload on, a file that nobody was seen closing waits for so long.
    pub(crate) fn settle(&self, seconds: u64) {
        let config = fs::read_to_string(self.path("dijkwacht.toml")).unwrap();
        self.write(
            "dijkwacht.toml",
            config.replace("settle_seconds = 1\n", &format!("settle_seconds = {seconds}\n")),
        );
    }

    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).unwrap();
    }

    /// A dump that is whole from the moment it can be seen.
    pub(crate) fn bring(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::create_dir_all(self.path("inbox/f")).unwrap();
        let hidden = format!("inbox/f/.{name}");
        self.write(&hidden, bytes);
        fs::rename(self.path(hidden), self.path("inbox/f").join(name)).unwrap();
    }

    /// A mailer that has sent the oldest `count` claims; how many there were.
    pub(crate) fn mail(&self, count: usize) -> usize {
        for sent in 0..count {
            let taken = self.command("spool take --spool spool").output().unwrap();
            let claim = String::from_utf8(taken.stdout).unwrap();
            let Some((claim, _)) = claim.split_once('\t') else { return sent };
            assert!(self.command(&format!("spool done --spool spool {claim}")).status().unwrap().success());
        }
        count
    }

    pub(crate) fn command(&self, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dijkwacht"));
        command.args(words.split_whitespace()).current_dir(self.directory.path());
        command.env_remove("DIJKWACHT_CONFIG").env_remove("WATCHDOG_USEC").stdin(Stdio::null());
        command
    }

    pub(crate) fn serve_command(&self) -> Command {
        let mut command = self.command("serve --config dijkwacht.toml --run-time");
        let log = File::options().append(true).create(true).open(self.path("log")).unwrap();
        command.arg(RUN_TIME).env("NOTIFY_SOCKET", self.path("notify"));
        command.stdout(Stdio::null()).stderr(log);
        command
    }

    /// Starts the daemon, and waits until it is ready.
    pub(crate) fn start(&self) -> Daemon<'_> {
        self.start_command(&mut self.serve_command())
    }

    pub(crate) fn start_command(&self, command: &mut Command) -> Daemon<'_> {
        let daemon = Daemon::spawn(self, command);
        self.wait_notified("READY=1");
        daemon
    }

    /// The next message to systemd that has this line.
    pub(crate) fn wait_notified(&self, line: &str) -> String {
        self.find_notified(line, DEADLINE).unwrap_or_else(|| panic!("not told: {line}\n{}", self.log()))
    }

    /// What was told and not yet asked for.
    pub(crate) fn forget_notified(&self) {
        while self.notified.lock().unwrap().try_recv().is_ok() {}
    }

    /// Whether a line is told within so long.
    pub(crate) fn is_notified_within(&self, line: &str, wait: Duration) -> bool {
        self.find_notified(line, wait).is_some()
    }

    fn find_notified(&self, line: &str, wait: Duration) -> Option<String> {
        let (deadline, notified) = (Instant::now() + wait, self.notified.lock().unwrap());
        loop {
            let text = notified.recv_timeout(deadline.saturating_duration_since(Instant::now())).ok()?;
            if text.lines().any(|told| told.starts_with(line)) {
                return Some(text);
            }
        }
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// Waits until it is so.
    pub(crate) fn wait(&self, what: &str, mut is_so: impl FnMut() -> bool) {
        let deadline = Instant::now() + DEADLINE;
        while !is_so() {
            assert!(Instant::now() < deadline, "not so: {what}\n{}", self.log());
            std::thread::park_timeout(LOOK_PAUSE);
        }
    }

    pub(crate) fn wait_for(&self, path: &str) {
        self.wait(path, || self.path(path).symlink_metadata().is_ok());
    }

    /// Names in a directory, or none if there is no directory.
    pub(crate) fn names(&self, directory: &str) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.path(directory)) else { return Vec::new() };
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Published runs.
    pub(crate) fn runs(&self) -> Vec<String> {
        self.names("spool/new")
    }

    /// How often each owner's alert lines say each address, over all runs.
    pub(crate) fn alerts(&self) -> BTreeMap<(String, String), usize> {
        let mut alerts = BTreeMap::new();
        for run in self.runs() {
            for sender in self.names(&format!("spool/new/{run}")) {
                for file in self.names(&format!("spool/new/{run}/{sender}")) {
                    let Some(owner) = file.strip_suffix(".jsonl") else { continue };
                    let text =
                        fs::read_to_string(self.path(format!("spool/new/{run}/{sender}/{file}"))).unwrap();
                    for line in text.lines() {
                        let line: Value = serde_json::from_str(line).unwrap();
                        let address = line["source.ip"].as_str().unwrap().to_owned();
                        *alerts.entry((owner.to_owned(), address)).or_default() += 1;
                    }
                }
            }
        }
        alerts
    }

    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.listen).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.listen).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    pub(crate) fn status(&self) -> Value {
        let (code, body) = self.get("/status.json");
        assert_eq!(code, 200);
        serde_json::from_str(&body).unwrap()
    }
}

impl<'p> Daemon<'p> {
    pub(crate) fn spawn(place: &'p Place, command: &mut Command) -> Self {
        Self { place, child: command.spawn().unwrap() }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Told to stop; it must, in ten seconds, and well.
    pub(crate) fn stop(mut self) {
        let asked = Instant::now();
        self.signal(Signal::TERM);
        let code = self.child.wait().unwrap().code();
        assert_eq!(code, Some(0), "{}", self.place.log());
        assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
    }

    /// As [`Self::stop`], where the signal was sent before.
    pub(crate) fn stop_was_asked(mut self) {
        assert_eq!(self.child.wait().unwrap().code(), Some(0), "{}", self.place.log());
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Reads configuration and register again, and waits until it has; what was said meanwhile is dropped.
    pub(crate) fn reload(&self) {
        self.place.forget_notified();
        self.signal(Signal::HUP);
        self.place.wait_notified("RELOADING=1");
        self.place.wait_notified("READY=1");
    }
}

impl Drop for Daemon<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// In systemd's place; the socket holds ten messages, so they are taken as they come.
fn hear(notify: &UnixDatagram, told: &Sender<String>) {
    let mut message = [0; 4096];
    while let Ok(length) = notify.recv(&mut message) {
        let text = String::from_utf8_lossy(&message[..length]).into_owned();
        if told.send(text).is_err() {
            return;
        }
    }
}

/// A dump of so many rows, each of another address, those of `host` of the register.
pub(crate) fn dump(rows: usize, port: usize) -> String {
    let mut text = String::from("ip,port,identifier\n");
    for row in 0..rows {
        text.push_str(&format!("192.0.2.{},{port},open-rdp\n", row % 256));
    }
    text
}

/// A dump that takes seconds: rows of which few are anybody's.
pub(crate) fn long_dump(bytes: usize, seed: usize) -> Vec<u8> {
    let mut text = format!("ip,port,identifier\n192.0.2.1,{},open-rdp\n", seed % 60_000 + 1).into_bytes();
    let rows: Vec<u8> = (0..4096)
        .flat_map(|row| format!("198.51.{}.{},3389,open-rdp\n", row / 256, row % 256).into_bytes())
        .collect();
    while text.len() < bytes {
        text.extend_from_slice(&rows);
    }
    text
}
