//! Manifests: what a run is, for us, and what a mailer needs, for the mailer.
//!
//! `new/<run>/manifest.json` (0600) tells all: where the dump came from, what decided, what was written. A reporter is named
//! here and nowhere else. `new/<run>/<sender>/manifest.json` tells a mailer who is to be told what; it is a pure function of
//! the first, which `verify` leans on. Neither holds the time of day: same dump, register, options and run time, same bytes.
//! When a run was published is told by the manifest's mtime.
//!
//! A run is published because a dump came in, because a person decided about what is held of another run ([`Decision`]), or
//! because a person had a dump matched again ([`Correction`]); its manifest says which. What was forgotten since leaves a
//! [`Tombstone`]. Version 1 had none of these.

use super::directory::Directory;
use super::error::SpoolError;
use super::names::{ContentHash, FeedName, Label, NameError, RunName, Sender, notice_file};
use crate::moment::Moment;
use crate::policy::{Blown, Permission};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use uuid::Uuid;

/// The version that is written, and the newest that is read.
pub const MANIFEST_VERSION: u32 = 1;
/// The version of what a mailer is told.
pub const SENDER_MANIFEST_VERSION: u32 = 1;
/// A manifest larger than this is not read.
pub const MANIFEST_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// The name of both kinds.
pub(super) const MANIFEST_FILE: &str = "manifest.json";

/// What is known of a run besides what its stage counted itself.
#[derive(Clone, PartialEq, Debug)]
pub struct RunFacts {
    /// The stream that the dump belongs to.
    pub feed: FeedName,
    /// What a recipient reads for it.
    pub feed_label: String,
    /// Tells this publication from another of the same dump.
    pub label: Option<Label>,
    /// The dump.
    pub dump: DumpFacts,
    /// The id of the index that decided.
    pub index: String,
    /// The moment that the run counted as now, as text.
    pub run_time: String,
    /// Whatever else decided: format, mapping, policy.
    pub options: BTreeMap<String, Value>,
    /// What the report beside the dump says, by key.
    pub report: BTreeMap<String, Value>,
    /// The books.
    pub counts: Value,
}

/// What reports are made from, beside the books.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Account {
    /// Of each owner with a notice or something held.
    pub recipients: BTreeMap<String, RecipientAccount>,
    /// The limit of the feed's fuse beyond which all of it is held.
    pub fuse: Option<Blown>,
}

/// What a run says of one owner, counted.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct RecipientAccount {
    /// In the register's own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sector: Option<String>,
    /// Which decides who sends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub constituency: Option<String>,
    /// Lines of its notice, by what is wrong.
    #[serde(default, skip_serializing_if = "Tallies::is_empty")]
    pub alerts: Tallies,
    /// Lines that are held for it, by what is wrong.
    #[serde(default, skip_serializing_if = "Tallies::is_empty")]
    pub held: Tallies,
}

/// Lines by what is wrong. A dump may say anything: names are cut, and what is beyond a hundred of one owner is counted together.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Tallies(BTreeMap<String, u64>);

/// Identifiers of one owner that are counted each for itself.
pub(super) const IDENTIFIERS_MAX: usize = 100;
/// Characters of an identifier that are kept.
const IDENTIFIER_CHARS_MAX: usize = 64;
/// What the others are counted as.
const OTHERS: &str = "(others)";

impl Tallies {
    /// Adds lines of one identifier.
    pub fn add(&mut self, identifier: &str, lines: u64) {
        let name = crate::text::show(identifier.as_bytes(), IDENTIFIER_CHARS_MAX);
        let is_one_more = self.0.len() < IDENTIFIERS_MAX || self.0.contains_key(&name);
        *self.0.entry(if is_one_more { name } else { OTHERS.to_owned() }).or_default() += lines;
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each identifier and its lines; an empty one says nothing.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(identifier, lines)| (identifier.as_str(), *lines))
    }
}

