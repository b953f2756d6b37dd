//! The configuration: one TOML file, every setting typed, unknown keys refused with a suggestion.
//!
//! ```toml
//! [register]
//! sources = ["/etc/dijkwacht/register.csv"]   # in order of precedence
//! index = "/var/lib/dijkwacht/owners.dwi"     # built from the sources
//! [spool]
//! path = "/var/spool/dijkwacht/spool"
//! [feeds.partner]
//! label = "A partner"
//! ```
//!
//! The documented example is [`EXAMPLE`]. Relative paths are relative to the file's directory. What the operator wrote and what
//! the program uses are two types: the serde structs here are private, [`Config`] is checked.

mod assessment;
mod dump_report;
mod findings;

pub use assessment::{read_classification, read_part, read_severity, read_standing};
pub use dump_report::{DumpReport, REPORT_BYTES_MAX};
pub use findings::{BUILT_IN as FINDINGS, Findings};

use crate::alert::{is_classification, is_severity};
use crate::moment::{Day, TimeStyle};
use crate::net::{Asn, Prefix};
use crate::pipeline::{FeedFacts, SourceReport};
use crate::policy::{
    AGE_DAYS_MAX, Copies, Credibility, Exception, Fuse, FuseMode, Language, LinkMode, Notify, Office,
    Permission, Provenance, Reliability, Rulebook, SenderName, Senders, Severity, SourceProtection, Tlp,
};
use crate::register::Constituency;
use crate::scan::{Encoding, FORMATS, Field, FormatOptions, RECORD_BYTES_MAX, Take};
use crate::spool::Sender;
use crate::text::{says_nothing, show};
use assessment::{WrittenRule, check_assessment, one_of};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// Every setting with its default and its consequence; `generate config` prints it.
pub const EXAMPLE: &str = include_str!("../systemd/dijkwacht.toml");

/// Where the configuration is looked for when nobody names one.
pub const DEFAULT_PATH: &str = "/etc/dijkwacht/dijkwacht.toml";

/// A checked configuration.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Register files, in order of precedence.
    pub sources: Vec<PathBuf>,
    /// The index built from them.
    pub index: Option<PathBuf>,
    /// The index is built again when a source is newer.
    pub rebuild: bool,
    /// A build that moves more than this share of the space, or of one owner's, needs a person's word.
    pub change_max: Option<f64>,
    /// Where dumps arrive.
    pub inbox: Option<PathBuf>,
    /// How they are taken in.
    pub intake: Intake,
    /// Where notices go.
    pub spool: Option<PathBuf>,
    /// What is Dutch and nobody's is listed for each run.
    pub residual: bool,
    /// A sender's directory belongs to this group.
    pub groups: BTreeMap<Sender, String>,
    /// Where metrics are served.
    pub metrics_listen: Option<SocketAddr>,
    /// What is said about feeds, by name.
    pub feeds: BTreeMap<String, Feed>,
    /// Who warns whom, from when.
    pub senders: Senders,
    /// Who else is told, where a feed says nothing of it.
    pub copies: Copies,
    /// What is kept back, told, held and dropped.
    pub rulebook: Rulebook,
    /// What is known of kinds of trouble.
    pub findings: Findings,
    /// In which language readers are told what is wrong.
    pub language: Language,
    /// Limits on dumps.
    pub limits: Limits,
    /// How the daemon writes its log.
    pub log: LogFormat,
    /// How long an alert may wait for a person.
    pub overdue: Overdue,
    /// How long what is done with is kept.
    pub keep_days: KeepDays,
}

/// How many days each kind of thing is kept; `None`: for good. What waits for a person is kept until it is decided.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KeepDays {
    /// Dumps in the inbox's `done`, after they came there.
    pub dumps: Option<u16>,
    /// Dumps in the inbox's `failed`, and why they are there.
    pub rejects: Option<u16>,
    /// Notices, after they were published, once all are sent.
    pub notices: Option<u16>,
    /// What was held, after the last decision about it.
    pub held: Option<u16>,
    /// That a run was published.
    pub manifests: Option<u16>,
}

/// Days that an alert may wait for a person before it is overdue, by its severity.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Overdue([u16; Severity::ALL.len()]);

impl Default for Overdue {
    /// The worse, the sooner; what nobody calls bad or harmless is looked at within a week.
    fn default() -> Self {
        Self(Severity::ALL.map(|severity| match severity {
            Severity::Critical => 1,
            Severity::High => 2,
            Severity::Medium => 5,
            Severity::Low => 14,
            Severity::Info => 30,
            Severity::Undefined | Severity::None => 7,
        }))
    }
}

impl Overdue {
    /// Days that an alert of this severity may wait.
    pub fn days(&self, severity: Severity) -> u16 {
        self.0[severity as usize]
    }
}

/// How the daemon takes dumps in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Intake {
    /// A file that nobody was seen closing is whole once it did not change for so long.
    pub settle_seconds: u64,
    /// Files up to this size have a lane of their own.
    pub small_bytes_max: u64,
    /// The inbox is listed at least so often, whatever inotify said.
    pub rescan_seconds: u64,
    /// A dump that killed the process so often is not tried again.
    pub tries_max: u32,
    /// No dump is taken while more notices than this wait for a mailer, counted as claims that could be made.
    pub unclaimed_max: u64,
}

