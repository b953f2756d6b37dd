//! The catalogue of findings: what is known of a kind of trouble, whoever reports it.
//!
//! Feeds call the same trouble by different names. An [`Entry`] has one name for it, and what a reader needs: a title, how bad it
//! is, what to do. It is looked up by the record's identifier, else by its CVE numbers, else by its tags. Nothing of it enters
//! an id, and the record's own words stay in the alert.

use super::Severity;
use crate::scan::{Finding, Side};
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};

/// What is known of a kind of trouble.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Entry {
    /// Its name in the catalogue: `extra.finding`.
    pub name: String,
    /// A line that says what it is.
    pub title: Option<String>,
    /// Where neither the record nor its report says one.
    pub severity: Option<Severity>,
    /// RSIT type, where neither report nor feed says one.
    pub classification: Option<String>,
    /// Which part the subject plays, whatever the format says.
    pub part: Option<Side>,
    /// A page about it.
    pub url: Option<String>,
    /// What is wrong and what to do, for the reader.
    pub text: Option<String>,
}

/// All entries, and by which words they are found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Catalogue {
    entries: Vec<Entry>,
    /// By names, identifiers, CVE numbers and tags in lower case.
    words: HashMap<Box<[u8]>, Word, BuildHasherDefault<WordHasher>>,
}

/// FNV-1a: words are short, and none is put in by who writes a dump.
#[derive(Clone, Copy)]
struct WordHasher(u64);

impl Default for WordHasher {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for WordHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0 =
            bytes.iter().fold(self.0, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// A word that leads to an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Word {
    entry: u32,
    /// Somebody wrote it down as another name: a tag is found by such words only, since names may be common words.
    is_alias: bool,
}

/// Two entries that claim one word.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ambiguous {
    /// The word.
    pub word: String,
    /// The entries' names.
    pub names: [String; 2],
}

impl fmt::Display for Ambiguous {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { word, names: [one, other] } = self;
        write!(f, "{word} would be found as {one} and as {other} (name it in one of them only)")
    }
}

/// Longest word of a catalogue, bytes.
pub const WORD_BYTES_MAX: usize = 128;

impl Catalogue {
    /// Adds an entry that is found by its name and by `aliases`, each of at most [`WORD_BYTES_MAX`] bytes.
    ///
    /// # Errors
    /// Another entry is found by one of them.
    pub fn add(&mut self, entry: Entry, aliases: &[String]) -> Result<(), Ambiguous> {
        let number = self.push(entry);
        let name = self.entries[number as usize].name.clone();
        let words = aliases.iter().map(|alias| (alias.clone(), true)).chain([(name, false)]);
        for (word, is_alias) in words {
            let known = self.claim(number, &word, is_alias);
            if known != number {
                let names = [known, number].map(|it| self.entries[it as usize].name.clone());
                return Err(Ambiguous { word, names });
            }
        }
        Ok(())
    }

    /// Adds an entry that is found by those of its words by which no other is.
    pub fn add_below(&mut self, entry: Entry, aliases: &[String]) {
        let name = entry.name.clone();
        let number = self.push(entry);
        aliases.iter().for_each(|alias| _ = self.claim(number, alias, true));
        self.claim(number, &name, false);
    }

    /// Lets an entry be found by those of these words by which no other is.
    pub fn also(&mut self, name: &str, aliases: &[String]) {
        let Some(Word { entry, .. }) = self.word(name) else { return };
        aliases.iter().for_each(|alias| _ = self.claim(entry, alias, true));
    }

    fn push(&mut self, entry: Entry) -> u32 {
        let number = u32::try_from(self.entries.len()).expect("a configuration has fewer entries");
        self.entries.push(entry);
        number
    }

    /// Which entry a word leads to, after this one asked for it.
    fn claim(&mut self, number: u32, word: &str, is_alias: bool) -> u32 {
        self.words.entry(lower(word)).or_insert(Word { entry: number, is_alias }).entry
    }

    /// Its entries, in the order in which they were added.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entry of a finding: by its identifier, else by the first of its CVE numbers and of `more_cves` that leads to one, else
    /// by the first such tag. Letters of either case are the same. Allocates nothing.
    pub fn find(&self, finding: &Finding<'_>, more_cves: &[String]) -> Option<&Entry> {
        if self.words.is_empty() {
            return None;
        }
        let cves = finding.cves.iter().map(Cow::as_ref).chain(more_cves.iter().map(String::as_str));
        let known = finding.identifier.as_deref().into_iter().chain(cves).find_map(|word| self.word(word));
        let tags = || finding.tags.iter().filter_map(|tag| self.word(tag)).find(|word| word.is_alias);
        known.or_else(tags).map(|word| &self.entries[word.entry as usize])
    }

    fn word(&self, word: &str) -> Option<Word> {
        let mut letters = [0; WORD_BYTES_MAX];
        let letters = letters.get_mut(..word.len())?;
        letters.copy_from_slice(word.as_bytes());
        letters.make_ascii_lowercase();
        self.words.get(&*letters).copied()
    }
}

fn lower(word: &str) -> Box<[u8]> {
    word.to_ascii_lowercase().into_bytes().into_boxed_slice()
}

/// In which language readers are told what is wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Language {
    /// Dutch; English where there is no Dutch.
    #[default]
    Dutch,
    /// English; Dutch where there is no English.
    English,
    /// Dutch, an empty line, English.
    Both,
}

