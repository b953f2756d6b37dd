//! Extended delegation statistics of the regional registries: which space was given to whom in which country.
//!
//! `registry|cc|type|start|value|date|status|opaque-id`; the older form ends with the status, a newer one goes on behind the id. The
//! value of `ipv4` and `asn` is a *count*, of any size; of `ipv6` a prefix length. A header begins with the version of the
//! format, summaries end in `summary`. Of all that only what is allocated or assigned in the Netherlands is kept.
//!
//! They register nobody: they tell which space is Dutch, for the scope of RIPE objects and for what nobody has registered.

use crate::net::{Address, Asn, Family, Prefix, Range};
use crate::register::merge::Sink;
use crate::register::row::{Wrong, quote};
use std::io::{self, BufRead};

/// The country whose space is kept.
pub(super) const COUNTRY: &[u8; 2] = b"NL";
/// Longest line.
const LINE_BYTES_MAX: usize = 4_096;

/// A block of Dutch space and who holds it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Delegation {
    /// The block; its size need not be a power of two.
    pub range: Range,
    /// The registry's opaque id of the holder, equal for all blocks of one; older files tell none.
    pub holder: Option<Box<str>>,
}

/// All space that is delegated to the Netherlands.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Delegations {
    /// By address; blocks do not overlap, except where files contradict each other.
    blocks: Vec<Delegation>,
    /// First and last AS number, ascending.
    asns: Vec<(u32, u32)>,
    /// The same space as the blocks, those that touch put together.
    joined: Vec<Range>,
}

impl Delegations {
    /// The blocks by address.
    pub fn blocks(&self) -> &[Delegation] {
        &self.blocks
    }

    /// The Dutch space as ranges by address, none touching another.
    pub fn ranges(&self) -> &[Range] {
        &self.joined
    }

    /// Whether all of a range is delegated to the Netherlands.
    pub fn hold(&self, range: Range) -> bool {
        let after = self.joined.partition_point(|joined| joined.first() <= range.first());
        after.checked_sub(1).is_some_and(|at| self.joined[at].contains(range))
    }

    /// Whether an AS number is.
    pub fn hold_asn(&self, asn: Asn) -> bool {
        let after = self.asns.partition_point(|&(first, _)| first <= asn.0);
        after.checked_sub(1).is_some_and(|at| asn.0 <= self.asns[at].1)
    }

    /// The block that an address lies in: the narrowest, where files contradict each other.
    pub fn block_of(&self, address: Address) -> Option<&Delegation> {
        let after = self.blocks.partition_point(|block| block.range.first() <= address);
        // Blocks are disjoint but for contradictions, so that the one before is nearly always it.
        self.blocks[..after].iter().rev().take(BLOCKS_SEARCHED_MAX).find(|block| block.range.holds(address))
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty() && self.asns.is_empty()
    }

    /// Puts all in order, once everything is read.
    pub(super) fn settle(&mut self) {
        self.blocks.sort_unstable();
        self.blocks.dedup();
        self.asns.sort_unstable();
        self.joined.clear();
        for block in &self.blocks {
            match self
                .joined
                .last_mut()
                .and_then(|before| joined(*before, block.range).map(|all| (before, all)))
            {
                Some((before, all)) => *before = all,
                None => self.joined.push(block.range),
            }
        }
    }
}

impl FromIterator<Delegation> for Delegations {
    fn from_iter<T: IntoIterator<Item = Delegation>>(blocks: T) -> Self {
        let mut delegations = Self { blocks: blocks.into_iter().collect(), ..Self::default() };
        delegations.settle();
        delegations
    }
}

/// How many blocks are looked at for one that holds an address.
const BLOCKS_SEARCHED_MAX: usize = 16;

/// Two ranges as one, if they overlap or touch; the second starts no earlier.
fn joined(one: Range, other: Range) -> Option<Range> {
    let touches = one.family() == other.family()
        && one.last().bits().checked_add(1).is_none_or(|after| other.first().bits() <= after);
    if touches { Range::new(one.first(), one.last().max(other.last())) } else { None }
}

