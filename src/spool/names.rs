//! Names that become file names: strict, so that none can leave its directory or be taken for another.
//!
//! ```text
//! feed     [a-z0-9][a-z0-9_-]{0,63}            shadowserver
//! sender   [a-z0-9][a-z0-9-]{0,31}             csirt-dsp
//! label    [a-z0-9][a-z0-9-]{0,31}             corrected  (but not held-<number>)
//! run      <feed>-<16 hex>[+<label>][+held-<n>] shadowserver-6437b3ac38465133+corrected
//! claim    <run>.<sender>                      shadowserver-6437b3ac38465133.ncsc
//! owner_id [A-Za-z0-9][A-Za-z0-9._-]{0,63}     school  (its notice is school.jsonl)
//! ```
//!
//! No name but an owner's has a `.`, no feed or hash a `+`, and no label is `held-<number>`: each composed name is read back
//! in one way only. `<run>+held-<n>` is the n-th decision on what is held of `<run>`.

use crate::text::show;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A feed's name has no more bytes.
pub const FEED_BYTES_MAX: usize = 64;
/// A sender's name has no more bytes.
pub const SENDER_BYTES_MAX: usize = 32;
/// A label has no more bytes.
pub const LABEL_BYTES_MAX: usize = 32;
/// An owner_id has no more bytes.
pub const OWNER_ID_BYTES_MAX: usize = 64;
/// Hexadecimal digits of the content in a run's name.
const RUN_HEX_DIGITS: usize = 16;
/// A wrong name is shown up to here.
const SHOWN_CHARS_MAX: usize = 100;

/// Text that is no name of its kind.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NameError {
    kind: &'static str,
    grammar: &'static str,
    text: String,
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = show(self.text.as_bytes(), SHOWN_CHARS_MAX);
        write!(f, "`{shown}` is no {} (use {})", self.kind, self.grammar)
    }
}

impl std::error::Error for NameError {}

/// A name: text that was checked once.
macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $grammar:literal, $is:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            #[doc = concat!("Reads `", $grammar, "`.")]
            pub fn read(text: &str) -> Result<Self, NameError> {
                let is: fn(&str) -> bool = $is;
                if is(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(NameError { kind: $kind, grammar: $grammar, text: text.to_owned() })
                }
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                Self::read(&text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }
    };
}

name!(
    /// The stream that a dump belongs to.
    FeedName, "name of a feed", "[a-z0-9][a-z0-9_-]{0,63}",
    |text| is_word(text, b"_-", FEED_BYTES_MAX)
);
name!(
    /// Who warns: `ncsc`, `csirt-dsp`, `dtc`, or whom the configuration names.
    Sender, "name of a sender", "[a-z0-9][a-z0-9-]{0,31}",
    |text| is_word(text, b"-", SENDER_BYTES_MAX)
);
name!(
    /// What tells apart two publications of one dump.
    Label, "label", "[a-z0-9][a-z0-9-]{0,31}, and not held-<number>, which is a release's",
    is_label
);
name!(
    /// A run: its feed, the start of its content's hash, perhaps a label. The directory in `new`.
    RunName, "name of a run", "<feed>-<16 hex digits>[+<label>][+held-<n>]",
    |text| split_run(text).is_some()
);
name!(
    /// A claim: one sender's part of one run. The directory in `cur`, `done` or `failed`.
    ClaimName, "name of a claim", "<run>.<sender>",
    |text| split_claim(text).is_some()
);

impl RunName {
    /// The name of the run of a dump; `content` is the hash that the manifest holds whole.
    pub fn new(feed: &FeedName, content: &ContentHash, label: Option<&Label>) -> Self {
        let hex = content.to_string();
        let label = label.map_or(String::new(), |label| format!("+{label}"));
        Self(format!("{feed}-{}{label}", &hex[..RUN_HEX_DIGITS]))
    }

    /// The feed in the name.
    pub fn feed(&self) -> &str {
        self.parts().0
    }

    /// The first 16 digits of the content's hash.
    pub fn hex(&self) -> &str {
        self.parts().1
    }

    /// The label, if the run has one.
    pub fn label(&self) -> Option<&str> {
        self.parts().2
    }

    /// Of a decision on what was held: its number.
    pub fn decision(&self) -> Option<u32> {
        split_decision(&self.0).1
    }

    /// Of a decision on what was held: the run that held it.
    pub fn decided_on(&self) -> Option<Self> {
        let (run, number) = split_decision(&self.0);
        number.map(|_| Self(run.to_owned()))
    }

    /// The run of the `number`-th decision on what is held of this one; none is made about a decision.
    pub fn of_decision(&self, number: u32) -> Self {
        debug_assert!(self.decision().is_none() && (1..=DECISIONS_MAX).contains(&number));
        Self(format!("{self}{DECISION}{number}"))
    }

