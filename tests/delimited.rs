//! Delimited text against the `csv` crate, on generated files of which many are malformed.
//!
//! The oracle knows the prose of the rules and nothing of the engine: each record is read by a fresh `csv` reader from
//! its first byte, with `Terminator::Any(b'\n')`; blank lines, comments, `too-long` and `quoting` are told in a few
//! obvious lines; cells are read by the standard library. What must agree, for whole dumps, any chunks and any windows:
//! number, offset and outcome of each record, and what candidates say.
//!
//! A sweep of 100,000 files, with the productions and their counts printed:
//!
//! ```text
//! DIJKWACHT_SWEEP=100000 cargo test --release --test delimited -- --nocapture generated
//! ```
//!
//! `DIJKWACHT_SEED` repeats a sweep.

#![allow(clippy::unwrap_used, clippy::print_stderr)] // the helpers of tests are tests

use dijkwacht::moment::Moment;
use dijkwacht::net::Address;
use dijkwacht::scan::{
    Description, FORMATS, Filter, Finding, Findings, Format, FormatOptions, Frame, Head, KeyKinds, Keys,
    REJECTS_KEPT, Reject, Sink, Skip, Subject, Take, Tally, Window,
};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;

// ---- the cases ----

/// What a column means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Meaning {
    Address,
    Port,
    Transport,
    Time,
    Micros,
    Identifier,
    Severity,
    Cve,
    Tlp,
    Asn,
    Application,
    Stated(usize),
    Reverse,
    ReverseSource,
    Tag,
    Repeat,
    Classification,
    Success,
    Nothing,
}

/// A generated dump, and what the oracle must know about it.
struct Case {
    format: &'static str,
    report_type: Option<&'static str>,
    delimiter: u8,
    columns: Vec<Meaning>,
    bytes: Vec<u8>,
    record_bytes_max: usize,
    kinds: KeyKinds,
    take: Take,
    identifier: Option<String>,
    /// An address cell may carry a port.
    is_endpoint: bool,
}

impl Case {
    fn options(&self) -> FormatOptions {
        FormatOptions {
            report_type: self.report_type.map(str::to_owned),
            identifier: self.identifier.clone(),
            take: self.take,
            record_bytes_max: self.record_bytes_max,
            ..FormatOptions::default()
        }
    }

    fn open(&self) -> Box<dyn Format> {
        let spec = FORMATS.iter().find(|spec| spec.name == self.format).unwrap();
        let head = Head { bytes: &self.bytes, at_end: true };
        (spec.open)(&head, &self.options()).unwrap_or_else(|error| panic!("{error}\n{self}"))
    }

    fn column(&self, meaning: Meaning) -> Option<usize> {
        self.columns.iter().position(|&column| column == meaning)
    }
}

impl std::fmt::Display for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{} {:?} max {} {:?}", self.format, self.report_type, self.record_bytes_max, self.kinds)?;
        writeln!(f, "{:?} take {:?} identifier {:?}", self.columns, self.take, self.identifier)?;
        write!(f, "{:?}", String::from_utf8_lossy(&self.bytes))
    }
}

// ---- the oracle: records ----

#[derive(Clone, PartialEq, Eq, Debug)]
enum Told {
    Blank,
    Record(Vec<Vec<u8>>),
    Rejected(Reject),
}

/// What begins at `start`, and where reading goes on. `None` at the end.
fn tell(bytes: &[u8], start: usize, delimiter: u8, record_bytes_max: usize) -> Option<(Told, usize)> {
    let rest = &bytes[start..];
    let first_line = rest.iter().position(|&byte| byte == b'\n').map_or(rest.len(), |newline| newline + 1);
    if rest.is_empty() {
        return None;
    }
    if rest[0] == b'#' || rest[0] == b'\n' || rest.starts_with(b"\r\n") {
        return Some((Told::Blank, start + first_line));
    }
    // A record before, for `csv` would skip a byte order mark; a newline and a line after, to see whether a quote is open.
    let text = [b"x\n", rest, b"\nz\n"].concat();
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(false)
        .flexible(true)
        .terminator(csv::Terminator::Any(b'\n'))
        .buffer_capacity(256)
        .from_reader(&text[..]);
    let mut record = csv::ByteRecord::new();
    assert!(reader.read_byte_record(&mut record).unwrap());
    assert!(reader.read_byte_record(&mut record).unwrap());
    let used = reader.position().byte() as usize - 2;
    let mut fields: Vec<Vec<u8>> = record.iter().map(<[u8]>::to_vec).collect();

    let is_open = used > rest.len() + 1;
    let mut length = used.min(rest.len() + 1) - 1;
    if used <= rest.len() && rest[..length].ends_with(b"\r") {
        length -= 1;
        assert_eq!(fields.last_mut().unwrap().pop(), Some(b'\r'));
    }
    let told = match () {
        () if length > record_bytes_max => Told::Rejected(Reject::TooLong),
        () if is_open => Told::Rejected(Reject::Quoting),
        () => Told::Record(fields),
    };
    let next = if matches!(told, Told::Rejected(_)) { first_line } else { used.min(rest.len()) };
    Some((told, start + next))
}

/// Where the first record may begin: after the byte order mark and the header.
fn tell_body(case: &Case) -> usize {
    let mut at = if case.bytes.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 };
    while let Some((told, next)) = tell(&case.bytes, at, case.delimiter, usize::MAX) {
        at = next;
        if told != Told::Blank {
            break;
        }
    }
    at
}

// ---- the oracle: what rows say ----

/// What became of a record.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Outcome {
    Unmatched { special: bool },
    Rejected(Reject),
    Skipped(Skip),
    Found(String),
}

fn is_text(bytes: &[u8]) -> bool {
    !bytes.contains(&0) && std::str::from_utf8(bytes).is_ok()
}

fn trim(bytes: &[u8]) -> &[u8] {
    let is_space = |byte: &u8| *byte == b' ' || *byte == b'\t';
    let start = bytes.iter().take_while(|byte| is_space(byte)).count();
    let end = bytes.len() - bytes[start..].iter().rev().take_while(|byte| is_space(byte)).count();
    &bytes[start..end]
}

fn tell_ip(text: &str) -> Option<IpAddr> {
    text.parse::<IpAddr>().ok().map(|ip| ip.to_canonical())
}

/// The subject in words, and the port that an endpoint carries.
fn tell_subject(bytes: &[u8], is_endpoint: bool) -> Result<(String, Option<u16>), Reject> {
    let Ok(text) = std::str::from_utf8(bytes) else { return Err(Reject::Address) };
    if let Some(ip) = tell_ip(text) {
        return Ok((ip.to_string(), None));
    }
    if let Some((first, length)) = text.split_once('/') {
        let Some(ip) = tell_ip(first) else { return Err(Reject::Address) };
        if !length.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
            return Err(Reject::Address);
        }
        let width: u32 = if ip.is_ipv4() { 32 } else { 128 };
        let length: u32 = match length.parse() {
            Ok(value) if value <= width && (length == "0" || !length.starts_with('0')) => value,
            _ => return Err(Reject::Prefix),
        };
        let bits = match ip {
            IpAddr::V4(ip) => u128::from(ip.to_bits()),
            IpAddr::V6(ip) => ip.to_bits(),
        };
        let host = (0..width - length).any(|bit| bits >> bit & 1 == 1);
        return match host {
            true => Err(Reject::Prefix),
            false if length == width => Ok((ip.to_string(), None)),
            false => Ok((format!("{ip}/{length}"), None)),
        };
    }
    if !is_endpoint {
        return Err(Reject::Address);
    }
    let Some((host, port)) = text.rsplit_once(':') else { return Err(Reject::Address) };
    let host = match host.strip_prefix('[') {
        Some(host) => host.strip_suffix(']').filter(|host| host.contains(':')),
        None => Some(host).filter(|host| !host.contains(':')),
    };
    match (host.and_then(tell_ip), tell_port(port)) {
        (Some(ip), Some(port)) => Ok((ip.to_string(), port)),
        _ => Err(Reject::Address),
    }
}

