//! Lists of stolen credentials, of which no more is read than whose they are: the domain of the account, the host of the
//! site. Read only where the operator names the format.
//!
//! | line | is about |
//! |---|---|
//! | `jan@example.nl:password` | the domain behind the `@` |
//! | `https://www.example.nl:8443/login:user:password` | the host of the URL, with its port |
//! | `https://www.example.nl/login:jan@example.org:password` | both: two findings |
//! | `www.example.nl/login:user:password`, `www.example.nl:user:password` | the host |
//! | `user;password;https://www.example.nl/` | the host, and the domain if the user is an address |
//!
//! Between fields stands one of `:`, `;`, `|`, `,`, a tab or a space. User names, passwords, paths and the rest of a line are
//! neither read nor kept: [`Format::kept`] is the line without them, and all that is written of it anywhere. They need be no
//! text. A host that is an address is the subject; what names no host with a dot is rejected as `no-key`, and what is
//! ambiguous as an address as `address`.
//!
//! A password cannot choose a recipient: a URL behind it counts only where the third of three fields begins with
//! `http://` or `https://`, and a domain only behind the `@` of the user. A number behind a host is a port only where a path
//! follows, since it may as well be a user.

use super::columns::read_port;
use super::format::{
    Column, Description, Field, Format, FormatError, FormatOptions, FormatSpec, Frame, Head, KeyKinds, Keys,
    Window,
};
use super::lines;
use super::record::{Finding, Findings, Kind, Reject, Side, Subject};
use crate::net::Address;
use crate::text::host_name;
use std::borrow::Cow;

/// The format `credentials`. It never fits by content.
pub(super) const SPEC: FormatSpec = FormatSpec { name: "credentials", fits: |_| false, open };

/// What is wrong, where nobody says it in other words.
const IDENTIFIER: &str = "leaked-credentials";

fn open(head: &Head<'_>, options: &FormatOptions) -> Result<Box<dyn Format>, FormatError> {
    Ok(Box::new(Credentials { body: head.mark_bytes(), options: options.clone() }))
}

struct Credentials {
    body: usize,
    options: FormatOptions,
}

impl Format for Credentials {
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
        let mut keys = Leak::read(record)?.places().map(|place| Keys {
            subject: place.subject(),
            stated: place.name().filter(|_| kinds.names),
            ..Keys::default()
        });
        let first = keys.next().unwrap_or_default();
        Ok(Keys { others: keys.collect(), ..first })
    }

    fn findings<'r>(&self, record: &'r [u8]) -> Findings<'r> {
        match Leak::read(record) {
            Ok(leak) => self.judge(&leak),
            Err(reason) => Findings::Rejected(reason),
        }
    }

    fn kept<'r>(&self, record: &'r [u8]) -> Cow<'r, [u8]> {
        Cow::Owned(Leak::read(record).map(|leak| leak.line()).unwrap_or_default())
    }

    fn describe(&self) -> Description {
        let column =
            |name: &str, field: Field| Column { name: name.to_owned(), taken_for: Some(field.as_str()) };
        let columns = vec![column("site", Field::Name), column("domain", Field::Name)];
        Description { delimiter: None, columns }
    }

    fn values<'r>(&self, record: &'r [u8]) -> Vec<Option<Cow<'r, str>>> {
        Leak::read(record).map_or_else(
            |_| Vec::new(),
            |leak| [leak.site, leak.domain].map(|place| place.map(|place| Cow::Borrowed(place.host))).into(),
        )
    }
}

impl Credentials {
    fn judge<'r>(&self, leak: &Leak<'r>) -> Findings<'r> {
        let said = self.options.identifier.as_deref().unwrap_or(IDENTIFIER);
        let finding = |(part, place): (u16, Place<'r>)| Finding {
            subject: place.subject(),
            port: place.port,
            stated: place.name(),
            identifier: Some(Cow::Owned(said.to_owned())),
            classification: Some("data-leak"),
            ..Finding::new(part, Kind::Vulnerable, Side::Victim)
        };
        Findings::Some((0..).zip(leak.places()).map(finding).collect())
    }
}

/// Whose credentials they are. At least one is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Leak<'r> {
    /// Where they are used.
    site: Option<Place<'r>>,
    /// Whose account it is.
    domain: Option<Place<'r>>,
}

/// A host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Place<'r> {
    scheme: &'r str,
    host: &'r str,
    address: Option<Address>,
    port: Option<u16>,
}

