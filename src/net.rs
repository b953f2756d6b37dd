//! Addresses, prefixes, ranges and AS numbers, read strictly.
//!
//! IPv4-mapped IPv6 is unmapped here, once: reading never gives one. Text that is ambiguous as an address
//! (`010.1.2.3`, `1.2.3`, `fe80::1%eth0`) is refused, never guessed. The arithmetic is ipnetwork's; its parser is not
//! used, since it takes `/024`, masks and host bits.
//!
//! ```
//! use dijkwacht::net::{Address, Prefix, Range};
//!
//! assert_eq!(Address::read(b"::ffff:192.0.2.1"), Address::read(b"192.0.2.1"));
//! assert_eq!(Address::read(b"010.1.2.3"), None);
//! assert_eq!(Prefix::read(b"::ffff:192.0.2.0/120").unwrap().to_string(), "192.0.2.0/24");
//! assert_eq!(Range::read(b"192.0.2.0 - 192.0.2.99").unwrap().pieces().count(), 3);
//! let error = Prefix::read(b"192.0.2.1/24").unwrap_err().to_string();
//! assert!(error.contains("192.0.2.0/24") && error.contains("192.0.2.1"));
//! ```
//!
//! All text that leaves here is canonical: RFC 5952 for IPv6, a length on every prefix (`192.0.2.1/32`).

use ipnetwork::{IpNetwork, Ipv4Network, Ipv6Network};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An IP address.
///
/// What is read or comes from [`Address::v6`] is never an IPv4-mapped one. Only [`Address::from_bits`] takes bits as they
/// are, for the ends of ranges: the last address of `::/80` lies in the mapped block, and must stay an IPv6 one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Address(IpAddr);

/// Address family.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Family {
    /// IPv4
    V4,
    /// IPv6
    V6,
}

impl Family {
    /// Bits of an address: 32 or 128, which is also the longest prefix length.
    #[inline]
    pub const fn address_bits(self) -> u8 {
        match self {
            Self::V4 => 32,
            Self::V6 => 128,
        }
    }

    /// The bits of the highest address.
    #[inline]
    pub const fn highest_bits(self) -> u128 {
        match self {
            Self::V4 => u32::MAX as u128,
            Self::V6 => u128::MAX,
        }
    }
}

/// Longest text of an address: an IPv6 one that ends in a dotted quad.
const ADDRESS_TEXT_BYTES_MAX: usize = "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255".len();

impl Address {
    /// From bits of an IPv4 address, host order.
    #[inline]
    pub const fn v4(bits: u32) -> Self {
        Self(IpAddr::V4(Ipv4Addr::from_bits(bits)))
    }

    /// From bits of an IPv6 address, host order; unmaps `::ffff:0:0/96`.
    #[inline]
    pub fn v6(bits: u128) -> Self {
        Self(IpAddr::V6(Ipv6Addr::from_bits(bits)).to_canonical())
    }

    /// Reads strict text; `None` where the text is no address or an ambiguous one.
    ///
    /// IPv4 is four decimal numbers without leading zeros. IPv6 is RFC 4291's text, upper case and an embedded dotted quad
    /// included, without brackets or zone. No space is skipped.
    #[inline]
    pub fn read(text: &[u8]) -> Option<Self> {
        match read_v4(text) {
            Some(bits) => Some(Self::v4(bits)),
            None => read_v6(text).map(Self::v6),
        }
    }

    /// The address family.
    #[inline]
    pub const fn family(self) -> Family {
        match self.0 {
            IpAddr::V4(_) => Family::V4,
            IpAddr::V6(_) => Family::V6,
        }
    }

    /// The bits; IPv4 in the low 32.
    #[inline]
    pub const fn bits(self) -> u128 {
        match self.0 {
            IpAddr::V4(ip) => ip.to_bits() as u128,
            IpAddr::V6(ip) => ip.to_bits(),
        }
    }