fn tell_port(text: &str) -> Option<Option<u16>> {
    let port: u16 = text.parse().ok()?;
    (port.to_string() == text).then_some((port > 0).then_some(port))
}

fn tell_time(text: &str, micros: Option<&str>) -> Result<Option<Moment>, Reject> {
    if micros.is_none() && !text.bytes().all(|byte| byte.is_ascii_digit()) {
        let unix = tell_date_time(text).ok_or(Reject::Time)?;
        let is_none = text.starts_with("0001-01-01");
        return if is_none {
            Ok(None)
        } else {
            Moment::from_unix(unix.0, unix.1).map(Some).ok_or(Reject::Time)
        };
    }
    let is_plain = matches!(text.len(), 9 | 10) && text.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = text.parse::<i64>().ok().filter(|_| is_plain && !text.starts_with('0'));
    let micros = micros.filter(|text| !text.is_empty()).unwrap_or("0");
    let is_plain = micros.len() <= 6 && micros.bytes().all(|byte| byte.is_ascii_digit());
    match (seconds, micros.parse::<u32>()) {
        (Some(seconds), Ok(micros)) if is_plain => Ok(Moment::from_unix(seconds, micros * 1000)),
        _ => Err(Reject::Time),
    }
}

/// Unix seconds and nanoseconds of RFC 3339 with its liberties, or of a day; by the calendar of jiff.
fn tell_date_time(text: &str) -> Option<(i64, u32)> {
    let day = text.get(..10)?;
    let date = jiff::civil::Date::strptime("%Y-%m-%d", day).ok().filter(|date| date.to_string() == day)?;
    let (clock, rest) = match &text[10..] {
        "" => ("00:00:00", ""),
        rest if rest.starts_with(['T', ' ']) => (rest.get(1..9)?, &rest[9..]),
        _ => return None,
    };
    let time =
        jiff::civil::Time::strptime("%H:%M:%S", clock).ok().filter(|time| time.to_string() == clock)?;
    let (nanos, zone) = match rest.strip_prefix('.') {
        None => (0, rest),
        Some(rest) => {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let nanos = format!("{:0<9}", &rest[..digits]);
            ((1..=9).contains(&digits).then(|| nanos.parse().unwrap())?, &rest[digits..])
        }
    };
    let offset = match zone.as_bytes() {
        [] | [b'Z'] => 0,
        [sign @ (b'+' | b'-'), hh @ .., b':', m1, m2] | [sign @ (b'+' | b'-'), hh @ .., m1, m2]
            if hh.len() == 2 =>
        {
            let number = |two: &[u8]| {
                std::str::from_utf8(two).ok().filter(|t| !t.starts_with('+'))?.parse::<i64>().ok()
            };
            let (hours, minutes) = (number(hh)?, number(&[*m1, *m2])?);
            let seconds = (hours < 24 && minutes < 60).then_some(hours * 3600 + minutes * 60)?;
            if *sign == b'-' { -seconds } else { seconds }
        }
        _ => return None,
    };
    let utc = jiff::tz::TimeZone::UTC.to_timestamp(date.to_datetime(time)).ok()?;
    Some((utc.as_second() - offset, nanos))
}

struct Cells<'a> {
    case: &'a Case,
    fields: &'a [Vec<u8>],
}

impl<'a> Cells<'a> {
    fn bytes(&self, meaning: Meaning) -> &'a [u8] {
        self.case.column(meaning).map_or(&[], |column| trim(&self.fields[column]))
    }

    fn text(&self, meaning: Meaning) -> Option<&'a str> {
        std::str::from_utf8(self.bytes(meaning)).ok().filter(|text| !text.is_empty())
    }

    /// The first that is no address.
    fn stated(&self) -> Option<&'a str> {
        let names = (0..3).filter_map(|rank| self.text(Meaning::Stated(rank)));
        names.into_iter().find(|name| is_name(name))
    }

    /// The address, and its port, in the place of the first name.
    fn stand_in(&self) -> Result<Option<(String, Option<u16>)>, Reject> {
        (0..3).find_map(|rank| self.text(Meaning::Stated(rank))).map_or(Ok(None), tell_host)
    }

    fn is_hostname_shown(&self) -> bool {
        self.text(Meaning::ReverseSource)
            .is_some_and(|s| matches!(&*s.to_lowercase(), "certificate" | "http"))
    }

    fn asn(&self) -> Option<u32> {
        let text = self.text(Meaning::Asn)?;
        let digits =
            if text.get(..2).is_some_and(|s| s.eq_ignore_ascii_case("as")) { &text[2..] } else { text };
        let plain =
            digits.bytes().all(|b| b.is_ascii_digit()) && (digits.len() == 1 || !digits.starts_with('0'));
        digits.parse().ok().filter(|&asn| plain && asn != 0)
    }
}

/// Whether a text in the place of a name holds no address.
fn is_name(text: &str) -> bool {
    !matches!(tell_host(text), Ok(Some(_)))
}

/// The address that is the host of a URL or `host:port`, and the port.
fn tell_host(text: &str) -> Result<Option<(String, Option<u16>)>, Reject> {
    let start = text.find("://").map_or(0, |at| at + 3);
    let end = text[start..].find(|c| "/?#".contains(c)).map_or(text.len(), |at| start + at);
    let authority = &text[start..end];
    if authority.contains('\\') {
        return Err(Reject::Address);
    }
    let host = &authority[authority.rfind('@').map_or(0, |at| at + 1)..];
    if let Some(ip) = tell_ip(host) {
        return Ok(Some((ip.to_string(), None)));
    }
    let (host, port) = match host.rfind(':') {
        Some(colon) if host.starts_with('[') == host[..colon].ends_with(']') => {
            (&host[..colon], Some(&host[colon + 1..]))
        }
        _ => (host, None),
    };
    let inside = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let ip = match inside {
        Some(host) => tell_ip(host),
        None => tell_ip(host).filter(|_| !host.contains(':')),
    };
    Ok(ip.map(|ip| (ip.to_string(), port.and_then(|port| tell_port(port).flatten()))))
}

/// The key fields; `Err` is their reject. In words: subject, stated, shown, AS number.
type KeyWords = (Option<String>, Option<String>, Option<String>, Option<u32>);

