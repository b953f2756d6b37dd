//! The Traffic Light Protocol: labels of FIRST's TLP 2.0 (2022), read in any spelling.

use super::Permission;
use crate::register::Role;
use crate::text::says_nothing;
use std::fmt;

/// How far a word may go; least strict first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Tlp {
    /// No limit; TLP 1's WHITE.
    Clear,
    /// The community.
    Green,
    /// The recipient and its clients.
    Amber,
    /// The recipient alone.
    AmberStrict,
    /// The persons addressed.
    Red,
}

impl Tlp {
    /// All, least strict first.
    pub const ALL: [Self; 5] = [Self::Clear, Self::Green, Self::Amber, Self::AmberStrict, Self::Red];

    /// What holds where nobody says anything.
    pub const DEFAULT: Self = Self::Amber;

    /// Reads a label in any spelling: case, `TLP:` or `TLP 2.0:` before it, brackets and quotes around it, spaces or dashes for
    /// the plus; WHITE is CLEAR. `None` for all else, and for a label that ends with a plus: what stood behind it made it stricter.
    ///
    /// ```
    /// use dijkwacht::policy::Tlp;
    ///
    /// assert_eq!(Tlp::read("TLP:AMBER+STRICT"), Some(Tlp::AmberStrict));
    /// assert_eq!(Tlp::read("white"), Some(Tlp::Clear));
    /// assert_eq!(Tlp::read("purple"), None);
    /// assert_eq!(Tlp::read("AMBER+"), None);
    /// ```
    pub fn read(text: &str) -> Option<Self> {
        let mut letters = [0u8; LETTERS_MAX];
        let mut count = 0;
        let mut goes_on = false;
        for byte in text.bytes() {
            match byte {
                b'+' => {
                    goes_on = true;
                    continue;
                }
                b' ' | b'\t' | b':' | b'-' | b'_' | b'.' | b'/' | b'(' | b')' | b'[' | b']' | b'"'
                | b'\'' => continue,
                _ if count == LETTERS_MAX => return None,
                _ => letters[count] = byte.to_ascii_lowercase(),
            }
            count += 1;
            goes_on = false;
        }
        if goes_on {
            return None;
        }
        let word = &letters[..count];
        let label = word.strip_prefix(b"tlp").map_or(word, |rest| {
            let versions: [&[u8]; 4] = [b"v20", b"20", b"v2", b"2"];
            versions.into_iter().find_map(|version| rest.strip_prefix(version)).unwrap_or(rest)
        });
        match label {
            b"clear" | b"white" => Some(Self::Clear),
            b"green" => Some(Self::Green),
            b"amber" => Some(Self::Amber),
            b"amberstrict" => Some(Self::AmberStrict),
            b"red" => Some(Self::Red),
            _ => None,
        }
    }

    /// The label of a finding: the stricter of the record's and the feed's, AMBER where neither says one.
    ///
    /// A label that cannot be read may be any: it counts as AMBER at least, and [`Tlp::is_unknown`] says so.
    pub fn of(record: Option<&str>, feed: Option<Self>) -> Self {
        let record = stated(record).map(|label| Self::read(label).unwrap_or(Self::DEFAULT));
        // No label is less than any label.
        record.max(feed).unwrap_or(Self::DEFAULT)
    }

    /// Whether a record says a label that cannot be read.
    pub fn is_unknown(record: Option<&str>) -> bool {
        stated(record).is_some_and(|label| Self::read(label).is_none())
    }

    /// Whether it lets a recipient be told.
    ///
    /// CLEAR and GREEN: everybody. AMBER: whoever is in the constituency. AMBER+STRICT: users in it, by a permission of the feed or
    /// the report; RED: likewise, by one of the report.
    pub fn lets(self, role: Role, is_in_constituency: bool, permission: Permission) -> bool {
        let needed = match self {
            Self::Clear | Self::Green => return true,
            Self::Amber => return is_in_constituency,
            Self::AmberStrict => Permission::OfFeed,
            Self::Red => Permission::OfReport,
        };
        permission >= needed && role == Role::User && is_in_constituency
    }

