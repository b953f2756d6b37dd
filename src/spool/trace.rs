//! Tracing: every alert about an address, for an owner, of one id or of one opaque reference, and what became of it.
//!
//! Only looks; may run beside publishers and mailers. Runs are read in parallel, and a notice is searched for the bytes of
//! what is sought before any line of it is parsed. What a retired run said is gone with it: of an owner its manifest still
//! tells how many alerts there were, of an address or an alert it tells nothing, and the answer says how many such runs
//! there are. An opaque reference leads, with the spool's key, to run, owner and record even of a retired run.

use super::claim::{open_root, runs_in, senders_in};
use super::directory::Directory;
use super::error::SpoolError;
use super::held::{Held, decided, retired_in};
use super::layout::{CUR, DONE, FAILED, HELD, NEW, RUNS, retired_file};
use super::manifest::{self, MANIFEST_FILE, Manifest, NoticeFacts, Tombstone, Word};
use super::names::{ClaimName, RunName, Sender};
use super::reference_key;
use super::status::claims_in;
use crate::alert::{Reference, ReferenceKey, Told};
use crate::net::{Address, Prefix};
use crate::scan::Subject;
use memchr::memmem::Finder;
use rayon::prelude::*;
use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;
use uuid::Uuid;

/// What is looked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Sought {
    /// Alerts about one address.
    Address(Address),
    /// Alerts about an address of the prefix, or about a prefix inside it.
    Prefix(Prefix),
    /// Alerts for one owner.
    Owner(String),
    /// The alert of that id.
    Alert(Uuid),
    /// The alert that bears that reference.
    Reference(Reference),
}

/// What became of an alert; a closed set.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum TraceState {
    /// Published, and no mailer has taken it.
    New,
    /// A mailer works on it.
    Claimed,
    /// A mailer says that it was sent.
    Done,
    /// A mailer says that it could not be sent.
    Failed,
    /// Its run was retired, with all of it sent.
    Retired,
    /// It waits for a person.
    Held,
    /// It was held, and a person sent it: the alert of a run of its own.
    Released,
    /// It was held, and a person decided that nobody is sent it.
    Discarded,
}

impl TraceState {
    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Claimed => "claimed",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Retired => "retired",
            Self::Held => "held",
            Self::Released => "released",
            Self::Discarded => "discarded",
        }
    }
}

/// One alert that was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Traced {
    /// The run that it is in.
    pub run: RunName,
    /// Who warns.
    pub sender: Option<Sender>,
    /// Whom.
    pub owner_id: Option<String>,
    /// What became of it.
    pub state: TraceState,
    /// Whether its mailer noted its notice as sent (`true`) or not (`false`), in a claim that is not done.
    pub noted: Option<bool>,
    /// The decision about it: its run, why, and who says so.
    pub decision: Option<(RunName, Word)>,
    /// The line; absent where the file is gone and only a manifest tells.
    pub line: Option<Vec<u8>>,
    /// Its record in the run's dump, where the line says it or the spool's key leads there.
    pub record: Option<u64>,
    /// How many alerts this stands for: 1 with a line.
    pub alerts: u64,
}

/// What a trace found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Trace {
    /// Alerts, by run, sender, owner and then record.
    pub found: Vec<Traced>,
    /// Runs whose notices are gone: what they said of an address is not known here.
    pub retired_runs: u64,
    /// What was forgotten on a person's word, in all runs.
    pub forgotten: Vec<(RunName, Tombstone)>,
}

/// Traces through the spool at `path`.
pub fn trace(path: &Path, sought: &Sought) -> Result<Trace, SpoolError> {
    let root = open_root(path)?;
    let open = |name| root.find(name)?.ok_or_else(|| SpoolError::NoSpool { path: path.join(name) });
    let search = Search {
        sought,
        finder: sought.needle(),
        key: reference_key::find(&root)?,
        claims: [
            (TraceState::Done, DONE, claims_in(&root, DONE)?),
            (TraceState::Failed, FAILED, claims_in(&root, FAILED)?),
            (TraceState::Claimed, CUR, claims_in(&root, CUR)?),
        ],
        decided: Held::open(path)?,
        new: open(NEW)?,
        held: open(HELD)?,
        runs: open(RUNS)?,
        root: &root,
    };
    search.run()
}

