//! `held list|show|release|discard`: what waits for a person, and what a person decides.
//!
//! Here is which alerts are meant; [`list`] counts them, [`show`] shows them, [`decide`] decides.

mod decide;
mod list;
mod show;

use super::failure::Failure;
use super::setup::{Setup, now, read_time};
use crate::alert::Told;
use crate::config::{Config, Overdue};
use crate::index::Index;
use crate::moment::Moment;
use crate::net::Asn;
use crate::pipeline::Claims;
use crate::policy::Hold;
use crate::spool::{Held, HeldLine, HeldRun, RunName, Word};
use crate::text::show;
use std::borrow::Cow;
use std::collections::HashMap;
use std::path::PathBuf;
use uuid::Uuid;

pub use decide::{DecisionRequest, Goal, held_decide};
pub use list::{HeldBy, held_list};
pub use show::held_show;

/// Where the spool is, and what the doors of held alerts read besides.
pub struct HeldPlace {
    /// Configuration and register.
    pub setup: Setup,
    /// `--spool`.
    pub spool: Option<PathBuf>,
    /// `--run-time`.
    pub run_time: Option<String>,
}

/// Which held alerts are meant, as typed. Of each kind that is given one must fit.
#[derive(Default)]
pub struct SelectionWords {
    /// Runs and alert ids, without an option.
    pub names: Vec<String>,
    /// `--run`.
    pub runs: Vec<String>,
    /// `--feed`.
    pub feeds: Vec<String>,
    /// `--reason`.
    pub reasons: Vec<String>,
    /// `--owner`.
    pub owners: Vec<String>,
    /// `--alert`.
    pub alerts: Vec<String>,
    /// `--older-than`, in days.
    pub older_than_days: Option<u16>,
    /// `--all`.
    pub all: bool,
}

/// Which held alerts are meant, checked.
struct Selection {
    runs: Vec<RunName>,
    feeds: Vec<String>,
    reasons: Vec<Hold>,
    owners: Vec<String>,
    alerts: Vec<Uuid>,
    until: Option<Moment>,
}

impl SelectionWords {
    fn read(&self, at: Moment) -> Result<Selection, Failure> {
        let usage = |problem: String| Failure::Usage(problem);
        let reason = |text: &String| {
            Hold::ALL.into_iter().find(|hold| hold.as_str() == text).ok_or_else(|| {
                let all = Hold::ALL.map(Hold::as_str).join(", ");
                usage(format!("--reason {}: a reason is one of {all}", show(text.as_bytes(), 64)))
            })
        };
        let run = |text: &String| RunName::read(text).map_err(|error| usage(format!("--run: {error}")));
        let alert = |text: &String| {
            text.parse().map_err(|_| usage(format!("--alert {}: no alert id", show(text.as_bytes(), 64))))
        };
        let mut selection = Selection {
            runs: self.runs.iter().map(run).collect::<Result<_, _>>()?,
            feeds: self.feeds.clone(),
            reasons: self.reasons.iter().map(reason).collect::<Result<_, _>>()?,
            owners: self.owners.clone(),
            alerts: self.alerts.iter().map(alert).collect::<Result<_, _>>()?,
            until: self.older_than_days.and_then(|days| days_before(at, days)),
        };
        for name in &self.names {
            match (name.parse(), RunName::read(name)) {
                (Ok(alert), _) => selection.alerts.push(alert),
                (_, Ok(run)) => selection.runs.push(run),
                _ => {
                    let shown = show(name.as_bytes(), 64);
                    return Err(usage(format!(
                        "{shown} is neither an alert id nor a run (dijkwacht held show)"
                    )));
                }
            }
        }
        Ok(selection)
    }

    fn is_empty(&self) -> bool {
        let Self { names, runs, feeds, reasons, owners, alerts, older_than_days, all } = self;
        !all && [names, runs, feeds, reasons, owners, alerts].iter().all(|words| words.is_empty())
            && older_than_days.is_none()
    }
}

fn days_before(at: Moment, days: u16) -> Option<Moment> {
    Moment::from_unix(at.unix_seconds() - i64::from(days) * DAY_SECONDS, 999_999_999)
}

const DAY_SECONDS: i64 = 86_400;

impl Selection {
    fn has_run(&self, run: &RunName) -> bool {
        (self.runs.is_empty() || self.runs.contains(run))
            && (self.feeds.is_empty() || self.feeds.iter().any(|feed| feed == run.feed()))
    }

    fn has(&self, held: &HeldRun, line: &HeldLine) -> bool {
        let owner = &held.facts(line).owner_id;
        (self.reasons.is_empty() || line.reason.is_some_and(|reason| self.reasons.contains(&reason)))
            && (self.owners.is_empty() || self.owners.iter().any(|id| id.eq_ignore_ascii_case(owner)))
            && (self.alerts.is_empty() || self.alerts.contains(&line.alert_id))
            && self.until.is_none_or(|until| held.published <= until)
    }
}