    /// From family and bits, exactly: nothing is unmapped. IPv4 takes the low 32 bits.
    #[inline]
    pub const fn from_bits(family: Family, bits: u128) -> Self {
        match family {
            Family::V4 => Self::v4(bits as u32),
            Family::V6 => Self(IpAddr::V6(Ipv6Addr::from_bits(bits))),
        }
    }

    /// As the standard library's type.
    #[inline]
    pub const fn ip(self) -> IpAddr {
        self.0
    }

    /// The outermost [special block](special_blocks) that holds it; `None` for one of the [exceptions](special_exceptions).
    #[inline]
    pub fn special(self) -> Option<Prefix> {
        if !self.may_be_special() || holds_any(SPECIAL_EXCEPTIONS, self) {
            return None;
        }
        SPECIAL_BLOCKS.iter().copied().find(|block| block.holds(self))
    }

    /// `false` is a proof that no special block holds it; most addresses of a dump end here.
    fn may_be_special(self) -> bool {
        match self.0 {
            IpAddr::V4(ip) => {
                let first = ip.octets()[0];
                matches!(first, 0 | 10 | 100 | 127 | 169 | 172 | 192 | 198 | 203 | 224..)
            }
            IpAddr::V6(ip) => {
                let first = ip.segments()[0];
                first >> 13 != 0b001 || matches!(first, 0x2001 | 0x2002 | 0x3fff)
            }
        }
    }
}

impl fmt::Display for Address {
    /// RFC 5952.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Reads a dotted quad by hand: this is called for every record of a dump. The oracle is the standard library's parser.
#[inline]
fn read_v4(text: &[u8]) -> Option<u32> {
    if text.len() < "0.0.0.0".len() || text.len() > "255.255.255.255".len() {
        return None;
    }
    let mut bits = 0u32;
    let mut octet = 0u32;
    let mut digits = 0;
    let mut dots = 0;
    for &byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit < 10 {
            if digits > 0 && octet == 0 {
                return None; // a leading zero: octal to some, decimal to others
            }
            octet = octet * 10 + u32::from(digit);
            digits += 1;
            if octet > 255 {
                return None;
            }
        } else if byte == b'.' && digits > 0 && dots < 3 {
            bits = bits << 8 | octet;
            (octet, digits) = (0, 0);
            dots += 1;
        } else {
            return None;
        }
    }
    (dots == 3 && digits > 0).then_some(bits << 8 | octet)
}

/// Reads IPv6 as it stands, mapped ones too.
///
/// Groups and colons in one pass. What has another byte in it, as a quad at its end, goes to [`read_v6_slowly`], which this answers as.
fn read_v6(text: &[u8]) -> Option<u128> {
    let (mut groups, mut count, mut gap) = ([0u16; 8], 0, None);
    let (mut group, mut digits) = (0u16, 0);
    let mut at = 0;
    if text.starts_with(b"::") {
        (gap, at) = (Some(0), 2);
    }
    while at < text.len() {
        let byte = text[at];
        at += 1;
        if let Some(digit) = hex_digit(byte) {
            (group, digits) = (group << 4 | digit, digits + 1);
            if digits > 4 {
                return None;
            }
        } else if byte == b':' {
            // A gap is passed over as a whole: here a group ends, and something follows.
            if digits == 0 || at == text.len() {
                return None;
            }
            *groups.get_mut(count)? = group;
            (group, digits, count) = (0, 0, count + 1);
            if text[at] == b':' {
                if gap.replace(count).is_some() {
                    return None;
                }
                at += 1;
            }
        } else {
            return read_v6_slowly(text);
        }
    }
    if digits > 0 {
        *groups.get_mut(count)? = group;
        count += 1;
    }
    let bits = |groups: &[u16]| groups.iter().fold(0, |bits, &group| bits << 16 | u128::from(group));
    match gap {
        None => (count == 8).then(|| bits(&groups)),
        // A gap is of one group at least.
        Some(_) if count == 8 => None,
        Some(gap) => {
            let before = bits(&groups[..gap]).checked_shl(16 * (8 - gap as u32)).unwrap_or(0);
            Some(before | bits(&groups[gap..count]))
        }
    }
}

