//! Foreign text made safe: escapes for terminals, logs and messages; host names in canonical form.
//!
//! Whatever comes from a dump or a register may hold control characters, or marks that make a line read backwards. [`show`]
//! is for people, [`push_json`] for alert lines; both escape what [`is_hostile`].

use crate::net::Address;
use std::fmt::Write;
use std::io;

/// Whether a character could act on the terminal or deceive its reader: controls, C1 and DEL, bidirectional marks,
/// line and paragraph separators, the byte order mark.
pub const fn is_hostile(char: char) -> bool {
    matches!(
        char,
        '\0'..='\x1f' | '\x7f'..='\u{9f}' | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}' | '\u{feff}'
    )
}

/// Escapes what must not reach a terminal, the journal or a message: controls, C1, bidirectional marks, invalid UTF-8.
/// At most `max` characters of the text, then `…`.
///
/// Escapes are Rust's (`\n`, `\u{202e}`, `\xff` for a byte that is no UTF-8); a backslash is doubled, so that none can be
/// faked.
///
/// ```
/// assert_eq!(dijkwacht::text::show(b"a\x1b[2J\xff", 80), r"a\u{1b}[2J\xff");
/// assert_eq!(dijkwacht::text::show(b"abcdef", 3), "abc…");
/// ```
pub fn show(bytes: &[u8], max: usize) -> String {
    let mut out = String::with_capacity(bytes.len().min(max) + '…'.len_utf8());
    let mut left = max;
    for chunk in bytes.utf8_chunks() {
        for char in chunk.valid().chars() {
            if left == 0 {
                out.push('…');
                return out;
            }
            push_shown(&mut out, char);
            left -= 1;
        }
        for byte in chunk.invalid() {
            if left == 0 {
                out.push('…');
                return out;
            }
            push_fmt(&mut out, format_args!("\\x{byte:02x}"));
            left -= 1;
        }
    }
    out
}

/// A message in which names of files, which others may choose, can do nothing to a terminal or a log.
pub fn safe_line(said: &str) -> String {
    let mut safe = String::with_capacity(said.len());
    for char in said.chars() {
        match is_hostile(char) {
            true => safe.extend(char.escape_default()),
            false => safe.push(char),
        }
    }
    safe
}

fn push_shown(out: &mut String, char: char) {
    match char {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\\' => out.push_str("\\\\"),
        char if is_hostile(char) => push_fmt(out, format_args!("\\u{{{:x}}}", u32::from(char))),
        char => out.push(char),
    }
}

fn push_fmt(out: &mut String, arguments: std::fmt::Arguments<'_>) {
    out.write_fmt(arguments).expect("writing to a String cannot fail");
}

/// What [`push_json`] does at a byte.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Copy it: printable ASCII, or part of a character whose first byte starts nothing hostile.
    Copy,
    /// ASCII that JSON or we escape.
    Escape,
    /// The first byte of a character that may be hostile.
    Look,
}

/// By byte of valid UTF-8. Hostile characters beyond ASCII begin with C2 (C1), D8 (061C), E2 (20xx) or EF (FEFF).
static STEPS: [Step; 256] = {
    let mut steps = [Step::Copy; 256];
    let mut byte = 0;
    while byte < 256 {
        steps[byte] = match byte as u8 {
            0..=0x1f | b'"' | b'\\' | 0x7f => Step::Escape,
            0xc2 | 0xd8 | 0xe2 | 0xef => Step::Look,
            _ => Step::Copy,
        };
        byte += 1;
    }
    steps
};

/// Whether a value says nothing: IntelMQ drops these without a word, under any key.
#[inline]
pub fn says_nothing(value: &str) -> bool {
    let bytes = value.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { return true };
    // Nearly always: no space around it.
    if first.is_ascii_graphic() && last.is_ascii_graphic() {
        return matches!(bytes, b"-" | b"N/A");
    }
    matches!(value.trim_matches(is_space), "" | "-" | "N/A")
}

/// What Python's `str.strip` takes for space: Unicode's, and four separators among the controls.
pub fn is_space(char: char) -> bool {
    char.is_whitespace() || matches!(char, '\x1c'..='\x1f')
}

/// Writes compact JSON whose strings are as [`push_json`] writes them.
pub struct SafeJson;

impl serde_json::ser::Formatter for SafeJson {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, out: &mut W, text: &str) -> io::Result<()> {
        let mut safe = Vec::with_capacity(text.len());
        push_json(&mut safe, text);
        out.write_all(&safe)
    }
}

/// Writes a value as JSON by [`SafeJson`].
pub fn write_json(out: impl io::Write, value: &impl serde::Serialize) -> serde_json::Result<()> {
    value.serialize(&mut serde_json::Serializer::with_formatter(out, SafeJson))
}

/// Appends `text` as the inside of a JSON string: controls, C1 and bidirectional marks escaped, the rest as UTF-8.
///
/// Clean runs are copied whole.
pub fn push_json(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    out.reserve(bytes.len());
    let mut copied = 0;
    let mut at = 0;
    while at < bytes.len() {
        let step = STEPS[usize::from(bytes[at])];
        if step == Step::Copy {
            at += 1;
            continue;
        }
        let Some(char) = text[at..].chars().next() else { break };
        let after = at + char.len_utf8();
        if step == Step::Escape || is_hostile(char) {
            out.extend_from_slice(&bytes[copied..at]);
            push_json_escape(out, char);
            copied = after;
        }
        at = after;
    }
    out.extend_from_slice(&bytes[copied..]);
}

