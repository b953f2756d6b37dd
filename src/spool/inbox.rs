//! The inbox: where dumps arrive, are worked on, and end. Every move is one rename, made durable before what follows it.
//!
//! ```text
//! inbox/<feed>/FILE              arriving, or waiting; written by whoever brings dumps
//! work/<feed>/<tries>/FILE       ours: `tries` have begun, 1 while the first is under way
//! done/<feed>/FILE               its run is published
//! failed/<feed>/FILE             it cannot be processed, and FILE.reason says why
//! …/FILE.toml                    beside it, wherever it is: the report on it, if it has one
//! ```
//!
//! The four lie beside each other on one file system. The count of tries is the name of the directory that a file is in: taking
//! a file and counting its first try are one rename, and so is each later try. Whatever kills the process, the count is
//! that of the tries that began, and [`Inbox::left`] finds the file with it.
//!
//! What is promised:
//! 1. A file is in exactly one of the four, wherever we are stopped.
//! 2. A try is counted, durably, before it begins; [`Inbox::give_back`] takes back one that was not the file's fault.
//! 3. Nothing in `done` or `failed` is ever replaced: a name that is taken becomes FILE.2, FILE.3 and so on.
//! 4. One process works at a time: a lock on `work` refuses a second.
//! 5. No link is followed, and nothing is opened here: a file that is no file is moved as it is.
//! 6. A dump is never in `work` without the report that it was taken with.
//!
//! Two renames are not one. A report is taken first, into `work/<feed>/0`, then its dump, then the report goes to where the dump
//! is; when they leave `work`, the dump goes first. So a report without its dump in `work` tells what was interrupted: in `0` the
//! taking, and it goes back; elsewhere the leaving, and it follows its dump ([`Inbox::left`]). In the feed [`ONCE`] no dump is
//! taken without a report.
//!
//! That a file ends in `done` is not made durable by itself: what a power failure takes back is found in `work` and processed
//! again, and the spool knows its run.

use super::directory::Directory;
use super::error::SpoolError;
use super::layout::{check_joined, create_root};
use super::names::FeedName;
use rustix::fs::{FileType, Mode, Stat};
use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

const WORK: &str = "work";
pub(super) const DONE: &str = "done";
pub(super) const FAILED: &str = "failed";

/// The feed of lists that came once, each with a report.
pub const ONCE: &str = "once";

/// What a report's name has after its dump's.
const REPORT: &str = ".toml";

/// Ours; the group may look.
const OURS: Mode = Mode::from_raw_mode(0o2750);
/// The group may bring dumps.
const DROPPED_INTO: Mode = Mode::from_raw_mode(0o2770);
const REASON_MODE: Mode = Mode::from_raw_mode(0o640);

/// Longest name that file systems take, bytes; a longer one with its suffix is cut.
const NAME_BYTES_MAX: usize = 255;
/// Room for `.reason` and a number.
const SUFFIX_BYTES_MAX: usize = 16;
/// Files of one name in `done` or `failed`; with more, something else is wrong.
const NAMESAKES_MAX: u32 = 1_000_000;

/// The four directories, open.
#[derive(Debug)]
pub struct Inbox {
    inbox: Directory,
    work: Directory,
    done: Directory,
    failed: Directory,
}

/// Something in a feed's directory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Arrival {
    /// Its name.
    pub name: OsString,
    /// What it is.
    pub kind: ArrivalKind,
    /// Equal stamps: nobody wrote to it or moved it in between.
    pub stamp: ArrivalStamp,
}

/// What arrived.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ArrivalKind {
    /// A regular file of one name.
    File,
    /// A regular file that has other names too.
    Linked,
    /// A directory.
    Directory,
    /// A link, a pipe, a socket or a device.
    Other,
}

