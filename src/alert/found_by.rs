//! What the alerts of one registration have in common.

use super::gate::put_word;
use super::id::push_registered;
use super::line::put_network;
use crate::index::{Claim, Registered};
use crate::net::Range;
use crate::policy::{Line, Rule};
use crate::scan::Subject;

/// What every alert says whose recipient was found by one registration, rendered once.
#[derive(Clone, Debug)]
pub struct FoundBy {
    claim: Claim,
    rule: Rule,
    /// `source.network` of its addresses, where they are one CIDR piece.
    network: Option<(Range, Vec<u8>)>,
    /// `extra.match.key`, `.rule`, `.role` and `.registration`.
    match_pairs: Vec<u8>,
}

/// Bytes that there is room for: [`FoundBy::network`] of IPv4.
const NETWORK_BYTES: usize = 48;

/// Likewise [`FoundBy::match_pairs`].
const MATCH_BYTES: usize = 160;

impl FoundBy {
    /// Renders the registration of a line; `registered` is what it is on.
    pub fn new(line: &Line, registered: Registered<'_>) -> Self {
        let network = |range: Range| {
            let mut pair = Vec::with_capacity(NETWORK_BYTES);
            put_network(&mut pair, Some(Subject::Prefix(range.prefix()?)), line);
            Some((range, pair))
        };
        let mut match_pairs = Vec::with_capacity(MATCH_BYTES);
        put_match(&mut match_pairs, line, registered);
        Self {
            claim: line.claim,
            rule: line.rule,
            network: line.claim.key.range().and_then(network),
            match_pairs,
        }
    }

    fn is_of(&self, line: &Line) -> bool {
        self.claim == line.claim && self.rule == line.rule
    }

    /// As [`put_network`] does.
    pub(super) fn put_network(&self, out: &mut Vec<u8>, subject: Option<Subject>, line: &Line) {
        match (subject, &self.network) {
            (Some(Subject::Address(address)), Some((range, pair))) if range.holds(address) => {
                out.extend_from_slice(pair);
            }
            _ => put_network(out, subject, line),
        }
    }

    /// As [`put_match`] does.
    pub(super) fn put_match(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.match_pairs);
    }
}

/// By which registration the recipient was found.
pub(super) fn put_match(out: &mut Vec<u8>, line: &Line, registered: Registered<'_>) {
    put_word(out, ",\"extra.match.key\":", line.claim.key.word());
    put_word(out, ",\"extra.match.rule\":", line.rule.as_str());
    put_word(out, ",\"extra.match.role\":", line.claim.role.as_str());
    out.extend_from_slice(b",\"extra.match.registration\":\"");
    push_registered(out, registered);
    out.push(b'"');
}

/// The last few registrations: most owners have no more, and their alerts are by one and another.
#[derive(Clone, Debug, Default)]
pub struct LastFoundBy {
    last: Vec<FoundBy>,
    /// Which is replaced next.
    oldest: usize,
}

/// How many: to compare more would cost what it saves.
const LAST_MAX: usize = 8;

impl LastFoundBy {
    /// What the alerts of a line's registration say; all lines must be of one index.
    pub fn of(&mut self, line: &Line, registered: Registered<'_>) -> &FoundBy {
        let known = self.last.iter().position(|last| last.is_of(line));
        let at = known.unwrap_or_else(|| self.add(FoundBy::new(line, registered)));
        &self.last[at]
    }

    fn add(&mut self, found_by: FoundBy) -> usize {
        if self.last.len() < LAST_MAX {
            self.last.push(found_by);
            return self.last.len() - 1;
        }
        let at = self.oldest;
        self.last[at] = found_by;
        self.oldest = (at + 1) % LAST_MAX;
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::{ClaimKey, OwnerIx};
    use crate::net::{Address, Asn, Prefix};
    use crate::policy::Assessed;
    use crate::register::Scope;

    fn line(registration: u32, rule: Rule, key: ClaimKey) -> Line {
        let claim = Claim {
            registration,
            owner: OwnerIx(0),
            role: rule.role(),
            key,
            valid_from: None,
            valid_until: None,
            verified: None,
            scope: Scope::default(),
            source: 0,
            line: registration,
        };
        Line { owner: OwnerIx(0), rule, claim, member: None, assessed: Assessed::NoRule }
    }

    /// Lines by registrations of all kinds, each also by another rule, and what they are on.
    fn lines() -> Vec<(Line, Registered<'static>)> {
        let ranges =
            ["192.0.2.0/24", "192.0.2.0 - 192.0.2.99", "192.0.2.1", "2001:db8::/32", "::1 - ::9", "::/0"];
        let ranges = ranges.map(|text| Range::read(text.as_bytes()).unwrap());
        let asn = Asn(64496);
        let of_range = ranges.iter().flat_map(|&range| {
            let announced = (ClaimKey::Announced(asn, range), Registered::Asn(asn));
            [(ClaimKey::Range(range), Registered::Range(range)), announced]
        });
        let others = [
            (ClaimKey::Domain { bytes: 10 }, Registered::Domain("example.nl")),
            (ClaimKey::Asn(asn), Registered::Asn(asn)),
        ];
        let all = of_range.chain(others).zip(0..).flat_map(|((key, registered), number)| {
            [Rule::UserPrefix, Rule::Link].map(|rule| (line(number, rule, key), registered))
        });
        all.collect()
    }

    fn put(put: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        put(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_is_rendered_once_is_what_is_rendered_each_time() {
        let addresses = [0xc000_0200, 0xc000_0201, 0xc000_0263, 0xc000_0264, 0xc000_0300].map(Address::v4);
        let addresses = addresses.into_iter().chain([1, 0x2001_0db8 << 96 | 1].map(Address::v6));
        let subjects =
            addresses.map(Subject::Address).chain([Subject::Prefix(Prefix::read(b"192.0.2.0/25").unwrap())]);
        let subjects: Vec<Option<Subject>> = subjects.map(Some).chain([None]).collect();
        for (line, registered) in lines() {
            let found_by = FoundBy::new(&line, registered);
            let pairs = put(|out| found_by.put_match(out));
            assert_eq!(pairs, put(|out| put_match(out, &line, registered)));
            for &subject in &subjects {
                let pair = put(|out| found_by.put_network(out, subject, &line));
                assert_eq!(pair, put(|out| put_network(out, subject, &line)), "{subject:?} by {registered}");
            }
        }
    }

    #[test]
    fn a_registration_that_was_forgotten_is_rendered_anew() {
        let lines = lines();
        assert!(lines.len() > 2 * LAST_MAX);
        let mut last = LastFoundBy::default();
        // Each soon again, each late again, and all in between.
        for step in 1..lines.len() {
            for at in 0..3 * lines.len() {
                let (line, registered) = lines[at * step % lines.len()];
                let found_by = last.of(&line, registered);
                assert!(found_by.is_of(&line));
                let pairs = put(|out| found_by.put_match(out));
                assert_eq!(pairs, put(|out| put_match(out, &line, registered)));
            }
        }
        assert_eq!(last.last.len(), LAST_MAX);
    }
}
