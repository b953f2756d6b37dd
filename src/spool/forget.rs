//! Forgetting: what the spool holds for an owner or about an address goes, on a person's word; that something went is counted.
//!
//! ```text
//!  1  forgetting.json appears by one rename, durable          THE INTENT: from here on it is done, whatever happens
//!     then for each run, under the lock on what it holds:
//!  2  tmp/forget.<run> is made: the run without what goes; what stays is linked, not copied; durable
//!  3  under the spool's lock: tmp/forget.<run> ⇄ new/<run>    one exchange: a mailer sees the one or the other, both whole
//!  4  held/<run>: files that go are removed, others replaced  the manifest of 3 tells what must be there
//!     for each retired run:
//!  5  runs/<run>.json is replaced, and before it, of any run, runs/<run>.residual.jsonl
//!  6  notes of mailers about the owner's notices are removed from their claims, where we may
//!  7  forgetting.json is removed                              done
//! ```
//!
//! Stopped anywhere, the intent says what is left to do, and [`Spool::recover`] does it: each step finds by itself whether it is done,
//! and a tombstone counts what the manifest lost, so that none is counted twice. What was never begun has no intent.
//!
//! Not forgotten here: dumps, indexes, the register, archives of mailers. Alert ids stay in decisions: they are hashes.

use super::claim::{directories_in, open_root, runs_in};
use super::directory::Directory;
use super::error::SpoolError;
use super::held::{decided, retired_in};
use super::layout::{CUR, DONE, FAILED, PRIVATE, PUBLISHED, Spool, residual_file, retired_file, wait_for};
use super::manifest::{self, MANIFEST_FILE, Manifest, NoticeFacts, Tombstone, Word};
use super::names::{ClaimName, RunName, Sender, notice_file};
use super::trace::Sought;
use crate::alert::Told;
use crate::moment::Moment;
use crate::net::{Address, Prefix, Range};
use rustix::fs::{Gid, Mode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::path::Path;

/// What is to be done, until it is.
pub(super) const INTENT: &str = "forgetting.json";
/// An intent larger than this is none.
const INTENT_BYTES_MAX: u64 = 1 << 20;
const INTENT_MODE: Mode = Mode::from_raw_mode(0o600);
const NOTICE_MODE: Mode = Mode::from_raw_mode(0o640);

/// What is to be forgotten.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Forget {
    /// All that is for this owner.
    Owner(String),
    /// All that is about this address.
    Address(Address),
    /// All that is about addresses of this prefix, or prefixes in it.
    Prefix(Prefix),
}

/// The intent as it is written.
#[derive(Serialize, Deserialize)]
struct Intent {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    at: String,
    #[serde(flatten)]
    word: Word,
}

/// What was forgotten.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Forgotten {
    /// Runs that something was forgotten of.
    pub runs: u64,
    /// Files that are gone.
    pub notices: u64,
    /// Lines of notices that are gone.
    pub alerts: u64,
    /// Lines that were held and are gone.
    pub held: u64,
    /// Notes of mailers that only they can remove.
    pub notes_left: u64,
}

impl Intent {
    fn sought(&self) -> Option<Sought> {
        match (&self.owner, &self.address) {
            (Some(owner), None) => Some(Sought::Owner(owner.clone())),
            (None, Some(address)) => match Sought::read(address) {
                sought @ (Sought::Address(_) | Sought::Prefix(_)) => Some(sought),
                Sought::Owner(_) | Sought::Alert(_) | Sought::Reference(_) => None,
            },
            _ => None,
        }
    }
}

impl Spool {
    /// Forgets, wholly: also what an earlier call was interrupted at. Says what went, counted by what manifests lost.
    pub fn forget(&self, what: &Forget, word: &Word, at: Moment) -> Result<Forgotten, SpoolError> {
        self.resume_forgetting()?;
        let (owner, address) = match what {
            Forget::Owner(owner) => (Some(owner.clone()), None),
            Forget::Address(address) => (None, Some(address.to_string())),
            Forget::Prefix(prefix) => (None, Some(prefix.to_string())),
        };
        let intent = Intent { owner, address, at: at.whole_seconds().id_text(), word: word.clone() };
        let text = serde_json::to_vec(&intent).expect("an intent is plain text");
        let lock = self.lock()?;
        let name = format!("forgetting.{}", std::process::id());
        self.tmp.remove_file(&name)?;
        write_durably(&self.tmp, &name, INTENT_MODE, &text, None)?;
        self.tmp.rename_new(&name, &self.root, INTENT)?;
        self.root.sync()?;
        drop(lock);
        self.resume_forgetting()
    }

