//! Shadowserver's reports: CSV files, one report type a file.
//!
//! What a row means is the type's: which column holds the subject, whether its port is a service's or a client's, what
//! is wrong, and how bad that is by default. Columns are found by their names, never by their order, which the
//! producer does not promise; reports of years ago, with fewer columns, read alike.
//!
//! The type comes from the file name ([`report_type_of`]) or from the operator, never from the content. A type that
//! the table does not know is read by `ip` or `src_ip` and `timestamp`, and its findings are marked
//! ([`Finding::unknown_type`]): new types appear several times a year, and nobody should be told what nobody
//! understands.
//!
//! Names: a few types are about a name (a compromised website, a malware URL, an account); elsewhere
//! `hostname` is a reverse name unless `hostname_source` says `certificate` or `http`. Names in certificates are not
//! taken: devices carry their maker's.

use super::columns::{Chooser, Delimited, Roles, Row, Rows, Table};
use super::shadowserver_types::{ReportType, SubjectColumn};
use super::{Field, Finding, Format, FormatError, FormatOptions, FormatSpec, Head, Kind, Side, Skip, Take};
use std::borrow::Cow;

/// The format `shadowserver`. It never fits by content.
pub(super) const SPEC: FormatSpec = FormatSpec { name: "shadowserver", fits: |_| false, open };

/// Longest name of a report type, bytes.
const TYPE_BYTES_MAX: usize = 64;

/// The report type that a file name tells: `<type>` of `2026-11-22-<type>-<rest>.csv`, known or not, or a stem that
/// is itself a known type (`scan_rdp.csv`). A final `.gz` or `.zst` does not count. `None`: no Shadowserver report.
pub fn report_type_of(file_name: &str) -> Option<&str> {
    let name = [".gz", ".zst"].iter().find_map(|end| file_name.strip_suffix(end)).unwrap_or(file_name);
    let stem = name.strip_suffix(".csv")?;
    if is_report_type(stem) {
        return Some(stem);
    }
    let (date, rest) = stem.split_at_checked("2026-11-22-".len())?;
    let is_date = date.bytes().zip(*b"0000-00-00-").all(|(byte, shape)| match shape {
        b'-' => byte == b'-',
        _ => byte.is_ascii_digit(),
    });
    let (name, rest) = rest.split_once('-')?;
    (is_date && is_type_like(name) && !rest.is_empty()).then_some(name)
}

/// Whether text could be the name of a report type.
fn is_type_like(name: &str) -> bool {
    let is_plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
    (1..=TYPE_BYTES_MAX).contains(&name.len()) && !name.starts_with('_') && name.bytes().all(is_plain)
}

/// Whether this is a report type that the table knows.
pub fn is_report_type(name: &str) -> bool {
    ReportType::find(name).is_some()
}

fn open(head: &Head<'_>, options: &FormatOptions) -> Result<Box<dyn Format>, FormatError> {
    let given = options.identifier.as_deref().filter(|name| is_report_type(name));
    let name = options.report_type.as_deref().or(given);
    let report = name.and_then(ReportType::find);
    let shadowserver = |infection| Shadowserver {
        report,
        identifier: name.or(options.identifier.as_deref()).map(str::to_owned),
        infection,
        take: options.take,
    };
    let is_known = |name: &str| matches!(name, "timestamp" | "severity" | "ip" | "src_ip");
    let Some(table) = Table::read(head, options.record_bytes_max, is_known)? else {
        let table = Table::of_nothing(head, options.record_bytes_max);
        return Ok(Box::new(Delimited::new(table, Roles::default(), shadowserver(None), None)));
    };
    let chooser = Chooser { table: &table, map: &options.map };
    let roles = roles(&chooser, report)?;
    if !roles.has_key() {
        return Err(chooser.no_key());
    }
    let rows = shadowserver(chooser.named("infection")?);
    Ok(Box::new(Delimited::new(table, roles, rows, options.time_style.clone())))
}

fn roles(chooser: &Chooser<'_>, report: Option<&ReportType>) -> Result<Roles, FormatError> {
    let columns = Columns::of(report);
    Ok(Roles {
        address: chooser.one(Field::Address, columns.address)?,
        port: chooser.one(Field::Port, &[columns.port])?,
        port_is_client: columns.port == "src_port",
        transport: chooser.one(Field::Transport, &["protocol"])?,
        application: chooser.one(Field::Application, &["application"])?,
        time: chooser.one(Field::Time, &["timestamp"])?,
        severity: chooser.one(Field::Severity, &["severity"])?,
        tlp: chooser.one(Field::Tlp, &[])?,
        asn: chooser.one(Field::Asn, &[columns.asn])?,
        cve: chooser.one(Field::Cve, &[])?,
        tag: chooser.one(Field::Tag, &["tag"])?,
        stated: chooser.all(Field::Name, columns.stated)?,
        shown: chooser.all(Field::ShownName, &[])?,
        reverse: chooser.all(Field::ReverseName, columns.reverse)?,
        reverse_source: chooser.named("hostname_source")?,
        ..Roles::default()
    })
}