    fn parts(&self) -> (&str, &str, Option<&str>) {
        split_run(&self.0).expect("a RunName is made only of text that splits")
    }
}

impl ClaimName {
    /// What `sender` claims of `run`.
    pub fn new(run: &RunName, sender: &Sender) -> Self {
        Self(format!("{run}.{sender}"))
    }

    /// The run that is claimed from.
    pub fn run(&self) -> RunName {
        RunName(self.parts().0.to_owned())
    }

    /// Whose part is claimed.
    pub fn sender(&self) -> Sender {
        Sender(self.parts().1.to_owned())
    }

    fn parts(&self) -> (&str, &str) {
        split_claim(&self.0).expect("a ClaimName is made only of text that splits")
    }
}

/// BLAKE3 of something whole; text is 64 small hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ContentHash(blake3::Hash);

impl ContentHash {
    /// Reads 64 hexadecimal digits.
    pub fn read(text: &str) -> Result<Self, NameError> {
        let error = || NameError { kind: "hash", grammar: "64 hexadecimal digits", text: text.to_owned() };
        blake3::Hash::from_hex(text).map(Self).map_err(|_| error())
    }
}

impl From<blake3::Hash> for ContentHash {
    fn from(hash: blake3::Hash) -> Self {
        Self(hash)
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl TryFrom<String> for ContentHash {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        Self::read(&text)
    }
}

impl From<ContentHash> for String {
    fn from(hash: ContentHash) -> Self {
        hash.to_string()
    }
}

/// The file of an owner's notice. Register and index hold the same grammar; a file name is worth a second look.
pub(super) fn notice_file(owner_id: &str) -> Result<String, NameError> {
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let is_owner_id = owner_id.len() <= OWNER_ID_BYTES_MAX
        && owner_id.starts_with(|first: char| first.is_ascii_alphanumeric())
        && owner_id.bytes().all(is_inner);
    if !is_owner_id {
        let grammar = "[A-Za-z0-9][A-Za-z0-9._-]{0,63}";
        return Err(NameError { kind: "owner_id", grammar, text: owner_id.to_owned() });
    }
    Ok(format!("{owner_id}.jsonl"))
}

/// Small letters and digits, and after the first also `marks`.
fn is_word(text: &str, marks: &[u8], bytes_max: usize) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    match text.as_bytes() {
        [first, rest @ ..] => {
            is_plain(*first)
                && text.len() <= bytes_max
                && rest.iter().all(|&byte| is_plain(byte) || marks.contains(&byte))
        }
        [] => false,
    }
}

fn is_label(text: &str) -> bool {
    let digits = text.strip_prefix("held-").unwrap_or_default();
    let is_reserved = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_word(text, b"-", LABEL_BYTES_MAX) && !is_reserved
}

/// What precedes the number of a decision.
const DECISION: &str = "+held-";
/// Decisions on what is held of one run.
pub(super) const DECISIONS_MAX: u32 = 99_999;

/// A run's name without the number of a decision, and that number.
fn split_decision(text: &str) -> (&str, Option<u32>) {
    let Some((run, digits)) = text.rsplit_once(DECISION) else { return (text, None) };
    let is_number = !digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit());
    match digits.parse().ok().filter(|number| is_number && (1..=DECISIONS_MAX).contains(number)) {
        Some(number) => (run, Some(number)),
        None => (text, None),
    }
}

fn split_run(text: &str) -> Option<(&str, &str, Option<&str>)> {
    let (text, _) = split_decision(text);
    let (stem, label) = match text.split_once('+') {
        Some((stem, label)) => (stem, Some(label)),
        None => (text, None),
    };
    let (feed, hex) = stem.rsplit_once('-')?;
    let is_hex =
        hex.len() == RUN_HEX_DIGITS && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    (is_hex && label.is_none_or(is_label) && is_word(feed, b"_-", FEED_BYTES_MAX))
        .then_some((feed, hex, label))
}