fn tell_keys(case: &Case, fields: &[Vec<u8>], kinds: KeyKinds) -> Result<KeyWords, Reject> {
    use Meaning::{Address, Asn, Reverse, ReverseSource, Stated};
    let mut wanted = vec![Address];
    let mut filled_needed = false;
    loop {
        if kinds.names || filled_needed {
            wanted.extend([Stated(0), Stated(1), Stated(2)]);
            if case.column(ReverseSource).is_some() {
                wanted.extend([Reverse, ReverseSource]);
            }
        }
        if kinds.asns || filled_needed {
            wanted.push(Asn);
        }
        let columns: Vec<usize> = wanted.iter().filter_map(|&meaning| case.column(meaning)).collect();
        if columns.iter().any(|&column| column >= fields.len()) {
            return Err(Reject::Columns);
        }
        let has_address = case.column(Address).is_some_and(|column| !trim(&fields[column]).is_empty());
        let has_all = filled_needed || kinds.names && kinds.asns;
        if !has_address && !has_all {
            filled_needed = true;
            continue;
        }
        if columns.iter().any(|&column| !is_text(&fields[column])) {
            return Err(Reject::Encoding);
        }
        break;
    }
    let cells = Cells { case, fields };
    // Columns that were not wanted may be missing: they are not looked at below either.
    let has = |meaning| wanted.contains(&meaning);
    let subject = match cells.bytes(Address) {
        b"" => match has(Stated(0)) {
            true => cells.stand_in()?.map(|(address, _)| address),
            false => None,
        },
        text => Some(tell_subject(text, case.is_endpoint)?.0),
    };
    let stated = if has(Stated(0)) { cells.stated() } else { None };
    let shown = has(Reverse) && cells.is_hostname_shown();
    let shown = if shown { cells.text(Reverse) } else { None };
    let asn = if has(Asn) { cells.asn() } else { None };
    if subject.is_none() && stated.is_none() && shown.is_none() && asn.is_none() {
        return Err(Reject::NoKey);
    }
    let name = |name: Option<&str>| name.filter(|_| kinds.names).map(str::to_owned);
    Ok((subject, name(stated), name(shown.filter(|name| is_name(name))), asn.filter(|_| kinds.asns)))
}

/// Whether the toy register holds a key.
fn is_held(keys: &KeyWords, kinds: KeyKinds) -> bool {
    let held = ["203.0.113.", "2001:db8::", "8.8."];
    let by_address =
        keys.0.as_ref().is_some_and(|subject| held.iter().any(|start| subject.starts_with(start)));
    let is_ours = |name: &Option<String>| name.as_ref().is_some_and(|name| name.contains("ours"));
    kinds.addresses && by_address
        || is_ours(&keys.1)
        || is_ours(&keys.2)
        || keys.3.is_some_and(|asn| asn % 2 == 1)
}

fn tell_row(case: &Case, fields: &[Vec<u8>]) -> Outcome {
    let keys = match tell_keys(case, fields, case.kinds) {
        Ok(keys) => keys,
        Err(reject) => return Outcome::Rejected(reject),
    };
    if !is_held(&keys, case.kinds) {
        let special = |text: &str| dijkwacht::net::Prefix::read(text.as_bytes()).map(Subject::of_prefix);
        return Outcome::Unmatched {
            special: keys.0.is_some_and(|text| special(&text).unwrap().is_special()),
        };
    }
    tell_findings(case, fields)
}

fn tell_findings(case: &Case, fields: &[Vec<u8>]) -> Outcome {
    use Meaning as M;
    if fields.len() != case.columns.len() {
        return Outcome::Rejected(Reject::Columns);
    }
    if !fields.iter().all(|field| is_text(field)) {
        return Outcome::Rejected(Reject::Encoding);
    }
    let cells = Cells { case, fields };
    let subject = match cells.bytes(M::Address) {
        b"" => match cells.stand_in() {
            Ok(subject) => subject,
            Err(reject) => return Outcome::Rejected(reject),
        },
        text => match tell_subject(text, case.is_endpoint) {
            Ok(subject) => Some(subject),
            Err(reject) => return Outcome::Rejected(reject),
        },
    };
    let row = tell_judgement(case, &cells);
    let (kind, words) = match row {
        Ok(row) => row,
        Err(skip) => return Outcome::Skipped(skip),
    };
    let port = match cells.text(M::Port).map(tell_port) {
        Some(None) => return Outcome::Rejected(Reject::Port),
        Some(Some(port)) => port,
        None => subject.as_ref().and_then(|(_, port)| *port),
    };
    let micros = case.column(M::Micros).map(|_| cells.text(M::Micros).unwrap_or_default());
    let time = match cells.text(M::Time).map(|text| tell_time(text, micros)).transpose() {
        Ok(time) => time.flatten(),
        Err(reject) => return Outcome::Rejected(reject),
    };
    let shown =
        if cells.is_hostname_shown() { cells.text(M::Reverse).filter(|name| is_name(name)) } else { None };
    let reverse = if cells.is_hostname_shown() { None } else { cells.text(M::Reverse) };
    let (mut cves, mut tags) = (Vec::new(), Vec::new());
    let separators: &[char] = &[';', ',', '|', ' ', '\t', '\n', '\r', '\x0c'];
    let from_cve = cells.text(M::Cve).into_iter().flat_map(|text| text.split(separators));
    let from_tag = cells.text(M::Tag).into_iter().flat_map(|text| text.split(';'));
    for word in from_cve.chain(from_tag).map(str::trim).filter(|word| !word.is_empty()) {
        let parts: Vec<&str> = word.split('-').collect();
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        match parts[..] {
            [cve, year, number]
                if cve.eq_ignore_ascii_case("cve")
                    && year.len() == 4
                    && number.len() >= 4
                    && digits(year)
                    && digits(number) =>
            {
                cves.push(word);
            }
            _ => tags.push(word),
        }
    }
    let text = |meaning| cells.text(meaning);
    let told = format!(
        "{kind} {words} subject={:?} port={port:?} time={:?} transport={:?} application={:?} severity={:?} tlp={:?} \
         asn={:?} stated={:?} shown={shown:?} reverse={reverse:?} cves={cves:?} tags={tags:?}",
        subject.map(|(subject, _)| subject),
        time.map(Moment::id_text),
        text(M::Transport),
        text(M::Application),
        text(M::Severity).or((case.report_type.is_some()).then_some(DEFAULT_SEVERITY)),
        text(M::Tlp),
        cells.asn(),
        cells.stated(),
    );
    Outcome::Found(told)
}

/// The default severity of the report type that the generator uses.
const DEFAULT_SEVERITY: &str = "critical";

