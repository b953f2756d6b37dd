//! Delimited text with a header, by whomever: a partner's export, a list out of a mail.
//!
//! Columns are taken by their usual names, without regard to case and to `-`, `_`, `.` or space between words; of
//! several the first of the lists below wins. `--map` names others. `hostname`, `ptr` and `rdns` are reverse names,
//! which never choose a recipient: a list with such a column alone is refused until `--map name=hostname` says that
//! its findings are about these names.
//!
//! An address cell may hold a CIDR prefix and, where no column is taken for the port, `192.0.2.1:443` or
//! `[2001:db8::1]:443`. A row is vulnerable if a column or the operator says what is wrong, else exposed.

use super::columns::{Chooser, Delimited, Roles, Row, Rows, Table, is_alike, is_key_like};
use super::{
    Field, Finding, Format, FormatError, FormatOptions, FormatSpec, Head, Kind, RECORD_BYTES_MAX, Side, Skip,
    Take,
};
use std::borrow::Cow;

/// The format `csv`.
pub(super) const SPEC: FormatSpec = FormatSpec { name: "csv", fits, open };

/// The usual names of a field, best first. `srcip` and `dport` are missing on purpose: they are the scanner's.
pub(super) const fn usual(field: Field) -> &'static [&'static str] {
    match field {
        Field::Address => &[
            "ip",
            "ip_address",
            "ipaddress",
            "ip_addr",
            "ipaddr",
            "address",
            "addr",
            "src_ip",
            "source_ip",
            "saddr",
            "host_ip",
            "hostip",
            "ip_str",
            "ip_adres",
            "network",
            "prefix",
            "cidr",
        ],
        Field::Port => &["port", "src_port", "source_port", "sport", "port_number", "poort"],
        Field::Transport => &["transport", "protocol_transport", "proto", "protocol"],
        Field::Time => &[
            "timestamp",
            "time",
            "time_source",
            "observed",
            "observed_at",
            "datetime",
            "date",
            "last_seen",
            "seen",
            "scan_time",
            "scan_date",
            "timestamp_str",
            "timestamp_ts",
        ],
        Field::Identifier => &["identifier", "classification_identifier"],
        Field::Severity => &["severity"],
        Field::Cve => &["cve", "cves", "cve_id", "product_vulnerabilities"],
        Field::Tlp => &["tlp"],
        Field::Asn => &["asn", "as_number", "source_asn"],
        Field::Application => &["application", "app", "service", "service_name", "protocol_application"],
        Field::Name => &["url", "http_host", "domain", "source_url", "source_fqdn"],
        Field::ShownName => &[],
        Field::ReverseName => &["hostname", "ptr", "rdns", "reverse_dns", "source_reverse_dns"],
        Field::Tag => &["tag", "tags"],
    }
}

fn is_usual(name: &str) -> bool {
    Field::ALL.into_iter().flat_map(usual).any(|usual| is_alike(usual, name))
}

/// A header row: a column with a usual name, or several columns none of which could be a key or a number.
fn fits(head: &Head<'_>) -> bool {
    if matches!(head.text().first(), Some(b'{' | b'[')) {
        return false;
    }
    let Ok(Some(table)) = Table::read(head, RECORD_BYTES_MAX, is_usual) else { return false };
    let names = table.names();
    names.iter().any(|name| is_usual(name)) || names.len() > 1 && !names.iter().any(|name| is_key_like(name))
}

fn open(head: &Head<'_>, options: &FormatOptions) -> Result<Box<dyn Format>, FormatError> {
    let is_mapped = |name: &str| options.map.values().any(|mapped| mapped.eq_ignore_ascii_case(name));
    let is_known = |name: &str| is_mapped(name) || is_usual(name);
    let csv = Csv { identifier: options.identifier.clone(), finding: options.finding, take: options.take };
    let Some(table) = Table::read(head, options.record_bytes_max, is_known)? else {
        let table = Table::of_nothing(head, options.record_bytes_max);
        return Ok(Box::new(Delimited::new(table, Roles::default(), csv, None)));
    };
    let chooser = Chooser { table: &table, map: &options.map };
    let roles = roles(&chooser)?;
    if !roles.has_key() {
        return Err(chooser.no_key());
    }
    Ok(Box::new(Delimited::new(table, roles, csv, options.time_style.clone())))
}

fn roles(chooser: &Chooser<'_>) -> Result<Roles, FormatError> {
    let one = |field| chooser.one(field, usual(field));
    let all = |field| chooser.all(field, usual(field));
    let port = one(Field::Port)?;
    Ok(Roles {
        address: one(Field::Address)?,
        is_endpoint: port.is_none(),
        port,
        transport: one(Field::Transport)?,
        application: one(Field::Application)?,
        time: one(Field::Time)?,
        identifier: one(Field::Identifier)?,
        severity: one(Field::Severity)?,
        tlp: one(Field::Tlp)?,
        asn: one(Field::Asn)?,
        cve: one(Field::Cve)?,
        tag: one(Field::Tag)?,
        stated: all(Field::Name)?,
        shown: all(Field::ShownName)?,
        reverse: all(Field::ReverseName)?,
        ..Roles::default()
    })
}

/// Rows of a list: what is wrong with all of them, if anybody says so.
struct Csv {
    identifier: Option<String>,
    finding: bool,
    take: Take,
}

impl Rows for Csv {
    fn judge<'r>(&self, row: &Row<'r>, roles: &Roles) -> Result<Finding<'r>, Skip> {
        let identifier = row.text(roles.identifier).or_else(|| self.identifier.clone().map(Cow::Owned));
        let kind = if identifier.is_some() { Kind::Vulnerable } else { Kind::Exposed };
        if let Some(skip) = kind.skipped_by(self.take) {
            return Err(skip);
        }
        let open = self.finding.then_some(Cow::Borrowed("open"));
        Ok(Finding { identifier: identifier.or(open), ..Finding::new(0, kind, Side::Exposed) })
    }
}
