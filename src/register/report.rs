//! What reading and lint have to say about a register, bounded however bad it is.

use crate::register::ripe::RipeCounts;
use std::fmt;

/// What a finding is about; a closed set. All but the first two are warnings.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum FindingKind {
    /// A whole file that cannot be used: no header, another encoding. Fatal, also with `--keep-going`.
    BadSource,
    /// A row that cannot be used. Fatal, or skipped with `--keep-going`.
    BadRow,
    /// An object or line of a public database that cannot be used; nobody here can correct it. Skipped.
    Skipped,
    /// A column or key that is not known, and ignored.
    UnknownColumn,
    /// A file without a single owner.
    Empty,
    /// Two files disagree about an attribute of one owner; the first wins.
    Disagreement,
    /// The same registration again; kept once.
    Duplicate,
    /// `same_as` or `link` names an owner that is in no source.
    UnknownOwner,
    /// One number unites so many owners that it is likely a placeholder.
    WideUnion,
    /// Different organisations register the same in the same role and source: alerts will be held.
    Conflict,
    /// Ranges of different organisations overlap without one holding the other: alerts in the overlap will be held.
    Crossing,
    /// More than one organisation plausibly holds.
    TooWide,
    /// Special-purpose addresses, which only a registration inside their block holds.
    Special,
    /// No entry of the organisation has a contact: alerts will be held, or told to the next.
    NoContact,
    /// Valid until a day that has passed.
    Expired,
    /// Valid until a day that is near.
    ExpiresSoon,
    /// Registered for a user by default, and so wide, or with so many other organisations inside, that it may be a network's.
    UserTooWide,
    /// Wider than what the RIPE database knows of the same organisation.
    WiderThanAllocation,
    /// Addresses of a cloud, which change hands, without an end date.
    CloudWithoutEnd,
    /// A user's IPv6 prefix longer than /64, which holds less than one network.
    LongPrefix,
    /// Inside an object of another organisation in the RIPE database that is newer than the last verification.
    InsideNewer,
    /// Nobody made sure of it for more than a year.
    Unverified,
    /// A KVK number that is a placeholder.
    KvkForm,
    /// An address of mail that cannot be delivered to.
    BadContact,
    /// A ground that is none of the known ones: nobody is told on it.
    UnknownGround,
    /// An AS number that nobody can have, or that announces nothing.
    AsnUnknown,
}

/// How bad a finding is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Severity {
    /// Worth a look.
    Notice,
    /// Somebody may be told wrongly, late or not at all.
    Warning,
    /// It cannot be used.
    Error,
}

impl Severity {
    /// A word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FindingKind {
    /// All kinds.
    pub const ALL: [Self; 26] = [
        Self::BadSource,
        Self::BadRow,
        Self::Skipped,
        Self::UnknownColumn,
        Self::Empty,
        Self::Disagreement,
        Self::Duplicate,
        Self::UnknownOwner,
        Self::WideUnion,
        Self::Conflict,
        Self::Crossing,
        Self::TooWide,
        Self::Special,
        Self::NoContact,
        Self::Expired,
        Self::ExpiresSoon,
        Self::UserTooWide,
        Self::WiderThanAllocation,
        Self::CloudWithoutEnd,
        Self::LongPrefix,
        Self::InsideNewer,
        Self::Unverified,
        Self::KvkForm,
        Self::BadContact,
        Self::UnknownGround,
        Self::AsnUnknown,
    ];

