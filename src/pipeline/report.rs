//! What a run came to, and whether its books balance.
//!
//! Three equations are checked before anything is published, in release builds too:
//! 1. `records = matched + unmatched + skipped + rejected`;
//! 2. `decisions = alerts + duplicates + held + dropped + excepted`;
//! 3. `alerts + held` = lines counted by reading the staged files back.

use super::RunError;
use super::render::Piece;
use crate::moment::Moment;
use crate::policy::{Blown, Hold, Severity};
use crate::scan::{Reject, Skip, Tally};
use crate::spool::{PublishedCounts, RecipientChange, Tallies};
use roaring::RoaringBitmap;
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::AddAssign;

/// What became of a dump.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// All of its notices are in the spool, or all its alerts in the output.
    Published,
    /// They were there before; nothing was written. The counts are those of what would have been.
    AlreadyPublished,
    /// Nothing was to be written.
    DryRun,
    /// Nothing was written, and `error` says why.
    Failed,
}

/// Counts by a closed set of reasons. Serialized as a map of those that are not 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CountBy<const N: usize> {
    counts: [u64; N],
    names: [&'static str; N],
}

impl<const N: usize> CountBy<N> {
    const fn new(names: [&'static str; N]) -> Self {
        Self { counts: [0; N], names }
    }

    /// Adds to the count of reason number `reason`.
    pub fn add(&mut self, reason: usize, count: u64) {
        self.counts[reason] += count;
    }

    /// All reasons together.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Reasons and counts, zeros too.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.names.into_iter().zip(self.counts)
    }
}

impl<const N: usize> AddAssign for CountBy<N> {
    fn add_assign(&mut self, other: Self) {
        self.counts.iter_mut().zip(other.counts).for_each(|(mine, theirs)| *mine += theirs);
    }
}

impl<const N: usize> Serialize for CountBy<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter().filter(|(_, count)| *count > 0))
    }
}

const REJECTS: usize = Reject::ALL.len();
const SKIPS: usize = Skip::ALL.len();
const HOLDS: usize = Hold::ALL.len();

/// The counts of a run. They add up.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Books {
    /// All records.
    pub records: u64,
    /// A registration is found, and the row is an exposure.
    pub matched: u64,
    /// No registration is found.
    pub unmatched: u64,
    /// Those of them whose address is special.
    pub unmatched_special: u64,
    /// Those of them whose address is in Dutch space: Dutch, but nobody's. `None` where the index knows of no space whether it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unmatched_dutch: Option<u64>,
    /// A registration is found, but the row is no exposure.
    pub skipped: u64,
    /// By reason.
    pub skipped_by: CountBy<SKIPS>,
    /// Cannot be read as far as it was judged.
    pub rejected: u64,
    /// By reason.
    pub rejected_by: CountBy<REJECTS>,
    /// Findings × recipients.
    pub decisions: u64,
    /// Lines in notices.
    pub alerts: u64,
    /// Decisions whose alert id was there before in the same file.
    pub duplicates: u64,
    /// Lines that wait for a person.
    pub held: u64,
    /// By reason.
    pub held_by: CountBy<HOLDS>,
    /// Dropped by the assessment.
    pub dropped: u64,
    /// Left out by an exception.
    pub excepted: u64,
    /// Owners with a notice.
    pub owners: u64,
    /// Bytes of the dump after decompression.
    pub bytes: u64,
    /// Bytes of the dump as stored.
    pub bytes_stored: u64,
}

impl Default for Books {
    fn default() -> Self {
        Self {
            records: 0,
            matched: 0,
            unmatched: 0,
            unmatched_special: 0,
            unmatched_dutch: None,
            skipped: 0,
            skipped_by: CountBy::new(Skip::ALL.map(Skip::as_str)),
            rejected: 0,
            rejected_by: CountBy::new(Reject::ALL.map(Reject::as_str)),
            decisions: 0,
            alerts: 0,
            duplicates: 0,
            held: 0,
            held_by: CountBy::new(Hold::ALL.map(Hold::as_str)),
            dropped: 0,
            excepted: 0,
            owners: 0,
            bytes: 0,
            bytes_stored: 0,
        }
    }
}

impl AddAssign<&Books> for Books {
    fn add_assign(&mut self, other: &Books) {
        self.records += other.records;
        self.matched += other.matched;
        self.unmatched += other.unmatched;
        self.unmatched_special += other.unmatched_special;
        if let Some(dutch) = other.unmatched_dutch {
            *self.unmatched_dutch.get_or_insert(0) += dutch;
        }
        self.skipped += other.skipped;
        self.skipped_by += other.skipped_by;
        self.rejected += other.rejected;
        self.rejected_by += other.rejected_by;
        self.decisions += other.decisions;
        self.alerts += other.alerts;
        self.duplicates += other.duplicates;
        self.held += other.held;
        self.held_by += other.held_by;
        self.dropped += other.dropped;
        self.excepted += other.excepted;
        self.owners += other.owners;
        self.bytes += other.bytes;
        self.bytes_stored += other.bytes_stored;
    }
}

