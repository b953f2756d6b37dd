//! Register files in CSV: a header, columns in any order.
//!
//! The delimiter is a comma, or a semicolon or tab if the header has that and no comma (Dutch Excel writes semicolons). Quotes
//! are read as the `csv` crate reads them; a line end is `\n`, and one `\r` right before it belongs to it. Empty lines and
//! those that begin with `#` are no rows, nor are those whose every field is empty, which spreadsheets leave behind. A record longer than [`RECORD_BYTES_MAX`], whose quote never closes, or with a field that may hold other rows, is bad, and
//! reading resumes at its second line: a lost quote costs one row. A line break is allowed only in columns that are ignored: in
//! any other it is an error, and in the header too.

use crate::moment::Day;
use crate::register::merge::Sink;
use crate::register::owner::{Role, Scope};
use crate::register::report::FindingKind;
use crate::register::row::{self, Attribute, Attributes, Row, RowClaim, Validity, Wrong, quote, read_text};
use ::csv::{ByteRecord, Reader, ReaderBuilder, Terminator};
use std::borrow::Cow;

/// Longest row, as in dumps.
const RECORD_BYTES_MAX: usize = 1 << 20;
/// Most columns of a header.
const COLUMNS_MAX: usize = 1_000;

/// A column that means something; the first are the [`Attribute`]s.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(usize)]
enum Column {
    OwnerId = Attribute::ALL.len(),
    Role,
    Network,
    Asn,
    Domain,
    Contact,
    Verified,
    ValidFrom,
    ValidUntil,
}

/// By [`Attribute`], then by [`Column`].
const NAMES: [&str; 17] = [
    Attribute::Name.field(),
    Attribute::Kvk.field(),
    Attribute::RipeOrg.field(),
    Attribute::SameAs.field(),
    Attribute::Constituency.field(),
    Attribute::Sector.field(),
    Attribute::Ground.field(),
    Attribute::Link.field(),
    "owner_id",
    "role",
    "network",
    "asn",
    "domain",
    "contact",
    "verified",
    "valid_from",
    "valid_until",
];

/// Which field of a record is which column.
struct Header {
    delimiter: u8,
    fields: usize,
    places: [Option<usize>; NAMES.len()],
}

/// Reads all rows of a file into `sink`. The text is without byte order mark.
pub(super) fn read(text: &[u8], sink: &mut Sink<'_>) {
    let mut lines = Lines { text, at: 0, line: 1 };
    lines.skip_blank();
    let start = lines.line;
    let header = match read_header(&mut lines) {
        Ok((header, unknown)) => {
            if let Some(unknown) = unknown {
                sink.find(FindingKind::UnknownColumn, start, || unknown);
            }
            header
        }
        Err(wrong) => return sink.find(FindingKind::BadSource, start, || wrong),
    };
    // Each turn reads until a record that swallowed what it should not; the next resumes at that record's second line.
    while lines.at < text.len() {
        read_rows(&mut lines, &header, sink);
    }
}

/// Reads rows up to the end, or up to one that is broken by its border.
fn read_rows(lines: &mut Lines<'_>, header: &Header, sink: &mut Sink<'_>) {
    let text = lines.text;
    let base = lines.at;
    let mut reader = reader(&text[base..], header.delimiter);
    let mut record = ByteRecord::new();
    loop {
        lines.skip_blank();
        let more = reader
            .read_byte_record(&mut record)
            .expect("reading from memory, ragged rows allowed, cannot fail");
        if !more {
            lines.at = text.len();
            return;
        }
        let end = base + reader.position().byte() as usize;
        if end <= lines.at {
            continue; // an empty line as the reader sees it: a `\r` alone before its `\n`
        }
        let whole = &text[lines.at..end];
        if let Some(wrong) = broken_border(whole, end == text.len(), header.delimiter) {
            sink.bad_row(lines.line, wrong);
            lines.advance_to(next_line(text, lines.at));
            return;
        }
        if record.iter().any(|field| !field.trim_ascii().is_empty()) {
            if let Some(wrong) = swallowed_rows(&record, header) {
                sink.bad_row(lines.line, wrong);
                lines.advance_to(next_line(text, lines.at));
                return;
            }
            match read_row(&record, header, lines.line) {
                Ok(row) => sink.row(row),
                Err(wrong) => sink.bad_row(lines.line, wrong),
            }
        }
        lines.advance_to(end);
        sink.progress(lines.at);
    }
}

