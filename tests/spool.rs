//! The spool from outside: what is laid out, what mailers can rely on, what is noticed.
//!
//! Faults, kills and other users are in `spool_faults.rs`.

#![allow(clippy::unwrap_used, clippy::print_stderr, clippy::print_stdout)] // the helpers of tests are tests

use dijkwacht::spool::*;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

// ---- a run in short ----

/// A run to publish: its dump's content and who gets how many lines.
#[derive(Clone)]
struct Run<'r> {
    content: &'r str,
    label: Option<&'r str>,
    /// Sender, owner_id, lines.
    notices: &'r [(&'r str, &'r str, usize)],
    held: &'r [(&'r str, &'r str, usize)],
}

const RUN: Run<'_> = Run {
    content: "dump",
    label: None,
    notices: &[("ncsc", "school", 2), ("ncsc", "bakery", 1), ("dtc", "Shop.nl", 3)],
    held: &[("ncsc", "school", 1), ("csirt-dsp", "cloud", 2)],
};

impl Run<'_> {
    fn facts(&self) -> RunFacts {
        RunFacts {
            feed: FeedName::read("partner").unwrap(),
            feed_label: "A partner".into(),
            label: self.label.map(|label| Label::read(label).unwrap()),
            dump: DumpFacts {
                name: "secret-reporter.csv".into(),
                format: "csv".into(),
                bytes: self.content.len() as u64,
                bytes_stored: 1,
                blake3: blake3::hash(self.content.as_bytes()).into(),
                observed: None,
            },
            index: "ab".repeat(32),
            run_time: "2026-11-22T01:02:03+00:00".into(),
            options: BTreeMap::from([("take".to_owned(), "exposed".into())]),
            report: BTreeMap::new(),
            counts: serde_json::json!({"records": 7}),
        }
    }

    fn name(&self) -> String {
        self.facts().run_name().to_string()
    }

    fn stage<'s>(&self, spool: &'s Spool) -> Stage<'s> {
        let stage = spool.stage().unwrap();
        for &(sender, owner, lines) in self.notices {
            write(stage.notice(recipient(sender, owner)).unwrap(), owner, lines);
        }
        for &(sender, owner, lines) in self.held {
            write(stage.held(recipient(sender, owner)).unwrap(), owner, lines);
        }
        stage
    }

    fn publish(&self, spool: &Spool) -> Result<Publication, SpoolError> {
        self.stage(spool).read_back()?.publish(self.facts())
    }
}

fn recipient(sender: &str, owner: &str) -> Recipient {
    Recipient {
        sender: Sender::read(sender).unwrap(),
        owner_id: owner.into(),
        name: Some(format!("Name of {owner}")),
        contacts: vec![format!("cert@{owner}.example")],
    }
}

fn write(mut notice: NoticeWriter<'_>, owner: &str, lines: usize) {
    for number in 0..lines {
        notice.append(format!("{{\"owner\":\"{owner}\",").as_bytes()).unwrap();
        notice.append(format!("\"number\":{number}}}\n").as_bytes()).unwrap();
    }
    assert_eq!(notice.finish().unwrap(), lines as u64);
}

/// A directory in memory if there is any, since hundreds of runs are made durable here; `TMPDIR` names another.
fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let in_memory = memory.is_dir() && std::env::var_os("TMPDIR").is_none();
    if in_memory { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
}

/// An empty spool, and the directory that goes with it.
fn spool() -> (tempfile::TempDir, PathBuf, Spool) {
    let scratch = scratch();
    let path = scratch.path().join("spool");
    let spool = Spool::open(&path, &SpoolOptions::default()).unwrap();
    (scratch, path, spool)
}

/// A spool with one run in it.
fn published(run: &Run<'_>) -> (tempfile::TempDir, PathBuf) {
    let (scratch, path, spool) = spool();
    assert!(matches!(run.publish(&spool), Ok(Publication::Published { .. })));
    (scratch, path)
}

/// All files and directories below `root`, directories with a final `/`.
fn listing(root: &Path) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut left = vec![root.to_owned()];
    while let Some(directory) = left.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            if path.is_dir() && !path.is_symlink() {
                names.insert(name + "/");
                left.push(path);
            } else {
                names.insert(name);
            }
        }
    }
    names
}

fn json(path: &Path) -> serde_json::Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn take(path: &Path) -> Option<String> {
    Claims::open(path).unwrap().take(None).unwrap().map(|claim| claim.name.to_string())
}

// ---- publishing ----

#[test]
fn a_spool_is_laid_out_as_drawn() {
    let (_scratch, path, _spool) = spool();
    let wanted = ["tmp/", "new/", "held/", "runs/", "cur/", "done/", "failed/", "lock"];
    assert_eq!(listing(&path), wanted.map(String::from).into());
}

#[test]
fn a_run_is_laid_out_as_drawn() {
    let (_scratch, path) = published(&RUN);
    let run = RUN.name();
    assert!(run.starts_with("partner-") && run.len() == "partner-".len() + 16, "{run}");
    let wanted = ["manifest.json", "ncsc/", "ncsc/manifest.json", "ncsc/school.jsonl", "ncsc/bakery.jsonl"]
        .into_iter()
        .chain(["dtc/", "dtc/manifest.json", "dtc/Shop.nl.jsonl"]);
    assert_eq!(listing(&path.join("new").join(&run)), wanted.map(String::from).collect());
    let wanted = ["ncsc/", "ncsc/school.jsonl", "csirt-dsp/", "csirt-dsp/cloud.jsonl"];
    assert_eq!(listing(&path.join("held").join(&run)), wanted.map(String::from).into());
    assert!(listing(&path.join("tmp")).is_empty());
    let notice = fs::read_to_string(path.join("new").join(&run).join("ncsc/school.jsonl")).unwrap();
    assert_eq!(notice, "{\"owner\":\"school\",\"number\":0}\n{\"owner\":\"school\",\"number\":1}\n");
}

