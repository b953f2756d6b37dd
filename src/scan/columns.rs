//! Delimited text with a header: which column is what, and what a row says.
//!
//! A [`Table`] is the header. [`Roles`] says which of its columns is taken for what; a format fills it in from its own
//! list of names and from `--map`. [`Delimited`] is then a whole [`Format`]; all that a format adds is [`Rows`]: what a
//! row is, beyond what its columns say.
//!
//! Cells are read without the spaces and tabs around them. A cell is *filled* if anything is left.

use super::authority::{all_names, first_name, literal, stand_in};
use super::delimited::{COLUMNS_MAX, Chain, Dialect, Fields, Places, cell, plain_cell};
use super::fangs::{refang, refang_cell};
use super::format::{Names, sweep_frames};
use super::leap::{Leap, Sweep};
use super::others::{Other, Others};
use super::simd::{plain_text, quad_at, with_best};
use super::{
    Column, Description, Field, Filter, Finding, Findings, Format, FormatError, Frame, HEAD_BYTES_MAX, Head,
    KeyKinds, Keys, Kind, Reject, Side, Sink, Skip, Subject, Tally, Window,
};
use crate::moment::{Moment, TimeStyle, TimeText, read_digits, read_time, read_unix};
use crate::net::{Address, Asn, Prefix};
use crate::text::show;
use memchr::memchr;
use smallvec::SmallVec;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// Most columns that an error message lists.
const COLUMNS_SHOWN_MAX: usize = 40;

/// Longest text of a column's name in an error message, characters.
const NAME_SHOWN_MAX: usize = 64;

/// How like a column's name must be to be suggested (Jaro-Winkler; a guess that reads well).
const LIKENESS_MIN: f64 = 0.8;

/// The delimiters that are known; of equals the first is taken.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// A header.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) dialect: Dialect,
    /// Names as the producer wrote them, without quotes and the spaces around them.
    names: Vec<String>,
    body: usize,
}

impl Table {
    /// Reads the header. Its delimiter is the one that gives most names that are known, then most names.
    ///
    /// `None` where the dump holds nothing but empty lines and comments.
    pub(super) fn read(
        head: &Head<'_>,
        record_bytes_max: usize,
        is_known: impl Fn(&str) -> bool,
    ) -> Result<Option<Self>, FormatError> {
        let mut best: Option<(Self, (usize, usize))> = None;
        for delimiter in DELIMITERS {
            let Some(table) = Self::read_as(head, Dialect { delimiter, record_bytes_max })? else {
                return Ok(None);
            };
            let known = table.names.iter().filter(|name| is_known(name)).count();
            let score = (known, table.names.len());
            if best.as_ref().is_none_or(|(_, best)| score > *best) {
                best = Some((table, score));
            }
        }
        match best {
            Some((table, _)) if table.names.len() > COLUMNS_MAX => Err(header_error(
                Reject::Columns,
                format!("it has {} columns, at most {COLUMNS_MAX} are read", table.names.len()),
            )),
            best => Ok(best.map(|(table, _)| table)),
        }
    }

    /// The table of a dump of nothing but empty lines and comments, which has no header either.
    pub(super) fn of_nothing(head: &Head<'_>, record_bytes_max: usize) -> Self {
        let dialect = Dialect { delimiter: DELIMITERS[0], record_bytes_max };
        Self { dialect, names: Vec::new(), body: head.bytes.len() }
    }

    /// A table of one column without a header.
    pub(super) fn of_one_column(head: &Head<'_>, name: &str, record_bytes_max: usize) -> Self {
        let dialect = Dialect { delimiter: DELIMITERS[0], record_bytes_max };
        Self { dialect, names: vec![name.to_owned()], body: head.mark_bytes() }
    }

    /// The header as a delimiter splits it.
    fn read_as(head: &Head<'_>, dialect: Dialect) -> Result<Option<Self>, FormatError> {
        let Some((record, body)) = first_record(head, dialect.delimiter)? else { return Ok(None) };
        let record = &head.bytes[record];
        if std::str::from_utf8(record).is_err() || memchr(0, record).is_some() {
            return Err(header_error(
                Reject::Encoding,
                "it is no text in UTF-8; convert the file".to_owned(),
            ));
        }
        let name = |field| String::from_utf8_lossy(&cell(field)).trim().to_owned();
        Ok(Some(Self { dialect, names: dialect.fields(record).map(name).collect(), body }))
    }