#[inline]
fn hex_digit(byte: u8) -> Option<u16> {
    let digit = match byte {
        b'0'..=b'9' => byte - b'0',
        b'a'..=b'f' => byte - b'a' + 10,
        b'A'..=b'F' => byte - b'A' + 10,
        _ => return None,
    };
    Some(digit.into())
}

/// The standard library takes neither zone, bracket nor leading zero in a quad.
#[cold]
fn read_v6_slowly(text: &[u8]) -> Option<u128> {
    if text.len() < "::".len() || text.len() > ADDRESS_TEXT_BYTES_MAX {
        return None;
    }
    let text = std::str::from_utf8(text).ok()?;
    text.parse::<Ipv6Addr>().ok().map(Ipv6Addr::to_bits)
}

/// A CIDR prefix in canonical form: no host bits. Reading unmaps `::ffff:0:0/96` and what lies inside.
///
/// Ordered by first address, then the wider one first.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Prefix(IpNetwork);

impl Prefix {
    /// Reads `192.0.2.0/24`, or an address as /32 or /128. Strict: no `/024`, no mask, no host bits.
    pub fn read(text: &[u8]) -> Result<Self, PrefixError> {
        let slash = text.iter().position(|&byte| byte == b'/');
        let Some(slash) = slash else {
            let address = Address::read(text).ok_or_else(|| PrefixError::unreadable(text))?;
            return Ok(Self::of(address));
        };
        let (address, length) = (&text[..slash], &text[slash + 1..]);
        let (family, bits) = match read_v4(address) {
            Some(bits) => (Family::V4, u128::from(bits)),
            None => (Family::V6, read_v6(address).ok_or_else(|| PrefixError::unreadable(text))?),
        };
        let length = read_length(length, family).ok_or_else(|| PrefixError::length(text, family))?;
        if family == Family::V6 && length >= 96 && bits >> 32 == 0xffff {
            return Self::new(Address::v4(bits as u32), length - 96);
        }
        Self::new(Address::from_bits(family, bits), length)
    }

    /// First address and length; an error if host bits are set or the length is over 32 or 128.
    pub fn new(first: Address, length: u8) -> Result<Self, PrefixError> {
        let network = IpNetwork::new(first.ip(), length)
            .map_err(|_| PrefixError::length(format!("{first}/{length}").as_bytes(), first.family()))?;
        if network.network() == first.ip() {
            return Ok(Self(network));
        }
        Err(PrefixError::HostBits {
            network: Self::at(first, length),
            address: Address(first.ip().to_canonical()),
        })
    }

    /// The /32 or /128 that is this address.
    pub const fn of(address: Address) -> Self {
        Self::at(address, address.family().address_bits())
    }

    /// The prefix of this length that holds the address. The length must be at most 32 or 128.
    const fn at(address: Address, length: u8) -> Self {
        let host_bits = address.family().address_bits() - length;
        let low = address.family().highest_bits() & low_bits(host_bits);
        match Address::from_bits(address.family(), address.bits() & !low).0 {
            IpAddr::V4(ip) => match Ipv4Network::new_checked(ip, length) {
                Some(network) => Self(IpNetwork::V4(network)),
                None => panic!("prefix length over 32"),
            },
            IpAddr::V6(ip) => match Ipv6Network::new_checked(ip, length) {
                Some(network) => Self(IpNetwork::V6(network)),
                None => panic!("prefix length over 128"),
            },
        }
    }

    /// The first address.
    #[inline]
    pub fn first(self) -> Address {
        Address(self.0.ip())
    }

    /// The last address.
    #[inline]
    pub fn last(self) -> Address {
        Address(self.0.broadcast())
    }

    /// Prefix length: 0..=32 or 0..=128.
    #[inline]
    pub fn length(self) -> u8 {
        self.0.prefix()
    }

    /// The address family.
    #[inline]
    pub fn family(self) -> Family {
        self.first().family()
    }