#[test]
fn manifests_say_what_was_written() {
    let (_scratch, path) = published(&RUN);
    let run = path.join("new").join(RUN.name());
    let manifest = json(&run.join("manifest.json"));
    assert_eq!(manifest["version"], 1);
    assert_eq!(manifest["run"], RUN.name());
    assert_eq!(manifest["dump"]["name"], "secret-reporter.csv");
    assert_eq!(manifest["dump"]["blake3"], blake3::hash(b"dump").to_hex().as_str());
    assert_eq!(manifest["counts"]["records"], 7);
    let notices: Vec<_> = manifest["notices"].as_array().unwrap().iter().collect();
    let order: Vec<_> = notices.iter().map(|notice| notice["owner_id"].as_str().unwrap()).collect();
    assert_eq!(order, ["Shop.nl", "bakery", "school"], "by sender, then owner");
    for notice in &notices {
        let file = run
            .join(notice["sender"].as_str().unwrap())
            .join(format!("{}.jsonl", notice["owner_id"].as_str().unwrap()));
        let content = fs::read(file).unwrap();
        assert_eq!(notice["bytes"], content.len());
        assert_eq!(notice["lines"], content.iter().filter(|&&byte| byte == b'\n').count());
        assert_eq!(notice["blake3"], blake3::hash(&content).to_hex().as_str());
    }
    assert_eq!(manifest["held"].as_array().unwrap().len(), 2);

    let text = fs::read_to_string(run.join("ncsc/manifest.json")).unwrap();
    assert!(!text.contains("secret-reporter"), "a mailer is told nothing of the reporter");
    let sender = json(&run.join("ncsc/manifest.json"));
    assert_eq!((&sender["run"], &sender["sender"]), (&manifest["run"], &"ncsc".into()));
    let files: Vec<_> = sender["notices"].as_array().unwrap().iter().collect();
    assert_eq!(files.len(), 2);
    assert_eq!(files[1]["file"], "school.jsonl");
    assert_eq!(files[1]["contacts"][0], "cert@school.example");
    assert_eq!(files[1]["alerts"], 2);
}

#[test]
fn the_same_run_has_the_same_bytes_in_whatever_order_it_was_written() {
    let (_first, first) = published(&RUN);
    let mut notices = RUN.notices.to_vec();
    notices.reverse();
    let mut held = RUN.held.to_vec();
    held.reverse();
    let (_second, second) = published(&Run { notices: &notices, held: &held, ..RUN });
    assert_eq!(listing(&first), listing(&second));
    for name in listing(&first).iter().filter(|name| !name.ends_with('/')) {
        assert_eq!(fs::read(first.join(name)).unwrap(), fs::read(second.join(name)).unwrap(), "{name}");
    }
}

#[test]
fn a_run_with_nothing_to_send_is_published() {
    let nothing = Run { notices: &[], held: &[], ..RUN };
    let (_scratch, path) = published(&nothing);
    assert_eq!(
        listing(&path.join("new")),
        [format!("{}/", RUN.name()), format!("{}/manifest.json", RUN.name())].into()
    );
    assert!(listing(&path.join("held")).is_empty());
    assert_eq!(take(&path), None);
    assert!(verify(&path).unwrap().is_clean());
    let (_scratch, _path, spool) = spool();
    assert!(matches!(nothing.publish(&spool), Ok(Publication::Published { .. })));
    assert!(matches!(nothing.publish(&spool), Ok(Publication::AlreadyPublished { .. })));
}

#[test]
fn a_writer_that_was_given_nothing_leaves_nothing() {
    let (_scratch, path) =
        published(&Run { notices: &[("ncsc", "school", 0)], held: &[("dtc", "shop", 0)], ..RUN });
    assert_eq!(listing(&path.join("new")).len(), 2, "the run and its manifest");
    assert!(verify(&path).unwrap().is_clean());
}

#[test]
fn a_dump_is_published_once_under_a_label() {
    let (_scratch, path, spool) = spool();
    let content = RUN.facts().dump.blake3;
    assert_eq!(spool.find_published(&RUN.facts().run_name(), &content).unwrap(), None);
    assert!(matches!(RUN.publish(&spool), Ok(Publication::Published { .. })));
    let manifest = path.join("new").join(RUN.name()).join("manifest.json");
    let written = fs::metadata(&manifest).unwrap();
    let before = fs::read(&manifest).unwrap();
    let Ok(Publication::AlreadyPublished { at, .. }) = RUN.publish(&spool) else { panic!() };
    assert_eq!((at.unix_seconds(), i64::from(at.subsecond_nanos())), (written.mtime(), written.mtime_nsec()));
    assert_eq!(spool.find_published(&RUN.facts().run_name(), &content).unwrap(), Some(at));
    assert_eq!(fs::read(&manifest).unwrap(), before, "what is published is not touched");
    let again = Run { label: Some("corrected"), ..RUN };
    assert_eq!(again.name(), format!("{}+corrected", RUN.name()));
    assert!(matches!(again.publish(&spool), Ok(Publication::Published { .. })));
    assert!(listing(&path.join("tmp")).is_empty());
    assert_eq!(status(&path).unwrap(), Status { new: 2, held: 2, unclaimed: 4, ..Status::default() });
}

#[test]
fn a_retired_run_is_remembered() {
    let (_scratch, path, spool) = spool();
    RUN.publish(&spool).unwrap();
    let run = path.join("new").join(RUN.name());
    let retired = path.join("runs").join(format!("{}.json", RUN.name()));
    let published = fs::metadata(run.join("manifest.json")).unwrap().mtime();
    fs::rename(run.join("manifest.json"), &retired).unwrap();
    fs::remove_dir_all(&run).unwrap();
    let Ok(Publication::AlreadyPublished { at, .. }) = RUN.publish(&spool) else { panic!() };
    assert_eq!(at.unix_seconds(), published);
    assert!(!run.exists());
}

#[test]
fn another_dump_of_the_same_name_is_an_error_and_never_seen() {
    let (_scratch, path, spool) = spool();
    RUN.publish(&spool).unwrap();
    let manifest = path.join("new").join(RUN.name()).join("manifest.json");
    // A hash with the same first 16 digits and another end.
    let hex = blake3::hash(b"dump").to_hex().to_string();
    let other = format!("{}{}", &hex[..63], if hex.ends_with('0') { '1' } else { '0' });
    fs::write(&manifest, fs::read_to_string(&manifest).unwrap().replace(&hex, &other)).unwrap();
    let error = RUN.publish(&spool).unwrap_err();
    assert!(matches!(&error, SpoolError::OtherContent { path, .. } if *path == manifest), "{error}");
    assert!(error.to_string().contains("--label"), "{error}");
    assert!(listing(&path.join("tmp")).is_empty(), "the stage is thrown away");
}

#[test]
fn a_manifest_of_a_newer_version_stops_publication() {
    let (_scratch, path, spool) = spool();
    RUN.publish(&spool).unwrap();
    let manifest = path.join("new").join(RUN.name()).join("manifest.json");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replacen("\"version\": 1", "\"version\": 2", 1)).unwrap();
    assert!(matches!(RUN.publish(&spool), Err(SpoolError::TooNew { version: 2, .. })));
    assert!(matches!(verify(&path), Err(SpoolError::TooNew { version: 2, .. })));
    fs::write(&manifest, "{").unwrap();
    assert!(matches!(RUN.publish(&spool), Err(SpoolError::Damaged { .. })));
}

