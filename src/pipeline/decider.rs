//! What a finding comes to: index, policy and alert brought together.

use super::RunError;
use crate::alert::{self, Alert, Background, Context, Ids, Merged, Recipient, RecipientFacts};
use crate::index::{Assignment, Claim, Finder, Index, OwnerIx};
use crate::moment::Moment;
use crate::net::Asn;
use crate::policy::{
    Asked, Case, Copies, Decision, Entry, Evidence, Exception, Hold, InOffice, Inquiry, Line, Recipients,
    Redaction, Removable, Rulebook, Severity, Terms, Tlp, decide, permit,
};
use crate::scan::{Finding, Subject};
use crate::spool;
use crate::text::{host_name, with_host};
use smallvec::SmallVec;
use std::borrow::Cow;

/// Decides findings and writes their lines. The same for all threads.
pub(super) struct Decider<'a> {
    pub(super) index: &'a Index,
    /// Of that index.
    pub(super) finder: Finder<'a>,
    pub(super) senders: &'a InOffice,
    pub(super) context: Context,
    pub(super) run_time: Moment,
    pub(super) observed: Option<Moment>,
    /// Who else is told, of what may be told to others.
    pub(super) copies: Copies,
    /// What is kept back in this run.
    pub(super) exceptions: Vec<Excepted<'a>>,
    /// What the operator decided about all feeds.
    pub(super) rulebook: &'a Rulebook,
}

/// An exception in force, and whom it is about, if about anybody.
pub(super) struct Excepted<'a> {
    exception: &'a Exception,
    organisation: Option<OwnerIx>,
}

impl<'a> Excepted<'a> {
    /// Those of a feed and day; one about an owner that the index does not have fits nothing.
    pub(super) fn in_force(all: &'a [Exception], feed: &str, run_time: Moment, index: &Index) -> Vec<Self> {
        let in_force = all.iter().filter(|exception| exception.is_in_force(feed, run_time.day()));
        let found = in_force.filter_map(|exception| {
            let owner = exception.owner.as_deref().map(|id| index.owner_of_id(id));
            match owner {
                None => Some(Self { exception, organisation: None }),
                Some(owner) => Some(Self { exception, organisation: Some(index.organisation(owner?)) }),
            }
        });
        found.collect()
    }
}

/// The registrations that speak about a finding, by what they are found by.
#[derive(Clone, Debug, Default)]
pub struct Claims {
    /// Those that hold its address, or all of its prefix: one or two, nearly always.
    pub address: SmallVec<[Claim; 2]>,
    /// Those of the name that it is about.
    pub stated: Vec<Claim>,
    /// Those of each name that the system shows of itself.
    pub shown: Vec<Vec<Claim>>,
    /// Those of the AS number that its producer names.
    pub asn: Vec<Claim>,
    /// Of a prefix, those of a part of it.
    pub inside: Vec<Claim>,
    /// Whether its address serves many.
    pub is_shared: bool,
}

