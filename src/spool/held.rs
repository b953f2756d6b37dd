//! What waits for a person, and what persons decided about it.
//!
//! ```text
//! held/<run>/<sender>/<owner_id>.jsonl   as the run was published; never edited
//! new/<run>+held-<n>/                    the n-th decision about it: a run of its own, whose manifest says which lines are
//!                                        released and which discarded, why and by whom; its notices are the released ones
//! runs/<run>+held-<n>.json               the same, once retired
//! held/<run>.decided/                    the whole of held/<run>, once nothing of it waits any more
//! ```
//!
//! What became of a held line is a pure function of these: it waits unless the manifest of a decision names its alert id. A
//! decision and the alerts that it releases are one run, and appear by one rename, as every run does. So there is no moment at
//! which the one is there without the other, and nothing to be recovered: a decision that was killed before its commit is a
//! stage without a lock, which recovery removes, and the lines wait; killed after it, it is done, and done again it finds
//! nothing that waits. The rename to `.decided` only saves others the reading; left out, the next decision or prune does it.
//!
//! Who decides about a run holds the lock on its directory in `held`, so that two persons do not decide about one line, and no
//! number is given twice. Publishers do not wait for it.

use super::claim::{open_root, runs_in};
use super::directory::Directory;
use super::error::SpoolError;
use super::layout::{HELD, NEW, RUNS, Spool, retired_file, wait_for};
use super::manifest::{self, Decision, MANIFEST_FILE, Manifest, NoticeFacts, Occasion, RunFacts, Word};
use super::names::{DECISIONS_MAX, RunName};
use super::publish::{Publication, StagedRun};
use crate::alert::{Sighting, Told};
use crate::moment::Moment;
use crate::policy::{Hold, Severity};
use rayon::prelude::*;
use serde_json::json;
use std::collections::{BTreeMap, HashMap};
use std::io::Read;
use std::ops::Range;
use std::path::Path;
use uuid::Uuid;

/// What follows a run's name in `held` once all of it is decided.
pub(super) const DECIDED: &str = ".decided";

/// What is held in a spool, to be looked at.
#[derive(Debug)]
pub struct Held {
    new: Directory,
    runs: Directory,
    held: Directory,
    /// Where the decisions about each run are.
    decisions: BTreeMap<RunName, Vec<RunName>>,
}

/// What one run holds, and what was decided about it.
#[derive(Debug)]
pub struct HeldRun {
    /// The run that holds it.
    pub manifest: Manifest,
    /// When it was published: since then its lines wait.
    pub published: Moment,
    /// All its lines, by sender, owner and then record.
    pub lines: Vec<HeldLine>,
    /// The decisions about it, in their order, and when they were published.
    pub decisions: Vec<(Decision, Moment)>,
    directory: Directory,
}

/// One line that is, or was, held.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HeldLine {
    /// Which of the manifest's `held` it stands in.
    pub file: usize,
    /// Where in that file, its end included.
    pub place: Range<usize>,
    /// Its id.
    pub alert_id: Uuid,
    /// Of which finding it is.
    pub sighting: Sighting,
    /// Why it is held; `None`: for a reason that this version does not know.
    pub reason: Option<Hold>,
    /// How bad the finding is.
    pub severity: Severity,
    /// What became of it.
    pub fate: LineFate,
}

/// What became of a held line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LineFate {
    /// Nobody decided yet.
    Waits,
    /// An alert of that decision tells it.
    Released(u32),
    /// By that decision nobody is sent it.
    Discarded(u32),
}

impl HeldLine {
    /// Whether nobody decided about it yet.
    pub fn waits(&self) -> bool {
        self.fate == LineFate::Waits
    }

    /// Whether it is one of several lines of one finding of which at most one may be sent: each is of another claimant.
    pub fn has_rivals(&self) -> bool {
        matches!(self.reason, Some(Hold::Conflict | Hold::Moved))
    }
}

