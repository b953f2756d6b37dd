//! Claims: how a mailer takes notices and acknowledges them.
//!
//! A claim is a directory `cur/<run>.<sender>`. Who makes it (mkdir fails if it exists) has the notices in
//! `new/<run>/<sender>`, which stay where they are and are only read. When all are sent, the claim is renamed to `done`, or
//! else to `failed`. In between, a mailer that must not send twice notes each notice in the claim: `<owner_id>.sent` or
//! `<owner_id>.failed`. What is in none of `cur`, `done` and `failed` is unclaimed; removing a claim from `failed` gives the
//! notices to the next that asks.
//!
//! No program is needed for this. In a shell, with `claim=$run.$sender`:
//!
//! ```sh
//! mkdir "cur/$claim" || continue                                        # another mailer has it
//! [ -e "done/$claim" ] || [ -e "failed/$claim" ] && { rmdir "cur/$claim"; continue; }  # or had it
//! for notice in new/"$run"/"$sender"/*.jsonl; do
//!     owner=$(basename "$notice" .jsonl)
//!     [ -e "cur/$claim/$owner.sent" ] || send "$notice" && touch "cur/$claim/$owner.sent"
//! done
//! mv -T "cur/$claim" "done/$claim"
//! ```
//!
//! The second look is needed: between our look into `done` and our mkdir, another may have finished. Where senders have groups
//! of their own, the claim is given to that group, so that no other sender's mailer sees who is noted in it:
//! `chgrp --reference="new/$run/$sender" "cur/$claim"` after the mkdir.
//!
//! This needs no more than a mailer's rights: to read `new` and to write in `cur`, `done` and `failed`.

use super::directory::Directory;
use super::error::SpoolError;
use super::layout::{CUR, DONE, FAILED, NEW};
use super::manifest::{self, MANIFEST_FILE, SenderManifest, SenderNotice};
use super::names::{ClaimName, ContentHash, RunName, Sender, notice_file};
use rustix::fs::{Gid, Mode};
use rustix::io::Errno;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// Mode of a copy in a flat directory. Its group is that of the directory if that has the setgid bit.
const FLAT_MODE: Mode = Mode::from_raw_mode(0o640);
/// Bytes copied at once.
const COPY_BYTES: usize = 256 * 1024;

/// A spool as a mailer sees it.
#[derive(Debug)]
pub struct Claims {
    new: Directory,
    cur: Directory,
    done: Directory,
    failed: Directory,
}

/// Notices that are ours to send.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Claim {
    /// By this name it is acknowledged.
    pub name: ClaimName,
    /// Where the notices are: `new/<run>/<sender>`.
    pub directory: PathBuf,
}

/// How a claim is acknowledged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Acknowledgement {
    /// All notices were sent.
    Done,
    /// Not all; a person looks.
    Failed,
}

impl Claims {
    /// Opens the spool at `path`, which must be there: mailers make none.
    pub fn open(path: &Path) -> Result<Self, SpoolError> {
        let root = open_root(path)?;
        let open = |name| root.find(name)?.ok_or_else(|| SpoolError::NoSpool { path: path.join(name) });
        Ok(Self { new: open(NEW)?, cur: open(CUR)?, done: open(DONE)?, failed: open(FAILED)? })
    }

    /// Claims the oldest notices that nobody has, of one sender or of any; `None` if there are none.
    ///
    /// Oldest is by the time the run was written, then by name. A sender's directory that we may not read is another
    /// mailer's: it is passed over, unless it was asked for.
    pub fn take(&self, sender: Option<&Sender>) -> Result<Option<Claim>, SpoolError> {
        let taken = self.taken()?;
        for run in self.runs_by_age()? {
            for found in self.senders(&run, sender)? {
                let name = ClaimName::new(&run, &found);
                if taken.contains(name.as_str()) || !self.claim(&name)? {
                    continue;
                }
                let directory = self.new.path().join(run.as_str()).join(found.as_str());
                return Ok(Some(Claim { name, directory }));
            }
        }
        Ok(None)
    }

