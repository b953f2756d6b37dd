//! Two mailers of other users: each takes, acknowledges and sees its own sender's notices, and nothing of the other's.

use crate::daemon::{Place, dump};
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::process::{Command, Output};

/// Groups by number: those that all mailers are in, and each one's own, which is its user's number too.
const MAILERS: u32 = 61_000;
const NCSC: u32 = 61_001;
const DTC: u32 = 61_002;
const STRANGER: u32 = 61_003;

/// As `tmpfiles` makes them: mailers pass through the spool, read `new`, and write in `cur`, `done` and `failed`.
const SHARED: [(&str, u32); 5] =
    [("", 0o750), ("/new", 0o2750), ("/cur", 0o3770), ("/done", 0o3770), ("/failed", 0o3770)];

struct Spool {
    place: Place,
    run: String,
}

impl Spool {
    /// One run, with a notice of each sender. `None` where we are not root, and cannot be anybody else.
    fn open() -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            println!("SKIPPED: only root can run a mailer as another user");
            return None;
        }
        let place = Place::new();
        let config = fs::read_to_string(place.path("dijkwacht.toml")).unwrap().replace(
            "spool.path = \"spool\"",
            &format!("spool = {{ path = \"spool\", groups = {{ ncsc = \"{NCSC}\", dtc = \"{DTC}\" }} }}"),
        );
        place.write(
            "dijkwacht.toml",
            format!("{config}[[senders]]\nfrom = 2026-01-01\nvital = \"ncsc\"\n\"*\" = \"dtc\"\n"),
        );
        fs::set_permissions(place.path(""), fs::Permissions::from_mode(0o755)).unwrap();
        for (name, mode) in SHARED {
            let path = place.path(format!("spool{name}"));
            fs::create_dir(&path).unwrap();
            chown(&path, None, Some(MAILERS)).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        }
        // Where another user can run it. Not copied by this process: a child that another test forks would keep it busy.
        let copied =
            Command::new("cp").arg(env!("CARGO_BIN_EXE_dijkwacht")).arg(place.path("dijkwacht")).status();
        assert!(copied.unwrap().success());
        let daemon = place.start();
        place.bring("a.csv", dump(40, 1));
        place.wait_for("done/f/a.csv");
        daemon.stop();
        let run = place.runs().remove(0);
        Some(Self { place, run })
    }

    /// A script as another user, `$run` the run and `dijkwacht` the program.
    fn shell(&self, user: u32, groups: &str, script: &str) -> Output {
        let mut command = Command::new("setpriv");
        let (user, groups) = (format!("--reuid={user}"), groups.to_owned());
        command.args([&user, &user.replace("reuid", "regid"), &groups, "sh", "-c", script]);
        command.current_dir(self.place.path("")).env("run", &self.run);
        command.env("PATH", format!("{}:/usr/bin:/bin", self.place.path("").display()));
        command.output().unwrap()
    }

    /// A mailer's script.
    fn mailer(&self, user: u32, script: &str) -> Output {
        self.shell(user, &format!("--groups={MAILERS}"), script)
    }

    /// What a mailer's script prints, if it succeeds.
    fn says(&self, user: u32, script: &str) -> String {
        let done = self.mailer(user, &format!("set -eu\n{script}"));
        assert!(done.status.success(), "{script}: {done:?}");
        String::from_utf8(done.stdout).unwrap()
    }

    /// Each of these fails for this user, for want of rights.
    fn refuses(&self, user: u32, scripts: &[&str]) {
        for script in scripts {
            let done = self.mailer(user, script);
            let said = String::from_utf8_lossy(&done.stderr).to_lowercase();
            let is_refused = said.contains("permission denied") || said.contains("not permitted");
            assert!(!done.status.success() && is_refused, "{user}: {script}: {done:?}");
        }
    }
}

#[test]
fn a_mailer_of_another_user_takes_and_acknowledges_its_own_and_reads_nothing_of_another_sender() {
    let Some(spool) = Spool::open() else { return };
    let run = spool.run.clone();
    // Without a word on who it is, each gets its own, and only once.
    for (user, sender, notice) in [(NCSC, "ncsc", "school"), (DTC, "dtc", "isp")] {
        let taken = spool.says(user, "dijkwacht spool take --spool spool");
        let (claim, directory) = taken.trim_end().split_once('\t').unwrap();
        assert_eq!(claim, format!("{run}.{sender}"));
        let read = format!(
            "cat {directory}/{notice}.jsonl {directory}/manifest.json && touch spool/cur/{claim}/{notice}.sent"
        );
        assert!(spool.says(user, &read).contains("192.0.2."));
        assert_eq!(spool.mailer(user, "dijkwacht spool take --spool spool").status.code(), Some(1));
    }
    spool.refuses(
        NCSC,
        &[
            "ls spool/new/$run/dtc",
            "cat spool/new/$run/dtc/isp.jsonl",
            "cat spool/new/$run/dtc/manifest.json",
            "cat spool/new/$run/manifest.json",
            "dijkwacht spool take --spool spool --sender dtc",
            // Whom another told is another's business too, and its claim is not ours to end.
            "ls spool/cur/$run.dtc",
            "touch spool/cur/$run.dtc/isp.failed",
            "mv -T spool/cur/$run.dtc spool/done/$run.dtc",
            "rm -r spool/cur/$run.dtc",
            "dijkwacht spool done --spool spool $run.dtc",
            // What is nobody's but the daemon's.
            "ls spool/held",
            "ls spool/tmp",
            "ls spool/runs",
            "touch spool/new/$run/ncsc/more",
            "rm spool/new/$run/ncsc/school.jsonl",
            "mkdir spool/new/$run/more",
            "mv spool/new/$run spool/cur/",
        ],
    );
    assert!(spool.place.path(format!("spool/cur/{run}.dtc/isp.sent")).exists());
    spool.says(NCSC, "dijkwacht spool done --spool spool $run.ncsc");
    spool.says(DTC, "dijkwacht spool fail --spool spool $run.dtc");
    assert_eq!(spool.place.names("spool/cur"), [""; 0]);
    assert_eq!(spool.place.names("spool/done"), [format!("{run}.ncsc")]);
    assert_eq!(spool.place.names("spool/failed"), [format!("{run}.dtc")]);
    spool.refuses(NCSC, &["ls spool/failed/$run.dtc", "rm -r spool/failed/$run.dtc"]);
    assert!(spool.place.command("spool verify --spool spool").status().unwrap().success());
}

#[test]
fn who_is_no_mailer_gets_into_no_spool() {
    let Some(spool) = Spool::open() else { return };
    let done = spool.shell(STRANGER, "--clear-groups", "ls spool || ls spool/new/$run/ncsc");
    assert!(!done.status.success() && done.stdout.is_empty(), "{done:?}");
    let done = spool.shell(STRANGER, "--clear-groups", "dijkwacht spool take --spool spool");
    assert_eq!((done.status.code(), done.stdout), (Some(77), Vec::new()));
}