impl Held {
    /// Opens the spool at `path`; makes and changes nothing.
    pub fn open(path: &Path) -> Result<Self, SpoolError> {
        let root = open_root(path)?;
        let open = |name| root.find(name)?.ok_or_else(|| SpoolError::NoSpool { path: path.join(name) });
        Self::of(open(NEW)?, open(RUNS)?, open(HELD)?)
    }

    fn of(new: Directory, runs: Directory, held: Directory) -> Result<Self, SpoolError> {
        let mut decisions = BTreeMap::<RunName, Vec<RunName>>::new();
        for decision in runs_in(&new)?.into_iter().chain(retired_in(&runs)?) {
            if let Some(run) = decision.decided_on() {
                decisions.entry(run).or_default().push(decision);
            }
        }
        for known in decisions.values_mut() {
            known.sort_by_key(RunName::decision);
            // Between the two steps of its retirement a run is in both.
            known.dedup();
        }
        Ok(Self { new, runs, held, decisions })
    }

    /// All committed runs of which something waits.
    pub fn waiting(&self) -> Result<Vec<RunName>, SpoolError> {
        let mut waiting = Vec::new();
        for run in runs_in(&self.held)? {
            if self.new.holds(run.as_str())? || self.runs.holds(retired_file(run.as_str()))? {
                waiting.push(run);
            }
        }
        Ok(waiting)
    }

    /// All committed runs whose held lines are still there, decided or not.
    pub fn all(&self) -> Result<Vec<RunName>, SpoolError> {
        let mut all = self.waiting()?;
        for entry in self.held.entries()? {
            let decided = entry.name.to_str().and_then(|name| name.strip_suffix(DECIDED));
            all.extend(decided.and_then(|name| RunName::read(name).ok()));
        }
        all.sort();
        all.dedup();
        Ok(all)
    }

    /// Reads what a run holds; `None` if it holds nothing, or is not committed.
    pub fn read(&self, run: &RunName) -> Result<Option<HeldRun>, SpoolError> {
        let directory = match self.held.find(run.as_str())? {
            Some(directory) => directory,
            None => match self.held.find(decided(run))? {
                Some(directory) => directory,
                None => return Ok(None),
            },
        };
        let Some((manifest, published)) = self.manifest(run)? else { return Ok(None) };
        let decisions = self.decisions(run)?;
        let mut lines = read_lines(&directory, &manifest.held)?;
        let fates = fates(&decisions);
        for line in &mut lines {
            line.fate = fates.get(&line.alert_id).copied().unwrap_or(LineFate::Waits);
        }
        Ok(Some(HeldRun { manifest, published, lines, decisions, directory }))
    }

    /// The decisions about a run, in their order.
    pub(super) fn decisions(&self, run: &RunName) -> Result<Vec<(Decision, Moment)>, SpoolError> {
        let mut decisions = Vec::new();
        for name in self.decisions.get(run).into_iter().flatten() {
            if let Some((manifest, at)) = self.manifest(name)? {
                decisions.extend(manifest.decision.map(|decision| (decision, at)));
            }
        }
        Ok(decisions)
    }

    /// All decisions, each with the run that it is about.
    pub(super) fn all_decisions(&self) -> Result<Vec<(RunName, Decision)>, SpoolError> {
        let mut all = Vec::new();
        for run in self.decisions.keys() {
            all.extend(self.decisions(run)?.into_iter().map(|(decision, _)| (run.clone(), decision)));
        }
        Ok(all)
    }

    /// A committed run's manifest, and when it was published.
    pub fn manifest(&self, run: &RunName) -> Result<Option<(Manifest, Moment)>, SpoolError> {
        if let Some(directory) = self.new.find(run.as_str())?
            && let Some(found) = manifest::find(&directory, MANIFEST_FILE)?
        {
            return Ok(Some(found));
        }
        manifest::find(&self.runs, &retired_file(run.as_str()))
    }
}

/// Where what is held of a run stands once all of it is decided.
pub(super) fn decided(run: &RunName) -> String {
    format!("{run}{DECIDED}")
}