fn reader(text: &[u8], delimiter: u8) -> Reader<&[u8]> {
    ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .terminator(Terminator::Any(b'\n'))
        .comment(Some(b'#'))
        .from_reader(text)
}

/// Where the reader is: it counts lines, since the `csv` crate counts from before the empty lines that it skips.
struct Lines<'t> {
    text: &'t [u8],
    at: usize,
    /// The line that `at` is on, from 1.
    line: u32,
}

impl Lines<'_> {
    /// Moves past empty lines and those that begin with `#`.
    fn skip_blank(&mut self) {
        while let [b'\n' | b'#', ..] | [b'\r', b'\n', ..] = self.text[self.at..] {
            self.advance_to(next_line(self.text, self.at));
        }
    }

    fn advance_to(&mut self, at: usize) {
        self.line += memchr::memchr_iter(b'\n', &self.text[self.at..at]).count() as u32;
        self.at = at;
    }
}

/// The position after the next newline, or the end.
fn next_line(text: &[u8], at: usize) -> usize {
    memchr::memchr(b'\n', &text[at..]).map_or(text.len(), |length| at + length + 1)
}

/// What is wrong with the extent of a record, if anything.
fn broken_border(whole: &[u8], at_end: bool, delimiter: u8) -> Option<Wrong> {
    if whole.len() > RECORD_BYTES_MAX {
        return Some(format!(
            "row is longer than {RECORD_BYTES_MAX} bytes (look for a quote that is not closed)"
        ));
    }
    let open = at_end && ends_in_quotes(whole, delimiter);
    open.then(|| {
        "a quote is opened here and never closed (close it, or write \"\" for a quote in a quoted field)"
            .to_owned()
    })
}

/// Whether a quoted field is still open at the end of a record: a quote opens only as the first byte of a field.
fn ends_in_quotes(record: &[u8], delimiter: u8) -> bool {
    let (mut quoted, mut may_open) = (false, true);
    for &byte in record {
        let was_quoted = quoted;
        if byte == b'"' {
            quoted = !was_quoted && may_open;
        }
        // A doubled quote closes, and right behind it opens again: the same in the end.
        let closed = was_quoted && !quoted;
        may_open = closed || (!quoted && (byte == delimiter || byte == b'\n'));
    }
    quoted
}

/// Says which field holds other rows, if one may: a quote that was lost is closed by the next row that has one.
fn swallowed_rows(record: &ByteRecord, header: &Header) -> Option<Wrong> {
    let at = (0..record.len()).find(|&at| may_hold_rows(record, at, header))?;
    Some(format!(
        "field {} {} may hold other rows (close its quote on this line, or write it without line breaks)",
        at + 1,
        quote(&record[at])
    ))
}

/// Whether a field holds the rest of its row and the beginning of another up to that field, as far as delimiters tell.
///
/// A row that ends elsewhere has another number of fields than the header, and is bad anyhow: then the rest of its own row is enough.
fn may_hold_rows(record: &ByteRecord, at: usize, header: &Header) -> bool {
    let field = &record[at];
    let Some(first) = memchr::memchr(b'\n', field) else { return false };
    let last = memchr::memrchr(b'\n', field).unwrap_or(first);
    let delimiters = |text: &[u8]| memchr::memchr_iter(header.delimiter, text).count();
    let ends_a_row = delimiters(&field[..first]) + at + 1 >= header.fields;
    ends_a_row && (record.len() != header.fields || delimiters(&field[last..]) >= at)
}

