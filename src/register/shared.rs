//! Addresses that serve many: prefixes of content networks, hosters, clouds and carriers, by kind.
//!
//! CSV with a header: `prefix` (a prefix, address or range, as `network` of a register) and `kind` (`cdn`, `hosting`, `cloud`, `cgnat`);
//! other columns say nothing, and no field holds a line break: where one does, a quote was lost. It registers nobody: at such an address a name tells more than a `user` prefix that several organisations
//! registered.

use crate::net::{Address, Range};
use crate::register::merge::Sink;
use crate::register::report::FindingKind;
use crate::register::row::{Wrong, quote, read_text};
use ::csv::{ByteRecord, ReaderBuilder, Trim};
use std::collections::BTreeSet;

/// What makes an address a shared one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum SharedKind {
    /// A content network's front door.
    Cdn,
    /// Sites of many customers on one server.
    Hosting,
    /// Given to another customer every day.
    Cloud,
    /// A carrier's: many subscribers at once.
    Cgnat,
}

impl SharedKind {
    /// All, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::Cdn, Self::Hosting, Self::Cloud, Self::Cgnat];

    /// The word for it in files and alerts.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cdn => "cdn",
            Self::Hosting => "hosting",
            Self::Cloud => "cloud",
            Self::Cgnat => "cgnat",
        }
    }
}

/// All shared addresses, as ranges that do not overlap.
///
/// Where files name an address more than once, the narrowest range counts; of equal ones the first kind.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SharedSpace {
    /// As read.
    stated: Vec<(Range, SharedKind)>,
    /// By address.
    ranges: Vec<(Range, SharedKind)>,
}

impl SharedSpace {
    /// The ranges, IPv4 first, by address.
    pub fn ranges(&self) -> &[(Range, SharedKind)] {
        &self.ranges
    }

    /// What makes an address a shared one, if it is.
    pub fn kind_of(&self, address: Address) -> Option<SharedKind> {
        let after = self.ranges.partition_point(|(range, _)| range.first() <= address);
        let (range, kind) = self.ranges.get(after.checked_sub(1)?)?;
        range.holds(address).then_some(*kind)
    }

    /// Adds one; [`Self::settle`] puts it in its place.
    pub(super) fn push(&mut self, range: Range, kind: SharedKind) {
        self.stated.push((range, kind));
    }

    /// Parts what overlaps, once everything is read.
    pub(super) fn settle(&mut self) {
        self.stated.sort_unstable();
        self.stated.dedup();
        self.ranges = part(&self.stated);
    }
}

impl FromIterator<(Range, SharedKind)> for SharedSpace {
    fn from_iter<T: IntoIterator<Item = (Range, SharedKind)>>(ranges: T) -> Self {
        let mut space = Self::default();
        ranges.into_iter().for_each(|(range, kind)| space.push(range, kind));
        space.settle();
        space
    }
}

/// Cuts ranges, which are in order, into pieces that each have one kind: from border to border, that of the narrowest range there.
fn part(ranges: &[(Range, SharedKind)]) -> Vec<(Range, SharedKind)> {
    let mut pieces: Vec<(Range, SharedKind)> = Vec::new();
    for family in ranges.chunk_by(|one, other| one.0.family() == other.0.family()) {
        let mut borders: Vec<u128> = Vec::with_capacity(2 * family.len());
        for (range, _) in family {
            borders.push(range.first().bits());
            borders.extend(range.last().bits().checked_add(1));
        }
        borders.sort_unstable();
        borders.dedup();
        let mut coming = family.iter().enumerate().peekable();
        let mut open: BTreeSet<(u128, SharedKind, usize)> = BTreeSet::new();
        for (at, &first) in borders.iter().enumerate() {
            while let Some((number, (range, kind))) =
                coming.next_if(|(_, (range, _))| range.first().bits() == first)
            {
                open.insert((range.size_less_one(), *kind, number));
            }
            open.retain(|&(.., number)| family[number].0.last().bits() >= first);
            let Some(&(_, kind, _)) = open.first() else { continue };
            let last = borders.get(at + 1).map_or(family[0].0.family().highest_bits(), |next| next - 1);
            push_piece(&mut pieces, family[0].0, first, last, kind);
        }
    }
    pieces
}

/// Adds a piece of the family of `like`, joined to the one before where that goes on.
fn push_piece(pieces: &mut Vec<(Range, SharedKind)>, like: Range, first: u128, last: u128, kind: SharedKind) {
    let address = |bits| Address::from_bits(like.family(), bits);
    let before = pieces.last_mut().filter(|(before, of)| {
        *of == kind && before.family() == like.family() && before.last().bits().checked_add(1) == Some(first)
    });
    match before {
        Some((before, _)) => {
            if let Some(joined) = Range::new(before.first(), address(last)) {
                *before = joined;
            }
        }
        None => pieces.extend(Range::new(address(first), address(last)).map(|range| (range, kind))),
    }
}

/// Whether a header is that of such a file.
pub(super) fn is_shared(text: &[u8]) -> bool {
    header(text).is_some()
}

/// The delimiter, and the columns of prefix and kind.
fn header(text: &[u8]) -> Option<(u8, usize, usize)> {
    let mut lines = text.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    let line = lines.find(|line| !matches!(line, [] | [b'#', ..]))?;
    let delimiter = [b',', b';', b'\t'].into_iter().find(|delimiter| line.contains(delimiter))?;
    let names: Vec<&[u8]> = line.split(|&byte| byte == delimiter).map(<[u8]>::trim_ascii).collect();
    let find = |wanted: &str| {
        let is_it = |name: &&[u8]| name.eq_ignore_ascii_case(wanted.as_bytes());
        names.iter().position(is_it)
    };
    if find("owner_id").is_some() {
        return None;
    }
    Some((delimiter, find("prefix")?, find("kind")?))
}