/// The runs that `runs` remembers.
pub(super) fn retired_in(runs: &Directory) -> Result<Vec<RunName>, SpoolError> {
    let names = runs.entries()?.into_iter().filter_map(|entry| entry.name.into_string().ok());
    Ok(names.filter_map(|name| RunName::read(name.strip_suffix(".json")?).ok()).collect())
}

/// What the decisions say of each line; the first that names a line counts.
fn fates(decisions: &[(Decision, Moment)]) -> HashMap<Uuid, LineFate> {
    let mut fates = HashMap::new();
    for (decision, _) in decisions {
        let released = decision.released.iter().map(|id| (*id, LineFate::Released(decision.number)));
        let discarded = decision.discarded.iter().map(|id| (*id, LineFate::Discarded(decision.number)));
        for (id, fate) in released.chain(discarded) {
            fates.entry(id).or_insert(fate);
        }
    }
    fates
}

fn read_lines(directory: &Directory, facts: &[NoticeFacts]) -> Result<Vec<HeldLine>, SpoolError> {
    let files: Result<Vec<_>, SpoolError> = facts
        .par_iter()
        .enumerate()
        .map(|(file, facts)| {
            let content = read_file(directory, facts)?;
            let mut start = 0;
            let lines = content.split_inclusive(|&byte| byte == b'\n').enumerate().map(|(number, line)| {
                let place = start..start + line.len();
                start = place.end;
                let damaged = || {
                    let path = path_of(directory, facts);
                    SpoolError::damaged(path, format!("line {} is no alert", number + 1))
                };
                read_line(file, place, line).ok_or_else(damaged)
            });
            lines.collect::<Result<Vec<_>, _>>()
        })
        .collect();
    Ok(files?.into_iter().flatten().collect())
}

fn read_line(file: usize, place: Range<usize>, line: &[u8]) -> Option<HeldLine> {
    let told = Told::read(line)?;
    Some(HeldLine {
        file,
        place,
        alert_id: told.alert_id()?,
        sighting: told.sighting()?,
        reason: told.hold(),
        severity: told.severity(),
        fate: LineFate::Waits,
    })
}

fn path_of(directory: &Directory, facts: &NoticeFacts) -> std::path::PathBuf {
    let sender = directory.path().join(facts.sender.as_str());
    sender.join(facts.file().unwrap_or_default())
}

fn read_file(directory: &Directory, facts: &NoticeFacts) -> Result<Vec<u8>, SpoolError> {
    let missing = || SpoolError::damaged(path_of(directory, facts), "it is missing");
    let part = directory.find(facts.sender.as_str())?.ok_or_else(missing)?;
    let mut file = part.find_file(facts.file()?)?.ok_or_else(missing)?;
    let mut content = Vec::with_capacity(usize::try_from(facts.bytes).unwrap_or_default());
    file.read_to_end(&mut content)
        .map_err(|error| SpoolError::system("read", path_of(directory, facts), error))?;
    Ok(content)
}

impl HeldRun {
    /// The run.
    pub fn run(&self) -> &RunName {
        &self.manifest.run
    }

    /// The head of the file that a line stands in.
    pub fn facts(&self, line: &HeldLine) -> &NoticeFacts {
        &self.manifest.held[line.file]
    }

    /// The bytes of a file of the manifest's `held`, by its place there; a line's `place` lies in them.
    pub fn content(&self, file: usize) -> Result<Vec<u8>, SpoolError> {
        read_file(&self.directory, &self.manifest.held[file])
    }

    /// Lines that nobody decided about.
    pub fn waiting(&self) -> impl Iterator<Item = &HeldLine> {
        self.lines.iter().filter(|line| line.waits())
    }
}

/// What one run holds, locked for one decision.
#[derive(Debug)]
pub struct Deciding<'s> {
    spool: &'s Spool,
    /// What it holds.
    pub held: HeldRun,
    /// Holds the lock.
    lock: Directory,
    number: u32,
}