    /// Whether it holds the address; never one of the other family.
    #[inline]
    pub fn holds(self, address: Address) -> bool {
        self.0.contains(address.ip())
    }

    /// As a range.
    #[inline]
    pub fn range(self) -> Range {
        Range::between(self.first(), self.last())
    }
}

impl Ord for Prefix {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.first(), self.length()).cmp(&(other.first(), other.length()))
    }
}

impl PartialOrd for Prefix {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Prefix {
    /// Canonical, always with its length: `192.0.2.1/32`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.0.ip(), self.0.prefix())
    }
}

/// Reads the digits behind the slash: no sign, no leading zero.
fn read_length(text: &[u8], family: Family) -> Option<u8> {
    let canonical = matches!(text, [b'0'] | [b'1'..=b'9', ..]) && text.len() <= 3;
    let length = if canonical { std::str::from_utf8(text).ok()?.parse().ok()? } else { return None };
    (length <= family.address_bits()).then_some(length)
}

/// Why text is no prefix or range; each says the remedy. Foreign text in it is shortened and escaped when shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PrefixError {
    /// Neither address, prefix nor range.
    NotAPrefix {
        /// What was read.
        text: String,
    },
    /// An octet with a leading zero: octal to some readers, decimal to others.
    LeadingZero {
        /// What was read.
        text: String,
    },
    /// A zone index (`%eth0`), which means something on one machine only.
    Zone {
        /// What was read.
        text: String,
    },
    /// What follows the slash is no length of this family: `/33`, `/024`, a netmask.
    Length {
        /// What was read.
        text: String,
        /// The longest length there is.
        length_max: u8,
    },
    /// Bits below the length are set: a network or one address may be meant.
    HostBits {
        /// The network that may be meant.
        network: Prefix,
        /// The address that may be meant.
        address: Address,
    },
    /// The two ends are of different families.
    Families {
        /// The first end.
        first: Address,
        /// The last end.
        last: Address,
    },
    /// The last end is below the first.
    Reversed {
        /// The first end as written.
        first: Address,
        /// The last end as written.
        last: Address,
    },
}

/// Bytes of foreign text that an error keeps.
const ERROR_TEXT_BYTES_MAX: usize = 64;

impl PrefixError {
    /// The error that fits text which cannot be read as address, prefix or range.
    fn unreadable(text: &[u8]) -> Self {
        let shown = shorten(text);
        if text.contains(&b'%') {
            return Self::Zone { text: shown };
        }
        if has_leading_zero(text) {
            return Self::LeadingZero { text: shown };
        }
        Self::NotAPrefix { text: shown }
    }

    fn length(text: &[u8], family: Family) -> Self {
        Self::Length { text: shorten(text), length_max: family.address_bits() }
    }
}

fn shorten(text: &[u8]) -> String {
    let kept = &text[..text.len().min(ERROR_TEXT_BYTES_MAX)];
    let mut shown = String::from_utf8_lossy(kept).into_owned();
    if kept.len() < text.len() {
        shown.push('…');
    }
    shown
}

/// Whether a dotted number starts with a zero that is not its only digit.
fn has_leading_zero(text: &[u8]) -> bool {
    let quad = text.split(|&byte| byte == b'/' || byte == b':').find(|part| part.contains(&b'.'));
    quad.is_some_and(|quad| {
        quad.split(|&byte| byte == b'.').any(|octet| matches!(octet, [b'0', b'0'..=b'9', ..]))
    })
}

