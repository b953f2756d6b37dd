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
//! A row has no text or page of its own, but the name of malware: what is true of all rows of a type stands in the catalogue of
//! findings ([`report_types`]).
//!
//! Names: a few types are about a name (a compromised website, a malware URL, an account); elsewhere
//! `hostname` is a reverse name unless `hostname_source` says `certificate` or `http`. Names in certificates are not
//! taken: devices carry their maker's.

use super::columns::{Chooser, Delimited, Roles, Row, Rows, Table};
use super::shadowserver_types::{REPORT_TYPES, ReportType, SubjectColumn};
use super::{Field, Finding, Format, FormatError, FormatOptions, FormatSpec, Head, Kind, Side, Skip, Take};
use std::borrow::Cow;

/// The format `shadowserver`. It never fits by content.
pub(super) const SPEC: FormatSpec = FormatSpec { name: "shadowserver", fits: |_| false, open };

/// Longest name of a report type, bytes.
const TYPE_BYTES_MAX: usize = 64;

/// The report type that a file name tells: `<type>` of `2026-11-22-<type>-<rest>.csv`, known or not, or a stem that
/// is itself a known type (`scan_rdp.csv`). A final `.gz`, `.zst` or `.zip` does not count. `None`: no Shadowserver report.
pub fn report_type_of(file_name: &str) -> Option<&str> {
    let name =
        [".gz", ".zst", ".zip"].iter().find_map(|end| file_name.strip_suffix(end)).unwrap_or(file_name);
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

/// What the producer says of a report type.
#[derive(Clone, Debug)]
pub struct ReportFacts {
    /// Its name in file names; the identifier of its rows.
    pub name: &'static str,
    /// What it reports, in words.
    pub title: &'static str,
    /// The page about it.
    pub url: Option<String>,
    /// Where the row says none.
    pub severity: Option<&'static str>,
    /// Which part the subject plays.
    pub side: Side,
}

/// All report types that the table knows.
pub fn report_types() -> impl Iterator<Item = ReportFacts> {
    REPORT_TYPES.iter().map(|report| ReportFacts {
        name: report.name,
        title: report.title,
        url: report.url(),
        severity: Some(report.severity).filter(|severity| !severity.is_empty()),
        side: report.side(),
    })
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
    fn judge<'r>(&'r self, row: &Row<'r>, roles: &Roles, finding: &mut Finding<'r>) -> Result<(), Skip> {
        finding.identifier = self.identifier.as_deref().map(Cow::Borrowed);
        let Some(report) = self.report else {
            // Vulnerable, so that it is held for a person whatever the feed takes.
            (finding.kind, finding.unknown_type) = (Kind::Vulnerable, true);
            return Ok(());
        };
        let is_webshell = is_webshell(report, row, roles);
        finding.kind = if is_webshell { Kind::Vulnerable } else { report.kind() };
        if let Some(skip) = finding.kind.skipped_by(self.take) {
            return Err(skip);
        }
        let filled = |text: &'static str| (!text.is_empty()).then_some(Cow::Borrowed(text));
        finding.side = if is_webshell { Side::Infected } else { report.side() };
        finding.classification = Some(if is_webshell { "system-compromise" } else { report.classification });
        finding.severity = filled(report.severity);
        finding.transport = filled(report.transport);
        finding.application = filled(report.application);
        finding.text = match row.text(self.infection) {
            _ if is_webshell => Some(Cow::Borrowed("Web Shell on Exchange Server")),
            infection => infection.map(|infection| Cow::Owned(format!("{}: {infection}", report.title))),
        };
        Ok(())
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

#[cfg(test)]
mod tests {
    use super::super::{Findings, Frame, KeyKinds, Keys, Reject, Window};
    use super::*;

    fn options(report_type: &str) -> FormatOptions {
        FormatOptions { report_type: Some(report_type.to_owned()), ..FormatOptions::default() }
    }

    fn open_text(text: &str, options: &FormatOptions) -> Result<Box<dyn Format>, FormatError> {
        open(&Head { bytes: text.as_bytes(), at_end: true }, options)
    }

    /// The first record of a report.
    fn record<'t>(text: &'t str, format: &dyn Format) -> &'t [u8] {
        match format.frame(Window { bytes: text.as_bytes(), at_end: true }, format.body()) {
            Frame::Record { record, .. } => &text.as_bytes()[record],
            frame => panic!("{frame:?}"),
        }
    }

    fn with_finding(text: &str, options: &FormatOptions, check: impl Fn(&Finding<'_>)) {
        let format = open_text(text, options).unwrap();
        match format.findings(record(text, &*format)) {
            Findings::Some(findings) => check(&findings[0]),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_type_is_in_the_file_name() {
        let check = |name, expected| assert_eq!(report_type_of(name), expected, "{name}");
        check("2015-01-01-dns_openresolver-sample-asn.csv", Some("dns_openresolver"));
        check("2020-04-03-scan_ics-sample-asn-delayed.csv", Some("scan_ics"));
        check("2026-11-22-device_id6-123-x.csv.gz", Some("device_id6"));
        check("2026-11-22-scan_new-x.csv.zst", Some("scan_new"));
        check("scan_rdp.csv", Some("scan_rdp"));
        check("scan_rdp.csv.gz", Some("scan_rdp"));
        check("scan_rdp.csv.zip", Some("scan_rdp"));
        for none in [
            "scan_new.csv",
            "scan_rdp",
            "scan_rdp.txt",
            "scan_rdp.gz",
            "scan_rdp.csv.gz.gz",
            "scan_rdp.csv.gz.zip",
            "scan_rdp.zip",
            "2026-11-22-scan_rdp.csv",
            "2026-11-22-scan_rdp-.csv",
            "2026-11-22--x.csv",
            "26-11-22-scan_rdp-x.csv",
            "2026-11-22-Scan-x.csv",
            "2026-1a-22-scan_rdp-x.csv",
            "2026-11-22-_x-x.csv",
            "x2026-11-22-scan_rdp-x.csv",
            ".csv",
            "",
        ] {
            check(none, None);
        }
        check(&format!("2026-11-22-{}-x.csv", "a".repeat(65)), None);
    }

    #[test]
    fn a_scan_report_is_about_a_service() {
        let text = "\"timestamp\",\"severity\",\"ip\",\"protocol\",\"port\",\"hostname\",\"tag\",\"asn\",\"hostname_source\"\n\
                    \"2026-11-22 01:02:03\",\"high\",\"192.0.2.1\",\"tcp\",3389,\"a.example\",\"rdp;cve-2019-0708\",64496,\"ptr\"\n";
        with_finding(text, &options("scan_rdp"), |f| {
            assert_eq!(
                (f.kind, f.side, f.port, f.port_is_client),
                (Kind::Vulnerable, Side::Exposed, Some(3389), false)
            );
            assert_eq!((f.identifier.as_deref(), f.severity.as_deref()), (Some("scan_rdp"), Some("high")));
            assert_eq!((f.cves.concat(), f.tags.concat()), ("cve-2019-0708".to_owned(), "rdp".to_owned()));
            assert_eq!(
                (f.reverse.as_deref(), f.shown.first().map(|name| &**name)),
                (Some("a.example"), None)
            );
            assert_eq!(f.application.as_deref(), Some("rdp"));
            // What is true of every row of its type, the catalogue says.
            assert_eq!((f.text.as_deref(), f.url.as_deref()), (None, None));
        });
        let certain = text.replace("ptr", "certificate");
        with_finding(&certain, &options("scan_rdp"), |f| {
            assert_eq!(
                (f.reverse.as_deref(), f.shown.first().map(|name| &**name)),
                (None, Some("a.example"))
            );
        });
        let silent = text.replace("\"high\"", "").replace("\"tcp\"", "");
        with_finding(&silent, &options("scan_rdp"), |f| {
            assert_eq!((f.severity.as_deref(), f.transport.as_deref()), (Some("high"), Some("tcp")));
        });
    }

    #[test]
    fn each_part_has_its_columns() {
        let head = "timestamp,src_ip,src_port,dst_ip,dst_port,http_referer_ip,http_referer_port,http_referer,infection";
        let text =
            format!("{head}\n2026-11-22,192.0.2.1,1,192.0.2.2,2,192.0.2.3,3,http://a.example/,mirai\n");
        let check = |report_type, address: &str, port, is_client, side, stated| {
            with_finding(&text, &options(report_type), |f| {
                let subject = f.subject.map(|subject| format!("{subject:?}")).unwrap();
                assert!(subject.contains(address), "{report_type}: {subject}");
                let told = (f.port, f.port_is_client, f.side, f.stated.as_deref());
                assert_eq!(told, (Some(port), is_client, side, stated), "{report_type}");
                assert!(f.text.as_deref().unwrap().ends_with(": mirai"));
            });
        };
        check("event4_sinkhole", "192.0.2.1", 1, true, Side::Infected, None);
        check("event4_honeypot_ddos_amp", "192.0.2.1", 1, true, Side::Victim, None);
        check("event4_honeypot_ddos_target", "192.0.2.2", 2, false, Side::Victim, None);
        check(
            "event4_sinkhole_http_referer",
            "192.0.2.3",
            3,
            false,
            Side::Infected,
            Some("http://a.example/"),
        );
    }

    #[test]
    fn types_without_an_address_have_names() {
        let kinds = KeyKinds { addresses: true, names: true, asns: true };
        let check = |report_type: &str, column: &str, name: &str| {
            let text = format!("timestamp,{column},severity\n2026-11-22,{name},info\n");
            let format = open_text(&text, &options(report_type)).unwrap();
            let expected = Keys { stated: Some(Cow::Borrowed(name)), ..Keys::default() };
            assert_eq!(format.keys(record(&text, &*format), kinds), Ok(expected), "{report_type}");
        };
        check("compromised_account", "email", "a@example.nl");
        check("ransomware_victim", "website", "example.nl");
        check("sandbox_dns", "request", "example.nl");
    }

    #[test]
    fn an_unknown_type_is_read_and_marked() {
        for (report_type, column) in [("scan_new", "ip"), ("event4_new", "src_ip")] {
            let text = format!("novelty,{column},timestamp\n1,192.0.2.1,2026-11-22\n");
            let take = FormatOptions { take: Take::Vulnerable, ..options(report_type) };
            with_finding(&text, &take, |f| {
                assert!(f.unknown_type && f.subject.is_some() && f.time.is_some());
                assert_eq!(f.identifier.as_deref(), Some(report_type));
            });
        }
        // Nobody says the type, or an identifier says one that is known.
        let text = "ip,timestamp\n192.0.2.1,2026-11-22\n";
        with_finding(text, &FormatOptions::default(), |f| assert!(f.unknown_type && f.identifier.is_none()));
        let given =
            |name: &str| FormatOptions { identifier: Some(name.to_owned()), ..FormatOptions::default() };
        with_finding(text, &given("scan_rdp"), |f| assert!(!f.unknown_type));
        with_finding(text, &given("open-rdp"), |f| assert!(f.unknown_type));
    }

    #[test]
    fn a_web_shell_is_told_as_one() {
        let text = |tag: &str| format!("timestamp,ip,port,tag\n2026-11-22,192.0.2.1,443,{tag}\n");
        let check = |tag: &str, side, classification| {
            with_finding(&text(tag), &options("scan_exchange"), |f| {
                assert_eq!(
                    (f.kind, f.side, f.classification),
                    (Kind::Vulnerable, side, Some(classification)),
                    "{tag}"
                );
            });
        };
        check("exchange;webshell", Side::Infected, "system-compromise");
        check("exchange;cve-2021-26855", Side::Exposed, "vulnerable-system");
        check("webshells", Side::Exposed, "vulnerable-system");
    }

    #[test]
    fn inventory_and_context_are_skipped() {
        let text = "timestamp,ip,severity\n2026-11-22,192.0.2.1,critical\n";
        let check = |report_type, take, expected| {
            let format = open_text(text, &FormatOptions { take, ..options(report_type) }).unwrap();
            let skip = match format.findings(record(text, &*format)) {
                Findings::Skipped(skip) => Some(skip),
                Findings::Some(_) => None,
                Findings::Rejected(reject) => panic!("{reject:?}"),
            };
            assert_eq!(skip, expected, "{report_type} {take:?}");
        };
        check("device_id", Take::Exposed, Some(Skip::Inventory));
        check("device_id", Take::All, None);
        check("blocklist", Take::All, Some(Skip::Context));
        check("scan_ssl", Take::Vulnerable, Some(Skip::NotVulnerable));
        check("scan_ssl", Take::Exposed, None);
    }

    #[test]
    fn a_report_without_its_subject_s_column_is_refused() {
        let check = |report_type, header| {
            let error = open_text(header, &options(report_type)).err().unwrap();
            let FormatError::Header { reason, remedy } = error;
            assert_eq!(reason, Reject::NoKey);
            assert!(remedy.contains("--map address=COLUMN") && remedy.contains("timestamp"), "{remedy}");
        };
        check("scan_rdp", "timestamp,address_of_host\n");
        check("event4_honeypot_ddos_target", "timestamp,src_ip\n"); // the attacker's
    }
}
