//! Plain lists: one item a line.
//!
//! | item | is |
//! |---|---|
//! | `192.0.2.1`, `2001:db8::1`, `[2001:db8::1]` | an address |
//! | `192.0.2.1:443`, `[2001:db8::1]:443` | an address with a port |
//! | `192.0.2.0/24` | a prefix; with host bits, or where no length follows the `/`, it is rejected as `prefix` |
//! | `www.example.nl`, `www.example.nl:443`, `info@example.nl` | a stated name |
//! | `https://www.example.nl:8443/a?b` | a stated name, with the port |
//! | `http://192.0.2.1:8080/login`, `192.0.2.1:8080/login` | an address, with the port |
//!
//! A URL without a port has that of `http` and `https`, as RFC 9110 says. Spaces and one pair of `"` around an item are
//! left out, and a comment after it (` # …`). Items may be defanged as analysts do: `192[.]0[.]2[.]1`,
//! `hxxp://example[.]nl`. All else is rejected as `address`: what is ambiguous as an address (`010.1.2.3`, `1.2.3`,
//! `fe80::1%eth0`) is no host name either, nor is a range of addresses (`192.0.2.1-99`, `192.0.2.x`); and of
//! `http://192.0.2.1\@192.0.2.2` readers do not agree which host is meant.
//!
//! An item is exposed, or vulnerable where the operator says what is wrong with all of them.

use super::columns::read_port;
use super::fangs::refang;
use super::format::{
    Column, Description, Field, Format, FormatError, FormatOptions, FormatSpec, Frame, Head, KeyKinds, Keys,
    RECORD_BYTES_MAX, Window,
};
use super::lines;
use super::record::{Finding, Findings, Kind, Reject, Side, Subject};
use crate::net::{Address, Prefix};
use crate::text::host_name;
use std::borrow::Cow;

/// The format `list`.
pub(super) const SPEC: FormatSpec = FormatSpec { name: "list", fits, open };

/// How many items are looked at to know a list.
const ITEMS_LOOKED_AT: usize = 100;

/// Text of which at least half the lines are items, or mean to be addresses; or nothing but comments.
///
/// A single word could be anything: names count only with a dot. Half, since a letter, a page or an XML file has lines
/// that read as a name here and there, and a list may have a heading.
fn fits(head: &Head<'_>) -> bool {
    let (mut lines, mut items) = (0, 0);
    for record in lines::of_head(head, RECORD_BYTES_MAX).take(ITEMS_LOOKED_AT) {
        lines += 1;
        items += usize::from(is_item_like(record));
    }
    match lines {
        0 => head.at_end && std::str::from_utf8(head.bytes).is_ok(),
        _ => 2 * items >= lines,
    }
}

fn is_item_like(record: &[u8]) -> bool {
    match Item::read(record) {
        Ok(item) => item.name.is_none_or(|name| name.contains('.')),
        Err(Reject::Prefix) => true,
        Err(Reject::Address) => {
            let is_odd = record.iter().all(|byte| byte.is_ascii_hexdigit() || b" .:/[]%".contains(byte));
            is_odd || std::str::from_utf8(record).is_ok_and(is_pattern)
        }
        Err(_) => false,
    }
}

fn open(head: &Head<'_>, options: &FormatOptions) -> Result<Box<dyn Format>, FormatError> {
    Ok(Box::new(List { body: head.mark_bytes(), options: options.clone() }))
}

struct List {
    body: usize,
    options: FormatOptions,
}

impl Format for List {
    fn body(&self) -> usize {
        self.body
    }

    fn frame(&self, window: Window<'_>, start: usize) -> Frame {
        lines::frame(window, start, self.options.record_bytes_max)
    }

    fn guess(&self, window: Window<'_>, at: usize) -> usize {
        lines::guess(window, at)
    }