/// Kind and side, identifier and type, in words.
fn tell_judgement(case: &Case, cells: &Cells<'_>) -> Result<(String, String), Skip> {
    use Meaning as M;
    let given = case.identifier.as_deref();
    if let Some(report_type) = case.report_type {
        return Ok((
            "Vulnerable Infected client=true".to_owned(),
            format!("identifier={:?}", Some(report_type)),
        ));
    }
    if case.format == "zmap" {
        if cells.text(M::Repeat).is_some_and(|repeat| !["0", "false"].contains(&&*repeat.to_lowercase())) {
            return Err(Skip::Repeat);
        }
        let class = cells.text(M::Classification).unwrap_or_default().to_lowercase();
        if class == "rst" || class.starts_with("icmp") {
            return Err(Skip::Closed);
        }
        let success = cells.text(M::Success).unwrap_or_default().to_lowercase();
        if case.column(M::Success).is_some() && success != "1" && success != "true" {
            return Err(Skip::NoSuccess);
        }
        if case.take == Take::Vulnerable {
            return Err(Skip::NotVulnerable);
        }
        return Ok(("Exposed Exposed client=false".to_owned(), format!("identifier={given:?}")));
    }
    let says = |word: &&str| !matches!(word.trim(), "" | "-" | "N/A");
    let identifier = cells.text(M::Identifier).filter(says).or(given);
    if identifier.is_none() && case.take == Take::Vulnerable {
        return Err(Skip::NotVulnerable);
    }
    let kind = if identifier.is_some() { "Vulnerable" } else { "Exposed" };
    Ok((format!("{kind} Exposed client=false"), format!("identifier={identifier:?}")))
}

/// A finding in the oracle's words.
fn in_words(finding: &Finding<'_>) -> String {
    let f = finding;
    format!(
        "{:?} {:?} client={} identifier={:?} subject={:?} port={:?} time={:?} transport={:?} application={:?} \
         severity={:?} tlp={:?} asn={:?} stated={:?} shown={:?} reverse={:?} cves={:?} tags={:?}",
        f.kind,
        f.side,
        f.port_is_client,
        f.identifier.as_deref(),
        f.subject.map(subject_in_words),
        f.port,
        f.time.map(Moment::id_text),
        f.transport.as_deref(),
        f.application.as_deref(),
        f.severity.as_deref(),
        f.tlp.as_deref(),
        f.asn.map(|asn| asn.0),
        f.stated.as_deref(),
        f.shown.first().map(|name| &**name),
        f.reverse.as_deref(),
        f.cves,
        f.tags,
    )
}

fn subject_in_words(subject: Subject) -> String {
    match subject {
        Subject::Address(address) => address.to_string(),
        Subject::Prefix(prefix) => prefix.to_string(),
    }
}

fn key_words(keys: &Keys<'_>) -> KeyWords {
    let name = |name: &Option<std::borrow::Cow<'_, str>>| name.as_deref().map(str::to_owned);
    (
        keys.subject.map(subject_in_words),
        name(&keys.stated),
        keys.shown.first().map(|name| name.clone().into_owned()),
        keys.asn.map(|asn| asn.0),
    )
}

/// All records of a dump: offset and outcome; their number is their place.
fn tell_dump(case: &Case) -> Vec<(usize, Outcome)> {
    let mut at = tell_body(case);
    let mut records = Vec::new();
    while let Some((told, next)) = tell(&case.bytes, at, case.delimiter, case.record_bytes_max) {
        match told {
            Told::Blank => {}
            Told::Rejected(reject) => records.push((at, Outcome::Rejected(reject))),
            Told::Record(fields) => records.push((at, tell_row(case, &fields))),
        }
        at = next;
    }
    records
}

// ---- the engine, driven as the matcher drives it ----

struct Toy(KeyKinds);

impl Filter for Toy {
    fn kinds(&self) -> KeyKinds {
        self.0
    }

    fn may_hold(&self, keys: &Keys<'_>) -> bool {
        is_held(&key_words(keys), self.0)
    }

    /// Not wholly sharp: what it does not rule out is asked again.
    fn may_hold_v4(&self, addresses: &[u32]) -> u64 {
        self.may_hold_batch(addresses.iter().map(|&bits| Address::v4(bits)))
    }

    fn may_hold_v6(&self, addresses: &[u128]) -> u64 {
        self.may_hold_batch(addresses.iter().map(|&bits| Address::v6(bits)))
    }
}

impl Toy {
    fn may_hold_batch(&self, addresses: impl ExactSizeIterator<Item = Address>) -> u64 {
        assert!(addresses.len() <= 64);
        let may_hold = |address| {
            let keys = Keys { subject: Some(Subject::Address(address)), ..Keys::default() };
            self.may_hold(&keys) || address.bits() % 7 == 1
        };
        addresses.enumerate().fold(0, |bits, (i, address)| bits | u64::from(may_hold(address)) << i)
    }
}

/// A format whose sweep is the exact one.
struct Exact<'f>(&'f dyn Format);

impl Format for Exact<'_> {
    fn body(&self) -> usize {
        self.0.body()
    }

    fn frame(&self, window: Window<'_>, start: usize) -> Frame {
        self.0.frame(window, start)
    }

    fn guess(&self, window: Window<'_>, at: usize) -> usize {
        self.0.guess(window, at)
    }

    fn keys<'r>(&self, record: &'r [u8], kinds: KeyKinds) -> Result<Keys<'r>, Reject> {
        self.0.keys(record, kinds)
    }

    fn findings<'r>(&'r self, record: &'r [u8]) -> Findings<'r> {
        self.0.findings(record)
    }

    fn describe(&self) -> Description {
        self.0.describe()
    }

    fn values<'r>(&self, record: &'r [u8]) -> Vec<Option<Cow<'r, str>>> {
        self.0.values(record)
    }
}

/// What one sweep found.
struct Swept<'f> {
    format: &'f dyn Format,
    candidates: Vec<(u64, usize, Outcome)>,
}

impl Sink for Swept<'_> {
    fn candidate(&mut self, number: u64, start: usize, record: &[u8]) {
        let outcome = match self.format.findings(record) {
            Findings::Rejected(reject) => Outcome::Rejected(reject),
            Findings::Skipped(skip) => Outcome::Skipped(skip),
            Findings::Some(findings) => {
                assert_eq!(findings.len(), 1);
                Outcome::Found(in_words(&findings[0]))
            }
        };
        self.candidates.push((number, start, outcome));
    }
}

/// The sums of sweeps.
#[derive(PartialEq, Eq, Debug, Default)]
struct Total {
    records: u64,
    unmatched: u64,
    special: u64,
    rejected: Vec<u64>,
    /// The first of them: number, offset, reason.
    rejected_first: Vec<(u64, usize, Reject)>,
    candidates: Vec<(u64, usize, Outcome)>,
}

impl Total {
    fn add(&mut self, tally: &Tally, candidates: Vec<(u64, usize, Outcome)>, base: usize) {
        let number = self.records;
        self.candidates.extend(candidates.into_iter().map(|(n, start, o)| (number + n, base + start, o)));
        let first = tally.rejected_first.iter().map(|r| (number + r.number, base + r.start, r.reason));
        self.rejected_first.extend(first);
        self.rejected_first.truncate(REJECTS_KEPT);
        self.rejected.resize(Reject::ALL.len(), 0);
        self.rejected.iter_mut().zip(tally.rejected).for_each(|(sum, n)| *sum += n);
        self.records += tally.records;
        self.unmatched += tally.unmatched;
        self.special += tally.unmatched_special;
    }

