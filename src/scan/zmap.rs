//! ZMap's CSV, and Rapid7 Sonar's, which has the same columns.
//!
//! `saddr` and `sport` are the host that answered; `daddr` and `dport` are the scanner. As soon as a user chooses
//! fields or an output filter, ZMap's own filter is off, and the file holds RST, ICMP errors and duplicates too: rows
//! are judged by `repeat`, `classification` and `success`, in this order and where the columns exist.
//!
//! The probe module, and so the transport, is not in the rows; nothing is guessed from the classification.
//! Without `-f` ZMap writes one column and no header. That form is read only where the operator says `zmap`: by its
//! content it is a list.

use super::columns::{Chooser, Delimited, Roles, Row, Rows, Table, header_error, is_key_like};
use super::{
    Field, Finding, Format, FormatError, FormatOptions, FormatSpec, Head, Kind, RECORD_BYTES_MAX, Reject,
    Skip, Take,
};
use std::borrow::Cow;

/// The format `zmap`.
pub(super) const SPEC: FormatSpec = FormatSpec { name: "zmap", fits, open };

const ADDRESS: &str = "saddr";

fn is_zmap(name: &str) -> bool {
    name.eq_ignore_ascii_case(ADDRESS)
}

fn fits(head: &Head<'_>) -> bool {
    let table = Table::read(head, RECORD_BYTES_MAX, is_zmap);
    table.is_ok_and(|table| table.is_some_and(|table| table.names().iter().any(|name| is_zmap(name))))
}

fn open(head: &Head<'_>, options: &FormatOptions) -> Result<Box<dyn Format>, FormatError> {
    let table = match Table::read(head, options.record_bytes_max, is_zmap)? {
        None => Table::of_nothing(head, options.record_bytes_max),
        Some(table) => match table.names() {
            [only] if is_key_like(only) => Table::of_one_column(head, ADDRESS, options.record_bytes_max),
            _ => table,
        },
    };
    let chooser = Chooser { table: &table, map: &options.map };
    let (roles, zmap) = columns(&chooser, options)?;
    if !table.names().is_empty() && roles.address.is_none() {
        return Err(no_address(&table, &chooser));
    }
    Ok(Box::new(Delimited::new(table, roles, zmap, options.time_style.clone())))
}

fn columns(chooser: &Chooser<'_>, options: &FormatOptions) -> Result<(Roles, Zmap), FormatError> {
    let mapped = |field| chooser.one(field, &[]);
    let time = chooser.one(Field::Time, &["timestamp_str", "timestamp_ts"])?;
    let is_unix = time.is_some() && time == chooser.named("timestamp_ts")?;
    let roles = Roles {
        address: chooser.one(Field::Address, &[ADDRESS])?,
        port: chooser.one(Field::Port, &["sport"])?,
        time,
        microseconds: if is_unix { chooser.named("timestamp_us")? } else { None },
        transport: mapped(Field::Transport)?,
        application: mapped(Field::Application)?,
        identifier: mapped(Field::Identifier)?,
        severity: mapped(Field::Severity)?,
        tlp: mapped(Field::Tlp)?,
        asn: mapped(Field::Asn)?,
        cve: mapped(Field::Cve)?,
        tag: mapped(Field::Tag)?,
        stated: chooser.all(Field::Name, &[])?,
        shown: chooser.all(Field::ShownName, &[])?,
        reverse: chooser.all(Field::ReverseName, &[])?,
        ..Roles::default()
    };
    let zmap = Zmap {
        repeat: chooser.named("repeat")?,
        classification: chooser.named("classification")?,
        success: chooser.named("success")?,
        identifier: options.identifier.clone(),
        finding: options.finding,
        take: options.take,
    };
    Ok((roles, zmap))
}

fn no_address(table: &Table, chooser: &Chooser<'_>) -> FormatError {
    if table.names().iter().any(|name| is_key_like(name)) {
        let remedy = "ZMap's output has no header: write it without --no-header-row, or with saddr alone";
        return header_error(Reject::NoKey, remedy.to_owned());
    }
    chooser.no_key()
}

/// Replies to a probe.
struct Zmap {
    repeat: Option<usize>,
    classification: Option<usize>,
    success: Option<usize>,
    identifier: Option<String>,
    finding: bool,
    take: Take,
}

impl Zmap {
    fn skip(&self, row: &Row<'_>) -> Option<Skip> {
        let is_true = |text: &str| text == "1" || text.eq_ignore_ascii_case("true");
        let is_false = |text: &str| text == "0" || text.eq_ignore_ascii_case("false");
        if row.text(self.repeat).is_some_and(|repeat| !is_false(&repeat)) {
            return Some(Skip::Repeat);
        }
        if row.text(self.classification).is_some_and(|classification| is_refusal(&classification)) {
            return Some(Skip::Closed);
        }
        if self.success.is_some() && !row.text(self.success).is_some_and(|success| is_true(&success)) {
            return Some(Skip::NoSuccess);
        }
        Kind::Exposed.skipped_by(self.take)
    }
}

/// Whether a reply says that nothing is there: a reset, or an ICMP error on its behalf.
pub(super) fn is_refusal(classification: &str) -> bool {
    let starts =
        |start: &str| classification.get(..start.len()).is_some_and(|c| c.eq_ignore_ascii_case(start));
    classification.eq_ignore_ascii_case("rst") || starts("icmp")
}