/// Why a run is published.
#[derive(Clone, PartialEq, Debug, Default)]
pub enum Occasion {
    /// Its dump came in.
    #[default]
    Dump,
    /// A person decided about what is held of another run.
    Decision(Decision),
    /// A person had its dump matched again.
    Correction(Correction),
}

/// A person's word: why, and who says so.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Word {
    /// Why.
    pub because: String,
    /// Who.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// What a person decided about held alerts of one run. Neither they nor earlier decisions are edited: this is added.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Decision {
    /// Its number among the decisions about the run, from 1.
    pub number: u32,
    /// Why, and who says so.
    #[serde(flatten)]
    pub word: Word,
    /// Held lines, by their alert ids, of each of which an alert is in this run.
    pub released: Vec<Uuid>,
    /// Held lines that nobody is sent: discarded, or a rival's, or the same as one that is released.
    pub discarded: Vec<Uuid>,
}

/// What a person had matched again.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Correction {
    /// Why, and who says so.
    #[serde(flatten)]
    pub word: Word,
    /// The only recipients; empty: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owners: Vec<String>,
    /// The index before, where only findings are told whose recipient is another since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_since: Option<String>,
    /// Who was told before and who is now, with the number of findings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<RecipientChange>,
}

/// Findings whose recipients are others than before.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct RecipientChange {
    /// Whom the index before names.
    pub before: Vec<String>,
    /// Whom the index now names.
    pub now: Vec<String>,
    /// How many.
    pub findings: u64,
}

/// What was forgotten of a run, counted; not of whom.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Tombstone {
    /// When, as text.
    pub at: String,
    /// Why, and who says so.
    #[serde(flatten)]
    pub word: Word,
    /// Files that are gone.
    pub notices: u64,
    /// Lines of notices that are gone.
    pub alerts: u64,
    /// Lines that were held and are gone.
    pub held: u64,
}

impl RunFacts {
    /// The run's name: feed, content and label. A decision's has a number more ([`RunName::of_decision`]).
    pub fn run_name(&self) -> RunName {
        RunName::new(&self.feed, &self.dump.blake3, self.label.as_ref())
    }
}

/// The dump of a run.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DumpFacts {
    /// Its file name as given.
    pub name: String,
    /// The format it was read as.
    pub format: String,
    /// Bytes of the decompressed content.
    pub bytes: u64,
    /// Bytes as stored.
    pub bytes_stored: u64,
    /// The hash that names the run: of the decompressed content; before it, if given, `observed` and a NUL, then the report beside
    /// the dump as compact JSON with sorted keys and a NUL.
    pub blake3: ContentHash,
    /// The text of `--observed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed: Option<String>,
}

/// Who is told, or would be: the head of a notice.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recipient {
    /// Who warns.
    pub sender: Sender,
    /// Whom; it names the file.
    pub owner_id: String,
    /// The organisation's name.
    pub name: Option<String>,
    /// Where it is reached, in order.
    pub contacts: Vec<String>,
}

/// One staged file: a notice, or what is held for one owner.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NoticeFacts {
    /// Who warns.
    pub sender: Sender,
    /// Whom; it names the file.
    pub owner_id: String,
    /// The organisation's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where it is reached, in order.
    #[serde(default)]
    pub contacts: Vec<String>,
    /// Alerts in it, one a line.
    pub lines: u64,
    /// Its size.
    pub bytes: u64,
    /// Its hash.
    pub blake3: ContentHash,
}

impl NoticeFacts {
    /// The file's name in its sender's directory.
    pub(super) fn file(&self) -> Result<String, NameError> {
        notice_file(&self.owner_id)
    }

    /// The order of a manifest. Two that are equal here would be one file where names ignore case.
    pub(super) fn order(&self) -> (&Sender, String) {
        (&self.sender, self.owner_id.to_ascii_lowercase())
    }
}

