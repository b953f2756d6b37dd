//! What most commands begin with: the configuration, the register, times and the words about a dump.

use super::failure::{Failure, Wanted};
use super::output::{ProgressLine, note};
use crate::config::{
    Config, ConfigError, DEFAULT_PATH, DumpReport, Feed, is_feed_name, read_assignment, read_encoding,
    read_format, read_identifier,
};
use crate::index::Index;
use crate::moment::{Day, Moment};
use crate::pipeline::{FeedFacts, RunError};
use crate::policy::Exception;
use crate::register::{Progress, ReadOptions, Register, RegisterError, Report, lint};
use crate::scan::{Encoding, FormatOptions};
use crate::spool::{Spool, SpoolOptions, check_groups, check_writable, report_name};
use crate::text::show;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Which configuration and register a command uses.
pub struct Setup {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// `--index`.
    pub index: Option<PathBuf>,
    /// `--register`, in order of precedence.
    pub registers: Vec<PathBuf>,
    /// `--keep-going`.
    pub keep_going: bool,
}

/// What the command line says about a dump, as typed.
pub struct ReadingWords {
    /// `--feed`.
    pub feed: Option<String>,
    /// `--format`.
    pub format: Option<String>,
    /// `--map`, each `field=column`.
    pub map: Vec<String>,
    /// `--identifier`.
    pub identifier: Option<String>,
    /// `--encoding`.
    pub encoding: Option<String>,
    /// `--refang`.
    pub refang: bool,
    /// `--password-file`.
    pub password_file: Option<PathBuf>,
}

/// What is said about a dump, checked: command line over feed.
pub(super) struct Words {
    pub(super) format: Option<String>,
    pub(super) encoding: Option<Encoding>,
    pub(super) password_file: Option<PathBuf>,
    pub(super) options: FormatOptions,
}

impl Setup {
    /// The configuration that is named, else the default one if it is there, else none.
    pub(super) fn read_config(&self) -> Result<Config, Failure> {
        read_config(self.config.as_deref())
    }

    /// The file of the index that [`Self::load_index`] opens, if it opens one.
    pub(super) fn index_file<'c>(&'c self, config: &'c Config) -> Option<&'c Path> {
        match (&self.index, &self.registers[..]) {
            (Some(index), _) => Some(index),
            (None, []) => config.index.as_deref(),
            (None, _) => None,
        }
    }

    /// The register, opened or compiled.
    pub(super) fn load_index(&self, config: &Config) -> Result<Index, Failure> {
        if let Some(index) = &self.index {
            return Index::open(index).map_err(Failure::Open);
        }
        if !self.registers.is_empty() {
            return compile(&self.registers, self.keep_going, false);
        }
        match &config.index {
            Some(index) => Index::open(index).map_err(Failure::Open),
            None if !config.sources.is_empty() => compile(&config.sources, self.keep_going, false),
            None => Err(Failure::Usage(
                "no register: give --index FILE or --register FILE, or [register] in the configuration"
                    .to_owned(),
            )),
        }
    }
}

pub(super) fn read_config(named: Option<&Path>) -> Result<Config, Failure> {
    match named {
        Some(path) => Config::read(path).map_err(Failure::Config),
        None if Path::new(DEFAULT_PATH).exists() => {
            Config::read(Path::new(DEFAULT_PATH)).map_err(Failure::Config)
        }
        None => Ok(Config::default()),
    }
}

/// Reads and compiles register files; what they say amiss goes to standard error.
pub(super) fn compile(sources: &[PathBuf], keep_going: bool, quiet: bool) -> Result<Index, Failure> {
    let (register, report) = read_register(sources, keep_going, quiet)?;
    if keep_going && report.bad_rows > 0 {
        note(format_args!("{} of {} register rows skipped", report.bad_rows, report.rows));
    }
    Index::build(&register).map_err(Failure::Build)
}

