//! The catalogue of findings as it is written: what is built in, and over it, key by key, what an operator writes.

use super::{
    CLASSIFICATION, ConfigError, SEVERITY, Wrong, check_word, explain, find_value, line_and_column, one_of,
    read_identifier,
};
use crate::alert::{is_classification, is_severity};
use crate::policy::{Catalogue, Entry, Language, Severity};
use crate::scan::Side;
use crate::text::{says_nothing, show};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, LazyLock};

/// The catalogue that is built in, as it would be written; `generate findings` prints it.
pub const BUILT_IN: &str = include_str!("findings.toml");

/// Longest text for a reader, in one language, characters; two and what is between them fit into an alert.
const TEXT_CHARS_MAX: usize = 1_900;

/// A catalogue, shared by all runs; by default what is built in, in Dutch.
#[derive(Clone, Debug)]
pub struct Findings(pub Arc<Catalogue>);

impl Default for Findings {
    fn default() -> Self {
        static DEFAULT: LazyLock<Arc<Catalogue>> = LazyLock::new(|| {
            let built = build(Table::new(), Language::default());
            Arc::new(built.unwrap_or_else(|_| unreachable!("a test builds it")))
        });
        Self(Arc::clone(&DEFAULT))
    }
}

/// Entries by name.
pub(super) type Table = BTreeMap<String, WrittenFinding>;

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct File {
    findings: Table,
}

/// An entry, as far as it is written.
#[derive(Clone, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct WrittenFinding {
    aliases: Vec<String>,
    title: Option<String>,
    severity: Option<String>,
    classification: Option<String>,
    part: Option<String>,
    url: Option<String>,
    text_nl: Option<String>,
    text_en: Option<String>,
}

/// Reads a file of entries.
pub(super) fn read_file(path: &Path) -> Result<Table, ConfigError> {
    let text =
        std::fs::read_to_string(path).map_err(|error| ConfigError::Read { path: path.into(), error })?;
    let invalid = |at, problem| ConfigError::Invalid { path: path.into(), at, problem };
    let File { findings } = toml::from_str(&text).map_err(|error| {
        invalid(error.span().map(|span| line_and_column(&text, span.start)), explain(error.message()))
    })?;
    // What is wrong with an entry is told where it stands.
    match build(findings.clone(), Language::default()) {
        Ok(_) => Ok(findings),
        Err(Wrong { keys, problem }) => Err(invalid(find_value(&text, &keys), problem)),
    }
}

/// One table over another, key by key.
pub(super) fn over(mut upper: Table, lower: Table) -> Table {
    for (name, entry) in lower {
        let merged = match upper.remove(&name) {
            Some(above) => above.over(entry),
            None => entry,
        };
        upper.insert(name, merged);
    }
    upper
}

/// An operator's entries over those that are built in.
pub(super) fn build(written: Table, language: Language) -> Result<Catalogue, Wrong> {
    let built_in: File = toml::from_str(BUILT_IN).unwrap_or_else(|_| unreachable!("a test reads it"));
    let mut built_in = built_in.findings;
    let (mut catalogue, mut inherited) = (Catalogue::default(), Vec::new());
    for (name, entry) in written {
        let aliases = entry.aliases.clone();
        let entry = entry.over(take_base(&mut built_in, &name));
        let checked = entry.check(&name, language)?;
        catalogue.add(checked, &aliases).map_err(|ambiguous| {
            Wrong::at(&["findings", &name, "aliases"])(format!("[findings]: {ambiguous}"))
        })?;
        inherited.push((name, entry.aliases));
    }
    inherited.iter().for_each(|(name, aliases)| catalogue.also(name, aliases));
    for (name, entry) in built_in {
        catalogue.add_below(entry.check(&name, language)?, &entry.aliases);
    }
    Ok(catalogue)
}

/// What is built in under that name; else, without its other names, what is built in for a type that is called so.
fn take_base(built_in: &mut Table, name: &str) -> WrittenFinding {
    let known = built_in.keys().find(|known| known.eq_ignore_ascii_case(name)).cloned();
    if let Some(base) = known.and_then(|known| built_in.remove(&known)) {
        return base;
    }
    let is_called = |it: &&WrittenFinding| it.aliases.iter().any(|alias| alias.eq_ignore_ascii_case(name));
    let called = built_in.values().find(is_called).cloned().unwrap_or_default();
    WrittenFinding { aliases: Vec::new(), ..called }
}

impl WrittenFinding {
    /// Its keys before those of another; other names add up.
    fn over(self, below: Self) -> Self {
        Self {
            aliases: [self.aliases, below.aliases].concat(),
            title: self.title.or(below.title),
            severity: self.severity.or(below.severity),
            classification: self.classification.or(below.classification),
            part: self.part.or(below.part),
            url: self.url.or(below.url),
            text_nl: self.text_nl.or(below.text_nl),
            text_en: self.text_en.or(below.text_en),
        }
    }

    fn check(&self, name: &str, language: Language) -> Result<Entry, Wrong> {
        let of = |key: &str| {
            let keys = ["findings", name, key].map(str::to_owned).to_vec();
            let shown = show(name.as_bytes(), 64);
            move |problem: String| Wrong { keys, problem: format!("[findings.{shown}]: {problem}") }
        };
        read_identifier(name.to_owned()).map_err(of("the name"))?;
        for alias in &self.aliases {
            read_identifier(alias.clone()).map_err(of("aliases"))?;
        }
        let severity = check_word(SEVERITY, self.severity.clone(), is_severity).map_err(of("severity"))?;
        let part = self.part.as_deref().map(|word| one_of("part", word, &Side::ALL, |it| it.as_str()));
        let texts = Texts { title: &self.title, url: &self.url, nl: &self.text_nl, en: &self.text_en };
        texts.check().map_err(|(key, problem)| of(key)(problem))?;
        Ok(Entry {
            name: name.to_owned(),
            title: said(&self.title).map(str::to_owned),
            severity: severity.map(|word| Severity::read(&word)),
            classification: check_word(CLASSIFICATION, self.classification.clone(), is_classification)
                .map_err(of("classification"))?
                .map(|word| word.to_lowercase()),
            part: part.transpose().map_err(of("part"))?,
            url: said(&self.url).map(str::to_owned),
            text: language.choose(said(&self.text_nl), said(&self.text_en)),
        })
    }
}

/// What a reader is told, as somebody wrote it.
pub(super) struct Texts<'w> {
    pub(super) title: &'w Option<String>,
    pub(super) url: &'w Option<String>,
    pub(super) nl: &'w Option<String>,
    pub(super) en: &'w Option<String>,
}

impl Texts<'_> {
    /// The key that is wrong, and what is.
    pub(super) fn check(&self) -> Result<(), (&'static str, String)> {
        for (key, text) in [("title", self.title), ("text_nl", self.nl), ("text_en", self.en)] {
            let chars = text.as_deref().unwrap_or_default().chars().count();
            if chars > TEXT_CHARS_MAX {
                return Err((
                    key,
                    format!("{key} has {chars} characters; at most {TEXT_CHARS_MAX} are told"),
                ));
            }
        }
        match said(self.url) {
            Some(url) if !is_page(url) => {
                let shown = show(url.as_bytes(), 64);
                Err(("url", format!("url \"{shown}\" is no page's address (write https://…)")))
            }
            _ => Ok(()),
        }
    }
}

/// An address that a reader can open.
fn is_page(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/') && !url.contains(char::is_whitespace))
}

/// What a value says, if anything.
pub(super) fn said(text: &Option<String>) -> Option<&str> {
    text.as_deref().map(str::trim).filter(|text| !says_nothing(text))
}
