//! The unit files: systemd reads them without a word, the sandbox is as tight as promised, and lets the program work.
//!
//! `systemd-analyze` (Debian's package `systemd`) and `strace` judge where they are installed; where not, the tests say so.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic, and says what it leaves out")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const PROGRAM: &str = env!("CARGO_BIN_EXE_dijkwacht");

/// Exposure of a unit, in tenths, as `systemd-analyze security` prints it, may be at most this.
const EXPOSURE_MAX: &str = "10";

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd")
}

fn units(extensions: &[&str]) -> BTreeMap<String, String> {
    let mut units = BTreeMap::new();
    for entry in fs::read_dir(directory()).unwrap() {
        let path = entry.unwrap().path();
        if extensions.iter().any(|extension| path.extension().is_some_and(|found| found == *extension)) {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            units.insert(name, fs::read_to_string(&path).unwrap());
        }
    }
    units
}

/// Runs a tool; `None` where it is not installed.
fn tool(name: &str, arguments: &[&str]) -> Option<Output> {
    match Command::new(name).args(arguments).output() {
        Ok(done) => Some(done),
        Err(_) => {
            eprintln!("{name} is not installed: {arguments:?} is not checked");
            None
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The units with programs that are there: a machine that tests need not have dijkwacht installed.
fn staged() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    for (name, unit) in units(&["service", "timer", "socket"]) {
        let stub = place.path().join("dijkwacht");
        fs::write(&stub, "#!/bin/sh\n").unwrap();
        fs::set_permissions(&stub, fs::Permissions::from_mode(0o755)).unwrap();
        let unit = unit.replace("=/usr/bin/dijkwacht", &format!("={}", stub.display()));
        fs::write(place.path().join(name), unit).unwrap();
    }
    place
}

#[test]
fn systemd_reads_every_unit_without_a_word() {
    let place = staged();
    let files: Vec<String> = units(&["service", "timer", "socket"])
        .keys()
        .map(|name| place.path().join(name.replace('@', "@partner")).display().to_string())
        .collect();
    for name in ["dijkwacht-match@.service", "dijkwacht-match@.timer"] {
        let instance = place.path().join(name.replace('@', "@partner"));
        fs::copy(place.path().join(name), instance).unwrap();
    }
    let mut arguments = vec!["verify", "--man=no", "--recursive-errors=no"];
    arguments.extend(files.iter().map(String::as_str));
    let Some(done) = tool("systemd-analyze", &arguments) else { return };
    let ours = |line: &&str| line.contains("dijkwacht") || line.contains(&*place.path().to_string_lossy());
    let said = text(&done.stderr);
    let said: Vec<&str> = said.lines().filter(ours).collect();
    assert!(done.status.success() && said.is_empty(), "{said:#?}");
}

#[test]
fn the_sandbox_of_each_service_exposes_at_most_one_of_ten() {
    for name in units(&["service"]).keys() {
        let unit = directory().join(name);
        let arguments =
            ["security", "--offline=true", "--no-pager", "--threshold", EXPOSURE_MAX, unit.to_str().unwrap()];
        let Some(done) = tool("systemd-analyze", &arguments) else { return };
        assert!(done.status.success(), "{name}:\n{}{}", text(&done.stdout), text(&done.stderr));
    }
}

/// All values of a setting; an empty one resets.
fn settings<'u>(unit: &'u str, name: &str) -> Vec<&'u str> {
    let lines = unit.lines().filter_map(|line| line.split_once('='));
    lines.filter(|(key, _)| *key == name).map(|(_, value)| value).collect()
}

#[test]
fn all_services_have_the_daemons_sandbox() {
    let units = units(&["service"]);
    let daemon = &units["dijkwacht.service"];
    let sandbox: Vec<&str> = daemon
        .lines()
        .skip_while(|line| !line.starts_with("CapabilityBoundingSet"))
        .take_while(|line| *line != "[Install]")
        .filter(|line| line.contains('=') && !line.starts_with('#') && !line.starts_with("ExecPaths"))
        .collect();
    assert!(sandbox.len() > 25, "{sandbox:?}");
    for (name, unit) in &units {
        for line in
            sandbox.iter().chain(&["User=dijkwacht", "LimitCORE=0", "PrivateNetwork=yes", "UMask=0077"])
        {
            assert!(unit.lines().any(|found| found == *line), "{name} lacks {line}");
        }
    }
}

