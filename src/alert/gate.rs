//! The gate: which values IntelMQ 3.5 takes for which key, and takes unchanged.
//!
//! Written from its `harmonization.conf` and the rules of its types as of release 3.5.0; where these depend on the version
//! of Python underneath (`urlsplit`), the stricter reading counts.

use crate::net::Address;
use crate::text::{is_space, push_json, says_nothing};
use std::borrow::Cow;

/// A key of IntelMQ's and what fits it.
pub(super) struct Key {
    /// `,"source.fqdn":`
    accepted: &'static str,
    /// `,"extra.source.fqdn":`
    refused: &'static str,
    /// The value as it is written, or `None` if IntelMQ would not take it.
    fit: fn(&str) -> Option<Cow<'_, str>>,
}

macro_rules! key {
    ($name:literal, $fit:expr) => {
        Key { accepted: concat!(",\"", $name, "\":"), refused: concat!(",\"extra.", $name, "\":"), fit: $fit }
    };
}

pub(super) static FEED_NAME: Key = key!("feed.name", string);
pub(super) static FEED_PROVIDER: Key = key!("feed.provider", string);
pub(super) static SOURCE_FQDN: Key = key!("source.fqdn", fqdn);
pub(super) static SOURCE_REVERSE_DNS: Key = key!("source.reverse_dns", fqdn);
pub(super) static SOURCE_ABUSE_CONTACT: Key = key!("source.abuse_contact", lower_case);
pub(super) static PROTOCOL_TRANSPORT: Key = key!("protocol.transport", transport);
pub(super) static PROTOCOL_APPLICATION: Key = key!("protocol.application", application);
pub(super) static CLASSIFICATION_TYPE: Key = key!("classification.type", classification_type);
pub(super) static CLASSIFICATION_IDENTIFIER: Key = key!("classification.identifier", string);
pub(super) static SEVERITY: Key = key!("severity", severity);
pub(super) static CONSTITUENCY: Key = key!("constituency", string);
pub(super) static PRODUCT_VULNERABILITIES: Key = key!("product.vulnerabilities", lower_case);
pub(super) static EVENT_DESCRIPTION_TEXT: Key = key!("event_description.text", string);
pub(super) static EVENT_DESCRIPTION_URL: Key = key!("event_description.url", url);

/// Appends `,"key":"value"`, with the key that the gate lets it have; nothing if the value says nothing.
#[inline]
pub(super) fn put(out: &mut Vec<u8>, key: &Key, value: &str) {
    if !says_nothing(value) {
        put_said(out, key, value);
    }
}

fn put_said(out: &mut Vec<u8>, key: &Key, value: &str) {
    match (key.fit)(value) {
        Some(fitting) => put_string(out, key.accepted, &fitting),
        None => put_string(out, key.refused, value),
    }
}

/// Appends a key that takes any text: one of ours. `key` comes with comma, quotes and colon.
#[inline]
pub(super) fn put_extra(out: &mut Vec<u8>, key: &'static str, value: &str) {
    if !says_nothing(value) {
        put_string(out, key, value);
    }
}

/// As [`put_extra`] of one of our own words, in which nothing is to be escaped; an empty one is absent.
#[inline]
pub(super) fn put_word(out: &mut Vec<u8>, key: &'static str, word: &'static str) {
    debug_assert!(
        word.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\')),
        "{word}"
    );
    if !word.is_empty() {
        out.extend_from_slice(key.as_bytes());
        out.push(b'"');
        out.extend_from_slice(word.as_bytes());
        out.push(b'"');
    }
}

#[inline]
fn put_string(out: &mut Vec<u8>, key: &'static str, value: &str) {
    out.extend_from_slice(key.as_bytes());
    out.push(b'"');
    push_json(out, value);
    out.push(b'"');
}

fn has_outer_space(value: &str) -> bool {
    value.starts_with(is_space) || value.ends_with(is_space)
}

fn string(value: &str) -> Option<Cow<'_, str>> {
    (!has_outer_space(value)).then_some(Cow::Borrowed(value))
}

fn lower_case(value: &str) -> Option<Cow<'_, str>> {
    (!has_outer_space(value)).then(|| lower(value))
}

fn lower(value: &str) -> Cow<'_, str> {
    match value.bytes().any(|byte| byte.is_ascii_uppercase() || !byte.is_ascii()) {
        true => Cow::Owned(value.to_lowercase()),
        false => Cow::Borrowed(value),
    }
}