/// All that is escaped lies in the basic plane: four hexadecimal digits are enough.
fn push_json_escape(out: &mut Vec<u8>, char: char) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    match char {
        '"' => out.extend_from_slice(b"\\\""),
        '\\' => out.extend_from_slice(b"\\\\"),
        '\n' => out.extend_from_slice(b"\\n"),
        '\r' => out.extend_from_slice(b"\\r"),
        '\t' => out.extend_from_slice(b"\\t"),
        char => {
            let code = u32::from(char);
            out.extend_from_slice(b"\\u");
            out.extend([12, 8, 4, 0].map(|shift| HEX[(code >> shift & 0xf) as usize]));
        }
    }
}

/// Longest host name in A-labels, from RFC 1035.
const HOST_BYTES_MAX: usize = 253;
/// Longest label in A-labels, from RFC 1035.
const LABEL_BYTES_MAX: usize = 63;
/// Longest text that is looked at: a URL may be long, but its host is at its beginning.
const HOST_TEXT_BYTES_MAX: usize = 64 * 1024;

/// The canonical host of a name, URL, `host:port` or `user@host`: lower case, A-labels, no final dot, port or path;
/// `None` for an IP literal or what is no host name.
///
/// Names are held to IntelMQ's `FQDN` type and then some: labels of 1 to 63 letters, digits, `-` and `_`, 253 bytes in
/// all, the last label no number (browsers read `1.2.3` as an address). One label is a name. Other scripts become A-labels
/// by UTS 46, as browsers do. Spaces around it are left out.
///
/// ```
/// use dijkwacht::text::host_name;
///
/// assert_eq!(host_name("https://user@WWW.Bücher.example.:8443/a?b").as_deref(), Some("www.xn--bcher-kva.example"));
/// assert_eq!(host_name("192.0.2.1:80"), None);
/// assert_eq!(host_name("[2001:db8::1]"), None);
/// ```
pub fn host_name(text: &str) -> Option<String> {
    with_host(text, str::to_owned)
}

/// Hands the host name of a text, as [`host_name`] gives it, to `look`. Allocates for names in other scripts only.
pub fn with_host<R>(text: &str, look: impl FnOnce(&str) -> R) -> Option<R> {
    if text.len() > HOST_TEXT_BYTES_MAX {
        return None;
    }
    let host = host_of(text.trim_ascii())?;
    if !host.is_ascii() || has_a_label(host) {
        let host = idna::domain_to_ascii(host).ok()?.to_ascii_lowercase();
        let host = host.strip_suffix('.').unwrap_or(&host);
        return is_host(host).then(|| look(host));
    }
    let host = host.strip_suffix('.').unwrap_or(host);
    let mut lower = [0; HOST_BYTES_MAX];
    let lower = lower.get_mut(..host.len())?;
    lower.copy_from_slice(host.as_bytes());
    lower.make_ascii_lowercase();
    let host = std::str::from_utf8(lower).ok()?;
    is_host(host).then(|| look(host))
}

/// The part of a URL, `host:port`, `user@host` or bare name that should be the host.
fn host_of(text: &str) -> Option<&str> {
    let text = match text.find("://") {
        Some(at) if is_scheme(&text[..at]) => &text[at + 3..],
        _ => text.strip_prefix("//").unwrap_or(text),
    };
    let authority = &text[..text.find(['/', '?', '#']).unwrap_or(text.len())];
    // It ends the host for some readers and not for others.
    if authority.contains('\\') {
        return None;
    }
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    match host.split_once(':') {
        None => Some(host),
        Some((host, port)) => is_port(port).then_some(host),
    }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
}

/// A port may be empty, as in `http://host:/`.
fn is_port(text: &str) -> bool {
    text.len() <= 5
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && (text.is_empty() || text.parse::<u16>().is_ok())
}

fn has_a_label(host: &str) -> bool {
    host.split('.')
        .any(|label| label.as_bytes().get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"xn--")))
}

/// Whether the text is a host name as it stands, in any case: labels of letters, digits, `-` and `_`, no final dot.
///
/// ```
/// assert!(dijkwacht::text::is_host("WWW.example.nl"));
/// assert!(!dijkwacht::text::is_host("192.0.2.1") && !dijkwacht::text::is_host("bücher.example"));
/// ```
pub fn is_host(host: &str) -> bool {
    let labels_fit = host.split('.').all(|label| {
        (1..=LABEL_BYTES_MAX).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    });
    let last = host.rsplit('.').next().unwrap_or(host);
    labels_fit && host.len() <= HOST_BYTES_MAX && !is_number(last) && Address::read(host.as_bytes()).is_none()
}

/// As the URL standard's *ends in a number* checker sees it: digits, or hexadecimal after `0x`.
fn is_number(label: &str) -> bool {
    let hexadecimal = label
        .strip_prefix("0x")
        .or(label.strip_prefix("0X"))
        .is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    hexadecimal || label.bytes().all(|byte| byte.is_ascii_digit())
}
