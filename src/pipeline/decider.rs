//! What a finding comes to: index, policy and alert brought together.

use super::RunError;
use crate::alert::{self, Alert, Context, Ids, Merged, Recipient, RecipientFacts};
use crate::index::{Claim, Finder, Index, OwnerIx};
use crate::moment::Moment;
use crate::policy::{Case, Decision, Hold, InOffice, Line, decide};
use crate::scan::{Finding, Subject};
use crate::spool;

/// Decides findings and writes their lines. The same for all threads.
pub(super) struct Decider<'a> {
    pub(super) index: &'a Index,
    /// Of that index.
    pub(super) finder: Finder<'a>,
    pub(super) senders: &'a InOffice,
    pub(super) context: Context,
    pub(super) run_time: Moment,
    pub(super) observed: Option<Moment>,
}

impl Decider<'_> {
    pub(super) fn decide(&self, finding: &Finding<'_>) -> Decision {
        if finding.subject.is_none() {
            return Decision::Unmatched;
        }
        let (claims, inside) = self.claims(finding);
        let case = Case {
            claims: &claims,
            inside: &inside,
            time: finding.time.or(self.observed),
            run_time: self.run_time,
            unknown_type: finding.unknown_type,
            has_identifier: finding.identifier.is_some(),
        };
        decide(&case, self.index)
    }

    /// The registrations that hold what a finding is about, and of a prefix those inside it.
    pub(super) fn claims(&self, finding: &Finding<'_>) -> (Vec<Claim>, Vec<Claim>) {
        match finding.subject {
            None => (Vec::new(), Vec::new()),
            Some(Subject::Address(address)) => (self.finder.covering(address).collect(), Vec::new()),
            Some(Subject::Prefix(prefix)) => {
                (self.index.covering_prefix(prefix).collect(), self.index.inside(prefix).collect())
            }
        }
    }

    pub(super) fn ids(&self, finding: &Finding<'_>, owner: u32) -> Ids {
        alert::ids(&self.context, finding, self.index.owner(OwnerIx(owner)).id)
    }

    pub(super) fn finding_id(&self, finding: &Finding<'_>) -> uuid::Uuid {
        alert::ids(&self.context, finding, "").finding
    }

    /// What the sorter compares ids by.
    pub(super) fn id_hash(&self, finding: &Finding<'_>, owner: u32) -> u64 {
        alert::id_hash(&self.context, finding, owner)
    }

    /// What every alert of an owner says.
    pub(super) fn recipient(&self, owner: u32) -> Recipient {
        let owner = self.index.owner(OwnerIx(owner));
        let contacts: Vec<&str> = owner.contacts().collect();
        Recipient::new(&RecipientFacts {
            id: owner.id,
            name: owner.name,
            constituency: owner.constituency,
            contacts: &contacts,
            sender: self.senders.sender(owner.constituency),
        })
    }

    /// Who warns an owner.
    pub(super) fn sender(&self, owner: u32) -> &str {
        self.senders.sender(self.index.owner(OwnerIx(owner)).constituency).as_str()
    }

    /// What the spool needs to know of an owner.
    pub(super) fn address(&self, owner: u32) -> Result<spool::Recipient, RunError> {
        let owner = self.index.owner(OwnerIx(owner));
        Ok(spool::Recipient {
            sender: spool::Sender::read(self.senders.sender(owner.constituency).as_str())?,
            owner_id: owner.id.to_owned(),
            name: owner.name.map(str::to_owned),
            contacts: owner.contacts().map(str::to_owned).collect(),
        })
    }

    #[expect(clippy::too_many_arguments, reason = "an alert has that many parts")]
    pub(super) fn write_line(
        &self,
        out: &mut Vec<u8>,
        recipient: &Recipient,
        finding: &Finding<'_>,
        ids: &Ids,
        record: u64,
        line: &Line,
        hold: Option<Hold>,
        also: Option<&Merged>,
    ) {
        alert::write_line(out, &self.context, &Alert { finding, record, line, hold, recipient, ids, also });
    }
}
