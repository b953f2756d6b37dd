//! What is known of where findings come from: how good the source and its report are, and what may be done with them.
//!
//! Reliability and credibility are NATO's Admiralty code (AJP-2.1), which the services use among each other: a letter for the
//! source, a figure for what it says.

use super::Tlp;
use std::fmt;

/// How far a source could be relied on so far; most first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Reliability {
    /// Completely reliable.
    A,
    /// Usually reliable.
    B,
    /// Fairly reliable.
    C,
    /// Not usually reliable.
    D,
    /// Unreliable.
    E,
    /// Cannot be judged.
    F,
}

impl Reliability {
    /// All, most reliable first.
    pub const ALL: [Self; 6] = [Self::A, Self::B, Self::C, Self::D, Self::E, Self::F];

    /// Its letter.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::B => "B",
            Self::C => "C",
            Self::D => "D",
            Self::E => "E",
            Self::F => "F",
        }
    }

    /// Reads a letter of either case.
    pub fn read(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|letter| letter.as_str().eq_ignore_ascii_case(text.trim()))
    }
}

impl fmt::Display for Reliability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How likely what a report says is: 1 (confirmed by others) to 5 (improbable), 6 (cannot be judged).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Credibility(u8);

impl Credibility {
    /// All, most likely first.
    pub const ALL: [Self; 6] = [Self(1), Self(2), Self(3), Self(4), Self(5), Self(6)];

    /// Cannot be judged.
    pub const UNKNOWN: Self = Self(6);

    /// `None` unless 1 to 6.
    pub fn new(figure: u8) -> Option<Self> {
        (1..=6).contains(&figure).then_some(Self(figure))
    }

    /// Its figure.
    pub const fn figure(self) -> u8 {
        self.0
    }
}

impl fmt::Display for Credibility {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Whose word lets something go that its label would keep back.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Permission {
    /// Nobody's.
    #[default]
    None,
    /// The feed has an agreement: reaches to AMBER+STRICT.
    OfFeed,
    /// This one report has it: reaches to RED.
    OfReport,
}

/// What is known of where a run's findings come from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Provenance {
    /// Of the source.
    pub reliability: Option<Reliability>,
    /// Of the report.
    pub credibility: Option<Credibility>,
    /// The stricter of what feed and report say.
    pub tlp: Option<Tlp>,
    /// The report has a label that cannot be read: it may be any.
    pub is_tlp_unknown: bool,
    /// What notices bear at least.
    pub notice_tlp: Option<Tlp>,
    /// Whose word lets something go that its label would keep back.
    pub permission: Permission,
}

impl Provenance {
    /// Of which only a label is known.
    pub fn of_tlp(tlp: Option<Tlp>) -> Self {
        Self { tlp, ..Self::default() }
    }

    /// What an alert bears whose finding has this label: never less strict.
    #[must_use]
    pub fn notice_tlp_of(&self, tlp: Tlp) -> Tlp {
        tlp.max(self.notice_tlp.unwrap_or(Tlp::Clear))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_admiralty_code_is_six_letters_and_six_figures() {
        for (at, letter) in Reliability::ALL.into_iter().enumerate() {
            assert_eq!(at, letter as usize);
            assert_eq!(Reliability::read(&letter.as_str().to_lowercase()), Some(letter));
        }
        assert_eq!(["", "G", "AB", "1"].map(Reliability::read), [None; 4]);
        for figure in 0..=u8::MAX {
            assert_eq!(Credibility::new(figure).is_some(), (1..=6).contains(&figure));
        }
        assert_eq!(Credibility::ALL.map(Credibility::figure), [1, 2, 3, 4, 5, 6]);
    }
}