/// Size and times of what arrived.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ArrivalStamp {
    /// Bytes.
    pub bytes: u64,
    /// When it was written, as its writer says: seconds and nanoseconds since 1970.
    pub modified: (i64, i64),
    /// When the system last changed it; a rename counts.
    pub changed: (i64, i64),
    inode: u64,
}

impl ArrivalStamp {
    /// Whether it says the same of the content; mode, owner and name may have changed.
    pub fn is_of_same_content(&self, other: &Self) -> bool {
        Self { changed: other.changed, ..*self } == *other
    }
}

/// Why nothing is taken from a feed's directory that cannot be listed.
pub const CLOSED: &str =
    "cannot be looked into (its owner or group must be dijkwacht's, and may do all: mode 2770)";

/// What stands in the inbox and is no feed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Stranger {
    /// Its path.
    pub path: PathBuf,
    /// Why nothing is taken from it, and the remedy.
    pub why: &'static str,
}

/// A file in `work`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WorkFile {
    /// Its feed.
    pub feed: FeedName,
    /// Its name.
    pub name: OsString,
    /// Tries that began.
    pub tries: u32,
    /// Where it is.
    pub path: PathBuf,
    /// Where the report on it is, if it was taken with one.
    pub report: Option<PathBuf>,
}

/// What the report on a dump is called.
pub fn report_name(dump: &OsStr) -> OsString {
    with_suffix(dump, REPORT)
}

/// The dump that a file of this name is the report on; `None`: it is no report.
pub fn dump_of_report(name: &OsStr) -> Option<&OsStr> {
    let dump = name.as_bytes().strip_suffix(REPORT.as_bytes())?;
    (!dump.is_empty()).then(|| OsStr::from_bytes(dump))
}

impl Inbox {
    /// Opens the inbox at `path` and the three beside it; makes what is missing.
    pub fn open(path: &Path) -> Result<Self, SpoolError> {
        let inbox = create_root(path)?;
        let beside = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let beside = create_root(beside)?;
        let open = |name| find_or_create(&beside, name, OURS);
        let inbox = Self { work: open(WORK)?, done: open(DONE)?, failed: open(FAILED)?, inbox };
        for directory in [&inbox.work, &inbox.done, &inbox.failed] {
            check_joined(directory, &inbox.inbox)?;
            directory.check_writable()?;
        }
        // For the life of the process: two would give each other's files back.
        if !inbox.work.try_lock()? {
            return Err(SpoolError::Locked { path: inbox.work.path().to_owned() });
        }
        beside.sync()?;
        Ok(inbox)
    }

    /// Where dumps arrive.
    pub fn path(&self) -> &Path {
        self.inbox.path()
    }

    /// Makes a feed's directory if it is missing.
    pub fn create_feed(&self, feed: &FeedName) -> Result<(), SpoolError> {
        find_or_create(&self.inbox, feed.as_str(), DROPPED_INTO).map(|_| ())
    }

    /// The feeds that have a directory, and what else stands there.
    pub fn feeds(&self) -> Result<(Vec<FeedName>, Vec<Stranger>), SpoolError> {
        let (mut feeds, mut strangers) = (Vec::new(), Vec::new());
        for entry in self.inbox.entries()? {
            let feed = entry.name.to_str().and_then(|name| FeedName::read(name).ok());
            match (feed, entry.is_directory) {
                (Some(feed), true) => match self.is_joined(&feed) {
                    Ok(true) => feeds.push(feed),
                    Ok(false) => strangers
                        .push(self.stranger(&entry.name, "on another file system (keep the inbox on one)")),
                    Err(_) => strangers.push(self.stranger(&entry.name, CLOSED)),
                },
                (None, true) => strangers.push(self.stranger(
                    &entry.name,
                    "no feed's name: [a-z0-9][a-z0-9_-]{0,63} (rename the directory)",
                )),
                (_, false) if is_on_its_way(&entry.name) => {}
                (_, false) => strangers.push(
                    self.stranger(&entry.name, "belongs to no feed (move it into a directory of the inbox)"),
                ),
            }
        }
        Ok((feeds, strangers))
    }