    fn keys<'r>(&self, record: &'r [u8], kinds: KeyKinds) -> Result<Keys<'r>, Reject> {
        let Item { subject, name, .. } = Item::read(record)?;
        Ok(Keys { subject, stated: name.filter(|_| kinds.names), ..Keys::default() })
    }

    fn findings<'r>(&self, record: &'r [u8]) -> Findings<'r> {
        self.read(record).unwrap_or_else(Findings::Rejected)
    }

    fn describe(&self) -> Description {
        let column =
            |name: &str, field: Field| Column { name: name.to_owned(), taken_for: Some(field.as_str()) };
        let columns =
            vec![column("address", Field::Address), column("port", Field::Port), column("name", Field::Name)];
        Description { delimiter: None, columns }
    }

    fn values<'r>(&self, record: &'r [u8]) -> Vec<Option<Cow<'r, str>>> {
        let Ok(Item { subject, name, port }) = Item::read(record) else { return Vec::new() };
        let subject = subject.map(|subject| match subject {
            Subject::Address(address) => address.to_string(),
            Subject::Prefix(prefix) => prefix.to_string(),
        });
        let port = port.ok().flatten().map(|port| port.to_string());
        vec![subject.map(Cow::Owned), port.map(Cow::Owned), name]
    }
}

impl List {
    fn read<'r>(&self, record: &'r [u8]) -> Result<Findings<'r>, Reject> {
        let item = Item::read(record)?;
        let given = self.options.identifier.clone().map(Cow::Owned);
        let kind = if given.is_some() { Kind::Vulnerable } else { Kind::Exposed };
        if let Some(skip) = kind.skipped_by(self.options.take) {
            return Ok(Findings::Skipped(skip));
        }
        let open = self.options.finding.then_some(Cow::Borrowed("open"));
        Ok(Findings::Some(vec![Finding {
            subject: item.subject,
            port: item.port?,
            stated: item.name,
            identifier: given.or(open),
            ..Finding::new(0, kind, Side::Exposed)
        }]))
    }
}

/// What one line says: a subject or a name.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Item<'r> {
    subject: Option<Subject>,
    /// The host alone, as written.
    name: Option<Cow<'r, str>>,
    /// Judged only after the item is looked up.
    port: Result<Option<u16>, Reject>,
}

impl<'r> Item<'r> {
    fn read(record: &'r [u8]) -> Result<Self, Reject> {
        let text = std::str::from_utf8(record).map_err(|_| Reject::Encoding)?;
        if text.contains('\0') {
            return Err(Reject::Encoding);
        }
        match refang(Cow::Borrowed(without_quotes(without_comment(text).trim_ascii()))) {
            Cow::Borrowed(text) => Self::of_text(text),
            Cow::Owned(text) => Item::of_text(&text).map(Item::into_owned),
        }
    }

    fn of_text(text: &'r str) -> Result<Self, Reject> {
        if let Some(address) = Address::read(text.as_bytes()) {
            return Ok(Self::of_subject(Subject::Address(address), Ok(None)));
        }
        let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        // `192.0.2.0/24x` or `192.0.2.0/ 24` are meant as prefixes too, and not as one address of them.
        if scheme.is_empty() && path.starts_with('/') && Address::read(authority.as_bytes()).is_some() {
            let prefix = Prefix::read(text.as_bytes()).map_err(|_| Reject::Prefix)?;
            return Ok(Self::of_subject(Subject::of_prefix(prefix), Ok(None)));
        }
        let host = Host::read(authority).ok_or(Reject::Address)?;
        let port = match host.port {
            Some(port) => read_port(port.as_bytes()).ok_or(Reject::Port),
            None => Ok(usual_port(scheme)),
        };
        if let Some(address) = Address::read(host.text.as_bytes()) {
            let is_in_form = host.is_bracketed == host.text.contains(':');
            return is_in_form
                .then(|| Self::of_subject(Subject::Address(address), port))
                .ok_or(Reject::Address);
        }
        // A dash alone is how tables say "nothing".
        let is_name = host.text.contains(char::is_alphanumeric) && host_name(host.text).is_some();
        if host.is_bracketed || !is_name || is_pattern(host.text) {
            return Err(Reject::Address);
        }
        Ok(Self { subject: None, name: Some(Cow::Borrowed(host.text)), port })
    }

    fn of_subject(subject: Subject, port: Result<Option<u16>, Reject>) -> Self {
        Self { subject: Some(subject), name: None, port }
    }

    fn into_owned(self) -> Item<'static> {
        Item {
            name: self.name.map(|name| Cow::Owned(name.into_owned())),
            subject: self.subject,
            port: self.port,
        }
    }
}

