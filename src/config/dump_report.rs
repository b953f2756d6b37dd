//! The report beside a dump: what is known of this one list and of nothing else in its feed.
//!
//! FILE.toml stands beside FILE, or is named with `--report`:
//!
//! ```toml
//! reference = "2026-0815"            # these say where it comes from and who decided; they stand in the manifest only
//! provider = "A researcher"
//! received = 2026-11-22
//! assessed_by = "A. Analyst"
//! decision = "share as far as possible"
//! scope = "all Dutch IPv4"
//! tlp = "AMBER+STRICT"               # these decide; the stricter label counts, and one that nobody can read holds everything
//! permission = "by mail, 2026-11-22"
//! reliability = "B"
//! credibility = 2
//! hold = false
//! identifier = "open-rdp"            # these say what is wrong
//! observed = 2026-11-21T03:00:00Z
//! classification = "vulnerable-system"
//! severity = "high"
//! cve = ["CVE-2019-0708"]
//! title = "Remote desktops"          # these are told to the reader
//! text_nl = "Sluit deze poort af."
//! text_en = "Close this port."
//! url = "https://example.nl/rdp"
//! ```
//!
//! It goes over what the configuration says of the feed; the command line goes over it.

use super::findings::{Texts, said};
use super::{
    CLASSIFICATION, ConfigError, Feed, SEVERITY, Wrong, check_word, explain, find_value, line_and_column,
    read_credibility, read_identifier, read_reliability,
};
use crate::alert::{ReportWords, is_classification, is_severity};
use crate::moment::Moment;
use crate::pipeline::SourceReport;
use crate::policy::{Credibility, FuseMode, Language, Permission, Provenance, Reliability, Tlp};
use crate::scan::is_cve;
use crate::text::{says_nothing, show};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

/// A larger file is no report.
pub const REPORT_BYTES_MAX: u64 = 64 << 10;
/// CVE numbers of a report.
const CVES_MAX: usize = 100;
/// Bytes of a CVE number: its own digits are at most ten.
const CVE_BYTES_MAX: usize = "CVE-2019-0123456789".len();

/// A checked report.
#[derive(Clone, Debug)]
pub struct DumpReport {
    /// When records without a time were observed: the text as given, and what it says.
    pub observed: Option<(String, Moment)>,
    /// What a run is told of it.
    pub source: Arc<SourceReport>,
    identifier: Option<String>,
    classification: Option<String>,
    permission: Option<String>,
    reliability: Option<Reliability>,
    credibility: Option<Credibility>,
    tlp: Option<Tlp>,
    is_tlp_unknown: bool,
    hold: bool,
}

/// As written.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Written {
    reference: Option<String>,
    provider: Option<String>,
    received: Option<toml::Value>,
    observed: Option<toml::Value>,
    tlp: Option<String>,
    permission: Option<String>,
    reliability: Option<String>,
    credibility: Option<u8>,
    identifier: Option<String>,
    classification: Option<String>,
    severity: Option<String>,
    cve: Option<toml::Value>,
    title: Option<String>,
    text_nl: Option<String>,
    text_en: Option<String>,
    url: Option<String>,
    hold: bool,
    assessed_by: Option<String>,
    decision: Option<String>,
    scope: Option<String>,
}

impl DumpReport {
    /// Reads and checks a file.
    pub fn read(path: &Path, language: Language) -> Result<Self, ConfigError> {
        let failed = |error| ConfigError::Read { path: path.into(), error };
        let mut text = String::new();
        let file = std::fs::File::open(path).map_err(failed)?;
        file.take(REPORT_BYTES_MAX + 1).read_to_string(&mut text).map_err(failed)?;
        if text.len() as u64 > REPORT_BYTES_MAX {
            let problem = format!("larger than {REPORT_BYTES_MAX} bytes: this is no report beside a dump");
            return Err(ConfigError::Invalid { path: path.into(), at: None, problem });
        }
        Self::parse(&text, path, language)
    }