impl Spool {
    /// Locks what a run holds, to decide about it; `None` if nothing of it waits.
    pub fn decide_on(&self, run: &RunName) -> Result<Option<Deciding<'_>>, SpoolError> {
        let Some(lock) = self.held.find(run.as_str())? else { return Ok(None) };
        wait_for(lock.path(), || lock.try_lock())?;
        // Who held the lock before us may have decided about all of it.
        if !self.held.is_at(&lock, run.as_str())? {
            return Ok(None);
        }
        let open = |name| self.root.open(name);
        let all = Held::of(open(NEW)?, open(RUNS)?, open(HELD)?)?;
        let Some(held) = all.read(run)? else { return Ok(None) };
        if held.waiting().next().is_none() {
            self.settle(run)?;
            return Ok(None);
        }
        let last = all.decisions.get(run).and_then(|known| known.last()).and_then(RunName::decision);
        let number = last.unwrap_or_default() + 1;
        if number > DECISIONS_MAX {
            let reason = format!("{DECISIONS_MAX} decisions were made about it");
            return Err(SpoolError::unfinished(lock.path(), reason));
        }
        Ok(Some(Deciding { spool: self, held, lock, number }))
    }

    /// Sets aside what a run held, of which nothing waits any more.
    fn settle(&self, run: &RunName) -> Result<(), SpoolError> {
        self.held.rename_new(run.as_str(), &self.held, decided(run))?;
        self.held.sync()
    }

    /// Sets aside all that is decided and was left by a decision that was killed after its commit.
    pub(super) fn settle_all(&self) -> Result<(), SpoolError> {
        let all = Held::of(self.root.open(NEW)?, self.root.open(RUNS)?, self.root.open(HELD)?)?;
        for run in all.waiting()? {
            if all.decisions.contains_key(&run) {
                // It looks whether anything waits, under the lock.
                self.decide_on(&run)?;
            }
        }
        Ok(())
    }
}

/// A decision about some of the lines that a run holds.
#[derive(Clone, Debug)]
pub struct DecisionFacts {
    /// Why, and who says so.
    pub word: Word,
    /// The moment that counted as now, as text.
    pub run_time: String,
    /// The id of the index that told contacts and senders; of the run's own where none was asked.
    pub index: Option<String>,
    /// Held lines of each of which the stage has an alert.
    pub released: Vec<Uuid>,
    /// Held lines that nobody is sent.
    pub discarded: Vec<Uuid>,
}

impl Deciding<'_> {
    /// The run that the decision will be.
    pub fn run(&self) -> RunName {
        self.held.run().of_decision(self.number)
    }

    /// Publishes the decision together with the alerts that it releases: both, or neither.
    ///
    /// The stage has exactly one alert for each released line, and nothing that is held.
    pub fn publish(self, staged: StagedRun<'_>, facts: DecisionFacts) -> Result<Publication, SpoolError> {
        let DecisionFacts { word, run_time, index, released, discarded } = facts;
        let counts = json!({
            "alerts": released.len(), "held": 0, "released": released.len(), "discarded": discarded.len(),
        });
        if (staged.alerts(), staged.held()) != (released.len() as u64, 0) {
            let reason = format!("{} lines are released and {} staged", released.len(), staged.alerts());
            return Err(SpoolError::unfinished(self.lock.path(), reason));
        }
        let of = &self.held.manifest;
        let run_facts = RunFacts {
            feed: of.feed.clone(),
            feed_label: of.feed_label.clone(),
            label: of.label.clone(),
            dump: of.dump.clone(),
            index: index.unwrap_or_else(|| of.index.clone()),
            run_time,
            options: BTreeMap::new(),
            report: BTreeMap::new(),
            counts,
        };
        let decided_now = released.len() + discarded.len();
        let decision = Decision { number: self.number, word, released, discarded };
        let published = staged.publish_on(run_facts, Occasion::Decision(decision))?;
        if self.held.waiting().count() == decided_now {
            // The decision stands, whatever becomes of this: the next one or a prune does it again.
            let _ = self.spool.settle(self.held.run());
        }
        Ok(published)
    }
}