    /// The names of the columns.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// The column of that name: exactly so, else without regard to case, else (`is_alike`) also to `-`, `_`, `.` and
    /// space. Several such columns are an error: there is no telling which is meant.
    fn find(&self, wanted: &str, is_alike: fn(&str, &str) -> bool) -> Result<Option<usize>, FormatError> {
        for is_it in [|a: &str, b: &str| a == b, is_alike] {
            let mut found = (0..self.names.len()).filter(|&column| is_it(&self.names[column], wanted));
            match (found.next(), found.next()) {
                (None, _) => {}
                (Some(column), None) => return Ok(Some(column)),
                (Some(_), Some(_)) => {
                    let name = show(wanted.as_bytes(), NAME_SHOWN_MAX);
                    let remedy =
                        format!("several columns are called \"{name}\"; rename those that are not meant");
                    return Err(header_error(Reject::DuplicateKey, remedy));
                }
            }
        }
        Ok(None)
    }

    /// The columns in words, for a message.
    fn listed(&self) -> String {
        let shown = self.names.iter().take(COLUMNS_SHOWN_MAX);
        let mut list: Vec<String> = shown.map(|name| show(name.as_bytes(), NAME_SHOWN_MAX)).collect();
        if self.names.len() > COLUMNS_SHOWN_MAX {
            list.push("…".to_owned());
        }
        list.join(", ")
    }
}

/// The first record of a head, and where the next one begins.
fn first_record(head: &Head<'_>, delimiter: u8) -> Result<Option<(Range<usize>, usize)>, FormatError> {
    let dialect = Dialect { delimiter, record_bytes_max: HEAD_BYTES_MAX };
    let window = Window { bytes: head.bytes, at_end: head.at_end };
    let mut at = head.mark_bytes();
    loop {
        match dialect.frame(window, at, &mut Chain::new()) {
            Frame::Record { record, next } => return Ok(Some((record, next))),
            Frame::Blank { next } => at = next,
            Frame::End => return Ok(None),
            Frame::Rejected { reason: Reject::Quoting, .. } => {
                let remedy = "a quote is never closed; give --format if there is no header".to_owned();
                return Err(header_error(Reject::Quoting, remedy));
            }
            Frame::Rejected { .. } | Frame::More => {
                let remedy =
                    format!("it does not end within {HEAD_BYTES_MAX} bytes; give --format if there is none");
                return Err(header_error(Reject::TooLong, remedy));
            }
        }
    }
}

/// An error in a header.
pub(super) fn header_error(reason: Reject, remedy: String) -> FormatError {
    FormatError::Header { reason, remedy }
}

/// Bytes that are text: UTF-8 without NUL.
fn text_in(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok().filter(|_| memchr(0, bytes).is_none())
}

fn is_text(bytes: &[u8]) -> bool {
    text_in(bytes).is_some()
}

/// Whether two names are equal without regard to case.
fn is_equal_in_any_case(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b)
}

/// Whether two names are equal without regard to case, and to what stands between words.
pub(super) fn is_alike(a: &str, b: &str) -> bool {
    let plain = |byte: u8| if matches!(byte, b'-' | b'.' | b' ') { b'_' } else { byte.to_ascii_lowercase() };
    a.len() == b.len() && a.bytes().map(plain).eq(b.bytes().map(plain))
}

/// Chooses columns: those that `--map` names, else the usual ones.
pub(super) struct Chooser<'a> {
    pub(super) table: &'a Table,
    pub(super) map: &'a BTreeMap<Field, String>,
}