impl<'r> Leak<'r> {
    fn read(record: &'r [u8]) -> Result<Self, Reject> {
        let line = record.trim_ascii();
        let line = line.strip_prefix(b"\"").unwrap_or(line);
        let (site, domain) = match after_scheme(line) {
            Some((scheme, rest)) => {
                let (site, rest) = Place::of_authority(scheme, rest)?;
                let site = site.filter(|_| SCHEMES.iter().any(|known| known.eq_ignore_ascii_case(scheme)));
                (site, Place::of_user(second_field(after_path(rest))))
            }
            None => Self::read_plain(line)?,
        };
        let is_same = |site: Place<'_>| domain.is_some_and(|it| it.host.eq_ignore_ascii_case(site.host));
        let domain = if site.is_some_and(is_same) { None } else { domain };
        if site.is_none() && domain.is_none() { Err(Reject::NoKey) } else { Ok(Self { site, domain }) }
    }

    /// A line that does not begin with a URL: with a user, or else with a host.
    fn read_plain(line: &'r [u8]) -> Result<(Option<Place<'r>>, Option<Place<'r>>), Reject> {
        let user_end = line.iter().position(is_separator).unwrap_or(line.len());
        let (user, rest) = line.split_at(user_end);
        let domain = Place::of_user(user);
        let site = match url_behind_password(rest) {
            Some((scheme, rest)) => Place::of_authority(scheme, rest)?.0,
            None => None,
        };
        if site.is_some() || domain.is_some() {
            return Ok((site, domain));
        }
        let Some((site, rest)) = Place::bare(line)? else { return Ok((None, None)) };
        Ok((Some(site), Place::of_user(second_field(after_path(rest)))))
    }

    /// The hosts, that of the site first.
    fn places(self) -> impl Iterator<Item = Place<'r>> {
        [self.site, self.domain].into_iter().flatten()
    }

    /// A line that reads the same, without anything else in it.
    fn line(self) -> Vec<u8> {
        let mut line = String::new();
        if let Some(Place { scheme, host, address, port }) = self.site {
            let is_v6 = address.is_some() && host.contains(':');
            let host = if is_v6 { format!("[{host}]") } else { host.to_owned() };
            let scheme = if scheme.is_empty() { String::new() } else { format!("{scheme}://") };
            let port = port.map_or(String::new(), |port| format!(":{port}"));
            line = format!("{scheme}{host}{port}/");
        }
        if let Some(domain) = self.domain {
            let separator = if line.is_empty() { "" } else { ":" };
            line += &format!("{separator}@{}", domain.host);
        }
        line.into_bytes()
    }
}

impl<'r> Place<'r> {
    /// The host that text begins with, and what follows it and its port; `None`: a name without a dot, as `localhost`.
    fn of_authority(scheme: &'r str, text: &'r [u8]) -> Result<(Option<Self>, &'r [u8]), Reject> {
        let (host, rest) = split_host(text)?;
        let (port, rest) = split_port(rest);
        let place = |address| Self { scheme, host, address, port: port.or(usual_port(scheme)) };
        if let Some(address) = Address::read(host.as_bytes()) {
            return Ok((Some(place(Some(address))), rest));
        }
        match is_name(host) {
            true => Ok((host.contains('.').then(|| place(None)), rest)),
            false => Err(Reject::Address),
        }
    }

    /// The host of a line that begins with one: a path follows, or two more fields.
    fn bare(line: &'r [u8]) -> Result<Option<(Self, &'r [u8])>, Reject> {
        let Ok((host, rest)) = split_host(line) else { return Ok(None) };
        let is_host = Address::read(host.as_bytes()).is_some() || is_name(host) && host.contains('.');
        let (_, behind_port) = split_port(rest);
        let fields = rest.first().map_or(0, |first| rest.iter().filter(|byte| *byte == first).count());
        let is_site = behind_port.starts_with(b"/") || rest.first().is_some_and(is_separator) && fields > 1;
        if !is_host || !is_site {
            return Ok(None);
        }
        let (place, rest) = Self::of_authority("", line)?;
        Ok(place.map(|place| (place, rest)))
    }

    /// The domain of a user who is an address of mail.
    fn of_user(user: &'r [u8]) -> Option<Self> {
        let at = memchr::memrchr(b'@', user)?;
        let domain = user[at + 1..].trim_ascii();
        let host = std::str::from_utf8(domain.strip_suffix(b"\"").unwrap_or(domain)).ok()?;
        let is_domain = is_name(host) && host.contains('.');
        is_domain.then_some(Self { scheme: "", host, address: None, port: None })
    }

