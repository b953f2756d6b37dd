//! What a dump's record says, as its format reads it.

use crate::moment::Moment;
use crate::net::{Address, Asn, Prefix};
use std::borrow::Cow;

/// Why a record cannot be read as far as it was judged; a closed set shared with summary and metrics.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Reject {
    Address,
    NoKey,
    Columns,
    Quoting,
    Json,
    Encoding,
    DuplicateKey,
    TooLong,
    Time,
    Port,
    Prefix,
}

/// Why a row with a registration is no exposure (FORMATS: a row is not yet an exposure).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Skip {
    Closed,
    NoSuccess,
    Repeat,
    Banner,
    NotVulnerable,
    Inventory,
    Context,
}

/// What a row is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Vulnerable,
    Exposed,
    Inventory,
    Context,
}

/// Which part the subject plays in what happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    Exposed,
    Infected,
    Attacker,
    Victim,
}

/// What a record is about, for matching.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Subject {
    Address(Address),
    Prefix(Prefix),
}

/// One finding of a record. Text is as the producer wrote it (decoded, unescaped), untrusted.
#[derive(Clone, Debug)]
pub struct Finding<'r> {
    pub subject: Option<Subject>,
    /// Its place among the record's findings, from 0 (ZGrab2 modules, `ports[]`); skipped parts keep their number.
    pub part: u16,
    pub kind: Kind,
    pub side: Side,
    pub port: Option<u16>,
    /// The port is a client's: shown, but never in an id.
    pub port_is_client: bool,
    /// As written; the alert's gate and the ids lower it.
    pub transport: Option<Cow<'r, str>>,
    pub application: Option<Cow<'r, str>>,
    pub time: Option<Moment>,
    /// The producer's word for what is wrong, after `--identifier`, feed and format defaults; `None`: `no-finding`.
    pub identifier: Option<Cow<'r, str>>,
    /// A Shadowserver type that the table does not know.
    pub unknown_type: bool,
    /// RSIT type where format or type says it; else the feed's.
    pub classification: Option<&'static str>,
    pub severity: Option<Cow<'r, str>>,
    pub tlp: Option<Cow<'r, str>>,
    /// `CVE-…` as written.
    pub cves: Vec<Cow<'r, str>>,
    pub tags: Vec<Cow<'r, str>>,
    pub asn: Option<Asn>,
    /// Host names, as written (may be URLs or carry ports); `text::host_name` canonicalises.
    pub stated: Option<Cow<'r, str>>,
    pub shown: Option<Cow<'r, str>>,
    pub reverse: Option<Cow<'r, str>>,
    /// Title or description on the format's allow-list, for `event_description.text`.
    pub text: Option<Cow<'r, str>>,
    pub url: Option<Cow<'r, str>>,
}

/// What a whole record says.
pub enum Findings<'r> {
    /// At least one.
    Some(Vec<Finding<'r>>),
    /// No exposure; the first part's reason.
    Skipped(Skip),
    /// Cannot be read.
    Rejected(Reject),
}