    /// What the sums should be.
    fn told(records: &[(usize, Outcome)], body_rejects: impl Fn(usize) -> bool) -> Self {
        let mut total = Self { rejected: vec![0; Reject::ALL.len()], ..Self::default() };
        for (number, (offset, outcome)) in records.iter().enumerate() {
            total.records += 1;
            match outcome {
                Outcome::Unmatched { special } => {
                    total.unmatched += 1;
                    total.special += u64::from(*special);
                }
                Outcome::Rejected(reject) if !body_rejects(number) => {
                    total.rejected[*reject as usize] += 1;
                    total.rejected_first.push((number as u64, *offset, *reject));
                }
                outcome => total.candidates.push((number as u64, *offset, outcome.clone())),
            }
        }
        total.rejected_first.truncate(REJECTS_KEPT);
        total
    }
}

fn sweep(
    format: &dyn Format,
    window: Window<'_>,
    starts: std::ops::Range<usize>,
    kinds: KeyKinds,
) -> (usize, Tally, Vec<(u64, usize, Outcome)>) {
    let mut sink = Swept { format, candidates: Vec::new() };
    let mut tally = Tally::default();
    let end = format.sweep(window, starts, &Toy(kinds), &mut sink, &mut tally);
    (end, tally, sink.candidates)
}

/// Chunks swept from guesses, and again from the true start where the guess was wrong.
fn drive_chunks(case: &Case, format: &dyn Format, chunk_bytes: usize) -> Total {
    let window = Window { bytes: &case.bytes, at_end: true };
    let mut total = Total::default();
    let mut at = format.body();
    let mut chunk = at;
    while chunk < case.bytes.len() {
        let end = (chunk + chunk_bytes).min(case.bytes.len());
        let guess = if chunk == format.body() { chunk } else { format.guess(window, chunk) };
        assert!(guess >= chunk && guess <= case.bytes.len());
        let swept = (guess < end).then(|| sweep(format, window, guess..end, case.kinds));
        if at < end {
            let (next, tally, candidates) = match swept {
                Some(swept) if guess == at => swept,
                _ => sweep(format, window, at..end, case.kinds),
            };
            assert!(next >= end, "the window was the whole dump");
            total.add(&tally, candidates, 0);
            at = next;
        }
        chunk = end;
    }
    total.add(&Tally::default(), Vec::new(), 0);
    total
}

/// Windows of at most `window_bytes`, longer only where a record does not fit.
fn drive_windows(case: &Case, format: &dyn Format, window_bytes: usize) -> Total {
    let bytes = &case.bytes;
    let mut total = Total::default();
    let (mut at, mut length) = (format.body(), window_bytes);
    while at < bytes.len() {
        let end = (at + length).min(bytes.len());
        let window = Window { bytes: &bytes[at..end], at_end: end == bytes.len() };
        let (next, tally, candidates) = sweep(format, window, 0..window.bytes.len(), case.kinds);
        total.add(&tally, candidates, at);
        assert!(next > 0 || !window.at_end, "no progress at {at}");
        length = if next == 0 { length + window_bytes } else { window_bytes };
        at += next;
    }
    total.add(&Tally::default(), Vec::new(), 0);
    total
}

fn check(case: &Case, random: &mut fastrand::Rng) {
    let format = case.open();
    assert_eq!(format.body(), tell_body(case), "{case}");
    let records = tell_dump(case);
    check_keys(case, &*format);
    // Whether a reject is found by the sweep itself or by the judgement of a candidate is told by the keys.
    let is_candidate = |number: usize| {
        let (told, _) = tell(&case.bytes, records[number].0, case.delimiter, case.record_bytes_max).unwrap();
        matches!(told, Told::Record(fields) if tell_keys(case, &fields, case.kinds).is_ok())
    };
    let expected = Total::told(&records, is_candidate);
    for chunk_bytes in [1, random.usize(2..400), 64 << 10, usize::MAX >> 1] {
        assert_eq!(drive_chunks(case, &*format, chunk_bytes), expected, "chunks of {chunk_bytes}\n{case}");
    }
    let exact = drive_chunks(case, &Exact(&*format), random.usize(2..400));
    assert_eq!(exact, expected, "the exact sweep\n{case}");
    check_sweeps(case, &*format, random);
    for window_bytes in [1 + random.usize(..16), random.usize(16..1000)] {
        assert_eq!(
            drive_windows(case, &*format, window_bytes),
            expected,
            "windows of {window_bytes}\n{case}"
        );
    }
}

/// The format's own sweep and the exact one, from any line and in any window, also one that ends within a record.
fn check_sweeps(case: &Case, format: &dyn Format, random: &mut fastrand::Rng) {
    for _ in 0..8 {
        let at = random.usize(..=case.bytes.len());
        let start =
            at + case.bytes[at..].iter().position(|&byte| byte == b'\n').map_or(0, |newline| newline + 1);
        let end = random.usize(start..=case.bytes.len());
        let window = Window { bytes: &case.bytes[..end], at_end: end == case.bytes.len() && random.bool() };
        let starts = start..random.usize(start..=end + 1);
        let own = sweep(format, window, starts.clone(), case.kinds);
        let exact = sweep(&Exact(format), window, starts.clone(), case.kinds);
        assert_eq!(own, exact, "{starts:?} of {end} bytes\n{case}");
    }
}

/// Keys of every record, for all kinds of keys.
fn check_keys(case: &Case, format: &dyn Format) {
    let mut at = tell_body(case);
    while let Some((told, next)) = tell(&case.bytes, at, case.delimiter, case.record_bytes_max) {
        if let Told::Record(fields) = told {
            let window = Window { bytes: &case.bytes, at_end: true };
            let Frame::Record { record, next: engine_next } = format.frame(window, at) else {
                panic!("no record at {at}\n{case}")
            };
            assert_eq!(engine_next, next, "record at {at}\n{case}");
            for bits in 0..8u8 {
                let kinds = KeyKinds { addresses: bits & 1 > 0, names: bits & 2 > 0, asns: bits & 4 > 0 };
                let keys = format.keys(&case.bytes[record.clone()], kinds).map(|keys| key_words(&keys));
                assert_eq!(keys, tell_keys(case, &fields, kinds), "record at {at} {kinds:?}\n{case}");
            }
        }
        at = next;
    }
}

// ---- the generator ----

const TIMES: &[&str] = &[
    "",
    "2026-11-22 01:02:03",
    "2026-11-22T01:02:03.5Z",
    "2026-11-22T02:02:03+01:00",
    "2026-11-22 01:02:03.000000123-0130",
    "2026-11-22",
    "1795309323",
    "0001-01-01T00:00:00Z",
];

const ADDRESSES: &[&str] = &[
    "203.0.113.1",
    "203.0.113.200",
    "2001:db8::1",
    "2001:0DB8::00ff",
    "8.8.8.8",
    "::ffff:8.8.4.4",
    "198.51.100.7",
    "192.0.2.1",
    "1.1.1.1",
    "2a00::1",
    "10.0.0.1",
    "fe80::1",
    "0.0.0.0",
    "255.255.255.255",
    "9.9.9.9",
    "5.6.7.8",
];