#[test]
fn notices_are_written_by_many_threads_at_once() {
    let (_scratch, path, spool) = spool();
    let stage = spool.stage().unwrap();
    let names: Vec<String> = (0..600).map(|number| format!("owner-{number}")).collect();
    std::thread::scope(|scope| {
        for part in names.chunks(100) {
            let stage = &stage;
            scope.spawn(move || {
                for (number, name) in part.iter().enumerate() {
                    let sender = ["ncsc", "dtc", "csirt-dsp"][number % 3];
                    write(stage.notice(recipient(sender, name)).unwrap(), name, number + 1);
                }
            });
        }
    });
    let staged = stage.read_back().unwrap();
    assert_eq!((staged.alerts(), staged.held()), (6 * 5050, 0));
    staged.publish(RUN.facts()).unwrap();
    let verification = verify(&path).unwrap();
    assert!(verification.is_clean(), "{verification:#?}");
    assert_eq!((verification.runs, verification.notices, verification.lines), (1, 600, 6 * 5050));
}

#[test]
fn lines_in_pieces_of_any_size_arrive_whole() {
    for piece in [1, 7, 4096, 128 * 1024 - 1, 128 * 1024, 128 * 1024 + 1, 1 << 20] {
        let (_scratch, path, spool) = spool();
        let stage = spool.stage().unwrap();
        let mut random = fastrand::Rng::with_seed(piece as u64);
        let mut content: Vec<u8> =
            (0..700_000).map(|_| if random.u8(..) == 0 { b'\n' } else { b'x' }).collect();
        content.push(b'\n');
        let mut notice = stage.notice(recipient("ncsc", "school")).unwrap();
        for piece in content.chunks(piece) {
            notice.append(piece).unwrap();
        }
        let lines = content.iter().filter(|&&byte| byte == b'\n').count() as u64;
        assert_eq!(notice.finish().unwrap(), lines);
        let staged = stage.read_back().unwrap();
        assert_eq!(staged.alerts(), lines);
        staged.publish(RUN.facts()).unwrap();
        let file = path.join("new").join(RUN.name()).join("ncsc/school.jsonl");
        assert!(fs::read(file).unwrap() == content, "pieces of {piece}");
        assert!(verify(&path).unwrap().is_clean());
    }
}

#[test]
fn scratch_files_hold_what_is_appended_and_leave_nothing() {
    let (_scratch, path, spool) = spool();
    let stage = spool.stage().unwrap();
    let mut one = stage.scratch().unwrap();
    let mut other = stage.scratch().unwrap();
    assert_eq!((one.append(b"abc").unwrap(), one.append(b"defg").unwrap(), one.bytes()), (0, 3, 7));
    other.append(b"other").unwrap();
    let mut found = [0; 4];
    one.read_at(&mut found, 2).unwrap();
    assert_eq!(&found, b"cdef");
    assert!(one.read_at(&mut found, 4).is_err(), "beyond the end");
    assert!(!listing(&path.join("tmp")).iter().any(|name| name.contains("scratch")));
    drop((one, other));
    stage.read_back().unwrap().publish(RUN.facts()).unwrap();
    assert!(listing(&path.join("tmp")).is_empty());
}

/// What a national feed costs: run with `--release --ignored --nocapture twenty_five`.
#[test]
#[ignore = "a gigabyte, to be looked at by a person"]
fn twenty_five_thousand_owners_are_published_in_bounded_memory() {
    const OWNERS: usize = 25_000;
    const LINES: usize = 40;
    let (_scratch, path, spool) = spool();
    let mut line = vec![b'x'; 999];
    line.push(b'\n');
    let start = std::time::Instant::now();
    let stage = spool.stage().unwrap();
    for number in 0..OWNERS {
        let mut notice = stage.notice(recipient("ncsc", &format!("owner-{number}"))).unwrap();
        for _ in 0..LINES {
            notice.append(&line).unwrap();
        }
        notice.finish().unwrap();
    }
    let written = start.elapsed();
    let staged = stage.read_back().unwrap();
    let read_back = start.elapsed();
    assert_eq!(staged.alerts(), (OWNERS * LINES) as u64);
    staged.publish(RUN.facts()).unwrap();
    let published = start.elapsed();
    println!(
        "written {written:.2?}, read back {:.2?}, published {:.2?}",
        read_back - written,
        published - read_back
    );
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    let kib: u64 = peak.split_whitespace().nth(1).unwrap().parse().unwrap();
    println!("{peak}");
    assert!(kib < 64 * 1024, "25,000 open notices would need 3 GiB");
    assert!(verify(&path).unwrap().is_clean());
}

// ---- what is refused before it is published ----

#[test]
fn a_stage_that_is_dropped_leaves_nothing() {
    let (_scratch, path, spool) = spool();
    drop(RUN.stage(&spool));
    drop(RUN.stage(&spool).read_back().unwrap());
    assert_eq!(status(&path).unwrap(), Status::default());
    assert!(listing(&path.join("tmp")).is_empty() && listing(&path.join("held")).is_empty());
}

#[test]
fn a_notice_that_is_not_finished_stops_publication() {
    let (_scratch, path, spool) = spool();
    let stage = RUN.stage(&spool);
    let mut notice = stage.notice(recipient("ncsc", "late")).unwrap();
    notice.append(b"{}\n").unwrap();
    drop(notice);
    assert!(matches!(stage.read_back(), Err(SpoolError::Unfinished { .. })));
    assert!(listing(&path.join("tmp")).is_empty());
}

#[test]
fn a_last_line_without_an_end_is_refused() {
    let (_scratch, _path, spool) = spool();
    let stage = spool.stage().unwrap();
    let mut notice = stage.notice(recipient("ncsc", "school")).unwrap();
    notice.append(b"{}\n{}").unwrap();
    assert!(matches!(notice.finish(), Err(SpoolError::Unfinished { .. })));
    assert!(matches!(stage.read_back(), Err(SpoolError::Unfinished { .. })));
}