impl Chooser<'_> {
    /// The column for a field: the mapped one, else the first of the usual names that there is.
    pub(super) fn one(&self, field: Field, usual: &[&str]) -> Result<Option<usize>, FormatError> {
        match self.map.get(&field) {
            Some(wanted) => self.mapped(field, wanted.trim()).map(Some),
            None => self.usual(usual).next().transpose(),
        }
    }

    /// The columns for a field: the mapped one, else those of the usual names that there are, in their order.
    pub(super) fn all(&self, field: Field, usual: &[&str]) -> Result<Vec<usize>, FormatError> {
        match self.map.get(&field) {
            Some(wanted) => Ok(vec![self.mapped(field, wanted.trim())?]),
            None => self.usual(usual).collect(),
        }
    }

    /// The column of that name, which `--map` cannot replace.
    pub(super) fn named(&self, name: &str) -> Result<Option<usize>, FormatError> {
        self.table.find(name, is_alike)
    }

    /// The columns of the usual names that there are, in their order.
    fn usual(&self, usual: &[&str]) -> impl Iterator<Item = Result<usize, FormatError>> {
        usual.iter().filter_map(|name| self.table.find(name, is_alike).transpose())
    }

    /// The column that `--map` names.
    fn mapped(&self, field: Field, wanted: &str) -> Result<usize, FormatError> {
        if let Some(column) = self.table.find(wanted, is_equal_in_any_case)? {
            return Ok(column);
        }
        let likeness = |name: &str| strsim::jaro_winkler(&name.to_lowercase(), &wanted.to_lowercase());
        let best = self.table.names.iter().map(|name| (likeness(name), name));
        let best = best.filter(|(likeness, _)| *likeness >= LIKENESS_MIN).max_by(|a, b| a.0.total_cmp(&b.0));
        let hint = best.map_or(String::new(), |(_, name)| {
            format!("did you mean \"{}\"? ", show(name.as_bytes(), NAME_SHOWN_MAX))
        });
        let remedy = format!(
            "no column is called \"{}\" (--map {}); {hint}the columns are: {}",
            show(wanted.as_bytes(), NAME_SHOWN_MAX),
            field.as_str(),
            self.table.listed(),
        );
        Err(header_error(Reject::Columns, remedy))
    }

    /// The error of a header without any key.
    pub(super) fn no_key(&self) -> FormatError {
        let remedy = format!(
            "no column is known to hold addresses, names or AS numbers; say --map address=COLUMN (or name=, asn=); \
             the columns are: {}",
            self.table.listed()
        );
        header_error(Reject::NoKey, remedy)
    }
}

/// Which column is taken for what.
#[derive(Clone, Debug, Default)]
pub(super) struct Roles {
    pub(super) address: Option<usize>,
    /// An address cell may be `address:port`; its port is the record's.
    pub(super) is_endpoint: bool,
    /// Addresses and names may be written so that nobody can click on them.
    pub(super) is_defanged: bool,
    pub(super) port: Option<usize>,
    pub(super) port_is_client: bool,
    pub(super) transport: Option<usize>,
    pub(super) application: Option<usize>,
    pub(super) time: Option<usize>,
    /// Microseconds that belong to `time`, where that holds Unix seconds.
    pub(super) microseconds: Option<usize>,
    pub(super) identifier: Option<usize>,
    pub(super) severity: Option<usize>,
    pub(super) tlp: Option<usize>,
    pub(super) asn: Option<usize>,
    pub(super) cve: Option<usize>,
    pub(super) tag: Option<usize>,
    /// Of these the first that is filled and no address.
    pub(super) stated: Vec<usize>,
    /// Of these the first that is filled.
    pub(super) shown: Vec<usize>,
    /// Likewise.
    pub(super) reverse: Vec<usize>,
    /// A column that says where the names of `reverse` are from: `certificate` or `http` makes them shown ones.
    pub(super) reverse_source: Option<usize>,
}

impl Roles {
    /// The columns that are looked at, each with the word for what it is taken for.
    fn listed(&self) -> impl Iterator<Item = (usize, &'static str)> {
        let single = [
            (self.address, Field::Address.as_str()),
            (self.port, Field::Port.as_str()),
            (self.transport, Field::Transport.as_str()),
            (self.application, Field::Application.as_str()),
            (self.time, Field::Time.as_str()),
            (self.microseconds, "microseconds"),
            (self.identifier, Field::Identifier.as_str()),
            (self.severity, Field::Severity.as_str()),
            (self.tlp, Field::Tlp.as_str()),
            (self.asn, Field::Asn.as_str()),
            (self.cve, Field::Cve.as_str()),
            (self.tag, Field::Tag.as_str()),
            (self.reverse_source, "name_source"),
        ];
        let several = [
            (&self.stated, Field::Name.as_str()),
            (&self.shown, Field::ShownName.as_str()),
            (&self.reverse, Field::ReverseName.as_str()),
        ];
        let single = single.into_iter().filter_map(|(column, word)| Some((column?, word)));
        single.chain(several.into_iter().flat_map(|(columns, word)| columns.iter().map(move |&c| (c, word))))
    }

    /// A filled cell with an address or a name.
    fn key<'r>(&self, row: &Row<'r>, column: Option<usize>) -> Option<Cow<'r, str>> {
        let text = row.text(column)?;
        Some(if self.is_defanged { refang(text) } else { text })
    }

    /// The first of some columns that is filled.
    fn first_key<'r>(&self, row: &Row<'r>, columns: &[usize]) -> Option<Cow<'r, str>> {
        columns.iter().find_map(|&column| self.key(row, Some(column)))
    }

    /// Whether a row may say more than where, when and what: most rows of a port scan do not.
    fn say_more(&self) -> bool {
        let single = [
            self.transport,
            self.application,
            self.severity,
            self.tlp,
            self.asn,
            self.cve,
            self.tag,
            self.reverse_source,
        ];
        let several = [&self.stated, &self.shown, &self.reverse];
        single.iter().any(Option::is_some) || several.iter().any(|columns| !columns.is_empty())
    }

    /// Whether a row could have a key at all.
    pub(super) fn has_key(&self) -> bool {
        self.address.is_some()
            || self.asn.is_some()
            || !self.stated.is_empty()
            || !self.shown.is_empty()
            || self.reverse_source.is_some() && !self.reverse.is_empty()
    }
}