    fn subject(&self) -> Option<Subject> {
        self.address.map(Subject::Address)
    }

    fn name(&self) -> Option<Cow<'r, str>> {
        self.address.is_none().then_some(Cow::Borrowed(self.host))
    }
}

/// Schemes whose host is one; those of applications (`android://…@com.example`) have names that only look so.
const SCHEMES: [&str; 18] = [
    "http", "https", "ftp", "ftps", "sftp", "ssh", "rdp", "vnc", "telnet", "smtp", "smtps", "imap", "imaps",
    "pop3", "pop3s", "ldap", "ldaps", "wss",
];

/// Longest scheme that is looked for, bytes.
const SCHEME_BYTES_MAX: usize = 32;

fn is_separator(byte: &u8) -> bool {
    b":;|,\t ".contains(byte)
}

/// Whether text is a host name and nothing else: no user, no port, no path.
fn is_name(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') || !c.is_ascii();
    text.chars().all(is_plain) && host_name(text).is_some()
}

/// The scheme of a URL, and what follows `://`.
fn after_scheme(text: &[u8]) -> Option<(&str, &[u8])> {
    let head = &text[..text.len().min(SCHEME_BYTES_MAX + 3)];
    let at = memchr::memmem::find(head, b"://")?;
    let is_scheme = text[..at].iter().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte));
    let scheme = std::str::from_utf8(&text[..at]).ok()?;
    (is_scheme && text[0].is_ascii_alphabetic()).then_some((scheme, &text[at + 3..]))
}

/// The host that text begins with, and what follows. Users of the URL's own (`user:password@host`) are passed over; in
/// `host:user@domain` the first is the host, if it can be one.
fn split_host(mut text: &[u8]) -> Result<(&str, &[u8]), Reject> {
    let as_text = |host| std::str::from_utf8(host).map_err(|_| Reject::Encoding);
    loop {
        if let Some(rest) = text.strip_prefix(b"[") {
            let end = memchr::memchr(b']', rest).ok_or(Reject::Address)?;
            let host = as_text(&rest[..end])?;
            return if host.contains(':') { Ok((host, &rest[end + 1..])) } else { Err(Reject::Address) };
        }
        let ends = |byte: &u8| is_separator(byte) || b"/?#@\\\"".contains(byte);
        let (host, rest) = text.split_at(text.iter().position(ends).unwrap_or(text.len()));
        let is_host = std::str::from_utf8(host).is_ok_and(|host| host.contains('.') && is_name(host));
        let own_password = match rest.first() {
            // Readers do not agree which host is meant.
            Some(b'\\') => return Err(Reject::Address),
            Some(b'@') => Some(0),
            Some(b':') if !is_host => memchr::memchr(b'@', second_field(rest)).map(|at| 1 + at),
            _ => None,
        };
        match own_password {
            Some(at) => text = &rest[at + 1..],
            None => return Ok((as_text(host)?, rest)),
        }
    }
}

/// A port and what follows it, where that is a path; elsewhere it may be a user.
fn split_port(rest: &[u8]) -> (Option<u16>, &[u8]) {
    let Some(after) = rest.strip_prefix(b":") else { return (None, rest) };
    let digits = after.iter().take_while(|byte| byte.is_ascii_digit()).count();
    match after.get(digits) {
        Some(b'/') => (read_port(&after[..digits.min(6)]).flatten(), &after[digits..]),
        _ => (None, rest),
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

/// What follows the path of a URL.
fn after_path(rest: &[u8]) -> &[u8] {
    match rest.first() {
        Some(b'/' | b'?' | b'#') => &rest[rest.iter().position(is_separator).unwrap_or(rest.len())..],
        _ => rest,
    }
}

/// The field behind the separator that text begins with, up to the next one of the kind.
fn second_field(text: &[u8]) -> &[u8] {
    match text.split_first() {
        Some((separator, rest)) if is_separator(separator) => {
            &rest[..memchr::memchr(*separator, rest).unwrap_or(rest.len())]
        }
        _ => b"",
    }
}

/// The URL that is the third field, where text begins with the separator before the second.
fn url_behind_password(text: &[u8]) -> Option<(&str, &[u8])> {
    let password = second_field(text);
    let third = text.get(1 + password.len() + 1..)?;
    let third = third.strip_prefix(b"\"").unwrap_or(third);
    let (scheme, rest) = after_scheme(third)?;
    let is_web = ["http", "https"].iter().any(|web| web.eq_ignore_ascii_case(scheme));
    is_web.then_some((scheme, rest))
}