const ODD_ADDRESSES: &[&str] = &[
    "203.0.113.0/24",
    "203.0.113.7/24",
    "8.8.8.8/32",
    "2001:db8::/32",
    "2001:db8::1/64",
    "10.0.0.0/8",
    "0.0.0.0/0",
    "203.0.113.0/024",
    "203.0.113.0/33",
    "203.0.113.1:443",
    "[2001:db8::1]:443",
    "[2001:db8::1]",
    "2001:db8::1:443x",
    "203.0.113.1:",
    "203.0.113.1:0",
    "203.0.113.1:99999",
    "203.0.113.1:0443",
    "010.1.2.3",
    "1.2.3",
    "fe80::1%eth0",
    "203.0.113.1 ",
    " 203.0.113.1",
    "\t203.0.113.1\t",
    "example.nl",
    "",
    " ",
    "203.0.113.1,",
    "::",
    "n/a",
    "\u{feff}203.0.113.1",
    "203.0.113.0/255.255.255.0",
    "203.0.113.1/index.html",
    "8.8.8.8/",
    "203.0.113.1\r",
];

const WORDS: &[&str] =
    &["", "a", "tcp", "x y", "-", "0", "é", "\u{202e}", "#", "longer words without end", "'"];
const PORTS: &[&str] = &["", "443", "80", "0", "65535", "65536", "0443", "-1", "http", " 22 ", "1e3", "00"];
const NAMES: &[&str] = &[
    "",
    "www.ours.example",
    "https://ours.example:8443/x?y",
    "theirs.example",
    "a@ours.example",
    "192.0.2.1",
    "http://203.0.113.7:8080/x",
    "https://[2001:db8::5]/",
    "203.0.113.9:0",
    "https://203.0.113.1\\@theirs.example/",
];
const TAGS: &[&str] =
    &["", "rdp", "cve-2024-7399;cve-2025-4632", "CVE-2024-1; iot ;;x", "ssl-poodle;Cve-2014-3566"];
const CVES: &[&str] =
    &["", "CVE-2024-7399", "CVE-2021-44228, CVE-2021-45046", "n/a", "CVE-2024-1234|cve-2024-12345"];
const ASNS: &[&str] =
    &["", "0", "64496", "AS64497", "as64499", "AS", "1.1", "4294967295", "4294967296", "064496"];

/// Counts what was made.
#[derive(Default)]
struct Made {
    productions: BTreeMap<&'static str, u64>,
    outcomes: BTreeMap<String, u64>,
    files: u64,
    malformed: u64,
}

impl Made {
    fn note(&mut self, production: &'static str) {
        *self.productions.entry(production).or_default() += 1;
    }
}

struct Generator<'r> {
    random: &'r mut fastrand::Rng,
    made: &'r mut Made,
    is_malformed: bool,
}

