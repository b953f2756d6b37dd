//! Which AS announces which prefix.
//!
//! Tables are text, one prefix or range a line; fields are parted by spaces or tabs, what follows them is ignored; empty lines and
//! those that begin with `#`, `;` or `%` say nothing:
//!
//! | form | as in |
//! |---|---|
//! | `192.0.2.0/24 64496` | pyasn |
//! | `192.0.2.0 24 64496` | CAIDA's pfx2as |
//! | `64496 192.0.2.0/24 301` | RIPE RIS |
//! | `192.0.2.0 192.0.2.99 64496` | iptoasn |
//!
//! A prefix may have several origins: on several lines, as `64496_64497` (CAIDA), or as a set, `64496,64497` or `{64496,64497}`. Each
//! counts as one that announces it. AS 0 is nobody. `route` and `route6` objects of the RIPE database say the same.

use crate::net::{Address, Asn, Prefix, Range};
use crate::register::merge::Sink;
use crate::register::report::FindingKind;
use crate::register::row::{Wrong, quote};
use std::io::{self, BufRead};

/// Longest line.
const LINE_BYTES_MAX: usize = 64 << 10;
/// Most pairs of prefix and origin; the whole Internet has some 1.3 million.
const PAIRS_MAX: usize = 1 << 25;

/// Prefixes and the AS numbers that announce them.
///
/// ```
/// use dijkwacht::net::{Asn, Prefix};
/// use dijkwacht::register::Origins;
///
/// let prefix = |text: &str| Prefix::read(text.as_bytes()).unwrap();
/// let origins: Origins = [(prefix("192.0.2.0/24"), Asn(64496)), (prefix("192.0.2.0/25"), Asn(64497))].into_iter().collect();
/// assert_eq!(origins.prefixes(Asn(64497)).collect::<Vec<_>>(), [prefix("192.0.2.0/25")]);
/// assert_eq!(origins.origins(prefix("192.0.2.0/24")).collect::<Vec<_>>(), [Asn(64496)]);
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Origins {
    /// By prefix, then AS number, each pair once.
    pairs: Vec<(Prefix, Asn)>,
    /// Positions in `pairs`, by AS number, then prefix.
    by_asn: Vec<u32>,
}

impl Origins {
    /// How many pairs of prefix and origin there are.
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// All pairs, by prefix.
    pub fn pairs(&self) -> &[(Prefix, Asn)] {
        &self.pairs
    }

    /// Who announces exactly this prefix, ascending.
    pub fn origins(&self, prefix: Prefix) -> impl Iterator<Item = Asn> + '_ {
        let start = self.pairs.partition_point(|&(other, _)| other < prefix);
        self.pairs[start..].iter().take_while(move |pair| pair.0 == prefix).map(|pair| pair.1)
    }

    /// What an AS announces, by address.
    pub fn prefixes(&self, asn: Asn) -> impl Iterator<Item = Prefix> + '_ {
        let pair = |at: u32| self.pairs[at as usize];
        let start = self.by_asn.partition_point(|&at| pair(at).1 < asn);
        self.by_asn[start..]
            .iter()
            .map(move |&at| pair(at))
            .take_while(move |pair| pair.1 == asn)
            .map(|pair| pair.0)
    }

    /// Whether an AS announces anything.
    pub fn announces(&self, asn: Asn) -> bool {
        self.prefixes(asn).next().is_some()
    }

    /// Adds a pair; [`Self::settle`] puts it in its place. `false` once there is no room.
    pub(super) fn push(&mut self, prefix: Prefix, asn: Asn) -> bool {
        let has_room = self.pairs.len() < PAIRS_MAX;
        if has_room && asn != Asn(0) {
            self.pairs.push((prefix, asn));
        }
        has_room
    }

    /// Puts all in order, once everything is read.
    pub(super) fn settle(&mut self) {
        self.pairs.sort_unstable();
        self.pairs.dedup();
        self.pairs.shrink_to_fit();
        self.by_asn = (0..self.pairs.len() as u32).collect();
        self.by_asn.sort_by_key(|&at| self.pairs[at as usize].1);
    }
}

impl FromIterator<(Prefix, Asn)> for Origins {
    fn from_iter<T: IntoIterator<Item = (Prefix, Asn)>>(pairs: T) -> Self {
        let mut origins = Self::default();
        for (prefix, asn) in pairs {
            origins.push(prefix, asn);
        }
        origins.settle();
        origins
    }
}

/// Whether this is a line of such a table.
pub(super) fn is_origins(line: &[u8]) -> bool {
    read_line(line).is_ok()
}

