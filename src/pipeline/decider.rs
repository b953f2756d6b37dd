//! What a finding comes to: index, policy and alert brought together.

use super::RunError;
use crate::alert::{self, Alert, Context, Ids, Merged, Recipient, RecipientFacts};
use crate::index::{Claim, Index, OwnerIx};
use crate::moment::Moment;
use crate::policy::{Case, Decision, Hold, InOffice, Line, decide};
use crate::scan::{Finding, Subject};
use crate::spool;

/// Decides findings and writes their lines. The same for all threads.
pub(super) struct Decider<'a> {
    pub(super) index: &'a Index,
    pub(super) senders: &'a InOffice,
    pub(super) context: Context,
    pub(super) run_time: Moment,
    pub(super) observed: Option<Moment>,
}

impl Decider<'_> {
    pub(super) fn decide(&self, finding: &Finding<'_>) -> Decision {
        let (claims, inside): (Vec<Claim>, Vec<Claim>) = match finding.subject {
            None => return Decision::Unmatched,
            Some(Subject::Address(address)) => (self.index.covering(address).collect(), Vec::new()),
            Some(Subject::Prefix(prefix)) => {
                (self.index.covering_prefix(prefix).collect(), self.index.inside(prefix).collect())
            }
        };
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

    pub(super) fn ids(&self, finding: &Finding<'_>, owner: u32) -> Ids {
        alert::ids(&self.context, finding, self.index.owner(OwnerIx(owner)).id)
    }

    /// What the sorter compares ids by.
    pub(super) fn id_hash(&self, finding: &Finding<'_>, owner: u32) -> u64 {
        self.ids(finding, owner).alert.as_u64_pair().0
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