/// Longest `protocol.application`.
const APPLICATION_BYTES_MAX: usize = 100;

fn application(value: &str) -> Option<Cow<'_, str>> {
    let printable = value.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if printable && value.len() <= APPLICATION_BYTES_MAX { lower_case(value) } else { None }
}

fn severity(value: &str) -> Option<Cow<'_, str>> {
    let value = lower(value);
    matches!(&*value, "critical" | "high" | "medium" | "low" | "info" | "undefined").then_some(value)
}

/// Whether the text is a severity that an alert can bear, in any case.
pub fn is_severity(text: &str) -> bool {
    severity(text).is_some()
}

fn transport(value: &str) -> Option<Cow<'_, str>> {
    let value = lower(value);
    let known = matches!(&*value, "tcp" | "udp") || TRANSPORTS.binary_search(&&*value).is_ok();
    known.then_some(value)
}

/// IntelMQ's list: the protocols of IP as BSD's /etc/protocols once had them. Sorted.
static TRANSPORTS: [&str; 131] = [
    "3pc",
    "a/n",
    "ah",
    "argus",
    "aris",
    "ax.25",
    "bbn-rcc",
    "bna",
    "br-sat-mon",
    "cbt",
    "cftp",
    "chaos",
    "compaq-peer",
    "cphb",
    "cpnx",
    "crdup",
    "crtp",
    "dcn",
    "ddp",
    "ddx",
    "dgp",
    "divert",
    "egp",
    "eigrp",
    "emcon",
    "encap",
    "esp",
    "etherip",
    "fc",
    "fire",
    "ggp",
    "gmtp",
    "gre",
    "hmp",
    "i-nlsp",
    "iatp",
    "icmp",
    "idpr",
    "idpr-cmtp",
    "idrp",
    "ifmp",
    "igmp",
    "igp",
    "il",
    "ip",
    "ipcomp",
    "ipcv",
    "ipencap",
    "ipip",
    "iplt",
    "ippc",
    "ipv6",
    "ipv6-frag",
    "ipv6-icmp",
    "ipv6-nonxt",
    "ipv6-opts",
    "ipv6-route",
    "ipx-in-ip",
    "irtp",
    "isis",
    "iso-ip",
    "iso-tp4",
    "kryptolan",
    "l2tp",
    "larp",
    "leaf-1",
    "leaf-2",
    "merit-inp",
    "mfe-nsp",
    "mhrp",
    "micp",
    "mobile",
    "mtp",
    "mux",
    "narp",
    "netblt",
    "nsfnet-igp",
    "nvp",
    "nvp-ii",
    "ospf",
    "pgm",
    "pim",
    "pipe",
    "pnni",
    "prm",
    "ptp",
    "pup",
    "pvp",
    "qnx",
    "rdp",
    "rsvp",
    "rvd",
    "sat-expak",
    "sat-mon",
    "scc-sp",
    "scps",
    "sctp",
    "sdrp",
    "secure-vmtp",
    "sep",
    "skip",
    "sm",
    "smp",
    "snp",
    "sprite-rpc",
    "sps",
    "srp",
    "sscopmce",
    "st",
    "st2",
    "sun-nd",
    "swipe",
    "tcf",
    "tcp",
    "tlsp",
    "tp++",
    "trunk-1",
    "trunk-2",
    "ttp",
    "udp",
    "uti",
    "vines",
    "visa",
    "vmtp",
    "vrrp",
    "wb-expak",
    "wb-mon",
    "wsn",
    "xnet",
    "xns-idp",
    "xtp",
];

fn classification_type(value: &str) -> Option<Cow<'_, str>> {
    let value = lower(value);
    is_classification(&value).then_some(value)
}

/// Whether the text is a `classification.type` that an alert can bear.
pub fn is_classification(text: &str) -> bool {
    taxonomy(text).is_some()
}