/// A key field of a row.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Slot {
    Address,
    Asn,
    /// One of the stated names, by rank.
    Stated(usize),
    Shown(usize),
    Reverse(usize),
    ReverseSource,
}

/// The key columns for some kinds of keys, ascending.
#[derive(Clone, Debug, Default)]
struct Plan {
    columns: Vec<(usize, Slot)>,
    is_defanged: bool,
}

impl Plan {
    fn new(roles: &Roles, names: bool, asns: bool) -> Self {
        let mut plan: Vec<(usize, Slot)> =
            roles.address.iter().map(|&column| (column, Slot::Address)).collect();
        if asns {
            plan.extend(roles.asn.iter().map(|&column| (column, Slot::Asn)));
        }
        if names {
            let ranked = |columns: &[usize], slot: fn(usize) -> Slot| {
                columns.iter().enumerate().map(|(rank, &column)| (column, slot(rank))).collect::<Vec<_>>()
            };
            plan.extend(ranked(&roles.stated, Slot::Stated));
            plan.extend(ranked(&roles.shown, Slot::Shown));
            if let Some(column) = roles.reverse_source {
                plan.push((column, Slot::ReverseSource));
                plan.extend(ranked(&roles.reverse, Slot::Reverse));
            }
        }
        plan.sort_unstable();
        Self { columns: plan, is_defanged: roles.is_defanged }
    }

    /// The columns beside the address.
    fn others(&self) -> Others {
        let other = |&(column, slot): &(usize, Slot)| match slot {
            Slot::Address => None,
            Slot::Asn => Some((column, Other::Asn)),
            Slot::Stated(_) | Slot::Shown(_) => Some((column, Other::Name)),
            Slot::Reverse(_) => Some((column, Other::Reverse)),
            Slot::ReverseSource => Some((column, Other::ReverseSource)),
        };
        Others(self.columns.iter().filter_map(other).collect())
    }
}