/// Reads the header, and says which columns are not known.
fn read_header(lines: &mut Lines<'_>) -> Result<(Header, Option<String>), Wrong> {
    let text = lines.text;
    let line = &text[lines.at..next_line(text, lines.at)];
    if line.is_empty() {
        return Err("file is empty (it needs a header with at least owner_id)".to_owned());
    }
    if line.len() > RECORD_BYTES_MAX {
        return Err(format!("header is longer than {RECORD_BYTES_MAX} bytes (this may be no CSV file)"));
    }
    let has = |delimiter| line.contains(&delimiter);
    let delimiter = match () {
        () if has(b',') => b',',
        () if has(b';') => b';',
        () if has(b'\t') => b'\t',
        () => b',',
    };
    let mut reader = reader(&text[lines.at..], delimiter);
    let mut record = ByteRecord::new();
    reader.read_byte_record(&mut record).expect("reading from memory, ragged rows allowed, cannot fail");
    let end = lines.at + reader.position().byte() as usize;
    let is_open = end == text.len() && ends_in_quotes(&text[lines.at..end], delimiter);
    if is_open || record.iter().any(|name| name.contains(&b'\n')) {
        return Err(
            "header holds a line break (look for a quote that is not closed, or put each name on one line)"
                .to_owned(),
        );
    }
    lines.advance_to(end);
    let (places, unknown) = place_columns(&record)?;
    Ok((Header { delimiter, fields: record.len(), places }, unknown))
}

type Places = [Option<usize>; NAMES.len()];

fn place_columns(record: &ByteRecord) -> Result<(Places, Option<String>), Wrong> {
    let mut places = Places::default();
    let mut unknown = Vec::new();
    if record.len() > COLUMNS_MAX {
        return Err(format!(
            "header has {} columns, more than {COLUMNS_MAX} (this may be no register)",
            record.len()
        ));
    }
    for (at, field) in record.iter().enumerate() {
        let name = field.trim_ascii();
        let known = NAMES.iter().position(|known| name.eq_ignore_ascii_case(known.as_bytes()));
        match known {
            None => unknown.push(name),
            Some(column) if places[column].is_some() => {
                return Err(format!("header has column {} twice (rename or remove one)", NAMES[column]));
            }
            Some(column) => places[column] = Some(at),
        }
    }
    if places[Column::OwnerId as usize].is_none() {
        let found: Vec<String> = record.iter().take(8).map(|field| quote(field.trim_ascii())).collect();
        return Err(format!("header has no column owner_id (its columns are {})", found.join(", ")));
    }
    Ok((places, (!unknown.is_empty()).then(|| name_unknown("columns", &unknown, &NAMES))))
}

/// Says which columns or keys are ignored, and what they may have been meant to be.
pub(super) fn name_unknown(what: &str, unknown: &[&[u8]], known: &[&str]) -> String {
    let shown: Vec<String> = unknown
        .iter()
        .take(20)
        .map(|name| {
            let text = String::from_utf8_lossy(name).to_lowercase();
            let near = known.iter().find(|known| strsim::damerau_levenshtein(known, &text) <= 2);
            match near {
                Some(near) if !text.is_empty() => format!("{} (did you mean {near}?)", quote(name)),
                _ => quote(name),
            }
        })
        .collect();
    format!("{what} that are not known are ignored: {}", shown.join(", "))
}

fn read_row<'r>(record: &'r ByteRecord, header: &Header, line: u32) -> Result<Row<'r>, Wrong> {
    let fields = Fields { record, header };
    if record.len() != header.fields {
        let (found, expected) = (record.len(), header.fields);
        return Err(format!(
            "row has {found} fields and the header {expected} (quote a field that holds the delimiter)"
        ));
    }
    fields.check_lines()?;
    let owner_id = fields.text(Column::OwnerId)?;
    let owner_id = owner_id.ok_or("owner_id is empty (every row needs one)")?;
    row::check_owner_id("owner_id", owner_id)?;
    Ok(Row {
        line,
        owner_id,
        attributes: read_attributes(&fields)?,
        contacts: read_contacts(&fields)?,
        claims: read_claims(&fields)?,
        verified: fields.day(Column::Verified)?,
    })
}