impl Rows for Zmap {
    fn judge<'r>(&'r self, row: &Row<'r>, roles: &Roles, finding: &mut Finding<'r>) -> Result<(), Skip> {
        if let Some(skip) = self.skip(row) {
            return Err(skip);
        }
        let given = || self.identifier.as_deref().map(Cow::Borrowed);
        let open = || self.finding.then_some(Cow::Borrowed("open"));
        finding.identifier = row.text(roles.identifier).or_else(given).or_else(open);
        Ok(())
    }

    fn listed(&self) -> Vec<(usize, &'static str)> {
        let columns =
            [(self.repeat, "repeat"), (self.classification, "classification"), (self.success, "success")];
        columns.into_iter().filter_map(|(column, word)| Some((column?, word))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Findings, Frame, Window};
    use super::*;

    fn open_text(text: &str, options: &FormatOptions) -> Result<Box<dyn Format>, FormatError> {
        open(&Head { bytes: text.as_bytes(), at_end: true }, options)
    }

    /// The outcome of each record, in words.
    fn told(text: &str, options: &FormatOptions) -> Vec<String> {
        let format = open_text(text, options).unwrap();
        let bytes = text.as_bytes();
        let (mut at, mut all) = (format.body(), Vec::new());
        while let Frame::Record { record, next } = format.frame(Window { bytes, at_end: true }, at) {
            all.push(match format.findings(&bytes[record]) {
                Findings::Some(f) => {
                    format!(
                        "{:?} {:?} {:?}",
                        f[0].port,
                        f[0].time.map(|t| t.id_text()),
                        f[0].identifier.as_deref()
                    )
                }
                Findings::Skipped(skip) => skip.as_str().to_owned(),
                Findings::Rejected(reject) => reject.as_str().to_owned(),
            });
            at = next;
        }
        all
    }

    #[test]
    fn rows_are_judged_by_repeat_then_classification_then_success() {
        let check = |row: &str, take, expected: &str| {
            let text = format!("saddr,sport,classification,success,repeat\n192.0.2.1,443,{row}\n");
            let options = FormatOptions { take, ..FormatOptions::default() };
            assert_eq!(told(&text, &options), [expected], "{row}");
        };
        let found = "Some(443) None None";
        check("synack,1,0", Take::Exposed, found);
        check("synack,1,0", Take::Vulnerable, "not-vulnerable");
        check("rst,0,1", Take::Exposed, "repeat");
        check("rst,0,0", Take::Vulnerable, "closed");
        check("icmp,0,0", Take::Exposed, "closed");
        check("ICMP-unreach,1,0", Take::Exposed, "closed");
        check("synack,0,0", Take::Exposed, "no-success");
        check("synack,,0", Take::Exposed, "no-success");
        check("synack,1,", Take::Exposed, found);
        check("rstack,1,0", Take::Exposed, found);
    }

    #[test]
    fn times_stand_in_one_column_or_in_two() {
        let check = |text: &str, expected: &str| {
            assert_eq!(
                told(text, &FormatOptions::default()),
                [format!("None Some({expected:?}) None")],
                "{text}"
            );
        };
        check("saddr,timestamp_str\n192.0.2.1,2026-11-22T02:02:03.000+0100\n", "2026-11-22T01:02:03Z");
        check("saddr,timestamp_ts,timestamp_us\n192.0.2.1,1795309323,500000\n", "2026-11-22T01:02:03.5Z");
        check("saddr,timestamp_ts\n192.0.2.1,1795309323\n", "2026-11-22T01:02:03Z");
        check("timestamp-ts, saddr\n1795309323, 192.0.2.1\n", "2026-11-22T01:02:03Z");
        check(
            "saddr,timestamp_ts,timestamp_us,timestamp_str\n192.0.2.1,1,x,2026-11-22T01:02:03Z\n",
            "2026-11-22T01:02:03Z",
        );
    }

    #[test]
    fn sonar_rows_are_read_by_the_reply() {
        let text = "timestamp-ts,saddr,sport,daddr,dport,ipid,ttl,data\n1795309323,192.0.2.1,123,198.51.100.1,9,1,1,ff\n";
        assert_eq!(told(text, &FormatOptions::default()), ["Some(123) Some(\"2026-11-22T01:02:03Z\") None"]);
    }

    #[test]
    fn one_column_needs_no_header() {
        let options = FormatOptions { finding: true, ..FormatOptions::default() };
        let found = "None None Some(\"open\")";
        assert_eq!(told("192.0.2.1\n192.0.2.2\nx\n", &options), [found, found, "address"]);
        assert_eq!(told("saddr\n192.0.2.1\n", &options), [found]);
        assert_eq!(told("", &options), [""; 0]);
        assert!(open_text("192.0.2.1,443\n", &options).is_err());
        assert!(open_text("ip,port\n", &options).is_err());
    }

    #[test]
    fn its_sign_is_saddr() {
        let check = |text: &str, expected| {
            assert_eq!(fits(&Head { bytes: text.as_bytes(), at_end: true }), expected, "{text}");
        };
        check("saddr\n", true);
        check("\"ttl\",\"saddr\"\n", true);
        check("timestamp-ts, saddr, sport\n", true);
        check("192.0.2.1\nsaddr\n", false);
        check("daddr,xsaddr\n", false);
    }
}