/// Whether text is meant as several addresses: `192.0.2.1-99`, `192.0.x.x`, `192.0.2.*`. No name has four labels that
/// look so, nor a last one that begins with a digit.
fn is_pattern(text: &str) -> bool {
    let is_part = |label: &str| label.bytes().all(|byte| byte.is_ascii_digit() || b"-xX*".contains(&byte));
    let (first, last) = (text.split('.').next(), text.rsplit('.').next());
    let is_numeric =
        first.is_some_and(|label| !label.is_empty() && label.bytes().all(|b| b.is_ascii_digit()));
    let is_last = last.is_some_and(|label| label.starts_with(|c: char| c.is_ascii_digit()));
    is_numeric && text.split('.').all(is_part) && (is_last || text.split('.').count() == 4)
}

/// The host part of an item, and what follows it.
struct Host<'t> {
    text: &'t str,
    is_bracketed: bool,
    port: Option<&'t str>,
}

impl<'t> Host<'t> {
    /// Reads `host`, `host:port`, `[host]`, `[host]:port`, each after an optional `user@`, without a backslash.
    fn read(authority: &'t str) -> Option<Self> {
        if authority.contains('\\') {
            return None;
        }
        let text = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        if let Some(bracketed) = text.strip_prefix('[') {
            let (text, rest) = bracketed.split_once(']')?;
            let port = if rest.is_empty() { None } else { Some(rest.strip_prefix(':')?) };
            return Some(Self { text, is_bracketed: true, port });
        }
        let (text, port) = text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
        // Two colons are an IPv6 address that is none, or lacks its brackets.
        let is_one = port.is_none_or(|port| !port.contains(':'));
        is_one.then_some(Self { text, is_bracketed: false, port })
    }
}

/// The port of a URL that names none, from RFC 9110, 4.2.
fn usual_port(scheme: &str) -> Option<u16> {
    match scheme {
        _ if scheme.eq_ignore_ascii_case("http") => Some(80),
        _ if scheme.eq_ignore_ascii_case("https") => Some(443),
        _ => None,
    }
}

fn without_quotes(text: &str) -> &str {
    text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text).trim_ascii()
}