/// The fields of a record by their column.
struct Fields<'r, 'h> {
    record: &'r ByteRecord,
    header: &'h Header,
}

impl<'r> Fields<'r, '_> {
    /// Without the spaces around it; a column that is not there is empty.
    fn bytes(&self, column: Column) -> &'r [u8] {
        self.at(column as usize)
    }

    fn at(&self, column: usize) -> &'r [u8] {
        self.whole(column).trim_ascii()
    }

    fn whole(&self, column: usize) -> &'r [u8] {
        self.header.places[column].and_then(|at| self.record.get(at)).unwrap_or_default()
    }

    /// No column that decides goes over lines, at its ends neither: where one does, a quote was lost.
    fn check_lines(&self) -> Result<(), Wrong> {
        let is_text = |column: &usize| {
            [Attribute::Name, Attribute::Sector, Attribute::Ground].iter().any(|&it| it as usize == *column)
        };
        let mut deciding = (0..NAMES.len()).filter(|column| !is_text(column));
        match deciding.find(|&column| self.whole(column).contains(&b'\n')) {
            None => Ok(()),
            Some(column) => Err(format!(
                "{} {} holds a line break (a quote is probably missing on this line; if not, write it on one line)",
                NAMES[column],
                quote(self.whole(column))
            )),
        }
    }

    fn text(&self, column: Column) -> Result<Option<&'r str>, Wrong> {
        read_text(NAMES[column as usize], self.bytes(column))
    }

    fn day(&self, column: Column) -> Result<Option<Day>, Wrong> {
        row::read_day(NAMES[column as usize], self.bytes(column))
    }
}

fn read_attributes<'r>(fields: &Fields<'r, '_>) -> Result<Attributes<'r>, Wrong> {
    let mut attributes = Attributes::default();
    for attribute in Attribute::ALL {
        let text = read_text(attribute.field(), fields.at(attribute as usize))?;
        attributes[attribute as usize] = text.map(|text| attribute.read(text)).transpose()?;
    }
    Ok(attributes)
}

/// Several contacts stand in one field with `;` or `,` between them.
fn read_contacts<'r>(fields: &Fields<'r, '_>) -> Result<Vec<Cow<'r, str>>, Wrong> {
    let Some(text) = fields.text(Column::Contact)? else { return Ok(Vec::new()) };
    let contacts = text.split([';', ',']).map(str::trim).filter(|contact| !contact.is_empty());
    contacts.map(|contact| row::check_contact(contact).map(|()| Cow::Borrowed(contact))).collect()
}

fn read_claims(fields: &Fields<'_, '_>) -> Result<Vec<RowClaim>, Wrong> {
    let valid =
        Validity { from: fields.day(Column::ValidFrom)?, until: fields.day(Column::ValidUntil)? }.check()?;
    let role = fields.text(Column::Role)?.map(row::read_role).transpose()?;
    let claim = |key, default| RowClaim {
        key,
        role: role.unwrap_or(default),
        is_role_stated: role.is_some(),
        valid,
        scope: Scope::Stated,
    };
    let mut claims = Vec::with_capacity(1);
    let (network, asn) = (fields.bytes(Column::Network), fields.bytes(Column::Asn));
    if !network.is_empty() {
        claims.push(claim(row::read_network(network)?, Role::User));
    }
    if !asn.is_empty() {
        claims.push(claim(row::read_asn(asn)?, Role::Network));
    }
    if let Some(domain) = fields.text(Column::Domain)? {
        claims.push(claim(row::read_domain(domain)?, Role::User));
    }
    Ok(claims)
}