/// A run's manifest.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// [`MANIFEST_VERSION`].
    pub version: u32,
    /// The run.
    pub run: RunName,
    /// Its feed.
    pub feed: FeedName,
    /// What a recipient reads for it.
    pub feed_label: String,
    /// Its label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<Label>,
    /// Its dump.
    pub dump: DumpFacts,
    /// The id of the index that decided.
    pub index: String,
    /// The moment that the run counted as now.
    pub run_time: String,
    /// Whatever else decided.
    pub options: BTreeMap<String, Value>,
    /// What the report beside the dump says, by key: its provider, who assessed it, and why.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub report: BTreeMap<String, Value>,
    /// The books.
    pub counts: Value,
    /// All notices, by sender and then owner.
    pub notices: Vec<NoticeFacts>,
    /// All that waits for a person, in the same order.
    pub held: Vec<NoticeFacts>,
    /// Of a run that is a person's decision about what another run holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
    /// Of a run that puts another right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correction: Option<Correction>,
    /// Of a run that is beyond a limit of its feed's fuse: which, and by how much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fuse: Option<Blown>,
    /// What was forgotten since.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forgotten: Vec<Tombstone>,
    /// What it says of each owner, counted.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub recipients: BTreeMap<String, RecipientAccount>,
}

impl Manifest {
    /// Whose word let the run's findings go that their label would keep back.
    pub fn permission(&self) -> Permission {
        let is_said = |said: &BTreeMap<String, Value>| said.get("permission").is_some_and(Value::is_string);
        if is_said(&self.report) {
            Permission::OfReport
        } else if is_said(&self.options) {
            Permission::OfFeed
        } else {
            Permission::None
        }
    }

    /// `notices` and `held` stand in [`NoticeFacts::order`].
    pub(super) fn new(
        facts: RunFacts,
        occasion: Occasion,
        account: Account,
        notices: Vec<NoticeFacts>,
        held: Vec<NoticeFacts>,
    ) -> Self {
        let (decision, correction) = match occasion {
            Occasion::Dump => (None, None),
            Occasion::Decision(decision) => (Some(decision), None),
            Occasion::Correction(correction) => (None, Some(correction)),
        };
        let run = facts.run_name();
        Self {
            version: MANIFEST_VERSION,
            run: decision.as_ref().map_or(run.clone(), |decision| run.of_decision(decision.number)),
            feed: facts.feed,
            feed_label: facts.feed_label,
            label: facts.label,
            dump: facts.dump,
            index: facts.index,
            run_time: facts.run_time,
            options: facts.options,
            report: facts.report,
            counts: facts.counts,
            notices,
            held,
            decision,
            correction,
            fuse: account.fuse,
            forgotten: Vec::new(),
            recipients: account.recipients,
        }
    }

    /// The name that its facts give: a manifest that has another is another run's.
    pub(super) fn own_name(&self) -> RunName {
        let run = RunName::new(&self.feed, &self.dump.blake3, self.label.as_ref());
        self.decision.as_ref().map_or(run.clone(), |decision| run.of_decision(decision.number))
    }

    /// What each sender's mailer is told, by sender.
    pub fn senders(&self) -> Result<BTreeMap<Sender, SenderManifest>, NameError> {
        let mut senders = BTreeMap::new();
        for facts in &self.notices {
            let manifest = senders.entry(facts.sender.clone()).or_insert_with(|| SenderManifest {
                version: SENDER_MANIFEST_VERSION,
                run: self.run.clone(),
                sender: facts.sender.clone(),
                feed: self.feed_label.clone(),
                notices: Vec::new(),
            });
            manifest.notices.push(SenderNotice::new(facts)?);
        }
        Ok(senders)
    }
}

/// What one sender's mailer needs to know of a run.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SenderManifest {
    /// [`SENDER_MANIFEST_VERSION`].
    pub version: u32,
    /// The run.
    pub run: RunName,
    /// Whose part this is.
    pub sender: Sender,
    /// What a recipient reads for the feed.
    pub feed: String,
    /// The notices in this directory, by owner.
    pub notices: Vec<SenderNotice>,
}

