//! The spool's directories: made, checked, locked.

use super::directory::{Directory, try_lock};
use super::error::SpoolError;
use super::manifest::{self, Earlier, EarlierCounts, EarlierFuse, MANIFEST_FILE, PublishedCounts};
use super::names::{ContentHash, RunName, Sender};
use crate::moment::Moment;
use crate::policy::Blown;
use rustix::fs::{Gid, Mode};
use rustix::io::Errno;
use serde::Deserialize;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(super) const TMP: &str = "tmp";
pub(super) const NEW: &str = "new";
pub(super) const HELD: &str = "held";
pub(super) const CUR: &str = "cur";
pub(super) const DONE: &str = "done";
pub(super) const FAILED: &str = "failed";
pub(super) const RUNS: &str = "runs";

/// Ours alone.
pub(super) const PRIVATE: Mode = Mode::from_raw_mode(0o700);
/// Read by mailers; what is made inside has the directory's group.
pub(super) const PUBLISHED: Mode = Mode::from_raw_mode(0o2750);
/// Written by mailers, who cannot remove each other's claims.
const SHARED: Mode = Mode::from_raw_mode(0o3770);
/// The spool itself: mailers pass through it.
const ROOT: Mode = Mode::from_raw_mode(0o750);

/// All directories of the layout and their modes, in the order they are made.
const LAYOUT: [(&str, Mode); 7] = [
    (TMP, PRIVATE),
    (NEW, PUBLISHED),
    (HELD, PRIVATE),
    (RUNS, PRIVATE),
    (CUR, SHARED),
    (DONE, SHARED),
    (FAILED, SHARED),
];

const LOCK: &str = "lock";
/// A directory of the layout until it has its mode.
pub(super) const MAKING: &str = ".making";
/// Tries whether renaming works here; under the lock, so one name is enough.
const PROBE: &str = ".probe";
const PROBED: &str = ".probed";

/// How long the lock is waited for. A commit takes milliseconds; recovery of a large stage, or a disk that is slow to sync,
/// takes seconds.
const LOCK_WAIT_SECONDS_MAX: u64 = 60;
const LOCK_PAUSE: Duration = Duration::from_millis(5);
/// A wait of this many pauses is told: a second.
const LOCK_TRIES_SILENT: u64 = 1000 / LOCK_PAUSE.as_millis() as u64;

/// What an operator may choose about a spool.
#[derive(Clone, Default, Debug)]
pub struct SpoolOptions {
    /// The group, by name or number, that a sender's directories are given to; others have the group of `new`.
    pub groups: BTreeMap<Sender, String>,
    /// Called once when the lock is waited for longer than a second, with its path and how long it will be at most.
    pub waits: Option<fn(&Path, Duration)>,
}

/// A spool to publish in: all directories of the layout, open, each checked once.
///
/// Several processes and threads may use one spool at once. For mailers there is [`Claims`](super::Claims), which needs far
/// fewer rights.
#[derive(Debug)]
pub struct Spool {
    pub(super) root: Directory,
    pub(super) tmp: Directory,
    pub(super) new: Directory,
    pub(super) held: Directory,
    pub(super) runs: Directory,
    groups: BTreeMap<Sender, Gid>,
    waits: Option<fn(&Path, Duration)>,
}

/// The spool's lock, until it is dropped.
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "held for its life")] OwnedFd);

impl Spool {
    /// Opens the spool at `path`; makes what is missing of it, the spool itself and its parents included.
    ///
    /// Checks what would otherwise fail at the end of a long run: that a rename can join `tmp` to `new`, that this file
    /// system renames without replacing, that we may write, that the groups exist and are ours to give.
    pub fn open(path: &Path, options: &SpoolOptions) -> Result<Self, SpoolError> {
        let groups = find_groups(&options.groups)?;
        let root = create_root(path)?;
        let lock = lock(&root, options.waits)?;
        create_layout(&root)?;
        let [tmp, new, held, runs, cur, done, failed] =
            [TMP, NEW, HELD, RUNS, CUR, DONE, FAILED].map(|name| root.open(name));
        let spool =
            Self { tmp: tmp?, new: new?, held: held?, runs: runs?, groups, waits: options.waits, root };
        for directory in [&spool.tmp, &spool.held] {
            check_joined(directory, &spool.new)?;
        }
        let cur = cur?;
        for directory in [&done?, &failed?] {
            check_joined(directory, &cur)?;
        }
        for directory in [&spool.tmp, &spool.new, &spool.held, &spool.runs] {
            directory.check_writable()?;
        }
        spool.probe()?;
        drop(lock);
        Ok(spool)
    }

    /// Where the spool is.
    pub fn path(&self) -> &Path {
        self.root.path()
    }

