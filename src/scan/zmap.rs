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
    Side, Skip, Take,
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
    fn judge<'r>(&self, row: &Row<'r>, roles: &Roles) -> Result<Finding<'r>, Skip> {
        if let Some(skip) = self.skip(row) {
            return Err(skip);
        }
        let given = || self.identifier.clone().map(Cow::Owned);
        let open = || self.finding.then_some(Cow::Borrowed("open"));
        let identifier = row.text(roles.identifier).or_else(given).or_else(open);
        Ok(Finding { identifier, ..Finding::new(0, Kind::Exposed, Side::Exposed) })
    }

    fn listed(&self) -> Vec<(usize, &'static str)> {
        let columns =
            [(self.repeat, "repeat"), (self.classification, "classification"), (self.success, "success")];
        columns.into_iter().filter_map(|(column, word)| Some((column?, word))).collect()
    }
}