    /// The TLP 2.0 label, without `TLP:`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Clear => "CLEAR",
            Self::Green => "GREEN",
            Self::Amber => "AMBER",
            Self::AmberStrict => "AMBER+STRICT",
            Self::Red => "RED",
        }
    }

    /// The TLP 1 label, for readers that know no other; never less strict: AMBER+STRICT is RED.
    pub const fn as_tlp1(self) -> &'static str {
        match self {
            Self::Clear => "WHITE",
            Self::Green => "GREEN",
            Self::Amber => "AMBER",
            Self::AmberStrict | Self::Red => "RED",
        }
    }
}

/// Letters of the longest spelling, `tlpv20amberstrict`.
const LETTERS_MAX: usize = 17;

/// What a record says, if it says anything.
fn stated(record: Option<&str>) -> Option<&str> {
    record.map(str::trim).filter(|label| !says_nothing(label))
}

impl fmt::Display for Tlp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_read_in_any_spelling() {
        for tlp in Tlp::ALL {
            for before in ["", "TLP:", "tlp: ", "TLP ", "Tlp-", " ", "TLP 2.0: ", "TLPv2:", "[TLP:", "\"tlp/"]
            {
                let label = format!("{before}{tlp}");
                for spelling in
                    [label.to_lowercase(), label.replace('+', "-"), label.replace('+', " "), label]
                {
                    assert_eq!(Tlp::read(&spelling), Some(tlp), "{spelling:?}");
                }
            }
        }
        assert_eq!(Tlp::read("TLP:WHITE"), Some(Tlp::Clear));
    }

    #[test]
    fn other_words_are_no_labels() {
        for text in [
            "",
            " ",
            "TLP",
            "TLP:",
            "yellow",
            "amber strict!",
            "AMBER+",
            "[TLP:amber+]",
            "redd",
            "tlptlpred",
            "TLP:EX:CHR",
            "ámber",
            "red\0",
        ] {
            assert_eq!(Tlp::read(text), None, "{text:?}");
        }
        assert_eq!(Tlp::read(&"x".repeat(1 << 20)), None);
    }

    #[test]
    fn the_stricter_of_record_and_feed_counts_and_an_unreadable_label_never_loosens() {
        assert_eq!(Tlp::of(None, None), Tlp::Amber);
        assert_eq!(Tlp::of(Some(" - "), None), Tlp::Amber);
        assert_eq!(Tlp::of(None, Some(Tlp::Clear)), Tlp::Clear);
        assert_eq!(Tlp::of(Some("green"), Some(Tlp::Red)), Tlp::Red);
        assert_eq!(Tlp::of(Some("purple"), Some(Tlp::Clear)), Tlp::Amber);
        assert_eq!(Tlp::of(Some("purple"), Some(Tlp::Red)), Tlp::Red);
        assert_eq!(Tlp::of(Some("purple"), None), Tlp::Amber);
        for (record, feed) in Tlp::ALL.into_iter().flat_map(|one| Tlp::ALL.map(|other| (one, other))) {
            assert_eq!(Tlp::of(Some(record.as_str()), Some(feed)), record.max(feed));
        }
        let unknown = [None, Some(""), Some("-"), Some("red"), Some("purple")].map(Tlp::is_unknown);
        assert_eq!(unknown, [false, false, false, false, true]);
    }

    #[test]
    fn the_tlp_1_label_is_never_less_strict() {
        let tlp1 = Tlp::ALL.map(|tlp| (tlp, Tlp::read(tlp.as_tlp1()).unwrap()));
        assert!(tlp1.iter().all(|(tlp, written)| written >= tlp), "{tlp1:?}");
        assert_eq!(Tlp::ALL.map(Tlp::as_tlp1), ["WHITE", "GREEN", "AMBER", "RED", "RED"]);
    }
}
