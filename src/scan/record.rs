//! What a dump's record says, as its format reads it.

use super::format::Take;
use crate::moment::Moment;
use crate::net::{Address, Asn, Prefix, Range};
use std::borrow::Cow;

/// Why a record cannot be read as far as it was judged; a closed set shared with summary and metrics.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Reject {
    /// The address is none, or an ambiguous one.
    Address,
    /// No address, name or AS number is filled at all.
    NoKey,
    /// More or fewer columns than the header.
    Columns,
    /// A quote is still open at the end of the dump.
    Quoting,
    /// No JSON object, or one nested too deep.
    Json,
    /// Bytes that are no text.
    Encoding,
    /// A key stands twice in an object.
    DuplicateKey,
    /// Longer than `record_bytes_max`.
    TooLong,
    /// A time that cannot be read, or only by guessing.
    Time,
    /// No port number.
    Port,
    /// A prefix with host bits, or none at all.
    Prefix,
}

impl Reject {
    /// Every reason, in the order of their numbers.
    pub const ALL: [Self; 11] = [
        Self::Address,
        Self::NoKey,
        Self::Columns,
        Self::Quoting,
        Self::Json,
        Self::Encoding,
        Self::DuplicateKey,
        Self::TooLong,
        Self::Time,
        Self::Port,
        Self::Prefix,
    ];

    /// Its name in summary, metrics and files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::NoKey => "no-key",
            Self::Columns => "columns",
            Self::Quoting => "quoting",
            Self::Json => "json",
            Self::Encoding => "encoding",
            Self::DuplicateKey => "duplicate-key",
            Self::TooLong => "too-long",
            Self::Time => "time",
            Self::Port => "port",
            Self::Prefix => "prefix",
        }
    }
}

/// Why a row with a registration is no exposure (FORMATS: a row is not yet an exposure).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Skip {
    /// Nothing answers at the port.
    Closed,
    /// The probe or handshake did not succeed.
    NoSuccess,
    /// The same answer was seen before in this scan.
    Repeat,
    /// Says what a service said, not that a port is open.
    Banner,
    /// The check came out negative, or the feed takes vulnerable rows only.
    NotVulnerable,
    /// Something exists; nothing is wrong with it.
    Inventory,
    /// About others.
    Context,
}

impl Skip {
    /// Every reason, in the order of their numbers.
    pub const ALL: [Self; 7] = [
        Self::Closed,
        Self::NoSuccess,
        Self::Repeat,
        Self::Banner,
        Self::NotVulnerable,
        Self::Inventory,
        Self::Context,
    ];

    /// Its name in summary, metrics and files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::NoSuccess => "no-success",
            Self::Repeat => "repeat",
            Self::Banner => "banner",
            Self::NotVulnerable => "not-vulnerable",
            Self::Inventory => "inventory",
            Self::Context => "context",
        }
    }
}

/// What a row is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// It says what is wrong.
    Vulnerable,
    /// A service is there.
    Exposed,
    /// Something exists.
    Inventory,
    /// About others.
    Context,
}

impl Kind {
    /// Why a feed that takes `take` skips it; `None`: it is taken.
    pub const fn skipped_by(self, take: Take) -> Option<Skip> {
        match (self, take) {
            (Self::Context, _) => Some(Skip::Context),
            (Self::Inventory, Take::Vulnerable | Take::Exposed) => Some(Skip::Inventory),
            (Self::Exposed, Take::Vulnerable) => Some(Skip::NotVulnerable),
            _ => None,
        }
    }
}

/// Which part the subject plays in what happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// Its system can be reached, or attacked.
    Exposed,
    /// Its system is infected.
    Infected,
    /// Its system attacks others.
    Attacker,
    /// It is attacked.
    Victim,
}

impl Side {
    /// All.
    pub const ALL: [Self; 4] = [Self::Exposed, Self::Infected, Self::Attacker, Self::Victim];

    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exposed => "exposed",
            Self::Infected => "infected",
            Self::Attacker => "attacker",
            Self::Victim => "victim",
        }
    }
}

/// What a record is about, for matching.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Subject {
    /// One address.
    Address(Address),
    /// All of a prefix; never a /32 or /128, which is an address.
    Prefix(Prefix),
}

impl Subject {
    /// All its addresses.
    pub fn range(self) -> Range {
        match self {
            Self::Address(address) => Range::new(address, address).expect("an address is a range"),
            Self::Prefix(prefix) => prefix.range(),
        }
    }