impl fmt::Display for PrefixError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAPrefix { text } => write!(
                f,
                "\"{}\" is no address, prefix or range (write 192.0.2.1, 192.0.2.0/24, 192.0.2.0 - 192.0.2.99, or the same in IPv6)",
                text.escape_debug()
            ),
            Self::LeadingZero { text } => write!(
                f,
                "\"{}\" has a number with a leading zero, octal to some and decimal to others (write it without)",
                text.escape_debug()
            ),
            Self::Zone { text } => write!(
                f,
                "\"{}\" has a zone, which means something on one machine only (leave out % and what follows)",
                text.escape_debug()
            ),
            Self::Length { text, length_max } => write!(
                f,
                "\"{}\" has no prefix length of its family (after the slash write a number from 0 to {length_max}, no mask, no leading zero)",
                text.escape_debug()
            ),
            Self::HostBits { network, address } => write!(
                f,
                "{address}/{} has bits set beyond its length (write {network} for the network or {address} for the one address)",
                network.length()
            ),
            Self::Families { first, last } => {
                write!(f, "{first} - {last} has ends of two families (write two ranges, one for each family)")
            }
            Self::Reversed { first, last } => {
                write!(f, "{first} - {last} ends before it starts (write {last} - {first} if that is meant)")
            }
        }
    }
}

impl std::error::Error for PrefixError {}

/// A range of addresses of one family, both ends included; need not be a CIDR.
///
/// Ordered by family, first address, last address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Range(Ends);

/// Bytes, not integers, keep a range at 33 bytes: an index's claims are copied about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
enum Ends {
    V4(Ipv4Addr, Ipv4Addr),
    V6(Ipv6Addr, Ipv6Addr),
}

impl Range {
    /// Both ends included; `None` if the families differ or `last < first`.
    #[inline]
    pub fn new(first: Address, last: Address) -> Option<Self> {
        (first.family() == last.family() && first <= last).then(|| Self::between(first, last))
    }

    /// Ends that are known to be of one family and in order.
    #[inline]
    fn between(first: Address, last: Address) -> Self {
        match (first.0, last.0) {
            (IpAddr::V4(first), IpAddr::V4(last)) => Self(Ends::V4(first, last)),
            (first, last) => Self(Ends::V6(as_v6(first), as_v6(last))),
        }
    }

    /// Reads a CIDR, a single address, or `first - last`; spaces around the dash may be absent.
    pub fn read(text: &[u8]) -> Result<Self, PrefixError> {
        let Some(dash) = text.iter().position(|&byte| byte == b'-') else {
            return Prefix::read(text).map(Prefix::range);
        };
        let read = |end: &[u8]| Address::read(end.trim_ascii()).ok_or_else(|| PrefixError::unreadable(text));
        let (first, last) = (read(&text[..dash])?, read(&text[dash + 1..])?);
        if first.family() != last.family() {
            return Err(PrefixError::Families { first, last });
        }
        Self::new(first, last).ok_or(PrefixError::Reversed { first, last })
    }

    /// The first address.
    #[inline]
    pub const fn first(self) -> Address {
        match self.0 {
            Ends::V4(first, _) => Address(IpAddr::V4(first)),
            Ends::V6(first, _) => Address(IpAddr::V6(first)),
        }
    }

    /// The last address.
    #[inline]
    pub const fn last(self) -> Address {
        match self.0 {
            Ends::V4(_, last) => Address(IpAddr::V4(last)),
            Ends::V6(_, last) => Address(IpAddr::V6(last)),
        }
    }

    /// The family.
    #[inline]
    pub const fn family(self) -> Family {
        self.first().family()
    }

    /// Number of addresses less one (so that `::/0` fits): the specificity, fewest first.
    #[inline]
    pub const fn size_less_one(self) -> u128 {
        self.last().bits() - self.first().bits()
    }

    /// Whether it holds all of `other`.
    #[inline]
    pub fn contains(self, other: Range) -> bool {
        self.holds(other.first()) && self.holds(other.last())
    }

    /// Whether it holds the address.
    #[inline]
    pub fn holds(self, address: Address) -> bool {
        // Addresses order by family first, so that one of the other family is never between the ends.
        self.first() <= address && address <= self.last()
    }

    /// Whether they share an address.
    #[inline]
    pub fn overlaps(self, other: Range) -> bool {
        self.first() <= other.last() && other.first() <= self.last()
    }