    /// Does what an interrupted call left to do.
    pub(super) fn resume_forgetting(&self) -> Result<Forgotten, SpoolError> {
        let Some(mut file) = self.root.find_file(INTENT)? else { return Ok(Forgotten::default()) };
        let path = self.root.path().join(INTENT);
        // One at a time; who waits finds it done.
        let fd = std::os::fd::OwnedFd::from(
            file.try_clone().map_err(|error| SpoolError::system("open", &path, error))?,
        );
        wait_for(&path, || {
            super::directory::try_lock(&fd).map_err(|errno| SpoolError::system("lock", &path, errno))
        })?;
        if self.root.find_file(INTENT)?.is_none() {
            return Ok(Forgotten::default());
        }
        let mut text = Vec::new();
        Read::by_ref(&mut file)
            .take(INTENT_BYTES_MAX)
            .read_to_end(&mut text)
            .map_err(|error| SpoolError::system("read", &path, error))?;
        let intent: Intent = serde_json::from_slice(&text)
            .map_err(|error| SpoolError::damaged(&path, format!("no intent: {error}")))?;
        let sought =
            intent.sought().ok_or_else(|| SpoolError::damaged(&path, "it names nothing to forget"))?;
        let mut forgotten = Forgotten::default();
        let work = Forgetting { spool: self, sought: &sought, intent: &intent };
        let mut runs: BTreeSet<RunName> = runs_in(&self.new)?.into_iter().collect();
        runs.extend(runs_in(&self.held)?);
        for entry in self.held.entries()? {
            let decided = entry.name.to_str().and_then(|name| name.strip_suffix(super::held::DECIDED));
            runs.extend(decided.and_then(|name| RunName::read(name).ok()));
        }
        // A run that is retired meanwhile is found in the second round.
        for run in runs.into_iter().chain(retired_in(&self.runs)?) {
            work.forget_in(&run, &mut forgotten)?;
        }
        if let Sought::Owner(owner) = &sought {
            self.forget_notes(owner, &mut forgotten)?;
        }
        self.root.remove_file(INTENT)?;
        self.root.sync()?;
        Ok(forgotten)
    }

    /// Removes `<owner_id>.sent` and `.failed` from claims; what is another user's stays.
    fn forget_notes(&self, owner: &str, forgotten: &mut Forgotten) -> Result<(), SpoolError> {
        for place in [CUR, DONE, FAILED] {
            let claims = self.root.open(place)?;
            for name in directories_in(&claims, |name| ClaimName::read(name).ok())? {
                let Ok(Some(claim)) = claims.find(name.as_str()) else { continue };
                for note in [format!("{owner}.sent"), format!("{owner}.failed")] {
                    match claim.remove_file(&note) {
                        Ok(()) => {}
                        Err(SpoolError::Refused { .. }) => forgotten.notes_left += 1,
                        Err(error) => return Err(error),
                    }
                }
            }
        }
        Ok(())
    }
}

/// Whether a spool was left in the middle of forgetting.
pub(super) fn is_interrupted(path: &Path) -> Result<bool, SpoolError> {
    open_root(path)?.holds(INTENT)
}

struct Forgetting<'f> {
    spool: &'f Spool,
    sought: &'f Sought,
    intent: &'f Intent,
}

/// A file of lines without those that go.
struct Kept {
    facts: NoticeFacts,
    /// `None`: it stays as it is.
    content: Option<Vec<u8>>,
}