    /// As [`Claims::take`], and copies the notices into one flat directory, as `<run>.<sender>.<owner_id>.jsonl`.
    ///
    /// For readers of one directory, such as IntelMQ's file collector. Each copy is checked against the manifest, is
    /// durable, and appears whole. If copying fails, the claim is given back, or is a failed one if a notice is damaged. A reader may already have taken some of the
    /// copies when renaming fails half-way: then the claim stays, for a person to look at.
    pub fn take_flat(&self, sender: Option<&Sender>, into: &Path) -> Result<Option<Claim>, SpoolError> {
        let flat = match Directory::find_path(into) {
            Ok(Some(flat)) => flat,
            Ok(None) | Err(Errno::NOTDIR) => {
                return Err(SpoolError::NoFlatDirectory { path: into.to_owned() });
            }
            Err(errno) => return Err(SpoolError::system("open", into, errno)),
        };
        let Some(claim) = self.take(sender)? else { return Ok(None) };
        let copies = match self.copy(&claim, &flat) {
            Ok(copies) => copies,
            Err(error) => {
                // What is damaged stays so: given back, it would be in the way of all that came later.
                match error {
                    SpoolError::Damaged { .. } => {
                        self.acknowledge(claim.name.as_str(), Acknowledgement::Failed)?
                    }
                    _ => self.give_back(&claim)?,
                }
                return Err(error);
            }
        };
        for copy in &copies {
            flat.rename(&unfinished(copy), &flat, copy)?;
        }
        flat.sync()?;
        Ok(Some(claim))
    }

    /// Takes back a claim that was just made, and of which nothing was sent: the next that asks has it.
    pub fn give_back(&self, claim: &Claim) -> Result<(), SpoolError> {
        self.cur.remove_directory(claim.name.as_str())?;
        self.cur.sync()
    }

    /// Acknowledges a claim by its name.
    pub fn acknowledge(&self, claim: &str, how: Acknowledgement) -> Result<(), SpoolError> {
        let not_claimed =
            || SpoolError::NotClaimed { claim: claim.to_owned(), path: self.cur.path().join(claim) };
        let name = ClaimName::read(claim).map_err(|_| not_claimed())?;
        let to = match how {
            Acknowledgement::Done => &self.done,
            Acknowledgement::Failed => &self.failed,
        };
        if !self.cur.holds(name.as_str())? {
            return Err(not_claimed());
        }
        self.cur.rename_new(name.as_str(), to, name.as_str())?;
        to.sync()?;
        self.cur.sync()
    }

    /// Makes the claim, durably; `false` if another has or had it.
    fn claim(&self, name: &ClaimName) -> Result<bool, SpoolError> {
        if !self.cur.claim(name.as_str())? {
            return Ok(false);
        }
        // Between our listings and now, another may have claimed and acknowledged it.
        if self.done.holds(name.as_str())? || self.failed.holds(name.as_str())? {
            self.cur.remove_directory(name.as_str())?;
            return Ok(false);
        }
        self.close_to_other_senders(name);
        self.cur.sync()?;
        Ok(true)
    }

    /// Gives the claim to its sender's group: the owners that a mailer notes in it are its sender's business only. We are a
    /// member of that group, since we read the notices by it; where we are not, somebody else sees to who reads what.
    fn close_to_other_senders(&self, name: &ClaimName) {
        let group_of = |directory: &Directory| directory.own_stat().map(|stat| Gid::from_raw(stat.st_gid));
        let sender = self.new.open(name.run().as_str()).and_then(|run| run.open(name.sender().as_str()));
        if let (Ok(group), Ok(claim)) =
            (sender.and_then(|sender| group_of(&sender)), self.cur.open(name.as_str()))
            && group_of(&claim).is_ok_and(|found| found != group)
        {
            let _ = claim.give_to(group);
        }
    }

    /// Names of all claims, whatever became of them.
    fn taken(&self) -> Result<BTreeSet<String>, SpoolError> {
        let mut taken = BTreeSet::new();
        for directory in [&self.cur, &self.done, &self.failed] {
            let names = directory.entries()?.into_iter().map(|entry| entry.name);
            taken.extend(names.filter_map(|name| name.into_string().ok()));
        }
        Ok(taken)
    }

    fn runs_by_age(&self) -> Result<Vec<RunName>, SpoolError> {
        let mut runs = Vec::new();
        for run in runs_in(&self.new)? {
            // Retired between the listing and now if it is gone.
            if let Some(stat) = self.new.stat(run.as_str())? {
                runs.push(((stat.st_mtime, stat.st_mtime_nsec), run));
            }
        }
        runs.sort_unstable();
        Ok(runs.into_iter().map(|(_, run)| run).collect())
    }