    /// Checks a text; `path` is for messages.
    pub fn parse(text: &str, path: &Path, language: Language) -> Result<Self, ConfigError> {
        let invalid = |at, problem| ConfigError::Invalid { path: path.into(), at, problem };
        let unread = |error: toml::de::Error| {
            let at = error.span().map(|span| line_and_column(text, span.start));
            invalid(at, explain(error.message()))
        };
        let written: Written = toml::from_str(text).map_err(unread)?;
        let table: toml::Table = toml::from_str(text).map_err(unread)?;
        let said = table.into_iter().map(|(key, value)| (key, json_of(value))).collect();
        written
            .check(said, language)
            .map_err(|Wrong { keys, problem }| invalid(find_value(text, &keys), problem))
    }

    /// The report of a run, as its manifest has it; `None` if it has what no report has.
    pub fn of_manifest(said: &BTreeMap<String, Value>, language: Language) -> Option<Self> {
        let object = Value::Object(said.clone().into_iter().collect());
        let written: Written = serde_json::from_value(object).ok()?;
        written.check(said.clone(), language).ok()
    }

    /// What is known of a feed, where the dump at hand has this report. A label is never loosened.
    #[must_use]
    pub fn over(&self, feed: Feed) -> Feed {
        let of_feed = feed.provenance;
        let mut fuse = feed.fuse;
        if self.hold {
            fuse.mode = FuseMode::Hold;
        }
        Feed {
            identifier: self.identifier.clone().or(feed.identifier),
            classification: self.classification.clone().or(feed.classification),
            provenance: Provenance {
                reliability: self.reliability.or(of_feed.reliability),
                credibility: self.credibility.or(of_feed.credibility),
                tlp: self.tlp.max(of_feed.tlp),
                is_tlp_unknown: self.is_tlp_unknown,
                notice_tlp: of_feed.notice_tlp,
                permission: self.permission.as_ref().map_or(of_feed.permission, |_| Permission::OfReport),
            },
            permission: self.permission.clone().or(feed.permission),
            fuse,
            report: Some(Arc::clone(&self.source)),
            ..feed
        }
    }
}

impl Written {
    fn check(self, all: BTreeMap<String, Value>, language: Language) -> Result<DumpReport, Wrong> {
        let of = |key: &str| {
            let keys = vec![key.to_owned()];
            move |problem| Wrong { keys, problem }
        };
        if self.permission.as_deref().is_some_and(says_nothing) {
            return Err(of("permission")("permission says nothing (write who gave it, and when)".to_owned()));
        }
        let texts = Texts { title: &self.title, url: &self.url, nl: &self.text_nl, en: &self.text_en };
        texts.check().map_err(|(key, problem)| of(key)(problem))?;
        read_time("received", self.received.as_ref())?;
        let label = said(&self.tlp);
        let words = ReportWords {
            title: said(&self.title).map(str::to_owned),
            text: language.choose(said(&self.text_nl), said(&self.text_en)),
            url: said(&self.url).map(str::to_owned),
            cves: read_cves(self.cve.as_ref()).map_err(of("cve"))?,
            severity: check_word(SEVERITY, self.severity, is_severity).map_err(of("severity"))?,
        };
        let reliability = self.reliability.as_deref().map(read_reliability).transpose();
        let credibility = self.credibility.map(read_credibility).transpose();
        Ok(DumpReport {
            observed: read_time("observed", self.observed.as_ref())?,
            source: Arc::new(SourceReport { words: Arc::new(words), said: all }),
            identifier: self.identifier.map(read_identifier).transpose().map_err(of("identifier"))?,
            classification: check_word(CLASSIFICATION, self.classification, is_classification)
                .map_err(of("classification"))?,
            permission: self.permission,
            reliability: reliability.map_err(of("reliability"))?,
            credibility: credibility.map_err(of("credibility"))?,
            // One that cannot be read may be any: what is held bears the default at least.
            tlp: label.map(|label| Tlp::read(label).unwrap_or(Tlp::DEFAULT)),
            is_tlp_unknown: label.is_some_and(|label| Tlp::read(label).is_none()),
            hold: self.hold,
        })
    }
}