    /// When a run of this name was published, if it was. Another content under the same name is an error.
    ///
    /// A cheap look before the work. The commit looks again, under the lock.
    pub fn find_published(&self, run: &RunName, content: &ContentHash) -> Result<Option<Moment>, SpoolError> {
        let (earlier, path) = match self.find_in_new(run)? {
            Some((earlier, path)) => (Some(earlier), path),
            None => {
                let name = retired_file(run.as_str());
                (manifest::find::<Earlier>(&self.runs, &name)?, self.runs.path().join(name))
            }
        };
        match earlier {
            Some((earlier, published)) if earlier.dump.blake3 == *content => Ok(Some(published)),
            Some(_) => Err(SpoolError::OtherContent { run: run.to_string(), path }),
            None => Ok(None),
        }
    }

    /// What a run that was published says it published; `None` where its manifest does not tell.
    pub fn published_counts(&self, run: &RunName) -> Option<PublishedCounts> {
        self.published::<EarlierCounts>(run).map(|earlier| earlier.counts)
    }

    /// The limit beyond which a run that was published is held.
    pub fn published_fuse(&self, run: &RunName) -> Option<Blown> {
        self.published::<EarlierFuse>(run)?.fuse
    }

    fn published<M: for<'m> Deserialize<'m>>(&self, run: &RunName) -> Option<M> {
        let found = match self.new.find(run.as_str()).ok()? {
            Some(directory) => manifest::find::<M>(&directory, MANIFEST_FILE),
            None => manifest::find::<M>(&self.runs, &retired_file(run.as_str())),
        };
        found.ok()?.map(|(earlier, _)| earlier)
    }

    fn find_in_new(&self, run: &RunName) -> Result<Option<Found>, SpoolError> {
        let Some(directory) = self.new.find(run.as_str())? else { return Ok(None) };
        let path = directory.path().join(MANIFEST_FILE);
        match manifest::find::<Earlier>(&directory, MANIFEST_FILE)? {
            Some(earlier) => Ok(Some((earlier, path))),
            // Retired since we opened it.
            None if !self.new.holds(run.as_str())? => Ok(None),
            None => Err(SpoolError::damaged(&path, "the run has no manifest")),
        }
    }

    /// Takes the spool's lock: around a commit, around recovery, and around making a stage.
    pub(super) fn lock(&self) -> Result<Lock, SpoolError> {
        lock(&self.root, self.waits)
    }

    /// The group of its own that a sender's directories get.
    pub(super) fn group_of(&self, sender: &Sender) -> Option<Gid> {
        self.groups.get(sender).copied()
    }

    /// Removes what a crash left while the layout was made. Under the lock.
    pub(super) fn remove_making(&self) -> Result<(), SpoolError> {
        self.root.remove_tree(MAKING)
    }

    /// Tries what a commit needs, in `tmp`: a rename without replacing, and giving directories to groups.
    fn probe(&self) -> Result<(), SpoolError> {
        self.tmp.remove_tree(PROBE)?;
        self.tmp.remove_tree(PROBED)?;
        let probe = self.tmp.create(PROBE, PRIVATE, None)?;
        for group in self.groups.values() {
            probe.give_to(*group)?;
        }
        self.tmp.rename_new(PROBE, &self.tmp, PROBED)?;
        self.tmp.remove_directory(PROBED)
    }
}

/// The file in `runs` that remembers a retired run. It is the run's manifest, moved, so that its mtime still tells when the
/// run was published.
pub(super) fn retired_file(run: &str) -> String {
    format!("{run}.json")
}

/// The file in `runs` that lists what of a run is Dutch and nobody's. It counts while the run is in `new`.
pub(super) fn residual_file(run: &str) -> String {
    format!("{run}{RESIDUAL_SUFFIX}")
}

/// What a [`residual_file`]'s name ends in.
pub(super) const RESIDUAL_SUFFIX: &str = ".residual.jsonl";

pub(super) fn create_root(path: &Path) -> Result<Directory, SpoolError> {
    let create = |errno: Errno| SpoolError::create(path, errno);
    if let Some(root) = Directory::find_path(path).map_err(create)? {
        return Ok(root);
    }
    create_path(path, Mode::from_raw_mode(0o750))?;
    let root = Directory::find_path(path).map_err(create)?.ok_or_else(|| create(Errno::NOENT))?;
    root.set_mode(ROOT)?;
    Ok(root)
}

/// Makes a directory and those above it, each durable in the one above.
fn create_path(path: &Path, mode: Mode) -> Result<(), SpoolError> {
    let create = |errno: Errno| SpoolError::create(path, errno);
    let above = match path.parent() {
        Some(above) if above.as_os_str().is_empty() => PathBuf::from("."),
        Some(above) => above.to_owned(),
        None => return Ok(()),
    };
    let above = match Directory::find_path(&above).map_err(create)? {
        Some(above) => above,
        None => {
            create_path(&above, Mode::from_raw_mode(0o755))?;
            Directory::find_path(&above).map_err(create)?.ok_or_else(|| create(Errno::NOENT))?
        }
    };
    match rustix::fs::mkdir(path, mode) {
        Ok(()) => above.sync(),
        // Another process was faster.
        Err(Errno::EXIST) => Ok(()),
        Err(errno) => Err(create(errno)),
    }
}