impl Sought {
    /// Reads what a person may mean: an address, a prefix, the id of an alert, its reference, else an owner.
    pub fn read(text: &str) -> Self {
        if let Some(address) = Address::read(text.as_bytes()) {
            return Self::Address(address);
        }
        if let Ok(prefix) = Prefix::read(text.as_bytes()) {
            return match Subject::of_prefix(prefix) {
                Subject::Address(address) => Self::Address(address),
                Subject::Prefix(prefix) => Self::Prefix(prefix),
            };
        }
        match (Reference::read(text), text.parse()) {
            (Some(reference), _) => Self::Reference(reference),
            (None, Ok(id)) => Self::Alert(id),
            (None, Err(_)) => Self::Owner(text.to_owned()),
        }
    }

    /// Bytes without which no line can be meant.
    fn needle(&self) -> Finder<'static> {
        let needle = match self {
            Self::Address(address) => format!("\"{address}\""),
            Self::Alert(id) => format!("\"{id}\""),
            Self::Reference(reference) => format!("\"{reference}\""),
            Self::Prefix(_) | Self::Owner(_) => String::new(),
        };
        Finder::new(&needle).into_owned()
    }

    /// Whether a line of somebody's notice is meant.
    pub(super) fn is_meant(&self, told: &Told<'_>) -> bool {
        match self {
            Self::Address(address) => told.subject() == Some(Subject::Address(*address)),
            Self::Prefix(prefix) => match told.subject() {
                Some(Subject::Address(address)) => prefix.holds(address),
                Some(Subject::Prefix(inner)) => prefix.range().contains(inner.range()),
                None => false,
            },
            Self::Owner(_) => true,
            Self::Alert(id) => told.alert_id() == Some(*id),
            Self::Reference(reference) => told.reference() == Some(*reference),
        }
    }

    /// Whether anything in that owner's files can be meant.
    pub(super) fn may_be_for(&self, owner_id: &str) -> bool {
        match self {
            Self::Owner(owner) => owner.eq_ignore_ascii_case(owner_id),
            _ => true,
        }
    }
}