/// The taxonomy of a type: ENISA's Reference Security Incident Taxonomy with IntelMQ's additions (`other`).
pub(super) fn taxonomy(classification_type: &str) -> Option<&'static str> {
    Some(match classification_type {
        "spam" | "harmful-speech" | "violence" => "abusive-content",
        "ddos" | "dos" | "outage" | "sabotage" | "misconfiguration" => "availability",
        "copyright" | "masquerade" | "phishing" | "unauthorized-use-of-resources" => "fraud",
        "unauthorised-information-access"
        | "unauthorised-information-modification"
        | "data-loss"
        | "data-leak" => "information-content-security",
        "scanner" | "sniffing" | "social-engineering" => "information-gathering",
        "brute-force" | "exploit" | "ids-alert" => "intrusion-attempts",
        "application-compromise"
        | "burglary"
        | "privileged-account-compromise"
        | "system-compromise"
        | "unprivileged-account-compromise" => "intrusions",
        "c2-server" | "infected-system" | "malware-configuration" | "malware-distribution" => {
            "malicious-code"
        }
        "blacklist" | "dga-domain" | "malware" | "other" | "proxy" | "tor" | "undetermined" => "other",
        "test" => "test",
        "ddos-amplifier"
        | "information-disclosure"
        | "potentially-unwanted-accessible"
        | "vulnerable-system"
        | "weak-crypto" => "vulnerable",
        _ => return None,
    })
}

/// Longest label of a name: Python's codec fails on more.
const LABEL_BYTES_MAX: usize = 63;

fn fqdn(value: &str) -> Option<Cow<'_, str>> {
    let is_plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    let labels_fit = value
        .split('.')
        .all(|label| (1..=LABEL_BYTES_MAX).contains(&label.len()) && label.bytes().all(is_plain));
    (labels_fit && Address::read(value.as_bytes()).is_none()).then_some(Cow::Borrowed(value))
}

/// IntelMQ asks for a host; `urlsplit` fails on bad brackets and on letters that normalise to delimiters, forgets tabs
/// and line ends, and some versions forget controls at the beginning. `hxxp://` would be made live again.
fn url(value: &str) -> Option<Cow<'_, str>> {
    let forgotten = value.starts_with(|first: char| first <= ' ') || value.contains(['\t', '\r', '\n']);
    if has_outer_space(value) || forgotten || value.contains("hxxp://") || value.contains("hxxps://") {
        return None;
    }
    let rest = match value.split_once("://") {
        Some((scheme, rest)) if is_scheme(scheme) => rest,
        _ => value.strip_prefix("//")?,
    };
    let authority = rest.split(['/', '?', '#']).next()?;
    is_authority(authority).then_some(Cow::Borrowed(value))
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
}

fn is_authority(text: &str) -> bool {
    if text.contains(['[', ']']) {
        return is_bracketed(text);
    }
    let normal = |char: char| matches!(char, ' '..='~') || (!char.is_ascii() && char.is_alphanumeric());
    !text.is_empty() && text.chars().all(normal)
}