/// What a unit's SystemCallFilter lets through, groups resolved by systemd itself; `None` where it is not installed.
fn allowed(unit: &str) -> Option<BTreeSet<String>> {
    let mut allowed = BTreeSet::new();
    for setting in settings(unit, "SystemCallFilter") {
        let (denies, words) = match setting.strip_prefix('~') {
            Some(words) => (true, words),
            None => (false, setting),
        };
        for word in words.split_whitespace() {
            let calls = if word.starts_with('@') { group(word)? } else { BTreeSet::from([word.to_owned()]) };
            match denies {
                true => allowed.retain(|call| !calls.contains(call)),
                false => allowed.extend(calls),
            }
        }
    }
    Some(allowed)
}

fn group(name: &str) -> Option<BTreeSet<String>> {
    let done = tool("systemd-analyze", &["syscall-filter", "--no-pager", name])?;
    let mut calls = BTreeSet::new();
    for word in text(&done.stdout).lines().skip(1).map(str::trim).filter(|word| !word.starts_with('#')) {
        match word.strip_prefix('@') {
            Some(_) => calls.extend(group(word)?),
            None => {
                calls.insert(word.to_owned());
            }
        }
    }
    Some(calls)
}

/// Names of all system calls that a command makes, its threads included.
fn calls(command: &[&str], place: &Path) -> Option<BTreeSet<String>> {
    let log = place.join("calls");
    let mut arguments = vec!["-f", "-c", "-U", "name", "-o", log.to_str().unwrap()];
    arguments.extend(command);
    let done = tool("strace", &arguments)?;
    assert!(done.status.success(), "{}", text(&done.stderr));
    let listed = fs::read_to_string(&log).unwrap();
    // What strace says of a thread that it lets go has spaces, a name has none.
    let names = listed.lines().map(str::trim);
    let names = names.filter(|line| !line.is_empty() && !line.starts_with('-') && !line.contains(' '));
    Some(names.filter(|name| !["syscall", "total"].contains(name)).map(str::to_owned).collect())
}

#[test]
fn the_filter_lets_every_system_call_through_that_a_batch_and_a_prune_make() {
    let place = tempfile::tempdir().unwrap();
    let config = place.path().join("dijkwacht.toml");
    let group = rustix::process::getegid().as_raw();
    let settings = format!(
        "[register]\nsources = [\"register.csv\"]\nindex = \"owners.dwi\"\n[spool]\npath = \"spool\"\ngroups = {{ ncsc = \"{group}\" }}\n"
    );
    fs::write(&config, settings).unwrap();
    fs::write(
        place.path().join("register.csv"),
        "owner_id,network,contact\nschool,192.0.2.0/28,a@b.example\n",
    )
    .unwrap();
    let rows: String = (0..2000).map(|number| format!("192.0.2.{}\n", number % 256)).collect();
    fs::write(place.path().join("dump.csv"), format!("ip\n{rows}")).unwrap();
    let path = |name: &str| place.path().join(name).display().to_string();
    let (config, index, register, dump) =
        (path("dijkwacht.toml"), path("owners.dwi"), path("register.csv"), path("dump.csv"));
    let metrics = path("nightly.prom");
    let commands: [&[&str]; 4] = [
        &[PROGRAM, "index", "build", "-o", &index, &register],
        &[PROGRAM, "check-config", "--config", &config],
        &[
            PROGRAM,
            "match",
            "--config",
            &config,
            "--feed",
            "a",
            "--identifier",
            "x",
            "--metrics-file",
            &metrics,
            &dump,
        ],
        &[PROGRAM, "spool", "prune", "--config", &config, "--older-than", "0"],
    ];
    let unit = &units(&["service"])["dijkwacht.service"];
    let Some(allowed) = allowed(unit) else { return };
    assert!(allowed.contains("openat") && !allowed.contains("mount") && !allowed.contains("ptrace"));
    let mut made = BTreeSet::new();
    for command in commands {
        let Some(calls) = calls(command, place.path()) else { return };
        made.extend(calls);
    }
    assert!(
        made.contains("renameat2") && made.contains("fchown") && made.contains("memfd_create"),
        "{made:?}"
    );
    let refused: Vec<_> = made.difference(&allowed).collect();
    assert!(refused.is_empty(), "the filter refuses {refused:?}");
}