    /// The subject that a prefix is: a /32 or /128 is an address.
    pub fn of_prefix(prefix: Prefix) -> Self {
        if prefix.first() == prefix.last() { Self::Address(prefix.first()) } else { Self::Prefix(prefix) }
    }

    /// Whether the address is special, or the prefix lies wholly inside a special block.
    pub fn is_special(self) -> bool {
        match self {
            Self::Address(address) => address.special().is_some(),
            Self::Prefix(prefix) => {
                let block = prefix.first().special();
                block.is_some() && block == prefix.last().special()
            }
        }
    }
}

/// One finding of a record. Text is as the producer wrote it (decoded, unescaped), untrusted.
#[derive(Clone, Debug)]
pub struct Finding<'r> {
    /// What it is about; `None` where the record fills no address.
    pub subject: Option<Subject>,
    /// Its place among the record's findings, from 0 (ZGrab2 modules, `ports[]`); skipped parts keep their number.
    pub part: u16,
    /// What the row is.
    pub kind: Kind,
    /// Which part the subject plays.
    pub side: Side,
    /// The port at the subject.
    pub port: Option<u16>,
    /// The port is a client's: shown, but never in an id.
    pub port_is_client: bool,
    /// As written; the alert's gate and the ids lower it.
    pub transport: Option<Cow<'r, str>>,
    /// As written, likewise.
    pub application: Option<Cow<'r, str>>,
    /// When the producer saw it.
    pub time: Option<Moment>,
    /// The producer's word for what is wrong, after `--identifier`, feed and format defaults; `None`: `no-finding`.
    pub identifier: Option<Cow<'r, str>>,
    /// A Shadowserver type that the table does not know.
    pub unknown_type: bool,
    /// RSIT type, where the format or the report type says it; the feed's own replaces it.
    pub classification: Option<&'static str>,
    /// As written.
    pub severity: Option<Cow<'r, str>>,
    /// As written.
    pub tlp: Option<Cow<'r, str>>,
    /// `CVE-…` as written.
    pub cves: Vec<Cow<'r, str>>,
    /// Free words of the producer.
    pub tags: Vec<Cow<'r, str>>,
    /// The AS number that the producer names.
    pub asn: Option<Asn>,
    /// The name that the finding is about, as written (may be a URL or carry a port); `text::host_name` canonicalises.
    pub stated: Option<Cow<'r, str>>,
    /// The names that the system shows of itself, likewise; the first is the one that an alert says.
    pub shown: Vec<Cow<'r, str>>,
    /// The name that reverse DNS gives, likewise.
    pub reverse: Option<Cow<'r, str>>,
    /// Title or description on the format's allow-list, for `event_description.text`.
    pub text: Option<Cow<'r, str>>,
    /// A page about it on the format's allow-list, for `event_description.url`.
    pub url: Option<Cow<'r, str>>,
}

impl Finding<'_> {
    /// A finding that says no more than its part, kind and side.
    pub const fn new(part: u16, kind: Kind, side: Side) -> Self {
        Self {
            subject: None,
            part,
            kind,
            side,
            port: None,
            port_is_client: false,
            transport: None,
            application: None,
            time: None,
            identifier: None,
            unknown_type: false,
            classification: None,
            severity: None,
            tlp: None,
            cves: Vec::new(),
            tags: Vec::new(),
            asn: None,
            stated: None,
            shown: Vec::new(),
            reverse: None,
            text: None,
            url: None,
        }
    }
}

/// What a whole record says.
#[derive(Clone, Debug)]
pub enum Findings<'r> {
    /// At least one.
    Some(Vec<Finding<'r>>),
    /// No exposure; the first part's reason.
    Skipped(Skip),
    /// Cannot be read.
    Rejected(Reject),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_reasons_follow_their_order() {
        assert!(Reject::ALL.into_iter().enumerate().all(|(i, reason)| reason as usize == i));
        assert!(Skip::ALL.into_iter().enumerate().all(|(i, reason)| reason as usize == i));
    }

    #[test]
    fn a_feed_takes_what_its_take_says() {
        let check = |kind: Kind, expected: [Option<Skip>; 3]| {
            let takes = [Take::Vulnerable, Take::Exposed, Take::All];
            assert_eq!(takes.map(|take| kind.skipped_by(take)), expected, "{kind:?}");
        };
        check(Kind::Vulnerable, [None, None, None]);
        check(Kind::Exposed, [Some(Skip::NotVulnerable), None, None]);
        check(Kind::Inventory, [Some(Skip::Inventory), Some(Skip::Inventory), None]);
        check(Kind::Context, [Some(Skip::Context); 3]);
    }
}