    /// The prefix that it is, if it is one.
    pub fn prefix(self) -> Option<Prefix> {
        let piece = self.piece_at(self.first().bits());
        (piece.last() == self.last()).then_some(piece)
    }

    /// The CIDR pieces, ascending (at most 62 or 254).
    pub fn pieces(self) -> impl Iterator<Item = Prefix> {
        let end = self.last();
        std::iter::successors(Some(self.piece_at(self.first().bits())), move |piece| {
            (piece.last() < end).then(|| self.piece_at(piece.last().bits() + 1))
        })
    }

    /// The CIDR piece that holds the address; `None` if the range does not.
    pub fn piece_of(self, address: Address) -> Option<Prefix> {
        if !self.holds(address) {
            return None;
        }
        // Most ranges are one piece.
        let first = self.piece_at(self.first().bits());
        if first.holds(address) { Some(first) } else { self.pieces().find(|piece| piece.holds(address)) }
    }

    /// The widest prefix that starts at `first` and ends inside.
    fn piece_at(self, first: u128) -> Prefix {
        let address_bits = self.family().address_bits();
        let left_less_one = self.last().bits() - first;
        // floor(log2(left_less_one + 1)), without the overflow at ::/0.
        let fitting = 128 - left_less_one.leading_zeros() as u8;
        let fitting =
            if left_less_one & low_bits(fitting) == low_bits(fitting) { fitting } else { fitting - 1 };
        let aligned = (first.trailing_zeros() as u8).min(address_bits);
        Prefix::at(Address::from_bits(self.family(), first), address_bits - aligned.min(fitting))
    }

    /// The parts of it that a registration holds, ascending: all, if it lies wholly inside one outermost special block;
    /// else what the special blocks leave of it. Reachable exceptions inside a block are no part of the cut.
    pub fn held_parts(self) -> Vec<Range> {
        if SPECIAL_BLOCKS.iter().any(|block| block.range().contains(self)) {
            return vec![self];
        }
        let mut parts = vec![self];
        for block in SPECIAL_BLOCKS.iter().filter(|block| block.range().overlaps(self)) {
            for hole in special_parts(block.range()) {
                parts = parts.into_iter().flat_map(|part| part.without(hole)).collect();
            }
        }
        parts
    }

    /// What is left of it without `other`: nothing, one or two ranges, ascending.
    pub fn without(self, other: Range) -> impl Iterator<Item = Range> {
        let (family, first, last) = (self.family(), self.first().bits(), self.last().bits());
        let between = move |first, last| {
            Self::between(Address::from_bits(family, first), Address::from_bits(family, last))
        };
        let overlaps = self.overlaps(other);
        let (cut_first, cut_last) = (other.first().bits(), other.last().bits());
        let below = (overlaps && first < cut_first).then(|| between(first, cut_first - 1));
        let above = (overlaps && cut_last < last).then(|| between(cut_last + 1, last));
        let whole = (!overlaps).then_some(self);
        whole.into_iter().chain(below).chain(above)
    }
}

/// The parts of a special block that are special: without the reachable exceptions inside.
fn special_parts(block: Range) -> Vec<Range> {
    SPECIAL_EXCEPTIONS.iter().fold(vec![block], |parts, exception| {
        parts.into_iter().flat_map(|part| part.without(exception.range())).collect()
    })
}

impl fmt::Display for Range {
    /// Canonical: `192.0.2.0/24` (a single address too: `192.0.2.1/32`) or `192.0.2.0 - 192.0.2.99`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.prefix() {
            Some(prefix) => prefix.fmt(f),
            None => write!(f, "{} - {}", self.first(), self.last()),
        }
    }
}

/// `count` ones, from the lowest bit; 0..=128.
const fn low_bits(count: u8) -> u128 {
    match count {
        0 => 0,
        count => u128::MAX >> (128 - count as u32),
    }
}

const fn as_v6(ip: IpAddr) -> Ipv6Addr {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    }
}

/// An AS number; displays as `AS64496`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Asn(pub u32);

