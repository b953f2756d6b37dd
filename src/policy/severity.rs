//! How bad a finding is, as one of IntelMQ's words.

/// The severity that an alert bears.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Severity {
    /// `critical`.
    Critical,
    /// `high`.
    High,
    /// `medium`.
    Medium,
    /// `low`.
    Low,
    /// `info`.
    Info,
    /// `undefined`: its producer says that it is none.
    Undefined,
    /// Nobody says one, or none of these words.
    None,
}

impl Severity {
    /// All, worst first.
    pub const ALL: [Self; 7] =
        [Self::Critical, Self::High, Self::Medium, Self::Low, Self::Info, Self::Undefined, Self::None];

    /// Its word; `none` is ours and never in an alert.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
            Self::Info => "info",
            Self::Undefined => "undefined",
            Self::None => "none",
        }
    }

    /// Reads a word in any case; [`Severity::None`] for what an alert cannot bear.
    pub fn read(text: &str) -> Self {
        let known = Self::ALL.into_iter().filter(|severity| *severity != Self::None);
        known.into_iter().find(|severity| text.eq_ignore_ascii_case(severity.as_str())).unwrap_or(Self::None)
    }
}
