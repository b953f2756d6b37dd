//! nuclei: `-jsonl`, a line a finding, and `-json-export`, an array of them.
//!
//! The identifier is `template-id` (`templateID` before version 2.6). The finding is about the name in `host`, else in
//! `matched-at` or `url`; `ip` is often absent, and an address that stands in the place of the name, in the first of
//! these that is filled, is then the subject. A finding whose `matcher-status` is false, or says so in text or as 0, is
//! `not-vulnerable`, one of severity `info` is `inventory`.
//!
//! Copied are the template's name, tags, CVE numbers, severity and first reference, and the matcher's name as a tag.
//! The request, the response, the curl command and what was extracted may hold secrets: they are never copied.

use super::authority::{authority, first_name};
use super::columns::read_port;
use super::json::{
    Dialect, Found, JsonFormat, KeyFields, List, Path, Places, Reader, Schema, Slot, Syntax, head_has,
    identifier, read_record, says, skim, subject_of,
};
use super::{
    Finding, Findings, Format, FormatError, FormatOptions, FormatSpec, Head, KeyKinds, Keys, Kind, Reject,
    Side, Skip,
};
use std::borrow::Cow;

/// The format `nuclei`.
pub(super) const SPEC: FormatSpec = FormatSpec { name: "nuclei", fits, open };

fn fits(head: &Head<'_>) -> bool {
    head_has(head, Dialect::Json, None, &["template-id", "templateID"])
}

fn open(head: &Head<'_>, options: &FormatOptions) -> Result<Box<dyn Format>, FormatError> {
    let paths = ["ip", "host", "matched-at", "matched", "url"].map(Path::key);
    JsonFormat::open(head, options, None, Nuclei { paths, options: options.clone() })
}

struct Nuclei {
    paths: [Path; 5],
    options: FormatOptions,
}

/// What is read of a record.
#[derive(Default)]
struct Hit<'r> {
    template_id: Slot<'r>,
    old_template_id: Slot<'r>,
    template_url: Slot<'r>,
    kind: Slot<'r>,
    ip: Slot<'r>,
    port: Slot<'r>,
    host: Slot<'r>,
    matched_at: Slot<'r>,
    matched: Slot<'r>,
    url: Slot<'r>,
    timestamp: Slot<'r>,
    matcher_name: Slot<'r>,
    old_matcher_name: Slot<'r>,
    matcher_status: Slot<'r>,
    info_seen: bool,
    info: Info<'r>,
}

/// What is read of the template.
#[derive(Default)]
struct Info<'r> {
    name: Slot<'r>,
    severity: Slot<'r>,
    tags: List<'r>,
    reference: List<'r>,
    classification_seen: bool,
    cve_id: List<'r>,
}

impl Schema for Nuclei {
    fn keys<'r>(&self, record: &'r [u8], kinds: KeyKinds) -> Result<Keys<'r>, Reject> {
        let mut found = [Found::Missing; 5];
        let asked = if kinds.names { 0b1_1111 } else { 1 };
        let sound = skim(record, Self::DIALECT, &self.paths, asked, &mut found);
        KeyFields { address: &found[..1], stated: &found[1..], ..KeyFields::default() }.read(kinds, sound)
    }

    fn kinds(&self) -> KeyKinds {
        KeyKinds { addresses: true, names: true, asns: false }
    }

    fn places(&self) -> Option<Places<'_>> {
        Some(Places { address: &self.paths[0], names: &self.paths[1..], asns: &[] })
    }

    fn findings<'r>(&self, record: &'r [u8]) -> Result<Findings<'r>, Reject> {
        let mut hit = Hit::default();
        read_record(record, Self::DIALECT, |reader, key| hit.read(reader, key))?;
        self.judge(hit)
    }

    fn columns(&self) -> Vec<(String, &'static str)> {
        let columns = [
            ("template-id", "identifier"),
            ("templateID", "identifier"),
            ("ip", "address"),
            ("port", "port"),
            ("host", "name"),
            ("matched-at", "name"),
            ("type", "application"),
            ("timestamp", "time"),
            ("info.severity", "severity"),
            ("info.name", "text"),
            ("info.classification.cve-id[]", "cve"),
            ("info.tags[]", "tag"),
            ("matcher-name", "tag"),
            ("matcher-status", "status"),
        ];
        columns.map(|(path, taken_for)| (path.to_owned(), taken_for)).into()
    }
}

