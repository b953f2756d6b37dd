//! A dump again, on a person's word: for some recipients only, or only where the recipient is another than before.
//!
//! What is left out is counted as excepted, so that the books balance as ever. Findings that nobody is told of any more are
//! no alerts: they are counted among the changes, by a second reading of the dump with the index of before.

use super::RunError;
use super::decider::Decider;
use crate::index::{Index, OwnerIx};
use crate::matcher::{Accepted, Judge};
use crate::policy::Decision;
use crate::scan::{Finding, Findings, Format};
use crate::spool::{Correction, RecipientChange, Word};
use std::collections::{BTreeMap, BTreeSet};

/// What a person has matched again.
#[derive(Clone, Debug)]
pub struct Correcting<'a> {
    /// Why, and who says so.
    pub word: Word,
    /// The only recipients; empty: all.
    pub owners: BTreeSet<OwnerIx>,
    /// The index before: only findings whose recipient is another since.
    pub before: Option<&'a Index>,
}

impl Correcting<'_> {
    /// What the manifest says of it.
    pub(super) fn facts(&self, index: &Index, changes: Vec<RecipientChange>) -> Correction {
        let id = |index: &Index| blake3::Hash::from_bytes(index.id()).to_hex().to_string();
        Correction {
            word: self.word.clone(),
            owners: self.owners.iter().map(|owner| index.owner(*owner).id.to_owned()).collect(),
            changed_since: self.before.map(id),
            changes,
        }
    }
}

/// Whom a finding is told to, before and now.
pub(super) type Pair = (Vec<String>, Vec<String>);
/// How many findings each change is of.
pub(super) type Changes = BTreeMap<Pair, u64>;

/// Chooses what a corrected run takes.
pub(super) struct Restriction<'a> {
    pub(super) owners: &'a BTreeSet<OwnerIx>,
    pub(super) before: Option<Decider<'a>>,
}

impl Restriction<'_> {
    /// Whether a decision is taken; a change that it is taken for is counted.
    pub(super) fn takes(
        &self,
        finding: &Finding<'_>,
        decision: &Decision,
        now: &Decider<'_>,
        changes: &mut Changes,
    ) -> bool {
        let is_for = |owner: &OwnerIx| decision.lines().iter().any(|line| line.owner == *owner);
        if !self.owners.is_empty() && !self.owners.iter().any(is_for) {
            return false;
        }
        let Some(before) = &self.before else { return true };
        let then = before.decide(finding);
        if recipients(&then, before) == recipients(decision, now) {
            return false;
        }
        *changes.entry((told(&then, before), told(decision, now))).or_default() += 1;
        true
    }
}

/// Under whom a decision has lines, and whether they are sent.
fn recipients(decision: &Decision, decider: &Decider<'_>) -> (bool, Vec<String>) {
    (matches!(decision, Decision::Hold(..)), ids(decision, decider))
}

/// Who is told at once; nobody of what is held.
fn told(decision: &Decision, decider: &Decider<'_>) -> Vec<String> {
    match decision {
        Decision::Share(_) | Decision::ShareWith(..) => ids(decision, decider),
        _ => Vec::new(),
    }
}

fn ids(decision: &Decision, decider: &Decider<'_>) -> Vec<String> {
    let id = |owner: OwnerIx| decider.index.owner(owner).id.to_owned();
    let mut ids: Vec<String> = decision.lines().iter().map(|line| id(line.owner)).collect();
    ids.sort();
    ids
}

/// As a manifest and a summary tell them.
pub(super) fn listed(changes: Changes) -> Vec<RecipientChange> {
    changes.into_iter().map(|((before, now), findings)| RecipientChange { before, now, findings }).collect()
}

/// Counts the findings that the index before knew an owner of and the one now knows none of.
pub(super) struct Lost<'a> {
    pub(super) format: &'a dyn Format,
    pub(super) before: Decider<'a>,
    pub(super) now: &'a Decider<'a>,
    pub(super) changes: Changes,
}

impl Judge for Lost<'_> {
    type Batch = Changes;
    type Error = RunError;

    fn judge(&self, batch: &mut Changes, _number: u64, _start: usize, record: &[u8]) {
        let Findings::Some(findings) = self.format.findings(record) else { return };
        for finding in findings.iter().filter(|finding| self.now.decide(finding) == Decision::Unmatched) {
            let told = told(&self.before.decide(finding), &self.before);
            if !told.is_empty() {
                *batch.entry((told, Vec::new())).or_default() += 1;
            }
        }
    }

    fn accept(&mut self, chunk: Accepted<'_, Changes>) -> Result<(), RunError> {
        add(&mut self.changes, chunk.batch);
        Ok(())
    }
}

/// Adds what another part of the dump counted.
pub(super) fn add(changes: &mut Changes, more: Changes) {
    for (pair, findings) in more {
        *changes.entry(pair).or_default() += findings;
    }
}