/// `[2001:db8::1]` or `[2001:db8::1]:8443`
fn is_bracketed(text: &str) -> bool {
    let Some((inside, after)) = text.strip_prefix('[').and_then(|text| text.split_once(']')) else {
        return false;
    };
    let port = after.strip_prefix(':').unwrap_or("");
    inside.contains(':')
        && Address::read(inside.as_bytes()).is_some()
        && (after.is_empty() || after.starts_with(':'))
        && port.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Severity;

    #[test]
    fn a_severity_is_read_as_the_gate_lets_it_through() {
        for (at, severity) in Severity::ALL.into_iter().enumerate() {
            assert_eq!(severity as usize, at);
            let word = severity.as_str();
            assert_eq!(Severity::read(word), severity);
            assert_eq!(Severity::read(&word.to_uppercase()), severity);
            assert_eq!(is_severity(word), severity != Severity::None);
        }
        for word in ["", " high", "highest", "hoog", "INFO\u{130}"] {
            assert_eq!((Severity::read(word), is_severity(word)), (Severity::None, false), "{word}");
        }
    }

    /// `accepted`: written under the key, as given or as named; else under `extra.`, as given; or nowhere.
    enum Gate<'t> {
        Taken,
        As(&'t str),
        Extra,
        Absent,
    }
    use Gate::{Absent, As, Extra, Taken};

    fn check(key: &Key, value: &str, expected: &Gate<'_>) {
        let mut out = Vec::new();
        put(&mut out, key, value);
        let pair = |name: &str, value: &str| format!("{name}{}", serde_json::to_string(value).unwrap());
        let expected = match expected {
            Taken => pair(key.accepted, value),
            As(written) => pair(key.accepted, written),
            Extra => pair(key.refused, value),
            Absent => String::new(),
        };
        assert_eq!(String::from_utf8(out).unwrap(), expected, "{} {value:?}", key.accepted);
    }

    #[test]
    fn what_says_nothing_is_absent_under_every_key() {
        for key in [&FEED_NAME, &SOURCE_FQDN, &PROTOCOL_TRANSPORT, &SEVERITY, &EVENT_DESCRIPTION_URL] {
            for value in ["", " ", "-", "N/A", " - ", "\u{3000}", "\t\r\n\x1c"] {
                check(key, value, &Absent);
            }
        }
    }

    #[test]
    fn strings_keep_their_letters_and_lose_no_space() {
        for (value, expected) in [
            ("a B", Taken),
            ("n/a", Taken),
            ("--", Taken),
            ("é…", Taken),
            (" a", Extra),
            ("a\u{a0}", Extra),
            ("a\x1f", Extra),
        ] {
            check(&CLASSIFICATION_IDENTIFIER, value, &expected);
        }
    }

    #[test]
    fn what_intelmq_lowers_is_lower_case() {
        check(&PRODUCT_VULNERABILITIES, "CVE-2024-1;cve-2", &As("cve-2024-1;cve-2"));
        check(&PRODUCT_VULNERABILITIES, "ÉΑΣ", &As("éας"));
        check(&SOURCE_ABUSE_CONTACT, "Abuse@Example.NL", &As("abuse@example.nl"));
        check(&PROTOCOL_APPLICATION, "HTTPS", &As("https"));
        check(&PROTOCOL_APPLICATION, &"x".repeat(100), &Taken);
        check(&PROTOCOL_APPLICATION, &"x".repeat(101), &Extra);
        check(&PROTOCOL_APPLICATION, "é", &Extra);
        check(&PROTOCOL_APPLICATION, "http\n", &Extra);
    }

    #[test]
    fn closed_lists_are_closed() {
        for (value, expected) in [
            ("TCP", As("tcp")),
            ("nvp-ii", Taken),
            ("tp++", Taken),
            ("quic", Extra),
            ("6", Extra),
            ("tcp ", Extra),
        ] {
            check(&PROTOCOL_TRANSPORT, value, &expected);
        }
        for (value, expected) in [
            ("High", As("high")),
            ("undefined", Taken),
            ("unknown", Extra),
            ("7.5", Extra),
            ("high\n", Extra),
        ] {
            check(&SEVERITY, value, &expected);
        }
        for (value, expected) in
            [("vulnerable-system", Taken), ("DDoS", As("ddos")), ("vulnerable service", Extra)]
        {
            check(&CLASSIFICATION_TYPE, value, &expected);
        }
        assert!(TRANSPORTS.is_sorted());
    }

    #[test]
    fn names_are_those_that_python_encodes_without_change() {
        let label = "x".repeat(63);
        for (value, expected) in [
            ("localhost", Taken),
            ("_dmarc.xn--bcher-kva.example", Taken),
            (&*label, Taken),
            (&*format!("{label}x.nl"), Extra),
            ("a..b", Extra),
            (".a", Extra),
            ("a.", Extra),
            ("A.nl", Extra),
            ("bücher.example", Extra),
            ("192.0.2.1", Extra),
            ("a:80", Extra),
            ("a/b", Extra),
        ] {
            check(&SOURCE_FQDN, value, &expected);
        }
    }

    #[test]
    fn pages_have_a_host_and_are_not_made_live() {
        for (value, expected) in [
            ("https://example.nl/a b?c#d", Taken),
            ("http://user@example.nl:80", Taken),
            ("//example.nl/", Taken),
            ("HTTP://[2001:db8::1]:80/", Taken),
            ("http://münchen.example/", Taken),
            ("http://a\u{2100}b/", Extra),
            ("http://[2001:db8::1/", Extra),
            ("http://[v1.x]/", Extra),
            ("http://a]b/", Extra),
            ("http:///a", Extra),
            ("file:///etc/passwd", Extra),
            ("example.nl", Extra),
            ("mailto:a@example.nl", Extra),
            ("1http://a/", Extra),
            ("a:b://c/", Extra),
            ("hxxp://example.nl/", Extra),
            ("http://a/?u=hxxps://b/", Extra),
            ("http://a/\n", Extra),
            ("http://a/\tb", Extra),
            ("\0http://a/", Extra),
        ] {
            check(&EVENT_DESCRIPTION_URL, value, &expected);
        }
    }
}
