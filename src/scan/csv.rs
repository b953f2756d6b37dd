//! Delimited text with a header, by whomever: a partner's export, a list out of a mail.
//!
//! Columns are taken by their usual names, without regard to case and to `-`, `_`, `.` or space between words; of
//! several the first of the lists below wins. `--map` names others. `hostname`, `ptr` and `rdns` are reverse names,
//! which never choose a recipient: a list with such a column alone is refused until `--map name=hostname` says that
//! its findings are about these names.
//!
//! Defanged cells (`192[.]0[.]2[.]1`) are read only where the operator says that there are any.
//!
//! An address cell may hold a CIDR prefix and, where no column is taken for the port, `192.0.2.1:443` or
//! `[2001:db8::1]:443`. A row is vulnerable if a column or the operator says what is wrong, else exposed.

use super::columns::{Chooser, Delimited, Roles, Row, Rows, Table, is_alike, is_key_like};
use super::{
    Field, Finding, Format, FormatError, FormatOptions, FormatSpec, Head, Kind, RECORD_BYTES_MAX, Skip, Take,
};
use crate::text::says_nothing;
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
    let roles = roles(&chooser, options.refang)?;
    if !roles.has_key() {
        return Err(chooser.no_key());
    }
    Ok(Box::new(Delimited::new(table, roles, csv, options.time_style.clone())))
}