/// The key fields of a row, as filled cells; of names the first filled one.
#[derive(Default)]
struct KeyCells<'r> {
    address: Option<Cow<'r, [u8]>>,
    asn: Option<Cow<'r, [u8]>>,
    /// An address may stand in the place of a name.
    stated: Option<(usize, Cow<'r, [u8]>)>,
    /// The first that is no address.
    stated_name: Option<(usize, Cow<'r, [u8]>)>,
    shown: SmallVec<[(usize, Cow<'r, [u8]>); 2]>,
    reverse: Option<(usize, Cow<'r, [u8]>)>,
    reverse_source: Option<Cow<'r, [u8]>>,
    /// A field other than the address is no text.
    is_garbled: bool,
}

impl<'r> KeyCells<'r> {
    /// Reads a row as far as the plan goes; `columns` if it ends before.
    fn read(mut fields: Fields<'r>, plan: &Plan) -> Result<Self, Reject> {
        let mut cells = Self::default();
        let mut next_column = 0;
        let mut field: &[u8] = b"";
        for &(column, slot) in &plan.columns {
            if column >= next_column {
                field = fields.nth(column - next_column).ok_or(Reject::Columns)?;
                next_column = column + 1;
            }
            cells.put(slot, field, plan.is_defanged);
        }
        Ok(cells)
    }

    fn put(&mut self, slot: Slot, field: &'r [u8], is_defanged: bool) {
        self.is_garbled |= slot != Slot::Address && !is_text(field);
        let text = if is_defanged { refang_cell(cell(field)) } else { cell(field) };
        if text.is_empty() {
            return;
        }
        let keep = |kept: &mut Option<(usize, Cow<'r, [u8]>)>, rank: usize, text| {
            if kept.as_ref().is_none_or(|(first, _)| rank < *first) {
                *kept = Some((rank, text));
            }
        };
        match slot {
            Slot::Address => self.address = Some(text),
            Slot::Asn => self.asn = Some(text),
            Slot::Stated(rank) => {
                if std::str::from_utf8(&text).is_ok_and(|text| literal(text).is_none()) {
                    keep(&mut self.stated_name, rank, text.clone());
                }
                keep(&mut self.stated, rank, text);
            }
            Slot::Shown(rank) => self.shown.push((rank, text)),
            Slot::Reverse(rank) => keep(&mut self.reverse, rank, text),
            Slot::ReverseSource => self.reverse_source = Some(text),
        }
    }

    /// The address in the place of the name that the record is about, where it fills no address.
    fn stand_in(&self) -> Result<Option<Subject>, Reject> {
        let Some((_, host)) = &self.stated else { return Ok(None) };
        let found = stand_in(std::str::from_utf8(host).map_err(|_| Reject::Encoding)?)?;
        Ok(found.map(|(address, _)| Subject::Address(address)))
    }

    fn asn(&self) -> Option<Asn> {
        self.asn.as_deref().and_then(read_asn)
    }

    /// The names that the system shows: the columns of such, then a host name whose source says so.
    fn take_shown(&mut self) -> impl Iterator<Item = Cow<'r, [u8]>> + use<'r> {
        self.shown.sort_by_key(|(rank, _)| *rank);
        let is_shown = self.reverse_source.as_deref().is_some_and(is_shown_source);
        let reverse = if is_shown { self.reverse.take() } else { None };
        std::mem::take(&mut self.shown).into_iter().chain(reverse).map(|(_, text)| text)
    }
}

/// Whether a name with this source is one that the system shows.
pub(super) fn is_shown_source(source: &[u8]) -> bool {
    source.eq_ignore_ascii_case(b"certificate") || source.eq_ignore_ascii_case(b"http")
}

/// An AS number; 0 and what is none are absent.
pub(super) fn read_asn(text: &[u8]) -> Option<Asn> {
    Asn::read(text).filter(|asn| asn.0 != 0)
}

/// Reads an address cell: an address, a prefix, and an endpoint where that is allowed.
pub(super) fn read_subject(text: &[u8], is_endpoint: bool) -> Result<(Subject, Option<u16>), Reject> {
    if let Some(address) = Address::read(text) {
        return Ok((Subject::Address(address), None));
    }
    if let Some(slash) = memchr(b'/', text) {
        return match Prefix::read(text) {
            Ok(prefix) => Ok((Subject::of_prefix(prefix), None)),
            Err(_) if is_prefix_like(&text[..slash], &text[slash + 1..]) => Err(Reject::Prefix),
            Err(_) => Err(Reject::Address),
        };
    }
    let endpoint = if is_endpoint { read_endpoint(text) } else { None };
    endpoint.map(|(address, port)| (Subject::Address(address), port)).ok_or(Reject::Address)
}

/// Whether text was meant as a prefix: an address, then a length or a mask.
fn is_prefix_like(first: &[u8], length: &[u8]) -> bool {
    Address::read(first).is_some() && length.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.')
}

/// Reads `192.0.2.1:443` or `[2001:db8::1]:443`.
fn read_endpoint(text: &[u8]) -> Option<(Address, Option<u16>)> {
    let colon = memchr::memrchr(b':', text)?;
    let (host, port) = (&text[..colon], &text[colon + 1..]);
    let bare = host.strip_prefix(b"[").and_then(|host| host.strip_suffix(b"]"));
    let is_v6 = memchr(b':', bare.unwrap_or(host)).is_some();
    if is_v6 != bare.is_some() || port.is_empty() {
        return None;
    }
    Some((Address::read(bare.unwrap_or(host))?, read_port(port)?))
}

/// Whether a cell could be a row's, not a header's: an address, a prefix, an endpoint, a URL, a number, a time.
pub(super) fn is_key_like(text: &str) -> bool {
    text.is_empty()
        || text.starts_with(|first: char| first.is_ascii_digit())
        || text.contains("://")
        || read_subject(text.as_bytes(), true) != Err(Reject::Address)
}

/// Digits of the highest port.
const PORT_DIGITS_MAX: usize = 5;

/// Reads a port. The outer `None`: it is none. The inner: 0, which producers write where there is no port (ICMP).
pub(super) fn read_port(text: &[u8]) -> Option<Option<u16>> {
    let is_padded = text.len() > 1 && text[0] == b'0';
    if text.is_empty() || text.len() > PORT_DIGITS_MAX || is_padded {
        return None;
    }
    let (port, is_number) = read_digits(text);
    let port = u16::try_from(port).ok().filter(|_| is_number)?;
    Some((port != 0).then_some(port))
}

/// The cells of a whole row, all of them text.
#[derive(Default)]
pub(super) struct Row<'r> {
    text: &'r str,
    /// Where the fields are in it.
    fields: Places,
}

impl<'r> Row<'r> {
    /// Reads a row, once, where it stays: it is large. `Err` for another number of columns than the header's, then for what is no
    /// text.
    fn read(&mut self, table: &Table, record: &'r [u8]) -> Result<(), Reject> {
        table.dialect.split(record, table.names.len() + 1, &mut self.fields);
        if self.fields.len() != table.names.len() {
            return Err(Reject::Columns);
        }
        self.text = plain_text(record).or_else(|| text_in(record)).ok_or(Reject::Encoding)?;
        Ok(())
    }

    /// A filled cell.
    #[inline]
    pub(super) fn text(&self, column: Option<usize>) -> Option<Cow<'r, str>> {
        let field = &self.text[self.fields.get(column?)?.clone()];
        if is_bare(field) { Some(Cow::Borrowed(field)) } else { text_inside(field) }
    }

    /// The IPv4 address that is all of a cell, be it between quotes; `None` is no proof that there is none.
    fn quad(&self, column: Option<usize>) -> Option<Address> {
        let place = self.fields.get(column?)?;
        let quotes = match &self.text.as_bytes()[place.clone()] {
            [b'"', .., b'"'] => 1,
            _ => 0,
        };
        let quad = quad_at(self.text.as_bytes(), place.start + quotes)?;
        (quad.length + 2 * quotes == place.len()).then(|| Address::v4(quad.bits))
    }
}

/// What is filled of a field that is not [bare](is_bare).
#[inline(never)]
fn text_inside(field: &str) -> Option<Cow<'_, str>> {
    match plain_cell(field.as_bytes()) {
        Some(place) => Some(Cow::Borrowed(&field[place])).filter(|text| !text.is_empty()),
        None => text_of(cell(field.as_bytes())),
    }
}

/// Whether a field is its own cell: filled, without quotes or space around it. Nearly all are.
#[inline]
fn is_bare(field: &str) -> bool {
    let (Some(first), Some(last)) = (field.as_bytes().first(), field.as_bytes().last()) else { return false };
    !matches!(first, b' ' | b'\t' | b'"') && !matches!(last, b' ' | b'\t')
}

/// Text that is not empty. (What is no UTF-8 was rejected before.)
fn text_of(bytes: Cow<'_, [u8]>) -> Option<Cow<'_, str>> {
    let text = match bytes {
        Cow::Borrowed(bytes) => Cow::Borrowed(std::str::from_utf8(bytes).ok()?),
        Cow::Owned(bytes) => Cow::Owned(String::from_utf8(bytes).ok()?),
    };
    (!text.is_empty()).then_some(text)
}

/// What a format adds to its columns.
pub(super) trait Rows: Send + Sync {
    /// Says of a finding that is [`Exposed`](Kind::Exposed) so far what its row is: kind and side, and what the columns alone do
    /// not say. `Err` if it is no exposure.
    fn judge<'r>(&'r self, row: &Row<'r>, roles: &Roles, finding: &mut Finding<'r>) -> Result<(), Skip>;

    /// Columns that it looks at beyond the roles, each with the word for what it is taken for.
    fn listed(&self) -> Vec<(usize, &'static str)> {
        Vec::new()
    }
}

/// A format of delimited text.
pub(super) struct Delimited<R> {
    table: Table,
    roles: Roles,
    rows: R,
    time_style: Option<Arc<TimeStyle>>,
    /// Of the roles, whether there is anything to [fill in](Self::fill).
    says_more: bool,
    /// By whether names, then AS numbers are asked for.
    plans: [[Plan; 2]; 2],
    /// Likewise, those beside the address.
    others: [[Others; 2]; 2],
}

impl<R: Rows> Delimited<R> {
    pub(super) fn new(table: Table, roles: Roles, rows: R, time_style: Option<Arc<TimeStyle>>) -> Self {
        let plans = [false, true].map(|names| [false, true].map(|asns| Plan::new(&roles, names, asns)));
        let others = plans.each_ref().map(|plans| plans.each_ref().map(Plan::others));
        let says_more = roles.say_more();
        Self { table, roles, rows, time_style, says_more, plans, others }
    }

    fn key_cells<'r>(&self, record: &'r [u8], names: bool, asns: bool) -> Result<KeyCells<'r>, Reject> {
        let plan = &self.plans[usize::from(names)][usize::from(asns)];
        KeyCells::read(self.table.dialect.fields(record), plan)
    }

    /// What is asked for and a row could have.
    fn asked(&self, filter: &dyn Filter) -> KeyKinds {
        let roles = &self.roles;
        let names = !roles.stated.is_empty() || !roles.shown.is_empty() || roles.reverse_source.is_some();
        filter.kinds() & KeyKinds { addresses: true, names, asns: roles.asn.is_some() }
    }

    /// The whole record; `Err` as its reject.
    fn read<'r>(&'r self, record: &'r [u8]) -> Result<Findings<'r>, Reject> {
        let (mut row, roles) = (Row::default(), &self.roles);
        row.read(&self.table, record)?;
        let subject = match row.quad(roles.address) {
            Some(address) => Some((Subject::Address(address), None)),
            None => self.subject(&row)?,
        };
        // Filled in where it stays: it is large.
        let mut findings = vec![Finding::new(0, Kind::Exposed, Side::Exposed)];
        let finding = &mut findings[0];
        if let Err(skip) = self.rows.judge(&row, roles, finding) {
            return Ok(Findings::Skipped(skip));
        }
        finding.subject = subject.map(|(subject, _)| subject);
        finding.port = match row.text(roles.port) {
            Some(text) => read_port(text.as_bytes()).ok_or(Reject::Port)?,
            None => subject.and_then(|(_, port)| port),
        };
        finding.port_is_client = roles.port_is_client;
        finding.time = self.time(&row)?;
        if self.says_more {
            self.fill(finding, &row);
        }
        Ok(Findings::Some(findings))
    }

    /// What a row is about, with its port where that stands beside the address.
    fn subject(&self, row: &Row<'_>) -> Result<Option<(Subject, Option<u16>)>, Reject> {
        let roles = &self.roles;
        if let Some(text) = roles.key(row, roles.address) {
            return read_subject(text.as_bytes(), roles.is_endpoint).map(Some);
        }
        let host = roles.first_key(row, &roles.stated);
        let found = host.map_or(Ok(None), |host| stand_in(&host))?;
        Ok(found.map(|(address, port)| (Subject::Address(address), port)))
    }

    fn time(&self, row: &Row<'_>) -> Result<Option<Moment>, Reject> {
        let Some(text) = row.text(self.roles.time) else { return Ok(None) };
        let read = match (&self.time_style, self.roles.microseconds) {
            (None, Some(column)) => {
                let microseconds = row.text(Some(column)).unwrap_or_default();
                read_unix(text.as_bytes(), microseconds.as_bytes())
            }
            (style, _) => read_time(text.as_bytes(), style.as_deref()),
        };
        match read {
            TimeText::At(moment) => Ok(Some(moment)),
            TimeText::None => Ok(None),
            TimeText::Unreadable => Err(Reject::Time),
        }
    }

    /// Fills in what the columns say and the rows have not said.
    fn fill<'r>(&self, finding: &mut Finding<'r>, row: &Row<'r>) {
        let roles = &self.roles;
        let keep = |kept: &mut Option<Cow<'r, str>>, column: Option<usize>| {
            if let Some(text) = row.text(column) {
                *kept = Some(text);
            }
        };
        keep(&mut finding.transport, roles.transport);
        keep(&mut finding.application, roles.application);
        keep(&mut finding.severity, roles.severity);
        keep(&mut finding.tlp, roles.tlp);
        finding.asn = row.text(roles.asn).and_then(|text| read_asn(text.as_bytes()));
        finding.stated = first_name(roles.stated.iter().map(|&column| roles.key(row, Some(column))));
        finding.reverse = roles.first_key(row, &roles.reverse);
        let source = row.text(roles.reverse_source);
        let is_shown = source.is_some_and(|source| is_shown_source(source.as_bytes()));
        let reverse = if is_shown { finding.reverse.take() } else { None };
        if reverse.is_some() || !roles.shown.is_empty() {
            let shown = roles.shown.iter().map(|&column| roles.key(row, Some(column)));
            finding.shown = all_names(shown.chain([reverse])).into_vec();
        }
        if let Some(text) = row.text(roles.cve) {
            push_words(finding, text, |c| matches!(c, ';' | ',' | '|') || c.is_ascii_whitespace());
        }
        if let Some(text) = row.text(roles.tag) {
            push_words(finding, text, |c| c == ';');
        }
    }
}