#[test]
fn two_notices_of_one_owner_are_refused() {
    let (_scratch, _path, spool) = spool();
    let stage = RUN.stage(&spool);
    let mut again = stage.notice(recipient("ncsc", "school")).unwrap();
    again.append(b"{}\n").unwrap();
    assert!(again.finish().is_err());
    // Names that are one where case is ignored.
    let stage = RUN.stage(&spool);
    write(stage.notice(recipient("ncsc", "SCHOOL")).unwrap(), "SCHOOL", 1);
    assert!(matches!(stage.read_back(), Err(SpoolError::Unfinished { .. })));
    // The same owner under another sender, or held, is another file.
    let stage = RUN.stage(&spool);
    write(stage.notice(recipient("dtc", "school")).unwrap(), "school", 1);
    assert_eq!(stage.read_back().unwrap().alerts(), 7);
}

#[test]
fn no_owner_id_becomes_a_path() {
    let (_scratch, path, spool) = spool();
    let stage = spool.stage().unwrap();
    for owner in ["../escaped", "/etc/passwd", ".", "..", "", "a/b", "a\0b", ".hidden", "a\n"] {
        assert!(matches!(stage.notice(recipient("ncsc", owner)), Err(SpoolError::Name(_))), "{owner:?}");
        assert!(matches!(stage.held(recipient("ncsc", owner)), Err(SpoolError::Name(_))), "{owner:?}");
    }
    drop(stage);
    assert!(listing(&path.join("tmp")).is_empty());
}

#[test]
fn a_staged_file_that_changes_is_noticed_before_publication() {
    type Change = fn(&Path);
    let changes: [(&str, Change); 5] = [
        ("shorter", |file| fs::write(file, b"{}\n").unwrap()),
        ("longer", |file| fs::write(file, [fs::read(file).unwrap(), b"{}\n".to_vec()].concat()).unwrap()),
        ("torn", |file| {
            let content = fs::read(file).unwrap();
            fs::write(file, &content[..content.len() - 1]).unwrap();
        }),
        ("empty", |file| fs::write(file, b"").unwrap()),
        ("gone", |file| fs::remove_file(file).unwrap()),
    ];
    for part in ["run/ncsc/school.jsonl", "held/csirt-dsp/cloud.jsonl"] {
        for (name, change) in changes {
            let (_scratch, path, spool) = spool();
            let stage = RUN.stage(&spool);
            let tmp = fs::read_dir(path.join("tmp")).unwrap().next().unwrap().unwrap().path();
            change(&tmp.join(part));
            let error = stage.read_back().unwrap_err();
            assert!(
                matches!(&error, SpoolError::Torn { path, .. } if path.ends_with(part)),
                "{part} {name}: {error}"
            );
        }
    }
}

// ---- recovery ----

#[test]
fn recovery_removes_what_a_crash_left_and_nothing_else() {
    let (_scratch, path, spool) = spool();
    RUN.publish(&spool).unwrap();
    let living = RUN.stage(&spool);
    let committed = listing(&path);
    // A stage without a lock, one with nothing in it, a file, a link out of the spool; held without a commit.
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("kept"), "kept").unwrap();
    fs::create_dir_all(path.join("tmp/99.0/run/ncsc")).unwrap();
    fs::write(path.join("tmp/99.0/run/ncsc/school.jsonl"), "{}").unwrap();
    symlink(outside.path(), path.join("tmp/99.0/run/link")).unwrap();
    fs::create_dir(path.join("tmp/99.1")).unwrap();
    fs::write(path.join("tmp/file"), "").unwrap();
    symlink(outside.path(), path.join("tmp/99.2")).unwrap_or_default();
    fs::create_dir_all(path.join("held/partner-0123456789abcdef/ncsc")).unwrap();
    fs::write(path.join("held/partner-0123456789abcdef/ncsc/school.jsonl"), "{}").unwrap();
    fs::write(path.join("held/notes.txt"), "a person's").unwrap();

    assert_eq!(spool.recover().unwrap(), Recovered { stages: 4, held: 1 });
    let mut wanted = committed.clone();
    wanted.insert("held/notes.txt".into());
    assert_eq!(listing(&path), wanted);
    assert_eq!(spool.recover().unwrap(), Recovered::default(), "a second time there is nothing to do");
    assert!(outside.path().join("kept").exists());
    drop(living);
}

#[test]
fn what_is_held_for_a_retired_run_stays() {
    let (_scratch, path, spool) = spool();
    RUN.publish(&spool).unwrap();
    let run = path.join("new").join(RUN.name());
    fs::rename(run.join("manifest.json"), path.join(format!("runs/{}.json", RUN.name()))).unwrap();
    fs::remove_dir_all(&run).unwrap();
    assert_eq!(spool.recover().unwrap(), Recovered::default());
    assert!(path.join("held").join(RUN.name()).is_dir());
}

/// A publisher died between its two renames; the dump is published again, with other things held, or nothing.
#[test]
fn what_was_held_without_a_commit_never_counts() {
    for held in [&[][..], &[("ncsc", "bakery", 1)]] {
        let (_scratch, path, spool) = spool();
        let stale = path.join("held").join(RUN.name());
        fs::create_dir_all(stale.join("ncsc")).unwrap();
        fs::write(stale.join("ncsc/stale.jsonl"), "{}\n").unwrap();
        assert_eq!(status(&path).unwrap().held, 0);
        Run { held, ..RUN }.publish(&spool).unwrap();
        assert_eq!(stale.exists(), !held.is_empty());
        assert!(!stale.join("ncsc/stale.jsonl").exists());
        assert!(verify(&path).unwrap().is_clean());
    }
}

#[test]
fn recovery_never_removes_a_living_stage() {
    let (_scratch, path, _spool) = spool();
    std::thread::scope(|scope| {
        let publishers: Vec<_> = (0..3)
            .map(|thread| {
                let path = &path;
                scope.spawn(move || {
                    let spool = Spool::open(path, &SpoolOptions::default()).unwrap();
                    for number in 0..20 {
                        let content = format!("{thread} {number}");
                        let run = Run { content: &content, ..RUN };
                        assert!(matches!(run.publish(&spool), Ok(Publication::Published { .. })));
                        drop(run.stage(&spool));
                    }
                })
            })
            .collect();
        let other = Spool::open(&path, &SpoolOptions::default()).unwrap();
        while !publishers.iter().all(std::thread::ScopedJoinHandle::is_finished) {
            assert_eq!(other.recover().unwrap(), Recovered::default());
        }
    });
    assert_eq!(status(&path).unwrap(), Status { new: 60, held: 60, unclaimed: 120, ..Status::default() });
    assert!(verify(&path).unwrap().is_clean());
}

// ---- places that do not serve ----

