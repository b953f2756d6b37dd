//! masscan's `-oL`: a line a port.
//!
//! ```text
//! #masscan
//! open tcp 80 192.0.2.1 1390380064
//! banner tcp 80 192.0.2.1 1390380064 http HTTP/1.0 200 OK…
//! # end
//! ```
//!
//! Words are separated by spaces. A line with `open` is exposed; any other first word (`closed`, `up`, `unknown`) says
//! that no port is open, and is skipped as `closed`; `banner` lines are skipped as such, and not joined to their ports.
//! A state has five words, a banner at least six. `icmp` has port 0, which is none.

use super::columns::read_port;
use super::format::{
    Column, Description, Field, Format, FormatError, FormatOptions, FormatSpec, Frame, Head, KeyKinds, Keys,
    Window,
};
use super::lines;
use super::record::{Finding, Findings, Kind, Reject, Side, Skip, Subject};
use crate::moment::{TimeText, read_unix};
use crate::net::Address;
use std::borrow::Cow;

/// The format `masscan-list`.
pub(super) const SPEC: FormatSpec = FormatSpec { name: "masscan-list", fits, open };

fn fits(head: &Head<'_>) -> bool {
    head.text().starts_with(b"#masscan")
}

fn open(head: &Head<'_>, options: &FormatOptions) -> Result<Box<dyn Format>, FormatError> {
    Ok(Box::new(MasscanList { body: head.mark_bytes(), options: options.clone() }))
}

struct MasscanList {
    body: usize,
    options: FormatOptions,
}

/// Which word of a line is what.
const STATE: usize = 0;
const TRANSPORT: usize = 1;
const PORT: usize = 2;
const ADDRESS: usize = 3;
const TIME: usize = 4;
const STATE_WORDS: usize = 5;

fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|byte| matches!(byte, b' ' | b'\t')).filter(|word| !word.is_empty())
}

fn read_address(line: &[u8]) -> Result<Address, Reject> {
    let word = words(line).nth(ADDRESS).ok_or(Reject::Columns)?;
    let address = Address::read(word);
    address.ok_or(if is_text(word) { Reject::Address } else { Reject::Encoding })
}

fn is_text(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| !text.contains('\0'))
}

impl Format for MasscanList {
    fn body(&self) -> usize {
        self.body
    }

    fn frame(&self, window: Window<'_>, start: usize) -> Frame {
        lines::frame(window, start, self.options.record_bytes_max)
    }

    fn guess(&self, window: Window<'_>, at: usize) -> usize {
        lines::guess(window, at)
    }

    fn keys<'r>(&self, record: &'r [u8], _kinds: KeyKinds) -> Result<Keys<'r>, Reject> {
        let subject = Some(Subject::Address(read_address(record)?));
        Ok(Keys { subject, ..Keys::default() })
    }

    fn findings<'r>(&self, record: &'r [u8]) -> Findings<'r> {
        self.read(record).unwrap_or_else(Findings::Rejected)
    }

    fn describe(&self) -> Description {
        let column = |name: &str, taken_for| Column { name: name.to_owned(), taken_for: Some(taken_for) };
        let columns = vec![
            column("state", "status"),
            column("protocol", Field::Transport.as_str()),
            column("port", Field::Port.as_str()),
            column("ip", Field::Address.as_str()),
            column("timestamp", Field::Time.as_str()),
        ];
        Description { delimiter: Some(b' '), columns }
    }

    fn values<'r>(&self, record: &'r [u8]) -> Vec<Option<Cow<'r, str>>> {
        words(record)
            .take(STATE_WORDS)
            .map(|word| std::str::from_utf8(word).ok().map(Cow::Borrowed))
            .collect()
    }
}

impl MasscanList {
    fn read<'r>(&self, record: &'r [u8]) -> Result<Findings<'r>, Reject> {
        let address = read_address(record)?;
        let count = words(record).count();
        let is_banner = words(record).next() == Some(b"banner");
        if if is_banner { count <= STATE_WORDS } else { count != STATE_WORDS } {
            return Err(Reject::Columns);
        }
        let text =
            std::str::from_utf8(record).ok().filter(|text| !text.contains('\0')).ok_or(Reject::Encoding)?;
        let mut words = [""; STATE_WORDS];
        let filled = text.split([' ', '\t']).filter(|word| !word.is_empty());
        words.iter_mut().zip(filled).for_each(|(place, word)| *place = word);
        if let Some(skip) = self.skip(words[STATE]) {
            return Ok(Findings::Skipped(skip));
        }
        let port = read_port(words[PORT].as_bytes()).ok_or(Reject::Port)?;
        let time = match read_unix(words[TIME].as_bytes(), b"") {
            TimeText::At(moment) => Some(moment),
            TimeText::None => None,
            TimeText::Unreadable => return Err(Reject::Time),
        };
        let open = self.options.finding.then_some(Cow::Borrowed("open"));
        Ok(Findings::Some(vec![Finding {
            subject: Some(Subject::Address(address)),
            port,
            transport: Some(Cow::Borrowed(words[TRANSPORT])),
            time,
            identifier: self.options.identifier.clone().map(Cow::Owned).or(open),
            ..Finding::new(0, Kind::Exposed, Side::Exposed)
        }]))
    }

    fn skip(&self, state: &str) -> Option<Skip> {
        match state {
            "banner" => Some(Skip::Banner),
            "open" => Kind::Exposed.skipped_by(self.options.take),
            _ => Some(Skip::Closed),
        }
    }
}
