//! Who is told: pure functions over the registrations that hold a finding's keys.
//!
//! The recipient is the user of the system, else the owner of the network. [`choose`] answers that for one day; [`decide`]
//! asks it for the day of the finding and for the day of the run, and holds what a person must see: a finding without a word
//! for what is wrong, a conflict, an owner that changed. [`Copies`] says who else is told. [`Senders`] says who warns.
//! [`Impact`] tells whose space becomes another's by a new index, before it is used.
//! [`explain`] gives a reason for each registration, and cannot disagree with [`choose`]: it asks it.
//!
//! Nothing here reads a clock, a file or an index beyond the few questions of [`Owners`]. [`permit`] asks whether what
//! was chosen may be told: by its label ([`Tlp`]), on which ground, and by the operator's [`Assessment`]. An [`Exception`] is what an
//! operator keeps back. A [`Fuse`] judges a run as a whole.

mod assess;
mod catalogue;
mod choose;
mod copies;
mod decide;
mod decision;
mod exception;
mod fuse;
mod impact;
mod permit;
mod protection;
mod provenance;
mod redaction;
mod rulebook;
mod sender;
mod severity;
mod tlp;

pub use assess::{
    ASSESSMENT_RULES_MAX, Assessment, AssessmentRule, Inquiry, NO_GROUND, Standing, Then, When,
};
pub use catalogue::{Ambiguous, Catalogue, Entry, Language, WORD_BYTES_MAX};
pub use choose::{Evidence, Explanation, Outcome, Owners, Reason, choose, explain};
pub use copies::{Copies, LinkMode, Notify};
pub use decide::{Case, FUTURE_SECONDS_MAX, decide};
pub use decision::{Assessed, Decision, Hold, Line, Rule};
pub use exception::Exception;
pub use fuse::{Blown, EARLIER_RUNS_MAX, EARLIER_RUNS_MIN, Fuse, FuseLimit, FuseMode, Sending};
pub use impact::{Impact, OwnerSpace, Space, TooMuch, Whose, check_change};
pub use permit::{Answer, Asked, Recipients, Terms, permit};
pub use protection::SourceProtection;
pub use provenance::{Credibility, Permission, Provenance, Reliability};
pub use redaction::{Redaction, Removable};
pub use rulebook::{AGE_DAYS_MAX, Rulebook};
pub use sender::{InOffice, Office, SenderName, SenderNameError, Senders};
pub use severity::Severity;
pub use tlp::Tlp;
