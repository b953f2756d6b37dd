//! One row of a source, read and judged: the same for every format.
//!
//! A format finds the fields and hands them here one by one. Nothing of a row is used before all of it was found good.

use crate::moment::Day;
use crate::net::{Asn, Range};
use crate::register::owner::{Constituency, Key, OwnerId, Role, Scope};
use crate::text;
use std::borrow::Cow;

/// Longest name, sector or RIPE organisation.
const TEXT_BYTES_MAX: usize = 512;
/// Most link organisations of an owner.
const LINKS_MAX: usize = 64;
/// Longest contact, from RFC 5321's limit on a path.
const CONTACT_BYTES_MAX: usize = 254;
/// Characters of foreign text that a message shows.
const SHOWN_CHARS_MAX: usize = 60;

/// Why a row cannot be used: what is wrong, and the remedy in brackets.
pub(super) type Wrong = String;

/// What a row says of its owner, and what it registers.
#[derive(Debug)]
pub(super) struct Row<'r> {
    /// Line on which it starts.
    pub(super) line: u32,
    /// Of the form of an [`OwnerId`]; still text, since most rows are of an owner that is known already.
    pub(super) owner_id: &'r str,
    pub(super) attributes: Attributes<'r>,
    pub(super) contacts: Vec<Cow<'r, str>>,
    pub(super) claims: Vec<RowClaim>,
    pub(super) verified: Option<Day>,
}

/// What may be said of an owner only once: rows that disagree are an error.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(usize)]
pub(super) enum Attribute {
    Name,
    Kvk,
    RipeOrg,
    SameAs,
    Constituency,
    Sector,
    Ground,
    Link,
}

/// By [`Attribute`]: good text in canonical form, or nothing.
pub(super) type Attributes<'r> = [Option<Cow<'r, str>>; Attribute::ALL.len()];

impl Attribute {
    pub(super) const ALL: [Self; 8] = [
        Self::Name,
        Self::Kvk,
        Self::RipeOrg,
        Self::SameAs,
        Self::Constituency,
        Self::Sector,
        Self::Ground,
        Self::Link,
    ];

    /// As it is called in register files.
    pub(super) const fn field(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Kvk => "kvk",
            Self::RipeOrg => "ripe_org",
            Self::SameAs => "same_as",
            Self::Constituency => "constituency",
            Self::Sector => "sector",
            Self::Ground => "ground",
            Self::Link => "link",
        }
    }

    /// Whether two values say the same. Owner ids are compared without regard to case.
    pub(super) fn agree(self, one: &str, other: &str) -> bool {
        match self {
            Self::SameAs | Self::Link => one.eq_ignore_ascii_case(other),
            _ => one == other,
        }
    }

    /// Checks a value, which is not empty and has no spaces around it.
    pub(super) fn read(self, text: &str) -> Result<Cow<'_, str>, Wrong> {
        match self {
            Self::Name | Self::Sector | Self::Ground => check_text(self.field(), text)?,
            Self::Kvk => check_kvk(text)?,
            Self::RipeOrg => return read_ripe_org(text),
            Self::SameAs => check_owner_id(self.field(), text)?,
            Self::Constituency => check_constituency(text)?,
            Self::Link => return read_links(text.split(';')).map(Cow::Owned),
        }
        Ok(Cow::Borrowed(text))
    }
}

/// Ids of link organisations with `;` between, in order and each once, so that lists which say the same are equal.
pub(super) fn read_links<'t>(ids: impl Iterator<Item = &'t str>) -> Result<String, Wrong> {
    let ids = ids.map(str::trim_ascii).filter(|id| !id.is_empty());
    let mut links = ids.map(|id| read_owner_id("link", id)).collect::<Result<Vec<_>, _>>()?;
    links.sort();
    links.dedup();
    if links.len() > LINKS_MAX {
        return Err(format!("link names {} owners, more than {LINKS_MAX} (shorten it)", links.len()));
    }
    let links: Vec<&str> = links.iter().map(OwnerId::as_str).collect();
    Ok(links.join(";"))
}