/// Reads all lines of a table into `origins`; those that cannot be read are skipped and counted.
pub(super) fn read(reader: &mut dyn BufRead, origins: &mut Origins, sink: &mut Sink<'_>) -> io::Result<()> {
    super::lines::each(reader, LINE_BYTES_MAX, sink, |sink, number, line| {
        if matches!(line.first(), None | Some(b'#' | b';' | b'%')) {
            return;
        }
        sink.report.rows += 1;
        let (range, numbers) = match read_line(line) {
            Ok(read) => read,
            Err(wrong) => return sink.skip(number, || wrong),
        };
        let mut pairs = numbers.iter().flat_map(|&asn| range.pieces().map(move |prefix| (prefix, asn)));
        if !pairs.all(|(prefix, asn)| origins.push(prefix, asn)) {
            sink.find(FindingKind::BadSource, number, || {
                format!("more than {PAIRS_MAX} prefixes of AS numbers (leave some out)")
            });
        }
    })
}

/// The addresses of a line, and who announces them.
fn read_line(line: &[u8]) -> Result<(Range, Vec<Asn>), Wrong> {
    let wrong = || format!("{} is no prefix with an AS number (write 192.0.2.0/24 64496)", quote(line));
    let mut fields = line.split(u8::is_ascii_whitespace).filter(|field| !field.is_empty());
    let (Some(one), Some(two)) = (fields.next(), fields.next()) else { return Err(wrong()) };
    let is_address = |field: &[u8]| field.iter().any(|byte| matches!(byte, b'.' | b':'));
    let prefix = |field| Prefix::read(field).map(Prefix::range).map_err(|error| error.to_string());
    let (range, numbers) = match (one, fields.next()) {
        (one, _) if !is_address(one) => (prefix(two)?, one),
        (one, _) if one.contains(&b'/') => (prefix(one)?, two),
        (one, Some(three)) if is_address(two) => {
            let ends = Address::read(one).zip(Address::read(two));
            (ends.and_then(|(first, last)| Range::new(first, last)).ok_or_else(wrong)?, three)
        }
        (one, Some(three)) => (prefix(&[one, b"/", two].concat())?, three),
        (_, None) => return Err(wrong()),
    };
    Ok((range, read_numbers(numbers).ok_or_else(wrong)?))
}

/// `64496`, `AS64496`, `64496_64497`, `64496,64497`, `{64496,64497}`, and what mixes these.
fn read_numbers(text: &[u8]) -> Option<Vec<Asn>> {
    let numbers =
        text.split(|byte| matches!(byte, b'_' | b',' | b'{' | b'}')).filter(|part| !part.is_empty());
    let numbers = numbers.map(Asn::read).collect::<Option<Vec<_>>>()?;
    (!numbers.is_empty()).then_some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_line_is_read() {
        let check = |line: &str, expected: &str| {
            let read = read_line(line.as_bytes());
            let shown = read.map(|(range, asns)| {
                format!("{range} {}", asns.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
            });
            assert_eq!(shown.as_deref().unwrap_or("refused"), expected, "{line}");
        };
        check("192.0.2.0/24\t64496", "192.0.2.0/24 AS64496");
        check("2001:db8::/32 AS64496", "2001:db8::/32 AS64496");
        check("192.0.2.0\t24\t64496_64497", "192.0.2.0/24 AS64496 AS64497");
        check("192.0.2.0\t24\t64496,64497_64498", "192.0.2.0/24 AS64496 AS64497 AS64498");
        check("64496\t192.0.2.0/24\t301", "192.0.2.0/24 AS64496");
        check("{64496,64497}\t2001:db8::/32\t3", "2001:db8::/32 AS64496 AS64497");
        check("192.0.2.0\t192.0.2.99\t64496\tNL\tA NAME 1.2.3.4", "192.0.2.0 - 192.0.2.99 AS64496");
        for line in [
            "192.0.2.0/24",
            "192.0.2.1/24 64496",
            "192.0.2.0/24 x",
            "192.0.2.0 33 1",
            "64496 64497",
            "",
            "a b c",
            "192.0.2.0/24 _",
        ] {
            check(line, "refused");
        }
    }

    #[test]
    fn both_ways_agree_with_looking_at_every_pair() {
        let mut random = fastrand::Rng::with_seed(11);
        let pair = |random: &mut fastrand::Rng| {
            let length = random.u8(20..=24);
            let bits = random.u32(..) & 0xf000 & !((1u32 << (32 - length)) - 1);
            (Prefix::new(Address::v4(bits), length).unwrap(), Asn(random.u32(1..9)))
        };
        let pairs: Vec<(Prefix, Asn)> = (0..300).map(|_| pair(&mut random)).collect();
        let origins: Origins = pairs.iter().copied().collect();
        for asn in (0..10).map(Asn) {
            let mut expected: Vec<Prefix> =
                pairs.iter().filter(|pair| pair.1 == asn).map(|pair| pair.0).collect();
            expected.sort_unstable();
            expected.dedup();
            assert_eq!(origins.prefixes(asn).collect::<Vec<_>>(), expected);
            assert_eq!(origins.announces(asn), !expected.is_empty());
        }
        for &(prefix, _) in &pairs {
            let mut expected: Vec<Asn> =
                pairs.iter().filter(|pair| pair.0 == prefix).map(|pair| pair.1).collect();
            expected.sort_unstable();
            expected.dedup();
            assert_eq!(origins.origins(prefix).collect::<Vec<_>>(), expected);
        }
    }
}