/// What a line says.
enum Line {
    Block(Delegation),
    Asns(u32, u32),
    /// Other countries, what is not given to anybody, header and summaries.
    Nothing,
}

/// Whether this is how such a file begins.
pub(super) fn is_delegated(line: &[u8]) -> bool {
    let fields: Vec<&[u8]> = line.trim_ascii().split(|&byte| byte == b'|').collect();
    match fields[..] {
        // The header: version, registry, serial, records, start, end, offset.
        [version, _, _, _, _, _, ..] if version.first().is_some_and(u8::is_ascii_digit) => true,
        [_, _, kind, _, _, ..] => matches!(kind, b"ipv4" | b"ipv6" | b"asn"),
        _ => false,
    }
}

/// Reads all lines of a file into `delegations`; those that cannot be read are skipped and counted.
pub(super) fn read(
    reader: &mut dyn BufRead,
    delegations: &mut Delegations,
    sink: &mut Sink<'_>,
) -> io::Result<()> {
    super::lines::each(reader, LINE_BYTES_MAX, sink, |sink, number, line| {
        if line.is_empty() || line.starts_with(b"#") {
            return;
        }
        sink.report.rows += 1;
        match read_line(line) {
            Ok(Line::Block(block)) => delegations.blocks.push(block),
            Ok(Line::Asns(first, last)) => delegations.asns.push((first, last)),
            Ok(Line::Nothing) => {}
            Err(wrong) => sink.skip(number, || wrong),
        }
    })
}

fn read_line(line: &[u8]) -> Result<Line, Wrong> {
    let fields: Vec<&[u8]> = line.split(|&byte| byte == b'|').map(<[u8]>::trim_ascii).collect();
    let [registry, country, kind, start, value, _date, status, ref rest @ ..] = fields[..] else {
        return match fields.last() {
            Some(&b"summary") => Ok(Line::Nothing),
            _ => Err(format!("{} is no line of delegation statistics (is the file damaged?)", quote(line))),
        };
    };
    let is_header = registry.first().is_some_and(u8::is_ascii_digit);
    let is_given = matches!(status, b"allocated" | b"assigned");
    if is_header || !is_given || !country.eq_ignore_ascii_case(COUNTRY) {
        return Ok(Line::Nothing);
    }
    let holder = rest.first().filter(|id| !id.is_empty());
    let holder = holder.map(|id| String::from_utf8_lossy(id).into_owned().into_boxed_str());
    let wrong = || format!("{} is no delegation (is the file damaged?)", quote(line));
    let number = |text: &[u8]| std::str::from_utf8(text).ok().and_then(|text| text.parse::<u32>().ok());
    match kind {
        b"ipv4" => {
            let count = number(value).filter(|&count| count > 0).ok_or_else(wrong)?;
            let first =
                Address::read(start).filter(|start| start.family() == Family::V4).ok_or_else(wrong)?;
            let last = (first.bits() as u32).checked_add(count - 1).ok_or_else(wrong)?;
            let range = Range::new(first, Address::v4(last)).ok_or_else(wrong)?;
            Ok(Line::Block(Delegation { range, holder }))
        }
        b"ipv6" => {
            let length = number(value).and_then(|length| u8::try_from(length).ok()).ok_or_else(wrong)?;
            let first =
                Address::read(start).filter(|start| start.family() == Family::V6).ok_or_else(wrong)?;
            let range = Prefix::new(first, length).map_err(|_| wrong())?.range();
            Ok(Line::Block(Delegation { range, holder }))
        }
        b"asn" => {
            let count = number(value).filter(|&count| count > 0).ok_or_else(wrong)?;
            let first = number(start).ok_or_else(wrong)?;
            Ok(Line::Asns(first, first.checked_add(count - 1).ok_or_else(wrong)?))
        }
        _ => Err(wrong()),
    }
}