/// Listed less often, a missed file would wait too long.
pub const RESCAN_SECONDS_MAX: u64 = 30;
/// More tries at a dump that kills would be a loop.
pub const TRIES_MAX: u32 = 10;

impl Default for Intake {
    fn default() -> Self {
        Self {
            settle_seconds: 10,
            small_bytes_max: 64 << 20,
            rescan_seconds: RESCAN_SECONDS_MAX,
            tries_max: 3,
            unclaimed_max: 100_000,
        }
    }
}

/// How the daemon writes its log.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// To the journal with fields where standard error is the journal, else text.
    #[default]
    Auto,
    /// Text on standard error.
    Text,
    /// One JSON object a line on standard error.
    Json,
}

/// What the configuration says about one feed; the default where it does not name it.
#[derive(Clone, Debug, Default)]
pub struct Feed {
    /// Dumps of the feed with the highest are taken first; 0 where it says nothing.
    pub priority: i32,
    /// What a recipient reads for its name.
    pub label: Option<String>,
    /// Who provides it, where recipients may know.
    pub provider: Option<String>,
    /// Its format, where not by content.
    pub format: Option<String>,
    /// Field to column.
    pub map: BTreeMap<Field, String>,
    /// What is wrong with everything in it.
    pub identifier: Option<String>,
    /// How good it is, its label, and what may be done with it.
    pub provenance: Provenance,
    /// Which agreement lets AMBER+STRICT go to users.
    pub permission: Option<String>,
    /// What recipients are not told of it.
    pub protection: SourceProtection,
    /// RSIT type of its findings.
    pub classification: Option<String>,
    /// Severity where the record has none.
    pub severity: Option<String>,
    /// Which rows are taken.
    pub take: Take,
    /// An open port is itself a finding.
    pub finding: bool,
    /// Text encoding, where it has no byte order mark.
    pub encoding: Option<Encoding>,
    /// Whose first line opens its encrypted dumps.
    pub password_file: Option<PathBuf>,
    /// Its addresses and names may be defanged.
    pub refang: bool,
    /// How it writes times.
    pub time_style: Option<Arc<TimeStyle>>,
    /// Whether network owners hear what users are told.
    pub notify: Option<Notify>,
    /// What link organisations are told.
    pub link_mode: Option<LinkMode>,
    /// How much of it is sent before a person looks.
    pub fuse: Fuse,
    /// What the report beside the dump at hand says, if it has one.
    pub report: Option<Arc<SourceReport>>,
}

/// Limits on what is read.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Longest record, bytes.
    pub record_bytes_max: usize,
    /// Largest dump after decompression, bytes.
    pub decompressed_bytes_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            record_bytes_max: RECORD_BYTES_MAX,
            decompressed_bytes_max: crate::scan::DECOMPRESSED_BYTES_MAX,
        }
    }
}

/// Why a configuration cannot be used.
#[derive(Debug)]
pub enum ConfigError {
    /// The file cannot be read.
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// It is not what it should be.
    Invalid {
        /// The file.
        path: PathBuf,
        /// From 1, where known.
        at: Option<(usize, usize)>,
        /// What is wrong, and the remedy.
        problem: String,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { path, error } if error.kind() == std::io::ErrorKind::NotFound => write!(
                f,
                "{}: there is no such file (name another with --config, or begin one with `dijkwacht generate config`)",
                path.display()
            ),
            Self::Read { path, error } => write!(f, "{}: {error}", path.display()),
            Self::Invalid { path, at: Some((line, column)), problem } => {
                write!(f, "{}:{line}:{column}: {problem}", path.display())
            }
            Self::Invalid { path, at: None, problem } => write!(f, "{}: {problem}", path.display()),
        }
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// Reads and checks a file.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text =
            std::fs::read_to_string(path).map_err(|error| ConfigError::Read { path: path.into(), error })?;
        Self::parse(&text, path)
    }

    /// Checks a text; `path` is for messages and for relative paths in it.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let invalid = |at, problem| ConfigError::Invalid { path: path.into(), at, problem };
        let mut written: Written = toml::from_str(text).map_err(|error| {
            invalid(error.span().map(|span| line_and_column(text, span.start)), explain(error.message()))
        })?;
        let base = path.parent().unwrap_or(Path::new(""));
        let own = std::mem::take(&mut written.findings);
        let in_file = match &written.policy.findings {
            Some(file) => findings::read_file(&base.join(file))?,
            None => findings::Table::new(),
        };
        let checked = || {
            let language = written.policy.language()?;
            let findings = findings::build(findings::over(own, in_file), language)?;
            Ok(Config { findings: Findings(Arc::new(findings)), language, ..written.check(base)? })
        };
        let wrong = |Wrong { keys, problem }| invalid(find_value(text, &keys), problem);
        checked().map_err(wrong)
    }

    /// What is said about a feed.
    pub fn feed(&self, name: &str) -> Feed {
        self.feeds.get(name).cloned().unwrap_or_default()
    }

    /// What is said about a feed where the dump at hand has this report.
    pub fn feed_with(&self, name: &str, report: Option<&DumpReport>) -> Feed {
        let feed = self.feed(name);
        match report {
            Some(report) => report.over(feed),
            None => feed,
        }
    }
}