impl Claims {
    /// Finds them by the parts of a finding: what it is about, the name that it states, the names that are shown, the AS number.
    pub fn of(
        index: &Index,
        subject: Option<Subject>,
        stated: Option<&str>,
        shown: &[Cow<'_, str>],
        asn: Option<Asn>,
    ) -> Self {
        Self::find(index, &index.finder(), subject, (stated, shown), asn)
    }

    fn find(
        index: &Index,
        finder: &Finder<'_>,
        subject: Option<Subject>,
        (stated, shown): (Option<&str>, &[Cow<'_, str>]),
        asn: Option<Asn>,
    ) -> Self {
        let mut address = SmallVec::new();
        let mut inside = Vec::new();
        match subject {
            None => {}
            Some(Subject::Address(subject)) => finder.covering(subject).for_each(|claim| address.push(claim)),
            Some(Subject::Prefix(prefix)) => {
                address.extend(index.covering_prefix(prefix));
                inside.extend(index.inside(prefix));
            }
        }
        let is_shared = matches!(subject, Some(Subject::Address(address)) if index.shared(address).is_some());
        // A special address is the same in many networks: no other key tells which of them is meant.
        let is_special = || subject.is_some_and(Subject::is_special);
        let by_name = |name: &str| with_host(name, |host| finder.covering_name(host)).unwrap_or_default();
        let by_host = |host: String| finder.covering_name(&host);
        let (stated, shown) = match finder.has_domains() && !is_special() {
            true => (stated.map_or_else(Vec::new, by_name), hosts(shown).into_iter().map(by_host).collect()),
            false => (Vec::new(), Vec::new()),
        };
        let asn = match asn {
            Some(asn) if !is_special() => finder.claims_of_named_asn(asn),
            _ => Vec::new(),
        };
        Self { address, stated, shown, asn, inside, is_shared }
    }

    /// What a choice is made from.
    pub fn evidence(&self) -> Evidence<'_> {
        let Self { address, stated, shown, asn, is_shared, .. } = self;
        Evidence { address, stated, shown, asn, is_shared: *is_shared }
    }

    /// Leaves out claims.
    pub fn retain(&mut self, mut keep: impl FnMut(&Claim) -> bool) {
        self.address.retain(|claim| keep(claim));
        let others = [&mut self.stated, &mut self.asn];
        for claims in others.into_iter().chain(&mut self.shown) {
            claims.retain(&mut keep);
        }
    }
}

/// The hosts of some names, each once: one that is written in two ways is one name.
fn hosts(names: &[Cow<'_, str>]) -> Vec<String> {
    let mut hosts = Vec::new();
    for host in names.iter().filter_map(|name| host_name(name)) {
        if !hosts.contains(&host) {
            hosts.push(host);
        }
    }
    hosts
}

impl Decider<'_> {
    pub(super) fn decide(&self, finding: &Finding<'_>) -> Decision {
        self.decide_telling(finding, &mut |_| {})
    }

    /// [`Decider::decide`], telling each recipient that is asked for in turn.
    pub(super) fn decide_telling(&self, finding: &Finding<'_>, tell: &mut dyn FnMut(Asked)) -> Decision {
        let claims = self.claims(finding);
        let case = Case {
            evidence: claims.evidence(),
            inside: &claims.inside,
            time: finding.time.or(self.observed),
            run_time: self.run_time,
            unknown_type: finding.unknown_type,
            has_identifier: finding.identifier.is_some(),
            copies: self.copies(finding),
            age_days_max: self.rulebook.age_days_max,
        };
        let decision = decide(&case, self.index);
        let decision = permit(decision, &case, &self.terms(finding), self.index, tell);
        self.keep_back(decision, finding)
    }

    /// What decides whether it may be told.
    fn terms<'t>(&'t self, finding: &'t Finding<'_>) -> Terms<'t> {
        let assessment = &self.rulebook.assessment;
        let mut inquiry = Inquiry {
            provenance: self.context.provenance(),
            tlp: self.context.tlp(finding),
            classification: "",
            identifier: finding.identifier.as_deref().unwrap_or_default(),
            severity: Severity::None,
            age_days: 0,
            part: finding.side,
        };
        // Without a rule nobody asks what is known of the trouble.
        if !assessment.rules.is_empty() {
            let entry = self.context.entry(finding);
            let seen = finding.time.or(self.observed).unwrap_or(self.run_time);
            inquiry.classification = self.context.classification(finding, entry);
            inquiry.severity = self.context.severity(finding, entry);
            inquiry.age_days = seen.days_begun_until(self.run_time);
            inquiry.part = entry.and_then(|entry| entry.part).unwrap_or(finding.side);
        }
        let is_tlp_unknown =
            self.context.provenance().is_tlp_unknown || Tlp::is_unknown(finding.tlp.as_deref());
        Terms { assessment, inquiry, is_tlp_unknown }
    }

    /// What a recipient is told of a finding: ids and lines are made from nothing else.
    pub(super) fn as_told<'f, 'r>(&self, finding: &'f Finding<'r>, line: &Line) -> Cow<'f, Finding<'r>> {
        self.redaction(line).of(finding)
    }

    fn redaction(&self, line: &Line) -> Redaction {
        self.rulebook.assessment.redaction_of(line.assessed)
    }