struct Search<'s> {
    sought: &'s Sought,
    finder: Finder<'static>,
    key: Option<ReferenceKey>,
    /// States that a claim gives, with its directory's name.
    claims: [(TraceState, &'static str, BTreeSet<ClaimName>); 3],
    decided: Held,
    new: Directory,
    held: Directory,
    runs: Directory,
    root: &'s Directory,
}

impl Search<'_> {
    fn run(&self) -> Result<Trace, SpoolError> {
        let published = runs_in(&self.new)?;
        let retired: Vec<RunName> = {
            let standing: BTreeSet<&RunName> = published.iter().collect();
            retired_in(&self.runs)?.into_iter().filter(|run| !standing.contains(run)).collect()
        };
        let held = self.decided.all()?;
        let mut trace = Trace { retired_runs: retired.len() as u64, ..Trace::default() };
        let in_new = published.par_iter().map(|run| self.look_at_new(run));
        let in_held = held.par_iter().map(|run| self.look_at_held(run));
        let in_runs = retired.par_iter().map(|run| self.look_at_retired(run));
        let looks: Result<Vec<Look>, SpoolError> = in_new.chain(in_held).chain(in_runs).collect();
        for look in looks? {
            trace.found.extend(look.found);
            trace.forgotten.extend(look.forgotten);
        }
        self.add_decisions(&mut trace)?;
        trace.found.sort_by(|one, next| one.order().cmp(&next.order()));
        trace.forgotten.sort_by(|one, next| one.0.cmp(&next.0));
        Ok(trace)
    }

    fn look_at_new(&self, run: &RunName) -> Result<Look, SpoolError> {
        // Retired between the listing and now if it is gone.
        let Some(directory) = self.new.find(run.as_str())? else { return Ok(Look::default()) };
        let mut look =
            Look { forgotten: self.tombstones(&directory, MANIFEST_FILE, run)?, found: Vec::new() };
        for sender in senders_in(&directory)? {
            let claim = ClaimName::new(run, &sender);
            let claimed = self.claims.iter().find(|(_, _, claims)| claims.contains(&claim));
            let state = claimed.map_or(TraceState::New, |(state, _, _)| *state);
            let Some(part) = directory.find(sender.as_str())? else { continue };
            self.look_at_files(&part, |owner_id, line| {
                let noted = match claimed {
                    Some((TraceState::Done, ..)) | None => None,
                    Some((_, place, _)) => self.noted(place, &claim, owner_id)?,
                };
                look.found.push(Traced {
                    run: run.clone(),
                    sender: Some(sender.clone()),
                    owner_id: Some(owner_id.to_owned()),
                    state,
                    noted,
                    decision: None,
                    record: self.record(run, line),
                    line: Some(line.to_vec()),
                    alerts: 1,
                });
                Ok(())
            })?;
        }
        Ok(look)
    }

    fn look_at_held(&self, run: &RunName) -> Result<Look, SpoolError> {
        let directory = match self.held.find(run.as_str())? {
            Some(directory) => Some(directory),
            None => self.held.find(decided(run))?,
        };
        let Some(directory) = directory else { return Ok(Look::default()) };
        let mut look = Look::default();
        for sender in senders_in(&directory)? {
            let Some(part) = directory.find(sender.as_str())? else { continue };
            self.look_at_files(&part, |owner_id, line| {
                look.found.push(Traced {
                    run: run.clone(),
                    sender: Some(sender.clone()),
                    owner_id: Some(owner_id.to_owned()),
                    state: TraceState::Held,
                    noted: None,
                    decision: None,
                    record: self.record(run, line),
                    line: Some(line.to_vec()),
                    alerts: 1,
                });
                Ok(())
            })?;
        }
        if !look.found.is_empty() {
            self.decide(run, &mut look.found)?;
        }
        Ok(look)
    }

    /// Gives held lines their decisions.
    fn decide(&self, run: &RunName, found: &mut [Traced]) -> Result<(), SpoolError> {
        let decisions = self.decided.decisions(run)?;
        for traced in found {
            let id = traced.line.as_deref().and_then(Told::read).and_then(|told| told.alert_id());
            for (decision, _) in decisions.iter().filter(|_| id.is_some()) {
                let is_in = |ids: &[Uuid]| ids.iter().any(|one| Some(*one) == id);
                let state = match (is_in(&decision.released), is_in(&decision.discarded)) {
                    (true, _) => TraceState::Released,
                    (_, true) => TraceState::Discarded,
                    _ => continue,
                };
                traced.state = state;
                traced.decision = Some((run.of_decision(decision.number), decision.word.clone()));
                break;
            }
        }
        Ok(())
    }

    /// Of an alert whose held line is gone, the decision about it is still there.
    fn add_decisions(&self, trace: &mut Trace) -> Result<(), SpoolError> {
        let Sought::Alert(id) = self.sought else { return Ok(()) };
        for (run, decision) in self.decided.all_decisions()? {
            let state = match (decision.released.contains(id), decision.discarded.contains(id)) {
                (true, _) => TraceState::Released,
                (_, true) => TraceState::Discarded,
                _ => continue,
            };
            if trace.found.iter().any(|traced| traced.run == run && traced.state == state) {
                continue;
            }
            trace.found.push(Traced {
                decision: Some((run.of_decision(decision.number), decision.word)),
                run,
                sender: None,
                owner_id: None,
                state,
                noted: None,
                line: None,
                record: None,
                alerts: 1,
            });
        }
        Ok(())
    }

    fn look_at_retired(&self, run: &RunName) -> Result<Look, SpoolError> {
        let file = retired_file(run.as_str());
        let forgotten = self.tombstones(&self.runs, &file, run)?;
        if let Sought::Reference(reference) = self.sought {
            return Ok(Look { found: self.referred_to(reference, run)?, forgotten });
        }
        let Sought::Owner(owner) = self.sought else { return Ok(Look { found: Vec::new(), forgotten }) };
        let Some(bytes) = read(&self.runs, &file)? else { return Ok(Look::default()) };
        let is_there = bytes.to_ascii_lowercase();
        if memchr::memmem::find(&is_there, owner.to_ascii_lowercase().as_bytes()).is_none() {
            return Ok(Look { found: Vec::new(), forgotten });
        }
        let Some((manifest, _)) = manifest::find::<Manifest>(&self.runs, &file)? else {
            return Ok(Look::default());
        };
        let notices = manifest.notices.into_iter().filter(|facts| self.sought.may_be_for(&facts.owner_id));
        let found = notices.map(|facts| {
            let alerts = facts.lines;
            Traced::retired(run, facts, alerts, None)
        });
        Ok(Look { found: found.collect(), forgotten })
    }

    /// The alert of a retired run that a reference leads to: its manifest tells whom there were notices for.
    fn referred_to(&self, reference: &Reference, run: &RunName) -> Result<Vec<Traced>, SpoolError> {
        let Some(key) = &self.key else { return Ok(Vec::new()) };
        let Some((manifest, _)) = manifest::find::<Manifest>(&self.runs, &retired_file(run.as_str()))? else {
            return Ok(Vec::new());
        };
        let of = run.decided_on().unwrap_or_else(|| run.clone());
        let found = manifest.notices.into_iter().filter_map(|facts| {
            let record = key.record_of(reference, of.as_str(), &facts.owner_id)?;
            Some(Traced::retired(run, facts, 1, Some(record)))
        });
        Ok(found.collect())
    }

    fn record(&self, run: &RunName, line: &[u8]) -> Option<u64> {
        let of = run.decided_on().unwrap_or_else(|| run.clone());
        Told::read(line)?.record(of.as_str(), self.key.as_ref())
    }

    fn look_at_files(
        &self,
        part: &Directory,
        mut take: impl FnMut(&str, &[u8]) -> Result<(), SpoolError>,
    ) -> Result<(), SpoolError> {
        for entry in part.entries()?.into_iter().filter(|entry| !entry.is_directory) {
            let Some(owner_id) = entry.name.to_str().and_then(|name| name.strip_suffix(".jsonl")) else {
                continue;
            };
            if !self.sought.may_be_for(owner_id) {
                continue;
            }
            let Some(content) = read(part, &entry.name)? else { continue };
            if self.finder.find(&content).is_none() {
                continue;
            }
            for line in content.split_inclusive(|&byte| byte == b'\n') {
                if self.finder.find(line).is_some()
                    && Told::read(line).is_some_and(|told| self.sought.is_meant(&told))
                {
                    take(owner_id, line)?;
                }
            }
        }
        Ok(())
    }

    /// What a mailer noted of one notice in its claim.
    fn noted(&self, place: &str, claim: &ClaimName, owner_id: &str) -> Result<Option<bool>, SpoolError> {
        let Some(claims) = self.root.find(place)? else { return Ok(None) };
        let Ok(Some(claim)) = claims.find(claim.as_str()) else { return Ok(None) };
        if claim.holds(format!("{owner_id}.sent"))? {
            return Ok(Some(true));
        }
        Ok(claim.holds(format!("{owner_id}.failed"))?.then_some(false))
    }

    fn tombstones(
        &self,
        directory: &Directory,
        file: &str,
        run: &RunName,
    ) -> Result<Vec<(RunName, Tombstone)>, SpoolError> {
        let Some(bytes) = read(directory, file)? else { return Ok(Vec::new()) };
        if memchr::memmem::find(&bytes, b"\"forgotten\"").is_none() {
            return Ok(Vec::new());
        }
        let found = manifest::find::<Manifest>(directory, file)?;
        let tombstones = found.into_iter().flat_map(|(manifest, _)| manifest.forgotten);
        Ok(tombstones.map(|tombstone| (run.clone(), tombstone)).collect())
    }
}

#[derive(Default)]
struct Look {
    found: Vec<Traced>,
    forgotten: Vec<(RunName, Tombstone)>,
}

impl Traced {
    fn retired(run: &RunName, facts: NoticeFacts, alerts: u64, record: Option<u64>) -> Self {
        Self {
            run: run.clone(),
            sender: Some(facts.sender),
            owner_id: Some(facts.owner_id),
            state: TraceState::Retired,
            noted: None,
            decision: None,
            line: None,
            record,
            alerts,
        }
    }

    fn order(&self) -> (&RunName, Option<&Sender>, Option<&str>, Option<u64>) {
        (&self.run, self.sender.as_ref(), self.owner_id.as_deref(), self.record)
    }
}

fn read(directory: &Directory, name: impl AsRef<std::ffi::OsStr>) -> Result<Option<Vec<u8>>, SpoolError> {
    let name = name.as_ref();
    let Some(mut file) = directory.find_file(name)? else { return Ok(None) };
    let mut content = Vec::new();
    file.read_to_end(&mut content)
        .map_err(|error| SpoolError::system("read", directory.path().join(name), error))?;
    Ok(Some(content))
}