/// Reads a file of shared addresses; a row that cannot be used is a bad row, as in a register.
pub(super) fn read(text: &[u8], space: &mut SharedSpace, sink: &mut Sink<'_>) {
    let Some((delimiter, prefix, kind)) = header(text) else { return };
    let mut reader = ReaderBuilder::new()
        .delimiter(delimiter)
        .comment(Some(b'#'))
        .flexible(true)
        .trim(Trim::All)
        .from_reader(text);
    let mut record = ByteRecord::new();
    loop {
        match reader.read_byte_record(&mut record) {
            Ok(false) => return,
            Ok(true) => {}
            Err(error) => {
                let wrong = format!("the file cannot be read on ({error})");
                return sink.find(FindingKind::BadSource, 1, || wrong);
            }
        }
        let line = record.position().map_or(1, |position| u32::try_from(position.line()).unwrap_or(u32::MAX));
        if record.iter().all(<[u8]>::is_empty) {
            continue;
        }
        let row = match record.iter().find(|field| field.contains(&b'\n')) {
            Some(field) => Err(format!(
                "{} holds a line break, and may hold other rows (close its quote on this line)",
                quote(field)
            )),
            None => read_row(record.get(prefix), record.get(kind)),
        };
        match row {
            Ok((range, kind)) => {
                sink.report.rows += 1;
                space.push(range, kind);
            }
            Err(wrong) => sink.bad_row(line, wrong),
        }
    }
}

fn read_row(prefix: Option<&[u8]>, kind: Option<&[u8]>) -> Result<(Range, SharedKind), Wrong> {
    let missing = |what: &str| format!("{what} is missing (write 192.0.2.0/24,cdn)");
    let prefix = read_text("prefix", prefix.unwrap_or_default())?.ok_or_else(|| missing("prefix"))?;
    let word = read_text("kind", kind.unwrap_or_default())?.ok_or_else(|| missing("kind"))?;
    let kind = SharedKind::ALL.into_iter().find(|kind| kind.as_str().eq_ignore_ascii_case(word));
    let kind = kind.ok_or_else(|| {
        format!("kind {} is not known (write cdn, hosting, cloud or cgnat)", quote(word.as_bytes()))
    })?;
    let range = Range::read(prefix.as_bytes()).map_err(|error| format!("prefix {error}"))?;
    Ok((range, kind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::register::{ReadOptions, Register};

    #[test]
    fn a_header_with_prefix_and_kind_is_that_of_shared_addresses() {
        assert!(is_shared(b"# note\n\nKind; Prefix ;note\n"));
        assert!(!is_shared(b"owner_id,prefix,kind\n"));
        assert!(!is_shared(b"prefix\n") && !is_shared(b""));
    }

    #[test]
    fn a_row_that_cannot_be_used_tells_the_remedy() {
        let check = |prefix: &str, kind: &str, expected: &str| {
            let wrong = read_row(Some(prefix.as_bytes()), Some(kind.as_bytes())).unwrap_err();
            assert!(wrong.contains(expected), "{wrong}");
        };
        check("192.0.2.1/24", "cdn", "192.0.2.0/24");
        check("192.0.2.0/24", "isp", "write cdn, hosting, cloud or cgnat");
        check("", "cdn", "prefix is missing");
        check("192.0.2.0/24", "", "kind is missing");
    }

    #[test]
    fn a_lost_quote_is_a_bad_row() {
        for text in [
            "prefix,kind,note\n192.0.2.0/24,cdn,\"a\n198.51.100.0/24,cdn,b\n",
            "prefix,kind\n\"192.0.2.0/24,cdn\n\n",
        ] {
            let options = ReadOptions { keep_going: true, ..ReadOptions::default() };
            let (register, report) = Register::read_bytes(&[("s.csv", text.as_bytes())], &options).unwrap();
            assert_eq!((register.shared.ranges().len(), report.bad_rows), (0, 1), "{text}");
        }
    }

    /// Random ranges of both families against looking at all of them.
    #[test]
    fn pieces_have_the_kind_of_the_narrowest_range() {
        for seed in 0..500 {
            let mut random = fastrand::Rng::with_seed(seed);
            let ranges: Vec<(Range, SharedKind)> = (0..random.usize(..9))
                .map(|_| {
                    let (one, other) = (random.u32(..24), random.u32(..24));
                    let base = if random.bool() { u128::from(u32::MAX - 23) } else { u128::MAX - 23 };
                    let address = |offset: u32| match base < 1 << 32 {
                        true => Address::v4(base as u32 + offset),
                        false => Address::from_bits(crate::net::Family::V6, base + u128::from(offset)),
                    };
                    let range = Range::new(address(one.min(other)), address(one.max(other))).unwrap();
                    (range, SharedKind::ALL[random.usize(..4)])
                })
                .collect();
            let space: SharedSpace = ranges.iter().copied().collect();
            assert!(
                space.ranges().windows(2).all(|pair| pair[0].0.last() < pair[1].0.first()),
                "seed {seed}"
            );
            let addresses = (0..24).flat_map(|offset| {
                let v6 = Address::from_bits(crate::net::Family::V6, u128::MAX - 23 + offset);
                [Address::v4(u32::MAX - 23 + offset as u32), v6]
            });
            for address in addresses {
                let holding = ranges.iter().filter(|(range, _)| range.holds(address));
                let expected =
                    holding.min_by_key(|(range, kind)| (range.size_less_one(), *kind)).map(|it| it.1);
                let found = space.ranges().iter().find(|(range, _)| range.holds(address)).map(|it| it.1);
                assert_eq!(found, expected, "seed {seed}, {address}");
            }
        }
    }
}