    fn is_joined(&self, feed: &FeedName) -> Result<bool, SpoolError> {
        match self.inbox.find(feed.as_str())? {
            Some(directory) => Ok(directory.file_system()? == self.inbox.file_system()?),
            None => Ok(false),
        }
    }

    fn stranger(&self, name: &OsStr, why: &'static str) -> Stranger {
        Stranger { path: self.inbox.path().join(name), why }
    }

    /// All that is in a feed's directory and is not still on its way.
    pub fn list(&self, feed: &FeedName) -> Result<Vec<Arrival>, SpoolError> {
        let Some(directory) = self.inbox.find(feed.as_str())? else { return Ok(Vec::new()) };
        let mut arrivals = Vec::new();
        for entry in directory.entries()?.into_iter().filter(|entry| !is_on_its_way(&entry.name)) {
            // Moved away between the listing and now if it is gone.
            if let Some(stat) = directory.stat(&entry.name)? {
                arrivals.push(Arrival::new(entry.name, &stat));
            }
        }
        Ok(arrivals)
    }

    /// One of them; `None` if it is gone, or still on its way.
    pub fn look(&self, feed: &FeedName, name: &OsStr) -> Result<Option<Arrival>, SpoolError> {
        if is_on_its_way(name) {
            return Ok(None);
        }
        let Some(directory) = self.inbox.find(feed.as_str())? else { return Ok(None) };
        Ok(directory.stat(name)?.map(|stat| Arrival::new(name.to_owned(), &stat)))
    }

    /// Takes a file to work on, with the report beside it, which counts its first try; `None` if it is gone, or is a list that
    /// needs a report and has none.
    pub fn take(&self, feed: &FeedName, name: &OsStr) -> Result<Option<WorkFile>, SpoolError> {
        let Some(from) = self.inbox.find(feed.as_str())? else { return Ok(None) };
        let report = report_name(name);
        let has_report = name.len() + REPORT.len() <= NAME_BYTES_MAX && from.holds(&report)?;
        if !from.holds(name)? || (feed.as_str() == ONCE && !has_report) {
            return Ok(None);
        }
        let (to, waiting) = (self.work_directory(feed, 1)?, self.work_directory(feed, 0)?);
        if has_report {
            move_file(&from, &report, &waiting, &report)?;
        }
        move_file(&from, name, &to, name)?;
        if has_report {
            move_file(&waiting, &report, &to, &report)?;
        }
        Ok(Some(work_file(&to, feed, name, 1, has_report)))
    }

    /// What is in `work`: all that a process left that is no more. Reports are put where they belong.
    pub fn left(&self) -> Result<Vec<WorkFile>, SpoolError> {
        let (mut left, reports): (Vec<WorkFile>, Vec<WorkFile>) =
            self.files_left()?.into_iter().partition(|file| dump_of_report(&file.name).is_none());
        for report in reports {
            let is_on = |dump: &&mut WorkFile| {
                dump.feed == report.feed && dump_of_report(&report.name) == Some(&dump.name)
            };
            match left.iter_mut().find(is_on) {
                Some(dump) => dump.report = Some(self.join(&report, dump)?),
                None if report.tries == 0 => self.send_back(&report)?,
                None => self.let_follow(&report)?,
            }
        }
        Ok(left)
    }

    /// Puts a report beside its dump; returns where it is now.
    fn join(&self, report: &WorkFile, dump: &WorkFile) -> Result<PathBuf, SpoolError> {
        let to = self.work_directory(&dump.feed, dump.tries)?;
        if report.tries != dump.tries {
            let from = self.work_directory(&report.feed, report.tries)?;
            move_file(&from, &report.name, &to, &report.name)?;
        }
        Ok(to.path().join(&report.name))
    }