/// A time as a TOML date or as text: as given, and what it says.
fn read_time(key: &'static str, value: Option<&toml::Value>) -> Result<Option<(String, Moment)>, Wrong> {
    let text = match value {
        None => return Ok(None),
        Some(toml::Value::Datetime(time)) => time.to_string(),
        Some(toml::Value::String(text)) => text.trim().to_owned(),
        Some(other) => other.to_string(),
    };
    match Moment::read(text.as_bytes()) {
        Some(moment) => Ok(Some((text, moment))),
        None => {
            let text = show(text.as_bytes(), 64);
            let problem = format!(
                "{key} {text} is no time (such as 2026-11-22 or 2026-11-22T01:02:03Z, no other order)"
            );
            Err(Wrong::at(&[key])(problem))
        }
    }
}

/// One CVE number or a list of them.
fn read_cves(value: Option<&toml::Value>) -> Result<Vec<String>, String> {
    let items = match value {
        None => &[],
        Some(toml::Value::Array(items)) => &items[..],
        Some(one) => std::slice::from_ref(one),
    };
    if items.len() > CVES_MAX {
        return Err(format!("cve names {} numbers; at most {CVES_MAX} are told", items.len()));
    }
    let read = |item: &toml::Value| match item.as_str().map(str::trim) {
        Some(cve) if is_cve(cve) && cve.len() <= CVE_BYTES_MAX => Ok(cve.to_owned()),
        _ => {
            let item = show(item.to_string().as_bytes(), 64);
            Err(format!("cve {item} is no CVE number (such as CVE-2019-0708, or a list of such)"))
        }
    };
    items.iter().map(read).collect()
}