impl Forgetting<'_> {
    fn forget_in(&self, run: &RunName, forgotten: &mut Forgotten) -> Result<(), SpoolError> {
        let spool = self.spool;
        let held = match spool.held.find(run.as_str())? {
            Some(held) => Some(held),
            None => spool.held.find(decided(run))?,
        };
        if let Some(held) = &held {
            // Nobody decides about it meanwhile.
            wait_for(held.path(), || held.try_lock())?;
        }
        let tombstone = match spool.new.find(run.as_str())? {
            Some(directory) => self.exchange(run, &directory, held.as_ref())?,
            None => self.rewrite_retired(run, held.as_ref())?,
        };
        if let Some(tombstone) = tombstone {
            forgotten.runs += 1;
            forgotten.notices += tombstone.notices;
            forgotten.alerts += tombstone.alerts;
            forgotten.held += tombstone.held;
        }
        if let Some(held) = &held {
            self.forget_held(held)?;
        }
        drop(held);
        self.forget_residual(run)?;
        if spool.held.holds(run.as_str())? {
            // Sets it aside if nothing of it waits any more.
            spool.decide_on(run)?;
        }
        Ok(())
    }

    /// Takes what goes out of the list of what is nobody's: addresses, and what is said of an owner. How much was seen stays.
    fn forget_residual(&self, run: &RunName) -> Result<(), SpoolError> {
        let (runs, name) = (&self.spool.runs, residual_file(run.as_str()));
        let _lock = self.spool.lock()?;
        let Some(content) = read(runs, &name)? else { return Ok(()) };
        let lines = content.split_inclusive(|&byte| byte == b'\n');
        let kept: Vec<u8> = lines.flat_map(|line| residual_without(line, self.sought)).collect();
        if kept == content {
            return Ok(());
        }
        let made = format!("forget.{run}.residual");
        self.spool.tmp.remove_file(&made)?;
        write_durably(&self.spool.tmp, &made, INTENT_MODE, &kept, None)?;
        self.spool.tmp.rename(&made, runs, &name)?;
        runs.sync()
    }

    /// Puts the run without what goes in its place.
    fn exchange(
        &self,
        run: &RunName,
        directory: &Directory,
        held: Option<&Directory>,
    ) -> Result<Option<Tombstone>, SpoolError> {
        let spool = self.spool;
        let missing = || SpoolError::damaged(directory.path(), "the run has no manifest");
        let (mut manifest, published) =
            manifest::find::<Manifest>(directory, MANIFEST_FILE)?.ok_or_else(missing)?;
        let notices = self.keep(&manifest.notices, Some(directory))?;
        let Some(tombstone) = self.rewrite(&mut manifest, &notices, held)? else { return Ok(None) };
        let name = format!("forget.{run}");
        let lock = spool.lock()?;
        spool.tmp.remove_tree(&name)?;
        let made = spool.tmp.create(&name, PRIVATE, None)?;
        wait_for(made.path(), || made.try_lock())?;
        drop(lock);
        self.fill(&made, directory, &manifest, &notices, published)?;
        let lock = spool.lock()?;
        if spool.new.is_at(directory, run.as_str())? {
            spool.tmp.exchange(&name, &spool.new, run.as_str())?;
            spool.new.sync()?;
            drop(lock);
            spool.tmp.remove_tree(&name)?;
            return Ok(Some(tombstone));
        }
        // Retired meanwhile: it is in runs/ now.
        drop(lock);
        spool.tmp.remove_tree(&name)?;
        self.rewrite_retired(run, held)
    }

    /// Makes the new run's directories and files, durably.
    fn fill(
        &self,
        made: &Directory,
        old: &Directory,
        manifest: &Manifest,
        notices: &[Kept],
        published: Moment,
    ) -> Result<(), SpoolError> {
        let own = old.own_stat()?;
        for (sender, part) in manifest.senders()? {
            let from = old.open(sender.as_str())?;
            let group = Gid::from_raw(from.own_stat()?.st_gid);
            let to = made.create(sender.as_str(), PUBLISHED, Some(group))?;
            for Kept { facts, content } in notices.iter().filter(|kept| kept.facts.sender == sender) {
                let file = notice_file(&facts.owner_id)?;
                match content {
                    None => {
                        from.link_new(&file, &to, &file)?;
                    }
                    Some(content) => write_durably(&to, &file, NOTICE_MODE, content, None)?,
                }
            }
            write_durably(&to, MANIFEST_FILE, NOTICE_MODE, &manifest::to_bytes(&part), None)?;
            to.sync()?;
        }
        let bytes = manifest::to_bytes(manifest);
        write_durably(made, MANIFEST_FILE, INTENT_MODE, &bytes, Some(published))?;
        made.give_to(Gid::from_raw(own.st_gid))?;
        made.set_mode(PUBLISHED)?;
        made.set_modified(own.st_mtime, own.st_mtime_nsec as u32)?;
        made.sync()
    }

    /// The manifest of a retired run; its lines are gone already.
    fn rewrite_retired(
        &self,
        run: &RunName,
        held: Option<&Directory>,
    ) -> Result<Option<Tombstone>, SpoolError> {
        let (runs, file) = (&self.spool.runs, retired_file(run.as_str()));
        let lock = self.spool.lock()?;
        let Some((mut manifest, published)) = manifest::find::<Manifest>(runs, &file)? else {
            return Ok(None);
        };
        let notices = self.keep(&manifest.notices, None)?;
        let Some(tombstone) = self.rewrite(&mut manifest, &notices, held)? else { return Ok(None) };
        let name = format!("forget.{run}.json");
        self.spool.tmp.remove_tree(&name)?;
        let bytes = manifest::to_bytes(&manifest);
        write_durably(&self.spool.tmp, &name, INTENT_MODE, &bytes, Some(published))?;
        self.spool.tmp.rename(&name, runs, &file)?;
        runs.sync()?;
        drop(lock);
        Ok(Some(tombstone))
    }

    /// Takes out of a manifest what goes, and adds the tombstone; `None` if nothing of it goes.
    fn rewrite(
        &self,
        manifest: &mut Manifest,
        notices: &[Kept],
        held: Option<&Directory>,
    ) -> Result<Option<Tombstone>, SpoolError> {
        let held = self.keep(&manifest.held, held)?;
        let lines = |facts: &[NoticeFacts]| facts.iter().map(|facts| facts.lines).sum::<u64>();
        let kept = |kept: &[Kept]| kept.iter().map(|kept| kept.facts.lines).sum::<u64>();
        let tombstone = Tombstone {
            at: self.intent.at.clone(),
            word: self.intent.word.clone(),
            notices: (manifest.notices.len() - notices.len() + manifest.held.len() - held.len()) as u64,
            alerts: lines(&manifest.notices) - kept(notices),
            held: lines(&manifest.held) - kept(&held),
        };
        let names_owner = self.forget_in_correction(manifest) | self.forget_in_account(manifest);
        if (tombstone.alerts, tombstone.held) == (0, 0) && !names_owner {
            return Ok(None);
        }
        manifest.notices = notices.iter().map(|kept| kept.facts.clone()).collect();
        manifest.held = held.into_iter().map(|kept| kept.facts).collect();
        manifest.forgotten.push(tombstone.clone());
        Ok(Some(tombstone))
    }

    /// What a correction says of an owner; whether it said anything.
    fn forget_in_correction(&self, manifest: &mut Manifest) -> bool {
        let (Sought::Owner(owner), Some(correction)) = (self.sought, &mut manifest.correction) else {
            return false;
        };
        let is_it = |id: &String| id.eq_ignore_ascii_case(owner);
        let count = correction.owners.len();
        correction.owners.retain(|id| !is_it(id));
        let mut is_named = correction.owners.len() != count;
        for change in &mut correction.changes {
            for id in change.before.iter_mut().chain(&mut change.now).filter(|id| is_it(id)) {
                "forgotten".clone_into(id);
                is_named = true;
            }
        }
        is_named
    }

    /// What is counted of an owner; whether anything was.
    fn forget_in_account(&self, manifest: &mut Manifest) -> bool {
        let Sought::Owner(owner) = self.sought else { return false };
        let count = manifest.recipients.len();
        manifest.recipients.retain(|id, _| !id.eq_ignore_ascii_case(owner));
        manifest.recipients.len() != count
    }

    /// What stays of files. Without their directory only what is an owner's can be told.
    fn keep(&self, files: &[NoticeFacts], directory: Option<&Directory>) -> Result<Vec<Kept>, SpoolError> {
        let mut kept = Vec::with_capacity(files.len());
        for facts in files {
            if let Sought::Owner(_) = self.sought {
                if !self.sought.may_be_for(&facts.owner_id) {
                    kept.push(Kept { facts: facts.clone(), content: None });
                }
                continue;
            }
            let content =
                match directory.map(|directory| directory.find(facts.sender.as_str())).transpose()? {
                    Some(Some(part)) => read(&part, &facts.file()?)?,
                    _ => None,
                };
            match content.as_deref().map(|content| self.filter(content)) {
                Some(Some(content)) if content.is_empty() => {}
                Some(Some(content)) => {
                    let facts = NoticeFacts {
                        lines: super::tally::count_lines(&content),
                        bytes: content.len() as u64,
                        blake3: blake3::hash(&content).into(),
                        ..facts.clone()
                    };
                    kept.push(Kept { facts, content: Some(content) });
                }
                Some(None) | None => kept.push(Kept { facts: facts.clone(), content: None }),
            }
        }
        Ok(kept)
    }

    /// The lines that stay; `None` if all do.
    fn filter(&self, content: &[u8]) -> Option<Vec<u8>> {
        let goes = |line: &&[u8]| Told::read(line).is_some_and(|told| self.sought.is_meant(&told));
        let lines = || content.split_inclusive(|&byte| byte == b'\n');
        lines()
            .any(|line| goes(&line))
            .then(|| lines().filter(|line| !goes(line)).flatten().copied().collect())
    }

    /// Takes what goes out of a run's held files.
    fn forget_held(&self, held: &Directory) -> Result<(), SpoolError> {
        for sender in directories_in(held, |name| Sender::read(name).ok())? {
            let Some(part) = held.find(sender.as_str())? else { continue };
            let mut is_changed = false;
            for entry in part.entries()?.into_iter().filter(|entry| !entry.is_directory) {
                let Some(name) = entry.name.to_str() else { continue };
                let Some(owner_id) = name.strip_suffix(".jsonl") else { continue };
                if !self.sought.may_be_for(owner_id) {
                    continue;
                }
                let rest = match self.sought {
                    Sought::Owner(_) => Some(Vec::new()),
                    _ => read(&part, name)?.and_then(|content| self.filter(&content)),
                };
                match rest {
                    None => continue,
                    Some(rest) if rest.is_empty() => part.remove_file(name)?,
                    Some(rest) => {
                        let made = format!("forget.held.{}", std::process::id());
                        self.spool.tmp.remove_file(&made)?;
                        write_durably(&self.spool.tmp, &made, INTENT_MODE, &rest, None)?;
                        self.spool.tmp.rename(&made, &part, name)?;
                    }
                }
                is_changed = true;
            }
            if is_changed {
                part.sync()?;
            }
            if part.entries()?.is_empty() {
                held.remove_directory(sender.as_str())?;
                held.sync()?;
            }
        }
        Ok(())
    }
}