/// One notice, as its mailer sees it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SenderNotice {
    /// The file beside the manifest.
    pub file: String,
    /// Whom it is for.
    pub owner_id: String,
    /// The organisation's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where it is to be sent.
    pub contacts: Vec<String>,
    /// Alerts in it, one a line.
    pub alerts: u64,
    /// Its size.
    pub bytes: u64,
    /// Its hash.
    pub blake3: ContentHash,
}

impl SenderNotice {
    fn new(facts: &NoticeFacts) -> Result<Self, NameError> {
        Ok(Self {
            file: facts.file()?,
            owner_id: facts.owner_id.clone(),
            name: facts.name.clone(),
            contacts: facts.contacts.clone(),
            alerts: facts.lines,
            bytes: facts.bytes,
            blake3: facts.blake3,
        })
    }
}

/// A manifest as bytes: for people to read too, with a line end.
pub(super) fn to_bytes(manifest: &impl Serialize) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(manifest).expect("a manifest has text keys and finite numbers");
    bytes.push(b'\n');
    bytes
}

/// Reads a manifest; `None` if there is none.
pub(super) fn find<M: for<'m> Deserialize<'m>>(
    directory: &Directory,
    name: &str,
) -> Result<Option<(M, Moment)>, SpoolError> {
    let Some(file) = directory.find_file(name)? else { return Ok(None) };
    let path = || directory.path().join(name);
    let metadata = file.metadata().map_err(|error| SpoolError::system("look at", path(), error))?;
    if metadata.len() > MANIFEST_BYTES_MAX {
        return Err(SpoolError::damaged(path(), format!("larger than {MANIFEST_BYTES_MAX} bytes")));
    }
    let published = modified(&metadata).ok_or_else(|| SpoolError::damaged(path(), "its mtime is no time"))?;
    let bytes = read(file).map_err(|error| SpoolError::system("read", path(), error))?;
    let unreadable = |error: serde_json::Error| SpoolError::damaged(path(), format!("no manifest: {error}"));
    let version: Version = serde_json::from_slice(&bytes).map_err(unreadable)?;
    if version.version > MANIFEST_VERSION {
        return Err(SpoolError::TooNew { path: path(), version: version.version });
    }
    Ok(Some((serde_json::from_slice(&bytes).map_err(unreadable)?, published)))
}

/// Of a run that was published before, what tells whether it is the same.
#[derive(Deserialize)]
pub(super) struct Earlier {
    pub(super) dump: EarlierDump,
}

/// How much was published.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
pub struct PublishedCounts {
    /// Alerts sent.
    pub alerts: u64,
    /// Alerts that wait, or waited, for a person.
    pub held: u64,
}

/// Of a run that was published before, what it says it published.
#[derive(Deserialize)]
pub(super) struct EarlierCounts {
    pub(super) counts: PublishedCounts,
}

/// Of a run that was published before, whether its fuse blew.
#[derive(Deserialize)]
pub(super) struct EarlierFuse {
    #[serde(default)]
    pub(super) fuse: Option<Blown>,
}

/// Of a run that was published before, what tells how much its feed usually sends.
#[derive(Deserialize)]
pub(super) struct EarlierRun {
    pub(super) counts: EarlierAlerts,
    #[serde(default)]
    pub(super) fuse: Option<IgnoredAny>,
    #[serde(default)]
    pub(super) correction: Option<IgnoredAny>,
}

#[derive(Deserialize)]
pub(super) struct EarlierAlerts {
    pub(super) alerts: u64,
}

#[derive(Deserialize)]
pub(super) struct EarlierDump {
    pub(super) blake3: ContentHash,
}

#[derive(Deserialize)]
struct Version {
    version: u32,
}

fn read(file: File) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // A file that grows under us is cut off, and then is no JSON.
    BufReader::new(file).take(MANIFEST_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn modified(metadata: &std::fs::Metadata) -> Option<Moment> {
    use std::os::unix::fs::MetadataExt;
    Moment::from_unix(metadata.mtime(), u32::try_from(metadata.mtime_nsec()).ok()?)
}