#[test]
fn directories_have_the_modes_that_the_program_gives_them() {
    let declared: BTreeMap<String, (u32, String)> = units(&["tmpfiles"])["dijkwacht.tmpfiles"]
        .lines()
        .filter(|line| line.starts_with("d "))
        .map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            (words[1].to_owned(), (u32::from_str_radix(words[2], 8).unwrap(), words[4].to_owned()))
        })
        .collect();
    let place = tempfile::tempdir().unwrap();
    let spool = place.path().join("spool");
    dijkwacht::spool::Spool::open(&spool, &Default::default()).unwrap();
    let mut made = 0;
    for entry in fs::read_dir(&spool).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_dir()) {
        let name = entry.file_name().into_string().unwrap();
        let (mode, group) = &declared[&format!("/var/spool/dijkwacht/spool/{name}")];
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o7777, *mode, "{name}");
        let is_shared = mode & 0o070 != 0;
        assert_eq!(group == "dijkwacht-mailers", is_shared, "{name}");
        made += 1;
    }
    assert_eq!(made, 7);
    assert_eq!(
        declared["/var/spool/dijkwacht/spool"].0,
        fs::metadata(&spool).unwrap().permissions().mode() & 0o7777
    );
}

#[test]
fn users_and_directories_are_read_by_systemd() {
    let place = tempfile::tempdir().unwrap();
    let root = format!("--root={}", place.path().display());
    let file = |name: &str| directory().join(name).display().to_string();
    fs::create_dir(place.path().join("etc")).unwrap();
    let Some(done) = tool("systemd-sysusers", &[&root, &file("dijkwacht.sysusers")]) else { return };
    assert!(done.status.success(), "{}", text(&done.stderr));
    let groups = fs::read_to_string(place.path().join("etc/group")).unwrap();
    for group in ["dijkwacht-inbox", "dijkwacht-mailers"] {
        let line = groups.lines().find(|line| line.starts_with(&format!("{group}:"))).unwrap();
        assert!(line.ends_with(":dijkwacht"), "{line}");
    }
    let Some(done) = tool("systemd-tmpfiles", &["--create", &root, &file("dijkwacht.tmpfiles")]) else {
        return;
    };
    let said = text(&done.stderr);
    if !rustix::process::geteuid().is_root() {
        eprintln!("not root: directories are not given to their groups");
        return;
    }
    assert!(done.status.success() && said.is_empty(), "{said}");
    let mode = |path: &str| fs::metadata(place.path().join(path)).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode("var/spool/dijkwacht/spool/cur"), mode("var/spool/dijkwacht/inbox")), (0o3770, 0o2750));
}

#[test]
fn the_example_configuration_and_the_units_agree_on_places() {
    let example = &units(&["toml"])["dijkwacht.toml"];
    let (units, tmpfiles) = (units(&["service", "socket"]), &units(&["tmpfiles"])["dijkwacht.tmpfiles"]);
    for path in ["/var/spool/dijkwacht/inbox", "/var/spool/dijkwacht/spool"] {
        assert!(example.contains(&format!("\"{path}\"")) && tmpfiles.contains(path), "{path}");
    }
    let address = settings(&units["dijkwacht.socket"], "ListenStream")[0];
    assert!(example.contains(&format!("\"{address}\"")), "{address}");
    for (name, unit) in &units {
        let config = unit.matches("--config").count();
        assert_eq!(config, unit.matches("--config /etc/dijkwacht/dijkwacht.toml").count(), "{name}");
    }
    let checks = settings(&units["dijkwacht.service"], "ExecReload");
    assert!(checks[0].contains("check-config") && checks[1].ends_with("-HUP $MAINPID"), "{checks:?}");
}