/// Reads register files; bad rows always go to standard error, warnings unless `quiet`.
pub(super) fn read_register(
    sources: &[PathBuf],
    keep_going: bool,
    quiet: bool,
) -> Result<(Register, Report), Failure> {
    let line = ProgressLine::new("register", quiet);
    let progress = |at: Progress| line.read(&sources[usize::from(at.source)], at.bytes_read, at.bytes_total);
    let read = Register::read(sources, &ReadOptions { keep_going, progress: Some(&progress) });
    drop(line);
    match &read {
        Ok((_, report)) => print_findings(report, quiet),
        Err(RegisterError::Bad(report)) => print_findings(report, quiet),
        Err(_) => {}
    }
    read.map_err(Failure::Register)
}

/// Reads register files for somebody who wants all findings himself; bad rows are among them.
pub(super) fn read_register_quietly(sources: &[PathBuf]) -> Result<(Register, Report), Failure> {
    let read = Register::read(sources, &ReadOptions { keep_going: true, ..ReadOptions::default() });
    if let Err(RegisterError::Bad(report)) = &read {
        print_findings(report, false);
    }
    read.map_err(Failure::Register)
}

fn print_findings(report: &Report, quiet: bool) {
    for finding in report.findings.iter().filter(|finding| finding.kind.is_error() || !quiet) {
        note(format_args!("{finding}"));
    }
    for (kind, left) in report.findings.without_text().filter(|(kind, _)| kind.is_error() || !quiet) {
        note(format_args!("… and {left} more: {}", kind.as_str()));
    }
}

impl ReadingWords {
    /// Checks the words and lays them over what the configuration says about the feed.
    pub(super) fn over(&self, feed: &Feed, config: &Config) -> Result<Words, Failure> {
        let mut options = feed.format_options(&config.limits);
        let mut assigned = Vec::new();
        for assignment in &self.map {
            let (field, column) = assignment.split_once('=').ok_or_else(|| {
                let shown = show(assignment.as_bytes(), 64);
                Failure::Usage(format!("--map {shown} is not FIELD=COLUMN (such as address=ip)"))
            })?;
            let (field, column) =
                read_assignment(field, column).map_err(|problem| usage("--map", &problem))?;
            if assigned.contains(&field) {
                let field = field.as_str();
                return Err(Failure::Usage(format!("--map {field} is given twice (a field has one column)")));
            }
            assigned.push(field);
            options.map.insert(field, column);
        }
        if let Some(identifier) = &self.identifier {
            let identifier =
                read_identifier(identifier.clone()).map_err(|problem| usage("--identifier", &problem))?;
            options.identifier = Some(identifier);
        }
        options.refang |= self.refang;
        let format = self
            .format
            .as_deref()
            .map(read_format)
            .transpose()
            .map_err(|problem| usage("--format", &problem))?;
        let encoding = self.encoding.as_deref().map(read_encoding).transpose();
        Ok(Words {
            format: format.or_else(|| feed.format.clone()),
            encoding: encoding.map_err(|problem| usage("--encoding", &problem))?.or(feed.encoding),
            password_file: self.password_file.clone().or_else(|| feed.password_file.clone()),
            options,
        })
    }

    /// Checks `--feed`.
    pub(super) fn feed(&self) -> Result<Option<&str>, Failure> {
        match self.feed.as_deref() {
            Some(feed) if !is_feed_name(feed) => {
                let shown = show(feed.as_bytes(), 64);
                Err(Failure::Usage(format!("--feed {shown}: a feed's name is [a-z0-9][a-z0-9_-]{{0,63}}")))
            }
            feed => Ok(feed),
        }
    }
}

fn usage(option: &str, problem: &str) -> Failure {
    Failure::Usage(format!("{option}: {problem}"))
}

/// A time on the command line: RFC 3339 or a day.
pub(super) fn read_time(option: &str, text: &str) -> Result<Moment, Failure> {
    Moment::read(text.as_bytes()).ok_or_else(|| {
        let shown = show(text.as_bytes(), 64);
        Failure::Usage(format!("{option} {shown} is no time (such as 2026-11-22 or 2026-11-22T01:02:03Z)"))
    })
}