impl Generator<'_> {
    fn one_in(&mut self, n: u32) -> bool {
        self.random.u32(..n) == 0
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.random.usize(..from.len())]
    }

    fn well(&mut self, production: &'static str) {
        self.made.note(production);
    }

    fn bad(&mut self, production: &'static str) {
        self.made.note(production);
        self.is_malformed = true;
    }

    fn case(&mut self) -> Case {
        let (format, report_type, names) = self.header();
        // One column alone does not tell its delimiter.
        let delimiter = if format == "csv" && names.len() > 1 { self.pick(b",;\t|") } else { b',' };
        let mut bytes = Vec::new();
        if self.one_in(8) {
            self.well("byte order mark");
            bytes.extend(b"\xEF\xBB\xBF");
        }
        if self.one_in(10) {
            self.well("comment before the header");
            bytes.extend(b"# exported, \"by hand\"\n\n");
        }
        let is_quoted = self.one_in(2);
        let has_cr = self.one_in(3);
        for (i, (name, _)) in names.iter().enumerate() {
            let separator = if i > 0 { vec![delimiter] } else { vec![] };
            bytes.extend(separator);
            let quote = if is_quoted { "\"" } else { "" };
            bytes.extend(format!("{quote}{name}{quote}").bytes());
        }
        bytes.extend(if has_cr { &b"\r\n"[..] } else { b"\n" });
        let body = bytes.len();
        let columns: Vec<Meaning> = names.iter().map(|(_, meaning)| *meaning).collect();
        let record_bytes_max = self.pick(&[1 << 20, 1 << 20, 1 << 20, 300, 120, 40, 12]);
        if record_bytes_max < 1 << 20 {
            self.well("small record_bytes_max");
        }
        let is_calm = self.one_in(2);
        let lines_max = if self.one_in(40) { 200 } else { 14 };
        for _ in 0..self.random.usize(..lines_max) {
            self.line(&mut bytes, &columns, delimiter, is_quoted, has_cr, is_calm);
        }
        if !is_calm && self.one_in(3) {
            self.spoil(&mut bytes, body);
        }
        if self.one_in(3) && bytes.ends_with(b"\n") {
            self.well("no final newline");
            bytes.pop();
        }
        self.made.files += 1;
        self.made.malformed += u64::from(self.is_malformed);
        // Half of them by addresses alone, which have a fast way of their own.
        let pick = if self.one_in(2) { 0 } else { self.random.u8(..8) };
        let has_port = columns.contains(&Meaning::Port);
        Case {
            format,
            report_type,
            delimiter,
            columns,
            bytes,
            record_bytes_max,
            kinds: KeyKinds {
                addresses: pick & 1 == 0 || pick & 6 == 0,
                names: pick & 2 > 0,
                asns: pick & 4 > 0,
            },
            take: if self.one_in(5) { Take::Vulnerable } else { Take::Exposed },
            identifier: self.one_in(3).then(|| "open-rdp".to_owned()),
            is_endpoint: format == "csv" && !has_port,
        }
    }

    /// A format, and column names with their meaning.
    fn header(&mut self) -> (&'static str, Option<&'static str>, Vec<(&'static str, Meaning)>) {
        use Meaning as M;
        let (format, report_type, address, other): (_, _, _, &[(&str, Meaning)]) = match self.random.u8(..10)
        {
            0..6 => (
                "csv",
                None,
                self.pick(&["ip", "IP", "Ip-Address", "src_ip", "saddr"]),
                &[
                    ("port", M::Port),
                    ("proto", M::Transport),
                    ("timestamp", M::Time),
                    ("identifier", M::Identifier),
                    ("severity", M::Severity),
                    ("cve", M::Cve),
                    ("tlp", M::Tlp),
                    ("asn", M::Asn),
                    ("application", M::Application),
                    ("url", M::Stated(0)),
                    ("http_host", M::Stated(1)),
                    ("domain", M::Stated(2)),
                    ("hostname", M::Reverse),
                    ("tags", M::Tag),
                    ("dst_ip", M::Nothing),
                    ("note", M::Nothing),
                    ("note", M::Nothing),
                    ("dport", M::Nothing),
                    ("", M::Nothing),
                ],
            ),
            6..8 => (
                "zmap",
                None,
                "saddr",
                &[
                    ("sport", M::Port),
                    ("daddr", M::Nothing),
                    ("dport", M::Nothing),
                    ("success", M::Success),
                    ("repeat", M::Repeat),
                    ("classification", M::Classification),
                    ("timestamp-ts", M::Time),
                    ("timestamp_us", M::Micros),
                    ("data", M::Nothing),
                    ("ttl", M::Nothing),
                ],
            ),
            _ => (
                "shadowserver",
                Some("event4_sinkhole"),
                "src_ip",
                &[
                    ("src_port", M::Port),
                    ("protocol", M::Transport),
                    ("timestamp", M::Time),
                    ("severity", M::Severity),
                    ("src_asn", M::Asn),
                    ("application", M::Application),
                    ("src_hostname", M::Reverse),
                    ("hostname_source", M::ReverseSource),
                    ("tag", M::Tag),
                    ("dst_ip", M::Nothing),
                    ("infection", M::Nothing),
                ],
            ),
        };
        let mut names: Vec<(&str, Meaning)> = other.to_vec();
        self.random.shuffle(&mut names);
        names.truncate(self.random.usize(..8));
        // Microseconds make no sense without seconds.
        if !names.iter().any(|(_, meaning)| *meaning == M::Time) {
            names.retain(|(_, meaning)| *meaning != M::Micros);
        }
        let place = self.random.usize(..=names.len());
        names.insert(place, (address, M::Address));
        if names.iter().filter(|(name, _)| *name == "note").count() == 2 {
            self.well("duplicate column that is not looked at");
        }
        if names.iter().any(|(name, _)| *name == "dst_ip" || *name == "daddr") {
            self.well("column of decoy addresses");
        }
        (format, report_type, names)
    }

    fn value(&mut self, meaning: Meaning) -> String {
        use Meaning as M;
        let word = |this: &mut Self, from: &[&str]| this.pick(from).to_owned();
        match meaning {
            M::Address if self.one_in(4) => {
                self.well("odd address");
                word(self, ODD_ADDRESSES)
            }
            M::Address => word(self, ADDRESSES),
            M::Nothing if self.one_in(2) => word(self, ADDRESSES),
            M::Port => word(self, PORTS),
            M::Time if self.one_in(12) => {
                self.bad("time that nobody reads");
                word(self, &["22-11-2026 01:02", "yesterday", "20261122", "1795309323000"])
            }
            M::Time => word(self, TIMES),
            M::Micros => word(self, &["", "0", "123456", "999999", "1000000", "x"]),
            M::Stated(_) | M::Reverse => word(self, NAMES),
            M::ReverseSource => word(self, &["", "ptr", "certificate", "HTTP", "dns"]),
            M::Tag => word(self, TAGS),
            M::Cve => word(self, CVES),
            M::Asn => word(self, ASNS),
            M::Repeat => word(self, &["0", "0", "0", "1", "", "false"]),
            M::Classification => word(self, &["synack", "synack", "rst", "icmp-unreach", "RST", "", "udp"]),
            M::Success => word(self, &["1", "1", "1", "0", "", "true"]),
            _ => word(self, WORDS),
        }
    }

    /// A line of a dump.
    fn line(
        &mut self,
        bytes: &mut Vec<u8>,
        columns: &[Meaning],
        delimiter: u8,
        is_quoted: bool,
        has_cr: bool,
        is_calm: bool,
    ) {
        let odd = if is_calm { 99 } else { self.random.u8(..16) };
        match odd {
            0 => {
                self.well("empty line");
                bytes.extend(self.pick(&[&b"\n"[..], b"\r\n", b"\n\n\r\n"]));
                return;
            }
            1 => {
                self.well("comment");
                bytes.extend(self.pick(&[
                    &b"# \"quoted, and open\n"[..],
                    b"#\n",
                    b"#203.0.113.1,1\r\n",
                    b"#\"\r\n",
                ]));
                return;
            }
            2 => {
                self.bad("random bytes");
                for _ in 0..self.random.usize(1..40) {
                    bytes.push(self.pick(b"\"\"\"\"\n\n\r,,,,;a1.#\0\xff "));
                }
            }
            3 => {
                self.bad("quotes that open on every line");
                for _ in 0..self.random.usize(1..6) {
                    bytes.extend([&b"a"[..], &[delimiter], b"\"b\"", &[delimiter], b"\"\n"].concat());
                }
                return;
            }
            _ => self.row(bytes, columns, delimiter, is_quoted, odd),
        }
        let is_other = self.one_in(16);
        if is_other {
            self.well("line end unlike the others");
        }
        bytes.extend(if has_cr != is_other { &b"\r\n"[..] } else { b"\n" });
    }

    fn row(&mut self, bytes: &mut Vec<u8>, columns: &[Meaning], delimiter: u8, is_quoted: bool, odd: u8) {
        let mut fields: Vec<String> = columns.iter().map(|&meaning| self.value(meaning)).collect();
        if odd == 4 {
            self.bad("ragged row");
            match self.random.u8(..3) {
                0 => fields.truncate(self.random.usize(..fields.len())),
                1 => fields.push(self.pick(WORDS).to_owned()),
                _ => drop(fields.pop()),
            }
        }
        let broken = (odd == 5).then(|| self.random.usize(..fields.len().max(1)));
        for (i, field) in fields.iter().enumerate() {
            if i > 0 {
                bytes.push(delimiter);
            }
            match broken {
                Some(place) if place == i => self.broken_field(bytes, field),
                _ => self.field(bytes, field, delimiter, is_quoted),
            }
        }
    }

    fn field(&mut self, bytes: &mut Vec<u8>, field: &str, delimiter: u8, is_quoted: bool) {
        let mut field = field.to_owned();
        if self.one_in(20) {
            self.well("quoted newline");
            field = format!("{field}{}", self.pick(&["\n", "\r\n", "\n\n#x\n"]));
        }
        if self.one_in(20) {
            self.well("doubled quote");
            field.push('"');
        }
        let needs = |byte: u8| byte == delimiter || matches!(byte, b'"' | b'\n' | b'\r');
        if is_quoted || field.bytes().any(needs) {
            bytes.extend(format!("\"{}\"", field.replace('"', "\"\"")).bytes());
        } else {
            bytes.extend(field.bytes());
        }
    }

    fn broken_field(&mut self, bytes: &mut Vec<u8>, field: &str) {
        let (production, text): (_, Vec<u8>) = match self.random.u8(..8) {
            0 => ("stray quote in a field", format!("{field}\"x").into()),
            1 => ("quote after a space", format!(" \"{field}\"").into()),
            2 => ("quote that never closes", format!("\"{field}").into()),
            3 => ("text after a closing quote", format!("\"{field}\"x\"y").into()),
            4 => ("lone carriage return", format!("{field}\r{field}\r").into()),
            5 => ("byte order mark in the middle", format!("\u{feff}{field}").into()),
            6 => ("NUL", format!("{field}\0").into()),
            _ => ("invalid UTF-8", [field.as_bytes(), b"\xC3("].concat()),
        };
        self.bad(production);
        bytes.extend(text);
    }

    /// A byte lost, added or changed behind the header, which ends at `body`: one that is spoiled may open no format.
    fn spoil(&mut self, bytes: &mut Vec<u8>, body: usize) {
        if body == bytes.len() {
            return;
        }
        let place = self.random.usize(body..bytes.len());
        self.bad("byte lost or changed");
        match self.random.u8(..3) {
            0 => drop(bytes.remove(place)),
            1 => bytes.insert(place, self.random.u8(..)),
            _ => bytes[place] = self.pick(b"\"\n\r,;\0#"),
        }
    }
}