/// Adds words to the CVEs or, where they are none, to the tags.
pub(super) fn push_words<'r>(
    finding: &mut Finding<'r>,
    text: Cow<'r, str>,
    is_between: impl Fn(char) -> bool,
) {
    let mut push = |word: Cow<'r, str>| match &*word {
        "" => {}
        cve if is_cve(cve) => finding.cves.push(word),
        _ => finding.tags.push(word),
    };
    match text {
        Cow::Borrowed(text) => text.split(is_between).for_each(|word| push(Cow::Borrowed(word.trim()))),
        Cow::Owned(text) => text.split(is_between).for_each(|word| push(Cow::Owned(word.trim().to_owned()))),
    }
}

/// Whether a word has the form `CVE-2024-12345`, in any case.
pub fn is_cve(word: &str) -> bool {
    let is_number =
        |text: &str, least: usize| text.len() >= least && text.bytes().all(|b| b.is_ascii_digit());
    let rest = word.get(..4).filter(|start| start.eq_ignore_ascii_case("cve-")).and_then(|_| word.get(4..));
    rest.and_then(|rest| rest.split_once('-'))
        .is_some_and(|(year, number)| year.len() == 4 && is_number(year, 4) && is_number(number, 4))
}

impl<R: Rows> Format for Delimited<R> {
    fn body(&self) -> usize {
        self.table.body
    }