/// Alerts of one sender by severity, in the order of [`Severity::ALL`].
pub type BySeverity = [u64; Severity::ALL.len()];

/// An equation that does not hold: a bug, and nothing is published.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unbalanced {
    equation: &'static str,
    left: u64,
    right: u64,
}

impl fmt::Display for Unbalanced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { equation, left, right } = self;
        write!(
            f,
            "the books do not balance: {equation}: {left} against {right} (a bug: please report it with this line)"
        )
    }
}

fn balance(equation: &'static str, left: u64, right: u64) -> Result<(), Unbalanced> {
    if left == right { Ok(()) } else { Err(Unbalanced { equation, left, right }) }
}

impl Books {
    /// Adds what a sweep counted. Candidates are added by who judged them.
    pub(super) fn add_sweep(&mut self, tally: &Tally) {
        self.records += tally.records;
        self.unmatched += tally.unmatched;
        self.unmatched_special += tally.unmatched_special;
        for (reason, count) in tally.rejected.iter().enumerate() {
            self.rejected += count;
            self.rejected_by.add(reason, *count);
        }
    }

    /// Counts a line that waits for a person.
    pub(super) fn hold(&mut self, reason: Hold) {
        self.held += 1;
        self.held_by.add(reason as usize, 1);
    }

    /// Counts rendered lines.
    pub(super) fn take(&mut self, piece: &Piece) {
        self.duplicates += piece.duplicates;
        if piece.held {
            piece.reasons.iter().for_each(|reason| self.hold(*reason));
        } else {
            self.alerts += piece.lines;
        }
    }

    /// The first two equations, and that the parts add up to their wholes.
    pub fn check(&self) -> Result<(), Unbalanced> {
        let judged = self.matched + self.unmatched + self.skipped + self.rejected;
        balance("records = matched + unmatched + skipped + rejected", self.records, judged)?;
        let parts = self.unmatched_special.max(self.unmatched_dutch.unwrap_or_default());
        balance("unmatched = what is Dutch of it, and the rest", self.unmatched, self.unmatched.max(parts))?;
        let decided = self.alerts + self.duplicates + self.held + self.dropped + self.excepted;
        balance("decisions = alerts + duplicates + held + dropped + excepted", self.decisions, decided)?;
        balance("rejected = sum of its reasons", self.rejected, self.rejected_by.total())?;
        balance("skipped = sum of its reasons", self.skipped, self.skipped_by.total())?;
        balance("held = sum of its reasons", self.held, self.held_by.total())
    }

    /// The third equation.
    pub fn check_staged(&self, lines: u64) -> Result<(), Unbalanced> {
        balance("alerts + held = lines in the staged files", self.alerts + self.held, lines)
    }
}

/// Where a record is that cannot be read.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
pub struct RejectedAt {
    /// Its number, from 1.
    pub record: u64,
    /// Its first byte in the decompressed dump.
    pub offset: u64,
    /// Why.
    pub reason: &'static str,
}

/// What one dump came to, as the summary prints it.
#[derive(Debug, Serialize)]
pub struct RunReport {
    /// The dump as it was named; `-` is standard input.
    pub dump: String,
    /// Its feed.
    pub feed: String,
    /// Its format, once known.
    pub format: Option<String>,
    /// The run's name, once the content is hashed.
    pub run: Option<String>,
    /// What became of it.
    pub state: State,
    /// Why it failed.
    pub error: Option<String>,
    /// The counts.
    #[serde(flatten)]
    pub books: Books,
    /// The limit of the feed's fuse that it is beyond: all that would have been sent is held.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fuse: Option<Blown>,
    /// The first records that were rejected.
    pub rejected_first: Vec<RejectedAt>,
    /// Of a run that puts another right: whose findings are another's now.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<RecipientChange>,
    /// Of a dry run that is asked for it: who would be sent how much, the most first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipients: Option<Vec<RecipientCount>>,
    /// Wall-clock seconds.
    pub seconds: f64,
    /// Alerts by sender and severity, of a run whose lines were written; its sum is then the books' `alerts`.
    #[serde(skip)]
    pub alerts_by: BTreeMap<String, BySeverity>,
    /// Owners with a notice, by number in the index.
    #[serde(skip)]
    pub told: RoaringBitmap,
    /// Lines by owner, whether held, and what is wrong.
    #[serde(skip)]
    pub(super) identifiers: BTreeMap<(u32, bool), Tallies>,
    /// For a dump seen before: when it was published.
    #[serde(skip)]
    pub published: Option<Moment>,
    /// For a dump seen before: what was published then.
    #[serde(skip)]
    pub published_counts: Option<PublishedCounts>,
    /// What `error` says, for the exit code.
    #[serde(skip)]
    pub failure: Option<RunError>,
}