/// A place that is found: configuration, spool, the moment that counts as now.
struct Place {
    config: Config,
    path: PathBuf,
    at: Moment,
}

impl HeldPlace {
    fn find(&self) -> Result<Place, Failure> {
        let config = self.setup.read_config()?;
        let path = self.spool.clone().or_else(|| config.spool.clone()).ok_or_else(|| {
            Failure::Usage("no spool: give --spool DIR, or [spool] in the configuration".to_owned())
        })?;
        let at = match &self.run_time {
            Some(text) => read_time("--run-time", text)?,
            None => now(),
        };
        Ok(Place { config, path, at })
    }

    /// The register, where one is named.
    fn index(&self, config: &Config) -> Result<Option<Index>, Failure> {
        match self.setup.load_index(config) {
            Ok(index) => Ok(Some(index)),
            Err(Failure::Usage(_)) => Ok(None),
            Err(failure) => Err(failure),
        }
    }
}

fn moment<S: serde::Serializer>(moment: &Moment, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&moment.whole_seconds().id_text())
}

fn each_run(
    found: &Place,
    selection: &Selection,
    mut take: impl FnMut(HeldRun) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let held = Held::open(&found.path).map_err(Failure::Spool)?;
    for run in held.waiting().map_err(Failure::Spool)? {
        if selection.has_run(&run)
            && let Some(run) = held.read(&run).map_err(Failure::Spool)?
        {
            take(run)?;
        }
    }
    Ok(())
}

fn is_overdue(overdue: &Overdue, line: &HeldLine, held: &HeldRun, at: Moment) -> bool {
    let days = i64::from(overdue.days(line.severity));
    at.unix_seconds() - held.published.unix_seconds() > days * DAY_SECONDS
}

/// The file that the last line stood in: lines come file by file.
#[derive(Default)]
struct Content {
    file: Option<usize>,
    bytes: Vec<u8>,
}

impl Content {
    fn line(&mut self, held: &HeldRun, line: &HeldLine) -> Result<Vec<u8>, Failure> {
        if self.file != Some(line.file) {
            self.bytes = held.content(line.file).map_err(Failure::Spool)?;
            self.file = Some(line.file);
        }
        let changed = || Failure::Data(format!("{}: what is held changed while it was read", held.run()));
        self.bytes.get(line.place.clone()).map(<[u8]>::to_vec).ok_or_else(changed)
    }
}

/// The lines of each finding, by their places.
struct Rivals<'h>(HashMap<&'h crate::alert::Sighting, Vec<usize>>);

impl<'h> Rivals<'h> {
    fn of(held: &'h HeldRun) -> Self {
        let mut lines = HashMap::<_, Vec<usize>>::new();
        for (at, line) in held.lines.iter().enumerate() {
            lines.entry(&line.sighting).or_default().push(at);
        }
        Self(lines)
    }

    fn group(&self, held: &HeldRun, at: usize) -> &[usize] {
        self.0.get(&held.lines[at].sighting).map_or(&[], |lines| lines)
    }

    fn of_line<'o>(&self, held: &'o HeldRun, at: usize) -> Vec<&'o str> {
        let others = self.group(held, at).iter().filter(|&&other| other != at && held.lines[other].waits());
        others.map(|&other| held.facts(&held.lines[other]).owner_id.as_str()).collect()
    }
}

/// Longest reason and name of a person, in characters.
const WORD_CHARS_MAX: usize = 1_000;

/// A person's reason and name: neither may be empty.
pub(super) fn read_word(because: &str, by: Option<&str>) -> Result<Word, Failure> {
    for (option, text) in [("--because", Some(because)), ("--by", by)] {
        let Some(text) = text else { continue };
        if text.trim().is_empty() || text.chars().count() > WORD_CHARS_MAX {
            let problem = format!("{option} says who decides, or why: 1 to {WORD_CHARS_MAX} characters");
            return Err(Failure::Usage(problem));
        }
    }
    Ok(Word { because: because.trim().to_owned(), by: by.map(|by| by.trim().to_owned()) })
}

/// The registrations that speak about the finding of a line. A line names one host: as the one that the finding is about
/// only where that is how its recipient was found.
pub(super) fn claims_of(index: &Index, told: &Told<'_>) -> Claims {
    let host = told.text("source.fqdn");
    let (stated, shown) = match told.text("extra.match.key").as_deref() {
        Some("name") => (host.as_deref(), None),
        _ => (None, host.as_deref().map(Cow::Borrowed)),
    };
    let asn = told.number("source.asn").and_then(|number| u32::try_from(number).ok()).map(Asn);
    Claims::of(index, told.subject(), stated, shown.as_slice(), asn)
}