    /// A word for summaries.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadSource => "bad-source",
            Self::BadRow => "bad-row",
            Self::Skipped => "skipped",
            Self::UnknownColumn => "unknown-column",
            Self::Empty => "empty",
            Self::Disagreement => "disagreement",
            Self::Duplicate => "duplicate",
            Self::UnknownOwner => "unknown-owner",
            Self::WideUnion => "wide-union",
            Self::Conflict => "conflict",
            Self::Crossing => "crossing",
            Self::TooWide => "too-wide",
            Self::Special => "special",
            Self::NoContact => "no-contact",
            Self::Expired => "expired",
            Self::ExpiresSoon => "expires-soon",
            Self::UserTooWide => "user-too-wide",
            Self::WiderThanAllocation => "wider-than-allocation",
            Self::CloudWithoutEnd => "cloud-without-end",
            Self::LongPrefix => "long-prefix",
            Self::InsideNewer => "inside-newer",
            Self::Unverified => "unverified",
            Self::KvkForm => "kvk-form",
            Self::BadContact => "bad-contact",
            Self::UnknownGround => "unknown-ground",
            Self::AsnUnknown => "asn-unknown",
        }
    }

    /// Reads what [`FindingKind::as_str`] writes.
    pub fn read(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// How bad it is.
    pub const fn severity(self) -> Severity {
        match self {
            Self::BadSource | Self::BadRow => Severity::Error,
            Self::Skipped
            | Self::UnknownColumn
            | Self::Duplicate
            | Self::Expired
            | Self::ExpiresSoon
            | Self::LongPrefix
            | Self::Unverified => Severity::Notice,
            _ => Severity::Warning,
        }
    }

    /// Whether it is an error; all else are warnings.
    pub const fn is_error(self) -> bool {
        matches!(self, Self::BadSource | Self::BadRow)
    }

    /// How many findings of this kind are kept with their text; the rest are counted.
    pub const fn kept_max(self) -> usize {
        if self.is_error() { 10_000 } else { 100 }
    }
}

impl fmt::Display for FindingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One thing that is wrong or unwise, where it stands, and what to do about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// What it is about.
    pub kind: FindingKind,
    /// The source's name.
    pub file: String,
    /// The line on which the row starts, from 1.
    pub line: u32,
    /// What is wrong, and the remedy in brackets. Foreign text in it is escaped.
    pub text: String,
}

impl fmt::Display for Finding {
    /// `file:line: what is wrong (remedy)`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.text)
    }
}

/// Findings in the order they were made; of each kind the first [`FindingKind::kept_max`] with their text, all counted.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Findings {
    kept: Vec<Finding>,
    counts: [u64; FindingKind::ALL.len()],
}

impl Findings {
    /// Counts a finding; `text` is asked for only if it is kept.
    pub(super) fn push(&mut self, kind: FindingKind, file: &str, line: u32, text: impl FnOnce() -> String) {
        let count = &mut self.counts[kind as usize];
        *count += 1;
        if *count <= kind.kept_max() as u64 {
            self.kept.push(Finding { kind, file: file.to_owned(), line, text: text() });
        }
    }

    /// Appends another's; what goes beyond the bounds stays counted.
    pub(super) fn append(&mut self, other: Findings) {
        let without_text = other.without_text();
        for finding in other.kept {
            let count = &mut self.counts[finding.kind as usize];
            *count += 1;
            if *count <= finding.kind.kept_max() as u64 {
                self.kept.push(finding);
            }
        }
        for (kind, left) in without_text {
            self.counts[kind as usize] += left;
        }
    }

    /// Those kept with their text.
    pub fn iter(&self) -> impl Iterator<Item = &Finding> {
        self.kept.iter()
    }

    /// Those kept of one kind.
    pub fn of(&self, kind: FindingKind) -> impl Iterator<Item = &Finding> {
        self.kept.iter().filter(move |finding| finding.kind == kind)
    }

    /// How many there are of a kind, those without text included.
    pub fn count(&self, kind: FindingKind) -> u64 {
        self.counts[kind as usize]
    }

    /// Kinds of which more were found than are kept, and how many are only counted.
    pub fn without_text(&self) -> impl Iterator<Item = (FindingKind, u64)> + use<> {
        let counts = self.counts;
        FindingKind::ALL.into_iter().filter_map(move |kind| {
            let left = counts[kind as usize].saturating_sub(kind.kept_max() as u64);
            (left > 0).then_some((kind, left))
        })
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.counts.iter().all(|&count| count == 0)
    }
}

/// What reading a register found and counted.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Report {
    /// Rows read, bad ones included; headers, empty lines and `#` lines are none.
    pub rows: u64,
    /// Rows that could not be used.
    pub bad_rows: u64,
    /// Objects and lines of public databases that could not be read.
    pub skipped: u64,
    /// What became of the objects of the RIPE database.
    pub ripe: RipeCounts,
    /// Registrations that another one said before: kept once.
    pub duplicates: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Errors and warnings in the order of sources and lines, then those about the register as a whole.
    pub findings: Findings,
}