    fn frame(&self, window: Window<'_>, start: usize) -> Frame {
        self.table.dialect.frame(window, start, &mut Chain::new())
    }

    fn guess(&self, window: Window<'_>, at: usize) -> usize {
        self.table.dialect.guess(window, at, self.table.names.len())
    }

    fn keys<'r>(&self, record: &'r [u8], kinds: KeyKinds) -> Result<Keys<'r>, Reject> {
        let mut cells = self.key_cells(record, kinds.names, kinds.asns)?;
        if cells.address.is_none() && !(kinds.names && kinds.asns) {
            cells = self.key_cells(record, true, true)?;
        }
        let subject = match cells.address.as_deref().map(|text| read_subject(text, self.roles.is_endpoint)) {
            Some(Err(_)) if !cells.address.as_deref().is_some_and(is_text) => return Err(Reject::Encoding),
            _ if cells.is_garbled => return Err(Reject::Encoding),
            Some(subject) => Some(subject?.0),
            None => cells.stand_in()?,
        };
        let (asn, stated) = (cells.asn(), cells.stated_name.take());
        let mut shown = cells.take_shown().peekable();
        if subject.is_none() && asn.is_none() && stated.is_none() && shown.peek().is_none() {
            return Err(Reject::NoKey);
        }
        let shown = if kinds.names { all_names(shown.map(text_of)) } else { Names::new() };
        Ok(Keys {
            subject,
            stated: stated.filter(|_| kinds.names).and_then(|(_, text)| text_of(text)),
            shown,
            asn: asn.filter(|_| kinds.asns),
            others: Vec::new(),
        })
    }

    fn findings<'r>(&'r self, record: &'r [u8]) -> Findings<'r> {
        self.read(record).unwrap_or_else(Findings::Rejected)
    }

    fn describe(&self) -> Description {
        let mut columns: Vec<Column> =
            self.table.names.iter().map(|name| Column { name: name.clone(), taken_for: None }).collect();
        for (column, word) in self.rows.listed().into_iter().chain(self.roles.listed()) {
            columns[column].taken_for = Some(word);
        }
        Description { delimiter: Some(self.table.dialect.delimiter), columns }
    }

    fn values<'r>(&self, record: &'r [u8]) -> Vec<Option<Cow<'r, str>>> {
        let mut row = Row::default();
        match row.read(&self.table, record) {
            Ok(()) => (0..self.table.names.len()).map(|column| row.text(Some(column))).collect(),
            Err(_) => Vec::new(),
        }
    }

    /// As the exact one, but for the chain that keeps hostile text from being looked at again and again; and by leaps
    /// where addresses alone are asked for.
    fn sweep(
        &self,
        window: Window<'_>,
        starts: Range<usize>,
        filter: &dyn Filter,
        sink: &mut dyn Sink,
        tally: &mut Tally,
    ) -> usize {
        let KeyKinds { addresses, names, asns } = self.asked(filter);
        // Leaps compare cells as they are written.
        if let Some(column) = self.roles.address.filter(|_| addresses && !self.roles.is_defanged) {
            let others = &self.others[usize::from(names)][usize::from(asns)];
            let others = (names || asns).then_some(others);
            let leap = Leap { format: self, dialect: self.table.dialect, column, others, window, filter };
            return with_best(Sweep { leap, starts, sink, tally });
        }
        let mut chain = Chain::new();
        let frame = |at| self.table.dialect.frame(window, at, &mut chain);
        sweep_frames(self, frame, window, starts, filter, sink, tally)
    }
}