    /// A report whose dump was not taken goes back beside it. If another came there since, that one counts.
    fn send_back(&self, report: &WorkFile) -> Result<(), SpoolError> {
        let back = find_or_create(&self.inbox, report.feed.as_str(), DROPPED_INTO)?;
        if back.holds(&report.name)? {
            return self.fail(report, "another report on this dump arrived before it was taken\n").map(drop);
        }
        let from = self.work_directory(&report.feed, report.tries)?;
        move_file(&from, &report.name, &back, &report.name)
    }

    /// A report whose dump has left `work` goes after it: to the last of that name that has none.
    fn let_follow(&self, report: &WorkFile) -> Result<(), SpoolError> {
        let from = self.work_directory(&report.feed, report.tries)?;
        let dump = dump_of_report(&report.name).unwrap_or(&report.name);
        let mut last: Option<((i64, i64), &Directory, OsString)> = None;
        for place in [&self.done, &self.failed] {
            let to = find_or_create(place, report.feed.as_str(), OURS)?;
            for name in namesakes(dump) {
                let Some(stat) = to.stat(&name)? else { break };
                let changed = (stat.st_ctime, stat.st_ctime_nsec as i64);
                let is_last = last.as_ref().is_none_or(|(before, ..)| *before <= changed);
                if is_last && !to.holds(report_name(&name))? {
                    last = Some((changed, place, name));
                }
            }
        }
        let (place, name) = match &last {
            Some((_, place, name)) => (*place, report_name(name)),
            None => (&self.failed, report.name.clone()),
        };
        let to = find_or_create(place, report.feed.as_str(), OURS)?;
        let name = free_name(&to, &name, &[""])?;
        move_file(&from, &report.name, &to, &name)
    }

    fn files_left(&self) -> Result<Vec<WorkFile>, SpoolError> {
        let mut left = Vec::new();
        for feed in directories(&self.work)?.iter().filter_map(|name| FeedName::read(name).ok()) {
            let of_feed = self.work.open(feed.as_str())?;
            for tries in directories(&of_feed)?.iter().filter_map(|name| name.parse().ok()) {
                let directory = of_feed.open(tries_name(tries))?;
                let files = directory.entries()?.into_iter().filter(|entry| !entry.is_directory);
                left.extend(files.map(|entry| work_file(&directory, &feed, &entry.name, tries, false)));
            }
        }
        Ok(left)
    }

    /// Counts another try.
    pub fn count_try(&self, file: &WorkFile) -> Result<WorkFile, SpoolError> {
        self.set_tries(file, file.tries + 1)
    }

    /// Takes a try back: it was not the file's fault that it failed.
    pub fn give_back(&self, file: &WorkFile) -> Result<WorkFile, SpoolError> {
        self.set_tries(file, file.tries.saturating_sub(1))
    }

    fn set_tries(&self, file: &WorkFile, tries: u32) -> Result<WorkFile, SpoolError> {
        let (from, to) =
            (self.work_directory(&file.feed, file.tries)?, self.work_directory(&file.feed, tries)?);
        move_file(&from, &file.name, &to, &file.name)?;
        if file.report.is_some() {
            let report = report_name(&file.name);
            move_file(&from, &report, &to, &report)?;
        }
        Ok(work_file(&to, &file.feed, &file.name, tries, file.report.is_some()))
    }

    /// Puts a file away whose run is published; returns where it is now.
    pub fn finish(&self, file: &WorkFile) -> Result<PathBuf, SpoolError> {
        let from = self.work_directory(&file.feed, file.tries)?;
        let to = find_or_create(&self.done, file.feed.as_str(), OURS)?;
        let name = free_name(&to, &file.name, &["", REPORT])?;
        if file.report.is_none() {
            from.rename_new(&file.name, &to, &name)?;
            return Ok(to.path().join(name));
        }
        move_file(&from, &file.name, &to, &name)?;
        move_file(&from, &report_name(&file.name), &to, &report_name(&name))?;
        Ok(to.path().join(name))
    }