/// A line of what is nobody's without what goes; empty if nothing is left. One that cannot be read says nothing that may stay.
fn residual_without(line: &[u8], sought: &Sought) -> Vec<u8> {
    let range = match sought {
        Sought::Address(address) => Range::new(*address, *address),
        Sought::Prefix(prefix) => Some(prefix.range()),
        Sought::Owner(_) | Sought::Alert(_) | Sought::Reference(_) => None,
    };
    let goes = |text: &Value| match (range, sought, text.as_str()) {
        (Some(range), _, Some(text)) => Range::read(text.as_bytes()).is_ok_and(|it| range.contains(it)),
        (None, Sought::Owner(owner), Some(id)) => id.eq_ignore_ascii_case(owner),
        _ => false,
    };
    let Ok(Value::Object(mut said)) = serde_json::from_slice(line) else { return Vec::new() };
    let is_owner = range.is_none()
        && (said.get("desk").is_some_and(goes)
            || said.get("lapsed").and_then(Value::as_array).is_some_and(|ids| ids.iter().any(goes)));
    let names_any = |said: &Map<String, Value>| {
        said.get("addresses").and_then(Value::as_array).is_some_and(|addresses| addresses.iter().any(goes))
    };
    if is_owner {
        for key in ["desk", "lapsed", "abuse_contact", "asn", "netname"] {
            said.remove(key);
        }
    } else if range.is_some() && names_any(&said) {
        if let Some(Value::Array(addresses)) = said.get_mut("addresses") {
            addresses.retain(|address| !goes(address));
            if addresses.is_empty() {
                return Vec::new();
            }
        }
    } else {
        return line.to_vec();
    }
    let mut line = serde_json::to_vec(&said).unwrap_or_default();
    line.push(b'\n');
    line
}

fn read(directory: &Directory, name: &str) -> Result<Option<Vec<u8>>, SpoolError> {
    let Some(mut file) = directory.find_file(name)? else { return Ok(None) };
    let mut content = Vec::new();
    file.read_to_end(&mut content)
        .map_err(|error| SpoolError::system("read", directory.path().join(name), error))?;
    Ok(Some(content))
}

pub(super) fn write_durably(
    directory: &Directory,
    name: &str,
    mode: Mode,
    content: &[u8],
    modified: Option<Moment>,
) -> Result<(), SpoolError> {
    let path = || directory.path().join(name);
    let mut file = directory.create_file(name, mode)?;
    file.write_all(content).map_err(|error| SpoolError::system("write", path(), error))?;
    if let Some(modified) = modified {
        super::directory::set_modified(&file, modified.unix_seconds(), modified.subsecond_nanos())
            .map_err(|errno| SpoolError::system("set the time of", path(), errno))?;
    }
    file.sync_all().map_err(|error| SpoolError::system("make durable", path(), error))
}