/// One registration of a row.
#[derive(Debug)]
pub(super) struct RowClaim {
    pub(super) key: Key,
    pub(super) role: Role,
    pub(super) is_role_stated: bool,
    pub(super) valid: Validity,
    pub(super) scope: Scope,
}

/// First and last day, both included.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Validity {
    pub(super) from: Option<Day>,
    pub(super) until: Option<Day>,
}

impl Validity {
    pub(super) fn check(self) -> Result<Self, Wrong> {
        match (self.from, self.until) {
            (Some(from), Some(until)) if until < from => Err(format!(
                "valid_until {until} is before valid_from {from} (exchange them, or correct one)"
            )),
            _ => Ok(self),
        }
    }
}

/// Foreign text between quotation marks, escaped and shortened.
pub(super) fn quote(text: &[u8]) -> String {
    format!("\"{}\"", text::show(text, SHOWN_CHARS_MAX))
}

/// Text as UTF-8, without the spaces around it; `None` if nothing is left.
pub(super) fn read_text<'r>(field: &str, bytes: &'r [u8]) -> Result<Option<&'r str>, Wrong> {
    let bytes = bytes.trim_ascii();
    if bytes.is_empty() {
        return Ok(None);
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(Some(text)),
        Err(_) => Err(format!(
            "{field} {} is not UTF-8 (save the file as UTF-8; it may be Windows-1252 now)",
            quote(bytes)
        )),
    }
}

pub(super) fn check_owner_id(field: &str, text: &str) -> Result<(), Wrong> {
    if OwnerId::allows(text) { Ok(()) } else { Err(not_an_owner_id(field, text)) }
}

fn read_owner_id(field: &str, text: &str) -> Result<OwnerId, Wrong> {
    OwnerId::new(text).ok_or_else(|| not_an_owner_id(field, text))
}

fn not_an_owner_id(field: &str, text: &str) -> Wrong {
    format!(
        "{field} {} is not allowed (use at most {} letters, digits, dots, dashes and underscores, first a letter or digit)",
        quote(text.as_bytes()),
        OwnerId::BYTES_MAX
    )
}

/// Checks a name or sector.
fn check_text(field: &str, text: &str) -> Result<(), Wrong> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(format!("{field} has {} bytes, more than {TEXT_BYTES_MAX} (shorten it)", text.len()));
    }
    let plain = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    match !plain && text.chars().any(text::is_hostile) {
        false => Ok(()),
        true => {
            Err(format!("{field} {} has control or direction marks (remove them)", quote(text.as_bytes())))
        }
    }
}

fn check_kvk(text: &str) -> Result<(), Wrong> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    if digits && text.len() == 8 {
        return Ok(());
    }
    let shown = quote(text.as_bytes());
    Err(match text.len() {
        1..8 if digits => {
            format!("kvk {shown} has fewer than 8 digits (a leading zero may be lost: \"{text:0>8}\"?)")
        }
        _ => format!("kvk {shown} is no KVK number (write its 8 digits)"),
    })
}

/// RIPE compares names of objects without regard to case.
fn read_ripe_org(text: &str) -> Result<Cow<'_, str>, Wrong> {
    check_text("ripe_org", text)?;
    if !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) {
        return Err(format!(
            "ripe_org {} is no RIPE organisation (write one as ORG-EXA1-RIPE)",
            quote(text.as_bytes())
        ));
    }
    let upper = !text.bytes().any(|byte| byte.is_ascii_lowercase());
    Ok(if upper { Cow::Borrowed(text) } else { Cow::Owned(text.to_ascii_uppercase()) })
}

fn check_constituency(text: &str) -> Result<(), Wrong> {
    if Constituency::read(text).is_some() {
        return Ok(());
    }
    let known = Constituency::ALL.map(Constituency::as_str);
    Err(format!("constituency {} is not known (write {})", quote(text.as_bytes()), one_of(&known)))
}