#[test]
fn generated_files_read_as_the_csv_crate_reads_them() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let files = number("DIJKWACHT_SWEEP").unwrap_or(2_000);
    let seed = number("DIJKWACHT_SEED").unwrap_or_else(|| fastrand::u64(..));
    eprintln!("DIJKWACHT_SEED={seed}");
    let mut made = Made::default();
    for file in 0..files {
        let mut random = fastrand::Rng::with_seed(seed.wrapping_add(file));
        let case = Generator { random: &mut random, made: &mut made, is_malformed: false }.case();
        check(&case, &mut random);
        for (_, outcome) in tell_dump(&case) {
            let name = match outcome {
                Outcome::Unmatched { special } => format!("unmatched, special {special}"),
                Outcome::Rejected(reject) => format!("rejected {}", reject.as_str()),
                Outcome::Skipped(skip) => format!("skipped {}", skip.as_str()),
                Outcome::Found(_) => "found".to_owned(),
            };
            *made.outcomes.entry(name).or_default() += 1;
        }
    }
    let mut report = format!("{} files, {} malformed\n", made.files, made.malformed);
    made.productions.iter().for_each(|(name, count)| writeln!(report, "{count:>9} {name}").unwrap());
    made.outcomes.iter().for_each(|(name, count)| writeln!(report, "{count:>9} {name}").unwrap());
    eprintln!("{report}");
    assert!(made.malformed * 5 >= made.files, "a fifth at least");
    if files >= 1_000 {
        // Each kind of outcome occurs, so that none is compared in vain.
        for reject in Reject::ALL.into_iter().filter(|r| !matches!(r, Reject::Json | Reject::DuplicateKey)) {
            assert!(made.outcomes.contains_key(&format!("rejected {}", reject.as_str())), "{reject:?}");
        }
        assert_eq!(made.outcomes.keys().filter(|name| name.starts_with("skipped")).count(), 4);
        assert!(made.productions.len() >= 20 && made.outcomes["found"] > 100);
    }
}

// ---- whole small spaces ----

/// Headerless ZMap: the plainest format, for what is about frames alone.
fn plain(record_bytes_max: usize) -> Box<dyn Format> {
    let spec = FORMATS.iter().find(|spec| spec.name == "zmap").unwrap();
    let options = FormatOptions { record_bytes_max, ..FormatOptions::default() };
    (spec.open)(&Head { bytes: b"192.0.2.1\n", at_end: true }, &options).unwrap()
}

/// All texts over an alphabet, up to a length.
fn texts(alphabet: &[u8], length_max: usize) -> impl Iterator<Item = Vec<u8>> {
    (0..=length_max).flat_map(move |length| {
        (0..alphabet.len().pow(length as u32)).map(move |mut number| {
            let digit = |_| {
                let byte = alphabet[number % alphabet.len()];
                number /= alphabet.len();
                byte
            };
            (0..length).map(digit).collect()
        })
    })
}

fn told_frame(bytes: &[u8], start: usize, record_bytes_max: usize) -> Frame {
    match tell(bytes, start, b',', record_bytes_max) {
        None => Frame::End,
        Some((Told::Blank, next)) => Frame::Blank { next },
        Some((Told::Rejected(reason), next)) => Frame::Rejected { record_start: start, reason, next },
        Some((Told::Record(_), next)) => {
            let line = &bytes[start..next];
            let line = line.strip_suffix(b"\n").map_or(line, |line| line.strip_suffix(b"\r").unwrap_or(line));
            Frame::Record { record: start..start + line.len(), next }
        }
    }
}

#[test]
fn every_short_text_is_framed_as_the_csv_crate_frames_it() {
    let length_max = if std::env::var_os("DIJKWACHT_SWEEP").is_some() { 7 } else { 5 };
    for record_bytes_max in [1, 2, 3, 100] {
        let format = plain(record_bytes_max);
        for text in texts(b"\",\n\ra#", length_max) {
            let window = Window { bytes: &text, at_end: true };
            let expected = told_frame(&text, 0, record_bytes_max);
            assert_eq!(
                format.frame(window, 0),
                expected,
                "{:?} max {record_bytes_max}",
                text.escape_ascii().to_string()
            );
        }
    }
}

/// More is said exactly where two continuations lead to different frames.
#[test]
fn more_bytes_are_asked_for_exactly_where_they_matter() {
    let continuations: Vec<Vec<u8>> = texts(b"\",\n\ra", 3).collect();
    for record_bytes_max in [1, 2, 3, 100] {
        let format = plain(record_bytes_max);
        for text in texts(b"\",\n\ra#", 4) {
            let said = format.frame(Window { bytes: &text, at_end: false }, 0);
            let whole = |more: &Vec<u8>| {
                let text = [&text[..], more].concat();
                format.frame(Window { bytes: &text, at_end: true }, 0)
            };
            let first = whole(&continuations[0]);
            let is_open = continuations.iter().any(|more| whole(more) != first);
            let shown = text.escape_ascii().to_string();
            match said {
                Frame::More => assert!(is_open, "{shown:?} max {record_bytes_max}: {first:?} in any case"),
                said => {
                    assert!(!is_open, "{shown:?} max {record_bytes_max}: {said:?} is too early");
                    assert_eq!(said, first, "{shown:?} max {record_bytes_max}");
                }
            }
        }
    }
}

// ---- limits ----

/// Were the cost of a lost quote a look at `record_bytes_max` bytes for each line, these would take hours.
#[test]
fn lost_quotes_on_every_line_cost_no_more_than_the_text_is_long() {
    let format = plain(1 << 20);
    let opens_on_every_line = b"a,\"b\",\"\n".repeat(1 << 20);
    let then_a_long_line = [&b"a,\"b\",\"\n".repeat(1 << 17)[..], &b"x".repeat(1 << 22), b"\n"].concat();
    let never_closed = [&b"\"\n"[..], &b"a,\"b\",\"\n".repeat(1 << 16)].concat();
    for bytes in [opens_on_every_line, then_a_long_line, never_closed] {
        let lines = bytes.iter().filter(|&&byte| byte == b'\n').count() as u64;
        let window = Window { bytes: &bytes, at_end: true };
        let kinds = KeyKinds { addresses: true, names: false, asns: false };
        let (end, tally, _) = sweep(&*format, window, 0..bytes.len(), kinds);
        assert_eq!(end, bytes.len());
        assert!(tally.records >= lines / 2, "{} records of {lines} lines", tally.records);
        let reasons = [Reject::TooLong, Reject::Quoting, Reject::Address];
        assert_eq!(tally.records, reasons.iter().map(|&reason| tally.rejected[reason as usize]).sum::<u64>());
    }
}

#[test]
fn a_line_without_end_is_one_record_that_is_too_long() {
    let format = plain(1 << 10);
    let bytes = [&b"1.1.1.1\n"[..], &b"x".repeat(1 << 20), b"\n9.9.9.9\n"].concat();
    let kinds = KeyKinds { addresses: true, names: false, asns: false };
    let (_, tally, _) = sweep(&*format, Window { bytes: &bytes, at_end: true }, 0..bytes.len(), kinds);
    assert_eq!((tally.records, tally.unmatched, tally.rejected[Reject::TooLong as usize]), (3, 2, 1));
}