#[test]
fn a_spool_is_made_with_what_is_above_it() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("a/b/spool");
    Spool::open(&path, &SpoolOptions::default()).unwrap();
    assert!(path.join("new").is_dir());
    // A link to the spool is the operator's own business.
    symlink(&path, scratch.path().join("link")).unwrap();
    Spool::open(&scratch.path().join("link"), &SpoolOptions::default()).unwrap();
}

#[test]
fn a_spool_where_none_can_be_is_an_error_with_the_place() {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("file");
    fs::write(&file, "").unwrap();
    symlink(scratch.path().join("nowhere"), scratch.path().join("dangling")).unwrap();
    for path in [file.clone(), file.join("spool"), scratch.path().join("dangling")] {
        let error = Spool::open(&path, &SpoolOptions::default()).unwrap_err();
        assert!(matches!(&error, SpoolError::CannotCreate { path: at, .. } if *at == path), "{error}");
    }
}

#[test]
fn no_part_of_the_spool_may_be_a_link() {
    for part in ["tmp", "new", "held", "runs", "cur", "done", "failed"] {
        let (scratch, path, spool) = spool();
        drop(spool);
        fs::rename(path.join(part), scratch.path().join("elsewhere")).unwrap();
        symlink(scratch.path().join("elsewhere"), path.join(part)).unwrap();
        let error = Spool::open(&path, &SpoolOptions::default()).unwrap_err();
        assert!(matches!(&error, SpoolError::NotDirectory { path: at } if *at == path.join(part)), "{error}");
    }
}

/// A mount that goes when the test does.
struct Mount(PathBuf);

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn a_part_on_another_file_system_is_refused() {
    for (part, other) in [("tmp", "new"), ("held", "new"), ("done", "cur")] {
        for options in [&["-t", "tmpfs", "tmpfs"][..], &["--bind", "."]] {
            let (_scratch, path, spool) = spool();
            drop(spool);
            let mut mount = Command::new("mount");
            match options {
                ["--bind", _] => mount.arg("--bind").arg(path.join(part)),
                options => mount.args(options),
            };
            if !mount.arg(path.join(part)).status().is_ok_and(|status| status.success()) {
                eprintln!("\n*** SKIPPED: only root can mount another file system ***\n");
                return;
            }
            let _mount = Mount(path.join(part));
            let error = Spool::open(&path, &SpoolOptions::default()).unwrap_err();
            let is_named = |at: &Path, with: &Path| at == path.join(part) && with == path.join(other);
            assert!(
                matches!(&error, SpoolError::OtherFileSystem { path, other } if is_named(path, other)),
                "{part}: {error}"
            );
        }
    }
}

#[test]
fn a_full_file_system_publishes_nothing_and_leaves_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    let mounted =
        Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(scratch.path()).status();
    if !mounted.is_ok_and(|status| status.success()) {
        eprintln!("\n*** SKIPPED: only root can mount a small file system ***\n");
        return;
    }
    let _mount = Mount(scratch.path().to_owned());
    let path = scratch.path().join("spool");
    let spool = Spool::open(&path, &SpoolOptions::default()).unwrap();
    let stage = spool.stage().unwrap();
    let mut notice = stage.notice(recipient("ncsc", "school")).unwrap();
    let error =
        (0..1000).find_map(|_| notice.append(&[b"x".repeat(9_999), b"\n".to_vec()].concat()).err()).unwrap();
    assert!(matches!(&error, SpoolError::Full { path, .. } if path.ends_with("school.jsonl")), "{error}");
    assert!(notice.finish().is_err(), "a block is lost, whatever is free by now");
    assert!(stage.read_back().is_err());
    assert_eq!(status(&path).unwrap(), Status::default());
    RUN.publish(&spool).unwrap();
    assert!(verify(&path).unwrap().is_clean());
}

#[test]
fn a_group_that_does_not_exist_is_named() {
    let scratch = tempfile::tempdir().unwrap();
    let groups = BTreeMap::from([(Sender::read("ncsc").unwrap(), "no-such-group".to_owned())]);
    let error =
        Spool::open(&scratch.path().join("spool"), &SpoolOptions { groups, ..SpoolOptions::default() })
            .unwrap_err();
    assert!(matches!(&error, SpoolError::UnknownGroup { group, .. } if group == "no-such-group"), "{error}");
    assert!(!scratch.path().join("spool").exists(), "nothing is made before");
}

#[test]
fn a_sender_has_the_group_of_its_own_and_others_that_of_new() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("\n*** SKIPPED: only root can give directories to any group ***\n");
        return;
    }
    let (_scratch, path, spool) = spool();
    drop(spool);
    std::os::unix::fs::chown(path.join("new"), None, Some(4321)).unwrap();
    fs::set_permissions(path.join("new"), fs::Permissions::from_mode(0o2750)).unwrap();
    let groups = BTreeMap::from([(Sender::read("ncsc").unwrap(), "1234".to_owned())]);
    let spool = Spool::open(&path, &SpoolOptions { groups, ..SpoolOptions::default() }).unwrap();
    RUN.publish(&spool).unwrap();
    let run = path.join("new").join(RUN.name());
    for (name, group, mode) in [
        ("", 4321, 0o2750),
        ("ncsc", 1234, 0o2750),
        ("ncsc/school.jsonl", 1234, 0o640),
        ("ncsc/manifest.json", 1234, 0o640),
        ("dtc", 4321, 0o2750),
        ("dtc/Shop.nl.jsonl", 4321, 0o640),
        ("manifest.json", 4321, 0o600),
    ] {
        let metadata = fs::metadata(run.join(name)).unwrap();
        assert_eq!((metadata.gid(), metadata.mode() & 0o7777), (group, mode), "{name:?}");
    }
}

// ---- mailers ----

/// Publishes runs one after the other, with times that tell them apart.
fn publish_in_order(path: &Path, contents: &[&str]) -> Vec<String> {
    let spool = Spool::open(path, &SpoolOptions::default()).unwrap();
    let publish = |(number, content): (usize, &&str)| {
        let run = Run { content, ..RUN };
        run.publish(&spool).unwrap();
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000 + number as u64);
        fs::File::open(path.join("new").join(run.name())).unwrap().set_modified(time).unwrap();
        run.name()
    };
    contents.iter().enumerate().map(publish).collect()
}

#[test]
fn the_oldest_run_that_nobody_has_is_taken_first() {
    let (_scratch, path, _spool) = spool();
    let runs = publish_in_order(&path, &["one", "two", "three", "four"]);
    let wanted: Vec<_> =
        runs.iter().flat_map(|run| ["dtc", "ncsc"].map(|sender| format!("{run}.{sender}"))).collect();
    let taken: Vec<_> = std::iter::from_fn(|| take(&path)).collect();
    assert_eq!(taken, wanted);
    assert_eq!(take(&path), None);
}