impl<'r> Hit<'r> {
    fn read(&mut self, reader: &mut Reader<'r>, key: &str) -> Result<(), Syntax> {
        let slot = match key {
            "template-id" => &mut self.template_id,
            "templateID" => &mut self.old_template_id,
            "template-url" => &mut self.template_url,
            "type" => &mut self.kind,
            "ip" => &mut self.ip,
            "port" => &mut self.port,
            "host" => &mut self.host,
            "matched-at" => &mut self.matched_at,
            "matched" => &mut self.matched,
            "url" => &mut self.url,
            "timestamp" => &mut self.timestamp,
            "matcher-name" => &mut self.matcher_name,
            "matcher_name" => &mut self.old_matcher_name,
            "matcher-status" => &mut self.matcher_status,
            "info" => {
                let info = &mut self.info;
                return reader.inside(&mut self.info_seen, |reader, key| info.read(reader, key));
            }
            _ => return reader.skip(),
        };
        reader.fill(slot)
    }

    /// The places where the name may stand, best first.
    fn places(&self) -> [&Slot<'r>; 4] {
        [&self.host, &self.matched_at, &self.matched, &self.url]
    }

    /// The port, else the one that is written behind the name.
    fn port(&self) -> Result<Option<u16>, Reject> {
        if !self.port.is_absent() {
            return self.port.port();
        }
        let places = [&self.matched_at, &self.matched, &self.host, &self.url];
        Ok(places.into_iter().find_map(|place| read_port(authority(place.as_str()?).1?.as_bytes())?))
    }
}

impl<'r> Info<'r> {
    fn read(&mut self, reader: &mut Reader<'r>, key: &str) -> Result<(), Syntax> {
        match key {
            "name" => reader.fill(&mut self.name),
            "severity" => reader.fill(&mut self.severity),
            "tags" => reader.fill_list(&mut self.tags),
            "reference" => reader.fill_list(&mut self.reference),
            "classification" => {
                let cve_id = &mut self.cve_id;
                reader.inside(&mut self.classification_seen, |reader, key| match key {
                    "cve-id" => reader.fill_list(cve_id),
                    _ => reader.skip(),
                })
            }
            _ => reader.skip(),
        }
    }

    fn is_inventory(&self) -> bool {
        self.severity.as_str().is_some_and(|severity| severity.eq_ignore_ascii_case("info"))
    }
}

impl Nuclei {
    fn judge<'r>(&self, hit: Hit<'r>) -> Result<Findings<'r>, Reject> {
        let subject = subject_of(hit.ip.value(), &hit.places().map(Slot::as_str), false)?.0;
        if says(hit.matcher_status.value(), "0", "false") {
            return Ok(Findings::Skipped(Skip::NotVulnerable));
        }
        let kind = if hit.info.is_inventory() { Kind::Inventory } else { Kind::Vulnerable };
        if let Some(skip) = kind.skipped_by(self.options.take) {
            return Ok(Findings::Skipped(skip));
        }
        let mut finding = Finding::new(0, kind, Side::Exposed);
        finding.subject = subject;
        finding.port = hit.port()?;
        finding.time = hit.timestamp.time(self.options.time_style.as_deref())?;
        finding.application = hit.kind.text();
        finding.stated = first_name([hit.host, hit.matched_at, hit.matched, hit.url].map(Slot::text));
        let template = hit.template_id.text().or(hit.old_template_id.text());
        finding.identifier = identifier(template, &self.options, None);
        finding.severity = hit.info.severity.text();
        finding.text = hit.info.name.text();
        finding.url =
            hit.info.reference.texts.into_iter().chain(hit.template_url.text()).find(|url| is_url(url));
        finding.cves = hit.info.cve_id.texts;
        finding.tags.extend(hit.matcher_name.text().or(hit.old_matcher_name.text()));
        finding.tags.extend(hit.info.tags.texts.into_iter().flat_map(words));
        Ok(Findings::Some(vec![finding]))
    }
}

/// Old versions wrote the tags as one string with commas.
fn words(text: Cow<'_, str>) -> Vec<Cow<'_, str>> {
    match text {
        Cow::Borrowed(text) => text.split(',').map(|word| Cow::Borrowed(word.trim())).collect(),
        Cow::Owned(text) => text.split(',').map(|word| Cow::Owned(word.trim().to_owned())).collect(),
    }
}

/// Old versions wrote several references into one string: that is no address of a page.
fn is_url(text: &str) -> bool {
    let is_web = text.starts_with("https://") || text.starts_with("http://");
    is_web && !text.contains(char::is_whitespace)
}