/// A value that cannot be used.
struct Wrong {
    /// The keys that lead to it, from the outermost; the last may be missing in the file.
    keys: Vec<String>,
    /// What is wrong with it, and the remedy.
    problem: String,
}

impl Wrong {
    fn at(keys: &[&str]) -> impl Fn(String) -> Self {
        move |problem| Self { keys: keys.iter().map(|&key| key.to_owned()).collect(), problem }
    }
}

/// Where a value stands, or the innermost table that would hold it.
fn find_value(text: &str, keys: &[String]) -> Option<(usize, usize)> {
    let document = toml::de::DeTable::parse(text).ok()?;
    let (mut table, mut at) = (Some(document.get_ref()), None);
    for key in keys {
        let Some((name, value)) = table.and_then(|table| table.get_key_value(key.as_str())) else { break };
        // A table's own span is that of its header; a value is pointed at itself.
        let is_table = value.get_ref().as_table().is_some();
        at = Some(if is_table { name.span().start } else { value.span().start });
        table = value.get_ref().as_table();
    }
    at.map(|at| line_and_column(text, at))
}

fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = &text[..at.min(text.len())];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// Adds "did you mean" to serde's message on an unknown key.
fn explain(message: &str) -> String {
    let message = message.trim_end();
    let mut quoted = message.split('`').skip(1).step_by(2);
    let (Some(unknown), true) = (quoted.next(), message.starts_with("unknown")) else {
        return message.to_owned();
    };
    match nearest(unknown, quoted) {
        Some(known) => format!("unknown key `{}` (did you mean `{known}`?)", show(unknown.as_bytes(), 64)),
        None => message.to_owned(),
    }
}