/// As a manifest has it: times are text.
fn json_of(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::from(text),
        toml::Value::Integer(number) => Value::from(number),
        toml::Value::Float(number) => Value::from(number),
        toml::Value::Boolean(is_so) => Value::from(is_so),
        toml::Value::Datetime(time) => Value::from(time.to_string()),
        toml::Value::Array(items) => items.into_iter().map(json_of).collect(),
        toml::Value::Table(table) => table.into_iter().map(|(key, value)| (key, json_of(value))).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<DumpReport, String> {
        DumpReport::parse(text, Path::new("list.csv.toml"), Language::Dutch)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (text, said) in [
            ("tlp = \"RED\"\nreporter = \"x\"\n", "list.csv.toml:2:1: unknown field `reporter`"),
            ("provder = \"x\"\n", "list.csv.toml:1:1: unknown key `provder` (did you mean `provider`?)"),
            ("\nhold = \"yes\"\n", "list.csv.toml:2:8: invalid type: string \"yes\", expected a boolean"),
            ("tlp = 3\n", "list.csv.toml:1:7: invalid type: integer `3`, expected a string"),
            ("observed = \"22-11-2026\"\n", "list.csv.toml:1:12: observed 22-11-2026 is no time"),
            ("received = 12\n", "list.csv.toml:1:12: received 12 is no time"),
            ("observed = 07:32:00\n", "list.csv.toml:1:12: observed 07:32:00 is no time"),
            ("cve = [\"CVE-2019-0708\", \"RCE\"]\n", "list.csv.toml:1:7: cve \"RCE\" is no CVE number"),
            ("cve = 3\n", "cve 3 is no CVE number"),
            ("credibility = 7\n", "list.csv.toml:1:15: credibility is a figure from 1 (confirmed)"),
            ("credibility = 300\n", "list.csv.toml:1:15: invalid value: integer `300`"),
            ("reliability = \"G\"\n", "list.csv.toml:1:15: reliability is a letter from A"),
            ("severity = \"hihg\"\n", "did you mean high?"),
            ("classification = \"x\"\n", "list.csv.toml:1:18: classification \"x\""),
            ("identifier = \"\"\n", "list.csv.toml:1:14: the identifier \"\" is no name"),
            ("permission = \" - \"\n", "list.csv.toml:1:14: permission says nothing"),
            ("url = \"javascript:x\"\n", "list.csv.toml:1:7: url \"javascript:x\" is no page's address"),
            ("tlp = \"RED\n", "list.csv.toml:1:11: "),
            ("[x]\n", "unknown field `x`"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
    }

    #[test]
    fn a_report_goes_over_its_feed_and_never_loosens_a_label() {
        let labels = Tlp::ALL.map(Some).into_iter().chain([None]);
        for (of_report, of_feed) in
            labels.clone().flat_map(|one| labels.clone().map(move |other| (one, other)))
        {
            let text = of_report.map_or_else(String::new, |tlp| format!("tlp = \"tlp:{tlp}\"\n"));
            let feed = Feed { provenance: Provenance::of_tlp(of_feed), ..Feed::default() };
            let provenance = parse(&text).unwrap().over(feed).provenance;
            assert_eq!(provenance.tlp, of_report.max(of_feed));
            assert!(!provenance.is_tlp_unknown && provenance.tlp >= of_feed);
        }
        let feed = || Feed {
            identifier: Some("feed".to_owned()),
            permission: Some("feed".to_owned()),
            provider: Some("Told".to_owned()),
            provenance: Provenance { permission: Permission::OfFeed, ..Provenance::of_tlp(Some(Tlp::Red)) },
            ..Feed::default()
        };
        let same = parse("provider = \"Nobody's business\"\n").unwrap().over(feed());
        assert_eq!((same.identifier.as_deref(), same.provider.as_deref()), (Some("feed"), Some("Told")));
        assert_eq!((same.provenance.permission, same.fuse.mode), (Permission::OfFeed, FuseMode::Share));
        let text = "identifier = \"mine\"\npermission = \"mail\"\ntlp = \"purple\"\nhold = true\n";
        let other = parse(text).unwrap().over(feed());
        assert_eq!((other.identifier.as_deref(), other.permission.as_deref()), (Some("mine"), Some("mail")));
        let Provenance { tlp, is_tlp_unknown, permission, .. } = other.provenance;
        assert_eq!((tlp, is_tlp_unknown, permission), (Some(Tlp::Red), true, Permission::OfReport));
        assert_eq!(other.fuse.mode, FuseMode::Hold);
    }

    #[test]
    fn a_manifest_gives_the_report_back() {
        let text = "observed = 2026-11-21T03:00:00Z\nreceived = 2026-11-22\ncve = \"cve-2019-0708\"\ncredibility = 2\n\
            hold = true\ntext_en = \"Close it.\"\ntlp = \"RED\"\npermission = \"mail\"\nscope = \"IPv4\"\n";
        let report = parse(text).unwrap();
        assert_eq!(report.observed.as_ref().unwrap().0, "2026-11-21T03:00:00Z");
        assert_eq!(report.source.words.text.as_deref(), Some("Close it."));
        let again = DumpReport::of_manifest(&report.source.said, Language::Dutch).unwrap();
        assert_eq!(format!("{again:?}"), format!("{report:?}"));
    }

    #[test]
    fn reports_that_say_the_same_are_the_same_and_others_are_not() {
        let canonical = |text| parse(text).unwrap().source.canonical();
        let one = canonical("tlp = \"RED\" # why\n\nhold = false\n");
        assert_eq!(one, canonical("hold=false\ntlp='RED'"));
        let others = ["", "tlp = \"RED\"\n", "tlp = \"red\"\nhold = false\n", "tlp = \"RED\"\nhold = true\n"];
        let mut all: Vec<Vec<u8>> = others.into_iter().map(canonical).chain([one]).collect();
        assert!(all.iter().all(|bytes| bytes.iter().position(|byte| *byte == 0) == Some(bytes.len() - 1)));
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 5);
    }
}