impl Asn {
    /// Reads `AS64496`, `as64496` or `64496`; asdot (`1.10`), a sign and a leading zero are refused.
    pub fn read(text: &[u8]) -> Option<Self> {
        let digits = match text {
            [b'A' | b'a', b'S' | b's', digits @ ..] => digits,
            digits => digits,
        };
        let canonical = matches!(digits, [b'0'] | [b'1'..=b'9', ..]) && digits.len() <= "4294967295".len();
        if !canonical {
            return None;
        }
        std::str::from_utf8(digits).ok()?.parse().ok().map(Self)
    }
}

impl fmt::Display for Asn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AS{}", self.0)
    }
}

/// The special-purpose blocks: outermost ones only, ascending, IPv4 first.
///
/// These are the entries of IANA's special-purpose address registries whose *globally reachable* is False
/// (<https://www.iana.org/assignments/iana-ipv4-special-registry>, <https://www.iana.org/assignments/iana-ipv6-special-registry>,
/// as of 2025-10-09), and: multicast, 240.0.0.0/4, the transition blocks 64:ff9b::/96, 2002::/16 and 2001::/32 (whose
/// addresses stand for somebody else's), and ::/96. Left out is `::ffff:0:0/96`, since no address read is in it, and
/// 192.88.99.0/24, whose entry is deprecated and says neither.
pub fn special_blocks() -> &'static [Prefix] {
    SPECIAL_BLOCKS
}

/// What the same registries call globally reachable inside a special block; an address in one is not special.
pub fn special_exceptions() -> &'static [Prefix] {
    SPECIAL_EXCEPTIONS
}

const fn v4(octets: [u8; 4], length: u8) -> Prefix {
    Prefix::at(Address(IpAddr::V4(Ipv4Addr::new(octets[0], octets[1], octets[2], octets[3]))), length)
}

const fn v6(high: [u16; 4], low: u16, length: u8) -> Prefix {
    Prefix::at(Address(IpAddr::V6(Ipv6Addr::new(high[0], high[1], high[2], high[3], 0, 0, 0, low))), length)
}

static SPECIAL_BLOCKS: &[Prefix] = &[
    v4([0, 0, 0, 0], 8),              // "This network", RFC 791
    v4([10, 0, 0, 0], 8),             // Private-Use, RFC 1918
    v4([100, 64, 0, 0], 10),          // Shared Address Space, RFC 6598
    v4([127, 0, 0, 0], 8),            // Loopback, RFC 1122
    v4([169, 254, 0, 0], 16),         // Link Local, RFC 3927
    v4([172, 16, 0, 0], 12),          // Private-Use, RFC 1918
    v4([192, 0, 0, 0], 24),           // IETF Protocol Assignments, RFC 6890; see the exceptions
    v4([192, 0, 2, 0], 24),           // Documentation (TEST-NET-1), RFC 5737
    v4([192, 168, 0, 0], 16),         // Private-Use, RFC 1918
    v4([198, 18, 0, 0], 15),          // Benchmarking, RFC 2544
    v4([198, 51, 100, 0], 24),        // Documentation (TEST-NET-2), RFC 5737
    v4([203, 0, 113, 0], 24),         // Documentation (TEST-NET-3), RFC 5737
    v4([224, 0, 0, 0], 4),            // Multicast, RFC 5771
    v4([240, 0, 0, 0], 4),            // Reserved, RFC 1112, and Limited Broadcast, RFC 8190
    v6([0, 0, 0, 0], 0, 96),          // Unspecified, Loopback and IPv4-compatible, RFC 4291
    v6([0x64, 0xff9b, 0, 0], 0, 96),  // IPv4-IPv6 translation (NAT64), RFC 6052
    v6([0x64, 0xff9b, 1, 0], 0, 48),  // IPv4-IPv6 translation, local, RFC 8215
    v6([0x100, 0, 0, 0], 0, 64),      // Discard-Only, RFC 6666
    v6([0x100, 0, 0, 1], 0, 64),      // Dummy prefix, RFC 9780
    v6([0x2001, 0, 0, 0], 0, 23), // IETF Protocol Assignments, RFC 2928, Teredo 2001::/32 within; see the exceptions
    v6([0x2001, 0xdb8, 0, 0], 0, 32), // Documentation, RFC 3849
    v6([0x2002, 0, 0, 0], 0, 16), // 6to4, RFC 3056
    v6([0x3fff, 0, 0, 0], 0, 20), // Documentation, RFC 9637
    v6([0x5f00, 0, 0, 0], 0, 16), // Segment Routing (SRv6) SIDs, RFC 9602
    v6([0xfc00, 0, 0, 0], 0, 7),  // Unique-Local, RFC 4193
    v6([0xfe80, 0, 0, 0], 0, 10), // Link-Local Unicast, RFC 4291
    v6([0xff00, 0, 0, 0], 0, 8),  // Multicast, RFC 4291
];