/// `--run-time`, else the clock.
pub(super) fn run_time(option: Option<&str>) -> Result<Moment, Failure> {
    match option {
        Some(text) => read_time("--run-time", text),
        None => Ok(now()),
    }
}

/// The clock.
pub(super) fn now() -> Moment {
    Moment::of_clock(SystemTime::now())
}

/// A person who waits wants to know for what.
fn tell_waiting(lock: &Path, up_to: Duration) {
    note(format_args!(
        "waiting for {}, which another process holds; for up to {} s",
        show(lock.as_os_str().as_encoded_bytes(), 4096),
        up_to.as_secs()
    ));
}

/// `--spool`, else the configuration's.
pub(super) fn open_spool(spool: Option<&Path>, config: &Config) -> Result<Option<Spool>, Failure> {
    let Some(path) = spool.or(config.spool.as_deref()) else { return Ok(None) };
    let options = SpoolOptions { groups: config.groups.clone(), waits: Some(tell_waiting) };
    Spool::open(path, &options).map(Some).map_err(Failure::Spool)
}

/// What is said about a feed: the command line over the dump's report over the configuration.
pub(super) fn facts_of(
    name: &str,
    reading: &ReadingWords,
    config: &Config,
    report: Option<&DumpReport>,
) -> FeedFacts {
    let feed = config.feed_with(name, report);
    let words = reading.over(&feed, config).expect("the words were checked before");
    let Words { format, encoding, password_file, options } = words;
    FeedFacts { format, encoding, password_file, options, ..feed.facts(config) }
}

/// The report on a dump: as it is named, else FILE.toml beside FILE, if it is there.
pub(super) fn report_on(
    dump: &Path,
    named: Option<&Path>,
    config: &Config,
) -> Result<Option<DumpReport>, RunError> {
    let beside = report_name(dump.as_os_str());
    let is_there = dump.as_os_str() != "-" && Path::new(&beside).is_file();
    match named.or(is_there.then_some(Path::new(&beside))) {
        Some(path) => DumpReport::read(path, config.language).map(Some).map_err(|error| match error {
            // What a configuration's remedy would be is none here.
            ConfigError::Read { path, error } => RunError::Report(format!(
                "{}: cannot be read: {error} (a report is a UTF-8 text that this user may read)",
                path.display()
            )),
            error => RunError::Report(error.to_string()),
        }),
        None => Ok(None),
    }
}

/// Whether the report that `--report` names is there to be read. A pipe is not opened: it can be read only once.
pub(super) fn check_report(report: &Path) -> Result<(), Failure> {
    let look = |metadata: Metadata| match metadata.is_file() {
        true => File::open(report).map(drop),
        false if metadata.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        false => Ok(()),
    };
    report.metadata().and_then(look).map_err(|error| Failure::file(report, Wanted::Report, error))
}

/// When records without a time were observed: the command line over the dump's report.
pub(super) fn observed_of<'o>(
    option: Option<(&'o str, Moment)>,
    report: Option<&'o DumpReport>,
) -> Option<(&'o str, Moment)> {
    option.or_else(|| report?.observed.as_ref().map(|(text, moment)| (text.as_str(), *moment)))
}

/// Refuses to write over what is read: the same file, by whatever name.
pub(super) fn keep_inputs(outputs: &[&Path], inputs: &[&Path]) -> Result<(), Failure> {
    let identity =
        |path: &Path| path.metadata().ok().filter(Metadata::is_file).map(|file| (file.dev(), file.ino()));
    for (i, output) in outputs.iter().enumerate() {
        let written = identity(output);
        let is_same = |other: &Path| (written.is_some() && identity(other) == written) || other == *output;
        let others = inputs.iter().chain(&outputs[..i]).filter(|other| other.as_os_str() != "-");
        if let Some(other) = others.into_iter().find(|other| is_same(other)) {
            return Err(Failure::Usage(format!(
                "{} would be written over, and is also used as {} (give another name)",
                output.display(),
                other.display()
            )));
        }
    }
    Ok(())
}