    /// The senders of a run whose notices may be claimed: all, or the one that is asked for.
    fn senders(&self, run: &RunName, only: Option<&Sender>) -> Result<Vec<Sender>, SpoolError> {
        let Some(directory) = self.new.find(run.as_str())? else { return Ok(Vec::new()) };
        if let Some(sender) = only {
            let found = directory.find(sender.as_str())?;
            return Ok(found.map(|_| sender.clone()).into_iter().collect());
        }
        let mut senders = senders_in(&directory)?;
        senders.retain(|sender| !matches!(directory.find(sender.as_str()), Err(SpoolError::Refused { .. })));
        Ok(senders)
    }

    /// Copies all notices of a claim under unfinished names, durably, or none; returns the names they are to have.
    fn copy(&self, claim: &Claim, flat: &Directory) -> Result<Vec<String>, SpoolError> {
        let directory = self.new.open(claim.name.run().as_str())?.open(claim.name.sender().as_str())?;
        let missing = || SpoolError::damaged(directory.path().join(MANIFEST_FILE), "the manifest is gone");
        let (manifest, _) =
            manifest::find::<SenderManifest>(&directory, MANIFEST_FILE)?.ok_or_else(missing)?;
        let mut copies = Vec::with_capacity(manifest.notices.len());
        for notice in &manifest.notices {
            let result = notice_file(&notice.owner_id).map_err(SpoolError::from).and_then(|file_name| {
                copies.push(format!("{}.{file_name}", claim.name));
                copy_notice(&directory, notice, &file_name, flat, &copies[copies.len() - 1])
            });
            if let Err(error) = result {
                for copy in &copies {
                    let _ = flat.remove_file(unfinished(copy));
                }
                return Err(error);
            }
        }
        Ok(copies)
    }
}

/// The name of a copy until it is whole: hidden, and not ending in `.jsonl`, so that no reader picks it up.
fn unfinished(copy: &str) -> String {
    format!(".{copy}.part")
}

fn copy_notice(
    directory: &Directory,
    notice: &SenderNotice,
    file_name: &str,
    flat: &Directory,
    copy: &str,
) -> Result<(), SpoolError> {
    let damaged = |reason| SpoolError::damaged(directory.path().join(file_name), reason);
    let from = directory.find_file(file_name)?.ok_or_else(|| damaged("it is gone"))?;
    let unfinished = unfinished(copy);
    // Of an earlier attempt that was killed.
    flat.remove_file(&unfinished)?;
    let to = flat.create_file(&unfinished, FLAT_MODE)?;
    let hash = copy_and_sync(from, to)
        .map_err(|error| SpoolError::system("copy to", flat.path().join(&unfinished), error))?;
    if hash == notice.blake3 { Ok(()) } else { Err(damaged("its hash is not the manifest's")) }
}

fn copy_and_sync(mut from: File, mut to: File) -> io::Result<ContentHash> {
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; COPY_BYTES];
    loop {
        let block = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => &buffer[..read],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        hasher.update(block);
        to.write_all(block)?;
    }
    to.sync_all()?;
    Ok(hasher.finalize().into())
}

/// Opens a spool that must be there.
pub(super) fn open_root(path: &Path) -> Result<Directory, SpoolError> {
    match Directory::find_path(path) {
        Ok(Some(root)) => Ok(root),
        Ok(None) | Err(Errno::NOTDIR) => Err(SpoolError::NoSpool { path: path.to_owned() }),
        Err(errno) => Err(SpoolError::system("open", path, errno)),
    }
}

/// The entries of `directory` that are runs.
pub(super) fn runs_in(directory: &Directory) -> Result<Vec<RunName>, SpoolError> {
    directories_in(directory, |name| RunName::read(name).ok())
}

/// The entries of a run's directory that are senders.
pub(super) fn senders_in(run: &Directory) -> Result<Vec<Sender>, SpoolError> {
    directories_in(run, |name| Sender::read(name).ok())
}

/// The entries that are directories with a name of one kind; what else stands there is nobody's.
pub(super) fn directories_in<N>(
    directory: &Directory,
    read: impl Fn(&str) -> Option<N>,
) -> Result<Vec<N>, SpoolError> {
    let directories = directory.entries()?.into_iter().filter(|entry| entry.is_directory);
    Ok(directories.filter_map(|entry| name_of(entry.name, &read)).collect())
}

fn name_of<N>(name: OsString, read: impl Fn(&str) -> Option<N>) -> Option<N> {
    read(name.to_str()?)
}