fn roles(chooser: &Chooser<'_>, is_defanged: bool) -> Result<Roles, FormatError> {
    let one = |field| chooser.one(field, usual(field));
    let all = |field| chooser.all(field, usual(field));
    let port = one(Field::Port)?;
    Ok(Roles {
        address: one(Field::Address)?,
        is_endpoint: port.is_none(),
        is_defanged,
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
    fn judge<'r>(&'r self, row: &Row<'r>, roles: &Roles, finding: &mut Finding<'r>) -> Result<(), Skip> {
        let identifier = row
            .text(roles.identifier)
            .filter(|own| !says_nothing(own))
            .or_else(|| self.identifier.as_deref().map(Cow::Borrowed));
        finding.kind = if identifier.is_some() { Kind::Vulnerable } else { Kind::Exposed };
        if let Some(skip) = finding.kind.skipped_by(self.take) {
            return Err(skip);
        }
        let open = self.finding.then_some(Cow::Borrowed("open"));
        finding.identifier = identifier.or(open);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{COLUMNS_MAX, Findings, Frame, KeyKinds, Reject, Window};
    use super::*;

    fn map(pairs: &[(Field, &str)]) -> FormatOptions {
        let map = pairs.iter().map(|(field, column)| (*field, (*column).to_owned())).collect();
        FormatOptions { map, ..FormatOptions::default() }
    }

    fn open_text(text: &str, options: &FormatOptions) -> Result<Box<dyn Format>, FormatError> {
        open(&Head { bytes: text.as_bytes(), at_end: true }, options)
    }

    /// What each column is taken for.
    fn taken(header: &str, options: &FormatOptions) -> Vec<&'static str> {
        let format = open_text(&format!("{header}\n"), options).unwrap();
        format.describe().columns.iter().map(|column| column.taken_for.unwrap_or("-")).collect()
    }

    fn refused(header: &str, options: &FormatOptions) -> (Reject, String) {
        let FormatError::Header { reason, remedy } = open_text(header, options).err().unwrap();
        (reason, remedy)
    }

    /// The first record's finding or reject, in words.
    fn told(text: &str, options: &FormatOptions) -> String {
        let format = open_text(text, options).unwrap();
        let bytes = text.as_bytes();
        let Frame::Record { record, .. } = format.frame(Window { bytes, at_end: true }, format.body()) else {
            panic!("no record")
        };
        match format.findings(&bytes[record]) {
            Findings::Some(f) => format!("{:?} {:?} {:?}", f[0].kind, f[0].port, f[0].identifier.as_deref()),
            Findings::Skipped(skip) => skip.as_str().to_owned(),
            Findings::Rejected(reject) => reject.as_str().to_owned(),
        }
    }

    #[test]
    fn usual_names_are_taken_without_regard_to_case_and_separators() {
        let none = FormatOptions::default();
        let check = |header: &str, expected: &[&str]| assert_eq!(taken(header, &none), expected, "{header}");
        check("IP,Port,Proto", &["address", "port", "transport"]);
        check(" ip ; \"Host Name\" ; ptr", &["address", "-", "reverse_name"]);
        check("IP Address\ttimestamp\tTags", &["address", "time", "tag"]);
        check("source.ip|source.port|time.source", &["address", "port", "time"]);
        check("src_ip,ip", &["-", "address"]); // the better name wins
        check("ip,dport,daddr,srcip,dst_port", &["address", "-", "-", "-", "-"]);
        check(
            "domain,url,http_host,hostname,rdns",
            &["name", "name", "name", "reverse_name", "reverse_name"],
        );
        check("ip,note,note", &["address", "-", "-"]);
    }

    #[test]
    fn a_map_names_columns_exactly_and_then_in_any_case() {
        let check = |header: &str, column: &str, expected: &[&str]| {
            assert_eq!(taken(header, &map(&[(Field::Address, column)])), expected, "{header} {column}");
        };
        check("ip,host", "host", &["-", "address"]);
        check("ip,host", "HOST", &["-", "address"]);
        check("Host,host", "host", &["-", "address"]);
        check("a;b;c,d", "c,d", &["-", "-", "address"]);
    }

    #[test]
    fn a_mapped_column_that_is_not_there_is_refused_with_a_hint() {
        let (reason, remedy) = refused("ip_adress,port\n", &map(&[(Field::Address, "ip_address")]));
        assert_eq!(reason, Reject::Columns);
        assert!(
            remedy.contains("did you mean \"ip_adress\"") && remedy.contains("ip_adress, port"),
            "{remedy}"
        );
        let (_, remedy) = refused("x\u{1b}[2J,port\n", &map(&[(Field::Address, "zzz")]));
        assert!(!remedy.contains("did you mean") && !remedy.contains('\u{1b}'), "{remedy}");
    }

    #[test]
    fn a_header_that_leaves_it_open_is_refused() {
        let none = FormatOptions::default();
        let check = |header: &str, expected| assert_eq!(refused(header, &none).0, expected, "{header:.40}");
        check("ip,ip\n", Reject::DuplicateKey);
        check("ip,port,port\n", Reject::DuplicateKey);
        check("hostname,port\n", Reject::NoKey); // a reverse name is no key
        check("colour,size\n", Reject::NoKey);
        check("ip,\"port\n192.0.2.1,1\n", Reject::Quoting);
        check("ip,po\0rt\n", Reject::Encoding);
        check(&format!("ip{}\n", ",x".repeat(1_000_000)), Reject::TooLong);
        check(&format!("ip{}\n", ",".repeat(COLUMNS_MAX)), Reject::Columns);
        assert!(open_text(&format!("ip{}\n", ",".repeat(COLUMNS_MAX - 1)), &none).is_ok());
        let bad = Head { bytes: b"ip,\xff\n", at_end: true };
        assert!(matches!(open(&bad, &none), Err(FormatError::Header { reason: Reject::Encoding, .. })));
    }

    #[test]
    fn a_dump_without_rows_is_read() {
        for text in ["", "\u{feff}", "ip\n", "ip", "# nothing\n\n", "\u{feff}ip,port\r\n"] {
            let format = open_text(text, &FormatOptions::default()).unwrap();
            assert_eq!(format.body(), text.len(), "{text:?}");
            let window = Window { bytes: text.as_bytes(), at_end: true };
            assert_eq!(format.frame(window, format.body()), Frame::End, "{text:?}");
        }
    }

    #[test]
    fn a_header_row_is_told_from_rows() {
        let check = |text: &str, expected| {
            assert_eq!(fits(&Head { bytes: text.as_bytes(), at_end: true }), expected, "{text}");
        };
        for header in
            ["ip\n", "IP;Poort\n", "domain\nexample.nl\n", "colour,size\n", "\u{feff}# x\nip,port\n"]
        {
            check(header, true);
        }
        for row in [
            "192.0.2.1\n",
            "192.0.2.1,443\n",
            "example.nl\n",
            "example.nl,443\n",
            "http://a.example/,x\n",
            "2001:db8::1 x\n",
            "x,192.0.2.0/24\n",
            "x,[2001:db8::1]:443\n",
            "{\"ip\":1,\"port\":2}\n",
            "[\n",
            "a,\n",
        ] {
            check(row, false);
        }
    }

    #[test]
    fn a_row_is_vulnerable_if_anybody_says_what_is_wrong() {
        let none = FormatOptions::default();
        let given = FormatOptions { identifier: Some("open-rdp".to_owned()), ..none.clone() };
        let open = FormatOptions { finding: true, ..none.clone() };
        let vulnerable = FormatOptions { take: Take::Vulnerable, ..none.clone() };
        let check =
            |text: &str, options: &FormatOptions, expected: &str| assert_eq!(told(text, options), expected);
        check("ip\n192.0.2.1\n", &none, "Exposed None None");
        check("ip\n192.0.2.1\n", &open, "Exposed None Some(\"open\")");
        check("ip\n192.0.2.1\n", &given, "Vulnerable None Some(\"open-rdp\")");
        check("ip,identifier\n192.0.2.1,x\n", &given, "Vulnerable None Some(\"x\")");
        check("ip,identifier\n192.0.2.1,\n", &given, "Vulnerable None Some(\"open-rdp\")");
        check("ip\n192.0.2.1\n", &vulnerable, "not-vulnerable");
        check("ip,identifier\n192.0.2.1,x\n", &vulnerable, "Vulnerable None Some(\"x\")");
    }

    #[test]
    fn a_port_stands_in_its_column_or_after_the_address() {
        let none = FormatOptions::default();
        let check = |text: &str, expected: &str| assert_eq!(told(text, &none), expected, "{text}");
        check("ip\n192.0.2.1:443\n", "Exposed Some(443) None");
        check("ip\n[2001:db8::1]:443\n", "Exposed Some(443) None");
        check("ip\n192.0.2.1:0\n", "Exposed None None");
        check("ip\n192.0.2.1:65536\n", "address");
        check("ip\n[192.0.2.1]:443\n", "address");
        check("ip,port\n192.0.2.1:443,443\n", "address"); // two places for one port
        check("ip,port\n192.0.2.1,0\n", "Exposed None None");
        check("ip,port\n192.0.2.1,65536\n", "port");
        check("ip,port\n192.0.2.1, 80 \n", "Exposed Some(80) None");
    }

    #[test]
    fn a_record_is_judged_in_order() {
        let none = FormatOptions::default();
        let vulnerable = FormatOptions { take: Take::Vulnerable, ..none.clone() };
        let check = |row: &str, options, expected: &str| {
            assert_eq!(told(&format!("ip,port,time,x\n{row}\n"), options), expected, "{row}");
        };
        check("192.0.2.1,x,y", &none, "columns");
        check("192.0.2.1,x,y,\0,", &none, "columns");
        check("192.0.2.1,x,y,\0", &none, "encoding");
        check("192.0.2.1,x,y,", &vulnerable, "not-vulnerable");
        check("192.0.2.1,x,y,", &none, "port");
        check("192.0.2.1,80,y,", &none, "time");
    }

    #[test]
    fn keys_are_looked_for_no_further_than_needed() {
        let header = "ip,domain,asn,x\n";
        let all = KeyKinds { addresses: true, names: true, asns: true };
        let addresses = KeyKinds { names: false, asns: false, ..all };
        let format = open_text(header, &FormatOptions::default()).unwrap();
        let check = |row: &[u8], kinds, expected: Result<(), Reject>| {
            assert_eq!(format.keys(row, kinds).map(drop), expected, "{}", row.escape_ascii());
        };
        check(b"192.0.2.1", addresses, Ok(()));
        check(b"192.0.2.1", all, Err(Reject::Columns));
        check(b"192.0.2.1,\xff", addresses, Ok(()));
        check(b"192.0.2.1,\xff,,", all, Err(Reject::Encoding));
        check(b"192.0.2.1,,,\xff", all, Ok(()));
        check(b"192.0.2.1\0,,,", addresses, Err(Reject::Encoding));
        check(b"192.0.2.256,\xff,,", addresses, Err(Reject::Address));
        check(b"192.0.2.1/24,,,", addresses, Err(Reject::Prefix));
        check(b",,,", addresses, Err(Reject::NoKey));
        check(b"", addresses, Err(Reject::Columns)); // without an address the others are needed
        check(b",example.nl,,", addresses, Ok(()));
        check(b", , 0 ,", all, Err(Reject::NoKey));
        check(b",,AS64496,", all, Ok(()));
    }
}