/// The names of the columns that a type's rows are read from.
struct Columns {
    address: &'static [&'static str],
    port: &'static str,
    asn: &'static str,
    /// What the finding is about; the first that is filled.
    stated: &'static [&'static str],
    reverse: &'static [&'static str],
}

impl Columns {
    fn of(report: Option<&ReportType>) -> Self {
        let Some(report) = report else {
            // Of an unknown type nothing is certain but the address.
            return Self {
                address: &["ip", "src_ip"],
                port: "port",
                asn: "asn",
                stated: &[],
                reverse: &["hostname"],
            };
        };
        let (address, port, asn, reverse): (&[&str], _, _, &[&str]) = match report.subject {
            SubjectColumn::Ip => (&["ip"], "port", "asn", &["hostname"]),
            SubjectColumn::SrcIp => (&["src_ip"], "src_port", "src_asn", &["src_hostname"]),
            SubjectColumn::DstIp => (&["dst_ip"], "dst_port", "dst_asn", &["dst_hostname"]),
            SubjectColumn::RefererIp => (&["http_referer_ip"], "http_referer_port", "http_referer_asn", &[]),
            SubjectColumn::NoAddress => (&[], "port", "asn", &[]),
        };
        let stated: &[&str] = match report.name {
            "compromised_account" => &["email"],
            "compromised_website" | "compromised_website6" => &["http_host", "url"],
            "event4_sinkhole_http_referer" | "event6_sinkhole_http_referer" => {
                &["http_referer", "http_referer_hostname"]
            }
            "malware_url" | "sandbox_url" | "spam_url" => &["url", "hostname", "host"],
            "ransomware_victim" => &["website"],
            "sandbox_conn" => &["hostname", "host"],
            "sandbox_dns" => &["request"],
            _ => &[],
        };
        let reverse = if stated.contains(&"hostname") { &[] } else { reverse };
        Self { address, port, asn, stated, reverse }
    }
}

/// Rows of one report.
struct Shadowserver {
    /// `None`: the table does not know the type, or nobody says it.
    report: Option<&'static ReportType>,
    identifier: Option<String>,
    /// The column that names the malware.
    infection: Option<usize>,
    take: Take,
}

impl Rows for Shadowserver {
    fn judge<'r>(&self, row: &Row<'r>, roles: &Roles) -> Result<Finding<'r>, Skip> {
        let identifier = self.identifier.clone().map(Cow::Owned);
        let Some(report) = self.report else {
            // Vulnerable, so that it is held for a person whatever the feed takes.
            let finding = Finding::new(0, Kind::Vulnerable, Side::Exposed);
            return Ok(Finding { identifier, unknown_type: true, ..finding });
        };
        let is_webshell = is_webshell(report, row, roles);
        let kind = if is_webshell { Kind::Vulnerable } else { report.kind() };
        if let Some(skip) = kind.skipped_by(self.take) {
            return Err(skip);
        }
        let side = if is_webshell { Side::Infected } else { report.side() };
        let filled = |text: &'static str| (!text.is_empty()).then_some(Cow::Borrowed(text));
        Ok(Finding {
            identifier,
            classification: Some(if is_webshell { "system-compromise" } else { report.classification }),
            severity: filled(report.severity),
            transport: filled(report.transport),
            application: filled(report.application),
            text: Some(match row.text(self.infection) {
                Some(infection) => Cow::Owned(format!("{}: {infection}", report.title)),
                None => Cow::Borrowed(report.title),
            }),
            url: report.url().map(Cow::Owned),
            ..Finding::new(0, kind, side)
        })
    }

    fn listed(&self) -> Vec<(usize, &'static str)> {
        self.infection.map(|column| (column, "infection")).into_iter().collect()
    }
}

/// Whether this row of `scan_exchange` reports a web shell, where the others report a vulnerable server.
fn is_webshell(report: &ReportType, row: &Row<'_>, roles: &Roles) -> bool {
    let tag =
        if matches!(report.name, "scan_exchange" | "scan6_exchange") { row.text(roles.tag) } else { None };
    tag.is_some_and(|tag| tag.split(';').any(|tag| tag.trim().eq_ignore_ascii_case("webshell")))
}