/// The candidate that is most like `word`, if any is like it at all: by much, or by all but one slip of the fingers.
pub fn nearest<'c>(word: &str, candidates: impl Iterator<Item = &'c str>) -> Option<&'c str> {
    candidates
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        .filter(|(likeness, candidate)| *likeness > 0.8 || strsim::osa_distance(word, candidate) == 1)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// The file as written.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Written {
    register: WrittenRegister,
    inbox: WrittenInbox,
    spool: WrittenSpool,
    metrics: WrittenMetrics,
    feeds: BTreeMap<String, WrittenFeed>,
    senders: Vec<BTreeMap<String, WrittenSender>>,
    policy: WrittenPolicy,
    exceptions: Vec<WrittenException>,
    assessment: Vec<WrittenRule>,
    findings: findings::Table,
    limits: WrittenLimits,
    log: WrittenLog,
    held: WrittenHeld,
    retention: KeepDays,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct WrittenHeld {
    overdue_days: BTreeMap<String, u16>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct WrittenRegister {
    sources: Vec<PathBuf>,
    index: Option<PathBuf>,
    rebuild: bool,
    change_max: Option<f64>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct WrittenInbox {
    path: Option<PathBuf>,
    settle_seconds: Option<u64>,
    small_bytes_max: Option<u64>,
    rescan_seconds: Option<u64>,
    tries_max: Option<u32>,
    unclaimed_max: Option<u64>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct WrittenLog {
    format: LogFormat,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct WrittenSpool {
    path: Option<PathBuf>,
    residual: bool,
    groups: BTreeMap<String, String>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct WrittenMetrics {
    listen: Option<SocketAddr>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenException {
    owner: Option<String>,
    prefix: Option<String>,
    asn: Option<String>,
    identifier: Option<String>,
    feed: Option<String>,
    reason: String,
    by: String,
    until: toml::value::Datetime,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct WrittenPolicy {
    notify: Option<String>,
    link_mode: Option<String>,
    age_days_max: Option<u16>,
    findings: Option<PathBuf>,
    language: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct WrittenLimits {
    record_bytes_max: Option<usize>,
    decompressed_bytes_max: Option<u64>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct WrittenFeed {
    priority: i32,
    label: Option<String>,
    provider: Option<String>,
    format: Option<String>,
    map: BTreeMap<String, String>,
    identifier: Option<String>,
    classification: Option<String>,
    severity: Option<String>,
    tlp: Option<String>,
    notice_tlp: Option<String>,
    hide_source_from: Option<String>,
    opaque: bool,
    permission: Option<String>,
    reliability: Option<String>,
    credibility: Option<u8>,
    take: Option<String>,
    finding: bool,
    refang: bool,
    encoding: Option<String>,
    password_file: Option<PathBuf>,
    time_format: Option<String>,
    time_zone: Option<String>,
    notify: Option<String>,
    link_mode: Option<String>,
    mode: Option<String>,
    alerts_max: Option<u64>,
    owners_max: Option<u64>,
    growth_max: Option<f64>,
}

/// A day or a sender's name.
#[derive(Deserialize)]
#[serde(untagged)]
enum WrittenSender {
    Day(toml::value::Datetime),
    Name(String),
}

impl Written {
    fn check(self, base: &Path) -> Result<Config, Wrong> {
        let under = |path: PathBuf| plain(&base.join(path));
        let limits = Limits::default();
        let intake = self.inbox.check()?;
        let policy = self.policy;
        let age_days_max = policy.age_days_max.unwrap_or(AGE_DAYS_MAX);
        if self.register.rebuild && (self.register.index.is_none() || self.register.sources.is_empty()) {
            let problem =
                "[register] rebuild needs sources, and the index that is built from them".to_owned();
            return Err(Wrong::at(&["register", "rebuild"])(problem));
        }
        if let Some(share) = self.register.change_max.filter(|share| !(0.0..=1.0).contains(share)) {
            let problem = format!("[register] change_max is a share from 0 to 1 (such as 0.05), not {share}");
            return Err(Wrong::at(&["register", "change_max"])(problem));
        }
        Ok(Config {
            rebuild: self.register.rebuild,
            change_max: self.register.change_max,
            intake,
            log: self.log.format,
            overdue: self.held.check().map_err(Wrong::at(&["held"]))?,
            keep_days: self.retention,
            sources: self.register.sources.into_iter().map(under).collect(),
            index: self.register.index.map(under),
            inbox: self.inbox.path.map(under),
            spool: self.spool.path.map(under),
            residual: self.spool.residual,
            groups: self.spool.groups.into_iter().map(check_group).collect::<Result<_, _>>()?,
            metrics_listen: self.metrics.listen,
            feeds: self.feeds.into_iter().map(|feed| check_feed(feed, base)).collect::<Result<_, _>>()?,
            senders: check_senders(self.senders).map_err(Wrong::at(&["senders"]))?,
            copies: policy
                .check()
                .map_err(|problem| Wrong::at(&["policy"])(format!("[policy]: {problem}")))?,
            rulebook: Rulebook {
                exceptions: (self.exceptions.into_iter().map(WrittenException::check))
                    .collect::<Result<_, _>>()
                    .map_err(|problem| Wrong::at(&["exceptions"])(format!("[[exceptions]]: {problem}")))?,
                assessment: check_assessment(self.assessment, age_days_max)
                    .map_err(Wrong::at(&["assessment"]))?,
                age_days_max,
            },
            findings: Findings::default(),
            language: Language::default(),
            limits: Limits {
                record_bytes_max: self.limits.record_bytes_max.unwrap_or(limits.record_bytes_max),
                decompressed_bytes_max: self
                    .limits
                    .decompressed_bytes_max
                    .unwrap_or(limits.decompressed_bytes_max),
            },
        })
    }
}

impl WrittenHeld {
    fn check(&self) -> Result<Overdue, String> {
        let mut overdue = Overdue::default();
        for (word, days) in &self.overdue_days {
            let severity = Severity::ALL.into_iter().find(|severity| severity.as_str() == word);
            let severity = severity.ok_or_else(|| {
                let all = Severity::ALL.map(Severity::as_str).join(", ");
                format!("[held.overdue_days] {} is none of {all}", show(word.as_bytes(), 64))
            })?;
            overdue.0[severity as usize] = *days;
        }
        Ok(overdue)
    }
}

impl WrittenException {
    fn check(self) -> Result<Exception, String> {
        let prefix = match self.prefix.as_deref() {
            Some(text) => Some(Prefix::read(text.as_bytes()).map_err(|error| format!("prefix {error}"))?),
            None => None,
        };
        let asn = match self.asn.as_deref() {
            Some(text) => Some(Asn::read(text.as_bytes()).ok_or_else(|| {
                format!("asn \"{}\" is no AS number (write AS64496)", show(text.as_bytes(), 64))
            })?),
            None => None,
        };
        let Some(until) = Day::read(self.until.to_string().as_bytes()) else {
            return Err(format!("until is a day (such as 2026-12-31), not {}", self.until));
        };
        for (key, text) in [("reason", &self.reason), ("by", &self.by)] {
            if says_nothing(text) {
                return Err(format!("{key} says nothing (write who decided, and why)"));
            }
        }
        let Self { owner, identifier, feed, reason, by, .. } = self;
        let names_nothing =
            owner.is_none() && prefix.is_none() && asn.is_none() && identifier.is_none() && feed.is_none();
        if names_nothing {
            return Err(
                "it names none of owner, prefix, asn, identifier and feed, and would keep back everything"
                    .to_owned(),
            );
        }
        Ok(Exception { owner, prefix, asn, identifier, feed, reason, by, until })
    }
}

impl WrittenPolicy {
    fn language(&self) -> Result<Language, Wrong> {
        let read = |word| one_of("language", word, &Language::ALL, |it| it.as_str());
        let language = self.language.as_deref().map(read).transpose();
        let language = language.map_err(|problem| format!("[policy] {problem}"));
        language.map(Option::unwrap_or_default).map_err(Wrong::at(&["policy", "language"]))
    }

    fn check(&self) -> Result<Copies, String> {
        let notify = self.notify.as_deref().map(read_notify).transpose()?;
        let link_mode = self.link_mode.as_deref().map(read_link_mode).transpose()?;
        Ok(Copies { notify: notify.unwrap_or_default(), link_mode: link_mode.unwrap_or_default() })
    }
}

fn read_notify(word: &str) -> Result<Notify, String> {
    Notify::ALL.into_iter().find(|notify| notify.as_str() == word).ok_or_else(|| {
        format!("notify is \"first\" or \"user-and-network\", not \"{}\"", show(word.as_bytes(), 64))
    })
}

fn read_link_mode(word: &str) -> Result<LinkMode, String> {
    LinkMode::ALL.into_iter().find(|mode| mode.as_str() == word).ok_or_else(|| {
        format!("link_mode is \"off\", \"copy\" or \"instead\", not \"{}\"", show(word.as_bytes(), 64))
    })
}

fn read_mode(word: &str) -> Result<FuseMode, String> {
    FuseMode::ALL
        .into_iter()
        .find(|mode| mode.as_str() == word)
        .ok_or_else(|| format!("mode is \"share\" or \"hold\", not \"{}\"", show(word.as_bytes(), 64)))
}

/// Less than what is usual would hold half of all nights.
fn read_growth(ratio: f64) -> Result<f64, String> {
    match ratio.is_finite() && ratio >= 1.0 {
        true => Ok(ratio),
        false => {
            Err(format!("growth_max is how many times more than usual, at least 1 (such as 3), not {ratio}"))
        }
    }
}

impl WrittenInbox {
    fn check(&self) -> Result<Intake, Wrong> {
        let default = Intake::default();
        let within = |key: &str, value: u64, max: u64| match value {
            value if (1..=max).contains(&value) => Ok(value),
            value => Err(Wrong::at(&["inbox", key])(format!("[inbox] {key} is 1 to {max}, not {value}"))),
        };
        let rescan_seconds = self.rescan_seconds.unwrap_or(default.rescan_seconds);
        let tries_max = self.tries_max.unwrap_or(default.tries_max);
        within("tries_max", tries_max.into(), TRIES_MAX.into())?;
        Ok(Intake {
            settle_seconds: self.settle_seconds.unwrap_or(default.settle_seconds),
            small_bytes_max: self.small_bytes_max.unwrap_or(default.small_bytes_max),
            rescan_seconds: within("rescan_seconds", rescan_seconds, RESCAN_SECONDS_MAX)?,
            tries_max,
            unclaimed_max: self.unclaimed_max.unwrap_or(default.unclaimed_max),
        })
    }
}

fn check_group((sender, group): (String, String)) -> Result<(Sender, String), Wrong> {
    let wrong = |error| Wrong::at(&["spool", "groups", &sender])(format!("[spool] groups: {error}"));
    let read = Sender::read(&sender).map_err(wrong)?;
    Ok((read, group))
}

fn check_feed((name, written): (String, WrittenFeed), base: &Path) -> Result<(String, Feed), Wrong> {
    let feed = read_feed(&name, written, base)?;
    Ok((name, feed))
}

fn read_feed(name: &str, written: WrittenFeed, base: &Path) -> Result<Feed, Wrong> {
    let of = |keys: &[&str]| {
        let keys: Vec<String> = ["feeds", name].iter().chain(keys).map(|&key| key.to_owned()).collect();
        let feed = show(name.as_bytes(), 64);
        move |problem: String| Wrong { keys, problem: format!("[feeds.{feed}]: {problem}") }
    };
    if !is_feed_name(name) {
        return Err(of(&[])("a feed's name is [a-z0-9][a-z0-9_-]{0,63}".to_owned()));
    }
    let provenance = written.provenance(&of)?;
    let hide_from = written.hide_source_from.as_deref().map(|text| read_tlp("hide_source_from", text));
    let hide_from = hide_from.transpose().map_err(of(&["hide_source_from"]))?;
    Ok(Feed {
        priority: written.priority,
        label: written.label,
        provider: written.provider,
        format: written.format.map(|format| read_format(&format)).transpose().map_err(of(&["format"]))?,
        map: written
            .map
            .iter()
            .map(|(field, column)| read_assignment(field, column).map_err(of(&["map", field])))
            .collect::<Result<_, _>>()?,
        identifier: written.identifier.map(read_identifier).transpose().map_err(of(&["identifier"]))?,
        provenance,
        permission: written.permission,
        protection: SourceProtection { hide_from, is_opaque: written.opaque },
        classification: check_word(CLASSIFICATION, written.classification, is_classification)
            .map_err(of(&["classification"]))?,
        severity: check_word(SEVERITY, written.severity, is_severity).map_err(of(&["severity"]))?,
        take: written.take.map_or(Ok(Take::default()), |take| read_take(&take)).map_err(of(&["take"]))?,
        finding: written.finding,
        refang: written.refang,
        encoding: written
            .encoding
            .map(|encoding| read_encoding(&encoding))
            .transpose()
            .map_err(of(&["encoding"]))?,
        password_file: written.password_file.map(|path| base.join(path)),
        time_style: read_time_style(written.time_format, written.time_zone).map_err(of(&["time_format"]))?,
        notify: written.notify.as_deref().map(read_notify).transpose().map_err(of(&["notify"]))?,
        link_mode: written
            .link_mode
            .as_deref()
            .map(read_link_mode)
            .transpose()
            .map_err(of(&["link_mode"]))?,
        fuse: Fuse {
            mode: written
                .mode
                .as_deref()
                .map_or(Ok(FuseMode::default()), read_mode)
                .map_err(of(&["mode"]))?,
            alerts_max: written.alerts_max,
            owners_max: written.owners_max,
            growth_max: written.growth_max.map(read_growth).transpose().map_err(of(&["growth_max"]))?,
        },
        report: None,
    })
}

impl WrittenFeed {
    /// How good the feed is, its label, and what may be done with it.
    fn provenance<W: FnOnce(String) -> Wrong>(&self, of: &dyn Fn(&[&str]) -> W) -> Result<Provenance, Wrong> {
        let tlp = |key: &str, text: &Option<String>| {
            text.as_deref().map(|text| read_tlp(key, text)).transpose().map_err(of(&[key]))
        };
        if self.permission.as_deref().is_some_and(says_nothing) {
            return Err(of(&["permission"])(
                "permission says nothing (write which agreement gives it)".to_owned(),
            ));
        }
        let reliability = self.reliability.as_deref().map(read_reliability).transpose();
        let credibility = self.credibility.map(read_credibility).transpose();
        Ok(Provenance {
            reliability: reliability.map_err(of(&["reliability"]))?,
            credibility: credibility.map_err(of(&["credibility"]))?,
            tlp: tlp("tlp", &self.tlp)?,
            is_tlp_unknown: false,
            notice_tlp: tlp("notice_tlp", &self.notice_tlp)?,
            permission: if self.permission.is_some() { Permission::OfFeed } else { Permission::None },
        })
    }
}

/// A letter of the Admiralty code.
pub fn read_reliability(text: &str) -> Result<Reliability, String> {
    Reliability::read(text).ok_or_else(|| {
        format!(
            "reliability is a letter from A (completely reliable) to F (cannot be judged), not \"{}\"",
            show(text.as_bytes(), 64)
        )
    })
}

/// A figure of the Admiralty code.
pub fn read_credibility(figure: u8) -> Result<Credibility, String> {
    Credibility::new(figure).ok_or_else(|| {
        format!("credibility is a figure from 1 (confirmed) to 6 (cannot be judged), not {figure}")
    })
}

/// Longest identifier that a person gives, bytes.
const IDENTIFIER_BYTES_MAX: usize = 128;

/// What is wrong, in a word: an empty one, as an unset variable gives it, would let alerts pass that say nothing.
pub fn read_identifier(identifier: String) -> Result<String, String> {
    let is_word = !says_nothing(&identifier)
        && identifier.len() <= IDENTIFIER_BYTES_MAX
        && !identifier.contains(|letter: char| letter == '|' || letter.is_control());
    match is_word {
        true => Ok(identifier),
        false => Err(format!(
            "the identifier \"{}\" is no name of what is wrong (1 to {IDENTIFIER_BYTES_MAX} bytes without control \
             characters and |, such as open-rdp; or leave it out)",
            show(identifier.as_bytes(), 64)
        )),
    }
}

/// `[a-z0-9][a-z0-9_-]{0,63}`.
pub fn is_feed_name(name: &str) -> bool {
    let first = name.bytes().next().is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    first
        && name.len() <= 64
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-".contains(&b))
}

/// A format's name, or what is wrong with it.
pub fn read_format(name: &str) -> Result<String, String> {
    if FORMATS.iter().any(|format| format.name == name) {
        return Ok(name.to_owned());
    }
    let known = || FORMATS.iter().map(|format| format.name);
    let hint = nearest(name, known()).map(|known| format!("; did you mean {known}?")).unwrap_or_default();
    let all = known().collect::<Vec<_>>().join(", ");
    Err(format!("no format is called {} (known: {all}{hint})", show(name.as_bytes(), 64)))
}

/// A field and the column it is read from.
pub fn read_assignment(field: &str, column: &str) -> Result<(Field, String), String> {
    let known = || Field::ALL.iter().map(|field| field.as_str());
    let Some(read) = Field::read(field) else {
        let hint =
            nearest(field, known()).map(|known| format!("; did you mean {known}?")).unwrap_or_default();
        let all = known().collect::<Vec<_>>().join(", ");
        return Err(format!("no field is called {} (known: {all}{hint})", show(field.as_bytes(), 64)));
    };
    Ok((read, column.to_owned()))
}

/// A declared encoding.
pub fn read_encoding(name: &str) -> Result<Encoding, String> {
    Encoding::read(name).ok_or_else(|| {
        format!(
            "no encoding is called {} (known: utf-8, utf-16le, utf-16be, windows-1252)",
            show(name.as_bytes(), 64)
        )
    })
}

fn read_take(take: &str) -> Result<Take, String> {
    Take::read(take).ok_or_else(|| {
        format!("take is \"vulnerable\", \"exposed\" or \"all\", not \"{}\"", show(take.as_bytes(), 64))
    })
}

fn read_tlp(key: &str, text: &str) -> Result<Tlp, String> {
    Tlp::read(text).ok_or_else(|| {
        format!("{key} is CLEAR, GREEN, AMBER, AMBER+STRICT or RED, not \"{}\"", show(text.as_bytes(), 64))
    })
}

/// A key, and what an operator may write there; IntelMQ knows more.
type Words = (&'static str, &'static [&'static str]);

const SEVERITY: Words = ("severity", &["critical", "high", "medium", "low", "info", "undefined"]);
const CLASSIFICATION: Words = (
    "classification",
    &[
        "vulnerable-system",
        "infected-system",
        "potentially-unwanted-accessible",
        "ddos-amplifier",
        "weak-crypto",
        "information-disclosure",
        "system-compromise",
        "c2-server",
        "malware-distribution",
        "phishing",
        "brute-force",
        "scanner",
        "data-leak",
        "misconfiguration",
        "other",
    ],
);

fn check_word(
    (key, words): Words,
    word: Option<String>,
    is_known: fn(&str) -> bool,
) -> Result<Option<String>, String> {
    match word {
        Some(word) if !is_known(&word) => {
            let hint = nearest(&word, words.iter().copied());
            let hint = hint.map(|known| format!("; did you mean {known}?")).unwrap_or_default();
            let (word, words) = (show(word.as_bytes(), 64), words.join(", "));
            Err(format!("{key} \"{word}\" is none of IntelMQ's (such as {words}{hint})"))
        }
        word => Ok(word),
    }
}

fn read_time_style(format: Option<String>, zone: Option<String>) -> Result<Option<Arc<TimeStyle>>, String> {
    match (format, zone) {
        (None, None) => Ok(None),
        (Some(format), zone) => {
            let style = TimeStyle::new(&format, zone.as_deref().unwrap_or("UTC"))
                .map_err(|error| error.to_string())?;
            Ok(Some(Arc::new(style)))
        }
        (None, Some(_)) => Err("time_zone needs time_format (such as \"%d-%m-%Y %H:%M\")".to_owned()),
    }
}

fn check_senders(written: Vec<BTreeMap<String, WrittenSender>>) -> Result<Senders, String> {
    if written.is_empty() {
        return Ok(Senders::default());
    }
    let offices: Result<Vec<Office>, String> = written.into_iter().map(check_office).collect();
    Ok(Senders::new(offices.map_err(|problem| format!("[[senders]]: {problem}"))?))
}

fn check_office(written: BTreeMap<String, WrittenSender>) -> Result<Office, String> {
    let (mut from, mut by, mut all) = (None, Vec::new(), None);
    let name = |sender: &str| SenderName::read(sender).map_err(|error| error.to_string());
    for (key, value) in &written {
        match (key.as_str(), value) {
            ("from", WrittenSender::Day(day)) => from = Day::read(day.to_string().as_bytes()),
            ("from", WrittenSender::Name(day)) => from = Day::read(day.as_bytes()),
            ("*", WrittenSender::Name(sender)) => all = Some(name(sender)?),
            (key, WrittenSender::Name(sender)) => {
                let constituency = Constituency::read(key).ok_or_else(|| unknown_constituency(key))?;
                by.push((constituency, name(sender)?));
            }
            (key, WrittenSender::Day(_)) => return Err(format!("{key} is a sender's name, not a day")),
        }
    }
    let from = from.ok_or("from is a day (such as 2026-01-01)")?;
    Ok(Office { from, by, all })
}

fn unknown_constituency(key: &str) -> String {
    let all = Constituency::ALL.map(Constituency::as_str).join(", ");
    format!("no constituency is called {} (there are from, \"*\", {all})", show(key.as_bytes(), 64))
}

/// The path without `directory/..`, where that directory is no link: as a person would write it.
fn plain(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        let is_plain = out.symlink_metadata().is_ok_and(|found| found.is_dir());
        match part {
            Component::ParentDir
                if is_plain && matches!(out.components().next_back(), Some(Component::Normal(_))) =>
            {
                out.pop();
            }
            Component::CurDir => {}
            part => out.push(part),
        }
    }
    if out.as_os_str().is_empty() { path.to_owned() } else { out }
}

impl Feed {
    /// What its format is told; `options` of the command line win.
    pub fn format_options(&self, limits: &Limits) -> FormatOptions {
        FormatOptions {
            map: self.map.clone(),
            identifier: self.identifier.clone(),
            finding: self.finding,
            take: self.take,
            time_style: self.time_style.clone(),
            refang: self.refang,
            record_bytes_max: limits.record_bytes_max,
            ..FormatOptions::default()
        }
    }

    /// What a run is told about it.
    pub fn facts(self, config: &Config) -> FeedFacts {
        FeedFacts {
            options: self.format_options(&config.limits),
            fuse: self.fuse,
            copies: Copies {
                notify: self.notify.unwrap_or(config.copies.notify),
                link_mode: self.link_mode.unwrap_or(config.copies.link_mode),
            },
            format: self.format,
            encoding: self.encoding,
            password_file: self.password_file,
            label: self.label,
            provider: self.provider,
            provenance: self.provenance,
            permission: self.permission,
            protection: self.protection,
            classification: self.classification,
            severity: self.severity,
            catalogue: Arc::clone(&config.findings.0),
            report: self.report,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        Config::parse(text, Path::new("etc/dijkwacht.toml")).unwrap_err().to_string()
    }

    #[test]
    fn a_wrong_value_is_told_with_its_place_and_what_may_stand_there() {
        for (text, said) in [
            ("[inbox]\ntries_max = 11\n", "etc/dijkwacht.toml:2:13: [inbox] tries_max is 1 to 10, not 11"),
            (
                "[feeds.a]\n\n[feeds.b]\n  tlp = \"purple\"\n",
                "etc/dijkwacht.toml:4:9: [feeds.b]: tlp is CLEAR, GREEN, AMBER, AMBER+STRICT or RED, not \"purple\"",
            ),
            (
                "[feeds.a]\n hide_source_from = \"TLP:PURPLE\"\n",
                "etc/dijkwacht.toml:2:21: [feeds.a]: hide_source_from is CLEAR, GREEN, AMBER, AMBER+STRICT or RED, not \"TLP:PURPLE\"",
            ),
            (
                "[feeds.a]\nopaque = \"yes\"\n",
                "etc/dijkwacht.toml:2:10: invalid type: string \"yes\", expected a boolean",
            ),
            (
                "feeds.a.format = \"cvs\"\n",
                "etc/dijkwacht.toml:1:18: [feeds.a]: no format is called cvs (known: ",
            ),
            (
                "[feeds.a]\nseverity = \"hihg\"\n",
                "critical, high, medium, low, info, undefined; did you mean high?)",
            ),
            (
                "[feeds.a]\nmode = \"hodl\"\n",
                "etc/dijkwacht.toml:2:8: [feeds.a]: mode is \"share\" or \"hold\", not \"hodl\"",
            ),
            (
                "[feeds.a]\nalerts_max = -1\n",
                "etc/dijkwacht.toml:2:14: invalid value: integer `-1`, expected u64",
            ),
            (
                "[feeds.a]\nowners_max = 1.5\n",
                "etc/dijkwacht.toml:2:14: invalid type: floating point `1.5`, expected u64",
            ),
            (
                "[feeds.a]\nlabel = \"A\"\ngrowth_max = 0.5\n",
                "etc/dijkwacht.toml:3:14: [feeds.a]: growth_max is how many times more than usual, at least 1 (such as 3), not 0.5",
            ),
            ("[feeds.a]\ngrowth_max = nan\n", "at least 1 (such as 3), not NaN"),
            ("[feeds.a]\ngrowth_max = inf\n", "at least 1 (such as 3), not inf"),
            ("[feeds.a]\nalert_max = 1\n", "unknown key `alert_max` (did you mean `alerts_max`?)"),
            ("[feeds.a]\nclassification = \"vulnerable\"\n", "did you mean vulnerable-system?)"),
            (
                "[feeds.a]\nmap = { address = \"ip\", prot = \"p\" }\n",
                "etc/dijkwacht.toml:2:32: [feeds.a]: no field is called prot",
            ),
            (
                "\n[feeds.a]\ntime_zone = \"UTC\"\n",
                "etc/dijkwacht.toml:2:8: [feeds.a]: time_zone needs time_format",
            ),
            ("[feeds.A]\n", "etc/dijkwacht.toml:1:8: [feeds.A]: a feed's name is"),
            (
                "[[senders]]\nfrom = 2026-01-01\nvitaal = \"ncsc\"\n",
                "(there are from, \"*\", vital, central-government,",
            ),
        ] {
            let error = error(text);
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn a_path_is_told_without_its_detour_unless_that_leads_through_a_link() {
        let place = tempfile::tempdir().unwrap();
        let path = |name: &str| place.path().join(name);
        std::fs::create_dir_all(path("etc/deep")).unwrap();
        std::os::unix::fs::symlink(path("etc/deep"), path("link")).unwrap();
        for (written, told) in [
            ("etc/../spool", "spool"),
            ("etc/deep/../../spool", "spool"),
            ("etc/./spool", "etc/spool"),
            ("link/../spool", "link/../spool"),
            ("missing/../spool", "missing/../spool"),
        ] {
            assert_eq!(plain(&path(written)), path(told), "{written}");
        }
        assert_eq!(plain(Path::new(".")), Path::new("."));
        assert_eq!(plain(Path::new("../spool")), Path::new("../spool"));
    }
}
