//! Who warns: the sender of each constituency, by date.

use crate::moment::Day;
use crate::register::Constituency;
use crate::text::show;
use std::fmt;

/// The name of a sender: `[a-z0-9][a-z0-9-]{0,31}`, fit for a directory name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SenderName(String);

/// Longest sender name.
const NAME_BYTES_MAX: usize = 32;

impl SenderName {
    /// Reads a name strictly.
    pub fn read(text: &str) -> Result<Self, SenderNameError> {
        let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let fits = text.len() <= NAME_BYTES_MAX
            && text.bytes().next().is_some_and(is_word)
            && text.bytes().all(|byte| is_word(byte) || byte == b'-');
        if fits { Ok(Self(text.to_owned())) } else { Err(SenderNameError(text.to_owned())) }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SenderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The text is no sender name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SenderNameError(String);

impl fmt::Display for SenderNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "\"{}\" is no sender name (write up to {NAME_BYTES_MAX} letters a-z, digits and -, the first no -, such as csirt-dsp)",
            show(self.0.as_bytes(), 2 * NAME_BYTES_MAX)
        )
    }
}

impl std::error::Error for SenderNameError {}

/// Who warns from a day on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Office {
    /// The first day.
    pub from: Day,
    /// By constituency; each at most once, the last counts.
    pub by: Vec<(Constituency, SenderName)>,
    /// `"*"`: the constituencies that `by` does not name.
    pub all: Option<SenderName>,
}

/// All offices, by date.
///
/// A constituency that an office does not name stays with the one before. Whom no office in force names, the defaults
/// do, so that there is always a sender: to 2025-12-31 `ncsc` for `vital`, `central-government` and `link-organisation`,
/// `csirt-dsp` for `digital-service-provider`, `dtc` for `business`; from 2026-01-01 `ncsc` for all.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Senders {
    /// By first day, ascending.
    offices: Vec<Office>,
}

impl Senders {
    /// Of the configuration's offices. Of offices from the same day the later one counts.
    pub fn new(mut offices: Vec<Office>) -> Self {
        offices.sort_by_key(|office| office.from);
        Self { offices }
    }

    /// Who is in office on a day: that of the run time.
    pub fn in_office(&self, day: Day) -> InOffice {
        InOffice(Constituency::ALL.map(|constituency| self.sender(constituency, day)))
    }

    fn sender(&self, constituency: Constituency, day: Day) -> SenderName {
        let begun = self.offices.iter().rev().filter(|office| office.from <= day);
        let named = begun.filter_map(|office| office.sender(constituency)).next();
        named.cloned().unwrap_or_else(|| default_sender(constituency, day))
    }
}

impl Office {
    fn sender(&self, constituency: Constituency) -> Option<&SenderName> {
        let named = self.by.iter().rev().find(|(one, _)| *one == constituency).map(|(_, sender)| sender);
        named.or(self.all.as_ref())
    }
}

/// The Dutch services: three of them, since 2026 one.
fn default_sender(constituency: Constituency, day: Day) -> SenderName {
    let merger = Day::read(b"2026-01-01").expect("a day that exists");
    let name = match constituency {
        _ if day >= merger => "ncsc",
        Constituency::Vital | Constituency::CentralGovernment | Constituency::LinkOrganisation => "ncsc",
        Constituency::DigitalServiceProvider => "csirt-dsp",
        Constituency::Business => "dtc",
    };
    SenderName(name.to_owned())
}

/// The senders of one run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InOffice([SenderName; 5]);

impl InOffice {
    /// Who warns a constituency; an owner without one counts as `business`.
    pub fn sender(&self, constituency: Option<Constituency>) -> &SenderName {
        let constituency = constituency.unwrap_or(Constituency::Business);
        let at = Constituency::ALL.iter().position(|&one| one == constituency);
        &self.0[at.expect("ALL is whole")]
    }

    /// Each sender once, by name.
    pub fn all(&self) -> Vec<&SenderName> {
        let mut all: Vec<_> = self.0.iter().collect();
        all.sort();
        all.dedup();
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Constituency::{Business, Vital};

    fn day(text: &str) -> Day {
        Day::read(text.as_bytes()).unwrap()
    }

    fn name(text: &str) -> SenderName {
        SenderName::read(text).unwrap()
    }

    fn check(senders: &Senders, on: &str, expected: [&str; 5]) {
        let office = senders.in_office(day(on));
        let found = Constituency::ALL.map(|constituency| office.sender(Some(constituency)).as_str());
        assert_eq!(found, expected, "on {on}, for {:?}", Constituency::ALL);
        assert_eq!(office.sender(None), office.sender(Some(Business)), "no constituency counts as business");
    }

    #[test]
    fn by_default_one_sender_warns_all_from_2026_on() {
        let senders = Senders::default();
        check(&senders, "0001-01-01", ["ncsc", "ncsc", "ncsc", "csirt-dsp", "dtc"]);
        check(&senders, "2025-12-31", ["ncsc", "ncsc", "ncsc", "csirt-dsp", "dtc"]);
        check(&senders, "2026-01-01", ["ncsc"; 5]);
        check(&senders, "9999-12-31", ["ncsc"; 5]);
    }

    #[test]
    fn the_latest_office_that_names_the_constituency_counts() {
        let offices = vec![
            Office { from: day("2027-01-01"), by: vec![(Vital, name("vital-desk"))], all: None },
            Office { from: day("2026-01-01"), by: vec![(Business, name("dtc"))], all: Some(name("ncsc")) },
        ];
        let senders = Senders::new(offices);
        check(&senders, "2025-12-31", ["ncsc", "ncsc", "ncsc", "csirt-dsp", "dtc"]);
        check(&senders, "2026-12-31", ["ncsc", "ncsc", "ncsc", "ncsc", "dtc"]);
        check(&senders, "2027-01-01", ["vital-desk", "ncsc", "ncsc", "ncsc", "dtc"]);
    }

    #[test]
    fn whom_no_office_names_the_defaults_do() {
        let only_vital =
            |from| Senders::new(vec![Office { from: day(from), by: vec![(Vital, name("v"))], all: None }]);
        check(&only_vital("2025-06-01"), "2025-06-01", ["v", "ncsc", "ncsc", "csirt-dsp", "dtc"]);
        check(&only_vital("2025-06-01"), "2026-01-01", ["v", "ncsc", "ncsc", "ncsc", "ncsc"]);
        check(&only_vital("2026-06-01"), "2026-05-31", ["ncsc"; 5]);
    }

    #[test]
    fn each_sender_is_listed_once() {
        let office = Senders::default().in_office(day("2025-01-01"));
        assert_eq!(
            office.all().iter().map(|name| name.as_str()).collect::<Vec<_>>(),
            ["csirt-dsp", "dtc", "ncsc"]
        );
    }

    #[test]
    fn names_are_read_strictly() {
        for good in ["a", "0", "a-", "csirt-dsp", &"x".repeat(32)] {
            assert_eq!(name(good).as_str(), good);
        }
        for bad in ["", "-a", "A", "a_b", "a.b", "a/b", "..", "é", "a b", &"x".repeat(33)] {
            assert!(SenderName::read(bad).is_err(), "{bad:?}");
        }
        assert_eq!(
            SenderName::read("../\n").unwrap_err().to_string(),
            r#""../\n" is no sender name (write up to 32 letters a-z, digits and -, the first no -, such as csirt-dsp)"#
        );
    }
}