impl Language {
    /// All.
    pub const ALL: [Self; 3] = [Self::Dutch, Self::English, Self::Both];

    /// Its word in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dutch => "nl",
            Self::English => "en",
            Self::Both => "both",
        }
    }

    /// The text that is told, of two that say the same.
    pub fn choose(self, dutch: Option<&str>, english: Option<&str>) -> Option<String> {
        match (self, dutch, english) {
            (Self::Both, Some(dutch), Some(english)) => Some(format!("{dutch}\n\n{english}")),
            (Self::English, dutch, english) => english.or(dutch).map(str::to_owned),
            (Self::Dutch | Self::Both, dutch, english) => dutch.or(english).map(str::to_owned),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::Kind;

    fn entry(name: &str) -> Entry {
        Entry { name: name.to_owned(), ..Entry::default() }
    }

    fn catalogue(entries: &[(&str, &[&str])]) -> Result<Catalogue, Ambiguous> {
        let mut catalogue = Catalogue::default();
        for (name, aliases) in entries {
            let aliases: Vec<String> = aliases.iter().map(|&alias| alias.to_owned()).collect();
            catalogue.add(entry(name), &aliases)?;
        }
        Ok(catalogue)
    }

    /// The same by looking at every word of every entry.
    fn naive<'c>(entries: &[(&'c str, &[&str])], finding: &Finding<'_>) -> Option<&'c str> {
        let says = |word: &str, with_name: bool| {
            let is_it = |it: &&(&str, &[&str])| {
                (with_name && it.0.eq_ignore_ascii_case(word))
                    || it.1.iter().any(|alias| alias.eq_ignore_ascii_case(word))
            };
            entries.iter().find(is_it).map(|it| it.0)
        };
        let by_identifier = finding.identifier.as_deref().and_then(|word| says(word, true));
        let by_cve = || finding.cves.iter().find_map(|word| says(word, true));
        let by_tag = || finding.tags.iter().find_map(|word| says(word, false));
        by_identifier.or_else(by_cve).or_else(by_tag)
    }

    #[test]
    fn the_identifier_counts_before_cve_numbers_and_these_before_tags() {
        let entries: &[(&str, &[&str])] = &[
            ("open-rdp", &["scan_rdp", "CVE-2019-0708", "rdp"]),
            ("citrix", &["CVE-2023-4966", "Citrix-Bleed"]),
            ("spam", &[]),
        ];
        let catalogue = catalogue(entries).unwrap();
        let words = ["scan_RDP", "SPAM", "cve-2019-0708", "cve-2023-4966", "CITRIX-bleed", "other", ""];
        let mut found = 0;
        for identifier in words.map(Some).into_iter().chain([None]) {
            for (cve, tag) in words.into_iter().flat_map(|cve| words.map(|tag| (cve, tag))) {
                let mut finding = Finding::new(0, Kind::Vulnerable, Side::Exposed);
                finding.identifier = identifier.map(Cow::Borrowed);
                finding.cves = vec![Cow::Borrowed("CVE-1"), Cow::Borrowed(cve)];
                finding.tags = vec![Cow::Borrowed("x"), Cow::Borrowed(tag)];
                let name = catalogue.find(&finding, &[]).map(|entry| &*entry.name);
                assert_eq!(name, naive(entries, &finding), "{identifier:?} {cve} {tag}");
                found += usize::from(name.is_some());
            }
        }
        assert_eq!(found, 245 + 105 + 24, "by identifier, by CVE, by tag");
    }

    #[test]
    fn a_report_s_cve_numbers_count_and_a_word_of_any_length_is_looked_up() {
        let longest = "x".repeat(WORD_BYTES_MAX);
        let catalogue = catalogue(&[("a", &["CVE-2024-1", &longest])]).unwrap();
        let mut finding = Finding::new(0, Kind::Vulnerable, Side::Exposed);
        assert_eq!(catalogue.find(&finding, &[]), None);
        assert!(catalogue.find(&finding, &["cve-2024-1".to_owned()]).is_some());
        for (length, is_found) in [(127, false), (128, true), (129, false), (100_000, false)] {
            finding.identifier = Some(Cow::Owned("X".repeat(length)));
            assert_eq!(catalogue.find(&finding, &[]).is_some(), is_found, "{length}");
        }
    }

    #[test]
    fn a_word_of_two_entries_is_refused_with_the_names_of_both() {
        let said = |entries| catalogue(entries).unwrap_err().to_string();
        let expected = "CVE-1 would be found as a and as b (name it in one of them only)";
        assert_eq!(said(&[("a", &["cve-1"]), ("b", &["CVE-1"])]), expected);
        assert!(said(&[("a", &["b"]), ("B", &[])]).starts_with("B would be found as a and as B"));
        assert!(catalogue(&[("a", &["a", "A"])]).is_ok());
    }

    #[test]
    fn the_other_language_is_told_where_there_is_but_one() {
        let told = |dutch, english| Language::ALL.map(|language| language.choose(dutch, english));
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(told(Some("nl"), Some("en")), [text("nl"), text("en"), text("nl\n\nen")]);
        assert_eq!(told(Some("nl"), None), [text("nl"), text("nl"), text("nl")]);
        assert_eq!(told(None, Some("en")), [text("en"), text("en"), text("en")]);
        assert_eq!(told(None, None), [None, None, None]);
    }
}