/// Without what follows a `#` that follows a space.
fn without_comment(text: &str) -> &str {
    let is_comment = |&(at, _): &(usize, &str)| text[..at].ends_with([' ', '\t']);
    text.match_indices('#').find(is_comment).map_or(text, |(at, _)| &text[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_an_address_or_a_prefix() {
        let check = |text: &str, subject: &str, port: Option<u16>| {
            let expected = Subject::of_prefix(Prefix::read(subject.as_bytes()).unwrap());
            assert_eq!(Item::read(text.as_bytes()), Ok(Item::of_subject(expected, Ok(port))), "{text}");
        };
        check("192.0.2.1", "192.0.2.1", None);
        check("2001:DB8::1", "2001:db8::1", None);
        check("::ffff:192.0.2.1", "192.0.2.1", None);
        check("[2001:db8::1]", "2001:db8::1", None);
        check("  192.0.2.1\t", "192.0.2.1", None);
        check("192.0.2.1 # the printer", "192.0.2.1", None);
        check("\"192.0.2.1\"", "192.0.2.1", None);
        check("192.0.2.1:443", "192.0.2.1", Some(443));
        check("192.0.2.1:0", "192.0.2.1", None);
        check("[2001:db8::1]:443", "2001:db8::1", Some(443));
        check("[::ffff:192.0.2.1]:443", "192.0.2.1", Some(443));
        check("192.0.2.0/24", "192.0.2.0/24", None);
        check("192.0.2.1/32", "192.0.2.1", None);
        check("2001:db8::/32", "2001:db8::/32", None);
        check("http://192.0.2.1:8080/", "192.0.2.1", Some(8080));
        check("http://192.0.2.1", "192.0.2.1", Some(80));
        check("HTTPS://user:pw@[2001:db8::1]/a#b", "2001:db8::1", Some(443));
        check("rdp://192.0.2.1", "192.0.2.1", None);
        check("192.0.2.1:80/login", "192.0.2.1", Some(80));
        check("192[.]0[.]2[.]1", "192.0.2.1", None);
        check("hxxp://192[.]0[.]2.1[:]81/", "192.0.2.1", Some(81));
    }

    #[test]
    fn a_name_is_its_host_alone() {
        let check = |text: &str, name: &str, port: Option<u16>| {
            let expected = Item { subject: None, name: Some(name.into()), port: Ok(port) };
            assert_eq!(Item::read(text.as_bytes()), Ok(expected), "{text}");
        };
        check("www.example.nl", "www.example.nl", None);
        check("www.example.nl.", "www.example.nl.", None);
        check("WWW.Example.NL:8443", "WWW.Example.NL", Some(8443));
        check("https://www.example.nl/a?b=c://d#e", "www.example.nl", Some(443));
        check("ftp://www.example.nl", "www.example.nl", None);
        check("www.example.nl/a", "www.example.nl", None);
        for name in ["1.2.3.4.in-addr.arpa", "host-1-2-3-4.example.nl", "1e100.net", "9.xxx", "1-2.xx.nl"] {
            check(name, name, None);
        }
        check("info@example.nl", "example.nl", None);
        check("bücher.example", "bücher.example", None);
        check("hxxps://www[.]example[.]nl", "www.example.nl", Some(443));
    }

    #[test]
    fn what_is_ambiguous_is_rejected() {
        let check =
            |text: &[u8], reason| assert_eq!(Item::read(text), Err(reason), "{}", text.escape_ascii());
        let not_addresses = [
            "010.1.2.3",
            "1.2.3",
            "1.2.3.4.5",
            "256.1.1.1",
            "3232235777",
            "0x7f.0.0.1",
            "0xc0a80001",
            "0x7f.1",
            "fe80::1%eth0",
            "[fe80::1%25eth0]:80",
            "2001:db8::1]:443",
            "[192.0.2.1]",
            "[192.0.2.1]:80",
            "2001:db8:::1",
            "192.0.2.1 80",
            "192.0.2.1,80",
            "a b",
            "-",
            "http://",
            "http://010.1.2.3/",
            "010.0.0.0/8",
            "1.2.3/24",
            "..",
            "a..b",
            "192.0.2.1 - 192.0.2.9",
            "192.0.2.1-99",
            "192.0.2.1-192.0.2.9",
            "192.0.2.x",
            "192.0.2.xxx",
            "192.0.x.x",
            "192.0.2.*",
            "192.0.2-3.x:80",
            "192.0.2-9",
            "[www.example.nl]",
            "http://192.0.2.1\\@192.0.2.2/",
            "192.0.2.1\\@www.example.nl",
            "[",
            "[]",
            "\"",
        ];
        for text in not_addresses {
            check(text.as_bytes(), Reject::Address);
        }
        let not_prefixes = [
            "192.0.2.1/24",
            "192.0.2.0/33",
            "192.0.2.0/024",
            "192.0.2.0/255.255.255.0",
            "2001:db8::1/64",
            "192.0.2.0/ 24",
            "192.0.2.0/+24",
            "192.0.2.0/x24",
            "192.0.2.0/24:80",
            "192.0.2.1/-",
            "192.0.2.1/",
            "192.0.2.1/login",
        ];
        for text in not_prefixes {
            check(text.as_bytes(), Reject::Prefix);
        }
        check(b"192.0.2.1\xFF", Reject::Encoding);
        check(b"192.0.2.1\0", Reject::Encoding);
    }

    #[test]
    fn a_bad_port_is_judged_after_the_address() {
        for text in ["192.0.2.1:", "192.0.2.1:65536", "192.0.2.1:http", "192.0.2.1:080", "[2001:db8::1]:-1"] {
            let item = Item::read(text.as_bytes()).unwrap();
            assert_eq!((item.subject.is_some(), item.port), (true, Err(Reject::Port)), "{text}");
        }
    }

    #[test]
    fn a_list_is_known_by_an_item_in_it() {
        let check = |text: &[u8], expected| {
            assert_eq!(fits(&Head { bytes: text, at_end: true }), expected, "{}", text.escape_ascii());
        };
        check(b"192.0.2.1\n", true);
        check(b"\xEF\xBB\xBF192.0.2.1", true);
        check(b"addresses found last night\n192.0.2.1\n", true);
        check(b"www.example.nl\n", true);
        check(b"010.1.2.3\n1.2.3\n", true);
        check(b"192.0.2.1-99\n192.0.2.x\n", true);
        check(b"# nothing tonight\n", true);
        check(b"192.0.2.1,80\n", false);
        check(b"hello\nworld\n", false);
        check(b"Dear all,\nthese were found:\nexample.nl\nPlease look at them.\nRegards\n", false);
        check(b"<?xml version=\"1.0\"?>\n", false);
        check(b"%PDF-1.7\n\xFF\xFE\n", false);
        check(b"\x7FELF\0\0", false);
    }
}