/// Days before its end from which an exception is said to end soon.
const ENDS_SOON_DAYS: i32 = 30;

/// An exception in a line: what it keeps back, until when, and whether that is soon.
fn told_exception(exception: &Exception, today: Day) -> String {
    let Exception { owner, prefix, asn, identifier, feed, reason, by, until } = exception;
    let prefix = prefix.map(|prefix| prefix.to_string());
    let asn = asn.map(|asn| asn.to_string());
    let named =
        [("owner", owner), ("prefix", &prefix), ("asn", &asn), ("identifier", identifier), ("feed", feed)];
    let named = named.into_iter().filter_map(|(key, value)| Some(format!("{key} {}", value.as_deref()?)));
    let left = until.number() - today.number();
    let ends = match left {
        ..0 => "ended",
        0..=ENDS_SOON_DAYS => "ends soon",
        _ => "ends",
    };
    let named = named.collect::<Vec<_>>().join(", ");
    show(format!("exception: {named}: {ends}, on {until} ({reason}; {by})").as_bytes(), 512)
}

/// `check-config`: reads the configuration and everything that it names; says what is there.
pub fn check_config(named: Option<&Path>) -> Result<u8, Failure> {
    let path = named.unwrap_or(Path::new(DEFAULT_PATH));
    let config = Config::read(path).map_err(Failure::Config)?;
    check_groups(&config.groups).map_err(Failure::Spool)?;
    let mut said = vec![format!("{}: correct", path.display())];
    let mut known: Option<Index> = None;
    if !config.sources.is_empty() {
        let (register, report) = read_register(&config.sources, false, false)?;
        super::lint::tell(&lint(&register, now().day()));
        let (owners, registrations) = (register.owners.len(), register.registrations.len());
        said.push(format!("register: {} rows, {owners} owners, {registrations} registrations", report.rows));
        known = Some(Index::build(&register).map_err(Failure::Build)?);
    }
    match &config.index {
        Some(index) if index.exists() => {
            let opened = Index::open(index).map_err(Failure::Open)?;
            said.push(format!(
                "index: {} registrations, id {}",
                opened.counts().registrations,
                super::index::id_text(&opened)
            ));
            if known.as_ref().is_some_and(|built| built.id() != opened.id()) {
                said.push(format!(
                    "index: it is not what the sources give now (dijkwacht index build -o {} SOURCE…)",
                    index.display()
                ));
            }
            known = Some(opened);
        }
        Some(index) => said.push(format!(
            "index: {} is not there yet (dijkwacht index build -o {} SOURCE…)",
            index.display(),
            index.display()
        )),
        None => {}
    }
    for owner in config.rulebook.exceptions.iter().filter_map(|exception| exception.owner.as_deref()) {
        if known.as_ref().is_some_and(|known| known.owner_of_id(owner).is_none()) {
            let owner = show(owner.as_bytes(), 64);
            said.push(format!(
                "exception: owner {owner} is not in the register: nothing is kept back from it"
            ));
        }
    }
    if let Some(spool) = &config.spool {
        let is_there = check_writable(spool).map_err(Failure::Spool)?;
        said.push(format!("spool: {}{}", spool.display(), if is_there { "" } else { " (will be created)" }));
    }
    if config.index.is_none() && config.sources.is_empty() {
        said.push("register: none, so that match needs --index or --register".to_owned());
    }
    if config.spool.is_none() {
        said.push("spool: none, so that match needs --spool, --output or --dry-run".to_owned());
    }
    said.push(format!("feeds: {}", config.feeds.len()));
    said.extend(config.rulebook.exceptions.iter().map(|exception| told_exception(exception, now().day())));
    super::output::print_lines(&said)?;
    Ok(0)
}
