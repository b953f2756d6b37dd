//! What may be taken out of an alert, so that it can go at all.

use crate::scan::Finding;
use std::borrow::Cow;

/// What can be taken out. Address or name, time, classification and severity cannot: without them nobody can act.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Removable {
    /// `source.port`.
    Port,
    /// `source.asn`.
    Asn,
    /// `source.reverse_dns`.
    ReverseName,
    /// `protocol.transport`.
    Transport,
    /// `protocol.application`.
    Application,
    /// `product.vulnerabilities`.
    Vulnerabilities,
    /// `event_description.text`.
    Text,
    /// `event_description.url`.
    Url,
    /// `extra.tag`.
    Tags,
    /// `extra.assignment`.
    Assignment,
}

impl Removable {
    /// All.
    pub const ALL: [Self; 10] = [
        Self::Port,
        Self::Asn,
        Self::ReverseName,
        Self::Transport,
        Self::Application,
        Self::Vulnerabilities,
        Self::Text,
        Self::Url,
        Self::Tags,
        Self::Assignment,
    ];

    /// The alert's key.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Port => "source.port",
            Self::Asn => "source.asn",
            Self::ReverseName => "source.reverse_dns",
            Self::Transport => "protocol.transport",
            Self::Application => "protocol.application",
            Self::Vulnerabilities => "product.vulnerabilities",
            Self::Text => "event_description.text",
            Self::Url => "event_description.url",
            Self::Tags => "extra.tag",
            Self::Assignment => "extra.assignment",
        }
    }

    /// Reads what [`Removable::as_str`] writes.
    pub fn read(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.as_str() == text)
    }
}

/// A set of fields that are taken out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Redaction(u16);

impl Redaction {
    /// Nothing.
    pub const NONE: Self = Self(0);

    /// Whether nothing is taken out.
    #[must_use]
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// Whether a field is taken out.
    #[must_use]
    pub const fn takes(self, field: Removable) -> bool {
        self.0 & 1 << field as u16 != 0
    }

    /// Its fields.
    pub fn fields(self) -> impl Iterator<Item = Removable> {
        Removable::ALL.into_iter().filter(move |field| self.takes(*field))
    }

    /// The finding without them: what its ids and its alert are made from.
    pub fn of<'f, 'r>(self, finding: &'f Finding<'r>) -> Cow<'f, Finding<'r>> {
        if self.is_none() {
            return Cow::Borrowed(finding);
        }
        let mut left = finding.clone();
        for field in self.fields() {
            match field {
                Removable::Port => left.port = None,
                Removable::Asn => left.asn = None,
                Removable::ReverseName => left.reverse = None,
                Removable::Transport => left.transport = None,
                Removable::Application => left.application = None,
                Removable::Vulnerabilities => left.cves.clear(),
                Removable::Text => left.text = None,
                Removable::Url => left.url = None,
                Removable::Tags => left.tags.clear(),
                // It is the register's, and not in the finding.
                Removable::Assignment => {}
            }
        }
        Cow::Owned(left)
    }
}

impl FromIterator<Removable> for Redaction {
    fn from_iter<I: IntoIterator<Item = Removable>>(fields: I) -> Self {
        Self(fields.into_iter().fold(0, |set, field| set | 1 << field as u16))
    }
}