pub(super) fn read_role(text: &str) -> Result<Role, Wrong> {
    Role::read(text).ok_or_else(|| {
        format!(
            "role {} is not known (write {})",
            quote(text.as_bytes()),
            one_of(&Role::ALL.map(Role::as_str))
        )
    })
}

/// `a, b or c`
fn one_of(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [word] => (*word).to_owned(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

pub(super) fn read_day(field: &str, text: &[u8]) -> Result<Option<Day>, Wrong> {
    match text.trim_ascii() {
        b"" => Ok(None),
        text => Day::read(text)
            .map(Some)
            .ok_or_else(|| format!("{field} {} is no day (write it as 2026-11-22)", quote(text))),
    }
}

pub(super) fn read_network(text: &[u8]) -> Result<Key, Wrong> {
    match Range::read(text.trim_ascii()) {
        Ok(range) => Ok(Key::Range(range)),
        Err(error) => Err(format!("network {error}")),
    }
}

pub(super) fn read_asn(text: &[u8]) -> Result<Key, Wrong> {
    let text = text.trim_ascii();
    match Asn::read(text) {
        Some(Asn(0)) => Err("asn AS0 belongs to nobody, from RFC 7607 (remove it)".to_owned()),
        Some(asn) => Ok(Key::Asn(asn)),
        None => Err(format!("asn {} is no AS number (write AS64496 or 64496)", quote(text))),
    }
}

/// A bare host name, in any case and script; no URL, address or wildcard, since those say something else.
pub(super) fn read_domain(text: &str) -> Result<Key, Wrong> {
    let wrong =
        |what: &str, remedy: &str| Err(format!("domain {} {what} ({remedy})", quote(text.as_bytes())));
    if let Some(below) = text.strip_prefix("*.").and_then(text::host_name) {
        return wrong("has a wildcard", &format!("write {below}, which holds all names below it"));
    }
    match text::host_name(text) {
        Some(host) if text.contains(['/', '@', ':', '?', '#']) => {
            wrong("is more than a host name", &format!("write {host}, if that is meant"))
        }
        Some(host) if is_public_suffix(&host) => {
            wrong("is a public suffix, under which anybody registers names", "write the domains below it")
        }
        Some(host) => Ok(Key::Domain(host)),
        None => wrong("is no host name", "write one as example.nl"),
    }
}

/// Whether names directly below it belong to different people, by the public suffix list (publicsuffix.org). A last label that the list
/// does not have is one.
fn is_public_suffix(host: &str) -> bool {
    psl::suffix(host.as_bytes()).is_some_and(|suffix| suffix.as_bytes() == host.as_bytes())
}

/// Checks the form of an address of mail, lightly: whether anybody reads it is not ours to know.
pub(super) fn check_contact(text: &str) -> Result<(), Wrong> {
    let wrong =
        |remedy: &str| Err(format!("contact {} is no address of mail ({remedy})", quote(text.as_bytes())));
    if text.len() > CONTACT_BYTES_MAX {
        return wrong("it is too long");
    }
    if text.contains(is_no_mail) {
        return wrong("write abuse@example.nl alone, without name or brackets");
    }
    let Some((local, domain)) = text.split_once('@') else { return wrong("write it as abuse@example.nl") };
    let is_domain = text::is_host(domain) || (!domain.is_ascii() && text::host_name(domain).is_some());
    if local.is_empty() || domain.contains('@') || !is_domain {
        return wrong("write it as abuse@example.nl");
    }
    if text.eq_ignore_ascii_case("unread@ripe.net") {
        return wrong("RIPE writes it for addresses that it hides, and nobody reads it: leave it empty");
    }
    Ok(())
}

/// Characters that no address of mail needs, and that readers of lists and headers stumble over.
fn is_no_mail(char: char) -> bool {
    match char {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '@' | '.' | '-' | '_' | '+' => false,
        '<' | '>' | '(' | ')' | '[' | ']' | '"' | '\\' | ',' | ';' | ':' | '/' | '?' | '#' => true,
        char => char.is_whitespace() || text::is_hostile(char),
    }
}