#[test]
fn a_mailer_takes_its_own_sender_only() {
    let (_scratch, path, _spool) = spool();
    let runs = publish_in_order(&path, &["one", "two"]);
    let claims = Claims::open(&path).unwrap();
    let ncsc = Sender::read("ncsc").unwrap();
    for run in &runs {
        let claim = claims.take(Some(&ncsc)).unwrap().unwrap();
        assert_eq!(claim.name.to_string(), format!("{run}.ncsc"));
        assert_eq!(claim.directory, path.join("new").join(run).join("ncsc"));
        assert!(claim.directory.join("school.jsonl").is_file());
    }
    assert_eq!(claims.take(Some(&ncsc)).unwrap(), None);
    // Held lines are nobody's to send.
    assert_eq!(claims.take(Some(&Sender::read("csirt-dsp").unwrap())).unwrap(), None);
}

#[test]
fn a_claim_that_was_acknowledged_is_not_taken_again() {
    let (_scratch, path) = published(&RUN);
    let claims = Claims::open(&path).unwrap();
    let [dtc, ncsc] = ["dtc", "ncsc"].map(|sender| format!("{}.{sender}", RUN.name()));
    let count =
        |new, cur, done, failed, unclaimed| Status { new, cur, done, failed, held: 1, tmp: 0, unclaimed };
    assert_eq!(status(&path).unwrap(), count(1, 0, 0, 0, 2));
    assert_eq!(take(&path).as_ref(), Some(&dtc));
    assert_eq!(status(&path).unwrap(), count(1, 1, 0, 0, 1));
    claims.acknowledge(&dtc, Acknowledgement::Done).unwrap();
    assert_eq!(status(&path).unwrap(), count(1, 0, 1, 0, 1));
    assert_eq!(take(&path).as_ref(), Some(&ncsc));
    fs::write(path.join("cur").join(&ncsc).join("school.failed"), "").unwrap();
    claims.acknowledge(&ncsc, Acknowledgement::Failed).unwrap();
    assert_eq!(status(&path).unwrap(), count(1, 0, 1, 1, 0));
    assert!(path.join("failed").join(&ncsc).join("school.failed").is_file(), "the mailer's notes stay");
    assert_eq!(take(&path), None);
    // An operator gives it back.
    fs::remove_dir_all(path.join("failed").join(&ncsc)).unwrap();
    assert_eq!(take(&path), Some(ncsc));
}

#[test]
fn only_a_claim_can_be_acknowledged() {
    let (_scratch, path) = published(&RUN);
    let claims = Claims::open(&path).unwrap();
    let name = format!("{}.ncsc", RUN.name());
    let long = "a".repeat(10_000);
    for claim in [&name, "", ".", "..", "../new", "new", "a/b", "\0", &long] {
        for how in [Acknowledgement::Done, Acknowledgement::Failed] {
            let error = claims.acknowledge(claim, how).unwrap_err();
            assert!(matches!(error, SpoolError::NotClaimed { .. }), "{claim}: {error}");
        }
    }
    fs::create_dir(path.join("cur").join(&name)).unwrap();
    claims.acknowledge(&name, Acknowledgement::Done).unwrap();
    assert!(matches!(claims.acknowledge(&name, Acknowledgement::Failed), Err(SpoolError::NotClaimed { .. })));
}

#[test]
fn mailers_at_once_take_everything_once() {
    let (_scratch, path, spool) = spool();
    let contents: Vec<String> = (0..30).map(|number| number.to_string()).collect();
    for content in &contents {
        Run { content, held: &[], ..RUN }.publish(&spool).unwrap();
    }
    let taken: Vec<String> = std::thread::scope(|scope| {
        let mailers: Vec<_> = (0..8)
            .map(|number| {
                let path = &path;
                scope.spawn(move || {
                    let claims = Claims::open(path).unwrap();
                    let mut taken = Vec::new();
                    while let Some(claim) = claims.take(None).unwrap() {
                        let how = [Acknowledgement::Done, Acknowledgement::Failed][number % 2];
                        claims.acknowledge(claim.name.as_str(), how).unwrap();
                        taken.push(claim.name.to_string());
                    }
                    taken
                })
            })
            .collect();
        mailers.into_iter().flat_map(|mailer| mailer.join().unwrap()).collect()
    });
    let distinct: BTreeSet<_> = taken.iter().collect();
    assert_eq!((taken.len(), distinct.len()), (60, 60));
    let counts = status(&path).unwrap();
    assert_eq!((counts.new, counts.cur, counts.done + counts.failed, counts.unclaimed), (30, 0, 60, 0));
}