/// Makes the directories that are missing, each with its mode from the moment it can be seen. Under the lock.
///
/// What is there keeps its mode and group: these may be the operator's choice.
fn create_layout(root: &Directory) -> Result<(), SpoolError> {
    let mut made_one = false;
    for (name, mode) in LAYOUT {
        if root.holds(name)? {
            continue;
        }
        root.remove_tree(MAKING)?;
        root.create(MAKING, mode, None)?;
        root.rename_new(MAKING, root, name)?;
        made_one = true;
    }
    if made_one { root.sync() } else { Ok(()) }
}

pub(super) fn check_joined(directory: &Directory, other: &Directory) -> Result<(), SpoolError> {
    if directory.file_system()? == other.file_system()? {
        return Ok(());
    }
    Err(SpoolError::OtherFileSystem { path: directory.path().to_owned(), other: other.path().to_owned() })
}

/// Each lock is an open file of its own: the threads of one process exclude each other too.
fn lock(root: &Directory, waits: Option<fn(&Path, Duration)>) -> Result<Lock, SpoolError> {
    let file = root.lock_file(LOCK)?;
    let path = root.path().join(LOCK);
    let tries = Cell::new(0);
    wait_for(&path, || {
        if let (LOCK_TRIES_SILENT, Some(tell)) = (tries.get(), waits) {
            tell(&path, Duration::from_secs(LOCK_WAIT_SECONDS_MAX));
        }
        tries.set(tries.get() + 1);
        try_lock(&file).map_err(|errno| SpoolError::system("lock", &path, errno))
    })?;
    Ok(Lock(file))
}

/// Tries to lock until it is ours.
pub(super) fn wait_for(
    path: &Path,
    try_lock: impl Fn() -> Result<bool, SpoolError>,
) -> Result<(), SpoolError> {
    let tries_max = LOCK_WAIT_SECONDS_MAX * 1000 / LOCK_PAUSE.as_millis() as u64;
    for _ in 0..tries_max {
        if try_lock()? {
            return Ok(());
        }
        std::thread::sleep(LOCK_PAUSE);
    }
    Err(SpoolError::Locked { path: path.to_owned() })
}

const GROUPS: &str = "/etc/group";
/// To chown(2) this number means: leave it.
const GROUP_NONE: u32 = u32::MAX;

/// An earlier manifest, when it was written, and where it stands.
type Found = ((Earlier, Moment), PathBuf);

/// Whether every group is there; the spool itself is not looked at.
pub fn check_groups(groups: &BTreeMap<Sender, String>) -> Result<(), SpoolError> {
    find_groups(groups).map(|_| ())
}

/// Whether a spool that is there can be written in by this process; `false` if none is there. Makes and locks nothing.
pub fn check_writable(path: &Path) -> Result<bool, SpoolError> {
    let Some(root) = Directory::find_path(path).map_err(|errno| SpoolError::create(path, errno))? else {
        return Ok(false);
    };
    root.check_writable()?;
    for name in [TMP, NEW, HELD, RUNS] {
        if let Some(directory) = root.find(name)? {
            directory.check_writable()?;
        }
    }
    Ok(true)
}

/// Groups by name from `/etc/group`; those of other services (LDAP) are given by number.
fn find_groups(wanted: &BTreeMap<Sender, String>) -> Result<BTreeMap<Sender, Gid>, SpoolError> {
    if wanted.is_empty() {
        return Ok(BTreeMap::new());
    }
    let known = std::fs::read(GROUPS).map_err(|error| SpoolError::system("read", GROUPS, error))?;
    let find = |(sender, group): (&Sender, &String)| {
        let number = group.parse().ok().or_else(|| group_number(&known, group));
        let unknown = || SpoolError::UnknownGroup { sender: sender.to_string(), group: group.clone() };
        let number = number.filter(|&number| number != GROUP_NONE);
        number.map(|number| (sender.clone(), Gid::from_raw(number))).ok_or_else(unknown)
    };
    wanted.iter().map(find).collect()
}

/// The number of a group in the text of group(5): `name:password:number:members`.
fn group_number(groups: &[u8], name: &str) -> Option<u32> {
    groups.split(|&byte| byte == b'\n').find_map(|line| {
        let mut fields = line.split(|&byte| byte == b':');
        let is_wanted = fields.next() == Some(name.as_bytes());
        let number = fields.nth(1).filter(|_| is_wanted)?;
        std::str::from_utf8(number).ok()?.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_found_by_its_whole_name_only() {
        let groups = b"root:x:0:\nmail:x:8:\nmail-ncsc:x:1001:a,b\nodd\n:x:9:\nbad:x:many:\n";
        for (name, number) in [
            ("root", Some(0)),
            ("mail", Some(8)),
            ("mail-ncsc", Some(1001)),
            ("mail-", None),
            ("odd", None),
            ("bad", None),
            ("a", None),
        ] {
            assert_eq!(group_number(groups, name), number, "{name}");
        }
    }
}