fn split_claim(text: &str) -> Option<(&str, &str)> {
    let (run, sender) = text.split_once('.')?;
    (split_run(run).is_some() && is_word(sender, b"-", SENDER_BYTES_MAX)).then_some((run, sender))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_exactly_their_grammar() {
        let long = |n: usize| "a".repeat(n);
        let cases: &[(&str, bool, bool)] = &[
            // text, is a feed, is a sender
            ("ncsc", true, true),
            ("0", true, true),
            ("csirt-dsp", true, true),
            ("a_b", true, false),
            ("", false, false),
            ("-a", false, false),
            ("_a", false, false),
            ("A", false, false),
            ("a.b", false, false),
            ("a/b", false, false),
            ("a+b", false, false),
            ("..", false, false),
            ("a\0", false, false),
            ("é", false, false),
        ];
        for (text, feed, sender) in cases {
            assert_eq!(FeedName::read(text).is_ok(), *feed, "feed {text:?}");
            assert_eq!(Sender::read(text).is_ok(), *sender, "sender {text:?}");
            assert_eq!(Label::read(text).is_ok(), *sender, "label {text:?}");
        }
        assert!(FeedName::read(&long(64)).is_ok() && FeedName::read(&long(65)).is_err());
        assert!(Sender::read(&long(32)).is_ok() && Sender::read(&long(33)).is_err());
    }

    #[test]
    fn a_run_name_comes_apart_in_one_way() {
        let run = RunName::read("a-b_c-0123456789abcdef+new-try").unwrap();
        assert_eq!((run.feed(), run.hex(), run.label()), ("a-b_c", "0123456789abcdef", Some("new-try")));
        let run = RunName::read("feed-0123456789abcdef").unwrap();
        assert_eq!((run.feed(), run.label()), ("feed", None));
        for wrong in [
            "feed-0123456789abcde",
            "feed-0123456789abcdef0",
            "feed-0123456789ABCDEF",
            "feed0123456789abcdef",
            "-0123456789abcdef",
            "feed-0123456789abcdef+",
            "feed-0123456789abcdef+a+b",
            "feed-0123456789abcdef.x",
            "../feed-0123456789abcdef",
        ] {
            assert!(RunName::read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_run_is_named_by_feed_content_and_label() {
        let feed = FeedName::read("partner").unwrap();
        let content = ContentHash::from(blake3::hash(b"dump"));
        let label = Label::read("again").unwrap();
        let run = RunName::new(&feed, &content, Some(&label));
        assert_eq!(run, RunName::read(run.as_str()).unwrap());
        assert_eq!((run.feed(), run.label()), ("partner", Some("again")));
        assert!(content.to_string().starts_with(run.hex()));
    }

    #[test]
    fn a_decision_is_told_from_a_label() {
        for (text, run, label) in [
            ("feed-0123456789abcdef", "feed-0123456789abcdef", None),
            ("feed-0123456789abcdef+again", "feed-0123456789abcdef+again", Some("again")),
            ("held-0123456789abcdef+held-by-us", "held-0123456789abcdef+held-by-us", Some("held-by-us")),
        ] {
            let plain = RunName::read(text).unwrap();
            assert_eq!((plain.decision(), plain.decided_on()), (None, None));
            for number in [1, 9, 10, DECISIONS_MAX] {
                let decision = plain.of_decision(number);
                assert_eq!(RunName::read(decision.as_str()).as_ref(), Ok(&decision));
                assert_eq!((decision.decision(), decision.label()), (Some(number), label));
                assert_eq!(decision.decided_on(), Some(RunName::read(run).unwrap()));
                assert_eq!(decision.feed(), plain.feed());
            }
        }
        for wrong in ["+held-0", "+held-01", "+held-100000", "+held-1+held-2", "+held-1+again", "+held-+1"] {
            assert!(RunName::read(&format!("feed-0123456789abcdef{wrong}")).is_err(), "{wrong}");
        }
        for (label, is_one) in
            [("held-1", false), ("held-99999", false), ("held-", true), ("held-1x", true), ("held", true)]
        {
            assert_eq!(Label::read(label).is_ok(), is_one, "{label}");
        }
    }

    #[test]
    fn a_claim_is_a_run_and_a_sender() {
        let claim = ClaimName::read("feed-0123456789abcdef+x.csirt-dsp").unwrap();
        assert_eq!(claim.run().as_str(), "feed-0123456789abcdef+x");
        assert_eq!(claim.sender().as_str(), "csirt-dsp");
        assert_eq!(ClaimName::new(&claim.run(), &claim.sender()), claim);
        for wrong in ["feed-0123456789abcdef", "feed-0123456789abcdef.", "feed-0123456789abcdef.a.b", ".ncsc"]
        {
            assert!(ClaimName::read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn no_owner_id_leaves_its_directory() {
        assert_eq!(notice_file("School-1.nl").unwrap(), "School-1.nl.jsonl");
        assert_eq!(notice_file("manifest").unwrap(), "manifest.jsonl");
        assert!(notice_file(&"a".repeat(64)).is_ok() && notice_file(&"a".repeat(65)).is_err());
        for wrong in ["", ".", "..", ".a", "-a", "a/b", "/a", "a\\b", "a b", "a\0", "a\n", "é"] {
            assert!(notice_file(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn every_name_fits_a_file_name() {
        const FILE_NAME_BYTES_MAX: usize = 255;
        let decision = format!("{DECISION}{DECISIONS_MAX}").len();
        let run = FEED_BYTES_MAX + 1 + RUN_HEX_DIGITS + 1 + LABEL_BYTES_MAX + decision;
        let flat = run + 1 + SENDER_BYTES_MAX + 1 + OWNER_ID_BYTES_MAX + ".jsonl".len();
        assert!(flat + ".".len() + ".part".len() <= FILE_NAME_BYTES_MAX);
    }
}