/// The script of the module's documentation, beside our own mailers.
#[test]
fn a_shell_is_enough_of_a_mailer() {
    let (scratch, path, _spool) = spool();
    let runs = publish_in_order(&path, &["one", "two", "three"]);
    let own = take(&path).unwrap();
    let sent = scratch.path().join("sent");
    let script = r#"
        set -e
        cd "$1"
        send() { cat "$1" >> "$sent"; }
        sent=$2
        for sender in ncsc dtc; do
            for run in $(ls -tr new); do
                claim=$run.$sender
                mkdir "cur/$claim" 2> /dev/null || continue
                [ -e "done/$claim" ] || [ -e "failed/$claim" ] && { rmdir "cur/$claim"; continue; }
                for notice in new/"$run"/"$sender"/*.jsonl; do
                    owner=$(basename "$notice" .jsonl)
                    [ -e "cur/$claim/$owner.sent" ] || send "$notice" && touch "cur/$claim/$owner.sent"
                done
                mv -T "cur/$claim" "done/$claim"
            done
        done
    "#;
    for _ in 0..2 {
        let output = Command::new("sh").args(["-c", script, "sh"]).arg(&path).arg(&sent).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    // Everything but what our own mailer had taken, once though the shell went twice.
    assert_eq!(own, format!("{}.dtc", runs[0]));
    let lines = fs::read_to_string(&sent).unwrap().lines().count();
    assert_eq!(lines, 3 * 6 - 3);
    assert_eq!(status(&path).unwrap(), Status { new: 3, cur: 1, done: 5, held: 3, ..Status::default() });
    assert_eq!(take(&path), None);
    assert!(path.join("done").join(format!("{}.ncsc/school.sent", runs[1])).is_file());
}

#[test]
fn a_flat_directory_gets_whole_copies_under_names_of_their_own() {
    let (scratch, path, _spool) = spool();
    let runs = publish_in_order(&path, &["one", "two"]);
    let flat = scratch.path().join("flat");
    let claims = Claims::open(&path).unwrap();
    assert!(matches!(claims.take_flat(None, &flat), Err(SpoolError::NoFlatDirectory { .. })));
    fs::create_dir(&flat).unwrap();
    // What an attempt that was killed left.
    fs::write(flat.join(format!(".{}.dtc.Shop.nl.jsonl.part", runs[0])), "torn").unwrap();
    while claims.take_flat(None, &flat).unwrap().is_some() {}
    let owners = ["dtc.Shop.nl", "ncsc.bakery", "ncsc.school"];
    let wanted = runs.iter().flat_map(|run| owners.map(|owner| format!("{run}.{owner}.jsonl"))).collect();
    assert_eq!(listing(&flat), wanted);
    let copy = fs::read(flat.join(format!("{}.ncsc.school.jsonl", runs[1]))).unwrap();
    assert_eq!(copy, fs::read(path.join("new").join(&runs[1]).join("ncsc/school.jsonl")).unwrap());
    assert_eq!(status(&path).unwrap().cur, 4);
}

#[test]
fn a_damaged_notice_does_not_stand_in_the_way_of_later_runs() {
    let (scratch, path) = published(&Run { notices: &[("ncsc", "a", 1), ("ncsc", "b", 1)], ..RUN });
    let flat = scratch.path().join("flat");
    fs::create_dir(&flat).unwrap();
    let notice = path.join("new").join(RUN.name()).join("ncsc/b.jsonl");
    let whole = fs::read(&notice).unwrap();
    fs::write(&notice, "other\n").unwrap();
    let claims = Claims::open(&path).unwrap();
    let error = claims.take_flat(None, &flat).unwrap_err();
    assert!(matches!(&error, SpoolError::Damaged { path, .. } if *path == notice), "{error}");
    assert!(listing(&flat).is_empty(), "no copy is left, of the good one either");
    let now = status(&path).unwrap();
    assert_eq!((now.cur, now.failed), (0, 1));
    assert!(claims.take_flat(None, &flat).unwrap().is_none());
    // A person mends it and gives it to the next that asks.
    fs::write(&notice, whole).unwrap();
    fs::remove_dir(path.join("failed").join(format!("{}.ncsc", RUN.name()))).unwrap();
    assert!(claims.take_flat(None, &flat).unwrap().is_some());
    assert_eq!(listing(&flat).len(), 2);
}

#[test]
fn mailers_make_no_spool() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("spool");
    assert!(matches!(Claims::open(&path), Err(SpoolError::NoSpool { .. })));
    assert!(matches!(status(&path), Err(SpoolError::NoSpool { .. })));
    assert!(matches!(verify(&path), Err(SpoolError::NoSpool { .. })));
    fs::create_dir(&path).unwrap();
    assert!(matches!(Claims::open(&path), Err(SpoolError::NoSpool { .. })));
    assert!(listing(&path).is_empty());
}

#[test]
fn what_is_no_run_and_no_claim_is_not_counted() {
    let (scratch, path) = published(&RUN);
    let before = status(&path).unwrap();
    for part in ["new", "cur", "done", "failed", "held"] {
        fs::create_dir(path.join(part).join("lost+found")).unwrap();
        fs::create_dir(path.join(part).join(".hidden")).unwrap();
        fs::write(path.join(part).join("partner-0123456789abcdef"), "a file").unwrap();
        symlink(scratch.path(), path.join(part).join("partner-0123456789abcdee.ncsc")).unwrap();
    }
    assert_eq!(status(&path).unwrap(), before);
    assert!(take(&path).is_some() && take(&path).is_some() && take(&path).is_none());
}

#[test]
fn the_counts_in_json_have_fixed_keys() {
    let (_scratch, path) = published(&RUN);
    let json = serde_json::to_string(&status(&path).unwrap()).unwrap();
    assert_eq!(json, r#"{"new":1,"cur":0,"done":0,"failed":0,"held":1,"tmp":0}"#);
}

// ---- verification ----

/// Damages a published spool, and expects exactly these problems: path in the spool, part of the reason.
fn check_damage(damage: impl Fn(&Path), wanted: &[(&str, &str)]) {
    let (_scratch, path) = published(&RUN);
    let clean = verify(&path).unwrap();
    assert_eq!((clean.is_clean(), clean.notices, clean.held, clean.lines), (true, 3, 2, 9));
    damage(&path);
    let found = verify(&path).unwrap();
    let name = |text: &str| path.join(text.replace("RUN", &RUN.name()));
    let paths: Vec<_> = found.problems.iter().map(|problem| problem.path.clone()).collect();
    let wanted_paths: Vec<_> = wanted.iter().map(|(path, _)| name(path)).collect();
    assert_eq!(paths, wanted_paths, "{found:#?}");
    for (problem, (_, reason)) in found.problems.iter().zip(wanted) {
        assert!(problem.reason.contains(reason), "{problem} should say {reason}");
    }
    assert_eq!(found.problems_count, wanted.len() as u64);
}

#[test]
fn verification_names_every_file_that_is_not_as_it_was_published() {
    let run = RUN.name();
    let at = |path: &Path, name: &str| path.join(name.replace("RUN", &run));
    let school = "new/RUN/ncsc/school.jsonl";
    let content = b"{\"owner\":\"school\",\"number\":0}\n{\"owner\":\"school\",\"number\":1}\n";

    check_damage(|_| (), &[]);
    check_damage(|path| fs::remove_file(at(path, school)).unwrap(), &[(school, "missing")]);
    check_damage(|path| fs::write(at(path, school), "").unwrap(), &[(school, "0 bytes, 60 in the manifest")]);
    let mut flipped = content.to_vec();
    flipped[5] ^= 1;
    check_damage(|path| fs::write(at(path, school), &flipped).unwrap(), &[(school, "hash")]);
    let mut joined = content.to_vec();
    joined[29] = b' ';
    check_damage(
        |path| fs::write(at(path, school), &joined).unwrap(),
        &[(school, "1 lines, 2 in the manifest")],
    );
    let link = |path: &Path| {
        fs::rename(at(path, school), path.join("elsewhere")).unwrap();
        symlink(path.join("elsewhere"), at(path, school)).unwrap();
    };
    check_damage(link, &[(school, "not a regular file")]);
    let fifo = |path: &Path| {
        fs::remove_file(at(path, school)).unwrap();
        assert!(Command::new("mkfifo").arg(at(path, school)).status().unwrap().success());
    };
    check_damage(fifo, &[(school, "not a regular file")]);
    let more = "new/RUN/ncsc/more.jsonl";
    check_damage(|path| fs::write(at(path, more), "").unwrap(), &[(more, "does not name it")]);
    let other = "new/RUN/other";
    check_damage(|path| fs::create_dir(at(path, other)).unwrap(), &[(other, "does not name it")]);
    check_damage(|path| fs::write(at(path, other), "").unwrap(), &[(other, "does not name it")]);
    check_damage(|path| fs::remove_dir_all(at(path, "new/RUN/dtc")).unwrap(), &[("new/RUN/dtc", "missing")]);
    check_damage(|path| fs::write(path.join("new/file"), "").unwrap(), &[("new/file", "no run")]);
}

#[test]
fn verification_names_what_is_wrong_with_manifests() {
    let run = RUN.name();
    let manifest = "new/RUN/manifest.json";
    let sender = "new/RUN/ncsc/manifest.json";
    let at = |path: &Path, name: &str| path.join(name.replace("RUN", &run));
    let edit = |path: &Path, from: &str, to: &str| {
        let text = fs::read_to_string(path).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(path, text.replacen(from, to, 1)).unwrap();
    };
    check_damage(|path| fs::remove_file(at(path, manifest)).unwrap(), &[(manifest, "missing")]);
    check_damage(
        |path| fs::write(at(path, manifest), "{\"version\":1}").unwrap(),
        &[(manifest, "no manifest")],
    );
    check_damage(|path| fs::write(at(path, manifest), b"\xff").unwrap(), &[(manifest, "no manifest")]);
    let feed = |path: &Path| edit(&at(path, manifest), "\"feed\": \"partner\"", "\"feed\": \"other\"");
    check_damage(feed, &[(manifest, "another run's")]);
    check_damage(|path| fs::remove_file(at(path, sender)).unwrap(), &[(sender, "missing")]);
    let contact = |path: &Path| edit(&at(path, sender), "cert@school.example", "thief@example.com");
    check_damage(contact, &[(sender, "something else")]);
    // A name that would lead out of the run.
    let escape =
        |path: &Path| edit(&at(path, manifest), "\"owner_id\": \"school\"", "\"owner_id\": \"../school\"");
    check_damage(escape, &[(manifest, "`../school` is no owner_id")]);
}

#[test]
fn verification_looks_at_what_is_held() {
    let run = RUN.name();
    let at = |path: &Path, name: &str| path.join(name.replace("RUN", &run));
    let cloud = "held/RUN/csirt-dsp/cloud.jsonl";
    check_damage(|path| fs::write(at(path, cloud), "{}\n").unwrap(), &[(cloud, "bytes")]);
    check_damage(|path| fs::remove_file(at(path, cloud)).unwrap(), &[(cloud, "missing")]);
    check_damage(|path| fs::remove_dir_all(at(path, "held/RUN")).unwrap(), &[("held/RUN", "missing")]);
    let more = "held/RUN/manifest.json";
    check_damage(|path| fs::write(at(path, more), "").unwrap(), &[(more, "does not name it")]);
    // Without a commit it does not count, and is recovery's.
    check_damage(|path| fs::create_dir(path.join("held/partner-0123456789abcdef")).unwrap(), &[]);
}

#[test]
fn held_lines_of_a_run_that_held_none_are_named() {
    let (_scratch, path) = published(&Run { held: &[], ..RUN });
    let extra = path.join("held").join(RUN.name()).join("ncsc");
    fs::create_dir_all(&extra).unwrap();
    let found = verify(&path).unwrap();
    assert_eq!(found.problems.iter().map(|problem| &problem.path).collect::<Vec<_>>(), [&extra]);
}

// ---- how much waits ----

#[test]
fn a_survey_tells_what_waits_and_since_when_and_forgets_what_was_taken() {
    let (_scratch, path, spool) = spool();
    let mut survey = Survey::new(&path);
    let empty = survey.look().unwrap();
    assert_eq!((empty.unclaimed, empty.held), (Waiting::default(), Waiting::default()));
    assert_eq!(empty.status, Status::default());
    assert!(empty.disk_available_bytes > 0 && empty.disk_available_bytes <= empty.disk_bytes);
    RUN.publish(&spool).unwrap();
    let second = Run { content: "another", held: &[], ..RUN };
    second.publish(&spool).unwrap();
    // An uncommitted one counts for nothing.
    fs::create_dir_all(path.join("held/partner-0123456789abcdef/ncsc")).unwrap();
    fs::write(path.join("held/partner-0123456789abcdef/ncsc/school.jsonl"), "{}\n").unwrap();
    let sizes = |pattern: &str| -> u64 {
        let files =
            listing(&path).into_iter().filter(|name| name.starts_with(pattern) && name.ends_with(".jsonl"));
        files.map(|name| fs::metadata(path.join(name)).unwrap().len()).sum()
    };
    let published =
        |run: &Run<'_>| fs::metadata(path.join("new").join(run.name()).join("manifest.json")).unwrap();
    let oldest = published(&RUN).mtime().min(published(&second).mtime());
    let now = survey.look().unwrap();
    assert_eq!(now.unclaimed, Waiting { count: 4, bytes: sizes("new/"), oldest: Some(oldest) });
    assert_eq!(now.status, status(&path).unwrap());
    assert_eq!((now.held.count, now.held.bytes), (1, sizes(&format!("held/{}", RUN.name()))));
    assert_eq!(survey.look().unwrap(), Depths { disk_available_bytes: now.disk_available_bytes, ..now });

    let claims = Claims::open(&path).unwrap();
    let [first, second] = [0, 1].map(|_| claims.take(None).unwrap().unwrap().name);
    claims.acknowledge(first.as_str(), Acknowledgement::Done).unwrap();
    claims.acknowledge(second.as_str(), Acknowledgement::Failed).unwrap();
    claims.take(None).unwrap().unwrap();
    let later = survey.look().unwrap();
    assert_eq!((later.unclaimed.count, later.status), (1, status(&path).unwrap()));
    assert!(later.unclaimed.bytes < now.unclaimed.bytes);
}

#[test]
fn a_survey_of_no_spool_says_so() {
    let scratch = scratch();
    let looked = Survey::new(&scratch.path().join("missing")).look();
    assert!(matches!(looked, Err(SpoolError::NoSpool { .. })), "{looked:?}");
}