    /// What an exception keeps back. Held lines are kept back only all together: what a person must decide stays whole.
    fn keep_back(&self, decision: Decision, finding: &Finding<'_>) -> Decision {
        if self.exceptions.is_empty() {
            return decision;
        }
        let identifier = finding.identifier.as_deref();
        let fitting: Vec<&Excepted<'_>> = self
            .exceptions
            .iter()
            .filter(|it| it.exception.fits(finding.subject, finding.asn, identifier))
            .collect();
        if fitting.is_empty() {
            return decision;
        }
        let is_kept_back = |line: &Line| {
            let organisation = self.index.organisation(line.owner);
            fitting.iter().any(|it| it.organisation.is_none_or(|excepted| excepted == organisation))
        };
        match decision {
            // What the assessment drops would not be told: nothing of it is kept back.
            decision @ (Decision::Unmatched | Decision::Drop(_)) => decision,
            decision if decision.lines().iter().all(is_kept_back) => {
                Decision::Except(decision.lines().to_vec())
            }
            Decision::ShareWith(mut lines, _) => {
                let all = lines.len();
                lines.retain(|line| !is_kept_back(line));
                let kept_back = (all - lines.len()) as u64;
                Decision::ShareWith(lines, kept_back)
            }
            decision => decision,
        }
    }

    /// The registrations that speak about a finding.
    pub(super) fn claims(&self, finding: &Finding<'_>) -> Claims {
        let names = (finding.stated.as_deref(), &finding.shown[..]);
        Claims::find(self.index, &self.finder, finding.subject, names, finding.asn)
    }

    /// What is labelled for the recipient alone is for nobody else.
    fn copies(&self, finding: &Finding<'_>) -> Copies {
        if self.context.notice_tlp(finding) >= Tlp::AmberStrict { Copies::default() } else { self.copies }
    }

    pub(super) fn ids(&self, finding: &Finding<'_>, owner: u32) -> Ids {
        alert::ids(&self.context, finding, self.index.owner(OwnerIx(owner)).id)
    }

    pub(super) fn finding_id(&self, finding: &Finding<'_>) -> uuid::Uuid {
        alert::ids(&self.context, finding, "").finding
    }

    /// What the sorter compares ids by; `room` is for what is hashed.
    pub(super) fn id_hash(&self, room: &mut Vec<u8>, finding: &Finding<'_>, owner: u32) -> u64 {
        alert::id_hash(room, &self.context, finding, owner)
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

    /// What the recipient may know about the place: its own customer, if nothing narrower is registered.
    fn background(&self, finding: &Finding<'_>, line: &Line) -> Background<'_> {
        let assignment = match finding.subject {
            Some(Subject::Address(address)) => self.index.assignment(address),
            _ => None,
        };
        let is_its_own = |it: &Assignment<'_>| {
            let [told, owner] = [line.owner, it.owner].map(|owner| self.index.organisation(owner));
            let range = line.claim.key.range();
            owner == told && range.is_some_and(|range| range.contains(it.range))
        };
        let shared = match finding.subject {
            Some(Subject::Address(address)) => self.index.shared(address),
            _ => None,
        };
        Background { scope: line.claim.scope, assignment: assignment.filter(is_its_own), shared }
    }

    /// The alert of a finding for a recipient, by one of the lines that were decided.
    #[expect(clippy::too_many_arguments, reason = "an alert has that many parts")]
    pub(super) fn alert<'a>(
        &'a self,
        recipient: &'a Recipient,
        finding: &'a Finding<'a>,
        entry: Option<&'a Entry>,
        ids: &'a Ids,
        record: u64,
        line: &'a Line,
        hold: Option<Hold>,
        also: Option<&'a Merged>,
    ) -> Alert<'a> {
        let mut background = self.background(finding, line);
        let redaction = self.redaction(line);
        if redaction.takes(Removable::Assignment) {
            background.assignment = None;
        }
        Alert {
            finding,
            entry,
            redaction,
            record,
            line,
            registered: self.index.registered(&line.claim),
            member: line.member.map(|member| self.index.owner(member).id),
            background,
            ground: self.index.standing(line).ground,
            assessment: self.rulebook.assessment.code_of(line.assessed),
            hold,
            recipient,
            ids,
            also,
        }
    }
}