static SPECIAL_EXCEPTIONS: &[Prefix] = &[
    v4([192, 0, 0, 9], 32),           // Port Control Protocol Anycast, RFC 7723
    v4([192, 0, 0, 10], 32),          // TURN Anycast, RFC 8155
    v6([0x2001, 1, 0, 0], 1, 128),    // Port Control Protocol Anycast, RFC 7723
    v6([0x2001, 1, 0, 0], 2, 128),    // TURN Anycast, RFC 8155
    v6([0x2001, 1, 0, 0], 3, 128),    // DNS-SD Service Registration Protocol Anycast, RFC 9665
    v6([0x2001, 3, 0, 0], 0, 32),     // AMT, RFC 7450
    v6([0x2001, 4, 0x112, 0], 0, 48), // AS112-v6, RFC 7535
    v6([0x2001, 0x20, 0, 0], 0, 28),  // ORCHIDv2, RFC 7343
    v6([0x2001, 0x30, 0, 0], 0, 28),  // Drone Remote ID, RFC 9374
];

fn holds_any(blocks: &[Prefix], address: Address) -> bool {
    blocks.iter().any(|block| block.holds(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the standard library reads it: all short texts of what IPv6 is written with, and longer ones by chance.
    #[test]
    fn ipv6_is_read_as_the_standard_library_reads_it() {
        let mut found = [0; 2];
        let mut check = |text: &[u8]| {
            let told = read_v6_slowly(text);
            assert_eq!(read_v6(text), told, "{}", text.escape_ascii());
            found[usize::from(told.is_some())] += 1;
        };
        let alphabet = b"0fA:.g";
        for length in 0..=7 {
            for number in 0..alphabet.len().pow(length) {
                let letter = |place| alphabet[number / alphabet.len().pow(place) % alphabet.len()];
                check(&(0..length).map(letter).collect::<Vec<_>>());
            }
        }
        let mut random = fastrand::Rng::with_seed(6);
        let pieces = [
            "0",
            "1",
            "ffff",
            "12345",
            "Db8",
            "00ab",
            ":",
            ":",
            ":",
            ":",
            ":",
            ":",
            "::",
            "192.0.2.1",
            "%",
            "g",
        ];
        for _ in 0..100_000 {
            let count = random.usize(1..18);
            check((0..count).map(|_| pieces[random.usize(..pieces.len())]).collect::<String>().as_bytes());
            let count = random.usize(6..10);
            let group = |random: &mut fastrand::Rng| format!("{:x}", random.u16(..) >> random.u32(..16));
            let text = (0..count).map(|_| group(&mut random)).collect::<Vec<_>>().join(":");
            check(text.as_bytes());
            let gap = random.usize(..text.len());
            check(format!("{}:{}", &text[..gap], &text[gap..]).as_bytes());
            check(format!("{}::{}", &text[..gap], &text[gap..]).as_bytes());
            let sparse = random.u128(..) & random.u128(..) & random.u128(..);
            check(Ipv6Addr::from_bits(sparse).to_string().as_bytes());
        }
        assert!(found[0] > 100_000 && found[1] > 100_000, "{found:?}");
    }
}
