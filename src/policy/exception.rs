//! Exceptions: what an operator decided not to tell, of whom or what, why, and until when.
//!
//! An exception names at least one of owner, prefix, AS number, identifier and feed; all that it names must fit. It ends by itself: the
//! day after its last nobody needs to remember it. What it keeps back is counted (`excepted`), never dropped in silence.

use crate::moment::Day;
use crate::net::{Asn, Prefix};
use crate::scan::Subject;

/// One exception.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Exception {
    /// An owner_id: alerts for its organisation.
    pub owner: Option<String>,
    /// Findings at addresses in it, or of prefixes inside it.
    pub prefix: Option<Prefix>,
    /// Findings whose record names it.
    pub asn: Option<Asn>,
    /// Findings of this, without regard to case.
    pub identifier: Option<String>,
    /// Findings of this feed.
    pub feed: Option<String>,
    /// Why, in the operator's words.
    pub reason: String,
    /// Who decided it.
    pub by: String,
    /// The last day, included.
    pub until: Day,
}

impl Exception {
    /// Whether it may fit alerts of a feed on a day.
    #[must_use]
    pub fn is_in_force(&self, feed: &str, day: Day) -> bool {
        day <= self.until && self.feed.as_deref().is_none_or(|own| own == feed)
    }

    /// Whether it fits a finding, whoever owns what.
    #[must_use]
    pub fn fits(&self, subject: Option<Subject>, asn: Option<Asn>, identifier: Option<&str>) -> bool {
        let is_inside = |prefix: Prefix| match subject {
            Some(Subject::Address(address)) => prefix.holds(address),
            Some(Subject::Prefix(inner)) => prefix.range().contains(inner.range()),
            None => false,
        };
        self.prefix.is_none_or(is_inside)
            && self.asn.is_none_or(|own| asn == Some(own))
            && self.identifier.as_deref().is_none_or(|own| {
                identifier.is_some_and(|identifier| identifier.to_lowercase() == own.to_lowercase())
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Address;

    fn day(text: &str) -> Day {
        Day::read(text.as_bytes()).unwrap()
    }

    fn exception() -> Exception {
        Exception {
            owner: None,
            prefix: None,
            asn: None,
            identifier: None,
            feed: None,
            reason: "our own scanner".to_owned(),
            by: "A. Analyst".to_owned(),
            until: day("2026-11-22"),
        }
    }

    #[test]
    fn it_ends_by_itself_and_may_be_of_one_feed() {
        let all = exception();
        assert!(
            all.is_in_force("partner", day("2026-11-22")) && !all.is_in_force("partner", day("2026-11-23"))
        );
        let one = Exception { feed: Some("other".to_owned()), ..exception() };
        assert!(
            one.is_in_force("other", day("2026-11-22")) && !one.is_in_force("partner", day("2026-11-22"))
        );
    }

    #[test]
    fn all_that_it_names_must_fit() {
        let prefix = |text: &str| Prefix::read(text.as_bytes()).unwrap();
        let address = |text: &str| Some(Subject::Address(Address::read(text.as_bytes()).unwrap()));
        let it = Exception {
            prefix: Some(prefix("192.0.2.0/24")),
            asn: Some(Asn(64496)),
            identifier: Some("Open-RDP".to_owned()),
            ..exception()
        };
        let (asn, identifier) = (Some(Asn(64496)), Some("open-rdp"));
        assert!(it.fits(address("192.0.2.255"), asn, identifier));
        assert!(it.fits(Some(Subject::Prefix(prefix("192.0.2.0/25"))), asn, identifier));
        assert!(!it.fits(Some(Subject::Prefix(prefix("192.0.0.0/16"))), asn, identifier));
        assert!(!it.fits(address("192.0.3.0"), asn, identifier));
        assert!(!it.fits(None, asn, identifier));
        assert!(!it.fits(address("192.0.2.1"), None, identifier));
        assert!(!it.fits(address("192.0.2.1"), asn, None));
        assert!(exception().fits(None, None, None));
    }
}
