//! Shodan: a banner a line, or the API's answer with the banners in `matches`.
//!
//! `ip_str` is the address (`ip` is the same as an integer, for IPv4 only, and is not read). `timestamp` has no zone:
//! it is UTC. A banner is vulnerable where `vulns` is filled, else exposed. `hostnames` come from reverse DNS and from
//! certificates alike, so the first is a reverse name; the Host of the request and the certificate's common name are
//! shown ones. Copied are the product and its version, the tags and the CVE numbers; never the banner.

use super::authority::all_names;
use super::columns::{is_cve, read_asn};
use super::json::{
    Dialect, Found, JsonFormat, KeyFields, List, Path, Places, Reader, Schema, Slot, Syntax, head_has,
    identifier, read_record, skim, subject_of,
};
use super::{
    Finding, Findings, Format, FormatError, FormatOptions, FormatSpec, Head, KeyKinds, Keys, Kind, Reject,
    Side,
};
use crate::text::says_nothing;
use std::borrow::Cow;

/// The format `shodan`.
pub(super) const SPEC: FormatSpec = FormatSpec { name: "shodan", fits, open };

/// The key of the API's answer that holds the banners.
const WRAPPER: Option<&str> = Some("matches");

fn fits(head: &Head<'_>) -> bool {
    head_has(head, Dialect::Json, WRAPPER, &["ip_str"])
}

fn open(head: &Head<'_>, options: &FormatOptions) -> Result<Box<dyn Format>, FormatError> {
    let paths = ["ip_str", "asn", "http.host", "ssl.cert.subject.CN"].map(Path::dotted);
    JsonFormat::open(head, options, WRAPPER, Shodan { paths, options: options.clone() })
}

struct Shodan {
    paths: [Path; 4],
    options: FormatOptions,
}

/// What is read of a banner.
#[derive(Default)]
struct Banner<'r> {
    ip_str: Slot<'r>,
    port: Slot<'r>,
    transport: Slot<'r>,
    timestamp: Slot<'r>,
    asn: Slot<'r>,
    product: Slot<'r>,
    version: Slot<'r>,
    hostnames: List<'r>,
    tags: List<'r>,
    vulns: List<'r>,
    http: bool,
    http_host: Slot<'r>,
    ssl: [bool; 3],
    common_name: Slot<'r>,
    shodan: bool,
    module: Slot<'r>,
}

impl Schema for Shodan {
    fn keys<'r>(&self, record: &'r [u8], kinds: KeyKinds) -> Result<Keys<'r>, Reject> {
        let mut found = [Found::Missing; 4];
        let asked = 1 | u64::from(kinds.asns) << 1 | if kinds.names { 0b1100 } else { 0 };
        let sound = skim(record, Self::DIALECT, &self.paths, asked, &mut found);
        let [address, asn, shown @ ..] = &found;
        let places = KeyFields { address: &[*address], asn: &[*asn], shown, ..KeyFields::default() };
        places.read(kinds, sound)
    }

    fn kinds(&self) -> KeyKinds {
        KeyKinds { addresses: true, names: true, asns: true }
    }

    fn places(&self) -> Option<Places<'_>> {
        Some(Places { address: &self.paths[0], names: &self.paths[2..], asns: &self.paths[1..2] })
    }

    fn findings<'r>(&self, record: &'r [u8]) -> Result<Findings<'r>, Reject> {
        let mut banner = Banner::default();
        read_record(record, Self::DIALECT, |reader, key| banner.read(reader, key))?;
        self.judge(banner)
    }

    fn columns(&self) -> Vec<(String, &'static str)> {
        let columns = [
            ("ip_str", "address"),
            ("port", "port"),
            ("transport", "transport"),
            ("timestamp", "time"),
            ("_shodan.module", "application"),
            ("vulns.*", "cve"),
            ("asn", "asn"),
            ("http.host", "shown_name"),
            ("ssl.cert.subject.CN", "shown_name"),
            ("hostnames[]", "reverse_name"),
            ("tags[]", "tag"),
            ("product", "text"),
        ];
        columns.map(|(path, taken_for)| (path.to_owned(), taken_for)).into()
    }
}