    /// Puts a file away that cannot be processed, and why; returns where it is now.
    pub fn fail(&self, file: &WorkFile, reason: &str) -> Result<PathBuf, SpoolError> {
        let from = self.work_directory(&file.feed, file.tries)?;
        let to = find_or_create(&self.failed, file.feed.as_str(), OURS)?;
        let name = free_name(&to, &file.name, &["", REASON, REPORT])?;
        // The reason first: a file in `failed` has one. Of one without a file the next try tells more.
        write_reason(&to, &with_suffix(&name, REASON), reason)?;
        move_file(&from, &file.name, &to, &name)?;
        if file.report.is_some() {
            move_file(&from, &report_name(&file.name), &to, &report_name(&name))?;
        }
        Ok(to.path().join(name))
    }

    fn work_directory(&self, feed: &FeedName, tries: u32) -> Result<Directory, SpoolError> {
        let of_feed = find_or_create(&self.work, feed.as_str(), OURS)?;
        find_or_create(&of_feed, &tries_name(tries), OURS)
    }
}

const REASON: &str = ".reason";

impl Arrival {
    fn new(name: OsString, stat: &Stat) -> Self {
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile if stat.st_nlink == 1 => ArrivalKind::File,
            FileType::RegularFile => ArrivalKind::Linked,
            FileType::Directory => ArrivalKind::Directory,
            _ => ArrivalKind::Other,
        };
        let stamp = ArrivalStamp {
            bytes: stat.st_size as u64,
            modified: (stat.st_mtime, stat.st_mtime_nsec as i64),
            changed: (stat.st_ctime, stat.st_ctime_nsec as i64),
            inode: stat.st_ino,
        };
        Self { name, kind, stamp }
    }
}

/// Whether a name says that its file is not there yet: hidden, or with the ending that an upload program gives it.
pub fn is_on_its_way(name: &OsStr) -> bool {
    let name = name.as_bytes();
    name.starts_with(b".") || [&b".tmp"[..], b".part", b".filepart"].iter().any(|end| name.ends_with(end))
}

fn tries_name(tries: u32) -> String {
    tries.to_string()
}

fn work_file(directory: &Directory, feed: &FeedName, name: &OsStr, tries: u32, has_report: bool) -> WorkFile {
    let report = has_report.then(|| directory.path().join(report_name(name)));
    WorkFile { feed: feed.clone(), name: name.to_owned(), tries, path: directory.path().join(name), report }
}

fn directories(directory: &Directory) -> Result<Vec<String>, SpoolError> {
    let found = directory.entries()?.into_iter().filter(|entry| entry.is_directory);
    Ok(found.filter_map(|entry| entry.name.into_string().ok()).collect())
}

fn find_or_create(directory: &Directory, name: &str, mode: Mode) -> Result<Directory, SpoolError> {
    if let Some(found) = directory.find(name)? {
        return Ok(found);
    }
    let made = directory.create(name, mode, None)?;
    directory.sync()?;
    Ok(made)
}

/// Moves a file, durably: first where it is to be found, then where it was.
fn move_file(from: &Directory, name: &OsStr, to: &Directory, new_name: &OsStr) -> Result<(), SpoolError> {
    from.rename_new(name, to, new_name)?;
    to.sync()?;
    from.sync()
}

fn write_reason(directory: &Directory, name: &OsStr, reason: &str) -> Result<(), SpoolError> {
    let failed = |error| SpoolError::system("write", directory.path().join(name), error);
    let mut file = directory.create_file(name, REASON_MODE)?;
    file.write_all(reason.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)
}

/// The first of FILE, FILE.2, FILE.3 … that, with each of the endings, is nobody's name.
fn free_name(directory: &Directory, name: &OsStr, endings: &[&str]) -> Result<OsString, SpoolError> {
    'names: for candidate in namesakes(name) {
        for ending in endings {
            if directory.holds(with_suffix(&candidate, ending))? {
                continue 'names;
            }
        }
        return Ok(candidate);
    }
    let reason = format!("more than {NAMESAKES_MAX} files have this name");
    Err(SpoolError::damaged(directory.path().join(name), reason))
}