impl RunReport {
    /// A report on a dump of which nothing is known yet.
    pub(super) fn new(dump: &str) -> Self {
        Self {
            dump: dump.to_owned(),
            feed: String::new(),
            format: None,
            run: None,
            state: State::Failed,
            error: None,
            books: Books::default(),
            fuse: None,
            rejected_first: Vec::new(),
            changes: Vec::new(),
            recipients: None,
            seconds: 0.0,
            alerts_by: BTreeMap::new(),
            told: RoaringBitmap::new(),
            identifiers: BTreeMap::new(),
            published: None,
            published_counts: None,
            failure: None,
        }
    }

    /// Counts rendered lines of one recipient, whom `sender` warns.
    pub(super) fn take(&mut self, piece: &Piece, sender: &str) {
        self.books.take(piece);
        let tallies = self.identifiers.entry((piece.owner, piece.held)).or_default();
        piece.identifiers.iter().for_each(|(identifier, lines)| tallies.add(identifier, *lines));
        if piece.held {
            return;
        }
        self.told.insert(piece.owner);
        if !self.alerts_by.contains_key(sender) {
            self.alerts_by.insert(sender.to_owned(), BySeverity::default());
        }
        let counts = self.alerts_by.get_mut(sender).expect("inserted above");
        counts.iter_mut().zip(piece.severities).for_each(|(count, lines)| *count += lines);
    }

    pub(super) fn already_published(
        &mut self,
        at: Moment,
        counts: Option<PublishedCounts>,
        fuse: Option<Blown>,
    ) {
        self.state = State::AlreadyPublished;
        self.fuse = fuse;
        self.published = Some(at);
        self.published_counts = counts;
    }

    /// What was counted until then is forgotten: it is of a part of the dump, and nothing of it was published.
    pub(super) fn fail(&mut self, error: RunError) {
        self.state = State::Failed;
        self.books = Books { bytes_stored: self.books.bytes_stored, ..Books::default() };
        self.fuse = None;
        self.rejected_first.clear();
        self.changes.clear();
        self.alerts_by.clear();
        self.told.clear();
        self.identifiers.clear();
        self.recipients = None;
        self.error = Some(error.to_string());
        self.failure = Some(error);
    }
}

impl RunReport {
    /// Of a run whose fuse blew just now: which limit, by how much, and where to look. Without a spool nothing is kept.
    pub fn fuse_line(&self, is_in_spool: bool) -> Option<String> {
        let Self { feed, fuse, state, run, .. } = self;
        let blown = fuse.as_ref()?;
        let what = match (state, run) {
            (State::Published, Some(run)) if is_in_spool => {
                format!("all are held (fuse); look at them with dijkwacht held list --run {run}")
            }
            (State::Published, _) => "none is written (fuse)".to_owned(),
            (State::DryRun, _) => "all would be held (fuse)".to_owned(),
            (State::AlreadyPublished | State::Failed, _) => return None,
        };
        Some(format!("feed {feed}: {blown}: {what}"))
    }
}

/// What one owner would be sent by a run.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct RecipientCount {
    /// Its id.
    pub owner_id: String,
    /// Its name.
    pub name: Option<String>,
    /// Who warns it.
    pub sender: String,
    /// Alerts.
    pub alerts: u64,
    /// Lines that would wait for a person.
    pub held: u64,
}

/// All dumps of one call.
#[derive(Serialize)]
pub struct Summary<'r> {
    /// In the order of the arguments.
    pub dumps: &'r [RunReport],
    /// Their sum.
    pub total: Total,
}

/// The sum of all dumps.
#[derive(Serialize)]
pub struct Total {
    /// The counts; `owners` is distinct.
    #[serde(flatten)]
    pub books: Books,
    /// Wall-clock seconds.
    pub seconds: f64,
    /// Dumps by what became of them.
    pub states: BTreeMap<&'static str, u64>,
}

impl<'r> Summary<'r> {
    /// Adds up what the dumps came to.
    pub fn of(dumps: &'r [RunReport]) -> Self {
        let mut books = Books::default();
        let mut told = RoaringBitmap::new();
        let mut states = BTreeMap::new();
        for dump in dumps {
            books += &dump.books;
            told |= &dump.told;
            *states.entry(dump.state.as_str()).or_default() += 1;
        }
        books.owners = told.len();
        Self { dumps, total: Total { books, seconds: dumps.iter().map(|dump| dump.seconds).sum(), states } }
    }
}

impl State {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Published, Self::AlreadyPublished, Self::DryRun, Self::Failed];

    /// Its name in the summary.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::AlreadyPublished => "already_published",
            Self::DryRun => "dry_run",
            Self::Failed => "failed",
        }
    }
}