impl<'r> Banner<'r> {
    fn read(&mut self, reader: &mut Reader<'r>, key: &str) -> Result<(), Syntax> {
        match key {
            "ip_str" => reader.fill(&mut self.ip_str),
            "port" => reader.fill(&mut self.port),
            "transport" => reader.fill(&mut self.transport),
            "timestamp" => reader.fill(&mut self.timestamp),
            "asn" => reader.fill(&mut self.asn),
            "product" => reader.fill(&mut self.product),
            "version" => reader.fill(&mut self.version),
            "hostnames" => reader.fill_list(&mut self.hostnames),
            "tags" => reader.fill_list(&mut self.tags),
            "vulns" => reader.fill_keys(&mut self.vulns),
            "_shodan" => reader.inside(&mut self.shodan, |reader, key| match key {
                "module" => reader.fill(&mut self.module),
                _ => reader.skip(),
            }),
            "http" => reader.inside(&mut self.http, |reader, key| match key {
                "host" => reader.fill(&mut self.http_host),
                _ => reader.skip(),
            }),
            "ssl" => self.read_certificate(reader),
            _ => reader.skip(),
        }
    }

    /// `ssl.cert.subject.CN`
    fn read_certificate(&mut self, reader: &mut Reader<'r>) -> Result<(), Syntax> {
        let [ssl, cert, subject] = &mut self.ssl;
        reader.inside(ssl, |reader, key| match key {
            "cert" => reader.inside(cert, |reader, key| match key {
                "subject" => reader.inside(subject, |reader, key| match key {
                    "CN" => reader.fill(&mut self.common_name),
                    _ => reader.skip(),
                }),
                _ => reader.skip(),
            }),
            _ => reader.skip(),
        })
    }
}

impl Shodan {
    fn judge<'r>(&self, banner: Banner<'r>) -> Result<Findings<'r>, Reject> {
        let subject = subject_of(banner.ip_str.value(), &[], false)?.0;
        // An entry with `!` was tested and found not to be there.
        let vulns: Vec<_> = banner.vulns.texts.into_iter().filter(|vuln| !vuln.starts_with('!')).collect();
        let kind = if vulns.is_empty() { Kind::Exposed } else { Kind::Vulnerable };
        if let Some(skip) = kind.skipped_by(self.options.take) {
            return Ok(Findings::Skipped(skip));
        }
        let mut finding = Finding::new(0, kind, Side::Exposed);
        finding.subject = subject;
        finding.port = banner.port.port()?;
        finding.time = banner.timestamp.time(self.options.time_style.as_deref())?;
        finding.transport = banner.transport.text();
        finding.asn = banner.asn.token().and_then(|token| read_asn(token.as_bytes()));
        finding.shown = all_names([banner.http_host.text(), banner.common_name.text()]).into_vec();
        finding.reverse = banner.hostnames.texts.into_iter().next();
        finding.application = banner.module.text();
        finding.identifier = self.identifier(kind, finding.application.as_ref());
        finding.text = product(banner.product.text(), banner.version.as_str());
        (finding.cves, finding.tags) = vulns.into_iter().partition(|vuln| is_cve(vuln));
        finding.tags.extend(banner.tags.texts);
        Ok(Findings::Some(vec![finding]))
    }

    /// What is given, else with `vulns` the module or `vulnerable`, else in a feed of findings the module.
    fn identifier<'r>(&self, kind: Kind, module: Option<&Cow<'r, str>>) -> Option<Cow<'r, str>> {
        let module = module.filter(|module| !says_nothing(module));
        let own = match kind {
            Kind::Vulnerable => Some(module.cloned().unwrap_or(Cow::Borrowed("vulnerable"))),
            _ => module.filter(|_| self.options.finding).cloned(),
        };
        identifier(None, &self.options, None).or(own)
    }
}

fn product<'r>(product: Option<Cow<'r, str>>, version: Option<&str>) -> Option<Cow<'r, str>> {
    match (product, version) {
        (Some(product), Some(version)) => Some(Cow::Owned(format!("{product} {version}"))),
        (product, _) => product,
    }
}