/// FILE, FILE.2, FILE.3 …, with room for an ending.
fn namesakes(name: &OsStr) -> impl Iterator<Item = OsString> {
    let stem = OsStr::from_bytes(&name.as_bytes()[..name.len().min(NAME_BYTES_MAX - SUFFIX_BYTES_MAX)]);
    (1..=NAMESAKES_MAX).map(move |number| {
        let suffix = if number == 1 { String::new() } else { format!(".{number}") };
        with_suffix(stem, &suffix)
    })
}

fn with_suffix(name: &OsStr, suffix: &str) -> OsString {
    OsString::from_vec([name.as_bytes(), suffix.as_bytes()].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    struct Place {
        directory: tempfile::TempDir,
        inbox: Inbox,
    }

    impl Place {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let inbox = Inbox::open(&directory.path().join("inbox")).unwrap();
            let place = Self { directory, inbox };
            place.inbox.create_feed(&feed()).unwrap();
            place
        }

        fn drop_file(&self, name: impl AsRef<OsStr>, text: &str) {
            fs::write(self.path("inbox/f").join(name.as_ref()), text).unwrap();
        }

        fn path(&self, path: &str) -> PathBuf {
            self.directory.path().join(path)
        }

        fn take(&self, name: impl AsRef<OsStr>) -> WorkFile {
            self.inbox.take(&feed(), name.as_ref()).unwrap().unwrap()
        }
    }

    fn feed() -> FeedName {
        FeedName::read("f").unwrap()
    }

    #[test]
    fn names_that_are_not_there_yet() {
        for name in [".a", ".", "a.tmp", "a.part", "a.filepart", "a.csv.tmp"] {
            assert!(is_on_its_way(OsStr::new(name)), "{name}");
        }
        for name in ["a", "a.csv", "tmp", "a.tmp.csv", "part", "a.TMP", "a.parts"] {
            assert!(!is_on_its_way(OsStr::new(name)), "{name}");
        }
    }

    #[test]
    fn a_try_is_counted_by_the_rename_that_begins_it() {
        let place = Place::new();
        place.drop_file("a.csv", "1");
        let file = place.take("a.csv");
        assert_eq!((file.tries, place.path("work/f/1/a.csv").is_file()), (1, true));
        let file = place.inbox.count_try(&file).unwrap();
        assert_eq!(place.inbox.left().unwrap(), std::slice::from_ref(&file));
        assert_eq!(file.tries, 2);
        let file = place.inbox.give_back(&file).unwrap();
        let file = place.inbox.give_back(&file).unwrap();
        assert_eq!((file.tries, place.path("work/f/0/a.csv").is_file()), (0, true));
        assert_eq!(place.inbox.take(&feed(), OsStr::new("a.csv")).unwrap(), None);
    }

    #[test]
    fn nothing_that_has_ended_is_replaced() {
        let place = Place::new();
        for text in ["1", "2", "3"] {
            place.drop_file("a.csv", text);
            place.inbox.finish(&place.take("a.csv")).unwrap();
            place.drop_file("a.csv", text);
            place.inbox.fail(&place.take("a.csv"), "because").unwrap();
        }
        for (name, text) in [("a.csv", "1"), ("a.csv.2", "2"), ("a.csv.3", "3")] {
            assert_eq!(fs::read_to_string(place.path("done/f").join(name)).unwrap(), text);
            assert_eq!(fs::read_to_string(place.path("failed/f").join(name)).unwrap(), text);
            let reason = place.path("failed/f").join(format!("{name}.reason"));
            assert_eq!(fs::read_to_string(reason).unwrap(), "because");
        }
    }

    #[test]
    fn a_dump_that_is_called_as_a_reason_is_not_overwritten() {
        let place = Place::new();
        place.drop_file("a.reason", "a dump");
        place.inbox.fail(&place.take("a.reason"), "1").unwrap();
        place.drop_file("a", "another");
        place.inbox.fail(&place.take("a"), "2").unwrap();
        assert_eq!(fs::read_to_string(place.path("failed/f/a.reason")).unwrap(), "a dump");
        assert_eq!(fs::read_to_string(place.path("failed/f/a.2.reason")).unwrap(), "2");
    }

    #[test]
    fn the_longest_names_have_room_for_a_reason() {
        let place = Place::new();
        let name = "n".repeat(NAME_BYTES_MAX);
        for _ in 0..2 {
            place.drop_file(&name, "1");
            place.inbox.fail(&place.take(&name), "because").unwrap();
        }
        assert_eq!(fs::read_dir(place.path("failed/f")).unwrap().count(), 4);
    }

    #[test]
    fn what_is_no_file_is_told_and_moved_as_it_is() {
        let place = Place::new();
        place.drop_file("file", "");
        fs::hard_link(place.path("inbox/f/file"), place.path("elsewhere")).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", place.path("inbox/f/link")).unwrap();
        fs::create_dir(place.path("inbox/f/directory")).unwrap();
        let kinds: Vec<_> =
            place.inbox.list(&feed()).unwrap().into_iter().map(|arrival| arrival.kind).collect();
        assert_eq!(kinds, [ArrivalKind::Directory, ArrivalKind::Linked, ArrivalKind::Other]);
        place.inbox.fail(&place.take("link"), "a link").unwrap();
        assert!(place.path("failed/f/link").is_symlink());
    }

    #[test]
    fn what_is_no_feed_is_named() {
        let place = Place::new();
        fs::create_dir(place.path("inbox/Upper")).unwrap();
        fs::create_dir(place.path("inbox/.hidden")).unwrap();
        fs::write(place.path("inbox/loose.csv"), "").unwrap();
        let (feeds, strangers) = place.inbox.feeds().unwrap();
        assert_eq!(feeds, [feed()]);
        let names: Vec<_> = strangers.iter().map(|s| s.path.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names, [".hidden", "Upper", "loose.csv"]);
    }

    /// Where a report and its dump can be when the process ends, one rename after the other.
    #[test]
    fn wherever_the_taking_or_leaving_ends_a_dump_keeps_its_report() {
        let (dump, report) = ("a.csv", "a.csv.toml");
        // (dump, report) to (tries of the dump that is left, where its report is then; or where a lone report is).
        for (dump_in, report_in, left, report_then) in [
            ("inbox/f", "inbox/f", None, "inbox/f/a.csv.toml"),
            // Taking.
            ("inbox/f", "work/f/0", None, "inbox/f/a.csv.toml"),
            ("work/f/1", "work/f/0", Some(1), "work/f/1/a.csv.toml"),
            ("work/f/1", "work/f/1", Some(1), "work/f/1/a.csv.toml"),
            // Another try, and a try taken back.
            ("work/f/2", "work/f/1", Some(2), "work/f/2/a.csv.toml"),
            ("work/f/0", "work/f/1", Some(0), "work/f/0/a.csv.toml"),
            ("work/f/0", "work/f/0", Some(0), "work/f/0/a.csv.toml"),
            // Leaving.
            ("done/f", "work/f/1", None, "done/f/a.csv.toml"),
            ("failed/f", "work/f/3", None, "failed/f/a.csv.toml"),
            ("done/f", "done/f", None, "done/f/a.csv.toml"),
        ] {
            let place = Place::new();
            for (directory, name) in [(dump_in, dump), (report_in, report)] {
                fs::create_dir_all(place.path(directory)).unwrap();
                fs::write(place.path(directory).join(name), name).unwrap();
            }
            for _ in 0..2 {
                let found = place.inbox.left().unwrap();
                assert_eq!(found.first().map(|file| file.tries), left, "{dump_in} {report_in}");
                assert_eq!(fs::read_to_string(place.path(report_then)).unwrap(), report);
                if let Some(file) = found.first() {
                    assert_eq!(file.report.as_deref(), Some(&*place.path(report_then)));
                }
            }
            assert_eq!(files(&place), 2, "{dump_in} {report_in}");
        }
    }

    /// Files anywhere in the four directories.
    fn files(place: &Place) -> usize {
        fn count(directory: &Path) -> usize {
            let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
            entries.map(|path| if path.is_dir() { count(&path) } else { 1 }).sum()
        }
        count(place.directory.path())
    }

    #[test]
    fn a_report_goes_with_its_dump_through_every_place_and_nothing_is_replaced() {
        let place = Place::new();
        for (number, done) in [(1, "a.csv"), (2, "a.csv.2")] {
            place.drop_file("a.csv.toml", &format!("report {number}"));
            place.drop_file("a.csv", &format!("dump {number}"));
            let file = place.take("a.csv");
            assert_eq!(file.report, Some(place.path("work/f/1/a.csv.toml")));
            let file = place.inbox.count_try(&file).unwrap();
            let file = place.inbox.give_back(&file).unwrap();
            assert!(file.report.as_ref().unwrap().is_file());
            let ended = match number {
                1 => place.inbox.finish(&file).unwrap(),
                _ => {
                    fs::write(place.path("done/f/a.csv.2.toml"), "nobody's").unwrap();
                    place.inbox.finish(&file).unwrap()
                }
            };
            let expected = if number == 2 { "a.csv.3" } else { done };
            assert_eq!(ended, place.path("done/f").join(expected));
            let text = fs::read_to_string(place.path(&format!("done/f/{expected}.toml"))).unwrap();
            assert_eq!(text, format!("report {number}"));
        }
        place.drop_file("b.csv.toml", "report");
        place.drop_file("b.csv", "dump");
        place.inbox.fail(&place.take("b.csv"), "because").unwrap();
        for name in ["b.csv", "b.csv.toml", "b.csv.reason"] {
            assert!(place.path("failed/f").join(name).is_file(), "{name}");
        }
    }

    #[test]
    fn of_two_reports_on_a_dump_that_was_not_taken_the_newer_counts() {
        let place = Place::new();
        fs::create_dir_all(place.path("work/f/0")).unwrap();
        fs::write(place.path("work/f/0/a.csv.toml"), "old").unwrap();
        place.drop_file("a.csv.toml", "new");
        assert_eq!(place.inbox.left().unwrap(), []);
        assert_eq!(fs::read_to_string(place.path("inbox/f/a.csv.toml")).unwrap(), "new");
        assert_eq!(fs::read_to_string(place.path("failed/f/a.csv.toml")).unwrap(), "old");
    }

    #[test]
    fn in_once_nothing_is_taken_without_a_report_and_elsewhere_the_longest_names_are() {
        let place = Place::new();
        let once = FeedName::read(ONCE).unwrap();
        place.inbox.create_feed(&once).unwrap();
        fs::write(place.path("inbox/once/a.csv"), "dump").unwrap();
        assert_eq!(place.inbox.take(&once, OsStr::new("a.csv")).unwrap(), None);
        assert!(place.path("inbox/once/a.csv").is_file());
        fs::write(place.path("inbox/once/a.csv.toml"), "report").unwrap();
        assert!(place.inbox.take(&once, OsStr::new("a.csv")).unwrap().unwrap().report.is_some());
        let longest = "n".repeat(NAME_BYTES_MAX);
        place.drop_file(&longest, "1");
        place.inbox.finish(&place.take(&longest)).unwrap();
        assert_eq!(dump_of_report(OsStr::new(".toml")), None);
        assert_eq!(dump_of_report(OsStr::new("a.toml")), Some(OsStr::new("a")));
    }
}
